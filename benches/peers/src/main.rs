//! Time per command of consensus libraries, side by side: three replicas in one thread, messages
//! delivered at once, nothing on a disk and nothing over a network.
//!
//! ```console
//! $ cargo run --release --manifest-path benches/peers/Cargo.toml
//! $ cargo run --release --manifest-path benches/peers/Cargo.toml -- matchmaker omnipaxos 1 64
//! ```
//!
//! Commands are sixteen bytes in a `Bytes`; each is decided, read back and counted at all three
//! replicas. The rounds alternate, and medians are shown: a machine is not equally fast at all
//! times. Ours does more for each command than the others, which leave sessions to their users: it
//! executes a command once, however often it is sent, and answers the caller. What is not measured
//! here is what a driver adds; but openraft is tasks, and cannot be had without its driver: it runs on
//! a runtime of one thread.

mod omni;
mod open;
mod raft;
#[path = "../../benches/steps/world.rs"]
mod world;

use std::process::ExitCode;
use std::time::Instant;

/// Commands in flight.
const WINDOWS: [usize; 4] = [1, 64, 1024, 16_384];

/// How often each system is measured at each window.
const ROUNDS: usize = 5;

/// A library.
#[derive(Clone, Copy)]
enum System {
    Ours,
    OmniPaxos,
    Raft,
    OpenRaft,
}

const SYSTEMS: [System; 4] = [System::Ours, System::OmniPaxos, System::Raft, System::OpenRaft];

impl System {
    fn name(self) -> &'static str {
        match self {
            Self::Ours => "matchmaker (this project)",
            Self::OmniPaxos => "omnipaxos 0.2.4",
            Self::Raft => "raft 0.7.0",
            Self::OpenRaft => "openraft 0.9.25",
        }
    }

    /// Nanoseconds per command, with at most `window` of them in flight.
    fn nanos(self, window: usize) -> f64 {
        match self {
            Self::Ours => {
                let mut world = world::World::with_leader();
                time(window, |count| {
                    world.execute(count, window);
                })
            }
            Self::OmniPaxos => {
                let mut cluster = omni::Cluster::with_leader();
                time(window, |count| cluster.execute(count, window))
            }
            Self::Raft => {
                let mut cluster = raft::Cluster::with_leader();
                time(window, |count| cluster.execute(count, window))
            }
            Self::OpenRaft => {
                let mut cluster = open::Cluster::with_leader();
                time(window, |count| cluster.execute(count, window))
            }
        }
    }
}

/// Has commands executed, after some that do not count.
fn time(window: usize, mut execute: impl FnMut(usize)) -> f64 {
    let count = if window == 1 { 20_000 } else { 100_000 };
    execute(count / 10);
    let started = Instant::now();
    execute(count);
    started.elapsed().as_nanos() as f64 / count as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What is asked for: names of systems, and numbers in flight; all of either if none is named.
fn wanted(arguments: impl Iterator<Item = String>) -> Result<(Vec<System>, Vec<usize>), String> {
    let (mut systems, mut windows) = (Vec::new(), Vec::new());
    for argument in arguments {
        let named = SYSTEMS.into_iter().find(|system| system.name().starts_with(&argument));
        match (named, argument.parse()) {
            (Some(system), _) => systems.push(system),
            (None, Ok(window)) if window > 0 => windows.push(window),
            _ => {
                let names = SYSTEMS.map(System::name).join(", ");
                return Err(format!(
                    "{argument:?}: name one of {names}, or how many are in flight"
                ));
            }
        }
    }
    let systems = if systems.is_empty() { SYSTEMS.to_vec() } else { systems };
    let windows = if windows.is_empty() { WINDOWS.to_vec() } else { windows };
    Ok((systems, windows))
}

fn main() -> ExitCode {
    let (systems, windows) = match wanted(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(error) => {
            eprintln!("peers: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("durability: none, for any of them; all is in memory");
    println!("ns per command; median of {ROUNDS} rounds, and the fastest; ratio to the first");
    println!("{:<28}{:>10}{:>10}{:>10}{:>8}", "", "in flight", "median", "fastest", "ratio");
    for window in windows {
        let mut times = vec![Vec::new(); systems.len()];
        for _ in 0..ROUNDS {
            for (system, times) in systems.iter().zip(&mut times) {
                times.push(system.nanos(window));
            }
        }
        let first = median(times[0].clone());
        for (system, times) in systems.iter().zip(times) {
            let fastest = times.iter().copied().fold(f64::INFINITY, f64::min);
            let median = median(times);
            let (name, ratio) = (system.name(), median / first);
            println!("{name:<28}{window:>10}{median:>10.0}{fastest:>10.0}{ratio:>8.2}");
        }
    }
    ExitCode::SUCCESS
}
