//! The neighbourhood: names, stories and faces.
//!
//! All faces come from one real photo (`assets/LICENCE.md`), cropped, mirrored and tinted, so that
//! every pet has a photo and a hash of its own.

use image::{DynamicImage, imageops};
use pitpet_cli::photo::Photo;

/// The photo: 451 × 300 pixels.
const CHELSEA: &[u8] = include_bytes!("../../../assets/chelsea.png");

/// Side of a demonstration photo, pixels.
const SIDE: u32 = 480;

/// A pet of the demonstration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Character {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its story.
    pub(crate) story: &'static str,
    /// What it has to say.
    pub(crate) says: &'static str,
    /// Part of the photo: left, top, side, in pixels.
    pub(crate) crop: (u32, u32, u32),
    /// Whether it looks the other way.
    pub(crate) mirrored: bool,
    /// Red, green and blue, in thousandths of what they were.
    pub(crate) tint: [u32; 3],
}

macro_rules! cast {
    ($($name:literal, $story:literal, $says:literal, $crop:expr, $mirrored:literal, $tint:expr;)*) => {
        &[$(Character { name: $name, story: $story, says: $says, crop: $crop, mirrored: $mirrored, tint: $tint }),*]
    };
}

/// The one who will be neglected, and the others.
pub(crate) const CAST: &[Character] = cast! {
    "Pebble", "Moved in with the grey sofa and never left.", "The sofa is mine. Visit me!", (60, 0, 300), false, [820, 840, 900];
    "Chelsea", "The original. Lives at number 1.", "New whiskers, who dis", (100, 0, 300), false, [1000, 1000, 1000];
    "Mochi", "Found in a shoe box, size 43.", "Shoe boxes are the best boxes.", (60, 20, 260), true, [1120, 1050, 1000];
    "Biscuit", "Knows the opening hours of every bakery.", "Smelled croissants. Was right.", (20, 0, 300), false, [1150, 980, 820];
    "Luna", "Awake when you are not.", "3 a.m. concert tonight, bring nobody.", (130, 10, 270), false, [720, 760, 980];
    "Saffron", "Sleeps in the warmest spot of the map.", "Moved with the sunbeam all day.", (110, 30, 240), true, [1200, 940, 640];
    "Ash", "Came down a chimney, stayed for dinner.", "Dinner was late. Four minutes.", (70, 40, 220), false, [640, 640, 660];
    "Clover", "Brings you leaves, in pairs.", "Two leaves on your pillow. You're welcome.", (90, 10, 290), true, [840, 1120, 820];
    "Ziggy", "Runs the corridor in 1.9 seconds.", "New record: 1.8.", (150, 0, 300), false, [1060, 900, 1120];
    "Hazel", "Two eyes, nine opinions.", "About the new litter: no.", (100, 60, 200), false, [1050, 920, 760];
    "Pixel", "Sits on every keyboard of the house.", "jjjjjjjjjkkkk", (120, 20, 200), true, [900, 1000, 1150];
    "Nori", "Was named before anyone asked about fish.", "Tuna. That's the post.", (40, 30, 260), true, [760, 900, 780];
};

impl Character {
    /// Its photo.
    pub(crate) fn photo(&self) -> Photo {
        let image = image::load_from_memory(CHELSEA).expect("the photo is part of this program");
        let (left, top, side) = self.crop;
        let mut face =
            image.crop_imm(left, top, side, side).resize_exact(SIDE, SIDE, imageops::FilterType::CatmullRom);
        if self.mirrored {
            face = face.fliph();
        }
        let mut pixels = face.into_rgb8();
        for pixel in pixels.pixels_mut() {
            for (value, permille) in pixel.0.iter_mut().zip(self.tint) {
                *value = u8::try_from((u32::from(*value) * permille / 1000).min(255)).expect("bounded above");
            }
        }
        Photo::from_image(DynamicImage::from(pixels)).expect("a small picture")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_pet_has_a_face_of_its_own() {
        let photos: Vec<_> = CAST.iter().map(Character::photo).collect();
        let hashes: BTreeSet<_> = photos.iter().map(|photo| photo.sha256).collect();
        assert_eq!(hashes.len(), CAST.len());
        assert!(photos.iter().all(|photo| (5_000..200_000).contains(&photo.bytes.len())));
        assert!(CAST.len() >= 12);
        let (names, crops): (BTreeSet<_>, Vec<_>) = CAST.iter().map(|pet| (pet.name, pet.crop)).unzip();
        assert_eq!(names.len(), CAST.len());
        assert!(crops.iter().all(|(left, top, side)| left + side <= 451 && top + side <= 300));
    }
}
