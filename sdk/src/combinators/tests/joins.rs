//! The joins, case by case.

use std::future::{Ready, pending, ready};
use std::task::Poll;

use super::support::{Gate, Key, Task, block_on, error, gate, gates};
use crate::{Error, Result, try_when_all, when_all, when_any, when_any_ok};

#[test]
fn when_all_of_nothing_is_ready_at_once() {
    assert_eq!(Task::new(when_all(())).poll(), Poll::Ready(()));
    assert_eq!(Task::new(when_all(Vec::<Ready<u8>>::new())).poll(), Poll::Ready(vec![]));
}

#[test]
fn when_all_takes_a_single_future() {
    assert_eq!(block_on(when_all((ready(1),))), (1,));
    assert_eq!(block_on(when_all([ready(1)])), [1]);
    assert_eq!(block_on(when_all(Some(ready(1)))), [1]);
}

#[test]
fn when_all_takes_a_tuple_of_twelve() {
    let outcomes = block_on(when_all((
        ready(0),
        ready("1"),
        ready(2.0),
        ready('3'),
        ready(()),
        ready(5_u8),
        ready(6_i64),
        ready(Some(7)),
        ready([8]),
        ready(Ok::<_, Error>(9)),
        ready(vec![10]),
        ready((11,)),
    )));
    assert_eq!((outcomes.0, outcomes.1, outcomes.11), (0, "1", (11,)));
    assert_eq!(outcomes.9.unwrap(), 9);
}

#[test]
fn when_all_takes_every_form_of_many() {
    let vec = vec![ready(1), ready(2)];
    assert_eq!(block_on(when_all(vec)), [1, 2]);
    assert_eq!(block_on(when_all([ready(1), ready(2)])), [1, 2]);
    assert_eq!(block_on(when_all((1..3).map(ready))), [1, 2]);
    assert_eq!(block_on(when_all([1, 2].iter().map(async |n| n + 1))), [2, 3]);

    let (mut first, mut second) = (Box::pin(async { 1 }), Box::pin(async { 1 }));
    assert_eq!(block_on(when_all((&mut first, &mut second))), (1, 1));
}

#[test]
fn when_all_keeps_input_order_whatever_ends_first() {
    let (inputs, keys) = gates(5);
    let mut task = Task::new(when_all(inputs));
    assert!(task.poll().is_pending());
    for index in [3, 0, 4, 2] {
        keys[index].open(index);
        assert!(task.poll().is_pending());
    }
    keys[1].open(1);
    assert_eq!(task.poll(), Poll::Ready(vec![0, 1, 2, 3, 4]));
}

#[test]
fn when_all_never_fails_and_keeps_failures_in_their_place() {
    let outcomes = block_on(when_all([ready(Ok(0)), ready(Err(error(1))), ready(Ok(2))]));
    assert_eq!(outcomes.len(), 3);
    assert_eq!(*outcomes[0].as_ref().unwrap(), 0);
    assert_eq!(outcomes[1].as_ref().unwrap_err().app_code(), 1);
    assert_eq!(*outcomes[2].as_ref().unwrap(), 2);
}

#[test]
fn when_all_polls_only_what_woke() {
    let (inputs, keys) = gates::<()>(100);
    let mut task = Task::new(when_all(inputs));
    assert!(task.poll().is_pending());
    assert!(task.poll().is_pending());
    assert!(keys.iter().all(|key| key.polls() == 1));

    keys[17].wake();
    keys[17].wake();
    keys[42].wake();
    assert_eq!(task.wakes(), 1, "the first of them woke the task");
    assert!(task.poll().is_pending());
    assert_eq!((keys[17].polls(), keys[42].polls()), (2, 2));
    assert_eq!(keys.iter().map(Key::polls).sum::<usize>(), 102);
}

#[test]
fn a_tuple_polls_only_what_woke() {
    let ((a, key_a), (b, key_b), (c, key_c)) = (gate(), gate(), gate());
    let mut task = Task::new(when_all((a, b, c)));
    assert!(task.poll().is_pending());
    key_b.open("b");
    assert!(task.poll().is_pending());
    assert_eq!((key_a.polls(), key_b.polls(), key_c.polls()), (1, 2, 1));

    key_b.wake();
    key_a.open(1);
    assert!(task.poll().is_pending());
    assert_eq!((key_a.polls(), key_b.polls(), key_c.polls()), (2, 2, 1));

    key_c.open(());
    assert_eq!(task.poll(), Poll::Ready((1, "b", ())));
}

#[test]
fn a_child_that_wakes_itself_is_polled_again_in_a_later_poll() {
    let mut polls = 0;
    let child = std::future::poll_fn(|cx| {
        polls += 1;
        cx.waker().wake_by_ref();
        if polls < 4 { Poll::Pending } else { Poll::Ready(()) }
    });
    let mut task = Task::new(when_all((child,)));
    for wakes in 1..4 {
        assert!(task.poll().is_pending());
        assert_eq!(task.wakes(), wakes);
    }
    assert_eq!(task.poll(), Poll::Ready(((),)));
}

#[test]
fn a_join_that_moves_to_another_task_wakes_that_one() {
    let (input, key) = gate();
    let mut join = Box::pin(when_all((input,)));
    let mut first = Task::new(async { join.as_mut().await });
    assert!(first.poll().is_pending());
    let first_wakes = first.wakes();
    drop(first);

    let mut second = Task::new(join);
    assert!(second.poll().is_pending());
    key.open(1);
    assert_eq!((first_wakes, second.wakes()), (0, 1));
    assert_eq!(second.poll(), Poll::Ready((1,)));
}

#[test]
fn no_wake_from_another_thread_is_lost() {
    for round in 0..500 {
        let (inputs, keys) = gates(16);
        let (left, right): (Vec<_>, Vec<_>) =
            keys.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
        let openers = [left, right].map(|keys| {
            std::thread::spawn(move || {
                for (index, key) in keys {
                    key.wake();
                    key.open(round + index);
                }
            })
        });
        let outcomes = block_on(when_all(inputs));
        for opener in openers {
            opener.join().expect("the thread opens its gates");
        }
        assert_eq!(outcomes, (round..round + 16).collect::<Vec<_>>());
    }
}

#[test]
fn children_may_wait_for_one_another() {
    let (input, key) = gate();
    let opener = async move {
        tokio::task::yield_now().await;
        key.open(5);
        6
    };
    assert_eq!(block_on(when_all((input, opener))), (5, 6));
}

#[test]
fn try_when_all_gives_all_values_in_input_order() {
    assert_eq!(block_on(try_when_all((ready(Ok(1)), ready(Ok("2"))))).unwrap(), (1, "2"));
    assert_eq!(block_on(try_when_all((0..3).map(|n| ready(Ok(n))))).unwrap(), [0, 1, 2]);
}

#[test]
fn try_when_all_of_nothing_is_ready_at_once() {
    assert!(matches!(Task::new(try_when_all(())).poll(), Poll::Ready(Ok(()))));
    let none = Vec::<Ready<Result<u8>>>::new();
    assert_eq!(block_on(try_when_all(none)).unwrap(), [0_u8; 0]);
}

#[test]
fn try_when_all_ends_with_the_first_error_in_time() {
    let (inputs, keys) = gates::<Result<()>>(3);
    let mut task = Task::new(try_when_all(inputs));
    assert!(task.poll().is_pending());
    keys[2].open(Err(error(2)));
    let Poll::Ready(Err(failure)) = task.poll() else { panic!("one has failed") };
    assert_eq!(failure.app_code(), 2);
    assert!(keys.iter().all(Key::is_dropped));
}

#[test]
fn try_when_all_takes_the_first_in_input_order_of_errors_that_came_together() {
    let (inputs, keys) = gates::<Result<()>>(3);
    let mut task = Task::new(try_when_all(inputs));
    assert!(task.poll().is_pending());
    keys[2].open(Err(error(2)));
    keys[1].open(Err(error(1)));
    let Poll::Ready(Err(failure)) = task.poll() else { panic!("two have failed") };
    assert_eq!(failure.app_code(), 1);
    assert_eq!(keys[2].polls(), 1);
}

#[test]
fn try_when_all_knows_the_error_type_of_async_blocks() {
    async fn step(n: i32) -> Result<i32> {
        Ok(n)
    }
    let sum = block_on(async {
        let (a, b) =
            try_when_all((async { Ok(step(1).await? + 1) }, async { Ok(step(2).await? + 1) }))
                .await?;
        let c = try_when_all((0..2).map(|n| async move { Ok(step(n).await? + 1) })).await?;
        Ok::<_, Error>(a + b + c[1])
    });
    assert_eq!(sum.unwrap(), 7);
}

#[test]
fn when_any_of_nothing_is_none() {
    assert_eq!(Task::new(when_any(Vec::<Ready<u8>>::new())).poll(), Poll::Ready(None));
}

#[test]
fn when_any_gives_the_first_outcome_with_its_index() {
    let (inputs, keys) = gates(3);
    let mut task = Task::new(when_any(inputs));
    assert!(task.poll().is_pending());
    keys[1].open("first");
    assert_eq!(task.wakes(), 1);
    assert_eq!(task.poll(), Poll::Ready(Some((1, "first"))));
    assert!(keys.iter().all(Key::is_dropped));
}

#[test]
fn when_any_takes_a_failure_as_well_and_keeps_its_index() {
    let inputs =
        [1, 2].map(async |n| if n == 2 { Err::<(), _>(error(n)) } else { pending().await });
    let (index, outcome) = block_on(when_any(inputs)).expect("there were two");
    assert_eq!((index, outcome.unwrap_err().app_code()), (1, 2));
}

#[test]
fn when_any_gives_a_tie_to_the_lowest_index() {
    let (inputs, keys) = gates(4);
    let mut task = Task::new(when_any(inputs));
    assert!(task.poll().is_pending());
    keys[3].open(3);
    keys[1].open(1);
    assert_eq!(task.poll(), Poll::Ready(Some((1, 1))));
    assert_eq!((keys[3].polls(), keys[0].polls()), (1, 1));

    assert_eq!(block_on(when_any((0..9).map(ready))), Some((0, 0)));
}

#[test]
fn when_any_ok_of_nothing_is_none() {
    let none = Vec::<Ready<Result<u8>>>::new();
    assert!(matches!(Task::new(when_any_ok(none)).poll(), Poll::Ready(None)));
}

#[test]
fn when_any_ok_passes_over_failures() {
    let (inputs, keys) = gates(3);
    let mut task = Task::new(when_any_ok(inputs));
    assert!(task.poll().is_pending());
    keys[0].open(Err(error(0)));
    assert!(task.poll().is_pending());
    keys[2].open(Ok("success"));
    let Poll::Ready(Some(Ok(winner))) = task.poll() else { panic!("one has succeeded") };
    assert_eq!(winner, (2, "success"));
    assert!(keys[1].is_dropped());
}

#[test]
fn when_any_ok_gives_a_tie_to_the_lowest_index() {
    let outcomes = [Err(error(0)), Ok(1), Ok(2)].map(ready);
    assert_eq!(block_on(when_any_ok(outcomes)).expect("there were three").unwrap(), (1, 1));
}

#[test]
fn when_any_ok_fails_with_the_failure_that_came_last() {
    let (inputs, keys) = gates::<Result<()>>(3);
    let mut task = Task::new(when_any_ok(inputs));
    assert!(task.poll().is_pending());
    for index in [2, 0] {
        keys[index].open(Err(error(index as i32)));
        assert!(task.poll().is_pending());
    }
    keys[1].open(Err(error(1)));
    let Poll::Ready(Some(Err(failure))) = task.poll() else { panic!("all have failed") };
    assert_eq!(failure.app_code(), 1);
}

#[test]
fn when_any_ok_takes_failures_that_came_together_in_input_order() {
    let failures = (0..3).map(|n| ready(Err::<(), _>(error(n))));
    let failure = block_on(when_any_ok(failures)).expect("there were three").unwrap_err();
    assert_eq!(failure.app_code(), 2);
}

#[test]
fn polling_a_join_after_its_end_panics() {
    fn ends_twice<F: Future>(future: F) -> String {
        let mut task = Task::new(future);
        assert!(task.poll().is_ready());
        let again =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| task.poll().is_ready()));
        let text = again.expect_err("the second poll panics");
        text.downcast_ref::<String>()
            .cloned()
            .or_else(|| text.downcast_ref::<&str>().map(ToString::to_string))
            .unwrap()
    }
    let expected = "a join was polled after it had ended";
    assert_eq!(ends_twice(when_all((ready(1),))), expected);
    assert_eq!(ends_twice(when_all(())), expected);
    assert_eq!(ends_twice(try_when_all([ready(Err::<(), _>(error(1)))])), expected);
    assert_eq!(ends_twice(when_any([ready(1)])), expected);
    assert_eq!(ends_twice(when_any(Vec::<Gate<()>>::new())), expected);
    assert_eq!(ends_twice(when_any_ok([ready(Ok(1))])), expected);
}
