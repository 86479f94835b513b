//! The frames of HTTP/2 in any bytes.

use crate::framing::Side;
use crate::wires::grpc::http2::frame::{FrameDecoder, FrameViolation, Http2Frame};

use super::choices::Choices;

/// Payloads of more bytes are refused, so that an input reaches the limit.
const MAX: u32 = 600;

/// Decodes the frames of `input`: no prefix of a frame is one, what is missing is known, and what
/// was understood survives being written and read again.
///
/// The first byte chooses the side; the rest is what a peer sends.
///
/// # Panics
/// When one of these promises does not hold.
pub fn frames(input: &[u8]) {
    let mut choices = Choices::new(input);
    let side = if choices.flag() { Side::Client } else { Side::Server };
    let decoder = FrameDecoder::new(side, MAX);
    let mut rest = choices.bytes(usize::MAX);
    loop {
        match decoder.decode(rest) {
            Ok(Some((frame, len))) => {
                assert_eq!(decoder.missing(rest), 0);
                waits_for(decoder, &rest[..len]);
                survives(decoder, &frame);
                rest = &rest[len..];
            }
            Ok(None) => {
                assert!(decoder.missing(rest) > 0, "a decoder that waits knows for how much");
                return;
            }
            Err(violation) => {
                assert_eq!(violation.stream(), None, "{violation} ends the connection");
                return;
            }
        }
    }
}

/// The input of [`frames`] that reads `bytes` as a server or a client does.
#[must_use]
pub fn frames_seed(client: bool, bytes: &[u8]) -> Vec<u8> {
    [&[u8::from(client)], bytes].concat()
}

/// A frame is there with its last byte, and not before.
fn waits_for(decoder: FrameDecoder, frame: &[u8]) {
    for cut in 0..frame.len() {
        assert_eq!(decoder.decode(&frame[..cut]), Ok(None), "cut at {cut}");
        assert!(cut + decoder.missing(&frame[..cut]) <= frame.len(), "cut at {cut}");
    }
}

/// A frame that was understood can be written, and is read as the same frame.
fn survives(decoder: FrameDecoder, frame: &Http2Frame<'_>) {
    if let Http2Frame::Faulty { violation } = frame {
        assert!(violation.stream().is_some(), "{violation} ends a stream");
    }
    let Some(written) = frame.rewrite(MAX) else { return };
    let again = match decoder.decode(&written) {
        Ok(Some((again, len))) if len == written.len() => again,
        other => panic!("{frame:?} was written and not read: {other:?}"),
    };
    assert_eq!(again.rewrite(MAX), Some(written.clone()));
    match (frame, &again) {
        (
            Http2Frame::Data { data, stream, end_stream, .. },
            Http2Frame::Data { data: its, stream: its_stream, end_stream: ends, .. },
        ) => assert_eq!((data, stream, end_stream), (its, its_stream, ends)),
        (
            Http2Frame::Headers { stream, block, violation, .. },
            Http2Frame::Headers { stream: its_stream, block: its, .. },
        ) => {
            assert_eq!((stream, block), (its_stream, its));
            let depends = FrameViolation::DependsOnItself { stream: *stream };
            assert!(violation.is_none_or(|violation| violation == depends));
        }
        (Http2Frame::Settings(settings), Http2Frame::Settings(its)) => {
            assert!(settings.iter().eq(its.iter()));
        }
        _ => assert_eq!(frame, &again),
    }
}
