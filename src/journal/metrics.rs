//! How deliveries went over time: counts by result, and how long they took and waited.

use serde::{Deserialize, Serialize};

use super::record::state;
use super::{JournalError, Reader};
use crate::observe::Timestamp;

/// One stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bucket {
    /// How many there were, by result; of those without `running`, `no_runner` or `interrupted`.
    pub results: Vec<(String, u64)>,
    /// How long handlers worked, on average, in microseconds; of runs whose steps are known.
    pub runtime: Option<u64>,
    /// From arrival to result, on average.
    pub processing: Option<u64>,
    /// In Connect's queue, on average.
    pub wait: Option<u64>,
}

impl Bucket {
    /// How many ended so.
    #[must_use]
    pub fn count(&self, result: &str) -> u64 {
        self.results.iter().filter(|(name, _)| name == result).map(|(_, n)| n).sum()
    }

    /// How many there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.results.iter().map(|(_, n)| n).sum()
    }
}

/// A span of time in equal buckets, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// What it is called: `hour`, `day`, `week`.
    pub name: String,
    /// How long a bucket is, in words.
    pub each: String,
    /// The buckets.
    pub buckets: Vec<Bucket>,
}

impl Metrics {
    /// How many ended so in all.
    #[must_use]
    pub fn count(&self, result: &str) -> u64 {
        self.buckets.iter().map(|bucket| bucket.count(result)).sum()
    }

    /// The mean of a time; a busy stretch weighs as much as its tasks. `None` where none is known.
    #[must_use]
    pub fn mean(&self, time: fn(&Bucket) -> Option<u64>) -> Option<u64> {
        let known = self.buckets.iter().filter_map(|bucket| Some((time(bucket)?, bucket.total())));
        let (sum, tasks) = known.fold((0, 0), |(sum, tasks), (time, n)| (sum + u128::from(time) * u128::from(n), tasks + n));
        Some(u64::try_from(sum.checked_div(u128::from(tasks))?).unwrap_or(u64::MAX))
    }
}

/// Name, length of a bucket in seconds and in words, how many.
const SPANS: [(&str, i64, &str, usize); 3] =
    [("hour", 120, "2 minutes", 30), ("day", 3_600, "an hour", 24), ("week", 6 * 3_600, "6 hours", 28)];
/// Beyond so many deliveries the handlers' own time, which is in the observations, is left out.
const STEPS_OF: i64 = 20_000;

impl Reader {
    /// The last hour, day and week. What was imported happened elsewhere.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn metrics(&self, now: Timestamp) -> Result<Vec<Metrics>, JournalError> {
        let (first, last) = self.ends()?;
        let mut all = Vec::new();
        for (name, seconds, each, count) in SPANS {
            let each_micros = seconds * 1_000_000;
            let begin = now.0 - each_micros * i64::try_from(count).unwrap_or(0);
            let low = self.first_at(Timestamp(begin), first, last)?;
            let mut buckets = vec![Bucket::default(); count];
            let whole = |n: Option<f64>| {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // an average of times
                n.map(|n| n.max(0.0) as u64)
            };
            let sql = "SELECT (arrived_at - ?1) / ?2, coalesce(result, CASE WHEN ?4 AND state = ?5 THEN 'running'
                              WHEN ?4 AND state = ?6 THEN 'no_runner' ELSE 'interrupted' END), count(*), avg(micros), avg(wait)
                       FROM deliveries WHERE id >= ?3 AND arrived_at >= ?1 AND instr(marks, 'imported') = 0 GROUP BY 1, 2";
            let read = |row: &rusqlite::Row<'_>| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?, row.get(3)?, row.get(4)?))
            };
            let asked =
                [begin.into(), each_micros.into(), low.into(), self.live.into(), state::RUNNING.into(), state::NO_RUNNER.into()];
            for (place, result, n, processing, wait) in self.many(sql, &asked, read)? {
                let Some(bucket) = usize::try_from(place).ok().and_then(|place| buckets.get_mut(place)) else { continue };
                let n = u64::try_from(n).unwrap_or(0);
                let before = bucket.total();
                bucket.processing = mean(bucket.processing, before, whole(processing), n);
                bucket.wait = mean(bucket.wait, before, whole(wait), n);
                bucket.results.push((result, n));
            }
            if last - low < STEPS_OF {
                // The first step of a delivery is the handler as a whole.
                let sql = "SELECT (d.arrived_at - ?1) / ?2, avg(o.body ->> 'micros') FROM deliveries d
                           JOIN observations o ON o.delivery = d.id AND o.kind = 'step_ended' AND o.step = 1
                           WHERE d.id >= ?3 AND d.arrived_at >= ?1 AND instr(d.marks, 'imported') = 0 GROUP BY 1";
                let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<f64>>(1)?));
                for (place, runtime) in self.many(sql, &[begin.into(), each_micros.into(), low.into()], read)? {
                    if let Some(bucket) = usize::try_from(place).ok().and_then(|place| buckets.get_mut(place)) {
                        bucket.runtime = whole(runtime);
                    }
                }
            }
            all.push(Metrics { name: name.into(), each: each.into(), buckets });
        }
        Ok(all)
    }
}

/// The average of two averages, each with how many it is of.
fn mean(one: Option<u64>, n: u64, other: Option<u64>, m: u64) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some((one * n + other * m) / (n + m).max(1)),
        (one, other) => one.or(other),
    }
}
