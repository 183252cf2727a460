use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::text;
use super::super::theme::{Piece, Pieces, Theme, Tone};

/// A text of one tone.
pub(crate) fn line(theme: Theme, tone: Tone, text: &str) -> Line<'static> {
    Line::from(theme.span(&Piece::new(tone, text)))
}

/// Draws pieces in one row, leaving out `shift` columns at the left.
pub(crate) fn put(buffer: &mut Buffer, theme: Theme, area: Rect, pieces: &[Piece], shift: usize) {
    let room = usize::from(area.width);
    // Blanks at the end of a table's row are no text that is missing.
    let blank = |piece: &&Piece| piece.text.bytes().all(|b| b == b' ');
    let tail = pieces.iter().rposition(|p| !blank(&p)).map_or(0, |at| at + 1);
    let whole: usize = pieces.iter().take(tail).map(|p| text::width(&p.text)).sum();
    let trailing = pieces.iter().take(tail).next_back().map_or(0, |p| p.text.len() - p.text.trim_end_matches(' ').len());
    let whole = whole - trailing;
    let shown = if shift == 0 { pieces.to_vec() } else { skip(pieces, shift) };
    let mut spans = Vec::with_capacity(shown.len());
    let mut used = 0;
    let more = whole.saturating_sub(shift) > room;
    for piece in shown {
        let left = room.saturating_sub(used);
        if left == 0 {
            break;
        }
        let wide = text::width(&piece.text);
        // The ellipsis belongs to the piece that reaches the edge, even if it would just fit.
        let cut = if more && wide >= left {
            text::fit(&format!("{}  ", piece.text.trim_end_matches('…')), left)
        } else {
            piece.text.clone()
        };
        used += text::width(&cut);
        spans.push(Span::styled(cut, theme.style(piece.tone)));
    }
    buffer.set_line(area.x, area.y, &Line::from(spans), area.width);
}

fn skip(pieces: &[Piece], mut columns: usize) -> Pieces {
    let mut rest = Vec::new();
    for piece in pieces {
        let wide = text::width(&piece.text);
        if columns >= wide {
            columns -= wide;
        } else if columns > 0 {
            let tail = text::chop(&piece.text, columns).split_off(1).concat();
            rest.push(Piece { tone: piece.tone, text: tail });
            columns = 0;
        } else {
            rest.push(piece.clone());
        }
    }
    rest
}

/// Breaks pieces into rows of at most `columns`.
pub(crate) fn wrap(pieces: &[Piece], columns: usize) -> Vec<Pieces> {
    let columns = columns.max(2);
    let mut rows = vec![Vec::new()];
    let mut used = 0;
    for piece in pieces {
        let mut rest = piece.text.as_str();
        while !rest.is_empty() {
            if used >= columns {
                rows.push(Vec::new());
                used = 0;
            }
            let head = head(rest, columns - used, used > 0);
            rest = rest.get(head.len()..).unwrap_or_default();
            used += text::width(head);
            if let Some(row) = rows.last_mut().filter(|_| !head.is_empty()) {
                row.push(Piece { tone: piece.tone, text: head.into() });
            }
            if !rest.is_empty() {
                rows.push(Vec::new());
                used = 0;
            }
        }
    }
    rows
}

/// What of a text goes into so many columns, if possible up to a space; nothing, if it would do better on a `fresh` row.
fn head(text: &str, columns: usize, fresh: bool) -> &str {
    let Some(first) = text::chop(text, columns).into_iter().next().filter(|f| text::width(f) <= columns) else { return "" };
    let whole = text.get(..first.len()).unwrap_or(text);
    if whole.len() == text.len() {
        return text;
    }
    match whole.rfind(' ') {
        Some(space) if space > 0 => text.get(..=space).unwrap_or(whole),
        _ if fresh => "",
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn joined(rows: &[Pieces]) -> String {
        rows.iter().flatten().map(|p| p.text.as_str()).collect()
    }

    #[test]
    fn lines_break_at_spaces() {
        let rows = wrap(&[Piece::new(Tone::Plain, "one two three")], 8);
        let texts: Vec<String> = rows.iter().map(|r| r.iter().map(|p| p.text.as_str()).collect()).collect();
        assert_eq!(texts, ["one two ", "three"]);
        let rows = wrap(&[Piece::new(Tone::Plain, "INFO: "), Piece::new(Tone::Plain, "unbreakable")], 11);
        assert_eq!(rows.len(), 2, "a word goes to the next row whole");
    }

    proptest! {
        #[test]
        fn wrapping_loses_nothing_and_keeps_within_the_columns(texts in proptest::collection::vec("[a-z 漢é]{0,20}", 0..4), columns in 2_usize..20) {
            let pieces: Vec<_> = texts.iter().map(|t| Piece::new(Tone::Plain, t)).collect();
            let rows = wrap(&pieces, columns);
            prop_assert_eq!(joined(&rows), texts.concat());
            for row in &rows {
                prop_assert!(row.iter().map(|p| text::width(&p.text)).sum::<usize>() <= columns);
            }
        }
    }
}
