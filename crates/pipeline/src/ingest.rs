//! Taking events in: everything that can be checked without state, then the queue. An event is
//! answered as queued only after the queue has taken it.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitpet_chain::body::{Body, BodyFault, commitment};
use pitpet_chain::codec::Bytes;
use pitpet_chain::event::{Kind, Payload, SignedEvent};
use pitpet_chain::hash::{AccountId, EventId, KennelId, RulesHash};
use pitpet_chain::limits;
use pitpet_chain::reject::Reject;
use pitpet_chain::request::{Request, SignedRequest, Wish};
use pitpet_keys::server::Setup;
use tracing::Instrument as _;

use crate::api::{ErasedView, NameView, Problem, ReportedView, SubmittedEvent, SubmittedRequest};
use crate::erase::{self, EraseError};
use crate::event_log;
use crate::founding::Foundings;
use crate::head::{Founding, LedgerError, read_head};
use crate::items::{self, Fields, attributes};
use crate::message::{Entry, SaltedBody, pack};
use crate::ports::{
    Clock, Condition, Consistency, Item, Objects, Queue, QueueError, Retry, Table, TableError, Update,
    UploadTicket,
};
use crate::problem::{
    bad_body, bad_field, bad_request, busy, not_found, problem, rejected, unavailable, unknown_rules,
};
use crate::rate_limit::{Counting, RateLimiter, RateLimits, Subject};
use crate::read_side::ReadSide;
use crate::reports;
use crate::search::name_word;

/// The use case.
pub struct Ingest {
    pub(crate) table: Arc<dyn Table>,
    pub(crate) read_side: Arc<ReadSide>,
    queue: Arc<dyn Queue>,
    objects: Arc<dyn Objects>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) foundings: Foundings,
    limiter: RateLimiter,
    pub(crate) passwords: Option<Setup>,
}

pub(crate) fn base64_field(field: &str, text: &str) -> Result<Vec<u8>, Problem> {
    STANDARD
        .decode(text)
        .map_err(|_| bad_field(field, format!("{field} must be standard base64 with padding.")))
}

fn read(submitted: &SubmittedEvent) -> Result<(Vec<u8>, SignedEvent), Problem> {
    let bytes = base64_field("event", &submitted.event)?;
    let signed = SignedEvent::read(&bytes).map_err(rejected)?;
    Ok((bytes, signed))
}

impl Ingest {
    /// Makes the use case, without rate limits.
    pub fn new(
        table: Arc<dyn Table>,
        queue: Arc<dyn Queue>,
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let foundings = Foundings::new(table.clone());
        let limiter = RateLimiter::new(table.clone(), RateLimits::NONE);
        let read_side = ReadSide::over(table.clone());
        Self { table, read_side, queue, objects, clock, foundings, limiter, passwords: None }
    }

    /// Shares what is known of the tails with others of the same process.
    #[must_use]
    pub fn sharing(self, read_side: Arc<ReadSide>) -> Self {
        Self { read_side, ..self }
    }

    /// Lets accounts be opened by passwords; whoever loses the secret loses every password.
    #[must_use]
    pub fn with_passwords(self, secret: &[u8; 32]) -> Self {
        Self { passwords: Some(Setup::from_secret(secret)), ..self }
    }

    /// Sets rate limits.
    #[must_use]
    pub fn limited(self, limits: RateLimits) -> Self {
        Self { limiter: RateLimiter::new(self.table.clone(), limits), ..self }
    }

    /// Begins a request: what it asks for is counted by what this returns.
    pub fn counting(&self) -> Counting<'_> {
        self.limiter.counting(self.clock.now_ms())
    }

    /// Takes events, up to 25; one answer each, in order: the id of one that is queued, or why it
    /// is not.
    ///
    /// # Errors
    /// A problem with the list as a whole: none or too many.
    pub async fn submit(
        &self,
        events: Vec<SubmittedEvent>,
        counting: &mut Counting<'_>,
    ) -> Result<Vec<Result<EventId, (Option<EventId>, Problem)>>, Problem> {
        if !(1..=limits::MESSAGE_EVENTS_MAX).contains(&events.len()) {
            let detail = format!("A request holds 1 to {} events.", limits::MESSAGE_EVENTS_MAX);
            return Err(bad_field("events", detail));
        }
        let has_room = self.queue.has_room().await;
        let mut results = Vec::new();
        let mut by_kennel: BTreeMap<KennelId, Vec<(usize, Entry)>> = BTreeMap::new();
        for (at, submitted) in events.iter().enumerate() {
            results.push(match read(submitted) {
                Err(problem) => Err((None, problem)),
                Ok((_, signed)) if !has_room => Err((Some(signed.id), busy())),
                Ok((bytes, signed)) => {
                    let span =
                        tracing::error_span!("event", kennel = %signed.event.kennel, event = %signed.id);
                    match self.check(bytes, &signed, submitted, counting).instrument(span).await {
                        Ok((kennel, entry)) => {
                            by_kennel.entry(kennel).or_default().push((at, entry));
                            Ok(signed.id)
                        }
                        Err(problem) => Err((Some(signed.id), problem)),
                    }
                }
            });
        }
        let mut outgoing = Vec::new();
        let mut places = Vec::new();
        for (kennel, entries) in by_kennel {
            let (at, entries): (Vec<usize>, Vec<Entry>) = entries.into_iter().unzip();
            let mut at = at.into_iter();
            for (message, count) in pack(kennel, entries) {
                outgoing.push(message.write());
                places.push((kennel, at.by_ref().take(count).collect::<Vec<usize>>()));
            }
        }
        if outgoing.is_empty() {
            return Ok(results);
        }
        for (outcome, (kennel, places)) in self.queue.send(&outgoing).await.into_iter().zip(places) {
            let sent = places.iter().filter_map(|at| Some((*at, *results[*at].as_ref().ok()?)));
            let sent: Vec<(usize, EventId)> = sent.collect();
            let Err(error) = outcome else {
                let ids: Vec<EventId> = sent.into_iter().map(|(_, id)| id).collect();
                event_log::queued(&kennel, &ids);
                continue;
            };
            for (at, id) in sent {
                let problem = match &error {
                    QueueError::Throttled => busy(),
                    error => {
                        tracing::error_span!("event", %kennel, event = %id).in_scope(|| unavailable(error))
                    }
                };
                results[at] = Err((Some(id), problem));
            }
        }
        Ok(results)
    }

    /// Checks an event and counts it for whose key signed it: which account it names, anyone can
    /// choose.
    async fn check(
        &self,
        bytes: Vec<u8>,
        signed: &SignedEvent,
        submitted: &SubmittedEvent,
        counting: &mut Counting<'_>,
    ) -> Result<(KennelId, Entry), Problem> {
        let body = self.check_signed(signed, submitted).await?;
        counting.count(Subject::Account(AccountId::of(&signed.event.key)), 1).await?;
        Ok((signed.event.kennel, Entry { event: Bytes(bytes), body }))
    }

    async fn check_signed(
        &self,
        signed: &SignedEvent,
        submitted: &SubmittedEvent,
    ) -> Result<Option<SaltedBody>, Problem> {
        let founding = match self.foundings.get(&signed.event.kennel).await {
            Ok(founding) => founding,
            Err(LedgerError::UnknownKennel) => return Err(rejected(Reject::WrongKennel)),
            Err(error) => return Err(error.into()),
        };
        signed
            .check(&founding.kennel, &founding.genesis.parameters, self.clock.now_ms())
            .and_then(|()| signed.check_signature())
            .map_err(rejected)?;
        if let Payload::Upgrade { rules_hash, .. } = &signed.event.payload {
            self.check_rules(&founding, rules_hash).await?;
        }
        match (signed.event.payload.body(), &submitted.salt, &submitted.body) {
            (None, None, None) => Ok(None),
            (Some(committed), Some(salt), Some(body)) => {
                let salt: [u8; 32] = base64_field("salt", salt)?
                    .try_into()
                    .map_err(|_| bad_field("salt", "The salt must have 32 bytes."))?;
                let body = base64_field("body", body)?;
                Body::read(signed.event.payload.kind(), &body).map_err(bad_body)?;
                if commitment(&salt, &body) != *committed {
                    return Err(bad_body(BodyFault::Mismatch));
                }
                Ok(Some(SaltedBody { salt, body: Bytes(body) }))
            }
            _ => Err(bad_body(BodyFault::Presence)),
        }
    }

    /// A change of rules must name a module that is stored, or withdraw the change before by naming
    /// today's.
    async fn check_rules(&self, founding: &Founding, rules: &RulesHash) -> Result<(), Problem> {
        if self.objects.size(&items::rules_object(rules)).await?.is_some() {
            return Ok(());
        }
        let head = read_head(self.table.as_ref(), founding, Consistency::Strong).await?;
        if head.header.rules_hash == *rules { Ok(()) } else { Err(unknown_rules(rules)) }
    }

    /// Reads and checks a request, and counts it for whoever signed it.
    pub(crate) async fn read_request(
        &self,
        submitted: &str,
        counting: &mut Counting<'_>,
    ) -> Result<Request, Problem> {
        let bytes = base64_field("request", submitted)?;
        let request = SignedRequest::read(&bytes, self.clock.now_ms()).map_err(bad_request)?;
        counting.count(Subject::Account(AccountId::of(&request.key)), 1).await?;
        self.read_side.follow_all(Consistency::Strong).await?;
        self.check_key(&request).await?;
        Ok(request)
    }

    /// The key must be the account's first one, and not replaced in any kennel; or its current one.
    async fn check_key(&self, request: &Request) -> Result<(), Problem> {
        let query = crate::ports::Query {
            pk: items::account_pk(&request.account),
            from: "K#".to_owned(),
            to: "K#~".to_owned(),
            order: crate::ports::Order::Ascending,
            limit: crate::founding::KENNELS_MAX,
            consistency: Consistency::Strong,
        };
        let mut current = Vec::new();
        for item in self.read_side.query(&query).await? {
            if let Ok(record) = item.attributes.bytes("record") {
                let account: Result<pitpet_chain::state::Account, _> = pitpet_chain::codec::decode(record);
                current.extend(account.ok().and_then(|account| account.key));
            }
        }
        let is_first = AccountId::of(&request.key) == request.account;
        let fits = match current.is_empty() {
            true => is_first,
            false => current.contains(&request.key),
        };
        if fits { Ok(()) } else { Err(rejected(Reject::WrongKey)) }
    }

    /// Registers a name for an account: first come, first served, for ever.
    ///
    /// # Errors
    /// A problem; status 409 if another account has the name.
    pub async fn register_name(
        &self,
        submitted: &SubmittedRequest,
        counting: &mut Counting<'_>,
    ) -> Result<NameView, Problem> {
        let request = self.read_request(&submitted.request, counting).await?;
        let Wish::Name { name } = &request.wish else {
            return Err(bad_field("request", "This takes a request for a name."));
        };
        let account = request.account;
        let holder = attributes([("account", account.0.into())]);
        match self.table.put_new(&Item { key: items::name(name), attributes: holder }).await {
            Ok(()) => {}
            Err(TableError::Conflict) => {
                let holder = self.table.get(&items::name(name), Consistency::Strong).await?;
                let is_own = holder.is_some_and(|item| item.digest("account") == Ok(account.0));
                if !is_own {
                    let detail = format!("The name {name:?} belongs to another account.");
                    return Err(problem(409, "name-taken", "The name is taken", detail, Some("name")));
                }
            }
            Err(error) => return Err(error.into()),
        }
        // If this fails the name is held but not listed; asking again lists it.
        let listed = Update {
            key: items::account_name(&account, name),
            set: attributes([("name", name.clone().into())]),
            remove: Vec::new(),
            condition: Condition::Absent,
            retry: Retry::Allowed,
        };
        match self.table.update(&listed).await {
            Ok(()) | Err(TableError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        match self.table.put_new(&name_word(name, &account)).await {
            Ok(()) | Err(TableError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(NameView { name: name.clone(), account: account.to_string() })
    }

    /// Gives a ticket to upload a photo.
    ///
    /// # Errors
    /// A problem.
    pub async fn request_upload(
        &self,
        submitted: &SubmittedRequest,
        counting: &mut Counting<'_>,
    ) -> Result<UploadTicket, Problem> {
        let request = self.read_request(&submitted.request, counting).await?;
        let Wish::Upload { sha256, size, content_type } = &request.wish else {
            return Err(bad_field("request", "This takes a request for an upload."));
        };
        if erase::is_photo_erased(self.table.as_ref(), sha256).await? {
            let detail = "This photo was erased, and isn't taken in again.";
            return Err(problem(410, "photo-erased", "The photo was erased", detail, Some("sha256")));
        }
        let now_ms = self.clock.now_ms();
        // Before the ticket, so that no upload escapes the reaper.
        let upload = Update {
            key: items::upload(now_ms / items::DAY_MS, sha256),
            set: attributes([("account", request.account.0.into())]),
            remove: Vec::new(),
            condition: Condition::Absent,
            retry: Retry::Allowed,
        };
        match self.table.update(&upload).await {
            Ok(()) | Err(TableError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        let key = items::photo_object(sha256);
        Ok(self.objects.upload_ticket(&key, sha256, *size, content_type, now_ms).await?)
    }

    /// Takes a report of a birth, post or comment for the moderators, once for each account.
    ///
    /// # Errors
    /// A problem; status 403 from an account that has done nothing yet.
    pub async fn report(
        &self,
        submitted: &SubmittedRequest,
        counting: &mut Counting<'_>,
    ) -> Result<ReportedView, Problem> {
        let request = self.read_request(&submitted.request, counting).await?;
        let Wish::Report { event, reason } = request.wish else {
            return Err(bad_field("request", "This takes a request for a report."));
        };
        counting.count(Subject::Reporter(request.account), 1).await?;
        let (place, has_acted) = futures::try_join!(
            async {
                Ok::<_, Problem>(self.read_side.get(&items::place(&event), Consistency::Eventual).await?)
            },
            self.has_acted(&request.account),
        )?;
        let place = place.ok_or_else(|| not_found("such event", "event"))?;
        if !has_acted {
            let detail = "Reports are taken from accounts that have taken part: pat a pet first.";
            return Err(problem(
                403,
                "new-account",
                "The account has done nothing yet",
                detail,
                Some("account"),
            ));
        }
        let kind = u8::try_from(place.number("kind")?).ok().and_then(Kind::from_number);
        if !matches!(kind, Some(Kind::Birth | Kind::Post | Kind::Comment)) {
            return Err(bad_field("event", "A birth, a post or a comment can be reported."));
        }
        let kennel = KennelId(place.digest("kennel")?);
        let now_ms = self.clock.now_ms();
        reports::take(self.table.as_ref(), &kennel, &event, &request.account, reason, now_ms).await?;
        Ok(ReportedView { event: event.to_string(), reason: reason.name().to_owned() })
    }

    /// Whether an account has a record in any kennel. Keys cost nothing; what has acted has cost a
    /// place and work.
    async fn has_acted(&self, account: &AccountId) -> Result<bool, Problem> {
        let query = crate::ports::Query {
            pk: items::account_pk(account),
            from: "K#".to_owned(),
            to: "K#~".to_owned(),
            order: crate::ports::Order::Ascending,
            limit: 1,
            consistency: Consistency::Eventual,
        };
        Ok(!self.read_side.query(&query).await?.is_empty())
    }

    /// Erases the text of an event, for who wrote it.
    ///
    /// # Errors
    /// A problem; status 403 if it is another's text.
    pub async fn erase(
        &self,
        submitted: &SubmittedRequest,
        counting: &mut Counting<'_>,
    ) -> Result<ErasedView, Problem> {
        let request = self.read_request(&submitted.request, counting).await?;
        let Wish::Erase { event } = request.wish else {
            return Err(bad_field("request", "This takes a request for an erasing."));
        };
        let mined = erase::find(&self.read_side, &event).await?;
        let mined = mined.ok_or_else(|| not_found("such event with a text", "event"))?;
        if mined.account != request.account {
            let detail = "Whoever wrote a text may erase it; this one was written by another account.";
            return Err(problem(403, "not-your-text", "Not your text", detail, Some("event")));
        }
        if mined.kind == Kind::Moderate {
            let detail = "A moderator's reason is public, so that moderators can be judged.";
            return Err(problem(403, "public-reason", "A reason stays", detail, Some("event")));
        }
        erase::erase(self.table.as_ref(), &mined, self.clock.now_ms()).await?;
        Ok(ErasedView { event: event.to_string(), photo: None })
    }
}

impl From<EraseError> for Problem {
    fn from(error: EraseError) -> Self {
        match error {
            EraseError::Ledger(error) => error.into(),
            EraseError::Objects(error) => error.into(),
            EraseError::Busy => busy(),
        }
    }
}
