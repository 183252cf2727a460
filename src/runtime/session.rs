use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::tungstenite::{self, Message as Frame, Utf8Bytes};

use super::in_flight::Arrival;
use super::link::Link;
use super::shared::Job;
use super::socket::{Opened, Reader, Writer};
use crate::observe::{DeliveryKey, Fact, Level, LinkState, TaskArrived, Timestamp};
use crate::protocol::{self, Message, Task};

/// How long Connect may take to answer the setup request.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long is read on after the writing half broke: what Connect has sent already shall not be lost.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// The largest message that is taken; Connect itself sends at most 2 MiB.
const LARGEST: usize = 16 << 20;

/// How a session ended.
pub(super) enum Ended {
    /// The runtime is stopped and has nothing left to send.
    Finished,
    /// The connection is gone.
    Lost {
        /// Why, in words.
        why: String,
        /// Whether the handshake had been completed.
        configured: bool,
    },
}

/// One session on an open socket: handshake, tasks in, results out. Everything is polled side by side in one task:
/// reading never waits for writing nor for any handling, and writing never waits for reading.
pub(super) async fn run(link: &mut Link, opened: Opened) -> Ended {
    let Opened { mut writer, mut reader, written } = opened;
    let mut session = Session::new(link, written);
    let why = session.serve(&mut writer, &mut reader).await;
    let configured = session.configured;
    let close = tokio::time::timeout(Duration::from_secs(1), async {
        let _ = writer.send(Frame::Close(Some(normal_close()))).await;
        while let Some(Ok(_)) = reader.next().await {}
    });
    match why {
        None => {
            // The peer's answer to the close is a courtesy.
            let _ = close.await;
            Ended::Finished
        }
        Some(why) => Ended::Lost { why, configured },
    }
}

fn normal_close() -> tungstenite::protocol::CloseFrame {
    tungstenite::protocol::CloseFrame { code: tungstenite::protocol::frame::coding::CloseCode::Normal, reason: "".into() }
}

struct Session<'a> {
    link: &'a mut Link,
    /// Frames that go out before any result.
    control: VecDeque<Frame>,
    /// Something is in the socket's buffer.
    unflushed: bool,
    configured: bool,
    last_seen: Instant,
    /// When the socket took more after it had been full.
    last_taken: Instant,
    /// How many bytes the socket had taken at the last look, if it was full then.
    stuck_at: Option<u64>,
    written: Arc<AtomicU64>,
    /// When a sign of life was looked for last, and how often since the last one.
    looked: Instant,
    unheard: u32,
    began: Instant,
}

enum Pushed {
    /// The socket's buffer has room for a frame.
    Room,
    /// The socket took all that was in its buffer.
    Flushed,
}

impl<'a> Session<'a> {
    fn new(link: &'a mut Link, written: Arc<AtomicU64>) -> Self {
        link.in_flight.reconnected();
        let setup = Message::SetupRequest(Box::new(link.shared.extension.setup_request()));
        let control = VecDeque::from([Frame::text(setup.encode())]);
        let now = Instant::now();
        Self {
            link,
            control,
            unflushed: false,
            configured: false,
            last_seen: now,
            last_taken: now,
            stuck_at: None,
            written,
            looked: now,
            unheard: 0,
            began: now,
        }
    }

    /// Serves until the connection is lost (then says why) or the runtime is done.
    async fn serve(&mut self, writer: &mut Writer, reader: &mut Reader) -> Option<String> {
        let draining = self.link.shared.draining.clone();
        let mut said_goodbye = false;
        let mut tick = tokio::time::interval(self.link.shared.options.limits.keepalive.clamp(TICK_LEAST, TICK_MOST));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.reset();
        loop {
            // One result at a time: when the connection breaks in the middle of it, it is the only one of which the
            // other side has a part, and a part is none. So what is sent again was never there before.
            let result_next = self.configured && !self.unflushed && self.link.outbox.has_unfed();
            let feeding = !self.control.is_empty() || result_next;
            let bytes = self.link.held.as_ref().map_or(0, |(_, bytes)| *bytes);
            tokio::select! {
                biased;
                () = draining.cancelled(), if !said_goodbye => {
                    said_goodbye = true;
                    self.control.push_back(Frame::text(Message::Shutdown.encode()));
                }
                _ = tick.tick() => {
                    if let Some(why) = self.keep_alive() { return Some(why) }
                }
                pushed = std::future::poll_fn(|cx| poll_push(cx, writer, feeding)), if feeding || self.unflushed => {
                    if let Err(why) = pushed.and_then(|pushed| self.push(writer, pushed)) {
                        self.last_words(reader).await;
                        return Some(format!("writing failed: {why}"));
                    }
                }
                () = self.link.outbox.absorb() => {}
                room = self.link.intake.room(bytes), if self.link.held.is_some() => {
                    if let Ok(room) = room { self.link.begin_held(room) }
                }
                frame = reader.next(), if self.link.held.is_none() => {
                    if let Some(why) = self.frame(frame) { return Some(why) }
                }
            }
            self.link.publish(|_| {});
            if said_goodbye && self.link.finished() && self.control.is_empty() && !self.unflushed {
                return None;
            }
        }
    }

    /// Gives the socket its next frame, or takes note that it took all.
    fn push(&mut self, writer: &mut Writer, pushed: Pushed) -> Result<(), tungstenite::Error> {
        match pushed {
            Pushed::Flushed => {
                self.unflushed = false;
                let Link { outbox, in_flight, .. } = &mut *self.link;
                let mut crossing = false;
                outbox.flushed(|key| crossing |= in_flight.end(key));
                if crossing {
                    self.ping();
                }
            }
            Pushed::Room => {
                let frame = self.control.pop_front().or_else(|| self.link.outbox.feed().map(Frame::Text));
                if let Some(frame) = frame {
                    self.unflushed = true;
                    writer.start_send_unpin(frame)?;
                }
            }
        }
        Ok(())
    }

    fn ping(&mut self) {
        let said = self.link.in_flight.ping();
        self.control.push_back(Frame::Ping(tungstenite::Bytes::copy_from_slice(&said)));
    }

    /// Asks for a sign of life; says why when the other side is to be held for dead.
    fn keep_alive(&mut self) -> Option<String> {
        if !self.configured && self.began.elapsed() >= HANDSHAKE {
            return Some(format!("Connect sent no configuration within {} s", HANDSHAKE.as_secs()));
        }
        let keepalive = self.link.shared.options.limits.keepalive;
        // Where the socket took more of what it had no room for, the other side reads, however slowly: its pong is to come.
        let written = self.written.load(Ordering::Relaxed);
        if self.stuck_at.is_some_and(|before| written > before) {
            self.last_taken = Instant::now();
        }
        self.stuck_at = self.unflushed.then_some(written);
        let sign_of_life = self.last_seen.max(self.last_taken);
        // Counted too: a process that was held up itself has not listened.
        self.unheard = if sign_of_life > self.looked { 0 } else { self.unheard + 1 };
        self.looked = Instant::now();
        let silent = sign_of_life.elapsed();
        // While nothing is read, for want of room, nothing can be heard either.
        if self.link.held.is_none() && self.unheard >= 3 && silent >= keepalive.saturating_mul(3) {
            return Some(format!("Connect gave no sign of life for {:.0} s", silent.as_secs_f64()));
        }
        self.ping();
        None
    }

    /// Reads what was on its way when the writing half broke.
    async fn last_words(&mut self, reader: &mut Reader) {
        let deadline = tokio::time::Instant::now() + LAST_WORDS;
        loop {
            if let Some((_, bytes)) = &self.link.held {
                let Ok(Ok(room)) = tokio::time::timeout_at(deadline, self.link.intake.room(*bytes)).await else { return };
                self.link.begin_held(room);
            }
            let Ok(frame) = tokio::time::timeout_at(deadline, reader.next()).await else { return };
            if self.frame(frame).is_some() {
                return;
            }
        }
    }

    /// Takes in one frame; says why when the connection is over.
    fn frame(&mut self, frame: Option<Result<Frame, tungstenite::Error>>) -> Option<String> {
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Some(self.broken(&error)),
            None => return Some("Connect closed the connection".into()),
        };
        self.last_seen = Instant::now();
        self.link.publish(|status| status.last_seen = Some(Timestamp::now()));
        match frame {
            Frame::Text(text) => self.text(&text),
            // JSON in binary frames is as good.
            Frame::Binary(bytes) => {
                let length = bytes.len();
                match Utf8Bytes::try_from(bytes) {
                    Ok(text) => self.text(&text),
                    Err(_) => self.reject("the frame is binary and not UTF-8".into(), length, ""),
                }
            }
            Frame::Pong(said) => self.link.in_flight.pong(&said),
            Frame::Close(Some(close)) => {
                return Some(
                    format!("Connect closed the connection ({} {})", u16::from(close.code), close.reason).replace(" )", ")"),
                );
            }
            _ => {}
        }
        None
    }

    fn broken(&self, error: &tungstenite::Error) -> String {
        use tungstenite::Error::{Capacity, Protocol, Utf8};
        use tungstenite::error::{CapacityError::MessageTooLong, ProtocolError::ResetWithoutClosingHandshake};
        match error {
            Capacity(MessageTooLong { size, max_size }) => {
                let why = format!("the message is larger than {} MiB, more than is read at all", max_size >> 20);
                self.reject(why.clone(), *size, "");
                return format!("the connection broke: {why}");
            }
            // A line that is cut is no frame.
            Protocol(ResetWithoutClosingHandshake) => return "the connection broke: Connect went away without a word".into(),
            Capacity(_) | Protocol(_) | Utf8(_) => self.reject(error.to_string(), 0, ""),
            _ => {}
        }
        format!("the connection broke: {error}")
    }

    fn text(&mut self, text: &str) {
        if text.len() > LARGEST {
            return self.reject(format!("the message is larger than {} MiB", LARGEST >> 20), text.len(), text);
        }
        match protocol::decode(text) {
            Ok(Message::Task(task)) if task.output.is_some() => {
                self.reject("the task has a result already".into(), text.len(), text);
            }
            Ok(Message::Task(task)) => self.task(task, text.len()),
            Ok(Message::SetupResponse(response)) => self.configure(*response),
            Ok(Message::Shutdown) => {
                self.link.shared.scope.log(Level::Info, "runtime", "Connect asked the extension to stop");
                self.link.shared.draining.cancel();
            }
            Ok(Message::SetupRequest(_)) => self.reject("a setup request makes no sense here".into(), text.len(), text),
            Ok(Message::Other { message_type }) => {
                let line = format!("a `{message_type}` message was left aside: this runtime has no use for it");
                self.link.shared.scope.log(Level::Debug, "runtime", line);
            }
            Err(error) => self.reject(error.to_string(), text.len(), text),
        }
    }

    fn configure(&mut self, response: protocol::SetupResponse) {
        let shared = self.link.shared.clone();
        if shared.configure(response, self.configured) {
            let shared = shared.clone();
            tokio::spawn(async move { shared.start_up().await });
        }
        let generation = shared.configuration().generation;
        self.link.publish(|status| status.configured = generation);
        if !self.configured {
            self.configured = true;
            self.link.change(LinkState::Connected, shared.options.server_address.clone());
        }
    }

    /// A task came in: it is known from this moment on, whatever becomes of the connection.
    fn task(&mut self, task: Box<Task>, bytes: usize) {
        let shared = &self.link.shared;
        let again = match self.link.in_flight.begin(&task.options) {
            Arrival::New => None,
            Arrival::InHand => Some("while it is being handled"),
            Arrival::Answered => Some("while its result was on its way"),
        };
        if let Some(again) = again {
            let line = format!("task {} came again {again}: it is answered once", task.options.task_id);
            return shared.scope.log(Level::Warning, "runtime", line);
        }
        let scope = shared.scope.delivery(DeliveryKey::random());
        scope.emit(Fact::TaskArrived(arrived(&task)));
        self.link.held = Some((Job { task, scope, arrived: Instant::now() }, bytes));
    }

    fn reject(&self, reason: String, bytes: usize, text: &str) {
        self.link.shared.scope.emit(Fact::FrameRejected { reason, bytes, excerpt: protocol::excerpt(text) });
    }
}

/// The keepalive tick also watches the handshake.
const TICK_LEAST: Duration = Duration::from_millis(10);
const TICK_MOST: Duration = Duration::from_secs(20);

fn poll_push(cx: &mut Context<'_>, writer: &mut Writer, feeding: bool) -> Poll<Result<Pushed, tungstenite::Error>> {
    Poll::Ready(if feeding {
        ready!(writer.poll_ready_unpin(cx)).map(|()| Pushed::Room)
    } else {
        ready!(writer.poll_flush_unpin(cx)).map(|()| Pushed::Flushed)
    })
}

/// The task as an observation shows it, without its own key.
pub(crate) fn arrived(task: &Task) -> TaskArrived {
    let mut value = serde_json::to_value(task).unwrap_or_default();
    if let Some(options) = value.get_mut("options").and_then(|o| o.as_object_mut()) {
        options.shift_remove("api_key");
    }
    TaskArrived {
        task_id: task.options.task_id.clone(),
        category: task.options.task_category.clone(),
        event_type: task.input.event_type.clone(),
        object_id: task.input.object_id.clone(),
        task: value,
    }
}
