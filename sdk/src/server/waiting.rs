//! Connections that were accepted and wait for their turn to be served.

use crate::fair_queue::FairQueue;
use crate::transport::Undriven;

use super::peers::PeerKey;

/// An accepted connection, with the key of its peer.
pub(super) struct Accepted {
    pub(super) connection: Undriven,
    pub(super) key: Option<PeerKey>,
}

/// A queue for each peer, and peers take turns. The system's own queue is one for all peers, so it
/// is emptied as fast as connections come. Connections without a key share one, in the order in
/// which they came.
pub(super) struct WaitingConnections {
    queue: FairQueue<Option<PeerKey>, Accepted>,
    /// The number of the next one.
    next: u64,
    limit: usize,
}

impl WaitingConnections {
    /// At most `limit` connections wait.
    pub(super) fn new(limit: usize) -> Self {
        Self { queue: FairQueue::default(), next: 0, limit: limit.max(1) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.len() == 0
    }

    /// One more waits. If those are too many, gives the one that came last of the peer with most.
    pub(super) fn push(&mut self, accepted: Accepted) -> Option<Accepted> {
        self.queue.push(accepted.key.clone(), self.next, accepted);
        self.next += 1;
        if self.queue.len() > self.limit { self.queue.pop_last_of_most() } else { None }
    }

    /// The next one, of the peer whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Accepted> {
        self.queue.pop()
    }
}

#[cfg(test)]
mod tests {
    use crate::transport::{PeerAddr, memory_pair};

    use super::*;

    fn of(peer: &str) -> Accepted {
        let key = Some(PeerKey::Named(peer.to_owned()));
        Accepted { connection: Undriven::of(memory_pair().0, PeerAddr::memory()), key }
    }

    fn name(accepted: Option<Accepted>) -> String {
        match accepted.expect("there is one").key {
            Some(PeerKey::Named(name)) => name,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn peers_take_turns_and_the_one_with_most_loses_some() {
        let mut waiting = WaitingConnections::new(4);
        for _ in 0..4 {
            assert!(waiting.push(of("many")).is_none());
        }
        assert_eq!(name(waiting.push(of("one"))), "many");
        assert_eq!(name(waiting.push(of("two"))), "many");
        let order: Vec<_> = (0..4).map(|_| name(waiting.pop())).collect();
        assert_eq!(order, ["many", "one", "two", "many"]);
        assert!(waiting.pop().is_none() && waiting.is_empty());
        assert_eq!(waiting.queue.owners(), (0, 0));

        let mut waiting = WaitingConnections::new(1);
        assert!(waiting.push(of("one")).is_none());
        assert!(waiting.push(of("two")).is_some());
        assert_eq!(waiting.queue.owners(), (1, 1), "a peer without a queue has no turn");
        assert!(waiting.pop().is_some() && waiting.is_empty());
    }
}
