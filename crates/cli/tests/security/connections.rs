//! Slow, endless and too many senders, against the whole service.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use pitpet_local::service::{FrontSettings, Service, ServiceSettings};

/// How long a test waits for what must come: far more than any machine needs.
const PATIENCE: Duration = Duration::from_secs(120);

async fn start(folder: &tempfile::TempDir, connections_max: u32, patience: Duration) -> Service {
    let front = FrontSettings { head_timeout: patience, body_timeout: patience, connections_max };
    let settings = ServiceSettings { front, ..ServiceSettings::new(folder.path(), 0) };
    Service::start(settings).await.expect("it starts")
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads until the other side closes.
fn read_to_end(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        // Closed with something of ours unread.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("it is not closed: {error}"),
    }
    String::from_utf8(answer).unwrap()
}

fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address);
    match stream.write_all(request) {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
        Err(error) => panic!("{error}"),
    }
    read_to_end(stream)
}

fn is_healthy(address: SocketAddr) -> bool {
    let answer = exchange(address, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    answer.starts_with("HTTP/1.1 200 ")
}

/// Runs a blocking test beside the service.
async fn beside<T: Send + 'static>(
    service: &Service,
    test: impl FnOnce(SocketAddr) -> T + Send + 'static,
) -> T {
    let address = service.address();
    tokio::task::spawn_blocking(move || test(address)).await.unwrap()
}

const POST: &str = "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn slow_senders_are_cut_off_and_hold_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(&folder, 4, Duration::from_secs(3)).await;
    beside(&service, |address| {
        // More half-sent heads than there are places: their time ends, and others are served.
        let slow: Vec<TcpStream> = (0..6)
            .map(|_| {
                let mut stream = connect(address);
                stream.write_all(b"GET /healthz HTTP/1.1\r\nhost:").unwrap();
                stream
            })
            .collect();
        assert!(is_healthy(address), "served once a place is free");
        for stream in slow {
            let answer = read_to_end(stream);
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
        }
        // A body that doesn't come.
        let answer = exchange(address, format!("{POST}content-length: 100\r\n\r\n{{").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("/problems/body-too-slow") && answer.contains("3000 ms"), "{answer}");
        // One who says nothing, and one who says nothing more after an answer.
        assert_eq!(read_to_end(connect(address)), "");
        let kept = exchange(address, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
        assert!(kept.starts_with("HTTP/1.1 200 "), "{kept}");
        assert!(is_healthy(address));
    })
    .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_before_it_is_buffered() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(&folder, 16, PATIENCE).await;
    beside(&service, |address| {
        // By what it declares: not a byte of the body has been sent.
        let declared = exchange(address, format!("{POST}content-length: 99999999999\r\n\r\n").as_bytes());
        assert!(declared.starts_with("HTTP/1.1 413 ") && declared.contains("524288 bytes"), "{declared}");
        let photo = "PUT /media/uploads/x HTTP/1.1\r\nhost: x\r\ncontent-length: 2097153\r\n\r\n";
        let photo = exchange(address, photo.as_bytes());
        assert!(photo.starts_with("HTTP/1.1 413 ") && photo.contains("2097152 bytes"), "{photo}");
        // By what comes, where nothing is declared.
        let mut endless = format!("{POST}transfer-encoding: chunked\r\n\r\n").into_bytes();
        for _ in 0..9 {
            endless.extend(b"10000\r\n");
            endless.extend([b' '; 0x10000]);
            endless.extend(b"\r\n");
        }
        let endless = exchange(address, &endless);
        assert!(endless.starts_with("HTTP/1.1 413 "), "{endless}");
        // Heads.
        let long = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(64 * 1024));
        let many = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(65));
        let answer = exchange(address, many.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        // Closed in the middle of what is sent, the connection may be gone before its answer is read.
        let answer = exchange(address, long.as_bytes());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
        assert!(is_healthy(address));
    })
    .await;
    service.stop().await;
}

/// A service with at most this many files.
#[cfg(unix)]
fn with_files(files: u32) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_pitpet")]);
    command
}

/// A page takes several connections to the table at once; whoever holds many to the service leaves
/// it those.
#[cfg(target_os = "linux")]
#[test]
fn connections_leave_the_service_the_files_that_it_needs_itself() {
    let folder = tempfile::tempdir().unwrap();
    let server = crate::load::Server::spawn(&mut with_files(96), folder.path());
    let address = server.url.trim_start_matches("http://").parse().unwrap();
    let mut first = connect(address);
    let mut ask = || {
        first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let mut part = [0; 16 * 1024];
        // The end of a page; the connection stays.
        while !answer.ends_with(b"</html>") {
            let read = first.read(&mut part).unwrap();
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend(&part[..read]);
        }
        String::from_utf8(answer).unwrap()
    };
    assert!(ask().starts_with("HTTP/1.1 200 "));
    let idle: Vec<TcpStream> = (0..96).map(|_| connect(address)).collect();
    for _ in 0..20 {
        let answer = ask();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count();
    assert!(open <= 88, "{open} files of 96 are open");
    drop(idle);
    assert!(is_healthy(address));
}

#[cfg(unix)]
#[test]
fn too_few_files_are_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = with_files(40);
    service.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
    let mut service = service.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(service.stdout.take().unwrap()).read_line(&mut address).unwrap();
    if !address.is_empty() {
        service.kill().unwrap();
    }
    let ended = service.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{address}{said}");
    assert!(said.contains("at most 40 files may be open") && said.contains("ulimit -n"), "{said}");
}
