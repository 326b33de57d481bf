//! Texts of what is in a block.

use super::Lang;

macro_rules! texts {
    ($($field:ident: $en:literal, $de:literal;)*) => {
        /// The texts, by what they name.
        pub(crate) struct LedgerTexts { $(pub(crate) $field: &'static str),* }

        /// English.
        const EN: LedgerTexts = LedgerTexts { $($field: $en),* };

        /// German.
        const DE: LedgerTexts = LedgerTexts { $($field: $de),* };
    };
}

/// The texts in a language.
pub(crate) fn texts(lang: Lang) -> &'static LedgerTexts {
    match lang {
        Lang::En => &EN,
        Lang::De => &DE,
    }
}

texts! {
    events_root: "Root of events", "Wurzel der Ereignisse";
    receipts_root: "Root of receipts", "Wurzel der Quittungen";
    state_root: "Root of the state", "Wurzel des Zustands";
    history_root: "Root of the history", "Wurzel der Geschichte";
    amount: "Amount", "Menge";
    price: "Price", "Preis";
    nonce: "Nonce", "Nonce";
    expires: "Expires", "Läuft ab";
    stamp: "Stamp", "Stempel";
    last_age: "last age", "letztes Alter";
    bowl: "wallet", "Napf";
    posts: "posts", "Beiträge";
    pats: "pats", "Streicheln";
    shares: "shares", "Teilen";
    comments: "comments", "Kommentare";
    granted: "granted", "geschenkt";
    free: "free", "frei";
    holdings: "holdings", "Besitz";
    order: "order", "Angebot oder Gebot";
    until: "until", "bis";
}
