use proptest::prelude::*;

use crate::golden::unhex;

use super::super::string::RawString;
use super::super::{HpackError, huffman, integer, string};

fn number(prefix: u32, bytes: &[u8]) -> Result<usize, HpackError> {
    let mut rest = bytes;
    let number = integer::decode(&mut rest, prefix)?;
    assert!(rest.is_empty(), "{} bytes are left", rest.len());
    Ok(number)
}

fn plain(hex: &str) -> Result<Vec<u8>, HpackError> {
    let mut plain = Vec::new();
    huffman::decode(&mut plain, &unhex(hex)).map(|()| plain)
}

#[test]
fn numbers_are_those_of_the_standards_examples() {
    // RFC 7541, C.1
    for (value, first, prefix, bytes) in [
        (10, 0xe0, 5, &[0xea][..]),
        (1337, 0x00, 5, &[0x1f, 0x9a, 0x0a]),
        (42, 0x00, 8 - 1, &[0x2a]),
        (30, 0, 5, &[0x1e]),
        (31, 0, 5, &[0x1f, 0x00]),
        (u32::MAX as usize, 0x80, 7, &[0xff, 0x80, 0xff, 0xff, 0xff, 0x0f]),
    ] {
        let mut out = Vec::new();
        integer::encode(&mut out, first, prefix, value);
        assert_eq!(out, bytes);
        assert_eq!(number(prefix, bytes), Ok(value));
        for cut in 0..bytes.len() {
            assert_eq!(number(prefix, &bytes[..cut]), Err(HpackError::Truncated));
        }
    }
}

#[test]
fn a_number_ends_after_five_bytes_and_has_32_bits() {
    let over = Err(HpackError::IntegerOverflow);
    // Zeros without end.
    assert_eq!(number(7, &[0x7f, 0x80, 0x80, 0x80, 0x80, 0x00]), Ok(127));
    assert_eq!(number(7, &[0x7f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), over);
    assert_eq!(number(4, &[0xff; 1_000]), over);
    // 2^32 - 1, and one more.
    assert_eq!(number(7, &[0x7f, 0x80, 0xff, 0xff, 0xff, 0x0f]), Ok(u32::MAX as usize));
    assert_eq!(number(7, &[0x7f, 0x81, 0xff, 0xff, 0xff, 0x0f]), over);
    assert_eq!(number(7, &[0x7f, 0x80, 0xff, 0xff, 0xff, 0x7f]), over);
}

#[test]
fn huffman_codes_are_those_of_the_standards_examples() {
    // RFC 7541, C.4 and C.6
    for (text, hex) in [
        ("www.example.com", "f1e3c2e5f23a6ba0ab90f4ff"),
        ("no-cache", "a8eb10649cbf"),
        ("custom-key", "25a849e95ba97d7f"),
        ("custom-value", "25a849e95bb8e8b4bf"),
        ("302", "6402"),
        ("private", "aec3771a4b"),
        ("Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff"),
        ("https://www.example.com", "9d29ad171863c78f0b97c8e9ae82ae43d3"),
        ("gzip", "9bd9ab"),
        (
            "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
            "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        ),
        ("", ""),
    ] {
        let mut coded = Vec::new();
        huffman::encode(&mut coded, text.as_bytes());
        assert_eq!(coded, unhex(hex), "{text}");
        assert_eq!(huffman::encoded_len(text.as_bytes()), coded.len());
        assert_eq!(plain(hex).as_deref(), Ok(text.as_bytes()));
    }
}

#[test]
fn padding_is_the_beginning_of_the_end_and_shorter_than_a_byte() {
    let wrong = Err(HpackError::HuffmanPadding);
    // `a` is 00011: three ones follow.
    assert_eq!(plain("1f").as_deref(), Ok(&b"a"[..]));
    for hex in ["18", "1e", "1b"] {
        assert_eq!(plain(hex), wrong, "{hex}");
    }
    // A byte more, or nothing but padding.
    for hex in ["1fff", "ff", "ffff", "ffffff", "fffffff8"] {
        assert_eq!(plain(hex), wrong, "{hex}");
    }
    // Four `0` and a seven-bit rest, right and wrong.
    assert_eq!(plain("00000f").as_deref(), Ok(&b"0000"[..]));
    assert_eq!(plain("00000e"), wrong);
    // Bytes behind a long code, so that the rest is behind the first eight.
    assert_eq!(plain("ffc7ffffffffffffffff"), Err(HpackError::HuffmanEos));
}

#[test]
fn the_end_of_the_code_is_in_no_string() {
    for hex in ["fffffffc", "fffffffd", "ffffffff", "1fffffffff", "ffffffffffffffffffff"] {
        let found = plain(hex);
        assert!(
            matches!(found, Err(HpackError::HuffmanEos | HpackError::HuffmanPadding)),
            "{hex} is {found:?}"
        );
    }
    assert_eq!(plain("ffffffff"), Err(HpackError::HuffmanEos));
    assert_eq!(plain("fffffffc00"), Err(HpackError::HuffmanEos));
}

#[test]
fn each_byte_has_a_code_that_is_read_as_that_byte() {
    for count in [1, 2, 3, 9] {
        for byte in 0..=u8::MAX {
            let bytes = vec![byte; count];
            let mut coded = Vec::new();
            huffman::encode(&mut coded, &bytes);
            let mut again = Vec::new();
            assert_eq!(huffman::decode(&mut again, &coded), Ok(()));
            assert_eq!(again, bytes);
        }
    }
}

#[test]
fn a_string_is_within_its_block_before_anything_is_made_of_it() {
    for giant in [&[0x7f, 0x80, 0xff, 0xff, 0xff, 0x0f][..], &[0xff, 0xff, 0xff, 0xff, 0x07, b'a']]
    {
        assert_eq!(string::decode(&mut &giant[..]), Err(HpackError::Truncated));
    }
    let mut two = &[0x01, b'a', 0x81, 0x1f][..];
    assert_eq!(string::decode(&mut two), Ok(RawString::Plain(b"a")));
    assert_eq!(string::decode(&mut two), Ok(RawString::Huffman(&[0x1f])));
    assert_eq!(string::decode(&mut two), Err(HpackError::Truncated));
}

#[test]
fn a_string_is_coded_where_that_is_shorter() {
    let mut out = Vec::new();
    string::encode_short(&mut out, b"aaaaaaaa");
    assert_eq!(out, [0x85, 0x18, 0xc6, 0x31, 0x8c, 0x63]);
    out.clear();
    string::encode_short(&mut out, b"{}~");
    assert_eq!(out, b"\x03{}~");
}

proptest! {
    #[test]
    fn any_number_survives(value in any::<u32>(), prefix in 4..8_u32) {
        let mut out = Vec::new();
        integer::encode(&mut out, 0, prefix, value as usize);
        prop_assert_eq!(number(prefix, &out), Ok(value as usize));
    }

    #[test]
    fn any_string_survives_the_huffman_code(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let (mut coded, mut again) = (Vec::new(), Vec::new());
        huffman::encode(&mut coded, &bytes);
        prop_assert_eq!(coded.len(), huffman::encoded_len(&bytes));
        prop_assert_eq!(huffman::decode(&mut again, &coded), Ok(()));
        prop_assert_eq!(again, bytes);
    }

    #[test]
    fn what_is_read_in_the_huffman_code_is_written_so(coded in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut plain = Vec::new();
        if huffman::decode(&mut plain, &coded).is_ok() {
            let mut again = Vec::new();
            huffman::encode(&mut again, &plain);
            prop_assert_eq!(again, coded);
        }
    }
}
