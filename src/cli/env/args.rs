use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use crate::workbench::Form;

#[derive(Subcommand)]
pub(in crate::cli) enum Env {
    /// All variables with their states
    List {
        /// As this delivery had them, and what became of them since
        #[arg(long, value_name = "ID", conflicts_with = "reveal")]
        delivery: Option<i64>,
        /// Show the values of secure ones
        #[arg(long)]
        reveal: bool,
    },
    /// Stage values; NAME alone reads the value from the terminal without echo, or from stdin
    Set {
        /// NAME=VALUE or NAME
        #[arg(required_unless_present = "sandbox", value_name = "NAME[=VALUE]")]
        variables: Vec<String>,
        /// Those of the documentation's example as well, pointed at the sandbox: DATA_API_ENDPOINT, API_KEY, DB_HOST, DB_USER,
        /// DB_PASSWORD
        #[arg(long)]
        sandbox: bool,
        /// They are secrets
        #[arg(long)]
        secure: bool,
        /// Apply at once
        #[arg(long)]
        apply: bool,
    },
    /// Stage deletions
    Unset {
        /// Names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Apply at once
        #[arg(long)]
        apply: bool,
    },
    /// Forget staged changes: these, or all
    Unstage {
        /// Names
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// What applying would change
    Diff,
    /// Store what is staged and push it to the running extension
    Apply,
    /// Edit all variables in $VISUAL or $EDITOR; what is saved is staged
    Edit {
        /// Apply at once
        #[arg(long)]
        apply: bool,
    },
    /// Stage what a file has: .env, JSON, .connect-deployment.yml or .xlsx; what it does not name stays as it is
    Import {
        /// The file; `-` for stdin
        file: PathBuf,
        /// How it is written, where its name does not tell
        #[arg(long, value_enum)]
        format: Option<Format>,
        /// Apply at once
        #[arg(long)]
        apply: bool,
    },
    /// Write the stored variables as a file; the values of secrets are withheld
    Export {
        /// The file, which must not exist yet; stdout without one
        file: Option<PathBuf>,
        /// How to write it, where its name does not tell
        #[arg(long, value_enum)]
        format: Option<Format>,
        /// With the values of secrets
        #[arg(long)]
        reveal: bool,
    },
    /// Every set of variables that was applied: when, who, and what changed
    History,
    /// Stage what makes the variables what they were after a change
    Rollback {
        /// Its number, as `env history` shows it
        number: u64,
        /// Apply at once
        #[arg(long)]
        apply: bool,
    },
}

/// Forms of files with variables, as they are named on the command line.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    Env,
    Json,
    Deployment,
    Xlsx,
}

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        match format {
            Format::Env => Self::DotEnv,
            Format::Json => Self::Json,
            Format::Deployment => Self::Deployment,
            Format::Xlsx => Self::Workbook,
        }
    }
}
