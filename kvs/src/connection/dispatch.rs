//! From a request to whoever answers it.

use std::sync::Arc;
use std::task::Context;

use bytes::{Bytes, BytesMut};

use super::outbox::{Outbox, Then, Watched};
use super::session::Session;
use super::{Admin, Server};
use crate::commands::{self, Command, Kind, Verb};
use crate::log::{Order, ReplicatedLog};
use crate::log_entry::encode_command;
use crate::resp::{Arguments, ProtocolError, Reply};

/// The start of the names of commands for the administration.
const ADMIN_PREFIX: &[u8] = b"KVS.";
/// Bytes of a name and of arguments that an error reply quotes.
const QUOTED_BYTES_MAX: usize = 128;

/// Whether a request was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Started {
    /// It is answered, now or later.
    Yes,
    /// Not yet: it must be offered again when a reply has come.
    Wait,
    /// It is answered, and the client wants nothing more.
    Last,
}

impl Started {
    /// Whether something was started that may have to wait.
    pub(super) fn once(is_started: bool) -> Self {
        if is_started { Self::Yes } else { Self::Wait }
    }
}

/// The server's side of one connection, without the socket.
pub(super) struct Handler<L, A> {
    pub(super) server: Arc<Server<L, A>>,
    pub(super) session: Session,
    pub(super) outbox: Outbox<L>,
    /// The stamp of the commands that are started now, unix ms.
    pub(super) now_ms: u64,
}

impl<L: ReplicatedLog, A: Admin> Handler<L, A> {
    pub(super) fn new(server: Arc<Server<L, A>>) -> Self {
        let outbox = Outbox::new(server.log.clone());
        let session = Session::new(&server);
        Self { server, session, outbox, now_ms: 0 }
    }

    pub(super) fn look_at_clock(&mut self) {
        self.now_ms = (self.server.options.clock)();
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.session.is_authenticated
    }

    pub(super) fn is_idle(&self) -> bool {
        self.outbox.is_idle()
    }

    pub(super) fn is_full(&self) -> bool {
        self.outbox.is_full(&self.server.options.limits)
    }

    pub(super) fn output(&mut self) -> &mut BytesMut {
        self.outbox.output()
    }

    /// Moves replies that have become ready to the output; returns whether there were any.
    pub(super) fn poll_replies(&mut self, cx: &mut Context<'_>) -> bool {
        let mut watched = Watched::new();
        let output_bytes_max = self.server.options.limits.output_bytes_max;
        let has_moved = self.outbox.poll_replies(cx, output_bytes_max, &mut watched);
        self.session.watch(watched);
        has_moved
    }

    /// Answers a request that cannot be parsed.
    pub(super) fn refuse(&mut self, error: &ProtocolError) {
        self.reply(Reply::Error(format!("ERR {error}")));
    }

    /// Starts the command of a request.
    pub(super) fn start(&mut self, request: Arguments<'_>) -> Started {
        let Some(command) = commands::find(request.at(0)) else {
            return self.start_unknown(request);
        };
        if !command.arity.allows(request.count()) {
            return self.reject(command, wrong_arity(command.name));
        }
        if let Some(text) = subcommand_error(command, request) {
            return self.reject(command, text);
        }
        if !self.session.is_authenticated && !is_allowed_to_strangers(command.verb) {
            return self.reject(command, "NOAUTH Authentication required.".to_owned());
        }
        if let Some(text) = self.excess(command, request) {
            return self.reject(command, text);
        }
        match command.kind {
            Kind::Transaction => self.start_transaction_command(command, request),
            _ if self.session.transaction.is_some() => self.enqueue(command, request),
            Kind::Read => self.start_read(command, request),
            Kind::Write => self.start_write(command, request),
            Kind::Connection => self.start_local(command, request),
        }
    }

    fn start_read(&mut self, command: &Command, request: Arguments<'_>) -> Started {
        let query = encode_command(self.now_ms, command.verb, request.from(1));
        Started::once(self.outbox.read(query, Then::Reply, self.session.protocol))
    }

    fn start_write(&mut self, command: &Command, request: Arguments<'_>) -> Started {
        // Before the entry is made: it would be made again for each reply that comes.
        if L::ORDER == Order::Called && self.outbox.holds_up_any() {
            return Started::Wait;
        }
        let entry = encode_command(self.now_ms, command.verb, request.from(1));
        Started::once(self.outbox.propose(entry, Then::Reply, self.session.protocol))
    }

    fn start_local(&mut self, command: &'static Command, request: Arguments<'_>) -> Started {
        let words: Vec<&[u8]> = request.from(0).collect();
        match command.verb {
            Verb::Quit => {
                self.reply(Reply::ok());
                Started::Last
            }
            Verb::Info => self.start_info(&words),
            _ => {
                let reply = self.answer_locally(command, &words);
                self.reply(reply);
                Started::Yes
            }
        }
    }

    /// A command that is in no table: one for the administration, or a mistake.
    fn start_unknown(&mut self, request: Arguments<'_>) -> Started {
        let name = request.at(0);
        let is_admin = name
            .get(..ADMIN_PREFIX.len())
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case(ADMIN_PREFIX));
        if !is_admin {
            self.abort_transaction();
            self.reply(Reply::Error(unknown_command(request)));
            return Started::Yes;
        }
        if !self.session.is_authenticated {
            self.reply(Reply::Error("NOAUTH Authentication required.".to_owned()));
            return Started::Yes;
        }
        if self.session.transaction.is_some() {
            self.abort_transaction();
            self.reply(Reply::Error("ERR Command not allowed inside a transaction".to_owned()));
            return Started::Yes;
        }
        if !self.outbox.is_idle() {
            return Started::Wait;
        }
        let arguments: Vec<Bytes> = request.from(0).map(Bytes::copy_from_slice).collect();
        self.outbox.call(self.server.admin.call(arguments), self.session.protocol);
        Started::Yes
    }

    /// Answers a command with an error before it is even tried.
    pub(super) fn reject(&mut self, command: &Command, text: String) -> Started {
        let text = self.reject_in_transaction(command, text);
        self.reply(Reply::Error(text));
        Started::Yes
    }

    pub(super) fn reply(&mut self, reply: Reply) {
        self.outbox.reply(&reply, self.session.protocol);
    }

    /// The error for an argument that is longer than allowed, if there is one.
    fn excess(&self, command: &Command, request: Arguments<'_>) -> Option<String> {
        let limits = &self.server.options.limits;
        let least = limits.key_bytes_max.min(limits.value_bytes_max);
        for (index, argument) in request.from(1).enumerate() {
            if argument.len() <= least {
                continue;
            }
            let is_key = command.keys.contains(index + 1, request.count());
            let (what, bytes_max) = if is_key {
                ("key", limits.key_bytes_max)
            } else {
                ("value", limits.value_bytes_max)
            };
            if argument.len() > bytes_max {
                let bytes = argument.len();
                return Some(format!(
                    "ERR the {what} has {bytes} bytes, this server allows {bytes_max}: \
                     shorten it or raise the limit of every server"
                ));
            }
        }
        None
    }
}

/// What a client may say before it gave the password.
const fn is_allowed_to_strangers(verb: Verb) -> bool {
    matches!(verb, Verb::Auth | Verb::Hello | Verb::Quit | Verb::Reset)
}

/// The error for a wrong number of arguments; `name` may be that of a subcommand, as `client|id`.
pub(super) fn wrong_arity(name: &str) -> String {
    format!("ERR wrong number of arguments for '{name}' command")
}

/// The error for a wrong subcommand, or for a wrong number of arguments to it, if there is one.
fn subcommand_error(command: &Command, request: Arguments<'_>) -> Option<String> {
    let subcommands = commands::subcommands(command.verb)?;
    if request.count() == 1 {
        return None;
    }
    let name = request.at(1);
    match subcommands.iter().find(|row| name.eq_ignore_ascii_case(row.name.as_bytes())) {
        Some(row) if row.arity.allows(request.count()) => None,
        Some(row) => Some(wrong_arity(&format!("{}|{}", command.name, row.name))),
        None => {
            let (name, container) = (quoted(name, QUOTED_BYTES_MAX), command.name.to_uppercase());
            Some(format!("ERR unknown subcommand '{name}'. Try {container} HELP."))
        }
    }
}

/// The error for a command that does not exist, with the text of Redis.
fn unknown_command(request: Arguments<'_>) -> String {
    let mut arguments = String::new();
    for argument in request.from(1) {
        let Some(room) = QUOTED_BYTES_MAX.checked_sub(arguments.len()).filter(|room| *room > 0)
        else {
            break;
        };
        arguments += &format!("'{}' ", quoted(argument, room));
    }
    let name = quoted(request.at(0), QUOTED_BYTES_MAX);
    format!("ERR unknown command '{name}', with args beginning with: {arguments}")
}

/// At most `bytes_max` bytes of `text`, which ends at a zero byte as in C.
pub(super) fn quoted(text: &[u8], bytes_max: usize) -> String {
    let text = &text[..text.len().min(bytes_max)];
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    String::from_utf8_lossy(&text[..end]).into_owned()
}
