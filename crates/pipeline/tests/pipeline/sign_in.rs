//! Opening an account by a password: who may set one, what a wrong one is answered, how many may
//! be tried, and what a server that has the table alone could make of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitpet_chain::hash::sha256;
use pitpet_chain::request::Wish;
use pitpet_keys::{Refused, password, vault};
use pitpet_pipeline::api::*;
use pitpet_pipeline::http::{self, HttpRequest, HttpResponse};
use pitpet_pipeline::ingest::Ingest;
use pitpet_pipeline::items;
use pitpet_pipeline::ports::{Consistency, Table as _};
use pitpet_pipeline::rate_limit::{RateLimits, SIGN_IN_WINDOW_MS};
use pitpet_simulator::faults::Operation;
use pitpet_simulator::town::{FOUNDED_MS, QUICK};
use pitpet_simulator::{Fault, Faults, Town};
use serde::de::DeserializeOwned;

use crate::ingest::request;

const HOME: &str = "203.0.113.7";
pub(super) const PASSWORD: &str = "walnut sleeps under seven chairs";
pub(super) const KEYS: &str = "version 1\nname anna\n";
pub(super) const SECRET: [u8; 32] = [9; 32];
const SOON: u64 = FOUNDED_MS + 60_000;

pub(super) fn open(town: &Town) -> Ingest {
    town.ingest_with(&Faults::none()).limited(RateLimits::LOOPBACK).with_passwords(&SECRET)
}

async fn post(ingest: &Ingest, path: &str, body: &impl serde::Serialize) -> HttpResponse {
    let request = HttpRequest {
        method: "POST".to_owned(),
        path: path.to_owned(),
        content_type: Some("application/json".to_owned()),
        body: serde_json::to_vec(body).expect("JSON"),
        source: Some(HOME.parse().expect("an address")),
        ..HttpRequest::default()
    };
    http::ingest(ingest, &request).await
}

fn read<T: DeserializeOwned>(response: &HttpResponse, status: u16) -> T {
    assert_eq!(response.status, status, "{}", String::from_utf8_lossy(&response.body));
    serde_json::from_slice(&response.body).expect("the record")
}

fn refused(response: &HttpResponse, status: u16, name: &str, field: &str) -> Problem {
    let problem: Problem = read(response, status);
    assert_eq!(
        (problem.kind.as_str(), problem.field.as_deref()),
        (&*format!("/problems/{name}"), Some(field))
    );
    problem
}

fn bytes(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base64")
}

pub(super) async fn register(town: &Town, ingest: &Ingest, player: u8) {
    let name = request(player, Wish::Name { name: "anna".to_owned() }, SOON);
    assert_eq!(post(ingest, "/v1/accounts", &name).await.status, 201);
    assert!(town.table.item(&items::name("anna")).is_some());
}

fn wish(version: u64, content: &[u8]) -> Wish {
    Wish::Vault { name: "anna".to_owned(), version, content: sha256(content) }
}

fn begin(player: u8, version: u64, message: &[u8]) -> PasswordRequest {
    let request = request(player, wish(version, message), SOON).request;
    PasswordRequest { request, message: STANDARD.encode(message) }
}

/// Sets a password as a client does; gives what was submitted last.
pub(super) async fn set(ingest: &Ingest, password: &str, version: u64) -> SubmittedVault {
    let (state, message) = password::register(password, &[1; 32]).expect("a good password");
    let answer: PasswordAnswer =
        read(&post(ingest, "/v1/sign-in/password", &begin(1, version, &message)).await, 200);
    let (record, key) = password::register_end(&state, password, "anna", &bytes(&answer.message), &[2; 32])
        .expect("an answer");
    let vault = vault::seal(&key, "anna", KEYS, &[3; 12]).expect("short");
    let request = request(1, wish(version, &[record.as_slice(), &vault].concat()), SOON).request;
    SubmittedVault { request, record: STANDARD.encode(record), vault: STANDARD.encode(vault) }
}

/// What a client sends first that signs in.
pub(super) fn first_message(password: &str) -> SignInRequest {
    let (_, message) = password::sign_in(password, &[4; 32]).expect("a message");
    SignInRequest { name: "anna".to_owned(), message: STANDARD.encode(message) }
}

/// Signs in as a client does: the vault's text, or where it ended.
pub(super) async fn sign_in(ingest: &Ingest, name: &str, password: &str) -> Result<String, Refused> {
    let (state, message) = password::sign_in(password, &[4; 32]).expect("a message");
    let start = SignInRequest { name: name.to_owned(), message: STANDARD.encode(message) };
    let answer: SignInAnswer = read(&post(ingest, "/v1/sign-in/start", &start).await, 200);
    let (last, key) = password::sign_in_end(&state, password, name, &bytes(&answer.message), &[5; 32])?;
    let end = SignInEnd { name: name.to_owned(), state: answer.state, message: STANDARD.encode(last) };
    let opened: OpenedVault = read(&post(ingest, "/v1/sign-in/finish", &end).await, 200);
    Ok(vault::open(&key, name, &bytes(&opened.vault))?.to_string())
}

#[tokio::test]
async fn the_password_opens_the_vault_on_any_instance() {
    let town = Town::found(QUICK).await;
    let ingest = open(&town);
    register(&town, &ingest, 1).await;
    let submitted = set(&ingest, PASSWORD, 5).await;
    let kept: VaultView = read(&post(&ingest, "/v1/sign-in/vault", &submitted).await, 201);
    assert_eq!((kept.name.as_str(), kept.version), ("anna", 5));
    assert_eq!(post(&ingest, "/v1/sign-in/vault", &submitted).await.status, 201, "asking again is no fault");
    assert_eq!(sign_in(&open(&town), "anna", PASSWORD).await.unwrap(), KEYS);
    assert_eq!(sign_in(&ingest, "anna", "another password").await.unwrap_err().code, "wrong-password");
}

#[tokio::test]
async fn a_new_password_replaces_the_old_one_and_never_the_other_way_round() {
    let town = Town::found(QUICK).await;
    let ingest = open(&town);
    register(&town, &ingest, 1).await;
    let old = set(&ingest, PASSWORD, 5).await;
    assert_eq!(post(&ingest, "/v1/sign-in/vault", &old).await.status, 201);
    let new = set(&ingest, "the second password", 6).await;
    assert_eq!(post(&ingest, "/v1/sign-in/vault", &new).await.status, 201);
    refused(&post(&ingest, "/v1/sign-in/vault", &old).await, 409, "vault-version", "version");
    assert_eq!(sign_in(&ingest, "anna", "the second password").await.unwrap(), KEYS);
    assert_eq!(sign_in(&ingest, "anna", PASSWORD).await.unwrap_err().code, "wrong-password");
}

#[tokio::test]
async fn only_the_owner_of_a_name_sets_its_password() {
    let town = Town::found(QUICK).await;
    let ingest = open(&town);
    let (_, message) = password::register(PASSWORD, &[1; 32]).unwrap();
    let nobody = post(&ingest, "/v1/sign-in/password", &begin(1, 5, &message)).await;
    refused(&nobody, 403, "not-your-name", "name");
    register(&town, &ingest, 1).await;
    let other = post(&ingest, "/v1/sign-in/password", &begin(2, 5, &message)).await;
    refused(&other, 403, "not-your-name", "name");
    let mut changed = begin(1, 5, &message);
    changed.message = STANDARD.encode([&message[..31], &[1]].concat());
    refused(&post(&ingest, "/v1/sign-in/password", &changed).await, 422, "content-mismatch", "request");
    let upload = Wish::Name { name: "anna".to_owned() };
    let wrong =
        PasswordRequest { request: request(1, upload, SOON).request, message: STANDARD.encode(&message) };
    refused(&post(&ingest, "/v1/sign-in/password", &wrong).await, 400, "bad-request", "request");

    let submitted = set(&ingest, PASSWORD, 5).await;
    let other_s = SubmittedVault {
        request: request(2, wish(9, &[bytes(&submitted.record), bytes(&submitted.vault)].concat()), SOON)
            .request,
        ..submitted.clone()
    };
    refused(&post(&ingest, "/v1/sign-in/vault", &other_s).await, 403, "not-your-name", "name");
    let swapped = SubmittedVault { vault: STANDARD.encode([1; 300]), ..submitted.clone() };
    refused(&post(&ingest, "/v1/sign-in/vault", &swapped).await, 422, "content-mismatch", "request");
    for (record, vault, field) in [
        (vec![0; 192], bytes(&submitted.vault), "record"),
        (vec![1; 10], bytes(&submitted.vault), "record"),
        (bytes(&submitted.record), vec![0; vault::BYTES_MAX + 1], "vault"),
        (bytes(&submitted.record), Vec::new(), "vault"),
    ] {
        let request = request(1, wish(5, &[record.as_slice(), &vault].concat()), SOON).request;
        let bad = SubmittedVault { request, record: STANDARD.encode(record), vault: STANDARD.encode(vault) };
        refused(&post(&ingest, "/v1/sign-in/vault", &bad).await, 400, "bad-request", field);
    }
    assert!(town.table.item(&items::vault("anna")).is_none(), "nothing was kept");
}

/// A name without a password, a name that is nobody's, a wrong password: one answer.
#[tokio::test]
async fn nothing_tells_which_names_have_a_password() {
    let town = Town::found(QUICK).await;
    let ingest = open(&town);
    register(&town, &ingest, 1).await;
    assert_eq!(post(&ingest, "/v1/sign-in/vault", &set(&ingest, PASSWORD, 5).await).await.status, 201);
    let (_, message) = password::sign_in("another password", &[4; 32]).unwrap();
    let mut seen = Vec::new();
    for name in ["anna", "nobody"] {
        let start = SignInRequest { name: name.to_owned(), message: STANDARD.encode(&message) };
        let first = post(&ingest, "/v1/sign-in/start", &start).await;
        let answer: SignInAnswer = read(&first, 200);
        let end = SignInEnd {
            name: name.to_owned(),
            state: answer.state.clone(),
            message: STANDARD.encode([0; 64]),
        };
        let last = post(&ingest, "/v1/sign-in/finish", &end).await;
        refused(&last, 401, "wrong-password", "message");
        seen.push((answer.message.len(), answer.state.len(), first.headers, last));
        assert_eq!(sign_in(&ingest, name, "another password").await.unwrap_err().code, "wrong-password");
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn guesses_are_limited_by_name_whoever_s_it_is_and_for_every_instance() {
    let town = Town::found(QUICK).await;
    let (_, message) = password::sign_in("a guess or so", &[4; 32]).unwrap();
    let start = |name: &str| SignInRequest { name: name.to_owned(), message: STANDARD.encode(&message) };
    for name in ["anna", "nobody"] {
        for n in 0..20 {
            let status = post(&open(&town), "/v1/sign-in/start", &start(name)).await.status;
            assert_eq!(status, 200, "{name}, guess {n}, on an instance of its own");
        }
        let problem = refused(
            &post(&open(&town), "/v1/sign-in/start", &start(name)).await,
            429,
            "sign-in-limit",
            "name",
        );
        assert!(problem.detail.contains("20 sign-ins an hour"), "{}", problem.detail);
        assert!(problem.retry_after_s.is_some_and(|seconds| seconds <= 3_600));
    }
    assert_eq!(post(&open(&town), "/v1/sign-in/start", &start("bert")).await.status, 200, "others go on");
    town.clock.advance(SIGN_IN_WINDOW_MS);
    assert_eq!(post(&open(&town), "/v1/sign-in/start", &start("anna")).await.status, 200, "an hour later");
}

#[tokio::test]
async fn guesses_are_limited_by_address_over_all_names() {
    let town = Town::found(QUICK).await;
    let ingest = open(&town).limited(RateLimits::DEFAULT);
    let (_, message) = password::sign_in("a guess or so", &[4; 32]).unwrap();
    for n in 0..100 {
        let start = SignInRequest { name: format!("player-{n}"), message: STANDARD.encode(&message) };
        assert_eq!(post(&ingest, "/v1/sign-in/start", &start).await.status, 200, "{n}");
    }
    let start = SignInRequest { name: "one-more".to_owned(), message: STANDARD.encode(&message) };
    refused(&post(&ingest, "/v1/sign-in/start", &start).await, 429, "sign-in-limit", "address");
}

#[tokio::test]
async fn what_is_no_sign_in_is_refused_by_field() {
    let town = Town::found(QUICK).await;
    let ingest = open(&town);
    let start =
        |name: &str, message: &str| SignInRequest { name: name.to_owned(), message: message.to_owned() };
    let at = "/v1/sign-in/start";
    refused(&post(&ingest, at, &start("Anna", "AAAA")).await, 400, "bad-request", "name");
    refused(&post(&ingest, at, &start("anna", "?")).await, 400, "bad-request", "message");
    refused(&post(&ingest, at, &start("anna", "AAAA")).await, 400, "bad-request", "message");
    let end = |state: &str, message: &str| SignInEnd {
        name: "anna".to_owned(),
        state: state.to_owned(),
        message: message.to_owned(),
    };
    let at = "/v1/sign-in/finish";
    refused(&post(&ingest, at, &end("AAAA", "AAAA")).await, 410, "sign-in-over", "state");
    let (_, message) = password::sign_in(PASSWORD, &[4; 32]).unwrap();
    let answer: SignInAnswer =
        read(&post(&ingest, "/v1/sign-in/start", &start("anna", &STANDARD.encode(message))).await, 200);
    refused(&post(&ingest, at, &end(&answer.state, "AAAA")).await, 400, "bad-request", "message");
    town.clock.advance(pitpet_keys::server::STATE_MS + 1);
    let late = end(&answer.state, &STANDARD.encode([0; 64]));
    refused(&post(&ingest, at, &late).await, 410, "sign-in-over", "state");
    let none = town.ingest_with(&Faults::none());
    assert_eq!(post(&none, at, &end("AAAA", "AAAA")).await.status, 503, "a server without a secret says so");
}

/// Whoever has the whole table, and not the secret, can't even try passwords: the right one opens nothing.
#[tokio::test]
async fn a_stolen_table_is_no_use_without_the_secret() {
    let town = Town::found(QUICK).await;
    let ingest = open(&town);
    register(&town, &ingest, 1).await;
    assert_eq!(post(&ingest, "/v1/sign-in/vault", &set(&ingest, PASSWORD, 5).await).await.status, 201);
    let thief = town.ingest_with(&Faults::none()).with_passwords(&[10; 32]);
    assert_eq!(sign_in(&thief, "anna", PASSWORD).await.unwrap_err().code, "wrong-password");
    let kept = town.table.get(&items::vault("anna"), Consistency::Strong).await.unwrap().unwrap();
    let all = format!("{kept:?}");
    assert!(!all.contains(KEYS) && !all.contains(PASSWORD));
}

#[tokio::test]
async fn a_write_whose_outcome_is_unknown_may_be_repeated() {
    let town = Town::found(QUICK).await;
    register(&town, &open(&town), 1).await;
    let submitted = set(&open(&town), PASSWORD, 5).await;
    for fault in ["request", "answer"] {
        let mut left = 1;
        let faults = Faults::new(move |call| {
            let is_it = call.operation == Operation::Update && call.key.starts_with("VAULT#") && left > 0;
            left -= u32::from(is_it);
            is_it.then(|| if fault == "request" { Fault::RequestLost } else { Fault::AnswerLost })
        });
        let ingest = town.ingest_with(&faults).with_passwords(&SECRET);
        let first = post(&ingest, "/v1/sign-in/vault", &submitted).await;
        assert_eq!(first.status, 503, "{fault} lost");
        assert_eq!(post(&ingest, "/v1/sign-in/vault", &submitted).await.status, 201, "{fault} lost");
    }
    assert_eq!(sign_in(&open(&town), "anna", PASSWORD).await.unwrap(), KEYS);
}
