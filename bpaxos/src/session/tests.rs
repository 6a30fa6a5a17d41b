use paxos::actor::{Incarnation, Seat, TimerChange};

use super::*;

const fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

const SESSION: NodeId = node(0);
const APPLICATION: NodeId = node(9);

fn payload(text: &'static str) -> Payload {
    Payload::new(text.as_bytes())
}

fn started(options: SessionOptions) -> Session {
    let mut session = Session::new(SESSION, APPLICATION, [node(1), node(2)].into(), options);
    session.on_start(&mut Fx::new());
    session
}

fn step(session: &mut Session, message: ToSession) -> Fx {
    let mut fx = Fx::new();
    session.on_message(message, &mut fx);
    fx
}

fn invoke(token: u64, text: &'static str) -> ToSession {
    ToSession::Invoke(Invoke { token, operation: Operation::Propose(payload(text)) })
}

fn executed(life: u64, number: u64, text: &'static str) -> ToSession {
    let session = SessionId { node: SESSION, life };
    ToSession::Executed(Executed { session, number, reply: payload(text) })
}

fn request(to: NodeId, number: u64, acknowledged: u64, text: &'static str) -> (NodeId, Message) {
    let session = SessionId { node: SESSION, life: 1 };
    let command = Command { session, number, acknowledged, payload: payload(text) };
    (to, Request { command }.into())
}

fn returned(token: u64, outcome: Outcome) -> (NodeId, Message) {
    (APPLICATION, Return { token, outcome }.into())
}

#[test]
fn replies_return_in_the_order_of_execution_and_once() {
    let mut session = started(SessionOptions::default());
    assert_eq!(step(&mut session, invoke(7, "a")).sends, [request(node(1), 0, 0, "a")]);
    assert_eq!(step(&mut session, invoke(8, "b")).sends, [request(node(1), 1, 0, "b")]);
    let done = |text| Outcome::Done(payload(text));
    assert_eq!(step(&mut session, executed(1, 1, "B")).sends, [returned(8, done("B"))]);
    assert_eq!(step(&mut session, executed(1, 1, "B")), Fx::new());
    assert_eq!(step(&mut session, invoke(9, "c")).sends, [request(node(1), 2, 0, "c")]);
    assert_eq!(step(&mut session, executed(1, 0, "A")).sends, [returned(7, done("A"))]);
    assert_eq!(step(&mut session, invoke(10, "d")).sends, [request(node(1), 3, 2, "d")]);
}

#[test]
fn a_reply_to_an_earlier_life_is_none_to_this_one() {
    let mut session = started(SessionOptions::default());
    step(&mut session, invoke(7, "a"));
    assert_eq!(step(&mut session, executed(0, 0, "A")), Fx::new());
}

#[test]
fn what_is_late_goes_to_the_next_proposer_and_is_ambiguous_in_the_end() {
    let mut session = started(SessionOptions { patience: 2, ..SessionOptions::default() });
    step(&mut session, invoke(7, "a"));
    let mut sends = Vec::new();
    for _ in 0..4 {
        let mut fx = Fx::new();
        session.on_timer(SessionTimer::Retry, &mut fx);
        assert!(matches!(fx.timers[..], [TimerChange::Set(SessionTimer::Retry, _)]));
        sends.push(fx.sends);
    }
    let failed = returned(7, Outcome::Failed(RequestError::Ambiguous));
    let [one, two] = [node(1), node(2)].map(|node| request(node, 0, 0, "a"));
    assert_eq!(sends, [vec![], vec![two.clone()], vec![failed, one], vec![two]]);
    assert_eq!(step(&mut session, executed(1, 0, "A")), Fx::new());
    session.on_timer(SessionTimer::Retry, &mut Fx::new());
    assert_eq!(step(&mut session, invoke(8, "b")).sends, [request(node(2), 1, 1, "b")]);
}

#[test]
fn the_nearest_proposer_is_kept_while_it_answers() {
    let options = SessionOptions { nearest: Some(node(2)), ..SessionOptions::default() };
    let mut session = started(options);
    for (token, number) in [(7, 0), (8, 1)] {
        let sends = step(&mut session, invoke(token, "a")).sends;
        assert_eq!(sends, [request(node(2), number, number, "a")]);
        step(&mut session, executed(1, number, "A"));
        session.on_timer(SessionTimer::Retry, &mut Fx::new());
    }
}

#[test]
fn a_full_window_refuses() {
    let mut session = started(SessionOptions { window_max: 1, ..SessionOptions::default() });
    step(&mut session, invoke(7, "a"));
    let refused = returned(8, Outcome::Failed(RequestError::Overloaded));
    assert_eq!(step(&mut session, invoke(8, "b")).sends, [refused]);
}

#[test]
fn each_start_is_a_life_and_durable() {
    let mut session = started(SessionOptions::default());
    let record = SessionRecord { life: 1 };
    assert_eq!(session.checkpoint(), std::slice::from_ref(&record));
    let proposers = [node(1)].into();
    session = Session::new(SESSION, APPLICATION, proposers, SessionOptions::default());
    session.restore(record);
    let mut fx = Fx::new();
    session.on_start(&mut fx);
    assert_eq!(fx.records, [SessionRecord { life: 2 }]);
}

#[test]
fn who_shows_itself_is_asked_until_it_falls_silent() {
    let mut session = started(SessionOptions::default());
    session.on_leading(node(5));
    for period in 0..SILENCE_MAX {
        let to = step(&mut session, invoke(u64::from(period), "a")).sends[0].0;
        assert!(to == node(5) || session.turn.is_multiple_of(TRIAL), "{to}");
        session.on_timer(SessionTimer::Retry, &mut Fx::new());
    }
    session.on_timer(SessionTimer::Retry, &mut Fx::new());
    let to = step(&mut session, invoke(100, "a")).sends[0].0;
    assert!([node(1), node(2)].contains(&to), "{to}");
}
