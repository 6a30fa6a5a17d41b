//! Processes that want to join and were not admitted yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::actor::Incarnation;

/// Candidates that are kept at most; further ones are refused until one is silent.
const CANDIDATES_MAX: usize = 64;

/// A candidate that was silent for this long is forgotten: it calls several times a second.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// A process that wants to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which memory it has.
    pub incarnation: Incarnation,
    /// What its application says of it.
    pub announcement: Vec<u8>,
}

/// Those that have called lately, by name. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Candidates(Arc<Mutex<BTreeMap<String, (Candidate, Instant)>>>);

impl Candidates {
    /// Those that have called lately.
    pub fn all(&self) -> BTreeMap<String, Candidate> {
        let mut known = self.lock();
        known.retain(|_, (_, heard)| heard.elapsed() < SILENCE_MAX);
        known.iter().map(|(name, (candidate, _))| (name.clone(), candidate.clone())).collect()
    }

    /// *Errors*: there are too many.
    pub(super) fn note(
        &self,
        name: &str,
        incarnation: Incarnation,
        announcement: Vec<u8>,
    ) -> Result<(), String> {
        let mut known = self.lock();
        known.retain(|_, (_, heard)| heard.elapsed() < SILENCE_MAX);
        if known.len() >= CANDIDATES_MAX && !known.contains_key(name) {
            return Err(format!(
                "{CANDIDATES_MAX} processes want to join already: admit them or stop them first"
            ));
        }
        let candidate = Candidate { incarnation, announcement };
        known.insert(name.to_owned(), (candidate, Instant::now()));
        Ok(())
    }

    pub(super) fn forget(&self, name: &str) {
        self.lock().remove(name);
    }

    /// A panic of another holder leaves whole entries: the table is still good.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (Candidate, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_limit_to_those_who_want_to_join() {
        let candidates = Candidates::default();
        for number in 0..CANDIDATES_MAX {
            candidates.note(&number.to_string(), Incarnation(1), Vec::new()).unwrap();
        }
        candidates.note("0", Incarnation(2), b"again".to_vec()).unwrap();
        candidates.note("another", Incarnation(1), Vec::new()).unwrap_err();
        candidates.forget("1");
        candidates.note("another", Incarnation(1), Vec::new()).unwrap();
        let all = candidates.all();
        assert_eq!(all.len(), CANDIDATES_MAX);
        assert_eq!(all["0"].incarnation, Incarnation(2));
    }
}
