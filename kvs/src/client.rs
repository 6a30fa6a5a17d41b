//! A handle on a running process: propose, read, reconfigure, ask how things are.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use matchmaker::message::{
    Message, Progress, ReconfigureA, StatusA, StatusB, ToApplication, ToProposer,
};
use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::message::{Invoke, Operation, Outcome, RequestError as Failure, ToSession};
use paxos::quorum::QuorumSystem;
use paxos::round::Round;
use paxos::runtime::{HostHandle, Port, SendError};
use paxos::wire::Payload;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::deployment::Application;
use crate::log::{ReplicatedLog, RequestError};

/// How long an operator's question waits for an answer before it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// Puts commands into the replicated log, reads, and operates the cluster. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    handle: HostHandle<Message>,
    application: Application,
    proposers: Arc<[NodeId]>,
    waiting: Arc<Mutex<Waiting>>,
}

/// Who waits for what.
#[derive(Default)]
struct Waiting {
    /// Grows with each call.
    token: u64,
    /// Calls of the session.
    calls: HashMap<u64, oneshot::Sender<Outcome>>,
    /// Questions of operators.
    operators: HashMap<u64, mpsc::UnboundedSender<ToApplication>>,
    /// Whether the host has ended.
    is_stopped: bool,
}

/// New acceptors are in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Active {
    /// The round that they vote in.
    pub round: Round,
    /// Their configuration.
    pub configuration: Configuration,
    /// How many earlier configurations the matchmakers knew of.
    pub history_count: u64,
    /// From the request to the new acceptors being in use, with the way to the leader and back.
    pub after: Duration,
}

/// Earlier configurations are garbage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// Rounds below are collected: the evidence.
    pub watermark: Round,
    /// Acceptors whose machines may be switched off.
    pub retirable: BTreeSet<NodeId>,
    /// From the request to the end of the collection.
    pub after: Duration,
}

/// Why an operation did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OperationError {
    /// The leader refused; the text says why.
    #[error("{0}")]
    Refused(String),
    /// No leader answered in time. The change may still happen; asking again is harmless.
    #[error(
        "no leader answered in time: see whether a majority of matchmakers and acceptors runs, and \
         ask again; the change may have happened meanwhile, and asking twice is harmless"
    )]
    TimedOut,
    /// This process is stopping.
    #[error("this process is stopping: ask another one")]
    Stopped,
}

impl Client {
    /// A client at `application` of the process behind `handle`, and the port that its answers come
    /// in by.
    pub(crate) fn new(
        handle: HostHandle<Message>,
        application: Application,
        proposers: Arc<[NodeId]>,
    ) -> (Self, Port<Message>) {
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let port = Arc::clone(&waiting);
        let client = Self { handle, application, proposers, waiting };
        (client, Box::new(move |_, message| deliver(&port, message)))
    }

    /// Executes `command` once at every replica, and returns the state machine's reply. The order of
    /// the calls is the order in the log.
    ///
    /// *Errors*: see [`RequestError`]; after `Ambiguous` the command may still be executed, once.
    pub fn propose(
        &self,
        command: Bytes,
    ) -> impl Future<Output = Result<Bytes, RequestError>> + Send + 'static {
        let call = self.invoke(Operation::Propose(Payload(command)));
        async move {
            match call?.await {
                Ok(outcome) => done(outcome).map(Option::unwrap_or_default),
                Err(_) => Err(RequestError::Ambiguous),
            }
        }
    }

    /// Reads the state linearizably, without writing anything. `None` if the state machine says that
    /// the query must be proposed as a command.
    ///
    /// *Errors*: see [`RequestError`].
    pub fn read(
        &self,
        query: Bytes,
    ) -> impl Future<Output = Result<Option<Bytes>, RequestError>> + Send + 'static {
        let call = self.invoke(Operation::Read(Payload(query)));
        async move { call?.await.map_or(Err(RequestError::Stopped), done) }
    }

    /// Hands a call to the session. Under one lock, so that tokens grow in the order of the calls.
    fn invoke(&self, operation: Operation) -> Result<oneshot::Receiver<Outcome>, RequestError> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = lock(&self.waiting);
        if waiting.is_stopped {
            return Err(RequestError::Stopped);
        }
        waiting.token += 1;
        let token = waiting.token;
        let invoke = Message::Session(ToSession::Invoke(Invoke { token, operation }));
        let Application { node, session } = self.application;
        match self.handle.try_send(node, session, invoke) {
            Ok(()) => {
                waiting.calls.insert(token, sender);
                Ok(receiver)
            }
            Err(SendError::Full) => Err(RequestError::Overloaded),
            Err(SendError::Stopped) => Err(RequestError::Stopped),
        }
    }

    /// Replaces the acceptors by `members`, and returns when the new ones are in use. The old ones
    /// must run until [`collected`](Self::collected).
    ///
    /// *Repeat*: harmless; acceptors that are in place already are reported as active.
    ///
    /// *Errors*: refused by the leader, or no leader within `timeout`.
    pub async fn reconfigure(
        &self,
        system: QuorumSystem,
        members: BTreeSet<NodeId>,
        timeout: Duration,
    ) -> Result<Active, OperationError> {
        let started = Instant::now();
        self.follow(system, members, timeout, |progress| match progress {
            Progress::Active { round, configuration, history_count } => {
                let after = started.elapsed();
                Some(Ok(Active { round, configuration, history_count, after }))
            }
            Progress::Refused { reason } => Some(Err(OperationError::Refused(reason))),
            Progress::Collected { .. } | Progress::Interrupted => None,
        })
        .await
    }

    /// Makes sure that `members` are the acceptors, and returns when all earlier ones are collected.
    ///
    /// *Errors*: as [`reconfigure`](Self::reconfigure).
    pub async fn collected(
        &self,
        system: QuorumSystem,
        members: BTreeSet<NodeId>,
        timeout: Duration,
    ) -> Result<Collected, OperationError> {
        let started = Instant::now();
        self.follow(system, members, timeout, |progress| match progress {
            Progress::Collected { watermark, retirable } => {
                Some(Ok(Collected { watermark, retirable, after: started.elapsed() }))
            }
            Progress::Refused { reason } => Some(Err(OperationError::Refused(reason))),
            Progress::Active { .. } | Progress::Interrupted => None,
        })
        .await
    }

    async fn follow<O>(
        &self,
        system: QuorumSystem,
        members: BTreeSet<NodeId>,
        timeout: Duration,
        mut take: impl FnMut(Progress) -> Option<Result<O, OperationError>>,
    ) -> Result<O, OperationError> {
        let question = |token| {
            ToProposer::ReconfigureA(ReconfigureA { token, system, members: members.clone() })
        };
        self.ask(question, timeout, |answer| match answer {
            ToApplication::ReconfigureB(m) => take(m.progress),
            ToApplication::StatusB(_) | ToApplication::Return(_) => None,
        })
        .await?
    }

    /// How the cluster is, as its leader sees it.
    ///
    /// *Errors*: no leader answers within `timeout`.
    pub async fn status(&self, timeout: Duration) -> Result<StatusB, OperationError> {
        let question = |token| ToProposer::StatusA(StatusA { token });
        self.ask(question, timeout, |answer| match answer {
            ToApplication::StatusB(status) => Some(status),
            ToApplication::ReconfigureB(_) | ToApplication::Return(_) => None,
        })
        .await
    }

    /// Asks all proposers, again and again, until `take` has what it wants. Only a leader answers.
    async fn ask<O>(
        &self,
        question: impl Fn(u64) -> ToProposer,
        timeout: Duration,
        mut take: impl FnMut(ToApplication) -> Option<O>,
    ) -> Result<O, OperationError> {
        let (sender, mut answers) = mpsc::unbounded_channel();
        let token = {
            let mut waiting = lock(&self.waiting);
            waiting.token += 1;
            let token = waiting.token;
            waiting.operators.insert(token, sender);
            token
        };
        let asking = async {
            loop {
                for proposer in self.proposers.iter() {
                    let message = Message::Proposer(question(token));
                    let sent = self.handle.send(self.application.node, *proposer, message).await;
                    sent.map_err(|_| OperationError::Stopped)?;
                }
                let again = tokio::time::sleep(ASK_AGAIN);
                tokio::pin!(again);
                loop {
                    tokio::select! {
                        answer = answers.recv() => match answer {
                            None => return Err(OperationError::Stopped),
                            Some(answer) => {
                                if let Some(outcome) = take(answer) {
                                    return Ok(outcome);
                                }
                            }
                        },
                        () = &mut again => break,
                    }
                }
            }
        };
        let outcome = tokio::time::timeout(timeout, asking).await;
        lock(&self.waiting).operators.remove(&token);
        outcome.unwrap_or(Err(OperationError::TimedOut))
    }

    /// Ends the process behind this client, after what it did so far is durable.
    pub(crate) fn stop(&self) {
        self.handle.stop();
    }

    /// Fails all that waits: the host has ended.
    pub(crate) fn close(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.is_stopped = true;
        waiting.calls.clear();
        waiting.operators.clear();
    }
}

impl ReplicatedLog for Client {
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

/// A panic of another holder leaves whole entries only: the table is still good.
fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Called by the host for each answer. One whose asker is gone is dropped.
fn deliver(waiting: &Mutex<Waiting>, message: Message) {
    let Message::Application(message) = message else { return };
    let mut waiting = lock(waiting);
    match message {
        ToApplication::Return(m) => {
            if let Some(call) = waiting.calls.remove(&m.token) {
                let _ = call.send(m.outcome);
            }
        }
        ToApplication::ReconfigureB(ref m) => {
            if let Some(operator) = waiting.operators.get(&m.token) {
                let _ = operator.send(message);
            }
        }
        ToApplication::StatusB(ref m) => {
            if let Some(operator) = waiting.operators.get(&m.token) {
                let _ = operator.send(message);
            }
        }
    }
}

fn done(outcome: Outcome) -> Result<Option<Bytes>, RequestError> {
    match outcome {
        Outcome::Done(reply) => Ok(Some(reply.0)),
        Outcome::NeedsLog => Ok(None),
        Outcome::Failed(Failure::Ambiguous) => Err(RequestError::Ambiguous),
        Outcome::Failed(Failure::Unavailable) => Err(RequestError::Unavailable),
        Outcome::Failed(Failure::Overloaded) => Err(RequestError::Overloaded),
    }
}
