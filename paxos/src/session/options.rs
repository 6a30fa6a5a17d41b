//! The limits and periods of a session, and what it holds of them.

use std::ops::Range;
use std::time::Duration;

/// The limits and periods of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionOptions {
    /// Commands handed to the leader and not answered, at most.
    pub window_max: usize,
    /// The same, in bytes.
    pub window_bytes_max: usize,
    /// Calls that wait for a place in the window or for an answer, at most; beyond that a call fails
    /// at once as overloaded.
    pub queue_max: usize,
    /// The same, in bytes.
    pub queue_bytes_max: usize,
    /// One [`Request`](crate::message::Request) carries commands of this size at most, in bytes, unless a single one is larger.
    pub request_bytes_max: usize,
    /// Questions to the leader in flight, at most; further reads wait for the next one.
    pub questions_max: usize,
    /// A call fails when it is this old, or up to half of it earlier.
    pub request_timeout: Duration,
    /// Start over when nothing moved for this long.
    pub retry: Range<Duration>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            window_max: 16_384,
            window_bytes_max: 16 << 20,
            queue_max: 65_536,
            queue_bytes_max: 64 << 20,
            request_bytes_max: 256 << 10,
            questions_max: 16,
            request_timeout: Duration::from_secs(5),
            retry: Duration::from_millis(250)..Duration::from_millis(350),
        }
    }
}

/// What a session holds, for whoever watches its limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionLoad {
    /// Commands handed to the leader and not answered. At most [`SessionOptions::window_max`].
    pub window_count: usize,
    /// The same, in bytes. At most [`SessionOptions::window_bytes_max`] and one command more.
    pub window_bytes: usize,
    /// Calls that wait. At most [`SessionOptions::queue_max`].
    pub queue_count: usize,
    /// The same, in bytes. At most [`SessionOptions::queue_bytes_max`].
    pub queue_bytes: usize,
}
