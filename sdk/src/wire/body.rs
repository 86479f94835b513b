//! What writes the bytes of a message.

use super::outbox::Outbox;

/// A message that is to be written into a frame.
pub(crate) trait Body {
    /// Appends the bytes.
    fn write_to(self, out: &mut Vec<u8>);

    /// Appends the bytes, and large pieces by reference where that can be.
    fn give_to(self, out: &mut Outbox);
}

impl<F: FnOnce(&mut Vec<u8>)> Body for F {
    #[inline]
    fn write_to(self, out: &mut Vec<u8>) {
        self(out);
    }

    fn give_to(self, out: &mut Outbox) {
        self(out.copied());
    }
}
