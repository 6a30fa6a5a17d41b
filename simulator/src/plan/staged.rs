//! Coincidences that chance alone would take thousands of runs for, staged step by step. Nothing else
//! happens in such a run, as it would hardly get to its end otherwise.

use std::ops::Range;

use super::draw::CALM_US;
use super::{Fault, Hides, Hiding, Moment, Places, Planned, Role, Shape, Target, Wish};
use crate::MS;
use crate::random::{Purpose, Random};

/// So many of a thousand runs have one of them again and again, and nothing else.
const STAGED_PERMILLE: u64 = 100;

/// All that happens in such a run.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) faults: Vec<Planned<Fault>>,
    pub(super) wishes: Vec<Planned<Wish>>,
}

/// What is staged.
#[derive(Clone, Copy, Debug)]
enum Play {
    /// Two leaders one after the other propose different values for a slot, each to two of five acceptors, and a
    /// third one finds both.
    Rivals,
    /// A candidate registers a round with one matchmaker. Another one leads without having heard of it, matchmakers
    /// are replaced, and the candidate goes on with the new ones.
    Outdone,
    /// The same, but the candidate dies, the others go on to other acceptors, and then lose their leader.
    Barred,
    /// The same, but all matchmakers hear of the round when it is below what was collected.
    Late,
    /// A leader leads for the second time, and hears of a life of a session that has ended.
    FormerLife,
}

impl Play {
    const ALL: [Self; 5] =
        [Self::Rivals, Self::Outdone, Self::Barred, Self::Late, Self::FormerLife];
}

struct Stage<'a> {
    random: Random,
    places: &'a Places,
    at_us: u64,
    staged: Staged,
}

/// Chance, and what a run stages by it, if anything.
fn draw(seed: u64) -> Option<(Random, Play)> {
    let mut random = Random::stream(seed, (Purpose::Plan, 10));
    let is_staged = random.permille(STAGED_PERMILLE);
    let play = random.pick(Play::ALL);
    is_staged.then_some((random, play))
}

/// The cluster that a run needs for what it stages, if not any will do.
pub(super) fn shape(seed: u64) -> Option<Shape> {
    draw(seed).filter(|(_, play)| matches!(play, Play::Rivals)).map(|_| Shape::Five)
}

/// What a run stages, if anything.
pub(super) fn staged(seed: u64, places: &Places, until: u64) -> Option<Staged> {
    let (random, play) = draw(seed)?;
    let mut stage = Stage { random, places, at_us: CALM_US, staged: Staged::default() };
    while stage.at_us < until {
        stage.add(play);
    }
    stage.staged.faults.sort_by_key(|fault| fault.at_us);
    Some(stage.staged)
}

impl Stage<'_> {
    fn add(&mut self, play: Play) {
        match play {
            Play::Rivals => {
                self.crash_leader(0, 100 * MS..200 * MS);
                self.ambush(Hides::Reached);
                self.ambush(Hides::Rest);
                self.pass(1800 * MS..2500 * MS);
            }
            Play::Outdone => {
                let wish = Wish::handover(&mut self.random, self.places, false, None);
                let for_us = self.random.within(400 * MS..700 * MS);
                self.fault(0, Fault::HiddenRound { hiding: Hiding::Outdone(wish), for_us });
                self.crash_leader(MS, 50 * MS..250 * MS);
                self.pass(900 * MS..1500 * MS);
            }
            Play::Barred => {
                let for_us = 1600 * MS;
                let hiding = Hiding::Barred(self.random.within(MS..300 * MS));
                self.fault(0, Fault::HiddenRound { hiding, for_us });
                let target = self.leader();
                let for_us = self.random.within(300 * MS..600 * MS);
                self.fault(MS, Fault::Pause { target, for_us });
                let pool = (self.places, Role::Acceptor);
                let pool = Wish::pool(&mut self.random, pool, false, None);
                let what = Wish::draw(&mut self.random, pool);
                let at_us = self.at_us + 1000 * MS;
                self.staged.wishes.push(Planned { at_us, what });
                self.crash_leader(1600 * MS, 300 * MS..600 * MS);
                self.pass(2000 * MS..2500 * MS);
            }
            Play::Late => {
                let for_us = self.random.within(100 * MS..400 * MS);
                self.fault(0, Fault::HiddenRound { hiding: Hiding::Late, for_us });
                self.crash_leader(MS, 50 * MS..250 * MS);
                self.pass(900 * MS..1500 * MS);
            }
            Play::FormerLife => {
                let down_us = self.random.within(300 * MS..600 * MS);
                self.fault(0, Fault::FormerLife { down_us });
                self.pass(1500 * MS..2500 * MS);
            }
        }
    }

    /// The next one that proposes in a new round reaches one other, and dies.
    fn ambush(&mut self, hides: Hides) {
        let reaches = self.random.index(self.places.process_count());
        let after_us = self.random.pick([2 * MS, 8 * MS]);
        let down_us = self.random.within(700 * MS..1400 * MS);
        let moment = Moment::Proposing;
        self.fault(MS, Fault::Ambush { moment, reaches, after_us, down_us, hides });
    }

    fn crash_leader(&mut self, after_us: u64, down_us: Range<u64>) {
        let down_us = self.random.within(down_us);
        let target = self.leader();
        self.fault(after_us, Fault::Crash { target, is_power_cut: false, down_us });
    }

    fn leader(&mut self) -> Target {
        Target::Leader(self.random.index(self.places.process_count()))
    }

    fn fault(&mut self, after_us: u64, what: Fault) {
        self.staged.faults.push(Planned { at_us: self.at_us + after_us, what });
    }

    fn pass(&mut self, time_us: Range<u64>) {
        self.at_us += self.random.within(time_us);
    }
}
