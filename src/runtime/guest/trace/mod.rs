//! Where the trace hook (`assets/guest/hooks/hook_trace.py`) tells what it sees inside the guest: a loopback connection a
//! process, behind a token only the guest's environment has.

mod desk;
mod message;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};

use self::desk::Desk;
use self::message::{Hello, Message};
use super::{FindDelivery, Hook};
use crate::observe::{Level, Observer, Places, Scope, Secret};

const TRACE: &str = include_str!("../../../../assets/guest/hooks/hook_trace.py");
const STORES: &str = include_str!("../../../../assets/guest/hooks/hook_stores.py");
/// The largest line: a request several times over.
const LARGEST: u64 = 64 << 20;

/// Listens to the trace hook of a guest until it is dropped, and makes observations of what it hears.
pub struct Trace {
    address: SocketAddr,
    token: Secret,
    server: JoinHandle<()>,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Trace {
    /// Begins to listen. `find` tells which delivery a task is; `places` learns in which step it is.
    ///
    /// # Errors
    /// When no port of the loopback interface is to be had.
    pub async fn listen(observer: Arc<dyn Observer>, find: FindDelivery, places: Places) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let token = Secret::new(format!("{:032x}", rand::random::<u128>()));
        let scope = Scope::new(observer);
        let desk = Arc::new(Desk::new(scope.clone(), find, places));
        let server = tokio::spawn(serve(listener, desk, token.clone(), scope));
        Ok(Self { address, token, server })
    }

    /// What the guest is to load, in this order.
    #[must_use]
    pub fn hooks(&self) -> Vec<Hook> {
        let variables = vec![
            ("CONNECT_CONSOLE_TRACE", self.address.to_string()),
            ("CONNECT_CONSOLE_TRACE_TOKEN", self.token.reveal().to_owned()),
        ];
        vec![Hook::new("trace", TRACE, variables), Hook::new("stores", STORES, Vec::new())]
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, desk: Arc<Desk>, token: Secret, scope: Scope) {
    // With the server, all its connections end.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // Out of file descriptors, mostly: it passes.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let (desk, token, scope) = (Arc::clone(&desk), token.clone(), scope.clone());
                connections.spawn(async move {
                    if let Err(why) = talk(stream, desk, &token).await {
                        let line = format!("what the trace hook says is no longer followed: {why}");
                        scope.log(Level::Warning, "guest", line);
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers one process of the guest until it ends.
async fn talk(stream: TcpStream, desk: Arc<Desk>, token: &Secret) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    let writer = Arc::new(Mutex::new(writer));
    let mut lines = BufReader::new(reader);
    let mut waiting = JoinSet::new();
    let mut trusted = false;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut lines).take(LARGEST).read_until(b'\n', &mut line).await;
        // A process that is killed leaves no good-bye.
        if read.is_err() || line.last() != Some(&b'\n') {
            return Ok(());
        }
        if !trusted {
            let hello: Hello = serde_json::from_slice(&line)?;
            if hello.token != token.reveal() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, "somebody else spoke in its place"));
            }
            trusted = true;
            continue;
        }
        let message: Message = serde_json::from_slice(&line)?;
        if desk.may_wait(&message) {
            say(&writer, &json!({"n": message.n, "wait": true})).await?;
            let (desk, writer) = (Arc::clone(&desk), Arc::clone(&writer));
            waiting.spawn(async move {
                let answer = desk.take(message).await;
                // Who is gone needs no answer.
                let _ = say(&writer, &answer).await;
            });
        } else {
            let answer = desk.take(message).await;
            say(&writer, &answer).await?;
        }
        while waiting.try_join_next().is_some() {}
    }
}

async fn say(writer: &Mutex<OwnedWriteHalf>, answer: &Value) -> io::Result<()> {
    let mut line = answer.to_string();
    line.push('\n');
    writer.lock().await.write_all(line.as_bytes()).await
}
