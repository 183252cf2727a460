use super::super::state::State;
use super::super::theme::{Piece, Pieces, Tone};
use crate::workbench::{VariableRow, VariableState};

/// A value as it may be shown: a secret is stars, always the same number.
pub(crate) fn value_of(state: &VariableState) -> String {
    match state {
        VariableState::Absent => String::new(),
        VariableState::Secret(_) => "********".into(),
        VariableState::Value(value) => value.clone(),
    }
}

/// How a variable stands: its symbol, in words, and their tone.
pub(crate) fn shown(variable: &VariableRow) -> (&'static str, &'static str, Tone) {
    use VariableState::Absent;
    match (&variable.staged, &variable.stored, &variable.live) {
        (Some(Absent), ..) => ("-", "staged: unset", Tone::Warn),
        (Some(_), Absent, _) => ("+", "staged: new", Tone::Warn),
        (Some(_), ..) => ("~", "staged", Tone::Warn),
        (None, Absent, Absent) if variable.declared => ("✗", "not set", Tone::Bad),
        (None, Absent, Absent) => ("○", "not set", Tone::Dim),
        (None, stored, live) if stored == live && !variable.declared => ("●", "live, undeclared", Tone::Dim),
        (None, stored, live) if stored == live => ("●", "live", Tone::Good),
        (None, Absent, _) => ("!", "deleted, still live", Tone::Warn),
        (None, ..) => ("!", "stored, not live", Tone::Warn),
    }
}

/// What applying would do, a line a variable.
pub(crate) fn diff(rows: &[VariableRow]) -> Vec<Pieces> {
    let mut lines: Vec<Pieces> = rows.iter().filter_map(change).collect();
    lines.push(Vec::new());
    lines.push(vec![Piece::new(Tone::Dim, "They are stored in Connect and pushed to the runtime; the next delivery uses them.")]);
    lines
}

fn change(variable: &VariableRow) -> Option<Pieces> {
    let staged = variable.staged.as_ref()?;
    let name = Piece::new(Tone::Strong, &variable.name);
    let secret = if variable.secure { " (secure)" } else { "" };
    Some(match (&variable.stored, staged) {
        (_, VariableState::Absent) => vec![Piece::new(Tone::Bad, "- "), name],
        (VariableState::Absent, new) => {
            vec![Piece::new(Tone::Good, "+ "), name, Piece::new(Tone::Plain, format!(" = {}{secret}", value_of(new)))]
        }
        (old, new) => vec![
            Piece::new(Tone::Warn, "~ "),
            name,
            Piece::new(Tone::Dim, format!(": {}", value_of(old))),
            Piece::new(Tone::Plain, format!(" → {}{secret}", value_of(new))),
        ],
    })
}

/// The value of the selected variable, unless it is a secret.
pub(crate) fn copied_value(state: &State) -> Option<String> {
    let variable = state.variables.selected()?;
    match variable.staged.as_ref().unwrap_or(&variable.stored) {
        VariableState::Value(value) => Some(value.clone()),
        _ => None,
    }
}
