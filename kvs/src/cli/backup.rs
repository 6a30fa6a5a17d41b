//! `kvs backup`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use kvs::admin::BackupReport;
use kvs::backup::{Notes, Source, Taking};
use kvs::connection::system_clock_ms;
use paxos::runtime::BackupWriter;
use paxos::slot::Slot;
use paxos::snapshot::Chunk;
use paxos::wire;

use super::operate::{leaderless_table, no_leader};
use super::output::{print, tell, tell_progress};
use super::redis::Connection;
use super::{Found, OPERATION_TIMEOUT, Outcome, Target, told};

/// How often it is told how far the backup is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Copy the state of the cluster into a file, while it serves.
///
/// The file has everything that was acknowledged before the command was given, and is consistent: it is
/// the state after one position of the log, with every time to live. It has checksums, and gets its
/// name when it is complete and on the disk. An existing file is not overwritten. The node that is asked
/// goes on to serve; its log is not compacted meanwhile.
///
/// `kvs restore --from FILE --check` tells what is in it, and `kvs restore` makes a new cluster of it.
#[derive(Args, Debug)]
pub(super) struct Backup {
    #[command(flatten)]
    target: Target,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Backup {
    pub(super) fn run(self) -> Outcome<()> {
        BackupWriter::check(&self.out)?;
        let address = match self.target.status()? {
            Found::Leader { at, .. } | Found::Columns { at, .. } => at,
            Found::NoLeader { leaderless, failures } => {
                leaderless.iter().for_each(|(status, _)| tell(leaderless_table(status)));
                return Err(no_leader(&leaderless, &failures).into());
            }
        };
        let (_, password) = self.target.addresses()?;
        let failed = |failure| told(&[(address, failure)]);
        let mut connection =
            Connection::open(address, password.as_deref(), OPERATION_TIMEOUT).map_err(failed)?;
        let mut call = |command: &[&str]| connection.call(command).map_err(failed);
        let report: BackupReport = serde_json::from_slice(&call(&["KVS.BACKUP"])?)?;
        let BackupReport { node, cluster, value_bytes_max, slot } = report;
        let notes = Notes { value_bytes_max, source: Source::Served(node) };
        let mut taking =
            Taking::create(&self.out, &cluster, Slot(slot), system_clock_ms(), &notes)?;
        let (slot, mut told) = (slot.to_string(), Instant::now());
        while !taking.is_complete() {
            let chunk: Chunk = wire::decode(&call(&["KVS.CHUNK", &slot])?.into())?;
            taking.take(&chunk)?;
            if told.elapsed() >= PROGRESS_INTERVAL {
                told = Instant::now();
                let (counts, bytes) = taking.progress();
                tell_progress(format_args!("{} keys, {bytes} bytes so far", counts.keys));
            }
        }
        let (counts, bytes) = taking.progress();
        let checksum = taking.finish()?.checksum;
        print(format_args!(
            "{} has the state of `{cluster}` after all below slot {slot}: {} keys, {bytes} bytes, \
             checksum {checksum:08x}",
            self.out.display(),
            counts.keys
        ))
    }
}
