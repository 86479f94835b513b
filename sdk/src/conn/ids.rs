//! The ids that this side gives to its calls and streams.

use crate::framing::IdRange;

/// Gives ids out in order, and begins anew behind the last where the wire allows that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids {
    range: IdRange,
    first: u64,
    next: Option<u64>,
    used: bool,
    /// Every id was given out once, so that one may be in use. Before, that need not be looked for.
    come_round: bool,
}

impl Ids {
    /// Begins with `first`, which is in the range.
    pub(super) fn new(range: IdRange, first: u64) -> Self {
        Self { range, first, next: Some(first), used: false, come_round: false }
    }

    /// The next id that is not in use, if there is one.
    #[inline]
    pub(super) fn next(&mut self, is_used: impl Fn(u64) -> bool) -> Option<u64> {
        loop {
            let id = self.next?;
            self.used = true;
            self.next = match id.checked_add(self.range.step).filter(|id| *id <= self.range.last) {
                None if self.range.comes_round => Some(self.range.first),
                next => next,
            };
            self.come_round |= self.next == Some(self.first);
            if !self.come_round || !is_used(id) {
                return Some(id);
            }
        }
    }

    /// Tells whether one was given out.
    pub(super) fn was_used(&self) -> bool {
        self.used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: IdRange = IdRange { first: 100, last: 103, step: 1, comes_round: true };

    #[test]
    fn ids_begin_anew_and_pass_over_what_is_in_use() {
        let mut ids = Ids::new(ROUND, 102);
        assert!(!ids.was_used());
        let mut next = |used: &[u64]| ids.next(|id| used.contains(&id));
        let first_round = [next(&[]), next(&[]), next(&[]), next(&[])];
        assert_eq!(first_round, [102, 103, 100, 101].map(Some), "none can be in use");
        assert_eq!([next(&[102, 103]), next(&[102])], [100, 101].map(Some));
        assert_eq!(next(&[102]), Some(103));
        assert!(ids.was_used());
    }

    #[test]
    fn ids_that_must_not_come_again_end() {
        let mut ids = Ids::new(IdRange { first: 1, last: 6, step: 2, comes_round: false }, 1);
        let given: Vec<_> = std::iter::from_fn(|| ids.next(|_| false)).collect();
        assert_eq!(given, [1, 3, 5]);
        let mut last = Ids::new(IdRange { last: u64::MAX, ..ROUND }, u64::MAX);
        assert_eq!([last.next(|_| false), last.next(|_| false)], [Some(u64::MAX), Some(100)]);
    }
}
