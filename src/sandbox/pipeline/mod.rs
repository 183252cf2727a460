//! Aggregation: documents flow through a chain of stages.
//!
//! A [`Pipeline`] is parsed once (`stage`). What its beginning says about a collection is asked of the collection as a query;
//! everything after that is a chain of `run`ning stages: each takes a document and hands on what it makes of it, or holds it
//! until the end (sorting, grouping), within a limit of memory.

mod accumulator;
mod assign;
mod group;
mod lookup;
mod run;
mod stage;
#[cfg(test)]
mod tests;
mod unwind;

use bson::{RawDocument, RawDocumentBuf};
use rusqlite::Connection;

use super::engine::{Catalog, Namespace, Query};
use super::error::{Code, CommandError};
use super::expression::Given;
use super::matcher::Matcher;
use run::Context;
use stage::Stage;

/// A parsed pipeline.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    stages: Vec<Stage>,
}

impl Pipeline {
    /// Understands a pipeline that can use the variables `given`.
    ///
    /// # Errors
    /// What is wrong with it, with MongoDB's code and words.
    pub(super) fn parse<'a>(stages: impl IntoIterator<Item = &'a RawDocumentBuf>, given: &Given) -> Result<Self, CommandError> {
        let mut parsed = Vec::new();
        for stage in stages {
            stage::parse(stage, given, &mut parsed)?;
        }
        Ok(Self { stages: parsed })
    }

    /// A pipeline that changes a document: only stages that make one of one.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and any other stage.
    pub(super) fn parse_update<'a>(
        stages: impl IntoIterator<Item = &'a RawDocumentBuf>,
        given: &Given,
    ) -> Result<Self, CommandError> {
        let pipeline = Self::parse(stages, given)?;
        if pipeline.stages.iter().all(Stage::is_of_an_update) {
            return Ok(pipeline);
        }
        let message = "only $addFields, $set, $project, $unset, $replaceRoot and $replaceWith are allowed within an update";
        Err(CommandError::new(Code::INVALID_OPTIONS, message))
    }

    /// What a pipeline of an update makes of a document.
    ///
    /// # Errors
    /// An expression that cannot be evaluated.
    pub(super) fn change(&self, document: &RawDocument) -> Result<RawDocumentBuf, CommandError> {
        let mut document = document.to_owned();
        for stage in &self.stages {
            document = stage.one_of_one(&document)?;
        }
        Ok(document)
    }

    /// What the pipeline makes of a collection's documents; of none, if there is no such collection.
    ///
    /// # Errors
    /// An expression that cannot be evaluated; more held in memory than is allowed.
    pub(super) fn of_collection(
        &self,
        connection: &Connection,
        namespace: &Namespace,
    ) -> Result<Vec<RawDocumentBuf>, CommandError> {
        self.of_collection_in(&Context::new(connection, &namespace.db), &namespace.collection)
    }

    /// The query its beginning is, if a collection is asked; and how many stages that covers.
    pub(super) fn query(&self) -> (Query, usize) {
        let mut query = Query::all(Matcher::everything());
        let mut covered = 0;
        for stage in &self.stages {
            match stage {
                Stage::Match(matcher) if covered == 0 => query.matcher = matcher.clone(),
                Stage::Sort(sort) if query.sort.is_none() => query.sort = Some(sort.clone()),
                Stage::Skip(skip) if query.skip == 0 => query.skip = *skip,
                Stage::Limit(limit) => {
                    query.limit = Some(*limit);
                    covered += 1;
                    break;
                }
                _ => break,
            }
            covered += 1;
            // After a skip only a limit belongs to the query.
            if query.skip > 0 {
                if let Some(Stage::Limit(limit)) = self.stages.get(covered) {
                    query.limit = Some(*limit);
                    covered += 1;
                }
                break;
            }
        }
        (query, covered)
    }

    fn of_collection_in(&self, context: &Context<'_>, collection: &str) -> Result<Vec<RawDocumentBuf>, CommandError> {
        let (query, covered) = self.query();
        let rest = self.stages.get(covered..).unwrap_or_default();
        let namespace = Namespace { db: context.db.to_owned(), collection: collection.to_owned() };
        let found = Catalog(context.connection).find(&namespace)?;
        run::run(rest, context, |feed| match &found {
            None => Ok(()),
            Some(collection) if query.sort.is_none() && query.skip == 0 && query.limit.is_none() => {
                query.visit(context.connection, collection, 0, &mut |_, document| feed(document))
            }
            Some(collection) => {
                for seq in query.numbers(context.connection, collection)? {
                    if let Some(document) = collection.by_seq(context.connection, seq)?
                        && feed(&document)?.is_break()
                    {
                        break;
                    }
                }
                Ok(())
            }
        })
    }

    /// What the pipeline makes of these documents.
    fn of_documents(&self, context: &Context<'_>, documents: &[RawDocumentBuf]) -> Result<Vec<RawDocumentBuf>, CommandError> {
        run::run(&self.stages, context, |feed| {
            for document in documents {
                if feed(document)?.is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}
