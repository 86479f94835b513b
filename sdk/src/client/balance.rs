//! Which connection a call takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::driver::Link;

use super::share::Share;

/// Which of a channel's connections a call or stream takes. Only those that are there count: one
/// that is lost, is being made, or was told that its server shuts down is passed over.
///
/// One whose server refuses calls, because it is overloaded, fails, or cannot reach those that it
/// calls, gets fewer of them: a quarter for each refusal, down to one call in 256 of its share or
/// one in 30 seconds, with which it is found out whether it serves again. Each call that it serves
/// then gives it some of its share back. When all refuse, calls go to those that refuse least.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one with the fewest calls and streams of this channel. It looks at each connection for
    /// each call, so it is for pools of a few dozen at most.
    LeastLoaded,
}

/// Picks the connection of a call, of those that were ready at a moment.
#[derive(Debug)]
pub(super) struct Picker {
    candidates: Box<[Candidate]>,
    balance: Balance,
    next: AtomicUsize,
    /// A connection has less than its whole share. The channel's, and the same for each `Picker` of
    /// all its connections.
    uneven: Arc<AtomicBool>,
}

/// A connection that calls can take.
#[derive(Clone, Debug)]
struct Candidate {
    link: Link,
    share: Arc<Share>,
}

impl Candidate {
    fn is_alive(&self) -> bool {
        self.link.takes_calls()
    }
}

impl Picker {
    pub(super) fn new(links: Vec<Link>, balance: Balance, uneven: &Arc<AtomicBool>) -> Self {
        let candidate = |link| Candidate { link, share: Arc::new(Share::new(uneven)) };
        Self {
            candidates: links.into_iter().map(candidate).collect(),
            balance,
            next: AtomicUsize::new(0),
            uneven: Arc::clone(uneven),
        }
    }

    /// Goes on with the turns and shares where `old` was.
    pub(super) fn after(mut self, old: &Self) -> Self {
        self.next.store(old.next.load(Ordering::Relaxed), Ordering::Relaxed);
        for candidate in &mut self.candidates {
            if let Some(share) = old.share(&candidate.link) {
                candidate.share = Arc::clone(share);
            }
        }
        self
    }

    /// Picks among some of the connections, in their order, as if they all had their whole shares.
    pub(super) fn part(&self, chosen: &[bool]) -> Self {
        let candidates = self.candidates.iter().zip(chosen).filter(|(_, chosen)| **chosen);
        Self {
            candidates: candidates.map(|(candidate, _)| candidate.clone()).collect(),
            balance: self.balance,
            next: AtomicUsize::new(0),
            uneven: Arc::default(),
        }
    }

    /// A connection that takes calls.
    #[inline]
    pub(super) fn pick(&self) -> Option<&Link> {
        if let [only] = &*self.candidates {
            return only.is_alive().then_some(&only.link);
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let picked = if self.uneven.load(Ordering::Relaxed) {
            self.pick_by_share(turn)
        } else {
            let mut alive = in_turn(turn, self.candidates.len())
                .map(|index| &self.candidates[index])
                .filter(|it| it.is_alive());
            match self.balance {
                Balance::RoundRobin => alive.next(),
                Balance::LeastLoaded => alive.min_by_key(|it| it.link.load()),
            }
        };
        picked.map(|picked| &picked.link)
    }

    /// The same while some servers refuse: their connections get calls as their shares say.
    #[cold]
    fn pick_by_share(&self, turn: usize) -> Option<&Candidate> {
        let its_turn = self.candidates.get(turn.checked_rem(self.candidates.len())?)?;
        let alive = || self.candidates.iter().filter(|it| it.is_alive());
        if alive().all(|it| it.share.is_whole()) {
            self.uneven.store(false, Ordering::Relaxed);
        }
        let refuses = its_turn.is_alive() && !its_turn.share.is_whole();
        let probed = (refuses && its_turn.share.takes()).then_some(its_turn);
        if self.balance == Balance::RoundRobin && probed.is_some() {
            return probed;
        }
        let most = alive().map(|it| it.share.get()).max()?;
        let mut wanted = alive().filter(|it| it.share.get() == most);
        match self.balance {
            Balance::RoundRobin => {
                let count = wanted.clone().count();
                wanted.nth(turn % count)
            }
            Balance::LeastLoaded => {
                let count = wanted.clone().count();
                let wanted = wanted.clone().skip(turn % count).chain(wanted.take(turn % count));
                wanted.chain(probed).min_by_key(|it| it.link.load())
            }
        }
    }

    /// The share of a connection that calls can take.
    pub(super) fn share(&self, link: &Link) -> Option<&Arc<Share>> {
        self.candidates.iter().find(|it| it.link.is_same(link)).map(|it| &it.share)
    }

    pub(super) fn links(&self) -> impl Iterator<Item = &Link> {
        self.candidates.iter().map(|it| &it.link)
    }
}

/// All indices, beginning with that of `turn`, so that connections with the same load take turns as
/// well.
fn in_turn(turn: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |offset| turn.wrapping_add(offset) % count)
}

#[cfg(test)]
pub(super) mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::driver::{Config, Connection, Driver, Head};
    use crate::transport::{Ends, PeerAddr, memory_pair};

    /// Links, and what keeps them from being lost.
    pub(in crate::client) fn links(count: usize) -> (Vec<Link>, Vec<(Driver, Ends)>) {
        let link = |_| {
            let (near, far) = memory_pair();
            let (link, driver) =
                Driver::client(Connection::client(Config::default()), near, PeerAddr::memory());
            (link, (driver, far))
        };
        (0..count).map(link).unzip()
    }

    fn open(link: &Link) {
        let cx = Context::from_waker(Waker::noop());
        let opened = link.poll_open(&mut Some(Head::default()), None, None, &mut None, &cx);
        assert!(matches!(opened, Poll::Ready(Ok(_))));
    }

    fn index(picker: &Picker, links: &[Link]) -> Option<usize> {
        let picked = picker.pick()?;
        links.iter().position(|link| link.is_same(picked))
    }

    #[test]
    fn round_robin_takes_turns_and_passes_over_the_lost() {
        let (links, mut drivers) = links(3);
        let picker = Picker::new(links.clone(), Balance::RoundRobin, &Arc::default());
        let turns: Vec<_> = (0..6).map(|_| index(&picker, &links).unwrap()).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
        drop(drivers.remove(1));
        let turns: Vec<_> = (0..6).map(|_| index(&picker, &links).unwrap()).collect();
        assert_eq!(turns.iter().filter(|turn| **turn == 1).count(), 0, "{turns:?}");
        drop(drivers);
        assert_eq!(index(&picker, &links), None);
    }

    #[test]
    fn the_least_loaded_is_taken_and_those_alike_take_turns() {
        let (links, _drivers) = links(3);
        let picker = Picker::new(links.clone(), Balance::LeastLoaded, &Arc::default());
        let mut opened = [0; 3];
        for _ in 0..9 {
            let picked = index(&picker, &links).unwrap();
            opened[picked] += 1;
            open(&links[picked]);
        }
        assert_eq!(opened, [3, 3, 3]);
        open(&links[0]);
        open(&links[2]);
        for _ in 0..3 {
            assert_eq!(index(&picker, &links), Some(1));
        }
    }

    /// The connection that gets each of `count` calls, when each answers as `serves` says.
    fn calls(
        picker: &Picker,
        links: &[Link],
        count: usize,
        serves: impl Fn(usize) -> bool,
    ) -> Vec<usize> {
        let call = |_| {
            let picked = index(picker, links).unwrap();
            let share = picker.share(&links[picked]).unwrap();
            if serves(picked) {
                share.handle_served();
            } else {
                share.handle_refused();
            }
            picked
        };
        (0..count).map(call).collect()
    }

    fn count(calls: &[usize], index: usize) -> usize {
        calls.iter().filter(|call| **call == index).count()
    }

    #[tokio::test(start_paused = true)]
    async fn who_refuses_gets_a_call_now_and_then_and_its_share_when_it_serves_again() {
        for balance in [Balance::RoundRobin, Balance::LeastLoaded] {
            let (links, _drivers) = links(3);
            let picker = Picker::new(links.clone(), balance, &Arc::default());
            // Connections have something to do, but for the one whose server is quick to refuse.
            for link in &links[1..] {
                open(link);
            }
            calls(&picker, &links, 500, |index| index != 0);
            let refused = calls(&picker, &links, 10_000, |index| index != 0);
            let probes = count(&refused, 0);
            assert!(
                (10..100).contains(&probes),
                "{balance:?}: {probes} of 10,000 calls were refused"
            );
            // The others share what it does not get.
            let (one, other) = (count(&refused, 1), count(&refused, 2));
            assert!(one.abs_diff(other) < 200, "{balance:?}: {one} and {other}");
            calls(&picker, &links, 10_000, |_| true);
            open(&links[0]);
            let served = calls(&picker, &links, 3_000, |_| true);
            for index in 0..3 {
                assert_eq!(count(&served, index), 1_000, "{balance:?}");
            }
            assert!(!picker.uneven.load(Ordering::Relaxed));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_call_after_a_refusal_goes_elsewhere() {
        for balance in [Balance::RoundRobin, Balance::LeastLoaded] {
            let (links, _drivers) = links(2);
            let picker = Picker::new(links.clone(), balance, &Arc::default());
            open(&links[1]);
            for _ in 0..3 {
                while calls(&picker, &links, 1, |index| index != 0) != [0] {}
                assert_eq!(index(&picker, &links), Some(1), "{balance:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_refuse_calls_go_to_all() {
        for balance in [Balance::RoundRobin, Balance::LeastLoaded] {
            let (links, _drivers) = links(3);
            let picker = Picker::new(links.clone(), balance, &Arc::default());
            calls(&picker, &links, 100, |_| false);
            let refused = calls(&picker, &links, 300, |_| false);
            for index in 0..3 {
                assert!(count(&refused, index) >= 90, "{balance:?}: {refused:?}");
            }
        }
    }

    /// With few calls a probe of one in 256 would take hours.
    #[tokio::test(start_paused = true)]
    async fn a_channel_with_few_calls_tries_again_every_half_minute() {
        let (links, _drivers) = links(2);
        let picker = Picker::new(links.clone(), Balance::RoundRobin, &Arc::default());
        calls(&picker, &links, 100, |index| index != 0);
        let mut tried = 0;
        for _ in 0..10 {
            tokio::time::advance(std::time::Duration::from_secs(20)).await;
            tried += count(&calls(&picker, &links, 2, |index| index != 0), 0);
        }
        assert_eq!(tried, 5);
    }

    #[test]
    fn a_new_list_keeps_the_shares_of_those_that_stay() {
        let (links, _drivers) = links(2);
        let uneven = Arc::default();
        let old = Picker::new(links.clone(), Balance::RoundRobin, &uneven);
        old.share(&links[1]).unwrap().handle_refused();
        let new = Picker::new(links.clone(), Balance::RoundRobin, &uneven).after(&old);
        assert!(
            new.share(&links[0]).unwrap().is_whole() && !new.share(&links[1]).unwrap().is_whole()
        );
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
