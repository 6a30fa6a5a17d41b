//! A leader whose own disk has stalled gives up the leadership, if others answer and one of them can lead.
//!
//! | | |
//! |---|---|
//! | property | A27 giving up |
//! | paper | - |
//! | module | `matchmaker::leader::watch` |
//! | model | - |

use super::healing::{Hearing, Scene};
use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A27",
    name: "giving up",
    statement: "A leader whose own disk has stalled gives up the leadership, if others answer and one of them can lead.",
    paper: "-",
    module: "`matchmaker::leader::watch`",
};

/// Questions after which it must have. One more than it needs: the judge hears what is said within a
/// process at the end of a turn only.
const QUESTIONS_MAX: u64 = 3;

impl Ghost {
    /// A leader has asked who is there.
    pub(super) fn check_giving_up(
        &self,
        scene: &Scene<'_>,
        hearing: &mut Hearing,
        has_given_up: bool,
    ) -> Verdict {
        let Scene { leader, configuration, .. } = scene;
        let proposers = &configuration.membership().proposers;
        let mut heirs = proposers.iter().filter(|heir| *heir != leader);
        let has_heir = heirs.any(|heir| scene.is_process_answering(hearing, heir.incarnation));
        let must_go = scene.is_process_silent(hearing, leader.incarnation)
            && has_heir
            && scene.has_phase1(hearing);
        hearing.stalled = if must_go { hearing.stalled + 1 } else { 0 };
        if hearing.stalled < QUESTIONS_MAX || has_given_up {
            return Ok(());
        }
        fail(
            PROPERTY,
            format!("the disk beside {} has stalled, and it leads on", self.name(*leader)),
        )
    }
}
