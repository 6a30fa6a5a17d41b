//! What an operator types, and sees.

use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use kvs::admin::{LeaderlessStatus, Status};

use crate::client::{Client, Reply};
use crate::harness::{Cluster, eventually};

fn text(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}{stderr}");
    stdout.into_owned()
}

#[test]
fn acceptors_are_replaced_a_hundred_times_under_load_and_no_command_fails() {
    let cluster = Cluster::colocated();
    let pools = ["a1", "a2", "a3", "a4", "a5", "a6"];
    let stop = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let loads: Vec<_> = cluster
            .servers()
            .into_iter()
            .map(|name| {
                let mut client = cluster.client(&name);
                scope.spawn(move || {
                    let mut count = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let reply = client.command(&["INCR", &name]).expect("served");
                        count += 1;
                        assert_eq!(
                            reply,
                            Reply::Integer(count),
                            "each command has its effect once"
                        );
                    }
                    (name, count)
                })
            })
            .collect();
        let mut operator = cluster.client("n2");
        let mut history_max = 0;
        for step in 0..100usize {
            let chosen = [0, 2, 3].map(|offset| pools[(step * 5 + offset) % pools.len()]);
            let [a, b, c] = chosen;
            let reply = operator.command(&["KVS.RECONFIGURE", a, b, c]).expect("served");
            let report: kvs::admin::ReconfigureReport =
                serde_json::from_str(reply.text()).unwrap_or_else(|_| panic!("{reply:?}"));
            let mut expected = chosen.to_vec();
            expected.sort_unstable();
            let mut active = report.acceptors;
            active.sort_unstable();
            assert_eq!(active, expected);
            history_max = history_max.max(report.history_count);
            let version = report.version.to_string();
            let reply = operator.command(&["KVS.COLLECTED", &version]).expect("served");
            let collected: kvs::admin::CollectedReport =
                serde_json::from_str(reply.text()).unwrap_or_else(|_| panic!("{reply:?}"));
            assert_eq!(collected.collected_watermark, report.round);
        }
        assert!(history_max <= 2, "{history_max} earlier configurations at once");
        stop.store(true, Ordering::Relaxed);
        for load in loads {
            let (name, count) = load.join().expect("no wrong reply");
            assert!(count > 0);
            let reply = cluster.client("n3").command(&["GET", &name]).expect("served");
            assert_eq!(reply, Reply::Bulk(Some(count.to_string())));
        }
    });
    let status = cluster.status("n1");
    assert_eq!((status.uncollected, status.process.violations), (0, 0));
}

#[test]
fn matchmakers_are_replaced_and_the_old_ones_are_not_needed_any_more() {
    let cluster = Cluster::spread();
    let config = cluster.config();
    let config = config.to_str().expect("a text path");
    let directory = config.strip_suffix("cluster.toml").expect("inside").as_ref();
    let handover = |nodes| {
        let arguments = ["handover", "--config", config, "--matchmakers", nodes, "--json"];
        let output = text(&Cluster::kvs(&arguments, directory));
        let report: kvs::admin::HandoverReport = serde_json::from_str(&output).expect("JSON");
        (report.matchmakers, report.epoch, report.retirable)
    };
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let first = handover("a1,m3,r3");
    assert_eq!(first, (names(&["m3", "a1", "r3"]), 1, names(&["m1", "m2"])));
    let second = handover("a1,a2,r3");
    assert_eq!(second, (names(&["a1", "a2", "r3"]), 2, names(&["m3"])));
    for name in ["m1", "m2", "m3"] {
        cluster.kill(name);
    }
    // A new leader needs matchmakers; one that stays needs them for its next acceptors.
    let leader = cluster.status("r1").leader;
    cluster.kill(&leader);
    cluster.wait_until_serving();
    let output = Cluster::kvs(&["status", "--config", config], directory);
    assert!(text(&output).contains("matchmakers   a1 a2 r3  (epoch 2)"), "{output:?}");
    let all_gone = ["handover", "--config", config, "--matchmakers", "m1,m2,a3"];
    let refused = Cluster::kvs(&all_gone, directory);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && error.contains("m1 m2 do not answer"), "{error}");
}

#[test]
fn without_a_leader_each_node_says_whom_it_misses() {
    let cluster = Cluster::colocated();
    let config = cluster.config();
    let config = config.to_str().expect("a text path");
    let directory = config.strip_suffix("cluster.toml").expect("inside").as_ref();
    for name in ["n1", "n3"] {
        cluster.kill(name);
    }
    // The last node stands alone, between two that cannot be asked.
    for arguments in [
        &["status", "--config", config][..],
        &["reconfigure", "--config", config, "--acceptors", "a2,a5"],
    ] {
        let said = eventually("the leader is gone", || {
            let output = Cluster::kvs(arguments, directory);
            (!output.status.success()).then_some(output)
        });
        let shown = String::from_utf8_lossy(&said.stdout);
        let error = String::from_utf8_lossy(&said.stderr);
        assert!(shown.contains("n2: no leader answered within 2000 ms"), "{shown}{error}");
        assert!(shown.contains("last heard    n"), "{shown}");
        let missing = "MISSING       n1  (proposer, matchmaker, replica; acceptors a1, a4)";
        assert!(shown.contains(missing) && shown.contains("MISSING       n3"), "{shown}");
        assert!(error.contains("no leader answers n2; and"), "{error}");
        assert_eq!(error.matches("cannot ask the node at").count(), 2, "{error}");
    }
    let json = Cluster::kvs(&["status", "--json", "--config", config], directory);
    let status: LeaderlessStatus = serde_json::from_slice(&json.stdout).expect("JSON");
    assert!(!json.status.success() && status.asked == "n2");
    assert!(status.peers.values().all(|peer| !peer.is_connected));
    cluster.launch("n1");
    cluster.wait_until_serving();
    assert!(text(&Cluster::kvs(&["status", "--config", config], directory)).contains("leader"));
}

#[test]
fn a_reader_that_has_enough_ends_the_program_quietly() {
    let cluster = Cluster::colocated();
    let config = cluster.config();
    let config = config.to_str().expect("a text path");
    let out = config.replace("cluster.toml", "other.toml");
    for arguments in [
        &["status", "--config", config][..],
        &["status", "--json", "--config", config],
        &["reconfigure", "--config", config, "--acceptors", "a1,a2,a3"],
        &["init", "--out", &out],
        &["serve", "--config", config, "--node", "nobody"],
    ] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_kvs"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        drop(program.stdout.take());
        let output = program.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        assert!(output.status.success() == (arguments[0] != "serve"), "{arguments:?}: {said}");
    }
}

#[test]
fn status_and_reconfigure_tell_what_they_did() {
    let cluster = Cluster::colocated();
    let config = cluster.config();
    let config = config.to_str().expect("a text path");
    let directory = config.strip_suffix("cluster.toml").expect("inside").as_ref();
    let before = text(&Cluster::kvs(&["status", "--config", config], directory));
    assert!(before.contains("leader        n"), "{before}");
    assert!(before.contains("a1 a2 a3") || before.contains("a1 a3 a2"), "{before}");
    let arguments = ["reconfigure", "--config", config, "--acceptors", "a4,a5,a6"];
    let done = text(&Cluster::kvs(&arguments, directory));
    assert!(done.contains("active        a4 a5 a6 vote in round"), "{done}");
    assert!(!done.contains("warning"), "{done}");
    assert!(done.contains("collected     rounds below"), "{done}");
    assert!(done.contains("a1 a2 a3: may be switched off now"), "{done}");
    let json = text(&Cluster::kvs(&["status", "--json", "--config", config], directory));
    let status: Status = serde_json::from_str(&json).expect("JSON");
    assert_eq!((status.acceptors.join(" "), status.uncollected), ("a4 a5 a6".into(), 0));
    assert_eq!(status.replicas.len(), 3);
    let quorums = ["reconfigure", "--config", config, "--acceptors", "a1,a2", "--quorum"];
    let done = text(&Cluster::kvs(&[&quorums[..], &["write-all"]].concat(), directory));
    assert!(done.contains("active        a1 a2 vote"), "{done}");
    assert!(done.contains("warning       no failure is tolerated"), "{done}");
    let after = text(&Cluster::kvs(&["status", "--config", config], directory));
    assert!(after.contains("write-all, tolerates NO failure)"), "{after}");
    let repeated = ["reconfigure", "--config", config, "--acceptors", "a1,a2,a1"];
    let refused = Cluster::kvs(&repeated, directory);
    let reason = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && reason.contains("`a1` is named twice"), "{reason}");
    let refused = Cluster::kvs(&[&quorums[..], &["grid:7"]].concat(), directory);
    let reason = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && reason.contains("7 columns"), "{reason}");
    let arguments = ["reconfigure", "--config", config, "--acceptors", "a9"];
    let refused = Cluster::kvs(&arguments, directory);
    let reason = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(reason.contains("no acceptor `a9`; there are a1, a2, a3, a4, a5, a6"), "{reason}");
    let mut client: Client = cluster.client("n1");
    assert_eq!(client.command(&["PING"]).expect("served"), Reply::Simple("PONG".into()));
}

/// Acceptors a3 and a6 are on n3.
#[test]
fn acceptors_that_do_not_answer_are_not_used() {
    let cluster = Cluster::colocated();
    cluster.kill("n3");
    let config = cluster.config();
    let config = config.to_str().expect("a text path");
    let directory = config.strip_suffix("cluster.toml").expect("inside").as_ref();
    let arguments = ["reconfigure", "--config", config, "--acceptors", "a3,a6,a1"];
    let refused = Cluster::kvs(&arguments, directory);
    let reason = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "{reason}");
    assert!(reason.contains("a3 a6 do not answer") && reason.contains("start them"), "{reason}");
    let mut client: Client = cluster.client("n1");
    assert_eq!(client.command(&["SET", "k", "v"]).expect("served"), Reply::Simple("OK".into()));
    let arguments = ["reconfigure", "--config", config, "--acceptors", "a1,a2,a4"];
    let done = text(&Cluster::kvs(&arguments, directory));
    assert!(done.contains(" vote in round") && done.contains("may be switched off"), "{done}");
}
