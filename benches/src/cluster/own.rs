//! A cluster of `kvs serve` processes, on loopback, in a directory of their own.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use kvs::admin::Status;
use kvs::deployment::ClusterFile;
use tempfile::TempDir;

use super::{Child, Operator, Shape, free_addresses};
use crate::error::{BenchError, Outcome};
use crate::interrupt::Interrupt;

/// A cluster that ends with the program.
#[derive(Debug)]
pub(crate) struct OwnCluster {
    /// Before the directory: the processes end before it goes.
    children: BTreeMap<String, Child>,
    directory: TempDir,
    file: ClusterFile,
    program: PathBuf,
    interrupt: Interrupt,
    /// Nodes that joined, with their addresses for peers and for clients.
    joiners: BTreeMap<String, [SocketAddr; 2]>,
}

impl OwnCluster {
    /// Starts the cluster with its data in a new directory inside `parent`, and waits until it
    /// serves.
    ///
    /// *Errors*: `program` is not there, or a node does not start; the text quotes what it said.
    pub(crate) fn start(
        program: &Path,
        shape: Shape,
        parent: &Path,
        interrupt: &Interrupt,
    ) -> Outcome<Self> {
        let directory = TempDir::with_prefix_in("bench-", parent)?;
        let file = shape.file(directory.path())?;
        fs::write(directory.path().join("cluster.toml"), file.to_toml())?;
        let (children, joiners) = (BTreeMap::new(), BTreeMap::new());
        let (program, interrupt) = (program.to_owned(), interrupt.clone());
        let mut cluster = Self { children, directory, file, program, interrupt, joiners };
        let names: Vec<String> = cluster.file.nodes.iter().map(|node| node.name.clone()).collect();
        names.iter().try_for_each(|name| cluster.launch(name, &[]))?;
        names.iter().try_for_each(|name| cluster.wait_until_serving(name))?;
        Ok(cluster)
    }

    /// The description of the cluster.
    pub(crate) fn file(&self) -> &ClusterFile {
        &self.file
    }

    /// Where clients reach the nodes that run and serve them.
    pub(crate) fn servers(&self) -> Vec<SocketAddr> {
        self.children.keys().filter_map(|name| self.client_address(name)).collect()
    }

    /// The processes that run, by name, with their ids.
    pub(crate) fn processes(&self) -> impl Iterator<Item = (&str, u32)> {
        self.children.iter().map(|(name, child)| (name.as_str(), child.id()))
    }

    /// An operator at any node that runs and serves.
    ///
    /// *Errors*: none does.
    pub(crate) fn operator(&self) -> Outcome<Operator> {
        let mut last = BenchError::new("no node of the cluster serves clients any more");
        for address in self.servers() {
            match Operator::connect(address) {
                Ok(operator) => return Ok(operator),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// An operator at the node called `name`.
    ///
    /// *Errors*: it serves no clients, or does not run.
    pub(crate) fn operator_at(&self, name: &str) -> Outcome<Operator> {
        let address = self.client_address(name);
        Operator::connect(
            address.ok_or_else(|| {
                BenchError::new(format_args!("the node {name} serves no clients"))
            })?,
        )
    }

    /// How the cluster is.
    ///
    /// *Errors*: nobody answers, or nobody leads.
    pub(crate) fn status(&self) -> Outcome<Box<Status>> {
        self.operator()?.status()
    }

    /// Whether the node called `name` runs.
    pub(crate) fn runs(&self, name: &str) -> bool {
        self.children.contains_key(name)
    }

    /// Ends a node at once, as a crash would: by SIGKILL to its process.
    ///
    /// *Errors*: it does not run.
    pub(crate) fn kill(&mut self, name: &str) -> Outcome<()> {
        let child = self.children.remove(name);
        drop(child.ok_or_else(|| BenchError::new(format_args!("the node {name} does not run")))?);
        Ok(())
    }

    /// Starts a node of the file that does not run, without waiting for it.
    ///
    /// *Errors*: it runs, or cannot be started.
    pub(crate) fn restart(&mut self, name: &str) -> Outcome<()> {
        if self.runs(name) {
            return Err(BenchError::new(format_args!("the node {name} runs already")));
        }
        self.launch(name, &[])
    }

    /// Starts a new node that wants to join.
    ///
    /// *Errors*: it cannot be started.
    pub(crate) fn launch_joiner(&mut self, name: &str) -> Outcome<()> {
        let addresses: [SocketAddr; 2] = free_addresses(2)?
            .try_into()
            .map_err(|_| BenchError::new("two ports were asked for"))?;
        self.joiners.insert(name.to_owned(), addresses);
        let running = self.file.nodes.iter().filter(|node| self.runs(&node.name));
        let seeds: Vec<String> = running.map(|node| node.peer.to_string()).collect();
        let data = self.directory.path().join(name).display().to_string();
        let (seeds, [peer, client]) = (seeds.join(","), addresses.map(|a| a.to_string()));
        self.launch(
            name,
            &["--join", &seeds, "--peer", &peer, "--client", &client, "--data", &data],
        )
    }

    fn client_address(&self, name: &str) -> Option<SocketAddr> {
        match self.joiners.get(name) {
            Some([_, client]) => Some(*client),
            None => self.file.node(name).ok()?.client,
        }
    }

    fn launch(&mut self, name: &str, arguments: &[&str]) -> Outcome<()> {
        let mut command = Command::new(&self.program);
        command.args(["serve", "--node", name, "--config"]);
        command.arg(self.directory.path().join("cluster.toml")).args(arguments);
        let child = Child::start(name, &mut command, self.directory.path())?;
        self.children.insert(name.to_owned(), child);
        Ok(())
    }

    fn wait_until_serving(&mut self, name: &str) -> Outcome<()> {
        let Some(address) = self.client_address(name) else { return Ok(()) };
        let Some(child) = self.children.get_mut(name) else { return Ok(()) };
        child.wait_until_ready(&self.interrupt, || {
            let served = Operator::connect(address);
            served.and_then(|mut operator| operator.call(&["SET", "serving", "yes"])).is_ok()
        })
    }
}

/// The program `kvs`: the one that was named, or the one beside this program.
///
/// *Errors*: it is not there.
pub(crate) fn program(named: Option<&Path>) -> Outcome<PathBuf> {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join("kvs"));
    let path = named.map(Path::to_owned).or_else(beside).unwrap_or_else(|| "kvs".into());
    match path.is_file() {
        true => Ok(path),
        false => Err(BenchError::new(format_args!(
            "there is no program {}: build it with `cargo build --release -p kvs`, or name it with --kvs",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_told_with_the_cure() {
        let error = program(Some(Path::new("/no/such/kvs"))).expect_err("it is missing");
        assert!(error.to_string().contains("cargo build --release -p kvs"), "{error}");
    }
}
