//! The types that cross the border between the protocol and those above it. Nothing here is special
//! to one wire.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::metadata::Metadata;
use crate::wires::trpc::{FrameFault, HEADER_LEN};

use super::budget::Overrun;
use super::error::{ConnError, Violation};
use super::send_queue::SendTicket;

/// A stream of this connection, as long as the application holds it.
///
/// A key has no generation: the next stream may get the number of one that was released. That is
/// sound, because the end of a stream clears all of its timers, and its events are handed out under
/// the lock under which they came up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(crate) struct StreamKey(pub(crate) usize);

/// A unary call of this connection: one of ours that waits for its answer, or one of the peer's
/// that a handler works on. It has no generation either: releasing a call clears its timer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(crate) struct CallKey(pub(crate) usize);

/// The part of a call that its caller says before the first message.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Head {
    /// `/package.Service/Method`.
    pub(crate) method: Bytes,
    pub(crate) caller: Bytes,
    pub(crate) callee: Bytes,
    pub(crate) metadata: Metadata,
    /// How long the caller will wait, from the moment the frame was written or read.
    pub(crate) timeout: Option<Duration>,
    pub(crate) content_type: u32,
    pub(crate) content_encoding: u32,
    pub(crate) message_type: u32,
}

impl Head {
    /// About what it takes on the wire, and no less: what has to wait for room asks for so much.
    pub(crate) fn size(&self) -> usize {
        HEADER_LEN
            + self.method.len()
            + self.caller.len()
            + self.callee.len()
            + self.metadata.cost()
    }

    /// The memory that is kept of it as long as the call or stream goes on. Most often all calls
    /// share one caller's name, but each can bring another.
    #[inline]
    pub(super) fn kept(&self) -> usize {
        self.caller.len() + self.metadata.cost()
    }
}

/// How a call ended: two codes, a text and the metadata of the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) ret: i32,
    pub(crate) func_ret: i32,
    pub(crate) message: Bytes,
    pub(crate) metadata: Metadata,
}

impl Outcome {
    pub(crate) fn is_ok(&self) -> bool {
        self.ret == 0 && self.func_ret == 0
    }

    /// The bytes that text and metadata take in memory.
    pub(super) fn cost(&self) -> usize {
        self.message.len() + self.metadata.cost()
    }

    pub(crate) fn framework(ret: i32, message: impl Into<Bytes>) -> Self {
        Self { ret, message: message.into(), ..Self::default() }
    }
}

/// Which of the two sorts of call a head opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    Unary,
    Stream,
}

/// Decides on the server whether a call may start, and which method it is for.
pub(crate) type Admission = Arc<dyn Fn(&Head, Shape) -> Result<Admitted, Outcome> + Send + Sync>;

/// A call that may start.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    pub(crate) method: usize,
}

/// The final state of a stream or call. It never changes once it is there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ending {
    /// The peer ended the call; the outcome may be an error all the same.
    Closed(Arc<Outcome>),
    /// The peer broke the stream off.
    Reset(Arc<Outcome>),
    /// The peer did not accept the stream.
    Refused(Arc<Outcome>),
    /// The deadline of the call passed.
    Deadline,
    /// No message came or went for too long.
    Idle(Duration),
    /// The peer did not answer INIT in time.
    OpenTimeout(Duration),
    /// The peer broke the rules, and the stream was reset for it.
    Violation(Violation),
    /// Far too much is unread, and the peer sent more on this stream, which is not read either.
    Overrun(Overrun),
    /// The peer sent a message that is larger than may be received.
    TooLarge { size: usize, limit: usize },
    /// The answer to a unary call cannot be understood.
    BadAnswer(FrameFault),
    /// The application on this side ended the stream.
    Local,
    /// The connection is gone.
    Lost(ConnError),
    /// The connection of a one-way call is gone for so long.
    Abandoned(Duration),
}

/// An answer to a unary call of ours.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) body: Bytes,
    pub(crate) attachment: Bytes,
    pub(crate) content_type: u32,
    pub(crate) content_encoding: u32,
}

impl Answer {
    /// The bytes that the received answer takes in memory.
    pub(super) fn size(&self) -> usize {
        self.body.len() + self.attachment.len() + self.outcome.cost()
    }
}

/// A unary call of the peer's that was admitted.
#[derive(Debug)]
pub(crate) struct IncomingCall {
    pub(crate) key: CallKey,
    /// The caller waits for no answer.
    pub(crate) one_way: bool,
    pub(crate) admitted: Admitted,
    pub(crate) head: Head,
    pub(crate) deadline: Option<Instant>,
    pub(crate) body: Bytes,
    pub(crate) attachment: Bytes,
}

/// A stream of the peer's that was admitted and answered.
#[derive(Debug)]
pub(crate) struct IncomingStream {
    pub(crate) key: StreamKey,
    pub(crate) admitted: Admitted,
    pub(crate) head: Head,
    pub(crate) deadline: Option<Instant>,
}

/// A change that those above must be told.
#[derive(Debug)]
pub(crate) enum Event {
    /// Something to read, or the end of it, for a reader that waited.
    Readable(StreamKey),
    /// A writer that waited may try again.
    Writable(StreamKey),
    /// The stream is open, or has ended: for whoever watches the stream as a whole.
    Changed(StreamKey),
    /// The answer is there, or the caller of this handler is gone.
    CallChanged(CallKey),
    /// There is room in the outbox for the holder of this ticket.
    Room(SendTicket),
    /// A stream has ended whose credit is granted: its writer must not go on with it.
    CreditRevoked(StreamKey),
    /// A connection that is draining may have become idle or released; or the bytes that a task
    /// waits for are written.
    Idle,
    /// A call of the peer's has come: [`take_calls`](super::Connection::take_calls) gives it.
    Call,
    Stream(Box<IncomingStream>),
}
