//! Cron expressions of five fields: minute, hour, day of the month, month, day of the week; in UTC.

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::tz::TimeZone;

/// Looks no further ahead: an expression like `0 0 30 2 *` never comes true.
const HORIZON_DAYS: u32 = 4 * 366;
const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// An expression that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether both kinds of days are restricted: then a day needs to be only one of them.
    either_day: bool,
}

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn parse(expression: &str) -> Result<Self, String> {
        let fields: Vec<&str> = expression.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else {
            return Err(format!("a cron expression has five fields, `{expression}` has {}", fields.len()));
        };
        // Sunday is 0 and 7.
        let week = field(weekdays, 0, 7, DAYS)?;
        Ok(Self {
            minutes: field(minutes, 0, 59, &[])?,
            hours: field(hours, 0, 23, &[])?,
            days: field(days, 1, 31, &[])?,
            months: field(months, 1, 12, MONTHS)?,
            weekdays: week | (week >> 7 & 1),
            either_day: !days.starts_with('*') && !weekdays.starts_with('*'),
        })
    }

    /// The first moment after `after` that the expression is true of.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let mut moment = after.to_zoned(TimeZone::UTC).datetime().with().second(0).subsec_nanosecond(0).build().ok()?;
        moment = moment.checked_add(1.minute()).ok()?;
        let has = |set: u64, value: i8| set >> u32::try_from(value).unwrap_or(63) & 1 == 1;
        let mut days = 0;
        while days < HORIZON_DAYS {
            let day = has(self.days, moment.day());
            let weekday = has(self.weekdays, moment.weekday().to_sunday_zero_offset());
            let today = if self.either_day { day || weekday } else { day && weekday };
            if !today || !has(self.months, moment.month()) {
                moment = moment.checked_add(1.day()).ok()?.with().hour(0).minute(0).build().ok()?;
                days += 1;
            } else if !has(self.hours, moment.hour()) {
                days += u32::from(moment.hour() == 23);
                moment = moment.checked_add(1.hour()).ok()?.with().minute(0).build().ok()?;
            } else if !has(self.minutes, moment.minute()) {
                moment = moment.checked_add(1.minute()).ok()?;
            } else {
                return moment.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
            }
        }
        None
    }
}

/// A field as a set of bits: `*`, `5`, `1-5`, `*/15`, `10-40/10`, and lists of those.
fn field(text: &str, lowest: u32, highest: u32, names: &[&str]) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a field of a cron expression with values from {lowest} to {highest}");
    let number = |text: &str| {
        let first = lowest.min(1);
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = named.and_then(|at| u32::try_from(at).ok()).map(|at| at + if highest == 12 { first } else { 0 });
        named.or_else(|| text.parse().ok()).filter(|n| (lowest..=highest).contains(n)).ok_or_else(wrong)
    };
    let mut set = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<usize>().ok().filter(|step| *step > 0).ok_or_else(wrong)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (lowest, highest.min(if names.len() == 7 { 6 } else { highest })),
            Some((from, to)) => (number(from)?, number(to)?),
            None if part.contains('/') => (number(range)?, highest),
            None => (number(range)?, number(range)?),
        };
        if from > to {
            return Err(wrong());
        }
        (from..=to).step_by(step).for_each(|n| set |= 1 << n);
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::Cron;

    #[rstest]
    #[case("*/15 * * * *", "2024-05-06T08:15:30Z", "2024-05-06T08:30:00Z")]
    #[case("0 2 * * *", "2024-05-06T08:15:30Z", "2024-05-07T02:00:00Z")]
    #[case("0 2 * * *", "2024-05-06T02:00:00Z", "2024-05-07T02:00:00Z")]
    #[case("30 23 31 12 *", "2024-12-31T23:30:00Z", "2025-12-31T23:30:00Z")]
    #[case("0 9 * * mon-fri", "2024-05-10T09:00:00Z", "2024-05-13T09:00:00Z")]
    #[case("0 0 * * 7", "2024-05-06T00:00:00Z", "2024-05-12T00:00:00Z")]
    #[case("0 0 13 * fri", "2024-05-06T00:00:00Z", "2024-05-10T00:00:00Z")]
    #[case("5,10 0 1 feb *", "2024-05-06T00:00:00Z", "2025-02-01T00:05:00Z")]
    #[case("10-40/10 8 * * *", "2024-05-06T08:25:00Z", "2024-05-06T08:30:00Z")]
    fn the_next_moment_is_the_first_the_expression_is_true_of(#[case] text: &str, #[case] after: &str, #[case] next: &str) {
        let found = Cron::parse(text).unwrap().next(after.parse().unwrap());
        assert_eq!(found, Some(next.parse().unwrap()));
    }

    #[rstest]
    #[case("* * * *")]
    #[case("60 * * * *")]
    #[case("* * 0 * *")]
    #[case("*/0 * * * *")]
    #[case("5-1 * * * *")]
    #[case("a * * * *")]
    fn what_is_no_expression_is_refused(#[case] text: &str) {
        assert!(Cron::parse(text).is_err());
    }

    #[test]
    fn an_expression_that_never_comes_true_has_no_next_moment() {
        assert_eq!(Cron::parse("0 0 30 2 *").unwrap().next("2024-05-06T00:00:00Z".parse().unwrap()), None);
    }
}
