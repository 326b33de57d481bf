//! Checkpoints: C2SP signed notes over the block log, made by the miner and checked by everyone.
//!
//! Origin and key name are the kennel id in hex; the size is the head's height + 1; the root is
//! RFC 6962 over the block hashes. Format: c2sp.org/tlog-checkpoint, c2sp.org/signed-note.

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use pitpet_chain::hash::{Digest32, KennelId, PublicKey};
use signed_note::{Note, Signer, StandardVerifier, VerifierList, key_id, new_ed25519_verifier_key};
use tlog_tiles::checkpoint::Checkpoint;
use tlog_tiles::tlog::Hash;

/// Signature type of a plain Ed25519 signature in a note.
const ALGORITHM_ED25519: u8 = 1;

/// What a checkpoint says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Blocks in the log.
    pub size: u64,
    /// The log's root.
    pub root: Digest32,
}

/// Why a checkpoint is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a signed note with a checkpoint in it.
    #[error("not a signed checkpoint")]
    Malformed,
    /// Of another kennel.
    #[error("the checkpoint is of another kennel")]
    WrongOrigin,
    /// Not signed by the kennel's checkpoint key.
    #[error("the checkpoint is not signed by the kennel's checkpoint key")]
    BadSignature,
}

struct NoteSigner<'a> {
    name: String,
    key: &'a SigningKey,
}

impl Signer for NoteSigner<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        note_key_id(&self.name, &self.key.verifying_key())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ed25519_dalek::SignatureError> {
        Ok(self.key.sign(message).to_bytes().to_vec())
    }
}

fn note_key_id(name: &str, key: &VerifyingKey) -> u32 {
    let mut typed = vec![ALGORITHM_ED25519];
    typed.extend_from_slice(key.as_bytes());
    key_id(name, &typed)
}

/// Signs a checkpoint.
pub fn sign(kennel: &KennelId, claim: Claim, key: &SigningKey) -> String {
    let origin = kennel.to_string();
    let text = format!("{origin}\n{}\n{}\n", claim.size, base64_of(&claim.root));
    let mut note = Note::new(text.as_bytes(), &[]).expect("the text is well formed");
    note.add_sigs(&[&NoteSigner { name: origin, key }]).expect("signing with a key in memory");
    String::from_utf8(note.to_bytes()).expect("a note is text")
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The kennel's checkpoint key as a C2SP verifier key.
pub fn verifier_key(kennel: &KennelId, key: &PublicKey) -> Option<String> {
    let key = VerifyingKey::from_bytes(&key.0).ok()?;
    Some(new_ed25519_verifier_key(&kennel.to_string(), &key))
}

/// Checks a checkpoint and says what it claims.
///
/// # Errors
/// [`CheckpointError`].
pub fn check(note: &str, kennel: &KennelId, key: &PublicKey) -> Result<Claim, CheckpointError> {
    let verifier = verifier_key(kennel, key).ok_or(CheckpointError::BadSignature)?;
    let verifier = StandardVerifier::new(&verifier).map_err(|_| CheckpointError::BadSignature)?;
    let note = Note::from_bytes(note.as_bytes()).map_err(|_| CheckpointError::Malformed)?;
    let checkpoint = Checkpoint::from_bytes(note.text()).map_err(|_| CheckpointError::Malformed)?;
    if checkpoint.origin() != kennel.to_string() {
        return Err(CheckpointError::WrongOrigin);
    }
    let (verified, _) = note
        .verify(&VerifierList::new(vec![Box::new(verifier)]))
        .map_err(|_| CheckpointError::BadSignature)?;
    if verified.is_empty() {
        return Err(CheckpointError::BadSignature);
    }
    let Hash(root) = *checkpoint.hash();
    Ok(Claim { size: checkpoint.size(), root })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_good_for_its_kennel_and_key_only() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = PublicKey(key.verifying_key().to_bytes());
        let other = PublicKey(SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes());
        let kennel = KennelId([1; 32]);
        let claim = Claim { size: 12, root: [9; 32] };
        let note = sign(&kennel, claim, &key);
        assert_eq!(check(&note, &kennel, &public), Ok(claim));
        assert_eq!(check(&note, &kennel, &other), Err(CheckpointError::BadSignature));
        assert_eq!(check(&note, &KennelId([2; 32]), &public), Err(CheckpointError::WrongOrigin));
        assert_eq!(
            check(&note.replace("\n12\n", "\n13\n"), &kennel, &public),
            Err(CheckpointError::BadSignature)
        );
        assert_eq!(check("", &kennel, &public), Err(CheckpointError::Malformed));
        assert!(check(&note[..note.len() - 9], &kennel, &public).is_err());
    }
}
