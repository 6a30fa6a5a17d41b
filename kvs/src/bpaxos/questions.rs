//! What operators ask the actors of a cluster.
//!
//! Nobody knows who leads a column, so all proposers are asked; those that do not lead it say nothing. What
//! is not answered is asked again. Every question ends: with its answers, or when its time is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bpaxos::column::InColumn;
use bpaxos::message::{
    MatchmakersA, MatchmakersOutcome, Message, ProposerB, Recover, ReplicaB, ServiceA, ServiceB,
    StatusA, ToProposer, ToReplica,
};
use bpaxos::vertex::{Column, Vertex};
use matchmaker::message::{
    CollectedA, Progress, ReconfigureA, StatusB, ToApplication, ToProposer as ToLeader,
};
use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::quorum::QuorumSystem;
use paxos::round::Round;
use paxos::slot::Slot;
use tokio::sync::mpsc;

use super::BpaxosClient;
use super::client::Answer;
use crate::client::OperationError;

/// How long a question waits for answers before it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// Times that a column was asked to do something in vain before another proposer is told to take it over.
const TAKE_OVER_AFTER: usize = 4;

/// What the actors of a cluster say of themselves. Who is not in it did not answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) columns: BTreeMap<Column, StatusB>,
    pub(super) proposers: BTreeMap<NodeId, ProposerB>,
    pub(super) replicas: BTreeMap<NodeId, ReplicaB>,
}

/// New acceptors of one column are in use.
#[derive(Clone, Debug)]
pub(super) struct Active {
    pub(super) round: Round,
    pub(super) configuration: Configuration,
    pub(super) after: Duration,
}

/// The garbage collection behind a reconfiguration of every column.
pub(super) struct Collection {
    question: Question,
    started: Instant,
    columns: BTreeSet<Column>,
}

/// A question to many, under one token. Forgotten when dropped.
struct Question {
    client: BpaxosClient,
    token: u64,
    answers: mpsc::Receiver<Answer>,
}

impl Drop for Question {
    fn drop(&mut self) {
        self.client.calls.forget(self.token);
    }
}

impl Question {
    /// The next answer; none if it is time to ask again.
    ///
    /// *Errors*: `deadline` has passed, or the process is stopping.
    async fn next(
        &mut self,
        again: Instant,
        deadline: Instant,
    ) -> Result<Option<Answer>, OperationError> {
        let until = tokio::time::Instant::from_std(again.min(deadline));
        match tokio::time::timeout_at(until, self.answers.recv()).await {
            Ok(Some(answer)) => Ok(Some(answer)),
            Ok(None) => Err(OperationError::Stopped),
            Err(_) if Instant::now() >= deadline => Err(OperationError::TimedOut),
            Err(_) => Ok(None),
        }
    }

    async fn send(&self, to: NodeId, message: impl Into<Message>) -> Result<(), OperationError> {
        let from = self.client.application.node;
        let sent = self.client.handle.send(from, to, message.into()).await;
        sent.map_err(|_| OperationError::Stopped)
    }

    /// Tells whoever leads `column`.
    async fn send_to_leader(
        &self,
        column: Column,
        message: &ToLeader,
    ) -> Result<(), OperationError> {
        for proposer in self.client.proposers() {
            let inner = matchmaker::message::Message::Proposer(message.clone());
            self.send(proposer, InColumn { column, inner }).await?;
        }
        Ok(())
    }
}

impl BpaxosClient {
    /// All proposers; each has a column.
    pub(super) fn proposers(&self) -> BTreeSet<NodeId> {
        self.outlook.known().configuration().membership().proposers.clone()
    }

    /// All replicas.
    pub(super) fn replicas(&self) -> BTreeSet<NodeId> {
        self.outlook.known().configuration().membership().replicas.clone()
    }

    fn question(&self) -> Question {
        let (token, answers) = self.calls.ask();
        Question { client: self.clone(), token, answers }
    }

    /// How the cluster is, as far as it answers within `timeout`.
    ///
    /// *Errors*: the process is stopping.
    pub(super) async fn status(&self, timeout: Duration) -> Result<Told, OperationError> {
        let (proposers, replicas) = (self.proposers(), self.replicas());
        let deadline = Instant::now() + timeout;
        let (mut told, mut question) = (Told::default(), self.question());
        let mut again = Instant::now();
        loop {
            let is_complete = told.columns.len() == proposers.len()
                && told.proposers.len() == proposers.len()
                && told.replicas.len() == replicas.len();
            if is_complete {
                return Ok(told);
            }
            if Instant::now() >= again {
                again = Instant::now() + ASK_AGAIN;
                question.ask_all(&proposers, &replicas).await?;
            }
            match question.next(again, deadline).await {
                Ok(Some(answer)) => told.add(answer),
                Ok(None) => {}
                Err(OperationError::TimedOut) => return Ok(told),
                Err(error) => return Err(error),
            }
        }
    }

    /// Replaces the acceptors of every column by `members`; returns when the new ones are in use in all. A
    /// column that nobody leads is taken over for that.
    ///
    /// *Errors*: the leader of a column refuses, too few of the new acceptors answer, or a column is not
    /// there within `timeout`. Other columns may have moved; asking again is harmless.
    pub(super) async fn reconfigure(
        &self,
        system: QuorumSystem,
        members: &BTreeSet<NodeId>,
        timeout: Duration,
    ) -> Result<(BTreeMap<Column, Active>, Collection), OperationError> {
        let columns: BTreeSet<Column> = self.proposers().into_iter().map(Column).collect();
        let started = Instant::now();
        let (mut active, mut question) = (BTreeMap::new(), self.question());
        let (mut again, mut count) = (started, 0);
        let members = members.clone();
        let m = ReconfigureA { token: question.token, system, members, change: None };
        let m = ToLeader::ReconfigureA(Box::new(m));
        while active.len() < columns.len() {
            if Instant::now() >= again {
                again = Instant::now() + ASK_AGAIN;
                for column in columns.iter().filter(|column| !active.contains_key(*column)) {
                    question.send_to_leader(*column, &m).await?;
                    question.rescue(*column, count).await?;
                }
                count += 1;
            }
            let Some(Answer::Column(column, ToApplication::ReconfigureB(m))) =
                question.next(again, started + timeout).await?
            else {
                continue;
            };
            match m.progress {
                Progress::Active { round, configuration, .. } => {
                    let after = started.elapsed();
                    active.entry(column).or_insert(Active { round, configuration, after });
                }
                Progress::Refused { reason } => return Err(OperationError::Refused(reason)),
                Progress::Unreachable { silent } => {
                    return Err(OperationError::Unreachable(silent));
                }
                Progress::Collected { .. } | Progress::Interrupted => {}
            }
        }
        Ok((active, Collection { question, started, columns }))
    }

    /// Has these nodes compute dependencies from now on; returns when they do. If another operator was
    /// faster, they are others.
    ///
    /// *Errors*: no proposer has finished within `timeout`: too few of them answer, or of the nodes that
    /// serve now.
    pub(super) async fn move_service(
        &self,
        members: &BTreeSet<NodeId>,
        timeout: Duration,
    ) -> Result<ServiceB, OperationError> {
        let ask = |token| ToProposer::ServiceA(ServiceA { token, members: members.clone() });
        self.driven(ask, timeout, |answer| match answer {
            Answer::Service(m) => Some(m),
            _ => None,
        })
        .await
    }

    /// Has these nodes be the matchmakers of all columns from now on; returns what came of it.
    ///
    /// *Errors*: no proposer has finished within `timeout`: too few of the matchmakers of some column answer.
    pub(super) async fn move_matchmakers(
        &self,
        members: &BTreeSet<NodeId>,
        timeout: Duration,
    ) -> Result<MatchmakersOutcome, OperationError> {
        let ask =
            |token| ToProposer::MatchmakersA(MatchmakersA { token, members: members.clone() });
        self.driven(ask, timeout, |answer| match answer {
            Answer::Matchmakers(m) => Some(m.outcome),
            _ => None,
        })
        .await
    }

    /// Asks one proposer, and the next one if it has not finished for a while, until there is the answer that
    /// `pick` takes. Two that drive would do no harm.
    async fn driven<T>(
        &self,
        ask: impl Fn(u64) -> ToProposer,
        timeout: Duration,
        pick: impl Fn(Answer) -> Option<T>,
    ) -> Result<T, OperationError> {
        let (deadline, mut again) = (Instant::now() + timeout, Instant::now());
        let mut question = self.question();
        let mut drivers: Vec<NodeId> = self.proposers().into_iter().collect();
        let own = self.application.node.incarnation;
        drivers.sort_by_key(|proposer| proposer.incarnation != own);
        let mut count = 0;
        loop {
            if Instant::now() >= again {
                again = Instant::now() + ASK_AGAIN;
                let driver = drivers.get(count / 8 % drivers.len().max(1));
                count += 1;
                if let Some(driver) = driver {
                    question.send(*driver, ask(question.token)).await?;
                }
            }
            if let Some(picked) = question.next(again, deadline).await?.and_then(&pick) {
                return Ok(picked);
            }
        }
    }
}

impl Question {
    /// Asks everyone how it is.
    async fn ask_all(
        &self,
        proposers: &BTreeSet<NodeId>,
        replicas: &BTreeSet<NodeId>,
    ) -> Result<(), OperationError> {
        let token = self.token;
        for proposer in proposers {
            self.send(*proposer, ToProposer::StatusA(StatusA { token })).await?;
            let m = ToLeader::StatusA(matchmaker::message::StatusA { token });
            self.send_to_leader(Column(*proposer), &m).await?;
        }
        for replica in replicas {
            self.send(*replica, ToReplica::StatusA(StatusA { token })).await?;
        }
        Ok(())
    }

    /// Has a proposer take `column` over that nobody seems to lead: its owner first, then one after the other.
    async fn rescue(&self, column: Column, count: usize) -> Result<(), OperationError> {
        let Some(turn) = count.checked_sub(TAKE_OVER_AFTER) else { return Ok(()) };
        let mut proposers: Vec<NodeId> = self.client.proposers().into_iter().collect();
        proposers.sort_by_key(|proposer| *proposer != column.0);
        let vertex = Vertex { column, slot: Slot::ZERO };
        match proposers.get(turn / TAKE_OVER_AFTER % proposers.len().max(1)) {
            Some(proposer) => self.send(*proposer, ToProposer::Recover(Recover { vertex })).await,
            None => Ok(()),
        }
    }
}

impl Told {
    fn add(&mut self, answer: Answer) {
        match answer {
            Answer::Column(column, ToApplication::StatusB(status)) => {
                let former = self.columns.get(&column);
                if former.is_none_or(|former| former.round < status.round) {
                    self.columns.insert(column, *status);
                }
            }
            Answer::Proposer(node, m) => drop(self.proposers.insert(node, m)),
            Answer::Replica(node, m) => drop(self.replicas.insert(node, m)),
            Answer::Column(..) | Answer::Service(_) | Answer::Matchmakers(_) => {}
        }
    }
}

impl Collection {
    /// Waits until all earlier configurations of every column are collected; returns the acceptors that
    /// none of them needs any more, and how long it took since the reconfiguration was asked for.
    ///
    /// *Errors*: a column has not finished within `timeout`.
    pub(super) async fn finished(
        mut self,
        timeout: Duration,
    ) -> Result<(BTreeSet<NodeId>, Duration), OperationError> {
        let (deadline, mut again) = (Instant::now() + timeout, Instant::now());
        let mut collected: BTreeMap<Column, BTreeSet<NodeId>> = BTreeMap::new();
        let m = ToLeader::CollectedA(CollectedA { token: self.question.token });
        while collected.len() < self.columns.len() {
            if Instant::now() >= again {
                again = Instant::now() + ASK_AGAIN;
                for column in self.columns.iter().filter(|column| !collected.contains_key(*column))
                {
                    self.question.send_to_leader(*column, &m).await?;
                }
            }
            if let Some(Answer::Column(column, ToApplication::ReconfigureB(m))) =
                self.question.next(again, deadline).await?
                && let Progress::Collected { retirable, .. } = m.progress
            {
                collected.insert(column, retirable);
            }
        }
        let mut all = collected.into_values();
        let first = all.next().unwrap_or_default();
        let retirable = all.fold(first, |one, two| one.intersection(&two).copied().collect());
        Ok((retirable, self.started.elapsed()))
    }
}
