//! How much may wait in memory: one pool for all connections of a server, and each connection's account with it.
//!
//! Room that is left is shared out evenly: nobody is given more than what is left, divided by those who are there and a few to come. The
//! shares shrink as room gets short, so that there is some for those who come late, and grow again when others leave (a dynamic
//! threshold, as switches share their buffers).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How far an account may differ from what it last told the pool. Small traffic stays below it and costs no shared counter.
const STEP: usize = 4 * 1024;

/// Those who are expected beside those who are there, when room is shared out.
const TO_COME: usize = 16;

/// Bytes that wait in memory: of a connection ([`Channel::buffered`](crate::Channel::buffered)), or of all connections of a server
/// ([`ServerHandle::buffered`](crate::server::ServerHandle::buffered)).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Buffered {
    /// Received, and not yet read by the application; requests count until they are answered, answers until their callers have them.
    pub unread: usize,
    /// The same together with what the windows of open streams promise: what counts for `max_unread` and `max_unread_per_connection`.
    pub reserved: usize,
    /// Written, and not yet in the socket: what counts for `max_unsent` and `max_unsent_per_connection`.
    pub unsent: usize,
}

/// Bytes that all connections of a server may hold together. It counts and decides nothing.
#[derive(Debug)]
pub(crate) struct Pool {
    limit: usize,
    used: AtomicUsize,
    sharers: AtomicUsize,
}

impl Pool {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), sharers: AtomicUsize::new(0) })
    }

    /// What the accounts have reported.
    pub(crate) fn used(&self) -> usize {
        // A count that publishes nothing else needs no order.
        self.used.load(Ordering::Relaxed)
    }

    fn share(&self) -> usize {
        share(self.limit, self.used(), self.sharers.load(Ordering::Relaxed))
    }
}

/// What is over its limit, and which setting that is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Overrun {
    pub(crate) used: usize,
    pub(crate) limit: usize,
    pub(crate) setting: &'static str,
}

impl fmt::Display for Overrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, limit, setting } = self;
        write!(f, "{used} of {limit} bytes are in use for what is not read yet ({setting})")
    }
}

/// One connection's part. What it holds is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Account {
    limit: usize,
    used: usize,
    sharers: usize,
    /// What the pool has been told.
    reported: usize,
    pool: Option<Arc<Pool>>,
}

impl Account {
    pub(super) fn new(limit: usize, pool: Option<Arc<Pool>>) -> Self {
        Self { limit, used: 0, sharers: 0, reported: 0, pool }
    }

    /// One more, or one less, to share with.
    pub(super) fn join(&mut self) {
        self.sharers += 1;
        if let Some(pool) = &self.pool {
            pool.sharers.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn leave(&mut self) {
        self.sharers -= 1;
        if let Some(pool) = &self.pool {
            pool.sharers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Somebody who used `charged` uses `now`.
    #[inline]
    pub(super) fn charge(&mut self, charged: &mut usize, now: usize) {
        if *charged != now {
            self.set(self.used - *charged + now);
            *charged = now;
        }
    }

    /// All of it together is `used`. Gives whether the pool was told.
    #[inline]
    pub(super) fn set(&mut self, used: usize) -> bool {
        self.used = used;
        let told = used.abs_diff(self.reported) >= STEP || (used == 0 && self.reported > 0);
        if told {
            self.report();
        }
        told
    }

    fn report(&mut self) {
        if let Some(pool) = &self.pool {
            if self.used > self.reported {
                pool.used.fetch_add(self.used - self.reported, Ordering::Relaxed);
            } else {
                pool.used.fetch_sub(self.reported - self.used, Ordering::Relaxed);
            }
        }
        self.reported = self.used;
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// What one of those who share may have now.
    pub(super) fn share(&self) -> usize {
        let own = share(self.limit, self.used, self.sharers);
        self.pool.as_ref().map_or(own, |pool| own.min(pool.share()))
    }

    /// Whether `more` would be too much for the connection or the server.
    pub(super) fn check(&self, more: usize) -> Result<(), Overrun> {
        let within = |used: usize, limit, setting| {
            if used.saturating_add(more) <= limit { Ok(()) } else { Err(Overrun { used, limit, setting }) }
        };
        within(self.used, self.limit, "max_unread_per_connection")?;
        self.pool.as_ref().map_or(Ok(()), |pool| within(pool.used(), pool.limit, "max_unread"))
    }

    /// Whether it is a quarter over the limit: what was admitted turned out to be much more than it seemed.
    pub(super) fn check_far(&self) -> Result<(), Overrun> {
        match self.check(0) {
            Err(over) if over.used - over.limit > over.limit / 4 => Err(over),
            _ => Ok(()),
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.used = 0;
        self.report();
        if let Some(pool) = &self.pool {
            pool.sharers.fetch_sub(self.sharers, Ordering::Relaxed);
        }
    }
}

fn share(limit: usize, used: usize, sharers: usize) -> usize {
    limit.saturating_sub(used) / (sharers + TO_COME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_knows_what_its_accounts_use_to_within_a_step_and_nothing_is_left_behind() {
        let pool = Pool::new(1_000_000);
        let mut one = Account::new(500_000, Some(Arc::clone(&pool)));
        let mut two = Account::new(500_000, Some(Arc::clone(&pool)));
        let (mut first, mut second) = (0, 0);
        one.charge(&mut first, STEP - 1);
        assert_eq!((one.used(), pool.used()), (STEP - 1, 0), "small traffic does not touch the pool");
        one.charge(&mut first, STEP + 1);
        two.charge(&mut second, 300_000);
        assert_eq!(pool.used(), STEP + 1 + 300_000);
        two.charge(&mut second, 1);
        two.charge(&mut second, 0);
        assert_eq!(pool.used(), STEP + 1);
        one.join();
        drop(one);
        assert_eq!((pool.used(), pool.sharers.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn shares_shrink_as_room_gets_short_and_there_is_always_some_for_those_who_come_late() {
        let mut account = Account::new(64 << 20, Some(Pool::new(usize::MAX)));
        let mut shares = Vec::new();
        for _ in 0..2_000 {
            let share = account.share().min(65_535);
            shares.push(share);
            account.join();
            account.charge(&mut 0, share);
        }
        assert!(shares[..500].iter().all(|share| *share == 65_535), "nobody is short while half is left");
        assert!(shares.is_sorted_by(|one, next| one >= next));
        assert!(shares[1_999] > 1_024, "{}", shares[1_999]);
        assert!(account.check(0).is_ok());
    }

    #[test]
    fn who_is_over_is_told_by_how_much_and_which_setting_changes_it() {
        let pool = Pool::new(20_000);
        let mut account = Account::new(10_000, Some(Arc::clone(&pool)));
        assert_eq!(account.check(10_000), Ok(()));
        let over = account.check(10_001).unwrap_err();
        assert_eq!((over.limit, over.setting), (10_000, "max_unread_per_connection"));
        account.charge(&mut 0, 10_001);
        assert_eq!(account.check_far(), Ok(()));
        account.charge(&mut 0, 5_000);
        assert!(account.check_far().is_err());
        let other = Account::new(10_000, Some(pool));
        let over = other.check(5_000).unwrap_err();
        assert_eq!((over.used, over.limit, over.setting), (15_001, 20_000, "max_unread"));
    }
}
