//! The local authority over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test] functions fail by panicking
#![cfg(feature = "console")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use connect_console::authority::{Authority, TlsListener};
use reqwest::Certificate;
use tokio::net::{TcpListener, TcpStream};

struct Server {
    _dir: tempfile::TempDir,
    authority: Authority,
    address: SocketAddr,
}

async fn serve(names: &[&str]) -> Server {
    connect_console::connect::tls::install();
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open(dir.path()).unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener = TlsListener::new(socket, authority.server_config(names).unwrap()).unwrap();
    let address = listener.address();
    let router = Router::new().route("/", get(async || "here"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Server { _dir: dir, authority, address }
}

fn trusting(authority: &Authority) -> reqwest::ClientBuilder {
    let pem = std::fs::read(authority.ca_file()).unwrap();
    reqwest::Client::builder().no_proxy().tls_certs_only(Certificate::from_pem_bundle(&pem).unwrap())
}

#[tokio::test]
async fn who_trusts_the_authority_gets_an_answer_under_every_name() {
    let server = serve(&["cluster0.sandbox.test"]).await;
    let client = trusting(&server.authority).resolve("cluster0.sandbox.test", server.address).build().unwrap();
    for host in ["127.0.0.1", "localhost", "cluster0.sandbox.test"] {
        let answer = client.get(format!("https://{host}:{}/", server.address.port())).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "here", "{host}");
    }
}

#[tokio::test]
async fn who_does_not_trust_it_and_whoever_asks_for_another_name_is_kept_away() {
    let server = serve(&[]).await;
    let url = format!("https://127.0.0.1:{}/", server.address.port());
    let other = tempfile::tempdir().unwrap();
    let stranger = trusting(&Authority::open(other.path()).unwrap()).build().unwrap();
    assert!(stranger.get(&url).send().await.unwrap_err().is_connect());
    let client = trusting(&server.authority).resolve("example.com", server.address).build().unwrap();
    let foreign = format!("https://example.com:{}/", server.address.port());
    assert!(client.get(foreign).send().await.unwrap_err().is_connect());
    assert_eq!(client.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn handshakes_that_stall_hold_up_nobody() {
    let server = serve(&[]).await;
    let mut stalled = Vec::new();
    for _ in 0..40 {
        stalled.push(TcpStream::connect(server.address).await.unwrap());
    }
    let client = trusting(&server.authority).build().unwrap();
    let call = client.get(format!("https://localhost:{}/", server.address.port())).send();
    let answer = tokio::time::timeout(Duration::from_secs(60), call).await.expect("held up").unwrap();
    assert_eq!(answer.status(), 200);
}
