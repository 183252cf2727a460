//! What things look like. Everything that is drawn names a [`Tone`], what it means; only this module knows colours.
//!
//! The terminal's own foreground and background are left alone, so light and dark both work; which colours the tones have
//! says a [`Palette`]; a selection is reversed. Nothing is told by colour alone.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

use super::palette::Palette;
use super::text;

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tone {
    /// Ordinary text.
    #[default]
    Plain,
    /// Of little importance.
    Dim,
    /// A heading, a name that matters.
    Strong,
    /// It went well.
    Good,
    /// It failed.
    Bad,
    /// Look at it.
    Warn,
    /// Under way, or new.
    Note,
    /// A key to press, a name in JSON.
    Key,
    /// A key to press before anything else.
    Cap,
    /// A string or an id.
    Value,
}

/// A piece of text and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

impl Piece {
    pub(crate) fn new(tone: Tone, text: impl AsRef<str>) -> Self {
        Self { tone, text: text::clean(text.as_ref()).into_owned() }
    }
}

/// A line of pieces, not yet cut to any width.
pub(crate) type Pieces = Vec<Piece>;

/// How to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    /// Whether colours may be used (`NO_COLOR` is not set).
    pub(crate) colour: bool,
    /// Whether to do without borders and without characters beyond ASCII of our own.
    pub(crate) plain: bool,
    /// Which colours.
    pub(crate) palette: Palette,
}

impl Default for Theme {
    fn default() -> Self {
        Self { colour: true, plain: false, palette: Palette::SIXTEEN }
    }
}

impl Theme {
    pub(crate) fn style(self, tone: Tone) -> Style {
        let modifier = match tone {
            Tone::Dim => Modifier::DIM,
            Tone::Strong | Tone::Bad | Tone::Warn | Tone::Key => Modifier::BOLD,
            Tone::Cap => Modifier::BOLD.union(Modifier::REVERSED),
            Tone::Plain | Tone::Good | Tone::Note | Tone::Value => Modifier::empty(),
        };
        let colour = self.palette.of(tone);
        let style = Style::new().add_modifier(modifier);
        colour.filter(|_| self.colour).map_or(style, |colour| style.fg(colour))
    }

    /// Marks a selected row: loud in the focused pane, quiet elsewhere. What failed stays red.
    pub(crate) fn select(self, buffer: &mut Buffer, area: Rect, focused: bool) {
        for position in area.intersection(buffer.area).positions() {
            let Some(cell) = buffer.cell_mut(position) else { continue };
            if !focused {
                cell.modifier.insert(Modifier::UNDERLINED);
                continue;
            }
            if Some(cell.fg) != self.palette.of(Tone::Bad) {
                cell.fg = Color::Reset;
            }
            cell.modifier.remove(Modifier::DIM);
            cell.modifier.insert(Modifier::REVERSED);
        }
    }

    pub(crate) fn span(self, piece: &Piece) -> Span<'static> {
        Span::styled(piece.text.clone(), self.style(piece.tone))
    }

    /// The last touch of a frame in plain mode: our own symbols become ASCII, text of the payload stays as it is.
    pub(crate) fn finish(self, buffer: &mut Buffer) {
        if !self.plain {
            return;
        }
        for cell in &mut buffer.content {
            if let Some(ascii) = ascii(cell.symbol()) {
                cell.set_symbol(ascii);
            }
        }
    }
}

fn ascii(symbol: &str) -> Option<&'static str> {
    Some(match symbol {
        "✓" => "+",
        "✗" => "x",
        "●" | "•" => "*",
        "○" => "o",
        "→" | "▸" | "»" => ">",
        "←" | "↶" => "<",
        "↻" => "@",
        "↑" => "^",
        "↓" | "▾" => "v",
        "·" => ".",
        "…" => "~",
        "≠" => "!",
        "µ" => "u",
        "‖" => "=",
        "◉" | "◎" => "0",
        "✱" => "!",
        "◆" => "#",
        "×" => "x",
        "—" => "-",
        "⏎" => "$",
        "│" | "┃" => "|",
        "─" | "━" => "-",
        "└" | "├" | "╰" | "╭" | "┌" | "┐" | "┘" | "╮" | "╯" => "+",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_emphasis_remains() {
        let theme = Theme { colour: false, ..Theme::default() };
        assert_eq!(theme.style(Tone::Bad).fg, None);
        assert!(theme.style(Tone::Bad).add_modifier.contains(Modifier::BOLD));
        let mut buffer = Buffer::with_lines(["row"]);
        theme.select(&mut buffer, Rect::new(0, 0, 9, 1), true);
        assert!(buffer.content.iter().all(|cell| cell.modifier.contains(Modifier::REVERSED)));
    }

    #[test]
    fn no_tone_paints_the_background_or_relies_on_black_or_white() {
        let theme = Theme::default();
        for tone in [Tone::Plain, Tone::Dim, Tone::Strong, Tone::Good, Tone::Bad, Tone::Warn, Tone::Note, Tone::Key, Tone::Value]
        {
            let style = theme.style(tone);
            assert_eq!(style.bg, None);
            assert!(!matches!(style.fg, Some(Color::White | Color::Black | Color::Gray)));
        }
    }
}
