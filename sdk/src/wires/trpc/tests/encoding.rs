//! The frames that are refused when written, and the bytes that they leave behind.

use std::panic::{AssertUnwindSafe, catch_unwind};

use trill_proto::{RequestProtocol, ResponseProtocol};

use crate::framing::{Largest, Side, StreamId};

use super::*;

const HEAD: UnaryHead = UnaryHead { id: 7, version: 1, reserved: 0 };

fn write_request(
    meta: &RequestProtocol,
    limit: usize,
    body_len: usize,
    write: impl FnOnce(&mut Vec<u8>),
) -> (Result<(), WireError>, Vec<u8>) {
    let mut out = b"before".to_vec();
    let result = unary(
        &mut out,
        HEAD,
        meta,
        Largest { frame: limit, header: usize::MAX },
        body_len,
        write,
        &[],
    );
    (result, out)
}

#[test]
fn a_frame_may_be_exactly_as_long_as_the_limit() {
    let body = |out: &mut Vec<u8>| out.extend_from_slice(b"body");
    let meta = RequestProtocol { request_id: 7, ..Default::default() };
    let (result, out) = write_request(&meta, 22, 4, body);
    assert_eq!((result, out.len()), (Ok(()), "before".len() + 22));

    let (result, out) = write_request(&meta, 21, 4, body);
    assert_eq!(result, Err(WireError::FrameTooLarge { size: 22, limit: 21 }));
    assert_eq!(out, b"before");
}

#[test]
fn a_body_beyond_the_size_field_is_refused_whatever_the_limit() {
    let meta = RequestProtocol::default();
    let (result, out) =
        write_request(&meta, usize::MAX, u32::MAX as usize - 15, |_| unreachable!());
    let (size, limit) = (u32::MAX as usize + 1, u32::MAX as usize);
    assert_eq!((result, &out[..]), (Err(WireError::FrameTooLarge { size, limit }), &b"before"[..]));
    let (result, _) = write_request(&meta, usize::MAX, usize::MAX, |_| unreachable!());
    assert_eq!(result, Err(WireError::FrameTooLarge { size: usize::MAX, limit }));
}

#[test]
fn a_protobuf_header_beyond_its_size_field_is_refused() {
    // Two bytes of field and length, three of the length once it is over 16,383.
    let mut meta =
        ResponseProtocol { error_msg: vec![b'x'; 65_535 - 4].into(), ..Default::default() };
    let mut out = Vec::new();
    assert_eq!(unary(&mut out, HEAD, &meta, ANY, 0, |_: &mut Vec<u8>| {}, &[]), Ok(()));
    let decoded = Decoder::new(Side::Client, MAX_FRAME).decode(&mut BytesMut::from(&out[..]));
    out.clear();
    assert!(
        matches!(decoded, Ok(Some(Frame::Response { meta, .. })) if meta.error_msg.len() == 65_531)
    );

    meta.error_msg = vec![b'x'; 65_535 - 3].into();
    let result = unary(&mut out, HEAD, &meta, ANY, 0, |_: &mut Vec<u8>| unreachable!(), &[]);
    assert_eq!(result, Err(WireError::HeaderTooLarge { size: 65_536, limit: 65_535 }));
    assert!(out.is_empty());
}

#[test]
fn a_header_over_the_limit_that_was_set_is_neither_written_nor_looked_into() {
    let meta = ResponseProtocol { error_msg: vec![b'x'; 2_000].into(), ..Default::default() };
    let mut out = Vec::new();
    let small = Largest { header: 2_002, ..ANY };
    assert_eq!(
        unary(&mut out, HEAD, &meta, small, 0, |_: &mut Vec<u8>| unreachable!(), &[]),
        Err(WireError::HeaderTooLarge { size: 2_003, limit: 2_002 })
    );
    unary(&mut out, HEAD, &meta, Largest { header: 2_003, ..ANY }, 0, |_: &mut Vec<u8>| {}, &[])
        .unwrap();
    init(&mut out, StreamId(100), &InitMeta { init_window_size: 7, ..Default::default() });
    close(
        &mut out,
        StreamId(100),
        &CloseMeta { msg: vec![b'x'; 2_000].into(), ..Default::default() },
    );

    let decoder = Decoder::new(Side::Client, MAX_FRAME).with_max_header(2_002);
    let (frames, error) = drain(decoder, &mut BytesMut::from(&out[..]));
    let why = FrameFault::HeaderTooLarge { size: 2_003, limit: 2_002 };
    assert_eq!(frames[0], Frame::BadUnary { head: HEAD, why: why.clone() });
    assert!(matches!(frames[1], Frame::Init { .. }));
    assert_eq!(frames[2], Frame::BadStream { id: StreamId(100), why });
    assert_eq!((frames.len(), error), (3, None));

    let (frames, error) = drain(decoder.with_max_header(2_003), &mut BytesMut::from(&out[..]));
    assert!(matches!(
        frames[..],
        [Frame::Response { .. }, Frame::Init { .. }, Frame::Close { .. }]
    ));
    assert_eq!(error, None, "a header of exactly the limit is looked into");
}

#[test]
fn a_body_of_another_size_than_announced_leaves_nothing() {
    for written in [0, 3, 5] {
        let body = |out: &mut Vec<u8>| out.extend_from_slice(&b"bodies"[..written]);
        let (result, out) = write_request(&RequestProtocol::default(), MAX_FRAME, 4, body);
        assert_eq!(result, Err(WireError::WrongSize { announced: 4, written }));
        assert_eq!(out, b"before");
    }
}

#[test]
fn a_body_that_panics_leaves_nothing() {
    let mut out = b"before".to_vec();
    let body = |out: &mut Vec<u8>| {
        out.extend_from_slice(b"bo");
        panic!("while encoding");
    };
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        unary(&mut out, HEAD, &RequestProtocol::default(), ANY, 4, body, &[])
    }));
    assert!(panicked.is_err());
    assert_eq!(out, b"before");
}

#[test]
fn frames_follow_each_other_in_one_buffer() {
    let mut out = Vec::new();
    data(&mut out, StreamId(100), 2, |out: &mut Vec<u8>| out.extend_from_slice(b"hi"))
        .expect("it is two bytes");
    feedback(&mut out, StreamId(100), 0);
    close(&mut out, StreamId(100), &CloseMeta::default());
    let mut expected = unhex("093001020000001200000000006400006869");
    expected.extend(unhex("09300103000000100000000000640000"));
    expected.extend(unhex("09300104000000100000000000640000"));
    assert_eq!(hex(&out), hex(&expected));
}
