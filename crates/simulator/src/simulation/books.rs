//! The auditor's books of a kennel: who owns what, owes what and may sign what.
//!
//! A model of its own, in the simplest form that gives the same: nothing is indexed, what can be
//! counted is counted anew each time. It shares records and hashes with the chain, and none of its
//! rules. It is told of each event of a committed block, and says what that event must have
//! changed; an event that should have been refused is a finding.

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::{Signature, VerifyingKey};
use futures::FutureExt as _;
use pitpet_chain::block::{Block, Change, Death, Ending, EndingReason, Summary, Trade};
use pitpet_chain::codec::{decode, encode};
use pitpet_chain::event::{Event, Kind, Payload, ReplayClass, SignedEvent, Verdict};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{AccountId, BirthHash, BlockHash, EventId, KennelId, PublicKey, RulesHash};
use pitpet_chain::mining::{Purpose, Statement, Work, statement_bytes};
use pitpet_chain::state::{
    Account, Keys, Mining, Office, Order, PendingUpgrade, Pet, Phase, Post, Side, Totals, Visit,
};
use pitpet_pipeline::items::{self, Fields as _, attributes};
use pitpet_pipeline::ports::{Attributes, Consistency};
use pitpet_pipeline::query::{read_account, read_pet};

use super::auditor::{Finding, bad, require};
use crate::table::MemoryTable;

/// Ages after which the difficulty is set anew.
const WINDOW_AGES: usize = 8;

/// How far ahead an order may end, ms: 30 days.
const ORDER_AHEAD_MS: u64 = 30 * 24 * 3_600_000;

/// How far ahead an event may expire, ms: a day.
const EXPIRES_AHEAD_MS: u64 = 24 * 3_600_000;

/// A sale, and where it stands.
pub(super) struct Sale {
    pub(super) height: u64,
    pub(super) index: u32,
    pub(super) timestamp_ms: u64,
    pub(super) id: EventId,
    pub(super) trade: Trade,
}

/// A verdict, and where it stands.
pub(super) struct Judgement {
    pub(super) height: u64,
    pub(super) index: u32,
    pub(super) timestamp_ms: u64,
    pub(super) id: EventId,
    pub(super) target: EventId,
    pub(super) verdict: Verdict,
}

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) height: u64,
    pub(super) reason: &'static str,
}

/// An open post.
struct OpenPost {
    card: Post,
    visits: Vec<Visit>,
}

/// The books.
pub(super) struct Books {
    genesis: Genesis,
    rules: RulesHash,
    height: u64,
    pub(super) age: u64,
    last_aging_ms: u64,
    pub(super) accounts: BTreeMap<AccountId, Account>,
    pub(super) pets: BTreeMap<BirthHash, Pet>,
    posts: BTreeMap<EventId, OpenPost>,
    /// Of all posts there ever were: their pets.
    pets_of_posts: BTreeMap<EventId, BirthHash>,
    /// Pats and shares there ever were.
    visited: BTreeSet<(Kind, EventId, AccountId)>,
    pub(super) orders: BTreeMap<EventId, Order>,
    pub(super) closed: BTreeMap<EventId, Closed>,
    pub(super) sales: Vec<Sale>,
    pub(super) judgements: Vec<Judgement>,
    pub(super) offices: Keys,
    /// They, as the last event about them left them: what is shown. That a change of rules has come is no event.
    shown: Option<Keys>,
    /// The block that began the age.
    began: (u64, BlockHash),
    sealed: bool,
    difficulty: u64,
    /// Whether each age of the window had its seal.
    window: Vec<bool>,
    minted: u64,
    house: u64,
    /// Accepted events by kind.
    pub(super) kinds: BTreeMap<Kind, u64>,
}

/// Where an event stands.
struct Here {
    height: u64,
    index: u32,
    timestamp_ms: u64,
    /// The age of the block, if it ages the kennel.
    age: u64,
    parent: BlockHash,
}

impl Books {
    /// Of a kennel founded a moment ago.
    pub(super) fn new(genesis: &Genesis, rules: RulesHash, first: &BlockHash) -> Self {
        let office = |key: &PublicKey| Office { key: *key, nonce: 0 };
        Self {
            rules,
            shown: None,
            height: 0,
            age: 0,
            last_aging_ms: genesis.created_ms,
            accounts: BTreeMap::new(),
            pets: BTreeMap::new(),
            posts: BTreeMap::new(),
            pets_of_posts: BTreeMap::new(),
            visited: BTreeSet::new(),
            orders: BTreeMap::new(),
            closed: BTreeMap::new(),
            sales: Vec::new(),
            judgements: Vec::new(),
            offices: Keys {
                operator: office(&genesis.operator),
                moderators: genesis.moderators.iter().map(office).collect(),
                witnesses: genesis.witnesses.clone(),
                threshold: genesis.threshold,
                upgrade: None,
            },
            began: (0, *first),
            sealed: false,
            difficulty: 1 << genesis.parameters.seal_bits,
            window: Vec::new(),
            minted: 0,
            house: 0,
            kinds: BTreeMap::new(),
            genesis: genesis.clone(),
        }
    }

    /// An account's living pet.
    pub(super) fn living_pet(&self, account: &AccountId) -> Option<BirthHash> {
        let mut pets = self.pets.values();
        pets.find(|pet| pet.phase == Phase::Living && pet.owner == *account).map(|pet| pet.birth)
    }

    /// Posts there ever were.
    pub(super) fn posts(&self) -> Vec<EventId> {
        self.pets_of_posts.keys().copied().collect()
    }

    /// The height of the block that began the age.
    pub(super) fn began_height(&self) -> u64 {
        self.began.0
    }

    /// The block over which seals of this age are, and the trials that one takes.
    pub(super) fn work(&self) -> (BlockHash, u64) {
        (self.began.1, self.difficulty)
    }

    /// The key with which an account signs.
    pub(super) fn key_of(&self, account: &AccountId) -> Option<PublicKey> {
        self.accounts.get(account).and_then(|account| account.key)
    }

    /// Treats that an account can spend.
    pub(super) fn free(&self, account: &AccountId) -> u64 {
        self.accounts.get(account).map_or(0, |account| account.free)
    }

    fn holdings(&self, account: &AccountId) -> u32 {
        let held = self.pets.values().filter(|pet| pet.owner == *account && pet.phase != Phase::Living);
        u32::try_from(held.count()).expect("a few pets")
    }

    fn orders_by(&self, account: &AccountId) -> u32 {
        u32::try_from(self.orders.values().filter(|order| order.maker == *account).count()).expect("a few")
    }

    /// Whether an order can be taken.
    fn is_open(&self, order: &Order, timestamp_ms: u64) -> bool {
        order.until_ms >= timestamp_ms && self.is_for(order)
    }

    /// Whether its pet is what it was placed for.
    fn is_for(&self, order: &Order) -> bool {
        let pet = &self.pets[&order.pet];
        (pet.owner, pet.phase) == (order.owner, order.phase)
    }

    /// An account's record, with what is counted.
    fn account(&self, id: &AccountId) -> Account {
        let known = self.accounts.get(id).cloned().unwrap_or_else(|| Account::new(*id));
        Account { pet: self.living_pet(id), holdings: self.holdings(id), orders: self.orders_by(id), ..known }
    }

    fn account_change(&mut self, id: &AccountId) -> Change {
        let account = self.account(id);
        self.accounts.insert(*id, account.clone());
        Change::Account(account)
    }

    fn pet_change(&self, birth: &BirthHash) -> Change {
        Change::Pet(self.pets[birth].clone())
    }

    fn pet(&self, birth: &BirthHash) -> Result<&Pet, String> {
        self.pets.get(birth).ok_or_else(|| "it is about no pet".to_owned())
    }

    fn living(&self, birth: &BirthHash) -> Result<&Pet, String> {
        let pet = self.pet(birth)?;
        require(pet.phase == Phase::Living, || "it is about a dead pet".to_owned())?;
        Ok(pet)
    }

    fn tradable(&self, birth: &BirthHash) -> Result<Pet, String> {
        let pet = self.pet(birth)?;
        let is_good = matches!(pet.phase, Phase::Living | Phase::Kept);
        require(is_good, || "it trades what is neither alive nor a keepsake".to_owned())?;
        Ok(pet.clone())
    }

    fn pay(&mut self, id: &AccountId, amount: u64) -> Finding {
        let account = self.accounts.get_mut(id).ok_or("it spends treats of nobody")?;
        let left = account.free.checked_sub(amount);
        account.free = left.ok_or_else(|| format!("it spends {amount} of {} treats", account.free))?;
        Ok(())
    }

    fn pay_for_post(&mut self, id: &AccountId) -> Finding {
        let cost = self.genesis.parameters.post_cost;
        let account = self.accounts.get_mut(id).ok_or("it pays with treats of nobody")?;
        let granted = account.granted.min(cost);
        account.granted -= granted;
        self.pay(id, cost - granted)
    }

    /// The rules of the newest block.
    pub(super) fn rules(&self) -> RulesHash {
        self.rules
    }

    /// Takes over a committed block.
    pub(super) fn block(&mut self, block: &Block, signed: &[SignedEvent], hash: BlockHash) -> Finding {
        let header = &block.header;
        let parent_age = self.age;
        self.height = header.height;
        if let Some(upgrade) = self.offices.upgrade.filter(|upgrade| upgrade.at_height <= header.height) {
            self.rules = upgrade.rules_hash;
            self.offices.upgrade = None;
        }
        require(header.rules_hash == self.rules, || {
            format!("the block is by rules {}, not {}", header.rules_hash, self.rules)
        })?;
        let mut sealer = None;
        for (index, (signed, receipt)) in signed.iter().zip(&block.receipts).enumerate() {
            let here = Here {
                height: header.height,
                index: u32::try_from(index).expect("a block is small"),
                timestamp_ms: header.timestamp_ms,
                age: parent_age + 1,
                parent: header.parent,
            };
            let of_event = |what| format!("{what}: event {} ({:?})", signed.id, signed.event.payload.kind());
            let mut expected = self.event(signed, &here).map_err(of_event)?;
            for change in &expected {
                if let Change::Keys(keys) = change {
                    self.shown = Some(keys.clone());
                }
            }
            if let Payload::Seal { time: Some(_), .. } = signed.event.payload {
                sealer = Some(signed.event.account);
            }
            if signed.event.payload.ages() && self.age != here.age {
                (self.age, self.last_aging_ms) = (here.age, here.timestamp_ms);
            }
            *self.kinds.entry(signed.event.payload.kind()).or_default() += 1;
            let receipt: pitpet_chain::block::Receipt = decode(&receipt.0).map_err(bad("a receipt"))?;
            let mut changes = receipt.changes;
            expected.sort_by_key(encode);
            changes.sort_by_key(encode);
            require(expected == changes, || {
                of_event("a receipt does not say what its event does".to_owned())
                    + &format!("\n  it says {changes:?}\n  and should {expected:?}")
            })?;
        }
        require(header.sealer == sealer, || "the header names another sealer".to_owned())?;
        require(header.age == self.age, || format!("the age is {}, not {}", header.age, self.age))?;
        let began = (self.age != parent_age).then_some((header.height, hash));
        if let Some(began) = began {
            self.age_ended(began);
        }
        self.deaths(block)?;
        self.endings(block)?;
        self.forget(header.timestamp_ms);
        self.sums(block, began.is_some())
    }

    /// What a new age changes for those who seal.
    fn age_ended(&mut self, began: (u64, BlockHash)) {
        self.window.push(self.sealed);
        if self.window.len() == WINDOW_AGES {
            let sealed = self.window.iter().filter(|sealed| **sealed).count();
            let (times, over) =
                [(1, 2), (1, 2), (1, 2), (3, 4), (3, 4), (7, 8), (1, 1), (5, 4), (2, 1)][sealed];
            let least = 1 << self.genesis.parameters.seal_bits;
            self.difficulty = (self.difficulty * times / over).max(least);
            self.window.clear();
        }
        (self.began, self.sealed) = (began, false);
    }

    fn deaths(&mut self, block: &Block) -> Finding {
        let ttl = u64::from(self.genesis.parameters.ttl);
        let (height, age, timestamp_ms) = (block.header.height, self.age, block.header.timestamp_ms);
        let mut due = BTreeMap::new();
        for pet in self.pets.values_mut() {
            if pet.phase == Phase::Living && pet.last_age + ttl <= age {
                pet.phase = Phase::Dead;
                (pet.died_height, pet.died_ms) = (height, timestamp_ms);
                due.insert(pet.birth, pet.owner);
            }
        }
        let mut died = BTreeMap::new();
        for death in &block.deaths {
            let death: Death = decode(&death.0).map_err(bad("a death"))?;
            require(death.holdings == self.holdings(&death.owner), || {
                format!("after a death {} has {} holdings", death.owner, death.holdings)
            })?;
            died.insert(death.pet, death.owner);
        }
        require(died == due, || {
            format!("other pets died than should have\n  {died:?}\n  and should have {due:?}")
        })
    }

    fn endings(&mut self, block: &Block) -> Finding {
        let now_ms = block.header.timestamp_ms;
        for ending in &block.endings {
            let ending: Ending = decode(&ending.0).map_err(bad("an ending"))?;
            let order = self.orders.remove(&ending.order).ok_or("no such order ended")?;
            let (due, reason) = match order.until_ms {
                0 => (EndingReason::Outbid, "outbid"),
                until_ms if until_ms < now_ms => (EndingReason::TimeUp, "time-up"),
                _ => (EndingReason::PetChanged, "pet-changed"),
            };
            let is_over = due != EndingReason::PetChanged || !self.is_for(&order);
            require(is_over && due == ending.reason && order.maker == ending.account, || {
                format!("order {} ended as {:?}, and {due:?} is why it could", order.id, ending.reason)
            })?;
            if order.side == Side::Bid {
                self.accounts.get_mut(&order.maker).ok_or("a bid of nobody")?.free += order.price;
            }
            let account = self.account(&order.maker);
            require((ending.free, ending.orders) == (account.free, account.orders), || {
                format!("after order {} its maker has what nobody shows\n  {account:?}", order.id)
            })?;
            self.closed.insert(order.id, Closed { height: block.header.height, reason });
        }
        let left = self.orders.values().find(|order| !self.is_open(order, now_ms));
        require(left.is_none(), || format!("an order should have ended\n  {left:?}"))
    }

    /// Forgets posts that are closed, and accounts of which nothing is left.
    fn forget(&mut self, now_ms: u64) {
        let ttl = u64::from(self.genesis.parameters.ttl);
        let age = self.age;
        self.posts.retain(|_, post| post.card.opened_age + ttl >= age);
        let ids: Vec<AccountId> = self.accounts.keys().copied().collect();
        for id in ids {
            let account = self.account(&id);
            let has_nothing = account.granted == 0
                && account.free == 0
                && account.pet.is_none()
                && account.holdings == 0
                && account.orders == 0;
            let may_go = account.key.is_none_or(|key| AccountId::of(&key) == id);
            if has_nothing && may_go && account.last_expires_ms < now_ms {
                self.accounts.remove(&id);
            } else {
                self.accounts.insert(id, account);
            }
        }
    }

    fn sums(&self, block: &Block, has_begun: bool) -> Finding {
        let summary: Summary = decode(&block.summary.0).map_err(bad("a summary"))?;
        let count = |number: usize| u32::try_from(number).expect("a small kennel");
        let bids = self.orders.values().filter(|order| order.side == Side::Bid);
        let locked = bids.map(|order| order.price).sum();
        let totals = Totals {
            age: self.age,
            last_aging_ms: self.last_aging_ms,
            minted: self.minted,
            house: self.house,
            locked,
            living: count(self.pets.values().filter(|pet| pet.phase == Phase::Living).count()),
            pets: count(self.pets.len()),
            accounts: count(self.accounts.len()),
            posts: count(self.posts.len()),
            visits: count(self.posts.values().map(|post| post.visits.len()).sum()),
            orders: count(self.orders.len()),
        };
        require(summary.totals == totals, || {
            format!("the sums are other ones\n  {:?}\n  and should be {totals:?}", summary.totals)
        })?;
        let held = self.accounts.values().map(|account| account.granted + account.free).sum::<u64>()
            + self.pets.values().map(|pet| pet.wallet).sum::<u64>()
            + locked
            + self.house;
        require(held == self.minted, || format!("{} treats were minted, {held} are held", self.minted))?;
        let mining = Mining {
            began_height: self.began.0,
            began: if has_begun { BlockHash([0; 32]) } else { self.began.1 },
            sealed: self.sealed,
            difficulty: self.difficulty,
            window_ages: u8::try_from(self.window.len()).expect("a short window"),
            window_sealed: u8::try_from(self.window.iter().filter(|sealed| **sealed).count())
                .expect("a short window"),
        };
        require(summary.mining == mining, || {
            format!("miners work on something else\n  {:?}\n  and should on {mining:?}", summary.mining)
        })?;
        require(summary.upgrade == self.offices.upgrade, || "another upgrade is pending".to_owned())
    }

    /// Whether the key that signed may act.
    fn check_key(&self, event: &Event) -> Finding {
        let account = self.accounts.get(&event.account);
        let current = account.and_then(|account| account.key);
        let is_current = match current {
            Some(key) => key == event.key,
            None => AccountId::of(&event.key) == event.account,
        };
        let recovers = matches!(event.payload, Payload::Rekey { .. })
            && account.is_some_and(|account| account.recovery == Some(event.key));
        require(is_current || recovers, || "it is signed with a key that may not act".to_owned())
    }

    fn check_nonce(&mut self, event: &Event, timestamp_ms: u64) -> Finding {
        let stale = |last: u64| format!("nonce {} is not above {last}", event.nonce);
        match event.payload.kind().replay_class() {
            ReplayClass::Subject => require(event.nonce == 0, || "it has a nonce".to_owned()),
            ReplayClass::Nonce => {
                // An account without a record may act for the first time by a birth.
                let last = self.accounts.get(&event.account).map_or(0, |account| account.nonce);
                require(event.nonce > last && event.nonce <= event.expires_ms, || stale(last))?;
                if let Some(account) = self.accounts.get_mut(&event.account) {
                    account.nonce = event.nonce;
                    account.last_expires_ms = account.last_expires_ms.max(event.expires_ms);
                    account.key.get_or_insert(event.key);
                }
                Ok(())
            }
            ReplayClass::Office => {
                require(event.nonce <= timestamp_ms, || "its nonce is of the future".to_owned())?;
                let office = match event.payload {
                    Payload::Moderate { .. } => {
                        self.offices.moderators.iter_mut().find(|office| office.key == event.key)
                    }
                    _ => Some(&mut self.offices.operator).filter(|office| office.key == event.key),
                };
                let office = office.ok_or("its key holds no such office")?;
                require(event.nonce > office.nonce, || stale(office.nonce))?;
                office.nonce = event.nonce;
                Ok(())
            }
        }
    }

    /// What an event changes, once it is certain that it may.
    fn event(&mut self, signed: &SignedEvent, here: &Here) -> Result<Vec<Change>, String> {
        let (event, id) = (&signed.event, signed.id);
        let actor = event.account;
        require(event.expires_ms >= here.timestamp_ms, || "it had expired".to_owned())?;
        require(event.expires_ms - here.timestamp_ms <= EXPIRES_AHEAD_MS, || {
            "it expires too late".to_owned()
        })?;
        self.check_key(event)?;
        self.check_nonce(event, here.timestamp_ms)?;
        match &event.payload {
            Payload::Birth { photo, recovery, .. } => {
                require(self.living_pet(&actor).is_none(), || "its owner has a living pet".to_owned())?;
                let living = self.pets.values().filter(|pet| pet.phase == Phase::Living).count();
                let has_room = (living as u64) < u64::from(self.genesis.parameters.living_max);
                require(has_room, || "it is born into a full kennel".to_owned())?;
                let grant = self.genesis.parameters.birth_grant;
                self.minted += grant;
                let account = self.accounts.entry(actor).or_insert_with(|| Account {
                    key: Some(event.key),
                    nonce: event.nonce,
                    last_expires_ms: event.expires_ms,
                    ..Account::new(actor)
                });
                account.granted += grant;
                account.recovery = recovery.or(account.recovery);
                let pet = Pet {
                    birth: id.into(),
                    owner: actor,
                    phase: Phase::Living,
                    photo: *photo,
                    born_height: here.height,
                    born_ms: here.timestamp_ms,
                    last_age: here.age,
                    died_height: 0,
                    died_ms: 0,
                    wallet: 0,
                    posts: 0,
                    pats: 0,
                    shares: 0,
                    comments: 0,
                };
                self.pets.insert(pet.birth, pet);
                Ok(vec![self.pet_change(&id.into()), self.account_change(&actor)])
            }
            Payload::Post { pet, .. } => {
                require(self.living(pet)?.owner == actor, || "a stranger posts".to_owned())?;
                self.pay_for_post(&actor)?;
                let cost = self.genesis.parameters.post_cost;
                let known = self.pets.get_mut(pet).expect("it lives");
                known.wallet += cost;
                known.posts += 1;
                known.last_age = here.age;
                let card = Post {
                    id,
                    pet: *pet,
                    opened_age: here.age,
                    pats: 0,
                    shares: 0,
                    comments: 0,
                    visits: [0; 32],
                };
                self.pets_of_posts.insert(id, *pet);
                self.posts.insert(id, OpenPost { card: card.clone(), visits: Vec::new() });
                Ok(vec![self.pet_change(pet), Change::Post(card), self.account_change(&actor)])
            }
            Payload::Pat { post } | Payload::Share { post } | Payload::Comment { post, .. } => {
                self.visit(event, id, post, here)
            }
            Payload::Gift { pet, amount } => {
                self.living(pet)?;
                require(*amount > 0, || "it gives nothing".to_owned())?;
                self.pay(&actor, *amount)?;
                let known = self.pets.get_mut(pet).expect("it lives");
                known.wallet += amount;
                known.last_age = here.age;
                Ok(vec![self.pet_change(pet), self.account_change(&actor)])
            }
            Payload::Transfer { to, amount } => {
                require(*amount > 0 && *to != actor, || "it gives nothing, or to itself".to_owned())?;
                self.pay(&actor, *amount)?;
                self.accounts.entry(*to).or_insert_with(|| Account::new(*to)).free += amount;
                Ok(vec![self.account_change(&actor), self.account_change(to)])
            }
            Payload::StoryEnd { pet } => {
                require(self.pet(pet)?.phase == Phase::Dead, || "no open story of a dead pet".to_owned())?;
                self.pets.get_mut(pet).expect("it was dead").phase = Phase::Ended;
                Ok(vec![self.pet_change(pet)])
            }
            Payload::Keepsake { pet } => {
                let known = self.pet(pet)?;
                let may = known.phase == Phase::Ended && known.owner == actor;
                require(may, || "no own pet whose story has ended".to_owned())?;
                let known = self.pets.get_mut(pet).expect("it was found");
                known.phase = Phase::Kept;
                let wallet = std::mem::take(&mut known.wallet);
                let account = self.accounts.get_mut(&actor).ok_or("an owner without a record")?;
                account.free += wallet + std::mem::take(&mut account.granted);
                Ok(vec![self.pet_change(pet), self.account_change(&actor)])
            }
            Payload::Time { parent, statements } => {
                self.check_statements(statements, here)?;
                require(actor == self.genesis.house_account(), || "it is not the house's".to_owned())?;
                require(*parent == here.parent, || "it names another parent".to_owned())?;
                self.check_idle(here)?;
                Ok(Vec::new())
            }
            Payload::Rekey { new_key, recovery } => {
                let account = self.accounts.get_mut(&actor).ok_or("an account without a record")?;
                require(account.key != Some(*new_key), || "the key is the old one".to_owned())?;
                (account.key, account.recovery) = (Some(*new_key), *recovery);
                Ok(vec![self.account_change(&actor)])
            }
            Payload::Offer { .. } | Payload::Bid { .. } => self.place(event, id, here),
            Payload::Cancel { order } => {
                let order = self.open(order, here)?;
                require(order.maker == actor, || "it cancels another one's order".to_owned())?;
                self.orders.remove(&order.id);
                if order.side == Side::Bid {
                    self.accounts.get_mut(&actor).ok_or("a bid of nobody")?.free += order.price;
                }
                self.closed.insert(order.id, Closed { height: here.height, reason: "cancelled" });
                Ok(vec![Change::Closed(order.id), self.account_change(&actor)])
            }
            Payload::Take { order, price } => self.take(event, id, order, *price, here),
            Payload::Seal { over, proof, time } => {
                if let Some(statements) = time {
                    self.check_statements(statements, here)?;
                }
                self.seal(&actor, over, *proof, time.is_some(), here)
            }
            Payload::Moderate { target, verdict, .. } => {
                self.judgements.push(Judgement {
                    height: here.height,
                    index: here.index,
                    timestamp_ms: here.timestamp_ms,
                    id,
                    target: *target,
                    verdict: *verdict,
                });
                Ok(vec![Change::Keys(self.offices.clone())])
            }
            Payload::Appoint { operator, moderators, witnesses, threshold } => {
                let new = |key: &PublicKey| Office { key: *key, nonce: here.timestamp_ms };
                let stays = |key: &PublicKey| {
                    let known = self.offices.moderators.iter().find(|office| office.key == *key);
                    known.cloned().unwrap_or_else(|| new(key))
                };
                let moderators = moderators.iter().map(stays).collect();
                let is_same = self.offices.operator.key == *operator;
                self.offices = Keys {
                    operator: if is_same { self.offices.operator.clone() } else { new(operator) },
                    moderators,
                    witnesses: witnesses.clone(),
                    threshold: *threshold,
                    upgrade: self.offices.upgrade,
                };
                Ok(vec![Change::Keys(self.offices.clone())])
            }
            Payload::Upgrade { rules_hash, at_height } => {
                require(*at_height > here.height, || "it is of the past".to_owned())?;
                let pending = PendingUpgrade { rules_hash: *rules_hash, at_height: *at_height };
                self.offices.upgrade = (*rules_hash != self.rules).then_some(pending);
                Ok(vec![Change::Keys(self.offices.clone())])
            }
        }
    }

    fn visit(
        &mut self,
        event: &Event,
        id: EventId,
        post: &EventId,
        here: &Here,
    ) -> Result<Vec<Change>, String> {
        let (actor, kind) = (event.account, event.payload.kind());
        let birth = *self.pets_of_posts.get(post).ok_or("it is about no post")?;
        let owner = self.living(&birth)?.owner;
        let ttl = u64::from(self.genesis.parameters.ttl);
        let opened_age = self.posts.get(post).ok_or("it is about a closed post")?.card.opened_age;
        require(here.age - opened_age <= ttl, || "it is about a closed post".to_owned())?;
        let mut changes = Vec::new();
        if kind != Kind::Comment {
            require(owner != actor, || "an owner visits an own post".to_owned())?;
            let is_first = self.visited.insert((kind, *post, actor));
            require(is_first, || "it visits a post a second time".to_owned())?;
        } else if owner == actor {
            self.pay_for_post(&actor)?;
            self.pets.get_mut(&birth).expect("it lives").wallet += self.genesis.parameters.post_cost;
            changes.push(self.account_change(&actor));
        }
        let open = self.posts.get_mut(post).expect("it was found");
        let pet = self.pets.get_mut(&birth).expect("it lives");
        let comment = if kind == Kind::Comment { id.0 } else { [0; 32] };
        let visit = Visit { kind: kind as u8, account: actor, comment };
        open.card.visits = visit.extend(&open.card.visits);
        open.visits.push(visit);
        let (of_card, of_pet) = match kind {
            Kind::Pat => (&mut open.card.pats, &mut pet.pats),
            Kind::Share => (&mut open.card.shares, &mut pet.shares),
            _ => (&mut open.card.comments, &mut pet.comments),
        };
        *of_card += 1;
        *of_pet += 1;
        pet.last_age = here.age;
        changes.push(Change::Post(open.card.clone()));
        changes.push(self.pet_change(&birth));
        Ok(changes)
    }

    fn open(&self, id: &EventId, here: &Here) -> Result<Order, String> {
        let order = self.orders.get(id).filter(|order| self.is_open(order, here.timestamp_ms));
        order.cloned().ok_or_else(|| "it is about no open order".to_owned())
    }

    /// An offer or a bid.
    fn place(&mut self, event: &Event, id: EventId, here: &Here) -> Result<Vec<Change>, String> {
        let (side, birth, price, until_ms) = match event.payload {
            Payload::Offer { pet, price, until_ms } => (Side::Offer, pet, price, until_ms),
            Payload::Bid { pet, price, until_ms } => (Side::Bid, pet, price, until_ms),
            _ => return Err("it places no order".to_owned()),
        };
        let actor = event.account;
        let pet = self.tradable(&birth)?;
        let soon = here.timestamp_ms..=here.timestamp_ms + ORDER_AHEAD_MS;
        require(price > 0 && soon.contains(&until_ms), || "its terms are out of range".to_owned())?;
        let mut changes = Vec::new();
        let of_pet: Vec<&Order> = self
            .orders
            .values()
            .filter(|order| {
                order.pet == birth && order.side == side && self.is_open(order, here.timestamp_ms)
            })
            .collect();
        match side {
            Side::Offer => {
                require(pet.owner == actor, || "it offers another one's pet".to_owned())?;
                require(of_pet.is_empty(), || "the pet is on offer already".to_owned())?;
                require(price <= self.minted, || "it asks for more treats than there are".to_owned())?;
            }
            Side::Bid => {
                require(pet.owner != actor, || "it bids for an own pet".to_owned())?;
                let has = pet.phase == Phase::Living && self.living_pet(&actor).is_some();
                require(!has, || "it bids for a second living pet".to_owned())?;
                if of_pet.len() >= 16 {
                    let lowest = of_pet.iter().map(|order| order.price).min().expect("sixteen");
                    require(lowest < price, || "it bids too little".to_owned())?;
                    let last = of_pet.iter().filter(|order| order.price == lowest);
                    let last = last.max_by_key(|order| (order.placed_ms, std::cmp::Reverse(order.id)));
                    let outbid = Order { until_ms: 0, ..(*last.expect("one of sixteen")).clone() };
                    changes.push(Change::Order(outbid.clone()));
                    self.orders.insert(outbid.id, outbid);
                }
                self.pay(&actor, price)?;
            }
        }
        require(self.orders_by(&actor) < 16, || "its maker has sixteen orders".to_owned())?;
        let order = Order {
            id,
            side,
            pet: birth,
            phase: pet.phase,
            owner: pet.owner,
            maker: actor,
            price,
            placed_ms: here.timestamp_ms,
            until_ms,
        };
        self.orders.insert(id, order.clone());
        changes.extend([Change::Order(order), self.account_change(&actor)]);
        Ok(changes)
    }

    fn take(
        &mut self,
        event: &Event,
        id: EventId,
        order: &EventId,
        price: u64,
        here: &Here,
    ) -> Result<Vec<Change>, String> {
        let actor = event.account;
        let order = self.open(order, here)?;
        require(order.price == price, || "it takes at another price".to_owned())?;
        require(order.maker != actor, || "it trades with itself".to_owned())?;
        let owner = self.pets[&order.pet].owner;
        let (seller, buyer) = match order.side {
            Side::Offer => (order.maker, actor),
            Side::Bid => (actor, order.maker),
        };
        require(owner == seller, || "a stranger sells".to_owned())?;
        let has = order.phase == Phase::Living && self.living_pet(&buyer).is_some();
        require(!has, || "it buys a second living pet".to_owned())?;
        if order.side == Side::Offer {
            self.pay(&buyer, price)?;
        }
        self.orders.remove(&order.id);
        self.closed.insert(order.id, Closed { height: here.height, reason: "taken" });
        // The house's part, rounded up.
        let permille = u128::from(self.genesis.parameters.cut_permille);
        let cut = u64::try_from((u128::from(price) * permille).div_ceil(1000)).expect("a part of the price");
        self.house += cut;
        self.accounts.entry(seller).or_insert_with(|| Account::new(seller)).free += price - cut;
        self.pets.get_mut(&order.pet).expect("it was found").owner = buyer;
        let trade = Trade { order: order.id, pet: order.pet, seller, buyer, price, cut };
        let (height, index, timestamp_ms) = (here.height, here.index, here.timestamp_ms);
        self.sales.push(Sale { height, index, timestamp_ms, id, trade });
        Ok(vec![
            Change::Trade(trade),
            self.pet_change(&order.pet),
            self.account_change(&seller),
            self.account_change(&buyer),
        ])
    }

    /// So many different witnesses as must have said it of the parent.
    fn check_statements(&self, statements: &[Statement], here: &Here) -> Finding {
        let said = statement_bytes(&self.genesis.kennel(), &here.parent);
        let mut who = BTreeSet::new();
        for statement in statements {
            let key =
                self.offices.witnesses.get(usize::from(statement.witness)).ok_or("a witness of none")?;
            let key = VerifyingKey::from_bytes(&key.0).map_err(|_| "a witness with no key")?;
            let signed = key.verify_strict(&said, &Signature::from_bytes(&statement.signature));
            require(signed.is_ok(), || "a witness has not said so".to_owned())?;
            who.insert(statement.witness);
        }
        let is_enough = who.len() == statements.len() && who.len() >= usize::from(self.offices.threshold);
        require(is_enough, || "too few witnesses say so".to_owned())
    }

    fn check_idle(&self, here: &Here) -> Finding {
        let parameters = &self.genesis.parameters;
        let is_idle = here.timestamp_ms - self.last_aging_ms >= parameters.idle_ms && self.age != here.age;
        let lives = self.pets.values().any(|pet| pet.phase == Phase::Living);
        require(is_idle && lives, || "the kennel is not idle".to_owned())
    }

    fn seal(
        &mut self,
        actor: &AccountId,
        over: &BlockHash,
        proof: u64,
        is_time: bool,
        here: &Here,
    ) -> Result<Vec<Change>, String> {
        let parameters = &self.genesis.parameters;
        let (purpose, due, reward) = match is_time {
            true => (Purpose::Time, here.parent, parameters.time_reward),
            false => (Purpose::Age, self.began.1, parameters.seal_reward),
        };
        require(*over == due, || "the seal is over another block".to_owned())?;
        let work = Work::new(&self.genesis.kennel(), over, actor, purpose, self.difficulty);
        require(work.is_done_by(proof), || "the seal's work is too little".to_owned())?;
        if is_time {
            self.check_idle(here)?;
        } else {
            require(!self.sealed, || "the age has its seal".to_owned())?;
            self.sealed = true;
        }
        let earned = reward.min(self.house);
        self.house -= earned;
        self.minted += reward - earned;
        self.accounts.entry(*actor).or_insert_with(|| Account::new(*actor)).free += reward;
        Ok(vec![self.account_change(actor)])
    }
}

impl Sale {
    pub(super) fn sort_key(&self, kennel: &KennelId) -> String {
        items::feed_sk(self.timestamp_ms, self.height, self.index, kennel)
    }

    pub(super) fn item(&self) -> Attributes {
        attributes([
            ("id", self.id.0.into()),
            ("record", encode(&self.trade).into()),
            ("height", self.height.into()),
            ("timestamp_ms", self.timestamp_ms.into()),
        ])
    }
}

impl Judgement {
    pub(super) fn sort_key(&self, kennel: &KennelId) -> String {
        items::feed_sk(self.timestamp_ms, self.height, self.index, kennel)
    }

    pub(super) fn item(&self) -> Attributes {
        attributes([
            ("verdict_height", self.height.into()),
            ("verdict", u64::from(self.verdict as u8).into()),
            ("by", self.id.0.into()),
            ("target", self.target.0.into()),
            ("timestamp_ms", self.timestamp_ms.into()),
        ])
    }

    /// Whether the item of an event's body says this.
    pub(super) fn is_shown_by(&self, item: &Attributes) -> bool {
        item.number("verdict_height") == Ok(self.height)
            && item.number("verdict") == Ok(u64::from(self.verdict as u8))
            && item.digest("by") == Ok(self.id.0)
    }
}

/// What an answer of a table in memory is.
fn at_once<T, E: std::fmt::Debug>(answer: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    answer.now_or_never().ok_or("a table in memory waits")?.map_err(bad("a read"))
}

impl Books {
    /// All that is published says what the books say.
    pub(super) fn are_shown(&self, kennel: &KennelId, table: &MemoryTable) -> Finding {
        for (id, pet) in &self.pets {
            let card = at_once(read_pet(table, id, Consistency::Strong))?;
            require(card.as_ref().is_some_and(|card| card.pet == *pet), || {
                format!("of pet {id} is shown what it is not\n  {card:?}\n  and it is {pet:?}")
            })?;
        }
        for id in self.accounts.keys() {
            let account = self.account(id);
            let card = at_once(read_account(table, id))?;
            let shown = card.records.into_iter().find(|(of, _)| of == kennel).map(|(_, account)| account);
            require(shown.as_ref() == Some(&account), || {
                format!("of account {id} is shown what it has not\n  {shown:?}\n  and it has {account:?}")
            })?;
        }
        for (id, order) in &self.orders {
            let item = table.item(&items::order(id)).ok_or_else(|| format!("order {id} is not shown"))?;
            let is_open = !item.contains_key("closed_height");
            require(is_open && item.bytes("record") == Ok(encode(order).as_slice()), || {
                format!("order {id} is open, and not shown so")
            })?;
        }
        for (id, closed) in &self.closed {
            let item = table.item(&items::order(id)).ok_or_else(|| format!("order {id} is not shown"))?;
            let shown = item.number("closed_height").ok().zip(item.text("closed_reason").ok());
            require(shown == Some((closed.height, closed.reason)), || {
                format!("of the end of order {id} is shown {shown:?}, and it was {closed:?}")
            })?;
        }
        let sales = self.sales.iter().map(|sale| (sale.sort_key(kennel), sale.item()));
        listed(table, &items::trades_pk(kennel), sales)?;
        let judgements = self.judgements.iter().map(|one| (one.sort_key(kennel), one.item()));
        listed(table, &items::verdicts_pk(kennel), judgements)?;
        let newest: BTreeMap<EventId, &Judgement> =
            self.judgements.iter().map(|one| (one.target, one)).collect();
        for (target, judgement) in newest {
            let item = table.item(&items::verdict(&target, kennel));
            require(item.is_some_and(|item| judgement.is_shown_by(&item)), || {
                format!("the verdict on event {target} is not shown")
            })?;
        }
        // Before anybody used an office nothing is shown of it: the genesis says it.
        if let Some(shown) = &self.shown {
            let item = table.item(&items::keys(kennel)).ok_or("the keys of the offices are not shown")?;
            require(item.bytes("record") == Ok(encode(shown).as_slice()), || {
                "other keys of the offices are shown".to_owned()
            })?;
        }
        Ok(())
    }
}

/// A partition holds these items and no others.
fn listed(table: &MemoryTable, pk: &str, expected: impl Iterator<Item = (String, Attributes)>) -> Finding {
    let all = table.all();
    let shown: BTreeMap<&String, &Attributes> =
        all.iter().filter(|(key, _)| key.pk == pk).map(|(key, item)| (&key.sk, item)).collect();
    let expected: BTreeMap<String, Attributes> = expected.collect();
    let is_same = expected.iter().eq(shown);
    require(is_same, || format!("{pk} is not what the chain says"))
}
