//! Who leads, as far as a process overhears: for operators whom no leader answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use matchmaker::message::{Message, ToProposer};
use paxos::message::ToSession;
use paxos::round::Round;
use paxos::transport::{Envelope, Transport};

/// The last sign of life of a leader. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overheard(Arc<Mutex<Option<(Round, Instant)>>>);

impl Overheard {
    /// The round of the leader, and how long ago it was heard.
    pub(crate) fn last(&self) -> Option<(Round, Duration)> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.map(|(round, heard)| (round, heard.elapsed()))
    }

    /// Takes a message that passes. A leader that was deposed and does not know it is not noted.
    fn note(&self, message: &Message) {
        let (Message::Session(ToSession::Leading(paxos::message::Leading { round }))
        | Message::Proposer(ToProposer::Heartbeat(matchmaker::message::Heartbeat {
            round,
            ..
        }))) = message
        else {
            return;
        };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|(known, _)| known <= *round) {
            *last = Some((*round, Instant::now()));
        }
    }
}

/// A transport that notes who leads: a leader elsewhere by what it sends here, one in this process by
/// what it sends to others.
#[derive(Debug)]
pub(crate) struct Overhearing<T> {
    pub(crate) transport: T,
    pub(crate) overheard: Overheard,
}

impl<T: Transport<Message>> Transport<Message> for Overhearing<T> {
    fn send(&mut self, envelope: Envelope<Message>) {
        self.overheard.note(&envelope.message);
        self.transport.send(envelope);
    }

    fn flush(&mut self) {
        self.transport.flush();
    }

    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        into: &mut Vec<Envelope<Message>>,
        limit: usize,
    ) -> Poll<usize> {
        let former_count = into.len();
        let count = self.transport.poll_receive(context, into, limit);
        for envelope in into.iter().skip(former_count) {
            self.overheard.note(&envelope.message);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use paxos::actor::{Incarnation, NodeId, Seat};
    use paxos::message::Leading;

    use super::*;

    #[test]
    fn the_highest_leader_that_is_heard_is_noted() {
        let owner = NodeId::new(Seat(64), Incarnation(1));
        let leading = |number| {
            let round = Round { number, owner, step: 0 };
            Message::Session(ToSession::Leading(Leading { round }))
        };
        let overheard = Overheard::default();
        assert_eq!(overheard.last(), None);
        for number in [1, 3, 2] {
            overheard.note(&leading(number));
        }
        assert_eq!(overheard.last().map(|(round, _)| round.number), Some(3));
    }
}
