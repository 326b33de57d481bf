//! The exports, and all the unsafe code there is: buffers that cross the boundary.

#![allow(unsafe_code)]

use pitpet_keys::fields::Writer;
use pitpet_keys::operations::{self, Answer};
use zeroize::{Zeroize as _, Zeroizing};

const DONE: u8 = 0;
const REFUSED: u8 = 1;

/// Gives the page a buffer to write an input to.
#[unsafe(no_mangle)]
extern "C" fn allocate(size: usize) -> *mut u8 {
    let buffer = vec![0_u8; size].into_boxed_slice();
    Box::into_raw(buffer).cast()
}

/// Takes an answer back, and erases it.
#[unsafe(no_mangle)]
unsafe extern "C" fn deallocate(ptr: *mut u8, size: usize) {
    // SAFETY: the page gives back what `answer` gave out, once.
    drop(unsafe { input(ptr, size) });
}

/// Takes ownership of a buffer, which is erased when it is dropped.
///
/// # Safety
/// The buffer is one that `allocate` or `answer` gave out, of this size.
unsafe fn input(ptr: *mut u8, size: usize) -> Zeroizing<Vec<u8>> {
    // SAFETY: as above; a boxed slice has the layout of a `Vec` that is full.
    Zeroizing::new(unsafe { Vec::from_raw_parts(ptr, size, size) })
}

fn answer(answer: Answer) -> u64 {
    let (status, payload) = match answer {
        Ok(payload) => (DONE, payload),
        Err(refused) => {
            (REFUSED, Writer::new().bytes(refused.code.as_bytes()).bytes(refused.detail.as_bytes()).done())
        }
    };
    let mut bytes = Vec::with_capacity(payload.len() + 1);
    bytes.push(status);
    bytes.extend_from_slice(&payload);
    let mut payload = payload;
    payload.zeroize();
    let bytes = bytes.into_boxed_slice();
    let size = bytes.len() as u64;
    let ptr = Box::into_raw(bytes).cast::<u8>();
    ((ptr as u64) << 32) | size
}

macro_rules! exports {
    ($($name:ident),* $(,)?) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(ptr: *mut u8, size: usize) -> u64 {
            // SAFETY: the page's promise about inputs.
            let input = unsafe { input(ptr, size) };
            answer(operations::$name(&input))
        }
    )*};
}

exports!(
    account_new,
    account_of,
    account_read,
    draft_signed,
    draft_stamped,
    event_draft,
    evidence_anew,
    evidence_check,
    evidence_differences,
    evidence_opened,
    evidence_replayed,
    evidence_taken_over,
    key_file_open,
    key_file_seal,
    password_register,
    password_register_end,
    password_sign_in,
    password_sign_in_end,
    price_split,
    request_draft,
    seal_search,
    stamp_search,
    vault_open,
    vault_seal,
);
