use std::io::{self, Cursor};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::frame::{self, FrameError, HEADER, MAX_FRAME};
use super::session::Session;
pub(in crate::sandbox) use super::session::Shared;
use crate::observe::{Level, Scope};

/// More connections than this wait to be accepted.
const MAX_CONNECTIONS: usize = 1_000;

/// Who has not authenticated sends small frames only.
const MAX_UNTRUSTED: usize = 1 << 20;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

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
        let (stream, place) = match accepted {
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
                ended = welcome(stream, tls, shared, number) => {
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

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

/// Serves a connection, encrypted or not: on this one port, who speaks TLS is known by the first bytes.
async fn welcome(mut stream: TcpStream, tls: TlsAcceptor, shared: Arc<Shared>, number: i32) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let session = Session::new(shared, number, stream.peer_addr()?.to_string());
    let mut first = [0; HEADER];
    if !read_whole(&mut stream, &mut first).await? {
        return Ok(());
    }
    let (read, write) = stream.into_split();
    let stream = tokio::io::join(Cursor::new(first).chain(read), write);
    if frame::is_tls(&first) {
        let shaken = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await;
        converse(shaken.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??, session).await
    } else {
        converse(stream, session).await
    }
}

/// Answers frame after frame until the client is gone or sends what is no frame.
async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, mut session: Session) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut answers = 0_i32;
    while let Some(frame) = read_frame(&mut stream, if session.is_trusted() { MAX_FRAME } else { MAX_UNTRUSTED }).await? {
        let mut request = frame::decode(&frame).map_err(malformed)?;
        drop(frame);
        let empty = super::super::commands::Command::new(bson::RawDocumentBuf::new());
        let command = std::mem::replace(&mut request.command, empty);
        let reply = session.answer(command).await.unwrap_or_else(|error| error.reply());
        if request.answer {
            answers = answers.wrapping_add(1);
            stream.write_all(&frame::encode(&request, answers, &reply)).await?;
            stream.flush().await?;
        }
    }
    Ok(())
}

/// The next frame; `None` at the end. Memory grows with what has arrived, not with what was announced.
async fn read_frame(stream: &mut (impl AsyncRead + Unpin), most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut header = [0; HEADER];
    if !read_whole(stream, &mut header).await? {
        return Ok(None);
    }
    let length = frame::length(header, most).map_err(malformed)?;
    let mut frame = Vec::with_capacity(length.min(64 * 1024));
    frame.extend(header);
    let rest = u64::try_from(length - HEADER).unwrap_or(u64::MAX);
    stream.take(rest).read_to_end(&mut frame).await?;
    if frame.len() < length { Err(malformed(FrameError::Short)) } else { Ok(Some(frame)) }
}

/// Fills `header`; `false` if the client has gone.
async fn read_whole(stream: &mut (impl AsyncRead + Unpin), header: &mut [u8; HEADER]) -> io::Result<bool> {
    match stream.read_exact(header).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn malformed(error: FrameError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
