//! Messages, as far as they are told.

use matchmaker::message::{
    DecreeA, FromMatchmaker, Message, Progress, Successor, ToApplication, ToMatchmaker, ToProposer,
    ToReconfigurer,
};
use paxos::command::Value;
use paxos::message::{FromAcceptor, ToAcceptor, ToReplica};
use paxos::wire;
use serde::Serialize;

use super::{RoundName, Steps, round_name};

/// A message.
#[derive(PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Said {
    MatchA {
        epoch: u64,
        round: RoundName,
        configuration: usize,
    },
    MatchB {
        epoch: u64,
        round: RoundName,
        watermark: RoundName,
        history: Vec<RoundName>,
    },
    Phase1A {
        round: RoundName,
        first: u64,
    },
    Phase1B {
        round: RoundName,
        first: u64,
        persisted: u64,
        /// Slot, round, value.
        votes: Vec<(u64, RoundName, usize)>,
        /// Where the next page begins.
        next: Option<u64>,
    },
    Phase2A {
        round: RoundName,
        slot: u64,
        value: usize,
    },
    Phase2B {
        round: RoundName,
        slot: u64,
        persisted: u64,
    },
    Chosen {
        slot: u64,
        value: usize,
    },
    ChosenWatermark {
        below: u64,
    },
    GarbageA {
        epoch: u64,
        round: RoundName,
    },
    GarbageB {
        epoch: u64,
        below: RoundName,
    },
    /// To an operator, or in a heartbeat.
    Collected {
        below: RoundName,
    },
    StopA {
        epoch: u64,
    },
    StopB {
        epoch: u64,
    },
    /// With what is proposed, if something is.
    DecreeA {
        epoch: u64,
        successor: Option<usize>,
    },
    ActivateA {
        successor: usize,
    },
}

impl Said {
    /// Whether a step is told for having been given this: what follows from the rest is seen in what is
    /// written down.
    pub(super) fn is_heard(&self) -> bool {
        match self {
            Self::MatchB { .. }
            | Self::Phase1B { .. }
            | Self::Phase2B { .. }
            | Self::GarbageA { .. }
            | Self::GarbageB { .. }
            | Self::StopB { .. } => true,
            Self::MatchA { .. }
            | Self::Phase1A { .. }
            | Self::Phase2A { .. }
            | Self::Chosen { .. }
            | Self::ChosenWatermark { .. }
            | Self::Collected { .. }
            | Self::StopA { .. }
            | Self::DecreeA { .. }
            | Self::ActivateA { .. } => false,
        }
    }
}

impl Steps {
    /// What is told about a message.
    pub(super) fn said(&mut self, message: &Message) -> Option<Said> {
        match message {
            Message::Acceptor(m) => self.said_to_acceptor(m),
            Message::Matchmaker(m) => self.said_to_matchmaker(m),
            Message::Proposer(m) => self.said_to_proposer(m),
            Message::Replica(ToReplica::Chosen(m)) => {
                Some(Said::Chosen { slot: m.slot.0, value: self.value(&m.value) })
            }
            Message::Replica(ToReplica::ChosenWatermark(m)) => {
                Some(Said::ChosenWatermark { below: m.watermark.0 })
            }
            Message::Application(m) => said_to_application(m),
            Message::Replica(_) | Message::Archive(_) | Message::Session(_) => None,
        }
    }

    fn said_to_acceptor(&mut self, message: &ToAcceptor) -> Option<Said> {
        match message {
            ToAcceptor::Phase1A(m) => {
                Some(Said::Phase1A { round: round_name(m.round), first: m.first.0 })
            }
            ToAcceptor::Phase2A(m) => Some(Said::Phase2A {
                round: round_name(m.round),
                slot: m.slot.0,
                value: self.value(&m.value),
            }),
            ToAcceptor::ReadA(_) | ToAcceptor::PersistedA(_) | ToAcceptor::ProbeA(_) => None,
        }
    }

    fn said_to_matchmaker(&mut self, message: &ToMatchmaker) -> Option<Said> {
        match message {
            ToMatchmaker::MatchA(m) => Some(Said::MatchA {
                epoch: m.epoch.0,
                round: round_name(m.round),
                configuration: self.configuration(&m.configuration),
            }),
            ToMatchmaker::GarbageA(m) => {
                Some(Said::GarbageA { epoch: m.epoch.0, round: round_name(m.round) })
            }
            ToMatchmaker::DecreeA(m) => {
                let DecreeA { epoch, message } = m.as_ref();
                let successor = proposed(message).map(|successor| self.successor(&successor));
                Some(Said::DecreeA { epoch: epoch.0, successor })
            }
            ToMatchmaker::StopA(m) => Some(Said::StopA { epoch: m.epoch.0 }),
            ToMatchmaker::ActivateA(m) => {
                Some(Said::ActivateA { successor: self.successor(&m.successor) })
            }
            ToMatchmaker::NewestA(_)
            | ToMatchmaker::ReachA(_)
            | ToMatchmaker::SucceededA(_)
            | ToMatchmaker::OriginA(_) => None,
        }
    }

    fn said_to_proposer(&mut self, message: &ToProposer) -> Option<Said> {
        match message {
            ToProposer::Acceptor(m) => self.said_by_acceptor(m),
            ToProposer::Matchmaker(FromMatchmaker::MatchB(m)) => Some(Said::MatchB {
                epoch: m.epoch.0,
                round: round_name(m.round),
                watermark: round_name(m.watermark),
                history: m.history.keys().map(|round| round_name(*round)).collect(),
            }),
            ToProposer::Matchmaker(FromMatchmaker::GarbageB(m)) => {
                Some(Said::GarbageB { epoch: m.epoch.0, below: round_name(m.watermark) })
            }
            ToProposer::Reconfigurer(ToReconfigurer::StopB(m)) => {
                Some(Said::StopB { epoch: m.epoch.0 })
            }
            ToProposer::Heartbeat(m) if m.is_collected => {
                Some(Said::Collected { below: round_name(m.round) })
            }
            _ => None,
        }
    }

    fn said_by_acceptor(&mut self, message: &FromAcceptor) -> Option<Said> {
        match message {
            FromAcceptor::Phase1B(m) => Some(Said::Phase1B {
                round: round_name(m.round),
                first: m.first.0,
                persisted: m.persisted_watermark.0,
                votes: m
                    .votes
                    .iter()
                    .map(|vote| (vote.slot.0, round_name(vote.round), self.value(&vote.value)))
                    .collect(),
                next: m.next.map(|next| next.0),
            }),
            FromAcceptor::Phase2B(m) => Some(Said::Phase2B {
                round: round_name(m.round),
                slot: m.slot.0,
                persisted: m.persisted_watermark.0,
            }),
            FromAcceptor::Nack(_)
            | FromAcceptor::ReadB(_)
            | FromAcceptor::PersistedB(_)
            | FromAcceptor::ProbeB(_) => None,
        }
    }
}

fn said_to_application(message: &ToApplication) -> Option<Said> {
    match message {
        ToApplication::ReconfigureB(m) => match &m.progress {
            Progress::Collected { watermark, .. } => {
                Some(Said::Collected { below: round_name(*watermark) })
            }
            Progress::Active { .. }
            | Progress::Refused { .. }
            | Progress::Interrupted
            | Progress::Unreachable { .. } => None,
        },
        ToApplication::Heartbeat(m) if m.is_collected => {
            Some(Said::Collected { below: round_name(m.round) })
        }
        ToApplication::Heartbeat(_)
        | ToApplication::Return(_)
        | ToApplication::StatusB(_)
        | ToApplication::HandoverB(_)
        | ToApplication::Healing(_) => None,
    }
}

/// The successor that a message of a decree proposes.
fn proposed(message: &ToAcceptor) -> Option<Successor> {
    match message {
        ToAcceptor::Phase2A(m) => match &m.value {
            Value::Batch(payload) => wire::decode(&payload.0).ok(),
            Value::Noop => None,
        },
        ToAcceptor::Phase1A(_)
        | ToAcceptor::ReadA(_)
        | ToAcceptor::PersistedA(_)
        | ToAcceptor::ProbeA(_) => None,
    }
}
