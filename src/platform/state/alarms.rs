//! Moments at which something is to happen: a schedule is due, a planned request begins.

use std::collections::{BTreeSet, HashMap};

use super::{Disk, Write};
use crate::observe::Timestamp;

/// What is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Alarm {
    /// A schedule is due.
    Schedule,
    /// The planned date of a request has come.
    Planned,
}

impl Alarm {
    fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Planned => "planned",
        }
    }
}

/// All alarms, by the id of what they are for.
pub(crate) struct Alarms {
    disk: Disk,
    due: BTreeSet<(Timestamp, Alarm, String)>,
    of: HashMap<(Alarm, String), Timestamp>,
}

impl Alarms {
    /// Those of the file.
    pub(crate) fn new(disk: Disk, loaded: Vec<(String, String, i64)>) -> Self {
        let mut alarms = Self { disk, due: BTreeSet::new(), of: HashMap::new() };
        for (kind, id, due) in loaded {
            if let Some(alarm) = [Alarm::Schedule, Alarm::Planned].into_iter().find(|alarm| alarm.as_str() == kind) {
                alarms.index(alarm, id, Timestamp(due));
            }
        }
        alarms
    }

    /// Sets the alarm, in place of an earlier one.
    pub(crate) fn set(&mut self, alarm: Alarm, id: &str, due: Timestamp) {
        self.disk.write(Write::Alarm(alarm.as_str(), id.into(), due.0));
        self.index(alarm, id.into(), due);
    }

    /// Calls it off.
    pub(crate) fn clear(&mut self, alarm: Alarm, id: &str) {
        if let Some(due) = self.of.remove(&(alarm, id.to_owned())) {
            self.due.remove(&(due, alarm, id.to_owned()));
            self.disk.write(Write::AlarmGone(alarm.as_str(), id.into()));
        }
    }

    /// Whether it is set.
    pub(crate) fn is_set(&self, alarm: Alarm, id: &str) -> bool {
        self.of.contains_key(&(alarm, id.to_owned()))
    }

    /// The moment of the first.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, ..)| *due)
    }

    /// Those whose moment has come.
    pub(crate) fn ripe(&self, now: Timestamp) -> Vec<(Alarm, String)> {
        self.due.iter().take_while(|(due, ..)| *due <= now).map(|(_, alarm, id)| (*alarm, id.clone())).collect()
    }

    fn index(&mut self, alarm: Alarm, id: String, due: Timestamp) {
        if let Some(earlier) = self.of.insert((alarm, id.clone()), due) {
            self.due.remove(&(earlier, alarm, id.clone()));
        }
        self.due.insert((due, alarm, id));
    }
}
