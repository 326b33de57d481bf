//! Signed notes against vectors that stand: C2SP's, and the golden one of this project.

use ed25519_dalek::{Signer as _, SigningKey};
use pitpet_chain::hash::{KennelId, PublicKey};
use pitpet_pipeline::checkpoint::{self, CheckpointError, Claim};
use signed_note::{Note, StandardVerifier, Verifier, VerifierList};

/// The example of the note format: its verifier key and a note signed by it.
const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\
    \n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

/// Another signer of the same text.
const SECOND_VERIFIER: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const SECOND_LINE: &str = "\u{2014} EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

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

/// Signatures verified, and those by keys that nobody here knows; none if the note is refused.
fn signatures(note: &str, known: &[&str]) -> Option<(usize, usize)> {
    let verifier = |key: &&str| -> Box<dyn Verifier> { Box::new(StandardVerifier::new(key).unwrap()) };
    let verifiers = VerifierList::new(known.iter().map(verifier).collect());
    let note = Note::from_bytes(note.as_bytes()).unwrap();
    let (verified, unknown) = note.verify(&verifiers).ok()?;
    Some((verified.len(), unknown.len()))
}

#[test]
fn a_note_with_a_signature_by_an_unknown_key() {
    let (text, line) = NOTE.split_once("\n\n").unwrap();
    for note in [format!("{text}\n\n{line}{SECOND_LINE}"), format!("{text}\n\n{SECOND_LINE}{line}")] {
        assert_eq!(signatures(&note, &[VERIFIER]), Some((1, 1)));
        assert_eq!(signatures(&note, &[SECOND_VERIFIER]), Some((1, 1)));
        assert_eq!(signatures(&note, &[VERIFIER, SECOND_VERIFIER]), Some((2, 0)));
        assert_eq!(signatures(&note, &[]), None, "nobody known has signed it");
        // A wrong signature matters only to whoever knows its key.
        let wrong = note.replace("RvMc+QQ=", "RvMc+QU=");
        assert_eq!(signatures(&wrong, &[VERIFIER]), Some((1, 1)));
        assert_eq!(signatures(&wrong, &[VERIFIER, SECOND_VERIFIER]), None);
    }
}

/// The format lets a log say more, a line each; who doesn't know them lets them be, signed as they are.
#[test]
fn a_checkpoint_with_extension_lines() {
    let golden = golden();
    let claim = Claim { size: golden["size"].as_u64().unwrap(), root: bytes(&golden, "root") };
    let key = SigningKey::from_bytes(&bytes(&golden, "key_seed"));
    let public = PublicKey(bytes(&golden, "key"));
    let (signed, _) = golden["note"].as_str().unwrap().split_once("\n\n").unwrap();
    let kennel: KennelId = signed.lines().next().unwrap().parse().unwrap();
    let verifier = checkpoint::verifier_key(&kennel, &public).unwrap();
    let stamp = hex::decode(verifier.split('+').nth(1).unwrap()).unwrap();
    let note = |text: &str| {
        let signature = key.sign(text.as_bytes()).to_bytes();
        format!("{text}\n\u{2014} {kennel} {}\n", base64_of(&[&stamp[..], &signature].concat()))
    };
    let extended = note(&format!("{signed}\nweather fine\n12 cats\n"));
    assert_eq!(checkpoint::check(&extended, &kennel, &public), Ok(claim));
    let altered = extended.replace("12 cats", "13 cats");
    assert_eq!(checkpoint::check(&altered, &kennel, &public), Err(CheckpointError::BadSignature));
    let without = extended.replace("12 cats\n", "");
    assert_eq!(checkpoint::check(&without, &kennel, &public), Err(CheckpointError::BadSignature));
}

fn proofs() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../testvectors/proofs.json")).unwrap()
}

fn golden() -> serde_json::Value {
    proofs()["checkpoint"].clone()
}

fn bytes(golden: &serde_json::Value, name: &str) -> [u8; 32] {
    hex::decode(golden[name].as_str().unwrap()).unwrap().try_into().unwrap()
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn the_golden_checkpoint() {
    let proofs = proofs();
    let golden = &proofs["checkpoint"];
    let text = |name: &str| golden[name].as_str().unwrap();
    let bytes = |name: &str| bytes(golden, name);
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
    let encoded = base64_of(&[&stamp[..], &signature].concat());
    assert_eq!(line, format!("\u{2014} {kennel} {encoded}\n"));

    // Cosignatures of others are let be; a note without the kennel's own signature is not.
    let cosigned = text("note").to_owned() + NOTE.split_once("\n\n").unwrap().1;
    assert_eq!(checkpoint::check(&cosigned, &kennel, &public), Ok(claim));
    let foreign = format!("{signed}\n\n{}", NOTE.split_once("\n\n").unwrap().1);
    assert_eq!(checkpoint::check(&foreign, &kennel, &public), Err(CheckpointError::BadSignature));
}
