//! The loops that hand a state from run to run, case by case.

use std::future::{pending, ready};
use std::ops::ControlFlow::{Break, Continue};

use super::support::{Log, Task, block_on, error};
use crate::{Result, do_with};

#[test]
fn run_gives_exactly_the_outcome_of_the_body() {
    let length = block_on(do_with(vec![1, 2]).run(async |state| state.len()));
    assert_eq!(length, 2);

    let failure: Result<()> = block_on(do_with(()).run(|()| ready(Err(error(1)))));
    assert_eq!(failure.unwrap_err().app_code(), 1);
}

#[test]
fn until_threads_the_state_and_ends_with_what_the_body_breaks_with() {
    let outcome = block_on(do_with(Vec::new()).until(async |mut seen| {
        seen.push(seen.len());
        Ok(if seen.len() < 3 { Continue(seen) } else { Break(seen) })
    }));
    assert_eq!(outcome.unwrap(), [0, 1, 2]);
}

#[test]
fn until_stop_sees_the_state_and_gives_it_back() {
    let outcome = block_on(do_with(1).until_stop(|n| *n > 100, async |n| Ok(n * 2)));
    assert_eq!(outcome.unwrap(), 128);
}

#[test]
fn until_stop_gives_the_state_back_untouched_if_stop_holds_at_first() {
    let outcome = block_on(do_with("state").until_stop(|_| true, |_| pending()));
    assert_eq!(outcome.unwrap(), "state");
}

#[test]
fn run_while_sees_the_state_and_gives_it_back() {
    let outcome = block_on(do_with(10).run_while(|n| *n > 3, async |n| Ok(n - 1)));
    assert_eq!(outcome.unwrap(), 3);
}

#[test]
fn run_while_gives_the_state_back_untouched_if_the_condition_fails_at_first() {
    let outcome = block_on(do_with("state").run_while(|_| false, |_| pending()));
    assert_eq!(outcome.unwrap(), "state");
}

#[test]
fn times_gives_state_and_number() {
    let outcome =
        block_on(do_with(String::new()).times(3, async |text, i| Ok(format!("{text}{i}"))));
    assert_eq!(outcome.unwrap(), "012");
}

#[test]
fn times_zero_gives_the_state_back() {
    let outcome = block_on(do_with("state").times(0_usize, |_, _| pending()));
    assert_eq!(outcome.unwrap(), "state");
}

#[test]
fn for_each_gives_state_and_item() {
    let outcome = block_on(do_with(0).for_each([1, 2, 3], async |sum, item| Ok(sum + item)));
    assert_eq!(outcome.unwrap(), 6);
}

#[test]
fn for_each_of_nothing_gives_the_state_back() {
    let outcome = block_on(do_with("state").for_each([0; 0], |_, _| pending()));
    assert_eq!(outcome.unwrap(), "state");
}

#[test]
fn repeat_ends_only_with_an_error() {
    let Err(failure) =
        block_on(do_with(0).repeat(async |n| if n < 100 { Ok(n + 1) } else { Err(error(n)) }));
    assert_eq!(failure.app_code(), 100);
}

#[test]
fn an_error_ends_each_loop_and_drops_the_state_with_its_run() {
    let log = Log::default();
    let state = || do_with(log.noted("state"));
    let fail = |state| async move {
        drop(state);
        Err(error(5))
    };
    let failures = [
        block_on(state().until_stop(|_| false, fail)).err(),
        block_on(state().run_while(|_| true, fail)).err(),
        block_on(state().times(9, |state, _| fail(state))).err(),
        block_on(state().for_each([1, 2], |state, _| fail(state))).err(),
    ];
    assert!(failures.into_iter().all(|failure| failure.unwrap().app_code() == 5));
    assert_eq!(log.take(), ["state"; 4]);
}

#[test]
fn a_state_that_only_one_may_borrow_can_be_looped_over() {
    struct Exclusive(u32);

    impl Exclusive {
        async fn read(&mut self) -> Result<Option<u32>> {
            self.0 += 1;
            Ok((self.0 <= 3).then_some(self.0))
        }
    }

    let sum = block_on(do_with((Exclusive(0), 0)).until(async |(mut reader, sum)| {
        Ok(match reader.read().await? {
            Some(n) => Continue((reader, sum + n)),
            None => Break(sum),
        })
    }));
    assert_eq!(sum.unwrap(), 6);
}

#[test]
fn a_loop_that_is_dropped_drops_the_state() {
    let log = Log::default();
    drop(do_with(log.noted("before the first poll")).times(3, async |state, _| Ok(state)));
    let mut task = Task::new(do_with(log.noted("in a run")).times(3, |state, _| async move {
        pending::<()>().await;
        Ok(state)
    }));
    assert!(task.poll().is_pending());
    drop(task);
    assert_eq!(log.take(), ["before the first poll", "in a run"]);
}

#[test]
#[should_panic(expected = "a loop was polled after it had ended")]
fn polling_a_loop_after_its_end_panics() {
    let mut task = Task::new(do_with(()).times(0, |(), _| pending()));
    assert!(task.poll().is_ready());
    let _ = task.poll();
}

#[test]
#[should_panic(expected = "was polled after it had ended")]
fn polling_a_single_run_after_its_end_panics() {
    let mut task = Task::new(do_with(()).run(ready));
    assert!(task.poll().is_ready());
    let _ = task.poll();
}
