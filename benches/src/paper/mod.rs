//! The experiments of the Matchmaker Paxos paper (Whittaker et al., JSys 2021, section 7) on a
//! cluster of one's own, and the figures that its authors published.
//!
//! Their machines were four-processor cloud machines, one for each node, in memory; here all nodes
//! share one machine, and every vote is on disk before it counts. So the figures themselves do not
//! compare. What does is how they change: during over before, dead over before.

mod figures;
mod tables;

use std::time::Duration;

use kvs::deployment::Protocol;

use crate::cluster::{Layout, Shape};
use crate::error::Outcome;
use crate::timeline::{Action, Event, Repeat, Script};

pub(crate) use tables::{change_rows, growth_rows, outage_rows};

/// What is repeated of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Experiment {
    /// Acceptors are replaced each second; then one dies and is replaced (figures 9, 10; table 1).
    Acceptors,
    /// The same with matchmakers; then acceptors are replaced once (figure 13; table 2).
    Matchmakers,
    /// The leader dies (figure 11).
    Leader,
    /// Latency and throughput for 1 to 500 clients, with nothing happening.
    Growth,
}

impl Experiment {
    /// How long one run is measured in the paper.
    fn length(self) -> Duration {
        let seconds = match self {
            Self::Acceptors => 35,
            Self::Matchmakers => 40,
            Self::Leader => 20,
            Self::Growth => 10,
        };
        Duration::from_secs(seconds)
    }

    /// How long one run is measured, if all times are multiplied by `pace`.
    pub(crate) fn duration(self, pace: f64) -> Duration {
        self.length().mul_f64(pace)
    }

    /// Numbers of clients in the paper.
    pub(crate) fn clients(self) -> &'static [u16] {
        match self {
            Self::Acceptors | Self::Matchmakers | Self::Leader => &[1, 4, 8],
            Self::Growth => &[1, 2, 4, 5, 10, 25, 50, 100, 200, 500],
        }
    }

    /// The cluster: acceptors that die alone are processes of their own, and there is a pool of
    /// twice as many matchmakers as serve at once.
    pub(crate) fn shape(self, failures: u16) -> Shape {
        let (layout, spares) = match self {
            Self::Acceptors => (Layout::Apart, 0),
            Self::Matchmakers => (Layout::Colocated, 2 * failures + 1),
            Self::Leader | Self::Growth => (Layout::Colocated, 0),
        };
        Shape { ordering: Protocol::Matchmaker, layout, failures, spares }
    }

    /// What happens, with all times multiplied by `pace`. While acceptors or matchmakers are replaced they are
    /// once a second, or every `every`.
    ///
    /// *Errors*: none for a pace above zero.
    pub(crate) fn script(self, pace: f64, every: Option<Duration>) -> Outcome<Script> {
        let time = |seconds: u64| Duration::from_secs(seconds).mul_f64(pace);
        let event = |at: u64, action: Action| Event { at: time(at), action };
        let every = every.unwrap_or(time(1));
        let repeat = Repeat { every: Some(every), lasts: Some(time(10)) };
        let events = match self {
            Self::Acceptors => vec![
                event(10, Action::Reconfigure(repeat)),
                event(25, Action::Kill("acceptor".into())),
                event(30, Action::ReplaceAcceptor),
            ],
            Self::Matchmakers => vec![
                event(10, Action::Handover(repeat)),
                event(25, Action::Kill("matchmaker".into())),
                event(30, Action::ReplaceMatchmaker),
                event(35, Action::Reconfigure(Repeat::default())),
            ],
            Self::Leader => vec![event(7, Action::Kill("leader".into()))],
            Self::Growth => Vec::new(),
        };
        Script::new(events, self.duration(pace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_experiment_is_possible_at_every_pace() {
        for experiment in
            [Experiment::Acceptors, Experiment::Matchmakers, Experiment::Leader, Experiment::Growth]
        {
            for pace in [0.1, 1.0, 3.0] {
                let every = (pace > 1.0).then_some(Duration::from_millis(100));
                let script = experiment.script(pace, every).expect("possible");
                let last = script.events().last().map(|event| event.at);
                assert!(last.unwrap_or_default() < experiment.duration(pace));
            }
            assert!(!experiment.clients().is_empty());
        }
    }

    #[test]
    fn matchmakers_have_a_pool_to_come_from() {
        assert_eq!(Experiment::Matchmakers.shape(2).spares, 5);
        assert_eq!(Experiment::Acceptors.shape(1).layout, Layout::Apart);
    }
}
