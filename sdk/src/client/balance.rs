//! Which connection a call takes.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::transport::Link;

/// Which of a channel's connections a call or stream takes. Only those that are there count: one that is lost or being made is passed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one with the fewest calls and streams of this channel. It looks at each connection for each call, so it is for pools of a few
    /// dozen at most.
    LeastLoaded,
}

/// The connections that calls can take, as they were at a moment.
#[derive(Debug)]
pub(super) struct Ready {
    links: Box<[Link]>,
    /// Some connections rest, and are to be made when there is a call.
    pub(super) resting: bool,
    balance: Balance,
    next: AtomicUsize,
}

impl Ready {
    pub(super) fn new(links: Vec<Link>, resting: bool, balance: Balance) -> Self {
        Self { links: links.into(), resting, balance, next: AtomicUsize::new(0) }
    }

    /// Goes on with the turns where `old` was.
    pub(super) fn after(self, old: &Self) -> Self {
        self.next.store(old.next.load(Ordering::Relaxed), Ordering::Relaxed);
        self
    }

    /// A connection that is not over.
    #[inline]
    pub(super) fn pick(&self) -> Option<&Link> {
        if let [link] = &*self.links {
            return (!link.is_over()).then_some(link);
        }
        let alive = |index: usize| !self.links[index].is_over();
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let index = match self.balance {
            Balance::RoundRobin => in_turn(next, self.links.len()).find(|index| alive(*index)),
            Balance::LeastLoaded => in_turn(next, self.links.len())
                .filter(|index| alive(*index))
                .min_by_key(|index| self.links[*index].load()),
        };
        index.map(|index| &self.links[index])
    }

    pub(super) fn links(&self) -> &[Link] {
        &self.links
    }
}

/// All indices, beginning with that of `turn`, so that connections with the same load take turns as well.
fn in_turn(turn: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |offset| turn.wrapping_add(offset) % count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{Connection, Driver, Ends, Head, Limits, PeerAddr, memory_pair};

    /// Links, and what keeps them from being lost.
    fn links(count: usize) -> (Vec<Link>, Vec<(Driver, Ends)>) {
        let link = |_| {
            let (near, far) = memory_pair();
            let (link, driver) =
                Driver::client(Connection::client(Limits::default()), near, PeerAddr::memory());
            (link, (driver, far))
        };
        (0..count).map(link).unzip()
    }

    fn index(ready: &Ready, links: &[Link]) -> Option<usize> {
        let picked = ready.pick()?;
        links.iter().position(|link| link.is_same(picked))
    }

    #[test]
    fn round_robin_takes_turns_and_passes_over_the_lost() {
        let (links, mut drivers) = links(3);
        let ready = Ready::new(links.clone(), false, Balance::RoundRobin);
        let turns: Vec<_> = (0..6).map(|_| index(&ready, &links).unwrap()).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
        drop(drivers.remove(1));
        let turns: Vec<_> = (0..6).map(|_| index(&ready, &links).unwrap()).collect();
        assert_eq!(turns.iter().filter(|turn| **turn == 1).count(), 0, "{turns:?}");
        drop(drivers);
        assert_eq!(index(&ready, &links), None);
    }

    #[test]
    fn the_least_loaded_is_taken_and_those_alike_take_turns() {
        let (links, _drivers) = links(3);
        let ready = Ready::new(links.clone(), false, Balance::LeastLoaded);
        let mut opened = [0; 3];
        for _ in 0..9 {
            let picked = index(&ready, &links).unwrap();
            opened[picked] += 1;
            links[picked].open(&mut Some(Head::default()), None).unwrap();
        }
        assert_eq!(opened, [3, 3, 3]);
        links[0].open(&mut Some(Head::default()), None).unwrap();
        links[2].open(&mut Some(Head::default()), None).unwrap();
        for _ in 0..3 {
            assert_eq!(index(&ready, &links), Some(1));
        }
    }

    #[test]
    fn a_turn_that_wraps_is_a_turn() {
        assert_eq!(in_turn(usize::MAX, 3).count(), 3);
        let mut all: Vec<_> = in_turn(7, 3).collect();
        assert_eq!(all, [1, 2, 0]);
        all.clear();
        assert_eq!(in_turn(7, 0).collect::<Vec<_>>(), all);
    }
}
