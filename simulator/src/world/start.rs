//! The processes of a world, and how one starts.

use paxos::actor::Actor;

use super::disk::{Loaded, Refusal};
use super::process::{Process, Status};
use super::protocol::{OutboxOf, Protocol, RecordOf};
use super::{Places, Plan, Verdict, Workload, World};
use crate::coverage::Situation;
use crate::hosted::Hosted;
use crate::mutation::Mutation;
use crate::properties;
use crate::random::{Purpose, Random};
use crate::trace::Kind;

/// All processes, down, with empty disks.
pub(super) fn processes<A: Hosted>(
    plan: &Plan,
    places: &Places,
    mutation: Option<Mutation>,
) -> Vec<Process<A>> {
    let process = |index: usize| {
        let random = Random::stream(plan.seed, (Purpose::Process, index as u64));
        let clock = (plan.clocks[index], plan.compact_above_bytes);
        let mut process = Process::new(places, index, clock, random);
        process.is_forgetful = mutation == Some(Mutation::ForgetAtOnce);
        process.is_hasty = mutation == Some(Mutation::SendBeforeSync);
        process.disk.mutation = mutation;
        process
    };
    (0..places.process_count()).map(process).collect()
}

impl<W: Workload, P: Protocol<W>> World<W, P> {
    /// A process has lost its disk, and starts as another one.
    pub(super) fn renew(&mut self, index: usize) {
        let before = &self.processes[index];
        let (life, random) = (before.life + 1, before.random.clone());
        let clock = (self.plan.clocks[index], self.plan.compact_above_bytes);
        let mut process = Process::new(&self.places, index, clock, random);
        process.life = life;
        process.is_forgetful = self.mutation == Some(Mutation::ForgetAtOnce);
        process.is_hasty = self.mutation == Some(Mutation::SendBeforeSync);
        process.disk.mutation = self.mutation;
        if self.own.is_watched() {
            process.watch();
        }
        self.processes[index] = process;
        self.folds[index] = P::actors(self, index);
    }

    /// A process starts with what its disk kept, unless it runs or is lost.
    pub(super) fn start(&mut self, index: usize) -> Verdict {
        if self.processes[index].status != Status::Down {
            return Ok(());
        }
        let disk = &mut self.processes[index].disk;
        let durable_count = disk.durable_count();
        let loaded = match disk.load() {
            Ok(loaded) => loaded,
            Err(refusal) => return self.refuse(index, refusal),
        };
        let found = loaded.records.len() as u64;
        let name = format!("p{index}");
        properties::check_refusal(&name, !self.processes[index].disk.is_corrupt())?;
        self.unless_watched(properties::check_restart(&name, durable_count, found))?;
        self.note(Some(index), Kind::Start, "starts");
        self.observe_load(&loaded);
        let survivors = loaded.records[loaded.records.len() - loaded.survivors..].to_vec();
        P::tell_survivors(self, index, &survivors);
        self.judge_records(index, survivors)?;
        self.seen[index] = 0;
        let (actors, mut out) = (P::actors(self, index), OutboxOf::<W, P>::default());
        let loaded = self.mutate_load(loaded);
        self.processes[index].restore(actors, loaded);
        for actor in &self.processes[index].actors {
            let refusal = actor.check_restored().err().map(|error| error.to_string());
            properties::check_left(&name, refusal)?;
        }
        let verdict = P::check_restored(self, index);
        self.unless_watched(verdict)?;
        self.processes[index].begin(self.now, &mut out);
        self.settle(index, &mut out)?;
        self.schedule(index);
        Ok(())
    }

    fn refuse(&mut self, index: usize, Refusal(cause): Refusal) -> Verdict {
        let is_corrupt = self.processes[index].disk.is_corrupt();
        let text = format!("refuses to start: {cause}");
        self.note(Some(index), Kind::Fault, text.clone());
        self.processes[index].status = Status::Lost(cause);
        if !is_corrupt {
            let detail = format!("p{index} {text}, and nothing had harmed its log");
            return properties::violated("refusal", detail);
        }
        self.summary.coverage.meet(Situation::DamageRefused);
        Ok(())
    }

    fn observe_load(&mut self, loaded: &Loaded<RecordOf<W, P>>) {
        if loaded.torn_bytes > 0 {
            self.summary.coverage.meet(Situation::TornTailCut);
        }
        if loaded.survivors > 0 {
            self.summary.coverage.meet(Situation::UnsyncedRecordsSurvived);
        }
    }

    /// What a process would forget if it had the bug of this run.
    fn mutate_load(&self, mut loaded: Loaded<RecordOf<W, P>>) -> Loaded<RecordOf<W, P>> {
        let Some(mutation) = self.mutation else { return loaded };
        loaded.records.retain(|(_, record)| !P::forgets(mutation, record));
        loaded
    }

    /// What is left of a log that was compacted makes the same actors.
    pub(super) fn check_left(&self, index: usize) -> Verdict {
        let name = format!("p{index}");
        let loaded = match self.processes[index].disk.clone().load() {
            Ok(loaded) => loaded,
            Err(Refusal(cause)) => return properties::check_left(&name, Some(cause)),
        };
        let mut actors = P::actors(self, index);
        for (place, record) in loaded.records {
            actors[place].restore(record);
        }
        for actor in &actors {
            let refusal = actor.check_restored().err().map(|error| error.to_string());
            properties::check_left(&name, refusal)?;
        }
        P::check_left(self, index, &actors)
    }
}
