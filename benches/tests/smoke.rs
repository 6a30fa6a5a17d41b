//! The program as a whole: short loads, bounded by a number of commands, and what they leave.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use kvs::admin::ClusterAdmin;
use kvs::connection::{self, Options, Server};
use kvs::local::LocalCluster;
use kvs::store::{Store, StoreLimits};
use paxos::runtime::{Candidates, Connections};
use tokio::net::TcpListener;

fn bench(arguments: &[&str], directory: &Path) -> Output {
    let program =
        Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments).current_dir(directory).output();
    program.expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_cluster_in_process_is_loaded_reported_and_compared() {
    let directory = tempfile::tempdir().expect("a directory");
    let arguments = [
        "load",
        "--target",
        "in-process",
        "--data",
        ".",
        "--clients",
        "2,4",
        "--pipeline",
        "2",
        "--read-share",
        "50",
        "--key-count",
        "10",
        "--commands",
        "200",
        "--duration",
        "60s",
        "--json",
        "a.json",
        "--csv",
        "a.csv",
        "--html",
        "a.html",
    ];
    let output = bench(&arguments, directory.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    for expected in ["fdatasync", "loopback", "2 clients, 2 in flight each", "4 clients", "p99.99"]
    {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let json = std::fs::read_to_string(directory.path().join("a.json")).expect("written");
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    for run in report["runs"].as_array().expect("two runs") {
        assert_eq!(run["commands"], 200, "{run}");
        assert_eq!(run["latency"]["count"], 200, "{run}");
        assert!(run["resources"]["processes"][0]["fdatasyncs"].as_u64() > Some(0), "{run}");
    }
    let csv = std::fs::read_to_string(directory.path().join("a.csv")).expect("written");
    assert_eq!(csv.lines().count(), 3);
    let compared = bench(&["compare", "a.json", "a.json"], directory.path());
    assert!(text(&compared.stdout).contains("1.00"), "{}", text(&compared.stdout));
    let left = std::fs::read_dir(directory.path()).expect("it is there").count();
    assert_eq!(left, 3, "the data of the cluster are gone");
}

#[test]
fn virtual_time_is_the_same_each_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let run = |json: &str, csv: &str| {
        let small = ["--proposers", "1,3", "--clients", "20", "--measured", "2ms"];
        let files = ["--json", json, "--csv", csv, "--html", "a.html"];
        let arguments = [&["paper", "scaling"][..], &small, &files].concat();
        let output = bench(&arguments, directory.path());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let shown = run("a.json", "a.csv");
    assert_eq!(shown, run("b.json", "b.csv"));
    assert!(shown.contains("53,700") && shown.contains("proposer"), "{shown}");
    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).expect("written");
    assert_eq!(read("a.csv"), read("b.csv"));
    assert!(read("a.html").contains("<svg") && read("a.json").contains("\"points\""));
}

#[test]
fn what_cannot_be_measured_is_told_with_the_cure() {
    let directory = tempfile::tempdir().expect("a directory");
    for (arguments, cure) in [
        (&["load", "--data", "missing"][..], "make it, or choose another --data"),
        (&["load", "--json", "missing/a.json"], "its directory is missing"),
        (&["load", "--kvs", "missing"], "cargo build --release -p kvs"),
        (&["load", "--target", "redis://127.0.0.1:1"], "is the server running"),
        (&["compare", "missing", "missing"], "cannot read missing"),
        (&["paper", "scaling", "--costs", "missing"], "cannot read missing"),
        (&["load", "--clients", "4096", "--pipeline", "65536"], "lower --clients or --pipeline"),
    ] {
        let output = bench(arguments, directory.path());
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.contains(cure), "{arguments:?}: {error}");
    }
}

/// A cluster in this process, behind a socket, until the runtime ends.
async fn served(directory: &Path) -> SocketAddr {
    let limits = StoreLimits::default();
    let cluster = LocalCluster::open(directory, || Store::new(limits)).expect("a new cluster");
    let about = ("n1", "local", limits.value_bytes_max);
    let process = &cluster.processes()[0];
    let admin = ClusterAdmin::new(about, process, Connections::default(), Candidates::default());
    let server = Arc::new(Server::new(Options::default(), cluster.client(0), admin));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    tokio::spawn(async move {
        connection::serve(listener, server).await;
        drop(cluster);
    });
    address
}

#[test]
fn a_server_is_loaded_in_an_open_loop() {
    let directory = tempfile::tempdir().expect("a directory");
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let data = directory.path().join("data");
    std::fs::create_dir(&data).expect("a directory");
    let target = format!("redis://{}", runtime.block_on(served(&data)));
    let arguments = [
        "load",
        "--target",
        &target,
        "--rate",
        "5000",
        "--clients",
        "3",
        "--pipeline",
        "8",
        "--read-share",
        "50",
        "--keys",
        "zipfian",
        "--key-count",
        "10",
        "--commands",
        "300",
        "--duration",
        "60s",
        "--json",
        "a.json",
    ];
    let output = bench(&arguments, directory.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let json = std::fs::read_to_string(directory.path().join("a.json")).expect("written");
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let run = &report["runs"][0];
    assert_eq!((&run["commands"], &run["service"]["count"]), (&300.into(), &300.into()), "{run}");
    assert_eq!(run["failures"]["errors"], serde_json::json!({}), "{run}");
    assert!(run["resources"]["client_bytes_per_command"][1].as_f64() > Some(4.0), "{run}");
}

#[test]
fn libraries_are_left_out_with_a_note_where_their_program_is_not_built() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = bench(&["peers", "--libraries"], directory.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("left out") && shown.contains("cargo build"), "{shown}");
    let output = bench(&["peers", "--libraries", "."], directory.path());
    assert!(!output.status.success(), "a directory is no program");
    assert!(text(&output.stderr).contains("cannot run"), "{}", text(&output.stderr));
}
