//! The bytes in front of each message of a stream, made once.

use super::body::Body;
use super::frame_buf::FrameBuf;
use super::messages::Framing;
use super::write::WriteError;

/// The longest prefix of a known wire, with some room: brpc's frame header and its protobuf meta
/// take 38 bytes at most.
const MOST: usize = 40;

/// The bytes that a wire puts in front of each message of a stream. They differ in the size only,
/// so a writer has them ready, and knows nothing else of its wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prefix {
    /// A whole array, because appending it is one copy of known size.
    bytes: [u8; MOST],
    framing: Framing,
}

impl Prefix {
    /// `bytes` are a prefix as `framing` describes it, of whatever size.
    ///
    /// # Panics
    ///
    /// When the wire's prefix is longer than any known one.
    #[inline]
    pub(crate) fn new(bytes: &[u8], framing: Framing) -> Self {
        let mut all = [0; MOST];
        all[..usize::from(framing.header)].copy_from_slice(bytes);
        Self { bytes: all, framing }
    }

    /// Appends a message: the prefix, then what `body` appends, which has to be exactly `len`
    /// bytes.
    ///
    /// # Errors
    ///
    /// When the message has another size than announced. Then nothing is appended; nor if `body`
    /// panics.
    ///
    /// # Panics
    ///
    /// When the message is over 4 GiB: the caller has checked `len` against its limit.
    #[inline]
    pub(crate) fn write(
        &self,
        out: &mut impl FrameBuf,
        len: usize,
        body: impl Body,
    ) -> Result<(), WriteError> {
        let Framing { header, size_at, beside } = self.framing;
        let (header, at) = (usize::from(header), usize::from(size_at));
        let size = u32::try_from(len + header - usize::from(beside));
        let size = size.expect("whoever sends checks the size against its limit");
        let mut whole = Uncommitted::new(out);
        let copied = whole.out.copied();
        let start = copied.len();
        copied.extend_from_slice(&self.bytes);
        // Behind the copy: a load of what has just been stored in part would have to wait for it.
        copied[start + at..start + at + 4].copy_from_slice(&size.to_be_bytes());
        copied.truncate(start + header);
        whole.write_exactly(len, body)?;
        whole.commit();
        Ok(())
    }
}

/// Takes a frame back unless it was finished, so that a message that panics or lies about its size
/// leaves no half frame.
pub(crate) struct Uncommitted<'a, T: FrameBuf> {
    pub(crate) out: &'a mut T,
    start: usize,
}

impl<'a, T: FrameBuf> Uncommitted<'a, T> {
    #[inline]
    pub(crate) fn new(out: &'a mut T) -> Self {
        Self { start: out.len(), out }
    }

    /// Appends what `body` appends.
    ///
    /// # Errors
    ///
    /// When that is not `len` bytes.
    #[inline]
    pub(crate) fn write_exactly(&mut self, len: usize, body: impl Body) -> Result<(), WriteError> {
        let before = self.out.len();
        self.out.append(len, body);
        let written = self.out.len().saturating_sub(before);
        if written == len { Ok(()) } else { Err(WriteError::WrongSize { announced: len, written }) }
    }

    #[inline]
    pub(crate) fn commit(mut self) {
        self.start = self.out.len();
    }
}

impl<T: FrameBuf> Drop for Uncommitted<'_, T> {
    fn drop(&mut self) {
        self.out.truncate(self.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stands_behind_the_prefix_with_its_size() {
        let framing = Framing { header: 6, size_at: 1, beside: 5 };
        let prefix = Prefix::new(b"a----b", framing);
        let mut out = b"before".to_vec();
        prefix.write(&mut out, 3, |out: &mut Vec<u8>| out.extend_from_slice(b"one")).unwrap();
        assert_eq!(out, b"beforea\0\0\0\x04bone");
        let wrong = prefix.write(&mut out, 3, |out: &mut Vec<u8>| out.push(b'1'));
        assert_eq!(wrong, Err(WriteError::WrongSize { announced: 3, written: 1 }));
        assert_eq!(out, b"beforea\0\0\0\x04bone");
    }
}
