//! The receiving half of a stream: messages that the application has not taken.

use crate::framing::{MESSAGE_COST, Messages};

use super::super::config::room_for;
use super::super::credit::RecvWindow;
use super::super::inbox::{Inbox, Total};
use super::super::streaming::Consumed;

/// The cost of a queued message beside its bytes: a flood of empty messages is held back, too.
const OVERHEAD: usize = 64;

/// The number of messages that may wait without a closer look.
const FEW: u32 = 16 * 1024;

#[derive(Debug)]
pub(crate) struct Recv {
    pub(in crate::conn) window: RecvWindow,
    pub(in crate::conn) inbox: Inbox,
    /// The messages and bytes that came and were not consumed: in the inbox, or in the hands of a
    /// reader that has not given them out.
    unread_messages: u32,
    unread_bytes: usize,
    /// The bytes that the stream counts in the connection's account.
    pub(in crate::conn) charged: usize,
    /// Above this cost the connection is not read any more until the application catches up.
    stall_at: u32,
    /// This stream holds the connection's reading back.
    pub(in crate::conn) stalling: bool,
    /// The client sends no more: it has said so, or its request is complete.
    pub(in crate::conn) ended: bool,
    /// The reader is gone: take messages and forget them.
    pub(in crate::conn) discard: bool,
    /// A reader waits.
    pub(in crate::conn) waiting: bool,
    /// A reader has waited since the window was looked at.
    pub(in crate::conn) waited: bool,
    /// How many looks in a row found the stream waiting; see `conn/stuck.rs`.
    pub(in crate::conn) stuck_looks: u8,
}

impl Recv {
    pub(in crate::conn) fn new(window: u32, stall_at: usize) -> Self {
        Self {
            window: RecvWindow::new(window),
            inbox: Inbox::default(),
            unread_messages: 0,
            unread_bytes: 0,
            charged: 0,
            stall_at: saturate(stall_at),
            stalling: false,
            ended: false,
            discard: false,
            waiting: false,
            waited: false,
            stuck_looks: 0,
        }
    }

    pub(in crate::conn) fn stall_at(&self) -> usize {
        self.stall_at as usize
    }

    pub(in crate::conn) fn set_stall_at(&mut self, cost: usize) {
        self.stall_at = saturate(cost);
    }

    /// Queues messages. `true`: they may be so many that the connection must not be read further
    /// for now.
    #[must_use]
    pub(in crate::conn) fn push(&mut self, messages: Messages) -> bool {
        self.unread_messages += saturate(messages.count());
        self.unread_bytes += messages.bytes();
        // A stream that counts less than a slice keeps gets copies, also for a reader that waits:
        // its handler may be at work for long before it reads on.
        if self.waiting && self.charged >= messages.memory() {
            self.inbox.push(messages);
        } else {
            self.inbox.push_to_stay(messages);
        }
        let is_much = self.unread_messages > FEW || self.cost() > self.stall_at();
        is_much && !self.stalling
    }

    /// Tells whether more waits than may, and the peer has sent it without credit. One message may
    /// go beyond the window.
    pub(in crate::conn) fn is_beyond_credit(&self) -> bool {
        let window = self.window.size() as usize;
        let message = (self.stall_at() / 2).saturating_sub(window);
        self.cost() > self.stall_at()
            && (window == 0 || self.window.overdrawn_by() > message as u64)
    }

    /// The messages that wait and have taken no credit: those beyond one for each byte of it.
    pub(in crate::conn) fn empty(&self) -> usize {
        let credit = self.window.size() as usize + self.window.ahead();
        (self.unread_messages as usize).saturating_sub(self.unread_bytes.min(credit))
    }

    /// Counts messages as consumed.
    pub(in crate::conn) fn consume(&mut self, consumed: Consumed) {
        self.unread_messages = self.unread_messages.saturating_sub(saturate(consumed.messages));
        self.unread_bytes = self.unread_bytes.saturating_sub(consumed.bytes);
    }

    /// The message that is not whole had `before` bytes, and has `now`.
    pub(in crate::conn) fn count_begun(&mut self, before: usize, now: usize) {
        self.unread_bytes = self.unread_bytes - before + now;
    }

    /// Bytes of whole frames that came and were not consumed.
    pub(in crate::conn) fn held(&self) -> usize {
        self.unread_bytes + self.unread_messages as usize * MESSAGE_COST
    }

    /// Tells whether so many bytes more are beyond what the stream is charged. A reader that waits
    /// takes them at once.
    #[inline]
    pub(in crate::conn) fn is_beyond_promise(&self, more: usize) -> bool {
        self.held() + more > self.charged && !self.waiting
    }

    /// The bytes that the stream is to be charged: the room that the peer was promised, or more if
    /// it sent more.
    pub(in crate::conn) fn worth(&self) -> usize {
        self.held().max(self.promised())
    }

    /// The room that the peer was promised.
    pub(in crate::conn) fn promised(&self) -> usize {
        room_for(self.window.size()) + self.window.ahead()
    }

    pub(in crate::conn) fn cost(&self) -> usize {
        self.unread_bytes + self.unread_messages as usize * OVERHEAD
    }

    /// Drops what is queued.
    pub(in crate::conn) fn clear(&mut self) -> Total {
        std::mem::take(&mut self.inbox).total()
    }

    /// The bytes that came and were not consumed, and for which no credit was given ahead, with a
    /// header of that size in front of each message.
    pub(in crate::conn) fn unconsumed(&self, header: usize) -> usize {
        let raw = self.unread_bytes + self.unread_messages as usize * header;
        raw.saturating_sub(self.window.ahead())
    }
}

/// Messages and bytes of one stream are far less than a u32 holds, unless a limit was set higher:
/// then they count as so many.
fn saturate(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
