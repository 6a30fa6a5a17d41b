//! The replies of one connection, in the order of its commands.
//!
//! ```text
//!  newest ─► in flight, in order ─► oldest ─► output ─► socket
//! ```
//!
//! Only the oldest in flight is polled. A reply that is known at once joins the queue behind those
//! that are not.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};

use paxos::state_machine::{Conflicts, Footprint};

use super::conflicts::Touched;
use super::transactions::splice;
use crate::limits::Limits;
use crate::log::{Order, ReplicatedLog, RequestError};
use crate::log_entry::{Version, decode_versions};
use crate::resp::{self, Protocol, Reply};
use crate::store::{Store, footprint_of_question};

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Bytes that a reply is expected to have before any was seen.
const REPLY_BYTES_EXPECTED: usize = 4096;

/// What one command waits for.
enum Work {
    /// Nothing; this is the reply, encoded for the client.
    Ready(Bytes),
    /// The reply of the state machine through the log.
    Proposed(Pending<Result<Bytes, RequestError>>, Then),
    /// The reply of the state machine without the log. The entry is kept for the case that the
    /// state machine wants it in the log.
    Read(Pending<Result<Option<Bytes>, RequestError>>, Bytes, Then),
    /// The reply of the administration.
    Admin(Pending<Reply>),
}

/// What is made of the state machine's reply.
#[derive(Debug)]
pub(super) enum Then {
    /// The reply to the client.
    Reply,
    /// The reply to EXEC; `Some` is the reply to a queued command that the connection answered.
    Splice(Vec<Option<Bytes>>),
    /// The versions of these keys; the client is told OK.
    Watch(Vec<Bytes>),
    /// The last line of INFO, which so far is this.
    Info(String),
}

struct InFlight {
    work: Work,
    /// The protocol the client spoke when it sent the command.
    protocol: Protocol,
    /// Bytes of the entry.
    bytes: usize,
    /// What it touches, if others must wait for it by that.
    footprint: Option<Footprint>,
}

/// Versions that a finished WATCH has learned.
pub(super) type Watched = Vec<(Bytes, Version)>;

/// See the essay above.
pub(super) struct Outbox<L> {
    log: L,
    in_flight: VecDeque<InFlight>,
    /// Replies to be written, encoded.
    output: BytesMut,
    /// Bytes of the entries in flight.
    bytes: usize,
    /// How many in flight are reads without the log.
    read_count: usize,
    /// How many in flight are proposals.
    proposed_count: usize,
    /// What those in flight touch, if others must wait for them by that.
    touched: Touched,
    /// Whether the newest in flight must finish before another command may start.
    is_barred: bool,
    /// Bytes of a large reply of late. Bounds how many replies may be waiting for a slow reader.
    reply_bytes_expected: usize,
}

impl<L: ReplicatedLog> Outbox<L> {
    pub(super) fn new(log: L) -> Self {
        Self {
            log,
            in_flight: VecDeque::new(),
            output: BytesMut::new(),
            bytes: 0,
            read_count: 0,
            proposed_count: 0,
            touched: Touched::default(),
            is_barred: false,
            reply_bytes_expected: REPLY_BYTES_EXPECTED,
        }
    }

    /// Whether another command must wait.
    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        let expected = self.reply_bytes_expected.max(1);
        let count_max =
            (limits.output_bytes_max / expected).min(limits.pipeline_commands_max).max(1);
        self.is_barred
            || self.in_flight.len() >= count_max
            || self.bytes >= limits.pipeline_bytes_max
            || self.output.len() >= limits.output_bytes_max
    }

    /// Whether no command is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Whether a proposal must wait, whatever it touches.
    pub(super) fn holds_up_any(&self) -> bool {
        match L::ORDER {
            Order::Called => self.read_count > 0,
            Order::Returned => !self.is_idle(),
        }
    }

    /// The bytes that are ready to be written.
    pub(super) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Answers a command at once, behind those before it.
    pub(super) fn reply(&mut self, reply: &Reply, protocol: Protocol) {
        if self.in_flight.is_empty() {
            reply.encode(protocol, &mut self.output);
        } else {
            self.reply_encoded(reply.to_bytes(protocol));
        }
    }

    /// As [`Outbox::reply`], with a reply encoded for the client.
    pub(super) fn reply_encoded(&mut self, reply: Bytes) {
        if self.in_flight.is_empty() {
            self.output.extend_from_slice(&reply);
        } else {
            let bytes = reply.len();
            let (work, protocol) = (Work::Ready(reply), Protocol::Resp2);
            self.push(InFlight { work, protocol, bytes, footprint: None });
        }
    }

    /// Proposes `entry`, unless something that is in flight must return before. Whether it did.
    pub(super) fn propose(&mut self, entry: Bytes, then: Then, protocol: Protocol) -> bool {
        let footprint = (L::ORDER == Order::Returned).then(|| Store::footprint(&entry));
        if self.holds_up(footprint.as_ref()) {
            return false;
        }
        let bytes = entry.len();
        self.proposed_count += 1;
        let work = Work::Proposed(Box::pin(self.log.propose(entry)), then);
        self.push(InFlight { work, protocol, bytes, footprint });
        true
    }

    /// Reads, through the log if that has an order and a proposal is in flight; unless something that is in
    /// flight must return before. Whether it did.
    pub(super) fn read(&mut self, query: Bytes, then: Then, protocol: Protocol) -> bool {
        if L::ORDER == Order::Called && self.proposed_count > 0 {
            return self.propose(query, then, protocol);
        }
        let footprint = (L::ORDER == Order::Returned).then(|| footprint_of_question(&query));
        if footprint.is_some() && self.holds_up(footprint.as_ref()) {
            return false;
        }
        let bytes = query.len();
        self.read_count += 1;
        let work = Work::Read(Box::pin(self.log.read(query.clone())), query, then);
        self.push(InFlight { work, protocol, bytes, footprint });
        true
    }

    /// Whether a proposal must wait that touches so much; nothing is given where the log has an order.
    fn holds_up(&self, footprint: Option<&Footprint>) -> bool {
        match footprint {
            None => self.read_count > 0,
            Some(footprint) => self.touched.conflicts_with(footprint),
        }
    }

    /// Waits for the administration.
    pub(super) fn call(
        &mut self,
        reply: impl Future<Output = Reply> + Send + 'static,
        protocol: Protocol,
    ) {
        let work = Work::Admin(Box::pin(reply));
        self.push(InFlight { work, protocol, bytes: 0, footprint: None });
        self.is_barred = true;
    }

    /// Lets no other command start before the newest in flight has finished.
    pub(super) fn bar(&mut self) {
        self.is_barred = !self.in_flight.is_empty();
    }

    fn push(&mut self, item: InFlight) {
        self.bytes += item.bytes;
        if let Some(footprint) = &item.footprint {
            self.touched.add(footprint);
        }
        self.in_flight.push_back(item);
    }

    /// Moves replies that have become ready to the output, the oldest first, until the output is
    /// full. Returns whether it moved any; what a WATCH has learned is added to `watched`.
    pub(super) fn poll_replies(
        &mut self,
        cx: &mut Context<'_>,
        output_bytes_max: usize,
        watched: &mut Watched,
    ) -> bool {
        let mut has_moved = false;
        while self.output.len() < output_bytes_max
            && let Poll::Ready(true) = self.poll_oldest(cx, watched)
        {
            has_moved = true;
        }
        has_moved
    }

    /// Ready with false if nothing is in flight.
    fn poll_oldest(&mut self, cx: &mut Context<'_>, watched: &mut Watched) -> Poll<bool> {
        let Some(oldest) = self.in_flight.front_mut() else {
            return Poll::Ready(false);
        };
        let answer = match &mut oldest.work {
            Work::Ready(_) => Ok(Bytes::new()),
            Work::Proposed(answer, _) => match answer.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(answer) => answer,
            },
            Work::Read(answer, _, _) => match answer.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(Some(answer))) => Ok(answer),
                Poll::Ready(Err(error)) => Err(error),
                Poll::Ready(Ok(None)) => {
                    self.propose_reads();
                    return self.poll_oldest(cx, watched);
                }
            },
            Work::Admin(reply) => match reply.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(reply) => Ok(reply.to_bytes(oldest.protocol)),
            },
        };
        if let Some(oldest) = self.in_flight.pop_front() {
            self.finish(oldest, answer, watched);
        }
        Poll::Ready(true)
    }

    /// The oldest read must be proposed. Where there is a log, those behind it must not overtake it.
    fn propose_reads(&mut self) {
        let count = if L::ORDER == Order::Called { self.in_flight.len() } else { 1 };
        for item in self.in_flight.iter_mut().take(count) {
            item.work = match std::mem::replace(&mut item.work, Work::Ready(Bytes::new())) {
                Work::Read(_, entry, then) => {
                    self.read_count -= 1;
                    self.proposed_count += 1;
                    Work::Proposed(Box::pin(self.log.propose(entry)), then)
                }
                other => other,
            };
        }
    }

    fn finish(
        &mut self,
        item: InFlight,
        answer: Result<Bytes, RequestError>,
        watched: &mut Watched,
    ) {
        self.bytes -= item.bytes;
        if let Some(footprint) = &item.footprint {
            self.touched.remove(footprint);
        }
        if self.in_flight.is_empty() {
            self.is_barred = false;
        }
        let start = self.output.len();
        let then = match item.work {
            Work::Ready(reply) => {
                self.output.extend_from_slice(&reply);
                return;
            }
            Work::Admin(_) => {
                // The answer is encoded for the client already.
                self.output.extend_from_slice(&answer.unwrap_or_default());
                return;
            }
            Work::Proposed(_, then) => {
                self.proposed_count -= 1;
                then
            }
            Work::Read(_, _, then) => {
                self.read_count -= 1;
                then
            }
        };
        match (then, answer) {
            (Then::Info(text), answer) => {
                let keyspace = answer.ok().and_then(|answer| keyspace_line(&answer));
                let text = text + &keyspace.unwrap_or_default();
                Reply::Text(text).encode(item.protocol, &mut self.output);
            }
            (_, Err(error)) => {
                Reply::Error(error.text().to_owned()).encode(item.protocol, &mut self.output);
            }
            (Then::Reply, Ok(answer)) => self.put_answer(&answer, item.protocol),
            (Then::Splice(locals), Ok(answer)) => {
                self.put_answer(&splice(answer, locals), item.protocol);
            }
            (Then::Watch(keys), Ok(answer)) => match decode_versions(&answer) {
                Some(versions) if versions.len() == keys.len() => {
                    watched.extend(keys.into_iter().zip(versions));
                    self.output.extend_from_slice(&resp::OK);
                }
                _ => self.put_answer(&answer, item.protocol),
            },
        }
        let bytes = self.output.len() - start;
        let decayed = self.reply_bytes_expected - self.reply_bytes_expected / 8;
        self.reply_bytes_expected = decayed.max(bytes);
    }

    fn put_answer(&mut self, answer: &[u8], protocol: Protocol) {
        match protocol {
            Protocol::Resp2 => self.output.extend_from_slice(answer),
            Protocol::Resp3 => resp::to_resp3(answer, &mut self.output),
        }
    }
}

/// The line of INFO for the answer to the query for statistics.
fn keyspace_line(answer: &[u8]) -> Option<String> {
    let numbers: Vec<&str> = resp::elements(answer)?
        .into_iter()
        .filter_map(|element| std::str::from_utf8(element).ok()?.strip_prefix(':'))
        .map(str::trim_end)
        .collect();
    match numbers.as_slice() {
        ["0", _] => Some(String::new()),
        [keys, expires] => Some(format!("db0:keys={keys},expires={expires},avg_ttl=0\r\n")),
        _ => None,
    }
}
