//! The living: who is most alive, who is about to end, and how fast a kennel ages.
//!
//! No item of the table orders pets by what is left of their lives, which would be a write for
//! every pet at every age. A kennel's living pets are at most 1,024 and fit memory: they are taken
//! once from a replica of the kennel, and from then on kept up by the receipts and deaths of the
//! blocks that follow. Its [orders](super::market) are remembered along with them.
//!
//! A replica that isn't native doesn't show its state. Where other rules decide, the living are
//! taken from the newest snapshot whose state native code can hold, and from the blocks since.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pitpet_chain::block::{Block, Change, Death, Receipt};
use pitpet_chain::codec::decode;
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{BirthHash, BlockHash, EventId, KennelId};
use pitpet_chain::kennel::{Kennel, Snapshot};
use pitpet_chain::state::{Pet, Phase, Post, State};

use super::market::Orders;
use super::texts::Told;
use super::{Queries, cards};
use crate::api::{PetView, Problem};
use crate::head::{CommittedHead, Founding, LedgerError, damaged, path_down, read_block};
use crate::items::{self, DAY_MS, Fields};
use crate::ports::{Consistency, Order, Query};
use crate::snapshots;

/// Blocks that are read one by one; further behind, a replica is quicker.
const BLOCKS_BEHIND_MAX: u64 = 512;

/// Blocks that are read one by one from a kennel's beginning, where no snapshot helps.
const BLOCKS_FOLDED_MAX: u64 = 4_096;

/// How often a kennel's pace is measured anew, ms.
const PACE_KEPT_MS: u64 = 60_000;

/// By what pets are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranking {
    /// Most of their life left, and of these the most visited.
    Alive,
    /// Least of their life left.
    Ending,
}

/// A pet's place in an order: the lowest stands first.
type Rank = (u64, u64, BirthHash);

impl Ranking {
    fn rank(self, left: u64, pet: &Pet) -> Rank {
        let visits = pet.posts + pet.pats + pet.shares + pet.comments;
        match self {
            Self::Alive => (u64::MAX - left, u64::MAX - visits, pet.birth),
            Self::Ending => (left, pet.born_ms, pet.birth),
        }
    }
}

/// A living pet in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// The pet.
    pub pet: PetView,
    /// Its newest post, if that can be patted.
    pub post: Option<Post>,
}

/// The living pets and the orders of a kennel at a height.
#[derive(Clone, Debug)]
pub(super) struct Living {
    height: u64,
    hash: BlockHash,
    pets: HashMap<BirthHash, Pet>,
    /// The newest post of each.
    posts: HashMap<BirthHash, Post>,
    pub(super) orders: Orders,
    /// Whether all are there; if not, only those of whom the blocks since it was made speak.
    pub(super) is_whole: bool,
}

impl Living {
    /// Those of a state.
    fn of(state: &State, height: u64, hash: BlockHash) -> Self {
        let births = state.living_up_to(u64::MAX);
        let pet = |birth: &BirthHash| Some((*birth, state.pet(birth)?.clone()));
        let pets = births.iter().filter_map(pet).collect();
        let mut posts: Vec<&Post> = state.posts().map(|(post, _)| post).collect();
        posts.sort_unstable_by_key(|post| post.opened_age);
        let posts = posts.into_iter().map(|post| (post.pet, post.clone())).collect();
        Self { height, hash, pets, posts, orders: Orders::of(state), is_whole: true }
    }

    /// None: what there is after a genesis, or as much as is known.
    fn none(height: u64, hash: BlockHash, is_whole: bool) -> Self {
        Self {
            height,
            hash,
            pets: HashMap::new(),
            posts: HashMap::new(),
            orders: Orders::default(),
            is_whole,
        }
    }

    fn take(&mut self, block: &Block) -> Result<(), LedgerError> {
        self.orders.take(block)?;
        for receipt in &block.receipts {
            let receipt: Receipt = decode(&receipt.0).map_err(|_| damaged("a receipt"))?;
            for change in receipt.changes {
                match change {
                    Change::Pet(pet) if pet.phase == Phase::Living => {
                        self.pets.insert(pet.birth, pet);
                    }
                    Change::Post(post) => self.take_post(post),
                    _ => {}
                }
            }
        }
        for death in &block.deaths {
            let death: Death = decode(&death.0).map_err(|_| damaged("a death"))?;
            self.pets.remove(&death.pet);
            self.posts.remove(&death.pet);
        }
        self.height = block.header.height;
        self.hash = block.header.hash();
        Ok(())
    }

    /// Takes over a post that was opened or visited, unless there is a newer one.
    fn take_post(&mut self, post: Post) {
        let known = self.posts.get(&post.pet);
        // One without visits has just been opened.
        let is_newest = known.is_none_or(|known| {
            known.id == post.id || known.opened_age < post.opened_age || post.visit_count() == 0
        });
        if is_newest {
            self.posts.insert(post.pet, post);
        }
    }

    /// The newest post of a pet, if the rules let others pat it at this age.
    fn open_post(&self, birth: &BirthHash, age: u64, parameters: &Parameters) -> Option<Post> {
        let is_open = |post: &&Post| {
            age.saturating_sub(post.opened_age) <= u64::from(parameters.ttl)
                && post.visit_count() < u64::from(parameters.visits_per_post_max)
        };
        self.posts.get(birth).filter(is_open).cloned()
    }
}

/// What is remembered of kennels.
#[derive(Default)]
pub(super) struct Memory {
    /// Each behind a lock of its own, so that one request takes a kennel up and others wait for it.
    living: std::sync::Mutex<HashMap<KennelId, Arc<futures::lock::Mutex<Option<Living>>>>>,
    /// When it was measured, and ms an age.
    paces: std::sync::Mutex<HashMap<KennelId, (u64, u64)>>,
}

impl Queries {
    /// Living pets of all kennels in order, from the place `skip` on.
    ///
    /// # Errors
    /// A problem.
    pub async fn ranked(&self, ranking: Ranking, skip: usize, limit: usize) -> Result<Vec<Ranked>, Problem> {
        let kennels = self.merged_heads().await?;
        let most = skip.saturating_add(limit);
        let mut all: Vec<(Rank, Pet, usize)> = Vec::new();
        for (at, (founding, head)) in kennels.iter().enumerate() {
            let ttl = founding.genesis.parameters.ttl;
            let first = |living: &Living| {
                let mut pets: Vec<(Rank, &Pet)> = living
                    .pets
                    .values()
                    .map(|pet| {
                        let remaining = pet.remaining(ttl, head.header.age.max(pet.last_age));
                        // In thousandths of a life: kennels may differ in how long one is.
                        (ranking.rank(remaining * 1_000 / u64::from(ttl), pet), pet)
                    })
                    .collect();
                // Of each kennel no more than the page can show.
                if pets.len() > most {
                    pets.select_nth_unstable_by_key(most, |(rank, _)| *rank);
                    pets.truncate(most);
                }
                pets.into_iter().map(|(rank, pet)| (rank, pet.clone(), at)).collect::<Vec<_>>()
            };
            all.extend(self.of_living(founding, head, first).await?);
        }
        all.sort_unstable_by_key(|(rank, ..)| *rank);
        let shown: Vec<_> = all.into_iter().skip(skip).take(limit).map(|(_, pet, at)| (pet, at)).collect();
        let births: Vec<_> =
            shown.iter().map(|(pet, at)| Told::own(EventId(pet.birth.0), kennels[*at].0.kennel)).collect();
        let texts = self.texts(&births).await?;
        let mut posts = HashMap::new();
        for (at, (founding, head)) in kennels.iter().enumerate() {
            let of_kennel = || shown.iter().filter(|(_, of)| *of == at);
            if of_kennel().next().is_none() {
                continue;
            }
            let open = |living: &Living| {
                let open = |birth| living.open_post(birth, head.header.age, &founding.genesis.parameters);
                of_kennel().filter_map(|(pet, _)| open(&pet.birth)).collect::<Vec<_>>()
            };
            let open = self.of_living(founding, head, open).await?;
            posts.extend(open.into_iter().map(|post| (post.pet, post)));
        }
        Ok(shown
            .into_iter()
            .map(|(pet, at)| {
                let (founding, head) = &kennels[at];
                let post = posts.remove(&pet.birth);
                let card = cards::PetCard { kennel: founding.kennel, pet };
                Ranked { pet: cards::pet_view(&card, founding, head, &texts), post }
            })
            .collect())
    }

    /// Pets of a kennel: all that live, eldest first, then the newest of the others.
    ///
    /// # Errors
    /// A problem.
    pub async fn known_pets(&self, founding: &Founding) -> Result<Vec<BirthHash>, Problem> {
        let head = self.head(founding).await?;
        let look = |living: &Living| {
            let pets = living.pets.values().map(|pet| (pet.born_height, pet.birth));
            pets.collect::<Vec<_>>()
        };
        let mut found = self.of_living(founding, &head, look).await?;
        found.sort_unstable();
        let mut known: Vec<BirthHash> = found.into_iter().map(|(_, birth)| birth).collect();
        let living: HashSet<BirthHash> = known.iter().copied().collect();
        let births = self.births(founding).await?;
        known.extend(births.into_iter().filter(|birth| !living.contains(birth)));
        Ok(known)
    }

    /// Looks at what is remembered of a kennel, as its blocks up to the head have it.
    pub(super) async fn of_living<T>(
        &self,
        founding: &Founding,
        head: &CommittedHead,
        look: impl FnOnce(&Living) -> T,
    ) -> Result<T, Problem> {
        let slot = {
            let mut all = self.memory.living.lock().expect("no panic while the memory is locked");
            all.entry(founding.kennel).or_default().clone()
        };
        let mut slot = slot.lock().await;
        let target = head.height;
        let mut known = slot.take();
        if let Some(living) = &mut known {
            if living.height > target || target - living.height > BLOCKS_BEHIND_MAX {
                known = None;
            } else if !self.catch_up(founding, living, target).await? {
                tracing::warn!(kennel = %founding.kennel, "the living were not those of the chain: counting them anew");
                known = None;
            }
        }
        let known = match known {
            Some(living) => living,
            None => self.count_living(founding).await?,
        };
        let seen = look(&known);
        *slot = Some(known);
        Ok(seen)
    }

    /// Takes over the blocks that were committed since; false if they don't follow.
    async fn catch_up(
        &self,
        founding: &Founding,
        living: &mut Living,
        target: u64,
    ) -> Result<bool, LedgerError> {
        while living.height < target {
            let Some((_, stored)) = self.committed_block(founding, living.height + 1).await? else {
                return Ok(true);
            };
            let block: Block = decode(&stored.bytes).map_err(|_| damaged("a block"))?;
            if block.header.parent != living.hash {
                return Ok(false);
            }
            living.take(&block)?;
        }
        Ok(true)
    }

    /// Takes the living from a replica, or where that isn't native from what is stored.
    async fn count_living(&self, founding: &Founding) -> Result<Living, LedgerError> {
        let head = self.head(founding).await?;
        match self.replicas.take(founding, &head).await {
            Ok(replica) => {
                let living = replica.instance.state().map(|state| Living::of(state, head.height, head.hash));
                self.replicas.put(founding.kennel, replica);
                if let Some(living) = living {
                    return Ok(living);
                }
            }
            Err(error) if error.is_of_the_rules() => {}
            Err(error) => return Err(error),
        }
        self.fold_living(founding, &head).await
    }

    /// Takes the living from the newest snapshot that native code can hold, in the end from
    /// genesis, and from the blocks since.
    async fn fold_living(&self, founding: &Founding, head: &CommittedHead) -> Result<Living, LedgerError> {
        let end = (head.height, head.hash);
        let places = snapshots::list(self.objects.as_ref(), &founding.kennel).await.unwrap_or_default();
        for place in places.iter().rev().filter(|place| place.height <= head.height) {
            let Some(mut living) = self.readable_snapshot(founding, place).await else { continue };
            let (first, path) = path_down(self.table.as_ref(), &founding.kennel, end, place.height).await?;
            if first == place.hash {
                self.fold(founding, &mut living, path).await?;
                return Ok(living);
            }
        }
        if head.height <= BLOCKS_FOLDED_MAX {
            let (first, path) = path_down(self.table.as_ref(), &founding.kennel, end, 0).await?;
            let mut living = Living::none(0, first, true);
            self.fold(founding, &mut living, path).await?;
            return Ok(living);
        }
        tracing::warn!(kennel = %founding.kennel, "who is alive in a kennel is not known to the full: other rules decide it, and no snapshot of it can be read");
        Ok(Living::none(head.height, head.hash, false))
    }

    /// The living of a snapshot, if its records are a state of the shape that native code knows:
    /// then they have the root that the block's header tells.
    async fn readable_snapshot(&self, founding: &Founding, place: &snapshots::Place) -> Option<Living> {
        let content = snapshots::read(self.objects.as_ref(), &founding.kennel, place).await.ok()?;
        let snapshot: Snapshot = decode(&content).ok()?;
        let rules_hash = snapshot.header.rules_hash;
        let is_of_place = snapshot.header.hash() == place.hash;
        let kennel = Kennel::open(snapshot, rules_hash).ok().filter(|_| is_of_place)?;
        Some(Living::of(kennel.state(), place.height, place.hash))
    }

    async fn fold(
        &self,
        founding: &Founding,
        living: &mut Living,
        path: Vec<(u64, BlockHash)>,
    ) -> Result<(), LedgerError> {
        for (height, hash) in path {
            let stored = read_block(self.table.as_ref(), &founding.kennel, height, &hash).await?;
            living.take(&decode(&stored.bytes).map_err(|_| damaged("a block"))?)?;
        }
        Ok(())
    }

    /// How long an age takes in a kennel, by the last day, ms: at least what its parameters ask
    /// for, at most the silence after which time is mined.
    ///
    /// # Errors
    /// A problem.
    pub async fn pace_ms(&self, kennel: &KennelId) -> Result<u64, Problem> {
        let now_ms = self.clock.now_ms();
        let known =
            self.memory.paces.lock().expect("no panic while the memory is locked").get(kennel).copied();
        if let Some((measured_ms, pace_ms)) = known
            && now_ms.saturating_sub(measured_ms) < PACE_KEPT_MS
        {
            return Ok(pace_ms);
        }
        let founding = self.foundings.get(kennel).await?;
        let parameters = &founding.genesis.parameters;
        let since_ms = now_ms.saturating_sub(DAY_MS);
        let mut pace_ms = parameters.idle_ms;
        for day in [since_ms / DAY_MS, since_ms / DAY_MS + 1] {
            let query = Query {
                pk: items::feed_pk(kennel, day),
                from: format!("{since_ms:015}"),
                to: "~".to_owned(),
                order: Order::Ascending,
                limit: 1,
                consistency: Consistency::Eventual,
            };
            let Some(first) = self.table.query(&query).await?.pop() else { continue };
            let head = self.head(&founding).await?;
            let ages = head.header.age.saturating_sub(first.attributes.number("age")?);
            let took_ms = now_ms.saturating_sub(first.attributes.number("timestamp_ms")?);
            pace_ms = took_ms / ages.max(1);
            break;
        }
        let pace_ms = pace_ms.clamp(parameters.age_interval_ms.min(parameters.idle_ms), parameters.idle_ms);
        let mut paces = self.memory.paces.lock().expect("no panic while the memory is locked");
        paces.insert(*kennel, (now_ms, pace_ms));
        Ok(pace_ms)
    }
}
