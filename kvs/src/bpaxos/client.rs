//! A handle on a running process: execute, read, ask how things are.

use bpaxos::message::{
    MatchmakersB, Message, ProposerB, ReplicaB, ServiceB, ToApplication, ToSession,
};
use bpaxos::vertex::Column;
use bytes::Bytes;
use matchmaker::message as column;
use paxos::actor::NodeId;
use paxos::message::{Invoke, Operation, Outcome};
use paxos::runtime::{HostHandle, Port};
use paxos::wire::Payload;
use tokio::sync::oneshot;

use crate::calls::{Calls, done, executed};
use crate::deployment::Application;
use crate::log::{Order, ReplicatedLog, RequestError};
use crate::log_entry::encode_question;
use crate::outlook::Outlook;
use crate::process::Handle;

/// What actors tell operators.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// The leader of the log of a column.
    Column(Column, column::ToApplication),
    /// A proposer, of the dependency service that it has moved to.
    Service(ServiceB),
    /// A proposer, of the matchmakers that it has replaced.
    Matchmakers(MatchmakersB),
    /// A proposer, of itself.
    Proposer(NodeId, ProposerB),
    /// A replica, of itself.
    Replica(NodeId, ReplicaB),
}

/// Executes commands, reads, and operates the cluster. Cheap to clone.
#[derive(Clone)]
pub struct BpaxosClient {
    pub(super) handle: HostHandle<Message>,
    pub(super) application: Application,
    pub(super) outlook: Outlook,
    pub(super) calls: Calls<Answer>,
}

impl BpaxosClient {
    /// A client at `application` of the process behind `handle`, and the port that its answers come
    /// in by.
    pub(crate) fn new(
        handle: HostHandle<Message>,
        application: Application,
        outlook: Outlook,
    ) -> (Self, Port<Message>) {
        let client = Self { handle, application, outlook, calls: Calls::default() };
        let port = client.clone();
        (client, Box::new(move |from, message| port.deliver(from, message)))
    }

    /// Executes `command` once at every replica, and returns the state machine's reply. Two calls whose
    /// commands conflict are executed in the order of the calls if the second one is made after the
    /// first one has returned, and else in any.
    ///
    /// *Errors*: see [`RequestError`]; after `Ambiguous` the command may still be executed, once.
    pub fn propose(
        &self,
        command: Bytes,
    ) -> impl Future<Output = Result<Bytes, RequestError>> + Send + 'static {
        executed(self.invoke(Operation::Propose(Payload(command))))
    }

    /// Reads the state linearizably: the query is ordered among the commands that write what it reads.
    /// `None` if the state machine says that the query must be proposed as a command.
    ///
    /// *Errors*: see [`RequestError`]. A query has no effect, so its outcome is never ambiguous.
    pub fn read(
        &self,
        query: Bytes,
    ) -> impl Future<Output = Result<Option<Bytes>, RequestError>> + Send + 'static {
        let call = self.invoke(Operation::Read(Payload(encode_question(&query))));
        async move {
            match call?.await {
                Ok(outcome) => match done(outcome) {
                    Ok(reply) => Ok(reply.filter(|reply| !reply.is_empty())),
                    Err(RequestError::Ambiguous) => Err(RequestError::Unavailable),
                    Err(error) => Err(error),
                },
                Err(_) => Err(RequestError::Stopped),
            }
        }
    }

    /// Hands a call to the session.
    fn invoke(&self, operation: Operation) -> Result<oneshot::Receiver<Outcome>, RequestError> {
        let Application { node, session, .. } = self.application;
        self.calls.begin(|token| {
            let invoke = ToSession::Invoke(Invoke { token, operation });
            self.handle.try_send(node, session, Message::Session(invoke))
        })
    }

    /// Called by the host for each answer.
    fn deliver(&self, from: NodeId, message: Message) {
        match message {
            Message::Application(ToApplication::Return(m)) => self.calls.on_return(m),
            Message::Application(ToApplication::ServiceB(m)) => {
                self.calls.on_answer(m.token, Answer::Service(m));
            }
            Message::Application(ToApplication::MatchmakersB(m)) => {
                self.calls.on_answer(m.token, Answer::Matchmakers(m));
            }
            Message::Application(ToApplication::ProposerB(m)) => {
                self.calls.on_answer(m.token, Answer::Proposer(from, m));
            }
            Message::Application(ToApplication::ReplicaB(m)) => {
                self.calls.on_answer(m.token, Answer::Replica(from, m));
            }
            Message::Column(m) => {
                if let column::Message::Application(answer) = m.inner
                    && let Some(token) = token(&answer)
                {
                    self.calls.on_answer(token, Answer::Column(m.column, answer));
                }
            }
            Message::DependencyNode(_)
            | Message::Proposer(_)
            | Message::Session(_)
            | Message::Replica(_)
            | Message::Archive(_)
            | Message::Registry(_) => {}
        }
    }
}

/// The question that a leader answers, if it answers any.
fn token(answer: &column::ToApplication) -> Option<u64> {
    match answer {
        column::ToApplication::ReconfigureB(m) => Some(m.token),
        column::ToApplication::HandoverB(m) => Some(m.token),
        column::ToApplication::StatusB(m) => Some(m.token),
        column::ToApplication::Return(_)
        | column::ToApplication::Heartbeat(_)
        | column::ToApplication::Healing(_) => None,
    }
}

impl Handle for BpaxosClient {
    fn stop(&self) {
        self.handle.stop();
    }

    fn close(&self) {
        self.calls.close();
    }
}

impl ReplicatedLog for BpaxosClient {
    const ORDER: Order = Order::Returned;

    fn propose(
        &self,
        command: Bytes,
    ) -> impl Future<Output = Result<Bytes, RequestError>> + Send + 'static {
        Self::propose(self, command)
    }

    fn read(
        &self,
        query: Bytes,
    ) -> impl Future<Output = Result<Option<Bytes>, RequestError>> + Send + 'static {
        Self::read(self, query)
    }
}
