//! The Redis serialization protocol: requests from bytes, replies to bytes.
//!
//! A request is an array of bulk strings or a line of words; [`Parser`] reads both without copying an
//! argument. A reply is either a [`Reply`], encoded for the protocol the client speaks, or the bytes
//! that the state machine answered, which are RESP2 and which [`to_resp3`] adapts.

mod encode;
mod inline;
mod integer;
mod parser;
mod reply;

pub use encode::{
    EMPTY_BULK, NULL, NULL_ARRAY, OK, array_header, bulk, bulk_into, elements, error, integer,
    is_null, to_resp3,
};
pub use integer::parse_integer;
pub use parser::{Arguments, Parsed, Parser, ParserLimits, ProtocolError};
pub use reply::{Protocol, Reply};
