use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use bson::raw::cstr;
use bson::{RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use rusqlite::Connection;

use super::super::engine::{Catalog, Cursor, Engine, Hint, Namespace, Query, Source};
use super::super::error::{Code, CommandError};
use super::super::expression::{Expression, Given};
use super::super::matcher::Matcher;
use super::super::pipeline::Pipeline;
use super::super::projection::{Language, Projection};
use super::super::sort::Sort;
use super::super::value::{Collation, Leaf, MAX_DOCUMENT, Path};
use super::cursors::first_batch;
use super::{Args, Command, refuse_options};

/// A filter that may be missing.
pub(super) fn matcher(filter: Option<&RawDocument>, given: &Given) -> Result<Matcher, CommandError> {
    filter.map_or_else(|| Ok(Matcher::everything()), |filter| Matcher::parse_given(filter, given))
}

/// A projection that may be missing.
pub(super) fn projection(spec: Option<&RawDocument>, given: &Given) -> Result<Option<Projection>, CommandError> {
    Ok(spec.map(|spec| Projection::parse(spec, Language::Find, given)).transpose()?.flatten())
}

/// What a command gives its filters and expressions: the variables of its `let`, and its collation, or else this one.
pub(super) fn given(args: &Args<'_>, collation: Collation) -> Result<Given, CommandError> {
    let mut given = Given::collated(args.collation()?.unwrap_or(collation));
    add_variables(&mut given, args.document("let")?)?;
    Ok(given)
}

pub(super) fn add_variables(given: &mut Given, variables: Option<&RawDocument>) -> Result<(), CommandError> {
    for variable in variables.into_iter().flat_map(RawDocument::iter) {
        let (name, value) = variable?;
        let value = Expression::parse(value, given)?.evaluate(&RawDocumentBuf::new())?;
        given.add(name.as_str(), value);
    }
    Ok(())
}

/// The query of a command, whose filter has the name `filter`.
pub(super) fn query(args: &Args<'_>, filter: &str, given: &Given) -> Result<Query, CommandError> {
    let order = args.document("sort")?;
    let natural = order.map(Hint::natural).transpose()?.flatten().map(|backward| Hint::Natural { backward });
    Ok(Query {
        sort: order.map(|order| Sort::parse(order, given.collation())).transpose()?.flatten(),
        skip: args.size("skip")?.unwrap_or(0),
        // A negative limit means the same, for old clients' sake.
        limit: args.integer("limit")?.map(|limit| usize::try_from(limit.unsigned_abs()).unwrap_or(usize::MAX)).filter(|n| *n > 0),
        hint: natural.or(Hint::parse(args.get("hint")?)?),
        deadline: args.deadline()?,
        ..Query::all(matcher(args.document(filter)?, given)?)
    })
}

/// The same as stages, for a view.
fn of_view(
    connection: &Connection,
    namespace: &Namespace,
    args: &Args<'_>,
    filter: &str,
    given: &Given,
) -> Result<Vec<RawDocumentBuf>, CommandError> {
    let mut stages = vec![rawdoc! { "$match": args.document(filter)?.map(ToOwned::to_owned).unwrap_or_default() }];
    if let Some(order) = args.document("sort")?.filter(|order| !order.is_empty()) {
        stages.push(rawdoc! { "$sort": order.to_owned() });
    }
    let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let query = query(args, filter, given)?;
    if query.skip > 0 {
        stages.push(rawdoc! { "$skip": whole(query.skip) });
    }
    if let Some(limit) = query.limit {
        stages.push(rawdoc! { "$limit": whole(limit) });
    }
    Pipeline::parse(&stages, given)?.of_collection(connection, namespace, query.deadline)
}

/// What is asked and the view do not agree on how strings are compared.
pub(super) fn check_view_collation(args: &Args<'_>, source: &Source) -> Result<(), CommandError> {
    match (source, args.collation()?) {
        (Source::View { collation, .. }, Some(wanted)) if wanted != *collation => {
            let message = "Cannot override a view's default collation";
            Err(CommandError::new(Code::OPTION_NOT_SUPPORTED_ON_VIEW, message))
        }
        _ => Ok(()),
    }
}

pub(super) async fn find(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let cursors = Arc::clone(engine.cursors());
    engine
        .read(move |connection| {
            let args = command.args();
            refuse_options(&args, &["min", "max", "returnKey", "showRecordId", "tailable", "awaitData"])?;
            let namespace = args.namespace("find")?;
            args.size("limit")?;
            let source = Catalog(connection).source(&namespace)?;
            check_view_collation(&args, &source)?;
            let given = given(&args, source.collation())?;
            let query = query(&args, "filter", &given)?;
            let projection = projection(args.document("projection")?, &given)?;
            let cursor = match source {
                Source::Nothing => Cursor::made(namespace.to_string(), Vec::new()),
                Source::Collection(collection) => Cursor::open(connection, collection, query, projection)?,
                Source::View { .. } => {
                    let mut documents = of_view(connection, &namespace, &args, "filter", &given)?;
                    if let Some(projection) = projection {
                        for document in &mut documents {
                            *document = projection.apply(document, Some(&query.matcher))?;
                        }
                    }
                    Cursor::made(namespace.to_string(), documents)
                }
            };
            let keep = !args.flag("singleBatch")?.unwrap_or(false);
            first_batch(connection, cursor, args.size("batchSize")?, keep.then_some(&*cursors))
        })
        .await
}

pub(super) async fn count(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    engine
        .read(move |connection| {
            let args = command.args();
            let namespace = args.namespace("count")?;
            let source = Catalog(connection).source(&namespace)?;
            check_view_collation(&args, &source)?;
            let given = given(&args, source.collation())?;
            let query = query(&args, "query", &given)?;
            let n = match source {
                Source::Nothing => 0,
                Source::View { .. } => {
                    i64::try_from(of_view(connection, &namespace, &args, "query", &given)?.len()).unwrap_or(i64::MAX)
                }
                Source::Collection(collection) => {
                    let (skip, most) = (whole(query.skip), query.limit.map_or(i64::MAX, whole));
                    let mut n = 0_i64;
                    if query.matcher.is_everything() && query.hint.is_none() {
                        n = collection.count(connection)?;
                    } else {
                        query.visit(connection, &collection, &mut |_, _| {
                            n += 1;
                            let enough = n >= most.saturating_add(skip);
                            Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                        })?;
                    }
                    (n - skip).clamp(0, most)
                }
            };
            Ok(match i32::try_from(n) {
                Ok(n) => rawdoc! { "n": n, "ok": 1.0 },
                Err(_) => rawdoc! { "n": n, "ok": 1.0 },
            })
        })
        .await
}

fn whole(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The values of a field, each once.
struct Distinct {
    path: Path,
    collation: Collation,
    seen: HashSet<Vec<u8>>,
    values: RawArrayBuf,
}

impl Distinct {
    fn add(&mut self, document: &RawDocument) -> Result<(), CommandError> {
        let Self { path, collation, seen, values } = self;
        path.any(document, Leaf::Elements, &mut |value| {
            if let Some(value) = value.filter(|value| *value != RawBsonRef::Undefined)
                && seen.insert(collation.key(value))
            {
                values.push(value);
            }
            false
        });
        if values.as_bytes().len() > MAX_DOCUMENT {
            return Err(CommandError::new(Code::location(17217), "distinct too big, 16mb cap"));
        }
        Ok(())
    }
}

pub(super) async fn distinct(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    engine
        .read(move |connection| {
            let args = command.args();
            let namespace = args.namespace("distinct")?;
            let source = Catalog(connection).source(&namespace)?;
            check_view_collation(&args, &source)?;
            let given = given(&args, source.collation())?;
            let query = query(&args, "query", &given)?;
            let mut distinct = Distinct {
                path: Path::new(args.text("key")?.ok_or_else(|| args.missing("key"))?),
                collation: given.collation().clone(),
                seen: HashSet::new(),
                values: RawArrayBuf::new(),
            };
            match source {
                Source::Nothing => {}
                Source::Collection(collection) => drop(query.visit(connection, &collection, &mut |_, document| {
                    distinct.add(document)?;
                    Ok(ControlFlow::Continue(()))
                })?),
                Source::View { .. } => {
                    let documents = of_view(connection, &namespace, &args, "query", &given)?;
                    documents.iter().try_for_each(|document| distinct.add(document))?;
                }
            }
            let mut reply = RawDocumentBuf::new();
            reply.append(cstr!("values"), distinct.values);
            reply.append(cstr!("ok"), 1.0);
            Ok(reply)
        })
        .await
}
