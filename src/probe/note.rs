use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::extension::{Context, HandlerError};
use crate::observe::Body;

/// What a note asks for: a name and an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note<'a> {
    name: &'a str,
    argument: &'a str,
}

/// How the probe ends, where it does not break.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Fail(String),
    Skip(String),
    Reschedule(Duration),
    SlowReschedule(Duration),
}

impl<'a> Note<'a> {
    /// Reads `bench:NAME[:ARGUMENT]`; whatever else stands there asks for nothing.
    pub(super) fn of(note: Option<&'a str>) -> Self {
        let text = note.and_then(|text| text.strip_prefix("bench:")).unwrap_or_default();
        let (name, argument) = text.split_once(':').unwrap_or((text, ""));
        Self { name, argument }
    }

    /// Does it. The object is read where that is what is asked for, and nowhere else.
    pub(super) async fn act(&self, cx: &Context, object: &Body) -> Result<Outcome, HandlerError> {
        match self.name {
            "fail" => return Ok(Outcome::Fail("bench says no".into())),
            "skip" => return Ok(Outcome::Skip("bench skips".into())),
            "reschedule" => return Ok(Outcome::Reschedule(self.seconds()?)),
            "slow" => return Ok(Outcome::SlowReschedule(self.seconds()?)),
            "raise" => return Err(format!("bench raises {}", self.argument).trim_end().into()),
            "bigraise" => return Err("x".repeat(10_000).into()),
            "config" => {
                let variables: Map<_, _> = cx.config.iter().map(|(name, value)| (name.into(), value.into())).collect();
                return Ok(Outcome::Fail(Value::Object(variables).to_string()));
            }
            "sleep" => tokio::time::sleep(self.seconds()?).await,
            "hang" => std::future::pending::<()>().await,
            // What is tested with it is a process that is suddenly gone.
            "exit" => std::process::exit(3),
            "log" => cx.info(self.argument),
            "rest" => approve(cx, object).await?,
            _ => {}
        }
        Ok(Outcome::Done)
    }

    fn seconds(&self) -> Result<Duration, HandlerError> {
        let seconds = self.argument.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Ok(seconds.ok_or_else(|| format!("`{}` is no number of seconds", self.argument))?)
    }
}

/// Approves an asset request with its product's first fulfillment template.
async fn approve(cx: &Context, request: &Value) -> Result<(), HandlerError> {
    let text = |value: &Value, what: &str| value.as_str().map(str::to_owned).ok_or_else(|| format!("{what} has no id"));
    let product = text(&request["asset"]["product"]["id"], "the request's product")?;
    let path = format!("products/{product}/templates?eq(scope,asset)&eq(type,fulfillment)&limit=1&offset=0");
    let page = cx.client.page(&path).await?;
    let template = page.items.first().ok_or_else(|| format!("{product} has no fulfillment template for assets"))?;
    let template = text(&template["id"], "the template")?;
    let request = text(&request["id"], "the request")?;
    cx.client.post(&format!("requests/{request}/approve"), Some(&json!({"template_id": template}))).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Some("bench:log:a: b"), "log", "a: b")]
    #[case(Some("bench:fail"), "fail", "")]
    #[case(Some("fail"), "", "")]
    #[case(None, "", "")]
    fn a_note_is_a_name_and_an_argument(#[case] note: Option<&str>, #[case] name: &str, #[case] argument: &str) {
        assert_eq!(Note::of(note), Note { name, argument });
    }

    #[rstest]
    #[case("-1")]
    #[case("soon")]
    #[case("")]
    #[case("NaN")]
    #[case("1e300")]
    fn what_is_no_number_of_seconds_is_told_as_it_stands_there(#[case] argument: &str) {
        let refused = Note { name: "sleep", argument }.seconds().unwrap_err().to_string();
        assert_eq!(refused, format!("`{argument}` is no number of seconds"));
        assert_eq!(Note { name: "sleep", argument: "0.5" }.seconds().unwrap(), Duration::from_millis(500));
    }
}
