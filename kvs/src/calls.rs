//! What the application of a process waits for: calls of its session, and answers to operators.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use paxos::message::{Outcome, RequestError as Failure, Return};
use paxos::runtime::SendError;
use tokio::sync::{mpsc, oneshot};

use crate::log::RequestError;

/// Answers to one question that wait to be looked at, at most. More are dropped: the question is
/// asked again.
const ANSWERS_MAX: usize = 64;

/// Calls and questions that are under way; answers are of type `A`. Clones share them.
pub(crate) struct Calls<A> {
    waiting: Arc<Mutex<Waiting<A>>>,
}

/// Who waits for what.
struct Waiting<A> {
    /// Grows with each call.
    token: u64,
    /// Calls of the session.
    calls: HashMap<u64, oneshot::Sender<Outcome>>,
    /// Questions of operators.
    questions: HashMap<u64, mpsc::Sender<A>>,
    /// Whether the host has ended.
    is_stopped: bool,
}

impl<A> Clone for Calls<A> {
    fn clone(&self) -> Self {
        Self { waiting: Arc::clone(&self.waiting) }
    }
}

impl<A> Default for Calls<A> {
    fn default() -> Self {
        let (calls, questions) = (HashMap::new(), HashMap::new());
        let waiting = Waiting { token: 0, calls, questions, is_stopped: false };
        Self { waiting: Arc::new(Mutex::new(waiting)) }
    }
}

impl<A> Calls<A> {
    /// Begins a call, which `send` hands to the session under the token that it is given. Under one lock,
    /// so that tokens grow in the order of the calls.
    ///
    /// *Errors*: the session does not take it.
    pub(crate) fn begin(
        &self,
        send: impl FnOnce(u64) -> Result<(), SendError>,
    ) -> Result<oneshot::Receiver<Outcome>, RequestError> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        if waiting.is_stopped {
            return Err(RequestError::Stopped);
        }
        waiting.token += 1;
        let token = waiting.token;
        match send(token) {
            Ok(()) => {
                waiting.calls.insert(token, sender);
                Ok(receiver)
            }
            Err(SendError::Full) => Err(RequestError::Overloaded),
            Err(SendError::Stopped) => Err(RequestError::Stopped),
        }
    }

    /// A token for a question, and where the answers to it come in.
    pub(crate) fn ask(&self) -> (u64, mpsc::Receiver<A>) {
        let (sender, answers) = mpsc::channel(ANSWERS_MAX);
        let mut waiting = self.lock();
        waiting.token += 1;
        let token = waiting.token;
        waiting.questions.insert(token, sender);
        (token, answers)
    }

    /// Nobody waits for answers to this question any more.
    pub(crate) fn forget(&self, token: u64) {
        self.lock().questions.remove(&token);
    }

    /// The session has an outcome. One whose caller is gone is dropped.
    pub(crate) fn on_return(&self, m: Return) {
        if let Some(call) = self.lock().calls.remove(&m.token) {
            let _ = call.send(m.outcome);
        }
    }

    /// There is an answer to a question. One whose asker is gone is dropped.
    pub(crate) fn on_answer(&self, token: u64, answer: A) {
        if let Some(question) = self.lock().questions.get(&token) {
            let _ = question.try_send(answer);
        }
    }

    /// Fails all that waits: the host has ended.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_stopped = true;
        waiting.calls.clear();
        waiting.questions.clear();
    }

    /// Whether the host has ended.
    pub(crate) fn is_stopped(&self) -> bool {
        self.lock().is_stopped
    }

    /// A panic of another holder leaves whole entries only: the table is still good.
    fn lock(&self) -> MutexGuard<'_, Waiting<A>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reply to a command that was handed to the session, when it comes. Nobody knows what becomes of one
/// that the host has taken with it.
pub(crate) async fn executed(
    call: Result<oneshot::Receiver<Outcome>, RequestError>,
) -> Result<Bytes, RequestError> {
    match call?.await {
        Ok(outcome) => done(outcome).map(Option::unwrap_or_default),
        Err(_) => Err(RequestError::Ambiguous),
    }
}

/// The reply of the state machine, if `outcome` is one; none if the read must be proposed.
pub(crate) fn done(outcome: Outcome) -> Result<Option<Bytes>, RequestError> {
    match outcome {
        Outcome::Done(reply) => Ok(Some(reply.0)),
        Outcome::NeedsLog => Ok(None),
        Outcome::Failed(Failure::Ambiguous) => Err(RequestError::Ambiguous),
        Outcome::Failed(Failure::Unavailable) => Err(RequestError::Unavailable),
        Outcome::Failed(Failure::Overloaded) => Err(RequestError::Overloaded),
        Outcome::Failed(Failure::Quarantined) => Err(RequestError::Quarantined),
    }
}
