//! What happens to a message: it departs, it is judged, it travels, it arrives.

use bytes::Bytes;
use paxos::actor::NodeId;
use paxos::wire;

use super::protocol::{EnvelopeOf, MessageOf, Protocol, RecordOf};
use super::{Event, Verdict, Workload, World};
use crate::coverage::Situation;
use crate::hosted::Hosted;
use crate::plan::OPERATOR;
use crate::properties;

impl<W: Workload, P: Protocol<W>> World<W, P> {
    /// A message leaves an actor of the process `index`.
    pub(super) fn depart(&mut self, index: usize, envelope: EnvelopeOf<W, P>) -> Verdict {
        if self.mutation.is_none() {
            return self.judge_departure(index, envelope);
        }
        let (envelope, forged) = P::mutate_departure(self, envelope);
        for envelope in forged {
            self.forge(index, envelope)?;
        }
        self.judge_departure(index, envelope)
    }

    /// A message that no actor sent leaves a process. One for the same process is not on its way there
    /// yet.
    fn forge(&mut self, index: usize, envelope: EnvelopeOf<W, P>) -> Verdict {
        let is_here = self.places.find(envelope.to).is_some_and(|to| to.process == index);
        if is_here {
            self.push(0, Event::Deliver(envelope, 0));
            return Ok(());
        }
        self.judge_departure(index, envelope)
    }

    fn judge_departure(&mut self, index: usize, envelope: EnvelopeOf<W, P>) -> Verdict {
        self.summary.messages += 1;
        self.spring(index, &envelope.message);
        self.hide_round(index, (envelope.from, envelope.to), &envelope.message);
        self.digest_message(&envelope)?;
        P::on_departure(self, index, &envelope)?;
        self.carry(index, envelope)
    }

    /// Takes the bytes of a message into the fingerprint, and has them read back if the plan says so.
    fn digest_message(&mut self, envelope: &EnvelopeOf<W, P>) -> Verdict {
        self.digest.number(self.now);
        self.digest.number(u64::from(envelope.from.seat.0) << 32 | u64::from(envelope.to.seat.0));
        self.scratch.clear();
        wire::encode_into(&envelope.message, &mut self.scratch);
        self.digest.bytes(&self.scratch);
        if !self.plan.is_encoded {
            return Ok(());
        }
        match wire::decode::<MessageOf<W, P>>(&Bytes::copy_from_slice(&self.scratch)) {
            Ok(decoded) if decoded == envelope.message => Ok(()),
            other => {
                let detail = format!("{:?} is read back as {other:?}", envelope.message);
                properties::violated("wire", detail)
            }
        }
    }

    /// Takes a durable record into the fingerprint.
    pub(super) fn digest_record(&mut self, node: NodeId, record: &RecordOf<W, P>) {
        self.digest.number(self.now);
        self.digest.number(u64::from(node.seat.0));
        self.scratch.clear();
        wire::encode_into(record, &mut self.scratch);
        self.digest.bytes(&self.scratch);
    }

    fn carry(&mut self, from: usize, envelope: EnvelopeOf<W, P>) -> Verdict {
        if envelope.to == OPERATOR {
            let delay = self.network.operator_delay(&mut self.operator_random);
            return self.travel(envelope, [delay, None]);
        }
        let Some(to) = self.places.find(envelope.to) else { return Ok(()) };
        // Whoever had that name has lost its disk, and nobody takes its place.
        if !self.places.is_present(envelope.to) {
            return Ok(());
        }
        if self.keep_request(from, &envelope)? {
            return self.travel(envelope, [None, None]);
        }
        if to.process == from {
            self.trace_message(&envelope, [Some(0), None]);
            P::on_arrival(self, envelope.from, envelope.to, &envelope.message);
            if self.places.role(envelope.to).is_none() {
                return self.hear_return(from, &envelope.message);
            }
            return Ok(());
        }
        let ends = ((from, envelope.from), (to.process, envelope.to));
        let consensus = P::Actor::consensus(&envelope.message);
        let mut delays = match consensus.is_some_and(|m| self.ambushes.loses(ends, m, self.now)) {
            true => [None, None],
            false => self.network.delays(from, to.process, self.now),
        };
        // What is lost is not late.
        if delays[0].is_some() {
            self.release_late(from, &envelope.message)?;
            delays = self.hold_back((from, to.process), &envelope).unwrap_or(delays);
        }
        self.travel(envelope, delays)
    }

    /// Sends a message that arrives after each of these delays.
    pub(super) fn travel(
        &mut self,
        envelope: EnvelopeOf<W, P>,
        delays: [Option<u64>; 2],
    ) -> Verdict {
        let number = self.trace_message(&envelope, delays);
        let [first, second] = delays;
        if let Some(delay) = second {
            self.push(delay, Event::Deliver(envelope.clone(), number));
        }
        if let Some(delay) = first {
            self.push(delay, Event::Deliver(envelope, number));
        }
        Ok(())
    }

    fn trace_message(&mut self, envelope: &EnvelopeOf<W, P>, delays: [Option<u64>; 2]) -> u64 {
        match &mut self.recorder {
            Some(recorder) => recorder.message::<P::Actor>(self.now, envelope, delays),
            None => 0,
        }
    }

    pub(super) fn deliver(&mut self, envelope: EnvelopeOf<W, P>, number: u64) -> Verdict {
        if envelope.to == OPERATOR {
            P::hear(self, envelope.message);
            return Ok(());
        }
        let Some(to) = self.places.find(envelope.to) else { return Ok(()) };
        if !self.places.is_present(envelope.to) {
            return Ok(());
        }
        if !self.processes[to.process].is_up() {
            self.summary.coverage.meet(Situation::MessageToDeadProcess);
            if let Some(recorder) = &mut self.recorder {
                recorder.vanished(number);
            }
            return Ok(());
        }
        P::on_arrival(self, envelope.from, envelope.to, &envelope.message);
        let inbox = &mut self.processes[to.process].inbox;
        if self.mutation.is_none() {
            inbox.push_back(envelope);
        } else {
            let arriving = P::mutate_arrival(self, envelope);
            self.processes[to.process].inbox.extend(arriving);
        }
        self.schedule(to.process);
        Ok(())
    }
}
