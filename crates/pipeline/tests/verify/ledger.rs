//! A small ledger made by the real rules, and a forger who holds every key of its operator.

use ed25519_dalek::SigningKey;
use pitpet_chain::block::Block;
use pitpet_chain::body::{Body, commitment};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::{Event, Payload, VERSION};
use pitpet_chain::genesis::{Genesis, Parameters};
use pitpet_chain::hash::{AccountId, BlockHash, KennelId, PublicKey, RulesHash};
use pitpet_chain::kennel::Kennel;
use pitpet_chain::log::{self, Frontier};
use pitpet_pipeline::checkpoint::{self, Claim};
use pitpet_pipeline::export_file::{ExportWriter, Opening};
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::ports::ModuleHost;
use pitpet_pipeline::query::{Segment, SegmentEntry};
use pitpet_pipeline::verify::{BlockFlaw, Terms, Verdict, Verifier, VerifyError};

pub(crate) const RULES: RulesHash = RulesHash([3; 32]);

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn public(seed: u8) -> PublicKey {
    PublicKey(key(seed).verifying_key().to_bytes())
}

/// Seed of the checkpoint key.
pub(crate) const CHECKPOINT: u8 = 9;

/// What a server would show.
#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) genesis: Genesis,
    pub(crate) blocks: Vec<Block>,
    pub(crate) states: Vec<Vec<u8>>,
    pub(crate) bodies: Vec<Vec<Bytes>>,
    pub(crate) checkpoint: String,
    pub(crate) height: u64,
    /// Blocks in a segment.
    pub(crate) step: usize,
}

/// Builds a ledger event by event.
pub(crate) struct Builder {
    kennel: Kennel,
    ledger: Ledger,
    nonce: u64,
}

impl Builder {
    pub(crate) fn new(random: u8) -> Self {
        let genesis = Genesis {
            version: 1,
            parameters: Parameters { stamp_bits: 0, birth_bits: 0, ..Parameters::CLASSIC },
            operator: public(1),
            house: public(2),
            moderators: vec![],
            witnesses: vec![],
            threshold: 0,
            checkpoint: public(CHECKPOINT),
            created_ms: 1_000,
            random: [random; 32],
        };
        let (kennel, founded) = Kennel::found(genesis.clone(), RULES).unwrap();
        let ledger = Ledger {
            genesis,
            blocks: vec![decode(&founded.bytes.0).unwrap()],
            states: vec![vec![]],
            bodies: vec![vec![]],
            checkpoint: String::new(),
            height: 0,
            step: 2,
        };
        Self { kennel, ledger, nonce: 0 }
    }

    pub(crate) fn event(&mut self, seed: u8, payload: Payload) -> Event {
        self.nonce += 1;
        let by_subject = matches!(
            payload,
            Payload::Pat { .. } | Payload::Share { .. } | Payload::Comment { .. } | Payload::StoryEnd { .. }
        );
        let now_ms = self.kennel.header().timestamp_ms;
        Event {
            version: VERSION,
            kennel: *self.kennel.id(),
            account: AccountId::of(&public(seed)),
            key: public(seed),
            nonce: if by_subject { 0 } else { self.nonce },
            expires_ms: now_ms + 100_000,
            payload,
            stamp: 0,
        }
    }

    /// Mines one block of these events, each with its signer and body.
    pub(crate) fn mine(&mut self, events: &[(u8, Event, Option<Vec<u8>>)]) {
        let signed = events.iter().map(|(seed, event, _)| Bytes(event.sign(&key(*seed)))).collect();
        let at_ms = self.kennel.header().timestamp_ms + 10;
        let outcome = self.kennel.apply(at_ms, &[signed]).unwrap();
        assert!(outcome.rejects.is_empty(), "{:?}", outcome.rejects);
        self.ledger.blocks.push(decode(&outcome.block.unwrap().bytes.0).unwrap());
        self.ledger.states.push(events.iter().map(|(_, _, body)| u8::from(body.is_some())).collect());
        self.ledger.bodies.push(events.iter().filter_map(|(_, _, body)| body.clone().map(Bytes)).collect());
    }

    pub(crate) fn end(mut self) -> Ledger {
        self.ledger.sign(CHECKPOINT);
        self.ledger
    }

    /// Five blocks: the founding; a birth and a post; a pat and a comment; a post; a pat and a comment.
    pub(crate) fn village(random: u8) -> Ledger {
        let mut village = Self::new(random);
        let salted = |body: Body| [&[7; 32][..], &body.encode()].concat();
        let committed = |body: &[u8]| commitment(&[7; 32], &body[32..]);
        let (alice, bob) = (11, 12);
        let story = salted(Body::Birth { name: "Mochi".into(), story: "From a shoe box.".into() });
        let anchor = village.kennel.head().hash;
        let birth = Payload::Birth { photo: [1; 32], body: committed(&story), recovery: None, anchor };
        let birth = village.event(alice, birth);
        let pet = birth.id().into();
        let mut first = vec![(alice, birth, Some(story))];
        for text in ["First snow!", "More snow."] {
            let words = salted(Body::Post { text: text.into(), tags: vec![] });
            let post = village.event(alice, Payload::Post { pet, photo: None, body: committed(&words) });
            let id = post.id();
            first.push((alice, post, Some(words)));
            village.mine(&std::mem::take(&mut first));
            let said = salted(Body::Comment { text: format!("{text} Indeed.") });
            let comment = village.event(bob, Payload::Comment { post: id, body: committed(&said) });
            let pat = village.event(bob, Payload::Pat { post: id });
            village.mine(&[(bob, pat, None), (bob, comment, Some(said))]);
        }
        village.end()
    }
}

impl Ledger {
    pub(crate) fn id(&self) -> KennelId {
        self.genesis.kennel()
    }

    pub(crate) fn claim(&self, blocks: usize) -> Claim {
        let mut history = Frontier::default();
        for block in &self.blocks[..blocks] {
            history.append(log::leaf(&block.header.hash().0));
        }
        Claim { size: history.size, root: history.root() }
    }

    /// Signs a checkpoint over whatever the blocks are now.
    pub(crate) fn sign(&mut self, seed: u8) {
        let claim = self.claim(self.blocks.len());
        self.height = claim.size - 1;
        self.checkpoint = checkpoint::sign(&self.id(), claim, &key(seed));
    }

    /// Makes the roots of a block fit its content.
    pub(crate) fn reroot(&mut self, at: usize) {
        let block = &mut self.blocks[at];
        block.header.events_root = log::root(&block.event_leaves());
        block.header.receipts_root = log::root(&block.receipt_leaves());
    }

    /// Links all blocks anew and signs the result, as an operator who rewrites history would.
    pub(crate) fn relink(&mut self) {
        let mut history = Frontier::default();
        let mut parent = BlockHash([0; 32]);
        for block in &mut self.blocks {
            block.header.history_root = history.root();
            block.header.parent = parent;
            parent = block.header.hash();
            history.append(log::leaf(&parent.0));
        }
        self.sign(CHECKPOINT);
    }

    pub(crate) fn opening(&self) -> Opening {
        Opening {
            genesis: Bytes(encode(&self.genesis)),
            checkpoint: self.checkpoint.clone(),
            height: self.height,
        }
    }

    pub(crate) fn segments(&self) -> Vec<Segment> {
        let entries: Vec<SegmentEntry> = (0..self.blocks.len())
            .map(|at| SegmentEntry {
                block: Bytes(encode(&self.blocks[at])),
                body_states: self.states[at].clone(),
                bodies: self.bodies[at].clone(),
            })
            .collect();
        let chunks = entries.chunks(self.step).enumerate();
        chunks
            .map(|(n, entries)| Segment {
                version: 1,
                from: (n * self.step) as u64,
                entries: entries.to_vec(),
            })
            .collect()
    }

    pub(crate) fn file(&self) -> Vec<u8> {
        let mut writer = ExportWriter::begin(Vec::new(), &self.opening()).unwrap();
        self.segments().iter().for_each(|segment| writer.segment(segment).unwrap());
        writer.finish().unwrap()
    }

    pub(crate) fn verify_with(&self, host: &dyn ModuleHost, terms: Terms) -> Result<Verdict, VerifyError> {
        verify(host, &self.opening(), &self.segments(), terms)
    }

    pub(crate) fn verify(&self) -> Result<Verdict, VerifyError> {
        self.verify_with(&NativeHost, Terms::new(vec![RULES]))
    }

    /// The block that is refused and why.
    pub(crate) fn flaw(&self, host: &dyn ModuleHost) -> (u64, BlockFlaw) {
        match self.verify_with(host, Terms::new(vec![RULES])) {
            Err(VerifyError::Block { height, flaw }) => (height, flaw),
            other => panic!("a block should be refused: {other:?}"),
        }
    }
}

pub(crate) fn verify(
    host: &dyn ModuleHost,
    opening: &Opening,
    segments: &[Segment],
    terms: Terms,
) -> Result<Verdict, VerifyError> {
    let mut verifier = Verifier::begin(host, opening, terms)?;
    segments.iter().try_for_each(|segment| verifier.segment(segment))?;
    verifier.finish()
}
