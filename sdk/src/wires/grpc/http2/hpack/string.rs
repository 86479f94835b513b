//! Names and values (RFC 7541, 5.2): a length, and as many bytes, which can be in Huffman's code.

use super::error::HpackError;
use super::{huffman, integer};

/// The bit before the length that says that Huffman's code follows.
const HUFFMAN: u8 = 0x80;

/// A string as it stands in a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RawString<'a> {
    Plain(&'a [u8]),
    Huffman(&'a [u8]),
}

/// Takes a string off the front. Nothing is allocated, and its length is within the block.
#[inline]
pub(super) fn decode<'a>(input: &mut &'a [u8]) -> Result<RawString<'a>, HpackError> {
    let first = *input.first().ok_or(HpackError::Truncated)?;
    let len = integer::decode(input, 7)?;
    let (string, rest) = input.split_at_checked(len).ok_or(HpackError::Truncated)?;
    *input = rest;
    Ok(if first & HUFFMAN == 0 { RawString::Plain(string) } else { RawString::Huffman(string) })
}

/// Appends a string as it is.
#[inline]
pub(super) fn encode_plain(out: &mut Vec<u8>, string: &[u8]) {
    integer::encode(out, 0, 7, string.len());
    out.extend_from_slice(string);
}

/// Appends a string in Huffman's code, if that is shorter.
pub(super) fn encode_short(out: &mut Vec<u8>, string: &[u8]) {
    let len = huffman::encoded_len(string);
    if len >= string.len() {
        return encode_plain(out, string);
    }
    integer::encode(out, HUFFMAN, 7, len);
    huffman::encode(out, string);
}
