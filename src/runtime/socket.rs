use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{SplitSink, SplitStream};
use rustls::CertificateError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, HeaderValue, USER_AGENT};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::counted::Counted;
use crate::observe::Secret;

type Socket = WebSocketStream<MaybeTlsStream<Counted>>;
/// The half that writes.
pub(crate) type Writer = SplitSink<Socket, Message>;
/// The half that reads.
pub(crate) type Reader = SplitStream<Socket>;

/// An open socket.
pub(crate) struct Opened {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    /// How many bytes the system took of what was written.
    pub(crate) written: Arc<AtomicU64>,
}

// The relay is the one who asks for these, and is not there without the console.
#[cfg(feature = "console")]
impl Opened {
    /// Its two halves, for who has no use for the rest.
    pub(crate) fn halves(self) -> (Writer, Reader) {
        (self.writer, self.reader)
    }
}

/// How long opening may take (the official runner's value).
const OPENING: Duration = Duration::from_secs(10);
/// The largest message that is read at all. Connect itself sends at most 2 MiB.
const LARGEST_READ: usize = 64 << 20;

/// Why a WebSocket was not opened.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The status Connect answered instead, where it answered.
    #[cfg_attr(not(feature = "console"), expect(dead_code, reason = "only the relay passes it on"))]
    pub(crate) status: Option<u16>,
    /// In words.
    pub(crate) why: String,
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self { status: None, why }
    }
}

/// Opens the WebSocket at `url` with the complete value of the `Authorization` header as its key.
pub(crate) async fn open(url: &str, api_key: &Secret, user_agent: &str) -> Result<Opened, Refusal> {
    crate::connect::tls::install();
    let mut request = url.into_client_request().map_err(|e| format!("the address can't be used: {e}"))?;
    let unfit = |_| "the API key can't be sent in a header".to_owned();
    let mut key = HeaderValue::from_str(api_key.reveal()).map_err(unfit)?;
    key.set_sensitive(true);
    let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
    request.headers_mut().insert(AUTHORIZATION, key);
    if let Ok(agent) = HeaderValue::from_str(user_agent) {
        request.headers_mut().insert(USER_AGENT, agent);
    }
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST_READ)).max_frame_size(Some(LARGEST_READ));
    let opening = async {
        let stream = Counted::new(super::proxy::connect(url).await?);
        let written = Arc::clone(&stream.written);
        let opened = tokio_tungstenite::client_async_tls_with_config(request, stream, Some(config), None).await;
        let (socket, _) = opened.map_err(|error| refusal(&error, &host))?;
        let (writer, reader) = socket.split();
        Ok(Opened { writer, reader, written })
    };
    match tokio::time::timeout(OPENING, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(format!("{host} did not answer within {} s", OPENING.as_secs()).into()),
    }
}

fn refusal(error: &tungstenite::Error, host: &str) -> Refusal {
    let status = if let tungstenite::Error::Http(answer) = error { Some(answer.status().as_u16()) } else { None };
    Refusal { status, why: in_words(error, host) }
}

fn in_words(error: &tungstenite::Error, host: &str) -> String {
    match error {
        tungstenite::Error::Http(answer) => match answer.status().as_u16() {
            status @ (502..=504) => format!("Connect is in maintenance ({status})"),
            status @ (401 | 403) => format!("Connect refused the key ({status}): check API_KEY and ENVIRONMENT_ID"),
            404 => "Connect doesn't know the environment (404): check ENVIRONMENT_ID".into(),
            status => format!("Connect answered {status} instead of opening a WebSocket"),
        },
        tungstenite::Error::Io(e) => match e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => tls_in_words(tls, host, std::env::var_os("SSL_CERT_FILE").as_deref()),
            None => format!("no connection to {host}: {e}"),
        },
        tungstenite::Error::Protocol(ProtocolError::HttparseError(_)) => {
            format!("{host} does not answer as a web server does: where it speaks TLS, leave --unsecure out")
        }
        other => format!("no connection to {host}: {other}"),
    }
}

/// `trusted` is what `SSL_CERT_FILE` says.
fn tls_in_words(error: &rustls::Error, host: &str, trusted: Option<&OsStr>) -> String {
    match error {
        rustls::Error::InvalidMessage(_) => format!("{host} does not speak TLS; a Connect without it is reached with --unsecure"),
        // The second is the answer to another authority of the same name, as that of every local Connect.
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            let why = match trusted.map(|file| (file.display(), std::fs::read(file))) {
                None => {
                    "an authority this machine does not know: set SSL_CERT_FILE to the authority's, if it is to be trusted".into()
                }
                Some((file, Err(e))) => {
                    format!("an authority nobody vouches for: SSL_CERT_FILE is {file}, which can't be read: {e}")
                }
                Some((file, Ok(_))) => format!("an authority that SSL_CERT_FILE, {file}, does not hold"),
            };
            format!("the certificate of {host} is of {why}")
        }
        other => format!("no TLS with {host}: {other}"),
    }
}
