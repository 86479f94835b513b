//! Any frame, cut anywhere, arrives as it was; any bytes are survived.

use bytes::Bytes;
use proptest::prelude::*;
use trill_proto::{RequestProtocol, ResponseProtocol, TransInfoEntry};

use crate::framing::{Side, StreamId};

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_frames_cut_anywhere_arrive(
        (side, frames) in any_side().prop_flat_map(|side| (Just(side), prop::collection::vec(frame(side), 0..8))),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(encode).collect();
        let mut cuts: Vec<_> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let (arrived, error, left) = feed(Decoder::new(side, MAX_FRAME), &bytes, cuts);
        prop_assert_eq!((arrived, error, left.len()), (frames, None, 0));
    }

    #[test]
    fn any_bytes_are_survived(side in any_side(), bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        survive(side, &bytes);
    }

    #[test]
    fn any_bytes_inside_a_frame_are_survived(
        side in any_side(),
        frame_type in 0..2u8,
        kind in 0..6u8,
        header_size in 0..80u16,
        bytes in prop::collection::vec(any::<u8>(), 0..96),
    ) {
        let size = u8::try_from(HEADER_LEN + bytes.len()).expect("small");
        let [high, low] = header_size.to_be_bytes();
        let mut frame = vec![0x09, 0x30, frame_type, kind, 0, 0, 0, size, high, low, 0, 0, 0, 1, 0, 0];
        frame.extend(bytes);
        survive(side, &frame);
    }

    #[test]
    fn a_frame_with_one_wrong_byte_is_survived(
        (side, frame) in any_side().prop_flat_map(|side| (Just(side), frame(side))),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = encode(&frame).to_vec();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        survive(side, &bytes);
    }
}

/// Decodes to the end without a panic, and alike in one piece and byte by byte.
fn survive(side: Side, bytes: &[u8]) {
    let decoder = Decoder::new(side, MAX_FRAME);
    let (frames, error, _) = feed(decoder, bytes, []);
    let (pieces, piecewise, _) = feed(decoder, bytes, 0..bytes.len());
    assert_eq!((frames, error), (pieces, piecewise));
}

fn any_side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Client), Just(Side::Server)]
}

/// A frame that this side may read.
fn frame(side: Side) -> BoxedStrategy<Frame> {
    let unary = match side {
        Side::Server => request_frame().boxed(),
        Side::Client => response_frame().boxed(),
    };
    let id = any::<u32>().prop_map(|id| StreamId(id.into()));
    prop_oneof![
        unary,
        (id.clone(), init_meta()).prop_map(|(id, meta)| Frame::Init { id, meta }),
        (id.clone(), blob(2000))
            .prop_map(|(id, payload)| Frame::Data { id, messages: single(id, &payload) }),
        (id.clone(), any::<u32>()).prop_map(|(id, increment)| Frame::Feedback { id, increment }),
        (id, close_meta()).prop_map(|(id, meta)| Frame::Close { id, meta }),
    ]
    .boxed()
}

fn head() -> impl Strategy<Value = UnaryHead> {
    any::<(u32, u8, u8)>().prop_map(|(id, version, reserved)| UnaryHead { id, version, reserved })
}

fn request_frame() -> impl Strategy<Value = Frame> {
    (head(), request_meta(), blob(300), blob(100)).prop_map(|(head, mut meta, body, attachment)| {
        // Version 0 and all else absent would be a request without a header.
        meta.version = meta.version.max(1);
        meta.attachment_size = u32::try_from(attachment.len()).expect("small");
        Frame::Request { head, meta, body, attachment }
    })
}

pub(super) fn request_meta() -> impl Strategy<Value = RequestProtocol> {
    let names = (blob(40), blob(40), blob(400));
    let numbers = (number(), number(), number(), number(), number(), number(), number(), number());
    (names, numbers, trans_info()).prop_map(|((caller, callee, func), numbers, trans_info)| {
        let (
            version,
            call_type,
            request_id,
            timeout,
            message_type,
            content_type,
            content_encoding,
            size,
        ) = numbers;
        RequestProtocol {
            version,
            call_type,
            request_id,
            timeout,
            caller,
            callee,
            func,
            message_type,
            trans_info,
            content_type,
            content_encoding,
            attachment_size: size,
        }
    })
}

fn response_frame() -> impl Strategy<Value = Frame> {
    (head(), response_meta(), blob(300), blob(100)).prop_map(
        |(head, mut meta, body, attachment)| {
            meta.attachment_size = u32::try_from(attachment.len()).expect("small");
            Frame::Response { head, meta, body, attachment }
        },
    )
}

pub(super) fn response_meta() -> impl Strategy<Value = ResponseProtocol> {
    let numbers = (number(), number(), number(), number(), number(), number(), number());
    (numbers, code(), code(), blob(400), trans_info()).prop_map(
        |(numbers, ret, func_ret, error_msg, trans_info)| {
            let (
                version,
                call_type,
                request_id,
                message_type,
                content_type,
                content_encoding,
                size,
            ) = numbers;
            ResponseProtocol {
                version,
                call_type,
                request_id,
                ret,
                func_ret,
                error_msg,
                message_type,
                trans_info,
                content_type,
                content_encoding,
                attachment_size: size,
            }
        },
    )
}

/// Numbers of all lengths on the wire, and 0, which is not there.
fn number() -> impl Strategy<Value = u32> {
    (any::<u32>(), 0..=32_u32).prop_map(|(number, shift)| number.checked_shr(shift).unwrap_or(0))
}

fn code() -> impl Strategy<Value = i32> {
    prop_oneof![number().prop_map(|number| number as i32 & i32::MAX), any::<i32>()]
}

pub(super) fn init_meta() -> impl Strategy<Value = InitMeta> {
    let request_meta = (blob(40), blob(40), blob(40), any::<u32>(), trans_info()).prop_map(
        |(caller, callee, func, message_type, trans_info)| InitRequestMeta {
            caller,
            callee,
            func,
            message_type,
            trans_info,
        },
    );
    let response_meta =
        (any::<i32>(), blob(40)).prop_map(|(ret, error_msg)| InitResponseMeta { ret, error_msg });
    (prop::option::of(request_meta), prop::option::of(response_meta), any::<(u32, u32, u32)>())
        .prop_map(
            |(request_meta, response_meta, (init_window_size, content_type, content_encoding))| {
                InitMeta {
                    request_meta,
                    response_meta,
                    init_window_size,
                    content_type,
                    content_encoding,
                }
            },
        )
}

fn close_meta() -> impl Strategy<Value = CloseMeta> {
    (any::<(i32, i32, i32, u32)>(), blob(40), trans_info()).prop_map(
        |((close_type, ret, func_ret, message_type), msg, trans_info)| CloseMeta {
            close_type,
            ret,
            msg,
            message_type,
            trans_info,
            func_ret,
        },
    )
}

fn trans_info() -> impl Strategy<Value = Vec<TransInfoEntry>> {
    // Each key once: of equal ones only the last arrives.
    let entries = prop::collection::btree_map("[a-zé-]{0,8}", blob(20), 0..4);
    let entries = entries.prop_map(|entries| {
        entries.into_iter().map(|(key, value)| TransInfoEntry::new(key, value)).collect::<Vec<_>>()
    });
    prop_oneof![Just(Vec::new()), entries]
}

fn blob(max: usize) -> impl Strategy<Value = Bytes> + Clone {
    prop::collection::vec(any::<u8>(), 0..=max).prop_map(Bytes::from)
}
