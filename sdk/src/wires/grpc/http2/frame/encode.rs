//! Frames to bytes.

use super::error::ErrorCode;
use super::header::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, FrameHeader, GOAWAY, HEADER_LEN, HEADERS,
    PING, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use super::settings::Setting;

/// The header of a DATA frame whose `len` bytes follow.
#[inline]
pub(crate) const fn data_header(stream: u32, len: u32, end_stream: bool) -> [u8; HEADER_LEN] {
    let flags = if end_stream { END_STREAM } else { 0 };
    FrameHeader { len, kind: DATA, flags, stream }.to_bytes()
}

/// Appends `bytes` in as many DATA frames as they need, of which the last one may end the stream.
pub(crate) fn data(
    out: &mut Vec<u8>,
    stream: u32,
    bytes: &[u8],
    end_stream: bool,
    max_frame_size: u32,
) {
    let (mut rest, max) = (bytes, max_frame_size as usize);
    out.reserve(bytes.len() + HEADER_LEN * bytes.len().div_ceil(max).max(1));
    loop {
        let part;
        (part, rest) = rest.split_at(rest.len().min(max));
        let is_last = rest.is_empty();
        out.extend_from_slice(&data_header(stream, part.len() as u32, end_stream && is_last));
        out.extend_from_slice(part);
        if is_last {
            return;
        }
    }
}

/// Appends a block in HEADERS, and in CONTINUATION where it is longer than a frame. `write` appends
/// the block.
#[inline]
pub(crate) fn headers(
    out: &mut Vec<u8>,
    stream: u32,
    end_stream: bool,
    max_frame_size: u32,
    write: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_LEN]);
    write(out);
    let (len, end) = (out.len() - start - HEADER_LEN, if end_stream { END_STREAM } else { 0 });
    if len > max_frame_size as usize {
        return continued(out, start, stream, end, max_frame_size as usize);
    }
    let flags = END_HEADERS | end;
    let header = FrameHeader { len: len as u32, kind: HEADERS, flags, stream };
    out[start..start + HEADER_LEN].copy_from_slice(&header.to_bytes());
}

/// Cuts the block behind `start` into frames.
#[cold]
fn continued(out: &mut Vec<u8>, start: usize, stream: u32, end: u8, max: usize) {
    let block = out.split_off(start + HEADER_LEN);
    out.truncate(start);
    let count = block.len().div_ceil(max);
    for (number, part) in block.chunks(max).enumerate() {
        let kind = if number == 0 { HEADERS } else { CONTINUATION };
        let first = if number == 0 { end } else { 0 };
        let last = if number + 1 == count { END_HEADERS } else { 0 };
        let header = FrameHeader { len: part.len() as u32, kind, flags: first | last, stream };
        out.extend_from_slice(&header.to_bytes());
        out.extend_from_slice(part);
    }
}

pub(crate) fn rst_stream(out: &mut Vec<u8>, stream: u32, code: ErrorCode) {
    append(out, RST_STREAM, 0, stream, &code.0.to_be_bytes());
}

pub(crate) fn settings(out: &mut Vec<u8>, settings: &[Setting]) {
    let payload: Vec<_> = settings.iter().flat_map(|setting| setting.to_bytes()).collect();
    append(out, SETTINGS, 0, 0, &payload);
}

pub(crate) fn settings_ack(out: &mut Vec<u8>) {
    append(out, SETTINGS, ACK, 0, &[]);
}

pub(crate) fn ping(out: &mut Vec<u8>, is_ack: bool, payload: [u8; 8]) {
    append(out, PING, if is_ack { ACK } else { 0 }, 0, &payload);
}

/// Appends GOAWAY. The text is for people, and cut where a frame that every peer takes would end.
pub(crate) fn goaway(out: &mut Vec<u8>, last_stream: u32, code: ErrorCode, text: &str) {
    let text = &text.as_bytes()[..text.len().min(MAX_GOAWAY_TEXT)];
    let payload = [&last_stream.to_be_bytes()[..], &code.0.to_be_bytes(), text].concat();
    append(out, GOAWAY, 0, 0, &payload);
}

/// More than anybody reads.
const MAX_GOAWAY_TEXT: usize = 1024;

pub(crate) fn window_update(out: &mut Vec<u8>, stream: u32, increment: u32) {
    append(out, WINDOW_UPDATE, 0, stream, &increment.to_be_bytes());
}

/// Appends a frame whose payload is short.
fn append(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let header = FrameHeader { len: payload.len() as u32, kind, flags, stream };
    out.extend_from_slice(&header.to_bytes());
    out.extend_from_slice(payload);
}
