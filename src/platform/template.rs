//! Making an object of a sample: fresh ids, the present moment, a status somebody waits for, and the changes asked for.

use std::collections::HashMap;

use serde_json::Value;

use super::PlatformError;
use super::catalogue::EventType;
use super::{ids, time};

/// What an object is called, and what belongs to it: the prefix, how many trailing groups number it within its parent,
/// and the shape of a new one. `PR-5512-0934-7781-001` is the first request of `AS-5512-0934-7781`.
const OWN: &[(&str, usize, &[usize])] = &[
    ("PR", 1, &[4, 4, 4]),
    ("AS", 0, &[4, 4, 4]),
    ("TCR", 1, &[3, 3, 3]),
    ("TC", 0, &[3, 3, 3]),
    ("TAR", 2, &[4, 4, 4]),
    ("LSTR", 1, &[3, 3, 3]),
    ("LST", 0, &[3, 3, 3]),
    ("UFC", 1, &[4, 2, 10]),
    ("UF", 0, &[4, 2, 10]),
    ("CA", 0, &[3, 3, 3]),
    ("EIN", 0, &[4, 4, 4]),
    ("EFS", 0, &[4, 4]),
];

/// The parts of an object that are made together with it.
const PARTS: &[&str] = &["asset", "configuration", "listing", "usagefile"];

/// What is new of an object that is made like another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Novelty {
    /// The digits of ids, in groups.
    Digits(&'static [usize]),
    /// The digits of a usage file's id: they begin with the month it is of, `2024-06-0419288031`.
    UsageFile,
    /// A number of another system's.
    Number,
    /// A UUID.
    Uuid,
    /// The present moment; all of an object is made at the same.
    Now,
}

impl Novelty {
    /// A new one.
    pub(crate) fn make(self) -> String {
        match self {
            Self::Digits([4, 4, 4]) => ids::object(),
            Self::Digits(shape) => ids::random("", shape).trim_start_matches('-').to_owned(),
            Self::UsageFile => format!("{}-{}", time::now().get(..7).unwrap_or("2024-06"), ids::digits(10)),
            Self::Number => ids::digits(8),
            Self::Uuid => ids::uuid(),
            Self::Now => time::now(),
        }
    }
}

/// Gives `object` and what belongs to it ids nobody has, and dates of now. References inside it stay whole.
pub(crate) fn refresh(object: &mut Value) {
    refresh_with(object, &mut Novelty::make);
}

/// The same with what is new taken from `make`.
pub(crate) fn refresh_with(object: &mut Value, make: &mut dyn FnMut(Novelty) -> String) {
    let mut renamed = HashMap::new();
    rename(object, &mut renamed, make);
    let now = make(Novelty::Now);
    dates(object, &now);
    external_ids(object, make);
    for part in PARTS {
        if let Some(part) = object.get_mut(*part) {
            dates(part, &now);
            external_ids(part, make);
        }
    }
}

fn rename(value: &mut Value, renamed: &mut HashMap<String, String>, make: &mut dyn FnMut(Novelty) -> String) {
    match value {
        Value::String(text) => {
            if let Some(fresh) = fresh_id(text, renamed, make) {
                *text = fresh;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, renamed, make)),
        Value::Object(fields) => fields.values_mut().for_each(|field| rename(field, renamed, make)),
        _ => {}
    }
}

/// The new id for an old one. Ids that share their groups of digits go on sharing them.
fn fresh_id(id: &str, renamed: &mut HashMap<String, String>, make: &mut dyn FnMut(Novelty) -> String) -> Option<String> {
    let (prefix, rest) = id.split_once('-')?;
    let (_, numbering, shape) = OWN.iter().find(|(own, ..)| *own == prefix)?;
    let groups: Vec<&str> = rest.split('-').collect();
    if !groups.iter().all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let (body, suffix) = match groups.len().checked_sub(*numbering) {
        Some(n) if n == shape.len() => groups.split_at_checked(n)?,
        // An id of another shape, as people write them: the whole of it is replaced by one of Connect's shape.
        _ => (groups.as_slice(), ["001", "001"].get(..*numbering)?),
    };
    let fresh = renamed
        .entry(body.join("-"))
        .or_insert_with(|| make(if prefix.starts_with("UF") { Novelty::UsageFile } else { Novelty::Digits(shape) }));
    Some([prefix, fresh.as_str()].into_iter().chain(suffix.iter().copied()).collect::<Vec<_>>().join("-"))
}

fn dates(object: &mut Value, now: &str) {
    let set = |value: Option<&mut Value>| {
        if let Some(value) = value.filter(|v| v.is_string()) {
            *value = now.into();
        }
    };
    set(object.get_mut("created"));
    set(object.get_mut("updated"));
    for event in object.get_mut("events").and_then(Value::as_object_mut).into_iter().flat_map(|events| events.values_mut()) {
        set(event.get_mut("at"));
    }
}

fn external_ids(object: &mut Value, make: &mut dyn FnMut(Novelty) -> String) {
    if let Some(Value::String(uid)) = object.get_mut("external_uid") {
        *uid = make(Novelty::Uuid);
    }
    if let Some(Value::String(id)) = object.get_mut("external_id") {
        let stem = id.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned();
        let number = make(Novelty::Number);
        *id = if stem.is_empty() { number } else { format!("{stem}-{number}") };
    }
}

/// The status of an object made of a sample: the sample's own one if somebody subscribes to that (or nobody says anything),
/// else the first that is subscribed to.
pub(crate) fn status(event: &EventType, subscribed: &[String]) -> Option<&'static str> {
    let first = event.statuses.first()?;
    if subscribed.is_empty() || subscribed.iter().any(|s| s == first) {
        return Some(first);
    }
    let known = |s: &String| event.statuses.iter().find(|known| *known == s);
    Some(subscribed.iter().find_map(known).unwrap_or(first))
}

/// Gives it to the object.
pub(crate) fn set_status(object: &mut Value, event: &EventType, status: Option<&'static str>) {
    if let (Some(status), Some(field)) = (status, object.get_mut(event.status_field)) {
        *field = status.into();
    }
}

/// Sets the value at a dotted path; a number is an element of a list. The value is JSON, or else text.
///
/// # Errors
/// [`PlatformError::Path`] when the path does not exist; it says what does.
pub(crate) fn set(object: &mut Value, path: &str, value: &str) -> Result<(), PlatformError> {
    if !path.is_empty() && path.split('.').any(str::is_empty) {
        let reason = "a name in it is empty: names have one dot between them, and none at the ends".into();
        return Err(PlatformError::Path { path: path.into(), reason });
    }
    let mut place = object;
    let mut walked = String::new();
    for name in path.split('.') {
        let there = keys(place);
        let next = match place {
            Value::Object(fields) => fields.get_mut(name),
            Value::Array(items) => name.parse::<usize>().ok().and_then(|n| items.get_mut(n)),
            _ => None,
        };
        let Some(next) = next else {
            let at = if walked.is_empty() { "the object".into() } else { format!("`{walked}`") };
            let reason = format!("there is no `{name}` in {at}; {there}");
            return Err(PlatformError::Path { path: path.into(), reason });
        };
        place = next;
        if !walked.is_empty() {
            walked.push('.');
        }
        walked.push_str(name);
    }
    *place = fitting(place, value).map_err(|reason| PlatformError::Path { path: path.into(), reason })?;
    Ok(())
}

/// The value in the type of what is there; where that is nothing, as JSON or else text.
fn fitting(there: &Value, value: &str) -> Result<Value, String> {
    let parsed: Option<Value> = serde_json::from_str(value).ok();
    let same = match (there, &parsed) {
        (Value::Null, _) | (_, Some(Value::Null)) => true,
        // Connect writes many a number as text: `25` for a text is the text "25".
        (Value::String(_), Some(Value::String(_))) => true,
        (Value::String(_), _) => return Ok(value.into()),
        (Value::Bool(_), Some(Value::Bool(_))) | (Value::Number(_), Some(Value::Number(_))) => true,
        (Value::Array(_), Some(Value::Array(_))) | (Value::Object(_), Some(Value::Object(_))) => true,
        _ => false,
    };
    if same {
        return Ok(parsed.unwrap_or_else(|| value.into()));
    }
    let sort = match there {
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::Array(_) => "a list",
        _ => "an object",
    };
    Err(format!("there is {sort}, and `{value}` is none"))
}

fn keys(value: &Value) -> String {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            format!("there are: {}", fields.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) if !items.is_empty() => format!("it is a list of {} elements, counted from 0", items.len()),
        Value::Object(_) | Value::Array(_) => "it is empty".into(),
        other => format!("it is the value {other}"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{refresh, set, set_status, status};
    use crate::platform::catalogue;

    fn sample() -> Value {
        catalogue::find("asset_purchase_request_processing").unwrap().sample()
    }

    #[test]
    fn a_fresh_request_shares_its_digits_with_its_asset_as_the_sample_does() {
        let (mut one, mut other) = (sample(), sample());
        refresh(&mut one);
        refresh(&mut other);
        let (id, asset) = (one["id"].as_str().unwrap(), one["asset"]["id"].as_str().unwrap());
        assert_eq!(id, format!("{}-001", asset.replacen("AS", "PR", 1)));
        assert_ne!(one["id"], other["id"]);
        assert_ne!(one["asset"]["external_id"], other["asset"]["external_id"]);
        assert_ne!(one["asset"]["external_uid"], other["asset"]["external_uid"]);
        assert_ne!(one["created"], sample()["created"]);
        assert_eq!(one["asset"]["product"], sample()["asset"]["product"]);
    }

    #[test]
    fn references_inside_an_object_stay_whole() {
        let mut listing = catalogue::find("listing_new_request_processing").unwrap().sample();
        refresh(&mut listing);
        assert_eq!(listing["id"], listing["listing"]["pending_request"]["id"]);
    }

    #[rstest]
    #[case("PR-1", "PR", &[4, 4, 4, 3])]
    #[case("PR-0000-0000-0001", "PR", &[4, 4, 4, 3])]
    #[case("TAR-2091-7745-3108-002-001", "TAR", &[4, 4, 4, 3, 3])]
    #[case("UF-2024-06-0419288031", "UF", &[4, 2, 10])]
    #[case("EFS-4400-0012", "EFS", &[4, 4])]
    fn ids_come_out_in_connects_shape(#[case] id: &str, #[case] prefix: &str, #[case] groups: &[usize]) {
        let mut object = json!({"id": id});
        refresh(&mut object);
        let mut parts = object["id"].as_str().unwrap().split('-');
        assert_eq!(parts.next(), Some(prefix));
        assert_eq!(parts.map(str::len).collect::<Vec<_>>(), groups);
        assert_ne!(object["id"], id);
    }

    #[test]
    fn a_path_may_name_an_element_of_a_list_and_the_value_is_json_or_text() {
        let mut object = sample();
        set(&mut object, "asset.items.0.quantity", "\"25\"").unwrap();
        set(&mut object, "asset.items.1.params", "x").unwrap_err();
        set(&mut object, "note", "bench:success").unwrap();
        set(&mut object, "answered", "true").unwrap();
        assert_eq!(object["asset"]["items"][0]["quantity"], "25");
        set(&mut object, "asset.items.0.quantity", "26").unwrap();
        assert_eq!(object["asset"]["items"][0]["quantity"], "26", "a text stays a text");
        assert_eq!(object["note"], "bench:success");
        assert_eq!(object["answered"], true);
    }

    #[rstest]
    #[case("asset.itms", "there is no `itms` in `asset`; there are: id, status,")]
    #[case("nope", "there is no `nope` in the object; there are: id, type,")]
    #[case("asset.items.7", "there is no `7` in `asset.items`; it is a list of 2 elements")]
    #[case("status.x", "there is no `x` in `status`; it is the value \"pending\"")]
    #[case("", "there is no `` in the object")]
    #[case("asset..id", "a name in it is empty")]
    #[case("answered", "there is true or false, and `1` is none")]
    #[case("asset.items", "there is a list, and `1` is none")]
    #[case("asset", "there is an object, and `1` is none")]
    fn a_path_that_leads_nowhere_says_what_is_there(#[case] path: &str, #[case] expected: &str) {
        let error = set(&mut sample(), path, "1").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[rstest]
    #[case(&[], "pending")]
    #[case(&["inquiring", "pending"], "pending")]
    #[case(&["inquiring", "approved"], "inquiring")]
    #[case(&["unheard-of"], "pending")]
    fn the_status_is_one_somebody_waits_for(#[case] subscribed: &[&str], #[case] expected: &str) {
        let mut object = sample();
        let subscribed: Vec<String> = subscribed.iter().map(|s| (*s).into()).collect();
        let event = catalogue::find("asset_purchase_request_processing").unwrap();
        set_status(&mut object, event, status(event, &subscribed));
        assert_eq!(object["status"], expected);
    }
}
