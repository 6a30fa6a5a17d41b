//! Replacing the matchmakers themselves.
//!
//! ```text
//!  operator     driver, in a proposer    old matchmakers, epoch e    new ones, epoch e+1    proposers
//!     │ HandoverA      │                        │                          │                   │
//!     ├───────────────►│ ReachA                 │                          │                   │
//!     │                ├──────────────────────────────────────────────────►│ are they there?   │
//!     │                │◄──────────────────────────────────────────────────┤                   │
//!     │                │ StopA(e)               │                          │                   │
//!     │                ├───────────────────────►│ answers nobody else      │                   │
//!     │                │       StopB(L, w) f+1  │ from now on, durable     │                   │
//!     │                │◄───────────────────────┤                          │                   │
//!     │                │ DecreeA(e)             │ Paxos: one successor,    │                   │
//!     │                │◄──────────────────────►│ members and union of L   │                   │
//!     │                │ ActivateA(successor)   │                          │                   │
//!     │                ├──────────────────────────────────────────────────►│ durable, serves   │
//!     │ Active         │◄──────────────────────────────────────────────────┤ f+1               │
//!     │◄───────────────┤ SucceededA             │                          │                   │
//!     │                ├───────────────────────►│ points there, durable    │                   │
//!     │                │ AnnounceA              │                          │                   │
//!     │ Finished       ├──────────────────────────────────────────────────────────────────────►│
//!     │◄───────────────┤◄───────────────────────┴───────────────────────────────────────────────┤
//! ```
//!
//! The driver may die at any point: whoever meets a frozen generation finishes what it began. A leader
//! is not disturbed: it learns where matchmakers are now when it next needs them.
//!
//! *Paper*: Matchmaker Paxos, section 5.

use std::collections::{BTreeMap, BTreeSet};

use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::message::{FromAcceptor, ToAcceptor};
use paxos::round::Round;
use paxos::wire::{Decode, Encode, Frame};

use super::Epoch;

/// A generation of matchmakers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Generation {
    /// Its number.
    pub epoch: Epoch,
    /// Who it is; a majority is a quorum.
    pub members: BTreeSet<NodeId>,
}

impl Generation {
    /// How many members are a majority.
    pub fn majority(&self) -> usize {
        self.members.len() / 2 + 1
    }
}

/// What the decree of a frozen generation chooses: who comes after it, and what they know when they
/// begin.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Successor {
    /// The generation that begins.
    pub generation: Generation,
    /// The members of the one that it succeeds.
    pub previous: BTreeSet<NodeId>,
    /// Rounds that were registered, from `watermark` on: among them each that a majority has.
    pub log: BTreeMap<Round, Configuration>,
    /// Rounds below are collected, exclusive: at least what a majority has collected.
    pub watermark: Round,
    /// As in [`NewestB`](super::NewestB).
    pub newest: Option<(Round, Configuration)>,
}

impl Successor {
    /// Why no driver can have made this, if none can.
    pub fn defect(&self) -> Option<&'static str> {
        if self.log.first_key_value().is_some_and(|(round, _)| *round < self.watermark) {
            return Some("a round below the watermark");
        }
        if !self.log.is_empty() && self.newest.is_none() {
            return Some("rounds, and no newest configuration");
        }
        let is_founding = self.generation.epoch == Epoch(0);
        (is_founding || self.previous.is_empty()).then_some("nothing that it succeeds")
    }
}

/// Driver → matchmaker that is to be. Are you there? Nothing is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ReachA {
    /// Names the question.
    pub nonce: u64,
}

/// Matchmaker → driver.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ReachB {
    /// Echoes the question.
    pub nonce: u64,
}

/// Driver → matchmaker. Answer no proposer any more in this epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct StopA {
    /// The generation that is to stop.
    pub epoch: Epoch,
}

/// Matchmaker → driver. It has stopped, durably, and this is all that it registered before.
///
/// Of a majority of such answers at least one knows each round that was registered, and each
/// collection that was acknowledged, by a majority.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct StopB {
    /// The generation that it has stopped in.
    pub epoch: Epoch,
    /// Registered rounds, from `watermark` on.
    pub log: BTreeMap<Round, Configuration>,
    /// Rounds below are collected, exclusive.
    pub watermark: Round,
    /// As in [`NewestB`](super::NewestB).
    pub newest: Option<(Round, Configuration)>,
}

/// Driver → matchmaker. A message to the Paxos acceptor that a stopped matchmaker is; one that is asked
/// stops first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub struct DecreeA {
    /// The generation whose successor is to be chosen.
    pub epoch: Epoch,
    /// `Phase1A` or `Phase2A`; the value is an encoded [`Successor`].
    pub message: ToAcceptor,
}

/// Matchmaker → driver.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub struct DecreeB {
    /// The generation whose successor is to be chosen.
    pub epoch: Epoch,
    /// What the acceptor says.
    pub message: FromAcceptor,
}

/// Driver → matchmaker of a new generation. It was chosen: begin.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ActivateA {
    /// The chosen one.
    pub successor: Successor,
}

/// Matchmaker → driver. It has begun, durably.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ActivateB {
    /// The generation that it is of now.
    pub epoch: Epoch,
}

/// Driver → matchmaker of an old generation. The successor was chosen and serves: point there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct SucceededA {
    /// The chosen one.
    pub successor: Successor,
}

/// Matchmaker → driver. It knows that generation or a later one, durably.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct SucceededB {
    /// The generation that it was told of.
    pub epoch: Epoch,
}

/// Driver → proposer. These are the matchmakers now.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct AnnounceA {
    /// A generation of which a majority serves.
    pub generation: Generation,
}

/// Proposer → driver. It knows that generation or a later one, durably.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct AnnounceB {
    /// The generation that it was told of.
    pub epoch: Epoch,
}

/// Matchmaker → whoever asked. It is asked as a member of a generation that it knows nothing of: it
/// was not reached when that generation began.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Pending {
    /// The generation that was asked for.
    pub epoch: Epoch,
}

/// Proposer → matchmaker. How did your generation begin? Another member must still.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct OriginA {
    /// The generation that is asked.
    pub epoch: Epoch,
}

/// Matchmaker → proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct OriginB {
    /// What was chosen for the generation that was asked.
    pub successor: Successor,
}

/// Matchmaker → whoever asked. It answers in this epoch no more.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Stopped {
    /// The generation that was asked.
    pub epoch: Epoch,
    /// A later generation; none if this matchmaker has heard of none. Then none may be chosen yet, and
    /// whoever reads this may see to it.
    pub successor: Option<Successor>,
}

/// Operator → any proposer. Replace the matchmakers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct HandoverA {
    /// Names the request; a repeat has the same token.
    pub token: u64,
    /// The new matchmakers.
    pub members: BTreeSet<NodeId>,
}

/// Driver → operator. How a handover went on. Active comes before finished.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct HandoverB {
    /// Echoes the request.
    pub token: u64,
    /// What happened.
    pub progress: HandoverProgress,
}

/// A step of a handover, as its operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub enum HandoverProgress {
    /// A majority of the new matchmakers serves. The old ones must still run.
    Active {
        /// The new ones.
        generation: Generation,
    },
    /// The new ones are found by everyone who looks for them.
    Finished {
        /// The new ones.
        generation: Generation,
        /// Matchmakers of the generation before that are not in this one: these may be switched off.
        /// None as long as a proposer is unaware of the new ones: it would look for them there.
        retirable: BTreeSet<NodeId>,
        /// Proposers that have not confirmed that they know the new ones.
        unaware: BTreeSet<NodeId>,
    },
    /// Another driver was faster: these are the matchmakers now. Ask again if they are not to stay.
    Superseded {
        /// The matchmakers now.
        generation: Generation,
    },
    /// Nothing was done.
    Refused {
        /// Cause and cure.
        reason: String,
    },
    /// Nothing was done: too few of the new matchmakers answer, so that nobody could become leader.
    Unreachable {
        /// Those that did not answer.
        silent: BTreeSet<NodeId>,
    },
}

/// All that the driver of a handover receives, but for [`Stopped`], which concerns the leader beside it
/// as well.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum ToReconfigurer {
    HandoverA(HandoverA),
    ReachB(ReachB),
    StopB(Box<StopB>),
    DecreeB(Box<DecreeB>),
    ActivateB(ActivateB),
    SucceededB(SucceededB),
    AnnounceA(AnnounceA),
    AnnounceB(AnnounceB),
    Pending(Pending),
    OriginB(Box<OriginB>),
}
