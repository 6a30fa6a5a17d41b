//! Measures what messages cost the actors, on this machine.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::OnceLock;
use std::time::Instant;

use simulator::capacity::{
    Bpaxos, CostModel, Costs, Load, Matchmaker, Placement, Setup, Size, Stopwatch, Subject,
    Surroundings, lower_mean, measure,
};

use crate::error::{BenchError, Outcome};

/// Bytes of a message that is put into a socket: about what a proposal of one small command has.
const MESSAGE_BYTES: usize = 150;

/// How often.
const SOCKET_ROUNDS: usize = 20_000;

/// While steps are timed, each end of a message takes so long in virtual time.
const END_NS: u64 = 2000;

/// What messages and turns cost this machine, in processor time of one thread. The mean of the lower 95 % of
/// all times, since others may have had the processor in between.
///
/// *Errors*: of the loopback network.
pub(crate) fn measure_costs() -> Outcome<CostModel> {
    let (read_ns, write_ns) = sockets()?;
    let model = CostModel { matchmaker: steps::<Matchmaker>(2)?, bpaxos: steps::<Bpaxos>(5)? };
    Ok(model.with_sockets(read_ns, write_ns))
}

/// Of a cluster with so many proposers, whose modules are apart and at work.
fn steps<S: Subject>(proposers: usize) -> Outcome<Costs> {
    let setup = Setup {
        size: Size { failures: 1, proposers, placement: Placement::Modular },
        batch_max: 1,
        load: Load { clients: 100, hot_permille: 20, seed: 1 },
        surroundings: Surroundings::default(),
        warm_up_ns: 50_000_000,
        measured_ns: 200_000_000,
        wishes: Vec::new(),
    };
    let even = Costs { read_ns: END_NS, write_ns: END_NS, ..Costs::default() };
    let mut stopwatch = Stopwatch::new(clock);
    measure::<S>(&setup, &even, Some(&mut stopwatch)).map_err(BenchError::new)?;
    Ok(stopwatch.costs(Costs::default()))
}

fn clock() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// Getting a message out of a socket, and putting it in, with a system call each.
fn sockets() -> io::Result<(u64, u64)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    let mut message = [7; MESSAGE_BYTES];
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for _ in 0..SOCKET_ROUNDS {
        let begun_ns = clock();
        near.write_all(&message)?;
        let written_ns = clock();
        far.read_exact(&mut message)?;
        reads.push(clock() - written_ns);
        writes.push(written_ns - begun_ns);
    }
    Ok((lower_mean(reads), lower_mean(writes)))
}

/// A row for each kind of message.
pub(crate) fn cost_rows(model: &CostModel) -> Vec<Vec<String>> {
    let head = ["protocol", "receiver", "message", "step ns", "encode", "decode"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for (protocol, costs) in [("matchmaker", &model.matchmaker), ("bpaxos", &model.bpaxos)] {
        for (role, kinds) in &costs.messages {
            for (kind, cost) in kinds {
                let numbers =
                    [cost.step_ns, cost.encode_ns, cost.decode_ns].map(|ns| ns.to_string());
                let names = [protocol, role.name(), kind].map(String::from);
                rows.push(names.into_iter().chain(numbers).collect());
            }
        }
        for (role, cost) in &costs.turn_ends {
            let name = format!("end of turn, +{} for each message", cost.message_ns);
            let names = [protocol.to_owned(), role.name().to_owned(), name];
            rows.push(names.into_iter().chain([cost.idle_ns.to_string()]).collect());
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_that_matters_has_a_row() {
        let rows = cost_rows(&CostModel::measured());
        for kind in ["Phase2A", "Phase2B", "DependencyA", "Chosen", "Request"] {
            assert!(rows.iter().any(|row| row[2] == kind), "{kind}");
        }
    }
}
