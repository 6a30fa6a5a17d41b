//! Each payload as a message for its receiver.

use paxos::message::Return;

use super::{
    BeginA, BeginB, DecreeA, DecreeB, DependencyA, DependencyB, Executed, FreezeA, FreezeB,
    FromDependencyNode, Frozen, Message, ProposerB, ReachA, ReachB, Recover, ReplicaB, Request,
    ServiceB, Succeeded, ToApplication, ToDependencyNode, ToProposer, ToReplica, ToSession,
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
