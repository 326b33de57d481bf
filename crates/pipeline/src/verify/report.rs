//! A verdict as people and scripts read it.

use serde_json::{Value, json};

use super::{KennelTrust, KeySource, RulesTrust, Verdict};

/// The verdict in words: what was checked, and what was trusted for it.
pub fn words(ledger: &str, verdict: &Verdict) -> String {
    let bodies = &verdict.bodies;
    let kennel_trust = match verdict.kennel_trust {
        KennelTrust::Given(_) => "as given",
        KennelTrust::Remembered(_) => "as seen before",
        KennelTrust::FirstUse => "taken as shown, this first time; --genesis would hold it to an id",
    };
    let rules_trust = match verdict.rules_trust {
        RulesTrust::Pinned => "pinned in this release",
        RulesTrust::Allowed => "NOT known to this release: trusted because --allow-rules says so",
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
         executed   {} blocks, {} events, every signature checked\n  \
         bodies     {} present, {} erased, {} missing; {} events have none{hidden}\n  \
         rules      {} ({rules_trust})\n  \
         checkpoint {} signed by {} ({key_source}){extends}\n",
        verdict.kennel,
        verdict.genesis_block,
        verdict.height,
        verdict.head,
        verdict.blocks,
        verdict.events,
        bodies.present,
        bodies.erased,
        bodies.missing,
        bodies.none,
        verdict.rules,
        verdict.checkpoint.size,
        verdict.checkpoint_key,
    )
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
        "rules": [{
            "hash": verdict.rules.to_string(),
            "trust": match verdict.rules_trust {
                RulesTrust::Pinned => "pinned",
                RulesTrust::Allowed => "allowed",
            },
        }],
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
