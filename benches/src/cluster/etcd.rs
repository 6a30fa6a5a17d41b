//! Three processes of etcd, on loopback.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::{Child, free_addresses};
use crate::error::{BenchError, Outcome};
use crate::interrupt::Interrupt;

/// As many processes as our own cluster has by default.
const COUNT: usize = 3;

/// How long one question may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// A process of etcd, or one that was killed.
#[derive(Debug)]
struct Node {
    name: String,
    server: SocketAddr,
    arguments: Vec<String>,
    child: Option<Child>,
}

/// A cluster of etcd that ends with the program.
#[derive(Debug)]
pub(crate) struct EtcdCluster {
    /// Before the directory: the processes end before it goes.
    nodes: Vec<Node>,
    directory: TempDir,
}

impl EtcdCluster {
    /// The program.
    pub(crate) const PROGRAM: &str = "etcd";

    /// Starts the cluster with its data in a new directory inside `parent`, as etcd is by default:
    /// every write is on disk at a majority before it is answered.
    ///
    /// *Errors*: the program is missing, or a node does not start.
    pub(crate) fn start(parent: &Path, interrupt: &Interrupt) -> Outcome<Self> {
        let directory = TempDir::with_prefix_in("bench-", parent)?;
        let nodes = nodes(&free_addresses(2 * COUNT)?, directory.path());
        let mut cluster = Self { nodes, directory };
        (0..COUNT).try_for_each(|place| cluster.launch(place))?;
        for Node { child, server, .. } in &mut cluster.nodes {
            if let Some(child) = child {
                child.wait_until_ready(interrupt, || is_healthy(*server).unwrap_or(false))?;
            }
        }
        Ok(cluster)
    }

    /// The processes that run, by name, with their ids.
    pub(crate) fn processes(&self) -> impl Iterator<Item = (String, u32)> {
        self.nodes.iter().filter_map(|node| Some((node.name.clone(), node.child.as_ref()?.id())))
    }

    /// Where clients reach them.
    pub(crate) fn servers(&self) -> Vec<SocketAddr> {
        let running = self.nodes.iter().filter(|node| node.child.is_some());
        running.map(|node| node.server).collect()
    }

    /// Ends the leader at once, by SIGKILL to its process. Returns its name.
    ///
    /// *Errors*: nobody leads.
    pub(crate) fn kill_leader(&mut self) -> Outcome<String> {
        let running = self.nodes.iter_mut().filter(|node| node.child.is_some());
        let mut leaders = running.filter(|node| leads(node.server).unwrap_or(false));
        let leader = leaders.next().ok_or_else(|| BenchError::new("no node of etcd leads"))?;
        leader.child = None;
        Ok(leader.name.clone())
    }

    /// Starts the nodes again that were killed, without waiting for them.
    ///
    /// *Errors*: one cannot be started.
    pub(crate) fn restart(&mut self) -> Outcome<()> {
        let stopped = |place: &usize| self.nodes[*place].child.is_none();
        let places: Vec<usize> = (0..COUNT).filter(stopped).collect();
        places.into_iter().try_for_each(|place| self.launch(place))
    }

    fn launch(&mut self, place: usize) -> Outcome<()> {
        let node = &mut self.nodes[place];
        let mut command = Command::new(Self::PROGRAM);
        command.args(&node.arguments);
        node.child = Some(Child::start(&node.name, &mut command, self.directory.path())?);
        Ok(())
    }
}

/// Who they are: with the addresses for peers first, those for clients after them.
fn nodes(addresses: &[SocketAddr], directory: &Path) -> Vec<Node> {
    let (peers, servers) = addresses.split_at(addresses.len() / 2);
    let cluster = (1..).zip(peers).map(|(number, peer)| format!("e{number}=http://{peer}"));
    let cluster = cluster.collect::<Vec<_>>().join(",");
    let node = |(number, (peer, server)): (usize, (&SocketAddr, &SocketAddr))| {
        let name = format!("e{number}");
        let data = directory.join(&name).display().to_string();
        let [peer_url, client_url] = [peer, server].map(|address| format!("http://{address}"));
        let options = [
            ("--name", &name),
            ("--data-dir", &data),
            ("--listen-peer-urls", &peer_url),
            ("--initial-advertise-peer-urls", &peer_url),
            ("--listen-client-urls", &client_url),
            ("--advertise-client-urls", &client_url),
            ("--initial-cluster", &cluster),
            ("--initial-cluster-state", &"new".to_owned()),
            ("--logger", &"zap".to_owned()),
            ("--log-level", &"error".to_owned()),
        ];
        let arguments =
            options.iter().flat_map(|(name, value)| [(*name).to_owned(), (*value).clone()]);
        Node { arguments: arguments.collect(), name, server: *server, child: None }
    };
    (1..).zip(peers.iter().zip(servers)).map(node).collect()
}

/// Whether a node says that it is healthy: it has a leader, and can write.
fn is_healthy(server: SocketAddr) -> io::Result<bool> {
    let reply = ask(server, "GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    Ok(reply.contains("\"health\":\"true\""))
}

/// Whether a node says that it leads.
fn leads(server: SocketAddr) -> io::Result<bool> {
    let request =
        "POST /v3/maintenance/status HTTP/1.0\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";
    Ok(says_that_it_leads(&ask(server, request)?))
}

fn says_that_it_leads(reply: &str) -> bool {
    let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let status: Value = serde_json::from_str(body).unwrap_or_default();
    status["leader"].is_string() && status["leader"] == status["header"]["member_id"]
}

fn ask(server: SocketAddr, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&server, ANSWER_TIMEOUT)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.write_all(request.as_bytes())?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_is_one_that_names_itself() {
        let reply = |member: &str, leader: &str| {
            let body =
                format!("{{\"header\":{{\"member_id\":\"{member}\"}},\"leader\":\"{leader}\"}}");
            format!("HTTP/1.0 200 OK\r\nContent-Type: x\r\n\r\n{body}")
        };
        assert!(says_that_it_leads(&reply("7", "7")));
        assert!(!says_that_it_leads(&reply("7", "8")));
        assert!(!says_that_it_leads("HTTP/1.0 404 Not Found\r\n\r\n"));
        assert!(!says_that_it_leads("HTTP/1.0 200 OK\r\n\r\n{}"));
    }

    #[test]
    fn every_node_knows_all_of_them() {
        let addresses: Vec<SocketAddr> =
            (1..=6).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        let nodes = nodes(&addresses, Path::new("/data"));
        let all = "e1=http://127.0.0.1:1,e2=http://127.0.0.1:2,e3=http://127.0.0.1:3";
        assert!(nodes.iter().all(|node| node.arguments.contains(&all.to_owned())));
        assert_eq!(nodes[1].server, addresses[4]);
        assert!(nodes[2].arguments.contains(&"/data/e3".to_owned()));
    }
}
