use serde_json::Value;
use thiserror::Error;

use super::Recorded;
use crate::journal::{DeliveryRow, DeliveryState, JournalError, ObservationRow, Reader, redact};
use crate::observe::{Body, Fact};
use crate::platform::{Exchange, Recording};

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
        Self::from_recorded(&Recorded::of(reader, delivery_id)?)
    }

    /// The capture in a recording.
    ///
    /// # Errors
    /// [`ReplayError::NoObject`].
    pub fn from_recorded(recorded: &Recorded) -> Result<Self, ReplayError> {
        let row = &recorded.delivery;
        let object = recorded.observations.iter().find_map(|seen| match &seen.observation.fact {
            Fact::ObjectFetched { object } => Some(Value::clone(object)),
            // An interactive task brings its object.
            Fact::TaskArrived(task) => task.task.pointer("/input/data").filter(|data| !data.is_null()).cloned(),
            _ => None,
        });
        let object = object.ok_or_else(|| ReplayError::NoObject { delivery: row.id, why: why_not(row) })?;
        let redacted = Self::placeholders_of(&object);
        let DeliveryRow { id: delivery, category, event_type, object_id, .. } = row.clone();
        Ok(Self { delivery, category, event_type, object_id, object, redacted })
    }

    /// The calls of a recording, and what they were answered with.
    #[must_use]
    pub fn recording(recorded: &Recorded, allow_unrecorded: bool) -> Recording {
        let fetched = recorded.observations.iter().find_map(|seen| match &seen.observation.fact {
            Fact::ObjectFetched { object } => Some(object),
            _ => None,
        });
        let exchange = |seen: &ObservationRow| match &seen.observation.fact {
            Fact::ApiCall(call) => {
                let status = call.status?;
                // The look-up of the object is recorded once: as the object.
                let looked_up = || fetched.filter(|_| call.method == "GET" && status == 200).cloned();
                Some(Exchange {
                    method: call.method.clone(),
                    path: call.path.clone(),
                    request: call.request.clone(),
                    status,
                    response: call.response.clone().or_else(looked_up).map(Body::into_value),
                    content_range: call.content_range.clone(),
                })
            }
            _ => None,
        };
        let DeliveryRow { id, event_type, object_id, .. } = &recorded.delivery;
        Recording {
            exchanges: recorded.observations.iter().filter_map(exchange).collect(),
            allow_unrecorded,
            of: format!("delivery {id} ({event_type} {object_id})"),
        }
    }

    /// Where in an object placeholders stand, as dotted paths.
    #[must_use]
    pub fn placeholders_of(object: &Value) -> Vec<String> {
        let mut found = Vec::new();
        placeholders(object, "", &mut found);
        found
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
        (DeliveryState::NoRunner, _) => "its runner was gone before it had fetched the object, and no other has taken it".into(),
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
