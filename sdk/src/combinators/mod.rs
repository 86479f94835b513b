//! Loops over futures, each a named future without a clock, a task or a runtime behind it.
//!
//! | | runs | ends with |
//! |---|---|---|
//! | [`do_until()`] | the body, again and again | what the body breaks with |
//! | [`do_until_stop()`] | the body, as long as `stop` says no | `()` once `stop` says yes |
//! | [`do_while()`] | the body, as long as the condition holds | `()` once it does not |
//! | [`repeat()`] | the body, for ever | the body's error, nothing else |
//! | [`do_for()`], [`do_for_each()`] | the body once per number, once per item | `()` after the last |
//! | [`do_with()`] | any of these loops with a state that is handed from run to run | the state |
//!
//! # What all loops have in common
//!
//! * The body is a plain closure that returns a future of [`Result`](crate::Result): `|| async { .. }`, or
//!   `|| writer.write(..)`. One run follows another; a run's future is dropped before anything else of the loop is asked.
//! * Nothing runs before the first poll. The first error ends the loop.
//! * They need no allocation and no stack, however many runs are ready at once. After 64 such runs in one poll a loop wakes
//!   itself and lets its runtime go on with other tasks.
//! * **Cancel safety**: dropping a loop drops the run it is in and starts no other; it is as safe as that run's future.
//! * **Panics**: polling a loop after it has ended panics.

mod do_for;
mod do_for_each;
mod do_until;
mod do_until_stop;
mod do_while;
mod do_with;

mod repeat;
mod run;

mod turn;

pub use do_for::{DoFor, do_for};
pub use do_for_each::{DoForEach, do_for_each};
pub use do_until::{DoUntil, do_until};
pub use do_until_stop::{DoUntilStop, do_until_stop};
pub use do_while::{DoWhile, do_while};
pub use do_with::{
    DoWith, WithForEach, WithRepeat, WithRun, WithTimes, WithUntil, WithUntilStop, WithWhile, do_with,
};
pub use repeat::{Repeat, repeat};

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
