//! Joining: how a process becomes a member of a cluster that others have founded.
//!
//! ```text
//!   joiner                                  any member
//!     │ Ask                                    │
//!     ├───────────────────────────────────────►│
//!     │            Welcome(cluster, charter)   │
//!     │◄───────────────────────────────────────┤
//!     │  draws its incarnation                 │
//!     │ Join(announcement)                     │
//!     ├───────────────────────────────────────►│ shown to operators as one that wants to join
//!     │                              Waiting   │
//!     │◄───────────────────────────────────────┤
//!     │ Join(announcement)    …                │ an operator admits it: a configuration has it
//!     ├───────────────────────────────────────►│
//!     │                    Admitted(members)   │
//!     │◄───────────────────────────────────────┤
//!     │  durable, then it starts               │
//! ```
//!
//! The incarnation is drawn before anybody is told it, and only an operator makes it count: so a node
//! that lost its disk joins as a stranger, whatever its name is, and votes for nobody until the others
//! have agreed, in a configuration, that its former self is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::data_dir::{DataDir, Identity};
use super::founding::{Ballot, Charter, Roster};
use super::tcp::Listener;
use super::tcp::hello::{self, Answer, Hello, Purpose};
use crate::actor::Incarnation;

/// How often the members are called.
const CALL_INTERVAL: Duration = Duration::from_millis(200);

/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// A member of a cluster.
#[derive(Debug)]
pub struct Joined {
    /// Its directory, which knows the cluster's charter and members.
    pub data_dir: DataDir,
    /// Whether it was a member before.
    pub was_member: bool,
}

/// Becomes a member of the cluster that the processes at `seeds` (`host:port`) belong to, under `name`
/// and with the directory at `path`; returns at once if it is one already. Waits for as long as no
/// operator admits it.
///
/// `announcement` is what operators are shown of it; `addresses` finds more members in what the
/// application of one says of all, so that all learn of this one.
///
/// *Durable* on return: the charter of the cluster, and what the application of a member says of the
/// members.
///
/// *Errors*: a seed is of another cluster than the directory; the cluster has a process of that name
/// that runs; the directory belongs to another node, was retired, or cannot be written to.
pub async fn join(
    path: PathBuf,
    name: &str,
    seeds: &[String],
    announcement: Vec<u8>,
    listener: &Listener,
    addresses: impl Fn(&[u8]) -> Vec<String>,
) -> io::Result<Joined> {
    let (mut data_dir, was_member) = directory(path, name, seeds).await?;
    if was_member {
        return Ok(Joined { data_dir, was_member });
    }
    let own = Hello {
        identity: data_dir.identity().clone(),
        purpose: Purpose::Join(announcement),
        charter: Charter::default(),
        ballot: Ballot::default(),
    };
    let mut known: BTreeSet<String> = seeds.iter().cloned().collect();
    let mut calls = Calls::default();
    let mut tick = interval(CALL_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // Members dial it as soon as they know it, a little before it knows that itself.
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(put_off(stream, own.clone()));
                }
            }
            _ = tick.tick() => calls.start(&known, &own),
            Some(called) = calls.running.join_next() => {
                let Ok((address, answer)) = called else { continue };
                calls.called.remove(&address);
                match answer {
                    Ok(Answer::Admitted(member, members)) => {
                        data_dir.set_joined(&member.ballot, &member.charter, members)?;
                        tracing::info!(cluster = %member.identity.cluster, "admitted");
                        return Ok(Joined { data_dir, was_member: false });
                    }
                    Ok(Answer::Waiting(_, members)) => {
                        calls.report(&address, "waiting for an operator to admit this node");
                        known.extend(addresses(&members));
                    }
                    Ok(Answer::Refused(reason)) => {
                        let text = format!("{address} refuses this node: {reason}");
                        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
                    }
                    Ok(Answer::Welcome(_) | Answer::NotYet(_)) => {
                        calls.report(&address, "it does not take part in the cluster yet");
                    }
                    Err(error) => calls.report(&address, &error.to_string()),
                }
            }
        }
    }
}

/// The directory of a process that wants to join, and whether it is a member already.
async fn directory(path: PathBuf, name: &str, seeds: &[String]) -> io::Result<(DataDir, bool)> {
    let Some(data_dir) = DataDir::open_existing(&path, name)? else {
        let cluster = ask(seeds, name).await?;
        return Ok((DataDir::open(path, &cluster, name)?, false));
    };
    // One that crashed while it joined knows the roster too, and goes on to join.
    let is_founder = |roster: &Roster| roster.has(name, data_dir.incarnation());
    if data_dir.roster().is_some_and(is_founder) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "{}: this node founded its cluster and needs not join it: start it with the \
                 cluster file",
                path.display()
            ),
        ));
    }
    let was_member = data_dir.members().is_some();
    Ok((data_dir, was_member))
}

/// The calls of a process that wants to join.
#[derive(Default)]
struct Calls {
    running: JoinSet<(String, io::Result<Answer>)>,
    /// Addresses that are being called.
    called: BTreeSet<String>,
    /// What was last told of each, so that it is told once.
    reported: BTreeMap<String, String>,
}

impl Calls {
    fn start(&mut self, addresses: &BTreeSet<String>, own: &Hello) {
        for address in addresses {
            if self.called.insert(address.clone()) {
                let (address, own) = (address.clone(), own.clone());
                self.running.spawn(async move {
                    let answer = call(&address, &own).await;
                    (address, answer)
                });
            }
        }
    }

    fn report(&mut self, address: &str, text: &str) {
        let before = self.reported.insert(address.to_owned(), text.to_owned());
        if before.as_deref() != Some(text) {
            tracing::info!(address, "{text}");
        }
    }
}

/// What a member says when it is asked how things are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The asker is a member. With what the application of the other one knows of all.
    Member(Vec<u8>),
    /// The asker is not a member, as far as the other one knows. With what its application knows.
    Stranger(Vec<u8>),
}

/// Asks the member at `address` (`host:port`) how things are. Whoever has not heard of a leader for long
/// does so: the cluster may have moved on without it.
///
/// *Errors*: it does not answer, or is of another cluster.
pub async fn inquire(identity: &Identity, address: &str) -> io::Result<News> {
    let (charter, ballot) = (Charter::default(), Ballot::default());
    let identity = identity.clone();
    let own = Hello { identity, purpose: Purpose::Inquire, charter, ballot };
    match call(address, &own).await? {
        Answer::Admitted(_, members) => Ok(News::Member(members)),
        Answer::Waiting(_, members) => Ok(News::Stranger(members)),
        Answer::Welcome(_) | Answer::NotYet(_) => {
            Err(io::Error::new(io::ErrorKind::NotConnected, "it does not run yet"))
        }
        Answer::Refused(reason) => Err(io::Error::new(io::ErrorKind::PermissionDenied, reason)),
    }
}

/// The name of the cluster that the first of `seeds` that answers belongs to.
async fn ask(seeds: &[String], name: &str) -> io::Result<String> {
    let identity =
        Identity { cluster: String::new(), node: name.to_owned(), incarnation: Incarnation(0) };
    let (charter, ballot) = (Charter::default(), Ballot::default());
    let own = Hello { identity, purpose: Purpose::Ask, charter, ballot };
    let mut reported = String::new();
    loop {
        for address in seeds {
            let text = match call(address, &own).await {
                Ok(
                    Answer::Welcome(member)
                    | Answer::NotYet(member)
                    | Answer::Waiting(member, _)
                    | Answer::Admitted(member, _),
                ) => return Ok(member.identity.cluster),
                Ok(Answer::Refused(reason)) => {
                    let text = format!("{address} refuses this node: {reason}");
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
                }
                Err(error) => format!("{address}: {error}"),
            };
            if text != reported {
                tracing::warn!(error = text, "no member answers; trying again");
                reported = text;
            }
        }
        tokio::time::sleep(CALL_INTERVAL).await;
    }
}

async fn call(address: &str, own: &Hello) -> io::Result<Answer> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        hello::write(&mut stream, own).await?;
        hello::read(&mut stream).await
    };
    match timeout(CALL_TIMEOUT, exchange).await {
        Ok(outcome) => outcome,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
    }
}

/// Tells a caller to try again soon.
async fn put_off(mut stream: TcpStream, own: Hello) -> io::Result<()> {
    let _: Hello = hello::read(&mut stream).await?;
    hello::write(&mut stream, &Answer::NotYet(own)).await
}
