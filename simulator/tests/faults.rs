//! What faults do to a run, as its trace tells.

use std::collections::BTreeMap;

use simulator::plan::{Plan, Reduction};
use simulator::swarm::trace_seed;
use simulator::trace::{Kind, Step, Trace};

fn traces() -> impl Iterator<Item = (u64, Trace)> {
    let reduction = Reduction { clients: Some(2), ..Reduction::default() };
    (0..24).filter_map(move |seed| Some((seed, trace_seed(seed, &reduction, None, false).1?)))
}

#[test]
fn a_process_that_stands_still_says_and_writes_nothing() {
    let mut pause_count = 0;
    for (seed, trace) in traces() {
        let mut paused: BTreeMap<usize, u64> = BTreeMap::new();
        let healed_at = Plan::draw(seed).faulty_us;
        for (at, step) in trace.steps.iter().filter(|(at, _)| *at < healed_at) {
            let process = match step {
                Step::Message(number) => trace.places.find(trace.messages[*number].from),
                Step::Record(node, _) => trace.places.find(*node),
                _ => None,
            };
            match step {
                Step::Paused(process, until) => {
                    let before = paused.insert(*process, *until);
                    assert!(
                        before <= Some(*until),
                        "seed {seed}: a pause of p{process} is shortened"
                    );
                    pause_count += 1;
                }
                Step::Note(Some(process), Kind::Crash, _) => {
                    paused.remove(process);
                }
                _ => {}
            }
            if let Some(process) = process.map(|place| place.process) {
                let until = paused.get(&process).copied().unwrap_or(0);
                assert!(*at >= until, "seed {seed}: p{process} stands still and does {step:?}");
            }
        }
    }
    assert!(pause_count > 5, "{pause_count} pauses");
}

#[test]
fn nothing_is_sent_across_a_cut() {
    let mut lost_count = 0;
    for (seed, trace) in traces() {
        let mut cuts: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        let healed_at = Plan::draw(seed).faulty_us;
        for (at, step) in trace.steps.iter().filter(|(at, _)| *at < healed_at) {
            match step {
                Step::Cut { from, to, until } => {
                    let end = cuts.entry((*from, *to)).or_default();
                    *end = (*end).max(*until);
                }
                Step::Message(number) => {
                    let sent = &trace.messages[*number];
                    let place = |node| trace.places.find(node).map(|place| place.process);
                    let (Some(from), Some(to)) = (place(sent.from), place(sent.to)) else {
                        continue;
                    };
                    if cuts.get(&(from, to)).is_some_and(|until| until > at) {
                        assert_eq!(sent.arrives, [None, None], "seed {seed}: {sent:?}");
                        lost_count += 1;
                    }
                }
                _ => {}
            }
        }
    }
    assert!(lost_count > 100, "{lost_count} messages");
}
