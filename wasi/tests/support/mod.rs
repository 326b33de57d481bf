//! What both builds of the command are put through: the recorded dialogue, hostile lines, and
//! exports. A [`Run`] takes arguments and standard input, and gives what came out.

use std::io::Write as _;
use std::process::{Command, Stdio};

use ed25519_dalek::SigningKey;
use pitpet_chain::body::{Body, commitment};
use pitpet_chain::codec::{Bytes, encode};
use pitpet_chain::event::{Event, Payload, VERSION};
use pitpet_chain::genesis::{Genesis, Parameters};
use pitpet_chain::hash::{AccountId, KennelId, PublicKey, RulesHash};
use pitpet_chain::kennel::{Kennel, NewBlock};
use pitpet_chain_command::audit::own_rules;
use pitpet_chain_command::dialogue::{LINE_BYTES_MAX, SHORT_LINE_BYTES_MAX};
use pitpet_pipeline::checkpoint::{self, Claim};
use pitpet_pipeline::export_file::{ExportWriter, Opening};
use pitpet_pipeline::query::{Segment, SegmentEntry};
use serde_json::{Value, json};

/// What a run of the command gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A build of the command.
pub(crate) type Run<'a> = &'a dyn Fn(&[&str], &[u8]) -> Ran;

/// Runs the native program with this standard input.
pub(crate) fn natively(arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pitpet-chain"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // Whatever it reads: a program that ends early closes the pipe.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("the writer ends");
    Ran {
        code: output.status.code().expect("it ends by itself"),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

/// Everything, against one build; gives all outputs, so that two builds can be compared.
pub(crate) fn all(run: Run<'_>) -> Vec<Ran> {
    let mut ran = vec![dialogue(run), hostile_lines(run), loaded(run)];
    ran.extend(exports(run));
    ran.extend(usage(run));
    ran
}

fn lines(requests: &[Value]) -> Vec<u8> {
    requests.iter().flat_map(|request| format!("{request}\n").into_bytes()).collect()
}

fn recorded() -> Vec<Value> {
    let text = include_str!("../../../testvectors/original-dialogue.jsonl");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Replaces placeholders by the hashes that they stand for.
fn resolved(send: &Value, names: &[(String, String)]) -> Value {
    let mut send = send.clone();
    if let Some((_, hash)) = names.iter().find(|(name, _)| send["birth_hash"] == **name) {
        send["birth_hash"] = json!(hash);
    }
    send
}

/// The recorded dialogue. A process is asked line by line through a pipe; here the hashes of a
/// first run make the second one's input, which works because the same requests give the same hashes.
fn dialogue(run: Run<'_>) -> Ran {
    let recorded = recorded();
    let mut names: Vec<(String, String)> = Vec::new();
    let (mut answered, mut sent) = (0, Vec::new());
    for (n, line) in recorded.iter().enumerate() {
        sent.push(resolved(&line["send"], &names));
        let reply = &line["reply"];
        // Only births have to be asked for; the rest is compared at the end.
        if let Some(name) = line["as"].as_str() {
            let out = run(&[], &lines(&sent)).out;
            let answers: Vec<&str> = out.lines().collect();
            assert_eq!(answers.len(), answered + 1, "line {}", n + 1);
            names.push((name.to_owned(), answers[answered].to_owned()));
        }
        answered += usize::from(!reply.is_null());
    }
    let ran = run(&[], &lines(&sent));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let mut answers = ran.out.lines();
    for (n, line) in recorded.iter().enumerate() {
        let said = format!("line {}: {}", n + 1, line["send"]);
        match &line["reply"] {
            Value::Null => {}
            Value::String(kind) if kind == "hash" => {
                let answer = answers.next().expect(&said);
                assert!(
                    answer.len() == 64 && answer.bytes().all(|b| b.is_ascii_hexdigit()),
                    "{said}: {answer}"
                );
            }
            Value::String(expected) => assert_eq!(answers.next(), Some(expected.as_str()), "{said}"),
            other => panic!("{other}"),
        }
    }
    assert_eq!(answers.next(), None);
    ran
}

/// Each line with what its answer begins with; none for no answer.
fn asked(run: Run<'_>, asked: &[(Vec<u8>, Option<&str>)]) -> Ran {
    let input: Vec<u8> = asked.iter().flat_map(|(line, _)| [line.as_slice(), b"\n"].concat()).collect();
    let ran = run(&["speak"], &input);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let mut answers = ran.out.lines();
    for (line, expected) in asked {
        let Some(expected) = expected else { continue };
        let answer = answers.next().expect(expected);
        let line = String::from_utf8_lossy(&line[..line.len().min(120)]).into_owned();
        assert!(answer.contains(expected), "{line}: {answer:.300} instead of {expected}");
    }
    assert_eq!(answers.next(), None);
    ran
}

fn hostile_lines(run: Run<'_>) -> Ran {
    let line = |text: &str| text.as_bytes().to_vec();
    let deep = [vec![b'['; 50_000], vec![b']'; 50_000]].concat();
    let long_text = format!(r#"{{"type":"getTTL","birth_hash":"{}"}}"#, "a".repeat(SHORT_LINE_BYTES_MAX));
    asked(
        run,
        &[
            (line(r#"{"type":"getTTL","birth_hash":"00"}"#), Some("error: there is no chain")),
            (line(r#"{"type":"print"}"#), Some("error: there is no chain")),
            (line(r#"{"type":"newBlockchain"}"#), None),
            (line(r#"{"type":"newBlockchain"}"#), Some("error: there is a chain already")),
            (line(r#"{"type":"loadBlockchain","json":"{}"}"#), Some("error: there is a chain already")),
            (line(""), Some("error: the line is no JSON object")),
            (line("hello"), Some("error: the line is no JSON object")),
            (vec![0xff, 0xfe, 0], Some("error: the line is no JSON object")),
            (line("[1]"), Some("error: the line is no JSON object")),
            (deep, Some("error: the line ")),
            (line("{}"), Some("error: type: it is missing")),
            (line(r#"{"type":7}"#), Some("error: type: it must be a string")),
            (line(r#"{"type":"mine"}"#), Some(r#"error: type: there is no request "mine""#)),
            (line(r#"{"type":"spawnBlock","data":[]}"#), Some("error: birth_data: it is missing")),
            (
                line(r#"{"type":"spawnBlock","birth_data":"x","data":[]}"#),
                Some("error: birth_data: it must be"),
            ),
            (
                line(r#"{"type":"spawnBlock","birth_data":[1,2,256],"data":[]}"#),
                Some("error: birth_data: item 2 is 256"),
            ),
            (line(r#"{"type":"spawnBlock","birth_data":[-1],"data":[]}"#), Some("item 0 is -1")),
            (line(r#"{"type":"addBlock","birth_hash":"","data":[]}"#), Some("birth_hash not found in chain")),
            (line(r#"{"type":"addBlock","data":[]}"#), Some("error: birth_hash: it is missing")),
            (line(r#"{"type":"getTTL","birth_hash":"nobody"}"#), Some("birth_hash not found in chain")),
            (line(r#"{"type":"getEvents","birth_hash":"nobody"}"#), Some("null")),
            (
                line(&format!(r#"{{"type":"spawnBlock","birth_data":[],"data":{:?}}}"#, vec![0; 8_193])),
                Some("error: data has 8193 bytes, at most 8192"),
            ),
            (line(&long_text), Some("is no loadBlockchain")),
            (vec![b' '; LINE_BYTES_MAX + 1], Some("error: the line has more than")),
            (line(r#"{"type":"printGenesis"}"#), Some(r#"{"index":0,"timestamp":0,"data":[73,110,105,116"#)),
            (line(r#"{"type":"quit"}"#), None),
            (line(r#"{"type":"print"}"#), None),
        ],
    )
}

/// A printed chain goes on in another process; a forged one doesn't.
fn loaded(run: Run<'_>) -> Ran {
    let spawn = json!({ "type": "spawnBlock", "birth_data": [1], "data": [34, 92, 0] });
    let new = json!({ "type": "newBlockchain" });
    let print = json!({ "type": "print" });
    let first = run(&[], &lines(&[new.clone(), spawn.clone(), print.clone()]));
    let answers: Vec<&str> = first.out.lines().collect();
    let (pet, chain) = (answers[0], answers[1]);
    let load = |chain: &str| json!({ "type": "loadBlockchain", "json": chain });
    let add = json!({ "type": "addBlock", "birth_hash": pet, "data": [5] });
    let ttl = json!({ "type": "getTTL", "birth_hash": pet });

    let gone_on = run(&[], &lines(&[load(chain), spawn.clone(), add.clone(), ttl.clone(), print.clone()]));
    let at_once = run(&[], &lines(&[new, spawn.clone(), spawn, add, ttl, print]));
    assert_eq!(gone_on.out, at_once.out.split_once('\n').unwrap().1, "loading loses nothing");
    assert!(
        chain.contains(&format!("\"{pet}\":{{\"index\":1,\"timestamp\":1,\"data\":[34,92,0]")),
        "{chain}"
    );

    let forged = |chain: &str, why: &str| {
        let ran = run(&[], &lines(&[load(chain), load("{}"), json!({ "type": "newBlockchain" })]));
        let answers: Vec<&str> = ran.out.lines().collect();
        assert_eq!(answers.len(), 2, "after a chain that was refused there is none: {}", ran.out);
        assert!(answers[0].starts_with("error: json: ") && answers[0].contains(why), "{}", answers[0]);
        assert!(answers[1].contains("no block 0"));
    };
    forged(&chain.replace("[34,92,0]", "[34,92,1]"), "block 1: ");
    forged(&chain.replace(r#""index":1"#, r#""index":2"#), "block 1: index");
    forged(&chain.replace(r#""index":1"#, r#""index":-1"#), "no printed chain");
    forged(&chain.replace(r#""birth_data":[1]"#, r#""birth_data":[2]"#), "block 1: ");
    forged(&chain[..chain.len() - 1], "no printed chain");
    forged("[]", "no printed chain");
    gone_on
}

/// Where a ledger that changes its rules does so.
const CHANGED_AT: u64 = 5;

/// A small ledger with a checkpoint, as an export; from block [`CHANGED_AT`] on by other rules, if any.
fn export(next: Option<RulesHash>) -> (KennelId, Vec<u8>) {
    let key = |seed: u8| SigningKey::from_bytes(&[seed; 32]);
    let public = |seed: u8| PublicKey(key(seed).verifying_key().to_bytes());
    let genesis = Genesis {
        version: 1,
        parameters: Parameters { stamp_bits: 0, birth_bits: 0, ..Parameters::CLASSIC },
        operator: public(1),
        house: public(2),
        moderators: vec![],
        witnesses: Vec::new(),
        threshold: 0,
        checkpoint: public(9),
        created_ms: 1_000,
        random: [4; 32],
    };
    let (mut kennel, founded) = Kennel::found(genesis.clone(), own_rules().unwrap()).unwrap();
    let entry = |block: &NewBlock, body_states: Vec<u8>, bodies: Vec<Bytes>| SegmentEntry {
        block: block.bytes.clone(),
        body_states,
        bodies,
    };
    let mut entries = vec![entry(&founded, vec![], vec![])];
    let mut pet = None;
    for n in 1..=5_u64 {
        let (payload, body) = match pet {
            None => {
                let body = Body::Birth { name: "Mochi".into(), story: String::new() }.encode();
                let anchor = kennel.head().hash;
                (
                    Payload::Birth {
                        photo: [7; 32],
                        body: commitment(&[1; 32], &body),
                        recovery: None,
                        anchor,
                    },
                    body,
                )
            }
            Some(pet) => {
                let body = Body::Post { text: format!("post {n}"), tags: vec![] }.encode();
                (Payload::Post { pet, photo: None, body: commitment(&[1; 32], &body) }, body)
            }
        };
        let salted = Bytes([&[1; 32][..], &body].concat());
        let decides = next.filter(|_| n == CHANGED_AT - 2);
        let (seed, nonce, payload, bodies) = match decides {
            Some(rules_hash) => {
                (1, 1_000 + n, Payload::Upgrade { rules_hash, at_height: CHANGED_AT }, Vec::new())
            }
            None => (3, n, payload, vec![salted]),
        };
        let event = Event {
            version: VERSION,
            kennel: *kennel.id(),
            account: AccountId::of(&public(seed)),
            key: public(seed),
            nonce,
            expires_ms: 1_000 + n,
            payload,
            stamp: 0,
        };
        pet = pet.or(Some(event.id().into()));
        if let Some(next) = next.filter(|_| n == CHANGED_AT) {
            kennel = Kennel::open(kennel.snapshot(), next).expect("it is decided on");
        }
        let outcome = kennel.apply(1_000 + n, &[vec![Bytes(event.sign(&key(seed)))]]).unwrap();
        let states = vec![u8::from(!bodies.is_empty())];
        entries.push(entry(&outcome.block.expect("it is accepted"), states, bodies));
    }
    let head = kennel.head();
    let claim = Claim { size: head.height + 1, root: head.checkpoint_root };
    let opening = Opening {
        genesis: Bytes(encode(&genesis)),
        checkpoint: checkpoint::sign(kennel.id(), claim, &key(9)),
        height: head.height,
    };
    let mut writer = ExportWriter::begin(Vec::new(), &opening).unwrap();
    writer.segment(&Segment { version: 1, from: 0, entries }).unwrap();
    (*kennel.id(), writer.finish().unwrap())
}

fn exports(run: Run<'_>) -> Vec<Ran> {
    let (kennel, file) = export(None);
    let id = kennel.to_string();
    let words = run(&["verify"], &file);
    assert_eq!((words.code, words.err.as_str()), (0, ""), "{}", words.out);
    assert!(
        words.out.starts_with(&format!("Valid: standard input\n  genesis    kennel {id} ")),
        "{}",
        words.out
    );
    assert!(words.out.contains("executed   6 blocks, 5 events, every signature checked"), "{}", words.out);
    let record = run(&["verify", "--json", "--genesis", &id], &file);
    let json: Value = serde_json::from_str(&record.out).unwrap();
    assert_eq!((&json["valid"], &json["ledgers"][0]["kennel_trust"]), (&json!(true), &json!("given")));
    assert_eq!(json["ledgers"][0]["rules"][0]["hash"], own_rules().unwrap().to_string());

    let fails = |arguments: &[&str], file: &[u8], code: i32, why: &str| {
        let ran = run(arguments, file);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{}", ran.err);
        assert!(ran.err.contains(why), "{} instead of {why}", ran.err);
        ran
    };
    let flipped = |at: usize| {
        let mut file = file.clone();
        file[at] ^= 1;
        file
    };
    let other = "00".repeat(32);
    let block = format!("5:{other}");
    let next = RulesHash([0xab; 32]);
    let (_, crossing) = export(Some(next));
    let foreign = format!(
        "block 5 was decided by rules {next}, which this release doesn't know; a newer one may, or allow them by their hash; \
         the 5 blocks before it were executed"
    );
    vec![
        fails(&["verify"], &crossing, 3, &foreign),
        fails(
            &["verify", "--json"],
            &crossing,
            3,
            "`pitpet verify` runs every module that an export carries",
        ),
        fails(&["verify"], b"", 1, "not an export of PitPet"),
        fails(&["verify"], &file[..file.len() - 1], 1, "cut short"),
        fails(&["verify"], &flipped(file.len() / 2), 1, "damaged"),
        fails(&["verify"], &[&file[..], b"x"].concat(), 1, "bytes follow the end"),
        fails(&["verify", "--genesis", &other], &file, 1, "not of 0000"),
        fails(&["verify", "--head", &block], &file, 1, "block 5: "),
        fails(&["verify", "--checkpoint-key", &other], &file, 1, ""),
        words,
        record,
    ]
}

fn usage(run: Run<'_>) -> Vec<Ran> {
    let help = run(&["--help"], b"");
    assert_eq!(help.code, 0);
    assert!(help.out.contains("WHOEVER KNOWS THE BIRTH DATA"), "{}", help.out);
    let wrong = run(&["verify", "--genesis", "12"], b"");
    assert_eq!((wrong.code, wrong.out.as_str()), (2, ""));
    assert!(wrong.err.contains("--genesis takes 64 lower-case hexadecimal digits"), "{}", wrong.err);
    vec![help, wrong]
}
