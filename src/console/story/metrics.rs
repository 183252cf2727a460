//! How the deliveries of the last hours, days or weeks went, as the portal's panel has it: counts by result, and how long
//! they took and waited.

use super::super::state::Pager;
use super::super::text;
use super::super::theme::{Piece, Pieces, Tone};
use crate::journal::{Bucket, Metrics};

const RISE: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const RESULTS: [(&str, Tone); 5] =
    [("success", Tone::Good), ("fail", Tone::Bad), ("retry", Tone::Warn), ("reschedule", Tone::Note), ("skip", Tone::Dim)];

/// The panel: one block for each span.
pub(crate) fn metrics(all: &[Metrics], plain: bool) -> Pager {
    let mut lines: Vec<Pieces> = Vec::new();
    for metrics in all {
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        lines.extend(block(metrics, plain));
    }
    let whole = lines.iter().map(|line| line.iter().map(|p| p.text.as_str()).collect::<String>() + "\n").collect();
    Pager::new("Tasks by hour, day and week".into(), lines, whole)
}

fn block(metrics: &Metrics, plain: bool) -> Vec<Pieces> {
    let total: u64 = metrics.buckets.iter().map(Bucket::total).sum();
    let mut lines = vec![vec![
        Piece::new(Tone::Strong, format!("The last {}", metrics.name)),
        Piece::new(
            Tone::Dim,
            format!("  {}, one column each {}", text::count(usize::try_from(total).unwrap_or(0), "task"), metrics.each),
        ),
    ]];
    let row = |name: &str, tone: Tone, values: &[u64], end: String| {
        vec![
            Piece::new(Tone::Dim, text::pad(name, 12)),
            Piece::new(tone, spark(values, plain)),
            Piece::new(Tone::Plain, format!("  {end}")),
        ]
    };
    let most = RESULTS.iter().map(|(result, _)| metrics.count(result)).max().unwrap_or(0);
    for (result, tone) in RESULTS {
        let values: Vec<u64> = metrics.buckets.iter().map(|bucket| bucket.count(result)).collect();
        let count = metrics.count(result);
        let mut line = row(result, tone, &values, format!("{count:>7} "));
        line.push(Piece::new(tone, bar(count, most, plain)));
        lines.push(line);
    }
    type Time = fn(&Bucket) -> Option<u64>;
    let times: [(&str, Time); 3] = [("runtime", |b| b.runtime), ("processing", |b| b.processing), ("wait", |b| b.wait)];
    for (name, time) in times {
        let values: Vec<u64> = metrics.buckets.iter().map(|bucket| time(bucket).unwrap_or(0)).collect();
        let known: Vec<u64> = metrics.buckets.iter().filter_map(time).collect();
        let mean = match known.len() as u64 {
            0 => "-".to_owned(),
            n => format!("{} on average", text::duration(known.iter().sum::<u64>() / n)),
        };
        lines.push(row(name, Tone::Note, &values, mean));
    }
    lines
}

fn spark(values: &[u64], plain: bool) -> String {
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let one = |value: &u64| match *value {
        0 => if plain { "." } else { "·" }.to_owned(),
        value if plain => (value.saturating_mul(9) / most).max(1).to_string(),
        value => {
            let place = usize::try_from(value.saturating_mul(7) / most).unwrap_or(7);
            RISE.get(place).copied().unwrap_or("█").to_owned()
        }
    };
    values.iter().map(one).collect()
}

fn bar(value: u64, most: u64, plain: bool) -> String {
    const WIDE: u64 = 24;
    let filled = if most == 0 { 0 } else { (value.saturating_mul(WIDE)).div_ceil(most) };
    if plain { "#" } else { "█" }.repeat(usize::try_from(filled).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_rises_with_its_value_and_nothing_is_a_dot() {
        assert_eq!(spark(&[0, 1, 4, 8], false), "·▁▄█");
        assert_eq!(spark(&[0, 1, 8], true), ".19");
        assert_eq!(bar(1, 100, true), "#");
        assert_eq!(bar(0, 0, true), "");
    }
}
