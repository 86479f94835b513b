//! Taking turns: one at a time, in the order of asking.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use crate::sync::Mutex;

/// A queue for something that only one may use at a time. Whoever asks first is served first; one that gives up leaves the queue.
#[derive(Debug, Default)]
pub(super) struct Turn(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    serving: Option<u64>,
    /// Who waits, and the task that whoever leaves wakes.
    waiting: VecDeque<(u64, Waker)>,
}

/// A place in the queue. Give it back with [`Turn::leave`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u64);

impl Turn {
    /// Waits for the turn, with `place` as the place in the queue from the first poll on.
    pub(super) fn poll_turn(&self, place: &mut Option<Place>, cx: &Context<'_>) -> Poll<()> {
        let mut queue = self.0.lock();
        match *place {
            None => {
                let number = queue.next;
                queue.next += 1;
                *place = Some(Place(number));
                if queue.serving.is_none() {
                    queue.serving = Some(number);
                    return Poll::Ready(());
                }
                queue.waiting.push_back((number, cx.waker().clone()));
                Poll::Pending
            }
            Some(Place(number)) if queue.serving == Some(number) => Poll::Ready(()),
            Some(Place(number)) => {
                if let Some((_, waker)) = queue.waiting.iter_mut().find(|(other, _)| *other == number) {
                    waker.clone_from(cx.waker());
                }
                Poll::Pending
            }
        }
    }

    /// Leaves the queue, or ends the turn and lets the next one in.
    pub(super) fn leave(&self, place: &mut Option<Place>) {
        let Some(Place(number)) = place.take() else { return };
        let mut queue = self.0.lock();
        if queue.serving != Some(number) {
            queue.waiting.retain(|(other, _)| *other != number);
            return;
        }
        let next = queue.waiting.pop_front();
        queue.serving = next.as_ref().map(|(number, _)| *number);
        drop(queue);
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(turn: &Turn, place: &mut Option<Place>) -> bool {
        turn.poll_turn(place, &Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn turns_come_in_the_order_of_asking() {
        let turn = Turn::default();
        let (mut first, mut second, mut third) = (None, None, None);
        assert!(poll(&turn, &mut first));
        assert!(!poll(&turn, &mut second));
        assert!(!poll(&turn, &mut third));
        turn.leave(&mut first);
        assert!(!poll(&turn, &mut third), "the second asked before");
        assert!(poll(&turn, &mut second));
        turn.leave(&mut second);
        assert!(poll(&turn, &mut third));
    }

    #[test]
    fn one_that_gives_up_leaves_the_queue() {
        let turn = Turn::default();
        let (mut first, mut second, mut third) = (None, None, None);
        assert!(poll(&turn, &mut first));
        assert!(!poll(&turn, &mut second));
        assert!(!poll(&turn, &mut third));
        turn.leave(&mut second);
        turn.leave(&mut first);
        assert!(poll(&turn, &mut third));
    }

    #[test]
    fn one_that_was_woken_and_gives_up_passes_the_turn_on() {
        let turn = Turn::default();
        let (mut first, mut second, mut third) = (None, None, None);
        assert!(poll(&turn, &mut first));
        assert!(!poll(&turn, &mut second));
        assert!(!poll(&turn, &mut third));
        turn.leave(&mut first);
        turn.leave(&mut second);
        assert!(poll(&turn, &mut third));
    }
}
