use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bson::spec::BinarySubtype;
use bson::{Binary, DateTime, RawDocumentBuf, rawdoc};

/// A session nobody uses for this long is forgotten, as the server says in its `hello`: half an hour, in milliseconds.
const LIFE: i64 = 30 * 60 * 1_000;

/// More than these are not remembered: the oldest go.
const MOST: usize = 10_000;

/// The logical sessions clients have used lately. Nothing depends on them; they can be listed.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Sessions(Mutex<HashMap<Vec<u8>, i64>>);

impl Sessions {
    /// A command came in a session.
    pub(in crate::sandbox) fn touch(&self, id: &[u8]) {
        let now = DateTime::now().timestamp_millis();
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = used.get_mut(id) {
            *last = now;
            return;
        }
        if used.len() >= MOST {
            used.retain(|_, last| now - *last < LIFE);
        }
        if used.len() < MOST {
            used.insert(id.to_vec(), now);
        }
    }

    /// The sessions, as `$listLocalSessions` answers them.
    pub(in crate::sandbox) fn list(&self) -> Vec<RawDocumentBuf> {
        let now = DateTime::now().timestamp_millis();
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = used.iter().filter(|(_, last)| now - **last < LIFE);
        let one = |(id, last): (&Vec<u8>, &i64)| {
            let id = Binary { subtype: BinarySubtype::Uuid, bytes: id.clone() };
            rawdoc! { "_id": { "id": id }, "lastUse": DateTime::from_millis(*last) }
        };
        alive.map(one).collect()
    }
}
