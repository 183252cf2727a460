use std::ops::ControlFlow;
use std::sync::Arc;

use bson::raw::CString;
use bson::{RawBson, RawBsonRef, RawDocument, RawDocumentBuf};
use rusqlite::Connection;

use super::super::engine::{Catalog, Collection, Cursor, Engine, Query};
use super::super::error::{Code, CommandError};
use super::super::matcher::Matcher;
use super::super::projection::Projection;
use super::super::sort::Sort;
use super::super::value::type_alias;
use super::cursors::first_batch;
use super::{Args, Command, refuse_options};

/// Documents a stage holds in memory may have this many bytes, as in MongoDB.
const MAX_BYTES: usize = 100 * 1024 * 1024;

pub(super) async fn aggregate(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    refuse_options(&args, &["collation", "explain", "let"])?;
    let namespace = match args.get("aggregate")? {
        Some(RawBsonRef::Int32(1)) => {
            return Err(CommandError::not_implemented("an aggregation without a collection"));
        }
        _ => args.namespace("aggregate")?,
    };
    let stages = args.documents("pipeline")?.iter().map(|stage| Stage::parse(stage)).collect::<Result<Vec<_>, _>>()?;
    let batch_size = match args.document("cursor")? {
        Some(cursor) => Args::new("aggregate.cursor", cursor).size("batchSize")?,
        None => {
            let message = "The 'cursor' option is required, except for aggregate with the explain argument";
            return Err(CommandError::new(Code::FAILED_TO_PARSE, message));
        }
    };
    let cursors = Arc::clone(engine.cursors());
    engine
        .read(move |connection| {
            let documents = match Catalog(connection).find(&namespace)? {
                Some(collection) => run(connection, &collection, &stages)?,
                None => through(Vec::new(), &stages),
            };
            first_batch(connection, Cursor::made(namespace.to_string(), documents), batch_size, Some(&cursors))
        })
        .await
}

#[derive(Debug, Clone)]
enum Stage {
    Match(Matcher),
    Sort(Option<Sort>),
    Skip(usize),
    Limit(usize),
    Project(Option<Projection>),
    /// `$count`, and `$group` of constants only: one document with the given fields, each the number of documents times
    /// its factor; the drivers' `count_documents`.
    Count {
        id: Option<RawBson>,
        sums: Vec<(CString, i64)>,
    },
}

impl Stage {
    fn parse(stage: &RawDocument) -> Result<Self, CommandError> {
        let mut fields = stage.iter();
        let (Some(field), None) = (fields.next(), fields.next()) else {
            let message = "A pipeline stage specification object must contain exactly one field.";
            return Err(CommandError::new(Code::location(40323), message));
        };
        let (name, value) = field?;
        let document = || {
            value.as_document().ok_or_else(|| {
                let message = format!("the {name} specification must be an object, but found {}", type_alias(value));
                CommandError::new(Code::location(15959), message)
            })
        };
        let size = |least: i64| {
            let number = Args::new(name.as_str(), stage).integer(name.as_str())?.filter(|n| *n >= least);
            let refused = || CommandError::new(Code::location(15958), format!("the {name} must be a number of at least {least}"));
            usize::try_from(number.ok_or_else(refused)?).map_err(|_| refused())
        };
        match name.as_str() {
            "$match" => Ok(Self::Match(Matcher::parse(document()?)?)),
            "$sort" => Ok(Self::Sort(Sort::parse(document()?)?)),
            "$skip" => Ok(Self::Skip(size(0)?)),
            "$limit" => Ok(Self::Limit(size(1)?)),
            "$project" => Ok(Self::Project(Projection::parse(document()?)?)),
            "$count" => match value {
                RawBsonRef::String(field) if !field.is_empty() && !field.starts_with('$') && !field.contains('.') => {
                    Ok(Self::Count { id: None, sums: vec![(CString::try_from(field)?, 1)] })
                }
                _ => Err(CommandError::new(Code::location(40156), "the count field must be a non-empty string")),
            },
            "$group" => group(document()?),
            known if STAGES.contains(&known) => Err(CommandError::not_implemented(known)),
            unknown => {
                let message = format!("Unrecognized pipeline stage name: '{unknown}'");
                Err(CommandError::new(Code::location(40324), message))
            }
        }
    }
}

/// Stages MongoDB has and this sandbox has not yet: they are refused by name.
const STAGES: [&str; 18] = [
    "$addFields",
    "$bucket",
    "$bucketAuto",
    "$facet",
    "$geoNear",
    "$graphLookup",
    "$lookup",
    "$merge",
    "$out",
    "$redact",
    "$replaceRoot",
    "$replaceWith",
    "$sample",
    "$set",
    "$sortByCount",
    "$unionWith",
    "$unset",
    "$unwind",
];

fn group(spec: &RawDocument) -> Result<Stage, CommandError> {
    let beyond = || CommandError::not_implemented("$group other than counting all documents");
    let id = match spec.get("_id")? {
        None => return Err(CommandError::new(Code::location(15955), "a group specification must include an _id")),
        Some(RawBsonRef::String(text)) if text.starts_with('$') => return Err(beyond()),
        Some(RawBsonRef::Document(_) | RawBsonRef::Array(_)) => return Err(beyond()),
        Some(id) => RawBson::from(id),
    };
    let mut sums = Vec::new();
    for field in spec.iter() {
        let (name, value) = field?;
        if name.as_str() != "_id" {
            let factor = value.as_document().and_then(|sum| sum.get("$sum").ok().flatten()).ok_or_else(beyond)?;
            let factor = factor.as_i32().map(i64::from).or(factor.as_i64()).ok_or_else(beyond)?;
            sums.push((name.into(), factor));
        }
    }
    Ok(Stage::Count { id: Some(id), sums })
}

/// What the beginning of the pipeline says about documents alone is asked of the collection, and counting needs none of
/// them in memory; the rest is done stage by stage.
fn run(connection: &Connection, collection: &Collection, stages: &[Stage]) -> Result<Vec<RawDocumentBuf>, CommandError> {
    let (matcher, rest) = match stages.split_first() {
        Some((Stage::Match(matcher), rest)) => (matcher.clone(), rest),
        _ => (super::find::matcher(None)?, stages),
    };
    let query = Query::all(matcher);
    if let Some((Stage::Count { id, sums }, rest)) = rest.split_first() {
        let mut n = 0_i64;
        query.visit(connection, collection, 0, &mut |_, _| {
            n += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        return Ok(through(counted(n, id.as_ref(), sums), rest));
    }
    let (mut documents, mut bytes) = (Vec::new(), 0);
    query.visit(connection, collection, 0, &mut |_, document| {
        bytes += document.as_bytes().len();
        if bytes > MAX_BYTES {
            let message = "the pipeline holds more than 100 MiB of documents in memory; narrow it with a $match in front";
            return Err(CommandError::new(Code::location(292), message));
        }
        documents.push(document.to_owned());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(through(documents, rest))
}

fn through(documents: Vec<RawDocumentBuf>, stages: &[Stage]) -> Vec<RawDocumentBuf> {
    stages.iter().fold(documents, |mut documents, stage| match stage {
        Stage::Match(matcher) => {
            documents.retain(|document| matcher.matches(document));
            documents
        }
        Stage::Sort(None) | Stage::Project(None) => documents,
        Stage::Sort(Some(sort)) => {
            documents.sort_by_cached_key(|document| sort.key(document));
            documents
        }
        Stage::Skip(n) => documents.split_off((*n).min(documents.len())),
        Stage::Limit(n) => {
            documents.truncate(*n);
            documents
        }
        Stage::Project(Some(projection)) => documents.iter().map(|document| projection.apply(document)).collect(),
        Stage::Count { id, sums } => counted(i64::try_from(documents.len()).unwrap_or(i64::MAX), id.as_ref(), sums),
    })
}

/// Of nothing there is no group.
fn counted(n: i64, id: Option<&RawBson>, sums: &[(CString, i64)]) -> Vec<RawDocumentBuf> {
    if n == 0 {
        return Vec::new();
    }
    let mut document = RawDocumentBuf::new();
    if let Some(id) = id {
        document.append(bson::raw::cstr!("_id"), id.as_raw_bson_ref());
    }
    for (name, factor) in sums {
        let sum = n.saturating_mul(*factor);
        match i32::try_from(sum) {
            Ok(sum) => document.append(&**name, sum),
            Err(_) => document.append(&**name, sum),
        }
    }
    vec![document]
}
