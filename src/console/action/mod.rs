//! Everything the console can be told to do, as one table. The keymap, the help, the command palette and the bottom line
//! come from it.

mod inspect;
mod when;

pub(crate) use inspect::Inspect;

use super::state::{Pane, State};
use when::{
    always, has_delivery, has_local_delivery, has_more, has_previous, has_secret, has_staged, has_staged_here, has_variable,
    local, ready, stands, waits,
};

/// Where an action's keys count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Context {
    Everywhere,
    Pane(Pane),
}

impl Context {
    pub(crate) const ALL: [Self; 6] = [
        Self::Everywhere,
        Self::Pane(Pane::Events),
        Self::Pane(Pane::Trace),
        Self::Pane(Pane::Variables),
        Self::Pane(Pane::Storage),
        Self::Pane(Pane::Logs),
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Pane(pane) => pane.title(),
        }
    }
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Do {
    Trigger,
    TriggerType,
    Replay,
    ReplayHermetic,
    ReplayShadow,
    ReplayTwice,
    ReplayEdited,
    Watch,
    ReplayVariable,
    ReplayMany,
    Pin,
    Hold,
    Metrics,
    Open,
    Filter,
    Follow,
    Release,
    Forward,
    ShowSaga,
    EarlierDelivery,
    LaterDelivery,
    EarlierSaga,
    LaterSaga,
    Break,
    Spoil,
    ContinueStep,
    SkipStep,
    AbortDelivery,
    Mark,
    Copy,
    EditVariable,
    AddVariable,
    RevealVariable,
    UnsetVariable,
    UnstageVariable,
    Apply,
    EditAll,
    ImportVariables,
    ExportVariables,
    History,
    RanWith,
    Go,
    Back,
    Ahead,
    Grow,
    Shrink,
    Wider,
    Narrower,
    ResetSizes,
    Mouse,
    LogLevel,
    LogDelivery,
    SwitchBackend,
    Reload,
    NextPage,
    PreviousPage,
    Store(Inspect),
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Top,
    End,
    NextPane,
    PreviousPane,
    Show(Pane),
    Zoom,
    Palette,
    Help,
    Close,
    Redraw,
    Suspend,
    Quit,
}

/// One line of the table.
pub(crate) struct Action {
    pub(crate) what: Do,
    /// What it is called in the palette.
    pub(crate) name: &'static str,
    /// What it does, in a sentence without its full stop.
    pub(crate) description: &'static str,
    /// Its keys, the one to show first.
    pub(crate) keys: &'static [&'static str],
    /// Where its keys count.
    pub(crate) contexts: &'static [Context],
    /// The word for it in the bottom line, if it belongs there.
    pub(crate) hint: Option<&'static str>,
    /// Whether it can be done now; if not, why.
    pub(crate) available: fn(&State) -> Result<(), &'static str>,
}

use Context::{Everywhere, Pane as In};
use Do::Store;
use Pane::{Events, Logs, Storage, Trace, Variables};

const ANY: &[Context] = &[Everywhere];

const fn act(
    what: Do,
    name: &'static str,
    description: &'static str,
    keys: &'static [&'static str],
    contexts: &'static [Context],
) -> Action {
    Action { what, name, description, keys, contexts, hint: None, available: always }
}

impl Action {
    const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    const fn when(mut self, available: fn(&State) -> Result<(), &'static str>) -> Self {
        self.available = available;
        self
    }
}

/// The table, in the order the help shows it.
pub(crate) const ACTIONS: &[Action] = &[
    act(Do::Trigger, "trigger test subscription", "create a Test Subscription and deliver it", &["t"], ANY)
        .hint("Test Subscription")
        .when(local),
    act(Do::TriggerType, "trigger event type", "choose an event type or a saved event, create its object, edited first if you like, and deliver it", &["T"], ANY).when(local),
    act(Do::ContinueStep, "continue", "let the delivery at a breakpoint go on", &["c"], &[In(Events), In(Trace)])
        .hint("continue")
        .when(stands),
    act(Do::SkipStep, "skip step", "let it go on without the step it stands before", &["K"], &[In(Events), In(Trace)])
        .hint("skip")
        .when(stands),
    act(
        Do::AbortDelivery,
        "abort delivery",
        "end the delivery at a breakpoint with an error; nothing is compensated; asks first",
        &["X"],
        &[In(Events), In(Trace)],
    )
    .hint("abort")
    .when(stands),
    act(Do::Replay, "replay", "run the selected delivery again through the same path", &["r"], &[In(Events), In(Trace)])
        .hint("replay")
        .when(has_local_delivery),
    act(
        Do::ReplayMany,
        "replay many",
        "run the selected delivery several times, or all deliveries that the filter shows",
        &["A"],
        &[In(Events)],
    )
    .when(has_local_delivery),
    act(
        Do::ReplayHermetic,
        "replay hermetically",
        "run the selected delivery again with the recorded answers of the API",
        &["R"],
        &[In(Events)],
    )
    .when(has_local_delivery),
    act(
        Do::ReplayShadow,
        "replay into shadow collections",
        "run the selected delivery again into shadow collections and show what is different",
        &["S"],
        &[In(Events)],
    )
    .when(has_local_delivery),
    act(
        Do::ReplayTwice,
        "deliver twice",
        "run the selected delivery twice into the same shadow collections and show what happened twice",
        &["D"],
        &[In(Events)],
    )
    .when(has_local_delivery),
    act(
        Do::ReplayEdited,
        "edit and replay",
        "change the object of the selected delivery, here or in your editor, then run it again",
        &["E"],
        &[In(Events)],
    )
    .when(has_local_delivery),
    act(
        Do::Watch,
        "watch",
        "pin the selected delivery and run it again whenever the sources change, with what is different; again: no longer",
        &["W"],
        &[In(Events)],
    )
    .when(has_local_delivery),
    act(
        Do::ReplayVariable,
        "replay with a variable",
        "run the selected delivery again with another value of a variable, for that run only, and show what is different",
        &["v"],
        &[In(Events), In(Trace)],
    )
    .when(has_local_delivery),
    act(Do::Pin, "pin", "keep the selected delivery whatever retention takes away; again: no longer", &["p"], &[In(Events)])
        .when(has_delivery),
    act(Do::Hold, "hold deliveries", "hold all deliveries back; again: let them go on", &["H"], &[In(Events)]).when(local),
    act(Do::Metrics, "task metrics", "how the tasks of the last hour, day and week went", &["M"], &[In(Events)]).when(ready),
    act(
        Do::Open,
        "open",
        "show the selected delivery, line, variable or document whole",
        &["enter"],
        &[In(Events), In(Trace), In(Storage), In(Logs)],
    )
    .hint("open"),
    act(
        Do::Filter,
        "filter",
        "type a filter: words, ! leaves out; in Events also result=fail, since=2h, asset.product.id=PRD-1, body~text; in Storage Tab goes on to projection, sort and skip; an empty one shows all again",
        &["/"],
        ANY,
    )
    .hint("filter"),
    act(Do::Follow, "follow", "stay at the newest delivery, or stop doing so", &["f"], &[In(Events)]).hint("follow"),
    act(Do::Release, "deliver now", "deliver the waiting task of this request at once", &["n"], &[In(Events), In(Trace)])
        .hint("deliver now")
        .when(waits),
    act(Do::Forward, "fast-forward", "put the clock forward: what is due until then comes now", &["F"], &[In(Events), In(Trace)])
        .when(local),
    act(Do::ShowSaga, "saga", "the request's transactions across its deliveries above the trace, or not", &["s"], &[In(Trace)])
        .hint("saga")
        .when(has_delivery),
    act(Do::EarlierDelivery, "earlier delivery", "the delivery of this request before", &["<", ","], &[In(Trace)])
        .when(has_delivery),
    act(Do::LaterDelivery, "later delivery", "the delivery of this request after", &[">", "."], &[In(Trace)]).when(has_delivery),
    act(Do::EarlierSaga, "earlier request", "the request with a saga before this one", &["{"], &[In(Trace)]).when(ready),
    act(Do::LaterSaga, "later request", "the request with a saga after this one", &["}"], &[In(Trace)]).when(ready),
    act(
        Do::Break,
        "breakpoint",
        "stop deliveries before the selected step, or no longer; elsewhere: choose before which",
        &["b"],
        &[In(Trace)],
    )
    .hint("breakpoint")
    .when(ready),
    act(
        Do::Spoil,
        "make go wrong",
        "have the selected step fail, hang or be late on its next run, or the next store write fail",
        &["x"],
        &[In(Trace)],
    )
    .hint("spoil")
    .when(ready),
    act(
        Do::Mark,
        "mark and compare",
        "mark the selected delivery; with another one marked, show how the two differ",
        &["m"],
        &[In(Events), In(Trace)],
    )
    .when(has_delivery),
    act(Do::EditVariable, "edit variable", "stage another value for the selected variable", &["e", "enter"], &[In(Variables)])
        .hint("edit")
        .when(has_variable),
    act(Do::AddVariable, "add variable", "ADD: stage a new variable", &["n"], &[In(Variables)]).when(ready),
    act(
        Do::RevealVariable,
        "reveal secret",
        "show the value of the selected secret for some seconds; again: hide it",
        &["v"],
        &[In(Variables)],
    )
    .hint("reveal")
    .when(has_secret),
    act(Do::UnsetVariable, "unset variable", "stage the deletion of the selected variable", &["d"], &[In(Variables)])
        .hint("unset")
        .when(has_variable),
    act(Do::UnstageVariable, "unstage variable", "forget what is staged for the selected variable", &["u"], &[In(Variables)])
        .hint("unstage")
        .when(has_staged_here),
    act(Do::Apply, "apply changes", "APPLY CHANGES: show what is staged, then store it and push it to the runtime", &["a"], &[In(Variables)])
        .when(has_staged),
    act(
        Do::EditAll,
        "edit all variables",
        "open all variables in your editor; what you save is staged",
        &["E"],
        &[In(Variables)],
    )
    .hint("edit all")
    .when(ready),
    act(
        Do::ImportVariables,
        "import variables",
        "EXPORT & IMPORT: stage what a .env, JSON, deployment or xlsx file has",
        &["i"],
        &[In(Variables)],
    )
    .when(ready),
    act(
        Do::ExportVariables,
        "export variables",
        "EXPORT & IMPORT: write the stored variables to a new file, without secrets",
        &["x"],
        &[In(Variables)],
    )
    .when(ready),
    act(
        Do::History,
        "history of variables",
        "what was applied when and by whom; choosing one stages it again",
        &["H"],
        &[In(Variables)],
    )
    .hint("history")
    .when(ready),
    act(Do::RanWith, "values it ran with", "the variables as the selected delivery had them", &["V"], &[In(Events), In(Trace)])
        .when(has_delivery),
    act(Do::LogLevel, "log level", "only lines at least this serious: all, info, warning, error", &["v"], &[In(Logs)])
        .hint("level"),
    act(Do::LogDelivery, "logs of the delivery", "only lines of the selected delivery, or all again", &["o"], &[In(Logs)])
        .hint("its delivery"),
    act(Do::SwitchBackend, "switch backend", "look through the driver or through the Data API", &["b"], &[In(Storage)])
        .hint("backend"),
    act(Store(Inspect::SideBySide), "both backends", "the same query to both backends, what differs field by field; again: back to one", &["B"], &[In(Storage)])
        .hint("both")
        .when(inspect::has_collection),
    act(Store(Inspect::View), "view", "show documents as JSON, as a tree or as a table", &["v"], &[In(Storage)]).hint("view"),
    act(Store(Inspect::Fold), "fold", "fold or unfold the selected branch of the tree", &["space"], &[In(Storage)]).when(inspect::is_tree),
    act(Store(Inspect::Edit), "edit document", "edit the selected document; only what you changed is saved", &["e"], &[In(Storage)])
        .hint("edit")
        .when(inspect::can_edit),
    act(Store(Inspect::Insert), "insert document", "type a new document", &["i"], &[In(Storage)]).hint("insert").when(inspect::can_write),
    act(Store(Inspect::Clone), "clone document", "a new document like the selected one, with another _id", &["c"], &[In(Storage)])
        .when(inspect::can_edit),
    act(Store(Inspect::Delete), "delete document", "delete the selected document; asks first", &["d"], &[In(Storage)])
        .when(inspect::can_change),
    act(Store(Inspect::Undo), "undo", "undo the last write of this session", &["u"], &[In(Storage)]).when(ready),
    act(Store(Inspect::Pipeline), "pipeline", "type an aggregation pipeline, previewed stage by stage", &["p"], &[In(Storage)])
        .hint("pipeline")
        .when(inspect::has_collection),
    act(Store(Inspect::Queries), "queries", "what was asked of this collection before, favourites first", &["H"], &[In(Storage)])
        .when(inspect::has_collection),
    act(Store(Inspect::Favourite), "favourite", "keep the present query among the favourites, or no longer", &["F"], &[In(Storage)])
        .when(inspect::has_collection),
    act(Store(Inspect::Event), "its event", "go to the delivery that wrote the selected document", &["o"], &[In(Storage)])
        .hint("its event")
        .when(inspect::has_document),
    act(Store(Inspect::Document), "its document", "go to the document that the selected line, or the delivery, wrote", &["o"], &[In(Trace)])
        .when(inspect::has_store_call),
    act(Store(Inspect::Databases), "databases", "choose another database", &["D"], &[In(Storage)]).when(inspect::by_driver),
    act(Store(Inspect::Indexes), "indexes", "the indexes of the collection", &["I"], &[In(Storage)]).when(inspect::by_driver),
    act(Store(Inspect::CreateIndex), "create index", "make an index", &["K"], &[In(Storage)]).when(inspect::can_index),
    act(Store(Inspect::DropIndex), "drop index", "drop an index; asks first", &["ctrl-k"], &[In(Storage)]).when(inspect::can_index),
    act(Store(Inspect::Explain), "explain", "how the server carries the query out, in words", &["x"], &[In(Storage)]).when(inspect::by_driver),
    act(Store(Inspect::Schema), "schema", "which fields documents have, of which types, by a sample", &["s"], &[In(Storage)])
        .when(inspect::has_collection),
    act(Store(Inspect::Export), "export", "write all that the query finds into a file, in the background", &["w"], &[In(Storage)])
        .when(inspect::has_collection),
    act(Store(Inspect::Import), "import", "insert the documents of a file, in the background", &["W"], &[In(Storage)])
        .when(inspect::can_write),
    act(Store(Inspect::StopJob), "stop export or import", "stop the export or import that is going on", &["X"], &[In(Storage)])
        .when(inspect::has_job),
    act(Store(Inspect::Newest), "newest first", "the newest documents first, or the store's own order", &["N"], &[In(Storage)])
        .when(inspect::has_collection),
    act(Store(Inspect::Live), "live", "read the page again every second, or no longer; + is new, ~ is changed", &["A"], &[In(Storage)])
        .when(inspect::has_collection),
    act(Store(Inspect::Unlock), "unlock", "allow writing to a deployment that is not on this machine, for this session", &["L"], &[In(Storage)])
        .when(inspect::is_locked),
    act(Do::NextPage, "next documents", "the next page of documents", &["]"], &[In(Storage)]).when(has_more),
    act(Do::PreviousPage, "previous documents", "the page of documents before", &["["], &[In(Storage)]).when(has_previous),
    act(Store(Inspect::FirstPage), "first documents", "the first page of documents", &["{"], &[In(Storage)]).when(has_previous),
    act(Store(Inspect::LastPage), "last documents", "the last page of documents", &["}"], &[In(Storage)]).when(inspect::has_last),
    act(Do::Reload, "reload", "read the pane again", &["R"], &[In(Storage), In(Variables)]).when(ready),
    act(Do::Copy, "copy", "copy what is selected, whole, to the terminal's clipboard", &["y"], ANY),
    act(Do::Up, "up", "move up", &["up", "k"], ANY),
    act(Do::Down, "down", "move down", &["down", "j"], ANY),
    act(Do::Left, "left", "move left, scroll left", &["left", "h"], ANY),
    act(Do::Right, "right", "move right, scroll right", &["right", "l"], ANY),
    act(Do::PageUp, "page up", "move up by a page", &["pgup", "ctrl-u"], ANY),
    act(Do::PageDown, "page down", "move down by a page", &["pgdn", "ctrl-d"], ANY),
    act(
        Do::Go,
        "go to",
        "then a key: g the first, e event, t trace, d documents, v variable, w values it ran with, l logs",
        &["g"],
        ANY,
    ),
    act(Do::Back, "back", "back to where the last jump began", &["backspace", "ctrl-o"], ANY),
    act(Do::Ahead, "ahead", "forward again, after going back", &["ctrl-f"], ANY),
    act(Do::Top, "top", "go to the first", &["home"], ANY),
    act(Do::End, "end", "go to the last; in Events, follow again", &["G", "end"], ANY),
    act(Do::NextPane, "next pane", "focus the next pane", &["tab"], ANY),
    act(Do::PreviousPane, "previous pane", "focus the pane before", &["backtab"], ANY),
    act(Do::Show(Events), "events", "the Events pane alone; again: back to all panes", &["1"], ANY),
    act(Do::Show(Trace), "trace", "the Trace pane alone; again: back to all panes", &["2"], ANY),
    act(Do::Show(Variables), "variables", "the Variables pane alone; again: back to all panes", &["3"], ANY),
    act(Do::Show(Storage), "storage", "the Storage pane alone; again: back to all panes", &["4"], ANY),
    act(Do::Show(Logs), "logs", "the log lines alone; again: back to all panes", &["5"], ANY),
    act(Do::Zoom, "zoom", "the focused pane alone; again: back to all panes", &["z"], ANY).hint("zoom"),
    act(Do::Grow, "grow pane", "make the focused pane higher", &["+"], ANY),
    act(Do::Shrink, "shrink pane", "make the focused pane lower", &["-"], ANY),
    act(Do::Wider, "widen pane", "make the focused pane wider", &[")"], ANY),
    act(Do::Narrower, "narrow pane", "make the focused pane narrower", &["("], ANY),
    act(Do::ResetSizes, "reset sizes", "give all panes the sizes they began with", &["0"], ANY),
    act(Do::Mouse, "mouse", "leave the mouse to the terminal, to select text, or take it back", &["ctrl-t"], ANY),
    act(Do::Palette, "palette", "find a command by its name", &[":", "ctrl-p"], ANY).hint("commands"),
    act(Do::Help, "help", "all keys", &["?", "f1"], ANY).hint("help"),
    act(Do::Close, "close", "close what is open, or drop the filter", &["esc"], ANY),
    act(Do::Redraw, "redraw", "draw the whole screen again", &["ctrl-l"], ANY),
    act(Do::Suspend, "suspend", "back to the shell; `fg` comes back", &["ctrl-z"], ANY),
    act(Do::Quit, "quit", "leave; asks while a delivery is running", &["q", "ctrl-c"], ANY).hint("quit"),
];

/// The line of the table for an action.
pub(crate) fn of(what: Do) -> Option<&'static Action> {
    ACTIONS.iter().find(|a| a.what == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_described_once_and_has_a_key() {
        for (i, action) in ACTIONS.iter().enumerate() {
            assert!(!action.description.is_empty() && !action.keys.is_empty(), "{}", action.name);
            assert!(ACTIONS.iter().skip(i + 1).all(|other| other.name != action.name && other.what != action.what));
        }
    }
}
