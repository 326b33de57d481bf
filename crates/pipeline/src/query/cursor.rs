//! Where a page ended: a sort key, which this server gave. One of another form is refused: the
//! table would compare it as text, and find anything or nothing.

use crate::api::Problem;
use crate::problem::bad_field;

/// A form of cursors: `0` is a decimal digit, `f` a hexadecimal one, all else is itself.
pub(super) struct Form(&'static str);

/// Of feeds, trades and verdicts: [`crate::items::feed_sk`].
pub(super) const FEED: Form = Form("000000000000000#00000000000000000000#00000#ffffffff");

/// Of a feed whose search ended between two entries: a time.
pub(super) const TIME: Form = Form("000000000000000");

/// Of timelines and visits: [`crate::items::entry_sk`].
pub(super) const ENTRY: Form = Form("E#00000000000000000000#00000");

/// Of the moderators' queue: [`crate::items::queued_report`].
pub(super) const QUEUE: Form =
    Form("00000#000000000000000#ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");

/// Of offers, by price.
pub(super) const OFFER: Form = Form(
    "1#0000000000000000#000000000000000#ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
);

/// Of bids, by price.
pub(super) const BID: Form = Form(
    "2#0000000000000000#000000000000000#ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
);

/// Of orders, by age.
pub(super) const AGE: Form =
    Form("3#000000000000000#ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");

impl Form {
    fn fits(&self, cursor: &str) -> bool {
        let fits = |(wanted, found): (u8, u8)| match wanted {
            b'0' => found.is_ascii_digit(),
            b'f' => matches!(found, b'0'..=b'9' | b'a'..=b'f'),
            _ => wanted == found,
        };
        self.0.len() == cursor.len() && self.0.bytes().zip(cursor.bytes()).all(fits)
    }
}

/// That a cursor is of one of these forms.
///
/// # Errors
/// A problem that names it.
pub(super) fn check(cursor: Option<&str>, forms: &[Form]) -> Result<(), Problem> {
    match cursor {
        Some(cursor) if !forms.iter().any(|form| form.fits(cursor)) => {
            Err(bad_field("cursor", "The cursor must be one that this server gave for this list."))
        }
        _ => Ok(()),
    }
}
