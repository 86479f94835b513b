//! The table that the blocks of one direction fill (RFC 7541, 2.3.2 and 4).
//!
//! Names and values lie behind each other in one buffer, so an entry costs no allocation. The dead
//! bytes at its front are dropped when they are as many as the live ones, so each byte is moved
//! once at most.

use std::collections::VecDeque;

/// How much an entry counts beside its bytes.
pub(super) const ENTRY_COST: usize = 32;

/// Its size, in a connection that says nothing else.
pub(crate) const DEFAULT_TABLE_SIZE: usize = 4096;

/// How much a field counts in a table or a list.
#[inline]
pub(super) fn cost(name: &[u8], value: &[u8]) -> usize {
    name.len() + value.len() + ENTRY_COST
}

/// The last entries that were inserted, as many as fit. `N` is what its user notes of each.
#[derive(Debug)]
pub(super) struct DynamicTable<N> {
    /// The oldest one is at the front.
    entries: VecDeque<Entry<N>>,
    /// The bytes of all entries, behind `dead` ones.
    bytes: Vec<u8>,
    dead: usize,
    /// The sum of the costs.
    size: usize,
    max_size: usize,
    /// How many entries have left it.
    evicted: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry<N> {
    /// Where it lies, counted from the first byte that was ever inserted.
    at: u64,
    name_len: u32,
    value_len: u32,
    note: N,
}

/// An entry as a reader sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Row<'a, N> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) note: N,
}

impl<N: Copy> DynamicTable<N> {
    pub(super) fn new(max_size: usize) -> Self {
        Self { entries: VecDeque::new(), bytes: Vec::new(), dead: 0, size: 0, max_size, evicted: 0 }
    }

    pub(super) fn max_size(&self) -> usize {
        self.max_size
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.size
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The memory of its bytes.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// How many entries were ever inserted: the number of the next one.
    #[inline]
    pub(super) fn inserted(&self) -> u64 {
        self.evicted + self.entries.len() as u64
    }

    /// How many entries have ever left it. Entries below this number are gone.
    #[inline]
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The entry that `age` others are younger than.
    #[inline]
    pub(super) fn get(&self, age: usize) -> Option<Row<'_, N>> {
        let place = self.entries.len().checked_sub(age)?.checked_sub(1)?;
        let entry = self.entries.get(place)?;
        Some(self.row(entry))
    }

    /// The entries, the youngest first.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_, N>> {
        self.entries.iter().rev().map(|entry| self.row(entry))
    }

    #[inline]
    fn row(&self, entry: &Entry<N>) -> Row<'_, N> {
        let oldest = self.entries.front().map_or(0, |oldest| oldest.at);
        let at = self.dead + (entry.at - oldest) as usize;
        let (name, rest) = self.bytes[at..].split_at(entry.name_len as usize);
        Row { name, value: &rest[..entry.value_len as usize], note: entry.note }
    }

    /// Inserts an entry, for which the oldest ones go. One that is larger than the table only
    /// empties it.
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8], note: N) {
        let cost = cost(name, value);
        self.evict_to(self.max_size.saturating_sub(cost));
        if cost > self.max_size {
            return;
        }
        let at = self.entries.back().map_or(0, |last| last.at + last.len() as u64);
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        let (name_len, value_len) = (name.len() as u32, value.len() as u32);
        self.entries.push_back(Entry { at, name_len, value_len, note });
        self.size += cost;
    }

    /// Gives it another size, for which the oldest entries may have to go.
    pub(super) fn set_max_size(&mut self, max_size: usize) {
        self.max_size = max_size;
        self.evict_to(max_size);
    }

    fn evict_to(&mut self, size: usize) {
        while self.size > size
            && let Some(oldest) = self.entries.pop_front()
        {
            self.dead += oldest.len();
            self.size -= oldest.len() + ENTRY_COST;
            self.evicted += 1;
        }
        if self.dead * 2 >= self.bytes.len() {
            self.bytes.drain(..self.dead);
            self.dead = 0;
        }
    }
}

impl<N> Entry<N> {
    #[inline]
    fn len(&self) -> usize {
        (self.name_len + self.value_len) as usize
    }
}
