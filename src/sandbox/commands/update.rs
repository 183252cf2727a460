use bson::raw::cstr;
use bson::{RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use rusqlite::Connection;

use super::super::engine::{Catalog, Collection, Deadline, Engine, Hint, Query};
use super::super::error::{Code, CommandError};
use super::super::expression::Given;
use super::super::matcher::Matcher;
use super::super::update::{ArrayFilters, Update};
use super::super::value::MAX_DOCUMENT;
use super::find::{add_variables, given};
use super::insert::validating;
use super::{Args, Command, Outcome};

pub(super) async fn update(engine: &Engine, mut command: Command) -> Result<RawDocumentBuf, CommandError> {
    let operations = command.documents("updates")?;
    engine
        .write(move |connection| {
            let args = command.args();
            let (namespace, ordered) = (args.namespace("update")?, args.flag("ordered")?.unwrap_or(true));
            let mut collection = Catalog(connection).find(&namespace)?.map(|found| validating(&args, found)).transpose()?;
            let default = collection.as_ref().map(|collection| collection.traits().collation.clone()).unwrap_or_default();
            let (given, deadline) = (given(&args, default)?, args.deadline()?);
            for operation in &operations {
                Args::new("update.updates", operation).only(&FIELDS)?;
            }
            let outcome = Outcome::of_batch(&operations, ordered, |outcome, index, operation| {
                let operation = Operation::parse(operation, &given, deadline)?;
                if collection.is_none() && operation.upsert {
                    collection = Some(Catalog(connection).find_or_create(&namespace)?);
                }
                match &collection {
                    Some(collection) => operation.run(connection, collection, index, outcome),
                    None => Ok(()),
                }
            })?;
            Ok(outcome.reply(true))
        })
        .await
}

/// The fields of an operation. `sort` is none of them: servers know it from version 8 on, and this says it is a 7.0.
const FIELDS: [&str; 8] = ["q", "u", "c", "multi", "upsert", "collation", "arrayFilters", "hint"];

struct Operation {
    query: Query,
    update: Update,
    multi: bool,
    upsert: bool,
}

impl Operation {
    fn parse(operation: &RawDocument, given: &Given, deadline: Deadline) -> Result<Self, CommandError> {
        let args = Args::new("update.updates", operation);
        let mut given = args.collation()?.map_or_else(|| given.clone(), |collation| given.with(collation));
        let matcher = Matcher::parse_given(args.document("q")?.ok_or_else(|| args.missing("q"))?, &given)?;
        let update = args.get("u")?.ok_or_else(|| args.missing("u"))?;
        if let Some(constants) = args.document("c")? {
            if !matches!(update, RawBsonRef::Array(_)) {
                let message = "Constant values may only be specified for pipeline updates";
                return Err(CommandError::new(Code::location(51198), message));
            }
            add_variables(&mut given, Some(constants))?;
        }
        let update = Update::parse(update, array_filters(&args, &given)?, &given)?;
        let (multi, upsert) = (args.flag("multi")?.unwrap_or(false), args.flag("upsert")?.unwrap_or(false));
        if multi && update.is_replacement() {
            let message = "multi update is not supported for replacement-style update";
            return Err(CommandError::new(Code::FAILED_TO_PARSE, message));
        }
        let hint = Hint::parse(args.get("hint")?)?;
        let query = Query { limit: (!multi).then_some(1), hint, deadline, ..Query::all(matcher) };
        Ok(Self { query, update, multi, upsert })
    }

    fn run(
        &self,
        connection: &Connection,
        collection: &Collection,
        index: i32,
        outcome: &mut Outcome,
    ) -> Result<(), CommandError> {
        let numbers = self.query.numbers(connection, collection)?;
        debug_assert!(self.multi || numbers.len() <= 1);
        if numbers.is_empty() && self.upsert {
            let made = collection.insert(connection, &self.update.new_document(&self.query.matcher)?)?;
            let mut entry = rawdoc! { "index": index };
            entry.append(cstr!("_id"), made.get("_id")?.unwrap_or(RawBsonRef::Null));
            outcome.upserted.push(entry);
            outcome.n += 1;
            return Ok(());
        }
        for seq in numbers {
            let Some(old) = collection.by_seq(connection, seq)? else { continue };
            if change(connection, collection, seq, &old, &self.update, &self.query.matcher)?.is_some() {
                outcome.modified += 1;
            }
            outcome.n += 1;
        }
        Ok(())
    }
}

/// The `arrayFilters` of an update, if it has some.
pub(super) fn array_filters(args: &Args<'_>, given: &Given) -> Result<ArrayFilters, CommandError> {
    match args.get("arrayFilters")? {
        None | Some(RawBsonRef::Null) => Ok(ArrayFilters::default()),
        Some(_) => ArrayFilters::parse(&args.documents("arrayFilters")?, given),
    }
}

/// Changes one document that `found_by` found; the changed one, if it differs.
pub(super) fn change(
    connection: &Connection,
    collection: &Collection,
    seq: i64,
    old: &RawDocument,
    update: &Update,
    found_by: &Matcher,
) -> Result<Option<RawDocumentBuf>, CommandError> {
    let Some(new) = update.apply(old, found_by)? else { return Ok(None) };
    if new.as_bytes().len() > MAX_DOCUMENT {
        let message = format!("Resulting document after update is larger than {MAX_DOCUMENT}");
        return Err(CommandError::new(Code::location(17419), message));
    }
    collection.replace(connection, seq, old, &new)?;
    Ok(Some(new))
}
