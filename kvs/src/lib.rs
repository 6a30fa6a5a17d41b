//! A replicated key-value server.
