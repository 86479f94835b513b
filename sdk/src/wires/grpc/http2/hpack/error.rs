//! The faults that a block can have.

use std::fmt;

use super::super::frame::ErrorCode;

/// A block that cannot be decoded. The table of the peer's encoder is unknown from here on, so the
/// connection is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HpackError {
    /// The block ends inside a field.
    Truncated,

    /// A number of more than 32 bits, or of more bytes than one of 32 bits takes.
    IntegerOverflow,

    /// Neither table has the entry.
    NoEntry {
        index: usize,
    },

    /// Bytes that no symbol of the Huffman code can follow.
    HuffmanPadding,

    /// The end of the code, which no string has.
    HuffmanEos,

    TableTooLarge {
        size: usize,
        limit: usize,
    },

    /// A size of the table that comes behind a field.
    LateTableSize,

    /// More sizes of the table than a change needs.
    ManyTableSizes,

    /// This side made the table smaller, and the peer has acknowledged that, but does not do it.
    NoTableSize {
        limit: usize,
    },

    /// A list so far over the limit that it is not even decoded and dropped.
    ListTooLarge {
        size: usize,
        limit: usize,
    },
}

impl HpackError {
    /// The code with which the connection ends.
    pub(crate) const fn code(self) -> ErrorCode {
        match self {
            Self::ListTooLarge { .. } => ErrorCode::ENHANCE_YOUR_CALM,
            Self::Truncated
            | Self::IntegerOverflow
            | Self::NoEntry { .. }
            | Self::HuffmanPadding
            | Self::HuffmanEos
            | Self::TableTooLarge { .. }
            | Self::LateTableSize
            | Self::ManyTableSizes
            | Self::NoTableSize { .. } => ErrorCode::COMPRESSION_ERROR,
        }
    }
}

impl fmt::Display for HpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("a header block ends inside a field"),
            Self::IntegerOverflow => f.write_str("a number in a header block has over 32 bits"),
            Self::NoEntry { index } => {
                write!(f, "a header block names entry {index} of the tables, which is not there")
            }
            Self::HuffmanPadding => {
                f.write_str("a string in a header block does not end as its Huffman code demands")
            }
            Self::HuffmanEos => f.write_str("a string in a header block has the code's end in it"),
            Self::TableTooLarge { size, limit } => {
                write!(f, "a header table of {size} bytes is over the limit of {limit}")
            }
            Self::LateTableSize => {
                f.write_str("the size of the header table changes behind a header field")
            }
            Self::ManyTableSizes => {
                f.write_str("the size of the header table changes more than twice in a block")
            }
            Self::NoTableSize { limit } => write!(
                f,
                "the header table was limited to {limit} bytes, and the next block does not say so"
            ),
            Self::ListTooLarge { size, limit } => {
                write!(f, "a header list of {size} bytes and more is far over the limit of {limit}")
            }
        }
    }
}

impl std::error::Error for HpackError {}
