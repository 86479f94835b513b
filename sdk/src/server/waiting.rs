//! Connections that were accepted and wait for their turn to be served.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::transport::{Ends, PeerAddr};

use super::peers::Key;

/// An accepted connection, with the key of its peer.
pub(super) struct Accepted {
    pub(super) ends: Ends,
    pub(super) peer: PeerAddr,
    pub(super) key: Option<Key>,
}

/// A queue for each peer, and peers take turns: however many connections of others wait, the first of
/// a peer that comes does not wait for all of them. The system's own queue is one for all peers, so
/// it is emptied as fast as connections come.
pub(super) struct Waiting {
    /// None of them is empty. Connections without a key share one, in the order in which they came.
    queues: HashMap<Option<Key>, VecDeque<Accepted>>,
    /// Each peer that has a queue, once.
    turns: VecDeque<Option<Key>>,
    count: usize,
    limit: usize,
}

impl Waiting {
    /// At most `limit` connections wait.
    pub(super) fn new(limit: usize) -> Self {
        Self { queues: HashMap::new(), turns: VecDeque::new(), count: 0, limit: limit.max(1) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// One more waits. If those are too many, gives the one that came last of the peer with most.
    pub(super) fn push(&mut self, accepted: Accepted) -> Option<Accepted> {
        let key = accepted.key.clone();
        if !self.queues.contains_key(&key) {
            self.turns.push_back(key.clone());
        }
        self.queues.entry(key).or_default().push_back(accepted);
        self.count += 1;
        if self.count > self.limit { self.shorten() } else { None }
    }

    /// The next one, of the peer whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Accepted> {
        let key = self.turns.pop_front()?;
        let queue = self.queues.get_mut(&key)?;
        let accepted = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&key);
        } else {
            self.turns.push_back(key);
        }
        self.count -= 1;
        accepted
    }

    fn shorten(&mut self) -> Option<Accepted> {
        let (key, queue) = self.queues.iter_mut().max_by_key(|(_, queue)| queue.len())?;
        let dropped = queue.pop_back();
        if queue.is_empty() {
            let key = key.clone();
            self.queues.remove(&key);
            self.turns.retain(|turn| *turn != key);
        }
        self.count -= 1;
        dropped
    }
}

#[cfg(test)]
mod tests {
    use crate::transport::memory_pair;

    use super::*;

    fn of(peer: &str) -> Accepted {
        let key = Some(Key::Named(peer.to_owned()));
        Accepted { ends: memory_pair().0, peer: PeerAddr::memory(), key }
    }

    fn name(accepted: Option<Accepted>) -> String {
        match accepted.expect("there is one").key {
            Some(Key::Named(name)) => name,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn peers_take_turns_and_the_one_with_most_loses_some() {
        let mut waiting = Waiting::new(4);
        for _ in 0..4 {
            assert!(waiting.push(of("many")).is_none());
        }
        assert_eq!(name(waiting.push(of("one"))), "many");
        assert_eq!(name(waiting.push(of("two"))), "many");
        let order: Vec<_> = (0..4).map(|_| name(waiting.pop())).collect();
        assert_eq!(order, ["many", "one", "two", "many"]);
        assert!(waiting.pop().is_none() && waiting.is_empty());
        assert!(waiting.queues.is_empty() && waiting.turns.is_empty());

        let mut waiting = Waiting::new(1);
        assert!(waiting.push(of("one")).is_none());
        assert!(waiting.push(of("two")).is_some());
        assert_eq!((waiting.turns.len(), waiting.queues.len()), (1, 1), "a peer without a queue has no turn");
        assert!(waiting.pop().is_some() && waiting.is_empty());
    }
}
