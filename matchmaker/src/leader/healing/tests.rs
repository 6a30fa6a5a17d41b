use std::time::Duration;

use paxos::actor::{Incarnation, Seat};
use paxos::membership::Membership;
use paxos::message::{ArchivedB, ProbeA, ProbeB, ToAcceptor};
use paxos::quorum::QuorumSystem;
use paxos::round::Round;
use paxos::slot::Slot;

use super::*;
use crate::leader::{Deployment, HealingOptions, LeaderOptions, LeaderTimer};
use crate::message::{
    Epoch, FromMatchmaker, Generation, MatchB, Message, NewestB, ReachB, ToMatchmaker,
};

/// What sits where in each process.
const PROPOSER: u32 = 1;
const MATCHMAKER: u32 = 2;
const ARCHIVE: u32 = 3;
const ACCEPTOR: u32 = 4;
const SECOND: u32 = 5;
const APPLICATION: u32 = 6;

const fn node(process: u64, place: u32) -> NodeId {
    NodeId::new(Seat(process as u32 * 10 + place), Incarnation(process))
}

fn every(processes: &[u64], place: u32) -> BTreeSet<NodeId> {
    processes.iter().map(|process| node(*process, place)).collect()
}

/// A leader in process 1 of four; those of the first three are in use. All acceptors of `pool` are known.
fn leading(system: QuorumSystem, pool: BTreeSet<NodeId>, is_on: bool) -> Leader {
    let all = [1, 2, 3, 4];
    let membership = Membership {
        proposers: every(&all, PROPOSER),
        archives: every(&all[..3], ARCHIVE),
        applications: [node(1, APPLICATION)].into(),
        acceptors: pool,
        matchmakers: every(&all, MATCHMAKER),
        ..Membership::default()
    };
    let initial = Configuration::new(1, system, every(&all[..3], ACCEPTOR)).expect("three");
    let initial = initial.with_membership(membership);
    let matchmakers = every(&all[..3], MATCHMAKER);
    let deployment = Deployment { epoch: Epoch(0), matchmakers, initial, first: Slot::ZERO };
    let healing = HealingOptions { is_on, suspect_after: Duration::from_secs(1) };
    let options = LeaderOptions { healing, ..LeaderOptions::default() };
    let mut leader = Leader::new(node(1, PROPOSER), deployment, options);
    leader.campaign(&mut Fx::new());
    for process in [1, 2] {
        let m = NewestB { epoch: Epoch(0), newest: None, round: None };
        hear(&mut leader, node(process, MATCHMAKER), FromMatchmaker::NewestB(Box::new(m)).into());
    }
    register(&mut leader, 0);
    assert_eq!(leader.leads_in(), Some(round(0)));
    leader
}

fn round(step: u64) -> Round {
    Round { number: 1, owner: node(1, PROPOSER), step }
}

/// A majority of the matchmakers has registered a round, and collects what is before it.
fn register(leader: &mut Leader, step: u64) {
    for process in [1, 2] {
        let (epoch, watermark, history) = (Epoch(0), round(step), [].into());
        let m = MatchB { epoch, round: round(step), watermark, history, newest: None };
        hear(leader, node(process, MATCHMAKER), FromMatchmaker::MatchB(Box::new(m)).into());
    }
    for process in [1, 2] {
        let m = crate::message::GarbageB { epoch: Epoch(0), watermark: round(step) };
        hear(leader, node(process, MATCHMAKER), FromMatchmaker::GarbageB(m).into());
    }
}

fn hear(leader: &mut Leader, from: NodeId, message: ToProposer) -> Fx {
    let mut fx = Fx::new();
    leader.on_message(from, message, &mut fx);
    fx
}

/// Asks everyone once more, and has these processes answer.
fn ask(leader: &mut Leader, answering: &[u64]) -> Fx {
    let mut fx = Fx::new();
    leader.on_timer(LeaderTimer::Watch, &mut fx);
    answer(leader, &fx, answering);
    fx
}

fn answer(leader: &mut Leader, fx: &Fx, answering: &[u64]) {
    for (to, message) in &fx.sends {
        if !answering.contains(&to.incarnation.0) {
            continue;
        }
        match message {
            Message::Acceptor(ToAcceptor::ProbeA(ProbeA { nonce })) => {
                let m = ProbeB { nonce: *nonce, promised: round(0), beat: None, page_count: 0 };
                hear(leader, *to, ToProposer::Acceptor(m.into()));
            }
            Message::Matchmaker(ToMatchmaker::ReachA(m)) => {
                leader.on_reach_b(*to, &ReachB { nonce: m.nonce });
            }
            Message::Archive(_) => {
                let slot = Slot::ZERO;
                let (persisted_watermark, executed_watermark, base) = (slot, slot, slot);
                let m = ArchivedB { persisted_watermark, executed_watermark, base, chunk_count: 0 };
                hear(leader, *to, ToProposer::ArchivedB(m));
            }
            _ => {}
        }
    }
}

/// So many questions, that these answer.
fn ask_often(leader: &mut Leader, count: usize, answering: &[u64]) {
    for _ in 0..count {
        let fx = ask(leader, answering);
        assert_eq!(began(&fx), []);
    }
}

/// Replacements of which these effects tell, and how far they are.
fn began(fx: &Fx) -> Vec<(NodeId, NodeId, HealingProgress)> {
    let told = fx.sends.iter().filter_map(|(to, message)| match message {
        Message::Application(ToApplication::Healing(m)) => {
            assert_eq!(*to, node(1, APPLICATION));
            Some((m.member, m.spare, m.progress))
        }
        _ => None,
    });
    told.collect()
}

fn pool() -> BTreeSet<NodeId> {
    every(&[1, 2, 3, 4], ACCEPTOR)
}

#[test]
fn a_silent_acceptor_and_then_its_matchmaker_are_replaced_by_spares() {
    let mut leader = leading(QuorumSystem::Majority, pool(), true);
    ask_often(&mut leader, 3, &[1, 2, 3, 4]);
    ask_often(&mut leader, 4, &[1, 2, 4]);
    let fx = ask(&mut leader, &[1, 2, 4]);
    let (member, spare) = (node(3, ACCEPTOR), node(4, ACCEPTOR));
    assert_eq!(began(&fx), [(member, spare, HealingProgress::Began)]);
    assert_eq!(leader.healing(), Some(Heal { part: Part::Acceptor, member, spare }));
    let registered = fx.sends.iter().filter_map(|(_, message)| match message {
        Message::Matchmaker(ToMatchmaker::MatchA(m)) => Some(m.configuration.clone()),
        _ => None,
    });
    let next = Configuration::new(2, QuorumSystem::Majority, every(&[1, 2, 4], ACCEPTOR));
    let next = next.expect("three").with_membership(leader.membership().clone());
    assert_eq!(registered.collect::<Vec<_>>(), [next.clone(), next.clone(), next]);
    for process in [1, 2, 4] {
        let m = ProbeB { nonce: 1 << 63 | 1, promised: round(0), beat: None, page_count: 0 };
        hear(&mut leader, node(process, ACCEPTOR), ToProposer::Acceptor(m.into()));
    }
    register(&mut leader, 1);
    assert_eq!(leader.leads_in(), Some(round(1)));
    assert_eq!(leader.healing(), None);
    let status = leader.healing_status();
    assert_eq!(status.last.map(|last| last.progress), Some(HealingProgress::Finished));
    assert_eq!(status.suspects, [node(3, MATCHMAKER), node(3, ARCHIVE)].into());
    assert_eq!(status.spares, [node(4, MATCHMAKER)].into());
    // Not before the pause is over.
    ask_often(&mut leader, 3, &[1, 2, 4]);
    let fx = ask(&mut leader, &[1, 2, 4]);
    let (member, spare) = (node(3, MATCHMAKER), node(4, MATCHMAKER));
    assert_eq!(began(&fx), [(member, spare, HealingProgress::Began)]);
    assert_eq!(leader.take_wanted_matchmakers(), Some(every(&[1, 2, 4], MATCHMAKER)));
    assert_eq!(leader.take_wanted_matchmakers(), None, "it is wanted once");
}

/// A handover brings the matchmaker of process 4, which was off as a spare.
#[test]
fn what_was_silent_as_a_spare_is_given_its_time_when_it_comes_into_use() {
    let mut leader = leading(QuorumSystem::Majority, pool(), true);
    ask_often(&mut leader, 9, &[1, 2, 3]);
    let members = every(&[1, 2, 4], MATCHMAKER);
    leader.follow_matchmakers(Generation { epoch: Epoch(1), members }, &mut Fx::new());
    ask_often(&mut leader, 4, &[1, 2, 3]);
    let (member, spare) = (node(4, MATCHMAKER), node(3, MATCHMAKER));
    let fx = ask(&mut leader, &[1, 2, 3]);
    assert_eq!(began(&fx), [(member, spare, HealingProgress::Began)]);
}

#[test]
fn a_late_answer_does_not_count_and_one_in_time_does() {
    let mut leader = leading(QuorumSystem::Majority, pool(), true);
    let first = ask(&mut leader, &[1, 2, 3, 4]);
    ask_often(&mut leader, 4, &[1, 2, 4]);
    answer(&mut leader, &first, &[3]);
    assert_eq!(leader.suspects(), BTreeSet::new(), "the archive says how far it is");
    let mut leader = leading(QuorumSystem::Majority, pool(), true);
    ask(&mut leader, &[1, 2, 3, 4]);
    let second = ask(&mut leader, &[1, 2, 4]);
    ask_often(&mut leader, 2, &[1, 2, 4]);
    answer(&mut leader, &second, &[3]);
    ask_often(&mut leader, 4, &[1, 2, 4]);
    assert_eq!(began(&ask(&mut leader, &[1, 2, 4])).len(), 1, "four more questions");
}

#[test]
fn nobody_is_replaced_by_a_spare_that_is_silent_or_sits_beside_another_member() {
    let mut leader = leading(QuorumSystem::Majority, pool(), true);
    ask_often(&mut leader, 12, &[1, 2]);
    let beside = &every(&[1, 2, 3], ACCEPTOR) | &every(&[1, 2], SECOND);
    let mut leader = leading(QuorumSystem::Majority, beside, true);
    for _ in 0..12 {
        let told = began(&ask(&mut leader, &[1, 2, 4]));
        assert!(told.iter().all(|(member, ..)| *member == node(3, MATCHMAKER)), "{told:?}");
    }
}

#[test]
fn nobody_is_replaced_if_too_few_of_the_next_would_answer_or_healing_is_off() {
    let mut leader = leading(QuorumSystem::Majority, pool(), true);
    ask(&mut leader, &[1, 2, 3, 4]);
    ask_often(&mut leader, 12, &[4]);
    let mut leader = leading(QuorumSystem::Majority, pool(), false);
    ask_often(&mut leader, 12, &[1, 2, 4]);
    assert_eq!(
        leader.suspects(),
        [node(3, ACCEPTOR), node(3, ARCHIVE), node(3, MATCHMAKER)].into()
    );
}

#[test]
fn a_leader_whose_own_disk_has_stalled_asks_one_after_the_other_to_take_over() {
    for is_on in [false, true] {
        let mut leader = leading(QuorumSystem::Majority, pool(), is_on);
        ask_often(&mut leader, 2, &[1, 2, 3, 4]);
        ask_often(&mut leader, 4, &[2, 3, 4]);
        let mut asked = Vec::new();
        for _ in 0..3 {
            let fx = ask(&mut leader, &[2, 3, 4]);
            assert_eq!((fx.records.len(), began(&fx)), (0, vec![]), "it needs no disk");
            asked.extend(fx.sends.into_iter().filter_map(|(to, message)| match message {
                Message::Proposer(ToProposer::TakeOver(m)) => Some((to, m.round)),
                _ => None,
            }));
        }
        let heirs: BTreeSet<_> = asked.iter().map(|(to, _)| *to).collect();
        assert_eq!(asked.len(), 3);
        assert!(asked.iter().all(|(_, asked)| *asked == round(0)) && leader.has_given_up());
        assert_eq!(heirs, every(&[2, 3], PROPOSER), "nothing in use tells of the fourth");
        ask(&mut leader, &[1, 2, 3, 4]);
        ask(&mut leader, &[1, 2, 3, 4]);
        assert!(!leader.has_given_up(), "its disk works again");
    }
}

#[test]
fn a_proposer_whose_own_campaign_has_failed_takes_over() {
    let mut leader = leading(QuorumSystem::Majority, pool(), false);
    leader.on_timer(LeaderTimer::Quorum, &mut Fx::new());
    assert!(!leader.is_active());
    let round = Round { number: 1, owner: node(0, PROPOSER), step: 0 };
    assert!(round < leader.used);
    hear(&mut leader, node(0, PROPOSER), ToProposer::TakeOver(TakeOver { round }));
    assert!(leader.is_active());
}

#[test]
fn a_leader_with_a_stalled_disk_stays_if_nobody_else_could_lead() {
    let mut leader = leading(QuorumSystem::Majority, pool(), false);
    ask(&mut leader, &[1, 2, 3, 4]);
    ask_often(&mut leader, 8, &[2]);
    assert!(!leader.has_given_up());
}
