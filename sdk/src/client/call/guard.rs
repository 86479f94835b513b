//! The place that every call of this side passes: its start and its end are told here, each once.
//!
//! A call begins when it is first polled. A unary or one-way call ends with its outcome, a stream
//! when one of its handles hears of its end; both also when they are dropped before. Nothing else
//! tells of starts and ends, so whatever is to hear of calls hooks in here.

use crate::client::Channel;
use crate::driver::{Link, Outcome};
use crate::service::MethodSpec;
#[cfg(test)]
use crate::service::recorder::{RecordedSide, record_end, record_start};
use crate::stream::CallEnd;

use super::connecting::is_refusal;

/// A call of this side. It tells that the call was dropped, if it is itself before the end.
pub(super) struct ClientGuard {
    /// Present from the start to the end.
    method: Option<&'static MethodSpec>,
}

impl ClientGuard {
    /// The guard of a call that has not begun.
    pub(super) fn new() -> Self {
        Self { method: None }
    }

    #[inline]
    pub(super) fn begin(&mut self, method: &'static MethodSpec) {
        self.method = Some(method);
        tracing::trace!(method = method.path, "a call begins");
        #[cfg(test)]
        record_start(RecordedSide::Client, method.path);
    }

    /// Tells how the call ended.
    #[inline]
    pub(super) fn end(&mut self, how: CallEnd<'_>) {
        if let Some(method) = self.method.take() {
            match how {
                CallEnd::Done => tell_good_end(method.path),
                how => tell_bad_end(method.path, how),
            }
        }
    }

    /// The stream goes on without this guard: what its handles hold was made with
    /// [`STREAM_END`](Self::STREAM_END), which tells its end.
    pub(super) fn pass_to_stream(&mut self) {
        self.method = None;
    }

    /// The end of a stream whose head was sent.
    pub(super) const STREAM_END: fn(&'static str, CallEnd<'_>) = |method, how| match how {
        CallEnd::Done => tell_good_end(method),
        how => tell_bad_end(method, how),
    };
}

impl Drop for ClientGuard {
    #[inline]
    fn drop(&mut self) {
        self.end(CallEnd::Dropped);
    }
}

/// The server has answered a call, or has accepted or refused a stream. One that refuses gets fewer
/// calls.
#[inline]
pub(super) fn hear(channel: &Channel, link: &Link, outcome: Option<&Outcome>) {
    if outcome.is_some_and(|outcome| !outcome.is_ok() && is_refusal(outcome)) {
        channel.handle_refused(link);
    } else {
        channel.handle_served(link);
    }
}

#[inline]
fn tell_good_end(method: &'static str) {
    tracing::trace!(method, "a call has ended well");
    #[cfg(test)]
    record_end(RecordedSide::Client, method, CallEnd::Done);
}

#[cold]
fn tell_bad_end(method: &'static str, how: CallEnd<'_>) {
    tracing::debug!(method, %how, "a call has ended");
    #[cfg(test)]
    record_end(RecordedSide::Client, method, how);
}
