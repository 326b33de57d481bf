//! The pages, one module a kind.

pub(crate) mod account;
pub(crate) mod belongings;
pub(crate) mod feed;
pub(crate) mod find;
pub(crate) mod ledger;
pub(crate) mod market;
pub(crate) mod mine;
pub(crate) mod moderation;
pub(crate) mod pet;
pub(crate) mod post;
pub(crate) mod prose;
pub(crate) mod trouble;
