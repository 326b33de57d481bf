//! The rules again, as simply as can be, written from their text: maps, and a walk over all pets
//! after each block to find the dead.
//!
//! Deliberately absent: any code of the rules, hashes and signatures. A key is a number; who signed
//! what is remembered when it is signed.
#![allow(dead_code, unreachable_pub, missing_docs)] // Each test file uses its own part of it.

pub mod life;

use std::collections::{BTreeMap, BTreeSet};

use pitpet_chain::event::Payload;
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{AccountId, BirthHash, BlockHash, EventId, KennelId, PublicKey, RulesHash};
use pitpet_chain::mining::{Purpose, Statement, Work};
use pitpet_chain::reject::Reject;
use pitpet_chain::state::{Office, Phase};

use crate::support::{FREE, HOUR_MS, World, account, key, public};

pub const PARAMETERS: Parameters = Parameters {
    ttl: 4,
    idle_ms: 60_000,
    living_max: 4,
    accounts_max: 4,
    visits_per_post_max: 4,
    open_posts_max: 2,
    birth_grant: 5,
    seal_reward: 5,
    time_reward: 6,
    ..FREE
};

/// All keys that there are. Each is the first key of an account; the first [`PLAYERS`] accounts play.
pub const KEYS: [&str; 18] = [
    "house",
    "ann",
    "bob",
    "cat",
    "dan",
    "eve",
    "operator",
    "moderator",
    "w0",
    "w1",
    "w2",
    "w3",
    "w4",
    "spare",
    "safe",
    "heir",
    "deputy",
    "stranger",
];
pub const PLAYERS: usize = 6;
pub const OPERATOR: usize = 6;
pub const MODERATOR: usize = 7;
/// The first of the five keys that the time witnesses begin with.
pub const WITNESS: usize = 8;

/// The number of a key.
pub fn key_number(key: &PublicKey) -> usize {
    (0..KEYS.len()).find(|n| public_of(*n) == *key).expect("there is no other key")
}

pub fn public_of(number: usize) -> PublicKey {
    public(&key(KEYS[number]))
}

/// What the model knows of a signed event.
#[derive(Clone, Debug)]
pub struct Act<'a> {
    /// The account.
    pub who: usize,
    /// The key that it names.
    pub key: usize,
    /// Whether another key signed it.
    pub forged: bool,
    pub nonce: u64,
    pub id: EventId,
    pub expires_ms: u64,
    pub payload: &'a Payload,
}

#[derive(Clone, Debug, Default)]
pub struct ModelAccount {
    pub granted: u64,
    pub free: u64,
    /// None until it acts.
    pub key: Option<usize>,
    pub recovery: Option<usize>,
    pub nonce: u64,
    pub last_expires_ms: u64,
}

#[derive(Clone, Debug)]
pub struct ModelPet {
    pub owner: usize,
    pub phase: Phase,
    pub last_age: u64,
    pub wallet: u64,
}

#[derive(Clone, Debug)]
pub struct ModelPost {
    pub pet: BirthHash,
    pub opened_age: u64,
    pub visits: Vec<(u8, usize, Option<EventId>)>,
}

#[derive(Clone, Debug)]
pub struct ModelOrder {
    pub is_bid: bool,
    pub pet: BirthHash,
    pub phase: Phase,
    pub owner: usize,
    pub maker: usize,
    pub price: u64,
    pub placed_ms: u64,
    pub until_ms: u64,
    pub outbid: bool,
}

/// The rules again, as simply as can be.
#[derive(Clone)]
pub struct Model {
    pub kennel: KennelId,
    pub height: u64,
    pub head: BlockHash,
    /// When the head was mined.
    pub head_ms: u64,
    /// The first block of each minute of the last hour, below the head.
    pub anchors: Vec<(BlockHash, u64)>,
    pub age: u64,
    /// The age before the block that is being made.
    pub age_before: u64,
    pub aged_ms: u64,
    pub accounts: BTreeMap<usize, ModelAccount>,
    pub pets: BTreeMap<BirthHash, ModelPet>,
    pub posts: BTreeMap<EventId, ModelPost>,
    pub orders: BTreeMap<EventId, ModelOrder>,
    pub house: u64,
    /// The block that began the age.
    pub began: BlockHash,
    pub sealed: bool,
    pub difficulty: u64,
    /// Whether each age since the last retarget was sealed.
    pub window: Vec<bool>,
    /// The operator's key, and its last nonce.
    pub operator: (usize, u64),
    /// Each moderator's key, and its last nonce.
    pub moderators: Vec<(usize, u64)>,
    pub witnesses: Vec<usize>,
    pub threshold: usize,
    /// Which module decided the head.
    pub rules: RulesHash,
    /// Which one is to decide, and from which height on.
    pub upgrade: Option<(RulesHash, u64)>,
    /// Every statement ever signed, by its signature: by which key, about which head.
    pub said: BTreeMap<[u8; 64], (usize, BlockHash)>,
    /// What has taken effect.
    pub applied: BTreeSet<EventId>,
}

impl Model {
    pub fn new(world: &World) -> Self {
        let genesis = world.kennel.state().genesis();
        Self {
            kennel: *world.kennel.id(),
            height: 0,
            head: world.kennel.head().hash,
            head_ms: world.now_ms,
            anchors: Vec::new(),
            age: 0,
            age_before: 0,
            aged_ms: world.now_ms,
            accounts: BTreeMap::new(),
            pets: BTreeMap::new(),
            posts: BTreeMap::new(),
            orders: BTreeMap::new(),
            house: 0,
            began: world.kennel.head().hash,
            sealed: false,
            difficulty: 1 << PARAMETERS.seal_bits,
            window: Vec::new(),
            operator: (OPERATOR, 0),
            moderators: vec![(MODERATOR, 0)],
            witnesses: genesis.witnesses.iter().map(key_number).collect(),
            threshold: usize::from(genesis.threshold),
            rules: world.kennel.header().rules_hash,
            upgrade: None,
            said: BTreeMap::new(),
            applied: BTreeSet::new(),
        }
    }

    fn locked(&self) -> u64 {
        self.orders.values().filter(|order| order.is_bid).map(|order| order.price).sum()
    }

    /// All treats there are.
    fn supply(&self) -> u64 {
        self.accounts.values().map(|account| account.granted + account.free).sum::<u64>()
            + self.pets.values().map(|pet| pet.wallet).sum::<u64>()
            + self.locked()
            + self.house
    }

    /// Which key an account acts with.
    pub fn current_key(&self, who: usize) -> usize {
        self.accounts.get(&who).and_then(|account| account.key).unwrap_or(who)
    }

    pub fn recovery_key(&self, who: usize) -> Option<usize> {
        self.accounts.get(&who).and_then(|account| account.recovery)
    }

    /// Which module decides the next block.
    pub fn deciding(&self) -> RulesHash {
        match self.upgrade {
            Some((rules, at_height)) if at_height == self.height + 1 => rules,
            _ => self.rules,
        }
    }

    fn has_living_pet(&self, who: usize) -> bool {
        self.pets.values().any(|pet| pet.owner == who && pet.phase == Phase::Living)
    }

    fn is_open(&self, order: &ModelOrder, now_ms: u64) -> bool {
        let pet = &self.pets[&order.pet];
        !order.outbid && order.until_ms >= now_ms && (pet.owner, pet.phase) == (order.owner, order.phase)
    }

    fn open_order(&self, id: &EventId, now_ms: u64) -> Result<ModelOrder, Reject> {
        let order = self.orders.get(id).filter(|order| self.is_open(order, now_ms));
        order.cloned().ok_or(Reject::UnknownOrder)
    }

    #[allow(clippy::too_many_arguments, reason = "what an order consists of")]
    fn place(
        &mut self,
        who: usize,
        id: EventId,
        is_bid: bool,
        pet: BirthHash,
        price: u64,
        until_ms: u64,
        now_ms: u64,
    ) -> Result<(), Reject> {
        let found = self.pets.get(&pet).ok_or(Reject::UnknownPet)?.clone();
        if matches!(found.phase, Phase::Dead | Phase::Ended) {
            return Err(Reject::DeadPet);
        }
        let rivals: Vec<(EventId, ModelOrder)> = self
            .orders
            .iter()
            .filter(|(_, order)| order.pet == pet && order.is_bid == is_bid && self.is_open(order, now_ms))
            .map(|(id, order)| (*id, order.clone()))
            .collect();
        if is_bid {
            if found.owner != who && found.phase == Phase::Living && self.has_living_pet(who) {
                return Err(Reject::HasLivingPet);
            }
            if self.accounts.get(&who).is_none_or(|account| account.free < price) {
                return Err(Reject::NoTreats);
            }
            if found.owner == who {
                return Err(Reject::SelfTrade);
            }
        } else {
            if found.owner != who {
                return Err(Reject::NotOwner);
            }
            if !rivals.is_empty() {
                return Err(Reject::AlreadyOffered);
            }
            if price > self.supply() {
                return Err(Reject::BeyondSupply);
            }
        }
        if self.orders.values().filter(|order| order.maker == who).count() >= 16 {
            return Err(Reject::TooManyOrders);
        }
        if is_bid && rivals.len() >= 16 {
            let (lowest, order) = rivals
                .iter()
                .min_by_key(|(id, order)| (order.price, std::cmp::Reverse(order.placed_ms), *id))
                .unwrap();
            if order.price >= price {
                return Err(Reject::BidTooLow);
            }
            self.orders.get_mut(lowest).unwrap().outbid = true;
        }
        if is_bid {
            self.accounts.get_mut(&who).unwrap().free -= price;
        }
        let (phase, owner) = (found.phase, found.owner);
        let order = ModelOrder {
            is_bid,
            pet,
            phase,
            owner,
            maker: who,
            price,
            placed_ms: now_ms,
            until_ms,
            outbid: false,
        };
        self.orders.insert(id, order);
        Ok(())
    }

    fn take(&mut self, who: usize, id: &EventId, price: u64, now_ms: u64) -> Result<(), Reject> {
        let order = self.open_order(id, now_ms)?;
        let pet = self.pets[&order.pet].clone();
        if order.is_bid && pet.owner != who {
            return Err(Reject::NotOwner);
        }
        let (seller, buyer) = if order.is_bid { (who, order.maker) } else { (order.maker, who) };
        if seller != buyer && pet.phase == Phase::Living && self.has_living_pet(buyer) {
            return Err(Reject::HasLivingPet);
        }
        let funds = self.accounts.get(&who).ok_or(Reject::NoTreats)?.free;
        if !order.is_bid && funds < order.price {
            return Err(Reject::NoTreats);
        }
        if order.maker == who {
            return Err(Reject::SelfTrade);
        }
        if order.price != price {
            return Err(Reject::WrongPrice);
        }
        self.orders.remove(id);
        if !order.is_bid {
            self.accounts.get_mut(&who).unwrap().free -= price;
        }
        // 30 % rounded up.
        let cut = price - price * 7 / 10;
        self.house += cut;
        self.accounts.get_mut(&seller).unwrap().free += price - cut;
        self.pets.get_mut(&order.pet).unwrap().owner = buyer;
        Ok(())
    }

    fn reward(&mut self, who: usize, reward: u64) {
        self.house -= self.house.min(reward);
        self.accounts.entry(who).or_default().free += reward;
    }

    /// Whether time may be mined.
    fn is_idle(&self, now_ms: u64) -> bool {
        now_ms - self.aged_ms >= PARAMETERS.idle_ms && self.age == self.age_before && self.living() > 0
    }

    /// Whether enough witnesses say so of this head: each once, in their order, and nobody else.
    fn is_said(&self, statements: &[Statement], head: BlockHash) -> Result<(), Reject> {
        if statements.len() < self.threshold {
            return Err(Reject::TooFewStatements);
        }
        let mut next = 0;
        for statement in statements {
            let witness = usize::from(statement.witness);
            let sound = witness >= next
                && self
                    .witnesses
                    .get(witness)
                    .is_some_and(|key| self.said.get(&statement.signature) == Some(&(*key, head)));
            if !sound {
                return Err(Reject::BadStatement);
            }
            next = witness + 1;
        }
        Ok(())
    }

    /// Names what is wrong with a choice of keys.
    fn is_choice(moderators: &[PublicKey], witnesses: &[PublicKey], threshold: u8) -> bool {
        let distinct = |keys: &[PublicKey]| keys.iter().collect::<BTreeSet<_>>().len() == keys.len();
        let (count, threshold) = (witnesses.len(), usize::from(threshold));
        let majority = if count == 0 { threshold == 0 } else { (count / 2 + 1..=count).contains(&threshold) };
        moderators.len() <= 8 && count <= 9 && distinct(moderators) && distinct(witnesses) && majority
    }

    fn living(&self) -> usize {
        self.pets.values().filter(|pet| pet.phase == Phase::Living).count()
    }

    fn pay(&mut self, who: usize, amount: u64, granted_too: bool) -> Result<(), Reject> {
        let account = self.accounts.get_mut(&who).ok_or(Reject::NoTreats)?;
        let granted = if granted_too { account.granted.min(amount) } else { 0 };
        if account.free < amount - granted {
            return Err(Reject::NoTreats);
        }
        account.granted -= granted;
        account.free -= amount - granted;
        Ok(())
    }

    fn visit(
        &mut self,
        who: usize,
        post: &EventId,
        kind: u8,
        id: Option<EventId>,
    ) -> Result<BirthHash, Reject> {
        let age = self.age_before + 1;
        let found = self.posts.get(post).ok_or(Reject::UnknownPost)?.clone();
        let pet = &self.pets[&found.pet];
        if pet.phase != Phase::Living || age - found.opened_age > u64::from(PARAMETERS.ttl) {
            return Err(Reject::ClosedPost);
        }
        let own = pet.owner == who;
        if own && kind != 5 {
            return Err(Reject::OwnPet);
        }
        if found.visits.contains(&(kind, who, id)) {
            return Err(Reject::AlreadyDone);
        }
        if found.visits.len() >= PARAMETERS.visits_per_post_max as usize {
            return Err(Reject::PostFull);
        }
        if own {
            self.pay(who, PARAMETERS.post_cost, true)?;
            self.pets.get_mut(&found.pet).unwrap().wallet += PARAMETERS.post_cost;
        }
        self.posts.get_mut(post).unwrap().visits.push((kind, who, id));
        Ok(found.pet)
    }

    /// What is wrong with an event whatever the state.
    fn check_form(act: &Act<'_>, now_ms: u64) -> Result<(), Reject> {
        let office = matches!(
            act.payload,
            Payload::Moderate { .. } | Payload::Appoint { .. } | Payload::Upgrade { .. }
        );
        if act.expires_ms < now_ms {
            return Err(Reject::Expired);
        }
        if office && !(1..=now_ms).contains(&act.nonce) {
            return Err(Reject::NonceRange);
        }
        if act.payload.amount() == Some(0) {
            return Err(Reject::AmountRange);
        }
        if act.forged {
            return Err(Reject::BadSignature);
        }
        match act.payload {
            Payload::Offer { price: 0, .. }
            | Payload::Bid { price: 0, .. }
            | Payload::Take { price: 0, .. } => Err(Reject::PriceRange),
            Payload::Offer { until_ms, .. } | Payload::Bid { until_ms, .. } if *until_ms < now_ms => {
                Err(Reject::UntilRange)
            }
            Payload::Appoint { moderators, witnesses, threshold, .. }
                if !Self::is_choice(moderators, witnesses, *threshold) =>
            {
                Err(Reject::KeysRange)
            }
            _ => Ok(()),
        }
    }

    /// Whether the key may act for the account.
    fn check_key(&self, act: &Act<'_>) -> Result<(), Reject> {
        let recovers =
            matches!(act.payload, Payload::Rekey { .. }) && self.recovery_key(act.who) == Some(act.key);
        if self.current_key(act.who) == act.key || recovers { Ok(()) } else { Err(Reject::WrongKey) }
    }

    fn check_nonce(&self, act: &Act<'_>) -> Result<(), Reject> {
        let last = match act.payload {
            Payload::Moderate { .. } => {
                self.moderators.iter().find(|(key, _)| *key == act.key).map(|office| office.1)
            }
            Payload::Appoint { .. } | Payload::Upgrade { .. } => {
                (self.operator.0 == act.key).then_some(self.operator.1)
            }
            payload if is_by_subject(payload) => None,
            _ => self.accounts.get(&act.who).map(|account| account.nonce),
        };
        if last.is_some_and(|last| act.nonce <= last) { Err(Reject::StaleNonce) } else { Ok(()) }
    }

    /// Decides an event.
    pub fn decide(&mut self, act: &Act<'_>, now_ms: u64) -> Result<(), Reject> {
        let parent = self.head;
        Self::check_form(act, now_ms)?;
        self.check_key(act)?;
        self.check_nonce(act)?;
        let Act { who, id, payload, .. } = *act;
        let full =
            !self.accounts.contains_key(&who) && self.accounts.len() >= PARAMETERS.accounts_max as usize;
        let age = self.age_before + 1;
        let extended = match payload {
            Payload::Birth { recovery, anchor, .. } => {
                if self.has_living_pet(who) {
                    return Err(Reject::HasLivingPet);
                }
                let newest = self.anchors.last().map(|(hash, _)| hash);
                let is_recent = |(hash, ms): &(BlockHash, u64)| hash == anchor && now_ms - ms <= HOUR_MS;
                let is_bound = *anchor == self.head || Some(anchor) == newest;
                if !is_bound && !self.anchors.iter().any(is_recent) {
                    return Err(Reject::StaleAnchor);
                }
                if self.living() >= PARAMETERS.living_max as usize {
                    return Err(Reject::KennelFull);
                }
                if full {
                    return Err(Reject::AccountsFull);
                }
                let account = self.accounts.entry(who).or_default();
                account.granted += PARAMETERS.birth_grant;
                account.recovery = recovery.as_ref().map(key_number).or(account.recovery);
                let pet = ModelPet { owner: who, phase: Phase::Living, last_age: age, wallet: 0 };
                self.pets.insert(id.into(), pet);
                Some(BirthHash::from(id))
            }
            Payload::Post { pet, .. } => {
                let found = self.pets.get(pet).ok_or(Reject::UnknownPet)?;
                if found.phase != Phase::Living {
                    return Err(Reject::DeadPet);
                }
                if found.owner != who {
                    return Err(Reject::NotOwner);
                }
                let open = self.posts.values().filter(|post| post.pet == *pet).count();
                if open >= PARAMETERS.open_posts_max as usize {
                    return Err(Reject::TooManyPosts);
                }
                self.pay(who, PARAMETERS.post_cost, true)?;
                self.pets.get_mut(pet).unwrap().wallet += PARAMETERS.post_cost;
                self.posts.insert(id, ModelPost { pet: *pet, opened_age: age, visits: Vec::new() });
                Some(*pet)
            }
            Payload::Pat { post } => Some(self.visit(who, post, 3, None)?),
            Payload::Share { post } => Some(self.visit(who, post, 4, None)?),
            Payload::Comment { post, .. } => Some(self.visit(who, post, 5, Some(id))?),
            Payload::Gift { pet, amount } => {
                if self.pets.get(pet).ok_or(Reject::UnknownPet)?.phase != Phase::Living {
                    return Err(Reject::DeadPet);
                }
                self.pay(who, *amount, false)?;
                self.pets.get_mut(pet).unwrap().wallet += amount;
                Some(*pet)
            }
            Payload::Transfer { to, amount } => {
                let to = (0..KEYS.len()).find(|n| account(KEYS[*n]) == *to).unwrap();
                if !self.accounts.contains_key(&to) && self.accounts.len() >= PARAMETERS.accounts_max as usize
                {
                    return Err(Reject::AccountsFull);
                }
                let mut after = self.clone();
                after.pay(who, *amount, false)?;
                if to == who {
                    return Err(Reject::SelfTransfer);
                }
                *self = after;
                self.accounts.entry(to).or_default().free += amount;
                None
            }
            Payload::StoryEnd { pet } => {
                let found = self.pets.get_mut(pet).ok_or(Reject::UnknownPet)?;
                match found.phase {
                    Phase::Living => return Err(Reject::NotDead),
                    Phase::Dead => found.phase = Phase::Ended,
                    _ => return Err(Reject::AlreadyEnded),
                }
                None
            }
            Payload::Keepsake { pet } => {
                let found = self.pets.get_mut(pet).ok_or(Reject::UnknownPet)?;
                if found.owner != who {
                    return Err(Reject::NotOwner);
                }
                match found.phase {
                    Phase::Kept => return Err(Reject::AlreadyKept),
                    Phase::Ended => found.phase = Phase::Kept,
                    _ => return Err(Reject::NotEnded),
                }
                let account = self.accounts.get_mut(&who).unwrap();
                account.free += account.granted + found.wallet;
                (account.granted, found.wallet) = (0, 0);
                None
            }
            Payload::Time { parent: named, statements } => {
                if KEYS[who] != "house" {
                    return Err(Reject::NotHouse);
                }
                if *named != parent {
                    return Err(Reject::WrongParent);
                }
                if !self.is_idle(now_ms) {
                    return Err(Reject::NotIdle);
                }
                self.is_said(statements, parent)?;
                self.ages(now_ms);
                None
            }
            Payload::Offer { pet, price, until_ms } => {
                self.place(who, id, false, *pet, *price, *until_ms, now_ms)?;
                None
            }
            Payload::Bid { pet, price, until_ms } => {
                self.place(who, id, true, *pet, *price, *until_ms, now_ms)?;
                None
            }
            Payload::Cancel { order } => {
                let found = self.open_order(order, now_ms)?;
                if found.maker != who {
                    return Err(Reject::NotMaker);
                }
                self.orders.remove(order);
                if found.is_bid {
                    self.accounts.get_mut(&who).unwrap().free += found.price;
                }
                None
            }
            Payload::Take { order, price } => {
                self.take(who, order, *price, now_ms)?;
                None
            }
            Payload::Seal { over, proof, time } => {
                if full {
                    return Err(Reject::AccountsFull);
                }
                let purpose = match time {
                    None if *over != self.began => return Err(Reject::StaleSeal),
                    None => Purpose::Age,
                    Some(_) if *over != parent => return Err(Reject::WrongParent),
                    Some(_) if !self.is_idle(now_ms) => return Err(Reject::NotIdle),
                    Some(_) => Purpose::Time,
                };
                if !self.work(who, over, purpose).is_done_by(*proof) {
                    return Err(Reject::WeakSeal);
                }
                if let Some(statements) = time {
                    self.is_said(statements, parent)?;
                    self.reward(who, PARAMETERS.time_reward);
                    self.ages(now_ms);
                } else if self.sealed {
                    return Err(Reject::AlreadySealed);
                } else {
                    self.sealed = true;
                    self.reward(who, PARAMETERS.seal_reward);
                }
                None
            }
            Payload::Rekey { new_key, recovery } => {
                let new = key_number(new_key);
                if !self.accounts.contains_key(&who) {
                    return Err(Reject::UnknownAccount);
                }
                if self.current_key(who) == new {
                    return Err(Reject::SameKey);
                }
                let account = self.accounts.get_mut(&who).unwrap();
                account.key = Some(new);
                account.recovery = recovery.as_ref().map(key_number);
                None
            }
            Payload::Moderate { .. } => {
                let office = self.moderators.iter_mut().find(|(key, _)| *key == act.key);
                office.ok_or(Reject::NotModerator)?.1 = act.nonce;
                None
            }
            Payload::Appoint { operator, moderators, witnesses, threshold } => {
                if self.operator.0 != act.key {
                    return Err(Reject::NotOperator);
                }
                // Whoever stays goes on counting; whoever comes begins now.
                let operator = key_number(operator);
                self.operator = (operator, if operator == act.key { act.nonce } else { now_ms });
                let last = |key| self.moderators.iter().find(|(old, _)| *old == key).map_or(now_ms, |o| o.1);
                self.moderators = moderators.iter().map(key_number).map(|key| (key, last(key))).collect();
                self.witnesses = witnesses.iter().map(key_number).collect();
                self.threshold = usize::from(*threshold);
                None
            }
            Payload::Upgrade { rules_hash, at_height } => {
                if self.operator.0 != act.key {
                    return Err(Reject::NotOperator);
                }
                // The block that holds this is the next one.
                if *at_height <= self.height + 1 {
                    return Err(Reject::PastHeight);
                }
                self.operator.1 = act.nonce;
                self.rules = self.deciding();
                self.upgrade = (*rules_hash != self.rules).then_some((*rules_hash, *at_height));
                None
            }
        };
        if let Some(pet) = extended {
            self.pets.get_mut(&pet).unwrap().last_age = age;
            self.ages(now_ms);
        }
        let office =
            matches!(payload, Payload::Moderate { .. } | Payload::Appoint { .. } | Payload::Upgrade { .. });
        if !office && !is_by_subject(payload) {
            let account = self.accounts.get_mut(&who).expect("who acts has a record");
            account.nonce = act.nonce;
            account.key = account.key.or(Some(act.key));
            account.last_expires_ms = account.last_expires_ms.max(act.expires_ms);
        }
        assert!(self.applied.insert(id), "{payload:?} applies once");
        Ok(())
    }

    fn ages(&mut self, now_ms: u64) {
        (self.age, self.aged_ms) = (self.age_before + 1, now_ms);
    }

    pub fn work(&self, who: usize, over: &BlockHash, purpose: Purpose) -> Work {
        Work::new(&self.kennel, over, &account(KEYS[who]), purpose, self.difficulty)
    }

    fn retarget(&mut self) {
        self.window.push(self.sealed);
        if self.window.len() == 8 {
            let sealed = self.window.iter().filter(|sealed| **sealed).count();
            let (by, of) = [(1, 2), (1, 2), (1, 2), (3, 4), (3, 4), (7, 8), (1, 1), (5, 4), (2, 1)][sealed];
            self.difficulty = (self.difficulty * by / of).max(1 << PARAMETERS.seal_bits);
            self.window.clear();
        }
    }

    /// Ends the block with this hash.
    pub fn end_block(&mut self, now_ms: u64, hash: BlockHash) -> BTreeSet<BirthHash> {
        let minute = |ms: u64| ms / 60_000;
        if self.anchors.last().is_none_or(|(_, ms)| minute(*ms) != minute(self.head_ms)) {
            self.anchors.retain(|(_, ms)| now_ms - ms <= HOUR_MS);
            self.anchors.push((self.head, self.head_ms));
        }
        self.rules = self.deciding();
        self.height += 1;
        (self.head, self.head_ms) = (hash, now_ms);
        self.upgrade = self.upgrade.filter(|(_, at_height)| *at_height > self.height);
        if self.age != self.age_before {
            self.retarget();
            (self.age_before, self.began, self.sealed) = (self.age, hash, false);
        }
        let mut dead = BTreeSet::new();
        for (birth, pet) in &mut self.pets {
            if pet.phase == Phase::Living && self.age >= pet.last_age + u64::from(PARAMETERS.ttl) {
                pet.phase = Phase::Dead;
                dead.insert(*birth);
            }
        }
        self.posts.retain(|_, post| self.age <= post.opened_age + u64::from(PARAMETERS.ttl));
        let orders = std::mem::take(&mut self.orders);
        for (id, order) in orders {
            if self.is_open(&order, now_ms) {
                self.orders.insert(id, order);
            } else if order.is_bid {
                self.accounts.get_mut(&order.maker).unwrap().free += order.price;
            }
        }
        let owners: BTreeSet<usize> = self.pets.values().map(|pet| pet.owner).collect();
        let makers: BTreeSet<usize> = self.orders.values().map(|order| order.maker).collect();
        self.accounts.retain(|who, account| {
            account.granted + account.free > 0
                || account.key.is_some_and(|key| key != *who)
                || owners.contains(who)
                || makers.contains(who)
                || account.last_expires_ms >= now_ms
        });
        dead
    }

    pub fn compare(&self, world: &World) {
        let state = world.kennel.state();
        assert_eq!(state.totals().age, self.age);
        let pets: BTreeMap<BirthHash, (AccountId, Phase, u64, u64, u64)> = state
            .pets()
            .map(|pet| {
                let left = pet.remaining(PARAMETERS.ttl, state.totals().age);
                (pet.birth, (pet.owner, pet.phase, pet.last_age, pet.wallet, left))
            })
            .collect();
        let expected = self
            .pets
            .iter()
            .map(|(birth, pet)| {
                let left = match pet.phase {
                    Phase::Living => u64::from(PARAMETERS.ttl) - (self.age - pet.last_age),
                    _ => 0,
                };
                (*birth, (account(KEYS[pet.owner]), pet.phase, pet.last_age, pet.wallet, left))
            })
            .collect();
        assert_eq!(pets, expected);
        for (who, name) in KEYS.iter().enumerate() {
            let ours = state.account(&account(name)).map(|account| {
                let keys = (account.key.as_ref().map(key_number), account.recovery.as_ref().map(key_number));
                let owned = (account.pet, account.holdings as usize);
                (account.granted, account.free, keys, account.nonce, owned)
            });
            let expected = self.accounts.get(&who).map(|account| {
                let mine = || self.pets.iter().filter(|(_, pet)| pet.owner == who);
                let living = mine().find(|(_, pet)| pet.phase == Phase::Living).map(|(birth, _)| *birth);
                let owned = (living, mine().filter(|(_, pet)| pet.phase != Phase::Living).count());
                (account.granted, account.free, (account.key, account.recovery), account.nonce, owned)
            });
            assert_eq!(ours, expected, "{name}");
        }
        assert_eq!(state.totals().accounts as usize, self.accounts.len(), "nobody else has a record");
        let keys = state.keys();
        let office = |office: &Office| (key_number(&office.key), office.nonce);
        assert_eq!(office(&keys.operator), self.operator);
        assert_eq!(keys.moderators.iter().map(office).collect::<Vec<_>>(), self.moderators);
        assert_eq!(keys.witnesses.iter().map(key_number).collect::<Vec<_>>(), self.witnesses);
        assert_eq!(usize::from(keys.threshold), self.threshold);
        let header = world.kennel.header();
        assert_eq!((header.height, header.rules_hash), (self.height, self.rules));
        let upgrade = keys.upgrade.map(|upgrade| (upgrade.rules_hash, upgrade.at_height));
        assert_eq!(upgrade, self.upgrade);
        let posts: BTreeMap<EventId, usize> =
            state.posts().map(|(post, visits)| (post.id, visits.len())).collect();
        let expected: BTreeMap<EventId, usize> =
            self.posts.iter().map(|(id, post)| (*id, post.visits.len())).collect();
        assert_eq!(posts, expected);
        assert_eq!(state.totals().visits as usize, expected.values().sum::<usize>());
        assert_eq!(state.totals().living as usize, self.living());
        let orders: BTreeMap<EventId, (AccountId, u64, u64)> =
            state.orders().map(|order| (order.id, (order.maker, order.price, order.until_ms))).collect();
        let expected = self
            .orders
            .iter()
            .map(|(id, order)| (*id, (account(KEYS[order.maker]), order.price, order.until_ms)))
            .collect();
        assert_eq!(orders, expected);
        assert_eq!((state.totals().locked, state.totals().house), (self.locked(), self.house));
        assert_eq!(state.totals().minted, self.supply(), "treats are conserved");
        let mining = state.mining();
        assert_eq!((mining.sealed, mining.difficulty), (self.sealed, self.difficulty));
        assert_eq!(usize::from(mining.window_ages), self.window.len());
        assert!(state.is_balanced());
    }
}

/// Whether such an event is kept from counting twice by what it is about.
fn is_by_subject(payload: &Payload) -> bool {
    matches!(
        payload,
        Payload::Pat { .. }
            | Payload::Share { .. }
            | Payload::Comment { .. }
            | Payload::StoryEnd { .. }
            | Payload::Time { .. }
            | Payload::Seal { .. }
    )
}
