//! The nine bytes in front of every frame.

/// How long they are.
pub(crate) const HEADER_LEN: usize = 9;

/// The nine bytes, read. The reserved bit is ignored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FrameHeader {
    /// The bytes of the payload, below 2^24.
    pub(crate) len: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    /// 0 is the connection.
    pub(crate) stream: u32,
}

impl FrameHeader {
    #[inline]
    pub(crate) const fn from_bytes(bytes: &[u8; HEADER_LEN]) -> Self {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *bytes;
        Self {
            len: u32::from_be_bytes([0, l0, l1, l2]),
            kind,
            flags,
            stream: u32::from_be_bytes([s0, s1, s2, s3]) & !RESERVED,
        }
    }

    #[inline]
    pub(crate) const fn to_bytes(self) -> [u8; HEADER_LEN] {
        let [_, l0, l1, l2] = self.len.to_be_bytes();
        let [s0, s1, s2, s3] = self.stream.to_be_bytes();
        [l0, l1, l2, self.kind, self.flags, s0, s1, s2, s3]
    }

    #[inline]
    pub(super) const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The bytes of the whole frame.
    #[inline]
    pub(crate) const fn frame_len(self) -> usize {
        HEADER_LEN + self.len as usize
    }
}

/// The first bit of a stream's id, of a last stream and of an increment.
pub(super) const RESERVED: u32 = 1 << 31;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

/// Of DATA and HEADERS.
pub(super) const END_STREAM: u8 = 0x01;
/// Of SETTINGS and PING.
pub(super) const ACK: u8 = 0x01;
/// Of HEADERS and CONTINUATION.
pub(super) const END_HEADERS: u8 = 0x04;
/// Of DATA and HEADERS.
pub(super) const PADDED: u8 = 0x08;
/// Of HEADERS.
pub(super) const HAS_PRIORITY: u8 = 0x20;

/// The standard's name of a type.
pub(super) const fn name(kind: u8) -> &'static str {
    match kind {
        DATA => "DATA",
        HEADERS => "HEADERS",
        PRIORITY => "PRIORITY",
        RST_STREAM => "RST_STREAM",
        SETTINGS => "SETTINGS",
        PUSH_PROMISE => "PUSH_PROMISE",
        PING => "PING",
        GOAWAY => "GOAWAY",
        WINDOW_UPDATE => "WINDOW_UPDATE",
        CONTINUATION => "CONTINUATION",
        _ => "unknown",
    }
}
