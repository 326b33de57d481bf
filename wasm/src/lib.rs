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

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Ends the call in a trap; what it was about is found by running the same input natively.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
