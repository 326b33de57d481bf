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

use season::{Cast, Company, Outcome, Role, Sum};

/// Times that a post was wanted and couldn't be paid, of a thousand, that are still a good game.
const STARVED_PERMILLE_MAX: u64 = 50;

/// The same of owners of one kind: twice as many, for whoever cares most for a pet waits longest for
/// its keepsake, which gives back what its posts cost.
const STARVED_ROLE_PERMILLE_MAX: u64 = 2 * STARVED_PERMILLE_MAX;

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
    let apart = Cast { company: Company::OwnAccounts, ..cast.clone() };
    let alone = season::play(&parameters, &apart)?;
    println!("\n{}", farms_alone(&alone));
    let mut faults = faults(&parameters, &cast, &outcome);
    faults.extend(
        self::faults(&parameters, &apart, &alone).into_iter().map(|fault| format!("{FARMS_ALONE}: {fault}")),
    );
    if arguments.seeds > 0 {
        let (text, found) = seeds(&parameters, &cast, arguments.seeds)?;
        println!("\n{text}");
        faults.extend(found);
    }
    anyhow::ensure!(faults.is_empty(), "not a good game: {}", faults.join("; "));
    println!("\n{}", verdict(&outcome));
    Ok(())
}

/// The second season, in words.
const FARMS_ALONE: &str = "with farms that only their own accounts visit";

/// What came of the farms in it.
fn farms_alone(outcome: &Outcome) -> String {
    let fakes = outcome.sums.get(&Role::FakeVisitor).cloned().unwrap_or_default();
    format!(
        "The same season {FARMS_ALONE}: {} events of theirs, which earned {} treats; a farm's owner has {:.1}, an honest one {:.1}",
        fakes.events,
        fakes.treats,
        visitor_farms(outcome).per_account(),
        honest(outcome).per_account()
    )
}

/// That a game is good, and who has least of it.
fn verdict(outcome: &Outcome) -> String {
    let mut text = "By its bars it is a good game.".to_owned();
    for (role, sum) in &outcome.sums {
        let starved = sum.starved_permille();
        if role.is_honest_owner() && starved > STARVED_PERMILLE_MAX {
            text.push_str(&format!(
                " But {}, couldn't pay {starved} of 1,000 posts that they wanted, where all owners together may miss {STARVED_PERMILLE_MAX}: docs/economy.md says why that is accepted up to {STARVED_ROLE_PERMILLE_MAX}.",
                role.name()
            ));
        }
    }
    text
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

/// What farms of visitors have, for each owner: all that the accounts of one hand have is theirs.
fn visitor_farms(outcome: &Outcome) -> Sum {
    let mut all = Sum::default();
    for role in [Role::FarmOwner, Role::FakeVisitor] {
        if let Some(sum) = outcome.sums.get(&role) {
            all.add(sum);
        }
    }
    all.accounts = outcome.sums.get(&Role::FarmOwner).map_or(0, |owners| owners.accounts);
    all
}

/// What is wrong with a game, in words.
fn faults(parameters: &Parameters, cast: &Cast, outcome: &Outcome) -> Vec<String> {
    let mut faults = Vec::new();
    let (honest, farms) = (honest(outcome), visitor_farms(outcome));
    if farms.accounts > 0 && farms.per_account() >= honest.per_account() {
        faults.push("an owner of a farm of fake visitors has as much as honest owners".to_owned());
    }
    if let Some(fakes) = outcome.sums.get(&Role::FakeVisitor) {
        if fakes.treats > 0 {
            faults.push(format!("fake visitors earned {} treats by visiting", fakes.treats));
        }
        // What was never tried shows nothing.
        if cast.company == Company::OwnAccounts && fakes.events == 0 {
            faults.push("fake visitors were needed and did nothing".to_owned());
        }
    }
    if honest.starved_permille() > STARVED_PERMILLE_MAX {
        faults.push(format!(
            "owners couldn't pay {} of 1,000 posts that they wanted",
            honest.starved_permille()
        ));
    }
    for (role, sum) in outcome.sums.iter().filter(|(role, _)| role.is_honest_owner()) {
        let starved = sum.starved_permille();
        if starved > STARVED_ROLE_PERMILLE_MAX {
            faults.push(format!("{} couldn't pay {starved} of 1,000 posts that they wanted", role.name()));
        }
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
    text.push_str(&row("**visitor farms, by owner**", &visitor_farms(outcome)));
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
    let faults = faults(parameters, cast, &outcome);
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
        "| {first} | treats an honest owner | a farm's owner | a birth farm's account | posts unpaid, ‰ | median life, ages | treats minted a day | by seals, % | verdict |\n|---|---|---|---|---|---|---|---|---|\n"
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
        assert_eq!(faults(&Parameters::TOWN, &small(), &outcome), Vec::<String>::new());
        let dear = Parameters { birth_grant: 2, post_cost: 2, ..Parameters::TOWN };
        let found = faults(&dear, &small(), &season::play(&dear, &small()).unwrap());
        assert!(found.iter().any(|fault| fault.starts_with("owners couldn't pay")), "{found:?}");
        let role = format!("{} couldn't pay", Role::Devoted.name());
        assert!(found.iter().any(|fault| fault.starts_with(&role)), "{found:?}");
        let paid = Parameters { seal_reward: 1_000, ..Parameters::TOWN };
        let found = faults(&paid, &small(), &season::play(&paid, &small()).unwrap());
        assert!(found.iter().any(|fault| fault.contains("treats for")), "{found:?}");
    }

    #[test]
    fn what_farms_must_not_get_is_named() {
        let apart = Cast { company: Company::OwnAccounts, ..small() };
        let mut outcome = season::play(&Parameters::TOWN, &apart).unwrap();
        let found = |outcome: &Outcome| faults(&Parameters::TOWN, &apart, outcome);
        assert_eq!(
            found(&outcome),
            Vec::<String>::new(),
            "its own accounts keep its pet alive, and earn nothing"
        );
        let honest = honest(&outcome).per_account();
        let sum = |outcome: &mut Outcome, role| std::mem::take(outcome.sums.get_mut(&role).unwrap());
        // As much as honest owners, for one owner; there are six fakes to a farm.
        let owners = sum(&mut outcome, Role::FarmOwner);
        let rich = Sum { treats: (honest * owners.accounts as f64).ceil() as u64, ..owners.clone() };
        outcome.sums.insert(Role::FarmOwner, rich);
        assert!(found(&outcome)[0].contains("has as much as honest owners"), "{:?}", found(&outcome));
        outcome.sums.insert(Role::FarmOwner, owners);
        let fakes = sum(&mut outcome, Role::FakeVisitor);
        outcome.sums.insert(Role::FakeVisitor, Sum { treats: 1, ..fakes.clone() });
        assert_eq!(found(&outcome), ["fake visitors earned 1 treats by visiting"]);
        outcome.sums.insert(Role::FakeVisitor, Sum { events: 0, ..fakes });
        assert_eq!(found(&outcome), ["fake visitors were needed and did nothing"]);
    }
}
