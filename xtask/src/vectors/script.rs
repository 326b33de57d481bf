//! Scripts: calls of the chain module with their answers, in order, on one instance.

use anyhow::{Context as _, bail};
use pitpet_chain::abi::{self, Session};
use pitpet_chain::kennel::Fault;
use pitpet_chain_host::Operation;
use serde_json::{Value, json};

/// A call and what the rules answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// What it is about, for people.
    pub(crate) note: String,
    /// The operation.
    pub(crate) operation: Operation,
    /// Canonical input.
    pub(crate) input: Vec<u8>,
    /// Canonical answer, or the number of a fault.
    pub(crate) answer: Result<Vec<u8>, u16>,
}

/// Steps that one fresh instance takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// What it is about.
    pub(crate) name: String,
    /// Its steps.
    pub(crate) steps: Vec<Step>,
}

/// Does an operation natively.
pub(crate) fn native(session: &mut Session, operation: Operation, input: &[u8]) -> Result<Vec<u8>, Fault> {
    match operation {
        Operation::Open => session.open(input),
        Operation::Apply => session.apply(input),
        Operation::Replay => session.replay(input),
        Operation::Snapshot => session.snapshot(input),
        Operation::Ask => session.ask(input),
        Operation::Encode => abi::encode_event(input),
        Operation::Verify => abi::verify(input),
        Operation::Seal => abi::search_seal(input),
    }
}

/// Writes a script while taking its steps natively.
pub(crate) struct Recorder {
    session: Session,
    script: Script,
}

impl Recorder {
    /// Begins a script.
    pub(crate) fn new(name: &str) -> Self {
        Self { session: Session::new(), script: Script { name: name.to_owned(), steps: Vec::new() } }
    }

    /// Takes a step.
    pub(crate) fn call(
        &mut self,
        note: &str,
        operation: Operation,
        input: Vec<u8>,
    ) -> Result<Vec<u8>, Fault> {
        let answer = native(&mut self.session, operation, &input);
        let recorded = answer.clone().map_err(|fault| fault as u16);
        self.script.steps.push(Step { note: note.to_owned(), operation, input, answer: recorded });
        answer
    }

    /// Takes a step that must be refused.
    ///
    /// # Panics
    /// If it is refused otherwise, or done.
    pub(crate) fn refused(&mut self, note: &str, operation: Operation, input: Vec<u8>, fault: Fault) {
        assert_eq!(self.call(note, operation, input), Err(fault), "{note}");
    }

    /// Ends the script.
    pub(crate) fn finish(self) -> Script {
        self.script
    }
}

impl Script {
    /// The script as it stands in `testvectors/`.
    pub(crate) fn to_json(&self) -> Value {
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|step| {
                let (status, answer) = match &step.answer {
                    Ok(bytes) => ("answer", json!(hex::encode(bytes))),
                    Err(fault) => ("fault", json!(fault)),
                };
                json!({
                    "note": step.note,
                    "operation": step.operation.name(),
                    "input": hex::encode(&step.input),
                    status: answer,
                })
            })
            .collect();
        json!({ "name": self.name, "steps": steps })
    }

    /// Reads a script.
    pub(crate) fn from_json(value: &Value) -> anyhow::Result<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned).context("a text is missing");
        let mut steps = Vec::new();
        for step in value["steps"].as_array().context("a script has steps")? {
            let name = text(&step["operation"])?;
            let Some(operation) = Operation::ALL.into_iter().find(|operation| operation.name() == name)
            else {
                bail!("no operation is named {name}");
            };
            let answer = match step["fault"].as_u64() {
                Some(fault) => Err(u16::try_from(fault)?),
                None => Ok(hex::decode(text(&step["answer"])?)?),
            };
            let (note, input) = (text(&step["note"])?, hex::decode(text(&step["input"])?)?);
            steps.push(Step { note, operation, input, answer });
        }
        Ok(Self { name: text(&value["name"])?, steps })
    }
}
