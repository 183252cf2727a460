use std::collections::BTreeSet;

use super::super::theme::Pieces;

/// Which parts of an indented text are folded away: a line that opens a bracket can hide what is inside it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Folds {
    folded: BTreeSet<usize>,
}

fn text(line: &Pieces) -> String {
    line.iter().map(|piece| piece.text.as_str()).collect()
}

fn depth(line: &Pieces) -> usize {
    let text = text(line);
    text.len() - text.trim_start_matches(' ').len()
}

fn opens(line: &Pieces) -> bool {
    matches!(text(line).trim_end().chars().last(), Some('{' | '['))
}

impl Folds {
    /// The lines that are seen, by their places.
    pub(crate) fn seen(&self, lines: &[Pieces]) -> Vec<usize> {
        let mut seen = Vec::new();
        let mut hidden: Option<usize> = None;
        for (at, line) in lines.iter().enumerate() {
            match hidden {
                // The line that closes what is folded goes with it.
                Some(outer) if depth(line) > outer => continue,
                Some(outer) if depth(line) == outer && !text(line).trim().is_empty() => {
                    hidden = None;
                    if matches!(text(line).trim_start().chars().next(), Some('}' | ']')) {
                        continue;
                    }
                }
                _ => {}
            }
            seen.push(at);
            if self.folded.contains(&at) {
                hidden = Some(depth(line));
            }
        }
        seen
    }

    /// Folds or unfolds what a line opens, or what it lies in.
    pub(crate) fn toggle(&mut self, lines: &[Pieces], at: usize) -> usize {
        let own = lines.get(at).is_some_and(opens).then_some(at);
        let here = lines.get(at).map(depth).unwrap_or_default();
        let outer = || (0..at).rev().find(|above| lines.get(*above).is_some_and(|line| opens(line) && depth(line) < here));
        let Some(line) = own.or_else(outer) else { return at };
        if !self.folded.remove(&line) {
            self.folded.insert(line);
        }
        line
    }

    /// Folds everything but the outermost, or unfolds all.
    pub(crate) fn all(&mut self, lines: &[Pieces]) {
        if self.folded.is_empty() {
            let inner = |(at, line): (usize, &Pieces)| (opens(line) && depth(line) > 0).then_some(at);
            self.folded = lines.iter().enumerate().filter_map(inner).collect();
        } else {
            self.folded.clear();
        }
    }

    /// Whether what a line opens is folded.
    pub(crate) fn is_folded(&self, at: usize) -> bool {
        self.folded.contains(&at)
    }

    /// Makes a line seen.
    pub(crate) fn show(&mut self, lines: &[Pieces], at: usize) {
        while !self.seen(lines).contains(&at) {
            let here = lines.get(at).map(depth).unwrap_or_default();
            let hiding = self.folded.iter().rev().copied().find(|above| *above < at && lines.get(*above).map(depth) < Some(here));
            match hiding {
                Some(line) => self.folded.remove(&line),
                None => return,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::json;
    use super::*;

    #[test]
    fn what_is_folded_is_hidden_and_shown_again() {
        let lines = json::lines(&serde_json::json!({"a": {"b": [1, 2]}, "c": 3}));
        let mut folds = Folds::default();
        assert_eq!(folds.seen(&lines).len(), lines.len());
        assert_eq!(folds.toggle(&lines, 3), 2, "a line inside folds what it lies in");
        let shown: Vec<String> = folds.seen(&lines).into_iter().map(|at| text(&lines[at]).trim().to_owned()).collect();
        assert_eq!(shown, ["{", "\"a\": {", "\"b\": [", "},", "\"c\": 3", "}"]);
        folds.show(&lines, 3);
        assert_eq!(folds.seen(&lines).len(), lines.len());
        folds.all(&lines);
        assert_eq!(folds.seen(&lines).len(), 4);
        folds.all(&lines);
        assert_eq!(folds.seen(&lines).len(), lines.len());
    }
}
