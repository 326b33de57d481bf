//! Stopping the service, whatever its clients do.

use std::time::Duration;

use pitpet_local::service::{Service, ServiceSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Far above what it takes, and below the time for which a client may wait for an event.
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_ends_holds_nothing_up() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let service = Service::start(ServiceSettings::new(folder.path(), 0)).await.expect("it starts");
    let mut endless = TcpStream::connect(service.address()).await.expect("it listens");
    let head =
        "POST /v1/events HTTP/1.1\r\nhost: pitpet\r\nexpect: 100-continue\r\ncontent-length: 100\r\n\r\n";
    endless.write_all(head.as_bytes()).await.expect("it takes the head");
    // It says so when it begins to wait for the body.
    let mut goes_on = [0; 12];
    endless.read_exact(&mut goes_on).await.expect("it answers");
    assert_eq!(&goes_on, b"HTTP/1.1 100");
    tokio::time::timeout(LIMIT, service.stop()).await.expect("it stops though the body never comes");
}
