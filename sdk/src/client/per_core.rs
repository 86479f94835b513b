//! The connections of a channel by the cores on which they are driven.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cores::CoreSet;
use crate::driver::Link;

use super::balance::{Balance, Picker};
use super::share::Share;

/// Picks the connection of a call. On a core it is one of that core's, unless none is ready there,
/// or some servers refuse: then all count, because a call that is served elsewhere is better than
/// one that is refused here.
#[derive(Debug)]
pub(super) struct Pickers {
    all: Picker,
    /// Some connections rest, and are to be made when there is a call.
    pub(super) resting: bool,
    /// Some connections get less than their share.
    uneven: Arc<AtomicBool>,
    cores: Option<OfCores>,
}

#[derive(Debug)]
struct OfCores {
    set: CoreSet,
    /// A picker for each core.
    pickers: Box<[Picker]>,
}

impl Pickers {
    /// The links have their numbers with them: those of one number are on one core. Turns and
    /// shares go on where `old` was.
    pub(super) fn new(
        links: impl Iterator<Item = (Link, usize)>,
        resting: bool,
        balance: Balance,
        uneven: &Arc<AtomicBool>,
        cores: Option<&CoreSet>,
        old: Option<&Self>,
    ) -> Self {
        let (links, numbers): (_, Vec<_>) = links.unzip();
        let mut all = Picker::new(links, balance, uneven);
        if let Some(old) = old {
            all = all.after(&old.all);
        }
        let cores = cores.map(|set| {
            let is_on = |core| move |number: &usize| number % set.count() == core;
            let part = |core| all.part(&numbers.iter().map(is_on(core)).collect::<Vec<_>>());
            OfCores { set: set.clone(), pickers: (0..set.count()).map(part).collect() }
        });
        Self { all, resting, uneven: Arc::clone(uneven), cores }
    }

    /// A connection that takes calls.
    #[inline]
    pub(super) fn pick(&self) -> Option<&Link> {
        match &self.cores {
            Some(cores) if !self.uneven.load(Ordering::Relaxed) => {
                cores.pick_here().or_else(|| self.all.pick())
            }
            _ => self.all.pick(),
        }
    }

    /// The share of a connection that calls can take.
    pub(super) fn share(&self, link: &Link) -> Option<&Arc<Share>> {
        self.all.share(link)
    }

    pub(super) fn links(&self) -> impl Iterator<Item = &Link> {
        self.all.links()
    }
}

impl OfCores {
    fn pick_here(&self) -> Option<&Link> {
        self.pickers.get(self.set.here()?)?.pick()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::balance::tests::links;
    use crate::cores::Cores;

    fn pickers(links: &[Link], cores: &CoreSet, uneven: &Arc<AtomicBool>) -> Arc<Pickers> {
        let numbered = links.iter().cloned().zip(0..);
        Arc::new(Pickers::new(numbered, false, Balance::RoundRobin, uneven, Some(cores), None))
    }

    /// The connections of so many calls on a core.
    async fn picked(cores: &Cores, pickers: &Arc<Pickers>, links: &[Link]) -> [Vec<usize>; 2] {
        let mut of_cores = [Vec::new(), Vec::new()];
        for _ in 0..4 {
            for _ in 0..2 {
                let (pickers, links, set) = (Arc::clone(pickers), links.to_vec(), cores.set());
                let pick = async move {
                    let picked = pickers.pick().unwrap();
                    let index = links.iter().position(|link| link.is_same(picked)).unwrap();
                    (set.here().unwrap(), index)
                };
                let (core, index) = cores.spawn(pick).await.unwrap();
                of_cores[core].push(index);
            }
        }
        of_cores
    }

    #[tokio::test]
    async fn a_core_picks_among_its_own_and_all_when_it_has_none_or_some_refuse() {
        let cores = Cores::new(2).unwrap();
        let (links, mut drivers) = links(4);
        let uneven = Arc::default();
        let pickers = pickers(&links, &cores.set(), &uneven);
        assert_eq!(picked(&cores, &pickers, &links).await, [vec![0, 2, 0, 2], vec![1, 3, 1, 3]]);
        let elsewhere = pickers.pick().unwrap();
        assert!(elsewhere.is_same(&links[0]), "the turns of all are their own");

        pickers.share(&links[0]).unwrap().handle_refused();
        let [zero, one] = picked(&cores, &pickers, &links).await;
        assert!(
            !zero.contains(&0) && zero.contains(&1),
            "calls go where they are served: {zero:?}"
        );
        assert!(!one.contains(&0) && one.contains(&2), "{one:?}");

        uneven.store(false, Ordering::Relaxed);
        drop(drivers.remove(3));
        drop(drivers.remove(1));
        let [zero, one] = picked(&cores, &pickers, &links).await;
        assert_eq!(zero, [0, 2, 0, 2]);
        assert!(one.iter().all(|index| [0, 2].contains(index)), "{one:?}");
    }
}
