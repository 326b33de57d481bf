//! The chain behind the line protocol: a `classic` kennel in which every block holds one event.
//!
//! The original's `spawnBlock` is a birth and its `addBlock` a post by the pet's owner. What the
//! protocol knows nothing of is left out of the parameters: proof of work, and the cost of a post.
//! Everything follows from the requests: keys from birth data, time from height. So a chain is
//! loaded by playing its requests again, and is genuine if every block comes out byte for byte.

use std::collections::BTreeMap;
use std::fmt;

use ed25519_dalek::SigningKey;
use pitpet_chain::body::commitment;
use pitpet_chain::codec::Bytes;
use pitpet_chain::event::{Event, Payload, VERSION};
use pitpet_chain::genesis::{Genesis, Parameters};
use pitpet_chain::hash::{AccountId, BirthHash, EventId, PublicKey, RulesHash, sha256};
use pitpet_chain::kennel::{Kennel, NewBlock};
use pitpet_chain::limits;
use pitpet_chain::reject::Reject;
use serde::{Deserialize, Serialize};

/// What the original's first block said.
pub const GENESIS_DATA: &str = "Initial Block in the Chain";

/// `data` and `birth_data` have at most as many bytes as the body of an event.
pub const DATA_BYTES_MAX: usize = limits::BODY_BYTES_MAX;

/// The chain as it is printed, once it stands as a string in a request to load it: bytes, 64 MiB.
pub const CHAIN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bodies hide nothing here: they are printed.
const SALT: [u8; 32] = [0; 32];

/// A block as it is printed: what the original's had, and what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Printed {
    /// Height.
    pub index: u64,
    /// Height again: the original counted.
    pub timestamp: u64,
    /// What was given.
    pub data: Vec<u8>,
    /// Whose block; of block 0 empty.
    pub birth_hash: String,
    /// What the request before was answered with; of block 0 empty.
    pub preceding_hash: String,
    /// What the request was answered with: the birth hash of a birth, else the block's hash.
    pub hash: String,
    /// Of a birth: what the pet's key is derived from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_data: Option<Vec<u8>>,
    /// The canonical block in hex, with the signed event.
    pub block: String,
}

/// Why a request changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The pet's life has ended.
    Dead,
    /// No birth has this hash.
    NotFound,
    /// The rules refuse it otherwise.
    Rules(Reject),
    /// A field has more bytes than it may.
    TooLong(&'static str, usize),
    /// The chain has as many bytes as it may.
    Full,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Dead => f.write_str("dead"),
            Refusal::NotFound => f.write_str("birth_hash not found in chain"),
            Refusal::Rules(reject) => {
                write!(f, "the rules refuse it: {} (field: {})", reject.name(), reject.field())
            }
            Refusal::TooLong(field, size) => {
                write!(f, "{field} has {size} bytes, at most {DATA_BYTES_MAX} are allowed")
            }
            Refusal::Full => {
                write!(f, "the chain is full: printed it would have more than {CHAIN_BYTES_MAX} bytes")
            }
        }
    }
}

/// The chain.
pub struct Ledger {
    kennel: Kennel,
    blocks: Vec<Printed>,
    /// Bytes of the printed chain once it is a string in JSON.
    bytes: usize,
    /// Of every pet ever born.
    pets: BTreeMap<BirthHash, Owned>,
}

/// What is known of a pet besides the chain.
struct Owned {
    key: SigningKey,
    data: Vec<Vec<u8>>,
}

fn genesis() -> Genesis {
    let nobody = PublicKey([0; 32]);
    Genesis {
        version: 1,
        parameters: Parameters { stamp_bits: 0, birth_bits: 0, post_cost: 0, ..Parameters::CLASSIC },
        operator: nobody,
        house: nobody,
        moderators: Vec::new(),
        witnesses: Vec::new(),
        threshold: 0,
        checkpoint: nobody,
        created_ms: 0,
        // The same in every process: what is signed here proves nothing anyway.
        random: sha256(GENESIS_DATA.as_bytes()),
    }
}

/// The key of a pet: SHA-256 over a tag, the account's number among those of the same birth data,
/// 8 bytes big-endian, and the birth data.
fn derived_key(birth_data: &[u8], number: u64) -> SigningKey {
    let seed = sha256(&[b"pitpet line protocol key\0", &number.to_be_bytes()[..], birth_data].concat());
    SigningKey::from_bytes(&seed)
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

fn measured(field: &'static str, bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.len() > DATA_BYTES_MAX { Err(Refusal::TooLong(field, bytes.len())) } else { Ok(()) }
}

impl Ledger {
    /// Begins a chain; its blocks carry this hash of the rules.
    pub fn new(rules: RulesHash) -> Self {
        let (kennel, block) =
            Kennel::found(genesis(), rules).expect("the line protocol's parameters are within their ranges");
        let mut ledger = Self { kennel, blocks: Vec::new(), bytes: 0, pets: BTreeMap::new() };
        let hash = block.head.hash.to_string();
        ledger.keep(&block, GENESIS_DATA.as_bytes(), String::new(), hash, None);
        ledger
    }

    /// Plays the requests of a printed chain again.
    ///
    /// # Errors
    /// Which block is not what the requests give.
    pub fn load(rules: RulesHash, chain: Vec<(String, Printed)>) -> Result<Self, String> {
        if chain.is_empty() {
            return Err("it has no block 0".to_owned());
        }
        let mut ledger = Self::new(rules);
        for (index, (name, given)) in chain.into_iter().enumerate() {
            if index > 0 {
                let made = match &given.birth_data {
                    Some(birth_data) => ledger.spawn(birth_data, &given.data),
                    None => ledger.add(&given.birth_hash, &given.data),
                };
                made.map_err(|refusal| format!("block {index}: {refusal}"))?;
            }
            let made = ledger.blocks.last().expect("block 0 is there");
            let differs = match () {
                () if name != made.hash => "the hash that it stands under",
                () if given.hash != made.hash => "hash",
                () if given.index != made.index => "index",
                () if given.timestamp != made.timestamp => "timestamp",
                () if given.preceding_hash != made.preceding_hash => "preceding_hash",
                () if given.birth_hash != made.birth_hash => "birth_hash",
                () if given.data != made.data => "data",
                () if given.block != made.block => "block",
                () => continue,
            };
            return Err(format!("block {index}: {differs} is not what the requests up to it give"));
        }
        Ok(ledger)
    }

    /// A pet is born; gives its birth hash.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn spawn(&mut self, birth_data: &[u8], data: &[u8]) -> Result<&str, Refusal> {
        measured("birth_data", birth_data)?;
        measured("data", data)?;
        // The original let pets of the same birth data live at once; an account has one that lives.
        let has_living = |key: &SigningKey| {
            let account = self.kennel.state().account(&AccountId::of(&public(key)));
            account.is_some_and(|account| account.pet.is_some())
        };
        let key = (0..).map(|number| derived_key(birth_data, number)).find(|key| !has_living(key));
        let key = key.expect("a kennel has a bounded number of living pets");
        let payload = Payload::Birth {
            photo: sha256(birth_data),
            body: commitment(&SALT, data),
            recovery: None,
            anchor: self.kennel.head().hash,
        };
        let (event, block) = self.mine(&key, payload, data.len() + birth_data.len())?;
        let birth = BirthHash::from(event);
        self.pets.insert(birth, Owned { key, data: vec![data.to_vec()] });
        Ok(self.keep(&block, data, birth.to_string(), birth.to_string(), Some(birth_data)))
    }

    /// The pet's owner posts; gives the block's hash.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn add(&mut self, birth_hash: &str, data: &[u8]) -> Result<&str, Refusal> {
        measured("data", data)?;
        let pet: BirthHash = birth_hash.parse().map_err(|_| Refusal::NotFound)?;
        let key = self.pets.get(&pet).ok_or(Refusal::NotFound)?.key.clone();
        let payload = Payload::Post { pet, photo: None, body: commitment(&SALT, data) };
        let (_, block) = self.mine(&key, payload, data.len())?;
        self.pets.entry(pet).and_modify(|owned| owned.data.push(data.to_vec()));
        let hash = block.head.hash.to_string();
        Ok(self.keep(&block, data, birth_hash.to_owned(), hash, None))
    }

    /// Ages that the pet has left, 0 for a dead one; none for an unknown one.
    pub fn remaining(&self, birth_hash: &str) -> Option<u64> {
        let pet = self.kennel.state().pet(&birth_hash.parse().ok()?)?;
        Some(pet.remaining(self.kennel.state().genesis().parameters.ttl, self.kennel.header().age))
    }

    /// The data of the pet's events, in order; none for an unknown one.
    pub fn events(&self, birth_hash: &str) -> Option<&[Vec<u8>]> {
        Some(&self.pets.get(&birth_hash.parse().ok()?)?.data)
    }

    /// The blocks, in order.
    pub fn blocks(&self) -> &[Printed] {
        &self.blocks
    }

    /// Makes a block of one event; `data_bytes` are those that will be printed beside it.
    fn mine(
        &mut self,
        key: &SigningKey,
        payload: Payload,
        data_bytes: usize,
    ) -> Result<(EventId, NewBlock), Refusal> {
        // A byte of data takes up to four in JSON, one of the block two; 1,024 for names and hashes.
        if self.bytes + 4 * data_bytes + 2 * limits::BLOCK_BYTES_MAX + 1_024 > CHAIN_BYTES_MAX {
            return Err(Refusal::Full);
        }
        let public_key = public(key);
        let height = self.kennel.header().height + 1;
        let event = Event {
            version: VERSION,
            kennel: *self.kennel.id(),
            account: AccountId::of(&public_key),
            key: public_key,
            nonce: height,
            expires_ms: height,
            payload,
            stamp: 0,
        };
        let messages = [vec![Bytes(event.sign(key))]];
        let outcome = self.kennel.apply(height, &messages).expect("time rises and one event is a batch");
        match (outcome.block, outcome.rejects.first()) {
            (Some(block), _) => Ok((event.id(), block)),
            (None, Some(rejected)) => Err(match rejected.reject {
                Reject::DeadPet => Refusal::Dead,
                reject => Refusal::Rules(reject),
            }),
            (None, None) => unreachable!("what is not accepted is rejected"),
        }
    }

    fn keep(
        &mut self,
        block: &NewBlock,
        data: &[u8],
        birth_hash: String,
        hash: String,
        birth_data: Option<&[u8]>,
    ) -> &str {
        let printed = Printed {
            index: block.head.height,
            timestamp: block.head.height,
            data: data.to_vec(),
            birth_hash,
            preceding_hash: self.blocks.last().map(|last| last.hash.clone()).unwrap_or_default(),
            hash,
            birth_data: birth_data.map(<[u8]>::to_vec),
            block: hex::encode(&block.bytes.0),
        };
        let json = serde_json::to_string(&printed).expect("a printed block is JSON");
        // Under its hash, with a comma; each quotation mark gets a backslash.
        self.bytes += json.len() + json.matches('"').count() + printed.hash.len() + 6;
        self.blocks.push(printed);
        &self.blocks[self.blocks.len() - 1].hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: RulesHash = RulesHash([1; 32]);

    /// Blocks under the hashes that they are printed under.
    type Named = Vec<(String, Printed)>;

    fn chain(ledger: &Ledger) -> Named {
        ledger.blocks().iter().map(|block| (block.hash.clone(), block.clone())).collect()
    }

    fn lived() -> Ledger {
        let mut ledger = Ledger::new(RULES);
        let pet = ledger.spawn(b"cat", b"born").unwrap().to_owned();
        ledger.spawn(b"dog", b"born too").unwrap();
        ledger.add(&pet, b"purr").unwrap();
        ledger
    }

    #[test]
    fn the_same_birth_data_may_live_twice_at_once_and_again_after_death() {
        let mut ledger = Ledger::new(RULES);
        let first = ledger.spawn(b"cat", b"").unwrap().to_owned();
        let second = ledger.spawn(b"cat", b"").unwrap().to_owned();
        assert_ne!(first, second);
        for n in 0..15 {
            ledger.add(&second, &[n]).unwrap();
        }
        assert_eq!(ledger.remaining(&first), Some(0));
        assert_eq!(ledger.add(&first, b""), Err(Refusal::Dead));
        let third = ledger.spawn(b"cat", b"").unwrap().to_owned();
        assert_eq!((ledger.remaining(&first), ledger.remaining(&third)), (Some(0), Some(15)));
        let owner = |hash: &str| ledger.kennel.state().pet(&hash.parse().unwrap()).unwrap().owner;
        assert_eq!(owner(&first), owner(&third), "the account restarts");
        assert_ne!(owner(&first), owner(&second));
    }

    #[test]
    fn what_is_too_long_is_refused_and_changes_nothing() {
        let mut ledger = Ledger::new(RULES);
        let long = vec![0; DATA_BYTES_MAX + 1];
        assert_eq!(ledger.spawn(&long, b""), Err(Refusal::TooLong("birth_data", 8193)));
        assert_eq!(ledger.spawn(b"", &long), Err(Refusal::TooLong("data", 8193)));
        let pet = ledger.spawn(&long[1..], &long[1..]).unwrap().to_owned();
        assert_eq!(ledger.add(&pet, &long), Err(Refusal::TooLong("data", 8193)));
        assert_eq!(ledger.blocks().len(), 2);
        ledger.bytes = CHAIN_BYTES_MAX - 2 * limits::BLOCK_BYTES_MAX;
        assert_eq!(ledger.add(&pet, b""), Err(Refusal::Full));
        assert_eq!(ledger.spawn(b"", b""), Err(Refusal::Full));
        assert_eq!(ledger.blocks().len(), 2);
    }

    #[test]
    fn the_count_of_bytes_is_that_of_the_string_to_load() {
        let ledger = lived();
        let blocks: Vec<String> = ledger
            .blocks()
            .iter()
            .map(|block| format!("{:?}:{}", block.hash, serde_json::to_string(block).unwrap()))
            .collect();
        let string = serde_json::to_string(&format!("{{{}}}", blocks.join(","))).unwrap();
        // Outer quotation marks and braces, less the comma that the last has not.
        assert_eq!(ledger.bytes, string.len() - 3);
    }

    #[test]
    fn a_chain_is_loaded_only_as_it_was_printed() {
        let sound = chain(&lived());
        let loaded = Ledger::load(RULES, sound.clone()).unwrap();
        assert_eq!(chain(&loaded), sound);
        assert!(Ledger::load(RulesHash([2; 32]), sound.clone()).is_err(), "other rules, other blocks");
        let refused = |change: &dyn Fn(&mut Named)| {
            let mut chain = sound.clone();
            change(&mut chain);
            Ledger::load(RULES, chain).err().expect("a forged chain")
        };
        assert_eq!(refused(&|chain| chain.clear()), "it has no block 0");
        let field = |error: String| error.split(" is not").next().unwrap().to_owned();
        assert_eq!(field(refused(&|chain| chain[0].1.data[0] ^= 1)), "block 0: data");
        assert_eq!(field(refused(&|chain| chain[3].1.timestamp += 1)), "block 3: timestamp");
        assert_eq!(field(refused(&|chain| chain[2].1.index += 1)), "block 2: index");
        assert_eq!(
            field(refused(&|chain| chain[1].0.replace_range(..1, "x"))),
            "block 1: the hash that it stands under"
        );
        assert_eq!(
            field(refused(&|chain| chain[3].1.data[0] ^= 1)),
            "block 3: the hash that it stands under"
        );
        assert_eq!(
            field(refused(&|chain| chain[2].1.birth_data = Some(b"dogs".to_vec()))),
            "block 2: the hash that it stands under"
        );
        assert_eq!(field(refused(&|chain| chain[3].1.block.replace_range(20..21, "x"))), "block 3: block");
        assert_eq!(field(refused(&|chain| chain[3].1.preceding_hash.clear())), "block 3: preceding_hash");
        assert_eq!(refused(&|chain| chain[3].1.birth_hash.clear()), "block 3: birth_hash not found in chain");
        assert!(refused(&|chain| drop(chain.remove(1))).starts_with("block 1: "));
    }
}
