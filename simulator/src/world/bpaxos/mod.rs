//! A world that runs BPaxos.
//!
//! | file | holds |
//! |---|---|
//! | `cast` | the actors of a process |
//! | `operator` | other acceptors for every column, other matchmakers, other dependency nodes |
//! | `judging` | executions, limits and what was restored, before the properties |
//! | `healing` | the end of a run, in which all must become well |

mod cast;
mod healing;
mod judging;
mod operator;

use bpaxos::message::{Message, ToApplication, ToSession};
use bpaxos::node::{Node, NodeRecord};
use paxos::actor::NodeId;
use paxos::message::{Invoke, Return};
use paxos::state_machine::Conflicts;

use super::process::Envelope;
use super::protocol::Protocol;
use super::{Event, Places, Plan, Verdict, World};
use crate::mutation::Mutation;
use crate::plan::Wish;
use crate::properties::Room;
use crate::properties::bpaxos::Judge;
use crate::steps::Taken;
use crate::workload::{Observed, Workload};

use operator::Operator;

/// The actors of a process run this.
type Seated<S> = Node<Observed<S>>;

/// What the operator and the judge remember.
#[derive(Debug)]
pub struct Bpaxos {
    judge: Judge,
    operator: Operator,
}

impl<W: Workload<Machine: Conflicts>> Protocol<W> for Bpaxos {
    type Actor = Seated<W::Machine>;
    type Event = healing::Step;

    fn new(plan: &Plan, places: &Places) -> Self {
        Self { judge: Judge::new(plan, places), operator: Operator::default() }
    }

    fn room(plan: &Plan) -> Room {
        Room { queue_max: plan.options.columns.session.window_max, queue_bytes_max: usize::MAX }
    }

    fn actors(world: &World<W, Self>, process: usize) -> Vec<Self::Actor> {
        world.cast(process)
    }

    /// A cluster begins with nothing.
    fn found(_: &mut World<W, Self>) {}

    fn begin(world: &mut World<W, Self>) {
        let faulty_us = world.plan.faulty_us;
        world.push(faulty_us, Event::Own(healing::Step::Heal));
    }

    fn take(world: &mut World<W, Self>, event: healing::Step) -> Verdict {
        world.heal(event)
    }

    fn is_end(event: &healing::Step) -> bool {
        matches!(event, healing::Step::End)
    }

    fn is_healing(_: &healing::Step) -> bool {
        true
    }

    fn check_end(world: &mut World<W, Self>) -> Verdict {
        world.check_end()
    }

    fn wish(world: &mut World<W, Self>, wish: Wish) -> u64 {
        world.wish(wish)
    }

    fn hear(world: &mut World<W, Self>, message: Message) {
        world.hear(message);
    }

    fn on_departure(world: &mut World<W, Self>, _: usize, envelope: &Envelope<Message>) -> Verdict {
        world.judge_message(envelope)
    }

    fn on_arrival(_: &mut World<W, Self>, _: NodeId, _: NodeId, _: &Message) {}

    fn on_durable(world: &mut World<W, Self>, node: NodeId, record: &NodeRecord) -> Verdict {
        world.own.judge.on_durable(node, record)
    }

    fn judge_execution(_: &mut World<W, Self>, _: usize) -> Verdict {
        Ok(())
    }

    fn on_step(_: &mut World<W, Self>, _: usize) -> Verdict {
        Ok(())
    }

    /// A proposer tells the replica beside it of what is chosen in the same step.
    fn on_settled(world: &mut World<W, Self>, index: usize) -> Verdict {
        world.judge_graph(index)
    }

    fn check_limits(world: &World<W, Self>, index: usize) -> Verdict {
        world.check_loads(index)
    }

    fn check_restored(world: &mut World<W, Self>, index: usize) -> Verdict {
        world.check_cast(index)
    }

    fn check_left(world: &World<W, Self>, index: usize, actors: &[Self::Actor]) -> Verdict {
        world.check_cast_left(index, actors)
    }

    fn is_serving(&self, _: usize) -> bool {
        true
    }

    fn refuse(world: &mut World<W, Self>, token: u64) -> Verdict {
        world.own.judge.refuse(token)
    }

    fn invoke(m: Invoke) -> Message {
        Message::Session(ToSession::Invoke(m))
    }

    fn returned(message: &Message) -> Option<&Return> {
        match message {
            Message::Application(ToApplication::Return(m)) => Some(m),
            _ => None,
        }
    }

    /// Only what roles know goes wrong.
    fn forgets(_: Mutation, _: &NodeRecord) -> bool {
        false
    }

    fn mutate_departure(
        _: &World<W, Self>,
        envelope: Envelope<Message>,
    ) -> (Envelope<Message>, Vec<Envelope<Message>>) {
        (envelope, Vec::new())
    }

    fn mutate_arrival(_: &World<W, Self>, envelope: Envelope<Message>) -> Vec<Envelope<Message>> {
        vec![envelope]
    }

    /// Nobody compares these runs with a model.
    fn is_watched(&self) -> bool {
        false
    }

    fn tell_steps(_: &mut World<W, Self>, _: Vec<Taken<Message, NodeRecord>>) {}

    fn tell_survivors(_: &mut World<W, Self>, _: usize, _: &[(usize, NodeRecord)]) {}

    fn counts(&self) -> (u64, u64) {
        (self.judge.chosen_count() as u64, self.judge.collection_count() as u64)
    }
}
