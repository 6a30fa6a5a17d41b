//! A request that reaches a proposer when it leads again, after the session that sent it has begun anew.

use std::ops::Range;

use matchmaker::message::{Message, ToProposer};
use paxos::actor::NodeId;
use paxos::command::Submission;
use paxos::message::{Executed, FromSession, Request, ToSession};

use super::process::Envelope;
use super::protocol::{EnvelopeOf, Protocol};
use super::{Event, Verdict, Workload, World};
use crate::coverage::Situation;
use crate::hosted::Hosted;
use crate::trace::Kind;

/// A process dies so long after what it is struck for.
const SOON_US: u64 = 100;

/// Numbers of requests that are kept: the next life of the session must get as far, and no further.
const NUMBERS: Range<u64> = 1..8;

/// Other leaders that are struck so that the right one leads again.
const OTHERS_MAX: usize = 3;

/// A request that is kept. Its session begins anew, and its proposer is down for a while.
#[derive(Debug)]
struct Kept<M> {
    envelope: Envelope<M>,
    session: NodeId,
    life: u64,
    /// The number of its first command.
    first: u64,
    /// For how long its proposer is down.
    down_us: u64,
    /// Whether the next life has had as many commands executed as this one had.
    is_due: bool,
    /// Others that led since then.
    other_count: usize,
}

/// What waits for requests, and what is kept of them: one at a time.
#[derive(Debug)]
pub(super) struct FormerLives<M> {
    /// For how long the proposers are to be down.
    waiting: Vec<u64>,
    kept: Option<Kept<M>>,
}

impl<M> Default for FormerLives<M> {
    fn default() -> Self {
        Self { waiting: Vec::new(), kept: None }
    }
}

impl<M> FormerLives<M> {
    pub(super) fn wait(&mut self, down_us: u64) {
        self.waiting.push(down_us);
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.kept = None;
    }

    /// Whether a message is lost: the proposer must not hear of the next life of the session, nor anyone of
    /// its commands from the number of the request on.
    pub(super) fn loses(&self, to: NodeId, message: &Message) -> bool {
        let (Some(kept), Some(request)) = (&self.kept, request(message)) else { return false };
        let submission = &request.submission;
        submission.session.node == kept.session
            && (to == kept.envelope.to || submission.first >= kept.first)
    }

    /// A session gets replies. For how long the leader is to be down if the next life has got far enough with
    /// them. One that has got further is of no use.
    fn hear(&mut self, to: NodeId, m: &Executed) -> Option<u64> {
        let kept = self.kept.as_mut()?;
        if to != kept.session || m.session.life <= kept.life || kept.is_due {
            return None;
        }
        let end = m.first + m.replies.len() as u64;
        if end > kept.first {
            self.kept = None;
            return None;
        }
        kept.is_due = end == kept.first;
        kept.is_due.then_some(3 * kept.down_us)
    }

    /// A leader shows that it is at work. What is due to it; or for how long it is to be down, for another one
    /// to lead.
    fn release(&mut self, leader: NodeId) -> (Option<Envelope<M>>, Option<u64>) {
        let Some(kept) = self.kept.as_mut().filter(|kept| kept.is_due) else { return (None, None) };
        if kept.envelope.to == leader {
            return (self.kept.take().map(|kept| kept.envelope), None);
        }
        kept.other_count += 1;
        (None, (kept.other_count <= OTHERS_MAX).then_some(3 * kept.down_us))
    }
}

fn request(message: &Message) -> Option<&Request> {
    match message {
        Message::Proposer(ToProposer::Session(FromSession::Request(request))) => Some(request),
        _ => None,
    }
}

impl<W: Workload, P: Protocol<W>> World<W, P> {
    /// A message leaves a process: it may be what one of these waits for. True if it is kept.
    pub(super) fn keep_request(
        &mut self,
        from: usize,
        envelope: &EnvelopeOf<W, P>,
    ) -> Verdict<bool> {
        let Some(message) = P::Actor::consensus(&envelope.message) else { return Ok(false) };
        match message {
            Message::Session(ToSession::Executed(m)) => {
                let down_us = self.ambushes.former_lives.hear(envelope.to, m);
                if let (Some(down_us), Some(leading)) = (down_us, self.leading_process()) {
                    self.strike_down(leading, down_us);
                }
                Ok(false)
            }
            Message::Proposer(ToProposer::Heartbeat(_)) => {
                let (due, down_us) = self.ambushes.former_lives.release(envelope.from);
                if let Some(down_us) = down_us {
                    self.strike_down(from, down_us);
                }
                if let Some(envelope) = due {
                    self.summary.coverage.meet(Situation::FormerLifeReturned);
                    self.travel(envelope, [Some(10), None])?;
                }
                Ok(false)
            }
            message => match request(message) {
                Some(Request { submission, .. }) => {
                    Ok(self.begin_former_life(from, envelope, submission))
                }
                None => Ok(false),
            },
        }
    }

    /// Keeps a request to a leader at work on another process, if one of these waits.
    fn begin_former_life(
        &mut self,
        from: usize,
        envelope: &EnvelopeOf<W, P>,
        submission: &Submission,
    ) -> bool {
        let Some(to) = self.places.find(envelope.to).map(|to| to.process) else { return false };
        let lives = &self.ambushes.former_lives;
        let is_awaited = lives.kept.is_none() && !lives.waiting.is_empty();
        let is_fit =
            to != from && self.leads_in(to).is_some() && NUMBERS.contains(&submission.first);
        if !is_awaited || !is_fit {
            return false;
        }
        let down_us = self.ambushes.former_lives.waiting.remove(0);
        self.ambushes.former_lives.kept = Some(Kept {
            envelope: envelope.clone(),
            session: submission.session.node,
            life: submission.session.life,
            first: submission.first,
            down_us,
            is_due: false,
            other_count: 0,
        });
        self.feel("former life");
        self.note(Some(from), Kind::Fault, "dies, and its request is kept".to_owned());
        self.strike_down(from, crate::MS);
        self.strike_down(to, down_us);
        true
    }

    fn strike_down(&mut self, process: usize, down_us: u64) {
        let life = self.processes[process].life;
        self.push(SOON_US, Event::Kill { process, life, down_us });
    }
}
