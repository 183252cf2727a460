use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// The request on its way through a saga: one JSON value, shared. What a middleware or a transaction changes in it,
/// everybody after sees, and so does the caller. Clones are the same request.
///
/// ```
/// use connect_console::fulfillment::Request;
/// use serde_json::json;
///
/// let request = Request::from(json!({"id": "PR-1", "status": "pending", "asset": {"id": "AS-1"}}));
/// let same = request.clone();
/// same.update(|raw| raw["asset"]["external_uid"] = "u-1".into());
/// assert_eq!(request.get("/asset/external_uid"), Some(json!("u-1")));
/// assert_eq!((request.status(), request.asset().id()), ("pending".to_owned(), "AS-1"));
/// ```
#[derive(Clone, Default)]
pub struct Request(Arc<Mutex<Value>>);

impl Request {
    /// Its id, `PR-...`; empty where it has none.
    #[must_use]
    pub fn id(&self) -> String {
        self.text("/id")
    }

    /// Its status: `pending`, `inquiring`, ...; empty where it has none.
    #[must_use]
    pub fn status(&self) -> String {
        self.text("/status")
    }

    /// Its type: `purchase`, `change`, ...; empty where it has none.
    #[must_use]
    pub fn request_type(&self) -> String {
        self.text("/type")
    }

    /// A copy of all of it.
    #[must_use]
    pub fn raw(&self) -> Value {
        self.read(Value::clone)
    }

    /// A copy of the member at a JSON pointer: `request.get("/asset/id")`.
    #[must_use]
    pub fn get(&self, pointer: &str) -> Option<Value> {
        self.read(|raw| raw.pointer(pointer).cloned())
    }

    /// Changes it in place. The closure must not use this request again: it is locked meanwhile.
    pub fn update<R>(&self, change: impl FnOnce(&mut Value) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn read<R>(&self, look: impl FnOnce(&Value) -> R) -> R {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn text(&self, pointer: &str) -> String {
        self.read(|raw| raw.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned())
    }
}

impl From<Value> for Request {
    fn from(raw: Value) -> Self {
        Self(Arc::new(Mutex::new(raw)))
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Request").field(&self.id()).finish()
    }
}
