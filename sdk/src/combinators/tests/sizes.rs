//! The combinators keep what they were given and little else.

use std::future::{pending, ready};

use crate::{Result, do_for, do_until_stop, do_with, when_all, when_any};

const WORD: usize = size_of::<usize>();

#[test]
fn a_loop_is_as_large_as_its_parts_and_a_few_words() {
    let big = [0_u8; 1_000];
    let body = move || async move {
        pending::<()>().await;
        assert_eq!(big.len(), 1_000);
        Ok(())
    };
    let parts = size_of_val(&body) + size_of_val(&body());
    assert!(size_of_val(&do_until_stop(|| false, body)) <= parts + WORD);
    assert!(size_of_val(&do_for(1_u64, move |_| body())) <= parts + 3 * WORD);

    let state = size_of::<[u8; 1_000]>();
    let run = size_of::<std::future::Ready<Result<[u8; 1_000]>>>();
    assert!(
        size_of_val(&do_with(big).times(1_u64, |big, _| ready(Ok(big)))) <= state + run + 4 * WORD
    );
}

#[test]
fn a_join_of_a_tuple_holds_its_children_without_the_heap() {
    let child = || async {
        let big = [0_u8; 1_000];
        pending::<()>().await;
        big.len()
    };
    let children = 2 * (size_of_val(&child()) + WORD);
    let join = size_of_val(&when_all((child(), child())));
    assert!((children - 2 * WORD..=children + 9 * WORD).contains(&join));
}

#[test]
fn a_join_of_many_is_small_itself() {
    let children = || (0..100).map(ready);
    assert!(size_of_val(&when_all(children())) <= 12 * WORD);
    assert!(size_of_val(&when_any(children())) <= 12 * WORD);
}
