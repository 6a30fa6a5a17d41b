//! `simulator`: runs a cluster in a deterministic world, and shows what happened.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
