//! Breakpoints, faults and comparisons: what the keys of the trace do about the steps of sagas.

use super::super::action::Do;
use super::super::message::{Ask, Effect, Query};
use super::super::state::{Choice, Chooser, Confirm, Overlay, Pending, Purpose, Scroll, State};
use super::super::theme::{Piece, Tone};
use super::journal;
use crate::observe::control::{Fault, Place, Release};
use crate::observe::{Backend, StepKind};
use crate::workbench::{Command, SagaCommand};

/// The sorts of steps that can be stopped, in the order they run.
const KINDS: [StepKind; 3] = [StepKind::Decision, StepKind::Execute, StepKind::Compensate];
/// How late a late step begins.
const LATE: u64 = 5_000;

/// Does one of these.
pub(crate) fn perform(state: &mut State, what: Do, effects: &mut Vec<Effect>) {
    match what {
        Do::Break => toggle_breakpoint(state, effects),
        Do::Spoil => {
            let chooser = Chooser::new("Make go wrong, once", faults(state));
            state.overlays.push(Overlay::Chooser(Box::new(chooser)));
        }
        Do::ContinueStep => release(state, Release::Continue, effects),
        Do::SkipStep => release(state, Release::Skip, effects),
        Do::AbortDelivery => abort(state),
        Do::Mark => mark(state, effects),
        Do::EarlierSaga => beside(state, 1, effects),
        Do::LaterSaga => beside(state, -1, effects),
        _ => {}
    }
}

fn ask(effects: &mut Vec<Effect>, command: SagaCommand) {
    effects.push(Effect::Command(Ask::Sagas, Command::Sagas(command)));
}

/// The step of the selected line, if deliveries can be stopped before such.
fn selected_step(state: &State) -> Option<Place> {
    let (kind, name) = state.trace.selected()?.step.as_ref()?;
    kind.can_be_stopped().then(|| Place { step_kind: Some(*kind), name: Some(name.clone()) })
}

/// Sets or takes back the breakpoint of the selected step; without one, asks before which step.
fn toggle_breakpoint(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(place) = selected_step(state) else {
        let choices = places(state).into_iter().map(|place| {
            let set = place.step_kind.zip(place.name.as_ref()).and_then(|(kind, name)| state.sagas.breakpoint(kind, name));
            let name = format!("{}before {place}", if set.is_some() { "◉ " } else { "" });
            let detail = if set.is_some() { "stops there now; Enter takes it back" } else { "stop deliveries there" };
            choice(name, detail, set.map_or(SagaCommand::Stop { place }, |id| SagaCommand::TakeBack { id }))
        });
        let chooser = Chooser::new("Stop deliveries", choices.collect());
        return state.overlays.push(Overlay::Chooser(Box::new(chooser)));
    };
    let known = place.step_kind.zip(place.name.as_ref()).and_then(|(kind, name)| state.sagas.breakpoint(kind, name));
    match known {
        Some(id) => {
            state.say(Tone::Note, format!("Deliveries no longer stop before {place}."));
            ask(effects, SagaCommand::TakeBack { id });
        }
        None => {
            state.say(Tone::Note, format!("Deliveries stop before {place} from now on."));
            ask(effects, SagaCommand::Stop { place });
        }
    }
}

/// Every step of the saga's transactions that can be stopped, those of the trace before those of the grid. What was executed
/// without having been asked is a step of a sequence, which never is.
fn places(state: &State) -> Vec<Place> {
    let of_trace = state.trace.all.iter().filter_map(|line| line.step.as_ref()).map(|(_, name)| name);
    let traced = state.trace.all.iter().filter_map(|line| line.step.as_ref()).filter(|(kind, _)| kind.can_be_stopped());
    let traced: Vec<&String> = traced.map(|(_, name)| name).collect();
    let grid = state.trace.saga.iter().flat_map(|saga| &saga.transactions);
    let mut names: Vec<&String> = Vec::new();
    for name in of_trace.filter(|name| traced.contains(name)).chain(grid) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let seen = |kind: StepKind, name: &String| {
        state.trace.all.iter().filter_map(|line| line.step.as_ref()).any(|(one, of)| *one == kind && of == name)
    };
    let asked = |name: &String| seen(StepKind::Decision, name) || !seen(StepKind::Execute, name);
    let of = |name: &String| {
        let place = |kind| Place { step_kind: Some(kind), name: Some(name.clone()) };
        KINDS.into_iter().filter(|kind| *kind != StepKind::Decision || asked(name)).map(place).collect::<Vec<_>>()
    };
    let mut places: Vec<Place> = names.into_iter().flat_map(of).collect();
    places.extend(KINDS.map(|kind| Place { step_kind: Some(kind), name: None }));
    places
}

fn faults(state: &State) -> Vec<Choice> {
    let mut choices = Vec::new();
    if state.sagas.armed() > 0 {
        choices.push(choice("take everything back".into(), "breakpoints and faults; who stands goes on", SagaCommand::Clear));
    }
    let steps = selected_step(state).map_or_else(|| places(state), |place| vec![place]);
    for place in steps {
        for (fault, detail) in [
            (Fault::Fail { message: String::new() }, after_failure(place.step_kind)),
            (Fault::Hang, "never answers, until the task's time is over"),
            (Fault::Late { millis: LATE }, "begins late, then runs"),
        ] {
            let name = format!("{place} {fault}");
            choices.push(choice(name, detail, SagaCommand::Spoil { place: place.clone(), fault }));
        }
    }
    for backend in [Backend::Driver, Backend::DataApi] {
        let name = format!("the next write through the {backend} backend fails");
        let detail = "the next one made while a delivery is handled; your own in Storage are not meant";
        choices.push(choice(name, detail, SagaCommand::SpoilWrite { backend }));
    }
    choices
}

/// What comes of it when a step of this sort fails.
fn after_failure(kind: Option<StepKind>) -> &'static str {
    match kind {
        Some(StepKind::Decision) => "the saga ends with an error; nothing is compensated",
        Some(StepKind::Compensate) => "after a failed execute: the undoing fails too",
        _ => "what it did before is compensated as after any failure",
    }
}

fn choice(name: String, detail: &str, command: SagaCommand) -> Choice {
    let purpose = Purpose::Ask(Box::new(Command::Sagas(command)));
    Choice { name, detail: detail.into(), keys: String::new(), refused: None, purpose }
}

/// Asks whether the delivery that stands is to be ended: what it did so far stays done.
fn abort(state: &mut State) {
    let Some(delivery) = state.standing() else { return };
    let line = |text: String| vec![Piece::new(Tone::Plain, text)];
    let command = Command::Sagas(SagaCommand::Release { delivery: Some(delivery), how: Release::Abort });
    state.overlays.push(Overlay::Confirm(Confirm {
        title: "Abort the delivery".into(),
        lines: vec![
            line(format!("#{delivery} ends here with an error, as if the handler had stopped.")),
            line("What it did so far stays done: nothing is compensated.".into()),
        ],
        scroll: Scroll::default(),
        pending: Pending::Tell(Ask::Sagas, Box::new(command)),
    }));
}

/// Lets the delivery go that is looked at, or the only one that stands.
fn release(state: &mut State, how: Release, effects: &mut Vec<Effect>) {
    let delivery = state.standing();
    let said = if how == Release::Continue { "It goes on." } else { "The step is skipped." };
    state.say(Tone::Note, said);
    ask(effects, SagaCommand::Release { delivery, how });
}

/// Marks a delivery; with another one marked, shows their difference.
fn mark(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(here) = state.events.selected().map(|d| d.id) else { return };
    match state.sagas.mark {
        Some(marked) if marked == here => {
            state.sagas.mark = None;
            state.say(Tone::Note, format!("#{here} is no longer marked."));
        }
        Some(marked) => {
            state.say(Tone::Note, format!("Comparing #{marked} and #{here} ..."));
            effects.push(Effect::Read(Query::Difference(marked, here)));
        }
        None => {
            state.sagas.mark = Some(here);
            state.say(Tone::Note, format!("#{here} is marked: select another delivery and press m again for their difference."));
        }
    }
}

/// Selects the newest delivery of the request with a saga that comes before or after in the list.
fn beside(state: &mut State, by: isize, effects: &mut Vec<Effect>) {
    let here = state.events.selected().map(|d| d.object_id.clone());
    let at = state.sagas.requests.iter().position(|one| Some(&one.last.object_id) == here.as_ref());
    let next = match at {
        Some(at) => at.checked_add_signed(by),
        None => Some(0),
    };
    match next.and_then(|next| state.sagas.requests.get(next)).map(|one| one.last.id) {
        Some(id) => {
            if state.events.go_to(id) {
                journal::refresh(state, effects);
            }
        }
        None => state.say(Tone::Warn, "There is no other request with a saga that way."),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{delivery, fill, observations, tell, trace, typical};
    use super::super::super::message::{Answer, Message};
    use super::super::super::state::Pane;
    use super::*;
    use crate::journal::ObservationRow;
    use crate::observe::Fact;
    use crate::sagas::{Trace, difference};
    use crate::workbench::{HeldRow, Reply, SagaReply};

    fn at_step() -> State {
        let mut state = typical(160, 50);
        state.focus_on(Pane::Trace);
        state.trace.scroll.at =
            state.trace.lines.iter().position(|line| line.step.as_ref().is_some_and(|(k, _)| *k == StepKind::Execute)).unwrap();
        state
    }

    fn asked(state: &mut State, what: Do) -> Vec<SagaCommand> {
        let mut effects = Vec::new();
        super::super::perform(state, what, &mut effects);
        let command = |effect| match effect {
            Effect::Command(Ask::Sagas, Command::Sagas(command)) => Some(command),
            _ => None,
        };
        effects.into_iter().filter_map(command).collect()
    }

    #[test]
    fn a_breakpoint_is_set_on_the_selected_step_and_taken_back_by_the_same_key() {
        let mut state = at_step();
        let place = Place { step_kind: Some(StepKind::Execute), name: Some("SaveRequest".into()) };
        assert_eq!(asked(&mut state, Do::Break), [SagaCommand::Stop { place: place.clone() }]);
        let set = SagaReply { breakpoints: vec![(7, place)], ..SagaReply::default() };
        tell(&mut state, Message::Reply(Ask::Sagas, Ok(Reply::Sagas(set))));
        assert_eq!(asked(&mut state, Do::Break), [SagaCommand::TakeBack { id: 7 }]);
    }

    #[test]
    fn elsewhere_every_step_of_the_saga_is_offered_and_so_are_the_faults() {
        let mut state = at_step();
        state.trace.scroll.at = 0;
        for (what, wanted) in [(Do::Break, "before compensate SaveRequest"), (Do::Spoil, "every execute hangs")] {
            assert!(asked(&mut state, what).is_empty());
            let Some(Overlay::Chooser(chooser)) = state.overlays.pop() else { panic!("nothing to choose from") };
            assert!(chooser.all.iter().any(|choice| choice.name == wanted), "{wanted}");
        }
    }

    #[test]
    fn what_is_made_to_fail_says_what_comes_of_it_for_its_sort_of_step() {
        let mut state = at_step();
        state.trace.scroll.at = 0;
        let choices = faults(&state);
        let detail = |name: &str| choices.iter().find(|choice| choice.name == name).map(|choice| choice.detail.as_str()).unwrap();
        assert!(detail("should_execute SaveRequest fails").ends_with("nothing is compensated"));
        assert!(detail("execute SaveRequest fails").starts_with("what it did before is compensated"));
        assert!(detail("compensate SaveRequest fails").ends_with("the undoing fails too"));
        assert!(detail("the next write through the driver backend fails").contains("while a delivery is handled"));
    }

    #[test]
    fn a_step_of_a_sequence_is_offered_without_the_decision_it_never_has() {
        let mut state = typical(160, 50);
        let mut rows = observations(8, false);
        let execution =
            |row: &ObservationRow| matches!(&row.observation.fact, Fact::StepStarted { step_kind: StepKind::Execute, .. });
        let at = rows.iter().position(execution).unwrap();
        let mut inside = rows[at].clone();
        let (parent, step_kind, name) = (inside.observation.step, StepKind::Execute, "take seats".to_owned());
        inside.observation.step = 60;
        inside.observation.fact = Fact::StepStarted { parent, step_kind, name, request: None };
        rows.insert(at + 1, inside);
        let all = state.events.rows.clone();
        fill(&mut state, all);
        trace(&mut state, rows);
        let offered: Vec<String> = places(&state).iter().map(ToString::to_string).collect();
        let of = |name: &str| offered.iter().filter(|place| place.ends_with(name)).cloned().collect::<Vec<_>>();
        assert_eq!(of("take seats"), ["execute take seats", "compensate take seats"]);
        assert_eq!(of("SaveRequest"), ["should_execute SaveRequest", "execute SaveRequest", "compensate SaveRequest"]);
    }

    #[test]
    fn the_delivery_that_stands_is_let_go_and_without_one_the_key_says_why_not() {
        let mut state = at_step();
        assert!(asked(&mut state, Do::ContinueStep).is_empty());
        assert!(state.toast.as_ref().unwrap().text.contains("no delivery stands"));
        let held = HeldRow { id: 1, delivery: Some(4), step_kind: StepKind::Execute, name: "x".into(), since: state.now };
        state.sagas.set.held.push(held);
        let release = |how| SagaCommand::Release { delivery: Some(4), how };
        assert_eq!(asked(&mut state, Do::SkipStep), [release(Release::Skip)]);
        assert!(asked(&mut state, Do::AbortDelivery).is_empty(), "what destroys asks first");
        let Some(Overlay::Confirm(confirm)) = state.overlays.pop() else { panic!("nothing is asked") };
        assert_eq!(confirm.pending, Pending::Tell(Ask::Sagas, Box::new(Command::Sagas(release(Release::Abort)))));
    }

    #[test]
    fn one_delivery_is_marked_and_the_second_shows_how_they_differ() {
        let mut state = typical(160, 50);
        let mut effects = Vec::new();
        mark(&mut state, &mut effects);
        assert_eq!((state.sagas.mark, effects.len()), (Some(8), 0));
        state.events.go_to(2);
        mark(&mut state, &mut effects);
        assert_eq!(effects, [Effect::Read(Query::Difference(8, 2))]);
        let of = |id, fails| Trace::of(delivery(id, Some("success")), observations(id, fails));
        let found = difference(&of(8, false), &of(2, true));
        tell(&mut state, Message::Read(Answer::Difference(Some(Box::new(found)))));
        let Some(Overlay::Pager(pager)) = state.overlays.last() else { panic!("no difference is shown") };
        let text: String = pager.lines.iter().flatten().map(|piece| piece.text.as_str()).collect();
        assert!(text.contains("compensate SaveRequest") && text.contains("— not done"), "{text}");
        assert_eq!(state.sagas.mark, None);
    }

    #[test]
    fn the_state_a_step_left_is_shown_as_what_it_changed() {
        let mut state = at_step();
        let mut rows = observations(8, false);
        for row in &mut rows {
            match &mut row.observation.fact {
                Fact::StepStarted { request, .. } if row.observation.step == 6 => *request = Some(serde_json::json!({"a": 1})),
                Fact::StepEnded { request, .. } if row.observation.step == 6 => *request = Some(serde_json::json!({"a": 2})),
                _ => {}
            }
        }
        let all = state.events.rows.clone();
        fill(&mut state, all);
        trace(&mut state, rows);
        let pager = super::super::super::story::line_detail(&state).unwrap();
        let lines: Vec<String> = pager.lines.iter().map(|line| line.iter().map(|p| p.text.as_str()).collect()).collect();
        assert_eq!(lines.get(1..4).unwrap(), ["a", "  - 1", "  + 2"]);
    }
}
