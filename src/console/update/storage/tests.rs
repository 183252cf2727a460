use serde_json::json;

use super::super::super::fixture::{found, tell, typical};
use super::super::super::message::{Ask, Effect, Message, Timed, Waited};
use super::super::super::state::{Overlay, Pane, State, StoreAsk};
use super::super::super::theme::Tone;
use super::super::super::update;
use super::super::tests::{commands, press};
use crate::observe::Backend;
use crate::workbench::{
    Command, Compared, ComparedRow, Conflict, ConflictRow, Difference, Found, JobRow, JobState, Reply, StoreCommand, StoreQuery,
    StoreReply, WorkbenchError, WriterRow, Written,
};

fn storage() -> State {
    let mut state = typical(120, 40);
    state.focus_on(Pane::Storage);
    state
}

fn answer(state: &mut State, asked: StoreAsk, reply: StoreReply) -> Vec<Effect> {
    tell(state, Message::Reply(Ask::Store(asked), Ok(Reply::Store(reply))))
}

fn stores(effects: &[Effect]) -> Vec<&StoreCommand> {
    commands(effects).into_iter().filter_map(|c| if let Command::Store(c) = c { Some(c) } else { None }).collect()
}

#[test]
fn a_query_that_cannot_be_read_is_not_asked_and_pointed_at() {
    let mut state = storage();
    assert!(stores(&press(&mut state, "/ {id:} enter")).is_empty());
    let bar = state.storage.bar.as_ref().unwrap();
    assert_eq!(bar.error.as_ref().map(|(at, _)| *at), Some(4), "{:?}", bar.error);
    press(&mut state, "esc");
    assert!(state.storage.bar.is_none());
}

#[test]
fn a_query_is_asked_with_all_its_parts_and_remembered() {
    let mut state = storage();
    let effects = press(&mut state, "/ {n:1} tab {n:1} tab {n:-1} tab 7 enter");
    let asked = stores(&effects);
    let wanted = |q: &StoreQuery| q.filter == "{n:1}" && q.projection == "{n:1}" && q.sort == "{n:-1}" && q.skip == 7;
    assert!(matches!(asked[0], StoreCommand::Remember { query, favourite: None, .. } if wanted(query)), "{asked:?}");
    assert!(matches!(asked[1], StoreCommand::Find { query, .. } if wanted(query)), "{asked:?}");
    state.storage.busy = false;
    let effects = press(&mut state, "esc");
    assert!(matches!(stores(&effects)[..], [StoreCommand::Find { query, .. }] if query.filter.is_empty()));
}

#[test]
fn what_is_new_or_changed_is_marked_until_another_page_is_read() {
    let mut state = storage();
    let mut again = found();
    again.documents[1]["quantity"] = json!({"$numberInt": "11"});
    again.documents.push(json!({"_id": {"$numberInt": "9"}}));
    state.storage.load(again);
    let marks: Vec<bool> = state.storage.marks.iter().map(Option::is_some).collect();
    assert_eq!(marks, [false, true, false, true]);
    state.storage.query.filter = "{}".into();
    state.storage.load(found());
    assert!(state.storage.marks.iter().all(Option::is_none), "another question has no news");
}

#[test]
fn saving_sends_what_was_opened_and_what_was_typed_and_a_failure_gives_the_text_back() {
    let mut state = storage();
    press(&mut state, "e");
    assert!(matches!(state.overlays.last(), Some(Overlay::Editor(_))));
    press(&mut state, "ctrl-a");
    let effects = press(&mut state, "ctrl-s");
    let [StoreCommand::Save { base, edited, retype: false, .. }] = stores(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(serde_json::from_str::<serde_json::Value>(edited).unwrap(), *base, "nothing was lost on the way to the editor");
    assert_eq!(*base, found().documents[0]);
    let asked = StoreAsk::Save { target: state.storage.target(), base: base.clone(), edited: "{mine: 1}".into() };
    tell(&mut state, Message::Reply(Ask::Store(asked), Err(WorkbenchError::Failed("the disk is full".into()))));
    let Some(Overlay::Editor(editor)) = state.overlays.last() else { panic!("the text is gone") };
    assert_eq!((editor.text(), editor.error.as_deref()), ("{mine: 1}".to_owned(), Some("the disk is full")));
}

#[test]
fn typed_text_is_thrown_away_only_when_that_is_said_twice() {
    let mut state = storage();
    press(&mut state, "i x");
    press(&mut state, "esc");
    assert!(matches!(state.overlays.last(), Some(Overlay::Editor(editor)) if editor.sure));
    press(&mut state, "esc");
    assert!(state.overlays.is_empty());
}

#[test]
fn a_conflict_is_shown_and_saved_over_only_after_a_yes() {
    let mut state = storage();
    let (base, theirs, yours) = (json!({"_id": 1, "a": 1}), json!({"_id": 1, "a": 2}), json!({"_id": 1, "a": 3}));
    let row = ConflictRow { path: "a".into(), base: Some(json!(1)), yours: Some(json!(3)), theirs: Some(json!(2)), clash: true };
    let conflict = Conflict {
        base: base.clone(),
        theirs: Some(theirs.clone()),
        yours: yours.clone(),
        merged: yours.clone(),
        rows: vec![row],
    };
    let asked = StoreAsk::Save { target: state.storage.target(), base, edited: yours.to_string() };
    let effects = answer(&mut state, asked, StoreReply::Conflict(Box::new(conflict)));
    assert!(stores(&effects).is_empty(), "nothing is written over what somebody else wrote");
    assert!(matches!(state.overlays.last(), Some(Overlay::Confirm(_))));
    let effects = press(&mut state, "enter");
    let [StoreCommand::Save { base, edited, .. }] = stores(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((base, edited), (&theirs, &yours.to_string()));
}

#[test]
fn a_document_leads_to_its_delivery_and_several_are_to_choose_from() {
    let mut state = storage();
    assert!(matches!(stores(&press(&mut state, "o"))[..], [StoreCommand::Writers { .. }]));
    let writer = |delivery| WriterRow {
        delivery,
        event_type: "x".into(),
        object_id: "PR-1".into(),
        operation: Some("insertOne".into()),
        at: crate::observe::Timestamp(0),
    };
    answer(&mut state, StoreAsk::Writers, StoreReply::Writers { writers: vec![writer(3)] });
    assert_eq!((state.focus, state.events.selected().map(|d| d.id)), (Pane::Trace, Some(3)));
    state.focus_on(Pane::Storage);
    answer(&mut state, StoreAsk::Writers, StoreReply::Writers { writers: vec![writer(1), writer(2)] });
    press(&mut state, "enter");
    assert_eq!(state.events.selected().map(|d| d.id), Some(2), "the latest first");
    state.focus_on(Pane::Storage);
    answer(&mut state, StoreAsk::Writers, StoreReply::Writers { writers: Vec::new() });
    assert!(state.toast.as_ref().is_some_and(|t| t.tone == Tone::Warn));
}

#[test]
fn what_cannot_be_done_says_why() {
    let mut state = storage();
    state.storage.backend = Backend::DataApi;
    for key in ["x", "I", "D"] {
        assert!(stores(&press(&mut state, key)).is_empty());
        assert!(state.toast.as_ref().is_some_and(|t| t.text.contains("no action for it")), "{key}");
    }
    state.storage.read_only = true;
    for key in ["e", "i", "d", "W"] {
        press(&mut state, key);
        assert!(state.overlays.is_empty() && state.toast.as_ref().is_some_and(|t| t.text.contains("L unlocks")), "{key}");
    }
    let effects = press(&mut state, "L enter");
    assert!(matches!(stores(&effects)[..], [StoreCommand::Unlock { backend: Backend::DataApi }]));
    answer(&mut state, StoreAsk::Unlock, StoreReply::Unlocked { place: "db.example".into() });
    press(&mut state, "i");
    assert!(matches!(state.overlays.last(), Some(Overlay::Editor(_))));
}

#[test]
fn deleting_asks_first_and_says_that_it_can_be_undone() {
    let mut state = storage();
    assert!(stores(&press(&mut state, "d")).is_empty());
    assert!(stores(&press(&mut state, "esc")).is_empty(), "no is no");
    let effects = press(&mut state, "d enter");
    let [StoreCommand::Delete { filter, many: false, .. }] = stores(&effects)[..] else { panic!("{effects:?}") };
    assert!(filter.contains("66f0a1b2c3d4e5f607182901"), "{filter}");
    let written = Written { message: "Deleted 1 document.".into(), written: 1, can_undo: true, ..Written::default() };
    answer(&mut state, StoreAsk::Write, StoreReply::Written(written));
    assert!(state.toast.as_ref().is_some_and(|t| t.text.contains("u undoes it")));
    assert!(matches!(stores(&press(&mut state, "u"))[..], [StoreCommand::Undo]));
}

#[test]
fn a_job_is_watched_while_it_runs_and_its_end_is_said_once() {
    let mut state = storage();
    let job = |state, done| JobRow {
        job: 1,
        what: "export of x to y".into(),
        looked: 0,
        done,
        total: Some(10),
        state,
        message: Some("wrote 10 documents".into()),
        refused: Vec::new(),
        refusals: 0,
    };
    answer(&mut state, StoreAsk::Job, StoreReply::Job(job(JobState::Running, 1)));
    assert!(matches!(stores(&tell(&mut state, Message::Tick))[..], [StoreCommand::Job { job: 1 }]));
    assert!(matches!(stores(&press(&mut state, "X"))[..], [StoreCommand::Cancel { job: 1 }]));
    answer(&mut state, StoreAsk::Job, StoreReply::Job(job(JobState::Done, 10)));
    assert!(state.toast.as_ref().is_some_and(|t| t.text.contains("wrote 10 documents")));
    assert!(stores(&tell(&mut state, Message::Tick)).is_empty());
}

#[test]
fn only_one_preview_is_asked_for_at_a_time_and_the_last_text_gets_one() {
    let mut state = storage();
    let effects = press(&mut state, "p");
    let [StoreCommand::Preview { pipeline, .. }] = stores(&effects)[..] else { panic!("{effects:?}") };
    let first = pipeline.clone();
    assert!(stores(&press(&mut state, "space space")).is_empty());
    let effects = answer(&mut state, StoreAsk::Preview(first), StoreReply::Preview { stages: Vec::new() });
    assert!(matches!(stores(&effects)[..], [StoreCommand::Preview { .. }]));
}

#[test]
fn the_number_of_documents_is_counted_aside_where_the_page_does_not_tell() {
    let mut state = storage();
    let effects = press(&mut state, "/ {n:1} enter");
    assert_eq!(stores(&effects).len(), 2);
    let asked = state.storage.asked;
    let page = Found { more: true, ..found() };
    let effects = tell(&mut state, Message::Reply(Ask::Documents(asked), Ok(Reply::Store(StoreReply::Documents(page)))));
    assert!(matches!(stores(&effects)[..], [StoreCommand::Count { .. }]));
    let count = |count| StoreReply::Count { database: "connect".into(), collection: "requests".into(), count };
    let queried = state.storage.queried;
    answer(&mut state, StoreAsk::Count(queried - 1), count(5));
    assert_eq!(state.storage.total, None, "the answer to an older query is no answer");
    // Another page of it is being read meanwhile.
    press(&mut state, "]");
    answer(&mut state, StoreAsk::Count(queried), count(1_234));
    assert_eq!(state.storage.total, Some(1_234));
    press(&mut state, "R");
    assert_eq!(state.storage.total, None, "what is read again is counted again");
}

#[test]
fn a_file_that_is_there_is_replaced_only_after_a_yes() {
    let mut state = storage();
    let effects = press(&mut state, "w enter");
    let [asked @ StoreCommand::Export { overwrite: false, to, .. }] = &stores(&effects)[..] else { panic!("{effects:?}") };
    let exists = StoreReply::Exists { path: to.clone() };
    assert!(stores(&answer(&mut state, StoreAsk::File(Box::new((*asked).clone())), exists)).is_empty());
    assert!(matches!(state.overlays.last(), Some(Overlay::Confirm(_))));
    let effects = press(&mut state, "enter");
    assert!(matches!(stores(&effects)[..], [StoreCommand::Export { overwrite: true, .. }]), "{effects:?}");
}

#[test]
fn a_file_that_cannot_be_used_is_asked_for_again_with_the_reason() {
    let mut state = storage();
    let effects = press(&mut state, "W / n o w h e r e enter");
    let [asked @ StoreCommand::Import { .. }] = &stores(&effects)[..] else { panic!("{effects:?}") };
    let asked = StoreAsk::File(Box::new((*asked).clone()));
    tell(&mut state, Message::Reply(Ask::Store(asked), Err(WorkbenchError::Failed("no such file".into()))));
    let Some(Overlay::Prompt(prompt)) = state.overlays.last() else { panic!("{:?}", state.overlays) };
    assert_eq!((prompt.input.text(), prompt.error.as_deref()), ("/nowhere", Some("no such file")));
}

#[test]
fn a_pipeline_that_cannot_be_read_has_no_preview_but_the_reason() {
    let mut state = storage();
    press(&mut state, "p");
    answer(&mut state, StoreAsk::Preview(String::new()), StoreReply::Preview { stages: Vec::new() });
    press(&mut state, "z z z");
    let Some(Overlay::Editor(editor)) = state.overlays.last_mut() else { panic!("no editor") };
    // The preview of the text before is on its way, and is not of this one.
    editor.previewed = None;
    press(&mut state, "z");
    let Some(Overlay::Editor(editor)) = state.overlays.last() else { panic!("no editor") };
    let shown: String = editor.preview.iter().flatten().flatten().map(|piece| piece.text.as_str()).collect();
    assert!(shown.starts_with('✗'), "{shown}");
    press(&mut state, "esc");
    let Some(Overlay::Editor(editor)) = state.overlays.last() else { panic!("no editor") };
    assert!(editor.error.as_deref().is_some_and(|error| error.contains("Ctrl-S asks it")), "{:?}", editor.error);
}

#[test]
fn without_any_query_the_history_says_how_to_begin() {
    let mut state = storage();
    (state.storage.recent, state.storage.favourites) = (Vec::new(), Vec::new());
    press(&mut state, "H");
    let Some(Overlay::Chooser(chooser)) = state.overlays.last() else { panic!("{:?}", state.overlays) };
    assert!(chooser.all.is_empty() && chooser.empty.contains("`/` types a query"));
}

#[test]
fn what_could_not_be_imported_is_listed_line_by_line() {
    let mut state = storage();
    let job = JobRow {
        job: 1,
        what: "import of x into y".into(),
        looked: 0,
        done: 2,
        total: None,
        state: JobState::Failed,
        message: Some("inserted 2 documents; 150 could not be".into()),
        refused: vec![(2, "line 2, column 9: expected a value".into()), (7, "duplicate key".into())],
        refusals: 150,
    };
    answer(&mut state, StoreAsk::Job, StoreReply::Job(job));
    let Some(Overlay::Pager(pager)) = state.overlays.last() else { panic!() };
    assert_eq!(
        pager.whole.lines().skip(2).collect::<Vec<_>>(),
        ["line 2, column 9: expected a value", "line 7: duplicate key", "… and 148 more"]
    );
}

#[test]
fn a_server_that_lists_nothing_is_an_error_and_stays_locked() {
    let mut state = storage();
    let reply = StoreReply::Collections {
        database: "connect".into(),
        collections: vec!["requests".into()],
        own: Some("requests".into()),
        note: None,
        error: Some("not reached".into()),
        read_only: true,
    };
    tell(&mut state, Message::Reply(Ask::Collections, Ok(Reply::Store(reply))));
    assert!(state.storage.found.is_none() && state.storage.documents.is_empty(), "they may be another server's");
    assert_eq!(state.storage.collections_error.as_deref(), Some("not reached"));
    assert!(stores(&press(&mut state, "i")).is_empty() && state.overlays.is_empty(), "it is read-only");
}

#[test]
fn a_slow_question_is_stopped_by_esc_and_its_late_answer_is_not_shown() {
    let mut state = storage();
    press(&mut state, "/ {n:1} enter");
    let asked = state.storage.asked;
    let effects = press(&mut state, "esc");
    assert!(effects.contains(&Effect::Cancel(Waited::Stores)), "{effects:?}");
    assert!(state.storage.stopped && !state.storage.busy && state.storage.query.filter == "{n:1}", "the query stays");
    tell(&mut state, Message::Reply(Ask::Documents(asked), Ok(Reply::Store(StoreReply::Documents(found())))));
    assert!(state.storage.found.is_none() && state.storage.error.is_none());
    // Nor do the collections' late answer, or news of something written, ask again what was stopped.
    let listed = StoreReply::Collections {
        database: "connect".into(),
        collections: vec!["requests".into(), "other".into()],
        own: Some("requests".into()),
        note: None,
        error: None,
        read_only: false,
    };
    state.storage.sizing = false;
    let mut effects = tell(&mut state, Message::Reply(Ask::Collections, Ok(Reply::Store(listed))));
    state.pending.documents_stale = true;
    state.storage.live = true;
    for second in 20..25 {
        state.now = super::super::super::fixture::at(f64::from(second));
        effects.extend(tell(&mut state, Message::Tick));
    }
    state.storage.live = false;
    let reads = |c: &StoreCommand| matches!(c, StoreCommand::Find { .. } | StoreCommand::Collections { .. });
    assert!(!stores(&effects).iter().any(|c| reads(c)), "{effects:?}");
    assert!(stores(&effects).iter().any(|c| matches!(c, StoreCommand::Statistics { .. })), "sizes come all the same");
    let effects = press(&mut state, "R");
    assert!(matches!(commands(&effects)[..], [Command::Store(StoreCommand::Collections { .. })]));
    assert!(!press(&mut state, "esc").is_empty());
    // Nothing is waited for now: the key drops the filter again.
    let effects = press(&mut state, "esc");
    assert!(matches!(stores(&effects)[..], [StoreCommand::Find { query, .. }] if query.filter.is_empty()), "{effects:?}");
}

#[test]
fn a_page_that_is_read_again_unasked_takes_no_esc_from_the_developer() {
    let mut state = storage();
    press(&mut state, "/ {n:1} enter");
    let asked = state.storage.asked;
    tell(&mut state, Message::Reply(Ask::Documents(asked), Ok(Reply::Store(StoreReply::Documents(found())))));
    (state.storage.busy, state.storage.since) = (true, state.now);
    let effects = press(&mut state, "esc");
    assert!(matches!(stores(&effects)[..], [StoreCommand::Find { query, .. }] if query.filter.is_empty()), "{effects:?}");
}

#[test]
fn what_a_window_waits_for_is_told_and_stopped_too() {
    let mut state = storage();
    press(&mut state, "s");
    assert!(matches!(&state.storage.looking, Some((StoreAsk::Show("Fields"), _))));
    assert!(press(&mut state, "esc").contains(&Effect::Cancel(Waited::Stores)));
    assert!(state.storage.looking.is_none() && state.overlays.is_empty());
    press(&mut state, "B");
    assert!(state.storage.side.is_some());
    assert!(press(&mut state, "esc").contains(&Effect::Cancel(Waited::Stores)));
    assert!(state.storage.side.is_none());
    press(&mut state, "x");
    answer(&mut state, StoreAsk::Show("How the query is carried out"), StoreReply::Explained { words: vec![], plan: json!({}) });
    assert!(state.storage.looking.is_none() && matches!(state.overlays.last(), Some(Overlay::Pager(_))));
}

#[test]
fn the_last_page_and_the_first_are_one_key_away() {
    let mut state = storage();
    state.storage.load(Found { more: true, ..found() });
    state.storage.total = None;
    assert!(stores(&press(&mut state, "}")).is_empty(), "it is not known yet where that is");
    state.storage.total = Some(1_000_000);
    let effects = press(&mut state, "}");
    assert!(matches!(stores(&effects)[..], [StoreCommand::Find { query, .. }] if query.skip == 999_950), "{effects:?}");
    let effects = press(&mut state, "{");
    assert!(matches!(stores(&effects)[..], [StoreCommand::Find { query, .. }] if query.skip == 0));
}

#[test]
fn that_documents_could_not_be_counted_is_said_and_is_no_number() {
    let mut state = storage();
    press(&mut state, "/ {n:1} enter");
    let asked = state.storage.asked;
    let page = Found { more: true, ..found() };
    tell(&mut state, Message::Reply(Ask::Documents(asked), Ok(Reply::Store(StoreReply::Documents(page)))));
    let failed = Err(WorkbenchError::Failed("time limit".into()));
    let count = Ask::Store(StoreAsk::Count(state.storage.queried));
    tell(&mut state, Message::Reply(count, failed));
    assert_eq!((state.storage.total, state.storage.uncounted.as_deref()), (None, Some("time limit")));
}

#[test]
fn a_live_page_is_counted_again_now_and_then_and_never_twice_at_once() {
    let mut state = storage();
    state.storage.load(Found { more: true, ..found() });
    state.storage.total = Some(60);
    press(&mut state, "A");
    let ticked = |state: &mut State, seconds: i64| {
        let at = crate::observe::Timestamp(state.now.0 + seconds * 1_000_000);
        let effects = update::update(state, Timed { at, message: Message::Tick });
        state.storage.busy = false;
        stores(&effects).iter().filter(|c| matches!(c, StoreCommand::Statistics { .. })).count()
    };
    assert_eq!([ticked(&mut state, 10), ticked(&mut state, 10)], [1, 0], "it is still being counted");
    (state.storage.counting, state.storage.counted) = (false, state.now);
    assert_eq!([ticked(&mut state, 1), ticked(&mut state, 9)], [0, 1]);
}

#[test]
fn a_pair_is_opened_and_copied_whole() {
    let mut state = storage();
    press(&mut state, "B");
    let row = ComparedRow {
        key: json!("PR-1"),
        left: Some(json!({"_id": 1, "a": {"$numberLong": "5"}})),
        right: Some(json!({"_id": 2, "a": "5"})),
        differences: vec![Difference { path: "a".into(), left: Some(json!({"$numberLong": "5"})), right: Some(json!("5")) }],
    };
    let compared = Compared {
        left: "data-api a.b".into(),
        right: "driver a.c".into(),
        key: "id".into(),
        same: 0,
        rows: vec![row],
        more: false,
    };
    answer(&mut state, StoreAsk::Compare, StoreReply::Compared(Box::new(compared)));
    press(&mut state, "enter");
    let Some(Overlay::Pager(pager)) = state.overlays.last() else { panic!() };
    let text: Vec<String> = pager.lines.iter().map(|l| l.iter().map(|p| p.text.as_str()).collect()).collect();
    assert_eq!(text[..3], ["a", "  data-api a.b  5", "  driver a.c    \"5\""]);
    assert!(pager.whole.contains("\"differences\""), "{}", pager.whole);
}
