//! What comes in at the sandbox's port when it is not a well-behaved driver: frames by hand, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test] functions fail by panicking
#![cfg(feature = "console")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bson::{Document, RawDocumentBuf, doc, rawdoc};
use connect_console::observe::Discard;
use connect_console::sandbox::{HOST, Sandbox, SandboxOptions};
use mongodb::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const OP_REPLY: i32 = 1;
const OP_QUERY: i32 = 2004;
const OP_COMPRESSED: i32 = 2012;
const OP_MSG: i32 = 2013;
const MORE_TO_COME: u32 = 1 << 1;
const EXHAUST_ALLOWED: u32 = 1 << 16;
const PATIENCE: Duration = Duration::from_secs(60);

async fn start(dir: &Path, auth: bool) -> Sandbox {
    let options = SandboxOptions { dir: dir.to_owned(), port: 0, http_port: 0, auth };
    Sandbox::start(options, Arc::new(Discard)).await.unwrap()
}

fn frame(operation: i32, content: &[u8]) -> Vec<u8> {
    let length = i32::try_from(16 + content.len()).unwrap();
    [&length.to_le_bytes()[..], &7_i32.to_le_bytes(), &0_i32.to_le_bytes(), &operation.to_le_bytes(), content].concat()
}

fn message(flags: u32, body: &RawDocumentBuf) -> Vec<u8> {
    frame(OP_MSG, &[&flags.to_le_bytes()[..], &[0], body.as_bytes()].concat())
}

fn ping() -> RawDocumentBuf {
    rawdoc! { "ping": 1, "$db": "admin" }
}

/// A connection that says whatever it is told to.
struct Raw(TcpStream);

impl Raw {
    async fn to(sandbox: &Sandbox) -> Self {
        Self(TcpStream::connect(&sandbox.access().mongodb).await.unwrap())
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next frame: its operation, what it answers, and its content.
    async fn frame(&mut self) -> (i32, i32, Vec<u8>) {
        let read = async {
            let mut header = [0; 16];
            self.0.read_exact(&mut header).await.unwrap();
            let field = |at: usize| i32::from_le_bytes(header[at..at + 4].try_into().unwrap());
            let mut content = vec![0; usize::try_from(field(0)).unwrap() - 16];
            self.0.read_exact(&mut content).await.unwrap();
            (field(12), field(8), content)
        };
        tokio::time::timeout(PATIENCE, read).await.expect("no answer")
    }

    async fn answer(&mut self) -> Document {
        let (operation, answers, content) = self.frame().await;
        assert_eq!((operation, answers, &content[..5]), (OP_MSG, 7, &[0; 5][..]));
        Document::try_from(RawDocumentBuf::from_bytes(content[5..].to_vec()).unwrap()).unwrap()
    }

    async fn ask(&mut self, body: &RawDocumentBuf) -> Document {
        self.send(&message(0, body)).await;
        self.answer().await
    }

    /// Waits until the sandbox hangs up.
    async fn is_closed(&mut self) {
        let end = tokio::time::timeout(PATIENCE, self.0.read(&mut [0; 64])).await.expect("still open");
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    }
}

async fn answers(sandbox: &Sandbox) {
    assert_eq!(Raw::to(sandbox).await.ask(&ping()).await, doc! { "ok": 1.0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn one_port_takes_plain_connections_and_tls_under_the_consoles_authority() {
    connect_console::connect::tls::install();
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), true).await;
    let access = sandbox.access();
    let plain = Client::with_uri_str(access.connection_string().reveal()).await.unwrap();
    plain.database("shop").collection("orders").insert_one(doc! { "_id": 1 }).await.unwrap();
    let tls = |ca: &str| format!("{}&tls=true&serverSelectionTimeoutMS=2000{ca}", access.connection_string().reveal());
    let trusting = Client::with_uri_str(tls(&format!("&tlsCAFile={}", access.ca_file.display()))).await.unwrap();
    let found = trusting.database("shop").collection::<Document>("orders").find_one(doc! {}).await.unwrap();
    assert_eq!(found, Some(doc! { "_id": 1 }));
    let stranger = Client::with_uri_str(tls("")).await.unwrap().list_database_names().await.unwrap_err().to_string();
    assert!(stranger.contains("certificate"), "{stranger}");

    // A handshake that never goes on, and one that is none.
    let mut stalled = Raw::to(&sandbox).await;
    stalled.send(&[0x16, 3, 1, 2, 0, 1]).await;
    let mut nonsense = Raw::to(&sandbox).await;
    nonsense.send(&[0x16, 3, 1, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await;
    nonsense.send(&[0xff; 600]).await;
    nonsense.is_closed().await;
    answers(&sandbox).await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_certificate_is_for_its_own_host_name_as_well() {
    connect_console::connect::tls::install();
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), false).await;
    let pem = std::fs::read(&sandbox.access().ca_file).unwrap();
    let address = sandbox.access().mongodb.parse().unwrap();
    for (host, trusted) in [(HOST, true), ("127.0.0.1", true), ("localhost", true), ("other.connect-console.localhost", false)] {
        let client = reqwest::Client::builder()
            .no_proxy()
            .resolve(host, address)
            .tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem).unwrap())
            .timeout(PATIENCE)
            .build()
            .unwrap();
        let error = client.get(format!("https://{host}:{}/", sandbox.access().port())).send().await.unwrap_err();
        // What is said over TLS is HTTP, which is no frame: the sandbox hangs up, after the handshake.
        assert_eq!(!error.is_connect(), trusted, "{host}: {error:?}");
    }
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_listens_on_loopback_only_with_credentials_nobody_else_can_read() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let sandbox = start(&data, true).await;
    for address in [&sandbox.access().mongodb, sandbox.access().data_api.trim_start_matches("http://")] {
        assert!(address.starts_with("127.0.0.1:"), "{address}");
    }
    #[cfg(target_os = "linux")]
    assert!(TcpStream::connect(("127.0.0.2", sandbox.access().port())).await.is_err(), "it listens on more than 127.0.0.1");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data), 0o700);
        assert_eq!(mode(&data.join("sandbox-credentials.json")), 0o600);
    }
    sandbox.stop().await;
}

#[test]
fn doctor_shows_the_credentials_only_when_asked_to_reveal_them() {
    let dir = tempfile::tempdir().unwrap();
    let ran = support::run(dir.path(), &["doctor"]);
    let stored = std::fs::read(dir.path().join("sandbox-credentials.json")).unwrap();
    let stored: serde_json::Value = serde_json::from_slice(&stored).unwrap();
    let secrets = ["password", "api_key"].map(|name| stored[name].as_str().unwrap().to_owned());
    assert!(ran.stdout.contains("DB_HOST=127.0.0.1:"), "{}", ran.stdout);
    assert!(secrets.iter().all(|secret| !ran.stdout.contains(secret) && !ran.stderr.contains(secret)));
    let revealed = support::run(dir.path(), &["doctor", "--reveal"]).stdout;
    assert!(secrets.iter().all(|secret| revealed.contains(secret)), "{revealed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_in_the_middle_of_a_frame_holds_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), false).await;
    let insert = message(0, &rawdoc! { "insert": "c", "documents": [{ "_id": 1, "text": "x".repeat(5_000) }], "$db": "d" });
    let mut stuck = Vec::new();
    for at in [1, 4, 15, 16, 17, 21, 40, insert.len() - 1] {
        let mut raw = Raw::to(&sandbox).await;
        raw.send(&insert[..at]).await;
        stuck.push(raw);
    }
    answers(&sandbox).await;
    // Half of them hang up, the others say the rest after all: but one of them was stuck at each place.
    let late = stuck.split_off(4);
    drop(stuck);
    for (mut raw, at) in late.into_iter().zip([17, 21, 40, insert.len() - 1]) {
        raw.send(&insert[at..]).await;
        assert_eq!(raw.answer().await.get_f64("ok").ok(), Some(1.0));
    }
    let count = Raw::to(&sandbox).await.ask(&rawdoc! { "count": "c", "$db": "d" }).await;
    assert_eq!(count.get_i32("n").ok(), Some(1), "the others were the same document again");
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_is_answered_when_it_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), false).await;
    let mut raw = Raw::to(&sandbox).await;
    raw.0.set_nodelay(true).unwrap();
    for byte in message(0, &ping()) {
        raw.send(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.answer().await, doc! { "ok": 1.0 });
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_frame_closes_its_own_connection_alone() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), true).await;
    let mut compressed = frame(OP_COMPRESSED, &[&OP_MSG.to_le_bytes()[..], &100_i32.to_le_bytes(), &[2, 1, 2, 3]].concat());
    compressed[4] = 1;
    let two_bodies = [&0_u32.to_le_bytes()[..], &[0], ping().as_bytes(), &[0], ping().as_bytes()].concat();
    let length = |n: i32| [&n.to_le_bytes()[..], &[0; 8], &OP_MSG.to_le_bytes()].concat();
    let no_frames: [(&str, Vec<u8>); 9] = [
        ("garbage", vec![0xa5; 64]),
        ("an operation there is not", frame(4711, &[0; 20])),
        ("compression that was not agreed on", compressed),
        ("a required flag nobody knows", message(1 << 5, &ping())),
        ("two bodies", frame(OP_MSG, &two_bodies)),
        ("a length below that of a header", length(15)),
        ("a negative length", length(-1)),
        ("more than 48 MB", length(48_000_001)),
        ("more than 1 MiB before authenticating", length(1_048_577)),
    ];
    let mut honest = Raw::to(&sandbox).await;
    for (what, bytes) in no_frames {
        let mut raw = Raw::to(&sandbox).await;
        raw.send(&bytes).await;
        tokio::time::timeout(PATIENCE, raw.is_closed()).await.expect(what);
        assert_eq!(honest.ask(&ping()).await, doc! { "ok": 1.0 }, "{what}");
    }
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bson_that_is_none_is_an_error_of_its_command() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), false).await;
    let mut raw = Raw::to(&sandbox).await;
    let insert = rawdoc! { "insert": "c", "documents": [{ "_id": 1, "text": "MARK" }], "$db": "d" };
    let mut bytes = message(0, &insert);
    let at = bytes.windows(4).position(|window| window == b"MARK").unwrap();
    bytes[at..at + 4].copy_from_slice(&[0xff, 0xfe, 0xc0, 0x80]);
    raw.send(&bytes).await;
    let refused = raw.answer().await;
    assert_eq!((refused.get_f64("ok").ok(), refused.get_i32("code").ok()), (Some(0.0), Some(22)), "{refused}");

    // A length inside that reaches beyond the document, and a type there is not.
    for (offset, value) in [(-4_isize, 0x7f), (-10, 0x77)] {
        let mut bytes = message(0, &insert);
        bytes[at.checked_add_signed(offset).unwrap()] = value;
        raw.send(&bytes).await;
        let refused = raw.answer().await;
        assert_eq!(refused.get_f64("ok").ok(), Some(0.0), "{refused}");
    }

    // Nesting without an end.
    let mut deep = rawdoc! { "end": true };
    for _ in 0..3_000 {
        deep = rawdoc! { "a": deep };
    }
    let refused = raw.ask(&rawdoc! { "insert": "c", "documents": [deep], "$db": "d" }).await;
    let refused_somehow = refused.get_f64("ok").ok() == Some(0.0) || refused.get_array("writeErrors").is_ok();
    assert!(refused_somehow, "{refused}");
    assert_eq!(raw.ask(&rawdoc! { "count": "c", "$db": "d" }).await.get_i32("n").ok(), Some(0));
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_handshake_is_answered_in_its_own_way_and_no_other_old_query_is() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), true).await;
    let query = |collection: &str, body: &RawDocumentBuf| {
        let head = [&0_i32.to_le_bytes()[..], collection.as_bytes(), &[0], &0_i32.to_le_bytes(), &(-1_i32).to_le_bytes()];
        frame(OP_QUERY, &[&head.concat()[..], body.as_bytes()].concat())
    };
    let mut raw = Raw::to(&sandbox).await;
    let hello = rawdoc! { "isMaster": 1, "helloOk": true, "compression": ["zlib", "snappy", "zstd"] };
    raw.send(&query("admin.$cmd", &hello)).await;
    let (operation, answers, content) = raw.frame().await;
    assert_eq!((operation, answers, content[16]), (OP_REPLY, 7, 1), "one document");
    let reply = Document::try_from(RawDocumentBuf::from_bytes(content[20..].to_vec()).unwrap()).unwrap();
    assert_eq!((reply.get_bool("ismaster").ok(), reply.get_bool("helloOk").ok()), (Some(true), Some(true)), "{reply}");
    assert!(reply.get("compression").is_none(), "no compressor is agreed on: {reply}");
    assert_eq!(reply.get_i32("maxMessageSizeBytes").ok(), Some(48_000_000));
    raw.send(&query("shop.orders", &rawdoc! {})).await;
    raw.is_closed().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_nobody_waits_for_is_done_and_not_answered() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), false).await;
    let mut raw = Raw::to(&sandbox).await;
    for n in 0..50 {
        let insert = rawdoc! { "insert": "c", "documents": [{ "_id": n }], "writeConcern": { "w": 0 }, "$db": "d" };
        raw.send(&message(MORE_TO_COME, &insert)).await;
    }
    let refused = rawdoc! { "insert": "c", "documents": [{ "_id": 1 }], "writeConcern": { "w": 0 }, "$db": "d" };
    raw.send(&message(MORE_TO_COME, &refused)).await;
    assert_eq!(
        raw.ask(&rawdoc! { "count": "c", "$db": "d" }).await.get_i32("n").ok(),
        Some(50),
        "the first answer is the count's"
    );
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_go_on_end_and_are_killed_also_for_who_allows_exhaust() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), false).await;
    let mut raw = Raw::to(&sandbox).await;
    let documents: Vec<RawDocumentBuf> = (0..10).map(|n| rawdoc! { "_id": n }).collect();
    raw.ask(&rawdoc! { "insert": "c", "documents": bson::RawArrayBuf::from_iter(documents), "$db": "d" }).await;
    let open = rawdoc! { "find": "c", "batchSize": 3, "$db": "d" };
    let id = |reply: &Document| reply.get_document("cursor").unwrap().get_i64("id").unwrap();
    let first = id(&raw.ask(&open).await);
    let more = |id: i64| rawdoc! { "getMore": id, "collection": "c", "batchSize": 4, "$db": "d" };
    // A server may answer one batch a request, whatever the client would allow.
    raw.send(&message(EXHAUST_ALLOWED, &more(first))).await;
    let batch = raw.answer().await;
    assert_eq!(batch.get_document("cursor").unwrap().get_array("nextBatch").unwrap().len(), 4);
    assert_eq!(id(&raw.ask(&more(first)).await), 0, "that was the rest");
    assert_eq!(raw.ask(&more(first)).await.get_i32("code").ok(), Some(43));

    let second = id(&raw.ask(&open).await);
    let killed = raw.ask(&rawdoc! { "killCursors": "c", "cursors": [second, 4711_i64], "$db": "d" }).await;
    assert_eq!(killed.get_array("cursorsKilled").unwrap(), &[second.into()]);
    assert_eq!(killed.get_array("cursorsNotFound").unwrap(), &[4711_i64.into()]);
    assert_eq!(raw.ask(&more(second)).await.get_i32("code").ok(), Some(43));
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_accepted_and_transactions_refused_as_a_standalone_server_does() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), false).await;
    let mut raw = Raw::to(&sandbox).await;
    let started = raw.ask(&rawdoc! { "startSession": 1, "$db": "admin" }).await;
    let lsid = RawDocumentBuf::try_from(started.get_document("id").unwrap()).unwrap();
    let insert = rawdoc! { "insert": "c", "documents": [{ "_id": 1 }], "lsid": lsid.clone(), "$db": "d" };
    assert_eq!(raw.ask(&insert).await.get_i32("n").ok(), Some(1));
    let mut transaction = rawdoc! { "insert": "c", "documents": [{ "_id": 2 }], "lsid": lsid.clone(), "$db": "d" };
    transaction.append(bson::raw::cstr!("txnNumber"), 1_i64);
    transaction.append(bson::raw::cstr!("startTransaction"), true);
    transaction.append(bson::raw::cstr!("autocommit"), false);
    let refused = raw.ask(&transaction).await;
    assert_eq!(
        (refused.get_i32("code").ok(), refused.get_str("codeName").ok()),
        (Some(20), Some("IllegalOperation")),
        "{refused}"
    );
    assert_eq!(raw.ask(&rawdoc! { "count": "c", "$db": "d" }).await.get_i32("n").ok(), Some(1), "nothing of it was done");
    let ended = raw.ask(&rawdoc! { "endSessions": [lsid], "$db": "admin" }).await;
    assert_eq!(ended, doc! { "ok": 1.0 });
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_authenticate_or_does_it_wrong_is_told_so_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), true).await;
    let mut raw = Raw::to(&sandbox).await;
    let code = |reply: &Document| (reply.get_i32("code").unwrap(), reply.get_str("codeName").unwrap().to_owned());
    let find = raw.ask(&rawdoc! { "find": "c", "$db": "d" }).await;
    assert_eq!(code(&find), (13, "Unauthorized".into()));
    let plain = raw.ask(&rawdoc! { "saslStart": 1, "mechanism": "PLAIN", "payload": "x", "$db": "admin" }).await;
    assert_eq!(code(&plain), (334, "MechanismUnavailable".into()));
    let early = raw.ask(&rawdoc! { "saslContinue": 1, "conversationId": 1, "payload": "x", "$db": "admin" }).await;
    assert_eq!(code(&early), (17, "ProtocolError".into()));
    for user in ["console", "somebody"] {
        let binary = |text: String| bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: text.into_bytes() };
        let first = binary(format!("n,,n={user},r=abcdef"));
        let begun = raw.ask(&rawdoc! { "saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": first, "$db": "admin" }).await;
        let server = String::from_utf8(begun.get_binary_generic("payload").unwrap().clone()).unwrap();
        let nonce = server.split(',').next().unwrap();
        assert!(nonce.starts_with("r=abcdef") && nonce.len() > 20, "who the user is is not told before the proof: {server}");
        let proof = binary(format!("c=biws,{nonce},p={}", "A".repeat(43) + "="));
        let wrong = raw.ask(&rawdoc! { "saslContinue": 1, "conversationId": 1, "payload": proof, "$db": "admin" }).await;
        assert_eq!(code(&wrong), (18, "AuthenticationFailed".into()));
    }
    assert_eq!(code(&raw.ask(&rawdoc! { "find": "c", "$db": "d" }).await).0, 13);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_clients_at_once_are_all_served() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), false).await;
    let mut connected = Vec::new();
    for n in 0..500_i32 {
        let mut raw = Raw::to(&sandbox).await;
        raw.send(&message(0, &rawdoc! { "insert": "c", "documents": [{ "_id": n }], "$db": "d" })).await;
        connected.push(raw);
    }
    for raw in &mut connected {
        assert_eq!(raw.answer().await.get_i32("n").ok(), Some(1));
    }
    let count = connected[0].ask(&rawdoc! { "count": "c", "$db": "d" }).await;
    assert_eq!(count.get_i32("n").ok(), Some(500));
    drop(connected);
    answers(&sandbox).await;
    sandbox.stop().await;
}
