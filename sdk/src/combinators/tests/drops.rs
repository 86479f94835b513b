//! The moments at which children and runs are dropped.

use std::future::{pending, ready};

use super::support::{Log, Task, error, gate, gates};
use crate::{Result, do_for, do_until_stop, try_when_all, when_all, when_any, when_any_ok};

#[test]
fn a_run_is_dropped_before_the_loop_asks_again() {
    let log = Log::default();
    let mut runs = 0;
    let stop = || {
        log.note("stop?");
        runs += 1;
        runs == 3
    };
    let body = || {
        log.note("body");
        let run = log.noted("run dropped");
        std::future::poll_fn(move |_| {
            let _ = &run;
            std::task::Poll::Ready(Ok(()))
        })
    };
    assert!(Task::new(do_until_stop(stop, body)).poll().is_ready());
    assert_eq!(
        log.take(),
        ["stop?", "body", "run dropped", "stop?", "body", "run dropped", "stop?"]
    );
}

#[test]
fn a_loop_that_is_dropped_drops_its_run_and_starts_no_other() {
    let log = Log::default();
    let mut task = Task::new(do_for(5, |_| {
        let run = log.noted("run dropped");
        async move {
            pending::<()>().await;
            drop(run);
            Ok(())
        }
    }));
    assert!(task.poll().is_pending());
    drop(task);
    assert_eq!(log.take(), ["run dropped"]);
}

#[test]
fn when_all_drops_each_child_as_it_finishes() {
    let (inputs, keys) = gates(3);
    let mut task = Task::new(when_all(inputs));
    assert!(task.poll().is_pending());
    keys[1].open(());
    assert!(task.poll().is_pending());
    assert_eq!([0, 1, 2].map(|index| keys[index].is_dropped()), [false, true, false]);
}

#[test]
fn a_join_that_is_dropped_drops_children_and_outcomes_in_input_order() {
    async fn outcome(log: &Log, name: &'static str, wait: bool) -> super::support::Noted {
        let noted = log.noted(name);
        if wait {
            pending::<()>().await;
        }
        noted
    }
    let log = Log::default();
    let children =
        || (outcome(&log, "a", true), outcome(&log, "b", false), outcome(&log, "c", true));

    let mut tuple = Task::new(when_all(children()));
    assert!(tuple.poll().is_pending());
    drop(tuple);
    assert_eq!(log.take(), ["a", "b", "c"]);

    let (a, b, c) = children();
    let mut iterated = Task::new(when_all([a, b, c]));
    assert!(iterated.poll().is_pending());
    drop(iterated);
    assert_eq!(log.take(), ["a", "b", "c"]);
}

#[test]
fn the_first_error_drops_everything_before_it_is_handed_out() {
    async fn value(log: &Log, name: &'static str, wait: bool) -> Result<super::support::Noted> {
        let noted = log.noted(name);
        if wait {
            pending::<()>().await;
        }
        Ok(noted)
    }
    let log = Log::default();
    let (failing, key) = gate::<Result<()>>();
    let mut task =
        Task::new(try_when_all((value(&log, "a", false), failing, value(&log, "c", true))));
    assert!(task.poll().is_pending());
    key.open(Err(error(1)));
    assert!(task.poll().is_ready());
    assert!(key.is_dropped());
    assert_eq!(log.take(), ["a", "c"]);
    drop(task);
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn losers_are_dropped_before_the_first_outcome_is_handed_out() {
    async fn child(log: &Log, name: &'static str) -> Result<&'static str> {
        let _noted = log.noted(name);
        if name != "b" {
            pending::<()>().await;
        }
        Ok(name)
    }
    let log = Log::default();
    let children = || ["a", "b", "c"].map(|name| child(&log, name));

    // The third child is never polled, so it has made no note yet.
    let mut any = Task::new(when_any(children()));
    assert!(any.poll().is_ready());
    assert_eq!(log.take(), ["b", "a"]);

    let mut any_ok = Task::new(when_any_ok(children()));
    assert!(any_ok.poll().is_ready());
    assert_eq!(log.take(), ["b", "a"]);
}

#[test]
fn a_wake_after_the_end_does_no_harm() {
    let (loser, key) = gate();
    let mut task = Task::new(when_any([loser]));
    assert!(task.poll().is_pending());
    drop(task);
    key.open(());

    let mut all = Task::new(when_all((ready(1),)));
    assert!(all.poll().is_ready());
}
