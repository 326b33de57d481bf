//! The state of a kennel: records, the totals over them, and the indexes that keep a block's cost
//! down to that of its events.
//!
//! Every record stands in the state tree. Indexes are derived from records, so that neither the
//! tree nor a snapshot holds them. A rule reads through the getters, decides, and only then
//! writes through the `put_*` and `remove_*` methods, which keep tree and indexes in step.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::codec::{Canonical, Malformed, Writer, encode};
use crate::genesis::Genesis;
use crate::hash::{
    AccountId, BirthHash, BlockHash, Digest32, EventId, KennelId, PublicKey, RulesHash, tag, tagged,
};
use crate::tree::{Tree, TreeProof};
use crate::{limits, record};

record! {
    /// An account's record.
    pub struct Account {
        /// Its id.
        pub id: AccountId,
        /// The current key; none until the account's first event with a nonce.
        pub key: Option<PublicKey>,
        /// May replace the key.
        pub recovery: Option<PublicKey>,
        /// The last accepted nonce, 0 before the first.
        pub nonce: u64,
        /// Granted treats, which pay for posts only.
        pub granted: u64,
        /// Treats free to spend.
        pub free: u64,
        /// The living pet.
        pub pet: Option<BirthHash>,
        /// Dead pets and keepsakes owned.
        pub holdings: u32,
        /// Open offers and bids.
        pub orders: u32,
        /// The latest `expires_ms` of the account's events with a nonce.
        pub last_expires_ms: u64,
    }
}

impl Account {
    /// An account that has done nothing yet.
    pub fn new(id: AccountId) -> Self {
        Self {
            id,
            key: None,
            recovery: None,
            nonce: 0,
            granted: 0,
            free: 0,
            pet: None,
            holdings: 0,
            orders: 0,
            last_expires_ms: 0,
        }
    }

    /// Whether nothing but the nonce would be lost with the record. A replaced key is something:
    /// forgetting it would let the old key act again.
    fn is_empty(&self) -> bool {
        self.granted == 0
            && self.free == 0
            && self.pet.is_none()
            && self.holdings == 0
            && self.orders == 0
            && self.key.is_none_or(|key| AccountId::of(&key) == self.id)
    }
}

/// Where a pet's story stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Alive.
    Living = 0,
    /// Dead, the story still open.
    Dead = 1,
    /// The story has ended.
    Ended = 2,
    /// The owner has the keepsake.
    Kept = 3,
}

impl Canonical for Phase {
    fn put(&self, w: &mut Writer) {
        (*self as u8).put(w);
    }
    fn take(d: &mut minicbor::Decoder<'_>) -> Result<Self, Malformed> {
        match u8::take(d)? {
            0 => Ok(Phase::Living),
            1 => Ok(Phase::Dead),
            2 => Ok(Phase::Ended),
            3 => Ok(Phase::Kept),
            _ => Err(Malformed),
        }
    }
}

record! {
    /// A pet's record. It stays for ever, so that "dead since" stays provable.
    pub struct Pet {
        /// Its birth hash.
        pub birth: BirthHash,
        /// Who owns it.
        pub owner: AccountId,
        /// Where its story stands.
        pub phase: Phase,
        /// SHA-256 of its photo.
        pub photo: Digest32,
        /// Height of its birth.
        pub born_height: u64,
        /// Timestamp of its birth, ms.
        pub born_ms: u64,
        /// The age of its last event.
        pub last_age: u64,
        /// Height of the block in which it died, 0 while it lives.
        pub died_height: u64,
        /// Timestamp of that block, ms, 0 while it lives.
        pub died_ms: u64,
        /// Treats in its wallet.
        pub wallet: u64,
        /// Posts so far.
        pub posts: u64,
        /// Pats so far.
        pub pats: u64,
        /// Shares so far.
        pub shares: u64,
        /// Comments so far.
        pub comments: u64,
    }
}

impl Pet {
    /// Ages left at a kennel's age: `ttl` right after an event, 0 when dead.
    pub fn remaining(&self, ttl: u32, age: u64) -> u64 {
        match self.phase {
            Phase::Living => u64::from(ttl).saturating_sub(age - self.last_age),
            _ => 0,
        }
    }
}

record! {
    /// An open post's record.
    pub struct Post {
        /// Its event id.
        pub id: EventId,
        /// Whose post.
        pub pet: BirthHash,
        /// The kennel's age when it was mined.
        pub opened_age: u64,
        /// Pats so far.
        pub pats: u64,
        /// Shares so far.
        pub shares: u64,
        /// Comments so far.
        pub comments: u64,
        /// Running digest of its visits.
        pub visits: Digest32,
    }
}

impl Post {
    /// Pats, shares and comments so far.
    pub fn visit_count(&self) -> u64 {
        self.pats + self.shares + self.comments
    }
}

record! {
    /// A pat, share or comment, remembered while its post is open.
    #[derive(PartialOrd, Ord)]
    pub struct Visit {
        /// The kind's number.
        pub kind: u8,
        /// Who.
        pub account: AccountId,
        /// The comment's event id; zeros for a pat or share.
        pub comment: Digest32,
    }
}

impl Visit {
    /// Extends a post's running digest by this visit.
    pub fn extend(&self, digest: &Digest32) -> Digest32 {
        tagged(tag::VISIT, &[digest, &encode(self)])
    }
}

/// Which side of a trade an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Side {
    /// The owner offers the pet.
    Offer = 1,
    /// Somebody bids for it, and the price is locked.
    Bid = 2,
}

impl Canonical for Side {
    fn put(&self, w: &mut Writer) {
        (*self as u8).put(w);
    }
    fn take(d: &mut minicbor::Decoder<'_>) -> Result<Self, Malformed> {
        match u8::take(d)? {
            1 => Ok(Side::Offer),
            2 => Ok(Side::Bid),
            _ => Err(Malformed),
        }
    }
}

record! {
    /// An open offer or bid.
    pub struct Order {
        /// Its event id.
        pub id: EventId,
        /// Which side it is.
        pub side: Side,
        /// The pet.
        pub pet: BirthHash,
        /// Whether it is for the living pet or for its keepsake: [`Phase::Living`] or [`Phase::Kept`].
        pub phase: Phase,
        /// Who owned the pet when it was placed.
        pub owner: AccountId,
        /// Who made it; of an offer the owner.
        pub maker: AccountId,
        /// Treats; of a bid, locked.
        pub price: u64,
        /// Timestamp of the block that placed it, ms.
        pub placed_ms: u64,
        /// Last block timestamp at which it can be taken, ms; 0 once it has been outbid.
        pub until_ms: u64,
    }
}

record! {
    /// What miners work on.
    #[derive(Copy)]
    pub struct Mining {
        /// Height of the block that began the present age.
        pub began_height: u64,
        /// Its hash; zeros in the block's own state, which can't hold it.
        pub began: BlockHash,
        /// Whether the present age has its seal.
        pub sealed: bool,
        /// Trials that a seal takes on average.
        pub difficulty: u64,
        /// Ages since the difficulty was set.
        pub window_ages: u8,
        /// Sealed ones among them.
        pub window_sealed: u8,
    }
}

record! {
    /// A key that acts for an office.
    pub struct Office {
        /// The key.
        pub key: PublicKey,
        /// The last accepted nonce, 0 before the first.
        pub nonce: u64,
    }
}

record! {
    /// A change of the rules that has been decided on.
    #[derive(Copy)]
    pub struct PendingUpgrade {
        /// SHA-256 of the module.
        pub rules_hash: RulesHash,
        /// The first block that it decides.
        pub at_height: u64,
    }
}

record! {
    /// Who may do what beside the accounts.
    pub struct Keys {
        /// Appoints and upgrades.
        pub operator: Office,
        /// Hide bodies.
        pub moderators: Vec<Office>,
        /// Say when the kennel has been idle.
        pub witnesses: Vec<PublicKey>,
        /// How many of them must say so.
        pub threshold: u8,
        /// What the operator has decided, until it takes effect.
        pub upgrade: Option<PendingUpgrade>,
    }
}

record! {
    /// Sums over the state.
    #[derive(Copy)]
    pub struct Totals {
        /// The kennel's age.
        pub age: u64,
        /// Timestamp of the last block that aged the kennel, ms.
        pub last_aging_ms: u64,
        /// Treats ever minted.
        pub minted: u64,
        /// Treats of the house. Nobody can spend them: they pay the rewards of miners, before any
        /// treat is minted for those.
        pub house: u64,
        /// Treats locked in bids.
        pub locked: u64,
        /// Living pets.
        pub living: u32,
        /// Pets ever born.
        pub pets: u32,
        /// Accounts with a record.
        pub accounts: u32,
        /// Posts remembered.
        pub posts: u32,
        /// Visits remembered.
        pub visits: u32,
        /// Open orders.
        pub orders: u32,
    }
}

record! {
    /// A head that births may be bound to.
    #[derive(Copy)]
    pub struct Anchor {
        /// The block.
        pub hash: BlockHash,
        /// Its timestamp, ms.
        pub timestamp_ms: u64,
    }
}

record! {
    /// All records of a state but the genesis.
    pub struct Records {
        /// The sums.
        pub totals: Totals,
        /// Heads that births may be bound to.
        pub anchors: Vec<Anchor>,
        /// Accounts by id.
        pub accounts: Vec<Account>,
        /// Pets by birth hash.
        pub pets: Vec<Pet>,
        /// Posts by id, each with its visits in order.
        pub posts: Vec<(Post, Vec<Visit>)>,
        /// Orders by id.
        pub orders: Vec<Order>,
        /// What miners work on.
        pub mining: Mining,
        /// The keys of the offices.
        pub keys: Keys,
    }
}

/// What a record in the state tree is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateKey {
    /// The [`Genesis`].
    Genesis,
    /// The [`Totals`].
    Totals,
    /// The list of [`Anchor`]s.
    Anchors,
    /// An [`Account`].
    Account(AccountId),
    /// A [`Pet`].
    Pet(BirthHash),
    /// A [`Post`].
    Post(EventId),
    /// The [`Mining`].
    Mining,
    /// The [`Keys`].
    Keys,
    /// An [`Order`].
    Order(EventId),
}

impl StateKey {
    /// The record's kind and id; the id of a single record is zeros.
    pub fn parts(&self) -> (u8, Digest32) {
        match self {
            StateKey::Genesis => (0, [0; 32]),
            StateKey::Totals => (1, [0; 32]),
            StateKey::Anchors => (2, [0; 32]),
            StateKey::Account(id) => (3, id.0),
            StateKey::Pet(id) => (4, id.0),
            StateKey::Post(id) => (5, id.0),
            StateKey::Mining => (6, [0; 32]),
            StateKey::Keys => (7, [0; 32]),
            StateKey::Order(id) => (8, id.0),
        }
    }

    /// The key with these parts.
    pub fn from_parts(kind: u8, id: Digest32) -> Option<Self> {
        Some(match kind {
            0 if id == [0; 32] => StateKey::Genesis,
            1 if id == [0; 32] => StateKey::Totals,
            2 if id == [0; 32] => StateKey::Anchors,
            3 => StateKey::Account(AccountId(id)),
            4 => StateKey::Pet(BirthHash(id)),
            5 => StateKey::Post(EventId(id)),
            6 if id == [0; 32] => StateKey::Mining,
            7 if id == [0; 32] => StateKey::Keys,
            8 => StateKey::Order(EventId(id)),
            _ => return None,
        })
    }

    /// The record's key in the tree.
    pub fn hash(&self) -> Digest32 {
        let (kind, id) = self.parts();
        tagged(tag::STATE_KEY, &[&[kind], &id])
    }
}

/// Hash of a record's value in the tree.
pub fn value_hash(record: &[u8]) -> Digest32 {
    tagged(tag::STATE_VALUE, &[record])
}

/// An open post with what it remembers.
#[derive(Clone)]
struct OpenPost {
    card: Post,
    /// Each visit with its ordinal.
    visits: BTreeMap<Visit, u32>,
}

/// The state.
#[derive(Clone)]
pub struct State {
    genesis: Genesis,
    kennel: KennelId,
    totals: Totals,
    anchors: Vec<Anchor>,
    accounts: BTreeMap<AccountId, Account>,
    pets: BTreeMap<BirthHash, Pet>,
    posts: BTreeMap<EventId, OpenPost>,
    orders: BTreeMap<EventId, Order>,
    mining: Mining,
    keys: Keys,
    /// Living pets by the age of their last event.
    living_by_age: BTreeSet<(u64, BirthHash)>,
    /// Posts by the age of their opening.
    posts_by_age: BTreeSet<(u64, EventId)>,
    /// Posts remembered for each pet.
    posts_of: BTreeMap<BirthHash, u32>,
    /// Empty accounts by the time at which their last event has expired.
    empty_by_expiry: BTreeSet<(u64, AccountId)>,
    /// Orders by pet.
    orders_of: BTreeSet<(BirthHash, EventId)>,
    /// Orders by their end.
    orders_by_end: BTreeSet<(u64, EventId)>,
    /// Orders whose pet died or has another owner.
    void: BTreeSet<EventId>,
    tree: Tree,
    touched: BTreeSet<StateKey>,
}

impl State {
    /// The state of a kennel before anything happened in it.
    pub fn new(genesis: Genesis) -> Self {
        let totals = Totals {
            age: 0,
            last_aging_ms: genesis.created_ms,
            minted: 0,
            house: 0,
            locked: 0,
            living: 0,
            pets: 0,
            accounts: 0,
            posts: 0,
            visits: 0,
            orders: 0,
        };
        let kennel = genesis.kennel();
        let mining = Mining {
            began_height: 0,
            began: BlockHash([0; 32]),
            sealed: false,
            difficulty: genesis.parameters.difficulty_min(),
            window_ages: 0,
            window_sealed: 0,
        };
        let office = |key: &PublicKey| Office { key: *key, nonce: 0 };
        let keys = Keys {
            operator: office(&genesis.operator),
            moderators: genesis.moderators.iter().map(office).collect(),
            witnesses: genesis.witnesses.clone(),
            threshold: genesis.threshold,
            upgrade: None,
        };
        let touched = BTreeSet::from([
            StateKey::Genesis,
            StateKey::Totals,
            StateKey::Anchors,
            StateKey::Mining,
            StateKey::Keys,
        ]);
        Self {
            genesis,
            kennel,
            totals,
            anchors: Vec::new(),
            accounts: BTreeMap::new(),
            pets: BTreeMap::new(),
            posts: BTreeMap::new(),
            orders: BTreeMap::new(),
            mining,
            keys,
            living_by_age: BTreeSet::new(),
            posts_by_age: BTreeSet::new(),
            posts_of: BTreeMap::new(),
            empty_by_expiry: BTreeSet::new(),
            orders_of: BTreeSet::new(),
            orders_by_end: BTreeSet::new(),
            void: BTreeSet::new(),
            tree: Tree::default(),
            touched,
        }
    }

    /// The founding record.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The kennel's id.
    pub fn kennel(&self) -> &KennelId {
        &self.kennel
    }

    /// The sums.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The sums, to be changed.
    pub fn totals_mut(&mut self) -> &mut Totals {
        self.touched.insert(StateKey::Totals);
        &mut self.totals
    }

    /// Heads that births may be bound to, oldest first.
    pub fn anchors(&self) -> &[Anchor] {
        &self.anchors
    }

    /// Replaces the anchors.
    pub fn put_anchors(&mut self, anchors: Vec<Anchor>) {
        self.touched.insert(StateKey::Anchors);
        self.anchors = anchors;
    }

    /// An account's record.
    pub fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// A pet's record.
    pub fn pet(&self, birth: &BirthHash) -> Option<&Pet> {
        self.pets.get(birth)
    }

    /// A post's record.
    pub fn post(&self, id: &EventId) -> Option<&Post> {
        self.posts.get(id).map(|post| &post.card)
    }

    /// What miners work on.
    pub fn mining(&self) -> &Mining {
        &self.mining
    }

    /// Writes what miners work on.
    pub fn put_mining(&mut self, mining: Mining) {
        self.touched.insert(StateKey::Mining);
        self.mining = mining;
    }

    /// The keys of the offices.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Writes the keys of the offices.
    pub fn put_keys(&mut self, keys: Keys) {
        self.touched.insert(StateKey::Keys);
        self.keys = keys;
    }

    /// An order that can be taken at a time; none if it is over.
    pub fn open_order(&self, id: &EventId, now_ms: u64) -> Option<&Order> {
        self.orders.get(id).filter(|order| order.until_ms >= now_ms && !self.void.contains(id))
    }

    /// A pet's orders that can be taken at a time.
    pub fn open_orders_of(&self, pet: &BirthHash, now_ms: u64) -> impl Iterator<Item = &Order> + Clone {
        let bound = |id| (*pet, EventId(id));
        self.orders_of
            .range(bound([0; 32])..=bound([255; 32]))
            .filter_map(move |(_, id)| self.open_order(id, now_ms))
    }

    /// Up to `count` orders that are over: void ones, then those whose time is up.
    pub fn orders_over(&self, now_ms: u64, count: usize) -> Vec<Order> {
        let ended = self.orders_by_end.iter().take_while(|(until_ms, _)| *until_ms < now_ms);
        let ended = ended.map(|(_, id)| id).filter(|id| !self.void.contains(*id));
        self.void.iter().chain(ended).take(count).map(|id| self.orders[id].clone()).collect()
    }

    /// Writes an order, and locks the price of a new bid.
    pub fn put_order(&mut self, order: Order) {
        self.touched.insert(StateKey::Order(order.id));
        match self.orders.get(&order.id) {
            Some(old) => {
                self.orders_by_end.remove(&(old.until_ms, order.id));
            }
            None => {
                let totals = self.totals_mut();
                totals.orders += 1;
                if order.side == Side::Bid {
                    totals.locked = totals.locked.saturating_add(order.price);
                }
            }
        }
        self.orders_by_end.insert((order.until_ms, order.id));
        self.orders_of.insert((order.pet, order.id));
        if !is_for(&self.pets, &order) {
            self.void.insert(order.id);
        }
        self.orders.insert(order.id, order);
    }

    /// Forgets an order; a bid's price is locked no more.
    pub fn remove_order(&mut self, id: &EventId) {
        if let Some(old) = self.orders.remove(id) {
            self.touched.insert(StateKey::Order(*id));
            self.orders_by_end.remove(&(old.until_ms, *id));
            self.orders_of.remove(&(old.pet, *id));
            self.void.remove(id);
            let totals = self.totals_mut();
            totals.orders -= 1;
            if old.side == Side::Bid {
                totals.locked -= old.price;
            }
        }
    }

    /// All orders, by id.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.values()
    }

    /// Posts remembered for a pet.
    pub fn posts_of(&self, pet: &BirthHash) -> u32 {
        self.posts_of.get(pet).copied().unwrap_or(0)
    }

    /// Whether a post remembers a visit.
    pub fn has_visit(&self, post: &EventId, visit: &Visit) -> bool {
        self.posts.get(post).is_some_and(|post| post.visits.contains_key(visit))
    }

    /// Comments of an account on a post.
    pub fn comments_by(&self, post: &EventId, account: &AccountId, kind: u8) -> usize {
        let bound = |comment| Visit { kind, account: *account, comment };
        self.posts.get(post).map_or(0, |post| post.visits.range(bound([0; 32])..=bound([255; 32])).count())
    }

    /// Writes an account's record.
    pub fn put_account(&mut self, account: Account) {
        self.touched.insert(StateKey::Account(account.id));
        let id = account.id;
        if account.is_empty() {
            self.empty_by_expiry.insert((account.last_expires_ms, id));
        }
        let stays_listed =
            |old: &Account| account.is_empty() && old.last_expires_ms == account.last_expires_ms;
        match self.accounts.get(&id) {
            Some(old) if old.is_empty() && !stays_listed(old) => {
                self.empty_by_expiry.remove(&(old.last_expires_ms, id));
            }
            Some(_) => {}
            None => self.totals_mut().accounts += 1,
        }
        self.accounts.insert(id, account);
    }

    /// Forgets an account.
    fn remove_account(&mut self, id: &AccountId) {
        if let Some(old) = self.accounts.remove(id) {
            self.touched.insert(StateKey::Account(*id));
            self.empty_by_expiry.remove(&(old.last_expires_ms, *id));
            self.totals_mut().accounts -= 1;
        }
    }

    /// Writes a pet's record.
    pub fn put_pet(&mut self, pet: Pet) {
        self.touched.insert(StateKey::Pet(pet.birth));
        let birth = pet.birth;
        let mut changes_hands = false;
        if let Some(old) = self.pets.get(&birth) {
            changes_hands = (old.owner, old.phase) != (pet.owner, pet.phase);
            if old.phase == Phase::Living {
                self.living_by_age.remove(&(old.last_age, birth));
                self.totals_mut().living -= 1;
            }
        } else {
            self.totals_mut().pets += 1;
        }
        if pet.phase == Phase::Living {
            self.living_by_age.insert((pet.last_age, birth));
            self.totals_mut().living += 1;
        }
        self.pets.insert(birth, pet);
        if changes_hands {
            self.void_orders_of(&birth);
        }
    }

    /// Finds anew which orders of a pet are void: what the records say, and nothing else, so that a
    /// state from a snapshot agrees.
    fn void_orders_of(&mut self, birth: &BirthHash) {
        let bound = |id| (*birth, EventId(id));
        for (_, id) in self.orders_of.range(bound([0; 32])..=bound([255; 32])) {
            if is_for(&self.pets, &self.orders[id]) {
                self.void.remove(id);
            } else {
                self.void.insert(*id);
            }
        }
    }

    /// Opens a post.
    pub fn open_post(&mut self, card: Post) {
        self.touched.insert(StateKey::Post(card.id));
        self.posts_by_age.insert((card.opened_age, card.id));
        *self.posts_of.entry(card.pet).or_default() += 1;
        self.totals_mut().posts += 1;
        self.posts.insert(card.id, OpenPost { card, visits: BTreeMap::new() });
    }

    /// Records a visit to an open post; `card` is the post's record with its counters raised.
    pub fn visit_post(&mut self, mut card: Post, visit: Visit) -> Post {
        self.touched.insert(StateKey::Post(card.id));
        self.totals_mut().visits += 1;
        card.visits = visit.extend(&card.visits);
        let post = self.posts.get_mut(&card.id).expect("the rule found the post");
        let ordinal = u32::try_from(post.visits.len()).expect("visits of a post are bounded");
        post.visits.insert(visit, ordinal);
        post.card = card.clone();
        card
    }

    /// Forgets a post and its visits.
    fn remove_post(&mut self, id: &EventId) {
        if let Some(post) = self.posts.remove(id) {
            self.touched.insert(StateKey::Post(*id));
            self.posts_by_age.remove(&(post.card.opened_age, *id));
            let left = self.posts_of.get_mut(&post.card.pet).expect("every post is counted for its pet");
            *left -= 1;
            if *left == 0 {
                self.posts_of.remove(&post.card.pet);
            }
            let visits = u32::try_from(post.visits.len()).expect("visits of a post are bounded");
            let totals = self.totals_mut();
            totals.posts -= 1;
            totals.visits -= visits;
        }
    }

    /// Living pets whose last event is at most this age, oldest first.
    pub fn living_up_to(&self, age: u64) -> Vec<BirthHash> {
        self.living_by_age.range(..=(age, BirthHash([255; 32]))).map(|(_, birth)| *birth).collect()
    }

    /// Forgets up to `count` posts that opened below this age.
    pub fn close_posts(&mut self, below_age: u64, count: usize) {
        let due: Vec<EventId> = self
            .posts_by_age
            .iter()
            .take_while(|(age, _)| *age < below_age)
            .take(count)
            .map(|(_, id)| *id)
            .collect();
        for id in due {
            self.remove_post(&id);
        }
    }

    /// Forgets up to `count` empty accounts whose last event has expired.
    pub fn drop_accounts(&mut self, now_ms: u64, count: usize) {
        let due: Vec<AccountId> = self
            .empty_by_expiry
            .iter()
            .take_while(|(expires_ms, _)| *expires_ms < now_ms)
            .take(count)
            .map(|(_, id)| *id)
            .collect();
        for id in due {
            self.remove_account(&id);
        }
    }

    /// A record's canonical bytes, if it exists.
    pub fn record(&self, key: &StateKey) -> Option<Vec<u8>> {
        match key {
            StateKey::Genesis => Some(encode(&self.genesis)),
            StateKey::Totals => Some(encode(&self.totals)),
            StateKey::Anchors => Some(encode(&self.anchors)),
            StateKey::Account(id) => self.account(id).map(encode),
            StateKey::Pet(birth) => self.pet(birth).map(encode),
            StateKey::Post(id) => self.post(id).map(encode),
            StateKey::Mining => Some(encode(&self.mining)),
            StateKey::Keys => Some(encode(&self.keys)),
            StateKey::Order(id) => self.orders.get(id).map(encode),
        }
    }

    /// Brings the tree up to the records and returns its root.
    pub fn root(&mut self) -> Digest32 {
        for key in core::mem::take(&mut self.touched) {
            match self.record(&key) {
                Some(record) => self.tree.insert(key.hash(), value_hash(&record)),
                None => self.tree.remove(&key.hash()),
            }
        }
        self.tree.root()
    }

    /// Proves what the state holds under a key. The tree must be up to the records.
    pub fn prove(&mut self, key: &StateKey) -> TreeProof {
        self.tree.prove(&key.hash())
    }

    /// Whether treats are conserved: minted = accounts + wallets + locked bids + house. Walks
    /// everything.
    pub fn is_balanced(&self) -> bool {
        let accounts = self.accounts.values().flat_map(|account| [account.granted, account.free]);
        let wallets = self.pets.values().map(|pet| pet.wallet);
        let bids = self.orders.values().filter(|order| order.side == Side::Bid).map(|order| order.price);
        // A snapshot's sums are its writer's claim: too large ones are no balance, and no trap.
        accounts
            .chain(wallets)
            .chain(bids)
            .try_fold(self.totals.house, u64::checked_add)
            .is_some_and(|held| held == self.totals.minted)
    }

    /// All accounts, by id.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// All pets, by birth hash.
    pub fn pets(&self) -> impl Iterator<Item = &Pet> {
        self.pets.values()
    }

    /// All posts with their visits in order.
    pub fn posts(&self) -> impl Iterator<Item = (&Post, Vec<Visit>)> {
        self.posts.values().map(|post| {
            let mut visits: Vec<(&Visit, &u32)> = post.visits.iter().collect();
            visits.sort_by_key(|(_, ordinal)| **ordinal);
            (&post.card, visits.into_iter().map(|(visit, _)| visit.clone()).collect())
        })
    }

    /// Everything but the indexes, for a snapshot.
    pub fn records(&self) -> Records {
        Records {
            totals: self.totals,
            anchors: self.anchors.clone(),
            accounts: self.accounts.values().cloned().collect(),
            pets: self.pets.values().cloned().collect(),
            posts: self.posts().map(|(post, visits)| (post.clone(), visits)).collect(),
            orders: self.orders.values().cloned().collect(),
            mining: self.mining,
            keys: self.keys.clone(),
        }
    }

    /// Rebuilds a state from its records. The caller checks [`State::root`].
    ///
    /// # Errors
    /// [`Malformed`] if the records contradict each other.
    pub fn rebuild(genesis: Genesis, records: Records) -> Result<Self, Malformed> {
        let Records { totals, anchors, accounts, pets, posts, orders, mining, keys } = records;
        let mut state = Self::new(genesis);
        let difficulties = state.genesis.parameters.difficulty_min()..=limits::DIFFICULTY_MAX;
        if !difficulties.contains(&mining.difficulty) || mining.window_ages >= limits::RETARGET_AGES {
            return Err(Malformed);
        }
        state.put_mining(mining);
        state.put_keys(keys);
        for account in accounts {
            state.put_account(account);
        }
        for pet in pets {
            state.put_pet(pet);
        }
        for (card, visits) in posts {
            let mut empty = card.clone();
            empty.visits = [0; 32];
            let id = card.id;
            let count = [card.pats, card.shares, card.comments].into_iter().try_fold(0, u64::checked_add);
            if count != Some(visits.len() as u64) {
                return Err(Malformed);
            }
            state.open_post(empty.clone());
            for visit in visits {
                empty = state.visit_post(empty, visit);
            }
            if state.post(&id) != Some(&card) || state.posts[&id].visits.len() as u64 != card.visit_count() {
                return Err(Malformed);
            }
        }
        for order in orders {
            if state.orders.contains_key(&order.id) || state.account(&order.maker).is_none() {
                return Err(Malformed);
            }
            state.put_order(order);
        }
        state.put_anchors(anchors);
        // The counts follow from the records; the other sums are taken over.
        let counted = *state.totals();
        *state.totals_mut() = Totals {
            locked: counted.locked,
            living: counted.living,
            pets: counted.pets,
            accounts: counted.accounts,
            posts: counted.posts,
            visits: counted.visits,
            orders: counted.orders,
            ..totals
        };
        if *state.totals() == totals && state.is_balanced() { Ok(state) } else { Err(Malformed) }
    }
}

/// Whether an order is for what its pet is now.
fn is_for(pets: &BTreeMap<BirthHash, Pet>, order: &Order) -> bool {
    pets.get(&order.pet).is_some_and(|pet| pet.owner == order.owner && pet.phase == order.phase)
}
