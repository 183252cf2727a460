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

/// A part of the top line: how much it matters (0 is never left out), and what it says.
type Part = (u8, Pieces);

/// The top line: what runs where, whether the link lives, and what waits. What matters least is left out first.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let mut parts = vec![(8, vec![Piece::new(Tone::Strong, "connect-console")])];
    match (&state.phase, &state.status) {
        (Phase::Failed(_), _) => parts.push((0, vec![Piece::new(Tone::Bad, "✗ not started")])),
        (_, Some(status)) => parts.extend(of_session(state, status)),
        (_, None) => parts.push((0, vec![Piece::new(Tone::Note, "starting …")])),
    }
    let mut line = Vec::new();
    for pieces in fitting(parts, usize::from(area.width)) {
        line.push(Piece::new(Tone::Plain, if line.is_empty() { " " } else { "  " }));
        line.extend(pieces);
    }
    put(frame.buffer_mut(), state.theme, area, &line, 0);
}

/// A line of its own, whatever else is shown: nothing is captured any more.
pub(crate) fn banner(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let Some(why) = state.capture_stopped() else { return };
    let said = format!(" ✗ CAPTURE STOPPED, {why}. The runtime goes on; capture does too once the disk can be written.");
    let said = text::pad(&said, usize::from(area.width));
    put(frame.buffer_mut(), state.theme, area, &[Piece::new(Tone::Bad, said)], 0);
    frame.buffer_mut().set_style(area, state.theme.style(Tone::Bad).add_modifier(Modifier::REVERSED));
}

/// The parts there is room for, those that matter most first taken.
fn fitting(parts: Vec<Part>, room: usize) -> Vec<Pieces> {
    let wide = |(_, pieces): &Part| pieces.iter().map(|p| text::width(&p.text)).sum::<usize>() + 2;
    let mut ranks: Vec<u8> = parts.iter().map(|(rank, _)| *rank).collect();
    ranks.sort_unstable();
    ranks.dedup();
    let mut left = room + 1;
    let mut kept = vec![false; parts.len()];
    for rank in ranks {
        for (part, kept) in parts.iter().zip(&mut kept).filter(|(part, _)| part.0 == rank) {
            *kept = rank == 0 || wide(part) <= left;
            left = left.saturating_sub(if *kept { wide(part) } else { 0 });
        }
    }
    parts.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|((_, pieces), _)| pieces).collect()
}

/// The parts with a session.
fn of_session(state: &State, status: &Status) -> Vec<Part> {
    let mut parts = vec![(2, vec![Piece::new(Tone::Note, &status.mode)])];
    parts.push((3, vec![Piece::new(Tone::Plain, &status.environment_id)]));
    parts.extend(status.environment_status.as_deref().map(|stands| (4, environment(stands))));
    parts.push((0, link(state, status)));
    parts.push((5, vec![Piece::new(Tone::Plain, format!("{} {}", status.extension, status.extension_version))]));
    if !status.extension_version.contains("(runner ") {
        parts.push((7, vec![Piece::new(Tone::Dim, concat!("runtime ", env!("CARGO_PKG_VERSION")))]));
    }
    let count = |n: usize, word: &str, tone: Tone| vec![Piece::new(if n > 0 { tone } else { Tone::Dim }, format!("{n} {word}"))];
    parts.push((1, count(status.running, "running", Tone::Note)));
    // What nobody has taken yet is no delivery, so the stream does not have it.
    let queued = status.pending.saturating_sub(status.running);
    if queued > 0 && status.link.state != LinkState::Connected {
        parts.push((1, vec![Piece::new(Tone::Warn, format!("‖ {queued} without a runner"))]));
    }
    if status.held > 0 {
        parts.push((0, vec![Piece::new(Tone::Warn, format!("‖ {} held", status.held))]));
    }
    if status.holding {
        parts.push((0, vec![Piece::new(Tone::Warn, "‖ deliveries held")]));
    }
    if status.armed > 0 {
        parts.push((1, vec![Piece::new(Tone::Warn, format!("◉ {} set", status.armed))]));
    }
    if status.unsent > 0 {
        parts.push((1, count(status.unsent, "unsent", Tone::Warn)));
    }
    // What waits in a real Connect is not known here.
    if status.mode != "remote" {
        parts.push((if status.waiting > 0 { 3 } else { 6 }, count(status.waiting, "waiting", Tone::Note)));
    }
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
    if let Some(first) = status.notes.first() {
        let more = if status.notes.len() > 1 { format!(" (+{})", status.notes.len() - 1) } else { String::new() };
        parts.push((8, vec![Piece::new(Tone::Warn, format!("{first}{more}"))]));
    }
    // What the banner says, where there is one, is not said twice.
    let said = super::super::layout::areas(state).banner.is_some();
    let troubles: Vec<&String> =
        state.trouble.iter().chain(status.troubles.iter().filter(|trouble| !(said && trouble.starts_with(STOPPED)))).collect();
    if let Some(first) = troubles.first() {
        let more = if troubles.len() > 1 { format!(" (+{})", troubles.len() - 1) } else { String::new() };
        // That nothing is recorded any more is never left out.
        let rank = u8::from(!first.starts_with(STOPPED));
        let most = usize::from(state.size.0 / 3).min(50);
        parts.push((rank, vec![Piece::new(Tone::Bad, format!("! {}{more}", text::fit(first, most)))]));
    }
    parts
}

/// How the environment stands, in Connect's word.
fn environment(stands: &str) -> Pieces {
    let tone = match stands {
        "connected" | "running" => Tone::Good,
        "disconnected" | "stopped" | "uninitialized" => Tone::Warn,
        "errored" => Tone::Bad,
        _ => Tone::Note,
    };
    vec![Piece::new(tone, stands)]
}

/// Whether the runtime's line to Connect stands, and when the other side was last heard of.
fn link(state: &State, status: &Status) -> Pieces {
    let (symbol, word, tone) = match status.link.state {
        LinkState::Connected => ("●", "link", Tone::Good),
        LinkState::Connecting => ("○", "link connecting", Tone::Note),
        LinkState::Waiting => ("!", "link lost, trying again", Tone::Warn),
        LinkState::Closed => ("✗", "link closed", Tone::Bad),
    };
    let connected = status.link.state == LinkState::Connected;
    let age = update::age(state);
    let tone = if connected && age.contains("min") { Tone::Warn } else { tone };
    let seen = match (age.is_empty(), connected) {
        (true, true) => " up".to_owned(),
        (true, false) => String::new(),
        (false, true) => format!(" alive {age}"),
        (false, false) => format!(", alive {age}"),
    };
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
    let hint = "  z: all panes";
    let used: usize = pieces.iter().map(|p| text::width(&p.text)).sum();
    if state.zoomed && used + text::width(hint) <= usize::from(area.width) {
        pieces.push(Piece::new(Tone::Dim, hint));
    }
    put(frame.buffer_mut(), state.theme, area, &pieces, 0);
}
