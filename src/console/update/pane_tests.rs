//! The other panes, and what lies over them: forms, texts, jumps, sizes, the mouse.

use crossterm::event::KeyModifiers;
use rstest::rstest;

use super::super::action::{ACTIONS, Do};
use super::super::fixture::{self, at, deliveries, empty, fill, tell, typical};
use super::super::message::{Ask, Effect, Message};
use super::super::state::{Overlay, Pane, Part, State};
use super::super::theme::{Piece, Tone};
use super::tests::{commands, press};
use crate::observe::{Backend, Secret};
use crate::workbench::{Command, Reply, StoreCommand, StoreReply, StoreTarget, VariableChange, VariableState, WorkbenchError};

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
fn a_paste_is_never_taken_for_keys() {
    let mut state = typical(120, 40);
    let effects = tell(&mut state, Message::Paste("q\nt".into()));
    assert!(effects.is_empty() && state.overlays.is_empty());
    press(&mut state, "/");
    tell(&mut state, Message::Paste("PR-1\n".into()));
    assert_eq!(state.events.filter, "PR-1");
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
    if let Some(Overlay::Pager(pager)) = state.overlays.last_mut() {
        pager.lines.push(vec![Piece::new(Tone::Warn, "… and 7 lines more")]);
    }
    press(&mut state, "/ nowhere enter");
    let said = state.toast.as_ref().map(|toast| toast.text.clone()).unwrap_or_default();
    assert!(said.contains("not in the part that is shown") && said.contains("events show"), "{said}");
    press(&mut state, "/ quant enter esc");
    assert_eq!(place(&state).map(|(_, hits)| hits), Some(0));
    press(&mut state, "esc");
    assert_eq!(place(&state), None);
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
