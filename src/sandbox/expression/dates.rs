use bson::{Bson, DateTime};
use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan, Unit, Zoned};

use super::super::error::{Code, CommandError};
use super::super::value::{alias_of, whole_number};
use super::Value;
use super::logic::is_nullish;

fn fault(location: i32, message: impl Into<String>) -> CommandError {
    CommandError::new(Code::location(location), message)
}

fn alias(value: &Value) -> &'static str {
    value.as_ref().map_or("missing", alias_of)
}

fn argument(arguments: &[Value], index: usize) -> Value {
    arguments.get(index).cloned().flatten()
}

/// A date as text: ISO 8601, UTC, with milliseconds.
pub(super) fn iso(at: DateTime) -> String {
    moment(at).map_or_else(|_| at.timestamp_millis().to_string(), |at| at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

/// A text as a date.
pub(super) fn parse(text: &str) -> Result<DateTime, CommandError> {
    let utc = || {
        let civil: civil::DateTime =
            text.parse().or_else(|_| text.parse::<civil::Date>().map(|date| date.to_datetime(civil::Time::midnight()))).ok()?;
        civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    let parsed = text.parse::<Timestamp>().ok().or_else(utc);
    parsed.map(|at| DateTime::from_millis(at.as_millisecond())).ok_or_else(|| unreadable(text))
}

/// Why a text is no date: it is none, or is written in one of the many ways MongoDB reads beside ISO 8601.
fn unreadable(text: &str) -> CommandError {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphabetic());
    let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let days = ["now", "today", "tomorrow", "yesterday", "noon", "midnight"];
    let named = words.into_iter().any(|word| days.contains(&word) || months.iter().any(|month| word.starts_with(month)));
    let slashed = lower.split('/').filter(|part| part.starts_with(|c: char| c.is_ascii_digit())).count() > 1;
    if named || slashed || lower.starts_with('@') {
        return CommandError::not_implemented(&format!("the date '{text}', which is not in the form of ISO 8601,"));
    }
    CommandError::new(Code::CONVERSION_FAILURE, format!("Error parsing date string '{text}'"))
}

fn moment(at: DateTime) -> Result<Timestamp, CommandError> {
    let refused = |_| CommandError::new(Code::OVERFLOW, "the date is too far away to be calculated with");
    Timestamp::from_millisecond(at.timestamp_millis()).map_err(refused)
}

pub(super) fn back(at: &Zoned) -> Value {
    Some(Bson::DateTime(DateTime::from_millis(at.timestamp().as_millisecond())))
}

fn date(value: &Value) -> Result<DateTime, CommandError> {
    match value {
        Some(Bson::DateTime(at)) => Ok(*at),
        Some(Bson::Timestamp(t)) => Ok(DateTime::from_millis(i64::from(t.time) * 1_000)),
        Some(Bson::ObjectId(id)) => Ok(id.timestamp()),
        value => Err(fault(16006, format!("can't convert from BSON type {} to Date", alias(value)))),
    }
}

pub(super) fn zone(value: &Value) -> Result<Option<TimeZone>, CommandError> {
    let name = match value {
        None => return Ok(Some(TimeZone::UTC)),
        Some(Bson::Null | Bson::Undefined) => return Ok(None),
        Some(Bson::String(name)) => name.as_str(),
        value => return Err(fault(40517, format!("timezone must evaluate to a string, found {}", alias(value)))),
    };
    if matches!(name, "UTC" | "GMT" | "Z") {
        return Ok(Some(TimeZone::UTC));
    }
    let offset = || {
        let (sign, rest) =
            name.strip_prefix('+').map(|rest| (1, rest)).or_else(|| name.strip_prefix('-').map(|rest| (-1, rest)))?;
        let digits: String = rest.chars().filter(|c| *c != ':').collect();
        let hours: i32 = digits.get(..2)?.parse().ok()?;
        let minutes: i32 = digits.get(2..).filter(|m| !m.is_empty()).map_or(Some(0), |m| m.parse().ok())?;
        jiff::tz::Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok().map(TimeZone::fixed)
    };
    let found = offset().or_else(|| TimeZone::get(name).ok());
    found.map(Some).ok_or_else(|| fault(40485, format!("unrecognized time zone identifier: \"{name}\"")))
}

/// A date in a time zone; `None` if one of them is null.
pub(super) fn zoned(at: &Value, in_zone: &Value) -> Result<Option<Zoned>, CommandError> {
    if is_nullish(at) {
        return Ok(None);
    }
    match zone(in_zone)? {
        None => Ok(None),
        Some(zone) => Ok(Some(moment(date(at)?)?.to_zoned(zone))),
    }
}

fn part(arguments: &[Value], of: impl Fn(&Zoned) -> i64) -> Result<Value, CommandError> {
    let at = zoned(&argument(arguments, 0), &argument(arguments, 1))?;
    Ok(Some(at.map_or(Bson::Null, |at| Bson::Int32(i32::try_from(of(&at)).unwrap_or(i32::MAX)))))
}

pub(super) fn year(arguments: &[Value]) -> Result<Value, CommandError> {
    part(arguments, |at| at.year().into())
}

pub(super) fn month(arguments: &[Value]) -> Result<Value, CommandError> {
    part(arguments, |at| at.month().into())
}

pub(super) fn day_of_month(arguments: &[Value]) -> Result<Value, CommandError> {
    part(arguments, |at| at.day().into())
}

/// From 1, Sunday, to 7.
pub(super) fn day_of_week(arguments: &[Value]) -> Result<Value, CommandError> {
    part(arguments, |at| at.weekday().to_sunday_one_offset().into())
}

pub(super) fn day_of_year(arguments: &[Value]) -> Result<Value, CommandError> {
    part(arguments, |at| at.day_of_year().into())
}

pub(super) fn hour(arguments: &[Value]) -> Result<Value, CommandError> {
    part(arguments, |at| at.hour().into())
}

pub(super) fn minute(arguments: &[Value]) -> Result<Value, CommandError> {
    part(arguments, |at| at.minute().into())
}

pub(super) fn second(arguments: &[Value]) -> Result<Value, CommandError> {
    part(arguments, |at| at.second().into())
}

pub(super) fn millisecond(arguments: &[Value]) -> Result<Value, CommandError> {
    part(arguments, |at| at.millisecond().into())
}

pub(super) fn iso_week(arguments: &[Value]) -> Result<Value, CommandError> {
    part(arguments, |at| at.date().iso_week_date().week().into())
}

pub(super) fn iso_week_year(arguments: &[Value]) -> Result<Value, CommandError> {
    part(arguments, |at| at.date().iso_week_date().year().into())
}

/// From 1, Monday, to 7.
pub(super) fn iso_day_of_week(arguments: &[Value]) -> Result<Value, CommandError> {
    part(arguments, |at| at.weekday().to_monday_one_offset().into())
}

pub(super) fn to_string(arguments: &[Value]) -> Result<Value, CommandError> {
    let (at, format, in_zone) = (argument(arguments, 0), argument(arguments, 1), argument(arguments, 2));
    let Some(at) = zoned(&at, &in_zone)? else { return Ok(Some(argument(arguments, 3).unwrap_or(Bson::Null))) };
    let format = match &format {
        None if in_zone.is_none() => "%Y-%m-%dT%H:%M:%S.%LZ",
        None => "%Y-%m-%dT%H:%M:%S.%L",
        Some(Bson::String(format)) => format,
        value if is_nullish(value) => return Ok(Some(Bson::Null)),
        value => return Err(fault(18533, format!("$dateToString requires that 'format' be a string, found: {}", alias(value)))),
    };
    let mut text = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        text.push_str(&match letters.next() {
            Some('Y') => format!("{:04}", at.year()),
            Some('m') => format!("{:02}", at.month()),
            Some('d') => format!("{:02}", at.day()),
            Some('H') => format!("{:02}", at.hour()),
            Some('M') => format!("{:02}", at.minute()),
            Some('S') => format!("{:02}", at.second()),
            Some('L') => format!("{:03}", at.millisecond()),
            Some('j') => format!("{:03}", at.day_of_year()),
            Some('w') => at.weekday().to_sunday_one_offset().to_string(),
            Some('u') => at.weekday().to_monday_one_offset().to_string(),
            // The days before the first Sunday are week 0.
            Some('U') => format!("{:02}", (at.day_of_year() + 6 - i16::from(at.weekday().to_sunday_zero_offset())) / 7),
            Some('V') => format!("{:02}", at.date().iso_week_date().week()),
            Some('G') => format!("{:04}", at.date().iso_week_date().year()),
            Some('b') => at.strftime("%b").to_string(),
            Some('B') => at.strftime("%B").to_string(),
            Some('z') => at.strftime("%z").to_string(),
            Some('Z') => (at.offset().seconds() / 60).to_string(),
            Some('%') => "%".into(),
            other => {
                let other = other.map(String::from).unwrap_or_default();
                return Err(fault(18536, format!("Invalid format character '%{other}' in format string")));
            }
        });
    }
    Ok(Some(Bson::String(text)))
}

pub(super) fn from_string(arguments: &[Value]) -> Result<Value, CommandError> {
    let [text, format, in_zone, on_error, on_null] = arguments else { return Ok(None) };
    if is_nullish(text) {
        return Ok(Some(on_null.clone().unwrap_or(Bson::Null)));
    }
    let read = || match (text, format) {
        (Some(Bson::String(_)), Some(Bson::Null | Bson::Undefined)) => Ok(Some(Bson::Null)),
        (Some(Bson::String(text)), Some(Bson::String(format))) => match zone(in_zone)? {
            Some(zone) => super::date_parts::read(text, format, in_zone.is_some().then_some(zone)),
            None => Ok(Some(Bson::Null)),
        },
        (Some(Bson::String(_)), Some(other)) => {
            Err(fault(40684, format!("$dateFromString requires that 'format' be a string, found: {}", alias_of(other))))
        }
        (Some(Bson::String(text)), None) => match zone(in_zone)? {
            Some(zone) if in_zone.is_some() => {
                let civil: civil::DateTime = text.parse().map_err(|_| unreadable(text))?;
                Ok(civil.to_zoned(zone).ok().as_ref().and_then(back))
            }
            Some(_) => parse(text).map(|at| Some(Bson::DateTime(at))),
            None => Ok(Some(Bson::Null)),
        },
        (value, _) => {
            let message = format!("$dateFromString requires that 'dateString' be a string, found: {}", alias(value));
            Err(CommandError::new(Code::CONVERSION_FAILURE, message))
        }
    };
    match (read(), on_error) {
        (Err(error), Some(otherwise)) if error.code == Code::CONVERSION_FAILURE => Ok(Some(otherwise.clone())),
        (done, _) => done,
    }
}

fn unit(value: &Value) -> Result<String, CommandError> {
    let known = ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond"];
    match value {
        Some(Bson::String(unit)) if known.contains(&unit.as_str()) => Ok(unit.clone()),
        Some(Bson::String(unit)) => Err(CommandError::new(Code::FAILED_TO_PARSE, format!("unknown time unit value: {unit}"))),
        value => Err(fault(5_166_403, format!("requires 'unit' to be a string, but got {}", alias(value)))),
    }
}

fn span(unit: &str, n: i64) -> Result<Span, CommandError> {
    let span = Span::new();
    let made = match unit {
        "year" => span.try_years(n),
        "quarter" => span.try_months(n.saturating_mul(3)),
        "month" => span.try_months(n),
        "week" => span.try_weeks(n),
        "day" => span.try_days(n),
        "hour" => span.try_hours(n),
        "minute" => span.try_minutes(n),
        "second" => span.try_seconds(n),
        _ => span.try_milliseconds(n),
    };
    made.map_err(|_| fault(5_166_406, "the amount of time is too large"))
}

fn moved(arguments: &[Value], sign: i64) -> Result<Value, CommandError> {
    let (start, by) = (argument(arguments, 0), argument(arguments, 2));
    if arguments.iter().take(3).any(is_nullish) {
        return Ok(Some(Bson::Null));
    }
    let unit = unit(&argument(arguments, 1))?;
    let Some(at) = zoned(&start, &argument(arguments, 3))? else { return Ok(Some(Bson::Null)) };
    let by = by.as_ref().and_then(whole_number).ok_or_else(|| fault(5_166_405, "the amount must be a whole number"))?;
    let moved =
        at.checked_add(span(&unit, by.saturating_mul(sign))?).map_err(|_| fault(5_166_406, "the amount of time is too large"))?;
    Ok(back(&moved))
}

pub(super) fn add(arguments: &[Value]) -> Result<Value, CommandError> {
    moved(arguments, 1)
}

pub(super) fn subtract(arguments: &[Value]) -> Result<Value, CommandError> {
    moved(arguments, -1)
}

/// The beginning of the unit a moment is in.
fn floor(at: &Zoned, unit: &str, week: i64) -> Result<Zoned, CommandError> {
    let date = at.date();
    let day = match unit {
        "year" => date.first_of_year(),
        "quarter" => civil::Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1).unwrap_or(date),
        "month" => date.first_of_month(),
        "week" => {
            let past = (i64::from(date.weekday().to_sunday_zero_offset()) - week).rem_euclid(7);
            date.checked_sub(past.days()).unwrap_or(date)
        }
        _ => date,
    };
    let smaller = match unit {
        "hour" => Some(Unit::Hour),
        "minute" => Some(Unit::Minute),
        "second" => Some(Unit::Second),
        "millisecond" => return Ok(at.clone()),
        _ => None,
    };
    let begun = match smaller {
        Some(unit) => at.round(jiff::ZonedRound::new().smallest(unit).mode(jiff::RoundMode::Floor)),
        None => day.to_zoned(at.time_zone().clone()),
    };
    begun.map_err(|_| CommandError::new(Code::OVERFLOW, "the date is too far away to be calculated with"))
}

/// The beginning of the bin of so many units a moment is in; bins are counted from the beginning of the year 2000.
fn binned(at: &Zoned, unit: &str, bins: i64, week: i64) -> Result<Zoned, CommandError> {
    let begun = floor(at, unit, week)?;
    if bins == 1 {
        return Ok(begun);
    }
    let far = |_| CommandError::new(Code::OVERFLOW, "the date is too far away to be calculated with");
    let reference = civil::date(2000, 1, 1).to_zoned(at.time_zone().clone()).map_err(far)?;
    let reference = match unit {
        // The first such day of that year.
        "week" => {
            let first = floor(&reference, unit, week)?;
            if first < reference { first.checked_add(1.week()).map_err(far)? } else { first }
        }
        _ => reference,
    };
    let past = units_between(&reference, &begun, unit);
    let bin = past.div_euclid(bins).saturating_mul(bins);
    reference.checked_add(span(unit, bin)?).map_err(far)
}

/// The day a week begins with, from 0, Sunday; it is Sunday when it is not given.
fn start_of_week(value: &Value) -> Result<i64, CommandError> {
    let days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    match value {
        None => Ok(0),
        Some(Bson::String(day)) => {
            let day = day.to_lowercase();
            let found = days.iter().position(|known| day.starts_with(known)).and_then(|index| i64::try_from(index).ok());
            found.ok_or_else(|| CommandError::new(Code::FAILED_TO_PARSE, format!("unknown day of week value: {day}")))
        }
        value => Err(fault(5_439_015, format!("startOfWeek must be a string, found {}", alias(value)))),
    }
}

pub(super) fn trunc(arguments: &[Value]) -> Result<Value, CommandError> {
    let [at, of, bins, in_zone, week] = arguments else { return Ok(None) };
    if is_nullish(at) || is_nullish(of) {
        return Ok(Some(Bson::Null));
    }
    let bins = match bins {
        None => 1,
        Some(Bson::Null | Bson::Undefined) => return Ok(Some(Bson::Null)),
        Some(value) => whole_number(value)
            .filter(|bins| *bins > 0 && *bins < 1 << 40)
            .ok_or_else(|| fault(5_439_018, "$dateTrunc requires 'binSize' to be a positive 64-bit integer"))?,
    };
    let unit = unit(of)?;
    let Some(at) = zoned(at, in_zone)? else { return Ok(Some(Bson::Null)) };
    Ok(back(&binned(&at, &unit, bins, start_of_week(week)?)?))
}

/// How many times a unit begins between two moments.
pub(super) fn diff(arguments: &[Value]) -> Result<Value, CommandError> {
    let [from, to, of, in_zone, week] = arguments else { return Ok(None) };
    if is_nullish(from) || is_nullish(to) || is_nullish(of) {
        return Ok(Some(Bson::Null));
    }
    let unit = unit(of)?;
    let (Some(from), Some(to)) = (zoned(from, in_zone)?, zoned(to, in_zone)?) else { return Ok(Some(Bson::Null)) };
    let week = start_of_week(week)?;
    Ok(Some(Bson::Int64(units_between(&floor(&from, &unit, week)?, &floor(&to, &unit, week)?, &unit))))
}

/// How many units lie between the beginnings of two.
fn units_between(a: &Zoned, b: &Zoned, unit: &str) -> i64 {
    let months = |at: &Zoned| i64::from(at.year()) * 12 + i64::from(at.month()) - 1;
    let days = |a: &Zoned, b: &Zoned| a.date().until((Unit::Day, b.date())).map_or(0, |span| i64::from(span.get_days()));
    let millis = b.timestamp().as_millisecond() - a.timestamp().as_millisecond();
    match unit {
        "year" => i64::from(b.year()) - i64::from(a.year()),
        "quarter" => months(b) / 3 - months(a) / 3,
        "month" => months(b) - months(a),
        "week" => days(a, b) / 7,
        "day" => days(a, b),
        "hour" => millis / 3_600_000,
        "minute" => millis / 60_000,
        "second" => millis / 1_000,
        _ => millis,
    }
}
