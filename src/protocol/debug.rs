//! `Debug` of the messages that carry secrets: everything but those.

use std::fmt::{Debug, Formatter, Result};

use super::{Logging, TaskOptions, Variable};

/// How many characters of a rejected frame are shown.
const EXCERPT: usize = 200;

/// How a rejected frame begins. A configuration or a key that came in a broken one is still a secret; a task of an
/// extension of one account says that it has no key.
pub(crate) fn excerpt(frame: &str) -> String {
    let keys = frame.matches("api_key").count();
    let none: usize = [r#""api_key": null"#, r#""api_key":null"#].iter().map(|none| frame.matches(none).count()).sum();
    let secret = keys > none || ["variables", "configuration"].iter().any(|word| frame.contains(word));
    if secret { "(not shown: it may hold secrets)".into() } else { frame.chars().take(EXCERPT).collect() }
}

/// Says whether there is a secret, not which.
fn hidden<T>(secret: Option<&T>) -> Option<&'static str> {
    secret.map(|_| "********")
}

impl Debug for TaskOptions {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("TaskOptions")
            .field("task_id", &self.task_id)
            .field("task_category", &self.task_category)
            .field("correlation_id", &self.correlation_id)
            .field("reply_to", &self.reply_to)
            .field("api_key", &hidden(self.api_key.as_ref()))
            .field("installation_id", &self.installation_id)
            .field("connect_correlation_id", &self.connect_correlation_id)
            .finish()
    }
}

impl Debug for Variable {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let value = if self.secure { "********" } else { &self.value };
        f.debug_struct("Variable").field("name", &self.name).field("value", &value).field("secure", &self.secure).finish()
    }
}

impl Debug for Logging {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Logging")
            .field("logging_api_key", &hidden(self.logging_api_key.as_ref()))
            .field("log_level", &self.log_level)
            .field("runner_log_level", &self.runner_log_level)
            .field("meta", &self.meta)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(r#"{"options": {"api_key": "zebra"}, "more": {"api_key": null}}"#, false)]
    #[case(r#"{"logging_api_key":"zebra"}"#, false)]
    #[case(r#"{"variables": ["zebra"]}"#, false)]
    #[case(r#"{"options":{"api_key":null},"input":7}"#, true)]
    #[case("nonsense", true)]
    fn a_rejected_frame_is_shown_unless_it_may_hold_a_secret(#[case] frame: &str, #[case] shown: bool) {
        assert_eq!(excerpt(frame) == frame, shown, "{}", excerpt(frame));
        assert!(!excerpt(frame).contains("zebra"));
    }

    #[test]
    fn no_message_shows_a_secret_when_it_is_printed() {
        let options = TaskOptions { api_key: Some("ApiKey SU-1:zebra".into()), ..TaskOptions::default() };
        let variable = Variable { name: "TOKEN".into(), value: "zebra".into(), secure: true };
        let logging = Logging { logging_api_key: Some("zebra".into()), ..Logging::default() };
        assert!(!format!("{options:?} {variable:?} {logging:?}").contains("zebra"));
        let plain = Variable { secure: false, ..variable };
        assert!(format!("{plain:?}").contains("zebra"), "a plain variable is shown");
    }
}
