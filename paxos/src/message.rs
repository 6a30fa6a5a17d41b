//! What the parts that all protocols share say to each other.
//!
//! ```text
//!  application    session     leader     acceptors     replica      archive
//!      │ Invoke      │           │           │            │            │
//!      ├────────────►│ Request * │           │            │            │
//!      │             ├──────────►│ Phase2A   │            │            │
//!      │             │           ├──────────►│            │            │
//!      │             │           │   Phase2B │ vote durable            │
//!      │             │           │◄──────────┤            │            │
//!      │             │           │        Chosen          │            │
//!      │             │           ├────────────────────────► Store      │
//!      │             │      Executed         │            ├───────────►│
//!      │     Return  │◄───────────────────────────────────┤            │ value durable,
//!      │◄────────────┤           │           │       ArchivedB         │ some time later
//!      │             │           │◄──────────────────────────────────────
//!
//!  a linearizable read
//!      │ Invoke      │ ReadIndexA│ ReadA     │            │
//!      ├────────────►├──────────►├──────────►│ nothing is written
//!      │             │ ReadIndexB│     ReadB │            │
//!      │             │◄──────────┤◄──────────┤            │
//!      │             │          Query        │            │
//!      │             ├───────────────────────────────────►│ waits until it has executed
//!      │      Return │          Answered     │            │ what the leader knew
//!      │◄────────────┤◄───────────────────────────────────┤
//!
//!  * Request, ReadIndexA and what else a leader receives belong to the crate of the protocol.
//! ```

mod conversions;
mod histories;
mod snapshots;

pub use histories::{Marked, Quarantine, Quarantined};
pub use snapshots::{Cut, Keep, Kept, RestoreA, SnapshotA, SnapshotB, SnapshotWanted};

use std::collections::BTreeSet;

use crate::actor::NodeId;
use crate::command::{SessionId, Submission, Value};
use crate::round::Round;
use crate::slot::Slot;
use crate::wire::{Decode, Encode, Frame, Payload};

/// Proposer → acceptor. Asks to promise `round`, and for the votes in slots from `first` on.
///
/// *Paper*: Matchmaker Paxos, sections 2.2 and 4.1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Phase1A {
    /// The round to promise.
    pub round: Round,
    /// The sender knows what was chosen below this slot, or has the votes.
    pub first: Slot,
}

/// Acceptor → proposer. Promises `round`; shows votes.
///
/// The receiver may conclude that the acceptor will vote in no lower round, and that the votes of
/// `first..next` that it cast in lower rounds are all there, unless they are persisted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct Phase1B {
    /// The promised round.
    pub round: Round,
    /// The first slot that this page covers; echoes [`Phase1A::first`].
    pub first: Slot,
    /// All slots below are chosen and durable on f + 1 archives. The votes are gone.
    pub persisted_watermark: Slot,
    /// The last vote in each slot, in slot order.
    pub votes: Vec<Vote>,
    /// Where the next page begins, if this one did not hold all votes.
    pub next: Option<Slot>,
}

/// A vote of an acceptor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct Vote {
    /// Where.
    pub slot: Slot,
    /// In which round.
    pub round: Round,
    /// For what.
    pub value: Value,
}

/// Proposer → acceptor. Asks for a vote.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct Phase2A {
    /// The round of the proposal.
    pub round: Round,
    /// The slot of the proposal.
    pub slot: Slot,
    /// The one value that is proposed for this slot in this round.
    pub value: Value,
}

/// Acceptor → proposer. Voted in `round` for what was proposed there, unless the slot is below
/// `persisted_watermark`: then the vote is not needed and was not cast.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Phase2B {
    /// The round voted in.
    pub round: Round,
    /// The slot voted on.
    pub slot: Slot,
    /// All slots below are chosen and durable on f + 1 archives.
    pub persisted_watermark: Slot,
}

/// Acceptor → proposer. Refuses what was asked in `round`, because of a promise.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Nack {
    /// The round that was asked for.
    pub round: Round,
    /// The higher round that is promised.
    pub promised: Round,
}

/// Leader → acceptor. "Is your promise no higher than `round`?" Nothing is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct ReadA {
    /// The round of the leader.
    pub round: Round,
    /// Counts the questions of the leader.
    pub nonce: u64,
}

/// Acceptor → leader. "It was no higher, after you asked."
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct ReadB {
    /// Echoes [`ReadA::round`].
    pub round: Round,
    /// Echoes [`ReadA::nonce`].
    pub nonce: u64,
}

/// Leader → acceptor. All slots below `watermark` are chosen and durable on f + 1 archives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct PersistedA {
    /// Exclusive.
    pub watermark: Slot,
}

/// Acceptor → leader. Remembers that, durably, for every later Phase 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct PersistedB {
    /// Exclusive; the highest that this acceptor was told.
    pub watermark: Slot,
}

/// Would-be leader → acceptor. Asks for signs of life of a leader. Nothing is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct ProbeA {
    /// Tells this question from earlier ones.
    pub nonce: u64,
}

/// Acceptor → would-be leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct ProbeB {
    /// Echoes [`ProbeA::nonce`].
    pub nonce: u64,
    /// The promised round.
    pub promised: Round,
    /// The round and nonce of the last [`ReadA`] that was answered: it grows while a leader is at
    /// work with this acceptor.
    pub beat: Option<(Round, u64)>,
    /// How many pages of votes were asked for in Phase 1, beyond the first of each round: it grows while
    /// a candidate gets on, however long the log is.
    pub page_count: u64,
}

/// All that an acceptor receives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum ToAcceptor {
    Phase1A(Phase1A),
    Phase2A(Phase2A),
    ReadA(ReadA),
    PersistedA(PersistedA),
    ProbeA(ProbeA),
}

/// All that an acceptor sends: what a proposer receives from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum FromAcceptor {
    Phase1B(Box<Phase1B>),
    Phase2B(Phase2B),
    Nack(Nack),
    ReadB(ReadB),
    PersistedB(PersistedB),
    ProbeB(Box<ProbeB>),
}

/// Leader → replica. `value` is chosen in `slot`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct Chosen {
    /// Where.
    pub slot: Slot,
    /// What.
    pub value: Value,
}

/// Leader → replica. All slots below `watermark` are chosen. Says where the values are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct ChosenWatermark {
    /// Exclusive.
    pub watermark: Slot,
    /// Archives that may have the values: those of the present round, and of rounds before it that
    /// are not collected.
    pub archives: BTreeSet<NodeId>,
}

/// Replica → archive or leader. Asks for the chosen values from `first` on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct FetchA {
    /// The first slot that is missing.
    pub first: Slot,
}

/// Values in one [`FetchB`] are cut at this size, in bytes, unless a single one is larger.
pub const FETCH_BYTES_MAX: usize = 1 << 20;

/// Values in one [`FetchB`] at most.
pub const FETCH_VALUES_MAX: usize = 4096;

/// Archive or leader → replica. Chosen values of consecutive slots; none if it has no more.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct FetchB {
    /// The slot of the first value.
    pub first: Slot,
    /// Bounded in bytes; ask again from the end.
    pub values: Vec<Value>,
}

/// Session → replica of the same process. Run `query` once all below `watermark` is executed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct Query {
    /// Names the query.
    pub token: u64,
    /// Exclusive.
    pub watermark: Slot,
    /// For the state machine.
    pub query: Payload,
}

/// All that a replica receives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum ToReplica {
    Chosen(Chosen),
    ChosenWatermark(ChosenWatermark),
    FetchB(FetchB),
    Query(Query),
    Cut(Cut),
    SnapshotWanted(SnapshotWanted),
    Kept(Kept),
    SnapshotA(SnapshotA),
    SnapshotB(SnapshotB),
    Quarantine(Quarantine),
}

/// Replica → archive of the same process. The next chosen value, executed just now.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct Store {
    /// Where.
    pub slot: Slot,
    /// What.
    pub value: Value,
}

/// Leader → archive. "How far are you durable? Write down what you hold and tell."
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct ArchivedA {
    /// The sender waits for this watermark; a lower answer is worth nothing to it.
    pub watermark: Slot,
}

/// Archive → leader. All chosen values below `persisted_watermark` are durable here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct ArchivedB {
    /// Exclusive. Never decreases for one incarnation.
    pub persisted_watermark: Slot,
    /// Exclusive: how far the replica beside it has executed. For the eye of an operator.
    pub executed_watermark: Slot,
    /// Exclusive: the values below are covered by a snapshot on the disk of the sender. For the eye of
    /// an operator.
    pub base: Slot,
    /// Chunks of a later snapshot that are being written down. For the eye of an operator.
    pub chunk_count: u64,
}

/// All that an archive receives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum ToArchive {
    Store(Store),
    FetchA(FetchA),
    ArchivedA(ArchivedA),
    Keep(Keep),
    RestoreA(RestoreA),
}

/// What the application asks of its session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub enum Operation {
    /// Put a command into the log and execute it, exactly once.
    Propose(Payload),
    /// Read linearizably: the answer reflects all that had returned before the read was invoked.
    Read(Payload),
}

/// Application → session of the same process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct Invoke {
    /// Names the call; larger than that of every earlier call of this process.
    pub token: u64,
    /// What to do.
    pub operation: Operation,
}

/// Leader → session. Who leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Leading {
    /// The round of the sender.
    pub round: Round,
}

/// Replica → session of the same process. Replies of consecutive commands, in log order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct Executed {
    /// Whose commands.
    pub session: SessionId,
    /// The number of the first one.
    pub first: u64,
    /// What the state machine said.
    pub replies: Vec<Payload>,
}

impl Executed {
    /// Adds the reply of the command with `number`, the next one, of `count` commands in all.
    pub(crate) fn take(&mut self, number: u64, reply: &Payload, count: usize) {
        if self.replies.is_empty() {
            self.first = number;
            self.replies.reserve_exact(count);
        }
        self.replies.push(reply.clone());
    }
}

/// Leader → session. A read that was invoked before [`ReadIndexB::nonce`] was asked may be answered
/// by any replica that has executed all below `watermark`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct ReadIndexB {
    /// Echoes the question.
    pub nonce: u64,
    /// Exclusive.
    pub watermark: Slot,
}

/// Replica → session of the same process. The answer to a [`Query`]; none if the state machine says
/// that it must go through the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct Answered {
    /// Echoes [`Query::token`].
    pub token: u64,
    /// The answer of the state machine.
    pub answer: Option<Payload>,
}

/// All that a session receives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum ToSession {
    Invoke(Invoke),
    Leading(Leading),
    Executed(Executed),
    ReadIndexB(ReadIndexB),
    Answered(Answered),
    Quarantined(Quarantined),
}

/// Why a call has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub enum RequestError {
    /// The command was handed to a leader and no reply came in time. It may still be executed, once.
    Ambiguous,
    /// No leader took the call in time. It was not and will not be executed.
    Unavailable,
    /// The queue of the session is full. It was not and will not be executed.
    Overloaded,
    /// The replica beside the session has executed something else than others. It was not and will not
    /// be executed.
    Quarantined,
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub enum Outcome {
    /// The reply of the state machine.
    Done(Payload),
    /// The state machine says that this read must be proposed as a command.
    NeedsLog,
    /// There is no reply.
    Failed(RequestError),
}

/// Session → application. Each [`Invoke`] gets exactly one, unless the process dies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct Return {
    /// Echoes [`Invoke::token`].
    pub token: u64,
    /// The result.
    pub outcome: Outcome,
}

/// Session → leader. Commands to put into the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct Request {
    /// Grows each time the session starts over from its first unanswered command.
    pub attempt: u64,
    /// The commands.
    pub submission: Submission,
}

/// Session → leader. From where may reads be served that were invoked up to now?
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct ReadIndexA {
    /// Names the question.
    pub nonce: u64,
}

/// All that a session sends to a leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum FromSession {
    Request(Request),
    ReadIndexA(ReadIndexA),
}
