//! When the commands of an open loop are meant to be sent.

use std::time::Duration;

/// Sends evenly spaced commands of all clients together: the command number k, from zero, belongs
/// to client k modulo their number and is meant to be sent k intervals after the start. Whether
/// earlier commands were answered does not matter: that is what makes the loop an open one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule {
    /// Commands per second of all clients together.
    rate: f64,
    clients: u64,
}

impl Schedule {
    /// *Panics*: no client, or a rate that is not above zero. Arguments are checked before.
    pub(crate) fn new(rate: f64, clients: usize) -> Self {
        assert!(rate > 0.0 && clients > 0, "a rate of {rate} for {clients} clients");
        Self { rate, clients: clients as u64 }
    }

    /// When the command number `index`, of all clients together, is meant to be sent.
    pub(crate) fn due(&self, index: u64) -> Duration {
        Duration::from_secs_f64(index as f64 / self.rate)
    }

    /// When the command number `index` of one client is meant to be sent.
    pub(crate) fn due_to(&self, client: usize, index: u64) -> Duration {
        self.due(index * self.clients + client as u64)
    }

    /// Whose turn the command number `index` is.
    pub(crate) fn client(&self, index: u64) -> usize {
        (index % self.clients) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_evenly_spaced_over_all_clients() {
        let schedule = Schedule::new(1000.0, 4);
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(1), Duration::from_millis(1));
        assert_eq!(schedule.due_to(3, 0), Duration::from_millis(3));
        assert_eq!(schedule.due_to(3, 2), Duration::from_millis(11));
        assert_eq!(schedule.client(11), 3);
    }

    #[test]
    fn each_command_belongs_to_one_client_at_one_time() {
        let schedule = Schedule::new(333.0, 7);
        for index in 0..100 {
            let client = schedule.client(index);
            assert_eq!(schedule.due_to(client, index / 7), schedule.due(index));
        }
    }
}
