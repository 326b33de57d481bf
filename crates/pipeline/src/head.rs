//! The head of a kennel as the table has it: read, checked, committed.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use pitpet_chain::block::{Header, Summary};
use pitpet_chain::codec::{decode, encode};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{BlockHash, Digest32, KennelId, RulesHash};
use pitpet_chain::kennel::{Head, NewBlock};
use pitpet_chain::limits::BLOCK_BYTES_MAX;

use crate::checkpoint::{self, Claim};
use crate::items::{self, Fields, attributes};
use crate::planted::{Bug, planted};
use crate::ports::{
    Attributes, Condition, Consistency, Item, ObjectError, Retry, Table, TableError, Update, Value,
};
use crate::publication::{Publication, publication};
use crate::runs;

/// Why the ledger could not be read or moved.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// No such kennel in this table.
    #[error("no such kennel")]
    UnknownKennel,
    /// The table or object store failed in a way that may pass.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The object store failed.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// What the table holds contradicts the chain: somebody tampered with it, or it is damaged.
    #[error("the ledger is damaged: {0}")]
    Damaged(String),
    /// The chain module failed.
    #[error(transparent)]
    Module(#[from] crate::ports::ModuleError),
    /// Other rules decide from a height on, and their module can't go on here.
    #[error("from height {height} on the rules {rules} decide, and their module can't go on: {source}")]
    Upgrade {
        /// The rules.
        rules: RulesHash,
        /// The first height that they decide.
        height: u64,
        /// What is wrong with the module.
        source: crate::upgrade::Unfit,
    },
}

impl LedgerError {
    /// Whether the rules that decide next are not to be had: the kennel stands still until they are.
    pub fn is_of_the_rules(&self) -> bool {
        use crate::ports::ModuleError::{Load, UnknownRules};
        matches!(self, LedgerError::Upgrade { .. } | LedgerError::Module(UnknownRules(_) | Load(_)))
    }
}

impl From<items::BadItem> for LedgerError {
    fn from(bad: items::BadItem) -> Self {
        LedgerError::Damaged(bad.to_string())
    }
}

/// A committed head, its checkpoint checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedHead {
    /// Height.
    pub height: u64,
    /// Hash.
    pub hash: BlockHash,
    /// Header.
    pub header: Header,
    /// The sums after it.
    pub summary: Summary,
    /// Root of its checkpoint.
    pub checkpoint_root: Digest32,
    /// The checkpoint.
    pub checkpoint: String,
    /// Height up to which what can't wait is written of each block ([`crate::publisher::keep`]).
    pub kept_height: u64,
    /// Height up to which the read side is complete in the table.
    pub published_height: u64,
    /// Height up to which garbage has been looked for.
    pub swept_height: u64,
}

/// What a kennel is founded on, with what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founding {
    /// The kennel's id.
    pub kennel: KennelId,
    /// The founding record.
    pub genesis: Genesis,
    /// Short name on this server.
    pub label: String,
}

/// Reads a kennel's founding record and checks that it hashes to the id.
///
/// # Errors
/// [`LedgerError::UnknownKennel`] if there is none.
pub async fn read_founding(table: &dyn Table, kennel: &KennelId) -> Result<Founding, LedgerError> {
    let item =
        table.get(&items::genesis(kennel), Consistency::Strong).await?.ok_or(LedgerError::UnknownKennel)?;
    let genesis: Genesis = decode(item.bytes("genesis")?).map_err(|_| damaged("genesis"))?;
    if genesis.kennel() != *kennel {
        return Err(damaged("the genesis is not the kennel's"));
    }
    Ok(Founding { kennel: *kennel, genesis, label: item.text("label")?.to_owned() })
}

/// Makes a [`LedgerError::Damaged`].
pub(crate) fn damaged(what: &str) -> LedgerError {
    LedgerError::Damaged(what.to_owned())
}

/// Reads the head and checks its signature, header and sums against each other.
///
/// # Errors
/// [`LedgerError::UnknownKennel`] if there is none; [`LedgerError::Damaged`] if it is not what
/// the checkpoint key signed.
pub async fn read_head(
    table: &dyn Table,
    founding: &Founding,
    consistency: Consistency,
) -> Result<CommittedHead, LedgerError> {
    let item =
        table.get(&items::head(&founding.kennel), consistency).await?.ok_or(LedgerError::UnknownKennel)?;
    head_of(&item, founding)
}

/// Checks a head's item.
///
/// # Errors
/// [`LedgerError::Damaged`] if it is not what the checkpoint key signed.
pub(crate) fn head_of(item: &Attributes, founding: &Founding) -> Result<CommittedHead, LedgerError> {
    let kennel = &founding.kennel;
    let header: Header = decode(item.bytes("header")?).map_err(|_| damaged("the head's header"))?;
    let summary: Summary = decode(item.bytes("summary")?).map_err(|_| damaged("the head's summary"))?;
    let head = CommittedHead {
        height: item.number("height")?,
        hash: BlockHash(item.digest("hash")?),
        checkpoint_root: item.digest("checkpoint_root")?,
        checkpoint: item.text("checkpoint")?.to_owned(),
        kept_height: item.number("kept_height")?,
        published_height: item.number("published_height")?,
        swept_height: item.number("swept_height")?,
        header,
        summary,
    };
    let claim = checkpoint::check(&head.checkpoint, kennel, &founding.genesis.checkpoint)
        .map_err(|error| LedgerError::Damaged(error.to_string()))?;
    let sound = claim == Claim { size: head.height + 1, root: head.checkpoint_root }
        && head.header.hash() == head.hash
        && head.header.height == head.height;
    if sound { Ok(head) } else { Err(damaged("the head differs from its checkpoint")) }
}

/// Writes a founded kennel's records: genesis block, head, and last its place in the list, so
/// that no kennel is listed that isn't whole. Writing the same kennel again changes nothing.
///
/// # Errors
/// [`TableError::Conflict`] if another kennel has the label.
pub async fn write_founding(
    table: &dyn Table,
    label: &str,
    genesis: &Genesis,
    block: &NewBlock,
    key: &SigningKey,
) -> Result<(), TableError> {
    let kennel = genesis.kennel();
    let key_of_label = items::kennel_label(label);
    let holder = table.get(&key_of_label, Consistency::Strong).await?;
    if holder.is_some_and(|item| item.digest("kennel") != Ok(kennel.0)) {
        return Err(TableError::Conflict);
    }
    let note = checkpoint::sign(&kennel, Claim { size: 1, root: block.head.checkpoint_root }, key);
    let mut head = head_attributes(&block.head, note);
    head.insert("kept_height".to_owned(), Value::Number(0));
    head.insert("published_height".to_owned(), Value::Number(0));
    head.insert("swept_height".to_owned(), Value::Number(0));
    let track = attributes([
        ("hash", block.head.hash.0.into()),
        ("nodes", block.nodes.concat().into()),
        ("timestamp_ms", genesis.created_ms.into()),
        ("event_count", 0_u64.into()),
    ]);
    let founding = attributes([("genesis", encode(genesis).into()), ("label", label.to_owned().into())]);
    let records = [
        Item { key: items::genesis(&kennel), attributes: founding },
        block_item(&kennel, &BlockHash([0; 32]), block),
        runs::first_track(&Item { key: items::track(&kennel, 0), attributes: track })
            .map_err(|bad| TableError::Refused { message: bad.to_string() })?,
        Item { key: items::head(&kennel), attributes: head },
    ];
    for record in records {
        match table.put_new(&record).await {
            Ok(()) | Err(TableError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    let claim = attributes([("kennel", kennel.0.into())]);
    let Err(error) = table.put_new(&Item { key: key_of_label.clone(), attributes: claim }).await else {
        return Ok(());
    };
    // Somebody may have taken the label meanwhile; or this very write, whose answer was lost.
    let holder = table.get(&key_of_label, Consistency::Strong).await?;
    let is_own = holder.is_some_and(|item| item.digest("kennel") == Ok(kennel.0));
    if is_own { Ok(()) } else { Err(error) }
}

/// What a commit writes to the head.
pub(crate) fn head_attributes(head: &Head, note: String) -> crate::ports::Attributes {
    attributes([
        ("height", head.height.into()),
        ("hash", head.hash.0.into()),
        ("header", head.header.0.clone().into()),
        ("checkpoint_root", head.checkpoint_root.into()),
        ("checkpoint", note.into()),
        ("summary", encode(&head.summary).into()),
    ])
}

/// The item of a staged block.
pub fn block_item(kennel: &KennelId, parent: &BlockHash, block: &NewBlock) -> Item {
    let key = items::block(kennel, block.head.height, &block.head.hash);
    Item { key, attributes: block_attributes(parent, &block.bytes.0, &block.nodes) }
}

/// The attributes of a block's item. Its bytes are deflated: accounts, pets and the kennel stand in a
/// block many times, and an item costs by the kilobyte.
pub(crate) fn block_attributes(
    parent: &BlockHash,
    bytes: &[u8],
    nodes: &[Digest32],
) -> crate::ports::Attributes {
    attributes([
        ("deflated", deflated(bytes).into()),
        ("parent", parent.0.into()),
        ("nodes", nodes.concat().into()),
    ])
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to a Vec")
}

/// A block's canonical bytes, out of its item.
///
/// # Errors
/// [`LedgerError::Damaged`] if they can't be inflated, or are more than any block has.
pub fn block_bytes(item: &Attributes) -> Result<Vec<u8>, LedgerError> {
    let mut bytes = Vec::new();
    // One more than there may be.
    let mut inflated = DeflateDecoder::new(item.bytes("deflated")?).take(BLOCK_BYTES_MAX as u64 + 1);
    match inflated.read_to_end(&mut bytes) {
        Ok(count) if count <= BLOCK_BYTES_MAX => Ok(bytes),
        _ => Err(damaged("a block's bytes can't be inflated")),
    }
}

/// The one conditional write that commits a block. Of its ancestors everything that can't wait is
/// written.
pub fn commit_update(kennel: &KennelId, parent: &BlockHash, block: &NewBlock, note: String) -> Update {
    let mut set = head_attributes(&block.head, note);
    set.insert("kept_height".to_owned(), (block.head.height - 1).into());
    Update {
        key: items::head(kennel),
        set,
        remove: Vec::new(),
        condition: match planted(Bug::NoCondition) {
            true => Condition::Below("height", u64::MAX),
            false => Condition::Equals("hash", parent.0.into()),
        },
        retry: Retry::Never,
    }
}

/// A block as the table holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlock {
    /// Canonical bytes.
    pub bytes: Vec<u8>,
    /// Parent's hash.
    pub parent: BlockHash,
    /// Nodes of the block log that it completes.
    pub nodes: Vec<Digest32>,
}

impl StoredBlock {
    /// The block in an item.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`].
    pub(crate) fn of(item: &Attributes) -> Result<Self, LedgerError> {
        Ok(Self {
            bytes: block_bytes(item)?,
            parent: BlockHash(item.digest("parent")?),
            nodes: split_nodes(item.bytes("nodes")?),
        })
    }

    /// What the block means for the read side.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`] if it is none.
    pub fn publication(&self) -> Result<Publication, LedgerError> {
        publication(&self.bytes, &self.nodes).map_err(|_| damaged("a committed block can't be read"))
    }
}

/// Reads a block by height and hash.
///
/// # Errors
/// [`LedgerError::Damaged`] if it isn't there: every committed block was staged before.
pub async fn read_block(
    table: &dyn Table,
    kennel: &KennelId,
    height: u64,
    hash: &BlockHash,
) -> Result<StoredBlock, LedgerError> {
    let key = items::block(kennel, height, hash);
    let item = table
        .get(&key, Consistency::Strong)
        .await?
        .ok_or_else(|| LedgerError::Damaged(format!("block {height} {hash} is missing")))?;
    StoredBlock::of(&item)
}

/// Splits concatenated nodes.
pub fn split_nodes(bytes: &[u8]) -> Vec<Digest32> {
    bytes.chunks_exact(32).map(|chunk| chunk.try_into().expect("32 bytes each")).collect()
}

/// The hashes of the blocks above `height` up to a head, ascending, by walking parents down.
///
/// # Errors
/// As [`read_block`].
pub async fn path_down(
    table: &dyn Table,
    kennel: &KennelId,
    head: (u64, BlockHash),
    height: u64,
) -> Result<(BlockHash, Vec<(u64, BlockHash)>), LedgerError> {
    let (mut at, mut hash) = head;
    let mut path = Vec::new();
    while at > height {
        path.push((at, hash));
        hash = read_block(table, kennel, at, &hash).await?.parent;
        at -= 1;
    }
    path.reverse();
    Ok((hash, path))
}

/// A key that signs checkpoints, shared by the miner's tasks.
pub type CheckpointKey = Arc<SigningKey>;
