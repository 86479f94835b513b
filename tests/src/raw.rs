//! Frames by hand, for peers that do what Trill never does.

use trill::prost::Message;
use trill_proto::{CloseMeta, CloseType, FeedbackMeta, InitMeta, InitRequestMeta, RequestProtocol};

use crate::text;

/// The kinds of frames of streams.
const INIT: u8 = 1;
const DATA: u8 = 2;
const FEEDBACK: u8 = 3;
const CLOSE: u8 = 4;

/// A request to open a stream to a method of `Everything`, such as `Talk`.
#[must_use]
pub fn init(id: u32, method: &str, window: u32) -> Vec<u8> {
    let func = format!("/test.all.Everything/{method}").into();
    let request = InitRequestMeta { func, ..Default::default() };
    let meta = InitMeta { request_meta: Some(request), init_window_size: window, ..Default::default() };
    stream(INIT, id, &meta.encode_to_vec())
}

/// A message with a text.
#[must_use]
pub fn data(id: u32, message: &str) -> Vec<u8> {
    stream(DATA, id, &text(message).encode_to_vec())
}

/// Credit.
#[must_use]
pub fn feedback(id: u32, bytes: u32) -> Vec<u8> {
    stream(FEEDBACK, id, &FeedbackMeta { window_size_increment: bytes }.encode_to_vec())
}

/// A half-close.
#[must_use]
pub fn close(id: u32) -> Vec<u8> {
    stream(CLOSE, id, &CloseMeta::default().encode_to_vec())
}

/// The end of a stream with a code.
#[must_use]
pub fn reset(id: u32, code: i32) -> Vec<u8> {
    let meta = CloseMeta { close_type: CloseType::Reset as i32, ret: code, ..Default::default() };
    stream(CLOSE, id, &meta.encode_to_vec())
}

/// A unary call of a method of `Everything`, such as `Unary`.
#[must_use]
pub fn call(id: u32, method: &str, message: &str) -> Vec<u8> {
    let func = format!("/test.all.Everything/{method}").into();
    let meta = RequestProtocol { request_id: id, func, ..Default::default() }.encode_to_vec();
    let header = u16::try_from(meta.len()).expect("names are short");
    let mut frame = frame(0, 0, id, header, &meta, &text(message).encode_to_vec());
    // The version that clients put there.
    frame[14] = 1;
    frame
}

/// The fixed header of a frame that claims to be so large.
#[must_use]
pub fn claim(size: u32, id: u32) -> Vec<u8> {
    let mut head = stream(DATA, id, &[]);
    head[4..8].copy_from_slice(&size.to_be_bytes());
    head
}

fn stream(kind: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    frame(1, kind, id, 0, &[], payload)
}

fn frame(frame_type: u8, kind: u8, id: u32, header: u16, meta: &[u8], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(16 + meta.len() + body.len()).expect("a frame is far below 4 GiB");
    let mut frame = vec![0x09, 0x30, frame_type, kind];
    frame.extend(size.to_be_bytes());
    frame.extend(header.to_be_bytes());
    frame.extend(id.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(meta);
    frame.extend(body);
    frame
}
