use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::state::State;
use super::super::text::{self, pad};
use super::super::theme::{Piece, Tone};
use super::super::widgets::put;
use super::events;

/// How wide the pane must be to have the list, and how wide the list is then. At its narrowest, on a screen of 120 columns,
/// the trace beside it keeps its bars, and gives up room only where there is something to choose from.
const WIDTHS: [(u16, u16); 2] = [(130, 40), (118, 30)];

/// The requests with a saga at the left, the one delivered last first. What is left of the area is returned.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) -> Rect {
    let requests = &state.sagas.requests;
    let fits = WIDTHS.iter().find(|(least, _)| area.width >= *least);
    let Some(width) = fits.map(|(_, list)| *list) else { return area };
    let roomy = width == WIDTHS[0].1;
    if requests.len() < if roomy { 1 } else { 2 } {
        return area;
    }
    let list = Rect { width, ..area };
    let noun = match (roomy, requests.len()) {
        (false, _) => "",
        (true, 1) => " REQUEST",
        (true, _) => " REQUESTS",
    };
    let heading = pad(&format!("{}{noun} WITH A SAGA  {{ }}", requests.len()), usize::from(width) - 2);
    let heading = Piece::new(Tone::Dim, heading);
    put(frame.buffer_mut(), state.theme, Rect { height: 1, ..list }, &[heading], 0);
    let selected = state.trace.delivery.as_ref().map(|d| d.object_id.as_str());
    let at = requests.iter().position(|one| Some(one.last.object_id.as_str()) == selected).unwrap_or(0);
    let room = usize::from(list.height.saturating_sub(1));
    let first = at.saturating_sub(room.saturating_sub(1));
    for (y, request) in (list.y + 1..list.bottom()).zip(requests.iter().skip(first)) {
        let row = Rect::new(list.x, y, width - 2, 1);
        let (tone, result) = events::result(state, &request.last);
        let (tone, result) = match state.sagas.held(request.last.id) {
            Some(_) => (Tone::Warn, "‖ held".into()),
            None => (tone, result),
        };
        let pieces = [
            Piece::new(Tone::Plain, pad(&request.last.object_id, 21)),
            Piece::new(Tone::Dim, pad(&format!(" ×{}", request.deliveries), if roomy { 6 } else { 5 })),
            // Where it is narrow, the symbol alone.
            Piece::new(tone, text::fit(if roomy { &result } else { symbol(&result) }, 11)),
        ];
        put(frame.buffer_mut(), state.theme, row, &pieces, 0);
        if Some(request.last.object_id.as_str()) == selected {
            state.theme.select(frame.buffer_mut(), row, false);
        }
    }
    for y in list.y..list.bottom() {
        let edge = Rect::new(list.right() - 2, y, 1, 1);
        put(frame.buffer_mut(), state.theme, edge, &[Piece::new(Tone::Dim, "│")], 0);
    }
    Rect { x: area.x + width, width: area.width - width, ..area }
}

fn symbol(result: &str) -> &str {
    result.split(' ').next().unwrap_or_default()
}
