//! Signals as events: to end, to stop for the shell, to go on.

use std::io;

use rustix::process::{Signal, getpid, kill_current_process_group, kill_process};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    End,
    /// Ctrl-C, from a terminal that makes a signal of it.
    Interrupt,
    Stop,
    GoOn,
}

/// The signals the console listens to.
pub(crate) struct Signals {
    term: Stream,
    hup: Stream,
    int: Stream,
    stop: Stream,
    go_on: Stream,
}

impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
            int: signal(SignalKind::interrupt())?,
            stop: signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?,
            go_on: signal(SignalKind::from_raw(Signal::CONT.as_raw()))?,
        })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.term.recv() => Asked::End,
            _ = self.hup.recv() => Asked::End,
            _ = self.int.recv() => Asked::Interrupt,
            _ = self.stop.recv() => Asked::Stop,
            _ = self.go_on.recv() => Asked::GoOn,
        }
    }
}

/// Asks the whole job to stop, as the terminal does for Ctrl-Z when nobody has taken that key: a parent such as `cargo run`
/// must stop too, or the shell would not come back.
pub(crate) fn stop_job() {
    let _ = kill_current_process_group(Signal::TSTP);
}

/// Stops this process; returns when it goes on.
pub(crate) fn stop_here() {
    let _ = kill_process(getpid(), Signal::STOP);
}
