//! What the papers claim of the parts that all protocols share, one test for each claim.
//!
//! "Matchmaker Paxos" is Whittaker et al., *Matchmaker Paxos: A Reconfigurable Consensus Protocol*,
//! whose section 2 is Paxos itself.

use std::collections::VecDeque;
use std::convert::Infallible;

use bytes::Bytes;
use paxos::acceptor::{Acceptor, AcceptorRecord};
use paxos::actor::{Effects, Incarnation, NodeId, OwnEffects, Seat};
use paxos::archive::{Archive, ArchiveRecord, ArchiveTimer, FromArchive};
use paxos::command::{SessionId, Submission, Value};
use paxos::configuration::Configuration;
use paxos::message::*;
use paxos::quorum::QuorumSystem;
use paxos::replica::{FromReplica, Replica, ReplicaTimer, Surroundings};
use paxos::round::Round;
use paxos::session::{Session, SessionOptions, SessionRecord, ToOthers};
use paxos::slot::Slot;
use paxos::snapshot::SnapshotOptions;
use paxos::state_machine::{ForeignChunk, Position, StateMachine};
use paxos::synod::{Synod, SynodOptions, SynodRecord, SynodTimer};
use paxos::wire::Payload;

const ONE: NodeId = node(1);
const TWO: NodeId = node(2);
const ACCEPTORS: [NodeId; 3] = [node(11), node(12), node(13)];

const fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

fn round(number: u64, owner: NodeId) -> Round {
    Round { number, owner, step: 0 }
}

fn value(text: &'static str) -> Value {
    Value::Batch(Payload::new(text.as_bytes()))
}

fn vote(slot: u64, round: Round, text: &'static str) -> Vote {
    Vote { slot: Slot(slot), round, value: value(text) }
}

// Acceptors.

type AcceptorFx = OwnEffects<Acceptor>;

fn acceptor_step(acceptor: &mut Acceptor, message: impl Into<ToAcceptor>) -> AcceptorFx {
    let mut fx = AcceptorFx::new();
    acceptor.on_message(ONE, message.into(), &mut fx);
    fx
}

/// One answer, behind its records.
fn answer(records: &[AcceptorRecord], reply: impl Into<FromAcceptor>) -> AcceptorFx {
    let mut fx = AcceptorFx::new();
    fx.records = records.to_vec();
    fx.send(ONE, reply);
    fx
}

fn phase1a(round: Round) -> Phase1A {
    Phase1A { round, first: Slot(0) }
}

fn phase1b(round: Round, persisted: u64, votes: &[Vote]) -> Phase1B {
    let (persisted_watermark, votes) = (Slot(persisted), votes.to_vec());
    Phase1B { round, first: Slot(0), persisted_watermark, votes, next: None }
}

fn phase2a(round: Round, slot: u64, text: &'static str) -> Phase2A {
    Phase2A { round, slot: Slot(slot), value: value(text) }
}

fn phase2b(round: Round, slot: u64, persisted: u64) -> Phase2B {
    Phase2B { round, slot: Slot(slot), persisted_watermark: Slot(persisted) }
}

/// Matchmaker Paxos, Algorithm 2: who promised a round takes part in no lower one.
#[test]
fn a_promise_excludes_lower_rounds() {
    let mut acceptor = Acceptor::new();
    let (low, promised) = (round(1, TWO), round(2, ONE));
    let fx = acceptor_step(&mut acceptor, phase1a(promised));
    let record = AcceptorRecord::Promised(promised);
    assert_eq!(fx, answer(&[record], phase1b(promised, 0, &[])));
    let nack = Nack { round: low, promised };
    assert_eq!(acceptor_step(&mut acceptor, phase1a(low)), answer(&[], nack.clone()));
    assert_eq!(acceptor_step(&mut acceptor, phase2a(low, 0, "x")), answer(&[], nack));
}

/// Matchmaker Paxos, Algorithm 2: a vote may be cast without a promise before, and is one.
#[test]
fn a_vote_promises_its_round() {
    let mut acceptor = Acceptor::new();
    let (low, high) = (round(1, TWO), round(2, ONE));
    let fx = acceptor_step(&mut acceptor, phase2a(high, 4, "x"));
    let record = AcceptorRecord::Voted(vote(4, high, "x"));
    assert_eq!(fx, answer(&[record], phase2b(high, 4, 0)));
    let nack = Nack { round: low, promised: high };
    assert_eq!(acceptor_step(&mut acceptor, phase2a(low, 5, "y")), answer(&[], nack));
}

/// Matchmaker Paxos, Algorithm 2: the round that was promised and the one that was voted in are two
/// things. An acceptor that keeps one of them only shows its vote in a round that nobody voted in.
#[test]
fn a_promise_does_not_move_a_vote_to_its_round() {
    let mut acceptor = Acceptor::new();
    let voted = vote(0, round(1, ONE), "x");
    acceptor_step(&mut acceptor, phase2a(round(1, ONE), 0, "x"));
    for number in 2..5 {
        let promised = round(number, ONE);
        let fx = acceptor_step(&mut acceptor, phase1a(promised));
        let record = AcceptorRecord::Promised(promised);
        assert_eq!(fx, answer(&[record], phase1b(promised, 0, std::slice::from_ref(&voted))));
    }
}

/// Matchmaker Paxos, Algorithm 2: of each slot the last vote is shown, which is the one in the
/// highest round.
#[test]
fn the_vote_of_the_highest_round_replaces_earlier_ones() {
    let mut acceptor = Acceptor::new();
    acceptor_step(&mut acceptor, phase2a(round(1, ONE), 0, "x"));
    acceptor_step(&mut acceptor, phase2a(round(2, ONE), 0, "y"));
    let fx = acceptor_step(&mut acceptor, phase1a(round(3, ONE)));
    let votes = [vote(0, round(2, ONE), "y")];
    let record = AcceptorRecord::Promised(round(3, ONE));
    assert_eq!(fx, answer(&[record], phase1b(round(3, ONE), 0, &votes)));
}

/// Matchmaker Paxos, section 4.1: one promise, and one Phase1A, cover all slots of the log.
#[test]
fn one_promise_covers_all_slots() {
    let mut acceptor = Acceptor::new();
    acceptor_step(&mut acceptor, phase2a(round(1, ONE), 7, "x"));
    acceptor_step(&mut acceptor, phase2a(round(1, ONE), 3, "y"));
    let promised = round(2, ONE);
    let votes = [vote(3, round(1, ONE), "y"), vote(7, round(1, ONE), "x")];
    let record = AcceptorRecord::Promised(promised);
    let fx = acceptor_step(&mut acceptor, phase1a(promised));
    assert_eq!(fx, answer(&[record], phase1b(promised, 0, &votes)));
    for slot in [0, 3, 7, 100] {
        let nack = Nack { round: round(1, ONE), promised };
        let fx = acceptor_step(&mut acceptor, phase2a(round(1, ONE), slot, "z"));
        assert_eq!(fx, answer(&[], nack));
    }
}

/// Matchmaker Paxos, section 2.1: machines fail by stopping, and come back with what they made
/// durable. Each answer is made durable before it is sent, so nothing that was said is taken back.
#[test]
fn a_restart_takes_back_neither_promises_nor_votes() {
    let mut acceptor = Acceptor::new();
    let mut disk = Vec::new();
    disk.extend(acceptor_step(&mut acceptor, phase2a(round(1, ONE), 0, "x")).records);
    disk.extend(acceptor_step(&mut acceptor, phase1a(round(2, ONE))).records);
    let mut restarted = Acceptor::new();
    disk.into_iter().for_each(|record| restarted.restore(record));
    assert_eq!(restarted, acceptor);
    let nack = Nack { round: round(1, TWO), promised: round(2, ONE) };
    assert_eq!(acceptor_step(&mut restarted, phase1a(round(1, TWO))), answer(&[], nack));
}

/// Matchmaker Paxos, section 4.5: an acceptor that was told that slots are persisted needs their
/// votes no more. It tells every later Phase 1, and casts no vote there.
#[test]
fn persisted_slots_have_no_votes_and_every_phase_1_learns_it() {
    let mut acceptor = Acceptor::new();
    acceptor_step(&mut acceptor, phase2a(round(1, ONE), 0, "x"));
    acceptor_step(&mut acceptor, phase2a(round(1, ONE), 2, "y"));
    let fx = acceptor_step(&mut acceptor, PersistedA { watermark: Slot(2) });
    let reply = PersistedB { watermark: Slot(2) };
    assert_eq!(fx, answer(&[AcceptorRecord::Persisted(Slot(2))], reply));
    let fx = acceptor_step(&mut acceptor, phase2a(round(2, ONE), 1, "z"));
    assert_eq!(fx, answer(&[], phase2b(round(2, ONE), 1, 2)));
    let fx = acceptor_step(&mut acceptor, phase1a(round(3, ONE)));
    let votes = [vote(2, round(1, ONE), "y")];
    let record = AcceptorRecord::Promised(round(3, ONE));
    assert_eq!(fx, answer(&[record], phase1b(round(3, ONE), 2, &votes)));
}

/// Reads, which the paper leaves open: an acceptor confirms a leader as long as it has promised
/// nothing higher, and writes nothing.
#[test]
fn confirming_a_leader_writes_nothing() {
    let mut acceptor = Acceptor::new();
    let reads = ReadA { round: round(2, ONE), nonce: 1 };
    let confirmed = ReadB { round: round(2, ONE), nonce: 1 };
    assert_eq!(acceptor_step(&mut acceptor, reads.clone()), answer(&[], confirmed));
    acceptor_step(&mut acceptor, phase1a(round(2, TWO)));
    let nack = Nack { round: round(2, ONE), promised: round(2, TWO) };
    assert_eq!(acceptor_step(&mut acceptor, reads), answer(&[], nack));
}

// Single-decree Paxos.

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

// Replicas, archives, sessions.

const ARCHIVE: NodeId = node(21);
const SESSION: NodeId = node(31);
const REPLICA: NodeId = node(41);

/// All commands, and those of a snapshot that are not read yet.
#[derive(Clone, Debug, Default, PartialEq)]
struct Log(Vec<Bytes>, Option<VecDeque<Bytes>>);

impl StateMachine for Log {
    fn apply(&mut self, _position: Position, command: &Bytes) -> Bytes {
        self.0.push(command.clone());
        Bytes::from(self.0.len().to_string())
    }

    fn query(&self, _query: &Bytes) -> Option<Bytes> {
        self.0.last().cloned()
    }

    fn empty(&self) -> Self {
        Self::default()
    }

    fn start_snapshot(&mut self) {
        self.1 = Some(self.0.clone().into());
    }

    fn next_chunk(&mut self, _bytes_max: usize) -> Option<Bytes> {
        self.1.as_mut()?.pop_front()
    }

    fn stop_snapshot(&mut self) {
        self.1 = None;
    }

    fn install_chunk(&mut self, chunk: &Bytes) -> Result<(), ForeignChunk> {
        self.0.push(chunk.clone());
        Ok(())
    }
}

type ReplicaFx = Effects<FromReplica, ReplicaTimer, Infallible>;

fn replica() -> Replica<Log> {
    let surroundings = Surroundings { archive: ARCHIVE, session: SESSION, peers: Vec::new() };
    let mut replica = Replica::new(
        surroundings,
        Log::default(),
        SnapshotOptions { bytes_per_second: 0, ..SnapshotOptions::default() },
    );
    replica.on_start(&mut ReplicaFx::new());
    replica_step(&mut replica, FetchB { first: Slot(0), values: Vec::new() });
    replica
}

fn replica_step(replica: &mut Replica<Log>, message: impl Into<ToReplica>) -> ReplicaFx {
    let mut fx = ReplicaFx::new();
    replica.on_message(ONE, message.into(), &mut fx);
    fx
}

fn submission(number: u64, text: &'static str) -> Submission {
    let session = SessionId { node: SESSION, life: 1 };
    let commands = vec![Payload::new(text.as_bytes())];
    Submission { session, first: number, acknowledged: 0, commands }
}

fn chosen(slot: u64, submissions: Vec<Submission>) -> Chosen {
    Chosen { slot: Slot(slot), value: Value::batch(&submissions) }
}

fn texts(replica: &Replica<Log>) -> Vec<&str> {
    let text = |command| std::str::from_utf8(command).expect("text");
    replica.machine().0.iter().map(|command| text(&command[..])).collect()
}

/// Matchmaker Paxos, section 4.2: replicas execute the log in its order, each prefix when it is
/// there, in whatever order they learn it. All come to the same state.
#[test]
fn replicas_execute_the_log_in_order() {
    let log = [
        chosen(0, vec![submission(0, "a")]),
        Chosen { slot: Slot(1), value: Value::Noop },
        chosen(2, vec![submission(1, "b"), submission(2, "c")]),
    ];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        let mut replica = replica();
        for slot in order {
            replica_step(&mut replica, log[slot].clone());
            let executed = replica.executed_watermark().0 as usize;
            assert_eq!(texts(&replica), ["a", "b", "c"][..[0, 1, 1, 3][executed]]);
        }
        assert_eq!(replica.executed_watermark(), Slot(3));
    }
}

/// Matchmaker Paxos, section 4.2: a command that was sent twice and fills two slots is executed in
/// the first, and answered alike in both.
#[test]
fn a_command_in_two_slots_is_executed_once() {
    let mut replica = replica();
    let executed = Executed {
        session: SessionId { node: SESSION, life: 1 },
        first: 0,
        replies: vec![Payload::new(&b"1"[..])],
    };
    for slot in 0..3 {
        let fx = replica_step(&mut replica, chosen(slot, vec![submission(0, "a")]));
        assert!(fx.sends.contains(&(SESSION, FromReplica::Executed(executed.clone()))), "{fx:?}");
    }
    assert_eq!(texts(&replica), ["a"]);
}

type ArchiveFx = OwnEffects<Archive>;

/// Matchmaker Paxos, section 4.5: "stored on a replica" is a promise that outlives a crash, so what
/// an archive reports is durable before it says so, and is there after a restart.
#[test]
fn an_archive_reports_what_is_durable_and_nothing_else() {
    let mut archive = Archive::new(REPLICA, SnapshotOptions::default());
    let mut fx = ArchiveFx::new();
    let store = Store { slot: Slot(0), value: value("x") };
    archive.on_message(REPLICA, store.into(), &mut fx);
    archive.on_message(ONE, ArchivedA { watermark: Slot(0) }.into(), &mut fx);
    let report = |persisted, executed| {
        let (persisted_watermark, executed_watermark) = (Slot(persisted), Slot(executed));
        FromArchive::ArchivedB(ArchivedB {
            persisted_watermark,
            executed_watermark,
            base: Slot::ZERO,
            chunk_count: 0,
        })
    };
    assert_eq!((fx.records, fx.sends), (vec![], vec![(ONE, report(0, 1))]));
    let mut fx = ArchiveFx::new();
    archive.on_timer(ArchiveTimer::Flush, &mut fx);
    let record = ArchiveRecord::Value { slot: Slot(0), value: value("x") };
    assert_eq!((&fx.records, fx.sends), (&vec![record], vec![(ONE, report(1, 1))]));
    let mut restarted = Archive::new(REPLICA, SnapshotOptions::default());
    fx.records.into_iter().for_each(|record| restarted.restore(record));
    assert_eq!(restarted.persisted_watermark(), Slot(1));
}

/// Matchmaker Paxos, section 4.5: what f + 1 replicas were counted for must stay there, also when a
/// snapshot takes the place of the values, and across a crash at any record of it.
#[test]
fn what_an_archive_has_reported_it_has_after_any_crash_within_a_snapshot() {
    let mut archive = Archive::new(REPLICA, SnapshotOptions::default());
    let mut log = Vec::new();
    let mut replica = replica();
    for slot in 0..3 {
        let m = chosen(slot, vec![submission(slot, "x")]);
        archive.on_message(REPLICA, Store::from(m.clone()).into(), &mut ArchiveFx::new());
        replica_step(&mut replica, m);
    }
    let mut fx = ArchiveFx::new();
    archive.on_message(ONE, ArchivedA { watermark: Slot(3) }.into(), &mut fx);
    log.append(&mut fx.records);
    let mut sends = replica_step(&mut replica, SnapshotWanted { watermark: Slot(3) }).sends;
    while !sends.is_empty() {
        let (_, FromReplica::Keep(keep)) = sends.remove(0) else { panic!("only chunks are sent") };
        let kept = Kept { slot: keep.chunk.slot, number: keep.chunk.number };
        sends.append(&mut replica_step(&mut replica, kept).sends);
        let mut fx = ArchiveFx::new();
        archive.on_message(REPLICA, keep.into(), &mut fx);
        log.append(&mut fx.records);
        for crash in 3..=log.len() {
            let mut restarted = Archive::new(REPLICA, SnapshotOptions::default());
            log[..crash].iter().for_each(|record| restarted.restore(record.clone()));
            assert_eq!(restarted.check_restored(), Ok(()));
            assert_eq!(restarted.persisted_watermark(), Slot(3));
        }
    }
    assert_eq!(
        (archive.base(), log.len()),
        (Slot(3), 3 + 6),
        "a digest, sessions, three commands, the end"
    );
}

type SessionFx = OwnEffects<Session>;

fn session_step(session: &mut Session, from: NodeId, message: impl Into<ToSession>) -> SessionFx {
    let mut fx = SessionFx::new();
    session.on_message(from, message.into(), &mut fx);
    fx
}

/// The requests of a turn, by their receiver, the number of their first command, and their length.
fn requests(session: &mut Session) -> Vec<(NodeId, u64, usize)> {
    let mut fx = SessionFx::new();
    session.on_turn_end(&mut fx);
    let request = |(to, message): (NodeId, ToOthers)| match message {
        ToOthers::Request(m) => Some((to, m.submission.first, m.submission.commands.len())),
        _ => None,
    };
    fx.sends.into_iter().filter_map(request).collect()
}

/// Matchmaker Paxos, section 4.2: a client sends to the leader, and sends again to the next one what
/// was not answered. Every call returns once.
#[test]
fn unanswered_commands_go_to_the_next_leader_and_every_call_returns_once() {
    let mut session = Session::new(SESSION, REPLICA, node(51), SessionOptions::default());
    session.on_start(&mut SessionFx::new());
    for token in 0..3 {
        let operation = Operation::Propose(Payload::new(&b"x"[..]));
        session_step(&mut session, node(51), Invoke { token, operation });
    }
    assert_eq!(requests(&mut session), []);
    session_step(&mut session, ONE, Leading { round: round(1, ONE) });
    assert_eq!(requests(&mut session), [(ONE, 0, 3)]);

    let replies = vec![Payload::new(&b"1"[..])];
    let executed = Executed { session: SessionId { node: SESSION, life: 1 }, first: 0, replies };
    let outcome = Outcome::Done(Payload::new(&b"1"[..]));
    let returned = ToOthers::Return(Return { token: 0, outcome });
    let fx = session_step(&mut session, REPLICA, executed.clone());
    assert_eq!(fx.sends, vec![(node(51), returned)]);
    assert!(session_step(&mut session, REPLICA, executed).is_empty(), "a repeat");

    // The same leader in its next round has lost nothing; another one has never heard of it.
    session_step(&mut session, ONE, Leading { round: round(1, ONE).adjacent() });
    assert_eq!(requests(&mut session), []);
    session_step(&mut session, TWO, Leading { round: round(1, TWO) });
    assert_eq!(requests(&mut session), [(TWO, 1, 2)]);
    session_step(&mut session, ONE, Leading { round: round(1, ONE) });
    assert_eq!(requests(&mut session), [], "a leader of the past");
}

/// Matchmaker Paxos, section 2.1: a client that restarts is a new client. Its calls died with it, and
/// its numbers are not used again.
#[test]
fn a_restarted_session_begins_a_new_life() {
    let lives = |records: Vec<SessionRecord>| {
        let mut session = Session::new(SESSION, REPLICA, node(51), SessionOptions::default());
        records.into_iter().for_each(|record| session.restore(record));
        let mut fx = SessionFx::new();
        session.on_start(&mut fx);
        assert!(fx.sends.is_empty());
        fx.records
    };
    let first = lives(vec![]);
    assert_eq!(first, vec![SessionRecord { life: 1 }]);
    assert_eq!(lives(first), vec![SessionRecord { life: 2 }]);
}
