//! Bugs to put into a run, each of which a property must catch: a judge that cannot fail proves nothing.
//!
//! Those listed here are at the boundary of the actors: a record is dropped, a message changed, forged
//! or lost, a disk lies. No role knows of them. Those inside the roles are in `inside`; they are there
//! only if the feature `mutants` is on.

mod bpaxos;
mod inside;

use matchmaker::leader::LeaderRecord;
use matchmaker::message::{FromMatchmaker, GarbageA, Message, ToMatchmaker, ToProposer};
use matchmaker::node::NodeRecord;
use paxos::acceptor::AcceptorRecord;
use paxos::actor::NodeId;
use paxos::archive::ArchiveRecord;
use paxos::command::Value;
use paxos::message::{Chosen, FromAcceptor, ReadB, ToAcceptor, ToReplica};
use paxos::mutant::{self, Mutant};

use crate::plan::{Places, ProtocolName, Role};
use crate::workload::Workload;
use crate::world::{Envelope, World};
use inside::{others, rounds};

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Mutation {
    SendBeforeSync,
    ForgetPromise,
    ForgetVotes,
    HideVote,
    ForgeMatchB,
    HideHistory,
    ForgetRegistration,
    ForgetWatermark,
    EarlyGarbage,
    TwoValues,
    OtherValueInAdjacentRound,
    EarlyChosen,
    EarlyArchived,
    ExecuteTwice,
    ForgeReadB,
    ForgePhase1B,
    ForgePhase2B,
    ForgePersistedB,
    ForgeGarbageB,
    ForgetRounds,
    ForgetLives,
    LoseFetchB,
    LoseGarbageB,
    LoseNewestB,
    AcknowledgeWholeQueue,
    CutOffDamage,
    TrustPageCache,
    LoseCheckpoint,
    ForgetAtOnce,
    ForgetChunks,
    IgnoreFailedSync,
    RejoinWiped,
    RestoreAtZero,
    RestoreInPart,
    /// One inside a role; see [`Mutant`].
    Inside(Mutant),
}

/// What a bug is, and which properties are meant to catch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// The bug.
    pub mutation: Mutation,
    /// Its place in the catalogue.
    pub id: &'static str,
    /// What is wrong.
    pub text: &'static str,
    /// Properties, one of which must catch it.
    pub caught_by: &'static [&'static str],
}

const fn bug(
    mutation: Mutation,
    id: &'static str,
    text: &'static str,
    caught_by: &'static [&'static str],
) -> Description {
    Description { mutation, id, text, caught_by }
}

impl Mutation {
    /// Bugs at the boundary.
    const OUTSIDE: [Description; 34] = [
        bug(Self::SendBeforeSync, "R01", "messages do not wait for the disk", &["D1"]),
        bug(
            Self::ForgetPromise,
            "R02",
            "an acceptor forgets its promises in a crash",
            &["A6", "D2"],
        ),
        bug(
            Self::ForgetVotes,
            "R03",
            "an acceptor forgets its votes in a crash",
            &["A6", "A2", "D2"],
        ),
        bug(
            Self::HideVote,
            "R03b",
            "an acceptor hides a vote in Phase 1",
            &["A2", "A10", "A21", "A23"],
        ),
        bug(
            Self::ForgeMatchB,
            "R11x",
            "one matchmaker that answers counts for all",
            &["A7", "A8", "A11", "A10", "A2"],
        ),
        bug(Self::HideHistory, "R12x", "a matchmaker hides the round below", &["A8"]),
        bug(
            Self::ForgetRegistration,
            "R14",
            "a matchmaker forgets rounds in a crash",
            &["A8", "D1", "A9", "D2"],
        ),
        bug(
            Self::ForgetWatermark,
            "R15x",
            "a matchmaker forgets its watermark in a crash",
            &["A9", "D1", "A8", "D2"],
        ),
        bug(
            Self::EarlyGarbage,
            "R18",
            "configurations are collected once something is proposed",
            &["A10"],
        ),
        bug(
            Self::TwoValues,
            "R30",
            "a leader proposes another value to some acceptors",
            &["A3", "A2", "A21", "A5"],
        ),
        bug(
            Self::OtherValueInAdjacentRound,
            "R30a",
            "a leader proposes other values in its adjacent round",
            &["A2", "A3", "A5", "A13"],
        ),
        bug(Self::EarlyChosen, "R25x", "a value is told as chosen when it is proposed", &["A13"]),
        bug(Self::EarlyArchived, "R26", "an archive tells of what it has not written", &["D1"]),
        bug(
            Self::ExecuteTwice,
            "R60",
            "a restarted replica executes each command twice",
            &["A14", "A15"],
        ),
        bug(
            Self::ForgeReadB,
            "R62",
            "a leader believes that all acceptors confirm its reads",
            &["A20", "A16"],
        ),
        bug(
            Self::ForgePhase1B,
            "R08x",
            "one promise counts for all acceptors",
            &["A7", "A2", "A10", "A21"],
        ),
        bug(Self::ForgePhase2B, "R73x", "one vote counts for all acceptors", &["A13"]),
        bug(Self::ForgePersistedB, "R22", "one acceptor that was told counts for all", &["A10"]),
        bug(
            Self::ForgeGarbageB,
            "R43x",
            "one matchmaker that has collected counts for all",
            &["A11"],
        ),
        bug(
            Self::ForgetRounds,
            "R31",
            "a proposer forgets in a crash which rounds it has used",
            &["A4", "A3", "D1", "A2", "D2"],
        ),
        bug(
            Self::ForgetLives,
            "R60x",
            "a session forgets in a crash which lives it has had",
            &["A15", "A16", "L1", "D5", "D2"],
        ),
        bug(Self::LoseFetchB, "R77x", "replicas get no values from elsewhere", &["L1"]),
        bug(Self::LoseGarbageB, "R83x", "leaders never hear that something is collected", &["L1"]),
        bug(
            Self::LoseNewestB,
            "R81x",
            "candidates never hear of the newest configuration",
            &["L1"],
        ),
        bug(
            Self::AcknowledgeWholeQueue,
            "R72",
            "a sync counts for what was written after it began",
            &["D1"],
        ),
        bug(Self::CutOffDamage, "R67", "a log is cut off at the first bad record", &["D2"]),
        bug(
            Self::TrustPageCache,
            "R69",
            "what is read back after a kill is not synced",
            &["D2", "A6"],
        ),
        bug(
            Self::LoseCheckpoint,
            "R69b",
            "a checkpoint is not synced when what is before it goes",
            &["D2"],
        ),
        bug(Self::ForgetAtOnce, "R65x", "what is before a checkpoint goes at once", &["A22", "D2"]),
        bug(
            Self::ForgetChunks,
            "R66",
            "the beginning of a snapshot is missing after a restart",
            &["A22", "D2"],
        ),
        bug(Self::IgnoreFailedSync, "R68", "an error of a sync is ignored", &["D2", "D5"]),
        bug(
            Self::RejoinWiped,
            "R71",
            "a node with a wiped directory returns as the one it was",
            &["A6", "D2"],
        ),
        bug(
            Self::RestoreAtZero,
            "R107",
            "the log of a cluster that begins with a backup begins at slot zero",
            &["A17"],
        ),
        bug(
            Self::RestoreInPart,
            "R108",
            "a node is prepared from a backup without its last part",
            &["A22"],
        ),
    ];

    /// All bugs of Matchmaker MultiPaxos.
    pub fn all() -> impl Iterator<Item = &'static Description> {
        Self::all_of(ProtocolName::Matchmaker)
    }

    /// All bugs of `protocol`.
    pub fn all_of(protocol: ProtocolName) -> impl Iterator<Item = &'static Description> {
        let (outside, inside) = match protocol {
            ProtocolName::Matchmaker => (&Self::OUTSIDE[..], [&rounds::ALL[..], &others::ALL]),
            ProtocolName::Bpaxos => (&bpaxos::OUTSIDE[..], [&bpaxos::INSIDE[..], &[]]),
        };
        outside.iter().chain(inside.into_iter().flatten())
    }

    /// The bugs of every protocol. Some are of both.
    fn known() -> impl Iterator<Item = &'static Description> {
        Self::all().chain(Self::all_of(ProtocolName::Bpaxos))
    }

    /// What it is.
    pub fn description(self) -> Option<&'static Description> {
        Self::known().find(|description| description.mutation == self)
    }

    /// The bug of that place in the catalogue.
    pub fn find(id: &str) -> Option<Self> {
        let description = Self::known().find(|bug| bug.id.eq_ignore_ascii_case(id))?;
        Some(description.mutation)
    }

    /// Puts the bug of a run into the roles on this thread, or takes the last one out. False if it is
    /// inside a role, and no such bugs are compiled in.
    pub fn select(mutation: Option<Self>) -> bool {
        match mutation {
            Some(Self::Inside(mutant)) => mutant::select(Some(mutant)),
            _ => {
                mutant::select(None);
                true
            }
        }
    }

    /// Whether a restarting process forgets `record`.
    pub(crate) fn forgets(self, record: &NodeRecord) -> bool {
        match record {
            NodeRecord::Acceptor(AcceptorRecord::Promised(_)) => self == Self::ForgetPromise,
            NodeRecord::Acceptor(AcceptorRecord::Voted(_)) => self == Self::ForgetVotes,
            NodeRecord::Matchmaker(matchmaker::matchmaker::MatchmakerRecord::Collected(_)) => {
                self == Self::ForgetWatermark
            }
            NodeRecord::Matchmaker(_) => self == Self::ForgetRegistration,
            NodeRecord::Proposer(LeaderRecord::Used(_)) => self == Self::ForgetRounds,
            NodeRecord::Session(_) => self == Self::ForgetLives,
            NodeRecord::Archive(ArchiveRecord::Chunk(chunk)) => {
                self == Self::ForgetChunks && chunk.number == 0
            }
            _ => false,
        }
    }
}

impl<W: Workload> World<W> {
    /// What leaves instead of `envelope`, and what leaves as well.
    pub(crate) fn mutate_departure(
        &self,
        mut envelope: Envelope<Message>,
    ) -> (Envelope<Message>, Vec<Envelope<Message>>) {
        let Some(mutation) = self.mutation() else { return (envelope, Vec::new()) };
        let forged = forged_requests(mutation, &envelope, self.places());
        change(mutation, &mut envelope);
        (envelope, forged)
    }

    /// What arrives instead of `envelope`.
    pub(crate) fn mutate_arrival(&self, envelope: Envelope<Message>) -> Vec<Envelope<Message>> {
        let Some(mutation) = self.mutation() else { return vec![envelope] };
        if is_lost(mutation, &envelope.message) {
            return Vec::new();
        }
        match forged_senders(mutation, &envelope.message) {
            Some(role) => {
                let senders = self.places().every(role).into_iter();
                senders.map(|from| Envelope { from, ..envelope.clone() }).collect()
            }
            None => vec![envelope],
        }
    }
}

/// Changes what a message says.
fn change(mutation: Mutation, Envelope { to, message, .. }: &mut Envelope<Message>) {
    match message {
        Message::Acceptor(ToAcceptor::Phase2A(m)) => {
            let is_other = match mutation {
                Mutation::TwoValues => to.seat.0 % 2 == 1,
                Mutation::OtherValueInAdjacentRound => m.round.step > 0 && m.slot.0 % 2 == 0,
                _ => false,
            };
            if is_other {
                m.value = Value::Noop;
            }
        }
        Message::Proposer(ToProposer::Acceptor(FromAcceptor::Phase1B(m)))
            if mutation == Mutation::HideVote =>
        {
            m.votes.pop();
        }
        Message::Proposer(ToProposer::Matchmaker(FromMatchmaker::MatchB(m)))
            if mutation == Mutation::HideHistory =>
        {
            m.history.pop_last();
        }
        Message::Proposer(ToProposer::ArchivedB(m)) if mutation == Mutation::EarlyArchived => {
            m.persisted_watermark = m.executed_watermark.next();
        }
        Message::Acceptor(_)
        | Message::Matchmaker(_)
        | Message::Proposer(_)
        | Message::Replica(_)
        | Message::Archive(_)
        | Message::Session(_)
        | Message::Application(_) => {}
    }
}

/// What else leaves.
fn forged_requests(
    mutation: Mutation,
    envelope: &Envelope<Message>,
    places: &Places,
) -> Vec<Envelope<Message>> {
    let Message::Acceptor(ToAcceptor::Phase2A(m)) = &envelope.message else {
        return forged_reads(mutation, envelope);
    };
    let to_every = |role, message: Message| {
        let receivers: Vec<NodeId> = places.every(role);
        let send = |to| Envelope { from: envelope.from, to, message: message.clone() };
        receivers.into_iter().map(send).collect()
    };
    match mutation {
        Mutation::EarlyGarbage => {
            let m = GarbageA { epoch: places.deployment().epoch, round: m.round };
            to_every(Role::Matchmaker, Message::Matchmaker(ToMatchmaker::GarbageA(m)))
        }
        Mutation::EarlyChosen => {
            let m = Chosen { slot: m.slot, value: m.value.clone() };
            to_every(Role::Replica, Message::Replica(ToReplica::Chosen(m)))
        }
        _ => Vec::new(),
    }
}

/// The answer that a leader believes to have, as soon as it asks.
fn forged_reads(mutation: Mutation, envelope: &Envelope<Message>) -> Vec<Envelope<Message>> {
    match (mutation, &envelope.message) {
        (Mutation::ForgeReadB, Message::Acceptor(ToAcceptor::ReadA(m))) => {
            let m = FromAcceptor::ReadB(ReadB { round: m.round, nonce: m.nonce });
            let message = Message::Proposer(ToProposer::Acceptor(m));
            vec![Envelope { from: envelope.to, to: envelope.from, message }]
        }
        _ => Vec::new(),
    }
}

/// All of this role count as the sender of a message.
fn forged_senders(mutation: Mutation, message: &Message) -> Option<Role> {
    let Message::Proposer(m) = message else { return None };
    let (forging, role) = match m {
        ToProposer::Acceptor(FromAcceptor::Phase1B(_)) => (Mutation::ForgePhase1B, Role::Acceptor),
        ToProposer::Acceptor(FromAcceptor::Phase2B(_)) => (Mutation::ForgePhase2B, Role::Acceptor),
        ToProposer::Acceptor(FromAcceptor::PersistedB(_)) => {
            (Mutation::ForgePersistedB, Role::Acceptor)
        }
        ToProposer::Matchmaker(FromMatchmaker::MatchB(_)) => {
            (Mutation::ForgeMatchB, Role::Matchmaker)
        }
        ToProposer::Matchmaker(FromMatchmaker::GarbageB(_)) => {
            (Mutation::ForgeGarbageB, Role::Matchmaker)
        }
        _ => return None,
    };
    (forging == mutation).then_some(role)
}

fn is_lost(mutation: Mutation, message: &Message) -> bool {
    match message {
        Message::Replica(ToReplica::FetchB(_)) => mutation == Mutation::LoseFetchB,
        Message::Proposer(ToProposer::Matchmaker(FromMatchmaker::GarbageB(_))) => {
            mutation == Mutation::LoseGarbageB
        }
        Message::Proposer(ToProposer::Matchmaker(FromMatchmaker::NewestB(_))) => {
            mutation == Mutation::LoseNewestB
        }
        _ => false,
    }
}
