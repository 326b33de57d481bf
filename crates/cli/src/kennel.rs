//! A kennel as a client knows it: its genesis, which its id is the hash of, and what follows.
//!
//! Everything that a server says of a kennel beside the genesis (head, label, anchor) is hearsay
//! until a checkpoint or a proof shows it; the checks are here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::VerifyingKey;
use pitpet_chain::block::{Header, Receipt};
use pitpet_chain::codec::{Canonical, decode};
use pitpet_chain::event::SignedEvent;
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{BlockHash, Digest32, EventId, KennelId, PublicKey};
use pitpet_chain::proof::{EventProof, LogProof};
use pitpet_pipeline::api::{EventView, KennelView};
use signed_note::{Note, StandardVerifier, VerifierList, new_ed25519_verifier_key};
use tlog_tiles::Checkpoint;

use crate::failure::Failure;

/// A kennel whose id has been checked against its genesis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kennel {
    /// Its id.
    pub id: KennelId,
    /// Its short name on the server that was asked.
    pub label: String,
    /// What it is founded on.
    pub genesis: Genesis,
    /// What a birth should be bound to.
    pub anchor: BlockHash,
    /// Places for births, as the server says.
    pub free_places: u32,
}

/// A signed head of a kennel's block log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Blocks in the log: the head's height + 1.
    pub size: u64,
    /// RFC 6962 root over their hashes.
    pub root: Digest32,
}

/// What a mined event's proof has shown.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The event's block.
    pub header: Header,
    /// The event.
    pub event: SignedEvent,
    /// What it did.
    pub receipt: Receipt,
    /// The checkpoint that the proof ends in.
    pub head: Head,
}

impl Kennel {
    /// Reads what the server says and checks that the id is that of the genesis.
    ///
    /// # Errors
    /// [`Failure::Invalid`] if it isn't; [`Failure::Unreachable`] if it makes no sense.
    pub fn from_view(view: &KennelView) -> Result<Self, Failure> {
        let genesis: Genesis = canonical("genesis", &view.genesis)?;
        let id = genesis.kennel();
        if id.to_string() != view.id {
            return Err(Failure::Invalid(format!(
                "the server's genesis of kennel {} is that of kennel {id}",
                view.id
            )));
        }
        let anchor = view.anchor.parse().map_err(|_| nonsense("anchor"))?;
        Ok(Self { id, label: view.label.clone(), genesis, anchor, free_places: view.free_places })
    }

    /// Checks a C2SP checkpoint: origin and key name are the kennel's id, the key is the genesis's.
    ///
    /// # Errors
    /// [`Failure::Invalid`].
    pub fn check_checkpoint(&self, note: &str) -> Result<Head, Failure> {
        self.check_checkpoint_by(&self.genesis.checkpoint, note)
    }

    /// Checks a C2SP checkpoint that must be signed by this key, which may be another than the
    /// genesis's.
    ///
    /// # Errors
    /// [`Failure::Invalid`].
    pub fn check_checkpoint_by(&self, key: &PublicKey, note: &str) -> Result<Head, Failure> {
        let origin = self.id.to_string();
        let invalid = |why: String| Failure::Invalid(format!("checkpoint of kennel {}: {why}", self.label));
        let key = VerifyingKey::from_bytes(&key.0).map_err(|_| invalid(format!("{key} is no key")))?;
        let verifier = StandardVerifier::new(&new_ed25519_verifier_key(&origin, &key))
            .map_err(|error| invalid(error.to_string()))?;
        let note = Note::from_bytes(note.as_bytes()).map_err(|error| invalid(error.to_string()))?;
        note.verify(&VerifierList::new(vec![Box::new(verifier)]))
            .map_err(|error| invalid(error.to_string()))?;
        let checkpoint = Checkpoint::from_bytes(note.text()).map_err(|error| invalid(error.to_string()))?;
        if checkpoint.origin() != origin {
            return Err(invalid(format!("its origin is {}", checkpoint.origin())));
        }
        Ok(Head { size: checkpoint.size(), root: checkpoint.hash().0 })
    }

    /// Checks that an event was mined where the server says: signature, inclusion in the block,
    /// inclusion of the block in the checkpoint's log, and the checkpoint itself.
    ///
    /// # Errors
    /// [`Failure::Invalid`] if the proof is missing or doesn't show it.
    pub fn check_mined(&self, id: &EventId, view: &EventView) -> Result<Proven, Failure> {
        let invalid = |why: &str| Failure::Invalid(format!("event {id}: {why}"));
        let place = view.place.as_ref().ok_or_else(|| invalid("the server names no block"))?;
        let shown = place.proof.as_ref().ok_or_else(|| invalid("the server gave no proof"))?;
        let proof: EventProof = canonical("proof", &shown.proof)?;
        let log_proof: LogProof = canonical("log_proof", &shown.log_proof)?;
        let (header, event, receipt) = proof.check(&self.id).map_err(|error| invalid(&error.to_string()))?;
        if event.id != *id {
            return Err(invalid("the proof is about another event"));
        }
        if header.height != place.height || header.height != log_proof.height {
            return Err(invalid("the proof is about another block"));
        }
        let head = self.check_checkpoint(&shown.checkpoint)?;
        if head.size != log_proof.size || !log_proof.check(&head.root, &header.hash()) {
            return Err(invalid("its block is not in the checkpoint's log"));
        }
        Ok(Proven { header, event, receipt, head })
    }
}

fn nonsense(field: &str) -> Failure {
    Failure::Unreachable(format!("the server's answer makes no sense: {field}"))
}

/// Decodes a canonical value from base64.
pub(crate) fn canonical<T: Canonical>(field: &str, text: &str) -> Result<T, Failure> {
    let bytes = BASE64.decode(text).map_err(|_| nonsense(field))?;
    decode(&bytes).map_err(|_| nonsense(field))
}
