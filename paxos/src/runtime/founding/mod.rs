//! Founding: how the processes of a new cluster agree, once, on who they are.
//!
//! Acceptors are known by their incarnation, so every process must know the incarnations of all
//! others before it can name one; and all must mean the same by a seat. At the first start of a
//! cluster they agree on a *roster*, the incarnations, and on a *charter*, which the application
//! gives:
//!
//! 1. Each process tells its incarnation and its charter to all others. Processes with different
//!    charters do not listen to each other: both say what differs, and wait.
//! 2. A process that heard all of them votes for the roster that it collected, or for the roster that
//!    another one voted for, if that has its own incarnation. It votes once; the vote is durable
//!    before anybody hears of it.
//! 3. A process that heard every process of its roster vote for it knows that the cluster is founded,
//!    and makes that durable. From then on it needs nobody: not now, and not after a restart.
//! 4. A process that hears from another one that the cluster is founded adopts that roster, if it has
//!    its own incarnation.
//!
//! *Agreement*: a founded roster was voted for by every incarnation in it, and an incarnation votes
//! once; so two founded rosters have no incarnation in common. A vote is durable together with the
//! charter of its process, which is never started with another one afterwards; so all incarnations of
//! a founded roster have the same charter, for ever. *Amnesia*: a process whose disk was
//! wiped has another incarnation, meets a roster or a vote without it, and stops with an error that
//! says what to do. This needs every process of the cluster at its first start, and never again.

mod charter;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

pub use self::charter::Charter;
use self::rules::{Founding, FoundingError};
use super::data_dir::{DataDir, Identity};
use super::tcp::hello::{self, Answer, Hello, Purpose};
use super::tcp::{Directory, Listener};
use crate::actor::Incarnation;
use crate::wire::{Decode, Encode};

/// How often each process that is not yet heard is called.
const CALL_INTERVAL: Duration = Duration::from_millis(100);

/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// The processes of a cluster by name, each with the incarnation that founded it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Roster(pub BTreeMap<String, Incarnation>);

impl Roster {
    /// Whether the process called `name` is in it with `incarnation`.
    pub fn has(&self, name: &str, incarnation: Incarnation) -> bool {
        self.0.get(name) == Some(&incarnation)
    }
}

/// What a node has durably said about the founding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub(in crate::runtime) struct Ballot {
    /// The one roster that it voted for. Never changes once it is there.
    pub(in crate::runtime) vote: Option<Roster>,
    /// Whether it knows that all processes voted for that roster. Monotone.
    pub(in crate::runtime) founded: bool,
}

/// Agrees with all processes of `directory` on the roster of the cluster and on `charter`; returns at
/// once if this process knows already that they do. Call it before the transport is started, on the
/// same listener.
///
/// *Durable* on return: that the cluster is founded, with this roster and this charter. It waits for
/// as long as a process is missing, or has another charter.
///
/// *Errors*: this process or another one lost its data directory since it voted; this process voted
/// with another charter; processes have different directories; the data directory cannot be written
/// to.
pub async fn found(
    data_dir: &mut DataDir,
    charter: &Charter,
    directory: &Directory,
    listener: &Listener,
) -> io::Result<Roster> {
    let own = data_dir.identity().clone();
    data_dir.check_charter(charter)?;
    directory.require(&own.node)?;
    let names = directory.processes().map(|process| (process.name.clone(), own.incarnation));
    hello::check_length_of(&own, charter, Roster(names.collect()))?;
    let mut others: BTreeSet<_> = directory.processes().map(|known| known.name.clone()).collect();
    others.remove(&own.node);
    let mut founding = Founding::new(&own, others, data_dir.ballot().clone());
    let mut calls = Calls::new(own, charter.clone());
    let mut tick = interval(CALL_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        while founding.step().map_err(|error| refusal(&error))? {
            data_dir.set_ballot(&founding.ballot, charter)?;
        }
        if let Some(roster) = data_dir.roster() {
            tracing::info!(processes = roster.0.len(), "the cluster is founded");
            return Ok(roster.clone());
        }
        // Only what is durable is told.
        let ballot = data_dir.ballot().clone();
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => calls.answer(stream, ballot),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections; trying again");
                    tick.tick().await;
                }
            },
            Some(heard) = calls.running.join_next() => {
                if let Ok(call) = heard {
                    calls.note(call, &mut founding);
                }
            }
            _ = tick.tick() => {
                for name in founding.others.clone() {
                    if let Some(process) = directory.process(&name) {
                        calls.dial(name, process.address.clone(), ballot.clone());
                    }
                }
            }
        }
    }
}

/// The same for processes of one program, which open all their data directories themselves.
///
/// *Durable* on return: in each directory, that the cluster is founded with all of them.
///
/// *Errors*: a directory was wiped or exchanged since the cluster was founded, or it was founded with
/// another charter; a directory cannot be written to.
pub fn found_together(data_dirs: &mut [DataDir], charter: &Charter) -> io::Result<Roster> {
    let incarnations = data_dirs.iter().map(|dir| (dir.node().to_owned(), dir.incarnation()));
    let roster = Roster(incarnations.collect());
    for data_dir in &*data_dirs {
        data_dir.check_charter(charter)?;
        let Some(vote) = &data_dir.ballot().vote else { continue };
        let other = roster.0.iter().find(|(name, incarnation)| !vote.has(name, **incarnation));
        if let Some((wiped, _)) = other {
            let (peer, wiped) = (data_dir.node().to_owned(), wiped.clone());
            return Err(refusal(&FoundingError::Wiped { peer, wiped }));
        }
        if *vote != roster {
            let (me, peer) = (data_dir.node().to_owned(), data_dir.node().to_owned());
            return Err(refusal(&FoundingError::OtherProcesses { me, peer }));
        }
    }
    let ballot = Ballot { vote: Some(roster.clone()), founded: true };
    for data_dir in data_dirs.iter_mut().filter(|data_dir| data_dir.ballot() != &ballot) {
        data_dir.set_ballot(&ballot, charter)?;
    }
    Ok(roster)
}

/// One exchange of hellos that has ended.
struct Call {
    /// Whom this process dialled; `None` if it was called.
    dialled: Option<String>,
    outcome: io::Result<Hello>,
}

/// The exchanges of hellos that are going on.
struct Calls {
    own: Identity,
    charter: Charter,
    running: JoinSet<Call>,
    /// Processes that are being dialled now.
    dialled: BTreeSet<String>,
    /// The last trouble with each, so that it is told once.
    reported: BTreeMap<String, String>,
}

impl Calls {
    fn new(own: Identity, charter: Charter) -> Self {
        Self {
            own,
            charter,
            running: JoinSet::new(),
            dialled: BTreeSet::new(),
            reported: BTreeMap::new(),
        }
    }

    fn hello(&self, ballot: Ballot) -> Hello {
        let (identity, charter) = (self.own.clone(), self.charter.clone());
        Hello { identity, purpose: Purpose::Found, charter, ballot }
    }

    fn dial(&mut self, name: String, address: String, ballot: Ballot) {
        if !self.dialled.insert(name.clone()) {
            return;
        }
        let own = self.hello(ballot);
        self.running.spawn(async move {
            let exchange = async {
                let mut stream = TcpStream::connect(&address).await?;
                hello::call(&mut stream, &own, &name).await
            };
            let outcome = match timeout(CALL_TIMEOUT, exchange).await {
                Ok(outcome) => outcome,
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
            };
            let named =
                |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
            Call { dialled: Some(name), outcome: outcome.map_err(named) }
        });
    }

    fn answer(&mut self, mut stream: TcpStream, ballot: Ballot) {
        let own = self.hello(ballot);
        self.running.spawn(async move {
            let exchange = async {
                let peer: Hello = hello::read(&mut stream).await?;
                if let Purpose::Ask | Purpose::Join(_) | Purpose::Inquire = peer.purpose {
                    hello::write(&mut stream, &Answer::NotYet(own)).await?;
                    let text = "a process asks for a cluster that is not founded yet";
                    return Err(io::Error::new(io::ErrorKind::WouldBlock, text));
                }
                if let Err(reason) = hello::check_cluster(&own, &peer) {
                    hello::write(&mut stream, &Answer::Refused(reason.clone())).await?;
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
                }
                let is_running = peer.purpose == Purpose::Run;
                let answer = if is_running { Answer::NotYet } else { Answer::Welcome };
                hello::write(&mut stream, &answer(own)).await?;
                Ok(peer)
            };
            Call { dialled: None, outcome: exchange.await }
        });
    }

    fn note(&mut self, call: Call, founding: &mut Founding) {
        if let Some(name) = &call.dialled {
            self.dialled.remove(name);
        }
        match call.outcome {
            Ok(peer) => {
                let Identity { node, incarnation, .. } = peer.identity;
                founding.hear(&node, incarnation, peer.ballot);
            }
            Err(error) => {
                let peer = call.dialled.unwrap_or_else(|| "a caller".into());
                let text = error.to_string();
                if self.reported.insert(peer.clone(), text.clone()).as_ref() != Some(&text) {
                    tracing::info!(
                        peer,
                        error = text,
                        "the cluster is not founded yet: all processes must be up once; calling again"
                    );
                }
            }
        }
    }
}

fn refusal(error: &FoundingError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_of_one_program_are_founded_with_all_their_directories() {
        let root = tempfile::tempdir().unwrap();
        let open = || {
            ["n1", "n2"].map(|name| DataDir::open(root.path().join(name), "demo", name).unwrap())
        };
        let charter = Charter([("roles".to_owned(), "all".to_owned())].into());
        let roster = found_together(&mut open(), &charter).unwrap();
        assert_eq!(found_together(&mut open(), &charter).unwrap(), roster);
        let error = found_together(&mut open(), &Charter::default()).unwrap_err().to_string();
        assert!(error.contains("roles: founded as \"all\", now nothing"), "{error}");
        std::fs::remove_dir_all(root.path().join("n2")).unwrap();
        let error = found_together(&mut open(), &charter).unwrap_err().to_string();
        assert!(error.contains("another data directory of \"n2\""), "{error}");
    }

    #[test]
    fn an_interrupted_founding_of_one_program_is_finished() {
        let root = tempfile::tempdir().unwrap();
        let open = |name| DataDir::open(root.path().join(name), "demo", name).unwrap();
        let (mut one, two) = (open("n1"), open("n2"));
        let incarnations = [&one, &two].map(|dir| (dir.node().to_owned(), dir.incarnation()));
        let roster = Roster(incarnations.into());
        let ballot = Ballot { vote: Some(roster.clone()), founded: true };
        one.set_ballot(&ballot, &Charter::default()).unwrap();
        let mut both = [one, two];
        assert_eq!(found_together(&mut both, &Charter::default()).unwrap(), roster);
        assert_eq!(both[1].roster(), Some(&roster));
    }
}
