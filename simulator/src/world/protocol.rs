//! What a protocol adds to a world: its actors, its operator, and the judge of its runs.

use std::fmt::Debug;

use paxos::actor::{Actor, NodeId};
use paxos::message::{Invoke, Return};

use super::process::{Envelope, Outbox};
use super::{Event, Places, Plan, Verdict, Workload, World};
use crate::hosted::Hosted;
use crate::mutation::Mutation;
use crate::plan::Wish;
use crate::properties::Room;
use crate::steps::Taken;

/// What actors of `P` say to each other.
pub(super) type MessageOf<W, P> = <<P as Protocol<W>>::Actor as Actor>::Message;

/// What actors of `P` write down.
pub(super) type RecordOf<W, P> = <<P as Protocol<W>>::Actor as Actor>::Record;

/// A message of `P` on its way.
pub(super) type EnvelopeOf<W, P> = Envelope<MessageOf<W, P>>;

/// What a step of a process means.
pub(super) type OutboxOf<W, P> = Outbox<MessageOf<W, P>, RecordOf<W, P>>;

/// What happens next.
pub(super) type EventOf<W, P> = Event<MessageOf<W, P>, <P as Protocol<W>>::Event>;

/// A protocol: what its operator and its judge remember, and what they do when something happens. All
/// else of a world is the same for every protocol.
pub trait Protocol<W: Workload>: Debug + Sized {
    /// Its actors.
    type Actor: Hosted<Machine = W::Machine>;

    /// What happens at times that it has chosen.
    type Event: Debug;

    /// Nothing has happened yet.
    fn new(plan: &Plan, places: &Places) -> Self;

    /// How many calls wait at a session at most.
    fn room(plan: &Plan) -> Room;

    /// New actors of a process, by place. They remember nothing.
    fn actors(world: &World<W, Self>, process: usize) -> Vec<Self::Actor>;

    /// Plans what is to be on disks before anything starts.
    fn found(world: &mut World<W, Self>);

    /// Plans the end of the run.
    fn begin(world: &mut World<W, Self>);

    /// Something happens that it has planned.
    fn take(world: &mut World<W, Self>, event: Self::Event) -> Verdict;

    /// Whether the run ends with this.
    fn is_end(event: &Self::Event) -> bool;

    /// Whether this is a step of the healing.
    fn is_healing(event: &Self::Event) -> bool;

    /// Everything must be well now.
    fn check_end(world: &mut World<W, Self>) -> Verdict;

    /// The operator wants something. Returns a number for what was asked.
    fn wish(world: &mut World<W, Self>, wish: Wish) -> u64;

    /// The operator is told something.
    fn hear(world: &mut World<W, Self>, message: MessageOf<W, Self>);

    /// A message leaves the process `index`: it is judged.
    fn on_departure(
        world: &mut World<W, Self>,
        index: usize,
        envelope: &EnvelopeOf<W, Self>,
    ) -> Verdict;

    /// A message arrives at a process that runs.
    fn on_arrival(world: &mut World<W, Self>, from: NodeId, to: NodeId, m: &MessageOf<W, Self>);

    /// A record became durable: it is judged.
    fn on_durable(world: &mut World<W, Self>, node: NodeId, record: &RecordOf<W, Self>) -> Verdict;

    /// A process has taken a step: what its replica executed is judged.
    fn judge_execution(world: &mut World<W, Self>, index: usize) -> Verdict;

    /// A process has taken a step, and its executions were judged.
    fn on_step(world: &mut World<W, Self>, index: usize) -> Verdict;

    /// Everything that left a process in its step was judged.
    fn on_settled(world: &mut World<W, Self>, index: usize) -> Verdict;

    /// The actors of a process hold no more than they may.
    fn check_limits(world: &World<W, Self>, index: usize) -> Verdict;

    /// A process has been restored: its actors are what is true, and can be restored once more.
    fn check_restored(world: &mut World<W, Self>, index: usize) -> Verdict;

    /// `actors` were restored from what is left of the log of a process that was compacted.
    fn check_left(world: &World<W, Self>, index: usize, actors: &[Self::Actor]) -> Verdict;

    /// Whether clients of a process make calls.
    fn is_serving(&self, process: usize) -> bool;

    /// A call was told that it has no effect, and never will.
    fn refuse(world: &mut World<W, Self>, token: u64) -> Verdict;

    /// The call of an application, for its session.
    fn invoke(m: Invoke) -> MessageOf<W, Self>;

    /// What an application is told of a call.
    fn returned(message: &MessageOf<W, Self>) -> Option<&Return>;

    /// Whether a restarting process with that bug forgets `record`.
    fn forgets(mutation: Mutation, record: &RecordOf<W, Self>) -> bool;

    /// What leaves instead of `envelope` with the bug of the run, and what leaves as well.
    fn mutate_departure(
        world: &World<W, Self>,
        envelope: EnvelopeOf<W, Self>,
    ) -> (EnvelopeOf<W, Self>, Vec<EnvelopeOf<W, Self>>);

    /// What arrives instead of `envelope` with the bug of the run.
    fn mutate_arrival(
        world: &World<W, Self>,
        envelope: EnvelopeOf<W, Self>,
    ) -> Vec<EnvelopeOf<W, Self>>;

    /// Whether somebody else judges what actors say and write.
    fn is_watched(&self) -> bool;

    /// These steps count now.
    fn tell_steps(
        world: &mut World<W, Self>,
        taken: Vec<Taken<MessageOf<W, Self>, RecordOf<W, Self>>>,
    );

    /// Records of steps that a crash undid were durable.
    fn tell_survivors(
        world: &mut World<W, Self>,
        index: usize,
        survivors: &[(usize, RecordOf<W, Self>)],
    );

    /// Chosen slots, and collections that began.
    fn counts(&self) -> (u64, u64);
}
