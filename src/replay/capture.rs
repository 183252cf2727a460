use serde_json::Value;
use thiserror::Error;

use crate::journal::{DeliveryRow, DeliveryState, JournalError, Reader, redact};
use crate::observe::Fact;

/// All that is needed to run a delivery again.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    /// The delivery's number in the journal.
    pub delivery: i64,
    /// `background`, `interactive`, `scheduled`.
    pub category: String,
    /// The event type.
    pub event_type: String,
    /// The object's id.
    pub object_id: String,
    /// The object as the handler was given it: fetched, or brought by an interactive task.
    pub object: Value,
    /// Where in the object a secret was replaced by a placeholder, as dotted paths: the replay gets the placeholder.
    pub redacted: Vec<String>,
}

/// Why a delivery cannot be run again. The texts are for a developer, as they are.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There is no such delivery.
    #[error("there is no delivery {0} in the journal: `events list` shows those there are")]
    Unknown(i64),
    /// It never had an object.
    #[error("delivery {delivery} cannot be replayed: {why}")]
    NoObject {
        /// Its number.
        delivery: i64,
        /// Why it had none.
        why: String,
    },
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Capture {
    /// The capture of a delivery.
    ///
    /// # Errors
    /// [`ReplayError`] says what is missing.
    pub fn of(reader: &Reader, delivery_id: i64) -> Result<Self, ReplayError> {
        let row = reader.delivery(delivery_id)?.ok_or(ReplayError::Unknown(delivery_id))?;
        let observations = reader.observations(delivery_id)?;
        let object = observations.into_iter().find_map(|seen| match seen.observation.fact {
            Fact::ObjectFetched { object } => Some(object),
            // An interactive task brings its object.
            Fact::TaskArrived(mut task) => task.task.pointer_mut("/input/data").map(Value::take).filter(|data| !data.is_null()),
            _ => None,
        });
        let object = object.ok_or_else(|| ReplayError::NoObject { delivery: delivery_id, why: why_not(&row) })?;
        let mut redacted = Vec::new();
        placeholders(&object, "", &mut redacted);
        let DeliveryRow { id: delivery, category, event_type, object_id, .. } = row;
        Ok(Self { delivery, category, event_type, object_id, object, redacted })
    }

    /// What a developer should know before the replay; `None` where it is exact.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        const SHOWN: usize = 3;
        let places = self.redacted.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        let more = match self.redacted.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!self.redacted.is_empty())
            .then(|| format!("secrets are not in the journal: the replay gets placeholders in their place at {places}{more}"))
    }
}

fn why_not(row: &DeliveryRow) -> String {
    let said = row.message.as_deref().map(|message| format!(" ({message})")).unwrap_or_default();
    match (row.state, row.result.as_deref()) {
        (DeliveryState::Interrupted, _) => "the process that handled it ended before it had fetched the object".into(),
        (DeliveryState::Running, _) => "it is being handled and has not fetched the object yet; try again in a moment".into(),
        (_, Some("skip")) => {
            format!("Connect had no object {} in a status this event is for, so there was nothing to handle{said}", row.object_id)
        }
        (_, result) => {
            format!("its object was never fetched; it ended with `{}`{said}", result.unwrap_or("no result"))
        }
    }
}

/// The paths of all placeholders, in order.
fn placeholders(value: &Value, path: &str, found: &mut Vec<String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::String(text) if redact::has_placeholder(text) => found.push(path.to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| placeholders(item, &below(&n.to_string()), found));
        }
        Value::Object(map) => {
            for (key, value) in map {
                if redact::has_placeholder(key) {
                    found.push(below(key));
                }
                placeholders(value, &below(key), found);
            }
        }
        _ => {}
    }
}
