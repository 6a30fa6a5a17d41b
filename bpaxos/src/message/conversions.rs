//! Each payload as a message for its receiver.

use paxos::message::Return;

use super::{
    DependencyA, DependencyB, Executed, Message, Recover, Request, ToApplication, ToDependencyNode,
    ToProposer, ToSession,
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
