//! Steps of roles, and what is around them: votes, sessions, the codec.

use std::convert::Infallible;

use bytes::Bytes;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use paxos::acceptor::{Acceptor, AcceptorRecord};
use paxos::actor::{Effects, Incarnation, NodeId, Seat};
use paxos::command::{SessionId, Submission, Submitted, Value};
use paxos::message::{FromAcceptor, Phase2A, ToAcceptor};
use paxos::round::Round;
use paxos::session_table::SessionTable;
use paxos::slot::Slot;
use paxos::wire::{Payload, decode, encode};

/// Steps in one sample.
const STEPS: u64 = 1000;

const LEADER: NodeId = NodeId::new(Seat(1), Incarnation(1));

fn round() -> Round {
    Round::first_above(Round::ZERO, LEADER)
}

/// A batch of so many commands of 100 bytes.
fn batch(count: usize) -> Value {
    Value::batch(&vec![submission(0, count)])
}

fn submission(first: u64, count: usize) -> Submission {
    let command = Payload::new(Bytes::from_static(&[7; 100]));
    let session = SessionId { node: LEADER, life: 1 };
    Submission { session, first, acknowledged: first, commands: vec![command; count] }
}

fn phase2a(slot: u64, value: &Value) -> Phase2A {
    Phase2A { round: round(), slot: Slot(slot), value: value.clone() }
}

/// An acceptor votes in the next slot, for a batch of one command.
#[divan::bench]
fn acceptor_vote(bencher: Bencher<'_, '_>) {
    let value = batch(1);
    bencher.counter(ItemsCount::new(STEPS)).with_inputs(Acceptor::new).bench_local_values(
        |mut acceptor| {
            let mut fx: Effects<FromAcceptor, Infallible, AcceptorRecord> = Effects::new();
            for slot in 0..STEPS {
                let message = ToAcceptor::Phase2A(phase2a(slot, &value));
                acceptor.on_message(LEADER, message, &mut fx);
            }
            (acceptor, fx)
        },
    );
}

/// A proposal becomes bytes; the argument is the number of commands in it.
#[divan::bench(args = [1, 64])]
fn encode_proposal(bencher: Bencher<'_, '_>, commands: usize) {
    let message = phase2a(7, &batch(commands));
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| encode(black_box(&message)));
}

/// Bytes become a proposal, whose value stays where it is.
#[divan::bench(args = [1, 64])]
fn decode_proposal(bencher: Bencher<'_, '_>, commands: usize) {
    let frame = encode(&phase2a(7, &batch(commands)));
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| decode::<Phase2A>(black_box(&frame)));
}

/// A replica looks up the session of a command, executes it and keeps the reply.
#[divan::bench]
fn session_execute(bencher: Bencher<'_, '_>) {
    let values: Vec<Value> =
        (0..STEPS).map(|first| Value::batch(&vec![submission(first, 1)])).collect();
    let submissions: Vec<Submitted<'_>> =
        values.iter().flat_map(|value| value.submissions().expect("a batch")).collect();
    bencher.counter(ItemsCount::new(STEPS)).with_inputs(SessionTable::default).bench_local_values(
        |mut table| {
            for submission in &submissions {
                table.execute(
                    submission,
                    |_| Payload::new(Bytes::new()),
                    |_, reply| {
                        black_box(reply);
                    },
                );
            }
            table
        },
    );
}
