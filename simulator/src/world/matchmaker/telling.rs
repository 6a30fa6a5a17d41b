//! Telling what actors did, step by step.

use matchmaker::message::Message;
use matchmaker::node::NodeRecord;

use super::Happening;
use crate::plan::Place;
use crate::steps::{Steps, Taken};
use crate::world::disk::Placed;
use crate::world::{Event, Workload, World};

impl<W: Workload> World<W> {
    /// Keeps the steps of all actors from now on, as lines of JSON. Whoever reads them judges them: messages
    /// and records that break a property do not end the run. They read the log from its first slot on, so the
    /// cluster begins with nothing.
    pub fn watch(&mut self) {
        self.queue.retain(|_, event| !matches!(event, Event::Own(Happening::Restore(_))));
        let mut steps = Steps::new();
        steps.found(&self.places.deployment());
        self.own.steps = Some(steps);
        self.processes.iter_mut().for_each(crate::world::Process::watch);
    }

    /// The steps so far, if they are kept.
    pub fn into_steps(self) -> Option<String> {
        self.own.steps.map(Steps::into_text)
    }

    /// These steps count now.
    pub(super) fn tell_steps(&mut self, taken: Vec<Taken<Message, NodeRecord>>) {
        if let Some(steps) = &mut self.own.steps {
            taken.into_iter().for_each(|taken| steps.tell(self.now, taken));
        }
    }

    /// Records of steps that a crash undid were durable: what is left of these steps.
    pub(super) fn tell_survivors(&mut self, index: usize, survivors: &[Placed<NodeRecord>]) {
        let Some(steps) = &mut self.own.steps else { return };
        for (place, record) in survivors {
            let node = self.places.node(Place { process: index, place: *place });
            let (wrote, sent) = (vec![record.clone()], Vec::new());
            steps
                .tell(self.now, Taken { node, starts: false, got: None, wrote, sent, leads: None });
        }
    }
}
