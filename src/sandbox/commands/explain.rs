use std::time::Instant;

use bson::raw::cstr;
use bson::{RawDocumentBuf, rawdoc};
use rusqlite::Connection;

use super::super::engine::{Catalog, Engine, Plan, Query, Source};
use super::super::error::{Code, CommandError};
use super::super::pipeline::Pipeline;
use super::find::{given, query};
use super::{Args, Command};

/// Says how a command's documents would be found; with `executionStats` it finds them and says what that took.
pub(super) async fn explain(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let db = args.db()?.to_owned();
    let mut inner = args.document("explain")?.ok_or_else(|| args.missing("explain"))?.to_owned();
    if inner.get("$db")?.is_none() {
        inner.append(cstr!("$db"), db);
    }
    // What is not said is everything, as in MongoDB.
    let executed = match args.text("verbosity")? {
        Some("queryPlanner") => false,
        None | Some("executionStats" | "allPlansExecution") => true,
        Some(other) => {
            let message = format!("Enumeration value '{other}' for field 'explain.verbosity' is not a valid value.");
            return Err(CommandError::bad_value(message));
        }
    };
    let inner = Command::new(inner);
    super::fields::check(inner.name(), &inner.body)?;
    engine.read(move |connection| of(connection, &inner, executed)).await
}

fn of(connection: &Connection, command: &Command, executed: bool) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let namespace = args.namespace(command.name())?;
    let catalog = Catalog(connection);
    let source = catalog.source(&namespace)?;
    let given = given(&args, source.collation())?;
    let (namespace, source, query) = match (command.name(), source) {
        ("aggregate", _) | (_, Source::View { .. }) => {
            let stages =
                if command.name() == "aggregate" { args.documents("pipeline")? } else { vec![filter(&args, command.name())?] };
            let pipeline = Pipeline::parse(&stages, &given)?;
            let (pipeline, base) = pipeline.through_views(connection, &namespace)?;
            let found = catalog.source(&base)?;
            (base, found, pipeline.query().0)
        }
        (_, source) => (namespace, source, query_of(&args, command.name(), &given)?),
    };
    let parsed = match command.name() {
        "find" => args.document("filter")?.map(ToOwned::to_owned),
        "count" | "distinct" | "findAndModify" => args.document("query")?.map(ToOwned::to_owned),
        name => filter(&args, name)?.get_document("$match").ok().map(ToOwned::to_owned),
    };
    let mut reply = rawdoc! { "explainVersion": "1" };
    let plan = match &source {
        Source::Collection(collection) => Plan::of(&query, collection)?.explained(&query),
        _ => rawdoc! { "stage": "EOF" },
    };
    reply.append(
        cstr!("queryPlanner"),
        rawdoc! {
            "namespace": namespace.to_string(), "parsedQuery": parsed.unwrap_or_default(), "winningPlan": plan.clone(), "rejectedPlans": [],
        },
    );
    if executed {
        reply.append(cstr!("executionStats"), execution(connection, &source, &query, plan)?);
    }
    reply.append(cstr!("command"), without_db(command));
    reply.append(cstr!("serverInfo"), rawdoc! { "host": "127.0.0.1", "version": env!("CARGO_PKG_VERSION") });
    reply.append(cstr!("ok"), 1.0);
    Ok(reply)
}

fn without_db(command: &Command) -> RawDocumentBuf {
    let mut body = RawDocumentBuf::new();
    command.body.iter().flatten().filter(|(name, _)| name.as_str() != "$db").for_each(|(name, value)| body.append(name, value));
    body
}

fn execution(
    connection: &Connection,
    source: &Source,
    query: &Query,
    plan: RawDocumentBuf,
) -> Result<RawDocumentBuf, CommandError> {
    let begun = Instant::now();
    let (found, examined) = match source {
        Source::Collection(collection) => query.numbers_examined(connection, collection)?,
        _ => Default::default(),
    };
    let n = i64::try_from(found.len()).unwrap_or(i64::MAX);
    let mut stages = plan;
    stages.append(cstr!("nReturned"), n);
    Ok(rawdoc! {
        "executionSuccess": true, "nReturned": n,
        "executionTimeMillis": i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX),
        "totalKeysExamined": examined.keys, "totalDocsExamined": examined.documents, "executionStages": stages,
    })
}

/// The query of a command that is no aggregation.
fn query_of(args: &Args<'_>, name: &str, given: &super::super::expression::Given) -> Result<Query, CommandError> {
    let list = match name {
        "find" => return query(args, "filter", given),
        "count" | "distinct" => return query(args, "query", given),
        "findAndModify" | "findandmodify" => return Ok(Query { limit: Some(1), ..query(args, "query", given)? }),
        "delete" => "deletes",
        "update" => "updates",
        other => {
            return Err(CommandError::new(Code::COMMAND_NOT_FOUND, format!("Explain failed due to unknown command: {other}")));
        }
    };
    let first = args.documents(list)?.into_iter().next().unwrap_or_default();
    let operation = Args::new(list, &first);
    let one = operation.integer("limit")? == Some(1) || name == "update" && !operation.flag("multi")?.unwrap_or(false);
    let query = query(&operation, "q", given)?;
    Ok(Query { limit: one.then_some(1), ..query })
}

/// The filter of a command as a stage.
fn filter(args: &Args<'_>, name: &str) -> Result<RawDocumentBuf, CommandError> {
    let first = |list: &str, field: &str| {
        let first = args.documents(list)?.into_iter().next().unwrap_or_default();
        Ok::<_, CommandError>(first.get_document(field).map(ToOwned::to_owned).unwrap_or_default())
    };
    let filter = match name {
        "find" => args.document("filter")?.map(ToOwned::to_owned).unwrap_or_default(),
        "delete" => first("deletes", "q")?,
        "update" => first("updates", "q")?,
        "aggregate" => first("pipeline", "$match")?,
        _ => args.document("query")?.map(ToOwned::to_owned).unwrap_or_default(),
    };
    Ok(rawdoc! { "$match": filter })
}
