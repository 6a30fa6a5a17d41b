//! A cluster that heals itself: nodes die, and nobody looks after them.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kvs::admin::Status;
use kvs::deployment::{ClusterFile, Role};

use crate::client::Reply;
use crate::harness::{Cluster, eventually};

/// Five nodes that lead, execute, and host an acceptor and a matchmaker each; those of the last two are
/// spare.
fn cluster() -> Cluster {
    let mut file = ClusterFile::on_loopback("test", 5, 5, 1).expect("five nodes");
    for node in &mut file.nodes[3..] {
        node.roles.retain(|role| *role != Role::Matchmaker);
    }
    file.healing.enabled = true;
    Cluster::start(file)
}

fn has_in_use(status: &Status, name: &str) -> bool {
    let mut in_use = status.acceptors.iter().chain(&status.matchmakers);
    in_use.any(|other| other == name)
}

/// Waits until nothing of a node is in use, nobody is suspected, and nothing earlier is needed.
fn wait_until_healed(cluster: &Cluster, at: &str, dead: &str) -> Status {
    eventually("the node is replaced", || {
        let status = cluster.status(at);
        let is_healed = !has_in_use(&status, dead) && status.uncollected == 0;
        is_healed.then_some(status)
    })
}

#[test]
fn dead_nodes_are_replaced_by_spares_and_clients_see_no_error() {
    let cluster = cluster();
    let leader = cluster.status("n5").leader;
    let voting = ["n1", "n2", "n3"].into_iter();
    let victims: Vec<&str> = voting.filter(|name| *name != leader).take(2).collect();
    let (stop, count) = (&AtomicBool::new(false), &AtomicU64::new(0));
    std::thread::scope(|scope| {
        let served = ["n1", "n2", "n3", "n4", "n5"].into_iter();
        for name in served.filter(|name| !victims.contains(name)) {
            let mut client = cluster.client(name);
            scope.spawn(move || {
                let mut expected = 0;
                while !stop.load(Ordering::Relaxed) {
                    expected += 1;
                    let reply = client.command(&["INCR", name]).expect("served");
                    assert_eq!(reply, Reply::Integer(expected), "each command takes effect once");
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for victim in &victims {
            let before = count.load(Ordering::Relaxed);
            eventually("commands go on", || {
                (count.load(Ordering::Relaxed) > before + 100).then_some(())
            });
            cluster.kill(victim);
            let status = wait_until_healed(&cluster, "n5", victim);
            assert_eq!((status.acceptors.len(), status.matchmakers.len()), (3, 3));
            assert!(status.tolerates_failure, "{status:?}");
            assert!(status.healing.enabled, "{status:?}");
        }
        stop.store(true, Ordering::Relaxed);
    });
    let status = cluster.status("n5");
    assert!(victims.iter().all(|victim| !has_in_use(&status, victim)), "{status:?}");
    let survivors = ["n1", "n2", "n3", "n4", "n5"].into_iter();
    let survivors = survivors.filter(|name| !victims.contains(name));
    let logs: String =
        survivors.map(|name| fs::read_to_string(cluster.output(name)).expect("its log")).collect();
    let told = logs.lines().filter(|line| line.contains("has taken the place of a member"));
    told.clone().for_each(|line| println!("{line}"));
    for victim in &victims {
        for role in ["acceptor", "matchmaker"] {
            let what = format!("role=\"{role}\" member={victim}");
            assert!(told.clone().any(|line| line.contains(&what)), "{what}: {logs}");
        }
    }
    // Who comes back is a spare: nothing moves to it by itself.
    cluster.launch(victims[0]);
    eventually("the node is spare", || {
        let spares = cluster.status("n5").healing.spares;
        spares.iter().any(|name| name == victims[0]).then_some(())
    });
    assert!(!has_in_use(&cluster.status("n5"), victims[0]));
}
