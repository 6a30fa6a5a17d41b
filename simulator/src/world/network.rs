//! The network between processes: late, lossy, repeating, and cut now and then.

use crate::MS;
use crate::plan::{Plan, Weather};
use crate::random::{Purpose, Random};

/// One direction between two processes.
#[derive(Clone, Debug)]
struct Link {
    random: Random,
    /// Messages are lost until this time.
    cut_until: u64,
    /// Messages take longer until this time.
    slow_until: u64,
    /// By so much.
    extra_us: u64,
}

/// All links, and the weather.
#[derive(Clone, Debug)]
pub(super) struct Network {
    links: Vec<Link>,
    processes: usize,
    delay_us: std::ops::Range<u64>,
    /// What is lost, repeated and late at present.
    pub weather: Weather,
}

impl Network {
    /// The network of `plan`, between so many processes.
    pub(super) fn new(plan: &Plan, processes: usize) -> Self {
        let link = |number| Link {
            random: Random::stream(plan.seed, (Purpose::Link, number)),
            cut_until: 0,
            slow_until: 0,
            extra_us: 0,
        };
        Self {
            links: (0..(processes * processes) as u64).map(link).collect(),
            processes,
            delay_us: plan.delay_us.clone(),
            weather: plan.weather,
        }
    }

    fn link(&mut self, from: usize, to: usize) -> &mut Link {
        &mut self.links[from * self.processes + to]
    }

    /// Ends all faults.
    pub(super) fn heal(&mut self) {
        for link in &mut self.links {
            (link.cut_until, link.slow_until) = (0, 0);
        }
        self.weather = Weather { loss: 0, repeats: 0, late: 0 };
    }

    /// Loses what `from` sends to `to` until `until`. A process always reaches itself.
    pub(super) fn cut(&mut self, from: usize, to: usize, until: u64) {
        let link = self.link(from, to);
        link.cut_until = link.cut_until.max(until);
    }

    /// Delays what `from` sends to `to` by `extra_us` until `until`.
    pub(super) fn slow(&mut self, from: usize, to: usize, extra_us: u64, until: u64) {
        let link = self.link(from, to);
        (link.extra_us, link.slow_until) = (extra_us, until);
    }

    /// After which delays a message arrives: none, one or two. The second is a repeat.
    pub(super) fn delays(&mut self, from: usize, to: usize, now: u64) -> [Option<u64>; 2] {
        let (weather, delay_us) = (self.weather, self.delay_us.clone());
        let link = self.link(from, to);
        let random = &mut link.random;
        let (is_lost, is_cut) = (random.permille(weather.loss), link.cut_until > now);
        let is_late = random.permille(weather.late);
        let extra_us = if link.slow_until > now { link.extra_us } else { 0 };
        let delay = random.within(if is_late { 2 * MS..150 * MS } else { delay_us }) + extra_us;
        let repeat = random.permille(weather.repeats).then(|| {
            let is_ancient = random.permille(300);
            random.within(if is_ancient { 100 * MS..3000 * MS } else { MS..50 * MS })
        });
        // Nothing crosses a cut. What is lost otherwise may be sent again by the transport.
        if is_cut { [None, None] } else { [(!is_lost).then_some(delay), repeat] }
    }

    /// The delay of a message to or from the operator; none if it is lost. Such messages are never
    /// repeated: an operator who asks twice means it.
    pub(super) fn operator_delay(&self, random: &mut Random) -> Option<u64> {
        (!random.permille(self.weather.loss)).then(|| random.within(100..5 * MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Shape;

    #[test]
    fn nothing_crosses_a_cut() {
        let plan = Plan::quiet(1, Shape::Three);
        let mut network = Network::new(&plan, 3);
        network.weather = Weather { loss: 0, repeats: 1000, late: 0 };
        network.cut(0, 1, 500);
        for _ in 0..100 {
            assert_eq!(network.delays(0, 1, 499), [None, None]);
            assert!(network.delays(0, 1, 500).iter().all(Option::is_some));
            assert!(network.delays(1, 0, 499).iter().all(Option::is_some));
        }
    }
}
