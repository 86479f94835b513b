//! Loops that hand a state from run to run.

mod for_each;
mod repeat;
mod run;
mod run_while;
mod times;
mod until;
mod until_stop;

use std::fmt;
use std::ops::{ControlFlow, Range};

pub use for_each::WithForEach;
pub use repeat::WithRepeat;
pub use run::WithRun;
pub use run_while::WithWhile;
pub use times::WithTimes;
pub use until::WithUntil;
pub use until_stop::WithUntilStop;

use crate::error::Result;

/// Starts a loop that owns `state`: each run gets it by value and gives it back for the next.
///
/// This is the way to loop over something that only one future at a time may borrow, such as a
/// stream's exclusive handle. The methods of [`DoWith`] are the loops; nothing runs before one of
/// them is called and its future is polled.
///
/// ```
/// use std::ops::ControlFlow::{Break, Continue};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let digits = trill::do_with((1_u32, 0)).until(async |(n, digits)| {
///     Ok(if n < 1_000 { Continue((n * 10, digits + 1)) } else { Break(digits) })
/// })
/// .await?;
///
/// assert_eq!(digits, 3);
/// # Ok::<_, trill::Error>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn do_with<S>(state: S) -> DoWith<S> {
    DoWith { state }
}

/// A state that waits for its loop; made by [`do_with()`].
///
/// **On drop**: a loop that is dropped drops the state with the run that has it. An error of a run
/// ends the loop; the state went with that run, unless the error carries it.
#[must_use = "a state does nothing until one of the loops is called"]
#[derive(Clone)]
pub struct DoWith<S> {
    state: S,
}

impl<S> DoWith<S> {
    /// Runs `body` once with the state; the outcome is the body's, whatever it is.
    pub fn run<F, Fut>(self, body: F) -> WithRun<S, F, Fut>
    where
        F: FnOnce(S) -> Fut,
        Fut: Future,
    {
        WithRun::new(self.state, body)
    }

    /// Runs `body` until it breaks, as [`do_until`](crate::do_until) does.
    ///
    /// `Ok(Continue(state))` asks for another run with that state, `Ok(Break(value))` ends the loop
    /// with `value`.
    pub fn until<F, Fut, B>(self, body: F) -> WithUntil<S, F, Fut>
    where
        F: FnMut(S) -> Fut,
        Fut: Future<Output = Result<ControlFlow<B, S>>>,
    {
        WithUntil::new(self.state, body)
    }

    /// Runs `body` until `stop` says `true`, as [`do_until_stop`](crate::do_until_stop) does, and
    /// gives the state back.
    ///
    /// `stop` sees the state before every run, the first one included.
    pub fn until_stop<P, F, Fut>(self, stop: P, body: F) -> WithUntilStop<S, P, F, Fut>
    where
        P: FnMut(&S) -> bool,
        F: FnMut(S) -> Fut,
        Fut: Future<Output = Result<S>>,
    {
        WithUntilStop::new(self.state, stop, body)
    }

    /// Runs `body` as long as `condition` says `true`, as [`do_while`](crate::do_while) does, and
    /// gives the state back.
    ///
    /// `condition` sees the state before every run, the first one included.
    #[doc(alias = "do_while")]
    pub fn run_while<C, F, Fut>(self, condition: C, body: F) -> WithWhile<S, C, F, Fut>
    where
        C: FnMut(&S) -> bool,
        F: FnMut(S) -> Fut,
        Fut: Future<Output = Result<S>>,
    {
        WithWhile::new(self.state, condition, body)
    }

    /// Runs `body` for ever, as [`repeat`](crate::repeat) does; only an error ends it.
    pub fn repeat<F, Fut>(self, body: F) -> WithRepeat<S, F, Fut>
    where
        F: FnMut(S) -> Fut,
        Fut: Future<Output = Result<S>>,
    {
        WithRepeat::new(self.state, body)
    }

    /// Runs `body` with the numbers 0 to `n - 1`, as [`do_for`](crate::do_for) does, and gives the
    /// state back.
    #[doc(alias = "do_for")]
    pub fn times<N, F, Fut>(self, n: N, body: F) -> WithTimes<S, N, F, Fut>
    where
        N: Default,
        Range<N>: Iterator<Item = N>,
        F: FnMut(S, N) -> Fut,
        Fut: Future<Output = Result<S>>,
    {
        WithTimes::new(self.state, n, body)
    }

    /// Runs `body` on each item, as [`do_for_each`](crate::do_for_each) does, and gives the state
    /// back.
    #[doc(alias = "do_for_each")]
    pub fn for_each<I, F, Fut>(self, items: I, body: F) -> WithForEach<S, I::IntoIter, F, Fut>
    where
        I: IntoIterator,
        F: FnMut(S, I::Item) -> Fut,
        Fut: Future<Output = Result<S>>,
    {
        WithForEach::new(self.state, items.into_iter(), body)
    }
}

impl<S> fmt::Debug for DoWith<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoWith").finish_non_exhaustive()
    }
}

/// Takes the state out for a run or for the end.
fn take<S>(state: &mut Option<S>) -> S {
    state.take().expect("between two runs the state is here, unless the body panicked")
}

/// Puts the state back that a run returned.
fn put<S, Out>(state: &mut Option<S>, value: S) -> ControlFlow<Out> {
    *state = Some(value);
    ControlFlow::Continue(())
}
