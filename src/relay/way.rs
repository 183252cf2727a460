//! Which of the guest's workers a connection is of, and where it leads.

use crate::runtime::RuntimeOptions;

/// What stands in the path of a connection that is not for events.
const APPLICATIONS: [&str; 3] = ["webapp", "anvilapp", "tfnapp"];

/// One of the guest's workers: it keeps its way to Connect when its socket is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    /// What the guest calls itself.
    pub(super) instance: String,
    /// `background`, `interactive`, `events` for both in one, or the sort of application.
    pub(super) worker: &'static str,
}

impl Way {
    /// The way of an upgrade request to `/public/v1/devops/ws/{environment}/{instance}[/{application}]`; `None` where no
    /// runner goes.
    pub(super) fn of(environment: &str, path: &str, query: &str) -> Option<Self> {
        let rest = path.strip_prefix("/public/v1/devops/ws/")?.strip_prefix(environment)?.strip_prefix('/')?;
        let (instance, application) = rest.split_once('/').map_or((rest, None), |(instance, app)| (instance, Some(app)));
        let worker = match application {
            Some(application) => APPLICATIONS.iter().find(|known| **known == application)?,
            None => match query.split('&').find_map(|pair| pair.strip_prefix("runner_type=")) {
                Some("background") => "background",
                Some("interactive") => "interactive",
                _ => "events",
            },
        };
        (!instance.is_empty()).then(|| Self { instance: instance.into(), worker })
    }

    /// Whether its setup request says what the extension is: the official runner sends the same one twice.
    pub(super) fn introduces(&self) -> bool {
        matches!(self.worker, "background" | "events")
    }

    /// The address at Connect, with the tasks in hand for a worker of events.
    pub(super) fn url(&self, connect: &RuntimeOptions, running: usize, scheduled: usize) -> String {
        let scheme = if connect.unsecure { "ws" } else { "wss" };
        let RuntimeOptions { server_address, environment_id, .. } = connect;
        let base = format!("{scheme}://{server_address}/public/v1/devops/ws/{environment_id}/{}", self.instance);
        if APPLICATIONS.contains(&self.worker) {
            return format!("{base}/{}", self.worker);
        }
        let kind = if self.worker == "events" { String::new() } else { format!("&runner_type={}", self.worker) };
        format!("{base}?running_tasks={running}&running_scheduled_tasks={scheduled}{kind}")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ENVIRONMENT: &str = "ENV-1-2-3";

    fn connect() -> RuntimeOptions {
        let variable = |name: &str| match name {
            "API_KEY" => Some("k".into()),
            "ENVIRONMENT_ID" => Some(ENVIRONMENT.into()),
            _ => None,
        };
        RuntimeOptions::from_variables(variable).unwrap()
    }

    #[rstest]
    #[case("i", "runner_type=background", "i?running_tasks=2&running_scheduled_tasks=1&runner_type=background")]
    #[case("i", "running_tasks=7&runner_type=interactive", "i?running_tasks=2&running_scheduled_tasks=1&runner_type=interactive")]
    #[case("i", "", "i?running_tasks=2&running_scheduled_tasks=1")]
    #[case("i/webapp", "", "i/webapp")]
    #[case("i/tfnapp", "", "i/tfnapp")]
    fn a_worker_reaches_its_own_place_at_connect(#[case] path: &str, #[case] query: &str, #[case] expected: &str) {
        let way = Way::of(ENVIRONMENT, &format!("/public/v1/devops/ws/{ENVIRONMENT}/{path}"), query).unwrap();
        let base = format!("wss://api.cnct.info/public/v1/devops/ws/{ENVIRONMENT}/");
        assert_eq!(way.url(&connect(), 2, 1), format!("{base}{expected}"));
    }

    #[rstest]
    #[case("/public/v1/devops/ws/ENV-9-9-9/i")]
    #[case("/public/v1/devops/ws/ENV-1-2-3/")]
    #[case("/public/v1/devops/ws/ENV-1-2-3/i/else")]
    #[case("/public/v1/requests")]
    fn where_no_runner_goes_there_is_no_way(#[case] path: &str) {
        assert_eq!(Way::of(ENVIRONMENT, path, ""), None);
    }
}
