//! Everything that grows has a limit, and this is the list.
//!
//! At a limit the client gets an error or is slowed down; the server goes on.

/// The limits of a server and of each of its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections served at once. One more is told so and closed.
    pub connections_max: usize,
    /// Bytes of a key. A longer one is refused with an error.
    pub key_bytes_max: usize,
    /// Bytes of a value, and of any other argument. A longer one is refused with an error.
    pub value_bytes_max: usize,
    /// Bytes of one request. The protocol offers no way past a longer one: error, then close.
    pub request_bytes_max: usize,
    /// Arguments of one request. More are a protocol error: error, then close.
    pub arguments_max: usize,
    /// Bytes of an inline request. A longer one is a protocol error: error, then close.
    pub inline_bytes_max: usize,
    /// Commands of one connection whose reply is not yet written. Beyond, it is read no further.
    pub pipeline_commands_max: usize,
    /// Bytes of the commands of one connection that are under way. Beyond, it is read no further.
    pub pipeline_bytes_max: usize,
    /// Commands queued after MULTI. One more is refused, and EXEC then aborts.
    pub transaction_commands_max: usize,
    /// Bytes of the commands queued after MULTI. Beyond, as with too many commands.
    pub transaction_bytes_max: usize,
    /// Keys watched by one connection; their bytes are limited as those of a transaction. WATCH
    /// refuses more.
    pub watched_keys_max: usize,
    /// Bytes of replies that wait for a slow reader. Beyond, its connection is read no further.
    pub output_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            key_bytes_max: 64 * 1024,
            value_bytes_max: 1024 * 1024,
            request_bytes_max: 16 * 1024 * 1024,
            arguments_max: 1024 * 1024,
            inline_bytes_max: 64 * 1024,
            pipeline_commands_max: 4096,
            pipeline_bytes_max: 4 * 1024 * 1024,
            transaction_commands_max: 10_000,
            transaction_bytes_max: 8 * 1024 * 1024,
            watched_keys_max: 10_000,
            output_bytes_max: 4 * 1024 * 1024,
        }
    }
}
