//! Frames, as the room above sees them.

use bytes::Bytes;
use trill_proto::{CloseMeta, InitMeta, RequestProtocol, ResponseProtocol};

use super::error::FrameFault;
use super::id::StreamId;
use super::messages::Messages;

/// Who we are on a connection: a server reads unary frames as requests, a client as answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Client,
    Server,
}

/// What a unary frame carries in its fixed header. A server repeats it in the answer, because some clients pair by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct UnaryHead {
    pub(crate) id: u32,
    pub(crate) version: u8,
    pub(crate) reserved: u8,
}

/// One frame, taken off the wire.
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
    /// A frame that is not taken, although its headers are right. Its bytes are dropped as they come; the decoder never gives this.
    Skipped { of: Begun, size: usize, why: Skip },
}

/// Which call or stream a frame is about that is not there whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Begun {
    /// A request or an answer. Its protobuf header may say another id than its fixed one.
    Unary { head: UnaryHead, request_id: u32, one_way: bool },
    /// A message of a stream.
    Data(StreamId),
    /// Anything else of a stream.
    Control(StreamId),
}

/// Why a frame is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Skip {
    /// It is larger than may be received.
    TooLarge,
    /// There is no room for it.
    NoRoom,
}
