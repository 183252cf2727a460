use std::sync::Arc;

use super::trace::{self, report};
use super::{Request, Transaction, TransactionError};
use crate::extension::{Background, Context, HandlerError};
use crate::observe::{StepKind, StepOutcome};

/// The first transaction that should execute; those after it are not asked.
///
/// # Errors
/// [`TransactionError::NotSelected`] when none should; and whatever a transaction fails with when it is asked.
pub async fn select<'a>(
    cx: &Context,
    transactions: &'a [Arc<dyn Transaction>],
    request: &Request,
) -> Result<&'a Arc<dyn Transaction>, HandlerError> {
    for transaction in transactions {
        let asked = transaction.should_execute(cx, request);
        let yes = trace::step(cx, StepKind::Decision, transaction.name(), request, asked, |decision| match decision {
            Ok(true) => (StepOutcome::Yes, None),
            Ok(false) => (StepOutcome::No, None),
            Err(error) => (StepOutcome::Failed, Some(report(error))),
        });
        if yes.await? {
            return Ok(transaction);
        }
    }
    Err(TransactionError::NotSelected.into())
}

/// A transaction ready to be run: [`prepare`] makes it.
#[derive(Clone)]
pub struct Prepared(Arc<dyn Transaction>);

/// Ties a transaction's execution and its compensation together.
#[must_use]
pub fn prepare(transaction: Arc<dyn Transaction>) -> Prepared {
    Prepared(transaction)
}

impl Prepared {
    /// Executes the transaction; if that fails, compensates it once and answers what the compensation answers.
    ///
    /// # Errors
    /// What the compensation fails with, which by default is the error of the execution.
    pub async fn call(&self, cx: &Context, request: &Request) -> Result<Background, HandlerError> {
        let transaction = self.0.as_ref();
        let execution = transaction.execute(cx, request);
        let executed = trace::step(cx, StepKind::Execute, transaction.name(), request, execution, trace::answer).await;
        let error = match executed {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let cause = report(&error);
        let compensation = transaction.compensate(cx, request, error);
        trace::step(cx, StepKind::Compensate, transaction.name(), request, compensation, |result| match result {
            // To undo and then let the task be delivered again is no failure of the compensation.
            Err(error) if report(error) == cause => (StepOutcome::Done, Some(format!("passes the error on: {cause}"))),
            result => trace::answer(result),
        })
        .await
    }
}
