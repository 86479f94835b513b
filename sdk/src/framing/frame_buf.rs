//! The two places where frames are appended: the outbox, and a plain buffer.

use super::body::Body;

/// Where frames are appended, and half ones taken back from.
pub(crate) trait FrameBuf {
    fn len(&self) -> usize;

    /// Drops what was appended behind the first `len` bytes.
    fn truncate(&mut self, len: usize);

    /// Where small things are appended.
    fn copied(&mut self) -> &mut Vec<u8>;

    /// Appends a message that says that it has `len` bytes.
    fn append(&mut self, len: usize, body: impl Body);
}

impl FrameBuf for Vec<u8> {
    #[inline]
    fn len(&self) -> usize {
        self.len()
    }

    #[inline]
    fn truncate(&mut self, len: usize) {
        self.truncate(len);
    }

    #[inline]
    fn copied(&mut self) -> &mut Vec<u8> {
        self
    }

    #[inline]
    fn append(&mut self, len: usize, body: impl Body) {
        self.reserve(len);
        body.write_to(self);
    }
}
