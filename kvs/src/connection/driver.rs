//! The task of one connection: a loop over everything that may have become possible.
//!
//! The loop prefers to collect: it drains replies, starts commands and reads as long as any of these
//! gets on, and writes when none does, so that many replies leave in one write.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::dispatch::{Handler, Started};
use super::{Admin, Server};
use crate::log::ReplicatedLog;
use crate::resp::{Parsed, Parser, ParserLimits};

/// Room that a read is offered at least.
const READ_BYTES_MIN: usize = 16 * 1024;
/// Output that is written even if more could be collected.
const WRITE_BYTES_MIN: usize = 64 * 1024;
/// Buffers beyond this are given back when they are empty.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// What the client will still send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// More, perhaps.
    Open,
    /// A request is at the front of the buffer, in so many bytes, and must wait.
    Waiting(usize),
    /// Nothing that will be looked at.
    Closed,
}

/// One connection.
pub(super) struct Driver<S, L, A> {
    stream: S,
    handler: Handler<L, A>,
    parser: Parser,
    /// Bytes that were read and belong to no finished request.
    buffer: BytesMut,
    input: Input,
    /// Whether nothing more is read.
    is_closing: bool,
}

impl<S, L, A> Driver<S, L, A>
where
    S: AsyncRead + AsyncWrite + Unpin,
    L: ReplicatedLog,
    A: Admin,
{
    pub(super) fn new(stream: S, server: Arc<Server<L, A>>) -> Self {
        let limits = &server.options.limits;
        let parser = Parser::new(ParserLimits {
            request_bytes_max: limits.request_bytes_max,
            bulk_bytes_max: limits.request_bytes_max,
            arguments_max: limits.arguments_max,
            inline_bytes_max: limits.inline_bytes_max,
        });
        Self {
            stream,
            handler: Handler::new(server),
            parser,
            buffer: BytesMut::new(),
            input: Input::Open,
            is_closing: false,
        }
    }

    /// Serves until the client leaves and has all its replies.
    pub(super) async fn run(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// Serves what the client has sent, and no more.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        self.is_closing = true;
        self.run().await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut has_progress = self.handler.poll_replies(cx);
            has_progress |= self.start_commands();
            if self.input == Input::Open && self.is_closing {
                self.input = Input::Closed;
            }
            if self.input == Input::Open
                && let Poll::Ready(count) = self.poll_read(cx)?
            {
                has_progress = true;
                if count == 0 {
                    self.input = Input::Closed;
                }
            }
            if !has_progress || self.handler.output().len() >= WRITE_BYTES_MIN {
                has_progress |= self.poll_write(cx)?;
            }
            if has_progress {
                continue;
            }
            let is_done = self.input == Input::Closed
                && self.handler.is_idle()
                && self.handler.output().is_empty();
            return if is_done { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
    }

    /// Starts the commands in the buffer until one must wait or is incomplete.
    fn start_commands(&mut self) -> bool {
        let mut has_started = false;
        self.handler.look_at_clock();
        while self.input != Input::Closed && !self.handler.is_full() {
            let consumed = match self.input {
                Input::Waiting(consumed) => consumed,
                _ => match self.parser.parse(&self.buffer, self.handler.is_authenticated()) {
                    Ok(Parsed::Request { consumed }) => consumed,
                    Ok(Parsed::Empty { consumed }) => {
                        self.buffer.advance(consumed);
                        continue;
                    }
                    Ok(Parsed::Incomplete) => break,
                    Err(error) => {
                        self.handler.refuse(&error);
                        self.input = Input::Closed;
                        return true;
                    }
                },
            };
            match self.handler.start(self.parser.arguments(&self.buffer)) {
                Started::Yes => self.input = Input::Open,
                Started::Wait => {
                    self.input = Input::Waiting(consumed);
                    return has_started;
                }
                Started::Last => self.input = Input::Closed,
            }
            has_started = true;
            self.buffer.advance(consumed);
        }
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT_BYTES_MAX {
            self.buffer = BytesMut::new();
            self.parser.shrink();
        }
        has_started
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.handler.is_full() {
            return Poll::Pending;
        }
        if self.buffer.capacity() - self.buffer.len() < READ_BYTES_MIN / 4 {
            let missing = self.parser.bytes_needed().saturating_sub(self.buffer.len());
            self.buffer.reserve(missing.clamp(READ_BYTES_MIN, 16 * READ_BYTES_MIN));
        }
        pin!(self.stream.read_buf(&mut self.buffer)).poll(cx)
    }

    /// Returns whether the client took any of the output.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let output = self.handler.output();
        if output.is_empty() {
            return Ok(false);
        }
        match Pin::new(&mut self.stream).poll_write(cx, output) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(count)) => {
                output.advance(count);
                if output.is_empty() {
                    if output.capacity() > KEPT_BYTES_MAX {
                        *output = BytesMut::new();
                    } else {
                        output.clear();
                    }
                }
                Ok(true)
            }
            Poll::Ready(Err(error)) => Err(error),
        }
    }
}
