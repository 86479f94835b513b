//! What a connection holds, counted: for tests that want to see that it is bounded, and nothing at the end.

use super::Connection;

/// What a connection holds for its application and its peer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Holdings {
    pub(crate) streams: usize,
    pub(crate) calls: usize,
    pub(crate) unread: usize,
    pub(crate) unread_of_one: usize,
    pub(crate) unwritten: usize,
}

impl Connection {
    pub(crate) fn holdings(&self) -> Holdings {
        let unread = || self.streams.iter().map(|stream| stream.recv.inbox.total().1);
        Holdings {
            streams: self.streams.held(),
            calls: self.calls.len(),
            unread: unread().sum(),
            unread_of_one: unread().max().unwrap_or(0),
            unwritten: self.queued(),
        }
    }
}
