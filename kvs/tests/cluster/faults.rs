//! Crashes under load, with reconfigurations: what was acknowledged is there, service goes on, and
//! the history of all clients is linearizable.

use simulator::checker::specifications::{StringKey, StringKeyInput, StringKeyReply};
use simulator::checker::{Outcome, Timestamp, Verdict, check};

use crate::harness::Cluster;
use crate::workload::{KeyHistory, Workload, assert_linearizable, read_all};

/// Operations between two events.
const BETWEEN: u64 = 150;

/// The process that leads.
fn leader(cluster: &Cluster) -> String {
    cluster.status(&cluster.servers()[0]).leader
}

/// Kills and restarts `victims`, one after the other, under load.
pub(crate) fn kill_each(cluster: &Cluster, victims: &[&str]) -> KeyHistory {
    let workload = Workload::default();
    let mut history = std::thread::scope(|scope| {
        let running = workload.start(cluster, scope);
        for victim in victims {
            running.wait_for(BETWEEN);
            cluster.kill(victim);
            running.wait_for(BETWEEN);
            cluster.launch(victim);
            cluster.wait_until_serving();
        }
        running.wait_for(BETWEEN);
        running.finish()
    });
    read_all(cluster, &workload, &mut history);
    history
}

#[test]
fn any_process_may_be_killed_while_acceptors_are_replaced() {
    let cluster = Cluster::colocated();
    let workload = Workload::default();
    let mut history = std::thread::scope(|scope| {
        let running = workload.start(&cluster, scope);
        for (round, victim) in ["leader", "n1", "n2", "n3", "leader"].into_iter().enumerate() {
            // One acceptor of each process, so that one process may fail.
            let pick = |bit: usize, names: [&'static str; 2]| names[(round >> bit) & 1];
            let acceptors = [pick(0, ["a1", "a4"]), pick(1, ["a2", "a5"]), pick(2, ["a3", "a6"])];
            let command = [&["KVS.RECONFIGURE"][..], &acceptors[..]].concat();
            let survivor = if victim == "n1" { "n2" } else { "n1" };
            let reply = cluster.client(survivor).command(&command).expect("served");
            assert!(reply.text().contains("active_after_us"), "{reply:?}");
            let victim = if victim == "leader" { leader(&cluster) } else { victim.into() };
            running.wait_for(BETWEEN);
            cluster.kill(&victim);
            running.wait_for(BETWEEN);
            cluster.launch(&victim);
            cluster.wait_until_serving();
        }
        running.finish()
    });
    read_all(&cluster, &workload, &mut history);
    assert_linearizable(&history);
}

#[test]
fn a_process_of_each_role_may_be_killed() {
    let cluster = Cluster::spread();
    let leader = leader(&cluster);
    let history = kill_each(&cluster, &[leader.as_str(), "m1", "a1", "r1"]);
    assert_linearizable(&history);
}

/// Kills and restarts all processes at once, under load.
pub(crate) fn kill_all_twice(cluster: &Cluster) -> KeyHistory {
    let workload = Workload::default();
    let mut history = std::thread::scope(|scope| {
        let running = workload.start(cluster, scope);
        for _ in 0..2 {
            running.wait_for(BETWEEN);
            cluster.kill_all();
            for name in ["n1", "n2", "n3"] {
                cluster.launch(name);
            }
            cluster.wait_until_serving();
        }
        running.wait_for(BETWEEN);
        running.finish()
    });
    read_all(cluster, &workload, &mut history);
    history
}

#[test]
fn when_all_processes_are_killed_everything_acknowledged_is_there_after_the_restart() {
    assert_linearizable(&kill_all_twice(&Cluster::colocated()));
}

#[test]
fn the_checker_refuses_a_recorded_history_with_one_lie() {
    let cluster = Cluster::colocated();
    let workload = Workload::default();
    let mut history = std::thread::scope(|scope| {
        let running = workload.start(&cluster, scope);
        running.wait_for(BETWEEN);
        running.finish()
    });
    read_all(&cluster, &workload, &mut history);
    assert_linearizable(&history);
    // A read at the end that misses the last acknowledged write.
    let mut forged = KeyHistory::new();
    let last = history.operations().len() - 1;
    for (index, operation) in history.operations().iter().enumerate() {
        let mut operation = operation.clone();
        if index == last {
            assert_eq!(operation.input, StringKeyInput::Get);
            let reply = StringKeyReply::Value(Some("never written".into()));
            let end = match operation.outcome {
                Outcome::Returned { end, .. } => end,
                Outcome::Failed | Outcome::Unknown => Timestamp(u64::MAX),
            };
            operation.outcome = Outcome::Returned { reply, end };
        }
        forged.push(operation).expect("the times are as recorded");
    }
    assert!(matches!(check(&StringKey, &forged), Verdict::Violation(_)));
}
