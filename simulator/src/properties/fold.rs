//! After a restart an actor is what its durable records make of it; damage to them is refused.
//!
//! | | |
//! |---|---|
//! | property | D2 durable state |
//! | paper | the driver contract of `paxos::actor` |
//! | module | `restore` and `checkpoint` of every role, `paxos::log_format` |
//! | model | `fold` |

use matchmaker::leader::LeaderRecord;
use matchmaker::matchmaker::MatchmakerRecord;
use matchmaker::node::NodeRecord;
use paxos::actor::{Actor, NodeId};
use paxos::round::Round;
use paxos::slot::Slot;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "D2",
    name: "durable state",
    statement: "After a restart an actor is what its durable records make of it; damage to them is refused.",
    paper: "the driver contract of `paxos::actor`",
    module: "`restore` and `checkpoint` of every role, `paxos::log_format`",
};

/// What an actor makes of its checkpoint is what it made of its records, and folding it over those
/// changes nothing.
pub fn check_checkpoint<A: Actor + Clone + PartialEq>(
    name: &str,
    actor: &A,
    mut copy: A,
) -> Verdict {
    let (records, mut again) = (actor.checkpoint(), actor.clone());
    records.iter().for_each(|record| copy.restore(record.clone()));
    records.iter().for_each(|record| again.restore(record.clone()));
    if copy.checkpoint() == records && again == *actor {
        return Ok(());
    }
    fail(PROPERTY, format!("{name} restores other than it wrote: {records:?}"))
}

/// A log was read after a crash: nothing that was durable is missing.
pub fn check_restart(name: &str, durable_count: u64, found_count: u64) -> Verdict {
    if found_count >= durable_count {
        return Ok(());
    }
    fail(PROPERTY, format!("{name} had {durable_count} durable records, and finds {found_count}"))
}

/// A log with a flipped bit was read.
pub fn check_refusal(name: &str, is_refused: bool) -> Verdict {
    if is_refused {
        return Ok(());
    }
    fail(PROPERTY, format!("a bit of the log of {name} flipped, and it starts nevertheless"))
}

impl Ghost {
    /// An actor came back with this checkpoint, and an archive with so many slots: it has what it had
    /// durably. (Of acceptors the promise property speaks.)
    pub fn check_remembered(
        &self,
        node: NodeId,
        checkpoint: &[NodeRecord],
        kept: Option<Slot>,
    ) -> Verdict {
        let mut records = checkpoint.iter();
        let used = self.used.get(&node).is_none_or(|used| {
            let is_used = |r: &NodeRecord| {
                matches!(r, NodeRecord::Proposer(LeaderRecord::Used(round)) if round >= used)
            };
            records.any(is_used)
        });
        let mut records = checkpoint.iter();
        let lives = self.lives.get(&node).is_none_or(|life| {
            records.any(|r| matches!(r, NodeRecord::Session(record) if record.life >= *life))
        });
        let archived = self.archived.get(&node).copied().unwrap_or_default();
        let has_archived = kept.unwrap_or_default() >= archived;
        let missing = self.missing_registration(node, checkpoint);
        if used && lives && has_archived && missing.is_none() {
            return Ok(());
        }
        let name = self.name(node);
        let detail = format!(
            "{name} came back without its round ({}), life ({}), all {archived} slots ({}) or {missing:?}",
            !used, !lives, !has_archived
        );
        fail(PROPERTY, detail)
    }

    /// A round that a matchmaker has registered and not collected, and that it does not have.
    fn missing_registration(&self, node: NodeId, checkpoint: &[NodeRecord]) -> Option<Round> {
        let collected = self.collected.get(&node).copied().unwrap_or(Round::ZERO);
        let mut registered =
            self.registered.get(&node)?.range(collected..).map(|(round, _)| *round);
        registered.find(|round| {
            !checkpoint.iter().any(|record| {
                matches!(record, NodeRecord::Matchmaker(MatchmakerRecord::Registered(r, _)) if r == round)
            })
        })
    }
}
