//! The fixed header: the 16 bytes in front of every frame.

use crate::framing::{Framing, MESSAGE_COST};

use super::error::WireError;

/// How long the fixed header is.
pub(crate) const HEADER_LEN: usize = 16;

/// Where a message stands in its DATA frame.
pub(crate) const FRAMING: Framing = Framing { header: 16, size_at: 4, beside: 0 };

const _: () = assert!(FRAMING.header as usize == HEADER_LEN && HEADER_LEN == MESSAGE_COST);

/// The fixed header, checked. Sizes are in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) frame_type: FrameType,
    pub(super) kind: u8,
    pub(super) total_size: u32,
    pub(super) header_size: u16,
    pub(super) id: u32,
    pub(super) version: u8,
    pub(super) reserved: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FrameType {
    Unary = 0,
    Stream = 1,
}

impl Header {
    /// The bytes on the wire. One array, because appending it whole is one copy of known size.
    #[inline]
    pub(super) const fn to_bytes(self) -> [u8; HEADER_LEN] {
        // PROTOCOL 1
        let [m0, m1] = MAGIC.to_be_bytes();
        let [t0, t1, t2, t3] = self.total_size.to_be_bytes();
        let [h0, h1] = self.header_size.to_be_bytes();
        let [i0, i1, i2, i3] = self.id.to_be_bytes();
        let (frame_type, kind, version, reserved) =
            (self.frame_type as u8, self.kind, self.version, self.reserved);
        [m0, m1, frame_type, kind, t0, t1, t2, t3, h0, h1, i0, i1, i2, i3, version, reserved]
    }

    /// Reads and checks the bytes of a frame that may take `max_frame` bytes in all.
    #[inline]
    pub(super) fn from_bytes(
        bytes: &[u8; HEADER_LEN],
        max_frame: usize,
    ) -> Result<Self, WireError> {
        let [m0, m1, frame_type, kind, t0, t1, t2, t3, h0, h1, i0, i1, i2, i3, version, reserved] =
            *bytes;
        let found = u16::from_be_bytes([m0, m1]);
        // PROTOCOL 3
        if found != MAGIC {
            return Err(WireError::BadMagic { found });
        }
        let frame_type = match frame_type {
            0 => FrameType::Unary,
            1 => FrameType::Stream,
            found => return Err(WireError::BadFrameType { found }),
        };
        let total_size = u32::from_be_bytes([t0, t1, t2, t3]);
        let size = total_size as usize;
        if size < HEADER_LEN {
            return Err(WireError::FrameTooSmall { size });
        }
        if size > max_frame {
            return Err(WireError::FrameTooLarge { size, limit: max_frame });
        }
        let header_size = u16::from_be_bytes([h0, h1]);
        let header = usize::from(header_size);
        if frame_type == FrameType::Unary && HEADER_LEN + header > size {
            return Err(WireError::HeaderOverrun { header, size });
        }
        let id = u32::from_be_bytes([i0, i1, i2, i3]);
        Ok(Self { frame_type, kind, total_size, header_size, id, version, reserved })
    }

    /// The size in the bytes of a frame of a stream, if it is of the same kind and stream as this
    /// one. It is checked when the frame is at the front.
    #[inline]
    pub(super) fn size_of_next(&self, bytes: &[u8; HEADER_LEN]) -> Option<usize> {
        let [own @ .., _, _] = Self { total_size: 0, header_size: 0, ..*self }.to_bytes();
        let [m0, m1, ty, kind, t0, t1, t2, t3, _, _, i0, i1, i2, i3, _, _] = *bytes;
        let is_same = [m0, m1, ty, kind, i0, i1, i2, i3]
            == [own[0], own[1], own[2], own[3], own[10], own[11], own[12], own[13]];
        is_same.then(|| u32::from_be_bytes([t0, t1, t2, t3]) as usize)
    }
}

pub(super) const INIT: u8 = 1;
pub(super) const DATA: u8 = 2;
pub(super) const FEEDBACK: u8 = 3;
pub(super) const CLOSE: u8 = 4;

const MAGIC: u16 = 0x0930;

/// With which all frames begin.
pub(crate) const FIRST_BYTE: u8 = MAGIC.to_be_bytes()[0];
