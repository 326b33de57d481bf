//! The chain module: the rules behind the eight operations that a host can call, and nothing else.
//!
//! The interface is described in `pitpet-chain-host`. One instance keeps one kennel, which `open` puts here and the
//! other operations use; a panic traps. After a
//! trap the host throws the instance away, so nothing here recovers from one.
//!
//! Deliberately absent: imports. There is no clock, no randomness, no log, and no way to ask for any. On any other
//! architecture than wasm32 this crate is empty, but for Miri, which runs the boundary's unsafe code on 32-bit x86.

#![cfg_attr(target_arch = "wasm32", no_std)]

#[cfg(any(target_arch = "wasm32", miri))]
extern crate alloc;

#[cfg(any(target_arch = "wasm32", miri))]
mod boundary;

#[cfg(all(any(target_arch = "wasm32", miri), not(feature = "signatures")))]
use pitpet_chain::abi::verify;

/// Checks a signature: canonical `[key, [message, signature]]` to a canonical bool.
#[cfg(all(any(target_arch = "wasm32", miri), feature = "signatures"))]
fn verify(input: &[u8]) -> Result<alloc::vec::Vec<u8>, pitpet_chain::kennel::Fault> {
    use pitpet_chain::{codec, event, hash::PublicKey};
    type Case = (PublicKey, (codec::Bytes, [u8; 64]));
    let (key, (message, signature)): Case =
        codec::decode(input).map_err(|_| pitpet_chain::kennel::Fault::Input)?;
    Ok(codec::encode(&event::verify_signature(&key, &message.0, &signature)))
}

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Ends the call in a trap; what it was about is found by running the same input natively.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
