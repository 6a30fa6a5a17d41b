//! Random histories of a string key.

use std::ops::Range;

use crate::checker::specifications::{StringKey, StringKeyInput, StringKeyReply};
use crate::checker::{ClientId, History, Operation, Outcome, Specification, Timestamp};

/// A history of string keys with numbers for names.
pub(super) type StringHistory = History<u64, StringKeyInput, StringKeyReply>;
/// One of its operations.
pub(super) type StringOperation = Operation<u64, StringKeyInput, StringKeyReply>;

/// Marsaglia's xorshift64*: the same numbers for the same seed, everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number in `range`, which must not be empty.
    pub(super) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + (self.next() >> 16) % (range.end - range.start)
    }

    /// True in `percent` of 100 cases.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.within(0..100) < percent
    }
}

/// What the clients of a random history do.
pub(super) struct Workload {
    pub(super) clients: u64,
    pub(super) keys: u64,
    pub(super) operations: usize,
    /// The number of different texts that are written; few make lucky reads, many make each write
    /// recognisable.
    pub(super) texts: u64,
    /// Operations whose reply is lost, in percent.
    pub(super) unknown_percent: u64,
    /// Operations that are refused, in percent.
    pub(super) failed_percent: u64,
    /// The longest duration of an operation, exclusive.
    pub(super) duration_max: u64,
}

impl Workload {
    /// One key and few operations that mostly overlap: small enough for all permutations.
    pub(super) fn small(operations: usize) -> Self {
        Self {
            clients: 3,
            keys: 1,
            operations,
            texts: 2,
            unknown_percent: 20,
            failed_percent: 5,
            duration_max: 12,
        }
    }

    /// A correct history: every operation takes effect on its key at one instant between its start
    /// and its end; one whose reply is lost much later, perhaps, or never.
    pub(super) fn correct(&self, random: &mut Random) -> StringHistory {
        let mut idle_from = vec![0; self.clients as usize];
        let mut effects = Vec::new();
        for _ in 0..self.operations {
            let client = random.within(0..self.clients);
            let start = idle_from[client as usize] + random.within(1..4);
            let instant = start + random.within(0..self.duration_max);
            let end = instant + random.within(0..self.duration_max);
            idle_from[client as usize] = end;
            let late = instant + random.within(0..self.duration_max * 8);
            let operation = Operation {
                client: ClientId(client),
                key: random.within(0..self.keys),
                input: self.input(random),
                start: Timestamp(start),
                outcome: Outcome::Unknown,
            };
            match random.within(0..100) {
                drawn if drawn < self.unknown_percent => {
                    effects.push((late, end, false, operation))
                }
                drawn if drawn < self.unknown_percent + self.failed_percent => {
                    effects.push((u64::MAX, end, false, operation));
                }
                _ => effects.push((instant, end, true, operation)),
            }
        }
        effects.sort_by_key(|(instant, ..)| *instant);
        self.execute(effects)
    }

    /// Lets the operations take effect in the given order.
    fn execute(&self, effects: Vec<(u64, u64, bool, StringOperation)>) -> StringHistory {
        let mut states = vec![StringKey.initial(); self.keys as usize];
        let mut history = History::new();
        for (instant, end, is_answered, mut operation) in effects {
            if instant == u64::MAX {
                operation.outcome = Outcome::Failed;
            } else {
                let state = &mut states[operation.key as usize];
                let (next, reply) = StringKey.execute(state, &operation.input);
                *state = next;
                if is_answered {
                    operation.outcome = Outcome::Returned { reply, end: Timestamp(end) };
                }
            }
            history.push(operation).unwrap();
        }
        history
    }

    fn text(&self, random: &mut Random) -> String {
        random.within(0..self.texts).to_string()
    }

    fn input(&self, random: &mut Random) -> StringKeyInput {
        match random.within(0..20) {
            0..9 => StringKeyInput::Get,
            9..14 => StringKeyInput::Set(self.text(random)),
            14..16 => StringKeyInput::Incr,
            16 => StringKeyInput::Del,
            17 => StringKeyInput::Append(self.text(random)),
            _ => {
                let expected = random.chance(80).then(|| self.text(random));
                StringKeyInput::Cas { expected, new: self.text(random) }
            }
        }
    }
}

/// The history with one reply replaced by a wrong one of the same kind, or none if it has no reply
/// that can be wrong.
pub(super) fn mutated(history: &StringHistory, random: &mut Random) -> Option<StringHistory> {
    let mut operations = history.operations().to_vec();
    let position = random.within(0..operations.len() as u64) as usize;
    let Outcome::Returned { reply, .. } = &mut operations[position].outcome else {
        return None;
    };
    *reply = match reply {
        StringKeyReply::Value(Some(_)) if random.chance(30) => StringKeyReply::Value(None),
        StringKeyReply::Value(value) => {
            let other = random.within(0..3).to_string();
            if value.as_ref() == Some(&other) {
                return None;
            }
            StringKeyReply::Value(Some(other))
        }
        StringKeyReply::Ok => return None,
        StringKeyReply::Integer(number) => StringKeyReply::Integer(number.wrapping_add(1)),
        StringKeyReply::Deleted(deleted) => StringKeyReply::Deleted(!*deleted),
        StringKeyReply::Length(bytes) => StringKeyReply::Length(*bytes + 1),
        StringKeyReply::Swapped(swapped) => StringKeyReply::Swapped(!*swapped),
        StringKeyReply::Error => StringKeyReply::Integer(1),
    };
    let mut mutated = History::new();
    for operation in operations {
        mutated.push(operation).unwrap();
    }
    Some(mutated)
}
