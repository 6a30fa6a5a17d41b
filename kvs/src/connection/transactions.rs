//! MULTI, EXEC, DISCARD, WATCH and UNWATCH.
//!
//! Commands queue at the connection and become one entry of the log at EXEC, together with the
//! versions of the watched keys; whether these still hold is decided where the entry is applied.
//! Queued commands that the connection answers itself, such as PING, are answered at EXEC and their
//! replies put between those of the state machine; a setting they change stays changed even if a
//! watched key lets the transaction fail.

use bytes::Bytes;

use super::Admin;
use super::dispatch::{Handler, Started};
use super::outbox::Then;
use crate::commands::{Command, Kind, Verb};
use crate::log::ReplicatedLog;
use crate::log_entry::{TransactionBuilder, encode_versions};
use crate::resp::{self, Arguments, Reply};

/// The commands that wait for EXEC.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// Those for the state machine.
    builder: TransactionBuilder,
    /// All, in order.
    parts: Vec<Part>,
    /// Bytes of the arguments of those the connection answers.
    local_bytes: usize,
    /// Whether a command was rejected, so that EXEC must fail.
    is_aborted: bool,
}

#[derive(Debug)]
enum Part {
    /// The next of the builder.
    Store,
    /// A command that the connection answers, name and arguments.
    Local(&'static Command, Vec<Bytes>),
}

impl<L: ReplicatedLog, A: Admin> Handler<L, A> {
    pub(super) fn start_transaction_command(
        &mut self,
        command: &'static Command,
        request: Arguments<'_>,
    ) -> Started {
        let is_queueing = self.session.transaction.is_some();
        let reply = match command.verb {
            Verb::Exec => return self.execute(),
            Verb::Unwatch if is_queueing => return self.enqueue(command, request),
            Verb::Watch if !is_queueing => return self.watch(request),
            Verb::Watch => Reply::Error("ERR WATCH inside MULTI is not allowed".to_owned()),
            Verb::Multi if is_queueing => {
                Reply::Error("ERR MULTI calls can not be nested".to_owned())
            }
            Verb::Multi => {
                self.session.transaction = Some(Transaction::default());
                Reply::ok()
            }
            Verb::Discard if !is_queueing => Reply::Error("ERR DISCARD without MULTI".to_owned()),
            Verb::Discard => {
                self.session.transaction = None;
                self.session.watched.clear();
                Reply::ok()
            }
            _ => {
                self.session.watched.clear();
                Reply::ok()
            }
        };
        self.reply(reply);
        Started::Yes
    }

    /// Puts a command in the queue.
    pub(super) fn enqueue(&mut self, command: &'static Command, request: Arguments<'_>) -> Started {
        match command.verb {
            Verb::Quit | Verb::Reset => return self.start_in_spite(command),
            Verb::Hello | Verb::Auth => {
                let text = "ERR Command not allowed inside a transaction".to_owned();
                return self.reject(command, text);
            }
            _ => {}
        }
        let limits = &self.server.options.limits;
        let Some(transaction) = &mut self.session.transaction else {
            return Started::Yes;
        };
        let bytes: usize = request.from(0).map(<[u8]>::len).sum();
        let bytes_after = transaction.builder.bytes() + transaction.local_bytes + bytes;
        if transaction.parts.len() >= limits.transaction_commands_max
            || bytes_after > limits.transaction_bytes_max
        {
            let text = format!(
                "ERR the transaction exceeds {} commands or {} bytes: split it or raise the limit",
                limits.transaction_commands_max, limits.transaction_bytes_max
            );
            return self.reject(command, text);
        }
        // After an error the queue will never run; only its size is still of interest.
        if transaction.is_aborted {
        } else if matches!(command.kind, Kind::Read | Kind::Write) {
            transaction.builder.push(command.verb, request.from(1));
            transaction.parts.push(Part::Store);
        } else {
            transaction.local_bytes += bytes;
            let words = request.from(0).map(Bytes::copy_from_slice).collect();
            transaction.parts.push(Part::Local(command, words));
        }
        self.reply(Reply::Simple("QUEUED".to_owned()));
        Started::Yes
    }

    /// The commands that end a transaction without running it.
    fn start_in_spite(&mut self, command: &'static Command) -> Started {
        if command.verb == Verb::Quit {
            self.reply(Reply::ok());
            return Started::Last;
        }
        let reply = self.answer_locally(command, &[]);
        self.reply(reply);
        Started::Yes
    }

    /// Lets the transaction fail, if there is one.
    pub(super) fn abort_transaction(&mut self) {
        if let Some(transaction) = &mut self.session.transaction {
            *transaction = Transaction { is_aborted: true, ..Transaction::default() };
        }
    }

    /// Notes that `command` was rejected with `text`; returns the text for the client.
    pub(super) fn reject_in_transaction(&mut self, command: &Command, text: String) -> String {
        if command.verb != Verb::Exec {
            self.abort_transaction();
            return text;
        }
        self.session.transaction = None;
        self.session.watched.clear();
        let text = text.strip_prefix("ERR ").unwrap_or(&text);
        format!("EXECABORT Transaction discarded because of: {text}")
    }

    fn execute(&mut self) -> Started {
        if self.session.transaction.is_some() && self.outbox.holds_up_any() {
            return Started::Wait;
        }
        let Some(transaction) = self.session.transaction.take() else {
            self.reply(Reply::Error("ERR EXEC without MULTI".to_owned()));
            return Started::Yes;
        };
        let watched = std::mem::take(&mut self.session.watched);
        if transaction.is_aborted {
            let text = "EXECABORT Transaction discarded because of previous errors.";
            self.reply(Reply::Error(text.to_owned()));
            return Started::Yes;
        }
        let mut locals = Vec::with_capacity(transaction.parts.len());
        for part in &transaction.parts {
            locals.push(match part {
                Part::Store => None,
                Part::Local(command, words) => {
                    let words: Vec<&[u8]> = words.iter().map(Bytes::as_ref).collect();
                    let reply = self.answer_locally(command, &words);
                    Some(reply.to_bytes(self.session.protocol))
                }
            });
        }
        let is_empty = transaction.builder.count() == 0;
        if is_empty && watched.is_empty() {
            let mut empty = Vec::new();
            resp::array_header(0, &mut empty);
            self.outbox.reply_encoded(splice(Bytes::from(empty), locals));
            return Started::Yes;
        }
        let watched = watched.iter().map(|(key, version)| (key.as_ref(), *version));
        let entry = transaction.builder.encode(self.now_ms, watched);
        let has_locals = locals.iter().any(Option::is_some);
        let then = if has_locals { Then::Splice(locals) } else { Then::Reply };
        let is_started = self.outbox.propose(entry, then, self.session.protocol);
        debug_assert!(is_started, "nothing is in flight that could hold it up");
        Started::Yes
    }

    /// Learns the versions of keys. Later commands wait for them: EXEC needs them.
    fn watch(&mut self, request: Arguments<'_>) -> Started {
        let limits = &self.server.options.limits;
        let former = self.session.watched.keys().map(Bytes::len);
        let (mut count, mut bytes) = (0, 0);
        for key_bytes in former.chain(request.from(1).map(<[u8]>::len)) {
            count += 1;
            bytes += key_bytes;
        }
        if count > limits.watched_keys_max || bytes > limits.transaction_bytes_max {
            let text = format!(
                "ERR more than {} keys or {} bytes of keys are watched: UNWATCH or raise the limit",
                limits.watched_keys_max, limits.transaction_bytes_max
            );
            self.reply(Reply::Error(text));
            return Started::Yes;
        }
        let query = encode_versions(self.now_ms, request.from(1));
        let keys = request.from(1).map(Bytes::copy_from_slice).collect();
        let is_started = self.outbox.read(query, Then::Watch(keys), self.session.protocol);
        if is_started {
            self.outbox.bar();
        }
        Started::once(is_started)
    }
}

/// The reply to EXEC: that of the state machine, with the replies of the connection in their places.
/// An `answer` that is no array stays as it is.
pub(super) fn splice(answer: Bytes, locals: Vec<Option<Bytes>>) -> Bytes {
    let Some(elements) = resp::elements(&answer) else {
        return answer;
    };
    let mut elements = elements.into_iter();
    let mut out = Vec::new();
    resp::array_header(locals.len(), &mut out);
    for local in &locals {
        match local {
            Some(reply) => out.extend_from_slice(reply),
            None => out.extend_from_slice(elements.next().unwrap_or(b"$-1\r\n")),
        }
    }
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_replies_take_their_places() {
        let answer = Bytes::from_static(b"*2\r\n+OK\r\n$1\r\na\r\n");
        let pong = Some(Bytes::from_static(b"+PONG\r\n"));
        let locals = vec![pong.clone(), None, pong.clone(), None];
        assert_eq!(splice(answer, locals), "*4\r\n+PONG\r\n+OK\r\n+PONG\r\n$1\r\na\r\n");
        assert_eq!(splice(resp::NULL_ARRAY, vec![pong]), resp::NULL_ARRAY);
    }
}
