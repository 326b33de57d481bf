//! What a browser checks of a block by itself, around the chain module that decides it again:
//! the kennel's identity, the checkpoint's signature, the block's place in the log, and, if the
//! module comes to something else, what exactly differs.

use ed25519_dalek::VerifyingKey;
use pitpet_chain::abi::{Batch, Opened, Replay, Start};
use pitpet_chain::block::{Block, Death, Header, Receipt, Summary};
use pitpet_chain::codec::{Bytes, Canonical, decode, encode};
use pitpet_chain::event::SignedEvent;
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{BlockHash, Digest32, KennelId, RulesHash};
use pitpet_chain::kennel::{NewBlock, Outcome};
use pitpet_chain::proof::LogProof;
use pitpet_chain::record;

use crate::Refused;

record! {
    /// All that is needed to decide a block again: the answer of `…/blocks/{height}/evidence`.
    pub struct Evidence {
        /// Canonical genesis of the kennel, which its id is the hash of.
        pub genesis: Bytes,
        /// The kennel's state after an earlier block: a canonical snapshot. None: begin at the genesis.
        pub snapshot: Option<Bytes>,
        /// The rules that decided that block, or the genesis's: only their module opens it.
        pub rules: RulesHash,
        /// The blocks from there to the one before, in order.
        pub before: Vec<Bytes>,
        /// The block.
        pub block: Bytes,
        /// Its place in the checkpoint's log.
        pub log_proof: LogProof,
        /// The newest checkpoint, a C2SP signed note.
        pub checkpoint: String,
    }
}

/// What can be said of a block before it is decided again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The rules that decide it.
    pub rules: RulesHash,
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// The block before it.
    pub parent: BlockHash,
    /// Its timestamp, ms since the Unix epoch.
    pub timestamp_ms: u64,
    /// How many events it holds.
    pub event_count: u64,
    /// Blocks in the checkpoint's log.
    pub log_size: u64,
    /// Its root.
    pub log_root: Digest32,
}

fn unsound(detail: impl Into<String>) -> Refused {
    Refused::new("unsound", detail)
}

fn read<T: Canonical>(what: &str, bytes: &[u8]) -> Result<T, Refused> {
    decode(bytes).map_err(|_| {
        unsound(format!("{what} can't be read: its bytes are not in the one form that is allowed"))
    })
}

/// Reads the evidence.
///
/// # Errors
/// If it is not in canonical form.
pub fn evidence(bytes: &[u8]) -> Result<Evidence, Refused> {
    read("What the server sent", bytes)
}

/// The log's size and root that a checkpoint signs.
///
/// # Errors
/// If the signature is not by the genesis's key, or the note is not of this kennel.
pub fn checkpoint(genesis: &Genesis, note: &str) -> Result<(u64, Digest32), Refused> {
    use base64::Engine as _;
    let kennel = genesis.kennel().to_string();
    let bad = |why: String| unsound(format!("the checkpoint: {why}"));
    let key = VerifyingKey::from_bytes(&genesis.checkpoint.0).map_err(|_| bad("its key is no key".into()))?;
    let verifier = signed_note::StandardVerifier::new(&signed_note::new_ed25519_verifier_key(&kennel, &key))
        .map_err(|error| bad(error.to_string()))?;
    let note = signed_note::Note::from_bytes(note.as_bytes()).map_err(|error| bad(error.to_string()))?;
    note.verify(&signed_note::VerifierList::new(vec![Box::new(verifier)]))
        .map_err(|_| bad("it is not signed by the kennel's key".into()))?;
    let text = std::str::from_utf8(note.text()).map_err(|_| bad("it is no text".into()))?;
    let mut lines = text.lines();
    let (origin, size, root) = (lines.next(), lines.next(), lines.next());
    if origin != Some(&*kennel) {
        return Err(bad("it is another kennel's".into()));
    }
    let size = size.and_then(|size| size.parse().ok()).ok_or_else(|| bad("it has no size".into()))?;
    let root = root
        .and_then(|root| base64::engine::general_purpose::STANDARD.decode(root).ok())
        .and_then(|root| root.try_into().ok())
        .ok_or_else(|| bad("it has no root".into()))?;
    Ok((size, root))
}

impl Evidence {
    /// Checks what needs no state: that the genesis is the kennel's, the checkpoint is signed by
    /// its key, and the block's hash is in the checkpoint's log.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self, kennel: &KennelId, height: u64) -> Result<Claims, Refused> {
        let genesis: Genesis = read("The genesis", &self.genesis.0)?;
        if genesis.kennel() != *kennel {
            return Err(unsound("the genesis is another kennel's"));
        }
        let block: Block = read("The block", &self.block.0)?;
        let header = &block.header;
        if header.kennel != *kennel || header.height != height || self.log_proof.height != height {
            return Err(unsound("the server sent another block than was asked for"));
        }
        let (log_size, root) = checkpoint(&genesis, &self.checkpoint)?;
        let hash = header.hash();
        if self.log_proof.size != log_size || !self.log_proof.check(&root, &hash) {
            return Err(unsound(format!(
                "the block is not in the signed log: its header hashes to {hash}, which no path leads from to the \
                 root that the checkpoint signs"
            )));
        }
        Ok(Claims {
            rules: header.rules_hash,
            height,
            hash,
            parent: header.parent,
            timestamp_ms: header.timestamp_ms,
            event_count: block.events.len() as u64,
            log_size,
            log_root: root,
        })
    }

    /// Input of the chain module's `open`; the module is that of [`Evidence::rules`].
    pub fn start(&self) -> Vec<u8> {
        let genesis = self.snapshot.is_none().then(|| self.genesis.clone());
        encode(&Start { rules_hash: self.rules, genesis, snapshot: self.snapshot.clone() })
    }

    /// Inputs of the chain module's `replay`, up to the block before, each with the rules that the
    /// block names; the signatures of its events were checked by whoever checked those blocks.
    ///
    /// Where the rules are others than those before, their module takes over: see [`take_over`].
    ///
    /// # Errors
    /// If a block can't be read.
    pub fn replays(&self) -> Result<Vec<(RulesHash, Vec<u8>)>, Refused> {
        let replay = |bytes: &Bytes| {
            let block: Block = read("A block before", &bytes.0)?;
            Ok((block.header.rules_hash, encode(&Replay { signatures: false, block: bytes.clone() })))
        };
        self.before.iter().map(replay).collect()
    }

    /// Input of the chain module's `replay` for the block itself, all signatures checked.
    pub fn last_replay(&self) -> Vec<u8> {
        encode(&Replay { signatures: true, block: self.block.clone() })
    }

    /// Input of the chain module's `apply` that decides the block's events anew.
    ///
    /// # Errors
    /// If the block can't be read.
    pub fn batch(&self) -> Result<Vec<u8>, Refused> {
        let block: Block = read("The block", &self.block.0)?;
        let messages = block.events.iter().map(|event| vec![event.clone()]).collect();
        Ok(encode(&Batch { timestamp_ms: block.header.timestamp_ms, messages }))
    }
}

/// Input of the next chain module's `open`: the rules before end with their module's snapshot, and
/// these go on, which the rules before must have decided.
pub fn take_over(rules_hash: RulesHash, snapshot: &[u8]) -> Vec<u8> {
    encode(&Start { rules_hash, genesis: None, snapshot: Some(Bytes(snapshot.to_vec())) })
}

/// Hash of the head that the chain module's `open` answers with; with it the genesis block, if
/// the kennel was founded.
///
/// # Errors
/// If the answer can't be read.
pub fn opened(answer: &[u8]) -> Result<(BlockHash, Option<Vec<u8>>), Refused> {
    let opened: Opened = read("The module's answer", answer)?;
    Ok((opened.head.hash, opened.block.map(|block| block.bytes.0)))
}

/// Hash of the head that the chain module's `replay` answers with.
///
/// # Errors
/// If the answer can't be read.
pub fn replayed(answer: &[u8]) -> Result<BlockHash, Refused> {
    let block: NewBlock = read("The module's answer", answer)?;
    Ok(block.head.hash)
}

/// The block that the chain module's `apply` answers with, and a line for each event that it refused.
///
/// # Errors
/// If the answer can't be read.
pub fn decided(answer: &[u8]) -> Result<(Option<Vec<u8>>, Vec<String>), Refused> {
    let outcome: Outcome = read("The module's answer", answer)?;
    let refused = outcome
        .rejects
        .iter()
        .map(|at| format!("event {}: the rules refuse it: {}", at.message, at.reject.name()))
        .collect();
    Ok((outcome.block.map(|block| block.bytes.0), refused))
}

/// One line for each thing that differs between the block shown and the block computed.
///
/// # Errors
/// If one of them can't be read.
pub fn differences(shown: &[u8], computed: &[u8]) -> Result<Vec<String>, Refused> {
    let (shown, computed): (Block, Block) =
        (read("The block", shown)?, read("The computed block", computed)?);
    let mut lines = Vec::new();
    header_differences(&shown.header, &computed.header, &mut lines);
    list("event", &shown.events, &computed.events, &mut lines, |bytes| {
        SignedEvent::read(bytes)
            .map_or_else(|_| "unreadable".to_owned(), |signed| format!("{:?}", signed.event))
    });
    list("receipt", &shown.receipts, &computed.receipts, &mut lines, words::<Receipt>);
    list("death", &shown.deaths, &computed.deaths, &mut lines, words::<Death>);
    if shown.summary != computed.summary {
        lines.push(difference(
            "summary",
            &words::<Summary>(&shown.summary.0),
            &words::<Summary>(&computed.summary.0),
        ));
    }
    Ok(lines)
}

fn words<T: Canonical + std::fmt::Debug>(bytes: &[u8]) -> String {
    decode::<T>(bytes).map_or_else(|_| "unreadable".to_owned(), |record| format!("{record:?}"))
}

fn header_differences(shown: &Header, computed: &Header, lines: &mut Vec<String>) {
    macro_rules! compare {
        ($($field:ident),*) => {$(
            if shown.$field != computed.$field {
                lines.push(difference(
                    concat!("header, ", stringify!($field)),
                    &plain(&shown.$field),
                    &plain(&computed.$field),
                ));
            }
        )*};
    }
    compare!(
        version,
        kennel,
        height,
        age,
        timestamp_ms,
        parent,
        events_root,
        receipts_root,
        state_root,
        history_root,
        rules_hash,
        sealer
    );
}

/// A header's field: digests in hexadecimal, everything else as it is.
fn plain<T: Canonical + std::fmt::Debug>(value: &T) -> String {
    match encode(value).as_slice() {
        [0x58, 0x20, digest @ ..] => hex::encode(digest),
        _ => format!("{value:?}"),
    }
}

fn list(
    what: &str,
    shown: &[Bytes],
    computed: &[Bytes],
    lines: &mut Vec<String>,
    words: impl Fn(&[u8]) -> String,
) {
    for at in 0..shown.len().max(computed.len()) {
        match (shown.get(at), computed.get(at)) {
            (Some(shown), Some(computed)) if shown != computed => {
                lines.push(difference(&format!("{what} {at}"), &words(&shown.0), &words(&computed.0)));
            }
            (Some(shown), None) => lines.push(format!("{what} {at}: shown only: {}", words(&shown.0))),
            (None, Some(computed)) => {
                lines.push(format!("{what} {at}: computed only: {}", words(&computed.0)))
            }
            _ => {}
        }
    }
}

/// What differs, without the parts that both have: common beginnings and ends up to a few words.
fn difference(what: &str, shown: &str, computed: &str) -> String {
    const AROUND: usize = 40;
    let (a, b): (Vec<char>, Vec<char>) = (shown.chars().collect(), computed.chars().collect());
    let start = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let common_end = a[start..].iter().rev().zip(b[start..].iter().rev()).take_while(|(a, b)| a == b).count();
    let from = start.saturating_sub(AROUND);
    let part = |text: &[char]| {
        let to = (text.len() - common_end + AROUND / 2).min(text.len());
        let part: String = text[from..to].iter().collect();
        format!("{}{part}{}", if from > 0 { "…" } else { "" }, if to < text.len() { "…" } else { "" })
    };
    format!("{what}: shown {}; computed {}", part(&a), part(&b))
}
