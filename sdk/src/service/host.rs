//! What all calls of one server share.

use crate::stream::Compression;

use super::signal::Signal;

/// What a server tells each of its calls.
#[derive(Debug, Default)]
pub(crate) struct Host {
    /// The server is being shut down.
    pub(crate) drain: Signal,
    /// The shutdown has come to its end: what still goes on is dropped.
    pub(crate) close: Signal,
    /// How answers of unary calls are compressed; `None`: as their requests are.
    pub(crate) compression: Option<Option<Compression>>,
}
