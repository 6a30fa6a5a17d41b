//! Clients: each makes one call after the other, at the session of its process.

use std::fmt::Write as _;

use paxos::message::{Invoke, Operation, Outcome, Return};
use paxos::wire::Payload;

use super::process::Envelope;
use super::protocol::{MessageOf, Protocol};
use super::{Event, Places, Plan, Role, Verdict, Workload, World};
use crate::MS;
use crate::coverage::Situation;
use crate::properties::Caller;
use crate::random::{Purpose, Random};
use crate::trace::Kind;
use crate::workload::{Observed, Request};

/// How often a client looks whether its process is back.
const RECONNECT_US: u64 = 50 * MS;

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    process: usize,
    random: Random,
    /// The call that has not returned.
    token: Option<u64>,
    calls_left: u64,
}

/// The clients of a run: so many beside each session.
pub(super) fn clients(plan: &Plan, places: &Places) -> Vec<Client> {
    let has_session = |process: &usize| places.roles(*process).contains(&Role::Session);
    let with_session = (0..places.process_count()).filter(has_session);
    let processes = with_session.flat_map(|process| std::iter::repeat_n(process, plan.clients));
    let client = |(number, process)| Client {
        process,
        random: Random::stream(plan.seed, (Purpose::Client, number)),
        token: None,
        calls_left: plan.calls_max,
    };
    (0..).zip(processes).map(client).collect()
}

impl<W: Workload, P: Protocol<W>> World<W, P> {
    /// A client makes its next call, if its process is up and it waits for none.
    pub(super) fn call(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let process = client.process;
        if !self.is_busy || client.token.is_some() || client.calls_left == 0 {
            return;
        }
        if !self.processes[process].is_up() || !self.own.is_serving(process) {
            return self.push(RECONNECT_US, Event::Call(index));
        }
        let request = self.workload.next(self.now, &mut client.random);
        let token = self.next_token;
        client.token = Some(token);
        client.calls_left -= 1;
        self.next_token += 1;
        if self.recorder.is_some() {
            let text = format!("call {token}: {}", self.workload.show(&request));
            self.note(Some(process), Kind::Call, text);
        }
        let payload = Payload(Observed::<W::Machine>::frame(token, request.bytes()));
        let size_bytes = payload.0.len();
        let operation = match request {
            Request::Propose(_) => Operation::Propose(payload),
            Request::Read(_) => Operation::Read(payload),
        };
        let caller = Caller { client: index as u64, session: process, size_bytes };
        self.calls.invoke(token, caller, request, self.now);
        let message = P::invoke(Invoke { token, operation });
        let from = self.places.application(process);
        if let Some(to) = self.node_of(process, Role::Session) {
            self.processes[process].inbox.push_back(Envelope { from, to, message });
            self.schedule(process);
        }
    }

    /// The application of a process is told something.
    pub(super) fn hear_return(&mut self, process: usize, message: &MessageOf<W, P>) -> Verdict {
        let Some(Return { token, outcome }) = P::returned(message) else { return Ok(()) };
        if let Outcome::Failed(error) = outcome
            && let Some(situation) = Situation::of_error(*error)
        {
            self.summary.coverage.meet(situation);
        }
        self.note(Some(process), Kind::Return, format!("call {token} returns {outcome:?}"));
        let is_refused = match self.calls.complete(*token, outcome, self.now) {
            Ok(is_refused) => is_refused,
            Err(mut failure) => {
                if let Some(request) = self.calls.request(*token) {
                    write!(failure.detail, " ({})", self.workload.show(request))
                        .expect("a string takes it");
                }
                return Err(failure);
            }
        };
        if is_refused {
            P::refuse(self, *token)?;
        }
        if let Some(index) = self.clients.iter().position(|client| client.token == Some(*token)) {
            let client = &mut self.clients[index];
            client.token = None;
            let pause = client.random.within(self.plan.think_us.clone());
            self.push(pause, Event::Call(index));
        }
        Ok(())
    }

    /// A process died: its clients do not know what came of their calls.
    pub(super) fn lose_clients(&mut self, process: usize) {
        for index in 0..self.clients.len() {
            let client = &mut self.clients[index];
            if client.process == process
                && let Some(token) = client.token.take()
            {
                self.calls.forget(token);
                self.push(RECONNECT_US, Event::Call(index));
            }
        }
    }
}
