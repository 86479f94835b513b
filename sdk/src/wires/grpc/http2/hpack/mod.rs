//! HPACK (RFC 7541): the header fields of a block, in few bytes.
//!
//! ```text
//!   integer.rs       numbers behind some bits of a byte
//!   huffman.rs       the code of appendix B
//!   string.rs        names and values: a length, and bytes as they are or in that code
//!   static_table.rs  the entries of appendix A
//!   dynamic_table.rs the entries that blocks insert
//!   decoder.rs       blocks to header fields
//!   encoder.rs       header fields to blocks
//!   error.rs         what is wrong with a block
//! ```

mod decoder;
mod dynamic_table;
mod encoder;
mod error;
mod huffman;
mod integer;
mod static_table;
mod string;

#[cfg(test)]
mod tests;

pub(crate) use decoder::{FieldReceiver, HeaderField, HpackDecoder, ListLimits, ListSize};
pub(crate) use encoder::{HeaderBlock, HpackEncoder, Indexing, RepeatedFields};
pub(crate) use error::HpackError;
