//! Taking turns: one at a time, in the order of asking.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use crate::sync::Mutex;

/// A queue for something that only one may use at a time. The first that asks is served first; one
/// that gives up leaves the queue.
#[derive(Debug, Default)]
pub(super) struct TurnQueue(Mutex<TurnState>);

#[derive(Debug, Default)]
struct TurnState {
    next: u64,
    serving: Option<u64>,
    /// The numbers that wait, each with the task to wake when its turn comes.
    waiting: VecDeque<(u64, Waker)>,
}

/// A number in the queue. Give it back with [`TurnQueue::leave`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TurnTicket(u64);

impl TurnQueue {
    /// Waits for the turn, with a `ticket` in the queue from the first poll on.
    pub(super) fn poll_turn(&self, ticket: &mut Option<TurnTicket>, cx: &Context<'_>) -> Poll<()> {
        let mut queue = self.0.lock();
        match *ticket {
            None => {
                let number = queue.next;
                queue.next += 1;
                *ticket = Some(TurnTicket(number));
                if queue.serving.is_none() {
                    queue.serving = Some(number);
                    return Poll::Ready(());
                }
                queue.waiting.push_back((number, cx.waker().clone()));
                Poll::Pending
            }
            Some(TurnTicket(number)) if queue.serving == Some(number) => Poll::Ready(()),
            Some(TurnTicket(number)) => {
                if let Some((_, waker)) =
                    queue.waiting.iter_mut().find(|(other, _)| *other == number)
                {
                    waker.clone_from(cx.waker());
                }
                Poll::Pending
            }
        }
    }

    /// Leaves the queue, or ends the turn and lets the next one in.
    pub(super) fn leave(&self, ticket: &mut Option<TurnTicket>) {
        let Some(TurnTicket(number)) = ticket.take() else { return };
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

    fn poll(turn: &TurnQueue, ticket: &mut Option<TurnTicket>) -> bool {
        turn.poll_turn(ticket, &Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn turns_come_in_the_order_of_asking() {
        let turn = TurnQueue::default();
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

    #[derive(Default)]
    struct Woken(std::sync::atomic::AtomicBool);

    impl std::task::Wake for Woken {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// The task that waits may be another one by now.
    #[test]
    fn the_waker_of_the_last_poll_is_woken() {
        let turn = TurnQueue::default();
        let wakers: [_; 3] = std::array::from_fn(|_| std::sync::Arc::new(Woken::default()));
        let woken =
            || wakers.each_ref().map(|waker| waker.0.load(std::sync::atomic::Ordering::Relaxed));
        let poll_by = |waker: usize, ticket: &mut Option<TurnTicket>| {
            let waker = Waker::from(std::sync::Arc::clone(&wakers[waker]));
            turn.poll_turn(ticket, &Context::from_waker(&waker)).is_ready()
        };
        let (mut first, mut second, mut third) = (None, None, None);
        assert!(poll(&turn, &mut first));
        assert!(!poll_by(0, &mut second) && !poll_by(1, &mut third) && !poll_by(2, &mut second));
        turn.leave(&mut first);
        assert_eq!(woken(), [false, false, true]);
        turn.leave(&mut second);
        assert_eq!(woken(), [false, true, true]);
    }

    #[test]
    fn one_that_gives_up_leaves_the_queue() {
        let turn = TurnQueue::default();
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
        let turn = TurnQueue::default();
        let (mut first, mut second, mut third) = (None, None, None);
        assert!(poll(&turn, &mut first));
        assert!(!poll(&turn, &mut second));
        assert!(!poll(&turn, &mut third));
        turn.leave(&mut first);
        turn.leave(&mut second);
        assert!(poll(&turn, &mut third));
    }
}

#[cfg(all(test, trill_loom))]
mod models {
    use std::future::poll_fn;
    use std::sync::Arc;

    use loom::future::block_on;
    use loom::thread;

    use crate::sync::{AtomicBool, Ordering};

    use super::*;

    /// Waits for its turn, is alone in it, and leaves.
    fn take_turn(turn: &TurnQueue, busy: &AtomicBool) {
        let mut ticket = None;
        block_on(poll_fn(|cx| turn.poll_turn(&mut ticket, cx)));
        assert!(!busy.swap(true, Ordering::Relaxed), "two have their turn");
        busy.store(false, Ordering::Relaxed);
        turn.leave(&mut ticket);
    }

    #[test]
    fn loom_everybody_gets_a_turn_alone() {
        loom::model(|| {
            let shared = Arc::new((TurnQueue::default(), AtomicBool::new(false)));
            let others = [(); 2].map(|()| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || take_turn(&shared.0, &shared.1))
            });
            take_turn(&shared.0, &shared.1);
            others.into_iter().for_each(|other| other.join().expect("it had its turn"));
        });
    }

    #[test]
    fn loom_one_that_gives_up_at_any_moment_holds_nobody_back() {
        loom::model(|| {
            let shared = Arc::new((TurnQueue::default(), AtomicBool::new(false)));
            let mut ticket = None;
            let first = shared.0.poll_turn(&mut ticket, &Context::from_waker(Waker::noop()));
            assert!(first.is_ready());
            let its = Arc::clone(&shared);
            let gives_up = thread::spawn(move || {
                let mut ticket = None;
                let _ = its.0.poll_turn(&mut ticket, &Context::from_waker(Waker::noop()));
                its.0.leave(&mut ticket);
            });
            let its = Arc::clone(&shared);
            let waits = thread::spawn(move || take_turn(&its.0, &its.1));
            shared.0.leave(&mut ticket);
            gives_up.join().expect("it gave up");
            waits.join().expect("it had its turn");
        });
    }
}
