//! The real Redis tools, unchanged, against a real cluster. Skipped where they are not installed.

use std::io::ErrorKind;
use std::process::{Command, Output};

use crate::harness::Cluster;

fn run(program: &str, cluster: &Cluster, node: &str, arguments: &[&str]) -> Option<Output> {
    let port = cluster.address(node).port().to_string();
    match Command::new(program).args(["-p", &port]).args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped: {program} is not installed");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

#[test]
fn redis_benchmark_runs_without_an_error_with_and_without_pipelining() {
    [Cluster::colocated, Cluster::bpaxos].into_iter().for_each(|start| benchmark(&start()));
}

fn benchmark(cluster: &Cluster) {
    for (node, depth) in [("n1", "1"), ("n2", "16"), ("n3", "1")] {
        let load = ["-t", "ping,set,get,incr,mset", "-n", "3000", "-c", "50", "-P", depth, "-q"];
        let Some(output) = run("redis-benchmark", cluster, node, &load) else { return };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}{complained}");
        assert!(!said.contains("ERR") && complained.is_empty(), "{said}{complained}");
        for test in ["PING_INLINE", "SET", "GET", "INCR", "MSET (10 keys)"] {
            assert!(said.contains(&format!("{test}: ")), "{test} is missing: {said}");
        }
    }
}

#[test]
fn redis_cli_reads_at_one_node_what_it_wrote_at_another() {
    [Cluster::colocated, Cluster::bpaxos].into_iter().for_each(|start| write_and_read(&start()));
}

fn write_and_read(cluster: &Cluster) {
    for (node, arguments, expected) in [
        ("n1", &["SET", "greeting", "hello"][..], "OK\n"),
        ("n2", &["GET", "greeting"], "hello\n"),
        ("n3", &["-3", "HELLO", "3"], "server redis"),
        ("n3", &["--scan", "--pattern", "greet*"], "greeting\n"),
        ("n1", &["EXPIRE", "greeting", "100"], "1\n"),
        ("n2", &["EXPIRE", "greeting", "0"], "1\n"),
        ("n3", &["EXISTS", "greeting"], "0\n"),
    ] {
        let Some(output) = run("redis-cli", cluster, node, arguments) else { return };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(expected), "{arguments:?} at {node}: {said}");
    }
}
