//! Giving way to other tasks after much work.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::select;
use tokio::task::coop::{has_budget_remaining, poll_proceed, unconstrained};
use tokio::task::yield_now;
use tokio::time::sleep;

/// The others may take so long at most. It is the least that tokio's timers know.
const LIMIT: Duration = Duration::from_millis(1);

/// The units that a task has for a turn (tokio 1.x, `Budget::initial`).
const TURN: usize = 128;

/// Lets every other task that can run go first, and those that are woken by what sockets have.
///
/// A task that only wakes itself comes before these: as long as tasks can run, tokio looks at its
/// sockets after 61 of them, which is 0.3 s if each takes 5 ms. `yield_now` waits for that look;
/// but it leaves the task with its thread, which the next task may keep, so a timer wakes it as
/// well, whatever is left of the budget.
pub(crate) async fn give_way() {
    select(pin!(yield_now()), pin!(unconstrained(sleep(LIMIT)))).await;
}

/// Pays so many units of the task's budget, or as many as are left of its turn: what it waits for
/// next lets the others go first. On other runtimes than tokio that is free.
pub(crate) fn pay(units: usize) {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..units.min(TURN) {
        if !has_budget_remaining() {
            return;
        }
        if let Poll::Ready(paid) = poll_proceed(&mut cx) {
            paid.made_progress();
        }
    }
}
