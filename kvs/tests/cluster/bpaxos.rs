//! The same server with BPaxos: what it survives, and what it tells its operator.

use std::process::Output;

use kvs::bpaxos::{BpaxosCollected, BpaxosReconfigured, BpaxosStatus, DependencyReport};
use kvs::deployment::Protocol;

use crate::client::{Client, Reply};
use crate::faults::{kill_all_twice, kill_each};
use crate::harness::{Cluster, eventually};
use crate::workload::{Workload, assert_linearizable, read_all};

/// Operations between two events.
const BETWEEN: u64 = 150;

fn status(client: &mut Client) -> BpaxosStatus {
    let reply = client.command(&["KVS.STATUS"]).expect("served");
    serde_json::from_str(reply.text()).unwrap_or_else(|_| panic!("{reply:?}"))
}

fn run(cluster: &Cluster, arguments: &[&str]) -> Output {
    let config = cluster.config();
    let arguments = [arguments, &["--config", config.to_str().expect("text")]].concat();
    Cluster::kvs(&arguments, config.parent().expect("a directory"))
}

fn run_bare(cluster: &Cluster, arguments: &[&str]) -> Output {
    Cluster::kvs(arguments, cluster.config().parent().expect("a directory"))
}

fn succeeds(cluster: &Cluster, arguments: &[&str]) -> String {
    let output = run(cluster, arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn any_process_may_be_killed_while_acceptors_are_replaced() {
    let cluster = Cluster::bpaxos();
    let workload = Workload::default();
    let mut history = std::thread::scope(|scope| {
        let running = workload.start(&cluster, scope);
        let moves = [["a1", "a5", "a3"], ["a4", "a2", "a6"], ["a1", "a2", "a6"]];
        for (victim, acceptors) in ["n1", "n2", "n3"].into_iter().zip(moves) {
            let survivor = if victim == "n1" { "n2" } else { "n1" };
            let command = [&["KVS.RECONFIGURE"][..], &acceptors[..]].concat();
            let reply = cluster.client(survivor).command(&command).expect("served");
            let report: BpaxosReconfigured =
                serde_json::from_str(reply.text()).unwrap_or_else(|_| panic!("{reply:?}"));
            assert_eq!(report.columns.len(), 3, "{report:?}");
            running.wait_for(BETWEEN);
            cluster.kill(victim);
            running.wait_for(BETWEEN);
            cluster.launch(victim);
            cluster.wait_until_serving();
        }
        running.finish()
    });
    read_all(&cluster, &workload, &mut history);
    assert_linearizable(&history);
}

#[test]
fn a_process_of_each_role_may_be_killed() {
    let cluster = Cluster::spread_bpaxos();
    let history = kill_each(&cluster, &["p1", "m1", "a1", "d1", "r1"]);
    assert_linearizable(&history);
}

#[test]
fn when_all_processes_are_killed_everything_acknowledged_is_there_after_the_restart() {
    let cluster = Cluster::bpaxos();
    assert_linearizable(&kill_all_twice(&cluster));
}

/// One connection finds its commands done in its order, though replicas may execute others in another.
#[test]
fn a_pipeline_is_done_in_its_order() {
    let cluster = Cluster::bpaxos();
    let mut client = cluster.client("n2");
    let mut bytes = Vec::new();
    for number in 0..200 {
        let text = format!("SET k {number}\r\nINCR k\r\nGET k\r\nSET other {number}\r\nDBSIZE\r\n");
        bytes.extend_from_slice(text.as_bytes());
    }
    client.send(&bytes).expect("sent");
    for number in 0..200 {
        let mut reply = || client.reply().expect("a reply");
        assert_eq!(reply(), Reply::Simple("OK".into()));
        assert_eq!(reply(), Reply::Integer(number + 1));
        assert_eq!(reply(), Reply::Bulk(Some((number + 1).to_string())));
        assert_eq!(reply(), Reply::Simple("OK".into()));
        // One key is of the harness.
        assert_eq!(reply(), Reply::Integer(3));
    }
}

/// Whoever is asked, a key that was set somewhere is gone everywhere once its time is over.
#[test]
fn keys_expire_at_every_server() {
    let cluster = Cluster::bpaxos();
    let mut clients = ["n1", "n2", "n3"].map(|name| cluster.client(name));
    let set = clients[0].command(&["SET", "k", "v", "PX", "200"]).expect("served");
    assert_eq!(set, Reply::Simple("OK".into()));
    for client in &mut clients {
        eventually("the key is gone", || {
            let reply = client.command(&["GET", "k"]).expect("served");
            (reply == Reply::Bulk(None)).then_some(())
        });
        assert_eq!(client.command(&["PTTL", "k"]).expect("served"), Reply::Integer(-2));
    }
}

#[test]
fn a_directory_keeps_its_protocol() {
    let cluster = Cluster::bpaxos();
    cluster.client("n1").command(&["SET", "k", "v"]).expect("served");
    cluster.kill_all();
    let data = cluster.data("n1");
    let recovered = run_bare(&cluster, &["recover", "--from", data.to_str().expect("text")]);
    let said = String::from_utf8_lossy(&recovered.stderr).into_owned();
    assert!(said.contains("with the protocol bpaxos makes no backup"), "{said}");
    let file = cluster.file.clone().with_protocol(Protocol::Matchmaker);
    std::fs::write(cluster.config(), file.to_toml()).expect("written");
    let refused = run(&cluster, &["serve", "--node", "n1"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "{said}");
    let expected = "founded with the protocol bpaxos, and is started with matchmaker";
    assert!(said.contains(expected) && said.contains("n1: this cluster"), "{said}");
    std::fs::write(cluster.config(), cluster.file.to_toml()).expect("written");
    for name in ["n1", "n2", "n3"] {
        cluster.launch(name);
    }
    cluster.wait_until_serving();
    let reply = cluster.client("n3").command(&["GET", "k"]).expect("served");
    assert_eq!(reply, Reply::Bulk(Some("v".into())));
}

#[test]
fn operators_see_columns_and_move_acceptors_and_dependency_nodes() {
    let cluster = Cluster::bpaxos();
    let mut client = cluster.client("n1");
    let shown = eventually("every column is led", || {
        let status = status(&mut client);
        status.columns.values().all(Option::is_some).then_some(status)
    });
    assert_eq!((shown.protocol.as_str(), shown.dependency_epoch), ("bpaxos", 0));
    assert_eq!((shown.columns.len(), shown.replicas.len()), (3, 3));
    assert_eq!(shown.dependency_nodes, ["n1", "n2", "n3"]);
    let info = client.command(&["INFO", "replication"]).expect("served");
    assert!(info.text().contains("protocol:bpaxos\r\ncolumns:3\r\n"), "{info:?}");
    let table = succeeds(&cluster, &["status"]);
    assert!(
        table.contains("protocol      bpaxos") && table.contains("n1            n1"),
        "{table}"
    );

    let done = succeeds(&cluster, &["reconfigure", "--acceptors", "a4,a5,a6"]);
    assert!(done.contains("a4 a5 a6 vote in the column of n2"), "{done}");
    assert!(done.contains("a1 a2 a3: may be switched off now"), "{done}");
    let json = succeeds(&cluster, &["reconfigure", "--json", "--acceptors", "a1,a2,a3"]);
    let lines: Vec<&str> = json.lines().collect();
    let report: BpaxosReconfigured = serde_json::from_str(lines[0]).expect("JSON");
    assert!(report.tolerates_failure && report.columns.len() == 3);
    let report: BpaxosCollected = serde_json::from_str(lines[1]).expect("JSON");
    assert_eq!(report.retirable, ["a4", "a5", "a6"]);

    let done = succeeds(&cluster, &["handover", "--dependencies", "n1,n2"]);
    assert!(done.contains("n1 n2 tell what conflicts (epoch 1)"), "{done}");
    assert!(done.contains("warning       no failure is tolerated"), "{done}");
    let json = succeeds(&cluster, &["handover", "--json", "--dependencies", "n1,n2,n3"]);
    let report: DependencyReport = serde_json::from_str(&json).expect("JSON");
    assert_eq!((report.epoch, report.tolerates_failure), (2, true));
    assert_eq!(client.command(&["SET", "k", "v"]).expect("served"), Reply::Simple("OK".into()));
    assert_eq!(status(&mut client).dependency_epoch, 2);
}

/// A column whose owner is gone moves as well, and the status says who is missing.
#[test]
fn a_dead_proposer_keeps_no_acceptors_in_use() {
    let cluster = Cluster::bpaxos();
    cluster.kill("n3");
    let mut client = cluster.client("n1");
    let reply = client.command(&["KVS.RECONFIGURE", "a1", "a2", "a4"]).expect("served");
    let report: BpaxosReconfigured =
        serde_json::from_str(reply.text()).unwrap_or_else(|_| panic!("{reply:?}"));
    assert_eq!(report.columns.len(), 3);
    let shown = status(&mut client);
    assert!(shown.replicas["n3"].is_none() && shown.proposers["n3"].is_none());
    assert_ne!(shown.columns["n3"].as_ref().expect("taken over").leader, "n3");
    let table = succeeds(&cluster, &["status"]);
    assert!(table.contains("n3            DOES NOT ANSWER"), "{table}");
}

#[test]
fn what_is_not_there_is_refused_with_the_cause_and_the_cure() {
    let cluster = Cluster::bpaxos();
    let mut client = cluster.client("n1");
    for command in [
        &["KVS.ADD", "n4"][..],
        &["KVS.REPLACE", "n1", "n4"],
        &["KVS.REMOVE", "n1"],
        &["KVS.MOVE", "n1", "127.0.0.1:1"],
        &["KVS.TRANSFER", "n1"],
        &["KVS.DRAIN"],
        &["KVS.BACKUP"],
    ] {
        let reply = client.command(command).expect("served");
        let expected = format!("ERR {} is not there with the protocol bpaxos: ", command[0]);
        assert!(reply.text().starts_with(&expected), "{reply:?}");
        assert!(reply.text().contains("; "), "no cure: {reply:?}");
    }
    for (command, expected) in [
        (&["KVS.RECONFIGURE", "a9"][..], "no acceptor `a9`; there are a1, a2"),
        (&["KVS.RECONFIGURE", "a1", "a1"], "`a1` is named twice"),
        (&["KVS.RECONFIGURE", "a1", "a2", "grid:7"], "7 columns"),
        (&["KVS.COLLECTED", "77"], "nobody waits"),
        (&["KVS.DEPENDENCIES", "n9"], "no node `n9`"),
        (&["KVS.DEPENDENCIES", "n1", "n1"], "`n1` is named twice"),
        (&["KVS.MATCHMAKERS", "n9"], "no node `n9`"),
        (&["KVS.NONSENSE"], "usage: KVS.STATUS"),
        (&["KVS.STATUS", "more"], "usage: KVS.STATUS"),
    ] {
        let reply = client.command(command).expect("served");
        assert!(reply.text().contains(expected), "{reply:?}");
    }
    let output = run(&cluster, &["add", "n4"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("is not there with"), "{said}");
    assert_eq!(client.command(&["SET", "k", "v"]).expect("served"), Reply::Simple("OK".into()));
}

#[test]
fn the_matchmakers_of_all_columns_are_replaced() {
    let cluster = Cluster::bpaxos();
    let mut clients = ["n1", "n2", "n3"].map(|node| cluster.client(node));
    for (round, matchmakers) in ["n1", "n1,n2,n3"].into_iter().enumerate() {
        for (index, client) in clients.iter_mut().enumerate() {
            let key = format!("k{round}.{index}");
            let reply = client.command(&["SET", &key, "v"]).expect("served");
            assert_eq!(reply, Reply::Simple("OK".into()));
        }
        let output = run(&cluster, &["handover", "--matchmakers", matchmakers]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let expected =
            format!("{} are the matchmakers of all columns", matchmakers.replace(',', " "));
        assert!(output.status.success() && said.contains(&expected), "{said} {output:?}");
    }
    // The columns are taken over at the new ones.
    cluster.kill("n3");
    for key in ["k0.2", "k1.2"] {
        assert_eq!(clients[0].command(&["GET", key]).expect("served").text(), "v");
    }
}

/// Nothing hangs: without a majority a write may or may not have an effect, and a read has none.
#[test]
fn without_a_majority_every_command_is_answered() {
    let cluster = Cluster::bpaxos();
    let mut client = cluster.client("n1");
    assert_eq!(client.command(&["SET", "k", "1"]).expect("served"), Reply::Simple("OK".into()));
    cluster.kill("n2");
    cluster.kill("n3");
    let read = client.command(&["GET", "k"]).expect("answered");
    assert!(read.text().starts_with("CLUSTERDOWN"), "{read:?}");
    let write = client.command(&["INCR", "k"]).expect("answered");
    assert!(write.text().starts_with("AMBIGUOUS"), "{write:?}");
    let table = succeeds(&cluster, &["status"]);
    assert!(table.contains("n2            DOES NOT ANSWER"), "{table}");
    let refused = client.command(&["KVS.RECONFIGURE", "a1", "a4"]).expect("answered");
    assert!(refused.text().contains("not every column has moved in time"), "{refused:?}");
    let refused = client.command(&["KVS.DEPENDENCIES", "n1"]).expect("answered");
    assert!(refused.text().contains("has not moved in time"), "{refused:?}");
    cluster.launch("n2");
    cluster.launch("n3");
    cluster.wait_until_serving();
    let reply = eventually("the write is decided", || {
        let reply = cluster.client("n3").command(&["GET", "k"]).expect("served");
        matches!(reply.text(), "1" | "2").then_some(reply)
    });
    assert!(matches!(reply, Reply::Bulk(Some(_))), "{reply:?}");
}
