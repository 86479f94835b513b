//! The memory and permits of a server that the connections of one peer have together.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::budget::{Pool, Usage};
use super::refusals::Refusals;

/// The pools and counts that all connections of a server share.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    pub(crate) unread: Arc<Pool>,
    pub(crate) unsent: Arc<Pool>,
    pub(crate) permits: Arc<PermitPool>,
    pub(crate) refusals: Arc<Refusals>,
}

impl Pools {
    /// A server with room for so many bytes that are unread and unsent, and for so many calls and
    /// streams.
    pub(crate) fn new(unread: usize, unsent: usize, calls: usize) -> Self {
        let permits = PermitPool { limit: calls, taken: AtomicUsize::new(0) };
        Self {
            unread: Pool::new(unread),
            unsent: Pool::new(unsent),
            permits: Arc::new(permits),
            refusals: Arc::default(),
        }
    }

    /// A peer that has nothing yet.
    pub(crate) fn peer(&self) -> Arc<Peer> {
        Arc::new(Peer {
            permits: AtomicUsize::new(0),
            unread: Usage::new(Arc::clone(&self.unread)),
            unsent: Usage::new(Arc::clone(&self.unsent)),
            server: self.clone(),
        })
    }
}

/// The permits for the calls and streams that a server works on at once.
#[derive(Debug)]
pub(crate) struct PermitPool {
    limit: usize,
    taken: AtomicUsize,
}

#[cfg(test)]
impl PermitPool {
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// One peer of a server. Its connections hold it, and a connection exists until the last of its
/// calls is over.
#[derive(Debug)]
pub(crate) struct Peer {
    permits: AtomicUsize,
    pub(super) unread: Arc<Usage>,
    pub(super) unsent: Arc<Usage>,
    pub(super) server: Pools,
}

impl Peer {
    /// Takes a permit for a call. A peer gets no more permits than it leaves to the others, so its
    /// own count twice.
    fn take_permit(&self) -> Result<(), Crowded> {
        let permits = &*self.server.permits;
        // They are taken before they are looked at, so that there are never too many.
        let own = self.permits.fetch_add(1, Ordering::Relaxed);
        let used = permits.taken.fetch_add(1, Ordering::Relaxed);
        if used.saturating_add(own) < permits.limit {
            return Ok(());
        }
        self.give_back(1);
        Err(Crowded { used, own, limit: permits.limit })
    }

    fn give_back(&self, count: usize) {
        self.permits.fetch_sub(count, Ordering::Relaxed);
        self.server.permits.taken.fetch_sub(count, Ordering::Relaxed);
    }
}

/// The server works on as much as it may, or as it may for this peer.
#[derive(Debug)]
pub(super) struct Crowded {
    used: usize,
    own: usize,
    limit: usize,
}

impl fmt::Display for Crowded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, own, limit } = self;
        write!(
            f,
            "the server works on {used} calls and streams, {own} of them of this peer, and takes at most {limit} (max_calls), of \
             which no peer gets more than it leaves: try another one, or later"
        )
    }
}

/// The permits of the calls and streams of one connection. They are given back when it is dropped.
#[derive(Debug)]
pub(super) struct Permits {
    peer: Option<Arc<Peer>>,
    taken: usize,
}

impl Permits {
    pub(super) fn new(peer: Option<Arc<Peer>>) -> Self {
        Self { peer, taken: 0 }
    }

    pub(super) fn take(&mut self) -> Result<(), Crowded> {
        let Some(peer) = &self.peer else { return Ok(()) };
        peer.take_permit()?;
        self.taken += 1;
        Ok(())
    }

    pub(super) fn give_back(&mut self) {
        if let Some(peer) = &self.peer {
            self.taken -= 1;
            peer.give_back(1);
        }
    }
}

impl Drop for Permits {
    fn drop(&mut self) {
        if let Some(peer) = &self.peer {
            peer.give_back(self.taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_peer_gets_half_of_the_permits_on_however_many_connections() {
        let pools = Pools::new(1, 1, 100);
        let (greedy, modest) = (pools.peer(), pools.peer());
        let mut connections: Vec<_> =
            (0..10).map(|_| Permits::new(Some(Arc::clone(&greedy)))).collect();
        let mut taken = 0;
        for round in 0..200 {
            taken += usize::from(connections[round % 10].take().is_ok());
        }
        assert_eq!(taken, 50);
        let mut other = Permits::new(Some(Arc::clone(&modest)));
        assert_eq!((0..200).filter(|_| other.take().is_ok()).count(), 25, "half of what is left");
        let error = other.take().unwrap_err().to_string();
        assert!(
            error.contains(
                "works on 75 calls and streams, 25 of them of this peer, and takes at most 100"
            ),
            "{error}"
        );
        drop(other);
        connections[0].give_back();
        assert!(connections[1].take().is_ok() && connections[1].take().is_err());
        drop(connections);
        assert_eq!(pools.permits.taken(), 0);
        assert_eq!(
            greedy.permits.load(Ordering::Relaxed) + modest.permits.load(Ordering::Relaxed),
            0
        );
    }

    #[test]
    fn the_only_permit_can_be_taken() {
        let mut permits = Permits::new(Some(Pools::new(1, 1, 1).peer()));
        assert!(permits.take().is_ok() && permits.take().is_err());
    }
}
