//! Credit: how much one side may still send on a stream.

use crate::wires::CreditRule;

/// The most that is owed before it is given back: a writer far away does without it for so long.
const MOST_OWED: u32 = 512 * 1024;

/// The sender's view of the peer's window, in bytes of DATA payload.
///
/// Signed, because a message is never split: it may start while the window is above zero and may
/// take it below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SendWindow {
    /// The window that the peer announced at first, or a larger one that it gave since. 0: it does
    /// not count.
    size: u32,
    /// The bytes that may still be sent. Says nothing if the window does not count.
    credit: i64,
    /// The credit that was left is with the stream's writer.
    granted: bool,
}

impl SendWindow {
    /// A window of the announced size; 0 means that the peer does not count.
    pub(super) fn announced(size: u32) -> Self {
        Self { size, credit: i64::from(size), granted: false }
    }

    /// The window of a stream by this rule, of the size that the peer announced.
    pub(super) fn of(rule: CreditRule, announced: u32) -> Self {
        match rule {
            CreditRule::Announced => Self::announced(announced),
            CreditRule::Strict { stream: size, .. } | CreditRule::Chosen { window: size } => {
                Self::announced(size)
            }
        }
    }

    pub(super) const fn unlimited() -> Self {
        Self { size: 0, credit: 0, granted: false }
    }

    /// Tells whether a message may start.
    pub(super) fn is_open(self) -> bool {
        // PROTOCOL 19
        self.size == 0 || self.credit > 0
    }

    /// The bytes that may go now, on a wire where nothing may go beyond the window.
    pub(super) fn allowed(self) -> usize {
        usize::try_from(self.credit.max(0)).unwrap_or(usize::MAX)
    }

    /// Adds what a total is more than the last one: totals may be told twice, and come late.
    pub(super) fn add_total(&mut self, total: u64, last: &mut u64) {
        self.credit = self.credit.saturating_add_unsigned(total.saturating_sub(*last));
        *last = total.max(*last);
    }

    /// Takes all that is left, for somebody who counts by himself; in parts without a limit,
    /// because the window counts when the parts go.
    pub(super) fn grant(&mut self, in_parts: bool) -> i64 {
        self.granted = true;
        if self.size == 0 || in_parts { i64::MAX } else { std::mem::take(&mut self.credit) }
    }

    pub(super) fn is_granted(self) -> bool {
        self.granted
    }

    /// Ends a grant in parts.
    pub(super) fn take_back(&mut self) {
        self.granted = false;
    }

    /// Adds what is left of what was granted; it may be below zero.
    pub(super) fn collect(&mut self, rest: i64) {
        self.granted = false;
        self.credit = self.credit.saturating_add(rest);
        self.widen();
    }

    pub(super) fn subtract(&mut self, bytes: usize) {
        self.credit = self.credit.saturating_sub_unsigned(bytes as u64);
    }

    pub(super) fn add(&mut self, increment: u32) {
        self.credit = self.credit.saturating_add(i64::from(increment));
        self.widen();
    }

    /// A peer that gives more than was sent has a larger window than it announced.
    fn widen(&mut self) {
        if self.credit > i64::from(self.size) && self.size > 0 {
            self.size = u32::try_from(self.credit).unwrap_or(u32::MAX);
        }
    }

    /// The bytes that were sent and not credited, if they are counted.
    pub(super) fn uncredited(self) -> Option<Uncredited> {
        let sent = i64::from(self.size).saturating_sub(self.credit);
        let bytes = u64::try_from(sent).unwrap_or(0);
        (self.size > 0).then_some(Uncredited { bytes, window: self.size })
    }

    /// The credit that is left, if it is counted.
    #[cfg(test)]
    pub(super) fn credit(self) -> Option<i64> {
        (self.size > 0).then_some(self.credit)
    }
}

/// The bytes that were sent and not credited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Uncredited {
    pub(crate) bytes: u64,
    /// The window by which they are measured.
    pub(crate) window: u32,
}

/// The receiver's side: what was consumed and not yet given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecvWindow {
    /// The bytes that the peer may have under way and unread, as it was told; 0: flow control is
    /// off.
    size: u32,
    /// Given for a message that was not consumed yet.
    ahead: u32,
    /// Consumed and not given back.
    owed: u64,
    /// Received and not given back, consumed or not.
    received: u64,
}

/// The effect of a consumption.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Owed {
    /// The bytes for which no credit was given ahead.
    pub(super) new: usize,
    /// It is time to settle.
    pub(super) is_due: bool,
}

impl RecvWindow {
    pub(super) fn new(size: u32) -> Self {
        Self { size, ahead: 0, owed: 0, received: 0 }
    }

    pub(super) fn size(self) -> u32 {
        self.size
    }

    pub(super) fn switch_off(&mut self) {
        *self = Self::new(0);
    }

    /// Counts bytes that came.
    pub(super) fn receive(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    /// Tells whether it is time to [`settle`](Self::settle) when so many bytes more are owed: once
    /// a quarter of the window is, or [`MOST_OWED`].
    pub(super) fn is_due_with(self, bytes: usize) -> bool {
        // PROTOCOL 20
        self.owed + bytes as u64 >= u64::from((self.size / 4).min(MOST_OWED))
    }

    /// Counts bytes the application took.
    pub(super) fn consume(&mut self, bytes: usize) -> Owed {
        let bytes = bytes as u64;
        let given = bytes.min(u64::from(self.ahead));
        if given > 0 {
            self.ahead -= u32::try_from(given).expect("it is no more than what was given");
            self.received = self.received.saturating_sub(given);
        }
        self.owed += bytes - given;
        Owed { new: (bytes - given) as usize, is_due: self.is_due_with(0) }
    }

    /// A message of so many bytes is on its way, and is consumed as soon as it is there. Tells
    /// whether to give the credit for it now, because its sender has none left.
    pub(super) fn advance(&mut self, bytes: u32) -> Option<u32> {
        let gives = self.size > 0
            && self.ahead == 0
            && self.owed + u64::from(bytes) >= u64::from(self.size);
        gives.then(|| {
            self.ahead = bytes;
            bytes
        })
    }

    /// A message has begun with so many bytes, and its reader waits for the rest. Gives the credit
    /// for them, if that is worth a frame.
    pub(super) fn advance_to(&mut self, begun: usize) -> Option<u32> {
        let more = u32::try_from(begun).unwrap_or(u32::MAX).saturating_sub(self.ahead);
        (self.size > 0 && more >= self.size / 4).then(|| {
            self.ahead += more;
            more
        })
    }

    /// The bytes that were consumed, and are not given back.
    pub(super) fn owed(self) -> u64 {
        self.owed
    }

    /// Gives what makes the window `size` from now on, if that is more than it has.
    pub(super) fn grow(&mut self, size: u32) -> u32 {
        let more = size.saturating_sub(self.size);
        self.size += more;
        more
    }

    /// How much more came than the peer had credit for.
    pub(super) fn overdrawn_by(self) -> u64 {
        self.received.saturating_sub(u64::from(self.size) + u64::from(self.ahead))
    }

    /// Tells whether more came than the peer had credit for.
    pub(super) fn is_overdrawn(self) -> bool {
        self.size > 0 && self.overdrawn_by() > 0
    }

    /// Given for a message that was not consumed yet.
    pub(super) fn ahead(self) -> usize {
        self.ahead as usize
    }

    /// Everything that was received and not given back, whether the application has taken it or
    /// not: it will not.
    pub(super) fn settle_all(&mut self) -> Option<u32> {
        let given = std::mem::take(&mut self.ahead);
        self.received = self.received.saturating_sub(u64::from(given));
        self.owed = self.received;
        self.settle(self.size)
    }

    /// Gives the increment to send: what is owed, and what makes the window `size` from now on. A
    /// window shrinks by what is not given back, so it may take several times until it is that
    /// small.
    pub(super) fn settle(&mut self, size: u32) -> Option<u32> {
        let owed = std::mem::take(&mut self.owed);
        if self.size == 0 {
            return None;
        }
        self.received = self.received.saturating_sub(owed);
        // PROTOCOL 20
        // A window that shrinks holds back what is owed, and one that grows gives more.
        let less = u64::from(self.size.saturating_sub(size)).min(owed);
        let more = u64::from(size.saturating_sub(self.size));
        // A frame is at most u32::MAX long and a quarter of the window is far below it, so this
        // fits in practice; the rest would follow with the next message.
        let increment = u32::try_from(owed - less + more).unwrap_or(u32::MAX);
        let rest = owed - less + more - u64::from(increment);
        self.owed = rest;
        self.received += rest;
        self.size = if more > 0 { size } else { self.size - u32::try_from(less).unwrap_or(0) };
        (increment > 0).then_some(increment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_may_overdraw_by_one_message_and_waits_until_the_window_is_above_zero() {
        let mut window = SendWindow::announced(65_535);
        for _ in 0..7 {
            assert!(window.is_open());
            window.subtract(10_003);
        }
        assert_eq!(window.credit(), Some(-4_486));
        assert!(!window.is_open());
        window.add(4_486);
        assert!(!window.is_open(), "a window of exactly zero does not open");
        window.add(1);
        assert!(window.is_open());
    }

    #[test]
    fn what_is_not_credited_is_told_with_the_window() {
        let uncredited = |bytes| Some(Uncredited { bytes, window: 65_535 });
        let mut window = SendWindow::announced(65_535);
        assert_eq!(window.uncredited(), uncredited(0));
        window.subtract(70_000);
        assert_eq!(window.uncredited(), uncredited(70_000));
        window.add(10_000);
        assert_eq!(window.uncredited(), uncredited(60_000));
        window.add(70_000);
        let wider = Some(Uncredited { bytes: 0, window: 75_535 });
        assert_eq!(window.uncredited(), wider, "a peer may give more than was sent");
        assert_eq!(SendWindow::unlimited().uncredited(), None);
    }

    #[test]
    fn increments_saturate() {
        let mut window = SendWindow::announced(u32::MAX);
        for _ in 0..4 {
            window.add(u32::MAX);
        }
        assert_eq!(window.credit(), Some(5 * i64::from(u32::MAX)));
        window.credit = i64::MAX;
        window.add(u32::MAX);
        assert_eq!(window.credit(), Some(i64::MAX));
    }

    #[test]
    fn credit_is_given_back_at_a_quarter_of_the_window_with_the_exact_sum() {
        let mut window = RecvWindow::new(65_535);
        window.receive(120_000);
        assert!(!window.consume(16_382).is_due);
        assert!(window.consume(1).is_due);
        assert_eq!(window.settle(65_535), Some(16_383));
        assert!(window.consume(100_000).is_due);
        assert_eq!(window.settle(65_535), Some(100_000));
        assert!(!window.consume(5).is_due);
        assert_eq!(
            window.settle_all(),
            Some(3_617),
            "what was received and never consumed as well"
        );
        assert_eq!(window.settle_all(), None);
    }

    #[test]
    fn what_is_given_ahead_is_not_given_again() {
        let mut window = RecvWindow::new(65_535);
        assert!(window.advance(65_534).is_none(), "its sender has some left");
        window.receive(10_000);
        assert!(!window.consume(10_000).is_due);
        assert!(window.advance(55_535).is_some());
        assert_eq!(window.ahead(), 55_535);
        assert!(window.advance(1_000_000).is_none(), "for one message only");
        window.receive(55_535 + 20_000);
        assert!(!window.consume(55_535).is_due, "10,000 are owed");
        assert!(window.consume(20_000).is_due);
        assert_eq!((window.settle(65_535), window.ahead()), (Some(30_000), 0));
        assert_eq!(window.settle_all(), None);
        assert!(RecvWindow::new(0).advance(1_000_000).is_none());

        assert!(window.advance(100_000).is_some());
        window.receive(100_000 + 5);
        assert_eq!(window.settle_all(), Some(5), "also when nobody is to consume it");
    }

    #[test]
    fn a_window_shrinks_by_what_is_not_given_back_and_grows_by_what_is_given_beyond() {
        let mut window = RecvWindow::new(65_535);
        window.receive(65_535);
        assert!(window.consume(20_000).is_due);
        assert_eq!((window.settle(1_000), window.size()), (None, 45_535));
        assert!(window.consume(45_535).is_due);
        assert_eq!((window.settle(1_000), window.size()), (Some(1_000), 1_000));
        window.receive(500);
        assert!(window.consume(500).is_due);
        assert_eq!((window.settle(65_535), window.size()), (Some(65_035), 65_535));
        assert_eq!(window.settle_all(), None, "nothing is left that was received and not settled");
    }

    #[test]
    fn what_does_not_fit_into_one_increment_follows_with_the_next() {
        let mut window = RecvWindow::new(u32::MAX);
        let much = 5 * (u32::MAX as usize);
        window.receive(much);
        assert!(window.consume(much).is_due);
        for _ in 0..5 {
            assert_eq!(window.settle(u32::MAX), Some(u32::MAX));
        }
        assert_eq!((window.settle(u32::MAX), window.settle_all()), (None, None));

        window.receive(much);
        assert!(window.consume(much).is_due);
        for _ in 0..5 {
            assert_eq!(window.settle_all(), Some(u32::MAX));
        }
        assert_eq!(window.settle_all(), None);
    }

    #[test]
    fn a_window_of_zero_neither_counts_nor_credits() {
        let mut send = SendWindow::announced(0);
        send.subtract(1 << 40);
        assert!(send.is_open());
        let mut recv = RecvWindow::new(0);
        recv.consume(1 << 20);
        assert_eq!(recv.settle(65_535), None);
        assert_eq!((recv.settle_all(), recv.size()), (None, 0));
    }
}
