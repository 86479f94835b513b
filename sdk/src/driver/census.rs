//! The census of one end of a connection, for tests.

use std::sync::{Arc, Weak};

use super::Link;
use super::shared::Shared;

/// The counts of all that one end of a connection holds at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Census {
    /// Streams that go on, or whose handles still exist.
    pub streams: usize,
    /// Unary calls that go on.
    pub calls: usize,
    /// Bytes of messages that came and that no reader has taken.
    pub unread: usize,
    /// The same, for the stream that has most.
    pub unread_of_one: usize,
    /// Bytes that wait for the socket.
    pub unwritten: usize,
    /// Tasks that wait for something on this connection, its driver not included.
    pub waiting: usize,
}

/// Looks at one end of a connection without keeping it alive.
#[derive(Clone)]
pub(crate) struct LinkWatch(Weak<Shared>);

impl LinkWatch {
    pub(crate) fn new(link: &Link) -> Self {
        Self(Arc::downgrade(link.shared()))
    }

    /// `None`: nothing is left of this end.
    pub(crate) fn census(&self) -> Option<Census> {
        self.0.upgrade().map(|shared| shared.peek(super::state::SharedState::census))
    }
}
