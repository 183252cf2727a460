//! Samples that were made ready once: their texts, with gaps for what is new of each object. Making one of a sample is then
//! little more than copying its text.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::catalogue::EventType;
use super::changes::{Tie, follow, ties};
use super::state::{Objects, json_text};
use super::template::{Novelty, refresh_with, set_status};

/// Stands around the number of a gap while a sample is made ready; no character of anybody's.
const MARK: char = '\u{10FFFD}';

/// A sample with a status, made ready.
pub(crate) struct Prepared {
    collection: &'static str,
    /// What is new, by the numbers of the gaps.
    new: Vec<Novelty>,
    id: Text,
    text: Text,
    others: Vec<(Tie, &'static str, Text, Text)>,
}

/// An object made of a sample, and what it says of others.
pub(crate) struct Made {
    collection: &'static str,
    pub(crate) id: String,
    text: Arc<str>,
    others: Vec<(Tie, &'static str, Arc<str>, Arc<str>)>,
}

impl Prepared {
    /// The sample of an event type, in that status; made ready when it is asked for first. `None` where it has no collection.
    pub(crate) fn of(event: &'static EventType, status: Option<&'static str>) -> Option<Arc<Self>> {
        type Ready = HashMap<(&'static str, Option<&'static str>), Arc<Prepared>>;
        static READY: LazyLock<Mutex<Ready>> = LazyLock::new(Mutex::default);
        // Whoever panicked holding it left whole entries behind.
        let mut ready = READY.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = ready.get(&(event.name, status)) {
            return Some(Arc::clone(known));
        }
        let prepared = Arc::new(Self::new(event, status)?);
        ready.insert((event.name, status), Arc::clone(&prepared));
        Some(prepared)
    }

    fn new(event: &EventType, status: Option<&'static str>) -> Option<Self> {
        let collection = event.collection?;
        let mut new = Vec::new();
        let mut object = event.sample();
        refresh_with(&mut object, &mut |novelty| {
            new.push(novelty);
            format!("{MARK}{}{MARK}", new.len() - 1)
        });
        set_status(&mut object, event, status);
        let others = ties(collection, &object);
        let others = others.into_iter().map(|(tie, of, part, id)| (tie, of, Text::new(id), Text::new(&json_text(part))));
        let id = Text::new(object.get("id")?.as_str()?);
        Some(Self { collection, id, text: Text::new(&json_text(&object)), others: others.collect(), new })
    }

    /// A new object.
    pub(crate) fn make(&self) -> Made {
        let new: Vec<String> = self.new.iter().map(|novelty| novelty.make()).collect();
        let other = |(tie, of, id, text): &(Tie, &'static str, Text, Text)| (*tie, *of, id.with(&new), text.with(&new));
        Made {
            collection: self.collection,
            id: self.id.with(&new).as_ref().into(),
            text: self.text.with(&new),
            others: self.others.iter().map(other).collect(),
        }
    }
}

impl Made {
    /// Stores it as [`store`](super::changes::store) does.
    pub(crate) fn store(self, objects: &mut Objects) {
        objects.put_text(self.collection, &self.id, self.text);
        for (tie, collection, id, text) in self.others {
            follow(objects, (self.collection, &self.id), tie, (collection, &id), || text);
        }
    }
}

/// A text with gaps.
enum Text {
    /// None.
    Whole(Arc<str>),
    /// What comes before a gap, with the number of what belongs there; what comes after the last; the length of all that.
    Gaps(Vec<(Box<str>, usize)>, Box<str>, usize),
}

impl Text {
    fn new(marked: &str) -> Self {
        let mut pieces = marked.split(MARK);
        let mut before = pieces.next().unwrap_or_default();
        let (mut gaps, mut length) = (Vec::new(), before.len());
        // What is between two marks is a number, and what follows the text up to the next gap.
        while let (Some(number), Some(after)) = (pieces.next(), pieces.next()) {
            gaps.push((before.into(), number.parse().unwrap_or(usize::MAX)));
            before = after;
            length += after.len();
        }
        if gaps.is_empty() { Self::Whole(before.into()) } else { Self::Gaps(gaps, before.into(), length) }
    }

    fn with(&self, new: &[String]) -> Arc<str> {
        let (gaps, after, length) = match self {
            Self::Whole(text) => return Arc::clone(text),
            Self::Gaps(gaps, after, length) => (gaps, after, length),
        };
        let of = |number: &usize| new.get(*number).map(String::as_str).unwrap_or_default();
        let filled: usize = gaps.iter().map(|(_, number)| of(number).len()).sum();
        let mut text = String::with_capacity(length + filled);
        for (before, number) in gaps {
            text.push_str(before);
            text.push_str(of(number));
        }
        text.push_str(after);
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::platform::catalogue::EVENT_TYPES;
    use crate::platform::template;

    /// All texts of a value, and where they are.
    fn texts(value: &Value, at: String, found: &mut Vec<(String, String)>) {
        match value {
            Value::Array(items) => (0..).zip(items).for_each(|(n, item)| texts(item, format!("{at}/{n}"), found)),
            Value::Object(fields) => fields.iter().for_each(|(name, field)| texts(field, format!("{at}/{name}"), found)),
            other => found.push((at, other.to_string())),
        }
    }

    #[test]
    fn an_object_of_a_prepared_sample_is_like_one_that_was_refreshed() {
        for event in EVENT_TYPES {
            let statuses = event.statuses.iter().map(|status| Some(*status)).chain(event.statuses.is_empty().then_some(None));
            for status in statuses {
                let Some(prepared) = Prepared::of(event, status) else {
                    assert_eq!(event.collection, None);
                    continue;
                };
                let made = [prepared.make(), prepared.make()];
                let mut refreshed = event.sample();
                template::refresh(&mut refreshed);
                template::set_status(&mut refreshed, event, status);
                let mut all = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
                let read = |made: &Made| serde_json::from_str::<Value>(&made.text).unwrap();
                let objects = [read(&made[0]), read(&made[1]), refreshed, event.sample()];
                for (object, found) in objects.iter().zip(&mut all) {
                    texts(object, String::new(), found);
                }
                let [one, other, refreshed, sample] = all;
                assert_eq!(one.len(), refreshed.len());
                for (((one, other), refreshed), sample) in one.iter().zip(&other).zip(&refreshed).zip(&sample) {
                    assert_eq!((&one.0, one.1.len()), (&refreshed.0, refreshed.1.len()), "{}", event.name);
                    assert_eq!(one.1 == sample.1, refreshed.1 == sample.1, "{} {}", event.name, one.0);
                    assert!(one.1 != other.1 || one.1 == refreshed.1 || one.1.contains(':'), "{} {}", event.name, one.0);
                }
                assert_eq!(objects[0]["id"], made[0].id.as_str());
                assert_eq!(made[0].text.as_ref(), objects[0].to_string(), "without blanks, fields in their order");
                // What it says of others is what is said of one that was stored the usual way.
                let said: Vec<_> = ties(event.collection.unwrap(), &objects[0])
                    .into_iter()
                    .map(|(tie, of, part, id)| (tie, of, Arc::from(id), json_text(part)))
                    .collect();
                assert_eq!(made[0].others, said);
            }
        }
    }
}
