use std::any::Any;
use std::error::Error;

use serde_json::json;

use super::dispatch::Category;
use crate::protocol::{Output, TaskResult};

/// The longest report that goes over the wire, in characters; the observation has it whole.
const REPORT_AT_MOST: usize = 4000;

/// What came of a task.
#[derive(Debug)]
pub(super) struct Handled {
    /// As it goes over the wire.
    pub(super) output: Output,
    /// The report, whole, when something broke.
    pub(super) report: Option<String>,
}

impl Handled {
    /// The handler's own answer, and the seconds it took.
    pub(super) fn done(output: Output, runtime: f64) -> Self {
        Self { output: Output { runtime, ..output }, report: None }
    }

    /// Something broke: a task that can come again is to come again, whoever waits for an interactive one is told.
    pub(super) fn broken(category: Category, event_type: &str, report: String) -> Self {
        let cut: String = report.chars().take(REPORT_AT_MOST).collect();
        let output = match category {
            Category::Background | Category::Scheduled => {
                Output { result: TaskResult::Retry, message: Some(cut), ..Output::default() }
            }
            Category::Interactive => {
                // An action's caller sees an HTTP answer; a validation has no body to give.
                let http = matches!(event_type, "product_action_execution" | "product_custom_event_processing");
                let data = http.then(|| json!({"http_status": 400, "headers": null, "body": cut}));
                Output { result: TaskResult::Fail, data, message: Some(cut), ..Output::default() }
            }
            Category::Unknown => Output { result: TaskResult::Fail, message: Some(cut), ..Output::default() },
        };
        Self { output, report: Some(report) }
    }
}

/// An error with all its causes, one a line.
pub(super) fn report(error: &(dyn Error + Send + Sync)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str("\ncaused by: ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// What a panic said.
pub(super) fn panic_report(payload: &(dyn Any + Send)) -> String {
    let said = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    format!("it panicked: {}", said.unwrap_or("(no message)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_report_is_cut_by_characters_on_the_wire_and_kept_whole() {
        let handled = Handled::broken(Category::Background, "e", "ü".repeat(10_000));
        assert_eq!(handled.output.message.unwrap().chars().count(), 4000);
        assert_eq!(handled.report.unwrap().chars().count(), 10_000);
        assert_eq!(handled.output.result, TaskResult::Retry);
    }

    #[test]
    fn a_broken_action_answers_with_status_400_and_a_broken_validation_without_data() {
        let action = Handled::broken(Category::Interactive, "product_action_execution", "boom".into()).output;
        assert_eq!(action.result, TaskResult::Fail);
        assert_eq!(action.data, Some(json!({"http_status": 400, "headers": null, "body": "boom"})));
        let validation = Handled::broken(Category::Interactive, "asset_purchase_request_validation", "boom".into()).output;
        assert_eq!((validation.data, validation.message.as_deref()), (None, Some("boom")));
    }
}
