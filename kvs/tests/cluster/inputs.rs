//! Bad input of every kind: a clear error that names the cause, nothing else stops, and nothing that
//! was acknowledged is lost.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use kvs::deployment::{ClusterFile, Role};
use tempfile::TempDir;

use crate::client::{Reply, encode};
use crate::harness::{Cluster, eventually, free_addresses};

fn ok() -> Reply {
    Reply::Simple("OK".into())
}

/// A node that does not belong here.
struct Stranger(Child);

impl Stranger {
    fn start(config: &Path, node: &str, data: &Path, output: &Path) -> Self {
        let output = File::create(output).expect("a file in the temporary directory");
        let process = Command::new(env!("CARGO_BIN_EXE_kvs"))
            .args(["serve", "--node", node, "--config", text(config), "--data", text(data)])
            .stderr(output)
            .spawn();
        Self(process.expect("the program starts"))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `kvs serve` for a node that cannot start, and returns what it says.
fn refusal(config: &Path, node: &str, data: &Path) -> String {
    let directory = TempDir::new().expect("a temporary directory");
    let output = directory.path().join("output");
    let mut stranger = Stranger::start(config, node, data, &output);
    let status = eventually("it ends", || stranger.0.try_wait().expect("it is a child"));
    assert!(!status.success(), "it ended as if all were well");
    fs::read_to_string(&output).expect("text")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a text path")
}

#[test]
fn clients_that_speak_nonsense_are_told_and_others_are_served() {
    let cluster = Cluster::colocated();
    let mut good = cluster.client("n1");
    assert_eq!(good.command(&["SET", "kept", "1"]).expect("served"), ok());
    for (nonsense, error) in [
        (&b"*1\r\n:5\r\n"[..], "ERR Protocol error: expected '$', got ':'"),
        (b"*-x\r\n", "ERR Protocol error: invalid multibulk length"),
        (b"*1\r\n$-9\r\n", "ERR Protocol error: invalid bulk length"),
        (b"GET \"open\r\n", "ERR Protocol error: unbalanced quotes in request"),
    ] {
        let mut bad = cluster.client("n1");
        bad.send(nonsense).expect("sent");
        assert_eq!(bad.reply().expect("told"), Reply::Error(error.into()));
        assert!(bad.reply().is_err(), "the connection is closed");
    }
    let large = "x".repeat(cluster.file.clients.value_bytes_max + 1);
    let long = "k".repeat(cluster.file.clients.key_bytes_max + 1);
    for (command, error) in [
        (&["NOSUCH", "a"][..], "ERR unknown command"),
        (&["GET"], "ERR wrong number of arguments for 'get' command"),
        (&["SET", "a", &large], "ERR "),
        (&["SET", &long, "a"], "ERR "),
        (&["KVS.RECONFIGURE"], "ERR usage"),
        (&["KVS.RECONFIGURE", "a1", "a1"], "ERR the acceptor `a1` is named twice"),
        (&["KVS.MATCHMAKERS"], "ERR usage"),
        (&["KVS.MATCHMAKERS", "n1", "n1"], "ERR the node `n1` is named twice"),
        (&["KVS.MATCHMAKERS", "nobody"], "ERR there is no node `nobody`"),
        (&["KVS.RECONFIGURE", "nobody"], "ERR there is no acceptor `nobody`"),
    ] {
        let reply = good.command(command).expect("the connection lives");
        assert!(reply.text().starts_with(error), "{:?}: {reply:?}", command[0]);
    }
    let unfinished = encode(&["SET", "unfinished", "x"]);
    cluster.client("n1").send(&unfinished[..unfinished.len() - 4]).expect("sent");
    assert_eq!(good.command(&["GET", "kept"]).expect("served"), Reply::Bulk(Some("1".into())));
    assert_eq!(good.command(&["GET", "unfinished"]).expect("served"), Reply::Bulk(None));
}

#[test]
fn peers_that_speak_nonsense_are_turned_away() {
    let cluster = Cluster::colocated();
    let peer = cluster.file.node("n2").expect("a node").peer;
    for nonsense in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], &[], &[1, 0, 0]] {
        let mut stream = TcpStream::connect(peer).expect("it listens");
        // The node may hang up before it has read everything.
        let _ = stream.write_all(nonsense);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let mut client = cluster.client("n2");
    assert_eq!(client.command(&["SET", "a", "b"]).expect("served"), ok());
}

#[test]
fn a_node_of_another_cluster_is_refused_by_both_sides() {
    let cluster = Cluster::colocated();
    let directory = TempDir::new().expect("a temporary directory");
    let mut foreign = cluster.file.clone();
    foreign.cluster = "foreign".into();
    let addresses = free_addresses(2);
    foreign.nodes[0].peer = addresses[0];
    foreign.nodes[0].client = Some(addresses[1]);
    let config = directory.path().join("foreign.toml");
    fs::write(&config, foreign.to_toml()).expect("written");
    let output = directory.path().join("foreign.out");
    let _stranger = Stranger::start(&config, "n1", &directory.path().join("data"), &output);
    let refused = "correct an address or a cluster name";
    eventually("both sides say so", || {
        let said = fs::read_to_string(&output).ok()?;
        let peer_said = fs::read_to_string(cluster.output("n2")).ok()?;
        (said.contains(refused) && peer_said.contains("foreign")).then_some(())
    });
    let mut client = cluster.client("n1");
    assert_eq!(client.command(&["SET", "a", "b"]).expect("served"), ok());
    drop(client);
    cluster.kill("n1");
    let said = refusal(&config, "n1", &cluster.data("n1"));
    assert!(said.contains("foreign") && said.contains("test"), "{said}");
    let said = refusal(&cluster.config(), "n1", &cluster.data("n2"));
    assert!(said.contains("n2"), "{said}");
}

#[test]
fn a_cluster_file_with_a_mistake_is_refused_by_name() {
    let directory = TempDir::new().expect("a temporary directory");
    let config = directory.path().join("cluster.toml");
    let data = directory.path().join("data");
    let file = ClusterFile::on_loopback("test", 3, 3, 7000).expect("three nodes").to_toml();
    for (wrong, expected) in [
        (file.replace("cluster = \"test\"", ""), "missing field `cluster`"),
        (file.replace("[timing]", "[timing]\nspeed = 3"), "unknown field `speed`"),
        (file.replace("heartbeat_ms = [35, 45]", "heartbeat_ms = \"fast\""), "heartbeat_ms"),
        (file.replace("127.0.0.1:8001", "nowhere"), "socket address"),
        (file.replace("acceptors = [\"n1\", \"n2\", \"n3\"]", "acceptors = [\"n9\"]"), "`n9`"),
        ("not toml".into(), "no cluster file"),
    ] {
        fs::write(&config, wrong).expect("written");
        let said = refusal(&config, "n1", &data);
        assert!(said.contains(expected) && said.contains(text(&config)), "{expected}: {said}");
    }
    fs::write(&config, file).expect("written");
    assert!(refusal(&config, "n9", &data).contains("there is no node `n9`; there are n1, n2, n3"));
    let missing = directory.path().join("nothing.toml");
    assert!(refusal(&missing, "n1", &data).contains("`kvs init` writes a new one"));
}

#[test]
fn an_address_in_use_is_named() {
    let directory = TempDir::new().expect("a temporary directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound");
    let addresses = free_addresses(2);
    let config = directory.path().join("cluster.toml");
    for is_peer in [false, true] {
        let mut file = ClusterFile::on_loopback("test", 1, 1, 7000).expect("one node");
        file.nodes[0].peer = if is_peer { address } else { addresses[0] };
        file.nodes[0].client = Some(if is_peer { addresses[1] } else { address });
        fs::write(&config, file.to_toml()).expect("written");
        let said = refusal(&config, "n1", &directory.path().join("data"));
        assert!(said.contains(&address.to_string()) && said.contains("in use"), "{said}");
    }
    let listen = address.to_string();
    let output = Cluster::kvs(&["--listen", &listen], directory.path());
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success() && said.contains(&listen), "{said}");
}

#[test]
fn a_data_directory_serves_one_process() {
    let cluster = Cluster::colocated();
    let directory = TempDir::new().expect("a temporary directory");
    let mut file = cluster.file.clone();
    let addresses = free_addresses(2);
    file.nodes[0].peer = addresses[0];
    file.nodes[0].client = Some(addresses[1]);
    let config = directory.path().join("cluster.toml");
    fs::write(&config, file.to_toml()).expect("written");
    let said = refusal(&config, "n1", &cluster.data("n1"));
    assert!(said.contains(text(&cluster.data("n1"))), "{said}");
    assert!(said.contains("another process"), "{said}");
}

#[test]
fn a_node_whose_disk_was_wiped_is_not_mistaken_for_itself() {
    let cluster = Cluster::colocated();
    let mut client = cluster.client("n1");
    assert_eq!(client.command(&["SET", "a", "b"]).expect("served"), ok());
    cluster.kill("n3");
    fs::remove_dir_all(cluster.data("n3")).expect("it is there");
    let said = refusal(&cluster.config(), "n3", &cluster.data("n3"));
    assert!(said.contains("incarnation"), "{said}");
    assert_eq!(client.command(&["GET", "a"]).expect("served"), Reply::Bulk(Some("b".into())));
}

/// Writes the file of `cluster` with `change` beside the good one, and returns where.
fn edited(cluster: &Cluster, name: &str, change: impl FnOnce(&mut ClusterFile)) -> PathBuf {
    let mut file = cluster.file.clone();
    change(&mut file);
    let config = cluster.config().with_file_name(format!("{name}.toml"));
    fs::write(&config, file.to_toml()).expect("written");
    config
}

#[test]
fn a_node_whose_file_gives_other_roles_than_it_was_founded_with_is_refused() {
    let cluster = Cluster::colocated();
    let mut client = cluster.client("n2");
    assert_eq!(client.command(&["SET", "a", "b"]).expect("served"), ok());
    cluster.kill("n1");
    // Alone with its own file it would be a majority of the matchmakers.
    let config = edited(&cluster, "roles", |file| {
        file.nodes[1].roles = vec![Role::Proposer, Role::Replica];
        file.nodes[2].roles = vec![Role::Proposer, Role::Replica];
    });
    let said = refusal(&config, "n1", &cluster.data("n1"));
    let difference = "node n2: founded as \"id 2: proposer, matchmaker, replica; acceptors a2, a5\", \
                      now \"id 2: proposer, replica; acceptors a2, a5\"";
    assert!(said.contains(difference) && said.contains("undo this change"), "{said}");
    // The first acceptor of a node would have the memory of the second.
    let config = edited(&cluster, "acceptors", |file| file.nodes[0].acceptors.swap(0, 1));
    let said = refusal(&config, "n1", &cluster.data("n1"));
    assert!(said.contains("acceptors a1, a4") && said.contains("acceptors a4, a1"), "{said}");
    let config =
        edited(&cluster, "insertion", |file| file.nodes[2].acceptors.insert(0, "a9".into()));
    let said = refusal(&config, "n1", &cluster.data("n1"));
    assert!(said.contains("acceptors a3, a6") && said.contains("acceptors a9, a3, a6"), "{said}");
    let config = edited(&cluster, "limit", |file| file.clients.value_bytes_max = 4096);
    let said = refusal(&config, "n1", &cluster.data("n1"));
    assert!(said.contains("`clients.value_bytes_max`: founded as \"1048576\""), "{said}");
    assert_eq!(client.command(&["GET", "a"]).expect("served"), Reply::Bulk(Some("b".into())));
}

#[test]
fn a_new_node_with_another_file_is_refused_by_its_peers_and_both_are_named() {
    let cluster = Cluster::colocated();
    cluster.kill("n3");
    fs::rename(cluster.data("n3"), cluster.data("aside")).expect("it is there");
    let config = edited(&cluster, "roles", |file| {
        file.nodes[2].roles = vec![Role::Proposer, Role::Replica];
    });
    let output = cluster.output("edited");
    let stranger = Stranger::start(&config, "n3", &cluster.data("n3"), &output);
    let cause = "were started with different descriptions of the cluster";
    eventually("both sides say so", || {
        let said = fs::read_to_string(&output).ok()?;
        let peer_said = fs::read_to_string(cluster.output("n2")).ok()?;
        let is_told = said.contains(cause) && peer_said.contains(cause);
        (is_told && peer_said.contains("node n3: at ")).then_some(())
    });
    drop(stranger);
    fs::remove_dir_all(cluster.data("n3")).expect("created");
    fs::rename(cluster.data("aside"), cluster.data("n3")).expect("it is there");
    cluster.launch("n3");
    cluster.wait_until_serving();
}

#[test]
fn addresses_periods_and_limits_may_be_edited_after_the_founding() {
    let mut cluster = Cluster::colocated();
    assert_eq!(cluster.client("n1").command(&["SET", "a", "b"]).expect("served"), ok());
    cluster.kill_all();
    let mut addresses = free_addresses(6).into_iter();
    for node in &mut cluster.file.nodes {
        node.peer = addresses.next().expect("two for each node");
        node.client = addresses.next();
        node.roles.reverse();
    }
    cluster.file.nodes.reverse();
    cluster.file.timing.request_timeout_ms *= 2;
    cluster.file.clients.connections_max = 50;
    fs::write(cluster.config(), cluster.file.to_toml()).expect("written");
    for name in ["n1", "n2", "n3"] {
        cluster.launch(name);
    }
    cluster.wait_until_serving();
    let reply = cluster.client("n3").command(&["GET", "a"]).expect("served");
    assert_eq!(reply, Reply::Bulk(Some("b".into())));
}

/// The segments of the log of a node, in order.
fn segments(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data.join("log")).expect("the log");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
    paths.sort();
    paths
}

#[test]
fn a_flipped_byte_in_a_log_is_refused_and_the_others_go_on() {
    let cluster = Cluster::colocated();
    let mut client = cluster.client("n1");
    for count in 1..=50 {
        assert_eq!(client.command(&["INCR", "a"]).expect("served"), Reply::Integer(count));
    }
    cluster.kill("n3");
    let segment = segments(&cluster.data("n3")).remove(0);
    let intact = fs::read(&segment).expect("a segment");
    let used = intact.iter().rposition(|byte| *byte != 0).expect("it is not empty");
    let mut damaged = intact.clone();
    damaged[used / 2] ^= 0x10;
    fs::write(&segment, damaged).expect("written");
    let said = refusal(&cluster.config(), "n3", &cluster.data("n3"));
    assert!(said.contains(text(&segment)), "{said}");
    for count in 51..=60 {
        assert_eq!(client.command(&["INCR", "a"]).expect("served"), Reply::Integer(count));
    }
    fs::write(&segment, intact).expect("written");
    cluster.launch("n3");
    let mut client = cluster.client("n3");
    let reply = eventually("n3 catches up", || client.command(&["GET", "a"]).ok());
    assert_eq!(reply, Reply::Bulk(Some("60".into())));
}

/// A small file system of its own, if this user may mount one.
struct Mount(PathBuf);

impl Mount {
    fn new(path: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir_all(&path).expect("a directory");
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(&path)
            .stderr(std::process::Stdio::null())
            .status();
        if status.is_ok_and(|status| status.success()) {
            return Some(Self(path));
        }
        eprintln!("skipped: this user may not mount a file system to fill");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a process may still have it open for a moment.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let directory = TempDir::new().expect("a temporary directory");
    let config = directory.path().join("cluster.toml");
    let file = ClusterFile::on_loopback("test", 3, 3, 7000).expect("three nodes");
    fs::write(&config, file.to_toml()).expect("written");
    let occupied = directory.path().join("file");
    fs::write(&occupied, "a file").expect("written");
    let said = refusal(&config, "n1", &occupied);
    assert!(said.contains(text(&occupied)), "{said}");
    for (name, options, expected) in
        [("read-only", "ro", "Read-only file system"), ("full", "size=64k", "No space left")]
    {
        let Some(mount) = Mount::new(directory.path().join(name), options) else { return };
        let said = refusal(&config, "n1", &mount.0);
        assert!(said.contains(text(&mount.0)) && said.contains(expected), "{said}");
    }
}

#[test]
fn a_node_whose_disk_fills_up_stops_and_the_others_go_on() {
    let cluster = Cluster::colocated();
    cluster.kill("n3");
    let data = cluster.data("n3");
    let aside = data.with_extension("aside");
    fs::rename(&data, &aside).expect("moved");
    let Some(_mount) = Mount::new(data.clone(), "size=80m") else { return };
    let copied = Command::new("cp").arg("-a").arg(aside.join(".")).arg(&data).status();
    assert!(copied.expect("cp runs").success());
    cluster.launch("n3");
    let mut client = cluster.client("n1");
    let value = "v".repeat(100_000);
    for number in 0..600 {
        let key = format!("key-{number}");
        assert_eq!(client.command(&["SET", &key, &value]).expect("served"), ok());
    }
    assert!(!cluster.wait_for_end("n3").success(), "it stopped as if all were well");
    let said = fs::read_to_string(cluster.output("n3")).expect("text");
    assert!(said.contains(text(&data)) && said.contains("No space left"), "{said}");
    let reply = client.command(&["GET", "key-599"]).expect("served");
    assert_eq!(reply, Reply::Bulk(Some(value)));
}
