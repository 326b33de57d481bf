//! What a hostile player or page may make of somebody's browser, and of the service's files and logs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitpet_chain::hash::{PublicKey, sha256};
use pitpet_chain::request::{Request, Wish};
use pitpet_pipeline::api::SubmittedRequest;
use pitpet_pipeline::ports::UploadTicket;
use reqwest::Method;
use serde_json::{Value, json};

use crate::load::{key, now_ms};
use crate::village::{Answer, Village, account};

/// Sends a request whose target no client would send, and reads the answer.
fn raw(village: &Village, method: &str, target: &str) -> String {
    let address = village.server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn ticket(village: &Village, content: &[u8], content_type: &str) -> UploadTicket {
    let wish = Wish::Upload {
        sha256: sha256(content),
        size: content.len() as u64,
        content_type: content_type.to_owned(),
    };
    let request = Request {
        version: 1,
        account: account(&key(1)),
        key: PublicKey(key(1).verifying_key().to_bytes()),
        expires_ms: now_ms() + 60_000,
        wish,
        stamp: 0,
    };
    let submitted = SubmittedRequest { request: STANDARD.encode(request.sign(&key(1))) };
    let answer = Answer::of(village.request(Method::POST, "/v1/media").json(&submitted)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_value(answer.body).unwrap()
}

async fn upload(village: &Village, ticket: &UploadTicket, content: &[u8], content_type: &str) -> Answer {
    let put = village.request(Method::PUT, &ticket.url).header("content-type", content_type);
    Answer::of(put.body(content.to_vec())).await
}

/// What texts of players try to be: markup, an end of the attribute or element that they stand in,
/// an address that runs, an entity.
const HOSTILE: [&str; 6] = [
    "\"><script>alert(1)</script><b onload='x'>",
    "</p></article><img src=x onerror=alert(2)>",
    "</li></title></style><script src=//evil.example></script>",
    "' onmouseover='alert(3)",
    "]]><svg/onload=alert(4)>&#x3c;script&#x3e;",
    "javascript:alert(5)//${7*7}{{7*7}}<!--",
];

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_are_only_text_on_every_page() {
    let village = Village::start(|_| ()).await;
    let mut pets = Vec::new();
    let mut posts = Vec::new();
    for (at, hostile) in (1..).zip(HOSTILE) {
        let pet = village.birth(&key(at), hostile, hostile).await;
        let (id, post) = village.post(&key(at), 2, pet, hostile);
        village.mine((id, post)).await;
        let (comment, event) = village.comment(&key(at), id, hostile);
        village.mine((comment, event)).await;
        pets.push(pet);
        posts.push(id);
    }
    let mut paths: Vec<String> = ["/", "/?order=alive", "/?order=ending", "/search?q=alert", "/tag/nap"]
        .into_iter()
        .chain(["/feed.atom", "/feed.json", "/tag/nap/feed.atom", "/sitemap.xml", "/ledger/alley"])
        .map(str::to_owned)
        .collect();
    for (at, (pet, post)) in (1..).zip(pets.iter().zip(&posts)) {
        let account = account(&key(at));
        paths.extend([format!("/pet/{pet}"), format!("/post/{post}"), format!("/account/{account}")]);
        paths.extend([format!("/pet/{pet}/feed.atom"), format!("/ledger/alley/{}", 3 * at)]);
    }
    // What a visitor may be sent with a link.
    for hostile in HOSTILE {
        let encoded: String = hostile.bytes().map(|byte| format!("%{byte:02x}")).collect();
        paths.extend(
            ["/search?q=", "/tag/", "/@", "/pet/", "/?order=", "/?cursor=", "/?lang=", "/x/"]
                .map(|start| format!("{start}{encoded}")),
        );
    }
    for path in &paths {
        let page = village.get(path).await;
        assert!(page.status == 200 || page.status == 404 || page.status == 400, "{path}: {}", page.status);
        let text = page.body.as_str().map_or_else(|| page.body.to_string(), str::to_owned);
        if page.header("content-type").ends_with("json") {
            continue;
        }
        for (at, _) in text.match_indices("<script") {
            assert!(
                text[at..].starts_with("<script type=\"module\" src=\"/static/"),
                "{path}: {}",
                &text[at..at + 40]
            );
        }
        // A single quote ends nothing: every attribute of a page stands in double ones.
        for hostile in ["<img src=x", "<b onload", "<svg/onload", "href=\"javascript:", "<!--", "]]>"] {
            assert!(!text.contains(hostile), "{path}: {hostile}");
        }
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; "), "{path}: {policy}");
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{path}: {policy}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
    }
    let page = village.get(&format!("/pet/{}", pets[0])).await;
    let html = page.body.as_str().unwrap();
    let shown = "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;";
    assert!(html.contains(&format!("<h1><bdi>{shown}")), "the name is shown");
    let policy = page.header("content-security-policy");
    for part in [
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
    assert_eq!(page.header("referrer-policy"), "same-origin");
    // The same text over the API is data of a type that no browser renders.
    let card = village.get(&format!("/v1/pets/{}", pets[0])).await;
    assert_eq!(card.body["name"], HOSTILE[0]);
    assert_eq!(
        (card.header("content-type"), card.header("x-content-type-options")),
        ("application/json", "nosniff")
    );
    assert_eq!(card.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_every_script_keep_to_their_place() {
    let village = Village::start(|_| ()).await;
    let names = ["قطة صغيرة", "חתול", "🐈‍⬛👑", "ねこ 東京", "Z̷̡a̸l̶g̵o̸", "Mоchi"];
    for (at, name) in (1..).zip(names) {
        village.birth(&key(at), name, "").await;
    }
    let page = village.get("/").await;
    let html = page.body.as_str().unwrap();
    for name in names {
        // Each in an element whose direction is its own: what stands beside doesn't turn with it.
        assert!(html.contains(&format!("<bdi>{name}</bdi></a>")), "{name}");
    }
    for name in ["قطة", "ねこ"] {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let found = village.get(&format!("/search?q={encoded}")).await;
        assert!(found.body.as_str().unwrap().contains(&format!("<bdi>{name}")), "{name} is found");
    }
    let same = village.get("/search?q=mochi").await;
    assert!(!same.body.as_str().unwrap().contains("Mоchi"), "a look-alike is another word");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_s_page_can_neither_write_nor_read() {
    let village = Village::start(|_| ()).await;
    let from_evil = |method: Method, path: &str| {
        village.request(method, path).header("origin", "https://evil.example").header("cookie", "session=1")
    };
    let openapi: Value = serde_json::from_str(include_str!("../../../../docs/openapi.json")).expect("JSON");
    let described = openapi["paths"].as_object().expect("paths");
    let posts: Vec<&str> =
        described.iter().filter_map(|(path, methods)| methods.get("post").map(|_| path.as_str())).collect();
    assert!(posts.len() >= 12, "{posts:?}");
    let mut answers = Vec::new();
    for path in posts.iter().copied().chain(["/admin/kennels", "/v1/feed", "/"]) {
        // What a browser asks before it sends JSON or a header of its own.
        let preflight = from_evil(Method::OPTIONS, path)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,authorization");
        let answer = Answer::of(preflight).await;
        assert!(answer.status >= 400, "{path}: {}", answer.status);
        answers.push(answer);
        answers.push(Answer::of(from_evil(Method::GET, path)).await);
    }
    // What it sends without asking: forms and plain text.
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    {
        for path in &posts {
            let form = from_evil(Method::POST, path).header("content-type", content_type).body("{}");
            let answer = Answer::of(form).await;
            assert_eq!(answer.status, 415, "{path} {content_type}");
            answers.push(answer);
        }
        let form = from_evil(Method::POST, "/admin/kennels").header("content-type", content_type);
        let open = json!({ "label": "evil", "preset": "town" }).to_string();
        let answer = Answer::of(form.body(open)).await;
        assert_eq!(answer.status, 401, "no token, whatever else the browser sends along");
        answers.push(answer);
    }
    for answer in &answers {
        for name in answer.headers.keys() {
            assert!(!name.as_str().starts_with("access-control-"), "{name}");
            assert_ne!(name, "set-cookie", "there is nothing to send along");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_are_what_their_ticket_says_and_no_page() {
    let village = Village::start(|_| ()).await;
    let page = b"<!doctype html><script>alert(1)</script>".as_slice();
    let ticket = ticket(&village, page, "image/png").await;
    for (what, content, content_type, kind) in [
        ("other bytes", &page[1..], "image/png", "upload-size"),
        ("as many other bytes", &[b'x'; 40], "image/png", "upload-hash"),
        ("another type", page, "text/html", "upload-content-type"),
    ] {
        let answer = upload(&village, &ticket, content, content_type).await;
        assert_eq!(
            (answer.status, &answer.body["type"]),
            (403, &json!(format!("/problems/{kind}"))),
            "{what}"
        );
    }
    let forged = UploadTicket { url: format!("{}A", ticket.url), ..ticket.clone() };
    let answer = upload(&village, &forged, page, "image/png").await;
    assert_eq!((answer.status, &answer.body["type"]), (403, &json!("/problems/upload-forged")));
    let address = format!("/media/{}", hex::encode(sha256(page)));
    assert_eq!(village.get(&address).await.status, 404, "nothing is stored yet");
    // What fits its ticket is kept, and handed out as what it is: bytes to save.
    assert_eq!(upload(&village, &ticket, page, "image/png").await.status, 200);
    let answer = village.get(&address).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    assert_eq!(answer.header("content-disposition"), "attachment");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let policy = "default-src 'none'; frame-ancestors 'none'; sandbox";
    assert_eq!(answer.header("content-security-policy"), policy);
    // A picture is shown as one, by its first bytes.
    let picture = include_bytes!("../../assets/chelsea.png").as_slice();
    let second = crate::browser::ticket(&village, picture, "image/jpeg").await;
    assert_eq!(upload(&village, &second, picture, "image/jpeg").await.status, 200);
    let answer = village.get(&format!("/media/{}", hex::encode(sha256(picture)))).await;
    assert_eq!(
        (answer.header("content-type"), answer.header("content-disposition")),
        ("image/png", "inline")
    );
    assert_eq!(answer.header("content-security-policy"), policy);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_to_the_service_s_files() {
    let village = Village::start(|_| ()).await;
    let token =
        std::fs::read_to_string(village.folder.path().join(pitpet_local::service::ADMIN_TOKEN_FILE)).unwrap();
    let ways = ["../", "..%2f", "%2e%2e/", "..%5c", "%252e%252e%252f", "....//", "%00../"];
    let mut seen = 0;
    for way in ways {
        let up = way.repeat(3);
        for start in
            ["/", "/media/", "/v1/rules/", "/v1/kennels/", "/v1/accounts/", "/v1/kennels/town/export/"]
        {
            for file in ["keys/admin.token", "keys/admin.token.wasm", "etc/passwd"] {
                let answer = raw(&village, "GET", &format!("{start}{up}{file}"));
                let status = answer.split(' ').nth(1).unwrap_or_default();
                assert!(status.starts_with('4'), "{start}{up}{file}: {answer}");
                assert!(!answer.contains(token.trim()) && !answer.contains("root:"), "{start}{up}{file}");
                seen += 1;
            }
        }
        let put = raw(&village, "PUT", &format!("/media/uploads/{up}keys/admin.token"));
        assert!(put.starts_with("HTTP/1.1 403 "), "{put}");
    }
    assert_eq!(seen, ways.len() * 18);
    let after = village.folder.path().join(pitpet_local::service::ADMIN_TOKEN_FILE);
    assert_eq!(std::fs::read_to_string(after).unwrap(), token);
    // Labels are names of items: no path, no control characters.
    for label in ["../x", "a/b", "a\nb", "A", "", "a#b", &"a".repeat(33)] {
        let open = village.request(Method::POST, "/admin/kennels").bearer_auth(token.trim());
        let answer = Answer::of(open.json(&json!({ "label": label, "preset": "town" }))).await;
        assert_eq!((answer.status, &answer.body["field"]), (400, &json!("label")), "{label:?}");
        assert!(answer.body["detail"].as_str().unwrap().contains("1 to 32 characters"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_headers_or_lines_of_the_log() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let stderr = log.reopen().unwrap();
    let village = Village::start(|command| {
        command.env("RUST_LOG", "debug,hyper=off").env("NO_COLOR", "1").stderr(Stdio::from(stderr));
    })
    .await;
    let mark = "forged";
    for inside in ["%0d%0aset-cookie:%20forged=1", "%0aforged%20ERROR", "%1b%5b31mforged", "%e2%80%aeforged"]
    {
        for path in
            ["/v1/accounts/", "/v1/kennels/", "/v1/events/", "/media/", "/v1/rules/", "/v1/feed?cursor="]
        {
            let answer = raw(&village, "GET", &format!("{path}{inside}"));
            let (head, _) = answer.split_once("\r\n\r\n").unwrap();
            assert!(!head.contains(mark), "{path}{inside}: {head}");
        }
        let answer = raw(&village, "POST", &format!("/v1/events{inside}"));
        assert!(!answer.split_once("\r\n\r\n").unwrap().0.contains(mark));
    }
    // A name with control characters is refused at the door, whatever was signed.
    let body = pitpet_chain::body::Body::Birth { name: "a\u{1b}[2Jb".into(), story: String::new() }.encode();
    let salt = crate::village::SALT;
    let payload = pitpet_chain::event::Payload::Birth {
        photo: [0; 32],
        body: pitpet_chain::body::commitment(&salt, &body),
        recovery: None,
        anchor: village.kennel.view.anchor.parse().unwrap(),
    };
    let (_, event) = village.kennel.sign(&key(1), 1, payload, Some((&salt, body)));
    let answer = village.submit(&event).await;
    assert_eq!((answer.status, &answer.body["field"]), (422, &json!("name")), "{}", answer.body);
    drop(village);
    let text = std::fs::read_to_string(log.path()).unwrap();
    assert!(text.lines().count() > 10, "something is logged at all");
    for line in text.lines() {
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
        assert!(!line.trim_start().starts_with(mark), "{line:?}");
    }
}
