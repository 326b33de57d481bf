//! Logs of the functions: a line of JSON an event, to standard output, which Lambda keeps.
//!
//! Where metrics are collected each invocation writes a line of them anyway: what came of which events
//! ([`event_log::TARGET`]) stands on that line, because every line costs by its bytes.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;

use pitpet_pipeline::event_log;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use crate::metrics;

/// What came of events since the last time that metrics were written: by what it was.
static NOTED: Mutex<BTreeMap<String, Vec<Value>>> = Mutex::new(BTreeMap::new());

/// Starts JSON logs; `RUST_LOG` chooses what is logged, `info` by default.
pub fn start_json() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let is_noted = metrics::is_wanted();
    let own =
        filter_fn(move |line| !is_noted || !matches!(line.target(), event_log::TARGET | event_log::BLOCKS));
    // Of the spans the innermost, which names the kennel: all of them would double the bytes.
    let json =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false).without_time();
    let notes = is_noted.then_some(Notes);
    tracing_subscriber::registry().with(filter).with(json.with_filter(own)).with(notes).init();
}

/// Takes what was noted of events.
pub(crate) fn take_noted() -> BTreeMap<String, Vec<Value>> {
    std::mem::take(&mut NOTED.lock().expect("no panic while the notes are locked"))
}

/// Notes the lines that name events.
struct Notes;

impl<S: Subscriber> Layer<S> for Notes {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != event_log::TARGET {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        // `events queued`, `events committed`, `event rejected`.
        let what = fields.message.rsplit(' ').next().unwrap_or_default().to_owned();
        let mut noted = NOTED.lock().expect("no panic while the notes are locked");
        noted.entry(what).or_default().push(Value::Object(fields.others));
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn take(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", value) => self.message = value.as_str().unwrap_or_default().to_owned(),
            (name, value) => drop(self.others.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value.into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.take(field, format!("{value:?}").into());
    }
}

/// How the process of a function ends: why it can't start is a line of JSON too, and the only one.
pub fn exit(ended: Result<(), impl std::fmt::Display>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the function can't start");
            ExitCode::FAILURE
        }
    }
}
