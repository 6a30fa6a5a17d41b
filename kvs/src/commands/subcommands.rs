//! The commands that are several: CLIENT, COMMAND and CONFIG.

use super::{Arity, Verb};

/// One part of a command of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subcommand {
    /// The name, in lower case.
    pub name: &'static str,
    /// How many arguments it takes, both names included.
    pub arity: Arity,
}

const fn subcommand(name: &'static str, arity: Arity) -> Subcommand {
    Subcommand { name, arity }
}

const CLIENT: &[Subcommand] = &[
    subcommand("getname", Arity::Exactly(2)),
    subcommand("help", Arity::Exactly(2)),
    subcommand("id", Arity::Exactly(2)),
    subcommand("setinfo", Arity::Exactly(4)),
    subcommand("setname", Arity::Exactly(3)),
];

const COMMAND: &[Subcommand] = &[
    subcommand("count", Arity::Exactly(2)),
    subcommand("docs", Arity::AtLeast(2)),
    subcommand("help", Arity::Exactly(2)),
    subcommand("info", Arity::AtLeast(2)),
];

const CONFIG: &[Subcommand] =
    &[subcommand("get", Arity::AtLeast(3)), subcommand("help", Arity::Exactly(2))];

/// The subcommands of `verb`; `None` if it is a single command.
pub fn subcommands(verb: Verb) -> Option<&'static [Subcommand]> {
    match verb {
        Verb::Client => Some(CLIENT),
        Verb::Command => Some(COMMAND),
        Verb::Config => Some(CONFIG),
        _ => None,
    }
}
