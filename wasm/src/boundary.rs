//! The exports, and all the unsafe code there is: buffers that cross the boundary, and the instance's one kennel.

#![allow(unsafe_code)]

use alloc::vec::Vec;
use core::{alloc::Layout, cell::UnsafeCell};

use pitpet_chain::abi::{self, Session};
use pitpet_chain::codec;
use pitpet_chain::kennel::Fault;

/// The version of the interface.
const ABI_VERSION: i32 = abi::VERSION as i32;

const DONE: u8 = 0;
const REFUSED: u8 = 1;

/// The session that holds the open kennel.
struct Open(UnsafeCell<Session>);

// SAFETY: a module without shared memory has one thread.
unsafe impl Sync for Open {}

static OPEN: Open = Open(UnsafeCell::new(Session::new()));

type Answer = Result<Vec<u8>, Fault>;

#[unsafe(no_mangle)]
extern "C" fn abi_version() -> i32 {
    ABI_VERSION
}

/// Gives the host a buffer to write an input to; 0 means that there is no memory left.
#[unsafe(no_mangle)]
extern "C" fn allocate(size: usize) -> *mut u8 {
    let Ok(layout) = Layout::array::<u8>(size) else {
        return core::ptr::null_mut();
    };
    if size == 0 {
        // What an empty `Vec` holds, and frees without looking.
        return core::ptr::NonNull::dangling().as_ptr();
    }
    // SAFETY: the size isn't 0.
    unsafe { alloc::alloc::alloc(layout) }
}

/// Takes an answer back.
#[unsafe(no_mangle)]
unsafe extern "C" fn deallocate(ptr: *mut u8, size: usize) {
    // SAFETY: the host gives back what `answer` gave out, once.
    drop(unsafe { Vec::from_raw_parts(ptr, size, size) });
}

/// Takes ownership of an input.
///
/// # Safety
/// The buffer is one that `allocate` gave out for this size, and the host has written all of it.
unsafe fn input(ptr: *mut u8, size: usize) -> Vec<u8> {
    // SAFETY: as above; a `Vec<u8>` of this capacity has the layout that `allocate` used.
    unsafe { Vec::from_raw_parts(ptr, size, size) }
}

/// Hands an answer to the host, as `(ptr << 32) | size`.
fn answer(answer: Answer) -> u64 {
    let (status, payload) = match answer {
        Ok(payload) => (DONE, payload),
        Err(fault) => (REFUSED, codec::encode(&(fault as u16))),
    };
    let mut bytes = Vec::with_capacity(payload.len() + 1);
    bytes.push(status);
    bytes.extend_from_slice(&payload);
    // Boxed, so that the host can give it back by its size alone.
    let bytes = bytes.into_boxed_slice();
    let size = bytes.len() as u64;
    let ptr = alloc::boxed::Box::into_raw(bytes).cast::<u8>();
    ((ptr as u64) << 32) | size
}

/// The one session.
///
/// # Safety
/// Once per call: the host makes one call at a time, and no operation calls another.
unsafe fn session() -> &'static mut Session {
    // SAFETY: as above.
    unsafe { &mut *OPEN.0.get() }
}

/// Exports operations on the session.
macro_rules! on_session {
    ($($name:ident),*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(ptr: *mut u8, size: usize) -> u64 {
            // SAFETY: the interface's promise about inputs, and the first use of the session in this call.
            let (input, session) = unsafe { (input(ptr, size), session()) };
            answer(session.$name(&input))
        }
    )*};
}

/// Exports operations that need no session.
macro_rules! without_session {
    ($($name:ident = $operation:path),*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(ptr: *mut u8, size: usize) -> u64 {
            // SAFETY: the interface's promise about inputs.
            let input = unsafe { input(ptr, size) };
            answer($operation(&input))
        }
    )*};
}

on_session!(open, apply, replay, snapshot, ask);
without_session!(encode = abi::encode_event, verify = abi::verify);
