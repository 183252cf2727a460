//! How long a connection may keep its place without doing anything.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// What is waited for, and how long.
#[derive(Debug, Clone, Copy)]
pub(in crate::sandbox) struct Patience {
    /// For the first whole request; a TLS handshake included. Drivers send theirs at once.
    pub(in crate::sandbox) first: Duration,
    /// For the next byte of a request that has begun, and for room for the next bytes of an answer.
    pub(in crate::sandbox) stalled: Duration,
    /// For the next request of who may do nothing. The monitor of a driver never authenticates, and asks every few seconds;
    /// who has authenticated may be silent as long as they like: a driver keeps such connections for later.
    pub(in crate::sandbox) stranger: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { first: Duration::from_secs(30), stalled: Duration::from_secs(60), stranger: Duration::from_secs(600) }
    }
}

impl Patience {
    /// The first byte of the next request; `None` if the client has gone.
    pub(super) async fn begin(self, stream: &mut (impl AsyncRead + Unpin), trusted: bool) -> io::Result<Option<u8>> {
        let mut byte = [0];
        let read = stream.read(&mut byte);
        let read = if trusted { read.await? } else { within(self.stranger, read).await? };
        Ok((read > 0).then_some(byte[0]))
    }

    /// Reads until `bytes` has `length` of them, or the client goes. Memory grows with what has arrived.
    pub(super) async fn fill(self, stream: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>, length: usize) -> io::Result<()> {
        while bytes.len() < length {
            let missing = u64::try_from(length - bytes.len()).unwrap_or(u64::MAX);
            let mut rest = (&mut *stream).take(missing);
            bytes.reserve((length - bytes.len()).min(64 * 1024));
            if within(self.stalled, rest.read_buf(bytes)).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    pub(super) async fn write(self, stream: &mut (impl AsyncWrite + Unpin), mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = within(self.stalled, stream.write(bytes)).await?;
            bytes = bytes.get(written..).filter(|_| written > 0).ok_or(io::ErrorKind::WriteZero)?;
        }
        within(self.stalled, stream.flush()).await
    }
}

/// # Errors
/// `TimedOut`.
pub(super) async fn within<T>(time: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(time, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
