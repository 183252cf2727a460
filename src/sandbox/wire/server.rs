use std::io::{self, Cursor};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::frame::{self, FrameError, HEADER, MAX_FRAME};
use super::patience::{Patience, within};
use super::session::Session;
pub(in crate::sandbox) use super::session::Shared;
use crate::observe::{Level, Scope};

/// More connections than this wait to be accepted.
const MAX_CONNECTIONS: usize = 1_000;

/// Who has not authenticated sends small frames only.
const MAX_UNTRUSTED: usize = 1 << 20;

/// Accepts connections until `stop`, each in a task of its own; then waits for them to end.
pub(in crate::sandbox) async fn serve(
    listener: TcpListener,
    tls: TlsAcceptor,
    shared: Arc<Shared>,
    scope: Scope,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let numbers = AtomicI32::new(1);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        let (stream, peer, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, for instance: those that are connected go on.
                scope.log(Level::Warning, "sandbox", format!("a connection could not be accepted: {error}"));
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let (tls, shared, scope, stop) = (tls.clone(), Arc::clone(&shared), scope.clone(), stop.clone());
        connections.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                ended = welcome(stream, tls, shared, (number, peer)) => {
                    if let Err(error) = ended {
                        scope.log(Level::Debug, "sandbox", format!("connection {number} was closed: {error}"));
                    }
                }
            }
            drop(place);
        });
    }
    while connections.join_next().await.is_some() {}
}

type Accepted = (TcpStream, String, tokio::sync::OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<Accepted> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer.to_string(), place))
}

/// Serves a connection, encrypted or not: on this one port, who speaks TLS is known by the first bytes.
async fn welcome(mut stream: TcpStream, tls: TlsAcceptor, shared: Arc<Shared>, who: (i32, String)) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let patience = shared.patience;
    let session = Session::new(shared, who.0, who.1);
    let until = Instant::now() + patience.first;
    let mut first = [0; HEADER];
    let begun = async {
        match stream.read_exact(&mut first).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            read => read.map(|_| true),
        }
    };
    if !within(patience.first, begun).await? {
        return Ok(());
    }
    let (read, write) = stream.into_split();
    let stream = tokio::io::join(Cursor::new(first).chain(read), write);
    if frame::is_tls(&first) {
        let shaken = within(until.saturating_duration_since(Instant::now()), tls.accept(stream)).await?;
        converse(shaken, session, patience, until).await
    } else {
        converse(stream, session, patience, until).await
    }
}

/// Answers frame after frame until the client is gone or sends what is no frame. The first must be here by `until`.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    mut session: Session,
    patience: Patience,
    until: Instant,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut answers = 0_i32;
    let first = until.saturating_duration_since(Instant::now());
    let mut next = within(first, read_frame(&mut stream, session.is_trusted(), patience)).await?;
    while let Some(frame) = next {
        let mut request = frame::decode(&frame).map_err(malformed)?;
        drop(frame);
        let empty = super::super::commands::Command::new(bson::RawDocumentBuf::new());
        let command = std::mem::replace(&mut request.command, empty);
        let reply = session.answer(command).await.unwrap_or_else(|error| error.reply());
        if request.answer {
            answers = answers.wrapping_add(1);
            patience.write(&mut stream, &frame::encode(&request, answers, &reply)).await?;
        }
        next = read_frame(&mut stream, session.is_trusted(), patience).await?;
    }
    Ok(())
}

/// The next frame; `None` at the end.
async fn read_frame(stream: &mut (impl AsyncRead + Unpin), trusted: bool, patience: Patience) -> io::Result<Option<Vec<u8>>> {
    let Some(byte) = patience.begin(stream, trusted).await? else { return Ok(None) };
    let mut frame = vec![byte];
    patience.fill(stream, &mut frame, HEADER).await?;
    let header = frame.first_chunk().copied().ok_or_else(|| malformed(FrameError::Short))?;
    let length = frame::length(header, if trusted { MAX_FRAME } else { MAX_UNTRUSTED }).map_err(malformed)?;
    patience.fill(stream, &mut frame, length).await?;
    Ok(Some(frame))
}

fn malformed(error: FrameError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
