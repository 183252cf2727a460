//! The command line: the headless twin of every pane, and the way into the console.
//!
//! A command finds the session running in the same data directory and acts in it; with none running it starts what it
//! needs and stops it again. `--json` prints one JSON object a line; errors go to stderr as one sentence. Exit status:
//! 0 done, 1 the thing failed, 2 wrong usage.

mod args;
mod captures;
mod case;
mod clock;
mod compared;
mod config;
mod deployment;
mod describe;
mod doctor;
mod env;
mod error;
mod events;
mod log;
mod looks;
mod new;
mod output;
mod replay;
mod run;
mod sagas;
mod scenario;
mod serve;
mod shell;
mod store;
mod trigger;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use args::{Args, Verb};
use error::CliError;
use output::Output;

use crate::console;
use crate::journal::{Journal, JournalError, Reader};
use crate::probe;
use crate::workbench::{self, Connect, OpenOptions, Ports, Session, Source};

/// Runs the program around an extension and returns its exit status. See [`crate::main`].
#[must_use]
pub fn main(source: Source) -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // clap knows best how to say it: help and version are no errors and go to stdout.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| CliError::failed(format!("no threads could be started: {e}")))
        .and_then(|runtime| runtime.block_on(dispatch(args, source)));
    match outcome {
        Ok(()) | Err(CliError::Quiet) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            error.status()
        }
    }
}

/// How long our own runtime may take to connect to a session's local Connect; it takes some milliseconds.
const SETTLED_WITHIN: Duration = Duration::from_secs(2);

/// The official runner takes 8 to 15 seconds on an idle machine.
const GUEST_WITHIN: Duration = Duration::from_secs(60);

/// What every command needs to know.
struct Setting {
    options: OpenOptions,
    output: Output,
    plain: bool,
    /// The configuration file asked for.
    config: Option<PathBuf>,
}

impl Setting {
    async fn session(&self) -> Result<Session, CliError> {
        Ok(Session::open(self.options.clone()).await?)
    }

    /// A session that has had its moment to connect, for commands that act at once.
    async fn settled(&self) -> Result<Session, CliError> {
        let session = self.session().await?;
        session.connected(SETTLED_WITHIN).await;
        Ok(session)
    }

    /// A session whose extension takes tasks, unless it never gets there.
    async fn ready(&self) -> Result<Session, CliError> {
        let session = self.session().await?;
        self.until_ready(&session).await;
        Ok(session)
    }

    /// Waits until the extension of a session takes tasks, unless it never gets there.
    async fn until_ready(&self, session: &Session) {
        let guest = matches!(self.options.extension, Source::Python { .. });
        if !guest {
            session.connected(SETTLED_WITHIN).await;
            return;
        }
        output::remark("waiting for the official runner to connect; it takes 8 to 15 s");
        let deadline = tokio::time::Instant::now() + GUEST_WITHIN;
        if session.connected(GUEST_WITHIN).await {
            // It opens a connection for each kind of task, one after the other.
            session.subscribed(deadline).await;
        } else {
            let seconds = GUEST_WITHIN.as_secs();
            output::remark(&format!(
                "the official runner has not connected within {seconds} s: `run --headless` with the same --extension shows what it says"
            ));
        }
    }

    /// The journal alone, for commands that only read; `None` where nothing was ever recorded.
    fn reader(&self) -> Result<Option<Reader>, CliError> {
        let dir = &self.options.data_dir;
        if !dir.join("journal.sqlite").exists() {
            return Ok(None);
        }
        // The first question shows whether it can be read.
        match Reader::open(dir).and_then(|reader| reader.last_row().map(|_| reader)) {
            // A file without anything in it: a session makes its journal there.
            Err(JournalError::Missing { .. }) => Ok(None),
            // Nobody uses it: what can be read of it is taken over now, as a session would do.
            Err(JournalError::Corrupt { .. }) => {
                let journal = Journal::open(dir)?;
                if let Some(mended) = journal.mended() {
                    output::remark(&mended.to_string());
                }
                Ok(Some(Reader::open(dir)?))
            }
            opened => Ok(Some(opened?)),
        }
    }
}

async fn dispatch(args: Args, source: Source) -> Result<(), CliError> {
    let output = Output::new(args.global.json);
    // What needs no session.
    match &args.verb {
        Some(Verb::New(project)) => return new::new(output, project, args.python.as_ref()),
        Some(Verb::Config { verb }) => return config::config(output, args.global.config.as_deref(), verb),
        Some(Verb::Completions { shell }) => return shell::completions(*shell),
        Some(Verb::Man { to }) => return shell::man(to.as_deref()),
        _ => {}
    }
    let extension = which(args.extension, interpreter(args.python)?, !args.no_trace, source)?;
    let data_dir = match (args.global.data_dir, &extension) {
        // What is told of it, such as the authority's file, is for programs that run in other directories.
        (Some(dir), _) => {
            std::path::absolute(&dir).map_err(|e| CliError::usage(format!("{} is no directory: {e}", dir.display())))?
        }
        (None, Source::Python { project, .. }) => workbench::data_dir_of(project)?,
        (None, _) => {
            let here = std::env::current_dir().map_err(|e| CliError::usage(format!("the current directory is gone: {e}")))?;
            workbench::data_dir_of(&here)?
        }
    };
    log::listen(args.global.verbose.then_some(data_dir.as_path()))?;
    tracing::debug!(data_dir = %data_dir.display(), "started");
    let options = OpenOptions { data_dir, extension, connect: Connect::Local, ports: Ports::default() };
    let setting = Setting { options, output, plain: args.global.plain, config: args.global.config };
    match args.verb {
        None => open_console(setting).await,
        Some(Verb::Run(run)) => run::run(setting, run).await,
        Some(Verb::Trigger(trigger)) => trigger::trigger(setting, *trigger).await,
        Some(Verb::Replay(replay)) => replay::replay(setting, *replay).await,
        Some(Verb::Case { verb }) => case::case(setting, verb).await,
        Some(Verb::Scenario { verb }) => scenario::scenario(setting, verb).await,
        Some(Verb::Events { verb }) => events::events(setting, verb).await,
        Some(Verb::Env { verb }) => env::env(setting, verb).await,
        Some(Verb::Sagas { verb }) => sagas::sagas(setting, verb).await,
        Some(Verb::Store { verb }) => store::store(setting, verb).await,
        Some(Verb::Sandbox(sandbox)) => serve::sandbox(setting, sandbox).await,
        Some(Verb::Platform(platform)) => serve::platform(setting, platform).await,
        Some(Verb::Doctor { reveal }) => doctor::doctor(setting, reveal).await,
        // Done already.
        Some(Verb::New(_) | Verb::Config { .. } | Verb::Completions { .. } | Verb::Man { .. }) => Ok(()),
    }
}

/// What `--python` names; without a path it means something to `new` alone.
fn interpreter(python: Option<Option<PathBuf>>) -> Result<Option<PathBuf>, CliError> {
    match python {
        Some(None) => Err(CliError::usage("--python needs the path of an interpreter or of its environment".into())),
        Some(path) => Ok(path),
        None => Ok(None),
    }
}

/// The extension asked for.
fn which(asked: Option<PathBuf>, python: Option<PathBuf>, trace: bool, built_in: Source) -> Result<Source, CliError> {
    let Some(asked) = asked else {
        if python.is_some() {
            return Err(CliError::usage("--python is for a Python extension: say which with --extension DIR".into()));
        }
        return Ok(built_in);
    };
    match asked.to_str() {
        Some(name @ ("tutorial" | "probe")) if python.is_some() => Err(CliError::usage(format!(
            "--python is for a Python extension, and {name} is a built-in one in Rust: for the directory of that name say ./{name}"
        ))),
        Some("tutorial") => Ok(Source::Tutorial),
        Some("probe") => Ok(Source::Given(Box::new(probe::extension()))),
        _ if asked.is_dir() => Ok(Source::Python { project: asked, python, trace }),
        _ => Err(CliError::usage(format!(
            "{} is no extension: give the directory of a Python project, `tutorial` or `probe`",
            asked.display()
        ))),
    }
}

async fn open_console(setting: Setting) -> Result<(), CliError> {
    use std::io::IsTerminal;
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(CliError::usage(
            "there is no terminal to open the console in; `connect-console run --headless` does the same without a screen".into(),
        ));
    }
    let config = config::load(setting.config.as_deref())?;
    let options = setting.options;
    let shown = console::Options { plain: setting.plain, data_dir: options.data_dir.clone(), config };
    let opening = Box::pin(async move {
        let session = Session::open(options.clone()).await?;
        run::refuse_another(&session, &options)?;
        Ok(session)
    });
    console::run(opening, shown).await.map_err(|e| CliError::failed(e.to_string()))
}
