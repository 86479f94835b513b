//! The faults that a block can have.

use std::fmt;

/// A block that cannot be decoded. The table of the peer's encoder is unknown from here on, so the
/// connection is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HpackError {
    /// The block ends inside a field.
    Truncated,

    /// A number of more than 32 bits, or of more bytes than one of 32 bits takes.
    IntegerOverflow,

    /// Bytes that no symbol of the Huffman code can follow.
    HuffmanPadding,

    /// The end of the code, which no string has.
    HuffmanEos,
}

impl fmt::Display for HpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("a header block ends inside a field"),
            Self::IntegerOverflow => f.write_str("a number in a header block has over 32 bits"),
            Self::HuffmanPadding => {
                f.write_str("a string in a header block does not end as its Huffman code demands")
            }
            Self::HuffmanEos => f.write_str("a string in a header block has the code's end in it"),
        }
    }
}

impl std::error::Error for HpackError {}
