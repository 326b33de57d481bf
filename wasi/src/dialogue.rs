//! The line protocol of the original: one JSON request a line, at most one line of answer each.
//!
//! What can't be done is answered with `error: ` and the reason, and the next line is read: a
//! client that waits for one line a request is never left waiting. `newBlockchain` and
//! `loadBlockchain` are answered only by such a line.

use std::fmt;
use std::io::{self, BufRead, Read as _, Write};

use pitpet_chain::hash::RulesHash;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::audit::own_rules;
use crate::ledger::{CHAIN_BYTES_MAX, DATA_BYTES_MAX, Ledger, Printed, Refusal};

/// A line that loads a chain, at most: the chain as a string, and 4 KiB for the rest.
pub const LINE_BYTES_MAX: usize = CHAIN_BYTES_MAX + 4 * 1024;

/// Any other line, at most: two fields of data, five bytes for a byte with a comma and a blank,
/// and 16 KiB for the rest.
pub const SHORT_LINE_BYTES_MAX: usize = 10 * DATA_BYTES_MAX + 16 * 1024;

/// Answers every line until `quit` or the end of the input.
///
/// # Errors
/// If the input can't be read or an answer can't be written.
pub fn run(mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let rules = own_rules().map_err(io::Error::other)?;
    let mut speaker = Speaker { rules, ledger: None };
    loop {
        let answer = match read_line(&mut input)? {
            Line::End => return Ok(()),
            Line::TooLong => Err(format!("the line has more than {LINE_BYTES_MAX} bytes")),
            Line::Whole(line) => match speaker.answer(&line) {
                Ok(Answer::Quit) => return Ok(()),
                Ok(Answer::Nothing) => continue,
                Ok(Answer::Text(text)) => Ok(text),
                Err(why) => Err(why),
            },
        };
        match answer {
            Ok(text) => writeln!(output, "{text}")?,
            Err(why) => writeln!(output, "error: {why}")?,
        }
        output.flush()?;
    }
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
    End,
}

/// Reads a line without its end; of one that is too long nothing is kept.
fn read_line(input: &mut impl BufRead) -> io::Result<Line> {
    let mut line = Vec::new();
    input.by_ref().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(Line::End);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Line::Whole(line));
    }
    if line.len() <= LINE_BYTES_MAX {
        return Ok(Line::Whole(line));
    }
    loop {
        let read = input.fill_buf()?;
        let end = read.iter().position(|byte| *byte == b'\n');
        let (count, is_end) = end.map_or((read.len(), read.is_empty()), |at| (at + 1, true));
        input.consume(count);
        if is_end {
            return Ok(Line::TooLong);
        }
    }
}

enum Answer {
    Nothing,
    Text(String),
    Quit,
}

struct Speaker {
    rules: RulesHash,
    ledger: Option<Ledger>,
}

/// The only request that may be long.
#[derive(Deserialize)]
struct Load {
    r#type: String,
    json: String,
}

impl Speaker {
    fn answer(&mut self, line: &[u8]) -> Result<Answer, String> {
        if line.len() > SHORT_LINE_BYTES_MAX {
            let load: Load = serde_json::from_slice(line).map_err(|error| {
                format!(
                    "the line has {} bytes, more than {SHORT_LINE_BYTES_MAX}, and is no loadBlockchain: {error}",
                    line.len()
                )
            })?;
            return match load.r#type.as_str() {
                "loadBlockchain" => self.load(&load.json),
                _ => Err(format!(
                    "the line has {} bytes, only loadBlockchain may have more than {SHORT_LINE_BYTES_MAX}",
                    line.len()
                )),
            };
        }
        let request: Map<String, Value> =
            serde_json::from_slice(line).map_err(|error| format!("the line is no JSON object: {error}"))?;
        let kind = text(&request, "type")?;
        match kind {
            "newBlockchain" => {
                self.must_have_none()?;
                self.ledger = Some(Ledger::new(self.rules));
                Ok(Answer::Nothing)
            }
            "loadBlockchain" => self.load(text(&request, "json")?),
            "spawnBlock" => {
                let (birth_data, data) = (bytes(&request, "birth_data")?, bytes(&request, "data")?);
                answered(self.ledger()?.spawn(&birth_data, &data))
            }
            "addBlock" => {
                let (birth_hash, data) = (text(&request, "birth_hash")?, bytes(&request, "data")?);
                answered(self.ledger()?.add(birth_hash, &data))
            }
            "getTTL" => {
                let remaining = self.ledger()?.remaining(text(&request, "birth_hash")?);
                Ok(Answer::Text(
                    remaining.map_or_else(|| Refusal::NotFound.to_string(), |ages| ages.to_string()),
                ))
            }
            "getEvents" => {
                let events = self.ledger()?.events(text(&request, "birth_hash")?);
                Ok(Answer::Text(serde_json::to_string(&events).expect("bytes are JSON")))
            }
            "print" => Ok(Answer::Text(printed(self.ledger()?.blocks()))),
            "printGenesis" => Ok(Answer::Text(json(&self.ledger()?.blocks()[0]))),
            "quit" => Ok(Answer::Quit),
            other => Err(format!("type: there is no request {other:.80?}")),
        }
    }

    fn ledger(&mut self) -> Result<&mut Ledger, String> {
        self.ledger
            .as_mut()
            .ok_or_else(|| "there is no chain: begin with newBlockchain or loadBlockchain".to_owned())
    }

    fn must_have_none(&self) -> Result<(), String> {
        match self.ledger {
            Some(_) => Err("there is a chain already: a process has one".to_owned()),
            None => Ok(()),
        }
    }

    fn load(&mut self, json: &str) -> Result<Answer, String> {
        self.must_have_none()?;
        let Chain(blocks) =
            serde_json::from_str(json).map_err(|error| format!("json: it is no printed chain: {error}"))?;
        self.ledger = Some(Ledger::load(self.rules, blocks).map_err(|why| format!("json: {why}"))?);
        Ok(Answer::Nothing)
    }
}

/// The original answered a dead or unknown pet in its own words, without calling it an error.
fn answered(outcome: Result<&str, Refusal>) -> Result<Answer, String> {
    match outcome {
        Ok(hash) => Ok(Answer::Text(hash.to_owned())),
        Err(refusal @ (Refusal::Dead | Refusal::NotFound)) => Ok(Answer::Text(refusal.to_string())),
        Err(refusal) => Err(refusal.to_string()),
    }
}

fn text<'a>(request: &'a Map<String, Value>, field: &str) -> Result<&'a str, String> {
    match request.get(field) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(format!("{field}: it must be a string")),
        None => Err(format!("{field}: it is missing")),
    }
}

fn bytes(request: &Map<String, Value>, field: &str) -> Result<Vec<u8>, String> {
    let Some(value) = request.get(field) else { return Err(format!("{field}: it is missing")) };
    let Value::Array(items) = value else { return Err(format!("{field}: it must be an array of bytes")) };
    let byte = |(index, item): (usize, &Value)| {
        let byte = item.as_u64().and_then(|number| u8::try_from(number).ok());
        byte.ok_or_else(|| {
            format!("{field}: item {index} is {item:.20}, bytes are whole numbers from 0 to 255")
        })
    };
    items.iter().enumerate().map(byte).collect()
}

fn json(block: &Printed) -> String {
    serde_json::to_string(block).expect("a printed block is JSON")
}

/// The chain as a JSON object: blocks by hash, in order.
fn printed(blocks: &[Printed]) -> String {
    let blocks: Vec<String> =
        blocks.iter().map(|block| format!("\"{}\":{}", block.hash, json(block))).collect();
    format!("{{{}}}", blocks.join(","))
}

/// The blocks of a printed chain, in its order.
struct Chain(Vec<(String, Printed)>);

impl<'de> Deserialize<'de> for Chain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Chain;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of blocks by hash")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Chain, A::Error> {
                let mut blocks = Vec::new();
                while let Some(block) = map.next_entry()? {
                    blocks.push(block);
                }
                Ok(Chain(blocks))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
