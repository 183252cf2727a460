//! A Connect elsewhere: TLS that is verified, proxies that are honoured, a key that shows up nowhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod fake;
mod support;

use std::process::Command;
use std::sync::Mutex;

use connect_console::authority::{Authority, TlsListener};
use fake::{CREDENTIALS, Connect, HOST, proxy, purchase};
use serde_json::Value;
use support::{Running, anywhere, program};
use tokio::net::TcpListener;

/// A Connect behind TLS, and the authority that vouches for it.
struct Remote {
    connect: Connect,
    port: u16,
    authority: Authority,
    dir: tempfile::TempDir,
}

impl Remote {
    async fn start() -> Self {
        connect_console::connect::tls::install();
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open(dir.path()).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let listener = TlsListener::new(socket, authority.server_config(&[HOST]).unwrap()).unwrap();
        let connect = Connect::serve(listener, format!("{HOST}:{port}"));
        Self { connect, port, authority, dir }
    }

    fn data_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    /// The program, to be attached to this Connect at `host`.
    fn probe(&self, host: &str) -> Command {
        let mut command = program(&self.data_dir());
        command
            .args(["run", "--headless", "--remote", "--extension", "probe", "--json"])
            .env("API_KEY", fake::KEY)
            .env("ENVIRONMENT_ID", "ENV-1234-5678-01")
            .env("SERVER_ADDRESS", format!("{host}:{}", self.port))
            .env("SSL_CERT_FILE", self.authority.ca_file());
        for name in ["https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "no_proxy"] {
            command.env_remove(name);
        }
        command
    }
}

fn until(running: &Running, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    tokio::task::block_in_place(|| running.until(what, fits))
}

fn link_says(seen: &Value, what: &str) -> bool {
    seen["kind"] == "link" && seen["detail"].as_str().is_some_and(|detail| detail.contains(what))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_of_ones_own_is_trusted_where_the_environment_names_it_and_the_key_is_nowhere() {
    let mut remote = Remote::start().await;
    let mut command = remote.probe("127.0.0.1");
    command.arg("-v");
    let running = Running::start(command);
    let mut peer = remote.connect.configured().await;
    assert_eq!(peer.authorization, fake::KEY);
    // What a handler says and what Connect sends may hold the key, too.
    let note = format!("bench:log:the key is {}", fake::KEY);
    remote.connect.answer("requests/PR-1", 200, serde_json::json!({"id": "PR-1", "status": "pending", "note": note}));
    peer.send(&purchase("TQ-1", "PR-1"));
    assert_eq!(peer.result().await["output"]["result"], "success");
    let printed = Mutex::new(Vec::new());
    until(&running, "the result", |seen| {
        printed.lock().unwrap().push(seen.to_string());
        seen["kind"] == "result_sent"
    });
    assert!(printed.lock().unwrap().iter().all(|line| !line.contains("zebra")));
    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", running.child.id())).unwrap_or_default();
    assert!(!arguments.contains("zebra"));
    assert!(tokio::task::block_in_place(|| running.terminate()).success());
    assert!(!anywhere(&remote.data_dir(), "zebra"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_an_authority_nobody_named_is_not_accepted() {
    let remote = Remote::start().await;
    let other = tempfile::tempdir().unwrap();
    let mut command = remote.probe("127.0.0.1");
    command.env("SSL_CERT_FILE", Authority::open(other.path()).unwrap().ca_file());
    let running = Running::start(command);
    until(&running, "the refusal", |seen| link_says(seen, "is of an authority that SSL_CERT_FILE, "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_authorities_that_is_not_there_is_named_and_so_is_a_wish_for_no_tls_where_there_is_some() {
    let remote = Remote::start().await;
    let mut command = remote.probe("127.0.0.1");
    command.env("SSL_CERT_FILE", "/nowhere/ca.pem");
    let running = Running::start(command);
    let said = until(&running, "the refusal", |seen| link_says(seen, "SSL_CERT_FILE is /nowhere/ca.pem, which can't be read"));
    assert!(said["detail"].as_str().unwrap().contains("No such file"), "{said}");
    drop(running);
    let mut command = remote.probe("127.0.0.1");
    command.arg("--unsecure");
    let running = Running::start(command);
    until(&running, "the refusal", |seen| link_says(seen, "where it speaks TLS, leave --unsecure out"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_name_is_not_accepted() {
    let remote = Remote::start().await;
    let (proxy, _) = proxy(remote.port, "200 OK").await;
    let mut command = remote.probe("elsewhere.test");
    command.env("HTTPS_PROXY", proxy);
    let running = Running::start(command);
    until(&running, "the refusal", |seen| link_says(seen, "certificate"));
}

#[tokio::test(flavor = "multi_thread")]
async fn socket_and_calls_go_through_the_proxy_the_environment_names() {
    let mut remote = Remote::start().await;
    let (proxy, heads) = proxy(remote.port, "200 OK").await;
    let mut command = remote.probe(HOST);
    command.env("HTTPS_PROXY", proxy);
    let running = Running::start(command);
    let mut peer = remote.connect.configured().await;
    peer.send(&purchase("TQ-1", "PR-1"));
    assert_eq!(peer.result().await["output"]["result"], "success");
    let heads = heads.lock().unwrap().clone();
    assert!(heads.len() >= 2, "the socket and the calls: {heads:?}");
    for head in &heads {
        assert!(head.starts_with(&format!("CONNECT {HOST}:{} HTTP/1.1\r\n", remote.port)), "{head}");
        assert!(head.to_lowercase().contains(&format!("proxy-authorization: {CREDENTIALS}").to_lowercase()), "{head}");
        assert!(!head.contains("zebra"), "the key is for Connect, not for the proxy");
    }
    assert!(tokio::task::block_in_place(|| running.terminate()).success());
    assert!(!anywhere(&remote.data_dir(), "giraffe"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_is_named_without_its_password() {
    let remote = Remote::start().await;
    let (proxy, _) = proxy(remote.port, "407 Proxy Authentication Required").await;
    let mut command = remote.probe(HOST);
    command.env("HTTPS_PROXY", &proxy);
    let running = Running::start(command);
    let said = until(&running, "the refusal", |seen| link_says(seen, "407"));
    let address = proxy.rsplit_once('@').unwrap().1;
    let detail = said["detail"].as_str().unwrap();
    assert!(detail.contains(address) && !detail.contains("giraffe"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_excepted_is_reached_without_the_proxy() {
    let remote = Remote::start().await;
    let (proxy, heads) = proxy(remote.port, "200 OK").await;
    let mut command = remote.probe(HOST);
    command.env("HTTPS_PROXY", proxy).env("NO_PROXY", ".test");
    let running = Running::start(command);
    // Nobody but the proxy could lead there.
    until(&running, "the failure", |seen| link_says(seen, "no connection"));
    assert_eq!(*heads.lock().unwrap(), [""; 0]);
}
