//! Somebody else's deployment: Atlas, a replica set, FerretDB; reached by its connection string through the official driver.

use std::time::Duration;

use async_trait::async_trait;
use bson::{RawArrayBuf, RawDocumentBuf, rawdoc};
use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::options::ClientOptions;
use mongodb::{Client, Database};

use super::super::error::{Code, CommandError};
use super::deployment::{Deployment, MAX_ANSWER, too_large};
use crate::observe::Secret;

/// How long a server is looked for.
const FIND_SERVER: Duration = Duration::from_secs(10);

/// A deployment of which only the connection string is known. Cheap to clone.
#[derive(Clone)]
pub(in crate::sandbox) struct Foreign {
    client: Client,
    /// Its servers, without credentials.
    pub(in crate::sandbox) servers: String,
}

impl Foreign {
    /// Looks the deployment up, and makes sure that it answers.
    ///
    /// # Errors
    /// What is no connection string, a name the DNS does not know, a server that does not answer or does not let us in; none
    /// of them repeats the connection string.
    pub(in crate::sandbox) async fn open(uri: &Secret) -> Result<Self, CommandError> {
        crate::connect::tls::install();
        let parsed = tokio::time::timeout(FIND_SERVER, ClientOptions::parse(uri.reveal())).await;
        let mut options = parsed.map_err(|_| unreachable("the DNS did not answer in time"))?.map_err(|e| translate(&e))?;
        options.app_name.get_or_insert_with(|| "connect-console".into());
        options.server_selection_timeout.get_or_insert(FIND_SERVER);
        options.connect_timeout.get_or_insert(FIND_SERVER);
        let servers: Vec<String> = options.hosts.iter().map(ToString::to_string).collect();
        let client = Client::with_options(options).map_err(|e| translate(&e))?;
        // `ping` would be answered without authentication.
        let look = rawdoc! { "listDatabases": 1, "nameOnly": true, "authorizedDatabases": true };
        client.database("admin").run_raw_command(look).await.map_err(|e| translate(&e))?;
        Ok(Self { client, servers: servers.join(",") })
    }

    /// The database, if it can be one: the driver takes any text for a name.
    fn database(&self, name: &str) -> Result<Database, CommandError> {
        if name.contains(['/', '\\', '.', ' ', '"', '$', '\0']) || name.len() > 63 {
            return Err(CommandError::new(Code::INVALID_NAMESPACE, format!("Invalid database name: '{name}'")));
        }
        Ok(self.client.database(name))
    }
}

#[async_trait]
impl Deployment for Foreign {
    async fn run(&self, database: &str, command: RawDocumentBuf) -> Result<RawDocumentBuf, CommandError> {
        let reply = self.database(database)?.run_raw_command(command).await.map_err(|e| translate(&e))?;
        Ok(RawDocumentBuf::try_from(&reply)?)
    }

    async fn documents(&self, database: &str, _: &str, command: RawDocumentBuf) -> Result<RawArrayBuf, CommandError> {
        // The driver sends each `getMore` to the server and in the session the cursor is of.
        let mut cursor = self.database(database)?.run_raw_cursor_command(command).await.map_err(|e| translate(&e))?;
        let mut documents = RawArrayBuf::new();
        while cursor.advance().await.map_err(|e| translate(&e))? {
            documents.push(cursor.current().to_owned());
            if documents.as_bytes().len() > MAX_ANSWER {
                return Err(too_large());
            }
        }
        Ok(documents)
    }
}

fn unreachable(reason: &str) -> CommandError {
    CommandError::new(Code::HOST_UNREACHABLE, format!("the deployment cannot be reached: {reason}"))
}

/// The driver's error as the server's.
fn translate(error: &Error) -> CommandError {
    let own =
        |code: i32, name: &str, message: &str| CommandError::new(Code { number: code, name: name.to_owned().into() }, message);
    match error.kind.as_ref() {
        ErrorKind::Command(e) => own(e.code, &e.code_name, &e.message),
        ErrorKind::Write(WriteFailure::WriteConcernError(e)) => own(e.code, &e.code_name, &e.message),
        ErrorKind::Write(WriteFailure::WriteError(e)) => own(e.code, e.code_name.as_deref().unwrap_or_default(), &e.message),
        ErrorKind::Authentication { message, .. } => CommandError::new(Code::AUTHENTICATION_FAILED, message.clone()),
        ErrorKind::ServerSelection { message, .. }
        | ErrorKind::DnsResolve { message, .. }
        | ErrorKind::InvalidTlsConfig { message, .. }
        | ErrorKind::ConnectionPoolCleared { message, .. } => unreachable(message),
        ErrorKind::Io(e) => unreachable(&e.to_string()),
        ErrorKind::InvalidArgument { message, .. } => CommandError::bad_value(message.clone()),
        other => CommandError::new(Code::INTERNAL_ERROR, other.to_string()),
    }
}
