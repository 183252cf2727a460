use super::Scroll;
use crate::journal::LogRow;

/// The log strip: the newest lines.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    pub(crate) rows: Vec<LogRow>,
    pub(crate) scroll: Scroll,
    /// Whether it stays at the newest line.
    pub(crate) follow: bool,
    /// Whether it was read at all.
    pub(crate) loaded: bool,
}

impl Logs {
    pub(crate) fn load(&mut self, rows: Vec<LogRow>) {
        let selected = self.selected().map(|r| r.row);
        self.follow |= !self.loaded;
        self.rows = rows;
        self.loaded = true;
        let at = selected.and_then(|row| self.rows.iter().position(|r| r.row == row));
        self.scroll.at = match at {
            Some(at) if !self.follow => at,
            _ => self.rows.len().saturating_sub(1),
        };
    }

    pub(crate) fn step(&mut self, by: isize) {
        self.scroll.step(by, self.rows.len());
        self.follow = self.scroll.at + 1 >= self.rows.len();
    }

    pub(crate) fn selected(&self) -> Option<&LogRow> {
        self.rows.get(self.scroll.at)
    }
}
