//! Bytes that no correct peer sends, and what they are worth.

use serde::Deserialize;

use crate::framing::{Side, StreamId};

use super::*;

#[derive(Deserialize)]
struct Case {
    name: String,
    hex: String,
    expect: Verdict,
    role: String,
    good_frames: usize,
    #[serde(default)]
    every_prefix: bool,
    limit: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    NeedMore,
    ConnectionError,
    UnaryError,
    // The rest is judged by the protocol's state; for the decoder, each frame is good or its fault
    // is that stream's.
    Reject,
    StreamError,
    Ignore,
    Accept,
}

impl Case {
    fn decoder(&self) -> Decoder {
        let side = if self.role == "client" { Side::Client } else { Side::Server };
        Decoder::new(side, self.limit.unwrap_or(MAX_FRAME))
    }

    fn check(&self, frames: &[Frame], error: Option<WireError>, left: usize) {
        let good = frames.iter().filter(|frame| is_good(frame)).count();
        assert_eq!(good, self.good_frames, "{}: {frames:?}", self.name);
        assert_eq!(
            error.is_some(),
            self.expect == Verdict::ConnectionError,
            "{}: {error:?}",
            self.name
        );
        let only_good = good == frames.len();
        match self.expect {
            Verdict::NeedMore => assert!(only_good, "{}: {frames:?}", self.name),
            Verdict::ConnectionError => assert!(only_good, "{}: {frames:?}", self.name),
            Verdict::UnaryError => {
                assert_eq!(left, 0, "{}", self.name);
                assert!(
                    !frames.iter().any(|frame| matches!(frame, Frame::BadStream { .. })),
                    "{}",
                    self.name
                );
            }
            Verdict::Reject | Verdict::StreamError | Verdict::Ignore | Verdict::Accept => {
                assert_eq!(left, 0, "{}", self.name);
                assert!(
                    !frames.iter().any(|frame| matches!(frame, Frame::BadUnary { .. })),
                    "{}",
                    self.name
                );
            }
        }
    }
}

#[test]
fn every_malformed_input_gets_its_verdict() {
    for case in vectors::<Case>("trpc_invalid.json") {
        let bytes = unhex(&case.hex);
        for cuts in [vec![], (0..bytes.len()).collect()] {
            let (frames, error, left) = feed(case.decoder(), &bytes, cuts);
            if case.every_prefix {
                assert_eq!(
                    (frames.len(), left.len()),
                    (1, 0),
                    "{}: the whole is one frame",
                    case.name
                );
                continue;
            }
            case.check(&frames, error, left.len());
        }
    }
}

#[test]
fn every_prefix_that_is_promised_to_wait_does() {
    let cases = vectors::<Case>("trpc_invalid.json");
    let mut seen = 0;
    for case in cases.iter().filter(|case| case.every_prefix) {
        let bytes = unhex(&case.hex);
        for len in 0..bytes.len() {
            let (frames, error, left) = feed(case.decoder(), &bytes[..len], []);
            assert_eq!(
                (frames.len(), error, left.len()),
                (0, None, len),
                "{} cut at {len}",
                case.name
            );
        }
        seen += 1;
    }
    assert_eq!(seen, 1);
}

#[test]
fn both_sides_agree_on_what_ends_a_connection() {
    for case in vectors::<Case>("trpc_invalid.json") {
        if case.role == "any" && matches!(case.expect, Verdict::NeedMore | Verdict::ConnectionError)
        {
            let bytes = unhex(&case.hex);
            let limit = case.limit.unwrap_or(MAX_FRAME);
            let (_, server, server_left) = feed(Decoder::new(Side::Server, limit), &bytes, []);
            let (_, client, client_left) = feed(Decoder::new(Side::Client, limit), &bytes, []);
            assert_eq!((server, server_left), (client, client_left), "{}", case.name);
        }
    }
}

#[test]
fn an_error_of_the_connection_names_value_and_limit() {
    let expected = [
        (
            "magic_zero",
            WireError::BadMagic { found: 0 },
            "a frame starts with 0x0000, not with the 0x0930 of tRPC",
        ),
        (
            "magic_http",
            WireError::BadMagic { found: 0x4745 },
            "a frame starts with 0x4745, not with the 0x0930 of tRPC: it speaks HTTP",
        ),
        (
            "total_15",
            WireError::FrameTooSmall { size: 15 },
            "a frame says that it takes 15 bytes; its fixed header alone takes 16",
        ),
        (
            "total_over_limit",
            WireError::FrameTooLarge { size: 10_000_001, limit: 10_000_000 },
            "a frame of 10000001 bytes is over the limit of 10000000",
        ),
        (
            "header_size_over_total",
            WireError::HeaderOverrun { header: 5, size: 20 },
            "a frame of 20 bytes says that its protobuf header takes 5",
        ),
        (
            "frame_type_255",
            WireError::BadFrameType { found: 255 },
            "a frame is of type 255; only 0 (unary) and 1 (stream) exist",
        ),
    ];
    let cases = vectors::<Case>("trpc_invalid.json");
    for (name, error, text) in expected {
        let case = cases.iter().find(|case| case.name == name).expect(name);
        let mut buf = BytesMut::from(&unhex(&case.hex)[..]);
        assert_eq!(drain(case.decoder(), &mut buf), (vec![], Some(error)), "{name}");
        assert_eq!(
            drain(case.decoder(), &mut buf),
            (vec![], Some(error)),
            "{name}: the error stays"
        );
        assert_eq!(case.decoder().missing(&buf), 0, "{name}: no byte more would help");
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_fault_inside_a_frame_names_its_call_or_stream() {
    let first = |name: &str| {
        let cases = vectors::<Case>("trpc_invalid.json");
        let case = cases.iter().find(|case| case.name == name).expect(name);
        let (frames, ..) = feed(case.decoder(), &unhex(&case.hex), []);
        frames.into_iter().find(|frame| !is_good(frame)).expect(name)
    };
    let head = UnaryHead { id: 1, version: 1, reserved: 0 };
    assert_eq!(first("unary_header_empty"), Frame::BadUnary { head, why: FrameFault::NoHeader });
    let why = FrameFault::AttachmentOverrun { request_id: 1, attachment: 1000, left: 3 };
    assert_eq!(first("unary_attachment_size_over_rest"), Frame::BadUnary { head, why });
    let id = StreamId(100);
    assert_eq!(
        first("stream_frame_type_0"),
        Frame::BadStream { id, why: FrameFault::UnknownKind(0) }
    );
    assert_eq!(
        first("stream_frame_type_5"),
        Frame::BadStream { id, why: FrameFault::UnknownKind(5) }
    );
    for name in ["init_garbage", "feedback_garbage", "close_garbage"] {
        let Frame::BadStream { id: StreamId(100), why: FrameFault::Protobuf(_) } = first(name)
        else {
            panic!("{name}: {:?}", first(name));
        };
    }
    let Frame::BadUnary { why: FrameFault::Protobuf(_), .. } = first("unary_rsp_garbage") else {
        panic!("{:?}", first("unary_rsp_garbage"));
    };
}

#[test]
fn the_decoder_gives_the_same_verdict_however_the_input_is_split() {
    for case in vectors::<Case>("trpc_invalid.json") {
        let bytes = unhex(&case.hex);
        let (frames, error, left) = feed(case.decoder(), &bytes, []);
        let (split_frames, split_error, split_left) = feed(case.decoder(), &bytes, 0..bytes.len());
        assert_eq!((split_frames, split_error), (frames, error), "{}", case.name);
        // Behind an error, how much was fed already depends on the pieces.
        assert!(error.is_some() || split_left == left, "{}", case.name);
    }
}
