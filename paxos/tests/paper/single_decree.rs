//! Single-decree Paxos.

use paxos::acceptor::Acceptor;
use paxos::actor::{Effects, NodeId};
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::message::*;
use paxos::quorum::QuorumSystem;
use paxos::round::Round;
use paxos::synod::{Synod, SynodOptions, SynodRecord, SynodTimer};

use super::{ACCEPTORS, AcceptorFx, ONE, TWO, node, phase2a, round, value};

type SynodFx = Effects<ToAcceptor, SynodTimer, SynodRecord>;

/// Two proposers and their acceptors.
struct Duel {
    acceptors: Vec<(NodeId, Acceptor)>,
    one: Synod,
    two: Synod,
}

impl Duel {
    fn new(system: QuorumSystem) -> Self {
        let configuration = Configuration::new(1, system, ACCEPTORS).expect("three members");
        let synod = |node| Synod::new(node, configuration.clone(), SynodOptions::default());
        let acceptors = ACCEPTORS.into_iter().map(|node| (node, Acceptor::new())).collect();
        Self { acceptors, one: synod(ONE), two: synod(TWO) }
    }

    /// Delivers the messages of `fx` to those acceptors whose bit is in `reached`, and their answers
    /// back; all others are lost.
    fn exchange(&mut self, proposer: NodeId, fx: SynodFx, reached: u8) -> SynodFx {
        let mut next = SynodFx::new();
        for (to, message) in fx.sends {
            let at = ACCEPTORS.iter().position(|node| *node == to).expect("an acceptor");
            if reached & (1 << at) == 0 {
                continue;
            }
            let mut fx = AcceptorFx::new();
            self.acceptors[at].1.on_message(proposer, message, &mut fx);
            assert_eq!(fx.violations, vec![]);
            let synod = if proposer == ONE { &mut self.one } else { &mut self.two };
            for (_, reply) in fx.sends {
                synod.on_message(to, reply, &mut next);
            }
        }
        assert_eq!(next.violations, vec![]);
        next
    }

    /// Lets a proposer try as often as it takes while all acceptors answer.
    fn finish(&mut self, proposer: NodeId, mut fx: SynodFx) -> Value {
        for _ in 0..16 {
            fx = self.exchange(proposer, fx, 0b111);
            let synod = if proposer == ONE { &mut self.one } else { &mut self.two };
            if let Some(value) = synod.chosen() {
                return value.clone();
            }
            if fx.sends.is_empty() {
                synod.on_timer(SynodTimer::Resend, &mut fx);
                synod.on_timer(SynodTimer::Retry, &mut fx);
            }
        }
        panic!("{proposer} learns nothing though everyone answers");
    }
}

fn proposed(synod: &mut Synod, text: &'static str) -> SynodFx {
    let mut fx = SynodFx::new();
    synod.propose(value(text), &mut fx);
    fx
}

/// Matchmaker Paxos, section 2.2: at most one value is chosen, whoever is reached by which message
/// of the first proposer, and whoever answers the second. Then everyone learns that value.
#[test]
fn at_most_one_value_is_chosen() {
    for system in [QuorumSystem::Majority, QuorumSystem::WriteAll] {
        let (mut kept, mut overruled) = (0, 0);
        for choice in 0..1u32 << 12 {
            let reached = |step: u32| (choice >> (3 * step)) as u8 & 0b111;
            let mut duel = Duel::new(system);
            let fx = proposed(&mut duel.one, "x");
            let fx = duel.exchange(ONE, fx, reached(0));
            let late = duel.exchange(ONE, fx, reached(1));
            let fx = proposed(&mut duel.two, "y");
            let fx = duel.exchange(TWO, fx, reached(2));
            let fx = duel.exchange(TWO, fx, reached(3));
            let early = [&duel.one, &duel.two].map(|synod| synod.chosen().cloned());
            let two = duel.finish(TWO, fx);
            let one = duel.finish(ONE, late);
            assert_eq!(one, two, "{system:?}, {choice:b}");
            assert!(early.iter().flatten().all(|value| *value == one), "{system:?}, {choice:b}");
            if one == value("x") { kept += 1 } else { overruled += 1 }
        }
        assert!(kept > 0 && overruled > 0, "{kept} {overruled}");
    }
}

/// Matchmaker Paxos, section 2.3: with unanimous writes one acceptor alone is a Phase 1 quorum, and
/// finds what was chosen.
#[test]
fn what_was_chosen_unanimously_is_found_through_any_one_acceptor() {
    for survivor in 0..3 {
        let mut duel = Duel::new(QuorumSystem::WriteAll);
        let fx = proposed(&mut duel.one, "x");
        assert_eq!(duel.finish(ONE, fx), value("x"));
        let fx = proposed(&mut duel.two, "y");
        let fx = duel.exchange(TWO, fx, 1 << survivor);
        assert_eq!(fx.sends[0].1, phase2a(round(1, TWO), 0, "x").into());
        // One vote short of all, nothing more is chosen.
        duel.exchange(TWO, fx, 0b111 & !(1 << survivor));
        assert_eq!(duel.two.chosen(), None);
    }
}

/// Matchmaker Paxos, section 2.2: any f of 2f + 1 acceptors may fail.
#[test]
fn f_failures_stop_nothing() {
    for failed in 0..3 {
        let alive = 0b111 & !(1 << failed);
        let mut duel = Duel::new(QuorumSystem::Majority);
        let fx = proposed(&mut duel.one, "x");
        let fx = duel.exchange(ONE, fx, alive);
        duel.exchange(ONE, fx, alive);
        assert_eq!(duel.one.chosen(), Some(&value("x")));
    }
}

/// Matchmaker Paxos, section 3.6: the owner of a round owns the round right above it, with any
/// number of proposers about.
#[test]
fn every_proposer_owns_the_adjacent_round() {
    let mut rounds: Vec<Round> = Vec::new();
    for number in 1..4 {
        for owner in [ONE, TWO, node(3)] {
            rounds.extend((0..4).map(|step| Round { number, owner, step }));
        }
    }
    rounds.sort();
    for pair in rounds.windows(2) {
        let is_last_step = pair[0].step == 3;
        assert!(is_last_step || pair[1] == pair[0].adjacent(), "{} {}", pair[0], pair[1]);
    }
    for seen in &rounds {
        for owner in [ONE, TWO, node(3)] {
            let next = Round::first_above(*seen, owner);
            assert!(next > *seen && next.owner == owner && next.step == 0);
        }
    }
}
