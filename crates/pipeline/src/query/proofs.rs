//! Proofs that end in a checkpoint.

use std::collections::HashMap;
use std::sync::Mutex;

use pitpet_chain::abi::Question;
use pitpet_chain::codec::{decode, encode};
use pitpet_chain::hash::BirthHash;
use pitpet_chain::proof::{LogProof, StateProof};
use pitpet_chain::state::StateKey;
use tlog_tiles::tlog::{self, Hash, HashReader, prove_record, split_stored_hash_index};

use super::{Queries, base64_of, parse_id};
use crate::api::{Problem, ProofView};
use crate::checkpoint;
use crate::head::{CommittedHead, Founding, LedgerError, damaged, split_nodes};
use crate::items::{self, Fields};
use crate::problem::{not_found, unavailable};

/// Asked for nodes, it notes which; given them, it hands them out.
#[derive(Default)]
struct Nodes {
    wanted: Mutex<Vec<u64>>,
    known: HashMap<u64, Hash>,
}

impl HashReader for Nodes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        let mut wanted = self.wanted.lock().expect("no panic while the list is locked");
        Ok(indexes
            .iter()
            .map(|index| {
                self.known.get(index).copied().unwrap_or_else(|| {
                    wanted.push(*index);
                    Hash([0; 32])
                })
            })
            .collect())
    }
}

impl Queries {
    /// Proves a block's place under the newest checkpoint; none if that checkpoint
    /// doesn't reach the block yet.
    pub(super) async fn log_proof(
        &self,
        founding: &Founding,
        height: u64,
    ) -> Result<Option<(LogProof, String)>, LedgerError> {
        let head = self.head(founding).await?;
        let note = head.checkpoint;
        let claim = checkpoint::check(&note, &founding.kennel, &founding.genesis.checkpoint)
            .map_err(|error| LedgerError::Damaged(error.to_string()))?;
        if height >= claim.size {
            return Ok(None);
        }
        let mut nodes = Nodes::default();
        prove_record(claim.size, height, &nodes).map_err(|_| damaged("the block log"))?;
        let wanted = nodes.wanted.take_all();
        nodes.known = self.log_nodes(founding, &wanted).await?;
        let proof = prove_record(claim.size, height, &nodes).map_err(|_| damaged("the block log"))?;
        let path = proof.into_iter().map(|Hash(hash)| hash).collect();
        Ok(Some((LogProof { height, size: claim.size, path }, note)))
    }

    /// Reads nodes of the block log from the tracks of the blocks that completed them, also of the tail's.
    async fn log_nodes(
        &self,
        founding: &Founding,
        wanted: &[u64],
    ) -> Result<HashMap<u64, Hash>, LedgerError> {
        let places: Vec<(usize, u64)> = wanted
            .iter()
            .map(|index| {
                let (level, n) = split_stored_hash_index(*index);
                (usize::from(level), ((n + 1) << level) - 1)
            })
            .collect();
        let keys: Vec<_> = places.iter().map(|(_, height)| items::track(&founding.kennel, *height)).collect();
        let mut known = HashMap::new();
        let mut tracks = Vec::new();
        for chunk in keys.chunks(100) {
            let mut chunk = chunk.to_vec();
            chunk.dedup();
            let found = self.table.get_many(&chunk).await?;
            tracks.extend(chunk.into_iter().zip(found));
        }
        let tracks: HashMap<_, _> = tracks.into_iter().collect();
        for ((index, (level, _)), key) in wanted.iter().zip(&places).zip(&keys) {
            let track =
                tracks.get(key).and_then(Option::as_ref).ok_or_else(|| damaged("a track is missing"))?;
            let nodes = split_nodes(track.bytes("nodes")?);
            known.insert(*index, Hash(*nodes.get(*level).ok_or_else(|| damaged("a track"))?));
        }
        Ok(known)
    }

    /// Proves what the state of a kennel holds for a pet: its record, or that there is none.
    ///
    /// # Errors
    /// A problem. Without `kennel` a pet that no read side knows can't be proven absent: 404.
    pub async fn pet_proof(&self, birth: &str, kennel: Option<&str>) -> Result<ProofView, Problem> {
        let birth: BirthHash = parse_id("birth", birth)?;
        let founding = match kennel {
            Some(name) => self.founding(name).await?,
            None => match self.pet_card(&birth).await {
                Ok(card) => self.foundings.get(&card.kennel).await?,
                Err(problem) if problem.status == 404 => {
                    return Err(not_found(
                        "such pet; name a kennel (?kennel=) to get a proof of its absence",
                        "birth",
                    ));
                }
                Err(problem) => return Err(problem),
            },
        };
        let (proof, head) = self.state_proof(&founding, StateKey::Pet(birth)).await?;
        let (log_proof, checkpoint) = self
            .log_proof(&founding, head.height)
            .await?
            .ok_or_else(|| unavailable(&"the checkpoint does not reach the replica"))?;
        Ok(ProofView {
            proof: base64_of(&encode(&proof)),
            log_proof: base64_of(&encode(&log_proof)),
            checkpoint,
        })
    }

    /// Proves a record at the newest head, from a replica.
    async fn state_proof(
        &self,
        founding: &Founding,
        key: StateKey,
    ) -> Result<(StateProof, CommittedHead), Problem> {
        let head = self.head(founding).await?;
        let mut replica = self.replicas.take(founding, &head).await?;
        let (kind, id) = key.parts();
        let answer = replica.instance.ask(&encode(&Question { kind, id })).map_err(LedgerError::from)?;
        self.replicas.put(founding.kennel, replica);
        let proof = decode(&answer).map_err(|_| damaged("a replica's answer"))?;
        Ok((proof, head))
    }
}

/// Takes all out of a locked list.
trait TakeAll<T> {
    fn take_all(&self) -> Vec<T>;
}

impl<T> TakeAll<T> for Mutex<Vec<T>> {
    fn take_all(&self) -> Vec<T> {
        std::mem::take(&mut self.lock().expect("no panic while the list is locked"))
    }
}
