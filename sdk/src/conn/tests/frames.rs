//! Frames that a peer writes on one stream, good and bad.

use crate::framing::StreamId;
use crate::wires::trpc::{self as wire, CloseMeta, InitMeta, InitRequestMeta, InitResponseMeta};

use super::pair::STREAM;

/// The stream of all frames here.
pub(super) const ID: StreamId = StreamId(100);

pub(super) fn bytes(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

pub(super) fn init() -> Vec<u8> {
    init_for(STREAM, 65_535)
}

pub(super) fn init_for(method: &'static str, window: u32) -> Vec<u8> {
    let request_meta = InitRequestMeta { func: method.into(), ..Default::default() };
    let meta = InitMeta {
        request_meta: Some(request_meta),
        init_window_size: window,
        ..Default::default()
    };
    bytes(|out| wire::init(out, ID, &meta))
}

pub(super) fn init_answer(ret: i32) -> Vec<u8> {
    let response_meta = InitResponseMeta { ret, ..Default::default() };
    let meta = InitMeta {
        response_meta: Some(response_meta),
        init_window_size: 65_535,
        ..Default::default()
    };
    bytes(|out| wire::init(out, ID, &meta))
}

/// An INIT that says neither what is called nor what the answer is.
pub(super) fn bare_init() -> Vec<u8> {
    bytes(|out| wire::init(out, ID, &InitMeta { init_window_size: 65_535, ..Default::default() }))
}

pub(super) fn data() -> Vec<u8> {
    data_of(1)
}

pub(super) fn data_of(len: usize) -> Vec<u8> {
    bytes(|out| {
        wire::data(out, ID, len, |out: &mut Vec<u8>| out.resize(out.len() + len, b'x')).unwrap();
    })
}

pub(super) fn feedback() -> Vec<u8> {
    bytes(|out| wire::feedback(out, ID, 5))
}

pub(super) fn close(close_type: i32, ret: i32) -> Vec<u8> {
    bytes(|out| wire::close(out, ID, &CloseMeta { close_type, ret, ..Default::default() }))
}

pub(super) fn unknown_kind() -> Vec<u8> {
    let mut frame = data();
    frame[3] = 5;
    frame
}

/// An INIT whose inside is no protobuf.
pub(super) fn garbage() -> Vec<u8> {
    let mut garbage = init();
    garbage.truncate(20);
    garbage[7] = 20;
    garbage[16..].fill(0xff);
    garbage
}
