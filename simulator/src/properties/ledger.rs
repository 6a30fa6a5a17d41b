//! Whatever a message promises is on the disk of its sender before the message leaves.
//!
//! | | |
//! |---|---|
//! | property | D1 durable before told |
//! | paper | the table of what must be durable before which message |
//! | module | every role, `paxos::runtime::host` |
//! | model | - |

use matchmaker::message::{
    DecreeB, FromMatchmaker, Message, ToMatchmaker, ToProposer, ToReconfigurer,
};
use paxos::actor::NodeId;
use paxos::message::{FromAcceptor, FromSession, Phase1A, Phase2A, ToAcceptor};
use paxos::round::Round;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "D1",
    name: "durable before told",
    statement: "Whatever a message promises is on the disk of its sender before the message leaves.",
    paper: "the table of what must be durable before which message",
    module: "every role, `paxos::runtime::host`",
};

impl Ghost {
    /// The facts that `message` relies on are durable.
    pub(super) fn check_ledger(&self, from: NodeId, message: &Message) -> Verdict {
        match message {
            Message::Proposer(ToProposer::Acceptor(m)) => self.check_acceptor(from, m),
            Message::Proposer(ToProposer::Matchmaker(m)) => self.check_matchmaker(from, m),
            Message::Proposer(ToProposer::ArchivedB(m)) => {
                let durable = self.archived.get(&from).copied().unwrap_or_default();
                let is_durable = m.persisted_watermark <= durable;
                self.durable(is_durable, from, || format!("{m:?}, archived {durable}"))
            }
            Message::Proposer(ToProposer::Session(FromSession::Request(m))) => {
                let session = m.submission.session;
                let is_durable = self.lives.get(&from) >= Some(&session.life);
                self.durable(is_durable, from, || format!("commands of {session:?}"))
            }
            Message::Proposer(ToProposer::Reconfigurer(m)) => self.check_handover(from, m),
            Message::Matchmaker(ToMatchmaker::MatchA(m)) => self.check_used(from, m.round),
            Message::Matchmaker(ToMatchmaker::DecreeA(m)) => {
                self.check_decree_used(from, &m.message)
            }
            Message::Acceptor(ToAcceptor::Phase1A(m)) => self.check_used(from, m.round),
            Message::Acceptor(ToAcceptor::Phase2A(m)) => self.check_used(from, m.round),
            _ => Ok(()),
        }
    }

    fn durable(&self, is_durable: bool, from: NodeId, what: impl FnOnce() -> String) -> Verdict {
        if is_durable {
            return Ok(());
        }
        fail(PROPERTY, format!("{} tells what is not durable: {}", self.name(from), what()))
    }

    fn check_used(&self, from: NodeId, round: Round) -> Verdict {
        let is_durable = self.used.get(&from).is_some_and(|used| used.number >= round.number);
        self.durable(is_durable, from, || format!("that it uses {round}"))
    }

    fn check_acceptor(&self, from: NodeId, m: &FromAcceptor) -> Verdict {
        match m {
            FromAcceptor::Phase1B(m) => {
                let has_promised = self.promised.get(&from) >= Some(&m.round);
                self.durable(has_promised, from, || format!("the promise of {}", m.round))?;
                let persisted = self.persisted.get(&from).copied().unwrap_or_default();
                let is_persisted = m.persisted_watermark <= persisted;
                let told = m.persisted_watermark;
                self.durable(is_persisted, from, || format!("that {told} is persisted"))?;
                let unfounded = m.votes.iter().find(|vote| {
                    let voters = self.votes.get(&(vote.slot, vote.round));
                    !voters.is_some_and(|voters| voters.contains(&from))
                });
                self.durable(unfounded.is_none(), from, || format!("{unfounded:?}"))
            }
            FromAcceptor::Phase2B(m) => {
                let persisted = self.persisted.get(&from).copied().unwrap_or_default();
                let voters = self.votes.get(&(m.slot, m.round));
                let has_voted = voters.is_some_and(|voters| voters.contains(&from));
                let is_durable = has_voted || m.slot < persisted;
                self.durable(is_durable, from, || format!("the vote {m:?}"))
            }
            FromAcceptor::PersistedB(m) => {
                let persisted = self.persisted.get(&from).copied().unwrap_or_default();
                self.durable(m.watermark <= persisted, from, || format!("{m:?}"))
            }
            FromAcceptor::Nack(_) | FromAcceptor::ReadB(_) | FromAcceptor::ProbeB(_) => Ok(()),
        }
    }

    fn check_matchmaker(&self, from: NodeId, m: &FromMatchmaker) -> Verdict {
        let has_collected = |epoch, watermark| {
            let registry = self.generations.registries.get(&(epoch, from));
            let collected = registry.and_then(|registry| registry.watermark);
            watermark <= collected.unwrap_or(Round::ZERO)
        };
        match m {
            FromMatchmaker::MatchB(m) => {
                let registry = self.generations.registries.get(&(m.epoch, from));
                let is_registered = registry.is_some_and(|all| all.rounds.contains_key(&m.round));
                let is_durable = is_registered && has_collected(m.epoch, m.watermark);
                self.durable(is_durable, from, || format!("{m:?}"))
            }
            FromMatchmaker::GarbageB(m) => {
                self.durable(has_collected(m.epoch, m.watermark), from, || format!("{m:?}"))
            }
            FromMatchmaker::Stopped(m) => {
                let is_durable = match &m.successor {
                    Some(successor) => self.knows(from, successor.generation.epoch),
                    None => self.generations.stopped.contains(&(m.epoch, from)),
                };
                self.durable(is_durable, from, || format!("{m:?}"))
            }
            FromMatchmaker::NewestB(_) | FromMatchmaker::MatchNack(_) => Ok(()),
        }
    }

    fn check_decree_used(&self, from: NodeId, m: &ToAcceptor) -> Verdict {
        let (ToAcceptor::Phase1A(Phase1A { round, .. })
        | ToAcceptor::Phase2A(Phase2A { round, .. })) = m
        else {
            return Ok(());
        };
        let is_durable = self.generations.used.get(&from) >= Some(round);
        self.durable(is_durable, from, || format!("that it uses {round} in a decree"))
    }

    fn check_handover(&self, from: NodeId, m: &ToReconfigurer) -> Verdict {
        let is_durable = match m {
            ToReconfigurer::StopB(m) => self.generations.stopped.contains(&(m.epoch, from)),
            ToReconfigurer::DecreeB(m) => self.has_voted(from, m),
            ToReconfigurer::ActivateB(m) => self.knows(from, m.epoch),
            ToReconfigurer::SucceededB(m) => self.knows(from, m.epoch),
            ToReconfigurer::AnnounceB(m) => self.generations.followed.get(&from) >= Some(&m.epoch),
            ToReconfigurer::OriginB(m) => self.knows(from, m.successor.generation.epoch),
            ToReconfigurer::HandoverA(_)
            | ToReconfigurer::ReachB(_)
            | ToReconfigurer::AnnounceA(_)
            | ToReconfigurer::Pending(_) => true,
        };
        self.durable(is_durable, from, || format!("{m:?}"))
    }

    fn has_voted(&self, from: NodeId, DecreeB { epoch, message }: &DecreeB) -> bool {
        match message {
            FromAcceptor::Phase1B(m) => {
                self.generations.promised.get(&(*epoch, from)) >= Some(&m.round)
            }
            FromAcceptor::Phase2B(m) => {
                let votes = self.generations.votes.get(&(*epoch, m.round));
                votes.is_some_and(|votes| votes.contains(&from))
            }
            FromAcceptor::Nack(_)
            | FromAcceptor::ReadB(_)
            | FromAcceptor::PersistedB(_)
            | FromAcceptor::ProbeB(_) => true,
        }
    }
}
