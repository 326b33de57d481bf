//! Neighbours: pets of a demonstration that live by themselves, over the real API.
//!
//! Every turn the pet that has least of its life left is visited, or posts if nobody could visit it
//! any more; one at a time is neglected, so that stories end: its owner keeps a keepsake, begins a
//! new story, and the next one is neglected. Nothing depends on being alone in the kennel: each turn
//! looks at what is. Keys are thrown away when the service ends.

use std::time::Duration;

use pitpet_chain::hash::{BirthHash, EventId};
use pitpet_cli::act::Act;
use pitpet_cli::client::{Client, Done};
use pitpet_cli::failure::Failure;
use pitpet_cli::kennel::Kennel;
use pitpet_cli::keys::{Account, random_account};
use pitpet_cli::pins::Pins;
use pitpet_pipeline::api::PetView;
use tokio_util::sync::CancellationToken;

use crate::commands::demo::cast::{CAST, Character};

/// Neighbours, at most: in a kennel where every event is an age, a pet of 15 ages has to be visited
/// at every fifteenth event.
pub(crate) const COUNT_MAX: u8 = 12;

/// How long an event may take to be mined.
const WAIT: Duration = Duration::from_secs(20);

/// What they say, beside what each of them says first.
const SAYINGS: [&str; 12] = [
    "The box was empty. I checked it all afternoon.",
    "Somebody closed a door. I was on the right side of it.",
    "Sat on the newspaper. The news is warm now.",
    "There is a new bird. I have explained the rules to it.",
    "Breakfast was good. The second one too.",
    "I heard a tin, three rooms away.",
    "Nothing to report from under the bed.",
    "Today I caught the red dot. It was on the wall again after.",
    "The vacuum cleaner lost.",
    "Slept on the stairs so that nobody gets lonely.",
    "A moth came by. We talked.",
    "I have counted the spoons by pushing them off the table.",
];

/// What visitors say.
const COMMENTS: [&str; 6] =
    ["So true!", "Told you.", "Same here.", "Save me a place.", "Purr.", "Frame this one."];

/// Topics of posts.
const TAGS: [&str; 4] = ["neighbours", "naps", "dinner", "windowsill"];

struct Neighbour {
    character: Character,
    account: Account,
    birth: Option<BirthHash>,
    /// Its newest post that may still be open.
    post: Option<EventId>,
    /// Visits of that post.
    visits: usize,
    posts: usize,
    lives: usize,
}

struct Street {
    client: Client,
    kennel: Kennel,
    neighbours: Vec<Neighbour>,
    /// Who isn't visited.
    neglected: usize,
}

/// Lives until it is told to stop. What fails is tried again: the service may be busy or stopping.
pub(crate) async fn live(
    url: String,
    label: &'static str,
    count: u8,
    pace: Duration,
    stop: CancellationToken,
) {
    let lived = async {
        let mut street = loop {
            match Street::new(&url, label, count).await {
                Ok(street) => break street,
                Err(failure) => tracing::warn!(%failure, "the neighbours can't move in yet"),
            }
            tokio::time::sleep(pace.max(Duration::from_secs(1))).await;
        };
        for turn in 0.. {
            if let Err(failure) = street.turn(turn).await {
                tracing::debug!(%failure, "a neighbour could not do what it wanted to");
            }
            tokio::time::sleep(pace).await;
        }
    };
    tokio::select! {
        () = lived => {}
        () = stop.cancelled() => {}
    }
}

impl Street {
    async fn new(url: &str, label: &str, count: u8) -> Result<Self, Failure> {
        let client = Client::new(url, Pins::in_memory())?;
        let (kennel, _) = client.kennel(label).await?;
        let mut neighbours = Vec::new();
        for character in CAST.iter().take(usize::from(count)) {
            let name = format!("demo-{}", character.name.to_lowercase());
            let account = random_account(&name);
            // An earlier run in this folder may have the name: then this one goes without.
            match client.register(account.id, account.first_key(), &name).await {
                Ok(_) | Err(Failure::Refused(_)) => {}
                Err(failure) => return Err(failure),
            }
            neighbours.push(Neighbour {
                character: *character,
                account,
                birth: None,
                post: None,
                visits: 0,
                posts: 0,
                lives: 0,
            });
        }
        Ok(Self { client, kennel, neighbours, neglected: 0 })
    }

    /// Performs it, and waits for its block.
    async fn act(&self, who: usize, act: Act) -> Result<EventId, Failure> {
        let account = &self.neighbours[who].account;
        let done = self
            .client
            .perform(&self.kennel, account.id, account.first_key(), &act, Some(WAIT), &|_| {})
            .await?;
        match done {
            Done::Mined(mined) => Ok(mined.id),
            Done::Queued(id) => Ok(id),
        }
    }

    /// One event, or several where lives end and begin.
    async fn turn(&mut self, turn: usize) -> Result<(), Failure> {
        let mut lowest: Option<(u64, usize)> = None;
        for at in 0..self.neighbours.len() {
            let Some(birth) = self.neighbours[at].birth else { return self.bear(at).await };
            let pet = self.client.pet(&birth).await?;
            match pet.phase.as_str() {
                "living" if at == self.neglected && self.neighbours.len() > 1 => {}
                "living" => lowest = lowest.into_iter().chain([(pet.remaining, at)]).min(),
                _ => self.over(at, &pet).await?,
            }
        }
        let Some((_, host)) = lowest else { return Ok(()) };
        let Some(post) = self.neighbours[host].post else { return self.post(host).await };
        self.visit(host, post, turn).await
    }

    async fn bear(&mut self, at: usize) -> Result<(), Failure> {
        let neighbour = &self.neighbours[at];
        let (character, account) = (neighbour.character, &neighbour.account);
        let photo = character.photo();
        self.client.upload(account.id, account.first_key(), &photo).await?;
        let name = match neighbour.lives {
            0 => character.name.to_owned(),
            lives => format!("{} {}", character.name, lives + 1),
        };
        self.kennel = self.client.kennel(&self.kennel.id.to_string()).await?.0;
        let story = character.story.to_owned();
        let birth = self.act(at, Act::Birth { photo: photo.sha256, name, story, recovery: None }).await?;
        let neighbour = &mut self.neighbours[at];
        neighbour.birth = Some(birth.into());
        neighbour.post = None;
        neighbour.lives += 1;
        Ok(())
    }

    async fn post(&mut self, at: usize) -> Result<(), Failure> {
        let neighbour = &self.neighbours[at];
        let Some(pet) = neighbour.birth else { return Ok(()) };
        let text = match neighbour.posts {
            0 => neighbour.character.says,
            posts => SAYINGS[(posts + 5 * at) % SAYINGS.len()],
        };
        let tags = vec![TAGS[(neighbour.posts + at) % TAGS.len()].to_owned()];
        let post = self.act(at, Act::Post { pet, photo: None, text: text.to_owned(), tags }).await?;
        let neighbour = &mut self.neighbours[at];
        (neighbour.post, neighbour.visits) = (Some(post), 0);
        neighbour.posts += 1;
        Ok(())
    }

    /// Somebody visits, each time another one.
    async fn visit(&mut self, host: usize, post: EventId, turn: usize) -> Result<(), Failure> {
        let others = self.neighbours.len() - 1;
        let visits = self.neighbours[host].visits;
        if others == 0 || visits >= 2 * others {
            return self.post(host).await;
        }
        let guest = (host + 1 + visits % others) % self.neighbours.len();
        let act = match (visits / others, turn % 3) {
            (0, 0) => Act::Comment(post, COMMENTS[turn % COMMENTS.len()].to_owned()),
            (0, _) => Act::Pat(post),
            _ => Act::Share(post),
        };
        self.neighbours[host].visits += 1;
        match self.act(guest, act).await {
            Err(failure) if matches!(failure.problem_name(), Some("closed-post" | "unknown-post")) => {
                self.neighbours[host].post = None;
                Ok(())
            }
            done => done.map(drop),
        }
    }

    /// A pet that died: the service ends its story, its owner keeps it and begins another one.
    async fn over(&mut self, at: usize, pet: &PetView) -> Result<(), Failure> {
        let Some(birth) = self.neighbours[at].birth else { return Ok(()) };
        if pet.phase == "ended" {
            self.act(at, Act::Keepsake(birth)).await?;
        } else if pet.phase == "kept" {
            self.bear(at).await?;
            if at == self.neglected {
                self.neglected = (at + 1) % self.neighbours.len();
            }
        }
        Ok(())
    }
}
