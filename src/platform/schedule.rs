//! When schedules are due, and what happens then.

use jiff::Span;
use serde_json::{Value, json};

use super::catalogue;
use super::core::{Core, State};
use super::cron::Cron;
use super::state::Alarm;
use super::time;
use crate::observe::{Level, Origin, Timestamp};

/// Where schedules are kept.
pub(crate) const SCHEDULES: &str = "devops/schedules";
/// The longest cron expression Connect takes.
const MAX_CRON: usize = 30;

/// When a trigger is due for the first time after `after`; `None` when it is over.
///
/// # Errors
/// What is wrong with the trigger, in words.
pub(crate) fn next(trigger: &Value, after: Timestamp) -> Result<Option<Timestamp>, String> {
    let after = instant(after);
    let date = |name: &str| -> Result<Option<jiff::Timestamp>, String> {
        match trigger.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let date = value.as_str().and_then(time::parse);
                date.map(Some).ok_or_else(|| format!("trigger.{name}: not a date and time of ISO 8601."))
            }
        }
    };
    let needed = |name: &str| date(name)?.ok_or_else(|| format!("trigger.{name}: This field is required."));
    let due = match trigger.get("type").and_then(Value::as_str) {
        Some("onetime") => Some(needed("date")?).filter(|date| *date > after),
        Some("recurring") => recurring(trigger, needed("start")?, after)?,
        Some("advanced") => {
            let expression = trigger.get("cron_expression").and_then(Value::as_str).filter(|text| text.len() <= MAX_CRON);
            let expression = expression.ok_or("trigger.cron_expression: a text of at most 30 characters is required.")?;
            let cron = Cron::parse(expression).map_err(|e| format!("trigger.cron_expression: {e}."))?;
            cron.next(needed("start")?.max(after))
        }
        _ => return Err("trigger.type: must be onetime, recurring or advanced.".into()),
    };
    let end = date("end")?;
    Ok(due.filter(|due| end.is_none_or(|end| *due <= end)).map(|due| Timestamp(due.as_microsecond())))
}

fn recurring(trigger: &Value, start: jiff::Timestamp, after: jiff::Timestamp) -> Result<Option<jiff::Timestamp>, String> {
    let amount = trigger.get("amount").and_then(Value::as_i64).filter(|amount| (1..=10_000).contains(amount));
    let amount = amount.ok_or("trigger.amount: must be a number from 1 to 10000.")?;
    let hours = match trigger.get("unit").and_then(Value::as_str) {
        Some("hours") => Some(1),
        Some("days") => Some(24),
        Some("weeks") => Some(24 * 7),
        Some("months") => None,
        _ => return Err("trigger.unit: must be hours, days, weeks or months.".into()),
    };
    if start > after {
        return Ok(Some(start));
    }
    if let Some(hours) = hours {
        let step = hours * amount * 3_600;
        let passed = (after.as_second() - start.as_second()) / step + 1;
        return Ok(Span::new().try_seconds(passed * step).ok().and_then(|span| start.checked_add(span).ok()));
    }
    let first = start.to_zoned(jiff::tz::TimeZone::UTC);
    // Counted from the start each time: the 31st stays the last of the month, and is the 31st again where there is one.
    let nth = |n: i64| first.checked_add(Span::new().try_months(n * amount).ok()?).ok().map(|zoned| zoned.timestamp());
    Ok((1..).map_while(nth).find(|due| *due > after))
}

fn instant(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

impl Core {
    /// Sets the schedule's alarm for what comes after `after`, and says so in the schedule. One that is not enabled has
    /// none.
    pub(crate) fn arm(&self, state: &mut State, id: &str, schedule: &mut Value, after: Timestamp) {
        let enabled = schedule.get("status").is_some_and(|status| status == "enabled");
        let due = schedule.get("trigger").filter(|_| enabled).and_then(|trigger| next(trigger, after).ok().flatten());
        if let Some(events) = schedule.get_mut("events").and_then(Value::as_object_mut) {
            events.insert("next_trigger".into(), due.map_or(Value::Null, |due| json!({"at": time::iso(due)})));
        }
        match due {
            Some(due) => state.alarms.set(Alarm::Schedule, id, due),
            None => state.alarms.clear(Alarm::Schedule, id),
        }
        state.objects.put(SCHEDULES, id, schedule);
        self.clock.notify_one();
    }

    /// Queues the task of a schedule; one that is queued already is enough. Gives the task's id.
    pub(crate) fn run_schedule(&self, state: &mut State, id: &str, schedule: &mut Value) -> Option<String> {
        if let Some(events) = schedule.get_mut("events").and_then(Value::as_object_mut) {
            events.insert("last_triggered".into(), json!({"at": time::now()}));
        }
        state.objects.put(SCHEDULES, id, schedule);
        let event = catalogue::find("scheduled_execution")?;
        Some(self.order(state, event, id, None, Origin::Trigger).0)
    }

    /// Carries out what is due up to `until`; says how many tasks were asked for.
    pub(crate) fn ring(&self, state: &mut State, until: Timestamp) -> usize {
        let ripe = state.alarms.ripe(until);
        for (alarm, id) in &ripe {
            state.alarms.clear(*alarm, id);
            match alarm {
                Alarm::Schedule => {
                    let Some(mut schedule) = state.objects.get(SCHEDULES, id) else { continue };
                    self.log(Level::Info, format!("schedule {id} is due"));
                    self.run_schedule(state, id, &mut schedule);
                    self.arm(state, id, &mut schedule, until.max(Timestamp::now()));
                }
                Alarm::Planned => self.begin_planned(state, id),
            }
        }
        ripe.len()
    }

    /// The planned date of a scheduled request has come: it is pending.
    fn begin_planned(&self, state: &mut State, id: &str) {
        let Some(mut request) = state.objects.get("requests", id) else { return };
        if request.get("status").is_none_or(|status| status != "scheduled") {
            return;
        }
        if let Some(fields) = request.as_object_mut() {
            fields.insert("status".into(), "pending".into());
            fields.insert("updated".into(), time::now().into());
        }
        self.log(Level::Info, format!("{id} went from scheduled to pending: its planned date has come"));
        self.keep(state, "requests", Some("scheduled"), &request);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{instant, next};
    use crate::observe::Timestamp;

    fn recurring(start: &str, unit: &str, amount: u32) -> Value {
        json!({"type": "recurring", "start": start, "unit": unit, "amount": amount})
    }

    #[rstest]
    #[case(json!({"type": "onetime", "date": "2024-06-01T00:00:00+00:00"}), Some("2024-06-01T00:00:00Z"))]
    #[case(json!({"type": "onetime", "date": "2024-01-01T00:00:00+00:00"}), None)]
    #[case(recurring("2024-05-01T02:00:00+00:00", "days", 1), Some("2024-05-07T02:00:00Z"))]
    #[case(recurring("2024-05-01T02:00:00+00:00", "hours", 12), Some("2024-05-06T14:00:00Z"))]
    #[case(recurring("2024-05-01T02:00:00+00:00", "weeks", 2), Some("2024-05-15T02:00:00Z"))]
    #[case(recurring("2024-01-31T02:00:00+00:00", "months", 1), Some("2024-05-31T02:00:00Z"))]
    #[case(recurring("2024-07-01T02:00:00+00:00", "days", 1), Some("2024-07-01T02:00:00Z"))]
    #[case(json!({"type": "recurring", "start": "2024-05-01", "unit": "days", "amount": 9, "end": "2024-05-09"}), None)]
    #[case(json!({"type": "advanced", "start": "2024-05-01", "cron_expression": "0 3 * * *"}), Some("2024-05-07T03:00:00Z"))]
    fn a_trigger_is_due_when_connect_says(#[case] trigger: Value, #[case] expected: Option<&str>) {
        let now: jiff::Timestamp = "2024-05-06T08:15:30Z".parse().unwrap();
        let due = next(&trigger, Timestamp(now.as_microsecond())).unwrap();
        assert_eq!(due.map(instant), expected.map(|at| at.parse().unwrap()));
    }

    #[rstest]
    #[case(json!({}), "trigger.type")]
    #[case(json!({"type": "onetime"}), "trigger.date")]
    #[case(json!({"type": "onetime", "date": "soon"}), "trigger.date")]
    #[case(recurring("2024-05-01", "minutes", 1), "trigger.unit")]
    #[case(recurring("2024-05-01", "days", 0), "trigger.amount")]
    #[case(json!({"type": "advanced", "start": "2024-05-01", "cron_expression": "x"}), "trigger.cron_expression")]
    fn a_trigger_that_is_none_is_refused_by_the_name_of_its_field(#[case] trigger: Value, #[case] field: &str) {
        assert!(next(&trigger, Timestamp(0)).unwrap_err().starts_with(field));
    }
}
