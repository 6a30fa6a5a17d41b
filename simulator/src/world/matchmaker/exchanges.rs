//! The operator, when whole processes come and go: looks how the cluster is, takes the step that comes
//! next, and looks again.
//!
//! What comes next follows from the status alone (`matchmaker::change`), so an exchange has no memory
//! but its wish. Several may be under way, each may have two drivers that know nothing of each other, a
//! driver may stop for a while, and now and then one acts on what it was told long ago.
//!
//! A process that went is switched off for ever when its exchange is done, and its disk may be wiped: it
//! must never be needed again. It may come back then, as a stranger of another name, and be added anew.
//!
//! One thing the operator has to see to by itself. A request for acceptors of the process that goes may
//! be in limbo: made earlier, never answered, registered by a minority of the matchmakers. Nothing but a
//! later request outdoes it. So before the process is switched off such a request is outdone by one for
//! the acceptors in place; the same with matchmakers. Requests that change the members need no such
//! care: they name the version that they were made from.

use std::collections::{BTreeMap, BTreeSet};

use matchmaker::change::{Actors, Exchange, Stage, Step};
use matchmaker::message::{ReconfigureA, StatusA, StatusB, ToProposer, TransferA};
use paxos::actor::NodeId;
use paxos::quorum::QuorumSystem;
use paxos::round::Round;

use super::Happening;
use crate::MS;
use crate::coverage::Situation;
use crate::plan::Intent;
use crate::trace::Kind;
use crate::world::process::Status;
use crate::world::{Event, Places, Role, Verdict, Workload, World};

/// The least number of members.
const MEMBERS_MIN: usize = 3;

/// For so long after a request for a machine that is not switched off: it may be on its way.
pub(super) const IN_FLIGHT_US: u64 = 1500 * MS;

/// One exchange.
#[derive(Debug)]
struct Running {
    intent: Intent,
    /// The process that comes.
    add: Option<usize>,
    /// The process that goes.
    remove: Option<usize>,
    /// The actors of that, by the names that they had when it began.
    removed: Actors,
    is_done: bool,
    /// The last answer, for drivers that are late.
    known: Option<StatusB>,
    /// The token of the last request for other members or acceptors.
    requested: Option<u64>,
    /// The token of the last request for other matchmakers, and when it was sent.
    handed_over: Option<(u64, u64)>,
    /// Whether the leader was asked to hand on.
    is_leader_going: bool,
    /// Whether the one that comes was seen to have caught up.
    is_caught_up: bool,
}

/// All exchanges.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    all: Vec<Running>,
    /// Which exchange asked for a status.
    asked: BTreeMap<u64, usize>,
    next_token: u64,
    /// Processes whose clients call.
    serving: BTreeSet<usize>,
    /// Processes that came back as strangers.
    strangers: BTreeSet<usize>,
}

impl Exchanges {
    pub(super) fn new(places: &Places) -> Self {
        let founders = (0..places.process_count()).filter(|process| places.is_founder(*process));
        Self { next_token: 1, serving: founders.collect(), ..Self::default() }
    }

    /// Whether clients of the process make calls: its session knows a leader.
    pub(super) fn is_serving(&self, process: usize) -> bool {
        self.serving.contains(&process)
    }

    fn open(&self) -> impl Iterator<Item = &Running> {
        self.all.iter().filter(|exchange| !exchange.is_done)
    }

    /// Whether the process is to go.
    pub(super) fn is_leaving(&self, process: usize) -> bool {
        self.open().any(|exchange| exchange.remove == Some(process))
    }

    /// Whether every exchange has ended.
    pub(super) fn are_done(&self) -> bool {
        self.open().next().is_none()
    }
}

/// One of `choices`, if there is any.
fn choose(choices: &[usize], choice: usize) -> Option<usize> {
    choices.get(choice % choices.len().max(1)).copied()
}

impl<W: Workload> World<W> {
    /// Begins an exchange, if there are processes for it.
    pub(super) fn exchange(&mut self, intent: Intent) {
        let Some((add, remove)) = self.pair(intent) else { return };
        let removed = remove.map(|process| self.actors_of(process)).unwrap_or_default();
        if let Some(process) = remove {
            self.own.exchanges.serving.remove(&process);
        }
        let index = self.own.exchanges.all.len();
        let (comes, goes) = (shown(add), shown(remove));
        self.note(None, Kind::Wish, format!("exchange {index}: {comes} comes, {goes} goes"));
        if !self.own.exchanges.are_done() {
            self.summary.coverage.meet(Situation::TwoExchanges);
        }
        self.own.exchanges.all.push(Running {
            intent,
            add,
            remove,
            removed,
            is_done: false,
            known: None,
            requested: None,
            handed_over: None,
            is_leader_going: false,
            is_caught_up: false,
        });
        for driver in 0..intent.drivers {
            self.push(driver * 7 * MS, Event::Own(Happening::Look(index)));
        }
    }

    /// Who comes and who goes.
    fn pair(&self, intent: Intent) -> Option<(Option<usize>, Option<usize>)> {
        let is_well = |process: &usize| {
            !matches!(self.processes[*process].status, Status::Lost(_) | Status::Gone)
        };
        let all: Vec<usize> = (0..self.processes.len()).filter(is_well).collect();
        let is_coming =
            |process: usize| self.own.exchanges.open().any(|other| other.add == Some(process));
        let members: Vec<usize> =
            all.iter().copied().filter(|process| self.own.exchanges.is_serving(*process)).collect();
        let is_spare = |process: &usize| {
            !members.contains(process)
                && !is_coming(*process)
                && !self.own.exchanges.is_leaving(*process)
        };
        let spares: Vec<usize> = all.iter().copied().filter(is_spare).collect();
        let add = choose(&spares, intent.choice).filter(|_| intent.adds);
        let remove = choose(&members, intent.choice / 5).filter(|_| intent.removes);
        match (add, remove) {
            (None, None) => None,
            (None, Some(_)) if members.len() <= MEMBERS_MIN => None,
            pair => Some(pair),
        }
    }

    fn actors_of(&self, process: usize) -> Actors {
        let one = |role| self.places.in_process(process, role);
        let acceptors = self.places.every(Role::Acceptor).into_iter();
        let is_here =
            |node: &NodeId| self.places.find(*node).is_some_and(|at| at.process == process);
        Actors {
            application: Some(self.places.application(process)),
            proposer: one(Role::Proposer),
            matchmaker: one(Role::Matchmaker),
            replica: one(Role::Replica),
            session: one(Role::Session),
            archive: one(Role::Archive),
            acceptors: acceptors.filter(is_here).collect(),
        }
    }

    /// A driver looks how things are.
    pub(super) fn look(&mut self, index: usize) -> Verdict {
        if self.own.exchanges.all[index].is_done {
            return Ok(());
        }
        let token = self.own.exchanges.next_token;
        self.own.exchanges.next_token += 1;
        self.own.exchanges.asked.insert(token, index);
        self.tell_proposers(&ToProposer::StatusA(StatusA { token }));
        let random = &mut self.operator_random;
        // Now and then a driver stops, and some time later another one goes on.
        let has_stopped = random.permille(60);
        let pause =
            random.within(if has_stopped { 500 * MS..1500 * MS } else { 15 * MS..120 * MS });
        self.push(pause, Event::Own(Happening::Look(index)));
        Ok(())
    }

    /// The status that a driver has asked for.
    pub(super) fn hear_look(&mut self, status: StatusB) {
        let Some(index) = self.own.exchanges.asked.get(&status.token).copied() else { return };
        let is_late = self.operator_random.permille(100 + self.network.weather.late);
        let running = &mut self.own.exchanges.all[index];
        if running.is_done {
            return;
        }
        let known = running.known.replace(status.clone());
        let status = known.filter(|_| is_late).unwrap_or(status);
        let exchange = self.exchange_from(index, &status);
        let step = exchange.next_step(&status);
        self.take_step(index, step, &status);
    }

    /// What is wished for, by those who are there.
    fn exchange_from(&self, index: usize, status: &StatusB) -> Exchange {
        let running = &self.own.exchanges.all[index];
        let remove = running.removed.clone();
        let add = match running.add {
            Some(process) => self.actors_of(process),
            None => self.stand_ins(&remove, status),
        };
        Exchange {
            add,
            remove,
            directory_between: Vec::new(),
            directory_leaving: Vec::new(),
            directory_after: Vec::new(),
        }
    }

    /// Acceptors and a matchmaker of those who stay, for a process that goes alone.
    fn stand_ins(&self, removed: &Actors, status: &StatusB) -> Actors {
        let is_serving = |node: &NodeId| {
            self.places.find(*node).is_some_and(|at| self.own.exchanges.is_serving(at.process))
        };
        let serving = |role| self.places.every(role).into_iter().filter(is_serving);
        let is_needed = removed.matchmaker.is_some_and(|node| status.matchmakers.contains(&node));
        let mut matchmakers = serving(Role::Matchmaker);
        let matchmaker = matchmakers.find(|node| !status.matchmakers.contains(node));
        Actors {
            matchmaker: matchmaker.filter(|_| is_needed),
            acceptors: serving(Role::Acceptor).collect(),
            ..Actors::default()
        }
    }

    fn take_step(&mut self, index: usize, step: Step, status: &StatusB) {
        self.observe_step(index, &step, status);
        match step {
            Step::Reconfigure { stage, system, members, change } => {
                self.note(None, Kind::Wish, format!("exchange {index}: {stage:?}"));
                self.request(index, (system, members), Some(change));
            }
            Step::CatchUp { .. } | Step::Collect => {}
            Step::Transfer(to) => {
                self.note(None, Kind::Wish, format!("exchange {index}: {to} shall lead"));
                self.tell_proposers(&ToProposer::TransferA(TransferA { to }));
            }
            Step::Handover(members) => self.request_handover(index, &members),
            Step::Done => self.finish(index, status),
        }
    }

    /// Asks the leader for acceptors and members; under the same token if it is the same as before.
    fn request(
        &mut self,
        index: usize,
        (system, members): (QuorumSystem, BTreeSet<NodeId>),
        change: Option<matchmaker::message::Change>,
    ) {
        let last = self.own.exchanges.all[index].requested;
        let last = last.filter(|token| {
            let m = &self.own.operator.requests[*token as usize - 1];
            (&m.system, &m.members, &m.change) == (&system, &members, &change)
        });
        let token = match last {
            Some(token) => token,
            None => self
                .own
                .operator
                .add_request(|token| ReconfigureA { token, system, members, change }, self.now),
        };
        self.own.exchanges.all[index].requested = Some(token);
        self.send_request(token);
    }

    fn request_handover(&mut self, index: usize, members: &BTreeSet<NodeId>) {
        let all = self.places.every(Role::Matchmaker);
        let numbers: Vec<usize> =
            (0..all.len()).filter(|number| members.contains(&all[*number])).collect();
        if numbers.len() < members.len() {
            return;
        }
        let now = self.now;
        match self.own.exchanges.all[index].handed_over {
            Some((_, at)) if at + self.repeat_handover_us() > now => {}
            Some((token, _)) if self.is_handover_to(token, members) => {
                self.change_driver(token);
                self.send_handover(token);
                self.own.exchanges.all[index].handed_over = Some((token, now));
            }
            Some(_) | None => {
                let driver = self.operator_random.index(self.processes.len());
                let token = self.hand_over(&numbers, vec![driver]);
                self.own.exchanges.all[index].handed_over = Some((token, now));
            }
        }
    }

    /// Which situations a step shows.
    fn observe_step(&mut self, index: usize, step: &Step, status: &StatusB) {
        let is_replacing_matchmakers = !self.is_last_handed_over();
        let running = &mut self.own.exchanges.all[index];
        let mut met = Vec::new();
        let is_admitted =
            running.add.is_some() && !matches!(step, Step::Reconfigure { stage: Stage::Admit, .. });
        let is_caught_up = is_admitted && !matches!(step, Step::CatchUp { .. });
        if is_caught_up && !running.is_caught_up {
            running.is_caught_up = true;
            met.extend([Situation::ProcessJoined, Situation::ProcessCaughtUp]);
            met.extend(is_replacing_matchmakers.then_some(Situation::ExchangeInHandover));
        }
        if matches!(step, Step::Transfer(_)) {
            running.is_leader_going = true;
        }
        if running.is_leader_going && running.removed.proposer != Some(status.round.owner) {
            running.is_leader_going = false;
            met.push(Situation::LeaderHandedOn);
        }
        for situation in met {
            self.summary.coverage.meet(situation);
        }
    }

    /// All is as wished; but see to it that nothing in limbo brings the one that went back.
    fn finish(&mut self, index: usize, status: &StatusB) {
        let running = &self.own.exchanges.all[index];
        let (add, remove, returns_us) = (running.add, running.remove, running.intent.returns_us);
        if let Some(process) = remove {
            if !self.is_out_of_limbo(index, process, status) {
                return;
            }
            self.own.exchanges.all[index].is_done = true;
            self.switch_off_process(process, status.round, returns_us);
        }
        self.own.exchanges.all[index].is_done = true;
        if let Some(process) = add {
            self.own.exchanges.serving.insert(process);
            if self.own.exchanges.strangers.remove(&process) {
                self.summary.coverage.meet(Situation::StrangerAdded);
            }
            if remove.is_some() {
                self.summary.coverage.meet(Situation::ProcessReplaced);
            }
        }
        self.note(None, Kind::Collection, format!("exchange {index} is done"));
    }

    /// Whether no request can bring acceptors or the matchmaker of `process` back; if one might, it is
    /// outdone.
    fn is_out_of_limbo(&mut self, index: usize, process: usize, status: &StatusB) -> bool {
        let nodes: BTreeSet<NodeId> = self.places.in_one(process).collect();
        let is_acceptor_free = self.own.operator.is_out_of_limbo(&nodes, self.now);
        if is_acceptor_free == Some(false) {
            let members = status.configuration.members().iter().copied().collect();
            self.request(index, (status.configuration.system(), members), None);
        }
        let is_matchmaker_free = self.are_matchmakers_out_of_limbo(&nodes);
        if is_matchmaker_free == Some(false)
            && let Some(other) = self.stand_in_generation(status)
        {
            self.request_handover(index, &other);
        }
        is_acceptor_free == Some(true) && is_matchmaker_free == Some(true)
    }

    /// Other matchmakers, as many as there are.
    fn stand_in_generation(&self, status: &StatusB) -> Option<BTreeSet<NodeId>> {
        let is_good = |node: &NodeId| {
            let at = self.places.find(*node).filter(|_| self.places.is_present(*node));
            at.is_some_and(|at| self.own.exchanges.is_serving(at.process))
        };
        let mut others = self.places.every(Role::Matchmaker).into_iter().filter(is_good);
        let other = others.find(|node| !status.matchmakers.contains(node));
        let mut matchmakers = status.matchmakers.clone();
        match other {
            Some(other) => {
                matchmakers.pop_first();
                matchmakers.insert(other);
            }
            None => {
                matchmakers.pop_first().filter(|_| matchmakers.len() >= MEMBERS_MIN)?;
            }
        }
        Some(matchmakers)
    }

    /// A process that went is switched off for good. Nothing of it may be needed from now on.
    fn switch_off_process(&mut self, process: usize, round: Round, returns_us: Option<u64>) {
        self.note(Some(process), Kind::Collection, "is switched off for good");
        self.kill(process, true);
        self.processes[process].status = Status::Gone;
        self.summary.coverage.meet(Situation::ProcessSwitchedOff);
        let nodes: Vec<NodeId> = self.places.in_one(process).collect();
        self.own.ghost.retire_process(&nodes, round);
        if let Some(returns_us) = returns_us {
            self.push(returns_us, Event::Own(Happening::Return(process)));
        }
    }

    /// A process that went comes back with an empty disk: its actors are others, and know of the cluster
    /// what the operator last heard.
    pub(super) fn return_as_stranger(&mut self, process: usize) -> Verdict {
        let known = self.own.exchanges.all.iter().filter_map(|running| running.known.as_ref());
        let Some(newest) = known.max_by_key(|status| (status.epoch, status.round)).cloned() else {
            return Ok(());
        };
        self.places.renew(process);
        self.own.ghost.follow_places(&self.places, process, newest.epoch);
        self.renew_process(process, newest);
        self.own.exchanges.strangers.insert(process);
        self.summary.coverage.meet(Situation::StrangerReturned);
        self.push(0, Event::Start(process));
        Ok(())
    }

    /// The leader is to hand on to the proposer of a process.
    pub(super) fn transfer(&mut self, process: usize) {
        if let Some(to) = self.node_of(process, Role::Proposer) {
            self.tell_proposers(&ToProposer::TransferA(TransferA { to }));
        }
    }

    /// Proposers of members.
    pub(super) fn proposers_in_service(&self) -> Vec<NodeId> {
        let is_in_service = |node: &NodeId| {
            let at = self.places.find(*node);
            at.is_some_and(|at| {
                !self.places.has_spares() || self.own.exchanges.is_serving(at.process)
            })
        };
        self.places.every(Role::Proposer).into_iter().filter(is_in_service).collect()
    }

    /// Nodes of that role that may be asked for: not those of processes that are gone or going.
    pub(super) fn available(&self, role: Role) -> Vec<NodeId> {
        let is_there = |node: &NodeId| {
            self.places.find(*node).is_some_and(|at| {
                self.processes[at.process].status != Status::Gone
                    && !self.own.exchanges.is_leaving(at.process)
            })
        };
        self.places.every(role).into_iter().filter(is_there).collect()
    }

    /// The nodes of that role with these numbers; in the place of those that are gone or going, others.
    pub(super) fn pick_available(&self, role: Role, numbers: &[usize]) -> BTreeSet<NodeId> {
        let (all, available) = (self.places.every(role), self.available(role));
        let mut picked: BTreeSet<NodeId> =
            numbers.iter().map(|n| all[*n]).filter(|node| available.contains(node)).collect();
        let others: Vec<NodeId> =
            available.into_iter().filter(|node| !picked.contains(node)).collect();
        picked.extend(others.into_iter().take(numbers.len() - picked.len()));
        picked
    }

    /// Exchanges that have not ended, for a reader.
    pub(super) fn open_exchanges(&self) -> String {
        let open = self.own.exchanges.open();
        let texts: Vec<String> =
            open.map(|one| format!("{} for {}", shown(one.add), shown(one.remove))).collect();
        texts.join(", ")
    }
}

fn shown(process: Option<usize>) -> String {
    process.map_or("nobody".to_owned(), |process| format!("p{process}"))
}
