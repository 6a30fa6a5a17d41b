//! Too few nodes are left: what is told of it, and what a new cluster has.

use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use crate::backups::{contents, refusal, said};
use crate::client::{Client, Reply};
use crate::harness::{Cluster, eventually};

/// Exit codes of a recovery that writes nothing.
const COMPLETE: i32 = 2;
const INCOMPLETE: i32 = 3;

fn write(client: &mut Client, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let (key, text) = (format!("key{number}"), number.to_string());
        let reply = client.command(&["SET", &key, &text]).expect("served");
        assert_eq!(reply, Reply::Simple("OK".into()));
    }
}

/// Fails unless exactly the keys of these numbers are there.
fn assert_holds(client: &mut Client, numbers: std::ops::Range<usize>) {
    for number in numbers.clone() {
        let reply = client.command(&["GET", &format!("key{number}")]).expect("served");
        assert_eq!(reply, Reply::Bulk(Some(number.to_string())), "key{number}");
    }
    let reply = client.command(&["GET", &format!("key{}", numbers.end)]).expect("served");
    assert_eq!(reply, Reply::Bulk(None), "key{}", numbers.end);
}

fn recover(cluster: &Cluster, nodes: &[&str], more: &[&str]) -> Output {
    let data = nodes.iter().map(|node| cluster.data(node).to_str().expect("text").to_owned());
    let data: Vec<String> = data.collect();
    let from = data.iter().flat_map(|path| ["--from", path.as_str()]);
    let arguments: Vec<&str> =
        ["recover"].into_iter().chain(from).chain(more.iter().copied()).collect();
    Cluster::kvs(&arguments, Path::new("/"))
}

/// The report of a recovery that writes nothing.
fn report(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}{}", refusal(output));
    assert!(refusal(output).contains("--accept-loss"));
    text
}

/// Waits until a node has on its disk all that is chosen.
fn wait_until_durable(cluster: &Cluster, node: &str) {
    let chosen = cluster.status(node).chosen_watermark;
    eventually("it is on its disk", || {
        let status = cluster.status(node);
        let replica = status.replicas[node].as_ref()?;
        (replica.persisted_watermark >= chosen).then_some(())
    });
}

#[test]
fn what_one_node_missed_is_told_as_lost_and_what_two_have_is_not() {
    let cluster = Cluster::colocated();
    write(&mut cluster.client("n1"), 0..50);
    wait_until_durable(&cluster, "n1");
    cluster.kill("n1");
    write(&mut cluster.client("n2"), 50..80);
    let running = recover(&cluster, &["n2"], &[]);
    assert!(refusal(&running).contains("a process uses this data directory"));
    cluster.kill_all();
    let directory = TempDir::new().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("text").to_owned();
    let before: Vec<_> = ["n1", "n2", "n3"].map(|node| contents(&cluster.data(node))).into();

    // The node that was away says so itself: others may have gone on without it.
    let text = report(&recover(&cluster, &["n1"], &["--out", &path("one")]), INCOMPLETE);
    assert!(text.contains("MAY BE LOST"), "{text}");
    assert!(text.contains("of the matchmakers n1 n2 n3, 1 are here"), "{text}");
    assert!(text.contains("in round") && text.contains("are needed to know every vote"), "{text}");
    assert!(!Path::new(&path("one")).exists(), "nothing is written without the flag");
    // A node that has all of it cannot know that it has.
    report(&recover(&cluster, &["n3"], &[]), INCOMPLETE);
    // Two hold all that a leader would ask for, whichever they are.
    for two in [["n2", "n3"], ["n1", "n2"], ["n3", "n1"]] {
        let text = report(&recover(&cluster, &two, &[]), COMPLETE);
        assert!(text.contains("nothing that was acknowledged is missing"), "{text}");
    }
    for (nodes, name, said_of_it) in [
        (&["n1"][..], "one", "MAY BE MISSING"),
        (&["n1", "n2"], "two", "the data directories of n1, n2"),
    ] {
        let output = recover(&cluster, nodes, &["--out", &path(name), "--accept-loss"]);
        assert!(said(&output).contains("never start a node of the old one again"));
        let checked = Cluster::kvs(&["restore", "--from", &path(name), "--check"], Path::new("/"));
        let checked = said(&checked);
        assert!(checked.contains(said_of_it), "{checked}");
    }
    let after: Vec<_> = ["n1", "n2", "n3"].map(|node| contents(&cluster.data(node))).into();
    assert!(before == after, "directories are looked at and not changed");

    let restored = Cluster::restored(Path::new(&path("one")));
    assert_holds(&mut restored.client("n2"), 0..50);
    drop(restored);
    let restored = Cluster::restored(Path::new(&path("two")));
    for node in ["n1", "n2", "n3"] {
        assert_holds(&mut restored.client(node), 0..80);
    }
}

#[test]
fn one_directory_is_left_and_has_what_was_on_its_disk() {
    let mut file = kvs::deployment::ClusterFile::on_loopback("test", 3, 6, 1).expect("three nodes");
    // Snapshots, and values above them.
    file.storage.compact_above_bytes = 1 << 20;
    file.storage.tail_bytes = 0;
    let cluster = Cluster::start(file);
    let mut client = cluster.client("n2");
    eventually("a snapshot is written", || {
        let large = "x".repeat(64 << 10);
        client.command(&["SET", "large", &large]).expect("served");
        let status = cluster.status("n2");
        (status.replicas["n2"].as_ref()?.snapshot_watermark > 0).then_some(())
    });
    client.command(&["SET", "lasting", "yes", "EX", "10000"]).expect("served");
    write(&mut client, 0..40);
    wait_until_durable(&cluster, "n2");
    cluster.kill_all();
    for gone in ["n1", "n3"] {
        fs::remove_dir_all(cluster.data(gone)).expect("deleted");
    }
    let directory = TempDir::new().expect("a temporary directory");
    let out = directory.path().join("left").to_str().expect("text").to_owned();
    let text = report(&recover(&cluster, &["n2"], &[]), INCOMPLETE);
    assert!(text.contains("a snapshot of those below"), "{text}");
    said(&recover(&cluster, &["n2"], &["--out", &out, "--accept-loss"]));
    let restored = Cluster::restored(Path::new(&out));
    for node in ["n1", "n2", "n3"] {
        let mut client = restored.client(node);
        assert_holds(&mut client, 0..40);
        let left = client.command(&["TTL", "lasting"]).expect("served");
        assert!(matches!(left, Reply::Integer(1..=10_000)), "{left:?}");
    }
}

#[test]
fn directories_that_do_not_belong_together_are_refused() {
    let (cluster, other) = (Cluster::colocated(), Cluster::colocated());
    write(&mut cluster.client("n1"), 0..3);
    cluster.kill_all();
    other.kill_all();
    let directory = TempDir::new().expect("a temporary directory");
    let kvs = |paths: &[&Path]| {
        let paths = paths.iter().flat_map(|path| ["--from", path.to_str().expect("text")]);
        let arguments: Vec<&str> = ["recover"].into_iter().chain(paths).collect();
        Cluster::kvs(&arguments, Path::new("/"))
    };
    let (one, two) = (cluster.data("n1"), cluster.data("n2"));
    let missing = directory.path().join("missing");
    let copy = directory.path().join("copy");
    copy_all(&one, &copy);
    let damaged = directory.path().join("damaged");
    copy_all(&two, &damaged);
    let segment = damaged.join("log/manifest");
    let mut bytes = fs::read(&segment).expect("there");
    bytes[21] ^= 1;
    fs::write(&segment, bytes).expect("written");
    for (paths, cause) in [
        (&[one.as_path(), &one][..], "named twice"),
        (&[&one, &copy], "the same directory of n1 in two copies"),
        (&[&one, &missing], "there is no such directory"),
        (&[&one, directory.path()], "it is no data directory"),
        (&[&one, &cluster.config()], "it is not a directory"),
        (&[&one, &other.data("n2")], "of two clusters that are both called `test`"),
        (&[&damaged], "damaged"),
    ] {
        let text = refusal(&kvs(paths));
        assert!(text.contains(cause), "{cause}: {text}");
        assert!(!missing.exists());
    }
    let text = refusal(&recover(&cluster, &["n1"], &["--accept-loss"]));
    assert!(text.contains("--out"), "{text}");
    let text = refusal(&recover(
        &cluster,
        &["n1"],
        &["--accept-loss", "--out", one.to_str().expect("text")],
    ));
    assert!(text.contains("overwrites nothing"), "{text}");
}

fn copy_all(from: &Path, to: &Path) {
    for (path, bytes) in contents(from) {
        let to = to.join(path.strip_prefix(from).expect("inside"));
        fs::create_dir_all(to.parent().expect("inside")).expect("made");
        fs::write(to, bytes).expect("written");
    }
}
