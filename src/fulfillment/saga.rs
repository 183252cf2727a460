use std::sync::Arc;

use super::{Middleware, Next, Request, Transaction, prepare, select, trace};
use crate::extension::{Background, Context, HandlerError};
use crate::observe::StepKind;

/// Transactions to select from, and middlewares around whichever is selected.
#[derive(Clone)]
pub struct Saga {
    name: String,
    transactions: Vec<Arc<dyn Transaction>>,
    middlewares: Vec<Arc<dyn Middleware>>,
}

impl Saga {
    /// A saga without transactions yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), transactions: Vec::new(), middlewares: Vec::new() }
    }

    /// Adds a transaction, asked after those before it.
    #[must_use]
    pub fn transaction(mut self, transaction: impl Transaction + 'static) -> Self {
        self.transactions.push(Arc::new(transaction));
        self
    }

    /// Adds a middleware, inside those before it.
    #[must_use]
    pub fn middleware(mut self, middleware: impl Middleware + 'static) -> Self {
        self.middlewares.push(Arc::new(middleware));
        self
    }

    /// Selects the transaction for the request and runs it inside the middlewares. Nothing but `should_execute` is
    /// called before one is selected, no middleware either.
    ///
    /// # Errors
    /// [`TransactionError::NotSelected`](super::TransactionError), what a `should_execute` or a middleware fails with,
    /// and what the compensation of a failed execution passes on.
    pub async fn resolve(&self, cx: &Context, request: &Request) -> Result<Background, HandlerError> {
        let resolution = async {
            let transaction = select(cx, &self.transactions, request).await?;
            let way = Next::new(cx.clone(), self.middlewares.clone(), prepare(Arc::clone(transaction)));
            way.run(request).await
        };
        trace::step(cx, StepKind::Saga, &self.name, request, resolution, trace::answer).await
    }
}
