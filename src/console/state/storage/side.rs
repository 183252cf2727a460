use super::super::Scroll;
use crate::workbench::{Compared, ComparedRow};

/// Both backends beside each other.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// What came; `None` while it is asked for.
    pub(crate) compared: Option<Compared>,
    pub(crate) error: Option<String>,
    pub(crate) scroll: Scroll,
}

impl Side {
    pub(crate) fn rows(&self) -> &[ComparedRow] {
        self.compared.as_ref().map_or(&[], |c| c.rows.as_slice())
    }

    pub(crate) fn selected(&self) -> Option<&ComparedRow> {
        self.rows().get(self.scroll.at)
    }
}
