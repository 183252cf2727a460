use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many handshakes may be under way; who comes then waits in the kernel's queue.
const HANDSHAKES: usize = 256;
/// How many finished ones may wait to be served.
const READY: usize = 16;

/// How long connections that are kept open are waited for at the end.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Accepts TLS connections for [`axum::serve`]. Handshakes run beside each other: one that stalls holds up nobody, and is
/// dropped after 10 seconds.
#[derive(Debug)]
pub struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    accepting: JoinHandle<()>,
}

impl TlsListener {
    /// Listens on `socket`. Must be called inside a runtime.
    ///
    /// # Errors
    /// When the socket has no address.
    pub fn new(socket: TcpListener, config: Arc<ServerConfig>) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let (sender, ready) = mpsc::channel(READY);
        let accepting = tokio::spawn(accept(socket, TlsAcceptor::from(config), sender));
        Ok(Self { address, ready, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // The acceptor ends with its runtime only; nothing will come any more.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Serves whoever comes through `listener` until `closing`, and whoever keeps a connection open for a second more.
pub(crate) async fn serve_until<L>(closing: CancellationToken, listener: L, app: Router) -> io::Result<()>
where
    L: Listener<Addr: Debug>,
{
    let server = axum::serve(listener, app).with_graceful_shutdown(closing.clone().cancelled_owned()).into_future();
    let bounded = async {
        closing.cancelled().await;
        tokio::time::sleep(LAST_MOMENT).await;
    };
    tokio::select! {
        ended = server => ended,
        () = bounded => Ok(()),
    }
}

async fn accept(socket: TcpListener, tls: TlsAcceptor, ready: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>) {
    let permits = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        // Never closed.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let (stream, peer) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(_) => {
                // Out of file descriptors, mostly: it passes.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, ready) = (tls.clone(), ready.clone());
        tokio::spawn(async move {
            // Answers are small and somebody waits for each.
            let _ = stream.set_nodelay(true);
            // Who fails the handshake has been told so by an alert.
            if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                let _ = ready.send((stream, peer)).await;
            }
            drop(permit);
        });
    }
}
