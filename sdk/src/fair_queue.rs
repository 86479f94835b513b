//! A queue of several owners, who take turns: however much one of them has in it, the first item of
//! another does not wait for all of that.

use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;

use hashbrown::HashMap;

/// Items by owner. The owners take turns, and of each the item with the smallest number goes first.
pub(crate) struct FairQueue<K, T> {
    /// None of them is empty.
    queues: HashMap<K, BTreeMap<u64, T>>,
    /// Each owner that has items, once.
    turns: VecDeque<K>,
    len: usize,
}

impl<K, T> Default for FairQueue<K, T> {
    fn default() -> Self {
        Self { queues: HashMap::new(), turns: VecDeque::new(), len: 0 }
    }
}

impl<K: Clone + Eq + Hash, T> FairQueue<K, T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds an item, with a number that its owner has not given to another one.
    pub(crate) fn push(&mut self, owner: K, number: u64, item: T) {
        let items = self.queues.entry(owner.clone()).or_default();
        if items.is_empty() {
            self.turns.push_back(owner);
        }
        items.insert(number, item);
        self.len += 1;
    }

    /// The next item, of the owner whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let owner = self.turns.pop_front()?;
        let items = self.queues.get_mut(&owner)?;
        let (_, item) = items.pop_first()?;
        if items.is_empty() {
            self.queues.remove(&owner);
        } else {
            self.turns.push_back(owner);
        }
        self.len -= 1;
        Some(item)
    }

    /// The last item of the owner that has most.
    pub(crate) fn pop_last_of_most(&mut self) -> Option<T> {
        let (owner, _) = self.queues.iter().max_by_key(|(_, items)| items.len())?;
        let owner = owner.clone();
        self.take(&owner, |items| items.pop_last().map(|(_, item)| item))
    }

    pub(crate) fn remove(&mut self, owner: &K, number: u64) -> Option<T> {
        self.take(owner, |items| items.remove(&number))
    }

    fn take(
        &mut self,
        owner: &K,
        from: impl FnOnce(&mut BTreeMap<u64, T>) -> Option<T>,
    ) -> Option<T> {
        let items = self.queues.get_mut(owner)?;
        let item = from(items)?;
        if items.is_empty() {
            self.queues.remove(owner);
            self.turns.retain(|turn| turn != owner);
        }
        self.len -= 1;
        Some(item)
    }

    /// How many owners have items, and how many have a turn.
    #[cfg(test)]
    pub(crate) fn owners(&self) -> (usize, usize) {
        (self.queues.len(), self.turns.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_have_turns_and_their_smallest_numbers_go_first() {
        let mut queue = FairQueue::default();
        let owners = [1, 1, 1, 1, 2, 2, 3];
        for at in [3, 1, 0, 2, 5, 4, 6] {
            queue.push(owners[at], at as u64, at);
        }
        assert_eq!((queue.remove(&3, 6), queue.remove(&3, 6)), (Some(6), None));
        assert_eq!((queue.pop(), queue.pop()), (Some(0), Some(4)));
        // One that comes again goes before those that came later.
        queue.push(1, 0, 0);
        let rest: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(rest, [0, 5, 1, 2, 3]);
        assert!(queue.len == 0 && queue.queues.is_empty() && queue.turns.is_empty());
    }
}
