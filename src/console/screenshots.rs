//! The pictures of the README: the same drawing as on the terminal, as SVG. `UPDATE_SCREENSHOTS=1 cargo test --lib
//! screenshots` makes them anew; without it the test says which is out of date.

use std::fmt::Write;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::action::Do;
use super::fixture::typical;
use super::palette::Palette;
use super::panes::draw;
use super::state::{Pane, State};
use super::update::perform;

/// Columns and rows of a cell in the picture's units.
const WIDE: f64 = 8.4;
const HIGH: f64 = 17.0;
const BEHIND: &str = "#16181d";
const INK: &str = "#d5d8df";

fn hex(colour: Color, otherwise: &str) -> String {
    match colour {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        _ => otherwise.into(),
    }
}

/// The attributes of a piece of text, and whether it has a background of its own.
fn style(cell: &Cell) -> (String, String, Option<String>) {
    let has = |modifier| cell.modifier.contains(modifier);
    let ink = hex(cell.fg, INK);
    let (ink, behind) = if has(Modifier::REVERSED) { (BEHIND.to_owned(), Some(ink)) } else { (ink, None) };
    let mut more = String::new();
    if has(Modifier::BOLD) {
        more.push_str(" font-weight=\"bold\"");
    }
    if has(Modifier::DIM) {
        more.push_str(" opacity=\"0.6\"");
    }
    if has(Modifier::UNDERLINED) {
        more.push_str(" text-decoration=\"underline\"");
    }
    (ink, more, behind)
}

fn svg(buffer: &Buffer) -> String {
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    let (width, height) = (f64::from(columns) * WIDE + 16.0, f64::from(rows) * HIGH + 16.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{BEHIND}\"/>\n"
    );
    for y in 0..rows {
        let mut x = 0;
        while x < columns {
            let begin = x;
            let look = style(&buffer[(x, y)]);
            let mut text = String::new();
            while x < columns && style(&buffer[(x, y)]) == look {
                text.push_str(buffer[(x, y)].symbol());
                x += 1;
            }
            let (ink, more, behind) = look;
            let (left, top) = (8.0 + f64::from(begin) * WIDE, 8.0 + f64::from(y) * HIGH);
            let long = f64::from(x - begin) * WIDE;
            if let Some(behind) = behind {
                let _ = writeln!(
                    out,
                    "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{long:.1}\" height=\"{HIGH}\" fill=\"{behind}\"/>"
                );
            }
            if !text.trim().is_empty() {
                let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                let _ = writeln!(
                    out,
                    "<text x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{long:.1}\" xml:space=\"preserve\" fill=\"{ink}\"{more}>{text}</text>",
                    top + 13.0
                );
            }
        }
    }
    out.push_str("</svg>\n");
    out
}

fn drawn(mut state: State) -> String {
    state.theme.palette = Palette::DARK;
    let mut terminal = Terminal::new(TestBackend::new(state.size.0, state.size.1)).unwrap();
    terminal.draw(|frame| draw(frame, &state)).unwrap();
    svg(terminal.backend().buffer())
}

fn after(columns: u16, rows: u16, pane: Pane, zoomed: bool, what: Option<Do>) -> State {
    let mut state = typical(columns, rows);
    state.focus_on(pane);
    state.zoomed = zoomed;
    if let Some(what) = what {
        perform(&mut state, what, &mut Vec::new());
    }
    state
}

#[test]
fn the_screenshots_are_those_of_today() {
    let pictures = [
        ("dashboard", after(130, 38, Pane::Events, false, None)),
        ("trace", after(110, 30, Pane::Trace, true, None)),
        ("apply", after(110, 30, Pane::Variables, false, Some(Do::Apply))),
        ("palette", after(110, 30, Pane::Events, false, Some(Do::Palette))),
    ];
    let mut stale = Vec::new();
    for (name, state) in pictures {
        let path = format!("{}/assets/screenshots/{name}.svg", env!("CARGO_MANIFEST_DIR"));
        let picture = drawn(state);
        if std::env::var_os("UPDATE_SCREENSHOTS").is_some() {
            std::fs::write(&path, picture).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != picture {
            stale.push(name);
        }
    }
    assert!(stale.is_empty(), "out of date: {stale:?}; UPDATE_SCREENSHOTS=1 cargo test --lib screenshots");
}
