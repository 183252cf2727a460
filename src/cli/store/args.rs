use std::path::PathBuf;

use clap::{Args as Group, Subcommand, ValueEnum};

use crate::observe::Backend;
use crate::workbench::{FileFormat, StoreQuery, StoreTarget};

#[derive(Subcommand)]
pub(in crate::cli) enum Store {
    /// The databases, with their sizes
    Databases {
        /// Through which backend
        #[arg(long, value_enum, default_value_t = Which::Driver)]
        backend: Which,
    },
    /// The collections of the extension's database, with counts and sizes
    Collections {
        /// Through which backend
        #[arg(long, value_enum, default_value_t = Which::Driver)]
        backend: Which,
        /// The database; otherwise the extension's variable DB
        #[arg(long, value_name = "NAME")]
        db: Option<String>,
    },
    /// Documents, as Extended JSON
    Find {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        query: Query,
    },
    /// How many documents match
    Count {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        filter: Filter,
    },
    /// What a pipeline makes of a collection
    Aggregate {
        #[command(flatten)]
        place: Place,
        /// An array of stages, such as [{$match: {status: 'pending'}}, {$count: 'n'}]
        #[arg(value_name = "PIPELINE")]
        pipeline: String,
        /// The first documents after each stage instead
        #[arg(long)]
        preview: bool,
        /// How many at most
        #[arg(long, default_value_t = 1_000, value_name = "N")]
        limit: u64,
    },
    /// Insert a document, or an array of them
    Insert {
        #[command(flatten)]
        place: WritePlace,
        /// Extended JSON or mongosh literals; `-` reads them from stdin
        #[arg(value_name = "DOCUMENT")]
        documents: String,
    },
    /// Change documents by update operators: the first that matches, or all with --many
    Update {
        #[command(flatten)]
        place: WritePlace,
        /// Which documents
        #[arg(long, value_name = "QUERY")]
        filter: String,
        /// Operators, such as {$set: {status: 'approved'}}
        #[arg(value_name = "UPDATE")]
        update: String,
        /// All that match
        #[arg(long)]
        many: bool,
        /// Insert one where none matches
        #[arg(long)]
        upsert: bool,
        #[command(flatten)]
        sure: Sure,
    },
    /// Put another document in place of the first that matches
    Replace {
        #[command(flatten)]
        place: WritePlace,
        /// Which document
        #[arg(long, value_name = "QUERY")]
        filter: String,
        /// The other document; `-` reads it from stdin
        #[arg(value_name = "DOCUMENT")]
        replacement: String,
        /// Insert it where none matches
        #[arg(long)]
        upsert: bool,
        #[command(flatten)]
        sure: Sure,
    },
    /// Delete documents: the first that matches, or all with --many
    Delete {
        #[command(flatten)]
        place: WritePlace,
        /// Which documents
        #[arg(value_name = "QUERY", required_unless_present = "filter", conflicts_with = "filter")]
        given: Option<String>,
        /// The same, by name
        #[arg(long, value_name = "QUERY")]
        filter: Option<String>,
        /// All that match
        #[arg(long)]
        many: bool,
        #[command(flatten)]
        sure: Sure,
    },
    /// Undo the last write of the running session
    Undo,
    /// The indexes of a collection; with --create or --drop one more or one less
    Indexes {
        #[command(flatten)]
        place: WritePlace,
        /// Make one, such as {status: 1, created: -1}
        #[arg(long, value_name = "KEYS", conflicts_with = "drop")]
        create: Option<String>,
        /// With --create: no two documents may have the same values
        #[arg(long, requires = "create")]
        unique: bool,
        /// With --create: more options, such as {expireAfterSeconds: 60}
        #[arg(long, requires = "create", default_value = "", value_name = "DOCUMENT")]
        options: String,
        /// Drop the one of this name
        #[arg(long, value_name = "NAME")]
        drop: Option<String>,
        #[command(flatten)]
        sure: Sure,
    },
    /// How the server would carry a query out, in words
    Explain {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        query: Query,
    },
    /// Which fields documents have, of which types, by a sample
    Schema {
        #[command(flatten)]
        place: Place,
        /// Of which documents
        #[arg(long, default_value = "", value_name = "QUERY")]
        filter: String,
        /// How many to look at
        #[arg(long, default_value_t = 1_000, value_name = "N")]
        sample: u32,
    },
    /// The same query asked of both backends, or of two collections; exit status 1 where they differ
    Compare {
        /// The database; otherwise the extension's variable DB
        #[arg(long, value_name = "NAME")]
        db: Option<String>,
        /// One side: BACKEND or BACKEND/COLLECTION
        #[arg(long, default_value = "data-api", value_name = "SIDE", value_parser = side)]
        left: Side,
        /// The other side
        #[arg(long, default_value = "driver", value_name = "SIDE", value_parser = side)]
        right: Side,
        /// The field that tells which document is which
        #[arg(long, default_value = "id", value_name = "PATH")]
        key: String,
        /// Which documents
        #[arg(long, default_value = "", value_name = "QUERY")]
        filter: String,
        /// Which fields, such as {status: 1}
        #[arg(long, default_value = "", value_name = "DOCUMENT")]
        projection: String,
        /// How many of each side at most
        #[arg(long, default_value_t = 20_000, value_name = "N")]
        limit: u64,
    },
    /// Write all that a query finds into a file
    Export {
        #[command(flatten)]
        place: Place,
        /// The file; it appears when it is whole
        #[arg(value_name = "FILE")]
        to: PathBuf,
        /// One document a line, or a table; otherwise what the file's name says
        #[arg(long, value_enum)]
        format: Option<Format>,
        #[command(flatten)]
        query: WholeQuery,
        /// Replace the file if it is there already
        #[arg(long)]
        force: bool,
        /// What a pipeline makes instead: an array of stages
        #[arg(long, value_name = "PIPELINE", conflicts_with_all = ["filter", "projection", "sort", "skip"])]
        pipeline: Option<String>,
    },
    /// Insert the documents of a file: one a line, an array, or a table
    Import {
        #[command(flatten)]
        place: WritePlace,
        /// The file
        #[arg(value_name = "FILE")]
        from: PathBuf,
        /// How it is written; otherwise what its name says
        #[arg(long, value_enum)]
        format: Option<Format>,
    },
    /// The deliveries that wrote a document
    Writers {
        #[command(flatten)]
        place: Place,
        /// Its _id (an ObjectId's 24 digits will do) or the business id it has in `id`
        #[arg(value_name = "ID")]
        id: String,
    },
}

#[derive(Group)]
pub(in crate::cli) struct Place {
    /// Through which backend
    #[arg(long, value_enum, default_value_t = Which::Driver)]
    pub(super) backend: Which,
    /// The database; otherwise the extension's variable DB
    #[arg(long, value_name = "NAME")]
    pub(super) db: Option<String>,
    /// The collection; otherwise the extension's own for that backend
    #[arg(long, value_name = "NAME")]
    pub(super) collection: Option<String>,
}

impl Place {
    pub(super) fn target(&self, backend: Backend) -> StoreTarget {
        StoreTarget { backend, database: self.db.clone(), collection: self.collection.clone(), unlocked: false }
    }
}

#[derive(Group)]
pub(in crate::cli) struct WritePlace {
    #[command(flatten)]
    pub(super) place: Place,
    /// Write to a deployment that is not on this machine, which is otherwise open for reading only
    #[arg(long)]
    pub(super) unlock: bool,
}

impl WritePlace {
    pub(super) fn target(&self, backend: Backend) -> StoreTarget {
        StoreTarget { unlocked: self.unlock, ..self.place.target(backend) }
    }
}

#[derive(Group)]
pub(in crate::cli) struct Sure {
    /// Do not ask
    #[arg(long, short)]
    pub(super) yes: bool,
}

#[derive(Group)]
pub(in crate::cli) struct WholeQuery {
    /// A filter: Extended JSON or mongosh literals, such as {status: 'pending'}
    #[arg(long, default_value = "", value_name = "QUERY")]
    filter: String,
    /// Which fields, such as {id: 1}
    #[arg(long, default_value = "", value_name = "DOCUMENT")]
    projection: String,
    /// In which order, such as {created: -1}
    #[arg(long, default_value = "", value_name = "DOCUMENT")]
    sort: String,
    /// How many to pass over
    #[arg(long, default_value_t = 0, value_name = "N")]
    skip: u64,
}

impl WholeQuery {
    pub(super) fn query(&self) -> StoreQuery {
        StoreQuery {
            filter: self.filter.clone(),
            projection: self.projection.clone(),
            sort: self.sort.clone(),
            skip: self.skip,
            ..StoreQuery::default()
        }
    }
}

/// Which documents; everything without it.
#[derive(Group)]
pub(in crate::cli) struct Filter {
    /// A filter: Extended JSON or mongosh literals, such as {status: 'pending'}
    #[arg(value_name = "QUERY", conflicts_with = "filter")]
    given: Option<String>,
    /// The same, by name
    #[arg(long, value_name = "QUERY")]
    filter: Option<String>,
}

impl Filter {
    pub(super) fn text(&self) -> String {
        self.given.clone().or_else(|| self.filter.clone()).unwrap_or_default()
    }
}

#[derive(Group)]
pub(in crate::cli) struct Query {
    /// A filter; the same as --filter
    #[arg(value_name = "QUERY", conflicts_with = "filter")]
    given: Option<String>,
    #[command(flatten)]
    whole: WholeQuery,
    /// How many at most
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u64,
}

impl Query {
    pub(super) fn query(&self) -> StoreQuery {
        let whole = self.whole.query();
        StoreQuery { limit: self.limit, filter: self.given.clone().unwrap_or(whole.filter), ..whole }
    }
}

/// Backends, as they are named on the command line.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Which {
    Driver,
    DataApi,
    Both,
}

impl Which {
    pub(in crate::cli) fn backends(self) -> &'static [Backend] {
        match self {
            Self::Driver => &[Backend::Driver],
            Self::DataApi => &[Backend::DataApi],
            Self::Both => &[Backend::DataApi, Backend::Driver],
        }
    }
}

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// One document a line
    Ejson,
    /// A table
    Csv,
}

impl Format {
    /// The one asked for, or what a file's name says.
    pub(super) fn of(asked: Option<Self>, file: &std::path::Path) -> FileFormat {
        let named = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        match asked {
            Some(Self::Csv) => FileFormat::Csv,
            None if named => FileFormat::Csv,
            Some(Self::Ejson) | None => FileFormat::Ejson,
        }
    }
}

/// One side of a comparison.
#[derive(Clone)]
pub(in crate::cli) struct Side {
    backend: Backend,
    collection: Option<String>,
}

impl Side {
    pub(super) fn target(&self, db: Option<&String>) -> StoreTarget {
        let (database, collection) = (db.cloned(), self.collection.clone());
        StoreTarget { backend: self.backend, database, collection, unlocked: false }
    }
}

fn side(text: &str) -> Result<Side, String> {
    let (backend, collection) = text.split_once('/').map_or((text, None), |(b, c)| (b, Some(c.to_owned())));
    let backend = match backend {
        "driver" => Backend::Driver,
        "data-api" => Backend::DataApi,
        _ => return Err("it takes the form driver, data-api, driver/COLLECTION or data-api/COLLECTION".into()),
    };
    Ok(Side { backend, collection: collection.filter(|c| !c.is_empty()) })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(subcommand)]
        store: Store,
    }

    fn filter(arguments: &[&str]) -> Option<String> {
        match Typed::try_parse_from([&["store"], arguments].concat()).ok()?.store {
            Store::Find { query, .. } | Store::Explain { query, .. } => Some(query.query().filter),
            Store::Count { filter, .. } => Some(filter.text()),
            Store::Delete { given, filter, .. } => given.or(filter),
            _ => None,
        }
    }

    #[rstest]
    fn a_filter_is_given_by_its_place_or_by_name(#[values("find", "count", "explain", "delete")] verb: &str) {
        assert_eq!(filter(&[verb, "{a: 1}"]).as_deref(), Some("{a: 1}"));
        assert_eq!(filter(&[verb, "--filter", "{a: 1}"]).as_deref(), Some("{a: 1}"));
        assert_eq!(filter(&[verb, "{a: 1}", "--filter", "{b: 1}"]), None, "one of the two");
    }

    #[test]
    fn nothing_is_deleted_without_a_filter() {
        assert!(filter(&["delete"]).is_none());
        assert_eq!(filter(&["find"]).as_deref(), Some(""));
    }
}
