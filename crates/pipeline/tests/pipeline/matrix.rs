//! The crash matrix: every write of every use case, failing before it persisted, after it
//! persisted, or without any answer; then the same process tries again, or another one takes over.
//!
//! The writes are counted by a run without faults, so that a new step is covered by itself. The
//! table of it stands in `docs/reliability.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt as _;
use pitpet_chain::event::{Payload, Verdict};
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{AccountId, BlockHash, EventId, PublicKey, RulesHash, sha256};
use pitpet_chain::reject::Reject;
use pitpet_chain::request::{ReportReason, Request, Wish};
use pitpet_pipeline::api::{ProfileView, QueueView, SubmittedList, SubmittedProfile, SubmittedRequest};
use pitpet_pipeline::belongings::{Profile, erase_profile_of, list_content};
use pitpet_pipeline::erase;
use pitpet_pipeline::fsck::{Fsck, Mode, Note};
use pitpet_pipeline::ingest::Ingest;
use pitpet_pipeline::items::{self, attributes};
use pitpet_pipeline::message::Entry;
use pitpet_pipeline::mine::{Miner, MinerSettings, ReceivedMessage};
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::offer::{Offering, When};
use pitpet_pipeline::ports::{Item, Key, Objects, Table, Value};
use pitpet_pipeline::rate_limit::RateLimits;
use pitpet_pipeline::reap::Reaper;
use pitpet_pipeline::search::WORDS_MAX;
use pitpet_pipeline::snapshots::ARCHIVED_EVERY;
use pitpet_pipeline::statements::SubmittedStatement;
use pitpet_simulator::audit::{Published, audit};
use pitpet_simulator::faults::{Call, FaultyObjects, FaultyQueue, FaultyTable, Operation};
use pitpet_simulator::queue::MemoryQueue;
use pitpet_simulator::town::{
    MODERATOR_SEED, QUICK, RELEASES, RULES, found_with, genesis, id_of, key, submitted,
};
use pitpet_simulator::{Fault, Faults, Player, Town, document};

use super::moderation::ask;
use super::query::read;
use super::sign_in;

/// What is done, write by write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UseCase {
    /// A batch of three messages, with a reject among their events, and a snapshot.
    Mine,
    /// A batch on a kennel whose newest block is not published.
    MineBacklog,
    /// A batch with a message that can't be read.
    Bury,
    /// A batch while another miner wins a block.
    Rival,
    /// A batch with a sale and a bid, by which a pet dies that was for sale.
    Trade,
    /// A batch in which orders end: one is cancelled, one outbid, and the time of one is up.
    Close,
    /// A batch with a verdict and an appointment.
    Offices,
    /// A batch whose block is the first by other rules.
    Upgrade,
    /// A batch whose block leaves its state for browsers.
    Archive,
    /// A run of the reaper with all there is to do.
    Reap,
    /// Two events are submitted.
    Submit,
    /// Two events are submitted, and counted.
    Limited,
    /// A password is tried.
    SignIn,
    /// A name is registered.
    Name,
    /// An upload is asked for.
    Upload,
    /// A time witness says something.
    Witness,
    /// A second account reports a post.
    Report,
    /// An author erases a text.
    Erase,
    /// The operator erases a text and the photo beside it.
    Law,
    /// The operator erases a profile.
    LawProfile,
    /// The operator offers a module, which the rules go over to.
    Offer,
    /// A password is set.
    Password,
    /// A profile is kept.
    Profile,
    /// A private list is kept.
    List,
    /// A kennel is founded.
    Found,
    /// A kennel opens by itself: the reaper prepares it, a miner founds it.
    Open,
    /// All that follows from the chain is gone or false, and the checker mends it.
    Repair,
}

impl UseCase {
    const ALL: [Self; 27] = [
        Self::Mine,
        Self::MineBacklog,
        Self::Bury,
        Self::Rival,
        Self::Trade,
        Self::Close,
        Self::Offices,
        Self::Upgrade,
        Self::Archive,
        Self::Reap,
        Self::Submit,
        Self::Limited,
        Self::SignIn,
        Self::Name,
        Self::Upload,
        Self::Witness,
        Self::Report,
        Self::Erase,
        Self::Law,
        Self::LawProfile,
        Self::Offer,
        Self::Password,
        Self::Profile,
        Self::List,
        Self::Found,
        Self::Open,
        Self::Repair,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Mine => "mine",
            Self::MineBacklog => "mine behind a backlog",
            Self::Bury => "mine with a poisoned message",
            Self::Rival => "mine against a rival",
            Self::Trade => "mine trades and a death",
            Self::Close => "mine orders that end",
            Self::Offices => "mine what offices decide",
            Self::Upgrade => "mine by other rules",
            Self::Archive => "mine and leave a state for browsers",
            Self::Reap => "reap",
            Self::Submit => "submit events",
            Self::Limited => "submit events under a limit",
            Self::SignIn => "try a password",
            Self::Name => "register a name",
            Self::Upload => "ask for an upload",
            Self::Witness => "take a statement",
            Self::Report => "take a report",
            Self::Erase => "erase a text",
            Self::Law => "erase a text and its photo by law",
            Self::LawProfile => "erase a profile by law",
            Self::Offer => "offer a module",
            Self::Password => "set a password",
            Self::Profile => "keep a profile",
            Self::List => "keep a list",
            Self::Found => "found a kennel",
            Self::Open => "open the next kennel",
            Self::Repair => "repair what follows from the chain",
        }
    }

    fn parameters(self) -> Parameters {
        match self {
            // Pets live for two ages here, so that they die soon.
            Self::Trade | Self::Close => Parameters { ttl: 2, birth_grant: 1_000, ..QUICK },
            // Posts cost treats, and many blocks come before.
            Self::Archive => Parameters { birth_grant: 1_000, ..QUICK },
            // With two pets places are short.
            Self::Open => Parameters { living_max: 3, ..QUICK },
            _ => QUICK,
        }
    }
}

/// How a write fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Failing {
    /// It fails, and nothing persisted.
    Before,
    /// It persisted, and fails.
    After,
    /// It persisted, and no answer comes: the call is cut off at the function's time-out.
    NoAnswer,
}

impl Failing {
    const ALL: [Self; 3] = [Self::Before, Self::After, Self::NoAnswer];

    fn fault(self) -> Fault {
        match self {
            Self::Before => Fault::RequestLost,
            Self::After => Fault::AnswerLost,
            Self::NoAnswer => Fault::NoAnswer,
        }
    }
}

/// Who goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Same,
    Another,
}

/// The world before a use case, and what must come of it.
struct Scene {
    case: UseCase,
    town: Arc<Town>,
    good: Vec<EventId>,
    bad: Option<EventId>,
    /// What a client sends.
    entries: Vec<Entry>,
    request: Option<SubmittedRequest>,
    statement: Option<SubmittedStatement>,
    /// What a client posts, and where.
    posted: Option<(&'static str, serde_json::Value)>,
    /// What the use case is about: orders, or one event.
    about: Vec<EventId>,
}

/// What runs: it keeps its memory between attempts.
enum Process {
    Miner(Box<Miner>),
    Reaper(Box<Reaper>),
    Ingest(Box<Ingest>),
    Founder(FaultyTable),
    Operator(Arc<FaultyTable>, Arc<FaultyObjects>, FaultyQueue<MemoryQueue>),
    Opening(Box<(Reaper, Miner)>),
    Checker(FaultyTable, FaultyObjects),
}

const PHOTO: &[u8] = b"a photo";
const BIO: &str = "Two cats, no sleep.";
const MODULE: &[u8] = b"a module";
const SEALED: &[u8] = b"a list that only its account can read";

fn request(wish: Wish, expires_ms: u64) -> SubmittedRequest {
    let key = key(1);
    let public = PublicKey(key.verifying_key().to_bytes());
    let request =
        Request { version: 1, account: AccountId::of(&public), key: public, expires_ms, wish, stamp: 0 };
    SubmittedRequest { request: STANDARD.encode(request.sign(&key)) }
}

impl Scene {
    async fn new(case: UseCase) -> Self {
        let town = Arc::new(Town::found(case.parameters()).await);
        let (mut anna, mut bert) = (Player::new(&town, 1), Player::new(&town, 2));
        let genesis = town.head().await.hash;
        let (kitty, rex) = (anna.birth("Kitty", genesis), bert.birth("Rex", genesis));
        let nap = anna.post(id_of(&kitty), "A nap.");
        let mut good: Vec<EventId> = [&kitty, &rex, &nap].map(id_of).to_vec();
        let mut scene_entries = Vec::new();
        let (mut bad, mut wished, mut statement) = (None, None, None);
        let (mut posted, mut about) = (None, Vec::new());
        let expires_ms = town.clock.now_ms() + 60_000;
        town.send(vec![kitty.clone(), rex.clone(), nap.clone()]);
        match case {
            UseCase::MineBacklog => {
                let faults = Faults::new(|call| {
                    (call.operation == Operation::Publish && !call.key.ends_with("BODY"))
                        .then_some(Fault::Throttled)
                });
                town.mine_all(&town.miner_with(&faults, settings())).await;
            }
            UseCase::Mine => {
                // As many snapshots as are kept, so that the next one ends the oldest.
                let miner = town.miner_with(&Faults::none(), settings());
                town.mine_all(&miner).await;
                for number in 0..2 {
                    let post = anna.post(id_of(&kitty), &format!("Nap {number}."));
                    good.push(id_of(&post));
                    town.send(vec![post]);
                    town.mine_all(&miner).await;
                }
            }
            _ => town.mine_all(&town.miner()).await,
        }
        if matches!(case, UseCase::Archive | UseCase::Repair) {
            // The checker looks for the photos too.
            for photo in [&b"Kitty"[..], b"Rex"] {
                let key = items::photo_object(&sha256(photo));
                town.objects.put(&key, photo.to_vec()).await.expect("stored");
            }
        }
        match case {
            UseCase::Mine | UseCase::MineBacklog | UseCase::Rival => {
                let comment = bert.comment(id_of(&nap), "Lazy!");
                let (walk, pat) = (bert.post(id_of(&rex), "A walk."), bert.pat(id_of(&nap)));
                let share = bert.act(Payload::Share { post: id_of(&nap) });
                let again = anna.post(id_of(&kitty), "Another nap.");
                // The body of a post on another's pet is kept: another miner may know of its sale. Its
                // nonce stays good, for its account does nothing later.
                let forbidden = anna.post(id_of(&rex), "My walk.");
                good.extend([&comment, &walk, &pat, &share, &again].map(id_of));
                bad = Some(id_of(&forbidden));
                town.send(vec![comment]);
                town.send(vec![walk, pat]);
                town.send(vec![share, again, forbidden]);
            }
            UseCase::Bury => {
                let (walk, again) =
                    (bert.post(id_of(&rex), "A walk."), anna.post(id_of(&kitty), "Another nap."));
                good.extend([&walk, &again].map(id_of));
                town.send(vec![walk]);
                let mut poison = town.send(vec![anna.pat(id_of(&nap))]);
                let sent = town.queue.receive(10);
                let last = sent.last().expect("it was sent");
                town.queue.delete(&last.receipt);
                town.queue.give_back(&sent[..sent.len() - 1]);
                poison.body = "no message".to_owned();
                poison.deduplication = "poison".to_owned();
                town.queue.take(&poison);
                town.send(vec![again]);
            }
            UseCase::Trade => {
                let hour_ms = 3_600_000;
                let age = async || {
                    town.clock.advance(QUICK.idle_ms);
                    town.reaper().reap().await.expect("it runs");
                    town.mine_all(&town.miner()).await;
                };
                age().await;
                age().await;
                let mut cleo = Player::new(&town, 3);
                let expires_ms = town.clock.now_ms() + hour_ms;
                for player in [&mut anna, &mut bert, &mut cleo] {
                    player.expires_ms = expires_ms;
                }
                let (kept, amount) = (id_of(&kitty).into(), 100);
                let until_ms = town.clock.now_ms() + 20 * 24 * hour_ms;
                let head = town.head().await.hash;
                let mut before = vec![
                    anna.birth("Mochi", head),
                    anna.act(Payload::StoryEnd { pet: kept }),
                    anna.act(Payload::Keepsake { pet: kept }),
                    anna.act(Payload::Transfer { to: bert.account(), amount }),
                    anna.act(Payload::Transfer { to: cleo.account(), amount }),
                ];
                let living = id_of(&before[0]).into();
                let orders = [
                    anna.act(Payload::Offer { pet: kept, price: 40, until_ms }),
                    anna.act(Payload::Offer { pet: living, price: 10, until_ms }),
                ];
                about.extend(orders.iter().map(id_of));
                before.extend(orders);
                good.extend(before.iter().map(id_of));
                for entry in before {
                    town.send(vec![entry]);
                    let report = town.mine_once(&town.miner()).await;
                    assert_eq!(report.accepted, 1, "{report:?}");
                }
                age().await;
                // The batch begins with the age in which Mochi dies.
                town.clock.advance(QUICK.idle_ms);
                town.reaper().reap().await.expect("it runs");
                (bert.expires_ms, cleo.expires_ms) =
                    (town.clock.now_ms() + hour_ms, town.clock.now_ms() + hour_ms);
                let bid = cleo.act(Payload::Bid { pet: kept, price: 6, until_ms });
                let take = bert.act(Payload::Take { order: about[0], price: 40 });
                about.push(id_of(&bid));
                good.extend([&bid, &take].map(id_of));
                town.send(vec![bid, take]);
            }
            UseCase::Close => {
                let hour_ms = 3_600_000;
                for _ in 0..2 {
                    town.clock.advance(QUICK.idle_ms);
                    town.reaper().reap().await.expect("it runs");
                    town.mine_all(&town.miner()).await;
                }
                let mut cleo = Player::new(&town, 3);
                for player in [&mut anna, &mut bert, &mut cleo] {
                    player.expires_ms = town.clock.now_ms() + hour_ms;
                }
                let pet = id_of(&kitty).into();
                let (soon_ms, until_ms) = (town.clock.now_ms() + 60_000, town.clock.now_ms() + 24 * hour_ms);
                let mut before = vec![
                    anna.act(Payload::StoryEnd { pet }),
                    anna.act(Payload::Keepsake { pet }),
                    anna.act(Payload::Transfer { to: bert.account(), amount: 200 }),
                    anna.act(Payload::Transfer { to: cleo.account(), amount: 200 }),
                ];
                let offer = anna.act(Payload::Offer { pet, price: 40, until_ms: soon_ms });
                // As many as stand at once.
                let mut bid = |price| {
                    let bidder = if price <= 8 { &mut bert } else { &mut cleo };
                    bidder.act(Payload::Bid { pet, price, until_ms })
                };
                let bids: Vec<_> = (1..=16).map(&mut bid).collect();
                let higher = bid(17);
                about.extend([&offer, &bids[7], &bids[0]].map(id_of));
                before.push(offer);
                before.extend(bids);
                good.extend(before.iter().map(id_of));
                for entry in before {
                    town.send(vec![entry]);
                    let report = town.mine_once(&town.miner()).await;
                    assert_eq!(report.accepted, 1, "{report:?}");
                }
                town.clock.advance(60_001);
                let cancel = bert.act(Payload::Cancel { order: about[1] });
                good.extend([&higher, &cancel].map(id_of));
                town.send(vec![higher, cancel]);
            }
            UseCase::Offices => {
                let now_ms = town.clock.now_ms();
                let mut moderator = Player::of(&town.founding, MODERATOR_SEED, now_ms);
                let mut operator = Player { nonce: now_ms - 1, ..Player::of(&town.founding, 200, now_ms) };
                let verdict = moderator.verdict(id_of(&nap), Verdict::Hide, "Too lazy.", now_ms);
                let appointed = operator.act(Payload::Appoint {
                    operator: PublicKey(operator.key.verifying_key().to_bytes()),
                    moderators: vec![],
                    witnesses: vec![],
                    threshold: 0,
                });
                about.push(id_of(&nap));
                good.extend([&verdict, &appointed].map(id_of));
                town.send(vec![verdict]);
                town.send(vec![appointed]);
            }
            UseCase::Upgrade => {
                let now_ms = town.clock.now_ms();
                let mut operator = Player { nonce: now_ms - 1, ..Player::of(&town.founding, 200, now_ms) };
                let at_height = town.head().await.height + 2;
                let stored = items::rules_object(&RELEASES[1]);
                town.objects.put(&stored, MODULE.to_vec()).await.expect("stored");
                let decided = operator.act(Payload::Upgrade { rules_hash: RELEASES[1], at_height });
                good.push(id_of(&decided));
                town.send(vec![decided]);
                town.mine_all(&town.miner()).await;
                let walk = bert.post(id_of(&rex), "A walk.");
                good.push(id_of(&walk));
                town.send(vec![walk]);
            }
            UseCase::Archive => {
                let miner = town.miner();
                while town.head().await.height + 1 < ARCHIVED_EVERY {
                    let post = bert.post(id_of(&rex), "On and on.");
                    good.push(id_of(&post));
                    town.send(vec![post]);
                    let report = town.mine_once(&miner).await;
                    assert_eq!(report.accepted, 1, "{report:?}");
                }
                let walk = bert.post(id_of(&rex), "A walk.");
                good.push(id_of(&walk));
                town.send(vec![walk]);
            }
            UseCase::Reap => {
                // Everybody dies while nobody acts. Beside the block in which they did stands another
                // one that lost; the block after it is not published; a photo was never used.
                for _ in 0..QUICK.ttl {
                    town.clock.advance(QUICK.idle_ms);
                    town.reaper().reap().await.expect("it runs");
                    town.mine_all(&town.miner()).await;
                }
                // Of one of them the story has been ended; for the other one that is still to do.
                anna.expires_ms = town.clock.now_ms() + 60_000;
                let end = anna.act(Payload::StoryEnd { pet: id_of(&kitty).into() });
                good.push(id_of(&end));
                town.send(vec![end]);
                town.mine_all(&town.miner()).await;
                let garbage = items::block(&town.kennel(), town.head().await.height, &BlockHash([1; 32]));
                let garbage = Item { key: garbage, attributes: attributes([("bytes", vec![1].into())]) };
                town.table.put_new(&garbage).await.expect("its key is free");
                town.clock.advance(QUICK.idle_ms);
                anna.expires_ms = town.clock.now_ms() + 60_000;
                let new_key = PublicKey(key(99).verifying_key().to_bytes());
                town.send(vec![anna.act(Payload::Rekey { new_key, recovery: None })]);
                let faults =
                    Faults::new(|call| (call.operation == Operation::Publish).then_some(Fault::Throttled));
                town.mine_all(&town.miner_with(&faults, settings())).await;
                let photo = sha256(PHOTO);
                let key = items::photo_object(&photo);
                town.objects.put(&key, PHOTO.to_vec()).await.expect("stored");
                let day = town.clock.now_ms() / items::DAY_MS - 2;
                let upload = Item { key: items::upload(day, &photo), attributes: attributes([]) };
                town.table.put_new(&upload).await.expect("its key is free");
                // Another kennel is idle and alive.
                let other = town.found_another("second", QUICK, 2).await;
                let mut carl = Player::of(&other, 3, town.clock.now_ms());
                let other_head = pitpet_pipeline::head::read_head(
                    town.table.as_ref(),
                    &other,
                    pitpet_pipeline::ports::Consistency::Strong,
                );
                let birth = carl.birth("Ace", other_head.await.expect("a head").hash);
                let message = pitpet_pipeline::message::Message {
                    version: 1,
                    kennel: other.kennel,
                    entries: vec![birth],
                };
                town.queue.take(&message.write());
                town.mine_all(&town.miner()).await;
                town.clock.advance(QUICK.idle_ms);
            }
            UseCase::Submit | UseCase::Limited => {
                let (walk, pat) = (bert.post(id_of(&rex), "A walk."), bert.pat(id_of(&nap)));
                good.extend([&walk, &pat].map(id_of));
                scene_entries = vec![walk, pat];
            }
            UseCase::Name => wished = Some(request(Wish::Name { name: "anna".to_owned() }, expires_ms)),
            UseCase::Upload => {
                let wish = Wish::Upload {
                    sha256: sha256(PHOTO),
                    size: PHOTO.len() as u64,
                    content_type: "image/png".to_owned(),
                };
                wished = Some(request(wish, expires_ms));
            }
            UseCase::Witness => statement = Some(super::witnesses::spoken(&town).await),
            UseCase::Report => {
                let wish = |reason| Wish::Report { event: id_of(&nap), reason };
                let first = anna.request(wish(ReportReason::Other), expires_ms);
                assert_eq!(ask(&town.ingest(), "/v1/reports", &first).await.status, 201);
                posted = Some(("/v1/reports", json(&bert.request(wish(ReportReason::Spam), expires_ms))));
                about.push(id_of(&nap));
            }
            UseCase::Erase => {
                let wish = Wish::Erase { event: id_of(&nap) };
                posted = Some(("/v1/erasures", json(&anna.request(wish, expires_ms))));
                about.push(id_of(&nap));
            }
            UseCase::Law => {
                // A birth has a photo.
                about.push(id_of(&kitty));
                let photo = items::photo_object(&sha256(b"Kitty"));
                town.objects.put(&photo, PHOTO.to_vec()).await.expect("stored");
            }
            UseCase::LawProfile => {
                sign_in::register(&town, &town.ingest(), 1).await;
                let content = Profile::content(BIO, None);
                let wish = Wish::Vault { name: "anna".to_owned(), version: 5, content };
                let request = anna.request(wish, expires_ms).request;
                let profile = SubmittedProfile { request, bio: BIO.to_owned(), avatar: None };
                assert!(ask(&town.ingest(), "/v1/profiles", &profile).await.status < 300);
            }
            UseCase::SignIn => {
                let ingest = sign_in::open(&town);
                sign_in::register(&town, &ingest, 1).await;
                let submitted = sign_in::set(&ingest, sign_in::PASSWORD, 5).await;
                assert!(ask(&ingest, "/v1/sign-in/vault", &submitted).await.status < 300);
                let message = sign_in::first_message(sign_in::PASSWORD);
                posted = Some(("/v1/sign-in/start", json(&message)));
            }
            UseCase::Password => {
                let ingest = sign_in::open(&town);
                sign_in::register(&town, &ingest, 1).await;
                let submitted = sign_in::set(&ingest, sign_in::PASSWORD, 5).await;
                posted = Some(("/v1/sign-in/vault", json(&submitted)));
            }
            UseCase::Profile | UseCase::List => {
                sign_in::register(&town, &town.ingest(), 1).await;
                let avatar = id_of(&kitty);
                let content = match case {
                    UseCase::Profile => Profile::content(BIO, Some(&avatar)),
                    _ => list_content(SEALED),
                };
                let wish = Wish::Vault { name: "anna".to_owned(), version: 5, content };
                let request = anna.request(wish, expires_ms).request;
                posted = Some(match case {
                    UseCase::Profile => {
                        let (bio, avatar) = (BIO.to_owned(), Some(avatar.to_string()));
                        ("/v1/profiles", json(&SubmittedProfile { request, bio, avatar }))
                    }
                    _ => {
                        let sealed = STANDARD.encode(SEALED);
                        ("/v1/lists", json(&SubmittedList { request, sealed }))
                    }
                });
            }
            UseCase::Repair => damage(&town, &id_of(&kitty)).await,
            UseCase::Found | UseCase::Open | UseCase::Offer => {}
        }
        Self { case, town, good, bad, entries: scene_entries, request: wished, statement, posted, about }
    }

    fn process(&self, faults: &Arc<Faults>) -> Process {
        match self.case {
            UseCase::Mine
            | UseCase::MineBacklog
            | UseCase::Bury
            | UseCase::Rival
            | UseCase::Trade
            | UseCase::Close
            | UseCase::Offices
            | UseCase::Upgrade
            | UseCase::Archive => {
                let settings = match self.case {
                    // Without earlier snapshots, so that only its own are written.
                    UseCase::Archive => MinerSettings::default(),
                    _ => settings(),
                };
                Process::Miner(Box::new(self.town.miner_with(faults, settings)))
            }
            UseCase::Reap => Process::Reaper(Box::new(self.town.reaper_with(faults))),
            UseCase::Submit
            | UseCase::Limited
            | UseCase::SignIn
            | UseCase::Name
            | UseCase::Upload
            | UseCase::Witness
            | UseCase::Report
            | UseCase::Erase
            | UseCase::Password
            | UseCase::Profile
            | UseCase::List => {
                let ingest = self.town.ingest_with(faults);
                Process::Ingest(Box::new(match self.case {
                    // What counts is counted in the table.
                    UseCase::Report => ingest.limited(RateLimits::DEFAULT),
                    // Of so low a limit each event is carried to the table.
                    UseCase::Limited => {
                        ingest.limited(RateLimits { account: NonZeroU32::new(20), ..RateLimits::NONE })
                    }
                    UseCase::SignIn => ingest.limited(RateLimits::DEFAULT).with_passwords(&sign_in::SECRET),
                    UseCase::Password => ingest.with_passwords(&sign_in::SECRET),
                    _ => ingest,
                }))
            }
            UseCase::Open => {
                let miner = self.town.miner_with(faults, settings());
                Process::Opening(Box::new((self.town.reaper_with(faults), miner)))
            }
            UseCase::Law | UseCase::LawProfile | UseCase::Offer => Process::Operator(
                Arc::new(FaultyTable::new(self.town.table.clone(), faults.clone())),
                Arc::new(FaultyObjects::new(self.town.objects.clone(), faults.clone())),
                FaultyQueue::new(self.town.queue.clone(), faults.clone()),
            ),
            UseCase::Found => Process::Founder(FaultyTable::new(self.town.table.clone(), faults.clone())),
            UseCase::Repair => Process::Checker(
                FaultyTable::new(self.town.table.clone(), faults.clone()),
                FaultyObjects::new(self.town.objects.clone(), faults.clone()),
            ),
        }
    }

    /// One attempt, cut off where no answer comes; true if all is done after it.
    async fn attempt(&self, process: &Process) -> bool {
        match process {
            Process::Miner(miner) => self.mine(miner),
            Process::Opening(parts) => {
                let (reaper, miner) = parts.as_ref();
                let reaped = matches!(reaper.reap().now_or_never(), Some(Ok(report)) if report.failed == 0);
                // The miner is another process, whatever became of the reaper.
                self.mine(miner) && reaped
            }
            Process::Reaper(reaper) => {
                matches!(reaper.reap().now_or_never(), Some(Ok(report)) if report.failed == 0)
            }
            Process::Ingest(ingest) if self.posted.is_some() => {
                let (path, body) = self.posted.as_ref().expect("it was asked for");
                let answer = ask(ingest, path, body).now_or_never();
                answer.is_some_and(|answer| (200..300).contains(&answer.status))
            }
            Process::Ingest(ingest) => match (&self.request, self.case) {
                (Some(request), UseCase::Name) => {
                    matches!(
                        ingest.register_name(request, &mut ingest.counting()).now_or_never(),
                        Some(Ok(_))
                    )
                }
                (Some(request), _) => matches!(
                    ingest.request_upload(request, &mut ingest.counting()).now_or_never(),
                    Some(Ok(_))
                ),
                (None, UseCase::Witness) => {
                    let statement = self.statement.as_ref().expect("it was signed");
                    matches!(
                        ingest.take_statement(statement, &mut ingest.counting()).now_or_never(),
                        Some(Ok(view)) if view.statements == 1
                    )
                }
                (None, _) => {
                    let events = self.entries.iter().map(submitted).collect();
                    matches!(ingest.submit(events, &mut ingest.counting()).now_or_never(), Some(Ok(answers)) if answers.iter().all(Result::is_ok))
                }
            },
            Process::Operator(table, objects, queue) => {
                let done = self.operate(table, objects, queue);
                done.now_or_never().unwrap_or(false)
            }
            Process::Checker(table, objects) => {
                let checker = fsck(table, objects, Mode::Repair);
                matches!(checker.run(None, &mut |_| {}).now_or_never(), Some(Ok(sum)) if sum.is_clean())
            }
            Process::Founder(table) => {
                let genesis = genesis(QUICK, 3);
                let found = found_with(table, "third", &genesis, &NativeHost, RULES);
                matches!(found.now_or_never(), Some(Ok(())))
            }
        }
    }

    /// What the operator does; true if it is done.
    async fn operate(
        &self,
        table: &Arc<FaultyTable>,
        objects: &Arc<FaultyObjects>,
        queue: &FaultyQueue<MemoryQueue>,
    ) -> bool {
        let now_ms = self.town.clock.now_ms();
        match self.case {
            UseCase::Law => {
                let (table, objects) = (table.as_ref(), objects.as_ref());
                matches!(
                    erase::erase_by_operator(table, objects, &self.about[0], now_ms).await,
                    Ok(Some(view)) if view.photo.is_some()
                )
            }
            UseCase::LawProfile => {
                matches!(erase_profile_of(table.as_ref(), "anna", now_ms).await, Ok(Some(_)))
            }
            _ => {
                let offering = Offering {
                    table: table.clone(),
                    objects: objects.clone(),
                    modules: Arc::new(NativeHost),
                    queue,
                    operator: &key(200),
                    now_ms,
                };
                offering.offer(&self.town.founding, MODULE, When::After(2)).await.is_ok()
            }
        }
    }

    /// One batch; true if nothing is left.
    fn mine(&self, miner: &Miner) -> bool {
        let queue = &self.town.queue;
        let batch = queue.receive(10);
        let messages = batch.iter().map(|delivery| delivery.received.clone()).collect();
        match miner.mine(messages).now_or_never() {
            Some(report) => queue.settle(&batch, &report),
            None => queue.give_back(&batch),
        }
        queue.is_empty()
    }

    /// All that must have come of it, however often it was tried.
    async fn check(&self, what: &str) {
        let town = &self.town;
        town.mine_all(&town.miner()).await;
        // Past the time in which the reaper leaves a head to its miner.
        town.clock.advance(6_000);
        town.reaper().reap().await.expect("the reaper runs");
        town.mine_all(&town.miner()).await;
        let all = town.table.all();
        let published = match self.case {
            // A text is gone on purpose.
            UseCase::Erase | UseCase::Law => Published::Partly,
            _ => Published::Whole,
        };
        let found = audit(&town.table, &town.founding, published).await;
        for event in &self.good {
            assert!(found.has(event), "{what}: event {event} is lost");
        }
        // There the house or the operator acts, too.
        let acts_too = [UseCase::Archive, UseCase::Reap, UseCase::Trade, UseCase::Close, UseCase::Offer];
        if !acts_too.contains(&self.case) {
            assert_eq!(found.events.len(), self.good.len(), "{what}");
        }
        let rejects: BTreeMap<EventId, u64> =
            self.bad.into_iter().map(|event| (event, Reject::NotOwner.number().into())).collect();
        assert_eq!(found.rejects, rejects, "{what}");
        let dead = town.queue.dead();
        assert_eq!(dead.is_empty(), self.case != UseCase::Bury, "{what}");
        assert!(dead.iter().all(|message| message.body == "no message"), "{what}: only poison is buried");
        match self.case {
            UseCase::Archive => {
                let kept = town.objects.list("archive/").await.expect("a list");
                assert!(kept.len() <= 1, "{what}: {kept:?}");
                assert_eq!(faults(town).await, [""; 0], "{what}");
            }
            UseCase::SignIn => {
                let opened = sign_in::sign_in(&sign_in::open(town), "anna", sign_in::PASSWORD).await;
                assert_eq!(opened.expect("the password is right"), sign_in::KEYS, "{what}");
            }
            UseCase::Repair => {
                assert_eq!(faults(town).await, [""; 0], "{what}");
                let module = town.objects.size(&items::rules_object(&RULES)).await;
                assert_eq!(module.expect("it answers"), None, "{what}: the false module is left");
            }
            UseCase::Reap => {
                town.clock.advance(4_000_000);
                town.reaper().reap().await.expect("the reaper runs");
                let chain = items::chain(&town.kennel());
                let all = town.table.all();
                let staged = all.keys().filter(|key| key.pk == chain && key.sk.starts_with("B#")).count();
                let found = audit(&town.table, &town.founding, Published::Whole).await;
                assert_eq!(staged, found.blocks.len(), "{what}: no garbage, and no live block less");
                assert!(!all.keys().any(|key| key.pk.starts_with("D#")), "{what}: the story is closed");
                assert_eq!(town.objects.list("media/").await.expect("a list").len(), 0, "{what}");
                let other = pitpet_pipeline::founding::Foundings::new(town.table.clone());
                let other = other.list().await.expect("a list").remove(1);
                let other = audit(&town.table, &other, Published::Whole).await;
                assert_eq!(other.head.height, 2, "{what}: time was mined once");
            }
            UseCase::Trade => {
                let closed = |order: &EventId| all[&items::order(order)].get("closed_reason").cloned();
                let closed: Vec<_> = self.about.iter().map(closed).collect();
                let text = |text: &str| Some(Value::Text(text.to_owned()));
                let expected = [text("taken"), text("pet-changed"), text("pet-changed")];
                assert_eq!(closed, expected, "{what}");
                let trades = items::trades_pk(&town.kennel());
                assert_eq!(all.keys().filter(|key| key.pk == trades).count(), 1, "{what}: sold once");
            }
            UseCase::Close => {
                let reasons: Vec<_> = self
                    .about
                    .iter()
                    .map(|order| all[&items::order(order)]["closed_reason"].clone())
                    .collect();
                let expected = ["time-up", "cancelled", "outbid"].map(|text| Value::Text(text.to_owned()));
                assert_eq!(reasons, expected, "{what}");
            }
            UseCase::Offices => {
                let kennel = town.kennel();
                let verdict = &all[&items::verdict(&self.about[0], &kennel)];
                assert_eq!(verdict["verdict"], Value::Number(Verdict::Hide as u64), "{what}");
                let log = items::verdicts_pk(&kennel);
                assert_eq!(all.keys().filter(|key| key.pk == log).count(), 1, "{what}: judged once");
                assert!(all.contains_key(&items::keys(&kennel)), "{what}");
            }
            UseCase::Upgrade => {
                assert_eq!(town.head().await.header.rules_hash, RELEASES[1], "{what}");
            }
            UseCase::Report => {
                let queue: QueueView = read(&town.queries(), "/v1/moderation/queue").await;
                let counted: Vec<_> =
                    queue.entries.iter().map(|entry| (entry.event.clone(), entry.reporters)).collect();
                assert_eq!(counted, [(self.about[0].to_string(), 2)], "{what}");
            }
            UseCase::Law => {
                let body = &all[&items::body(&self.about[0])];
                assert!(erase::is_erased(body) && body.len() == 1, "{what}: {body:?}");
                let photo = sha256(b"Kitty");
                assert!(erase::is_erased(&all[&items::erased_photo(&photo)]), "{what}");
                let stored = town.objects.list("media/").await.expect("a list");
                assert_eq!(stored, Vec::<String>::new(), "{what}: the photo is left");
            }
            UseCase::LawProfile => {
                let account = AccountId::of(&PublicKey(key(1).verifying_key().to_bytes()));
                let profile = &all[&items::profile(&account)];
                assert_eq!(profile["bio"], Value::Text(String::new()), "{what}");
                let gone = !profile.contains_key("content") && !profile.contains_key("avatar");
                assert!(gone, "{what}: {profile:?}");
            }
            UseCase::Offer => {
                let rules = RulesHash(sha256(MODULE));
                let stored = town.objects.get(&items::rules_object(&rules)).await;
                assert_eq!(stored.expect("it is stored"), MODULE, "{what}");
                // Its height comes, and the next block is by the new rules.
                for _ in 0..3 {
                    town.clock.advance(QUICK.idle_ms);
                    town.reaper().reap().await.expect("it runs");
                    town.mine_all(&town.miner()).await;
                }
                assert_eq!(town.head().await.header.rules_hash, rules, "{what}");
            }
            UseCase::Erase => {
                let body = &all[&items::body(&self.about[0])];
                assert!(erase::is_erased(body) && body.len() == 1, "{what}: {body:?}");
                let place = &all[&items::place(&self.about[0])];
                let Value::Number(height) = place["height"] else { panic!("a height") };
                let of_it = format!("#{height:020}#{:05}#", 2);
                let is_word = |key: &&Key| key.pk.starts_with("W#") && key.sk.contains(&of_it);
                assert_eq!(all.keys().find(is_word), None, "{what}: a word of it is left");
            }
            UseCase::Password => {
                let opened = sign_in::sign_in(&sign_in::open(town), "anna", sign_in::PASSWORD).await;
                assert_eq!(opened.expect("the password is right"), sign_in::KEYS, "{what}");
            }
            UseCase::Profile => {
                let shown: ProfileView = read(&town.queries(), "/v1/accounts/anna/profile").await;
                assert_eq!((shown.bio.as_str(), shown.version), (BIO, 5), "{what}");
            }
            UseCase::List => {
                let account = AccountId::of(&PublicKey(key(1).verifying_key().to_bytes()));
                let list = &all[&items::private_list(&account)];
                assert!(list.values().any(|value| *value == Value::Bytes(SEALED.to_vec())), "{what}");
            }
            UseCase::Open => {
                let kennels = pitpet_pipeline::founding::Foundings::new(town.table.clone());
                let kennels = kennels.list().await.expect("a list");
                let labels: Vec<_> = kennels.iter().map(|kennel| kennel.label.as_str()).collect();
                assert_eq!(labels, ["first", "first-2"], "{what}");
                assert_eq!(all.keys().filter(|key| key.sk == "GENESIS").count(), 2, "{what}: one successor");
                audit(&town.table, &kennels[1], Published::Whole).await;
            }
            UseCase::Name => {
                let account = AccountId::of(&PublicKey(key(1).verifying_key().to_bytes()));
                assert!(all.contains_key(&items::name("anna")), "{what}");
                assert!(all.contains_key(&items::account_name(&account, "anna")), "{what}");
            }
            UseCase::Upload => {
                let day = pitpet_simulator::town::FOUNDED_MS / items::DAY_MS;
                assert!(all.contains_key(&items::upload(day, &sha256(PHOTO))), "{what}");
            }
            UseCase::Witness => {
                let said = all.keys().filter(|key| key.pk.starts_with("S#")).count();
                assert_eq!(said, 1, "{what}: said once, however often it was sent");
            }
            UseCase::Found => {
                let kennels = pitpet_pipeline::founding::Foundings::new(town.table.clone());
                let third = kennels.list().await.expect("a list").remove(1);
                assert_eq!(third.label, "third", "{what}");
                audit(&town.table, &third, Published::Whole).await;
            }
            _ => {}
        }
    }
}

/// A plan that fails one write; where a rival is due, it mines the last message just before the
/// first write of the head.
fn plan(scene: &Scene, write: Option<u64>, failing: Failing) -> Arc<Faults> {
    let mut rival = (scene.case == UseCase::Rival).then(|| scene.town.clone());
    let mut is_staged = false;
    Faults::new(move |call| {
        if !call.is_write() {
            return None;
        }
        let is_commit = std::mem::replace(&mut is_staged, call.key.contains(" B#"));
        if Some(call.writes) == write {
            return Some(failing.fault());
        }
        if !(is_commit && call.operation == Operation::Update) {
            return None;
        }
        let town = rival.take()?;
        Some(Fault::Meanwhile(Box::pin(async move {
            town.clock.advance(1);
            let last = town.queue.held().pop().expect("a batch is in flight");
            let last = ReceivedMessage { id: "the rival's".to_owned(), message: last };
            assert_eq!(town.miner().mine(vec![last]).await.blocks, 1, "the rival wins");
        })))
    })
}

/// A snapshot at each block, so that its writes are among those that fail.
fn settings() -> MinerSettings {
    MinerSettings { snapshot_every: 1, ..MinerSettings::default() }
}

/// Takes away all that follows from the chain, but for one card, which is false; and adds what
/// doesn't follow from it.
async fn damage(town: &Town, pet: &EventId) {
    let card = items::pet(&(*pet).into());
    for (key, mut attributes) in town.table.all() {
        if key == card {
            let Value::Number(height) = attributes["record_height"] else { panic!("a height") };
            attributes.insert("record_height".to_owned(), Value::Number(height + 1));
            town.table.overwrite(key, attributes);
            continue;
        }
        let is_kept = match (&key.pk[..2], key.sk.as_str()) {
            ("KE", _) | ("K#", "GENESIS" | "HEAD") | ("E#", "BODY") => true,
            ("K#", sk) => sk.starts_with("B#"),
            _ => false,
        };
        if !is_kept {
            town.table.delete(&key).await.expect("in memory");
        }
    }
    // Recorded after the block was mined, by when it expires.
    let expiry_s = 2 * town.clock.now_ms() / 1_000;
    let reject = attributes([("code", 1_u32.into()), (items::EXPIRY, expiry_s.into())]);
    town.table.overwrite(items::reject(pet), reject);
    town.objects.put(&items::rules_object(&RULES), b"no module".to_vec()).await.expect("stored");
}

/// What the checker finds.
async fn faults(town: &Town) -> Vec<String> {
    let mut faults = Vec::new();
    let mut observer = |note: Note<'_>| {
        if let Note::Fault(fault) = note {
            faults.push(fault.to_string());
        }
    };
    let checker = fsck(town.table.as_ref(), town.objects.as_ref(), Mode::Check);
    checker.run(None, &mut observer).await.expect("the stores in memory answer");
    faults
}

/// The checker.
pub(super) fn fsck<'a>(table: &'a dyn Table, objects: &'a dyn Objects, mode: Mode) -> Fsck<'a> {
    Fsck {
        table,
        objects: Some(objects),
        modules: &NativeHost,
        rules: vec![RULES],
        mode,
        search_words_max: WORDS_MAX,
    }
}

fn json(body: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(body).expect("JSON")
}

/// What an update of the head is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OfHead {
    /// The kennel's first head.
    Creation,
    /// The commit of a block staged a moment ago.
    Commit,
    /// The rise of one of its heights.
    Rise,
}

/// What a write writes, in the words of ARCHITECTURE.md.
fn item(call: &Call, of_head: OfHead) -> &'static str {
    let (pk, sk) = call.key.split_once(' ').unwrap_or((&call.key, ""));
    let kind = pk.split_once(['#', '/']).map_or(pk, |(kind, _)| kind);
    match (kind, sk) {
        _ if call.operation == Operation::Send => "message",
        ("K", "HEAD") => match of_head {
            OfHead::Creation => "head: the first",
            OfHead::Commit => "head: the commit",
            OfHead::Rise => "head: published or swept height",
        },
        ("K", "GENESIS") => "genesis",
        ("K", "NEXT") => "reservation of the next kennel",
        ("K", "KEYS") => "keys of the offices",
        ("K", sk) if sk.starts_with("B#") && call.operation == Operation::Delete => {
            "block that lost, deleted"
        }
        ("K", sk) if sk.starts_with("B#") => "block, staged",
        ("K", sk) if sk.starts_with("T#") => "track",
        ("E", "PLACE") => "place",
        ("E", "BODY") => "body",
        ("E", "REJECT") if call.operation == Operation::Delete => "false reject, deleted",
        ("E", "REJECT") => "reject",
        ("E", "SPARE") => "spare body",
        ("E", sk) if sk.starts_with("VERDICT#") => "verdict",
        ("P", "CARD") => "pet card",
        ("P" | "O", sk) if sk.starts_with("E#") => "timeline",
        ("O", _) => "post card",
        ("A", sk) if sk.starts_with("N#") => "name of an account",
        ("A", "PROFILE") => "profile",
        ("A", "PRIVATE") => "private list",
        ("A", sk) if sk.starts_with("K#") => "account",
        ("A", sk) if sk.starts_with("P#") => "pet of an account",
        ("F" | "N", _) => "feed or births",
        ("X", "CARD") => "order",
        ("Y", _) => "trade",
        ("V", _) => "entry of the moderation log",
        ("D", _) if call.operation == Operation::Delete => "story that ended, deleted",
        ("D", _) => "story to end",
        ("R", "SUM") => "sum of reports",
        ("R", _) => "report",
        ("Q", _) if call.operation == Operation::Delete => "earlier place in the queue, deleted",
        ("Q", _) => "place in the queue",
        ("VAULT", _) => "vault",
        ("RATE", _) => "count of a rate limit",
        ("W", _) if call.operation == Operation::Delete => "word of a search, deleted",
        ("W", _) => "word of a search",
        ("M", "ERASED") => "photo, erased for good",
        ("M", _) => "photo in use",
        ("U", _) => "upload",
        ("NAME", _) => "name",
        ("S", _) => "statement",
        ("KENNELS", _) => "kennel list",
        ("snapshot", _) if call.operation == Operation::Delete => "old snapshot, deleted",
        ("snapshot", _) if call.key.contains("/manifest/") => "snapshot's manifest",
        ("snapshot", _) => "snapshot's chunk",
        ("archive", _) => "state for browsers",
        ("media", _) => "photo, deleted",
        ("rules", _) if call.operation == Operation::Delete => "false module, deleted",
        ("rules", _) => "module",
        _ => panic!("a write that has no name: {call:?}"),
    }
}

/// Fails one write, lets somebody go on, checks; gives how many attempts it took more.
async fn cell(case: UseCase, write: u64, failing: Failing, next: Next) -> u32 {
    let what = format!("{}: write {write}, {failing:?}, then {next:?}", case.name());
    let scene = Scene::new(case).await;
    let faults = plan(&scene, Some(write), failing);
    let first = scene.process(&faults);
    let mut is_done = scene.attempt(&first).await;
    assert!(faults.writes() > write, "{what}: the write was not reached");
    let another = scene.process(&Faults::none());
    let mut more = 0;
    while !is_done {
        more += 1;
        assert!(more <= 3, "{what}: no progress");
        scene.town.clock.advance(1_000);
        is_done = scene.attempt(if next == Next::Same { &first } else { &another }).await;
    }
    scene.check(&what).await;
    more
}

#[tokio::test]
async fn every_write_of_every_use_case_may_fail() {
    // By use case and item: how many writes, and what each column showed.
    type Row = (u64, BTreeMap<(Failing, Next), BTreeSet<u32>>);
    let mut table = String::from(
        "| use case | write | count | before, same | before, another | after, same | after, another | no answer, same | no answer, another |\n\
         |---|---|--:|---|---|---|---|---|---|\n",
    );
    let mut cells = 0;
    for case in UseCase::ALL {
        let scene = Scene::new(case).await;
        let counted = plan(&scene, None, Failing::Before);
        assert!(scene.attempt(&scene.process(&counted)).await, "{}: without faults", case.name());
        scene.check(case.name()).await;
        let writes: Vec<Call> = counted.calls().into_iter().filter(Call::is_write).collect();
        assert!(!writes.is_empty(), "{} writes", case.name());
        let mut rows: Vec<(&str, Row)> = Vec::new();
        for (number, call) in (0..).zip(&writes) {
            let name = item(call, of_head(&writes, call));
            let at = rows.iter().position(|(row, _)| *row == name).unwrap_or_else(|| {
                rows.push((name, Row::default()));
                rows.len() - 1
            });
            let (count, columns) = &mut rows[at].1;
            *count += 1;
            for failing in Failing::ALL {
                for next in [Next::Same, Next::Another] {
                    columns
                        .entry((failing, next))
                        .or_default()
                        .insert(cell(case, number, failing, next).await);
                    cells += 1;
                }
            }
        }
        for (name, (count, columns)) in rows {
            write!(table, "| {} | {name} | {count} |", case.name()).expect("memory");
            for more in columns.values() {
                let words: Vec<_> =
                    more.iter().map(|more| if *more == 0 { "at once" } else { "next" }).collect();
                write!(table, " {} |", words.join(" or ")).expect("memory");
            }
            table.push('\n');
        }
    }
    println!("{table}{cells} cells");
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reliability.md"));
    let checked = document::check(path, "crash matrix", &table);
    assert!(checked.is_ok(), "{}", checked.unwrap_err());
}

/// What an update of the head is, by the write before it.
fn of_head(writes: &[Call], call: &Call) -> OfHead {
    let before = (call.writes as usize).checked_sub(1).map(|at| &writes[at]);
    let is_staged = before.is_some_and(|before| before.key.contains(" B#"));
    match call.operation {
        Operation::Update if is_staged => OfHead::Commit,
        Operation::Put => OfHead::Creation,
        _ => OfHead::Rise,
    }
}
