//! Commands about accounts and their keys.

use pitpet_cli::act::Act;
use pitpet_cli::failure::Failure;
use pitpet_cli::keys::{Listed, PublicAccount, public, random_account, random_key};
use pitpet_pipeline::api::AccountView;
use pitpet_pipeline::verify::report::many;
use serde_json::json;

use super::act::{Actor, check_account_name};
use crate::args::{AccountCommand, RekeyArgs};
use crate::context::{Ask, Context};

/// `account …`
pub(crate) async fn run(context: &Context, command: AccountCommand) -> Result<(), Failure> {
    match command {
        AccountCommand::New { name, recovery } => new(context, &name, recovery),
        AccountCommand::Show { name } => show(context, name.as_deref()).await,
        AccountCommand::List => list(context),
        AccountCommand::Register { name } => register(context, name.as_deref()).await,
    }
}

fn new(context: &Context, name: &str, recovery: bool) -> Result<(), Failure> {
    let mut account = random_account(name);
    if recovery {
        account = account.with_recovery(random_key());
    }
    context.keys.check_free(name)?;
    let passphrase = context.passphrase("New passphrase: ", Ask::Twice)?;
    let path = context.keys.create(&account, passphrase)?;
    context.print(
        json!({ "name": name, "account": account.id.to_string(), "file": path.display().to_string() }),
        &format!(
            "Account {name}\n  id   {}\n  file {}\nWithout the file or its passphrase nobody can act as {name}: keep a copy of both.",
            account.id,
            path.display()
        ),
    );
    Ok(())
}

fn list(context: &Context) -> Result<(), Failure> {
    let accounts = context.keys.list()?;
    let json: Vec<_> = accounts
        .iter()
        .map(|listed| {
            let id = listed.public.as_ref().map(|public| public.id.to_string());
            json!({ "name": listed.name, "account": id })
        })
        .collect();
    let text = if accounts.is_empty() {
        format!("No account in {}; `pitpet account new NAME` makes one.", context.keys.path().display())
    } else {
        let line = |listed: &Listed| match &listed.public {
            Some(public) => format!("{:<30}  {}\n", listed.name, public.id),
            None => format!("{0:<30}  not opened here yet: `pitpet account show {0}`\n", listed.name),
        };
        accounts.iter().map(line).collect()
    };
    context.print(json!(json), &text);
    Ok(())
}

async fn show(context: &Context, name: Option<&str>) -> Result<(), Failure> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => context.account_name()?,
    };
    check_account_name(&name)?;
    let own = context.keys.list()?.into_iter().find(|account| account.name == name);
    let client = context.client()?;
    let Some(own) = own else {
        let view = client.account(&name).await?;
        context.print(json!({ "server": view }), &described(&view));
        return Ok(());
    };
    let own = match own.public {
        Some(public) => public,
        None => {
            let account = context.open(&name)?;
            PublicAccount { id: account.id, key: public(account.first_key()) }
        }
    };
    let mut text = format!("Account {name}\n  id  {}\n  key {}\n", own.id, own.key);
    let known = match client.known_account(&own.id).await {
        Ok(known) => known,
        Err(failure @ Failure::Unreachable(_)) => {
            eprintln!("pitpet: what it has is not known: {failure}");
            None
        }
        Err(other) => return Err(other),
    };
    if let Some(view) = &known {
        text.push_str(&described(view));
    }
    context.print(
        json!({ "name": name, "account": own.id.to_string(), "key": own.key.to_string(), "server": known }),
        &text,
    );
    Ok(())
}

fn described(view: &AccountView) -> String {
    let mut text = format!("On the server: {}\n", view.id);
    if !view.names.is_empty() {
        text.push_str(&format!("  names: {}\n", view.names.join(", ")));
    }
    for holding in &view.kennels {
        text.push_str(&format!(
            "  kennel {} {}\n    {} for posts, {} free; dead pets and keepsakes: {}\n",
            holding.label,
            holding.kennel,
            many(holding.granted, "treat"),
            holding.free,
            holding.holdings
        ));
        if let Some(pet) = &holding.pet {
            text.push_str(&format!("    living pet {pet}\n"));
        }
    }
    if view.kennels.len() > 1 {
        let sums = &view.sums;
        text.push_str(&format!(
            "  together\n    {} for posts, {} free; {}, dead pets and keepsakes: {}\n",
            many(sums.granted, "treat"),
            sums.free,
            many(sums.living, "living pet"),
            sums.holdings
        ));
    }
    text
}

async fn register(context: &Context, name: Option<&str>) -> Result<(), Failure> {
    let actor = Actor::new(context)?;
    let name = name.unwrap_or(&actor.account.name);
    let view = actor.client.register(actor.account.id, actor.account.newest_key(), name).await?;
    context.print(
        json!({ "name": view.name, "account": view.account }),
        &format!("{} is registered for {}.", view.name, view.account),
    );
    Ok(())
}

/// `rekey`: the new key is on disk before it is announced, so that no answer that goes missing can
/// lock the account out.
pub(crate) async fn rekey(context: &Context, args: RekeyArgs) -> Result<(), Failure> {
    let actor = Actor::new(context)?;
    let kennel = actor.own_kennel(args.kennel.as_deref()).await?;
    let signer = if args.with_recovery {
        actor
            .account
            .recovery()
            .ok_or_else(|| Failure::usage(format!("`{}` has no recovery key", actor.account.name)))?
            .clone()
    } else {
        actor.client.key_in(&kennel, &actor.account).await?.clone()
    };
    let new_key = random_key();
    let act = Act::Rekey { new_key: public(&new_key), recovery: actor.account.recovery().map(public) };
    let newer = actor.account.clone().with_key(new_key);
    let path = context.keys.add_generation(&newer, context.passphrase("", Ask::Once)?)?;
    eprintln!("the new key is in {}", path.display());
    actor.perform_with(context, &kennel, &signer, act, "The key is replaced.").await
}
