//! Which connections a server has, and which it can take.

use std::collections::VecDeque;

use slab::Slab;

use crate::transport::Link;

/// How many connections a server takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// In all.
    pub(super) connections: usize,
    /// That have not sent a whole frame.
    pub(super) new: usize,
    /// That are accepted within a second.
    pub(super) accepts_per_second: Option<u32>,
}

impl Default for Room {
    fn default() -> Self {
        Self { connections: 100_000, new: 1_024, accepts_per_second: Some(10_000) }
    }
}

/// The open connections. One that has sent a whole frame is as good as any other; of those that have not, only so many may be there,
/// and the oldest makes room.
pub(super) struct Places {
    room: Room,
    taken: Slab<Taken>,
    /// The places of those that had not sent a frame when this was looked at last, oldest first.
    new: VecDeque<Place>,
    count: u64,
}

struct Taken {
    number: u64,
    link: Link,
}

/// A connection's place: numbers are never used twice.
#[derive(Clone, Copy)]
pub(super) struct Place {
    index: usize,
    number: u64,
}

impl Places {
    pub(super) fn new(room: Room) -> Self {
        Self { room, taken: Slab::new(), new: VecDeque::new(), count: 0 }
    }

    /// Takes a place, if there is one, and gives the connection that must be closed for it, if one must.
    pub(super) fn take(&mut self, link: Link) -> Option<(Place, Option<Link>)> {
        if self.taken.len() >= self.room.connections {
            return None;
        }
        self.count += 1;
        let number = self.count;
        let place = Place { index: self.taken.insert(Taken { number, link }), number };
        self.new.push_back(place);
        Some((place, self.make_room()))
    }

    pub(super) fn leave(&mut self, place: Place) -> Link {
        self.taken.remove(place.index).link
    }

    pub(super) fn links(&self) -> Vec<Link> {
        self.taken.iter().map(|(_, taken)| taken.link.clone()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    fn make_room(&mut self) -> Option<Link> {
        if self.new.len() <= self.room.new {
            return None;
        }
        let taken = &self.taken;
        self.new.retain(|place| {
            taken.get(place.index).is_some_and(|it| it.number == place.number && !it.link.is_greeted())
        });
        if self.new.len() <= self.room.new {
            return None;
        }
        let oldest = self.new.pop_front()?;
        self.taken.get(oldest.index).map(|taken| taken.link.clone())
    }
}
