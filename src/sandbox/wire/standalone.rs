//! What only a member of a replica set can do: refused as a server that is none refuses it.

use bson::{RawBsonRef, RawDocument};

use super::super::commands::Args;
use super::super::error::{Code, CommandError};

/// Looks for transactions, change streams, and read and write concerns that take more than one server.
///
/// # Errors
/// MongoDB's own for each.
pub(super) fn check(args: &Args<'_>, body: &RawDocument) -> Result<(), CommandError> {
    if body.get("txnNumber")?.is_some() {
        let message = "Transaction numbers are only allowed on a replica set member or mongos";
        return Err(CommandError::new(Code::ILLEGAL_OPERATION, message));
    }
    if let Some(concern) = args.document("readConcern")? {
        read_concern(&Args::new("readConcern", concern))?;
    }
    if let Some(concern) = args.document("writeConcern")? {
        write_concern(concern)?;
    }
    if is_change_stream(body)? {
        return Err(CommandError::new(Code::location(40573), "The $changeStream stage is only supported on replica sets"));
    }
    Ok(())
}

fn read_concern(concern: &Args<'_>) -> Result<(), CommandError> {
    match concern.text("level")? {
        None | Some("local" | "available" | "majority") => Ok(()),
        Some(level @ ("linearizable" | "snapshot")) => {
            let message = format!("node needs to be a replica set member to use readConcern: {level}");
            Err(CommandError::new(Code::NOT_A_REPLICA_SET, message))
        }
        Some(other) => {
            let message = format!("Enumeration value '{other}' for field 'readConcern.level' is not a valid value.");
            Err(CommandError::bad_value(message))
        }
    }
}

fn write_concern(concern: &RawDocument) -> Result<(), CommandError> {
    let servers = match concern.get("w")? {
        Some(RawBsonRef::Int32(n)) => i64::from(n),
        Some(RawBsonRef::Int64(n)) => n,
        #[allow(clippy::cast_possible_truncation)] // saturates
        Some(RawBsonRef::Double(n)) => n as i64,
        Some(RawBsonRef::String("majority")) | None => 1,
        Some(RawBsonRef::String(mode)) => {
            let message = format!("cannot use non-majority 'w' mode \"{mode}\" when a host is not a member of a replica set");
            return Err(CommandError::bad_value(message));
        }
        Some(_) => return Err(CommandError::new(Code::FAILED_TO_PARSE, "w has to be a number, string, or object")),
    };
    match servers {
        0 | 1 => Ok(()),
        2..=50 => Err(CommandError::bad_value("cannot use 'w' > 1 when a host is not replicated")),
        _ => Err(CommandError::new(Code::FAILED_TO_PARSE, "w has to be a non-negative number and not greater than 50")),
    }
}

fn is_change_stream(body: &RawDocument) -> Result<bool, CommandError> {
    if body.get("aggregate")?.is_none() {
        return Ok(false);
    }
    let Some(RawBsonRef::Array(stages)) = body.get("pipeline")? else { return Ok(false) };
    let first = stages.into_iter().next().transpose()?.and_then(RawBsonRef::as_document);
    Ok(match first {
        Some(stage) => stage.get("$changeStream")?.is_some(),
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, rawdoc};

    use super::*;

    #[rstest::rstest]
    #[case(rawdoc! { "insert": "c", "writeConcern": { "w": "majority", "j": true }, "readConcern": { "level": "majority" } }, None)]
    #[case(rawdoc! { "insert": "c", "writeConcern": { "w": 0 } }, None)]
    #[case(rawdoc! { "aggregate": "c", "pipeline": [{ "$match": {} }] }, None)]
    #[case(rawdoc! { "insert": "c", "txnNumber": 1_i64 }, Some(20))]
    #[case(rawdoc! { "insert": "c", "writeConcern": { "w": 2 } }, Some(2))]
    #[case(rawdoc! { "insert": "c", "writeConcern": { "w": "dc1" } }, Some(2))]
    #[case(rawdoc! { "insert": "c", "writeConcern": { "w": 51 } }, Some(9))]
    #[case(rawdoc! { "find": "c", "readConcern": { "level": "linearizable" } }, Some(123))]
    #[case(rawdoc! { "find": "c", "readConcern": { "level": "strong" } }, Some(2))]
    #[case(rawdoc! { "aggregate": "c", "pipeline": [{ "$changeStream": {} }] }, Some(40573))]
    fn what_takes_a_replica_set_is_refused_by_name(#[case] body: RawDocumentBuf, #[case] code: Option<i32>) {
        let outcome = check(&Args::new("command", &body), &body);
        assert_eq!(outcome.err().map(|error| error.code.number), code);
    }
}
