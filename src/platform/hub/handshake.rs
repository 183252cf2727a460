//! The setup request, and the configuration it is answered with.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Capabilities, Outgoing, RunnerType};
use crate::observe::{Level, SeenVariable, Timestamp};
use crate::platform::catalogue;
use crate::platform::core::{Core, State};
use crate::platform::state::Write;
use crate::protocol::{Logging, LoggingMeta, Message, SetupRequest, SetupResponse, Variable};

/// The product of the samples: the one the local environment is for.
const PRODUCT: &str = "PRD-276-377-545";

impl Core {
    /// Takes a runner's setup request: creates what it declares, answers with the configuration, lets tasks flow.
    pub(crate) fn set_up(self: &Arc<Self>, number: u64, version: u8, request: &SetupRequest) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let (created, deleted) = state.variables.declare(request.variables.as_deref().unwrap_or_default());
        if created > 0 {
            self.log(Level::Info, format!("{created} variables the extension declares were created with their initial values"));
        }
        if !deleted.is_empty() {
            let names = deleted.join(", ");
            self.log(Level::Info, format!("what was deleted is not created again though the extension declares it: {names}"));
        }
        // The handshake carries them all: only a runner that was here before may not know of a change.
        if state.runners.ready().next().is_none() {
            state.variables.note_change(false);
        }
        let response = Configuration::new(self, state).frame(version);
        let application = state.runners.get(number).and_then(|runner| runner.runner_type?.application());
        let mut capabilities = match application {
            // It has no say in what the events are.
            Some(_) => state.capabilities.clone(),
            None => Capabilities { applications: state.capabilities.applications.clone(), ..Capabilities::of(request) },
        };
        if let Some(name) = application {
            capabilities.applications.insert(name.into(), serde_json::to_value(request).unwrap_or_default());
        }
        self.disk.write(Write::Meta("capabilities", serde_json::to_string(&capabilities).unwrap_or_default()));
        let Some(runner) = state.runners.get_mut(number) else { return };
        let events = if application.is_some() { BTreeMap::new() } else { capabilities.events.clone() };
        let first = runner.subscriptions.replace(events).is_none();
        let schedulables = capabilities.schedulables.iter().filter(|_| application.is_none());
        runner.schedulables = schedulables.map(|s| s.method.clone()).collect();
        runner.version = version;
        // Those its own request created are among the variables it is told now.
        runner.told = Timestamp::now();
        // A send fails only when the socket is gone, which its own task notices.
        let _ = runner.outgoing.send(Outgoing::Frame(response));
        let instance = runner.instance_id.clone();
        let of_type = runner.runner_type;
        // The official runner introduces itself twice, once for each sort of task.
        if matches!(of_type, None | Some(RunnerType::Background)) {
            self.foreign.introduced(&instance, request);
            self.foreign.configured(&instance, false, state.variables.seen());
        }
        state.capabilities = capabilities;
        if first {
            let of_type = of_type.map_or("all tasks", RunnerType::described);
            self.log(Level::Info, format!("runner {instance} connected ({of_type}, {})", describe(request)));
            self.welcome(state, number);
        } else {
            self.send_queued(state);
        }
    }
}

fn describe(request: &SetupRequest) -> String {
    request.runner_version.as_ref().map_or_else(|| "version unknown".into(), |v| format!("version {v}"))
}

/// What runners are to know, as it is now.
pub(crate) struct Configuration(SetupResponse);

impl Configuration {
    /// Puts it together.
    pub(crate) fn new(core: &Core, state: &State) -> Self {
        let access = &core.access;
        let level = || Some("INFO".to_owned());
        let meta = LoggingMeta {
            account_id: Some(access.account_id.clone()),
            account_name: Some("Local developer".into()),
            service_id: Some(access.service_id.clone()),
            products: Some(vec![PRODUCT.into()]),
            ..LoggingMeta::default()
        };
        Self(SetupResponse {
            variables: Some(state.variables.wire()),
            environment_type: Some("development".into()),
            logging: Some(Logging { logging_api_key: None, log_level: level(), runner_log_level: level(), meta: Some(meta) }),
            event_definitions: Some(catalogue::definitions()),
            environment_runtime: Some("local".into()),
            ..SetupResponse::default()
        })
    }

    /// The same with these variables.
    pub(crate) fn with_variables(mut self, variables: &[SeenVariable]) -> Self {
        let wire = |v: &SeenVariable| Variable { name: v.name.clone(), value: v.value.clone(), secure: v.secure };
        self.0.variables = Some(variables.iter().map(wire).collect());
        self
    }

    /// The message for a runner that speaks `version`. In version 1 variables are an object, and there are no event
    /// definitions.
    pub(crate) fn frame(self, version: u8) -> String {
        if version != 1 {
            return Message::SetupResponse(Box::new(self.0)).encode();
        }
        let variables = self.0.variables.into_iter().flatten().map(|v| (v.name, Value::from(v.value)));
        let logging = self.0.logging.unwrap_or_default();
        let meta = logging.meta.unwrap_or_default();
        let data = json!({
            "configuration": variables.collect::<serde_json::Map<_, _>>(), "environment_type": self.0.environment_type,
            "logging_api_key": logging.logging_api_key, "log_level": logging.log_level,
            "runner_log_level": logging.runner_log_level, "repository_tag": meta.repository_tag,
            "account_id": meta.account_id, "account_name": meta.account_name, "service_id": meta.service_id,
            "product_id": meta.products.map(|products| products.join(",")), "hub_id": meta.hub_id,
        });
        json!({"message_type": "configuration", "data": data}).to_string()
    }
}
