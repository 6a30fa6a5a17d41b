//! `bench compare`.

use std::path::PathBuf;

use clap::Args;

use super::output::print;
use crate::error::Outcome;
use crate::report::{Report, compare};

/// Show two results side by side, with the ratio of the second to the first.
///
/// Only loads that both files have are shown. Example:
///
///   bench load --clients 1,64 --json before.json
///   bench load --clients 1,64 --json after.json
///   bench compare before.json after.json
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct CompareCommand {
    /// What a measurement wrote with --json.
    #[arg(value_name = "A")]
    first: PathBuf,
    /// What another one wrote.
    #[arg(value_name = "B")]
    second: PathBuf,
}

impl CompareCommand {
    pub(super) fn run(self) -> Outcome<()> {
        let [first, second] = [Report::read(&self.first)?, Report::read(&self.second)?];
        print(compare(&first, &second)?)
    }
}
