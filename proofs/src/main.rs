//! `proofs`: the models, explored.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
