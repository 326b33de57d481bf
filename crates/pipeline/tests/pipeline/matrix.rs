//! The crash matrix: every write of every use case, failing before it persisted, after it
//! persisted, or without any answer; then the same process tries again, or another one takes over.
//!
//! The writes are counted by a run without faults, so that a new step is covered by itself. The
//! table of it stands in `docs/reliability.md`.

mod scene;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use pitpet_chain::genesis::Parameters;
use pitpet_pipeline::mine::ReceivedMessage;
use pitpet_simulator::faults::{Call, Operation};
use pitpet_simulator::town::QUICK;
use pitpet_simulator::{Fault, Faults, document};

use scene::Scene;
pub(super) use scene::fsck;

/// What is done, write by write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UseCase {
    /// A batch of three messages, with a reject among their events, and a snapshot.
    Mine,
    /// A batch on a kennel with a closed window that is not published.
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
            OfHead::Rise => "head: kept, published or swept height",
        },
        ("K", "GENESIS") => "genesis",
        ("K", "NEXT") => "reservation of the next kennel",
        ("K", "KEYS") => "keys of the offices",
        ("K", sk) if sk.starts_with("B#") && call.operation == Operation::Delete => {
            "block that lost, deleted"
        }
        ("K", sk) if sk.starts_with("B#") => "block, staged",
        ("K", sk) if sk.starts_with("T#") => "tracks",
        ("C", _) => "texts of a block",
        ("E", "BODY") => "body",
        ("E", "REJECT") if call.operation == Operation::Delete => "false reject, deleted",
        ("E", "REJECT") => "reject",
        ("E", "SPARE") => "spare body",
        ("E", sk) if sk.starts_with("VERDICT#") => "verdict",
        ("E", _) => "places",
        ("P", "CARD") => "pet card",
        ("P", sk) if sk.starts_with("E#") => "timeline",
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
        ("W", sk) if sk.starts_with("a#") => "word of a name",
        ("W", _) => "words of a search",
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
