//! Commands that put an event on the ledger.

use ed25519_dalek::SigningKey;
use pitpet_chain::block::Change;
use pitpet_chain::hash::{AccountId, BirthHash, EventId};
use pitpet_chain::state::Side;
use pitpet_cli::act::Act;
use pitpet_cli::client::{Client, Done, Mined};
use pitpet_cli::failure::Failure;
use pitpet_cli::kennel::Kennel;
use pitpet_cli::keys::{Account, public};
use pitpet_cli::photo::Photo;
use pitpet_pipeline::problem::not_found;
use pitpet_pipeline::verify::report::many;
use serde_json::{Value, json};

use super::look::visits;
use crate::args::{AtPet, AtPost, BirthArgs, CommentArgs, GiftArgs, PostArgs, TransferArgs};
use crate::context::{Context, Reporter};

/// Kennels tried for one birth, each of which may be full by the time it is mined.
const BIRTHPLACES_MAX: u32 = 3;

/// An account at work on a server.
pub(crate) struct Actor {
    pub(crate) client: Client,
    pub(crate) account: Account,
}

impl Actor {
    pub(crate) fn new(context: &Context) -> Result<Self, Failure> {
        Ok(Self { client: context.client()?, account: context.account()? })
    }

    /// Does it, and prints what came of it.
    pub(crate) async fn perform(
        &self,
        context: &Context,
        kennel: &Kennel,
        act: Act,
        done: &str,
    ) -> Result<(), Failure> {
        let key = self.client.key_in(kennel, &self.account).await?;
        self.perform_with(context, kennel, key, act, done).await
    }

    /// The same with a certain key.
    pub(crate) async fn perform_with(
        &self,
        context: &Context,
        kennel: &Kennel,
        key: &SigningKey,
        act: Act,
        done: &str,
    ) -> Result<(), Failure> {
        let reporter = Reporter::new(context.common.json);
        let outcome = self
            .client
            .perform(kennel, self.account.id, key, &act, context.wait(), &|progress| reporter.tell(progress))
            .await?;
        report(context, kennel, &outcome, done);
        Ok(())
    }

    async fn kennel_of_post(&self, post: &EventId) -> Result<Kennel, Failure> {
        let view = self.client.event(post, None, 0).await?;
        let view =
            view.ok_or_else(|| Failure::from(not_found("such post; `pitpet feed` lists them", "post")))?;
        match view.place.as_ref().map(|place| place.kind.as_str()) {
            Some("post") => {}
            Some(kind) => {
                return Err(Failure::usage(format!("event {post} is a {kind}, not a post (field: post)")));
            }
            None => {
                return Err(Failure::usage(format!("event {post} was refused and is no post (field: post)")));
            }
        }
        Ok(self.client.kennel(&view.kennel).await?.0)
    }

    pub(crate) async fn kennel_of_pet(&self, pet: &BirthHash) -> Result<Kennel, Failure> {
        let view = self.client.pet(pet).await?;
        Ok(self.client.kennel(&view.kennel).await?.0)
    }

    /// The kennel asked for, or the only one in which the account has a record.
    pub(crate) async fn own_kennel(&self, asked: Option<&str>) -> Result<Kennel, Failure> {
        if let Some(name) = asked {
            return Ok(self.client.kennel(name).await?.0);
        }
        let view = self.client.known_account(&self.account.id).await?;
        let mut own: Vec<String> = view
            .map(|view| view.kennels.into_iter().map(|holding| holding.kennel).collect())
            .unwrap_or_default();
        match own.len() {
            1 => Ok(self.client.kennel(&own.remove(0)).await?.0),
            0 => Err(Failure::usage(format!(
                "`{}` has nothing on this server yet; --kennel says which kennel is meant",
                self.account.name
            ))),
            _ => Err(Failure::usage(format!("which kennel? --kennel, one of: {}", own.join(", ")))),
        }
    }

    /// The kennel for a birth: the one asked for, or where the server says that there is room.
    async fn kennel_for_birth(&self, asked: Option<&str>) -> Result<Kennel, Failure> {
        match asked {
            Some(name) => Ok(self.client.kennel(name).await?.0),
            None => self.client.birthplace(&self.account.id).await,
        }
    }
}

/// What a mined event did to the account and to pets, as the proven receipt says.
fn effects(mined: &Mined) -> (Value, String) {
    let mut json = Vec::new();
    let mut text = String::new();
    let trade = mined.proven.receipt.changes.iter().find_map(|change| match change {
        Change::Trade(trade) => Some(trade),
        _ => None,
    });
    for change in &mined.proven.receipt.changes {
        match change {
            Change::Pet(pet) => {
                json.push(json!({ "pet": pet.birth.to_string(), "wallet": pet.wallet, "posts": pet.posts,
                    "pats": pet.pats, "shares": pet.shares, "comments": pet.comments }));
                text.push_str(&format!(
                    "  the pet has {}, {}\n",
                    many(pet.wallet, "treat"),
                    visits([pet.posts, pet.pats, pet.shares, pet.comments])
                ));
            }
            Change::Account(account) => {
                json.push(json!({ "account": account.id.to_string(), "granted": account.granted, "free": account.free }));
                let id = account.id;
                let whose = match trade {
                    _ if id == mined.proven.event.event.account => "you have".to_owned(),
                    Some(trade) if id == trade.seller => format!("the seller, {id}, has"),
                    Some(trade) if id == trade.buyer => format!("the buyer, {id}, has"),
                    _ => format!("the other, {id}, has"),
                };
                text.push_str(&format!(
                    "  {whose} {} for posts and {} free\n",
                    many(account.granted, "treat"),
                    account.free
                ));
            }
            Change::Order(order) => {
                let side = if order.side == Side::Offer { "offer" } else { "bid" };
                json.push(json!({ "order": order.id.to_string(), "side": side, "pet": order.pet.to_string(),
                    "price": order.price, "until_ms": order.until_ms }));
                text.push_str(&match order.until_ms {
                    0 => format!("  a bid of {} was outbid\n", many(order.price, "treat")),
                    _ => format!("  the {side} of {} stands: {}\n", many(order.price, "treat"), order.id),
                });
            }
            Change::Closed(order) => {
                json.push(json!({ "closed": order.to_string() }));
                text.push_str(&format!("  the order is closed: {order}\n"));
            }
            Change::Trade(trade) => {
                json.push(json!({ "trade": trade.order.to_string(), "pet": trade.pet.to_string(),
                    "seller": trade.seller.to_string(), "buyer": trade.buyer.to_string(),
                    "price": trade.price, "cut": trade.cut }));
                text.push_str(&format!(
                    "  sold for {}: {} to the seller, {} to the house\n",
                    many(trade.price, "treat"),
                    trade.price - trade.cut,
                    trade.cut
                ));
            }
            Change::Post(_) | Change::Keys(_) => {}
        }
    }
    (Value::Array(json), text)
}

/// Prints what came of an event.
pub(crate) fn report(context: &Context, kennel: &Kennel, outcome: &Done, done: &str) {
    let id = outcome.id().to_string();
    match outcome {
        Done::Queued(_) => context.print(
            json!({ "id": id, "status": "queued", "kennel": kennel.id.to_string() }),
            &format!("Queued in {}; `pitpet event {id}` shows what becomes of it.", kennel.label),
        ),
        Done::Mined(mined) => {
            let (changes, text) = effects(mined);
            let proven = &mined.proven;
            context.print(
                json!({ "id": id, "status": "mined", "kennel": kennel.id.to_string(),
                    "height": proven.header.height, "block": proven.header.hash().to_string(),
                    "checkpoint_size": proven.head.size, "checkpoint_root": hex::encode(proven.head.root),
                    "changes": changes }),
                &format!(
                    "{done} ({}, block {})\n  id {id}\n{text}  proven by checkpoint {}",
                    kennel.label, proven.header.height, proven.head.size
                ),
            );
        }
    }
}

/// `birth`
pub(crate) async fn birth(context: &Context, args: BirthArgs) -> Result<(), Failure> {
    let photo = Photo::open(&args.photo)?;
    let mut act =
        Act::Birth { photo: photo.sha256, name: args.name.clone(), story: args.story, recovery: None };
    act.check()?;
    let actor = Actor::new(context)?;
    if let Act::Birth { recovery, .. } = &mut act {
        *recovery = actor.account.recovery().map(public);
    }
    let mut kennel = actor.kennel_for_birth(args.kennel.as_deref()).await?;
    let mut key = actor.client.key_in(&kennel, &actor.account).await?;
    actor.client.upload(actor.account.id, key, &photo).await?;
    let done = format!("{} is born.", args.name);
    let mut tried = 1;
    loop {
        let born = actor.perform_with(context, &kennel, key, act.clone(), &done).await;
        let is_full =
            |failure: &Failure| matches!(failure.problem_name(), Some("kennel-full" | "accounts-full"));
        match born {
            // Others took the last places meanwhile: there is room elsewhere, or soon will be.
            Err(failure) if args.kennel.is_none() && is_full(&failure) => {
                let next = actor.kennel_for_birth(None).await?;
                if next.id == kennel.id || tried == BIRTHPLACES_MAX {
                    return Err(failure);
                }
                key = actor.client.key_in(&next, &actor.account).await?;
                kennel = next;
                tried += 1;
            }
            born => return born,
        }
    }
}

/// `post`
pub(crate) async fn post(context: &Context, args: PostArgs) -> Result<(), Failure> {
    let photo = args.photo.as_deref().map(Photo::open).transpose()?;
    if args.text.is_empty() && photo.is_none() {
        return Err(Failure::usage("a post needs a --text or a --photo (field: text)"));
    }
    let act = |pet| Act::Post {
        pet,
        photo: photo.as_ref().map(|photo| photo.sha256),
        text: args.text.clone(),
        tags: args.tags.clone(),
    };
    act(BirthHash([0; 32])).check()?;
    let actor = Actor::new(context)?;
    let pet = match args.pet {
        Some(pet) => pet,
        None => only_pet(&actor).await?,
    };
    let kennel = actor.kennel_of_pet(&pet).await?;
    let key = actor.client.key_in(&kennel, &actor.account).await?;
    if let Some(photo) = &photo {
        actor.client.upload(actor.account.id, key, photo).await?;
    }
    actor.perform_with(context, &kennel, key, act(pet), "Posted.").await
}

async fn only_pet(actor: &Actor) -> Result<BirthHash, Failure> {
    let view = actor.client.known_account(&actor.account.id).await?;
    let pets: Vec<String> = view
        .map(|view| view.kennels.into_iter().filter_map(|holding| holding.pet).collect())
        .unwrap_or_default();
    match &pets[..] {
        [pet] => {
            pet.parse().map_err(|_| Failure::Unreachable("the server's answer makes no sense: pet".into()))
        }
        [] => Err(Failure::usage(format!(
            "`{}` has no living pet; `pitpet birth` brings one",
            actor.account.name
        ))),
        _ => Err(Failure::usage(format!("which pet? --pet, one of: {}", pets.join(", ")))),
    }
}

/// `pat`
pub(crate) async fn pat(context: &Context, args: AtPost) -> Result<(), Failure> {
    let actor = Actor::new(context)?;
    let kennel = actor.kennel_of_post(&args.post).await?;
    actor.perform(context, &kennel, Act::Pat(args.post), "Patted.").await
}

/// `share`
pub(crate) async fn share(context: &Context, args: AtPost) -> Result<(), Failure> {
    let actor = Actor::new(context)?;
    let kennel = actor.kennel_of_post(&args.post).await?;
    actor.perform(context, &kennel, Act::Share(args.post), "Shared.").await
}

/// `comment`
pub(crate) async fn comment(context: &Context, args: CommentArgs) -> Result<(), Failure> {
    let act = Act::Comment(args.post, args.text);
    act.check()?;
    let actor = Actor::new(context)?;
    let kennel = actor.kennel_of_post(&args.post).await?;
    actor.perform(context, &kennel, act, "Commented.").await
}

/// `gift`
pub(crate) async fn gift(context: &Context, args: GiftArgs) -> Result<(), Failure> {
    let act = Act::Gift(args.pet, args.amount);
    act.check()?;
    let actor = Actor::new(context)?;
    let kennel = actor.kennel_of_pet(&args.pet).await?;
    actor.perform(context, &kennel, act, "Given.").await
}

/// `transfer`
pub(crate) async fn transfer(context: &Context, args: TransferArgs) -> Result<(), Failure> {
    Act::Transfer(AccountId([0; 32]), args.amount).check()?;
    let actor = Actor::new(context)?;
    let to: AccountId = match args.to.parse() {
        Ok(id) => id,
        Err(_) => {
            check_account_name(&args.to)?;
            let view = actor.client.account(&args.to).await?;
            view.id
                .parse()
                .map_err(|_| Failure::Unreachable("the server's answer makes no sense: id".into()))?
        }
    };
    let kennel = actor.own_kennel(args.kennel.as_deref()).await?;
    actor.perform(context, &kennel, Act::Transfer(to, args.amount), "Transferred.").await
}

/// Refuses what can be no name or id, before it becomes part of an address.
pub(crate) fn check_account_name(name: &str) -> Result<(), Failure> {
    if !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c)) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "account `{name}`: a registered name, or an id of 64 hexadecimal digits (field: account)"
    )))
}

/// `keepsake`
pub(crate) async fn keepsake(context: &Context, args: AtPet) -> Result<(), Failure> {
    let actor = Actor::new(context)?;
    let kennel = actor.kennel_of_pet(&args.pet).await?;
    actor.perform(context, &kennel, Act::Keepsake(args.pet), "The keepsake is yours.").await
}
