//! How one process takes the place of another, whatever roles they have: what to do next.
//!
//! ```text
//!   admit       everyone learns of the new process; its replica catches up, and counts for nothing yet
//!   catch up    until it holds nearly all that the others hold
//!   hand on     if the old process leads
//!   hand over   if the old process has a matchmaker: other matchmakers
//!   switch      one configuration: acceptors, proposers and archives; the old process only follows
//!   collect     until nothing of the earlier configurations is needed
//!   leave       the old process finishes what its clients have begun, and may be deleted
//! ```
//!
//! The next step follows from the status alone. So whoever drives a change may die, and anyone may
//! take it up; to ask twice is to look twice; and two changes at once each find what the other has
//! done, because each step is refused if the configuration is not the one that it was made from.

use std::collections::{BTreeMap, BTreeSet};

use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::membership::Membership;
use paxos::message::ArchivedB;
use paxos::quorum::QuorumSystem;
use paxos::slot::Slot;

use crate::message::{Change, StatusB};

/// An archive that lacks no more slots than this has caught up: the leader still has them.
const LAG_MAX: u64 = 2048;

/// The actors of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actors {
    /// Its application.
    pub application: Option<NodeId>,
    /// Its proposer.
    pub proposer: Option<NodeId>,
    /// Its matchmaker.
    pub matchmaker: Option<NodeId>,
    /// Its replica, and the session and the archive beside it.
    pub replica: Option<NodeId>,
    /// The session beside its replica.
    pub session: Option<NodeId>,
    /// The archive beside its replica.
    pub archive: Option<NodeId>,
    /// Its acceptors; the first ones vote.
    pub acceptors: Vec<NodeId>,
}

/// A change: a process comes, a process goes, or one comes for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The process that comes.
    pub add: Actors,
    /// The process that goes. Its acceptors that vote, and its matchmaker, are replaced by those of the
    /// one that comes.
    pub remove: Actors,
    /// The directory while both take part.
    pub directory_between: Vec<u8>,
    /// The directory while the one that goes only follows.
    pub directory_leaving: Vec<u8>,
    /// The directory in the end.
    pub directory_after: Vec<u8>,
}

/// What a configuration is for, on the way of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Everyone learns of the process that comes.
    Admit,
    /// All roles are as they shall be.
    Switch,
    /// The process that went is forgotten. Better not before its clients are gone.
    Leave,
}

/// What to do next.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and most are the large one")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Have the leader move to these acceptors and this membership.
    Reconfigure {
        /// What for.
        stage: Stage,
        /// The quorums of the acceptors.
        system: QuorumSystem,
        /// The acceptors.
        members: BTreeSet<NodeId>,
        /// Everyone else.
        change: Change,
    },
    /// Wait until the replica that comes has caught up.
    CatchUp {
        /// How far it is; exclusive.
        persisted_watermark: Slot,
        /// How far a majority of the others is; exclusive.
        required_watermark: Slot,
        /// Parts of a snapshot that it has written down meanwhile.
        chunk_count: u64,
    },
    /// Have the leader hand on to this proposer.
    Transfer(NodeId),
    /// Have the matchmakers hand over to these.
    Handover(BTreeSet<NodeId>),
    /// Wait until the earlier configurations are collected.
    Collect,
    /// All is done: the process that went is not needed any more.
    Done,
}

impl Exchange {
    /// What to do next, in a cluster of that status.
    pub fn next_step(&self, status: &StatusB) -> Step {
        let present = &status.configuration;
        let membership = present.membership();
        if !self.is_admitted(membership) {
            let members = present.members().iter().copied().collect();
            let between = self.between(membership);
            return self.reconfigure(Stage::Admit, present, members, between);
        }
        if let Some(step) = self.catch_up(membership, &status.archives, status.persisted_watermark)
        {
            return step;
        }
        let matchmakers = self.matchmakers(&status.matchmakers);
        if matchmakers != status.matchmakers {
            return Step::Handover(matchmakers);
        }
        let (members, after) = (self.acceptors(present), self.after(membership));
        let is_switched = present.members().iter().eq(&members)
            && (&membership.archives, &membership.joining) == (&after.archives, &after.joining)
            && membership.proposers == after.proposers;
        if !is_switched && self.remove.proposer == Some(status.round.owner) {
            let mut others = membership.proposers.iter();
            let other = others.find(|node| Some(**node) != self.remove.proposer).copied();
            let heir = self.add.proposer.filter(|node| membership.proposers.contains(node));
            if let Some(heir) = heir.or(other) {
                return Step::Transfer(heir);
            }
        }
        if !is_switched {
            let leaving = self.leaving(membership, after);
            return self.reconfigure(Stage::Switch, present, members, leaving);
        }
        match (status.history_count, **membership == after) {
            (0, false) => self.reconfigure(Stage::Leave, present, members, after),
            (0, true) => Step::Done,
            (_, _) => Step::Collect,
        }
    }

    fn reconfigure(
        &self,
        stage: Stage,
        present: &Configuration,
        members: BTreeSet<NodeId>,
        membership: Membership,
    ) -> Step {
        let change = Change { seen: present.version(), membership };
        Step::Reconfigure { stage, system: present.system(), members, change }
    }

    /// Whether everyone was told of the process that comes.
    fn is_admitted(&self, membership: &Membership) -> bool {
        let is_known = |node: Option<NodeId>, known: &BTreeSet<NodeId>| {
            node.is_none_or(|node| known.contains(&node))
        };
        is_known(self.add.application, &membership.applications)
            && is_known(self.add.replica, &membership.replicas)
            && is_known(self.add.proposer, &membership.proposers)
    }

    /// The present membership and the process that comes; its archive does not count yet.
    fn both(&self, present: &Membership) -> Membership {
        let mut both = present.clone();
        both.proposers.extend(self.add.proposer);
        both.replicas.extend(self.add.replica);
        both.sessions.extend(self.add.session);
        both.applications.extend(self.add.application);
        both
    }

    /// The membership while the process that comes catches up.
    fn between(&self, present: &Membership) -> Membership {
        let mut between = self.both(present);
        between.joining.extend(self.add.archive.filter(|node| !present.archives.contains(node)));
        between.directory.clone_from(&self.directory_between);
        between
    }

    /// The membership in the end.
    fn after(&self, present: &Membership) -> Membership {
        let Actors { application, proposer, matchmaker, replica, session, archive, acceptors } =
            &self.remove;
        let mut after = self.both(present);
        let gone = [
            (&mut after.applications, application),
            (&mut after.proposers, proposer),
            (&mut after.replicas, replica),
            (&mut after.sessions, session),
            (&mut after.archives, archive),
        ];
        for (set, node) in gone {
            node.as_ref().map(|node| set.remove(node));
        }
        if let Some(archive) = self.add.archive {
            after.joining.remove(&archive);
            after.archives.insert(archive);
        }
        after.joining.retain(|node| Some(*node) != self.remove.archive);
        after.acceptors.retain(|node| !acceptors.contains(node));
        after.acceptors.extend(&self.add.acceptors);
        after.matchmakers.retain(|node| Some(*node) != *matchmaker);
        after.matchmakers.extend(self.add.matchmaker);
        after.directory.clone_from(&self.directory_after);
        after
    }

    /// The membership after the switch: the one that goes executes and answers on.
    fn leaving(&self, present: &Membership, after: Membership) -> Membership {
        let Actors { application, replica, session, .. } = &self.remove;
        let mut leaving = after;
        let stays = [
            (&mut leaving.applications, &present.applications, application),
            (&mut leaving.replicas, &present.replicas, replica),
            (&mut leaving.sessions, &present.sessions, session),
        ];
        let mut is_leaving = false;
        for (set, present, node) in stays {
            for node in node.iter().filter(|node| present.contains(node)) {
                set.insert(*node);
                is_leaving = true;
            }
        }
        if is_leaving {
            leaving.directory.clone_from(&self.directory_leaving);
        }
        leaving
    }

    fn catch_up(
        &self,
        membership: &Membership,
        archives: &BTreeMap<NodeId, ArchivedB>,
        required_watermark: Slot,
    ) -> Option<Step> {
        let archive = self.add.archive.filter(|node| membership.joining.contains(node))?;
        let known = archives.get(&archive);
        let persisted_watermark = known.map_or(Slot::ZERO, |known| known.persisted_watermark);
        let is_near = persisted_watermark.0.saturating_add(LAG_MAX) >= required_watermark.0;
        let has_caught_up = known.is_some() && is_near;
        let chunk_count = known.map_or(0, |known| known.chunk_count);
        let step = Step::CatchUp { persisted_watermark, required_watermark, chunk_count };
        (!has_caught_up).then_some(step)
    }

    /// The matchmakers in the end.
    fn matchmakers(&self, present: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
        let mut matchmakers = present.clone();
        if self.remove.matchmaker.is_some_and(|node| matchmakers.remove(&node)) {
            matchmakers.extend(self.add.matchmaker);
        }
        matchmakers
    }

    /// The acceptors in the end.
    fn acceptors(&self, present: &Configuration) -> BTreeSet<NodeId> {
        let (gone, kept): (Vec<NodeId>, Vec<NodeId>) =
            present.members().iter().partition(|node| self.remove.acceptors.contains(node));
        let new = self.add.acceptors.iter().filter(|node| !kept.contains(node));
        kept.iter().chain(new.take(gone.len())).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use paxos::actor::{Incarnation, Seat};
    use paxos::round::Round;

    use super::*;
    use crate::message::{Epoch, HealingStatus};

    /// A node of process `process`.
    fn node(process: u32, place: u32) -> NodeId {
        NodeId::new(Seat(process * 10 + place), Incarnation(1))
    }

    fn actors(process: u32) -> Actors {
        Actors {
            application: Some(node(process, 0)),
            proposer: Some(node(process, 1)),
            matchmaker: Some(node(process, 2)),
            replica: Some(node(process, 3)),
            session: Some(node(process, 4)),
            archive: Some(node(process, 5)),
            acceptors: vec![node(process, 6), node(process, 7)],
        }
    }

    fn every(processes: [u32; 3], place: u32) -> BTreeSet<NodeId> {
        processes.into_iter().map(|process| node(process, place)).collect()
    }

    fn archived(watermark: Slot) -> ArchivedB {
        ArchivedB {
            persisted_watermark: watermark,
            executed_watermark: watermark,
            base: Slot::ZERO,
            chunk_count: 0,
        }
    }

    /// A cluster of these processes, of which the first leads.
    fn status(processes: [u32; 3]) -> StatusB {
        let membership = Membership {
            applications: every(processes, 0),
            proposers: every(processes, 1),
            replicas: every(processes, 3),
            sessions: every(processes, 4),
            archives: every(processes, 5),
            acceptors: &every(processes, 6) | &every(processes, 7),
            matchmakers: every(processes, 2),
            ..Membership::default()
        };
        let archived = archived(Slot(9000));
        let configuration = Configuration::new(1, QuorumSystem::Majority, every(processes, 6));
        StatusB {
            token: 0,
            round: Round { number: 1, owner: node(processes[0], 1), step: 0 },
            configuration: configuration.expect("three").with_membership(membership),
            epoch: Epoch(0),
            matchmakers: every(processes, 2),
            chosen_watermark: Slot(9000),
            persisted_watermark: Slot(9000),
            collected_watermark: Round::ZERO,
            history_count: 0,
            archives: every(processes, 5)
                .into_iter()
                .map(|node| (node, archived.clone()))
                .collect(),
            quarantined: BTreeMap::new(),
            disputed_at: None,
            healing: HealingStatus::default(),
        }
    }

    fn exchange(add: Actors, remove: Actors) -> Exchange {
        let [directory_between, directory_leaving, directory_after] =
            ["between", "leaving", "after"].map(|text| text.as_bytes().to_vec());
        Exchange { add, remove, directory_between, directory_leaving, directory_after }
    }

    /// What a cluster makes of a step, in a word.
    fn take(step: Step, status: &mut StatusB) -> &'static str {
        match step {
            Step::Reconfigure { stage, system, members, change } => {
                let version = status.configuration.version();
                assert_eq!(change.seen, version, "made from the present configuration");
                let next = Configuration::new(version + 1, system, members);
                status.configuration = next.expect("members").with_membership(change.membership);
                status.history_count = 1;
                match stage {
                    Stage::Admit => "admit",
                    Stage::Switch => "switch",
                    Stage::Leave => "leave",
                }
            }
            Step::CatchUp { required_watermark, .. } => {
                let caught = archived(required_watermark);
                let joining = status.configuration.membership().joining.clone();
                status.archives.extend(joining.into_iter().map(|node| (node, caught.clone())));
                "catch up"
            }
            Step::Transfer(to) => {
                status.round.owner = to;
                "transfer"
            }
            Step::Handover(matchmakers) => {
                status.matchmakers = matchmakers;
                "hand over"
            }
            Step::Collect => {
                status.history_count = 0;
                "collect"
            }
            Step::Done => "done",
        }
    }

    fn steps(exchange: &Exchange, status: &mut StatusB) -> Vec<&'static str> {
        let mut steps = Vec::new();
        while steps.last() != Some(&"done") {
            steps.push(take(exchange.next_step(status), status));
            assert!(steps.len() < 20, "{steps:?}");
        }
        steps
    }

    fn expected(processes: [u32; 3], status: &StatusB) {
        let (one, other) = (&status.configuration, super::tests::status(processes).configuration);
        assert_eq!(one.members(), other.members());
        let directory = one.membership().directory.clone();
        let membership = Membership { directory, ..Membership::clone(other.membership()) };
        assert_eq!(**one.membership(), membership);
        assert_eq!(status.matchmakers, every(processes, 2));
    }

    #[test]
    fn a_process_that_leads_is_replaced_in_all_its_roles() {
        let mut status = status([1, 2, 3]);
        let exchange = exchange(actors(4), actors(1));
        let all = ["admit", "catch up", "hand over", "transfer", "switch", "collect", "leave"];
        let taken = steps(&exchange, &mut status);
        assert_eq!(taken[..7], all);
        assert_eq!(taken[7..], ["collect", "done"]);
        expected([2, 3, 4], &status);
        assert_eq!(steps(&exchange, &mut status), ["done"], "asked twice");
    }

    #[test]
    fn two_changes_at_once_both_happen() {
        let mut status = status([1, 2, 3]);
        let (one, other) = (exchange(actors(4), actors(1)), exchange(actors(5), actors(2)));
        for _ in 0..20 {
            for exchange in [&one, &other] {
                take(exchange.next_step(&status), &mut status);
            }
        }
        // The directories stay those of whoever came last: their drivers make them from the status.
        expected([3, 4, 5], &status);
    }

    #[test]
    fn a_step_from_an_old_status_names_the_version_that_it_saw() {
        let mut status = status([1, 2, 3]);
        let exchange = exchange(actors(4), Actors::default());
        let Step::Reconfigure { change, .. } = exchange.next_step(&status) else { panic!("admit") };
        assert_eq!(change.seen, 1);
        assert_eq!(
            steps(&exchange, &mut status),
            ["admit", "catch up", "switch", "collect", "done"]
        );
        let membership = status.configuration.membership();
        assert_eq!((membership.archives.len(), membership.joining.len()), (4, 0));
        assert_eq!(status.configuration.members().len(), 3, "its acceptors are spares");
    }

    #[test]
    fn a_process_that_goes_alone_leaves_the_others() {
        let mut status = status([1, 2, 3]);
        let exchange = exchange(Actors::default(), actors(3));
        assert_eq!(
            steps(&exchange, &mut status),
            ["hand over", "switch", "collect", "leave", "collect", "done"]
        );
        assert_eq!(status.configuration.members(), [node(1, 6), node(2, 6)]);
        assert_eq!(status.matchmakers.len(), 2);
    }
}
