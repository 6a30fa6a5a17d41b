//! Changes of the members, one step for each call.
//!
//! Each call looks how the cluster is, takes the one step that comes next, and says what it was. Who
//! wants a change calls until it is done; who stops half-way may go on later, from any node.

use std::collections::BTreeSet;
use std::time::Duration;

use matchmaker::change::{Stage, Step};
use matchmaker::message::StatusB;
use paxos::actor::NodeId;
use tokio::time::timeout;

use super::exchange::{Wish, exchange};
use super::report::ChangeReport;
use super::{Inner, STATUS_TIMEOUT, json};
use crate::client::OperationError;
use crate::deployment::Members;
use crate::local::OPERATION_TIMEOUT;

/// How long one step waits for something to happen before it says how things are.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a node that is told to stop tries to hand the leadership on.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a proposer may take to take over.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(3);

impl Inner {
    /// Takes the next step of a change.
    pub(super) async fn change(&self, wish: Wish<'_>) -> Result<String, OperationError> {
        let status = self.client.status(STATUS_TIMEOUT).await?;
        let exchange =
            exchange(wish, &status, &self.outlook.known().members, &self.candidates.all())?;
        let step = exchange.next_step(&status);
        Ok(json(&self.take(wish, step, &status).await?))
    }

    async fn take(
        &self,
        wish: Wish<'_>,
        step: Step,
        status: &StatusB,
    ) -> Result<ChangeReport, OperationError> {
        let present = status.configuration.version();
        let (name, text, version) = match step {
            Step::Reconfigure { stage: Stage::Leave, .. } if self.is_connected_to(wish.goes()) => {
                tokio::time::sleep(PAUSE).await;
                let name = wish.goes().unwrap_or_default();
                ("leave", format!("{name} finishes what its clients have begun"), present)
            }
            Step::Reconfigure { stage, system, members, change } => {
                let voting = self.all_named(&members).join(" ");
                let asked =
                    self.client.reconfigure(system, members, Some(change), OPERATION_TIMEOUT);
                match asked.await {
                    Ok((active, _)) => {
                        let (name, text) = match (stage, wish) {
                            // The name means nobody from now on, so there is no next step to ask for.
                            (Stage::Leave, Wish::Remove(_)) => ("done", wish.outcome()),
                            _ => reconfigured(stage, &voting),
                        };
                        (name, text, active.configuration.version())
                    }
                    Err(OperationError::Refused(reason)) => {
                        ("wait", format!("the leader says: {reason}"), present)
                    }
                    Err(OperationError::Unreachable(silent)) => return Err(self.silent(&silent)),
                    Err(error) => return Err(error),
                }
            }
            Step::CatchUp { persisted_watermark, required_watermark, chunk_count } => {
                tokio::time::sleep(PAUSE).await;
                let (at, of) = (persisted_watermark, required_watermark);
                let chunks = match chunk_count {
                    0 => String::new(),
                    count => format!(", and {count} chunks of a snapshot"),
                };
                let trouble = self.absent(wish.comes());
                let text = format!("the new replica holds {at} of {of} slots{chunks}{trouble}");
                ("catch up", text, present)
            }
            Step::Transfer(to) => {
                self.transfer_to(to, status).await?;
                ("transfer", format!("{} leads", self.name(to)), present)
            }
            Step::Handover(matchmakers) => {
                let (name, text) = self.replace_matchmakers(matchmakers).await?;
                (name, text, present)
            }
            Step::Collect => {
                tokio::time::sleep(PAUSE).await;
                let count = status.history_count;
                ("collect", format!("{count} earlier configurations are still needed"), present)
            }
            Step::Done => ("done", wish.outcome(), present),
        };
        Ok(ChangeReport { step: name.into(), text, is_done: name == "done", version })
    }

    async fn replace_matchmakers(
        &self,
        matchmakers: BTreeSet<NodeId>,
    ) -> Result<(&'static str, String), OperationError> {
        let names = self.all_named(&matchmakers).join(" ");
        match self.client.hand_over(matchmakers, OPERATION_TIMEOUT).await {
            Ok(_) => Ok(("hand over", format!("the matchmakers are {names}"))),
            Err(OperationError::Superseded(_)) => {
                Ok(("wait", "another handover was faster".into()))
            }
            Err(OperationError::Unreachable(silent)) => {
                let silent = self.all_named(&silent).join(" ");
                let text = format!("{silent} do not answer; the matchmakers are as before");
                Err(OperationError::Refused(text))
            }
            // Such as another change that hands them over at this moment.
            Err(OperationError::Refused(reason)) => {
                tokio::time::sleep(PAUSE).await;
                Ok(("wait", reason))
            }
            Err(error) => Err(error),
        }
    }

    /// What to say of the node that comes, if it is not there.
    fn absent(&self, name: Option<&str>) -> String {
        match name {
            Some(name) if name != self.node && !self.is_connected_to(Some(name)) => format!(
                "; {name} is not connected: start it again, or take the change back: kvs remove {name}"
            ),
            Some(_) | None => String::new(),
        }
    }

    fn is_connected_to(&self, name: Option<&str>) -> bool {
        name.is_some_and(|name| self.connections.connected().get(name) == Some(&true))
    }

    /// Hands the leadership on to the node called `to`.
    pub(super) async fn transfer(&self, to: &str) -> Result<String, OperationError> {
        let status = self.client.status(STATUS_TIMEOUT).await?;
        let members = Members::decode(&status.configuration.membership().directory)
            .map_err(|error| OperationError::Refused(error.to_string()))?;
        let member =
            members.member(to).map_err(|error| OperationError::Refused(error.to_string()))?;
        let Some(proposer) = member.proposer() else {
            let text = format!("`{to}` is no proposer: name one that is");
            return Err(OperationError::Refused(text));
        };
        self.transfer_to(proposer, &status).await
    }

    /// Hands the leadership on, if this node has it.
    pub(super) async fn drain(&self) -> Result<String, OperationError> {
        let status = self.client.status(STATUS_TIMEOUT).await?;
        let owner = status.round.owner;
        if self.name(owner) != self.node {
            return Ok(json(&ChangeReport {
                step: "drain".into(),
                text: format!("{} does not lead: it may be stopped", self.node),
                is_done: true,
                version: status.configuration.version(),
            }));
        }
        let proposers = &status.configuration.membership().proposers;
        for proposer in proposers.iter().filter(|proposer| **proposer != owner) {
            if let Ok(report) = self.transfer_to(*proposer, &status).await {
                return Ok(report);
            }
        }
        let text = format!("{} leads and no other proposer takes over", self.node);
        Err(OperationError::Refused(text))
    }

    /// Hands the leadership on before the process stops, if it has it and another one takes it.
    pub(super) async fn leave(&self) {
        let is_leader = self
            .outlook
            .last_leader()
            .is_some_and(|(round, _)| self.name(round.owner) == self.node);
        if is_leader && !matches!(timeout(LEAVE_TIMEOUT, self.drain()).await, Ok(Ok(_))) {
            tracing::warn!("nobody takes over the leadership before this node stops");
        }
    }

    async fn transfer_to(&self, to: NodeId, status: &StatusB) -> Result<String, OperationError> {
        self.client.transfer(to, TRANSFER_TIMEOUT).await.map_err(|_| {
            let text = format!("{} does not take over: is it up?", self.name(to));
            OperationError::Refused(text)
        })?;
        Ok(json(&ChangeReport {
            step: "transfer".into(),
            text: format!("{} leads", self.name(to)),
            is_done: true,
            version: status.configuration.version(),
        }))
    }
}

/// What a reconfiguration was for, and what has come of it.
fn reconfigured(stage: Stage, voting: &str) -> (&'static str, String) {
    match stage {
        Stage::Admit => ("admit", "all members know the new one; its replica catches up".into()),
        Stage::Switch => ("switch", format!("{voting} vote, and the roles are as wished")),
        Stage::Leave => ("leave", "the members are as wished".into()),
    }
}
