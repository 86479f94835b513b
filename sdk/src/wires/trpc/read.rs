//! Frames in words that all wires share.

use bytes::Bytes;
use trill_proto::{CloseMeta, RequestProtocol, ResponseProtocol};

use crate::error::Reason;
use crate::framing::Side;
use crate::wires::input::{self, Credit, End, Fault, Input};

use super::error::FrameFault;
use super::frame::{CallTag, Frame, UnaryHead};
use super::head;
use super::quirks::may_have_overtaken;

/// A form in which the decoder gives frames. Calls and answers come most often and are large, so
/// they are made where they stay.
pub(crate) trait Decoded {
    /// `frame` was read at this side.
    fn of(frame: Frame, side: Side) -> Self;

    fn request(head: UnaryHead, meta: RequestProtocol, body: Bytes, attachment: Bytes) -> Self;

    fn response(head: UnaryHead, meta: ResponseProtocol, body: Bytes, attachment: Bytes) -> Self;
}

impl Decoded for Frame {
    #[inline]
    fn of(frame: Self, _: Side) -> Self {
        frame
    }

    fn request(head: UnaryHead, meta: RequestProtocol, body: Bytes, attachment: Bytes) -> Self {
        Self::Request { head, meta, body, attachment }
    }

    fn response(head: UnaryHead, meta: ResponseProtocol, body: Bytes, attachment: Bytes) -> Self {
        Self::Response { head, meta, body, attachment }
    }
}

impl Decoded for Input {
    #[inline(always)]
    fn request(frame: UnaryHead, meta: RequestProtocol, body: Bytes, attachment: Bytes) -> Self {
        let tag = CallTag {
            frame,
            request_id: meta.request_id,
            message_type: meta.message_type,
            content_type: meta.content_type,
        };
        let (tag, one_way) = (input::CallTag::Trpc(tag), meta.call_type == head::ONE_WAY);
        Self::Call { tag, one_way, head: head::read_request(meta), body, attachment }
    }

    // PROTOCOL 7
    // Peers disagree about the id in the fixed header; the one in the protobuf header is always
    // right.
    #[inline(always)]
    fn response(_: UnaryHead, meta: ResponseProtocol, body: Bytes, attachment: Bytes) -> Self {
        let id = meta.request_id.into();
        Self::Answer { id, answer: head::read_response(meta, body, attachment) }
    }

    #[inline]
    fn of(frame: Frame, side: Side) -> Self {
        match frame {
            Frame::Request { head, meta, body, attachment } => {
                Self::request(head, meta, body, attachment)
            }
            Frame::Response { head, meta, body, attachment } => {
                Self::response(head, meta, body, attachment)
            }
            Frame::Data { id, messages } => Self::Messages { id, messages },
            Frame::Feedback { id, increment } => {
                let credit = Credit { increment, total: 0 };
                Self::Credit { id, credit }
            }
            Frame::Init { id, meta } => match side {
                Side::Server => Self::Open { id, opening: head::read_open(meta) },
                Side::Client => Self::Opened { id, answer: head::read_opened(meta) },
            },
            Frame::Close { id, meta } => close(meta, side, id),
            Frame::BadUnary { head, why } => match side {
                // Clients that pair by the protobuf header write the id into the fixed header as
                // well, but for tRPC-Cpp.
                Side::Server => {
                    Self::BadCall { tag: input::CallTag::Trpc(CallTag::of(head)), why: why.into() }
                }
                // tRPC-Cpp writes 0 there.
                Side::Client => Self::BadAnswer { id: head.id.into(), why: why.into() },
            },
            Frame::BadStream { id, why } => Self::BadStream { id, why: why.into() },
        }
    }
}

fn close(meta: CloseMeta, side: Side, id: crate::framing::StreamId) -> Input {
    let client = side == Side::Client;
    // A client has nothing to report with a normal CLOSE: one with a code can only mean that it
    // failed.
    // PROTOCOL 27
    let how = if client && may_have_overtaken(&meta) {
        End::ResetAhead
    } else if meta.close_type == head::RESET || (!client && (meta.ret != 0 || meta.func_ret != 0)) {
        End::Reset
    } else {
        End::Close
    };
    let mut outcome = head::read_close(meta);
    // PROTOCOL 26
    if how != End::Close && outcome.is_ok() {
        outcome.failure = Some(Box::new(Reason::BadState.into()));
    }
    Input::End { id, how, outcome }
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
