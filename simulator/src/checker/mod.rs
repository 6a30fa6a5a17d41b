//! Decides whether what clients saw could have come from one copy of the data.
//!
//! Clients record a [`History`]: for every operation the time of its invocation, the time of its
//! response and the reply. [`check`] searches, key by key, for one sequential order of the
//! operations that respects real time (an operation that ended before another began comes first)
//! and in which every reply is the one that a [`Specification`] gives. If there is one the history
//! is linearizable (Herlihy and Wing, 1990); if there is none the [`Violation`] says how far an
//! order can be carried and which operation fits nowhere; and if the search meets its [`Limits`]
//! the verdict is [`Verdict::GaveUp`], which is not a pass.
//!
//! | file | holds |
//! |---|---|
//! | `history` | operations, outcomes, the recording of one thread, a shared clock |
//! | `linearizable` | the specification trait, the verdict, the partition by key |
//! | `search` | the search for an order of the operations on one key, and what it need not try |
//! | `configuration` | how far the operations on one key are ordered |
//! | [`specifications`] | register, compare-and-set, counter, list, string key |
//!
//! # Example
//!
//! Every client thread fills a recording of its own; nothing is shared but the clock.
//!
//! ```
//! use simulator::checker::specifications::{StringKey, StringKeyInput, StringKeyReply};
//! use simulator::checker::{ClientId, Clock, History, Recording, Verdict, check};
//!
//! # fn request(input: &StringKeyInput) -> Result<StringKeyReply, bool> {
//! #     Ok(if *input == StringKeyInput::Get { StringKeyReply::Value(Some("7".into())) }
//! #     else { StringKeyReply::Ok })
//! # }
//! let clock = Clock::new();
//! let mut recording = Recording::new(ClientId(1));
//! for input in [StringKeyInput::Set("7".into()), StringKeyInput::Get] {
//!     let call = recording.invoke("x".to_owned(), input.clone(), clock.now());
//!     match request(&input) {
//!         Ok(reply) => recording.returned(call, reply, clock.now())?,
//!         Err(never_sent @ true) => recording.failed(call)?,
//!         Err(_timed_out) => {} // Its outcome stays unknown.
//!     }
//! }
//!
//! let mut history = History::new();
//! history.add(recording);
//! let verdict = check(&StringKey, &history);
//! assert!(matches!(verdict, Verdict::Linearizable), "{verdict}");
//! # Ok::<(), simulator::checker::HistoryError>(())
//! ```

mod configuration;
mod history;
mod linearizable;
mod search;
pub mod specifications;
#[cfg(test)]
mod tests;

pub use history::{
    Call, ClientId, Clock, History, HistoryError, Operation, Outcome, Recording, Timestamp,
};
pub use linearizable::{Limits, Specification, Verdict, Violation, check, check_within};
