//! `grpc-message`: text as the value of a header field, with `%XX` for what that cannot hold.

use std::borrow::Cow;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Writes a text. It is itself if it is printable ASCII without `%`. A space at its begin or end
/// is written as `%20`, because no value of HTTP/2 begins or ends with one.
pub(crate) fn encode(text: &[u8]) -> Cow<'_, [u8]> {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'%';
    let ends = [text.first(), text.last()];
    if text.iter().all(is_plain) && !ends.contains(&Some(&b' ')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len() + 16);
    for (at, byte) in text.iter().enumerate() {
        let is_end = at == 0 || at + 1 == text.len();
        if is_plain(byte) && !(is_end && *byte == b' ') {
            out.push(*byte);
        } else {
            let digit = |number: u8| HEX[usize::from(number)];
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    Cow::Owned(out)
}

/// Reads a text. It never fails: what is no escape stays as it is. Bytes that are not UTF-8 stay
/// too, and are replaced where a text is made of them.
pub(crate) fn decode(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'%') {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = behind.first_chunk().filter(|_| first == b'%');
        if let Some(byte) = escaped.and_then(|[high, low]| Some(hex(*high)? << 4 | hex(*low)?)) {
            out.push(byte);
            rest = &behind[2..];
        } else {
            out.push(first);
            rest = behind;
        }
    }
    Cow::Owned(out)
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `special_status_message` of gRPC's interop tests.
    const SPECIAL: &str =
        "\t\ntest with whitespace\r\nand Unicode BMP \u{263a} and non-BMP \u{1f608}\t\n";
    const SPECIAL_WRITTEN: &str = "%09%0Atest with whitespace%0D%0Aand Unicode BMP %E2%98%BA and \
                                   non-BMP %F0%9F%98%88%09%0A";

    #[test]
    fn bytes_that_no_value_can_hold_are_escaped() {
        let cases = [
            ("", ""),
            ("no such order", "no such order"),
            ("~!\"#$&'()*+,/:;<=>?@[]^`{|}", "~!\"#$&'()*+,/:;<=>?@[]^`{|}"),
            ("100 %", "100 %25"),
            ("%41", "%2541"),
            ("caf\u{e9}", "caf%C3%A9"),
            ("\0\x1f\x7f", "%00%1F%7F"),
            (" a b ", "%20a b%20"),
            (" ", "%20"),
            (SPECIAL, SPECIAL_WRITTEN),
        ];
        for (text, value) in cases {
            assert_eq!(encode(text.as_bytes()), value.as_bytes(), "{text:?}");
            assert_eq!(decode(value.as_bytes()), text.as_bytes(), "{value:?}");
        }
        assert!(matches!(encode(b"no such order"), Cow::Borrowed(_)));
        assert!(matches!(decode(b"no such order"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_bad_escape_stays_as_it_is() {
        for value in ["%", "%4", "%%", "a%", "%zz", "%4x", "%x4", "%\u{e9}", "100% of it", "%-1"] {
            assert_eq!(decode(value.as_bytes()), value.as_bytes());
        }
        assert_eq!(decode(b"%%41%4%e2%98%ba"), "%A%4\u{263a}".as_bytes());
        assert_eq!(decode(b"%ff"), &[0xff][..], "what is not UTF-8 is replaced further up");
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in prop::collection::vec(any::<u8>(), 0..50)) {
            let value = encode(&text);
            prop_assert!(value.iter().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert!(!value.starts_with(b" ") && !value.ends_with(b" "));
            prop_assert_eq!(decode(&value), &text[..]);
        }

        #[test]
        fn any_value_is_decoded(value in prop::collection::vec(any::<u8>(), 0..50)) {
            prop_assert!(decode(&value).len() <= value.len());
        }
    }
}
