//! Numbers (RFC 7541, 5.1): the last bits of a byte, and if they do not suffice, the bytes behind
//! it, seven bits in each.

use super::error::HpackError;

/// The most bytes behind the first one: as many as 32 bits need.
const MAX_MORE: u32 = 5;

/// Takes a number off the front, whose first byte leaves `prefix` bits to it.
#[inline]
pub(super) fn decode(input: &mut &[u8], prefix: u32) -> Result<usize, HpackError> {
    let (first, rest) = input.split_first().ok_or(HpackError::Truncated)?;
    let most = (1_u8 << prefix) - 1;
    *input = rest;
    match first & most {
        first if first < most => Ok(first.into()),
        _ => decode_more(input, most),
    }
}

/// The rest of a number that is `most` or more.
fn decode_more(input: &mut &[u8], most: u8) -> Result<usize, HpackError> {
    let mut number = u64::from(most);
    for place in 0..MAX_MORE {
        let (byte, rest) = input.split_first().ok_or(HpackError::Truncated)?;
        *input = rest;
        number += u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let number = u32::try_from(number).map_err(|_| HpackError::IntegerOverflow)?;
            return usize::try_from(number).map_err(|_| HpackError::IntegerOverflow);
        }
    }
    Err(HpackError::IntegerOverflow)
}

/// Appends a number; `first` has the bits before its `prefix` bits.
#[inline]
pub(super) fn encode(out: &mut Vec<u8>, first: u8, prefix: u32, number: usize) {
    let most = (1_u8 << prefix) - 1;
    match u8::try_from(number) {
        Ok(number) if number < most => out.push(first | number),
        _ => {
            out.push(first | most);
            encode_more(out, number - usize::from(most));
        }
    }
}

fn encode_more(out: &mut Vec<u8>, mut rest: usize) {
    while rest > 0x7f {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
