//! What breaks in a run, as data: drawn beforehand, so that one fault can be left out of the next run
//! and nothing else changes.

use std::fmt;

use super::Wish;
use crate::MS;

/// Which process a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// This one.
    Process(usize),
    /// The one that leads in the highest round at that time; if none does, this one.
    Leader(usize),
}

/// Something that a process does, upon which an ambush waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It asks for the registration of a round.
    Matching,
    /// It begins Phase 1 of a round.
    Phase1,
    /// It proposes for the first time in a round.
    Proposing,
    /// It proposes again in a round: that one is lost, and the next ones are not.
    Overtaking,
    /// It tells what is persisted.
    Telling,
    /// It has configurations collected.
    Collecting,
    /// It tells matchmakers to stop.
    Stopping,
    /// It asks for votes for what comes after them.
    Deciding,
    /// It has the next matchmakers begin.
    Activating,
    /// It has changed over to other members.
    Switching,
    /// Its log is being compacted.
    Compacting,
}

impl Moment {
    /// All that every cluster knows; only one with spare processes changes over to other members, and logs that
    /// are being compacted are hunted for apart.
    pub const ALL: [Self; 9] = [
        Self::Matching,
        Self::Phase1,
        Self::Proposing,
        Self::Overtaking,
        Self::Telling,
        Self::Collecting,
        Self::Stopping,
        Self::Deciding,
        Self::Activating,
    ];
}

/// Who else is cut off when a process is ambushed, for as long as that one is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hides {
    /// Nobody.
    Nobody,
    /// The one that is reached.
    Reached,
    /// Those that neither this ambush nor the one before it has struck or reached.
    Rest,
}

/// What follows from a round that only one matchmaker has heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hiding {
    /// Nobody else hears that matchmaker about rounds. The candidate hears only matchmakers, and an operator has a
    /// wish as soon as another one asks for a higher round.
    Outdone(Wish),
    /// Nobody else hears that matchmaker about rounds. The candidate dies, and is down for so long.
    Barred(u64),
    /// The candidate hears only matchmakers, and asks all of them at last. One of these has not heard of the
    /// rounds of others meanwhile.
    Late,
}

/// One fault. Times are in microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Fault {
    /// A process dies and restarts. What it wrote and did not sync survives, but for the last bytes
    /// of a write in progress; after a power cut any part of that may be lost.
    Crash { target: Target, is_power_cut: bool, down_us: u64 },
    /// All processes die at once, and come back one after the other.
    CrashAll { is_power_cut: bool, down_us: u64, apart_us: u64 },
    /// Nothing reaches a process and nothing leaves it.
    Isolate { target: Target, for_us: u64 },
    /// What others send to a process is lost; they hear it. A leader of this kind must step down.
    Deafen { target: Target, for_us: u64 },
    /// What one process sends to another is lost.
    CutOneWay { from: usize, to: usize, for_us: u64 },
    /// The processes whose bit is set do not reach the others, and are not reached.
    Halves { members: u64, for_us: u64 },
    /// Each process reaches only the one before and the one after.
    Chain { for_us: u64 },
    /// All reach this process and are reached by it, and nobody else.
    Star { center: usize, for_us: u64 },
    /// Messages from one process to another take longer.
    SlowLink { from: usize, to: usize, extra_us: u64, for_us: u64 },
    /// From now on so many messages of a thousand are lost, repeated, or late.
    Weather { loss: u64, repeats: u64, late: u64 },
    /// A process stands still.
    Pause { target: Target, for_us: u64 },
    /// Each sync of a process takes up to so long.
    SlowDisk { target: Target, sync_us: u64, for_us: u64 },
    /// The next sync of a process ends in an error, so the process stops. It restarts: after a power cut,
    /// or from what can still be read, synced or not.
    FailSync { target: Target, is_power_cut: bool, down_us: u64 },
    /// The next process that does something reaches only one other process from then on, and dies soon
    /// after: what it was about to do is half done.
    Ambush { moment: Moment, reaches: usize, after_us: u64, down_us: u64, hides: Hides },
    /// A process loses its directory for good. One that comes back is refused by its peers.
    Wipe { process: usize },
    /// A process dies, and a bit flips in a durable record: it must be refused when it starts.
    Corrupt { process: usize, at_permille: u64, bit: u32 },
    /// The next message from a session to a leader, or from a leader to a session, is under way for so long. The
    /// process of the session dies at once, and is back before it arrives. The same happens to the first one after
    /// that: two lives that begin alike.
    Straggler { is_answer: bool, for_us: u64, down_us: u64 },
    /// An operator has a wish in the very moment in which a process does something.
    Meddling { moment: Moment, wish: Wish },
    /// The next candidate that asks for a round is heard by one matchmaker only.
    HiddenRound { hiding: Hiding, for_us: u64 },
    /// A request of a session reaches its leader when that one leads again. In the meantime the process of the
    /// session dies and is back, and others lead.
    FormerLife { down_us: u64 },
}

impl Fault {
    /// How many of the kinds are drawn one by one; the others come with hunts and contests.
    pub(super) const DRAWN: usize = 16;

    /// Names of the kinds, for counts.
    pub const KINDS: [&str; 20] = [
        "crash",
        "crash of all",
        "isolation",
        "deaf process",
        "one-way cut",
        "halves",
        "chain",
        "star",
        "slow link",
        "weather",
        "pause",
        "slow disk",
        "failing sync",
        "wiped directory",
        "flipped bit",
        "ambush",
        "straggler",
        "meddling",
        "hidden round",
        "former life",
    ];

    /// Whom it strikes, if that is known only when it does.
    pub const fn target(&self) -> Option<Target> {
        match self {
            Self::Crash { target, .. }
            | Self::Isolate { target, .. }
            | Self::Deafen { target, .. }
            | Self::Pause { target, .. }
            | Self::SlowDisk { target, .. }
            | Self::FailSync { target, .. } => Some(*target),
            Self::CrashAll { .. }
            | Self::CutOneWay { .. }
            | Self::Halves { .. }
            | Self::Chain { .. }
            | Self::Star { .. }
            | Self::SlowLink { .. }
            | Self::Weather { .. }
            | Self::Ambush { .. }
            | Self::Wipe { .. }
            | Self::Corrupt { .. }
            | Self::Straggler { .. }
            | Self::Meddling { .. }
            | Self::HiddenRound { .. }
            | Self::FormerLife { .. } => None,
        }
    }

    /// The place of its kind in [`KINDS`](Self::KINDS).
    pub const fn kind(&self) -> usize {
        match self {
            Self::Crash { .. } => 0,
            Self::CrashAll { .. } => 1,
            Self::Isolate { .. } => 2,
            Self::Deafen { .. } => 3,
            Self::CutOneWay { .. } => 4,
            Self::Halves { .. } => 5,
            Self::Chain { .. } => 6,
            Self::Star { .. } => 7,
            Self::SlowLink { .. } => 8,
            Self::Weather { .. } => 9,
            Self::Pause { .. } => 10,
            Self::SlowDisk { .. } => 11,
            Self::FailSync { .. } => 12,
            Self::Wipe { .. } => 13,
            Self::Corrupt { .. } => 14,
            Self::Ambush { .. } => 15,
            Self::Straggler { .. } => 16,
            Self::Meddling { .. } => 17,
            Self::HiddenRound { .. } => 18,
            Self::FormerLife { .. } => 19,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(process) => write!(f, "p{process}"),
            Self::Leader(process) => write!(f, "the leader (or p{process})"),
        }
    }
}

/// A time for a reader.
struct Ms(u64);

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} ms", self.0 / MS, self.0 % MS)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = |is_power_cut: &bool| if *is_power_cut { "loses power" } else { "is killed" };
        match self {
            Self::Crash { target, is_power_cut, down_us } => {
                write!(f, "{target} {}, down for {}", how(is_power_cut), Ms(*down_us))
            }
            Self::CrashAll { is_power_cut, down_us, .. } => {
                write!(f, "every process {}, down for {}", how(is_power_cut), Ms(*down_us))
            }
            Self::Isolate { target, for_us } => {
                write!(f, "{target} is isolated for {}", Ms(*for_us))
            }
            Self::Deafen { target, for_us } => {
                write!(f, "{target} hears nobody for {}", Ms(*for_us))
            }
            Self::CutOneWay { from, to, for_us } => {
                write!(f, "p{from} does not reach p{to} for {}", Ms(*for_us))
            }
            Self::Halves { members, for_us } => {
                write!(f, "the processes {members:#b} are cut off for {}", Ms(*for_us))
            }
            Self::Chain { for_us } => {
                write!(f, "each process reaches only its neighbours for {}", Ms(*for_us))
            }
            Self::Star { center, for_us } => {
                write!(f, "only p{center} reaches and is reached for {}", Ms(*for_us))
            }
            Self::SlowLink { from, to, extra_us, for_us } => {
                let (extra, time) = (Ms(*extra_us), Ms(*for_us));
                write!(f, "from p{from} to p{to} takes {extra} longer for {time}")
            }
            Self::Weather { loss, repeats, late } => {
                write!(f, "of 1000 messages {loss} are lost, {repeats} repeated, {late} late")
            }
            Self::Pause { target, for_us } => {
                write!(f, "{target} stands still for {}", Ms(*for_us))
            }
            Self::SlowDisk { target, sync_us, for_us } => {
                let (sync, time) = (Ms(*sync_us), Ms(*for_us));
                write!(f, "a sync of {target} takes up to {sync} for {time}")
            }
            Self::FailSync { target, is_power_cut, down_us } => {
                let power = if *is_power_cut { " without power" } else { "" };
                write!(f, "the next sync of {target} fails, down{power} for {}", Ms(*down_us))
            }
            Self::Ambush { moment, reaches, after_us, .. } => write!(
                f,
                "an ambush waits for {moment:?}: only p{reaches} is reached, dead after {}",
                Ms(*after_us)
            ),
            Self::Wipe { process } => write!(f, "p{process} loses its directory"),
            Self::Corrupt { process, .. } => {
                write!(f, "p{process} dies, and a bit of its log flips")
            }
            Self::Straggler { is_answer, for_us, down_us } => {
                let what = if *is_answer { "answer of a leader" } else { "request of a session" };
                let (time, down) = (Ms(*for_us), Ms(*down_us));
                write!(f, "the next {what} takes {time}, the session's process is down for {down}")
            }
            Self::Meddling { moment, .. } => write!(f, "an operator waits for {moment:?}"),
            Self::HiddenRound { for_us, .. } => {
                let time = Ms(*for_us);
                write!(
                    f,
                    "the next round is heard by one matchmaker, which nobody hears for {time}"
                )
            }
            Self::FormerLife { .. } => {
                f.write_str("the next request reaches its leader in another life of its session")
            }
        }
    }
}
