//! The parts that the joins share: the children, and which of them woke.

mod each;
mod slot;
pub mod tuple;
mod wakes;

use std::pin::Pin;
use std::task::{Context, Poll};

pub use each::Each;
pub(super) use wakes::Wakes;

use crate::error::Error;

/// The argument of [`when_all`](crate::when_all): a tuple of up to twelve futures, or anything that
/// can be iterated over and gives futures.
///
/// `Kind` tells the two apart and is always inferred. The trait is sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a tuple of futures nor an iterator of futures",
    note = "join a fixed set as `when_all((a, b))`, any number as `when_all(iter)`",
    note = "tuples hold up to twelve futures"
)]
pub trait Inputs<Kind>: sealed::Inputs<Kind> {
    /// The same futures as the join keeps them.
    type Children: Children;

    #[doc(hidden)]
    fn into_children(self) -> Self::Children;
}

/// The futures of a join, each with its outcome once it has one. The trait is sealed.
pub trait Children: sealed::Children {
    /// Every outcome, in input order.
    type Outputs;

    #[doc(hidden)]
    fn count(&self) -> usize;

    /// Polls one child. Ready means that it has finished with this poll; a child that had finished
    /// before is left alone.
    #[doc(hidden)]
    fn poll_child(self: Pin<&mut Self>, index: usize, cx: &mut Context<'_>) -> Poll<()>;

    /// The outcomes, when all children have finished.
    #[doc(hidden)]
    fn take_outputs(self: Pin<&mut Self>) -> Self::Outputs;
}

/// Futures that may fail, as [`try_when_all`](crate::try_when_all) needs them: with
/// [`Result`](crate::Result) as their output.
#[diagnostic::on_unimplemented(
    message = "`try_when_all` needs futures that give a `trill::Result`",
    note = "for futures of any output there is `when_all`"
)]
pub trait TryChildren: Children {
    /// Every value, in input order.
    type Values;

    /// The error of a child that has finished, if it failed.
    #[doc(hidden)]
    fn take_error(self: Pin<&mut Self>, index: usize) -> Option<Error>;

    /// The values, when all children have succeeded.
    #[doc(hidden)]
    fn take_values(self: Pin<&mut Self>) -> Self::Values;

    /// Drops all children and outcomes, in input order.
    #[doc(hidden)]
    fn clear(self: Pin<&mut Self>);
}

/// The panic of a join that is polled once too often.
pub(super) const POLLED_AFTER_END: &str = "a join was polled after it had ended";

mod sealed {
    pub trait Inputs<Kind> {}
    pub trait Children {}
}
