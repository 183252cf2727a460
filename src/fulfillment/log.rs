use std::collections::BTreeMap;

use serde_json::Value;

use super::Request;
use super::objects::Model;
use crate::observe::{Level, Scope, Secret};

/// A log that can be bound to a request: each line then begins with the request's id.
#[derive(Debug, Clone)]
pub struct Log {
    scope: Scope,
    fields: BTreeMap<&'static str, String>,
}

impl Log {
    /// A log bound to no request.
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        Self { scope, fields: BTreeMap::new() }
    }

    /// The same log, bound to a request. What the request doesn't have is not taken over.
    #[must_use]
    pub fn bind(&self, request: &Request) -> Self {
        let model = request.model();
        let places = [
            ("request_id", "/id"),
            ("request_type", "/type"),
            ("request_status", "/status"),
            ("tier_id", if model == Model::TierConfig { "/configuration/account/id" } else { "/asset/tiers/customer/id" }),
            ("asset_id", "/asset/id"),
            ("tier_config_id", "/configuration/id"),
        ];
        let read = |(name, pointer)| Some((name, request.get(pointer)?.as_str()?.to_owned()));
        let mut fields = self.fields.clone();
        fields.extend(places.into_iter().filter_map(read));
        Self { scope: self.scope.clone(), fields }
    }

    /// What it is bound to: `request_id`, `request_type`, `request_status`, `tier_id`, and `asset_id` or `tier_config_id`.
    #[must_use]
    pub fn fields(&self) -> &BTreeMap<&'static str, String> {
        &self.fields
    }

    /// Logs a line at level DEBUG.
    pub fn debug(&self, message: impl AsRef<str>) {
        self.write(Level::Debug, message.as_ref());
    }

    /// Logs a line at level INFO.
    pub fn info(&self, message: impl AsRef<str>) {
        self.write(Level::Info, message.as_ref());
    }

    /// Logs a line at level WARNING.
    pub fn warning(&self, message: impl AsRef<str>) {
        self.write(Level::Warning, message.as_ref());
    }

    /// Logs a line at level ERROR.
    pub fn error(&self, message: impl AsRef<str>) {
        self.write(Level::Error, message.as_ref());
    }

    fn write(&self, level: Level, message: &str) {
        let line = match self.fields.get("request_id") {
            Some(id) => format!("{id} {message}"),
            None => message.to_owned(),
        };
        self.scope.innermost().log(level, "extension", line);
    }
}

/// A copy in which the values of these members, however deep, are eight stars: neither they nor their length are seen.
///
/// ```
/// use connect_console::fulfillment::mask;
/// use serde_json::json;
///
/// let shown = mask(&json!({"user": "ada", "login": [{"password": "pw"}]}), &["password"]);
/// assert_eq!(shown, json!({"user": "ada", "login": [{"password": "********"}]}));
/// ```
#[must_use]
pub fn mask(data: &Value, members: &[&str]) -> Value {
    match data {
        Value::Object(object) => {
            let masked = |(name, value): (&String, &Value)| {
                let hidden = members.contains(&name.as_str());
                (name.clone(), if hidden { Secret::default().to_string().into() } else { mask(value, members) })
            };
            Value::Object(object.iter().map(masked).collect())
        }
        Value::Array(list) => list.iter().map(|value| mask(value, members)).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::observe::{Fact, Memory};

    fn log() -> (Log, Arc<Memory>) {
        let memory = Arc::new(Memory::default());
        (Log::new(Scope::new(memory.clone())), memory)
    }

    fn lines(memory: &Memory) -> Vec<String> {
        let seen = memory.seen().into_iter();
        seen.filter_map(|o| if let Fact::Log { message, .. } = o.fact { Some(message) } else { None }).collect()
    }

    #[test]
    fn a_log_bound_to_an_asset_request_knows_the_asset_and_its_customer() {
        let request = json!({"id": "PR-1", "type": "purchase", "status": "pending",
            "asset": {"id": "AS-1", "tiers": {"customer": {"id": "TA-1"}}}});
        let (log, _) = log();
        let bound = log.bind(&request.into());
        let fields: Vec<_> = bound.fields().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let expected = ["asset_id=AS-1", "request_id=PR-1", "request_status=pending", "request_type=purchase", "tier_id=TA-1"];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_log_bound_to_a_tier_configuration_request_knows_the_configuration_and_its_account() {
        let request = json!({"id": "TCR-1", "type": "adjustment", "status": "pending",
            "configuration": {"id": "TC-1", "account": {"id": "TA-2"}}});
        let (log, _) = log();
        let bound = log.bind(&request.into());
        assert_eq!(bound.fields().get("tier_config_id").map(String::as_str), Some("TC-1"));
        assert_eq!(bound.fields().get("tier_id").map(String::as_str), Some("TA-2"));
        assert_eq!(bound.fields().get("asset_id"), None);
    }

    #[test]
    fn what_a_request_does_not_have_is_not_bound() {
        let (log, _) = log();
        assert!(log.bind(&json!({}).into()).fields().is_empty());
        assert!(log.bind(&json!("no object").into()).fields().is_empty());
    }

    #[test]
    fn each_line_names_the_request_the_log_is_bound_to() {
        let (log, memory) = log();
        log.bind(&json!({"id": "PR-1"}).into()).info("created");
        log.info("bound to nothing");
        assert_eq!(lines(&memory), ["PR-1 created", "bound to nothing"]);
    }

    #[test]
    fn masked_values_show_neither_themselves_nor_their_length() {
        let data = json!({"a": {"key": "short"}, "list": [{"key": {"deep": 1}}, 2], "other": "seen"});
        let eight = "********";
        assert_eq!(mask(&data, &["key"]), json!({"a": {"key": eight}, "list": [{"key": eight}, 2], "other": "seen"}));
    }
}
