//! Runs that something is done with when they are over: compared with their originals, or delivered once more.

use super::super::message::{Ask, Effect, Query};
use super::super::state::{Comparing, Pager, State, Then};
use super::super::text;
use super::super::theme::{Piece, Pieces, Tone};
use crate::journal::{DeliveryRow, DeliveryState};
use crate::replay::Difference;
use crate::workbench::{CaptureCommand, Command, Delivered, RunAgain, RunsCompared};

/// Takes note of a run that has begun, if something is to be done when it is over.
pub(crate) fn begun(state: &mut State, ask: &Ask, delivered: &Delivered, shadows: Vec<(String, String, String)>) {
    let (original, then) = match *ask {
        Ask::Shadow(of) => (of, Then::Compare),
        Ask::Watch(of) => (of, Then::Watch),
        Ask::Twice(of) => (of, Then::Again),
        Ask::Again { of, first, .. } => (of, Then::Repeated(first)),
        _ => return,
    };
    state.comparing.push(Comparing { original, task_id: delivered.task_id.clone(), shadows, then });
}

/// The second of two runs could not be started: what the first wrote is cleared away.
pub(crate) fn not_again(shadows: &[(String, String, String)], effects: &mut Vec<Effect>) {
    let command = CaptureCommand::Clear { collections: collections(shadows.to_vec()) };
    effects.push(Effect::Command(Ask::Captures, Command::Captures(command)));
}

fn collections(shadows: Vec<(String, String, String)>) -> Vec<String> {
    shadows.into_iter().map(|(_, _, own)| own).collect()
}

/// Asks how the runs stand that are to be compared: they may be outside of what is in memory, or of the filter.
pub(crate) fn look(state: &State, effects: &mut Vec<Effect>) {
    if !state.comparing.is_empty() {
        let tasks = state.comparing.iter().map(|run| run.task_id.clone()).collect();
        effects.push(Effect::Read(Query::Tasks(tasks)));
    }
}

/// Goes on with the runs that are over.
pub(crate) fn over(state: &mut State, rows: &[DeliveryRow], effects: &mut Vec<Effect>) {
    let is_over = |row: &&DeliveryRow| matches!(row.state, DeliveryState::Sent | DeliveryState::Interrupted);
    for run in std::mem::take(&mut state.comparing) {
        let Some(row) = rows.iter().filter(is_over).find(|row| row.task_id == run.task_id) else {
            state.comparing.push(run);
            continue;
        };
        let (of, id) = (run.original, row.id);
        let (ask, command) = match run.then {
            Then::Again => {
                state.say(Tone::Note, format!("Delivering #{of} the second time ..."));
                let collections = run.shadows.iter().map(|(name, _, own)| (name.clone(), own.clone())).collect();
                let again = RunAgain { delivery: Some(of), shadow: true, collections, ..RunAgain::default() };
                (Ask::Again { of, first: id, shadows: run.shadows }, CaptureCommand::Run(Box::new(again)))
            }
            Then::Repeated(first) => {
                let ask = Ask::Repeated { of, first, second: id };
                (ask, CaptureCommand::Repeated { first, second: id, collections: collections(run.shadows) })
            }
            then => {
                let ask = if then == Then::Watch { Ask::Watched(of) } else { Ask::Captures };
                (ask, CaptureCommand::CompareAndClear { before: of, after: id, collections: collections(run.shadows) })
            }
        };
        effects.push(Effect::Command(ask, Command::Captures(command)));
    }
}

/// What a run did otherwise than its original.
pub(crate) fn compared(compared: &RunsCompared, run: &str) -> Pager {
    let took = |micros: Option<u64>| micros.map_or_else(|| "-".into(), text::duration);
    let (before, after) = compared.micros;
    let mut lines: Vec<Pieces> =
        vec![vec![Piece::new(Tone::Dim, format!("took {} then, {} now", took(before), took(after)))], Vec::new()];
    lines.extend(compared.notes.iter().map(|note| vec![Piece::new(Tone::Warn, note)]));
    lines.extend(compared.unrecorded.iter().map(|call| vec![Piece::new(Tone::Bad, format!("not recorded: {call}"))]));
    if compared.differences.is_empty() {
        lines.push(vec![Piece::new(Tone::Good, "✓ no difference: the same result, reason, steps, API calls and documents")]);
    }
    lines.extend(differing(&compared.differences));
    pages(format!("#{} and its {run} #{}", compared.before, compared.after), lines)
}

/// What happened twice when a delivery came twice.
pub(crate) fn repeated(
    of: i64,
    (first, second): (i64, i64),
    repeated: &[String],
    differences: &[Difference],
    notes: &[String],
) -> Pager {
    let mut lines: Vec<Pieces> = notes.iter().map(|note| vec![Piece::new(Tone::Warn, note)]).collect();
    lines.push(vec![match repeated.is_empty() {
        true if notes.is_empty() => Piece::new(Tone::Good, "✓ nothing happened twice"),
        true => Piece::new(Tone::Warn, "as far as could be seen nothing happened twice"),
        false => Piece::new(Tone::Strong, "happened twice:"),
    }]);
    lines.extend(repeated.iter().map(|line| vec![Piece::new(Tone::Bad, format!("  ✗ {line}"))]));
    if !differences.is_empty() {
        lines.extend([Vec::new(), vec![Piece::new(Tone::Strong, "the second time was different:")]]);
        lines.extend(differing(differences));
    }
    pages(format!("#{of} delivered twice: #{first} and #{second}"), lines)
}

fn differing(differences: &[Difference]) -> Vec<Pieces> {
    let mut lines = Vec::new();
    for difference in differences {
        lines.push(vec![Piece::new(Tone::Strong, &difference.path)]);
        for (sign, tone, value) in [("- ", Tone::Bad, &difference.before), ("+ ", Tone::Good, &difference.after)] {
            let value = value.as_ref().map(super::super::json::pretty).unwrap_or_default();
            lines.extend(value.lines().map(|line| vec![Piece::new(tone, format!("  {sign}{line}"))]));
        }
    }
    lines
}

fn pages(title: String, lines: Vec<Pieces>) -> Pager {
    let whole = lines.iter().map(|line| line.iter().map(|p| p.text.as_str()).collect::<String>() + "\n").collect();
    Pager::new(title, lines, whole)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{delivery, tell, typical};
    use super::super::super::message::{Answer, Message};
    use super::super::super::state::Overlay;
    use super::super::tests::{commands, press};
    use super::*;
    use crate::workbench::{CaptureReply, Reply, WorkbenchError};

    fn shadows() -> Vec<(String, String, String)> {
        vec![("COLLECTION".into(), "requests".into(), "requests__shadow_1".into())]
    }

    /// The answer to a run that was asked for, and then its end as delivery `id`.
    fn begin_and_end(state: &mut State, ask: Ask, id: i64) -> Vec<Effect> {
        let row = delivery(id, Some("success"));
        let (task_id, object_id, event_type) = (row.task_id.clone(), row.object_id.clone(), row.event_type.clone());
        let delivered = Delivered { task_id, object_id, event_type, unclaimed: false, note: None };
        let reply = CaptureReply::Started { delivered, shadows: shadows() };
        tell(state, Message::Reply(ask, Ok(Reply::Captures(reply))));
        tell(state, Message::Read(Answer::Tasks(vec![row])))
    }

    #[test]
    fn a_delivery_comes_twice_into_the_same_shadow_collections_and_what_happened_twice_is_shown() {
        let mut state = typical(120, 40);
        let of = state.events.selected().unwrap().id;
        let asked = press(&mut state, "D");
        let first = RunAgain { delivery: Some(of), shadow: true, ..RunAgain::default() };
        assert_eq!(commands(&asked), [&Command::Captures(CaptureCommand::Run(Box::new(first.clone())))]);

        let again = begin_and_end(&mut state, Ask::Twice(of), 20);
        let collections = vec![("COLLECTION".to_owned(), "requests__shadow_1".to_owned())];
        let second = RunAgain { collections, ..first };
        assert!(commands(&again).contains(&&Command::Captures(CaptureCommand::Run(Box::new(second)))), "{again:?}");

        let asked = begin_and_end(&mut state, Ask::Again { of, first: 20, shadows: shadows() }, 21);
        let collections = vec!["requests__shadow_1".to_owned()];
        let looked = CaptureCommand::Repeated { first: 20, second: 21, collections };
        assert!(commands(&asked).contains(&&Command::Captures(looked)), "{asked:?}");
        assert!(state.comparing.is_empty());

        let reply = CaptureReply::Repeated {
            repeated: vec!["2 documents with the id PR-1 in shop.requests__shadow_1 (driver)".into()],
            differences: vec![Difference { path: "result".into(), before: Some("success".into()), after: Some("fail".into()) }],
            notes: Vec::new(),
        };
        tell(&mut state, Message::Reply(Ask::Repeated { of, first: 20, second: 21 }, Ok(Reply::Captures(reply))));
        let [Overlay::Pager(pager)] = &state.overlays[..] else { panic!("{:?}", state.overlays) };
        assert_eq!(pager.title, format!("#{of} delivered twice: #20 and #21"));
        for shown in ["happened twice:", "✗ 2 documents with the id PR-1", "the second time was different:", "+ \"fail\""] {
            assert!(pager.whole.contains(shown), "{shown}: {}", pager.whole);
        }
    }

    #[test]
    fn where_nothing_happened_twice_that_is_said_and_what_could_not_be_looked_at_too() {
        assert!(repeated(1, (2, 3), &[], &[], &[]).whole.contains("✓ nothing happened twice"));
        let unseen = repeated(1, (2, 3), &[], &[], &["the documents in x can't be counted: down".into()]).whole;
        assert!(unseen.contains("can't be counted") && unseen.contains("as far as could be seen"), "{unseen}");
    }

    #[test]
    fn a_second_run_that_cannot_begin_leaves_no_shadow_collections() {
        let mut state = typical(120, 40);
        let refused = Err(WorkbenchError::Failed("stopped".into()));
        let effects = tell(&mut state, Message::Reply(Ask::Again { of: 1, first: 20, shadows: shadows() }, refused));
        let clear = CaptureCommand::Clear { collections: vec!["requests__shadow_1".into()] };
        assert!(commands(&effects).contains(&&Command::Captures(clear)), "{effects:?}");
        assert!(state.toast.as_ref().is_some_and(|toast| toast.text.contains("stopped")), "{:?}", state.toast);
    }
}
