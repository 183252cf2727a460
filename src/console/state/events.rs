use super::super::reader::STRETCH;
use super::Scroll;
use crate::journal::{DeliveryFilter, DeliveryRow, FilterError, Gap, Usage};

/// Which stretch of the deliveries is in memory: a few screens of them, however many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Span {
    /// The newest.
    #[default]
    Tail,
    /// The oldest.
    Start,
    /// Those around this one.
    Around(i64),
}

/// The event stream.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// The stretch in memory, oldest first.
    pub(crate) rows: Vec<DeliveryRow>,
    pub(crate) span: Span,
    pub(crate) scroll: Scroll,
    /// How many there are in all that pass the filter.
    pub(crate) total: usize,
    /// How many there were when following stopped.
    pub(crate) seen: usize,
    /// Whether the newest is selected as it comes.
    pub(crate) paused: bool,
    /// The filter as it was typed, what was readable of it last, and what is wrong with it.
    pub(crate) filter: String,
    pub(crate) readable: DeliveryFilter,
    pub(crate) unreadable: Option<FilterError>,
    /// The task whose delivery shall be selected when it arrives.
    pub(crate) awaited: Option<String>,
    /// The delivery to be selected when it is in memory.
    pub(crate) aim: Option<i64>,
    /// Failures in the journal, and how many of them there were when the developer last looked.
    pub(crate) failures: usize,
    pub(crate) looked_at: Option<usize>,
    pub(crate) loaded: bool,
    /// How far back a filter has been looked for; `None` where that is everything, or as much as is held in memory.
    pub(crate) searched: Option<i64>,
    /// How full the journal is.
    pub(crate) usage: Option<Usage>,
    /// Times without a link, oldest first.
    pub(crate) gaps: Vec<Gap>,
    /// Whether what is in memory is of another filter than the one wanted.
    pub(crate) stale: bool,
}

impl Events {
    pub(crate) fn selected(&self) -> Option<&DeliveryRow> {
        self.rows.get(self.scroll.at)
    }

    /// Takes over a typed filter; what is wrong with it is kept to be shown.
    pub(crate) fn narrow(&mut self, typed: &str) {
        self.filter = typed.into();
        match DeliveryFilter::parse(typed) {
            Ok(filter) => {
                self.stale |= self.readable != filter;
                (self.readable, self.unreadable) = (filter, None);
            }
            Err(error) => self.unreadable = Some(error),
        }
    }

    pub(crate) fn filter(&self) -> DeliveryFilter {
        // Half a filter is none: the stream stays narrowed by what was readable last.
        self.readable.clone()
    }

    /// How many came since following stopped.
    pub(crate) fn unseen(&self) -> usize {
        if self.paused { self.total.saturating_sub(self.seen) } else { 0 }
    }

    /// Failures since the developer last looked.
    pub(crate) fn new_failures(&self) -> usize {
        self.failures.saturating_sub(self.looked_at.unwrap_or(self.failures))
    }

    /// Takes in a stretch that was read; the selection stays on the delivery it was on, or follows, or goes to the one
    /// awaited.
    pub(crate) fn load(&mut self, mut rows: Vec<DeliveryRow>, reached: Option<i64>, total: usize, failures: usize) {
        let selected = self.aim.take().or(self.selected().map(|d| d.id));
        // What an earlier piece of the same search found further back is still so.
        let stale = std::mem::take(&mut self.stale);
        let kept = reached.filter(|_| !stale);
        self.searched = match (kept, self.searched) {
            (Some(reached), Some(further)) => Some(reached.min(further)),
            (Some(_), None) if !self.rows.is_empty() => None,
            _ => reached,
        };
        if let Some(reached) = kept {
            let mut older: Vec<_> = std::mem::take(&mut self.rows).into_iter().filter(|row| row.id < reached).collect();
            older.append(&mut rows);
            rows = older;
        }
        self.rows = rows;
        self.total = total;
        self.failures = failures;
        self.looked_at.get_or_insert(failures);
        self.loaded = true;
        let place = |id: i64| self.rows.iter().position(|d| d.id >= id);
        let last = self.rows.len().saturating_sub(1);
        self.scroll.at = match (selected, self.paused, self.span) {
            (_, false, _) => last,
            (_, true, Span::Start) => 0,
            (Some(id), true, _) => place(id).unwrap_or(last),
            (None, true, _) => last,
        };
        if self.span == Span::Start {
            self.span = Span::Around(self.selected().map_or(0, |d| d.id));
        }
        self.meet();
    }

    /// The times without a link between a delivery and the one before it.
    pub(crate) fn gaps_before(&self, place: usize) -> impl Iterator<Item = &Gap> {
        let until = self.rows.get(place).map(|row| row.arrived_at);
        // What was before the first in memory is told with a delivery further back.
        let from = place.checked_sub(1).and_then(|before| self.rows.get(before)).map(|row| row.arrived_at);
        self.gaps
            .iter()
            .filter(move |gap| from.is_some_and(|from| gap.from >= from) && until.is_none_or(|until| gap.from < until))
    }

    /// Takes in what the search found further back.
    pub(crate) fn extend(&mut self, mut earlier: Vec<DeliveryRow>, reached: Option<i64>) {
        self.scroll.at += earlier.len();
        earlier.append(&mut self.rows);
        self.rows = earlier;
        self.searched = reached.filter(|_| self.rows.len() < STRETCH);
        self.total = self.total.max(self.rows.len());
    }

    /// Selects the awaited delivery if it has come.
    pub(crate) fn meet(&mut self) -> bool {
        let Some(task) = &self.awaited else { return false };
        let Some(at) = self.rows.iter().rposition(|d| d.task_id == *task) else { return false };
        self.awaited = None;
        self.scroll.at = at;
        if at + 1 < self.rows.len() {
            self.pause();
        } else {
            self.paused = false;
        }
        true
    }

    /// Selects a delivery; whether its stretch must be read first.
    pub(crate) fn go_to(&mut self, id: i64) -> bool {
        self.pause();
        if let Some(at) = self.rows.iter().position(|d| d.id == id) {
            self.scroll.at = at;
            return false;
        }
        self.aim = Some(id);
        self.span = Span::Around(id);
        true
    }

    /// Stops following.
    pub(crate) fn pause(&mut self) {
        if !self.paused {
            self.paused = true;
            self.seen = self.total;
        }
    }

    /// Goes to the newest and stays there.
    pub(crate) fn follow(&mut self) {
        self.paused = false;
        self.span = Span::Tail;
        self.scroll.at = self.rows.len().saturating_sub(1);
    }

    /// Moves the selection; whether another stretch must be read.
    pub(crate) fn step(&mut self, by: isize) -> bool {
        self.scroll.step(by, self.rows.len());
        self.pause();
        let margin = self.rows.len() / 8;
        let near_edge = self.scroll.at < margin || self.scroll.at + margin >= self.rows.len();
        let all_here = self.rows.len() >= self.total && self.rows.len() < STRETCH;
        let Some(id) = self.selected().map(|d| d.id).filter(|_| near_edge && !all_here) else { return false };
        let moved = self.span != Span::Around(id);
        self.span = Span::Around(id);
        moved
    }

    /// The developer has seen the failures there are.
    pub(crate) fn look(&mut self) {
        if self.loaded {
            self.looked_at = Some(self.failures);
        }
    }
}
