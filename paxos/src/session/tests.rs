use super::*;
use crate::actor::{Incarnation, OwnEffects, Seat, TimerChange};
use crate::message::Quarantined;
use crate::slot::Slot;

type Fx = OwnEffects<Session>;

fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

const LEADER: u32 = 10;

fn round(number: u64, step: u64) -> Round {
    Round { number, owner: node(LEADER), step }
}

fn session(options: SessionOptions) -> Session {
    let mut session = Session::new(node(1), node(2), node(3), options);
    session.on_start(&mut Fx::new());
    session
}

fn payload(text: &'static str) -> Payload {
    Payload::new(text.as_bytes())
}

fn turn(session: &mut Session, messages: Vec<ToSession>) -> Fx {
    let mut fx = Fx::new();
    for message in messages {
        session.on_message(node(LEADER), message, &mut fx);
    }
    session.on_turn_end(&mut fx);
    fx
}

fn propose(token: u64, text: &'static str) -> ToSession {
    Invoke { token, operation: Operation::Propose(payload(text)) }.into()
}

fn read(token: u64, text: &'static str) -> ToSession {
    Invoke { token, operation: Operation::Read(payload(text)) }.into()
}

fn leading(number: u64, step: u64) -> ToSession {
    Leading { round: round(number, step) }.into()
}

fn executed(first: u64, replies: &[&'static str]) -> ToSession {
    let session = SessionId { node: node(1), life: 1 };
    let replies = replies.iter().map(|text| payload(text)).collect();
    Executed { session, first, replies }.into()
}

fn request(attempt: u64, first: u64, texts: &[&'static str]) -> (NodeId, ToOthers) {
    let session = SessionId { node: node(1), life: 1 };
    let commands = texts.iter().map(|text| payload(text)).collect();
    let submission = Submission { session, first, acknowledged: first, commands };
    (node(LEADER), ToOthers::Request(Request { attempt, submission }))
}

fn returned(token: u64, outcome: Outcome) -> (NodeId, ToOthers) {
    (node(3), ToOthers::Return(Return { token, outcome }))
}

#[test]
fn a_life_is_recorded_before_anything() {
    let mut session = Session::new(node(1), node(2), node(3), SessionOptions::default());
    session.restore(SessionRecord { life: 4 });
    let mut fx = Fx::new();
    session.on_start(&mut fx);
    assert_eq!(fx.records, vec![SessionRecord { life: 5 }]);
    assert_eq!(session.checkpoint(), vec![SessionRecord { life: 5 }]);
}

#[test]
fn commands_of_a_turn_go_to_the_leader_together_and_come_back_in_order() {
    let mut session = session(SessionOptions::default());
    let fx = turn(&mut session, vec![propose(1, "a"), propose(2, "b")]);
    assert!(fx.sends.is_empty(), "no leader is known");
    let fx = turn(&mut session, vec![leading(1, 0)]);
    assert_eq!(fx.sends, vec![request(1, 0, &["a", "b"])]);
    let fx = turn(&mut session, vec![executed(0, &["A", "B"])]);
    let done = |text| Outcome::Done(payload(text));
    assert_eq!(fx.sends, vec![returned(1, done("A")), returned(2, done("B"))]);
}

#[test]
fn a_new_leader_gets_the_unanswered_again_and_a_new_step_of_the_same_does_not() {
    let mut session = session(SessionOptions::default());
    turn(&mut session, vec![leading(1, 0), propose(1, "a"), propose(2, "b")]);
    turn(&mut session, vec![executed(0, &["A"])]);
    assert!(turn(&mut session, vec![leading(1, 1)]).sends.is_empty());
    let fx = turn(&mut session, vec![leading(2, 0)]);
    assert_eq!(fx.sends, vec![request(2, 1, &["b"])]);
}

#[test]
fn a_lost_command_is_sent_again_while_reads_go_on() {
    let mut session = session(SessionOptions::default());
    turn(&mut session, vec![leading(1, 0), propose(1, "a"), read(2, "x")]);
    let nonce = (1 << 32) + 1;
    turn(&mut session, vec![ReadIndexB { nonce, watermark: Slot(0) }.into(), read(3, "x")]);
    let mut fx = Fx::new();
    session.on_timer(SessionTimer::Retry, &mut fx);
    session.on_turn_end(&mut fx);
    assert_eq!(fx.sends.first(), Some(&request(2, 0, &["a"])), "{:?}", fx.sends);
}

#[test]
fn an_answer_to_an_earlier_life_answers_nothing() {
    let mut first_life = session(SessionOptions::default());
    let fx = turn(&mut first_life, vec![leading(1, 0), read(1, "x")]);
    let [(_, ToOthers::ReadIndexA(ReadIndexA { nonce }))] = fx.sends[..] else {
        panic!("one question: {:?}", fx.sends)
    };
    let mut second_life = Session::new(node(1), node(2), node(3), SessionOptions::default());
    second_life.restore(SessionRecord { life: 1 });
    second_life.on_start(&mut Fx::new());
    turn(&mut second_life, vec![leading(1, 0), read(2, "x")]);
    let late = ReadIndexB { nonce, watermark: Slot(7) };
    assert!(turn(&mut second_life, vec![late.into()]).sends.is_empty());
}

#[test]
fn when_nothing_moves_the_session_starts_over() {
    let mut session = session(SessionOptions::default());
    let fx = turn(&mut session, vec![leading(1, 0), propose(1, "a")]);
    assert!(fx.timers.iter().any(|t| matches!(t, TimerChange::Set(SessionTimer::Retry, _))));
    let mut fx = Fx::new();
    session.on_timer(SessionTimer::Retry, &mut fx);
    session.on_turn_end(&mut fx);
    assert_eq!(fx.sends, vec![request(2, 0, &["a"])]);
}

#[test]
fn a_read_asks_the_leader_and_then_the_replica() {
    let mut session = session(SessionOptions::default());
    let fx = turn(&mut session, vec![leading(1, 0), read(1, "x"), read(2, "y")]);
    let nonce = (1 << 32) + 1;
    let question = ToOthers::ReadIndexA(ReadIndexA { nonce });
    assert_eq!(fx.sends, vec![(node(LEADER), question)]);
    let index = ReadIndexB { nonce, watermark: Slot(7) };
    let fx = turn(&mut session, vec![index.into()]);
    let query = |token, text| Query { token, watermark: Slot(7), query: payload(text) };
    let expected = [query(1, "x"), query(2, "y")].map(|query| (node(2), ToOthers::Query(query)));
    assert_eq!(fx.sends, expected);
    let answers = vec![
        Answered { token: 1, answer: Some(payload("X")) }.into(),
        Answered { token: 2, answer: None }.into(),
    ];
    let fx = turn(&mut session, answers);
    let done = Outcome::Done(payload("X"));
    assert_eq!(fx.sends, vec![returned(1, done), returned(2, Outcome::NeedsLog)]);
}

#[test]
fn an_old_call_fails_and_a_command_that_was_sent_is_ambiguous_and_keeps_its_place() {
    let mut session = session(SessionOptions { window_max: 1, ..SessionOptions::default() });
    turn(&mut session, vec![leading(1, 0), propose(1, "a"), propose(2, "b"), read(3, "r")]);
    let mut fx = Fx::new();
    session.on_timer(SessionTimer::Expire, &mut fx);
    let failed = |token, error| returned(token, Outcome::Failed(error));
    let expected = vec![
        failed(1, RequestError::Ambiguous),
        failed(2, RequestError::Unavailable),
        failed(3, RequestError::Unavailable),
    ];
    assert_eq!(fx.sends, expected);
    let fx = turn(&mut session, vec![propose(4, "c"), executed(0, &["A"])]);
    assert_eq!(fx.sends, vec![request(1, 1, &["c"])], "the late reply has no receiver");
}

#[test]
fn a_full_queue_fails_calls_at_once() {
    let mut session = session(SessionOptions { queue_max: 1, ..SessionOptions::default() });
    let fx = turn(&mut session, vec![propose(1, "a"), propose(2, "b"), read(3, "r")]);
    let failed = |token| returned(token, Outcome::Failed(RequestError::Overloaded));
    assert_eq!(fx.sends, vec![failed(2), failed(3)]);
}

#[test]
fn beside_a_replica_in_quarantine_every_call_fails_once() {
    let mut session = session(SessionOptions { window_max: 1, ..SessionOptions::default() });
    turn(&mut session, vec![leading(1, 0), propose(1, "a"), propose(2, "b"), read(3, "r")]);
    turn(&mut session, vec![read(4, "s")]);
    let m = ReadIndexB { nonce: session.nonce, watermark: Slot(1) };
    turn(&mut session, vec![m.into(), read(5, "t")]);
    let failed = |token, error| returned(token, Outcome::Failed(error));
    let mut fx = turn(&mut session, vec![Quarantined { slot: Slot(8) }.into()]);
    fx.sends.sort_by_key(|(_, message)| match message {
        ToOthers::Return(m) => m.token,
        _ => 0,
    });
    let mut expected = vec![failed(1, RequestError::Ambiguous)];
    expected.extend((2..6).map(|token| failed(token, RequestError::Quarantined)));
    assert_eq!(fx.sends, expected);
    assert_eq!(session.load(), SessionLoad::default());

    assert!(turn(&mut session, vec![Quarantined { slot: Slot(8) }.into()]).is_empty());
    let fx = turn(&mut session, vec![executed(0, &["A"]), propose(6, "c"), leading(2, 0)]);
    assert_eq!(fx.sends, vec![failed(6, RequestError::Quarantined)]);
    for timer in [SessionTimer::Retry, SessionTimer::Expire] {
        let mut fx = Fx::new();
        session.on_timer(timer, &mut fx);
        session.on_turn_end(&mut fx);
        assert!(fx.is_empty());
    }
}
