//! Every word of the pages, by language.
//!
//! A language is a constant of [`Texts`], so that the compiler refuses one in which something is
//! missing. Sentences with a number or name in them are functions: each language orders and
//! inflects as it must.

pub(crate) mod account;
pub(crate) mod belongings;
mod de;
mod de_prose;
mod en;
mod en_prose;
pub(crate) mod ledger;
pub(crate) mod market;
pub(crate) mod mine;
pub(crate) mod moderation;
pub(crate) mod reasons;

use maud::Markup;
use pitpet_chain::reject::Reject;
use pitpet_pipeline::api::KennelView;

use crate::view::View;

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// English.
    En,
    /// German.
    De,
}

impl Lang {
    /// All of them; the first is for whoever asks for none of them.
    pub const ALL: &'static [Lang] = &[Lang::En, Lang::De];

    /// Its code, as in `lang="en"`.
    pub fn code(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::De => "de",
        }
    }

    /// What its speakers call it.
    pub fn name(self) -> &'static str {
        match self {
            Lang::En => "English",
            Lang::De => "Deutsch",
        }
    }

    /// Its words.
    pub fn texts(self) -> &'static Texts {
        match self {
            Lang::En => &en::EN,
            Lang::De => &de::DE,
        }
    }

    /// The language with a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|lang| lang.code() == code)
    }

    /// The best of these by an `accept-language` header.
    pub fn accepted(header: &str) -> Self {
        let mut best = (0, Lang::En);
        for range in header.split(',').take(32) {
            let mut parts = range.split(';').map(str::trim);
            let code = parts.next().unwrap_or_default().split('-').next().unwrap_or_default();
            let Some(lang) = Self::from_code(&code.to_ascii_lowercase()) else { continue };
            let quality = parts.find_map(|part| part.strip_prefix("q=")).unwrap_or("1");
            let quality = (quality.parse::<f64>().unwrap_or(0.0).clamp(0.0, 1.0) * 1_000.0) as u32;
            if quality > best.0 {
                best = (quality, lang);
            }
        }
        best.1
    }
}

/// The words of a language.
#[allow(missing_docs, reason = "each field is its own text")]
pub struct Texts {
    pub tagline: &'static str,
    pub skip: &'static str,
    pub demonstration: &'static str,
    pub nav_main: &'static str,
    pub nav_more: &'static str,
    pub nav_language: &'static str,
    pub nav_feed: &'static str,
    pub nav_rules: &'static str,
    pub nav_ledger: &'static str,
    pub nav_signin: &'static str,
    pub nav_join: &'static str,
    pub nav_me: &'static str,
    pub nav_about: &'static str,
    pub nav_help: &'static str,
    pub nav_privacy: &'static str,
    pub search_label: &'static str,
    pub search_placeholder: &'static str,
    pub search_button: &'static str,

    /// How long ago: ms.
    pub ago: fn(u64) -> String,
    /// A number with its digits grouped.
    pub digits: fn(u64) -> String,
    /// A day: year, month, day of the month.
    pub date: fn(u64, u64, u64) -> String,
    /// A duration, roughly: ms.
    pub about: fn(u64) -> String,
    /// What is left of a life: ages, of how many, and how long that is.
    pub life: fn(u64, u32, &str) -> String,

    pub phase_dead: &'static str,
    pub phase_ended: &'static str,
    pub phase_kept: &'static str,
    pub erased_name: &'static str,
    pub erased_text: &'static str,
    pub hidden_name: &'static str,
    /// By the moderator's reason.
    pub hidden_text: fn(&str) -> String,
    pub erased_reason: &'static str,
    pub no_photo: &'static str,
    pub photo_of: fn(&str) -> String,
    pub born: fn(&str) -> String,
    pub more: &'static str,

    pub act_pat: &'static str,
    pub act_share: &'static str,
    pub act_comment: &'static str,
    pub act_bookmark: &'static str,
    pub act_gift: &'static str,
    pub act_post: &'static str,
    pub act_keepsake: &'static str,
    pub actions_of: fn(&str) -> String,
    pub pats: fn(u64) -> String,
    pub shares: fn(u64) -> String,
    pub comments: fn(u64) -> String,
    pub posts: fn(u64) -> String,
    pub treats: fn(u64) -> String,

    pub feed_title: &'static str,
    pub feed_lead: &'static str,
    pub feed_description: &'static str,
    pub feed_orders: &'static str,
    pub feed_newest: &'static str,
    pub feed_alive: &'static str,
    pub feed_ending: &'static str,
    pub feed_empty_title: &'static str,
    pub feed_empty_text: &'static str,
    pub feed_none_living: &'static str,

    pub pet_description: fn(&str) -> String,
    pub pet_owner: &'static str,
    pub pet_wallet: &'static str,
    pub pet_born: &'static str,
    pub pet_died: &'static str,
    pub pet_lived: &'static str,
    pub pet_posts: &'static str,
    pub pet_pats: &'static str,
    pub pet_shares: &'static str,
    pub pet_comments: &'static str,
    pub pet_life: &'static str,
    pub pet_life_caption: fn(u32) -> String,
    /// How many of the newest events a chart draws.
    pub pet_life_newest: fn(u32) -> String,
    pub pet_timeline: &'static str,
    pub pet_other_lives: &'static str,
    pub pet_end_title: &'static str,
    /// Name, how long it lived, whether the story is closed.
    pub pet_end_text: fn(&str, &str, bool) -> String,
    pub new_story: &'static str,
    pub keepsake_title: &'static str,
    pub keepsake_text: &'static str,
    pub keepsake_none: &'static str,

    pub someone: fn(&str) -> String,
    pub ev_birth: fn(&str) -> String,
    pub ev_post: fn(&str) -> String,
    pub ev_pat: fn(&str, &str) -> String,
    pub ev_share: fn(&str, &str) -> String,
    pub ev_comment: &'static str,
    pub ev_gift: fn(&str, &str, u64) -> String,
    pub ev_end: fn(&str) -> String,
    pub ev_keepsake: &'static str,
    pub ev_other: fn(&str) -> String,

    pub post_title: fn(&str) -> String,
    pub post_visits: &'static str,
    pub post_no_visits: &'static str,
    pub check_title: &'static str,
    pub check_text: &'static str,
    pub check_button: &'static str,
    pub check_receipt: &'static str,
    pub check_block: fn(u64) -> String,

    pub account_title: fn(&str) -> String,
    pub account_description: fn(&str) -> String,
    pub account_pets: &'static str,
    pub account_no_pets: &'static str,
    pub account_none_now: &'static str,
    pub account_before: &'static str,
    pub account_free: &'static str,
    pub account_granted: &'static str,
    pub account_where: &'static str,
    pub account_activity: &'static str,
    pub account_id: &'static str,

    pub search_title: &'static str,
    pub search_for: fn(&str) -> String,
    pub search_hint: &'static str,
    pub search_none: &'static str,
    pub search_accounts: &'static str,
    pub search_pets: &'static str,
    pub search_posts: &'static str,
    pub tag_title: fn(&str) -> String,
    pub tag_none: &'static str,

    pub lost_title: &'static str,
    pub lost_text: &'static str,
    pub bad_title: &'static str,
    pub bad_text: &'static str,
    pub down_title: &'static str,
    pub down_text: &'static str,
    pub offline_title: &'static str,
    pub offline_text: &'static str,
    pub reload: &'static str,
    pub back_home: &'static str,

    pub ledger_title: &'static str,
    pub ledger_lead: &'static str,
    pub ledger_empty: &'static str,
    pub kennel: &'static str,
    pub head: &'static str,
    pub block: &'static str,
    pub blocks: &'static str,
    pub height: &'static str,
    pub age: &'static str,
    pub time: &'static str,
    pub hash: &'static str,
    pub parent: &'static str,
    pub rules_hash: &'static str,
    pub rules_download: &'static str,
    pub checkpoint: &'static str,
    pub checkpoint_key: &'static str,
    pub signed_note: &'static str,
    pub living: &'static str,
    pub free_places: &'static str,
    pub pets_ever: &'static str,
    pub accounts: &'static str,
    pub minted: &'static str,
    pub house: &'static str,
    pub parameters: &'static str,
    /// What a parameter means, by its name.
    pub parameter: fn(&str) -> &'static str,
    pub events: &'static str,
    pub event: &'static str,
    pub no_events: &'static str,
    pub deaths: &'static str,
    pub size: &'static str,
    pub older: &'static str,
    pub newer: &'static str,
    pub rejects_title: &'static str,
    pub rejects_lead: &'static str,
    pub number: &'static str,
    pub name: &'static str,
    pub field: &'static str,
    pub meaning: &'static str,
    /// Why an event is refused.
    pub reject: fn(Reject) -> &'static str,
    pub by: &'static str,
    pub receipt: &'static str,
    pub receipt_text: &'static str,
    pub account: &'static str,
    pub pet: &'static str,
    pub post: &'static str,

    pub market: &'static market::MarketTexts,

    pub about_page: fn(&View<'_>) -> Markup,
    pub rules_page: fn(&[KennelView]) -> Markup,
    pub help_page: fn(&View<'_>) -> Markup,
    pub privacy_page: fn() -> Markup,
}

/// Milliseconds of a minute, an hour and a day.
const MINUTE_MS: u64 = 60 * 1000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A number with its thousands set apart.
fn grouped(n: u64, separator: &str) -> String {
    let digits = n.to_string();
    let first = digits.len() % 3;
    let (first, rest) = digits.split_at(first);
    let threes = (0..rest.len()).step_by(3).map(|at| &rest[at..at + 3]);
    [first].into_iter().filter(|first| !first.is_empty()).chain(threes).collect::<Vec<_>>().join(separator)
}

/// Counts in the largest unit of which there is one, to the nearest.
fn rough(duration_ms: u64) -> (u64, Unit) {
    let nearest = |unit: u64| (duration_ms + unit / 2) / unit;
    match duration_ms {
        0..45_000 => (0, Unit::Minute),
        45_000..3_570_000 => (nearest(MINUTE_MS).max(1), Unit::Minute),
        3_570_000..84_600_000 => (nearest(HOUR_MS), Unit::Hour),
        _ => (nearest(DAY_MS), Unit::Day),
    }
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Minute,
    Hour,
    Day,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_accepted_language_is_taken() {
        for (header, lang) in [
            ("", Lang::En),
            ("de", Lang::De),
            ("de-AT,de;q=0.9,en;q=0.8", Lang::De),
            ("fr,en;q=0.9,de;q=0.8", Lang::En),
            ("en;q=0.1, DE;q=0.2", Lang::De),
            ("de;q=0", Lang::En),
            ("de;q=NaN", Lang::En),
            ("*", Lang::En),
        ] {
            assert_eq!(Lang::accepted(header), lang, "{header}");
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        for (n, english, german) in [
            (0, "0 treats", "0 Leckerlis"),
            (1, "1 treat", "1 Leckerli"),
            (999, "999 treats", "999 Leckerlis"),
            (1_000, "1,000 treats", "1.000 Leckerlis"),
            (12_345_678, "12,345,678 treats", "12.345.678 Leckerlis"),
        ] {
            assert_eq!(((en::EN.treats)(n), (de::DE.treats)(n)), (english.to_owned(), german.to_owned()));
        }
    }

    #[test]
    fn durations_are_rough_in_both_languages() {
        let said = |ms| ((en::EN.about)(ms), (de::DE.about)(ms));
        let both = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(said(10_000), both("less than a minute", "weniger als eine Minute"));
        assert_eq!(said(60_000), both("about a minute", "etwa eine Minute"));
        assert_eq!(said(36 * HOUR_MS), both("about 2 days", "etwa 2 Tage"));
        assert_eq!(said(26 * HOUR_MS), both("about a day", "etwa einen Tag"));
        assert_eq!(said(5 * HOUR_MS), both("about 5 hours", "etwa 5 Stunden"));
    }

    #[test]
    fn languages_differ_and_nothing_is_empty() {
        for reject in Reject::ALL {
            let (en, de) = ((en::EN.reject)(*reject), (de::DE.reject)(*reject));
            assert!(en.len() > 10 && de.len() > 10 && en != de, "{reject:?}");
        }
        for name in crate::pages::ledger::PARAMETERS {
            let (en, de) = ((en::EN.parameter)(name), (de::DE.parameter)(name));
            assert!(en.len() > 10 && de.len() > 10 && en != de, "{name}");
        }
    }
}
