//! Compression of messages, as the protocol numbers it.

use std::fmt;

use bytes::Bytes;

use crate::driver::Overrun;

use super::message::Message;
#[cfg(all(test, feature = "compression"))]
use super::unpack::{Progress, Unpacker};

/// How messages are compressed, one by one. The first four mean the same to all peers of the
/// protocol; number 2 means two things.
///
/// Needs the feature `compression`, which is on by default; without it this type has no values, and
/// peers that send compressed messages are refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Compression {
    /// gzip, `content_encoding` 1.
    #[cfg(feature = "compression")]
    Gzip,
    /// zlib, `content_encoding` 3.
    #[cfg(feature = "compression")]
    Zlib,
    /// Snappy's block format, `content_encoding` 5.
    #[cfg(feature = "compression")]
    Snappy,
    /// LZ4's frame format, `content_encoding` 6.
    #[cfg(feature = "compression")]
    Lz4,
    /// Snappy's stream format as `content_encoding` 2, which is what tRPC-Go means by it. For peers
    /// that know no other; [`Snappy`](Self::Snappy) is right for all.
    ///
    /// The format has no end. A body that its sender has cut between two chunks of 64 KiB passes
    /// for a whole one; every other codec shows that, and the body is refused.
    #[cfg(feature = "compression")]
    SnappyGo,
    /// Snappy's block format as `content_encoding` 2, which is what tRPC-Cpp means by it. For peers
    /// that know no other; [`Snappy`](Self::Snappy) is right for all.
    #[cfg(feature = "compression")]
    SnappyCpp,
}

/// The bytes that Snappy's stream format begins with (`google/snappy: framing_format.txt`). The
/// block format cannot begin so: there, the bytes would copy from far before the beginning.
#[cfg(feature = "compression")]
pub(super) const SNAPPY_STREAM: &[u8] = b"\xff\x06\x00\x00sNaPpY";

/// The `content_encoding` of a body of `size` bytes: an empty one is not compressed.
pub(crate) fn wire_encoding(compression: Option<Compression>, size: usize) -> u32 {
    compression.filter(|_| size > 0).map_or(0, Compression::to_wire)
}

/// Bytes that cannot be unpacked.
#[derive(Debug)]
#[cfg_attr(not(feature = "compression"), expect(dead_code, reason = "nothing is unpacked then"))]
pub(crate) enum UnpackError {
    /// They are not what they should be.
    Broken(std::io::Error),
    /// They unpack to more than may be received.
    TooLarge { limit: usize },
    /// For a long time there was no room for what they unpack to.
    NoRoom { needed: usize, over: Overrun },
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(error) => error.fmt(f),
            Self::NoRoom { needed, over } => {
                write!(f, "it takes {needed} bytes while it is unpacked, and {over}")
            }
            Self::TooLarge { limit } => {
                write!(
                    f,
                    "it unpacks to more than the {limit} bytes that may be received (max_message_received)"
                )
            }
        }
    }
}

impl std::error::Error for UnpackError {}

impl Compression {
    /// The compression of a `content_encoding`: `Ok(None)` for none, `Err` with the reason for one
    /// that is not supported.
    pub(crate) fn from_wire(encoding: u32) -> Result<Option<Self>, String> {
        // PROTOCOL 32
        match encoding {
            0 => Ok(None),
            #[cfg(feature = "compression")]
            1 => Ok(Some(Self::Gzip)),
            #[cfg(feature = "compression")]
            2 => Ok(Some(Self::SnappyGo)),
            #[cfg(feature = "compression")]
            3 => Ok(Some(Self::Zlib)),
            #[cfg(feature = "compression")]
            5 => Ok(Some(Self::Snappy)),
            #[cfg(feature = "compression")]
            6 => Ok(Some(Self::Lz4)),
            other if cfg!(feature = "compression") => Err(format!(
                "content_encoding {other} is not supported; 1 (gzip), 2 (Snappy), 3 (zlib), 5 (Snappy block) and 6 (LZ4 frame) are"
            )),
            other => Err(format!(
                "content_encoding {other} is not supported: trill's feature `compression` is off"
            )),
        }
    }

    /// The compression of a body, from its number and, where peers disagree about the number, from
    /// its bytes: the answer must be in the format of the request.
    pub(crate) fn of_body(encoding: u32, body: &[u8]) -> Result<Option<Self>, String> {
        let compression = Self::from_wire(encoding)?;
        // PROTOCOL 32
        #[cfg(feature = "compression")]
        if compression == Some(Self::SnappyGo) && !body.starts_with(SNAPPY_STREAM) {
            return Ok(Some(Self::SnappyCpp));
        }
        #[cfg(not(feature = "compression"))]
        let _ = body;
        Ok(compression)
    }

    /// The `content_encoding` of this compression.
    pub(crate) const fn to_wire(self) -> u32 {
        match self {
            #[cfg(feature = "compression")]
            Self::Gzip => 1,
            #[cfg(feature = "compression")]
            Self::SnappyGo | Self::SnappyCpp => 2,
            #[cfg(feature = "compression")]
            Self::Zlib => 3,
            #[cfg(feature = "compression")]
            Self::Snappy => 5,
            #[cfg(feature = "compression")]
            Self::Lz4 => 6,
        }
    }

    /// Encodes and compresses a message. An empty message stays empty: tRPC-Cpp cannot unpack a
    /// compressed one.
    pub(crate) fn pack(self, message: &impl Message) -> Bytes {
        let mut plain = Vec::with_capacity(message.size());
        message.write_to(&mut plain);
        self.pack_bytes(&plain)
    }

    /// Compresses an encoded message.
    pub(crate) fn pack_bytes(self, plain: &[u8]) -> Bytes {
        // PROTOCOL 32
        if plain.is_empty() { Bytes::new() } else { self.compress(plain) }
    }

    /// Unpacks a message to at most `limit` bytes at once. Nothing stays nothing.
    #[cfg(all(test, feature = "compression"))]
    pub(super) fn unpack(self, packed: Bytes, limit: usize) -> Result<Bytes, UnpackError> {
        let mut unpacker = Unpacker::new(self, packed, limit);
        while unpacker.step(usize::MAX)? != Progress::Whole {}
        Ok(unpacker.finish())
    }
}

#[cfg(feature = "compression")]
mod codecs {
    use std::io::{self, Write};

    use bytes::Bytes;

    use super::Compression;

    impl Compression {
        pub(in crate::stream) fn compress(self, plain: &[u8]) -> Bytes {
            let packed = match self {
                Self::Gzip => {
                    let mut encoder =
                        flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                    encoder.write_all(plain).and_then(|()| encoder.finish())
                }
                Self::Zlib => {
                    let mut encoder =
                        flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
                    encoder.write_all(plain).and_then(|()| encoder.finish())
                }
                Self::SnappyGo => {
                    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
                    encoder.write_all(plain).and_then(|()| {
                        encoder.into_inner().map_err(snap::write::IntoInnerError::into_error)
                    })
                }
                Self::Snappy | Self::SnappyCpp => {
                    snap::raw::Encoder::new().compress_vec(plain).map_err(io::Error::other)
                }
                Self::Lz4 => {
                    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                    encoder
                        .write_all(plain)
                        .and_then(|()| encoder.finish().map_err(io::Error::other))
                }
            };
            Bytes::from(packed.expect(
                "memory can always be written to, and messages are far below Snappy's 4 GiB",
            ))
        }
    }
}

#[cfg(not(feature = "compression"))]
impl Compression {
    fn compress(self, _plain: &[u8]) -> Bytes {
        match self {}
    }
}

#[cfg(all(test, feature = "compression"))]
mod tests {
    use crate::golden::{unhex, vectors};

    use super::*;

    const ALL: [Compression; 6] = [
        Compression::Gzip,
        Compression::Zlib,
        Compression::Snappy,
        Compression::Lz4,
        Compression::SnappyGo,
        Compression::SnappyCpp,
    ];

    #[test]
    fn what_was_packed_unpacks_to_the_same() {
        for compression in ALL {
            for size in [1, 100, 100_000] {
                let message = "abc".repeat(size);
                let packed = compression.pack(&message);
                let plain = compression.unpack(packed.clone(), 1_000_000).unwrap();
                assert_eq!(String::read_from(plain).unwrap(), message, "{compression:?}");
                assert!(
                    size < 100 || packed.len() < message.len(),
                    "{compression:?} makes it smaller"
                );
            }
        }
    }

    #[test]
    fn a_body_says_how_it_is_compressed_if_there_is_something_in_it() {
        assert_eq!(
            (wire_encoding(Some(Compression::Zlib), 1), wire_encoding(Some(Compression::Lz4), 1)),
            (3, 6)
        );
        assert_eq!((wire_encoding(Some(Compression::Lz4), 0), wire_encoding(None, 1)), (0, 0));
        let text = Compression::from_wire(9).unwrap_err();
        assert!(text.starts_with("content_encoding 9 is not supported; 1 (gzip)"), "{text}");
    }

    #[test]
    fn an_empty_message_stays_empty() {
        for compression in ALL {
            assert!(compression.pack(&String::new()).is_empty());
            assert!(compression.unpack(Bytes::new(), 0).unwrap().is_empty());
        }
    }

    #[test]
    fn a_small_input_that_unpacks_to_a_large_output_is_stopped_at_the_limit() {
        for compression in ALL {
            let bomb = compression.compress(&vec![0; 10_000_000]);
            assert!(matches!(
                compression.unpack(bomb.clone(), 1_000),
                Err(UnpackError::TooLarge { limit: 1_000 })
            ));
            assert_eq!(compression.unpack(bomb, 10_000_000).unwrap().len(), 10_000_000);
        }
    }

    #[test]
    fn garbage_and_every_cut_are_errors_not_panics() {
        for compression in ALL {
            assert!(
                compression.unpack(Bytes::from_static(b"\xff\xff\xff\xff garbage"), 1_000).is_err(),
                "{compression:?}"
            );
            let whole = b"a text that is long enough to be cut in many places";
            let packed = compression.compress(whole);
            for cut in 1..packed.len() {
                // Snappy's stream format has no end: this is its beginning, without a chunk.
                let is_whole = compression == Compression::SnappyGo && cut == SNAPPY_STREAM.len();
                let unpacked = compression.unpack(packed.slice(..cut), 1_000);
                assert_eq!(unpacked.is_ok(), is_whole, "{compression:?} at {cut}: {unpacked:?}");
            }
        }
    }

    #[test]
    fn the_numbers_are_the_protocols() {
        for compression in ALL {
            let packed = compression.pack_bytes(b"a body");
            assert_eq!(Compression::of_body(compression.to_wire(), &packed), Ok(Some(compression)));
        }
        assert_eq!(Compression::from_wire(0), Ok(None));
        assert!(Compression::from_wire(99).unwrap_err().contains("99"));
    }

    #[test]
    fn both_meanings_of_number_2_are_understood() {
        for (packed, unpacked) in [
            (Compression::SnappyGo, Compression::SnappyCpp),
            (Compression::SnappyCpp, Compression::SnappyGo),
        ] {
            let body = packed.pack_bytes(b"a body of some length, of some length");
            assert_eq!(
                unpacked.unpack(body, 1_000).unwrap(),
                "a body of some length, of some length"
            );
        }
    }

    /// The bodies that tRPC-Cpp's client really sent.
    #[test]
    fn recorded_bodies_of_a_real_peer_unpack() {
        let captures: Vec<serde_json::Value> = vectors("trpc_cpp_captures.json");
        let mut seen = 0;
        for (conversation, compression) in [
            ("unary, gzip both ways", Compression::Gzip),
            ("unary, snappy both ways", Compression::Snappy),
            ("unary, lz4 frame both ways", Compression::Lz4),
        ] {
            for capture in captures.iter().filter(|capture| capture["conversation"] == conversation)
            {
                let bytes = unhex(capture["hex"].as_str().unwrap());
                if bytes.is_empty() {
                    continue;
                }
                let header = usize::from(u16::from_be_bytes([bytes[8], bytes[9]]));
                let body = Bytes::copy_from_slice(&bytes[16 + header..]);
                let text = String::read_from(compression.unpack(body, 1_000).unwrap()).unwrap();
                assert!(text.contains("zip:zzzzzzzzzz"), "{conversation}: {text}");
                seen += 1;
            }
        }
        assert_eq!(seen, 6, "a request and an answer each");
    }
}
