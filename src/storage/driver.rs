//! The way over TCP: the official MongoDB driver.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use bson::{Bson, Document};
use futures::TryStreamExt;
use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::options::ClientOptions;
use mongodb::{Client, Collection};

use super::{Backend, Find, Namespace, Settings, Store, StoreError};

/// How long a server is looked for. The driver's own default, 30 s, is longer than anybody watches.
const FIND_SERVER: Duration = Duration::from_secs(5);
/// How long the server may work on one operation (`maxTimeMS`).
const SERVER_TIME: Duration = Duration::from_secs(30);
/// How long an operation may take as seen from here: the server's own refusal shall come first.
const OVERALL_TIME: Duration = Duration::from_secs(40);

/// MongoDB's codes for missing rights and for wrong credentials.
const UNAUTHORIZED: [i32; 2] = [13, 18];

/// The documents of a MongoDB server, through the official driver. Keeps its connections: make one and share it.
#[derive(Debug, Clone)]
pub struct Driver {
    client: Client,
    server: String,
}

impl Driver {
    /// A client of the server the settings name. A bare host is looked up in DNS here; nothing is connected before the
    /// first call.
    ///
    /// # Errors
    /// [`StoreError::Settings`] for a host that can't be one, [`StoreError::Unreachable`] when DNS does not know it.
    pub async fn new(settings: &Settings) -> Result<Self, StoreError> {
        crate::connect::tls::install();
        let server = settings.db_host.clone();
        let uri = settings.connection_string()?;
        let mut options = match tokio::time::timeout(FIND_SERVER, ClientOptions::parse(uri.reveal())).await {
            Ok(options) => options.map_err(|e| translate(&server, "connect", &e))?,
            Err(_) => return Err(unreachable(&server, "DNS did not answer in time")),
        };
        options.app_name = Some("connect-console".into());
        options.server_selection_timeout = Some(FIND_SERVER);
        options.connect_timeout = Some(FIND_SERVER);
        let client = Client::with_options(options).map_err(|e| translate(&server, "connect", &e))?;
        Ok(Self { client, server })
    }

    fn collection(&self, at: &Namespace) -> Collection<Document> {
        self.client.database(&at.database).collection(&at.collection)
    }

    async fn within<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(OVERALL_TIME, work).await {
            Ok(done) => done.map_err(|e| translate(&self.server, operation, &e)),
            Err(_) => {
                let seconds = OVERALL_TIME.as_secs();
                Err(unreachable(
                    &self.server,
                    &format!("{operation} was not answered in {seconds} s; it may have happened all the same"),
                ))
            }
        }
    }
}

#[async_trait]
impl Store for Driver {
    fn backend(&self) -> Backend {
        Backend::Driver
    }

    async fn insert_one(&self, at: &Namespace, document: Document) -> Result<Bson, StoreError> {
        let collection = self.collection(at);
        Ok(self.within("insertOne", async { collection.insert_one(document).await }).await?.inserted_id)
    }

    async fn find(&self, at: &Namespace, query: &Find) -> Result<Vec<Document>, StoreError> {
        // To MongoDB a limit of 0 is none.
        if query.limit == Some(0) {
            return Ok(Vec::new());
        }
        let collection = self.collection(at);
        self.within("find", async {
            let mut find = collection.find(query.filter.clone()).max_time(SERVER_TIME);
            if let Some(projection) = &query.projection {
                find = find.projection(projection.clone());
            }
            if let Some(sort) = &query.sort {
                find = find.sort(sort.clone());
            }
            if let Some(skip) = query.skip {
                find = find.skip(skip);
            }
            if let Some(limit) = query.limit {
                find = find.limit(i64::try_from(limit).unwrap_or(i64::MAX));
            }
            find.await?.try_collect().await
        })
        .await
    }

    async fn count(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError> {
        let collection = self.collection(at);
        self.within("count", async { collection.count_documents(filter.clone()).max_time(SERVER_TIME).await }).await
    }

    async fn delete_many(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError> {
        let collection = self.collection(at);
        Ok(self.within("deleteMany", async { collection.delete_many(filter.clone()).await }).await?.deleted_count)
    }

    async fn collections(&self, database: &str) -> Result<Vec<String>, StoreError> {
        let database = self.client.database(database);
        let mut names = self.within("listCollections", async { database.list_collection_names().await }).await?;
        names.sort();
        Ok(names)
    }
}

fn unreachable(server: &str, reason: &str) -> StoreError {
    StoreError::Unreachable { backend: Backend::Driver, server: server.into(), reason: reason.into() }
}

/// The driver's error in our words.
fn translate(server: &str, operation: &'static str, error: &Error) -> StoreError {
    let unauthorized =
        |reason: &str| StoreError::Unauthorized { backend: Backend::Driver, server: server.into(), reason: reason.into() };
    let refused =
        |code, message: &str| StoreError::Refused { backend: Backend::Driver, operation, code, message: message.into() };
    match error.kind.as_ref() {
        ErrorKind::Authentication { message, .. } => unauthorized(message),
        ErrorKind::Command(e) if UNAUTHORIZED.contains(&e.code) => unauthorized(&e.message),
        ErrorKind::Command(e) => refused(Some(e.code), &e.message),
        ErrorKind::Write(WriteFailure::WriteError(e)) => refused(Some(e.code), &e.message),
        ErrorKind::Write(WriteFailure::WriteConcernError(e)) => refused(Some(e.code), &e.message),
        ErrorKind::ServerSelection { message, .. } => unreachable(server, &cause(message)),
        ErrorKind::Io(e) => unreachable(server, &e.to_string()),
        ErrorKind::DnsResolve { message, .. }
        | ErrorKind::InvalidTlsConfig { message, .. }
        | ErrorKind::ConnectionPoolCleared { message, .. } => unreachable(server, message),
        ErrorKind::InvalidArgument { message, .. } => refused(None, message),
        other => refused(None, &other.to_string()),
    }
}

/// The first server's error out of the driver's description of the whole topology.
fn cause(message: &str) -> String {
    let of_server = message.split("Error: Kind: ").nth(1).and_then(|rest| rest.split(", labels:").next());
    of_server.unwrap_or(message).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_topology_only_the_servers_own_error_is_shown() {
        let message = "Server selection timeout: No available servers. Topology: { Type: Single, Servers: [ { Address: 127.0.0.1:1, \
                       Type: Unknown, Error: Kind: I/O error: Connection refused (os error 111), labels: {} } ] }";
        assert_eq!(cause(message), "I/O error: Connection refused (os error 111)");
        assert_eq!(cause("something else"), "something else");
    }

    #[test]
    fn a_command_error_keeps_mongodbs_code_and_wrong_credentials_are_told_apart() {
        let command = |code| {
            let reply = bson::doc! {"code": code, "codeName": "X", "errmsg": "no"};
            let command = bson::deserialize_from_document(reply).unwrap();
            translate("h:1", "find", &Error::from(ErrorKind::Command(command)))
        };
        assert!(matches!(command(18), StoreError::Unauthorized { .. }));
        assert_eq!(command(2).to_string(), "driver backend: find failed: no (code 2)");
    }
}
