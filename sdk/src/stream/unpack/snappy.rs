//! Snappy: its block format, and its stream format.

use std::io::{self, Read};

use bytes::Bytes;
use snap::raw::decompress_len;
use snap::read::FrameDecoder;

use super::super::compression::{SNAPPY_STREAM, UnpackError};
use super::{BEGINNING, Format, Progress, Unpacked, broken, cut};

/// One element of the block format gives 64 bytes at most and takes 3 for that
/// (`google/snappy: format_description.txt`, section 2.2.2).
const RATIO: (usize, usize) = (64, 3);

/// A chunk's type and size.
const CHUNK: usize = 4;

/// Its checksum, in front of the data.
const CHECKSUM: usize = 4;

/// The most that a chunk unpacks to (`framing_format.txt`, section 4.2).
const CHUNK_MAX: usize = 64 * 1024;

/// Tells whether this is the stream format. The block format cannot begin so: there, the bytes
/// would copy from far before the beginning.
pub(super) fn is_stream(packed: &[u8]) -> bool {
    packed.starts_with(SNAPPY_STREAM)
}

/// One block. Its size stands in front, and nothing may be left over.
pub(super) struct SnappyBlock(Option<Bytes>);

impl SnappyBlock {
    pub(super) fn new(packed: Bytes) -> Self {
        Self(Some(packed))
    }
}

impl Format for SnappyBlock {
    fn step(&mut self, plain: &mut Unpacked, most: usize) -> Result<Progress, UnpackError> {
        let Some(packed) = &self.0 else { return Ok(Progress::Whole) };
        let size = decompress_len(packed).map_err(broken)?;
        plain.check(size)?;
        if size / RATIO.0 * RATIO.1 > packed.len() {
            return Err(broken(format!("{} bytes of Snappy cannot be {size} bytes", packed.len())));
        }
        if size > most {
            return Ok(Progress::Large(size));
        }
        plain
            .add(size, |room| snap::raw::Decoder::new().decompress(packed, room).map_err(broken))?;
        let work = size + packed.len();
        self.0 = None;
        Ok(Progress::Worked(work))
    }
}

/// Chunks, one behind the other. The format has no end: a stream that is cut between two chunks is
/// a whole one.
pub(super) struct SnappyStream {
    decoder: FrameDecoder<Chunks>,
    /// Behind the next chunk's beginning, once the decoder is made.
    begun: bool,
}

impl SnappyStream {
    pub(super) fn new(packed: Bytes) -> Self {
        Self { decoder: FrameDecoder::new(Chunks { packed, at: 0, end: 0 }), begun: false }
    }
}

impl Format for SnappyStream {
    fn step(&mut self, plain: &mut Unpacked, most: usize) -> Result<Progress, UnpackError> {
        let chunks = self.decoder.get_mut();
        let rest = &chunks.packed[chunks.at..];
        let Some((head, data)) = rest.split_first_chunk::<CHUNK>() else {
            return if rest.is_empty() { Ok(Progress::Whole) } else { Err(cut()) };
        };
        let [kind, s0, s1, s2] = *head;
        let data = data.get(..u32::from_le_bytes([s0, s1, s2, 0]) as usize).ok_or_else(cut)?;
        let work = CHUNK + data.len() + if self.begun { 0 } else { BEGINNING };
        let end = chunks.at + CHUNK + data.len();
        let size = match kind {
            0x00 => decompress_len(data.get(CHECKSUM..).ok_or_else(cut)?).map_err(broken)?,
            0x01 => data.len().checked_sub(CHECKSUM).ok_or_else(cut)?,
            // Padding, and what the future brings: it may be skipped.
            0x80..=0xfe => {
                chunks.at = end;
                return Ok(Progress::Worked(CHUNK));
            }
            _ => 0,
        };
        if size > CHUNK_MAX {
            return Err(broken(format!("a chunk of {size} bytes, which may have {CHUNK_MAX}")));
        }
        plain.check(size)?;
        if size > most {
            return Ok(Progress::Large(size));
        }
        (chunks.end, self.begun) = (end, true);
        if size == 0 {
            // The decoder looks at the chunk, and goes on until it has given something.
            self.decoder.read(&mut [0]).map_err(UnpackError::Broken)?;
        } else {
            plain.add(size, |room| self.decoder.read(room).map_err(UnpackError::Broken))?;
        }
        Ok(Progress::Worked(work + size))
    }
}

/// The packed bytes, which seem to end behind the chunk that is to be unpacked.
struct Chunks {
    packed: Bytes,
    at: usize,
    end: usize,
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = (&self.packed[self.at..self.end]).read(into)?;
        self.at += read;
        Ok(read)
    }
}
