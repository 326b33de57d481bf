//! What an operator does on a deployment to AWS, with their own credentials.
//!
//! Deliberately absent: deploying, which CDK does, and reading profiles: credentials come from the
//! environment, as the functions' do.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use pitpet_aws::dead_letters::{DeadLetter, counts};
use pitpet_aws::environment::secret_key;
use pitpet_aws::{DeadLetterQueue, DynamoTable, Settings, SqsQueue, SystemClock};
use pitpet_cli::failure::Failure;
use pitpet_local::service::{
    FoundingKeys, NewKennel, modules, modules_to_try, open_kennel, public, store_rules,
};
use pitpet_pipeline::message::DeadLetterView;
use pitpet_pipeline::offer::{Offering, When};
use pitpet_pipeline::ports::{Clock as _, Objects, Table};
use serde_json::json;

use crate::args::{AdminCommand, AdminKennelCommand};
use crate::context::Context;

/// `admin --deployment FILE`
pub(crate) async fn run(context: &Context, file: &Path, command: AdminCommand) -> Result<(), Failure> {
    let deployment = Deployment::read(file)?;
    match command {
        AdminCommand::Kennel(AdminKennelCommand::Open {
            label,
            preset,
            stamp_bits,
            birth_bits,
            seal_bits,
            idle_ms,
            living_max,
            witnesses,
            threshold,
        }) => {
            let preset = preset.into();
            let witnesses = witnesses.iter().map(ToString::to_string).collect();
            let threshold = threshold.unwrap_or_default();
            let new = NewKennel {
                label,
                preset,
                stamp_bits,
                birth_bits,
                seal_bits,
                idle_ms,
                living_max,
                witnesses,
                threshold,
            };
            open(context, &deployment, &new).await
        }
        AdminCommand::Kennel(AdminKennelCommand::Witnesses { kennel, witnesses, threshold, none: _ }) => {
            let key = format!("{}/operator", deployment.output("KeyPrefix")?);
            let key = secret_key(&key).await.map_err(Failure::Unreachable)?;
            super::appoint::witnesses(context, &key, &kennel, witnesses, threshold.unwrap_or_default()).await
        }
        AdminCommand::Queue => queue(context, &deployment).await,
        AdminCommand::DeadLetters => dead_letters(context, &deployment).await,
        AdminCommand::Redrive => redrive(context, &deployment).await,
        AdminCommand::Upgrade { kennel, module, at_height, in_blocks, .. } => {
            let module = module.as_deref().map(super::upgrade::read_module).transpose()?;
            let in_blocks = super::upgrade::in_blocks(module.is_some(), at_height, in_blocks);
            let when = match (at_height, in_blocks) {
                (Some(height), _) => When::At(height),
                (None, blocks) => When::After(blocks.unwrap_or_default()),
            };
            upgrade(context, &deployment, &kennel, module, when).await
        }
        // Upkeep asks for the stores.
        _ => Err(Failure::usage("this is done on the stores")),
    }
}

/// Where a deployment keeps everything.
pub(super) struct Stores {
    pub(super) table: Arc<dyn Table>,
    pub(super) objects: Arc<dyn Objects>,
    /// Words of a text that its miner lists.
    pub(super) search_words_max: usize,
}

/// The table and the bucket of a deployment.
pub(super) fn stores(file: &Path) -> Result<Stores, Failure> {
    let deployment = Deployment::read(file)?;
    let objects = objects(deployment.output("ObjectsBucket")?)?;
    let words = deployment.output("SearchWords")?;
    let search_words_max = words.parse().map_err(|_| {
        Failure::usage(format!("{}: the output SearchWords is {words:?}, not a number", deployment.file))
    })?;
    Ok(Stores { table: Arc::new(deployment.table()?), objects, search_words_max })
}

/// The outputs of `cdk deploy --outputs-file`.
struct Deployment {
    outputs: BTreeMap<String, String>,
    file: String,
}

impl Deployment {
    fn read(file: &Path) -> Result<Self, Failure> {
        let fault = |why: String| {
            Failure::usage(format!(
                "can't read the deployment's outputs {}: {why}; `cdk deploy --all --outputs-file FILE` writes them",
                file.display()
            ))
        };
        let text = std::fs::read_to_string(file).map_err(|error| fault(error.to_string()))?;
        let stacks: BTreeMap<String, BTreeMap<String, String>> =
            serde_json::from_str(&text).map_err(|error| fault(error.to_string()))?;
        let outputs = stacks.into_values().flatten().collect();
        Ok(Self { outputs, file: file.display().to_string() })
    }

    fn table(&self) -> Result<DynamoTable, Failure> {
        let name = self.output("TableName")?;
        DynamoTable::new(&settings("AWS_ENDPOINT_URL_DYNAMODB")?, name).map_err(unreachable)
    }

    fn output(&self, name: &str) -> Result<&str, Failure> {
        self.outputs.get(name).map(String::as_str).ok_or_else(|| {
            Failure::usage(format!("{} has no output {name}: was every stack deployed?", self.file))
        })
    }
}

/// How to reach a service; says what to do if the environment has no credentials.
fn settings(endpoint_variable: &str) -> Result<Settings, Failure> {
    Settings::from_environment(endpoint_variable).map_err(|error| {
        Failure::usage(format!(
            "{error}; `eval \"$(aws configure export-credentials --format env)\"` sets the credentials, \
             AWS_REGION has to name the deployment's region"
        ))
    })
}

fn unreachable(error: impl std::fmt::Display) -> Failure {
    Failure::Unreachable(error.to_string())
}

/// The operator's key of a deployment.
pub(super) async fn operator_key(file: &Path) -> Result<SigningKey, Failure> {
    let deployment = Deployment::read(file)?;
    let prefix = deployment.output("KeyPrefix")?;
    secret_key(&format!("{prefix}/operator")).await.map_err(Failure::Unreachable)
}

async fn open(context: &Context, deployment: &Deployment, new: &NewKennel) -> Result<(), Failure> {
    let table = deployment.table()?;
    let prefix = deployment.output("KeyPrefix")?;
    let key = async |name: &str| secret_key(&format!("{prefix}/{name}")).await.map_err(Failure::Unreachable);
    let keys = FoundingKeys {
        operator: public(&key("operator").await?),
        house: public(&key("house").await?),
        moderator: public(&key("moderator").await?),
        checkpoint: key("checkpoint").await?,
    };
    let folder = tempfile::tempdir().map_err(unreachable)?;
    let modules = modules(folder.path()).map_err(unreachable)?;
    // First the modules, which auditors fetch by their hash, then the kennel that names one.
    store_rules(objects(deployment.output("ObjectsBucket")?)?.as_ref()).await.map_err(unreachable)?;
    let kennel = open_kennel(&table, &modules, SystemClock.now_ms(), &keys, new)
        .await
        .map_err(|error| Failure::usage(format!("{error:#}")))?;
    let text = format!("Kennel {} is open: {kennel}\n", new.label);
    context.print(json!({ "id": kennel.to_string(), "label": new.label }), &text);
    Ok(())
}

async fn upgrade(
    context: &Context,
    deployment: &Deployment,
    kennel: &str,
    module: Option<Vec<u8>>,
    when: When,
) -> Result<(), Failure> {
    let table: Arc<dyn Table> = Arc::new(deployment.table()?);
    let prefix = deployment.output("KeyPrefix")?;
    let operator = secret_key(&format!("{prefix}/operator")).await.map_err(Failure::Unreachable)?;
    let queue = SqsQueue::new(&settings("AWS_ENDPOINT_URL_SQS")?, deployment.output("QueueUrl")?)
        .map_err(unreachable)?;
    let folder = tempfile::tempdir().map_err(unreachable)?;
    let modules = modules_to_try(folder.path(), module.as_deref().unwrap_or_default());
    let offering = Offering {
        table: table.clone(),
        objects: objects(deployment.output("ObjectsBucket")?)?,
        modules: Arc::new(modules.map_err(unreachable)?),
        queue: &queue,
        operator: &operator,
        now_ms: SystemClock.now_ms(),
    };
    let founding = super::upkeep::founding(&table, kennel).await?;
    let offered = match &module {
        Some(wasm) => offering.offer(&founding, wasm, when).await,
        None => offering.withdraw(&founding).await,
    };
    let offered = offered.map_err(super::upgrade::refused)?;
    super::upgrade::end(context, offered.event, super::upgrade::record(&offered)).await
}

fn objects(bucket: &str) -> Result<Arc<dyn Objects>, Failure> {
    let settings = settings("AWS_ENDPOINT_URL_S3")?;
    Ok(Arc::new(pitpet_aws::S3Objects::new(&settings, bucket).map_err(unreachable)?))
}

async fn queue(context: &Context, deployment: &Deployment) -> Result<(), Failure> {
    let settings = settings("AWS_ENDPOINT_URL_SQS")?;
    let waiting = counts(&settings, deployment.output("QueueUrl")?).await.map_err(unreachable)?;
    let dead = counts(&settings, deployment.output("DeadLettersUrl")?).await.map_err(unreachable)?;
    let answer = json!({
        "visible": waiting.visible,
        "in_flight": waiting.in_flight,
        "dead": dead.visible + dead.in_flight,
    });
    let text = format!(
        "waiting messages: {}, being mined: {}, dead letters: {}\n",
        waiting.visible,
        waiting.in_flight,
        dead.visible + dead.in_flight
    );
    context.print(answer, &text);
    Ok(())
}

fn dead_letter_queue(deployment: &Deployment) -> Result<DeadLetterQueue, Failure> {
    let url = deployment.output("DeadLettersUrl")?;
    DeadLetterQueue::new(&settings("AWS_ENDPOINT_URL_SQS")?, url).map_err(unreachable)
}

async fn dead_letters(context: &Context, deployment: &Deployment) -> Result<(), Failure> {
    let letters = dead_letter_queue(deployment)?.look().await.map_err(unreachable)?;
    let view = |letter: DeadLetter| {
        DeadLetterView::new(letter.id, letter.message.group, &letter.message.body, letter.sent_ms)
    };
    let letters: Vec<DeadLetterView> = letters.into_iter().map(view).collect();
    super::admin::print_dead_letters(context, &letters, "of a kennel the first ten at most");
    Ok(())
}

async fn redrive(context: &Context, deployment: &Deployment) -> Result<(), Failure> {
    let queue = SqsQueue::new(&settings("AWS_ENDPOINT_URL_SQS")?, deployment.output("QueueUrl")?)
        .map_err(unreachable)?;
    let progress = |count: usize| {
        if count.is_multiple_of(100) {
            eprintln!("  {count} sent back");
        }
    };
    let dead = dead_letter_queue(deployment)?;
    let count = dead.redrive(&queue, SystemClock.now_ms(), progress).await.map_err(unreachable)?;
    super::admin::print_redriven(context, count as u64);
    Ok(())
}
