use std::sync::Arc;

use bson::{RawBsonRef, RawDocumentBuf};

use super::super::engine::{Cursor, Engine};
use super::super::error::{Code, CommandError};
use super::super::pipeline::Pipeline;
use super::cursors::first_batch;
use super::find::given;
use super::{Args, Command, refuse_options};

pub(super) async fn aggregate(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    refuse_options(&args, &["collation", "explain"])?;
    let namespace = match args.get("aggregate")? {
        Some(RawBsonRef::Int32(1)) => {
            return Err(CommandError::not_implemented("an aggregation without a collection"));
        }
        _ => args.namespace("aggregate")?,
    };
    let pipeline = Pipeline::parse(&args.documents("pipeline")?, &given(&args)?)?;
    let batch_size = match args.document("cursor")? {
        Some(cursor) => Args::new("aggregate.cursor", cursor).size("batchSize")?,
        None => {
            let message = "The 'cursor' option is required, except for aggregate with the explain argument";
            return Err(CommandError::new(Code::FAILED_TO_PARSE, message));
        }
    };
    let cursors = Arc::clone(engine.cursors());
    engine
        .read(move |connection| {
            let documents = pipeline.of_collection(connection, &namespace)?;
            first_batch(connection, Cursor::made(namespace.to_string(), documents), batch_size, Some(&cursors))
        })
        .await
}
