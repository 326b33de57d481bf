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

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
extern "C" fn abi_version() -> i32 {
    ABI_VERSION
}

/// Gives the host a buffer to write an input to; 0 means that there is no memory left.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
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
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
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
        #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
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
        #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
        unsafe extern "C" fn $name(ptr: *mut u8, size: usize) -> u64 {
            // SAFETY: the interface's promise about inputs.
            let input = unsafe { input(ptr, size) };
            answer($operation(&input))
        }
    )*};
}

on_session!(open, apply, replay, snapshot, ask);
without_session!(encode = abi::encode_event, verify = crate::verify, seal = abi::search_seal);

/// Run by `cargo miri test --target i686-unknown-linux-gnu`: pointers of 32 bits, as in Wasm.
#[cfg(all(test, miri))]
mod tests {
    use super::{
        ABI_VERSION, DONE, REFUSED, abi_version, allocate, apply, ask, codec, deallocate, open, replay, seal,
        snapshot, verify,
    };
    use alloc::vec::Vec;
    use pitpet_chain::abi::{Batch, Opened, Start};
    use pitpet_chain::codec::{Bytes, decode};
    use pitpet_chain::genesis::{Genesis, Parameters};
    use pitpet_chain::hash::{PublicKey, RulesHash};
    use pitpet_chain::kennel::Fault;

    type Operation = unsafe extern "C" fn(*mut u8, usize) -> u64;

    /// A call as the host makes it.
    fn call(operation: Operation, bytes: &[u8]) -> (u8, Vec<u8>) {
        let ptr = allocate(bytes.len());
        assert!(!ptr.is_null());
        // SAFETY: the buffer has this size.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), ptr, bytes.len()) };
        // SAFETY: the buffer is `allocate`'s, all of it is written, and no other call is made.
        let packed = unsafe { operation(ptr, bytes.len()) };
        let (start, size) = ((packed >> 32) as usize as *mut u8, (packed & u64::from(u32::MAX)) as usize);
        // SAFETY: an answer is of this size until it is given back.
        let answer = unsafe { core::slice::from_raw_parts(start, size) }.to_vec();
        // SAFETY: once.
        unsafe { deallocate(start, size) };
        (answer[0], answer[1..].to_vec())
    }

    #[test]
    fn buffers_cross_the_boundary_once() {
        assert_eq!(abi_version(), ABI_VERSION);
        // Empty, short and long inputs, refused by all.
        let refused = |fault: Fault| (REFUSED, codec::encode(&(fault as u16)));
        for input in [&[][..], &[0], &[0x80; 300]] {
            for operation in [open as Operation, apply, replay, ask, super::encode, verify, seal] {
                assert_eq!(call(operation, input), refused(Fault::Input));
            }
        }
        assert_eq!(call(snapshot, &[]), refused(Fault::NotOpen));
        // SAFETY: 0 bytes were asked for.
        unsafe { deallocate(allocate(0), 0) };

        // A session lives from call to call, and is replaced.
        let key = PublicKey([1; 32]);
        let genesis = Genesis {
            version: 1,
            parameters: Parameters::CLASSIC,
            operator: key,
            house: key,
            moderators: Vec::new(),
            witnesses: Vec::new(),
            threshold: 0,
            checkpoint: key,
            created_ms: 1_000,
            random: [5; 32],
        };
        let genesis = Some(Bytes(codec::encode(&genesis)));
        let start = Start { rules_hash: RulesHash([2; 32]), genesis, snapshot: None };
        for _ in 0..2 {
            let (status, answer) = call(open, &codec::encode(&start));
            assert_eq!(status, DONE);
            assert_eq!(decode::<Opened>(&answer).unwrap().head.height, 0);
            let batch = Batch { timestamp_ms: 2_000, messages: alloc::vec![alloc::vec![Bytes(Vec::new())]] };
            assert_eq!(call(apply, &codec::encode(&batch)).0, DONE);
            assert_eq!(call(snapshot, &[]).0, DONE);
        }
    }
}
