//! How the deliveries of the last hours, days or weeks went, as the portal's panel has it: counts by result, and how long
//! they took and waited.

use super::super::state::Pager;
use super::super::text;
use super::super::theme::{Piece, Pieces, Tone};
use crate::journal::{Bucket, Metrics, Usage};

const RISE: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const RESULTS: [(&str, Tone); 5] =
    [("success", Tone::Good), ("fail", Tone::Bad), ("retry", Tone::Warn), ("reschedule", Tone::Note), ("skip", Tone::Dim)];

/// How full the journal is, short.
pub(crate) fn gauge(usage: &Usage, plain: bool) -> String {
    const WIDE: u64 = 10;
    let used = text::bytes(usage.bytes);
    let most = usage.retention.bytes;
    if most == 0 {
        return format!("journal {used}");
    }
    let filled = (usage.bytes.saturating_mul(WIDE) / most).min(WIDE);
    let of = |n: u64, sign: &str| sign.repeat(usize::try_from(n).unwrap_or(0));
    let (full, empty) = if plain { ("#", ".") } else { ("█", "░") };
    format!("journal {}{} {used} of {}", of(filled, full), of(WIDE - filled, empty), text::bytes(most))
}

/// What is kept, in words.
fn kept(usage: &Usage, plain: bool) -> Pieces {
    let age = usage.retention.age().map_or_else(|| "of any age".to_owned(), |age| format!("at most {age} old"));
    let told = format!("  {} kept, {} pinned, {age}; {} taken away so far", usage.deliveries, usage.pinned, usage.removed);
    vec![Piece::new(Tone::Strong, gauge(usage, plain)), Piece::new(Tone::Dim, told)]
}

/// The panel: one block for each span, and how full the journal is.
pub(crate) fn metrics(all: &[Metrics], usage: Option<&Usage>, columns: u16, plain: bool) -> Pager {
    let mut lines: Vec<Pieces> = Vec::new();
    for metrics in all {
        lines.extend(block(metrics, usize::from(columns), plain));
        lines.push(Vec::new());
    }
    lines.extend(usage.map(|usage| kept(usage, plain)));
    let whole = lines.iter().map(|line| line.iter().map(|p| p.text.as_str()).collect::<String>() + "\n").collect();
    Pager::new("Tasks by hour, day and week".into(), lines, whole)
}

/// One span; the bars take what is left of so many columns beside names, sparklines, counts and the window's frame.
fn block(metrics: &Metrics, columns: usize, plain: bool) -> Vec<Pieces> {
    let wide = columns.saturating_sub(4 + 11 + metrics.buckets.len() + 2 + 8).min(24);
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
            Piece::new(Tone::Dim, text::pad(name, 11)),
            Piece::new(tone, spark(values, plain)),
            Piece::new(Tone::Plain, format!("  {end}")),
        ]
    };
    let most = RESULTS.iter().map(|(result, _)| metrics.count(result)).max().unwrap_or(0);
    for (result, tone) in RESULTS {
        let values: Vec<u64> = metrics.buckets.iter().map(|bucket| bucket.count(result)).collect();
        let count = metrics.count(result);
        let mut line = row(result, tone, &values, format!("{count:>7} "));
        line.push(Piece::new(tone, bar(count, most, wide, plain)));
        lines.push(line);
    }
    type Time = fn(&Bucket) -> Option<u64>;
    let times: [(&str, Time); 3] = [("runtime", |b| b.runtime), ("processing", |b| b.processing), ("wait", |b| b.wait)];
    for (name, time) in times {
        let values: Vec<u64> = metrics.buckets.iter().map(|bucket| time(bucket).unwrap_or(0)).collect();
        let mean = metrics.mean(time).map_or_else(|| "-".to_owned(), |mean| format!("mean {}", text::duration(mean)));
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

fn bar(value: u64, most: u64, wide: usize, plain: bool) -> String {
    let wide = u64::try_from(wide).unwrap_or(0);
    let filled = if most == 0 { 0 } else { (value.saturating_mul(wide)).div_ceil(most) };
    if plain { "#" } else { "█" }.repeat(usize::try_from(filled).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_rises_with_its_value_and_nothing_is_a_dot() {
        assert_eq!(spark(&[0, 1, 4, 8], false), "·▁▄█");
        assert_eq!(spark(&[0, 1, 8], true), ".19");
        assert_eq!(bar(1, 100, 24, true), "#");
        assert_eq!(bar(0, 0, 24, true), "");
    }

    #[test]
    fn the_gauge_tells_how_much_of_what_may_be_kept_is_used() {
        let mut usage = Usage {
            bytes: 3 << 29,
            retention: crate::journal::Retention { bytes: 4 << 30, seconds: 0 },
            deliveries: 12,
            pinned: 1,
            removed: 3,
            oldest: None,
            unindexed: 0,
        };
        assert_eq!(gauge(&usage, true), "journal ###....... 1.5 GiB of 4.0 GiB");
        usage.bytes = 9 << 30;
        assert_eq!(gauge(&usage, false), "journal ██████████ 9.0 GiB of 4.0 GiB");
        usage.retention.bytes = 0;
        assert_eq!(gauge(&usage, false), "journal 9.0 GiB");
    }

    #[test]
    fn a_busy_stretch_weighs_as_much_as_its_tasks() {
        let bucket = |micros, n| Bucket { results: vec![("success".into(), n)], wait: Some(micros), ..Bucket::default() };
        let metrics =
            Metrics { name: "hour".into(), each: "2 minutes".into(), buckets: vec![bucket(1_000, 1), bucket(5_000, 3)] };
        let shown = super::metrics(&[metrics], None, 60, true).whole;
        assert!(shown.lines().any(|line| line.starts_with("wait") && line.contains("mean 4 ms")), "{shown}");
    }

    #[test]
    fn on_a_narrow_screen_every_line_fits() {
        let bucket = Bucket { results: vec![("success".into(), 12_345)], wait: Some(80_000_000), ..Bucket::default() };
        let metrics = Metrics { name: "hour".into(), each: "2 minutes".into(), buckets: vec![bucket; 30] };
        let shown = super::metrics(&[metrics], None, 60, false).whole;
        assert!(shown.lines().all(|line| text::width(line) <= 56), "{shown}");
    }
}
