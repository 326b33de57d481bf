//! `pitpet demo`: a neighbourhood of a dozen pets and the season that follows ([`season`]), told as
//! it happens, over the real API.
//!
//! Every step is a signed event whose proof is checked. Nothing depends on an empty kennel: others
//! may be at it, so each loop looks at what is, and a pet that died meanwhile is left out.

pub(crate) mod cast;
mod season;

use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use futures::future::join_all;
use pitpet_chain::block::Change;
use pitpet_chain::hash::{AccountId, BirthHash, EventId};
use pitpet_cli::act::Act;
use pitpet_cli::client::{Client, Done, Mined};
use pitpet_cli::failure::Failure;
use pitpet_cli::kennel::Kennel;
use pitpet_cli::keys::{Account, random_account};
use pitpet_cli::pins::Pins;
use pitpet_pipeline::api::PetView;
use pitpet_pipeline::verify::report::many;

use super::look::{meter, visits};
use crate::args::{DemoArgs, URL};
use crate::context::{Ask, Context, plain, show};
use cast::{CAST, Character};

/// How long the reaper has for a story end, before a neighbour submits it.
const STORY_END_WAIT: Duration = Duration::from_secs(20);

/// Between two looks at a dead pet.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Events that the demonstration waits for the neglected pet to fade, at most: each may be an age,
/// and a pet has 15; the rest is for blocks that hold several.
const VISITS_MAX: usize = 100;

/// A neighbour with its pet.
struct Neighbour {
    character: Character,
    account: Account,
    birth: BirthHash,
    post: Option<EventId>,
    visits: usize,
    last_visit: usize,
    is_out: bool,
}

struct Demo {
    client: Client,
    kennel: Kennel,
    started: Instant,
    /// It ends within this time, whatever happens.
    within: Duration,
    pace: Duration,
    neighbours: Vec<Neighbour>,
    /// The pet whose story ended.
    first_life: BirthHash,
}

/// `demo`
pub(crate) async fn run(context: &Context, args: DemoArgs) -> Result<(), Failure> {
    let client = if context.common.keys.is_some() {
        context.client()?
    } else {
        Client::new(&context.common.url, Pins::in_memory())?
    };
    let (kennel, view) = client.kennel(&args.kennel).await?;
    let ttl = kennel.genesis.parameters.ttl;
    if kennel.genesis.parameters.age_interval_ms > 0 {
        return Err(Failure::usage(format!(
            "in kennel {} a pet lives for days; the demo needs one like `classic`, where every block is an age",
            kennel.label
        )));
    }
    if view.free_places as usize <= CAST.len() {
        return Err(Failure::Unreachable(format!(
            "kennel {} has only {} free places",
            kennel.label, view.free_places
        )));
    }
    let accounts = accounts(context)?;
    let pace = Duration::from_millis(args.pace_ms);
    let mut demo = Demo {
        client,
        kennel,
        started: Instant::now(),
        within: Duration::from_secs(args.within_s),
        pace,
        neighbours: Vec::new(),
        first_life: BirthHash([0; 32]),
    };
    tell(&format!(
        "Kennel {} on {}, block {}. Every block with an event is an age; a pet has {} to live, and each event about it starts them anew.",
        view.label,
        demo.client.server(),
        view.height,
        ttl
    ));
    demo.births(accounts).await?;
    demo.posts().await?;
    demo.neglect().await?;
    demo.story_end().await?;
    demo.keepsake_and_gifts().await?;
    demo.restart().await?;
    let kennels = season::play(&mut demo, &context.common, args.data_dir.as_deref()).await?;
    demo.epilogue(&kennels).await
}

fn tell(text: &str) {
    show(&plain(text));
}

fn scene(title: &str) {
    show(&format!("\n-- {title}"));
}

/// Throw-away accounts, or ones whose keys are kept if a directory was named.
fn accounts(context: &Context) -> Result<Vec<Account>, Failure> {
    let mut run = [0; 3];
    getrandom::fill(&mut run).expect("the system gives random bytes");
    let accounts: Vec<_> = CAST
        .iter()
        .map(|pet| random_account(&format!("{}-{}", pet.name.to_lowercase(), hex::encode(run))))
        .collect();
    if context.common.keys.is_some() {
        let passphrase = context.passphrase("Passphrase for the neighbours' keys: ", Ask::Twice)?;
        for account in &accounts {
            context.keys.create(account, passphrase)?;
        }
        tell(&format!("The keys of {} neighbours are in {}.", accounts.len(), context.keys.path().display()));
    }
    Ok(accounts)
}

impl Demo {
    fn left(&self) -> Result<Duration, Failure> {
        let left = self.within.saturating_sub(self.started.elapsed());
        if left.is_zero() {
            return Err(Failure::Unreachable("the demonstration took too long; is the server busy?".into()));
        }
        Ok(left)
    }

    async fn pause(&self) {
        // In the second half of its time it hurries.
        if self.started.elapsed() < self.within / 2 {
            tokio::time::sleep(self.pace).await;
        }
    }

    async fn act(&self, account: &Account, act: Act) -> Result<Mined, Failure> {
        self.act_in(&self.kennel, account, act).await
    }

    async fn act_in(&self, kennel: &Kennel, account: &Account, act: Act) -> Result<Mined, Failure> {
        self.perform(kennel, account.id, account.first_key(), act).await
    }

    async fn perform(
        &self,
        kennel: &Kennel,
        account: AccountId,
        key: &SigningKey,
        act: Act,
    ) -> Result<Mined, Failure> {
        let wait = Some(self.left()?);
        match self.client.perform(kennel, account, key, &act, wait, &|_| {}).await? {
            Done::Mined(mined) => Ok(*mined),
            Done::Queued(_) => unreachable!("the demonstration waits"),
        }
    }

    async fn bear(
        &self,
        account: &Account,
        character: &Character,
        name: &str,
        story: &str,
    ) -> Result<Mined, Failure> {
        self.bear_in(&self.kennel, account, character, name, story).await
    }

    async fn bear_in(
        &self,
        kennel: &Kennel,
        account: &Account,
        character: &Character,
        name: &str,
        story: &str,
    ) -> Result<Mined, Failure> {
        let photo = character.photo();
        self.client.upload(account.id, account.first_key(), &photo).await?;
        let act = Act::Birth { photo: photo.sha256, name: name.into(), story: story.into(), recovery: None };
        self.act_in(kennel, account, act).await
    }

    async fn births(&mut self, accounts: Vec<Account>) -> Result<(), Failure> {
        scene("A neighbourhood moves in");
        // One after the other: each pet waits for as many blocks until its post as there are pets,
        // which is less than a life.
        for (account, character) in accounts.into_iter().zip(CAST) {
            let mined = self.bear(&account, character, character.name, character.story).await?;
            tell(&format!(
                "{:<8} is born in block {}. {}",
                character.name, mined.proven.header.height, character.story
            ));
            self.neighbours.push(Neighbour {
                character: *character,
                account,
                birth: mined.id.into(),
                post: None,
                visits: 0,
                last_visit: 0,
                is_out: false,
            });
            self.pause().await;
        }
        Ok(())
    }

    async fn posts(&mut self) -> Result<(), Failure> {
        scene("Everyone has something to say");
        // Pebble's post is the oldest, so that all others stay open for as long as Pebble lives.
        for at in 0..self.neighbours.len() {
            let neighbour = &self.neighbours[at];
            let text = neighbour.character.says.to_owned();
            let act = Act::Post { pet: neighbour.birth, photo: None, text, tags: vec!["neighbours".into()] };
            let posted = came_about(self.act(&neighbour.account, act).await)?;
            let neighbour = &mut self.neighbours[at];
            let name = neighbour.character.name;
            match posted {
                Some(mined) => {
                    neighbour.post = Some(mined.id);
                    tell(&format!("{name:<8} posts: {}", neighbour.character.says));
                }
                None => {
                    neighbour.is_out = true;
                    tell(&format!("{name} died before it could say a word; the kennel is busy."));
                }
            }
            self.pause().await;
        }
        Ok(())
    }

    /// All visit each other, and nobody visits Pebble, until its life is over.
    async fn neglect(&mut self) -> Result<(), Failure> {
        scene("All visit each other. Nobody visits Pebble; its owner is on holiday");
        for turn in 1..=VISITS_MAX {
            let pebble = self.look_at(0).await?;
            let ttl = self.kennel.genesis.parameters.ttl;
            if pebble.phase != "living" {
                tell(&format!("Pebble   {}  has died, in block {}.", meter(0, ttl), pebble.died_height));
                return Ok(());
            }
            tell(&format!("Pebble   {}  {} of {ttl}", meter(pebble.remaining, ttl), pebble.remaining));
            self.visit(turn).await?;
            self.pause().await;
        }
        Err(Failure::Invalid("Pebble should have died by now, and has not".into()))
    }

    /// One visit, to whoever waits longest.
    async fn visit(&mut self, turn: usize) -> Result<(), Failure> {
        let count = self.neighbours.len();
        let waiting =
            (1..count).filter(|at| !self.neighbours[*at].is_out && self.neighbours[*at].post.is_some());
        let Some(host) = waiting.min_by_key(|at| self.neighbours[*at].last_visit) else {
            return Err(Failure::Unreachable("all the neighbours have died; the kennel is too busy".into()));
        };
        // Another guest each time, never the host, never Pebble's owner: the others in turn.
        let visits = self.neighbours[host].visits;
        let guest = 1 + (host + visits % (count - 2)) % (count - 1);
        let post = self.neighbours[host].post.expect("filtered above");
        let (act, what) = match turn % 3 {
            0 => (Act::Share(post), "shares"),
            1 => (Act::Pat(post), "pats"),
            _ => (Act::Comment(post, "So true!".into()), "comments on"),
        };
        let done = came_about(self.act(&self.neighbours[guest].account, act).await)?;
        let (guest, host) = (self.neighbours[guest].character.name, &mut self.neighbours[host]);
        host.visits += 1;
        host.last_visit = turn;
        match done {
            Some(_) => tell(&format!("         {guest}'s owner {what} {}", host.character.name)),
            None => {
                host.is_out = true;
                tell(&format!("         {}'s post is closed; the kennel is busy", host.character.name));
            }
        }
        Ok(())
    }

    /// Whoever has least of its life left is visited, or posts where nobody can visit it.
    async fn go_on(&mut self, turn: usize) -> Result<(), Failure> {
        let mut lowest: Option<(u64, usize)> = None;
        for at in 0..self.neighbours.len() {
            let pet = self.look_at(at).await?;
            self.neighbours[at].is_out = pet.phase != "living";
            if pet.phase == "living" {
                lowest = lowest.into_iter().chain([(pet.remaining, at)]).min();
            }
        }
        let Some((_, host)) = lowest else {
            return Err(Failure::Unreachable("all the neighbours have died; the kennel is too busy".into()));
        };
        let Neighbour { post, birth, character, .. } = self.neighbours[host];
        if let Some(post) = post {
            let guests = self.neighbours.len() - 1;
            let guest = (host + 1 + turn % guests) % self.neighbours.len();
            let visited =
                self.act(&self.neighbours[guest].account, Act::Comment(post, "Told you.".into())).await;
            match visited {
                Err(failure)
                    if matches!(
                        failure.problem_name(),
                        Some("closed-post" | "unknown-post" | "too-many-comments")
                    ) => {}
                other => {
                    let height = other?.proven.header.height;
                    let guest = self.neighbours[guest].character.name;
                    tell(&format!("         block {height}: {guest}'s owner comments on {}", character.name));
                    return Ok(());
                }
            }
        }
        let act = Act::Post { pet: birth, photo: None, text: "Again!".into(), tags: vec![] };
        let posted = came_about(self.act(&self.neighbours[host].account, act).await)?;
        self.neighbours[host].post = posted.as_ref().map(|mined| mined.id);
        if let Some(mined) = posted {
            tell(&format!("         block {}: {} posts again", mined.proven.header.height, character.name));
        }
        Ok(())
    }

    /// The neighbour, but for the first one, whose pet has most of its life before it.
    async fn liveliest(&self) -> Result<Option<usize>, Failure> {
        let mut most: Option<(u64, usize)> = None;
        for at in 1..self.neighbours.len() {
            let pet = self.look_at(at).await?;
            if pet.phase == "living" {
                most = most.into_iter().chain([(pet.remaining, at)]).max();
            }
        }
        Ok(most.map(|(_, at)| at))
    }

    async fn look_at(&self, at: usize) -> Result<PetView, Failure> {
        self.left()?;
        self.client.pet(&self.neighbours[at].birth).await
    }

    /// Waits for the server to end the story; ends it itself if need be, as anyone may.
    async fn story_end(&mut self) -> Result<(), Failure> {
        scene("The story ends");
        let dead_since = Instant::now();
        loop {
            let pebble = self.look_at(0).await?;
            if pebble.phase != "dead" {
                tell(
                    "Pebble's story is closed for good. Its page stays, and so does the proof of each day of it.",
                );
                return Ok(());
            }
            if dead_since.elapsed() > STORY_END_WAIT {
                tell("Nobody has closed Pebble's story yet; anyone may, so Chelsea's owner does.");
                let ended =
                    self.act(&self.neighbours[1].account, Act::StoryEnd(self.neighbours[0].birth)).await;
                match ended {
                    Err(failure) if failure.problem_name() == Some("already-ended") => {}
                    other => drop(other?),
                }
            } else {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }

    async fn keepsake_and_gifts(&mut self) -> Result<(), Failure> {
        scene("The keepsake");
        let owner = self.neighbours[0].account.clone();
        self.first_life = self.neighbours[0].birth;
        let mined = self.act(&owner, Act::Keepsake(self.neighbours[0].birth)).await?;
        let free = mined
            .proven
            .receipt
            .changes
            .iter()
            .find_map(|change| match change {
                Change::Account(account) if account.id == owner.id => Some(account.free),
                _ => None,
            })
            .unwrap_or_default();
        tell(&format!(
            "Pebble's owner mints the Story End token. It releases {free} treats: what was in Pebble's wallet, and what was granted at its birth."
        ));
        self.pause().await;
        scene("Treats for friends");
        let living: Vec<usize> =
            (1..self.neighbours.len()).filter(|at| !self.neighbours[*at].is_out).collect();
        let [first, second, ..] = living[..] else {
            tell("Nobody is left to give them to.");
            return Ok(());
        };
        let friend = &self.neighbours[first];
        if came_about(self.act(&owner, Act::Gift(friend.birth, 3)).await)?.is_some() {
            tell(&format!(
                "Three go into {}'s wallet, which also lives longer for it.",
                friend.character.name
            ));
        }
        self.pause().await;
        let (other, name) = (&self.neighbours[second], self.neighbours[second].character.name);
        self.act(&owner, Act::Transfer(other.account.id, 2)).await?;
        tell(&format!("Two go to {name}'s owner,"));
        self.pause().await;
        if came_about(self.act(&other.account, Act::Gift(friend.birth, 1)).await)?.is_some() {
            tell(&format!("who passes one on to {}.", friend.character.name));
        }
        self.pause().await;
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), Failure> {
        scene("A new story");
        let owner = self.neighbours[0].account.clone();
        let face = CAST[CAST.len() - 1];
        let story = "Moved in with the same grey sofa. Someone had kept it warm.";
        // The kennel has moved on since the first births.
        self.kennel = self.client.kennel(&self.kennel.id.to_string()).await?.0;
        let born = self.bear(&owner, &face, "Skipping Stone", story).await?;
        tell(&format!("Skipping Stone is born in block {}. {story}", born.proven.header.height));
        let says = "Is this sofa taken?";
        let act = Act::Post { pet: born.id.into(), photo: None, text: says.into(), tags: vec![] };
        let posted = came_about(self.act(&owner, act).await)?;
        self.neighbours[0] = Neighbour {
            character: Character { name: "Skipping Stone", story, says, ..face },
            account: owner,
            birth: born.id.into(),
            post: posted.as_ref().map(|mined| mined.id),
            visits: 0,
            last_visit: 0,
            is_out: false,
        };
        let Some(post) = posted else { return Ok(()) };
        tell(&format!("It posts: {says}"));
        self.pause().await;
        let guests = &self.neighbours[1..4];
        let pats = join_all(guests.iter().map(|guest| self.act(&guest.account, Act::Pat(post.id)))).await;
        for (guest, pat) in guests.iter().zip(pats) {
            if came_about(pat)?.is_some() {
                tell(&format!("{}'s owner pats it.", guest.character.name));
            }
        }
        Ok(())
    }

    async fn epilogue(&self, kennels: &[String]) -> Result<(), Failure> {
        scene("The neighbourhood now");
        for at in 0..self.neighbours.len() {
            let (pet, name) = (self.look_at(at).await?, self.neighbours[at].character.name);
            let life = if pet.phase == "living" { meter(pet.remaining, pet.ttl) } else { pet.phase };
            tell(&format!(
                "{name:<15} {life:<15} {}, {}",
                visits([pet.posts, pet.pats, pet.shares, pet.comments]),
                many(pet.wallet, "treat")
            ));
        }
        let (_, head) = self.client.checkpoint(&self.kennel).await?;
        // As a person here has to type them.
        let server = self.client.server();
        let at = if server == URL { String::new() } else { format!(" --url {server}") };
        let moderated =
            if kennels.len() > 1 { format!("  pitpet moderate log{at}\n") } else { String::new() };
        tell(&format!(
            "\nEvery event above was shown to be in {}, up to the signed checkpoint {} of {}. It took {} s.\nNow try:\n  pitpet feed --kennel {}{at}\n  pitpet pet {} --events{at}\n  pitpet market trades{at}\n{moderated}  pitpet economy --kennel {}{at}\n  pitpet verify {server}",
            kennels.join(" and "),
            head.size,
            self.kennel.label,
            self.started.elapsed().as_secs(),
            self.kennel.label,
            self.neighbours[0].birth,
            self.kennel.label,
        ));
        Ok(())
    }
}

/// Nothing, where a busy kennel has let the pet die first.
fn came_about(done: Result<Mined, Failure>) -> Result<Option<Mined>, Failure> {
    match done {
        Ok(mined) => Ok(Some(mined)),
        Err(failure)
            if matches!(failure.problem_name(), Some("dead-pet" | "closed-post" | "unknown-post")) =>
        {
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn guests_are_others_and_change() {
        let count = CAST.len();
        for host in 1..count {
            let guests: BTreeSet<_> =
                (0..count - 2).map(|visits| 1 + (host + visits % (count - 2)) % (count - 1)).collect();
            assert_eq!(guests.len(), count - 2);
            assert!(!guests.contains(&host) && !guests.contains(&0));
        }
    }
}
