//! Connections that do nothing lose their place, those that may wait keep it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::{RawDocumentBuf, rawdoc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::patience::Patience;
use super::server::{Shared, serve};
use crate::authority::Authority;
use crate::observe::{Discard, Scope};
use crate::sandbox::credentials::Credentials;
use crate::sandbox::engine::Engine;

/// Short, but for what a test does not wait for.
const SHORT: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(60);
const PATIENT: Patience = Patience { first: LONG, stalled: LONG, stranger: LONG };

struct Served {
    dir: tempfile::TempDir,
    address: std::net::SocketAddr,
    stop: CancellationToken,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn served(patience: Patience, auth: bool) -> Served {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Arc::new(Shared {
        engine: Engine::open(&dir.path().join("sandbox.sqlite")).unwrap(),
        credentials: auth.then(|| Credentials::load_or_make(dir.path()).unwrap()),
        verifier: tokio::sync::OnceCell::new(),
        started: Instant::now(),
        patience,
    });
    let tls = TlsAcceptor::from(Authority::open(dir.path()).unwrap().server_config(&[]).unwrap());
    let stop = CancellationToken::new();
    tokio::spawn(serve(listener, tls, shared, Scope::new(Arc::new(Discard)), stop.clone()));
    Served { dir, address, stop }
}

fn message(body: &RawDocumentBuf) -> Vec<u8> {
    let length = i32::try_from(21 + body.as_bytes().len()).unwrap();
    [&length.to_le_bytes()[..], &[7, 0, 0, 0, 0, 0, 0, 0], &2013_i32.to_le_bytes(), &[0; 5], body.as_bytes()].concat()
}

fn ping() -> Vec<u8> {
    message(&rawdoc! { "ping": 1, "$db": "admin" })
}

async fn connected(served: &Served, says: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(says).await.unwrap();
    stream
}

/// Whether the sandbox hangs up, and does it before anybody loses patience.
async fn is_closed(mut stream: TcpStream) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(LONG / 2, stream.read_to_end(&mut rest)).await.is_ok()
}

async fn answers(stream: &mut TcpStream) -> bool {
    let mut header = [0; 16];
    stream.write_all(&ping()).await.unwrap();
    stream.read_exact(&mut header).await.unwrap();
    let length = u32::from_le_bytes(*header.first_chunk().unwrap());
    stream.read_exact(&mut vec![0; usize::try_from(length).unwrap() - 16]).await.is_ok()
}

#[tokio::test]
async fn who_connects_and_says_nothing_or_half_a_greeting_loses_the_place() {
    let served = served(Patience { first: SHORT, ..PATIENT }, true).await;
    let ping = ping();
    let tls = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0, 0, 0, 0, 0];
    for says in [&[][..], &ping[..7], &ping[..16], &ping[..30], &tls[..]] {
        assert!(is_closed(connected(&served, says).await).await, "after {says:?}");
    }
}

#[tokio::test]
async fn who_stops_in_the_middle_of_a_later_frame_loses_the_place() {
    let served = served(Patience { stalled: SHORT, ..PATIENT }, true).await;
    for cut in [1, 15, 16, 40] {
        let mut stream = connected(&served, &[]).await;
        assert!(answers(&mut stream).await);
        stream.write_all(&ping()[..cut]).await.unwrap();
        assert!(is_closed(stream).await, "after {cut} bytes");
    }
}

#[tokio::test]
async fn who_never_authenticates_may_not_be_silent_for_ever() {
    let served = served(Patience { stranger: SHORT, ..PATIENT }, true).await;
    let mut stream = connected(&served, &[]).await;
    assert!(answers(&mut stream).await);
    assert!(is_closed(stream).await);
}

#[tokio::test]
async fn who_takes_no_answers_loses_the_place() {
    let served = served(Patience { stalled: SHORT, ..PATIENT }, false).await;
    let insert = message(&rawdoc! { "insert": "c", "documents": [{ "_id": 1, "x": "x".repeat(15 << 20) }], "$db": "d" });
    let mut writer = connected(&served, &insert).await;
    assert!(answers(&mut writer).await);
    let find = message(&rawdoc! { "find": "c", "$db": "d" });
    let mut reader = connected(&served, &find).await;
    let mut asked = 1;
    // Asks on and on without reading, until the sandbox has had enough.
    let begun = Instant::now();
    while reader.write_all(&find).await.is_ok() {
        asked += 1;
        tokio::task::yield_now().await;
        assert!(begun.elapsed() < LONG, "still open after {asked} questions");
    }
    assert!(served.dir.path().exists());
}

#[tokio::test]
async fn who_may_work_may_be_silent_as_long_as_they_like() {
    let served = served(Patience { first: SHORT, stalled: SHORT, stranger: SHORT }, false).await;
    let mut pooled = connected(&served, &[]).await;
    assert!(answers(&mut pooled).await);
    // Others come and go until much more than every deadline has passed.
    let begun = Instant::now();
    while begun.elapsed() < SHORT * 4 {
        assert!(is_closed(connected(&served, &[1, 0]).await).await);
    }
    assert!(answers(&mut pooled).await);
}
