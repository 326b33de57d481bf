//! Queue messages: one or more events of one kennel with their bodies, as base64 of canonical bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitpet_chain::codec::{Bytes, Malformed, decode, encode};
use pitpet_chain::event::SignedEvent;
use pitpet_chain::hash::{KennelId, sha256};
use pitpet_chain::limits::{MESSAGE_BYTES_MAX, MESSAGE_CANONICAL_BYTES_MAX, MESSAGE_EVENTS_MAX};
use pitpet_chain::record;
use serde::{Deserialize, Serialize};

use crate::ports::OutgoingMessage;

record! {
    /// A body beside its event.
    pub struct SaltedBody {
        /// Makes the commitment unguessable.
        pub salt: [u8; 32],
        /// Canonical body.
        pub body: Bytes,
    }
}

record! {
    /// An event in a message.
    pub struct Entry {
        /// The signed event.
        pub event: Bytes,
        /// Its body, for kinds that have one.
        pub body: Option<SaltedBody>,
    }
}

record! {
    /// A message.
    pub struct Message {
        /// Format version, 1.
        pub version: u8,
        /// The kennel of all its events.
        pub kennel: KennelId,
        /// At most [`MESSAGE_EVENTS_MAX`] events; none asks for the kennel to be opened.
        pub entries: Vec<Entry>,
    }
}

impl Message {
    /// Reads a message's text.
    ///
    /// # Errors
    /// [`Malformed`] if it is too long, no base64, not canonical, of another version, or of too
    /// many events.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        if text.len() > MESSAGE_BYTES_MAX {
            return Err(Malformed);
        }
        let bytes = STANDARD.decode(text).map_err(|_| Malformed)?;
        let message: Message = decode(&bytes)?;
        let sound = message.version == 1 && message.entries.len() <= MESSAGE_EVENTS_MAX;
        if sound { Ok(message) } else { Err(Malformed) }
    }

    /// Writes the message for the queue.
    pub fn write(&self) -> OutgoingMessage {
        let body = STANDARD.encode(encode(self));
        OutgoingMessage {
            group: self.kennel.to_string(),
            deduplication: hex::encode(sha256(body.as_bytes())),
            body,
        }
    }
}

/// A dead letter as an operator sees it, wherever the queue is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterView {
    /// The queue's id of it.
    pub id: String,
    /// Its group: the kennel's id.
    pub kennel: String,
    /// When it was sent, ms since the Unix epoch.
    pub sent_ms: u64,
    /// Its length.
    pub bytes: u64,
    /// Ids of its events that can be read; none if it is no message of PitPet at all.
    pub events: Option<Vec<String>>,
}

impl DeadLetterView {
    /// Describes a message.
    pub fn new(id: impl Into<String>, group: impl Into<String>, body: &str, sent_ms: u64) -> Self {
        let events = Message::read(body).ok().map(|message| {
            let events = message.entries.iter().filter_map(|entry| SignedEvent::read(&entry.event.0).ok());
            events.map(|signed| signed.id.to_string()).collect()
        });
        Self { id: id.into(), kennel: group.into(), sent_ms, bytes: body.len() as u64, events }
    }
}

/// Packs events of one kennel, in order, into as few messages as their sizes allow. The answer
/// gives, for each message, how many of the events it took.
pub fn pack(kennel: KennelId, entries: Vec<Entry>) -> Vec<(Message, usize)> {
    // Framing: array heads, version, kennel id and list head are under 64 bytes.
    const FRAMING: usize = 64;
    let mut messages: Vec<(Message, usize)> = Vec::new();
    let mut room = 0;
    for entry in entries {
        let size = encode(&entry).len();
        match messages.last_mut() {
            Some((message, count)) if size <= room && message.entries.len() < MESSAGE_EVENTS_MAX => {
                message.entries.push(entry);
                *count += 1;
            }
            _ => {
                messages.push((Message { version: 1, kennel, entries: vec![entry] }, 1));
                room = MESSAGE_CANONICAL_BYTES_MAX - FRAMING;
            }
        }
        room -= size;
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_messages_keep_order_and_fit() {
        let kennel = KennelId([1; 32]);
        let entries: Vec<Entry> = (0..60_u8)
            .map(|n| {
                let size = if n % 3 == 0 { 8192 } else { 100 };
                let body = Some(SaltedBody { salt: [n; 32], body: Bytes(vec![n; size]) });
                Entry { event: Bytes(vec![n; 300]), body }
            })
            .collect();
        let packed = pack(kennel, entries.clone());
        let mut unpacked = Vec::new();
        for (message, count) in &packed {
            let out = message.write();
            assert!(out.body.len() <= MESSAGE_BYTES_MAX);
            let read = Message::read(&out.body).expect("what is written can be read");
            assert_eq!(read.entries.len(), *count);
            unpacked.extend(read.entries);
        }
        assert_eq!(unpacked, entries);
        assert!(packed.len() <= 20, "two large bodies do not share a message with much room left");
    }

    #[test]
    fn anything_but_a_canonical_message_is_refused() {
        let message = Message {
            version: 1,
            kennel: KennelId([1; 32]),
            entries: vec![Entry { event: Bytes(vec![1, 2, 3]), body: None }],
        };
        let text = message.write().body;
        assert!(Message::read(&text).is_ok());
        assert!(Message::read(&text[..text.len() - 4]).is_err());
        assert!(Message::read("not base64!").is_err());
        assert!(Message::read(&"A".repeat(MESSAGE_BYTES_MAX + 4)).is_err());
        assert!(Message::read(&Message { version: 2, ..message.clone() }.write().body).is_err());
        let many = vec![message.entries[0].clone(); MESSAGE_EVENTS_MAX + 1];
        assert!(Message::read(&Message { entries: many, ..message.clone() }.write().body).is_err());
        assert!(Message::read(&Message { entries: Vec::new(), ..message }.write().body).is_ok());
    }
}
