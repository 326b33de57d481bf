//! Opening an account by a password: the owner of a name leaves an OPAQUE record and a vault
//! there; who knows the password gets the vault, which the server can't open. See `pitpet-keys`.
//!
//! Each answer to the first message of a sign-in, or of setting a password, is worth one guess.
//! So the former are limited by name and by address, and the latter are for the name's owner.
//!
//! Deliberately absent: a session. What comes of a sign-in is the account's key, in the client.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitpet_chain::hash::{AccountId, Digest32, sha256};
use pitpet_chain::request::{Wish, is_name};
use pitpet_keys::Refused;
use pitpet_keys::server::Setup;
use pitpet_keys::vault::BYTES_MAX;

use crate::api::{
    OpenedVault, PasswordAnswer, PasswordRequest, Problem, SignInAnswer, SignInEnd, SignInRequest,
    SubmittedVault, VaultView,
};
use crate::ingest::{Ingest, base64_field};
use crate::items::{self, Fields, attributes};
use crate::ports::{Condition, Consistency, Retry, TableError, Update};
use crate::problem::{bad_field, problem, unavailable};
use crate::rate_limit::{Counting, Subject};

/// A request to keep something under a name, whose signature, stamp, key and name are good.
pub(crate) struct Wished {
    pub(crate) account: AccountId,
    name: String,
    pub(crate) version: u64,
}

fn checked_name(name: &str) -> Result<(), Problem> {
    if is_name(name) {
        return Ok(());
    }
    Err(bad_field("name", "A name has 3 to 30 characters of a-z, 0-9, - and _, and begins with a letter."))
}

fn refused(refused: Refused) -> Problem {
    match refused.code {
        "wrong-password" => {
            problem(401, "wrong-password", "Name and password don't fit", refused.detail, Some("message"))
        }
        "state" => problem(410, "sign-in-over", "The sign-in is over", refused.detail, Some("state")),
        field => bad_field(field, refused.detail),
    }
}

impl Ingest {
    fn passwords(&self) -> Result<&Setup, Problem> {
        self.passwords.as_ref().ok_or_else(|| {
            let detail = "This server has no secret for passwords. Your key file opens the account.";
            problem(503, "no-passwords", "No sign-in by password here", detail, None)
        })
    }

    /// Reads a request of the owner of a name to keep what has this hash.
    pub(crate) async fn wished(
        &self,
        request: &str,
        content: Digest32,
        counting: &mut Counting<'_>,
    ) -> Result<Wished, Problem> {
        let request = self.read_request(request, counting).await?;
        let Wish::Vault { name, version, content: signed } = request.wish else {
            return Err(bad_field("request", "This takes a request for a vault."));
        };
        if signed != content {
            let detail = "The request is signed for other content than what goes beside it.";
            return Err(problem(422, "content-mismatch", "The request is refused", detail, Some("request")));
        }
        let holder = self.table.get(&items::name(&name), Consistency::Strong).await?;
        if !holder.is_some_and(|item| item.digest("account") == Ok(request.account.0)) {
            let detail = format!("The name {name:?} isn't registered for this account.");
            return Err(problem(403, "not-your-name", "Not your name", detail, Some("name")));
        }
        Ok(Wished { account: request.account, name, version })
    }

    /// First step of setting a password.
    ///
    /// # Errors
    /// A problem.
    pub async fn begin_password(
        &self,
        submitted: &PasswordRequest,
        counting: &mut Counting<'_>,
    ) -> Result<PasswordAnswer, Problem> {
        let setup = self.passwords()?;
        let message = base64_field("message", &submitted.message)?;
        let wished = self.wished(&submitted.request, sha256(&message), counting).await?;
        let answer = setup.register(&wished.name, &message).map_err(refused)?;
        Ok(PasswordAnswer { message: STANDARD.encode(answer) })
    }

    /// Second step of setting a password: keeps record and vault, in place of older ones.
    ///
    /// # Errors
    /// A problem; status 409 if newer ones are there.
    pub async fn keep_vault(
        &self,
        submitted: &SubmittedVault,
        counting: &mut Counting<'_>,
    ) -> Result<VaultView, Problem> {
        self.passwords()?;
        let (record, vault) =
            (base64_field("record", &submitted.record)?, base64_field("vault", &submitted.vault)?);
        Setup::check_record(&record).map_err(refused)?;
        if vault.is_empty() || vault.len() > BYTES_MAX {
            return Err(bad_field("vault", format!("A vault has 1 to {BYTES_MAX} bytes.")));
        }
        // The record's length is fixed, so that the two can't be cut elsewhere.
        let content = sha256(&[record.as_slice(), &vault].concat());
        let Wished { account, name, version } = self.wished(&submitted.request, content, counting).await?;
        let key = items::vault(&name);
        let update = Update {
            key: key.clone(),
            set: attributes([
                ("account", account.0.into()),
                ("record", record.into()),
                ("vault", vault.into()),
                ("version", version.into()),
                ("content", content.into()),
            ]),
            remove: Vec::new(),
            condition: Condition::Below("version", version),
            retry: Retry::Allowed,
        };
        match self.table.update(&update).await {
            Ok(()) => {}
            Err(TableError::Conflict) => {
                let kept = self.table.get(&key, Consistency::Strong).await?;
                // A repeated request meets its own effect.
                if !kept.is_some_and(|kept| kept.digest("content") == Ok(content)) {
                    let detail =
                        format!("A password of version {version} or newer is set. Use a higher version.");
                    return Err(problem(
                        409,
                        "vault-version",
                        "A newer one is there",
                        detail,
                        Some("version"),
                    ));
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(VaultView { name, version })
    }

    /// First step of a sign-in.
    ///
    /// # Errors
    /// A problem; status 429 if a name's or an address's sign-ins of the hour are used up.
    pub async fn begin_sign_in(
        &self,
        submitted: &SignInRequest,
        source: Option<IpAddr>,
        counting: &mut Counting<'_>,
    ) -> Result<SignInAnswer, Problem> {
        let setup = self.passwords()?;
        checked_name(&submitted.name)?;
        let message = base64_field("message", &submitted.message)?;
        if let Some(source) = source {
            counting.count(Subject::sign_in_address(source), 1).await?;
        }
        counting.count(Subject::sign_in_name(&submitted.name), 1).await?;
        let kept = self.table.get(&items::vault(&submitted.name), Consistency::Strong).await?;
        let record = kept.as_ref().map(|kept| kept.bytes("record")).transpose()?;
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| unavailable(&error))?;
        let (message, state) = setup
            .sign_in(&submitted.name, record, &message, self.clock.now_ms(), &random)
            .map_err(refused)?;
        Ok(SignInAnswer { message: STANDARD.encode(message), state: STANDARD.encode(state) })
    }

    /// Last step of a sign-in.
    ///
    /// # Errors
    /// A problem; status 401 for a wrong password, and for a name that has none.
    pub async fn end_sign_in(&self, submitted: &SignInEnd) -> Result<OpenedVault, Problem> {
        let setup = self.passwords()?;
        checked_name(&submitted.name)?;
        let (state, message) =
            (base64_field("state", &submitted.state)?, base64_field("message", &submitted.message)?);
        setup.sign_in_end(&submitted.name, &state, &message, self.clock.now_ms()).map_err(refused)?;
        let kept = self.table.get(&items::vault(&submitted.name), Consistency::Strong).await?;
        // Passwords are never taken away, so that whoever was answered from a record finds one.
        let kept = kept.ok_or_else(|| unavailable(&"a password's item is gone"))?;
        Ok(OpenedVault {
            account: AccountId(kept.digest("account")?).to_string(),
            vault: STANDARD.encode(kept.bytes("vault")?),
        })
    }
}
