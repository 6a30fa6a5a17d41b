//! Backups that are taken while the cluster serves, and new clusters that begin with them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kvs::deployment::ClusterFile;
use tempfile::TempDir;

use crate::client::{Client, Reply};
use crate::harness::{Cluster, eventually};

/// Clients that write while a backup is taken.
const WRITERS: usize = 4;

/// Keys that are there before.
const KEYS: u64 = 400;

/// Bytes of a value.
const VALUE_BYTES: usize = 2 << 10;

fn ok() -> Reply {
    Reply::Simple("OK".into())
}

fn value(number: u64) -> String {
    format!("{number:>VALUE_BYTES$}")
}

/// All files below a directory with their bytes.
pub(crate) fn contents(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(path).expect("a directory");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let inside = |path: PathBuf| match path.is_dir() {
        true => contents(&path),
        false => BTreeMap::from([(path.clone(), fs::read(&path).expect("readable"))]),
    };
    paths.flat_map(inside).collect()
}

/// What the program says when it succeeds.
pub(crate) fn said(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    stdout.into_owned()
}

/// What the program says when it fails.
pub(crate) fn refusal(output: &Output) -> String {
    assert!(!output.status.success(), "it ended as if all were well");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn back_up(cluster: &Cluster, node: &str, out: &Path) -> Output {
    let address = cluster.address(node).to_string();
    let out = out.to_str().expect("a path of text");
    Cluster::kvs(&["backup", "--at", &address, "--out", out], Path::new("/"))
}

/// Sets both keys of a writer to a number at once, again and again.
fn write_pairs(mut client: Client, writer: usize, is_over: &AtomicBool, written: &AtomicU64) {
    let keys = ["one", "two"].map(|half| format!("writer{writer}:{half}"));
    for number in 1.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        assert_eq!(client.command(&["MULTI"]).expect("served"), ok());
        for key in &keys {
            let queued = client.command(&["SET", key, &value(number)]).expect("served");
            assert_eq!(queued, Reply::Simple("QUEUED".into()));
        }
        assert_eq!(client.command(&["EXEC"]).expect("served"), Reply::Array(Some(vec![ok(); 2])));
        written.store(number, Ordering::Relaxed);
    }
}

/// The number that both keys of a writer hold.
fn pair(client: &mut Client, writer: usize) -> u64 {
    let [one, two] = ["one", "two"].map(|half| {
        let reply = client.command(&["GET", &format!("writer{writer}:{half}")]).expect("served");
        reply.text().trim().parse::<u64>().expect("a number")
    });
    assert_eq!(one, two, "the cut goes through a transaction of writer {writer}");
    one
}

#[test]
fn a_backup_under_load_is_a_consistent_cut_and_a_new_cluster_begins_with_it() {
    let directory = TempDir::new().expect("a temporary directory");
    let backup = directory.path().join("backup");
    // So small that logs are compacted while the backup is taken.
    let mut file = ClusterFile::on_loopback("test", 3, 6, 1).expect("three nodes");
    file.storage.compact_above_bytes = 1 << 20;
    let cluster = Cluster::start(file);
    let mut client = cluster.client("n1");
    assert_eq!(client.command(&["SET", "lasting", "yes", "EX", "10000"]).expect("served"), ok());
    assert_eq!(client.command(&["SET", "due", "soon", "PX", "1"]).expect("served"), ok());
    for number in 0..KEYS {
        client.command(&["SET", &format!("key{number}"), &value(number)]).expect("served");
    }
    let (before, after) = back_up_under_load(&cluster, &backup);

    let restored = Cluster::restored(&backup);
    let mut cuts = Vec::new();
    for node in ["n1", "n2", "n3"] {
        let mut client = restored.client(node);
        let cut: Vec<u64> = (0..WRITERS).map(|writer| pair(&mut client, writer)).collect();
        for (writer, number) in cut.iter().enumerate() {
            let possible = before[writer]..=after[writer];
            assert!(possible.contains(number), "writer {writer}: {number} not in {possible:?}");
        }
        let Reply::Integer(left) = client.command(&["TTL", "lasting"]).expect("served") else {
            panic!("it has a time to live");
        };
        assert!((1..=10_000).contains(&left), "{left}");
        assert_eq!(client.command(&["GET", "due"]).expect("served"), Reply::Bulk(None));
        let last = client.command(&["GET", "key0"]).expect("served");
        assert_eq!(last, Reply::Bulk(Some(value(0))));
        cuts.push(cut);
    }
    assert!(cuts.windows(2).all(|two| two[0] == two[1]), "{cuts:?}");

    assert_lives(&restored, &cuts[0]);
}

/// Takes a backup while clients write; how far each was before it, and at the end.
fn back_up_under_load(cluster: &Cluster, backup: &Path) -> ([u64; WRITERS], [u64; WRITERS]) {
    let written: [AtomicU64; WRITERS] = Default::default();
    let numbers = || written.each_ref().map(|number| number.load(Ordering::Relaxed));
    let is_over = AtomicBool::new(false);
    let before = std::thread::scope(|scope| {
        for (writer, written) in written.iter().enumerate() {
            let client = cluster.client(["n1", "n2", "n3"][writer % 3]);
            let is_over = &is_over;
            scope.spawn(move || write_pairs(client, writer, is_over, written));
        }
        eventually("all write", || numbers().iter().all(|number| *number > 5).then_some(()));
        let before = numbers();
        let output = back_up(cluster, "n2", backup);
        let end = numbers();
        eventually("they go on", || (numbers()[0] > end[0]).then_some(()));
        is_over.store(true, Ordering::Relaxed);
        // Each writer has two; one is that of the harness, one that of the test; one was due.
        let expected = format!("{} keys", KEYS + 2 * WRITERS as u64 + 2);
        assert!(said(&output).contains(&expected), "{output:?}");
        before
    });
    (before, numbers())
}

/// A restored cluster is one like any other: it writes, starts again, and takes in new nodes, which get the
/// state as well though it is in nobody's log of commands.
fn assert_lives(cluster: &Cluster, cut: &[u64]) {
    assert_eq!(
        cluster.client("n2").command(&["INCR", "fresh"]).expect("served"),
        Reply::Integer(1)
    );
    cluster.kill_all();
    ["n1", "n2", "n3"].iter().for_each(|name| cluster.launch(name));
    cluster.wait_until_serving();
    cluster.launch_joiner("n4", &["n1"]);
    let at = cluster.address("n1").to_string();
    eventually("n4 asks to join and is taken", || {
        let output = Cluster::kvs(&["replace", "n3", "n4", "--at", &at], Path::new("/"));
        output.status.success().then_some(())
    });
    for node in ["n1", "n4"] {
        let mut client = cluster.client(node);
        let found: Vec<u64> = (0..WRITERS).map(|writer| pair(&mut client, writer)).collect();
        assert_eq!(found, cut, "at {node}");
        let fresh = client.command(&["GET", "fresh"]).expect("served");
        assert_eq!(fresh, Reply::Bulk(Some("1".into())));
    }
    assert_eq!(cluster.status("n1").process.violations, 0);
}

#[test]
fn a_backup_of_nothing_and_one_that_was_left_are_in_nobodys_way() {
    let cluster = Cluster::colocated();
    let directory = TempDir::new().expect("a temporary directory");
    let empty = directory.path().join("empty");
    assert_eq!(cluster.client("n1").command(&["FLUSHALL"]).expect("served"), ok());
    assert!(said(&back_up(&cluster, "n1", &empty)).contains("0 keys"));
    let mut left = cluster.client("n1");
    let reply = left.command(&["KVS.BACKUP"]).expect("served");
    assert!(reply.text().contains("\"slot\""), "{reply:?}");
    let nobodys = left.command(&["KVS.CHUNK", "999999999"]).expect("served");
    assert!(nobodys.text().contains("take the backup again"), "{nobodys:?}");
    drop(left);
    eventually("another one begins", || {
        let reply = cluster.client("n1").command(&["KVS.BACKUP"]).ok()?;
        if let Reply::Error(text) = &reply {
            assert!(text.contains("another backup is being taken"), "{text}");
        }
        matches!(reply, Reply::Bulk(_)).then_some(())
    });
    let restored = Cluster::restored(&empty);
    let keys = restored.client("n1").command(&["KEYS", "*"]).expect("served");
    let serving = Reply::Array(Some(vec![Reply::Bulk(Some("serving".into()))]));
    assert_eq!(keys, serving, "only what the test itself writes");
}

#[test]
fn a_backup_that_is_misused_is_refused_and_nothing_is_changed() {
    let cluster = Cluster::colocated();
    let directory = TempDir::new().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("text").to_owned();
    let kvs = |arguments: &[&str]| Cluster::kvs(arguments, directory.path());
    said(&back_up(&cluster, "n1", Path::new(&path("whole"))));
    let bytes = fs::read(path("whole")).expect("written");
    let mut damaged = bytes.clone();
    // In the name of the cluster.
    damaged[30] ^= 1;
    fs::write(path("damaged"), damaged).expect("written");
    fs::write(path("short"), &bytes[..bytes.len() - 1]).expect("written");
    fs::write(path("other"), "something else altogether").expect("written");
    let mut file = cluster.file.clone();
    fs::write(path("same.toml"), file.to_toml()).expect("written");
    file.cluster = "restored".into();
    for node in &mut file.nodes {
        node.data = Some(path(&format!("data-{}", node.name)).into());
    }
    fs::write(path("new.toml"), file.to_toml()).expect("written");
    file.clients.value_bytes_max = 1000;
    fs::write(path("narrow.toml"), file.to_toml()).expect("written");
    fs::create_dir(path("used")).expect("made");
    fs::write(path("used/file"), "precious").expect("written");
    let before = contents(directory.path());
    let restore = |from: &str, config: &str, more: &[&str]| {
        let (from, config) = (path(from), path(config));
        kvs(&[&["restore", "--from", &from, "--config", &config, "--node", "n1"], more].concat())
    };
    let used = path("used");
    for (output, cause) in [
        (restore("whole", "same.toml", &[]), "give the new one another"),
        (restore("whole", "narrow.toml", &[]), "raise `clients.value_bytes_max`"),
        (restore("whole", "new.toml", &["--data", &used]), "it is in use"),
        (restore("whole", "nowhere.toml", &[]), "kvs init"),
        (restore("damaged", "new.toml", &[]), "the backup is damaged"),
        (restore("short", "new.toml", &[]), "cut short"),
        (restore("other", "new.toml", &[]), "it is no backup"),
        (restore("nowhere", "new.toml", &[]), "is the path right?"),
        (kvs(&["restore", "--from", &path("short"), "--check"]), "cut short"),
        (kvs(&["restore", "--from", &path("whole")]), "--node"),
        (back_up(&cluster, "n1", Path::new(&path("whole"))), "overwrites nothing"),
        (back_up(&cluster, "n1", Path::new(&path("none/file"))), "is the path right?"),
    ] {
        let text = refusal(&output);
        assert!(text.contains(cause), "{cause}: {text}");
    }
    assert_eq!(contents(directory.path()), before);
    let text = said(&kvs(&["restore", "--from", &path("whole"), "--check"]));
    assert!(text.contains("whole, checksum") && text.contains("cluster       test"), "{text}");
    said(&restore("whole", "new.toml", &[]));
    let before = contents(directory.path());
    let text = refusal(&restore("whole", "new.toml", &[]));
    assert!(text.contains("it is in use"), "a second run: {text}");
    assert_eq!(contents(directory.path()), before);
    cluster.kill_all();
    let text = refusal(&back_up(&cluster, "n1", Path::new(&path("late"))));
    assert!(text.contains("is it running"), "{text}");
}

#[test]
fn a_node_that_was_not_restored_does_not_start_with_those_that_were() {
    let cluster = Cluster::colocated();
    let directory = TempDir::new().expect("a temporary directory");
    let backup = directory.path().join("backup");
    said(&back_up(&cluster, "n1", &backup));
    let half = Cluster::half_restored(&backup, "n1,n2");
    for name in ["n1", "n2", "n3"] {
        half.launch(name);
    }
    eventually("they say what differs", || {
        let told = fs::read_to_string(half.output("n3")).unwrap_or_default();
        told.contains("what `kvs restore` has prepared it from").then_some(())
    });
    half.kill("n3");
    fs::remove_dir_all(half.data("n3")).expect("it holds nothing");
    half.restore(&backup, "n3");
    half.launch("n3");
    half.wait_until_serving();
}
