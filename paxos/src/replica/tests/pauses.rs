use super::*;

const RATE: u64 = 1_000_000;

/// A replica that has executed three commands, and makes a pause after each chunk.
fn slow() -> Replica<Journal> {
    let mut replica = after(&["abc", "def", "ghi"]);
    replica.options.bytes_per_second = RATE;
    replica
}

/// The pause that begins with these effects, in bytes that would have fitted into it.
fn pause_bytes(fx: &Fx) -> Vec<u64> {
    let pauses = fx.timers.iter().filter_map(|change| match change {
        TimerChange::Set(ReplicaTimer::Pace, pause) => Some(pause.start.as_micros() as u64),
        _ => None,
    });
    pauses.collect()
}

fn pass(replica: &mut Replica<Journal>) -> Fx {
    let mut fx = Fx::new();
    replica.on_timer(ReplicaTimer::Pace, &mut fx);
    fx
}

#[test]
fn after_each_chunk_there_is_a_pause_whoever_it_is_for() {
    let mut replicas = [slow(), slow()];
    let begun = [
        step_from(node(9), &mut replicas[0], ask(0, None, 0)),
        step_from(ARCHIVE, &mut replicas[1], wanted(3)),
    ];
    for (replica, mut fx) in replicas.iter_mut().zip(begun) {
        for number in 0..2 {
            let chunks = [sent(&fx), kept(&fx)].concat();
            assert_eq!(chunks.len(), 1);
            assert_eq!(chunks[0].number, number);
            assert_eq!(pause_bytes(&fx), [chunks[0].bytes.len() as u64]);
            fx = pass(replica);
        }
        assert_eq!(
            [sent(&fx), kept(&fx)].concat(),
            [],
            "as many as the window allows are under way"
        );
    }
}

#[test]
fn a_reader_that_asks_within_a_pause_has_its_chunk_after_it() {
    let mut replica = slow();
    step_from(node(9), &mut replica, ask(0, None, 0));
    let fx = step_from(node(9), &mut replica, ask(0, Some(3), 1));
    assert_eq!(sent(&fx), []);
    assert!(matches!(fx.timers[..], [TimerChange::Set(ReplicaTimer::Lease, _)]));
    assert_eq!(sent(&pass(&mut replica))[0].number, 1);
}

/// The log grows by twice what is executed, and is not cut before the end of a snapshot.
#[test]
fn a_snapshot_is_faster_than_the_log_grows() {
    let mut replica = slow();
    let first = sent(&step_from(node(9), &mut replica, ask(0, None, 0)));
    let long = value(7, 0, "a command of about a quarter of the size of a chunk");
    assert!(4 * long.size_bytes() >= first[0].bytes.len());
    let fx = step(&mut replica, chosen(3, long));
    assert_eq!(sent(&fx)[0].number, 1);
}

#[test]
fn a_pause_that_outlives_its_view_does_nothing() {
    let mut replica = slow();
    step_from(node(9), &mut replica, ask(0, None, 0));
    replica.on_timer(ReplicaTimer::Lease, &mut Fx::new());
    assert!(pass(&mut replica).is_empty());
}

/// A page of two values for a replica that lacks all below `chosen`, when so many more were chosen meanwhile.
fn page(replica: &mut Replica<Journal>, first: u64, chosen: u64) -> Fx {
    step(replica, chosen_watermark(chosen));
    let values = vec![value(7, first, "a"), value(7, first + 1, "b")];
    step_from(node(3), replica, FetchB { first: Slot(first), values })
}

fn fetch_pauses(fx: &Fx) -> Vec<u64> {
    let pauses = fx.timers.iter().filter_map(|change| match change {
        TimerChange::Set(ReplicaTimer::Fetch, pause) => Some(pause.start.as_micros() as u64),
        _ => None,
    });
    pauses.collect()
}

fn is_asking(fx: &Fx) -> bool {
    fx.sends.iter().any(|(_, message)| matches!(message, FromReplica::FetchA(_)))
}

#[test]
fn one_that_joins_makes_a_pause_after_each_page() {
    let mut replica = replica();
    replica.options.bytes_per_second = RATE;
    page(&mut replica, 0, 100);
    let fx = page(&mut replica, 2, 101);
    let size_bytes = value(7, 2, "a").size_bytes() as u64;
    assert_eq!((is_asking(&fx), fetch_pauses(&fx)), (false, vec![2 * (512 + size_bytes)]));
    let mut fx = Fx::new();
    replica.on_timer(ReplicaTimer::Fetch, &mut fx);
    assert!(is_asking(&fx), "after the pause it goes on");
}

#[test]
fn one_that_joins_makes_no_pause_while_the_log_grows_by_half_of_what_it_takes() {
    let mut replica = replica();
    replica.options.bytes_per_second = RATE;
    page(&mut replica, 0, 100);
    assert!(is_asking(&page(&mut replica, 2, 102)));
}

#[test]
fn a_member_makes_no_pause() {
    let mut replica = replica();
    replica.options.bytes_per_second = RATE;
    replica.surroundings.archive = node(3);
    page(&mut replica, 0, 100);
    let values = vec![value(7, 2, "a"), value(7, 3, "b")];
    let fx = step_from(node(4), &mut replica, FetchB { first: Slot(2), values });
    assert!(is_asking(&fx));
}
