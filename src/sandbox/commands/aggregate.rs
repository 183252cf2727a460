use std::sync::Arc;

use bson::raw::cstr;
use bson::{RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use rusqlite::Connection;

use super::super::engine::{Catalog, Cursor, Engine, Hint, Namespace, Source, check_size};
use super::super::error::{Code, CommandError};
use super::super::expression::Given;
use super::super::pipeline::Pipeline;
use super::super::value::Collation;
use super::cursors::first_batch;
use super::find::{check_view_collation, given};
use super::merge::Target;
use super::{Args, Command};

pub(super) async fn aggregate(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    if args.flag("explain")?.unwrap_or(false) {
        let mut inner = RawDocumentBuf::new();
        command
            .body
            .iter()
            .flatten()
            .filter(|(name, _)| name.as_str() != "explain")
            .for_each(|(name, value)| inner.append(name, value));
        let explain = rawdoc! { "explain": inner, "verbosity": "queryPlanner", "$db": args.db()? };
        return super::explain::explain(engine, Command::new(explain)).await;
    }
    if matches!(args.get("aggregate")?, Some(RawBsonRef::Int32(1) | RawBsonRef::Int64(1))) {
        return of_database(engine, command).await;
    }
    let namespace = args.namespace("aggregate")?;
    let batch_size = batch_size(&args)?;
    let mut stages = args.documents("pipeline")?;
    let target = Target::of(&stages, &namespace)?;
    if let Some(target) = target {
        stages.pop();
        return engine
            .write(move |connection| {
                let args = command.args();
                let (documents, given) = run(connection, &args, &namespace, &stages)?;
                target.write(connection, &documents, &given)?;
                first_batch(connection, Cursor::made(namespace.to_string(), Vec::new()), batch_size, None)
            })
            .await;
    }
    let cursors = Arc::clone(engine.cursors());
    engine
        .read(move |connection| {
            let (documents, _) = run(connection, &command.args(), &namespace, &stages)?;
            first_batch(connection, Cursor::made(namespace.to_string(), documents), batch_size, Some(&cursors))
        })
        .await
}

fn run(
    connection: &Connection,
    args: &Args<'_>,
    namespace: &Namespace,
    stages: &[RawDocumentBuf],
) -> Result<(Vec<RawDocumentBuf>, Given), CommandError> {
    let source = Catalog(connection).source(namespace)?;
    check_view_collation(args, &source)?;
    let given = given(args, source.collation())?;
    let hint = Hint::parse(args.get("hint")?)?;
    let (first, rest) = match stages.split_first() {
        Some((first, rest)) => (Some(first), rest),
        None => (None, stages),
    };
    let documents = match first.map(|first| about(connection, namespace, &source, first)).transpose()?.flatten() {
        Some(made) => Pipeline::parse(rest, &given)?.of_made(connection, &namespace.db, &made, args.deadline()?)?,
        None => Pipeline::parse(stages, &given)?.hinted(hint).of_collection(connection, namespace, args.deadline()?)?,
    };
    documents.iter().try_for_each(|document| check_size(document))?;
    Ok((documents, given))
}

/// The documents of a first stage that asks about the collection instead of what is in it.
fn about(
    connection: &Connection,
    namespace: &Namespace,
    source: &Source,
    stage: &RawDocument,
) -> Result<Option<Vec<RawDocumentBuf>>, CommandError> {
    let Some((name, spec)) = stage.iter().next().transpose()? else { return Ok(None) };
    match (name.as_str(), source) {
        ("$collStats", Source::Collection(collection)) => {
            super::stats::coll_stats_stage(connection, namespace, collection, spec).map(|found| Some(vec![found]))
        }
        ("$indexStats", Source::Collection(collection)) => Ok(Some(super::stats::index_stats(collection))),
        ("$indexStats", Source::Nothing) => Ok(Some(Vec::new())),
        ("$collStats", Source::Nothing) => {
            let message = format!(
                "Unable to retrieve storageStats in $collStats stage :: caused by :: Collection [{namespace}] not found."
            );
            Err(CommandError::new(Code::NAMESPACE_NOT_FOUND, message))
        }
        ("$collStats" | "$indexStats", Source::View { .. }) => {
            let message = format!("{name} is not supported on views");
            Err(CommandError::new(Code::COMMAND_NOT_SUPPORTED_ON_VIEW, message))
        }
        _ => Ok(None),
    }
}

fn batch_size(args: &Args<'_>) -> Result<Option<usize>, CommandError> {
    match args.document("cursor")? {
        Some(cursor) => Args::new("aggregate.cursor", cursor).size("batchSize"),
        None => {
            let message = "The 'cursor' option is required, except for aggregate with the explain argument";
            Err(CommandError::new(Code::FAILED_TO_PARSE, message))
        }
    }
}

/// An aggregation without a collection: its first stage says where the documents come from.
async fn of_database(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let cursors = Arc::clone(engine.cursors());
    let sessions = engine.sessions().list();
    let args = command.args();
    let (db, batch_size, mut stages) = (args.db()?.to_owned(), batch_size(&args)?, args.documents("pipeline")?);
    let namespace = format!("{db}.$cmd.aggregate");
    let beside = Namespace { db: db.clone(), collection: "$cmd.aggregate".into() };
    match Target::of(&stages, &beside)? {
        Some(target) => {
            stages.pop();
            engine
                .write(move |connection| {
                    let (documents, given) = without_collection(connection, &command, &stages, sessions)?;
                    target.write(connection, &documents, &given)?;
                    first_batch(connection, Cursor::made(namespace, Vec::new()), batch_size, None)
                })
                .await
        }
        None => {
            engine
                .read(move |connection| {
                    let (documents, _) = without_collection(connection, &command, &stages, sessions)?;
                    first_batch(connection, Cursor::made(namespace, documents), batch_size, Some(&cursors))
                })
                .await
        }
    }
}

fn without_collection(
    connection: &Connection,
    command: &Command,
    stages: &[RawDocumentBuf],
    sessions: Vec<RawDocumentBuf>,
) -> Result<(Vec<RawDocumentBuf>, Given), CommandError> {
    let args = command.args();
    let given = given(&args, Collation::SIMPLE)?;
    let Some((first, rest)) = stages.split_first() else {
        let message = "{aggregate: 1} is not valid for an empty pipeline.";
        return Err(CommandError::new(Code::INVALID_NAMESPACE, message));
    };
    let made = match first.iter().next().transpose()? {
        Some((name, RawBsonRef::Document(_))) if matches!(name.as_str(), "$listLocalSessions" | "$listSessions") => sessions,
        Some((name, RawBsonRef::Document(_))) if name.as_str() == "$currentOp" => current_operation(command)?,
        Some((name, _)) if name.as_str() == "$documents" => Pipeline::documents(first, &given)?,
        Some((name, _)) => {
            Pipeline::parse(stages, &given)?;
            let message = format!("{{aggregate: 1}} is not valid for '{name}'; a collection is required.");
            return Err(CommandError::new(Code::INVALID_NAMESPACE, message));
        }
        None => Vec::new(),
    };
    let documents = Pipeline::parse(rest, &given)?.of_made(connection, args.db()?, &made, args.deadline()?)?;
    documents.iter().try_for_each(|document| check_size(document))?;
    Ok((documents, given))
}

/// Of the operations under way the one that asks.
fn current_operation(command: &Command) -> Result<Vec<RawDocumentBuf>, CommandError> {
    let mut operation = rawdoc! { "type": "op", "host": "127.0.0.1", "active": true, "op": "command" };
    operation.append(cstr!("ns"), format!("{}.$cmd.aggregate", command.args().db()?));
    operation.append(cstr!("command"), command.body.clone());
    Ok(vec![operation])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_document_over_16_mib_is_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(&dir.path().join("s.sqlite")).unwrap();
        let long = "x".repeat(9 << 20);
        let pipeline = rawdoc! { "$documents": [{ "s": long }] };
        let asked = |twice: RawDocumentBuf| {
            let stages: bson::RawArrayBuf = [pipeline.clone(), rawdoc! { "$project": twice }].into_iter().collect();
            Command::new(rawdoc! { "aggregate": 1, "pipeline": stages, "cursor": {}, "$db": "d" })
        };
        assert!(aggregate(&engine, asked(rawdoc! { "a": "$s" })).await.is_ok());
        let refused = aggregate(&engine, asked(rawdoc! { "a": "$s", "b": "$s" })).await.unwrap_err();
        assert_eq!(refused.code, Code::BSON_OBJECT_TOO_LARGE);
    }
}
