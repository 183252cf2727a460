//! The program `connect-console`: parses the command line and hands over.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// What a task is observed with is made in one thread and let go in another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    connect_console::cli::main(connect_console::workbench::Source::Tutorial)
}
