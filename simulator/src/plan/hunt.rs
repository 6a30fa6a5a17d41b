//! Coincidences that would hardly come by themselves: faults that wait for a moment, and candidates
//! that meet while matchmakers are replaced. Drawn apart, so that all else in a run is as it would be without.

use super::draw::CALM_US;
use super::{Fault, Hides, Moment, Places, Planned, Target, Wish};
use crate::MS;
use crate::random::{Purpose, Random};

/// In so many of a thousand runs ambushes wait for one process after the other.
const HUNT_PERMILLE: u64 = 250;

/// In so many of a thousand runs leaders are lost again and again, and operators meddle with who comes next.
const CONTEST_PERMILLE: u64 = 150;

/// What a run hunts for.
enum Game {
    /// Whatever comes.
    All,
    /// One or two moments, again and again.
    Few([Moment; 2]),
    /// Messages that outlive a process.
    Stragglers,
}

impl Game {
    fn draw(random: &mut Random) -> Self {
        match random.within(0..4) {
            0 | 1 => Self::All,
            2 => Self::Few([random.pick(Moment::ALL), random.pick(Moment::ALL)]),
            _ => Self::Stragglers,
        }
    }
}

/// Ambushes, one after the other: what a process does when it comes back is half done as well.
pub(super) fn hunt(seed: u64, processes: usize, until: u64) -> Vec<Planned<Fault>> {
    let mut random = Random::stream(seed, (Purpose::Plan, 6));
    let mut faults = Vec::new();
    if !random.permille(HUNT_PERMILLE) {
        return faults;
    }
    let game = Game::draw(&mut random);
    let pause = random.pick([150 * MS, 400 * MS, 1000 * MS]);
    let mut at_us = CALM_US;
    while at_us < until {
        let what = match game {
            Game::All => {
                let moment = random.pick(Moment::ALL);
                ambush(&mut random, moment, processes)
            }
            Game::Few(moments) => {
                let moment = random.pick(moments);
                ambush(&mut random, moment, processes)
            }
            // Leaders change meanwhile: another one does not know what is late.
            Game::Stragglers if random.permille(250) => Fault::Crash {
                target: Target::Leader(random.index(processes)),
                is_power_cut: false,
                down_us: random.within(20 * MS..400 * MS),
            },
            Game::Stragglers => straggler(&mut random),
        };
        faults.push(Planned { at_us, what });
        at_us += random.within(20 * MS..pause);
    }
    faults
}

/// What BPaxos is hunted with: processes lose power while their logs are compacted, or requests of sessions
/// outlive them.
pub(super) fn hunt_columns(seed: u64, processes: usize, until: u64) -> Vec<Planned<Fault>> {
    let mut random = Random::stream(seed, (Purpose::Plan, 11));
    let mut faults = Vec::new();
    let is_for_logs = random.permille(500);
    if !random.permille(HUNT_PERMILLE) {
        return faults;
    }
    let mut at_us = CALM_US;
    while at_us < until {
        let what = match is_for_logs {
            true => Fault::Ambush {
                moment: Moment::Compacting,
                reaches: random.index(processes),
                after_us: random.pick([20, 200, 2 * MS]),
                down_us: random.within(MS..300 * MS),
                hides: Hides::Nobody,
            },
            false => outliving(&mut random, false),
        };
        faults.push(Planned { at_us, what });
        at_us += random.within(50 * MS..600 * MS);
    }
    faults
}

fn ambush(random: &mut Random, moment: Moment, processes: usize) -> Fault {
    // What was lost must stay unknown until others have gone on.
    let is_overtaking = moment == Moment::Overtaking;
    let down_us = if is_overtaking { 1500 * MS..3000 * MS } else { MS..800 * MS };
    Fault::Ambush {
        moment,
        reaches: random.index(processes),
        after_us: if is_overtaking { 8 * MS } else { random.pick([100, 2 * MS, 8 * MS]) },
        down_us: random.within(down_us),
        hides: Hides::Nobody,
    }
}

fn straggler(random: &mut Random) -> Fault {
    let is_answer = random.permille(500);
    outliving(random, is_answer)
}

fn outliving(random: &mut Random, is_answer: bool) -> Fault {
    Fault::Straggler {
        is_answer,
        for_us: random.pick([20 * MS, 100 * MS, 400 * MS, 1500 * MS]) + random.within(0..20 * MS),
        down_us: random.within(MS..10 * MS),
    }
}

/// Leaders that are lost while matchmakers are replaced: several candidates ask for rounds of the old ones, and
/// go on with the new ones.
pub(super) fn contest(
    seed: u64,
    places: &Places,
    is_spread: bool,
    until: u64,
) -> Vec<Planned<Fault>> {
    let mut random = Random::stream(seed, (Purpose::Plan, 7));
    let mut faults = Vec::new();
    if !random.permille(CONTEST_PERMILLE) {
        return faults;
    }
    let mut at_us = CALM_US;
    while at_us < until {
        let target = Target::Leader(random.index(places.process_count()));
        let for_us = random.within(300 * MS..1200 * MS);
        let lost = match random.within(0..3) {
            0 => Fault::Isolate { target, for_us },
            1 => Fault::Pause { target, for_us },
            _ => Fault::Crash { target, is_power_cut: false, down_us: for_us },
        };
        let moment =
            random.pick([Moment::Matching, Moment::Matching, Moment::Phase1, Moment::Stopping]);
        let wish = Wish::handover(&mut random, places, is_spread, None);
        faults.push(Planned { at_us, what: Fault::Meddling { moment, wish } });
        faults.push(Planned { at_us: at_us + MS, what: lost });
        at_us += random.within(200 * MS..1500 * MS);
    }
    faults
}
