//! The layout of what crosses the browser's boundary: fields one after the other, each a length
//! (`u32`, little-endian) and that many bytes. Numbers are 8 bytes, little-endian.
//!
//! Deliberately absent: types and names. Nothing in this layout is hashed, signed or stored.

use zeroize::Zeroizing;

use crate::Refused;

/// Reads fields in their order.
pub struct Reader<'a>(&'a [u8]);

fn short() -> Refused {
    Refused::new("input", "A field of the call is missing or has another length.")
}

impl<'a> Reader<'a> {
    /// Begins at the first field.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next field.
    ///
    /// # Errors
    /// If there is none.
    pub fn bytes(&mut self) -> Result<&'a [u8], Refused> {
        let (length, rest) = self.0.split_first_chunk::<4>().ok_or_else(short)?;
        let (field, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(short)?;
        self.0 = rest;
        Ok(field)
    }

    /// A field of `N` bytes.
    ///
    /// # Errors
    /// If it has another length.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        self.bytes()?.try_into().map_err(|_| short())
    }

    /// A field of `N` bytes, or an empty one.
    ///
    /// # Errors
    /// If it has another length.
    pub fn array_or_none<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Refused> {
        match self.bytes()? {
            [] => Ok(None),
            bytes => Ok(Some(bytes.try_into().map_err(|_| short())?)),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// If the field has not 8 bytes.
    pub fn number(&mut self) -> Result<u64, Refused> {
        self.array().map(u64::from_le_bytes)
    }

    /// A text.
    ///
    /// # Errors
    /// If the field isn't UTF-8.
    pub fn text(&mut self) -> Result<&'a str, Refused> {
        core::str::from_utf8(self.bytes()?).map_err(|_| Refused::new("input", "A text isn't UTF-8."))
    }

    /// Requires that nothing is left.
    ///
    /// # Errors
    /// If something is.
    pub fn end(&self) -> Result<(), Refused> {
        if self.0.is_empty() { Ok(()) } else { Err(short()) }
    }
}

/// Writes fields. What it holds is erased when it is dropped.
#[derive(Default)]
pub struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    /// No fields yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    #[must_use]
    pub fn bytes(mut self, field: &[u8]) -> Self {
        let length = u32::try_from(field.len()).expect("a field is far below 4 GiB");
        let mut grown = Zeroizing::new(Vec::with_capacity(self.0.len() + 4 + field.len()));
        grown.extend_from_slice(&self.0);
        grown.extend_from_slice(&length.to_le_bytes());
        grown.extend_from_slice(field);
        self.0 = grown;
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// The fields.
    pub fn done(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_and_nothing_else_passes() {
        let bytes = Writer::new().bytes(b"").bytes("猫".as_bytes()).number(7).bytes(&[1; 32]).done();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.array_or_none::<32>().unwrap(), None);
        assert_eq!(reader.text().unwrap(), "猫");
        assert!(reader.end().is_err());
        assert_eq!(reader.number().unwrap(), 7);
        assert_eq!(reader.array::<32>().unwrap(), [1; 32]);
        reader.end().unwrap();
        assert!(reader.bytes().is_err());
        for cut in 0..bytes.len() {
            let mut reader = Reader::new(&bytes[..cut]);
            let all = (|| {
                reader.bytes()?;
                reader.bytes()?;
                reader.number()?;
                reader.array::<32>()
            })();
            assert!(all.is_err(), "{cut}");
        }
        assert!(Reader::new(&[255; 8]).bytes().is_err());
    }
}
