use std::borrow::Cow;
use std::cell::Cell;
use std::ops::ControlFlow;

use bson::raw::CString;
use bson::{RawArrayBuf, RawDocument, RawDocumentBuf};
use rusqlite::Connection;

use super::super::engine::Deadline;
use super::super::error::{Code, CommandError};
use super::super::sort::Sort;
use super::super::value::narrow;
use super::Pipeline;
use super::group::Groups;
use super::stage::Stage;

/// What an aggregation holds in memory may have this many bytes, as a stage of MongoDB.
const MAX_BYTES: usize = 100 * 1024 * 1024;

/// Where a pipeline runs, and how much it holds.
pub(super) struct Context<'c> {
    pub(super) connection: &'c Connection,
    pub(super) db: &'c str,
    pub(super) deadline: Deadline,
    held: Cell<usize>,
}

impl<'c> Context<'c> {
    pub(super) fn new(connection: &'c Connection, db: &'c str, deadline: Deadline) -> Self {
        Self { connection, db, deadline, held: Cell::new(0) }
    }

    /// Counts what is kept in memory.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), CommandError> {
        self.held.set(self.held.get() + bytes);
        if self.held.get() <= MAX_BYTES {
            return Ok(());
        }
        let message = "the pipeline holds more than 100 MiB of documents in memory; narrow it with a $match in front";
        Err(CommandError::new(Code::location(292), message))
    }
}

/// Gives a stage its next document.
pub(super) type Feed<'f> = &'f mut dyn FnMut(&RawDocument) -> Result<ControlFlow<()>, CommandError>;

/// Runs `stages` on the documents that `source` feeds.
pub(super) fn run(
    stages: &[Stage],
    context: &Context<'_>,
    source: impl FnOnce(Feed<'_>) -> Result<(), CommandError>,
) -> Result<Vec<RawDocumentBuf>, CommandError> {
    let mut chain: Vec<Running<'_>> = stages.iter().map(Running::new).collect();
    let mut out = Vec::new();
    source(&mut |document| push(&mut chain, context, Cow::Borrowed(document), &mut out))?;
    let mut rest = chain.as_mut_slice();
    while let Some((first, after)) = rest.split_first_mut() {
        for document in first.finish(context)? {
            if push(after, context, Cow::Owned(document), &mut out)?.is_break() {
                break;
            }
        }
        rest = after;
    }
    Ok(out)
}

/// A stage at work.
enum Running<'p> {
    /// One document comes of one.
    Mapping(&'p Stage),
    /// None or some come of one.
    Passing(&'p Stage),
    Skip(usize),
    Limit(usize),
    Sort {
        sort: &'p Sort,
        rows: Vec<(Vec<u8>, RawDocumentBuf)>,
    },
    Group(Groups<'p>),
    Count {
        name: &'p CString,
        n: i64,
    },
    /// Every document that came, for several pipelines or for a random choice.
    Holding {
        stage: &'p Stage,
        documents: Vec<RawDocumentBuf>,
    },
    Union(&'p Stage),
}

impl<'p> Running<'p> {
    fn new(stage: &'p Stage) -> Self {
        match stage {
            Stage::Project(_) | Stage::Assign(_) | Stage::Replace(_) | Stage::Lookup(_) | Stage::GraphLookup(_) => {
                Self::Mapping(stage)
            }
            Stage::Match(_) | Stage::Unwind(_) | Stage::Redact(_) => Self::Passing(stage),
            Stage::Skip(n) => Self::Skip(*n),
            Stage::Limit(n) => Self::Limit(*n),
            Stage::Sort(sort) => Self::Sort { sort, rows: Vec::new() },
            Stage::Group(group) => Self::Group(Groups::new(group)),
            Stage::Count(name) => Self::Count { name, n: 0 },
            Stage::Facet(_) | Stage::Sample(_) | Stage::BucketAuto(_) | Stage::Windows(_) => {
                Self::Holding { stage, documents: Vec::new() }
            }
            Stage::Union(_) => Self::Union(stage),
        }
    }

    /// What is handed on at the end.
    fn finish(&mut self, context: &Context<'_>) -> Result<Vec<RawDocumentBuf>, CommandError> {
        match self {
            Self::Mapping(_) | Self::Passing(_) | Self::Skip(_) | Self::Limit(_) => Ok(Vec::new()),
            Self::Sort { rows, .. } => {
                // Stable: what sorts equally stays in the order it came.
                rows.sort_by(|(a, _), (b, _)| a.cmp(b));
                Ok(std::mem::take(rows).into_iter().map(|(_, document)| document).collect())
            }
            Self::Group(groups) => groups.take().finish(),
            Self::Count { n: 0, .. } => Ok(Vec::new()),
            Self::Count { name, n } => {
                let mut counted = RawDocumentBuf::new();
                counted.append(&**name, bson::RawBson::try_from(narrow(*n))?);
                Ok(vec![counted])
            }
            Self::Holding { stage, documents } => held(stage, context, std::mem::take(documents)),
            Self::Union(stage) => match stage {
                Stage::Union(union) => union.documents(context),
                _ => Ok(Vec::new()),
            },
        }
    }
}

fn held(stage: &Stage, context: &Context<'_>, mut documents: Vec<RawDocumentBuf>) -> Result<Vec<RawDocumentBuf>, CommandError> {
    match stage {
        Stage::Facet(facets) => {
            let mut whole = RawDocumentBuf::new();
            for (name, pipeline) in facets {
                let found: RawArrayBuf = facet(pipeline, context, &documents)?.into_iter().collect();
                whole.append(&**name, found);
            }
            Ok(vec![whole])
        }
        Stage::BucketAuto(buckets) => buckets.apply(&documents),
        Stage::Windows(windows) => windows.apply(&documents),
        Stage::Sample(size) => {
            // The first places of a random order.
            for place in 0..documents.len().min(*size) {
                let other = place + rand::random_range(0..documents.len() - place);
                documents.swap(place, other);
            }
            documents.truncate(*size);
            Ok(documents)
        }
        _ => Ok(documents),
    }
}

fn facet(pipeline: &Pipeline, context: &Context<'_>, documents: &[RawDocumentBuf]) -> Result<Vec<RawDocumentBuf>, CommandError> {
    pipeline.of_documents(context, documents)
}

/// Hands a document to the first stage of the chain, and what comes of it to the others.
fn push(
    chain: &mut [Running<'_>],
    context: &Context<'_>,
    document: Cow<'_, RawDocument>,
    out: &mut Vec<RawDocumentBuf>,
) -> Result<ControlFlow<()>, CommandError> {
    let Some((first, rest)) = chain.split_first_mut() else {
        context.hold(document.as_bytes().len())?;
        out.push(document.into_owned());
        return Ok(ControlFlow::Continue(()));
    };
    match first {
        Running::Mapping(Stage::Lookup(lookup)) => push(rest, context, Cow::Owned(lookup.apply(context, &document)?), out),
        Running::Mapping(Stage::GraphLookup(graph)) => push(rest, context, Cow::Owned(graph.apply(context, &document)?), out),
        Running::Mapping(stage) => push(rest, context, Cow::Owned(stage.one_of_one(&document)?), out),
        Running::Passing(Stage::Match(matcher)) => {
            if matcher.try_matches(&document)? {
                return push(rest, context, document, out);
            }
            Ok(ControlFlow::Continue(()))
        }
        Running::Passing(Stage::Redact(decide)) => match super::redact::redact(&document, decide)? {
            Some(kept) => push(rest, context, Cow::Owned(kept), out),
            None => Ok(ControlFlow::Continue(())),
        },
        Running::Passing(Stage::Unwind(unwind)) => {
            for document in unwind.apply(&document)? {
                if push(rest, context, Cow::Owned(document), out)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        }
        Running::Passing(_) | Running::Union(_) => push(rest, context, document, out),
        Running::Skip(0) => push(rest, context, document, out),
        Running::Skip(left) => {
            *left -= 1;
            Ok(ControlFlow::Continue(()))
        }
        Running::Limit(0) => Ok(ControlFlow::Break(())),
        Running::Limit(left) => {
            *left -= 1;
            let enough = *left == 0;
            let flow = push(rest, context, document, out)?;
            Ok(if enough { ControlFlow::Break(()) } else { flow })
        }
        Running::Sort { sort, rows } => {
            context.hold(document.as_bytes().len())?;
            rows.push((sort.key(&document), document.into_owned()));
            Ok(ControlFlow::Continue(()))
        }
        Running::Group(groups) => {
            context.hold(groups.add(&document)?)?;
            Ok(ControlFlow::Continue(()))
        }
        Running::Count { n, .. } => {
            *n += 1;
            Ok(ControlFlow::Continue(()))
        }
        Running::Holding { documents, .. } => {
            context.hold(document.as_bytes().len())?;
            documents.push(document.into_owned());
            Ok(ControlFlow::Continue(()))
        }
    }
}
