//! What one client has under way: when it may send, and from when its waiting counts.

use std::collections::VecDeque;
use std::time::Duration;

use crate::workload::Schedule;

/// A command that was sent. Times are since the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// When it was meant to be sent. Latency counts from here, so a server that stalls is charged
    /// for every command that had to wait for it, and not only for those that it had been sent.
    pub(crate) intended: Duration,
    /// When it was sent.
    pub(crate) sent: Duration,
}

/// The commands of one client, which are answered in their order. Owns no clock.
#[derive(Debug)]
pub(crate) struct Flow {
    client: usize,
    /// Commands under way at once, at most.
    pipeline: usize,
    /// When commands are meant to be sent; a closed loop has no schedule.
    schedule: Option<Schedule>,
    /// No command is sent at this time or later.
    end: Duration,
    /// Commands sent so far.
    sent_count: u64,
    in_flight: VecDeque<Pending>,
}

impl Flow {
    pub(crate) fn new(
        client: usize,
        pipeline: usize,
        schedule: Option<Schedule>,
        end: Duration,
    ) -> Self {
        Self { client, pipeline, schedule, end, sent_count: 0, in_flight: VecDeque::new() }
    }

    /// Whether one more command may be sent at `now`.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        let due = self.next_due().unwrap_or(now);
        self.has_room() && due <= now && due < self.end
    }

    /// Notes that a command is sent at `now`, for which [`is_due`](Self::is_due) was true.
    pub(crate) fn send(&mut self, now: Duration) {
        let intended = self.next_due().unwrap_or(now);
        self.in_flight.push_back(Pending { intended, sent: now });
        self.sent_count += 1;
    }

    /// Takes the command that a reply belongs to: the oldest one. Nothing if none is under way.
    pub(crate) fn answered(&mut self) -> Option<Pending> {
        self.in_flight.pop_front()
    }

    /// When the oldest command under way was sent.
    pub(crate) fn oldest(&self) -> Option<Duration> {
        self.in_flight.front().map(|pending| pending.sent)
    }

    /// Forgets what is under way, because nobody will answer it. Returns how many commands that
    /// were.
    pub(crate) fn lose(&mut self) -> u64 {
        self.in_flight.drain(..).count() as u64
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Whether nothing will be sent any more at `now` or later.
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        self.next_due().unwrap_or(now) >= self.end
    }

    /// Whether the next command waits for its time alone.
    pub(crate) fn waits_for_time(&self) -> bool {
        self.schedule.is_some() && self.has_room()
    }

    /// When the commands under way were meant to be sent.
    pub(crate) fn under_way(&self) -> impl Iterator<Item = Duration> {
        self.in_flight.iter().map(|pending| pending.intended)
    }

    /// When the commands whose turn never came were meant to be sent; none in a closed loop.
    pub(crate) fn unsent(&self) -> impl Iterator<Item = Duration> {
        let unsent = self.schedule.into_iter().flat_map(|schedule| {
            let (client, first) = (self.client, self.sent_count);
            (first..).map(move |index| schedule.due_to(client, index))
        });
        unsent.take_while(|due| *due < self.end)
    }

    fn has_room(&self) -> bool {
        self.in_flight.len() < self.pipeline
    }

    /// When the next command is meant to be sent, if there is a schedule.
    fn next_due(&self) -> Option<Duration> {
        Some(self.schedule?.due_to(self.client, self.sent_count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const END: Duration = Duration::from_millis(100);

    /// Sends all that is due at `now`.
    fn send_due(flow: &mut Flow, now: Duration) -> usize {
        let mut count = 0;
        while flow.is_due(now) {
            flow.send(now);
            count += 1;
        }
        count
    }

    #[test]
    fn a_closed_loop_sends_when_it_has_a_reply() {
        let mut flow = Flow::new(0, 2, None, END);
        assert_eq!(send_due(&mut flow, 5 * MS), 2);
        assert_eq!(send_due(&mut flow, 6 * MS), 0);
        assert_eq!(flow.answered(), Some(Pending { intended: 5 * MS, sent: 5 * MS }));
        assert_eq!(send_due(&mut flow, 7 * MS), 1);
        assert!(!flow.is_over(99 * MS) && flow.is_over(END));
    }

    #[test]
    fn an_open_loop_sends_at_its_times_whether_or_not_there_are_replies() {
        let mut flow = Flow::new(0, 64, Some(Schedule::new(1000.0, 1)), END);
        let sent: Vec<usize> = [0, 0, 1, 5].map(|ms| send_due(&mut flow, ms * MS)).to_vec();
        assert_eq!(sent, [1, 0, 1, 4]);
        assert_eq!((flow.under_way().count(), flow.unsent().count()), (6, 94));
    }

    /// The server is silent from 10 ms to 50 ms. With one command in flight a closed loop would see
    /// one slow command; here each of those that had to wait counts with all that it waited.
    #[test]
    fn a_stall_is_charged_to_every_command_that_it_delayed() {
        let mut flow = Flow::new(0, 1, Some(Schedule::new(1000.0, 1)), END);
        let mut latencies = Vec::new();
        for now in (0..200).map(|tick| tick * MS / 2) {
            let is_silent = (10 * MS..50 * MS).contains(&now);
            if !is_silent && let Some(pending) = flow.answered() {
                latencies.push(now - pending.intended);
            }
            send_due(&mut flow, now);
        }
        let slow = latencies.iter().filter(|latency| **latency > 10 * MS).count();
        assert!(slow >= 55, "{slow} commands waited for long");
        // Of 40 commands that came due meanwhile, the first waited longest.
        assert!(latencies.iter().max() >= Some(&(39 * MS)));
    }

    #[test]
    fn commands_without_an_answer_are_told_with_their_times() {
        let mut flow = Flow::new(1, 1, Some(Schedule::new(100.0, 2)), END);
        send_due(&mut flow, 15 * MS);
        assert_eq!(flow.under_way().collect::<Vec<_>>(), [10 * MS]);
        assert_eq!(flow.unsent().collect::<Vec<_>>(), [30 * MS, 50 * MS, 70 * MS, 90 * MS]);
        assert_eq!(flow.oldest(), Some(15 * MS));
        assert_eq!(flow.lose(), 1);
        assert!(flow.is_idle());
    }
}
