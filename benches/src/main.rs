//! `bench`: measures a replicated key-value server, and what others make of the same load.
//!
//! ```text
//!  cli          what is asked for                                       cli/
//!  system       what is measured: started here, or found                system.rs, cluster/
//!  workload     which commands, which keys, when                        workload/
//!  load         sends them and counts                                   load/
//!  machine      what the machine can do, and what processes use         machine/
//!  timeline     what is made to happen meanwhile, and what came of it  timeline/
//!  paper        the experiments of the paper, and its figures           paper/
//!  model        experiments in virtual time, with costs of messages     model/
//!  report       tables, files, plots, comparisons                       report/
//! ```

mod cli;
mod cluster;
mod error;
mod grpc;
mod interrupt;
mod load;
mod machine;
mod model;
mod paper;
mod report;
mod resp;
mod statistics;
mod system;
mod timeline;
mod workload;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody else to tell.
            let _ = writeln!(io::stderr(), "bench: {error}");
            ExitCode::FAILURE
        }
    }
}
