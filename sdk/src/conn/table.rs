//! Tables whose keys are never given out twice.

use slab::Slab;

/// The key of an entry. Its place in the table is given to another entry when this one is gone, its
/// generation is not, so a timer or an event that outlives its entry hits no stranger.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Default)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// The place in the table, for tables beside it.
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.index as usize
    }

    /// The key of a table beside this one, which has no entries of its own.
    #[cfg(test)]
    pub(crate) fn of(index: u32) -> Self {
        Self { index, generation: 0 }
    }
}

#[derive(Debug)]
pub(super) struct Table<T> {
    entries: Slab<Entry<T>>,
    generation: u32,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    value: T,
}

impl<T> Table<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Slab::new(), generation: 0 }
    }

    /// # Panics
    ///
    /// When there are 2^32 entries.
    pub(super) fn insert(&mut self, value: T) -> Key {
        let generation = self.generation;
        self.generation = generation.wrapping_add(1);
        let index = self.entries.insert(Entry { generation, value });
        let index =
            u32::try_from(index).expect("a connection has less than 2^32 calls and streams");
        Key { index, generation }
    }

    /// Tells whether the entry is there.
    pub(super) fn contains(&self, key: Key) -> bool {
        self.entries.get(key.index()).is_some_and(|entry| entry.generation == key.generation)
    }

    /// # Panics
    ///
    /// When the entry is gone, here as in the next two.
    #[inline]
    pub(super) fn get(&self, key: Key) -> &T {
        let entry = &self.entries[key.index()];
        assert!(entry.generation == key.generation, "the key is of an entry that is gone");
        &entry.value
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: Key) -> &mut T {
        let entry = &mut self.entries[key.index()];
        assert!(entry.generation == key.generation, "the key is of an entry that is gone");
        &mut entry.value
    }

    pub(super) fn remove(&mut self, key: Key) -> T {
        assert!(self.contains(key), "the key is of an entry that is gone");
        self.entries.remove(key.index()).value
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.entries.iter().map(|(index, entry)| (entry.key(index), &entry.value))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut T)> {
        self.entries.iter_mut().map(|(index, entry)| (entry.key(index), &mut entry.value))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Makes room for so many more when there is none.
    pub(super) fn grow(&mut self, more: impl FnOnce(usize) -> usize) {
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(more(self.entries.len()));
        }
    }
}

impl<T> Entry<T> {
    fn key(&self, index: usize) -> Key {
        // It was given out with this index, which was small enough.
        Key { index: index as u32, generation: self.generation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_used_again_and_its_key_is_not() {
        let mut table = Table::new();
        let first = table.insert('a');
        assert_eq!(table.remove(first), 'a');
        let second = table.insert('b');
        assert_eq!(first.index(), second.index());
        assert!(!table.contains(first) && table.contains(second));
        assert_eq!(table.iter().collect::<Vec<_>>(), [(second, &'b')]);
    }

    #[test]
    #[should_panic(expected = "an entry that is gone")]
    fn a_key_whose_entry_is_gone_finds_nothing() {
        let mut table = Table::new();
        let first = table.insert(1);
        table.remove(first);
        table.insert(2);
        table.get_mut(first);
    }
}
