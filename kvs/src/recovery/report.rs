//! What an operator is told of what is left, in plain words.

use std::fmt::Write;

use matchmaker::remains::{Candidate, Doubt};
use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::round::Round;

use super::Recovery;
use crate::deployment::Quorum;

/// Slots that are told one by one, at most.
const TOLD_MAX: usize = 8;

impl Recovery {
    /// What is known, what may have been, and what may be missing.
    pub fn report(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ =
            writeln!(text, "cluster       {}: the directories of {}", self.cluster, self.nodes());
        for (name, reason) in &self.removed {
            let _ = writeln!(text, "removed       {name}: {reason}");
        }
        if let Some((round, newest)) = &self.judgement.newest {
            let _ = writeln!(text, "acceptors     {}", self.configuration(*round, newest));
        }
        let _ = writeln!(text, "known         {}", self.known());
        self.tell_candidates(&mut text);
        if let (Some(first), Some(last)) =
            (self.judgement.beyond.first(), self.judgement.beyond.last())
        {
            let count = self.judgement.beyond.len();
            let _ = writeln!(
                text,
                "left out      votes in {count} slots from {first} to {last}: nobody here has voted in slot \
                 {}, and nothing can be executed behind a gap",
                self.end()
            );
        }
        for doubt in &self.judgement.doubts {
            let _ = writeln!(text, "MISSING       {}", self.doubt(doubt));
        }
        text + "verdict       " + self.verdict()
    }

    fn nodes(&self) -> String {
        let all = self.nodes.iter().map(|(name, paths)| {
            let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            format!("{name} ({})", paths.join(", "))
        });
        all.collect::<Vec<String>>().join(", ")
    }

    fn known(&self) -> String {
        let (base, end) = (self.remains.base(), self.judgement.known_end);
        match base.0 {
            0 => format!("what was chosen in all slots below {end} is here"),
            _ => format!(
                "what was chosen in all slots below {end} is here: a snapshot of those below {base}, and \
                 the values from there on"
            ),
        }
    }

    fn tell_candidates(&self, text: &mut String) {
        let all = &self.judgement.candidates;
        for candidate in all.iter().take(TOLD_MAX) {
            let Candidate { slot, round, voters, is_chosen, .. } = candidate;
            let (title, outcome) = match is_chosen {
                true => ("chosen", "which is a quorum"),
                false => (
                    "undecided",
                    "so it may have been chosen and acknowledged, or not; it is taken",
                ),
            };
            let _ = writeln!(
                text,
                "{title:<13} slot {slot}: {} voted in round {round}, {outcome}",
                self.named(voters)
            );
        }
        if let Some(rest) = all.len().checked_sub(TOLD_MAX).filter(|rest| *rest > 0) {
            let undecided = all.iter().skip(TOLD_MAX).filter(|candidate| !candidate.is_chosen);
            let _ = writeln!(
                text,
                "and more      slots with votes up to {}: {rest}, of which {} are undecided; they are taken",
                self.end(),
                undecided.count()
            );
        }
    }

    fn doubt(&self, doubt: &Doubt) -> String {
        match doubt {
            Doubt::Matchmakers { generation, here } => format!(
                "of the matchmakers {}, {} are here and at work, and {} are needed to know that no later \
                 acceptors have voted. If acceptors were replaced after what is known here, everything \
                 since may be missing",
                self.named(&generation.members),
                here.len(),
                generation.majority()
            ),
            Doubt::Acceptors { round, configuration, here } => format!(
                "of the acceptors {}, {} are here, and more are needed to know every vote: commands that \
                 only the others voted for may be missing, though their clients were told that they \
                 took effect",
                self.configuration(*round, configuration),
                match here.is_empty() {
                    true => "none".to_owned(),
                    false => self.named(here),
                }
            ),
            Doubt::Archives { from, to } => format!(
                "slots {from} to {} ARE LOST: they are known to be chosen, and what was chosen is in none \
                 of these directories",
                to.0.saturating_sub(1)
            ),
        }
    }

    fn verdict(&self) -> &'static str {
        match self.may_lack() {
            false => {
                "nothing that was acknowledged is missing: these directories hold all that a leader \
                 would ask for. If their nodes can still run, start them instead of recovering"
            }
            true => {
                "something that was acknowledged MAY BE LOST. Look for more directories of the cluster \
                 before you settle for these"
            }
        }
    }

    fn configuration(&self, round: Round, configuration: &Configuration) -> String {
        format!(
            "{} in round {round} (version {}, {})",
            self.named(configuration.members()),
            configuration.version(),
            Quorum::from(configuration.system())
        )
    }

    fn named<'a>(&self, nodes: impl IntoIterator<Item = &'a NodeId>) -> String {
        let name = |node: &NodeId| match self.names.get(node) {
            Some(name) => name.clone(),
            None => node.to_string(),
        };
        let names: Vec<String> = nodes.into_iter().map(name).collect();
        names.join(" ")
    }
}
