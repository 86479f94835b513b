//! The loops without a state, case by case.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{pending, ready};
use std::ops::ControlFlow::{self, Break, Continue};
use std::task::Poll;

use super::support::{Log, Task, block_on, error, gate};
use crate::{Error, Result, do_for, do_for_each, do_until, do_until_stop, do_while, repeat};

#[test]
fn do_until_runs_at_least_once_and_ends_with_what_the_body_breaks_with() {
    let mut runs = 0;
    let outcome = block_on(do_until(|| {
        runs += 1;
        ready(Ok(Break("value")))
    }));
    assert_eq!(outcome.unwrap(), "value");
    assert_eq!(runs, 1);
}

#[test]
fn do_until_goes_on_as_long_as_the_body_says_so() {
    let mut runs = 0;
    let outcome = block_on(do_until(|| {
        runs += 1;
        ready(Ok(if runs < 5 { Continue(()) } else { Break(runs) }))
    }));
    assert_eq!(outcome.unwrap(), 5);
}

#[test]
fn do_until_stops_at_the_first_error() {
    let mut runs = 0;
    let outcome = block_on(do_until(|| {
        runs += 1;
        ready(if runs < 3 { Ok(Continue(())) } else { Err::<ControlFlow<()>, Error>(error(runs)) })
    }));
    assert_eq!(outcome.unwrap_err().app_code(), 3);
    assert_eq!(runs, 3);
}

#[test]
fn do_until_stop_never_runs_the_body_if_stop_holds_at_first() {
    let asked = Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        true
    };
    block_on(do_until_stop(stop, || -> std::future::Ready<Result<()>> {
        unreachable!("stop said so")
    }))
    .unwrap();
    assert_eq!(asked.get(), 1);
}

#[test]
fn do_until_stop_asks_before_every_run() {
    let log = Log::default();
    let runs = Cell::new(0);
    let stop = || {
        log.note("stop?");
        runs.get() == 2
    };
    let body = || {
        log.note("body");
        runs.set(runs.get() + 1);
        ready(Ok(()))
    };
    block_on(do_until_stop(stop, body)).unwrap();
    assert_eq!(log.take(), ["stop?", "body", "stop?", "body", "stop?"]);
}

#[test]
fn do_until_stop_does_not_ask_again_after_an_error() {
    let log = Log::default();
    let stop = || {
        log.note("stop?");
        false
    };
    let body = || {
        log.note("body");
        ready(Err(error(7)))
    };
    let outcome = block_on(do_until_stop(stop, body));
    assert_eq!(outcome.unwrap_err().app_code(), 7);
    assert_eq!(log.take(), ["stop?", "body"]);
}

#[test]
fn do_while_never_runs_the_body_if_the_condition_fails_at_first() {
    block_on(do_while(
        || false,
        || -> std::future::Ready<Result<()>> { unreachable!("the condition said so") },
    ))
    .unwrap();
}

#[test]
fn do_while_runs_as_long_as_the_condition_holds() {
    let left = Cell::new(4);
    let body = || {
        left.set(left.get() - 1);
        ready(Ok(()))
    };
    block_on(do_while(|| left.get() > 0, body)).unwrap();
    assert_eq!(left.get(), 0);
}

#[test]
fn do_while_stops_at_the_first_error_and_does_not_ask_again() {
    let asked = Cell::new(0);
    let condition = || {
        asked.set(asked.get() + 1);
        true
    };
    let outcome = block_on(do_while(condition, || ready(Err(error(8)))));
    assert_eq!(outcome.unwrap_err().app_code(), 8);
    assert_eq!(asked.get(), 1);
}

#[test]
fn repeat_has_no_way_out_but_an_error() {
    let mut runs = 0;
    let outcome: Result<Infallible> = block_on(repeat(|| {
        runs += 1;
        ready(if runs < 1_000 { Ok(()) } else { Err(error(9)) })
    }));
    let Err(error) = outcome;
    assert_eq!(error.app_code(), 9);
    assert_eq!(runs, 1_000);
}

#[test]
fn do_for_gives_the_numbers_below_n_in_order() {
    let mut seen = Vec::new();
    block_on(do_for(4, |i| {
        seen.push(i);
        ready(Ok(()))
    }))
    .unwrap();
    assert_eq!(seen, [0, 1, 2, 3]);
}

#[test]
fn do_for_counts_in_every_integer_type() {
    fn sum<N>(n: N) -> u64
    where
        N: Default + Into<u64>,
        std::ops::Range<N>: Iterator<Item = N>,
    {
        let mut sum = 0;
        block_on(do_for(n, |i| {
            sum += i.into();
            ready(Ok(()))
        }))
        .unwrap();
        sum
    }
    assert_eq!((sum(4_u8), sum(4_u16), sum(4_u32), sum(4_u64)), (6, 6, 6, 6));

    let items = ["a", "b"];
    let mut seen = String::new();
    block_on(do_for(items.len(), |i| {
        seen.push_str(items[i]);
        ready(Ok(()))
    }))
    .unwrap();
    assert_eq!(seen, "ab");
}

#[test]
fn do_for_with_nothing_to_count_never_runs() {
    for n in [0_i64, -3] {
        block_on(do_for(n, |_| -> std::future::Ready<Result<()>> {
            unreachable!("there is no number")
        }))
        .unwrap();
    }
}

#[test]
fn do_for_skips_the_rest_after_an_error() {
    let mut last = 0;
    let outcome = block_on(do_for(10, |i| {
        last = i;
        ready(if i < 3 { Ok(()) } else { Err(error(i)) })
    }));
    assert_eq!((outcome.unwrap_err().app_code(), last), (3, 3));
}

#[test]
fn do_for_each_gives_the_items_in_order_and_may_borrow_them() {
    let names = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
    let mut seen = Vec::new();
    block_on(do_for_each(&names, |name| {
        seen.push(name.as_str());
        ready(Ok(()))
    }))
    .unwrap();
    assert_eq!(seen, ["a", "b", "c"]);
}

#[test]
fn do_for_each_of_nothing_never_runs() {
    block_on(do_for_each([0; 0], |_| -> std::future::Ready<Result<()>> {
        unreachable!("there is no item")
    }))
    .unwrap();
}

#[test]
fn do_for_each_leaves_the_rest_untouched_after_an_error() {
    let mut items = [1, 2, 3, 4].into_iter();
    let outcome = block_on(do_for_each(items.by_ref(), |item| {
        ready(if item == 2 { Err(error(item)) } else { Ok(()) })
    }));
    assert_eq!(outcome.unwrap_err().app_code(), 2);
    assert_eq!(items.collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn nothing_runs_before_the_first_poll() {
    let runs = Cell::new(0);
    drop(do_until(|| {
        runs.set(runs.get() + 1);
        ready(Ok(Break(())))
    }));
    assert_eq!(runs.get(), 0);
}

#[test]
fn a_run_starts_only_when_the_one_before_has_finished() {
    let gates = RefCell::new(Vec::new());
    let mut task = Task::new(do_for(2, |_| {
        let (gate, key) = gate();
        gates.borrow_mut().push(key);
        gate
    }));
    assert!(task.poll().is_pending());
    assert!(task.poll().is_pending());
    assert_eq!(gates.borrow().len(), 1);

    gates.borrow()[0].open(Ok(()));
    assert_eq!(task.wakes(), 1);
    assert!(task.poll().is_pending());
    assert_eq!(gates.borrow().len(), 2);

    gates.borrow()[1].open(Ok(()));
    assert!(matches!(task.poll(), Poll::Ready(Ok(()))));
}

#[test]
fn bodies_may_be_async_blocks_with_question_marks() {
    async fn step(n: i32) -> Result<i32> {
        Ok(n + 1)
    }
    let n = Cell::new(0);
    let outcome = block_on(do_until(|| async {
        n.set(step(n.get()).await?);
        Ok(if n.get() == 3 { Break(n.get()) } else { Continue(()) })
    }));
    assert_eq!(outcome.unwrap(), 3);

    block_on(do_for(2, |i| {
        let n = &n;
        async move {
            n.set(step(i).await?);
            Ok(())
        }
    }))
    .unwrap();
    assert_eq!(n.get(), 2);
}

#[test]
fn loops_nest() {
    let runs = Cell::new(0);
    block_on(do_for(10, |i| {
        let runs = &runs;
        do_for(i, move |_| {
            runs.set(runs.get() + 1);
            ready(Ok(()))
        })
    }))
    .unwrap();
    assert_eq!(runs.get(), 45);
}

#[test]
#[should_panic(expected = "a loop was polled after it had ended")]
fn polling_a_loop_after_its_end_panics() {
    let mut task = Task::new(do_for(0, |_| pending()));
    assert!(task.poll().is_ready());
    let _ = task.poll();
}
