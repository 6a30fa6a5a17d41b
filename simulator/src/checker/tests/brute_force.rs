//! The definition of linearizability, tried on every permutation.

use crate::checker::{History, Operation, Outcome, Specification};

/// Whether the operations of a history on a single key have a sequential order that respects real
/// time and explains every reply. *Cost*: factorial.
pub(super) fn is_linearizable<S: Specification, K>(
    specification: &S,
    history: &History<K, S::Input, S::Reply>,
) -> bool {
    let left: Vec<_> = history.operations().iter().collect();
    extends(specification, &specification.initial(), &left)
}

/// Whether the operations that are `left` can follow after `state`.
fn extends<S: Specification, K>(
    specification: &S,
    state: &S::State,
    left: &[&Operation<K, S::Input, S::Reply>],
) -> bool {
    if !left.iter().any(|operation| matches!(operation.outcome, Outcome::Returned { .. })) {
        return true;
    }
    (0..left.len()).any(|position| {
        let mut rest = left.to_vec();
        let next = rest.remove(position);
        let reply = match &next.outcome {
            Outcome::Returned { reply, .. } => Some(reply),
            Outcome::Failed => return false,
            Outcome::Unknown => None,
        };
        !rest.iter().any(|other| precedes(other, next))
            && specification
                .step(state, &next.input, reply)
                .is_some_and(|state| extends(specification, &state, &rest))
    })
}

/// Whether `first` ended before `second` started.
fn precedes<K, I, R>(first: &Operation<K, I, R>, second: &Operation<K, I, R>) -> bool {
    matches!(first.outcome, Outcome::Returned { end, .. } if end < second.start)
}
