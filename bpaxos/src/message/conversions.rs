//! Each payload as a message for its receiver.

use paxos::message::{Keep, Kept, RestoreA, Return, SnapshotA, SnapshotB};

use super::{
    BeginA, BeginB, Behind, ColumnsB, ContentsA, ContentsB, Covered, DecreeA, DecreeB, DependencyA,
    DependencyB, Executed, FreezeA, FreezeB, FromDependencyNode, Frozen, Message, ProposerB,
    ReachA, ReachB, Recover, ReplicaB, Request, ServiceB, SnapshotWanted, Succeeded, TakeSnapshot,
    ToApplication, ToArchive, ToDependencyNode, ToProposer, ToRegistry, ToReplica, ToSession,
};
use crate::column::InColumn;

impl From<InColumn<matchmaker::message::Message>> for Message {
    fn from(message: InColumn<matchmaker::message::Message>) -> Self {
        Self::Column(message)
    }
}

impl From<ToDependencyNode> for Message {
    fn from(message: ToDependencyNode) -> Self {
        Self::DependencyNode(message)
    }
}

impl From<ToProposer> for Message {
    fn from(message: ToProposer) -> Self {
        Self::Proposer(message)
    }
}

impl From<ToSession> for Message {
    fn from(message: ToSession) -> Self {
        Self::Session(message)
    }
}

impl From<ToApplication> for Message {
    fn from(message: ToApplication) -> Self {
        Self::Application(message)
    }
}

impl From<DependencyA> for Message {
    fn from(payload: DependencyA) -> Self {
        ToDependencyNode::DependencyA(payload).into()
    }
}

impl From<DependencyB> for Message {
    fn from(payload: DependencyB) -> Self {
        ToProposer::DependencyB(payload).into()
    }
}

impl From<Request> for Message {
    fn from(payload: Request) -> Self {
        ToProposer::Request(payload).into()
    }
}

impl From<Recover> for Message {
    fn from(payload: Recover) -> Self {
        ToProposer::Recover(payload).into()
    }
}

impl From<Executed> for Message {
    fn from(payload: Executed) -> Self {
        ToSession::Executed(payload).into()
    }
}

impl From<Return> for Message {
    fn from(payload: Return) -> Self {
        ToApplication::Return(payload).into()
    }
}

impl From<ReachA> for Message {
    fn from(payload: ReachA) -> Self {
        ToDependencyNode::ReachA(payload).into()
    }
}

impl From<FreezeA> for Message {
    fn from(payload: FreezeA) -> Self {
        ToDependencyNode::FreezeA(payload).into()
    }
}

impl From<DecreeA> for Message {
    fn from(payload: DecreeA) -> Self {
        ToDependencyNode::DecreeA(payload).into()
    }
}

impl From<BeginA> for Message {
    fn from(payload: BeginA) -> Self {
        ToDependencyNode::BeginA(payload).into()
    }
}

impl From<FromDependencyNode> for Message {
    fn from(payload: FromDependencyNode) -> Self {
        ToProposer::Service(payload).into()
    }
}

impl From<ReachB> for Message {
    fn from(payload: ReachB) -> Self {
        FromDependencyNode::ReachB(payload).into()
    }
}

impl From<FreezeB> for Message {
    fn from(payload: FreezeB) -> Self {
        FromDependencyNode::FreezeB(payload).into()
    }
}

impl From<DecreeB> for Message {
    fn from(payload: DecreeB) -> Self {
        FromDependencyNode::DecreeB(payload).into()
    }
}

impl From<BeginB> for Message {
    fn from(payload: BeginB) -> Self {
        FromDependencyNode::BeginB(payload).into()
    }
}

impl From<Succeeded> for Message {
    fn from(payload: Succeeded) -> Self {
        FromDependencyNode::Succeeded(payload).into()
    }
}

impl From<Frozen> for Message {
    fn from(payload: Frozen) -> Self {
        FromDependencyNode::Frozen(payload).into()
    }
}

impl From<Behind> for Message {
    fn from(payload: Behind) -> Self {
        FromDependencyNode::Behind(payload).into()
    }
}

impl From<ServiceB> for Message {
    fn from(payload: ServiceB) -> Self {
        ToApplication::ServiceB(payload).into()
    }
}

impl From<ProposerB> for Message {
    fn from(payload: ProposerB) -> Self {
        ToApplication::ProposerB(payload).into()
    }
}

impl From<ReplicaB> for Message {
    fn from(payload: ReplicaB) -> Self {
        ToApplication::ReplicaB(payload).into()
    }
}

impl From<ToReplica> for Message {
    fn from(message: ToReplica) -> Self {
        Self::Replica(message)
    }
}

impl From<ToArchive> for Message {
    fn from(message: ToArchive) -> Self {
        Self::Archive(message)
    }
}

impl From<TakeSnapshot> for Message {
    fn from(payload: TakeSnapshot) -> Self {
        ToProposer::TakeSnapshot(payload).into()
    }
}

impl From<ContentsA> for Message {
    fn from(payload: ContentsA) -> Self {
        ToArchive::ContentsA(payload).into()
    }
}

impl From<Keep> for Message {
    fn from(payload: Keep) -> Self {
        ToArchive::Keep(payload).into()
    }
}

impl From<RestoreA> for Message {
    fn from(payload: RestoreA) -> Self {
        ToArchive::RestoreA(payload).into()
    }
}

impl From<ContentsB> for Message {
    fn from(payload: ContentsB) -> Self {
        ToReplica::ContentsB(payload).into()
    }
}

impl From<Covered> for Message {
    fn from(payload: Covered) -> Self {
        ToReplica::Covered(payload).into()
    }
}

impl From<SnapshotWanted> for Message {
    fn from(payload: SnapshotWanted) -> Self {
        ToReplica::SnapshotWanted(payload).into()
    }
}

impl From<Kept> for Message {
    fn from(payload: Kept) -> Self {
        ToReplica::Kept(payload).into()
    }
}

impl From<SnapshotA> for Message {
    fn from(payload: SnapshotA) -> Self {
        ToReplica::SnapshotA(payload).into()
    }
}

impl From<SnapshotB> for Message {
    fn from(payload: SnapshotB) -> Self {
        ToReplica::SnapshotB(payload).into()
    }
}

impl From<ToRegistry> for Message {
    fn from(message: ToRegistry) -> Self {
        Self::Registry(message)
    }
}

impl From<ColumnsB> for Message {
    fn from(payload: ColumnsB) -> Self {
        ToProposer::ColumnsB(payload).into()
    }
}
