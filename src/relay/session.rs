//! The guest's socket and Connect's, joined: one connection of the guest, as many to Connect as it takes.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket, close_code};
use futures::future::BoxFuture;
use futures::stream::{SplitSink, SplitStream};
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::Interval;
use tokio_tungstenite::tungstenite::{self, Message as Above};

use super::lane::Lane;
use super::line::{Line, Visitor};
use super::seen::{FromConnect, FromGuest};
use crate::observe::{Level, LinkState};
use crate::protocol::Message;
use crate::runtime::backoff::Backoff;
use crate::runtime::socket::{self, Opened, Reader, Refusal, Writer};

/// How long Connect may take to answer the guest's introduction.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often Connect is asked for a sign of life; after three times that without one it is dead.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// How often somebody looks at the clock.
const TICK: Duration = Duration::from_secs(5);

/// The guest's side.
struct Guest {
    lane: Lane<SplitSink<WebSocket, Frame>, Frame>,
    stream: SplitStream<WebSocket>,
}

/// Connect's side.
struct Connect {
    lane: Lane<Writer, Above>,
    stream: Reader,
    /// Its configuration has come: results may go out.
    configured: bool,
    since: Instant,
    last_seen: Instant,
    last_asked: Instant,
}

impl Connect {
    fn new((writer, stream): (Writer, Reader)) -> Self {
        let now = Instant::now();
        Self { lane: Lane::new(writer), stream, configured: false, since: now, last_seen: now, last_asked: now }
    }
}

/// What happens.
enum Event {
    Visitor(Option<Box<Visitor>>),
    Closing,
    FromGuest(Option<Result<Frame, axum::Error>>),
    FromConnect(Option<Result<Above, tungstenite::Error>>),
    GuestWritten(Result<(), axum::Error>),
    ConnectWritten(Result<(), tungstenite::Error>),
    Result,
    Opened(Result<(Writer, Reader), Refusal>),
    Tick,
}

/// One connection of the guest.
pub(super) struct Session<'a> {
    line: &'a mut Line,
    guest: Option<Guest>,
    connect: Option<Connect>,
    opening: Option<BoxFuture<'static, Result<(Writer, Reader), Refusal>>>,
    backoff: Backoff,
    agent: String,
    /// How the guest introduced itself.
    introduction: Option<String>,
    /// A result is in the lane to Connect.
    feeding: bool,
    closing: bool,
    tick: Interval,
}

impl<'a> Session<'a> {
    pub(super) fn new(line: &'a mut Line, visitor: Visitor) -> Self {
        let (sink, stream) = visitor.guest.split();
        let tick = tokio::time::interval(TICK);
        let mut session = Self {
            line,
            guest: Some(Guest { lane: Lane::new(sink), stream }),
            connect: None,
            opening: None,
            backoff: Backoff::default(),
            agent: visitor.agent,
            introduction: None,
            feeding: false,
            closing: false,
            tick,
        };
        session.connected(visitor.connect);
        session
    }

    /// Serves until the guest is gone and Connect has its results; gives back the guest's next connection if it has come.
    pub(super) async fn serve(mut self, visitors: &mut mpsc::Receiver<Visitor>) -> Option<Visitor> {
        let mut next = None;
        while self.guest.is_some() || (self.line.outbox.len() > 0 && !self.is_hopeless()) {
            self.feed();
            match self.event(visitors).await {
                Event::Visitor(Some(visitor)) => {
                    next = Some(*visitor);
                    break;
                }
                event => self.take(event),
            }
            self.line.publish();
        }
        self.end().await;
        next
    }

    /// Whether, while the relay is stopped, what is left cannot go out.
    fn is_hopeless(&self) -> bool {
        self.closing && self.connect.is_none()
    }

    async fn event(&mut self, visitors: &mut mpsc::Receiver<Visitor>) -> Event {
        let Self { line, guest, connect, opening, closing, tick, .. } = self;
        let cancelled = line.shared.closing.clone();
        // Who can't take more is not given more: the other side is not read.
        let guest_is_full = guest.as_ref().is_some_and(|guest| guest.lane.is_full());
        let connect_is_full = connect.as_ref().is_some_and(|connect| connect.lane.is_full());
        let (mut to_guest, mut from_guest) = (None, None);
        if let Some(Guest { lane, stream }) = guest {
            (to_guest, from_guest) = (Some(lane), Some(stream));
        }
        let (mut to_connect, mut from_connect) = (None, None);
        if let Some(Connect { lane, stream, .. }) = connect {
            (to_connect, from_connect) = (Some(lane), Some(stream));
        }
        tokio::select! {
            biased;
            visitor = visitors.recv(), if !*closing => Event::Visitor(visitor.map(Box::new)),
            () = cancelled.cancelled(), if !*closing => Event::Closing,
            _ = tick.tick() => Event::Tick,
            written = maybe(to_connect.as_mut().map(|lane| lane.drive())) => Event::ConnectWritten(written),
            written = maybe(to_guest.as_mut().map(|lane| lane.drive())) => Event::GuestWritten(written),
            () = line.outbox.absorb() => Event::Result,
            frame = maybe(from_guest.as_mut().map(|s| s.next())), if !connect_is_full => Event::FromGuest(frame),
            frame = maybe(from_connect.as_mut().map(|s| s.next())), if !guest_is_full => Event::FromConnect(frame),
            opened = maybe(opening.as_mut()) => Event::Opened(opened),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            // The way in is closed with the relay.
            Event::Visitor(_) | Event::Closing => self.closing = true,
            Event::FromGuest(Some(Ok(Frame::Text(text)))) => self.take_from_guest(text.as_str()),
            Event::FromGuest(Some(Ok(Frame::Binary(bytes)))) => self.take_from_guest(&String::from_utf8_lossy(&bytes)),
            Event::FromGuest(Some(Ok(Frame::Ping(_) | Frame::Pong(_)))) => {}
            Event::FromGuest(_) | Event::GuestWritten(Err(_)) => self.guest_gone(),
            Event::FromConnect(Some(Ok(frame))) => self.take_from_connect(frame),
            Event::FromConnect(Some(Err(e))) => self.lost(&format!("the connection broke: {e}")),
            Event::FromConnect(None) => self.lost("Connect closed the connection"),
            Event::ConnectWritten(Ok(())) => self.written(),
            Event::ConnectWritten(Err(e)) => self.lost(&format!("writing failed: {e}")),
            Event::Opened(Ok(connect)) => {
                self.opening = None;
                self.connected(connect);
            }
            Event::Opened(Err(refusal)) => {
                self.opening = None;
                self.open_again(&refusal.why);
            }
            Event::Tick => self.look_at_the_clock(),
            Event::GuestWritten(Ok(())) | Event::Result => {}
        }
    }

    /// Gives Connect the next result: one at a time, so that what a broken connection leaves behind is never more than
    /// a part of one.
    fn feed(&mut self) {
        let Some(connect) = self.connect.as_mut().filter(|c| c.configured && c.lane.is_idle()) else { return };
        if !self.feeding
            && let Some(frame) = self.line.outbox.feed()
        {
            self.feeding = true;
            connect.lane.push(Above::Text(frame));
        }
    }

    fn written(&mut self) {
        if std::mem::take(&mut self.feeding) {
            let Line { outbox, in_flight, .. } = &mut *self.line;
            let mut crossing = false;
            outbox.flushed(|key| crossing |= in_flight.end(key));
            // Its answer tells that nothing of what was just answered is still on its way here again.
            if let (true, Some(connect)) = (crossing, &mut self.connect) {
                connect.lane.push(Above::Ping(in_flight.ping().to_vec().into()));
            }
        }
    }

    fn take_from_guest(&mut self, text: &str) {
        match self.line.see_from_guest(text) {
            FromGuest::Kept => return,
            FromGuest::Introduction => self.introduction = Some(text.to_owned()),
            FromGuest::Farewell | FromGuest::Pass => {}
        }
        match &mut self.connect {
            Some(connect) => connect.lane.push(Above::text(text)),
            // It is said again when the way is open again.
            None if self.introduction.as_deref() == Some(text) => {}
            None => {
                let line = "a message of the runner was dropped: the way to Connect is not open";
                self.line.shared.scope.log(Level::Warning, super::TARGET, line);
            }
        }
    }

    fn take_from_connect(&mut self, frame: Above) {
        let Some(connect) = &mut self.connect else { return };
        connect.last_seen = Instant::now();
        self.line.shared.alive();
        let text = match &frame {
            Above::Text(text) => text.as_str().to_owned(),
            Above::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Above::Close(close) => {
                let why = close.as_ref().map(|close| format!(" ({} {})", u16::from(close.code), close.reason).replace(" )", ")"));
                return self.lost(&format!("Connect closed the connection{}", why.unwrap_or_default()));
            }
            Above::Pong(said) => return self.line.in_flight.pong(said),
            _ => return,
        };
        let seen = self.line.see_from_connect(&text, connect.configured);
        if seen == FromConnect::Configuration && !std::mem::replace(&mut connect.configured, true) {
            let address = self.line.shared.connect.server_address.clone();
            self.line.shared.link(&self.line.way, Some(LinkState::Connected), &address);
        }
        if let (true, Some(guest)) = (seen != FromConnect::Keep, &mut self.guest) {
            guest.lane.push(Frame::Text(text.into()));
        }
    }

    /// A connection to Connect is there: whoever was introduced before is introduced again.
    fn connected(&mut self, connect: (Writer, Reader)) {
        let mut connect = Connect::new(connect);
        self.line.in_flight.reconnected();
        if let Some(introduction) = &self.introduction {
            connect.lane.push(Above::text(introduction.as_str()));
            if self.guest.is_none() {
                connect.lane.push(Above::text(Message::Shutdown.encode()));
            }
        }
        self.line.shared.link(&self.line.way, Some(LinkState::Connecting), &self.line.shared.connect.server_address);
        self.connect = Some(connect);
    }

    /// The connection to Connect is gone.
    fn lost(&mut self, why: &str) {
        let Some(connect) = self.connect.take() else { return };
        self.feeding = false;
        self.line.outbox.lost();
        if connect.configured {
            self.backoff.session(connect.since.elapsed());
        }
        self.open_again(why);
    }

    fn open_again(&mut self, why: &str) {
        let pause = self.backoff.pause();
        let (shared, way) = (&self.line.shared, &self.line.way);
        shared.link(way, Some(LinkState::Waiting), &format!("{why}; trying again in {:.1} s", pause.as_secs_f64()));
        let (running, scheduled) = self.line.in_flight.counts();
        let url = way.url(&shared.connect, running, scheduled);
        let (api_key, agent) = (shared.connect.api_key.clone(), self.agent.clone());
        let opening = async move {
            tokio::time::sleep(pause).await;
            socket::open(&url, &api_key, &agent).await.map(Opened::halves)
        };
        self.opening = Some(opening.boxed());
    }

    /// The guest's socket is gone. Connect is told that nobody takes tasks any more, for as long as results go out.
    fn guest_gone(&mut self) {
        self.guest = None;
        self.line.guest_is_gone();
        if let Some(connect) = &mut self.connect {
            connect.lane.push(Above::text(Message::Shutdown.encode()));
        }
    }

    fn look_at_the_clock(&mut self) {
        let introduced = self.introduction.is_some();
        let Some(connect) = &mut self.connect else { return };
        let silent = connect.last_seen.elapsed();
        if introduced && !connect.configured && connect.since.elapsed() > HANDSHAKE {
            self.lost(&format!("Connect sent no configuration within {} s", HANDSHAKE.as_secs()));
        } else if silent > KEEPALIVE * 3 {
            self.lost(&format!("Connect gave no sign of life for {:.0} s", silent.as_secs_f64()));
        } else if connect.last_asked.elapsed() > KEEPALIVE {
            connect.last_asked = Instant::now();
            connect.lane.push(Above::Ping(Bytes::new()));
        }
    }

    /// Closes what is still open.
    async fn end(mut self) {
        if let Some(mut guest) = self.guest.take() {
            self.line.guest_is_gone();
            guest.lane.push(Frame::Close(Some(CloseFrame { code: close_code::AWAY, reason: "".into() })));
            let _ = tokio::time::timeout(Duration::from_secs(1), guest.lane.drive()).await;
        }
        if let Some(mut connect) = self.connect.take() {
            self.line.outbox.lost();
            connect.lane.push(Above::Close(None));
            let _ = tokio::time::timeout(Duration::from_secs(1), connect.lane.drive()).await;
        }
        self.line.publish();
        self.line.shared.link(&self.line.way, None, "the runner closed its connection");
    }
}

/// Awaits what there is; for ever where there is nothing.
async fn maybe<F: Future>(future: Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
