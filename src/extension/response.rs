use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::protocol::{Output, TaskResult};

/// The shortest pause before a rescheduled task comes back (`connect-eaas-core`, `BackgroundResponse.reschedule`).
const RESCHEDULE_AT_LEAST: u64 = 30;
/// The shortest pause of the slow variant.
const SLOW_RESCHEDULE_AT_LEAST: u64 = 300;

/// The answer to a background event.
///
/// ```
/// use connect_console::extension::Background;
/// use std::time::Duration;
///
/// // Connect takes no pause of less than 30 s.
/// assert_eq!(Background::Reschedule(Duration::from_secs(5)).output().countdown, 30);
/// assert_eq!(Background::Fail("no licence left".into()).output().message.as_deref(), Some("no licence left"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Background {
    /// Done.
    Done,
    /// Not interesting, and why.
    Skip(Option<String>),
    /// Done with failure, and why. Not tried again.
    Fail(String),
    /// Deliver it again after this pause; less than 30 s is raised to 30 s.
    Reschedule(Duration),
    /// The same for slow processes; less than 300 s is raised to 300 s.
    SlowReschedule(Duration),
}

impl Background {
    /// The answer as it goes over the wire.
    #[must_use]
    pub fn output(&self) -> Output {
        let plain = |result, message| Output { result, message, ..Output::default() };
        let again = |pause: &Duration, least: u64| Output {
            result: TaskResult::Reschedule,
            countdown: pause.as_secs().max(least),
            ..Output::default()
        };
        match self {
            Self::Done => plain(TaskResult::Success, None),
            Self::Skip(why) => plain(TaskResult::Skip, why.clone()),
            Self::Fail(why) => plain(TaskResult::Fail, Some(why.clone())),
            Self::Reschedule(pause) => again(pause, RESCHEDULE_AT_LEAST),
            Self::SlowReschedule(pause) => again(pause, SLOW_RESCHEDULE_AT_LEAST),
        }
    }
}

/// The answer to an interactive event: an HTTP answer in the small.
///
/// ```
/// use connect_console::extension::{Context, Extension, HandlerError, Interactive};
/// use serde_json::{Value, json};
///
/// async fn action(_: Context, data: Value) -> Result<Interactive, HandlerError> {
///     Ok(match data["email"].as_str() {
///         Some(email) => Interactive::ok(json!({"sent_to": email})),
///         None => Interactive::fail("no address", json!({"error": "email is missing"})),
///     })
/// }
///
/// let extension = Extension::new("x", "1").interactive("product_action_execution", &[], action);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Interactive {
    /// The HTTP status.
    pub http_status: u16,
    /// Headers, where there are any.
    pub headers: Option<BTreeMap<String, String>>,
    /// The body; a validation returns the request, with `value_error` on the wrong parameters.
    pub body: Value,
    /// Set when it failed, and why.
    pub failed: Option<String>,
}

impl Interactive {
    /// Status 200 with a body.
    #[must_use]
    pub fn ok(body: Value) -> Self {
        Self { http_status: 200, headers: None, body, failed: None }
    }

    /// Status 400 with a body and a reason.
    pub fn fail(message: impl Into<String>, body: Value) -> Self {
        Self { http_status: 400, headers: None, body, failed: Some(message.into()) }
    }

    /// The answer as it goes over the wire.
    #[must_use]
    pub fn output(&self) -> Output {
        Output {
            result: if self.failed.is_some() { TaskResult::Fail } else { TaskResult::Success },
            data: Some(json!({"http_status": self.http_status, "headers": self.headers, "body": self.body})),
            message: self.failed.clone(),
            ..Output::default()
        }
    }
}

/// The answer of a schedulable method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheduled {
    /// Done.
    Done,
    /// Failed, and why.
    Fail(String),
}

impl Scheduled {
    /// The answer as it goes over the wire.
    #[must_use]
    pub fn output(&self) -> Output {
        match self {
            Self::Done => Output::default(),
            Self::Fail(why) => Output { result: TaskResult::Fail, message: Some(why.clone()), ..Output::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reschedule_below_thirty_seconds_is_raised_to_thirty() {
        assert_eq!(Background::Reschedule(Duration::from_secs(1)).output().countdown, 30);
        assert_eq!(Background::Reschedule(Duration::from_secs(31)).output().countdown, 31);
    }

    #[test]
    fn a_slow_reschedule_below_three_hundred_seconds_is_raised_to_three_hundred() {
        assert_eq!(Background::SlowReschedule(Duration::ZERO).output().countdown, 300);
    }

    #[test]
    fn an_interactive_failure_carries_status_body_and_reason() {
        let output = Interactive::fail("no", json!({"a": 1})).output();
        assert_eq!(output.result, TaskResult::Fail);
        assert_eq!(output.message.as_deref(), Some("no"));
        assert_eq!(output.data, Some(json!({"http_status": 400, "headers": null, "body": {"a": 1}})));
    }
}
