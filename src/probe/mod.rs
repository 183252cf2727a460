//! An extension to test and measure a Connect and a runtime with: it subscribes to everything and does what the
//! object's `note` (a schedule's `parameter.note`) says, in the form `bench:NAME[:ARGUMENT]`.
//!
//! | note | what it does |
//! | --- | --- |
//! | `success`, no note, anything else | it is done; an interactive one returns the request as body |
//! | `fail`, `skip` | fails or skips, with a message |
//! | `reschedule:N`, `slow:N` | comes again after N seconds |
//! | `raise`, `bigraise` | breaks; with a report of 10,000 letters |
//! | `sleep:SECONDS`, `hang` | takes its time, or for ever |
//! | `exit` | ends the process at once |
//! | `log:TEXT` | logs a line |
//! | `config` | fails with the variables as JSON, in clear |
//! | `rest` | approves the request over REST with the product's first fulfillment template |

mod events;
mod note;

use serde_json::json;

use crate::extension::{Background, Context, Extension, HandlerError, Interactive, Scheduled};
use crate::observe::Body;
use note::{Note, Outcome};

/// The probe.
#[must_use]
pub fn extension() -> Extension {
    let mut extension = Extension::new("probe", env!("CARGO_PKG_VERSION"))
        .variable("PLAIN_VAR", "plain-default")
        .secure_variable("SECRET_VAR", "secret-default")
        .schedulable("run_schedule", "Run schedule", "Does what the schedule's parameter.note says.", scheduled);
    for (event_type, statuses) in events::BACKGROUND {
        extension = extension.background(event_type, statuses, background);
    }
    for event_type in events::INTERACTIVE {
        extension = extension.interactive(event_type, &[], interactive);
    }
    extension
}

async fn background(cx: Context, object: Body) -> Result<Background, HandlerError> {
    Ok(match Note::of(object.text_of(&["note"]).as_deref()).act(&cx, &object).await? {
        Outcome::Done => Background::Done,
        Outcome::Fail(why) => Background::Fail(why),
        Outcome::Skip(why) => Background::Skip(Some(why)),
        Outcome::Reschedule(pause) => Background::Reschedule(pause),
        Outcome::SlowReschedule(pause) => Background::SlowReschedule(pause),
    })
}

async fn interactive(cx: Context, data: Body) -> Result<Interactive, HandlerError> {
    Ok(match Note::of(data.text_of(&["note"]).as_deref()).act(&cx, &data).await? {
        Outcome::Fail(why) => Interactive::fail(why, json!({"error": "no"})),
        _ => Interactive::ok(data.into_value()),
    })
}

async fn scheduled(cx: Context, schedule: Body) -> Result<Scheduled, HandlerError> {
    Ok(match Note::of(schedule["parameter"]["note"].as_str()).act(&cx, &schedule).await? {
        Outcome::Fail(why) => Scheduled::Fail(why),
        _ => Scheduled::Done,
    })
}
