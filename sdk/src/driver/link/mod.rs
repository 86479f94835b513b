//! The handles' hold on a connection, and all they can ask of it.

mod calls;
mod streams;

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use crate::conn::{
    Buffered, Charge, Config, ConnError, Connection, Ending, Overrun, SendError, SendTicket,
    StreamKey,
};

use super::send_buffer::Sender;
use super::shared::Shared;
use crate::clock::now;
use crate::transport::{PeerAddr, WriteEnd};

pub(crate) use calls::CallTerms;

/// A hold on a connection. While one exists, the connection stays open; when the last is dropped,
/// what is queued is still written, then the connection closes.
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

/// The bytes that a body counts with at its connection while it is unpacked. They are given back on
/// drop.
pub(crate) struct BodyCharge {
    link: Link,
    charge: Charge,
}

impl BodyCharge {
    /// Counts the body with `now` bytes. Without room for that nothing changes.
    pub(crate) fn recount(&mut self, now: usize) -> Result<(), Overrun> {
        self.link.shared().with(|state| state.conn.recharge(&mut self.charge, now))
    }

    /// Counts what a request takes beside its body. Without room for that nothing changes.
    pub(crate) fn recount_request(&mut self, now: usize) -> Result<(), Overrun> {
        self.link.shared().with(|state| state.conn.recharge_request(&mut self.charge, now))
    }
}

impl Drop for BodyCharge {
    fn drop(&mut self) {
        if !self.charge.is_none() {
            // There is always room for less.
            let _ = self.recount(0);
        }
    }
}

impl Link {
    pub(super) fn new(
        mut conn: Connection,
        output: Arc<dyn WriteEnd>,
        peer: PeerAddr,
    ) -> (Self, Arc<Shared>) {
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

    /// Tells peers apart: a server's, on all their connections, and else connections.
    pub(crate) fn peer_key(&self) -> usize {
        match &self.config().peer {
            Some(peer) => Arc::as_ptr(peer).addr(),
            None => Arc::as_ptr(&self.0).addr(),
        }
    }

    pub(crate) fn peer_text(&self) -> Arc<str> {
        self.shared().peer_text()
    }

    pub(crate) fn config(&self) -> &Config {
        self.shared().config()
    }

    pub(crate) fn downgrade(&self) -> WeakLink {
        WeakLink(Arc::downgrade(&self.0))
    }

    /// Tells whether the connection is over.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.shared().is_over()
    }

    /// Tells whether the connection is driven by another runtime than the one of the caller. That
    /// one may stand still, so a caller with a limit of time looks after it itself, with
    /// [`pass_time`](Self::pass_time).
    pub(crate) fn is_driven_elsewhere(&self) -> bool {
        self.shared().is_driven_elsewhere()
    }

    /// Does what is due on the connection, as its driver does.
    pub(crate) fn pass_time(&self) {
        self.shared().with(|state| state.conn.handle_timeout(now()));
    }

    /// Something was not sent for this reason. Tells whether another connection will do, because
    /// this one is lost or its server drains; then nobody else is to try here.
    pub(crate) fn note_unsent(&self, why: &SendError) -> bool {
        match why {
            SendError::Ended(Ending::Lost(_)) => self.shared().set_over(),
            SendError::PeerDrains => self.shared().close_to_calls(),
            _ => return false,
        }
        true
    }

    /// Tells if calls and streams of this side may be sent, as far as anybody has heard.
    #[inline]
    pub(crate) fn takes_calls(&self) -> bool {
        self.shared().takes_calls()
    }

    /// Tells whether there was ever a call or a stream of this side.
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

    /// A body that is unpacked, which counts with nothing yet.
    pub(crate) fn charge(&self) -> BodyCharge {
        BodyCharge { link: self.clone(), charge: Charge::default() }
    }

    /// How much waits in memory.
    pub(crate) fn buffered(&self) -> Buffered {
        self.shared().peek(|state| state.conn.buffered())
    }

    /// Tells whether the peer has sent a whole frame.
    pub(crate) fn is_first_frame_seen(&self) -> bool {
        self.shared().is_first_frame_seen()
    }

    /// How many streams are going on.
    pub(crate) fn live_streams(&self) -> usize {
        self.shared().peek(|state| state.conn.live_streams())
    }

    /// Refuses new calls and streams of the peer's from now on.
    pub(crate) fn drain(&self) {
        self.shared().with(|state| state.conn.drain());
    }

    /// Waits until nothing is going on and everything is written, on a connection that is
    /// [draining](Self::drain).
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
            state.collect_all();
            state.conn.flush_target()
        });
        self.shared().flush();
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

    /// Answers what is going on with a code, and ends the connection once that is written and the
    /// peer has ended it as well.
    pub(crate) fn shut_down(&self) {
        self.shared().with(|state| {
            state.collect_all();
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

    /// Writes what is queued.
    pub(crate) fn write(&self) {
        self.shared().flush();
    }

    /// The writer does not wait for room any more.
    pub(crate) fn stop_sending(&self, key: StreamKey, sender: &mut Sender) {
        self.shared().with(|state| {
            state.leave_queue(&mut sender.ticket);
            state.wakers.stream(key).write.take()
        });
    }

    /// Gives up waiting for room.
    pub(crate) fn give_back(&self, ticket: &mut Option<SendTicket>) {
        if ticket.is_some() {
            self.shared().with(|state| state.leave_queue(ticket));
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.shared().peer())
    }
}
