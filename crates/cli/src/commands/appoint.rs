//! `admin kennel witnesses`: the operator's event that names a kennel's time witnesses anew.
//!
//! An ordinary signed event, sent as everyone's: the service may run anywhere. The event names the
//! keys of all offices, so the others are repeated as the server shows them; the rules refuse it
//! unless the operator's key is still the one that signs.

use std::path::Path;

use ed25519_dalek::SigningKey;
use pitpet_chain::genesis::appointment_fault;
use pitpet_chain::hash::{AccountId, PublicKey};
use pitpet_chain::limits::WITNESSES_MAX;
use pitpet_cli::act::Act;
use pitpet_cli::failure::Failure;
use pitpet_cli::keys::public;
use pitpet_local::service::{OPERATOR_KEY_FILE, read_key};
use serde_json::json;

use crate::context::{Context, Reporter};

/// Refuses what the rules would, before anything is sent.
fn check(witnesses: &[PublicKey], threshold: u8) -> Result<(), Failure> {
    let count = witnesses.len();
    match appointment_fault(&[], witnesses, threshold) {
        None => Ok(()),
        Some("witnesses") => Err(Failure::usage(format!(
            "{count} witnesses: at most {WITNESSES_MAX}, none twice (field: witness)"
        ))),
        Some(_) if count == 0 => Err(Failure::usage("threshold: 0 without witnesses (field: threshold)")),
        Some(_) => Err(Failure::usage(format!(
            "threshold {threshold} of {count} witnesses: it must exceed half of them, {} to {count} (field: threshold)",
            count / 2 + 1
        ))),
    }
}

/// The operator's key in a data folder.
pub(super) fn operator_key(data_dir: &Path) -> Result<SigningKey, Failure> {
    read_key(&data_dir.join(OPERATOR_KEY_FILE)).map_err(|error| {
        Failure::Usage(format!(
            "can't read the operator's key: {error:#}; name the service's folder with --data-dir"
        ))
    })
}

/// `admin kennel witnesses`
pub(crate) async fn witnesses(
    context: &Context,
    key: &SigningKey,
    label: &str,
    witnesses: Vec<PublicKey>,
    threshold: u8,
) -> Result<(), Failure> {
    check(&witnesses, threshold)?;
    let client = context.client()?;
    let (kennel, _) = client.kennel(label).await?;
    let offices = client.offices(&kennel).await?;
    let nonsense = |what: &str| Failure::Unreachable(format!("the server's answer makes no sense: {what}"));
    let operator: PublicKey = offices.operator.parse().map_err(|_| nonsense("operator"))?;
    let moderators: Result<Vec<PublicKey>, _> = offices.moderators.iter().map(|key| key.parse()).collect();
    let count = witnesses.len();
    let names: Vec<String> = witnesses.iter().map(ToString::to_string).collect();
    let moderators = moderators.map_err(|_| nonsense("moderators"))?;
    let act = Act::Appoint { operator, moderators, witnesses, threshold };
    let reporter = Reporter::new(context.common.json);
    let account = AccountId::of(&public(key));
    let tell = |progress| reporter.tell(progress);
    let done = client.perform(&kennel, account, key, &act, context.wait(), &tell).await?;
    let text = match count {
        0 => format!("{}: no time witnesses; the block's timestamp decides.", kennel.label),
        _ => format!("{}: {threshold} of {count} time witnesses decide when it has been idle.", kennel.label),
    };
    context.print(
        json!({ "id": done.id().to_string(), "kennel": kennel.id.to_string(), "witnesses": names,
            "threshold": threshold }),
        &text,
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_exceeds_half() {
        let keys: Vec<PublicKey> = (1..=5).map(|n| PublicKey([n; 32])).collect();
        for threshold in 3..=5 {
            check(&keys, threshold).unwrap();
        }
        for threshold in [0, 2, 6] {
            let failure = check(&keys, threshold).unwrap_err();
            assert_eq!(failure.exit_code(), 2);
            assert!(failure.to_string().contains("3 to 5 (field: threshold)"), "{failure}");
        }
        check(&[], 0).unwrap();
        assert!(check(&[], 1).unwrap_err().to_string().contains("field: threshold"));
        let twice = [keys[0], keys[0]];
        assert!(check(&twice, 2).unwrap_err().to_string().contains("field: witness"));
    }
}
