//! Tables whose keys are never given out twice.

use slab::Slab;

/// The key of an entry. Its place in the table is given to another entry when this one is gone, its
/// generation is not, so a timer or an event that outlives its entry hits no stranger. Generations
/// come again after 2^32 entries of a table.
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
    entries: Slab<T>,
    /// Of the next entry.
    generation: u32,
}

/// An entry has its generation in itself, where a look at it costs one comparison. Entries are
/// large: beside them it would take a copy of each.
pub(super) trait Generation {
    fn generation(&self) -> u32;

    fn set_generation(&mut self, generation: u32);
}

impl<T: Generation> Table<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Slab::new(), generation: 0 }
    }

    /// # Panics
    ///
    /// When there are 2^32 entries.
    #[inline(always)]
    pub(super) fn insert(&mut self, mut value: T) -> Key {
        let generation = self.generation;
        self.generation = generation.wrapping_add(1);
        value.set_generation(generation);
        let place = self.entries.insert(value);
        let index =
            u32::try_from(place).expect("a connection has less than 2^32 calls and streams");
        Key { index, generation }
    }

    /// Tells whether the entry is there.
    #[inline]
    pub(super) fn contains(&self, key: Key) -> bool {
        self.entries.get(key.index()).is_some_and(|value| value.generation() == key.generation)
    }

    /// # Panics
    ///
    /// When the entry is gone, here as in the next two.
    #[inline]
    pub(super) fn get(&self, key: Key) -> &T {
        match self.entries.get(key.index()) {
            Some(value) if value.generation() == key.generation => value,
            _ => gone(),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: Key) -> &mut T {
        match self.entries.get_mut(key.index()) {
            Some(value) if value.generation() == key.generation => value,
            _ => gone(),
        }
    }

    pub(super) fn remove(&mut self, key: Key) -> T {
        if !self.contains(key) {
            gone();
        }
        self.entries.remove(key.index())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.entries.iter().map(|(place, value)| (key(place, value.generation()), value))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut T)> {
        self.entries.iter_mut().map(|(place, value)| (key(place, value.generation()), value))
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
            let more = more(self.entries.len());
            self.entries.reserve_exact(more);
        }
    }
}

/// The key of the entry in this place, which was given out with it and so is small enough.
const fn key(place: usize, generation: u32) -> Key {
    Key { index: place as u32, generation }
}

#[cold]
fn gone() -> ! {
    panic!("the key is of an entry that is gone")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Letter(char, u32);

    impl Generation for Letter {
        fn generation(&self) -> u32 {
            self.1
        }

        fn set_generation(&mut self, generation: u32) {
            self.1 = generation;
        }
    }

    #[test]
    fn a_place_is_used_again_and_its_key_is_not() {
        let mut table = Table::new();
        let first = table.insert(Letter('a', 0));
        assert_eq!(table.remove(first).0, 'a');
        let second = table.insert(Letter('b', 0));
        assert_eq!(first.index(), second.index());
        assert!(!table.contains(first) && table.contains(second));
        let all: Vec<_> = table.iter().map(|(key, letter)| (key, letter.0)).collect();
        assert_eq!(all, [(second, 'b')]);
    }

    #[test]
    #[should_panic(expected = "an entry that is gone")]
    fn a_key_whose_entry_is_gone_finds_nothing() {
        let mut table = Table::new();
        let first = table.insert(Letter('a', 0));
        table.remove(first);
        table.insert(Letter('b', 0));
        table.get_mut(first);
    }
}
