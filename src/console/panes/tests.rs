use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use rstest::rstest;

use super::super::action::{Do, Inspect};
use super::super::fixture::{at, deliveries, empty, fill, found, observations, tell, trace, typical};
use super::super::message::{Answer, Ask, Message};
use super::super::state::{Pane, SagaRequest, Side, State};
use super::super::story;
use super::super::theme::{Theme, Tone};
use super::super::update::perform;
use super::draw;
use crate::journal::{DeliveryState, Gap, Retention, Usage};
use crate::observe::LinkState;
use crate::workbench::{CollectionRow, Compared, ComparedRow, Difference, Found, LinkStatus, WorkbenchError};

pub(super) fn drawn(state: &State) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(state.size.0, state.size.1)).unwrap();
    terminal.draw(|frame| draw(frame, state)).unwrap();
    terminal.backend().buffer().clone()
}

pub(super) fn text(state: &State) -> String {
    let buffer = drawn(state);
    let row = |y| {
        let line: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
        line.trim_end().to_owned() + "\n"
    };
    (0..buffer.area.height).map(row).collect()
}

pub(super) fn act(state: &mut State, what: Do) {
    perform(state, what, &mut Vec::new());
}

pub(super) fn zoomed(mut state: State, pane: Pane) -> State {
    state.focus_on(pane);
    state.zoomed = true;
    state
}

#[rstest]
#[case(60, 16)]
#[case(80, 24)]
#[case(120, 40)]
#[case(300, 100)]
fn the_whole_screen(#[case] columns: u16, #[case] rows: u16) {
    insta::assert_snapshot!(format!("typical_{columns}x{rows}"), text(&typical(columns, rows)));
}

#[rstest]
#[case(60, 16)]
#[case(120, 40)]
fn nothing_has_happened_yet(#[case] columns: u16, #[case] rows: u16) {
    let mut state = empty(columns, rows);
    insta::assert_snapshot!(format!("starting_{columns}x{rows}"), text(&state));
    tell(&mut state, Message::Started(Ok(())));
    fill(&mut state, Vec::new());
    insta::assert_snapshot!(format!("empty_{columns}x{rows}"), text(&state));
}

#[test]
fn a_session_that_could_not_start_says_why() {
    let mut state = empty(80, 24);
    tell(
        &mut state,
        Message::Started(Err("The data directory cannot be written: permission denied. Choose another with --data-dir.".into())),
    );
    insta::assert_snapshot!(text(&state));
}

#[rstest]
#[case(Pane::Events)]
#[case(Pane::Trace)]
#[case(Pane::Variables)]
#[case(Pane::Storage)]
#[case(Pane::Logs)]
fn a_pane_alone(#[case] pane: Pane) {
    insta::assert_snapshot!(format!("{}_zoomed_120x40", pane.title()), text(&zoomed(typical(120, 40), pane)));
    insta::assert_snapshot!(format!("{}_narrow_60x16", pane.title()), text(&zoomed(typical(60, 16), pane)));
}

#[test]
fn a_failed_trace_shows_the_whole_reason_where_it_failed() {
    let mut state = zoomed(typical(80, 30), Pane::Trace);
    state.events.scroll.at = 1;
    trace(&mut state, observations(2, true));
    insta::assert_snapshot!(text(&state));
}

#[test]
fn the_saga_of_a_request_stands_above_the_trace_of_one_delivery() {
    let mut state = zoomed(typical(120, 40), Pane::Trace);
    let mut rows = deliveries();
    for (row, attempt) in rows.iter_mut().skip(5).zip(1..) {
        (row.object_id, row.attempt) = ("PR-5512-0934-7781-001".into(), attempt);
    }
    fill(&mut state, rows.clone());
    trace(&mut state, observations(8, false));
    let told =
        [(rows[5].clone(), observations(6, true)), (rows[6].clone(), Vec::new()), (rows[7].clone(), observations(8, false))];
    tell(&mut state, Message::Read(Answer::Saga(story::saga("PR-5512-0934-7781-001".into(), told.into()))));
    insta::assert_snapshot!(text(&state));
    act(&mut state, Do::ShowSaga);
    assert!(!text(&state).contains("TRANSACTION"));
}

#[test]
fn the_requests_with_a_saga_stand_at_the_left_of_a_screen_of_120_columns_and_the_bars_beside_them() {
    let cases =
        [(119, 2, None), (120, 1, None), (120, 2, Some("2 WITH A SAGA  { }")), (140, 1, Some("1 REQUEST WITH A SAGA  { }"))];
    for (columns, requests, heading) in cases {
        let mut state = zoomed(typical(columns, 40), Pane::Trace);
        state.events.scroll.at = 0;
        trace(&mut state, observations(1, false));
        let last = deliveries().first().unwrap().clone();
        state.sagas.requests = vec![SagaRequest { last: last.clone(), deliveries: 12 }; requests];
        let shown = text(&state);
        assert!(shown.contains('━'), "{shown}");
        assert_eq!(shown.contains("WITH A SAGA"), heading.is_some(), "{shown}");
        assert!(
            heading.is_none_or(|heading| shown.contains(heading) && shown.contains(&format!("{} ×12", last.object_id))),
            "{shown}"
        );
    }
}

#[test]
fn a_saga_of_many_transactions_shows_those_around_the_one_it_came_to() {
    let mut state = zoomed(typical(60, 24), Pane::Trace);
    trace(&mut state, observations(8, false));
    let named = |n| format!("transaction number {n} with a name {}", "x".repeat(200));
    let mut rows = Vec::new();
    for n in 0..30 {
        let mut asked: Vec<_> = observations(8, false).into_iter().filter(|row| row.observation.step == 4).collect();
        for row in &mut asked {
            row.observation.step = 100 + n;
            match &mut row.observation.fact {
                crate::observe::Fact::StepStarted { name, .. } => *name = named(n),
                crate::observe::Fact::StepEnded { outcome, .. } if n < 20 => *outcome = crate::observe::StepOutcome::No,
                _ => {}
            }
        }
        rows.extend(asked.into_iter().take(if n <= 20 { 2 } else { 1 }));
    }
    let column = deliveries().remove(7);
    tell(&mut state, Message::Read(Answer::Saga(story::saga(column.object_id.clone(), vec![(column, rows)]))));
    act(&mut state, Do::ShowSaga);
    let shown = text(&state);
    assert!(shown.contains("OF 21") && shown.contains("● selected"), "{shown}");
    assert!(shown.contains("handler purchase"), "the waterfall keeps its room:\n{shown}");
}

#[test]
fn a_store_that_is_down_is_red_and_not_empty() {
    let mut state = zoomed(typical(80, 16), Pane::Storage);
    let asked = state.storage.asked;
    let why = "The MongoDB server at 127.0.0.1:27017 does not answer: connection refused. Is it running?";
    tell(&mut state, Message::Reply(Ask::Documents(asked), Err(WorkbenchError::Failed(why.into()))));
    let shown = text(&state);
    assert!(!shown.contains("empty"));
    insta::assert_snapshot!(shown);
    let buffer = drawn(&state);
    let red = (0..80).any(|x| (0..16).any(|y| buffer[(x, y)].symbol() == "✗" && buffer[(x, y)].fg == Color::Red));
    assert!(red);
}

#[rstest]
#[case("tree", 1)]
#[case("table", 2)]
fn documents_are_looked_at_as_trees_and_as_tables(#[case] name: &str, #[case] presses: usize) {
    for (columns, rows) in [(100, 30), (60, 16)] {
        let mut state = zoomed(typical(columns, rows), Pane::Storage);
        (0..presses).for_each(|_| act(&mut state, Do::Store(Inspect::View)));
        insta::assert_snapshot!(format!("storage_{name}_{columns}x{rows}"), text(&state));
    }
}

#[test]
fn an_empty_collection_says_what_to_do_next_and_a_query_that_finds_nothing_too() {
    let mut state = zoomed(typical(80, 24), Pane::Storage);
    let nothing = Found { documents: Vec::new(), ..found() };
    state.storage.load(nothing);
    insta::assert_snapshot!("storage_empty", text(&state));
    state.storage.query.filter = "{status: 'approved'}".into();
    assert!(text(&state).contains("no document fits the filter"));
}

#[test]
fn a_huge_collection_is_paged_and_counted_and_only_what_is_seen_is_laid_out() {
    let mut state = zoomed(typical(160, 50), Pane::Storage);
    let document = |n: u64| serde_json::json!({"_id": {"$numberLong": n.to_string()}, "n": {"$numberInt": "1"}});
    let page = Found { documents: (150..200).map(document).collect(), more: true, ..found() };
    state.storage.query.skip = 150;
    state.storage.load(page.clone());
    state.storage.total = Some(1_000_000);
    let row = |name: &str, count| CollectionRow {
        database: "connect".into(),
        collection: name.into(),
        count,
        bytes: Some(count * 90),
        indexes: Some(1),
    };
    state.storage.sizes = [("requests".to_owned(), row("requests", 1_000_000))].into();
    let mut again = page;
    again.documents[3] = document(9_999_999);
    state.storage.load(again);
    insta::assert_snapshot!("storage_huge", text(&state));
}

#[test]
fn a_query_that_is_typed_shows_its_fields_and_where_it_is_wrong() {
    let mut state = zoomed(typical(100, 30), Pane::Storage);
    act(&mut state, Do::Filter);
    let bar = state.storage.bar.as_mut().unwrap();
    bar.input().paste("{status: pending}");
    assert!(bar.read().is_none());
    insta::assert_snapshot!("storage_bar", text(&state));
    let mut narrow = zoomed(typical(60, 16), Pane::Storage);
    narrow.storage.bar = state.storage.bar.take();
    insta::assert_snapshot!("storage_bar_narrow", text(&narrow));
}

#[test]
fn both_backends_stand_beside_each_other() {
    let row = |key: &str, left, right, differences| ComparedRow { key: key.into(), left, right, differences };
    let difference = |path: &str, left: &str, right: Option<&str>| Difference {
        path: path.into(),
        left: Some(left.into()),
        right: right.map(Into::into),
    };
    let document = |n: u32| Some(serde_json::json!({"_id": {"$numberInt": n.to_string()}, "id": format!("PR-{n}")}));
    let compared = Compared {
        left: "data-api connect.requests_http".into(),
        right: "driver connect.requests".into(),
        key: "id".into(),
        same: 1,
        rows: vec![
            row(
                "PR-1",
                document(1),
                document(1),
                vec![difference("asset.status", "active", Some("draft")), difference("note", "a \u{7} note", None)],
            ),
            row("PR-2", document(2), None, Vec::new()),
            row("PR-3", document(3), document(3), Vec::new()),
        ],
        more: false,
    };
    for (columns, rows) in [(100, 30), (60, 16)] {
        let mut state = zoomed(typical(columns, rows), Pane::Storage);
        state.storage.side = Some(Box::new(Side { compared: Some(compared.clone()), ..Side::default() }));
        insta::assert_snapshot!(format!("storage_compare_{columns}x{rows}"), text(&state));
    }
}

#[test]
fn a_document_is_edited_as_canonical_extended_json() {
    for (columns, rows) in [(100, 30), (60, 16)] {
        let mut state = zoomed(typical(columns, rows), Pane::Storage);
        act(&mut state, Do::Store(Inspect::Edit));
        insta::assert_snapshot!(format!("storage_edit_{columns}x{rows}"), text(&state));
    }
}

#[test]
fn what_lies_over_the_panes() {
    let mut state = typical(100, 30);
    for (name, what) in [("help", Do::Help), ("palette", Do::Palette), ("event_types", Do::TriggerType), ("delivery", Do::Open)] {
        act(&mut state, what);
        insta::assert_snapshot!(name, text(&state));
        state.overlays.clear();
    }
    state.focus_on(Pane::Variables);
    for (name, what) in [("new_variable", Do::AddVariable), ("edit_variable", Do::EditVariable), ("apply", Do::Apply)] {
        act(&mut state, what);
        insta::assert_snapshot!(name, text(&state));
        state.overlays.clear();
    }
    state.focus_on(Pane::Storage);
    act(&mut state, Do::Open);
    insta::assert_snapshot!("document", text(&state));
}

#[test]
fn plain_mode_draws_ascii_only_and_no_borders() {
    let mut state = typical(80, 24);
    state.theme = Theme { colour: false, plain: true, ..Theme::default() };
    let shown = text(&state);
    assert!(shown.is_ascii(), "{shown}");
    insta::assert_snapshot!(shown);
    assert!(drawn(&state).content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
}

#[test]
fn the_selection_is_reversed_and_the_background_is_never_painted() {
    let state = typical(120, 40);
    let buffer = drawn(&state);
    assert!(buffer.content.iter().all(|cell| cell.bg == Color::Reset));
    let reversed = |y: u16| (1..60).all(|x| buffer[(x, y)].modifier.contains(Modifier::REVERSED));
    assert_eq!((0..40).filter(|y| reversed(*y)).count(), 1);
}

#[test]
fn a_million_deliveries_cost_a_frame_no_more_than_what_is_seen() {
    let mut state = typical(120, 40);
    state.events.total = 1_000_000;
    assert!(text(&state).contains("1000000 deliveries"));
    assert!(state.events.rows.len() <= 256);
}

#[test]
fn nothing_of_a_payload_reaches_the_terminal_raw() {
    let mut state = typical(120, 40);
    let mut rows = deliveries();
    rows[7].object_id = "PR-\u{1b}]0;evil\u{7}\u{202e}".into();
    fill(&mut state, rows);
    for pane in Pane::ALL {
        state.focus_on(pane);
        act(&mut state, Do::Open);
        let buffer = drawn(&state);
        let harmless = |c: char| !c.is_control() && c != '\u{202e}';
        assert!(buffer.content.iter().all(|cell| cell.symbol().chars().all(harmless)));
        state.overlays.clear();
    }
}

#[test]
fn a_tiny_terminal_shows_what_matters_and_a_toast_leaves_some_of_it() {
    let mut state = zoomed(typical(20, 5), Pane::Events);
    insta::assert_snapshot!("tiny_20x5", text(&state));
    state.say(super::super::theme::Tone::Warn, "Not now: nothing of this request waits to be delivered again, and this is long.");
    insta::assert_snapshot!("tiny_20x5_toast", text(&state));
    let mut state = typical(60, 16);
    state.say(super::super::theme::Tone::Bad, "The store at 127.0.0.1:27017 does not answer. ".repeat(8));
    let covered = text(&state);
    assert!(covered.lines().filter(|line| line.contains("does not answer")).count() <= 3, "{covered}");
}

#[rstest]
#[case(220, 60)]
#[case(300, 100)]
fn a_large_terminal_has_three_columns(#[case] columns: u16, #[case] rows: u16) {
    let shown = text(&typical(columns, rows));
    let line = |title: &str| shown.lines().position(|line| line.contains(title)).unwrap();
    assert_eq!((line("2 Trace"), line("3 Variables")), (line("1 Events"), line("1 Events")), "{shown}");
    assert!(line("5 Logs") > rows as usize / 2);
}

#[test]
fn the_variables_pane_when_there_are_none_and_when_they_cannot_be_read() {
    use crate::workbench::Reply;
    let mut state = zoomed(typical(100, 12), Pane::Variables);
    tell(&mut state, Message::Reply(Ask::Variables, Ok(Reply::Variables { variables: Vec::new(), message: None })));
    insta::assert_snapshot!("variables_empty", text(&state));
    let why = "the variables could not be read: GET devops/services/SRVC-1/environments/ENV-1/variables: 403 AUTH_002";
    tell(&mut state, Message::Reply(Ask::Variables, Err(WorkbenchError::Failed(why.into()))));
    insta::assert_snapshot!("variables_error", text(&state));
}

#[test]
fn log_lines_are_narrowed_and_that_is_said() {
    let mut state = zoomed(typical(100, 12), Pane::Logs);
    act(&mut state, Do::LogLevel);
    act(&mut state, Do::LogLevel);
    act(&mut state, Do::LogDelivery);
    assert!(text(&state).contains("only WARNING and worse, delivery #8"), "{}", text(&state));
    let filter = state.logs.filter.clone();
    tell(&mut state, Message::Read(Answer::Logs(filter, Vec::new())));
    insta::assert_snapshot!("logs_narrowed", text(&state));
    act(&mut state, Do::Close);
    assert_eq!(state.logs.filter, crate::journal::LogFilter::default());
}

#[test]
fn what_is_asked_about_the_variables_lies_over_the_panes() {
    use crate::workbench::{EnvironmentReply, HistoryChange, HistoryRow, RanWith, Reply, Since};
    let mut state = typical(100, 30);
    state.focus_on(Pane::Variables);
    act(&mut state, Do::ImportVariables);
    insta::assert_snapshot!("import_variables", text(&state));
    state.overlays.clear();
    act(&mut state, Do::Go);
    insta::assert_snapshot!("go_to", text(&state));
    state.overlays.clear();
    let change = |change: &str, name: &str, from: Option<&str>, to: Option<&str>, secure| HistoryChange {
        change: change.into(),
        name: name.into(),
        from: from.map(Into::into),
        to: to.map(Into::into),
        secure,
    };
    let row = |number, who: &str, what: &str, changes| HistoryRow {
        number,
        at: state.now,
        who: who.into(),
        what: what.into(),
        changes,
    };
    let rows = vec![
        row(1, "found", "as found before the first change", Vec::new()),
        row(
            2,
            "ana",
            "applied",
            vec![change("update", "DB", Some("one"), Some("two"), false), change("update", "TOKEN", None, None, true)],
        ),
    ];
    tell(&mut state, Message::Reply(Ask::Environment, Ok(Reply::Environment(EnvironmentReply::History { rows }))));
    insta::assert_snapshot!("history", text(&state));
    state.overlays.clear();
    let value = |name: &str, value: Option<&str>, since| RanWith {
        name: name.into(),
        value: value.map(Into::into),
        secure: value.is_none(),
        since,
    };
    let variables = vec![
        value("DB", Some("one"), Since::Changed),
        value("TOKEN", None, Since::Unknown),
        value("OLD", Some("x"), Since::Gone),
    ];
    let reply = EnvironmentReply::RanWith { at: state.now, variables };
    tell(&mut state, Message::Reply(Ask::Environment, Ok(Reply::Environment(reply))));
    insta::assert_snapshot!("ran_with", text(&state));
}

#[test]
fn that_deliveries_are_held_is_seen_whatever_else_is_wrong() {
    for (columns, rows) in [(60, 16), (120, 40)] {
        let mut state = typical(columns, rows);
        let status = state.status.as_mut().unwrap();
        status.troubles = vec!["capture stopped: database or disk is full: 3 observations were lost".into()];
        (status.notes, status.holding) = (vec!["port 1 was taken".into()], true);
        let shown = text(&state);
        assert!(shown.lines().next().unwrap().contains("‖ deliveries held"), "{shown}");
    }
}

#[test]
fn a_delivery_whose_runner_is_gone_waits_for_one_and_what_nobody_took_is_counted_at_the_top() {
    for (columns, rows) in [(60, 16), (120, 40)] {
        let mut state = typical(columns, rows);
        state.events.rows.last_mut().unwrap().state = DeliveryState::NoRunner;
        state.trace.delivery.as_mut().unwrap().state = DeliveryState::NoRunner;
        let status = state.status.as_mut().unwrap();
        (status.pending, status.link) = (2, LinkStatus { state: LinkState::Connecting, last_seen: None });
        let shown = text(&state);
        assert!(shown.lines().next().unwrap().contains("‖ 2 without a runner"), "{shown}");
        assert!(shown.contains("‖ no runner") && !shown.contains("● running"), "{shown}");
        state.status.as_mut().unwrap().link.state = LinkState::Connected;
        assert!(!text(&state).contains("without a runner"), "they are on their way");
    }
}

#[test]
fn a_full_disk_is_a_red_banner_in_any_terminal_and_said_once() {
    for (columns, rows) in [(60, 16), (120, 40)] {
        let mut state = typical(columns, rows);
        let why = "capture stopped: database or disk is full: 3 observations were lost on the way to the disk";
        state.status.as_mut().unwrap().troubles = vec![why.into()];
        let shown = text(&state);
        let line = shown.lines().nth(1).unwrap();
        assert!(line.starts_with(" ✗ CAPTURE STOPPED, database or disk is full: 3 "), "{shown}");
        assert!(!shown.contains("capture stopped"), "{shown}");
        let buffer = drawn(&state);
        let red = |x| {
            buffer[(x, 1)].modifier.contains(Modifier::REVERSED) && Some(buffer[(x, 1)].fg) == state.theme.style(Tone::Bad).fg
        };
        assert!((0..columns).all(red), "{:?}", buffer[(0, 1)]);
    }
}

#[test]
fn how_full_the_journal_is_stands_in_the_frame_of_the_stream_where_there_is_room() {
    let usage = Usage {
        bytes: 3 << 30,
        retention: Retention { bytes: 4 << 30, seconds: 0 },
        deliveries: 12,
        pinned: 0,
        removed: 0,
        oldest: None,
        unindexed: 0,
    };
    for (columns, wanted) in [(120, true), (60, false)] {
        let mut state = typical(columns, 30);
        tell(&mut state, Message::Read(Answer::Usage(usage)));
        let shown = text(&state);
        assert_eq!(shown.contains("journal ███████░░░ 3.0 GiB of 4.0 GiB"), wanted, "{shown}");
    }
}

#[test]
fn a_search_that_looks_far_back_says_why_while_texts_are_indexed() {
    for (unindexed, wanted) in [(3_000_000, true), (900, false)] {
        let mut state = typical(120, 30);
        state.events.narrow("x");
        let usage =
            Usage { bytes: 1, retention: Retention::ALL, deliveries: 1_000_000, pinned: 0, removed: 0, oldest: None, unindexed };
        tell(&mut state, Message::Read(Answer::Usage(usage)));
        let (filter, span) = (state.events.filter(), state.events.span);
        let found = Answer::Deliveries { filter, span, rows: Vec::new(), reached: Some(500), total: 0, failures: 0 };
        tell(&mut state, Message::Read(found));
        let shown = text(&state);
        assert!(shown.contains("looking back from #500"), "{shown}");
        assert_eq!(shown.contains("#500 while texts are indexed …"), wanted, "{shown}");
    }
}

#[test]
fn a_time_without_a_link_is_a_row_of_the_stream() {
    let mut state = typical(120, 60);
    let gap = |from, until, why: &str| Gap { from: at(from), until, why: why.into() };
    let gaps = vec![gap(4.0, Some(at(4.4)), "the socket broke"), gap(60.0, None, "no ping")];
    tell(&mut state, Message::Read(Answer::Gaps(gaps)));
    let shown = text(&state);
    let row = |what: &str| shown.lines().position(|line| line.contains(what)).unwrap_or_else(|| panic!("no {what} in\n{shown}"));
    assert!(row("the socket broke") < row("#3     "), "{shown}");
    let last = row("no link to Connect until now: no ping");
    assert_eq!(last, row("#8     ") + 1, "it is seen however full the pane is: {shown}");
}

#[test]
fn while_something_is_typed_the_bottom_line_has_its_keys_and_no_others() {
    for (columns, rows) in [(60, 16), (120, 40)] {
        let mut state = typical(columns, rows);
        perform(&mut state, Do::Filter, &mut Vec::new());
        let bottom = |state: &State| text(state).lines().last().unwrap().trim_end().to_owned();
        assert_eq!(bottom(&state), " Enter keep   Esc take back");
        state.typing = None;
        assert!(bottom(&state).contains("q quit"), "{}", bottom(&state));
    }
}
