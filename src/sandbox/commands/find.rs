use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use bson::{RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};

use super::super::engine::{Catalog, Cursor, Engine, Query};
use super::super::error::{Code, CommandError};
use super::super::expression::{Expression, Given, Value};
use super::super::matcher::Matcher;
use super::super::projection::{Language, Projection};
use super::super::sort::Sort;
use super::super::value::{Leaf, MAX_DOCUMENT, Path, key};
use super::cursors::first_batch;
use super::{Args, Command, refuse_options};

/// A filter that may be missing.
pub(super) fn matcher(filter: Option<&RawDocument>, given: &Given) -> Result<Matcher, CommandError> {
    filter.map_or_else(|| Matcher::parse(&RawDocumentBuf::new()), |filter| Matcher::parse_given(filter, given))
}

/// A projection that may be missing.
pub(super) fn projection(spec: Option<&RawDocument>, given: &Given) -> Result<Option<Projection>, CommandError> {
    Ok(spec.map(|spec| Projection::parse(spec, Language::Find, given)).transpose()?.flatten())
}

/// The variables of a command: its `let`.
pub(super) fn given(args: &Args<'_>) -> Result<Vec<(String, Value)>, CommandError> {
    let mut given = Vec::new();
    for variable in args.document("let")?.into_iter().flat_map(RawDocument::iter) {
        let (name, value) = variable?;
        let value = Expression::parse(value, &given)?.evaluate(&RawDocumentBuf::new())?;
        given.push((name.as_str().to_owned(), value));
    }
    Ok(given)
}

pub(super) async fn find(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    refuse_options(&args, &["collation", "min", "max", "returnKey", "showRecordId", "tailable", "awaitData"])?;
    let (namespace, given) = (args.namespace("find")?, given(&args)?);
    let query = Query {
        matcher: matcher(args.document("filter")?, &given)?,
        sort: args.document("sort")?.map(Sort::parse).transpose()?.flatten(),
        skip: args.size("skip")?.unwrap_or(0),
        limit: args.size("limit")?.filter(|limit| *limit > 0),
    };
    let projection = projection(args.document("projection")?, &given)?;
    let batch_size = args.size("batchSize")?;
    let keep = (!args.flag("singleBatch")?.unwrap_or(false)).then(|| Arc::clone(engine.cursors()));
    engine
        .read(move |connection| {
            let cursor = match Catalog(connection).find(&namespace)? {
                Some(collection) => Cursor::open(connection, collection, query, projection)?,
                None => Cursor::made(namespace.to_string(), Vec::new()),
            };
            first_batch(connection, cursor, batch_size, keep.as_deref())
        })
        .await
}

pub(super) async fn count(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    refuse_options(&args, &["collation"])?;
    let namespace = args.namespace("count")?;
    let query = Query::all(matcher(args.document("query")?, &[])?);
    let skip = i64::try_from(args.size("skip")?.unwrap_or(0)).unwrap_or(i64::MAX);
    // A negative limit means the same, for old clients' sake.
    let limit = args.integer("limit")?.map(i64::saturating_abs).filter(|limit| *limit > 0);
    engine
        .read(move |connection| {
            let n = match Catalog(connection).find(&namespace)? {
                None => 0,
                Some(collection) if query.matcher.is_everything() => collection.count(connection)?,
                Some(collection) => {
                    let mut n = 0_i64;
                    query.visit(connection, &collection, 0, &mut |_, _| {
                        n += 1;
                        let enough = limit.is_some_and(|limit| n >= limit.saturating_add(skip));
                        Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                    })?;
                    n
                }
            };
            let n = (n - skip).max(0).min(limit.unwrap_or(i64::MAX));
            Ok(match i32::try_from(n) {
                Ok(n) => rawdoc! { "n": n, "ok": 1.0 },
                Err(_) => rawdoc! { "n": n, "ok": 1.0 },
            })
        })
        .await
}

pub(super) async fn distinct(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    refuse_options(&args, &["collation"])?;
    let namespace = args.namespace("distinct")?;
    let path = Path::new(args.text("key")?.ok_or_else(|| args.missing("key"))?);
    let query = Query::all(matcher(args.document("query")?, &[])?);
    engine
        .read(move |connection| {
            let (mut seen, mut values) = (HashSet::new(), RawArrayBuf::new());
            if let Some(collection) = Catalog(connection).find(&namespace)? {
                query.visit(connection, &collection, 0, &mut |_, document| {
                    path.any(document, Leaf::Elements, &mut |value| {
                        if let Some(value) = value.filter(|value| *value != RawBsonRef::Undefined)
                            && seen.insert(key(value))
                        {
                            values.push(value);
                        }
                        false
                    });
                    Ok(if values.as_bytes().len() > MAX_DOCUMENT { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                })?;
            }
            if values.as_bytes().len() > MAX_DOCUMENT {
                return Err(CommandError::new(Code::location(17217), "distinct too big, 16mb cap"));
            }
            Ok(rawdoc! { "values": values, "ok": 1.0 })
        })
        .await
}
