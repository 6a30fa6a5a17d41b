//! The operator, when matchmakers are to be replaced: asks for others, and switches the old ones off
//! when told that it may.

use std::collections::BTreeSet;

use matchmaker::message::{
    Generation, HandoverA, HandoverB, HandoverProgress, ToProposer, ToReconfigurer,
};
use paxos::actor::NodeId;

use super::exchanges::IN_FLIGHT_US;
use crate::MS;
use crate::coverage::Situation;
use crate::trace::Kind;
use crate::world::{Role, Workload, World};

/// How much longer than a driver waits for others a request for a handover waits for its end, before
/// the next driver is asked as well: two drivers at once only supersede each other.
const BEYOND_PATIENCE_US: u64 = 300 * MS;

/// What the operator remembers of them.
#[derive(Debug, Default)]
pub(super) struct Handovers {
    /// Every request, by its token less one, and the proposers that were asked.
    requests: Vec<(HandoverA, Vec<usize>)>,
    /// When each was last sent.
    all_sent_at: Vec<u64>,
    /// Tokens of which the end was reported.
    finished: BTreeSet<u64>,
    /// When a request other than the last was last sent.
    earlier_sent_at: u64,
    /// The same for the last.
    sent_at: u64,
    /// The token of the last wish; other requests are of exchanges.
    pub(super) last_wish: u64,
}

impl<W: Workload> World<W> {
    /// Asks some proposers for other matchmakers. Returns the token of the request.
    pub(super) fn hand_over(&mut self, matchmakers: &[usize], drivers: Vec<usize>) -> u64 {
        let members = self.pick_available(Role::Matchmaker, matchmakers);
        let token = self.own.handovers.requests.len() as u64 + 1;
        if self.recorder.is_some() {
            let text = format!("handover {token}: to {}", self.names(&members));
            self.note(None, Kind::Wish, text);
        }
        self.own.handovers.requests.push((HandoverA { token, members }, drivers));
        self.own.handovers.all_sent_at.push(self.now);
        self.own.handovers.earlier_sent_at = self.own.handovers.sent_at;
        self.send_handover(token);
        token
    }

    /// Sends the request of `token`, for the first time or again.
    pub fn send_handover(&mut self, token: u64) {
        let (m, drivers) = self.own.handovers.requests[token as usize - 1].clone();
        self.own.handovers.sent_at = self.now;
        self.own.handovers.all_sent_at[token as usize - 1] = self.now;
        for node in &m.members {
            self.set_off(*node, false);
        }
        let all = self.proposers_in_service();
        for driver in drivers {
            let m = ToProposer::Reconfigurer(ToReconfigurer::HandoverA(m.clone()));
            self.tell_proposer(all[driver % all.len()], &m);
        }
    }

    /// How often a request for a handover is repeated.
    pub(super) fn repeat_handover_us(&self) -> u64 {
        let patience = &self.plan.options.leader.campaign;
        patience.end.as_micros() as u64 + BEYOND_PATIENCE_US
    }

    /// Has other proposers drive the handover from the next repeat on.
    pub(super) fn change_driver(&mut self, token: u64) {
        let count = self.places.every(Role::Proposer).len();
        for driver in &mut self.own.handovers.requests[token as usize - 1].1 {
            *driver = (*driver + 1) % count;
        }
    }

    /// Whether the end of the handover of `token` was reported.
    pub fn is_handed_over(&self, token: u64) -> bool {
        self.own.handovers.finished.contains(&token)
    }

    /// The same for the last request.
    pub(super) fn is_last_handed_over(&self) -> bool {
        self.is_handed_over(self.own.handovers.requests.len() as u64)
    }

    /// Whether the request of `token` is for these.
    pub(super) fn is_handover_to(&self, token: u64, members: &BTreeSet<NodeId>) -> bool {
        self.own.handovers.requests[token as usize - 1].0.members == *members
    }

    /// Whether each request for one of `nodes` was outdone by a later one that is finished. None if only
    /// time can tell.
    pub(super) fn are_matchmakers_out_of_limbo(&self, nodes: &BTreeSet<NodeId>) -> Option<bool> {
        let times = || self.own.handovers.requests.iter().zip(&self.own.handovers.all_sent_at);
        let wanting = times().filter(|((m, _), _)| !m.members.is_disjoint(nodes));
        let Some(last) = wanting.map(|(_, at)| at + IN_FLIGHT_US).max() else { return Some(true) };
        if last > self.now {
            return None;
        }
        let mut later = times().filter(|(_, at)| **at > last);
        Some(later.any(|((m, _), _)| self.own.handovers.finished.contains(&m.token)))
    }

    /// Whom the last request was for.
    pub(super) fn wanted_matchmakers(&self) -> Option<&BTreeSet<NodeId>> {
        self.own.handovers.requests.last().map(|(m, _)| &m.members)
    }

    /// Switches the machines of old matchmakers off, unless a request may be on its way that wants some
    /// of them.
    fn retire_matchmakers(
        &mut self,
        token: u64,
        generation: &Generation,
        retirable: &BTreeSet<NodeId>,
    ) {
        let is_last = token == self.own.handovers.requests.len() as u64;
        let others_sent_at = self.own.handovers.earlier_sent_at;
        let is_quiet = others_sent_at + IN_FLIGHT_US < self.now;
        if !is_last || !is_quiet || generation.epoch != self.own.ghost.newest_epoch() {
            return;
        }
        for node in retirable {
            self.set_off(*node, true);
            self.summary.coverage.meet(Situation::MatchmakerRetired);
            let text = format!("{} is switched off", self.places.name(*node));
            self.note(None, Kind::Collection, text);
        }
    }

    /// Switches a machine off or on.
    fn set_off(&mut self, node: NodeId, is_off: bool) {
        let present = self.places.find(node).filter(|_| self.places.is_present(node));
        let Some(at) = present else { return };
        let off = &mut self.processes[at.process].off;
        if is_off {
            off.insert(at.place);
        } else {
            off.remove(&at.place);
        }
    }

    fn names(&self, nodes: &BTreeSet<NodeId>) -> String {
        let names: Vec<String> = nodes.iter().map(|node| self.places.name(*node)).collect();
        names.join(" ")
    }

    fn show_generation(&self, generation: &Generation) -> String {
        format!("epoch {}, {}", generation.epoch.0, self.names(&generation.members))
    }

    /// Hears how a handover goes on.
    pub(super) fn hear_handover(&mut self, m: HandoverB) {
        let token = m.token;
        let (situation, text) = match m.progress {
            HandoverProgress::Active { generation } => {
                let shown = self.show_generation(&generation);
                (Situation::HandoverActive, format!("is active: {shown}"))
            }
            HandoverProgress::Finished { generation, unaware, retirable } => {
                self.own.handovers.finished.insert(token);
                self.retire_matchmakers(token, &generation, &retirable);
                let shown = self.show_generation(&generation);
                let text = match unaware.is_empty() {
                    true => format!("is finished: {shown}"),
                    false => format!("is finished: {shown}; unaware: {}", self.names(&unaware)),
                };
                (Situation::HandoverFinished, text)
            }
            HandoverProgress::Superseded { generation } => {
                let shown = self.show_generation(&generation);
                (Situation::HandoverSuperseded, format!("is superseded: {shown}"))
            }
            HandoverProgress::Refused { reason } => {
                (Situation::HandoverRefused, format!("is refused: {reason}"))
            }
            HandoverProgress::Unreachable { silent } => {
                let text = format!("is refused: {} do not answer", self.names(&silent));
                (Situation::NewMatchmakersSilent, text)
            }
        };
        self.summary.coverage.meet(situation);
        self.note(None, Kind::Collection, format!("handover {token} {text}"));
    }
}
