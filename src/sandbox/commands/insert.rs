use bson::RawDocumentBuf;

use super::super::engine::{Catalog, Collection, Engine};
use super::super::error::CommandError;
use super::{Args, Command, Outcome};

pub(super) async fn insert(engine: &Engine, mut command: Command) -> Result<RawDocumentBuf, CommandError> {
    let documents = command.documents("documents")?;
    engine
        .write(move |connection| {
            let args = command.args();
            let (namespace, ordered) = (args.namespace("insert")?, args.flag("ordered")?.unwrap_or(true));
            let collection = validating(&args, Catalog(connection).find_or_create(&namespace)?)?;
            let outcome = Outcome::of_batch(&documents, ordered, |outcome, _, document| {
                collection.insert(connection, document)?;
                outcome.n += 1;
                Ok(())
            })?;
            Ok(outcome.reply(false))
        })
        .await
}

/// The collection, which checks what is written unless the command says it shall not.
pub(super) fn validating(args: &Args<'_>, collection: Collection) -> Result<Collection, CommandError> {
    let bypass = args.flag("bypassDocumentValidation")?.unwrap_or(false);
    Ok(if bypass { collection.without_validation() } else { collection })
}
