//! The way to the socket's host: direct, or through the proxy the environment names.

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::http::Uri;

/// The longest answer of a proxy that is read.
const LONGEST_ANSWER: usize = 16 << 10;

/// A connection to the host of `url`, a `ws://` or `wss://` address: through `HTTPS_PROXY` (`HTTP_PROXY` for `ws://`,
/// or `ALL_PROXY`) unless `NO_PROXY` names the host, by the very rules the REST client follows. This machine itself is
/// reached without. The error is in words and holds no credentials.
pub(super) async fn connect(url: &str) -> Result<TcpStream, String> {
    let url: Uri = url.parse().map_err(|e| format!("the address can't be used: {e}"))?;
    let secure = url.scheme_str() == Some("wss");
    let host = url.host().ok_or("the address names no host")?;
    let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let target = format!("{host}:{port}");
    let stream = match proxy_for(host, &target, secure) {
        None => TcpStream::connect(&target).await.map_err(|e| format!("no connection to {target}: {e}"))?,
        Some(proxy) => tunnel(&proxy, &target).await?,
    };
    stream.set_nodelay(true).map_err(|e| format!("no connection: {e}"))?;
    Ok(stream)
}

fn proxy_for(host: &str, target: &str, secure: bool) -> Option<Intercept> {
    if matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
        return None;
    }
    let scheme = if secure { "https" } else { "http" };
    Matcher::from_env().intercept(&format!("{scheme}://{target}/").parse().ok()?)
}

/// Asks the proxy for a tunnel to `target`.
async fn tunnel(proxy: &Intercept, target: &str) -> Result<TcpStream, String> {
    let (scheme, host) = (proxy.uri().scheme_str().unwrap_or("http"), proxy.uri().host().unwrap_or_default());
    if scheme != "http" {
        return Err(format!("the proxy {scheme}://{host} can't be used for the WebSocket: only http:// proxies can"));
    }
    let named = format!("{host}:{}", proxy.uri().port_u16().unwrap_or(80));
    let failed = |e: std::io::Error| format!("no connection through the proxy {named}: {e}");
    let mut stream = TcpStream::connect(&named).await.map_err(failed)?;
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(credentials) = proxy.basic_auth().and_then(|auth| auth.to_str().ok()) {
        request.push_str(&format!("Proxy-Authorization: {credentials}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let answer = head(&mut stream).await.map_err(failed)?;
    match answer.split_whitespace().nth(1) {
        Some(status) if status.starts_with('2') => Ok(stream),
        Some(status) => Err(format!("the proxy {named} refused the way to {target}: it answered {status}")),
        None => Err(format!("the proxy {named} does not answer as an HTTP proxy does")),
    }
}

/// The head of the proxy's answer, byte by byte: what comes behind it belongs to the tunnel.
async fn head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST_ANSWER {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
