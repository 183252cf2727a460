use axum::http::StatusCode;
use bson::oid::ObjectId;
use bson::raw::cstr;
use bson::{RawArrayBuf, RawBsonRef, RawDocumentBuf, rawdoc};
use serde_json::Value;

use super::super::error::CommandError;
use super::deployment::{Deployment, all_documents};
use super::ejson;
use super::error::ApiError;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    FindOne,
    Find,
    InsertOne,
}

/// The action of this name.
pub(super) fn find(name: &str) -> Option<Action> {
    match name {
        "findOne" => Some(Action::FindOne),
        "find" => Some(Action::Find),
        "insertOne" => Some(Action::InsertOne),
        _ => None,
    }
}

/// The documents a `find` answers when no limit is given, and the most it ever answers.
const DEFAULT_LIMIT: i64 = 1_000;
const MAX_LIMIT: i64 = 50_000;

/// A request's body: where to, and the fields of its action.
pub(super) struct Request<'a> {
    database: &'a str,
    collection: &'a str,
    body: &'a serde_json::Map<String, Value>,
}

impl<'a> Request<'a> {
    pub(super) fn parse(body: &'a Value) -> Result<Self, ApiError> {
        let body = body.as_object().ok_or_else(|| ApiError::invalid("the body must be a JSON object"))?;
        let text = |name: &str| match body.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.as_str()),
            None | Some(Value::Null | Value::String(_)) => Err(ApiError::missing(name)),
            Some(_) => Err(ApiError::invalid(format!("'{name}' must be a string"))),
        };
        // The name of the deployment: there is only one here, but clients must not forget it.
        text("dataSource")?;
        Ok(Self { database: text("database")?, collection: text("collection")?, body })
    }

    /// A document of the body; what is no object is refused.
    fn document(&self, name: &str) -> Result<Option<RawDocumentBuf>, ApiError> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(fields)) => {
                ejson::document(fields).map(Some).map_err(|reason| ApiError::invalid(format!("'{name}': {reason}")))
            }
            Some(_) => Err(ApiError::invalid(format!("'{name}' must be an object"))),
        }
    }

    fn required(&self, name: &str) -> Result<RawDocumentBuf, ApiError> {
        self.document(name)?.ok_or_else(|| ApiError::missing(name))
    }

    /// A number of documents; it may be given as Extended JSON.
    fn count(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(value) = self.body.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
        let number = match ejson::value(value).map_err(|reason| ApiError::invalid(format!("'{name}': {reason}")))? {
            bson::Bson::Int32(n) => Some(i64::from(n)),
            bson::Bson::Int64(n) => Some(n),
            #[allow(clippy::cast_possible_truncation)] // saturates
            bson::Bson::Double(n) if n.fract() == 0.0 => Some(n as i64),
            _ => None,
        };
        let refused = || ApiError::invalid(format!("'{name}' must be a whole number that is not negative"));
        number.filter(|n| *n >= 0).map(Some).ok_or_else(refused)
    }

    /// The command of the name `name`, with those of the given fields that the body has.
    fn command(&self, name: &bson::raw::CStr, fields: &[&str]) -> Result<RawDocumentBuf, ApiError> {
        let mut command = RawDocumentBuf::new();
        command.append(name, self.collection);
        for field in fields {
            if let Some(value) = self.document(field)? {
                let field: &bson::raw::CStr = (*field).try_into().map_err(|_| ApiError::invalid("a field's name"))?;
                command.append(field, value);
            }
        }
        Ok(command)
    }
}

impl Action {
    /// The status of its success.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::InsertOne => StatusCode::CREATED,
            Self::FindOne | Self::Find => StatusCode::OK,
        }
    }

    /// Does it, and answers with the body.
    pub(super) async fn run(self, deployment: &dyn Deployment, request: &Request<'_>) -> Result<RawDocumentBuf, ApiError> {
        match self {
            Self::FindOne => find_one(deployment, request).await,
            Self::Find => find_many(deployment, request).await,
            Self::InsertOne => insert_one(deployment, request).await,
        }
    }
}

async fn find_one(deployment: &dyn Deployment, request: &Request<'_>) -> Result<RawDocumentBuf, ApiError> {
    let mut command = request.command(cstr!("find"), &["filter", "projection", "sort"])?;
    command.append(cstr!("limit"), 1_i64);
    command.append(cstr!("singleBatch"), true);
    let found = all_documents(deployment, request.database, request.collection, command).await?;
    let mut answer = RawDocumentBuf::new();
    answer.append(cstr!("document"), found.get(0).map_err(CommandError::from)?.unwrap_or(RawBsonRef::Null));
    Ok(answer)
}

async fn find_many(deployment: &dyn Deployment, request: &Request<'_>) -> Result<RawDocumentBuf, ApiError> {
    let mut command = request.command(cstr!("find"), &["filter", "projection", "sort"])?;
    let limit = request.count("limit")?.filter(|limit| *limit > 0).unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    command.append(cstr!("limit"), limit);
    command.append(cstr!("skip"), request.count("skip")?.unwrap_or(0));
    let found = all_documents(deployment, request.database, request.collection, command).await?;
    Ok(rawdoc! { "documents": found })
}

async fn insert_one(deployment: &dyn Deployment, request: &Request<'_>) -> Result<RawDocumentBuf, ApiError> {
    let document = with_id(request.required("document")?)?;
    let mut command = request.command(cstr!("insert"), &[])?;
    command.append(cstr!("documents"), RawArrayBuf::from_iter([&document]));
    succeeded(&deployment.run(request.database, command).await?)?;
    let mut answer = RawDocumentBuf::new();
    answer.append(cstr!("insertedId"), document.get("_id").map_err(CommandError::from)?.unwrap_or(RawBsonRef::Null));
    Ok(answer)
}

/// The `_id` is made here, as a driver does, to be able to answer with it.
fn with_id(document: RawDocumentBuf) -> Result<RawDocumentBuf, ApiError> {
    if document.get("_id").map_err(CommandError::from)?.is_some() {
        return Ok(document);
    }
    let mut made = rawdoc! { "_id": ObjectId::new() };
    document.iter().flatten().for_each(|(name, value)| made.append(name, value));
    Ok(made)
}

/// A write that was refused is an error here, though its command succeeded.
fn succeeded(reply: &RawDocumentBuf) -> Result<(), ApiError> {
    let Some(RawBsonRef::Array(errors)) = reply.get("writeErrors").map_err(CommandError::from)? else { return Ok(()) };
    let first = errors.get(0).ok().flatten().and_then(RawBsonRef::as_document);
    let words = first.and_then(|error| error.get_str("errmsg").ok()).unwrap_or("the write was refused");
    Err(CommandError::bad_value(words).into())
}
