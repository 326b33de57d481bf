//! The season that the neighbourhood goes on with: a second kennel, two miners, a market, a
//! moderator, and a change of rules; in the end both ledgers are verified.
//!
//! The miners are `pitpet mine`, each on a thread of its own. What only an operator may do is done
//! with the keys in the service's data folder; without them that part is left out, and it is said.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::SigningKey;
use pitpet_chain::block::{Change, Trade};
use pitpet_chain::event::Verdict;
use pitpet_chain::hash::{AccountId, BirthHash, EventId, RulesHash};
use pitpet_chain::market::cut;
use pitpet_chain::request::ReportReason;
use pitpet_cli::act::Act;
use pitpet_cli::client::{Client, Mined, now_ms};
use pitpet_cli::failure::Failure;
use pitpet_cli::kennel::Kennel;
use pitpet_cli::keys::{Account, public, random_account};
use pitpet_cli::pins::Pins;
use pitpet_local::service::{MODERATOR_KEY_FILE, NewKennel, NewRules, Preset, read_key};
use pitpet_miner::WasmModules;
use pitpet_pipeline::verify::report;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::super::{admin, appoint, mine, rules, verify};
use super::{Demo, came_about, scene, tell};
use crate::args::{Common, VerifyArgs};
use crate::context::Context;

/// Where a service here keeps its data when nothing is said.
const DATA_DIR: &str = "./pitpet-data";

/// The miners.
const MINERS: [&str; 2] = ["Digger", "Nugget"];

/// What a keepsake is sold for, treats.
const KEEPSAKE_PRICE: u64 = 3;

/// What is bid for a living pet, treats.
const BID: u64 = 2;

/// What each miner needs: either price, and a treat for the first post of a bought pet.
const EARNED_MIN: u64 = 3;

/// Events while the miners earn, at most; seven of eight ages or more are sealed.
const TURNS_MAX: usize = 40;

/// Blocks above the head at which the rules change.
const IN_BLOCKS: u64 = 5;

/// Comments while the change of rules comes and is passed, at most.
const COMMENTS_MAX: usize = 3 * IN_BLOCKS as usize;

/// How long an order stands, ms.
const ORDER_MS: u64 = 24 * 60 * 60 * 1000;

/// How long the miners have to execute what there is.
const CATCH_UP_WAIT: Duration = Duration::from_secs(120);

/// How many of the neighbours have a pet in the second kennel too.
const RESIDENTS: usize = 4;

/// What only this installation's operator can do.
struct Offices {
    token: String,
    moderator: SigningKey,
    /// The kennel that was opened with them.
    kennel: Kennel,
}

/// A miner at work.
struct Miner {
    name: &'static str,
    account: Account,
    thread: Option<JoinHandle<Result<(), Failure>>>,
    /// Treats earned, by kennel.
    earned: BTreeMap<String, u64>,
    /// Height up to which it has executed, by kennel.
    executed: BTreeMap<String, u64>,
}

struct Miners {
    all: Vec<Miner>,
    news: UnboundedReceiver<(usize, Value)>,
    stop: CancellationToken,
}

/// A pet of a neighbour in the second kennel.
struct Resident {
    name: &'static str,
    account: Account,
    birth: BirthHash,
    post: EventId,
}

/// Plays it; gives the labels of the kennels that it was played in.
pub(super) async fn play(
    demo: &mut Demo,
    common: &Common,
    data_dir: Option<&Path>,
) -> Result<Vec<String>, Failure> {
    // Whatever is executed or compiled here is gone in the end, like the accounts.
    let scratch = tempfile::tempdir().map_err(|error| Failure::Unreachable(error.to_string()))?;
    let common =
        Common { keys: Some(scratch.path().to_owned()), account: None, json: false, ..common.clone() };
    let context = Context::new(common)?;
    let offices = open_second(demo, data_dir).await?;
    let mut residents = Vec::new();
    if let Some(offices) = &offices {
        residents = move_in(demo, offices).await?;
    }
    let mut kennels = vec![demo.kennel.clone()];
    kennels.extend(offices.as_ref().map(|offices| offices.kennel.clone()));
    let modules = Arc::new(verify::modules(&context)?);
    let mut miners = Miners::start(demo, &kennels, &modules).await?;
    earn(demo, &mut miners).await?;
    market(demo, &mut miners).await?;
    if let Some(offices) = &offices {
        moderation(demo, offices, &residents).await?;
        change_rules(demo, offices, &residents, &mut miners).await?;
    }
    miners.end(demo).await?;
    audit(demo, &context, &kennels).await?;
    Ok(kennels.into_iter().map(|kennel| kennel.label).collect())
}

/// The folder of the service, if its keys are this server's operator's. They are what proves that:
/// a token is shown to nobody else, and to a server elsewhere only if its folder was named.
fn folder_of(demo: &Demo, data_dir: Option<&Path>) -> Result<PathBuf, Failure> {
    let server = demo.client.server();
    let folder = match data_dir {
        Some(folder) => folder.to_owned(),
        None if is_here(server) => PathBuf::from(DATA_DIR),
        None => return Err(Failure::usage(format!("{server} is another machine"))),
    };
    let key = appoint::operator_key(&folder)?;
    if public(&key) != demo.kennel.genesis.operator {
        return Err(Failure::usage(format!(
            "the keys in {} are not those of the operator of {}",
            folder.display(),
            demo.kennel.label
        )));
    }
    Ok(folder)
}

/// Whether an address is this machine's own.
fn is_here(server: &str) -> bool {
    let url = reqwest::Url::parse(server).ok();
    let host = url.as_ref().and_then(reqwest::Url::host_str).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Opens a kennel beside the first one, if the operator's keys are at hand.
async fn open_second(demo: &Demo, data_dir: Option<&Path>) -> Result<Option<Offices>, Failure> {
    scene("A second kennel");
    let mut run = [0; 3];
    getrandom::fill(&mut run).expect("the system gives random bytes");
    let label = format!("season-{}", hex::encode(run));
    let opened = async {
        let folder = folder_of(demo, data_dir)?;
        let token = admin::token(&folder)?;
        let moderator = read_key(&folder.join(MODERATOR_KEY_FILE))
            .map_err(|error| Failure::Usage(format!("can't read the moderator's key: {error:#}")))?;
        let new = NewKennel::new(label.clone(), Preset::Classic);
        admin::send(operator(demo, "admin/kennels", &token)?.json(&new)).await?;
        Ok((token, moderator))
    };
    match opened.await {
        Ok((token, moderator)) => {
            let (kennel, _) = demo.client.kennel(&label).await?;
            tell(&format!("The operator opens {label}: another chain, with the same keys and rules."));
            Ok(Some(Offices { token, moderator, kennel }))
        }
        Err(why @ (Failure::Usage(_) | Failure::Refused(_))) => {
            tell(&format!(
                "Left out, and with it the moderator and the change of rules: these take the operator's keys ({why}). On the machine that serves, name its folder with --data-dir."
            ));
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// A request of the operator.
fn operator(demo: &Demo, path: &str, token: &str) -> Result<reqwest::RequestBuilder, Failure> {
    let request = reqwest::Client::new().post(format!("{}/{path}", demo.client.server()));
    Ok(request.bearer_auth(token).timeout(demo.left()?))
}

/// Some of the neighbours bring pets into the second kennel too.
async fn move_in(demo: &Demo, offices: &Offices) -> Result<Vec<Resident>, Failure> {
    let mut residents = Vec::new();
    for neighbour in &demo.neighbours[1..=RESIDENTS] {
        let character = neighbour.character;
        let account = neighbour.account.clone();
        let story = "Has a second home, in another neighbourhood.";
        let name = format!("{} the Second", character.name);
        let born = demo.bear_in(&offices.kennel, &account, &character, &name, story).await?;
        let birth = born.id.into();
        let text = match residents.len() + 1 {
            RESIDENTS => "CHEAP CATNIP!!! Order now, pay later!!!",
            _ => character.says,
        };
        let act = Act::Post { pet: birth, photo: None, text: text.into(), tags: vec![] };
        let post = demo.act_in(&offices.kennel, &account, act).await?.id;
        tell(&format!("{name} is born there in block {}, and posts: {text}", born.proven.header.height));
        residents.push(Resident { name: character.name, account, birth, post });
        demo.pause().await;
    }
    Ok(residents)
}

impl Miners {
    /// Starts them, and waits until each has executed every block.
    async fn start(demo: &Demo, kennels: &[Kennel], modules: &Arc<WasmModules>) -> Result<Self, Failure> {
        scene("Two miners");
        let (speak, news) = unbounded_channel();
        let stop = CancellationToken::new();
        let mut all = Vec::new();
        for (at, name) in MINERS.into_iter().enumerate() {
            let account = random_account(name);
            let client = Client::new(demo.client.server(), Pins::in_memory())?;
            let thread = work(at, client, account.clone(), kennels.to_vec(), modules.clone(), &speak, &stop);
            let (earned, executed) = (BTreeMap::new(), BTreeMap::new());
            all.push(Miner { name, account, thread: Some(thread), earned, executed });
        }
        let mut miners = Self { all, news, stop };
        let count = kennels.len();
        miners.until(demo, |miners| miners.all.iter().all(|miner| miner.executed.len() == count)).await?;
        Ok(miners)
    }

    fn label_of(news: &Value) -> String {
        news["kennel"].as_str().unwrap_or_default().to_owned()
    }

    /// Takes a miner's news.
    fn take(&mut self, at: usize, news: &Value) -> Result<(), Failure> {
        let miner = &mut self.all[at];
        let label = Self::label_of(news);
        match news["what"].as_str() {
            Some("following") => {
                tell(&format!(
                    "{} executes the {} blocks of {label} again: all is as shown. Now it searches seals there.",
                    miner.name, news["blocks"]
                ));
                miner.executed.insert(label, news["height"].as_u64().unwrap_or_default());
            }
            Some("executed") => {
                miner.executed.insert(label, news["height"].as_u64().unwrap_or_default());
            }
            Some("won") => {
                tell(&format!("         {} seals age {} of {label}: 1 treat", miner.name, news["age"]));
                *miner.earned.entry(label).or_default() += news["reward"].as_u64().unwrap_or_default();
            }
            Some("ended") => {
                let thread = miner.thread.take().map(JoinHandle::join);
                let name = miner.name;
                return match thread {
                    Some(Ok(Err(failure))) => Err(failure),
                    _ => Err(Failure::Unreachable(format!("{name} stopped mining"))),
                };
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes all news that are there.
    fn hear(&mut self) -> Result<(), Failure> {
        while let Ok((at, news)) = self.news.try_recv() {
            self.take(at, &news)?;
        }
        Ok(())
    }

    /// Takes news until this holds.
    async fn until(&mut self, demo: &Demo, holds: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let wait = demo.left()?.min(CATCH_UP_WAIT);
        let heard = tokio::time::timeout(wait, async {
            while !holds(self) {
                let Some((at, news)) = self.news.recv().await else {
                    return Err(Failure::Unreachable("the miners stopped".into()));
                };
                self.take(at, &news)?;
            }
            Ok(())
        });
        heard.await.unwrap_or_else(|_| Err(Failure::Unreachable("the miners are too slow".into())))
    }

    /// Lets them stop, and says what they earned.
    async fn end(mut self, demo: &Demo) -> Result<(), Failure> {
        self.hear()?;
        self.stop.cancel();
        for miner in &mut self.all {
            let thread = miner.thread.take().expect("it works until it is told to stop");
            let ended = tokio::task::block_in_place(|| thread.join());
            ended.map_err(|_| Failure::Unreachable(format!("{} stopped mining", miner.name)))??;
        }
        scene("What sealing brought");
        for miner in &self.all {
            let view = demo.client.account(&miner.account.id.to_string()).await;
            let free = view.map_or(0, |view| view.kennels.iter().map(|holding| holding.free).sum::<u64>());
            tell(&format!(
                "{}: at least {} seals, each over blocks that it had executed; {free} treats left",
                miner.name,
                miner.earned.values().sum::<u64>()
            ));
        }
        Ok(())
    }
}

impl Drop for Miners {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Mines on a thread of its own.
fn work(
    at: usize,
    client: Client,
    account: Account,
    kennels: Vec<Kennel>,
    modules: Arc<WasmModules>,
    speak: &UnboundedSender<(usize, Value)>,
    stop: &CancellationToken,
) -> JoinHandle<Result<(), Failure>> {
    let (runtime, speak, stop) = (Handle::current(), speak.clone(), stop.clone());
    std::thread::spawn(move || {
        runtime.block_on(async {
            let (tell, mut told) = unbounded_channel();
            let mining = mine::mine_until(&client, &account, kennels, &modules, tell, stop);
            let passing_on = async {
                while let Some(news) = told.recv().await {
                    // Nobody listens any more once the season is over.
                    let _ = speak.send((at, news));
                }
            };
            let (ended, ()) = tokio::join!(mining, passing_on);
            let _ = speak.send((at, serde_json::json!({ "what": "ended" })));
            ended
        })
    })
}

/// The neighbourhood goes on until both miners have earned enough.
async fn earn(demo: &mut Demo, miners: &mut Miners) -> Result<(), Failure> {
    scene("Life goes on; the first seal of each age earns a treat");
    let label = demo.kennel.label.clone();
    let earned = |miner: &Miner| miner.earned.get(&label).copied().unwrap_or_default();
    for turn in 0..TURNS_MAX {
        miners.hear()?;
        if miners.all.iter().all(|miner| earned(miner) >= EARNED_MIN) {
            return Ok(());
        }
        demo.go_on(turn).await?;
        demo.pause().await;
    }
    miners.hear()?;
    for miner in &mut miners.all {
        let lacks = EARNED_MIN.saturating_sub(earned(miner));
        if lacks > 0 {
            let giver = demo.neighbours[0].account.clone();
            demo.act(&giver, Act::Transfer(miner.account.id, lacks)).await?;
            tell(&format!("{} had bad luck; Pebble's owner lends it {lacks}.", miner.name));
            *miner.earned.entry(label.clone()).or_default() += lacks;
        }
    }
    Ok(())
}

/// The trade in a receipt.
fn trade_of(mined: &Mined) -> Result<Trade, Failure> {
    let trade = mined.proven.receipt.changes.iter().find_map(|change| match change {
        Change::Trade(trade) => Some(*trade),
        _ => None,
    });
    trade.ok_or_else(|| Failure::Invalid("an order was taken, and nothing was traded".into()))
}

fn tell_trade(mined: &Mined) -> Result<(), Failure> {
    let trade = trade_of(mined)?;
    tell(&format!(
        "         block {}: {} treats paid, {} to the seller, {} to the house; the pet has another owner in the same block",
        mined.proven.header.height,
        trade.price,
        trade.price - trade.cut,
        trade.cut
    ));
    Ok(())
}

/// Both sides of a trade, a price that isn't the order's, and an order that is withdrawn.
async fn market(demo: &mut Demo, miners: &mut Miners) -> Result<(), Failure> {
    scene("The market");
    let permille = demo.kennel.genesis.parameters.cut_permille;
    let until_ms = now_ms() + ORDER_MS;
    let seller = demo.neighbours[0].account.clone();
    let keepsake = demo.first_life;
    let offered = demo.act(&seller, Act::Offer { pet: keepsake, price: KEEPSAKE_PRICE, until_ms }).await?.id;
    let to_house = cut(KEEPSAKE_PRICE, permille);
    tell(&format!(
        "Pebble's owner offers the keepsake of Pebble for {KEEPSAKE_PRICE} treats: {} for the seller, {to_house} for the house.",
        KEEPSAKE_PRICE - to_house
    ));
    demo.pause().await;
    let [buyer, bidder] = [0, 1].map(|at| (miners.all[at].name, miners.all[at].account.clone()));
    let cheaper = Act::Take { order: offered, price: KEEPSAKE_PRICE - 1 };
    match demo.act(&buyer.1, cheaper).await {
        Err(failure) if failure.problem_name() == Some("wrong-price") => {
            tell(&format!("{} names a lower price: refused, and nothing has changed.", buyer.0));
        }
        Err(failure) => return Err(failure),
        Ok(_) => return Err(Failure::Invalid("an order was taken at a price that isn't its own".into())),
    }
    let bought = demo.act(&buyer.1, Act::Take { order: offered, price: KEEPSAKE_PRICE }).await?;
    tell(&format!("{} buys it with what its seals earned.", buyer.0));
    tell_trade(&bought)?;
    demo.pause().await;

    let host = demo.liveliest().await?;
    let Some(host) = host else {
        tell("No pet is left to bid for; the kennel is too busy.");
        return Ok(());
    };
    let (name, pet) = (demo.neighbours[host].character.name, demo.neighbours[host].birth);
    let withdrawn = demo.act(&bidder.1, Act::Bid { pet, price: 1, until_ms }).await?.id;
    demo.act(&bidder.1, Act::Cancel(withdrawn)).await?;
    tell(&format!(
        "{} bids 1 treat for {name}, thinks again, and cancels: the treat is free again.",
        bidder.0
    ));
    let bid = demo.act(&bidder.1, Act::Bid { pet, price: BID, until_ms }).await?.id;
    tell(&format!("{} bids {BID} for {name}; they are locked meanwhile.", bidder.0));
    demo.pause().await;
    let owner = demo.neighbours[host].account.clone();
    let Some(sold) = came_about(demo.act(&owner, Act::Take { order: bid, price: BID }).await)? else {
        tell(&format!("{name} died before it was sold; the kennel is busy."));
        return Ok(());
    };
    tell(&format!("{name}'s owner takes the bid."));
    tell_trade(&sold)?;
    let text = "New door, same cat.";
    let act = Act::Post { pet, photo: None, text: text.into(), tags: vec![] };
    if came_about(demo.act(&bidder.1, act).await)?.is_some() {
        tell(&format!("{} acts for {name} now, and posts: {text}", bidder.0));
    }
    demo.neighbours[host].account = bidder.1;
    miners.hear()
}

/// A post is reported by several, hidden by the moderator, and everybody sees why.
async fn moderation(demo: &Demo, offices: &Offices, residents: &[Resident]) -> Result<(), Failure> {
    scene("A moderator, in the open");
    let (kennel, Some((spammer, others))) = (&offices.kennel, residents.split_last()) else { return Ok(()) };
    for other in others {
        let key = other.account.first_key();
        demo.client.report(other.account.id, key, &spammer.post, ReportReason::Spam).await?;
        tell(&format!("{}'s owner reports the catnip post.", other.name));
    }
    let of_kennel = [("kennel", kennel.id.to_string())];
    let queue = demo.client.moderation_queue(&of_kennel).await?;
    let entry = queue.entries.iter().find(|entry| entry.event == spammer.post.to_string());
    let entry =
        entry.ok_or_else(|| Failure::Invalid("the moderators' queue lacks what was reported".into()))?;
    tell(&format!("The moderators' queue shows a post with {} reporters.", entry.reporters));
    demo.pause().await;
    let reason = "Advertising; catnip is no currency";
    let act = Act::Moderate { target: spammer.post, verdict: Verdict::Hide, reason: reason.into() };
    let id = AccountId::of(&public(&offices.moderator));
    let decided = demo.perform(kennel, id, &offices.moderator, act).await?;
    let log = demo.client.moderation_log(&of_kennel).await?;
    let entry = log.entries.iter().find(|entry| entry.id == decided.id.to_string());
    let entry = entry.ok_or_else(|| Failure::Invalid("the moderators' log lacks a verdict".into()))?;
    tell(&format!(
        "The moderator hides it in block {}. The public log says why: {}",
        entry.height,
        entry.reason.as_deref().unwrap_or_default()
    ));
    let shown = demo.client.event(&spammer.post, None, 0).await?;
    if shown.and_then(|view| view.hidden).is_none() {
        return Err(Failure::Invalid("a hidden post is shown as if it weren't".into()));
    }
    tell("The signed original stays provable, so that the moderator can be judged too.");
    demo.pause().await;
    Ok(())
}

/// The operator changes the second kennel's rules, and life there goes on.
async fn change_rules(
    demo: &Demo,
    offices: &Offices,
    residents: &[Resident],
    miners: &mut Miners,
) -> Result<(), Failure> {
    scene("A change of rules");
    let (kennel, next) = (&offices.kennel, rules::demonstration());
    let new = NewRules {
        kennel: kennel.id.to_string(),
        module: Some(BASE64.encode(rules::DEMONSTRATION)),
        at_height: None,
        in_blocks: Some(IN_BLOCKS),
    };
    let answer = admin::send(operator(demo, "admin/upgrades", &offices.token)?.json(&new)).await?;
    let nonsense = || Failure::Unreachable("the answer about the change of rules makes no sense".into());
    let at_height = answer["at_height"].as_u64().ok_or_else(nonsense)?;
    tell(&format!(
        "The operator offers another module. It is tried on a copy of the state first: {} bytes become {}, two runs agree. The chain decides: from block {at_height} on, {}",
        answer["state_bytes_before"],
        answer["state_bytes_after"],
        short(&next)
    ));
    let mut last = None;
    let mut is_passed = false;
    for turn in 0..COMMENTS_MAX {
        let (count, round) = (residents.len(), turn / residents.len());
        let host = &residents[turn % count];
        let guest = &residents[(turn + 1 + round % (count - 1)) % count];
        let act = Act::Comment(host.post, "Still the same game?".into());
        let Some(mined) = came_about(demo.act_in(kennel, &guest.account, act).await)? else { continue };
        let header = &mined.proven.header;
        if (header.rules_hash == next) != (header.height >= at_height) {
            return Err(Failure::Invalid(format!(
                "block {} is decided by {}, and the change is at {at_height}",
                header.height, header.rules_hash
            )));
        }
        tell(&format!(
            "         block {}, decided by {}: {}'s owner comments on {} the Second",
            header.height,
            short(&header.rules_hash),
            guest.name,
            host.name
        ));
        miners.hear()?;
        last = Some(header.height);
        is_passed = header.height > at_height;
        if is_passed {
            break;
        }
        demo.pause().await;
    }
    let Some(last) = last.filter(|_| is_passed) else {
        return Err(Failure::Invalid(format!("the rules should have changed at block {at_height}")));
    };
    for resident in residents {
        let pet = demo.client.pet(&resident.birth).await?;
        if pet.born_height == 0 || pet.posts == 0 {
            return Err(Failure::Invalid(format!("{} was lost on the way", resident.name)));
        }
    }
    let label = kennel.label.clone();
    let is_executed = |miner: &Miner| miner.executed.get(&label).is_some_and(|height| *height >= last);
    miners.until(demo, |miners| miners.all.iter().all(is_executed)).await?;
    tell(
        "Nothing was lost, and the pets are who they were. Both miners have executed the blocks of either module.",
    );
    Ok(())
}

fn short(rules: &RulesHash) -> String {
    rules.to_string().chars().take(8).collect()
}

/// Every block of every kennel is executed once more, trusting nobody.
async fn audit(demo: &Demo, context: &Context, kennels: &[Kennel]) -> Result<(), Failure> {
    scene("The audit");
    for kennel in kennels {
        demo.left()?;
        let args = VerifyArgs {
            ledger: None,
            kennel: None,
            genesis: Some(kennel.id),
            head: None,
            checkpoint_key: None,
            allow_rules: vec![],
        };
        for verify::Judged { label, verdict } in
            verify::ledgers(context, &args, &mut verify::Unwatched).await?
        {
            tell(report::words(&label, &verdict?).trim_end());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_this_machine_unless_said_otherwise() {
        for here in ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080", "http://127.9.9.9"] {
            assert!(is_here(here), "{here}");
        }
        for there in
            ["http://pets.example", "https://10.0.0.1", "http://localhost.example", "", "http://[::2]"]
        {
            assert!(!is_here(there), "{there}");
        }
    }
}
