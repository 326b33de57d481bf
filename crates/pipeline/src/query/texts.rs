//! What is shown of texts and photos: one that a moderator hid, or that was erased, is not.
//!
//! A verdict is read in the same batch as the body that it is about, so that it costs no further
//! request; only the reason of one that hides is looked up, for the few that are. Hiding takes a
//! text out of pages, feeds, search and cards, not out of the ledger's evidence: the event itself
//! and exports still carry it, so that anybody can judge the moderators. Erasing is what removes.

use std::collections::HashMap;

use pitpet_chain::body::Body;
use pitpet_chain::event::{Kind, Verdict};
use pitpet_chain::hash::{EventId, KennelId};

use super::Queries;
use super::export::StoredBody;
use crate::api::{HiddenView, Problem};
use crate::head::{LedgerError, damaged};
use crate::items::{self, Fields};
use crate::ports::{Attributes, Key};

/// Keys of one batch, by the port.
pub(super) const KEYS_MAX: usize = 100;

/// What is to be shown of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown {
    Text(Body),
    Hidden(HiddenView),
    Erased,
}

/// What is to be shown of some events. Of one that is missing nothing is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    shown: HashMap<EventId, Shown>,
}

impl Texts {
    /// The text, if it is there and may be shown.
    pub(super) fn get(&self, event: &EventId) -> Option<&Body> {
        match self.shown.get(event) {
            Some(Shown::Text(body)) => Some(body),
            _ => None,
        }
    }

    /// By whom and why it is hidden.
    pub(super) fn hidden(&self, event: &EventId) -> Option<&HiddenView> {
        match self.shown.get(event) {
            Some(Shown::Hidden(hidden)) => Some(hidden),
            _ => None,
        }
    }

    /// Whether what belongs to the text, a photo, is not shown either.
    pub(super) fn is_withheld(&self, event: &EventId) -> bool {
        matches!(self.shown.get(event), Some(Shown::Hidden(_) | Shown::Erased))
    }

    /// Whether the text of an event of this kind is there, as [`StoredBody::name`] says it.
    pub(super) fn body_state(&self, event: &EventId, kind: Kind) -> &'static str {
        match self.shown.get(event) {
            _ if !StoredBody::is_due(kind) => "none",
            Some(Shown::Text(_) | Shown::Hidden(_)) => "present",
            Some(Shown::Erased) => "erased",
            None => "missing",
        }
    }

    /// Takes what was read of an event. An erased text is no more hidden.
    fn take(&mut self, event: EventId, body: Option<&Attributes>, verdict: Option<&Attributes>) {
        let shown = match (body, verdict.and_then(hides)) {
            (Some(body), _) if body.contains_key("erased") => Shown::Erased,
            (_, Some(by)) => Shown::Hidden(HiddenView { by: by.to_string(), reason: None }),
            (Some(body), None) => match text(body) {
                Some(body) => Shown::Text(body),
                None => return,
            },
            (None, None) => return,
        };
        self.shown.insert(event, shown);
    }
}

/// The event by which a verdict hides; none if it shows.
pub(super) fn hides(verdict: &Attributes) -> Option<EventId> {
    let is_hide = verdict.number("verdict") == Ok(u64::from(Verdict::Hide as u8));
    is_hide.then(|| verdict.digest("by").ok().map(EventId)).flatten()
}

/// The text in what is stored of it; none if it was erased.
fn text(item: &Attributes) -> Option<Body> {
    let bytes = item.bytes("body").ok()?;
    [Kind::Birth, Kind::Post, Kind::Comment].into_iter().find_map(|kind| Body::read(kind, bytes).ok())
}

/// The reason in a verdict's body.
fn reason(item: &Attributes) -> Option<String> {
    match Body::read(Kind::Moderate, item.bytes("body").ok()?) {
        Ok(Body::Moderate { reason }) => Some(reason),
        _ => None,
    }
}

/// An event of a kennel whose text is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    event: EventId,
    kennel: KennelId,
    key: Key,
}

impl Told {
    /// A birth, or a verdict.
    pub(super) fn own(event: EventId, kennel: KennelId) -> Self {
        Self { event, kennel, key: items::body(&event) }
    }

    /// What an entry of a timeline or feed, or a place, is of.
    pub(super) fn at(event: EventId, entry: &Attributes) -> Result<Self, LedgerError> {
        let kennel = KennelId(entry.digest("kennel")?);
        let kind = u8::try_from(entry.number("kind")?).ok().and_then(Kind::from_number);
        let kind = kind.ok_or_else(|| damaged("an entry"))?;
        let index = u32::try_from(entry.number("index")?).map_err(|_| damaged("an entry"))?;
        let key = crate::texts::key(kind, &kennel, entry.number("height")?, index, &event);
        Ok(Self { event, kennel, key })
    }

    /// The keys by which it is known what is shown of it.
    pub(super) fn keys(&self) -> [Key; 2] {
        [self.key.clone(), items::verdict(&self.event, &self.kennel)]
    }
}

impl Queries {
    /// Reads many items, none twice; those that are there.
    pub(super) async fn read_all(&self, mut keys: Vec<Key>) -> Result<HashMap<Key, Attributes>, Problem> {
        keys.sort_unstable();
        keys.dedup();
        let batches = keys.chunks(KEYS_MAX).map(|chunk| self.table.get_many(chunk));
        let values = futures::future::try_join_all(batches).await?.into_iter().flatten();
        Ok(keys.into_iter().zip(values).filter_map(|(key, value)| Some((key, value?))).collect())
    }

    /// What is to be shown of events: a verdict of another kennel than theirs counts nothing.
    pub(super) async fn texts(&self, events: &[Told]) -> Result<Texts, Problem> {
        let keys = events.iter().flat_map(Told::keys).collect();
        let read = self.read_all(keys).await?;
        self.texts_in(&read, events).await
    }

    /// The same, of what has been read already, but for the reasons.
    pub(super) async fn texts_in(
        &self,
        read: &HashMap<Key, Attributes>,
        events: &[Told],
    ) -> Result<Texts, Problem> {
        let mut texts = Texts::default();
        for told in events {
            let [body, verdict] = told.keys().map(|key| read.get(&key));
            texts.take(told.event, body, verdict);
        }
        let by: Vec<EventId> = texts
            .shown
            .values()
            .filter_map(|shown| match shown {
                Shown::Hidden(hidden) => hidden.by.parse().ok(),
                _ => None,
            })
            .collect();
        if by.is_empty() {
            return Ok(texts);
        }
        let reasons = self.reasons(&by).await?;
        for shown in texts.shown.values_mut() {
            if let Shown::Hidden(hidden) = shown {
                hidden.reason = hidden.by.parse().ok().and_then(|by: EventId| reasons.get(&by).cloned());
            }
        }
        Ok(texts)
    }

    /// The reasons of verdicts; one that was erased is left out.
    pub(super) async fn reasons(&self, verdicts: &[EventId]) -> Result<HashMap<EventId, String>, Problem> {
        let read = self.read_all(verdicts.iter().map(items::body).collect()).await?;
        let reason_of = |by: &EventId| Some((*by, reason(read.get(&items::body(by))?)?));
        Ok(verdicts.iter().filter_map(reason_of).collect())
    }

    /// Whether an event of a kennel is hidden, for one that has a text.
    pub(super) async fn hidden(
        &self,
        kind: Kind,
        event: &EventId,
        kennel: &KennelId,
    ) -> Result<Option<HiddenView>, Problem> {
        if !StoredBody::is_due(kind) {
            return Ok(None);
        }
        let key = items::verdict(event, kennel);
        // Up to where the kennel has just been followed.
        let verdict = self.read_side.known(&key, crate::ports::Consistency::Eventual).await?;
        let Some(by) = verdict.as_ref().and_then(hides) else { return Ok(None) };
        let reason = self.reasons(&[by]).await?.remove(&by);
        Ok(Some(HiddenView { by: by.to_string(), reason }))
    }
}
