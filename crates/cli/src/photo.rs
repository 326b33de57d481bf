//! Photos: what leaves the owner's machine is pixels, and nothing else.
//!
//! A photo is decoded, turned as its EXIF orientation says, scaled down, and encoded anew as a
//! baseline JPEG without metadata: no GPS position, no camera, no thumbnail, no colour profile.
//! The hash that goes on the ledger is that of the new file.

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Rgb, RgbImage, imageops};
use pitpet_chain::hash::{Digest32, sha256};
use pitpet_chain::limits::PHOTO_BYTES_MAX;

use crate::failure::Failure;

/// Longer side of a photo after scaling, pixels.
pub const SIDE_MAX: u32 = 1600;

/// Longer side that is read at all, pixels: cameras of 100 megapixels stay below 12,000.
pub const SOURCE_SIDE_MAX: u32 = 16_384;

/// File that is read at all, bytes.
pub const SOURCE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Memory for decoding, bytes: 12,000 × 9,000 pixels of 4 bytes are 432 MB.
const DECODE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// JPEG qualities, tried in this order until the file is small enough.
const QUALITIES: [u8; 4] = [85, 75, 60, 40];

/// What the file is sent as.
pub const CONTENT_TYPE: &str = "image/jpeg";

/// A photo that is ready to leave the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// The JPEG file.
    pub bytes: Vec<u8>,
    /// Its SHA-256: the photo's name on the ledger and in the object store.
    pub sha256: Digest32,
}

impl Photo {
    /// Reads a JPEG, PNG or WebP file and prepares it.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the file can't be read, is too large, or is no such image.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let fault = |error: std::io::Error| Failure::usage(format!("photo {shown}: {error}"));
        let size = std::fs::metadata(path).map_err(fault)?.len();
        if size > SOURCE_BYTES_MAX {
            let mib = SOURCE_BYTES_MAX / 1024 / 1024;
            return Err(Failure::usage(format!("photo {shown}: {size} bytes, at most {mib} MiB are read")));
        }
        Self::read(&std::fs::read(path).map_err(fault)?)
            .map_err(|why| Failure::usage(format!("photo {shown}: {why}")))
    }

    /// Prepares the content of a JPEG, PNG or WebP file.
    ///
    /// # Errors
    /// In words, why it can't be used.
    pub fn read(content: &[u8]) -> Result<Self, String> {
        let mut reader = ImageReader::new(Cursor::new(content))
            .with_guessed_format()
            .map_err(|error| error.to_string())?;
        if !matches!(reader.format(), Some(ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP)) {
            return Err("not a JPEG, PNG or WebP image".into());
        }
        let mut limits = Limits::default();
        limits.max_image_width = Some(SOURCE_SIDE_MAX);
        limits.max_image_height = Some(SOURCE_SIDE_MAX);
        limits.max_alloc = Some(DECODE_BYTES_MAX);
        reader.limits(limits.clone());
        let mut decoder = reader.into_decoder().map_err(|error| error.to_string())?;
        // Before a pixel is decoded: a decoder holds only its own needs to the limits, not the picture.
        let (width, height) = decoder.dimensions();
        limits.reserve(decoder.total_bytes()).map_err(|_| {
            let mib = DECODE_BYTES_MAX / 1024 / 1024;
            format!("{width} × {height} pixels need more than {mib} MiB of memory")
        })?;
        // An unreadable orientation is no reason to refuse a readable picture.
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut image = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
        image.apply_orientation(orientation);
        Self::from_image(image)
    }

    /// Scales a picture down, if need be, and encodes it.
    ///
    /// # Errors
    /// In words, why it can't be used.
    pub fn from_image(image: DynamicImage) -> Result<Self, String> {
        let image = if image.width().max(image.height()) > SIDE_MAX {
            image.resize(SIDE_MAX, SIDE_MAX, imageops::FilterType::CatmullRom)
        } else {
            image
        };
        let pixels = on_white(image);
        for quality in QUALITIES {
            let mut bytes = Vec::new();
            JpegEncoder::new_with_quality(&mut bytes, quality)
                .encode_image(&pixels)
                .map_err(|error| error.to_string())?;
            if bytes.len() as u64 <= PHOTO_BYTES_MAX {
                return Ok(Self { sha256: sha256(&bytes), bytes });
            }
        }
        Err(format!("more than {} MiB even at low quality", PHOTO_BYTES_MAX / 1024 / 1024))
    }
}

/// Lays a picture that may be transparent on white, because JPEG knows no transparency.
fn on_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let layered = image.into_rgba8();
    RgbImage::from_fn(layered.width(), layered.height(), |x, y| {
        let [r, g, b, a] = layered.get_pixel(x, y).0.map(u32::from);
        let mix = |c: u32| u8::try_from((c * a + 255 * (255 - a)) / 255).expect("a mean of bytes is a byte");
        Rgb([mix(r), mix(g), mix(b)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture whose left half is red and right half is blue.
    fn halves(width: u32, height: u32) -> DynamicImage {
        RgbImage::from_fn(
            width,
            height,
            |x, _| if x < width / 2 { Rgb([220, 20, 20]) } else { Rgb([20, 20, 220]) },
        )
        .into()
    }

    fn jpeg(image: &DynamicImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(image).unwrap();
        bytes
    }

    /// An EXIF block (TIFF, little endian) with an orientation and a GPS position (47.5 N).
    fn exif(orientation: u16) -> Vec<u8> {
        let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
            let mut bytes = Vec::new();
            bytes.extend(tag.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(count.to_le_bytes());
            bytes.extend(value);
            bytes
        };
        let first_at = 8_u32;
        let gps_at = first_at + 2 + 2 * 12 + 4;
        let latitude_at = gps_at + 2 + 2 * 12 + 4;
        let mut tiff = b"II*\0".to_vec();
        tiff.extend(first_at.to_le_bytes());
        tiff.extend(2_u16.to_le_bytes());
        let [low, high] = orientation.to_le_bytes();
        tiff.extend(entry(0x0112, 3, 1, [low, high, 0, 0]));
        tiff.extend(entry(0x8825, 4, 1, gps_at.to_le_bytes()));
        tiff.extend(0_u32.to_le_bytes());
        tiff.extend(2_u16.to_le_bytes());
        tiff.extend(entry(1, 2, 2, *b"N\0\0\0"));
        tiff.extend(entry(2, 5, 3, latitude_at.to_le_bytes()));
        tiff.extend(0_u32.to_le_bytes());
        for rational in [(47_u32, 1_u32), (30, 1), (0, 1)] {
            tiff.extend(rational.0.to_le_bytes());
            tiff.extend(rational.1.to_le_bytes());
        }
        tiff
    }

    /// Puts an APP1 segment behind a JPEG's start marker, with a text that must not survive.
    fn with_exif(jpeg: &[u8], orientation: u16) -> Vec<u8> {
        let mut segment = b"Exif\0\0".to_vec();
        segment.extend(exif(orientation));
        segment.extend(b"SECRET-GARDEN");
        let mut bytes = jpeg[..2].to_vec();
        bytes.extend([0xff, 0xe1]);
        bytes.extend(u16::try_from(segment.len() + 2).unwrap().to_be_bytes());
        bytes.extend(segment);
        bytes.extend(&jpeg[2..]);
        bytes
    }

    fn contains(haystack: &[u8], needle: &[u8]) -> bool {
        haystack.windows(needle.len()).any(|window| window == needle)
    }

    fn decoded(photo: &Photo) -> RgbImage {
        image::load_from_memory(&photo.bytes).unwrap().into_rgb8()
    }

    #[test]
    fn orientation_is_applied_and_no_metadata_is_left() {
        let source = with_exif(&jpeg(&halves(64, 32)), 6);
        assert!(contains(&source, b"Exif") && contains(&source, b"SECRET-GARDEN"));
        let photo = Photo::read(&source).unwrap();
        for trace in [&b"Exif"[..], b"SECRET-GARDEN", b"GPS", &exif(6)[..16], &[0xff, 0xe1]] {
            assert!(!contains(&photo.bytes, trace), "{trace:?} has left the machine");
        }
        // Orientation 6: turned clockwise by a quarter; what was left is on top.
        let pixels = decoded(&photo);
        assert_eq!(pixels.dimensions(), (32, 64));
        assert!(pixels.get_pixel(16, 4).0[0] > 150, "red on top");
        assert!(pixels.get_pixel(16, 60).0[2] > 150, "blue below");
        // The same picture without the tag stays as it lies.
        assert_eq!(decoded(&Photo::read(&jpeg(&halves(64, 32))).unwrap()).dimensions(), (64, 32));
    }

    #[test]
    fn large_photos_are_scaled_and_small_ones_are_not() {
        let large = Photo::read(&jpeg(&halves(3200, 800))).unwrap();
        assert_eq!(decoded(&large).dimensions(), (1600, 400));
        let small = Photo::read(&jpeg(&halves(40, 30))).unwrap();
        assert_eq!(decoded(&small).dimensions(), (40, 30));
    }

    #[test]
    fn png_and_webp_are_read_and_transparency_is_white() {
        let clear: DynamicImage = image::RgbaImage::from_pixel(16, 16, image::Rgba([0, 0, 0, 0])).into();
        for format in [ImageFormat::Png, ImageFormat::WebP] {
            let mut file = Cursor::new(Vec::new());
            clear.write_to(&mut file, format).unwrap();
            let photo = Photo::read(file.get_ref()).unwrap();
            assert!(photo.bytes.starts_with(&[0xff, 0xd8]));
            assert_eq!(decoded(&photo).get_pixel(8, 8).0, [255; 3]);
        }
    }

    #[test]
    fn what_is_no_photo_is_refused_in_words() {
        assert_eq!(Photo::read(b"%PDF-1.4").unwrap_err(), "not a JPEG, PNG or WebP image");
        assert_eq!(Photo::read(b"").unwrap_err(), "not a JPEG, PNG or WebP image");
        let cut = &jpeg(&halves(64, 32))[..30];
        assert!(Photo::read(cut).is_err());
        let missing = Photo::open(Path::new("no-such-file.jpg")).unwrap_err();
        assert_eq!(missing.exit_code(), 2);
        assert!(missing.to_string().contains("no-such-file.jpg"));
    }

    /// A PNG that says how large it is and holds next to nothing.
    fn png_head(width: u32, height: u32) -> Vec<u8> {
        let chunk = |kind: &[u8; 4], content: &[u8]| {
            let named = [kind.as_slice(), content].concat();
            // CRC-32 as in PNG's Annex D, a bit at a time.
            let crc = !named.iter().fold(u32::MAX, |crc, byte| {
                (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                    if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
                })
            });
            let size = u32::try_from(content.len()).unwrap().to_be_bytes();
            [size.as_slice(), &named, &crc.to_be_bytes()].concat()
        };
        let head = [width.to_be_bytes().as_slice(), &height.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
        let nothing = [0x78, 0x01, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01];
        let parts = [chunk(b"IHDR", &head), chunk(b"IDAT", &nothing), chunk(b"IEND", &[])];
        [b"\x89PNG\r\n\x1a\n".as_slice(), &parts.concat()].concat()
    }

    #[test]
    fn a_picture_that_unfolds_beyond_memory_is_refused_by_its_head() {
        // 16,384² pixels of 4 bytes are 1 GiB; its sides alone are within bounds.
        let wide = Photo::read(&png_head(16_384, 16_384)).unwrap_err();
        assert_eq!(wide, "16384 × 16384 pixels need more than 512 MiB of memory");
        for (width, height) in [(16_385, 1), (1, 16_385), (u32::MAX >> 1, u32::MAX >> 1)] {
            assert!(Photo::read(&png_head(width, height)).is_err(), "{width} × {height}");
        }
        // The same head with a size that fits gets as far as the pixels, which are missing.
        let small = Photo::read(&png_head(4, 4)).unwrap_err();
        assert!(!small.contains("MiB"), "{small}");
    }

    #[test]
    fn the_hash_is_that_of_the_new_file_and_stable() {
        let source = jpeg(&halves(64, 32));
        let photo = Photo::read(&source).unwrap();
        assert_eq!(photo.sha256, sha256(&photo.bytes));
        assert_eq!(photo, Photo::read(&source).unwrap());
    }
}
