//! What the storage inspector does.

mod bar;
mod editor;
mod moves;
mod overlays;
mod replies;
#[cfg(test)]
mod tests;

pub(super) use bar::{paste as paste_into_bar, press as press_in_bar};
pub(super) use editor::{press as press_in_editor, returned};
pub(super) use moves::perform as moves;
pub(super) use overlays::{picked, submit};
pub(super) use replies::{count, listed, take, unlisted};

use serde_json::{Value, json};

use super::super::action::Inspect;
use super::super::json as text_of;
use super::super::message::{Ask, Effect, Waited};
use super::super::state::{
    Bar, Choice, Chooser, Confirm, EditorFor, Overlay, Pane, Pending, Pick, Purpose, Scroll, Side, State, Storage, StoreAsk, View,
};
use super::super::text;
use super::super::theme::{Piece, Tone};
use crate::observe::{Backend, Fact, StoreCall};
use crate::workbench::{Command, JobState, StoreCommand, StoreQuery, StoreTarget};

/// How many documents of each side are compared on the screen.
const COMPARED: u64 = 2_000;
/// How many documents a schema is made of.
const SAMPLE: u32 = 1_000;
/// A page that is live is counted again after so many microseconds.
const COUNT_AGAIN: i64 = 5_000_000;
const NEWEST: &str = "{_id: -1}";

pub(super) fn ask(effects: &mut Vec<Effect>, ask: StoreAsk, command: StoreCommand) {
    effects.push(Effect::Command(Ask::Store(ask), Command::Store(command)));
}

/// Asks for something to be shown in a window: it is told that it is waited for.
fn look(state: &mut State, effects: &mut Vec<Effect>, asked: StoreAsk, command: StoreCommand) {
    state.storage.looking = Some((asked.clone(), state.now));
    ask(effects, asked, command);
}

/// Stops what is waited for; whether there was something. A page that is read again behind the one that is shown is not meant
/// unless it takes so long that the pane tells of it.
fn stop(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let told = text::seconds_between(state.storage.since, state.now) > 0;
    let storage = &mut state.storage;
    let reading = storage.busy && (storage.found.is_none() || told && !storage.live);
    let looking = storage.looking.take();
    if !reading && looking.is_none() {
        return false;
    }
    effects.push(Effect::Cancel(Waited::Stores));
    if matches!(looking, Some((StoreAsk::Compare, _))) {
        storage.side = None;
    }
    if storage.busy {
        // An answer that is on its way already is none any more.
        storage.asked += 1;
        storage.busy = false;
    }
    // Nothing asks again by itself what somebody did not want to wait for.
    storage.stopped = reading;
    if std::mem::take(&mut storage.counting) {
        storage.uncounted = Some("stopped".into());
    }
    state.say(Tone::Note, "Stopped. R asks again.");
    true
}

/// Does what an action says; that it can be done was looked at before.
pub(super) fn perform(state: &mut State, what: Inspect, effects: &mut Vec<Effect>) {
    let target = state.storage.target();
    match what {
        Inspect::SideBySide => side_by_side(state, effects),
        Inspect::View => {
            state.storage.view = match state.storage.view {
                View::Json => View::Tree,
                View::Tree => View::Table,
                View::Table => View::Json,
            };
            state.storage.inside = Scroll::default();
        }
        Inspect::Fold => fold(state),
        Inspect::Edit => edit(state),
        Inspect::Insert => {
            let title = format!("A new document of {}", place(state));
            editor::open(state, title, "{\n  \n}", EditorFor::Insert(target));
        }
        Inspect::Clone => clone(state),
        Inspect::Delete => delete(state),
        Inspect::Undo => ask(effects, StoreAsk::Write, StoreCommand::Undo),
        Inspect::Pipeline => {
            let before = state.storage.query.pipeline.clone();
            let text = if before.is_empty() { "[\n  {$match: {}},\n]".to_owned() } else { before };
            let title = format!("A pipeline over {}", place(state));
            editor::open(state, title, &text, EditorFor::Pipeline);
            editor::preview(state, effects);
        }
        Inspect::Indexes => look(state, effects, StoreAsk::Show("Indexes"), StoreCommand::Indexes { target }),
        Inspect::CreateIndex | Inspect::DropIndex | Inspect::Export | Inspect::Import => overlays::prompt(state, what),
        Inspect::Explain => {
            let query = StoreQuery { limit: 0, ..state.storage.query.clone() };
            look(state, effects, StoreAsk::Show("How the query is carried out"), StoreCommand::Explain { target, query });
        }
        Inspect::Schema => {
            let filter = state.storage.query.filter.clone();
            look(state, effects, StoreAsk::Show("Fields"), StoreCommand::Schema { target, filter, sample: SAMPLE });
        }
        Inspect::StopJob => {
            if let Some(job) = state.storage.job.as_ref().map(|job| job.job) {
                ask(effects, StoreAsk::Job, StoreCommand::Cancel { job });
            }
        }
        Inspect::Databases => {
            let command = StoreCommand::Databases { backend: state.storage.backend };
            look(state, effects, StoreAsk::Databases, command);
        }
        Inspect::Queries => state.overlays.push(Overlay::Chooser(Box::new(queries(state)))),
        Inspect::Favourite => {
            let query = StoreQuery { skip: 0, limit: 0, ..state.storage.query.clone() };
            let on = !state.storage.favourites.contains(&query);
            state.say(
                Tone::Good,
                if on { "The query is among the favourites now: H lists them." } else { "No favourite any more." },
            );
            ask(effects, StoreAsk::Queries, StoreCommand::Remember { target, query, favourite: Some(on) });
        }
        Inspect::Event => {
            if let Some(document) = state.storage.selected_exact().cloned() {
                look(state, effects, StoreAsk::Writers, StoreCommand::Writers { target, document });
            }
        }
        Inspect::Document => to_document(state, effects),
        Inspect::Unlock => unlock(state),
        Inspect::Live => {
            state.storage.live = !state.storage.live;
            let said = if state.storage.live { "The page is read again every second; A stops it." } else { "No longer live." };
            state.say(Tone::Note, said);
        }
        Inspect::FirstPage | Inspect::LastPage => {
            let last = state.storage.last_page().filter(|_| what == Inspect::LastPage);
            state.storage.go_to(last.unwrap_or(0));
            documents(state, effects);
        }
        Inspect::Newest => {
            let sort = if state.storage.query.sort == NEWEST { String::new() } else { NEWEST.to_owned() };
            let query = StoreQuery { sort, skip: 0, ..state.storage.query.clone() };
            run(state, query, false, effects);
        }
    }
}

/// `tutorial.requests (driver)`
fn place(state: &State) -> String {
    let storage = &state.storage;
    let collection = storage.collection.as_deref().unwrap_or_default();
    format!("{}.{collection} ({})", storage.database, storage.backend)
}

/// Asks for the documents of the collection that is shown.
pub(super) fn documents(state: &mut State, effects: &mut Vec<Effect>) {
    state.storage.since = state.now;
    let question = state.storage.question();
    effects.push(Effect::Command(Ask::Documents(state.storage.asked), question));
}

/// Asks for the collections, and with their answer for the documents.
pub(super) fn collections(state: &State) -> Effect {
    let (backend, database) = (state.storage.backend, state.storage.elsewhere.clone());
    Effect::Command(Ask::Collections, Command::Store(StoreCommand::Collections { backend, database }))
}

/// The same for somebody who waits for them.
pub(super) fn list(state: &mut State, effects: &mut Vec<Effect>) {
    (state.storage.busy, state.storage.since, state.storage.stopped) = (true, state.now, false);
    effects.push(collections(state));
}

/// Reads everything again.
pub(super) fn reload(state: &mut State, effects: &mut Vec<Effect>) {
    if state.storage.side.is_some() {
        return compare(state, effects);
    }
    state.storage.asked += 1;
    state.storage.recount();
    state.storage.sizes.clear();
    list(state, effects);
}

/// Asks another query of the collection; one that was typed is remembered.
pub(super) fn run(state: &mut State, query: StoreQuery, remember: bool, effects: &mut Vec<Effect>) {
    let skip = query.skip;
    let side = state.storage.side.is_some();
    if (StoreQuery { limit: 0, ..state.storage.query.clone() }) != query {
        state.storage.forget();
        state.storage.query = StoreQuery { skip, ..query.clone() };
    }
    if remember && state.storage.narrowed() && state.storage.collection.is_some() {
        let target = state.storage.target();
        ask(effects, StoreAsk::Queries, StoreCommand::Remember { target, query, favourite: None });
    }
    if side {
        return compare(state, effects);
    }
    documents(state, effects);
}

/// Types a query.
pub(super) fn open_bar(state: &mut State) {
    state.storage.bar = Some(Box::new(Bar::new(&state.storage.query)));
}

/// Leaves what is shown over the plain collection; whether there was something to leave.
pub(super) fn close(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    if stop(state, effects) || state.storage.side.take().is_some() {
        return true;
    }
    let narrowed = state.storage.narrowed();
    if narrowed {
        run(state, StoreQuery::default(), false, effects);
    }
    narrowed
}

pub(super) fn switch(state: &mut State, effects: &mut Vec<Effect>) {
    let storage = &mut state.storage;
    storage.backend = match storage.backend {
        Backend::Driver => Backend::DataApi,
        Backend::DataApi => Backend::Driver,
    };
    storage.leave();
    storage.collection = None;
    storage.collections.clear();
    storage.sizes.clear();
    reload(state, effects);
}

/// Shows another collection.
pub(super) fn choose_collection(state: &mut State, name: String, effects: &mut Vec<Effect>) {
    state.storage.leave();
    state.storage.collection = Some(name);
    documents(state, effects);
    let target = state.storage.target();
    ask(effects, StoreAsk::Queries, StoreCommand::Queries { target });
}

fn side_by_side(state: &mut State, effects: &mut Vec<Effect>) {
    if state.storage.side.take().is_none() {
        compare(state, effects);
    }
}

/// The same query through both backends: the extension's own two collections, or the one that is shown both ways.
pub(super) fn compare(state: &mut State, effects: &mut Vec<Effect>) {
    let storage = &mut state.storage;
    let own = storage.collection == storage.own && storage.elsewhere.is_none();
    let target = |backend| {
        let collection = if own { None } else { storage.collection.clone() };
        StoreTarget { backend, collection, ..storage.target_of(None) }
    };
    let (left, right) = (target(Backend::DataApi), target(Backend::Driver));
    let business = storage.documents.iter().any(|d| d.get("id").is_some());
    let key = if business || storage.documents.is_empty() { "id" } else { "_id" }.to_owned();
    let query = StoreQuery { limit: COMPARED, sort: String::new(), pipeline: String::new(), ..storage.query.clone() };
    let scroll = storage.side.take().map(|side| side.scroll).unwrap_or_default();
    storage.side = Some(Box::new(Side { scroll, ..Side::default() }));
    look(state, effects, StoreAsk::Compare, StoreCommand::Compare { left, right, query, key });
}

pub(super) fn fold(state: &mut State) {
    let node = state.storage.node();
    if let Some(path) = node.filter(|node| node.folded.is_some()).map(|node| node.path)
        && !state.storage.folds.remove(&path)
    {
        state.storage.folds.insert(path);
    }
}

fn edit(state: &mut State) {
    let Some(base) = state.storage.selected_exact().cloned() else { return };
    let title = format!("Edit {} of {}", id_of(&base), place(state));
    let target = state.storage.target();
    editor::open(state, title, &text_of::editable(&base), EditorFor::Save { target, base });
}

fn clone(state: &mut State) {
    let Some(Value::Object(mut document)) = state.storage.selected_exact().cloned() else { return };
    let title = format!("A clone of {} in {}", id_of(&Value::Object(document.clone())), place(state));
    // Without an _id the store makes one.
    document.shift_remove("_id");
    let target = state.storage.target();
    editor::open(state, title, &text_of::editable(&Value::Object(document)), EditorFor::Insert(target));
}

/// A document's `_id` as people know it.
pub(super) fn id_of(document: &Value) -> String {
    let id = document.get("_id").unwrap_or(&Value::Null);
    let known = id.as_str().or_else(|| id.get("$oid").and_then(Value::as_str));
    known.map_or_else(|| text_of::relaxed(id).to_string(), str::to_owned)
}

fn line(tone: Tone, text: impl AsRef<str>) -> Vec<Piece> {
    vec![Piece::new(tone, text)]
}

fn delete(state: &mut State) {
    let Some(document) = state.storage.selected_exact().cloned() else { return };
    let Some(id) = document.get("_id") else { return };
    let filter = json!({"_id": {"$eq": id}}).to_string();
    let what = document.get("id").and_then(Value::as_str).map(|id| format!(" (id {id})")).unwrap_or_default();
    let lines = vec![
        line(Tone::Plain, format!("The document {}{what} of {} will be deleted.", id_of(&document), place(state))),
        line(Tone::Dim, "u brings it back as long as this session goes on."),
    ];
    let command = StoreCommand::Delete { target: state.storage.target(), filter, many: false };
    confirm(state, "Delete a document", lines, StoreAsk::Write, command);
}

pub(super) fn confirm(state: &mut State, title: &str, lines: Vec<Vec<Piece>>, ask: StoreAsk, command: StoreCommand) {
    let pending = Pending::Store(ask, Box::new(command));
    state.overlays.push(Overlay::Confirm(Confirm { title: title.into(), lines, scroll: Scroll::default(), pending }));
}

fn unlock(state: &mut State) {
    let backend = state.storage.backend;
    let lines = vec![
        line(Tone::Plain, format!("What {backend} reaches is not on this machine.")),
        line(Tone::Plain, "Until this session ends, documents there can be changed and deleted from here."),
    ];
    confirm(state, "Unlock writing", lines, StoreAsk::Unlock, StoreCommand::Unlock { backend });
}

fn queries(state: &State) -> Chooser {
    let choice = |query: &StoreQuery, favourite: bool| {
        let parts =
            [("", &query.filter), ("project ", &query.projection), ("sort ", &query.sort), ("pipeline ", &query.pipeline)];
        let told: Vec<_> = parts.iter().filter(|(_, t)| !t.is_empty()).map(|(name, text)| format!("{name}{text}")).collect();
        Choice {
            name: told.join(" · ").replace('\n', " "),
            detail: if favourite { "favourite".into() } else { String::new() },
            keys: String::new(),
            refused: None,
            purpose: Purpose::Pick(Pick::Query(query.clone())),
        }
    };
    let storage = &state.storage;
    let recent = storage.recent.iter().filter(|q| !storage.favourites.contains(q));
    let all = storage.favourites.iter().map(|q| choice(q, true)).chain(recent.map(|q| choice(q, false)));
    Chooser::new("Queries of this collection", all.collect()).or("nothing asked here yet: `/` types a query")
}

/// Goes from the trace to a document: that of the selected line, or the first the delivery wrote.
fn to_document(state: &mut State, effects: &mut Vec<Effect>) {
    let of_line = state.trace.selected().and_then(|line| line.detail.clone());
    let of_line = of_line.and_then(|detail| serde_json::from_value::<StoreCall>(detail).ok());
    let calls = state.trace.rows.iter().filter_map(|row| match &row.observation.fact {
        Fact::StoreCall(call) if call.error.is_none() => Some(call),
        _ => None,
    });
    let Some(call) = of_line.or_else(|| calls.into_iter().find(|call| filter_of(call).is_some()).cloned()) else { return };
    let Some(filter) = filter_of(&call) else {
        return state.say(Tone::Warn, "This call wrote no document.");
    };
    look_at(&mut state.storage, &call);
    let storage = &mut state.storage;
    storage.query.filter = filter;
    state.focus_on(Pane::Storage);
    list(state, effects);
}

/// Leaves what is shown for the collection of a call.
fn look_at(storage: &mut Storage, call: &StoreCall) {
    if storage.backend != call.backend {
        storage.collections.clear();
        storage.sizes.clear();
    }
    storage.backend = call.backend;
    storage.elsewhere = (call.database != storage.database).then(|| call.database.clone());
    storage.leave();
    storage.collection = Some(call.collection.clone());
}

/// Turns to the collection that the selected delivery wrote to through the present backend: its documents are there, whatever
/// the variables say now.
pub(super) fn turn_to_written(state: &mut State) {
    let selected = state.events.selected().map(|d| d.id);
    if state.trace.delivery.as_ref().map(|d| d.id) != selected {
        return;
    }
    let backend = state.storage.backend;
    let wrote = state.trace.rows.iter().find_map(|row| match &row.observation.fact {
        Fact::StoreCall(call) if call.error.is_none() && call.backend == backend && filter_of(call).is_some() => Some(call),
        _ => None,
    });
    if let Some(call) = wrote.cloned() {
        look_at(&mut state.storage, &call);
    }
}

/// The filter that finds what a call wrote.
fn filter_of(call: &StoreCall) -> Option<String> {
    let output = call.output.as_ref()?;
    let filter = match call.operation.as_str() {
        "insertOne" => json!({"_id": output}),
        "insertMany" => json!({"_id": {"$in": output}}),
        "updateOne" | "updateMany" | "replaceOne" => call.input.get("filter")?.clone(),
        _ => return None,
    };
    Some(filter.to_string())
}

/// What is asked once a second.
pub(super) fn tick(state: &mut State, effects: &mut Vec<Effect>) {
    if let Some(job) = state.storage.job.as_ref().filter(|job| job.state == JobState::Running) {
        ask(effects, StoreAsk::Job, StoreCommand::Job { job: job.job });
    }
    // How long it takes is told.
    state.dirty |= state.storage.busy || state.storage.looking.is_some();
    let shown = super::layout::shows(state, Pane::Storage);
    if state.storage.live && shown && !state.storage.busy && !state.storage.stopped && state.storage.side.is_none() {
        documents(state, effects);
        let storage = &state.storage;
        let plain = storage.query.pipeline.trim().is_empty();
        if plain && storage.more() && !storage.counting && state.now.0 - storage.counted.0 >= COUNT_AGAIN {
            replies::count_again(state, effects);
        }
    }
}

/// Whether something of the inspector is to be looked at every second.
pub(super) fn hurried(state: &State) -> bool {
    let storage = &state.storage;
    storage.live
        || storage.busy
        || storage.looking.is_some()
        || state.storage.job.as_ref().is_some_and(|job| job.state == JobState::Running)
}
