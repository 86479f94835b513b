//! The protocol, as a value.
//!
//! A [`Connection`] knows everything about the calls and streams of one connection and does nothing
//! by itself: no sockets, no clock, no wakers, no locks. Frames go in with
//! [`handle_input`](Connection::handle_input), the application's operations with `open`, `send`,
//! `call` and so on. Time is an argument.
//!
//! Deliberately absent: encoding of messages (`stream`), retries and naming (`client`), anything
//! that waits.

mod admission;
mod answers;
mod back_pressure;
mod begun;
mod budget;
mod buffered;
mod call_streams;
mod calls;
mod cancelled;
#[cfg(feature = "testing")]
mod census;
mod closing;
mod collected;
mod config;
mod credit;
mod drain;
mod error;
mod event;
mod fit;
mod flush;
mod ids;
mod inbound;
mod inbox;
mod keepalive;
mod overtaken;
mod parts;
mod peer;
mod refusals;
mod send_queue;
mod stall;
mod stream;
mod streaming;
mod streams;
mod stuck;
mod table;
mod timers;
mod unary;
mod window_growth;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hashbrown::HashMap;

use crate::framing::{Largest, Side};
use crate::wires::{Decoder, Rules, Wire, trpc};

pub(crate) use crate::framing::{
    Answer, Body, COPIED, Head, Outbox, Outcome, StreamId, UnaryContent,
};

use begun::FrontWatch;
use budget::Account;
use calls::Calls;
use cancelled::CancelledStreams;
use ids::Ids;
use keepalive::Keepalive;
use overtaken::Overtaken;
use parts::SharedWindows;
use peer::Permits;
use send_queue::SendQueue;
use stall::Stall;
use streams::Streams;
use timers::Timers;
use window_growth::Path;

pub(crate) use begun::Front;
pub(crate) use budget::{Charge, Overrun};
pub use buffered::Buffered;
pub(crate) use collected::Collected;
#[cfg(any(test, feature = "__fuzz"))]
pub(crate) use config::{AppErrors, Cancel};
pub(crate) use config::{Config, DEFAULT_WINDOW, MAX_HEADER, MIN_WINDOW, PROBE_BELOW};
#[cfg(test)]
pub(crate) use error::Violation;
pub(crate) use error::{ConnError, too_large};
pub(crate) use event::{
    Admission, Admitted, CallKey, Ending, Event, IncomingCall, IncomingStream, RefusedCall, Shape,
    StreamKey,
};
pub(crate) use fit::Fit;
pub(crate) use inbox::Inbox;
pub(crate) use peer::{Peer, Pools};
pub(crate) use refusals::Cause;
pub use refusals::Refused;
pub(crate) use send_queue::SendTicket;
pub(crate) use streaming::{Backlog, Consumed, SendError, Sent, Take, frame_size};
pub(crate) use streams::growth;

/// One connection's protocol state.
///
/// The contract: after any call that takes `&mut self`, hand out [`take_events`](Self::take_events)
/// and [`take_calls`](Self::take_calls), write [`take_output`](Self::take_output) to the peer, and
/// call [`handle_timeout`](Self::handle_timeout) no later than
/// [`next_deadline`](Self::next_deadline). Stop reading from the peer while
/// [`wants_input`](Self::wants_input) is false.
pub(crate) struct Connection {
    side: Side,
    wire: Wire,
    rules: Rules,
    /// The windows of all streams together, if the wire has such.
    shared: Option<Box<SharedWindows>>,
    config: Config,
    admission: Option<Admission>,
    streams: Streams,
    calls: Calls,
    /// The other streams of an opening that carries several, until it is answered.
    opened_with: HashMap<StreamKey, Vec<StreamKey>>,
    cancelled: CancelledStreams,
    send_queue: SendQueue,
    timers: Timers,
    /// The bytes that are received and not read, with those that the peer was promised.
    unread: Account,
    /// The bytes that are queued and not written. Messages count as they are queued; headers, ends
    /// and unary calls count with the next frame that comes or the next write, so the account is
    /// exact after each of these.
    unsent: Account,
    permits: Permits,
    keepalive: Keepalive,
    watch: FrontWatch,
    output: Outbox,
    /// Bytes that were taken and are not yet written.
    in_flight: usize,
    /// Bytes of answers that wait for room.
    answers: usize,
    /// Bytes that writers may be making beside the output.
    beside: usize,
    /// Bytes that were written since the connection began.
    written: u64,
    /// Somebody waits until so many are.
    flush_at: Option<u64>,
    /// The connection was lost before all was written.
    unwritten: bool,
    events: Vec<Event>,
    /// Calls of the peer's that nobody has taken. Many come at once, so they are not each in a box
    /// of its own.
    arrived: Vec<IncomingCall>,
    stall: Stall,
    /// Somebody has begun to wait for the peer since that was looked at last.
    asking: bool,
    /// The time when it was told last.
    now: Option<Instant>,
    path: Path,
    /// The message of which a part has come, and how large it is.
    arriving: Option<(StreamId, u32)>,
    draining: bool,
    /// The server has said that it takes no more calls and streams of this side's.
    peer_drains: bool,
    overtaken: Overtaken,
    /// When to look which streams are stuck, if there are streams.
    stuck_at: Option<Instant>,
    /// The peer sends nothing more.
    input_ended: bool,
    /// The caller that the peer's newest stream gave.
    last_caller: Bytes,
    lost: Option<ConnError>,
}

impl Connection {
    /// The client's side of a new connection.
    pub(crate) fn client(config: Config) -> Self {
        Self::new(Side::Client, Wire::Trpc(trpc::Trpc), config, None)
    }

    /// The server's side of a new connection. `admission` decides which calls may start.
    pub(crate) fn server(config: Config, admission: Admission) -> Self {
        Self::new(Side::Server, Wire::Trpc(trpc::Trpc), config, Some(admission))
    }

    fn new(side: Side, wire: Wire, config: Config, admission: Option<Admission>) -> Self {
        let peer = config.peer.as_ref();
        // The connection's own limit is kept by those who ask for room.
        let mut unsent = Account::new(usize::MAX, peer.map(|peer| Arc::clone(&peer.unsent)));
        unsent.join();
        let rules = wire.rules();
        Self {
            side,
            wire,
            rules,
            shared: SharedWindows::of(rules.credit),
            unread: Account::new(config.unread, peer.map(|peer| Arc::clone(&peer.unread))),
            unsent,
            permits: Permits::new(peer.map(Arc::clone)),
            send_queue: SendQueue::new(config.outbox),
            calls: Calls::new(Ids::new(rules.calls, config.first_request_id.into())),
            config,
            admission,
            streams: Streams::new(Ids::new(rules.streams, rules.streams.first)),
            opened_with: HashMap::new(),
            cancelled: CancelledStreams::default(),
            timers: Timers::default(),
            keepalive: Keepalive::default(),
            watch: FrontWatch::default(),
            output: Outbox::default(),
            in_flight: 0,
            answers: 0,
            beside: 0,
            written: 0,
            flush_at: None,
            unwritten: false,
            events: Vec::new(),
            arrived: Vec::new(),
            stall: Stall::default(),
            asking: false,
            now: None,
            path: Path::new(),
            arriving: None,
            draining: false,
            peer_drains: false,
            overtaken: Overtaken::new(),
            stuck_at: None,
            input_ended: false,
            last_caller: Bytes::new(),
            lost: None,
        }
    }

    #[cfg(test)]
    pub(crate) fn side(&self) -> Side {
        self.side
    }

    /// The same, on another wire.
    #[cfg(test)]
    pub(crate) fn on(wire: Wire, config: Config, admission: Option<Admission>) -> Self {
        let side = if admission.is_some() { Side::Server } else { Side::Client };
        Self::new(side, wire, config, admission)
    }

    /// The peer's first bytes have told which wire it speaks. Nothing was said on it before.
    pub(super) fn speak(&mut self, wire: Wire) {
        let rules = wire.rules();
        (self.wire, self.rules, self.shared) = (wire, rules, SharedWindows::of(rules.credit));
        self.streams.set_ids(Ids::new(rules.streams, rules.streams.first));
    }

    pub(crate) fn wire(&self) -> Wire {
        self.wire
    }

    /// Finds the frames of what the peer sends.
    pub(crate) fn decoder(&self) -> Decoder {
        let limit = Largest { frame: self.config.max_received, header: self.config.max_header };
        self.wire.decoder(self.side, limit)
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Takes the events that came since this was asked last, in order.
    pub(crate) fn take_events(&mut self, into: &mut Vec<Event>) {
        into.append(&mut self.events);
    }

    /// Makes room for `count` calls that may come with the next frames.
    #[inline]
    pub(crate) fn expect_calls(&mut self, count: usize) {
        if count > 1 {
            self.arrived.reserve_exact(count);
        }
    }

    /// The calls of the peer's that came since this was asked last.
    pub(crate) fn take_calls(&mut self, into: &mut Vec<IncomingCall>) {
        if into.is_empty() {
            std::mem::swap(into, &mut self.arrived);
        } else {
            into.append(&mut self.arrived);
        }
    }

    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Bytes that wait to be taken.
    pub(crate) fn output_len(&self) -> usize {
        self.output.len()
    }

    /// Gives the bytes to write and continues in `spare`. Report progress with
    /// [`handle_written`](Self::handle_written).
    pub(crate) fn take_output(&mut self, spare: Outbox) -> Outbox {
        debug_assert!(spare.is_empty(), "the spare buffer would be sent");
        let taken = std::mem::replace(&mut self.output, spare);
        self.in_flight += taken.len();
        if !taken.is_empty() {
            self.keepalive.note();
        }
        taken
    }

    /// `bytes` of what was taken are written: those who wait for room may go on.
    pub(crate) fn handle_written(&mut self, bytes: usize) {
        self.in_flight -= bytes;
        self.written += bytes as u64;
        if self.flush_at.is_some_and(|at| self.written >= at) {
            self.tell_flush();
        }
        self.count_unsent();
        self.grant_room();
        self.tell_if_idle();
    }

    /// Writers may be making `bytes` of frames beside what is queued.
    pub(crate) fn count_beside(&mut self, bytes: usize) {
        self.beside = bytes;
        self.count_unsent();
    }

    /// The bytes that are buffered.
    pub(crate) fn buffered(&self) -> Buffered {
        Buffered {
            unread: self.unread.held(),
            reserved: self.unread.reserved(),
            unsent: self.unsent_bytes(),
        }
    }

    /// Counts a body that is unpacked with `now` bytes. Without room for that nothing changes.
    pub(crate) fn recharge(&mut self, charge: &mut Charge, now: usize) -> Result<(), Overrun> {
        self.unread.recharge(charge, now)
    }

    /// Counts what a request takes beside its body with `now` bytes. Without room for that nothing
    /// changes.
    pub(crate) fn recharge_request(
        &mut self,
        charge: &mut Charge,
        now: usize,
    ) -> Result<(), Overrun> {
        self.unread.recharge_request(charge, now)
    }

    /// The earliest moment at which [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Tells whether at most one call or stream is going on.
    pub(crate) fn is_alone(&self) -> bool {
        self.streams.live() + self.calls.len() <= 1
    }

    /// The number of calls and streams that the peer has to do with. A cancelled stream counts
    /// until the peer has ended it: its handler may be at work.
    pub(crate) fn load(&self) -> usize {
        self.streams.live() + self.cancelled.len() + self.calls.len()
    }

    /// Tells whether there was ever a call or a stream of this side.
    pub(crate) fn was_used(&self) -> bool {
        self.streams.was_used() || self.calls.was_used()
    }

    /// How many streams are not over.
    pub(crate) fn live_streams(&self) -> usize {
        self.streams.live()
    }

    /// The number of cancelled streams that the server has not ended.
    #[cfg(any(test, feature = "__fuzz"))]
    pub(crate) fn cancelled_streams(&self) -> usize {
        self.cancelled.len()
    }

    /// How many streams the application holds.
    #[cfg(any(test, feature = "__fuzz"))]
    pub(crate) fn held_streams(&self) -> usize {
        self.streams.held()
    }

    /// Bytes of messages that nobody has taken.
    #[cfg(any(test, feature = "__fuzz"))]
    pub(crate) fn unread(&self) -> usize {
        self.streams.all().map(|stream| stream.recv.inbox.total().bytes).sum()
    }

    /// Bytes of messages of a stream that came and were not consumed.
    #[cfg(test)]
    pub(crate) fn unread_of(&self, key: StreamKey) -> usize {
        self.streams.get(key).recv.unconsumed(0)
    }

    /// Why the connection is over, if it is.
    pub(crate) fn lost(&self) -> Option<&ConnError> {
        self.lost.as_ref()
    }

    /// The connection is over: every call and stream on it ends with `why`. Only the first reason
    /// counts.
    pub(crate) fn handle_lost(&mut self, why: &ConnError) {
        if self.lost.is_some() {
            return;
        }
        self.lost = Some(why.clone());
        if let ConnError::TooManyNew { .. } = why {
            self.count_refusal(Cause::TooManySilent);
        }
        for key in self.streams.live_keys() {
            self.end_stream(key, Ending::Lost(why.clone()));
        }
        for key in self.calls.keys() {
            self.end_call(key, Ending::Lost(why.clone()));
        }
        self.cancelled.clear();
        self.opened_with.clear();
        self.forget_calls_behind(StreamId(0));
        if let Some(shared) = &mut self.shared {
            shared.clear();
        }
        self.unwritten = self.queued() > 0;
        self.tell_flush();
        self.output = Outbox::default();
        (self.in_flight, self.beside) = (0, 0);
        self.count_unsent();
        self.send_queue.grant_all(|ticket| self.events.push(Event::Room(ticket)));
        self.tell_if_idle();
    }

    /// Something of the peer's is refused or broken off.
    pub(crate) fn count_refusal(&self, cause: Cause) {
        if let Some(peer) = &self.config.peer {
            peer.server.refusals.count(cause);
        }
    }

    fn queued(&self) -> usize {
        self.output.len() + self.in_flight
    }

    /// Counts what is queued. The server's room may be shorter or wider than it was then, which
    /// changes what may be queued here.
    #[inline]
    fn count_unsent(&mut self) {
        let unsent = self.unsent_bytes();
        if self.unsent.reserve(self.unsent.reserved(), unsent) {
            self.send_queue.set_limit(self.config.outbox_of(self.unsent.share(unsent)));
        }
    }

    /// The bytes that are queued, may be, or wait for credit.
    #[inline]
    fn unsent_bytes(&self) -> usize {
        self.queued() + self.beside + self.answers + self.held_back()
    }

    /// The bytes that wait for credit.
    fn held_back(&self) -> usize {
        self.shared.as_ref().map_or(0, |shared| shared.waiting())
    }

    /// Counts what a stream holds and what its peer was promised.
    #[inline]
    fn count_unread(&mut self, key: StreamKey, before: usize) {
        let recv = &mut self.streams.get_mut(key).recv;
        let (held, worth) = (recv.held(), recv.worth());
        self.unread.hold(before, held);
        self.unread.reserve(std::mem::replace(&mut recv.charged, worth), worth);
    }

    fn grant_room(&mut self) {
        if !self.send_queue.is_idle() {
            let queued = self.queued();
            self.send_queue.grant(queued, |ticket| self.events.push(Event::Room(ticket)));
        }
    }

    /// Gives up a ticket in the queue for room, because its holder does not want it any more.
    pub(crate) fn give_back(&mut self, ticket: &mut Option<SendTicket>) {
        self.send_queue.give_back(ticket);
        self.grant_room();
    }
}
