use bson::RawDocumentBuf;

use super::super::engine::{Catalog, Engine};
use super::super::error::CommandError;
use super::{Command, Outcome};

pub(super) async fn insert(engine: &Engine, mut command: Command) -> Result<RawDocumentBuf, CommandError> {
    let documents = command.documents("documents")?;
    let args = command.args();
    let (namespace, ordered) = (args.namespace("insert")?, args.flag("ordered")?.unwrap_or(true));
    engine
        .write(move |connection| {
            let collection = Catalog(connection).find_or_create(&namespace)?;
            let outcome = Outcome::of_batch(&documents, ordered, |outcome, _, document| {
                collection.insert(connection, document)?;
                outcome.n += 1;
                Ok(())
            })?;
            Ok(outcome.reply(false))
        })
        .await
}
