//! What moderators see and do: the queue of what was reported, the public log, who they are.

use std::collections::{BTreeMap, HashMap};

use futures::future::try_join_all;
use pitpet_chain::body::Body;
use pitpet_chain::codec::decode;
use pitpet_chain::event::{Kind, Verdict};
use pitpet_chain::hash::{EventId, KennelId};
use pitpet_chain::request::ReportReason;
use pitpet_chain::state::Keys;

use super::texts::Told;
use super::{Queries, cursor as cursors, feeds};
use crate::api::{
    KennelModeratorsView, ModerationLogView, ModeratorsView, Problem, QueueView, QueuedView, VerdictView,
};
use crate::erase::is_erased;
use crate::head::{Founding, damaged};
use crate::items::{self, Fields};
use crate::ports::{Attributes, Item, Key};
use crate::reports::Sum;

/// Entries of the queue that one request looks at, at most: those that have been decided are passed
/// over, and the cursor goes on behind them.
const LOOKED_MAX: u32 = 100;

impl Queries {
    /// One kennel, or those that are merged.
    async fn moderated(&self, kennel: Option<&str>) -> Result<Vec<Founding>, Problem> {
        match kennel {
            Some(name) => Ok(vec![self.founding(name).await?]),
            None => Ok(feeds::merged(self.foundings.list().await?, None)),
        }
    }

    /// The highest of several partitions, merged; and whether there are more.
    async fn highest(
        &self,
        partitions: Vec<String>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<Item>, bool), Problem> {
        let queries = partitions.into_iter().map(|pk| feeds::before(cursor, pk, "0", limit));
        let queries = queries.map(|query| async move { self.table.query(&query).await });
        let mut found: Vec<Item> = try_join_all(queries).await?.into_iter().flatten().collect();
        found.retain(|item| Some(item.key.sk.as_str()) != cursor);
        found.sort_unstable_by(|a, b| b.key.sk.cmp(&a.key.sk));
        let is_more = found.len() > limit as usize;
        found.truncate(limit as usize);
        Ok((found, is_more))
    }

    /// What was reported and no moderator has decided on, most reported first. Whatever the verdict
    /// was, a decision takes an event out: who doubts it finds it in the public log.
    ///
    /// # Errors
    /// A problem.
    pub async fn moderation_queue(
        &self,
        kennel: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<QueueView, Problem> {
        cursors::check(cursor, &[cursors::QUEUE])?;
        let partitions = self.moderated(kennel).await?;
        let partitions = partitions.iter().map(|founding| items::queue_pk(&founding.kennel)).collect();
        let (found, is_more) = self.highest(partitions, cursor, LOOKED_MAX).await?;
        let mut looked = Vec::new();
        let mut keys = Vec::new();
        for item in &found {
            let event = EventId(item.attributes.digest("event")?);
            let kennel: KennelId = item
                .key
                .pk
                .strip_prefix("Q#")
                .and_then(|kennel| kennel.parse().ok())
                .ok_or_else(|| damaged("the moderators' queue"))?;
            let of_it = [items::report_sum(&event), items::verdict(&event, &kennel), items::place(&event)];
            keys.extend(of_it.clone());
            looked.push((item, event, kennel, of_it));
        }
        let read = self.read_all(keys).await?;
        let mut texts = HashMap::new();
        for (_, event, _, [_, _, place]) in &looked {
            if let Some(place) = read.get(place) {
                let [text, _] = Told::at(*event, place)?.keys();
                texts.insert(*event, text);
            }
        }
        let bodies = self.read_all(texts.values().cloned().collect()).await?;
        let mut entries = Vec::new();
        let mut last = None;
        for (item, event, kennel, of_it) in looked {
            if entries.len() == limit as usize {
                let cursor = last.map(|item: &Item| item.key.sk.clone());
                return Ok(QueueView { entries, cursor });
            }
            last = Some(item);
            let [sum, verdict, place] = of_it.map(|key| read.get(&key));
            let body = texts.get(&event).and_then(|text| bodies.get(text));
            entries.extend(queued(item, &event, &kennel, sum, verdict, body, place)?);
        }
        let cursor = last.filter(|_| is_more).map(|item| item.key.sk.clone());
        Ok(QueueView { entries, cursor })
    }

    /// What moderators did, newest first.
    ///
    /// # Errors
    /// A problem.
    pub async fn moderation_log(
        &self,
        kennel: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<ModerationLogView, Problem> {
        cursors::check(cursor, &[cursors::FEED])?;
        let limit = limit.clamp(1, feeds::PAGE_MAX);
        let partitions = self.moderated(kennel).await?;
        let partitions = partitions.iter().map(|founding| items::verdicts_pk(&founding.kennel)).collect();
        let (found, is_more) = self.highest(partitions, cursor, limit).await?;
        let mut by = Vec::new();
        let mut targets = Vec::new();
        for item in &found {
            by.push(EventId(item.attributes.digest("by")?));
            targets.push(items::place(&EventId(item.attributes.digest("target")?)));
        }
        let (reasons, places) = futures::try_join!(self.reasons(&by), self.read_all(targets))?;
        let mut entries = Vec::new();
        for (item, by) in found.iter().zip(&by) {
            let attributes = &item.attributes;
            let target = EventId(attributes.digest("target")?);
            let kennel = item.key.pk.strip_prefix("V#").unwrap_or_default();
            // Of another kennel's event the verdict means nothing.
            let place = places
                .get(&items::place(&target))
                .filter(|place| place.digest("kennel").is_ok_and(|of| KennelId(of).to_string() == kennel));
            entries.push(VerdictView {
                id: by.to_string(),
                kennel: kennel.to_owned(),
                target: target.to_string(),
                target_kind: place.and_then(kind_of).map(|kind| kind.name().to_owned()),
                verdict: match attributes.number("verdict")? {
                    hide if hide == u64::from(Verdict::Hide as u8) => "hide".to_owned(),
                    _ => "show".to_owned(),
                },
                reason: reasons.get(by).cloned(),
                height: attributes.number("verdict_height")?,
                timestamp_ms: attributes.number("timestamp_ms")?,
            });
        }
        let cursor = found.last().filter(|_| is_more).map(|item| item.key.sk.clone());
        Ok(ModerationLogView { entries, cursor })
    }

    /// The keys of the offices of all kennels: as appointed last, else as in the genesis.
    ///
    /// # Errors
    /// A problem.
    pub async fn moderators(&self) -> Result<ModeratorsView, Problem> {
        let foundings = self.foundings.list().await?;
        let keys = foundings.iter().map(|founding| items::keys(&founding.kennel)).collect();
        let read = self.read_all(keys).await?;
        let kennels = foundings
            .iter()
            .map(|founding| offices(founding, read.get(&items::keys(&founding.kennel))))
            .collect::<Result<_, _>>()?;
        Ok(ModeratorsView { kennels })
    }
}

fn offices(founding: &Founding, item: Option<&Attributes>) -> Result<KennelModeratorsView, Problem> {
    let genesis = &founding.genesis;
    let (operator, moderators, witnesses, threshold) = match item {
        None => (genesis.operator, genesis.moderators.clone(), genesis.witnesses.clone(), genesis.threshold),
        Some(item) => {
            let keys: Keys = decode(item.bytes("record")?).map_err(|_| damaged("the offices' keys"))?;
            let moderators = keys.moderators.iter().map(|office| office.key).collect();
            (keys.operator.key, moderators, keys.witnesses, keys.threshold)
        }
    };
    Ok(KennelModeratorsView {
        kennel: founding.kennel.to_string(),
        label: founding.label.clone(),
        operator: operator.to_string(),
        moderators: moderators.iter().map(ToString::to_string).collect(),
        witnesses: witnesses.iter().map(ToString::to_string).collect(),
        threshold,
    })
}

fn kind_of(place: &Attributes) -> Option<Kind> {
    u8::try_from(place.number("kind").ok()?).ok().and_then(Kind::from_number)
}

/// An entry of the queue, unless it is an older one of its event, or nothing is left to decide.
fn queued(
    item: &Item,
    event: &EventId,
    kennel: &KennelId,
    sum: Option<&Attributes>,
    verdict: Option<&Attributes>,
    body: Option<&Attributes>,
    place: Option<&Attributes>,
) -> Result<Option<QueuedView>, Problem> {
    let Some(sum) = sum.map(Sum::read).transpose()? else { return Ok(None) };
    let here: Key = sum.place(kennel, event);
    if here != item.key || verdict.is_some() || body.is_some_and(is_erased) {
        return Ok(None);
    }
    let Some(kind) = place.and_then(kind_of) else { return Ok(None) };
    let text = body.and_then(|body| Body::read(kind, body.bytes("body").ok()?).ok());
    let counts = ReportReason::ALL.iter().zip(&sum.reasons).filter(|(_, count)| **count > 0);
    let reasons: BTreeMap<String, u64> =
        counts.map(|(reason, count)| (reason.name().to_owned(), *count)).collect();
    Ok(Some(QueuedView {
        event: event.to_string(),
        kind: kind.name().to_owned(),
        kennel: kennel.to_string(),
        reporters: sum.count,
        reasons,
        last_ms: sum.last_ms,
        text: text.map(|body| match body {
            Body::Birth { name, story } => format!("{name}: {story}"),
            Body::Post { text, .. } | Body::Comment { text } | Body::Moderate { reason: text } => text,
        }),
    }))
}
