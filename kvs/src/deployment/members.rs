//! The processes that take part now: what the cluster file describes at the founding, and what
//! operators make of it later.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use matchmaker::change::Actors;
use matchmaker::leader::{Deployment, LeaderOptions};
use matchmaker::matchmaker::Matchmaker;
use matchmaker::message::{Epoch, Generation};
use matchmaker::node::Node;
use matchmaker::proposer::Proposer;
use paxos::acceptor::Acceptor;
use paxos::actor::{Incarnation, NodeId, Seat};
use paxos::archive::Archive;
use paxos::membership::Membership;
use paxos::replica::{Replica, Surroundings};
use paxos::runtime::{self, Directory};
use paxos::session::Session;
use paxos::state_machine::StateMachine;
use paxos::wire::{self, Decode, Encode, WireError};

use super::node::{ACCEPTOR, Part, SEATS};
use super::{Application, DeploymentError, Role, Settings};

/// A process of a cluster, as all others know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Member {
    /// Unique among the members.
    pub name: String,
    /// Unique among all members that there ever were, apart from one that lost its disk and came
    /// back: its actors sit at the seats that follow from it.
    pub id: u32,
    /// Which memory it has; zero before anybody knows.
    pub incarnation: Incarnation,
    /// Where other processes reach it: `host:port`.
    pub peer: String,
    /// Where Redis clients reach it. A replica has it.
    pub client: Option<String>,
    /// Its roles.
    pub roles: BTreeSet<Role>,
    /// The names of the acceptors that it hosts. Their order is a part of who they are.
    pub acceptors: Vec<String>,
    /// Whether it only finishes what its clients have begun, and is no member after that.
    pub is_leaving: bool,
}

/// All processes of a cluster. A configuration carries them as its directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Members {
    by_name: BTreeMap<String, Member>,
    /// The largest id that was ever given.
    id_max: u32,
    /// Counts the changes since the founding. Until the first one, addresses may be changed in the
    /// cluster file as well.
    changes: u64,
}

impl Member {
    fn identity(&self, place: u32) -> NodeId {
        NodeId::new(Seat(self.id * SEATS + place), self.incarnation)
    }

    fn of_role(&self, role: Role, place: u32) -> Option<NodeId> {
        self.roles.contains(&role).then(|| self.identity(place))
    }

    /// Its proposer, if it has one.
    pub fn proposer(&self) -> Option<NodeId> {
        self.of_role(Role::Proposer, Role::Proposer as u32)
    }

    /// Its matchmaker. Every process has one; the role says that it serves from the founding on.
    pub fn matchmaker(&self) -> NodeId {
        self.identity(Role::Matchmaker as u32)
    }

    /// Its dependency node. Every process that runs BPaxos has one; the role says that it serves from the
    /// founding on.
    pub fn dependency_node(&self) -> NodeId {
        self.identity(Role::Dependency as u32)
    }

    /// The archive beside its replica, if it has one.
    pub fn archive(&self) -> Option<NodeId> {
        self.of_role(Role::Replica, Part::Archive as u32)
    }

    pub(super) fn replica(&self) -> Option<NodeId> {
        self.of_role(Role::Replica, Role::Replica as u32)
    }

    pub(super) fn session(&self) -> Option<NodeId> {
        self.of_role(Role::Replica, Part::Session as u32)
    }

    /// Its acceptors, by name, in their order.
    pub fn acceptors(&self) -> impl Iterator<Item = (&str, NodeId)> {
        let names = self.acceptors.iter().map(String::as_str);
        names.zip((ACCEPTOR..).map(|place| self.identity(place)))
    }

    /// The application of the process, and the session that it uses. A process without a replica has
    /// none at that identity, and can still operate the cluster.
    pub fn application(&self) -> Application {
        let [node, session] = [Part::Application, Part::Session].map(|part| part as u32);
        let replica = self.identity(Role::Replica as u32);
        Application { node: self.identity(node), session: self.identity(session), replica }
    }

    /// All seats that actors and the application of this process may have.
    pub fn seats(&self) -> impl Iterator<Item = Seat> + use<> {
        let first = self.id * SEATS;
        (first..first + SEATS).map(Seat)
    }

    /// Its actors.
    pub fn actors(&self) -> Actors {
        Actors {
            application: Some(self.application().node),
            proposer: self.proposer(),
            matchmaker: Some(self.matchmaker()),
            replica: self.replica(),
            session: self.session(),
            archive: self.archive(),
            acceptors: self.acceptors().map(|(_, node)| node).collect(),
        }
    }

    /// Its roles and acceptors, for operators.
    pub fn plays(&self) -> String {
        let roles: Vec<String> = self.roles.iter().map(ToString::to_string).collect();
        let acceptors = format!("acceptors {}", self.acceptors.join(", "));
        match (roles.is_empty(), self.acceptors.is_empty()) {
            (_, true) => roles.join(", "),
            (true, false) => acceptors,
            (false, false) => format!("{}; {acceptors}", roles.join(", ")),
        }
    }
}

impl Members {
    /// These processes.
    pub fn new(members: impl IntoIterator<Item = Member>) -> Self {
        let by_name: BTreeMap<String, Member> =
            members.into_iter().map(|member| (member.name.clone(), member)).collect();
        let id_max = by_name.values().map(|member| member.id).max().unwrap_or(0);
        Self { by_name, id_max, changes: 0 }
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = &Member> {
        self.by_name.values()
    }

    /// The process called `name`.
    ///
    /// *Errors*: there is none; the text lists those there are.
    pub fn member(&self, name: &str) -> Result<&Member, DeploymentError> {
        self.by_name.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
            DeploymentError(format!("there is no node `{name}`; there are {}", names.join(", ")))
        })
    }

    /// How often they were changed since the founding.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The id that the next process gets.
    pub fn next_id(&self) -> u32 {
        self.id_max.saturating_add(1)
    }

    /// These and `member`, in the place of one with its name.
    pub fn with(mut self, member: Member) -> Self {
        self.id_max = self.id_max.max(member.id);
        let is_new = self.by_name.get(&member.name) != Some(&member);
        self.by_name.insert(member.name.clone(), member);
        self.changes += u64::from(is_new);
        self
    }

    /// These, of which the one called `name` is about to leave.
    pub fn with_leaving(mut self, name: &str) -> Self {
        if let Some(member) = self.by_name.get_mut(name).filter(|member| !member.is_leaving) {
            member.is_leaving = true;
            self.changes += 1;
        }
        self
    }

    /// These without the one called `name`.
    pub fn without(mut self, name: &str) -> Self {
        let is_gone = self.by_name.remove(name).is_some();
        self.changes += u64::from(is_gone);
        self
    }

    /// What a configuration carries.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self).to_vec()
    }

    /// What a configuration carries, read back.
    ///
    /// *Errors*: it was written by another version of this program, or by another one.
    pub fn decode(directory: &[u8]) -> Result<Self, WireError> {
        wire::decode(&directory.to_vec().into())
    }

    /// Everyone's part but that of acceptors and matchmakers. The archives of the processes called
    /// `joining` do not count yet.
    pub fn membership(&self, joining: &BTreeSet<String>) -> Membership {
        let is_joining = |member: &&Member| joining.contains(&member.name);
        let every = |part: fn(&Member) -> Option<NodeId>| -> BTreeSet<NodeId> {
            self.all().filter_map(part).collect()
        };
        Membership {
            proposers: every(Member::proposer),
            replicas: every(Member::replica),
            archives: self.all().filter(|m| !is_joining(m)).filter_map(Member::archive).collect(),
            joining: self.all().filter(is_joining).filter_map(Member::archive).collect(),
            sessions: every(Member::session),
            applications: self.all().map(|member| member.application().node).collect(),
            acceptors: self.acceptors().into_values().collect(),
            matchmakers: self.all().map(Member::matchmaker).collect(),
            directory: self.encode(),
        }
    }

    /// Where the processes are, for the network between them.
    ///
    /// *Errors*: none for members that were checked when they were admitted.
    pub fn directory(&self) -> io::Result<Directory> {
        Directory::new(self.all().map(|member| runtime::Process {
            name: member.name.clone(),
            address: member.peer.clone(),
            seats: member.seats().collect(),
            incarnation: Some(member.incarnation).filter(|incarnation| incarnation.0 != 0),
        }))
    }

    /// The matchmakers of a cluster that these have founded.
    pub fn founders(&self) -> Generation {
        let founders = self.all().filter(|member| member.roles.contains(&Role::Matchmaker));
        Generation { epoch: Epoch(0), members: founders.map(Member::matchmaker).collect() }
    }

    /// Who every acceptor is, by name.
    pub fn acceptors(&self) -> BTreeMap<String, NodeId> {
        let all = self.all().flat_map(Member::acceptors);
        all.map(|(name, node)| (name.to_owned(), node)).collect()
    }

    /// Every actor that an operator may hear of, with a name for each: that of an acceptor, or of the
    /// process.
    pub fn names(&self) -> BTreeMap<NodeId, String> {
        let acceptors = self.acceptors().into_iter().map(|(name, node)| (node, name));
        let others = self.all().flat_map(|member| {
            let actors = member.actors();
            let actors = [
                actors.proposer,
                actors.matchmaker,
                actors.replica,
                actors.archive,
                Some(member.dependency_node()),
            ];
            actors.into_iter().flatten().map(|node| (node, member.name.clone()))
        });
        acceptors.chain(others).collect()
    }

    /// The archives of all replicas, with the names of their processes.
    pub fn replicas(&self) -> BTreeMap<NodeId, String> {
        self.all().filter_map(|member| Some((member.archive()?, member.name.clone()))).collect()
    }

    /// The actors of the process called `name`, ready to run, with a state machine from `machine` if it is a
    /// replica. They begin with what `deployment` says of the others; its matchmaker serves from the
    /// start if it is one of `founders`, and else waits until it is activated.
    ///
    /// *Errors*: there is no such process.
    pub fn start<S: StateMachine>(
        &self,
        name: &str,
        deployment: &Deployment,
        founders: Option<&Generation>,
        settings: &Settings,
        machine: impl FnOnce() -> S,
    ) -> Result<Vec<(NodeId, Node<S>)>, DeploymentError> {
        let member = self.member(name)?;
        let Settings { timing, storage, healing } = settings;
        let mut actors = Vec::new();
        if let Some(node) = member.proposer() {
            let election = timing.election();
            let leader = LeaderOptions { healing: healing.leader(), ..timing.leader() };
            let proposer = Proposer::new(node, deployment.clone(), election, leader);
            actors.push((node, Node::Proposer(Box::new(proposer))));
        }
        let node = member.matchmaker();
        let matchmaker = match founders.filter(|founders| founders.members.contains(&node)) {
            Some(founders) => Matchmaker::new(founders.clone()),
            None => Matchmaker::pending(),
        };
        actors.push((node, Node::Matchmaker(Box::new(matchmaker))));
        for (_, node) in member.acceptors() {
            actors.push((node, Node::Acceptor(Acceptor::new())));
        }
        if let (Some(replica), Some(archive), Some(session)) =
            (member.replica(), member.archive(), member.session())
        {
            let membership = deployment.initial.membership();
            let peers = membership.archives.iter().copied().filter(|peer| *peer != archive);
            let surroundings = Surroundings { archive, session, peers: peers.collect() };
            let application = member.application().node;
            let served = Session::new(session, replica, application, timing.session());
            let snapshots = storage.snapshots();
            let executing = Replica::new(surroundings, machine(), snapshots.clone());
            actors.push((replica, Node::Replica(Box::new(executing))));
            actors.push((archive, Node::Archive(Archive::new(replica, snapshots))));
            actors.push((session, Node::Session(Box::new(served))));
        }
        Ok(actors)
    }
}

#[cfg(test)]
mod tests {
    use paxos::runtime::Roster;
    use paxos::slot::Slot;

    use super::*;
    use crate::deployment::ClusterFile;

    fn file() -> ClusterFile {
        ClusterFile::on_loopback("test", 3, 6, 6380).expect("a possible cluster")
    }

    fn members() -> Members {
        let file = file();
        let names = file.nodes.iter().map(|node| (node.name.clone(), Incarnation(7)));
        file.members(&Roster(names.collect()))
    }

    #[test]
    fn every_actor_has_a_seat_of_its_own() {
        let (file, members) = (file(), members());
        let deployment = file.deployment(&members, Slot::ZERO).expect("complete");
        let mut seen = BTreeSet::new();
        for member in members.all() {
            let actors = members
                .start(
                    &member.name,
                    &deployment,
                    None,
                    &file.settings(),
                    crate::store::Store::default,
                )
                .expect("a member");
            assert_eq!(actors.len(), 7);
            let seats: Vec<Seat> = member.seats().collect();
            for (id, _) in actors {
                assert!(seen.insert(id.seat) && seats.contains(&id.seat));
                assert_eq!(id.incarnation, Incarnation(7));
            }
        }
        assert_eq!(deployment.initial.members().len(), 3);
        assert_eq!(deployment.initial.membership().archives.len(), 3);
    }

    #[test]
    fn members_travel_in_a_directory() {
        let members = members();
        assert_eq!(Members::decode(&members.encode()), Ok(members.clone()));
        assert!(Members::decode(&members.encode()[1..]).is_err());
        let membership = members.membership(&["n3".to_owned()].into());
        assert_eq!((membership.archives.len(), membership.joining.len()), (2, 1));
        assert_eq!(membership.replicas.len(), 3);
    }

    #[test]
    fn an_id_is_never_given_twice() {
        let members = members();
        let mut joiner = members.member("n1").expect("a member").clone();
        (joiner.name, joiner.id) = ("n4".into(), members.next_id());
        assert_eq!(joiner.id, 4);
        let members = members.with(joiner).without("n4");
        assert_eq!(members.next_id(), 5);
        assert!(members.member("n4").is_err());
    }
}
