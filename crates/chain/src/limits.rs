//! Every bound of PitPet in one place, with its arithmetic and the platform limit that it respects.

/// Text of one queue message, base64 of its canonical bytes.
///
/// An SQS batch holds 262,144 bytes in at most 10 messages: 10 × 24 KiB = 245,760 leaves room for attributes.
pub const MESSAGE_BYTES_MAX: usize = 24 * 1024;
