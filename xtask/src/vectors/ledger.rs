//! A small kennel's whole life, told once: from it come the examples, the scripts and the proofs.

use std::collections::BTreeMap;

use ed25519_dalek::{Signer as _, SigningKey};
use pitpet_chain::abi::{Batch, Opened, Search, Start};
use pitpet_chain::body::{Body, commitment};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::{Event, Kind, Payload, ReplayClass, Verdict};
use pitpet_chain::genesis::{Genesis, Parameters};
use pitpet_chain::hash::{AccountId, BirthHash, BlockHash, EventId, KennelId, RulesHash, sha256};
use pitpet_chain::kennel::{NewBlock, Outcome};
use pitpet_chain::limits;
use pitpet_chain::mining::{Purpose, Statement, statement_bytes};
use pitpet_chain::reject::Reject;
use pitpet_chain_host::Operation;
use serde_json::Value;

use super::example::{example, key, public};
use super::script::{Recorder, Script};

/// When the kennel is founded: 2026-01-01T00:00:00Z.
const START_MS: u64 = 1_767_225_600_000;

/// Not a released module: vectors must not change when a module is pinned.
pub(crate) fn rules_hash() -> RulesHash {
    RulesHash(sha256(b"pitpet test vectors: rules"))
}

/// `classic` with a life of 3 ages and a minute of silence, so that the story is short.
pub(crate) const PARAMETERS: Parameters = Parameters { ttl: 3, idle_ms: 60_000, ..Parameters::CLASSIC };

/// The founding record.
pub(crate) fn genesis() -> Genesis {
    Genesis {
        version: 1,
        parameters: PARAMETERS,
        operator: public(&key("operator")),
        house: public(&key("house")),
        moderators: vec![public(&key("moderator"))],
        witnesses: vec![],
        threshold: 0,
        checkpoint: public(&key("checkpoint")),
        created_ms: START_MS,
        random: sha256(b"pitpet test vectors: random"),
    }
}

/// What the story leaves behind.
pub(crate) struct Ledger {
    /// The kennel.
    pub(crate) kennel: KennelId,
    /// Its blocks from genesis.
    pub(crate) blocks: Vec<NewBlock>,
    /// An example of each kind.
    pub(crate) examples: BTreeMap<Kind, Value>,
    /// The story as calls, ending in a snapshot.
    pub(crate) script: Script,
    /// Pets in the order of their births.
    pub(crate) pets: Vec<BirthHash>,
    /// The snapshot after the block at this height.
    pub(crate) midway: (usize, Vec<u8>),
}

struct Teller {
    recorder: Recorder,
    kennel: KennelId,
    blocks: Vec<NewBlock>,
    examples: BTreeMap<Kind, Value>,
    now_ms: u64,
    nonce: u64,
}

impl Teller {
    fn head(&self) -> BlockHash {
        self.blocks.last().expect("the genesis block is there").head.hash
    }

    /// A signed event of an account, by one of its keys.
    fn event_by(
        &mut self,
        name: &str,
        signer: &SigningKey,
        payload: Payload,
        body: Option<&(Body, [u8; 32])>,
    ) -> (Vec<u8>, EventId) {
        let nonce = match payload.kind().replay_class() {
            ReplayClass::Subject => 0,
            // An office's nonce is a time that has passed.
            ReplayClass::Office => {
                self.now_ms += 1;
                self.now_ms
            }
            ReplayClass::Nonce => {
                self.nonce += 1;
                self.nonce
            }
        };
        let mut event = Event {
            version: 1,
            kennel: self.kennel,
            account: AccountId::of(&public(&key(name))),
            key: public(signer),
            nonce,
            expires_ms: self.now_ms + 60 * 60 * 1000,
            payload,
            stamp: 0,
        };
        event.seal_stamp(&PARAMETERS);
        self.examples
            .entry(event.payload.kind())
            .or_insert_with(|| example(&event, signer, &PARAMETERS, body));
        (event.sign(signer), event.id())
    }

    fn event(&mut self, name: &str, payload: Payload) -> (Vec<u8>, EventId) {
        self.event_by(name, &key(name), payload, None)
    }

    fn bodied(
        &mut self,
        name: &str,
        body: Body,
        payload: impl FnOnce([u8; 32]) -> Payload,
    ) -> (Vec<u8>, EventId) {
        let salt = sha256(format!("pitpet test vectors: salt of {name} at {}", self.now_ms).as_bytes());
        let payload = payload(commitment(&salt, &body.encode()));
        self.event_by(name, &key(name), payload, Some(&(body, salt)))
    }

    fn birth(&mut self, name: &str, pet: &str, recovery: Option<&str>) -> (Vec<u8>, EventId) {
        let anchor = self.head();
        let recovery = recovery.map(|name| public(&key(name)));
        let photo = sha256(format!("pitpet test vectors: photo of {pet}").as_bytes());
        let body = Body::Birth { name: pet.to_owned(), story: "Found in a shoe box.".to_owned() };
        self.bodied(name, body, |body| Payload::Birth { photo, body, recovery, anchor })
    }

    /// Decides messages, which must give these rejects.
    fn block(&mut self, note: &str, messages: &[&[&(Vec<u8>, EventId)]], rejects: &[Reject]) {
        let messages = messages
            .iter()
            .map(|message| message.iter().map(|(event, _)| Bytes(event.clone())).collect())
            .collect();
        let batch = encode(&Batch { timestamp_ms: self.now_ms, messages });
        let answer = self.recorder.call(note, Operation::Apply, batch).expect("the batch is decided");
        let outcome: Outcome = decode(&answer).expect("an answer is canonical");
        let got: Vec<Reject> = outcome.rejects.iter().map(|at| at.reject).collect();
        assert_eq!(got, rejects, "{note}");
        self.blocks.extend(outcome.block);
        self.now_ms += 1000;
    }

    /// Has the module search a seal of the miner's.
    fn search(&mut self, note: &str, over: BlockHash, purpose: Purpose) -> u64 {
        let mut search = Search {
            kennel: self.kennel,
            over,
            account: AccountId::of(&public(&key("miner"))),
            purpose: purpose as u8,
            difficulty: PARAMETERS.difficulty_min(),
            first: 0,
            tries: limits::SEAL_TRIES_MAX,
        };
        loop {
            let answer = self.recorder.call(note, Operation::Seal, encode(&search)).expect("it is sound");
            let found: Option<u64> = decode(&answer).expect("an answer is canonical");
            if let Some(proof) = found {
                return proof;
            }
            search.first += search.tries;
        }
    }

    fn time(&mut self, note: &str) {
        self.now_ms += PARAMETERS.idle_ms;
        let parent = self.head();
        let time = self.event("house", Payload::Time { parent, statements: Vec::new() });
        self.block(note, &[&[&time]], &[]);
    }
}

/// Bob sells Rex's keepsake to ann, who bids more than he asks.
fn market(t: &mut Teller, cat: BirthHash, dog: BirthHash) {
    let until_ms = t.now_ms + 60 * 60 * 1000;
    let bob = key("bob's second");
    let offer = t.event_by("bob", &bob, Payload::Offer { pet: dog, price: 5, until_ms }, None);
    let bid = t.event("ann", Payload::Bid { pet: dog, price: 7, until_ms });
    let low = t.event("cat", Payload::Bid { pet: cat, price: 2, until_ms });
    t.block("an offer, a bid for it, and one for another", &[&[&offer], &[&bid, &low]], &[]);
    let cancel = t.event("cat", Payload::Cancel { order: low.1 });
    let wrong = t.event_by("bob", &bob, Payload::Take { order: bid.1, price: 5 }, None);
    let take = t.event_by("bob", &bob, Payload::Take { order: bid.1, price: 7 }, None);
    let late = t.event("cat", Payload::Take { order: offer.1, price: 5 });
    t.block(
        "one bid is cancelled, one taken; the offer ends with the sale",
        &[&[&cancel], &[&wrong, &take], &[&late]],
        &[Reject::WrongPrice, Reject::UnknownOrder],
    );
}

/// A seal of an age, a verdict, new keys, a decided upgrade, and time by majority.
fn offices_and_time(t: &mut Teller, post: EventId) {
    let momo = t.birth("ann", "Momo", None);
    t.block("ann starts again", &[&[&momo]], &[]);
    let over = t.head();
    let proof = t.search("a seal of this age", over, Purpose::Age);
    let seal = t.event("miner", Payload::Seal { over, proof, time: None });
    t.block("the age is sealed, once", &[&[&seal, &seal]], &[Reject::AlreadySealed]);

    let body = Body::Moderate { reason: "It shows somebody's door number.".to_owned() };
    let verdict = Verdict::Hide;
    let moderate = t.bodied("moderator", body, |body| Payload::Moderate { target: post, verdict, body });
    let witnesses = ["witness 0", "witness 1", "witness 2"].map(|name| public(&key(name))).to_vec();
    let (operator, moderators) = (public(&key("operator")), vec![public(&key("moderator"))]);
    let appoint = Payload::Appoint { operator, moderators, witnesses, threshold: 2 };
    let appoint = t.event("operator", appoint);
    let at_height = t.blocks.len() as u64 + 1_000;
    let upgrade = Payload::Upgrade { rules_hash: RulesHash([7; 32]), at_height };
    let upgrade = t.event("operator", upgrade);
    let forged = t.event("ann", Payload::Upgrade { rules_hash: RulesHash([7; 32]), at_height });
    t.block(
        "a verdict, new keys, and an upgrade that is far off",
        &[&[&moderate], &[&appoint, &upgrade], &[&forged]],
        &[Reject::NotOperator],
    );

    t.now_ms += PARAMETERS.idle_ms;
    let parent = t.head();
    let say = |witness: u8| Statement {
        witness,
        signature: key(&format!("witness {witness}"))
            .sign(&statement_bytes(&genesis().kennel(), &parent))
            .to_bytes(),
    };
    let few = t.event("house", Payload::Time { parent, statements: vec![say(1)] });
    let proof = t.search("a seal that mines time", parent, Purpose::Time);
    let time = Some(vec![say(0), say(2)]);
    let seal = t.event("miner", Payload::Seal { over: parent, proof, time });
    t.block("time by majority, and by a seal", &[&[&few], &[&seal]], &[Reject::TooFewStatements]);
}

/// Tells the story.
pub(crate) fn tell() -> Ledger {
    let mut recorder = Recorder::new("a kennel's life");
    let start = Start { rules_hash: rules_hash(), genesis: Some(Bytes(encode(&genesis()))), snapshot: None };
    let opened = recorder.call("found the kennel", Operation::Open, encode(&start)).expect("it is sound");
    let opened: Opened = decode(&opened).expect("an answer is canonical");
    let mut t = Teller {
        recorder,
        kennel: opened.kennel,
        blocks: opened.block.into_iter().collect(),
        examples: BTreeMap::new(),
        now_ms: START_MS + 1000,
        nonce: 0,
    };

    let mimi = t.birth("ann", "Mimi", Some("ann's recovery"));
    let rex = t.birth("bob", "Rex", None);
    t.block("two births in two messages", &[&[&mimi], &[&rex]], &[]);
    let pet = BirthHash::from(mimi.1);
    let dog = BirthHash::from(rex.1);

    let body = Body::Post { text: "Sun on the sill.".to_owned(), tags: vec!["nap".to_owned()] };
    let post = t.bodied("ann", body, |body| Payload::Post { pet, photo: None, body });
    t.block("a post", &[&[&post]], &[]);

    let pat = t.event("bob", Payload::Pat { post: post.1 });
    let share = t.event("bob", Payload::Share { post: post.1 });
    let body = Body::Comment { text: "So warm!".to_owned() };
    let comment = t.bodied("cat", body, |body| Payload::Comment { post: post.1, body });
    let own = t.event("ann", Payload::Pat { post: post.1 });
    let lost = t.event("ann", Payload::Pat { post: EventId([0; 32]) });
    t.block(
        "pat, share, comment, and three rejects",
        &[&[&pat, &pat], &[&share, &own, &comment], &[&lost]],
        &[Reject::AlreadyDone, Reject::OwnPet, Reject::UnknownPost],
    );
    t.time("the house mines time; Rex dies");

    let end = t.event("anyone", Payload::StoryEnd { pet: dog });
    t.block("Rex's story ends", &[&[&end]], &[]);
    let keep = t.event("bob", Payload::Keepsake { pet: dog });
    t.block("bob keeps it", &[&[&keep]], &[]);
    let midway = t.recorder.call("the state midway", Operation::Snapshot, Vec::new()).expect("it is open");
    let midway = (t.blocks.len() - 1, midway);

    let gift = t.event("bob", Payload::Gift { pet, amount: 3 });
    let transfer = t.event("bob", Payload::Transfer { to: AccountId::of(&public(&key("cat"))), amount: 2 });
    t.block("treats move", &[&[&gift], &[&transfer]], &[]);
    let new_key = public(&key("bob's second"));
    let rekey = t.event("bob", Payload::Rekey { new_key, recovery: Some(public(&key("bob's recovery"))) });
    t.block("bob replaces his key", &[&[&rekey]], &[]);

    let stale = t.birth("bob", "Rex the Second", None);
    let anchor = t.head();
    let rebirth = Payload::Birth { photo: [8; 32], body: [9; 32], recovery: None, anchor };
    let rebirth = t.event_by("bob", &key("bob's second"), rebirth, None);
    t.block("bob starts again, by his new key only", &[&[&stale, &rebirth]], &[Reject::WrongKey]);

    let expired = {
        let now_ms = std::mem::replace(&mut t.now_ms, START_MS - 60 * 60 * 1000);
        let event = t.event("ann", Payload::Post { pet, photo: None, body: [1; 32] });
        t.now_ms = now_ms;
        event
    };
    let mut forged = t.event("ann", Payload::Post { pet, photo: None, body: [2; 32] });
    *forged.0.last_mut().expect("it has a signature") ^= 1;
    let mut long = t.event("ann", Payload::Post { pet, photo: None, body: [3; 32] });
    long.0.push(0);
    let huge = (vec![0; 1025], EventId([0; 32]));
    let poor = t.event("cat", Payload::Transfer { to: AccountId([1; 32]), amount: 3 });
    let dead = t.event("bob", Payload::Gift { pet: dog, amount: 1 });
    t.block(
        "rejects alone make no block",
        &[&[&expired, &forged, &long], &[&huge, &poor], &[&dead]],
        &[
            Reject::Expired,
            Reject::BadSignature,
            Reject::Malformed,
            Reject::TooLarge,
            Reject::NoTreats,
            Reject::WrongKey,
        ],
    );

    t.time("time again");
    t.time("time again; the post closes");
    t.time("time again; Mimi dies, and the second Rex");
    let end = t.event("anyone", Payload::StoryEnd { pet });
    t.block("Mimi's story ends", &[&[&end]], &[]);
    let keep = t.event("ann", Payload::Keepsake { pet });
    t.block("ann keeps her", &[&[&keep]], &[]);
    market(&mut t, pet, dog);
    offices_and_time(&mut t, post.1);
    t.recorder.call("the state at the end", Operation::Snapshot, Vec::new()).expect("it is open");

    Ledger {
        kennel: t.kennel,
        blocks: t.blocks,
        examples: t.examples,
        script: t.recorder.finish(),
        pets: vec![pet, dog, rebirth.1.into()],
        midway,
    }
}
