//! The driver's errors in plain words: its own texts describe its insides.

use mongodb::error::{Error, ErrorKind, WriteFailure};

use super::super::{Backend, StoreError};

/// MongoDB's codes for missing rights and for wrong credentials.
const UNAUTHORIZED: [i32; 2] = [13, 18];

pub(super) fn unreachable(server: &str, reason: &str) -> StoreError {
    StoreError::Unreachable { backend: Backend::Driver, server: server.into(), reason: reason.into() }
}

/// The driver's error in our words.
pub(super) fn translate(server: &str, operation: &'static str, error: &Error) -> StoreError {
    let unauthorized =
        |reason: &str| StoreError::Unauthorized { backend: Backend::Driver, server: server.into(), reason: reason.into() };
    let refused =
        |code, message: &str| StoreError::Refused { backend: Backend::Driver, operation, code, message: message.into() };
    match error.kind.as_ref() {
        ErrorKind::Authentication { message, .. } => unauthorized(message),
        ErrorKind::Command(e) if UNAUTHORIZED.contains(&e.code) => unauthorized(&e.message),
        ErrorKind::Command(e) => refused(Some(e.code), &e.message),
        ErrorKind::Write(WriteFailure::WriteError(e)) => refused(Some(e.code), &e.message),
        ErrorKind::Write(WriteFailure::WriteConcernError(e)) => refused(Some(e.code), &e.message),
        ErrorKind::ServerSelection { message, .. } => unreachable(server, &plain(&cause(message))),
        ErrorKind::Io(e) => unreachable(server, &plain(&e.to_string())),
        ErrorKind::DnsResolve { message, .. } => unreachable(server, &dns(server, message)),
        ErrorKind::InvalidTlsConfig { message, .. } | ErrorKind::ConnectionPoolCleared { message, .. } => {
            unreachable(server, &plain(message))
        }
        ErrorKind::InvalidArgument { message, .. } => refused(None, message),
        other => refused(None, &other.to_string()),
    }
}

/// The first server's error out of the driver's description of the whole topology.
fn cause(message: &str) -> String {
    let of_server = message.split("Error: Kind: ").nth(1).and_then(|rest| rest.split(", labels:").next());
    of_server.unwrap_or(message).trim().to_owned()
}

/// What a connection that did not come about means.
fn plain(message: &str) -> String {
    let known = [
        ("onnection refused", "connection refused: nothing listens there"),
        ("failed to lookup address", "DNS does not know that host name"),
        ("onnection reset", "it closed the connection"),
        ("unexpected end of file", "it closed the connection; does it want TLS, or is it no MongoDB server?"),
        ("UnknownIssuer", "its TLS certificate is of an authority this machine does not trust"),
        ("NotValidForName", "its TLS certificate is for another host name"),
        ("Expired", "its TLS certificate has expired"),
        ("timed out", "it did not answer in time"),
        ("timeout", "it did not answer in time"),
        ("etwork is unreachable", "there is no network on the way to it"),
    ];
    let found = known.iter().find(|(sign, _)| message.contains(sign));
    found.map_or_else(|| message.to_owned(), |(_, words)| (*words).to_owned())
}

/// What DNS said about a bare host name, which stands for a cluster (`mongodb+srv`).
fn dns(server: &str, message: &str) -> String {
    let lower = message.to_lowercase();
    let has = |signs: &[&str]| signs.iter().any(|sign| lower.contains(sign));
    if has(&["no record", "norecords", "no connections", "nxdomain", "no such name", "domain name does not exist"]) {
        format!(
            "DNS has no SRV record _mongodb._tcp.{server}, which a host name without a port needs; check DB_HOST, or write \
             host:port for a server that is no cluster"
        )
    } else if has(&["timed out", "timeout"]) {
        "DNS did not answer in time".into()
    } else if has(&["refused", "unreachable", "io error", "i/o error"]) {
        "no DNS server can be reached; is this machine offline?".into()
    } else {
        // What follows a brace is the resolver's own debug text.
        let said = message.split(['{', '(']).next().unwrap_or_default().trim().trim_end_matches(':');
        format!("DNS could not resolve it: {}", if said.is_empty() { "it said nothing else" } else { said })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn of_a_topology_only_the_servers_own_error_is_shown() {
        let message = "Server selection timeout: No available servers. Topology: { Type: Single, Servers: [ { Address: 127.0.0.1:1, \
                       Type: Unknown, Error: Kind: I/O error: Connection refused (os error 111), labels: {} } ] }";
        assert_eq!(cause(message), "I/O error: Connection refused (os error 111)");
        assert_eq!(plain(&cause(message)), "connection refused: nothing listens there");
        assert_eq!(cause("something else"), "something else");
    }

    #[rstest]
    #[case(
        "no records found for Query { name: Name(\"_mongodb._tcp.x.example.\"), query_type: SRV }",
        "DNS has no SRV record _mongodb._tcp.x.example"
    )]
    #[case("request timed out", "DNS did not answer in time")]
    #[case("io error: Connection refused (os error 111)", "is this machine offline?")]
    #[case("proto error: odd { a: B { c: 1 } }", "DNS could not resolve it: proto error: odd")]
    fn what_dns_says_is_told_in_words_and_never_as_debug_text(#[case] message: &str, #[case] says: &str) {
        let told = dns("x.example", message);
        assert!(told.contains(says), "{told}");
        assert!(!told.contains('{'), "{told}");
    }

    #[test]
    fn a_command_error_keeps_mongodbs_code_and_wrong_credentials_are_told_apart() {
        let command = |code| {
            let reply = bson::doc! {"code": code, "codeName": "X", "errmsg": "no"};
            let command = bson::deserialize_from_document(reply).unwrap();
            translate("h:1", "find", &Error::from(ErrorKind::Command(command)))
        };
        assert!(matches!(command(18), StoreError::Unauthorized { .. }));
        assert_eq!(command(2).to_string(), "driver backend: find failed: no (code 2)");
    }
}
