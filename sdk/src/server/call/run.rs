//! How handlers are run: until they are done, panic, or nobody waits for them any more.

use std::borrow::Cow;
use std::future::Future;
use std::ops::Deref;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{self, Poll, Waker, ready};

use futures::FutureExt;
use futures::future::CatchUnwind;
use pin_project::pin_project;

use crate::driver::{Ending, Fit, Outcome};
use crate::error::{Code, Result, panic_text};
use crate::metadata::Metadata;
use crate::stream::{StreamRef, Subject, outcome_of, send_error};

use super::context::{Context, Extras};

/// The progress of a call that was started at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Started {
    /// It is done with here: it has ended, or is in a task that has yet to run.
    Done,
    /// It waits for something, in a task of its own.
    Parked,
}

/// Runs a call: to its end if it does not have to wait, else in a task of its own. It is made where
/// it stays, because it is large.
#[inline]
pub(super) fn start_at_once<F: Future<Output = ()> + Send + 'static>(
    call: impl FnOnce() -> F,
) -> Started {
    let mut call = Box::into_pin(Box::write(Box::new_uninit(), call()));
    // No wake is lost: the task polls the call again at once.
    if call.as_mut().poll(&mut task::Context::from_waker(Waker::noop())).is_ready() {
        return Started::Done;
    }
    tokio::spawn(call);
    Started::Parked
}

/// A guard of a call whose task goes on. Dropping it ends the call, one way or the other, and tells
/// the tasks that the handler has left behind.
pub(super) struct EndGuard(pub(super) Context);

impl Deref for EndGuard {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.0
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The end of a handler.
pub(super) enum Finished<T> {
    Done(Result<T>),
    Panicked,
    /// The outcome is not waited for any more, so the handler was dropped.
    Cancelled(Ending),
}

type Work<F> = CatchUnwind<AssertUnwindSafe<F>>;

/// Runs a handler until it is done, panics, or nobody waits for it any more.
///
/// Written out, because an `async fn` would hold the handler's future twice.
#[pin_project]
struct Run<'a, F, P> {
    #[pin]
    work: Work<F>,
    cx: &'a Context,
    poll_ended: P,
}

pub(super) fn run<T, F: Future<Output = Result<T>>>(
    work: F,
    cx: &Context,
    poll_ended: impl FnMut(&task::Context<'_>) -> Poll<Ending>,
) -> impl Future<Output = Finished<T>> {
    Run { work: AssertUnwindSafe(work).catch_unwind(), cx, poll_ended }
}

impl<T, F, P> Future for Run<'_, F, P>
where
    F: Future<Output = Result<T>>,
    P: FnMut(&task::Context<'_>) -> Poll<Ending>,
{
    type Output = Finished<T>;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Finished<T>> {
        let this = self.project();
        poll_work(this.work, this.cx, task, this.poll_ended)
    }
}

/// The task of a stream's handler, which ends the stream with the handler's outcome.
///
/// Written out, because an `async` block would keep what it was made of for as long as the stream
/// lives. The fields are dropped from the first to the last: the handler's future before anybody is
/// told that the call is over.
#[pin_project]
pub(super) struct StreamRun<F> {
    #[pin]
    work: Work<F>,
    cx: EndGuard,
    stream: StreamRef,
}

impl<F: Future<Output = Result<()>>> StreamRun<F> {
    pub(super) fn new(work: F, cx: EndGuard, stream: StreamRef) -> Self {
        Self { work: AssertUnwindSafe(work).catch_unwind(), cx, stream }
    }
}

impl<F: Future<Output = Result<()>>> Future for StreamRun<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<()> {
        let this = self.project();
        let (cx, stream) = (&**this.cx, &*this.stream);
        let poll_ended = |task: &task::Context<'_>| stream.link().poll_ended(stream.key(), task);
        let finished = ready!(poll_work(this.work, cx, task, poll_ended));
        let Extras { initial, metadata, .. } = cx.take_extras();
        match finished {
            Finished::Done(Ok(())) => {
                close_well(stream, cx, Outcome { initial, metadata, ..Outcome::default() });
            }
            Finished::Done(Err(error)) => {
                let outcome = outcome_of(&error, (cx.method(), cx.peer().as_str()), metadata);
                log_fit(cx, &stream.close(Outcome { initial, ..outcome }));
            }
            Finished::Panicked => drop(stream.close(panicked(cx.method()))),
            // The stream is over already.
            Finished::Cancelled(_) => {}
        }
        Poll::Ready(())
    }
}

fn poll_work<T, F: Future<Output = Result<T>>>(
    work: Pin<&mut Work<F>>,
    cx: &Context,
    task: &mut task::Context<'_>,
    mut poll_ended: impl FnMut(&task::Context<'_>) -> Poll<Ending>,
) -> Poll<Finished<T>> {
    Poll::Ready(match work.poll(task) {
        Poll::Ready(Ok(result)) => Finished::Done(result),
        Poll::Ready(Err(panic)) => {
            let (method, peer) = (cx.method(), cx.peer());
            tracing::error!(method, %peer, panic = panic_text(&*panic), "a handler panicked");
            Finished::Panicked
        }
        Poll::Pending => Finished::Cancelled(ready!(poll_ended(task))),
    })
}

/// Ends a stream well. One whose metadata cannot be sent fails, as a unary call does: metadata can
/// be the answer.
fn close_well(stream: &StreamRef, cx: &Context, outcome: Outcome) {
    let Fit::Not(error) = stream.close(outcome) else { return };
    let error = send_error(error, &stream.subject());
    tracing::warn!(%error, "the metadata of a stream's end could not be sent");
    stream.close(outcome_of(&error, (cx.method(), cx.peer().as_str()), Metadata::new()));
}

/// Says in the log what the caller of a handler that failed does not get.
pub(super) fn log_fit(cx: &Context, fit: &Fit) {
    let (method, peer) = (cx.method(), cx.peer());
    match fit {
        Fit::WithoutMetadata(why) => {
            let subject = Subject {
                method: Cow::Borrowed(method),
                peer: peer.as_str().into(),
                client: false,
                stream: false,
                limit: None,
            };
            let why = send_error(why.clone(), &subject);
            let why = why.message();
            tracing::warn!(method, %peer, "an error was sent without its metadata and attachment: {why}");
        }
        Fit::Cut => {
            let text = "the text of an error was cut, because it does not fit (max_metadata)";
            tracing::warn!(method, %peer, "{text}");
        }
        Fit::Whole | Fit::Not(_) => {}
    }
}

// PROTOCOL 12
pub(super) fn panicked(method: &str) -> Outcome {
    Outcome::framework(Code::SERVER_SYSTEM_ERR.0, format!("the handler of {method} panicked"))
}
