//! What handles hold of a connection, and all they can ask of it.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::conn::{
    Answer, Backlog, Body, Buffered, CallKey, ConnError, Connection, Ending, Fit, Head, Inbox, Limits,
    Outcome, Overrun, SendError, Sent, StreamKey, Take, Ticket,
};

use super::lane::{LANE, Lane, Sender};
use super::shared::{Shared, Then};
use super::wakers::Watcher;
use super::{Output, PeerAddr, now};

/// What filling a lane costs of a task's turn: sixteen of them, and others get theirs. That is 256 KiB, some 200 µs of work.
const COOP_PER_LANE: usize = 8;

/// A hold on a connection. While one exists, the connection stays open; when the last is dropped, what is queued is still written,
/// then the connection closes.
#[derive(Clone)]
pub(crate) struct Link(Arc<Hold>);

struct Hold(Arc<Shared>);

/// Knows a connection without holding it open.
#[derive(Clone, Debug)]
pub(crate) struct WeakLink(Weak<Hold>);

impl WeakLink {
    /// A hold on the connection, if somebody else has one.
    pub(crate) fn upgrade(&self) -> Option<Link> {
        self.0.upgrade().map(Link)
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.0.peer())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.with(|state| state.closing = true);
        self.0.wake_driver();
    }
}

impl Link {
    pub(super) fn new(mut conn: Connection, output: Arc<dyn Output>, peer: PeerAddr) -> (Self, Arc<Shared>) {
        conn.start(now());
        let shared = Arc::new(Shared::new(conn, output, peer));
        (Self(Arc::new(Hold(Arc::clone(&shared)))), shared)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }

    pub(crate) fn peer(&self) -> &PeerAddr {
        self.shared().peer()
    }

    pub(crate) fn peer_text(&self) -> Arc<str> {
        self.shared().peer_text()
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.shared().limits()
    }

    pub(crate) fn downgrade(&self) -> WeakLink {
        WeakLink(Arc::downgrade(&self.0))
    }

    /// Whether the connection is over.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.shared().is_over()
    }

    /// Whether the connection is driven by another runtime than the one of the caller. That one may
    /// stand still, so a caller with a limit of time looks after it itself, with
    /// [`pass_time`](Self::pass_time).
    pub(crate) fn is_driven_elsewhere(&self) -> bool {
        self.shared().is_driven_elsewhere()
    }

    /// Does what is due on the connection, as its driver does.
    pub(crate) fn pass_time(&self) {
        self.shared().with(|state| state.conn.handle_timeout(now()));
    }

    /// Something that was to be sent was told that the connection is lost: nobody else is to try.
    pub(crate) fn note_lost(&self) {
        self.shared().set_over();
    }

    /// Whether there was ever a call or a stream of this side.
    pub(crate) fn was_used(&self) -> bool {
        self.shared().peek(|state| state.conn.was_used())
    }

    /// How many calls and streams are going on.
    pub(crate) fn load(&self) -> usize {
        self.shared().peek(|state| state.conn.load())
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How much waits in memory.
    pub(crate) fn buffered(&self) -> Buffered {
        self.shared().peek(|state| state.conn.buffered())
    }

    /// Whether the peer has sent a whole frame.
    pub(crate) fn is_greeted(&self) -> bool {
        self.shared().is_greeted()
    }

    /// How many streams are going on.
    pub(crate) fn live_streams(&self) -> usize {
        self.shared().peek(|state| state.conn.live_streams())
    }

    /// Refuses new calls and streams of the peer's from now on.
    pub(crate) fn drain(&self) {
        self.shared().with(|state| state.conn.drain());
    }

    /// Waits until nothing is going on and everything is written, on a connection that is [draining](Self::drain).
    pub(crate) async fn idle(&self) {
        let poll_idle = |cx: &mut Context<'_>| {
            self.shared().with(|state| {
                if state.conn.is_idle() {
                    return Poll::Ready(());
                }
                state.wakers.wait_for_idle(cx);
                Poll::Pending
            })
        };
        poll_fn(poll_idle).await;
    }

    /// Waits until what is queued now is in the socket.
    pub(crate) async fn flush(&self) -> Result<(), ConnError> {
        let target = self.shared().with(|state| {
            state.take_all_back();
            state.conn.flush_target()
        });
        self.shared().push();
        let poll_flushed = |cx: &mut Context<'_>| {
            self.shared().poll(|state| match state.conn.flushed(target) {
                Some(result) => Poll::Ready(result),
                None => {
                    state.wakers.wait_for_idle(cx);
                    Poll::Pending
                }
            })
        };
        poll_fn(poll_flushed).await
    }

    /// Answers what is going on with a code, and ends the connection once that is written and the peer has ended it as well.
    pub(crate) fn shut_down(&self) {
        self.shared().with(|state| {
            state.take_all_back();
            state.conn.shut_down();
            state.lingering = true;
            state.closing = true;
        });
        self.shared().wake_driver();
    }

    /// Ends the connection now, for every call and stream on it.
    pub(crate) fn close(&self, why: &ConnError) {
        let unsent = self.shared().with(|state| state.lose(why));
        drop(unsent);
        self.shared().set_over();
        self.shared().wake_driver();
    }

    /// Ends the connection if its peer has sent nothing yet, of which the driver makes sure.
    pub(crate) fn close_if_silent(&self, why: &ConnError) {
        self.shared().with(|state| state.if_silent = Some(why.clone()));
        self.shared().wake_driver();
    }

    // Streams.

    /// Opens a stream; [`poll_opened`](Self::poll_opened) tells what becomes of it. The head stays if the connection is lost.
    pub(crate) fn open(
        &self,
        head: &mut Option<Head>,
        idle_timeout: Option<Duration>,
    ) -> Result<StreamKey, SendError> {
        self.shared().with(|state| {
            if let Some(why) = state.conn.lost() {
                return Err(SendError::Ended(Ending::Lost(why.clone())));
            }
            state.conn.open(head.take().expect("a stream is opened once"), idle_timeout, now())
        })
    }

    pub(crate) fn poll_opened(&self, key: StreamKey, cx: &Context<'_>) -> Poll<Result<(), Ending>> {
        self.shared().poll(|state| match state.conn.opened(key) {
            Some(result) => Poll::Ready(result),
            None => {
                state.wakers.stream(key).watch.wait(cx);
                Poll::Pending
            }
        })
    }

    /// Waits until the stream is over. One task at a time may wait.
    pub(crate) fn poll_ended(&self, key: StreamKey, cx: &Context<'_>) -> Poll<Ending> {
        self.shared().poll(|state| match state.conn.ended(key) {
            Some(ending) => Poll::Ready(ending),
            None => {
                state.wakers.stream(key).watch.wait(cx);
                Poll::Pending
            }
        })
    }

    /// Waits until the stream is over. Any number of tasks may wait, each with a `watcher` of its own.
    pub(crate) fn poll_closed(
        &self,
        key: StreamKey,
        watcher: &mut Option<Watcher>,
        cx: &Context<'_>,
    ) -> Poll<Ending> {
        self.shared().poll(|state| match state.conn.ended(key) {
            Some(ending) => Poll::Ready(ending),
            None => {
                state.wakers.watch(key, watcher, cx);
                Poll::Pending
            }
        })
    }

    /// One of them does not wait any more.
    pub(crate) fn stop_watching(&self, key: StreamKey, watcher: Watcher) {
        self.shared().with(|state| state.wakers.stop_watching(key, watcher));
    }

    pub(crate) fn ending(&self, key: StreamKey) -> Option<Ending> {
        self.shared().with(|state| state.conn.ending(key).cloned())
    }

    /// Sends one message of `len` bytes when credit and room allow. Nothing is sent while this is pending.
    #[inline]
    pub(crate) fn poll_send<B: Body>(
        &self,
        key: StreamKey,
        len: usize,
        sender: &mut Sender,
        cx: &mut Context<'_>,
        mut body: B,
    ) -> Poll<Result<(), SendError>> {
        if let Some(lane) = &sender.lane {
            match lane.send(len, body) {
                Ok(sent) => return Poll::Ready(sent),
                Err(back) => body = back,
            }
        }
        let turns = if sender.lane.as_ref().and_then(Lane::held).is_some() { COOP_PER_LANE } else { 1 };
        for _ in 0..turns {
            ready!(tokio::task::coop::poll_proceed(cx)).made_progress();
        }
        self.shared().poll(|state| {
            let ticket = &mut sender.ticket;
            let place = *ticket;
            // What the lane holds goes first, as soon as there is room for it.
            if let Some(held) = sender.lane.as_ref().and_then(Lane::held) {
                match state.conn.claim_room(held + len, ticket) {
                    Ok(true) => state.take_back(key),
                    Ok(false) => return state.wait_for_room(ticket.as_ref(), cx),
                    Err(ending) => {
                        state.leave_queue(place);
                        return Poll::Ready(Err(SendError::Ended(ending)));
                    }
                }
            }
            // Many streams have no second message, so only then a lane is worth its memory.
            let lends = len < LANE && state.is_busy() && state.conn.has_sent(key);
            match state.conn.send(key, len, ticket, body) {
                Ok(Sent::Queued) => {
                    if lends && state.may_lend() {
                        state.lend(key, &mut sender.lane);
                    }
                    Poll::Ready(Ok(()))
                }
                Ok(result @ (Sent::NoCredit | Sent::Stuck)) => {
                    sender.stuck |= result == Sent::Stuck;
                    state.leave_queue(place);
                    state.wakers.stream(key).write.wait(cx);
                    Poll::Pending
                }
                Ok(Sent::NoRoom) => state.wait_for_room(ticket.as_ref(), cx),
                Err(error) => {
                    state.leave_queue(place);
                    Poll::Ready(Err(error))
                }
            }
        })
    }

    /// What a writer of this stream waits for.
    pub(crate) fn backlog(&self, key: StreamKey) -> Backlog {
        self.shared().with(|state| state.conn.backlog(key))
    }

    /// Takes all messages that are there, after counting `consumed` ones (messages, bytes) that were taken before.
    pub(crate) fn poll_take(
        &self,
        key: StreamKey,
        consumed: (usize, usize),
        into: &mut Inbox,
        cx: &Context<'_>,
    ) -> Poll<Take> {
        self.shared().poll(|state| match state.conn.take(key, consumed, into) {
            Some(taken) => Poll::Ready(taken),
            None => {
                state.wakers.stream(key).read.wait(cx);
                Poll::Pending
            }
        })
    }

    /// Counts messages as consumed, so that the peer gets credit.
    pub(crate) fn give_credit(&self, key: StreamKey, consumed: (usize, usize)) {
        // Who sends a message as large as the window stands still until it hears of this, and the task here goes on to work on that
        // message. So it writes as if it waited.
        let window = self.limits().window as usize;
        let peer_waits = window > 0 && consumed.1 >= window;
        let then = if peer_waits { Then::Waits } else { Then::GoesOn };
        self.shared().with_then(|state| (state.conn.give_credit(key, consumed.0, consumed.1), then));
    }

    pub(crate) fn half_close(&self, key: StreamKey) {
        self.shared().with(|state| {
            state.take_back(key);
            state.conn.half_close(key);
        });
    }

    pub(crate) fn close_stream(&self, key: StreamKey, outcome: Outcome) -> Fit {
        self.shared().with(|state| {
            state.take_back(key);
            state.conn.close(key, outcome)
        })
    }

    pub(crate) fn reset(&self, key: StreamKey, outcome: Outcome) {
        self.shared().with(|state| {
            state.take_back(key);
            state.conn.reset(key, outcome);
        });
    }

    pub(crate) fn discard(&self, key: StreamKey, consumed: (usize, usize)) {
        self.shared().with(|state| state.conn.discard(key, consumed));
    }

    pub(crate) fn end_input(&self, key: StreamKey) {
        self.shared().with(|state| state.conn.end_input(key));
    }

    pub(crate) fn release(&self, key: StreamKey) {
        self.shared().with(|state| {
            state.take_back(key);
            state.conn.release(key);
            state.wakers.forget_stream(key);
        });
    }

    // Calls and their answers.

    /// Sends a request when there is room. Nothing is sent while this is pending. The task is woken when the answer is there, so it need
    /// not ask at once.
    pub(crate) fn poll_call(
        &self,
        head: &mut Option<Head>,
        (one_way, deadline): (bool, Option<Instant>),
        body: (usize, impl Body),
        attachment: &[u8],
        ticket: &mut Option<Ticket>,
        cx: &Context<'_>,
    ) -> Poll<Result<Option<CallKey>, SendError>> {
        self.shared().with_then(|state| {
            match state.conn.claim_room(body.0 + attachment.len(), ticket) {
                Ok(true) => {}
                Ok(false) => return (state.wait_for_room(ticket.as_ref(), cx), Then::Waits),
                Err(ending) => return (Poll::Ready(Err(SendError::Ended(ending))), Then::GoesOn),
            }
            let head = head.take().expect("a request is sent once");
            let sent = state.conn.call(head, one_way, deadline, body, attachment);
            let then = if let Ok(Some(key)) = sent {
                state.wakers.call(key).wait(cx);
                Then::Waits
            } else {
                Then::GoesOn
            };
            (Poll::Ready(sent), then)
        })
    }

    /// Waits for the answer. Once it is given, the key is not ours any more.
    pub(crate) fn poll_answer(&self, key: CallKey, cx: &Context<'_>) -> Poll<Result<Answer, Ending>> {
        self.shared().poll(|state| match state.conn.answer(key) {
            Some(answer) => {
                state.wakers.forget_call(key);
                Poll::Ready(answer)
            }
            None => {
                state.wakers.call(key).wait(cx);
                Poll::Pending
            }
        })
    }

    /// Waits until nobody waits for the answer of a peer's call any more.
    pub(crate) fn poll_call_ended(&self, key: CallKey, cx: &Context<'_>) -> Poll<Ending> {
        self.shared().poll(|state| match state.conn.call_ending(key) {
            Some(ending) => Poll::Ready(ending),
            None => {
                state.wakers.call(key).wait(cx);
                Poll::Pending
            }
        })
    }

    /// Answers a call when there is room. Once it is answered, the key is not ours any more. An answer that waits counts as what is queued,
    /// and one for which the server has no room is not to be kept.
    pub(crate) fn poll_reply(
        &self,
        key: CallKey,
        (outcome, content_encoding): (&mut Outcome, u32),
        body: (usize, impl Body),
        attachment: &[u8],
        ticket: &mut Option<Ticket>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        self.shared().with_then(|state| {
            let size = body.0 + attachment.len();
            let place = *ticket;
            if let Err(no_room) = state.conn.admit_answer(key, size) {
                state.leave_queue(place);
                state.conn.give_back(ticket);
                return (Poll::Ready(Err(no_room)), Then::GoesOn);
            }
            match state.conn.claim_room(size, ticket) {
                Ok(true) => {}
                Ok(false) => {
                    state.conn.hold_answer(key, size);
                    return (state.wait_for_room(ticket.as_ref(), cx), Then::Waits);
                }
                Err(ending) => return (Poll::Ready(Err(SendError::Ended(ending))), Then::GoesOn),
            }
            let replied = state.conn.reply(key, std::mem::take(outcome), content_encoding, body, attachment);
            if replied.is_ok() {
                state.conn.release_call(key);
                state.wakers.forget_call(key);
            }
            // The handler is done, and so is its task.
            (Poll::Ready(replied), Then::Waits)
        })
    }

    /// Counts the body of a peer's call as `now` bytes from now on, and no more as `before`. If there is no room for that, nothing changes.
    pub(crate) fn recount_call(&self, key: CallKey, before: usize, now: usize) -> Result<(), Overrun> {
        self.shared().with(|state| state.conn.recount_call(key, before, now))
    }

    pub(crate) fn refuse(&self, key: CallKey, outcome: Outcome, attachment: &[u8]) -> Fit {
        self.shared().with(|state| state.conn.refuse(key, outcome, attachment))
    }

    pub(crate) fn release_call(&self, key: CallKey) {
        self.shared().with(|state| {
            state.conn.release_call(key);
            state.wakers.forget_call(key);
        });
    }

    /// So many tasks run calls of the peer's now, one after the other. Until the last has ended, what is queued waits for them.
    pub(crate) fn add_runners(&self, count: usize) {
        self.shared().with(|state| state.add_runners(count));
    }

    /// One of them has ended.
    pub(crate) fn end_runner(&self) {
        self.shared().end_runner();
    }

    /// Writes what is queued.
    pub(crate) fn write(&self) {
        self.shared().push();
    }

    /// The writer does not wait any more.
    #[inline]
    pub(crate) fn stop_sending(&self, sender: &mut Sender) {
        if sender.waits_for_room() {
            self.give_back(&mut sender.ticket);
        }
    }

    /// Gives up waiting for room.
    pub(crate) fn give_back(&self, ticket: &mut Option<Ticket>) {
        if ticket.is_some() {
            self.shared().with(|state| {
                state.leave_queue(*ticket);
                state.conn.give_back(ticket);
            });
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.shared().peer())
    }
}
