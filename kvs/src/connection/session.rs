//! What the server remembers of a client, and the commands that change it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::dispatch::{Handler, quoted, wrong_arity};
use super::outbox::Watched;
use super::transactions::Transaction;
use super::{Admin, Server};
use crate::log::ReplicatedLog;
use crate::log_entry::Version;
use crate::resp::{Protocol, Reply, parse_integer};

const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";
const BAD_NAME: &str = "ERR Client names cannot contain spaces, newlines or special characters.";
/// The only user there is.
const USER: &[u8] = b"default";

/// The state of one client.
#[derive(Debug)]
pub(super) struct Session {
    /// Unique at this server.
    id: u64,
    /// The name that the client gave itself; empty if it did not.
    name: Bytes,
    pub(super) protocol: Protocol,
    pub(super) is_authenticated: bool,
    /// The commands since MULTI.
    pub(super) transaction: Option<Transaction>,
    /// The watched keys with the versions that were seen first.
    pub(super) watched: BTreeMap<Bytes, Version>,
}

impl Session {
    pub(super) fn new<L, A>(server: &Server<L, A>) -> Self {
        Self {
            id: server.next_client_id.fetch_add(1, Ordering::Relaxed),
            name: Bytes::new(),
            protocol: Protocol::default(),
            is_authenticated: server.options.requirepass.is_none(),
            transaction: None,
            watched: BTreeMap::new(),
        }
    }

    /// Adds what a WATCH has learned. A key that was watched before keeps its version.
    pub(super) fn watch(&mut self, watched: Watched) {
        for (key, version) in watched {
            self.watched.entry(key).or_insert(version);
        }
    }
}

impl<L: ReplicatedLog, A: Admin> Handler<L, A> {
    pub(super) fn select(&self, words: &[&[u8]]) -> Reply {
        match words.get(1).and_then(|index| parse_integer(index)) {
            Some(0) => Reply::ok(),
            Some(_) => Reply::Error("ERR DB index is out of range".to_owned()),
            None => Reply::Error("ERR value is not an integer or out of range".to_owned()),
        }
    }

    pub(super) fn authenticate(&mut self, words: &[&[u8]]) -> Reply {
        let text = match words {
            [_, _] if self.server.options.requirepass.is_none() => {
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?"
            }
            [_, password] if self.is_password(USER, password) => return self.welcome(),
            [_, user, password] if self.is_password(user, password) => return self.welcome(),
            [_, _] | [_, _, _] => WRONG_PASSWORD,
            _ => "ERR syntax error",
        };
        Reply::Error(text.to_owned())
    }

    fn welcome(&mut self) -> Reply {
        self.session.is_authenticated = true;
        Reply::ok()
    }

    /// Without a password to be given, any is right. The comparison takes the same time wherever
    /// the first difference is.
    fn is_password(&self, user: &[u8], password: &[u8]) -> bool {
        let Some(expected) = &self.server.options.requirepass else {
            return user == USER;
        };
        let expected = expected.as_bytes();
        let difference = (0..password.len().max(expected.len())).fold(0, |difference, index| {
            difference | (password.get(index).unwrap_or(&0) ^ expected.get(index).unwrap_or(&0))
        });
        user == USER && difference == 0 && password.len() == expected.len()
    }

    pub(super) fn hello(&mut self, words: &[&[u8]]) -> Reply {
        match self.try_hello(words) {
            Ok(reply) => reply,
            Err(text) => Reply::Error(text),
        }
    }

    fn try_hello(&mut self, words: &[&[u8]]) -> Result<Reply, String> {
        let protocol = match words.get(1).map(|version| parse_integer(version)) {
            None => None,
            Some(Some(2)) => Some(Protocol::Resp2),
            Some(Some(3)) => Some(Protocol::Resp3),
            Some(Some(_)) => return Err("NOPROTO unsupported protocol version".to_owned()),
            Some(None) => {
                return Err("ERR Protocol version is not an integer or out of range".to_owned());
            }
        };
        let mut options = words.get(2..).unwrap_or_default();
        let (mut credentials, mut name) = (None, None);
        while let [option, rest @ ..] = options {
            options = match rest {
                [user, password, rest @ ..] if option.eq_ignore_ascii_case(b"AUTH") => {
                    credentials = Some((*user, *password));
                    rest
                }
                [new_name, rest @ ..] if option.eq_ignore_ascii_case(b"SETNAME") => {
                    if !is_printable(new_name) {
                        return Err(BAD_NAME.to_owned());
                    }
                    name = Some(Bytes::copy_from_slice(new_name));
                    rest
                }
                _ => {
                    let option = quoted(option, 128);
                    return Err(format!("ERR Syntax error in HELLO option '{option}'"));
                }
            };
        }
        if let Some((user, password)) = credentials {
            if !self.is_password(user, password) {
                return Err(WRONG_PASSWORD.to_owned());
            }
            self.session.is_authenticated = true;
        }
        if !self.session.is_authenticated {
            return Err("NOAUTH HELLO must be called with the client already authenticated, \
                        otherwise the HELLO AUTH <user> <pass> option can be used to \
                        authenticate the client and select the RESP protocol version at the same \
                        time"
                .to_owned());
        }
        self.session.name = name.unwrap_or_else(|| self.session.name.clone());
        self.session.protocol = protocol.unwrap_or(self.session.protocol);
        Ok(self.greeting())
    }

    fn greeting(&self) -> Reply {
        let version = if self.session.protocol == Protocol::Resp3 { 3 } else { 2 };
        Reply::Map(vec![
            (Reply::bulk("server"), Reply::bulk("redis")),
            (Reply::bulk("version"), Reply::bulk(super::server_commands::REDIS_VERSION)),
            (Reply::bulk("proto"), Reply::Integer(version)),
            (Reply::bulk("id"), Reply::Integer(self.client_id())),
            (Reply::bulk("mode"), Reply::bulk("standalone")),
            (Reply::bulk("role"), Reply::bulk("master")),
            (Reply::bulk("modules"), Reply::Array(Vec::new())),
        ])
    }

    fn client_id(&self) -> i64 {
        self.session.id.cast_signed()
    }

    /// RESET: as if the client had just connected.
    pub(super) fn reset(&mut self) -> Reply {
        self.session = Session {
            id: self.session.id,
            name: Bytes::new(),
            protocol: Protocol::default(),
            is_authenticated: self.server.options.requirepass.is_none(),
            transaction: None,
            watched: BTreeMap::new(),
        };
        Reply::Simple("RESET".to_owned())
    }

    pub(super) fn client(&mut self, words: &[&[u8]]) -> Reply {
        let subcommand = words.get(1).copied().unwrap_or_default().to_ascii_lowercase();
        let text = match (subcommand.as_slice(), words) {
            (b"id", [_, _]) => return Reply::Integer(self.client_id()),
            (b"getname", [_, _]) if self.session.name.is_empty() => return Reply::Null,
            (b"getname", [_, _]) => return Reply::Bulk(self.session.name.clone()),
            (b"setname", [_, _, name]) if is_printable(name) => {
                self.session.name = Bytes::copy_from_slice(name);
                return Reply::ok();
            }
            (b"setname", [_, _, _]) => BAD_NAME.to_owned(),
            (b"setinfo", [_, _, attribute, value]) => return set_info(attribute, value),
            (b"help", [_, _]) => {
                return help(&[
                    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
                    "GETNAME",
                    "    Return the name of the current connection.",
                    "ID",
                    "    Return the ID of the current connection.",
                    "SETINFO <option> <value>",
                    "    Tell the server about the client library.",
                    "SETNAME <name>",
                    "    Assign the name <name> to the current connection.",
                    "HELP",
                    "    Prints this help.",
                ]);
            }
            _ => wrong_arity("client"),
        };
        Reply::Error(text)
    }
}

/// The attributes are checked and forgotten: nobody can ask for them.
fn set_info(attribute: &[u8], value: &[u8]) -> Reply {
    let name = attribute.to_ascii_lowercase();
    if !matches!(name.as_slice(), b"lib-name" | b"lib-ver") {
        let attribute = quoted(attribute, 128);
        return Reply::Error(format!("ERR Unrecognized option '{attribute}'"));
    }
    if !is_printable(value) {
        let name = String::from_utf8_lossy(&name);
        let text = "cannot contain spaces, newlines or special characters.";
        return Reply::Error(format!("ERR {name} {text}"));
    }
    Reply::ok()
}

fn is_printable(name: &[u8]) -> bool {
    name.iter().all(u8::is_ascii_graphic)
}

/// The lines that explain the subcommands of a command.
pub(super) fn help(lines: &[&str]) -> Reply {
    Reply::Array(lines.iter().map(|line| Reply::Simple((*line).to_owned())).collect())
}
