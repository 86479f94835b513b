//! Why a connection ended.

use std::io;

use thiserror::Error;

use crate::wire::WireError;

/// Why a connection ended, and with it every call and stream on it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum ConnError {
    #[error("the peer closed the connection")]
    PeerClosed,
    #[error("the connection was closed on this side")]
    LocalClosed,
    #[error("the server was shut down, and the call did not end within its grace (shutdown)")]
    Shutdown,
    #[error("the connection failed: {0}")]
    Io(io::ErrorKind),
    #[error("the peer sent bytes that are not tRPC: {0}")]
    Wire(WireError),
    #[error("the peer sent an answer that cannot be understood, and that does not say which call it is for")]
    BadAnswer,
    #[error("the peer does not read its answers: {queued} bytes are waiting, at most {limit} may")]
    PeerNotReading { queued: usize, limit: usize },
}

/// What a peer did that ends one stream and nothing else.
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
}
