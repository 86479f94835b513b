//! Golden bytes, malformed bytes, conversations recorded from another implementation, and round
//! trips.
//!
//! The golden files were made by encoders independent of this crate; they lie in `tests/vectors/`
//! of the workspace.

mod begun;
mod captures;
mod codes;
mod describe;
mod encoding;
mod invalid;
mod plain;
mod plain_init;
mod round_trip;
mod runs;
mod valid;

use bytes::BytesMut;

use crate::golden::{unhex, vectors};

use super::error::FrameFault;
use super::*;

/// The limit on received frames unless a case names another.
const MAX_FRAME: usize = 10 * 1024 * 1024;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Takes what is there out of a buffer: the frames, and the error that ends the connection.
fn drain(decoder: Decoder, buf: &mut BytesMut) -> (Vec<Frame>, Option<WireError>) {
    let mut frames = Vec::new();
    loop {
        match decoder.decode(buf) {
            Ok(Some(Frame::Data { id, messages })) => {
                frames.extend(
                    messages.singles().into_iter().map(|messages| Frame::Data { id, messages }),
                );
            }
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error)),
        }
    }
}

/// Feeds `bytes` in pieces that end at `cuts`, decoding after each; the frames, the error, and what
/// is left.
fn feed(
    decoder: Decoder,
    bytes: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> (Vec<Frame>, Option<WireError>, BytesMut) {
    let (mut frames, mut buf, mut from) = (Vec::new(), BytesMut::new(), 0);
    for to in cuts.into_iter().chain([bytes.len()]) {
        buf.extend_from_slice(&bytes[from..to]);
        let (more, error) = drain(decoder, &mut buf);
        frames.extend(more);
        if error.is_some() {
            return (frames, error, buf);
        }
        let missing = decoder.missing(&buf);
        assert!(
            (1..=MAX_FRAME).contains(&missing),
            "a decoder that waits knows for how much, not {missing}"
        );
        from = to;
    }
    (frames, None, buf)
}

/// Writes a frame as it was read.
fn encode(frame: &Frame) -> BytesMut {
    BytesMut::from(&frame.rewrite().expect("within the limits")[..])
}

fn is_good(frame: &Frame) -> bool {
    !matches!(frame, Frame::BadUnary { .. } | Frame::BadStream { .. })
}
