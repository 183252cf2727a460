use std::ops::ControlFlow;
use std::sync::Arc;

use bson::{RawBsonRef, RawDocumentBuf};
use rusqlite::Connection;

use super::super::engine::{Catalog, Cursor, Engine, Namespace};
use super::super::error::{Code, CommandError};
use super::super::pipeline::Pipeline;
use super::super::value::type_alias;
use super::cursors::first_batch;
use super::find::given;
use super::{Args, Command, refuse_options};

pub(super) async fn aggregate(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    refuse_options(&args, &["collation", "explain"])?;
    let namespace = match args.get("aggregate")? {
        Some(RawBsonRef::Int32(1)) => {
            return Err(CommandError::not_implemented("an aggregation without a collection"));
        }
        _ => args.namespace("aggregate")?,
    };
    let mut stages = args.documents("pipeline")?;
    let target = target(&stages, &namespace)?;
    if target.is_some() {
        stages.pop();
    }
    let pipeline = Pipeline::parse(&stages, &given(&args)?)?;
    let batch_size = match args.document("cursor")? {
        Some(cursor) => Args::new("aggregate.cursor", cursor).size("batchSize")?,
        None => {
            let message = "The 'cursor' option is required, except for aggregate with the explain argument";
            return Err(CommandError::new(Code::FAILED_TO_PARSE, message));
        }
    };
    if let Some(target) = target {
        return engine
            .write(move |connection| {
                let documents = pipeline.of_collection(connection, &namespace)?;
                replace_all(connection, &target, &documents)?;
                first_batch(connection, Cursor::made(namespace.to_string(), Vec::new()), batch_size, None)
            })
            .await;
    }
    let cursors = Arc::clone(engine.cursors());
    engine
        .read(move |connection| {
            let documents = pipeline.of_collection(connection, &namespace)?;
            first_batch(connection, Cursor::made(namespace.to_string(), documents), batch_size, Some(&cursors))
        })
        .await
}

/// The collection that a last stage `$out` names.
fn target(stages: &[RawDocumentBuf], namespace: &Namespace) -> Result<Option<Namespace>, CommandError> {
    let Some(out) = stages.last().map(|last| last.get("$out")).transpose()?.flatten() else { return Ok(None) };
    match out {
        RawBsonRef::String(collection) => Namespace::new(&namespace.db, collection).map(Some),
        RawBsonRef::Document(place) => match (place.get("db")?, place.get("coll")?) {
            (Some(RawBsonRef::String(db)), Some(RawBsonRef::String(collection))) => Namespace::new(db, collection).map(Some),
            _ => Err(CommandError::new(Code::FAILED_TO_PARSE, "$out needs 'db' and 'coll'")),
        },
        other => {
            let message = format!("$out only supports a string or object argument, but found {}", type_alias(other));
            Err(CommandError::new(Code::location(16990), message))
        }
    }
}

/// The documents become the collection's only ones; its indexes stay.
fn replace_all(connection: &Connection, target: &Namespace, documents: &[RawDocumentBuf]) -> Result<(), CommandError> {
    let collection = Catalog(connection).find_or_create(target)?;
    let mut old = Vec::new();
    collection.scan(connection, 0, &mut |seq, _| {
        old.push(seq);
        Ok(ControlFlow::Continue(()))
    })?;
    old.into_iter().try_for_each(|seq| collection.delete(connection, seq))?;
    documents.iter().try_for_each(|document| collection.insert(connection, document).map(drop))
}
