//! Aggregation: documents flow through a chain of stages.
//!
//! A [`Pipeline`] is parsed once (`stage`). What its beginning says about a collection is asked of the collection as a query;
//! everything after that is a chain of `run`ning stages: each takes a document and hands on what it makes of it, or holds it
//! until the end (sorting, grouping), within a limit of memory.

mod accumulator;
mod assign;
mod bucket_auto;
mod graph;
mod group;
mod lookup;
mod redact;
mod run;
mod stage;
#[cfg(test)]
mod tests;
mod unwind;
mod window;

use bson::{Bson, RawDocument, RawDocumentBuf};
use rusqlite::Connection;

use super::engine::{Catalog, Deadline, Hint, Namespace, Query, Source};
use super::error::{Code, CommandError};
use super::expression::{Expression, Given};
use super::matcher::Matcher;
use run::Context;
use stage::Stage;

/// A parsed pipeline.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    stages: Vec<Stage>,
    given: Given,
    hint: Option<Hint>,
}

/// More views than this do not stand on each other.
const MAX_VIEWS: usize = 20;

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
        Ok(Self { stages: parsed, given: given.clone(), hint: None })
    }

    /// The same pipeline, with what its command says about how documents are to be found.
    pub(super) fn hinted(mut self, hint: Option<Hint>) -> Self {
        self.hint = hint;
        self
    }

    /// The documents of a stage `$documents`.
    ///
    /// # Errors
    /// What it says is no array of documents.
    pub(super) fn documents(stage: &RawDocument, given: &Given) -> Result<Vec<RawDocumentBuf>, CommandError> {
        let wrong = || CommandError::new(Code::location(5_858_203), "an array is expected");
        let spec = stage.get("$documents")?.ok_or_else(wrong)?;
        let Some(Bson::Array(found)) = Expression::parse(spec, given)?.evaluate(&RawDocumentBuf::new())? else {
            return Err(wrong());
        };
        let one = |value: Bson| match value {
            Bson::Document(document) => Ok(RawDocumentBuf::try_from(&document)?),
            _ => Err(CommandError::new(Code::location(40228), "$documents must be an array of objects")),
        };
        found.into_iter().map(one).collect()
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
        deadline: Deadline,
    ) -> Result<Vec<RawDocumentBuf>, CommandError> {
        self.of_collection_in(&Context::new(connection, &namespace.db, deadline), &namespace.collection)
    }

    /// What the pipeline makes of documents that are in no collection.
    ///
    /// # Errors
    /// As of [`of_collection`](Self::of_collection).
    pub(super) fn of_made(
        &self,
        connection: &Connection,
        db: &str,
        documents: &[RawDocumentBuf],
        deadline: Deadline,
    ) -> Result<Vec<RawDocumentBuf>, CommandError> {
        self.of_documents(&Context::new(connection, db, deadline), documents)
    }

    /// The pipeline that asks a collection for what this one asks a view for, and the collection.
    ///
    /// # Errors
    /// `ViewDepthLimitExceeded`; a view that is wrong in itself.
    pub(super) fn through_views(
        &self,
        connection: &Connection,
        namespace: &Namespace,
    ) -> Result<(Self, Namespace), CommandError> {
        let (mut pipeline, mut at) = (self.clone(), namespace.clone());
        for _ in 0..MAX_VIEWS {
            let Source::View { view, .. } = Catalog(connection).source(&at)? else { return Ok((pipeline, at)) };
            let below = Self::parse(&view.pipeline, &Given::collated(self.given.collation().clone()))?;
            pipeline.stages.splice(0..0, below.stages);
            at = Namespace::new(&at.db, &view.on)?;
        }
        let message = format!("View depth too deep or view cycle detected; maximum depth is {MAX_VIEWS}; namespace: {namespace}");
        Err(CommandError::new(Code::VIEW_DEPTH_LIMIT_EXCEEDED, message))
    }

    /// The query its beginning is, if a collection is asked; and how many stages that covers.
    pub(super) fn query(&self) -> (Query, usize) {
        let mut query = Query { hint: self.hint.clone(), ..Query::all(Matcher::everything()) };
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
        let namespace = Namespace { db: context.db.to_owned(), collection: collection.to_owned() };
        let found = match Catalog(context.connection).source(&namespace)? {
            Source::View { .. } => {
                let (pipeline, base) = self.through_views(context.connection, &namespace)?;
                return pipeline.of_collection_in(context, &base.collection);
            }
            Source::Collection(collection) => Some(collection),
            Source::Nothing => None,
        };
        let (query, covered) = self.query();
        let query = Query { deadline: context.deadline, ..query };
        let rest = self.stages.get(covered..).unwrap_or_default();
        run::run(rest, context, |feed| match &found {
            None => Ok(()),
            Some(collection) if query.sort.is_none() && query.skip == 0 && query.limit.is_none() => {
                query.visit(context.connection, collection, &mut |_, document| feed(document)).map(drop)
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
