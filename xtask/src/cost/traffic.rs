//! A day's events: what players do, in a fixed mix, signed by a crowd of accounts.
//!
//! Of 50 events one is a birth, 9 are posts, 8 comments, 27 pats and 5 shares. A post is visited
//! by its neighbours within the next 40 posts of its kennel. Its words are as often used as those of a
//! natural language are: the most frequent of 8,000 makes up a tenth of all, the second half as much as
//! the first, and so on (Zipf's law).

use pitpet_chain::event::Payload;
use pitpet_chain::hash::{BlockHash, EventId};
use pitpet_pipeline::head::Founding;
use pitpet_pipeline::message::Entry;
use pitpet_simulator::Player;
use pitpet_simulator::town::id_of;

use crate::load::support::key;

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Birth,
    Post,
    Comment,
    Pat,
    Share,
}

/// How many of 50 events.
const MIX: [(Act, usize); 5] =
    [(Act::Birth, 1), (Act::Post, 9), (Act::Comment, 8), (Act::Pat, 27), (Act::Share, 5)];

/// The mix's length; 21 has no common divisor with it, and so spreads the kinds.
const CYCLE: usize = 50;
const STRIDE: usize = 21;

/// Posts that are visited at one time.
const OPEN_POSTS: usize = 40;

/// Accounts that visit, in each kennel: more than the visits of any post.
const VISITORS: u64 = 2_000;

/// How long an event is good, ms.
const GOOD_MS: u64 = 6 * 60 * 60 * 1_000;

/// Posts that a birth's treats pay for, with some left.
const POSTS_OF_A_BIRTH: u32 = 18;

/// Words of a post.
const POST_WORDS: usize = 16;

/// Words that there are.
const VOCABULARY: usize = 8_000;

struct Owner {
    player: Player,
    pet: EventId,
    posts_left: u32,
}

struct OpenPost {
    id: EventId,
    visits: u64,
}

/// A kennel's players.
pub(super) struct Crowd {
    founding: Founding,
    seed: u64,
    drawn: usize,
    owners: Vec<Owner>,
    posts: Vec<OpenPost>,
    posted: u64,
    language: Language,
}

/// Words, and how often each is used.
struct Language {
    words: Vec<String>,
    /// Sums of the frequencies up to each word.
    sums: Vec<f64>,
    state: u64,
}

impl Language {
    fn new(seed: u64) -> Self {
        const ONSETS: &[u8] = b"bcdfghjklmnprstvwyz";
        const VOWELS: &[u8] = b"aeiou";
        const CODAS: &[u8] = b"bcdgklmnprstxz";
        let mut language = Self { words: Vec::new(), sums: Vec::new(), state: 0x9e37_79b9_7f4a_7c15 };
        let mut sum = 0.0;
        while language.words.len() < VOCABULARY {
            // The more frequent, the shorter.
            let syllables = 1 + language.words.len() / 2_700;
            let mut word = String::new();
            for _ in 0..syllables {
                for letters in [ONSETS, VOWELS, CODAS] {
                    word.push(char::from(letters[language.below(letters.len() as u64) as usize]));
                }
            }
            sum += 1.0 / (language.words.len() + 1) as f64;
            language.words.push(word);
            language.sums.push(sum);
        }
        language.state ^= seed;
        language
    }

    /// A number below this (xorshift).
    fn below(&mut self, end: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % end
    }

    fn text(&mut self, words: usize) -> String {
        let mut text = String::new();
        for _ in 0..words {
            let most = self.sums.last().copied().unwrap_or_default();
            let drawn = self.below(1 << 32) as f64 / (1_u64 << 32) as f64 * most;
            let at = self.sums.partition_point(|sum| *sum < drawn);
            text.push_str(&self.words[at.min(self.words.len() - 1)]);
            text.push(' ');
        }
        text
    }
}

impl Crowd {
    /// Players of a kennel; `number` keeps those of several apart.
    pub(super) fn new(founding: Founding, number: u64) -> Self {
        let seed = (number + 1) * 1_000_000_000;
        Self {
            founding,
            seed,
            drawn: 0,
            owners: Vec::new(),
            posts: Vec::new(),
            posted: 0,
            language: Language::new(seed),
        }
    }

    /// The kennel.
    pub(super) fn founding(&self) -> &Founding {
        &self.founding
    }

    fn player(&self, number: u64, now_ms: u64) -> Player {
        Player {
            key: key(self.seed + number),
            kennel: self.founding.kennel,
            parameters: self.founding.genesis.parameters.clone(),
            nonce: 0,
            expires_ms: now_ms + GOOD_MS,
        }
    }

    /// A birth of somebody new, and who they are.
    pub(super) fn birth(&mut self, anchor: BlockHash, now_ms: u64) -> (Entry, Player) {
        let mut player = self.player(VISITORS + self.owners.len() as u64, now_ms);
        let entry = player.birth(&format!("Pet {} of {}", self.owners.len(), self.founding.label), anchor);
        self.owners.push(Owner { player: player.clone(), pet: id_of(&entry), posts_left: POSTS_OF_A_BIRTH });
        (entry, player)
    }

    /// A post by whoever has treats left; of an earlier birth, so that it was mined.
    pub(super) fn post(&mut self, now_ms: u64) -> Option<Entry> {
        let at = self.owners.iter().position(|owner| owner.posts_left > 0)?;
        let text = format!("{}{}.", self.language.text(POST_WORDS), self.posted);
        let owner = &mut self.owners[at];
        owner.posts_left -= 1;
        owner.player.expires_ms = now_ms + GOOD_MS;
        let entry = owner.player.post(owner.pet, &text);
        // Turn about.
        let owner = self.owners.remove(at);
        self.owners.push(owner);
        self.posted += 1;
        self.posts.push(OpenPost { id: id_of(&entry), visits: 0 });
        if self.posts.len() > OPEN_POSTS {
            self.posts.remove(0);
        }
        Some(entry)
    }

    /// The next event of the mix, and who gave birth if it is a birth.
    pub(super) fn next(&mut self, anchor: BlockHash, now_ms: u64) -> (Entry, Option<Player>) {
        let mut at = self.drawn * STRIDE % CYCLE;
        self.drawn += 1;
        let mut act = Act::Pat;
        for (kind, count) in MIX {
            if at < count {
                act = kind;
                break;
            }
            at -= count;
        }
        match act {
            Act::Birth => {
                let (entry, player) = self.birth(anchor, now_ms);
                (entry, Some(player))
            }
            Act::Post => match self.post(now_ms) {
                Some(entry) => (entry, None),
                None => (self.visit(Act::Pat, now_ms), None),
            },
            act => (self.visit(act, now_ms), None),
        }
    }

    /// A visit to an open post by somebody who hasn't been there.
    fn visit(&mut self, act: Act, now_ms: u64) -> Entry {
        // The newest is left alone until its own block is made.
        let count = self.posts.len().saturating_sub(1).max(1);
        let at = self.drawn * 7 % count;
        let post = &mut self.posts[at];
        post.visits += 1;
        let (id, visitor) = (post.id, post.visits % VISITORS);
        let mut player = self.player(visitor, now_ms);
        match act {
            Act::Comment => player.comment(id, "What a cutie, and so brave! Greetings from next door."),
            Act::Share => player.act(Payload::Share { post: id }),
            _ => player.pat(id),
        }
    }
}
