//! Why a connection ended.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use crate::error::Code;
use crate::wires::{Fault, Garbage};

use super::budget::Overrun;

/// Why a connection ended, and with it every call and stream on it. `Transport` is a failure for
/// which the io has words, and `Io` one that the system knows by number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ConnError {
    PeerClosed,
    LocalClosed,
    Shutdown,
    RuntimeGone,
    CoresGone,
    Panicked,
    Io(io::ErrorKind),
    Transport(Arc<str>),
    FrameTooLarge { size: usize, limit: usize, timeout: Duration },
    Frame(Duration),
    NoRoom { over: Overrun, limit: Duration },
    Wire(Garbage),
    BadAnswer(Fault),
    Unreachable { kind: io::ErrorKind, limit: Duration },
    Idle(Duration),
    FirstFrame(Duration),
    TooManyNew { limit: usize, silence: Duration },
    Overdrawn { limit: u32 },
    PeerNotReading { queued: usize, limit: usize },
}

impl fmt::Display for ConnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerClosed => f.write_str("the peer closed the connection"),
            Self::LocalClosed => f.write_str("the connection was closed on this side"),
            Self::Shutdown => f.write_str(
                "the server was shut down, and the call did not end within its grace (shutdown)",
            ),
            Self::RuntimeGone => {
                f.write_str("the tokio runtime that drove the connection was shut down")
            }
            Self::CoresGone => f.write_str(
                "the `Cores` that drove the connection (per_core) were shut down or dropped",
            ),
            Self::Panicked => f.write_str(
                "the task of the connection panicked, which is a defect of this library",
            ),
            Self::Io(kind) => write!(f, "the connection failed: {kind}"),
            Self::Transport(why) => write!(f, "the connection failed: {why}"),
            Self::FrameTooLarge { .. } | Self::Frame(_) | Self::NoRoom { .. } => {
                self.fmt_of_frame(f)
            }
            Self::Wire(error) => error.fmt(f),
            Self::BadAnswer(fault) => write!(
                f,
                "the peer sent an answer that cannot be understood, and that does not say which \
                 call it is for: {fault}"
            ),
            Self::Unreachable { kind, limit } => write!(
                f,
                "the peer is unreachable, or does not read: it took no byte for {limit:?} \
                 (dead_peer_timeout; {kind})"
            ),
            Self::Idle(limit) => {
                write!(f, "the connection was idle for {limit:?} (idle_timeout)")
            }
            Self::FirstFrame(limit) => write!(
                f,
                "the peer's first frame was not whole within {limit:?} of its first byte \
                 (first_frame_timeout)"
            ),
            Self::TooManyNew { limit, silence } => write!(
                f,
                "it had sent nothing for {silence:?} (new_connection_grace) when newer connections \
                 came, and at most {limit} silent ones may be there then (max_new_connections)"
            ),
            Self::Overdrawn { limit } => write!(
                f,
                "the peer sent more than its streams together had credit for, which is {limit} bytes"
            ),
            Self::PeerNotReading { queued, limit } => write!(
                f,
                "the peer does not read its answers: {queued} bytes are waiting, at most {limit} may"
            ),
        }
    }
}

impl std::error::Error for ConnError {}

impl ConnError {
    /// The text about a frame that did not come whole.
    fn fmt_of_frame(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FrameTooLarge { size, limit, timeout } => write!(
                f,
                "the peer sent a frame of {size} bytes, at most {limit} are accepted \
                 (max_message_received), and its end did not come within {timeout:?} (frame_timeout)"
            ),
            Self::NoRoom { over, limit } => write!(
                f,
                "there was no room within {limit:?} for the rest of a message that had begun \
                 (frame_timeout): {over}"
            ),
            Self::Frame(limit) => write!(
                f,
                "the peer began a frame and sent less than 64 KiB of it within {limit:?} (frame_timeout)"
            ),
            _ => unreachable!("the caller looks which error it is"),
        }
    }

    /// The error for bytes after which the connection cannot go on.
    pub(crate) fn of_wire(error: Garbage) -> Self {
        Self::Wire(error)
    }

    /// The error of a failed read or write of the socket. `limit` is the dead peer timeout that the
    /// socket was given.
    pub(crate) fn of_io(kind: io::ErrorKind, limit: Duration) -> Self {
        match kind {
            io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable => Self::Unreachable { kind, limit },
            kind => Self::Io(kind),
        }
    }
}

/// The text that tells both sides of a frame that is too large.
pub(crate) fn too_large(what: &str, size: usize, limit: usize) -> String {
    format!(
        "{what} takes {size} bytes on the wire, at most {limit} are accepted (max_message_received)"
    )
}

/// A fault of the peer's that ends one stream and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Violation {
    SecondInit,
    DataBeforeInit,
    CloseBeforeInit,
    DataAfterClose,
    Overdrawn,
    CutMessage,
    NoMessage,
    SecondMessage,
    BadFrame,
    HeaderTooLarge { size: usize, limit: usize },
    TooManyEntries { limit: usize },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::SecondInit => "a second INIT on a live stream",
            Self::DataBeforeInit => "DATA before the answer to INIT",
            Self::CloseBeforeInit => "CLOSE before the answer to INIT",
            Self::DataAfterClose => "DATA after the end of its direction",
            Self::Overdrawn => "more than the window",
            Self::CutMessage => "the end in the middle of a message",
            Self::NoMessage => "the end of a unary call without its message",
            Self::SecondMessage => "more than the one message of a unary call",
            Self::BadFrame => "a frame that cannot be understood",
            Self::HeaderTooLarge { size, limit } => {
                return Fault::HeaderTooLarge { size, limit }.fmt(f);
            }
            Self::TooManyEntries { limit } => return Fault::TooManyEntries { limit }.fmt(f),
        };
        f.write_str(text)
    }
}

impl std::error::Error for Violation {}

impl Violation {
    /// The canonical code for it, if that is not the one of its reason.
    pub(crate) const fn code(self) -> Option<Code> {
        match self {
            // The method that the peer has in mind takes or gives another number of messages.
            Self::NoMessage | Self::SecondMessage => Some(Code::Unimplemented),
            _ => None,
        }
    }
}
