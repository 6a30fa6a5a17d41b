//! The end of a run: faults stop, and the cluster must become well within stated times.
//!
//! ```text
//!   0 s  everything restarts, the network works; calls go on
//!   1 s  one last reconfiguration, repeated until it is collected; what it retires is switched off
//!        one more handover as well, repeated until it is finished
//!   3 s  from here on every new call succeeds, and the leader stays
//!   6 s  the reconfiguration is active and collected; then the leader crashes, for a while; where
//!        leaders heal the cluster by themselves, until spares must have taken its place
//!  10 s  from here on every new call succeeds again
//!  12 s  calls stop
//!  12.5  one more of each, which must end without any traffic
//!  15 s  every call has returned, replicas are equal, the last acceptors are in place, alone, and so
//!        are the last matchmakers
//! ```
//!
//! Where processes come and go, all of that is three seconds later: until everything must succeed every
//! exchange that was begun must have ended, and in the end those are members that are meant to be.

use std::collections::BTreeSet;

use paxos::actor::NodeId;

use super::Happening;
use crate::MS;
use crate::plan::Wish;
use crate::properties::late;
use crate::trace::Kind;
use crate::world::process::Status;
use crate::world::{Event, Role, Verdict, Workload, World};

/// A step of the healing.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Heal,
    Reconfigure,
    Repeat(u64),
    HandOver,
    RepeatHandover(u64),
    Strict,
    LoseLeader,
    CheckHealed(usize),
    StrictAgain,
    Quiet,
    Ask,
    End,
}

/// When each step comes, in milliseconds after the faults stop.
const TIMETABLE: [(u64, Step); 10] = [
    (1_000, Step::Reconfigure),
    (1_000, Step::HandOver),
    (3_000, Step::Strict),
    (6_000, Step::LoseLeader),
    (10_000, Step::StrictAgain),
    (12_000, Step::Quiet),
    (12_500, Step::HandOver),
    (12_500, Step::Reconfigure),
    (14_500, Step::Ask),
    (15_000, Step::End),
];

/// How often the last request is repeated.
const REPEAT_US: u64 = 400 * MS;

/// How much later everything is where processes come and go.
const EXCHANGES_US: u64 = 3000 * MS;

/// For how long the leader is down at most.
const LEADER_DOWN_US: u64 = 1500 * MS;

/// For how long it is down where leaders heal the cluster by themselves.
const HEALED_US: u64 = 6100 * MS;

impl<W: Workload> World<W> {
    pub(super) fn heal(&mut self, step: Step) -> Verdict {
        self.note(None, Kind::Heal, format!("healing: {step:?}"));
        match step {
            Step::Heal => {
                self.stop_faults();
                let extra_us = if self.places.has_spares() { EXCHANGES_US } else { 0 };
                for (at_ms, step) in TIMETABLE {
                    self.push(at_ms * MS + extra_us, Event::Own(Happening::Heal(step)));
                }
            }
            Step::Reconfigure => self.ask_for_acceptors(),
            Step::Repeat(token) => {
                if !self.own.operator.collected.contains(&token) {
                    self.send_request(token);
                    self.push(REPEAT_US, Event::Own(Happening::Heal(Step::Repeat(token))));
                }
            }
            Step::HandOver => {
                let is_spread = self.must_spread();
                // To hand over to one that is lost would be to undo what the leader does.
                let lost = self.lost().filter(|_| self.is_healing());
                let random = &mut self.operator_random;
                let wish = Wish::handover(random, &self.places, is_spread, lost);
                let token = self.wish(wish);
                self.push(
                    self.repeat_handover_us(),
                    Event::Own(Happening::Heal(Step::RepeatHandover(token))),
                );
            }
            Step::RepeatHandover(token) => {
                if !self.is_handed_over(token) {
                    self.change_driver(token);
                    self.send_handover(token);
                    self.push(
                        self.repeat_handover_us(),
                        Event::Own(Happening::Heal(Step::RepeatHandover(token))),
                    );
                }
            }
            Step::Strict if !self.own.exchanges.are_done() => {
                return late(
                    "exchange",
                    format!("exchanges do not end: {}", self.open_exchanges()),
                );
            }
            Step::Strict => {
                self.own.settled_number = self.own.ghost.highest_number();
                self.calls.expect_success(self.now);
            }
            Step::StrictAgain => self.calls.expect_success(self.now),
            Step::LoseLeader => return self.lose_leader(),
            Step::CheckHealed(dead) => return self.check_healed(dead),
            Step::Quiet => {
                self.is_busy = false;
                return self.calls.check_success();
            }
            Step::Ask => self.ask_status(),
            Step::End => {}
        }
        Ok(())
    }

    /// Wishes for the last acceptors.
    fn ask_for_acceptors(&mut self) {
        let (lost, is_healing) = (self.lost(), self.is_healing());
        let is_spread = self.must_spread();
        let random = &mut self.operator_random;
        let from = (&self.places, Role::Acceptor);
        let pool = Wish::pool(random, from, is_spread, lost);
        let wish = match is_healing {
            true => Wish::majority(random, pool),
            false => Wish::draw(random, pool),
        };
        let token = self.wish(wish);
        self.push(REPEAT_US, Event::Own(Happening::Heal(Step::Repeat(token))));
    }

    /// Whether no process may have two of the last acceptors or matchmakers.
    fn must_spread(&self) -> bool {
        self.lost().is_some() || self.is_healing()
    }

    fn lost(&self) -> Option<usize> {
        self.processes.iter().position(|process| matches!(process.status, Status::Lost(_)))
    }

    fn lose_leader(&mut self) -> Verdict {
        let token = self.own.operator.last_wish;
        if !self.own.operator.active.contains(&token)
            || !self.own.operator.collected.contains(&token)
        {
            let detail = format!("request {token} is not active and collected in time");
            return late("reconfiguration", detail);
        }
        if !self.is_handed_over(self.own.handovers.last_wish) {
            return late("handover", "the handover is not finished in time".into());
        }
        let number = self.own.ghost.highest_number();
        if number > self.own.settled_number {
            let settled = self.own.settled_number;
            let detail = format!("the leader of round {settled} was overtaken by round {number}");
            return late("overtaken leader", detail);
        }
        self.calls.check_success()?;
        self.calls.forgive();
        let Some(leader) = self.leading_process() else {
            return late("no leader", "nobody leads".into());
        };
        let down_us = self.operator_random.within(MS..LEADER_DOWN_US);
        if self.is_healing() && self.survives(leader) {
            self.push(HEALED_US, Event::Own(Happening::Heal(Step::CheckHealed(leader))));
            return self.crash(leader, true, HEALED_US + MS);
        }
        self.crash(leader, true, down_us)
    }

    /// Everything must be well now.
    pub(super) fn check_end(&mut self) -> Verdict {
        if let Some((token, call)) = self.calls.oldest() {
            let asked = self.workload.show(&call.request);
            let (client, at) = (call.client, call.invoked_at / MS);
            let detail =
                format!("call {token} of client {client}, {asked}, made at {at} ms, never returns");
            return late("lost call", detail);
        }
        let replicas: Vec<usize> = self.living(Role::Replica).collect();
        let replicas = replicas.into_iter().filter(|p| self.own.exchanges.is_serving(*p));
        for index in replicas {
            let executed = self.processes[index].observed().map(|one| one.count() as usize);
            if executed != Some(self.own.ledger.len()) {
                let all = self.own.ledger.len();
                let detail = format!("the replica of p{index} executed {executed:?} of {all}");
                return late("replica", detail);
            }
            self.check_machines(index)?;
        }
        self.check_acceptors_in_place()?;
        self.check_members_in_place()?;
        self.check_matchmakers_in_place()?;
        crate::properties::check_history(&self.workload, self.calls.records())
    }

    /// The last matchmakers that were asked for serve, and the leader knows.
    fn check_matchmakers_in_place(&self) -> Verdict {
        let (epoch, members) = (self.own.ghost.newest_epoch(), self.own.ghost.newest_members());
        let Some(status) = &self.own.operator.status else {
            return late("status", "nobody answers for the status".into());
        };
        let is_known = (status.epoch, &status.matchmakers) == (epoch, members);
        if is_known && Some(members) == self.wanted_matchmakers() {
            return Ok(());
        }
        let wanted = self.wanted_matchmakers();
        let detail = format!(
            "matchmakers are {members:?} of {epoch:?}, wanted {wanted:?}, the leader knows {:?}",
            status.epoch
        );
        late("matchmakers in place", detail)
    }

    /// Those are members that the exchanges were for.
    fn check_members_in_place(&self) -> Verdict {
        let Some(status) = &self.own.operator.status else {
            return late("status", "nobody answers for the status".into());
        };
        let archives = self.places.every(Role::Archive).into_iter();
        let is_serving = |node: &NodeId| {
            let at = self.places.find(*node);
            at.is_some_and(|at| self.own.exchanges.is_serving(at.process))
        };
        let wanted: BTreeSet<NodeId> = archives.filter(is_serving).collect();
        let membership = status.configuration.membership();
        if membership.archives == wanted && membership.joining.is_empty() {
            return Ok(());
        }
        late("members", format!("members are {membership:?}, wanted {wanted:?}"))
    }

    fn check_acceptors_in_place(&self) -> Verdict {
        let Some(status) = &self.own.operator.status else {
            return late("status", "nobody answers for the status".into());
        };
        let wanted = self.own.operator.requests.last();
        let is_in_place = wanted.is_some_and(|wanted| {
            wanted.system == status.configuration.system()
                && wanted.members.iter().eq(status.configuration.members())
        });
        if is_in_place && status.history_count == 0 {
            return Ok(());
        }
        let detail = format!(
            "in place is {} after {} others, wanted {wanted:?}",
            self.places.show(&status.configuration),
            status.history_count
        );
        late("acceptors in place", detail)
    }
}
