//! `env`: variables, in Connect's words.

mod args;
mod exchange;
mod history;

use std::io::{BufRead, IsTerminal};

use serde::Serialize;

pub(super) use args::Env;

use super::{CliError, Setting, output};
use crate::workbench::{Command, EnvironmentCommand, Reply, Session, VariableChange, VariableRow, VariableState};

/// What stands in place of a secret: always the same, so that not even its length shows.
const MASK: &str = "********";

/// `env list|set|unset|unstage|diff|apply|edit|import|export|history|rollback`
pub(super) async fn env(setting: Setting, verb: Env) -> Result<(), CliError> {
    let changes = match &verb {
        // Asked for before anything is started: nobody waits at a prompt for a server.
        Env::Set { variables, secure, .. } => read_values(variables, *secure)?,
        Env::Unset { names, .. } => names.iter().map(|name| VariableChange::Unset { name: name.clone() }).collect(),
        _ => Vec::new(),
    };
    let content = match &verb {
        Env::Import { file, format, .. } => Some(exchange::content_of(file, *format)?),
        _ => None,
    };
    let session = setting.settled().await?;
    let outcome = carry_out(&setting, &session, verb, changes, content).await;
    session.close().await;
    outcome
}

async fn carry_out(
    setting: &Setting,
    session: &Session,
    verb: Env,
    changes: Vec<VariableChange>,
    content: Option<EnvironmentCommand>,
) -> Result<(), CliError> {
    match verb {
        Env::List { delivery: Some(delivery), .. } => history::ran_with(setting, session, delivery).await,
        Env::List { reveal, .. } => list(setting, session, reveal).await,
        Env::Set { apply, .. } | Env::Unset { apply, .. } => {
            let mut changes = changes;
            if matches!(verb, Env::Set { sandbox: true, .. }) {
                // What was typed beside it comes later, and wins.
                changes.splice(0..0, of_the_sandbox(session).await?);
            }
            let (rows, _) = ask(session, Command::Stage { changes }).await?;
            if apply { apply_now(setting, session).await } else { diff(setting, &rows) }
        }
        Env::Unstage { names } => {
            let (rows, _) = ask(session, Command::Unstage { names }).await?;
            diff(setting, &rows)
        }
        Env::Diff => {
            let (rows, _) = ask(session, Command::Variables).await?;
            diff(setting, &rows)
        }
        Env::Apply => apply_now(setting, session).await,
        Env::Edit { apply } => {
            let staged = exchange::edit(setting, session).await?;
            stage_or_apply(setting, session, staged, apply).await
        }
        Env::Import { apply, .. } => {
            let staged = ask(session, Command::Environment(content.ok_or_else(nothing_read)?)).await?;
            stage_or_apply(setting, session, staged, apply).await
        }
        Env::Export { file, format, reveal } => exchange::export(setting, session, file.as_deref(), format, reveal).await,
        Env::History => history::history(setting, session).await,
        Env::Rollback { number, apply } => {
            let staged = ask(session, Command::Environment(EnvironmentCommand::Rollback { number })).await?;
            stage_or_apply(setting, session, staged, apply).await
        }
    }
}

fn nothing_read() -> CliError {
    CliError::failed("nothing was read".into())
}

/// Says what was staged, and applies it if that was asked for.
async fn stage_or_apply(
    setting: &Setting,
    session: &Session,
    (rows, message): (Vec<VariableRow>, Option<String>),
    apply: bool,
) -> Result<(), CliError> {
    if let Some(message) = &message {
        output::remark(message);
    }
    let any = rows.iter().any(|row| row.staged.is_some());
    if apply && any { apply_now(setting, session).await } else { diff(setting, &rows) }
}

async fn ask(session: &Session, command: Command) -> Result<(Vec<VariableRow>, Option<String>), CliError> {
    match session.command(command).await? {
        Reply::Variables { variables, message } => Ok((variables, message)),
        _ => Err(CliError::failed("the session answered something else than was asked".into())),
    }
}

/// Where the sandbox is, as the documentation's example calls it.
async fn of_the_sandbox(session: &Session) -> Result<Vec<VariableChange>, CliError> {
    let Reply::Sandbox { db_host, user, password, data_api, api_key, .. } = session.command(Command::Sandbox).await? else {
        return Err(CliError::failed("the session answered something else than was asked".into()));
    };
    let set = |name: &str, value, secure| VariableChange::Set { name: name.into(), value, secure: Some(secure) };
    Ok(vec![
        set("DATA_API_ENDPOINT", data_api, false),
        set("API_KEY", api_key, true),
        set("DB_HOST", db_host, false),
        set("DB_USER", user, false),
        set("DB_PASSWORD", password, true),
    ])
}

/// A variable as `--json` prints it. Values of secure ones are `null` unless revealed.
#[derive(Serialize)]
struct Shown<'a> {
    id: Option<&'a str>,
    name: &'a str,
    value: Option<String>,
    secure: bool,
    /// `live`, `stored` (not live yet), `staged`, `deletion staged`, `unset` (declared only).
    state: &'static str,
    declared: bool,
}

fn state(row: &VariableRow) -> &'static str {
    match (&row.staged, &row.stored, &row.live) {
        (Some(VariableState::Absent), ..) => "deletion staged",
        (Some(_), ..) => "staged",
        (None, VariableState::Absent, _) => "unset",
        (None, stored, live) if stored == live => "live",
        (None, ..) => "stored",
    }
}

async fn list(setting: &Setting, session: &Session, reveal: bool) -> Result<(), CliError> {
    let (rows, _) = ask(session, Command::Variables).await?;
    let mut table = Vec::new();
    for row in &rows {
        let shown = if row.secure && reveal {
            match session.command(Command::Reveal { name: row.name.clone() }).await {
                Ok(Reply::Revealed { value, staged }) => staged.or(value),
                _ => None,
            }
        } else {
            text(row.staged.as_ref().filter(|s| **s != VariableState::Absent).unwrap_or(&row.stored))
        };
        if setting.output.is_json() {
            let (id, name) = (row.id.as_deref(), row.name.as_str());
            let shown = Shown { id, name, value: shown, secure: row.secure, state: state(row), declared: row.declared };
            setting.output.object(&shown)?;
        } else {
            let shown = shown.map(|value| in_one_line(&value));
            let value = shown.unwrap_or_else(|| if row.stored == VariableState::Absent { "-".into() } else { MASK.into() });
            let secure = if row.secure { "yes" } else { "no" };
            table.push(vec![
                row.id.clone().unwrap_or_else(|| "-".into()),
                row.name.clone(),
                value,
                secure.into(),
                state(row).into(),
            ]);
        }
    }
    if rows.is_empty() && !setting.output.is_json() {
        return setting.output.line("No variables. `connect-console env set NAME=VALUE --apply` makes one.");
    }
    setting.output.table(&["ID", "KEY", "VALUE", "SECURE", "STATE"], &table)
}

fn text(state: &VariableState) -> Option<String> {
    match state {
        VariableState::Value(value) => Some(value.clone()),
        VariableState::Absent | VariableState::Secret(_) => None,
    }
}

/// A value with its line ends as the console shows them.
fn in_one_line(value: &str) -> String {
    value.replace('\n', "⏎")
}

/// One staged change as `--json` prints it.
#[derive(Serialize)]
struct Change<'a> {
    change: &'static str,
    name: &'a str,
    from: Option<String>,
    to: Option<String>,
    secure: bool,
}

fn diff(setting: &Setting, rows: &[VariableRow]) -> Result<(), CliError> {
    let mut any = false;
    for row in rows {
        let Some(staged) = &row.staged else { continue };
        any = true;
        let (sign, change) = match (&row.stored, staged) {
            (_, VariableState::Absent) => ('-', "delete"),
            (VariableState::Absent, _) => ('+', "create"),
            _ => ('~', "update"),
        };
        let (from, to) = (text(&row.stored), text(staged));
        if setting.output.is_json() {
            setting.output.object(&Change { change, name: &row.name, from, to, secure: row.secure })?;
            continue;
        }
        let show = |value: Option<String>| value.map_or_else(|| MASK.into(), |value| in_one_line(&value));
        setting.output.line(&match sign {
            '+' => format!("+ {} = {}", row.name, show(to)),
            '-' => format!("- {} (was {})", row.name, show(from)),
            _ => format!("~ {} = {} (was {})", row.name, show(to), show(from)),
        })?;
    }
    if setting.output.is_json() {
        return Ok(());
    }
    setting.output.line(if any { "Not applied yet: `connect-console env apply` does that." } else { "Nothing is staged." })
}

async fn apply_now(setting: &Setting, session: &Session) -> Result<(), CliError> {
    let (before, _) = ask(session, Command::Variables).await?;
    let staged = before.iter().any(|row| row.staged.is_some());
    let (rows, message) = ask(session, Command::Apply).await?;
    let message = message.unwrap_or_default();
    let live = rows.iter().all(|row| row.stored == row.live);
    if setting.output.is_json() {
        setting.output.object(&serde_json::json!({ "applied": live, "message": message }))?;
    } else {
        if !staged {
            setting.output.line("Nothing was staged; the stored values were sent to the runtime again.")?;
        }
        setting.output.line(&message)?;
    }
    if live || !message.contains("not acknowledged") { Ok(()) } else { Err(CliError::Told) }
}

fn read_values(variables: &[String], secure: bool) -> Result<Vec<VariableChange>, CliError> {
    let one = |text: &String| {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (text.clone(), read_value(text)?),
        };
        Ok(VariableChange::Set { name, value, secure: secure.then_some(true) })
    };
    variables.iter().map(one).collect()
}

/// Reads a value that must not stand in the shell's history: from stdin, without echo where that is a terminal.
fn read_value(name: &str) -> Result<String, CliError> {
    let mut value = String::new();
    let quiet = std::io::stdin().is_terminal();
    if quiet {
        output::remark(&format!("Value of {name} (it is not shown), then Enter:"));
        value = read_unseen()?;
    } else {
        std::io::stdin().lock().read_line(&mut value)?;
        if value.trim_end_matches(['\r', '\n']).is_empty() {
            return Err(CliError::usage(format!("there is no value for {name} on stdin: pipe one in, or give {name}=VALUE")));
        }
    }
    Ok(value.trim_end_matches(['\r', '\n']).to_owned())
}

fn read_unseen() -> Result<String, CliError> {
    use crossterm::event::{Event, KeyCode, KeyModifiers, read};
    use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
    let mut value = String::new();
    enable_raw_mode()?;
    let outcome = loop {
        match read() {
            Ok(Event::Key(key)) => match key.code {
                KeyCode::Enter => break Ok(()),
                KeyCode::Backspace => drop(value.pop()),
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                    break Err(CliError::usage("nothing was changed".into()));
                }
                KeyCode::Char(c) => value.push(c),
                _ => {}
            },
            Ok(Event::Paste(text)) => value.push_str(&text),
            Ok(_) => {}
            Err(error) => break Err(error.into()),
        }
    };
    disable_raw_mode()?;
    outcome.map(|()| value)
}
