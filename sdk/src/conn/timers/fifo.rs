//! Deadlines that come in the order in which they were set, as those of things that all get the
//! same time do.

use std::time::Instant;

use super::super::table::Key;

/// The deadlines of calls or streams, found by their keys: a list through a table, in which setting
/// and clearing one costs the same however many there are.
#[derive(Debug, Default)]
pub(super) struct Fifo {
    nodes: Vec<Node>,
    ends: Option<FirstLast>,
}

/// The places of the earliest and the latest deadline.
#[derive(Clone, Copy, Debug)]
struct FirstLast {
    first: u32,
    last: u32,
}

/// A key's node of the list, if it is in there.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    at: Option<Instant>,
    key: Key,
    before: u32,
    after: u32,
}

impl Fifo {
    /// Puts a deadline behind all others. Gives `false` if it belongs in front of one.
    #[inline]
    pub(super) fn push(&mut self, key: Key, at: Instant) -> bool {
        let index = key.index() as u32;
        let before = match self.ends {
            None => {
                self.ends = Some(FirstLast { first: index, last: index });
                index
            }
            Some(FirstLast { first, last }) => {
                if self.nodes[last as usize].at.is_some_and(|latest| latest > at) {
                    return false;
                }
                self.nodes[last as usize].after = index;
                self.ends = Some(FirstLast { first, last: index });
                last
            }
        };
        if key.index() >= self.nodes.len() {
            self.nodes.resize_with(key.index() + 1, Node::default);
        }
        self.nodes[key.index()] = Node { at: Some(at), key, before, after: index };
        true
    }

    /// Takes a deadline out. Gives `false` if it is not here.
    #[inline]
    pub(super) fn remove(&mut self, key: Key, at: Instant) -> bool {
        let Some(node) = self.nodes.get_mut(key.index()).filter(|node| node.at == Some(at)) else {
            return false;
        };
        node.at = None;
        let Node { before, after, .. } = *node;
        let FirstLast { first, last } = self.ends.expect("what is in the list makes it one");
        let index = key.index() as u32;
        self.ends = match (first == index, last == index) {
            (true, true) => None,
            (true, false) => Some(FirstLast { first: after, last }),
            (false, true) => Some(FirstLast { first, last: before }),
            (false, false) => {
                self.nodes[before as usize].after = after;
                self.nodes[after as usize].before = before;
                self.ends
            }
        };
        true
    }

    /// The earliest deadline.
    #[inline]
    pub(super) fn next(&self) -> Option<Instant> {
        self.nodes[self.ends?.first as usize].at
    }

    /// The key with the earliest deadline.
    #[inline]
    pub(super) fn first(&self) -> Option<Key> {
        self.ends.map(|ends| self.nodes[ends.first as usize].key)
    }
}
