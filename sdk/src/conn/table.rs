//! Tables whose keys are never given out twice.

use slab::Slab;

/// The key of an entry. Its place in the table is given to another entry when this one is gone, its
/// generation is not, so a timer or an event that outlives its entry hits no stranger.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Default)]
pub(crate) struct Key {
    index: u32,
    generation: u16,
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
    /// Of the entry in each place. It comes again after 65,536 entries there. Beside the entries,
    /// where it takes no more than its two bytes.
    generations: Vec<u16>,
}

impl<T> Table<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Slab::new(), generations: Vec::new() }
    }

    /// # Panics
    ///
    /// When there are 2^32 entries.
    pub(super) fn insert(&mut self, value: T) -> Key {
        let place = self.entries.insert(value);
        let generation = match self.generations.get_mut(place) {
            Some(generation) => {
                *generation = generation.wrapping_add(1);
                *generation
            }
            None => {
                self.generations.push(0);
                0
            }
        };
        let index =
            u32::try_from(place).expect("a connection has less than 2^32 calls and streams");
        Key { index, generation }
    }

    /// Tells whether the entry is there.
    #[inline]
    pub(super) fn contains(&self, key: Key) -> bool {
        self.generations.get(key.index()) == Some(&key.generation)
            && self.entries.contains(key.index())
    }

    /// # Panics
    ///
    /// When the entry is gone, here as in the next two.
    #[inline]
    pub(super) fn get(&self, key: Key) -> &T {
        self.check(key);
        &self.entries[key.index()]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: Key) -> &mut T {
        self.check(key);
        &mut self.entries[key.index()]
    }

    pub(super) fn remove(&mut self, key: Key) -> T {
        self.check(key);
        self.entries.remove(key.index())
    }

    #[inline]
    fn check(&self, key: Key) {
        let generation = self.generations[key.index()];
        assert!(generation == key.generation, "the key is of an entry that is gone");
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.entries.iter().map(|(place, value)| (key(&self.generations, place), value))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut T)> {
        let generations = &self.generations;
        self.entries.iter_mut().map(|(place, value)| (key(generations, place), value))
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
            self.generations.reserve_exact(more);
        }
    }
}

/// The key of the entry in this place, which was given out with it and so is small enough.
fn key(generations: &[u16], place: usize) -> Key {
    Key { index: place as u32, generation: generations[place] }
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
