//! Moments as Connect's API writes them: `2024-05-06T08:15:30+00:00`.

use crate::observe::Timestamp;

/// The moment in Connect's form.
pub(crate) fn iso(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    moment.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// Now, in Connect's form.
pub(crate) fn now() -> String {
    iso(Timestamp::now())
}

/// Reads a moment, or a day, which is its first moment (UTC).
pub(crate) fn parse(text: &str) -> Option<jiff::Timestamp> {
    let day = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|day| day.timestamp());
    text.parse().ok().or_else(day)
}

#[cfg(test)]
mod tests {
    use crate::observe::Timestamp;

    #[test]
    fn a_moment_is_written_as_connect_writes_it() {
        assert_eq!(super::iso(Timestamp(1_714_983_330_000_000)), "2024-05-06T08:15:30+00:00");
    }
}
