//! Bugs at the boundary of the actors, each of which some check must catch.

use matchmaker::message::{FromMatchmaker, GarbageA, Message, ToMatchmaker, ToProposer};
use matchmaker::node::NodeRecord;
use paxos::acceptor::AcceptorRecord;
use paxos::command::Value;
use paxos::message::{FromAcceptor, ReadB, ToAcceptor, ToReplica};

use super::places::{self, MATCHMAKER, PROCESSES};
use super::process::Envelope;
use super::{Event, World};

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Sends do not wait for the disk.
    SendBeforeSync,
    /// An acceptor forgets its promises in a crash.
    ForgetPromise,
    /// An acceptor forgets its votes in a crash.
    ForgetVotes,
    /// An acceptor hides a vote in Phase 1.
    HideVote,
    /// A reply of one matchmaker counts for all.
    ForgeMatchB,
    /// A matchmaker hides the rounds below.
    HideHistory,
    /// A matchmaker forgets in a crash what it registered.
    ForgetRegistration,
    /// Garbage is collected as soon as something is proposed.
    EarlyGarbage,
    /// A leader proposes nothing to one acceptor, and the value to the others.
    TwoValues,
    /// A leader proposes nothing instead of the value in the adjacent round.
    OtherValueInAdjacentRound,
    /// An archive tells of what it has not written.
    EarlyArchived,
    /// A restarted replica executes each command twice.
    ExecuteTwice,
    /// A leader believes that all acceptors confirm its reads.
    ForgeReadB,
    /// One acceptor that was told counts for all.
    ForgePersistedB,
    /// One matchmaker that has collected counts for all.
    ForgeGarbageB,
    /// Replicas get no values from elsewhere.
    LoseFetchB,
    /// A proposer forgets in a crash which rounds it has used.
    ForgetRounds,
}

impl Mutation {
    /// Whether a restarting process forgets `record`.
    pub fn forgets(self, record: &NodeRecord) -> bool {
        match record {
            NodeRecord::Acceptor(AcceptorRecord::Promised(_)) => self == Self::ForgetPromise,
            NodeRecord::Acceptor(AcceptorRecord::Voted(_)) => self == Self::ForgetVotes,
            NodeRecord::Matchmaker(_) => self == Self::ForgetRegistration,
            NodeRecord::Proposer(_) => self == Self::ForgetRounds,
            _ => false,
        }
    }
}

impl World {
    /// What leaves instead of `envelope`.
    pub(super) fn mutate_departure(&mut self, mut envelope: Envelope) -> Vec<Envelope> {
        let Some(mutation) = self.mutation else { return vec![envelope] };
        let mut more = Vec::new();
        match (mutation, &mut envelope.message) {
            (
                Mutation::HideVote,
                Message::Proposer(ToProposer::Acceptor(FromAcceptor::Phase1B(m))),
            ) => {
                m.votes.pop();
            }
            (
                Mutation::HideHistory,
                Message::Proposer(ToProposer::Matchmaker(FromMatchmaker::MatchB(m))),
            ) => {
                m.history.pop_last();
            }
            (Mutation::EarlyGarbage, Message::Acceptor(ToAcceptor::Phase2A(m))) => {
                let epoch = places::deployment().epoch;
                let m = ToMatchmaker::GarbageA(GarbageA { epoch, round: m.round });
                more.extend(places::deployment().matchmakers.into_iter().map(|to| Envelope {
                    from: envelope.from,
                    to,
                    message: Message::Matchmaker(m.clone()),
                }));
            }
            (Mutation::TwoValues, Message::Acceptor(ToAcceptor::Phase2A(m)))
                if envelope.to.seat.0 % 2 == 1 =>
            {
                m.value = Value::Noop;
            }
            (Mutation::OtherValueInAdjacentRound, Message::Acceptor(ToAcceptor::Phase2A(m)))
                if m.round.step > 0 && m.slot.0 % 2 == 0 =>
            {
                m.value = Value::Noop;
            }
            (Mutation::ForgeReadB, Message::Acceptor(ToAcceptor::ReadA(m))) => {
                let m = FromAcceptor::ReadB(ReadB { round: m.round, nonce: m.nonce });
                let message = Message::Proposer(ToProposer::Acceptor(m));
                let (from, to) = (envelope.to, envelope.from);
                self.push(0, Event::Deliver(Envelope { from, to, message }));
            }
            (Mutation::EarlyArchived, Message::Proposer(ToProposer::ArchivedB(m))) => {
                m.persisted_watermark = m.executed_watermark.next();
            }
            _ => {}
        }
        more.push(envelope);
        more
    }

    /// What arrives instead of `envelope`.
    pub(super) fn mutate_arrival(&mut self, envelope: Envelope) -> Vec<Envelope> {
        let mut all = Vec::new();
        match (self.mutation, &envelope.message) {
            (
                Some(Mutation::ForgeMatchB),
                Message::Proposer(ToProposer::Matchmaker(FromMatchmaker::MatchB(_))),
            ) => {
                for process in 0..PROCESSES {
                    let from = places::node(process, MATCHMAKER);
                    all.push(Envelope { from, ..envelope.clone() });
                }
            }
            (
                Some(Mutation::ForgePersistedB),
                Message::Proposer(ToProposer::Acceptor(FromAcceptor::PersistedB(_))),
            ) => {
                all.extend(
                    places::acceptors()
                        .into_iter()
                        .map(|from| Envelope { from, ..envelope.clone() }),
                );
            }
            (
                Some(Mutation::ForgeGarbageB),
                Message::Proposer(ToProposer::Matchmaker(FromMatchmaker::GarbageB(_))),
            ) => {
                for process in 0..PROCESSES {
                    let from = places::node(process, MATCHMAKER);
                    all.push(Envelope { from, ..envelope.clone() });
                }
            }
            (Some(Mutation::LoseFetchB), Message::Replica(ToReplica::FetchB(_))) => return all,
            _ => {}
        }
        all.push(envelope);
        all
    }
}
