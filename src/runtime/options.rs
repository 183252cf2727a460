use std::path::PathBuf;
use std::time::Duration;

use super::RuntimeError;
use crate::observe::Secret;

/// Which Connect to serve, and how.
#[derive(Debug, Clone)]
pub struct RuntimeOptions {
    /// The complete value of the `Authorization` header.
    pub api_key: Secret,
    /// `ENV-...`
    pub environment_id: String,
    /// Names this process to Connect.
    pub instance_id: String,
    /// Host and port of the WebSocket.
    pub server_address: String,
    /// Host and port of the REST API.
    pub api_address: String,
    /// `ws://` and `http://` in place of `wss://` and `https://`: for a Connect on this machine.
    pub unsecure: bool,
    /// The file that keeps results until they are sent. One runtime, one file.
    pub outbox: PathBuf,
    /// Times and sizes.
    pub limits: Limits,
}

/// Times and sizes; the times of handlers from the same environment variables as the official runner's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The longest a background handler may take (`BACKGROUND_TASK_MAX_EXECUTION_TIME`, 300 s).
    pub background: Duration,
    /// The longest an interactive handler may take (`INTERACTIVE_TASK_MAX_EXECUTION_TIME`, 120 s).
    pub interactive: Duration,
    /// The longest a schedulable method may take (`SCHEDULED_TASK_MAX_EXECUTION_TIME`, 12 h).
    pub scheduled: Duration,
    /// How many tasks of one category are handled at a time (64).
    pub concurrency: usize,
    /// How many KiB of waiting tasks are kept in memory before no more are read (64 MiB).
    pub backlog_kib: usize,
    /// How long the link may be silent before it is asked for a sign of life (20 s); after three times that without
    /// one it is dead.
    pub keepalive: Duration,
    /// How long running handlers are waited for when the runtime is stopped, by a signal say (20 s).
    pub grace: Duration,
    /// How long they are waited for when Connect asks the extension to stop: what a background handler may take and 90 s
    /// more, as the official runner does (390 s). Stopping the runtime meanwhile shortens it to `grace`.
    pub drain: Duration,
}

/// What is added to a background handler's time for its result to go out (the official runner's value).
const FOR_RESULTS: Duration = Duration::from_secs(90);

impl Default for Limits {
    fn default() -> Self {
        Self {
            background: Duration::from_secs(300),
            interactive: Duration::from_secs(120),
            scheduled: Duration::from_secs(12 * 60 * 60),
            concurrency: 64,
            backlog_kib: 64 * 1024,
            keepalive: Duration::from_secs(20),
            grace: Duration::from_secs(20),
            drain: Duration::from_secs(300) + FOR_RESULTS,
        }
    }
}

impl Limits {
    /// The limits the official runner's environment variables give.
    ///
    /// # Errors
    /// [`RuntimeError::Environment`] names the variable that is wrong.
    pub fn from_env() -> Result<Self, RuntimeError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, RuntimeError> {
        let seconds = |name: &str, default: Duration| match variable(name).as_deref().map(str::trim) {
            None | Some("") => Ok(default),
            Some(text) => text.parse().map(Duration::from_secs).map_err(|_| {
                RuntimeError::Environment(format!("{name} is `{text}`: set it to a whole number of seconds, or not at all"))
            }),
        };
        let default = Self::default();
        let background = seconds("BACKGROUND_TASK_MAX_EXECUTION_TIME", default.background)?;
        Ok(Self {
            background,
            interactive: seconds("INTERACTIVE_TASK_MAX_EXECUTION_TIME", default.interactive)?,
            scheduled: seconds("SCHEDULED_TASK_MAX_EXECUTION_TIME", default.scheduled)?,
            drain: background.saturating_add(FOR_RESULTS),
            ..default
        })
    }
}

impl RuntimeOptions {
    /// The options the official runner's environment variables give: `API_KEY`, `ENVIRONMENT_ID`, `INSTANCE_ID`,
    /// `SERVER_ADDRESS`, `API_ADDRESS` and the limits' names. The outbox lies in the user's state directory.
    ///
    /// # Errors
    /// [`RuntimeError::Environment`] names the variable that is missing or wrong.
    pub fn from_env() -> Result<Self, RuntimeError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// The same from any source of variables.
    ///
    /// # Errors
    /// [`RuntimeError::Environment`] names the variable that is missing or wrong.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, RuntimeError> {
        let set = |name: &str| variable(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let wrong = |text: &str| RuntimeError::Environment(text.into());
        let api_key = set("API_KEY").map(Secret::from).ok_or_else(|| {
            wrong("API_KEY is not set: set it to the complete key of the extension's environment, `ApiKey SU-...:...`")
        })?;
        let environment_id = set("ENVIRONMENT_ID")
            .ok_or_else(|| wrong("ENVIRONMENT_ID is not set: set it to the environment to serve, `ENV-0000-0000-01`"))?;
        let instance_id = set("INSTANCE_ID").unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
        for (name, id) in [("ENVIRONMENT_ID", &environment_id), ("INSTANCE_ID", &instance_id)] {
            if !id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
                return Err(wrong(&format!(
                    "{name} is `{id}`: only letters, digits, `-`, `_` and `.` can be part of an address"
                )));
            }
        }
        let server_address = set("SERVER_ADDRESS").unwrap_or_else(|| "api.cnct.info".into());
        let api_address = set("API_ADDRESS").unwrap_or_else(|| server_address.clone());
        for (name, address) in [("SERVER_ADDRESS", &server_address), ("API_ADDRESS", &api_address)] {
            if address.contains(|c: char| "/?#@".contains(c) || c.is_whitespace()) {
                return Err(wrong(&format!(
                    "{name} is `{address}`: set it to the host alone, with its port where it needs one, such as `api.cnct.info`"
                )));
            }
        }
        let limits = Limits::from_variables(&variable)?;
        let state = set("XDG_STATE_HOME")
            .map(PathBuf::from)
            .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".local/state")))
            .unwrap_or_else(std::env::temp_dir);
        let outbox = state.join("connect-console").join(format!("{environment_id}.outbox"));
        Ok(Self { api_key, environment_id, instance_id, server_address, api_address, unsecure: false, outbox, limits })
    }

    /// Where the REST API is.
    #[must_use]
    pub fn api_base(&self) -> String {
        let scheme = if self.unsecure { "http" } else { "https" };
        format!("{scheme}://{}/public/v1", self.api_address)
    }

    /// Where the WebSocket is, with what the runner says about itself in the query.
    pub(super) fn socket_url(&self, running: usize, running_scheduled: usize) -> String {
        let scheme = if self.unsecure { "ws" } else { "wss" };
        let Self { server_address, environment_id, instance_id, .. } = self;
        format!(
            "{scheme}://{server_address}/public/v1/devops/ws/{environment_id}/{instance_id}\
             ?running_tasks={running}&running_scheduled_tasks={running_scheduled}"
        )
    }

    /// Who is calling, in the form of the official runner's `User-Agent`.
    pub(super) fn user_agent(&self) -> String {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        let version = env!("CARGO_PKG_VERSION");
        format!("connect-console/{version} rust {os}/{arch} {}/{}", self.environment_id, self.instance_id)
    }

    /// The extension's id as its environment's tells it: `ENV-1234-5678-01` is one of `SRVC-1234-5678`'s.
    pub(super) fn service_id(&self) -> String {
        let id = self.environment_id.strip_prefix("ENV-").unwrap_or(&self.environment_id);
        format!("SRVC-{}", id.rsplit_once('-').map_or(id, |(service, _)| service))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Result<RuntimeOptions, RuntimeError> {
        let variables: HashMap<_, _> = pairs.iter().copied().collect();
        RuntimeOptions::from_variables(|name| variables.get(name).map(|v| (*v).to_owned()))
    }

    #[test]
    fn the_official_runners_variables_are_understood() {
        let options = from(&[
            ("API_KEY", "ApiKey SU-1:zebra"),
            ("ENVIRONMENT_ID", "ENV-1234-5678-01"),
            ("INSTANCE_ID", "i1"),
            ("SERVER_ADDRESS", "localhost:9000"),
            ("INTERACTIVE_TASK_MAX_EXECUTION_TIME", "7"),
        ])
        .unwrap();
        assert_eq!(options.api_base(), "https://localhost:9000/public/v1");
        assert_eq!(options.service_id(), "SRVC-1234-5678");
        assert_eq!(options.limits.interactive, Duration::from_secs(7));
        assert_eq!(options.limits.drain, Duration::from_secs(390));
        assert_eq!(options.limits, Limits { interactive: Duration::from_secs(7), ..Limits::default() });
        let quick = [("API_KEY", "k"), ("ENVIRONMENT_ID", "ENV-1"), ("BACKGROUND_TASK_MAX_EXECUTION_TIME", "10")];
        assert_eq!(from(&quick).unwrap().limits.drain, Duration::from_secs(100));
        assert_eq!(
            options.socket_url(2, 1),
            "wss://localhost:9000/public/v1/devops/ws/ENV-1234-5678-01/i1?running_tasks=2&running_scheduled_tasks=1"
        );
        assert!(!format!("{options:?}").contains("zebra"));
    }

    #[rstest::rstest]
    #[case("SERVER_ADDRESS", "https://api.cnct.info")]
    #[case("API_ADDRESS", "api.cnct.info/public/v1")]
    #[case("SERVER_ADDRESS", "me@host")]
    fn an_address_that_is_more_than_a_host_is_refused_by_name(#[case] variable: &str, #[case] address: &str) {
        let error = from(&[("API_KEY", "k"), ("ENVIRONMENT_ID", "ENV-1"), (variable, address)]).unwrap_err().to_string();
        assert!(error.contains(variable) && error.contains(address) && error.contains("the host alone"), "{error}");
    }

    #[rstest::rstest]
    #[case("BACKGROUND_TASK_MAX_EXECUTION_TIME", |l: &Limits| l.background, 300)]
    #[case("INTERACTIVE_TASK_MAX_EXECUTION_TIME", |l: &Limits| l.interactive, 120)]
    #[case("SCHEDULED_TASK_MAX_EXECUTION_TIME", |l: &Limits| l.scheduled, 43_200)]
    fn every_category_has_its_time_from_the_variable_of_the_official_runner(
        #[case] variable: &str,
        #[case] time: fn(&Limits) -> Duration,
        #[case] otherwise: u64,
    ) {
        let needed = [("API_KEY", "k"), ("ENVIRONMENT_ID", "ENV-1-2-3")];
        assert_eq!(time(&from(&needed).unwrap().limits).as_secs(), otherwise);
        assert_eq!(time(&from(&[needed[0], needed[1], (variable, "7")]).unwrap().limits).as_secs(), 7);
        assert!(from(&[needed[0], needed[1], (variable, "-1")]).unwrap_err().to_string().starts_with(variable));
    }

    #[test]
    fn what_is_missing_or_wrong_is_said_by_name() {
        let message = |pairs: &[(&str, &str)]| from(pairs).unwrap_err().to_string();
        assert!(message(&[]).starts_with("API_KEY is not set"));
        assert!(message(&[("API_KEY", "k")]).starts_with("ENVIRONMENT_ID is not set"));
        let odd = [("API_KEY", "k"), ("ENVIRONMENT_ID", "ENV-1"), ("BACKGROUND_TASK_MAX_EXECUTION_TIME", "soon")];
        assert!(message(&odd).starts_with("BACKGROUND_TASK_MAX_EXECUTION_TIME is `soon`"));
        assert!(message(&[("API_KEY", "k"), ("ENVIRONMENT_ID", "ENV/1")]).starts_with("ENVIRONMENT_ID is `ENV/1`"));
    }

    #[test]
    fn without_more_the_official_address_is_used_and_every_process_has_its_own_instance() {
        let minimal = [("API_KEY", "k"), ("ENVIRONMENT_ID", "ENV-1-2-3")];
        let (one, other) = (from(&minimal).unwrap(), from(&minimal).unwrap());
        assert_eq!((one.server_address.as_str(), one.api_address.as_str()), ("api.cnct.info", "api.cnct.info"));
        assert_ne!(one.instance_id, other.instance_id);
    }
}
