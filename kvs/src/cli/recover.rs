//! `kvs recover`.

use std::path::PathBuf;

use clap::Args;
use kvs::connection::system_clock_ms;
use kvs::recovery::Recovery;
use paxos::runtime::BackupWriter;

use super::Outcome;
use super::output::{Undone, print};

/// Exit code: nothing was written, and nothing that was acknowledged is missing.
const COMPLETE: u8 = 2;

/// Exit code: nothing was written, and something that was acknowledged may be missing.
const INCOMPLETE: u8 = 3;

/// Make a backup of what is left when too few nodes of a cluster are left for it to go on.
///
/// Nodes that can still run are better started: a majority of each role serves again, and nothing is
/// lost. If that is over for good, name the data directories of all nodes that are left, on this machine.
/// None of them may be in use, and none is changed. Without --accept-loss it only tells what is known to be
/// chosen, what may have been, and what may be missing. With it, it writes a backup, which `kvs restore`
/// makes a new cluster of. Never start a node of the old one after that.
///
/// Exit code: 0 if the backup was written; 2 if not, and nothing that was acknowledged is missing; 3 if not,
/// and something may be; 1 on errors.
#[derive(Args, Debug)]
pub(super) struct Recover {
    /// Data directories of nodes of one cluster.
    #[arg(long, value_name = "DIR", required = true, num_args = 1..)]
    from: Vec<PathBuf>,
    /// The backup to write.
    #[arg(long, value_name = "FILE", required_if_eq("accept_loss", "true"))]
    out: Option<PathBuf>,
    /// Write the backup, whatever may be missing in it, and give the old cluster up.
    #[arg(long)]
    accept_loss: bool,
}

impl Recover {
    pub(super) fn run(self) -> Outcome<()> {
        if let Some(out) = &self.out {
            BackupWriter::check(out)?;
        }
        let recovery = Recovery::examine(&self.from)?;
        print(recovery.report())?;
        let Some(out) = self.out.as_ref().filter(|_| self.accept_loss) else {
            let code = if recovery.may_lack() { INCOMPLETE } else { COMPLETE };
            let text = "nothing was written: add --out FILE --accept-loss to make a backup of this and \
                        give the old cluster up";
            return Err(Undone { code, text: text.into() }.into());
        };
        let summary = recovery.write(out, system_clock_ms())?;
        print(format_args!(
            "written       {}: the state after all slots below {}, checksum {:08x}. Make a new cluster of \
             it with `{} restore`, and never start a node of the old one again",
            out.display(),
            recovery.end(),
            summary.checksum,
            super::program()
        ))
    }
}
