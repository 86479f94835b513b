//! Which children of a join want to be polled.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use crate::sync::{AtomicBool, Mutex, Ordering};

/// One waker per child, and the children that woke.
///
/// After [`start_turn`](Self::start_turn) the caller polls what [`next`](Self::next) gives. It may
/// stop before the end if it wakes its task itself: what is left is kept for the next turn.
pub(in crate::combinators) struct Wakes {
    children: Vec<Arc<Child>>,
    /// The children to be polled in this turn, highest index first, so that `pop` gives the lowest.
    turn: Vec<usize>,
    shared: Arc<Mutex<WokenQueue>>,
}

impl Wakes {
    /// For `count` children, all of which want their first poll.
    pub(in crate::combinators) fn new(count: usize) -> Self {
        let shared = Arc::new(Mutex::<WokenQueue>::default());
        let child = |index| {
            Arc::new(Child { index, queued: AtomicBool::new(true), shared: Arc::clone(&shared) })
        };
        Self { children: (0..count).map(child).collect(), turn: (0..count).rev().collect(), shared }
    }

    /// Makes the task of `cx` the one to wake from now on, and takes over the children that woke.
    pub(in crate::combinators) fn start_turn(&mut self, cx: &Context<'_>) {
        let mut waker = Some(cx.waker().clone());
        let old_len = self.turn.len();
        {
            let mut queue = self.shared.lock();
            // The new waker must be in place before the queue is looked at, under the same lock: a
            // child that wakes later finds it. The old one is dropped after the lock is free,
            // because that may drop a whole task.
            mem::swap(&mut queue.task, &mut waker);
            self.turn.append(&mut queue.woken);
        }
        if self.turn.len() != old_len {
            self.turn.sort_unstable_by(|a, b| b.cmp(a));
        }
    }

    /// The next child of this turn, lowest index first, with the waker for its poll.
    pub(in crate::combinators) fn next(&mut self) -> Option<(usize, Waker)> {
        let index = self.turn.pop()?;
        let child = &self.children[index];
        // Before the poll, so that a wake during it counts; a swap, not a store, so that what a
        // skipped waker did before is seen.
        child.queued.swap(false, Ordering::AcqRel);
        Some((index, Waker::from(Arc::clone(child))))
    }
}

#[derive(Default)]
struct WokenQueue {
    woken: Vec<usize>,
    /// The join's own task, until the first child wakes it: the others need not do it again.
    task: Option<Waker>,
}

struct Child {
    index: usize,
    /// The child waits for a poll already.
    queued: AtomicBool,
    shared: Arc<Mutex<WokenQueue>>,
}

impl Wake for Child {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let task = {
            let mut queue = self.shared.lock();
            queue.woken.push(self.index);
            queue.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(all(test, trill_loom))]
mod tests {
    use std::future::{Future, poll_fn};
    use std::task::Poll;

    use loom::future::block_on;
    use loom::thread;

    use crate::when_all;

    use super::*;

    /// Something that another thread makes ready.
    #[derive(Default)]
    struct Gate(Mutex<(bool, Option<Waker>)>);

    impl Gate {
        fn open(&self) {
            let mut gate = self.0.lock();
            gate.0 = true;
            let waker = gate.1.take();
            drop(gate);
            if let Some(waker) = waker {
                waker.wake();
            }
        }

        fn poll(&self, cx: &Context<'_>) -> Poll<()> {
            let mut gate = self.0.lock();
            if gate.0 {
                return Poll::Ready(());
            }
            gate.1 = Some(cx.waker().clone());
            Poll::Pending
        }
    }

    #[test]
    fn loom_a_join_polls_every_child_that_woke() {
        loom::model(|| {
            let gates: [Arc<Gate>; 2] = Default::default();
            let [first, second] = gates.clone();
            let openers = gates.map(|gate| thread::spawn(move || gate.open()));
            block_on(when_all((poll_fn(|cx| first.poll(cx)), poll_fn(|cx| second.poll(cx)))));
            openers.into_iter().for_each(|opener| opener.join().expect("it opened its gate"));
        });
    }

    #[test]
    fn loom_a_join_that_moves_to_another_task_is_woken_there() {
        loom::model(|| {
            let gate = Arc::new(Gate::default());
            let its = Arc::clone(&gate);
            let opener = thread::spawn(move || its.open());
            let mut join = Box::pin(when_all((poll_fn(|cx| gate.poll(cx)),)));
            // The task that polled first goes away.
            if join.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                block_on(join);
            }
            opener.join().expect("it opened the gate");
        });
    }
}
