//! `env edit`, `import`, `export`.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;

use super::args::Format;
use super::ask;
use crate::cli::{CliError, Setting, output};
use crate::workbench::{Command, Editing, EnvironmentCommand, EnvironmentReply, Form, Reply, Session, VariableRow};

/// What a file has, read before anything is started.
pub(super) fn content_of(file: &Path, format: Option<Format>) -> Result<EnvironmentCommand, CliError> {
    let form = form_of(file, format)?;
    let mut content = Vec::new();
    let (name, read) = if file == Path::new("-") {
        ("standard input".into(), std::io::stdin().lock().read_to_end(&mut content).map(drop))
    } else {
        (file.display().to_string(), std::fs::read(file).map(|bytes| content = bytes))
    };
    read.map_err(|e| CliError::usage(format!("{name} can't be read: {e}")))?;
    Ok(EnvironmentCommand::Import { form, content, name })
}

fn form_of(file: &Path, format: Option<Format>) -> Result<Form, CliError> {
    format.map(Form::from).or_else(|| Form::of(file)).ok_or_else(|| {
        CliError::usage(format!(
            "the name of {} does not tell how it is written: say it with --format env, json, deployment or xlsx",
            file.display()
        ))
    })
}

/// Writes the stored variables to a new file only its owner can read, or to stdout.
pub(super) async fn export(
    setting: &Setting,
    session: &Session,
    file: Option<&Path>,
    format: Option<Format>,
    reveal: bool,
) -> Result<(), CliError> {
    let Some(file) = file else {
        let form = format.map_or(Form::DotEnv, Form::from);
        let command = Command::Environment(EnvironmentCommand::Export { form, reveal });
        let Reply::Environment(EnvironmentReply::Exported { content }) = session.command(command).await? else {
            return Err(other_answer());
        };
        let mut out = std::io::stdout().lock();
        out.write_all(&content)?;
        return Ok(out.flush()?);
    };
    if let (Some(_), None) = (format, Form::of(file)) {
        return Err(CliError::usage(format!("call {} .env, .json, .yml or .xlsx, or export to stdout", file.display())));
    }
    let path = std::path::absolute(file)?.display().to_string();
    let (_, message) = ask(session, Command::Environment(EnvironmentCommand::ExportFile { path: path.clone(), reveal })).await?;
    if setting.output.is_json() {
        return setting.output.object(&serde_json::json!({ "exported": path, "revealed": reveal }));
    }
    setting.output.line(&message.unwrap_or_default())
}

/// Opens all variables in the developer's editor, again and again until what is saved can be understood.
pub(super) async fn edit(setting: &Setting, session: &Session) -> Result<(Vec<VariableRow>, Option<String>), CliError> {
    let Reply::Environment(EnvironmentReply::Text { mut text }) =
        session.command(Command::Environment(EnvironmentCommand::Text)).await?
    else {
        return Err(other_answer());
    };
    loop {
        let editing = Editing::begin(&setting.options.data_dir, "variables.env", &text)?;
        let status = tokio::process::Command::from(editing.command()).status().await?;
        let Some(edited) = editing.end(status)? else {
            let (rows, _) = ask(session, Command::Variables).await?;
            return Ok((rows, Some("Nothing was changed.".into())));
        };
        match session.command(Command::Environment(EnvironmentCommand::TakeText { text: edited.clone() })).await {
            Ok(Reply::Variables { variables, message }) => return Ok((variables, message)),
            Ok(_) => return Err(other_answer()),
            // Nobody is there to put it right: an editor that is a program would be run for ever.
            Err(why) if !std::io::stdin().is_terminal() => return Err(why.into()),
            Err(why) => {
                output::remark(&format!("{why}; the editor opens again, leave it without saving to give up"));
                let edited = edited.lines().filter(|line| !line.starts_with(TROUBLE)).collect::<Vec<_>>().join("\n");
                text = format!("{TROUBLE} {why}\n{edited}\n");
            }
        }
    }
}

/// Begins the line that says what is wrong with the text.
const TROUBLE: &str = "#!";

fn other_answer() -> CliError {
    CliError::failed("the session answered something else than was asked".into())
}
