//! Replacing the matchmakers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use matchmaker::message::{
    Generation, HandoverA, HandoverProgress, ToApplication, ToProposer, ToReconfigurer,
};
use paxos::actor::NodeId;

use super::{Client, OperationError};

/// A driver that has said nothing after so many questions may be dead.
const PATIENCE: usize = 6;

/// New matchmakers are in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedOver {
    /// The new ones.
    pub generation: Generation,
    /// Matchmakers whose machines may be switched off.
    pub retirable: BTreeSet<NodeId>,
    /// Proposers that have not confirmed that they know the new ones. Until they do nothing is
    /// retirable.
    pub unaware: BTreeSet<NodeId>,
    /// From the request to the end.
    pub after: Duration,
}

impl Client {
    /// Replaces the matchmakers by `members`, and returns when everyone finds the new ones. Commands go
    /// on meanwhile.
    ///
    /// *Repeat*: harmless; those that are in place already become the next generation.
    ///
    /// *Errors*: refused, another handover was faster, too few of the new matchmakers answer, or the end
    /// is not reached within `timeout`; it may come later.
    pub async fn hand_over(
        &self,
        members: BTreeSet<NodeId>,
        timeout: Duration,
    ) -> Result<HandedOver, OperationError> {
        let started = Instant::now();
        let mut question = self.question(|token| {
            ToProposer::Reconfigurer(ToReconfigurer::HandoverA(HandoverA { token, members }))
        });
        // One driver is enough. A repeat is nothing new to one that is at work.
        question.patience = Some(PATIENCE);
        let outcome = question.answer(timeout, |answer| match answer {
            ToApplication::HandoverB(m) => match m.progress {
                HandoverProgress::Active { .. } => None,
                HandoverProgress::Finished { generation, retirable, unaware } => {
                    let after = started.elapsed();
                    Some(Ok(HandedOver { generation, retirable, unaware, after }))
                }
                HandoverProgress::Superseded { generation } => {
                    Some(Err(OperationError::Superseded(generation)))
                }
                HandoverProgress::Refused { reason } => Some(Err(OperationError::Refused(reason))),
                HandoverProgress::Unreachable { silent } => {
                    Some(Err(OperationError::Unreachable(silent)))
                }
            },
            ToApplication::StatusB(_)
            | ToApplication::ReconfigureB(_)
            | ToApplication::Return(_)
            | ToApplication::Heartbeat(_)
            | ToApplication::Healing(_) => None,
        });
        outcome.await?
    }
}
