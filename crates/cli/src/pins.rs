//! What a client remembers of kennels, so that no server can swap or shorten one unnoticed.
//!
//! Kept as JSON in one small file beside the keys; nothing in it is secret. Deliberately absent:
//! a proof that a longer log extends the remembered one, which `verify` gives by running it all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pitpet_pipeline::checkpoint::Claim;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::kennel::{Head, Kennel};
use crate::keys::write_atomically;

/// Name of the file.
pub const FILE: &str = "known-kennels.json";

/// The remembered kennels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    /// By server and label: the kennel's id.
    labels: BTreeMap<String, String>,
    /// By kennel id: the highest checkpoint seen.
    heads: BTreeMap<String, KnownHead>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownHead {
    size: u64,
    root: String,
}

/// The memory: in a file, or for this process only.
#[derive(Debug)]
pub struct Pins {
    path: Option<PathBuf>,
    known: Known,
}

impl Pins {
    /// Remembers nothing beyond this process.
    pub fn in_memory() -> Self {
        Self { path: None, known: Known::default() }
    }

    /// Reads the file in a directory; none is there before the first use.
    ///
    /// # Errors
    /// [`Failure::Usage`] if it is there and can't be read.
    pub fn open(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join(FILE);
        let known = load(&path)?;
        Ok(Self { path: Some(path), known })
    }

    /// Takes a server's word for which kennel a label means, the first time, and holds it to that.
    ///
    /// # Errors
    /// [`Failure::Invalid`] if it meant another kennel before.
    pub fn check_label(&mut self, server: &str, kennel: &Kennel) -> Result<(), Failure> {
        let (place, id) = (format!("{server} {}", kennel.label), kennel.id.to_string());
        match self.known.labels.get(&place) {
            Some(known) if *known == id => Ok(()),
            Some(known) => Err(Failure::Invalid(format!(
                "{server} showed another kennel as `{}` before:\n  then {known}\n  now  {id}\n  \
                 If you know why (its ledger was set up anew), remove its line from {}.",
                kennel.label,
                self.path.as_ref().map_or(FILE.into(), |path| path.display().to_string()),
            ))),
            None => {
                self.known.labels.insert(place, id);
                self.save()
            }
        }
    }

    /// The blocks that the kennel is known to have: what an answer to a question asked from now
    /// on must reach.
    pub fn floor(&self, kennel: &Kennel) -> u64 {
        self.known.heads.get(&kennel.id.to_string()).map_or(0, |head| head.size)
    }

    /// The highest checkpoint seen of each kennel, by id; none of a kennel that is known by its
    /// label only.
    pub fn remembered(&self) -> BTreeMap<String, Option<Claim>> {
        let by_label = self.known.labels.values().map(|id| (id.clone(), None));
        let seen = self.known.heads.iter().map(|(id, head)| {
            let mut root = [0; 32];
            let is_root = hex::decode_to_slice(&head.root, &mut root).is_ok();
            (id.clone(), is_root.then_some(Claim { size: head.size, root }))
        });
        by_label.chain(seen).collect()
    }

    /// Holds a checkpoint against what was known when the question was asked, and remembers it.
    ///
    /// # Errors
    /// [`Failure::Invalid`] if the log is shorter than `floor`, or has another root at the
    /// remembered size.
    pub fn check_head(&mut self, kennel: &Kennel, floor: u64, head: Head) -> Result<(), Failure> {
        if head.size < floor {
            return Err(Failure::Invalid(format!(
                "kennel {} has lost blocks: its checkpoint holds {}, {floor} were seen before",
                kennel.label, head.size
            )));
        }
        // Another process may have seen more meanwhile.
        if let Some(path) = &self.path {
            for (id, other) in load(path)?.heads {
                let ours = self.known.heads.entry(id).or_insert_with(|| other.clone());
                if other.size > ours.size {
                    *ours = other;
                }
            }
        }
        let id = kennel.id.to_string();
        let seen = KnownHead { size: head.size, root: hex::encode(head.root) };
        match self.known.heads.get(&id) {
            Some(known) if known.size == seen.size && known.root != seen.root => {
                Err(Failure::Invalid(format!(
                    "kennel {} shows two histories: at {} blocks its root was {} and is {}.\n  \
                     Keep both checkpoints: together they prove it.",
                    kennel.label, seen.size, known.root, seen.root
                )))
            }
            Some(known) if known.size >= seen.size => Ok(()),
            _ => {
                self.known.heads.insert(id, seen);
                self.save()
            }
        }
    }

    fn save(&self) -> Result<(), Failure> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut text = serde_json::to_vec_pretty(&self.known).expect("maps of strings are JSON");
        text.push(b'\n');
        write_atomically(path, &text)
    }
}

fn load(path: &Path) -> Result<Known, Failure> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Known::default()),
        Err(error) => Err(Failure::usage(format!("{}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pitpet_chain::genesis::{Genesis, Parameters};
    use pitpet_chain::hash::{BlockHash, PublicKey};

    fn kennel(random: u8) -> Kennel {
        let key = PublicKey([1; 32]);
        let genesis = Genesis {
            version: 1,
            parameters: Parameters::CLASSIC,
            operator: key,
            house: key,
            moderators: vec![],
            witnesses: vec![],
            threshold: 0,
            checkpoint: key,
            created_ms: 1,
            random: [random; 32],
        };
        let id = genesis.kennel();
        Kennel { id, label: "town".into(), genesis, anchor: BlockHash([0; 32]), free_places: 1 }
    }

    fn head(size: u64, root: u8) -> Head {
        Head { size, root: [root; 32] }
    }

    #[test]
    fn a_shorter_log_and_another_root_are_refused_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let kennel = kennel(1);
        let mut pins = Pins::open(dir.path()).unwrap();
        assert_eq!(pins.floor(&kennel), 0);
        pins.check_head(&kennel, 0, head(5, 1)).unwrap();
        let mut pins = Pins::open(dir.path()).unwrap();
        let floor = pins.floor(&kennel);
        assert_eq!(floor, 5);
        assert!(pins.check_head(&kennel, floor, head(4, 1)).unwrap_err().to_string().contains("lost blocks"));
        assert!(
            pins.check_head(&kennel, floor, head(5, 2)).unwrap_err().to_string().contains("two histories")
        );
        pins.check_head(&kennel, floor, head(5, 1)).unwrap();
        pins.check_head(&kennel, floor, head(6, 3)).unwrap();
        assert_eq!(Pins::open(dir.path()).unwrap().floor(&kennel), 6);
    }

    #[test]
    fn answers_may_overtake_each_other() {
        let kennel = kennel(1);
        let mut pins = Pins::in_memory();
        let floor = pins.floor(&kennel);
        pins.check_head(&kennel, floor, head(9, 1)).unwrap();
        pins.check_head(&kennel, floor, head(7, 2)).unwrap();
        assert_eq!(pins.floor(&kennel), 9);
    }

    #[test]
    fn a_label_means_one_kennel() {
        let dir = tempfile::tempdir().unwrap();
        let mut pins = Pins::open(dir.path()).unwrap();
        pins.check_label("http://a", &kennel(1)).unwrap();
        pins.check_label("http://b", &kennel(2)).unwrap();
        let mut pins = Pins::open(dir.path()).unwrap();
        pins.check_label("http://a", &kennel(1)).unwrap();
        assert_eq!(pins.check_label("http://a", &kennel(2)).unwrap_err().exit_code(), 1);
    }

    #[test]
    fn two_processes_add_up() {
        let dir = tempfile::tempdir().unwrap();
        let kennel = kennel(1);
        let (mut one, mut two) = (Pins::open(dir.path()).unwrap(), Pins::open(dir.path()).unwrap());
        one.check_head(&kennel, 0, head(9, 1)).unwrap();
        two.check_head(&kennel, 0, head(8, 1)).unwrap();
        assert_eq!(Pins::open(dir.path()).unwrap().floor(&kennel), 9);
        assert!(two.check_head(&kennel, 0, head(9, 2)).is_err());
    }
}
