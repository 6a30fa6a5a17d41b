//! The end of a run: faults stop, and the cluster must become well within stated times.
//!
//! ```text
//!   0 s  everything restarts, the network works; calls go on
//!   1 s  one last request for other acceptors of every column, for other matchmakers and for other
//!        dependency nodes, each repeated until it is done
//!   3 s  from here on every new call succeeds
//!   6 s  all of that is done and collected; then a process with a proposer crashes, for a while
//!  10 s  from here on every new call succeeds again
//!  12 s  calls stop
//!  12.5  one more of each, which must end without any traffic
//!  15 s  every call has returned, replicas are equal and wait for nothing, and the last acceptors,
//!        matchmakers and dependency nodes are in place, alone
//! ```
//!
//! Where a process is lost for good, matchmakers are replaced one column after the other, and each time the
//! driver waits a second for the proposer that is lost: from the crash on everything is three seconds
//! later, and what comes after the last requests six.

use std::collections::BTreeSet;

use bpaxos::node::Node;
use bpaxos::vertex::Column;
use paxos::actor::NodeId;
use paxos::quorum::QuorumSystem;
use paxos::state_machine::Conflicts;

use super::Bpaxos;
use super::operator::Request;
use crate::MS;
use crate::plan::{Role, Wish};
use crate::properties::{bpaxos::check_history, late};
use crate::trace::Kind;
use crate::workload::Workload;
use crate::world::process::Status;
use crate::world::{Event, Verdict, World};

/// A step of the healing.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The faults stop.
    Heal,
    /// Other acceptors are asked for, other matchmakers and other dependency nodes.
    Wish,
    /// The same, when there are no calls any more.
    WishAgain,
    /// A request is sent again, unless it is done.
    Repeat(u64),
    /// Calls must succeed.
    Strict,
    /// All of that is done, and a process dies.
    LoseProposer,
    /// Calls must succeed again.
    StrictAgain,
    /// Calls stop.
    Quiet,
    /// The operator asks how things are.
    Ask,
    /// The run ends.
    End,
}

impl Step {
    /// How much later it comes where a process is lost for good.
    fn extra_ms(self) -> u64 {
        match self {
            Self::Heal | Self::Wish | Self::Repeat(_) | Self::Strict => 0,
            Self::LoseProposer | Self::StrictAgain | Self::Quiet | Self::WishAgain => 3_000,
            Self::Ask | Self::End => 6_000,
        }
    }
}

/// When each step comes, in milliseconds after the faults stop.
const TIMETABLE: [(u64, Step); 8] = [
    (1_000, Step::Wish),
    (3_000, Step::Strict),
    (6_000, Step::LoseProposer),
    (10_000, Step::StrictAgain),
    (12_000, Step::Quiet),
    (12_500, Step::WishAgain),
    (14_500, Step::Ask),
    (15_000, Step::End),
];

/// Acceptors, and how they decide.
type Acceptors<'a> = (QuorumSystem, &'a BTreeSet<NodeId>);

/// How often a request is repeated.
const REPEAT_US: u64 = 500 * MS;

/// For how long a process is down at most.
const PROPOSER_DOWN_US: u64 = 1500 * MS;

impl<W: Workload<Machine: Conflicts>> World<W, Bpaxos> {
    pub(super) fn heal(&mut self, step: Step) -> Verdict {
        self.note(None, Kind::Heal, format!("healing: {step:?}"));
        match step {
            Step::Heal => {
                self.stop_faults();
                let is_slow = self.lost().is_some();
                for (at_ms, step) in TIMETABLE {
                    let extra_ms = if is_slow { step.extra_ms() } else { 0 };
                    self.push((at_ms + extra_ms) * MS, Event::Own(step));
                }
            }
            Step::Wish | Step::WishAgain => self.wish_for_all(),
            Step::Repeat(token) => {
                if !self.is_done(token) {
                    self.change_driver(token);
                    self.send_request(token);
                    self.push(REPEAT_US, Event::Own(Step::Repeat(token)));
                }
            }
            Step::Strict | Step::StrictAgain => self.calls.expect_success(self.now),
            Step::LoseProposer => return self.lose_proposer(),
            Step::Quiet => {
                self.is_busy = false;
                return self.calls.check_success();
            }
            Step::Ask => self.ask_status(),
            Step::End => {}
        }
        Ok(())
    }

    fn lost(&self) -> Option<usize> {
        self.processes.iter().position(|process| matches!(process.status, Status::Lost(_)))
    }

    /// One request of each kind, for nodes that are there.
    fn wish_for_all(&mut self) {
        let lost = self.lost();
        let (is_spread, random) = (lost.is_some(), &mut self.operator_random);
        let pool = Wish::pool(random, (&self.places, Role::Acceptor), is_spread, lost);
        let wishes = [
            Wish::draw(random, pool),
            Wish::handover(random, &self.places, is_spread, lost),
            Wish::service(random, &self.places, is_spread, lost),
        ];
        for wish in wishes {
            let token = self.wish(wish);
            self.push(REPEAT_US, Event::Own(Step::Repeat(token)));
        }
    }

    /// Columns whose proposer may be up. One that is lost has nobody who leads its column, until
    /// somebody waits for a vertex of it.
    fn living_columns(&self) -> Vec<Column> {
        let lost = self.lost();
        let is_there = |column: &Column| {
            let at = self.places.find(column.0).map(|at| at.process);
            lost.is_none() || at != lost
        };
        self.columns().into_iter().filter(is_there).collect()
    }

    /// Whether a request has come to its end.
    fn is_done(&self, token: u64) -> bool {
        let operator = &self.own.operator;
        match &operator.requests[token as usize - 1] {
            Request::Acceptors(..) => {
                let columns = self.living_columns();
                columns.iter().all(|column| operator.collected.contains(&(token, *column)))
            }
            Request::Matchmakers(..) | Request::Service(..) => operator.done.contains(&token),
        }
    }

    fn lose_proposer(&mut self) -> Verdict {
        let last = self.own.operator.requests.len() as u64;
        for token in last.saturating_sub(2).max(1)..=last {
            if !self.is_done(token) {
                let text = self.shown(token);
                return late("reconfiguration", format!("request {token} is not done: {text}"));
            }
        }
        self.calls.check_success()?;
        self.calls.forgive();
        let living: Vec<usize> = self.living(Role::Proposer).collect();
        if living.is_empty() {
            return late("no proposer", "no proposer is left".into());
        }
        let dead = living[self.operator_random.index(living.len())];
        let down_us = self.operator_random.within(MS..PROPOSER_DOWN_US);
        self.crash(dead, true, down_us)
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
        self.check_replicas()?;
        self.check_machines()?;
        self.check_in_place()?;
        check_history(&self.workload, self.calls.records())
    }

    /// Every replica has executed everything that any of them has, and waits for nothing.
    fn check_replicas(&self) -> Verdict {
        let all = self.own.judge.executed_count();
        for index in self.living(Role::Replica) {
            let replica = self.processes[index].actors.iter().find_map(|actor| match actor {
                Node::Replica(replica) => Some(replica),
                _ => None,
            });
            let found = replica.map(|r| (r.machine().count() as usize, r.waiting_count()));
            if found != Some((all, 0)) {
                let detail = format!(
                    "the replica of p{index} executed {:?} of {all} commands, and so many vertices wait",
                    found
                );
                return late("replica", detail);
            }
        }
        Ok(())
    }

    /// The last acceptors, matchmakers and dependency nodes that were asked for serve, and no others.
    fn check_in_place(&self) -> Verdict {
        let (mut acceptors, mut matchmakers, mut service) = (None, None, None);
        for request in &self.own.operator.requests {
            match request {
                Request::Acceptors(system, members) => acceptors = Some((*system, members)),
                Request::Matchmakers(members, _) => matchmakers = Some(members),
                Request::Service(members, _) => service = Some(members),
            }
        }
        for column in self.living_columns() {
            self.check_column_in_place(column, (acceptors, matchmakers))?;
        }
        let newest = self.own.judge.newest_service();
        if newest.map(|(_, members)| members) == service {
            return Ok(());
        }
        late("dependency nodes in place", format!("in place are {newest:?}, wanted {service:?}"))
    }

    fn check_column_in_place(
        &self,
        column: Column,
        (acceptors, matchmakers): (Option<Acceptors<'_>>, Option<&BTreeSet<NodeId>>),
    ) -> Verdict {
        let Some(status) = self.own.operator.status.get(&column) else {
            return late("status", format!("nobody leads {column:?}"));
        };
        let is_in_place = acceptors.is_some_and(|(system, members)| {
            system == status.configuration.system()
                && members.iter().eq(status.configuration.members())
        });
        if !is_in_place || status.history_count > 0 {
            let (shown, count) = (self.places.show(&status.configuration), status.history_count);
            let detail =
                format!("{column:?} has {shown} after {count} others, wanted {acceptors:?}");
            return late("acceptors in place", detail);
        }
        if Some(&status.matchmakers) != matchmakers {
            let found = &status.matchmakers;
            let detail = format!("{column:?} has matchmakers {found:?}, wanted {matchmakers:?}");
            return late("matchmakers in place", detail);
        }
        Ok(())
    }
}
