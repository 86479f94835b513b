//! What all calls of one server share.

use crate::stream::Compression;

use super::drain::Drain;

/// What a server tells each of its calls.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) drain: Drain,
    /// How answers of unary calls are compressed; `None`: as their requests are.
    pub(crate) compression: Option<Option<Compression>>,
}

impl Host {
    pub(crate) fn new(compression: Option<Option<Compression>>) -> Self {
        Self { drain: Drain::default(), compression }
    }
}
