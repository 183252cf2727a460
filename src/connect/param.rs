use serde_json::{Map, Value};

/// What is to be written into a parameter. What isn't said stays as it is.
///
/// ```
/// use connect_console::connect::Param;
/// use serde_json::json;
///
/// assert_eq!(Param::new("seats").value("10").body(), json!({"id": "seats", "value": "10"}));
/// assert_eq!(Param::new("tags").value(json!(["a"])).body(), json!({"id": "tags", "structured_value": ["a"]}));
/// assert_eq!(Param::new("seats").error("too many").body(), json!({"id": "seats", "value_error": "too many"}));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Param(Map<String, Value>);

impl Param {
    /// The parameter of this id.
    pub fn new(id: impl Into<String>) -> Self {
        Self(Map::from_iter([("id".to_owned(), Value::from(id.into()))]))
    }

    /// Its value: objects and lists become its `structured_value`, everything else its `value`.
    #[must_use]
    pub fn value(self, value: impl Into<Value>) -> Self {
        match value.into() {
            value @ (Value::Object(_) | Value::Array(_)) => self.with("structured_value", value),
            value => self.with("value", value),
        }
    }

    /// What is wrong with its value.
    #[must_use]
    pub fn error(self, what: impl Into<String>) -> Self {
        self.with("value_error", what.into())
    }

    /// Another member of it: `title`, `description`, `type`, ... `null` writes nothing.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if !value.is_null() {
            self.0.insert(member.into(), value);
        }
        self
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.get("id").and_then(Value::as_str).unwrap_or_default()
    }

    /// As it is sent.
    #[must_use]
    pub fn body(&self) -> Value {
        self.0.clone().into()
    }

    pub(super) fn bodies(params: &[Self]) -> Vec<Value> {
        params.iter().map(Self::body).collect()
    }
}
