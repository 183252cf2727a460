//! What shells and tools ask a server about itself, beside its databases.

use bson::raw::{CString, cstr};
use bson::{RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};

use super::super::commands;
use super::super::error::{Code, CommandError};

/// What a session answers itself.
const OWN: [&str; 21] = [
    "buildInfo",
    "connectionStatus",
    "endSessions",
    "getCmdLineOpts",
    "getLog",
    "getParameter",
    "hello",
    "hostInfo",
    "isMaster",
    "killSessions",
    "listCommands",
    "logout",
    "ping",
    "refreshSessions",
    "rolesInfo",
    "saslContinue",
    "saslStart",
    "serverStatus",
    "startSession",
    "usersInfo",
    "whatsmyuri",
];

pub(super) fn list_commands() -> Result<RawDocumentBuf, CommandError> {
    let mut names: Vec<&str> = OWN.into_iter().chain(commands::NAMES).collect();
    names.sort_unstable();
    let mut list = RawDocumentBuf::new();
    for name in names {
        list.append(CString::try_from(name)?, rawdoc! { "help": "", "secondaryOk": true });
    }
    Ok(rawdoc! { "commands": list, "ok": 1.0 })
}

/// The server's log in its memory: it keeps none there.
pub(super) fn get_log(body: &RawDocument) -> Result<RawDocumentBuf, CommandError> {
    match body.get("getLog")? {
        Some(RawBsonRef::String("*")) => Ok(rawdoc! { "names": ["global", "startupWarnings"], "ok": 1.0 }),
        Some(RawBsonRef::String("global" | "startupWarnings")) => Ok(rawdoc! { "totalLinesWritten": 0, "log": [], "ok": 1.0 }),
        Some(RawBsonRef::String(other)) => Err(CommandError::new(
            Code::OPERATION_FAILED,
            format!("No log named '{other}': there are 'global' and 'startupWarnings'"),
        )),
        _ => Err(CommandError::new(Code::TYPE_MISMATCH, "Argument to getLog must be of type String")),
    }
}

/// Whether a name, a `{user, db}`, a list of those, `1` or `{forAllDBs: true}` means one of the database `admin`; `field` is
/// `user` or `role`.
fn is_meant(asked: RawBsonRef<'_>, field: &str, name: &str, db: &str) -> bool {
    match asked {
        RawBsonRef::String(asked) => asked == name && db == "admin",
        RawBsonRef::Document(asked) => {
            let text = |field: &str| asked.get(field).ok().flatten().and_then(RawBsonRef::as_str);
            let everywhere = matches!(asked.get("forAllDBs"), Ok(Some(RawBsonRef::Boolean(true))));
            everywhere || text(field) == Some(name) && text("db") == Some("admin")
        }
        RawBsonRef::Array(several) => several.into_iter().flatten().any(|asked| is_meant(asked, field, name, db)),
        RawBsonRef::Int32(1) | RawBsonRef::Int64(1) => db == "admin",
        RawBsonRef::Double(n) => n.to_bits() == 1.0_f64.to_bits() && db == "admin",
        _ => false,
    }
}

fn database(body: &RawDocument) -> &str {
    body.get("$db").ok().flatten().and_then(RawBsonRef::as_str).unwrap_or_default()
}

/// There is one user, where anybody needs to authenticate.
pub(super) fn users_info(body: &RawDocument, user: Option<&str>) -> Result<RawDocumentBuf, CommandError> {
    let asked = body.get("usersInfo")?.unwrap_or(RawBsonRef::Null);
    let mut users = RawArrayBuf::new();
    if let Some(user) = user.filter(|user| is_meant(asked, "user", user, database(body))) {
        users.push(rawdoc! {
            "_id": format!("admin.{user}"), "user": user, "db": "admin",
            "roles": [{ "role": "root", "db": "admin" }], "mechanisms": ["SCRAM-SHA-256"],
        });
    }
    Ok(rawdoc! { "users": users, "ok": 1.0 })
}

/// The one role is the server's own: it is told where it is asked for by name, or with all of those.
pub(super) fn roles_info(body: &RawDocument) -> Result<RawDocumentBuf, CommandError> {
    let asked = body.get("rolesInfo")?.unwrap_or(RawBsonRef::Null);
    let by_name = matches!(asked, RawBsonRef::String(_) | RawBsonRef::Document(_) | RawBsonRef::Array(_));
    let own = matches!(body.get("showBuiltinRoles")?, Some(RawBsonRef::Boolean(true)));
    let mut roles = RawArrayBuf::new();
    if (by_name || own) && is_meant(asked, "role", "root", database(body)) {
        let mut role = rawdoc! { "_id": "admin.root", "role": "root", "db": "admin", "isBuiltin": true };
        role.append(cstr!("roles"), RawArrayBuf::new());
        role.append(cstr!("inheritedRoles"), RawArrayBuf::new());
        roles.push(role);
    }
    Ok(rawdoc! { "roles": roles, "ok": 1.0 })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(rawdoc! { "usersInfo": 1, "$db": "admin" }, 1)]
    #[case(rawdoc! { "usersInfo": 1, "$db": "shop" }, 0)]
    #[case(rawdoc! { "usersInfo": { "user": "me", "db": "admin" }, "$db": "shop" }, 1)]
    #[case(rawdoc! { "usersInfo": { "forAllDBs": true }, "$db": "shop" }, 1)]
    #[case(rawdoc! { "usersInfo": ["you", "me"], "$db": "admin" }, 1)]
    #[case(rawdoc! { "usersInfo": "you", "$db": "admin" }, 0)]
    fn the_one_user_is_told_to_whom_asks_for_it(#[case] body: RawDocumentBuf, #[case] users: usize) {
        let count = |user| users_info(&body, user).unwrap().get_array("users").unwrap().into_iter().count();
        assert_eq!((count(Some("me")), count(None)), (users, 0));
    }

    #[test]
    fn the_log_is_empty_and_another_one_is_refused_by_name() {
        assert!(get_log(&rawdoc! { "getLog": "startupWarnings" }).unwrap().get_array("log").unwrap().is_empty());
        assert_eq!(get_log(&rawdoc! { "getLog": "nope" }).unwrap_err().code, Code::OPERATION_FAILED);
    }

    #[tokio::test]
    async fn every_command_that_is_listed_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let engine = super::super::super::engine::Engine::open(&dir.path().join("s.sqlite")).unwrap();
        for name in commands::NAMES {
            let mut body = RawDocumentBuf::new();
            body.append(CString::try_from(name).unwrap(), 1);
            let answer = commands::run(&engine, commands::Command::new(body)).await;
            assert!(answer.is_ok() || answer.is_err_and(|error| error.code != Code::COMMAND_NOT_FOUND), "{name}");
        }
        let list = list_commands().unwrap();
        assert!(list.get_document("commands").unwrap().get("find").unwrap().is_some());
    }
}
