//! The market's read side through real blocks: what is open, what isn't any more, what was sold.

use pitpet_chain::event::Payload;
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::EventId;
use pitpet_pipeline::api::{EventView, OrderView, OrdersView, Problem, TradesView};
use pitpet_pipeline::message::Entry;
use pitpet_pipeline::mine::Miner;
use pitpet_pipeline::ports::Table as _;
use pitpet_pipeline::publisher;
use pitpet_pipeline::query::Queries;
use pitpet_pipeline::search::WORDS_MAX;
use pitpet_simulator::town::{EACH, QUICK, id_of};
use pitpet_simulator::{Player, Town};

use super::query::{get, read};

const HOUR_MS: u64 = 3_600_000;

/// Pets live for two ages here, so that one dies soon.
const BRIEF: Parameters = Parameters { ttl: 2, birth_grant: 1_000, ..QUICK };

/// A kennel in which Anna has a keepsake and a living pet, and Bert and Cleo 100 treats each and no pet.
struct Fair {
    town: Town,
    miner: Miner,
    queries: Queries,
    anna: Player,
    bert: Player,
    cleo: Player,
    living: EventId,
    kept: EventId,
}

impl Fair {
    async fn new() -> Self {
        let town = Town::found(BRIEF).await;
        let miner = town.miner();
        let queries = town.queries();
        let player = |seed| Player::new(&town, seed);
        let (anna, bert, cleo) = (player(1), player(2), player(3));
        let none = EventId([0; 32]);
        let mut fair = Self { town, miner, queries, anna, bert, cleo, living: none, kept: none };
        let birth = fair.anna.birth("Kitty", fair.town.head().await.hash);
        fair.kept = id_of(&birth);
        fair.done(birth).await;
        fair.age(2).await;
        let pet = fair.kept.into();
        for payload in [
            Payload::StoryEnd { pet },
            Payload::Keepsake { pet },
            Payload::Transfer { to: fair.bert.account(), amount: 100 },
            Payload::Transfer { to: fair.cleo.account(), amount: 100 },
        ] {
            let entry = fair.anna.act(payload);
            fair.done(entry).await;
        }
        let birth = fair.anna.birth("Mochi", fair.town.head().await.hash);
        fair.living = id_of(&birth);
        fair.done(birth).await;
        fair
    }

    /// Mines an event, which must be accepted, in a block of its own.
    async fn done(&mut self, entry: Entry) -> EventId {
        let id = id_of(&entry);
        self.town.clock.advance(1_000);
        self.town.send(vec![entry]);
        let report = self.town.mine_once(&self.miner).await;
        assert_eq!(report.accepted, 1, "{report:?}");
        id
    }

    /// Lets as many ages pass.
    async fn age(&mut self, ages: u64) {
        for _ in 0..ages {
            self.town.clock.advance(BRIEF.idle_ms);
            self.town.reaper().reap().await.expect("it runs");
            self.town.mine_all(&self.miner).await;
        }
        let expires_ms = self.town.clock.now_ms() + HOUR_MS;
        for player in [&mut self.anna, &mut self.bert, &mut self.cleo] {
            player.expires_ms = expires_ms;
        }
    }

    /// Longer than a pet lives without care.
    fn until_ms(&self) -> u64 {
        self.town.clock.now_ms() + 20 * 24 * HOUR_MS
    }

    async fn offer(&mut self, pet: EventId, price: u64) -> EventId {
        let until_ms = self.until_ms();
        let entry = self.anna.act(Payload::Offer { pet: pet.into(), price, until_ms });
        self.done(entry).await
    }

    async fn bid(&mut self, pet: EventId, price: u64) -> EventId {
        let until_ms = self.until_ms();
        let entry = self.bert.act(Payload::Bid { pet: pet.into(), price, until_ms });
        self.done(entry).await
    }

    /// Ids of the open orders behind a target, page by page; asked of a use case that has kept its
    /// memory and of one that has none, which must agree.
    async fn open(&self, parameters: &str, limit: usize) -> Vec<EventId> {
        let kept = open_of(&self.queries, parameters, limit).await;
        assert_eq!(open_of(&self.town.queries(), parameters, limit).await, kept, "{parameters}");
        kept
    }

    async fn state_of(&self, order: EventId) -> String {
        let view: OrderView = read(&self.queries, &format!("/v1/market/{order}")).await;
        view.state
    }
}

async fn open_of(queries: &Queries, parameters: &str, limit: usize) -> Vec<EventId> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    for _ in 0..100 {
        let page: OrdersView = read(queries, &format!("/v1/market?limit={limit}&{parameters}{cursor}")).await;
        assert!(page.orders.len() <= limit);
        assert!(page.orders.iter().all(|order| order.state == "open"));
        ids.extend(page.orders.iter().map(|order| order.id.parse::<EventId>().expect("an id")));
        match page.cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
    panic!("the pages don't end");
}

#[tokio::test]
async fn open_orders_by_price_and_by_age() {
    let mut fair = Fair::new().await;
    let (living, kept) = (fair.living, fair.kept);
    let dear = fair.offer(living, 40).await;
    let cheap = fair.offer(kept, 11).await;
    let (low, high) = (fair.bid(living, 5).await, fair.bid(kept, 20).await);
    for limit in [1, 2, 3, 4, 100] {
        assert_eq!(fair.open("by=price", limit).await, [cheap, dear, high, low], "by {limit}");
        assert_eq!(fair.open("by=age", limit).await, [high, low, cheap, dear], "by {limit}");
        assert_eq!(fair.open("side=offer&kennel=first", limit).await, [cheap, dear]);
        assert_eq!(fair.open("side=bid", limit).await, [high, low]);
        assert_eq!(fair.open(&format!("pet={kept}"), limit).await, [cheap, high]);
    }
    let page: OrdersView = read(&fair.queries, "/v1/market?side=offer").await;
    let offer = &page.orders[0];
    assert_eq!((offer.price, offer.to_seller, offer.to_house), (11, 7, 4), "3.3 treats, rounded up");
    assert_eq!((offer.side.as_str(), offer.phase.as_str()), ("offer", "kept"));
    assert_eq!(offer.pet_name.as_deref(), Some("Kitty"));
    assert_eq!(offer.maker, fair.anna.account().to_string());
    let none = "ab".repeat(32);
    for (target, status, field) in [
        ("/v1/market?kennel=nowhere".to_owned(), 404, "kennel"),
        ("/v1/market?side=both".to_owned(), 400, "side"),
        ("/v1/market?by=name".to_owned(), 400, "by"),
        ("/v1/market?pet=short".to_owned(), 400, "pet"),
        ("/v1/market?by=age&cursor=1%230".to_owned(), 400, "cursor"),
        ("/v1/market?cursor=x".to_owned(), 400, "cursor"),
        ("/v1/market?limit=101".to_owned(), 400, "limit"),
        (format!("/v1/market/{none}"), 404, "order"),
        (format!("/v1/market/{living}"), 404, "order"),
        ("/v1/market/short".to_owned(), 400, "order"),
        ("/v1/market/trades?kennel=nowhere".to_owned(), 404, "kennel"),
    ] {
        let response = get(&fair.queries, &target).await;
        let problem: Problem = serde_json::from_slice(&response.body).expect("a problem");
        assert_eq!((response.status, problem.field.as_deref()), (status, Some(field)), "{target}");
    }
}

#[tokio::test]
async fn what_is_taken_or_cancelled_is_open_no_more_and_the_split_is_exact() {
    let mut fair = Fair::new().await;
    let (living, kept) = (fair.living, fair.kept);
    let (offered, bid) = (fair.offer(living, 11).await, fair.bid(kept, 10).await);
    let given_up = fair.bid(living, 3).await;
    assert_eq!(fair.open("", 9).await, [offered, bid, given_up]);
    let entry = fair.bert.act(Payload::Cancel { order: given_up });
    fair.done(entry).await;
    assert_eq!(fair.open("", 9).await, [offered, bid]);
    assert_eq!(fair.queries.homes(&living.into()).await.expect("the table answers"), []);
    let entry = fair.cleo.act(Payload::Take { order: offered, price: 11 });
    let bought = fair.done(entry).await;
    assert_eq!(fair.open("", 9).await, [bid]);
    let entry = fair.anna.act(Payload::Take { order: bid, price: 10 });
    let sold = fair.done(entry).await;
    assert!(fair.open("", 9).await.is_empty());
    let states = [offered, bid, given_up];
    for (order, state) in states.into_iter().zip(["taken", "taken", "cancelled"]) {
        assert_eq!(fair.state_of(order).await, state);
    }
    let all: TradesView = read(&fair.queries, "/v1/market/trades").await;
    let [second, first] = &all.trades[..] else { panic!("{all:?}") };
    assert_eq!((first.price, first.to_seller, first.to_house), (11, 7, 4));
    assert_eq!((second.price, second.to_seller, second.to_house), (10, 7, 3));
    assert_eq!((first.id.clone(), first.order.clone()), (bought.to_string(), offered.to_string()));
    assert_eq!(
        (first.seller.clone(), first.buyer.clone()),
        (fair.anna.account().to_string(), fair.cleo.account().to_string())
    );
    assert_eq!((second.id.clone(), second.pet_name.as_deref()), (sold.to_string(), Some("Kitty")));
    assert_eq!((first.phase.as_str(), second.phase.as_str()), ("living", "kept"));
    let view: EventView = read(&fair.queries, &format!("/v1/events/{sold}?proof=false")).await;
    assert_eq!(view.place.expect("a place").height, second.height);
    // Each pet names the home that it had before; before it was sold there was none.
    for (pet, sale) in [(living, first), (kept, second)] {
        let homes = fair.queries.homes(&pet.into()).await.expect("the table answers");
        let homes: Vec<_> = homes.iter().map(|home| (home.account.as_str(), home.until_ms)).collect();
        assert_eq!(homes, [(sale.seller.as_str(), sale.timestamp_ms)]);
    }
    // Page by page.
    let page: TradesView = read(&fair.queries, "/v1/market/trades?kennel=first&limit=1").await;
    assert_eq!(page.trades, all.trades[..1]);
    let cursor = page.cursor.expect("there is more");
    let page: TradesView = read(&fair.queries, &format!("/v1/market/trades?limit=1&cursor={cursor}")).await;
    assert_eq!((&page.trades[..], page.cursor), (&all.trades[1..], None));
}

/// A sold pet lives with whoever bought it: their pages, posts and notices follow the owner, not the birth.
#[tokio::test]
async fn a_sold_pet_is_the_buyers() {
    let mut fair = Fair::new().await;
    let living = fair.living;
    let (anna, cleo) = (fair.anna.account().to_string(), fair.cleo.account().to_string());
    let bid = fair.bid(living, 3).await;
    let offered = fair.offer(living, 11).await;
    let entry = fair.anna.post(living, "With Anna");
    let before = fair.done(entry).await.to_string();
    let entry = fair.cleo.act(Payload::Take { order: offered, price: 11 });
    fair.done(entry).await;
    let entry = fair.cleo.post(living, "With Cleo");
    let after = fair.done(entry).await.to_string();
    let pets = async |account: &str| {
        let pets = fair.queries.pets_of(account).await.expect("pets");
        pets.into_iter().map(|pet| (pet.birth, pet.owner)).collect::<Vec<_>>()
    };
    assert_eq!(pets(&cleo).await, [(living.to_string(), cleo.clone())]);
    let kept = (fair.kept.to_string(), anna.clone());
    assert_eq!(pets(&anna).await, [(living.to_string(), cleo.clone()), kept], "both were born to her");
    let posts = async |account: &str| {
        let posts = fair.queries.posts_by(account, &[living.into()], 9).await.expect("posts");
        let posts = posts.into_iter().filter(|card| card.entry.kind == "post");
        posts.map(|card| card.entry.id).collect::<Vec<_>>()
    };
    assert_eq!((posts(&anna).await, posts(&cleo).await), (vec![before], vec![after]));
    let told = fair.queries.notices(&cleo).await.expect("notices");
    assert!(told.entries.iter().all(|entry| entry.id != bid.to_string()), "that was for Anna to know");
}

/// No receipt says that an order's time is up or that its pet is another's until a block ends it.
#[tokio::test]
async fn what_is_over_by_itself_is_open_no_more() {
    let mut fair = Fair::new().await;
    let (living, kept) = (fair.living, fair.kept);
    let bid = fair.bid(living, 3).await;
    let until_ms = fair.town.clock.now_ms() + 60_000;
    let entry = fair.anna.act(Payload::Offer { pet: kept.into(), price: 6, until_ms });
    let brief = fair.done(entry).await;
    let taken = fair.offer(living, 7).await;
    assert_eq!(fair.open("by=age", 9).await, [taken, brief, bid]);
    // Its last moment, and the one after: no block comes between.
    fair.town.clock.advance(until_ms - fair.town.clock.now_ms());
    assert_eq!(fair.open("by=age", 9).await, [taken, brief, bid]);
    assert_eq!(fair.state_of(brief).await, "open");
    fair.town.clock.advance(1);
    assert_eq!(fair.open("by=age", 9).await, [taken, bid]);
    assert_eq!(fair.state_of(brief).await, "time-up");
    let entry = fair.cleo.act(Payload::Take { order: taken, price: 7 });
    fair.done(entry).await;
    assert!(fair.open("", 9).await.is_empty(), "the pet has another owner");
    assert_eq!(fair.state_of(bid).await, "pet-changed");
    assert_eq!(fair.state_of(brief).await, "time-up");
}

#[tokio::test]
async fn an_order_dies_with_its_pet() {
    let mut fair = Fair::new().await;
    let (living, kept) = (fair.living, fair.kept);
    let (offered, bid) = (fair.offer(living, 40).await, fair.bid(living, 5).await);
    let other = fair.bid(kept, 4).await;
    fair.age(2).await;
    assert_eq!(fair.state_of(offered).await, "pet-changed");
    assert_eq!(fair.state_of(bid).await, "pet-changed");
    assert_eq!(fair.open("", 9).await, [other], "the keepsake's stands");
}

#[tokio::test]
async fn seventeen_bids_leave_sixteen() {
    let mut fair = Fair::new().await;
    let kept = fair.kept;
    let mut bids = Vec::new();
    for price in 1..=16 {
        if price == 9 {
            std::mem::swap(&mut fair.bert, &mut fair.cleo);
        }
        bids.push(fair.bid(kept, price).await);
    }
    std::mem::swap(&mut fair.bert, &mut fair.cleo);
    bids.push(fair.bid(kept, 17).await);
    let lowest = bids.remove(0);
    bids.reverse();
    assert_eq!(fair.open("side=bid", 5).await, bids);
    assert_eq!(fair.state_of(lowest).await, "outbid");
}

#[tokio::test]
async fn publishing_again_in_any_order_changes_nothing() {
    let mut fair = Fair::new().await;
    let (living, kept) = (fair.living, fair.kept);
    let (offered, bid) = (fair.offer(living, 11).await, fair.bid(kept, 10).await);
    let cancelled = fair.bid(living, 3).await;
    let entry = fair.bert.act(Payload::Cancel { order: cancelled });
    fair.done(entry).await;
    let entry = fair.anna.act(Payload::Take { order: bid, price: 10 });
    fair.done(entry).await;
    let before = fair.town.table.all();
    let head = fair.town.head().await.height;
    for from in [head, head - 2, 1, head - 1, 3] {
        let table = fair.town.table.as_ref();
        publisher::republish(table, &fair.town.founding, from, &EACH, WORDS_MAX, |_| {})
            .await
            .expect("it runs");
        assert_eq!(fair.town.table.all(), before, "from {from}");
        assert_eq!(fair.open("", 9).await, [offered]);
    }
    // The older a write is, the later it may come: cards that are gone come back as they were.
    for order in [offered, bid, cancelled] {
        fair.town.table.delete(&pitpet_pipeline::items::order(&order)).await.expect("in memory");
    }
    publisher::republish(fair.town.table.as_ref(), &fair.town.founding, 1, &EACH, WORDS_MAX, |_| {})
        .await
        .expect("it runs");
    assert_eq!(fair.town.table.all(), before);
}
