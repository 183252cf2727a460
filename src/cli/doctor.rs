//! `doctor`: what is configured and reachable, and what is wrong, in words.

use std::time::Duration;

use serde::Serialize;

use super::{CliError, Setting};
use crate::observe::{Backend, LinkState};
use crate::workbench::sound::{self, Soundness};
use crate::workbench::{Command, Reply, STOPPED, Session, StoreCommand, StoreReply, StoreTarget};

#[derive(Serialize)]
struct Finding {
    what: String,
    ok: bool,
    detail: String,
}

/// `doctor [--reveal]`
pub(super) async fn doctor(setting: Setting, reveal: bool) -> Result<(), CliError> {
    let dir = setting.options.data_dir.clone();
    let databases = tokio::task::spawn_blocking(move || sound::databases(&dir)).await.unwrap_or_default();
    let mut findings = vec![of_config(&setting)];
    findings.extend(databases.into_iter().map(of_database));
    // One damaged file keeps the session from starting; the others are told about all the same.
    let session = match setting.session().await {
        Ok(session) => session,
        Err(error) => {
            findings.push(Finding { what: "session".into(), ok: false, detail: error.to_string() });
            return tell(&setting, &findings);
        }
    };
    let examined = examine(&session).await;
    let access = session.command(Command::Sandbox).await;
    session.close().await;
    findings.extend(examined?);
    // With a real Connect there is no sandbox.
    if let Ok(Reply::Sandbox { mongodb, db_host, ca_file, user, password, data_api, api_key }) = access {
        let mut finding = |detail| findings.push(Finding { what: "sandbox".into(), ok: true, detail });
        if reveal {
            finding(format!("mongodb at {mongodb}, user {user}, password {password}"));
            finding(format!("data-api at {data_api}, api-key {api_key}"));
        }
        finding(format!("with TLS on the same port, under the authority {}", ca_file.display()));
        finding(format!(
            "an extension stores there with DB_HOST={db_host}, DB_USER={user} and its password in DB_PASSWORD, \
             DATA_API_ENDPOINT={data_api} and its key in API_KEY; `env set --sandbox --apply` sets all five"
        ));
    }
    tell(&setting, &findings)
}

fn of_config(setting: &Setting) -> Finding {
    let (ok, detail) = match super::config::load(setting.config.as_deref()) {
        Ok(_) => (true, "no mistake in it, or none is needed; `config path` says where it is looked for".to_owned()),
        Err(error) => (false, error.to_string()),
    };
    Finding { what: "config".into(), ok, detail }
}

fn of_database(Soundness { name, damage }: Soundness) -> Finding {
    Finding { what: name.into(), ok: damage.is_none(), detail: damage.unwrap_or_else(|| "sound".into()) }
}

fn tell(setting: &Setting, findings: &[Finding]) -> Result<(), CliError> {
    for finding in findings {
        if setting.output.is_json() {
            setting.output.object(finding)?;
        } else {
            let mark = if finding.ok { "ok   " } else { "WRONG" };
            setting.output.line(&format!("{mark}  {:<15} {}", finding.what, finding.detail))?;
        }
    }
    if findings.iter().all(|f| f.ok) { Ok(()) } else { Err(CliError::Told) }
}

async fn examine(session: &Session) -> Result<Vec<Finding>, CliError> {
    // A session that has just been started gets a moment to connect.
    session.connected(Duration::from_secs(5)).await;
    let Reply::Status(status) = session.command(Command::Status).await? else {
        return Err(CliError::failed("the session answered something else than was asked".into()));
    };
    let finding = |what: &str, ok, detail: String| Finding { what: what.into(), ok, detail };
    let mut findings = vec![
        finding("data", true, status.data_dir.clone()),
        finding("runtime", true, format!("connect-console {}", env!("CARGO_PKG_VERSION"))),
        finding("extension", true, format!("{} {}", status.extension, status.extension_version)),
        finding(
            "connect",
            status.link.state == LinkState::Connected,
            format!(
                "{}, {}{}, link {}",
                status.mode,
                status.environment_id,
                status.environment_status.as_deref().map(|stands| format!(" {stands}")).unwrap_or_default(),
                format!("{:?}", status.link.state).to_lowercase()
            ),
        ),
    ];
    findings.extend(status.endpoints.iter().map(|e| finding("listens", true, format!("{} at {}", e.name, e.address))));
    findings.extend(status.notes.iter().map(|note| finding("port", true, note.clone())));
    findings.extend(status.troubles.iter().map(|trouble| finding("trouble", !trouble.starts_with(STOPPED), trouble.clone())));
    // Before a real Connect an extension need not store anything; here there is the sandbox.
    let known = match session.command(Command::Variables).await {
        Ok(Reply::Variables { variables, .. }) if status.mode == "remote" => Some(variables),
        _ => None,
    };
    for backend in [Backend::DataApi, Backend::Driver] {
        let place = match backend {
            Backend::DataApi => "DATA_API_ENDPOINT",
            Backend::Driver => "DB_HOST",
        };
        if known.as_ref().is_some_and(|known| known.iter().all(|variable| variable.name != place)) {
            findings.push(finding(&backend.to_string(), true, format!("not used: there is no variable {place}")));
            continue;
        }
        let count = Command::Store(StoreCommand::Count { target: StoreTarget::own(backend), filter: String::new() });
        findings.push(match session.command(count).await {
            Ok(Reply::Store(StoreReply::Count { database, collection, count })) => {
                finding(&backend.to_string(), true, format!("{count} documents in {database}.{collection}"))
            }
            Ok(_) => finding(&backend.to_string(), false, "answered something else than was asked".into()),
            Err(error) => finding(&backend.to_string(), false, error.to_string()),
        });
    }
    Ok(findings)
}
