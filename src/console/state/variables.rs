use super::super::{story, text};
use super::Scroll;
use crate::observe::{Secret, Timestamp};
use crate::workbench::VariableRow;

/// A secret in clear, for a few seconds.
#[derive(Debug)]
pub(crate) struct Revealed {
    pub(crate) name: String,
    pub(crate) value: Secret,
    pub(crate) until: Timestamp,
}

/// The environment's variables.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    /// All of them.
    pub(crate) all: Vec<VariableRow>,
    /// Those that are shown.
    pub(crate) rows: Vec<VariableRow>,
    /// The words that choose which.
    pub(crate) filter: String,
    pub(crate) scroll: Scroll,
    /// What the session last said about them: the runtime's acknowledgement, say.
    pub(crate) message: Option<String>,
    /// Why they could not be read or changed.
    pub(crate) error: Option<String>,
    pub(crate) loaded: bool,
    /// Whether an answer is on its way.
    pub(crate) busy: bool,
    pub(crate) revealed: Option<Revealed>,
    /// The edited set that could not be understood, to be edited again.
    pub(crate) draft: Option<Secret>,
    /// The variable to be selected when it is there.
    pub(crate) aim: Option<String>,
}

impl Variables {
    pub(crate) fn load(&mut self, rows: Vec<VariableRow>) {
        self.all = rows;
        self.loaded = true;
        self.narrow();
    }

    /// Shows those that fit the filter; what was selected stays so where it is among them.
    pub(crate) fn narrow(&mut self) {
        let selected = self.aim.take().or(self.selected().map(|v| v.name.clone()));
        let words = |v: &VariableRow| {
            let (_, stands, _) = story::shown(v);
            let secure = if v.secure { "secure" } else { "" };
            let staged = v.staged.as_ref().map(story::value_of).unwrap_or_default();
            format!("{} {} {staged} {stands} {secure}", v.name, story::value_of(&v.stored))
        };
        self.rows = self.all.iter().filter(|v| text::has_words(&words(v), &self.filter)).cloned().collect();
        let at = selected.and_then(|name| self.rows.iter().position(|v| v.name == name));
        self.scroll.at = at.unwrap_or(self.scroll.at);
        self.scroll.clamp(self.rows.len());
    }

    pub(crate) fn selected(&self) -> Option<&VariableRow> {
        self.rows.get(self.scroll.at)
    }

    pub(crate) fn staged(&self) -> impl Iterator<Item = &VariableRow> {
        self.all.iter().filter(|v| v.staged.is_some())
    }
}
