//! The processes of a world, and how one starts.

use matchmaker::leader::Deployment;
use matchmaker::matchmaker::Matchmaker;
use matchmaker::message::StatusB;
use matchmaker::node::{Node, NodeRecord};
use matchmaker::proposer::Proposer;
use paxos::acceptor::Acceptor;
use paxos::actor::Actor;
use paxos::archive::Archive;
use paxos::replica::{Replica, Surroundings};
use paxos::session::Session;
use paxos::slot::Slot;

use super::disk::{Loaded, Refusal};
use super::process::{Outbox, Process, Seated, Status};
use super::{Place, Places, Plan, Role, Verdict, Workload, World};
use crate::coverage::Situation;
use crate::mutation::Mutation;
use crate::properties;
use crate::random::{Purpose, Random};
use crate::trace::Kind;
use crate::workload::Observed;

/// All processes, down, with empty disks.
pub(super) fn processes<S>(
    plan: &Plan,
    places: &Places,
    mutation: Option<Mutation>,
) -> Vec<Process<S>>
where
    S: paxos::state_machine::StateMachine + Clone + std::fmt::Debug + Eq + std::hash::Hash,
{
    let process = |index: usize| {
        let random = Random::stream(plan.seed, (Purpose::Process, index as u64));
        let clock = (plan.clocks[index], plan.compact_above_bytes);
        let mut process = Process::new(places, index, clock, random);
        process.is_forgetful = mutation == Some(Mutation::ForgetAtOnce);
        process.is_hasty = mutation == Some(Mutation::SendBeforeSync);
        process.disk.mutation = mutation;
        process
    };
    (0..places.process_count()).map(process).collect()
}

impl<W: Workload> World<W> {
    /// A process has lost its disk, and starts as another one, that learns of the cluster from `status`.
    pub(super) fn renew_process(&mut self, index: usize, status: StatusB) {
        let before = &self.processes[index];
        let (life, random) = (before.life + 1, before.random.clone());
        let clock = (self.plan.clocks[index], self.plan.compact_above_bytes);
        let mut process = Process::new(&self.places, index, clock, random);
        process.life = life;
        process.is_forgetful = self.mutation == Some(Mutation::ForgetAtOnce);
        process.is_hasty = self.mutation == Some(Mutation::SendBeforeSync);
        process.disk.mutation = self.mutation;
        if self.steps.is_some() {
            process.watch();
        }
        self.processes[index] = process;
        let StatusB { epoch, matchmakers, configuration: initial, .. } = status;
        self.charters[index] = Deployment { epoch, matchmakers, initial, first: self.first };
        self.folds[index] = self.actors(index);
    }
}

impl<W: Workload> World<W> {
    /// New actors of a process, by place. They remember nothing.
    pub(super) fn actors(&self, index: usize) -> Vec<Seated<W::Machine>> {
        let roles = self.places.roles(index).iter().enumerate();
        roles.map(|(place, role)| self.actor(Place { process: index, place }, *role)).collect()
    }

    fn actor(&self, at: Place, role: Role) -> Seated<W::Machine> {
        let node = self.places.node(at);
        let beside = |role| {
            self.places.in_process(at.process, role).expect("replica, archive and session are one")
        };
        let options = &self.plan.options;
        match role {
            Role::Proposer => Node::Proposer(Box::new(Proposer::new(
                node,
                self.charters[at.process].clone(),
                options.election.clone(),
                options.leader.clone(),
            ))),
            Role::Matchmaker => {
                let founders = self.places.founders();
                let is_founder = founders.members.contains(&node);
                let matchmaker =
                    if is_founder { Matchmaker::new(founders) } else { Matchmaker::pending() };
                Node::Matchmaker(Box::new(matchmaker))
            }
            Role::Acceptor => Node::Acceptor(Acceptor::with_options(options.acceptor.clone())),
            Role::Replica => {
                let archive = beside(Role::Archive);
                let others = self.charters[at.process].initial.membership().archives.iter();
                let peers = others.copied().filter(|other| *other != archive).collect();
                let surroundings = Surroundings { archive, session: beside(Role::Session), peers };
                let mut machine = Observed::new(self.workload.machine());
                machine.is_doubling = self.mutation == Some(Mutation::ExecuteTwice)
                    && self.processes[at.process].life > 0;
                let options = options.snapshots.clone();
                Node::Replica(Box::new(Replica::new(surroundings, machine, options)))
            }
            Role::Archive => {
                Node::Archive(Archive::new(beside(Role::Replica), options.snapshots.clone()))
            }
            Role::Session => Node::Session(Box::new(Session::new(
                node,
                beside(Role::Replica),
                self.places.application(at.process),
                options.session.clone(),
            ))),
        }
    }

    /// A process starts with what its disk kept, unless it runs or is lost.
    pub(super) fn start(&mut self, index: usize) -> Verdict {
        if self.processes[index].status != Status::Down {
            return Ok(());
        }
        let disk = &mut self.processes[index].disk;
        let durable_count = disk.durable_count();
        let loaded = match disk.load() {
            Ok(loaded) => loaded,
            Err(refusal) => return self.refuse(index, refusal),
        };
        let found = loaded.records.len() as u64;
        let name = format!("p{index}");
        properties::check_refusal(&name, !self.processes[index].disk.is_corrupt())?;
        self.unless_watched(properties::check_restart(&name, durable_count, found))?;
        self.note(Some(index), Kind::Start, "starts");
        self.observe_load(&loaded);
        let survivors = loaded.records[loaded.records.len() - loaded.survivors..].to_vec();
        self.tell_survivors(index, &survivors);
        self.judge_records(index, survivors)?;
        self.seen[index] = 0;
        let (actors, mut out) = (self.actors(index), Outbox::default());
        let loaded = self.mutate_load(loaded);
        self.processes[index].restore(actors, loaded);
        for actor in &self.processes[index].actors {
            let refusal = actor.check_restored().err().map(|error| error.to_string());
            properties::check_left(&name, refusal)?;
        }
        let verdict = self.check_restored(index);
        self.unless_watched(verdict)?;
        self.processes[index].begin(self.now, &mut out);
        self.settle(index, &mut out)?;
        self.schedule(index);
        Ok(())
    }

    fn refuse(&mut self, index: usize, Refusal(cause): Refusal) -> Verdict {
        let is_corrupt = self.processes[index].disk.is_corrupt();
        let text = format!("refuses to start: {cause}");
        self.note(Some(index), Kind::Fault, text.clone());
        self.processes[index].status = Status::Lost(cause);
        if !is_corrupt {
            let detail = format!("p{index} {text}, and nothing had harmed its log");
            return properties::violated("refusal", detail);
        }
        self.summary.coverage.meet(Situation::DamageRefused);
        Ok(())
    }

    fn observe_load(&mut self, loaded: &Loaded) {
        if loaded.torn_bytes > 0 {
            self.summary.coverage.meet(Situation::TornTailCut);
        }
        if loaded.survivors > 0 {
            self.summary.coverage.meet(Situation::UnsyncedRecordsSurvived);
        }
    }

    /// What a process would forget if it had the bug of this run.
    fn mutate_load(&self, mut loaded: Loaded) -> Loaded {
        let Some(mutation) = self.mutation else { return loaded };
        loaded.records.retain(|(_, record): &(usize, NodeRecord)| !mutation.forgets(record));
        loaded
    }

    /// What was restored is what is true, and can be restored once more.
    fn check_restored(&mut self, index: usize) -> Verdict {
        let copies = self.actors(index);
        for ((place, actor), copy) in self.processes[index].actors.iter().enumerate().zip(copies) {
            let node = self.places.node(Place { process: index, place });
            if let Node::Acceptor(acceptor) = actor {
                self.ghost.check_restored(node, acceptor.promised())?;
            }
            self.ghost.check_remembered(node, &actor.checkpoint(), kept(actor))?;
            let (name, fold) = (self.places.name(node), &self.folds[index][place]);
            let is_whole = !matches!(actor, Node::Archive(_));
            properties::check_checkpoint(&name, actor, copy, is_whole)?;
            match (actor, fold) {
                // A replica has no records.
                (Node::Replica(_), _) => {}
                (Node::Archive(archive), Node::Archive(fold)) => {
                    properties::check_archive_fold(&name, archive, fold)?;
                }
                _ => properties::check_fold(&name, actor, fold)?,
            }
        }
        Ok(())
    }

    /// What is left of a log that was compacted makes the same actors.
    pub(super) fn check_left(&self, index: usize) -> Verdict {
        let name = format!("p{index}");
        let loaded = match self.processes[index].disk.clone().load() {
            Ok(loaded) => loaded,
            Err(Refusal(cause)) => return properties::check_left(&name, Some(cause)),
        };
        let mut actors = self.actors(index);
        for (place, record) in loaded.records {
            actors[place].restore(record);
        }
        for (place, actor) in actors.iter().enumerate() {
            let node = self.places.node(Place { process: index, place });
            let refusal = actor.check_restored().err().map(|error| error.to_string());
            properties::check_left(&name, refusal)?;
            self.ghost.check_remembered(node, &actor.checkpoint(), kept(actor))?;
        }
        Ok(())
    }
}

/// How many slots an archive has durably.
fn kept<S>(actor: &Seated<S>) -> Option<Slot> {
    match actor {
        Node::Archive(archive) => Some(archive.persisted_watermark()),
        _ => None,
    }
}
