use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rstest::rstest;

use super::super::action::{ACTIONS, Do};
use super::super::fixture::{self, at, deliveries, delivery, empty, fill, tell, typical, waiting};
use super::super::keymap;
use super::super::message::{Answer, Ask, Effect, Message, Query};
use super::super::state::{Overlay, Pane, Part, Span, State};
use super::super::story;
use super::super::theme::Tone;
use crate::journal::Term;
use crate::observe::{Backend, Secret};
use crate::workbench::{
    ClockCommand, ClockReply, Command, Delivered, Reply, Status, StoreCommand, StoreReply, StoreTarget, VariableChange,
    VariableState, WorkbenchError,
};

/// Presses keys by their names in the table; any other word is typed letter by letter.
pub(super) fn press(state: &mut State, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for word in keys.split(' ') {
        let chords = match keymap::parse(word) {
            Some(chord) => vec![chord],
            None => word.chars().map(|c| keymap::Chord { code: KeyCode::Char(c), ctrl: false }).collect(),
        };
        for chord in chords {
            let modifiers = if chord.ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
            effects.extend(tell(state, Message::Key(KeyEvent::new(chord.code, modifiers))));
        }
    }
    effects
}

pub(super) fn commands(effects: &[Effect]) -> Vec<&Command> {
    effects.iter().filter_map(|e| if let Effect::Command(_, command) = e { Some(command) } else { None }).collect()
}

fn delivered(task_id: &str) -> Result<Reply, WorkbenchError> {
    Ok(Reply::Delivered(Delivered {
        task_id: task_id.into(),
        object_id: "PR-1".into(),
        event_type: "x".into(),
        unclaimed: false,
        note: None,
    }))
}

#[test]
fn one_key_creates_a_test_subscription_and_its_delivery_is_selected_when_it_arrives() {
    let mut state = typical(120, 40);
    press(&mut state, "k k k");
    let effects = press(&mut state, "t");
    assert!(
        matches!(&commands(&effects)[..], [Command::Trigger { event_type, .. }] if event_type == "asset_purchase_request_processing")
    );
    let new = delivery(9, None);
    tell(&mut state, Message::Reply(Ask::Trigger, delivered(&new.task_id)));
    let mut rows = deliveries();
    fill(&mut state, rows.clone());
    assert_ne!(state.events.selected().map(|d| d.id), Some(9));
    rows.push(new);
    fill(&mut state, rows);
    assert_eq!(state.events.selected().map(|d| d.id), Some(9));
}

#[test]
fn a_replay_selects_the_new_delivery_even_if_it_arrived_before_the_answer() {
    let mut state = typical(120, 40);
    press(&mut state, "k k");
    let chosen = state.events.selected().unwrap().id;
    assert_eq!(commands(&press(&mut state, "r")), [&Command::Replay { delivery: chosen }]);
    let mut rows = deliveries();
    rows.push(delivery(9, Some("success")));
    fill(&mut state, rows);
    assert_eq!(state.events.selected().map(|d| d.id), Some(chosen), "nothing moves before it is known which one it is");
    tell(&mut state, Message::Reply(Ask::Replay(chosen), delivered("TQ-9481-7650-8096-0009")));
    assert_eq!(state.events.selected().map(|d| d.id), Some(9));
}

#[test]
fn following_stops_when_the_developer_moves_and_counts_what_comes() {
    let mut state = typical(120, 40);
    assert_eq!(state.events.selected().map(|d| d.id), Some(8));
    press(&mut state, "up");
    let mut rows = deliveries();
    rows.extend([delivery(9, None), delivery(10, None)]);
    fill(&mut state, rows);
    assert_eq!((state.events.selected().map(|d| d.id), state.events.unseen()), (Some(7), 2));
    press(&mut state, "G");
    assert_eq!((state.events.selected().map(|d| d.id), state.events.unseen()), (Some(10), 0));
}

#[test]
fn the_trace_follows_the_selection_and_is_read_again_when_the_delivery_goes_on() {
    let mut state = typical(120, 40);
    assert!(press(&mut state, "up").contains(&Effect::Read(Query::Trace(7))));
    assert!(press(&mut state, "down").contains(&Effect::Read(Query::Trace(8))));
    let mut rows = deliveries();
    rows.pop();
    rows.push(delivery(8, Some("success")));
    assert!(fill(&mut state, rows.clone()).contains(&Effect::Read(Query::Trace(8))));
    assert!(!fill(&mut state, rows).contains(&Effect::Read(Query::Trace(8))), "nothing changed: nothing is read");
}

#[test]
fn only_a_stretch_of_the_deliveries_is_held_and_the_next_is_read_before_its_edge() {
    let mut state = typical(120, 40);
    let rows: Vec<_> = (1000..1256).map(|id| delivery(id, Some("success"))).collect();
    let (filter, span) = (state.events.filter(), Span::Tail);
    tell(&mut state, Message::Read(Answer::Deliveries { filter, span, rows, reached: None, total: 1_000_000, failures: 0 }));
    let effects: Vec<_> = (0..250).flat_map(|_| press(&mut state, "up")).collect();
    let reads = effects.iter().filter(|e| matches!(e, Effect::Read(Query::Deliveries { span: Span::Around(_), .. }))).count();
    assert!(reads > 0);
    let id = state.events.selected().unwrap().id;
    let rows: Vec<_> = (id - 128..id + 128).map(|id| delivery(id, Some("success"))).collect();
    let (filter, span) = (state.events.filter(), state.events.span);
    tell(&mut state, Message::Read(Answer::Deliveries { filter, span, rows, reached: None, total: 1_000_000, failures: 0 }));
    assert_eq!(state.events.selected().map(|d| d.id), Some(id), "the selection stays where it was");
}

#[test]
fn news_while_reading_asks_once_more_and_never_piles_up() {
    let mut state = empty(120, 40);
    let reads = |effects: &[Effect]| effects.iter().filter(|e| matches!(e, Effect::Read(Query::Deliveries { .. }))).count();
    let mut asked = reads(&tell(&mut state, Message::Started(Ok(()))));
    for _ in 0..100 {
        asked += reads(&tell(&mut state, Message::News));
    }
    assert_eq!(asked, 1);
    assert_eq!(reads(&fill(&mut state, deliveries())), 1);
    assert_eq!(reads(&fill(&mut state, deliveries())), 0);
}

#[test]
fn a_filter_takes_all_keys_narrows_while_it_is_typed_and_esc_takes_it_back() {
    let mut state = typical(120, 40);
    let effects = press(&mut state, "/ qtz");
    assert_eq!(state.events.filter, "qtz");
    assert!(!effects.contains(&Effect::Quit) && commands(&effects).is_empty() && !state.zoomed);
    press(&mut state, "esc");
    assert_eq!(state.events.filter, "");
    press(&mut state, "/ fail enter esc");
    assert_eq!(state.events.filter, "", "esc drops a filter that stands");
}

#[test]
fn an_answer_to_an_older_filter_is_not_shown() {
    let mut state = typical(120, 40);
    let (filter, span) = (state.events.filter(), state.events.span);
    press(&mut state, "/ fail enter");
    tell(&mut state, Message::Read(Answer::Deliveries { filter, span, rows: Vec::new(), reached: None, total: 0, failures: 0 }));
    assert_eq!(state.events.rows.len(), 8);
}

#[test]
fn an_edited_variable_is_staged_and_applied_only_after_the_diff_was_shown() {
    let mut state = typical(120, 40);
    press(&mut state, "3 3 down e");
    let Some(Overlay::Form(form)) = state.overlays.last() else { panic!("no form") };
    assert_eq!((form.name.text(), form.value.text()), ("DB", "connect"));
    let effects = press(&mut state, "q2 enter");
    let change = VariableChange::Set { name: "DB".into(), value: "q2".into(), secure: None };
    assert_eq!(commands(&effects), [&Command::Stage { changes: vec![change] }]);
    assert!(commands(&press(&mut state, "a")).is_empty(), "first the diff");
    assert!(matches!(state.overlays.last(), Some(Overlay::Confirm(_))));
    assert_eq!(commands(&press(&mut state, "enter")), [&Command::Apply]);
    let message = "Extension configuration has been updated.".to_owned();
    let reply = Reply::Variables { variables: Vec::new(), message: Some(message.clone()) };
    tell(&mut state, Message::Reply(Ask::Apply, Ok(reply)));
    assert_eq!(state.variables.message.as_ref(), Some(&message));
    assert_eq!(state.toast.as_ref().map(|t| t.text.clone()), Some(message));
}

#[test]
fn a_secret_is_never_filled_into_the_editor() {
    let mut state = typical(120, 40);
    press(&mut state, "3 down down e");
    let Some(Overlay::Form(form)) = state.overlays.last() else { panic!("no form") };
    assert_eq!((form.name.text(), form.value.text()), ("DB_PASSWORD", ""));
    assert!(form.value.area().mask_char().is_some());
    press(&mut state, "esc y");
    assert_eq!(state.toast.as_ref().map(|t| t.tone), Some(Tone::Warn), "nor copied");
}

#[test]
fn a_new_variable_needs_a_name_that_is_not_taken() {
    let mut state = typical(120, 40);
    assert!(commands(&press(&mut state, "3 n enter enter")).is_empty());
    assert!(commands(&press(&mut state, "D B enter v enter")).is_empty(), "DB exists");
    press(&mut state, "2 enter ctrl-s");
    let effects = press(&mut state, "enter");
    let change = VariableChange::Set { name: "DB2".into(), value: "v".into(), secure: Some(true) };
    assert_eq!(commands(&effects), [&Command::Stage { changes: vec![change] }]);
}

#[test]
fn what_cannot_be_done_says_why() {
    let mut state = empty(120, 40);
    assert!(commands(&press(&mut state, "t")).is_empty());
    assert_eq!(state.toast.as_ref().map(|t| t.text.as_str()), Some("Not now: the session is still starting."));
}

#[test]
fn a_form_begins_with_the_value_of_now_and_not_with_the_one_that_was_shown() {
    let mut state = typical(120, 40);
    press(&mut state, "3");
    let (name, mut variables) = (state.variables.selected().unwrap().name.clone(), state.variables.rows.clone());
    state.pending.variables_stale = true;
    assert!(press(&mut state, "e").contains(&Effect::Command(Ask::Edit(name.clone()), Command::Variables)));
    assert!(state.overlays.is_empty());
    let now = VariableState::Value("of now".into());
    for variable in variables.iter_mut().filter(|v| v.name == name) {
        (variable.stored, variable.staged, variable.secure) = (now.clone(), None, false);
    }
    tell(&mut state, Message::Reply(Ask::Edit(name), Ok(Reply::Variables { variables, message: None })));
    assert!(matches!(state.overlays.last(), Some(Overlay::Form(form)) if form.value.text() == "of now"));
}

#[test]
fn quitting_asks_only_while_a_delivery_is_being_handled() {
    let mut state = typical(120, 40);
    assert!(press(&mut state, "q").contains(&Effect::Quit));
    state.status.as_mut().unwrap().running = 1;
    let answer = |state: &mut State, joined: bool, running: usize| {
        assert_eq!(press(state, "q"), [Effect::Command(Ask::Quit, Command::Status)]);
        let status = Box::new(Status { joined, running, ..state.status.clone().unwrap() });
        tell(state, Message::Reply(Ask::Quit, Ok(Reply::Status(status))))
    };
    assert!(answer(&mut state, false, 0).contains(&Effect::Quit), "it was over already");
    assert!(answer(&mut state, true, 1).contains(&Effect::Quit), "the session goes on elsewhere");
    assert!(!answer(&mut state, false, 1).contains(&Effect::Quit));
    assert!(!press(&mut state, "esc").contains(&Effect::Quit));
    assert!(!answer(&mut state, false, 1).contains(&Effect::Quit));
    assert!(press(&mut state, "y").contains(&Effect::Quit));
    assert!(tell(&mut state, Message::Terminate).contains(&Effect::Quit), "a signal is not asked back");
}

#[test]
fn a_number_shows_its_pane_alone_and_once_more_all_of_them() {
    let mut state = typical(120, 40);
    press(&mut state, "4");
    assert_eq!((state.focus, state.zoomed), (Pane::Storage, true));
    press(&mut state, "2");
    assert_eq!((state.focus, state.zoomed), (Pane::Trace, true));
    press(&mut state, "2");
    assert_eq!((state.focus, state.zoomed), (Pane::Trace, false));
    press(&mut state, "tab backtab backtab z");
    assert_eq!((state.focus, state.zoomed), (Pane::Events, true));
}

#[test]
fn the_palette_finds_an_action_of_another_pane_and_goes_there() {
    let mut state = typical(120, 40);
    press(&mut state, ": switchback enter");
    assert_eq!((state.focus, state.storage.backend), (Pane::Storage, Backend::DataApi));
}

#[test]
fn any_event_type_can_be_chosen_by_a_few_letters() {
    let mut state = typical(120, 40);
    let effects = press(&mut state, "T tiersetupproc enter");
    assert!(
        matches!(&commands(&effects)[..], [_, Command::Trigger { event_type, .. }] if event_type == "tier_config_setup_request_processing"),
        "{effects:?}"
    );
}

#[test]
fn switching_the_backend_reads_collections_and_documents_of_the_other() {
    let mut state = typical(120, 40);
    let effects = press(&mut state, "4 b");
    assert_eq!(commands(&effects), [&Command::Store(StoreCommand::Collections { backend: Backend::DataApi, database: None })]);
    assert!(state.storage.documents.is_empty(), "documents of the other backend are not left standing");
    let reply = Reply::Store(StoreReply::Collections {
        error: None,
        database: "connect".into(),
        collections: vec!["h".into()],
        own: Some("h".into()),
        note: None,
        read_only: false,
    });
    let effects = tell(&mut state, Message::Reply(Ask::Collections, Ok(reply)));
    assert!(
        matches!(&commands(&effects)[..], [Command::Store(StoreCommand::Find { target: StoreTarget { backend: Backend::DataApi, collection: Some(c), .. }, .. }), ..] if c == "h")
    );
}

#[test]
fn a_failed_query_is_an_error_and_not_an_empty_collection() {
    let mut state = typical(120, 40);
    press(&mut state, "4 / {bad enter");
    let asked = state.storage.asked;
    let why = WorkbenchError::Usage("not a filter".into());
    tell(&mut state, Message::Reply(Ask::Documents(asked), Err(why)));
    assert_eq!(state.storage.error.as_deref(), Some("not a filter"));
    assert!(state.storage.found.is_none());
}

#[test]
fn a_late_answer_of_another_collection_is_dropped() {
    let mut state = typical(120, 40);
    press(&mut state, "4 left down");
    assert_eq!((state.storage.part, state.storage.collection.as_deref()), (Part::Collections, Some("requests_http")));
    let late = state.storage.asked - 1;
    tell(&mut state, Message::Reply(Ask::Documents(late), Ok(Reply::Store(StoreReply::Documents(fixture::found())))));
    assert!(state.storage.documents.is_empty());
}

#[test]
fn copying_takes_the_whole_value_and_names_the_way() {
    let mut state = typical(120, 40);
    let effects = press(&mut state, "4 y");
    let Some(Effect::Copy(text)) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(fixture::parsed(text)["quantity"], 10);
    assert!(state.toast.as_ref().unwrap().text.contains("OSC 52"));
}

#[test]
fn failures_count_from_when_the_developer_last_looked() {
    let mut state = typical(120, 40);
    press(&mut state, "4");
    let mut rows = deliveries();
    rows.push(delivery(9, Some("fail")));
    fill(&mut state, rows);
    assert_eq!(state.events.new_failures(), 1);
    press(&mut state, "1");
    assert_eq!(state.events.new_failures(), 0);
}

#[test]
fn a_quiet_screen_is_not_drawn_again_by_the_clock() {
    let mut state = typical(120, 40);
    state.events.rows.retain(|d| d.countdown == 0);
    tell(&mut state, Message::Tick);
    // Everything that was asked is answered.
    state.work = super::super::state::Work::default();
    state.dirty = false;
    state.now = fixture::at(16.0);
    tell(&mut state, Message::Tick);
    tell(&mut state, Message::Reply(Ask::Status, Ok(Reply::Status(Box::new(fixture::status())))));
    assert!(!state.dirty);
    state.work = super::super::state::Work::default();
    assert_eq!(super::patience(&state), 5);
}

#[test]
fn a_paste_is_never_taken_for_keys() {
    let mut state = typical(120, 40);
    let effects = tell(&mut state, Message::Paste("q\nt".into()));
    assert!(effects.is_empty() && state.overlays.is_empty());
    press(&mut state, "/");
    tell(&mut state, Message::Paste("PR-1\n".into()));
    assert_eq!(state.events.filter, "PR-1");
}

#[test]
fn a_journal_that_cannot_be_read_is_said_and_reading_goes_on() {
    let mut state = typical(120, 40);
    tell(&mut state, Message::News);
    let query = Query::Deliveries { filter: state.events.filter(), span: Span::Tail };
    tell(&mut state, Message::Read(Answer::Failed(query, "disk I/O error".into())));
    assert!(state.toast.as_ref().is_some_and(|t| t.tone == Tone::Bad && t.text.contains("disk I/O error")));
    assert!(!tell(&mut state, Message::News).is_empty());
}

#[rstest]
#[case(60, 16)]
#[case(80, 24)]
#[case(120, 40)]
fn no_action_in_any_pane_can_bring_the_console_down(#[case] columns: u16, #[case] rows: u16) {
    use ratatui::{Terminal, backend::TestBackend};
    for pane in Pane::ALL {
        for action in ACTIONS.iter().filter(|a| a.what != Do::Quit) {
            for mut state in [empty(columns, rows), typical(columns, rows)] {
                state.focus_on(pane);
                super::acts::perform(&mut state, action.what, &mut Vec::new());
                let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
                terminal.draw(|frame| super::super::panes::draw(frame, &state)).unwrap();
            }
        }
    }
}

#[test]
fn a_secret_is_revealed_alone_and_for_some_seconds_only() {
    let mut state = typical(120, 40);
    let effects = press(&mut state, "3 v");
    assert_eq!(commands(&effects).len(), 0, "the first variable is no secret");
    state.variables.scroll.at = 2;
    let effects = press(&mut state, "v");
    assert_eq!(commands(&effects), [&Command::Reveal { name: "DB_PASSWORD".into() }]);
    let reply = Reply::Revealed { value: Some("hunter2".into()), staged: None };
    tell(&mut state, Message::Reply(Ask::Reveal("DB_PASSWORD".into()), Ok(reply)));
    assert!(state.variables.revealed.as_ref().is_some_and(|r| r.value.reveal() == "hunter2"));
    assert!(!format!("{:?}", state.variables.revealed).contains("hunter2"));
    state.now = at(12.0 + 9.0);
    tell(&mut state, Message::Tick);
    assert!(state.variables.revealed.is_none());
}

#[test]
fn a_waiting_delivery_can_be_had_now() {
    let mut state = typical(120, 40);
    let effects = press(&mut state, "n");
    assert!(commands(&effects).is_empty(), "the selected delivery does not wait");
    state.events.scroll.at = 3;
    let effects = press(&mut state, "n");
    assert_eq!(commands(&effects), [&Command::Release { task_id: waiting()[0].task_id.clone() }]);
}

#[test]
fn the_clock_is_put_forward_by_what_is_chosen_and_what_comes_of_it_is_said() {
    let mut state = typical(120, 40);
    assert!(commands(&press(&mut state, "F")).is_empty(), "it asks how far");
    let effects = press(&mut state, "h o u r enter");
    assert_eq!(commands(&effects), [&Command::Clock(ClockCommand::Forward { seconds: 3_600 })]);
    let reply = Reply::Clock(ClockReply::Forwarded { came: 2, tasks: Vec::new() });
    tell(&mut state, Message::Reply(Ask::Forward, Ok(reply)));
    assert!(state.waiting.is_empty());
    assert!(state.toast.as_ref().is_some_and(|toast| toast.text == "2 came due and are on their way."));
}

#[test]
fn the_keys_of_the_saga_go_from_delivery_to_delivery_of_one_request() {
    let mut state = typical(120, 40);
    let of_request = [2, 5].map(|id| (delivery(id, Some("success")), Vec::new()));
    tell(&mut state, Message::Read(Answer::Saga(story::saga("PR".into(), of_request.into()))));
    state.events.scroll.at = 4;
    press(&mut state, "2 <");
    assert_eq!(state.events.selected().map(|d| d.id), Some(2));
    press(&mut state, "<");
    assert!(state.toast.as_ref().is_some_and(|toast| toast.text.contains("first")));
    press(&mut state, ">");
    assert_eq!(state.events.selected().map(|d| d.id), Some(5));
}

#[test]
fn an_open_text_is_searched_forth_and_back_and_esc_leaves_the_search_before_the_text() {
    let mut state = typical(100, 30);
    press(&mut state, "4 enter / quant enter");
    let place = |state: &State| match state.overlays.last() {
        Some(Overlay::Pager(pager)) => Some((pager.scroll.at, pager.hits().len())),
        _ => None,
    };
    let (first, hits) = place(&state).unwrap();
    assert_eq!(hits, 1);
    assert!(first > 0);
    press(&mut state, "home n");
    assert_eq!(place(&state), Some((first, 1)));
    press(&mut state, "/ nowhere enter");
    assert!(state.toast.as_ref().is_some_and(|toast| toast.text.contains("not in here")));
    press(&mut state, "/ quant enter esc");
    assert_eq!(place(&state).map(|(_, hits)| hits), Some(0));
    press(&mut state, "esc");
    assert_eq!(place(&state), None);
}

#[test]
fn a_filter_that_begins_with_an_exclamation_mark_leaves_out() {
    let mut state = typical(120, 40);
    press(&mut state, "/ !success enter");
    assert_eq!(state.events.filter().terms, [Term::Text { text: "success".into(), not: true }]);
}

#[test]
fn half_a_filter_keeps_the_stream_as_it_was_and_says_what_is_missing() {
    let mut state = typical(120, 40);
    press(&mut state, "/ result=fail");
    let readable = state.events.filter();
    press(&mut state, "e d");
    assert_eq!(state.events.filter(), readable);
    assert_eq!(state.events.unreadable.as_ref().map(|e| e.at), Some(7));
    press(&mut state, "esc");
    assert!(state.events.unreadable.is_none() && state.events.filter().terms.is_empty());
}

#[test]
fn a_search_that_is_broken_off_goes_on_and_keeps_what_it_has() {
    let mut state = typical(120, 40);
    press(&mut state, "/ x enter");
    let (filter, span) = (state.events.filter(), state.events.span);
    let rows = vec![fixture::delivery(900, Some("success"))];
    let found = Answer::Deliveries { filter: filter.clone(), span, rows, reached: Some(500), total: 1, failures: 0 };
    let effects = tell(&mut state, Message::Read(found));
    assert!(effects.contains(&Effect::Read(Query::Earlier { filter: filter.clone(), before: 500, limit: 255 })), "{effects:?}");
    let rows = vec![fixture::delivery(100, Some("success"))];
    tell(&mut state, Message::Read(Answer::Earlier { filter: filter.clone(), before: 500, rows, reached: None }));
    assert_eq!(state.events.rows.iter().map(|d| d.id).collect::<Vec<_>>(), [100, 900]);
    // News: the tail is looked through again, what was found before stays.
    let rows = vec![fixture::delivery(900, Some("success")), fixture::delivery(901, Some("success"))];
    let found = Answer::Deliveries { filter, span, rows, reached: Some(800), total: 2, failures: 0 };
    let effects = tell(&mut state, Message::Read(found));
    assert_eq!(state.events.rows.iter().map(|d| d.id).collect::<Vec<_>>(), [100, 900, 901]);
    assert!(!effects.iter().any(|e| matches!(e, Effect::Read(Query::Earlier { .. }))), "{effects:?}");
}

#[test]
fn a_value_comes_back_from_the_editor_with_its_lines_and_is_staged() {
    let mut state = typical(120, 40);
    state.focus_on(Pane::Variables);
    state.variables.scroll.at = 1;
    let effects = press(&mut state, "e ctrl-o");
    let Some(Effect::Edit { edit, text, .. }) = effects.into_iter().find(|e| matches!(e, Effect::Edit { .. })) else {
        panic!("nothing to edit")
    };
    assert_eq!(text.reveal(), "connect");
    assert!(state.overlays.is_empty());
    let effects = tell(&mut state, Message::Edited(edit.clone(), Ok(Some(Secret::new("two\nlines\n")))));
    let change = VariableChange::Set { name: "DB".into(), value: "two\nlines".into(), secure: None };
    assert_eq!(commands(&effects), [&Command::Stage { changes: vec![change] }]);
    assert!(commands(&tell(&mut state, Message::Edited(edit.clone(), Ok(None)))).is_empty());
    tell(&mut state, Message::Edited(edit, Err("no editor is set".into())));
    assert!(state.toast.as_ref().is_some_and(|t| t.tone == Tone::Bad));
}

#[test]
fn borders_move_with_keys_and_stop_where_a_pane_would_vanish() {
    use super::super::layout;
    let mut state = typical(120, 40);
    let height = |state: &State, pane| layout::areas(state).panes.iter().find(|(p, _)| *p == pane).unwrap().1;
    let before = height(&state, Pane::Events).height;
    press(&mut state, "+ +");
    assert_eq!(height(&state, Pane::Events).height, before + 4);
    for _ in 0..60 {
        press(&mut state, "-");
    }
    let least = height(&state, Pane::Events).height;
    press(&mut state, "+");
    assert_eq!(height(&state, Pane::Events).height, least + 2, "the first key back moves it again");
    state.focus_on(Pane::Storage);
    let wide = height(&state, Pane::Storage).width;
    press(&mut state, ")");
    assert_eq!(height(&state, Pane::Storage).width, wide + 2);
    press(&mut state, "0");
    assert_eq!((height(&state, Pane::Events).height, height(&state, Pane::Storage).width), (before, wide));
    press(&mut state, "z +");
    assert!(state.toast.as_ref().is_some_and(|t| t.text.contains("no border")));
}

#[test]
fn jumps_lead_from_the_event_to_its_documents_and_variable_and_back_and_forth() {
    let mut state = typical(120, 40);
    press(&mut state, "k");
    let (delivery, object) = state.events.selected().map(|d| (d.id, d.object_id.clone())).unwrap();
    let effects = press(&mut state, "g d");
    assert_eq!((state.focus, state.storage.query.filter.as_str()), (Pane::Storage, format!("{{id: \"{object}\"}}").as_str()));
    assert!(
        commands(&effects)
            .iter()
            .any(|c| matches!(c, Command::Store(StoreCommand::Find { query, .. }) if query.filter.contains(&object)))
    );
    press(&mut state, "g v");
    // The collection that is shown is named by no variable's value but DRIVER_COLLECTION's stored one.
    assert_eq!((state.focus, state.variables.selected().map(|v| v.name.as_str())), (Pane::Variables, Some("DRIVER_COLLECTION")));
    press(&mut state, "backspace backspace");
    assert_eq!((state.focus, state.storage.query.filter.as_str()), (Pane::Events, ""));
    assert_eq!(state.events.selected().map(|d| d.id), Some(delivery));
    press(&mut state, "ctrl-f");
    assert_eq!((state.focus, state.storage.query.filter.is_empty()), (Pane::Storage, false));
    // From a document to the deliveries of its object.
    let asked = state.storage.asked;
    tell(&mut state, Message::Reply(Ask::Documents(asked), Ok(Reply::Store(StoreReply::Documents(fixture::found())))));
    press(&mut state, "g e");
    assert_eq!((state.focus, state.events.filter.as_str()), (Pane::Events, "PR-5512-0934-7781-001"));
    press(&mut state, "ctrl-f");
    assert!(state.toast.as_ref().is_some_and(|t| t.text.contains("no place to go forward")));
}

#[test]
fn a_click_selects_the_row_it_hits_and_the_wheel_scrolls_what_is_below_it() {
    use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    let mut state = typical(120, 40);
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
    terminal.draw(|frame| super::super::panes::draw(frame, &state)).unwrap();
    let rows: Vec<String> = (0..40).map(|y| (0..120).map(|x| terminal.backend().buffer()[(x, y)].symbol()).collect()).collect();
    let row = |text: &str| u16::try_from(rows.iter().position(|row: &String| row.contains(text)).unwrap()).unwrap();
    let mouse = |kind, column, row| Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
    let click = MouseEventKind::Down(MouseButton::Left);
    tell(&mut state, mouse(click, 20, row("#3 ")));
    assert_eq!((state.focus, state.events.selected().map(|d| d.id)), (Pane::Events, Some(3)));
    assert!(state.events.paused);
    tell(&mut state, mouse(click, 90, row("LEFTOVER")));
    assert_eq!((state.focus, state.variables.selected().map(|v| v.name.as_str())), (Pane::Variables, Some("LEFTOVER")));
    tell(&mut state, mouse(MouseEventKind::ScrollDown, 20, row("#3 ")));
    assert_eq!((state.focus, state.events.selected().map(|d| d.id)), (Pane::Variables, Some(6)), "the focus stays");
}

#[test]
fn an_edited_set_that_is_wrong_is_opened_again_as_it_was_left() {
    use super::super::message::Edit;
    use crate::workbench::EnvironmentCommand;
    let mut state = typical(120, 40);
    state.focus_on(Pane::Variables);
    assert_eq!(commands(&press(&mut state, "E")), [&Command::Environment(EnvironmentCommand::Text)]);
    let effects = tell(&mut state, Message::Edited(Edit::Environment, Ok(Some(Secret::new("A=")))));
    assert!(matches!(commands(&effects)[..], [Command::Environment(EnvironmentCommand::TakeText { .. })]));
    tell(&mut state, Message::Reply(Ask::TakeText, Err(WorkbenchError::Usage("line 1: A needs a value".into()))));
    let effects = press(&mut state, "E");
    assert!(effects.iter().any(|e| matches!(e, Effect::Edit { text, .. } if text.reveal() == "A=")));
    let variables = fixture::variables();
    tell(&mut state, Message::Reply(Ask::TakeText, Ok(Reply::Variables { variables, message: None })));
    assert_eq!(commands(&press(&mut state, "E")), [&Command::Environment(EnvironmentCommand::Text)]);
}

#[test]
fn a_console_that_is_left_and_opened_again_is_at_the_same_place() {
    let mut state = typical(120, 40);
    press(&mut state, "+ k k");
    press(&mut state, "3");
    state.variables.scroll.at = 2;
    let text = serde_json::to_string(&state.place()).unwrap();
    let mut again = empty(120, 40);
    again.restore(serde_json::from_str(&text).unwrap());
    tell(&mut again, Message::Started(Ok(())));
    fill(&mut again, deliveries());
    let variables = fixture::variables();
    tell(&mut again, Message::Reply(Ask::Variables, Ok(Reply::Variables { variables, message: None })));
    assert_eq!((again.focus, again.zoomed, again.splits), (state.focus, true, state.splits));
    assert_eq!(again.events.selected().map(|d| d.id), state.events.selected().map(|d| d.id));
    assert_eq!(again.variables.selected().map(|v| v.name.as_str()), Some("DB_PASSWORD"));
    assert!(!text.contains("connect"), "no value is in it");
}

#[test]
fn a_failure_is_said_where_nobody_looks_at_the_events() {
    let mut state = typical(120, 40);
    let mut rows = deliveries();
    rows[7].result = Some("fail".into());
    rows[7].message = Some("the vendor is closed\nTraceback".into());
    fill(&mut state, rows.clone());
    assert!(state.toast.is_none(), "it is seen in the list");
    state.focus_on(Pane::Storage);
    let mut more = delivery(9, Some("fail"));
    more.message = Some("closed again".into());
    rows.push(more);
    fill(&mut state, rows);
    assert!(state.toast.as_ref().is_some_and(|t| t.text.contains("#9") && t.text.contains("closed again")));
}
