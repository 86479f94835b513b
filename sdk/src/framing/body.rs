//! The writer of a message's bytes.

use super::outbox::Outbox;

/// A message that is to be written into a frame.
pub(crate) trait Body {
    /// Appends the bytes.
    fn write_to(self, out: &mut Vec<u8>);

    /// Appends the bytes, and large pieces by reference where that can be.
    fn write_by_ref(self, out: &mut Outbox);
}

impl<F: FnOnce(&mut Vec<u8>)> Body for F {
    #[inline]
    fn write_to(self, out: &mut Vec<u8>) {
        self(out);
    }

    fn write_by_ref(self, out: &mut Outbox) {
        self(out.copied());
    }
}

/// The message of a unary call or answer, which has `len` bytes, and what travels behind it.
#[derive(Clone, Copy)]
pub(crate) struct UnaryContent<'a, B> {
    pub(crate) len: usize,
    pub(crate) body: B,
    pub(crate) attachment: &'a [u8],
}

impl<'a, B> UnaryContent<'a, B> {
    /// A message that comes alone.
    pub(crate) fn new(len: usize, body: B) -> Self {
        Self { len, body, attachment: &[] }
    }

    /// The same with bytes behind it.
    pub(crate) fn with(self, attachment: &'a [u8]) -> Self {
        Self { attachment, ..self }
    }

    /// The bytes of both.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.len + self.attachment.len()
    }
}

/// A message that is one piece.
#[cfg(test)]
pub(crate) struct Piece(pub(crate) bytes::Bytes);

#[cfg(test)]
impl Body for Piece {
    fn write_to(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn write_by_ref(self, out: &mut Outbox) {
        out.append_by_ref(self.0);
    }
}
