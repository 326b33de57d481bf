//! What a kennel's time witnesses say: that by their clocks it has been idle for `idle_ms`.
//!
//! A statement is a signature over the kennel and its head. It waits in the table, in a partition of its own,
//! until whoever mines the kennel's time (the reaper, or a miner with a seal) takes `threshold` of
//! them into the event. With the next block the head is another one, and they are worth nothing.
//!
//! Bounded: a statement is taken only of a present witness over the present head, and once; so at
//! most [`limits::WITNESSES_MAX`] items wait for a head, and time to live removes them. Nothing
//! here is trusted later: whoever collects checks each signature, and the rules check them again.
//!
//! Deliberately absent: a clock. When to say it is the witness's own business, so that no single
//! clock, the server's included, can keep time from passing or make it pass.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use pitpet_chain::codec::decode;
use pitpet_chain::event::verify_signature;
use pitpet_chain::hash::{AccountId, BlockHash, KennelId, PublicKey};
use pitpet_chain::limits;
use pitpet_chain::mining::{Statement, statement_bytes};
use pitpet_chain::reject::Reject;
use pitpet_chain::state::{Keys, Office};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Problem;
use crate::head::{Founding, LedgerError, damaged, read_head};
use crate::ingest::{Ingest, base64_field};
use crate::items::{self, DAY_MS, Fields as _, attributes};
use crate::ports::{Consistency, Item, Order, Query, Table, TableError};
use crate::problem::{bad_field, rejected};
use crate::rate_limit::{Counting, Subject};

/// How long a statement is kept, ms: two days. A witness says it again while the head stands.
const KEPT_MS: u64 = 2 * DAY_MS;

/// Statements read of one head. An appointment makes a block, so that those of two sets of
/// witnesses never stand over the same head.
const READ_MAX: u32 = limits::WITNESSES_MAX as u32;

/// What a time witness says, as it is posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubmittedStatement {
    /// Kennel id.
    pub kennel: String,
    /// Hash of the kennel's head.
    pub head: String,
    /// The witness's key.
    pub witness: String,
    /// Ed25519 over the tag `pitpet/v1/time`, a zero byte, the kennel's id and the head, base64.
    pub signature: String,
}

impl SubmittedStatement {
    /// Says it.
    pub fn sign(kennel: &KennelId, head: &BlockHash, key: &SigningKey) -> Self {
        let signature = key.sign(&statement_bytes(kennel, head)).to_bytes();
        Self {
            kennel: kennel.to_string(),
            head: head.to_string(),
            witness: PublicKey(key.verifying_key().to_bytes()).to_string(),
            signature: STANDARD.encode(signature),
        }
    }
}

/// A statement that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatementView {
    /// Kennel id.
    pub kennel: String,
    /// Hash of the head that it is over.
    pub head: String,
    /// How many witnesses have said it so far.
    pub statements: u32,
    /// How many have to.
    pub threshold: u8,
}

/// Who holds the offices of a kennel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OfficesView {
    /// Kennel id.
    pub kennel: String,
    /// Key that appoints and upgrades.
    pub operator: String,
    /// Keys that hide bodies.
    pub moderators: Vec<String>,
    /// Keys that say when the kennel has been idle; a statement names one by its place here.
    pub witnesses: Vec<String>,
    /// How many of them have to say so; 0: the block's timestamp decides.
    pub threshold: u8,
    /// Hash of the head.
    pub head: String,
    /// What the witnesses have said of it.
    pub statements: Vec<WaitingStatement>,
}

/// A statement that waits for the kennel's time to be mined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingStatement {
    /// Place of the witness, from 0.
    pub witness: u8,
    /// Its signature, base64.
    pub signature: String,
}

impl From<&Statement> for WaitingStatement {
    fn from(statement: &Statement) -> Self {
        Self { witness: statement.witness, signature: STANDARD.encode(statement.signature) }
    }
}

impl WaitingStatement {
    /// The statement, if it is one.
    pub fn read(&self) -> Option<Statement> {
        let signature = STANDARD.decode(&self.signature).ok()?.try_into().ok()?;
        Some(Statement { witness: self.witness, signature })
    }
}

/// The keys of a kennel's offices: those that the last appointment named, or the genesis.
///
/// # Errors
/// [`LedgerError`].
pub async fn read_keys(table: &dyn Table, founding: &Founding) -> Result<Keys, LedgerError> {
    if let Some(item) = table.get(&items::keys(&founding.kennel), Consistency::Strong).await? {
        return decode(item.bytes("record")?).map_err(|_| damaged("the keys of the offices"));
    }
    let genesis = &founding.genesis;
    let office = |key: &PublicKey| Office { key: *key, nonce: 0 };
    Ok(Keys {
        operator: office(&genesis.operator),
        moderators: genesis.moderators.iter().map(office).collect(),
        witnesses: genesis.witnesses.clone(),
        threshold: genesis.threshold,
        upgrade: None,
    })
}

/// The good statements over a head, ascending by witness, as an event takes them.
///
/// # Errors
/// [`LedgerError`].
pub async fn collect(
    table: &dyn Table,
    kennel: &KennelId,
    head: &BlockHash,
    witnesses: &[PublicKey],
) -> Result<Vec<Statement>, LedgerError> {
    let query = Query {
        pk: items::statements_pk(kennel),
        from: format!("{head}#"),
        to: format!("{head}#~"),
        order: Order::Ascending,
        limit: READ_MAX,
        consistency: Consistency::Strong,
    };
    let bytes = statement_bytes(kennel, head);
    let mut statements = Vec::new();
    for item in table.query(&query).await? {
        let key = item.key.sk.rsplit('#').next().and_then(|key| key.parse::<PublicKey>().ok());
        let place = key.and_then(|key| witnesses.iter().position(|witness| *witness == key));
        let (Some(place), Ok(signature)) = (place, item.attributes.bytes("signature")?.try_into()) else {
            continue;
        };
        if verify_signature(&witnesses[place], &bytes, &signature) {
            let witness = u8::try_from(place).expect("a kennel has at most nine witnesses");
            statements.push(Statement { witness, signature });
        }
    }
    statements.sort_by_key(|statement| statement.witness);
    Ok(statements)
}

/// What the event that mines a kennel's time has to carry; none while too few witnesses have
/// spoken.
///
/// # Errors
/// [`LedgerError`].
pub async fn majority(
    table: &dyn Table,
    founding: &Founding,
    head: &BlockHash,
) -> Result<Option<Vec<Statement>>, LedgerError> {
    let keys = read_keys(table, founding).await?;
    let threshold = usize::from(keys.threshold);
    if threshold == 0 {
        return Ok(Some(Vec::new()));
    }
    let mut statements = collect(table, &founding.kennel, head, &keys.witnesses).await?;
    let is_enough = statements.len() >= threshold;
    statements.truncate(threshold);
    Ok(is_enough.then_some(statements))
}

fn hash_field<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| bad_field(field, format!("{field} must be 64 lower-case hexadecimal digits.")))
}

impl Ingest {
    /// Takes what a time witness says of a kennel's head.
    ///
    /// # Errors
    /// A problem: `wrong-kennel`, `bad-statement` for one that is not a witness's, `wrong-parent`
    /// for another block than the head, `not-idle` where no pet lives for whom time could pass.
    pub async fn take_statement(
        &self,
        submitted: &SubmittedStatement,
        counting: &mut Counting<'_>,
    ) -> Result<StatementView, Problem> {
        let kennel: KennelId = hash_field("kennel", &submitted.kennel)?;
        let head: BlockHash = hash_field("head", &submitted.head)?;
        let witness: PublicKey = hash_field("witness", &submitted.witness)?;
        let signature: [u8; 64] = base64_field("signature", &submitted.signature)?
            .try_into()
            .map_err(|_| bad_field("signature", "The signature must have 64 bytes."))?;
        let founding = match self.foundings.get(&kennel).await {
            Ok(founding) => founding,
            Err(LedgerError::UnknownKennel) => return Err(rejected(Reject::WrongKennel)),
            Err(error) => return Err(error.into()),
        };
        let table = self.table.as_ref();
        let keys = read_keys(table, &founding).await?;
        let is_sound = keys.witnesses.contains(&witness)
            && verify_signature(&witness, &statement_bytes(&kennel, &head), &signature);
        if !is_sound {
            return Err(rejected(Reject::BadStatement));
        }
        counting.count(Subject::Account(AccountId::of(&witness)), 1).await?;
        let newest = read_head(table, &founding, Consistency::Strong).await?;
        if newest.hash != head {
            return Err(rejected(Reject::WrongParent));
        }
        if newest.summary.totals.living == 0 {
            return Err(rejected(Reject::NotIdle));
        }
        let ttl_s = (self.clock.now_ms() + KEPT_MS) / 1000;
        let said = Item {
            key: items::statement(&kennel, &head, &witness),
            attributes: attributes([("signature", signature.to_vec().into()), (items::EXPIRY, ttl_s.into())]),
        };
        match table.put_new(&said).await {
            // It has said so before.
            Ok(()) | Err(TableError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        let statements = collect(table, &kennel, &head, &keys.witnesses).await?.len();
        Ok(StatementView {
            kennel: submitted.kennel.clone(),
            head: submitted.head.clone(),
            statements: u32::try_from(statements).unwrap_or(u32::MAX),
            threshold: keys.threshold,
        })
    }
}
