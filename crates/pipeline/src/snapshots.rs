//! Snapshots in the object store: keyed by the hash of a committed block, chunks first and the
//! manifest with the digest last, so that one cut short by a crash has no manifest. They are a
//! cache: losing all of them costs a replay from genesis.

use pitpet_chain::codec::{decode, encode};
use pitpet_chain::hash::{BlockHash, Digest32, KennelId, sha256};
use pitpet_chain::limits::SNAPSHOT_BYTES_MAX;
use pitpet_chain::record;

use crate::head::{LedgerError, damaged};
use crate::ports::{ObjectError, Objects};

/// Snapshots kept.
pub const KEPT: usize = 3;

/// Bytes of a chunk: 4 MiB, small enough to be sent again after a failure.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

record! {
    /// Written last: what the chunks must add up to.
    pub struct Manifest {
        /// Number of chunks.
        pub chunk_count: u32,
        /// Bytes in all.
        pub size: u64,
        /// SHA-256 of all bytes.
        pub digest: Digest32,
    }
}

/// Which block a snapshot is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: BlockHash,
}

fn manifests(kennel: &KennelId) -> String {
    format!("snapshot/{kennel}/manifest/")
}

fn chunks(kennel: &KennelId) -> String {
    format!("snapshot/{kennel}/chunk/")
}

/// Key of a snapshot's manifest.
pub fn manifest_key(kennel: &KennelId, place: &Place) -> String {
    format!("{}{:020}-{}", manifests(kennel), place.height, place.hash)
}

fn chunk_folder(kennel: &KennelId, place: &Place) -> String {
    format!("{}{:020}-{}/", chunks(kennel), place.height, place.hash)
}

fn chunk_key(kennel: &KennelId, place: &Place, chunk: u32) -> String {
    format!("{}{chunk:05}", chunk_folder(kennel, place))
}

fn read_place(text: &str) -> Option<Place> {
    let (height, hash) = text.split_once('-')?;
    Some(Place { height: height.parse().ok()?, hash: hash.parse().ok()? })
}

/// Lists the snapshots that have a manifest, lowest first.
///
/// # Errors
/// [`ObjectError`].
pub async fn list(objects: &dyn Objects, kennel: &KennelId) -> Result<Vec<Place>, ObjectError> {
    let prefix = manifests(kennel);
    let keys = objects.list(&prefix).await?;
    let mut places: Vec<Place> =
        keys.iter().filter_map(|key| read_place(key.strip_prefix(&prefix)?)).collect();
    places.sort();
    Ok(places)
}

/// Writes a snapshot and deletes all but the last [`KEPT`] and this one: a long replay leaves some
/// that are older than bad ones.
///
/// # Errors
/// [`ObjectError`]; a snapshot cut short is never read.
pub async fn write(
    objects: &dyn Objects,
    kennel: &KennelId,
    place: &Place,
    content: &[u8],
) -> Result<(), ObjectError> {
    let mut chunk_count = 0;
    for chunk in content.chunks(CHUNK_BYTES) {
        objects.put(&chunk_key(kennel, place, chunk_count), chunk.to_vec()).await?;
        chunk_count += 1;
    }
    let manifest = Manifest { chunk_count, size: content.len() as u64, digest: sha256(content) };
    objects.put(&manifest_key(kennel, place), encode(&manifest)).await?;
    let places = list(objects, kennel).await?;
    let Some(oldest) = places.iter().rev().nth(KEPT - 1) else { return Ok(()) };
    // Manifests go first, so that what is half deleted is not found; then all chunks below the
    // oldest one kept, also those whose manifest was never written.
    for old in places.iter().filter(|old| *old < oldest && *old != place) {
        objects.delete(&manifest_key(kennel, old)).await?;
    }
    let prefix = chunks(kennel);
    for key in objects.list(&prefix).await? {
        let old = key.strip_prefix(&prefix).and_then(|rest| rest.split_once('/'));
        if old.and_then(|(old, _)| read_place(old)).is_some_and(|old| old < *oldest && old != *place) {
            objects.delete(&key).await?;
        }
    }
    Ok(())
}

/// Every snapshot's height divides by this where one is archived.
pub const ARCHIVED_EVERY: u64 = 256;

/// A snapshot that is archived has at most this many bytes: what a browser is sent to check a
/// block by itself fits an answer of Lambda, 6 MB as base64.
pub const ARCHIVED_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Key of a block's archived state.
pub fn archived_key(kennel: &KennelId, place: &Place) -> String {
    format!("archive/{kennel}/{:020}-{}", place.height, place.hash)
}

/// Keeps a snapshot for ever, for whoever checks a block by itself; a larger one, or one at
/// another height, isn't kept. Whoever opens it recomputes its root, so that it has no digest.
///
/// # Errors
/// [`ObjectError`].
pub async fn archive(
    objects: &dyn Objects,
    kennel: &KennelId,
    place: &Place,
    content: &[u8],
) -> Result<(), ObjectError> {
    if place.height.is_multiple_of(ARCHIVED_EVERY) && content.len() <= ARCHIVED_BYTES_MAX {
        objects.put(&archived_key(kennel, place), content.to_vec()).await?;
    }
    Ok(())
}

/// Reads an archived snapshot; none if there is none of this block.
///
/// # Errors
/// [`ObjectError`].
pub async fn archived(
    objects: &dyn Objects,
    kennel: &KennelId,
    place: &Place,
) -> Result<Option<Vec<u8>>, ObjectError> {
    match objects.get(&archived_key(kennel, place)).await {
        Ok(content) => Ok(Some(content)),
        Err(ObjectError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deletes a snapshot.
///
/// # Errors
/// [`ObjectError`]; what is half deleted is not found.
pub async fn delete(objects: &dyn Objects, kennel: &KennelId, place: &Place) -> Result<(), ObjectError> {
    let manifest = read_manifest(objects, kennel, place).await.ok();
    objects.delete(&manifest_key(kennel, place)).await?;
    for chunk in 0..manifest.map_or(0, |manifest| manifest.chunk_count) {
        objects.delete(&chunk_key(kennel, place, chunk)).await?;
    }
    Ok(())
}

/// Counts the chunks that no manifest speaks of, among the first 1,000: what a crash left.
///
/// # Errors
/// [`ObjectError`].
pub async fn count_leftovers(objects: &dyn Objects, kennel: &KennelId) -> Result<u64, ObjectError> {
    let places = list(objects, kennel).await?;
    let known: Vec<String> = places.iter().map(|place| chunk_folder(kennel, place)).collect();
    let chunks = objects.list(&chunks(kennel)).await?;
    let is_left = |chunk: &&String| !known.iter().any(|folder| chunk.starts_with(folder.as_str()));
    Ok(chunks.iter().filter(is_left).count() as u64)
}

async fn read_manifest(
    objects: &dyn Objects,
    kennel: &KennelId,
    place: &Place,
) -> Result<Manifest, LedgerError> {
    let bytes = objects.get(&manifest_key(kennel, place)).await?;
    let manifest: Manifest = decode(&bytes).map_err(|_| damaged("a snapshot's manifest"))?;
    let sound = manifest.size <= SNAPSHOT_BYTES_MAX as u64
        && u64::from(manifest.chunk_count) == manifest.size.div_ceil(CHUNK_BYTES as u64);
    if sound { Ok(manifest) } else { Err(damaged("a snapshot's manifest")) }
}

/// Reads a snapshot and checks its digest.
///
/// # Errors
/// [`LedgerError::Objects`] if a part is missing, [`LedgerError::Damaged`] if the digest differs.
pub async fn read(objects: &dyn Objects, kennel: &KennelId, place: &Place) -> Result<Vec<u8>, LedgerError> {
    let manifest = read_manifest(objects, kennel, place).await?;
    let mut content = Vec::new();
    for chunk in 0..manifest.chunk_count {
        content.extend(objects.get(&chunk_key(kennel, place, chunk)).await?);
    }
    let sound = content.len() as u64 == manifest.size && sha256(&content) == manifest.digest;
    if sound { Ok(content) } else { Err(damaged("a snapshot differs from its digest")) }
}
