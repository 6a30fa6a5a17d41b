//! Registers, numbers that are compared and set, counters and lists, all in one state machine.
//!
//! Keys come and go with time, so that each has few operations and a search for their order ends soon.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use paxos::frozen::FrozenView;
use paxos::state_machine::{Conflicts, Footprint, ForeignChunk, Position, StateMachine};
use paxos::wire::{self, Decode, Encode, Frame, Payload};

use super::{CallOutcome, CallRecord, Request, Workload};
use crate::MS;
use crate::checker::specifications::{
    AppendList, AppendListInput, AppendListReply, CompareAndSet, CompareAndSetInput,
    CompareAndSetReply, Counter, CounterInput, Register, RegisterInput, RegisterReply,
};
use crate::checker::{
    ClientId, History, Operation, Outcome, Specification, Timestamp, Verdict, check,
};
use crate::random::Random;

/// Clients go on to other keys after this time.
const KEY_LIFE_US: u64 = 200 * MS;

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
enum Kind {
    Register,
    CompareAndSet,
    Counter,
    List,
}

/// Names an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
struct Key {
    kind: Kind,
    number: u64,
}

/// What an object is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
enum Ask {
    /// Returns what it holds.
    Get,
    /// Replaces a number, counts one up, or adds to the end of a list.
    Put(u64),
    /// Replaces the first number by the second, if it is there.
    Swap(u64, u64),
}

/// What an object answers: what it held before a swap, and holds after everything else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
enum Answer {
    Number(u64),
    Numbers(Vec<u64>),
    Done,
    Swapped(bool),
}

/// What an object holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
enum Content {
    Number(u64),
    Numbers(Vec<u64>),
}

impl Content {
    fn first(kind: Kind) -> Self {
        match kind {
            Kind::List => Self::Numbers(Vec::new()),
            Kind::Register | Kind::CompareAndSet | Kind::Counter => Self::Number(0),
        }
    }
}

/// The next content of an object of that kind, and its answer. The specifications decide; an ask that
/// makes no sense for the kind is a read.
fn execute(kind: Kind, content: &Content, ask: Ask) -> (Content, Answer) {
    match (kind, content) {
        (Kind::List, Content::Numbers(numbers)) => {
            let input = match ask {
                Ask::Put(number) => AppendListInput::Append(number),
                Ask::Get | Ask::Swap(..) => AppendListInput::Get,
            };
            let (next, reply) = AppendList.execute(numbers, &input);
            let answer = match reply {
                AppendListReply::Elements(elements) => Answer::Numbers(elements),
                AppendListReply::Ok => Answer::Done,
            };
            (Content::Numbers(next), answer)
        }
        (_, Content::Numbers(numbers)) => (content.clone(), Answer::Numbers(numbers.clone())),
        (_, Content::Number(number)) => {
            let (next, answer) = execute_number(kind, *number, ask);
            (Content::Number(next), answer)
        }
    }
}

fn execute_number(kind: Kind, number: u64, ask: Ask) -> (u64, Answer) {
    match (kind, ask) {
        (Kind::Counter, Ask::Put(_)) => {
            let (next, reply) = Counter.execute(number, &CounterInput::Increment);
            (next, Answer::Number(reply))
        }
        (Kind::CompareAndSet, Ask::Swap(expected, new)) => {
            let input = CompareAndSetInput::CompareAndSet { expected, new };
            match CompareAndSet.execute(number, &input) {
                (next, CompareAndSetReply::Swapped(is_swapped)) => {
                    (next, Answer::Swapped(is_swapped))
                }
                (next, CompareAndSetReply::Value(value)) => (next, Answer::Number(value)),
                (next, CompareAndSetReply::Ok) => (next, Answer::Done),
            }
        }
        (_, Ask::Put(value)) => match Register.execute(number, &RegisterInput::Set(value)) {
            (next, RegisterReply::Ok) => (next, Answer::Done),
            (next, RegisterReply::Value(value)) => (next, Answer::Number(value)),
        },
        (_, Ask::Get | Ask::Swap(..)) => (number, Answer::Number(number)),
    }
}

/// The state machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shelf {
    objects: BTreeMap<Key, Content>,
    /// The objects as they were when a snapshot began.
    view: FrozenView<Key, Content>,
}

impl StateMachine for Shelf {
    fn apply(&mut self, _: Position, command: &[u8]) -> Bytes {
        let Ok((key, ask)) = wire::decode_borrowed::<(Key, Ask)>(command) else {
            return Bytes::new();
        };
        self.view.keep(&key, self.objects.get(&key));
        let content = self.objects.entry(key).or_insert_with(|| Content::first(key.kind));
        let (next, answer) = execute(key.kind, content, ask);
        *content = next;
        wire::encode(&answer)
    }

    fn query(&self, query: &[u8]) -> Option<Bytes> {
        let (key, _) = wire::decode_borrowed::<(Key, Ask)>(query).ok()?;
        let first = Content::first(key.kind);
        let content = self.objects.get(&key).unwrap_or(&first);
        Some(wire::encode(&execute(key.kind, content, Ask::Get).1))
    }

    fn empty(&self) -> Self {
        Self::default()
    }

    fn start_snapshot(&mut self) {
        self.view.start();
    }

    fn next_chunk(&mut self, bytes_max: usize) -> Option<Bytes> {
        let (mut objects, mut size_bytes) = (Vec::new(), 0);
        while size_bytes < bytes_max
            && let Some(object) = self.view.next(&self.objects)
        {
            size_bytes += wire::encode(&object).len();
            objects.push(object);
        }
        (!objects.is_empty()).then(|| wire::encode(&objects))
    }

    fn stop_snapshot(&mut self) {
        self.view.stop();
    }

    fn install_chunk(&mut self, chunk: &Bytes) -> Result<(), ForeignChunk> {
        let objects: Vec<(Key, Content)> =
            wire::decode(chunk).map_err(|error| ForeignChunk(error.to_string()))?;
        self.objects.extend(objects);
        Ok(())
    }
}

impl Conflicts for Shelf {
    fn footprint(command: &Bytes) -> Footprint {
        let Ok((key, ask)) = wire::decode::<(Key, Ask)>(command) else {
            return Footprint::empty();
        };
        let key = BTreeSet::from([Payload(wire::encode(&key))]);
        match ask {
            Ask::Get => Footprint::Keys { reads: key, writes: BTreeSet::new() },
            Ask::Put(_) | Ask::Swap(..) => Footprint::Keys { reads: BTreeSet::new(), writes: key },
        }
    }
}

/// The specification of one object, of a kind that its first state tells.
struct Object(Kind);

impl Specification for Object {
    type State = Content;
    type Input = Ask;
    type Reply = Answer;

    fn initial(&self) -> Content {
        Content::first(self.0)
    }

    fn step(&self, state: &Content, input: &Ask, reply: Option<&Answer>) -> Option<Content> {
        let (next, answer) = execute(self.0, state, *input);
        reply.is_none_or(|reply| *reply == answer).then_some(next)
    }

    fn is_read(&self, input: &Ask, reply: &Answer) -> bool {
        *input == Ask::Get || *reply == Answer::Swapped(false)
    }
}

/// Clients that use objects of every kind.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Numbers what is written, so that no two writes are the same.
    written: u64,
}

impl Workload for Objects {
    type Machine = Shelf;

    fn machine(&self) -> Shelf {
        Shelf::default()
    }

    fn next(&mut self, now: u64, random: &mut Random) -> Request {
        let kind = random.pick([Kind::Register, Kind::CompareAndSet, Kind::Counter, Kind::List]);
        let key = Key { kind, number: now / KEY_LIFE_US * 2 + random.within(0..2) };
        if random.permille(400) {
            return Request::Read(wire::encode(&(key, Ask::Get)));
        }
        self.written += 1;
        let ask = match kind {
            _ if random.permille(100) => Ask::Get,
            Kind::CompareAndSet if random.permille(700) => {
                let expected = self.written.saturating_sub(random.within(1..4));
                Ask::Swap(if random.permille(300) { 0 } else { expected }, self.written)
            }
            _ => Ask::Put(self.written),
        };
        Request::Propose(wire::encode(&(key, ask)))
    }

    fn judge(&self, calls: &[CallRecord]) -> Result<(), String> {
        for kind in [Kind::Register, Kind::CompareAndSet, Kind::Counter, Kind::List] {
            let history = history(kind, calls)?;
            match check(&Object(kind), &history) {
                Verdict::Linearizable => {}
                verdict => return Err(format!("{kind:?}: {verdict}")),
            }
        }
        Ok(())
    }

    fn show(&self, request: &Request) -> String {
        match wire::decode::<(Key, Ask)>(request.bytes()) {
            Ok((Key { kind, number }, ask)) => format!("{kind:?} {number} {ask:?}"),
            Err(error) => error.to_string(),
        }
    }
}

/// The calls on objects of one kind.
fn history(kind: Kind, calls: &[CallRecord]) -> Result<History<Key, Ask, Answer>, String> {
    let mut history = History::new();
    for call in calls {
        let (key, input) = decode::<(Key, Ask)>(call.request.bytes())?;
        if key.kind != kind {
            continue;
        }
        let outcome = match &call.outcome {
            CallOutcome::Returned(reply, at) => {
                Outcome::Returned { reply: decode::<Answer>(reply)?, end: Timestamp(*at) }
            }
            CallOutcome::Failed => Outcome::Failed,
            CallOutcome::Unknown => Outcome::Unknown,
        };
        let (client, start) = (ClientId(call.client), Timestamp(call.invoked_at));
        let operation = Operation { client, key, input, start, outcome };
        history.push(operation).map_err(|error| error.to_string())?;
    }
    Ok(history)
}

fn decode<V: Decode<Frame>>(bytes: &Bytes) -> Result<V, String> {
    wire::decode(bytes).map_err(|error| format!("{bytes:?} is no reply: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(ask: Ask, invoked_at: u64, answer: Answer) -> CallRecord {
        let key = Key { kind: Kind::Counter, number: 0 };
        let outcome = CallOutcome::Returned(wire::encode(&answer), invoked_at + 5);
        CallRecord {
            client: 1,
            request: Request::Propose(wire::encode(&(key, ask))),
            invoked_at,
            outcome,
        }
    }

    #[test]
    fn a_stale_read_is_noticed() {
        let put = call(Ask::Put(1), 0, Answer::Number(1));
        let fresh = call(Ask::Get, 10, Answer::Number(1));
        let stale = call(Ask::Get, 10, Answer::Number(0));
        assert_eq!(Objects::default().judge(&[put.clone(), fresh]), Ok(()));
        Objects::default().judge(&[put, stale]).unwrap_err();
    }

    #[test]
    fn the_machine_does_as_its_specification_says() {
        let mut random = Random::stream(1, (crate::random::Purpose::Client, 0));
        let (mut workload, mut shelf) = (Objects::default(), Shelf::default());
        let mut calls = Vec::new();
        for step in 0..400 {
            let invoked_at = step * 2 * MS;
            let request = workload.next(invoked_at, &mut random);
            let reply = match &request {
                Request::Propose(command) => shelf.apply(Position::default(), command),
                Request::Read(query) => shelf.query(query).unwrap(),
            };
            let outcome = CallOutcome::Returned(reply, invoked_at + MS);
            calls.push(CallRecord { client: 1, request, invoked_at, outcome });
        }
        assert_eq!(workload.judge(&calls), Ok(()));
    }
}
