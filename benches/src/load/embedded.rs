//! One client of a cluster in this process: it calls the library, and no socket is involved.

use std::sync::Arc;

use bytes::Bytes;
use kvs::client::Client;
use kvs::commands::Verb;
use kvs::connection::system_clock_ms;
use kvs::log_entry::encode_command;
use tokio::sync::Notify;

use super::flow::Flow;
use super::run::Run;
use crate::workload::{Operation, Operations};

/// A client that has one command under way at most.
pub(super) struct Caller {
    pub(super) client: usize,
    pub(super) run: Arc<Run>,
    pub(super) flow: Flow,
    pub(super) operations: Operations,
    pub(super) log: Client,
    /// Told when a command is due.
    pub(super) due: Arc<Notify>,
}

impl Caller {
    /// Calls until the run is over.
    pub(super) async fn serve(mut self) {
        while !self.flow.is_over(self.run.now()) && !self.run.is_spent() {
            let now = self.run.now();
            if self.flow.is_due(now) {
                if self.run.permit() {
                    self.flow.send(now);
                    self.call().await;
                }
            } else {
                self.due.notified().await;
            }
        }
    }

    async fn call(&mut self) {
        let operation = self.operations.draw();
        let key = Bytes::from(operation.key());
        let outcome = match operation {
            Operation::Get(_) => {
                let query = encode_command(system_clock_ms(), Verb::Get, [&key[..]].into_iter());
                self.log.read(query).await.map(Option::unwrap_or_default)
            }
            Operation::Set(_) => {
                let arguments = [&key[..], &self.operations.value()[..]];
                let entry = encode_command(system_clock_ms(), Verb::Set, arguments.into_iter());
                self.log.propose(entry).await
            }
        };
        let (now, pending) = (self.run.now(), self.flow.answered());
        let mut recorder = self.run.recorder(self.client);
        match (outcome, pending) {
            (Ok(_), Some(pending)) => recorder.complete(pending, now),
            (Err(error), _) => recorder.fail(error.text().as_bytes()),
            (Ok(_), None) => {}
        }
        drop(recorder);
        self.run.add_completed(1);
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let now = self.run.now();
        let mut recorder = self.run.recorder(self.client);
        self.flow.under_way().for_each(|intended| recorder.give_up(intended, now));
        if !self.run.is_spent() {
            self.flow.unsent().for_each(|intended| recorder.give_up(intended, now));
        }
        drop(recorder);
        self.run.leave();
    }
}
