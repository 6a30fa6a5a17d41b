//! Who plays in the models: the roles of production, each alone on a seat.
//!
//! Nothing is added but when they begin: a proposer may begin at any time, and once more after a restart
//! with something else in mind.

use matchmaker::matchmaker::{Matchmaker, MatchmakerRecord};
use matchmaker::message::{Message, ToProposer};
use matchmaker::single::{SingleProposer, SingleRecord, SingleTimer};
use paxos::acceptor::{Acceptor, AcceptorRecord};
use paxos::actor::{Actor, EffectsOf, NodeId};
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::wire::Payload;

/// A proposer of a single decree, and what it wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wishing {
    /// The proposer.
    pub proposer: SingleProposer,
    /// Its acceptors.
    pub configuration: Configuration,
    /// What it wants the first time, and after a restart.
    pub values: [Value; 2],
}

/// A role on a seat.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Role {
    Acceptor(Acceptor),
    Matchmaker(Box<Matchmaker>),
    Single(Box<Wishing>),
}

/// A timer of a role.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CastTimer {
    /// The application asks for something.
    Begin,
    /// Of a proposer of a single decree.
    Single(SingleTimer),
}

/// A durable fact of a role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum CastRecord {
    Acceptor(AcceptorRecord),
    Matchmaker(MatchmakerRecord),
    Single(SingleRecord),
}

impl From<AcceptorRecord> for CastRecord {
    fn from(record: AcceptorRecord) -> Self {
        Self::Acceptor(record)
    }
}

impl From<MatchmakerRecord> for CastRecord {
    fn from(record: MatchmakerRecord) -> Self {
        Self::Matchmaker(record)
    }
}

impl From<SingleRecord> for CastRecord {
    fn from(record: SingleRecord) -> Self {
        Self::Single(record)
    }
}

impl From<SingleTimer> for CastTimer {
    fn from(timer: SingleTimer) -> Self {
        Self::Single(timer)
    }
}

impl From<std::convert::Infallible> for CastTimer {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// A value for models.
pub fn value(text: &'static str) -> Value {
    Value::Batch(Payload::new(text.as_bytes()))
}

impl Actor for Role {
    type Message = Message;
    type Timer = CastTimer;
    type Record = CastRecord;

    fn restore(&mut self, record: CastRecord) {
        match (self, record) {
            (Self::Acceptor(acceptor), CastRecord::Acceptor(record)) => acceptor.restore(record),
            (Self::Matchmaker(matchmaker), CastRecord::Matchmaker(record)) => {
                matchmaker.restore(record);
            }
            (Self::Single(wishing), CastRecord::Single(record)) => {
                wishing.proposer.restore(record);
                wishing.values.rotate_left(1);
            }
            (role, record) => panic!("the record {record:?} belongs to another role than {role:?}"),
        }
    }

    fn on_start(&mut self, fx: &mut EffectsOf<Self>) {
        match self {
            Self::Acceptor(_) | Self::Matchmaker(_) => {}
            Self::Single(_) => {
                fx.set_timer(CastTimer::Begin, std::time::Duration::ZERO..std::time::Duration::ZERO)
            }
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, fx: &mut EffectsOf<Self>) {
        match (self, message) {
            (Self::Acceptor(acceptor), Message::Acceptor(m)) => {
                fx.nest(|fx| acceptor.on_message(from, m, fx));
            }
            (Self::Matchmaker(matchmaker), Message::Matchmaker(m)) => {
                fx.nest(|fx| matchmaker.on_message(from, m, fx));
            }
            (Self::Single(wishing), Message::Proposer(ToProposer::Acceptor(m))) => {
                fx.nest(|fx| wishing.proposer.on_acceptor(from, m, fx));
            }
            (Self::Single(wishing), Message::Proposer(ToProposer::Matchmaker(m))) => {
                fx.nest(|fx| wishing.proposer.on_matchmaker(from, m, fx));
            }
            (_, message) => fx.violation("routing", format!("{from} sent {message:?}")),
        }
    }

    fn on_timer(&mut self, timer: CastTimer, fx: &mut EffectsOf<Self>) {
        match (self, timer) {
            (Self::Single(wishing), CastTimer::Begin) => {
                let Wishing { proposer, configuration, values } = &mut **wishing;
                let (value, configuration) = (values[0].clone(), configuration.clone());
                fx.nest(|fx| proposer.propose(value, configuration, fx));
            }
            (Self::Single(wishing), CastTimer::Single(timer)) => {
                fx.nest(|fx| wishing.proposer.on_timer(timer, fx));
            }
            (role, timer) => panic!("the timer {timer:?} belongs to another role than {role:?}"),
        }
    }

    fn checkpoint(&self) -> Vec<CastRecord> {
        match self {
            Self::Acceptor(acceptor) => {
                acceptor.checkpoint().into_iter().map(CastRecord::from).collect()
            }
            Self::Matchmaker(matchmaker) => {
                matchmaker.checkpoint().into_iter().map(CastRecord::from).collect()
            }
            Self::Single(wishing) => {
                wishing.proposer.checkpoint().into_iter().map(CastRecord::from).collect()
            }
        }
    }
}
