//! Random lives of a kennel against a model that recomputes everything, and random bytes against
//! the codec and `replay`.
//!
//! The model is written from the rules' text and shares no code with them: maps, and a walk over
//! all pets after each block to find the dead.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use pitpet_chain::block::Block;
use pitpet_chain::codec::{Bytes, Canonical, decode, encode};
use pitpet_chain::event::{Payload, ReplayClass, SignedEvent};
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{AccountId, BirthHash, BlockHash, EventId};
use pitpet_chain::kennel::{Fault, Kennel, Signatures, Snapshot};
use pitpet_chain::mining::{Purpose, Work};
use pitpet_chain::reject::Reject;
use pitpet_chain::state::Phase;
use proptest::prelude::*;
use support::{FREE, World, account, comment, gift, key, pat, post, share, transfer};

const PARAMETERS: Parameters = Parameters {
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

const NAMES: [&str; 6] = ["house", "ann", "bob", "cat", "dan", "eve"];

/// A step of a random life. Targets are indexes into what there is so far.
#[derive(Clone, Debug)]
enum Act {
    Birth,
    Post(usize),
    Pat(usize),
    Share(usize),
    Comment(usize, u64),
    Gift(usize, u64),
    Transfer(usize, u64),
    StoryEnd(usize),
    Keepsake(usize),
    Time,
    Offer(usize, u64, u64),
    Bid(usize, u64, u64),
    Cancel(usize),
    /// Which order, and how much more than its price is named.
    Take(usize, u64),
    /// Of this age, without work, or over another block.
    Seal(u8),
    /// That mines time; with work or without.
    TimeSeal(bool),
    /// By a moderator, or by an account.
    Moderate(bool),
    /// The block before this act ends, and the clock moves by so much.
    Block(u64),
}

fn acts() -> impl Strategy<Value = Vec<(usize, Act)>> {
    let act = prop_oneof![
        4 => Just(Act::Birth),
        4 => (0..8_usize).prop_map(Act::Post),
        3 => (0..8_usize).prop_map(Act::Pat),
        2 => (0..8_usize).prop_map(Act::Share),
        3 => (0..8_usize, 0..4_u64).prop_map(|(post, n)| Act::Comment(post, n)),
        2 => (0..8_usize, 0..9_u64).prop_map(|(pet, n)| Act::Gift(pet, n)),
        2 => (0..NAMES.len(), 0..9_u64).prop_map(|(to, n)| Act::Transfer(to, n)),
        4 => (0..8_usize).prop_map(Act::StoryEnd),
        5 => (0..8_usize).prop_map(Act::Keepsake),
        1 => Just(Act::Time),
        3 => (0..8_usize, prop_oneof![9 => 0..6_u64, 1 => Just(1_000)], prop_oneof![1 => Just(0), 9 => 1..400_000_u64]).prop_map(|(pet, n, ms)| Act::Offer(pet, n, ms)),
        4 => (0..8_usize, 0..6_u64, prop_oneof![1 => Just(0), 9 => 1..400_000_u64]).prop_map(|(pet, n, ms)| Act::Bid(pet, n, ms)),
        1 => (0..8_usize).prop_map(Act::Cancel),
        6 => (0..4_usize, prop_oneof![5 => Just(0), 1 => Just(1)]).prop_map(|(order, n)| Act::Take(order, n)),
        5 => (0..4_u8).prop_map(Act::Seal),
        1 => any::<bool>().prop_map(Act::TimeSeal),
        1 => prop_oneof![3 => Just(true), 1 => Just(false)].prop_map(Act::Moderate),
        8 => prop_oneof![Just(0), 1..60_000_u64, Just(60_000), 60_000..120_000_u64].prop_map(Act::Block),
    ];
    proptest::collection::vec((0..NAMES.len(), act), 1..150)
}

#[derive(Clone, Debug, Default)]
struct ModelAccount {
    granted: u64,
    free: u64,
    acted: bool,
    last_expires_ms: u64,
}

#[derive(Clone, Debug)]
struct ModelPet {
    owner: usize,
    phase: Phase,
    last_age: u64,
    wallet: u64,
}

#[derive(Clone, Debug)]
struct ModelPost {
    pet: BirthHash,
    opened_age: u64,
    visits: Vec<(u8, usize, Option<EventId>)>,
}

#[derive(Clone, Debug)]
struct ModelOrder {
    is_bid: bool,
    pet: BirthHash,
    phase: Phase,
    owner: usize,
    maker: usize,
    price: u64,
    placed_ms: u64,
    until_ms: u64,
    outbid: bool,
}

/// The rules again, as simply as can be.
#[derive(Clone)]
struct Model {
    age: u64,
    /// The age before the block that is being made.
    age_before: u64,
    aged_ms: u64,
    accounts: BTreeMap<usize, ModelAccount>,
    pets: BTreeMap<BirthHash, ModelPet>,
    posts: BTreeMap<EventId, ModelPost>,
    orders: BTreeMap<EventId, ModelOrder>,
    house: u64,
    /// The block that began the age.
    began: BlockHash,
    sealed: bool,
    difficulty: u64,
    /// Whether each age since the last retarget was sealed.
    window: Vec<bool>,
    verdict_ms: u64,
}

impl Model {
    fn new(world: &World) -> Self {
        Self {
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
            verdict_ms: 0,
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

    /// Decides an event whose form is good.
    fn decide(
        &mut self,
        who: usize,
        payload: &Payload,
        id: EventId,
        expires_ms: u64,
        now_ms: u64,
        parent: BlockHash,
    ) -> Result<(), Reject> {
        if payload.amount() == Some(0) {
            return Err(Reject::AmountRange);
        }
        if let Payload::Offer { price, until_ms, .. } | Payload::Bid { price, until_ms, .. } = payload {
            if *price == 0 {
                return Err(Reject::PriceRange);
            }
            if *until_ms < now_ms {
                return Err(Reject::UntilRange);
            }
        }
        if matches!(payload, Payload::Take { price: 0, .. }) {
            return Err(Reject::PriceRange);
        }
        let full =
            !self.accounts.contains_key(&who) && self.accounts.len() >= PARAMETERS.accounts_max as usize;
        let age = self.age_before + 1;
        let extended = match payload {
            Payload::Birth { .. } => {
                if self.has_living_pet(who) {
                    return Err(Reject::HasLivingPet);
                }
                if self.living() >= PARAMETERS.living_max as usize {
                    return Err(Reject::KennelFull);
                }
                if full {
                    return Err(Reject::AccountsFull);
                }
                self.accounts.entry(who).or_default().granted += PARAMETERS.birth_grant;
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
                let to = (0..NAMES.len()).find(|n| account(NAMES[*n]) == *to).unwrap();
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
            Payload::Time { parent: named, .. } => {
                if NAMES[who] != "house" {
                    return Err(Reject::NotHouse);
                }
                if *named != parent {
                    return Err(Reject::WrongParent);
                }
                if !self.is_idle(now_ms) {
                    return Err(Reject::NotIdle);
                }
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
                    Some(_) if !self.is_idle(now_ms) => return Err(Reject::NotIdle),
                    Some(_) => Purpose::Time,
                };
                if !self.work(who, over, purpose).is_done_by(*proof) {
                    return Err(Reject::WeakSeal);
                }
                if time.is_some() {
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
            Payload::Moderate { .. } => {
                if self.verdict_ms >= now_ms {
                    return Err(Reject::StaleNonce);
                }
                self.verdict_ms = now_ms;
                return Ok(());
            }
            Payload::Rekey { .. } | Payload::Appoint { .. } | Payload::Upgrade { .. } => {
                unreachable!("the model has one key an account, an office, and one module")
            }
        };
        if let Some(pet) = extended {
            self.pets.get_mut(&pet).unwrap().last_age = age;
            self.ages(now_ms);
        }
        let subject = matches!(
            payload,
            Payload::Pat { .. }
                | Payload::Share { .. }
                | Payload::Comment { .. }
                | Payload::StoryEnd { .. }
                | Payload::Time { .. }
                | Payload::Seal { .. }
        );
        if let (false, Some(account)) = (subject, self.accounts.get_mut(&who)) {
            account.acted = true;
            account.last_expires_ms = account.last_expires_ms.max(expires_ms);
        }
        Ok(())
    }

    fn ages(&mut self, now_ms: u64) {
        (self.age, self.aged_ms) = (self.age_before + 1, now_ms);
    }

    fn work(&self, who: usize, over: &BlockHash, purpose: Purpose) -> Work {
        let kennel = support::genesis(PARAMETERS).kennel();
        Work::new(&kennel, over, &account(NAMES[who]), purpose, self.difficulty)
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
    fn end_block(&mut self, now_ms: u64, hash: BlockHash) -> BTreeSet<BirthHash> {
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
                || owners.contains(who)
                || makers.contains(who)
                || account.last_expires_ms >= now_ms
        });
        dead
    }

    fn compare(&self, world: &World) {
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
                (*birth, (account(NAMES[pet.owner]), pet.phase, pet.last_age, pet.wallet, left))
            })
            .collect();
        assert_eq!(pets, expected);
        for (who, name) in NAMES.iter().enumerate() {
            let ours = state.account(&account(name)).map(|account| (account.granted, account.free));
            let expected = self.accounts.get(&who).map(|account| (account.granted, account.free));
            assert_eq!(ours, expected, "{name}");
        }
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
            .map(|(id, order)| (*id, (account(NAMES[order.maker]), order.price, order.until_ms)))
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

/// What a life came across, so that a test can tell that lives are rich enough.
#[derive(Default)]
struct Seen {
    rejects: BTreeSet<Reject>,
    deaths: usize,
    trades: usize,
    seals: usize,
}

/// A proof that has the work, or one that hasn't.
fn proof(work: &Work, good: bool) -> u64 {
    (0..).find(|proof| work.is_done_by(*proof) == good).unwrap()
}

/// Plays a life on the kennel and on the model, comparing after each block.
fn play(steps: &[(usize, Act)], seen: &mut Seen) -> World {
    let mut world = World::new(PARAMETERS);
    let mut model = Model::new(&world);
    let (mut pets, mut posts, mut orders) = (Vec::new(), Vec::new(), Vec::new());
    let mut pending: Vec<(Bytes, Result<(), Reject>)> = Vec::new();
    for (who, act) in steps.iter().chain(&[(0, Act::Block(0))]) {
        let at = |targets: &Vec<EventId>, n: usize| match targets.len() {
            0 => EventId([1; 32]),
            count => targets[count - 1 - n % count],
        };
        let parent = world.kennel.head().hash;
        let payload = match act {
            Act::Birth => world.birth_payload(),
            Act::Post(n) => post(at(&pets, *n).into()),
            Act::Pat(n) => pat(at(&posts, *n)),
            Act::Share(n) => share(at(&posts, *n)),
            Act::Comment(n, text) => comment(at(&posts, *n), *text),
            Act::Gift(n, amount) => gift(at(&pets, *n).into(), *amount),
            Act::Transfer(to, amount) => transfer(NAMES[*to], *amount),
            Act::StoryEnd(n) => Payload::StoryEnd { pet: at(&pets, *n).into() },
            Act::Keepsake(n) => Payload::Keepsake { pet: at(&pets, *n).into() },
            Act::Time => Payload::Time { parent, statements: Vec::new() },
            Act::Offer(n, price, ms) => {
                Payload::Offer { pet: at(&pets, *n).into(), price: *price, until_ms: world.now_ms + ms - 1 }
            }
            Act::Bid(n, price, ms) => {
                Payload::Bid { pet: at(&pets, *n).into(), price: *price, until_ms: world.now_ms + ms - 1 }
            }
            Act::Cancel(n) => Payload::Cancel { order: at(&orders, *n) },
            Act::Take(n, more) => {
                let order = at(&orders, *n);
                let price = model.orders.get(&order).map_or(1, |order| order.price);
                Payload::Take { order, price: price + more }
            }
            Act::Seal(how) => {
                let over = if *how == 3 { BlockHash([3; 32]) } else { model.began };
                let work = model.work(*who, &over, Purpose::Age);
                Payload::Seal { over, proof: proof(&work, *how != 2), time: None }
            }
            Act::TimeSeal(good) => {
                let work = model.work(*who, &parent, Purpose::Time);
                Payload::Seal { over: parent, proof: proof(&work, *good), time: Some(Vec::new()) }
            }
            Act::Moderate(_) => Payload::Moderate {
                target: at(&posts, 0),
                verdict: pitpet_chain::event::Verdict::Hide,
                body: [7; 32],
            },
            Act::Block(_) => {
                end_block(&mut world, &mut model, &mut pending, seen);
                if let Act::Block(ms) = act {
                    // As far as a miner may go: see `Kennel::apply` on timestamps.
                    let latest_ms = world.kennel.header().timestamp_ms + 2 * PARAMETERS.idle_ms;
                    world.now_ms = latest_ms.min(world.now_ms + ms);
                }
                continue;
            }
        };
        // Many posts, keepsakes, offers and sales are by the one who may.
        let owner = |pet: &BirthHash| model.pets.get(pet).map_or(*who, |pet| pet.owner);
        let who = match (act, &payload) {
            (Act::Post(0..4), Payload::Post { pet, .. })
            | (Act::Keepsake(0..4), Payload::Keepsake { pet })
            | (Act::Offer(0..6, ..), Payload::Offer { pet, .. }) => owner(pet),
            (Act::Take(0..3, _), Payload::Take { order, .. }) => {
                model.orders.get(order).filter(|order| order.is_bid).map_or(*who, |order| order.owner)
            }
            _ => *who,
        };
        let now_ms = world.now_ms;
        let name = if let Act::Moderate(true) = act { "moderator" } else { NAMES[who] };
        let mut event = world.draft(account(name), &key(name), payload.clone());
        world.now_ms = now_ms;
        event.expires_ms = now_ms + 30_000;
        match payload.kind().replay_class() {
            // Nonces must not pass `expires_ms` and need not be dense.
            ReplayClass::Nonce => event.nonce *= 3,
            ReplayClass::Office => event.nonce = now_ms,
            ReplayClass::Subject => {}
        }
        let bytes = event.sign(&key(name));
        let id = SignedEvent::read(&bytes).unwrap().id;
        let expected = match act {
            Act::Moderate(false) => Err(Reject::NotModerator),
            _ => model.decide(who, &payload, id, event.expires_ms, now_ms, parent),
        };
        if expected.is_ok() {
            match payload {
                Payload::Birth { .. } => pets.push(id),
                Payload::Post { .. } => posts.push(id),
                Payload::Offer { .. } | Payload::Bid { .. } => orders.push(id),
                Payload::Take { .. } => seen.trades += 1,
                Payload::Seal { .. } => seen.seals += 1,
                _ => {}
            }
        }
        seen.rejects.extend(expected.err());
        pending.push((Bytes(bytes), expected));
    }
    world
}

fn end_block(
    world: &mut World,
    model: &mut Model,
    pending: &mut Vec<(Bytes, Result<(), Reject>)>,
    seen: &mut Seen,
) {
    let messages: Vec<Vec<Bytes>> =
        pending.chunks(3).map(|chunk| chunk.iter().map(|(event, _)| event.clone()).collect()).collect();
    let outcome = world.kennel.apply(world.now_ms, &messages).unwrap();
    assert_eq!(outcome.consumed as usize, messages.len());
    let got: Vec<(usize, Reject)> =
        outcome.rejects.iter().map(|at| ((at.message * 3 + at.event) as usize, at.reject)).collect();
    let expected: Vec<(usize, Reject)> =
        pending.iter().enumerate().filter_map(|(n, (_, expected))| expected.err().map(|r| (n, r))).collect();
    assert_eq!(got, expected, "rejects of the block");
    assert_eq!(outcome.block.is_none(), expected.len() == pending.len());
    pending.clear();
    if let Some(made) = outcome.block {
        let dead = model.end_block(world.now_ms, made.head.hash);
        seen.deaths += dead.len();
        let block: Block = decode(&made.bytes.0).unwrap();
        let deaths: BTreeSet<BirthHash> = block
            .deaths
            .iter()
            .map(|death| decode::<pitpet_chain::block::Death>(&death.0).unwrap().pet)
            .collect();
        assert_eq!(deaths, dead);
        world.blocks.push(made);
    }
    model.compare(world);
}

/// Whether these blocks are the same but for their timestamp, and leave the same state.
fn only_time_differs(one: &[u8], other: &[u8]) -> Result<(), String> {
    let (one, mut other): (Block, Block) = (decode(one).unwrap(), decode(other).unwrap());
    other.header.timestamp_ms = one.header.timestamp_ms;
    if one == other { Ok(()) } else { Err(format!("{one:?} and {other:?}")) }
}

/// Decoding gives the value back, and no other bytes give it.
fn only_encoding<T: Canonical + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = encode(value);
    assert_eq!(decode::<T>(&bytes).as_ref(), Ok(value));
    assert!(decode::<T>(&[&bytes[..], &[0]].concat()).is_err());
    for end in 0..bytes.len() {
        assert!(decode::<T>(&bytes[..end]).is_err(), "cut to {end} bytes");
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut other = bytes.clone();
            other[at] ^= 1 << bit;
            if let Ok(read) = decode::<T>(&other) {
                assert_ne!(&read, value);
                assert_eq!(encode(&read), other, "decoding then encoding is the identity");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn kennel_agrees_with_the_model(steps in acts()) {
        let world = play(&steps, &mut Seen::default());
        support::replays(&world);
        for block in &world.blocks[1..] {
            let block: Block = decode(&block.bytes.0).unwrap();
            only_encoding(&block.header);
        }
    }

    #[test]
    fn snapshots_open_and_go_on_alike(steps in acts(), more in acts()) {
        let mut world = play(&steps, &mut Seen::default());
        let snapshot = world.kennel.snapshot();
        let bytes = encode(&snapshot);
        let read: Snapshot = decode(&bytes).unwrap();
        prop_assert_eq!(&read, &snapshot);
        let mut opened = Kennel::open(read, support::RULES).unwrap();
        prop_assert_eq!(opened.head(), world.kennel.head());
        prop_assert_eq!(encode(&opened.snapshot()), bytes);
        // The next block is the same from both.
        world.now_ms += 1000;
        let mut message = Vec::new();
        for (who, _) in more.iter().take(20) {
            let payload = world.birth_payload();
            message.push(Bytes(world.event(NAMES[*who], payload)));
        }
        let messages = [message];
        prop_assert_eq!(opened.apply(world.now_ms, &messages), world.kennel.apply(world.now_ms, &messages));
    }

    /// A changed block is refused, or is another block: the time of one that ages nothing is its
    /// miner's word, so another time makes a sound block of another hash.
    #[test]
    fn a_changed_block_never_passes_for_itself(steps in acts(), at: prop::sample::Index, bit in 0..8_u32, which: prop::sample::Index) {
        let world = play(&steps, &mut Seen::default());
        if world.blocks.len() == 1 {
            return Ok(());
        }
        let height = 1 + which.index(world.blocks.len() - 1);
        let (mut kennel, _) = Kennel::found(world.kennel.state().genesis().clone(), support::RULES).unwrap();
        for block in &world.blocks[1..height] {
            kennel.replay(&block.bytes.0, Signatures::Trusted).unwrap();
        }
        let good = &world.blocks[height];
        let bytes = &good.bytes.0;
        let mut flipped = bytes.clone();
        flipped[at.index(bytes.len())] ^= 1 << bit;
        let mut doubled = bytes.clone();
        doubled.insert(at.index(bytes.len()), bytes[at.index(bytes.len())] ^ 1);
        let cut = bytes[..at.index(bytes.len())].to_vec();
        let long = [bytes.as_slice(), &[0]].concat();
        for bad in [doubled, cut, long] {
            prop_assert!(kennel.clone().replay(&bad, Signatures::Checked).is_err());
        }
        if let Ok(other) = kennel.clone().replay(&flipped, Signatures::Checked) {
            prop_assert_ne!(other.head.hash, good.head.hash);
            prop_assert_eq!(only_time_differs(&flipped, bytes), Ok(()));
        }
        kennel.replay(bytes, Signatures::Checked).unwrap();
    }

    /// A snapshot changed anywhere is refused, or is about another head; it never traps.
    #[test]
    fn a_changed_snapshot_never_passes_for_the_head(steps in acts(), at: prop::sample::Index, bit in 0..8_u32) {
        let world = play(&steps, &mut Seen::default());
        let mut bytes = encode(&world.kennel.snapshot());
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let opened = decode::<Snapshot>(&bytes).ok().and_then(|read| Kennel::open(read, support::RULES).ok());
        if let Some(opened) = opened {
            prop_assert_ne!(opened.head().hash, world.kennel.head().hash);
        }
    }

    #[test]
    fn random_bytes_are_no_event(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(SignedEvent::read(&bytes).is_err());
        prop_assert!(decode::<Block>(&bytes).is_err());
    }

    #[test]
    fn integers_have_one_form(n: u64) {
        only_encoding(&n);
        only_encoding(&Some(n));
        only_encoding(&vec![n, n / 256, n % 24]);
    }
}

/// The one change of a block that the rules can't refuse, bit by bit: the time of a block that ages
/// nothing. It makes another block, which nothing that was signed or linked names.
#[test]
fn a_block_of_another_time_is_another_block() {
    let mut world = World::new(Parameters { birth_grant: 5, ..FREE });
    let pet = world.born("ann");
    world.post("ann", pet);
    world.pass(u64::from(FREE.ttl));
    world.done("bob", Payload::StoryEnd { pet });
    let story_end = world.blocks.len() - 1;
    world.now_ms += 1_000;
    world.done("ann", Payload::Keepsake { pet });
    let (mut kennel, _) = Kennel::found(world.kennel.state().genesis().clone(), support::RULES).unwrap();
    for block in &world.blocks[1..story_end] {
        kennel.replay(&block.bytes.0, Signatures::Trusted).unwrap();
    }
    let (good, child) = (&world.blocks[story_end], &world.blocks[story_end + 1]);
    let mut taken = 0;
    for at in 0..good.bytes.0.len() {
        for bit in 0..8 {
            let mut bytes = good.bytes.0.clone();
            bytes[at] ^= 1 << bit;
            let mut fork = kennel.clone();
            let Ok(other) = fork.replay(&bytes, Signatures::Checked) else { continue };
            taken += 1;
            assert_eq!(only_time_differs(&bytes, &good.bytes.0), Ok(()));
            assert_ne!(other.head.hash, good.head.hash);
            assert_ne!(other.head.checkpoint_root, good.head.checkpoint_root);
            assert_eq!(fork.replay(&child.bytes.0, Signatures::Checked), Err(Fault::Link));
        }
    }
    assert!(taken > 0, "the time of such a block is its miner's word");
}

/// Sums in a snapshot are its writer's claim, and may not overflow whoever opens it.
#[test]
fn a_snapshot_with_too_many_treats_is_refused() {
    let mut world = World::new(FREE);
    let pet = world.born("ann");
    world.born("bob");
    world.post("ann", pet);
    let sound = world.kennel.snapshot();
    let changes: [&dyn Fn(&mut Snapshot); 4] = [
        &|snapshot| snapshot.records.accounts.iter_mut().for_each(|account| account.free = u64::MAX),
        &|snapshot| snapshot.records.accounts[0].granted = u64::MAX,
        &|snapshot| snapshot.records.pets.iter_mut().for_each(|pet| pet.wallet = u64::MAX),
        &|snapshot| (snapshot.records.posts[0].0.pats, snapshot.records.posts[0].0.shares) = (u64::MAX, 1),
    ];
    for change in changes {
        let mut snapshot = sound.clone();
        change(&mut snapshot);
        assert!(Kennel::open(snapshot, support::RULES).is_err());
    }
    assert!(Kennel::open(sound, support::RULES).is_ok());
}

/// Random lives are worth playing only if they come across nearly everything.
#[test]
fn random_lives_are_rich() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = Seen::default();
    for _ in 0..300 {
        play(&acts().new_tree(&mut runner).unwrap().current(), &mut seen);
    }
    let expected = [
        Reject::AmountRange,
        Reject::NotHouse,
        Reject::UnknownPet,
        Reject::DeadPet,
        Reject::UnknownPost,
        Reject::ClosedPost,
        Reject::NotOwner,
        Reject::OwnPet,
        Reject::AlreadyDone,
        Reject::PostFull,
        Reject::TooManyPosts,
        Reject::HasLivingPet,
        Reject::AccountsFull,
        Reject::NoTreats,
        Reject::SelfTransfer,
        Reject::NotDead,
        Reject::AlreadyEnded,
        Reject::AlreadyKept,
        Reject::NotEnded,
        Reject::NotIdle,
        Reject::PriceRange,
        Reject::UntilRange,
        Reject::StaleNonce,
        Reject::UnknownOrder,
        Reject::NotMaker,
        Reject::SelfTrade,
        Reject::AlreadyOffered,
        Reject::BeyondSupply,
        Reject::WrongPrice,
        Reject::StaleSeal,
        Reject::WeakSeal,
        Reject::AlreadySealed,
        Reject::NotModerator,
    ];
    assert!(seen.trades > 50, "{} trades", seen.trades);
    assert!(seen.seals > 50, "{} seals", seen.seals);
    assert!(seen.deaths > 50, "{} deaths", seen.deaths);
    for reject in expected {
        assert!(seen.rejects.contains(&reject), "{reject:?} never came up");
    }
}

/// Every record type that is sent, stored or hashed, in one real kennel's values.
#[test]
fn records_have_one_encoding() {
    let mut world = World::new(FREE);
    let pet = world.born("ann");
    let id = world.post("ann", pet);
    world.done("bob", pat(id));
    world.done("bob", comment(id, 1));
    let block = world.block();
    for bytes in &block.events {
        only_encoding(&SignedEvent::read(&bytes.0).unwrap().event);
    }
    for bytes in &block.receipts {
        only_encoding(&decode::<pitpet_chain::block::Receipt>(&bytes.0).unwrap());
    }
    only_encoding(&block);
    only_encoding(&world.kennel.snapshot());
    only_encoding(&world.kennel.head());
    only_encoding(&pitpet_chain::kennel::prove_event(&world.blocks[4].bytes.0, 0).unwrap());
    only_encoding(&world.kennel.prove(&pitpet_chain::state::StateKey::Pet(pet)));
}
