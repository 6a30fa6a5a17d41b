//! What the roles of BPaxos say to each other.
//!
//! ```text
//!  the path of a command x: proposer p puts it into vertex v of its own column
//!   session    proposer p      dependency nodes      acceptors        replicas      archives
//!      │ Request x  │                 │                  │                │             │
//!      ├───────────►│ v := next       │                  │                │             │
//!      │            │ DependencyA(v, what x touches)     │                │             │
//!      │            ├────────────────►│ adds v           │                │             │
//!      │            │  DependencyB(v, what conflicts)    │                │             │
//!      │            │◄────────────────┤ f + 1 of them    │                │             │
//!      │            │ deps := union   │                  │                │             │
//!      │            │ Phase2A(v, x, deps) *              │                │             │
//!      │            ├───────────────────────────────────►│ vote durable   │             │
//!      │            │                        Phase2B *   │                │             │
//!      │            │◄───────────────────────────────────┤                │             │
//!      │            │ Chosen(v, x, deps) *                                │             │
//!      │            ├────────────────────────────────────────────────────►│ Store *     │
//!      │                                        Executed                  ├────────────►│
//!      │◄─────────────────────────────────────────────────────────────────┤ when all of deps is
//!                                                                           executed
//!
//!  a replica waits for vertex u, which was never chosen: its proposer is dead
//!   replica     proposer q     matchmakers     acceptors of H     acceptors of C
//!      │ Recover u  │              │                 │                  │
//!      ├───────────►│ takes the column over: an ordinary change of the leader
//!      │            │ MatchA * ───►│                 │                  │
//!      │            │◄─── MatchB * │                 │                  │
//!      │            │ Phase1A * ────────────────────►│                  │
//!      │            │◄──────────────────── Phase1B * │                  │
//!      │            │ Phase2A(what was voted for, and nothing where nobody has voted) *
//!      │            ├──────────────────────────────────────────────────►│
//!
//!  * of the log of the column, as in the crate `matchmaker`. So is the replacement of its acceptors.
//! ```
//!
//! Only two kinds of value are ever proposed: a command with a complete set of dependencies, f + 1
//! replies of one epoch; or nothing, which depends on nothing. All that recovery does is to repeat.
//!
//! How dependency nodes are replaced is in `message/handover.rs`, how matchmakers are in
//! `message/columns.rs`, and how snapshots travel in `message/snapshots.rs`.

mod columns;
mod conversions;
mod handover;
mod snapshots;
mod status;

pub use columns::{ColumnsA, ColumnsB, MatchmakersA, MatchmakersB, MatchmakersOutcome, OpenA};
pub use handover::{
    BeginA, BeginB, Behind, DecreeA, DecreeB, FreezeA, FreezeB, Frozen, ReachA, ReachB, ServiceA,
    ServiceB, Succeeded, Successor,
};
pub use snapshots::{ContentsA, ContentsB, Covered, SnapshotWanted, TakeSnapshot};

pub use status::{ProposerB, ReplicaB, StatusA};

use paxos::command::SessionId;
use paxos::message::{Invoke, Keep, Kept, RestoreA, Return, SnapshotA, SnapshotB};
use paxos::slot::Slot;
use paxos::state_machine::Footprint;
use paxos::wire::{Decode, Encode, Frame, Payload};

use matchmaker::message::Epoch;

use crate::column::InColumn;
use crate::command::Command;
use crate::vertex::{Vertex, VertexSet};

/// Session → proposer, any one. Get this executed.
///
/// *Repeat*: the command gets another vertex, and has no effect there if the first one had.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub struct Request {
    /// The command.
    pub command: Command,
}

/// Proposer → dependency node. "Which vertices conflict with this one?" Its slot was never used before,
/// not even by the same proposer before a restart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub struct DependencyA {
    /// The epoch of the dependency service that is asked.
    pub epoch: Epoch,
    /// The vertex; its column is that of the sender.
    pub vertex: Vertex,
    /// Exclusive: all slots of the column below are chosen. No vertex depends on one of them in vain.
    pub chosen: Slot,
    /// What its commands read and write, the same in every retry.
    pub footprint: Footprint,
}

/// Dependency node → proposer. "All that I know of."
///
/// The receiver may conclude that of any two vertices that conflict and that this node has heard of in
/// this epoch, the node has named one as a dependency of the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct DependencyB {
    /// Echoes the question.
    pub epoch: Epoch,
    /// Echoes the question.
    pub vertex: Vertex,
    /// Vertices that conflict, and perhaps others; never the vertex itself.
    pub dependencies: VertexSet,
}

/// Replica → proposer. "I wait for this vertex, see that something is chosen there."
///
/// The receiver may conclude that some vertex depends on it, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Recover {
    /// The vertex.
    pub vertex: Vertex,
}

/// Replica → session of the same process. A command was executed, here and now or before.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub struct Executed {
    /// Whose command.
    pub session: SessionId,
    /// Its number.
    pub number: u64,
    /// What the state machine said.
    pub reply: Payload,
}

/// All that a dependency node receives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum ToDependencyNode {
    DependencyA(DependencyA),
    ReachA(ReachA),
    FreezeA(FreezeA),
    DecreeA(DecreeA),
    BeginA(BeginA),
}

/// All that a proposer receives, beside what the leaders of columns do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum ToProposer {
    Request(Request),
    DependencyB(DependencyB),
    Recover(Recover),
    ServiceA(ServiceA),
    Service(FromDependencyNode),
    TakeSnapshot(TakeSnapshot),
    MatchmakersA(MatchmakersA),
    ColumnsB(ColumnsB),
    StatusA(StatusA),
}

/// All that a dependency node says about who serves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum FromDependencyNode {
    ReachB(ReachB),
    FreezeB(FreezeB),
    DecreeB(DecreeB),
    BeginB(BeginB),
    Succeeded(Succeeded),
    Frozen(Frozen),
    Behind(Behind),
}

/// All that a replica receives, beside what the logs of columns tell it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum ToReplica {
    ContentsB(ContentsB),
    Covered(Covered),
    SnapshotWanted(SnapshotWanted),
    Kept(Kept),
    SnapshotA(SnapshotA),
    SnapshotB(SnapshotB),
    StatusA(StatusA),
}

/// All that an archive receives, beside what the logs of columns tell it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum ToArchive {
    ContentsA(ContentsA),
    Keep(Keep),
    RestoreA(RestoreA),
}

/// All that a session receives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum ToSession {
    Invoke(Invoke),
    Executed(Executed),
}

/// All that an application receives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum ToApplication {
    Return(Return),
    ServiceB(ServiceB),
    MatchmakersB(MatchmakersB),
    ProposerB(ProposerB),
    ReplicaB(ReplicaB),
}

/// All that a registry receives, beside what the logs of columns tell it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum ToRegistry {
    OpenA(OpenA),
    ColumnsA(ColumnsA),
}

/// Everything that travels, by its receiver; or, first of all, what belongs to the log of one column.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum Message {
    Column(InColumn<matchmaker::message::Message>),
    DependencyNode(ToDependencyNode),
    Proposer(ToProposer),
    Session(ToSession),
    Application(ToApplication),
    Replica(ToReplica),
    Archive(ToArchive),
    Registry(ToRegistry),
}
