//! Opening kennels.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use ed25519_dalek::SigningKey;
use pitpet_chain::abi::{Opened, Start};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::genesis::{Genesis, Parameters};
use pitpet_chain::hash::{EventId, KennelId, PublicKey, RulesHash, sha256};
use pitpet_chain::limits::WITNESSES_MAX;
use pitpet_chain_host::Releases;
use pitpet_pipeline::api::Problem;
use pitpet_pipeline::belongings::erase_profile_of;
use pitpet_pipeline::erase::erase_by_operator;
use pitpet_pipeline::founding::KENNELS_MAX;
use pitpet_pipeline::head::write_founding;
use pitpet_pipeline::http::{HttpResponse, read_json};
use pitpet_pipeline::items;
use pitpet_pipeline::message::DeadLetterView;
use pitpet_pipeline::ports::{
    Clock, Consistency, ModuleHost, Objects, Order, Query, Queue, Table, TableError,
};
use pitpet_pipeline::problem::{bad_field, not_found, problem, unavailable};
use serde::{Deserialize, Serialize};

use super::{Keys, NewRules};
use crate::queue::{DEAD_LIST_MAX, DeadLetter, Which};

/// Sets of parameters with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Pets live for days.
    Town,
    /// The original's game: every block ages.
    Classic,
}

impl Preset {
    fn parameters(self) -> Parameters {
        match self {
            Preset::Town => Parameters::TOWN,
            Preset::Classic => Parameters::CLASSIC,
        }
    }
}

/// A request to open a kennel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKennel {
    /// Its short name on this server.
    pub label: String,
    /// Its parameters.
    pub preset: Preset,
    /// Instead of the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp_bits: Option<u8>,
    /// Instead of the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_bits: Option<u8>,
    /// Instead of the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal_bits: Option<u8>,
    /// Instead of the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<u64>,
    /// Instead of the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub living_max: Option<u32>,
    /// Keys of its time witnesses, in hexadecimal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<String>,
    /// How many of them must say that it has been idle: more than half; 0 without any.
    #[serde(default)]
    pub threshold: u8,
}

impl NewKennel {
    /// A kennel with a preset's parameters.
    pub fn new(label: impl Into<String>, preset: Preset) -> Self {
        Self {
            label: label.into(),
            preset,
            stamp_bits: None,
            birth_bits: None,
            seal_bits: None,
            idle_ms: None,
            living_max: None,
            witnesses: Vec::new(),
            threshold: 0,
        }
    }

    fn parameters(&self) -> Parameters {
        let preset = self.preset.parameters();
        Parameters {
            stamp_bits: self.stamp_bits.unwrap_or(preset.stamp_bits),
            birth_bits: self.birth_bits.unwrap_or(preset.birth_bits),
            seal_bits: self.seal_bits.unwrap_or(preset.seal_bits),
            idle_ms: self.idle_ms.unwrap_or(preset.idle_ms),
            living_max: self.living_max.unwrap_or(preset.living_max),
            ..preset
        }
    }
}

/// Opens kennels with this installation's keys.
pub(super) struct Admin {
    pub(super) table: Arc<dyn Table>,
    pub(super) modules: Arc<dyn ModuleHost>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keys: Keys,
    pub(super) objects: Arc<dyn Objects>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) folder: PathBuf,
}

/// The keys of an installation that stand in the genesis of its kennels.
pub struct FoundingKeys {
    /// May upgrade rules.
    pub operator: PublicKey,
    /// Mines time and receives the cut of sales.
    pub house: PublicKey,
    /// May hide bodies.
    pub moderator: PublicKey,
    /// Signs checkpoints, that of block 0 first.
    pub checkpoint: SigningKey,
}

/// The public half of a key.
pub fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

impl Admin {
    /// Opens kennels named after their presets unless they are there.
    pub(super) async fn open_first(&self, presets: &[Preset]) -> anyhow::Result<()> {
        for preset in presets.iter().copied() {
            let label = match preset {
                Preset::Town => "town",
                Preset::Classic => "classic",
            };
            let key = items::kennel_label(label);
            let label_taken = self.table.get(&key, Consistency::Strong).await?.is_some();
            if !label_taken {
                self.open(&NewKennel::new(label, preset)).await?;
            }
        }
        Ok(())
    }

    /// Opens a kennel with this installation's keys.
    pub(super) async fn open(&self, new: &NewKennel) -> anyhow::Result<KennelId> {
        let keys = FoundingKeys {
            operator: public(&self.keys.operator),
            house: public(&self.keys.house),
            moderator: public(&self.keys.moderator),
            checkpoint: self.keys.checkpoint.clone(),
        };
        open(self.table.as_ref(), self.modules.as_ref(), self.clock.now_ms(), &keys, new).await
    }
}

/// Opens a kennel.
///
/// # Errors
/// What stands in the way, in words for the operator.
pub async fn open(
    table: &dyn Table,
    modules: &dyn ModuleHost,
    now_ms: u64,
    keys: &FoundingKeys,
    new: &NewKennel,
) -> anyhow::Result<KennelId> {
    let label = new.label.as_str();
    let sound = (1..=32).contains(&label.len())
        && label.starts_with(|c: char| c.is_ascii_lowercase())
        && label.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    anyhow::ensure!(sound, "a label has 1 to 32 characters of a-z, 0-9 and -, and begins with a letter");
    let query = Query {
        pk: "KENNELS".to_owned(),
        from: " ".to_owned(),
        to: "~".to_owned(),
        order: Order::Ascending,
        limit: KENNELS_MAX,
        consistency: Consistency::Strong,
    };
    let count = table.query(&query).await?.len();
    anyhow::ensure!(count < KENNELS_MAX as usize, "a server has at most {KENNELS_MAX} kennels");
    let mut random = [0; 32];
    getrandom::fill(&mut random).context("the system gives no random bytes")?;
    let witnesses = new
        .witnesses
        .iter()
        .map(|key| {
            key.parse()
                .ok()
                .with_context(|| format!("the witness {key:?} is no key of 64 hexadecimal digits"))
        })
        .collect::<anyhow::Result<Vec<PublicKey>>>()?;
    let genesis = Genesis {
        version: 1,
        parameters: new.parameters(),
        operator: keys.operator,
        house: keys.house,
        moderators: vec![keys.moderator],
        witnesses,
        threshold: new.threshold,
        checkpoint: public(&keys.checkpoint),
        created_ms: now_ms,
        random,
    };
    if let Some(field) = genesis.fault() {
        let (count, threshold) = (genesis.witnesses.len(), genesis.threshold);
        match field {
            "threshold" => anyhow::bail!(
                "threshold {threshold} of {count} witnesses: it must exceed half of them, {} to {count}",
                if count == 0 { 0 } else { count / 2 + 1 }
            ),
            "witnesses" => anyhow::bail!("{count} witnesses: at most {WITNESSES_MAX}, none twice"),
            field => anyhow::bail!("the parameter {field} is out of its range"),
        }
    }
    let rules = Releases::latest().context("this build has no released chain module")?;
    let start =
        Start { rules_hash: RulesHash(rules.0), genesis: Some(Bytes(encode(&genesis))), snapshot: None };
    let (_, opened) = modules.open(&rules.0, &encode(&start))?;
    let opened: Opened = decode(&opened)?;
    let block = opened.block.context("founding a kennel makes a block")?;
    match write_founding(table, label, &genesis, &block, &keys.checkpoint).await {
        Ok(()) => {}
        Err(TableError::Conflict) => anyhow::bail!("there is a kennel with the label {label:?} already"),
        Err(error) => return Err(error.into()),
    }
    tracing::info!(kennel = %opened.kennel, label, "kennel opened");
    Ok(opened.kennel)
}

/// Serves the operator's requests: those that carry the token of the data folder.
pub(super) async fn admin(
    shared: &super::Shared,
    method: &str,
    path: &str,
    authorization: &str,
    body: &[u8],
) -> HttpResponse {
    // Hashed, so that the time of the comparison tells nothing about the token.
    let expected = format!("Bearer {}", hex::encode(shared.admin.keys.admin_token));
    if sha256(authorization.as_bytes()) != sha256(expected.as_bytes()) {
        let detail = "Send the token in the data folder's keys/admin.token as a bearer token.";
        return problem(401, "not-the-operator", "Not the operator", detail, Some("authorization")).into();
    }
    match (method, path) {
        ("POST", "/admin/kennels") => match read_json::<NewKennel>(body) {
            Ok(new) => match shared.admin.open(&new).await {
                Ok(kennel) => HttpResponse::json(
                    201,
                    &serde_json::json!({ "id": kennel.to_string(), "label": new.label }),
                ),
                Err(error) => bad_field("label", error.to_string()).into(),
            },
            Err(problem) => problem.into(),
        },
        ("POST", "/admin/upgrades") => match read_json::<NewRules>(body) {
            Ok(new) => super::upgrades::offer(&shared.admin, &new).await,
            Err(problem) => problem.into(),
        },
        ("POST", "/admin/erasures") => match read_json::<Erasure>(body) {
            Ok(Erasure { event }) => match event.parse() {
                Ok(event) => erased(shared, &event).await,
                Err(_) => bad_field("event", "event must be 64 lower-case hexadecimal digits.").into(),
            },
            Err(problem) => problem.into(),
        },
        ("POST", "/admin/profile-erasures") => match read_json::<ProfileErasure>(body) {
            Ok(ProfileErasure { account }) => profile_erased(shared, &account).await,
            Err(problem) => problem.into(),
        },
        ("GET", "/admin/dead-letters") => {
            match shared.queue.dead_letters(0, DEAD_LIST_MAX, shared.clock.now_ms()).await {
                Ok(letters) => {
                    let view = |letter: DeadLetter| {
                        DeadLetterView::new(letter.message_id, letter.group, &letter.body, letter.sent_ms)
                    };
                    HttpResponse::json(200, &letters.into_iter().map(view).collect::<Vec<_>>())
                }
                Err(error) => unavailable(&error).into(),
            }
        }
        ("POST", "/admin/redrive") => match shared.queue.redrive(Which::All, shared.clock.now_ms()).await {
            Ok(count) => HttpResponse::json(200, &serde_json::json!({ "redriven": count })),
            Err(error) => unavailable(&error).into(),
        },
        ("GET", "/admin/queue") => match shared.queue.counts(shared.clock.now_ms()).await {
            Ok(counts) => HttpResponse::json(
                200,
                &serde_json::json!({
                    "visible": counts.visible,
                    "in_flight": counts.in_flight,
                    "dead": counts.dead,
                    "oldest_age_ms": counts.oldest_age_ms,
                }),
            ),
            Err(error) => unavailable(&error).into(),
        },
        _ => not_found("such path", "path").into(),
    }
}

/// A request to erase the text and the photo of an event.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Erasure {
    /// The event's id.
    event: String,
}

/// A request to erase the profile of an account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileErasure {
    /// A name or an account id.
    account: String,
}

async fn profile_erased(shared: &super::Shared, account: &str) -> HttpResponse {
    match erase_profile_of(shared.admin.table.as_ref(), account, shared.clock.now_ms()).await {
        Ok(Some(account)) => HttpResponse::json(200, &serde_json::json!({ "account": account.to_string() })),
        Ok(None) => not_found("such account", "account").into(),
        Err(error) => Problem::from(error).into(),
    }
}

async fn erased(shared: &super::Shared, event: &EventId) -> HttpResponse {
    let (table, now_ms) = (shared.admin.table.clone(), shared.clock.now_ms());
    match erase_by_operator(table, shared.objects.as_ref(), event, now_ms).await {
        Ok(Some(erased)) => HttpResponse::json(200, &erased),
        Ok(None) => not_found("such event with a text", "event").into(),
        Err(error) => Problem::from(error).into(),
    }
}
