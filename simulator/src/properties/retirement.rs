//! Whoever its operator was told may go, in whatever role, has no part in a configuration that Phase 1 may still ask, and in no later one unless it is asked for again.
//!
//! A process is switched off for good, and its disk wiped, only when the leader has reported that all
//! earlier rounds are collected and it has no part in the present configuration. Its archive counts for
//! nothing from then on (`reachability`), its acceptors and everyone else of it must not come back.
//!
//! | | |
//! |---|---|
//! | property | A11 retirement |
//! | paper | Matchmaker Paxos, section 3.4 |
//! | module | `matchmaker::leader::garbage` |
//! | model | `retirement` |

use matchmaker::message::{Epoch, Progress, ReconfigureB};
use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::round::Round;

use super::{Ghost, Places, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A11",
    name: "retirement",
    statement: "Whoever its operator was told may go, in whatever role, has no part in a configuration that Phase 1 may still ask, and in no later one unless it is asked for again.",
    paper: "Matchmaker Paxos, section 3.4",
    module: "`matchmaker::leader::garbage`",
};

impl Ghost {
    /// A round is about to be registered: whatever a majority has collected by now, each majority
    /// that answers will know.
    pub(super) fn note_floor(&mut self, round: Round) {
        let floor = self.collected_watermark();
        self.floors.entry(round).or_insert(floor);
    }

    /// Phase 1 asks only acceptors of rounds that were not collected when its own was registered:
    /// others may be switched off. That holds for an older configuration above those rounds, too.
    pub(super) fn check_asked(&self, round: Round, node: NodeId) -> Verdict {
        let floor = self.floors.get(&round).copied().unwrap_or(Round::ZERO);
        let oldest = self.rounds.get(&floor).map(Configuration::version);
        let mut rounds = self.rounds.range(floor.min(round)..round);
        if rounds.any(|(_, configuration)| {
            configuration.position(node).is_some() && Some(configuration.version()) >= oldest
        }) {
            return Ok(());
        }
        let name = self.name(node);
        fail(PROPERTY, format!("{round} asks {name}, and all below {floor} was collected before"))
    }

    /// A round is registered by a majority from now on. A machine that was switched off on good evidence must not be needed
    /// again.
    pub(super) fn check_retired(&self, round: Round, configuration: &Configuration) -> Verdict {
        for node in configuration.nodes() {
            if let Some(watermark) = self.retired.get(node).filter(|watermark| round > **watermark)
            {
                let (name, shown) = (self.name(*node), self.places.show(configuration));
                let detail = format!("{round} has {shown}; {name} was retired below {watermark}");
                return fail(PROPERTY, detail);
            }
        }
        Ok(())
    }

    /// A process is switched off for good, because a leader in `round` reported that it is not needed.
    pub fn retire_process(&mut self, nodes: &[NodeId], round: Round) {
        self.retired.extend(nodes.iter().map(|node| (*node, round)));
        self.switched_off.extend(nodes);
    }

    /// Processes have other names from now on. A stranger durably knows what it was told when it was set
    /// up: the generation `epoch` of matchmakers.
    pub fn follow_places(&mut self, places: &Places, stranger: usize, epoch: Epoch) {
        self.places = places.clone();
        for node in places.in_one(stranger) {
            self.generations.followed.insert(node, epoch);
        }
    }

    /// A leader reports to the operator: what it calls collected must be so, and what it calls
    /// retirable must not be needed.
    pub(super) fn check_progress(&mut self, from: NodeId, m: &ReconfigureB) -> Verdict {
        let (watermark, retirable) = match &m.progress {
            Progress::Active { round, .. } => {
                self.active.insert((from, m.token), *round);
                return Ok(());
            }
            Progress::Interrupted | Progress::Refused { .. } | Progress::Unreachable { .. } => {
                return Ok(());
            }
            Progress::Collected { watermark, retirable } => (*watermark, retirable),
        };
        let active = self.active.get(&(from, m.token)).copied();
        if active.is_none_or(|active| watermark < active) {
            let detail =
                format!("#{} active in {active:?}, told collected below {watermark}", m.token);
            return fail(PROPERTY, detail);
        }
        self.check_unmixed_collection(watermark)?;
        let truth = self.collected_watermark();
        if truth < watermark {
            return fail(PROPERTY, format!("told collected below {watermark}, in truth {truth}"));
        }
        let Some(configuration) = self.rounds.get(&watermark) else { return Ok(()) };
        match retirable.iter().find(|node| configuration.has(**node)) {
            Some(node) => {
                let name = self.name(*node);
                fail(PROPERTY, format!("{name} is in use in {watermark}, told retirable"))
            }
            None => Ok(()),
        }
    }
}
