//! A load on a cluster of one's own while things happen to it: reconfigurations, failures, repairs.
//!
//! What happens is done as an operator does it, by the commands that `kvs` sends, and by ending
//! processes that this program has started.

mod clock;
mod director;
mod etcd;
mod event;
mod phases;

pub(crate) use clock::Clock;
pub(crate) use director::{Change, Director, Happening};
pub(crate) use etcd::perform_on_etcd;
pub(crate) use event::{Action, EVENTS, Event, Repeat, Script};
pub(crate) use phases::{Phase, longest_gap, phases};
