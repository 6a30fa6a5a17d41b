//! Requests from bytes, as they arrive.
//!
//! The parser is handed the same buffer again and again, each time with more bytes at its end, until
//! a request is complete; then the caller drops the consumed bytes from the front. It remembers how
//! far it came, so a large request costs O(its bytes) however it is cut, and it copies no argument:
//! it keeps their places in the buffer. Only words of an inline request are copied, because quoting
//! changes them.

use std::fmt;
use std::ops::Range;

use super::inline::split_words;
use super::integer::parse_integer;

/// What a request may be at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParserLimits {
    /// Bytes of a whole request, headers included.
    pub request_bytes_max: usize,
    /// Bytes of one argument.
    pub bulk_bytes_max: usize,
    /// Arguments of a request, its name included.
    pub arguments_max: usize,
    /// Bytes of an inline request and of a header line.
    pub inline_bytes_max: usize,
}

/// Redis allows this many arguments before authentication.
const UNAUTHENTICATED_ARGUMENTS_MAX: i64 = 10;
/// Redis allows an argument of this many bytes before authentication.
const UNAUTHENTICATED_BULK_BYTES_MAX: i64 = 16 * 1024;

/// A request that cannot be parsed. No later request of the connection can be found either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolError(String);

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Protocol error: {}", self.0)
    }
}

impl std::error::Error for ProtocolError {}

/// What the parser found at the start of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// No complete request yet.
    Incomplete,
    /// A request of no arguments, which is not answered, in the first `consumed` bytes.
    Empty {
        /// Bytes to drop from the front of the buffer.
        consumed: usize,
    },
    /// A request in the first `consumed` bytes; see [`Parser::arguments`].
    Request {
        /// Bytes to drop from the front of the buffer, when the arguments are no longer needed.
        consumed: usize,
    },
}

/// Finds requests in a buffer that grows at its end.
#[derive(Clone, Debug)]
pub struct Parser {
    limits: ParserLimits,
    progress: Progress,
    /// Where the arguments found so far lie: in the buffer, or in `words` after an inline request.
    ranges: Vec<Range<usize>>,
    /// The words of an inline request.
    words: Vec<u8>,
    is_inline: bool,
}

/// How far the request at the start of the buffer is parsed.
#[derive(Clone, Copy, Debug)]
enum Progress {
    /// The buffer starts with a request of which nothing is known.
    Start,
    /// `missing` arguments of an array are still to be found, from `position` on.
    Array { position: usize, missing: usize },
    /// The next argument of an array lies at `position` and has `length` bytes.
    Bulk { position: usize, length: usize, missing: usize },
}

impl Parser {
    /// A parser at the start of a connection.
    pub fn new(limits: ParserLimits) -> Self {
        Self {
            limits,
            progress: Progress::Start,
            ranges: Vec::new(),
            words: Vec::new(),
            is_inline: false,
        }
    }

    /// Looks for the first request of `input`.
    ///
    /// After `Incomplete`, the next call must pass the same bytes with more behind them; after the
    /// others, the bytes behind the consumed ones.
    ///
    /// *Errors*: the text is Redis' own. Nothing may be parsed after an error.
    pub fn parse(&mut self, input: &[u8], authenticated: bool) -> Result<Parsed, ProtocolError> {
        loop {
            match self.progress {
                Progress::Start => {
                    self.ranges.clear();
                    self.is_inline = false;
                    match input.first() {
                        None => return Ok(Parsed::Incomplete),
                        Some(b'*') => {}
                        Some(_) => return self.parse_inline(input),
                    }
                    let Some((header, position)) = self.line(input, 0, "mbulk")? else {
                        return Ok(Parsed::Incomplete);
                    };
                    let count = self.argument_count(&header[1..], authenticated)?;
                    if count == 0 {
                        return Ok(Parsed::Empty { consumed: position });
                    }
                    self.progress = Progress::Array { position, missing: count };
                }
                Progress::Array { position, missing: 0 } => {
                    self.progress = Progress::Start;
                    return Ok(Parsed::Request { consumed: position });
                }
                Progress::Array { position, missing } => {
                    let Some((header, position)) = self.line(input, position, "bulk")? else {
                        return Ok(Parsed::Incomplete);
                    };
                    let length = self.bulk_length(header, position, authenticated)?;
                    self.progress = Progress::Bulk { position, length, missing };
                }
                Progress::Bulk { position, length, missing } => {
                    let end = position + length;
                    if input.len() < end + 2 {
                        return Ok(Parsed::Incomplete);
                    }
                    self.ranges.push(position..end);
                    self.progress = Progress::Array { position: end + 2, missing: missing - 1 };
                }
            }
        }
    }

    /// The arguments of the request that [`Parser::parse`] just found in `input`.
    pub fn arguments<'a>(&'a self, input: &'a [u8]) -> Arguments<'a> {
        let bytes = if self.is_inline { &self.words } else { input };
        Arguments { bytes, ranges: &self.ranges }
    }

    /// How many bytes the buffer must hold at least before parsing can go on, if that is known.
    pub fn bytes_needed(&self) -> usize {
        match self.progress {
            Progress::Bulk { position, length, .. } => position + length + 2,
            Progress::Start | Progress::Array { .. } => 0,
        }
    }

    /// Gives back the memory of an unusually large request.
    pub fn shrink(&mut self) {
        self.ranges.shrink_to(64);
        self.words.shrink_to(1024);
    }

    fn parse_inline(&mut self, input: &[u8]) -> Result<Parsed, ProtocolError> {
        let Some(length) = input.iter().position(|byte| *byte == b'\n') else {
            if input.len() > self.limits.inline_bytes_max {
                return Err(ProtocolError("too big inline request".into()));
            }
            return Ok(Parsed::Incomplete);
        };
        if length > self.limits.inline_bytes_max {
            return Err(ProtocolError("too big inline request".into()));
        }
        let line = input[..length].strip_suffix(b"\r").unwrap_or(&input[..length]);
        self.is_inline = true;
        self.words.clear();
        split_words(line, &mut self.words, &mut self.ranges)
            .map_err(|_| ProtocolError("unbalanced quotes in request".into()))?;
        let consumed = length + 1;
        if self.ranges.is_empty() {
            return Ok(Parsed::Empty { consumed });
        }
        Ok(Parsed::Request { consumed })
    }

    /// The header line that starts at `start`, and the place behind it. As in Redis, the byte after
    /// a carriage return is taken for the newline.
    fn line<'a>(
        &self,
        input: &'a [u8],
        start: usize,
        kind: &str,
    ) -> Result<Option<(&'a [u8], usize)>, ProtocolError> {
        let rest = &input[start.min(input.len())..];
        let window = &rest[..rest.len().min(self.limits.inline_bytes_max + 1)];
        match window.iter().position(|byte| *byte == b'\r') {
            Some(end) if end + 1 < rest.len() => Ok(Some((&rest[..end], start + end + 2))),
            None if window.len() > self.limits.inline_bytes_max => {
                Err(ProtocolError(format!("too big {kind} count string")))
            }
            Some(_) | None => Ok(None),
        }
    }

    fn argument_count(&self, text: &[u8], authenticated: bool) -> Result<usize, ProtocolError> {
        let count =
            parse_integer(text).ok_or_else(|| ProtocolError("invalid multibulk length".into()))?;
        if count <= 0 {
            return Ok(0);
        }
        if !authenticated && count > UNAUTHENTICATED_ARGUMENTS_MAX {
            return Err(ProtocolError("unauthenticated multibulk length".into()));
        }
        match usize::try_from(count) {
            Ok(count) if count <= self.limits.arguments_max => Ok(count),
            _ => Err(ProtocolError("invalid multibulk length".into())),
        }
    }

    fn bulk_length(
        &self,
        header: &[u8],
        position: usize,
        authenticated: bool,
    ) -> Result<usize, ProtocolError> {
        let digits = match header {
            [b'$', digits @ ..] => digits,
            other => {
                // An empty line shows its carriage return, which an error reply blanks.
                let first = other.first().copied().unwrap_or(b' ');
                let first = if matches!(first, b'\r' | b'\n') { b' ' } else { first };
                return Err(ProtocolError(format!("expected '$', got '{}'", char::from(first))));
            }
        };
        let invalid = || ProtocolError("invalid bulk length".into());
        let length = parse_integer(digits).ok_or_else(invalid)?;
        if !authenticated && length > UNAUTHENTICATED_BULK_BYTES_MAX {
            return Err(ProtocolError("unauthenticated bulk length".into()));
        }
        let length = usize::try_from(length).map_err(|_| invalid())?;
        if length > self.limits.bulk_bytes_max {
            return Err(invalid());
        }
        if length > self.limits.request_bytes_max.saturating_sub(position) {
            return Err(ProtocolError(format!(
                "the request exceeds {} bytes, split it into smaller ones",
                self.limits.request_bytes_max
            )));
        }
        Ok(length)
    }
}

/// The arguments of one request; the first is the command's name.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    bytes: &'a [u8],
    ranges: &'a [Range<usize>],
}

impl<'a> Arguments<'a> {
    /// How many there are, the name included. At least one.
    pub fn count(&self) -> usize {
        self.ranges.len()
    }

    /// The argument at `index`; empty if there is none.
    pub fn at(&self, index: usize) -> &'a [u8] {
        self.ranges.get(index).and_then(|range| self.bytes.get(range.clone())).unwrap_or_default()
    }

    /// The arguments from `index` on.
    pub fn from(&self, index: usize) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let bytes = self.bytes;
        let ranges = self.ranges.get(index..).unwrap_or_default();
        ranges.iter().map(move |range| bytes.get(range.clone()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ParserLimits = ParserLimits {
        request_bytes_max: 4096,
        bulk_bytes_max: 1024,
        arguments_max: 16,
        inline_bytes_max: 256,
    };

    /// Feeds `chunks` one after the other and returns the requests and, at the end, the error.
    fn parse_chunks(chunks: &[&[u8]]) -> (Vec<Vec<Vec<u8>>>, Option<String>) {
        let mut parser = Parser::new(LIMITS);
        let (mut buffer, mut requests) = (Vec::new(), Vec::new());
        for chunk in chunks {
            buffer.extend_from_slice(chunk);
            loop {
                let consumed = match parser.parse(&buffer, true) {
                    Ok(Parsed::Incomplete) => break,
                    Ok(Parsed::Empty { consumed }) => consumed,
                    Ok(Parsed::Request { consumed }) => {
                        let arguments = parser.arguments(&buffer);
                        requests.push(arguments.from(0).map(<[u8]>::to_vec).collect());
                        consumed
                    }
                    Err(error) => return (requests, Some(error.to_string())),
                };
                buffer.drain(..consumed);
            }
        }
        (requests, None)
    }

    #[test]
    fn every_split_point_of_a_pipeline_gives_the_same_requests() {
        let pipeline: &[u8] =
            b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n\r\n\r\n\r\n\r\nPING \"x y\"\r\n*0\r\n\
            *-1\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\nget 'a'\n*1\r\n$4\r\nPING\r\n";
        let (whole, error) = parse_chunks(&[pipeline]);
        assert_eq!(error, None);
        assert_eq!(whole.len(), 5);
        assert_eq!(whole[0], [b"SET".to_vec(), b"a".to_vec(), b"\r\n\r\n".to_vec()]);
        for first in 0..=pipeline.len() {
            for second in [first, (first + 1).min(pipeline.len()), pipeline.len()] {
                let chunks = [&pipeline[..first], &pipeline[first..second], &pipeline[second..]];
                assert_eq!(parse_chunks(&chunks), (whole.clone(), None), "{first} {second}");
            }
        }
        let bytes: Vec<&[u8]> = pipeline.chunks(1).collect();
        assert_eq!(parse_chunks(&bytes), (whole, None));
    }

    #[test]
    fn errors_have_the_text_of_redis() {
        let long_line = [b'x'; 300];
        let cases: &[(&[u8], &str)] = &[
            (b"*a\r\n", "invalid multibulk length"),
            (b"*\r\n", "invalid multibulk length"),
            (b"*17\r\n", "invalid multibulk length"),
            (b"*2\r\nx\r\n", "expected '$', got 'x'"),
            (b"*1\r\n\r\n", "expected '$', got ' '"),
            (b"*1\r\n$-1\r\n", "invalid bulk length"),
            (b"*1\r\n$1025\r\n", "invalid bulk length"),
            (b"*1\r\n$zz\r\n", "invalid bulk length"),
            (b"set \"a\r\n", "unbalanced quotes in request"),
            (&long_line, "too big inline request"),
        ];
        for (input, text) in cases {
            let (requests, error) = parse_chunks(&[input]);
            assert!(requests.is_empty());
            assert_eq!(error, Some(format!("Protocol error: {text}")));
        }
        let mut header = b"*".to_vec();
        header.extend([b'1'; 300]);
        let (_, error) = parse_chunks(&[&header]);
        assert_eq!(error.unwrap(), "Protocol error: too big mbulk count string");
    }

    #[test]
    fn a_request_beyond_the_limit_is_refused_before_it_arrives() {
        let mut input = b"*6\r\n".to_vec();
        for _ in 0..4 {
            input.extend(b"$1024\r\n");
            input.extend([b'a'; 1024]);
            input.extend(b"\r\n");
        }
        let (_, error) = parse_chunks(&[&input]);
        assert!(error.unwrap().contains("exceeds 4096 bytes"));
    }

    #[test]
    fn before_authentication_requests_are_small() {
        let mut parser = Parser::new(LIMITS);
        let error = parser.parse(b"*11\r\n", false).unwrap_err();
        assert_eq!(error.to_string(), "Protocol error: unauthenticated multibulk length");
        let mut parser = Parser::new(LIMITS);
        let error = parser.parse(b"*1\r\n$16385\r\n", false).unwrap_err();
        assert_eq!(error.to_string(), "Protocol error: unauthenticated bulk length");
    }

    #[test]
    fn garbage_never_panics() {
        let mut seed = 1u64;
        let alphabet = b"*$-01239\r\n\"'\\x GETa\0\xff";
        for _ in 0..20_000 {
            let mut input = Vec::new();
            for _ in 0..24 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                input.push(alphabet[(seed >> 33) as usize % alphabet.len()]);
            }
            let cut = (seed >> 40) as usize % input.len();
            let halves = parse_chunks(&[&input[..cut], &input[cut..]]);
            assert_eq!(halves, parse_chunks(&[&input]));
        }
    }
}
