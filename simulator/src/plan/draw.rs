//! From a seed to a plan: every run has its own mix of faults, at its own intensity.

use std::ops::Range;
use std::time::Duration;

use matchmaker::leader::{HealingOptions, LeaderOptions};
use paxos::acceptor::AcceptorOptions;
use paxos::election::ElectionOptions;
use paxos::quorum::QuorumSystem;
use paxos::session::SessionOptions;
use paxos::snapshot::SnapshotOptions;

use super::hunt::{contest, hunt};
use super::staged;
use super::{
    ColumnOptions, Earlier, Fault, Hides, Intent, Moment, Options, Place, Places, Plan, Planned,
    ProtocolName, Role, Shape, Target, Weather, Wish,
};
use crate::MS;
use crate::random::{Purpose, Random};

/// Nothing breaks before this time, so that most runs get to work first.
pub(super) const CALM_US: u64 = 300 * MS;

/// So many of a thousand runs begin in a storm.
const STORM_PERMILLE: u64 = 150;

/// In so many of a thousand runs leaders replace silent members by themselves.
const HEALING_PERMILLE: u64 = 500;

const CALM: Weather = Weather { loss: 0, repeats: 0, late: 0 };

/// Longer than faults last.
const DEAD_US: u64 = 60_000 * MS;

/// So many of a thousand runs have spare processes.
const POOL_PERMILLE: u64 = 330;

/// So many of a thousand runs begin with the backup of another cluster.
const BACKUP_PERMILLE: u64 = 200;

impl Plan {
    /// The plan of `seed` for Matchmaker MultiPaxos.
    pub fn draw(seed: u64) -> Self {
        let mut random = Random::stream(seed, (Purpose::Plan, 0));
        let shape = Shape::draw(&mut random);
        // Drawn apart, so that all else in a run is as it would be without spare processes.
        let has_spares = Random::stream(seed, (Purpose::Plan, 2)).permille(POOL_PERMILLE);
        let shape = if has_spares { Shape::Pool } else { shape };
        let shape = staged::shape(seed).unwrap_or(shape);
        let faulty_us = random.within(1500 * MS..6000 * MS);
        let plan = Self {
            protocol: ProtocolName::Matchmaker,
            seed,
            shape,
            earlier: earlier(seed),
            options: options(&mut random, &mut Random::stream(seed, (Purpose::Plan, 2))),
            clocks: Vec::new(),
            delay_us: random.pick([50..1500, 50..400, 500..5000, 20..12_000]),
            sync_us: random.pick([100..2000, 50..300, 500..8000]),
            wake_us: random.pick([0..60, 0..5, 0..800]),
            compact_above_bytes: random.pick([1 << 30, 64 << 10, 16 << 10, 4 << 10]),
            is_encoded: random.permille(250),
            weather: weather(&mut Random::stream(seed, (Purpose::Plan, 5))),
            faults: Vec::new(),
            wishes: Vec::new(),
            clients: random.pick([1, 2, 4, 8]),
            think_us: random.pick([500..8 * MS, MS..40 * MS, 0..2 * MS]),
            calls_max: u64::MAX,
            faulty_us,
        };
        plan.with_healing().with_pace().with_shape(shape)
    }

    /// Leaders suspect soon, and in some runs replace by themselves.
    fn with_healing(mut self) -> Self {
        let mut random = Random::stream(self.seed, (Purpose::Plan, 3));
        let leader = &mut self.options.leader;
        let suspect_after = leader.heartbeat.end * random.pick([5, 8, 12]);
        let is_on = random.permille(HEALING_PERMILLE);
        leader.healing = HealingOptions { is_on, suspect_after };
        self
    }

    /// Snapshots take a while in some runs. Drawn apart, as above.
    fn with_pace(mut self) -> Self {
        let mut random = Random::stream(self.seed, (Purpose::Plan, 9));
        self.options.snapshots.bytes_per_second = random.pick([5_000_000, 0, 500_000, 0]);
        self
    }

    /// The same run on another cluster: what depends on the processes is drawn for them.
    pub fn with_shape(mut self, shape: Shape) -> Self {
        if self.protocol == ProtocolName::Bpaxos {
            return self.with_columns(shape);
        }
        let mut random = Random::stream(self.seed, (Purpose::Plan, 1));
        let places = Places::new(shape);
        self.shape = shape;
        let drift = random.pick([1, 100, 350, 600]);
        self.clocks = (0..places.process_count())
            .map(|_| random.within(1000 - drift.min(500)..1000 + drift + 1))
            .collect();
        let count = places.process_count();
        let mortal = random.permille(250).then(|| random.index(count));
        // Where processes come and go, the operator is who loses them.
        let mortal = mortal.filter(|_| !places.has_spares());
        self.faults = faults(&mut random, count, mortal, self.faulty_us);
        stall_and_kill(self.seed, count, &mut self.faults);
        self.faults.extend(hunt(self.seed, count, self.faulty_us));
        self.faults.extend(contest(self.seed, &places, mortal.is_some(), self.faulty_us));
        self.faults.sort_by_key(|fault| fault.at_us);
        if places.has_spares() {
            lie_in_wait_for_switches(&mut random, &mut self.faults);
        }
        self.wishes = wishes(&mut random, &places, mortal, self.faulty_us);
        if let Some(staged) = staged::staged(self.seed, &places, self.faulty_us) {
            (self.faults, self.wishes) = (staged.faults, staged.wishes);
            self.weather = CALM;
        }
        self
    }
}

/// The cluster that was before, in some runs. Drawn apart, as above.
fn earlier(seed: u64) -> Option<Earlier> {
    let mut random = Random::stream(seed, (Purpose::Plan, 8));
    let is_restored = random.permille(BACKUP_PERMILLE);
    let shape = random.pick([Shape::Three, Shape::Five, Shape::Apart]);
    let for_us = random.within(300 * MS..1500 * MS);
    is_restored.then_some(Earlier { shape, for_us })
}

/// The weather at the start: in some runs it storms from the first message on.
fn weather(random: &mut Random) -> Weather {
    if !random.permille(STORM_PERMILLE) {
        return CALM;
    }
    Weather {
        loss: random.within(50..300),
        repeats: random.within(100..500),
        late: random.within(50..400),
    }
}

/// How long the tail of a log gets where its votes are read in the smallest pages.
const TAIL_IN_PAGES_BYTES: usize = 30_000;

/// Longer or shorter by the same factor, in hundredths.
fn scaled(range: &Range<Duration>, percent: u32) -> Range<Duration> {
    range.start * percent / 100..range.end * percent / 100
}

fn options(random: &mut Random, small: &mut Random) -> Options {
    let percent = random.pick([100, 100, 50, 200]);
    let (election, leader, session) =
        (ElectionOptions::default(), LeaderOptions::default(), SessionOptions::default());
    let is_tight = random.permille(300);
    // What runs would hardly reach by themselves is drawn so small in every other run that they do.
    let mut size = |sizes: [usize; 3], usual| match small.permille(500) {
        true => small.pick(sizes),
        false => usual,
    };
    // Requests keep their usual size: a leader takes those of a session in their order only, and on
    // links that reorder as many as these do, small ones wait for one retry after the other.
    let acceptor = AcceptorOptions::default();
    let mut options = Options {
        election: ElectionOptions {
            silence: scaled(&election.silence, percent),
            probe: scaled(&election.probe, percent),
        },
        leader: LeaderOptions {
            heartbeat: scaled(&leader.heartbeat, percent),
            quorum_timeout: leader.quorum_timeout * percent / 100,
            campaign: scaled(&leader.campaign, percent),
            resend: scaled(&leader.resend, random.pick([100, 50, 20])),
            garbage: scaled(&leader.garbage, random.pick([100, 50, 400])),
            batch_bytes_max: random.pick([1 << 20, 300, 60]),
            pipeline_max: if is_tight { random.pick([1, 2, 5]) } else { leader.pipeline_max },
            tail_bytes_max: if is_tight { 6000 } else { leader.tail_bytes_max },
            requests_bytes_max: if is_tight { 3000 } else { leader.requests_bytes_max },
            healing: leader.healing.clone(),
        },
        session: SessionOptions {
            request_timeout: Duration::from_secs(2),
            window_max: random.pick([8, 1, 3, 64]),
            queue_max: if is_tight { 3 } else { session.queue_max },
            window_bytes_max: size([1, 60, 400], session.window_bytes_max),
            queue_bytes_max: size([60, 150, 1000], session.queue_bytes_max),
            questions_max: size([1, 2, 4], session.questions_max),
            ..session
        },
        acceptor: AcceptorOptions {
            page_bytes_max: size([1, 100, 2000], acceptor.page_bytes_max),
            page_votes_max: size([1, 2, 20], acceptor.page_votes_max),
        },
        snapshots: SnapshotOptions {
            chunk_bytes: random.pick([150, 1000, 8000]),
            window: random.pick([1, 2, 4]),
            tail_bytes: random.pick([0, 300, 5000]),
            compare_slots: small.pick([1, 8, 64]),
            bytes_per_second: 0,
        },
        columns: ColumnOptions::default(),
    };
    // A candidate asks for one page after the other: of such small ones it must not need too many.
    if options.acceptor.page_votes_max <= 2 || options.acceptor.page_bytes_max <= 100 {
        options.leader.tail_bytes_max = options.leader.tail_bytes_max.min(TAIL_IN_PAGES_BYTES);
    }
    options
}

/// The kinds of faults of this run, its pauses between two of them, and where they may strike.
struct Swarm<'a> {
    random: &'a mut Random,
    kinds: u64,
    processes: usize,
    /// The one process that may be lost for good, and is not yet.
    mortal: Option<usize>,
}

pub(super) fn faults(
    random: &mut Random,
    processes: usize,
    mortal: Option<usize>,
    until: u64,
) -> Vec<Planned<Fault>> {
    let kinds = random.within(1..1 << Fault::DRAWN);
    let pause = random.pick([60 * MS, 250 * MS, 600 * MS]);
    let mut swarm = Swarm { random, kinds, processes, mortal };
    let mut faults = Vec::new();
    let mut at_us = CALM_US;
    while at_us < until {
        if let Some(what) = swarm.draw() {
            let again = swarm.again(at_us, &what);
            faults.push(Planned { at_us, what });
            faults.extend(again);
        }
        at_us += swarm.random.within(10 * MS..pause);
    }
    faults.sort_by_key(|fault| fault.at_us);
    faults
}

impl Swarm<'_> {
    /// A fault, unless this run has none of the kind that was drawn.
    fn draw(&mut self) -> Option<Fault> {
        let kind = self.random.index(Fault::DRAWN);
        let is_wanted = self.kinds & (1 << kind) != 0;
        let process = self.random.index(self.processes);
        let is_leader = self.random.permille(500);
        let target = if is_leader { Target::Leader(process) } else { Target::Process(process) };
        let (from, to) = (process, self.random.index(self.processes));
        let for_us = self.random.within(20 * MS..1500 * MS);
        let is_power_cut = self.random.permille(600);
        let down_us = self.down();
        let fault = match kind {
            0 => Fault::Crash { target, is_power_cut, down_us },
            1 if self.random.permille(300) => {
                Fault::CrashAll { is_power_cut, down_us, apart_us: self.random.within(0..100 * MS) }
            }
            1 | 2 => Fault::Isolate { target, for_us },
            3 => Fault::Deafen { target, for_us },
            4 => Fault::CutOneWay { from, to, for_us },
            5 => Fault::Halves { members: self.random.within(1..1 << self.processes), for_us },
            6 => Fault::Chain { for_us },
            7 => Fault::Star { center: process, for_us },
            8 => Fault::SlowLink { from, to, extra_us: self.random.within(MS..300 * MS), for_us },
            9 => self.weather(),
            10 => Fault::Pause { target, for_us: self.random.within(MS..1200 * MS) },
            11 => Fault::SlowDisk {
                target,
                sync_us: self.random.pick([5 * MS, 30 * MS, 800 * MS]),
                for_us,
            },
            12 => Fault::FailSync { target, is_power_cut, down_us },
            15 => Fault::Ambush {
                moment: self.random.pick(Moment::ALL),
                reaches: process,
                after_us: self.random.pick([100, MS, 20 * MS]),
                down_us,
                hides: Hides::Nobody,
            },
            _ => return self.loss(kind).filter(|_| is_wanted),
        };
        is_wanted.then_some(fault)
    }

    /// Now and then a process that was killed loses power as soon as it is back.
    fn again(&mut self, at_us: u64, fault: &Fault) -> Option<Planned<Fault>> {
        let Fault::Crash { target: Target::Process(process), is_power_cut: false, down_us } = fault
        else {
            return None;
        };
        let at_us = at_us + down_us + self.random.within(0..3 * MS);
        let target = Target::Process(*process);
        let what = Fault::Crash { target, is_power_cut: true, down_us: self.down() };
        self.random.permille(400).then_some(Planned { at_us, what })
    }

    fn down(&mut self) -> u64 {
        let is_quick = self.random.permille(500);
        self.random.within(if is_quick { MS..20 * MS } else { 50 * MS..1500 * MS })
    }

    fn weather(&mut self) -> Fault {
        if self.random.permille(400) {
            return Fault::Weather { loss: 0, repeats: 0, late: self.random.within(0..60) };
        }
        let [loss, repeats, late] = [[20, 150, 400], [50, 200, 600], [10, 60, 300]]
            .map(|worst| worst[self.random.index(3)]);
        Fault::Weather {
            loss: self.random.within(0..loss),
            repeats: self.random.within(0..repeats),
            late: self.random.within(0..late),
        }
    }

    /// A loss for good, of which a run has one at most.
    fn loss(&mut self, kind: usize) -> Option<Fault> {
        let process = self.mortal?;
        if self.kinds & (1 << kind) == 0 {
            return None;
        }
        self.mortal = None;
        Some(if kind == 13 {
            Fault::Wipe { process }
        } else {
            Fault::Corrupt {
                process,
                at_permille: self.random.within(0..1000),
                bit: self.random.within(0..8) as u32,
            }
        })
    }
}

/// Wishes for random acceptors, now and then several in a row.
fn wishes(
    random: &mut Random,
    places: &Places,
    mortal: Option<usize>,
    until: u64,
) -> Vec<Planned<Wish>> {
    let mut wishes = Vec::new();
    let mut at_us = CALM_US;
    while at_us < until {
        let is_burst = random.permille(300);
        at_us += random.within(if is_burst { 100..4 * MS } else { 50 * MS..900 * MS });
        let pool = Wish::pool(random, (places, Role::Acceptor), mortal.is_some(), None);
        wishes.push(Planned { at_us, what: Wish::draw(random, pool) });
        if random.permille(400) {
            let at_us = at_us + random.within(if is_burst { 0..4 * MS } else { 0..200 * MS });
            wishes.push(Planned {
                at_us,
                what: Wish::handover(random, places, mortal.is_some(), None),
            });
        }
    }
    if places.has_spares() {
        wishes.extend(exchanges(random, places, until));
    }
    wishes.sort_by_key(|wish| wish.at_us);
    wishes
}

/// Has some faults be disks of leaders that stall for long, and in some runs one a process that is dead until the
/// faults stop. Drawn apart, so that all else in a run is as it would be without.
pub(super) fn stall_and_kill(seed: u64, processes: usize, faults: &mut [Planned<Fault>]) {
    let mut random = Random::stream(seed, (Purpose::Plan, 4));
    let is_lost = |fault: &Fault| matches!(fault, Fault::Wipe { .. } | Fault::Corrupt { .. });
    let permille = random.pick([0, 100, 300]);
    for fault in faults.iter_mut().filter(|fault| !is_lost(&fault.what)) {
        if random.permille(permille) {
            let for_us = random.within(600 * MS..4000 * MS);
            let target = Target::Leader(random.index(processes));
            fault.what = Fault::SlowDisk { target, sync_us: 2 * for_us, for_us };
        }
    }
    let chosen = random.index(faults.len().max(1));
    let (target, is_power_cut) = (Target::Process(random.index(processes)), random.permille(500));
    let is_chosen = random.permille(300);
    let Some(fault) = faults.get_mut(chosen).filter(|_| is_chosen) else { return };
    if !is_lost(&fault.what) {
        fault.what = Fault::Crash { target, is_power_cut, down_us: DEAD_US };
    }
}

/// Has many ambushes wait for a change of members.
fn lie_in_wait_for_switches(random: &mut Random, faults: &mut [Planned<Fault>]) {
    for fault in faults {
        if let Fault::Ambush { moment, .. } = &mut fault.what
            && random.permille(500)
        {
            *moment = Moment::Switching;
        }
    }
}

/// Wishes for other processes and other leaders.
fn exchanges(random: &mut Random, places: &Places, until: u64) -> Vec<Planned<Wish>> {
    let mut wishes = Vec::new();
    let pause = random.pick([300 * MS, 900 * MS, 2000 * MS]);
    let mut at_us = CALM_US;
    while at_us < until {
        let (adds, removes) =
            random.pick([(true, false), (false, true), (true, true), (true, true)]);
        let intent = Intent {
            adds,
            removes,
            choice: random.index(60),
            drivers: if random.permille(300) { 2 } else { 1 },
            returns_us: random.permille(700).then(|| random.within(MS..600 * MS)),
        };
        let what = match random.within(0..4) {
            0 => Wish::Transfer(random.index(places.process_count())),
            _ => Wish::Exchange(intent),
        };
        wishes.push(Planned { at_us, what });
        // Often two at once: then most of the members are new ones.
        let has_company = random.permille(400);
        at_us += random.within(if has_company { 0..5 * MS } else { MS..pause });
    }
    wishes
}

impl Wish {
    /// Acceptors or matchmakers to choose from: at most one of each process if a process may be lost for
    /// good, so that every choice survives it, and none of the process `lost`.
    pub fn pool(
        random: &mut Random,
        (places, role): (&Places, Role),
        is_spread: bool,
        lost: Option<usize>,
    ) -> Vec<usize> {
        let mut pool: Vec<(usize, usize)> = Vec::new();
        for (index, node) in places.every(role).into_iter().enumerate() {
            let Some(Place { process, .. }) = places.find(node) else { continue };
            let twin = pool.iter_mut().find(|(_, other)| is_spread && *other == process);
            match twin {
                _ if Some(process) == lost => {}
                Some(twin) if random.permille(500) => twin.0 = index,
                Some(_) => {}
                None => pool.push((index, process)),
            }
        }
        pool.into_iter().map(|(index, _)| index).collect()
    }

    /// Random acceptors of `pool`.
    pub fn draw(random: &mut Random, mut pool: Vec<usize>) -> Self {
        let (system, count) = match random.within(0..10) {
            0 => (QuorumSystem::WriteAll, 2),
            1 if pool.len() >= 4 => (QuorumSystem::Grid { columns: 2 }, 4),
            2 if pool.len() >= 5 => (QuorumSystem::Majority, 5),
            _ => (QuorumSystem::Majority, 3.min(pool.len())),
        };
        let acceptors = (0..count).map(|_| pool.remove(random.index(pool.len()))).collect();
        Self::Acceptors { system, acceptors }
    }

    /// Random acceptors of `pool` of which any one may be dead.
    pub fn majority(random: &mut Random, mut pool: Vec<usize>) -> Self {
        let count = 3.min(pool.len());
        let acceptors = (0..count).map(|_| pool.remove(random.index(pool.len()))).collect();
        Self::Acceptors { system: QuorumSystem::Majority, acceptors }
    }

    /// Random matchmakers, three or five, and one or two proposers that are asked for them. If a
    /// process may be lost for good, it may cost each choice one vote; and if enough others are there, none
    /// is of the process `lost`.
    pub fn handover(
        random: &mut Random,
        places: &Places,
        is_spread: bool,
        lost: Option<usize>,
    ) -> Self {
        let mut pool = Self::pool(random, (places, Role::Matchmaker), is_spread, lost);
        if pool.len() < 3 {
            pool = Self::pool(random, (places, Role::Matchmaker), is_spread, None);
        }
        let count = if pool.len() >= 5 && random.permille(300) { 5 } else { 3 };
        let matchmakers = (0..count).map(|_| pool.remove(random.index(pool.len()))).collect();
        let mut drivers: Vec<usize> = (0..places.every(Role::Proposer).len()).collect();
        let count = if random.permille(300) { 2 } else { 1 };
        let drivers = (0..count).map(|_| drivers.remove(random.index(drivers.len()))).collect();
        Self::Matchmakers { matchmakers, drivers }
    }
}
