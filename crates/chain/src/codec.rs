//! The one codec for everything that is hashed, signed, stored or sent.
//!
//! CBOR per RFC 8949 section 4.2.1, narrowed: arrays with fixed positions, definite lengths,
//! shortest integers; no maps, floats or tags. `minicbor` reads and writes the items; what it
//! would accept beyond this (longer integers, for one) is refused because [`decode`] encodes the
//! value again and compares the bytes. So decoding then encoding is the identity.
//!
//! Deliberately absent: optional trailing fields, unknown fields, and any second encoding.

use alloc::vec::Vec;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

/// The writer: into a growing buffer, which can't fail.
pub type Writer = Encoder<Vec<u8>>;

/// Bytes are not the canonical encoding of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("not the canonical encoding")
    }
}

impl core::error::Error for Malformed {}

impl From<minicbor::decode::Error> for Malformed {
    fn from(_: minicbor::decode::Error) -> Self {
        Malformed
    }
}

/// A value with exactly one encoding.
pub trait Canonical: Sized {
    /// Writes the value.
    fn put(&self, w: &mut Writer);

    /// Reads a value of this shape; shortest form is checked by [`decode`].
    ///
    /// # Errors
    /// [`Malformed`] if the next item has another shape.
    fn take(d: &mut Decoder<'_>) -> Result<Self, Malformed>;
}

/// Encodes a value.
pub fn encode<T: Canonical>(value: &T) -> Vec<u8> {
    let mut w = Encoder::new(Vec::new());
    value.put(&mut w);
    w.into_writer()
}

/// Decodes exactly one value.
///
/// # Errors
/// [`Malformed`] if the bytes are cut, have another shape, are not in canonical form, or go on
/// behind the value.
pub fn decode<T: Canonical>(bytes: &[u8]) -> Result<T, Malformed> {
    let mut d = Decoder::new(bytes);
    let value = T::take(&mut d)?;
    if d.position() != bytes.len() || encode(&value) != bytes {
        return Err(Malformed);
    }
    Ok(value)
}

/// Writes an array head. Encoding into a `Vec` can't fail.
pub fn put_array(w: &mut Writer, count: u64) {
    w.array(count).expect("writing to a Vec");
}

/// Reads an array head of exactly `count` elements.
///
/// # Errors
/// [`Malformed`] for another type or count, or an indefinite length.
pub fn take_array(d: &mut Decoder<'_>, count: u64) -> Result<(), Malformed> {
    if take_count(d)? == count { Ok(()) } else { Err(Malformed) }
}

/// Reads an array head of any definite length.
///
/// # Errors
/// [`Malformed`] for another type or an indefinite length.
pub fn take_count(d: &mut Decoder<'_>) -> Result<u64, Malformed> {
    d.array()?.ok_or(Malformed)
}

macro_rules! integers {
    ($($t:ident),*) => {$(
        impl Canonical for $t {
            fn put(&self, w: &mut Writer) {
                w.$t(*self).expect("writing to a Vec");
            }
            fn take(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
                Ok(d.$t()?)
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, bool);

impl<const N: usize> Canonical for [u8; N] {
    fn put(&self, w: &mut Writer) {
        w.bytes(self).expect("writing to a Vec");
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        d.bytes()?.try_into().map_err(|_| Malformed)
    }
}

/// A byte string of any length.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Bytes(pub Vec<u8>);

impl core::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Bytes({} bytes)", self.0.len())
    }
}

impl Canonical for Bytes {
    fn put(&self, w: &mut Writer) {
        w.bytes(&self.0).expect("writing to a Vec");
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Bytes(d.bytes()?.to_vec()))
    }
}

impl Canonical for alloc::string::String {
    fn put(&self, w: &mut Writer) {
        w.str(self).expect("writing to a Vec");
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(d.str()?.into())
    }
}

impl<T: Canonical> Canonical for Option<T> {
    fn put(&self, w: &mut Writer) {
        match self {
            Some(value) => value.put(w),
            None => {
                w.null().expect("writing to a Vec");
            }
        }
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        if d.datatype()? == Type::Null {
            d.null()?;
            Ok(None)
        } else {
            T::take(d).map(Some)
        }
    }
}

impl<T: Canonical> Canonical for Vec<T> {
    fn put(&self, w: &mut Writer) {
        put_array(w, self.len() as u64);
        for value in self {
            value.put(w);
        }
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let count = take_count(d)?;
        // No capacity is reserved from a length that the input claims.
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(T::take(d)?);
        }
        Ok(values)
    }
}

impl<A: Canonical, B: Canonical> Canonical for (A, B) {
    fn put(&self, w: &mut Writer) {
        put_array(w, 2);
        self.0.put(w);
        self.1.put(w);
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        take_array(d, 2)?;
        Ok((A::take(d)?, B::take(d)?))
    }
}

/// Defines a record: a struct that is encoded as an array of its fields in the order given.
#[macro_export]
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident : $type:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type),* }

        impl $crate::codec::Canonical for $name {
            fn put(&self, w: &mut $crate::codec::Writer) {
                const COUNT: u64 = [$(stringify!($field)),*].len() as u64;
                $crate::codec::put_array(w, COUNT);
                $($crate::codec::Canonical::put(&self.$field, w);)*
            }
            fn take(d: &mut minicbor::Decoder<'_>) -> Result<Self, $crate::codec::Malformed> {
                const COUNT: u64 = [$(stringify!($field)),*].len() as u64;
                $crate::codec::take_array(d, COUNT)?;
                Ok(Self { $($field: <$type as $crate::codec::Canonical>::take(d)?),* })
            }
        }
    };
}
