use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::reader::STRETCH;
use super::super::state::{Pane, State};
use super::super::story;
use super::super::text::{self, pad, pad_left};
use super::super::theme::{Piece, Pieces, Tone};
use super::super::widgets::{line, put};
use super::{due, filter_line, framed, notice, without_session};
use crate::journal::{DeliveryRow, DeliveryState};

/// How wide the pane must be for the gauge of the journal.
const WIDE: u16 = 72;

/// How wide the columns are; 0 for one that is left out.
struct Columns {
    id: usize,
    time: usize,
    event_type: usize,
    object: usize,
    status: usize,
    result: usize,
    took: usize,
    note: usize,
    reason: usize,
}

impl Columns {
    /// Gives room to the columns in the order in which they are missed.
    fn of(room: usize) -> Self {
        let mut columns = Self { id: 0, time: 8, event_type: 14, object: 0, status: 0, result: 14, took: 0, note: 0, reason: 0 };
        let mut left = room.saturating_sub(8 + 14 + 14 + 3);
        let mut take = |wide: usize| {
            let given = if left > wide { wide } else { 0 };
            left -= if given > 0 { given + 1 } else { 0 };
            given
        };
        columns.note = take(9);
        columns.object = take(21);
        columns.took = take(8);
        columns.id = take(6);
        columns.status = take(10);
        columns.event_type += left.min(25);
        left -= left.min(25);
        columns.note += left.min(4);
        left -= left.min(4);
        columns.reason = if left > 12 { left - 1 } else { 0 };
        columns
    }
}

/// The event stream, newest last.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let events = &state.events;
    let filtered = events.filter() != crate::journal::DeliveryFilter::default();
    let about = if filtered && events.loaded {
        let slow = if events.usage.is_some_and(|usage| usage.is_indexing()) { " while texts are indexed" } else { "" };
        let more = events.searched.map(|back| format!(", looking back from #{back}{slow} …")).unwrap_or_default();
        let many = if events.rows.len() >= STRETCH { "+" } else { "" };
        format!("{}{many} fit{more}", events.rows.len())
    } else if events.loaded {
        text::count(events.total, "delivery")
    } else {
        String::new()
    };
    // How full the journal is, where there is room for it; the panel of the tasks tells it in words.
    let about = match events.usage.as_ref().filter(|_| area.width >= WIDE) {
        Some(usage) => format!("{about}  {}", story::gauge(usage, state.theme.plain)),
        None => about,
    };
    let right = match (events.unseen(), events.paused) {
        (0, false) if events.rows.is_empty() => String::new(),
        (0, false) => " ↓ following ".into(),
        (0, true) => " not following ".into(),
        (n, _) => format!(" ↓ {n} new: G "),
    };
    let tone = if events.unseen() > 0 { Tone::Warn } else { Tone::Dim };
    let inner = framed(frame, state, Pane::Events, area, &about, line(state.theme, tone, &right));
    if without_session(frame, state, inner) {
        return;
    }
    let inner = filter_line(frame, state, Pane::Events, inner, &events.filter);
    let inner = unreadable(frame, state, inner);
    if events.rows.is_empty() {
        return empty(frame, state, inner);
    }
    let columns = Columns::of(usize::from(inner.width));
    let mut list = inner;
    if list.height > 3 {
        put(frame.buffer_mut(), state.theme, Rect { height: 1, ..list }, &heading(&columns), 0);
        list = Rect { y: list.y + 1, height: list.height - 1, ..list };
    }
    // The gap that has not ended yet comes behind the last row, and is what matters most.
    let behind = |at: usize| if at + 1 == events.rows.len() { events.gaps_before(at + 1).count() } else { 0 };
    let high = |at: usize| 1 + events.gaps_before(at).count() + behind(at);
    let first = events.scroll.begin(events.rows.len(), usize::from(list.height), high);
    let mut y = list.y;
    for (delivery, place) in events.rows.iter().skip(first).zip(first..) {
        y = gaps(frame, state, Rect { y, height: list.bottom().saturating_sub(y), ..list }, place);
        if y >= list.bottom() {
            return;
        }
        let row = Rect::new(list.x, y, list.width, 1);
        y += 1;
        put(frame.buffer_mut(), state.theme, row, &cells(state, delivery, &columns), 0);
        if place == events.scroll.at {
            state.theme.select(frame.buffer_mut(), row, state.focus == Pane::Events);
        }
    }
    gaps(frame, state, Rect { y, height: list.bottom().saturating_sub(y), ..list }, events.rows.len());
}

/// Rows for the times without a link before a delivery; where the next row is.
fn gaps(frame: &mut Frame<'_>, state: &State, area: Rect, place: usize) -> u16 {
    let mut y = area.y;
    for gap in state.events.gaps_before(place) {
        if y >= area.bottom() {
            break;
        }
        let long = gap.until.map_or_else(
            || "until now".to_owned(),
            |until| format!("for {}", text::duration(u64::try_from(until.0 - gap.from.0).unwrap_or_default())),
        );
        let time = text::time(gap.from, &state.zone, "%T");
        let said = format!("── {time} no link to Connect {long}: {} ──", gap.why);
        put(frame.buffer_mut(), state.theme, Rect { y, height: 1, ..area }, &[Piece::new(Tone::Warn, said)], 0);
        y += 1;
    }
    y
}

/// What is wrong with the filter, below the place it is about.
fn unreadable(frame: &mut Frame<'_>, state: &State, area: Rect) -> Rect {
    let Some(error) = state.events.unreadable.as_ref().filter(|_| area.height > 1) else { return area };
    // The line above begins with a sign or a word of its own.
    let begin = if state.typing.is_some() { 1 } else { 7 };
    let pieces = [Piece::new(Tone::Bad, format!("{}^ {}", " ".repeat(begin + error.at), error.message))];
    put(frame.buffer_mut(), state.theme, Rect { height: 1, ..area }, &pieces, 0);
    Rect { y: area.y + 1, height: area.height - 1, ..area }
}

fn empty(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let dim = |text: &str| Piece::new(Tone::Dim, text);
    if !state.events.loaded {
        notice(frame, state, area, &[vec![dim("reading the journal …")]]);
    } else if !state.events.filter.is_empty() {
        match state.events.searched {
            Some(back) => notice(frame, state, area, &[vec![dim(&format!("looking further back than #{back} …"))]]),
            None => {
                let more = vec![dim("body~text looks into payloads, logs and documents; Esc drops the filter")];
                notice(frame, state, area, &[vec![dim("no delivery fits the filter")], more]);
            }
        }
    } else {
        notice(
            frame,
            state,
            area,
            &[
                vec![Piece::new(Tone::Strong, "Nothing has been delivered yet.")],
                Vec::new(),
                vec![
                    Piece::new(Tone::Plain, "Press "),
                    Piece::new(Tone::Cap, " t "),
                    Piece::new(Tone::Strong, " to create a Test Subscription"),
                    Piece::new(Tone::Plain, " and see it delivered"),
                ],
                Vec::new(),
                vec![Piece::new(Tone::Key, "T"), dim(" another event type   "), Piece::new(Tone::Key, "?"), dim(" all keys")],
            ],
        );
    }
}

fn heading(columns: &Columns) -> Pieces {
    let cells = [
        (columns.id, "#"),
        (columns.time, "TIME"),
        (columns.event_type, "EVENT TYPE"),
        (columns.object, "OBJECT"),
        (columns.status, "STATUS"),
        (columns.result, "RESULT"),
        (columns.took, "    TOOK"),
        (columns.note, "ATTEMPT"),
        (columns.reason, "REASON"),
    ];
    let shown = cells.into_iter().filter(|(wide, _)| *wide > 0);
    shown.map(|(wide, name)| Piece::new(Tone::Dim, format!("{} ", pad(name, wide)))).collect()
}

fn cells(state: &State, delivery: &DeliveryRow, columns: &Columns) -> Pieces {
    let (tone, result) = result(state, delivery);
    let took = delivery.micros.map(text::duration).unwrap_or_default();
    let (note_tone, note) = match state.sagas.mark {
        Some(marked) if marked == delivery.id => (Tone::Key, "◆ marked".into()),
        _ => watched(state, delivery).unwrap_or_else(|| note(delivery)),
    };
    let cells = [
        (columns.id, Tone::Dim, pad(&format!("#{}", delivery.id), columns.id)),
        (columns.time, Tone::Dim, text::time(delivery.arrived_at, &state.zone, "%T")),
        (columns.event_type, Tone::Strong, pad(&text::event_type(&delivery.event_type, columns.event_type), columns.event_type)),
        (columns.object, Tone::Plain, pad(&delivery.object_id, columns.object)),
        (columns.status, Tone::Plain, pad(delivery.object_status.as_deref().unwrap_or_default(), columns.status)),
        (columns.result, tone, pad(&result, columns.result)),
        (columns.took, Tone::Dim, pad_left(&took, columns.took)),
        (columns.note, note_tone, pad(&note, columns.note)),
        (columns.reason, Tone::Dim, text::fit(delivery.reason().unwrap_or_default(), columns.reason)),
    ];
    let shown = cells.into_iter().filter(|(wide, ..)| *wide > 0);
    shown.map(|(_, tone, text)| Piece::new(tone, format!("{text} "))).collect()
}

/// How the delivery that is watched did with the sources as they are.
fn watched(state: &State, delivery: &DeliveryRow) -> Option<(Tone, String)> {
    let watch = state.watch.as_ref().filter(|watch| watch.delivery == delivery.id)?;
    Some(match watch.differences {
        None => (Tone::Key, "◎ watched".into()),
        Some(0) => (Tone::Good, "◎ the same".into()),
        Some(n) => (Tone::Warn, format!("◎ {n} differ")),
    })
}

/// Which attempt it is, what it replays, and its marks.
fn note(delivery: &DeliveryRow) -> (Tone, String) {
    let mut note = match delivery.replay_of {
        Some(of) => format!("↻ of #{of}"),
        None if delivery.attempt > 1 => format!("try {}", delivery.attempt),
        None => String::new(),
    };
    let sign = |mark: &String| match mark.as_str() {
        "edited" => "e",
        "variables" => "v",
        "hermetic" => "h",
        "shadow" => "s",
        "fault" => "!",
        "imported" => "i",
        _ => "?",
    };
    let injected = (delivery.injected > 0).then_some("✱injected");
    let marks: String =
        injected.into_iter().chain(delivery.marks.iter().map(sign)).chain(delivery.pinned.then_some("*")).collect();
    if !marks.is_empty() {
        note = format!("{marks} {note}").trim_end().to_owned();
    }
    let tone = match delivery.injected > 0 || delivery.marks.iter().any(|mark| mark == "fault") {
        true => Tone::Warn,
        false if delivery.replay_of.is_some() || !marks.is_empty() => Tone::Note,
        false => Tone::Plain,
    };
    (tone, note)
}

/// How a delivery stands, in a symbol and a word.
pub(super) fn result(state: &State, delivery: &DeliveryRow) -> (Tone, String) {
    match (delivery.state, delivery.result.as_deref()) {
        (DeliveryState::Running, _) if state.sagas.held(delivery.id).is_some() => (Tone::Warn, "‖ held".into()),
        (DeliveryState::Interrupted, _) => (Tone::Warn, "‖ interrupted".into()),
        (DeliveryState::NoRunner, _) => (Tone::Warn, "‖ no runner".into()),
        (DeliveryState::Running, _) | (_, None) => (Tone::Note, "● running".into()),
        (_, Some(result)) => {
            let (symbol, tone) = story::outcome(result);
            let left = due(state, delivery).map(|at| text::seconds_between(state.now, at)).filter(|left| *left > 0);
            let word = if result == "reschedule" && left.is_some() { "again" } else { result };
            let text = left.map_or_else(|| format!("{symbol} {word}"), |left| format!("{symbol} {word} {left} s"));
            (tone, text)
        }
    }
}
