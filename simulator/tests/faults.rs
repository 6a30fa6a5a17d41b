//! What faults do to a run, as its trace tells.

use std::collections::BTreeMap;

use simulator::plan::{Fault, Plan, ProtocolName, Reduction};
use simulator::swarm::trace_seed;
use simulator::trace::{Kind, Sent, Step, Trace};

fn traces() -> impl Iterator<Item = (u64, Trace)> {
    traces_of(0..24)
}

fn traces_of(seeds: impl Iterator<Item = u64>) -> impl Iterator<Item = (u64, Trace)> {
    let reduction = Reduction { clients: Some(2), ..Reduction::default() };
    seeds.filter_map(move |seed| {
        Some((seed, trace_seed(ProtocolName::Matchmaker, seed, &reduction, None, false).1?))
    })
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

/// Its message is late, and another life of the process is there when it arrives.
#[test]
fn a_message_outlives_the_process_of_its_session() {
    let mut outlived_count = 0;
    let has_straggler = |seed: &u64| {
        let mut faults = Plan::draw(*seed).faults.into_iter();
        faults.any(|fault| matches!(fault.what, Fault::Straggler { .. }))
    };
    for (seed, trace) in traces_of((0..60).filter(has_straggler)) {
        let notes = trace.steps.iter().filter_map(|(at, step)| match step {
            Step::Note(Some(process), kind, text) => Some((*at, *process, kind, text)),
            _ => None,
        });
        let notes: Vec<_> = notes.collect();
        for (at, process, ..) in
            notes.iter().filter(|(.., text)| text.contains("before its message"))
        {
            let died = notes.iter().any(|(other_at, other, kind, _)| {
                (*at..at + 1000).contains(other_at) && other == process && **kind == Kind::Crash
            });
            assert!(died, "seed {seed}: p{process} lives on at {at}");
            let is_late = |sent: &&Sent| {
                let after_us = sent.arrives[0].map_or(0, |arrival| arrival - sent.at);
                sent.at == *at && after_us >= 20 * 1000
            };
            outlived_count += usize::from(trace.messages.iter().any(|sent| is_late(&sent)));
        }
    }
    assert!(outlived_count > 3, "{outlived_count} messages");
}
