//! Three replicas of openraft, each with its tasks, in one thread of tokio; log and state in memory.
//!
//! It has no other way to be driven: its core is a task, and so is what sends to each follower. Messages
//! are calls into the other replicas.

mod store;

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use openraft::error::{InstallSnapshotError, RPCError, RaftError, RemoteError};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft::{Config, EmptyNode, Raft, RaftNetwork, RaftNetworkFactory, SnapshotPolicy};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, yield_now};

use self::store::{Log, Machine};

openraft::declare_raft_types!(
    /// Commands are bytes, and replies are empty.
    pub(crate) Types:
        D = Bytes,
        R = (),
        NodeId = u64,
        Node = EmptyNode,
        SnapshotData = std::io::Cursor<Vec<u8>>,
);

const LEADER: u64 = 0;
const REPLICAS: u64 = 3;

/// Entries of one message at most.
const MESSAGE_ENTRIES_MAX: u64 = 16_384;

/// The replicas; how many commands each has applied is in its machine.
pub(crate) struct Cluster {
    runtime: Runtime,
    tasks: LocalSet,
    replicas: Replicas,
    machines: Vec<Machine>,
}

type Replicas = Rc<RefCell<Vec<Raft<Types>>>>;

impl Cluster {
    /// A cluster whose first replica leads.
    pub(crate) fn with_leader() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let machines = (0..REPLICAS).map(|_| Machine::default()).collect();
        let mut cluster =
            Self { runtime, tasks: LocalSet::new(), replicas: Replicas::default(), machines };
        let (replicas, machines) = (Rc::clone(&cluster.replicas), cluster.machines.clone());
        cluster.run(async move {
            for (id, machine) in (0..REPLICAS).zip(machines) {
                let network = Network(Rc::clone(&replicas));
                let raft = Raft::new(id, config(), network, Log::default(), machine).await;
                replicas.borrow_mut().push(raft.expect("a possible cluster"));
            }
            let leader = replicas.borrow()[LEADER as usize].clone();
            let members: BTreeSet<u64> = (0..REPLICAS).collect();
            leader.initialize(members).await.expect("it is new");
            while leader.current_leader().await != Some(LEADER) {
                yield_now().await;
            }
        });
        cluster
    }

    /// Has `count` commands committed and applied at all replicas, with at most `window` of them in
    /// flight.
    pub(crate) fn execute(&mut self, count: usize, window: usize) {
        let leader = self.replicas.borrow()[LEADER as usize].clone();
        let machines = self.machines.clone();
        let goal = machines[0].applied_count() + count;
        self.run(async move {
            let mut replies = VecDeque::new();
            for _ in 0..count {
                if replies.len() == window
                    && let Some(reply) = replies.pop_front()
                {
                    answered(reply).await;
                }
                let command = Bytes::from_static(b"sixteen-byte-cmd");
                replies.push_back(leader.client_write_ff(command).await.expect("it runs"));
            }
            for reply in replies {
                answered(reply).await;
            }
            while machines.iter().any(|machine| machine.applied_count() < goal) {
                yield_now().await;
            }
        });
    }

    fn run(&mut self, work: impl Future<Output = ()>) {
        self.tasks.block_on(&self.runtime, work);
    }
}

type Reply =
    <<Types as openraft::RaftTypeConfig>::Responder as openraft::raft::responder::Responder<
        Types,
    >>::Receiver;

async fn answered(reply: Reply) {
    reply.await.expect("the leader runs").expect("the leader leads");
}

/// Nothing but appending is wanted: no snapshots, and no elections while others use the machine.
fn config() -> Arc<Config> {
    let config = Config {
        heartbeat_interval: 1_000,
        election_timeout_min: 10_000,
        election_timeout_max: 20_000,
        max_payload_entries: MESSAGE_ENTRIES_MAX,
        snapshot_policy: SnapshotPolicy::Never,
        ..Config::default()
    };
    Arc::new(config.validate().expect("a possible configuration"))
}

/// Makes links from one replica to the others.
struct Network(Replicas);

/// The link to one replica.
struct Link {
    replicas: Replicas,
    target: u64,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Link;

    async fn new_client(&mut self, target: u64, _node: &EmptyNode) -> Link {
        Link { replicas: Rc::clone(&self.0), target }
    }
}

type RpcError<E> = RPCError<u64, EmptyNode, RaftError<u64, E>>;

impl Link {
    fn target(&self) -> Raft<Types> {
        self.replicas.borrow()[self.target as usize].clone()
    }

    fn failed<E: std::error::Error>(&self, error: RaftError<u64, E>) -> RpcError<E> {
        RPCError::RemoteError(RemoteError::new(self.target, error))
    }
}

impl RaftNetwork<Types> for Link {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, EmptyNode, RaftError<u64>>> {
        self.target().append_entries(request).await.map_err(|error| self.failed(error))
    }

    async fn install_snapshot(
        &mut self,
        request: InstallSnapshotRequest<Types>,
        _option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, RpcError<InstallSnapshotError>> {
        self.target().install_snapshot(request).await.map_err(|error| self.failed(error))
    }

    async fn vote(
        &mut self,
        request: VoteRequest<u64>,
        _option: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, EmptyNode, RaftError<u64>>> {
        self.target().vote(request).await.map_err(|error| self.failed(error))
    }
}
