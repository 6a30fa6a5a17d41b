//! Bugs inside the roles, and what is meant to catch them.
//!
//! Left out are those that a run of a whole cluster cannot show: `ForgetReplies` has no effect where a
//! session sits beside its replica, `EarlierPromiseCounts` needs a promise that outlives a campaign, and
//! those of elections change who leads and nothing else; `tests/elections.rs` has them.

pub(super) mod others;
pub(super) mod rounds;

use paxos::mutant::Mutant;

use super::{Description, Mutation, bug};

pub(super) const fn inside(
    mutant: Mutant,
    id: &'static str,
    text: &'static str,
    caught_by: &'static [&'static str],
) -> Description {
    bug(Mutation::Inside(mutant), id, text, caught_by)
}
