//! Why a connection ended.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::wires::trpc::{FrameFault, WireError};

use super::budget::Overrun;

/// Why a connection ended, and with it every call and stream on it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum ConnError {
    #[error("the peer closed the connection")]
    PeerClosed,
    #[error("the connection was closed on this side")]
    LocalClosed,
    #[error("the server was shut down, and the call did not end within its grace (shutdown)")]
    Shutdown,
    #[error("the tokio runtime that drove the connection was shut down")]
    RuntimeGone,
    #[error("the task of the connection panicked, which is a defect of this library")]
    Panicked,
    #[error("the connection failed: {0}")]
    Io(io::ErrorKind),
    #[error(
        "the peer sent a frame of {size} bytes, at most {limit} are accepted (max_message_received), and its end did not come \
         within {timeout:?} (frame_timeout)"
    )]
    FrameTooLarge { size: usize, limit: usize, timeout: Duration },
    #[error("the peer began a frame and sent less than 64 KiB of it within {0:?} (frame_timeout)")]
    Frame(Duration),
    #[error(
        "there was no room within {limit:?} for the rest of a message that had begun (frame_timeout): {over}"
    )]
    NoRoom { over: Overrun, limit: Duration },
    #[error("the peer sent bytes that are not tRPC: {0}")]
    Wire(WireError),
    #[error(
        "the peer sent an answer that cannot be understood, and that does not say which call it is for: {0}"
    )]
    BadAnswer(FrameFault),
    #[error(
        "the peer is unreachable, or does not read: it took no byte for {limit:?} (dead_peer_timeout; {kind})"
    )]
    Unreachable { kind: io::ErrorKind, limit: Duration },
    #[error("the connection was idle for {0:?} (idle_timeout)")]
    Idle(Duration),
    #[error(
        "the peer's first frame was not whole within {0:?} of its first byte (first_frame_timeout)"
    )]
    FirstFrame(Duration),
    #[error(
        "it had sent nothing for {silence:?} (new_connection_grace) when newer connections came, and at most {limit} silent ones may be there \
         then (max_new_connections)"
    )]
    TooManyNew { limit: usize, silence: Duration },
    #[error("the peer does not read its answers: {queued} bytes are waiting, at most {limit} may")]
    PeerNotReading { queued: usize, limit: usize },
}

impl ConnError {
    /// The error for bytes after which the connection cannot go on.
    pub(crate) fn of_wire(error: WireError) -> Self {
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

/// A fault of the peer's that ends one stream and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(crate) enum Violation {
    #[error("a second INIT on a live stream")]
    SecondInit,
    #[error("DATA before the answer to INIT")]
    DataBeforeInit,
    #[error("CLOSE before the answer to INIT")]
    CloseBeforeInit,
    #[error("DATA after the end of its direction")]
    DataAfterClose,
    #[error("a frame that cannot be understood")]
    BadFrame,
    #[error("a header of {size} bytes, at most {limit} are accepted (max_header)")]
    HeaderTooLarge { size: usize, limit: usize },
    #[error("more than {limit} metadata entries; one header carries no more")]
    TooManyEntries { limit: usize },
}
