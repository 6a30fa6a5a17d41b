//! Two snapshots of one number hold the same state, and the effects of the same commands.
//!
//! | | |
//! |---|---|
//! | property | B9 snapshots |
//! | paper | Bipartisan Paxos, garbage collection by snapshots |
//! | module | `bpaxos::replica::scan`, `bpaxos::snapshot` |
//! | model | - |

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use bpaxos::snapshot::Part;
use paxos::actor::NodeId;
use paxos::slot::Slot;
use paxos::snapshot::Chunk;
use paxos::wire;

use super::{Judge, Property, Verdict, fail};
use crate::workload::{Piece, piece};

/// What one snapshot holds: the tokens of its commands, in order of their numbers, and a digest of the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    tokens: Vec<u32>,
    digest: u64,
}

/// The chunks of a snapshot that one process has sent.
pub(super) type Chunks = BTreeMap<u64, Chunk>;

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "B9",
    name: "snapshots",
    statement: "Two snapshots of one number hold the same state, and the effects of the same commands.",
    paper: "Bipartisan Paxos, garbage collection by snapshots",
    module: "`bpaxos::replica::scan`, `bpaxos::snapshot`",
};

impl Judge {
    /// A chunk of a snapshot leaves a replica or an archive.
    pub(super) fn note_chunk(&mut self, from: NodeId, chunk: &Chunk) -> Verdict {
        let chunks = self.chunks.entry((from, chunk.slot)).or_default();
        chunks.insert(chunk.number, chunk.clone());
        let is_whole = chunks
            .last_key_value()
            .is_some_and(|(number, last)| last.is_last && chunks.len() as u64 == number + 1);
        if !is_whole {
            return Ok(());
        }
        let contents = contents(chunks);
        self.chunks.remove(&(from, chunk.slot));
        self.check_contents(from, chunk.slot, contents)
    }

    fn check_contents(&mut self, from: NodeId, number: Slot, contents: Contents) -> Verdict {
        match self.snapshots.get(&number) {
            Some(known) if *known == contents => Ok(()),
            Some(known) => {
                let name = self.places.name(from);
                let (one, two) = (known.tokens.len(), contents.tokens.len());
                let differing = contents.tokens.iter().zip(&known.tokens).find(|(a, b)| a != b);
                let detail = format!(
                    "snapshot {number} of {name} has {two} commands, another one {one}; they first \
                     differ at {differing:?}"
                );
                fail(PROPERTY, detail)
            }
            None => {
                self.snapshots.insert(number, contents);
                Ok(())
            }
        }
    }
}

/// What the application makes of the chunks; sessions may differ in the replies that they have.
fn contents(chunks: &Chunks) -> Contents {
    let (mut contents, mut state) = (Contents::default(), DefaultHasher::new());
    for chunk in chunks.values() {
        let Ok(Part::Machine(bytes)) = wire::decode(&chunk.bytes.0) else { continue };
        match piece(&bytes.0) {
            Some(Piece::Tokens(mut tokens)) => {
                tokens.sort_unstable();
                contents.tokens = tokens;
            }
            Some(Piece::Machine(bytes)) => bytes.hash(&mut state),
            None => bytes.0.hash(&mut state),
        }
    }
    contents.digest = state.finish();
    contents
}
