use axum::http::StatusCode;
use bson::oid::ObjectId;
use bson::raw::{CStr, cstr};
use bson::{Bson, Document, RawArrayBuf, RawBson, RawBsonRef, RawDocumentBuf, rawdoc};

use super::super::error::{Code, CommandError};
use super::deployment::Deployment;
use super::error::ApiError;
use super::request::Request;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    FindOne,
    Find,
    InsertOne,
    InsertMany,
    UpdateOne,
    UpdateMany,
    ReplaceOne,
    DeleteOne,
    DeleteMany,
    Aggregate,
}

/// The action of this name.
pub(super) fn find(name: &str) -> Option<Action> {
    Some(match name {
        "findOne" => Action::FindOne,
        "find" => Action::Find,
        "insertOne" => Action::InsertOne,
        "insertMany" => Action::InsertMany,
        "updateOne" => Action::UpdateOne,
        "updateMany" => Action::UpdateMany,
        "replaceOne" => Action::ReplaceOne,
        "deleteOne" => Action::DeleteOne,
        "deleteMany" => Action::DeleteMany,
        "aggregate" => Action::Aggregate,
        _ => return None,
    })
}

/// The documents a `find` answers when no limit is given, and the most it ever answers.
const DEFAULT_LIMIT: i64 = 1_000;
const MAX_LIMIT: i64 = 50_000;

impl Action {
    /// The status of its success.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::InsertOne | Self::InsertMany => StatusCode::CREATED,
            _ => StatusCode::OK,
        }
    }

    /// Does it, and answers with the body.
    ///
    /// # Errors
    /// A field that is missing or of the wrong type; what the deployment says.
    pub(super) async fn run(self, deployment: &dyn Deployment, request: &Request) -> Result<RawDocumentBuf, ApiError> {
        match self {
            Self::FindOne => find_one(deployment, request).await,
            Self::Find => find_many(deployment, request).await,
            Self::InsertOne => insert_one(deployment, request).await,
            Self::InsertMany => insert_many(deployment, request).await,
            Self::UpdateOne => update(deployment, request, "update", false).await,
            Self::UpdateMany => update(deployment, request, "update", true).await,
            Self::ReplaceOne => update(deployment, request, "replacement", false).await,
            Self::DeleteOne => delete(deployment, request, 1).await,
            Self::DeleteMany => delete(deployment, request, 0).await,
            Self::Aggregate => aggregate(deployment, request).await,
        }
    }
}

async fn find_one(deployment: &dyn Deployment, request: &Request) -> Result<RawDocumentBuf, ApiError> {
    let mut command = query(request)?;
    command.append(cstr!("limit"), 1_i64);
    command.append(cstr!("singleBatch"), true);
    let found = deployment.documents(request.database(), request.collection(), command).await?;
    let mut answer = RawDocumentBuf::new();
    answer.append(cstr!("document"), found.get(0).map_err(CommandError::from)?.unwrap_or(RawBsonRef::Null));
    Ok(answer)
}

async fn find_many(deployment: &dyn Deployment, request: &Request) -> Result<RawDocumentBuf, ApiError> {
    let mut command = query(request)?;
    let limit = request.count("limit")?.filter(|limit| *limit > 0).unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    command.append(cstr!("limit"), limit);
    command.append(cstr!("skip"), request.count("skip")?.unwrap_or(0));
    let found = deployment.documents(request.database(), request.collection(), command).await?;
    Ok(rawdoc! { "documents": found })
}

async fn aggregate(deployment: &dyn Deployment, request: &Request) -> Result<RawDocumentBuf, ApiError> {
    let mut command = command(cstr!("aggregate"), request);
    command.append(cstr!("pipeline"), documents(request, "pipeline")?);
    command.append(cstr!("cursor"), rawdoc! {});
    let found = deployment.documents(request.database(), request.collection(), command).await?;
    Ok(rawdoc! { "documents": found })
}

async fn insert_one(deployment: &dyn Deployment, request: &Request) -> Result<RawDocumentBuf, ApiError> {
    let document = with_id(raw(request.required("document")?)?)?;
    let mut command = command(cstr!("insert"), request);
    command.append(cstr!("documents"), RawArrayBuf::from_iter([&document]));
    succeeded(&deployment.run(request.database(), command).await?)?;
    let mut answer = RawDocumentBuf::new();
    answer.append(cstr!("insertedId"), document.get("_id").map_err(CommandError::from)?.unwrap_or(RawBsonRef::Null));
    Ok(answer)
}

async fn insert_many(deployment: &dyn Deployment, request: &Request) -> Result<RawDocumentBuf, ApiError> {
    let (mut stored, mut ids) = (RawArrayBuf::new(), RawArrayBuf::new());
    for document in request.list("documents")? {
        let document = with_id(raw(document)?)?;
        ids.push(document.get("_id").map_err(CommandError::from)?.unwrap_or(RawBsonRef::Null));
        stored.push(document);
    }
    let mut command = command(cstr!("insert"), request);
    command.append(cstr!("documents"), stored);
    succeeded(&deployment.run(request.database(), command).await?)?;
    Ok(rawdoc! { "insertedIds": ids })
}

/// Updates and replacements: the new contents are in the field `contents`.
async fn update(deployment: &dyn Deployment, request: &Request, contents: &str, multi: bool) -> Result<RawDocumentBuf, ApiError> {
    let by = match (contents, request.value(contents)) {
        (_, None) => return Err(ApiError::missing(contents)),
        ("update", Some(pipeline @ Bson::Array(_))) => RawBson::try_from(pipeline.clone()).map_err(CommandError::from)?,
        (_, Some(_)) => RawBson::Document(raw(request.required(contents)?)?),
    };
    let by_operators = match &by {
        RawBson::Document(document) => {
            document.iter().next().is_some_and(|first| first.is_ok_and(|(name, _)| name.as_str().starts_with('$')))
        }
        _ => true,
    };
    if by_operators != (contents == "update") {
        let message = if by_operators { "a replacement holds no operators" } else { "an update holds operators, such as $set" };
        return Err(ApiError::invalid(format!("'{contents}': {message}")));
    }
    let mut operation = rawdoc! { "q": raw(request.required("filter")?)? };
    operation.append(cstr!("u"), by);
    operation.append(cstr!("multi"), multi);
    operation.append(cstr!("upsert"), request.flag("upsert")?);
    if request.value("arrayFilters").is_some() {
        operation.append(cstr!("arrayFilters"), documents(request, "arrayFilters")?);
    }
    let mut command = command(cstr!("update"), request);
    command.append(cstr!("updates"), RawArrayBuf::from_iter([&operation]));
    let reply = deployment.run(request.database(), command).await?;
    succeeded(&reply)?;

    let upserted = match reply.get("upserted").map_err(CommandError::from)? {
        Some(RawBsonRef::Array(list)) => list.get(0).ok().flatten().and_then(RawBsonRef::as_document),
        _ => None,
    };
    let matched = counted(&reply, "n") - i64::from(upserted.is_some());
    let mut answer = rawdoc! { "matchedCount": matched, "modifiedCount": counted(&reply, "nModified") };
    if let Some(id) = upserted.and_then(|entry| entry.get("_id").ok().flatten()) {
        answer.append(cstr!("upsertedId"), id);
    }
    Ok(answer)
}

async fn delete(deployment: &dyn Deployment, request: &Request, limit: i32) -> Result<RawDocumentBuf, ApiError> {
    let operation = rawdoc! { "q": raw(request.required("filter")?)?, "limit": limit };
    let mut command = command(cstr!("delete"), request);
    command.append(cstr!("deletes"), RawArrayBuf::from_iter([&operation]));
    let reply = deployment.run(request.database(), command).await?;
    succeeded(&reply)?;
    Ok(rawdoc! { "deletedCount": counted(&reply, "n") })
}

/// The command of the name `name` for the request's collection.
fn command(name: &CStr, request: &Request) -> RawDocumentBuf {
    let mut command = RawDocumentBuf::new();
    command.append(name, request.collection());
    command
}

/// A `find` with what of a query the request has.
fn query(request: &Request) -> Result<RawDocumentBuf, ApiError> {
    let mut command = command(cstr!("find"), request);
    for (field, name) in [("filter", cstr!("filter")), ("projection", cstr!("projection")), ("sort", cstr!("sort"))] {
        if let Some(document) = request.document(field)? {
            command.append(name, raw(document)?);
        }
    }
    Ok(command)
}

fn raw(document: &Document) -> Result<RawDocumentBuf, ApiError> {
    Ok(RawDocumentBuf::try_from(document).map_err(CommandError::from)?)
}

fn documents(request: &Request, field: &str) -> Result<RawArrayBuf, ApiError> {
    request.list(field)?.into_iter().map(raw).collect()
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

/// A number the deployment counted, whichever type it has.
fn counted(reply: &RawDocumentBuf, field: &str) -> i64 {
    match reply.get(field).ok().flatten() {
        Some(RawBsonRef::Int32(n)) => n.into(),
        Some(RawBsonRef::Int64(n)) => n,
        #[allow(clippy::cast_possible_truncation)] // a count
        Some(RawBsonRef::Double(n)) => n as i64,
        _ => 0,
    }
}

/// A write that was refused is an error here, though its command succeeded.
fn succeeded(reply: &RawDocumentBuf) -> Result<(), ApiError> {
    let Some(RawBsonRef::Array(errors)) = reply.get("writeErrors").map_err(CommandError::from)? else { return Ok(()) };
    let first = errors.get(0).ok().flatten().and_then(RawBsonRef::as_document);
    let words = first.and_then(|error| error.get_str("errmsg").ok()).unwrap_or("the write was refused");
    let code = first.and_then(|error| error.get_i32("code").ok()).map_or(Code::BAD_VALUE, Code::numbered);
    Err(CommandError::new(code, words).into())
}
