//! Replicas, archives, sessions.

use std::collections::VecDeque;
use std::convert::Infallible;

use bytes::Bytes;
use paxos::actor::{Effects, NodeId, OwnEffects};
use paxos::archive::{Archive, ArchiveRecord, ArchiveTimer, FromArchive};
use paxos::command::{SessionId, Submission, Value};
use paxos::message::*;
use paxos::replica::{FromReplica, Replica, ReplicaTimer, Surroundings};
use paxos::session::{Session, SessionOptions, SessionRecord, ToOthers};
use paxos::slot::Slot;
use paxos::snapshot::SnapshotOptions;
use paxos::state_machine::{ForeignChunk, Position, StateMachine};
use paxos::wire::Payload;

use super::{ONE, TWO, node, round, value};

const ARCHIVE: NodeId = node(21);
const SESSION: NodeId = node(31);
const REPLICA: NodeId = node(41);

/// All commands, and those of a snapshot that are not read yet.
#[derive(Clone, Debug, Default, PartialEq)]
struct Log(Vec<Bytes>, Option<VecDeque<Bytes>>);

impl StateMachine for Log {
    fn apply(&mut self, _position: Position, command: &[u8]) -> Bytes {
        self.0.push(Bytes::copy_from_slice(command));
        Bytes::from(self.0.len().to_string())
    }

    fn query(&self, _query: &[u8]) -> Option<Bytes> {
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
