//! The HTTP API as a client uses it: look up, build, stamp, sign, post, wait, and check.
//!
//! A mined event is reported only after its proof has been checked down to a checkpoint that is
//! signed by the kennel's key and not older than what was seen before (module [`crate::pins`]).
//! Deliberately absent: retries of a failed request, which are the caller's decision; only a
//! nonce or an anchor that others overtook is renewed here.

mod ledger;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::SigningKey;
use pitpet_chain::hash::{AccountId, BirthHash, EventId, KennelId};
use pitpet_chain::request::{ReportReason, Request, Wish};
use pitpet_pipeline::api::{
    AccountView, EntriesView, ErasedView, EventView, KennelView, KennelsView, ModerationLogView,
    ModeratorsView, NameView, OrdersView, PetView, Problem, QueueView, ReportedView, Submission, Submissions,
    SubmittedEvent, SubmittedEvents, SubmittedRequest, TradesView,
};
use pitpet_pipeline::ports::UploadTicket;
use pitpet_pipeline::problem::not_found;
use reqwest::{RequestBuilder, StatusCode, Url};
use serde::de::DeserializeOwned;

use crate::act::{Act, EXPIRES_AFTER_MS, Signed};
use crate::failure::Failure;
use crate::kennel::{Head, Kennel, Proven};
use crate::keys::{Account, public};
use crate::photo::{CONTENT_TYPE, Photo};
use crate::pins::Pins;

/// Longest that one long poll asks the server to hold, ms.
const POLL_MS_MAX: u64 = 10_000;

/// Least time between two polls of a server that doesn't hold them.
const POLL_PAUSE: Duration = Duration::from_millis(100);

/// One request, connection to last byte; above [`POLL_MS_MAX`].
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest answer that is read, bytes: a segment of an export ends at 2 MiB and the block and the
/// bodies that pass it, 360 KiB and 512 × 8 KiB; a page of 100 entries whose texts are
/// all escapes is under 5 MiB.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long a request for a name or an upload stays good, ms: half of what is allowed.
const REQUEST_AHEAD_MS: u64 = 5 * 60 * 1000;

/// How often an event is made, with a higher nonce or a newer anchor each time.
const ATTEMPTS: u32 = 3;

/// A server, and what is remembered of its kennels.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    server: String,
    pins: Mutex<Pins>,
    last_nonce: AtomicU64,
}

/// What happens while an event is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The stamp is searched: trials so far, and how many are expected.
    Stamping {
        /// Trials so far.
        tried: u64,
        /// Trials expected: 2 to the power of the bits asked for.
        expected: u64,
    },
    /// The queue has taken the event.
    Queued(EventId),
    /// A block has it, and the proof holds.
    Mined {
        /// The block's height.
        height: u64,
    },
}

/// Who is told.
pub type Watch<'a> = &'a (dyn Fn(Progress) + Sync);

/// A mined event, checked.
#[derive(Clone, Debug)]
pub struct Mined {
    /// Its id.
    pub id: EventId,
    /// What the server says.
    pub view: EventView,
    /// What its proof shows.
    pub proven: Proven,
}

/// What became of an event.
#[derive(Clone, Debug)]
pub enum Done {
    /// The queue has it; nobody waited for more.
    Queued(EventId),
    /// A block has it.
    Mined(Box<Mined>),
}

impl Done {
    /// The event's id.
    pub fn id(&self) -> EventId {
        match self {
            Done::Queued(id) => *id,
            Done::Mined(mined) => mined.id,
        }
    }
}

/// Milliseconds since the Unix epoch, by this machine's clock.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Client {
    /// A client of the server at `url`.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the address can't be used.
    pub fn new(url: &str, pins: Pins) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::usage(format!("address `{url}`: {why} (--url or PITPET_URL)"));
        let mut base = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
        match base.scheme() {
            "http" | "https" => {}
            _ => return Err(wrong("it must start with http:// or https://")),
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(wrong("it may have no `?` or `#`"));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut builder =
            reqwest::Client::builder().timeout(REQUEST_TIMEOUT).redirect(reqwest::redirect::Policy::none());
        if base.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127.")) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| Failure::Unreachable(error.to_string()))?;
        let server = base.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, base, server, pins: Mutex::new(pins), last_nonce: AtomicU64::new(0) })
    }

    /// The server's address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The address of a path on the server.
    ///
    /// # Errors
    /// [`Failure::Unreachable`] if it is none.
    pub fn address(&self, path: &str) -> Result<Url, Failure> {
        let path = path.strip_prefix('/').unwrap_or(path);
        self.base.join(path).map_err(|_| self.nonsense(path))
    }

    fn nonsense(&self, what: &str) -> Failure {
        Failure::Unreachable(format!("{}: the answer makes no sense: {what}", self.server))
    }

    /// Sends a request and reads what a success holds.
    async fn send(&self, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        let unreachable = |error: reqwest::Error| {
            let why = if error.is_connect() {
                "nothing answers there; is it running? `pitpet serve` starts one".to_owned()
            } else if error.is_timeout() {
                "no answer in time".to_owned()
            } else {
                error.without_url().to_string()
            };
            Failure::Unreachable(format!("{}: {why}", self.server))
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut content = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if content.len() + chunk.len() > ANSWER_BYTES_MAX {
                let mib = ANSWER_BYTES_MAX / 1024 / 1024;
                return Err(self.nonsense(&format!("it is longer than {mib} MiB")));
            }
            content.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(content);
        }
        match serde_json::from_slice::<Problem>(&content) {
            Ok(problem) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
                Err(problem.into())
            }
            Ok(problem) => Err(Failure::Unreachable(format!(
                "{}: {} ({status}): {}",
                self.server, problem.title, problem.detail
            ))),
            Err(_) => Err(Failure::Unreachable(format!("{}: HTTP {status}", self.server))),
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, Failure> {
        let content = self.send(self.http.get(self.address(path)?).query(query)).await?;
        serde_json::from_slice(&content).map_err(|error| self.nonsense(&error.to_string()))
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        record: &impl serde::Serialize,
    ) -> Result<T, Failure> {
        let content = self.send(self.http.post(self.address(path)?).json(record)).await?;
        serde_json::from_slice(&content).map_err(|error| self.nonsense(&error.to_string()))
    }

    /// The kennels of the server, unchecked.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn kennels(&self) -> Result<Vec<KennelView>, Failure> {
        Ok(self.get::<KennelsView>("v1/kennels", &[]).await?.kennels)
    }

    /// A kennel by id or label: its id is checked against its genesis, its label against what the
    /// label meant before.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn kennel(&self, name: &str) -> Result<(Kennel, KennelView), Failure> {
        if name.is_empty() || !name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c)) {
            return Err(Failure::usage(format!("kennel `{name}`: its id or label (field: kennel)")));
        }
        let view: KennelView = self.get(&format!("v1/kennels/{name}"), &[]).await?;
        let kennel = self.adopt(&view)?;
        let is_asked = match name.parse::<KennelId>() {
            Ok(id) => id == kennel.id,
            Err(_) => name == kennel.label,
        };
        if !is_asked {
            return Err(Failure::Invalid(format!("asked for kennel {name}, the server shows {}", view.id)));
        }
        Ok((kennel, view))
    }

    /// The kennel in which the server wants the account's next pet to be born.
    ///
    /// # Errors
    /// [`Failure::Refused`] while no kennel has a free place; else as [`Failure`] says.
    pub async fn birthplace(&self, account: &AccountId) -> Result<Kennel, Failure> {
        let view: KennelView = self.get("v1/birthplace", &[("account", account.to_string())]).await?;
        self.adopt(&view)
    }

    /// Checks a kennel's view: its id against its genesis, its label against what it meant before.
    ///
    /// # Errors
    /// [`Failure::Invalid`], or as [`Kennel::from_view`] says.
    pub fn adopt(&self, view: &KennelView) -> Result<Kennel, Failure> {
        let kennel = Kennel::from_view(view)?;
        self.pins().check_label(&self.server, &kennel)?;
        Ok(kennel)
    }

    fn pins(&self) -> std::sync::MutexGuard<'_, Pins> {
        self.pins.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A kennel's newest checkpoint, checked and remembered.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn checkpoint(&self, kennel: &Kennel) -> Result<(String, Head), Failure> {
        let floor = self.pins().floor(kennel);
        let request = self.http.get(self.address(&format!("v1/kennels/{}/checkpoint", kennel.id))?);
        let note = String::from_utf8(self.send(request).await?).map_err(|_| self.nonsense("checkpoint"))?;
        let head = kennel.check_checkpoint(&note)?;
        self.pins().check_head(kennel, floor, head)?;
        Ok((note, head))
    }

    /// A pet's card.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn pet(&self, birth: &BirthHash) -> Result<PetView, Failure> {
        self.get(&format!("v1/pets/{birth}"), &[]).await
    }

    /// A pet's timeline, newest first.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn pet_events(
        &self,
        birth: &BirthHash,
        query: &[(&str, String)],
    ) -> Result<EntriesView, Failure> {
        self.get(&format!("v1/pets/{birth}/events"), query).await
    }

    /// The feed, newest first.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn feed(&self, query: &[(&str, String)]) -> Result<EntriesView, Failure> {
        self.get("v1/feed", query).await
    }

    /// Open offers and bids.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn market(&self, query: &[(&str, String)]) -> Result<OrdersView, Failure> {
        self.get("v1/market", query).await
    }

    /// What was sold, newest first.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn trades(&self, query: &[(&str, String)]) -> Result<TradesView, Failure> {
        self.get("v1/market/trades", query).await
    }

    /// An account by name or id.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn account(&self, name: &str) -> Result<AccountView, Failure> {
        self.get(&format!("v1/accounts/{name}"), &[]).await
    }

    /// An event; none while the server knows nothing of it. Waits at most `wait_ms` for it. If its
    /// kennel is said, by id or label, the server looks at no other one.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn event(
        &self,
        id: &EventId,
        kennel: Option<&str>,
        wait_ms: u64,
    ) -> Result<Option<EventView>, Failure> {
        let mut query = Vec::new();
        if let Some(kennel) = kennel {
            query.push(("kennel", kennel.to_owned()));
        }
        if wait_ms > 0 {
            query.push(("wait_ms", wait_ms.to_string()));
        }
        match self.get(&format!("v1/events/{id}"), &query).await {
            Ok(view) => Ok(Some(view)),
            Err(Failure::Refused(problem)) if problem.status == 404 => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Posts one signed event.
    ///
    /// # Errors
    /// [`Failure::Refused`] if it was refused at the door; else as [`Failure`] says.
    pub async fn submit(&self, event: &SubmittedEvent) -> Result<(), Failure> {
        let answer: Submission = self.post("v1/events", event).await?;
        answer.problem.map_or(Ok(()), |problem| Err(problem.into()))
    }

    /// Posts up to 25 signed events; an answer for each, in order.
    ///
    /// # Errors
    /// As [`Failure`] says, about the request as a whole.
    pub async fn submit_all(&self, events: Vec<SubmittedEvent>) -> Result<Vec<Submission>, Failure> {
        Ok(self.post::<Submissions>("v1/events", &SubmittedEvents { events }).await?.results)
    }

    /// The key that acts for an account in a kennel: the current one there, or the first key
    /// where the account has not acted yet.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the key file lacks it.
    pub async fn key_in<'a>(&self, kennel: &Kennel, account: &'a Account) -> Result<&'a SigningKey, Failure> {
        let Some(view) = self.known_account(&account.id).await? else {
            return Ok(account.first_key());
        };
        let id = kennel.id.to_string();
        let current = view.kennels.iter().find(|holding| holding.kennel == id).and_then(|h| h.key.as_deref());
        let Some(current) = current else { return Ok(account.first_key()) };
        let key = current.parse().map_err(|_| self.nonsense("key"))?;
        account.key_for(&key).ok_or_else(|| {
            Failure::usage(format!(
                "the current key of `{}` in {} is {current}, which its key file doesn't hold",
                account.name, kennel.label
            ))
        })
    }

    /// An account by id; none if the server has never seen it.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn known_account(&self, id: &AccountId) -> Result<Option<AccountView>, Failure> {
        match self.account(&id.to_string()).await {
            Ok(view) => Ok(Some(view)),
            Err(Failure::Refused(problem)) if problem.status == 404 => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// A nonce above all that this client used: the time, or one more than the last.
    fn nonce(&self, at_least: u64) -> u64 {
        let floor = now_ms().max(at_least);
        let step = |last: u64| Some(floor.max(last + 1));
        match self.last_nonce.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
            Ok(last) | Err(last) => floor.max(last + 1),
        }
    }

    /// A nonce of an office: a time that has passed by the miner's clock. Above all that were used so
    /// far is that of its head.
    async fn office_nonce(&self, kennel: &Kennel) -> Result<u64, Failure> {
        let (_, view) = self.kennel(&kennel.id.to_string()).await?;
        Ok(view.timestamp_ms + 1)
    }

    /// Makes an event, posts it, and, if `wait` is given, waits for its block at most that long.
    ///
    /// # Errors
    /// [`Failure::Refused`] if the door or the rules refuse it, [`Failure::Invalid`] if the server
    /// can't prove what it says; else as [`Failure`] says.
    pub async fn perform(
        &self,
        kennel: &Kennel,
        account: AccountId,
        key: &SigningKey,
        act: &Act,
        wait: Option<Duration>,
        watch: Watch<'_>,
    ) -> Result<Done, Failure> {
        act.check()?;
        let mut nonce = match act.is_of_an_office() {
            true => self.office_nonce(kennel).await?,
            false => self.nonce(1),
        };
        let mut kennel = kennel.clone();
        for attempt in 1.. {
            let done = self.attempt(&kennel, account, key, act, nonce, wait, watch).await;
            let reason = done.as_ref().err().and_then(Failure::problem_name).filter(|_| attempt < ATTEMPTS);
            match reason {
                Some("stale-anchor") => {
                    kennel = self.kennel(&kennel.id.to_string()).await?.0;
                    nonce = self.nonce(1);
                }
                Some("stale-nonce") if act.is_of_an_office() => nonce = self.office_nonce(&kennel).await?,
                Some("stale-nonce") => {
                    let last = self.known_account(&account).await?.map_or(0, |view| {
                        let id = kennel.id.to_string();
                        view.kennels.iter().find(|holding| holding.kennel == id).map_or(0, |h| h.nonce)
                    });
                    nonce = self.nonce(last + 1);
                }
                _ => return done,
            }
        }
        unreachable!("the last attempt returns")
    }

    #[allow(clippy::too_many_arguments)]
    async fn attempt(
        &self,
        kennel: &Kennel,
        account: AccountId,
        key: &SigningKey,
        act: &Act,
        nonce: u64,
        wait: Option<Duration>,
        watch: Watch<'_>,
    ) -> Result<Done, Failure> {
        let parameters = &kennel.genesis.parameters;
        let bits =
            if matches!(act, Act::Birth { .. }) { parameters.birth_bits } else { parameters.stamp_bits };
        let expected = 1 << bits.min(63);
        let tried = |tried| watch(Progress::Stamping { tried, expected });
        let expires_ms = now_ms() + EXPIRES_AFTER_MS;
        let signed: Signed = tokio::task::block_in_place(|| {
            act.sign(kennel, account, key, nonce.min(expires_ms), expires_ms, &tried)
        });
        let floor = self.pins().floor(kennel);
        self.submit(&signed.submission).await?;
        watch(Progress::Queued(signed.id));
        let Some(wait) = wait else { return Ok(Done::Queued(signed.id)) };
        let mined = self.wait_mined(kennel, &signed.id, floor, wait).await?;
        watch(Progress::Mined { height: mined.proven.header.height });
        Ok(Done::Mined(Box::new(mined)))
    }

    /// Waits until an event is mined, and checks the proof.
    async fn wait_mined(
        &self,
        kennel: &Kennel,
        id: &EventId,
        floor: u64,
        wait: Duration,
    ) -> Result<Mined, Failure> {
        let until = Instant::now() + wait;
        let of = kennel.id.to_string();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            let asked = Instant::now();
            if let Some(view) = self.event(id, Some(&of), left_ms.clamp(1, POLL_MS_MAX)).await? {
                return self.check_mined(kennel, id, floor, view);
            }
            if until <= Instant::now() {
                return Err(Failure::Unreachable(format!(
                    "queued, but in no block after {} s. It isn't lost: `pitpet event {id}` shows it later.",
                    wait.as_secs()
                )));
            }
            if asked.elapsed() < POLL_PAUSE {
                tokio::time::sleep(POLL_PAUSE).await;
            }
        }
    }

    fn check_mined(
        &self,
        kennel: &Kennel,
        id: &EventId,
        floor: u64,
        view: EventView,
    ) -> Result<Mined, Failure> {
        if let Some(problem) = view.reject {
            return Err(problem.into());
        }
        let proven = kennel.check_mined(id, &view)?;
        self.pins().check_head(kennel, floor, proven.head)?;
        Ok(Mined { id: *id, view, proven })
    }

    /// Looks an event up, wherever it is, and checks its proof.
    ///
    /// # Errors
    /// [`Failure::Refused`] if the server knows nothing of it or the rules refused it;
    /// [`Failure::Invalid`] if the proof doesn't hold.
    pub async fn find_event(&self, id: &EventId) -> Result<(Kennel, Mined), Failure> {
        let unknown = || Failure::from(not_found("such event (yet)", "id"));
        let view = self.event(id, None, 0).await?.ok_or_else(unknown)?;
        let (kennel, _) = self.kennel(&view.kennel).await?;
        let floor = self.pins().floor(&kennel);
        // Asked again, so that the answer is not older than the floor.
        let view = self.event(id, Some(&view.kennel), 0).await?.ok_or_else(unknown)?;
        let mined = self.check_mined(&kennel, id, floor, view)?;
        Ok((kennel, mined))
    }

    fn request(&self, account: AccountId, key: &SigningKey, wish: Wish) -> SubmittedRequest {
        let request = Request {
            version: 1,
            account,
            key: public(key),
            expires_ms: now_ms() + REQUEST_AHEAD_MS,
            wish,
            stamp: 0,
        };
        SubmittedRequest { request: BASE64.encode(tokio::task::block_in_place(|| request.sign(key))) }
    }

    /// Registers a name for an account.
    ///
    /// # Errors
    /// [`Failure::Refused`] if another account has it; else as [`Failure`] says.
    pub async fn register(
        &self,
        account: AccountId,
        key: &SigningKey,
        name: &str,
    ) -> Result<NameView, Failure> {
        let wish = Wish::Name { name: name.to_owned() };
        self.post("v1/accounts", &self.request(account, key, wish)).await
    }

    /// Tells the moderators of an event.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn report(
        &self,
        account: AccountId,
        key: &SigningKey,
        event: &EventId,
        reason: ReportReason,
    ) -> Result<ReportedView, Failure> {
        let wish = Wish::Report { event: *event, reason };
        self.post("v1/reports", &self.request(account, key, wish)).await
    }

    /// Erases the text of an event, for good.
    ///
    /// # Errors
    /// [`Failure::Refused`] if it is another's text; else as [`Failure`] says.
    pub async fn erase(
        &self,
        account: AccountId,
        key: &SigningKey,
        event: &EventId,
    ) -> Result<ErasedView, Failure> {
        self.post("v1/erasures", &self.request(account, key, Wish::Erase { event: *event })).await
    }

    /// What was reported and is not decided, most reported first.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn moderation_queue(&self, query: &[(&str, String)]) -> Result<QueueView, Failure> {
        self.get("v1/moderation/queue", query).await
    }

    /// What moderators did, newest first.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn moderation_log(&self, query: &[(&str, String)]) -> Result<ModerationLogView, Failure> {
        self.get("v1/moderation/log", query).await
    }

    /// The keys of the offices, by kennel.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn moderators(&self) -> Result<ModeratorsView, Failure> {
        self.get("v1/moderation/moderators", &[]).await
    }

    /// Says whether a ticket may send a photo there: to the server itself, or to a named host over
    /// TLS. A server must not reach through its clients into their networks.
    fn check_upload_address(&self, url: &Url) -> Result<(), Failure> {
        let is_named = url.domain().is_some_and(|host| host.contains('.') && !host.ends_with(".localhost"));
        if url.origin() == self.base.origin() || url.scheme() == "https" && is_named {
            return Ok(());
        }
        Err(Failure::Invalid(format!(
            "{}: it wants the photo sent to {url}, which is neither itself nor a named host over https",
            self.server
        )))
    }

    /// Uploads a photo.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn upload(&self, account: AccountId, key: &SigningKey, photo: &Photo) -> Result<(), Failure> {
        let wish = Wish::Upload {
            sha256: photo.sha256,
            size: photo.bytes.len() as u64,
            content_type: CONTENT_TYPE.to_owned(),
        };
        let ticket: UploadTicket = self.post("v1/media", &self.request(account, key, wish)).await?;
        let url = match Url::parse(&ticket.url) {
            Ok(url) => url,
            Err(_) => self.address(&ticket.url)?,
        };
        self.check_upload_address(&url)?;
        if ticket.method != "PUT" {
            return Err(self.nonsense(&format!("an upload by {}", ticket.method)));
        }
        let mut request = self.http.put(url).body(photo.bytes.clone());
        for (name, value) in &ticket.headers {
            let name = name.to_ascii_lowercase();
            // What an upload to a store needs; length and host follow from the request itself.
            if name == "content-type" || name.starts_with("x-amz-") {
                request = request.header(name, value);
            }
        }
        self.send(request).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_before_anything_is_sent() {
        let fault = |url: &str| {
            let failure = Client::new(url, Pins::in_memory()).unwrap_err();
            assert_eq!(failure.exit_code(), 2);
            failure.to_string()
        };
        assert!(fault("localhost:8080").contains("http://"));
        assert!(fault("ftp://x").contains("http://"));
        assert!(fault("nonsense").contains("PITPET_URL"));
        let client = Client::new("http://127.0.0.1:1/prefix", Pins::in_memory()).unwrap();
        assert_eq!(client.address("/v1/feed").unwrap().as_str(), "http://127.0.0.1:1/prefix/v1/feed");
    }

    #[test]
    fn a_photo_goes_to_the_server_or_to_a_named_host_over_tls() {
        let client = Client::new("http://127.0.0.1:8080", Pins::in_memory()).unwrap();
        let checked = |url: &str| client.check_upload_address(&Url::parse(url).unwrap());
        for good in ["http://127.0.0.1:8080/media/uploads/x", "https://bucket.s3.eu-west-1.amazonaws.com/a"] {
            checked(good).unwrap();
        }
        for bad in [
            "http://127.0.0.1:8081/",
            "http://169.254.169.254/latest/meta-data",
            "http://bucket.s3.amazonaws.com/a",
            "https://169.254.169.254/",
            "https://[::1]/",
            "https://localhost/",
            "https://router/",
            "file:///etc/passwd",
        ] {
            assert_eq!(checked(bad).unwrap_err().exit_code(), 1, "{bad}");
        }
    }

    #[test]
    fn nonces_rise_within_a_millisecond() {
        let client = Client::new("http://127.0.0.1:1", Pins::in_memory()).unwrap();
        let mut last = 0;
        for _ in 0..1000 {
            let nonce = client.nonce(1);
            assert!(nonce > last);
            last = nonce;
        }
        assert_eq!(client.nonce(last + 50), last + 50);
    }
}
