//! The stream: what comes, what is selected, filtered and read again. The helpers serve the tests beside.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::fixture::{self, deliveries, delivery, empty, fill, tell, typical, waiting};
use super::super::keymap;
use super::super::message::{Answer, Ask, Effect, Message, Query};
use super::super::state::{Pane, Span, State};
use super::super::story;
use super::super::theme::Tone;
use crate::journal::Term;
use crate::workbench::{ClockCommand, ClockReply, Command, Delivered, Reply, Status, WorkbenchError};

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
fn a_journal_that_cannot_be_read_is_said_and_reading_goes_on() {
    let mut state = typical(120, 40);
    tell(&mut state, Message::News);
    let query = Query::Deliveries { filter: state.events.filter(), span: Span::Tail };
    tell(&mut state, Message::Read(Answer::Failed(query, "disk I/O error".into())));
    assert!(state.toast.as_ref().is_some_and(|t| t.tone == Tone::Bad && t.text.contains("disk I/O error")));
    assert!(!tell(&mut state, Message::News).is_empty());
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
