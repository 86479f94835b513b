//! LZ4's frame format (`lz4/lz4: doc/lz4_Frame_format.md`).
//!
//! `lz4_flex` unpacks the blocks. Its own reader of frames takes a missing end for one, looks no
//! further than the first frame, and makes room for three blocks of the size that the frame allows,
//! which is mostly 4 MiB.

use std::hash::Hasher;
use std::ops::RangeInclusive;

use bytes::{Buf, Bytes};
use lz4_flex::block::decompress_into_with_dict;
use twox_hash::XxHash32;

use super::super::compression::UnpackError;
use super::{BEGINNING, Format, Progress, Unpacked, broken, cut};

const MAGIC: u32 = 0x184D_2204;
const SKIPPABLE: RangeInclusive<u32> = 0x184D_2A50..=0x184D_2A5F;

/// The bit of a block's size that says that it is not packed.
const STORED: u32 = 0x8000_0000;

/// How far back a match may reach.
const WINDOW: usize = 64 * 1024;

/// The work of a header or an end, in bytes.
const MARK: usize = 64;

/// Frames, one behind the other. Skippable ones are skipped.
pub(super) struct Lz4 {
    packed: Bytes,
    /// The frame whose blocks come next.
    frame: Option<Lz4Frame>,
    begun: bool,
}

struct Lz4Frame {
    /// Where it begins in what is unpacked.
    start: usize,
    block_max: usize,
    linked: bool,
    block_checksums: bool,
    content_size: Option<u64>,
    content_checksum: Option<XxHash32>,
}

impl Lz4 {
    pub(super) fn new(packed: Bytes) -> Self {
        Self { packed, frame: None, begun: false }
    }
}

impl Format for Lz4 {
    fn step(&mut self, plain: &mut Unpacked, most: usize) -> Result<Progress, UnpackError> {
        let Some(frame) = &mut self.frame else {
            if self.packed.is_empty() {
                return Ok(Progress::Whole);
            }
            self.frame = begin(&mut self.packed, plain.bytes.len())?;
            let first = !std::mem::replace(&mut self.begun, true);
            return Ok(Progress::Worked(if first { BEGINNING } else { MARK }));
        };
        // Only looked at: a block that is too large for this step stays.
        let mut rest = &self.packed[..];
        let size = rest.try_get_u32_le().map_err(|_| cut())?;
        if size == 0 {
            frame.end(&mut rest, plain)?;
            (self.packed, self.frame) = (self.packed.slice_ref(rest), None);
            return Ok(Progress::Worked(MARK));
        }
        let block = take(&mut rest, (size & !STORED) as usize)?;
        if block.len() > frame.block_max {
            return Err(broken("a block is larger than its frame allows"));
        }
        let unpacked =
            if size & STORED == 0 { block_size(block, frame.block_max)? } else { block.len() };
        plain.check(unpacked)?;
        if unpacked > most {
            return Ok(Progress::Large(unpacked));
        }
        if frame.block_checksums && rest.try_get_u32_le() != Ok(XxHash32::oneshot(0, block)) {
            return Err(broken("a block's checksum is wrong"));
        }
        frame.unpack(block, size & STORED == 0, unpacked, plain)?;
        let work = MARK + block.len() + unpacked;
        self.packed = self.packed.slice_ref(rest);
        Ok(Progress::Worked(work))
    }
}

impl Lz4Frame {
    fn unpack(
        &mut self,
        block: &[u8],
        is_packed: bool,
        unpacked: usize,
        plain: &mut Unpacked,
    ) -> Result<(), UnpackError> {
        let start = plain.bytes.len();
        plain.reserve(unpacked);
        if is_packed {
            plain.bytes.resize(start + unpacked, 0);
            let (before, room) = plain.bytes.split_at_mut(start);
            let from =
                if self.linked { self.start.max(start.saturating_sub(WINDOW)) } else { start };
            let filled = decompress_into_with_dict(block, room, &before[from..]).map_err(broken)?;
            if filled != unpacked {
                return Err(broken("a block does not give what it says"));
            }
        } else {
            plain.bytes.extend_from_slice(block);
        }
        if let Some(hasher) = &mut self.content_checksum {
            hasher.write(&plain.bytes[start..]);
        }
        Ok(())
    }

    /// Reads what is behind the end mark.
    fn end(&mut self, rest: &mut &[u8], plain: &Unpacked) -> Result<(), UnpackError> {
        let size = (plain.bytes.len() - self.start) as u64;
        if let Some(said) = self.content_size.filter(|said| *said != size) {
            return Err(broken(format!("a frame has {size} bytes and says {said}")));
        }
        let Some(hasher) = &self.content_checksum else { return Ok(()) };
        let checksum = rest.try_get_u32_le().map_err(|_| cut())?;
        // The hash is one of 32 bits in 64.
        if u64::from(checksum) == hasher.finish() {
            Ok(())
        } else {
            Err(broken("a frame's checksum is wrong"))
        }
    }
}

/// Reads the header of a frame, or skips one that may be skipped.
fn begin(packed: &mut Bytes, start: usize) -> Result<Option<Lz4Frame>, UnpackError> {
    let mut rest = &packed[..];
    let magic = rest.try_get_u32_le().map_err(|_| cut())?;
    if SKIPPABLE.contains(&magic) {
        let size = rest.try_get_u32_le().map_err(|_| cut())?;
        take(&mut rest, size as usize)?;
        *packed = packed.slice_ref(rest);
        return Ok(None);
    }
    if magic != MAGIC {
        return Err(broken(format!("no frame begins with {magic:#010x}")));
    }
    let descriptor = rest;
    let [flags, sizes] = *take(&mut rest, 2)? else { unreachable!("two bytes were taken") };
    if flags & 0b1100_0010 != 0b0100_0000 || sizes & 0b1000_1111 != 0 {
        return Err(broken("the frame is of an unknown version"));
    }
    let block_max = match sizes >> 4 {
        4 => 64 * 1024,
        5 => 256 * 1024,
        6 => 1024 * 1024,
        7 => 4 * 1024 * 1024,
        other => return Err(broken(format!("the frame has blocks of an unknown size ({other})"))),
    };
    let has = |bit: u8| flags & bit != 0;
    let content_size =
        if has(0b1000) { Some(rest.try_get_u64_le().map_err(|_| cut())?) } else { None };
    if has(0b1) {
        return Err(broken("the frame needs a dictionary"));
    }
    let described = &descriptor[..descriptor.len() - rest.len()];
    let checksum = rest.try_get_u8().map_err(|_| cut())?;
    if checksum != XxHash32::oneshot(0, described).to_le_bytes()[1] {
        return Err(broken("the frame's header has a wrong checksum"));
    }
    *packed = packed.slice_ref(rest);
    Ok(Some(Lz4Frame {
        start,
        block_max,
        linked: !has(0b10_0000),
        block_checksums: has(0b1_0000),
        content_size,
        content_checksum: has(0b100).then(|| XxHash32::with_seed(0)),
    }))
}

/// The size that a packed block unpacks to, if that is no more than `most`
/// (`lz4/lz4: doc/lz4_Block_format.md`).
fn block_size(mut block: &[u8], most: usize) -> Result<usize, UnpackError> {
    let mut size = 0;
    loop {
        let token = block.try_get_u8().map_err(|_| cut())?;
        let literals = length(token >> 4, &mut block)?;
        take(&mut block, literals)?;
        size += literals;
        if !block.is_empty() {
            // The bytes say how far back the match is. The copy checks that something is there.
            take(&mut block, 2)?;
            size += 4 + length(token & 15, &mut block)?;
        }
        if size > most {
            return Err(broken("a block unpacks to more than its frame allows"));
        }
        if block.is_empty() {
            return Ok(size);
        }
    }
}

/// A length that goes on in the next bytes if four bits are too few.
fn length(bits: u8, block: &mut &[u8]) -> Result<usize, UnpackError> {
    let mut length = usize::from(bits);
    if bits == 15 {
        loop {
            let more = block.try_get_u8().map_err(|_| cut())?;
            length += usize::from(more);
            if more < 255 {
                break;
            }
        }
    }
    Ok(length)
}

fn take<'a>(rest: &mut &'a [u8], size: usize) -> Result<&'a [u8], UnpackError> {
    let (taken, left) = rest.split_at_checked(size).ok_or_else(cut)?;
    *rest = left;
    Ok(taken)
}
