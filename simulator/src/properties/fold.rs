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
use paxos::archive::Archive;
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
/// changes nothing: an actor that has just been restored, and nothing less, comes of restoring `copy`
/// from its checkpoint, if that `is_whole` (that of an archive is not: the snapshot that follows it in
/// the log has what it lacks).
pub fn check_checkpoint<A>(name: &str, actor: &A, mut copy: A, is_whole: bool) -> Verdict
where
    A: Actor + Clone + Eq,
{
    let (records, mut again) = (actor.checkpoint(), actor.clone());
    records.iter().for_each(|record| copy.restore(record.clone()));
    records.iter().for_each(|record| again.restore(record.clone()));
    let is_same = if is_whole { copy == *actor } else { copy.checkpoint() == records };
    if is_same && again == *actor {
        return Ok(());
    }
    fail(PROPERTY, format!("{name} restores other than it wrote: {records:?}"))
}

/// An actor that came back is what every record makes of it that was ever durable, in order: `fold`.
/// Records that replaced them in the log have left nothing out.
pub fn check_fold<A>(name: &str, actor: &A, fold: &A) -> Verdict
where
    A: Actor + Eq,
{
    if actor == fold {
        return Ok(());
    }
    let (known, was) = (actor.checkpoint(), fold.checkpoint());
    let lost: Vec<_> = was.iter().filter(|record| !known.contains(record)).take(3).collect();
    fail(PROPERTY, format!("{name} came back other than its records make it, without {lost:?}"))
}

/// The same of an archive. Values that a snapshot covers are gone with the part of the log that had
/// them, so that less of them may be left to hand out than all records make; nor is there a use for part
/// of a snapshot that a crash interrupted. What is covered, what is persisted and what it holds above the
/// snapshot are the same.
pub fn check_archive_fold(name: &str, archive: &Archive, fold: &Archive) -> Verdict {
    let held = |archive: &Archive| {
        (archive.base(), archive.persisted_watermark(), archive.values_bytes().1)
    };
    if held(archive) == held(fold) {
        return Ok(());
    }
    let (found, was) = (held(archive), held(fold));
    let detail = format!(
        "{name} came back other than its records make it: (covered, persisted, bytes above) {found:?}, \
         not {was:?}"
    );
    fail(PROPERTY, detail)
}

/// The same of the archive of one of many logs, if there is one: a snapshot of all of them is kept
/// elsewhere.
pub fn check_column_fold(name: &str, archive: Option<&Archive>, fold: &Archive) -> Verdict {
    let found = archive.map_or(Slot::ZERO, Archive::persisted_watermark);
    if found >= fold.persisted_watermark() {
        return Ok(());
    }
    let was = fold.persisted_watermark();
    fail(PROPERTY, format!("{name} came back with {found}, its records make it {was}"))
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
        let handover = self.remembers_handover(node, checkpoint);
        if used && lives && has_archived && missing.is_none() && handover {
            return Ok(());
        }
        let name = self.name(node);
        let detail = format!(
            "{name} came back without its round ({}), life ({}), all {archived} slots ({}), handover \
             ({}) or {missing:?}",
            !used, !lives, !has_archived, !handover
        );
        fail(PROPERTY, detail)
    }

    /// Whether it has the rounds of its decrees, the generation that it knew of, and that it had
    /// stopped in that.
    fn remembers_handover(&self, node: NodeId, checkpoint: &[NodeRecord]) -> bool {
        let generations = &self.generations;
        let used = generations.used.get(&node).is_none_or(|used| {
            checkpoint.iter().any(
                |record| matches!(record, NodeRecord::Reconfigurer(record) if record.used >= *used),
            )
        });
        let known = generations.known.get(&node).is_none_or(|known| {
            checkpoint.iter().any(|record| match record {
                NodeRecord::Matchmaker(
                    MatchmakerRecord::Activated(s) | MatchmakerRecord::Succeeded(s),
                ) => s.generation.epoch >= *known,
                _ => false,
            })
        });
        let serving = generations.serving.get(&node);
        let stopped = serving.is_none_or(|epoch| {
            !generations.stopped.contains(&(*epoch, node))
                || checkpoint.iter().any(|record| {
                    matches!(record, NodeRecord::Matchmaker(MatchmakerRecord::Stopped(_)))
                })
        });
        used && known && stopped
    }

    /// A round that a matchmaker has registered and not collected, and that it does not have.
    fn missing_registration(&self, node: NodeId, checkpoint: &[NodeRecord]) -> Option<Round> {
        let registry = self.registry(node)?;
        let collected = registry.watermark.unwrap_or(Round::ZERO);
        let mut registered = registry.rounds.range(collected..).map(|(round, _)| *round);
        registered.find(|round| {
            !checkpoint.iter().any(|record| match record {
                NodeRecord::Matchmaker(MatchmakerRecord::Registered(other, _)) => other == round,
                NodeRecord::Matchmaker(MatchmakerRecord::Activated(successor)) => {
                    successor.log.contains_key(round)
                }
                _ => false,
            })
        })
    }
}
