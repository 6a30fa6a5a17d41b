//! What a process knows of its cluster: who takes part, in which configuration, and who leads.
//!
//! A leader shows itself to the application of every process, with its configuration. What is newest
//! is kept here; whoever must follow it waits for changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use matchmaker::leader::Deployment;
use matchmaker::message::{Epoch, Generation, Healing, HealingProgress, Heartbeat, Part};
use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::membership::Membership;
use paxos::round::Round;
use paxos::slot::Slot;
use paxos::wire::{self, WireError};
use tokio::sync::watch;

use crate::deployment::Members;

/// What the leader said last that was new, and what it says of the members.
#[derive(Clone, Debug)]
pub struct Known {
    heartbeat: Heartbeat,
    /// The processes that take part.
    pub members: Arc<Members>,
}

impl Known {
    /// The newest configuration that was heard of.
    pub fn configuration(&self) -> &Configuration {
        &self.heartbeat.configuration
    }

    /// The matchmakers that the leader knows.
    pub fn matchmakers(&self) -> &Generation {
        &self.heartbeat.matchmakers
    }

    /// Whether nobody else is needed: all earlier configurations are collected.
    pub fn is_collected(&self) -> bool {
        self.heartbeat.is_collected
    }

    /// What a process needs to know to take part, as it is kept and as it travels.
    pub fn encode(&self) -> Vec<u8> {
        let mut heartbeat = self.heartbeat.clone();
        let membership = Membership::clone(heartbeat.configuration.membership());
        let directory = self.members.encode();
        heartbeat.configuration =
            heartbeat.configuration.with_membership(Membership { directory, ..membership });
        wire::encode(&heartbeat).to_vec()
    }

    /// *Errors*: it was written by another version of this program, or by another one.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let heartbeat: Heartbeat = wire::decode(&bytes.to_vec().into())?;
        let members = Members::decode(&heartbeat.configuration.membership().directory)?;
        Ok(Self { heartbeat, members: Arc::new(members) })
    }

    /// Whether `other` was said later.
    pub fn is_older_than(&self, other: &Self) -> bool {
        rank(&self.heartbeat) < rank(&other.heartbeat)
    }

    /// What actors start with, in a cluster whose log begins at `first`.
    pub fn deployment(&self, first: Slot) -> Deployment {
        let Generation { epoch, members } = self.heartbeat.matchmakers.clone();
        let initial = self.heartbeat.configuration.clone();
        Deployment { epoch, matchmakers: members, initial, first }
    }
}

/// What a process knows of its cluster. Clones share it.
#[derive(Clone, Debug)]
pub struct Outlook {
    known: watch::Sender<Arc<Known>>,
    /// The last sign of life of a leader.
    last_leader: Arc<Mutex<Option<(Round, Instant)>>>,
    /// When the leader last began to replace a member by itself.
    healing_began: Arc<Mutex<Option<Instant>>>,
}

impl Outlook {
    /// What is known at the start.
    pub(crate) fn new(deployment: Deployment, members: Members) -> Self {
        let Deployment { epoch, matchmakers, initial, .. } = deployment;
        let matchmakers = Generation { epoch, members: matchmakers };
        let (round, configuration, is_collected) = (Round::ZERO, initial, false);
        let heartbeat = Heartbeat { round, configuration, matchmakers, is_collected };
        let known = Known { heartbeat, members: Arc::new(members) };
        let (known, _) = watch::channel(Arc::new(known));
        Self { known, last_leader: Arc::default(), healing_began: Arc::default() }
    }

    /// What is known now.
    pub fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.borrow())
    }

    /// Changes of what is known, from now on.
    pub fn changes(&self) -> watch::Receiver<Arc<Known>> {
        self.known.subscribe()
    }

    /// What operators call `node`.
    pub(crate) fn name(&self, node: NodeId) -> String {
        let mut names = self.known().members.names();
        names.remove(&node).unwrap_or_else(|| node.to_string())
    }

    /// The same for several.
    pub(crate) fn all_named<'a>(&self, nodes: impl IntoIterator<Item = &'a NodeId>) -> Vec<String> {
        nodes.into_iter().map(|node| self.name(*node)).collect()
    }

    /// The round of the leader, and how long ago it was heard.
    pub(crate) fn last_leader(&self) -> Option<(Round, Duration)> {
        lock(&self.last_leader).map(|(round, heard)| (round, heard.elapsed()))
    }

    /// Adopts what another process knows, if that is newer.
    pub(crate) fn adopt(&self, known: Known) {
        if self.known().is_older_than(&known) {
            self.known.send_replace(Arc::new(known));
        }
    }

    /// Notes in the log that the leader replaces a member by itself.
    pub(crate) fn watch_healing(&self, m: Healing) {
        let names = self.known().members.names();
        let name = |node| names.get(&node).cloned().unwrap_or_else(|| node.to_string());
        let (member, spare, silent_ms) = (name(m.member), name(m.spare), m.suspect_after_ms);
        let role = match m.part {
            Part::Acceptor => "acceptor",
            Part::Matchmaker => "matchmaker",
        };
        let mut began = lock(&self.healing_began);
        match m.progress {
            HealingProgress::Began => {
                *began = Some(Instant::now());
                tracing::warn!(role, %member, %spare, silent_ms, "a member is silent: a spare takes its place");
            }
            HealingProgress::Finished => {
                let after_ms = began.take().map_or(0.0, |at| at.elapsed().as_secs_f64() * 1e3);
                tracing::info!(role, %member, %spare, after_ms, "a spare has taken the place of a member");
            }
            HealingProgress::Failed => {
                tracing::warn!(role, %member, %spare, "a spare could not take the place of a member");
            }
        }
    }

    /// Hears a leader. One that was deposed and does not know it is not noted.
    pub(crate) fn hear(&self, m: Heartbeat) {
        {
            let mut last = lock(&self.last_leader);
            if last.is_some_and(|(round, _)| round > m.round) {
                return;
            }
            *last = Some((m.round, Instant::now()));
        }
        let known = self.known();
        if rank(&m) <= rank(&known.heartbeat) {
            return;
        }
        let is_same =
            m.configuration.membership().directory == known.configuration().membership().directory;
        let members = if is_same {
            Arc::clone(&known.members)
        } else {
            match Members::decode(&m.configuration.membership().directory) {
                // Nothing has changed since the founding but, perhaps, addresses in the cluster file.
                Ok(members) if members.changes() == 0 && known.members.changes() == 0 => {
                    Arc::clone(&known.members)
                }
                Ok(members) => Arc::new(members),
                Err(error) => {
                    tracing::warn!(%error, round = %m.round, "the leader names its members unreadably");
                    return;
                }
            }
        };
        self.known.send_replace(Arc::new(Known { heartbeat: m, members }));
    }
}

/// A later leader may begin with an earlier configuration, and moves on at once: until then the newer
/// one is good.
fn rank(m: &Heartbeat) -> (u64, Round, bool, Epoch) {
    (m.configuration.version(), m.round, m.is_collected, m.matchmakers.epoch)
}

/// A panic of another holder leaves a whole value: it is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use paxos::actor::{Incarnation, Seat};
    use paxos::quorum::QuorumSystem;
    use paxos::runtime::Roster;

    use super::*;
    use crate::deployment::ClusterFile;

    const OWNER: NodeId = NodeId::new(Seat(64), Incarnation(1));

    fn members(count: u16) -> Members {
        let file = ClusterFile::on_loopback("test", count, 3, 6380).expect("possible");
        let names = file.nodes.iter().map(|node| (node.name.clone(), Incarnation(1)));
        file.members(&Roster(names.collect()))
    }

    fn configuration(version: u64, members: &Members) -> Configuration {
        let configuration = Configuration::new(version, QuorumSystem::Majority, [OWNER]);
        let membership = members.membership(&BTreeSet::new());
        configuration.expect("a member").with_membership(membership)
    }

    #[test]
    fn the_newest_configuration_of_the_highest_leader_is_known() {
        let few = members(3);
        let mut fourth = few.member("n3").expect("a member").clone();
        (fourth.name, fourth.id) = ("n4".into(), few.next_id());
        let many = few.clone().with(fourth);
        let matchmakers = Generation { epoch: Epoch(0), members: few.founders().members };
        let deployment = Deployment {
            epoch: matchmakers.epoch,
            matchmakers: matchmakers.members.clone(),
            initial: configuration(1, &few),
            first: Slot::ZERO,
        };
        let outlook = Outlook::new(deployment, few.clone());
        assert_eq!(outlook.last_leader(), None);
        let round = |number| Round { number, owner: OWNER, step: 0 };
        let hear = |number, version, members: &Members| {
            let configuration = configuration(version, members);
            let (round, matchmakers) = (round(number), matchmakers.clone());
            outlook.hear(Heartbeat { round, configuration, matchmakers, is_collected: true });
            let known = outlook.known();
            assert_eq!(Known::decode(&known.encode()).unwrap().heartbeat, known.heartbeat);
            (known.configuration().version(), known.members.all().count())
        };
        assert_eq!(hear(1, 1, &few), (1, 3));
        assert_eq!(hear(3, 2, &many), (2, 4));
        assert_eq!(hear(2, 3, &few), (2, 4), "a leader that was deposed");
        assert_eq!(outlook.last_leader().map(|(round, _)| round.number), Some(3));
    }
}
