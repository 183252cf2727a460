//! What the frame promises in every pane: filters, long work, questions before what destroys.

use super::super::fixture::{observations, tell, trace, typical};
use super::super::message::{Ask, Effect, Message, Waited};
use super::super::state::{Overlay, Pane, State};
use super::tests::{commands, press};
use crate::observe::control::Release;
use crate::observe::{LinkState, StepKind, Timestamp};
use crate::workbench::{CaptureCommand, Command, HeldRow, Reply, SagaCommand, SagaReply, VariableState};

fn names(state: &State) -> Vec<&str> {
    state.variables.rows.iter().map(|v| v.name.as_str()).collect()
}

fn later(state: &mut State, seconds: i64) -> Vec<Effect> {
    state.now = Timestamp(state.now.0 + seconds * 1_000_000);
    tell(state, Message::Tick)
}

#[test]
fn variables_are_narrowed_while_one_types_and_nothing_staged_is_forgotten_by_that() {
    let mut state = typical(120, 40);
    let all = state.variables.all.len();
    press(&mut state, "3 / db");
    assert!(names(&state).iter().all(|name| name.contains("DB")) && !names(&state).is_empty(), "{:?}", names(&state));
    press(&mut state, "enter");
    assert_eq!(state.variables.staged().count(), 2, "what is staged elsewhere is applied all the same");
    press(&mut state, "esc");
    assert_eq!(names(&state).len(), all);
    press(&mut state, "/ staged enter");
    assert_eq!(names(&state), ["DRIVER_COLLECTION", "NEW_ONE"]);
    press(&mut state, "/ enter");
    // Secrets are not found by their values, for that would tell them letter by letter.
    assert!(state.variables.rows.iter().all(|v| !matches!(v.stored, VariableState::Secret(_)) || v.secure));
}

#[test]
fn a_trace_is_narrowed_to_what_fits_and_the_steps_it_is_in() {
    let mut state = typical(120, 40);
    trace(&mut state, observations(8, false));
    let all = state.trace.lines.len();
    press(&mut state, "2 / insertone enter");
    let text = |state: &State| -> Vec<String> {
        state.trace.lines.iter().map(|line| line.pieces.iter().map(|p| p.text.as_str()).collect()).collect()
    };
    let shown = text(&state);
    assert!(shown.iter().filter(|line| line.contains("insertOne")).count() == 2, "{shown:#?}");
    assert!(shown.iter().any(|line| line.contains("save the request")), "the saga it is in stays: {shown:#?}");
    assert!(!shown.iter().any(|line| line.contains("GET")), "{shown:#?}");
    // Another reading of the same delivery keeps it.
    trace(&mut state, observations(8, false));
    assert_eq!(text(&state), shown);
    press(&mut state, "esc");
    assert_eq!(state.trace.lines.len(), all);
}

#[test]
fn what_takes_long_is_said_and_can_be_cancelled() {
    let mut state = typical(120, 40);
    press(&mut state, "3 a enter");
    assert!(
        state.work.long(state.now).is_none_or(|(ask, ..)| *ask != Ask::Apply),
        "nothing flickers for what is answered at once"
    );
    later(&mut state, 7);
    assert_eq!(state.work.long(state.now).map(|(ask, _, seconds)| (ask.clone(), seconds)), Some((Ask::Apply, 7)));
    let mut effects = press(&mut state, "esc");
    assert!(effects.contains(&Effect::Cancel(Waited::For(Ask::Apply))), "{effects:?}");
    assert!(state.work.long(state.now).is_none_or(|(ask, ..)| *ask != Ask::Apply));
    assert!(state.toast.as_ref().unwrap().text.contains("No longer applying the changes"));
    // What is stored now is looked at again.
    effects.extend(later(&mut state, 1));
    assert!(commands(&effects).contains(&&Command::Variables));
}

#[test]
fn an_answer_ends_the_work_it_was_asked_for() {
    let mut state = typical(120, 40);
    press(&mut state, "3 a enter");
    later(&mut state, 2);
    let variables = state.variables.all.clone();
    tell(&mut state, Message::Reply(Ask::Apply, Ok(Reply::Variables { variables, message: None })));
    assert!(state.work.long(state.now).is_none_or(|(ask, ..)| *ask != Ask::Apply));
}

#[test]
fn what_happens_to_the_link_and_at_breakpoints_is_said_wherever_one_looks() {
    let mut state = typical(120, 40);
    let mut told = |change: &dyn Fn(&mut crate::workbench::Status)| {
        let mut status = super::super::fixture::status();
        change(&mut status);
        tell(&mut state, Message::Reply(Ask::Status, Ok(Reply::Status(Box::new(status)))));
        state.focus = Pane::Variables;
        state.toast.take().map(|toast| toast.text).unwrap_or_default()
    };
    assert!(told(&|_| {}).is_empty());
    assert!(told(&|s| s.link.state = LinkState::Waiting).contains("is lost"));
    assert!(told(&|_| {}).contains("stands again"));
    assert!(told(&|s| s.held = 1).contains("stands at a breakpoint"));
    assert!(told(&|s| s.held = 1).is_empty(), "once is enough");
}

#[test]
fn aborting_a_delivery_asks_first() {
    let mut state = typical(120, 40);
    let held = HeldRow { id: 1, delivery: Some(8), step_kind: StepKind::Execute, name: "SaveRequest".into(), since: state.now };
    tell(&mut state, Message::Reply(Ask::Sagas, Ok(Reply::Sagas(SagaReply { held: vec![held], ..SagaReply::default() }))));
    assert!(commands(&press(&mut state, "X")).is_empty());
    assert!(matches!(state.overlays.last(), Some(Overlay::Confirm(_))));
    assert!(commands(&press(&mut state, "n")).is_empty() && state.overlays.is_empty());
    press(&mut state, "X");
    let effects = press(&mut state, "enter");
    assert_eq!(commands(&effects), [&Command::Sagas(SagaCommand::Release { delivery: Some(8), how: Release::Abort })]);
}

#[test]
fn a_delivery_is_run_again_with_another_value_of_a_variable_for_that_run_only() {
    let mut state = typical(120, 40);
    press(&mut state, "v driver enter");
    assert!(matches!(state.overlays.last(), Some(Overlay::Form(form)) if form.run == Some(8)));
    let effects = press(&mut state, "right _more enter");
    let [Command::Captures(CaptureCommand::Run(run))] = commands(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(run.delivery, Some(8));
    assert_eq!(run.variables, [("DRIVER_COLLECTION".to_owned(), "requests_more".to_owned())]);
    assert_eq!(state.focus, Pane::Events);
}

#[test]
fn a_form_begins_with_its_value_selected_and_ctrl_u_empties_a_line() {
    let mut state = typical(120, 40);
    press(&mut state, "3 e");
    let Some(Overlay::Form(form)) = state.overlays.last() else { panic!() };
    assert!(!form.value.text().is_empty());
    press(&mut state, "n e w");
    let Some(Overlay::Form(form)) = state.overlays.last() else { panic!() };
    assert_eq!(form.value.text(), "new");
    press(&mut state, "ctrl-u x");
    let Some(Overlay::Form(form)) = state.overlays.last() else { panic!() };
    assert_eq!(form.value.text(), "x");
}

#[test]
fn what_cannot_be_a_variable_is_said_in_the_form_and_nothing_typed_is_lost() {
    let mut state = typical(120, 40);
    let effects = press(&mut state, "3 n 2 B A D tab v a l enter");
    assert!(commands(&effects).is_empty(), "{effects:?}");
    let Some(Overlay::Form(form)) = state.overlays.last() else { panic!() };
    assert_eq!((form.name.text(), form.value.text(), form.on_value), ("2BAD", "val", false));
    assert!(form.error.as_ref().unwrap().contains("a letter first"));
}

#[test]
fn what_can_be_done_now_comes_first_in_the_palette() {
    let mut state = typical(120, 40);
    press(&mut state, ":");
    let Some(Overlay::Chooser(chooser)) = state.overlays.last() else { panic!() };
    let refused: Vec<bool> = chooser.ranked.iter().map(|at| chooser.all[*at].refused.is_some()).collect();
    assert!(refused.is_sorted() && refused.contains(&true));
}

#[test]
fn a_delivery_is_run_again_several_times_and_so_is_all_that_the_filter_shows() {
    let mut state = typical(120, 40);
    let shown: Vec<i64> = state.events.rows.iter().map(|d| d.id).collect();
    let again = |effects: &[Effect]| -> Vec<i64> {
        let one = |c: &&Command| if let Command::Replay { delivery } = c { Some(*delivery) } else { None };
        commands(effects).iter().filter_map(one).collect()
    };
    let selected = state.events.selected().unwrap().id;
    press(&mut state, "1 A");
    let effects = press(&mut state, "5 enter");
    assert_eq!(again(&effects), [selected; 5]);
    press(&mut state, "A");
    let effects = press(&mut state, "all enter");
    assert_eq!(again(&effects), shown);
}
