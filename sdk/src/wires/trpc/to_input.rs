//! Frames in words that all wires share.

use bytes::{Buf, Bytes};
use trill_proto::{CloseMeta, InitMeta, RequestProtocol, ResponseProtocol};

use crate::error::Reason;
use crate::framing::{Answer, Messages, Outcome, Side, StreamId};
use crate::wires::input::{self, Credit, End, Fault, Input, Opening};

use super::decode::{self, split};
use super::error::FrameFault;
#[cfg(any(test, feature = "__fuzz", feature = "__bench"))]
use super::frame::Frame;
use super::frame::{CallTag, UnaryHead};
use super::quirks::may_have_overtaken;
use super::{head, plain};

/// A form in which the decoder gives frames. They are large, so each is made where it stays.
pub(crate) trait Decoded: Sized {
    /// Messages of a stream, which come most often of all.
    fn messages(id: StreamId, messages: Messages) -> Self;

    /// Adds the request with this fixed header; `rest` are the bytes behind that, of which the
    /// first `header_len` are its protobuf header.
    fn push_request(
        frames: &mut Vec<Self>,
        head: UnaryHead,
        header_len: usize,
        rest: Bytes,
    ) -> Result<(), FrameFault>;

    /// The same for an answer.
    fn push_response(
        frames: &mut Vec<Self>,
        head: UnaryHead,
        header_len: usize,
        rest: Bytes,
    ) -> Result<(), FrameFault>;

    /// Adds the INIT with this message: it opens a stream, or answers that at the side of a client.
    fn push_init(
        frames: &mut Vec<Self>,
        id: StreamId,
        message: &Bytes,
        side: Side,
    ) -> Result<(), FrameFault>;

    /// Credit.
    fn feedback(id: StreamId, increment: u32) -> Self;

    /// Ends a direction of a stream, or all of it.
    fn close(id: StreamId, meta: CloseMeta, side: Side) -> Self;

    /// A unary frame that cannot be read.
    fn bad_unary(head: UnaryHead, why: FrameFault, side: Side) -> Self;

    /// A frame of a stream that cannot be read.
    fn bad_stream(id: StreamId, why: FrameFault) -> Self;
}

#[cfg(any(test, feature = "__fuzz", feature = "__bench"))]
impl Decoded for Frame {
    fn messages(id: StreamId, messages: Messages) -> Self {
        Self::Data { id, messages }
    }

    fn push_request(
        frames: &mut Vec<Self>,
        head: UnaryHead,
        header_len: usize,
        rest: Bytes,
    ) -> Result<(), FrameFault> {
        let (meta, body, attachment) = decode::request(rest, header_len)?;
        frames.push(Self::Request { head, meta, body, attachment });
        Ok(())
    }

    fn push_response(
        frames: &mut Vec<Self>,
        head: UnaryHead,
        header_len: usize,
        rest: Bytes,
    ) -> Result<(), FrameFault> {
        let (meta, body, attachment) = decode::response(rest, header_len)?;
        frames.push(Self::Response { head, meta, body, attachment });
        Ok(())
    }

    fn push_init(
        frames: &mut Vec<Self>,
        id: StreamId,
        message: &Bytes,
        _: Side,
    ) -> Result<(), FrameFault> {
        frames.push(Self::Init { id, meta: decode::init(message)? });
        Ok(())
    }

    fn feedback(id: StreamId, increment: u32) -> Self {
        Self::Feedback { id, increment }
    }

    fn close(id: StreamId, meta: CloseMeta, _: Side) -> Self {
        Self::Close { id, meta }
    }

    fn bad_unary(head: UnaryHead, why: FrameFault, _: Side) -> Self {
        Self::BadUnary { head, why }
    }

    fn bad_stream(id: StreamId, why: FrameFault) -> Self {
        Self::BadStream { id, why }
    }
}

impl Decoded for Input {
    #[inline]
    fn messages(id: StreamId, messages: Messages) -> Self {
        Self::Messages { id, messages }
    }

    #[inline]
    fn push_request(
        frames: &mut Vec<Self>,
        frame: UnaryHead,
        header_len: usize,
        mut rest: Bytes,
    ) -> Result<(), FrameFault> {
        let Some(plain) = plain::request(&rest, header_len) else {
            frames.push(full_request(frame, header_len, rest)?);
            return Ok(());
        };
        rest.advance(header_len);
        let plain::PlainRequest { head, request_id, call_type, attachment_size, .. } = plain;
        let (body, attachment) = split(rest, request_id, attachment_size)?;
        let (message_type, content_type) = (head.message_type, head.content_type);
        let tag = CallTag { frame, request_id, message_type, content_type };
        let (tag, one_way) = (input::CallTag::Trpc(tag), call_type == head::ONE_WAY);
        frames.push(Self::Call { tag, one_way, head, body, attachment });
        Ok(())
    }

    // PROTOCOL 7
    // Peers disagree about the id in the fixed header; the one in the protobuf header is always
    // right.
    #[inline]
    fn push_response(
        frames: &mut Vec<Self>,
        _: UnaryHead,
        header_len: usize,
        mut rest: Bytes,
    ) -> Result<(), FrameFault> {
        let plain = plain::response(&rest, header_len);
        let Some(plain) = plain.filter(|plain| (plain.ret, plain.func_ret) == (0, 0)) else {
            frames.push(full_response(header_len, rest)?);
            return Ok(());
        };
        rest.advance(header_len);
        let plain::PlainResponse { request_id, message, content_type, content_encoding, .. } =
            plain;
        let (body, attachment) = split(rest, request_id, plain.attachment_size)?;
        let outcome = Outcome { message, ..Outcome::default() };
        let answer = Answer { outcome, body, attachment, content_type, content_encoding };
        frames.push(Self::Answer { id: request_id.into(), answer });
        Ok(())
    }

    #[inline]
    fn push_init(
        frames: &mut Vec<Self>,
        id: StreamId,
        message: &Bytes,
        side: Side,
    ) -> Result<(), FrameFault> {
        let plain = match side {
            Side::Server => plain::open(message).map(|plain::PlainOpen { head, window }| {
                let opening = Some(Opening { head, window, more: Vec::new() });
                Self::Open { id, opening }
            }),
            Side::Client => {
                plain::accepted(message).map(|window| Self::Opened { id, answer: Ok(window) })
            }
        };
        match plain {
            Some(plain) => frames.push(plain),
            None => frames.push(full_init(id, message, side)?),
        }
        Ok(())
    }

    #[inline]
    fn feedback(id: StreamId, increment: u32) -> Self {
        Self::Credit { id, credit: Credit { increment, total: 0 } }
    }

    #[inline]
    fn close(id: StreamId, meta: CloseMeta, side: Side) -> Self {
        let client = side == Side::Client;
        // A client has nothing to report with a normal CLOSE: one with a code can only mean that it
        // failed.
        // PROTOCOL 27
        let how = if client && may_have_overtaken(&meta) {
            End::ResetAhead
        } else if meta.close_type == head::RESET
            || (!client && (meta.ret != 0 || meta.func_ret != 0))
        {
            End::Reset
        } else {
            End::Close
        };
        let mut outcome = head::read_close(meta);
        // PROTOCOL 26
        if how != End::Close && outcome.is_ok() {
            outcome.failure = Some(Box::new(Reason::BadState.into()));
        }
        Self::End { id, how, outcome }
    }

    fn bad_unary(head: UnaryHead, why: FrameFault, side: Side) -> Self {
        match side {
            // Clients that pair by the protobuf header write the id into the fixed header as well,
            // but for tRPC-Cpp.
            Side::Server => {
                Self::BadCall { tag: input::CallTag::Trpc(CallTag::of(head)), why: why.into() }
            }
            // tRPC-Cpp writes 0 there.
            Side::Client => Self::BadAnswer { id: head.id.into(), why: why.into() },
        }
    }

    fn bad_stream(id: StreamId, why: FrameFault) -> Self {
        Self::BadStream { id, why: why.into() }
    }
}

/// For tests, which have frames that were decoded before.
#[cfg(any(test, feature = "__fuzz"))]
impl Input {
    /// `frame` was read at this side.
    pub(crate) fn of(frame: Frame, side: Side) -> Self {
        match frame {
            Frame::Request { head, meta, body, attachment } => call(head, meta, body, attachment),
            Frame::Response { meta, body, attachment, .. } => answer(meta, body, attachment),
            Frame::Data { id, messages } => Self::messages(id, messages),
            Frame::Feedback { id, increment } => Self::feedback(id, increment),
            Frame::Init { id, meta } => init(id, meta, side),
            Frame::Close { id, meta } => Self::close(id, meta, side),
            Frame::BadUnary { head, why } => Self::bad_unary(head, why, side),
            Frame::BadStream { id, why } => Self::bad_stream(id, why),
        }
    }
}

/// Reads a request with metadata, or with fields that no program sends.
#[inline(never)]
fn full_request(frame: UnaryHead, header_len: usize, rest: Bytes) -> Result<Input, FrameFault> {
    let (meta, body, attachment) = decode::request(rest, header_len)?;
    Ok(call(frame, meta, body, attachment))
}

/// The same for an answer, and for one that tells a failure.
#[inline(never)]
fn full_response(header_len: usize, rest: Bytes) -> Result<Input, FrameFault> {
    let (meta, body, attachment) = decode::response(rest, header_len)?;
    Ok(answer(meta, body, attachment))
}

/// Reads INIT with metadata, or one that refuses a stream.
#[inline(never)]
fn full_init(id: StreamId, message: &[u8], side: Side) -> Result<Input, FrameFault> {
    Ok(init(id, decode::init(message)?, side))
}

fn init(id: StreamId, meta: InitMeta, side: Side) -> Input {
    match side {
        Side::Server => Input::Open { id, opening: head::read_open(meta) },
        Side::Client => Input::Opened { id, answer: head::read_opened(meta) },
    }
}

fn call(frame: UnaryHead, meta: RequestProtocol, body: Bytes, attachment: Bytes) -> Input {
    let tag = CallTag {
        frame,
        request_id: meta.request_id,
        message_type: meta.message_type,
        content_type: meta.content_type,
    };
    let (tag, one_way) = (input::CallTag::Trpc(tag), meta.call_type == head::ONE_WAY);
    Input::Call { tag, one_way, head: head::read_request(meta), body, attachment }
}

fn answer(meta: ResponseProtocol, body: Bytes, attachment: Bytes) -> Input {
    let id = meta.request_id.into();
    Input::Answer { id, answer: head::read_response(meta, body, attachment) }
}

impl CallTag {
    /// The tag of a call of which only the fixed header is known.
    pub(crate) fn of(frame: UnaryHead) -> Self {
        Self { frame, request_id: frame.id, ..Self::default() }
    }
}

impl From<FrameFault> for Fault {
    fn from(fault: FrameFault) -> Self {
        match fault {
            FrameFault::HeaderTooLarge { size, limit } => Self::HeaderTooLarge { size, limit },
            FrameFault::TooManyEntries { limit } => Self::TooManyEntries { limit },
            other => Self::Unreadable(other.to_string()),
        }
    }
}
