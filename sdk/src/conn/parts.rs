//! Messages in parts, for wires whose windows nothing may go beyond.
//!
//! A message that is sent goes as far as the windows of its stream and of the connection let it.
//! Its rest waits with its stream, which takes no other message until it is gone. The end of the
//! direction goes behind it. A server's stream that has ended for its handler leaves its rest and
//! its outcome here, and so do unary calls that are streams, on both sides.
//!
//! A message that comes is put together with its stream. If it is larger than the window, a reader
//! that waits for it gives credit for what is there.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;

use crate::framing::{Framing, Messages, Outcome, StreamId};
use crate::wires::{Credit, CreditRule};

use super::Connection;
use super::call_streams::CallStreams;
use super::credit::{RecvWindow, SendWindow};
use super::error::{ConnError, Violation};
use super::event::{Event, StreamKey};
use super::stream::Moved;
use super::window_growth::Growth;

/// The id of the connection in credit that is for all streams together.
pub(super) const CONNECTION: StreamId = StreamId(0);

/// The windows of a connection that all its streams share, and who waits for them.
#[derive(Debug)]
pub(super) struct SharedWindows {
    send: SendWindow,
    recv: RecvWindow,
    growth: Option<Growth>,
    /// The rests that the connection's window holds back, first come first served.
    starved: VecDeque<Starved>,
    /// The rests of streams that are over for this side, with what ends them.
    leftovers: BTreeMap<StreamId, Leftover>,
    /// The bytes of all rests.
    waiting: usize,
    /// The unary calls that are streams.
    pub(super) calls: CallStreams,
}

/// A rest that the connection's window holds back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Starved {
    Stream(StreamKey),
    Leftover(StreamId),
}

/// Bytes that wait for credit.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    bytes: Vec<u8>,
    sent: usize,
    /// The direction ends behind them.
    ends: bool,
}

/// The rest of a stream that is over for this side, and the outcome behind it.
#[derive(Debug)]
struct Leftover {
    rest: Rest,
    window: SendWindow,
    tail: Tail,
}

/// The end of a direction, which goes behind its rest.
#[derive(Debug)]
pub(super) enum Tail {
    HalfClose,
    /// The end of a stream with the outcome of its handler.
    Stream(Outcome),
    /// The end of a unary call.
    Call(Outcome),
}

impl SharedWindows {
    /// The windows by this rule, if it has such.
    pub(super) fn of(rule: CreditRule) -> Option<Box<Self>> {
        let CreditRule::Strict { connection, .. } = rule else { return None };
        Some(Box::new(Self {
            send: SendWindow::announced(connection),
            recv: RecvWindow::new(connection),
            growth: None,
            starved: VecDeque::new(),
            leftovers: BTreeMap::new(),
            waiting: 0,
            calls: CallStreams::new(),
        }))
    }

    /// The bytes that wait for credit.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// The connection is over.
    pub(super) fn clear(&mut self) {
        self.leftovers.clear();
        self.starved.clear();
        self.calls.clear();
        self.waiting = 0;
    }

    fn starve(&mut self, rest: Starved) {
        if !self.send.is_open() && !self.starved.contains(&rest) {
            self.starved.push_back(rest);
        }
    }

    /// The rest is not sent any more.
    fn forget(&mut self, rest: Starved) {
        self.starved.retain(|other| *other != rest);
    }

    /// How many rests of streams that are over wait.
    pub(super) fn leftovers(&self) -> usize {
        self.leftovers.len()
    }
}

impl Rest {
    fn waiting(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Takes what both windows allow.
    fn take(&mut self, stream: &mut SendWindow, connection: &mut SendWindow) -> &[u8] {
        let allowed = stream.allowed().min(connection.allowed());
        let from = self.sent;
        self.sent += self.waiting().len().min(allowed);
        let part = &self.bytes[from..self.sent];
        stream.subtract(part.len());
        connection.subtract(part.len());
        part
    }
}

impl Connection {
    /// Puts bytes of messages behind those that wait, and sends what may go.
    pub(super) fn queue_bytes(&mut self, key: StreamKey, bytes: &[u8]) {
        let rare = self.streams.get_mut(key).rare.get_or_insert_default();
        let rest = rare.rest.get_or_insert_default();
        rest.bytes.extend_from_slice(bytes);
        if let Some(shared) = &mut self.shared {
            shared.waiting += bytes.len();
        }
        self.send_rest(key);
    }

    /// The direction of the stream ends behind what waits. `false`: nothing does.
    pub(super) fn end_behind_rest(&mut self, key: StreamKey) -> bool {
        self.streams.get_mut(key).rest().map(|rest| rest.ends = true).is_some()
    }

    /// The stream is over for this side: what waits goes on without it, and the outcome behind it.
    /// `false`: nothing waits.
    pub(super) fn leave_rest(&mut self, key: StreamKey, outcome: &Outcome) -> bool {
        let stream = self.streams.get_mut(key);
        let (Some(rest), Some(shared)) = (stream.take_rest(), &mut self.shared) else {
            return false;
        };
        let leftover =
            Leftover { rest, window: stream.send.window, tail: Tail::Stream(outcome.clone()) };
        shared.leftovers.insert(stream.id, leftover);
        // It keeps its turn.
        if let Some(turn) = shared.starved.iter_mut().find(|turn| **turn == Starved::Stream(key)) {
            *turn = Starved::Leftover(stream.id);
        }
        true
    }

    /// Sends bytes of a stream that nobody holds here, and the end behind them, as far as the
    /// windows allow.
    pub(super) fn leave(&mut self, id: StreamId, bytes: Vec<u8>, window: SendWindow, tail: Tail) {
        let Some(shared) = &mut self.shared else { return };
        shared.waiting += bytes.len();
        let rest = Rest { bytes, ..Rest::default() };
        self.advance(id, Leftover { rest, window, tail });
    }

    /// Sends what the windows allow of a stream's rest.
    pub(super) fn send_rest(&mut self, key: StreamKey) {
        let Some(shared) = &mut self.shared else { return };
        let stream = self.streams.get_mut(key);
        let Some(rest) = stream.rare.as_mut().and_then(|rare| rare.rest.as_mut()) else { return };
        let part = rest.take(&mut stream.send.window, &mut shared.send);
        if !part.is_empty() {
            shared.waiting -= part.len();
            self.wire.part(&mut self.output, stream.id, part);
            stream.moved = Moved::NOW;
        }
        if !rest.waiting().is_empty() {
            shared.starve(Starved::Stream(key));
        } else {
            let ends = rest.ends;
            stream.take_rest();
            if ends {
                self.wire.half_close(&mut self.output, stream.id);
            } else if std::mem::take(&mut stream.send.waiting) {
                self.events.push(Event::Writable(key));
            }
        }
        self.count_unsent();
    }

    /// The same for what streams that are over have left.
    fn send_leftover(&mut self, id: StreamId) {
        if let Some(shared) = &mut self.shared
            && let Some(leftover) = shared.leftovers.remove(&id)
        {
            self.advance(id, leftover);
        }
    }

    /// Sends what may go, and keeps what may not.
    fn advance(&mut self, id: StreamId, mut leftover: Leftover) {
        let Some(shared) = &mut self.shared else { return };
        let part = leftover.rest.take(&mut leftover.window, &mut shared.send);
        if !part.is_empty() {
            shared.waiting -= part.len();
            self.wire.part(&mut self.output, id, part);
        }
        if !leftover.rest.waiting().is_empty() {
            shared.starve(Starved::Leftover(id));
            shared.leftovers.insert(id, leftover);
        } else {
            match leftover.tail {
                Tail::HalfClose => self.wire.half_close(&mut self.output, id),
                Tail::Stream(outcome) => self.write_outcome(id, outcome),
                Tail::Call(outcome) => self.write_close(id, outcome),
            }
            self.tell_if_idle();
        }
        self.count_unsent();
    }

    /// The peer has ended a stream that is over here. Tells whether something of it was not sent.
    pub(super) fn drop_leftover(&mut self, id: StreamId) -> bool {
        let Some(shared) = &mut self.shared else { return false };
        let Some(leftover) = shared.leftovers.remove(&id) else { return false };
        shared.waiting -= leftover.rest.waiting().len();
        shared.forget(Starved::Leftover(id));
        self.count_unsent();
        self.tell_if_idle();
        true
    }

    /// The stream is over, and what waits is not sent any more.
    pub(super) fn drop_rest(&mut self, key: StreamKey) {
        if let Some(shared) = &mut self.shared
            && let Some(rest) = self.streams.get_mut(key).take_rest()
        {
            shared.waiting -= rest.waiting().len();
            shared.forget(Starved::Stream(key));
            self.count_unsent();
        }
    }

    /// Credit for all streams together: those that it held back go on in turn.
    pub(super) fn handle_shared_credit(&mut self, increment: u32) {
        let Some(shared) = &mut self.shared else { return };
        shared.send.add(increment);
        for rest in std::mem::take(&mut shared.starved) {
            match rest {
                Starved::Stream(key) => self.send_rest(key),
                Starved::Leftover(id) => self.send_leftover(id),
            }
        }
    }

    /// Credit for a stream that is over with a rest, or for a unary call.
    pub(super) fn handle_credit_of_leftover(&mut self, id: StreamId, increment: u32) {
        let Some(shared) = &mut self.shared else { return };
        if let Some(leftover) = shared.leftovers.get_mut(&id) {
            leftover.window.add(increment);
            self.send_leftover(id);
        } else {
            shared.calls.add_credit(id, increment);
        }
    }

    /// Bytes of messages have come. An error ends the connection.
    pub(super) fn handle_bytes(
        &mut self,
        id: StreamId,
        bytes: Bytes,
        now: Instant,
    ) -> Result<(), ConnError> {
        let size = bytes.len();
        if let Some(shared) = &mut self.shared {
            shared.recv.receive(size);
            if shared.recv.is_overdrawn() {
                return Err(ConnError::Overdrawn { limit: shared.recv.size() });
            }
        }
        if self.streams.find(id).is_none() && self.take_call_bytes(id, &bytes) {
            return Ok(());
        }
        let Some(key) = self.find_receiver(id, size) else { return Ok(()) };
        let stream = self.streams.get_mut(key);
        let before = stream.recv.held();
        stream.recv.window.receive(size);
        let beyond = stream.recv.is_beyond_promise(size);
        if stream.recv.window.is_overdrawn() {
            self.violate(key, Violation::Overdrawn);
            return Ok(());
        }
        if beyond && self.is_overrun(key, size) {
            return Ok(());
        }
        let framing = self.rules.framing;
        let limit = self.config.max_received;
        let stream = self.streams.get_mut(key);
        let rare = stream.rare.get_or_insert_default();
        let begun = rare.begun.len();
        let runs = put_together(&mut rare.begun, bytes, framing, limit);
        stream.recv.count_begun(begun, rare.begun.len());
        match runs {
            Ok(runs) => {
                for messages in runs.into_iter().flatten() {
                    self.take_messages(key, messages, now);
                }
            }
            Err(size) => self.refuse_message(key, size, limit),
        }
        self.count_unread(key, before);
        self.give_credit_for_begun(key);
        Ok(())
    }

    /// A reader waits for a message of which a part is there: its sender may have no credit for the
    /// rest of it.
    #[inline]
    pub(super) fn give_credit_for_begun(&mut self, key: StreamKey) {
        // A window that is announced counts whole messages.
        if self.rules.credit != CreditRule::Announced {
            self.advance_for_begun(key);
        }
    }

    fn advance_for_begun(&mut self, key: StreamKey) {
        let stream = self.streams.get_mut(key);
        let begun = stream.begun();
        if begun == 0 || !stream.recv.waiting || !stream.state.can_receive() {
            return;
        }
        let before = stream.recv.held();
        let ahead = stream.recv.window.ahead();
        if let Some(increment) = stream.recv.window.advance_to(begun) {
            let beyond = self.grow_ahead(key, increment);
            self.write_credit(key, increment.saturating_add(beyond));
            self.give_shared_credit(begun - ahead);
            self.count_unread(key, before);
        }
    }

    /// Gives credit for a stream that is not over.
    pub(super) fn write_credit(&mut self, key: StreamKey, increment: u32) {
        let stream = self.streams.get_mut(key);
        let total = stream.rare.as_mut().map_or(0, |rare| {
            rare.given += u64::from(increment);
            rare.given
        });
        self.wire.credit(&mut self.output, stream.id, Credit { increment, total });
    }

    /// Bytes that came are not held any more, or need not be waited for.
    #[inline]
    pub(super) fn give_shared_credit(&mut self, bytes: usize) {
        if let Some(shared) = &mut self.shared
            && shared.recv.consume(bytes).is_due
        {
            self.settle_shared();
        }
    }

    fn settle_shared(&mut self) {
        let Some(shared) = &mut self.shared else { return };
        let most = self.config.grown_window_of(self.unread.share_of_grown(0));
        let size = shared.recv.next_size(&mut shared.growth, &mut self.path, self.now, most);
        if let Some(increment) = shared.recv.settle(size) {
            let credit = Credit { increment, total: 0 };
            self.wire.credit(&mut self.output, CONNECTION, credit);
        }
    }
}

/// Finds the messages in bytes that are cut anywhere: one that had begun, and those behind it.
/// Keeps what is behind them. `Err` is the size of a message that is larger than may be.
fn put_together(
    begun: &mut Vec<u8>,
    mut bytes: Bytes,
    framing: Framing,
    limit: usize,
) -> Result<[Option<Messages>; 2], usize> {
    let mut runs = [None, None];
    if !begun.is_empty() {
        // As much as its size takes, and then as much as it says.
        let header = usize::from(framing.header).saturating_sub(begun.len()).min(bytes.len());
        begun.extend_from_slice(&bytes.split_to(header));
        let Some(size) = framing.size(begun) else { return Ok(runs) };
        if size > limit {
            return Err(size);
        }
        let more = (size - begun.len()).min(bytes.len());
        begun.extend_from_slice(&bytes.split_to(more));
        if begun.len() < size {
            return Ok(runs);
        }
        runs[0] = Some(Messages::new(std::mem::take(begun).into(), 1, framing));
    }
    let Whole { size, count } = whole(&bytes, framing, limit)?;
    let run = bytes.split_to(size);
    if count > 0 {
        runs[1] = Some(Messages::new(run, count, framing));
    }
    begun.extend_from_slice(&bytes);
    Ok(runs)
}

/// Whole messages, with their headers.
struct Whole {
    size: usize,
    count: usize,
}

/// The whole messages at the front of `bytes`. `Err` is the size of one that is larger than may be.
fn whole(bytes: &[u8], framing: Framing, limit: usize) -> Result<Whole, usize> {
    let (mut end, mut count) = (0, 0);
    while let Some(size) = framing.size(&bytes[end..]) {
        if size > limit {
            return Err(size);
        }
        if bytes.len() - end < size {
            break;
        }
        end += size;
        count += 1;
    }
    Ok(Whole { size: end, count })
}
