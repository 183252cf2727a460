//! `completions` and `man`: what a shell and its user know of the command line, made from its one definition.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::CliError;
use super::args::Args;

const NAME: &str = "connect-console";

/// `completions SHELL`
pub(super) fn completions(shell: Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), NAME, &mut script);
    print(&script)
}

/// `man [--to DIR]`: the page of the program, or one for each command.
pub(super) fn man(to: Option<&Path>) -> Result<(), CliError> {
    // `help` has no pages of its own.
    let mut command = Args::command().name(NAME).disable_help_subcommand(true);
    // Names the pages of the commands after the program.
    command.build();
    match to {
        Some(dir) => {
            let failed = |e: std::io::Error| CliError::usage(format!("{} can't be written to: {e}", dir.display()));
            std::fs::create_dir_all(dir).map_err(failed)?;
            clap_mangen::generate_to(command, dir).map_err(failed)
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            print(&page)
        }
    }
}

fn print(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}
