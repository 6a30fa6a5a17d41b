//! The election: who should lead, as far as one proposer can tell.
//!
//! Safety never depends on it. A proposer that hears no leader for a while does not campaign yet: it
//! asks the acceptors for signs of life of a leader, twice, and campaigns only if a Phase 1 quorum
//! answered both times and no acceptor has heard a leader in between, nor shown a candidate another page
//! of its votes: Phase 1 over a long log takes longer than patience lasts. Every leader at work is heard
//! by a Phase 2 quorum, which meets that one; and a Phase 1 quorum is enough to take over where
//! nothing can be written any more, and to move on to other acceptors. So a leader that reaches its
//! acceptors is not deposed by a node that merely cannot hear it, nor by one that hears too few
//! acceptors to lead itself, and a restarted node disturbs nobody. A leader that has lost its quorum
//! steps down by itself and falls silent, which clears the way.
//!
//! *Paper*: the leader election that Matchmaker Paxos, section 4.2, assumes.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;
use std::time::Duration;

use crate::actor::{Effects, NodeId};
use crate::configuration::Configuration;
use crate::message::{ProbeA, ProbeB};
use crate::mutant::{self, Mutant};
use crate::round::Round;

/// A timer of an election.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ElectionTimer {
    /// No leader was heard for too long.
    Silence,
    /// Time to compare the answers to a probe.
    Probe,
}

/// The periods of an election.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ElectionOptions {
    /// How long a proposer waits for a leader to be heard. Several heartbeats.
    pub silence: Range<Duration>,
    /// How long it waits for a sign of life at the acceptors, twice. At least two heartbeats.
    pub probe: Range<Duration>,
}

impl Default for ElectionOptions {
    fn default() -> Self {
        Self {
            silence: Duration::from_millis(150)..Duration::from_millis(300),
            probe: Duration::from_millis(100)..Duration::from_millis(120),
        }
    }
}

/// What acceptors say of a leader: the last question that each answered; and of candidates: the pages of
/// votes that each has shown.
type Beats = BTreeMap<NodeId, (Option<(Round, u64)>, u64)>;

/// What this proposer is doing about leadership.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Hears a leader, or waits to hear one.
    Following,
    /// Asks the acceptors.
    Probing {
        /// Their answers to the first question, while the second is out.
        before: Option<Beats>,
        /// Their answers to the present question.
        beats: Beats,
    },
    /// Leads or campaigns: nothing to elect.
    Standing,
}

/// The state of an election.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Election {
    options: ElectionOptions,
    phase: Phase,
    /// Tells the present question from earlier ones.
    nonce: u64,
}

type Fx = Effects<ProbeA, ElectionTimer, Infallible>;

impl Election {
    /// An election in which no leader was heard of.
    pub fn new(options: ElectionOptions) -> Self {
        Self { options, phase: Phase::Following, nonce: 0 }
    }

    /// Waits for a leader to be heard. Called at the start, on each heartbeat, and when this
    /// proposer steps down.
    pub fn follow(&mut self, fx: &mut Fx) {
        self.phase = Phase::Following;
        fx.cancel_timer(ElectionTimer::Probe);
        fx.set_timer(ElectionTimer::Silence, self.options.silence.clone());
    }

    /// Stops watching: this proposer leads or campaigns.
    pub fn stand(&mut self, fx: &mut Fx) {
        self.phase = Phase::Standing;
        fx.cancel_timer(ElectionTimer::Silence);
        fx.cancel_timer(ElectionTimer::Probe);
    }

    /// Whether this proposer leads or campaigns.
    pub fn is_standing(&self) -> bool {
        self.phase == Phase::Standing
    }

    /// Counts an answer to the present question.
    pub fn on_probe_b(&mut self, from: NodeId, m: &ProbeB) {
        if let Phase::Probing { beats, .. } = &mut self.phase
            && (m.nonce == self.nonce || mutant::is_on(Mutant::EarlierProbeCounts))
        {
            let is_ignored = mutant::is_on(Mutant::CandidateOutdone);
            beats.insert(from, (m.beat, if is_ignored { 0 } else { m.page_count }));
        }
    }

    /// Takes one timer; true if this proposer should campaign now. `configuration` is the newest
    /// that it knows.
    #[must_use]
    pub fn on_timer(
        &mut self,
        timer: ElectionTimer,
        configuration: &Configuration,
        fx: &mut Fx,
    ) -> bool {
        match timer {
            ElectionTimer::Silence => {
                if mutant::is_on(Mutant::CampaignOnSilence) {
                    return !self.is_standing();
                }
                if !self.is_standing() {
                    self.probe(None, configuration, fx);
                }
                false
            }
            ElectionTimer::Probe => self.on_probe_timer(configuration, fx),
        }
    }

    fn on_probe_timer(&mut self, configuration: &Configuration, fx: &mut Fx) -> bool {
        let Phase::Probing { before, beats } = &mut self.phase else { return false };
        let beats = std::mem::take(beats);
        let before = before.take();
        let heard = configuration.members_among(beats.keys());
        let has_quorum = match mutant::is_on(Mutant::CampaignByPhase2Quorum) {
            true => configuration.is_phase2(heard),
            false => configuration.is_phase1(heard),
        };
        if !has_quorum && !mutant::is_on(Mutant::CampaignWithoutQuorum) {
            self.probe(None, configuration, fx);
            return false;
        }
        let Some(before) = before else {
            self.probe(Some(beats), configuration, fx);
            return false;
        };
        let is_alive = beats
            .iter()
            .any(|(node, beat)| before.get(node).is_some_and(|earlier| earlier != beat));
        if is_alive {
            self.follow(fx);
        }
        !is_alive
    }

    fn probe(&mut self, before: Option<Beats>, configuration: &Configuration, fx: &mut Fx) {
        self.nonce += 1;
        self.phase = Phase::Probing { before, beats: BTreeMap::new() };
        fx.broadcast(configuration.members(), ProbeA { nonce: self.nonce });
        fx.set_timer(ElectionTimer::Probe, self.options.probe.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::{Incarnation, Seat};
    use crate::quorum::QuorumSystem;

    fn node(seat: u32) -> NodeId {
        NodeId::new(Seat(seat), Incarnation(1))
    }

    fn configuration() -> Configuration {
        Configuration::new(1, QuorumSystem::Majority, (1..4).map(node)).expect("three members")
    }

    fn answer(election: &mut Election, from: u32, beat: u64) {
        let round = Round { number: 1, owner: node(9), step: 0 };
        let m = ProbeB {
            nonce: election.nonce,
            promised: round,
            beat: Some((round, beat)),
            page_count: 0,
        };
        election.on_probe_b(node(from), &m);
    }

    fn fire(election: &mut Election, timer: ElectionTimer) -> (bool, Fx) {
        let mut fx = Fx::new();
        let verdict = election.on_timer(timer, &configuration(), &mut fx);
        (verdict, fx)
    }

    fn probing() -> Election {
        let mut election = Election::new(ElectionOptions::default());
        let (verdict, fx) = fire(&mut election, ElectionTimer::Silence);
        assert!(!verdict);
        assert_eq!(fx.sends.len(), 3);
        election
    }

    #[test]
    fn it_campaigns_when_a_quorum_has_heard_no_leader() {
        let mut election = probing();
        answer(&mut election, 1, 5);
        answer(&mut election, 2, 6);
        assert!(!fire(&mut election, ElectionTimer::Probe).0);
        answer(&mut election, 1, 5);
        answer(&mut election, 2, 6);
        assert!(fire(&mut election, ElectionTimer::Probe).0);
    }

    #[test]
    fn a_leader_that_reaches_one_acceptor_is_left_alone() {
        let mut election = probing();
        answer(&mut election, 1, 5);
        answer(&mut election, 2, 5);
        assert!(!fire(&mut election, ElectionTimer::Probe).0);
        answer(&mut election, 1, 5);
        answer(&mut election, 2, 6);
        assert!(!fire(&mut election, ElectionTimer::Probe).0);
        assert_eq!(election.phase, Phase::Following);
    }

    #[test]
    fn a_candidate_that_reads_votes_is_left_alone() {
        let page = |election: &mut Election, from: u32, page_count: u64| {
            let (nonce, promised) = (election.nonce, Round::ZERO);
            election.on_probe_b(node(from), &ProbeB { nonce, promised, beat: None, page_count });
        };
        let mut election = probing();
        page(&mut election, 1, 3);
        page(&mut election, 2, 0);
        assert!(!fire(&mut election, ElectionTimer::Probe).0);
        page(&mut election, 1, 4);
        page(&mut election, 2, 0);
        assert!(!fire(&mut election, ElectionTimer::Probe).0);
        assert_eq!(election.phase, Phase::Following);
    }

    #[test]
    fn a_node_that_hears_too_few_acceptors_never_campaigns() {
        let mut election = probing();
        for _ in 0..5 {
            answer(&mut election, 1, 5);
            let (verdict, fx) = fire(&mut election, ElectionTimer::Probe);
            assert!(!verdict);
            assert_eq!(fx.sends.len(), 3, "it keeps asking");
        }
    }

    #[test]
    fn a_heartbeat_ends_the_probe_and_standing_ends_the_watch() {
        let mut election = probing();
        election.follow(&mut Fx::new());
        assert!(!fire(&mut election, ElectionTimer::Probe).0);
        election.stand(&mut Fx::new());
        assert!(fire(&mut election, ElectionTimer::Silence).1.is_empty());
    }

    #[test]
    fn answers_to_earlier_questions_do_not_count() {
        let mut election = probing();
        let late =
            ProbeB { nonce: election.nonce - 1, promised: Round::ZERO, beat: None, page_count: 0 };
        election.on_probe_b(node(1), &late);
        election.on_probe_b(node(2), &late);
        let (_, fx) = fire(&mut election, ElectionTimer::Probe);
        assert_eq!(fx.sends.len(), 3);
        assert!(matches!(election.phase, Phase::Probing { before: None, .. }));
    }
}
