//! The state that all calls of one server share.

use crate::stream::Compression;

use super::drain_signal::Drain;

/// The state of a server that its calls see.
#[derive(Debug)]
pub(crate) struct ServerState {
    pub(crate) drain: Drain,
    /// How answers of unary calls are compressed; `None`: as their requests are.
    pub(crate) compression: Option<Option<Compression>>,
}

impl ServerState {
    pub(crate) fn new(compression: Option<Option<Compression>>) -> Self {
        Self { drain: Drain::default(), compression }
    }
}
