//! The Huffman code of RFC 7541, appendix B.
//!
//! The code is canonical: codes of one length are consecutive numbers in the order of their
//! symbols, and shorter ones come first. So the lengths say all, and the tables are computed.

use super::error::HpackError;

/// How many bits each byte takes.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/// The end of the code: thirty ones. A string is filled up with the first of them.
const EOS: usize = 256;

/// The most bits of a code.
const LONGEST: u32 = 30;

/// Codes up to this length are found at once. They are those of letters, digits and what else is
/// usual in header fields.
const SHORT: u32 = 8;

/// The bits in which a code is compared, from the highest on.
const WORD: u32 = u32::BITS;

/// The bytes that `input` takes in the code.
pub(super) fn encoded_len(input: &[u8]) -> usize {
    let bits: usize = input.iter().map(|byte| usize::from(LENGTHS[usize::from(*byte)])).sum();
    bits.div_ceil(8)
}

/// Appends `input` in the code.
pub(super) fn encode(out: &mut Vec<u8>, input: &[u8]) {
    // The last `count` bits wait for more; fewer than 8 of them do.
    let (mut bits, mut count) = (0_u64, 0);
    for byte in input {
        let symbol = usize::from(*byte);
        let len = u32::from(LENGTHS[symbol]);
        bits = bits << len | u64::from(CODE.codes[symbol]);
        count += len;
        while count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    if count > 0 {
        let ones = 0xff_u64 >> count;
        out.push((bits << (8 - count) | ones) as u8);
    }
}

/// Appends what `input` stands for. It is at most 8/5 of its length.
pub(super) fn decode(out: &mut Vec<u8>, input: &[u8]) -> Result<(), HpackError> {
    out.reserve(input.len() * 8 / 5);
    // The first `count` bits are there; behind them are zeros, or bits that come once more.
    let (mut bits, mut count) = (0_u64, 0);
    let mut rest = input;
    while let Some(eight) = rest.first_chunk() {
        bits |= u64::from_be_bytes(*eight) >> count;
        let taken = (63 - count) / 8;
        rest = &rest[taken as usize..];
        count += taken * 8;
        while count >= LONGEST {
            let (symbol, len) = first_symbol(bits);
            out.push(byte(symbol)?);
            bits <<= len;
            count -= len;
        }
    }
    // The bits behind those that count came with a whole eight and come again one by one.
    bits &= !(u64::MAX >> count);
    loop {
        while count <= 56
            && let Some((first, more)) = rest.split_first()
        {
            bits |= u64::from(*first) << (56 - count);
            count += 8;
            rest = more;
        }
        let (symbol, len) = first_symbol(bits);
        if len > count {
            break;
        }
        out.push(byte(symbol)?);
        bits <<= len;
        count -= len;
    }
    // No code is all ones but the end, so what is left can only be its beginning.
    let is_filled = count < 8 && bits.leading_ones() >= count;
    is_filled.then_some(()).ok_or(HpackError::HuffmanPadding)
}

fn byte(symbol: u16) -> Result<u8, HpackError> {
    u8::try_from(symbol).map_err(|_| HpackError::HuffmanEos)
}

/// The symbol whose code is at the front of `bits`, and its length.
#[inline]
fn first_symbol(bits: u64) -> (u16, u32) {
    let (symbol, len) = CODE.short[(bits >> (64 - SHORT)) as usize];
    if len > 0 {
        return (symbol.into(), len.into());
    }
    let word = bits >> (64 - WORD);
    let mut len = SHORT + 1;
    while word >= CODE.end[len as usize] {
        len += 1;
    }
    let place = (word - CODE.first[len as usize]) >> (WORD - len);
    (CODE.symbols[CODE.before[len as usize] as usize + place as usize], len)
}

/// The code in the forms in which it is used.
struct HuffmanCode {
    /// The code of each byte and of the end, in its last bits.
    codes: [u32; EOS + 1],
    /// For each first byte the symbol with such a short code, and its length; 0 if it is longer.
    short: [(u8, u8); 1 << SHORT],
    /// All symbols in the order of their codes.
    symbols: [u16; EOS + 1],
    /// For each length the number of symbols with shorter codes.
    before: [u16; LONGEST as usize + 1],
    /// For each length its first code, and the one behind its last, as first bits of a word.
    first: [u64; LONGEST as usize + 1],
    end: [u64; LONGEST as usize + 1],
}

static CODE: HuffmanCode = HuffmanCode::new();

impl HuffmanCode {
    const fn new() -> Self {
        let mut made = Self {
            codes: [0; EOS + 1],
            short: [(0, 0); 1 << SHORT],
            symbols: [0; EOS + 1],
            before: [0; LONGEST as usize + 1],
            first: [0; LONGEST as usize + 1],
            end: [0; LONGEST as usize + 1],
        };
        let (mut len, mut next, mut count) = (1, 0_u64, 0);
        while len <= LONGEST {
            made.before[len as usize] = count;
            made.first[len as usize] = next;
            let mut symbol = 0;
            while symbol <= EOS {
                if length(symbol) == len {
                    made.codes[symbol] = (next >> (WORD - len)) as u32;
                    made.symbols[count as usize] = symbol as u16;
                    next += 1 << (WORD - len);
                    count += 1;
                    if len <= SHORT {
                        made.fill(symbol, len);
                    }
                }
                symbol += 1;
            }
            made.end[len as usize] = next;
            len += 1;
        }
        assert!(next == 1 << WORD, "each sequence of bits begins with a code");
        made
    }

    /// Notes a short code for all bytes that begin with it.
    const fn fill(&mut self, symbol: usize, len: u32) {
        let first = self.codes[symbol] << (SHORT - len);
        let mut byte = first;
        while byte < first + (1 << (SHORT - len)) {
            self.short[byte as usize] = (symbol as u8, len as u8);
            byte += 1;
        }
    }
}

const fn length(symbol: usize) -> u32 {
    if symbol == EOS { LONGEST } else { LENGTHS[symbol] as u32 }
}
