//! What single copies of some objects answer.
//!
//! Each is deterministic: `execute` gives the next state and the reply, and the specification
//! accepts a recorded reply if it is that one. `execute` is public because a test that needs a
//! model, or replies to compare, should not write the object a second time.

use std::fmt;
use std::sync::Arc;

use super::Specification;

/// The next state, if the recorded reply is unknown or is the one that the object gives.
fn accept<S, R: PartialEq>((state, reply): (S, R), recorded: Option<&R>) -> Option<S> {
    match recorded {
        Some(recorded) if *recorded != reply => None,
        Some(_) | None => Some(state),
    }
}

/// A number that is read and written; at first zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct Register;

/// What a [`Register`] is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RegisterInput {
    /// Returns the number.
    Get,
    /// Replaces the number.
    Set(u64),
}

/// What a [`Register`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterReply {
    /// To `Get`.
    Value(u64),
    /// To `Set`.
    Ok,
}

impl Register {
    /// The next state and the reply.
    #[must_use]
    pub fn execute(self, state: u64, input: &RegisterInput) -> (u64, RegisterReply) {
        match *input {
            RegisterInput::Get => (state, RegisterReply::Value(state)),
            RegisterInput::Set(value) => (value, RegisterReply::Ok),
        }
    }
}

impl Specification for Register {
    type State = u64;
    type Input = RegisterInput;
    type Reply = RegisterReply;

    fn initial(&self) -> u64 {
        0
    }

    fn step(
        &self,
        state: &u64,
        input: &RegisterInput,
        reply: Option<&RegisterReply>,
    ) -> Option<u64> {
        accept(self.execute(*state, input), reply)
    }

    fn is_read(&self, input: &RegisterInput, _reply: &RegisterReply) -> bool {
        *input == RegisterInput::Get
    }
}

/// A number that is read, written, and replaced if it is the one expected; at first zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct CompareAndSet;

/// What a [`CompareAndSet`] is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CompareAndSetInput {
    /// Returns the number.
    Get,
    /// Replaces the number.
    Set(u64),
    /// Replaces the number if it is `expected`.
    CompareAndSet {
        /// The number to replace.
        expected: u64,
        /// The number to replace it by.
        new: u64,
    },
}

/// What a [`CompareAndSet`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompareAndSetReply {
    /// To `Get`.
    Value(u64),
    /// To `Set`.
    Ok,
    /// To `CompareAndSet`: whether the number was the one expected and is now replaced.
    Swapped(bool),
}

impl CompareAndSet {
    /// The next state and the reply.
    #[must_use]
    pub fn execute(self, state: u64, input: &CompareAndSetInput) -> (u64, CompareAndSetReply) {
        match *input {
            CompareAndSetInput::Get => (state, CompareAndSetReply::Value(state)),
            CompareAndSetInput::Set(value) => (value, CompareAndSetReply::Ok),
            CompareAndSetInput::CompareAndSet { expected, new } if expected == state => {
                (new, CompareAndSetReply::Swapped(true))
            }
            CompareAndSetInput::CompareAndSet { .. } => (state, CompareAndSetReply::Swapped(false)),
        }
    }
}

impl Specification for CompareAndSet {
    type State = u64;
    type Input = CompareAndSetInput;
    type Reply = CompareAndSetReply;

    fn initial(&self) -> u64 {
        0
    }

    fn step(
        &self,
        state: &u64,
        input: &CompareAndSetInput,
        reply: Option<&CompareAndSetReply>,
    ) -> Option<u64> {
        accept(self.execute(*state, input), reply)
    }

    fn is_read(&self, input: &CompareAndSetInput, reply: &CompareAndSetReply) -> bool {
        *input == CompareAndSetInput::Get || *reply == CompareAndSetReply::Swapped(false)
    }
}

/// A number that is counted up; at first zero. It wraps around at the end of `u64`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter;

/// What a [`Counter`] is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CounterInput {
    /// Returns the number.
    Get,
    /// Adds one and returns the new number.
    Increment,
}

impl Counter {
    /// The next state and the reply, which is the number after the operation.
    #[must_use]
    pub fn execute(self, state: u64, input: &CounterInput) -> (u64, u64) {
        let state = match input {
            CounterInput::Get => state,
            CounterInput::Increment => state.wrapping_add(1),
        };
        (state, state)
    }
}

impl Specification for Counter {
    type State = u64;
    type Input = CounterInput;
    type Reply = u64;

    fn initial(&self) -> u64 {
        0
    }

    fn step(&self, state: &u64, input: &CounterInput, reply: Option<&u64>) -> Option<u64> {
        accept(self.execute(*state, input), reply)
    }

    fn is_read(&self, input: &CounterInput, _reply: &u64) -> bool {
        *input == CounterInput::Get
    }
}

/// A list that grows at its end and is read whole; at first empty.
///
/// Reads of a list of distinct elements reveal the order of all appends before them, so this object
/// tells more about a system per operation than a register does. *Cost*: a step copies the list.
#[derive(Clone, Copy, Debug, Default)]
pub struct AppendList;

/// What an [`AppendList`] is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AppendListInput {
    /// Returns the list.
    Get,
    /// Adds an element at the end.
    Append(u64),
}

/// What an [`AppendList`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendListReply {
    /// To `Get`.
    Elements(Vec<u64>),
    /// To `Append`.
    Ok,
}

impl AppendList {
    /// The next state and the reply.
    #[must_use]
    pub fn execute(self, state: &[u64], input: &AppendListInput) -> (Vec<u64>, AppendListReply) {
        match *input {
            AppendListInput::Get => (state.to_vec(), AppendListReply::Elements(state.to_vec())),
            AppendListInput::Append(element) => ([state, &[element]].concat(), AppendListReply::Ok),
        }
    }
}

impl Specification for AppendList {
    type State = Vec<u64>;
    type Input = AppendListInput;
    type Reply = AppendListReply;

    fn initial(&self) -> Vec<u64> {
        Vec::new()
    }

    fn step(
        &self,
        state: &Vec<u64>,
        input: &AppendListInput,
        reply: Option<&AppendListReply>,
    ) -> Option<Vec<u64>> {
        // As `execute`, without the copy that becomes the reply.
        match (input, reply) {
            (AppendListInput::Get, Some(AppendListReply::Elements(seen))) => {
                (seen == state).then(|| state.clone())
            }
            _ => accept(self.execute(state, input), reply),
        }
    }

    fn is_read(&self, input: &AppendListInput, _reply: &AppendListReply) -> bool {
        *input == AppendListInput::Get
    }
}

/// The value of one Redis-like key; at first absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct StringKey;

/// The value of a [`StringKey`], or none. Copies are cheap.
pub type Text = Option<Arc<str>>;

/// What a [`StringKey`] is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StringKeyInput {
    /// Returns the value.
    Get,
    /// Replaces the value.
    Set(String),
    /// Adds one to the value, which must be the decimal text of an `i64`; absent counts as zero.
    Incr,
    /// Removes the value.
    Del,
    /// Adds text at the end of the value; absent counts as empty.
    Append(String),
    /// Replaces the value if it is `expected`; `None` expects no value.
    Cas {
        /// The value to replace.
        expected: Option<String>,
        /// The value to replace it by.
        new: String,
    },
}

/// What a [`StringKey`] answers.
#[derive(Clone, PartialEq, Eq)]
pub enum StringKeyReply {
    /// To `Get`: the value, if there is one.
    Value(Option<String>),
    /// To `Set`.
    Ok,
    /// To `Incr`: the new number.
    Integer(i64),
    /// To `Del`: whether there was a value.
    Deleted(bool),
    /// To `Append`: the new length in bytes.
    Length(usize),
    /// To `Cas`: whether the value was the one expected and is now replaced.
    Swapped(bool),
    /// To `Incr` of what is not a number, or is the greatest one. It leaves the value as it was.
    Error,
}

impl fmt::Debug for StringKeyReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{value:?}"),
            Self::Ok => f.write_str("ok"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Deleted(deleted) => write!(f, "deleted: {deleted}"),
            Self::Length(bytes) => write!(f, "length {bytes}"),
            Self::Swapped(swapped) => write!(f, "swapped: {swapped}"),
            Self::Error => f.write_str("error"),
        }
    }
}

impl StringKey {
    /// The next state and the reply.
    #[must_use]
    pub fn execute(self, state: &Text, input: &StringKeyInput) -> (Text, StringKeyReply) {
        match input {
            StringKeyInput::Get => {
                (state.clone(), StringKeyReply::Value(state.as_deref().map(str::to_owned)))
            }
            StringKeyInput::Set(value) => (Some(value.as_str().into()), StringKeyReply::Ok),
            StringKeyInput::Incr => match incremented(state) {
                Some(number) => (Some(number.to_string().into()), StringKeyReply::Integer(number)),
                None => (state.clone(), StringKeyReply::Error),
            },
            StringKeyInput::Del => (None, StringKeyReply::Deleted(state.is_some())),
            StringKeyInput::Append(more) => {
                let value = [state.as_deref().unwrap_or_default(), more].concat();
                let bytes = value.len();
                (Some(value.into()), StringKeyReply::Length(bytes))
            }
            StringKeyInput::Cas { expected, new } if expected.as_deref() == state.as_deref() => {
                (Some(new.as_str().into()), StringKeyReply::Swapped(true))
            }
            StringKeyInput::Cas { .. } => (state.clone(), StringKeyReply::Swapped(false)),
        }
    }
}

/// The number after the one that `state` spells, as Redis reads numbers: no sign but a minus, no
/// space, no leading zero, no overflow.
fn incremented(state: &Text) -> Option<i64> {
    let text = state.as_deref().unwrap_or("0");
    let number: i64 = text.parse().ok()?;
    if number.to_string() != text {
        return None;
    }
    number.checked_add(1)
}

impl Specification for StringKey {
    type State = Text;
    type Input = StringKeyInput;
    type Reply = StringKeyReply;

    fn initial(&self) -> Text {
        None
    }

    fn step(
        &self,
        state: &Text,
        input: &StringKeyInput,
        reply: Option<&StringKeyReply>,
    ) -> Option<Text> {
        // As `execute`, without the copy that becomes the reply.
        match (input, reply) {
            (StringKeyInput::Get, Some(StringKeyReply::Value(seen))) => {
                (seen.as_deref() == state.as_deref()).then(|| state.clone())
            }
            _ => accept(self.execute(state, input), reply),
        }
    }

    fn is_read(&self, input: &StringKeyInput, reply: &StringKeyReply) -> bool {
        use StringKeyReply::{Deleted, Error, Swapped};
        *input == StringKeyInput::Get || matches!(reply, Deleted(false) | Swapped(false) | Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(inputs: &[StringKeyInput]) -> Vec<StringKeyReply> {
        let mut state = StringKey.initial();
        let mut replies = Vec::new();
        for input in inputs {
            let (next, reply) = StringKey.execute(&state, input);
            assert_eq!(StringKey.step(&state, input, Some(&reply)), Some(next.clone()));
            assert_eq!(StringKey.step(&state, input, None), Some(next.clone()));
            assert!(!StringKey.is_read(input, &reply) || state == next, "{input:?} {reply:?}");
            state = next;
            replies.push(reply);
        }
        replies
    }

    #[test]
    fn a_string_key_behaves_as_redis() {
        use StringKeyInput::{Append, Cas, Del, Get, Incr, Set};
        use StringKeyReply::{Deleted, Integer, Length, Ok, Swapped, Value};
        let cas = |expected: Option<&str>, new: &str| Cas {
            expected: expected.map(str::to_owned),
            new: new.to_owned(),
        };
        let value = |text: &str| Value(Some(text.to_owned()));
        let script = [
            (Get, Value(None)),
            (Incr, Integer(1)),
            (Append("0".into()), Length(2)),
            (Incr, Integer(11)),
            (cas(Some("12"), "x"), Swapped(false)),
            (cas(Some("11"), "x"), Swapped(true)),
            (Incr, StringKeyReply::Error),
            (Get, value("x")),
            (Del, Deleted(true)),
            (Del, Deleted(false)),
            (cas(Some(""), "y"), Swapped(false)),
            (cas(None, "y"), Swapped(true)),
            (Set("z".into()), Ok),
            (Get, value("z")),
        ];
        let (inputs, replies): (Vec<_>, Vec<_>) = script.into_iter().unzip();
        assert_eq!(run(&inputs), replies);
    }

    #[test]
    fn only_the_canonical_text_of_a_number_is_counted_up() {
        let increment = |text: &str| incremented(&Some(text.into()));
        assert_eq!(incremented(&None), Some(1));
        assert_eq!(increment("-1"), Some(0));
        assert_eq!(increment("9223372036854775806"), Some(i64::MAX));
        for text in ["", "+1", " 1", "1 ", "01", "-0", "1.0", "9223372036854775807"] {
            assert_eq!(increment(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_reply_that_the_object_does_not_give_is_refused() {
        assert_eq!(Register.step(&3, &RegisterInput::Get, Some(&RegisterReply::Value(4))), None);
        let swap = CompareAndSetInput::CompareAndSet { expected: 1, new: 2 };
        let swapped = CompareAndSetReply::Swapped(true);
        assert_eq!(CompareAndSet.step(&1, &swap, Some(&swapped)), Some(2));
        assert_eq!(CompareAndSet.step(&3, &swap, Some(&swapped)), None);
        assert_eq!(CompareAndSet.step(&3, &swap, None), Some(3));
        assert_eq!(Counter.step(&3, &CounterInput::Increment, Some(&4)), Some(4));
        assert_eq!(Counter.step(&3, &CounterInput::Increment, Some(&3)), None);
        let seen = AppendListReply::Elements(vec![1]);
        assert_eq!(AppendList.step(&vec![1, 2], &AppendListInput::Get, Some(&seen)), None);
    }
}
