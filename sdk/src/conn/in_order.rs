//! Deadlines that come in the order in which they were set, as those of things that all get the same time do.

use std::time::Instant;

/// The deadlines of calls or streams, found by their keys: a list through a table, in which setting and clearing one costs the same however
/// many there are.
#[derive(Debug, Default)]
pub(super) struct InOrder {
    places: Vec<Place>,
    /// The earliest and the latest.
    ends: Option<(u32, u32)>,
}

/// A key's place in the list, if it is in there.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    at: Option<Instant>,
    before: u32,
    after: u32,
}

impl InOrder {
    /// Puts a deadline behind all others. Gives `false` if it belongs in front of one.
    #[inline]
    pub(super) fn push(&mut self, key: usize, at: Instant) -> bool {
        let index = index(key);
        let before = match self.ends {
            None => {
                self.ends = Some((index, index));
                index
            }
            Some((first, last)) => {
                if self.places[last as usize].at.is_some_and(|latest| latest > at) {
                    return false;
                }
                self.places[last as usize].after = index;
                self.ends = Some((first, index));
                last
            }
        };
        if key >= self.places.len() {
            self.places.resize_with(key + 1, Place::default);
        }
        self.places[key] = Place { at: Some(at), before, after: index };
        true
    }

    /// Takes a deadline out. Gives `false` if it is not here.
    #[inline]
    pub(super) fn remove(&mut self, key: usize, at: Instant) -> bool {
        let Some(place) = self.places.get_mut(key).filter(|place| place.at == Some(at)) else { return false };
        place.at = None;
        let Place { before, after, .. } = *place;
        let (first, last) = self.ends.expect("what is in the list makes it one");
        let index = index(key);
        self.ends = match (first == index, last == index) {
            (true, true) => None,
            (true, false) => Some((after, last)),
            (false, true) => Some((first, before)),
            (false, false) => {
                self.places[before as usize].after = after;
                self.places[after as usize].before = before;
                Some((first, last))
            }
        };
        true
    }

    /// The earliest deadline.
    #[inline]
    pub(super) fn next(&self) -> Option<Instant> {
        self.places[self.first()?].at
    }

    /// Whose deadline is the earliest.
    #[inline]
    pub(super) fn first(&self) -> Option<usize> {
        self.ends.map(|(first, _)| first as usize)
    }
}

/// Keys are indices of tables, which never have that many places.
fn index(key: usize) -> u32 {
    u32::try_from(key).expect("a connection has less than 2^32 calls and streams")
}
