//! The small size of photos: made from the uploaded one when it is first asked for.
//!
//! Uploaders give one file, whose hash is on the ledger; a second one would be a claim that nobody
//! checks. The small one is a square from the middle, immutable, and kept by browsers and the edge
//! for good; a bounded memory keeps the newest here.

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use lru::LruCache;
use pitpet_pipeline::api::Problem;
use pitpet_pipeline::http::HttpResponse;
use pitpet_pipeline::query::Queries;

use crate::icons::NO_PICTURE;
use crate::parts::SMALL;

/// Small photos kept, about 30 KB each.
const KEPT: NonZeroUsize = NonZeroUsize::new(512).expect("512 is not zero");

/// Longer side of a photo that is made small, pixels: what clients send has at most 1,600, and one
/// of 4,096 × 4,096 takes 64 MiB to decode.
const SIDE_MAX: u32 = 4_096;

/// Memory for decoding, bytes.
const DECODE_BYTES_MAX: u64 = 96 * 1024 * 1024;

const QUALITY: u8 = 78;

/// How long one is kept here, ms: so long an erased photo may still be shown by this instance.
const KEPT_MS: u64 = 10 * 60 * 1_000;

/// When it was made, and what.
type Made = (u64, Vec<u8>);

static MADE: Mutex<Option<LruCache<String, Made>>> = Mutex::new(None);

/// Serves the small size of a photo; a drawing where there is none that can be shown.
///
/// # Errors
/// A problem if the store fails.
pub(crate) async fn small(queries: &Queries, sha256: &str) -> Result<HttpResponse, Problem> {
    let now_ms = queries.now_ms();
    if let Some(made) = remembered(sha256, now_ms) {
        return Ok(HttpResponse::new(200, "image/jpeg", made).immutable());
    }
    let photo = match queries.photo(sha256).await {
        Ok(photo) => photo,
        Err(problem) if problem.status < 500 => return Ok(no_picture()),
        Err(problem) => return Err(problem),
    };
    let Some(made) = shrink(&photo) else { return Ok(no_picture()) };
    let mut all = MADE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    all.get_or_insert_with(|| LruCache::new(KEPT)).put(sha256.to_owned(), (now_ms, made.clone()));
    Ok(HttpResponse::new(200, "image/jpeg", made).immutable())
}

fn remembered(sha256: &str, now_ms: u64) -> Option<Vec<u8>> {
    let mut all = MADE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (made_ms, made) = all.as_mut()?.get(sha256)?;
    (now_ms.saturating_sub(*made_ms) < KEPT_MS).then(|| made.clone())
}

/// Browsers show it in the photo's place, whatever the status.
fn no_picture() -> HttpResponse {
    HttpResponse::new(404, "image/svg+xml", NO_PICTURE)
}

/// Decodes a photo within bounds and makes a small square of it.
fn shrink(photo: &[u8]) -> Option<Vec<u8>> {
    let mut reader = ImageReader::new(Cursor::new(photo)).with_guessed_format().ok()?;
    if !matches!(reader.format(), Some(ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP)) {
        return None;
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(DECODE_BYTES_MAX);
    reader.limits(limits.clone());
    let decoder = reader.into_decoder().ok()?;
    // Before a pixel is decoded: a decoder holds only its own needs to the limits.
    limits.reserve(decoder.total_bytes()).ok()?;
    let image = DynamicImage::from_decoder(decoder).ok()?;
    let side = image.width().min(image.height());
    let square = image.crop_imm((image.width() - side) / 2, (image.height() - side) / 2, side, side);
    let small = if side > SMALL { square.resize_exact(SMALL, SMALL, FilterType::Triangle) } else { square };
    let mut made = Vec::new();
    JpegEncoder::new_with_quality(&mut made, QUALITY).encode_image(&small.into_rgb8()).ok()?;
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        DynamicImage::new_rgba8(width, height).write_to(&mut file, ImageFormat::Png).expect("a picture");
        file.into_inner()
    }

    #[test]
    fn a_photo_becomes_a_small_square() {
        for ((width, height), side) in [((1_600, 900), 480), ((300, 451), 300)] {
            let made = shrink(&png(width, height)).expect("a picture");
            let image = image::load_from_memory(&made).expect("a picture");
            assert_eq!((image.width(), image.height()), (side, side));
        }
    }

    #[test]
    fn what_is_too_large_or_no_photo_is_not_decoded() {
        assert!(shrink(&png(SIDE_MAX + 1, 1)).is_none());
        assert!(shrink(b"<svg xmlns='http://www.w3.org/2000/svg'/>").is_none());
        assert!(shrink(b"").is_none() && shrink(&png(9, 9)[..40]).is_none());
    }
}
