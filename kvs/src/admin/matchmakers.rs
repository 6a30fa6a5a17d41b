//! `KVS.MATCHMAKERS`: other nodes take over as matchmakers.

use std::collections::BTreeSet;

use paxos::actor::NodeId;

use super::{HandoverReport, Inner, json, micros};
use crate::client::OperationError;
use crate::deployment::{Member, Members};
use crate::local::OPERATION_TIMEOUT;

impl Inner {
    /// Replaces the matchmakers by those of the nodes called `names`.
    pub(super) async fn hand_over(&self, names: &[&str]) -> Result<String, OperationError> {
        let members = actors_called(names, &self.outlook.known().members, Member::matchmaker)?;
        let handed_over = self.client.hand_over(members, OPERATION_TIMEOUT).await;
        let handed_over = handed_over.map_err(|error| match error {
            OperationError::Unreachable(silent) => OperationError::Refused(format!(
                "the matchmakers of {} do not answer, and no leader could be found without them: \
                 start them, or name others; the matchmakers were not replaced",
                self.all_named(&silent).join(" ")
            )),
            OperationError::Superseded(generation) => OperationError::Refused(format!(
                "another handover was faster: the matchmakers are those of {} now; ask again if they \
                 are not to stay",
                self.all_named(&generation.members).join(" ")
            )),
            error => error,
        })?;
        let members = &handed_over.generation.members;
        Ok(json(&HandoverReport {
            matchmakers: self.all_named(members),
            epoch: handed_over.generation.epoch.0,
            tolerates_failure: members.len() > 2,
            retirable: self.all_named(&handed_over.retirable),
            unaware: self.all_named(&handed_over.unaware),
            finished_after_us: micros(handed_over.after),
        }))
    }
}

/// The actors that `of` finds in the nodes called `names`.
///
/// *Errors*: there is no such node; or one is named twice, because there would be fewer than were asked
/// for.
pub(crate) fn actors_called(
    names: &[&str],
    members: &Members,
    of: fn(&Member) -> NodeId,
) -> Result<BTreeSet<NodeId>, OperationError> {
    let mut called = BTreeSet::new();
    for name in names {
        let member = members.member(name);
        let member = member.map_err(|error| OperationError::Refused(error.to_string()))?;
        if !called.insert(of(member)) {
            let text = format!("the node `{name}` is named twice: it counts once; name others");
            return Err(OperationError::Refused(text));
        }
    }
    Ok(called)
}
