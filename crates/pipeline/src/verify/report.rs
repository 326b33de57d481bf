//! A verdict as people and scripts read it.

use serde_json::{Value, json};

use super::{KennelTrust, KeySource, RulesTrust, UsedRules, Verdict};

/// How many of something, in words; its plural ends in s.
pub fn many(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// The verdict in words: what was checked, and what was trusted for it.
pub fn words(ledger: &str, verdict: &Verdict) -> String {
    let bodies = &verdict.bodies;
    let kennel_trust = match verdict.kennel_trust {
        KennelTrust::Given(_) => "as given",
        KennelTrust::Remembered(_) => "as seen before",
        KennelTrust::FirstUse => "taken as shown, this first time; --genesis would hold it to an id",
    };
    let key_source = match verdict.key_source {
        KeySource::Genesis => "the genesis names it",
        KeySource::Given => "as given",
    };
    let extends = verdict.extends.map_or(String::new(), |claim| {
        format!("\n  before     agrees with checkpoint {}, seen before", claim.size)
    });
    let hidden = match bodies.hidden {
        0 => String::new(),
        hidden => format!("; {hidden} hidden by moderators"),
    };
    format!(
        "Valid: {ledger}\n  \
         genesis    kennel {} ({kennel_trust})\n             block 0 {}\n  \
         head       block {} {}\n  \
         executed   {}, {}, every signature checked\n  \
         bodies     {} present, {} erased, {} missing; {}{hidden}\n  \
         {}\n  \
         checkpoint {} signed by {} ({key_source}){extends}\n",
        verdict.kennel,
        verdict.genesis_block,
        verdict.height,
        verdict.head,
        many(verdict.blocks, "block"),
        many(verdict.events, "event"),
        bodies.present,
        bodies.erased,
        bodies.missing,
        match bodies.none {
            1 => "1 event has none".to_owned(),
            none => format!("{none} events have none"),
        },
        rules_words(&verdict.rules),
        verdict.checkpoint.size,
        verdict.checkpoint_key,
    )
}

/// A line for each of the rules: whose word they are trusted on, and from which block on.
fn rules_words(rules: &[UsedRules]) -> String {
    let line = |(at, used): (usize, &UsedRules)| {
        let trust = match used.trust {
            RulesTrust::Pinned => "pinned in this release",
            RulesTrust::Allowed => "NOT known to this release: trusted because --allow-rules says so",
        };
        let heading = if at == 0 { "rules     " } else { "          " };
        match rules {
            [_] => format!("{heading} {} ({trust})", used.hash),
            _ => format!("{heading} {} for blocks {} to {} ({trust})", used.hash, used.from, used.to),
        }
    };
    rules.iter().enumerate().map(line).collect::<Vec<_>>().join("\n  ")
}

/// The verdict in JSON.
pub fn record(ledger: &str, verdict: &Verdict) -> Value {
    let bodies = &verdict.bodies;
    json!({
        "ledger": ledger,
        "kennel": verdict.kennel.to_string(),
        "kennel_trust": match verdict.kennel_trust {
            KennelTrust::Given(_) => "given",
            KennelTrust::Remembered(_) => "remembered",
            KennelTrust::FirstUse => "first-use",
        },
        "genesis_block": verdict.genesis_block.to_string(),
        "height": verdict.height,
        "head": verdict.head.to_string(),
        "timestamp_ms": verdict.timestamp_ms,
        "blocks": verdict.blocks,
        "events": verdict.events,
        "bodies": {
            "present": bodies.present, "erased": bodies.erased, "missing": bodies.missing, "none": bodies.none,
            "hidden": bodies.hidden
        },
        "rules": verdict.rules.iter().map(rules_record).collect::<Vec<_>>(),
        "checkpoint": {
            "size": verdict.checkpoint.size,
            "root": hex::encode(verdict.checkpoint.root),
            "key": verdict.checkpoint_key.to_string(),
            "key_source": match verdict.key_source {
                KeySource::Genesis => "genesis",
                KeySource::Given => "given",
            },
        },
        "extends": verdict.extends.map(|claim| claim.size),
    })
}

fn rules_record(used: &UsedRules) -> Value {
    json!({
        "hash": used.hash.to_string(),
        "trust": match used.trust {
            RulesTrust::Pinned => "pinned",
            RulesTrust::Allowed => "allowed",
        },
        "from": used.from,
        "to": used.to,
    })
}
