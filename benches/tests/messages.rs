//! How many messages a command costs. They are counted, so it is the same on every machine.

#[path = "../benches/steps/world.rs"]
mod world;

use world::World;

/// Messages for each command: the call to the session, and its outcome.
const EACH_COMMAND: u64 = 2;

/// Messages for each batch: a request, three times Phase2A, Phase2B, Chosen and Store, and what was
/// executed. The session is beside the leader: six of them go to other processes.
const EACH_BATCH: u64 = 14;

/// Commands that are executed at once.
const COMMANDS: usize = 10_240;

#[test]
fn a_batch_costs_the_same_however_many_commands_are_in_it() {
    for window in [1, 16, 64, 1024] {
        let mut world = World::with_leader();
        world.execute(window, window);
        let delivered = world.execute(COMMANDS, window);
        let commands = COMMANDS as u64;
        let expected = EACH_COMMAND * commands + EACH_BATCH * commands / window as u64;
        // Beside them there is, now and then, what keeps memory bounded.
        let rest = delivered.saturating_sub(expected);
        assert!(delivered >= expected && rest * 200 < expected, "{delivered}, not {expected}");
    }
}

#[test]
fn the_cost_of_a_command_does_not_grow_with_the_log() {
    let mut world = World::with_leader();
    world.execute(COMMANDS, 64);
    let early = world.execute(COMMANDS, 64);
    (0..8).for_each(|_| {
        world.execute(COMMANDS, 64);
    });
    let late = world.execute(COMMANDS, 64);
    assert!(late.abs_diff(early) * 1000 < early, "{early} messages at first, {late} later");
}
