//! What matchmakers, proposers and their clients say to each other.
//!
//! ```text
//!  a change of the leader: round i, configuration C
//!   proposer          matchmakers                acceptors of H and C
//!      │ NewestA           │                          │
//!      ├──────────────────►│                          │  what is the newest configuration?
//!      │           NewestB │                          │
//!      │◄──────────────────┤                          │
//!      │ MatchA(i, C)      │                          │
//!      ├──────────────────►│ (i, C) durable           │
//!      │ MatchB(H, w)      │                          │  H: earlier rounds, from w on
//!      │◄──────────────────┤                          │
//!      │ Phase1A(i)                                   │
//!      ├─────────────────────────────────────────────►│ of every configuration in H
//!      │                             Phase1B(votes)   │
//!      │◄─────────────────────────────────────────────┤
//!      │ Phase2A(i, slot, value)                      │
//!      ├─────────────────────────────────────────────►│ of C
//!
//!  a reconfiguration by a leader at work: round i to its own adjacent round i+1
//!      │ MatchA(i+1, C')   │                          │
//!      ├──────────────────►│ (i+1, C') durable        │  round i goes on meanwhile
//!      │ MatchB            │                          │
//!      │◄──────────────────┤                          │
//!      │ Phase2A(i+1)                                 │  same values for slots in flight,
//!      ├─────────────────────────────────────────────►│  new slots too: of C', and no more in i
//!
//!  and behind it, the old configuration is collected
//!   leader         archives         acceptors of C'         matchmakers
//!      │ ArchivedA     │                  │                      │
//!      ├──────────────►│                  │                      │
//!      │     ArchivedB │ durable on f + 1 │                      │
//!      │◄──────────────┤                  │                      │
//!      │ PersistedA                       │                      │
//!      ├─────────────────────────────────►│ durable              │
//!      │                      PersistedB  │ Phase 2 quorum       │
//!      │◄─────────────────────────────────┤                      │
//!      │ GarbageA(i+1)                                           │
//!      ├────────────────────────────────────────────────────────►│ drops rounds below, durable
//!      │                                               GarbageB  │ f + 1: old acceptors may go
//!      │◄────────────────────────────────────────────────────────┤
//! ```
//!
//! How matchmakers are replaced is in `message/handover.rs`.

mod conversions;
mod handover;
mod healing;

use std::collections::{BTreeMap, BTreeSet};

use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::membership::Membership;
use paxos::message::{
    ArchivedB, FetchA, FromAcceptor, FromSession, Marked, Return, ToAcceptor, ToArchive, ToReplica,
    ToSession,
};
use paxos::quorum::QuorumSystem;
use paxos::round::Round;
use paxos::slot::Slot;
use paxos::wire::{Decode, Encode, Frame};

pub use handover::{
    ActivateA, ActivateB, AnnounceA, AnnounceB, DecreeA, DecreeB, Generation, HandoverA, HandoverB,
    HandoverProgress, OriginA, OriginB, Pending, ReachA, ReachB, StopA, StopB, Stopped, SucceededA,
    SucceededB, Successor, ToReconfigurer,
};

pub use healing::{Healing, HealingProgress, HealingStatus, Part};

/// The number of a generation of matchmakers. Replies of different epochs are never mixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Epoch(pub u64);

/// Would-be leader → matchmaker. Which configuration is the newest? Nothing is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct NewestA {
    /// The generation that is asked.
    pub epoch: Epoch,
}

/// Matchmaker → would-be leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct NewestB {
    /// The generation that answers.
    pub epoch: Epoch,
    /// The configuration of the highest version that this matchmaker ever registered, and the round
    /// in which it last did. Of two of the same version the later round has the newer one.
    pub newest: Option<(Round, Configuration)>,
    /// The highest round registered.
    pub round: Option<Round>,
}

/// Proposer → matchmaker. Registers the configuration of a round.
///
/// *Paper*: Matchmaker Paxos, Algorithm 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct MatchA {
    /// The generation that is asked.
    pub epoch: Epoch,
    /// The round; its owner is the sender.
    pub round: Round,
    /// The configuration of the round, the same in every retry.
    pub configuration: Configuration,
}

/// Matchmaker → proposer. The round is registered.
///
/// The receiver may conclude that this matchmaker will register no lower round that it has not
/// registered yet, and that `history` holds all lower rounds that it has, from the watermark on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct MatchB {
    /// The generation that answers.
    pub epoch: Epoch,
    /// Echoes the round.
    pub round: Round,
    /// Rounds below were collected as garbage, exclusive.
    pub watermark: Round,
    /// Registered rounds from `watermark` on, below `round`.
    pub history: BTreeMap<Round, Configuration>,
    /// As in [`NewestB`]. Never lowered by garbage collection.
    pub newest: Option<(Round, Configuration)>,
}

/// Matchmaker → proposer. The round is refused: a higher one is registered or collected, or a newer
/// configuration is known than the one that was to be registered, whose machines may be gone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct MatchNack {
    /// The generation that answers.
    pub epoch: Epoch,
    /// The round that was asked for.
    pub round: Round,
    /// The highest round that this matchmaker knows of.
    pub highest: Round,
    /// As in [`NewestB`].
    pub newest: Option<(Round, Configuration)>,
}

/// Leader → matchmaker. No round below `round` is needed any more.
///
/// *Paper*: Matchmaker Paxos, section 3.4.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct GarbageA {
    /// The generation that is asked.
    pub epoch: Epoch,
    /// The round of the leader.
    pub round: Round,
}

/// Matchmaker → leader. Rounds below `watermark` are gone, durably, and are refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct GarbageB {
    /// The generation that answers.
    pub epoch: Epoch,
    /// Exclusive; at least the round that was asked for.
    pub watermark: Round,
}

/// All that a matchmaker receives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum ToMatchmaker {
    NewestA(NewestA),
    MatchA(Box<MatchA>),
    GarbageA(GarbageA),
    ReachA(ReachA),
    StopA(StopA),
    DecreeA(Box<DecreeA>),
    ActivateA(Box<ActivateA>),
    SucceededA(Box<SucceededA>),
    OriginA(OriginA),
}

/// All that a matchmaker says to one that proposes. Drivers of handovers receive more of it:
/// [`ToReconfigurer`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
#[allow(missing_docs)]
pub enum FromMatchmaker {
    NewestB(Box<NewestB>),
    MatchB(Box<MatchB>),
    MatchNack(Box<MatchNack>),
    GarbageB(GarbageB),
    Stopped(Box<Stopped>),
}

/// Leader → other proposers, and the application of every process. The sender is at work.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Heartbeat {
    /// The round of the leader.
    pub round: Round,
    /// The configuration of the round.
    pub configuration: Configuration,
    /// The newest generation of matchmakers that the leader knows of.
    pub matchmakers: Generation,
    /// Whether all earlier rounds are collected: who has no part in the configuration is not needed.
    pub is_collected: bool,
}

/// Operator → leader. Replace the acceptors.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ReconfigureA {
    /// Names the request; a repeat has the same token.
    pub token: u64,
    /// How the new acceptors decide.
    pub system: QuorumSystem,
    /// The new acceptors.
    pub members: BTreeSet<NodeId>,
    /// Everyone else, if that changes too.
    pub change: Option<Change>,
}

impl ReconfigureA {
    /// Whether `node` would have a part.
    pub fn wants(&self, node: NodeId) -> bool {
        let change = self.change.as_ref();
        self.members.contains(&node)
            || change.is_some_and(|change| change.membership.nodes().any(|other| *other == node))
    }
}

/// A change of who takes part beside the acceptors.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Change {
    /// The version of the configuration that the operator has seen. The change is refused if there
    /// is a newer one, because it would undo that.
    pub seen: u64,
    /// Who takes part from now on.
    pub membership: Membership,
}

/// Leader → operator. How a reconfiguration went on. Active comes before collected.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ReconfigureB {
    /// Echoes the request.
    pub token: u64,
    /// What happened.
    pub progress: Progress,
}

/// A step of a reconfiguration, as its operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub enum Progress {
    /// New commands are voted on by the new acceptors only. The old ones must still run.
    Active {
        /// The round that the new acceptors vote in.
        round: Round,
        /// Their configuration.
        configuration: Configuration,
        /// How many earlier configurations the matchmakers knew of.
        history_count: u64,
    },
    /// f + 1 matchmakers have dropped all earlier rounds: no Phase 1 will ask the old acceptors.
    Collected {
        /// Evidence: rounds below are collected.
        watermark: Round,
        /// Those with a part in earlier configurations that have none in the present one: acceptors,
        /// and everyone else. They may be switched off.
        retirable: BTreeSet<NodeId>,
    },
    /// Nothing was done.
    Refused {
        /// Cause and cure.
        reason: String,
    },
    /// The leader stepped down before the new acceptors were active. Ask again: a new leader may find
    /// them registered, or will register them.
    Interrupted,
    /// Nothing was done: too few of the new acceptors answer, so that nothing could be chosen by them,
    /// and no leader could take over.
    Unreachable {
        /// Those that did not answer.
        silent: BTreeSet<NodeId>,
    },
}

/// Operator → leader. Tell when all rounds below your present one are collected. Changes nothing, so a
/// repeat is harmless whatever happened meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct CollectedA {
    /// Names the question.
    pub token: u64,
}

/// Operator → proposer. How are you?
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct StatusA {
    /// Names the question.
    pub token: u64,
}

/// Leader → operator. Proposers that do not lead are silent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct StatusB {
    /// Echoes the question.
    pub token: u64,
    /// The present round; its owner leads.
    pub round: Round,
    /// The present configuration.
    pub configuration: Configuration,
    /// The generation of matchmakers.
    pub epoch: Epoch,
    /// The matchmakers.
    pub matchmakers: BTreeSet<NodeId>,
    /// All slots below are chosen.
    pub chosen_watermark: Slot,
    /// All slots below are durable on f + 1 archives.
    pub persisted_watermark: Slot,
    /// Rounds below are collected, as far as this leader knows.
    pub collected_watermark: Round,
    /// Earlier configurations that are not collected yet.
    pub history_count: u64,
    /// What each archive last said.
    pub archives: BTreeMap<NodeId, ArchivedB>,
    /// Replicas that differ from the others and take no part, and the slot below which they do.
    pub quarantined: BTreeMap<NodeId, Slot>,
    /// All replicas differ below this slot, and no majority tells who is right.
    pub disputed_at: Option<Slot>,
    /// Who does not answer, and what was done about it.
    pub healing: HealingStatus,
}

/// Operator → leader. Let another proposer lead.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct TransferA {
    /// Who shall lead: a proposer of the present configuration.
    pub to: NodeId,
}

/// Leader → proposer. Campaign now, without waiting for silence.
///
/// The receiver may conclude nothing of what was chosen: it campaigns as ever. Commands wait for two
/// round trips instead of for an election.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct TakeOver {
    /// The round of the leader. If the receiver has heard of a higher one, this is an old story.
    pub round: Round,
}

/// All that a proposer receives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum ToProposer {
    Acceptor(FromAcceptor),
    Matchmaker(FromMatchmaker),
    Session(FromSession),
    ArchivedB(ArchivedB),
    FetchA(FetchA),
    Heartbeat(Box<Heartbeat>),
    ReconfigureA(Box<ReconfigureA>),
    StatusA(StatusA),
    CollectedA(CollectedA),
    Reconfigurer(ToReconfigurer),
    TransferA(TransferA),
    TakeOver(TakeOver),
    Marked(Marked),
}

/// All that an application or operator receives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum ToApplication {
    Return(Return),
    ReconfigureB(Box<ReconfigureB>),
    StatusB(Box<StatusB>),
    HandoverB(Box<HandoverB>),
    Heartbeat(Box<Heartbeat>),
    Healing(Healing),
}

/// A message is moved several times on its way, whatever it holds. What is large is boxed: it is rare.
const MESSAGE_BYTES_MAX: usize = 88;

const _: () = assert!(size_of::<Message>() <= MESSAGE_BYTES_MAX);

/// Everything that travels, by its receiver.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum Message {
    Acceptor(ToAcceptor),
    Matchmaker(ToMatchmaker),
    Proposer(ToProposer),
    Replica(ToReplica),
    Archive(ToArchive),
    Session(ToSession),
    Application(ToApplication),
}
