//! Where a pet is to be born: which kennel of a line has room.

use super::{Queries, read_account};
use crate::api::{KennelView, Problem};
use crate::head::Founding;
use crate::opening::{free_places, newcomer_places, place_in_line, reserve};
use crate::problem::{not_found, problem};

/// Line that newcomers are sent to, unless they ask for another.
const HOME_LINE: &str = "town";

/// How long the next kennel takes to open, s: a run of the reaper and a block.
const OPENING_S: u64 = 60;

impl Queries {
    /// The kennel in which an account's next pet is to be born.
    ///
    /// Its own kennel, if its pet there has died and a place is free. Else, in the line asked for
    /// or `town`: the one where it has a living pet, so that the rules tell it so; else the newest
    /// with more places than are kept for those who restart; else the one with most places. Newest
    /// first, because that one has room nearly always: so one or two heads are read, and the
    /// places of the dead in older ones go to newcomers when it is full.
    ///
    /// # Errors
    /// A problem with status 404 for an unknown line or account, 503 if the line has no place now.
    pub async fn birthplace(&self, line: Option<&str>, account: Option<&str>) -> Result<KennelView, Problem> {
        let mut kennels = self.foundings.list().await?;
        let name = match line {
            // Of any kennel of it.
            Some(line) => place_in_line(line).0,
            // A server may have other lines than the usual one.
            None => match kennels.iter().any(|kennel| place_in_line(&kennel.label).0 == HOME_LINE) {
                true => HOME_LINE,
                false => kennels.first().map_or(HOME_LINE, |kennel| place_in_line(&kennel.label).0),
            },
        }
        .to_owned();
        if let Some(account) = account {
            let id = self.account_id(account).await?;
            let records = read_account(self.table.as_ref(), &id).await?.records;
            let record = |kennel: &Founding| {
                records.iter().find(|(id, _)| *id == kennel.kennel).map(|(_, account)| account)
            };
            let is_of_line = |kennel: &Founding| place_in_line(&kennel.label).0 == name;
            for kennel in kennels.iter().filter(|kennel| line.is_none() || is_of_line(kennel)) {
                if record(kennel).is_none_or(|account| account.pet.is_some()) {
                    continue;
                }
                let head = self.head(kennel).await?;
                if free_places(&kennel.genesis.parameters, &head.summary.totals) > 0 {
                    return self.kennel_view(kennel).await;
                }
            }
            let lives = |kennel: &&Founding| {
                is_of_line(kennel) && record(kennel).is_some_and(|account| account.pet.is_some())
            };
            if let Some(kennel) = kennels.iter().find(lives) {
                return self.kennel_view(kennel).await;
            }
        }
        kennels.retain(|kennel| place_in_line(&kennel.label).0 == name);
        if kennels.is_empty() {
            return Err(not_found("such line of kennels", "line"));
        }
        kennels.sort_by_key(|kennel| std::cmp::Reverse(place_in_line(&kennel.label).1));
        let mut best: Option<(u32, &Founding)> = None;
        for kennel in &kennels {
            let parameters = &kennel.genesis.parameters;
            let places = newcomer_places(parameters, &self.head(kennel).await?.summary.totals);
            if places > best.map_or(0, |(most, _)| most) {
                best = Some((places, kennel));
            }
            if places > reserve(parameters) {
                break;
            }
        }
        let Some((_, kennel)) = best else {
            let detail = format!(
                "No kennel of the line {name} has a free place now. The next one opens by itself: ask again in a minute."
            );
            let full = problem(503, "no-place", "No free place", detail, Some("line"));
            return Err(Problem { retry_after_s: Some(OPENING_S), ..full });
        };
        self.kennel_view(kennel).await
    }
}
