use super::super::super::action::Do;
use super::super::super::message::Effect;
use super::super::super::state::{Part, Scroll, State, View};
use super::super::moves::distance;
use super::choose_collection;

/// Moves within the pane.
pub(in super::super) fn perform(state: &mut State, what: Do, effects: &mut Vec<Effect>) {
    let storage = &mut state.storage;
    if let Some(side) = &mut storage.side {
        let len = side.rows().len();
        let by = distance(what, &side.scroll).unwrap_or(0);
        return side.scroll.step(by, len);
    }
    let table = storage.view == View::Table;
    match (what, storage.part) {
        (Do::Left, Part::Documents) if table && storage.first_column > 0 => storage.first_column -= 1,
        (Do::Right, Part::Documents) if table => {
            storage.first_column = (storage.first_column + 1).min(storage.columns.len().saturating_sub(2));
        }
        (Do::Left, Part::Document) => storage.part = Part::Documents,
        (Do::Left, _) => storage.part = Part::Collections,
        (Do::Right, Part::Collections) => storage.part = Part::Documents,
        (Do::Right, _) => storage.part = Part::Document,
        (_, Part::Collections) => {
            let mut place = Scroll::default();
            place.at = storage.collections.iter().position(|c| Some(c) == storage.collection.as_ref()).unwrap_or_default();
            let by = distance(what, &place).unwrap_or(0);
            place.step(by, storage.collections.len());
            let chosen = storage.collections.get(place.at).cloned();
            if let Some(name) = chosen.filter(|name| Some(name) != storage.collection.as_ref()) {
                choose_collection(state, name, effects);
            }
        }
        (_, Part::Document) if !table => {
            let lines = storage.height();
            let by = distance(what, &storage.inside).unwrap_or(0);
            storage.inside.step(by, lines);
        }
        _ => {
            let by = distance(what, &storage.scroll).unwrap_or(0);
            storage.scroll.step(by, storage.documents.len());
            storage.inside = Scroll::default();
        }
    }
}
