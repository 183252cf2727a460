//! The setup request, and the configuration it is answered with.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Outgoing, RunnerType};
use crate::observe::Level;
use crate::platform::catalogue;
use crate::platform::core::{Core, State};
use crate::protocol::{Logging, LoggingMeta, Message, SetupRequest, SetupResponse};

/// The product of the samples: the one the local environment is for.
const PRODUCT: &str = "PRD-276-377-545";

impl Core {
    /// Takes a runner's setup request: creates what it declares, answers with the configuration, lets tasks flow.
    pub(crate) fn set_up(self: &Arc<Self>, number: u64, request: &SetupRequest) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let created = state.variables.declare(request.variables.as_deref().unwrap_or_default());
        if created > 0 {
            self.log(Level::Info, format!("{created} variables the extension declares were created with their initial values"));
        }
        // The handshake carries them all: only a runner that was here before may not know of a change.
        if state.runners.ready().next().is_none() {
            state.variables.note_change(false);
        }
        let response = configuration(self, state);
        let Some(runner) = state.runners.get_mut(number) else { return };
        let first = runner.subscriptions.replace(subscriptions(request)).is_none();
        runner.schedulables = request.schedulables.iter().flatten().map(|s| s.method.clone()).collect();
        // A send fails only when the socket is gone, which its own task notices.
        let _ = runner.outgoing.send(Outgoing::Frame(response));
        let instance = runner.instance_id.clone();
        // The official runner introduces itself twice, once for each sort of task.
        if runner.runner_type != Some(RunnerType::Interactive) {
            self.foreign.introduced(&instance, request, state.variables.seen());
        }
        if first {
            let of_type =
                runner.runner_type.map_or("all", |t| if t == RunnerType::Background { "background" } else { "interactive" });
            self.log(Level::Info, format!("runner {instance} connected ({of_type} tasks, {})", version(request)));
            self.welcome(state, number);
        } else {
            Self::send_queued(state);
        }
    }
}

fn version(request: &SetupRequest) -> String {
    request.runner_version.as_ref().map_or_else(|| "version unknown".into(), |v| format!("version {v}"))
}

fn subscriptions(request: &SetupRequest) -> BTreeMap<String, Vec<String>> {
    let statuses = |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect();
    request.event_subscriptions.iter().flatten().map(|(event, value)| (event.clone(), statuses(value))).collect()
}

/// The setup response as it is now.
pub(crate) fn configuration(core: &Core, state: &State) -> String {
    let access = &core.access;
    let level = || Some("INFO".to_owned());
    let meta = LoggingMeta {
        account_id: Some(access.account_id.clone()),
        account_name: Some("Local developer".into()),
        service_id: Some(access.service_id.clone()),
        products: Some(vec![PRODUCT.into()]),
        ..LoggingMeta::default()
    };
    let response = SetupResponse {
        variables: Some(state.variables.wire()),
        environment_type: Some("development".into()),
        logging: Some(Logging { logging_api_key: None, log_level: level(), runner_log_level: level(), meta: Some(meta) }),
        event_definitions: Some(catalogue::definitions()),
        environment_runtime: Some("local".into()),
        ..SetupResponse::default()
    };
    Message::SetupResponse(Box::new(response)).encode()
}
