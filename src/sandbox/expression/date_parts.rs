//! Dates taken apart and put together, and read by a format.

use bson::{Bson, Document};
use jiff::ToSpan;
use jiff::civil;
use jiff::tz::TimeZone;

use super::super::error::{Code, CommandError};
use super::super::value::{alias_of, whole_number};
use super::Value;
use super::dates::{back, zone, zoned};
use super::logic::truth;

fn fault(location: i32, message: impl Into<String>) -> CommandError {
    CommandError::new(Code::location(location), message)
}

pub(super) fn to_parts(arguments: &[Value]) -> Result<Value, CommandError> {
    let [at, in_zone, iso] = arguments else { return Ok(None) };
    let Some(at) = zoned(at, in_zone)? else { return Ok(Some(Bson::Null)) };
    let mut parts = Document::new();
    if truth(iso) {
        let week = at.date().iso_week_date();
        parts.insert("isoWeekYear", i32::from(week.year()));
        parts.insert("isoWeek", i32::from(week.week()));
        parts.insert("isoDayOfWeek", i32::from(at.weekday().to_monday_one_offset()));
    } else {
        parts.insert("year", i32::from(at.year()));
        parts.insert("month", i32::from(at.month()));
        parts.insert("day", i32::from(at.day()));
    }
    for (name, value) in [
        ("hour", i32::from(at.hour())),
        ("minute", at.minute().into()),
        ("second", at.second().into()),
        ("millisecond", at.millisecond().into()),
    ] {
        parts.insert(name, value);
    }
    Ok(Some(Bson::Document(parts)))
}

/// A part; `None` if it is null, its least value if it is not given.
fn part(name: &str, value: &Value, least: i64) -> Result<Option<i64>, CommandError> {
    match value {
        None => Ok(Some(least)),
        Some(Bson::Null | Bson::Undefined) => Ok(None),
        Some(value) => match whole_number(value).filter(|n| n.abs() < 1 << 40) {
            Some(n) => Ok(Some(n)),
            None => {
                let message = format!("'{name}' must evaluate to an integer, found {} with value {value}", alias_of(value));
                Err(fault(40515, message))
            }
        },
    }
}

/// Parts beyond their range carry over into the next greater one.
pub(super) fn from_parts(arguments: &[Value]) -> Result<Value, CommandError> {
    let [year, month, day, week_year, week, weekday, hour, minute, second, millisecond, in_zone] = arguments else {
        return Ok(None);
    };
    let by_week = week_year.is_some();
    if by_week == year.is_some() {
        return Err(fault(40516, "$dateFromParts requires either 'year' or 'isoWeekYear' to be present, and not both"));
    }
    let parts = if by_week {
        [part("isoWeekYear", week_year, 0)?, part("isoWeek", week, 1)?, part("isoDayOfWeek", weekday, 1)?]
    } else {
        [part("year", year, 0)?, part("month", month, 1)?, part("day", day, 1)?]
    };
    let times =
        [part("hour", hour, 0)?, part("minute", minute, 0)?, part("second", second, 0)?, part("millisecond", millisecond, 0)?];
    let ([Some(a), Some(b), Some(c)], [Some(hour), Some(minute), Some(second), Some(millisecond)], Some(zone)) =
        (parts, times, zone(in_zone)?)
    else {
        return Ok(Some(Bson::Null));
    };
    let refused = || {
        fault(
            40523,
            format!(
                "'{}' must evaluate to an integer in the range 1 to 9999, found {a}",
                if by_week { "isoWeekYear" } else { "year" }
            ),
        )
    };
    let year = i16::try_from(a).ok().filter(|year| (1..=9999).contains(year)).ok_or_else(refused)?;
    let far = |_| fault(40518, "the date is too far away to be calculated with");
    let begin = if by_week {
        let first = civil::ISOWeekDate::new(year, 1, civil::Weekday::Monday).map_err(far)?.date();
        first.checked_add((b - 1).weeks()).and_then(|date| date.checked_add((c - 1).days())).map_err(far)?
    } else {
        let first = civil::Date::new(year, 1, 1).map_err(far)?;
        first.checked_add((b - 1).months()).and_then(|date| date.checked_add((c - 1).days())).map_err(far)?
    };
    let at = begin
        .to_datetime(civil::Time::midnight())
        .checked_add(hour.hours().minutes(minute).seconds(second).milliseconds(millisecond))
        .and_then(|at| at.to_zoned(zone))
        .map_err(far)?;
    Ok(back(&at))
}

/// Weeks begin on Sunday; the days before the first one are in week 0.
pub(super) fn week(arguments: &[Value]) -> Result<Value, CommandError> {
    let at = zoned(&arguments.first().cloned().flatten(), &arguments.get(1).cloned().flatten())?;
    Ok(Some(at.map_or(Bson::Null, |at| {
        let past = i32::from(at.day_of_year()) + 6 - i32::from(at.weekday().to_sunday_zero_offset());
        Bson::Int32(past / 7)
    })))
}

/// A date as `format` writes it.
pub(super) fn read(text: &str, format: &str, in_zone: Option<TimeZone>) -> Result<Value, CommandError> {
    let refused = |why: String| CommandError::new(Code::CONVERSION_FAILURE, format!("Error parsing date string '{text}'; {why}"));
    if let Some(letter) = unknown_letter(format) {
        return Err(fault(18536, format!("Invalid format character '%{letter}' in format string")));
    }
    // The same letters, but for milliseconds and offsets.
    let strptime = format.replace("%L", "%3f").replace("%Z", "%z");
    let parsed = jiff::fmt::strtime::BrokenDownTime::parse(&strptime, text).map_err(|error| refused(error.to_string()))?;
    if let (Ok(zoned), None) = (parsed.to_zoned(), &in_zone) {
        return Ok(back(&zoned));
    }
    let time = parsed.to_time().unwrap_or_else(|_| civil::Time::midnight());
    let date = parsed.to_date().map_err(|error| refused(error.to_string()))?;
    let zone = match parsed.offset() {
        Some(_) if in_zone.is_some() => {
            return Err(refused(
                "you cannot pass in a date/time string with GMT offset together with a timezone argument".into(),
            ));
        }
        Some(offset) => TimeZone::fixed(offset),
        None => in_zone.unwrap_or(TimeZone::UTC),
    };
    let at = date.to_datetime(time).to_zoned(zone).map_err(|error| refused(error.to_string()))?;
    Ok(back(&at))
}

fn unknown_letter(format: &str) -> Option<char> {
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter == '%' {
            match letters.next() {
                Some('Y' | 'm' | 'd' | 'H' | 'M' | 'S' | 'L' | 'j' | 'z' | 'b' | 'B' | 'G' | 'V' | 'u' | '%') => {}
                Some(other) => return Some(other),
                None => return Some(' '),
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Value {
        Some(Bson::DateTime(bson::DateTime::parse_rfc3339_str(text).unwrap()))
    }

    #[test]
    fn a_date_is_read_by_its_format() {
        assert_eq!(read("06-15-2018", "%m-%d-%Y", None).unwrap(), at("2018-06-15T00:00:00Z"));
        assert_eq!(
            read("2018-06-15 13:14:15.016 +0200", "%Y-%m-%d %H:%M:%S.%L %z", None).unwrap(),
            at("2018-06-15T11:14:15.016Z")
        );
        assert_eq!(
            read("15.6.2018 10:00", "%d.%m.%Y %H:%M", TimeZone::get("Europe/Berlin").ok()).unwrap(),
            at("2018-06-15T08:00:00Z")
        );
        assert_eq!(read("x", "%Y", None).unwrap_err().code, Code::CONVERSION_FAILURE);
        assert_eq!(read("x", "%q", None).unwrap_err().code.number, 18536);
    }
}
