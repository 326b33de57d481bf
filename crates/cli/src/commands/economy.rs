//! `economy`: a ledger's treats, added up from its verified blocks.

use pitpet_chain::genesis::Genesis;
use pitpet_cli::failure::Failure;
use pitpet_pipeline::economy::{Economy, EconomyError, Figures};
use pitpet_pipeline::query::Segment;
use serde_json::{Value, json};

use super::verify::{Walk, ledgers};
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
    let verdicts = ledgers(context, &args, &mut sums).await?;
    let mut text = Vec::new();
    let mut json = Vec::new();
    for ((label, verdict), economy) in verdicts.iter().zip(&sums.0) {
        let figures = economy.figures().map_err(invalid)?;
        text.push(words(label, verdict.height, &figures));
        let mut record: Value =
            json!({ "label": label, "kennel": verdict.kennel.to_string(), "height": verdict.height });
        if let (Value::Object(record), Value::Object(figures)) = (&mut record, json!(figures)) {
            record.extend(figures);
        }
        json.push(record);
    }
    context.print(json!({ "ledgers": json }), &text.join("\n"));
    Ok(())
}

fn words(label: &str, height: u64, figures: &Figures) -> String {
    let Figures { supply, held, flows, house, holders, lives, .. } = figures;
    let life = match (lives.median_ages, lives.median_ms) {
        (Some(ages), Some(ms)) => {
            format!("half of the dead lived {ages} ages or less, {} hours", ms / 3_600_000)
        }
        _ => "nobody has died".to_owned(),
    };
    format!(
        "{label}, block {height} (age {})\n\
         \x20 supply   {} treats: {} granted at births, {} minted for seals\n\
         \x20 held     {} free, {} for posts, {} locked in bids, {} with living pets, {} with dead ones, {} by the house\n\
         \x20 spent    {} on posts, {} as gifts, {} as transfers, {} in {} trades\n\
         \x20 house    earned {}, paid {} for seals\n\
         \x20 holders  {}; half of them have {} or less, the richest tenth {}.{} % of all\n\
         \x20 pets     {} born, {} living, {} remembered; {life}",
        figures.age,
        supply.minted,
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
        flows.trades,
        house.income,
        house.paid_out,
        holders.count,
        holders.median,
        holders.richest_tenth_permille / 10,
        holders.richest_tenth_permille % 10,
        lives.born,
        lives.living,
        lives.kept,
    )
}
