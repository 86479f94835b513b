//! The application's operations on a stream: open, send, take.

use std::time::{Duration, Instant};

use crate::framing::{Body, Head, MESSAGE_COST, Prefix, StreamId, WriteError};
use crate::wires::CreditRule;

use super::Connection;
use super::budget::Overrun;
use super::credit::{SendWindow, Uncredited};
use super::event::{Ending, StreamKey};
use super::inbox::Inbox;
use super::send_queue::SendTicket;
use super::stream::{Moved, RareState, Recv, Send, Stream, StreamState};
use super::timers::Timer;

/// Why something could not be sent. Nothing of it was.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum SendError {
    /// The frame would be larger than may be sent.
    TooLarge { size: usize, limit: usize },
    /// Method, caller and metadata together are larger than the header's length field can say.
    HeaderTooLarge { size: usize, limit: usize },
    /// More pairs of metadata than one header carries.
    TooManyEntries { count: usize, limit: usize },
    /// A key of metadata has several values, and this wire carries one.
    SeveralValues { key: String, wire: &'static str },
    /// This wire carries nothing beside messages.
    NoAttachments { wire: &'static str },
    /// The message did not write as many bytes as it had announced.
    WrongSize { announced: usize, written: usize },
    /// The server has no room for an answer.
    NoRoom { used: usize, limit: usize },
    /// The server has said that it takes no more calls and streams on this connection, or there are
    /// no more ids for them.
    PeerDrains,
    /// The stream, the call or the connection is over.
    Ended(Ending),
    /// This side has said that it sends no more.
    HalfClosed,
}

impl From<WriteError> for SendError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::TooLarge { size, limit } => Self::TooLarge { size, limit },
            WriteError::HeaderTooLarge { size, limit } => Self::HeaderTooLarge { size, limit },
            WriteError::TooManyEntries { count, limit } => Self::TooManyEntries { count, limit },
            WriteError::SeveralValues { key, wire } => Self::SeveralValues { key, wire },
            WriteError::WrongSize { announced, written } => Self::WrongSize { announced, written },
        }
    }
}

/// How large the frame of a message is, about.
pub(crate) const fn frame_size(len: usize) -> usize {
    MESSAGE_COST + len
}

/// The result of an attempt to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sent {
    /// The message is queued.
    Queued,
    /// The peer gives no credit; [`Event::Writable`](super::Event::Writable) tells when it does.
    NoCredit,
    /// The same, on a stream that has waited for so long that both sides may wait for each other.
    Stuck,
    /// The outbox is full; [`Event::Room`](super::Event::Room) tells when it is this ticket's turn.
    NoRoom,
}

/// The messages that an application has consumed, and their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Consumed {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Consumed {
    /// One more message of so many bytes is consumed.
    #[inline]
    pub(crate) fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }
}

/// The bytes that stand between a writer and its peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Backlog {
    /// Of all streams and calls, for the socket.
    pub(crate) queued: usize,
    /// Of this stream; `None` if nobody counts.
    pub(crate) uncredited: Option<Uncredited>,
}

/// The result of an attempt to take messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Take {
    /// There is at least one.
    Messages,
    /// The peer has ended its direction, and nothing is left.
    EndOfInput,
    /// The stream is over as its ending says, and nothing is left.
    Ended,
    /// There is nothing, for so long that both sides may wait for each other. Ask again.
    Stuck,
}

impl Connection {
    /// Opens a stream: INIT goes out, and [`Event::Changed`](super::Event::Changed) tells when it
    /// is open or over. `idle_timeout` is its own, if it is not to be the connection's. It does not
    /// wait for [room](Self::claim_room): ask for that before.
    pub(crate) fn open(
        &mut self,
        head: Head,
        idle_timeout: Option<Duration>,
        now: Instant,
    ) -> Result<StreamKey, SendError> {
        let opened = self.try_open(head, idle_timeout, now);
        if opened.is_err() {
            // The room that it was given is the next one's.
            self.grant_room();
        }
        opened
    }

    fn try_open(
        &mut self,
        head: Head,
        idle_timeout: Option<Duration>,
        now: Instant,
    ) -> Result<StreamKey, SendError> {
        if let Some(why) = &self.lost {
            return Err(SendError::Ended(Ending::Lost(why.clone())));
        }
        if self.peer_drains {
            return Err(SendError::PeerDrains);
        }
        let (window, timeout) = (self.recv_window(self.unread.share(0)), head.timeout);
        let id = self.next_stream()?;
        // PROTOCOL 19
        self.wire.open(&mut self.output, id, &[], head, window, self.config.largest())?;
        self.note_asked(id, now);
        Ok(self.insert_ours(id, window, timeout, idle_timeout, now))
    }

    /// The same for several streams, for which one answer comes.
    #[cfg(test)]
    pub(crate) fn open_several(
        &mut self,
        count: usize,
        head: Head,
        now: Instant,
    ) -> Result<Vec<StreamKey>, SendError> {
        let (window, timeout) = (self.recv_window(self.unread.share(0)), head.timeout);
        let ids = (0..count).map(|_| self.next_stream()).collect::<Result<Vec<_>, _>>()?;
        let (first, more) = ids.split_first().expect("at least one");
        self.wire.open(&mut self.output, *first, more, head, window, self.config.largest())?;
        let insert = |id| self.insert_ours(id, window, timeout, None, now);
        let keys: Vec<_> = ids.iter().copied().map(insert).collect();
        if self.rules.is_answered {
            self.opened_with.insert(keys[0], keys[1..].to_vec());
        }
        Ok(keys)
    }

    pub(super) fn next_stream(&mut self) -> Result<StreamId, SendError> {
        let cancelled = &self.cancelled;
        self.streams.next_id(|id| cancelled.contains(id)).ok_or(SendError::PeerDrains)
    }

    /// The window of a stream when a fair share of the room is `share`.
    pub(super) fn recv_window(&self, share: usize) -> u32 {
        match self.rules.credit {
            CreditRule::Strict { stream, .. } => stream,
            CreditRule::Announced | CreditRule::Chosen { .. } => self.config.window_of(share),
        }
    }

    fn insert_ours(
        &mut self,
        id: StreamId,
        window: u32,
        timeout: Option<Duration>,
        idle_timeout: Option<Duration>,
        now: Instant,
    ) -> StreamKey {
        let is_answered = self.rules.is_answered;
        let open_by = now.checked_add(self.config.open_timeout).filter(|_| is_answered);
        let end_by = timeout.and_then(|timeout| now.checked_add(timeout));
        let send_window = if is_answered {
            SendWindow::unlimited()
        } else {
            SendWindow::of(self.rules.credit, 0)
        };
        let key = self.streams.insert(Stream {
            id,
            state: if is_answered { StreamState::Opening } else { StreamState::Open },
            send: Send::new(send_window),
            recv: Recv::new(window, self.stall_at(window)),
            ending: None,
            accepted: !is_answered,
            open_by,
            end_by,
            kept: 0,
            watched: false,
            moved: Moved::NOW,
            generation: 0,
            rare: RareState::of(
                idle_timeout.or(self.config.stream_idle_timeout),
                self.rules.credit,
            ),
        });
        self.begin_counting(key);
        self.asking = true;
        self.set_stream_idle_timer(key, now);
        self.set_stuck_timer(now);
        if let Some(at) = open_by {
            self.timers.set(at, Timer::Open(key));
        }
        if let Some(at) = end_by {
            self.timers.set(at, Timer::Stream(key));
        }
        key
    }

    /// INIT had to wait for room: it must be answered by then.
    pub(crate) fn set_open_by(&mut self, key: StreamKey, at: Instant) {
        let before = self.streams.get_mut(key).open_by.replace(at);
        self.timers.clear(before, Timer::Open(key));
        self.timers.set(at, Timer::Open(key));
    }

    /// When a stream of ours must be open, if that is limited and it is not over.
    pub(crate) fn open_by(&self, key: StreamKey) -> Option<Instant> {
        self.streams.get(key).open_by
    }

    /// Tells whether the stream is open, if that is known; else
    /// [`Event::Changed`](super::Event::Changed) tells when it is.
    pub(crate) fn opened(&mut self, key: StreamKey) -> Option<Result<(), Ending>> {
        let stream = self.streams.get_mut(key);
        match &stream.ending {
            _ if stream.accepted => Some(Ok(())),
            Some(ending) => Some(Err(ending.clone())),
            None => {
                stream.watched = true;
                None
            }
        }
    }

    /// How the stream ended, if it has; else [`Event::Changed`](super::Event::Changed) tells when
    /// it does.
    pub(crate) fn ended(&mut self, key: StreamKey) -> Option<Ending> {
        let stream = self.streams.get_mut(key);
        stream.watched = stream.ending.is_none();
        stream.ending.clone()
    }

    /// How the stream ended, if it has.
    pub(crate) fn ending(&self, key: StreamKey) -> Option<&Ending> {
        self.streams.get(key).ending.as_ref()
    }

    /// Sends one message of `len` bytes, which `body` appends, if credit and room allow.
    pub(super) fn send(
        &mut self,
        key: StreamKey,
        len: usize,
        ticket: &mut Option<SendTicket>,
        body: impl Body,
    ) -> Result<Sent, SendError> {
        let queued = self.queued();
        let stream = self.streams.get_mut(key);
        if let Some(ending) = &stream.ending {
            let ending = ending.clone();
            self.give_back(ticket);
            return Err(SendError::Ended(ending));
        }
        if !stream.state.can_send() {
            self.give_back(ticket);
            return Err(SendError::HalfClosed);
        }
        let size = frame_size(len);
        if size > self.config.max_sent {
            self.give_back(ticket);
            return Err(SendError::TooLarge { size, limit: self.config.max_sent });
        }
        // In parts, a stream takes no message while the rest of one waits.
        let in_parts = self.shared.is_some();
        let is_held =
            if in_parts { stream.rest().is_some() } else { !stream.send.window.is_open() };
        if is_held {
            stream.send.waiting = true;
            self.asking = true;
            self.give_back(ticket);
            return Ok(if self.take_stuck(key) { Sent::Stuck } else { Sent::NoCredit });
        }
        if !self.send_queue.claim(queued, size, ticket) {
            return Ok(Sent::NoRoom);
        }
        let before = self.output.len();
        self.wire.prefix(stream.id).write(&mut self.output, len, body)?;
        stream.send.sent = true;
        stream.moved = Moved::NOW;
        if in_parts {
            let bytes = self.output.cut_off(before);
            self.queue_bytes(key, &bytes);
        } else {
            stream.send.window.subtract(len);
            self.count_unsent();
        }
        Ok(Sent::Queued)
    }

    /// A writer waits for room: [`Event::Writable`](super::Event::Writable) tells it of the end of
    /// its stream.
    pub(crate) fn wait_for_room(&mut self, key: StreamKey) {
        self.streams.get_mut(key).send.waiting_for_room = true;
    }

    /// Tells whether a message was sent on the stream.
    pub(crate) fn has_sent(&self, key: StreamKey) -> bool {
        self.streams.get(key).send.sent
    }

    /// The backlog that a waiting writer waits for.
    pub(crate) fn backlog(&self, key: StreamKey) -> Backlog {
        Backlog {
            queued: self.queued(),
            uncredited: self.streams.get(key).send.window.uncredited(),
        }
    }

    /// Grants all credit of the stream to its writer, who makes frames by itself from now on.
    /// [`collect`](Self::collect) takes the frames and what is left of the credit.
    pub(super) fn grant_credit(&mut self, key: StreamKey) -> (Prefix, i64) {
        let stream = self.streams.get_mut(key);
        // In parts, what goes beyond the window waits with the stream.
        let credit = stream.send.window.grant(self.shared.is_some());
        (self.wire.prefix(stream.id), credit)
    }

    /// Tells whether the stream's credit is granted to its writer, whose frames come first then.
    pub(crate) fn is_granted(&self, key: StreamKey) -> bool {
        self.streams.get(key).send.window.is_granted()
    }

    /// Takes back what was granted. The frames are queued, unless the stream is over.
    pub(crate) fn collect(&mut self, key: StreamKey, frames: &[u8], credit: i64) {
        let stream = self.streams.get_mut(key);
        if self.shared.is_some() {
            stream.send.window.take_back();
            if stream.state.can_send() && !frames.is_empty() {
                self.queue_bytes(key, frames);
            }
            return;
        }
        stream.send.window.collect(credit);
        if !frames.is_empty() {
            stream.moved = Moved::NOW;
        }
        if stream.state.can_send() {
            self.output.copied().extend_from_slice(frames);
            self.count_unsent();
        }
    }

    /// Reports what the application consumed of messages it took before, and takes all that are
    /// there. Credit goes back to the peer by what is consumed, not by what is taken. `None`: there
    /// is nothing yet; [`Event::Readable`](super::Event::Readable) tells when.
    pub(crate) fn take(
        &mut self,
        key: StreamKey,
        consumed: Consumed,
        into: &mut Inbox,
    ) -> Option<Take> {
        // A reader that has waited has consumed nothing since.
        if consumed != Consumed::default() {
            self.give_credit(key, consumed);
        }
        let stream = self.streams.get_mut(key);
        if !stream.recv.inbox.is_empty() {
            into.append(&mut stream.recv.inbox);
            Some(Take::Messages)
        } else if stream.recv.ended {
            Some(Take::EndOfInput)
        } else if stream.ending.is_some() {
            Some(Take::Ended)
        } else if self.take_stuck(key) {
            Some(Take::Stuck)
        } else {
            let stream = self.streams.get_mut(key);
            (stream.recv.waiting, stream.recv.waited) = (true, true);
            self.asking = true;
            self.give_credit_ahead(key);
            self.give_credit_for_begun(key);
            None
        }
    }

    /// The window that the peer of this stream has.
    pub(crate) fn window(&self, key: StreamKey) -> u32 {
        self.streams.get(key).recv.window.size()
    }

    /// Tells whether counting these messages as consumed may give credit.
    #[inline]
    pub(crate) fn may_give_credit(&self, key: StreamKey, consumed: Consumed) -> bool {
        let bytes = self.in_window(consumed);
        consumed.messages > 0 && self.streams.get(key).recv.window.is_due_with(bytes)
    }

    /// The bytes of a window that these messages take: in parts, with what stands in front of them.
    fn in_window(&self, consumed: Consumed) -> usize {
        let beside = if self.shared.is_some() { self.rules.framing.header.into() } else { 0 };
        consumed.bytes + consumed.messages * beside
    }

    /// Counts messages as consumed, and gives credit back when enough is owed.
    pub(crate) fn give_credit(&mut self, key: StreamKey, consumed: Consumed) {
        let bytes = self.in_window(consumed);
        let stream = self.streams.get_mut(key);
        let before = stream.recv.held();
        stream.recv.consume(consumed);
        let is_stalling = stream.recv.stalling;
        let owed = stream.recv.window.consume(bytes);
        if owed.is_due && stream.state.can_receive() && !stream.recv.ended {
            let bytes = stream.recv.window.owed();
            let size = self.next_window(key, bytes, consumed, false);
            // PROTOCOL 20
            if let Some(increment) = self.streams.get_mut(key).recv.window.settle(size) {
                self.write_credit(key, increment);
            }
        }
        self.give_shared_credit(owed.new);
        self.count_unread(key, before);
        if is_stalling {
            self.resume_if_read(key);
        }
    }

    /// A reader waits. If a message is on its way to it that is as large as the window, its sender
    /// has no credit left, and nobody needs to wait for the whole of it: with the credit now, the
    /// next one follows at once. It is no more than a fair share of the room.
    #[inline]
    pub(super) fn give_credit_ahead(&mut self, key: StreamKey) {
        if let Some((id, size)) = self.arriving {
            self.give_ahead(key, id, size);
        }
    }

    fn give_ahead(&mut self, key: StreamKey, id: StreamId, size: u32) {
        let stream = self.streams.get_mut(key);
        if stream.id != id {
            return;
        }
        let goes_on = stream.state.can_receive() && !stream.recv.ended;
        // PROTOCOL 20
        if goes_on
            && size as usize <= self.unread.share(stream.recv.charged)
            && let Some(increment) = stream.recv.window.advance(size)
        {
            let held = stream.recv.held();
            let beyond = self.grow_ahead(key, size);
            self.write_credit(key, increment.saturating_add(beyond));
            self.count_unread(key, held);
        }
    }

    /// A stream keeps so much more as long as the application holds it.
    pub(super) fn keep(&mut self, key: StreamKey, bytes: usize) {
        self.streams.get_mut(key).kept += bytes;
        self.unread.keep(0, bytes);
    }

    /// The request of a server stream counts with `now` bytes, where `before` were counted, for as
    /// long as the application holds the stream. Without room for it nothing changes.
    pub(crate) fn recount_request(
        &mut self,
        key: StreamKey,
        before: usize,
        now: usize,
    ) -> Result<(), Overrun> {
        self.unread.can_keep(before, now)?;
        let stream = self.streams.get_mut(key);
        stream.kept = stream.kept - before + now;
        self.unread.keep(before, now);
        Ok(())
    }

    /// A new stream shares the room with the others.
    pub(super) fn begin_counting(&mut self, key: StreamKey) {
        self.unread.join();
        self.count_unread(key, 0);
    }
}
