//! What reaches the state, and what it asks for in return.

use crossterm::event::KeyEvent;

use super::state::{Saga, Span};
use crate::journal::{DeliveryFilter, DeliveryRow, LogRow, ObservationRow};
use crate::observe::Timestamp;
use crate::workbench::{Command, Reply, WorkbenchError};

/// Something happened.
#[derive(Debug)]
pub(crate) enum Message {
    Key(KeyEvent),
    Paste(String),
    Resize(u16, u16),
    /// The session stands, or will not.
    Started(Result<(), String>),
    /// The journal has news.
    News,
    /// Time went on.
    Tick,
    /// The journal was read.
    Read(Answer),
    /// A command was answered.
    Reply(Ask, Result<Reply, WorkbenchError>),
    /// A thread of the session panicked; what it said.
    Panic(String),
    /// A signal asks the program to end.
    Terminate,
}

/// A message with its moment.
#[derive(Debug)]
pub(crate) struct Timed {
    pub(crate) at: Timestamp,
    pub(crate) message: Message,
}

/// What a command was asked for, so that its answer finds its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Status,
    Trigger,
    Replay(i64),
    EventTypes,
    Waiting,
    /// The value of a secure variable.
    Reveal(String),
    /// A task to be delivered now.
    Release,
    Variables,
    Stage,
    Apply,
    Collections,
    /// Documents; the number of the question.
    Documents(u64),
}

/// Something to be read in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Query {
    Deliveries {
        filter: DeliveryFilter,
        span: Span,
    },
    Trace(i64),
    /// The saga of a request, by the object's id.
    Saga(String),
    Logs,
}

/// What was read.
#[derive(Debug)]
pub(crate) enum Answer {
    Deliveries {
        filter: DeliveryFilter,
        span: Span,
        rows: Vec<DeliveryRow>,
        total: usize,
        failures: usize,
    },
    Trace {
        delivery: Option<Box<DeliveryRow>>,
        rows: Vec<ObservationRow>,
    },
    Saga(Saga),
    Logs(Vec<LogRow>),
    /// It could not be read; why.
    Failed(Query, String),
}

/// What the state wants done outside of it.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    Command(Ask, Command),
    Read(Query),
    /// Put the text on the terminal's clipboard.
    Copy(String),
    Redraw,
    Suspend,
    Quit,
}
