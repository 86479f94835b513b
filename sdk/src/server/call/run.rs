//! How handlers are run: until they are done, panic, or nobody waits for them any more.

use std::borrow::Cow;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{self, Poll, Waker, ready};

use futures::FutureExt;
use futures::future::CatchUnwind;
use pin_project::pin_project;

use crate::driver::{Ending, Fit, Outcome};
use crate::error::{Reason, Result, panic_text};
use crate::metadata::Metadata;
use crate::stream::{OwnWriter, StreamRef, Subject, outcome_of, send_error};

use super::context::{Context, Extras};
use super::guard::{Finished, ServerGuard};

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

type CaughtWork<F> = CatchUnwind<AssertUnwindSafe<F>>;

/// Runs a handler until it is done, panics, or nobody waits for it any more.
///
/// Written out, because an `async fn` would hold the handler's future twice.
#[pin_project]
struct HandlerRun<F, P> {
    #[pin]
    work: CaughtWork<F>,
    poll_ended: P,
}

pub(super) fn run<T, F: Future<Output = Result<T>>>(
    work: F,
    poll_ended: impl FnMut(&task::Context<'_>) -> Poll<Ending>,
) -> impl Future<Output = Finished<T>> {
    HandlerRun { work: AssertUnwindSafe(work).catch_unwind(), poll_ended }
}

impl<T, F, P> Future for HandlerRun<F, P>
where
    F: Future<Output = Result<T>>,
    P: FnMut(&task::Context<'_>) -> Poll<Ending>,
{
    type Output = Finished<T>;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Finished<T>> {
        let this = self.project();
        poll_work(this.work, task, this.poll_ended)
    }
}

/// The task of a stream's handler, which ends the stream with the handler's outcome.
///
/// Written out, because an `async` block would keep what it was made of for as long as the stream
/// lives. The handler's future is dropped before anybody is told that the call is over, also if the
/// fields are dropped, from the first to the last.
#[pin_project]
pub(super) struct StreamRun<F> {
    #[pin]
    work: Option<CaughtWork<F>>,
    guard: ServerGuard,
    stream: StreamRef,
}

impl<F: Future<Output = Result<()>>> StreamRun<F> {
    pub(super) fn new(work: F, guard: ServerGuard, stream: StreamRef) -> Self {
        Self { work: Some(AssertUnwindSafe(work).catch_unwind()), guard, stream }
    }
}

impl<F: Future<Output = Result<()>>> Future for StreamRun<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let (guard, stream) = (this.guard, &*this.stream);
        let poll_ended = |task: &task::Context<'_>| stream.link().poll_ended(stream.key(), task);
        let work = this.work.as_mut().as_pin_mut().expect("a task that has ended is not polled");
        let finished = ready!(poll_work(work, task, poll_ended));
        this.work.set(None);
        guard.end(&end_stream(finished, stream, guard).without_answer());
        Poll::Ready(())
    }
}

/// Ends a stream with the outcome of its handler, and gives the end of the call: how the stream had
/// ended, if that was before.
fn end_stream(finished: Finished<()>, stream: &StreamRef, cx: &Context) -> Finished<()> {
    let own = (cx.method(), cx.peer().as_str());
    let Extras { initial, metadata, .. } = cx.take_extras();
    let fit = match &finished {
        Finished::Done(Ok(())) => stream.close(Outcome { initial, metadata, ..Outcome::default() }),
        Finished::Done(Err(error)) => {
            stream.close(Outcome { initial, ..outcome_of(error, own, metadata) })
        }
        Finished::Panicked(_) => stream.close(panicked(cx.method())),
        Finished::Cancelled(_) | Finished::NotSent(_) => return finished,
    };
    match fit {
        // Metadata can be the answer, so without it the stream fails, as a unary call does.
        Fit::Not(error) => {
            let error = send_error(error, &stream.subject());
            stream.close(outcome_of(&error, own, Metadata::new()));
            Finished::NotSent(error)
        }
        Fit::Over => match stream.ending() {
            Some(Ending::Local) | None => finished,
            Some(ending) => Finished::Cancelled(ending),
        },
        fit => {
            log_fit(cx, &fit);
            finished
        }
    }
}

fn poll_work<T, F: Future<Output = Result<T>>>(
    work: Pin<&mut CaughtWork<F>>,
    task: &mut task::Context<'_>,
    mut poll_ended: impl FnMut(&task::Context<'_>) -> Poll<Ending>,
) -> Poll<Finished<T>> {
    Poll::Ready(match work.poll(task) {
        Poll::Ready(Ok(result)) => Finished::Done(result),
        Poll::Ready(Err(panic)) => Finished::Panicked(panic_text(&*panic).to_owned()),
        Poll::Pending => Finished::Cancelled(ready!(poll_ended(task))),
    })
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
                writing: OwnWriter::None,
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
        Fit::Whole | Fit::Not(_) | Fit::Over => {}
    }
}

// PROTOCOL 12
pub(super) fn panicked(method: &str) -> Outcome {
    Outcome::failed(Reason::Internal, format!("the handler of {method} panicked"))
}
