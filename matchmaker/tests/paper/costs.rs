//! What a command costs: messages and bytes, counted. They are the same on every machine.
//!
//! None of it may depend on how long the log is, how often the acceptors were replaced, or how many
//! clients there are.

use matchmaker::message::{Message, ToProposer};
use paxos::actor::NodeId;
use paxos::command::{SessionId, Submission};
use paxos::message::{FromSession, Request};
use paxos::wire::{self, Payload};

use crate::cluster::{A, B, C, Envelope, ONE, OPERATOR, SESSION, World, node, reconfigure};

/// Messages of the leader for one batch: Phase2A and Chosen to three members each; and to it: the
/// request and three times Phase2B.
const SENT_EACH_BATCH: usize = 6;
const RECEIVED_EACH_BATCH: usize = 4;

/// Bytes of one command.
const COMMAND: &[u8] = b"sixteen-byte-cmd";

/// What one batch cost.
#[derive(Debug, PartialEq)]
struct Cost {
    /// Messages that the leader has sent.
    sent: usize,
    /// Messages that the leader has received.
    received: usize,
    /// All that was delivered to anybody, encoded, in bytes.
    bytes: usize,
}

/// `count` commands of the session at `node`, from `first` on.
fn request(node: NodeId, first: u64, count: usize) -> Message {
    let session = SessionId { node, life: 1 };
    let commands = vec![Payload::new(COMMAND); count];
    let submission = Submission { session, first, acknowledged: first, commands };
    ToProposer::Session(FromSession::Request(Request { attempt: 1, submission })).into()
}

/// Has one batch executed everywhere. That replicas compare what they executed is left out: in this world
/// they do it after every second slot.
fn cost(world: &mut World, session: NodeId, first: u64, count: usize) -> Cost {
    world.delivered.clear();
    world.post(session, ONE, request(session, first, count));
    world.settle();
    let is_counted = |envelope: &&Envelope| {
        !matches!(envelope.message, Message::Proposer(ToProposer::Marked(_)))
    };
    let delivered: Vec<&Envelope> = world.delivered.iter().filter(is_counted).collect();
    let number = |wanted: fn(&Envelope) -> bool| delivered.iter().filter(|m| wanted(m)).count();
    Cost {
        sent: number(|envelope| envelope.from == ONE),
        received: number(|envelope| envelope.to == ONE),
        bytes: delivered.iter().map(|envelope| wire::encode(&envelope.message).len()).sum(),
    }
}

#[test]
fn a_batch_costs_the_leader_six_messages_however_many_commands_are_in_it() {
    let mut world = World::led();
    let mut first = 0;
    for count in [1, 2, 64, 1024] {
        let cost = cost(&mut world, SESSION, first, count);
        assert_eq!((cost.sent, cost.received), (SENT_EACH_BATCH, RECEIVED_EACH_BATCH));
        first += count as u64;
    }
}

/// The request, three proposals, three chosen values and three that are stored carry the command. The
/// session of this world is beside all three replicas, and each of them answers.
#[test]
fn a_further_command_of_a_batch_costs_only_its_own_bytes() {
    let mut world = World::led();
    let one = cost(&mut world, SESSION, 0, 1);
    let many = cost(&mut world, SESSION, 1, 65);
    let prefix = size_of::<u64>();
    let (copies, replies) = (10, 3);
    assert_eq!(many.bytes - one.bytes, 64 * (copies + replies) * (prefix + COMMAND.len()));
}

#[test]
fn the_cost_is_the_same_however_long_the_log_is() {
    let mut world = World::led();
    let early = cost(&mut world, SESSION, 0, 1);
    (1..2000).for_each(|first| {
        cost(&mut world, SESSION, first, 1);
    });
    assert_eq!(cost(&mut world, SESSION, 2000, 1), early);
}

#[test]
fn the_cost_is_the_same_however_often_the_acceptors_were_replaced() {
    let mut world = World::led();
    let early = cost(&mut world, SESSION, 0, 1);
    for token in 1..31 {
        let members = [A, B, C][token as usize % 3];
        world.post(OPERATOR, ONE, reconfigure(token, members));
        world.settle();
        // Also while the acceptors before it are not collected yet.
        assert_eq!(cost(&mut world, SESSION, 2 * token - 1, 1), early);
        world.collect(ONE);
        assert_eq!(cost(&mut world, SESSION, 2 * token, 1), early);
    }
}

#[test]
fn the_cost_is_the_same_however_many_sessions_there_are() {
    let mut world = World::led();
    let alone = cost(&mut world, node(1000), 0, 1);
    for seat in 1001..1512 {
        assert_eq!(cost(&mut world, node(seat), 0, 1), alone);
    }
    assert_eq!(cost(&mut world, node(1000), 1, 1), alone);
}
