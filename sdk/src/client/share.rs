//! How much of its share of the calls a connection gets whose server refuses.
//!
//! A refusal is quick, so without this a server that refuses would get as many calls as ever, and
//! with [`Balance::LeastLoaded`](super::Balance::LeastLoaded) nearly all of them. Each refusal
//! leaves a connection a quarter of its share, and each call that is served gives some of it back.
//! A server that then refuses all gets one call in 256 of its share as a probe; one that refuses
//! some of them gets about as many as it can take, because a third of a per cent of calls that are
//! refused balance those that are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::clock::now;
use crate::sync::Mutex;

/// The whole share.
const WHOLE: u32 = 4096;

/// The least: one call in 256.
const LEAST: u32 = WHOLE / 256;

/// The share that a served call gives back: with this and a quarter for each refusal, about one
/// call in 400 of a channel is refused by a server that takes some.
const SERVED: u32 = WHOLE / 512;

/// A connection that has got no call for so long is tried again, also on a channel with few calls.
const PROBE_EVERY: Duration = Duration::from_secs(30);

/// The share of one connection. It lives as long as the connection.
#[derive(Debug)]
pub(super) struct Share {
    of_whole: AtomicU32,
    /// The share that it is owed: it gets a call for each whole.
    owed: AtomicU32,
    /// When it got its last call, while it has not its whole share.
    tried: Mutex<Option<Instant>>,
    /// One of the channel's connections has less than the whole: else calls need not look.
    uneven: Arc<AtomicBool>,
}

impl Share {
    pub(super) fn new(uneven: &Arc<AtomicBool>) -> Self {
        Self {
            of_whole: AtomicU32::new(WHOLE),
            owed: AtomicU32::new(0),
            tried: Mutex::default(),
            uneven: Arc::clone(uneven),
        }
    }

    pub(super) fn get(&self) -> u32 {
        self.of_whole.load(Ordering::Relaxed)
    }

    pub(super) fn is_whole(&self) -> bool {
        self.get() == WHOLE
    }

    /// Tells whether the connection takes a call when it is its turn.
    pub(super) fn takes(&self) -> bool {
        let share = self.get();
        if share == WHOLE {
            return true;
        }
        let is_due = self.owed.fetch_add(share, Ordering::Relaxed).saturating_add(share) >= WHOLE;
        let now = now();
        let mut tried = self.tried.lock();
        let takes =
            is_due || tried.is_none_or(|tried| now.saturating_duration_since(tried) >= PROBE_EVERY);
        if takes {
            self.owed.store(0, Ordering::Relaxed);
            *tried = Some(now);
        }
        takes
    }

    /// Its server has refused a call.
    #[cold]
    pub(super) fn handle_refused(&self) {
        self.change(|share| (share / 4).max(LEAST));
        self.owed.store(0, Ordering::Relaxed);
        *self.tried.lock() = Some(now());
        self.uneven.store(true, Ordering::Relaxed);
    }

    /// Its server has served a call.
    #[inline]
    pub(super) fn handle_served(&self) {
        if !self.is_whole() {
            self.change(|share| (share + SERVED).min(WHOLE));
        }
    }

    fn change(&self, change: impl Fn(u32) -> u32) {
        let changed = |share| Some(change(share));
        let _ = self.of_whole.fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
    }
}
