//! The place that every call of a peer passes: its start and its end are told here, each once.
//!
//! A call that was admitted has a guard from then on, in the hands of whatever runs it. A call that
//! was refused before that begins and ends in one step. Nothing else tells of starts and ends, so
//! whatever is to hear of calls hooks in here.

use std::ops::Deref;

use crate::driver::{Ending, Outcome, RefusedCall};
use crate::error::{Error, Result};
#[cfg(test)]
use crate::service::recorder::{RecordedSide, record_end, record_start};
use crate::stream::CallEnd;
use crate::transport::PeerAddr;

use super::context::Context;
use super::router::SHOWN_PATH;

/// The end of a handler, and then of its call.
pub(super) enum Finished<T> {
    Done(Result<T>),
    /// With this text.
    Panicked(String),
    /// The outcome is not waited for any more, so the handler was dropped.
    Cancelled(Ending),
    /// The handler is done, and its answer could not be sent.
    NotSent(Error),
}

/// The end of a call, which most often is a good one.
pub(super) type Ended = Result<(), Box<Finished<()>>>;

impl<T> Finished<T> {
    /// The end of a call whose outcome was passed on, or which needs none.
    #[inline]
    pub(super) fn without_answer(self) -> Ended {
        Err(Box::new(match self {
            Self::Done(Ok(_)) => return Ok(()),
            Self::Done(Err(error)) => Finished::Done(Err(error)),
            Self::Panicked(text) => Finished::Panicked(text),
            Self::Cancelled(ending) => Finished::Cancelled(ending),
            Self::NotSent(error) => Finished::NotSent(error),
        }))
    }
}

impl From<Error> for Box<Finished<()>> {
    fn from(error: Error) -> Self {
        Self::new(Finished::Done(Err(error)))
    }
}

/// A call that goes on. Dropping the guard ends the call, one way or the other, and tells the tasks
/// that the handler has left behind.
#[derive(Debug)]
pub(super) struct ServerGuard {
    cx: Context,
    one_way: bool,
    /// Its end is told.
    is_over: bool,
}

impl ServerGuard {
    #[inline]
    pub(super) fn begin(cx: Context, one_way: bool) -> Self {
        tell_start(cx.method(), cx.peer());
        Self { cx, one_way, is_over: false }
    }

    pub(super) fn cx(&self) -> &Context {
        &self.cx
    }

    /// Tells whether the caller waits for no answer.
    pub(super) fn is_one_way(&self) -> bool {
        self.one_way
    }

    /// Tells how the call ended. A guard that is dropped without that has lost its task.
    #[inline]
    pub(super) fn end(&mut self, ended: &Ended) {
        debug_assert!(!self.is_over, "a call ends once");
        self.is_over = true;
        match ended {
            Ok(()) => tell_good_end(self.cx.method(), self.cx.peer()),
            Err(finished) => self.end_badly(finished),
        }
    }

    #[cold]
    fn end_badly(&self, finished: &Finished<()>) {
        let how = match finished {
            Finished::Done(result) => CallEnd::of(result),
            Finished::Cancelled(ending) => CallEnd::Ended(ending),
            Finished::Panicked(_) => CallEnd::Panicked,
            Finished::NotSent(error) => CallEnd::Failed(error),
        };
        tell_bad_end(self.cx.method(), self.cx.peer(), how);
        self.warn(finished);
    }

    /// The same for a call that is refused after it was admitted.
    pub(super) fn end_refused(&mut self, outcome: &Outcome) {
        self.is_over = true;
        tell_bad_end(self.cx.method(), self.cx.peer(), CallEnd::Refused(outcome));
    }

    /// Says in the log what no caller hears of: panics, answers that did not go out, and the
    /// failures of one-way calls.
    fn warn(&self, finished: &Finished<()>) {
        let (method, peer) = (self.cx.method(), self.cx.peer());
        match finished {
            Finished::Panicked(panic) => {
                tracing::error!(method, %peer, panic, "a handler panicked");
            }
            Finished::NotSent(error) => tracing::warn!(%error, "an answer could not be sent"),
            Finished::Done(Err(error)) if self.one_way => {
                tracing::warn!(method, %error, "a one-way call failed");
            }
            Finished::Cancelled(Ending::Abandoned(limit)) => {
                tracing::warn!(
                    method,
                    %peer,
                    "a one-way call was given up: its connection has been gone for {limit:?} \
                     (abandoned_call_timeout)"
                );
            }
            Finished::Done(_) | Finished::Cancelled(_) => {}
        }
    }
}

impl Deref for ServerGuard {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.cx
    }
}

impl Drop for ServerGuard {
    #[inline]
    fn drop(&mut self) {
        if !self.is_over {
            tell_bad_end(self.cx.method(), self.cx.peer(), CallEnd::Dropped);
        }
        self.cx.end();
    }
}

/// A call was refused before it had a guard. The name of its method is the peer's, of which the
/// beginning is enough; it is empty if the call could not be read.
#[cold]
pub(super) fn tell_refused(call: &RefusedCall, peer: &PeerAddr) {
    let method = String::from_utf8_lossy(&call.method[..call.method.len().min(SHOWN_PATH)]);
    tell_start(&method, peer);
    tell_bad_end(&method, peer, CallEnd::Refused(&call.outcome));
}

#[inline]
fn tell_start(method: &str, peer: &PeerAddr) {
    tracing::trace!(method, %peer, "a call of a peer begins");
    #[cfg(test)]
    record_start(RecordedSide::Server, method);
}

#[inline]
fn tell_good_end(method: &str, peer: &PeerAddr) {
    tracing::trace!(method, %peer, "a call of a peer has ended well");
    #[cfg(test)]
    record_end(RecordedSide::Server, method, CallEnd::Done);
}

#[cold]
fn tell_bad_end(method: &str, peer: &PeerAddr, how: CallEnd<'_>) {
    tracing::debug!(method, %peer, %how, "a call of a peer has ended");
    #[cfg(test)]
    record_end(RecordedSide::Server, method, how);
}
