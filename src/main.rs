//! The program `connect-console`: parses the command line and hands over.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    connect_console::cli::main(connect_console::workbench::Source::Tutorial)
}
