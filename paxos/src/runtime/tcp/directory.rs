//! Which process has which seats, and where it listens.

use std::collections::BTreeMap;
use std::io;

use crate::actor::Seat;
use crate::runtime::data_dir::check_name;

/// One process of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// Its name, unique in the cluster.
    pub name: String,
    /// Where it listens: `host:port`. A host name is looked up at each attempt to connect.
    pub address: String,
    /// The seats of its actors and of its application. A seat belongs to one process.
    pub seats: Vec<Seat>,
}

/// The processes that a process can reach, and what it may believe of whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Directory {
    processes: BTreeMap<String, Process>,
    names: BTreeMap<Seat, String>,
}

impl Directory {
    /// Builds the table.
    ///
    /// *Errors*: two processes have the same name or the same seat; a name is empty or too long.
    pub fn new(processes: impl IntoIterator<Item = Process>) -> io::Result<Self> {
        let mut directory = Self::default();
        for process in processes {
            check_name("process", &process.name)?;
            for seat in &process.seats {
                if let Some(other) = directory.names.insert(*seat, process.name.clone()) {
                    return Err(invalid(&format!(
                        "seat {} is given to {other:?} and to {:?}: give each process its own",
                        seat.0, process.name
                    )));
                }
            }
            let name = process.name.clone();
            if directory.processes.insert(name.clone(), process).is_some() {
                return Err(invalid(&format!("two processes are named {name:?}: rename one")));
            }
        }
        Ok(directory)
    }

    /// All processes, by name.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.processes.values()
    }

    /// The process called `name`.
    pub fn process(&self, name: &str) -> Option<&Process> {
        self.processes.get(name)
    }

    /// The name of the process that has `seat`.
    pub fn name_of(&self, seat: Seat) -> Option<&str> {
        self.names.get(&seat).map(String::as_str)
    }

    /// The process called `name`.
    ///
    /// *Errors*: there is none.
    pub(in crate::runtime) fn require(&self, name: &str) -> io::Result<&Process> {
        self.process(name).ok_or_else(|| {
            invalid(&format!("process {name:?} is not in the directory: add its name and address"))
        })
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
