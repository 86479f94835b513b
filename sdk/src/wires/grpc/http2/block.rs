//! Header blocks that come in several frames (RFC 9113, 6.10).
//!
//! A block begins with HEADERS and goes on with CONTINUATION until one says that it is the end. No
//! other frame may come in between, on any stream. A peer that goes on for ever would fill memory
//! (CVE-2024-27316), so the bytes are bounded, and so are the frames, which may be empty.

use std::fmt;

use super::frame::{ErrorCode, FrameViolation, Http2Frame};

/// The payload that every peer may send in a frame.
const FRAME: usize = 16 * 1024;

/// The frames of a block beyond those that its bytes need.
const MORE_FRAMES: usize = 4;

/// The most that a block may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BlockLimits {
    pub(crate) bytes: usize,
    pub(crate) frames: usize,
}

/// A block that is there whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct WholeBlock<'a> {
    pub(crate) stream: u32,
    pub(crate) block: &'a [u8],
    pub(crate) end_stream: bool,
    /// A fault of its HEADERS that ends the stream. It is decoded all the same.
    pub(crate) violation: Option<FrameViolation>,
}

/// A frame's part in blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BlockStep<'a> {
    /// It ends a block.
    Whole(WholeBlock<'a>),
    /// Its block goes on.
    Part,
    /// It has none, and may come now.
    Other,
}

/// Joins the blocks of one direction. One that comes in one frame, as most do, is not copied.
#[derive(Debug)]
pub(crate) struct BlockAssembly {
    limits: BlockLimits,
    begun: Option<BegunBlock>,
    /// The bytes of the block that goes on.
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct BegunBlock {
    stream: u32,
    end_stream: bool,
    violation: Option<FrameViolation>,
    frames: usize,
}

impl BlockLimits {
    /// Limits for header lists of so many bytes. A block may be longer than its list where that is
    /// over the limit: it has to be decoded to be refused.
    pub(crate) const fn of_list(size: usize) -> Self {
        let bytes = size.saturating_mul(2).saturating_add(FRAME);
        Self { bytes, frames: bytes.div_ceil(FRAME) + MORE_FRAMES }
    }
}

impl BlockAssembly {
    pub(crate) const fn new(limits: BlockLimits) -> Self {
        Self { limits, begun: None, bytes: Vec::new() }
    }

    /// Tells whether a block goes on, so that its peer may be waited for so long and no longer.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.begun.is_some()
    }

    /// Takes the next frame of the connection.
    ///
    /// # Errors
    ///
    /// When it may not come now, or its block is too long. The connection is over.
    #[inline]
    pub(crate) fn take<'a>(
        &'a mut self,
        frame: &Http2Frame<'a>,
    ) -> Result<BlockStep<'a>, BlockViolation> {
        // The last block is decoded by now. A long one leaves no memory behind.
        if self.begun.is_none() && self.bytes.capacity() > FRAME {
            self.bytes = Vec::new();
        }
        match (*frame, self.begun) {
            (Http2Frame::Continuation { stream, block, end_headers }, Some(begun)) => {
                if stream != begun.stream {
                    return Err(BlockViolation::Interrupted { stream: begun.stream });
                }
                self.go_on(begun, block, end_headers)
            }
            (Http2Frame::Continuation { stream, .. }, None) => {
                Err(BlockViolation::NotBegun { stream })
            }
            (_, Some(begun)) => Err(BlockViolation::Interrupted { stream: begun.stream }),
            (Http2Frame::Headers { stream, block, end_headers, end_stream, violation }, None) => {
                if end_headers {
                    self.check(block.len(), 1)?;
                    let whole = WholeBlock { stream, block, end_stream, violation };
                    return Ok(BlockStep::Whole(whole));
                }
                self.bytes.clear();
                let begun = BegunBlock { stream, end_stream, violation, frames: 0 };
                self.go_on(begun, block, false)
            }
            (_, None) => Ok(BlockStep::Other),
        }
    }

    /// Adds a frame to the block.
    fn go_on(
        &mut self,
        begun: BegunBlock,
        part: &[u8],
        end_headers: bool,
    ) -> Result<BlockStep<'_>, BlockViolation> {
        let BegunBlock { stream, end_stream, violation, frames } = begun;
        self.check(self.bytes.len() + part.len(), frames + 1)?;
        self.bytes.extend_from_slice(part);
        self.begun = (!end_headers).then_some(BegunBlock { frames: frames + 1, ..begun });
        Ok(if end_headers {
            BlockStep::Whole(WholeBlock { stream, block: &self.bytes, end_stream, violation })
        } else {
            BlockStep::Part
        })
    }

    #[inline]
    fn check(&self, bytes: usize, frames: usize) -> Result<(), BlockViolation> {
        if bytes > self.limits.bytes {
            return Err(BlockViolation::TooLong { bytes, limit: self.limits.bytes });
        }
        if frames > self.limits.frames {
            return Err(BlockViolation::ManyFrames { limit: self.limits.frames });
        }
        Ok(())
    }
}

/// A rule of blocks that the peer broke. Each ends the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BlockViolation {
    /// Another frame comes inside the block of this stream.
    Interrupted {
        stream: u32,
    },

    /// CONTINUATION comes where no block goes on.
    NotBegun {
        stream: u32,
    },

    TooLong {
        bytes: usize,
        limit: usize,
    },

    ManyFrames {
        limit: usize,
    },
}

impl BlockViolation {
    /// The code with which the connection ends.
    pub(crate) const fn code(self) -> ErrorCode {
        match self {
            Self::Interrupted { .. } | Self::NotBegun { .. } => ErrorCode::PROTOCOL_ERROR,
            Self::TooLong { .. } | Self::ManyFrames { .. } => ErrorCode::ENHANCE_YOUR_CALM,
        }
    }
}

impl fmt::Display for BlockViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted { stream } => {
                write!(f, "another frame comes inside the header block of stream {stream}")
            }
            Self::NotBegun { stream } => {
                write!(f, "CONTINUATION on stream {stream}, where no header block goes on")
            }
            Self::TooLong { bytes, limit } => {
                write!(f, "a header block of {bytes} bytes and more is over the limit of {limit}")
            }
            Self::ManyFrames { limit } => {
                write!(f, "a header block comes in more than {limit} frames")
            }
        }
    }
}

impl std::error::Error for BlockViolation {}

#[cfg(test)]
mod tests {
    use crate::framing::Side;

    use super::super::frame::{FrameDecoder, encode};
    use super::*;

    const LIMITS: BlockLimits = BlockLimits { bytes: 30, frames: 4 };

    fn headers(stream: u32, block: &[u8], end_headers: bool) -> Http2Frame<'_> {
        Http2Frame::Headers { stream, block, end_headers, end_stream: true, violation: None }
    }

    fn more(stream: u32, block: &[u8], end_headers: bool) -> Http2Frame<'_> {
        Http2Frame::Continuation { stream, block, end_headers }
    }

    fn whole(stream: u32, block: &[u8]) -> BlockStep<'_> {
        BlockStep::Whole(WholeBlock { stream, block, end_stream: true, violation: None })
    }

    #[test]
    fn a_block_in_one_frame_is_not_copied() {
        let mut assembly = BlockAssembly::new(LIMITS);
        let block = [0x82, 0x86];
        let Ok(BlockStep::Whole(found)) = assembly.take(&headers(1, &block, true)) else {
            panic!("it is whole")
        };
        assert_eq!(found.block.as_ptr(), block.as_ptr());
    }

    #[test]
    fn a_block_is_joined_and_the_next_one_begins_anew() {
        let mut assembly = BlockAssembly::new(LIMITS);
        for stream in [1, 3] {
            assert_eq!(assembly.take(&headers(stream, b"ab", false)), Ok(BlockStep::Part));
            assert!(assembly.is_waiting());
            assert_eq!(assembly.take(&more(stream, b"", false)), Ok(BlockStep::Part));
            assert_eq!(assembly.take(&more(stream, b"c", true)), Ok(whole(stream, b"abc")));
            assert!(!assembly.is_waiting());
            assert_eq!(assembly.take(&Http2Frame::SettingsAck), Ok(BlockStep::Other));
        }
    }

    #[test]
    fn nothing_comes_inside_a_block_and_no_continuation_outside() {
        for frame in [
            headers(1, b"x", true),
            headers(3, b"x", true),
            more(3, b"x", true),
            Http2Frame::SettingsAck,
            Http2Frame::Ping { payload: [0; 8] },
            Http2Frame::Unknown { kind: 77, stream: 1 },
            Http2Frame::Priority { stream: 1 },
            Http2Frame::Data { stream: 1, data: b"", flow_len: 0, end_stream: false },
        ] {
            let mut assembly = BlockAssembly::new(LIMITS);
            assert_eq!(assembly.take(&headers(1, b"ab", false)), Ok(BlockStep::Part));
            let violation = BlockViolation::Interrupted { stream: 1 };
            assert_eq!(assembly.take(&frame), Err(violation), "{frame:?}");
            assert_eq!(violation.code(), ErrorCode::PROTOCOL_ERROR);
        }
        let mut assembly = BlockAssembly::new(LIMITS);
        let violation = BlockViolation::NotBegun { stream: 1 };
        assert_eq!(assembly.take(&more(1, b"ab", true)), Err(violation));
        assert_eq!(assembly.take(&headers(1, b"ab", true)), Ok(whole(1, b"ab")));
        assert_eq!(assembly.take(&more(1, b"ab", true)), Err(violation));
    }

    #[test]
    fn a_flood_of_continuations_ends_the_connection() {
        let mut assembly = BlockAssembly::new(LIMITS);
        assert_eq!(assembly.take(&headers(1, &[0; 20], false)), Ok(BlockStep::Part));
        assert_eq!(assembly.take(&more(1, &[0; 10], false)), Ok(BlockStep::Part));
        let violation = BlockViolation::TooLong { bytes: 31, limit: 30 };
        assert_eq!(assembly.take(&more(1, &[0], true)), Err(violation));
        assert_eq!(violation.code(), ErrorCode::ENHANCE_YOUR_CALM);

        let mut assembly = BlockAssembly::new(LIMITS);
        assert_eq!(assembly.take(&headers(1, b"", false)), Ok(BlockStep::Part));
        for _ in 0..3 {
            assert_eq!(assembly.take(&more(1, b"", false)), Ok(BlockStep::Part));
        }
        let violation = BlockViolation::ManyFrames { limit: 4 };
        assert_eq!(assembly.take(&more(1, b"", false)), Err(violation));
        assert_eq!(violation.to_string(), "a header block comes in more than 4 frames");

        let mut assembly = BlockAssembly::new(LIMITS);
        let violation = BlockViolation::TooLong { bytes: 31, limit: 30 };
        assert_eq!(assembly.take(&headers(1, &[0; 31], true)), Err(violation));
    }

    #[test]
    fn the_limits_let_every_list_through_that_may_come() {
        let limits = BlockLimits::of_list(9_216);
        assert_eq!((limits.bytes, limits.frames), (34_816, 7));
        let block: Vec<u8> = (0..34_816).map(|at| (at % 251) as u8).collect();
        let mut bytes = Vec::new();
        encode::headers(&mut bytes, 5, true, 16_384, |out| out.extend_from_slice(&block));
        let (mut assembly, mut rest) = (BlockAssembly::new(limits), &bytes[..]);
        loop {
            let decoder = FrameDecoder::new(Side::Server, 16_384);
            let (frame, len) = decoder.decode(rest).expect("right").expect("whole");
            rest = &rest[len..];
            if let BlockStep::Whole(found) = assembly.take(&frame).expect("within the limits") {
                assert_eq!((found.stream, found.block), (5, &block[..]));
                assert!(rest.is_empty());
                return;
            }
        }
    }

    #[test]
    fn no_limit_overflows() {
        assert_eq!(BlockLimits::of_list(usize::MAX).bytes, usize::MAX);
    }
}
