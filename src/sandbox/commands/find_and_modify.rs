use bson::raw::cstr;
use bson::{RawBson, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use rusqlite::Connection;

use super::super::engine::{Catalog, Collection, Engine, Query};
use super::super::error::{Code, CommandError};
use super::super::expression::Given;
use super::super::projection::Projection;
use super::super::update::Update;
use super::find::{given, projection, query};
use super::insert::validating;
use super::update::{array_filters, change};
use super::{Args, Command};

/// What becomes of the document that is found.
enum Change {
    Remove,
    Update { update: Update, upsert: bool, answer_new: bool },
}

impl Change {
    fn parse(args: &Args<'_>, given: &Given) -> Result<Self, CommandError> {
        let (remove, upsert) = (args.flag("remove")?.unwrap_or(false), args.flag("upsert")?.unwrap_or(false));
        let answer_new = args.flag("new")?.unwrap_or(false);
        let refused = |message: &str| Err(CommandError::new(Code::FAILED_TO_PARSE, message));
        match (remove, args.get("update")?) {
            (true, Some(_)) => refused("Cannot specify both an update and remove=true"),
            (true, None) if upsert => refused("Cannot specify both upsert=true and remove=true"),
            (true, None) if answer_new => {
                refused("Cannot specify both new=true and remove=true; 'remove' always returns the deleted document")
            }
            (true, None) => Ok(Self::Remove),
            (false, None) => refused("Either an update or remove=true must be specified"),
            (false, Some(update)) => {
                Ok(Self::Update { update: Update::parse(update, array_filters(args, given)?, given)?, upsert, answer_new })
            }
        }
    }
}

pub(super) async fn find_and_modify(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    engine
        .write(move |connection| {
            let args = command.args();
            let namespace = args.namespace(command.name())?;
            let found = Catalog(connection).find(&namespace)?.map(|found| validating(&args, found)).transpose()?;
            let default = found.as_ref().map(|collection| collection.traits().collation.clone()).unwrap_or_default();
            let given = given(&args, default)?;
            let query = Query { skip: 0, limit: Some(1), ..query(&args, "query", &given)? };
            let projection = projection(args.document("fields")?, &given)?;
            let change = Change::parse(&args, &given)?;
            let collection = match (found, &change) {
                (None, Change::Update { upsert: true, .. }) => Catalog(connection).find_or_create(&namespace)?,
                (None, _) => return Ok(nothing(&change)),
                (Some(collection), _) => collection,
            };
            run(connection, &collection, &query, projection.as_ref(), &change)
        })
        .await
}

fn run(
    connection: &Connection,
    collection: &Collection,
    query: &Query,
    projection: Option<&Projection>,
    to: &Change,
) -> Result<RawDocumentBuf, CommandError> {
    let projected = |document: &RawDocument| match projection {
        Some(projection) => projection.apply(document, Some(&query.matcher)),
        None => Ok(document.to_owned()),
    };
    match (query.first(connection, collection)?, to) {
        (Some((seq, old)), Change::Remove) => {
            let value = projected(&old)?;
            collection.delete(connection, seq)?;
            Ok(reply(rawdoc! { "n": 1 }, Some(&value)))
        }
        (Some((seq, old)), Change::Update { update, answer_new, .. }) => {
            let new = change(connection, collection, seq, &old, update, &query.matcher)?;
            let answered = if *answer_new { new.as_ref().unwrap_or(&old) } else { &old };
            Ok(reply(rawdoc! { "n": 1, "updatedExisting": true }, Some(&projected(answered)?)))
        }
        (None, Change::Update { update, upsert: true, answer_new }) => {
            let made = collection.insert(connection, &update.new_document(&query.matcher)?)?;
            let mut last = rawdoc! { "n": 1, "updatedExisting": false };
            last.append(cstr!("upserted"), made.get("_id")?.unwrap_or(RawBsonRef::Null));
            let value = if *answer_new { Some(projected(&made)?) } else { None };
            Ok(reply(last, value.as_deref()))
        }
        (None, _) => Ok(nothing(to)),
    }
}

fn nothing(change: &Change) -> RawDocumentBuf {
    match change {
        Change::Remove => reply(rawdoc! { "n": 0 }, None),
        Change::Update { .. } => reply(rawdoc! { "n": 0, "updatedExisting": false }, None),
    }
}

fn reply(last: RawDocumentBuf, value: Option<&RawDocument>) -> RawDocumentBuf {
    let value = value.map_or(RawBson::Null, |document| RawBson::Document(document.to_owned()));
    rawdoc! { "lastErrorObject": last, "value": value, "ok": 1.0 }
}
