//! The types that cross the border between the protocol and those above it. Nothing here is special
//! to one wire.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::framing::{Head, Outcome};
use crate::wires::Fault;

use super::budget::Overrun;
use super::error::{ConnError, Violation};
use super::send_queue::SendTicket;
use super::table::Key;

/// A stream of this connection, as long as the application holds it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(crate) struct StreamKey(pub(crate) Key);

/// A unary call of this connection: one of ours that waits for its answer, or one of the peer's
/// that a handler works on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(crate) struct CallKey(pub(crate) Key);

/// Which of the two sorts of call a head opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    Unary,
    Stream,
}

/// Decides on the server whether a call may start, and which method it is for. It is asked with the
/// shape if the wire's opening has told it; else the method tells.
pub(crate) type Admission =
    Arc<dyn Fn(&Head, Option<Shape>) -> Result<Admitted, Outcome> + Send + Sync>;

/// A call that may start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admitted {
    /// Its place in the server's table. With the shape it is no larger than an address.
    pub(crate) method: u32,
    /// The shape of the method.
    pub(crate) shape: Shape,
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
    BadAnswer(Fault),
    /// The application on this side ended the stream.
    Local,
    /// The connection is gone.
    Lost(ConnError),
    /// The connection of a one-way call is gone for so long.
    Abandoned(Duration),
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
    /// Others that were opened with it.
    #[cfg_attr(not(test), expect(dead_code, reason = "no wire but that of the tests has any"))]
    pub(crate) more: Vec<StreamKey>,
    pub(crate) admitted: Admitted,
    pub(crate) head: Head,
    pub(crate) deadline: Option<Instant>,
}

/// A call or stream of the peer's that was refused before it was admitted, or a call that ended
/// before its request had come whole.
#[derive(Debug)]
pub(crate) struct RefusedCall {
    /// As the peer has named it; empty if the head cannot be read.
    pub(crate) method: Bytes,
    pub(crate) outcome: Outcome,
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
    /// A stream has ended whose credit is granted: its writer must not go on with it. Its frames
    /// come too late, and are to be [collected](super::Connection::collect) all the same.
    CreditRevoked(StreamKey),
    /// A connection that is draining may have become idle or released; or the bytes that a task
    /// waits for are written.
    Idle,
    /// A call of the peer's has come: [`take_calls`](super::Connection::take_calls) gives it.
    Call,
    Stream(Box<IncomingStream>),
    Refused(Box<RefusedCall>),
}
