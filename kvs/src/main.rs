//! The `kvs` program.

mod cli;

use std::io::{IsTerminal, Write};

use clap::Parser;
use tracing_subscriber::EnvFilter;

fn main() -> std::process::ExitCode {
    let arguments = cli::Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A log that nobody reads any more is no reason to panic.
    log.log_internal_errors(false).with_ansi(std::io::stderr().is_terminal()).init();
    match arguments.run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) if error.is::<cli::OutputClosed>() => std::process::ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "kvs: {error}");
            match error.downcast_ref::<cli::Undone>() {
                Some(undone) => std::process::ExitCode::from(undone.code),
                None => std::process::ExitCode::FAILURE,
            }
        }
    }
}
