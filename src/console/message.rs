//! What reaches the state, and what it asks for in return.

use crossterm::event::{KeyEvent, MouseEvent};

use super::state::{EditorFor, Saga, SagaRequest, Span, StoreAsk};
use crate::journal::{DeliveryFilter, DeliveryRow, Gap, LogFilter, LogRow, Metrics, ObservationRow, Usage};
use crate::observe::{Secret, SeenVariable, Timestamp};
use crate::sagas::Difference;
use crate::workbench::{Command, Completed, Reply, WorkbenchError};

/// Something happened.
#[derive(Debug)]
pub(crate) enum Message {
    Key(KeyEvent),
    Paste(String),
    Mouse(MouseEvent),
    /// The terminal got the focus, or lost it.
    Focus(bool),
    /// The terminal told its background: whether it is light.
    Background(bool),
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
    /// A text came back from the editor: what was saved, or `None` where that is what it was before; or why it did not.
    Edited(Edit, Result<Option<Secret>, String>),
    /// What the beginning of a path can become.
    Completed(String, Completed),
    /// A signal asks the program to end.
    Terminate,
}

/// What a text was handed to the developer's editor for, so that it finds its place when it comes back.
///
/// A pane hands one out with `Effect::Edit` and a variant of its own in here; what was saved comes back to
/// `update::edited`, which gives it to the pane. The screen is given up while the editor runs and taken
/// back after it. The text is a secret until the pane says otherwise: it is in no debug print, and its file is gone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Edit {
    /// The value of a variable, and whether it becomes a secret where that is known.
    Variable { name: String, secure: Option<bool> },
    /// A text that is otherwise edited in place: its title, as it was handed out, and what becomes of it.
    Text { title: String, text: String, purpose: EditorFor },
    /// All variables.
    Environment,
}

/// A message with its moment.
#[derive(Debug)]
pub(crate) struct Timed {
    pub(crate) at: Timestamp,
    pub(crate) message: Message,
}

/// What a command was asked for, so that its answer finds its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ask {
    Status,
    /// Whether quitting now would interrupt something.
    Quit,
    Trigger,
    Replay(i64),
    /// Something about captures.
    Captures,
    /// A shadow run of this delivery, or one with another variable: when it is over, it is compared.
    Shadow(i64),
    /// The first of two runs of this delivery.
    Twice(i64),
    /// The second, into the same shadow collections: variable, the collection it names, the one it names for the runs.
    Again {
        of: i64,
        first: i64,
        shadows: Vec<(String, String, String)>,
    },
    /// What happened twice in these two runs of a delivery.
    Repeated {
        of: i64,
        first: i64,
        second: i64,
    },
    /// A run of the delivery that is watched.
    Watch(i64),
    /// The comparison of such a run.
    Watched(i64),
    EventTypes,
    Waiting,
    /// The value of a secure variable.
    Reveal(String),
    /// A task to be delivered now.
    Release,
    /// Time to pass at once.
    Forward,
    /// Breakpoints and faults.
    Sagas,
    Variables,
    /// The variables, to edit the one of this name.
    Edit(String),
    Stage,
    Apply,
    /// About the environment as a whole.
    Environment,
    /// What an edited set stages.
    TakeText,
    Collections,
    /// Documents; the number of the question.
    Documents(u64),
    Store(StoreAsk),
}

/// Which answers are no longer waited for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Waited {
    /// The answer to this.
    For(Ask),
    /// What is looked at in the storage pane: collections, documents, how many there are, windows.
    Stores,
    /// What a window of the storage pane shall show.
    Window,
}

/// Something to be read in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Query {
    Deliveries {
        filter: DeliveryFilter,
        span: Span,
    },
    /// A search that took too long goes on before this delivery.
    Earlier {
        filter: DeliveryFilter,
        before: i64,
        /// How many are still wanted.
        limit: usize,
    },
    Trace(i64),
    /// How the deliveries of the last hour, day and week went.
    Metrics,
    Gaps,
    /// How full the journal is.
    Usage,
    /// The latest deliveries of tasks.
    Tasks(Vec<String>),
    /// The saga of a request, by the object's id.
    Saga(String),
    /// The requests with a saga.
    SagaRequests,
    /// How two deliveries differ.
    Difference(i64, i64),
    Logs(LogFilter),
}

/// What was read.
#[derive(Debug)]
pub(crate) enum Answer {
    Deliveries {
        filter: DeliveryFilter,
        span: Span,
        rows: Vec<DeliveryRow>,
        /// How far back was looked, where the search was not at its end.
        reached: Option<i64>,
        total: usize,
        failures: usize,
    },
    Earlier {
        filter: DeliveryFilter,
        before: i64,
        rows: Vec<DeliveryRow>,
        reached: Option<i64>,
    },
    Trace {
        delivery: Option<Box<DeliveryRow>>,
        rows: Vec<ObservationRow>,
        variables: Vec<SeenVariable>,
    },
    Metrics(Vec<Metrics>),
    /// Times without a link.
    Gaps(Vec<Gap>),
    Usage(Usage),
    Tasks(Vec<DeliveryRow>),
    Saga(Saga),
    SagaRequests(Vec<SagaRequest>),
    /// `None` where one of the two is not there.
    Difference(Option<Box<Difference>>),
    Logs(LogFilter, Vec<LogRow>),
    /// It could not be read; why.
    Failed(Query, String),
}

/// What the state wants done outside of it.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    Command(Ask, Command),
    Read(Query),
    /// Open a text in the developer's editor; `file` is its name there, whose ending tells the editor what it is.
    Edit {
        edit: Edit,
        file: &'static str,
        text: Secret,
    },
    /// Wait no longer for this: what is done for it stops.
    Cancel(Waited),
    /// Complete the path that is typed.
    Complete(String),
    /// Put the text on the terminal's clipboard.
    Copy(String),
    Redraw,
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    Suspend,
    Quit,
}
