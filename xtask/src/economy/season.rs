//! A season on the real rules: people of several kinds visit a kennel, hour by hour.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use ed25519_dalek::SigningKey;
use pitpet_chain::block::{Block, Change, Receipt};
use pitpet_chain::codec::{Bytes, decode};
use pitpet_chain::event::{Event, Kind, Payload, ReplayClass, SignedEvent, VERSION};
use pitpet_chain::genesis::{Genesis, Parameters};
use pitpet_chain::hash::{AccountId, BirthHash, BlockHash, EventId, PublicKey, RulesHash, sha256};
use pitpet_chain::kennel::Kennel;
use pitpet_chain::limits;
use pitpet_chain::mining::{self, Purpose, Work};
use pitpet_chain::state::{Account, Phase, Side, Visit};
use pitpet_pipeline::economy::{Economy, Figures};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

const HOUR_MS: u64 = 60 * 60 * 1000;

/// When the kennel is founded, ms since the Unix epoch.
const FOUNDED_MS: u64 = 20_000 * 24 * HOUR_MS;

/// Hours of a day.
pub(super) const DAY_H: u64 = 24;

/// Trials that one trial of the simulation stands for: 2^23, so that a search that takes a phone
/// hours is over at once here. The kennel's least difficulty is lower by as many bits.
pub(super) const TRIAL_BITS: u8 = 23;

/// How somebody plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Owners who look in several times a day.
    Devoted,
    /// Owners who look in once a day.
    Regular,
    /// Owners who look in every third day.
    Casual,
    /// People without a pet who pat those of others.
    Visitor,
    /// Whoever searches seals, and spends the rewards.
    Miner,
    /// The owner of a farm: one pet, cared for by accounts of the same hand.
    FarmOwner,
    /// Those accounts.
    FakeVisitor,
    /// Accounts of one hand that have pets only to let them die.
    BirthFarm,
}

impl Role {
    pub(super) const ALL: [Self; 8] = [
        Self::Devoted,
        Self::Regular,
        Self::Casual,
        Self::Visitor,
        Self::Miner,
        Self::FarmOwner,
        Self::FakeVisitor,
        Self::BirthFarm,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Devoted => "owners, thrice a day",
            Self::Regular => "owners, daily",
            Self::Casual => "owners, every third day",
            Self::Visitor => "visitors without a pet",
            Self::Miner => "miners",
            Self::FarmOwner => "owners of visitor farms",
            Self::FakeVisitor => "their fake visitors",
            Self::BirthFarm => "farm of births",
        }
    }

    pub(super) fn is_honest_owner(self) -> bool {
        matches!(self, Self::Devoted | Self::Regular | Self::Casual)
    }

    /// Visits a day.
    fn visits(self) -> f64 {
        match self {
            Self::Devoted => 3.0,
            Self::Regular | Self::Visitor | Self::Miner => 1.0,
            Self::Casual => 1.0 / 3.0,
            // A program looks in every hour.
            Self::FarmOwner | Self::FakeVisitor | Self::BirthFarm => 24.0,
        }
    }
}

/// Who visits the pets of farms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    /// Everybody, as with any other pet: the farm's own accounts are hardly needed.
    Everybody,
    /// Nobody but the farm's own accounts.
    OwnAccounts,
}

/// How many of each kind there are, and for how long.
#[derive(Clone, Debug)]
pub(super) struct Cast {
    pub(super) seed: u64,
    pub(super) days: u64,
    /// Owners of each of the three kinds.
    pub(super) owners: u32,
    pub(super) visitors: u32,
    pub(super) miners: u32,
    /// Farms of fake visitors, and how many each has.
    pub(super) farms: u32,
    pub(super) fakes: u32,
    pub(super) birth_farm: u32,
    pub(super) company: Company,
}

impl Default for Cast {
    fn default() -> Self {
        Self {
            seed: 1,
            days: 90,
            owners: 40,
            visitors: 60,
            miners: 4,
            farms: 3,
            fakes: 20,
            birth_farm: 12,
            company: Company::Everybody,
        }
    }
}

struct Person {
    kind: Role,
    key: SigningKey,
    id: AccountId,
    nonce: u64,
    /// The pet that was living when they last looked.
    pet: Option<BirthHash>,
    /// Own pets that have died and are not remembered yet.
    lost: Vec<BirthHash>,
    /// Of a fake visitor: whose pet it cares for; of a birth farm: who gets all.
    master: Option<usize>,
    /// Of a miner: trials an hour, and the next proof to try.
    power: u64,
    next_proof: u64,
    /// Trials spent on stamps, as the parameters ask for.
    work: u128,
    /// Times that a post was wanted, and that it couldn't be paid.
    wanted: u64,
    starved: u64,
    events: u64,
}

/// An open post.
#[derive(Clone, Copy)]
struct Open {
    id: EventId,
    pet: BirthHash,
    opened_age: u64,
}

/// What is known of a kind in the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    pub(super) accounts: u64,
    pub(super) events: u64,
    /// Free and granted treats, those locked in bids, and those in the wallets of own pets.
    pub(super) treats: u64,
    /// Of these free to spend.
    pub(super) free: u64,
    pub(super) work: u128,
    pub(super) wanted: u64,
    pub(super) starved: u64,
    /// Lives that ended, ages, in order.
    pub(super) lives: Vec<u64>,
    pub(super) living: u64,
}

impl Sum {
    pub(super) fn per_account(&self) -> f64 {
        self.treats as f64 / self.accounts.max(1) as f64
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.accounts += other.accounts;
        self.events += other.events;
        self.treats += other.treats;
        self.free += other.free;
        self.work += other.work;
        self.wanted += other.wanted;
        self.starved += other.starved;
        self.living += other.living;
        self.lives.extend(&other.lives);
        self.lives.sort_unstable();
    }

    /// Of a thousand posts that were wanted, those that couldn't be paid.
    pub(super) fn starved_permille(&self) -> u64 {
        self.starved * 1_000 / self.wanted.max(1)
    }

    pub(super) fn median_life(&self) -> Option<u64> {
        self.lives.get(self.lives.len().checked_sub(1)? / 2).copied()
    }
}

/// A day of the season.
#[derive(Clone, Debug)]
pub(super) struct Day {
    pub(super) figures: Figures,
    pub(super) treats: BTreeMap<Role, f64>,
}

/// What came of it.
pub(super) struct Outcome {
    pub(super) days: Vec<Day>,
    pub(super) sums: BTreeMap<Role, Sum>,
    pub(super) difficulty: u64,
    pub(super) ages: u64,
    pub(super) sealed: u64,
    pub(super) rejects: u64,
    pub(super) blocks: u64,
}

struct Season {
    parameters: Parameters,
    company: Company,
    kennel: Kennel,
    economy: Economy,
    rng: ChaCha8Rng,
    now_ms: u64,
    people: Vec<Person>,
    places: BTreeMap<AccountId, usize>,
    open: Vec<Open>,
    /// Who brought a pet into the world, and at what age.
    born: BTreeMap<BirthHash, (usize, u64)>,
    lives: BTreeMap<Role, Vec<u64>>,
    sealed: u64,
    rejects: u64,
    blocks: u64,
}

fn key(seed: u64, number: u64) -> SigningKey {
    SigningKey::from_bytes(&sha256(&[seed.to_be_bytes(), number.to_be_bytes()].concat()))
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// Plays a season.
///
/// # Errors
/// If the rules trap or treats are lost.
pub(super) fn play(parameters: &Parameters, cast: &Cast) -> anyhow::Result<Outcome> {
    let mut season = Season::found(parameters, cast)?;
    let mut days = Vec::new();
    for hour in 0..cast.days * DAY_H {
        season.hour()?;
        if hour % DAY_H == DAY_H - 1 {
            let treats = season.sums().into_iter().map(|(kind, sum)| (kind, sum.per_account()));
            days.push(Day { figures: season.economy.figures()?, treats: treats.collect() });
        }
    }
    let sums = season.sums();
    Ok(Outcome {
        days,
        sums,
        difficulty: season.kennel.state().mining().difficulty,
        ages: season.kennel.state().totals().age,
        sealed: season.sealed,
        rejects: season.rejects,
        blocks: season.blocks,
    })
}

impl Season {
    fn found(parameters: &Parameters, cast: &Cast) -> anyhow::Result<Self> {
        let office = |number| public(&key(cast.seed, u64::MAX - number));
        let genesis = Genesis {
            version: 1,
            // Stamps are counted and not searched; seals are searched, by fewer trials.
            parameters: Parameters {
                stamp_bits: 0,
                birth_bits: 0,
                seal_bits: parameters.seal_bits.saturating_sub(TRIAL_BITS),
                ..parameters.clone()
            },
            operator: office(0),
            house: office(1),
            moderators: Vec::new(),
            witnesses: Vec::new(),
            threshold: 0,
            checkpoint: office(2),
            created_ms: FOUNDED_MS,
            random: sha256(&cast.seed.to_be_bytes()),
        };
        let mut economy = Economy::new(genesis.parameters.clone());
        let founded = Kennel::found(genesis, RulesHash([0; 32]));
        let (kennel, block) =
            founded.map_err(|fault| anyhow::anyhow!("the genesis is refused: {fault:?}"))?;
        economy.take(&block.bytes.0)?;
        let mut season = Self {
            parameters: parameters.clone(),
            company: cast.company,
            kennel,
            economy,
            rng: ChaCha8Rng::seed_from_u64(cast.seed),
            now_ms: FOUNDED_MS,
            people: Vec::new(),
            places: BTreeMap::new(),
            open: Vec::new(),
            born: BTreeMap::new(),
            lives: BTreeMap::new(),
            sealed: 0,
            rejects: 0,
            blocks: 0,
        };
        for kind in [Role::Devoted, Role::Regular, Role::Casual] {
            (0..cast.owners).for_each(|_| _ = season.join(cast.seed, kind, None));
        }
        (0..cast.visitors).for_each(|_| _ = season.join(cast.seed, Role::Visitor, None));
        for n in 0..cast.miners {
            let miner = season.join(cast.seed, Role::Miner, None);
            // From a phone to a desktop: 0.6 to 5 million trials a second.
            season.people[miner].power = 256 << (n % 4);
        }
        for _ in 0..cast.farms {
            let owner = season.join(cast.seed, Role::FarmOwner, None);
            (0..cast.fakes).for_each(|_| _ = season.join(cast.seed, Role::FakeVisitor, Some(owner)));
        }
        let mut boss = None;
        for _ in 0..cast.birth_farm {
            let member = season.join(cast.seed, Role::BirthFarm, boss);
            boss = boss.or(Some(member));
        }
        Ok(season)
    }

    fn join(&mut self, seed: u64, kind: Role, master: Option<usize>) -> usize {
        let key = key(seed, self.people.len() as u64);
        let id = AccountId::of(&public(&key));
        let place = self.people.len();
        self.places.insert(id, place);
        self.people.push(Person {
            kind,
            key,
            id,
            nonce: 0,
            pet: None,
            lost: Vec::new(),
            master,
            power: 0,
            next_proof: 0,
            work: 0,
            wanted: 0,
            starved: 0,
            events: 0,
        });
        place
    }

    fn chance(&mut self, probability: f64) -> bool {
        (self.rng.next_u32() as f64) < probability * f64::from(u32::MAX)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.rng.next_u64() % count.max(1) as u64) as usize
    }

    /// An hour: who looks in does something, and it is mined.
    fn hour(&mut self) -> anyhow::Result<()> {
        self.now_ms += HOUR_MS;
        let ttl = u64::from(self.parameters.ttl);
        let (age, state) = (self.age(), self.kennel.state());
        self.open.retain(|post| {
            age - post.opened_age <= ttl && state.pet(&post.pet).is_some_and(|pet| pet.phase == Phase::Living)
        });
        let mut acts: Vec<(usize, Payload)> = Vec::new();
        for place in 0..self.people.len() {
            let visits = self.people[place].kind.visits() / DAY_H as f64;
            if visits >= 1.0 || self.chance(visits) {
                self.visit(place, &mut acts);
            }
            self.search(place, &mut acts);
        }
        // Whoever comes first is left to chance.
        for last in (1..acts.len()).rev() {
            let other = self.below(last + 1);
            acts.swap(last, other);
        }
        self.mine(acts)?;
        self.house()
    }

    fn age(&self) -> u64 {
        self.kennel.state().totals().age
    }

    fn account(&self, place: usize) -> Option<Account> {
        self.kennel.state().account(&self.people[place].id).cloned()
    }

    /// Ages that are left of a living pet.
    fn left(&self, pet: &BirthHash) -> u64 {
        let pet = self.kennel.state().pet(pet);
        pet.map_or(0, |pet| pet.remaining(self.parameters.ttl, self.age()))
    }

    /// What somebody does who looks in.
    fn visit(&mut self, place: usize, acts: &mut Vec<(usize, Payload)>) {
        let account = self.account(place);
        self.look_after(place, account.as_ref(), acts);
        let free = account.as_ref().map_or(0, |account| account.free);
        let pet = account.as_ref().and_then(|account| account.pet);
        match self.people[place].kind {
            Role::Devoted | Role::Regular | Role::Casual => {
                self.care(place, account.as_ref(), acts);
                self.pat_some(place, 3, acts);
                self.trade(place, pet, free, acts);
                if free > 5 && self.chance(0.2) {
                    self.help(place, 1, acts);
                }
            }
            Role::Visitor => self.pat_some(place, 4, acts),
            Role::Miner => {
                if !self.buy(place, free, pet.is_some(), acts) && free > 3 && self.chance(0.5) {
                    self.help(place, 2, acts);
                }
            }
            Role::FarmOwner => self.farm(place, account.as_ref(), acts),
            Role::FakeVisitor => {}
            Role::BirthFarm => {
                if pet.is_none() && self.people[place].lost.is_empty() {
                    acts.push((place, self.birth()));
                }
                if let (Some(boss), 1..) = (self.people[place].master, free) {
                    let to = self.people[boss].id;
                    acts.push((place, Payload::Transfer { to, amount: free }));
                }
            }
        }
    }

    /// Notices a death, and makes the keepsake once the story has ended.
    fn look_after(&mut self, place: usize, account: Option<&Account>, acts: &mut Vec<(usize, Payload)>) {
        let now = account.and_then(|account| account.pet);
        let person = &mut self.people[place];
        if let Some(before) = person.pet.filter(|before| Some(*before) != now) {
            person.lost.push(before);
        }
        person.pet = now;
        let (state, id) = (self.kennel.state(), person.id);
        person.lost.retain(|pet| {
            // Sold ones are somebody else's to remember.
            state.pet(pet).is_some_and(|pet| pet.owner == id && pet.phase != Phase::Kept)
        });
        for pet in &person.lost {
            if state.pet(pet).is_some_and(|pet| pet.phase == Phase::Ended) {
                acts.push((place, Payload::Keepsake { pet: *pet }));
            }
        }
    }

    fn birth(&self) -> Payload {
        let anchor = self.kennel.head().hash;
        Payload::Birth { photo: [1; 32], body: [2; 32], recovery: None, anchor }
    }

    /// An owner begins a story, or posts: about every second day, and when the pet is fading.
    fn care(&mut self, place: usize, account: Option<&Account>, acts: &mut Vec<(usize, Payload)>) {
        let Some((account, pet)) = account.and_then(|account| Some((account, account.pet?))) else {
            acts.push((place, self.birth()));
            return;
        };
        let usual = 0.5 / self.people[place].kind.visits();
        if !self.chance(usual) && self.left(&pet) > 5 {
            return;
        }
        self.post(place, account, pet, acts);
    }

    fn post(&mut self, place: usize, account: &Account, pet: BirthHash, acts: &mut Vec<(usize, Payload)>) {
        let person = &mut self.people[place];
        person.wanted += 1;
        if account.granted + account.free < self.parameters.post_cost {
            person.starved += 1;
            return;
        }
        acts.push((place, Payload::Post { pet, photo: None, body: [3; 32] }));
    }

    /// Whether a pet is left to the farm that it belongs to.
    fn is_shunned(&self, pet: &BirthHash) -> bool {
        let owner = self.kennel.state().pet(pet).and_then(|pet| self.places.get(&pet.owner));
        self.company == Company::OwnAccounts
            && owner.is_some_and(|owner| self.people[*owner].kind == Role::FarmOwner)
    }

    /// Pats some posts of others, now and then shares or comments one.
    fn pat_some(&mut self, place: usize, count: usize, acts: &mut Vec<(usize, Payload)>) {
        for _ in 0..count.min(self.open.len()) {
            let n = self.below(self.open.len());
            let Open { id: post, pet, .. } = self.open[n];
            let account = self.people[place].id;
            let is_own = self.kennel.state().pet(&pet).is_none_or(|pet| pet.owner == account);
            let visit = Visit { kind: Kind::Pat as u8, account, comment: [0; 32] };
            if is_own || self.is_shunned(&pet) || self.kennel.state().has_visit(&post, &visit) {
                continue;
            }
            acts.push((place, Payload::Pat { post }));
            if self.chance(0.15) {
                acts.push((place, Payload::Share { post }));
            }
            if self.chance(0.15) {
                let body = sha256(&self.rng.next_u64().to_be_bytes());
                acts.push((place, Payload::Comment { post, body }));
            }
        }
    }

    /// Gives to the pet that is nearest its end, of a few that are looked at.
    fn help(&mut self, place: usize, amount: u64, acts: &mut Vec<(usize, Payload)>) {
        let seen: Vec<BirthHash> = (0..5.min(self.open.len()))
            .map(|_| {
                let n = self.below(self.open.len());
                self.open[n].pet
            })
            .collect();
        let seen = seen.into_iter().filter(|pet| !self.is_shunned(pet));
        if let Some(pet) = seen.min_by_key(|pet| self.left(pet)) {
            acts.push((place, Payload::Gift { pet, amount }));
        }
    }

    /// Now and then offers a pet or keepsake, or buys one.
    fn trade(&mut self, place: usize, pet: Option<BirthHash>, free: u64, acts: &mut Vec<(usize, Payload)>) {
        let until_ms = self.now_ms + 7 * DAY_H * HOUR_MS;
        if self.people[place].kind == Role::Casual
            && self.chance(0.05)
            && let Some(pet) = pet
        {
            let wallet = self.kennel.state().pet(&pet).map_or(0, |pet| pet.wallet);
            acts.push((place, Payload::Offer { pet, price: wallet + 10, until_ms }));
        }
        if self.chance(0.05) {
            let id = self.people[place].id;
            let kept = self.kennel.state().pets().find(|pet| pet.owner == id && pet.phase == Phase::Kept);
            if let Some(pet) = kept.map(|pet| pet.birth) {
                let price = 3 + self.below(8) as u64;
                acts.push((place, Payload::Offer { pet, price, until_ms }));
            }
        }
        if self.chance(0.05) {
            self.buy(place, free, pet.is_some(), acts);
        }
    }

    /// Takes the cheapest offer that can be paid.
    fn buy(&mut self, place: usize, free: u64, has_pet: bool, acts: &mut Vec<(usize, Payload)>) -> bool {
        let (state, id) = (self.kennel.state(), self.people[place].id);
        let offers = state.orders().filter(|order| {
            order.side == Side::Offer
                && order.maker != id
                && order.price <= free
                && !(has_pet && order.phase == Phase::Living)
                && state.open_order(&order.id, self.now_ms).is_some()
        });
        let Some(cheapest) = offers.min_by_key(|order| (order.price, order.id)) else { return false };
        acts.push((place, Payload::Take { order: cheapest.id, price: cheapest.price }));
        true
    }

    /// A farm posts as rarely as it may, and lets its accounts pat when the pet is fading.
    fn farm(&mut self, place: usize, account: Option<&Account>, acts: &mut Vec<(usize, Payload)>) {
        let Some((account, pet)) = account.and_then(|account| Some((account, account.pet?))) else {
            acts.push((place, self.birth()));
            return;
        };
        if self.left(&pet) > 2 {
            return;
        }
        let newest = self.open.iter().rev().find(|post| post.pet == pet).map(|post| post.id);
        let fakes: Vec<usize> =
            (0..self.people.len()).filter(|other| self.people[*other].master == Some(place)).collect();
        let fresh = newest.and_then(|post| {
            fakes.iter().copied().find_map(|fake| {
                let account = self.people[fake].id;
                let visit = Visit { kind: Kind::Pat as u8, account, comment: [0; 32] };
                (!self.kennel.state().has_visit(&post, &visit)).then_some((fake, post))
            })
        });
        match fresh {
            Some((fake, post)) => acts.push((fake, Payload::Pat { post })),
            None => self.post(place, account, pet, acts),
        }
    }

    /// A miner's hour: so many trials at the seal of the age.
    fn search(&mut self, place: usize, acts: &mut Vec<(usize, Payload)>) {
        let person = &self.people[place];
        if person.power == 0 {
            return;
        }
        let head = self.kennel.head();
        let mining = mining::after(self.kennel.state().mining(), head.height, &head.hash);
        if mining.sealed || mining.began == BlockHash([0; 32]) {
            return;
        }
        let work = Work::new(self.kennel.id(), &mining.began, &person.id, Purpose::Age, mining.difficulty);
        let found = work.search(person.next_proof, person.power);
        let (power, over) = (person.power, mining.began);
        let person = &mut self.people[place];
        person.next_proof += power;
        person.work += u128::from(power) << TRIAL_BITS;
        if let Some(proof) = found {
            acts.push((place, Payload::Seal { over, proof, time: None }));
        }
    }

    fn sign(&mut self, place: usize, payload: Payload) -> Vec<u8> {
        let trials = match payload.kind() {
            // The reaper's.
            Kind::StoryEnd => 0,
            Kind::Birth => 1_u128 << self.parameters.birth_bits,
            _ => 1 << self.parameters.stamp_bits,
        };
        let person = &mut self.people[place];
        person.work += trials;
        let nonce = match payload.kind().replay_class() {
            ReplayClass::Nonce | ReplayClass::Office => {
                person.nonce += 1;
                person.nonce
            }
            ReplayClass::Subject => 0,
        };
        let event = Event {
            version: VERSION,
            kennel: *self.kennel.id(),
            account: person.id,
            key: public(&person.key),
            nonce,
            expires_ms: self.now_ms + HOUR_MS,
            payload,
            stamp: 0,
        };
        event.sign(&person.key)
    }

    /// Mines what was done, in messages of one event each.
    fn mine(&mut self, acts: Vec<(usize, Payload)>) -> anyhow::Result<()> {
        let mut messages: Vec<Vec<Bytes>> =
            acts.into_iter().map(|(place, payload)| vec![Bytes(self.sign(place, payload))]).collect();
        while !messages.is_empty() {
            let outcome = self.kennel.apply(self.now_ms, &messages);
            let outcome = outcome.map_err(|fault| anyhow::anyhow!("the rules fail: {fault:?}"))?;
            self.rejects += outcome.rejects.len() as u64;
            messages.drain(..outcome.consumed as usize);
            if let Some(made) = outcome.block {
                self.economy.take(&made.bytes.0)?;
                self.learn(&decode(&made.bytes.0).map_err(|_| anyhow::anyhow!("a block can't be read"))?)?;
            }
        }
        Ok(())
    }

    /// Notices what a block did.
    fn learn(&mut self, block: &Block) -> anyhow::Result<()> {
        self.blocks += 1;
        for (event, receipt) in block.events.iter().zip(&block.receipts) {
            let signed = SignedEvent::read(&event.0).ok().context("an event of a block")?;
            let receipt: Receipt = decode(&receipt.0).ok().context("a receipt of a block")?;
            let Some(place) = self.places.get(&signed.event.account).copied() else { continue };
            self.people[place].events += u64::from(signed.event.payload.kind() != Kind::StoryEnd);
            match signed.event.payload {
                Payload::Birth { .. } => _ = self.born.insert(signed.id.into(), (place, block.header.age)),
                Payload::Post { pet, .. } => {
                    self.open.push(Open { id: signed.id, pet, opened_age: block.header.age });
                }
                Payload::Seal { .. } => self.sealed += 1,
                _ => {}
            }
            for change in receipt.changes {
                if let Change::Trade(trade) = change
                    && let (Some(buyer), Some(born)) =
                        (self.places.get(&trade.buyer), self.born.get_mut(&trade.pet))
                {
                    born.0 = *buyer;
                }
            }
        }
        for death in &block.deaths {
            let death: pitpet_chain::block::Death = decode(&death.0).ok().context("a death of a block")?;
            if let Some((owner, born)) = self.born.get(&death.pet) {
                self.lives.entry(self.people[*owner].kind).or_default().push(block.header.age - born);
            }
        }
        Ok(())
    }

    /// What the reaper does: closes stories. This kennel is never at rest, so that no time is mined.
    fn house(&mut self) -> anyhow::Result<()> {
        let dead: BTreeSet<BirthHash> =
            self.kennel.state().pets().filter(|pet| pet.phase == Phase::Dead).map(|pet| pet.birth).collect();
        // Anyone may: who does it doesn't matter here.
        let mut acts: Vec<(usize, Payload)> =
            dead.into_iter().map(|pet| (0, Payload::StoryEnd { pet })).collect();
        acts.truncate(limits::BLOCK_EVENTS_MAX);
        self.mine(acts)
    }

    fn sums(&self) -> BTreeMap<Role, Sum> {
        let mut sums: BTreeMap<Role, Sum> = BTreeMap::new();
        for person in &self.people {
            let sum = sums.entry(person.kind).or_default();
            sum.accounts += 1;
            sum.events += person.events;
            sum.work += person.work;
            sum.wanted += person.wanted;
            sum.starved += person.starved;
            sum.treats += self.economy.purse(&person.id);
            sum.free += self.kennel.state().account(&person.id).map_or(0, |account| account.free);
        }
        for pet in self.kennel.state().pets() {
            let Some(owner) = self.places.get(&pet.owner) else { continue };
            let sum = sums.entry(self.people[*owner].kind).or_default();
            sum.treats += pet.wallet;
            sum.living += u64::from(pet.phase == Phase::Living);
        }
        for (kind, sum) in &mut sums {
            sum.lives = self.lives.get(kind).cloned().unwrap_or_default();
            sum.lives.sort_unstable();
        }
        sums
    }
}
