//! The rules of founding, without disk and network: what to vote for, and when a cluster is founded.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::{Ballot, Roster};
use crate::actor::Incarnation;
use crate::runtime::data_dir::Identity;

/// Why a cluster is not founded, or not with this process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
pub(super) enum FoundingError {
    #[error(
        "the data directory of {me:?} is new, and the cluster was founded with another one: it must \
         not vote in place of the old one; put the old data directory back as it was last; if it \
         is lost, start this process to join with an empty one, and have the cluster replace {me:?} \
         by itself"
    )]
    Forgotten { me: String },
    #[error(
        "{peer:?} voted to found the cluster with another data directory of {wiped:?}, which was \
         wiped or exchanged meanwhile; put that one back, or, if no process serves yet, empty the \
         data directories of all processes and start again"
    )]
    Wiped { peer: String, wiped: String },
    #[error(
        "{peer:?} was started with other processes in its directory than {me:?}; give all processes \
         the same directory, empty their data directories and start again"
    )]
    OtherProcesses { me: String, peer: String },
}

/// The rules, without disk and network.
#[derive(Clone, Debug)]
pub(super) struct Founding {
    me: String,
    incarnation: Incarnation,
    /// All processes but this one.
    pub(super) others: BTreeSet<String>,
    /// What this process said, or is about to say once it is durable.
    pub(super) ballot: Ballot,
    /// The last that each of them said.
    heard: BTreeMap<String, (Incarnation, Ballot)>,
}

impl Founding {
    pub(super) fn new(own: &Identity, others: BTreeSet<String>, ballot: Ballot) -> Self {
        let (me, incarnation) = (own.node.clone(), own.incarnation);
        Self { me, incarnation, others, ballot, heard: BTreeMap::new() }
    }

    /// Takes what `peer` says of itself.
    pub(super) fn hear(&mut self, peer: &str, incarnation: Incarnation, ballot: Ballot) {
        if self.others.contains(peer) {
            self.heard.insert(peer.to_owned(), (incarnation, ballot));
        }
    }

    /// Takes the next step, if there is one: the ballot is then to be made durable before it is told.
    ///
    /// *Errors*: the cluster cannot be founded, or not with this process.
    pub(super) fn step(&mut self) -> Result<bool, FoundingError> {
        if self.ballot.founded {
            return Ok(false);
        }
        if let Some(roster) = self.founded_roster()? {
            self.ballot = Ballot { vote: Some(roster), founded: true };
            return Ok(true);
        }
        let Some(own) = &self.ballot.vote else {
            let Some(vote) = self.choose_vote()? else { return Ok(false) };
            // The other voter may have heard of a wipe that this process has not heard of yet.
            self.heard.retain(|peer, (incarnation, _)| vote.has(peer, *incarnation));
            self.ballot.vote = Some(vote);
            return Ok(true);
        };
        let mut voted_count = 0;
        for (peer, (incarnation, ballot)) in &self.heard {
            if !own.has(peer, *incarnation) {
                return Err(FoundingError::Wiped { peer: self.me.clone(), wiped: peer.clone() });
            }
            match &ballot.vote {
                Some(vote) if vote == own => voted_count += 1,
                Some(vote) => return Err(self.difference(peer, vote, own)),
                None => {}
            }
        }
        self.ballot.founded = voted_count == self.others.len();
        Ok(self.ballot.founded)
    }

    /// A roster that is known to be agreed.
    fn founded_roster(&self) -> Result<Option<Roster>, FoundingError> {
        let mut ballots = self.heard.values().map(|(_, ballot)| ballot);
        match ballots.find_map(|ballot| ballot.vote.as_ref().filter(|_| ballot.founded)) {
            Some(roster) if roster.has(&self.me, self.incarnation) => Ok(Some(roster.clone())),
            Some(_) => Err(FoundingError::Forgotten { me: self.me.clone() }),
            None => Ok(None),
        }
    }

    /// What to vote for, if it is time.
    fn choose_vote(&self) -> Result<Option<Roster>, FoundingError> {
        let mut seen = BTreeMap::from([(self.me.clone(), self.incarnation)]);
        seen.extend(self.heard.iter().map(|(peer, (incarnation, _))| (peer.clone(), *incarnation)));
        let mut votes = self
            .heard
            .iter()
            .filter_map(|(peer, (_, ballot))| ballot.vote.as_ref().map(|vote| (peer, vote)));
        if let Some((peer, vote)) = votes.next() {
            let names = self.others.iter().chain([&self.me]).collect::<BTreeSet<_>>();
            if vote.0.keys().collect::<BTreeSet<_>>() != names {
                let (me, peer) = (self.me.clone(), peer.clone());
                return Err(FoundingError::OtherProcesses { me, peer });
            }
            if !vote.has(&self.me, self.incarnation) {
                let (wiped, peer) = (self.me.clone(), peer.clone());
                return Err(FoundingError::Wiped { peer, wiped });
            }
            return Ok(Some(vote.clone()));
        }
        Ok((seen.len() == self.others.len() + 1).then_some(Roster(seen)))
    }

    /// Why `peer` voted for `vote` and this process for `own`.
    fn difference(&self, peer: &str, vote: &Roster, own: &Roster) -> FoundingError {
        let wiped = own.0.iter().find(|(name, incarnation)| !vote.has(name, **incarnation));
        match wiped {
            Some((name, _)) if vote.0.contains_key(name) => {
                FoundingError::Wiped { peer: peer.to_owned(), wiped: name.clone() }
            }
            _ => FoundingError::OtherProcesses { me: self.me.clone(), peer: peer.to_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes with their disks. A process that is down has lost everything but its ballot.
    struct World {
        names: BTreeSet<String>,
        nodes: BTreeMap<String, Founding>,
        next_incarnation: u64,
    }

    impl World {
        fn new(count: usize) -> Self {
            let names: BTreeSet<_> = (0..count).map(|index| format!("n{index}")).collect();
            let mut world = Self { names, nodes: BTreeMap::new(), next_incarnation: 1 };
            for name in world.names.clone() {
                world.wipe(&name);
            }
            world
        }

        fn begin(&mut self, name: &str, incarnation: Incarnation, ballot: Ballot) {
            let own = Identity { cluster: "c".into(), node: name.into(), incarnation };
            let mut others = self.names.clone();
            others.remove(name);
            self.nodes.insert(name.into(), Founding::new(&own, others, ballot));
        }

        fn wipe(&mut self, name: &str) {
            self.next_incarnation += 1;
            self.begin(name, Incarnation(self.next_incarnation), Ballot::default());
        }

        fn restart(&mut self, name: &str) {
            let old = &self.nodes[name];
            let (incarnation, ballot) = (old.incarnation, old.ballot.clone());
            self.begin(name, incarnation, ballot);
        }

        /// `to` hears `from`, and takes its steps.
        fn tell(&mut self, from: &str, to: &str) -> Result<(), FoundingError> {
            let (incarnation, ballot) =
                (self.nodes[from].incarnation, self.nodes[from].ballot.clone());
            let to = self.nodes.get_mut(to).unwrap();
            to.hear(from, incarnation, ballot);
            while to.step()? {}
            Ok(())
        }

        fn pairs(&self) -> Vec<(String, String)> {
            let pairs = self
                .names
                .iter()
                .flat_map(|from| self.names.iter().map(move |to| (from.clone(), to.clone())));
            pairs.filter(|(from, to)| from != to).collect()
        }

        fn tell_all(&mut self) -> Vec<FoundingError> {
            let pairs = self.pairs();
            pairs.into_iter().filter_map(|(from, to)| self.tell(&from, &to).err()).collect()
        }

        fn founded(&self) -> BTreeSet<Roster> {
            let founded = self.nodes.values().filter(|node| node.ballot.founded);
            founded.filter_map(|node| node.ballot.vote.clone()).collect()
        }

        fn is_founded(&self) -> bool {
            self.nodes.values().all(|node| node.ballot.founded)
        }
    }

    #[test]
    fn one_process_founds_its_cluster_alone() {
        let mut world = World::new(1);
        let node = world.nodes.get_mut("n0").unwrap();
        while node.step().unwrap() {}
        assert!(node.ballot.founded);
    }

    #[test]
    fn five_processes_agree_with_all_incarnations() {
        let mut world = World::new(5);
        for _ in 0..3 {
            assert_eq!(world.tell_all(), []);
        }
        assert!(world.is_founded());
        let rosters = world.founded();
        assert_eq!(rosters.len(), 1);
        for (name, node) in &world.nodes {
            assert!(rosters.iter().all(|roster| roster.has(name, node.incarnation)));
        }
    }

    #[test]
    fn nobody_votes_while_one_is_missing() {
        let mut world = World::new(3);
        for _ in 0..3 {
            world.tell("n0", "n1").unwrap();
            world.tell("n1", "n0").unwrap();
        }
        assert!(world.nodes.values().all(|node| node.ballot == Ballot::default()));
    }

    #[test]
    fn a_restart_at_any_point_changes_nothing() {
        for restarted in 0..3 {
            for point in 0..18 {
                let mut world = World::new(3);
                let pairs = world.pairs();
                for (step, (from, to)) in pairs.iter().cycle().take(30).enumerate() {
                    world.tell(from, to).unwrap();
                    if step == point {
                        world.restart(&format!("n{restarted}"));
                    }
                }
                assert!(world.is_founded(), "restart of n{restarted} at {point}");
                assert_eq!(world.founded().len(), 1);
            }
        }
    }

    #[test]
    fn a_wipe_before_any_vote_is_harmless() {
        let mut world = World::new(3);
        world.tell("n0", "n1").unwrap();
        world.tell("n0", "n2").unwrap();
        world.wipe("n0");
        for _ in 0..3 {
            assert_eq!(world.tell_all(), []);
        }
        assert!(world.is_founded());
    }

    #[test]
    fn a_wipe_at_any_point_never_founds_two_clusters() {
        for point in 0..30 {
            let mut world = World::new(3);
            let pairs = world.pairs();
            let mut errors = Vec::new();
            for (step, (from, to)) in pairs.iter().cycle().take(40).enumerate() {
                errors.extend(world.tell(from, to).err());
                if step == point {
                    world.wipe("n1");
                }
            }
            assert!(world.founded().len() <= 1, "wipe at {point}");
            // Either it was early enough, or the wiped process is told.
            assert!(world.is_founded() || !errors.is_empty(), "wipe at {point}");
            assert!(!world.is_founded() || errors.is_empty(), "wipe at {point}: {errors:?}");
        }
    }

    #[test]
    fn a_wiped_process_of_a_founded_cluster_is_told_what_to_do() {
        let mut world = World::new(3);
        for _ in 0..3 {
            world.tell_all();
        }
        world.wipe("n2");
        let error = world.tell("n0", "n2").unwrap_err();
        assert_eq!(error, FoundingError::Forgotten { me: "n2".into() });
        assert_eq!(world.nodes["n2"].ballot, Ballot::default());
        assert!(error.to_string().contains("start this process to join"));
    }

    #[test]
    fn a_wipe_between_the_votes_is_named() {
        let mut world = World::new(3);
        for (from, to) in [("n1", "n0"), ("n2", "n0")] {
            world.tell(from, to).unwrap();
        }
        assert!(world.nodes["n0"].ballot.vote.is_some());
        world.wipe("n2");
        let wiped = FoundingError::Wiped { peer: "n0".into(), wiped: "n2".into() };
        assert_eq!(world.tell("n0", "n2"), Err(wiped.clone()));
        assert_eq!(world.tell("n2", "n0"), Err(wiped));
    }

    #[test]
    fn different_directories_are_named() {
        let mut world = World::new(3);
        world.names.insert("n9".into());
        world.restart("n1");
        for (from, to) in [("n1", "n0"), ("n2", "n0")] {
            world.tell(from, to).unwrap();
        }
        let error = world.tell("n0", "n1").unwrap_err();
        assert_eq!(error, FoundingError::OtherProcesses { me: "n1".into(), peer: "n0".into() });
    }
}
