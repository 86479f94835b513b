//! How messages are compressed, by the names that gRPC has for it.

/// A value of `grpc-encoding`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum GrpcEncoding {
    #[default]
    Identity,
    Gzip,
    /// Snappy's stream format.
    Snappy,
    /// zlib's format.
    Deflate,
    /// One that this side cannot unpack.
    Unknown,
}

/// The encodings that a peer takes, of those that this side knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct AcceptedEncodings(u8);

impl GrpcEncoding {
    /// Those that are packed, in the order in which they are offered.
    pub(crate) const PACKED: [Self; 3] = [Self::Gzip, Self::Deflate, Self::Snappy];

    pub(crate) fn read(name: &[u8]) -> Self {
        let is_it = |encoding: &Self| encoding.name().as_bytes() == name;
        let found = Self::PACKED.into_iter().find(is_it);
        found.unwrap_or(if name == b"identity" { Self::Identity } else { Self::Unknown })
    }

    /// The encoding with which a body of this `content_encoding` goes out; `None` if gRPC has no
    /// name for it.
    pub(crate) const fn of_number(content_encoding: u32) -> Option<Self> {
        Some(match content_encoding {
            0 => Self::Identity,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Deflate,
            _ => return None,
        })
    }

    /// The `content_encoding` of its bodies, if they can be unpacked.
    pub(crate) const fn number(self) -> Option<u32> {
        Some(match self {
            Self::Identity => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Deflate => 3,
            Self::Unknown => return None,
        })
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Deflate => "deflate",
            Self::Unknown => "unknown",
        }
    }
}

impl AcceptedEncodings {
    /// Reads `grpc-accept-encoding`. Names that are not known are passed over.
    pub(crate) fn read(list: &[u8]) -> Self {
        let names = list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        names.fold(Self::default(), |all, name| Self(all.0 | Self::bit(GrpcEncoding::read(name))))
    }

    /// Both lists together, where a peer sends two.
    pub(crate) const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// Tells whether the peer can unpack it. Everybody takes a message that is not packed.
    pub(crate) const fn has(self, encoding: GrpcEncoding) -> bool {
        matches!(encoding, GrpcEncoding::Identity) || self.0 & Self::bit(encoding) != 0
    }

    const fn bit(encoding: GrpcEncoding) -> u8 {
        match encoding {
            GrpcEncoding::Gzip => 1,
            GrpcEncoding::Snappy => 2,
            GrpcEncoding::Deflate => 4,
            GrpcEncoding::Identity | GrpcEncoding::Unknown => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_belong_together() {
        let names = [("identity", 0), ("gzip", 1), ("snappy", 2), ("deflate", 3)];
        for (name, number) in names {
            let encoding = GrpcEncoding::read(name.as_bytes());
            assert_eq!((encoding.name(), encoding.number()), (name, Some(number)));
            assert_eq!(GrpcEncoding::of_number(number), Some(encoding));
        }
        for name in ["", "br", "GZIP", "gzip ", "unknown", "gzip,deflate", "\0"] {
            assert_eq!(GrpcEncoding::read(name.as_bytes()), GrpcEncoding::Unknown, "{name:?}");
        }
        assert_eq!(GrpcEncoding::Unknown.number(), None);
        for number in [4, 5, 6, u32::MAX] {
            assert_eq!(GrpcEncoding::of_number(number), None);
        }
    }

    #[test]
    fn a_peer_takes_what_it_lists_and_what_is_not_packed() {
        let lists: [(&str, &[GrpcEncoding]); 7] = [
            ("", &[]),
            ("identity", &[]),
            ("gzip", &[GrpcEncoding::Gzip]),
            ("identity, deflate ,gzip", &[GrpcEncoding::Gzip, GrpcEncoding::Deflate]),
            ("br,zstd,,snappy", &[GrpcEncoding::Snappy]),
            ("gzip;q=1", &[]),
            ("unknown", &[]),
        ];
        for (list, taken) in lists {
            let accepted = AcceptedEncodings::read(list.as_bytes());
            assert!(accepted.has(GrpcEncoding::Identity) && !accepted.has(GrpcEncoding::Unknown));
            let known = GrpcEncoding::PACKED.into_iter();
            let found: Vec<_> = known.filter(|encoding| accepted.has(*encoding)).collect();
            assert_eq!(found, taken, "{list}");
        }
        let both = AcceptedEncodings::read(b"gzip").and(AcceptedEncodings::read(b"snappy"));
        assert_eq!(both, AcceptedEncodings::read(b"snappy,gzip"));
    }
}
