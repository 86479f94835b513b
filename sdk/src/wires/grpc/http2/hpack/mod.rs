//! HPACK (RFC 7541): the header fields of a block, in few bytes.
//!
//! ```text
//!   integer.rs       numbers behind some bits of a byte
//!   huffman.rs       the code of appendix B
//!   string.rs        names and values: a length, and bytes as they are or in that code
//!   error.rs         what is wrong with a block
//! ```

mod error;
mod huffman;
mod integer;
mod string;

#[cfg(test)]
mod tests;

pub(crate) use error::HpackError;
