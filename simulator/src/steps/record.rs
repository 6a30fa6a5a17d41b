//! Durable records, as far as they are told.

use matchmaker::leader::LeaderRecord;
use matchmaker::matchmaker::MatchmakerRecord;
use matchmaker::node::NodeRecord;
use paxos::acceptor::AcceptorRecord;
use paxos::archive::ArchiveRecord;
use serde::Serialize;

use super::{RoundName, Steps, round_name};

/// A record.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wrote {
    Used {
        round: RoundName,
    },
    Promised {
        round: RoundName,
    },
    Voted {
        slot: u64,
        round: RoundName,
        value: usize,
    },
    Persisted {
        below: u64,
    },
    Registered {
        round: RoundName,
    },
    Collected {
        below: RoundName,
    },
    Stopped {
        epoch: u64,
    },
    Activated {
        successor: usize,
    },
    Succeeded {
        successor: usize,
    },
    Stored {
        slot: u64,
        value: usize,
    },
    /// The last chunk of a snapshot.
    Snapshot {
        below: u64,
    },
}

impl Steps {
    /// What is told about a record; nothing about one of sessions, of a decree or of a hint.
    pub(super) fn wrote(&mut self, record: &NodeRecord) -> Option<Wrote> {
        Some(match record {
            NodeRecord::Acceptor(AcceptorRecord::Promised(round)) => {
                Wrote::Promised { round: round_name(*round) }
            }
            NodeRecord::Acceptor(AcceptorRecord::Voted(vote)) => Wrote::Voted {
                slot: vote.slot.0,
                round: round_name(vote.round),
                value: self.value(&vote.value),
            },
            NodeRecord::Acceptor(AcceptorRecord::Persisted(slot)) => {
                Wrote::Persisted { below: slot.0 }
            }
            NodeRecord::Matchmaker(record) => return self.wrote_by_matchmaker(record),
            NodeRecord::Proposer(LeaderRecord::Used(round)) => {
                Wrote::Used { round: round_name(*round) }
            }
            NodeRecord::Archive(ArchiveRecord::Value { slot, value }) => {
                Wrote::Stored { slot: slot.0, value: self.value(value) }
            }
            NodeRecord::Archive(ArchiveRecord::Chunk(chunk)) if chunk.is_last => {
                Wrote::Snapshot { below: chunk.slot.0 }
            }
            NodeRecord::Archive(ArchiveRecord::Chunk(_))
            | NodeRecord::Proposer(LeaderRecord::Newest(..) | LeaderRecord::Matchmakers(_))
            | NodeRecord::Session(_)
            | NodeRecord::Reconfigurer(_) => return None,
        })
    }

    fn wrote_by_matchmaker(&mut self, record: &MatchmakerRecord) -> Option<Wrote> {
        Some(match record {
            MatchmakerRecord::Registered(round, _) => {
                Wrote::Registered { round: round_name(*round) }
            }
            MatchmakerRecord::Collected(round) => Wrote::Collected { below: round_name(*round) },
            MatchmakerRecord::Stopped(epoch) => Wrote::Stopped { epoch: epoch.0 },
            MatchmakerRecord::Activated(successor) => {
                Wrote::Activated { successor: self.successor(successor) }
            }
            MatchmakerRecord::Succeeded(successor) => {
                Wrote::Succeeded { successor: self.successor(successor) }
            }
            MatchmakerRecord::Newest(..) | MatchmakerRecord::Decree(_) => return None,
        })
    }
}
