//! Telling what actors did, step by step.

use super::disk::Placed;
use super::{Event, Workload, World};
use crate::plan::Place;
use crate::properties::Verdict;
use crate::steps::{Steps, Taken};

impl<W: Workload> World<W> {
    /// Keeps the steps of all actors from now on, as lines of JSON. Whoever reads them judges them: messages
    /// and records that break a property do not end the run. They read the log from its first slot on, so the
    /// cluster begins with nothing.
    pub fn watch(&mut self) {
        self.queue.retain(|_, event| !matches!(event, Event::Restore(_)));
        let mut steps = Steps::new();
        steps.found(&self.places.deployment());
        self.steps = Some(steps);
        self.processes.iter_mut().for_each(super::Process::watch);
    }

    /// The steps so far, if they are kept.
    pub fn into_steps(self) -> Option<String> {
        self.steps.map(Steps::into_text)
    }

    /// The verdict, unless somebody else judges.
    pub(super) fn unless_watched(&self, verdict: Verdict) -> Verdict {
        if self.steps.is_some() { Ok(()) } else { verdict }
    }

    /// These steps count now.
    pub(super) fn tell_steps(&mut self, taken: Vec<Taken>) {
        if let Some(steps) = &mut self.steps {
            taken.into_iter().for_each(|taken| steps.tell(self.now, taken));
        }
    }

    /// Records of steps that a crash undid were durable: what is left of these steps.
    pub(super) fn tell_survivors(&mut self, index: usize, survivors: &[Placed]) {
        let Some(steps) = &mut self.steps else { return };
        for (place, record) in survivors {
            let node = self.places.node(Place { process: index, place: *place });
            let (wrote, sent) = (vec![record.clone()], Vec::new());
            steps
                .tell(self.now, Taken { node, starts: false, got: None, wrote, sent, leads: None });
        }
    }
}
