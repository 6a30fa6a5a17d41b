//! A world that runs Matchmaker MultiPaxos.
//!
//! | file | holds |
//! |---|---|
//! | `cast` | the actors of a process |
//! | `backup` | a cluster that begins with the state of another one |
//! | `operator` | reconfigurations, and what is switched off after them |
//! | `handovers` | other matchmakers |
//! | `exchanges` | processes that come and go |
//! | `watching` | what leaders do about silent members |
//! | `judging` | executions, limits and what was restored, before the properties |
//! | `telling` | what actors did, as data |
//! | `healing` | the end of a run, in which all must become well |

mod backup;
mod cast;
mod exchanges;
mod handovers;
mod healing;
mod judging;
mod operator;
mod telling;
mod watching;

use matchmaker::leader::Deployment;
use matchmaker::message::{Message, ToApplication, ToProposer};
use matchmaker::node::{Node, NodeRecord};
use paxos::actor::NodeId;
use paxos::message::{Invoke, Return, ToSession};
use paxos::slot::Slot;

use super::process::Envelope;
use super::protocol::Protocol;
use super::{Event, Places, Plan, Verdict, Workload, World};
use crate::mutation::Mutation;
use crate::plan::{Earlier, Wish};
use crate::properties::{Ghost, Ledger, Room};
use crate::steps::{Steps, Taken};
use crate::workload::Observed;

use exchanges::Exchanges;
use handovers::Handovers;
use operator::Operator;

/// The actors of a process run this.
type Seated<S> = Node<Observed<S>>;

/// What the operator and the judge remember.
#[derive(Debug)]
pub struct Matchmaker {
    ghost: Ghost,
    ledger: Ledger,
    operator: Operator,
    handovers: Handovers,
    exchanges: Exchanges,
    /// What each process was told of the cluster when it was set up.
    charters: Vec<Deployment>,
    /// The slot at which the log begins.
    first: Slot,
    /// The highest number of a round when the cluster was to be well.
    settled_number: u64,
    steps: Option<Steps>,
}

/// What happens at times of its own.
#[derive(Clone, Copy, Debug)]
pub enum Happening {
    /// The cluster begins with the backup of this one.
    Restore(Earlier),
    /// A driver of the exchange of that number looks how things are.
    Look(usize),
    /// A process that was switched off comes back as a stranger.
    Return(usize),
    /// A step of the healing.
    Heal(healing::Step),
}

impl<W: Workload> Protocol<W> for Matchmaker {
    type Actor = Seated<W::Machine>;
    type Event = Happening;

    fn new(plan: &Plan, places: &Places) -> Self {
        Self {
            ghost: Ghost::new(places.clone(), plan.options.leader.pipeline_max),
            ledger: Ledger::default(),
            operator: Operator::default(),
            handovers: Handovers::default(),
            exchanges: Exchanges::new(places),
            charters: vec![places.deployment(); places.process_count()],
            first: Slot::ZERO,
            settled_number: 0,
            steps: None,
        }
    }

    fn room(plan: &Plan) -> Room {
        Room {
            queue_max: plan.options.session.queue_max,
            queue_bytes_max: plan.options.session.queue_bytes_max,
        }
    }

    fn actors(world: &World<W>, process: usize) -> Vec<Self::Actor> {
        world.cast(process)
    }

    fn found(world: &mut World<W>) {
        if let Some(earlier) = world.plan.earlier {
            world.push(0, Event::Own(Happening::Restore(earlier)));
        }
    }

    fn begin(world: &mut World<W>) {
        let faulty_us = world.plan.faulty_us;
        world.push(faulty_us, Event::Own(Happening::Heal(healing::Step::Heal)));
    }

    fn take(world: &mut World<W>, event: Happening) -> Verdict {
        match event {
            Happening::Restore(earlier) => world.begin_with_backup(earlier),
            Happening::Look(exchange) => world.look(exchange),
            Happening::Return(process) => world.return_as_stranger(process),
            Happening::Heal(step) => world.heal(step),
        }
    }

    fn is_end(event: &Happening) -> bool {
        matches!(event, Happening::Heal(healing::Step::End))
    }

    fn is_healing(event: &Happening) -> bool {
        matches!(event, Happening::Heal(_))
    }

    fn check_end(world: &mut World<W>) -> Verdict {
        world.check_end()
    }

    fn wish(world: &mut World<W>, wish: Wish) -> u64 {
        world.wish(wish)
    }

    fn hear(world: &mut World<W>, message: Message) {
        world.hear(message);
    }

    fn on_departure(world: &mut World<W>, index: usize, envelope: &Envelope<Message>) -> Verdict {
        let Envelope { from, to, message } = envelope;
        world.summary.coverage.on_leave(index, (*from, *to), message, &world.own.ghost);
        let verdict = world.own.ghost.on_leave(*from, *to, message);
        world.unless_watched(verdict)?;
        if let Message::Proposer(ToProposer::TakeOver(_)) = message {
            world.note_heir(*from);
        }
        Ok(())
    }

    fn on_arrival(world: &mut World<W>, from: NodeId, to: NodeId, message: &Message) {
        world.hear_sign(from, to, message);
    }

    fn on_durable(world: &mut World<W>, node: NodeId, record: &NodeRecord) -> Verdict {
        world.own.ghost.on_durable(node, record)
    }

    fn judge_execution(world: &mut World<W>, index: usize) -> Verdict {
        world.judge_log(index)
    }

    fn on_step(world: &mut World<W>, index: usize) -> Verdict {
        world.watch_leader(index)
    }

    fn on_settled(_: &mut World<W>, _: usize) -> Verdict {
        Ok(())
    }

    fn check_limits(world: &World<W>, index: usize) -> Verdict {
        world.check_loads(index)
    }

    fn check_restored(world: &mut World<W>, index: usize) -> Verdict {
        world.check_cast(index)
    }

    fn check_left(world: &World<W>, index: usize, actors: &[Self::Actor]) -> Verdict {
        world.check_cast_left(index, actors)
    }

    fn is_serving(&self, process: usize) -> bool {
        self.exchanges.is_serving(process)
    }

    fn refuse(world: &mut World<W>, token: u64) -> Verdict {
        world.own.ledger.refuse(token)
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

    fn forgets(mutation: Mutation, record: &NodeRecord) -> bool {
        mutation.forgets(record)
    }

    fn mutate_departure(
        world: &World<W>,
        envelope: Envelope<Message>,
    ) -> (Envelope<Message>, Vec<Envelope<Message>>) {
        world.mutate_departure(envelope)
    }

    fn mutate_arrival(world: &World<W>, envelope: Envelope<Message>) -> Vec<Envelope<Message>> {
        world.mutate_arrival(envelope)
    }

    fn is_watched(&self) -> bool {
        self.steps.is_some()
    }

    fn tell_steps(world: &mut World<W>, taken: Vec<Taken<Message, NodeRecord>>) {
        world.tell_steps(taken);
    }

    fn tell_survivors(world: &mut World<W>, index: usize, survivors: &[(usize, NodeRecord)]) {
        world.tell_survivors(index, survivors);
    }

    fn counts(&self) -> (u64, u64) {
        (self.ghost.chosen_count() as u64, self.ghost.collection_count() as u64)
    }
}
