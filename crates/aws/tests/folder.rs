//! The object store in a folder: the port's suite, and its uploads.

use pitpet_aws::FolderObjects;
use pitpet_aws::objects::{UPLOAD_PATH, UploadError, UploadSecret};
use pitpet_pipeline::conformance;
use pitpet_pipeline::ports::{ObjectError, Objects};
use sha2::{Digest, Sha256};

const NOW_MS: u64 = 1_700_000_000_000;

fn open(folder: &tempfile::TempDir) -> FolderObjects {
    FolderObjects::open(&folder.path().join("objects"), UploadSecret::new([1; 32])).expect("open")
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let folder = tempfile::tempdir().unwrap();
    conformance::objects::all(&open(&folder)).await;
}

#[tokio::test]
async fn objects_outlive_the_store_and_are_plain_files() {
    let folder = tempfile::tempdir().unwrap();
    open(&folder).put("media/ab", b"photo".to_vec()).await.unwrap();
    assert_eq!(open(&folder).get("media/ab").await.unwrap(), b"photo");
    assert_eq!(std::fs::read(folder.path().join("objects/media/ab")).unwrap(), b"photo");
}

#[tokio::test]
async fn a_folder_that_is_a_file_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let opened = FolderObjects::open(file.path(), UploadSecret::random().unwrap());
    assert!(matches!(opened, Err(ObjectError::Refused { .. })), "{opened:?}");
}

/// Makes a ticket for `photo` as `image/png`; gives its token.
async fn token(store: &FolderObjects) -> String {
    let sha256 = Sha256::digest(b"photo").into();
    let ticket = store.upload_ticket("media/ab", &sha256, 5, "image/png", NOW_MS).await.unwrap();
    ticket.url.strip_prefix(UPLOAD_PATH).expect("a relative path").to_owned()
}

#[tokio::test]
async fn an_upload_that_fits_its_ticket_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let token = token(&store).await;
    let late = NOW_MS + 599_999;
    assert_eq!(store.verify_upload(&token, "image/png", b"photo".to_vec(), late).await.unwrap(), "media/ab");
    assert_eq!(store.get("media/ab").await.unwrap(), b"photo");
}

#[tokio::test]
async fn an_upload_that_does_not_fit_says_why_and_stores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let token = token(&store).await;
    let upload = async |token: &str, content_type: &str, body: &str, now_ms| {
        store.verify_upload(token, content_type, body.into(), now_ms).await.unwrap_err()
    };
    let wrong = upload(&token, "image/png", "phony", NOW_MS).await;
    assert!(matches!(wrong, UploadError::WrongHash), "{wrong}");
    let wrong = upload(&token, "image/png", "photos", NOW_MS).await;
    assert!(matches!(wrong, UploadError::WrongSize { expected: 5, actual: 6 }), "{wrong}");
    let wrong = upload(&token, "image/jpeg", "photo", NOW_MS).await;
    assert!(matches!(wrong, UploadError::WrongContentType { .. }), "{wrong}");
    let wrong = upload(&token, "image/png", "photo", NOW_MS + 600_000).await;
    assert!(matches!(wrong, UploadError::Expired { .. }), "{wrong}");
    let wrong = upload(&format!("{token}A"), "image/png", "photo", NOW_MS).await;
    assert!(matches!(wrong, UploadError::Forged), "{wrong}");
    let other = FolderObjects::open(folder.path(), UploadSecret::random().unwrap()).unwrap();
    let wrong = other.verify_upload(&token, "image/png", b"photo".to_vec(), NOW_MS).await.unwrap_err();
    assert!(matches!(wrong, UploadError::Forged), "another process's secret: {wrong}");
    assert_eq!(store.size("media/ab").await.unwrap(), None);
}

#[tokio::test]
async fn a_folder_can_not_hold_one_object_below_another() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.put("a/b", b"x".to_vec()).await.unwrap();
    for key in ["a/b/c", "a"] {
        let outcome = store.put(key, b"y".to_vec()).await;
        assert!(matches!(outcome, Err(ObjectError::Refused { .. })), "{key}: {outcome:?}");
    }
    assert_eq!(store.list("a/").await.unwrap(), ["a/b"]);
    assert_eq!(store.get("a/b").await.unwrap(), b"x");
}
