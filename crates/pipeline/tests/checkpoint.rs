//! Signed notes against vectors that stand: C2SP's, and the golden one of this project.

use ed25519_dalek::{Signer as _, SigningKey};
use pitpet_chain::hash::{KennelId, PublicKey};
use pitpet_pipeline::checkpoint::{self, CheckpointError, Claim};
use signed_note::{Note, StandardVerifier, Verifier as _, VerifierList};

/// The example of the note format: its verifier key and a note signed by it.
const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\
    \n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn is_signed(note: &str) -> bool {
    let verifier = StandardVerifier::new(VERIFIER).unwrap();
    assert_eq!(verifier.key_id(), 0xc74f_20a3);
    let Ok(note) = Note::from_bytes(note.as_bytes()) else { return false };
    note.verify(&VerifierList::new(vec![Box::new(verifier)])).is_ok_and(|(verified, _)| verified.len() == 1)
}

#[test]
fn the_example_of_the_note_format() {
    assert!(is_signed(NOTE));
    for (what, altered) in [
        ("another text", NOTE.replace("answer", "Answer")),
        ("another signer", NOTE.replace("\u{2014} PeterNeumann", "\u{2014} PeterNewmann")),
        ("another key hash", NOTE.replace(" x08g", " x08h")),
        ("another signature", NOTE.replace("JnAM=", "JnAc=")),
        ("no newline at the end", NOTE.trim_end().to_owned()),
        ("no empty line", NOTE.replace("\n\n", "\n")),
        ("a hyphen", NOTE.replace('\u{2014}', "-")),
        ("nothing signed", NOTE.split_once("\n\n").unwrap().0.to_owned() + "\n\n"),
    ] {
        assert!(!is_signed(&altered), "{what}");
    }
}

#[test]
fn the_golden_checkpoint() {
    let proofs: serde_json::Value =
        serde_json::from_str(include_str!("../../../testvectors/proofs.json")).unwrap();
    let golden = &proofs["checkpoint"];
    let text = |name: &str| golden[name].as_str().unwrap();
    let bytes = |name: &str| -> [u8; 32] { hex::decode(text(name)).unwrap().try_into().unwrap() };
    let kennel: KennelId = proofs["kennel"].as_str().unwrap().parse().unwrap();
    let key = SigningKey::from_bytes(&bytes("key_seed"));
    let public = PublicKey(key.verifying_key().to_bytes());
    assert_eq!(public.0, bytes("key"));
    let claim = Claim { size: golden["size"].as_u64().unwrap(), root: bytes("root") };
    assert_eq!(hex::encode(claim.root), proofs["log"]["root"]);

    assert_eq!(checkpoint::sign(&kennel, claim, &key), text("note"));
    assert_eq!(checkpoint::check(text("note"), &kennel, &public), Ok(claim));
    assert_eq!(checkpoint::verifier_key(&kennel, &public).unwrap(), text("verifier_key"));

    // By hand, from the page: the text with its newline is what is signed.
    let (signed, line) = text("note").split_once("\n\n").unwrap();
    let signature = key.sign(format!("{signed}\n").as_bytes()).to_bytes();
    let stamp = hex::decode(text("verifier_key").split('+').nth(1).unwrap()).unwrap();
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode([&stamp[..], &signature].concat());
    assert_eq!(line, format!("\u{2014} {kennel} {encoded}\n"));

    // Cosignatures of others are let be; a note without the kennel's own signature is not.
    let cosigned = text("note").to_owned() + NOTE.split_once("\n\n").unwrap().1;
    assert_eq!(checkpoint::check(&cosigned, &kennel, &public), Ok(claim));
    let foreign = format!("{signed}\n\n{}", NOTE.split_once("\n\n").unwrap().1);
    assert_eq!(checkpoint::check(&foreign, &kennel, &public), Err(CheckpointError::BadSignature));
}
