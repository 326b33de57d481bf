//! The worlds of the crash matrix: what each use case begins with, does, and must have done.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt as _;
use pitpet_chain::event::{Payload, Verdict};
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
use pitpet_pipeline::mine::{Miner, MinerSettings};
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::offer::{Offering, When};
use pitpet_pipeline::ports::{Item, Key, Objects, Table, Value};
use pitpet_pipeline::rate_limit::RateLimits;
use pitpet_pipeline::reap::Reaper;
use pitpet_pipeline::search::WORDS_MAX;
use pitpet_pipeline::snapshots::ARCHIVED_EVERY;
use pitpet_pipeline::statements::SubmittedStatement;
use pitpet_simulator::audit::{Published, audit};
use pitpet_simulator::faults::{FaultyObjects, FaultyQueue, FaultyTable, Operation};
use pitpet_simulator::queue::MemoryQueue;
use pitpet_simulator::town::{
    EACH, MODERATOR_SEED, QUICK, RELEASES, RULES, at_once, found_with, genesis, id_of, key, submitted,
};
use pitpet_simulator::{Fault, Faults, Player, Town};

use super::super::moderation::ask;
use super::super::query::read;
use super::super::sign_in;
use super::UseCase;

/// The world before a use case, and what must come of it.
pub(super) struct Scene {
    pub(super) case: UseCase,
    pub(super) town: Arc<Town>,
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
pub(super) enum Process {
    Miner(Box<Miner>),
    Reaper(Box<Reaper>),
    Ingest(Box<Ingest>),
    Founder(FaultyTable),
    Operator(Arc<FaultyTable>, Arc<FaultyObjects>, FaultyQueue<MemoryQueue>),
    Opening(Box<(Reaper, Miner)>),
    Checker(Arc<FaultyTable>, FaultyObjects),
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
    pub(super) async fn new(case: UseCase) -> Self {
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
                    // A hot partition: what can't wait is written, and no window.
                    (call.operation == Operation::Publish && call.key.starts_with("P#"))
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
                let garbage = Item { key: garbage, attributes: attributes([("deflated", vec![1].into())]) };
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
            UseCase::Witness => statement = Some(super::super::witnesses::spoken(&town).await),
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

    pub(super) fn process(&self, faults: &Arc<Faults>) -> Process {
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
                    UseCase::Archive => at_once(),
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
                Arc::new(FaultyTable::new(self.town.table.clone(), faults.clone())),
                FaultyObjects::new(self.town.objects.clone(), faults.clone()),
            ),
        }
    }

    /// One attempt, cut off where no answer comes; true if all is done after it.
    pub(super) async fn attempt(&self, process: &Process) -> bool {
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
                let checker = fsck(table.clone(), objects, Mode::Repair);
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
                matches!(
                    erase::erase_by_operator(table.clone(), objects.as_ref(), &self.about[0], now_ms).await,
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
    pub(super) async fn check(&self, what: &str) {
        let town = &self.town;
        town.mine_all(&town.miner()).await;
        // Past the time in which the reaper leaves a head to its miner.
        town.clock.advance(6_000);
        town.reaper().reap().await.expect("the reaper runs");
        town.mine_all(&town.miner()).await;
        let all = town.table.shown().all();
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

/// A snapshot at each block, so that its writes are among those that fail.
fn settings() -> MinerSettings {
    MinerSettings { snapshot_every: 1, ..at_once() }
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
            ("KE" | "C#", _) | ("K#", "GENESIS" | "HEAD") | ("E#", "BODY") => true,
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
    let checker = fsck(town.table.clone(), town.objects.as_ref(), Mode::Check);
    checker.run(None, &mut observer).await.expect("the stores in memory answer");
    faults
}

/// The checker.
pub(in super::super) fn fsck(table: Arc<dyn Table>, objects: &dyn Objects, mode: Mode) -> Fsck<'_> {
    Fsck {
        table,
        objects: Some(objects),
        modules: &NativeHost,
        rules: vec![RULES],
        mode,
        search_words_max: WORDS_MAX,
        window: EACH,
    }
}

fn json(body: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(body).expect("JSON")
}
