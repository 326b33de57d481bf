//! Accounts: what they have, their names, passwords and profiles.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{EntryView, PetView};

/// What an account has in one kennel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HoldingView {
    /// The kennel.
    pub kennel: String,
    /// Its short name on this server.
    #[serde(default)]
    pub label: String,
    /// Granted treats, for posts only.
    pub granted: u64,
    /// Free treats.
    pub free: u64,
    /// The living pet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pet: Option<String>,
    /// Dead pets and keepsakes.
    pub holdings: u32,
    /// Open offers and bids.
    pub orders: u32,
    /// The last accepted nonce.
    pub nonce: u64,
    /// The current key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What an account has over all kennels. Treats stay in their kennel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SumsView {
    /// Granted treats.
    pub granted: u64,
    /// Free treats.
    pub free: u64,
    /// Living pets.
    pub living: u64,
    /// Dead pets and keepsakes.
    pub holdings: u64,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountView {
    /// Account id.
    pub id: String,
    /// Names registered for it.
    pub names: Vec<String>,
    /// Over all kennels.
    #[serde(default)]
    pub sums: SumsView,
    /// By kennel.
    pub kennels: Vec<HoldingView>,
}

/// A signed request (`crates/chain`, module `request`): for a name or an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmittedRequest {
    /// Base64 of the canonical signed request.
    pub request: String,
}

/// The answer to a registered name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NameView {
    /// The name.
    pub name: String,
    /// The account that has it.
    pub account: String,
}

/// First step of setting a password: the client's OPAQUE message (RFC 9807), asked for by the owner of the name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// Base64 of a canonical signed request for a vault; its content is the SHA-256 of the message.
    pub request: String,
    /// `RegistrationRequest`, base64.
    pub message: String,
}

/// The server's OPAQUE message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasswordAnswer {
    /// `RegistrationResponse`, base64.
    pub message: String,
}

/// Second step of setting a password: what the server keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmittedVault {
    /// Base64 of a canonical signed request for a vault; its content is the SHA-256 of record and vault.
    pub request: String,
    /// `RegistrationRecord`, 192 bytes, base64.
    pub record: String,
    /// The account's keys, encrypted under OPAQUE's export key; at most 4,096 bytes, base64.
    pub vault: String,
}

/// A password that was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VaultView {
    /// The name.
    pub name: String,
    /// The request's version.
    pub version: u64,
}

/// First step of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// The name.
    pub name: String,
    /// `KE1`, base64.
    pub message: String,
}

/// The server's answer, alike for names with and without a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInAnswer {
    /// `KE2`, base64.
    pub message: String,
    /// The server's state, sealed; goes back with the last message within 2 minutes. Base64.
    pub state: String,
}

/// Last step of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInEnd {
    /// The name.
    pub name: String,
    /// What the first step answered, as it was. Base64.
    pub state: String,
    /// `KE3`, base64.
    pub message: String,
}

/// The vault, for who knows the password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenedVault {
    /// The account that has the name.
    pub account: String,
    /// The vault, base64.
    pub vault: String,
}

/// A profile to keep, in place of an older one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmittedProfile {
    /// Base64 of a canonical signed request of kind 3 (vault); its content is the SHA-256 of `pitpet/v1/profile`, a
    /// zero byte, the avatar's 32 bytes (zeros if there is none) and the text's SHA-256.
    pub request: String,
    /// What the account says of itself, at most 280 characters.
    pub bio: String,
    /// A birth or post of the account, whose photo stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
}

/// An account's profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileView {
    /// The account.
    pub account: String,
    /// What it says of itself.
    pub bio: String,
    /// The birth or post whose photo stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// Path of that photo on this server; none if it was erased or hidden since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// The request's version; 0 if none was ever set.
    pub version: u64,
}

/// An encrypted list to keep, in place of an older one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmittedList {
    /// Base64 of a canonical signed request of kind 3 (vault); its content is the SHA-256 of `pitpet/v1/list`, a zero
    /// byte and the SHA-256 of the sealed bytes.
    pub request: String,
    /// The list as only the account can read it, at most 24,640 bytes, base64.
    pub sealed: String,
}

/// The answer to a list that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeptList {
    /// The account.
    pub account: String,
    /// The request's version.
    pub version: u64,
}

/// An account's list, which only the account can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListView {
    /// The account.
    pub account: String,
    /// The request's version; 0 if none was ever set.
    pub version: u64,
    /// The encrypted list, base64; empty if there is none.
    pub sealed: String,
}

/// What an account would want to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticesView {
    /// The account.
    pub account: String,
    /// What others did for its living pets, newest first.
    pub entries: Vec<EntryView>,
    /// Its living pets of which at most a third of the life is left.
    pub fading: Vec<PetView>,
    /// Its pets whose story is over and that have no keepsake yet.
    pub ended: Vec<PetView>,
}
