//! The fixed 16 bytes in front of every frame.

use bytes::{BufMut, BytesMut};

use super::error::WireError;

pub(crate) const HEADER_LEN: usize = 16;

pub(super) const MAGIC: u16 = 0x0930;
pub(super) const UNARY: u8 = 0;
pub(super) const STREAM: u8 = 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) frame_type: u8,
    pub(super) kind: u8,
    pub(super) total_size: usize,
    pub(super) header_size: usize,
    pub(super) id: u32,
    pub(super) version: u8,
    pub(super) reserved: u8,
}

impl Header {
    pub(super) fn stream(kind: u8, id: u32, payload: usize) -> Self {
        let total_size = HEADER_LEN + payload;
        Self { frame_type: STREAM, kind, total_size, header_size: 0, id, version: 0, reserved: 0 }
    }

    #[inline]
    pub(super) fn write(&self, out: &mut BytesMut) {
        // One copy of a known size instead of eight appends.
        let mut bytes = [0; HEADER_LEN];
        bytes[0..2].copy_from_slice(&MAGIC.to_be_bytes());
        bytes[2] = self.frame_type;
        bytes[3] = self.kind;
        bytes[4..8].copy_from_slice(&u32::try_from(self.total_size).unwrap_or(u32::MAX).to_be_bytes());
        bytes[8..10].copy_from_slice(&u16::try_from(self.header_size).unwrap_or(u16::MAX).to_be_bytes());
        bytes[10..14].copy_from_slice(&self.id.to_be_bytes());
        bytes[14] = self.version;
        bytes[15] = self.reserved;
        out.put_slice(&bytes);
    }

    /// Reads and checks the fixed part.
    #[inline]
    pub(super) fn read(bytes: &[u8; HEADER_LEN], limit: usize) -> Result<Self, WireError> {
        let [m0, m1, frame_type, kind, t0, t1, t2, t3, h0, h1, i0, i1, i2, i3, version, reserved] = *bytes;
        let found = u16::from_be_bytes([m0, m1]);
        if found != MAGIC {
            return Err(WireError::BadMagic { found });
        }
        let size = u32::from_be_bytes([t0, t1, t2, t3]) as usize;
        if size < HEADER_LEN {
            return Err(WireError::FrameTooSmall { size });
        }
        if size > limit {
            return Err(WireError::FrameTooLarge { size, limit });
        }
        if frame_type > STREAM {
            return Err(WireError::BadFrameType { found: frame_type });
        }
        let header_size = usize::from(u16::from_be_bytes([h0, h1]));
        // Decoders of stream frames do not look at it.
        if frame_type == UNARY && HEADER_LEN + header_size > size {
            return Err(WireError::HeaderOverrun { header: header_size, size });
        }
        let id = u32::from_be_bytes([i0, i1, i2, i3]);
        Ok(Self { frame_type, kind, total_size: size, header_size, id, version, reserved })
    }
}
