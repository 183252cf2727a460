//! `store`: the storage inspector without a screen.

mod args;
mod show;
mod transfer;
mod write;

use std::io::Read;

use serde_json::json;

pub(super) use args::{Store, Which};

use super::{CliError, Setting, output};
use crate::observe::Backend;
use crate::workbench::{Command, Reply, Session, StoreCommand, StoreQuery, StoreReply, StoreTarget};

/// `store find|count|...`
pub(super) async fn store(setting: Setting, verb: Store) -> Result<(), CliError> {
    let session = setting.settled().await?;
    let outcome = carry_out(&Desk { setting: &setting, session: &session }, verb).await;
    session.close().await;
    outcome
}

/// What every verb works with.
struct Desk<'a> {
    setting: &'a Setting,
    session: &'a Session,
}

impl Desk<'_> {
    async fn ask(&self, command: StoreCommand) -> Result<StoreReply, CliError> {
        match self.session.command(Command::Store(command)).await? {
            Reply::Store(reply) => Ok(reply),
            _ => Err(unexpected()),
        }
    }

    /// Asks through each backend that is meant, and shows what it says.
    async fn each(&self, which: Which, ask: impl Fn(Backend) -> StoreCommand) -> Result<(), CliError> {
        for backend in which.backends() {
            let reply = self.ask(ask(*backend)).await?;
            if which == Which::Both && !self.setting.output.is_json() {
                output::remark(&format!("{backend}:"));
            }
            show::show(self.setting.output, *backend, reply)?;
        }
        Ok(())
    }
}

fn unexpected() -> CliError {
    CliError::failed("the session answered something else than was asked".into())
}

async fn carry_out(desk: &Desk<'_>, verb: Store) -> Result<(), CliError> {
    match verb {
        Store::Databases { backend } => desk.each(backend, |backend| StoreCommand::Databases { backend }).await,
        Store::Collections { backend, db } => collections(desk, backend, db).await,
        Store::Find { place, query } => {
            let find = |backend| StoreCommand::Find { target: place.target(backend), query: query.query(), brief: false };
            desk.each(place.backend, find).await
        }
        Store::Count { place, filter } => {
            let count = |backend| StoreCommand::Count { target: place.target(backend), filter: filter.text() };
            desk.each(place.backend, count).await
        }
        Store::Aggregate { place, pipeline, preview, limit } => {
            let query = StoreQuery { pipeline: pipeline.clone(), limit, ..StoreQuery::default() };
            let ask = |backend| match preview {
                true => StoreCommand::Preview { target: place.target(backend), pipeline: pipeline.clone() },
                false => StoreCommand::Find { target: place.target(backend), query: query.clone(), brief: false },
            };
            desk.each(place.backend, ask).await
        }
        Store::Explain { place, query } => {
            let explain = |backend| StoreCommand::Explain { target: place.target(backend), query: query.query() };
            desk.each(place.backend, explain).await
        }
        Store::Schema { place, filter, sample } => {
            let schema = |backend| StoreCommand::Schema { target: place.target(backend), filter: filter.clone(), sample };
            desk.each(place.backend, schema).await
        }
        Store::Compare { db, left, right, key, filter, projection, limit } => {
            let query = StoreQuery { filter, projection, limit, ..StoreQuery::default() };
            let (left, right) = (left.target(db.as_ref()), right.target(db.as_ref()));
            compare(desk, StoreCommand::Compare { left, right, query, key }).await
        }
        Store::Export { place, to, format, query, force, pipeline } => {
            let query = StoreQuery { pipeline: pipeline.unwrap_or_default(), ..query.query() };
            transfer::export(desk, &place, (&to, force), format, query).await
        }
        Store::Import { place, from, format } => transfer::import(desk, &place, &from, format).await,
        Store::Writers { place, id } => writers(desk, &place, &id).await,
        writing => write::write(desk, writing).await,
    }
}

/// Each collection with its count and size.
async fn collections(desk: &Desk<'_>, which: Which, db: Option<String>) -> Result<(), CliError> {
    for backend in which.backends().iter().copied() {
        let reply = desk.ask(StoreCommand::Collections { backend, database: db.clone() }).await?;
        let StoreReply::Collections { database, collections, own, note, error, .. } = reply else { return Err(unexpected()) };
        if let Some(why) = error {
            return Err(CliError::failed(why));
        }
        let mut rows = Vec::new();
        for collection in collections {
            let target =
                StoreTarget { database: Some(database.clone()), collection: Some(collection), ..StoreTarget::own(backend) };
            let reply = desk.ask(StoreCommand::Statistics { target }).await?;
            let StoreReply::Statistics(row) = reply else { return Err(unexpected()) };
            rows.push(row);
        }
        show::collections(desk.setting.output, backend, &rows, own.as_deref())?;
        if let Some(note) = note {
            output::remark(&format!("{backend}: {note}."));
        }
    }
    Ok(())
}

async fn compare(desk: &Desk<'_>, command: StoreCommand) -> Result<(), CliError> {
    let StoreReply::Compared(compared) = desk.ask(command).await? else { return Err(unexpected()) };
    show::compared(desk.setting.output, &compared)?;
    if compared.rows.iter().all(crate::workbench::ComparedRow::is_same) { Ok(()) } else { Err(CliError::Told) }
}

async fn writers(desk: &Desk<'_>, place: &args::Place, id: &str) -> Result<(), CliError> {
    for backend in place.backend.backends().iter().copied() {
        let target = place.target(backend);
        let text = json!(id).to_string();
        // An ObjectId by its digits, any _id as it is written, or the id of a request.
        let by_oid = (id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit())).then(|| format!("{{_id: ObjectId({text})}}"));
        let by_value = serde_json::from_str::<serde_json::Value>(id).ok().map(|value| format!("{{_id: {value}}}"));
        let filters = by_oid.into_iter().chain(by_value).chain([format!("{{_id: {text}}}"), format!("{{id: {text}}}")]);
        let mut found = Vec::new();
        for filter in filters {
            let query = StoreQuery { filter, limit: 100, ..StoreQuery::default() };
            let reply = desk.ask(StoreCommand::Find { target: target.clone(), query, brief: false }).await?;
            let StoreReply::Documents(answer) = reply else { return Err(unexpected()) };
            found = answer.documents;
            if !found.is_empty() {
                break;
            }
        }
        if found.is_empty() {
            return Err(CliError::failed(format!("no document has this id through the {backend} backend")));
        }
        for document in found {
            let reply = desk.ask(StoreCommand::Writers { target: target.clone(), document }).await?;
            show::show(desk.setting.output, backend, reply)?;
        }
    }
    Ok(())
}

/// A text of the command line, or all of stdin where it is `-`.
fn text_or_stdin(text: String) -> Result<String, CliError> {
    if text != "-" {
        return Ok(text);
    }
    let mut all = String::new();
    std::io::stdin().read_to_string(&mut all).map_err(|e| CliError::failed(format!("stdin can't be read: {e}")))?;
    Ok(all)
}
