//! Streams that this client has cancelled with a normal CLOSE, and that the server has not ended
//! yet.
//!
//! A handler of tRPC-Go never learns of a RESET: what frees it is the end of its input, or credit
//! for what it still writes. So what comes is dropped, and its credit given back, until the server
//! ends the stream.
//!
//! A server that never does would have them kept for ever. So the oldest is forgotten when there
//! are too many, and the server is told with a RESET: what still comes on it is dropped as before,
//! and only a handler that hears no RESET and writes more than a window stays blocked until the
//! connection ends. A limit that refused new streams instead would lose work.

use std::collections::BTreeMap;

use crate::framing::StreamId;

use super::credit::RecvWindow;

/// The most that are kept: half a megabyte of them.
pub(super) const MOST: usize = 10_000;

/// The ids count up, so the first is the oldest.
#[derive(Debug, Default)]
pub(super) struct CancelledStreams(BTreeMap<u64, RecvWindow>);

impl CancelledStreams {
    /// A stream was cancelled. Gives the credit to send for messages that nobody will read any
    /// more.
    pub(super) fn begin(&mut self, id: StreamId, mut window: RecvWindow) -> Option<u32> {
        let increment = window.settle_all();
        self.0.insert(id.0, window);
        increment
    }

    /// Forgets the oldest, if there are too many.
    pub(super) fn forget_one(&mut self) -> Option<StreamId> {
        // PROTOCOL 29
        if self.0.len() <= MOST {
            return None;
        }
        self.0.pop_first().map(|(id, _)| StreamId(id))
    }

    /// A message came for a stream that was cancelled, if it is one. Gives the credit to send.
    pub(super) fn receive(&mut self, id: StreamId, bytes: usize) -> Option<u32> {
        let window = self.0.get_mut(&id.0)?;
        window.receive(bytes);
        if window.consume(bytes).is_due { window.settle(window.size()) } else { None }
    }

    /// The server has ended the stream.
    pub(super) fn end(&mut self, id: StreamId) {
        self.0.remove(&id.0);
    }

    pub(super) fn contains(&self, id: StreamId) -> bool {
        self.0.contains_key(&id.0)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
