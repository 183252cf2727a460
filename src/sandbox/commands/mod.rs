//! What a client can ask of the databases, one function a command. The wire protocol and the Data API both come here.

mod admin;
mod aggregate;
mod args;
mod coll_mod;
mod cursors;
mod explain;
mod fields;
mod find;
mod find_and_modify;
mod indexes;
mod insert;
mod merge;
mod remove;
mod stats;
mod update;

use bson::{RawBsonRef, RawDocument, RawDocumentBuf};

use super::engine::Engine;
use super::error::{Code, CommandError};
use super::value::check_document;
pub(super) use args::Args;

/// A command as it came: its body, and the documents that came beside it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Command {
    pub(super) body: RawDocumentBuf,
    pub(super) sequences: Vec<(String, Vec<RawDocumentBuf>)>,
}

impl Command {
    /// A command of a body alone.
    pub(super) fn new(body: RawDocumentBuf) -> Self {
        Self { body, sequences: Vec::new() }
    }

    /// The command's name: its first field.
    pub(super) fn name(&self) -> &str {
        self.body.iter().next().and_then(Result::ok).map_or("", |(name, _)| name.as_str())
    }

    fn args(&self) -> Args<'_> {
        Args::new(self.name(), &self.body)
    }

    /// The documents of a batch, which come beside the body or as an array in it.
    fn documents(&mut self, field: &str) -> Result<Vec<RawDocumentBuf>, CommandError> {
        let beside = self.sequences.iter_mut().find(|(name, _)| name == field);
        let documents = match beside {
            Some((_, documents)) => std::mem::take(documents),
            None => self.args().documents(field)?,
        };
        if documents.is_empty() || documents.len() > MAX_BATCH {
            let got = documents.len();
            let message = format!("Write batch sizes must be between 1 and {MAX_BATCH}. Got {got} operations.");
            return Err(CommandError::new(Code::INVALID_LENGTH, message));
        }
        Ok(documents)
    }

    /// Everything in it readable: after this, reading it cannot fail.
    pub(super) fn check(&self) -> Result<(), CommandError> {
        check_document(&self.body)?;
        self.sequences.iter().flat_map(|(_, documents)| documents).try_for_each(|d| check_document(d))
    }
}

/// `maxWriteBatchSize`.
pub(super) const MAX_BATCH: usize = 100_000;

/// The commands there are.
pub(super) const NAMES: [&str; 24] = [
    "aggregate",
    "collMod",
    "collStats",
    "count",
    "create",
    "createIndexes",
    "dbStats",
    "delete",
    "distinct",
    "drop",
    "dropDatabase",
    "dropIndexes",
    "explain",
    "find",
    "findAndModify",
    "getMore",
    "insert",
    "killCursors",
    "listCollections",
    "listDatabases",
    "listIndexes",
    "renameCollection",
    "update",
    "validate",
];

/// Runs a command of a client that may.
///
/// # Errors
/// What MongoDB would answer; `CommandNotFound` for what there is not.
pub(super) async fn run(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    command.check()?;
    fields::check(command.name(), &command.body)?;
    if let Ok(Some(RawBsonRef::Document(session))) = command.body.get("lsid")
        && let Ok(Some(RawBsonRef::Binary(id))) = session.get("id")
    {
        engine.sessions().touch(id.bytes);
    }
    match command.name() {
        "insert" => insert::insert(engine, command).await,
        "find" => find::find(engine, command).await,
        "count" => find::count(engine, command).await,
        "distinct" => find::distinct(engine, command).await,
        "aggregate" => aggregate::aggregate(engine, command).await,
        "update" => update::update(engine, command).await,
        "findAndModify" | "findandmodify" => find_and_modify::find_and_modify(engine, command).await,
        "delete" => remove::delete(engine, command).await,
        "getMore" => cursors::get_more(engine, command).await,
        "killCursors" => cursors::kill(engine, &command),
        "listDatabases" => admin::list_databases(engine, command).await,
        "listCollections" => admin::list_collections(engine, command).await,
        "listIndexes" => indexes::list_indexes(engine, command).await,
        "createIndexes" => indexes::create_indexes(engine, command).await,
        "dropIndexes" | "deleteIndexes" => indexes::drop_indexes(engine, command).await,
        "explain" => explain::explain(engine, command).await,
        "collMod" => coll_mod::coll_mod(engine, command).await,
        "renameCollection" => admin::rename(engine, command).await,
        "collStats" | "collstats" => stats::coll_stats(engine, command).await,
        "dbStats" | "dbstats" => stats::db_stats(engine, command).await,
        "validate" => stats::validate(engine, command).await,
        "create" => admin::create(engine, command).await,
        "drop" => admin::drop(engine, command).await,
        "dropDatabase" => admin::drop_database(engine, command).await,
        unknown => Err(CommandError::new(Code::COMMAND_NOT_FOUND, format!("no such command: '{unknown}'"))),
    }
}

/// The error of an option that would change the answer and that the sandbox does not have.
fn refuse_options(args: &Args<'_>, names: &[&str]) -> Result<(), CommandError> {
    for name in names {
        let given = match args.get(name)? {
            None | Some(bson::RawBsonRef::Null | bson::RawBsonRef::Boolean(false)) => false,
            Some(bson::RawBsonRef::Document(d)) => !d.is_empty(),
            Some(bson::RawBsonRef::Array(a)) => !a.is_empty(),
            Some(_) => true,
        };
        if given {
            return Err(CommandError::not_implemented(&format!("the option '{name}'")));
        }
    }
    Ok(())
}

/// How many operations of a batch succeeded, and what became of the others.
#[derive(Default)]
struct Outcome {
    n: i32,
    modified: i32,
    upserted: Vec<RawDocumentBuf>,
    errors: Vec<RawDocumentBuf>,
}

impl Outcome {
    /// Runs `one` for every operation; in an ordered batch the first error is the last operation. An error that is the
    /// sandbox's own fault ends the whole batch, and undoes it.
    fn of_batch(
        operations: &[RawDocumentBuf],
        ordered: bool,
        mut one: impl FnMut(&mut Self, i32, &RawDocument) -> Result<(), CommandError>,
    ) -> Result<Self, CommandError> {
        let mut outcome = Self::default();
        for (index, operation) in (0_i32..).zip(operations) {
            match one(&mut outcome, index, operation) {
                Ok(()) => {}
                Err(error) if error.code == Code::INTERNAL_ERROR || error.code == Code::OUT_OF_DISK_SPACE => return Err(error),
                Err(error) => {
                    outcome.errors.push(error.write_error(index));
                    if ordered {
                        break;
                    }
                }
            }
        }
        Ok(outcome)
    }

    fn reply(self, with_modified: bool) -> RawDocumentBuf {
        let mut reply = bson::rawdoc! { "n": self.n };
        if with_modified {
            reply.append(bson::raw::cstr!("nModified"), self.modified);
        }
        for (name, list) in [(bson::raw::cstr!("upserted"), self.upserted), (bson::raw::cstr!("writeErrors"), self.errors)] {
            if !list.is_empty() {
                reply.append(name, list.into_iter().collect::<bson::RawArrayBuf>());
            }
        }
        reply.append(bson::raw::cstr!("ok"), 1.0);
        reply
    }
}
