use bson::raw::cstr;
use bson::{RawBson, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};

use super::super::engine::{Catalog, Engine, Query};
use super::super::error::{Code, CommandError};
use super::super::sort::Sort;
use super::super::update::Update;
use super::find::{given, matcher, projection};
use super::update::{array_filters, change};
use super::{Command, refuse_options};

/// What becomes of the document that is found.
enum Change {
    Remove,
    Update { update: Update, upsert: bool, answer_new: bool },
}

pub(super) async fn find_and_modify(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    refuse_options(&args, &["collation"])?;
    let namespace = args.namespace(command.name())?;
    let given = given(&args)?;
    let query = Query {
        sort: args.document("sort")?.map(Sort::parse).transpose()?.flatten(),
        limit: Some(1),
        ..Query::all(matcher(args.document("query")?, &given)?)
    };
    let projection = projection(args.document("fields")?, &given)?;
    let (remove, upsert) = (args.flag("remove")?.unwrap_or(false), args.flag("upsert")?.unwrap_or(false));
    let answer_new = args.flag("new")?.unwrap_or(false);
    let refused = |message: &str| Err(CommandError::new(Code::FAILED_TO_PARSE, message));
    let change_to = match (remove, args.get("update")?) {
        (true, Some(_)) => return refused("Cannot specify both an update and remove=true"),
        (true, None) if upsert => return refused("Cannot specify both upsert=true and remove=true"),
        (true, None) if answer_new => {
            return refused("Cannot specify both new=true and remove=true; 'remove' always returns the deleted document");
        }
        (true, None) => Change::Remove,
        (false, None) => return refused("Either an update or remove=true must be specified"),
        (false, Some(update)) => {
            Change::Update { update: Update::parse(update, array_filters(&args)?, &given)?, upsert, answer_new }
        }
    };
    engine
        .write(move |connection| {
            let projected = |document: &RawDocument| match &projection {
                Some(projection) => projection.apply(document, Some(&query.matcher)),
                None => Ok(document.to_owned()),
            };
            let collection = match (Catalog(connection).find(&namespace)?, &change_to) {
                (None, Change::Update { upsert: true, .. }) => Catalog(connection).find_or_create(&namespace)?,
                (None, _) => return Ok(nothing(&change_to)),
                (Some(collection), _) => collection,
            };
            let found = match query.numbers(connection, &collection)?.first() {
                Some(seq) => collection.by_seq(connection, *seq)?.map(|document| (*seq, document)),
                None => None,
            };
            match (found, &change_to) {
                (Some((seq, old)), Change::Remove) => {
                    let value = projected(&old)?;
                    collection.delete(connection, seq)?;
                    Ok(reply(rawdoc! { "n": 1 }, Some(&value)))
                }
                (Some((seq, old)), Change::Update { update, answer_new, .. }) => {
                    let new = change(connection, &collection, seq, &old, update, &query.matcher)?;
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
                (None, _) => Ok(nothing(&change_to)),
            }
        })
        .await
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
