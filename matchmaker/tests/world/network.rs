//! The network between processes: late, lossy, repeating, and cut in two now and then.

use super::places::PROCESSES;
use super::random::Random;

/// One millisecond of virtual time, which counts microseconds.
pub const MS: u64 = 1000;

/// What is wrong with the network at present.
#[derive(Clone, Debug)]
pub struct Network {
    /// Messages from one process to another are lost until this time.
    cut_until: [[u64; PROCESSES]; PROCESSES],
    /// Lost messages of a thousand.
    pub loss: u64,
    /// Repeated messages of a thousand.
    pub repeats: u64,
    /// Messages of a thousand that are late.
    pub late: u64,
    /// The most that `loss`, `repeats` and `late` are drawn to be.
    worst: [u64; 3],
}

impl Network {
    /// A network that works, except that it reorders, and that will be as bad as this run has it.
    pub fn new(random: &mut Random) -> Self {
        let worst = [[20, 150, 400], [50, 200, 600], [10, 60, 300]];
        let worst = worst.map(|choices| choices[random.index(3)]);
        Self { cut_until: [[0; PROCESSES]; PROCESSES], loss: 0, repeats: 0, late: 0, worst }
    }

    /// Draws new rates of faults.
    pub fn redraw(&mut self, random: &mut Random) {
        let is_calm = random.permille(400);
        self.loss = if is_calm { 0 } else { random.within(0..self.worst[0]) };
        self.repeats = if is_calm { 0 } else { random.within(0..self.worst[1]) };
        self.late = random.within(0..self.worst[2]);
    }

    /// Ends all faults.
    pub fn heal(&mut self) {
        self.cut_until = [[0; PROCESSES]; PROCESSES];
        (self.loss, self.repeats, self.late) = (0, 0, 0);
    }

    /// Loses what `from` sends to `to` until `until`.
    pub fn cut(&mut self, from: usize, to: usize, until: u64) {
        self.cut_until[from][to] = until;
    }

    /// After which delays a message arrives: none, one or two.
    pub fn delays(&self, from: usize, to: usize, now: u64, random: &mut Random) -> Vec<u64> {
        let mut delays = Vec::new();
        if self.cut_until[from][to] <= now && !random.permille(self.loss) {
            delays.push(self.delay(random));
        }
        if random.permille(self.repeats) {
            let is_ancient = random.permille(300);
            let range = if is_ancient { 100 * MS..3000 * MS } else { MS..50 * MS };
            delays.push(random.within(range));
        }
        delays
    }

    fn delay(&self, random: &mut Random) -> u64 {
        let range = if random.permille(self.late) { 2 * MS..150 * MS } else { 50..1500 };
        random.within(range)
    }

    /// The delay of a message to or from the operator; none if it is lost. Such messages are never
    /// repeated: an operator who asks twice means it.
    pub fn operator_delay(&self, random: &mut Random) -> Option<u64> {
        (!random.permille(self.loss)).then(|| random.within(100..5 * MS))
    }
}
