//! The census of a connection: for tests that want to see that its memory is bounded, and nothing
//! is left at the end.

use super::Connection;

/// The calls, streams and bytes that a connection holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) streams: usize,
    pub(crate) calls: usize,
    pub(crate) unread: usize,
    pub(crate) unread_of_one: usize,
    pub(crate) unwritten: usize,
}

impl Connection {
    pub(crate) fn stats(&self) -> Stats {
        let unread = || self.streams.iter().map(|stream| stream.recv.inbox.total().bytes);
        Stats {
            streams: self.streams.held(),
            calls: self.calls.len(),
            unread: unread().sum(),
            unread_of_one: unread().max().unwrap_or(0),
            unwritten: self.queued(),
        }
    }
}
