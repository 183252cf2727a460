use bson::DateTime;

/// Reads an ISO 8601 date and time. What is left out of it is zero, and the zone UTC: `2024-05-06`,
/// `2024-05-06T08:15`, `2024-05-06 08:15:30.123+02:00`, `...+0200`.
pub(super) fn parse(text: &str) -> Option<DateTime> {
    let text = text.trim();
    let (date, time) = if text.is_ascii() { text.split_at_checked(10)? } else { return None };
    let Some(time) = time.strip_prefix(['T', 't', ' ']) else {
        return if time.is_empty() { DateTime::parse_rfc3339_str(format!("{date}T00:00:00Z")).ok() } else { None };
    };
    let (time, zone) = time.split_at(time.find(['Z', 'z', '+', '-']).unwrap_or(time.len()));
    let time = if time.len() == 5 { format!("{time}:00") } else { time.to_owned() };
    let zone = match zone.len() {
        0 => "Z".to_owned(),
        3 => format!("{zone}:00"),
        5 => format!("{}:{}", zone.get(..3)?, zone.get(3..)?),
        _ => zone.to_owned(),
    };
    DateTime::parse_rfc3339_str(format!("{date}T{time}{zone}")).ok()
}
