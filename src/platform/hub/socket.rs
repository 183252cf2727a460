//! One runner's WebSocket.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket, close_code};
use futures::stream::SplitSink;
use futures::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite;

use super::{Outgoing, Runner, RunnerType};
use crate::observe::{Level, Timestamp};
use crate::platform::core::Core;
use crate::platform::rql::percent_decode;
use crate::protocol::{Message, decode};

/// The largest message taken: results carry their task's whole input back.
pub(crate) const MAX_MESSAGE: usize = 16 << 20;
/// How often a ping is sent.
const PING: Duration = Duration::from_secs(30);
/// A runner silent for this long is gone; its pongs are signs of life too.
const SILENCE: Duration = Duration::from_secs(75);
/// How many messages go out with one flush.
const BATCH: usize = 64;

/// Who wants to come in, from the path and the query of the upgrade request.
pub(crate) struct Caller {
    instance_id: String,
    runner_type: Option<RunnerType>,
    running: usize,
}

impl Caller {
    /// Reads `running_tasks=N&running_scheduled_tasks=M&runner_type=T`; what is missing or odd counts as absent.
    /// `application` is that of a connection that is not for events.
    pub(crate) fn new(instance_id: &str, application: Option<RunnerType>, query: &str) -> Self {
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let count = |name: &str| value(name).and_then(|n| n.parse().ok()).unwrap_or(0usize);
        let runner_type = match value("runner_type") {
            _ if application.is_some() => application,
            Some("background") => Some(RunnerType::Background),
            Some("interactive") => Some(RunnerType::Interactive),
            _ => None,
        };
        let running = count("running_tasks").saturating_add(count("running_scheduled_tasks"));
        Self { instance_id: percent_decode(instance_id), runner_type, running }
    }
}

/// Serves a connection until it ends.
pub(crate) async fn serve(core: Arc<Core>, caller: Caller, socket: WebSocket) {
    let (sink, mut stream) = socket.split();
    let (outgoing, inbox) = mpsc::unbounded_channel();
    let instance = caller.instance_id.clone();
    let last_seen = Arc::new(AtomicI64::new(Timestamp::now().0));
    let number = core.lock().runners.add(Runner {
        instance_id: caller.instance_id,
        runner_type: caller.runner_type,
        version: 2,
        since: Timestamp::now(),
        told: Timestamp::now(),
        last_seen: Arc::clone(&last_seen),
        running: caller.running,
        outgoing,
        subscriptions: None,
        schedulables: Vec::new(),
        leaving: false,
        in_hand: 0,
    });
    let writer = tokio::spawn(write(sink, inbox));
    let end = loop {
        let frame = tokio::select! {
            () = core.closing.cancelled() => break "the local Connect stops".to_owned(),
            frame = tokio::time::timeout(SILENCE, stream.next()) => frame,
        };
        last_seen.store(Timestamp::now().0, Ordering::Relaxed);
        match frame {
            Err(_) => break format!("it was silent for {} s", SILENCE.as_secs()),
            Ok(None) => break "the connection ended".into(),
            Ok(Some(Err(e))) => break broken(&core, e),
            Ok(Some(Ok(Frame::Close(_)))) => break "it closed the connection".into(),
            Ok(Some(Ok(Frame::Text(text)))) => receive(&core, number, text.as_bytes()),
            // The official runner's library sends binary frames for bytes; they hold the same JSON.
            Ok(Some(Ok(Frame::Binary(bytes)))) => receive(&core, number, &bytes),
            Ok(Some(Ok(Frame::Ping(_) | Frame::Pong(_)))) => {}
        }
    };
    leave(&core, number);
    core.log(Level::Info, format!("runner {instance} disconnected: {end}"));
    // The writer ends by itself: its channel is closed. It may still be flushing the close frame.
    let _ = tokio::time::timeout(Duration::from_secs(1), writer).await;
}

/// Why a connection broke, in words; a message that is too large is noted as what it is.
fn broken(core: &Core, error: axum::Error) -> String {
    use tungstenite::error::{CapacityError::MessageTooLong, ProtocolError::ResetWithoutClosingHandshake};
    let error = error.into_inner();
    match error.downcast_ref() {
        Some(tungstenite::Error::Capacity(MessageTooLong { size, max_size })) => {
            let reason = format!("the message is larger than {} MiB", max_size >> 20);
            core.refuse_frame(*size, &reason);
            format!("the connection broke: {reason}")
        }
        Some(tungstenite::Error::Protocol(ResetWithoutClosingHandshake)) => "it went away without a word".into(),
        _ => format!("the connection broke: {error}"),
    }
}

fn leave(core: &Arc<Core>, number: u64) {
    let mut guard = core.lock();
    let state = &mut *guard;
    if let Some(runner) = state.runners.remove(number) {
        let _ = runner.outgoing.send(Outgoing::Close);
        core.farewell(state, &runner);
    }
}

fn receive(core: &Arc<Core>, number: u64, frame: &[u8]) {
    let Ok(text) = std::str::from_utf8(frame) else { return core.reject(frame, "the frame is not UTF-8") };
    match decode(text) {
        Ok(Message::SetupRequest(request)) => core.set_up(number, version(text), &request),
        Ok(Message::Task(task)) => core.take_result(number, *task),
        Ok(Message::Shutdown) => core.take_leave(number),
        Ok(Message::SetupResponse(_)) => core.reject(frame, "a setup response is the platform's to send"),
        Ok(Message::Other { message_type }) => core.reject(frame, &format!("there is no use for a `{message_type}` message")),
        Err(e) => core.reject(frame, &e.to_string()),
    }
}

/// The version of the protocol a message that was understood is of.
fn version(text: &str) -> u8 {
    #[derive(serde::Deserialize)]
    struct Envelope {
        #[serde(default)]
        version: u8,
    }
    serde_json::from_str::<Envelope>(text).map_or(2, |envelope| if envelope.version == 2 { 2 } else { 1 })
}

/// Sends what comes through the channel, all that is there with one flush, and a ping now and then.
async fn write(mut sink: SplitSink<WebSocket, Frame>, mut inbox: mpsc::UnboundedReceiver<Outgoing>) {
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING, PING);
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let sent = tokio::select! {
            taken = inbox.recv_many(&mut batch, BATCH) => match taken {
                0 => return,
                _ => send(&mut sink, &mut batch).await,
            },
            _ = ping.tick() => sink.send(Frame::Ping(Bytes::new())).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn send(sink: &mut SplitSink<WebSocket, Frame>, batch: &mut Vec<Outgoing>) -> Result<(), axum::Error> {
    for message in batch.drain(..) {
        match message {
            Outgoing::Frame(text) => sink.feed(Frame::Text(text.into())).await?,
            Outgoing::Close => {
                let reason = CloseFrame { code: close_code::AWAY, reason: "".into() };
                return sink.send(Frame::Close(Some(reason))).await;
            }
        }
    }
    sink.flush().await
}
