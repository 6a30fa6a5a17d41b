//! Of two commands that conflict, the later one stands further on; one that writes stands in the same place
//! everywhere.
//!
//! | | |
//! |---|---|
//! | property | B12 positions |
//! | paper | - |
//! | module | `bpaxos::rank`, `bpaxos::replica` |
//! | model | - |

use paxos::state_machine::Footprint;

use super::{Judge, Place, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "B12",
    name: "positions",
    statement: "Of two commands that conflict, the later one stands further on; one that writes stands in the same place everywhere.",
    paper: "-",
    module: "`bpaxos::rank`, `bpaxos::replica`",
};

impl Judge {
    /// A replica applies a command at a place.
    pub(super) fn check_place(
        &mut self,
        (replica, token): (usize, u64),
        footprint: &Footprint,
        place: Place,
    ) -> Verdict {
        let Footprint::Keys { reads, writes } = footprint else { return Ok(()) };
        let places = &mut self.orders[replica].places;
        let before = reads.iter().chain(writes).filter_map(|key| places.get(key)).max();
        if before.is_some_and(|before| *before >= place) {
            let detail = format!("p{replica} executes call {token} at {place:?} after {before:?}");
            return fail(PROPERTY, detail);
        }
        if writes.is_empty() {
            return Ok(());
        }
        places.extend(writes.iter().map(|key| (key.clone(), place)));
        let known = *self.order.places.entry(token).or_insert(place);
        if known == place {
            return Ok(());
        }
        fail(
            PROPERTY,
            format!("p{replica} executes call {token} at {place:?}, others at {known:?}"),
        )
    }
}
