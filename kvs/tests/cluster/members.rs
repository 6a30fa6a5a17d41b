//! Whole processes come and go: added, replaced, removed, wiped, moved; under load, and used wrongly.

use std::fs;

use kvs::admin::ChangeReport;

use crate::client::Reply;
use crate::harness::{Cluster, eventually};
use crate::workload::{Workload, assert_linearizable, read_all};

/// Operations between two changes.
const BETWEEN: u64 = 200;

/// One step of a change, asked for at the node called `at`.
fn step(cluster: &Cluster, at: &str, command: &[&str]) -> Result<ChangeReport, String> {
    match cluster.client(at).command(command).map_err(|error| error.to_string())? {
        Reply::Bulk(Some(json)) => Ok(serde_json::from_str(&json).expect("a report")),
        Reply::Error(text) => Err(text),
        other => panic!("{other:?} to {command:?}"),
    }
}

/// Steps of a change until it is done, by their names.
fn change(cluster: &Cluster, at: &str, command: &[&str]) -> Vec<String> {
    let mut steps = Vec::new();
    eventually("the change is done", || {
        let report = step(cluster, at, command).ok()?;
        if steps.last() != Some(&report.step) {
            steps.push(report.step);
        }
        report.is_done.then_some(())
    });
    steps
}

/// The same for a node that has just been started to join: it must be heard of first.
fn admit(cluster: &Cluster, at: &str, name: &str, command: &[&str]) -> Vec<String> {
    eventually("the node wants to join", || {
        let refusal = step(cluster, at, &["KVS.REMOVE", name]).expect_err("it is no member");
        (!refusal.contains("there is no node")).then_some(())
    });
    change(cluster, at, command)
}

/// Starts the node called `name`, and has it take the place of `old`.
fn replace(cluster: &Cluster, at: &str, old: &str, name: &str) -> Vec<String> {
    cluster.launch_joiner(name, &[at]);
    admit(cluster, at, name, &["KVS.REPLACE", old, name])
}

#[test]
fn every_machine_is_replaced_under_load_and_nothing_is_lost() {
    let cluster = Cluster::colocated();
    let workload = Workload::default();
    let mut history = std::thread::scope(|scope| {
        let running = workload.start(&cluster, scope);
        for (old, new, at) in [("n1", "n4", "n3"), ("n2", "n5", "n4"), ("n3", "n6", "n5")] {
            running.wait_for(BETWEEN);
            let steps = replace(&cluster, at, old, new);
            for expected in ["admit", "hand over", "switch", "done"] {
                assert!(steps.iter().any(|step| step == expected), "{steps:?}");
            }
            assert!(cluster.wait_for_end(old).success(), "{old} stops by itself");
            fs::remove_dir_all(cluster.data(old)).expect("its directory is not needed");
        }
        running.wait_for(BETWEEN);
        running.finish()
    });
    cluster.forget(&["n1", "n2", "n3"]);
    read_all(&cluster, &workload, &mut history);
    assert_linearizable(&history);
    let status = cluster.status("n4");
    assert_eq!(status.acceptors, ["n4", "n5", "n6"]);
    assert_eq!(status.matchmakers, ["n4", "n5", "n6"]);
    let replicas: Vec<&str> = status.replicas.keys().map(String::as_str).collect();
    assert_eq!(replicas, ["n4", "n5", "n6"]);
    cluster.kill_all();
    for name in ["n4", "n5", "n6"] {
        cluster.launch_joiner(name, &["n1"]);
    }
    let key = "after";
    eventually("those that joined start again without the founders", || {
        let reply = cluster.client("n5").command(&["SET", key, "1"]).ok()?;
        (reply == Reply::Simple("OK".into())).then_some(())
    });
}

#[test]
fn a_node_that_lost_its_disk_takes_its_own_place() {
    let cluster = Cluster::colocated();
    cluster.client("n1").command(&["SET", "kept", "yes"]).expect("served");
    cluster.kill("n2");
    fs::remove_dir_all(cluster.data("n2")).expect("the disk is lost");
    cluster.launch("n2");
    assert!(!cluster.wait_for_end("n2").success());
    let told = fs::read_to_string(cluster.output("n2")).expect("it has said why");
    assert!(told.contains("must not vote in place of the old one"), "{told}");
    fs::remove_dir_all(cluster.data("n2")).expect("nothing is in it");
    cluster.launch_joiner("n2", &["n1", "n3"]);
    let refusal = eventually("it wants to join", || {
        let refusal = step(&cluster, "n3", &["KVS.ADD", "n2"]).err()?;
        refusal.contains("lost its disk").then_some(refusal)
    });
    assert!(refusal.contains("take its own place"), "{refusal}");
    let steps = change(&cluster, "n3", &["KVS.REPLACE", "n2", "n2"]);
    assert_eq!(steps.last().map(String::as_str), Some("done"));
    let reply = eventually("it serves", || {
        cluster.client("n2").command(&["GET", "kept"]).ok().filter(|r| *r != Reply::Bulk(None))
    });
    assert_eq!(reply, Reply::Bulk(Some("yes".into())));
    // It counts again: another one may fail now.
    cluster.kill("n1");
    eventually("two of three serve", || {
        let reply = cluster.client("n2").command(&["SET", "kept", "still"]).ok()?;
        (reply == Reply::Simple("OK".into())).then_some(())
    });
}

#[test]
fn a_change_that_was_left_half_way_is_taken_up_by_anyone() {
    let cluster = Cluster::colocated();
    cluster.launch_joiner("n4", &["n2"]);
    let command = ["KVS.REPLACE", "n1", "n4"];
    let first = eventually("it is admitted", || step(&cluster, "n1", &command).ok());
    assert_eq!(first.step, "admit");
    // Whoever drove it is gone, with the leader's machine, which is the one that goes.
    cluster.kill("n1");
    let steps = change(&cluster, "n3", &command);
    assert_eq!(steps.last().map(String::as_str), Some("done"), "{steps:?}");
    assert_eq!(change(&cluster, "n4", &command), ["done"], "asked again, nothing is done");
    // The machine comes back late, learns that it was removed, and never starts again.
    cluster.launch("n1");
    assert!(cluster.wait_for_end("n1").success());
    cluster.launch("n1");
    assert!(!cluster.wait_for_end("n1").success());
    let told = fs::read_to_string(cluster.output("n1")).expect("it has said why");
    assert!(told.contains("this node was removed from its cluster"), "{told}");
}

#[test]
fn changes_used_wrongly_are_refused_with_cause_and_cure() {
    let cluster = Cluster::colocated();
    let refused = |command: &[&str]| step(&cluster, "n2", command).expect_err("it is not possible");
    for (command, cause) in [
        (&["KVS.ADD", "n9"][..], "`n9` does not want to join: start it"),
        (&["KVS.REPLACE", "n1", "n9"], "`n9` does not want to join: start it"),
        (&["KVS.REPLACE", "n8", "n9"], "there is no node `n8`"),
        (&["KVS.REMOVE", "n9"], "there is no node `n9`; the members are n1, n2, n3"),
        (&["KVS.REMOVE", "n1"], "survive no failure: add a node first, or replace"),
        (&["KVS.TRANSFER", "n9"], "there is no node `n9`"),
        (&["KVS.MOVE", "n9", "127.0.0.1:1"], "there is no node `n9`"),
        (&["KVS.MOVE", "n1", "here"], "`here` of `n1` is no address"),
        (&["KVS.REPLACE", "n1"], "usage"),
    ] {
        let text = refused(command);
        assert!(text.contains(cause), "{command:?}: {text}");
    }
    let before = cluster.status("n1");
    assert_eq!(before.version, 1, "nothing has changed");
    assert_eq!(change(&cluster, "n2", &["KVS.ADD", "n3"]), ["done"], "it is a member already");
    cluster.launch_joiner("n4", &["n1"]);
    let refusal = eventually("it wants to join", || {
        let refusal = step(&cluster, "n2", &["KVS.REMOVE", "n4"]).expect_err("it is no member");
        refusal.contains("just stop it").then_some(refusal)
    });
    assert!(refusal.contains("`n4` is not a member"), "{refusal}");
}

#[test]
fn a_dead_member_cannot_be_made_the_leader_and_can_be_removed() {
    let cluster = Cluster::colocated();
    cluster.launch_joiner("n4", &["n1"]);
    admit(&cluster, "n1", "n4", &["KVS.ADD", "n4"]);
    cluster.kill("n4");
    // At the leader itself as well, which answers every question at once.
    for at in ["n1", "n2", "n3"] {
        let refusal = step(&cluster, at, &["KVS.TRANSFER", "n4"]).expect_err("it is dead");
        assert!(refusal.contains("n4 does not take over"), "{at}: {refusal}");
    }
    let steps = change(&cluster, "n2", &["KVS.REMOVE", "n4"]);
    assert_eq!(steps.last().map(String::as_str), Some("done"));
    let refusal = step(&cluster, "n2", &["KVS.REMOVE", "n4"]).expect_err("it is gone");
    assert!(refusal.contains("there is no node `n4`"), "{refusal}");
}

#[test]
fn an_operator_who_names_only_the_node_that_goes_sees_the_change_to_its_end() {
    let cluster = Cluster::colocated();
    cluster.launch_joiner("n4", &["n2"]);
    let command = ["KVS.REPLACE", "n1", "n4"];
    let first = eventually("it is admitted", || step(&cluster, "n2", &command).ok());
    assert_eq!(first.step, "admit");
    cluster.kill("n4");
    let told = eventually("its absence is noticed", || {
        let report = step(&cluster, "n2", &command).expect("the change waits");
        report.text.contains("is not connected").then_some(report.text)
    });
    assert!(told.contains("start it again, or take the change back: kvs remove n4"), "{told}");
    cluster.launch_joiner("n4", &["n2"]);
    let at = cluster.address("n1").to_string();
    let output = Cluster::kvs(&["replace", "n1", "n4", "--at", &at], &cluster.data("n2"));
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("n4 is a member and n1 is not"), "{told}");
    assert!(cluster.wait_for_end("n1").success());
}

#[test]
fn two_changes_at_once_both_happen() {
    let cluster = Cluster::colocated();
    cluster.launch_joiner("n4", &["n1"]);
    cluster.launch_joiner("n5", &["n1"]);
    std::thread::scope(|scope| {
        for (at, command) in [("n2", ["KVS.REPLACE", "n1", "n4"]), ("n3", ["KVS.ADD", "n5", ""])] {
            let cluster = &cluster;
            scope.spawn(move || {
                let command: Vec<&str> =
                    command.into_iter().filter(|word| !word.is_empty()).collect();
                admit(cluster, at, command[command.len() - 1], &command)
            });
        }
    });
    let status = cluster.status("n5");
    let replicas: Vec<&str> = status.replicas.keys().map(String::as_str).collect();
    assert_eq!(replicas, ["n2", "n3", "n4", "n5"]);
}

#[test]
fn a_leader_that_is_told_to_stop_hands_on_first() {
    let cluster = Cluster::colocated();
    let leader = cluster.status("n3").leader;
    let other = if leader == "n1" { "n2" } else { "n1" };
    let report = step(&cluster, "n3", &["KVS.TRANSFER", other]).expect("it is up");
    assert_eq!((report.is_done, cluster.status("n3").leader), (true, other.to_owned()));
    cluster.terminate(other);
    let told = fs::read_to_string(cluster.output(other)).expect("what it said");
    assert!(!told.contains("nobody takes over"), "{told}");
    let reply = cluster.client("n3").command(&["SET", "a", "1"]).expect("served");
    assert_eq!(reply, Reply::Simple("OK".into()));
}
