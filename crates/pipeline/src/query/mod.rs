//! Answers: cards, feeds, blocks and proofs from the read side, up to the heads. It writes nothing.
//!
//! State proofs come from replicas of the kennels, native where they can be
//! ([`crate::native::ReplicaHost`]), opened as the miner opens them; whoever gets a proof checks it
//! against the signed checkpoint, so that a replica is not trusted.

mod acts;
mod belongings;
mod birthplace;
mod cards;
mod cursor;
mod evidence;
mod export;
mod feeds;
mod find;
mod heads;
mod living;
mod market;
mod moderation;
mod offices;
mod pages;
mod proofs;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::{OptionFuture, try_join_all};
use pitpet_chain::block::Block;
use pitpet_chain::codec::{decode, encode};
use pitpet_chain::event::{Kind, SignedEvent};
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{AccountId, BirthHash, BlockHash, EventId, KennelId, RulesHash};
use pitpet_chain::limits;
use pitpet_chain::mining;
use pitpet_chain::reject::Reject;

pub use belongings::{Home, POSTS_MAX, is_fading};
pub use cards::{AccountCard, PetCard, read_account, read_pet, remaining_words};
pub use export::{ExportManifest, Segment, SegmentEntry, StoredBody};
pub(crate) use feeds::PAGE_MAX;
pub use feeds::{DayEntry, LISTED_MAX};
pub use find::{FOUND_MAX, Found};
pub use living::{Ranked, Ranking};
pub use market::{OrderFilter, OrderSort};
pub use pages::{Card, Cards, PostPage, SiteSettings};

use self::texts::Told;
use crate::api::*;
use crate::checkpoint;
use crate::founding::Foundings;
use crate::head::{Founding, LedgerError, StoredBlock, damaged, read_block};
use crate::items::{self, Fields};
use crate::kennels::Kennels;
use crate::native::{NativeHost, ReplicaHost};
use crate::opening;
use crate::planted::{Bug, planted};
use crate::ports::{Attributes, Clock, Consistency, ModuleHost, Objects, Order, Query, Table};
use crate::problem::{bad_field, not_found, problem, rejected};
use crate::read_side::ReadSide;

/// First pause between two looks of a long poll, ms; it doubles up to [`POLL_MS_MAX`].
const POLL_MS_MIN: u64 = 10;

/// Longest pause between two looks of a long poll, ms.
const POLL_MS_MAX: u64 = 160;

/// Longest pause between two looks at a head that somebody follows, ms: whoever follows it waits
/// for hours, and each look is a read.
const FOLLOW_MS_MAX: u64 = 1_000;

/// How query is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuerySettings {
    /// The longest that a long poll waits, ms.
    pub wait_ms_max: u64,
    /// Kennels kept open for state proofs.
    pub replicas_max: NonZeroUsize,
}

/// The use case.
pub struct Queries {
    /// The read side, as it stands under the keys of [`items`].
    table: Arc<dyn Table>,
    /// The same.
    read_side: Arc<ReadSide>,
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    foundings: Foundings,
    replicas: Kennels,
    settings: QuerySettings,
    site: SiteSettings,
    memory: living::Memory,
    newest: pages::Newest,
    heads: heads::Heads,
}

/// Whether an answer carries its proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithProof {
    /// It does.
    Yes,
    /// It doesn't.
    No,
}

fn base64_of(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Looking for something ever less often, until a time.
struct Poll {
    deadline_ms: u64,
    pause_ms: u64,
    pause_ms_max: u64,
}

impl Queries {
    /// Makes the use case.
    pub fn new(
        table: Arc<dyn Table>,
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
        settings: QuerySettings,
    ) -> Self {
        let replicas =
            Kennels::new(Arc::new(NativeHost), table.clone(), objects.clone(), settings.replicas_max);
        let foundings = Foundings::new(table.clone());
        let read_side = ReadSide::following(table, clock.clone());
        Self {
            table: read_side.clone(),
            read_side,
            objects,
            clock,
            foundings,
            replicas,
            settings,
            site: SiteSettings::default(),
            memory: living::Memory::default(),
            newest: pages::Newest::default(),
            heads: heads::Heads::default(),
        }
    }

    /// Says which rules are run natively, and by what all others are: without a host for them,
    /// kennels that others decide get no proofs of their state here. Unless this is said, all are
    /// run natively.
    #[must_use]
    pub fn with_rules(self, native: RulesHash, others: Option<Arc<dyn ModuleHost>>) -> Self {
        let host = Arc::new(ReplicaHost::new(native, others));
        let (table, objects) = (self.table.clone(), self.objects.clone());
        Self { replicas: Kennels::new(host, table, objects, self.settings.replicas_max), ..self }
    }

    /// Shares what is known of the tails with others of the same process: a read side that follows by
    /// itself.
    #[must_use]
    pub fn sharing(self, read_side: Arc<ReadSide>) -> Self {
        Self { table: read_side.clone(), read_side, ..self }
    }

    /// Says what the pages have to know of the site.
    #[must_use]
    pub fn with_site(mut self, site: SiteSettings) -> Self {
        self.site = site;
        self
    }

    /// What the pages have to know of the site.
    pub fn site(&self) -> &SiteSettings {
        &self.site
    }

    /// Finds a kennel by id or label.
    ///
    /// # Errors
    /// A problem with status 404 if there is none.
    pub async fn founding(&self, name: &str) -> Result<Founding, Problem> {
        let kennel = match name.parse::<KennelId>() {
            Ok(id) => id,
            Err(_) if name.is_empty() || name.len() > 64 => return Err(not_found("such kennel", "kennel")),
            Err(_) => {
                let item = self.table.get(&items::kennel_label(name), Consistency::Eventual).await?;
                KennelId(item.ok_or_else(|| not_found("such kennel", "kennel"))?.digest("kennel")?)
            }
        };
        Ok(self.foundings.get(&kennel).await?)
    }

    /// All kennels.
    ///
    /// # Errors
    /// A problem.
    pub async fn kennels(&self) -> Result<KennelsView, Problem> {
        let mut kennels = Vec::new();
        for founding in self.foundings.list().await? {
            kennels.push(self.kennel_view(&founding).await?);
        }
        Ok(KennelsView { kennels })
    }

    /// One kennel.
    ///
    /// # Errors
    /// A problem.
    pub async fn kennel(&self, name: &str) -> Result<KennelView, Problem> {
        let founding = self.founding(name).await?;
        self.kennel_view(&founding).await
    }

    /// One kennel, as soon as a block above this height is committed, or as it is after `wait_ms`.
    ///
    /// # Errors
    /// A problem.
    pub async fn kennel_above(&self, name: &str, above: u64, wait_ms: u64) -> Result<KennelView, Problem> {
        let founding = self.founding(name).await?;
        let mut poll = self.poll(wait_ms, FOLLOW_MS_MAX);
        loop {
            let head = self.head_at(&founding, Consistency::Eventual).await?;
            if head.height > above || !self.pause(&mut poll).await {
                return self.kennel_view(&founding).await;
            }
        }
    }

    async fn kennel_view(&self, founding: &Founding) -> Result<KennelView, Problem> {
        let head = self.head(founding).await?;
        let parameters = &founding.genesis.parameters;
        let totals = &head.summary.totals;
        let anchor = match head.summary.anchor {
            BlockHash(hash) if hash == [0; 32] => head.hash,
            anchor => anchor,
        };
        Ok(KennelView {
            id: founding.kennel.to_string(),
            label: founding.label.clone(),
            height: head.height,
            hash: head.hash.to_string(),
            age: totals.age,
            timestamp_ms: head.header.timestamp_ms,
            rules_hash: head.header.rules_hash.to_string(),
            anchor: anchor.to_string(),
            published_height: head.height,
            living: totals.living,
            free_places: opening::free_places(parameters, totals),
            newcomer_places: opening::newcomer_places(parameters, totals),
            pets: totals.pets,
            accounts: totals.accounts,
            minted: totals.minted,
            house: totals.house,
            locked: totals.locked,
            orders: totals.orders,
            mining: MiningView {
                over: mining::after(&head.summary.mining, head.height, &head.hash).began.to_string(),
                sealed: head.summary.mining.sealed,
                difficulty: head.summary.mining.difficulty,
                last_aging_ms: totals.last_aging_ms,
            },
            upgrade: head.summary.upgrade.map(|upgrade| UpgradeView {
                rules_hash: upgrade.rules_hash.to_string(),
                at_height: upgrade.at_height,
            }),
            parameters: parameters_view(parameters),
            checkpoint_key: checkpoint::verifier_key(&founding.kennel, &founding.genesis.checkpoint)
                .unwrap_or_default(),
            genesis: base64_of(&encode(&founding.genesis)),
        })
    }

    /// The checkpoint of the newest head.
    ///
    /// # Errors
    /// A problem.
    pub async fn checkpoint(&self, name: &str) -> Result<String, Problem> {
        let founding = self.founding(name).await?;
        Ok(self.head(&founding).await?.checkpoint)
    }

    /// A committed block, by the track of its height.
    async fn committed_block(
        &self,
        founding: &Founding,
        height: u64,
    ) -> Result<Option<(BlockHash, StoredBlock)>, LedgerError> {
        let key = items::track(&founding.kennel, height);
        let Some(track) = self.table.get(&key, Consistency::Eventual).await? else { return Ok(None) };
        let hash = BlockHash(track.digest("hash")?);
        Ok(Some((hash, read_block(self.table.as_ref(), &founding.kennel, height, &hash).await?)))
    }

    /// A block by height.
    ///
    /// # Errors
    /// A problem with status 404 if the kennel is not that high yet.
    pub async fn block(&self, name: &str, height: u64) -> Result<BlockView, Problem> {
        let founding = self.founding(name).await?;
        let (hash, stored) = self
            .committed_block(&founding, height)
            .await?
            .ok_or_else(|| not_found("block at this height yet", "height"))?;
        let block: Block = decode(&stored.bytes).map_err(|_| damaged("a block"))?;
        let events = block
            .events
            .iter()
            .filter_map(|event| SignedEvent::read(&event.0).ok())
            .map(|signed| signed.id.to_string())
            .collect();
        let deaths = block
            .deaths
            .iter()
            .filter_map(|death| decode::<pitpet_chain::block::Death>(&death.0).ok())
            .map(|death| death.pet.to_string())
            .collect();
        Ok(BlockView {
            height,
            hash: hash.to_string(),
            parent: block.header.parent.to_string(),
            timestamp_ms: block.header.timestamp_ms,
            age: block.header.age,
            events,
            deaths,
            bytes: base64_of(&stored.bytes),
        })
    }

    /// A committed block itself, with the count of its bytes.
    ///
    /// # Errors
    /// A problem with status 404 if the kennel is not that high yet.
    pub async fn block_record(&self, founding: &Founding, height: u64) -> Result<(usize, Block), Problem> {
        let (_, stored) = self
            .committed_block(founding, height)
            .await?
            .ok_or_else(|| not_found("block at this height yet", "height"))?;
        let block = decode(&stored.bytes).map_err(|_| damaged("a block"))?;
        Ok((stored.bytes.len(), block))
    }

    /// Blocks, newest first; `cursor` is the height to go on below.
    ///
    /// # Errors
    /// A problem.
    pub async fn blocks(&self, name: &str, cursor: Option<&str>, limit: u32) -> Result<BlocksView, Problem> {
        let founding = self.founding(name).await?;
        let below = match cursor {
            Some(cursor) => cursor.parse::<u64>().map_err(|_| {
                bad_field("cursor", "The cursor must be one that this server gave for this list.")
            })?,
            None => u64::MAX,
        };
        let query = Query {
            pk: items::chain(&founding.kennel),
            from: items::track_sk(0),
            to: items::track_sk(below.saturating_sub(1)),
            order: Order::Descending,
            limit,
            consistency: Consistency::Eventual,
        };
        let mut blocks = Vec::new();
        if below > 0 {
            for item in self.table.query(&query).await? {
                let height = item.key.sk.strip_prefix("T#").and_then(|height| height.parse().ok());
                blocks.push(BlockSummaryView {
                    height: height.ok_or_else(|| damaged("a track"))?,
                    hash: BlockHash(item.attributes.digest("hash")?).to_string(),
                    timestamp_ms: item.attributes.number("timestamp_ms")?,
                    event_count: item.attributes.number("event_count")?,
                });
            }
        }
        let cursor = blocks.last().filter(|last| last.height > 0).map(|last| last.height.to_string());
        Ok(BlocksView { blocks, cursor })
    }

    /// An event; waits up to `wait_ms` for it to be mined or rejected. If its kennel is said only that is
    /// looked at.
    ///
    /// # Errors
    /// A problem with status 404 while neither is known.
    pub async fn event(
        &self,
        id: &str,
        kennel: Option<&str>,
        wait_ms: u64,
        with_proof: WithProof,
    ) -> Result<EventView, Problem> {
        let id: EventId = parse_id("id", id)?;
        let found = self.events_within(BTreeSet::from([id]), kennel, wait_ms, with_proof).await?;
        found.into_iter().next().map(|(_, view)| view).ok_or_else(|| {
            let detail = "The event is neither mined nor rejected. If it was queued a moment ago, ask again with wait_ms.";
            problem(404, "unknown-event", "Not known yet", detail, Some("id"))
        })
    }

    /// What became of several events, separated by commas, without their proofs: of all that is known of at
    /// once, or of as many as it is known of after `wait_ms`. If their kennel is said only that is looked at.
    ///
    /// # Errors
    /// A problem.
    pub async fn events(&self, ids: &str, kennel: Option<&str>, wait_ms: u64) -> Result<EventsView, Problem> {
        let most = limits::MESSAGE_EVENTS_MAX;
        let mut unknown: BTreeSet<EventId> = ids
            .split(',')
            .filter(|id| !id.is_empty())
            .map(|id| parse_id("ids", id))
            .collect::<Result<_, _>>()?;
        if unknown.len() > most {
            return Err(bad_field("ids", format!("At most {most} events are asked for at once.")));
        }
        let found = self.events_within(unknown.clone(), kennel, wait_ms, WithProof::No).await?;
        unknown.retain(|id| !found.contains_key(id));
        let unknown = unknown.iter().map(EventId::to_string).collect();
        Ok(EventsView { events: found.into_values().collect(), unknown })
    }

    /// Those of some events that are known of, once all are or after `wait_ms`.
    async fn events_within(
        &self,
        mut unknown: BTreeSet<EventId>,
        kennel: Option<&str>,
        wait_ms: u64,
        with_proof: WithProof,
    ) -> Result<BTreeMap<EventId, EventView>, Problem> {
        let founding = OptionFuture::from(kennel.map(|name| self.founding(name))).await.transpose()?;
        let mut found = BTreeMap::new();
        let mut poll = self.poll(wait_ms, POLL_MS_MAX);
        let mut is_first = true;
        loop {
            match &founding {
                Some(founding) => drop(self.head_at(founding, Consistency::Eventual).await?),
                None => self.read_side.follow_all(Consistency::Eventual).await?,
            }
            let asked: Vec<EventId> = unknown.iter().copied().collect();
            let views = asked.iter().map(|id| self.event_now(id, founding.as_ref(), is_first, with_proof));
            for (id, view) in asked.iter().zip(try_join_all(views).await?) {
                if let Some(view) = view {
                    unknown.remove(id);
                    found.insert(*id, view);
                }
            }
            if unknown.is_empty() || !self.pause(&mut poll).await {
                return Ok(found);
            }
            is_first = false;
        }
    }

    /// Looks again and again for as long as `wait_ms`, after pauses of at most `pause_ms_max`.
    fn poll(&self, wait_ms: u64, pause_ms_max: u64) -> Poll {
        let deadline_ms = self.clock.now_ms() + wait_ms.min(self.settings.wait_ms_max);
        Poll { deadline_ms, pause_ms: POLL_MS_MIN, pause_ms_max }
    }

    /// Waits until it is time to look again; false once the time is over.
    async fn pause(&self, poll: &mut Poll) -> bool {
        let left_ms = poll.deadline_ms.saturating_sub(self.clock.now_ms());
        if left_ms > 0 {
            self.clock.sleep(poll.pause_ms.min(left_ms)).await;
            poll.pause_ms = (poll.pause_ms * 2).min(poll.pause_ms_max);
        }
        left_ms > 0
    }

    /// What is known of an event now. An event that is mined while somebody waits for it is in the tail:
    /// what is published is looked through once.
    async fn event_now(
        &self,
        id: &EventId,
        founding: Option<&Founding>,
        is_first: bool,
        with_proof: WithProof,
    ) -> Result<Option<EventView>, Problem> {
        let place = match self.read_side.place_in_tail(id) {
            None if is_first => {
                let kennel = founding.map(|founding| &founding.kennel);
                self.read_side.published_place(id, kennel, 0, Consistency::Eventual).await?
            }
            place => place,
        };
        let is_placed = place.is_some();
        let reject = match is_placed && !planted(Bug::RejectPreferred) {
            true => None,
            false => self.table.get(&items::reject(id), Consistency::Eventual).await?,
        };
        self.event_of(id, place, reject, with_proof).await
    }

    async fn event_of(
        &self,
        id: &EventId,
        place: Option<Attributes>,
        reject: Option<Attributes>,
        with_proof: WithProof,
    ) -> Result<Option<EventView>, Problem> {
        // A receipt always wins over a reject.
        let is_overruled = planted(Bug::RejectPreferred) && reject.is_some();
        if let Some(place) = place
            && !is_overruled
        {
            return self.mined(id, &place, with_proof).await;
        }
        let Some(reject) = reject else { return Ok(None) };
        let code = u16::try_from(reject.number("reject")?).ok().and_then(Reject::from_number);
        Ok(Some(EventView {
            id: id.to_string(),
            status: "rejected".to_owned(),
            kennel: KennelId(reject.digest("kennel")?).to_string(),
            place: None,
            reject: Some(rejected(code.ok_or_else(|| damaged("a reject"))?)),
            body_state: "none".to_owned(),
            hidden: None,
            salt: None,
            body: None,
        }))
    }

    async fn mined(
        &self,
        id: &EventId,
        place: &Attributes,
        with_proof: WithProof,
    ) -> Result<Option<EventView>, Problem> {
        let kennel = KennelId(place.digest("kennel")?);
        let founding = self.foundings.get(&kennel).await?;
        let height = place.number("height")?;
        let hash = BlockHash(place.digest("hash")?);
        let index = u32::try_from(place.number("index")?).map_err(|_| damaged("a place"))?;
        let kind = u8::try_from(place.number("kind")?).ok().and_then(Kind::from_number);
        let kind = kind.ok_or_else(|| damaged("a place"))?;
        let text = crate::texts::key(kind, &kennel, height, index, id);
        let (body, hidden) = futures::try_join!(
            async {
                match StoredBody::is_due(kind) {
                    true => Ok::<_, Problem>(self.table.get(&text, Consistency::Eventual).await?),
                    false => Ok(None),
                }
            },
            self.hidden(kind, id, &kennel)
        )?;
        let (event, receipt, proof) = match with_proof {
            WithProof::No => (None, None, None),
            WithProof::Yes => {
                // It may hold hundreds of events, and reading it costs accordingly.
                let block = read_block(self.table.as_ref(), &kennel, height, &hash).await?;
                let event_proof = pitpet_chain::kennel::prove_event(&block.bytes, index)
                    .map_err(|_| damaged("a place names no event of its block"))?;
                let Some((log_proof, checkpoint)) = self.log_proof(&founding, height).await? else {
                    // A head from before its block was read: in a moment there is a checkpoint over it.
                    return Ok(None);
                };
                let proof = ProofView {
                    proof: base64_of(&encode(&event_proof)),
                    log_proof: base64_of(&encode(&log_proof)),
                    checkpoint,
                };
                let (event, receipt) = (base64_of(&event_proof.event.0), base64_of(&event_proof.receipt.0));
                (Some(event), Some(receipt), Some(proof))
            }
        };
        let body = StoredBody::of(kind, body.as_ref());
        let (salt, text) = match &body {
            StoredBody::Present { salt, body } => (Some(base64_of(salt)), Some(base64_of(body))),
            _ => (None, None),
        };
        Ok(Some(EventView {
            id: id.to_string(),
            status: "mined".to_owned(),
            kennel: kennel.to_string(),
            place: Some(PlaceView {
                kind: kind.name().to_owned(),
                height,
                index,
                block: hash.to_string(),
                timestamp_ms: place.number("timestamp_ms")?,
                event,
                receipt,
                proof,
            }),
            reject: None,
            body_state: body.name().to_owned(),
            hidden,
            salt,
            body: text,
        }))
    }

    /// A pet's card.
    ///
    /// # Errors
    /// A problem with status 404 if there is no such pet.
    pub async fn pet(&self, birth: &str) -> Result<PetView, Problem> {
        let birth: BirthHash = parse_id("birth", birth)?;
        let card = self.pet_card(&birth).await?;
        let founding = self.foundings.get(&card.kennel).await?;
        let head = self.head(&founding).await?;
        let texts = self.texts(&[Told::own(EventId(birth.0), card.kennel)]).await?;
        Ok(cards::pet_view(&card, &founding, &head, &texts))
    }

    async fn pet_card(&self, birth: &BirthHash) -> Result<PetCard, Problem> {
        read_pet(self.table.as_ref(), birth, Consistency::Eventual)
            .await?
            .ok_or_else(|| not_found("such pet", "birth"))
    }

    /// An account by id or name.
    ///
    /// # Errors
    /// A problem with status 404 if the name isn't registered. An id that has done nothing yet is
    /// an account without holdings.
    pub async fn account(&self, name: &str) -> Result<AccountView, Problem> {
        let id = self.account_id(name).await?;
        let card = read_account(self.table.as_ref(), &id).await?;
        let mut labels = Vec::new();
        for (kennel, _) in &card.records {
            labels.push(self.foundings.get(kennel).await?.label);
        }
        Ok(cards::account_view(&id, &card, labels))
    }

    async fn account_id(&self, name: &str) -> Result<AccountId, Problem> {
        match name.parse::<AccountId>() {
            Ok(id) => Ok(id),
            Err(_) if name.is_empty() || name.len() > 64 => Err(not_found("such account", "account")),
            Err(_) => {
                let item = self.table.get(&items::name(name), Consistency::Eventual).await?;
                Ok(AccountId(item.ok_or_else(|| not_found("such account", "account"))?.digest("account")?))
            }
        }
    }

    /// The clock's now, ms.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// A rules module, by its file name `{hash}.wasm`.
    ///
    /// # Errors
    /// A problem with status 404 if there is none.
    pub async fn rules(&self, file: &str) -> Result<Vec<u8>, Problem> {
        let hash = file.strip_suffix(".wasm").unwrap_or_default();
        let hash: RulesHash = parse_id("file", hash)?;
        Ok(self.objects.get(&items::rules_object(&hash)).await?)
    }

    /// A photo's bytes.
    ///
    /// # Errors
    /// A problem with status 404 if there is none.
    pub async fn photo(&self, sha256: &str) -> Result<Vec<u8>, Problem> {
        let id: EventId = parse_id("sha256", sha256)?;
        Ok(self.objects.get(&items::photo_object(&id.0)).await?)
    }
}

/// Reads an id of 64 hexadecimal digits.
fn parse_id<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| bad_field(field, format!("{field} must be 64 lower-case hexadecimal digits.")))
}

fn parameters_view(parameters: &Parameters) -> ParametersView {
    let Parameters {
        ttl,
        age_interval_ms,
        idle_ms,
        living_max,
        accounts_max,
        visits_per_post_max,
        open_posts_max,
        birth_grant,
        post_cost,
        seal_reward,
        time_reward,
        stamp_bits,
        birth_bits,
        seal_bits,
        cut_permille,
    } = *parameters;
    ParametersView {
        ttl,
        age_interval_ms,
        idle_ms,
        living_max,
        accounts_max,
        visits_per_post_max,
        open_posts_max,
        birth_grant,
        post_cost,
        seal_reward,
        time_reward,
        stamp_bits,
        birth_bits,
        seal_bits,
        cut_permille,
    }
}
