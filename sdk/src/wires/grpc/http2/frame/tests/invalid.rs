use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use crate::framing::Side;
use crate::golden::{unhex, vectors};

use super::super::{ErrorCode, FrameDecoder, FrameViolation, HEADER_LEN, Http2Frame, encode};
use super::{decoder, single};

#[derive(Deserialize)]
struct Case {
    name: String,
    hex: String,
    /// `connection`, or the stream.
    ends: Value,
    code: String,
    side: String,
}

#[test]
fn malformed_frames_end_their_stream_or_the_connection_with_the_right_code() {
    for case in vectors::<Case>("http2_invalid.json") {
        let (bytes, mut count) = (unhex(&case.hex), 0);
        for side in [Side::Client, Side::Server] {
            let decoder = decoder(side);
            if case.side != "any" && case.side != format!("{side:?}").to_lowercase() {
                assert!(decoder.decode(&bytes).is_ok(), "{} at the {side:?}", case.name);
                continue;
            }
            count += 1;
            let violation = match decoder.decode(&bytes) {
                Ok(Some((Http2Frame::Faulty { violation }, len))) => {
                    assert_eq!(len, bytes.len(), "{} can be passed over", case.name);
                    assert_eq!(violation.stream().map(Value::from), Some(case.ends.clone()));
                    violation
                }
                Ok(other) => panic!("{} is {other:?}", case.name),
                Err(violation) => {
                    assert_eq!((violation.stream(), &case.ends), (None, &"connection".into()));
                    assert_eq!(decoder.decode(&bytes), Err(violation), "however often one asks");
                    violation
                }
            };
            assert_eq!(violation.code().to_string(), case.code, "{}: {violation}", case.name);
            assert_eq!(decoder.missing(&bytes), 0, "{}", case.name);
        }
        assert!(count > 0, "{} was tried", case.name);
    }
}

#[test]
fn a_malformed_frame_waits_for_its_bytes_at_every_cut_unless_it_is_too_large() {
    for case in vectors::<Case>("http2_invalid.json") {
        let (bytes, decoder) = (unhex(&case.hex), decoder(Side::Client));
        let is_too_large = bytes.len() == HEADER_LEN && bytes[..3] > [0, 0x40, 0][..];
        for cut in 0..bytes.len() {
            assert_eq!(decoder.decode(&bytes[..cut]), Ok(None), "{} cut at {cut}", case.name);
        }
        if !is_too_large {
            continue;
        }
        let Err(FrameViolation::TooLarge { len, limit, .. }) = decoder.decode(&bytes) else {
            panic!("{} is refused at its header", case.name)
        };
        assert!(len > limit);
    }
}

#[test]
fn the_largest_payload_is_what_was_allowed() {
    for (allowed, len) in [(16_384, 16_384), (1 << 20, 1 << 20), ((1 << 24) - 1, 20_000)] {
        let mut bytes = encode::data_header(1, len, false).to_vec();
        bytes.resize(bytes.len() + len as usize, 7);
        let decoder = FrameDecoder::new(Side::Server, allowed);
        let Ok(Some((Http2Frame::Data { data, flow_len, .. }, _))) = decoder.decode(&bytes) else {
            panic!("{len} bytes are allowed")
        };
        assert_eq!((data.len(), flow_len), (len as usize, len));
        let decoder = FrameDecoder::new(Side::Server, len - 1);
        let refused = FrameViolation::TooLarge { kind: 0, len, limit: len - 1 };
        assert_eq!(decoder.decode(&bytes), Err(refused));
    }
}

#[test]
fn headers_that_end_their_stream_keep_their_block() {
    let bytes = unhex("000006 01 25 00000003 0000000310 82".replace(' ', "").as_str());
    let Http2Frame::Headers { block, violation, end_stream, .. } = single(&bytes) else {
        panic!("HEADERS")
    };
    assert_eq!((block, end_stream), (&[0x82][..], true));
    assert_eq!(violation, Some(FrameViolation::DependsOnItself { stream: 3 }));
}

#[test]
fn codes_are_shown_by_their_names() {
    let named: Vec<_> = (0..=14).map(|code| ErrorCode(code).to_string()).collect();
    assert_eq!(
        named.join(" "),
        "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED \
         FRAME_SIZE_ERROR REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM \
         INADEQUATE_SECURITY HTTP_1_1_REQUIRED error code 14"
    );
}

#[test]
fn each_violation_has_a_text() {
    for (violation, text) in [
        (
            FrameViolation::TooLarge { kind: 0, len: 20_000, limit: 16_384 },
            "a frame of type DATA has 20000 bytes, over the limit of 16384",
        ),
        (
            FrameViolation::TooMuchPadding { kind: 1, padding: 9, len: 4 },
            "a frame of type HEADERS with 4 bytes says that 9 of them are padding",
        ),
        (
            FrameViolation::InitialWindow { value: 1 << 31 },
            "SETTINGS_INITIAL_WINDOW_SIZE of 2147483648 is over 2147483647",
        ),
        (
            FrameViolation::MaxFrameSize { value: 1 },
            "SETTINGS_MAX_FRAME_SIZE of 1 is not from 16384 to 16777215",
        ),
    ] {
        assert_eq!(violation.to_string(), text);
    }
}

proptest! {
    #[test]
    fn no_bytes_hurt_a_decoder(
        front in prop::array::uniform3(0..3_u8),
        kind in 0..12_u8,
        rest in prop::collection::vec(any::<u8>(), 0..80),
        client in any::<bool>(),
    ) {
        let bytes = [&[0, 0, front[2] * 8 + front[1]][..], &[kind], &rest].concat();
        let decoder = decoder(if client { Side::Client } else { Side::Server });
        match decoder.decode(&bytes) {
            Ok(None) => prop_assert!(decoder.missing(&bytes) > 0),
            Ok(Some((_, len))) => {
                prop_assert!(len <= bytes.len());
                prop_assert_eq!(decoder.missing(&bytes), 0);
            }
            Err(violation) => prop_assert_eq!(violation.stream(), None),
        }
    }
}
