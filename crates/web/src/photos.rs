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
use tokio::sync::Semaphore;

use crate::icons::NO_PICTURE;
use crate::parts::SMALL;

/// Small photos kept, about 30 KB each.
const KEPT: NonZeroUsize = NonZeroUsize::new(512).expect("512 is not zero");

/// Longer side of a photo that is made small, pixels: what clients send has at most 1,600, and one
/// of 4,096 × 4,096 takes 64 MiB to decode.
const SIDE_MAX: u32 = 4_096;

/// Memory for decoding, bytes.
const DECODE_BYTES_MAX: u64 = 96 * 1024 * 1024;

/// Photos decoded at once: [`DECODE_BYTES_MAX`] each, whatever number is asked for.
static DECODING: Semaphore = Semaphore::const_new(2);

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
    // Before the photo is loaded: who waits holds none.
    let turn = DECODING.acquire().await.expect("it is never closed");
    if let Some(made) = remembered(sha256, now_ms) {
        return Ok(HttpResponse::new(200, "image/jpeg", made).immutable());
    }
    let photo = match queries.photo(sha256).await {
        Ok(photo) => photo,
        Err(problem) if problem.status < 500 => return Ok(no_picture()),
        Err(problem) => return Err(problem),
    };
    // Tenths of a second of arithmetic, during which other requests are answered. The turn goes
    // along: whoever hangs up leaves the work behind. A decoder that panics found no picture.
    let work = tokio::task::spawn_blocking(move || {
        let made = shrink(&photo);
        drop(turn);
        made
    });
    let Some(made) = work.await.ok().flatten() else { return Ok(no_picture()) };
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

/// What decodes a photo, if its head says that it is within bounds: no pixel is decoded yet.
fn decoder(photo: &[u8]) -> Option<impl ImageDecoder> {
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
    // A decoder holds only its own needs to the limits, not the picture.
    limits.reserve(decoder.total_bytes()).ok()?;
    Some(decoder)
}

/// Decodes a photo within bounds and makes a small square of it, a JPEG; none if it can't be shown.
pub fn shrink(photo: &[u8]) -> Option<Vec<u8>> {
    let image = DynamicImage::from_decoder(decoder(photo)?).ok()?;
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

    /// A photo's head with other sides: CRC-32 as in PNG's Annex D, a bit at a time.
    fn resized(mut png: Vec<u8>, side: u32) -> Vec<u8> {
        png[16..20].copy_from_slice(&side.to_be_bytes());
        png[20..24].copy_from_slice(&side.to_be_bytes());
        let crc =
            !png[12..29].iter().fold(u32::MAX, |crc, byte| {
                (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                    if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
                })
            });
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        png
    }

    #[test]
    fn what_is_too_large_or_no_photo_is_not_decoded() {
        assert!(shrink(&png(SIDE_MAX + 1, 1)).is_none());
        // 4,096² pixels of 8 bytes are 128 MiB, though the sides are within bounds.
        let mut deep = Cursor::new(Vec::new());
        DynamicImage::new_rgba16(1, 1).write_to(&mut deep, ImageFormat::Png).expect("a picture");
        let deep = deep.into_inner();
        assert_eq!(decoder(&resized(deep.clone(), 1)).expect("it fits").total_bytes(), 8);
        assert!(decoder(&resized(deep.clone(), 3_547)).is_some(), "96 MiB and no more");
        assert!(decoder(&resized(deep, SIDE_MAX)).is_none());
        assert!(shrink(b"<svg xmlns='http://www.w3.org/2000/svg'/>").is_none());
        assert!(shrink(b"").is_none() && shrink(&png(9, 9)[..40]).is_none());
    }
}
