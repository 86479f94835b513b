//! The prefix of a message: a flag that says whether it is packed, and its length.
//!
//! ```text
//!   flag u8, 0 or 1 | length u32, big-endian | as many bytes
//! ```

use std::fmt;

use crate::error::Code;
use crate::framing::Side;

use super::encoding::GrpcEncoding;

pub(crate) const PREFIX_LEN: usize = 5;

/// The flag and the length in front of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MessagePrefix {
    /// The message is packed as its direction's `grpc-encoding` says.
    pub(crate) is_packed: bool,
    /// The length on the wire.
    pub(crate) len: u32,
}

/// The rules with which the prefixes of one direction are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PrefixRules {
    pub(crate) encoding: GrpcEncoding,
    /// The largest length.
    pub(crate) limit: usize,
}

/// A prefix whose message is not taken. It ends the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PrefixFault {
    Flag {
        found: u8,
    },

    TooLarge {
        size: u32,
        limit: usize,
    },

    /// A packed message where no `grpc-encoding` says how.
    NoEncoding,

    UnknownEncoding,

    /// The direction ends inside a prefix or a message.
    Truncated,
}

impl MessagePrefix {
    pub(crate) const fn to_bytes(self) -> [u8; PREFIX_LEN] {
        let [a, b, c, d] = self.len.to_be_bytes();
        [self.is_packed as u8, a, b, c, d]
    }
}

impl PrefixRules {
    /// Reads the prefix at the front; `None` while it is not there whole. A flag that cannot be is
    /// refused as soon as it is there, and a length before any of its bytes are.
    ///
    /// # Errors
    ///
    /// When the message is not to be taken.
    #[inline]
    pub(crate) fn read(self, bytes: &[u8]) -> Result<Option<MessagePrefix>, PrefixFault> {
        let Some(&flag) = bytes.first() else { return Ok(None) };
        if flag != 0 {
            self.check(flag)?;
        }
        let Some(&[_, a, b, c, d]) = bytes.first_chunk() else { return Ok(None) };
        let len = u32::from_be_bytes([a, b, c, d]);
        if len as usize > self.limit {
            return Err(PrefixFault::TooLarge { size: len, limit: self.limit });
        }
        Ok(Some(MessagePrefix { is_packed: flag != 0, len }))
    }

    fn check(self, flag: u8) -> Result<(), PrefixFault> {
        match (flag, self.encoding) {
            (2.., _) => Err(PrefixFault::Flag { found: flag }),
            (_, GrpcEncoding::Identity) => Err(PrefixFault::NoEncoding),
            (_, GrpcEncoding::Unknown) => Err(PrefixFault::UnknownEncoding),
            (_, GrpcEncoding::Gzip | GrpcEncoding::Snappy | GrpcEncoding::Deflate) => Ok(()),
        }
    }
}

impl PrefixFault {
    /// The code with which the call ends, seen by this side.
    pub(crate) const fn code(self, side: Side) -> Code {
        match (self, side) {
            (Self::TooLarge { .. }, _) => Code::ResourceExhausted,
            (Self::UnknownEncoding, Side::Server) => Code::Unimplemented,
            (Self::UnknownEncoding, Side::Client)
            | (Self::Flag { .. } | Self::NoEncoding | Self::Truncated, _) => Code::Internal,
        }
    }
}

impl fmt::Display for PrefixFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag { found } => {
                write!(f, "a message begins with the flag {found}, which has no meaning")
            }
            Self::TooLarge { size, limit } => write!(
                f,
                "a message of {size} bytes, at most {limit} are accepted (max_message_received)"
            ),
            Self::NoEncoding => {
                f.write_str("a message is compressed, and no grpc-encoding says how")
            }
            Self::UnknownEncoding => {
                f.write_str("a message is compressed with a grpc-encoding that is not known")
            }
            Self::Truncated => f.write_str("the messages end inside one"),
        }
    }
}

impl std::error::Error for PrefixFault {}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: PrefixRules = PrefixRules { encoding: GrpcEncoding::Gzip, limit: 1_000 };

    #[test]
    fn a_prefix_is_read_when_it_is_whole() {
        for (bytes, is_packed, len) in [
            ([0, 0, 0, 0, 0], false, 0),
            ([0, 0, 0, 0, 0x26], false, 38),
            ([1, 0, 0, 3, 0xe8], true, 1_000),
        ] {
            let prefix = MessagePrefix { is_packed, len };
            assert_eq!(prefix.to_bytes(), bytes);
            assert_eq!(RULES.read(&bytes), Ok(Some(prefix)));
            let behind = [&bytes[..], b"message"].concat();
            assert_eq!(RULES.read(&behind), Ok(Some(prefix)));
            for cut in 0..bytes.len() {
                assert_eq!(RULES.read(&bytes[..cut]), Ok(None), "cut at {cut}");
            }
        }
        let prefix = MessagePrefix { is_packed: true, len: u32::MAX };
        let all = PrefixRules { limit: usize::MAX, ..RULES };
        assert_eq!(all.read(&prefix.to_bytes()), Ok(Some(prefix)));
    }

    #[test]
    fn a_message_over_the_limit_is_refused_before_it_comes() {
        for size in [1_001, u32::MAX] {
            let prefix = MessagePrefix { is_packed: false, len: size };
            let fault = PrefixFault::TooLarge { size, limit: 1_000 };
            assert_eq!(RULES.read(&prefix.to_bytes()), Err(fault));
            assert_eq!(fault.code(Side::Server), Code::ResourceExhausted);
        }
        let nothing = PrefixRules { limit: 0, ..RULES };
        assert!(nothing.read(&[0; 5]).is_ok(), "an empty message fits everywhere");
    }

    #[test]
    fn a_flag_that_cannot_be_is_refused_at_its_byte() {
        for found in 2..=255 {
            let fault = PrefixFault::Flag { found };
            assert_eq!(RULES.read(&[found]), Err(fault));
            assert_eq!(fault.code(Side::Client), Code::Internal);
        }
    }

    #[test]
    fn a_packed_message_needs_an_encoding_that_is_known() {
        let cases = [
            (GrpcEncoding::Identity, PrefixFault::NoEncoding, Code::Internal),
            (GrpcEncoding::Unknown, PrefixFault::UnknownEncoding, Code::Unimplemented),
        ];
        for (encoding, fault, at_server) in cases {
            let rules = PrefixRules { encoding, ..RULES };
            assert_eq!(rules.read(&[1]), Err(fault));
            assert_eq!(fault.code(Side::Server), at_server);
            assert_eq!(fault.code(Side::Client), Code::Internal);
            assert!(rules.read(&[0; 5]).is_ok(), "a plain message is legal at any time");
        }
        for encoding in GrpcEncoding::PACKED {
            let rules = PrefixRules { encoding, ..RULES };
            assert_eq!(
                rules.read(&[1, 0, 0, 0, 1]).map(|found| found.map(|it| it.len)),
                Ok(Some(1))
            );
        }
    }

    #[test]
    fn every_fault_has_a_text() {
        let faults = [
            (PrefixFault::Flag { found: 9 }, "the flag 9"),
            (PrefixFault::TooLarge { size: 2, limit: 1 }, "2 bytes, at most 1"),
            (PrefixFault::NoEncoding, "no grpc-encoding says how"),
            (PrefixFault::UnknownEncoding, "a grpc-encoding that is not known"),
            (PrefixFault::Truncated, "end inside one"),
        ];
        for (fault, part) in faults {
            assert!(fault.to_string().contains(part), "{fault}");
        }
        assert_eq!(PrefixFault::Truncated.code(Side::Client), Code::Internal);
    }
}
