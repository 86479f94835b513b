//! Frames to bytes.

use bytes::{BufMut, BytesMut};
use prost::Message;
use trill_proto::{RequestProtocol, ResponseProtocol, TrpcStreamFeedBackMeta};

use super::error::WireError;
use super::frame::{CloseMeta, InitMeta, UnaryHead};
use super::header::{HEADER_LEN, Header, UNARY};
use super::id::StreamId;

pub(super) const INIT: u8 = 1;
pub(super) const DATA: u8 = 2;
pub(super) const FEEDBACK: u8 = 3;
pub(super) const CLOSE: u8 = 4;

/// Appends DATA with `len` bytes of payload, which `write` appends.
#[inline]
pub(crate) fn data(out: &mut BytesMut, id: StreamId, len: usize, write: impl FnOnce(&mut BytesMut)) {
    out.reserve(HEADER_LEN + len);
    Header::stream(DATA, id.0, len).write(out);
    write(out);
}

pub(crate) fn init(out: &mut BytesMut, id: StreamId, meta: &InitMeta) {
    stream(out, INIT, id, meta);
}

pub(crate) fn feedback(out: &mut BytesMut, id: StreamId, increment: u32) {
    stream(out, FEEDBACK, id, &TrpcStreamFeedBackMeta { window_size_increment: increment });
}

pub(crate) fn close(out: &mut BytesMut, id: StreamId, meta: &CloseMeta) {
    stream(out, CLOSE, id, meta);
}

/// Appends a request of `body_len` bytes, which `write_body` appends. Nothing is written if the frame is over `limit`.
pub(crate) fn request(
    out: &mut BytesMut,
    head: UnaryHead,
    meta: &RequestProtocol,
    limit: usize,
    body_len: usize,
    write_body: impl FnOnce(&mut BytesMut),
    attachment: &[u8],
) -> Result<(), WireError> {
    unary(out, head, meta, limit, body_len, write_body, attachment)
}

/// Appends an answer of `body_len` bytes, which `write_body` appends. Nothing is written if the frame is over `limit`.
pub(crate) fn response(
    out: &mut BytesMut,
    head: UnaryHead,
    meta: &ResponseProtocol,
    limit: usize,
    body_len: usize,
    write_body: impl FnOnce(&mut BytesMut),
    attachment: &[u8],
) -> Result<(), WireError> {
    unary(out, head, meta, limit, body_len, write_body, attachment)
}

fn unary(
    out: &mut BytesMut,
    head: UnaryHead,
    meta: &impl Message,
    limit: usize,
    body_len: usize,
    write_body: impl FnOnce(&mut BytesMut),
    attachment: &[u8],
) -> Result<(), WireError> {
    let header_size = meta.encoded_len();
    if header_size > usize::from(u16::MAX) {
        return Err(WireError::HeaderTooLarge { size: header_size, limit: u16::MAX.into() });
    }
    let total_size = HEADER_LEN + header_size + body_len + attachment.len();
    if total_size > limit {
        return Err(WireError::FrameTooLarge { size: total_size, limit });
    }
    let UnaryHead { id, version, reserved } = head;
    out.reserve(total_size);
    Header { frame_type: UNARY, kind: 0, total_size, header_size, id, version, reserved }.write(out);
    meta.encode_raw(out);
    write_body(out);
    out.put_slice(attachment);
    Ok(())
}

fn stream(out: &mut BytesMut, kind: u8, id: StreamId, meta: &impl Message) {
    let len = meta.encoded_len();
    out.reserve(HEADER_LEN + len);
    Header::stream(kind, id.0, len).write(out);
    meta.encode_raw(out);
}
