//! A log that is compacted all the time: it stays small, and a node that was away for longer than the
//! others keep the log comes back by itself.

use kvs::deployment::ClusterFile;

use crate::client::Reply;
use crate::harness::{Cluster, eventually};

/// Bytes of a value.
const VALUE_BYTES: usize = 32 << 10;

/// Keys that are written again and again.
const KEYS: usize = 40;

fn value(number: usize) -> String {
    format!("{number:>VALUE_BYTES$}")
}

/// Writes the values of these numbers through a node, a key after the other.
fn write(cluster: &Cluster, node: &str, numbers: std::ops::Range<usize>) {
    let mut client = cluster.client(node);
    for number in numbers {
        let command = ["SET", &format!("key{}", number % KEYS), &value(number)];
        eventually("it is written", || {
            (client.command(&command).ok()? == Reply::Simple("OK".into())).then_some(())
        });
    }
}

fn compacting() -> Cluster {
    let mut file = ClusterFile::on_loopback("test", 3, 6, 1).expect("three nodes");
    file.storage.compact_above_bytes = 1 << 20;
    file.storage.tail_bytes = 0;
    Cluster::start(file)
}

/// What a node holds, without asking others to.
fn assert_holds(cluster: &Cluster, node: &str, end: usize) {
    let mut client = cluster.client(node);
    for number in end - KEYS..end {
        let key = format!("key{}", number % KEYS);
        let reply = client.command(&["GET", &key]).expect("served");
        assert_eq!(reply, Reply::Bulk(Some(value(number))), "{key}");
    }
}

#[test]
fn a_node_that_was_away_for_long_gets_a_snapshot_and_restarts_from_it() {
    let cluster = compacting();
    write(&cluster, "n1", 0..100);
    cluster.kill("n3");
    write(&cluster, "n1", 100..400);
    let status = eventually("the others have dropped what it lacks", || {
        write(&cluster, "n1", 399..400);
        let status = cluster.status("n1");
        let replica = |name: &str| status.replicas[name].clone();
        let away = replica("n3").map_or(0, |away| away.executed_watermark);
        let [one, two] = ["n1", "n2"].map(|name| replica(name).map(|r| r.snapshot_watermark));
        (one > Some(away) && two > Some(away)).then_some(status)
    });
    // Nearly 13 MB were written there; a state has 1.3 MB.
    assert!(status.process.log_bytes > 20 << 20, "{status:?}");
    assert!(status.process.log_size_bytes < 9 << 20, "{status:?}");
    assert!(status.process.log_compactions > 2, "{status:?}");
    cluster.launch("n3");
    cluster.wait_until_serving();
    assert_holds(&cluster, "n3", 400);

    write(&cluster, "n2", 400..500);
    cluster.kill_all();
    ["n1", "n2", "n3"].iter().for_each(|name| cluster.launch(name));
    cluster.wait_until_serving();
    for name in ["n1", "n2", "n3"] {
        assert_holds(&cluster, name, 500);
    }
}
