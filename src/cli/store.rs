//! `store`: the storage inspector without a screen.

use serde::Serialize;
use serde_json::Value;

use super::args::{Place, Store, Which};
use super::{CliError, Setting, output};
use crate::observe::Backend;
use crate::workbench::{Command, Found, Reply, Session};

/// `store find|count|collections`
pub(super) async fn store(setting: Setting, verb: Store) -> Result<(), CliError> {
    let session = setting.settled().await?;
    let outcome = match verb {
        Store::Find { place, filter, projection, sort, skip, limit } => {
            let ask = |backend| Command::Find {
                backend,
                database: place.db.clone(),
                collection: place.collection.clone(),
                filter: filter.clone(),
                projection: projection.clone(),
                sort: sort.clone(),
                skip,
                limit,
            };
            each(&setting, &session, place.backend, ask).await
        }
        Store::Count { place, filter } => {
            let Place { backend, db, collection } = place;
            let ask = |backend| Command::Count {
                backend,
                database: db.clone(),
                collection: collection.clone(),
                filter: filter.clone(),
            };
            each(&setting, &session, backend, ask).await
        }
        Store::Collections { backend } => each(&setting, &session, backend, |backend| Command::Collections { backend }).await,
    };
    session.close().await;
    outcome
}

async fn each(setting: &Setting, session: &Session, which: Which, ask: impl Fn(Backend) -> Command) -> Result<(), CliError> {
    for backend in which.backends() {
        let reply = session.command(ask(*backend)).await?;
        if which == Which::Both && !setting.output.is_json() {
            output::remark(&format!("{backend}:"));
        }
        show(setting, *backend, reply)?;
    }
    Ok(())
}

/// A document and where it is from.
#[derive(Serialize)]
struct Shown<'a> {
    backend: Backend,
    database: &'a str,
    collection: &'a str,
    document: &'a Value,
}

fn show(setting: &Setting, backend: Backend, reply: Reply) -> Result<(), CliError> {
    let out = setting.output;
    match reply {
        Reply::Documents(Found { database, collection, documents, more, .. }) => {
            if out.is_json() {
                let shown = |document| Shown { backend, database: &database, collection: &collection, document };
                return documents.iter().try_for_each(|document| out.object(&shown(document)));
            }
            documents.iter().try_for_each(|document| out.object(document))?;
            match (documents.is_empty(), more) {
                (true, _) => output::remark(&format!("No documents match in {database}.{collection}.")),
                (false, true) => output::remark("There are more: --skip and --limit page through them."),
                (false, false) => {}
            }
            Ok(())
        }
        Reply::Count { database, collection, count } => {
            if out.is_json() {
                let shown = serde_json::json!({
                    "backend": backend, "database": database, "collection": collection, "count": count
                });
                return out.object(&shown);
            }
            out.line(&count.to_string())
        }
        Reply::Collections { database, collections, .. } => collections.iter().try_for_each(|collection| {
            if out.is_json() {
                let shown = serde_json::json!({"backend": backend, "database": database, "collection": collection});
                return out.object(&shown);
            }
            out.line(collection)
        }),
        _ => Err(CliError::failed("the session answered something else than was asked".into())),
    }
}
