//! Unpacking of compressed bodies, in steps that are small.
//!
//! A body is taken whole or refused. Concatenated members and frames are one body where their
//! format says so; anything else behind the end, and an end that is missing, is an error.

mod deflate;
mod lz4;
mod snappy;
#[cfg(test)]
mod tests;

use std::io;

use bytes::Bytes;

use super::compression::{Compression, UnpackError};

use deflate::{Gzip, Zlib};
use lz4::Lz4;
use snappy::{SnappyBlock, SnappyStream};

/// How much a step unpacks at most, where the format leaves a choice.
pub(crate) const PIECE: usize = 64 * 1024;

/// How much input a step takes at most, where the format leaves a choice: empty blocks give no
/// output.
const INPUT: usize = 16 * 1024;

/// The work of a beginning (a decoder that is made, a member's or frame's header), in bytes that
/// could be unpacked meanwhile: about 5 µs.
const BEGINNING: usize = 2 * 1024;

/// The least room for what a step unpacks, where the format leaves a choice.
const LEAST: usize = 1024;

/// A body that has got so large is believed how large it is.
const LARGE: usize = 512 * 1024;

/// A body that is being unpacked.
pub(crate) struct Unpacker {
    decoder: Box<dyn Format>,
    plain: Unpacked,
    whole: bool,
}

/// How far a step came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something was done. The work is in bytes: input, output, and what [`BEGINNING`] says.
    Worked(usize),
    /// Nothing was done, because the next step gives more bytes than it may: so many.
    Large(usize),
    /// The body is unpacked whole.
    Whole,
}

/// One format.
trait Format: Send + Sync {
    /// Does a small piece of work, if that gives at most `most` bytes.
    fn step(&mut self, plain: &mut Unpacked, most: usize) -> Result<Progress, UnpackError>;
}

/// The part of a body that is unpacked so far.
struct Unpacked {
    bytes: Vec<u8>,
    limit: usize,
    /// The size that the body says it has, which may be wrong.
    says: usize,
}

impl Unpacker {
    /// Begins to unpack `packed` to at most `limit` bytes over all its members and frames.
    pub(crate) fn new(compression: Compression, packed: Bytes, limit: usize) -> Self {
        let says = if compression == Compression::Gzip { deflate::size(&packed) } else { 0 };
        let decoder: Box<dyn Format> = match compression {
            _ if packed.is_empty() => Box::new(Empty),
            Compression::Gzip => Box::new(Gzip::new(packed)),
            Compression::Zlib => Box::new(Zlib::new(packed)),
            Compression::Lz4 => Box::new(Lz4::new(packed)),
            Compression::SnappyGo | Compression::SnappyCpp if snappy::is_stream(&packed) => {
                Box::new(SnappyStream::new(packed))
            }
            Compression::Snappy | Compression::SnappyGo | Compression::SnappyCpp => {
                Box::new(SnappyBlock::new(packed))
            }
        };
        Self { decoder, plain: Unpacked { bytes: Vec::new(), limit, says }, whole: false }
    }

    /// Does a small piece of work, if there are at most `most` bytes after it.
    pub(crate) fn step(&mut self, most: usize) -> Result<Progress, UnpackError> {
        if self.whole {
            return Ok(Progress::Whole);
        }
        let more = most.saturating_sub(self.plain.bytes.len());
        let step = self.decoder.step(&mut self.plain, more)?;
        self.whole = step == Progress::Whole;
        Ok(step)
    }

    /// How many bytes are unpacked.
    pub(crate) fn size(&self) -> usize {
        self.plain.bytes.len()
    }

    /// The memory that what is unpacked takes.
    pub(crate) fn memory(&self) -> usize {
        self.plain.bytes.capacity()
    }

    /// The body, after [`Progress::Whole`].
    pub(crate) fn finish(self) -> Bytes {
        let mut plain = self.plain.bytes;
        // The memory that is left over is counted by no budget.
        if plain.capacity() - plain.len() > plain.len() / 4 {
            plain.shrink_to_fit();
        }
        plain.into()
    }
}

/// A body of no bytes is no bytes.
struct Empty;

impl Format for Empty {
    fn step(&mut self, _plain: &mut Unpacked, _most: usize) -> Result<Progress, UnpackError> {
        Ok(Progress::Whole)
    }
}

impl Unpacked {
    /// Adds `size` bytes, which `fill` writes: all of them, or the first.
    fn add(
        &mut self,
        size: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, UnpackError>,
    ) -> Result<usize, UnpackError> {
        let start = self.bytes.len();
        self.reserve(size);
        self.bytes.resize(start + size, 0);
        let filled = fill(&mut self.bytes[start..]);
        self.bytes.truncate(start + filled.as_ref().map_or(0, |filled| *filled));
        filled
    }

    /// Makes room: twice as much as there was, or for a large body as much as it says it takes, but
    /// none that the limit would leave unused. Each time it moves, the allocator may keep what it
    /// leaves.
    fn reserve(&mut self, more: usize) {
        let (needed, capacity) = (self.bytes.len() + more, self.bytes.capacity());
        if needed <= capacity {
            return;
        }
        let says = if needed > LARGE { self.says + LEAST } else { 0 };
        let room = says.max(2 * capacity).min(self.limit).max(needed);
        self.bytes.reserve_exact(room - self.bytes.len());
    }

    /// The rest of the body, if it says how large it is and is no larger.
    fn left(&self) -> Option<usize> {
        self.says.checked_sub(self.bytes.len()).filter(|_| self.says > 0)
    }

    /// Fails if `more` bytes would go over the limit.
    fn check(&self, more: usize) -> Result<(), UnpackError> {
        // PROTOCOL 34
        let limit = self.limit;
        if more > limit.saturating_sub(self.bytes.len()) {
            Err(UnpackError::TooLarge { limit })
        } else {
            Ok(())
        }
    }
}

fn broken(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> UnpackError {
    UnpackError::Broken(io::Error::other(why))
}

/// Bytes behind the end, in a format in which nothing follows.
fn trailing(more: usize) -> UnpackError {
    broken(format!("{more} bytes follow its end"))
}

/// The body ends where something should still come.
fn cut() -> UnpackError {
    UnpackError::Broken(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends too early"))
}
