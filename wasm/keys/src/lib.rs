//! The key module: `pitpet-keys` for a browser, and nothing else.
//!
//! Each operation takes the address and size of a buffer that `allocate` gave out, and answers
//! with `(address << 32) | size` of one that `deallocate` takes back: a byte 0 and the answer's
//! fields, or a byte 1 and two fields, a stable name and words for people. Buffers are erased
//! when they are given back, because passwords and keys go through them.
//!
//! Deliberately absent: imports, and so randomness, which is handed in; state between calls.

#[cfg(target_arch = "wasm32")]
mod boundary;
