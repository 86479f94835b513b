//! gzip and zlib.

use std::io::{self, BufRead, Read};

use bytes::Bytes;
use flate2::bufread::{GzDecoder, ZlibDecoder};

use super::super::compression::UnpackError;
use super::{BEGINNING, Format, INPUT, LEAST, PIECE, Progress, Unpacked, trailing};

/// The most bytes that one byte of deflate gives (RFC 1951: 258 for two bits and more).
const MOST: usize = 1032;

/// The size that a body of one member says it has: its last four bytes (RFC 1952, section 2.3.1). 0
/// if that cannot be.
pub(super) fn size(packed: &[u8]) -> usize {
    let size = packed.last_chunk().map_or(0, |last| u32::from_le_bytes(*last) as usize);
    if size <= packed.len() * MOST { size } else { 0 }
}

/// Members of gzip, one behind the other: RFC 1952 makes them one body (section 2.2).
pub(super) struct Gzip(GzDecoder<PackedInput>);

/// One zlib stream: RFC 1950 knows no second.
pub(super) struct Zlib(ZlibDecoder<PackedInput>);

impl Gzip {
    pub(super) fn new(packed: Bytes) -> Self {
        Self(GzDecoder::new(PackedInput::new(packed)))
    }
}

impl Format for Gzip {
    fn step(&mut self, plain: &mut Unpacked, most: usize) -> Result<Progress, UnpackError> {
        let before = self.0.get_ref().at;
        if let Some(step) = read(&mut self.0, GzDecoder::get_mut, plain, most)? {
            return Ok(step);
        }
        let source = self.0.get_mut();
        if source.rest().is_empty() {
            return Ok(Progress::Whole);
        }
        let work = BEGINNING + source.at - before;
        let source = std::mem::take(source);
        self.0.reset(source);
        Ok(Progress::Worked(work))
    }
}

impl Zlib {
    pub(super) fn new(packed: Bytes) -> Self {
        Self(ZlibDecoder::new(PackedInput::new(packed)))
    }
}

impl Format for Zlib {
    fn step(&mut self, plain: &mut Unpacked, most: usize) -> Result<Progress, UnpackError> {
        if let Some(step) = read(&mut self.0, ZlibDecoder::get_mut, plain, most)? {
            return Ok(step);
        }
        match self.0.get_ref().rest().len() {
            0 => Ok(Progress::Whole),
            // PROTOCOL 34
            more => Err(trailing(more)),
        }
    }
}

/// Unpacks a piece, or says with `None` that the stream or member has ended.
fn read<D: Read>(
    decoder: &mut D,
    source: fn(&mut D) -> &mut PackedInput,
    plain: &mut Unpacked,
    most: usize,
) -> Result<Option<Progress>, UnpackError> {
    if most == 0 {
        return Ok(Some(Progress::Large(PIECE)));
    }
    let input = source(decoder);
    input.allowed = INPUT;
    let before = input.at;
    // Four times as much is usual. Zeroing the room for much more would cost more than unpacking.
    let usual = (4 * input.rest().len()).max(plain.bytes.len()).max(LEAST);
    // Its end is found by a read behind it.
    let usual = usual.min(plain.left().unwrap_or(usize::MAX).max(LEAST));
    // One byte beyond the limit shows that there is more.
    let room = usual.min(PIECE).min(most).min((plain.limit - plain.bytes.len()).saturating_add(1));
    let unpacked = match plain.add(room, |room| decoder.read(room).map_err(UnpackError::Broken)) {
        Ok(0) => return Ok(None),
        Ok(unpacked) => unpacked,
        Err(UnpackError::Broken(error)) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    if plain.bytes.len() > plain.limit {
        return Err(UnpackError::TooLarge { limit: plain.limit });
    }
    Ok(Some(Progress::Worked(unpacked + source(decoder).at - before)))
}

/// The packed bytes, of which each step may take some. More are not there for the moment.
#[derive(Default)]
struct PackedInput {
    packed: Bytes,
    at: usize,
    allowed: usize,
}

impl PackedInput {
    fn new(packed: Bytes) -> Self {
        Self { packed, at: 0, allowed: INPUT }
    }

    fn rest(&self) -> &[u8] {
        &self.packed[self.at..]
    }
}

impl BufRead for PackedInput {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let there = self.rest().len();
        if there > 0 && self.allowed == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(&self.packed[self.at..][..there.min(self.allowed)])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
        self.allowed -= amount;
    }
}

impl Read for PackedInput {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}
