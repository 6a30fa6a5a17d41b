//! The encoding of all that travels and of all that is on disk, byte by byte.
//!
//! `wire.golden` holds the bytes of one value of each variant. They must never change: nodes of two
//! versions talk to each other, and a new version reads the disk of an old one. Variants are added at
//! the end, together with a line in that file.

#[path = "../../paxos/tests/golden/mod.rs"]
mod golden;

use std::collections::{BTreeMap, BTreeSet};

use golden::Golden;
use matchmaker::leader::LeaderRecord;
use matchmaker::matchmaker::MatchmakerRecord;
use matchmaker::message::*;
use matchmaker::node::NodeRecord;
use matchmaker::reconfigurer::ReconfigurerRecord;
use matchmaker::single::SingleRecord;
use paxos::acceptor::AcceptorRecord;
use paxos::actor::{Incarnation, NodeId, Seat};
use paxos::archive::ArchiveRecord;
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::history::{History, HistoryMark};
use paxos::membership::Membership;
use paxos::message::{
    ArchivedA, ArchivedB, Chosen, FetchA, FromAcceptor, FromSession, Leading, Marked, Nack,
    Outcome, Phase1A, Phase2A, ReadIndexA, Return, ToAcceptor, ToArchive, ToReplica, ToSession,
};
use paxos::quorum::QuorumSystem;
use paxos::round::Round;
use paxos::session::SessionRecord;
use paxos::slot::Slot;
use paxos::wire::{self, Payload};

const EPOCH: Epoch = Epoch(9);

fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(0xa0 + u64::from(seat)))
}

fn round() -> Round {
    Round { number: 1, owner: node(2), step: 3 }
}

fn configuration() -> Configuration {
    let members = [node(1), node(2), node(3)];
    let configuration = Configuration::new(8, QuorumSystem::Majority, members);
    configuration.expect("three members").with_membership(membership())
}

fn membership() -> Membership {
    Membership {
        proposers: [node(4)].into(),
        replicas: [node(5)].into(),
        archives: [node(6)].into(),
        joining: [node(7)].into(),
        sessions: [node(8)].into(),
        applications: [node(9)].into(),
        acceptors: [node(1), node(2), node(3)].into(),
        matchmakers: [node(1), node(2)].into(),
        directory: b"there".to_vec(),
    }
}

fn history() -> BTreeMap<Round, Configuration> {
    [(round(), configuration())].into()
}

fn generation() -> Generation {
    Generation { epoch: EPOCH, members: [node(1), node(2)].into() }
}

fn successor() -> Successor {
    let newest = Some((round(), configuration()));
    let (generation, previous) = (generation(), [node(2), node(3)].into());
    Successor { generation, previous, log: history(), watermark: round(), newest }
}

fn value() -> Value {
    Value::Batch(Payload::new(&b"payload"[..]))
}

fn archived() -> ArchivedB {
    ArchivedB {
        persisted_watermark: Slot(5),
        executed_watermark: Slot(6),
        base: Slot(4),
        chunk_count: 8,
    }
}

fn to_matchmaker() -> Golden<ToMatchmaker> {
    let phase1a = Phase1A { round: round(), first: Slot(0) };
    let match_a = MatchA { epoch: EPOCH, round: round(), configuration: configuration() };
    Golden {
        prefix: "ToMatchmaker",
        values: vec![
            ("NewestA", NewestA { epoch: EPOCH }.into()),
            ("MatchA", match_a.into()),
            ("GarbageA", GarbageA { epoch: EPOCH, round: round() }.into()),
            ("ReachA", ReachA { nonce: 7 }.into()),
            ("StopA", StopA { epoch: EPOCH }.into()),
            ("DecreeA", DecreeA { epoch: EPOCH, message: phase1a.into() }.into()),
            ("ActivateA", ActivateA { successor: successor() }.into()),
            ("SucceededA", SucceededA { successor: successor() }.into()),
            ("OriginA", OriginA { epoch: EPOCH }.into()),
        ],
    }
}

fn from_matchmaker() -> Golden<FromMatchmaker> {
    let newest = Some((round(), configuration()));
    let newest_b = NewestB { epoch: EPOCH, newest: newest.clone(), round: Some(round()) };
    let match_b = MatchB {
        epoch: EPOCH,
        round: round().adjacent(),
        watermark: round(),
        history: history(),
        newest,
    };
    let match_nack = MatchNack {
        epoch: EPOCH,
        round: round(),
        highest: round().adjacent(),
        newest: Some((round(), configuration())),
    };
    Golden {
        prefix: "FromMatchmaker",
        values: vec![
            ("NewestB", newest_b.into()),
            ("MatchB", match_b.into()),
            ("MatchNack", match_nack.into()),
            ("GarbageB", GarbageB { epoch: EPOCH, watermark: round() }.into()),
            ("Stopped", Stopped { epoch: EPOCH, successor: Some(successor()) }.into()),
        ],
    }
}

fn to_reconfigurer() -> Golden<ToReconfigurer> {
    let nack = FromAcceptor::Nack(Nack { round: round(), promised: round().adjacent() });
    let newest = Some((round(), configuration()));
    let stop_b = StopB { epoch: EPOCH, log: history(), watermark: round(), newest };
    Golden {
        prefix: "ToReconfigurer",
        values: vec![
            ("HandoverA", HandoverA { token: 7, members: generation().members }.into()),
            ("ReachB", ReachB { nonce: 7 }.into()),
            ("StopB", stop_b.into()),
            ("DecreeB", DecreeB { epoch: EPOCH, message: nack }.into()),
            ("ActivateB", ActivateB { epoch: EPOCH }.into()),
            ("SucceededB", SucceededB { epoch: EPOCH }.into()),
            ("AnnounceA", AnnounceA { generation: generation() }.into()),
            ("AnnounceB", AnnounceB { epoch: EPOCH }.into()),
            ("Pending", Pending { epoch: EPOCH }.into()),
            ("OriginB", OriginB { successor: successor() }.into()),
        ],
    }
}

fn handover_progress() -> Golden<HandoverProgress> {
    let generation = generation();
    let finished = HandoverProgress::Finished {
        generation: generation.clone(),
        retirable: [node(1)].into(),
        unaware: [node(2)].into(),
    };
    Golden {
        prefix: "HandoverProgress",
        values: vec![
            ("Active", HandoverProgress::Active { generation: generation.clone() }),
            ("Finished", finished),
            ("Superseded", HandoverProgress::Superseded { generation }),
            ("Refused", HandoverProgress::Refused { reason: "no".into() }),
            ("Unreachable", HandoverProgress::Unreachable { silent: [node(1)].into() }),
        ],
    }
}

fn heartbeat() -> Heartbeat {
    let (round, configuration, matchmakers) = (round(), configuration(), generation());
    Heartbeat { round, configuration, matchmakers, is_collected: true }
}

fn to_proposer() -> Golden<ToProposer> {
    let nack = FromAcceptor::Nack(Nack { round: round(), promised: round().adjacent() });
    let garbage_b = FromMatchmaker::GarbageB(GarbageB { epoch: EPOCH, watermark: round() });
    let (system, members) = (QuorumSystem::WriteAll, [node(1), node(2)].into());
    let change = Some(Change { seen: 3, membership: membership() });
    let mark = HistoryMark { slot: Slot(6), history: History::default() };
    Golden {
        prefix: "ToProposer",
        values: vec![
            ("Acceptor", nack.into()),
            ("Matchmaker", garbage_b.into()),
            ("Session", FromSession::ReadIndexA(ReadIndexA { nonce: 7 }).into()),
            ("ArchivedB", archived().into()),
            ("FetchA", FetchA { first: Slot(6) }.into()),
            ("Heartbeat", heartbeat().into()),
            ("ReconfigureA", ReconfigureA { token: 7, system, members, change }.into()),
            ("StatusA", StatusA { token: 7 }.into()),
            ("CollectedA", CollectedA { token: 7 }.into()),
            ("Reconfigurer", ToReconfigurer::from(ReachB { nonce: 7 }).into()),
            ("TransferA", TransferA { to: node(2) }.into()),
            ("TakeOver", TakeOver { round: round() }.into()),
            ("Marked", Marked { mark, quarantined_at: Some(Slot(5)) }.into()),
        ],
    }
}

fn progress() -> Golden<Progress> {
    let (round, configuration) = (round(), configuration());
    let retirable: BTreeSet<NodeId> = [node(1)].into();
    Golden {
        prefix: "Progress",
        values: vec![
            ("Active", Progress::Active { round, configuration, history_count: 1 }),
            ("Collected", Progress::Collected { watermark: round, retirable }),
            ("Refused", Progress::Refused { reason: "no".into() }),
            ("Interrupted", Progress::Interrupted),
            ("Unreachable", Progress::Unreachable { silent: [node(1)].into() }),
        ],
    }
}

fn healing() -> Healing {
    let (part, member, spare) = (Part::Matchmaker, node(3), node(2));
    let progress = HealingProgress::Finished;
    Healing { part, member, spare, suspect_after_ms: 1000, progress }
}

fn to_application() -> Golden<ToApplication> {
    let progress = Progress::Refused { reason: "no".into() };
    let refused = HandoverProgress::Refused { reason: "no".into() };
    let status = StatusB {
        token: 7,
        round: round(),
        configuration: configuration(),
        epoch: EPOCH,
        matchmakers: [node(1), node(2)].into(),
        chosen_watermark: Slot(6),
        persisted_watermark: Slot(5),
        collected_watermark: round(),
        history_count: 1,
        archives: [(node(4), archived())].into(),
        quarantined: [(node(3), Slot(4))].into(),
        disputed_at: Some(Slot(2)),
        healing: HealingStatus {
            is_on: true,
            suspect_after_ms: 1000,
            suspects: [node(3)].into(),
            spares: [node(2)].into(),
            last: Some(healing()),
            last_ms_ago: 250,
        },
    };
    Golden {
        prefix: "ToApplication",
        values: vec![
            ("Return", Return { token: 7, outcome: Outcome::NeedsLog }.into()),
            ("ReconfigureB", ReconfigureB { token: 7, progress }.into()),
            ("StatusB", status.into()),
            ("HandoverB", HandoverB { token: 7, progress: refused }.into()),
            ("Heartbeat", ToApplication::Heartbeat(Box::new(heartbeat()))),
            ("Healing", ToApplication::Healing(healing())),
        ],
    }
}

fn message() -> Golden<Message> {
    let phase2a = Phase2A { round: round(), slot: Slot(6), value: value() };
    let reply = Return { token: 7, outcome: Outcome::NeedsLog };
    Golden {
        prefix: "Message",
        values: vec![
            ("Acceptor", ToAcceptor::Phase2A(phase2a).into()),
            ("Matchmaker", ToMatchmaker::NewestA(NewestA { epoch: EPOCH }).into()),
            ("Proposer", ToProposer::StatusA(StatusA { token: 7 }).into()),
            ("Replica", ToReplica::Chosen(Chosen { slot: Slot(6), value: value() }).into()),
            ("Archive", ToArchive::ArchivedA(ArchivedA { watermark: Slot(6) }).into()),
            ("Session", ToSession::Leading(Leading { round: round() }).into()),
            ("Application", ToApplication::Return(reply).into()),
        ],
    }
}

fn matchmaker_record() -> Golden<MatchmakerRecord> {
    Golden {
        prefix: "MatchmakerRecord",
        values: vec![
            ("Registered", MatchmakerRecord::Registered(round(), configuration())),
            ("Collected", MatchmakerRecord::Collected(round())),
            ("Newest", MatchmakerRecord::Newest(round(), configuration())),
            ("Stopped", MatchmakerRecord::Stopped(EPOCH)),
            ("Decree", MatchmakerRecord::Decree(AcceptorRecord::Promised(round()))),
            ("Activated", MatchmakerRecord::Activated(Box::new(successor()))),
            ("Succeeded", MatchmakerRecord::Succeeded(Box::new(successor()))),
        ],
    }
}

fn leader_record() -> Golden<LeaderRecord> {
    Golden {
        prefix: "LeaderRecord",
        values: vec![
            ("Used", LeaderRecord::Used(round())),
            ("Newest", LeaderRecord::Newest(round(), configuration())),
            ("Matchmakers", LeaderRecord::Matchmakers(generation())),
        ],
    }
}

fn node_record() -> Golden<NodeRecord> {
    Golden {
        prefix: "NodeRecord",
        values: vec![
            ("Acceptor", AcceptorRecord::Promised(round()).into()),
            ("Matchmaker", MatchmakerRecord::Collected(round()).into()),
            ("Proposer", LeaderRecord::Used(round()).into()),
            ("Archive", ArchiveRecord::Value { slot: Slot(6), value: value() }.into()),
            ("Session", SessionRecord { life: 5 }.into()),
            ("Reconfigurer", ReconfigurerRecord { used: round() }.into()),
        ],
    }
}

fn single_record() -> Golden<SingleRecord> {
    Golden { prefix: "SingleRecord", values: vec![("it", SingleRecord { used: round() })] }
}

#[test]
fn messages_have_their_golden_bytes() {
    to_matchmaker().check();
    from_matchmaker().check();
    to_reconfigurer().check();
    handover_progress().check();
    to_proposer().check();
    to_application().check();
    progress().check();
    message().check();
}

#[test]
fn records_have_their_golden_bytes() {
    matchmaker_record().check();
    leader_record().check();
    node_record().check();
    single_record().check();
}

#[test]
fn tags_are_the_positions_of_the_variants_and_all_variants_are_golden() {
    to_matchmaker().check_tags();
    from_matchmaker().check_tags();
    to_reconfigurer().check_tags();
    handover_progress().check_tags();
    to_proposer().check_tags();
    to_application().check_tags();
    progress().check_tags();
    message().check_tags();
    matchmaker_record().check_tags();
    leader_record().check_tags();
    node_record().check_tags();
}

#[test]
fn a_payload_is_not_copied_out_of_its_frame() {
    let frame = wire::encode(&message().values[0].1);
    let Ok(Message::Acceptor(ToAcceptor::Phase2A(m))) = wire::decode(&frame) else {
        panic!("a Phase2A")
    };
    let Value::Batch(payload) = m.value else { panic!("a batch") };
    assert!(frame.as_ptr_range().contains(&payload.0.as_ptr()));
}

#[test]
fn random_and_damaged_bytes_never_panic() {
    to_matchmaker().check_noise(1);
    from_matchmaker().check_noise(2);
    to_proposer().check_noise(3);
    to_application().check_noise(4);
    progress().check_noise(5);
    message().check_noise(6);
    matchmaker_record().check_noise(7);
    leader_record().check_noise(8);
    node_record().check_noise(9);
    single_record().check_noise(10);
    to_reconfigurer().check_noise(11);
    handover_progress().check_noise(12);
}
