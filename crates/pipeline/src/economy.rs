//! A kennel's treats, added up from its blocks alone: where they came from, where they are, what
//! the house earned, how long pets lived.
//!
//! The receipts hold every record as it was after each event, so that nothing is executed here;
//! who doesn't trust the blocks verifies them on the same walk. In the end all that was found must
//! come to what the kennel says it minted.
//!
//! Deliberately absent: names, and any judgement of the figures.

use std::collections::BTreeMap;

use pitpet_chain::block::{Block, Change, Death, Ending, Receipt, Summary};
use pitpet_chain::codec::{Malformed, decode};
use pitpet_chain::event::{Payload, SignedEvent};
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{AccountId, BirthHash, EventId};
use pitpet_chain::state::{Phase, Side, Totals};
use serde::Serialize;

/// Why the figures can't be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EconomyError {
    /// A block's bytes are no block.
    #[error("a block can't be read")]
    Malformed,
    /// Treats are missing, or there are too many.
    #[error("the receipts come to {found} treats, and the kennel says that it minted {minted}")]
    Unbalanced {
        /// By the last block's sums.
        minted: u64,
        /// By the receipts.
        found: u64,
    },
}

impl From<Malformed> for EconomyError {
    fn from(_: Malformed) -> Self {
        EconomyError::Malformed
    }
}

/// Treats of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Purse {
    granted: u64,
    free: u64,
}

/// What is known of a pet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Life {
    phase: Phase,
    wallet: u64,
    born: (u64, u64),
    died: Option<(u64, u64)>,
}

/// A kennel's treats in the middle of being added up.
#[derive(Clone, Debug)]
pub struct Economy {
    parameters: Parameters,
    purses: BTreeMap<AccountId, Purse>,
    lives: BTreeMap<BirthHash, Life>,
    /// Treats that bids lock, with who made them.
    bids: BTreeMap<EventId, (AccountId, u64)>,
    /// The last block's sums; none before block 0.
    totals: Option<Totals>,
    timestamp_ms: u64,
    flows: Flows,
    births: u64,
    rewards: u64,
    income: u64,
}

/// Where treats came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Supply {
    /// All that were ever minted.
    pub minted: u64,
    /// Granted at births.
    pub by_births: u64,
    /// Minted for seals, beyond what the house's income paid.
    pub by_seals: u64,
}

/// Where treats are now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Free ones of accounts.
    pub free: u64,
    /// Granted ones of accounts, for posts only.
    pub granted: u64,
    /// Locked in bids.
    pub locked: u64,
    /// In the wallets of living pets.
    pub living_wallets: u64,
    /// In the wallets of dead pets, until their owners mint the keepsake.
    pub dead_wallets: u64,
    /// Of the house.
    pub house: u64,
}

/// What treats were spent on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flows {
    /// For posts and owners' comments, into wallets.
    pub posts: u64,
    /// Given to pets.
    pub gifts: u64,
    /// Given to accounts.
    pub transfers: u64,
    /// Trades.
    pub trades: u64,
    /// Prices of all trades.
    pub paid: u64,
}

/// The house's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct House {
    /// Cuts of all trades.
    pub income: u64,
    /// What of it paid for seals.
    pub paid_out: u64,
    /// What is left.
    pub balance: u64,
}

/// Who has treats: free and granted ones, and those in own bids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holders {
    /// Accounts with at least one.
    pub count: u64,
    /// What the one in the middle has.
    pub median: u64,
    /// What the richest tenth of them has, in thousandths of what all of them have.
    pub richest_tenth_permille: u64,
}

/// How long pets lived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lives {
    /// Pets ever born.
    pub born: u64,
    /// Living ones.
    pub living: u64,
    /// Those remembered by a keepsake.
    pub kept: u64,
    /// Median life of the dead, ages; none while nobody has died.
    pub median_ages: Option<u64>,
    /// The same in ms.
    pub median_ms: Option<u64>,
}

/// The figures of a kennel at a height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// The kennel's age.
    pub age: u64,
    /// Timestamp of the last block.
    pub timestamp_ms: u64,
    /// Where treats came from.
    pub supply: Supply,
    /// Where they are.
    pub held: Held,
    /// What they were spent on.
    pub flows: Flows,
    /// The house's account.
    pub house: House,
    /// Who has treats.
    pub holders: Holders,
    /// How long pets lived.
    pub lives: Lives,
}

impl Economy {
    /// Begins at a kennel's founding.
    pub fn new(parameters: Parameters) -> Self {
        Self {
            parameters,
            purses: BTreeMap::new(),
            lives: BTreeMap::new(),
            bids: BTreeMap::new(),
            totals: None,
            timestamp_ms: 0,
            flows: Flows::default(),
            births: 0,
            rewards: 0,
            income: 0,
        }
    }

    /// Takes the next block, from block 0 on.
    ///
    /// # Errors
    /// [`EconomyError::Malformed`].
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), EconomyError> {
        let block: Block = decode(bytes)?;
        for (event, receipt) in block.events.iter().zip(&block.receipts) {
            let signed = SignedEvent::read(&event.0).map_err(|_| EconomyError::Malformed)?;
            let receipt: Receipt = decode(&receipt.0)?;
            self.event(&signed.event.payload, &receipt);
            for change in receipt.changes {
                self.change(&block, change);
            }
        }
        for death in &block.deaths {
            let death: Death = decode(&death.0)?;
            if let Some(life) = self.lives.get_mut(&death.pet) {
                life.phase = Phase::Dead;
                life.died = Some((block.header.timestamp_ms, block.header.age));
            }
        }
        for ending in &block.endings {
            let ending: Ending = decode(&ending.0)?;
            self.bids.remove(&ending.order);
            self.purses.entry(ending.account).or_default().free = ending.free;
        }
        let summary: Summary = decode(&block.summary.0)?;
        self.totals = Some(summary.totals);
        self.timestamp_ms = block.header.timestamp_ms;
        Ok(())
    }

    fn event(&mut self, payload: &Payload, receipt: &Receipt) {
        let is_paid = || receipt.changes.iter().any(|change| matches!(change, Change::Account(_)));
        match payload {
            Payload::Birth { .. } => self.births += 1,
            Payload::Post { .. } => self.flows.posts += self.parameters.post_cost,
            // Only owners pay for theirs.
            Payload::Comment { .. } if is_paid() => self.flows.posts += self.parameters.post_cost,
            Payload::Gift { amount, .. } => self.flows.gifts += amount,
            Payload::Transfer { amount, .. } => self.flows.transfers += amount,
            Payload::Seal { time: None, .. } => self.rewards += self.parameters.seal_reward,
            Payload::Seal { time: Some(_), .. } => self.rewards += self.parameters.time_reward,
            _ => {}
        }
    }

    fn change(&mut self, block: &Block, change: Change) {
        match change {
            Change::Account(account) => {
                let purse = Purse { granted: account.granted, free: account.free };
                self.purses.insert(account.id, purse);
            }
            Change::Pet(pet) => {
                let now = (block.header.timestamp_ms, block.header.age);
                let born = Life { phase: pet.phase, wallet: 0, born: now, died: None };
                let life = self.lives.entry(pet.birth).or_insert(born);
                (life.phase, life.wallet) = (pet.phase, pet.wallet);
            }
            Change::Order(order) if order.side == Side::Bid => {
                self.bids.insert(order.id, (order.maker, order.price));
            }
            Change::Closed(order) => _ = self.bids.remove(&order),
            Change::Trade(trade) => {
                self.bids.remove(&trade.order);
                self.flows.trades += 1;
                self.flows.paid += trade.price;
                self.income += trade.cut;
            }
            Change::Order(_) | Change::Post(_) | Change::Keys(_) => {}
        }
    }

    /// Treats of an account, free and granted, and those in its bids.
    pub fn purse(&self, account: &AccountId) -> u64 {
        let purse = self.purses.get(account).copied().unwrap_or_default();
        let bids = self.bids.values().filter(|(maker, _)| maker == account).map(|(_, price)| price);
        purse.granted + purse.free + bids.sum::<u64>()
    }

    /// The figures as they are after the last block.
    ///
    /// # Errors
    /// [`EconomyError::Unbalanced`]; [`EconomyError::Malformed`] if there was no block.
    pub fn figures(&self) -> Result<Figures, EconomyError> {
        let totals = self.totals.as_ref().ok_or(EconomyError::Malformed)?;
        let mut held = Held { house: totals.house, ..Held::default() };
        let mut holdings: BTreeMap<AccountId, u64> = BTreeMap::new();
        for (account, purse) in &self.purses {
            held.free += purse.free;
            held.granted += purse.granted;
            holdings.insert(*account, purse.free + purse.granted);
        }
        for (maker, price) in self.bids.values() {
            held.locked += price;
            *holdings.entry(*maker).or_default() += price;
        }
        for life in self.lives.values() {
            match life.phase {
                Phase::Living => held.living_wallets += life.wallet,
                Phase::Dead | Phase::Ended | Phase::Kept => held.dead_wallets += life.wallet,
            }
        }
        let Held { free, granted, locked, living_wallets, dead_wallets, house } = held;
        let found = free + granted + locked + living_wallets + dead_wallets + house;
        if found != totals.minted {
            return Err(EconomyError::Unbalanced { minted: totals.minted, found });
        }
        let by_births = self.births * self.parameters.birth_grant;
        let by_seals = totals.minted.saturating_sub(by_births);
        let count = |phase: fn(&Life) -> bool| self.lives.values().filter(|life| phase(life)).count() as u64;
        let died = || self.lives.values().filter_map(|life| Some((life.born, life.died?)));
        Ok(Figures {
            age: totals.age,
            timestamp_ms: self.timestamp_ms,
            supply: Supply { minted: totals.minted, by_births, by_seals },
            flows: self.flows.clone(),
            house: House {
                income: self.income,
                paid_out: self.rewards.saturating_sub(by_seals),
                balance: totals.house,
            },
            holders: holders(holdings.into_values().filter(|treats| *treats > 0).collect()),
            lives: Lives {
                born: self.lives.len() as u64,
                living: count(|life| life.phase == Phase::Living),
                kept: count(|life| life.phase == Phase::Kept),
                median_ages: median(died().map(|(born, died)| died.1 - born.1).collect()),
                median_ms: median(died().map(|(born, died)| died.0 - born.0).collect()),
            },
            held,
        })
    }
}

fn holders(mut holdings: Vec<u64>) -> Holders {
    holdings.sort_unstable_by(|a, b| b.cmp(a));
    let all: u64 = holdings.iter().sum();
    let richest: u64 = holdings[..holdings.len().div_ceil(10)].iter().sum();
    Holders {
        count: holdings.len() as u64,
        // At most 2^53 treats times 1,000.
        richest_tenth_permille: (richest * 1_000).checked_div(all).unwrap_or(0),
        median: median(holdings).unwrap_or(0),
    }
}

/// The one in the middle; of two the lower.
fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_what() {
        assert_eq!(holders(vec![]), Holders { count: 0, median: 0, richest_tenth_permille: 0 });
        let one_of_eleven = [vec![1; 9], vec![41, 50]].concat();
        let expected = Holders { count: 11, median: 1, richest_tenth_permille: 910 };
        assert_eq!(holders(one_of_eleven), expected, "the richest two of eleven have 91 of 100");
        assert_eq!(median(vec![4, 1, 3, 2]), Some(2));
        assert_eq!(median(vec![]), None);
    }
}
