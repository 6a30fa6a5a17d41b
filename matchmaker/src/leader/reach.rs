//! Whether new acceptors are there.
//!
//! Once a configuration is registered, every later leader needs a Phase 1 quorum of it. New acceptors
//! that do not answer would stop the cluster, and nobody could take over. So while the matchmakers
//! register them the leader asks the new acceptors as well, and switches to them only when enough have
//! answered: still one round trip. If too few answer in time it tells the operator who is silent, and
//! goes back: it passes through the round that was registered for them and registers the present
//! acceptors again, in the round after. That takes another round trip, and the round of the silent ones
//! is collected right behind it.
//!
//! This keeps a mistake from becoming an outage; no safety rests on it.
//!
//! *Paper*: none.

use std::collections::BTreeSet;

use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::message::{ProbeA, ProbeB, ToAcceptor};
use paxos::quorum::MemberSet;

use super::phase2::{Next, Phase2};
use super::{Fx, Leader, LeaderTimer, Phase};
use crate::message::{Progress, ReconfigureB, ToApplication};

/// Sets these questions of leaders apart from those of elections, and of the watch.
const NONCE: u64 = 1 << 63;

/// What is known of new acceptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reach {
    /// They are not asked: an earlier leader has registered them already, or they are at work.
    Trusted,
    /// They are asked, and these have answered.
    Asked(MemberSet),
    /// Too few have answered in time.
    Silent,
}

impl Next {
    /// Whether new leaders can take over from these acceptors, and commands be chosen by them; or
    /// whether they are passed through.
    pub(super) fn is_decided(&self) -> bool {
        let configuration = &self.matching.configuration;
        match self.reach {
            Reach::Trusted | Reach::Silent => true,
            Reach::Asked(answers) => {
                configuration.is_phase1(answers) && configuration.is_phase2(answers)
            }
        }
    }

    /// Members that were asked and have not answered.
    fn silent(&self) -> impl Iterator<Item = &NodeId> {
        let answers = match self.reach {
            Reach::Asked(answers) => Some(answers),
            Reach::Trusted | Reach::Silent => None,
        };
        let members = self.matching.configuration.members().iter().enumerate();
        let is_silent = move |position| answers.is_some_and(|answers| !answers.contains(position));
        members.filter(move |(position, _)| is_silent(*position)).map(|(_, node)| node)
    }
}

impl Phase2 {
    /// Asks new acceptors that have not answered.
    pub(super) fn ask_new_acceptors(&self, fx: &mut Fx) {
        let Some(next) = &self.next else { return };
        let m = ToAcceptor::ProbeA(ProbeA { nonce: NONCE | next.matching.round.step });
        fx.broadcast(next.silent(), m);
    }

    /// Whether `node` is in use, or will be by what this leader was asked for.
    pub(super) fn is_wanted(&self, node: NodeId) -> bool {
        let next = self.next.as_ref().map(|next| &next.matching.configuration);
        let mut known = next.into_iter().chain([&self.configuration]);
        known.any(|configuration| configuration.has(node))
            || self.queued.as_ref().is_some_and(|(m, _)| m.wants(node))
    }
}

impl Leader {
    /// Counts a new acceptor that is there.
    pub(super) fn on_probe_b(&mut self, from: NodeId, m: &ProbeB, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        phase2.watch.hear(from, m.nonce);
        let Some(next) = &mut phase2.next else { return };
        let Reach::Asked(answers) = &mut next.reach else { return };
        let position = next.matching.configuration.position(from);
        let Some(position) = position.filter(|_| m.nonce == NONCE | next.matching.round.step)
        else {
            return;
        };
        answers.insert(position);
        self.finish_matching(fx);
    }

    /// Too few new acceptors have answered: the operator learns who is silent.
    pub(super) fn on_reach_timer(&mut self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        let Some(next) = phase2.next.as_mut().filter(|next| !next.is_decided()) else { return };
        let silent: BTreeSet<NodeId> = next.silent().copied().collect();
        next.reach = Reach::Silent;
        if let Some(requester) = next.requester.take() {
            let progress = Progress::Unreachable { silent };
            let m = ReconfigureB { token: requester.token, progress };
            fx.send(requester.node, ToApplication::from(m));
        }
        fx.set_timer(LeaderTimer::Resend, self.options.resend.clone());
        self.fail_acceptor(fx);
        self.finish_matching(fx);
    }

    /// After a switch: goes back to `left` if the new acceptors are silent; or has the next in the
    /// queue its turn.
    pub(super) fn go_on(&mut self, left: Option<Configuration>, fx: &mut Fx) {
        let version = self.newest.1.version() + 1;
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        if let Some(left) = left {
            return self.start_next(left.with_version(version), None, Reach::Trusted, fx);
        }
        match phase2.queued.take() {
            Some((m, requester)) => self.start_reconfiguration(m, requester, fx),
            None => self.follow_newest(fx),
        }
    }
}
