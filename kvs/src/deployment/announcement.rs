//! What a process that wants to join says of itself.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use paxos::actor::Incarnation;
use paxos::runtime::NAME_BYTES_MAX;
use paxos::wire::{self, Decode, Encode, WireError};

use super::node::{ACCEPTOR, SEATS, check_acceptor_name};
use super::{DeploymentError, Member, Members, Role, error};

/// What a process that wants to join says of itself; its name and its incarnation are known already.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Announcement {
    /// Where other processes reach it: `host:port`.
    pub peer: String,
    /// Where Redis clients reach it. A replica needs it.
    pub client: Option<String>,
    /// Its roles.
    pub roles: BTreeSet<Role>,
    /// The names of the acceptors that it hosts.
    pub acceptors: Vec<String>,
}

impl Announcement {
    /// As it travels.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self).to_vec()
    }

    /// *Errors*: it was written by another version of this program, or by another one.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        wire::decode(&bytes.to_vec().into())
    }

    /// The member that the process called `name` becomes beside `members`. It keeps the id of the one
    /// with its name, if that lost its disk.
    ///
    /// *Errors*: it cannot be one; the text says why and what to change.
    pub fn member(
        self,
        name: &str,
        incarnation: Incarnation,
        members: &Members,
    ) -> Result<Member, DeploymentError> {
        let Self { peer, client, roles, acceptors } = self;
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return error(format!("the name `{name}` is empty or over {NAME_BYTES_MAX} bytes"));
        }
        if roles.contains(&Role::Replica) && client.is_none() {
            return error(format!("`{name}` is a replica and needs an address for clients"));
        }
        if roles.contains(&Role::Dependency) {
            return error(format!(
                "`{name}` wants to be a dependency node, which a cluster that can be joined has none of: \
                 start it without that role"
            ));
        }
        if acceptors.len() > (SEATS - ACCEPTOR) as usize {
            return error(format!("`{name}` hosts more than {} acceptors", SEATS - ACCEPTOR));
        }
        for (place, acceptor) in acceptors.iter().enumerate() {
            check_acceptor_name(name, acceptor)?;
            if acceptors[..place].contains(acceptor) {
                return error(format!("`{name}` hosts the acceptor `{acceptor}` twice"));
            }
        }
        for other in members.all().filter(|other| other.name != name) {
            if let Some(shared) = acceptors.iter().find(|own| other.acceptors.contains(own)) {
                return error(format!(
                    "`{name}` and `{}` both host an acceptor called `{shared}`: start `{name}` with \
                     another name for it",
                    other.name
                ));
            }
            if other.peer == peer || client.is_some() && other.client == client {
                return error(format!("`{name}` and `{}` share an address", other.name));
            }
        }
        for address in [Some(&peer), client.as_ref()].into_iter().flatten() {
            if address.parse::<SocketAddr>().is_err() {
                return error(format!("`{address}` of `{name}` is no address: write host:port"));
            }
        }
        let former = members.member(name).ok();
        let id = former.map_or(members.next_id(), |former| former.id);
        let (name, is_leaving) = (name.to_owned(), false);
        Ok(Member { name, id, incarnation, peer, client, roles, acceptors, is_leaving })
    }
}
