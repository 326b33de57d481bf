//! `economy`: a ledger's treats, added up from its verified blocks.

use pitpet_chain::genesis::Genesis;
use pitpet_cli::failure::Failure;
use pitpet_pipeline::economy::{Economy, EconomyError, Figures};
use pitpet_pipeline::query::Segment;
use pitpet_pipeline::verify::report::many;
use serde_json::{Value, json};

use super::verify::{Walk, end, ledgers, unjudged};
use crate::args::{EconomyArgs, VerifyArgs};
use crate::context::Context;

/// Adds up each ledger as it is walked.
#[derive(Default)]
struct Sums(Vec<Economy>);

fn invalid(error: EconomyError) -> Failure {
    Failure::Invalid(error.to_string())
}

impl Walk for Sums {
    fn begin(&mut self, genesis: &Genesis) {
        self.0.push(Economy::new(genesis.parameters.clone()));
    }

    fn segment(&mut self, segment: &Segment) -> Result<(), Failure> {
        let economy = self.0.last_mut().expect("a ledger has begun");
        segment.entries.iter().try_for_each(|entry| economy.take(&entry.block.0)).map_err(invalid)
    }
}

/// `economy`
pub(crate) async fn run(context: &Context, args: EconomyArgs) -> Result<(), Failure> {
    let EconomyArgs { ledger, kennel, allow_rules } = args;
    let args = VerifyArgs { ledger, kennel, genesis: None, head: None, checkpoint_key: None, allow_rules };
    let mut sums = Sums::default();
    let mut judged = ledgers(context, &args, &mut sums).await?;
    let (mut text, mut records) = (Vec::new(), Vec::new());
    for (one, economy) in judged.iter_mut().zip(&sums.0) {
        let figures = match &one.verdict {
            Ok(verdict) => economy.figures().map(|figures| (verdict, figures)).map_err(invalid),
            Err(failure) => Err(failure.clone()),
        };
        match figures {
            Ok((verdict, figures)) => {
                text.push(words(&one.label, verdict.height, &figures));
                let (kennel, height) = (verdict.kennel.to_string(), verdict.height);
                let mut record: Value = json!({ "label": one.label, "kennel": kennel, "height": height });
                if let (Value::Object(record), Value::Object(figures)) = (&mut record, json!(figures)) {
                    record.extend(figures);
                }
                records.push(record);
            }
            Err(failure) => {
                records.push(unjudged(&one.label, &failure));
                one.verdict = Err(failure);
            }
        }
    }
    end(context, judged, json!({ "ledgers": records }), &text)
}

fn words(label: &str, height: u64, figures: &Figures) -> String {
    let Figures { supply, held, flows, house, holders, lives, .. } = figures;
    let life = match (lives.median_ages, lives.median_ms) {
        (Some(ages), Some(ms)) => {
            let hours = many(ms / 3_600_000, "hour");
            format!("half of the dead lived {} or less, {hours}", many(ages, "age"))
        }
        _ => "nobody has died".to_owned(),
    };
    let holders = match holders.count {
        0 => "none".to_owned(),
        count => format!(
            "{count}; half of them have {} or less, the richest tenth {}.{} % of all",
            holders.median,
            holders.richest_tenth_permille / 10,
            holders.richest_tenth_permille % 10
        ),
    };
    format!(
        "{label}, block {height} (age {})\n\
         \x20 supply   {}: {} granted at births, {} minted for seals\n\
         \x20 held     {} free, {} for posts, {} locked in bids, {} with living pets, {} with dead ones, {} by the house\n\
         \x20 spent    {} on posts, {} as gifts, {} as transfers, {} in {}\n\
         \x20 house    earned {}, paid {} for seals\n\
         \x20 holders  {holders}\n\
         \x20 pets     {} born, {} living, {} remembered; {life}",
        figures.age,
        many(supply.minted, "treat"),
        supply.by_births,
        supply.by_seals,
        held.free,
        held.granted,
        held.locked,
        held.living_wallets,
        held.dead_wallets,
        held.house,
        flows.posts,
        flows.gifts,
        flows.transfers,
        flows.paid,
        many(flows.trades, "trade"),
        house.income,
        house.paid_out,
        lives.born,
        lives.living,
        lives.kept,
    )
}
