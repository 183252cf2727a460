use std::path::PathBuf;

use clap::{Args as Group, Parser, Subcommand};

use super::captures::Keep;
use super::case::Case;
use super::env::Env;
use super::replay::Replay;
use super::scenario::Scenario;
use super::store::Store;
use super::trigger::Trigger;

/// A terminal developer console for CloudBlue Connect extensions.
///
/// Without a command it opens the console: a local Connect, a MongoDB sandbox, the extension runtime and the tutorial
/// extension, on one screen, offline.
#[derive(Parser)]
#[command(version, name = "connect-console")]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,
    #[command(flatten)]
    pub(super) global: Global,
    /// The extension to run: the directory of a Python project, or `tutorial` (saves requests to MongoDB), or `probe`
    /// (does what a request's note says)
    #[arg(long, global = true, value_name = "DIR|NAME")]
    pub(super) extension: Option<PathBuf>,
    /// The interpreter for a Python extension, or the directory of its environment; with `new`: a project in Python
    #[arg(long, global = true, value_name = "PATH", num_args = 0..=1)]
    pub(super) python: Option<Option<PathBuf>>,
    /// Do not trace the sagas of a Python extension: no trace hook is in its processes
    #[arg(long, global = true)]
    pub(super) no_trace: bool,
}

#[derive(Group)]
pub(super) struct Global {
    /// Keep everything in this directory instead of the one of the current project
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// The configuration file, instead of the one in the platform's configuration directory
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// No borders, no symbols: for screen readers and simple terminals
    #[arg(long, global = true)]
    pub(super) plain: bool,
    /// Write what is said through `tracing` (RUST_LOG selects) to connect-console.log in the data directory
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
}

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Run the extension without a screen and print what happens
    Run(Run),
    /// Create an object (a Test Subscription, say) in the local Connect and deliver it
    Trigger(Box<Trigger>),
    /// Run past deliveries again: as they were, edited, with other variables, with recorded answers, into shadow collections
    Replay(Box<Replay>),
    /// Deliveries as regression tests: saved into a directory, run again headless
    Case {
        #[command(subcommand)]
        verb: Case,
    },
    /// Requests driven through their life by a file
    Scenario {
        #[command(subcommand)]
        verb: Scenario,
    },
    /// The deliveries so far
    Events {
        #[command(subcommand)]
        verb: Events,
    },
    /// Environment variables: stored, staged, live
    Env {
        #[command(subcommand)]
        verb: Env,
    },
    /// Sagas: traces, breakpoints and faults
    Sagas {
        #[command(subcommand)]
        verb: super::sagas::Sagas,
    },
    /// The documents the extension has stored
    Store {
        #[command(subcommand)]
        verb: Store,
    },
    /// Only the MongoDB-compatible sandbox with its Data API; the first line says where, with credentials
    Sandbox(Sandbox),
    /// Only the local Connect, for an extension started elsewhere; the first line says where, with its key
    Platform(Platform),
    /// A new extension project that runs as it is
    New(super::new::New),
    /// How the console is set up: theme, keys, mouse
    Config {
        #[command(subcommand)]
        verb: super::config::Verbs,
    },
    /// A script for the shell that completes commands and options
    Completions {
        /// For which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// The manual page
    Man {
        /// Write one page for each command into this directory instead
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// What is configured and reachable, and what is wrong
    Doctor {
        /// Show how to reach the sandbox, with its password and key
        #[arg(long)]
        reveal: bool,
    },
}

#[derive(Group)]
pub(super) struct Run {
    /// Without a screen
    #[arg(long)]
    pub(super) headless: bool,
    /// End as soon as nothing is left to do
    #[arg(long)]
    pub(super) until_idle: bool,
    /// Attach to the Connect named by API_KEY, ENVIRONMENT_ID, INSTANCE_ID, SERVER_ADDRESS and API_ADDRESS; without
    /// --headless this opens the console
    #[arg(long)]
    pub(super) remote: bool,
    /// With --remote: ws:// and http:// instead of wss:// and https://
    #[arg(long, requires = "remote")]
    pub(super) unsecure: bool,
}

#[derive(Group)]
pub(super) struct Wait {
    /// Wait for the result and print it; exit status 1 when the task failed
    #[arg(long)]
    pub(super) wait: bool,
    /// How many seconds to wait at most
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    pub(super) timeout: u64,
}

#[derive(Subcommand)]
pub(super) enum Events {
    /// The deliveries, newest last
    List {
        #[command(flatten)]
        filter: Filter,
        /// How many of the newest
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: usize,
    },
    /// Everything seen of one delivery
    Show {
        /// Its number
        id: i64,
    },
    /// The log lines, newest last: of deliveries, of the runtime, of everything around them
    Logs(super::looks::Logs),
    /// How the tasks of the last hour, day and week went: counts by result, mean times
    Metrics,
    /// The tasks Connect will deliver again by itself, the next one first
    Waiting,
    /// Deliver waiting tasks now instead of at their time
    Release {
        /// A task, or an object: whatever of it waits
        #[arg(required = true, value_name = "TASK|OBJECT")]
        which: Vec<String>,
    },
    /// Put the local Connect's clock forward: what is due until then comes now, what is due later that much earlier
    Forward {
        /// How far: `30s`, `5m`, `1h`, `2d`, `1h 30m`
        #[arg(value_name = "TIME", value_parser = super::clock::time)]
        by: u64,
    },
    /// Print deliveries as they are answered, until stopped
    Tail {
        #[command(flatten)]
        filter: Filter,
    },
    #[command(flatten)]
    Keep(Keep),
}

#[derive(Group)]
pub(super) struct Filter {
    /// Only what fits: texts, `result=fail`, `since=2h`, `asset.product.id=PRD-1`, `body~timeout`; `!` leaves out
    #[arg(long, value_name = "FILTER")]
    pub(super) filter: Option<String>,
    /// Only this event type
    #[arg(long = "type", value_name = "EVENT_TYPE")]
    pub(super) event_type: Option<String>,
    /// Only this object
    #[arg(long, value_name = "ID")]
    pub(super) object: Option<String>,
    /// Only this result: success, fail, skip, reschedule, retry
    #[arg(long)]
    pub(super) result: Option<String>,
}

#[derive(Group)]
pub(super) struct Sandbox {
    /// Port of the MongoDB protocol; 0 for any
    #[arg(long, default_value_t = 27_411, value_name = "N")]
    pub(super) port: u16,
    /// Port of the Data API; 0 for any
    #[arg(long, default_value_t = 27_412, value_name = "N")]
    pub(super) http_port: u16,
    /// Let everybody on this machine in
    #[arg(long)]
    pub(super) no_auth: bool,
    /// Only the Data API, in front of another MongoDB deployment: its connection string, or env:NAME or file:PATH that holds it
    #[arg(long, value_name = "WHERE")]
    pub(super) data_api_for: Option<String>,
}

#[derive(Group)]
pub(super) struct Platform {
    /// Port of the WebSocket hub and the REST API; 0 for any. Otherwise that of the last time, at first 27410
    #[arg(long, value_name = "N")]
    pub(super) port: Option<u16>,
    /// Port of the same over TLS, which the official runner wants for REST; 0 for any. Otherwise that of the last time,
    /// at first 27413
    #[arg(long, value_name = "N")]
    pub(super) tls_port: Option<u16>,
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((path, value)) if !path.is_empty() => Ok((path.to_owned(), value.to_owned())),
        _ => Err("it takes the form PATH=VALUE".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn a_value_may_hold_an_equals_sign() {
        assert_eq!(pair("a.b=c=d"), Ok(("a.b".into(), "c=d".into())));
        assert!(pair("=x").is_err() && pair("x").is_err());
    }
}
