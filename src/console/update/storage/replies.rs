use serde_json::Value;

use super::super::super::json;
use super::super::super::message::Effect;
use super::super::super::state::{Choice, Chooser, EditorFor, Overlay, Pager, Pick, Purpose, State, Storage, StoreAsk};
use super::super::super::text;
use super::super::super::theme::{Piece, Pieces, Tone};
use super::super::complain;
use super::{ask, collections, compare, confirm, documents, editor, id_of, line, list, overlays};
use crate::workbench::{
    Conflict, DatabaseRow, FieldRow, JobRow, JobState, StagePreview, StoreCommand, StoreReply, StoreTarget, WorkbenchError,
    WriterRow, Written,
};

/// Takes in the answer to a question about a store.
pub(in super::super) fn take(
    state: &mut State,
    asked: &StoreAsk,
    reply: Result<StoreReply, WorkbenchError>,
    effects: &mut Vec<Effect>,
) {
    state.dirty = true;
    if state.storage.looking.as_ref().is_some_and(|(look, _)| look == asked) {
        state.storage.looking = None;
    }
    match (asked, reply) {
        (StoreAsk::Size, reply) => {
            state.storage.sizing = false;
            measured(&mut state.storage, reply);
            measure(state, effects);
        }
        (StoreAsk::Count(of), reply) if *of == state.storage.queried => {
            state.storage.counting = false;
            match reply {
                Ok(StoreReply::Count { count, .. }) => state.storage.total = Some(count),
                Ok(_) => {}
                Err(why) => state.storage.uncounted = Some(why.to_string()),
            }
        }
        (StoreAsk::Count(_), _) => {}
        (StoreAsk::Compare, reply) => {
            let Some(side) = &mut state.storage.side else { return };
            match reply {
                Ok(StoreReply::Compared(compared)) => {
                    side.scroll.clamp(compared.rows.len());
                    side.compared = Some(*compared);
                }
                Err(why) => side.error = Some(why.to_string()),
                _ => {}
            }
        }
        (StoreAsk::Queries, Ok(StoreReply::Queries { recent, favourites })) => {
            (state.storage.recent, state.storage.favourites) = (recent, favourites);
        }
        // A history that can't be kept is no trouble worth a message with every query.
        (StoreAsk::Queries, _) => {}
        (StoreAsk::Preview(text), reply) => previewed(state, text, reply, effects),
        (StoreAsk::Job, Ok(StoreReply::Job(job))) => {
            let before = state.storage.job.replace(job.clone()).filter(|b| b.job == job.job).map(|b| b.state);
            // Its end is said once.
            if job.state != JobState::Running && before.is_none_or(|state| state == JobState::Running) {
                ended(state, &job, effects);
            }
        }
        (StoreAsk::File(command), Ok(StoreReply::Exists { path })) => overwrite(state, command, &path),
        // Nothing must come between the developer and what is being typed.
        (StoreAsk::File(command), Err(why)) if state.overlays.is_empty() => {
            overlays::another_file(state, command, why.to_string());
        }
        (StoreAsk::File(_), reply) => take(state, &StoreAsk::Job, reply, effects),
        (StoreAsk::Databases, Ok(StoreReply::Databases { databases })) => {
            let choices = databases.iter().map(database).collect();
            state.overlays.push(Overlay::Chooser(Box::new(Chooser::new("Databases", choices))));
        }
        (StoreAsk::Writers, Ok(StoreReply::Writers { writers })) => wrote(state, &writers, effects),
        (StoreAsk::Unlock, Ok(StoreReply::Unlocked { place })) => {
            state.storage.read_only = false;
            state.say(Tone::Warn, format!("{place} can be written to until this session ends."));
        }
        (_, Ok(StoreReply::Written(written))) => told(state, &written, effects),
        (StoreAsk::Save { target, base, edited }, Ok(StoreReply::Retyped { changes })) => {
            retype(state, (target, base, edited), &changes);
        }
        (StoreAsk::Save { target, .. }, Ok(StoreReply::Conflict(conflict))) => conflicting(state, target, &conflict),
        (StoreAsk::Save { target, base, edited }, Err(why)) => {
            let purpose = EditorFor::Save { target: target.clone(), base: base.clone() };
            again(state, format!("Edit {}", id_of(base)), edited, purpose, &why);
        }
        (StoreAsk::Insert { target, text }, Err(why)) => {
            again(state, "A new document".into(), text, EditorFor::Insert(target.clone()), &why);
        }
        (StoreAsk::Show(title), Ok(reply)) => show(state, title, &reply),
        (_, Err(why)) => complain(state, why.to_string()),
        (asked, Ok(other)) => complain(state, format!("The session answered {asked:?} with something else: {other:?}")),
    }
}

/// Takes in the size of a collection: of the one that is shown whole, it tells how many documents there are.
fn measured(storage: &mut Storage, reply: Result<StoreReply, WorkbenchError>) {
    let whole = storage.query.filter.trim().is_empty() && storage.query.pipeline.trim().is_empty();
    match reply {
        Ok(StoreReply::Statistics(row)) if row.database == storage.database => {
            if whole && storage.collection.as_ref() == Some(&row.collection) {
                (storage.total, storage.uncounted, storage.counting) = (Some(row.count), None, false);
            }
            storage.sizes.insert(row.collection.clone(), row);
        }
        Err(why) if whole && storage.counting => {
            (storage.counting, storage.uncounted) = (false, Some(why.to_string()));
        }
        _ => {}
    }
}

/// Takes in the collections, and asks for what is shown of them.
pub(in super::super) fn listed(state: &mut State, reply: StoreReply, effects: &mut Vec<Effect>) {
    let StoreReply::Collections { database, collections, own, note, error, read_only } = reply else { return };
    let storage = &mut state.storage;
    unlisted(storage, error);
    storage.database = database;
    storage.note = note;
    storage.read_only = read_only;
    storage.collections = collections;
    // Whoever looks at the extension's own collection goes along when a variable names another one.
    let own_moved = storage.collection == storage.own && own.is_some() && own != storage.own;
    if storage.collection.is_none() || own_moved {
        storage.leave();
        storage.collection = own.clone().or_else(|| storage.collections.first().cloned());
    }
    storage.own = own;
    storage.queue_sizes();
    if !storage.stopped {
        documents(state, effects);
    }
    if state.storage.side.is_some() {
        compare(state, effects);
    }
    if state.storage.collection.is_some() && state.storage.recent.is_empty() {
        let target = state.storage.target();
        ask(effects, StoreAsk::Queries, StoreCommand::Queries { target });
    }
    measure(state, effects);
}

/// Takes in why the collections could not be listed. What was shown before may be of another server: it goes.
pub(in super::super) fn unlisted(storage: &mut Storage, why: Option<String>) {
    if why.is_some() {
        let (collection, query) = (storage.collection.take(), std::mem::take(&mut storage.query));
        storage.forget();
        storage.sizes.clear();
        (storage.collection, storage.query) = (collection, query);
    }
    storage.collections_error = why;
}

/// Asks how many documents match, where the page does not tell.
pub(in super::super) fn count(state: &mut State, effects: &mut Vec<Effect>) {
    let storage = &state.storage;
    let known = storage.total.is_some() || storage.uncounted.is_some() || storage.counting;
    if !known && storage.query.pipeline.trim().is_empty() {
        count_again(state, effects);
    }
}

/// Asks how many documents match.
pub(super) fn count_again(state: &mut State, effects: &mut Vec<Effect>) {
    let storage = &mut state.storage;
    (storage.counting, storage.counted) = (true, state.now);
    let target = storage.target();
    // How many there are in all, a store knows without counting them.
    if storage.query.filter.trim().is_empty() {
        return ask(effects, StoreAsk::Size, StoreCommand::Statistics { target });
    }
    let command = StoreCommand::Count { target, filter: storage.query.filter.clone() };
    ask(effects, StoreAsk::Count(storage.queried), command);
}

/// Asks for the size of the next collection, one at a time.
fn measure(state: &mut State, effects: &mut Vec<Effect>) {
    let storage = &mut state.storage;
    if storage.sizing {
        return;
    }
    if let Some(name) = storage.to_measure.pop_front() {
        storage.sizing = true;
        let target = StoreTarget { database: Some(storage.database.clone()), ..storage.target_of(Some(name)) };
        ask(effects, StoreAsk::Size, StoreCommand::Statistics { target });
    }
}

/// Says what a write did, and shows it.
fn told(state: &mut State, written: &Written, effects: &mut Vec<Effect>) {
    let undo = if written.can_undo { " u undoes it." } else { "" };
    let tone = if written.written > 0 { Tone::Good } else { Tone::Note };
    state.say(tone, format!("{}{undo}", written.message));
    state.storage.asked += 1;
    state.storage.recount();
    list(state, effects);
}

fn again(state: &mut State, title: String, text: &str, purpose: EditorFor, why: &WorkbenchError) {
    editor::open(state, title, text, purpose);
    if let Some(Overlay::Editor(editor)) = state.overlays.last_mut() {
        editor.error = Some(why.to_string());
    }
}

fn retype(state: &mut State, (target, base, edited): (&StoreTarget, &Value, &str), changes: &[(String, String, String)]) {
    let mut lines = vec![line(Tone::Plain, "Saving gives these fields another type:"), Vec::new()];
    lines.extend(changes.iter().map(|(path, before, after)| {
        vec![Piece::new(Tone::Strong, path), Piece::new(Tone::Plain, format!(": {before} → {after}"))]
    }));
    lines.push(Vec::new());
    lines.push(line(
        Tone::Dim,
        "Programs that read them may mind. In the editor {\"$numberLong\": \"5\"} and NumberLong(5) keep a long.",
    ));
    let command = StoreCommand::Save { target: target.clone(), base: base.clone(), edited: edited.into(), retype: true };
    let asked = StoreAsk::Save { target: target.clone(), base: base.clone(), edited: edited.into() };
    confirm(state, "Another type", lines, asked, command);
}

fn conflicting(state: &mut State, target: &StoreTarget, conflict: &Conflict) {
    let shown =
        |value: &Option<Value>| value.as_ref().map_or_else(|| "(not there)".to_owned(), |v| json::line(&json::relaxed(v)));
    let Some(theirs) = &conflict.theirs else {
        let lines = vec![
            line(Tone::Bad, "The document was deleted after you opened it."),
            line(Tone::Plain, "Enter inserts it again, as you edited it."),
        ];
        let command = StoreCommand::Insert { target: target.clone(), documents: conflict.yours.to_string() };
        return confirm(state, "Deleted meanwhile", lines, StoreAsk::Write, command);
    };
    let mut lines = vec![line(Tone::Bad, "The document was changed after you opened it. Nothing was saved."), Vec::new()];
    for row in &conflict.rows {
        let tone = if row.clash { Tone::Bad } else { Tone::Strong };
        lines.push(line(tone, format!("{}{}", row.path, if row.clash { "  (both changed it)" } else { "" })));
        for (who, value) in [("before", &row.base), ("yours", &row.yours), ("theirs", &row.theirs)] {
            lines.push(vec![Piece::new(Tone::Dim, format!("  {who:<7}")), Piece::new(Tone::Plain, shown(value))]);
        }
    }
    lines.push(Vec::new());
    lines.push(line(Tone::Plain, "Enter puts your changes over theirs and leaves what only they changed; Esc leaves theirs."));
    let edited = conflict.merged.to_string();
    let asked = StoreAsk::Save { target: target.clone(), base: theirs.clone(), edited: edited.clone() };
    let command = StoreCommand::Save { target: target.clone(), base: theirs.clone(), edited, retype: true };
    confirm(state, "Changed meanwhile", lines, asked, command);
}

/// Asks before a file is replaced.
fn overwrite(state: &mut State, command: &StoreCommand, path: &std::path::Path) {
    let mut command = command.clone();
    if let StoreCommand::Export { overwrite, .. } = &mut command {
        *overwrite = true;
    }
    let lines = vec![line(Tone::Plain, format!("{} is there already. It is replaced once the export is done.", path.display()))];
    confirm(state, "Replace a file", lines, StoreAsk::Job, command);
}

/// What could not be imported, line by line.
fn refused(state: &mut State, job: &JobRow) {
    let mut lines = vec![line(Tone::Bad, job.message.clone().unwrap_or_default()), Vec::new()];
    lines.extend(job.refused.iter().map(|(number, why)| {
        let place = if why.starts_with("line ") { String::new() } else { format!("line {number}: ") };
        vec![Piece::new(Tone::Key, place), Piece::new(Tone::Plain, why)]
    }));
    let rest = job.refusals.saturating_sub(job.refused.len() as u64);
    if rest > 0 {
        lines.push(line(Tone::Dim, format!("… and {} more", text::number(rest))));
    }
    let whole = lines.iter().map(|l| l.iter().map(|p| p.text.as_str()).collect::<String>() + "\n").collect();
    state.overlays.push(Overlay::Pager(Pager::new(format!("The {}", job.what), lines, whole)));
}

fn ended(state: &mut State, job: &JobRow, effects: &mut Vec<Effect>) {
    // A window must not come between the developer and what is being typed.
    let idle = state.overlays.is_empty() && state.typing.is_none() && state.storage.bar.is_none();
    let message = job.message.clone().unwrap_or_default();
    let told: Vec<String> = job.refused.iter().take(2).map(|(line, why)| format!(" Line {line}: {why}.")).collect();
    match job.state {
        JobState::Done => state.say(Tone::Good, format!("Done: {message}.")),
        JobState::Cancelled => state.say(Tone::Warn, format!("Stopped: the {} after {} documents.", job.what, job.done)),
        _ => state.say(Tone::Bad, format!("The {}: {message}.{}", job.what, told.concat())),
    }
    if idle && !job.refused.is_empty() {
        refused(state, job);
    }
    if job.what.starts_with("import") {
        effects.push(collections(state));
    }
}

fn database(row: &DatabaseRow) -> Choice {
    let own = if row.own { "the extension's own, " } else { "" };
    let size = row.bytes.map_or_else(String::new, text::bytes);
    Choice {
        name: row.database.clone(),
        detail: format!("{own}{size}"),
        keys: String::new(),
        refused: None,
        purpose: Purpose::Pick(Pick::Database(row.database.clone())),
    }
}

fn wrote(state: &mut State, writers: &[WriterRow], effects: &mut Vec<Effect>) {
    match writers {
        [] => state.say(Tone::Warn, "No delivery of this journal wrote this document."),
        [one] => super::overlays::to_delivery(state, one.delivery, effects),
        several => {
            let choice = |row: &WriterRow| Choice {
                name: format!("#{} {}", row.delivery, row.operation.as_deref().unwrap_or("of its request")),
                detail: format!("{} {}", text::time(row.at, &state.zone, "%F %T"), row.event_type),
                keys: String::new(),
                refused: None,
                purpose: Purpose::Pick(Pick::Delivery(row.delivery)),
            };
            let choices = several.iter().rev().map(choice).collect();
            state.overlays.push(Overlay::Chooser(Box::new(Chooser::new("Deliveries that wrote it", choices))));
        }
    }
}

fn previewed(state: &mut State, text: &str, reply: Result<StoreReply, WorkbenchError>, effects: &mut Vec<Effect>) {
    let Some(Overlay::Editor(editor)) = state.overlays.last_mut() else { return };
    if editor.previewed.take().is_none() {
        return;
    }
    editor.preview = match reply {
        Ok(StoreReply::Preview { stages }) => stages.iter().zip(1..).map(|(stage, n)| stage_lines(stage, n)).collect(),
        Ok(_) => Vec::new(),
        Err(why) => vec![vec![line(Tone::Bad, format!("✗ {why}"))]],
    };
    // It may have been typed on meanwhile.
    if editor.text() != text {
        editor::preview(state, effects);
    }
}

fn stage_lines(stage: &StagePreview, number: usize) -> Vec<Pieces> {
    let mut lines = vec![vec![
        Piece::new(Tone::Key, format!("{number} ")),
        Piece::new(Tone::Strong, json::line(&json::relaxed(&stage.stage))),
    ]];
    match &stage.error {
        Some(why) => lines.push(line(Tone::Bad, format!("  ✗ {why}"))),
        None if stage.documents.is_empty() => lines.push(line(Tone::Dim, "  nothing comes out of it")),
        None => lines.extend(stage.documents.iter().map(|d| line(Tone::Plain, format!("  {}", json::line(&json::relaxed(d)))))),
    }
    lines
}

/// Shows something in a window of its own.
fn show(state: &mut State, title: &str, reply: &StoreReply) {
    let lines: Vec<Pieces> = match reply {
        StoreReply::Explained { words, plan } => {
            let mut lines: Vec<Pieces> = words.iter().map(|sentence| line(Tone::Plain, sentence)).collect();
            lines.push(Vec::new());
            lines.extend(json::lines(&json::relaxed(plan)));
            lines
        }
        StoreReply::Indexes { indexes, .. } => indexes.iter().map(index).collect(),
        StoreReply::Schema { sampled, fields } => schema(*sampled, fields),
        other => return complain(state, format!("The session answered with something else: {other:?}")),
    };
    let whole = lines.iter().map(|l| l.iter().map(|p| p.text.as_str()).collect::<String>() + "\n").collect();
    let title = format!("{title} · {}", super::place(state));
    state.overlays.push(Overlay::Pager(Pager::new(title, lines, whole)));
}

fn index(index: &Value) -> Pieces {
    let relaxed = json::relaxed(index);
    let name = relaxed.get("name").and_then(Value::as_str).unwrap_or_default();
    let keys = relaxed.get("key").map(Value::to_string).unwrap_or_default();
    let rest: Vec<String> = relaxed
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !["name", "key", "v", "ns"].contains(&name.as_str()))
        .map(|(name, value)| if *value == Value::Bool(true) { name.clone() } else { format!("{name} {value}") })
        .collect();
    vec![
        Piece::new(Tone::Strong, text::pad(name, 24)),
        Piece::new(Tone::Value, format!(" {keys}")),
        Piece::new(Tone::Dim, format!("  {}", rest.join(", "))),
    ]
}

/// One of a field's values; a document or an array has none of its own.
fn example(value: &Value) -> String {
    if value.is_null() { String::new() } else { text::fit(&json::line(&json::relaxed(value)), 60) }
}

fn schema(sampled: u64, fields: &[FieldRow]) -> Vec<Pieces> {
    let mut lines = vec![
        line(Tone::Dim, format!("by {}", text::count(usize::try_from(sampled).unwrap_or(usize::MAX), "document"))),
        Vec::new(),
    ];
    let wide = fields.iter().map(|f| text::width(&f.path)).max().unwrap_or(0).min(50);
    for field in fields {
        let share = field.documents.saturating_mul(100).checked_div(sampled).unwrap_or(0);
        let types: Vec<String> = match field.types.as_slice() {
            [(name, _)] => vec![name.clone()],
            several => several.iter().map(|(name, n)| format!("{name} {n}")).collect(),
        };
        lines.push(vec![
            Piece::new(Tone::Key, text::pad(&field.path, wide)),
            Piece::new(if share == 100 { Tone::Plain } else { Tone::Warn }, format!("  {share:>3} %  ")),
            Piece::new(Tone::Value, text::pad(&types.join(" | "), 24)),
            Piece::new(Tone::Dim, format!("  {}", example(&field.example))),
        ]);
    }
    lines
}
