//! The part of calls and streams that the two sides say beside their messages, on any wire.

use std::time::Duration;

use bytes::Bytes;

use crate::error::{Failure, Reason};
use crate::metadata::Metadata;

use super::piece::MESSAGE_COST;

/// The most pairs of metadata that one head or outcome carries. Callers set a few dozen; a header
/// of 64 KiB could have 32,000, which would take 3 MB.
pub(crate) const MAX_ENTRIES: usize = 1_000;

/// The text of a server that drains. A wire may know the refusal of a stream by it, and clients of
/// other versions do, so it stays as it is.
pub(crate) const DRAINING_TEXT: &str =
    "the server is draining, because it is shutting down: try another one, or later";

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
        MESSAGE_COST
            + self.method.len()
            + self.caller.len()
            + self.callee.len()
            + self.metadata.cost()
    }

    /// The memory that is kept of it as long as the call or stream goes on. Most often all calls
    /// share one caller's name, but each can bring another.
    #[inline]
    pub(crate) fn kept(&self) -> usize {
        self.caller.len() + self.metadata.cost()
    }
}

/// How a call ended: well or not, with a text and the metadata of the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) failure: Option<Box<Failure>>,
    pub(crate) message: Bytes,
    /// The part that comes before the first message, on a wire that has a place for it.
    pub(crate) initial: Metadata,
    pub(crate) metadata: Metadata,
}

impl Outcome {
    pub(crate) fn is_ok(&self) -> bool {
        self.failure.is_none()
    }

    /// The reason of a failure.
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.failure.as_ref().map(|failure| failure.reason)
    }

    /// The bytes that details, text and metadata take in memory.
    pub(crate) fn cost(&self) -> usize {
        let details = self.failure.as_ref().map_or(0, |failure| failure.details.len());
        details + self.message.len() + self.initial.cost() + self.metadata.cost()
    }

    pub(crate) fn failed(failure: impl Into<Failure>, message: impl Into<Bytes>) -> Self {
        let failure = Some(Box::new(failure.into()));
        Self { failure, message: message.into(), ..Self::default() }
    }
}

/// An answer to a unary call of ours.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) body: Bytes,
    pub(crate) attachment: Bytes,
    pub(crate) content_type: u32,
    pub(crate) content_encoding: u32,
}

impl Answer {
    /// The bytes that the received answer takes in memory.
    pub(crate) fn size(&self) -> usize {
        self.body.len() + self.attachment.len() + self.outcome.cost()
    }
}
