//! What the console knows: plain data, changed only by [`update`](super::update), drawn by the [panes](super::panes).

mod detail;
mod editor;
mod events;
mod folds;
mod input;
mod logs;
mod overlay;
mod place;
mod saga;
mod sagas;
mod scroll;
mod splits;
mod storage;
mod trace;
mod trail;
mod variables;
mod work;

use jiff::tz::TimeZone;

pub(crate) use detail::Detail;
pub(crate) use editor::{Editor, EditorFor, Prompt, PromptFor};
pub(crate) use events::{Events, Span};
pub(crate) use folds::Folds;
pub(crate) use input::Input;
pub(crate) use logs::Logs;
pub(crate) use overlay::{Choice, Chooser, Confirm, Form, Overlay, Pager, Pending, Purpose};
pub(crate) use saga::{Cell, Saga, SagaColumn};
pub(crate) use sagas::{SagaRequest, Sagas, requests};
pub(crate) use scroll::Scroll;
pub(crate) use splits::{Border, STEP, Splits, below, beside};
pub(crate) use storage::{Bar, FIELDS, Mark, Node, Part, Pick, Side, Storage, StoreAsk, View, cell, differing};
pub(crate) use trace::{Trace, TraceLine};
pub(crate) use trail::{Spot, Trail};
pub(crate) use variables::{Revealed, Variables};
pub(crate) use work::Work;

use super::config::Config;
use super::theme::{Theme, Tone};
use crate::journal::DeliveryRow;
use crate::observe::Timestamp;
use crate::workbench::{EventTypeRow, STOPPED, Status, WaitingRow};

/// The panes, in the order Tab visits them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Pane {
    #[default]
    Events,
    Trace,
    Variables,
    Storage,
    Logs,
}

impl Pane {
    pub(crate) const ALL: [Self; 5] = [Self::Events, Self::Trace, Self::Variables, Self::Storage, Self::Logs];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Events => "Events",
            Self::Trace => "Trace",
            Self::Variables => "Variables",
            Self::Storage => "Storage",
            Self::Logs => "Logs",
        }
    }

    /// The pane `by` places further.
    pub(crate) fn step(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|p| *p == self).unwrap_or_default();
        Self::ALL.iter().cycle().nth(at + by).copied().unwrap_or_default()
    }
}

/// Whether there is a session to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not yet.
    Starting,
    /// There is.
    Ready,
    /// There will be none; why.
    Failed(String),
}

/// A sentence shown for a few seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Toast {
    pub(crate) tone: Tone,
    pub(crate) text: String,
    pub(crate) until: Timestamp,
}

/// What is being asked for now, and what must be asked for again when there is time. It bounds the work: never two
/// questions of one sort at once.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) reading: bool,
    pub(crate) read_again: bool,
    pub(crate) status: bool,
    pub(crate) variables_stale: bool,
    pub(crate) documents_stale: bool,
    /// What the deliveries in memory wrote so far: when it changes, the documents are stale.
    pub(crate) written: i64,
    /// The delivery whose trace was asked for, as it stood then.
    pub(crate) trace: Option<DeliveryRow>,
    /// The request whose saga was asked for, and its deliveries in memory as they stood then.
    pub(crate) saga: Vec<DeliveryRow>,
    /// When the time was last looked at for questions that are asked at most once a second.
    pub(crate) swept: Timestamp,
}

/// See [`State::comparing`].
#[derive(Debug)]
pub(crate) struct Comparing {
    pub(crate) original: i64,
    pub(crate) task_id: String,
    /// Variable, the collection it names, the one it named for the run.
    pub(crate) shadows: Vec<(String, String, String)>,
    pub(crate) then: Then,
}

/// What is done with a run when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is compared with its original.
    Compare,
    /// The same; it is a run of the delivery that is watched.
    Watch,
    /// It is run once more.
    Again,
    /// It is asked what happened twice: this was the first run.
    Repeated(i64),
}

/// See [`State::watch`].
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) delivery: i64,
    /// How often the sources had changed when it was run last.
    pub(crate) with: u64,
    /// At how many places the last run differed from it; `None` before the first.
    pub(crate) differences: Option<usize>,
}

/// A filter being typed into a pane.
#[derive(Debug)]
pub(crate) struct Typing {
    pub(crate) pane: Pane,
    pub(crate) input: Input,
    /// What the filter was before.
    pub(crate) before: String,
}

/// Everything the console knows.
pub(crate) struct State {
    pub(crate) theme: Theme,
    /// What the developer set up.
    pub(crate) config: Config,
    /// Whether the terminal has all colours.
    pub(crate) truecolour: bool,
    pub(crate) zone: TimeZone,
    /// Columns and rows of the terminal.
    pub(crate) size: (u16, u16),
    /// The present, as of the last message.
    pub(crate) now: Timestamp,
    pub(crate) phase: Phase,
    pub(crate) focus: Pane,
    /// Whether the focused pane is shown alone.
    pub(crate) zoomed: bool,
    /// The pane below Events where there is room for two only.
    pub(crate) below: Pane,
    /// What the developer changed about the sizes of the panes.
    pub(crate) splits: Splits,
    /// The border being dragged, and where the mouse was last.
    pub(crate) dragging: Option<(Border, u16, u16)>,
    /// Whether the mouse is ours.
    pub(crate) mouse: bool,
    /// Where one was before the last jumps.
    pub(crate) trail: Trail,
    pub(crate) status: Option<Status>,
    pub(crate) events: Events,
    pub(crate) trace: Trace,
    pub(crate) sagas: Sagas,
    pub(crate) variables: Variables,
    pub(crate) storage: Storage,
    pub(crate) logs: Logs,
    /// The tasks that come again by themselves; local only.
    pub(crate) waiting: Vec<WaitingRow>,
    /// The event types objects can be created for.
    pub(crate) event_types: Vec<EventTypeRow>,
    /// Whether deliveries are held back, as far as is known here.
    pub(crate) held: bool,
    /// Runs that something is done with when they are over.
    pub(crate) comparing: Vec<Comparing>,
    /// The delivery that is run again whenever the sources change.
    pub(crate) watch: Option<Watch>,
    /// What lies over the panes, topmost last.
    pub(crate) overlays: Vec<Overlay>,
    /// The filter being typed.
    pub(crate) typing: Option<Typing>,
    pub(crate) toast: Option<Toast>,
    /// How long ago the link showed life, in words, as it was drawn last.
    pub(crate) age: String,
    /// Why the journal could not be read the last time.
    pub(crate) trouble: Option<String>,
    /// What is out of date, or being asked for.
    pub(crate) pending: Asked,
    /// What the session was asked for and has not answered.
    pub(crate) work: Work,
    /// Whether the screen no longer shows the state.
    pub(crate) dirty: bool,
}

impl State {
    pub(crate) fn new(theme: Theme, zone: TimeZone, size: (u16, u16), now: Timestamp) -> Self {
        Self {
            theme,
            config: Config::default(),
            truecolour: false,
            zone,
            size,
            now,
            phase: Phase::Starting,
            focus: Pane::Events,
            zoomed: false,
            below: Pane::Trace,
            splits: Splits::default(),
            dragging: None,
            mouse: false,
            trail: Trail::default(),
            status: None,
            events: Events::default(),
            trace: Trace::default(),
            sagas: Sagas::default(),
            variables: Variables::default(),
            storage: Storage::default(),
            logs: Logs::default(),
            waiting: Vec::new(),
            event_types: Vec::new(),
            held: false,
            comparing: Vec::new(),
            watch: None,
            overlays: Vec::new(),
            typing: None,
            toast: None,
            age: String::new(),
            trouble: None,
            pending: Asked::default(),
            work: Work::default(),
            dirty: true,
        }
    }

    pub(crate) fn ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    pub(crate) fn focus_on(&mut self, pane: Pane) {
        self.focus = pane;
        if pane != Pane::Events {
            self.below = pane;
        }
    }

    /// Shows a sentence for some seconds; an error stays longer.
    pub(crate) fn say(&mut self, tone: Tone, text: impl Into<String>) {
        let seconds = if tone == Tone::Bad { 10 } else { 5 };
        self.toast = Some(Toast { tone, text: text.into(), until: Timestamp(self.now.0.saturating_add(seconds * 1_000_000)) });
        self.dirty = true;
    }

    /// The task that is waiting to be delivered again after this delivery of it.
    pub(crate) fn waiting_after(&self, delivery: &DeliveryRow) -> Option<&WaitingRow> {
        let task = self.waiting.iter().find(|w| w.task_id == delivery.task_id)?;
        let later = self.events.rows.iter().any(|d| d.id > delivery.id && d.task_id == delivery.task_id);
        (!later).then_some(task)
    }

    /// The delivery that stands at a breakpoint and is meant by a key: the selected one, or else the first. The journal may
    /// tell of it before the session is asked.
    pub(crate) fn standing(&self) -> Option<i64> {
        let selected = self.events.selected().map(|d| d.id);
        let traced = self.trace.delivery.as_ref().map(|d| d.id).filter(|id| Some(*id) == selected && self.trace.stands());
        let held = selected.filter(|id| self.sagas.held(*id).is_some());
        traced.or(held).or_else(|| self.sagas.set.held.first().and_then(|held| held.delivery))
    }

    /// Why nothing is captured any more, while that is so.
    pub(crate) fn capture_stopped(&self) -> Option<&str> {
        self.status.as_ref()?.troubles.iter().find_map(|trouble| trouble.strip_prefix(STOPPED))
    }

    /// Deliveries being handled, as far as is known.
    pub(crate) fn running(&self) -> usize {
        self.status.as_ref().map_or(0, |s| s.running)
    }
}
