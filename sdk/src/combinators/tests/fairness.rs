//! Long loops of steps that never wait.

use std::cell::Cell;
use std::future::ready;
use std::ops::ControlFlow::{Break, Continue};
use std::rc::Rc;

use super::support::{Task, block_on, error, gates};
use crate::{
    Result, do_for, do_for_each, do_until, do_until_stop, do_while, do_with, repeat, try_when_all,
    when_all, when_any_ok,
};

const MANY: u32 = 1_000_000;

/// Runs `long` beside a second task on one thread; says how often the second had its turn until
/// `long` ended.
fn turns_of_another_task<F: Future>(long: F) -> u32 {
    let local = tokio::task::LocalSet::new();
    let turns = Rc::new(Cell::new(0));
    let seen = Rc::clone(&turns);
    block_on(local.run_until(async move {
        let other = tokio::task::spawn_local(async move {
            loop {
                turns.set(turns.get() + 1);
                tokio::task::yield_now().await;
            }
        });
        long.await;
        other.abort();
    }));
    seen.get()
}

/// A million steps on a thread whose stack could not hold a frame for each of them, with another
/// task that is not starved.
fn is_iterative_and_fair<F: Future<Output = Result<()>>>(
    long: impl FnOnce() -> F + Send + 'static,
) {
    let thread = std::thread::Builder::new().stack_size(512 * 1024);
    let turns = thread
        .spawn(|| {
            turns_of_another_task(async {
                long().await.unwrap();
            })
        })
        .expect("a thread")
        .join()
        .expect("the loop ends");
    assert!(turns >= 1_000, "the other task had {turns} turns only");
}

#[test]
fn do_until_takes_a_million_ready_steps() {
    is_iterative_and_fair(|| {
        let mut n = 0;
        do_until(move || {
            n += 1;
            ready(Ok(if n < MANY { Continue(()) } else { Break(()) }))
        })
    });
}

#[test]
fn do_until_stop_takes_a_million_ready_steps() {
    is_iterative_and_fair(|| {
        let mut asked = 0;
        let stop = move || {
            asked += 1;
            asked > MANY
        };
        do_until_stop(stop, || ready(Ok(())))
    });
}

#[test]
fn do_while_takes_a_million_ready_steps() {
    is_iterative_and_fair(|| {
        let mut asked = 0;
        let condition = move || {
            asked += 1;
            asked <= MANY
        };
        do_while(condition, || ready(Ok(())))
    });
}

#[test]
fn repeat_takes_a_million_ready_steps() {
    is_iterative_and_fair(async || {
        let mut n = 0;
        let Err(failure) = repeat(|| {
            n += 1;
            ready(if n < MANY { Ok(()) } else { Err(error(1)) })
        })
        .await;
        assert_eq!(failure.app_code(), 1);
        Ok(())
    });
}

#[test]
fn do_for_takes_a_million_ready_steps() {
    is_iterative_and_fair(|| do_for(MANY, |_| ready(Ok(()))));
}

#[test]
fn do_for_each_takes_a_million_ready_steps() {
    is_iterative_and_fair(|| do_for_each(0..MANY, |_| ready(Ok(()))));
}

#[test]
fn loops_with_a_state_take_a_million_ready_steps() {
    is_iterative_and_fair(async || {
        let count = do_with(0)
            .until(async |n| Ok(if n < MANY { Continue(n + 1) } else { Break(n) }))
            .await?;
        assert_eq!(count, MANY);
        Ok(())
    });
    is_iterative_and_fair(async || {
        let count = do_with(0).times(MANY, async |n, _| Ok(n + 1)).await?;
        assert_eq!(count, MANY);
        Ok(())
    });
}

#[test]
fn a_loop_that_never_waits_wakes_itself_once_per_poll() {
    let mut runs = 0;
    let mut task = Task::new(do_for(100, |_| {
        runs += 1;
        ready(Ok(()))
    }));
    assert!(task.poll().is_pending());
    assert_eq!(task.wakes(), 1);
    assert!(task.poll().is_ready());
    assert_eq!(task.wakes(), 1);
    drop(task);
    assert_eq!(runs, 100);
}

#[test]
fn joins_of_many_ready_futures_let_other_tasks_go_on() {
    let many = 100_000;
    let turns = turns_of_another_task(async {
        assert_eq!(when_all((0..many).map(ready)).await.len(), many);
    });
    assert!(turns >= 1_000, "the other task had {turns} turns only");
    let turns = turns_of_another_task(async {
        assert_eq!(try_when_all((0..many).map(|n| ready(Ok(n)))).await.unwrap().len(), many);
    });
    assert!(turns >= 1_000, "the other task had {turns} turns only");
    let turns = turns_of_another_task(async {
        let failures = (0..many).map(|_| ready(Err::<(), _>(error(1))));
        assert_eq!(when_any_ok(failures).await.unwrap().unwrap_err().app_code(), 1);
    });
    assert!(turns >= 1_000, "the other task had {turns} turns only");
}

#[test]
fn a_wake_between_two_halves_of_a_turn_is_not_lost() {
    let (inputs, keys) = gates(200);
    for (index, key) in keys.iter().enumerate().skip(1) {
        key.open(index);
    }
    let mut task = Task::new(when_all(inputs));
    assert!(task.poll().is_pending());
    assert!(keys[1].is_dropped() && !keys[199].is_dropped(), "the first poll was cut short");
    keys[0].open(0);

    let mut wakes = 0;
    while task.poll().is_pending() {
        assert!(
            task.wakes() > wakes,
            "a poll that gives Pending has woken the task: every child can finish"
        );
        wakes = task.wakes();
    }
}
