//! A handle on a running process: propose, read, reconfigure, ask how things are.

mod handover;
mod snapshot;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use matchmaker::message::{
    Change, CollectedA, Generation, Message, Progress, ReconfigureA, StatusA, StatusB,
    ToApplication, ToProposer, TransferA,
};
use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::message::{Invoke, Operation, Outcome, SnapshotB, ToReplica, ToSession};
use paxos::quorum::QuorumSystem;
use paxos::round::Round;
use paxos::runtime::{HostHandle, Port};
use paxos::snapshot::Chunk;
use paxos::wire::Payload;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::calls::{Calls, done, executed};
use crate::deployment::Application;
use crate::log::{ReplicatedLog, RequestError};
use crate::outlook::Outlook;
use crate::process::Handle;

pub use handover::HandedOver;
pub use snapshot::{Snapshot, SnapshotError};

/// How long an operator's question waits for an answer before it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// How long a proposer may take to win a campaign before it is told to campaign again.
const TRANSFER_PAUSE: Duration = Duration::from_millis(100);

/// Puts commands into the replicated log, reads, and operates the cluster. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    handle: HostHandle<Message>,
    application: Application,
    outlook: Outlook,
    calls: Calls<ToApplication>,
    /// Who reads a snapshot of the replica.
    reader: Reader,
}

type Reader = Arc<Mutex<Option<mpsc::Sender<Chunk>>>>;

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
    /// These new acceptors or matchmakers do not answer, so the old ones stay.
    #[error("{0:?} do not answer: start them, or name others; nothing was replaced")]
    Unreachable(BTreeSet<NodeId>),
    /// Another operator was faster: these are the matchmakers now.
    #[error("another handover was faster, to {:?}: ask again if that is not to stay", .0.members)]
    Superseded(Generation),
    /// No leader answered in time. The change may still happen; asking again is harmless.
    #[error(
        "no leader answered in time: see by KVS.STATUS which nodes are missing, start them, and ask \
         again; the change may have happened meanwhile, and asking twice is harmless"
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
        outlook: Outlook,
    ) -> (Self, Port<Message>) {
        let (calls, reader) = (Calls::default(), Reader::default());
        let client = Self { handle, application, outlook, calls, reader };
        let port = client.clone();
        (client, Box::new(move |_, message| port.deliver(message)))
    }

    /// Executes `command` once at every replica, and returns the state machine's reply. The order of
    /// the calls is the order in the log.
    ///
    /// *Errors*: see [`RequestError`]; after `Ambiguous` the command may still be executed, once.
    pub fn propose(
        &self,
        command: Bytes,
    ) -> impl Future<Output = Result<Bytes, RequestError>> + Send + 'static {
        executed(self.invoke(Operation::Propose(Payload(command))))
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

    /// Hands a call to the session.
    fn invoke(&self, operation: Operation) -> Result<oneshot::Receiver<Outcome>, RequestError> {
        let Application { node, session, .. } = self.application;
        self.calls.begin(|token| {
            let invoke = ToSession::Invoke(Invoke { token, operation });
            self.handle.try_send(node, session, Message::Session(invoke))
        })
    }

    /// Replaces the acceptors by `members`, and everyone else as `change` says; returns when the new
    /// ones are in use. The old ones must run until the [`Collection`] has finished.
    ///
    /// *Repeat*: harmless; acceptors that are in place already are put in place again, under a newer
    /// version.
    ///
    /// *Errors*: refused by the leader, too few of the new acceptors answer, or no leader within
    /// `timeout`.
    pub async fn reconfigure(
        &self,
        system: QuorumSystem,
        members: BTreeSet<NodeId>,
        change: Option<Change>,
        timeout: Duration,
    ) -> Result<(Active, Collection), OperationError> {
        let started = Instant::now();
        let mut question = self.question(|token| {
            ToProposer::ReconfigureA(Box::new(ReconfigureA { token, system, members, change }))
        });
        let active = question.progress(timeout, |progress| match progress {
            Progress::Active { round, configuration, history_count } => {
                let after = started.elapsed();
                Some(Active { round, configuration, history_count, after })
            }
            Progress::Collected { .. }
            | Progress::Interrupted
            | Progress::Refused { .. }
            | Progress::Unreachable { .. } => None,
        });
        let active = active.await?;
        // From now on asking again must change nothing: others may replace the acceptors meanwhile.
        question.message = ToProposer::CollectedA(CollectedA { token: question.token });
        Ok((active, Collection { question, started }))
    }

    /// How the cluster is, as its leader sees it.
    ///
    /// *Errors*: no leader answers within `timeout`.
    pub async fn status(&self, timeout: Duration) -> Result<StatusB, OperationError> {
        let mut question = self.question(|token| ToProposer::StatusA(StatusA { token }));
        let status = question.answer(timeout, |answer| match answer {
            ToApplication::StatusB(status) => Some(*status),
            ToApplication::ReconfigureB(_)
            | ToApplication::HandoverB(_)
            | ToApplication::Return(_)
            | ToApplication::Heartbeat(_)
            | ToApplication::Healing(_) => None,
        });
        status.await
    }

    /// Has the leader hand on to `to`, and returns when that one leads.
    ///
    /// *Errors*: it does not lead within `timeout`: it is down, or no proposer of the cluster.
    pub async fn transfer(&self, to: NodeId, timeout: Duration) -> Result<(), OperationError> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // A leader beside answers however little time there is.
            if left.is_zero() {
                return Err(OperationError::TimedOut);
            }
            if self.status(left).await?.round.owner == to {
                return Ok(());
            }
            let known = self.outlook.known();
            for proposer in &known.configuration().membership().proposers {
                let message = Message::Proposer(ToProposer::TransferA(TransferA { to }));
                let sent = self.handle.send(self.application.node, *proposer, message).await;
                sent.map_err(|_| OperationError::Stopped)?;
            }
            tokio::time::sleep(TRANSFER_PAUSE).await;
        }
    }

    fn question(&self, message: impl FnOnce(u64) -> ToProposer) -> Question {
        let (token, answers) = self.calls.ask();
        let (client, patience, message) = (self.clone(), None, message(token));
        Question { client, patience, token, message, answers }
    }

    /// Called by the host for each answer.
    fn deliver(&self, message: Message) {
        match message {
            Message::Application(message) => self.deliver_answer(message),
            Message::Replica(ToReplica::SnapshotB(SnapshotB { chunk })) => {
                if let Some(reader) = lock(&self.reader).as_ref() {
                    // One that does not fit is asked for again.
                    let _ = reader.try_send(chunk);
                }
            }
            _ => {}
        }
    }

    fn deliver_answer(&self, message: ToApplication) {
        let token = match message {
            ToApplication::Heartbeat(m) => return self.outlook.hear(*m),
            ToApplication::Healing(m) => return self.outlook.watch_healing(m),
            ToApplication::Return(m) => return self.calls.on_return(m),
            ToApplication::ReconfigureB(ref m) => m.token,
            ToApplication::HandoverB(ref m) => m.token,
            ToApplication::StatusB(ref m) => m.token,
        };
        self.calls.on_answer(token, message);
    }
}

impl Handle for Client {
    fn stop(&self) {
        self.handle.stop();
    }

    fn close(&self) {
        self.calls.close();
        *lock(&self.reader) = None;
    }
}

/// A question to the leader, whoever that is. Forgotten when dropped.
struct Question {
    client: Client,
    /// After how many questions without an answer it is the turn of the next proposer, the nearest one
    /// first; all are asked at once if there is no such number.
    patience: Option<usize>,
    token: u64,
    message: ToProposer,
    answers: mpsc::Receiver<ToApplication>,
}

impl Question {
    /// Asks proposers, again and again, until `take` has what it wants.
    async fn answer<O>(
        &mut self,
        timeout: Duration,
        take: impl FnMut(ToApplication) -> Option<O>,
    ) -> Result<O, OperationError> {
        let asking = self.ask_until(take);
        tokio::time::timeout(timeout, asking).await.unwrap_or(Err(OperationError::TimedOut))
    }

    async fn ask_until<O>(
        &mut self,
        mut take: impl FnMut(ToApplication) -> Option<O>,
    ) -> Result<O, OperationError> {
        let mut count = 0;
        loop {
            for proposer in self.audience(count) {
                let message = Message::Proposer(self.message.clone());
                let from = self.client.application.node;
                let sent = self.client.handle.send(from, proposer, message).await;
                sent.map_err(|_| OperationError::Stopped)?;
            }
            let again = tokio::time::sleep(ASK_AGAIN);
            tokio::pin!(again);
            loop {
                tokio::select! {
                    answer = self.answers.recv() => match answer.map(&mut take) {
                        None => return Err(OperationError::Stopped),
                        Some(Some(outcome)) => return Ok(outcome),
                        Some(None) => {}
                    },
                    () = &mut again => break,
                }
            }
            count += 1;
        }
    }

    /// Who is asked for the time number `count`, from zero.
    fn audience(&self, count: usize) -> Vec<NodeId> {
        let known = self.client.outlook.known();
        let mut all: Vec<NodeId> =
            known.configuration().membership().proposers.iter().copied().collect();
        let Some(patience) = self.patience else { return all };
        let incarnation = self.client.application.node.incarnation;
        all.sort_by_key(|node| node.incarnation != incarnation);
        all.get(count / patience % all.len().max(1)).copied().into_iter().collect()
    }

    /// The same for the steps of a reconfiguration; a refusal ends it.
    async fn progress<O>(
        &mut self,
        timeout: Duration,
        mut take: impl FnMut(Progress) -> Option<O>,
    ) -> Result<O, OperationError> {
        let outcome = self.answer(timeout, |answer| match answer {
            ToApplication::ReconfigureB(m) => match m.progress {
                Progress::Refused { reason } => Some(Err(OperationError::Refused(reason))),
                Progress::Unreachable { silent } => Some(Err(OperationError::Unreachable(silent))),
                progress => take(progress).map(Ok),
            },
            ToApplication::StatusB(_)
            | ToApplication::HandoverB(_)
            | ToApplication::Return(_)
            | ToApplication::Heartbeat(_)
            | ToApplication::Healing(_) => None,
        });
        outcome.await?
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.client.calls.forget(self.token);
    }
}

/// The garbage collection behind a reconfiguration. It goes on whether or not anyone waits for it.
pub struct Collection {
    question: Question,
    started: Instant,
}

impl Collection {
    /// Waits until all earlier configurations are collected. If the leader changes meanwhile, or the
    /// acceptors are replaced again, it is the end of that later collection, which covers this one;
    /// a new leader names only those acceptors that were still needed when it began.
    ///
    /// *Errors*: no leader that finishes within `timeout`.
    pub async fn finished(mut self, timeout: Duration) -> Result<Collected, OperationError> {
        let started = self.started;
        let collected = self.question.progress(timeout, |progress| match progress {
            Progress::Collected { watermark, retirable } => {
                Some(Collected { watermark, retirable, after: started.elapsed() })
            }
            Progress::Active { .. }
            | Progress::Interrupted
            | Progress::Refused { .. }
            | Progress::Unreachable { .. } => None,
        });
        collected.await
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

/// A panic of another holder leaves the place of a reader whole.
fn lock(reader: &Reader) -> MutexGuard<'_, Option<mpsc::Sender<Chunk>>> {
    reader.lock().unwrap_or_else(PoisonError::into_inner)
}
