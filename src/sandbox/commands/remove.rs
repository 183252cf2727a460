use std::ops::ControlFlow;

use bson::RawDocumentBuf;

use super::super::engine::{Catalog, Engine, Hint, Query};
use super::super::error::{Code, CommandError};
use super::super::matcher::Matcher;
use super::find::given;
use super::{Args, Command, Outcome};

pub(super) async fn delete(engine: &Engine, mut command: Command) -> Result<RawDocumentBuf, CommandError> {
    let operations = command.documents("deletes")?;
    engine
        .write(move |connection| {
            let args = command.args();
            let (namespace, ordered) = (args.namespace("delete")?, args.flag("ordered")?.unwrap_or(true));
            let collection = Catalog(connection).find(&namespace)?;
            let default = collection.as_ref().map(|collection| collection.traits().collation.clone()).unwrap_or_default();
            let (given, deadline) = (given(&args, default)?, args.deadline()?);
            for operation in &operations {
                Args::new("delete.deletes", operation).only(&["q", "limit", "collation", "hint"])?;
            }
            let outcome = Outcome::of_batch(&operations, ordered, |outcome, _, operation| {
                let args = Args::new("delete.deletes", operation);
                let given = args.collation()?.map_or_else(|| given.clone(), |collation| given.with(collation));
                let matcher = Matcher::parse_given(args.document("q")?.ok_or_else(|| args.missing("q"))?, &given)?;
                let query = Query { hint: Hint::parse(args.get("hint")?)?, deadline, ..Query::all(matcher) };
                let one = match args.integer("limit")?.ok_or_else(|| args.missing("limit"))? {
                    0 => false,
                    1 => true,
                    other => {
                        let message = format!("The limit field in delete objects must be 0 or 1. Got {other}");
                        return Err(CommandError::new(Code::FAILED_TO_PARSE, message));
                    }
                };
                let Some(collection) = &collection else { return Ok(()) };
                let mut gone = Vec::new();
                query.visit(connection, collection, &mut |seq, _| {
                    gone.push(seq);
                    Ok(if one { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                })?;
                for seq in gone {
                    collection.delete(connection, seq)?;
                    outcome.n += 1;
                }
                Ok(())
            })?;
            Ok(outcome.reply(false))
        })
        .await
}
