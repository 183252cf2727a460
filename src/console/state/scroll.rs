use std::cell::Cell;

/// A place in a list: what is selected, and where the view begins. The view moves its beginning by itself, as little as
/// needed to show the selected line, which is why that is a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scroll {
    pub(crate) at: usize,
    offset: Cell<usize>,
    /// How many lines the view showed the last time: what a page is.
    page: Cell<usize>,
}

impl Scroll {
    /// Moves the selection, staying within `len`.
    pub(crate) fn step(&mut self, by: isize, len: usize) {
        self.at = self.at.saturating_add_signed(by).min(len.saturating_sub(1));
    }

    /// The size of a page as a distance.
    pub(crate) fn page(&self) -> isize {
        isize::try_from(self.page.get().saturating_sub(1).max(1)).unwrap_or(1)
    }

    /// Keeps the selection within `len`.
    pub(crate) fn clamp(&mut self, len: usize) {
        self.at = self.at.min(len.saturating_sub(1));
    }

    /// Where to begin to draw so that the selected one of `len` lines is seen in `height` rows; `rows` tells how many rows
    /// a line takes.
    pub(crate) fn begin(&self, len: usize, height: usize, rows: impl Fn(usize) -> usize) -> usize {
        let at = self.at.min(len.saturating_sub(1));
        let mut first = at;
        let mut used = rows(at).max(1);
        let wanted = self.offset.get().min(at);
        while first > 0 && first > wanted {
            used += rows(first - 1).max(1);
            if used > height {
                break;
            }
            first -= 1;
        }
        // Never leave rows empty at the end while there are lines above.
        let mut below: usize = (first..len).take(height).map(|i| rows(i).max(1)).sum();
        while first > 0 && below + rows(first - 1).max(1) <= height {
            first -= 1;
            below += rows(first).max(1);
        }
        self.offset.set(first);
        self.page.set(height);
        first
    }

    /// Takes over where another one of the same view begins and how large its page is.
    pub(crate) fn adopt(&self, other: &Self) {
        self.offset.set(other.offset.get());
        self.page.set(other.page.get());
    }

    /// The line of a list that is drawn in a row of the screen, where the list ends above `bottom`.
    pub(crate) fn row_at(&self, y: u16, bottom: u16) -> Option<usize> {
        let first = usize::from(bottom).checked_sub(self.page.get())?;
        let below = usize::from(y).checked_sub(first).filter(|below| *below < self.page.get())?;
        Some(self.offset.get() + below)
    }

    /// For text without a selection: `at` is its first line.
    pub(crate) fn top(&self, len: usize, height: usize) -> usize {
        self.page.set(height);
        self.at.min(len.saturating_sub(height))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_view_moves_no_more_than_the_selection_needs() {
        let mut scroll = Scroll { at: 12, ..Scroll::default() };
        assert_eq!(scroll.begin(100, 10, |_| 1), 3);
        scroll.at = 8;
        assert_eq!(scroll.begin(100, 10, |_| 1), 3);
        scroll.at = 2;
        assert_eq!(scroll.begin(100, 10, |_| 1), 2);
    }

    proptest! {
        #[test]
        fn the_selected_line_is_always_seen(len in 1_usize..60, at in 0_usize..80, before in 0_usize..80, height in 1_usize..20, tall in 1_usize..4) {
            let mut scroll = Scroll { at: before, ..Scroll::default() };
            scroll.begin(len, height, |i| 1 + i % tall);
            scroll.at = at;
            let first = scroll.begin(len, height, |i| 1 + i % tall);
            let at = at.min(len - 1);
            prop_assert!(first <= at);
            let above: usize = (first..at).map(|i| 1 + i % tall).sum();
            prop_assert!(above < height);
        }
    }
}
