//! A RESET that may have overtaken the real end of its stream.
//!
//! The real end follows, with the status, so the RESET is remembered only. When no end follows it
//! is one: a handler may have said these very words.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::framing::Outcome;

use super::Connection;
use super::event::{Ending, StreamKey};
use super::timers::Timer;

/// How long the real end may take to come. It is in the server's hands already, behind a window of
/// messages at most.
const WAIT: Duration = Duration::from_secs(1);

/// Streams that wait for their real end: when they wait no more, and how they end then.
pub(super) type Overtaken = BTreeMap<StreamKey, (Instant, Arc<Outcome>)>;

impl Connection {
    /// The RESET came for a stream that was accepted.
    pub(super) fn remember_reset(&mut self, key: StreamKey, said: &Outcome, now: Instant) {
        if !self.overtaken.contains_key(&key) {
            self.wait_for_close(key, Arc::new(said.without_metadata()), now);
        }
    }

    fn wait_for_close(&mut self, key: StreamKey, outcome: Arc<Outcome>, now: Instant) {
        if let Some(at) = now.checked_add(WAIT) {
            self.overtaken.insert(key, (at, outcome));
            self.timers.set(at, Timer::Overtaken(key));
        }
    }

    /// The end has not come.
    pub(super) fn believe_reset(&mut self, key: StreamKey, now: Instant) {
        // PROTOCOL 27
        let Some((_, outcome)) = self.overtaken.remove(&key) else { return };
        // It may be among the bytes that are not wanted now.
        if self.may_want_input() {
            self.end_stream(key, Ending::Reset(outcome));
        } else {
            self.wait_for_close(key, outcome, now);
        }
    }

    /// The stream is over.
    pub(super) fn forget_reset(&mut self, key: StreamKey) {
        if !self.overtaken.is_empty()
            && let Some((at, _)) = self.overtaken.remove(&key)
        {
            self.timers.clear(Some(at), Timer::Overtaken(key));
        }
    }
}
