use async_trait::async_trait;
use bson::raw::cstr;
use bson::{RawArrayBuf, RawBsonRef, RawDocumentBuf, rawdoc};

use super::super::commands::{self, Command};
use super::super::engine::Engine;
use super::super::error::{Code, CommandError};

/// A MongoDB deployment, as far as the Data API needs one: it runs database commands.
#[async_trait]
pub(in crate::sandbox) trait Deployment: Send + Sync + 'static {
    /// Runs a command of the database `database`, and answers as the server does.
    async fn run(&self, database: &str, command: RawDocumentBuf) -> Result<RawDocumentBuf, CommandError>;

    /// All documents of the cursor `command` opens, at most [`MAX_ANSWER`] bytes of them.
    async fn documents(&self, database: &str, collection: &str, command: RawDocumentBuf) -> Result<RawArrayBuf, CommandError>;
}

/// The documented limit of an answer.
pub(super) const MAX_ANSWER: usize = 350_000_000;

/// The error of an answer beyond it.
pub(super) fn too_large() -> CommandError {
    CommandError::new(Code::BSON_OBJECT_TOO_LARGE, "the answer is larger than 350 MB; ask for fewer documents")
}

/// The sandbox's own engine.
pub(in crate::sandbox) struct Embedded(pub(in crate::sandbox) Engine);

#[async_trait]
impl Deployment for Embedded {
    async fn run(&self, database: &str, mut command: RawDocumentBuf) -> Result<RawDocumentBuf, CommandError> {
        command.append(cstr!("$db"), database);
        commands::run(&self.0, Command::new(command)).await
    }

    async fn documents(&self, database: &str, collection: &str, command: RawDocumentBuf) -> Result<RawArrayBuf, CommandError> {
        let mut documents = RawArrayBuf::new();
        let mut reply = self.run(database, command).await?;
        let mut batch = "firstBatch";
        loop {
            let odd = || CommandError::new(Code::INTERNAL_ERROR, "the engine's answer has no cursor");
            let Some(RawBsonRef::Document(cursor)) = reply.get("cursor")? else { return Err(odd()) };
            let Some(RawBsonRef::Array(array)) = cursor.get(batch)? else { return Err(odd()) };
            for document in array {
                documents.push(document?);
            }
            let id = cursor.get("id")?.and_then(RawBsonRef::as_i64).unwrap_or(0);
            if id == 0 {
                return Ok(documents);
            }
            if documents.as_bytes().len() > MAX_ANSWER {
                let _ = self.run(database, rawdoc! { "killCursors": collection, "cursors": [id] }).await;
                return Err(too_large());
            }
            reply = self.run(database, rawdoc! { "getMore": id, "collection": collection }).await?;
            batch = "nextBatch";
        }
    }
}
