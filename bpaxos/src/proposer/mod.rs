//! The proposer: gives each command a vertex of its own column, and gets both chosen with what they
//! depend on.
//!
//! Every proposer is at work at the same time, each in its column, and asks no other. Two things make up
//! its work, and each is understood by itself: computing dependencies (`dependencies.rs`), and consensus
//! on the log of the column, which is that of `matchmaker` (`columns.rs`). Beside that it takes the
//! dependency service to its next nodes when an operator wants it (`handover.rs`). A proposer that is asked to see
//! to a vertex of another column takes that column over, which is an ordinary change of its leader: what
//! may have been chosen is proposed again, and nothing where nothing was.
//!
//! *Paper*: Bipartisan Paxos, leader and proposer in one. There, recovery is one instance of Paxos for
//! each vertex; here all vertices of a column share their rounds, so that acceptors can be replaced in
//! one round trip, and a dead proposer costs one Phase 1.
//!
//! *Deviation*: vertices of a column are proposed in the order of their slots. The reply to a question
//! that was lost holds up those behind it, in that column only.
//!
//! *Durable*: slots are reserved in blocks, before the first question about one of them leaves. So a
//! proposer that restarts knows which vertices dependency nodes may have heard of: it fills those with
//! nothing, since nobody may know two commands by the same vertex. The rounds of its leaders are durable
//! as in `matchmaker`.

mod columns;
mod dependencies;
mod handover;
mod matchmakers;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::Range;
use std::time::Duration;

use matchmaker::leader::{Deployment, Leader, LeaderOptions, LeaderRecord, LeaderTimer};
use matchmaker::message::{Epoch, Generation, HandoverB};
use matchmaker::reconfigurer::{ReconfigurerRecord, ReconfigurerTimer};
use paxos::actor::{Effects, NodeId};
use paxos::round::Round;
use paxos::slot::Slot;
use paxos::state_machine::Conflicts;
use paxos::synod::SynodTimer;
use paxos::wire::{Decode, Encode, Frame};

use crate::column::InColumn;
use crate::message::{Message, ProposerB, Successor, TakeSnapshot, ToProposer};
use crate::vertex::Column;
use columns::Held;
use dependencies::Collection;
use handover::Handover;
use matchmakers::Moving;

/// The periods and limits of a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProposerOptions {
    /// Commands in one vertex, at most.
    pub batch_max: usize,
    /// Size of the commands in one vertex, in bytes, unless a single one is larger.
    pub batch_bytes_max: usize,
    /// Vertices whose dependencies are awaited, at most. Further commands wait.
    pub window_max: usize,
    /// Commands that wait for a vertex, at most. Further ones are dropped, and their sessions send them
    /// again.
    pub requests_max: usize,
    /// The same, in bytes.
    pub requests_bytes_max: usize,
    /// Slots that one record reserves: as many become nothing at most when the proposer restarts.
    pub block: u64,
    /// Dependencies that are not answered for this long are asked for again.
    pub resend: Range<Duration>,
    /// How long to wait before it takes its column back.
    pub campaign: Range<Duration>,
    /// How long to wait before it goes on with a handover of the dependency service that somebody else has
    /// begun.
    pub patience: Range<Duration>,
    /// Of the leaders of columns.
    pub leader: LeaderOptions,
}

impl Default for ProposerOptions {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            batch_max: 64,
            batch_bytes_max: 1 << 20,
            window_max: 4096,
            requests_max: 65_536,
            requests_bytes_max: 64 << 20,
            block: 1024,
            resend: ms(60)..ms(90),
            campaign: ms(50)..ms(300),
            patience: ms(400)..ms(800),
            leader: LeaderOptions::default(),
        }
    }
}

/// A timer of a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProposerTimer {
    /// Ask again for dependencies.
    Resend,
    /// Take its own column back.
    Campaign,
    /// Of the leader of a column.
    Leader(Column, LeaderTimer),
    /// Ask again for what a handover of the dependency service waits for.
    Handover,
    /// Go on with the handover of this epoch.
    Patience(Epoch),
    /// Of the decree on the next dependency service.
    Decree(SynodTimer),
    /// Of the driver of the matchmakers of a column.
    Driver(Column, ReconfigurerTimer),
    /// Go on with the replacement of the matchmakers of all columns.
    Matchmakers,
}

/// A durable fact of a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub enum ProposerRecord {
    /// Slots of its column below may have been told to dependency nodes, and none above.
    Reserved(Slot),
    /// Of the leader of a column.
    Leader(InColumn<LeaderRecord>),
    /// The highest round of a decree that this proposer has used.
    Decreed(Round),
    /// The newest dependency service that it knows of, and how that began.
    Service(Successor),
    /// The first matchmakers of its own column.
    Opened(Generation),
    /// Of the driver of the matchmakers of a column.
    Driver(InColumn<ReconfigurerRecord>),
}

/// The state of a proposer, for the commands of a state machine of type `S`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proposer<S> {
    /// This actor; its column is named after it.
    node: NodeId,
    /// What every column begins with.
    deployment: Deployment,
    options: ProposerOptions,
    /// The dependency service. Durable if it is not that of the founding.
    service: Generation,
    /// How that began. Durable; none if it is that of the founding.
    origin: Option<Successor>,
    /// On the way to the next one.
    handover: Handover,
    /// Replacing the matchmakers of all columns.
    moving: Moving,
    /// The first matchmakers of its own column, once it was opened. Durable; never changes.
    opened: Option<Generation>,
    /// Its own column, and those that it has been asked to see to.
    held: BTreeMap<Column, Held>,
    /// Commands on their way to being proposed.
    collection: Collection,
    /// Whether the campaign timer is armed.
    is_campaign_due: bool,
    machine: PhantomData<S>,
}

type Fx = Effects<Message, ProposerTimer, ProposerRecord>;

impl<S: Conflicts> Proposer<S> {
    /// A proposer at `node`, in a cluster whose columns all begin as `deployment` says, and whose
    /// dependency service is `service`.
    pub fn new(
        node: NodeId,
        deployment: Deployment,
        service: Generation,
        options: ProposerOptions,
    ) -> Self {
        let mut proposer = Self {
            node,
            deployment,
            options,
            service,
            origin: None,
            handover: Handover::default(),
            moving: Moving::default(),
            opened: None,
            held: BTreeMap::new(),
            collection: Collection::default(),
            is_campaign_due: false,
            machine: PhantomData,
        };
        proposer.hold(proposer.column());
        proposer
    }

    /// Its own column.
    pub fn column(&self) -> Column {
        Column(self.node)
    }

    /// The leader of `column` here, if this proposer has ever had to do with it.
    pub fn leader(&self, column: Column) -> Option<&Leader> {
        self.held.get(&column).map(|held| &held.leader)
    }

    /// Folds one durable record.
    pub fn restore(&mut self, record: ProposerRecord) {
        match record {
            ProposerRecord::Reserved(slot) => self.collection.restore(slot),
            ProposerRecord::Leader(InColumn { column, inner }) => {
                if let Some(held) = self.hold(column) {
                    held.leader.restore(inner);
                }
            }
            ProposerRecord::Opened(generation) if self.opened.is_none() => {
                self.opened = Some(generation);
                // It may have been told of others since.
                self.held.remove(&self.column());
                self.hold(self.column());
            }
            ProposerRecord::Opened(_) => {}
            ProposerRecord::Driver(InColumn { column, inner }) => {
                if let Some(held) = self.hold(column) {
                    held.driver.restore(inner);
                }
            }
            ProposerRecord::Decreed(used) => self.handover.used = self.handover.used.max(used),
            ProposerRecord::Service(successor) => {
                self.service = successor.generation.clone();
                self.origin = Some(successor);
            }
        }
    }

    /// The least list of records with the same fold.
    pub fn checkpoint(&self) -> Vec<ProposerRecord> {
        let reserved = self.collection.reserved();
        let reserved = (reserved > Slot::ZERO).then_some(ProposerRecord::Reserved(reserved));
        let leaders = self.held.iter().flat_map(|(column, held)| {
            let records = held.leader.checkpoint().into_iter();
            records.map(|inner| ProposerRecord::Leader(InColumn { column: *column, inner }))
        });
        let used = self.handover.used;
        let decreed = (used > Round::ZERO).then_some(ProposerRecord::Decreed(used));
        let service = self.origin.clone().map(ProposerRecord::Service);
        let opened = self.opened.clone().map(ProposerRecord::Opened);
        let drivers = self.held.iter().flat_map(|(column, held)| {
            let records = held.driver.checkpoint().into_iter();
            records.map(|inner| ProposerRecord::Driver(InColumn { column: *column, inner }))
        });
        let first = opened.into_iter().chain(reserved);
        first.chain(leaders).chain(drivers).chain(decreed).chain(service).collect()
    }

    /// Campaigns for its own column.
    pub fn on_start(&mut self, fx: &mut Fx) {
        self.campaign(self.column(), fx);
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: ToProposer, fx: &mut Fx) {
        match message {
            ToProposer::Request(m) => self.collection.take(m.command, &self.options),
            ToProposer::DependencyB(m) => self.on_dependency_b(from, m, fx),
            ToProposer::Recover(m) => self.on_recover(m, fx),
            ToProposer::ServiceA(m) => self.on_service_a(from, m, fx),
            ToProposer::Service(m) => self.on_service(from, m, fx),
            ToProposer::MatchmakersA(m) => self.on_matchmakers_a(from, m, fx),
            ToProposer::ColumnsB(m) => self.on_columns_b(from, m, fx),
            ToProposer::TakeSnapshot(TakeSnapshot) => self.collection.want_snapshot(),
            ToProposer::StatusA(m) => fx.send(from, self.status(m.token)),
        }
        self.settle(fx);
    }

    fn status(&self, token: u64) -> ProposerB {
        let (requests_count, collecting_count) = self.collection.counts();
        ProposerB { token, service: self.service.clone(), requests_count, collecting_count }
    }

    /// Takes one message of the log of `column`.
    pub fn on_column(
        &mut self,
        column: Column,
        from: NodeId,
        message: matchmaker::message::ToProposer,
        fx: &mut Fx,
    ) {
        self.on_log(column, from, message, fx);
        self.settle(fx);
    }

    /// Takes what the driver of `column` tells whoever has asked it: this proposer itself.
    pub fn on_progress(&mut self, column: Column, from: NodeId, m: HandoverB, fx: &mut Fx) {
        if from == self.node {
            self.on_handover_b(column, m, fx);
        }
        self.settle(fx);
    }

    /// Takes one timer.
    pub fn on_timer(&mut self, timer: ProposerTimer, fx: &mut Fx) {
        match timer {
            ProposerTimer::Resend => self.on_resend(fx),
            ProposerTimer::Campaign => self.on_campaign_timer(fx),
            ProposerTimer::Handover => self.on_handover_timer(fx),
            ProposerTimer::Patience(epoch) => self.on_patience_timer(epoch, fx),
            ProposerTimer::Decree(timer) => self.decree(fx, |synod, fx| synod.on_timer(timer, fx)),
            ProposerTimer::Driver(column, timer) => self.on_driver_timer(column, timer, fx),
            ProposerTimer::Matchmakers => self.on_matchmakers_timer(fx),
            ProposerTimer::Leader(column, timer) => {
                self.lead(column, fx, |leader, fx| leader.on_timer(timer, fx));
            }
        }
        self.settle(fx);
    }

    /// Gives the commands of the turn their vertices.
    pub fn on_turn_end(&mut self, fx: &mut Fx) {
        self.allocate(fx);
        self.settle(fx);
        let columns: Vec<Column> = self.held.keys().copied().collect();
        for column in columns {
            self.lead(column, fx, |leader, fx| leader.on_turn_end(fx));
        }
    }

    /// Goes on with whatever the last step has made possible.
    fn settle(&mut self, fx: &mut Fx) {
        self.follow_leadership();
        self.fill_wanted(fx);
        self.propose_collected(fx);
        self.want_column_back(fx);
        self.collection.check_invariants();
    }
}

impl From<InColumn<LeaderTimer>> for ProposerTimer {
    fn from(timer: InColumn<LeaderTimer>) -> Self {
        Self::Leader(timer.column, timer.inner)
    }
}

impl From<InColumn<LeaderRecord>> for ProposerRecord {
    fn from(record: InColumn<LeaderRecord>) -> Self {
        Self::Leader(record)
    }
}

impl From<InColumn<ReconfigurerTimer>> for ProposerTimer {
    fn from(timer: InColumn<ReconfigurerTimer>) -> Self {
        Self::Driver(timer.column, timer.inner)
    }
}

impl From<InColumn<ReconfigurerRecord>> for ProposerRecord {
    fn from(record: InColumn<ReconfigurerRecord>) -> Self {
        Self::Driver(record)
    }
}

impl From<SynodTimer> for ProposerTimer {
    fn from(timer: SynodTimer) -> Self {
        Self::Decree(timer)
    }
}
