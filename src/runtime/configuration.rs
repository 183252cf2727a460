use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::extension::Config;
use crate::observe::SeenVariable;
use crate::protocol::{Definition, SetupResponse};

/// What Connect has told this runtime so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Configuration {
    /// How many configurations were taken over; 0: none yet.
    pub(super) generation: u64,
    pub(super) variables: Arc<Vec<SeenVariable>>,
    pub(super) config: Config,
    pub(super) environment_type: Arc<str>,
    /// `SRVC-...`, if Connect said it.
    pub(super) service_id: Option<Arc<str>>,
    definitions: Arc<HashMap<String, Definition>>,
}

impl Configuration {
    /// The configuration after `message`. What a message has is replaced, an empty list by nothing at all; what it
    /// has not (absent or null) stays as it was.
    pub(super) fn merge(&self, message: SetupResponse) -> Self {
        let mut new = self.clone();
        new.generation += 1;
        if let Some(variables) = message.variables {
            let values: BTreeMap<_, _> = variables.iter().map(|v| (v.name.clone(), v.value.clone())).collect();
            new.config = Config::new(values);
            let seen = |v: crate::protocol::Variable| SeenVariable { name: v.name, value: v.value, secure: v.secure };
            new.variables = Arc::new(variables.into_iter().map(seen).collect());
        }
        if let Some(environment_type) = message.environment_type {
            new.environment_type = environment_type.into();
        }
        if let Some(definitions) = message.event_definitions {
            new.definitions = Arc::new(definitions.into_iter().map(|d| (d.event_type.clone(), d)).collect());
        }
        if let Some(service_id) = message.logging.and_then(|l| l.meta).and_then(|m| m.service_id).filter(|id| !id.is_empty()) {
            new.service_id = Some(service_id.into());
        }
        new
    }

    /// How objects of an event type are looked up.
    pub(super) fn definition(&self, event_type: &str) -> Option<&Definition> {
        self.definitions.get(event_type)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn response(body: serde_json::Value) -> SetupResponse {
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn an_empty_list_of_variables_empties_and_an_absent_one_keeps() {
        let one = Configuration::default().merge(response(json!({"variables": [{"name": "A", "value": "1", "secure": true}]})));
        assert_eq!(one.config.get("A"), Some("1"));
        let kept = one.merge(response(json!({"variables": null, "environment_type": "test"})));
        assert_eq!((kept.config.get("A"), &*kept.environment_type), (Some("1"), "test"));
        let emptied = kept.merge(response(json!({"variables": []})));
        assert_eq!((emptied.config.get("A"), emptied.variables.len(), emptied.generation), (None, 0, 3));
        assert_eq!(&*emptied.environment_type, "test");
    }

    #[test]
    fn event_definitions_can_be_replaced() {
        let definition = |endpoint: &str| {
            response(json!({"event_definitions": [{"event_type": "e", "api_resource_endpoint": endpoint,
                "api_collection_endpoint": "r", "api_collection_filter": ""}]}))
        };
        let old = Configuration::default().merge(definition("old/{pk}"));
        let new = old.merge(definition("new/{pk}"));
        assert_eq!(new.definition("e").unwrap().api_resource_endpoint, "new/{pk}");
    }
}
