//! All that is decided about a run before it begins.
//!
//! A seed is drawn into a [`Plan`]: the cluster, how its network, disks and clocks behave, who calls
//! what, which faults strike when, and what the operator wants when. The run then only follows its
//! plan, so a plan with one fault less is a run that a reader can compare: that is what shrinking
//! does, by a [`Reduction`].

mod columns;
mod draw;
mod fault;
mod hunt;
mod reduction;
mod shape;
mod staged;

use std::ops::Range;
use std::time::Duration;

use matchmaker::leader::LeaderOptions;
use paxos::acceptor::AcceptorOptions;
use paxos::election::ElectionOptions;
use paxos::quorum::QuorumSystem;
use paxos::session::SessionOptions;
use paxos::snapshot::SnapshotOptions;

use crate::MS;

pub use columns::ColumnOptions;
pub use fault::{Fault, Hides, Hiding, Moment, Target};
pub use reduction::Reduction;
pub use shape::{OPERATOR, Place, Places, ProtocolName, Role, Shape};

/// Something at a time, in microseconds from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned<T> {
    /// When.
    pub at_us: u64,
    /// What.
    pub what: T,
}

/// A wish of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Other acceptors.
    Acceptors {
        /// How they decide.
        system: QuorumSystem,
        /// The acceptors, by their number.
        acceptors: Vec<usize>,
    },
    /// Other matchmakers.
    Matchmakers {
        /// The matchmakers, by their number.
        matchmakers: Vec<usize>,
        /// Which proposers are to drive the handover, by their number.
        drivers: Vec<usize>,
    },
    /// Other dependency nodes, where BPaxos runs.
    Service {
        /// The dependency nodes, by their number.
        dependency_nodes: Vec<usize>,
        /// Which proposer is asked, by its number.
        driver: usize,
    },
    /// Other processes.
    Exchange(Intent),
    /// Another leader, by its process.
    Transfer(usize),
}

/// Which processes come and go. Which ones those are follows from who is there at the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Whether a spare process comes.
    pub adds: bool,
    /// Whether a member goes.
    pub removes: bool,
    /// Chooses among those that may come, and among those that may go.
    pub choice: usize,
    /// How many look after it, each without knowing of the others.
    pub drivers: u64,
    /// Whether the one that went loses its disk, and after which time it comes back as a stranger then,
    /// in microseconds.
    pub returns_us: Option<u64>,
}

/// What actors are told to do how often, and how much they may hold.
#[derive(Clone, Debug)]
pub struct Options {
    /// Of the election.
    pub election: ElectionOptions,
    /// Of leaders.
    pub leader: LeaderOptions,
    /// Of sessions.
    pub session: SessionOptions,
    /// Of acceptors.
    pub acceptor: AcceptorOptions,
    /// Of replicas and archives.
    pub snapshots: SnapshotOptions,
    /// Of what only BPaxos has.
    pub columns: ColumnOptions,
}

/// A cluster that was before, of which a backup is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Its processes.
    pub shape: Shape,
    /// For how long it ran, in microseconds.
    pub for_us: u64,
}

impl Earlier {
    /// For so long a replica may be occupied, or have executed nothing, before a backup is given up.
    pub const OCCUPIED_MAX_US: u64 = 2000 * MS;
}

/// How the network behaves where it is not broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Lost messages of a thousand.
    pub loss: u64,
    /// Repeated messages of a thousand.
    pub repeats: u64,
    /// Messages of a thousand that are late by up to 150 ms.
    pub late: u64,
}

/// A run, before it begins.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What runs.
    pub protocol: ProtocolName,
    /// Where all chance comes from.
    pub seed: u64,
    /// The cluster.
    pub shape: Shape,
    /// The cluster that it has its state from, if it begins with any.
    pub earlier: Option<Earlier>,
    /// What its actors are told.
    pub options: Options,
    /// How fast the clock of each process runs, in thousandths.
    pub clocks: Vec<u64>,
    /// The delay of a message that is not late, in microseconds.
    pub delay_us: Range<u64>,
    /// The time that a sync takes, in microseconds.
    pub sync_us: Range<u64>,
    /// The time that a process takes to notice that it has something to do, in microseconds.
    pub wake_us: Range<u64>,
    /// A log that has grown by so many bytes is compacted.
    pub compact_above_bytes: u64,
    /// Whether messages are encoded on the way, and decoded.
    pub is_encoded: bool,
    /// The weather at the start.
    pub weather: Weather,
    /// In the order of time.
    pub faults: Vec<Planned<Fault>>,
    /// In the order of time.
    pub wishes: Vec<Planned<Wish>>,
    /// Clients of each application.
    pub clients: usize,
    /// The pause of a client between two calls, in microseconds.
    pub think_us: Range<u64>,
    /// Calls of each client at most.
    pub calls_max: u64,
    /// When the faults stop, in microseconds.
    pub faulty_us: u64,
}

impl Plan {
    /// When the run begins. Of what is told of the cluster that was before, everything was earlier.
    pub fn begins_us(&self) -> u64 {
        self.earlier.map_or(0, |earlier| earlier.for_us + Earlier::OCCUPIED_MAX_US)
    }

    /// A plan without any fault, wish or client, on a cluster of that shape; for directed runs.
    pub fn quiet(seed: u64, shape: Shape) -> Self {
        let mut plan = Self::draw(seed).with_shape(shape);
        plan.options = Options {
            election: ElectionOptions::default(),
            leader: LeaderOptions::default(),
            session: SessionOptions::default(),
            acceptor: AcceptorOptions::default(),
            snapshots: SnapshotOptions::default(),
            columns: ColumnOptions::default(),
        };
        plan.weather = Weather { loss: 0, repeats: 0, late: 0 };
        plan.delay_us = 50..1500;
        plan.sync_us = 100..2000;
        plan.faults.clear();
        plan.wishes.clear();
        plan.clients = 0;
        plan.earlier = None;
        plan
    }

    /// The plan of the cluster that was before: two clients at each session, and nothing breaks.
    pub fn before(&self, earlier: Earlier) -> Self {
        let mut plan = Self::quiet(self.seed, earlier.shape);
        plan.options = self.options.clone();
        plan.compact_above_bytes = self.compact_above_bytes;
        plan.clients = 2;
        plan
    }

    /// Who sits where.
    pub fn places(&self) -> Places {
        Places::of(self.protocol, self.shape)
    }

    /// How long a call may take before its session gives up.
    pub fn request_timeout(&self) -> Duration {
        self.options.session.request_timeout
    }

    /// Clients of each application, as a number like others.
    pub(crate) fn clients_of(&self) -> u64 {
        self.clients as u64
    }

    /// Calls of each client, as a number like others.
    pub(crate) fn calls_of(&self) -> u64 {
        self.calls_max
    }
}
