use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::super::state::{Pane, Phase, State};
use super::super::text;
use super::super::theme::{Piece, Pieces, Tone};
use super::super::update;
use super::super::widgets::put;
use crate::observe::LinkState;
use crate::workbench::{STOPPED, Status};

/// The top line: what runs where, whether the link lives, and what waits. What matters least is left out first.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let mut parts = vec![(0, vec![Piece::new(Tone::Strong, " connect-console")])];
    match (&state.phase, &state.status) {
        (Phase::Failed(_), _) => parts.push((0, vec![Piece::new(Tone::Bad, "✗ not started")])),
        (_, Some(status)) => parts.extend(of_session(state, status)),
        (_, None) => parts.push((0, vec![Piece::new(Tone::Note, "starting …")])),
    }
    let room = usize::from(area.width);
    let wide = |parts: &[(u8, Pieces)]| -> usize {
        parts.iter().map(|(_, p)| p.iter().map(|p| text::width(&p.text)).sum::<usize>() + 2).sum()
    };
    while wide(&parts) > room + 2 {
        let Some(least) = parts.iter().map(|(rank, _)| *rank).max().filter(|rank| *rank > 0) else { break };
        parts.retain(|(rank, _)| *rank != least);
    }
    let mut line = Vec::new();
    for (_, pieces) in parts {
        if !line.is_empty() {
            line.push(Piece::new(Tone::Plain, "  "));
        }
        line.extend(pieces);
    }
    put(frame.buffer_mut(), state.theme, area, &line, 0);
}

/// A line of its own, whatever else is shown: nothing is captured any more.
pub(crate) fn banner(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let Some(why) = state.capture_stopped() else { return };
    let said = format!(" ✗ CAPTURE STOPPED: {why}. The runtime goes on; capture does too once the disk can be written.");
    let said = text::pad(&said, usize::from(area.width));
    put(frame.buffer_mut(), state.theme, area, &[Piece::new(Tone::Bad, said)], 0);
    frame.buffer_mut().set_style(area, state.theme.style(Tone::Bad).add_modifier(Modifier::REVERSED));
}

/// The parts with a session, each with a rank: the greatest goes first when there is no room.
fn of_session(state: &State, status: &Status) -> Vec<(u8, Pieces)> {
    let mut parts =
        vec![(2, vec![Piece::new(Tone::Note, &status.mode)]), (4, vec![Piece::new(Tone::Plain, &status.environment_id)])];
    parts.push((0, link(state, status)));
    parts.push((3, vec![Piece::new(Tone::Plain, format!("{} {}", status.extension, status.extension_version))]));
    if !status.extension_version.contains("(runner ") {
        parts.push((6, vec![Piece::new(Tone::Dim, concat!("runtime ", env!("CARGO_PKG_VERSION")))]));
    }
    let count = |n: usize, word: &str, tone: Tone| vec![Piece::new(if n > 0 { tone } else { Tone::Dim }, format!("{n} {word}"))];
    parts.push((1, count(status.running, "running", Tone::Note)));
    if status.held > 0 {
        parts.push((0, vec![Piece::new(Tone::Warn, format!("‖ {} held", status.held))]));
    }
    if status.armed > 0 {
        parts.push((1, vec![Piece::new(Tone::Warn, format!("◉ {} set", status.armed))]));
    }
    parts.push((5, count(status.unsent, "unsent", Tone::Warn)));
    parts.push((5, count(status.waiting, "waiting", Tone::Note)));
    if let Some(watch) = &state.watch {
        let (tone, how) = match watch.differences {
            None => (Tone::Note, String::new()),
            Some(0) => (Tone::Good, ": the same".into()),
            Some(n) => (Tone::Warn, format!(": {}", text::count(n, "difference"))),
        };
        parts.push((1, vec![Piece::new(tone, format!("◎ watching #{}{how}", watch.delivery))]));
    }
    let failures = state.events.new_failures();
    if failures > 0 {
        parts.push((0, vec![Piece::new(Tone::Bad, format!("✗ {}", text::count(failures, "failure")))]));
    }
    // What the banner says, where there is one, is not said twice.
    let said = super::super::layout::areas(state).banner.is_some();
    let troubles: Vec<&String> =
        state.trouble.iter().chain(status.troubles.iter().filter(|trouble| !(said && trouble.starts_with(STOPPED)))).collect();
    if let Some(first) = troubles.first() {
        let more = if troubles.len() > 1 { format!(" (+{})", troubles.len() - 1) } else { String::new() };
        // That nothing is recorded any more is never left out.
        let rank = u8::from(!first.starts_with(STOPPED));
        parts.push((rank, vec![Piece::new(Tone::Bad, format!("! {}{more}", text::fit(first, 50)))]));
    }
    parts
}

fn link(state: &State, status: &Status) -> Pieces {
    let (symbol, word, tone) = match status.link.state {
        LinkState::Connected => ("●", "connected", Tone::Good),
        LinkState::Connecting => ("○", "connecting", Tone::Note),
        LinkState::Waiting => ("!", "link lost, trying again", Tone::Warn),
        LinkState::Closed => ("✗", "closed", Tone::Bad),
    };
    let age = update::age(state);
    let tone = if status.link.state == LinkState::Connected && age.contains("min") { Tone::Warn } else { tone };
    let seen = if age.is_empty() { String::new() } else { format!(", alive {age}") };
    vec![Piece::new(tone, format!("{symbol} {word}")), Piece::new(Tone::Dim, seen)]
}

/// The names of the panes, where not all of them are shown.
pub(crate) fn tabs(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let mut pieces = Vec::new();
    for (pane, number) in Pane::ALL.into_iter().zip(1..) {
        let focused = pane == state.focus;
        let label = if focused { format!("[{number} {}]", pane.title()) } else { format!(" {number} {} ", pane.title()) };
        pieces.push(Piece::new(if focused { Tone::Key } else { Tone::Dim }, label));
    }
    // Where not all names fit, the one of the pane that is shown must.
    let at = Pane::ALL.iter().position(|p| *p == state.focus).unwrap_or_default();
    let upto = |from: usize| pieces.iter().take(at + 1).skip(from).map(|p| text::width(&p.text)).sum::<usize>();
    let from = (0..=at).find(|from| upto(*from) <= usize::from(area.width)).unwrap_or(at);
    pieces.drain(..from);
    if state.zoomed {
        pieces.push(Piece::new(Tone::Dim, "  z: all panes"));
    }
    put(frame.buffer_mut(), state.theme, area, &pieces, 0);
}
