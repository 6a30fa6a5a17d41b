//! Panics: of an actor they are failures of its run, of the simulator they are its own.
//!
//! A panic in a run is kept instead of printed: what it says, where, and (if `RUST_BACKTRACE` is set) how
//! it came to that. Panics elsewhere are printed as ever.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Runs that are under way on this thread, one in the other.
    static RUNS: Cell<usize> = const { Cell::new(0) };
    /// Whether an actor takes a step.
    static IS_STEP: Cell<bool> = const { Cell::new(false) };
    /// The last panic of a run.
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// A panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Panic {
    /// Its file and line.
    pub place: String,
    /// What it says, and how it came to that if that is known.
    pub text: String,
    /// Whether it is one of an actor, not of the simulator.
    pub is_of_actor: bool,
}

impl Panic {
    fn of(info: &PanicHookInfo<'_>) -> Self {
        let place = info.location().map_or("unknown".into(), |at| {
            format!("{}:{}", at.file().replace('\\', "/"), at.line())
        });
        let mut text = text_of(info.payload());
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            text = format!("{text}\n{backtrace}");
        }
        let is_of_actor = is_of_actor(&place, IS_STEP.get());
        Self { place, text, is_of_actor }
    }
}

/// Whether a panic is one of an actor. Those of libraries are of whoever called them.
fn is_of_actor(place: &str, is_step: bool) -> bool {
    let is_in = |part: &str| place.starts_with(part) || place.contains(&format!("/{part}"));
    if is_in("simulator/") {
        return false;
    }
    is_in("paxos/src/") || is_in("matchmaker/src/") || is_step
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

/// Has panics of runs kept from now on.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| match RUNS.get() {
            0 => print(info),
            _ => LAST.set(Some(Panic::of(info))),
        }));
    });
}

/// Runs part of a run.
///
/// *Errors*: it panics.
pub(crate) fn caught<T>(part: impl FnOnce() -> T) -> Result<T, Panic> {
    keep_panics();
    RUNS.set(RUNS.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(part));
    RUNS.set(RUNS.get() - 1);
    outcome.map_err(|payload| {
        IS_STEP.set(false);
        LAST.take().unwrap_or_else(|| Panic {
            place: "unknown".into(),
            text: text_of(&*payload),
            is_of_actor: false,
        })
    })
}

/// Takes a step of an actor.
pub(crate) fn step<T>(step: impl FnOnce() -> T) -> T {
    IS_STEP.set(true);
    let outcome = step();
    IS_STEP.set(false);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_keeps_its_place_and_its_words() {
        let panic = caught(|| panic!("told {}", 7)).expect_err("it panics");
        assert!(panic.place.contains("simulator/src/panics.rs:"), "{panic:?}");
        assert!(panic.text.starts_with("told 7") && !panic.is_of_actor, "{panic:?}");
        assert_eq!(caught(|| 5), Ok(5));
    }

    #[test]
    fn a_panic_of_a_library_is_of_whoever_called_it() {
        let numbers: [u8; 0] = [];
        let empty = std::hint::black_box(&numbers);
        let panic =
            caught(|| step(|| empty.iter().copied().max().unwrap())).expect_err("it panics");
        assert!(!panic.is_of_actor, "its place is here: {panic:?}");
        assert!(is_of_actor("paxos/src/acceptor.rs:3", false));
        assert!(is_of_actor("/home/me/matchmaker/src/node.rs:3", false));
        assert!(is_of_actor("/rustc/library/alloc/src/vec.rs:3", true));
        assert!(!is_of_actor("/rustc/library/alloc/src/vec.rs:3", false));
        assert!(!is_of_actor("simulator/src/world/mod.rs:3", true));
    }
}
