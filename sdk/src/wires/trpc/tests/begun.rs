//! The news of a frame before it is there whole.

use bytes::Bytes;
use trill_proto::{RequestProtocol, ResponseProtocol};

use crate::framing::Side;

use crate::wires::{self, Begun};

use super::*;

const HEAD: UnaryHead = UnaryHead { id: 7, version: 1, reserved: 0 };

fn begun(request_id: u32, one_way: bool) -> Begun {
    let tag = CallTag { request_id, ..CallTag::of(HEAD) };
    Begun::Call { tag: wires::CallTag::Trpc(tag), one_way }
}

/// The first part of a call or an answer, as far as its protobuf header goes, and how large it is.
fn unary(side: Side, request_id: u32, call_type: u32) -> (Vec<u8>, usize) {
    let (body, attachment) = (Bytes::from_static(b"body"), Bytes::new());
    let frame = match side {
        Side::Server => {
            let meta = RequestProtocol { request_id, call_type, ..Default::default() };
            Frame::Request { head: HEAD, meta, body, attachment }
        }
        Side::Client => {
            let meta = ResponseProtocol { request_id, call_type, ..Default::default() };
            Frame::Response { head: HEAD, meta, body, attachment }
        }
    };
    let mut bytes = encode(&frame).to_vec();
    let size = bytes.len();
    bytes.truncate(size - 4);
    (bytes, size)
}

#[test]
fn the_protobuf_header_of_a_call_says_which_it_is_as_soon_as_it_is_there() {
    for (side, call_type, one_way) in [
        (Side::Server, 0, false),
        (Side::Server, 1, true),
        (Side::Client, 0, false),
        (Side::Client, 1, false),
    ] {
        let (bytes, size) = unary(side, 9, call_type);
        let decoder = Decoder::new(side, MAX_FRAME);
        let of = begun(9, one_way);
        assert_eq!(decoder.begun(&bytes), Some((of, size)), "{side:?} {call_type}");
        assert_eq!(decoder.begun(&bytes[..bytes.len() - 1]), None, "{side:?} {call_type}");
    }
}

#[test]
fn a_protobuf_header_that_is_too_large_is_not_looked_into() {
    for side in [Side::Server, Side::Client] {
        let (bytes, size) = unary(side, 9, 1);
        let len = bytes.len() - HEADER_LEN;
        for (max_header, request_id) in [(len + 1, 9), (len, 9), (len - 1, 7)] {
            let decoder = Decoder::new(side, MAX_FRAME).with_max_header(max_header);
            let one_way = side == Side::Server && request_id == 9;
            let of = begun(request_id, one_way);
            assert_eq!(decoder.begun(&bytes), Some((of, size)), "{side:?}, at most {max_header}");
        }
    }
}
