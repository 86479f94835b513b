//! Base64, as which the values of keys with `-bin` travel: the standard alphabet, written without
//! padding and read with or without it.

/// No letter of the alphabet.
const NONE: u8 = 0xff;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The number of each letter.
const NUMBERS: [u8; 256] = {
    let mut numbers = [NONE; 256];
    let mut number = 0;
    while number < ALPHABET.len() {
        numbers[ALPHABET[number] as usize] = number as u8;
        number += 1;
    }
    numbers
};

/// The length that so many bytes have when they are written.
pub(crate) const fn encoded_len(len: usize) -> usize {
    len / 3 * 4 + (len % 3 * 4).div_ceil(3)
}

/// Appends bytes, written without padding.
pub(crate) fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(encoded_len(bytes.len()));
    for part in bytes.chunks(3) {
        let byte = |at: usize| part.get(at).map_or(0, |byte| u32::from(*byte));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let letters = [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift & 63) as usize]);
        out.extend_from_slice(&letters[..=part.len()]);
    }
}

/// Reads bytes; `None` if there is anything but letters of the alphabet, and padding that is none.
/// Bits behind the last byte are passed over, as other implementations do.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let letters = match text {
        // Padding fills four letters up.
        [letters @ .., b'=', b'='] if text.len().is_multiple_of(4) => letters,
        [letters @ .., b'='] if text.len().is_multiple_of(4) => letters,
        letters => letters,
    };
    if letters.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(letters.len() / 4 * 3 + 2);
    for part in letters.chunks(4) {
        let mut bits = 0;
        for at in 0..4 {
            let number = part.get(at).map_or(0, |letter| NUMBERS[usize::from(*letter)]);
            if number == NONE {
                return None;
            }
            bits = bits << 6 | u32::from(number);
        }
        let [_, bytes @ ..] = bits.to_be_bytes();
        out.extend_from_slice(&bytes[..part.len() - 1]);
    }
    Some(out)
}

/// The values that are joined with commas in one field, each of which is read by itself. Spaces
/// around a comma are none of theirs.
pub(crate) fn joined(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        encode(&mut out, bytes);
        assert_eq!(out.len(), encoded_len(bytes.len()));
        String::from_utf8(out).expect("ASCII")
    }

    /// The vectors of RFC 4648, section 10, and bytes that need the whole alphabet.
    #[test]
    fn bytes_are_written_without_padding_and_read_with_and_without() {
        let cases: [(&[u8], &str, &str); 9] = [
            (b"", "", ""),
            (b"f", "Zg", "Zg=="),
            (b"fo", "Zm8", "Zm8="),
            (b"foo", "Zm9v", "Zm9v"),
            (b"foob", "Zm9vYg", "Zm9vYg=="),
            (b"fooba", "Zm9vYmE", "Zm9vYmE="),
            (b"foobar", "Zm9vYmFy", "Zm9vYmFy"),
            (&[0xab, 0xab, 0xab], "q6ur", "q6ur"),
            (&[0xfb, 0xff, 0xbf, 0, 0x10], "+/+/ABA", "+/+/ABA="),
        ];
        for (bytes, plain, padded) in cases {
            assert_eq!(written(bytes), plain);
            assert_eq!(decode(plain.as_bytes()).as_deref(), Some(bytes), "{plain}");
            assert_eq!(decode(padded.as_bytes()).as_deref(), Some(bytes), "{padded}");
        }
        assert_eq!(decode(b"Zh").as_deref(), Some(&b"f"[..]), "bits behind the last byte");
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in [
            "=", "==", "===", "====", "Z", "Z===", "Zg=", "Zg===", "Zm8==", "Zm9v=", "Zm9v====",
            "Zg==Zg==", "Zm9vZ", "Z g=", " Zg", "Zg ", "Zg\n", "Z_-v", "Zm9v,", "Z\u{e9}", "\0\0",
        ] {
            assert_eq!(decode(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_field_has_as_many_values_as_commas_say() {
        let cases: [(&str, &[&str]); 5] = [
            ("", &[""]),
            ("Zg", &["Zg"]),
            ("Zg==,Zm8", &["Zg==", "Zm8"]),
            ("Zg , Zm8", &["Zg", "Zm8"]),
            (",Zg,", &["", "Zg", ""]),
        ];
        for (value, parts) in cases {
            let found: Vec<_> = joined(value.as_bytes()).collect();
            let parts: Vec<_> = parts.iter().map(|part| part.as_bytes()).collect();
            assert_eq!(found, parts, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn every_value_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..70)) {
            let mut text = written(&bytes).into_bytes();
            prop_assert_eq!(decode(&text), Some(bytes.clone()));
            while !text.len().is_multiple_of(4) {
                text.push(b'=');
            }
            prop_assert_eq!(decode(&text), Some(bytes));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[A-Za-z0-9+/=, _-]{0,20}") {
            if let Some(bytes) = decode(text.as_bytes()) {
                let padding = text.trim_end_matches('=').len();
                prop_assert_eq!(encoded_len(bytes.len()), padding);
            }
        }
    }
}
