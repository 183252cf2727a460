//! Which fields a command may have. One that nobody knows might change the answer: it is refused, as MongoDB does.

use bson::RawDocument;

use super::super::error::CommandError;
use super::Args;

/// What every command may have beside its own; what starts with `$` is the protocol's.
const COMMON: [&str; 13] = [
    "apiDeprecationErrors",
    "apiStrict",
    "apiVersion",
    "autocommit",
    "comment",
    "lsid",
    "maxTimeMS",
    "readConcern",
    "startTransaction",
    "stmtId",
    "stmtIds",
    "txnNumber",
    "writeConcern",
];

/// The fields of those commands that answer otherwise for an option more or less.
fn own(command: &str) -> Option<&'static [&'static str]> {
    Some(match command {
        "find" => &[
            "allowDiskUse",
            "allowPartialResults",
            "awaitData",
            "batchSize",
            "collation",
            "filter",
            "hint",
            "let",
            "limit",
            "max",
            "min",
            "noCursorTimeout",
            "oplogReplay",
            "projection",
            "returnKey",
            "showRecordId",
            "singleBatch",
            "skip",
            "sort",
            "tailable",
        ],
        "count" => &["collation", "fields", "hint", "limit", "query", "skip"],
        "distinct" => &["collation", "hint", "key", "query"],
        "aggregate" => &["allowDiskUse", "bypassDocumentValidation", "collation", "cursor", "explain", "hint", "let", "pipeline"],
        "insert" => &["bypassDocumentValidation", "documents", "ordered"],
        "update" => &["bypassDocumentValidation", "let", "ordered", "updates"],
        "delete" => &["deletes", "let", "ordered"],
        "findAndModify" | "findandmodify" => &[
            "arrayFilters",
            "bypassDocumentValidation",
            "collation",
            "fields",
            "hint",
            "let",
            "new",
            "query",
            "remove",
            "sort",
            "update",
            "upsert",
        ],
        "getMore" => &["batchSize", "collection"],
        "killCursors" => &["cursors"],
        "createIndexes" => &["commitQuorum", "indexes", "ignoreUnknownIndexOptions"],
        "dropIndexes" | "deleteIndexes" => &["index"],
        "listDatabases" => &["authorizedDatabases", "filter", "nameOnly"],
        "listCollections" => &["authorizedCollections", "cursor", "filter", "nameOnly"],
        "listIndexes" => &["cursor"],
        "renameCollection" => &["dropTarget", "to"],
        "explain" => &["verbosity"],
        _ => return None,
    })
}

/// # Errors
/// Code 40415 with the name of the field.
pub(super) fn check(command: &str, body: &RawDocument) -> Result<(), CommandError> {
    let Some(own) = own(command) else { return Ok(()) };
    // The first field is the command itself.
    for field in body.iter().skip(1) {
        let name = field?.0.as_str();
        if !name.starts_with('$') && !own.contains(&name) && !COMMON.contains(&name) {
            return Err(Args::new(command, body).unknown(name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, rawdoc};

    #[rstest::rstest]
    #[case(rawdoc! { "find": "c", "filter": {}, "comment": "why", "$db": "d", "lsid": {} }, None)]
    #[case(rawdoc! { "find": "c", "fliter": {} }, Some("BSON field 'find.fliter' is an unknown field."))]
    #[case(rawdoc! { "delete": "c", "deletes": [], "limit": 1 }, Some("BSON field 'delete.limit' is an unknown field."))]
    #[case(rawdoc! { "validate": "c", "full": true }, None)]
    fn an_option_nobody_knows_is_refused_by_its_name(#[case] body: RawDocumentBuf, #[case] refused: Option<&str>) {
        let command = body.iter().next().unwrap().unwrap().0.as_str();
        let outcome = super::check(command, &body).map_err(|error| (error.code.number, error.message));
        assert_eq!(outcome.err(), refused.map(|message| (40_415, message.to_owned())));
    }
}
