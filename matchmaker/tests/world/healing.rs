//! The end of a run: faults stop, and the cluster must become well within stated times.
//!
//! ```text
//!   0 s  everything restarts, the network works; calls go on
//!   1 s  one last reconfiguration, repeated until it is collected; what it retires is switched off
//!   3 s  from here on every new call succeeds
//!   6 s  the reconfiguration is active and collected; then the leader crashes, for a while
//!  10 s  from here on every new call succeeds again
//!  12 s  calls stop
//!  15 s  every call has returned, replicas are equal, the last acceptors are in place, alone
//! ```

use matchmaker::node::Node;

use super::checks::{Verdict, fail, names};
use super::network::MS;
use super::places::{PROCESSES, REPLICA};
use super::{Event, World};

/// A step of the healing.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Heal,
    Reconfigure,
    Repeat(u64),
    Strict,
    LoseLeader,
    StrictAgain,
    Quiet,
    Ask,
    End,
}

impl World {
    pub(super) fn heal(&mut self, step: Step) -> Verdict {
        self.note(format_args!("healing: {step:?}"));
        match step {
            Step::Heal => self.stop_faults(),
            Step::Reconfigure => {
                self.request_random();
                let token = self.operator.requests.len() as u64;
                self.push(400 * MS, Event::Heal(Step::Repeat(token)));
            }
            Step::Repeat(token) => {
                if !self.operator.collected.contains(&token) {
                    self.send_request(token);
                    self.push(400 * MS, Event::Heal(Step::Repeat(token)));
                }
            }
            Step::Strict => {
                self.settled = self.ghost.number();
                self.ghost.history.strict_from = Some(self.now);
            }
            Step::LoseLeader => return self.lose_leader(),
            Step::StrictAgain => self.ghost.history.strict_from = Some(self.now),
            Step::Quiet => self.is_busy = false,
            Step::Ask => self.ask_status(),
            Step::End => {}
        }
        Ok(())
    }

    fn stop_faults(&mut self) {
        self.queue.retain(|_, event| !matches!(event, Event::Fault | Event::Operate));
        self.network.heal();
        self.sync_max = 2 * MS;
        for process in 0..PROCESSES {
            self.processes[process].paused_until = 0;
            self.push(0, Event::Restart(process));
        }
        for (at, step) in [
            (1_000, Step::Reconfigure),
            (3_000, Step::Strict),
            (6_000, Step::LoseLeader),
            (10_000, Step::StrictAgain),
            (12_000, Step::Quiet),
            (12_500, Step::Reconfigure),
            (14_000, Step::Ask),
            (15_000, Step::End),
        ] {
            self.push(at * MS, Event::Heal(step));
        }
    }

    fn lose_leader(&mut self) -> Verdict {
        let token = self.operator.requests.len() as u64;
        if !self.operator.active.contains(&token) || !self.operator.collected.contains(&token) {
            let detail = format!("request {token} is not active and collected in time");
            return fail("liveness: reconfiguration", detail);
        }
        if self.ghost.number() > self.settled {
            let detail = format!("{} is followed by {}", self.settled, self.ghost.number());
            return fail("liveness: stable leader", detail);
        }
        self.ghost.history.strict_from = None;
        match self.leading_process() {
            Some(leader) => self.crash(leader),
            None => fail("liveness: leader", "nobody leads".into()),
        }
    }

    pub(super) fn check_end(&self) -> Verdict {
        if let Some((_, call)) = self.ghost.history.oldest() {
            return fail("liveness: calls", format!("{call} never returns"));
        }
        let machines =
            self.processes.iter().filter_map(|process| match process.actors.get(REPLICA)? {
                Node::Replica(replica) => Some(replica.machine().applied.len()),
                _ => None,
            });
        let machines: Vec<usize> = machines.collect();
        if machines != [self.ghost.history.ledger_len(); PROCESSES] {
            return fail("liveness: replicas", format!("replicas executed {machines:?} commands"));
        }
        let Some(status) = &self.operator.status else {
            return fail("liveness: leader", "nobody answers for the status".into());
        };
        let wanted = self.operator.requests.last();
        let is_in_place = wanted.is_some_and(|wanted| {
            wanted.system == status.configuration.system()
                && wanted.members.iter().eq(status.configuration.members())
        });
        if !is_in_place || status.history_count > 0 {
            let detail = format!(
                "in place is {} after {} others, wanted {wanted:?}",
                names(&status.configuration),
                status.history_count
            );
            return fail("liveness: reconfiguration", detail);
        }
        Ok(())
    }
}

/// Runs a quiet cluster that moves to two acceptors that must both write, and loses one of them.
/// An operator must be able to move on to others: that nothing can be written until then is what
/// such a configuration is for, but not that nothing can be replaced.
pub fn leave_a_broken_configuration(seed: u64, is_traced: bool) -> Verdict {
    use matchmaker::message::ReconfigureA;
    use paxos::quorum::QuorumSystem;
    use paxos::round::Round;

    let for_ever = Round { number: u64::MAX, ..Round::ZERO };
    let mut world = World::new(seed, None, is_traced);
    world.queue.retain(|_, event| matches!(event, Event::Restart(_)));
    world.advance(1500 * MS)?;
    let pool = super::places::acceptors();
    let choices = [
        (QuorumSystem::WriteAll, [pool[0], pool[2]].into()),
        (QuorumSystem::Majority, [pool[1], pool[3], pool[5]].into()),
    ];
    for (token, (system, members)) in (1..).zip(choices) {
        world.operator.requests.push(ReconfigureA { token, system, members });
        world.operator.sent_at.push(world.now);
        for _ in 0..10 {
            world.send_request(token);
            if token == 2 {
                world.ghost.retired.insert(pool[2], for_ever);
            }
            world.advance(500 * MS)?;
        }
        if !world.operator.active.contains(&token) {
            return fail("liveness: reconfiguration", format!("request {token} is never active"));
        }
        if token == 1 {
            world.ghost.retired.insert(pool[2], for_ever);
            world.advance(3000 * MS)?;
        }
    }
    Ok(())
}

impl World {
    pub(super) fn advance(&mut self, time: u64) -> Verdict {
        let until = self.now + time;
        while self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= until)
            && let Some(((at, _), event)) = self.queue.pop_first()
        {
            self.now = at;
            self.take(event)?;
        }
        self.now = until;
        Ok(())
    }
}
