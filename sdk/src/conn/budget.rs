//! How much may wait in memory: one pool for all peers of a server, what each peer uses of it, and
//! the accounts of a peer's connections.
//!
//! Room that is left is shared out evenly: nobody is given more than what is left, divided by those
//! who are there and a few to come. The shares shrink as room gets short, so that there is some for
//! those who come late, and grow again when others leave (a dynamic threshold, as switches share
//! their buffers). In the same way no peer has more than it leaves to the others: what it has
//! counts twice, on however many connections it has it. So one peer alone gets half of a pool at
//! most, two get three quarters, and there is always some left. The windows of a peer's streams
//! shrink before: once it has more than its fair part of the room, to what it leaves to each of the
//! peers. So however many streams they have, the n-th peer finds an n-th of the pool free.

mod charge;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::config::DEFAULT_WINDOW;

pub(crate) use charge::Charge;

/// How far an account may differ from what it last told the pool. Small traffic stays below it and
/// costs no shared counter.
const STEP: usize = 4 * 1024;

/// Those who are expected beside those who are there, when room is shared out.
const TO_COME: usize = 16;
const TO_COME_BESIDE_GROWN: usize = 4;

/// The settings of an account's limit and of a pool's.
const CONNECTION: &str = "max_unread_per_connection";
const POOL: &str = "max_unread";

/// Bytes that all connections of a server may hold together. It counts and decides nothing.
#[derive(Debug)]
pub(crate) struct Pool {
    limit: usize,
    reserved: AtomicUsize,
    held: AtomicUsize,
    /// Peers with somebody to share with.
    sharers: AtomicUsize,
}

impl Pool {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        let zero = || AtomicUsize::new(0);
        Arc::new(Self { limit, reserved: zero(), held: zero(), sharers: zero() })
    }

    // Counts that publish nothing else need no order.

    /// The reserved bytes that the accounts have reported.
    pub(crate) fn reserved(&self) -> usize {
        self.reserved.load(Ordering::Relaxed)
    }

    /// The held bytes that the accounts have reported.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.reserved())
    }
}

/// The bytes that one peer uses of a pool, on all its connections.
#[derive(Debug)]
pub(crate) struct Usage {
    pool: Arc<Pool>,
    reserved: AtomicUsize,
    held: AtomicUsize,
    sharers: AtomicUsize,
    /// A body is unpacked without room for it.
    overdrawn: AtomicBool,
}

impl Usage {
    pub(super) fn new(pool: Arc<Pool>) -> Arc<Self> {
        let zero = || AtomicUsize::new(0);
        let overdrawn = AtomicBool::new(false);
        Arc::new(Self { pool, reserved: zero(), held: zero(), sharers: zero(), overdrawn })
    }

    fn join(&self) {
        if self.sharers.fetch_add(1, Ordering::Relaxed) == 0 {
            self.pool.sharers.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn leave(&self, sharers: usize) {
        if sharers > 0 && self.sharers.fetch_sub(sharers, Ordering::Relaxed) == sharers {
            self.pool.sharers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The bytes that one sharer may have of the pool, when it has `mine` of it, and the peer
    /// `own`.
    fn share(&self, mine: usize, own: usize, to_come: usize) -> usize {
        let (room, peers) = (self.pool.room(), self.pool.sharers.load(Ordering::Relaxed));
        let sharers = self.sharers.load(Ordering::Relaxed);
        // Half of what is left beyond its own: then it has as much as it leaves.
        let half = share(room.saturating_sub(own) / 2, sharers, to_come);
        // A peer with more than its fair part has no more than it leaves to each of the peers.
        let fair = share(room, peers, TO_COME).saturating_sub(own.saturating_sub(mine));
        let each = room.saturating_sub(own.saturating_mul(peers)) / (peers + 1);
        half.min(fair.max(share(each, sharers, to_come)))
    }
}

/// A limit that is reached, the bytes that use it, and its setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Overrun {
    /// The bytes of all who share the limit, and those of the connection or its peer.
    pub(crate) used: usize,
    pub(crate) own: usize,
    pub(crate) limit: usize,
    pub(crate) setting: &'static str,
}

impl Overrun {
    /// By how much it is above the limit with `more`.
    fn excess(&self, more: usize) -> usize {
        let counted =
            if self.is_of_pool() { self.used + self.own + 2 * more } else { self.own + more };
        counted.saturating_sub(self.limit)
    }

    fn is_of_pool(&self) -> bool {
        self.setting == POOL
    }
}

impl fmt::Display for Overrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, own, limit, setting } = self;
        write!(f, "{used} of {limit} bytes are in use for what is not read yet")?;
        if self.is_of_pool() {
            write!(f, ", {own} of them by this peer, which gets no more than it leaves")?;
        }
        write!(f, " ({setting})")
    }
}

/// One connection's part. Its bytes are given back when it is dropped.
#[derive(Debug)]
pub(super) struct Account {
    limit: usize,
    /// The bytes that are there, or will be if the peers use what they were promised.
    reserved: Count,
    /// The bytes that are there.
    held: Count,
    sharers: usize,
    peer: Option<Arc<Usage>>,
    /// The same as the peer's, for an account without one.
    overdrawn: bool,
}

/// A count, and what the peer's was told of it.
#[derive(Debug, Default)]
struct Count {
    now: usize,
    told: usize,
}

impl Account {
    pub(super) fn new(limit: usize, peer: Option<Arc<Usage>>) -> Self {
        let (reserved, held) = (Count::default(), Count::default());
        Self { limit, reserved, held, sharers: 0, peer, overdrawn: false }
    }

    /// One more, or one less, to share with.
    pub(super) fn join(&mut self) {
        self.sharers += 1;
        if let Some(peer) = &self.peer {
            peer.join();
        }
    }

    pub(super) fn leave(&mut self) {
        self.sharers -= 1;
        if let Some(peer) = &self.peer {
            peer.leave(1);
        }
    }

    /// Somebody who had `before` reserved has `now`. Gives whether peer and pool were told.
    #[inline]
    pub(super) fn reserve(&mut self, before: usize, now: usize) -> bool {
        before != now
            && self.reserved.change(
                before,
                now,
                self.peer.as_ref().map(|peer| [&peer.reserved, &peer.pool.reserved]),
            )
    }

    /// Somebody who held `before` holds `now`.
    #[inline]
    pub(super) fn hold(&mut self, before: usize, now: usize) {
        self.held.change(before, now, self.peer.as_ref().map(|peer| [&peer.held, &peer.pool.held]));
    }

    /// Somebody who kept `before`, and needed no more room than that, keeps `now`.
    #[inline]
    pub(super) fn keep(&mut self, before: usize, now: usize) {
        self.hold(before, now);
        self.reserve(before, now);
    }

    pub(super) fn reserved(&self) -> usize {
        self.reserved.now
    }

    pub(super) fn held(&self) -> usize {
        self.held.now
    }

    /// The bytes that one sharer may have now, if it has `mine`.
    pub(super) fn share(&self, mine: usize) -> usize {
        self.share_beside(mine, TO_COME)
    }

    /// The same for a window that grows. It leaves room for fewer to come, because it shrinks when
    /// they have come, if it is not quiet then.
    pub(super) fn share_of_grown(&self, mine: usize) -> usize {
        self.share_beside(mine, TO_COME_BESIDE_GROWN)
    }

    fn share_beside(&self, mine: usize, to_come: usize) -> usize {
        let room = self.limit.saturating_sub(self.reserved.now);
        let own = share(room, self.sharers, to_come);
        let Some(peer) = &self.peer else { return own };
        own.min(peer.share(mine, self.reserved.of_all(&peer.reserved), to_come))
    }

    /// Checks that the connection and the server can promise `more`.
    pub(super) fn can_reserve(&self, more: usize) -> Result<(), Overrun> {
        self.check(more, &self.reserved, |peer| &peer.reserved, Pool::reserved)
    }

    /// Checks that there is room for somebody who kept `before` to [keep](Self::keep) `now`. There
    /// always is for less.
    pub(super) fn can_keep(&self, before: usize, now: usize) -> Result<(), Overrun> {
        match now.saturating_sub(before) {
            0 => Ok(()),
            more => self.can_hold(more),
        }
    }

    /// Checks that the connection and the server can hold `more`.
    pub(super) fn can_hold(&self, more: usize) -> Result<(), Overrun> {
        self.check(more, &self.held, |peer| &peer.held, Pool::held)
    }

    /// Tells whether the connection and the server hold no more than they may. The connections of a
    /// peer that uses more than it leaves free are read until the pool's use, with the peer's own
    /// counted twice, exceeds the limit by an eighth and one `message`. From then on, connections
    /// that hold more than a window are not read, so that streams that keep to their windows are
    /// not reset for the one message by which each may overdraw. The other connections are read up
    /// to a quarter and one message, because many of them hold much, too.
    pub(super) fn is_within(&self, message: usize) -> bool {
        let peer_is = |peer: &Arc<Usage>| {
            let (held, limit) = (peer.pool.held(), peer.pool.limit);
            let counted = held.saturating_add(self.held.of_all(&peer.held));
            let part = if self.held.now <= DEFAULT_WINDOW as usize { 4 } else { 8 };
            held <= limit && counted <= limit.saturating_add(limit / part + message)
        };
        self.held.now <= self.limit && self.peer.as_ref().is_none_or(peer_is)
    }

    /// Checks that the held bytes, with `more`, are no more than a quarter and one `message` over
    /// the limit.
    pub(super) fn is_sound(&self, more: usize, message: usize) -> Result<(), Overrun> {
        match self.can_hold(more) {
            Err(over) if over.excess(more) > over.limit / 4 + message => Err(over),
            _ => Ok(()),
        }
    }

    fn check(
        &self,
        more: usize,
        own: &Count,
        peers: impl Fn(&Usage) -> &AtomicUsize,
        pools: impl Fn(&Pool) -> usize,
    ) -> Result<(), Overrun> {
        if own.now.saturating_add(more) > self.limit {
            return Err(Overrun {
                used: own.now,
                own: own.now,
                limit: self.limit,
                setting: CONNECTION,
            });
        }
        let Some(peer) = &self.peer else { return Ok(()) };
        let (used, own, limit) = (pools(&peer.pool), own.of_all(peers(peer)), peer.pool.limit);
        if used.saturating_add(own).saturating_add(more) > limit {
            return Err(Overrun { used, own, limit, setting: POOL });
        }
        Ok(())
    }
}

impl Count {
    /// Tells `all` once it differs much, or when nothing is left.
    #[inline]
    fn change(&mut self, before: usize, now: usize, all: Option<[&AtomicUsize; 2]>) -> bool {
        self.now = self.now - before + now;
        let tell = self.now.abs_diff(self.told) >= STEP || (self.now == 0 && self.told > 0);
        if tell {
            self.tell(all);
        }
        tell
    }

    fn tell(&mut self, all: Option<[&AtomicUsize; 2]>) {
        for all in all.into_iter().flatten() {
            if self.now > self.told {
                all.fetch_add(self.now - self.told, Ordering::Relaxed);
            } else {
                all.fetch_sub(self.told - self.now, Ordering::Relaxed);
            }
        }
        self.told = self.now;
    }

    /// The bytes of all who tell `all`, with those that this one has not told.
    fn of_all(&self, all: &AtomicUsize) -> usize {
        (all.load(Ordering::Relaxed) + self.now).saturating_sub(self.told)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.hold(self.held.now, 0);
        self.reserve(self.reserved.now, 0);
        if let Some(peer) = &self.peer {
            peer.leave(self.sharers);
        }
    }
}

fn share(room: usize, sharers: usize, to_come: usize) -> usize {
    room / (sharers + to_come)
}
