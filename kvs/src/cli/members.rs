//! `kvs add`, `replace`, `remove`, `move`, `transfer-leadership` and `drain`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Args;
use kvs::admin::ChangeReport;

use super::output::print;
use super::redis::Failure;
use super::{Found, Outcome, Target};

/// A change that has made no step for this long is given up; it may be taken up again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pause after a node could not be asked.
const PAUSE: Duration = Duration::from_millis(300);

/// Admit a node that wants to join: its replica catches up, and then counts.
///
/// Its acceptors are spares until `kvs reconfigure` or `kvs replace` uses them, its matchmaker until it
/// takes the place of another one. Safe to run again, and to stop at any time.
#[derive(Args, Debug)]
pub(super) struct Add {
    /// The node, as it was started with `kvs serve --join`.
    #[arg(value_name = "NODE")]
    name: String,
    #[command(flatten)]
    how: How,
}

/// Have one node take the place of another one, in all its roles, while the cluster serves.
///
/// The new one must run and want to join (`kvs serve --join`), or be a member already. It is admitted and
/// catches up; leadership and matchmakers are handed over; acceptors and replicas are switched; and when
/// nothing of the old one is needed any more, it stops by itself and its directory may be deleted. A
/// node that lost its disk takes its own place: `kvs replace n2 n2`. Safe to run again, and to stop at
/// any time.
#[derive(Args, Debug)]
pub(super) struct Replace {
    /// The node that goes.
    #[arg(value_name = "OLD")]
    old: String,
    /// The node that comes.
    #[arg(value_name = "NEW")]
    new: String,
    #[command(flatten)]
    how: How,
}

/// Remove a node for which nobody comes. Refused if the rest would survive no failure.
#[derive(Args, Debug)]
pub(super) struct Remove {
    /// The node that goes.
    #[arg(value_name = "NODE")]
    name: String,
    #[command(flatten)]
    how: How,
}

/// Tell the cluster that a node listens for other nodes at another address.
#[derive(Args, Debug)]
pub(super) struct Move {
    /// The node. Start it with `--peer ADDRESS` afterwards.
    #[arg(value_name = "NODE")]
    name: String,
    /// Its new address for other nodes.
    #[arg(long)]
    address: SocketAddr,
    #[command(flatten)]
    how: How,
}

/// Have another node lead. Commands wait for two round trips.
#[derive(Args, Debug)]
pub(super) struct Transfer {
    /// The node that shall lead.
    #[arg(value_name = "NODE")]
    name: String,
    #[command(flatten)]
    how: How,
}

/// Hand the leadership on, if the node at `--at` has it, so that it can be stopped without a gap. A node
/// that is told to stop (Ctrl-C, SIGTERM) does so by itself.
#[derive(Args, Debug)]
pub(super) struct Drain {
    #[command(flatten)]
    how: How,
}

#[derive(Args, Debug)]
struct How {
    #[command(flatten)]
    target: Target,
    /// Print JSON, one line for each step, instead of sentences.
    #[arg(long)]
    json: bool,
}

impl Add {
    pub(super) fn run(self) -> Outcome<()> {
        self.how.change(&["KVS.ADD", &self.name])
    }
}

impl Replace {
    pub(super) fn run(self) -> Outcome<()> {
        self.how.change(&["KVS.REPLACE", &self.old, &self.new])
    }
}

impl Remove {
    pub(super) fn run(self) -> Outcome<()> {
        self.how.change(&["KVS.REMOVE", &self.name])
    }
}

impl Move {
    pub(super) fn run(self) -> Outcome<()> {
        self.how.change(&["KVS.MOVE", &self.name, &self.address.to_string()])
    }
}

impl Transfer {
    pub(super) fn run(self) -> Outcome<()> {
        self.how.change(&["KVS.TRANSFER", &self.name])
    }
}

impl Drain {
    pub(super) fn run(self) -> Outcome<()> {
        let (addresses, _) = self.how.target.addresses()?;
        let [address] = addresses[..] else {
            return Err("name the node to drain by its address: --at".into());
        };
        let text = self.how.target.call_at(address, &["KVS.DRAIN"])?;
        self.how.show(&text, &mut String::new()).map(|_| ())
    }
}

impl How {
    /// Takes one step after the other until the change is done, whichever node answers.
    fn change(mut self, command: &[&str]) -> Outcome<()> {
        let mut shown = String::new();
        let mut moved = Instant::now();
        loop {
            match self.step(command)? {
                Ok(text) => {
                    let before = shown.clone();
                    if self.show(&text, &mut shown)? {
                        return Ok(());
                    }
                    if shown != before {
                        moved = Instant::now();
                    }
                }
                Err(trouble) if moved.elapsed() > PATIENCE => {
                    return Err(format!(
                        "{trouble}; the change is not done: run the same command again to go on"
                    )
                    .into());
                }
                Err(_) => std::thread::sleep(PAUSE),
            }
            if moved.elapsed() > 4 * PATIENCE {
                return Err(format!(
                    "nothing has moved for long; last: {shown}; run the same command again to go on"
                )
                .into());
            }
        }
    }

    /// One step, by a node that a leader answers.
    ///
    /// *Errors*: the change is not possible. Inside: nobody could be asked now.
    fn step(&mut self, command: &[&str]) -> Outcome<Result<String, String>> {
        let at = match self.target.status()? {
            Found::Leader { at, status, .. } => {
                self.target.learn(&status);
                at
            }
            Found::Columns { at, .. } => at,
            Found::NoLeader { .. } => return Ok(Err("no leader answers".into())),
        };
        match self.target.ask_at(at, command)? {
            Ok(text) => Ok(Ok(text)),
            Err(Failure::Refused(reason)) if !reason.starts_with("CLUSTERDOWN") => {
                Err(reason.into())
            }
            Err(Failure::Refused(reason) | Failure::Silent(reason)) => Ok(Err(reason)),
        }
    }

    /// Shows a step, unless it was shown last. Whether all is done.
    fn show(&self, text: &str, shown: &mut String) -> Outcome<bool> {
        let report: ChangeReport = serde_json::from_str(text)?;
        let line = match self.json {
            true => text.to_owned(),
            false => format!("{:<13} {}", report.step, report.text),
        };
        if *shown != line {
            print(&line)?;
            *shown = line;
        }
        Ok(report.is_done)
    }
}
