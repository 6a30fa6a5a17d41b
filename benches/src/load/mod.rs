//! Puts a load on a system and counts what happens.
//!
//! The clients are tasks of a tokio runtime with as many threads as the plan says; the thread that
//! calls [`drive`] watches them. In an open loop a thread of its own wakes each client when its
//! command is due: the timers of tokio are a millisecond coarse, and those of the system are not.

mod codec;
mod connection;
mod embedded;
mod flow;
mod prefill;
mod recorder;
mod run;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kvs::local::LocalCluster;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use self::connection::{Connection, connect};
use self::embedded::Caller;
use self::flow::Flow;
use crate::error::{BenchError, Outcome};
use crate::interrupt::Interrupt;
use crate::workload::{Schedule, Values};

pub(crate) use codec::Protocol;
#[cfg(test)]
pub(crate) use flow::Pending;
pub(crate) use prefill::prefill;
pub(crate) use recorder::{BUCKET, RUN_MAX, Recorder, Sample};
pub(crate) use run::{Plan, Run};

/// How long commands may stay without an answer after the load has ended.
const DRAIN: Duration = Duration::from_secs(2);

/// How often the watching thread looks.
const WATCH_PERIOD: Duration = Duration::from_millis(20);

/// A system that a load is put on.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// Servers, and what they speak; clients are spread over them.
    Servers(Protocol, &'a [SocketAddr]),
    /// A cluster in this process.
    Embedded(&'a LocalCluster),
}

/// What the watching thread sees of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The measured part begins.
    Begin,
    /// The run goes on.
    During,
    /// The measured part is over.
    End,
}

/// The runtime that clients, and a cluster in this process, run on.
///
/// *Errors*: the system gives no threads.
pub(crate) fn runtime(threads: usize) -> Outcome<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.worker_threads(threads.max(1)).enable_all().build()?)
}

/// Puts the load of `plan` on `subject`. `watch` is told of the beginning and the end of the
/// measured part, and now and then in between.
///
/// *Errors*: a client cannot connect; the program was interrupted.
pub(crate) fn drive(
    runtime: &Runtime,
    subject: Subject<'_>,
    plan: &Plan,
    interrupt: &Interrupt,
    mut watch: impl FnMut(Moment, &Run) -> Outcome<()>,
) -> Outcome<Recorder> {
    let mut clients = JoinSet::new();
    let run = start(runtime, subject, plan, &mut clients)?;
    let watched = watch_until_end(&run, interrupt, &mut watch);
    runtime.block_on(async {
        let drain = async { while clients.join_next().await.is_some() {} };
        // Those that hang are given up, and count their commands then.
        let _ = tokio::time::timeout(DRAIN, drain).await;
        clients.shutdown().await;
    });
    watched?;
    Ok(run.merged())
}

fn watch_until_end(
    run: &Run,
    interrupt: &Interrupt,
    watch: &mut impl FnMut(Moment, &Run) -> Outcome<()>,
) -> Outcome<()> {
    let mut has_begun = false;
    while !run.is_over() && run.now() < run.measured().end {
        interrupt.check()?;
        if !has_begun && run.now() >= run.measured().start {
            has_begun = true;
            watch(Moment::Begin, run)?;
        }
        watch(Moment::During, run)?;
        let end = match has_begun {
            true => run.measured().end,
            false => run.measured().start,
        };
        std::thread::sleep(WATCH_PERIOD.min(end.saturating_sub(run.now())));
    }
    if !has_begun {
        watch(Moment::Begin, run)?;
    }
    watch(Moment::End, run)
}

/// Connects all clients, and starts them at once.
fn start(
    runtime: &Runtime,
    subject: Subject<'_>,
    plan: &Plan,
    clients: &mut JoinSet<()>,
) -> Outcome<Arc<Run>> {
    let workload = &plan.workload;
    let values = Values::new(workload);
    let end = plan.measured().end;
    // A caller in this process has one command under way, so several of them make a pipeline.
    let (count, pipeline) = match subject {
        Subject::Servers(..) => (workload.clients, workload.pipeline),
        Subject::Embedded(_) => (workload.clients * workload.pipeline, 1),
    };
    let schedule = workload.rate.map(|rate| Schedule::new(rate, count));
    let due: Vec<Arc<Notify>> = (0..count).map(|_| Arc::default()).collect();
    let flow = |client| Flow::new(client, pipeline, schedule, end);
    let _entered = runtime.enter();
    let run = match subject {
        Subject::Servers(protocol, servers) => {
            let streams = runtime.block_on(connect_all(servers, count))?;
            let run = Arc::new(Run::start(plan, count));
            for ((client, stream), due) in streams.into_iter().enumerate().zip(&due) {
                let who = (client, Arc::clone(&run));
                let at = (protocol, rotated(servers, client), stream);
                let operations = values.of_client(client);
                let due = Arc::clone(due);
                let connection =
                    Connection::new(who, flow(client), operations, at, due, plan.timeout);
                clients.spawn(connection.serve());
            }
            run
        }
        Subject::Embedded(cluster) => {
            let run = Arc::new(Run::start(plan, count));
            for (client, due) in due.iter().enumerate() {
                let (flow, operations) = (flow(client), values.of_client(client));
                let (run, log, due) = (Arc::clone(&run), cluster.client(client), Arc::clone(due));
                clients.spawn(Caller { client, run, flow, operations, log, due }.serve());
            }
            run
        }
    };
    if let Some(schedule) = schedule {
        let paced = Arc::clone(&run);
        std::thread::spawn(move || pace(schedule, &paced, &due));
    }
    Ok(run)
}

async fn connect_all(servers: &[SocketAddr], count: usize) -> Outcome<Vec<tokio::net::TcpStream>> {
    if servers.is_empty() {
        return Err(BenchError::new("there is no server to connect to"));
    }
    let mut streams = Vec::with_capacity(count);
    for client in 0..count {
        streams.push(connect(servers[client % servers.len()]).await?);
    }
    Ok(streams)
}

/// The servers, beginning with that of the client.
fn rotated(servers: &[SocketAddr], client: usize) -> Vec<SocketAddr> {
    let mut servers = servers.to_vec();
    let middle = client % servers.len().max(1);
    servers.rotate_left(middle);
    servers
}

/// Wakes each client when its command is due.
fn pace(schedule: Schedule, run: &Run, due: &[Arc<Notify>]) {
    for index in 0.. {
        let at = schedule.due(index);
        if at >= run.measured().end || run.is_over() {
            // Those that wait for a command that never comes find that the run is over.
            due.iter().for_each(|client| client.notify_one());
            return;
        }
        let wait = at.saturating_sub(run.now());
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
        due[schedule.client(index)].notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{KeyChoice, Workload};

    /// Two commands of one client.
    fn plan(timeout: Option<Duration>) -> Plan {
        let workload = Workload {
            clients: 1,
            pipeline: 1,
            rate: None,
            value_bytes: 10,
            read_percent: 0.0,
            keys: KeyChoice::Uniform,
            key_count: 1,
            seed: 1,
        };
        Plan {
            workload,
            warm_up: Duration::ZERO,
            duration: Duration::from_secs(60),
            commands_max: Some(2),
            timeout,
            threads: 1,
            keeps_samples: false,
        }
    }

    #[test]
    fn a_server_that_is_silent_is_given_up_with_a_timeout() {
        // The system takes the connections, and nobody reads from them.
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let servers = [listener.local_addr().expect("it listens")];
        let runtime = runtime(1).expect("a thread");
        let interrupt = Interrupt::watch().expect("signals can be caught");
        let mut moments = Vec::new();
        let subject = Subject::Servers(Protocol::Redis, &servers);
        let plan = plan(Some(Duration::from_millis(10)));
        let recorder = drive(&runtime, subject, &plan, &interrupt, |moment, _| {
            moments.push(moment);
            Ok(())
        });
        let recorder = recorder.expect("it connects");
        assert_eq!((recorder.lost, recorder.latency.len()), (2, 0));
        assert_eq!((moments.first(), moments.last()), (Some(&Moment::Begin), Some(&Moment::End)));
    }

    #[test]
    fn nobody_there_is_an_error_with_a_hint() {
        let (runtime, interrupt) = (runtime(1).expect("a thread"), Interrupt::watch());
        let interrupt = interrupt.expect("signals can be caught");
        // A port that is taken, and at which nobody listens.
        let taken = tokio::net::TcpSocket::new_v4().expect("a socket");
        taken.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let servers = [taken.local_addr().expect("it is bound")];
        for servers in [&servers[..], &[]] {
            let subject = Subject::Servers(Protocol::Redis, servers);
            let outcome = drive(&runtime, subject, &plan(None), &interrupt, |_, _| Ok(()));
            let text = outcome.expect_err("nobody listens").to_string();
            assert!(text.contains("is the server running") || text.contains("no server"), "{text}");
        }
    }
}
