//! What an operator wants of the members, as an exchange of processes.

use std::collections::{BTreeMap, BTreeSet};

use matchmaker::change::{Actors, Exchange};
use matchmaker::message::StatusB;
use paxos::actor::{Incarnation, NodeId};
use paxos::runtime::Candidate;

use crate::client::OperationError;
use crate::deployment::{Announcement, Member, Members};

/// What an operator wants, by the names of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish<'a> {
    /// One more node.
    Add(&'a str),
    /// The second takes the place of the first.
    Replace(&'a str, &'a str),
    /// One node less.
    Remove(&'a str),
    /// A node listens elsewhere from now on.
    Move(&'a str, &'a str),
}

impl<'a> Wish<'a> {
    /// The node that goes, if one does.
    pub(super) fn goes(self) -> Option<&'a str> {
        match self {
            Wish::Replace(old, new) => (old != new).then_some(old),
            Wish::Remove(name) => Some(name),
            Wish::Add(_) | Wish::Move(..) => None,
        }
    }

    /// The node that comes, if one does.
    pub(super) fn comes(self) -> Option<&'a str> {
        match self {
            Wish::Add(name) | Wish::Replace(_, name) => Some(name),
            Wish::Remove(_) | Wish::Move(..) => None,
        }
    }

    /// How things are when it is fulfilled.
    pub(super) fn outcome(self) -> String {
        match self {
            Wish::Add(name) => format!("{name} is a member"),
            Wish::Replace(old, new) if old == new => {
                format!("{new} is a member with the memory that it has; no other one waits to join")
            }
            Wish::Replace(old, new) => format!(
                "{new} is a member and {old} is not: if {old} was one it stops by itself, and its data \
                 directory may be deleted"
            ),
            Wish::Remove(name) => format!(
                "{name} is no member: it stops by itself, and its data directory may be deleted"
            ),
            Wish::Move(name, address) => {
                format!("{name} is called at {address}: start it with that address")
            }
        }
    }
}

/// The exchange that fulfils a wish, in a cluster of that status with those who want to join. `own` are
/// the members as this node knows them.
///
/// *Errors*: it cannot be fulfilled; the text says why and what to do.
pub(super) fn exchange(
    wish: Wish<'_>,
    status: &StatusB,
    own: &Members,
    candidates: &BTreeMap<String, Candidate>,
) -> Result<Exchange, OperationError> {
    let members = Members::decode(&status.configuration.membership().directory)
        .map_err(|error| refused(format!("the leader's members are unreadable: {error}")))?;
    // Addresses may have changed in the cluster file.
    let members = if members.changes() == 0 { own.clone() } else { members };
    let exchange = match wish {
        Wish::Add(name) => {
            let new = newcomer(name, &members, candidates)?;
            let former = members.member(name).ok().filter(|old| old.incarnation != new.incarnation);
            if former.is_some() {
                return Err(refused(format!(
                    "`{name}` is a member that lost its disk: have it take its own place, by replacing \
                     `{name}` by `{name}`"
                )));
            }
            between(&members, new, Actors::default(), None)
        }
        Wish::Replace(old, name) => {
            let is_gone = members.member(old).is_err();
            if is_gone && members.member(name).is_err() {
                return Err(unknown(old, &members));
            }
            let new = newcomer(name, &members, candidates)?;
            let removed = match members.member(old) {
                Ok(member) if old == name => former_of(member, new.incarnation, status),
                Ok(member) => member.actors(),
                Err(_) => Actors::default(),
            };
            check_roles(&new, &removed, status)?;
            between(&members, new, removed, (old != name).then_some(old))
        }
        Wish::Remove(name) => match members.member(name) {
            Ok(member) => {
                let exchange = without(&members, member);
                check_rest(&exchange, name, status)?;
                exchange
            }
            Err(_) if candidates.contains_key(name) => {
                return Err(refused(format!("`{name}` is not a member: just stop it")));
            }
            Err(_) => return Err(unknown(name, &members)),
        },
        Wish::Move(name, address) => {
            let member = members.member(name).map_err(|_| unknown(name, &members))?.clone();
            let announcement = Announcement {
                peer: address.to_owned(),
                client: member.client.clone(),
                roles: member.roles.clone(),
                acceptors: member.acceptors.clone(),
            };
            let moved = announcement
                .member(name, member.incarnation, &members)
                .map_err(|error| refused(error.to_string()))?;
            between(&members, moved, Actors::default(), None)
        }
    };
    Ok(exchange)
}

fn refused(text: String) -> OperationError {
    OperationError::Refused(text)
}

fn unknown(name: &str, members: &Members) -> OperationError {
    let names: Vec<&str> = members.all().map(|member| member.name.as_str()).collect();
    refused(format!("there is no node `{name}`; the members are {}", names.join(", ")))
}

/// The node called `name`, which wants to join or is a member already.
fn newcomer(
    name: &str,
    members: &Members,
    candidates: &BTreeMap<String, Candidate>,
) -> Result<Member, OperationError> {
    let Some(Candidate { incarnation, announcement }) = candidates.get(name) else {
        return members.member(name).cloned().map_err(|_| {
            let waiting: Vec<&str> = candidates.keys().map(String::as_str).collect();
            let waiting = match waiting.is_empty() {
                true => "nobody wants to join".to_owned(),
                false => format!("those who want to join are {}", waiting.join(", ")),
            };
            refused(format!(
                "`{name}` does not want to join: start it with `kvs serve --join ADDRESS --node \
                 {name} ...`, and wait until it says so; {waiting}"
            ))
        });
    };
    let announcement = Announcement::decode(announcement)
        .map_err(|error| refused(format!("what `{name}` says of itself is unreadable: {error}")))?;
    announcement.member(name, *incarnation, members).map_err(|error| refused(error.to_string()))
}

/// An exchange in which `new` comes and the node called `old` leaves the directory.
fn between(members: &Members, new: Member, remove: Actors, old: Option<&str>) -> Exchange {
    let add = new.actors();
    let both = members.clone().with(new);
    let directory_between = both.encode();
    let leaving = old.map_or(both.clone(), |old| both.clone().with_leaving(old));
    let after = old.map_or(both.clone(), |old| both.without(old));
    let (directory_leaving, directory_after) = (leaving.encode(), after.encode());
    Exchange { add, remove, directory_between, directory_leaving, directory_after }
}

fn without(members: &Members, member: &Member) -> Exchange {
    Exchange {
        add: Actors::default(),
        remove: member.actors(),
        directory_between: members.encode(),
        directory_leaving: members.clone().with_leaving(&member.name).encode(),
        directory_after: members.clone().without(&member.name).encode(),
    }
}

/// The actors that a node had before it lost its disk: at its seats, with another memory.
fn former_of(member: &Member, incarnation: Incarnation, status: &StatusB) -> Actors {
    let all = status.configuration.nodes().chain(&status.matchmakers);
    let mut memories = all.filter(|node| {
        node.incarnation != incarnation && member.seats().any(|seat| seat == node.seat)
    });
    match memories.next() {
        Some(node) => Member { incarnation: node.incarnation, ..member.clone() }.actors(),
        None => Actors::default(),
    }
}

/// *Errors*: the one that comes lacks what the one that goes is needed for.
fn check_roles(new: &Member, removed: &Actors, status: &StatusB) -> Result<(), OperationError> {
    let name = &new.name;
    let voting = status.configuration.members();
    let needed = removed.acceptors.iter().filter(|node| voting.contains(node)).count();
    let spare = new.acceptors().filter(|(_, node)| !voting.contains(node)).count();
    if spare < needed {
        return Err(refused(format!(
            "{needed} of the acceptors that vote must be replaced and `{name}` hosts {spare} that do not: \
             name a node that is started with as many (--acceptors)"
        )));
    }
    if removed.archive.is_some() && new.archive().is_none() {
        return Err(refused(format!("`{name}` lacks the role of a replica, which is needed")));
    }
    Ok(())
}

/// *Errors*: the rest would not survive a failure, and the cluster does now.
fn check_rest(exchange: &Exchange, name: &str, status: &StatusB) -> Result<(), OperationError> {
    let Actors { archive, matchmaker, acceptors, proposer, .. } = &exchange.remove;
    let membership = status.configuration.membership();
    let loses = |set: &BTreeSet<NodeId>, nodes: &[NodeId]| {
        let lost = nodes.iter().filter(|node| set.contains(node)).count();
        (lost > 0).then(|| set.len() - lost)
    };
    let voting: BTreeSet<NodeId> = status.configuration.members().iter().copied().collect();
    let rests = [
        ("replicas", loses(&membership.archives, archive.as_slice()), 3),
        ("matchmakers", loses(&status.matchmakers, matchmaker.as_slice()), 3),
        ("acceptors that vote", loses(&voting, acceptors), 3),
        ("proposers", loses(&membership.proposers, proposer.as_slice()), 2),
    ];
    for (what, rest, least) in rests {
        if let Some(rest) = rest.filter(|rest| *rest < least) {
            return Err(refused(format!(
                "without `{name}` there would be {rest} {what}, and fewer than {least} survive no \
                 failure: add a node first, or replace `{name}` by one"
            )));
        }
    }
    Ok(())
}
