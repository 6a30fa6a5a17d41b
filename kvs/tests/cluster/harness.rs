//! Real processes of a real cluster, on loopback, in a directory of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use kvs::admin::Status;
use kvs::deployment::{ClusterFile, Protocol, Role};
use tempfile::TempDir;

use crate::client::{Client, Reply};

/// How long anything may take that must happen at all. Only a broken cluster takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls `attempt` until it succeeds.
pub(crate) fn eventually<O>(what: &str, mut attempt: impl FnMut() -> Option<O>) -> O {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(outcome) = attempt() {
            return outcome;
        }
        assert!(Instant::now() < deadline, "it never happened: {what}");
        std::thread::yield_now();
    }
}

/// A cluster whose processes end with it.
pub(crate) struct Cluster {
    directory: TempDir,
    pub(crate) file: ClusterFile,
    processes: Mutex<BTreeMap<String, Child>>,
    /// Nodes that are not in the file, with their addresses for peers and for clients.
    joiners: Mutex<BTreeMap<String, [SocketAddr; 2]>>,
    /// Nodes that were removed.
    gone: Mutex<BTreeSet<String>>,
}

impl Cluster {
    /// Three processes with every role each, and six acceptors.
    pub(crate) fn colocated() -> Self {
        Self::start(ClusterFile::on_loopback("test", 3, 6, 1).expect("three nodes"))
    }

    /// The same with BPaxos.
    pub(crate) fn bpaxos() -> Self {
        let file = ClusterFile::on_loopback("test", 3, 6, 1).expect("three nodes");
        Self::start(file.with_protocol(Protocol::Bpaxos))
    }

    /// Eleven processes with one role each: two proposers, three matchmakers, three acceptors, three
    /// replicas.
    pub(crate) fn spread() -> Self {
        let names = ["p1", "p2", "m1", "m2", "m3", "a1", "a2", "a3", "r1", "r2", "r3"];
        Self::with_one_role_each(&names, Protocol::Matchmaker)
    }

    /// The same with BPaxos, and three dependency nodes.
    pub(crate) fn spread_bpaxos() -> Self {
        let names =
            ["p1", "p2", "m1", "m2", "m3", "a1", "a2", "a3", "d1", "d2", "d3", "r1", "r2", "r3"];
        Self::with_one_role_each(&names, Protocol::Bpaxos)
    }

    /// Processes whose names begin with the letter of their role.
    fn with_one_role_each(names: &[&str], protocol: Protocol) -> Self {
        let count = u16::try_from(names.len()).expect("a few");
        let file = ClusterFile::on_loopback("test", count, count, 1).expect("some nodes");
        let mut file = file.with_protocol(protocol);
        for (node, name) in file.nodes.iter_mut().zip(names) {
            node.name = (*name).into();
            node.acceptors.clear();
            node.roles = match &name[..1] {
                "p" => vec![Role::Proposer],
                "m" => vec![Role::Matchmaker],
                "d" => vec![Role::Dependency],
                "r" => vec![Role::Replica],
                _ => vec![],
            };
            if name.starts_with('a') {
                node.acceptors.push((*name).into());
            }
        }
        file.acceptors = ["a1", "a2", "a3"].map(String::from).to_vec();
        Self::start(file)
    }

    pub(crate) fn start(file: ClusterFile) -> Self {
        Self::laid_out(file).started()
    }

    /// A new cluster of three processes that begins with the state in a backup.
    pub(crate) fn restored(backup: &Path) -> Self {
        Self::half_restored(backup, "n1,n2,n3").started()
    }

    /// The same with some of the nodes prepared, and none started.
    pub(crate) fn half_restored(backup: &Path, nodes: &str) -> Self {
        let file = ClusterFile::on_loopback("restored", 3, 6, 1).expect("three nodes");
        let cluster = Self::laid_out(file);
        cluster.restore(backup, nodes);
        cluster
    }

    /// Prepares nodes that have no directory.
    pub(crate) fn restore(&self, backup: &Path, nodes: &str) {
        let backup = backup.to_str().expect("a path of text");
        let arguments = ["restore", "--from", backup, "--node", nodes];
        let output = Self::kvs(&arguments, self.directory.path());
        assert!(output.status.success(), "{output:?}");
    }

    fn laid_out(mut file: ClusterFile) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let count = file.nodes.len() * 2;
        let mut addresses = free_addresses(count).into_iter();
        for node in &mut file.nodes {
            node.peer = addresses.next().expect("two for each node");
            node.client = addresses.next();
            node.data = Some(directory.path().join(&node.name));
        }
        let (processes, joiners, gone) = (Mutex::default(), Mutex::default(), Mutex::default());
        let cluster = Self { directory, file, processes, joiners, gone };
        fs::write(cluster.config(), cluster.file.to_toml()).expect("the cluster file is written");
        cluster
    }

    fn started(self) -> Self {
        let names: Vec<String> = self.file.nodes.iter().map(|node| node.name.clone()).collect();
        for name in &names {
            self.launch(name);
        }
        self.wait_until_serving();
        self
    }

    fn processes(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Child>> {
        self.processes.lock().expect("no holder panics")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.directory.path().join("cluster.toml")
    }

    /// Where the log of messages of a node goes.
    pub(crate) fn output(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.out"))
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts a node that does not run.
    pub(crate) fn launch(&self, name: &str) {
        self.spawn(name, &[]);
    }

    /// Starts a node that joins through the nodes called `seeds`, or has joined: with roles, if any are
    /// named, or else with all.
    pub(crate) fn launch_joiner(&self, name: &str, seeds: &[&str]) {
        let [peer, client] = self.addresses_of(name);
        let seeds: Vec<String> =
            seeds.iter().map(|seed| self.addresses_of(seed)[0].to_string()).collect();
        let (seeds, peer, client) = (seeds.join(","), peer.to_string(), client.to_string());
        let data = self.data(name);
        let data = data.to_str().expect("a path of text");
        self.spawn(name, &["--join", &seeds, "--peer", &peer, "--client", &client, "--data", data]);
    }

    /// Where others and clients reach a node. One that is not in the file gets addresses of its own.
    fn addresses_of(&self, name: &str) -> [SocketAddr; 2] {
        if let Ok(node) = self.file.node(name) {
            return [node.peer, node.client.expect("serves clients")];
        }
        let mut joiners = self.joiners.lock().expect("no holder panics");
        let addresses = || free_addresses(2).try_into().expect("two");
        *joiners.entry(name.into()).or_insert_with(addresses)
    }

    fn spawn(&self, name: &str, arguments: &[&str]) {
        let output = File::options().create(true).append(true).open(self.output(name));
        let output = output.expect("a file in the temporary directory");
        let process = Command::new(env!("CARGO_BIN_EXE_kvs"))
            .args(["serve", "--node", name, "--config"])
            .arg(self.config())
            .args(arguments)
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a duplicate"))
            .stderr(output)
            .spawn()
            .expect("the program starts");
        assert!(self.processes().insert(name.into(), process).is_none(), "{name} runs already");
    }

    /// Tells a node to stop, as an operator would, and waits until it has.
    pub(crate) fn terminate(&self, name: &str) {
        let id = self.processes().get(name).expect("it runs").id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(told.success(), "{name} cannot be told to stop");
        assert!(self.wait_for_end(name).success(), "{name} stops with an error");
    }

    /// Ends a node at once, as a crash would.
    pub(crate) fn kill(&self, name: &str) {
        let mut process = self.processes().remove(name).expect("it runs");
        process.kill().expect("it can be killed");
        process.wait().expect("it has ended");
    }

    /// Ends every node at once.
    pub(crate) fn kill_all(&self) {
        let mut processes = std::mem::take(&mut *self.processes());
        for process in processes.values_mut() {
            process.kill().expect("it can be killed");
        }
        for mut process in processes.into_values() {
            process.wait().expect("it has ended");
        }
    }

    /// Waits until a node has ended by itself.
    pub(crate) fn wait_for_end(&self, name: &str) -> ExitStatus {
        let mut process = self.processes().remove(name).expect("it runs");
        eventually("the process ends", || process.try_wait().expect("it is a child"))
    }

    /// Where Redis clients reach a node.
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        self.addresses_of(name)[1]
    }

    /// The nodes that serve clients.
    pub(crate) fn servers(&self) -> Vec<String> {
        let nodes = self.file.nodes.iter();
        let servers = nodes.filter(|node| node.roles.contains(&Role::Replica));
        let joiners = self.joiners.lock().expect("no holder panics");
        let servers = servers.map(|node| &node.name).chain(joiners.keys());
        let gone = self.gone.lock().expect("no holder panics");
        servers.filter(|name| !gone.contains(*name)).cloned().collect()
    }

    /// Takes nodes for removed.
    pub(crate) fn forget(&self, names: &[&str]) {
        let mut gone = self.gone.lock().expect("no holder panics");
        gone.extend(names.iter().map(ToString::to_string));
    }

    /// A connection to a node, as soon as it takes one.
    pub(crate) fn client(&self, name: &str) -> Client {
        let address = self.address(name);
        eventually("the node takes a connection", || Client::connect(address).ok())
    }

    /// Waits until every node that runs serves reads and writes.
    pub(crate) fn wait_until_serving(&self) {
        for name in self.servers() {
            if self.processes().contains_key(&name) {
                eventually("the node serves", || {
                    let mut client = Client::connect(self.address(&name)).ok()?;
                    let reply = client.command(&["SET", "serving", &name]).ok()?;
                    (reply == Reply::Simple("OK".into())).then_some(())
                });
            }
        }
    }

    /// How the cluster is, as seen from a node.
    pub(crate) fn status(&self, name: &str) -> Status {
        eventually("the status", || {
            let reply = self.client(name).command(&["KVS.STATUS"]).ok()?;
            match reply {
                Reply::Bulk(Some(json)) => serde_json::from_str(&json).ok(),
                _ => None,
            }
        })
    }

    /// Runs the program with `arguments`.
    pub(crate) fn kvs(arguments: &[&str], directory: &Path) -> Output {
        let command = Command::new(env!("CARGO_BIN_EXE_kvs"))
            .args(arguments)
            .current_dir(directory)
            .stdin(Stdio::null())
            .output();
        command.expect("the program starts")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in self.processes().values_mut() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            let joiners = self.joiners.lock().map(|joiners| joiners.keys().cloned().collect());
            let joiners: Vec<String> = joiners.unwrap_or_default();
            for name in self.file.nodes.iter().map(|node| &node.name).chain(&joiners) {
                let output = fs::read_to_string(self.output(name)).unwrap_or_default();
                eprintln!("--- {name}\n{output}");
            }
        }
    }
}

/// Loopback addresses that nobody listens on, and that no outgoing connection is given: they are below
/// the ports that the system hands out. No two calls of a test run return the same.
pub(crate) fn free_addresses(count: usize) -> Vec<SocketAddr> {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test runs at the same time begin at different places.
    let start = std::process::id().wrapping_mul(997);
    let candidates = std::iter::repeat_with(|| {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + start.wrapping_add(step) % COUNT;
        SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).expect("below 30,000")))
    });
    let free = candidates.take(COUNT as usize).filter(|address| TcpListener::bind(address).is_ok());
    let addresses: Vec<SocketAddr> = free.take(count).collect();
    assert_eq!(addresses.len(), count, "too few ports are free");
    addresses
}
