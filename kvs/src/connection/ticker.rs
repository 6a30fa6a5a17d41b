//! Lets keys expire when nobody writes.
//!
//! Log time moves with entries only. Without any, keys past their deadline would hold their memory for
//! ever, though no client sees them.

use std::time::Duration;

use crate::log::{Order, ReplicatedLog};
use crate::log_entry::{encode_deadline, encode_tick};
use crate::resp::parse_integer;

/// How long the ticker rests when nothing is due.
const REST: Duration = Duration::from_secs(1);

/// The same where its question is ordered among all commands, which wait for each other then.
const LONG_REST: Duration = Duration::from_secs(10);

/// Proposes a tick whenever a deadline has passed by `clock`. Runs for ever, one at each server: the
/// ticks of several do no harm.
pub async fn run_ticker<L: ReplicatedLog>(log: L, clock: fn() -> u64) {
    let rest = match L::ORDER {
        Order::Called => REST,
        Order::Returned => LONG_REST,
    };
    loop {
        tokio::time::sleep(rest).await;
        while is_due(&log, clock()).await {
            if let Err(error) = log.propose(encode_tick(clock())).await {
                tracing::debug!(%error, "the tick has failed");
                break;
            }
        }
    }
}

/// Whether a key is to be removed at `now_ms`. Not knowing counts as no.
async fn is_due<L: ReplicatedLog>(log: &L, now_ms: u64) -> bool {
    let Ok(Some(answer)) = log.read(encode_deadline(now_ms)).await else {
        return false;
    };
    let deadline_ms = match &answer[..] {
        [b':', digits @ .., b'\r', b'\n'] => parse_integer(digits),
        _ => None,
    };
    deadline_ms.is_some_and(|deadline_ms| u64::try_from(deadline_ms).is_ok_and(|at| at <= now_ms))
}
