//! Frames, as they stand on the wire.

#[cfg(any(test, feature = "__fuzz", feature = "__bench"))]
use {
    super::error::FrameFault,
    crate::framing::{Messages, StreamId},
    bytes::Bytes,
    trill_proto::{CloseMeta, InitMeta, RequestProtocol, ResponseProtocol},
};

/// The fields that a unary frame carries in its fixed header. A server repeats them in the answer,
/// because some clients pair by them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct UnaryHead {
    pub(crate) id: u32,
    pub(crate) version: u8,
    pub(crate) reserved: u8,
}

/// The part of a peer's call that its answer repeats.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct CallTag {
    pub(crate) frame: UnaryHead,
    /// The protobuf header may say another id than the fixed one.
    pub(crate) request_id: u32,
    pub(crate) message_type: u32,
    pub(crate) content_type: u32,
}

/// One frame, taken off the wire. For tests and tools, which look at frames as they are:
/// connections decode bytes to [`Input`](crate::wires::Input).
#[cfg(any(test, feature = "__fuzz", feature = "__bench"))]
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Frame {
    /// A unary call, seen by the server.
    Request { head: UnaryHead, meta: RequestProtocol, body: Bytes, attachment: Bytes },
    /// The answer to a unary call, seen by the client.
    Response { head: UnaryHead, meta: ResponseProtocol, body: Bytes, attachment: Bytes },
    /// Opens a stream, or answers that.
    Init { id: StreamId, meta: InitMeta },
    /// Messages of a stream that came behind each other; they may be empty.
    Data { id: StreamId, messages: Messages },
    /// Credit for DATA.
    Feedback { id: StreamId, increment: u32 },
    /// The end of a direction or of the stream.
    Close { id: StreamId, meta: CloseMeta },
    /// A unary frame with a fault inside.
    BadUnary { head: UnaryHead, why: FrameFault },
    /// A stream frame with a fault inside.
    BadStream { id: StreamId, why: FrameFault },
}
