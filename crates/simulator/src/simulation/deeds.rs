//! What players and officials do: events that the rules allow, or might have allowed a moment ago.
//!
//! They look at the auditor's books as a client looks at the pages: what they see may be over when
//! their events are mined.

use ed25519_dalek::SigningKey;
use futures::FutureExt as _;
use pitpet_chain::codec::Bytes;
use pitpet_chain::event::{Payload, SignedEvent, Verdict};
use pitpet_chain::hash::{BirthHash, BlockHash, EventId, KennelId, PublicKey, RulesHash};
use pitpet_chain::mining::{Purpose, Statement, Work};
use pitpet_chain::state::{Keys, Order, Phase};
use pitpet_pipeline::head::Founding;
use pitpet_pipeline::message::Entry;
use pitpet_pipeline::statements::collect;

use super::world::World;
use crate::town::{Player, RELEASES, key};

/// Keys that a player has beside the first one.
const SPARE_KEYS: u8 = 3;

/// Proofs that a player tries for a seal; who doesn't find one hands in the last.
const PROOFS_MAX: u64 = 1 << 14;

/// How far ahead most orders end, ms.
const UNTIL_MS: u64 = 600_000;

pub(super) fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// A player with the keys that the account has had and may get.
pub(super) struct Persona {
    pub(super) player: Player,
    keys: Vec<SigningKey>,
    /// Who has no pet of their own at first: a buyer, and a miner of seals.
    is_dealer: bool,
}

/// What a player sees.
struct Sight {
    pet: Option<BirthHash>,
    pets: Vec<BirthHash>,
    posts: Vec<EventId>,
    orders: Vec<Order>,
    /// An own pet whose story has ended, and who has no keepsake yet; seen only where trade is brisk.
    ended: Option<BirthHash>,
    /// Own pets and keepsakes that can be traded.
    own: Vec<BirthHash>,
    /// Others'.
    others: Vec<BirthHash>,
    head: BlockHash,
    began: BlockHash,
    difficulty: u64,
    key: Option<PublicKey>,
    free: u64,
}

impl Persona {
    /// Number `number` of the players of a kennel, counted from 0.
    pub(super) fn new(world: &World, founding: &Founding, number: u32) -> Self {
        let seed = u8::try_from(number + 1).expect("a few players");
        let player = Player::of(founding, seed, world.clock.now_ms());
        let spare = |at: u8| {
            let mut bytes = [0x5a; 32];
            (bytes[0], bytes[1]) = (seed, at);
            SigningKey::from_bytes(&bytes)
        };
        let mut keys = vec![player.key.clone()];
        keys.extend((0..SPARE_KEYS).map(spare));
        let is_dealer = number > 0 && number + 1 == world.scenario.players;
        Self { player, keys, is_dealer }
    }

    fn sight(&self, world: &World) -> Sight {
        let (auditor, kennel, account) = (world.auditor(), self.player.kennel, self.player.account());
        let books = auditor.books(&kennel);
        let tradable = |is_own: bool| {
            let good = books.pets.values().filter(move |pet| {
                (pet.owner == account) == is_own && matches!(pet.phase, Phase::Living | Phase::Kept)
            });
            good.map(|pet| pet.birth).collect()
        };
        let is_brisk = world.scenario.is_brisk();
        let mut ended =
            books.pets.values().filter(|pet| is_brisk && pet.owner == account && pet.phase == Phase::Ended);
        let (began, difficulty) = books.work();
        Sight {
            pet: books.living_pet(&account),
            pets: books.pets.keys().copied().collect(),
            posts: books.posts(),
            orders: books.orders.values().cloned().collect(),
            ended: ended.next().map(|pet| pet.birth),
            own: tradable(true),
            others: tradable(false),
            head: auditor.head(&kennel).1,
            began,
            difficulty,
            key: books.key_of(&account),
            free: books.free(&account),
        }
    }

    /// What the player does next.
    pub(super) fn invent(&mut self, world: &World, founding: &Founding) -> Entry {
        let now_ms = world.clock.now_ms();
        // Some expire before they are mined.
        let lives_ms = match world.below(10) {
            0 => world.between(1_000, 60_000),
            _ => 3_600_000,
        };
        self.player.expires_ms = now_ms + lives_ms;
        if world.below(12) == 0 {
            // An older nonce: refused, unless nothing with a later one was accepted.
            self.player.nonce = self.player.nonce.saturating_sub(2);
        }
        let sight = self.sight(world);
        let entry = self.act(world, founding, &sight);
        let current = self.keys.iter().find(|key| Some(public(key)) == sight.key);
        let signer = match world.below(24) {
            // A thief who found an old key, or the account's new one before it counts.
            0 => world.one_of(&self.keys),
            _ => current,
        };
        match signer {
            Some(key) => self.signed_by(entry, key),
            None => entry,
        }
    }

    /// The same event, signed with another of the account's keys.
    fn signed_by(&self, entry: Entry, key: &SigningKey) -> Entry {
        let mut event = SignedEvent::read(&entry.event.0).expect("it was signed a moment ago").event;
        if matches!(event.payload, Payload::Rekey { .. }) && event.key != public(&self.player.key) {
            // It is signed with a recovery key already.
            return entry;
        }
        event.key = public(key);
        event.seal_stamp(&self.player.parameters);
        Entry { event: Bytes(event.sign(key)), body: entry.body }
    }

    fn act(&mut self, world: &World, founding: &Founding, sight: &Sight) -> Entry {
        let text = format!("Number {}.", world.below(1_000_000));
        let choice = match (sight.pet, self.is_dealer) {
            _ if sight.ended.is_some() && world.below(2) == 0 => 16,
            (Some(_), _) => world.below(36),
            (None, false) if world.below(4) > 0 => 35,
            (None, true) if world.below(8) == 0 => 35,
            // Whoever has no pet can't post, and need not give.
            (None, _) => world.between(7, 34),
        };
        let own: EventId = sight.pet.map_or(EventId([0; 32]), |birth| EventId(birth.0));
        let post = world.one_of(&sight.posts).copied().unwrap_or(own);
        let other = world.one_of(&sight.pets).copied().unwrap_or(own.into());
        let amount = world.between(1, 4);
        let until_ms = world.clock.now_ms() + world.between(UNTIL_MS / 20, UNTIL_MS);
        let player = &mut self.player;
        match choice {
            0..=6 => player.post(own, &text),
            7..=9 => player.pat(post),
            10..=11 => player.act(Payload::Share { post }),
            12..=13 => player.comment(post, &text),
            14 => player.act(Payload::Gift { pet: other, amount }),
            15 => {
                let number = u8::try_from(world.between(1, 6)).expect("a few players");
                let to = Player::of(founding, number, world.clock.now_ms()).account();
                player.act(Payload::Transfer { to, amount })
            }
            16..=17 => player.act(Payload::Keepsake { pet: sight.ended.unwrap_or(other) }),
            18..=22 => self.seal(world, sight),
            23..=25 => {
                let pet = world.one_of(&sight.own).copied().unwrap_or(other);
                player.act(Payload::Offer { pet, price: world.between(1, 8), until_ms })
            }
            26..=28 => {
                let pet = world.one_of(&sight.others).copied().unwrap_or(other);
                let price = world.between(1, sight.free.clamp(1, 8) + 1);
                player.act(Payload::Bid { pet, price, until_ms })
            }
            29..=32 => {
                let wanted: Vec<&Order> = sight
                    .orders
                    .iter()
                    .filter(|order| order.maker != player.account())
                    .filter(|order| order.owner == player.account() || order.owner == order.maker)
                    .collect();
                let (order, price) = match world.one_of(&wanted) {
                    Some(order) => (order.id, order.price),
                    None => (own, amount),
                };
                let price = if world.below(12) == 0 { price + 1 } else { price };
                player.act(Payload::Take { order, price })
            }
            33 => match world.below(3) {
                0 => {
                    let mine: Vec<&Order> =
                        sight.orders.iter().filter(|order| order.maker == player.account()).collect();
                    let order = world.one_of(&mine).map_or(own, |order| order.id);
                    player.act(Payload::Cancel { order })
                }
                _ => self.rekey(world),
            },
            34 => {
                let mine: Vec<&Order> =
                    sight.orders.iter().filter(|order| order.maker == player.account()).collect();
                let order = world.one_of(&mine).map_or(own, |order| order.id);
                player.act(Payload::Cancel { order })
            }
            _ => player.birth(&text, sight.head),
        }
    }

    /// A seal of the age, or of time if the kennel should be idle.
    fn seal(&mut self, world: &World, sight: &Sight) -> Entry {
        let is_time = world.below(5) == 0;
        let (purpose, over) = match is_time {
            true => (Purpose::Time, sight.head),
            false => (Purpose::Age, sight.began),
        };
        let player = &mut self.player;
        let work = Work::new(&player.kennel, &over, &player.account(), purpose, sight.difficulty);
        let proof = work.search(0, PROOFS_MAX).unwrap_or(PROOFS_MAX);
        let time = is_time.then(|| statements(world, &player.kennel, &sight.head));
        player.act(Payload::Seal { over, proof, time })
    }

    /// The account gets another key, by its present one or by its recovery key.
    fn rekey(&mut self, world: &World) -> Entry {
        let new_key = world.one_of(&self.keys).map(public).expect("a player has keys");
        let recovery = world.one_of(&self.keys).map(public);
        let entry = self.player.act(Payload::Rekey { new_key, recovery });
        let signer = match world.below(2) {
            0 => world.one_of(&self.keys[1..]).cloned(),
            _ => None,
        };
        match signer {
            Some(key) => self.signed_by(entry, &key),
            None => entry,
        }
    }
}

/// Keys that may hold an office: a kennel begins with the first of each.
pub(super) fn operators() -> Vec<SigningKey> {
    [200, 210, 211].map(key).to_vec()
}

/// Keys of moderators.
pub(super) fn moderators() -> Vec<SigningKey> {
    [220, 221, 222, 223].map(key).to_vec()
}

/// Keys of time witnesses.
pub(super) fn witnesses() -> Vec<SigningKey> {
    (230..235).map(key).collect()
}

/// So many of them say at once, of every block, that the kennel has been idle: never a majority.
pub(super) const LIARS: usize = 2;

/// What the witnesses have said of a block so far.
fn statements(world: &World, kennel: &KennelId, head: &BlockHash) -> Vec<Statement> {
    let offices = world.auditor().books(kennel).offices.clone();
    let found = collect(world.table.as_ref(), kennel, head, &offices.witnesses).now_or_never();
    found.and_then(Result::ok).unwrap_or_default()
}

/// Who an appointment names as witnesses, and how many of them must agree: all, or all but a liar, so that
/// the liars never have a majority. None where there are none.
fn named_witnesses(world: &World, offices: &Keys) -> (Vec<PublicKey>, u8) {
    if offices.threshold == 0 {
        return (Vec::new(), 0);
    }
    let all: Vec<_> = witnesses().iter().map(public).collect();
    match world.below(3) {
        0 => (all[1..].to_vec(), 3),
        1 => (all, 4),
        _ => (all, 3),
    }
}

/// What an official does next, operator or moderator.
pub(super) fn decree(world: &World, founding: &Founding) -> Entry {
    let (offices, targets, height, timestamp_ms) = {
        let auditor = world.auditor();
        let books = auditor.books(&founding.kennel);
        let mut targets = books.posts();
        targets.extend(books.pets.keys().map(|birth| EventId(birth.0)));
        let (height, _) = auditor.head(&founding.kennel);
        (books.offices.clone(), targets, height, auditor.timestamp_ms(&founding.kennel))
    };
    let now_ms = world.clock.now_ms();
    let is_moderator = world.below(3) > 0;
    let (holders, keys) = match is_moderator {
        true => (offices.moderators.iter().map(|office| office.key).collect(), moderators()),
        false => (vec![offices.operator.key], operators()),
    };
    let holder = match world.below(12) {
        // One who held the office, or may yet.
        0 => world.one_of(&keys),
        _ => {
            let holder = world.one_of(&holders).copied();
            keys.iter().find(|key| Some(public(key)) == holder)
        }
    };
    let key = holder.or(keys.first()).expect("there are keys").clone();
    let mut official = Player { key, ..Player::of(founding, 1, now_ms) };
    // An office's nonces are times: now, a moment ago, or that of the newest block.
    let nonce = match world.below(4) {
        0 => timestamp_ms,
        _ => now_ms - world.below(2_000),
    };
    official.nonce = nonce.saturating_sub(1);
    if is_moderator {
        let target = world.one_of(&targets).copied().unwrap_or(EventId([1; 32]));
        let verdict = if world.below(3) == 0 { Verdict::Show } else { Verdict::Hide };
        return official.verdict(target, verdict, &format!("Reason {}.", world.below(1_000_000)), nonce);
    }
    if world.below(2) == 0 {
        let others = moderators();
        let from = world.below(others.len() as u64) as usize;
        let count = world.between(1, 3) as usize;
        let named = others.iter().cycle().skip(from).take(count).map(public).collect();
        let operator = world.one_of(&operators()).map(public).expect("there are operators");
        let (witnesses, threshold) = named_witnesses(world, &offices);
        return official.act(Payload::Appoint { operator, moderators: named, witnesses, threshold });
    }
    // For soon, or for a height that doesn't come in a run; the rules of today withdraw what was decided. Rules that are
    // not stored are refused.
    let release = world.one_of(&RELEASES).copied().expect("there are releases");
    let (rules_hash, ahead) = match world.below(8) {
        0 => (RulesHash([world.below(250) as u8; 32]), 1_000_000),
        1 | 2 => (release, 1_000_000),
        _ => (release, world.between(1, 12)),
    };
    official.act(Payload::Upgrade { rules_hash, at_height: height + ahead })
}
