//! The thread that reads the journal. Questions of one sort replace each other while it is busy, so a slow disk makes
//! the screen late, never the memory full.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use tokio::sync::mpsc::Sender;

use super::message::{Answer, Message, Query};
use super::source::{Reading, Source};
use super::state::{self, Span};
use super::story;
use crate::journal::{DeliveryFilter, Found, JournalError};
use crate::observe::Fact;
use crate::sagas::{Trace, difference};

/// How many deliveries are held in memory.
pub(crate) const STRETCH: usize = 256;
/// How many deliveries of one request are compared.
const COLUMNS: usize = 100;
/// How many log lines.
const LOG_LINES: usize = 500;

/// Answers questions until nobody asks any more.
pub(crate) fn serve(source: &Arc<dyn Source>, questions: &Receiver<Query>, answers: &Sender<Message>) {
    let mut reader: Option<Box<dyn Reading>> = None;
    while let Ok(first) = questions.recv() {
        let mut waiting = vec![first];
        for next in questions.try_iter() {
            waiting.retain(|q| std::mem::discriminant(q) != std::mem::discriminant(&next));
            waiting.push(next);
        }
        for query in waiting {
            let answer = match open(&mut reader, source).and_then(|reader| read(reader, &query)) {
                Ok(answer) => answer,
                Err(why) => {
                    reader = None;
                    Answer::Failed(query, why.to_string())
                }
            };
            if answers.blocking_send(Message::Read(answer)).is_err() {
                return;
            }
        }
    }
}

fn open<'a>(reader: &'a mut Option<Box<dyn Reading>>, source: &Arc<dyn Source>) -> Result<&'a dyn Reading, JournalError> {
    match reader {
        Some(reader) => Ok(&**reader),
        None => Ok(&**reader.insert(source.reader()?)),
    }
}

fn read(reader: &dyn Reading, query: &Query) -> Result<Answer, JournalError> {
    Ok(match query {
        Query::Deliveries { filter, span } => {
            let Found { rows, reached } = reader.deliveries(filter, *span, STRETCH)?;
            // How many fit is only counted where that is known without looking at each.
            let total = if *filter == DeliveryFilter::default() { reader.count(filter)? } else { rows.len() };
            let failures = reader.failures()?;
            Answer::Deliveries { filter: filter.clone(), span: *span, rows, reached, total, failures }
        }
        Query::Earlier { filter, before, limit } => {
            let Found { rows, reached } = reader.earlier(filter, *before, *limit)?;
            Answer::Earlier { filter: filter.clone(), before: *before, rows, reached }
        }
        Query::Gaps => Answer::Gaps(reader.gaps()?),
        Query::Usage => Answer::Usage(reader.usage()?),
        Query::Tasks(ids) => {
            let found = ids.iter().filter_map(|id| reader.of_task(id).transpose());
            Answer::Tasks(found.collect::<Result<_, _>>()?)
        }
        Query::Metrics => Answer::Metrics(reader.metrics()?),
        Query::Trace(id) => {
            let rows = reader.observations(*id)?;
            let own = rows.iter().find_map(|row| match &row.observation.fact {
                Fact::Configured { variables, .. } => Some(variables.clone()),
                _ => None,
            });
            let variables = match (own, rows.first()) {
                (Some(own), _) => own,
                (None, Some(first)) => reader.variables(first.row)?,
                (None, None) => Vec::new(),
            };
            Answer::Trace { delivery: reader.delivery(*id)?.map(Box::new), rows, variables }
        }
        Query::Saga(object_id) => {
            let filter = DeliveryFilter { object_id: Some(object_id.clone()), ..DeliveryFilter::default() };
            let deliveries = reader.deliveries(&filter, Span::Tail, COLUMNS)?.rows;
            let told = deliveries.into_iter().map(|d| reader.steps(d.id).map(|rows| (d, rows)));
            Answer::Saga(story::saga(object_id.clone(), told.collect::<Result<_, _>>()?))
        }
        Query::SagaRequests => {
            let filter = DeliveryFilter { saga: true, ..DeliveryFilter::default() };
            Answer::SagaRequests(state::requests(reader.deliveries(&filter, Span::Tail, STRETCH)?.rows))
        }
        Query::Difference(a, b) => {
            let trace = |id| {
                let row = reader.delivery(id)?;
                row.map(|row| Ok(Trace::of(row, reader.observations(id)?))).transpose()
            };
            let both = trace(*a)?.zip(trace(*b)?);
            Answer::Difference(both.map(|(a, b)| Box::new(difference(&a, &b))))
        }
        Query::Logs(filter) => Answer::Logs(filter.clone(), reader.logs(filter, LOG_LINES)?),
    })
}
