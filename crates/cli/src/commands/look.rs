//! Commands that only look: pets, events, the feed, kennels.

use pitpet_chain::hash::KennelId;
use pitpet_cli::failure::Failure;
use pitpet_pipeline::api::{EntryView, HiddenView, KennelView, PetView};
use pitpet_pipeline::verify::report::many;
use serde_json::json;

use crate::args::{EventArgs, FeedArgs, KennelArgs, PetArgs};
use crate::context::Context;

/// The line that names the command for the next page of a listing, with what was asked for.
///
/// `query` has the options by their names; values are words without spaces, or quoted.
pub(super) fn more(command: &str, query: &[(&str, String)], cursor: &str) -> String {
    let asked = query.iter().filter(|(name, _)| *name != "cursor");
    let options: String = asked.map(|(name, value)| format!(" --{name} {}", word(value))).collect();
    format!("More: pitpet {command}{options} --cursor {}\n", word(cursor))
}

/// A value as a shell takes it for one word.
fn word(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:=+/@%,".contains(c);
    match !value.is_empty() && value.chars().all(is_plain) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}

/// `pet`
pub(crate) async fn pet(context: &Context, args: PetArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let view = client.pet(&args.pet).await?;
    let mut text = card(&view);
    let mut json = json!(view);
    if args.events {
        let query: Vec<_> = args.cursor.map(|cursor| ("cursor", cursor)).into_iter().collect();
        let page = client.pet_events(&args.pet, &query).await?;
        page.entries.iter().for_each(|entry| text.push_str(&line(entry)));
        json["events"] = json!(page.entries);
        if let Some(cursor) = page.cursor {
            text.push_str(&more(&format!("pet {} --events", args.pet), &[], &cursor));
            json["cursor"] = json!(cursor);
        }
    }
    context.print(json, &text);
    Ok(())
}

/// What a pet has had: posts, pats, shares and comments.
pub(super) fn visits([posts, pats, shares, comments]: [u64; 4]) -> String {
    let [posts, pats] = [many(posts, "post"), many(pats, "pat")];
    format!("{posts}, {pats}, {}, {}", many(shares, "share"), many(comments, "comment"))
}

fn card(pet: &PetView) -> String {
    let absent = if pet.hidden.is_some() { "(name hidden)" } else { "(name erased)" };
    let name = pet.name.as_deref().unwrap_or(absent);
    let life = match pet.phase.as_str() {
        "living" => format!("{} {}", meter(pet.remaining, pet.ttl), pet.remaining_words),
        "dead" => format!("died in block {}; its story is about to end", pet.died_height),
        "ended" => {
            format!("died in block {}; its story has ended, the owner may mint the keepsake", pet.died_height)
        }
        "kept" => format!("died in block {}; its owner has the keepsake", pet.died_height),
        other => other.to_owned(),
    };
    let mut text = format!("{name}\n  {life}\n");
    if let Some(story) = pet.story.as_deref().filter(|story| !story.is_empty()) {
        text.push_str(&format!("  {story}\n"));
    }
    if let Some(hidden) = &pet.hidden {
        text.push_str(&format!("  {}\n", hidden_by(hidden)));
    }
    text.push_str(&format!(
        "  {}; {} in its wallet\n  birth  {}\n  owner  {}\n  kennel {}\n",
        visits([pet.posts, pet.pats, pet.shares, pet.comments]),
        many(pet.wallet, "treat"),
        pet.birth,
        pet.owner,
        pet.kennel
    ));
    text
}

fn hidden_by(hidden: &HiddenView) -> String {
    let reason = hidden.reason.as_deref().unwrap_or("(the reason was erased)").replace('\n', " ");
    format!("hidden by a moderator: {reason}")
}

/// A life as a row of marks: one for each age.
pub(crate) fn meter(remaining: u64, ttl: u32) -> String {
    let full = usize::try_from(remaining.min(40)).unwrap_or(40);
    let all = usize::try_from(ttl.min(40)).unwrap_or(40);
    format!("{}{}", "♥".repeat(full), "·".repeat(all.saturating_sub(full)))
}

/// `event`
pub(crate) async fn event(context: &Context, args: EventArgs) -> Result<(), Failure> {
    let (kennel, mined) = context.client()?.find_event(&args.id).await?;
    let (header, place) = (&mined.proven.header, mined.view.place.as_ref());
    let kind = place.map_or("", |place| place.kind.as_str());
    let hidden =
        mined.view.hidden.as_ref().map(|hidden| format!(", {}", hidden_by(hidden))).unwrap_or_default();
    context.print(
        json!({ "id": mined.view.id, "status": mined.view.status, "kind": kind, "kennel": mined.view.kennel,
            "height": header.height, "block": header.hash().to_string(), "timestamp_ms": header.timestamp_ms,
            "body_state": mined.view.body_state, "hidden": mined.view.hidden, "checkpoint_size": mined.proven.head.size }),
        &format!(
            "A {kind} by {}\n  {}, block {} (age {}); text: {}{hidden}\n  the proof holds, up to checkpoint {}",
            mined.proven.event.event.account,
            kennel.label,
            header.height,
            header.age,
            mined.view.body_state,
            mined.proven.head.size
        ),
    );
    Ok(())
}

/// `feed`
pub(crate) async fn feed(context: &Context, args: FeedArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let mut query = vec![("limit", args.limit.to_string())];
    query.extend(args.kennel.map(|kennel| ("kennel", kennel)));
    query.extend(args.cursor.map(|cursor| ("cursor", cursor)));
    let page = client.feed(&query).await?;
    let mut text: String = page.entries.iter().map(line).collect();
    if page.entries.is_empty() {
        text.push_str("Nothing has happened yet. `pitpet demo` changes that.\n");
    }
    if let Some(cursor) = &page.cursor {
        text.push_str(&more("feed", &query, cursor));
    }
    context.print(json!(page), &text);
    Ok(())
}

fn line(entry: &EntryView) -> String {
    let pet = entry.pet_name.as_deref().unwrap_or("a pet");
    let what = match entry.kind.as_str() {
        "birth" => format!("{pet} is born"),
        "post" => format!("{pet} posts"),
        "pat" => format!("{pet} gets a pat"),
        "share" => format!("{pet} is shared"),
        "comment" => format!("{pet} gets a comment"),
        "gift" => format!("{pet} gets {}", many(entry.amount.unwrap_or_default(), "treat")),
        "story_end" => format!("{pet}'s story ends"),
        "keepsake" => format!("{pet} becomes a keepsake"),
        other => format!("{pet}: {other}"),
    };
    let mut text = what;
    if let Some(said) = entry.text.as_deref().filter(|said| !said.is_empty()) {
        text.push_str(&format!(": {}", said.replace('\n', " ")));
    }
    match (&entry.hidden, entry.body_state.as_str()) {
        (Some(hidden), _) => text.push_str(&format!(": {}", hidden_by(hidden))),
        (None, "erased") => text.push_str(": (its text was erased)"),
        (None, "missing") => text.push_str(": (its text is not there yet)"),
        _ => {}
    }
    for tag in &entry.tags {
        text.push_str(&format!(" #{tag}"));
    }
    let about = if entry.kind == "post" { "post " } else { "event" };
    format!("{text}\n  block {}, {about} {}\n", entry.height, entry.id)
}

/// `kennel`
pub(crate) async fn kennel(context: &Context, args: KennelArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let Some(name) = args.kennel else {
        let views = client.kennels().await?;
        for view in &views {
            client.adopt(view)?;
        }
        let text: String = views.iter().map(described).collect();
        context.print(json!({ "kennels": views }), &text);
        return Ok(());
    };
    let (kennel, view) = client.kennel(&name).await?;
    let (note, head) = client.checkpoint(&kennel).await?;
    let id: KennelId = kennel.id;
    context.print(
        json!({ "kennel": view, "checkpoint": note }),
        &format!(
            "{}  checkpoint {} is signed by the key in the genesis of {id}",
            described(&view),
            head.size
        ),
    );
    Ok(())
}

fn described(view: &KennelView) -> String {
    let ages = match view.parameters.age_interval_ms {
        0 => "with every block".to_owned(),
        60_000 => "at most every minute".to_owned(),
        ms => format!("at most every {} minutes", ms / 60_000),
    };
    format!(
        "{}\n  {}, {}; {} ever, {}, {}\n  block {}, age {}: ages {ages}, a pet lives {} of them\n  {}\n",
        view.label,
        many(u64::from(view.living), "living pet"),
        many(u64::from(view.free_places), "free place"),
        many(u64::from(view.pets), "pet"),
        many(u64::from(view.accounts), "account"),
        many(view.minted, "treat"),
        view.height,
        view.age,
        view.parameters.ttl,
        view.id
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_not_there_says_why() {
        let mut entry = EntryView {
            id: "e".to_owned(),
            kind: "post".to_owned(),
            kennel: "k".to_owned(),
            pet: "p".to_owned(),
            pet_name: Some("Mochi".to_owned()),
            account: "a".to_owned(),
            height: 2,
            index: 0,
            timestamp_ms: 0,
            age: 1,
            text: Some("Look!".to_owned()),
            body_state: "present".to_owned(),
            tags: vec![],
            hidden: None,
            photo_url: None,
            post: None,
            amount: None,
        };
        let first = |entry: &EntryView| line(entry).lines().next().unwrap().to_owned();
        assert_eq!(first(&entry), "Mochi posts: Look!");
        entry.text = None;
        entry.body_state = "erased".to_owned();
        assert_eq!(first(&entry), "Mochi posts: (its text was erased)");
        entry.body_state = "missing".to_owned();
        assert_eq!(first(&entry), "Mochi posts: (its text is not there yet)");
        entry.hidden = Some(HiddenView { by: "v".to_owned(), reason: Some("Advertising".to_owned()) });
        assert_eq!(first(&entry), "Mochi posts: hidden by a moderator: Advertising");
        let (hidden, body_state) = (None, "none".to_owned());
        let gift = EntryView { kind: "gift".to_owned(), amount: Some(1), hidden, body_state, ..entry };
        assert_eq!(first(&gift), "Mochi gets 1 treat");
    }

    #[test]
    fn the_next_page_is_asked_for_as_this_one_was() {
        let query = [("limit", "5".to_owned()), ("kennel", "a b's".to_owned()), ("cursor", "old".to_owned())];
        assert_eq!(
            more("feed", &query, "T#17"),
            "More: pitpet feed --limit 5 --kennel 'a b'\\''s' --cursor 'T#17'\n"
        );
    }

    #[test]
    fn a_life_is_drawn_in_ages() {
        assert_eq!(meter(3, 5), "♥♥♥··");
        assert_eq!(meter(0, 5), "·····");
        assert_eq!(meter(9, 5), "♥♥♥♥♥♥♥♥♥");
        assert_eq!(meter(u64::MAX, u32::MAX).chars().count(), 40);
    }
}
