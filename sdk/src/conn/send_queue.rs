//! The queue of senders that wait for room in the outbox: first come, first served.
//!
//! Without a queue, a stream that writes in a tight loop would take the room again and again while
//! the others are still being woken. A sender that comes while others wait waits behind them.
//!
//! Small messages go ahead, up to a part of the limit, which they may exceed by as much: one large
//! message fills the outbox, and without that they would wait until it is written, and then for
//! their tasks to be woken, while the next large one follows.

use std::collections::VecDeque;

use slab::Slab;

/// The largest message that goes ahead of those that wait.
const SMALL: usize = 4 * 1024;

/// The part of the limit that small messages may take ahead of a message that waits.
const AHEAD_PART: usize = 4;

/// A number in the queue. Its holder must use it or give it back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(crate) struct SendTicket(pub(crate) usize);

#[derive(Debug)]
struct QueuedSender {
    bytes: usize,
    granted: bool,
}

#[derive(Debug)]
pub(super) struct SendQueue {
    limit: usize,
    tickets: Slab<QueuedSender>,
    queue: VecDeque<SendTicket>,
    /// Bytes promised to holders of a grant who have not used it yet.
    promised: usize,
    /// Bytes of small messages that went ahead since there was room for others.
    ahead: usize,
}

impl SendQueue {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, tickets: Slab::new(), queue: VecDeque::new(), promised: 0, ahead: 0 }
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Asks for room for `bytes` more, with `queued` in the outbox. `true`: put them in now, and
    /// the ticket is used up. `false`: wait with the ticket until it is granted.
    pub(super) fn claim(
        &mut self,
        queued: usize,
        bytes: usize,
        ticket: &mut Option<SendTicket>,
    ) -> bool {
        match *ticket {
            None if self.queue.is_empty() && queued + self.promised < self.limit => {
                self.ahead = 0;
                true
            }
            None if bytes <= SMALL && self.ahead + bytes <= self.limit / AHEAD_PART => {
                self.ahead += bytes;
                true
            }
            None => {
                let new = SendTicket(self.tickets.insert(QueuedSender { bytes, granted: false }));
                self.queue.push_back(new);
                *ticket = Some(new);
                false
            }
            Some(held) if self.tickets[held.0].granted => {
                self.give_back(ticket);
                true
            }
            Some(_) => false,
        }
    }

    /// Gives up a ticket, granted or not. Call [`grant`](Self::grant) afterwards: the room may be
    /// another's now.
    pub(super) fn give_back(&mut self, ticket: &mut Option<SendTicket>) {
        let Some(held) = ticket.take() else { return };
        let waiting = self.tickets.remove(held.0);
        if waiting.granted {
            self.promised -= waiting.bytes;
        } else {
            self.queue.retain(|other| *other != held);
        }
    }

    /// Grants room to those at the head of the queue, as long as there is some.
    pub(super) fn grant(&mut self, queued: usize, mut granted: impl FnMut(SendTicket)) {
        while queued + self.promised < self.limit
            && let Some(ticket) = self.queue.pop_front()
        {
            let waiting = &mut self.tickets[ticket.0];
            waiting.granted = true;
            self.promised += waiting.bytes;
            self.ahead = 0;
            granted(ticket);
        }
    }

    /// Grants everybody, because the connection is over and each must learn it.
    pub(super) fn grant_all(&mut self, mut granted: impl FnMut(SendTicket)) {
        while let Some(ticket) = self.queue.pop_front() {
            let waiting = &mut self.tickets[ticket.0];
            waiting.granted = true;
            self.promised += waiting.bytes;
            granted(ticket);
        }
    }

    /// Those who wait, in their order.
    pub(super) fn waiting(&self) -> impl Iterator<Item = SendTicket> {
        self.queue.iter().copied()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(queue: &mut SendQueue, queued: usize) -> Vec<SendTicket> {
        let mut granted = Vec::new();
        queue.grant(queued, |ticket| granted.push(ticket));
        granted
    }

    #[test]
    fn room_is_given_in_the_order_of_asking_and_newcomers_wait_behind() {
        let mut queue = SendQueue::new(10_000);
        assert!(queue.claim(9_999, 50_000, &mut None), "one message may go beyond the limit");
        assert!(queue.is_idle());
        let (mut first, mut second, mut third) = (None, None, None);
        assert!(!queue.claim(59_999, 6_000, &mut first));
        assert!(!queue.claim(59_999, 6_000, &mut second));
        assert!(!queue.claim(0, 6_000, &mut third), "there is room, but others came before");
        assert_eq!(grants(&mut queue, 0), [first.unwrap(), second.unwrap()]);
        assert!(!queue.claim(0, 6_000, &mut third));
        assert!(queue.claim(0, 6_000, &mut first));
        assert_eq!(first, None);
        assert_eq!(grants(&mut queue, 6_000), []);
        assert!(queue.claim(6_000, 6_000, &mut second));
        assert_eq!(grants(&mut queue, 0), [third.unwrap()]);
    }

    #[test]
    fn a_grant_that_is_given_back_goes_to_the_next() {
        let mut queue = SendQueue::new(10_000);
        let (mut first, mut second) = (None, None);
        assert!(!queue.claim(10_000, 10_000, &mut first));
        assert!(!queue.claim(10_000, 10_000, &mut second));
        assert_eq!(grants(&mut queue, 0), [first.unwrap()]);
        assert_eq!(grants(&mut queue, 0), []);
        queue.give_back(&mut first);
        assert_eq!(grants(&mut queue, 0), [second.unwrap()]);
        queue.give_back(&mut second);
        assert!(queue.claim(0, 1, &mut None));
    }

    #[test]
    fn small_messages_go_ahead_of_large_ones_that_wait_until_they_have_taken_their_part() {
        let limit = 100 * SMALL;
        let mut queue = SendQueue::new(limit);
        let mut large = None;
        assert!(!queue.claim(limit, SMALL + 1, &mut large), "it waits, because it is not small");
        let mut queued = limit;
        let mut send_small = |queue: &mut SendQueue| {
            let (before, mut ticket) = (queued, None);
            while queue.claim(queued, SMALL, &mut ticket) {
                queued += SMALL;
            }
            (queued - before, ticket)
        };
        let (ahead, mut small) = send_small(&mut queue);
        assert_eq!(ahead, 25 * SMALL);
        // Some of it is written.
        assert_eq!(grants(&mut queue, limit), []);
        assert_eq!(grants(&mut queue, limit - 1), [large.unwrap()]);
        let (ahead, mut other) = send_small(&mut queue);
        assert_eq!(ahead, 25 * SMALL, "the next large message may be overtaken by as much");
        queue.give_back(&mut large);
        assert_eq!(grants(&mut queue, limit - 1), [small.unwrap()], "those that wait are in order");
        queue.give_back(&mut small);
        queue.give_back(&mut other);
    }
}
