use super::Scroll;
use crate::journal::{LogFilter, LogRow};
use crate::observe::Level;

/// The log strip: the newest lines.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    pub(crate) rows: Vec<LogRow>,
    pub(crate) scroll: Scroll,
    /// Whether it stays at the newest line.
    pub(crate) follow: bool,
    /// Whether it was read at all.
    pub(crate) loaded: bool,
    /// Which lines are shown.
    pub(crate) filter: LogFilter,
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

    /// The next level after this one: all, info, warning, error.
    pub(crate) fn next_level(&self) -> Option<Level> {
        match self.filter.level {
            None | Some(Level::Debug) => Some(Level::Info),
            Some(Level::Info) => Some(Level::Warning),
            Some(Level::Warning) => Some(Level::Error),
            Some(_) => None,
        }
    }

    /// What is shown, in words; empty where that is everything.
    pub(crate) fn about(&self) -> String {
        let level = self.filter.level.map(|level| format!("{level} and worse"));
        let delivery = self.filter.delivery.map(|id| format!("delivery #{id}"));
        let text = self.filter.text.as_ref().filter(|text| !text.is_empty()).map(|text| format!("'{text}'"));
        [level, delivery, text].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn selected(&self) -> Option<&LogRow> {
        self.rows.get(self.scroll.at)
    }
}
