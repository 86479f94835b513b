//! A message that comes in parts.

use bytes::Bytes;

use crate::framing::Framing;

use super::super::credit::RecvWindow;
use super::super::error::Violation;
use super::CallFault;

/// The longest header of a message, as far as it is looked at.
const HEADER: usize = 40;

/// The one message of a direction, with what stands in front of it.
#[derive(Debug)]
pub(super) struct Incomplete {
    window: RecvWindow,
    bytes: Vec<u8>,
}

/// The effect of bytes that came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TakenBytes {
    /// The memory that the message has got for them.
    pub(super) memory: usize,
    /// The credit that is due.
    pub(super) increment: Option<u32>,
}

impl Incomplete {
    pub(super) fn new(window: u32) -> Self {
        Self { window: RecvWindow::new(window), bytes: Vec::new() }
    }

    /// Its memory.
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// Adds what came, if there is `room` for the memory that it takes.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        framing: Framing,
        limit: usize,
        room: impl FnOnce(usize) -> Result<(), CallFault>,
    ) -> Result<TakenBytes, CallFault> {
        self.window.receive(bytes.len());
        if self.window.is_overdrawn() {
            return Err(CallFault::Violation(Violation::Overdrawn));
        }
        let (there, needed) = (self.bytes.len(), self.bytes.len() + bytes.len());
        let size = self.size_with(bytes, framing);
        match size {
            Some(size) if size > limit => return Err(CallFault::TooLarge { size, limit }),
            Some(size) if size < needed => {
                return Err(CallFault::Violation(Violation::SecondMessage));
            }
            _ => {}
        }
        let before = self.memory();
        if needed > before {
            // It doubles as the bytes come: the size alone proves nothing.
            let wanted = needed.max(2 * there).min(size.unwrap_or(needed));
            room(wanted - before)?;
            self.bytes.reserve_exact(wanted - there);
        }
        self.bytes.extend_from_slice(bytes);
        let owed = self.window.consume(bytes.len());
        let goes_on = owed.is_due && size != Some(needed);
        let increment = if goes_on { self.window.settle(self.window.size()) } else { None };
        Ok(TakenBytes { memory: self.memory() - before, increment })
    }

    /// The size of the message, if that is known with `more`.
    fn size_with(&self, more: &[u8], framing: Framing) -> Option<usize> {
        let mut front = [0; HEADER];
        let there = self.bytes.len().min(HEADER);
        let end = (there + more.len()).min(HEADER);
        front[..there].copy_from_slice(&self.bytes[..there]);
        front[there..end].copy_from_slice(&more[..end - there]);
        framing.size(&front[..end])
    }

    /// Tells whether the message is there whole.
    pub(super) fn check(&self, framing: Framing) -> Result<(), Violation> {
        match framing.size(&self.bytes) {
            _ if self.bytes.is_empty() => Err(Violation::NoMessage),
            Some(size) if size == self.bytes.len() => Ok(()),
            _ => Err(Violation::CutMessage),
        }
    }

    /// The message behind its header.
    pub(super) fn into_body(self, framing: Framing) -> Bytes {
        Bytes::from(self.bytes).slice(usize::from(framing.header)..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAMING: Framing = Framing { header: 5, size_at: 1, beside: 5 };

    fn framed(message: &[u8]) -> Vec<u8> {
        [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat()
    }

    #[test]
    fn a_message_comes_whole_wherever_it_is_cut() {
        let whole = framed(b"a message");
        for step in 1..=whole.len() {
            let mut message = Incomplete::new(100);
            for part in whole.chunks(step) {
                message.take(part, FRAMING, 100, |_| Ok(())).unwrap();
            }
            assert_eq!(message.memory(), whole.len(), "no more than it needs");
            assert_eq!(message.check(FRAMING), Ok(()));
            assert_eq!(message.into_body(FRAMING), "a message", "in steps of {step}");
        }
    }

    #[test]
    fn memory_doubles_as_the_bytes_come_and_ends_at_the_size() {
        let whole = framed(&[7; 995]);
        let (mut message, mut asked) = (Incomplete::new(10_000), Vec::new());
        for part in whole.chunks(100) {
            let taken = message.take(part, FRAMING, 1_000, |more| {
                asked.push(more);
                Ok(())
            });
            assert_eq!(taken.unwrap().increment, None);
        }
        assert_eq!(asked, [100, 100, 200, 400, 200]);
    }

    #[test]
    fn a_message_without_room_takes_none() {
        let mut message = Incomplete::new(10_000);
        let full = message.take(&framed(b"12345"), FRAMING, 100, |more| {
            Err(CallFault::TooLarge { size: more, limit: 0 })
        });
        assert_eq!(full, Err(CallFault::TooLarge { size: 10, limit: 0 }));
        assert_eq!(message.memory(), 0);
    }

    #[test]
    fn credit_is_given_back_while_more_of_the_message_is_to_come() {
        let (mut message, whole) = (Incomplete::new(100), framed(&[1; 95]));
        let mut take = |part: &[u8]| message.take(part, FRAMING, 100, |_| Ok(())).unwrap();
        assert_eq!(take(&whole[..24]).increment, None);
        assert_eq!(take(&whole[24..25]).increment, Some(25), "a quarter of the window");
        assert_eq!(take(&whole[25..]).increment, None, "nothing comes behind it");
    }
}
