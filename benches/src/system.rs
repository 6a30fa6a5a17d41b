//! The systems that a load is put on: what they promise, and what they use.

use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic;

use kvs::deployment::Protocol as Ordering;
use kvs::local::LocalCluster;
use kvs::store::{Store, StoreLimits};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::cluster::{EtcdCluster, Operator, OwnCluster, RedisServer, Shape, program};
use crate::error::{BenchError, Outcome};
use crate::interrupt::Interrupt;
use crate::load::{Protocol, Subject};
use crate::machine::ProcessUsage;
use crate::workload::Workload;

/// Which system, as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Processes of `kvs serve`, started and stopped by this program, which order commands so.
    Own(Ordering),
    /// A cluster inside this process, with its log on disk.
    InProcess,
    /// One unreplicated `redis-server` that syncs every write, started and stopped by this program.
    RedisServer,
    /// Three processes of `etcd`, started and stopped by this program.
    Etcd,
    /// Servers that run already.
    Servers(Protocol, Vec<SocketAddr>),
}

impl Target {
    /// Why it cannot be measured on this machine, if it cannot.
    pub(crate) fn missing(&self) -> Option<String> {
        let (program, package) = match self {
            Self::RedisServer => (RedisServer::PROGRAM, "redis-server"),
            Self::Etcd => (EtcdCluster::PROGRAM, "etcd-server"),
            Self::Own(_) | Self::InProcess | Self::Servers(..) => return None,
        };
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let is_there = std::env::split_paths(&paths).any(|path| path.join(program).is_file());
        (!is_there).then(|| format!("there is no program {program}; Debian has it in {package}"))
    }

    /// What its servers speak.
    fn protocol(&self) -> Protocol {
        match self {
            Self::Etcd | Self::Servers(Protocol::Etcd, _) => Protocol::Etcd,
            Self::Own(_)
            | Self::InProcess
            | Self::RedisServer
            | Self::Servers(Protocol::Redis, _) => Protocol::Redis,
        }
    }

    /// Whether `workload` can be put on it.
    ///
    /// *Errors*: it cannot; the text says why.
    pub(crate) fn check(&self, workload: &Workload) -> Outcome<()> {
        const ETCD_VALUE_BYTES_MAX: usize = 32_768;
        match self.protocol() {
            Protocol::Etcd if workload.pipeline > 1 => Err(BenchError::new(
                "etcd answers the calls of one connection in any order: use more --clients and no --pipeline",
            )),
            Protocol::Etcd if workload.value_bytes > ETCD_VALUE_BYTES_MAX => {
                Err(BenchError::new(format_args!(
                    "a value for etcd must fit the window that it opens at first: at most \
                     {ETCD_VALUE_BYTES_MAX} bytes"
                )))
            }
            Protocol::Etcd | Protocol::Redis => Ok(()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own(Ordering::Matchmaker) => "own",
            Self::Own(Ordering::Bpaxos) => "own-bpaxos",
            Self::InProcess => "in-process",
            Self::RedisServer => "redis-server",
            Self::Etcd => "etcd",
            Self::Servers(_, servers) => return f.write_str(&listed(servers)),
        })
    }
}

fn listed(servers: &[SocketAddr]) -> String {
    servers.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",")
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "own" => return Ok(Self::Own(Ordering::Matchmaker)),
            "own-bpaxos" => return Ok(Self::Own(Ordering::Bpaxos)),
            "in-process" => return Ok(Self::InProcess),
            "redis-server" => return Ok(Self::RedisServer),
            "etcd" => return Ok(Self::Etcd),
            _ => {}
        }
        let (protocol, list) = match text.split_once("://") {
            Some(("redis", list)) => (Protocol::Redis, list),
            Some(("etcd", list)) => (Protocol::Etcd, list),
            _ => {
                return Err(format!(
                    "{text:?} is no target: write own, own-bpaxos, in-process, redis-server, etcd, or \
                     redis://HOST:PORT[,HOST:PORT...], or etcd://HOST:PORT[,...]"
                ));
            }
        };
        let servers = list.split(',').map(address).collect::<Result<_, _>>()?;
        Ok(Self::Servers(protocol, servers))
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let wrong = |cause: String| format!("{text:?} is no HOST:PORT: {cause}");
    let mut found = text.to_socket_addrs().map_err(|error| wrong(error.to_string()))?;
    found.next().ok_or_else(|| wrong("the host has no address".into()))
}

/// Where and how systems are started.
#[derive(Clone, Debug)]
pub(crate) struct Workshop {
    /// The program `kvs`, if it is not the one beside this program.
    pub(crate) kvs: Option<PathBuf>,
    /// Data directories are made in here.
    pub(crate) data: PathBuf,
    pub(crate) shape: Shape,
    pub(crate) interrupt: Interrupt,
}

/// A system that runs. One that was started for the measurement ends with it.
pub(crate) enum System {
    Own(OwnCluster),
    InProcess { cluster: LocalCluster, _directory: TempDir },
    RedisServer(RedisServer),
    Etcd(EtcdCluster),
    Servers(Protocol, Vec<SocketAddr>),
}

impl System {
    /// Starts, or finds, the system that was asked for.
    ///
    /// *Errors*: it does not start, or a program is missing.
    pub(crate) fn start(target: &Target, workshop: &Workshop, runtime: &Runtime) -> Outcome<Self> {
        let Workshop { kvs, data, shape, interrupt } = workshop;
        match target {
            Target::Own(ordering) => {
                let kvs = program(kvs.as_deref())?;
                let shape = Shape { ordering: *ordering, ..*shape };
                OwnCluster::start(&kvs, shape, data, interrupt).map(Self::Own)
            }
            Target::InProcess => {
                let directory = TempDir::with_prefix_in("bench-", data)?;
                let _entered = runtime.enter();
                let machine = || Store::new(StoreLimits::default());
                let cluster = LocalCluster::open(directory.path(), machine)?;
                Ok(Self::InProcess { cluster, _directory: directory })
            }
            Target::RedisServer => RedisServer::start(data, interrupt).map(Self::RedisServer),
            Target::Etcd => EtcdCluster::start(data, interrupt).map(Self::Etcd),
            Target::Servers(protocol, servers) => {
                if *protocol == Protocol::Redis {
                    servers.iter().try_for_each(|server| {
                        Operator::connect(*server)?.call(&["PING"]).map(|_| ())
                    })?;
                }
                Ok(Self::Servers(*protocol, servers.clone()))
            }
        }
    }

    /// What the load is put on.
    pub(crate) fn servers(&self) -> Vec<SocketAddr> {
        match self {
            Self::Own(cluster) => cluster.servers(),
            Self::InProcess { .. } => Vec::new(),
            Self::RedisServer(redis) => vec![redis.address()],
            Self::Etcd(etcd) => etcd.servers(),
            Self::Servers(_, servers) => servers.clone(),
        }
    }

    /// The same, as the load takes it.
    pub(crate) fn subject<'a>(&'a self, servers: &'a [SocketAddr]) -> Subject<'a> {
        match self {
            Self::InProcess { cluster, .. } => Subject::Embedded(cluster),
            Self::Own(_) | Self::RedisServer(_) => Subject::Servers(Protocol::Redis, servers),
            Self::Etcd(_) => Subject::Servers(Protocol::Etcd, servers),
            Self::Servers(protocol, _) => Subject::Servers(*protocol, servers),
        }
    }

    /// What it is, in a few words.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Own(cluster) => {
                let count = cluster.file().nodes.len();
                match cluster.file().protocol {
                    Ordering::Matchmaker => format!("kvs, {count} processes"),
                    Ordering::Bpaxos => format!("kvs with BPaxos, {count} processes"),
                }
            }
            Self::InProcess { .. } => "kvs, 3 nodes in this process".into(),
            Self::RedisServer(_) => "redis-server, 1 process".into(),
            Self::Etcd(etcd) => format!("etcd, {} processes", etcd.servers().len()),
            Self::Servers(_, servers) => listed(servers),
        }
    }

    /// What it promises when it has answered a write.
    pub(crate) fn durability(&self) -> &'static str {
        match self {
            Self::Own(_) | Self::InProcess { .. } => {
                "on disk (fdatasync) at a quorum of the acceptors before the reply"
            }
            Self::Etcd(_) => "on disk (fdatasync) at a majority before the reply",
            Self::RedisServer(_) => {
                "on the disk of one machine (appendfsync always) before the reply; not replicated"
            }
            Self::Servers(..) => "as the servers are configured",
        }
    }

    /// What its processes have used and done so far.
    ///
    /// *Errors*: one of its own processes is gone.
    pub(crate) fn usage(&self) -> Outcome<Vec<NodeUsage>> {
        match self {
            Self::Own(cluster) => {
                cluster.processes().map(|(name, id)| own_usage(cluster, name, id)).collect()
            }
            Self::InProcess { cluster, .. } => Ok(vec![embedded_usage(cluster)?]),
            Self::RedisServer(redis) => Ok(vec![NodeUsage::of("redis".into(), redis.id())?]),
            Self::Etcd(etcd) => {
                etcd.processes().map(|(name, id)| Ok(NodeUsage::of(name, id)?)).collect()
            }
            Self::Servers(Protocol::Redis, servers) => servers.iter().map(remote_usage).collect(),
            Self::Servers(Protocol::Etcd, _) => Ok(Vec::new()),
        }
    }
}

/// What a process has used and done so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeUsage {
    pub(crate) name: String,
    /// Nothing if it runs on another machine.
    pub(crate) process: Option<ProcessUsage>,
    /// Times that its log waited for the disk, if it says so.
    pub(crate) fdatasyncs: Option<u64>,
    /// Bytes written to its log, if it says so.
    pub(crate) log_bytes: Option<u64>,
}

impl NodeUsage {
    /// Of a process that says nothing by itself.
    fn of(name: String, id: u32) -> io::Result<Self> {
        let process = Some(ProcessUsage::of(id)?);
        Ok(Self { name, process, fdatasyncs: None, log_bytes: None })
    }
}

fn own_usage(cluster: &OwnCluster, name: &str, id: u32) -> Outcome<NodeUsage> {
    // One that hosts acceptors alone serves no clients, and cannot be asked.
    let info = cluster.operator_at(name).and_then(|mut operator| operator.info()).ok();
    Ok(NodeUsage {
        name: name.to_owned(),
        process: Some(ProcessUsage::of(id)?),
        fdatasyncs: info.as_ref().and_then(|info| info.number("fdatasyncs")),
        log_bytes: info.as_ref().and_then(|info| info.number("log_bytes")),
    })
}

fn embedded_usage(cluster: &LocalCluster) -> Outcome<NodeUsage> {
    let stats: Vec<_> = cluster.processes().iter().map(|process| process.log_stats()).collect();
    Ok(NodeUsage {
        name: "this process, with the load".into(),
        process: Some(ProcessUsage::of(std::process::id())?),
        fdatasyncs: Some(stats.iter().map(|log| log.syncs.load(atomic::Ordering::Relaxed)).sum()),
        log_bytes: Some(stats.iter().map(|log| log.bytes.load(atomic::Ordering::Relaxed)).sum()),
    })
}

/// A server that was there before. If it runs on this machine its process is looked at, too.
fn remote_usage(address: &SocketAddr) -> Outcome<NodeUsage> {
    let info = Operator::connect(*address)?.info().ok();
    let number = |name| info.as_ref().and_then(|info| info.number(name));
    let id = number("process_id").and_then(|id| u32::try_from(id).ok());
    let process = id.filter(|_| address.ip().is_loopback());
    Ok(NodeUsage {
        name: address.to_string(),
        process: process.and_then(|id| ProcessUsage::of(id).ok()),
        fdatasyncs: number("fdatasyncs"),
        log_bytes: number("log_bytes"),
    })
}

/// Bytes that all programs of the machine have sent over loopback, with headers; nothing if the
/// kernel does not say.
pub(crate) fn loopback_bytes() -> Option<u64> {
    received_bytes(&fs::read_to_string("/proc/net/dev").ok()?)
}

fn received_bytes(text: &str) -> Option<u64> {
    let (_, counters) = text.lines().find_map(|line| line.trim().split_once("lo:"))?;
    counters.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read() {
        assert_eq!("own".parse(), Ok(Target::Own(Ordering::Matchmaker)));
        assert_eq!("own-bpaxos".parse(), Ok(Target::Own(Ordering::Bpaxos)));
        assert_eq!("in-process".parse(), Ok(Target::InProcess));
        let [one, two] = [6380, 6381].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let parsed = "redis://127.0.0.1:6380,127.0.0.1:6381".parse();
        assert_eq!(parsed, Ok(Target::Servers(Protocol::Redis, vec![one, two])));
        assert_eq!("etcd://127.0.0.1:6380".parse(), Ok(Target::Servers(Protocol::Etcd, vec![one])));
    }

    #[test]
    fn what_is_no_target_is_refused_with_what_is() {
        let cause = "http://x".parse::<Target>().expect_err("no target");
        assert!(cause.contains("redis://HOST:PORT"), "{cause}");
        let cause = "redis://127.0.0.1".parse::<Target>().expect_err("no port");
        assert!(cause.contains("no HOST:PORT"), "{cause}");
    }

    #[test]
    fn loopback_is_found_among_the_interfaces() {
        let text = "Inter-|   Receive\n face |bytes\n    lo: 1234 5 0\n  eth0: 9 1 0\n";
        assert_eq!(received_bytes(text), Some(1234));
        assert_eq!(received_bytes("  eth0: 9 1\n"), None);
    }
}
