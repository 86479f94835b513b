//! Loops and joins over futures, each a named future without a clock, a task or a runtime behind
//! it.
//!
//! | | runs | ends with |
//! |---|---|---|
//! | [`do_until()`] | the body, again and again | what the body breaks with |
//! | [`do_until_stop()`] | the body, as long as `stop` says no | `()` once `stop` says yes |
//! | [`do_while()`] | the body, as long as the condition holds | `()` once it does not |
//! | [`repeat()`] | the body, for ever | the body's error, nothing else |
//! | [`do_for()`], [`do_for_each()`] | the body once per number, once per item | `()` after the last |
//! | [`do_with()`] | any of these loops with a state that is handed from run to run | the state |
//! | [`when_all()`] | all futures at once | every outcome, in input order |
//! | [`try_when_all()`] | all futures at once | every value, or the first error |
//! | [`when_any()`] | all futures at once | the first outcome |
//! | [`when_any_ok()`] | all futures at once | the first success, or the last failure |
//!
//! # What all loops have in common
//!
//! * The body is a plain closure that returns a future of [`Result`](crate::Result):
//!   `|| async { .. }`, or, of a `shared()` handle, `|| writer.write(..)`. A handle of its own, or
//!   anything else that a body changes by `&mut`, goes through [`do_with()`]: a plain closure
//!   cannot lend it to its future (the compiler says that a captured variable escapes, or that the
//!   closure does not implement `FnMut`). One run follows another; a run's future is dropped before
//!   anything else of the loop is asked.
//! * Nothing runs before the first poll. The first error ends the loop.
//! * They need no allocation and no stack, however many runs are ready at once. After 64 such runs
//!   in one poll a loop wakes itself and lets its runtime go on with other tasks.
//! * **Cancel safety**: dropping a loop drops the run it is in and starts no other; it is as safe
//!   as that run's future.
//! * **Panics**: polling a loop or a join after it has ended panics.
//!
//! # What all joins have in common
//!
//! * They take calls as they are: `try_when_all((client.a(x), client.b(y)))`.
//! * They poll a child only if it woke. Children that woke between two polls are polled in input
//!   order.
//! * A child is dropped as soon as it has finished. The others are dropped, in input order, in the
//!   poll that ends the join, before its outcome is handed out, or with the join if it is dropped
//!   before.
//! * A loop whose body borrows, as a child inside a trait's async method, has to stand in an
//!   `async` block of its own, such as `try_when_all((async { do_for(3, |i| ..).await }, ..))`.
//!   Without it rustc 1.95 says "lifetime mismatch" and "no two async blocks, even if identical,
//!   have the same type".
//! * They hold their children in one task: none of them runs unless the join is polled. Spawn what
//!   has to run in parallel.

mod do_for;
mod do_for_each;
mod do_until;
mod do_until_stop;
mod do_while;
mod do_with;
mod join;
mod repeat;
mod run;
mod try_when_all;
mod turn;
mod when_all;
mod when_any;
mod when_any_ok;

pub use do_for::{DoFor, do_for};
pub use do_for_each::{DoForEach, do_for_each};
pub use do_until::{DoUntil, do_until};
pub use do_until_stop::{DoUntilStop, do_until_stop};
pub use do_while::{DoWhile, do_while};
pub use do_with::{
    DoWith, WithForEach, WithRepeat, WithRun, WithTimes, WithUntil, WithUntilStop, WithWhile,
    do_with,
};
pub use join::{Children, Each, Inputs, TryChildren, tuple};
pub use repeat::{Repeat, repeat};
pub use try_when_all::{TryWhenAll, try_when_all};
pub use when_all::{WhenAll, when_all};
pub use when_any::{WhenAny, when_any};
pub use when_any_ok::{WhenAnyOk, when_any_ok};

/// `Debug` by name alone: the parts are closures and futures, which have none.
macro_rules! opaque_debug {
    ($name:ident<$($param:ident $(: $bound:path)?),*>) => {
        impl<$($param $(: $bound)?),*> std::fmt::Debug for $name<$($param),*> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}
use opaque_debug;

#[cfg(test)]
mod tests;
