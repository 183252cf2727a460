//! What the frame promises, seen on the drawn screen.

use rstest::rstest;

use super::super::action::Do;
use super::super::fixture::{status, tell, typical};
use super::super::message::{Ask, Message};
use super::super::state::{Overlay, Pane, State};
use super::super::theme::Tone;
use super::tests::{act, text, zoomed};
use crate::observe::{LinkState, Timestamp};
use crate::workbench::{Reply, Status};

fn with(columns: u16, status: Status) -> State {
    let mut state = typical(columns, 40);
    tell(&mut state, Message::Reply(Ask::Status, Ok(Reply::Status(Box::new(status)))));
    state
}

fn top(state: &State) -> String {
    text(state).lines().next().unwrap_or_default().to_owned()
}

#[rstest]
#[case(60, &["local", "ENV-1234-5678-01", "link alive", "0 running"])]
#[case(80, &["local", "ENV-1234-5678-01  connected", "link alive", "0 running", "1 waiting"])]
#[case(160, &["connect-console", "local", "ENV-1234-5678-01  connected", "tutorial 0.1.0", "runtime 0.1.0", "0 running", "1 waiting"])]
fn the_top_line_tells_as_much_as_there_is_room_for(#[case] columns: u16, #[case] told: &[&str]) {
    let shown = top(&with(columns, status()));
    assert!(told.iter().all(|told| shown.contains(told)), "{shown}");
}

#[test]
fn a_trouble_takes_no_room_from_what_is_always_told() {
    let troubles = vec!["the file of unsent results can't be written".to_owned()];
    let shown = top(&with(80, Status { troubles, ..status() }));
    assert!(shown.contains("local") && shown.contains("link alive") && shown.contains("! the file"), "{shown}");
}

#[test]
fn a_port_that_was_taken_takes_no_room_from_anything_and_held_deliveries_are_always_told() {
    let notes = vec!["port 27411 was taken: mongodb is at 127.0.0.1:39401".to_owned()];
    let shown = top(&with(120, Status { notes: notes.clone(), holding: true, ..status() }));
    let told = ["local", "connected", "tutorial 0.1.0", "link alive", "‖ deliveries held", "1 waiting"];
    assert!(told.iter().all(|told| shown.contains(told)), "{shown}");
    let shown = top(&with(240, Status { notes, ..status() }));
    assert!(shown.contains("port 27411 was taken: mongodb is at 127.0.0.1:39401"), "{shown}");
}

#[rstest]
#[case(Do::Trigger)]
#[case(Do::Replay)]
#[case(Do::ReplayMany)]
#[case(Do::Release)]
#[case(Do::Forward)]
fn before_a_real_connect_what_only_connect_can_do_is_not_done_and_what_waits_there_is_not_counted(#[case] what: Do) {
    let mut state = with(120, Status { mode: "remote".into(), waiting: 0, ..status() });
    let shown = top(&state);
    assert!(shown.contains("remote") && !shown.contains("waiting"), "{shown}");
    act(&mut state, what);
    let shown = text(&state);
    assert!(shown.contains("Not now: with --remote only Connect itself creates and delivers events."), "{shown}");
}

#[rstest]
#[case(LinkState::Waiting, "! link lost, trying again, alive 2 min ago")]
#[case(LinkState::Closed, "✗ link closed, alive 2 min ago")]
fn a_link_that_is_down_says_so_and_since_when(#[case] link: LinkState, #[case] told: &str) {
    let mut gone = status();
    gone.link.state = link;
    gone.environment_status = Some("disconnected".into());
    let mut state = with(120, gone);
    state.now = Timestamp(state.now.0 + 125_000_000);
    let shown = top(&state);
    assert!(shown.contains(told) && shown.contains("ENV-1234-5678-01  disconnected"), "{shown}");
}

#[rstest]
#[case(60, 16)]
#[case(100, 30)]
fn what_is_said_meanwhile_covers_nothing_of_what_is_open(#[case] columns: u16, #[case] rows: u16) {
    for what in [Do::Help, Do::Palette, Do::Open, Do::Go] {
        let mut state = typical(columns, rows);
        act(&mut state, what);
        let before = text(&state);
        state.say(Tone::Good, "PR-5512-0934-7781-001 is created and on its way.");
        let after = text(&state);
        let open = usize::from(rows) - 1;
        assert!(before.lines().take(open).eq(after.lines().take(open)), "{after}");
        assert!(after.lines().last().is_some_and(|line| line.contains("on its way")), "{after}");
    }
}

#[test]
fn every_key_is_explained_whole_however_narrow_the_terminal_is() {
    let mut state = typical(60, 120);
    act(&mut state, Do::Help);
    let shown = text(&state);
    assert!(!shown.contains('…'), "{shown}");
    let words = shown.replace('│', " ");
    let words: Vec<_> = words.split_whitespace().collect();
    let words = words.join(" ");
    assert!(words.contains("an empty one shows all again"), "{words}");
}

#[test]
fn the_palette_tells_whole_what_the_chosen_command_does() {
    let mut state = typical(60, 24);
    act(&mut state, Do::Palette);
    if let Some(Overlay::Chooser(chooser)) = state.overlays.last_mut() {
        chooser.input.paste("hermetic");
        super::super::update::rank(chooser);
    }
    let shown = text(&state);
    assert!(shown.contains("run the selected delivery again with the") && shown.contains("answers of the API"), "{shown}");
}

#[rstest]
#[case(60, 16)]
#[case(120, 40)]
#[case(300, 100)]
fn the_variables_have_the_portals_columns_and_buttons_next_to_each_other(#[case] columns: u16, #[case] rows: u16) {
    let shown = text(&zoomed(typical(columns, rows), Pane::Variables));
    for button in ["APPLY CHANGES", "EXPORT & IMPORT", "ADD"] {
        assert!(shown.contains(button), "{shown}");
    }
    let heading = shown.lines().find(|line| line.contains("KEY")).unwrap();
    let place = |name: &str| heading.find(name);
    assert!(place("KEY") < place("VALUE") && place("VALUE") < place("SECURE"), "{heading}");
    assert!(columns < 80 || (place("ID").is_some() && place("ID") < place("KEY")), "{heading}");
    assert!(heading.trim_end_matches(['│', ' ']).chars().count() < 130, "no column is far from the others: {heading}");
}

#[test]
fn a_button_of_the_variables_is_pressed_with_the_mouse() {
    use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let mut state = zoomed(typical(100, 30), Pane::Variables);
    let shown = text(&state);
    let (row, line) = shown.lines().enumerate().find(|(_, line)| line.contains("EXPORT & IMPORT")).unwrap();
    let click = |state: &mut State, word: &str| {
        let column = line.split(word).next().unwrap().chars().count();
        let kind = MouseEventKind::Down(MouseButton::Left);
        let (column, row) = (u16::try_from(column).unwrap(), u16::try_from(row).unwrap());
        tell(state, Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    };
    click(&mut state, "ADD");
    assert!(matches!(state.overlays.pop(), Some(Overlay::Form(form)) if form.new));
    click(&mut state, "APPLY");
    assert!(matches!(state.overlays.pop(), Some(Overlay::Confirm(_))));
    click(&mut state, "IMPORT");
    assert!(matches!(state.overlays.pop(), Some(Overlay::Chooser(chooser)) if chooser.all.len() == 2));
}

#[test]
fn a_filter_that_nothing_fits_is_seen_while_it_is_typed_and_says_how_to_drop_it() {
    for (pane, said) in [(Pane::Variables, "no variable fits"), (Pane::Trace, "no line of this trace fits")] {
        let mut state = zoomed(typical(80, 24), pane);
        act(&mut state, Do::Filter);
        tell(&mut state, Message::Paste("nowhere".into()));
        let shown = text(&state);
        assert!(shown.contains("/nowhere") && shown.contains(said), "{shown}");
    }
    let mut state = zoomed(typical(80, 24), Pane::Logs);
    act(&mut state, Do::Filter);
    tell(&mut state, Message::Paste("nowhere".into()));
    let filter = state.logs.filter.clone();
    tell(&mut state, Message::Read(super::super::message::Answer::Logs(filter, Vec::new())));
    assert!(text(&state).contains("/nowhere"), "{}", text(&state));
}

#[test]
fn work_that_takes_long_is_told_with_the_key_that_cancels_it() {
    let mut state = zoomed(typical(100, 30), Pane::Variables);
    state.work.begin(&Ask::Apply, state.now);
    state.now = Timestamp(state.now.0 + 3_000_000);
    let shown = text(&state);
    assert!(shown.contains("applying the changes, 3 s: Esc cancels"), "{shown}");
}
