//! Every payload as a message of its receiver, and every receiver's message as one that travels.

use paxos::message::{
    ArchivedB, FetchA, FromAcceptor, FromSession, Marked, Return, ToAcceptor, ToArchive, ToReplica,
    ToSession,
};

use super::{
    ActivateA, ActivateB, AnnounceA, AnnounceB, CollectedA, DecreeA, DecreeB, FromMatchmaker,
    GarbageA, GarbageB, HandoverA, HandoverB, Heartbeat, MatchA, MatchB, MatchNack, Message,
    NewestA, NewestB, OriginA, OriginB, Pending, ReachA, ReachB, ReconfigureA, ReconfigureB,
    StatusA, StatusB, StopA, StopB, Stopped, SucceededA, SucceededB, TakeOver, ToApplication,
    ToMatchmaker, ToProposer, ToReconfigurer, TransferA,
};

impl From<NewestA> for ToMatchmaker {
    fn from(payload: NewestA) -> Self {
        Self::NewestA(payload)
    }
}

impl From<MatchA> for ToMatchmaker {
    fn from(payload: MatchA) -> Self {
        Self::MatchA(Box::new(payload))
    }
}

impl From<GarbageA> for ToMatchmaker {
    fn from(payload: GarbageA) -> Self {
        Self::GarbageA(payload)
    }
}

impl From<NewestB> for FromMatchmaker {
    fn from(payload: NewestB) -> Self {
        Self::NewestB(Box::new(payload))
    }
}

impl From<MatchB> for FromMatchmaker {
    fn from(payload: MatchB) -> Self {
        Self::MatchB(Box::new(payload))
    }
}

impl From<MatchNack> for FromMatchmaker {
    fn from(payload: MatchNack) -> Self {
        Self::MatchNack(Box::new(payload))
    }
}

impl From<GarbageB> for FromMatchmaker {
    fn from(payload: GarbageB) -> Self {
        Self::GarbageB(payload)
    }
}

impl From<FromAcceptor> for ToProposer {
    fn from(payload: FromAcceptor) -> Self {
        Self::Acceptor(payload)
    }
}

impl From<FromMatchmaker> for ToProposer {
    fn from(payload: FromMatchmaker) -> Self {
        Self::Matchmaker(payload)
    }
}

impl From<FromSession> for ToProposer {
    fn from(payload: FromSession) -> Self {
        Self::Session(payload)
    }
}

impl From<ArchivedB> for ToProposer {
    fn from(payload: ArchivedB) -> Self {
        Self::ArchivedB(payload)
    }
}

impl From<FetchA> for ToProposer {
    fn from(payload: FetchA) -> Self {
        Self::FetchA(payload)
    }
}

impl From<Heartbeat> for ToProposer {
    fn from(payload: Heartbeat) -> Self {
        Self::Heartbeat(Box::new(payload))
    }
}

impl From<ReconfigureA> for ToProposer {
    fn from(payload: ReconfigureA) -> Self {
        Self::ReconfigureA(Box::new(payload))
    }
}

impl From<TransferA> for ToProposer {
    fn from(payload: TransferA) -> Self {
        Self::TransferA(payload)
    }
}

impl From<TakeOver> for ToProposer {
    fn from(payload: TakeOver) -> Self {
        Self::TakeOver(payload)
    }
}

impl From<CollectedA> for ToProposer {
    fn from(payload: CollectedA) -> Self {
        Self::CollectedA(payload)
    }
}

impl From<StatusA> for ToProposer {
    fn from(payload: StatusA) -> Self {
        Self::StatusA(payload)
    }
}

impl From<Return> for ToApplication {
    fn from(payload: Return) -> Self {
        Self::Return(payload)
    }
}

impl From<ReconfigureB> for ToApplication {
    fn from(payload: ReconfigureB) -> Self {
        Self::ReconfigureB(Box::new(payload))
    }
}

impl From<Heartbeat> for ToApplication {
    fn from(payload: Heartbeat) -> Self {
        Self::Heartbeat(Box::new(payload))
    }
}

impl From<StatusB> for ToApplication {
    fn from(payload: StatusB) -> Self {
        Self::StatusB(Box::new(payload))
    }
}

impl From<ToAcceptor> for Message {
    fn from(payload: ToAcceptor) -> Self {
        Self::Acceptor(payload)
    }
}

impl From<ToMatchmaker> for Message {
    fn from(payload: ToMatchmaker) -> Self {
        Self::Matchmaker(payload)
    }
}

impl From<ToProposer> for Message {
    fn from(payload: ToProposer) -> Self {
        Self::Proposer(payload)
    }
}

impl From<ToReplica> for Message {
    fn from(payload: ToReplica) -> Self {
        Self::Replica(payload)
    }
}

impl From<ToArchive> for Message {
    fn from(payload: ToArchive) -> Self {
        Self::Archive(payload)
    }
}

impl From<ToSession> for Message {
    fn from(payload: ToSession) -> Self {
        Self::Session(payload)
    }
}

impl From<ToApplication> for Message {
    fn from(payload: ToApplication) -> Self {
        Self::Application(payload)
    }
}

impl From<FromAcceptor> for Message {
    fn from(message: FromAcceptor) -> Self {
        Self::Proposer(ToProposer::Acceptor(message))
    }
}

impl From<FromMatchmaker> for Message {
    fn from(message: FromMatchmaker) -> Self {
        Self::Proposer(ToProposer::Matchmaker(message))
    }
}

impl From<ReachA> for ToMatchmaker {
    fn from(payload: ReachA) -> Self {
        Self::ReachA(payload)
    }
}

impl From<StopA> for ToMatchmaker {
    fn from(payload: StopA) -> Self {
        Self::StopA(payload)
    }
}

impl From<DecreeA> for ToMatchmaker {
    fn from(payload: DecreeA) -> Self {
        Self::DecreeA(Box::new(payload))
    }
}

impl From<ActivateA> for ToMatchmaker {
    fn from(payload: ActivateA) -> Self {
        Self::ActivateA(Box::new(payload))
    }
}

impl From<SucceededA> for ToMatchmaker {
    fn from(payload: SucceededA) -> Self {
        Self::SucceededA(Box::new(payload))
    }
}

impl From<OriginA> for ToMatchmaker {
    fn from(payload: OriginA) -> Self {
        Self::OriginA(payload)
    }
}

impl From<Stopped> for FromMatchmaker {
    fn from(payload: Stopped) -> Self {
        Self::Stopped(Box::new(payload))
    }
}

impl From<HandoverA> for ToReconfigurer {
    fn from(payload: HandoverA) -> Self {
        Self::HandoverA(payload)
    }
}

impl From<ReachB> for ToReconfigurer {
    fn from(payload: ReachB) -> Self {
        Self::ReachB(payload)
    }
}

impl From<StopB> for ToReconfigurer {
    fn from(payload: StopB) -> Self {
        Self::StopB(Box::new(payload))
    }
}

impl From<DecreeB> for ToReconfigurer {
    fn from(payload: DecreeB) -> Self {
        Self::DecreeB(Box::new(payload))
    }
}

impl From<ActivateB> for ToReconfigurer {
    fn from(payload: ActivateB) -> Self {
        Self::ActivateB(payload)
    }
}

impl From<SucceededB> for ToReconfigurer {
    fn from(payload: SucceededB) -> Self {
        Self::SucceededB(payload)
    }
}

impl From<AnnounceA> for ToReconfigurer {
    fn from(payload: AnnounceA) -> Self {
        Self::AnnounceA(payload)
    }
}

impl From<AnnounceB> for ToReconfigurer {
    fn from(payload: AnnounceB) -> Self {
        Self::AnnounceB(payload)
    }
}

impl From<Pending> for ToReconfigurer {
    fn from(payload: Pending) -> Self {
        Self::Pending(payload)
    }
}

impl From<OriginB> for ToReconfigurer {
    fn from(payload: OriginB) -> Self {
        Self::OriginB(Box::new(payload))
    }
}

impl From<ToReconfigurer> for ToProposer {
    fn from(payload: ToReconfigurer) -> Self {
        Self::Reconfigurer(payload)
    }
}

impl From<HandoverB> for ToApplication {
    fn from(payload: HandoverB) -> Self {
        Self::HandoverB(Box::new(payload))
    }
}

impl From<Marked> for ToProposer {
    fn from(payload: Marked) -> Self {
        Self::Marked(payload)
    }
}
