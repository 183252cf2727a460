use serde_json::Value;

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

/// The fields to be shown of a pair: what differs; of a document that one side alone has, all of it.
pub(crate) fn differing(row: &ComparedRow) -> Vec<(String, Option<&Value>, Option<&Value>)> {
    if row.left.is_some() && row.right.is_some() {
        return row.differences.iter().map(|d| (d.path.clone(), d.left.as_ref(), d.right.as_ref())).collect();
    }
    let one = row.left.as_ref().or(row.right.as_ref()).and_then(Value::as_object);
    one.into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), row.left.as_ref().map(|_| value), row.right.as_ref().map(|_| value)))
        .collect()
}
