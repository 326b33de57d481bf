//! Pages of running text, in English.

use maud::{Markup, html};
use pitpet_pipeline::api::KennelView;

use crate::view::View;

use super::en::EN;

pub(super) fn about(view: &View<'_>) -> Markup {
    html! {
        h1 { "About PitPet" }
        p.lead { "PitPet is a social network for pets. A pet lives while others care: every post, pat, share, comment and treat begins its days anew. A neglected one fades, dies, and leaves a keepsake." }
        h2 { "What is different here" }
        p { "Nothing that happens here has to be believed. Every event is signed by the account that did it, with a key that never leaves its owner’s device. A small program, the same for everyone, decides what each event does and puts it into a block. Anyone can run that program again, in a browser or on the command line, and must come to the same result, bit by bit." }
        p { "So nobody can quietly give a pet more life, take a treat, or change the past; not even whoever runs this server." }
        h2 { "What is not here" }
        p { "No advertising, no tracking, no cookies, no endless scroll that thinks it knows you. The feed is in the order in which things happened." }
        h2 { "For the curious" }
        p { "The " a href=(view.href("/ledger")) { "ledger" } " shows every block. The " a href="/v1/openapi.json" { "API" } " serves everything that these pages show, with proofs. PitPet is free software under the Apache-2.0 or MIT licence." }
    }
}

pub(super) fn rules(kennels: &[KennelView]) -> Markup {
    html! {
        h1 { "How to play" }
        p.lead { "Care for a pet, visit others, and keep everyone’s story going." }
        @for kennel in kennels {
            @let p = &kennel.parameters;
            @let least_ms = u64::from(p.ttl) * p.age_interval_ms;
            h2 { "In “" (kennel.label) "”" }
            ul {
                li { "A pet is born with " strong { (p.ttl) " of " (p.ttl) } " to live, and its home gets " (EN_TREATS(p.birth_grant)) " for posts." }
                @if p.age_interval_ms == 0 {
                    li { "Each time something happens to anyone here, everybody else grows one older. The busier the place, the faster life goes." }
                } @else {
                    li { "Everybody grows one older at most once in " (duration(p.age_interval_ms)) ", so that a forgotten pet lives at least " (duration(least_ms)) "." }
                }
                li { "When nothing happens for " (duration(p.idle_ms)) ", time goes on by itself." }
                li { "A post costs " (EN_TREATS(p.post_cost)) ", which goes into the pet’s own bowl." }
                li { "A pat and a share are free, once for each post, and never for one’s own pet. Comments are free for visitors." }
                li { "Posts, pats, shares, comments and treats all set the pet back to " (p.ttl) "." }
                li { "At 0 the pet dies, and its story ends. Whoever cared for it can make a keepsake, which hands over what was in the bowl; then a new story may begin." }
                li { "At most " (p.living_max) " pets live here at a time; " (kennel.living) " do now." }
            }
        }
        @if kennels.is_empty() { p { "This server has no place for pets yet." } }
        h2 { "Treats" }
        p { "Treats given at birth pay only for posts, and for comments on your own pet’s posts. Those from a keepsake or from friends can be given to any pet or person. They are never made from nothing: the sum of all is counted in every block." }
        h2 { "The market" }
        p { "A pet that lives, or a keepsake, can be sold, and anyone can bid for one; a bid sets its treats aside. Both sides see before what the seller gets and what the house keeps of the price. A pet goes with its bowl and its story, and from that block on its new home posts for it. Whoever has a pet here can’t buy a second one. An offer or bid is over when it is taken or withdrawn, when its time is up, or when its pet dies or has another home." }
        p { "What the house keeps of a price it can’t spend. It pays those who check the ledger, and only what is missing for that is made anew." }
        h2 { "For ever" }
        p { "What happened is never undone: no pat is taken back, no death reversed. Texts can be erased; that something was said then still shows, but not what." }
    }
}

const EN_TREATS: fn(u64) -> String = EN.treats;

/// A duration of a rule, exactly where it is whole.
fn duration(ms: u64) -> String {
    let minutes = ms / 60_000;
    let unit = |n: u64, one: &str, many: &str| if n == 1 { one.to_owned() } else { format!("{n} {many}") };
    match minutes {
        0 => unit(ms / 1_000, "a second", "seconds"),
        m if m % 1_440 == 0 => unit(m / 1_440, "a day", "days"),
        m if m % 60 == 0 => unit(m / 60, "an hour", "hours"),
        m => unit(m, "a minute", "minutes"),
    }
}

pub(super) fn help(view: &View<'_>) -> Markup {
    html! {
        h1 { "Help" }
        h2 { "How do I keep a pet alive?" }
        p { "Visit it. Any post of a living pet can be patted, shared and commented on; each of these sets its life back to full. The order " a href=(view.href("/?order=ending")) { "“About to end”" } " shows who needs it most." }
        h2 { "What does “9 of 15, about a day at today’s pace” mean?" }
        p { "Nine of the pet’s fifteen ages are left. How long that is depends on how much goes on: the second part is reckoned from the last day." }
        h2 { "I lost my password" }
        p { "Nobody can reset it, because nobody but you ever had it. A key file that you made under another password opens your account; the one from joining is locked with the password that you lost." }
        h2 { "Why was what I did refused?" }
        p { "The page tells the reason. Most often the pet had died, or you had patted this post before. " a href=(view.href("/ledger#rejects")) { "All reasons" } " are listed in the ledger." }
        h2 { "What does “check it yourself” do?" }
        p { "Your browser fetches the block in which something happened, the state before it and the rules, runs it again, and compares every result. It says what was checked, and what was not." }
        h2 { "Can I follow along without an account?" }
        p { "Yes. All pages can be read without one and without JavaScript, and every pet, tag and account has a feed for your feed reader: add " code { "/feed.atom" } " or " code { "/feed.json" } " to its address." }
        h2 { "On the command line" }
        p { "Everything here can be done with " code { "pitpet" } ", which is in the same package as this server; " code { "pitpet --help" } " has a tour." }
    }
}

pub(super) fn privacy() -> Markup {
    html! {
        h1 { "Privacy" }
        p.lead { "What is stored here, for how long, and what erasing does." }
        h2 { "On the ledger, for ever" }
        p { "That your account did something, what kind of thing, to which pet, and when; a fingerprint of each photo and text. An account is a random key, not a person. None of this can be taken out again, because all that came after rests on it." }
        h2 { "Beside the ledger, until erased" }
        ul {
            li { "Texts: names, stories, posts, comments and tags. The ledger holds only a salted fingerprint, from which nobody can tell the text once text and salt are erased." }
            li { "Photos. They are made anew before they leave your device, so that no place or camera is in them." }
            li { "The name of your account, if you registered one (it stays yours, and is not given out again), and words by which public posts are found." }
            li { "If you set a password: a record against which it can be tried by asking this server, and the encrypted vault that it opens. Neither tells the password. A new password replaces both." }
            li { "Your profile, if you wrote one. You replace it yourself; what was there before is gone." }
            li { "Your bookmarks, and whom and what you muted: encrypted by your browser, so that nobody but you can read them." }
        }
        h2 { "For a while" }
        ul {
            li { "Why an event was refused: 30 days; the text of it: 2 days." }
            li { "Reports, and who made them: 90 days." }
            li { "How many requests came from an address in the last minutes, to hold off floods." }
            li { "Photos that nothing refers to: a day." }
        }
        h2 { "Never" }
        p { "Your password and your key: they don’t leave your device. Cookies: there are none. These pages load nothing from anyone else, and tell nobody that you were here." }
        h2 { "What erasing does" }
        p { "You can erase each text of yours on its page. An erased text is gone from pages, feeds and search, from the server, and from what others can export from then on; so are the words by which it was found, and what made its fingerprint readable. Its photo is no longer shown; the file of it is erased by whoever runs this server, whom you may ask. That there was a text, and its fingerprint, stay, and with them every proof. Nobody can bring it back. Whoever copied it before still has it, as everywhere." }
        h2 { "What hiding does" }
        p { "A moderator may hide a text, with a reason that everybody can read. It is then taken out of pages, feeds and search, and the signed original stays, so that anybody can judge the moderators. Reports are kept for 90 days; nobody but the server learns who reported what." }
    }
}
