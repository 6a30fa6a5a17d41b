//! The hot steps of a command, one by one, and a command through all of them in one thread.
//!
//! ```console
//! $ cargo bench -p benches --bench steps
//! $ cargo bench -p benches --bench steps -- graph
//! ```

mod graph;
mod log;
mod roles;
mod world;

use divan::Bencher;
use divan::counter::ItemsCount;
use world::World;

fn main() {
    divan::main();
}

/// Commands in one sample.
const COMMANDS: usize = 8192;

/// Sixteen-byte commands from one client through three replicas, decided and applied on all of
/// them: nothing is written to a disk, sent over a network or waits for a timer. The argument is
/// how many are in flight.
#[divan::bench(args = [1, 64, 1024, 4096], sample_count = 20, sample_size = 1)]
fn command(bencher: Bencher<'_, '_>, window: usize) {
    bencher.counter(ItemsCount::new(COMMANDS)).with_inputs(World::with_leader).bench_local_values(
        |mut world| {
            world.execute(COMMANDS, window);
            world
        },
    );
}
