//! The commands about the server, and the list of all that a connection answers by itself.

use std::sync::atomic::Ordering;

use super::Admin;
use super::dispatch::{Handler, Started, wrong_arity};
use super::outbox::Then;
use super::session::help;
use crate::commands::{self, Command, Kind, Verb};
use crate::log::ReplicatedLog;
use crate::log_entry::encode_statistics;
use crate::resp::Reply;
use crate::store::matches;

/// The version of Redis whose replies are given. Clients decide by it what they may send.
pub(super) const REDIS_VERSION: &str = "7.0.15";

impl<L: ReplicatedLog, A: Admin> Handler<L, A> {
    /// Answers a command that needs nobody else. `words` starts with the name.
    pub(super) fn answer_locally(&mut self, command: &Command, words: &[&[u8]]) -> Reply {
        match command.verb {
            Verb::Ping => match words {
                [_, message] => Reply::bulk(message),
                [] | [_] => Reply::Simple("PONG".to_owned()),
                _ => Reply::Error(wrong_arity("ping")),
            },
            Verb::Echo => Reply::bulk(words.get(1).copied().unwrap_or_default()),
            Verb::Hello => self.hello(words),
            Verb::Auth => self.authenticate(words),
            Verb::Reset => self.reset(),
            Verb::Select => self.select(words),
            Verb::Client => self.client(words),
            Verb::Command => describe_commands(words),
            Verb::Config => self.config(words),
            Verb::Info => {
                let (text, _) = self.info(words.get(1..).unwrap_or_default());
                Reply::Text(text)
            }
            Verb::Time => self.time(),
            // QUIT, and UNWATCH in a transaction.
            _ => Reply::ok(),
        }
    }

    fn time(&self) -> Reply {
        let (seconds, millis) = (self.now_ms / 1000, self.now_ms % 1000);
        Reply::Array(vec![
            Reply::bulk(seconds.to_string()),
            Reply::bulk((millis * 1000).to_string()),
        ])
    }

    fn config(&self, words: &[&[u8]]) -> Reply {
        match words {
            [_, subcommand, patterns @ ..] if subcommand.eq_ignore_ascii_case(b"get") => {
                self.parameters(patterns)
            }
            _ => help(&[
                "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
                "GET <pattern>",
                "    Return parameters matching the glob-like <pattern> and their values.",
                "HELP",
                "    Prints this help.",
            ]),
        }
    }

    fn parameters(&self, patterns: &[&[u8]]) -> Reply {
        let limits = &self.server.options.limits;
        let own = [
            ("appendfsync", "always".to_owned()),
            ("appendonly", "yes".to_owned()),
            ("databases", "1".to_owned()),
            ("maxclients", limits.connections_max.to_string()),
            ("maxmemory", "0".to_owned()),
            ("maxmemory-policy", "noeviction".to_owned()),
            ("proto-max-bulk-len", limits.value_bytes_max.to_string()),
            ("save", String::new()),
            ("timeout", "0".to_owned()),
        ];
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        let others = self.server.options.parameters.iter();
        let others = others.map(|(name, value)| (name.as_str(), value.as_str()));
        // Redis repeats a name as it was asked for, unless it was asked for by a pattern.
        let asked_as = |name: &str| {
            patterns.iter().find_map(|pattern| {
                let is_exact = name.as_bytes().eq_ignore_ascii_case(pattern);
                let lower = pattern.to_ascii_lowercase();
                match is_exact {
                    true => Some(Reply::bulk(pattern)),
                    false => matches(&lower, name.as_bytes()).then(|| Reply::bulk(name)),
                }
            })
        };
        let pairs = own.chain(others);
        Reply::Map(
            pairs.filter_map(|(name, value)| Some((asked_as(name)?, Reply::bulk(value)))).collect(),
        )
    }

    /// INFO outside of transactions; the number of keys is asked of the state machine.
    pub(super) fn start_info(&mut self, words: &[&[u8]]) -> Started {
        let (text, wants_keyspace) = self.info(words.get(1..).unwrap_or_default());
        if !wants_keyspace {
            self.reply(Reply::Text(text));
            return Started::Yes;
        }
        let query = encode_statistics(self.now_ms);
        Started::once(self.outbox.read(query, Then::Info(text), self.session.protocol))
    }

    /// The text of INFO up to the lines about the keyspace, and whether these are wanted.
    fn info(&self, sections: &[&[u8]]) -> (String, bool) {
        let wants = |name: &str| {
            sections.is_empty()
                || sections.iter().any(|section| {
                    [name.as_bytes(), b"default", b"all", b"everything"]
                        .iter()
                        .any(|wanted| section.eq_ignore_ascii_case(wanted))
                })
        };
        let mut parts = Vec::new();
        if wants("server") {
            let uptime = self.now_ms.saturating_sub(self.server.started_ms) / 1000;
            parts.push(format!(
                "# Server\r\nredis_version:{REDIS_VERSION}\r\nkvs_version:{}\r\n\
                 redis_mode:standalone\r\nos:{} {}\r\narch_bits:{}\r\nprocess_id:{}\r\n\
                 uptime_in_seconds:{uptime}\r\nuptime_in_days:{}\r\n",
                env!("CARGO_PKG_VERSION"),
                std::env::consts::OS,
                std::env::consts::ARCH,
                usize::BITS,
                std::process::id(),
                uptime / 86_400,
            ));
        }
        if wants("clients") {
            parts.push(format!(
                "# Clients\r\nconnected_clients:{}\r\nmaxclients:{}\r\n",
                self.server.client_count.load(Ordering::Relaxed),
                self.server.options.limits.connections_max,
            ));
        }
        if wants("replication") {
            let lines = self.server.admin.replication_info();
            let lines: String = lines.lines().map(|line| format!("{line}\r\n")).collect();
            parts.push(format!("# Replication\r\n{lines}"));
        }
        let wants_keyspace = wants("keyspace");
        if wants_keyspace {
            parts.push("# Keyspace\r\n".to_owned());
        }
        (parts.join("\r\n"), wants_keyspace)
    }
}

fn describe_commands(words: &[&[u8]]) -> Reply {
    let subcommand = words.get(1).copied().unwrap_or_default().to_ascii_lowercase();
    match (subcommand.as_slice(), words) {
        (_, [] | [_]) => Reply::Array(commands::all().iter().map(description).collect()),
        (b"count", [_, _]) => {
            Reply::Integer(i64::try_from(commands::all().len()).unwrap_or(i64::MAX))
        }
        (b"info", [_, _, names @ ..]) => {
            let describe = |name: &&[u8]| commands::find(name).map_or(Reply::Null, description);
            match names {
                [] => Reply::Array(commands::all().iter().map(description).collect()),
                names => Reply::Array(names.iter().map(describe).collect()),
            }
        }
        (b"docs", [_, _]) => documents(commands::all().iter()),
        (b"docs", [_, _, names @ ..]) => {
            documents(names.iter().filter_map(|name| commands::find(name)))
        }
        _ => help(&[
            "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
            "(no subcommand)",
            "    Return details about all commands.",
            "COUNT",
            "    Return the total number of commands in this server.",
            "DOCS [<command-name> ...]",
            "    Return the chapter of each command in the manual.",
            "INFO [<command-name> ...]",
            "    Return details about multiple commands.",
            "HELP",
            "    Prints this help.",
        ]),
    }
}

/// The row of COMMAND: clients find the keys of a request with it.
fn description(command: &Command) -> Reply {
    let mut flags = Vec::new();
    match command.kind {
        Kind::Read => flags.push("readonly"),
        Kind::Write => flags.push("write"),
        Kind::Connection | Kind::Transaction => flags.extend(["loading", "stale"]),
    }
    if command.is_fast {
        flags.push("fast");
    }
    let flags = flags.into_iter().map(|flag| Reply::Simple(flag.to_owned())).collect();
    let keys = command.keys;
    let to_integer = |number: usize| Reply::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    Reply::Array(vec![
        Reply::bulk(command.name),
        Reply::Integer(command.arity.number()),
        Reply::Set(flags),
        to_integer(keys.first),
        Reply::Integer(i64::from(keys.last)),
        to_integer(keys.step),
        Reply::Set(Vec::new()),
        Reply::Set(Vec::new()),
        Reply::Set(Vec::new()),
        Reply::Array(Vec::new()),
    ])
}

fn documents<'a>(commands: impl Iterator<Item = &'a Command>) -> Reply {
    let document = |command: &Command| {
        let group = (Reply::bulk("group"), Reply::bulk(command.group.name()));
        (Reply::bulk(command.name), Reply::Map(vec![group]))
    };
    Reply::Map(commands.map(document).collect())
}
