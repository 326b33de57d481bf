//! By which words pets, posts and accounts are found.
//!
//! Words lie in the table: no scan, no engine beside it, and the same code everywhere. Those of births
//! and posts are written when their window is published, in buckets ([`crate::runs`]); until then readers
//! take them from the texts of the tail ([`crate::read_side`]). An account's name is an item of its own,
//! written when it is registered. `PITPET_SEARCH_WORDS` sets how many words of a text are written;
//! `docs/figures.md` says what they cost. Words are found whole or by their beginning, newest first.
//!
//! Deliberately absent: stemming, ranking, spelling. The index names events, never their text:
//! whoever looks something up reads the text where it is stored, and shows nothing of one that is
//! erased. Whoever erases a text takes its words out with it ([`crate::erase`]): they follow from the text.

use pitpet_chain::body::Body;
use pitpet_chain::hash::AccountId;

use crate::items::attributes;
use crate::ports::{Item, Key};

/// Distinct words of a text that it is found by, at most.
pub const WORDS_MAX: usize = 12;

/// Words of a name, at most: a name has 64 characters.
const NAME_WORDS_MAX: usize = 8;

/// Characters of a word that count; the rest of a longer one is cut off.
const WORD_CHARS_MAX: usize = 32;

/// Characters that a logical partition is named after. What is looked up by its beginning has as many.
pub const BEGINNING_CHARS: usize = 3;

/// What a word is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// An account's name.
    Account,
    /// A pet's name.
    Pet,
    /// A post's tag.
    Tag,
    /// A post's text.
    Text,
}

impl Class {
    /// The class that a letter stands for.
    pub fn of(letter: &str) -> Option<Self> {
        [Class::Account, Class::Pet, Class::Tag, Class::Text]
            .into_iter()
            .find(|class| letter.chars().eq([class.letter()]))
    }

    fn letter(self) -> char {
        match self {
            Class::Account => 'a',
            Class::Pet => 'n',
            Class::Tag => 't',
            Class::Text => 'w',
        }
    }
}

/// A word under which something is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it is part of.
    pub class: Class,
    /// Lower case, without `#`.
    pub word: String,
}

impl Word {
    /// The logical key of what is listed under it, of an account's name that of its item; `place` is the
    /// sort key that its event has in feeds.
    pub fn key(&self, place: &str) -> Key {
        Key::new(partition(&self.word), format!("{}{place}", self.exactly()))
    }

    /// What the sort keys of this very word begin with.
    pub fn exactly(&self) -> String {
        format!("{}#{}#", self.class.letter(), self.word)
    }

    /// What the sort keys of all words begin with that begin with this one.
    pub fn beginning(&self) -> String {
        format!("{}#{}", self.class.letter(), self.word)
    }
}

/// Whether a partition is one of words.
pub fn is_partition(pk: &str) -> bool {
    pk.starts_with("W#")
}

/// Whether what a sort key begins with is a whole word: [`Word::exactly`].
pub(crate) fn is_exact(sk: &str) -> bool {
    sk.ends_with('#') && sk.matches('#').count() == 2
}

/// The time in the sort key of a birth or post under a word, ms.
pub(crate) fn time_in(sk: &str) -> Option<u64> {
    sk.split('#').nth(2)?.parse().ok()
}

/// Whether a sort key is that of an account's name, which is listed as it is registered.
pub fn is_of_names(sk: &str) -> bool {
    sk.starts_with("a#")
}

/// The logical partition that a word stands in: [`crate::runs::word_bucket`] says in which bucket. An
/// account's name stands there itself.
pub fn partition(word: &str) -> String {
    let beginning: String = word.chars().take(BEGINNING_CHARS).collect();
    format!("W#{beginning}")
}

/// The distinct words of a text in order: runs of letters and digits, in lower case.
pub fn split(text: &str, words_max: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for run in text.split(|c: char| !c.is_alphanumeric()) {
        if words.len() == words_max {
            break;
        }
        let word: String = run.chars().flat_map(char::to_lowercase).take(WORD_CHARS_MAX).collect();
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// The item by which an account's name is found.
pub fn name_word(name: &str, account: &AccountId) -> Item {
    let word = Word { class: Class::Account, word: name.to_owned() };
    Item { key: word.key(""), attributes: attributes([("account", account.0.into())]) }
}

/// The words by which a birth or post is found.
pub fn words_of(body: &Body, words_max: usize) -> Vec<Word> {
    let listed = |class, words: Vec<String>| words.into_iter().map(move |word| Word { class, word });
    match body {
        Body::Birth { name, .. } => listed(Class::Pet, split(name, NAME_WORDS_MAX.min(words_max))).collect(),
        Body::Post { text, tags } => {
            let mut distinct: Vec<String> = Vec::new();
            for tag in tags {
                if !distinct.contains(tag) {
                    distinct.push(tag.clone());
                }
            }
            listed(Class::Tag, distinct).chain(listed(Class::Text, split(text, words_max))).collect()
        }
        Body::Comment { .. } | Body::Moderate { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_distinct_runs_in_lower_case() {
        assert_eq!(
            split("Mochi, MOCHI & the Straße-cat: 3 a.m.!", 12),
            ["mochi", "the", "straße", "cat", "3", "a", "m"]
        );
        assert_eq!(split("one two three four", 2), ["one", "two"]);
        assert_eq!(split("🐈 #!? …", 12), Vec::<String>::new());
        assert_eq!(split("خالد 東京タワー", 12), ["خالد", "東京タワー"]);
        assert_eq!(split(&"x".repeat(99), 12)[0].chars().count(), WORD_CHARS_MAX);
    }

    #[test]
    fn a_post_is_found_by_its_tags_and_first_words() {
        let body = Body::Post { text: "Dinner at four".into(), tags: vec!["dinner".into(), "dinner".into()] };
        let words = words_of(&body, 2);
        let keys: Vec<String> = words.iter().map(Word::exactly).collect();
        assert_eq!(keys, ["t#dinner#", "w#dinner#", "w#at#"]);
        assert_eq!(words[2].key("7"), Key::new("W#at", "w#at#7"));
        assert_eq!(partition("東京タワー"), "W#東京タ");
        assert_eq!(words_of(&body, 0).len(), 1, "tags have pages, and are always listed");
    }
}
