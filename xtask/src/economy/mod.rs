//! One seeded season of a kennel: owners, visitors, miners, farms of fake visitors and of births,
//! on the real rules. Who ends up with what decides which parameters are good.
//!
//! What people do is made up, and said in `season.rs`; what comes of it is the rules'. The same
//! seed gives the same season, treat by treat.

mod plot;
mod season;

use std::path::PathBuf;

use anyhow::Context as _;
use pitpet_chain::genesis::Parameters;

use season::{Cast, Outcome, Role, Sum};

/// Times that a post was wanted and couldn't be paid, of a thousand, that are still a good game.
const STARVED_PERMILLE_MAX: u64 = 50;

/// Treats of a kennel for each account, as a multiple of the grant, that are still a good game.
const FLOOD_GRANTS_MAX: u64 = 5;

/// How the season is set.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Everything that is left to chance follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Days of the season
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=366))]
    days: u64,
    /// Where to write the plot
    #[arg(long, value_name = "FILE", default_value = "target/economy.svg")]
    plot: PathBuf,
    /// Also play it with other parameters, one changed at a time
    #[arg(long)]
    scan: bool,
    /// Also play it with so many seeds, from 1 on
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=100))]
    seeds: u64,
    /// Treats granted at each birth, instead of the default
    #[arg(long, value_name = "TREATS", value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    birth_grant: Option<u64>,
}

/// Plays the season, prints the table, writes the plot.
///
/// # Errors
/// If the season is not a good game, or the plot can't be written.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let cast = Cast { seed: arguments.seed, days: arguments.days, ..Cast::default() };
    let mut parameters = Parameters::TOWN;
    parameters.birth_grant = arguments.birth_grant.unwrap_or(parameters.birth_grant);
    let outcome = season::play(&parameters, &cast)?;
    print!("{}", table(&cast, &outcome));
    if let Some(folder) = arguments.plot.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::write(&arguments.plot, plot::svg(&cast, &outcome))
        .with_context(|| arguments.plot.display().to_string())?;
    println!("\nThe plot is in {}.", arguments.plot.display());
    if arguments.scan {
        println!("\n{}", scan(&cast)?);
    }
    let mut faults = faults(&parameters, &outcome);
    if arguments.seeds > 0 {
        let (text, found) = seeds(&parameters, &cast, arguments.seeds)?;
        println!("\n{text}");
        faults.extend(found);
    }
    anyhow::ensure!(faults.is_empty(), "not a good game: {}", faults.join("; "));
    Ok(())
}

fn honest(outcome: &Outcome) -> Sum {
    let mut all = Sum::default();
    for (role, sum) in &outcome.sums {
        if role.is_honest_owner() {
            all.add(sum);
        }
    }
    all
}

/// What a farm of visitors has, owner and fake visitors together.
fn visitor_farms(outcome: &Outcome) -> Sum {
    let mut all = Sum::default();
    for role in [Role::FarmOwner, Role::FakeVisitor] {
        if let Some(sum) = outcome.sums.get(&role) {
            all.add(sum);
        }
    }
    all
}

/// What is wrong with a game, in words.
fn faults(parameters: &Parameters, outcome: &Outcome) -> Vec<String> {
    let mut faults = Vec::new();
    let (honest, farms) = (honest(outcome), visitor_farms(outcome));
    if farms.accounts > 0 && farms.per_account() >= honest.per_account() {
        faults.push("a farm of fake visitors earns more an account than honest owners".to_owned());
    }
    let fakes = outcome.sums.get(&Role::FakeVisitor).map_or(0, |sum| sum.treats);
    if fakes > 0 {
        faults.push(format!("fake visitors earned {fakes} treats by visiting"));
    }
    if honest.starved_permille() > STARVED_PERMILLE_MAX {
        faults.push(format!(
            "owners couldn't pay {} of 1,000 posts that they wanted",
            honest.starved_permille()
        ));
    }
    if let Some(last) = outcome.days.last() {
        let accounts: u64 = outcome.sums.values().map(|sum| sum.accounts).sum();
        let most = accounts * parameters.birth_grant * FLOOD_GRANTS_MAX;
        if last.figures.supply.minted > most {
            faults.push(format!("{} treats for {accounts} accounts", last.figures.supply.minted));
        }
    }
    faults
}

/// A power of two, to a tenth.
fn bits(trials: u128) -> String {
    if trials == 0 { "none".to_owned() } else { format!("2^{:.1}", (trials as f64).log2()) }
}

fn table(cast: &Cast, outcome: &Outcome) -> String {
    let mut text = format!(
        "A season of {} days, seed {}: {} ages, {} blocks, {} events refused\n\n",
        cast.days, cast.seed, outcome.ages, outcome.blocks, outcome.rejects
    );
    text.push_str(
        "| who | accounts | events | treats an account | of them free | posts unpaid | median life, ages | living | trials an account |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    let row = |name: &str, sum: &Sum| {
        format!(
            "| {name} | {} | {} | {:.1} | {:.1} | {} of {} | {} | {} | {} |\n",
            sum.accounts,
            sum.events,
            sum.per_account(),
            sum.free as f64 / sum.accounts.max(1) as f64,
            sum.starved,
            sum.wanted,
            sum.median_life().map_or("none died".to_owned(), |ages| ages.to_string()),
            sum.living,
            bits(sum.work / u128::from(sum.accounts.max(1)))
        )
    };
    for role in Role::ALL {
        if let Some(sum) = outcome.sums.get(&role) {
            text.push_str(&row(role.name(), sum));
        }
    }
    text.push_str(&row("**honest owners together**", &honest(outcome)));
    text.push_str(&row("**visitor farms together**", &visitor_farms(outcome)));
    let Some(last) = outcome.days.last() else { return text };
    let figures = &last.figures;
    text.push_str(&format!(
        "\nsupply: {} treats, {} granted at births, {} minted for seals\n\
         held: {} free, {} for posts, {} locked, {} with living pets, {} with dead ones, {} by the house\n\
         spent: {} on posts, {} as gifts, {} as transfers, {} in {} trades\n\
         house: earned {}, paid {} for seals\n\
         holders: {}, half have {} or less, the richest tenth {}.{} %\n\
         seals: {} of {} ages; one takes {} trials on average in the end\n",
        figures.supply.minted,
        figures.supply.by_births,
        figures.supply.by_seals,
        figures.held.free,
        figures.held.granted,
        figures.held.locked,
        figures.held.living_wallets,
        figures.held.dead_wallets,
        figures.held.house,
        figures.flows.posts,
        figures.flows.gifts,
        figures.flows.transfers,
        figures.flows.paid,
        figures.flows.trades,
        figures.house.income,
        figures.house.paid_out,
        figures.holders.count,
        figures.holders.median,
        figures.holders.richest_tenth_permille / 10,
        figures.holders.richest_tenth_permille % 10,
        outcome.sealed,
        outcome.ages,
        bits(u128::from(outcome.difficulty) << season::TRIAL_BITS),
    ));
    text
}

/// A row of the tables that compare seasons.
fn compared(name: &str, parameters: &Parameters, cast: &Cast) -> anyhow::Result<(String, Vec<String>)> {
    let outcome = season::play(parameters, cast)?;
    let (honest, farms) = (honest(&outcome), visitor_farms(&outcome));
    let births = outcome.sums.get(&Role::BirthFarm).map_or(0.0, Sum::per_account);
    let supply = outcome.days.last().map(|day| day.figures.supply.clone()).context("a day")?;
    let faults = faults(parameters, &outcome);
    let row = format!(
        "| {name} | {:.1} | {:.1} | {births:.1} | {} | {} | {:.0} | {:.0} | {} |\n",
        honest.per_account(),
        farms.per_account(),
        honest.starved_permille(),
        honest.median_life().map_or("none died".to_owned(), |ages| ages.to_string()),
        supply.minted as f64 / cast.days as f64,
        100.0 * supply.by_seals as f64 / supply.minted.max(1) as f64,
        if faults.is_empty() { "good".to_owned() } else { faults.join("; ") }
    );
    Ok((row, faults))
}

/// The heading of [`compared`] rows.
fn heading(first: &str) -> String {
    format!(
        "| {first} | treats an honest owner | a farm's account | a birth farm's | posts unpaid, ‰ | median life, ages | treats minted a day | by seals, % | verdict |\n|---|---|---|---|---|---|---|---|---|\n"
    )
}

/// The season with so many seeds, and what is wrong with any of them.
fn seeds(parameters: &Parameters, cast: &Cast, count: u64) -> anyhow::Result<(String, Vec<String>)> {
    let (mut text, mut all) = (heading("seed"), Vec::new());
    for seed in 1..=count {
        let (row, faults) = compared(&seed.to_string(), parameters, &Cast { seed, ..cast.clone() })?;
        text.push_str(&row);
        all.extend(faults.into_iter().map(|fault| format!("seed {seed}: {fault}")));
    }
    Ok((text, all))
}

/// The season with one parameter changed at a time.
fn scan(cast: &Cast) -> anyhow::Result<String> {
    let town = Parameters::TOWN;
    let variants: [(&str, Parameters); 10] = [
        ("as it is", town.clone()),
        ("ttl 8", Parameters { ttl: 8, ..town.clone() }),
        ("ttl 30", Parameters { ttl: 30, ..town.clone() }),
        ("birth_grant 5", Parameters { birth_grant: 5, ..town.clone() }),
        ("birth_grant 20", Parameters { birth_grant: 20, ..town.clone() }),
        ("birth_grant 80", Parameters { birth_grant: 80, ..town.clone() }),
        ("post_cost 4", Parameters { post_cost: 4, ..town.clone() }),
        ("seal_reward 0", Parameters { seal_reward: 0, ..town.clone() }),
        ("seal_reward 10", Parameters { seal_reward: 10, ..town.clone() }),
        ("age_interval 1 h", Parameters { age_interval_ms: 60 * 60 * 1000, ..town }),
    ];
    let mut text = heading("parameters");
    for (name, parameters) in variants {
        text.push_str(&compared(name, &parameters, cast)?.0);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Cast {
        Cast { days: 12, owners: 6, visitors: 6, farms: 1, fakes: 6, birth_farm: 2, ..Cast::default() }
    }

    #[test]
    fn the_same_seed_gives_the_same_season() {
        let play = |seed| {
            let cast = Cast { seed, ..small() };
            let outcome = season::play(&Parameters::TOWN, &cast).unwrap();
            table(&cast, &outcome) + &plot::svg(&cast, &outcome)
        };
        assert_eq!(play(3), play(3));
        assert_ne!(play(3), play(4));
    }

    #[test]
    fn what_is_no_good_game_is_named() {
        let outcome = season::play(&Parameters::TOWN, &small()).unwrap();
        assert_eq!(faults(&Parameters::TOWN, &outcome), Vec::<String>::new());
        let dear = Parameters { birth_grant: 2, post_cost: 2, ..Parameters::TOWN };
        let found = faults(&dear, &season::play(&dear, &small()).unwrap());
        assert!(found.iter().any(|fault| fault.contains("couldn't pay")), "{found:?}");
        let paid = Parameters { seal_reward: 1_000, ..Parameters::TOWN };
        let found = faults(&paid, &season::play(&paid, &small()).unwrap());
        assert!(found.iter().any(|fault| fault.contains("treats for")), "{found:?}");
    }
}
