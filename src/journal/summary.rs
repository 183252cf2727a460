use std::collections::BTreeMap;

use rusqlite::{Transaction, params};

use super::record::{STATUS, state};
use crate::observe::{Answer, Fact, StepKind};

/// What every delivery of a batch may change.
macro_rules! counts {
    () => {
        "UPDATE deliveries SET api_calls = api_calls + ?2, store_calls = store_calls + ?3, store_errors = store_errors + ?4,
           logs = logs + ?5, object_status = coalesce(?6, object_status), state = coalesce(?7, state),
           saga = coalesce(saga, ?8), injected = injected + ?9"
    };
}

/// What a batch of observations changes in the summaries of their deliveries. A delivery is written once a batch,
/// however much of it the batch has: under load that is most of its life.
#[derive(Default)]
pub(super) struct Changes(BTreeMap<i64, Change>);

#[derive(Default)]
struct Change {
    api_calls: i64,
    store_calls: i64,
    store_errors: i64,
    logs: i64,
    saga: Option<String>,
    injected: i64,
    object_status: Option<String>,
    answer: Option<Answer>,
    /// Why there is no answer, or that this does not hold any more.
    reason: Option<Option<String>>,
    state: Option<i64>,
}

impl Changes {
    /// Adds what a fact means for its delivery.
    pub(super) fn add(&mut self, delivery: i64, fact: &Fact) {
        let of_saga = |fact: &Fact| matches!(fact, Fact::StepStarted { step_kind: StepKind::Saga, .. });
        let step = matches!(fact, Fact::StepStarted { .. } | Fact::StepEnded { .. }) && !of_saga(fact);
        if step || matches!(fact, Fact::TaskArrived(_)) {
            return;
        }
        let change = self.0.entry(delivery).or_default();
        match fact {
            Fact::ApiCall(_) => change.api_calls += 1,
            Fact::Log { .. } => change.logs += 1,
            Fact::StepStarted { name, .. } => {
                change.saga.get_or_insert_with(|| name.clone());
            }
            Fact::Injected { .. } => change.injected += 1,
            Fact::StoreCall(call) => {
                change.store_calls += 1;
                change.store_errors += i64::from(call.error.is_some());
            }
            Fact::ObjectFetched { object } => {
                change.object_status = object.text_of(STATUS).or(change.object_status.take());
            }
            Fact::Answered(answer) => {
                // The answer's own data is in its row; the summary has no place for it.
                let (result, message) = (answer.result.clone(), answer.message.clone());
                change.answer = Some(Answer { result, message, data: None, ..*answer });
                change.state = Some(state::ANSWERED);
            }
            Fact::ResultSent { .. } => change.state = Some(state::SENT),
            Fact::Interrupted { reason } => {
                (change.state, change.reason) = (Some(state::INTERRUPTED), Some(Some(reason.clone())));
            }
            Fact::RunnerGone { reason } => {
                (change.state, change.reason) = (Some(state::NO_RUNNER), Some(Some(reason.clone())));
            }
            Fact::RunnerBack { .. } => (change.state, change.reason) = (Some(state::RUNNING), Some(None)),
            _ => {}
        }
    }

    /// Writes all of it, and forgets it.
    pub(super) fn write(&mut self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        for (id, change) in std::mem::take(&mut self.0) {
            let Change { api_calls, store_calls, store_errors, logs, saga, injected, object_status, answer, reason, state } =
                change;
            if let Some(reason) = reason.filter(|_| answer.is_none()) {
                tx.prepare_cached("UPDATE deliveries SET message = ?2 WHERE id = ?1")?.execute(params![id, reason])?;
            }
            // What is set is written to its index, changed or not: so the answer has a statement of its own.
            match answer {
                None => tx.prepare_cached(concat!(counts!(), " WHERE id = ?1"))?.execute(params![
                    id,
                    api_calls,
                    store_calls,
                    store_errors,
                    logs,
                    object_status,
                    state,
                    saga,
                    injected
                ])?,
                Some(Answer { result, message, countdown, micros, .. }) => {
                    let answered =
                        concat!(counts!(), ", result = ?10, message = ?11, countdown = ?12, micros = ?13 WHERE id = ?1");
                    tx.prepare_cached(answered)?.execute(params![
                        id,
                        api_calls,
                        store_calls,
                        store_errors,
                        logs,
                        object_status,
                        state,
                        saga,
                        injected,
                        result,
                        message,
                        whole(countdown),
                        whole(micros)
                    ])?
                }
            };
        }
        Ok(())
    }
}
