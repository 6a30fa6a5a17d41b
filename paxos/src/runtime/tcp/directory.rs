//! Which process has which seats and which memory, and where it listens.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::actor::{Incarnation, Seat};
use crate::runtime::data_dir::check_name;
use crate::runtime::founding::Roster;

/// One process of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// Its name, unique in the cluster.
    pub name: String,
    /// Where it listens: `host:port`. A host name is looked up at each attempt to connect.
    pub address: String,
    /// The seats of its actors and of its application. A seat belongs to one process.
    pub seats: Vec<Seat>,
    /// The only memory under which it is talked to; `None` while any will do.
    pub incarnation: Option<Incarnation>,
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

    /// The same, with the incarnations of `roster` where none is known.
    pub(in crate::runtime) fn vouched_for_by(mut self, roster: &Roster) -> Self {
        for (name, process) in &mut self.processes {
            process.incarnation = process.incarnation.or_else(|| roster.0.get(name).copied());
        }
        self
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

    /// *Errors*: the reason to refuse a process that does not have the memory that the cluster knows.
    pub(in crate::runtime) fn check_incarnation(
        &self,
        name: &str,
        incarnation: Incarnation,
    ) -> Result<(), String> {
        match self.process(name).and_then(|process| process.incarnation) {
            Some(known) if known != incarnation => Err(format!(
                "{name:?} has incarnation {:x}, and the cluster knows it as {:x}: its disk was wiped or \
                 exchanged; put the old data directory back as it was last; if it is lost, start \
                 {name:?} to join with an empty one and have the cluster replace {name:?} by it",
                incarnation.0, known.0
            )),
            _ => Ok(()),
        }
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

/// What a transport goes by at one moment.
#[derive(Debug)]
pub(super) struct Edition {
    pub(super) directory: Directory,
    /// What a process that joins is told once it is in the directory. For its application.
    pub(super) welcome: Vec<u8>,
}

/// The directory of a transport that runs, which changes with the cluster. Clones share it.
#[derive(Clone, Debug)]
pub struct DirectoryHandle(Arc<Editions>);

#[derive(Debug)]
struct Editions {
    current: RwLock<Arc<Edition>>,
    /// Counts the editions, for those who look often.
    number: AtomicU64,
}

impl DirectoryHandle {
    pub(super) fn new(directory: Directory) -> Self {
        let edition = Edition { directory, welcome: Vec::new() };
        let current = RwLock::new(Arc::new(edition));
        Self(Arc::new(Editions { current, number: AtomicU64::new(0) }))
    }

    /// Goes by `directory` from now on: dials who is new in it, and leaves who is not in it any more,
    /// or is there with another memory. Processes that join and are in it are told `welcome`.
    pub fn replace(&self, directory: Directory, welcome: Vec<u8>) {
        let edition = Arc::new(Edition { directory, welcome });
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = edition;
        self.0.number.fetch_add(1, Ordering::Release);
    }

    pub(super) fn current(&self) -> Arc<Edition> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn number(&self) -> u64 {
        self.0.number.load(Ordering::Acquire)
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
