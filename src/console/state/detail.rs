use super::{Folds, Pager};

/// Everything about one delivery, in tabs.
#[derive(Debug)]
pub(crate) struct Detail {
    /// Name and content.
    pub(crate) tabs: Vec<(&'static str, Pager, Folds)>,
    /// Which is shown.
    pub(crate) at: usize,
}

impl Detail {
    /// The tab that is shown.
    pub(crate) fn shown(&mut self) -> Option<(&mut Pager, &mut Folds)> {
        self.tabs.get_mut(self.at).map(|(_, pager, folds)| (pager, folds))
    }

    /// Whether what to search for is being typed.
    pub(crate) fn is_typing(&self) -> bool {
        self.tabs.get(self.at).is_some_and(|(_, pager, _)| pager.typing.is_some())
    }

    /// Goes to another tab.
    pub(crate) fn turn(&mut self, by: isize) {
        let count = self.tabs.len().max(1);
        self.at = (self.at + count).saturating_add_signed(by) % count;
    }
}
