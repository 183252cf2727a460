use std::time::Duration;

use futures::StreamExt;
use futures::stream::{SplitSink, SplitStream};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, HeaderValue, USER_AGENT};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::RuntimeOptions;

/// The half that writes.
pub(super) type Writer = SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, Message>;
/// The half that reads.
pub(super) type Reader = SplitStream<WebSocketStream<MaybeTlsStream<TcpStream>>>;

/// How long opening may take (the official runner's value).
const OPENING: Duration = Duration::from_secs(10);
/// The largest message that is read at all. Connect itself sends at most 2 MiB.
const LARGEST_READ: usize = 64 << 20;

/// Opens the WebSocket; the error says in words what came of it.
pub(super) async fn open(options: &RuntimeOptions, url: &str) -> Result<(Writer, Reader), String> {
    crate::connect::tls::install();
    let mut request = url.into_client_request().map_err(|e| format!("the address can't be used: {e}"))?;
    let mut key = HeaderValue::from_str(options.api_key.reveal()).map_err(|_| "the API key can't be sent in a header")?;
    key.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, key);
    if let Ok(agent) = HeaderValue::from_str(&options.user_agent()) {
        request.headers_mut().insert(USER_AGENT, agent);
    }
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST_READ)).max_frame_size(Some(LARGEST_READ));
    let opening = async {
        let stream = super::proxy::connect(url).await?;
        let opened = tokio_tungstenite::client_async_tls_with_config(request, stream, Some(config), None).await;
        opened.map_err(|error| in_words(&error))
    };
    match tokio::time::timeout(OPENING, opening).await {
        Ok(Ok((socket, _))) => Ok(socket.split()),
        Ok(Err(why)) => Err(why),
        Err(_) => Err(format!("{} did not answer within {} s", options.server_address, OPENING.as_secs())),
    }
}

fn in_words(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Http(answer) => match answer.status().as_u16() {
            status @ (502..=504) => format!("Connect is in maintenance ({status})"),
            status @ (401 | 403) => format!("Connect refused the key ({status}): check API_KEY and ENVIRONMENT_ID"),
            404 => "Connect doesn't know the environment (404): check ENVIRONMENT_ID".into(),
            status => format!("Connect answered {status} instead of opening a WebSocket"),
        },
        tungstenite::Error::Io(e) => format!("no connection: {e}"),
        other => format!("no connection: {other}"),
    }
}
