//! The things that can happen to a stream, by name, and the frames that a peer sends for them.

use crate::conn::tests::frames::{
    ID, bare_init, bytes, close, data, data_of, feedback, garbage, init, init_answer, init_for,
    unknown_kind,
};
use crate::conn::tests::pair::{STREAM, UNARY};
use crate::wires::trpc::{self as wire, CloseMeta, UnaryHead};
use trill_proto::{RequestProtocol, ResponseProtocol};

pub(super) const CLIENT_EVENTS: &[&str] = &[
    "INIT, accepted",
    "INIT, refused with 12",
    "INIT without a meta",
    "DATA",
    "DATA, half a window",
    "FEEDBACK",
    "FEEDBACK of 0",
    "CLOSE",
    "CLOSE with 7",
    "CLOSE of type 2",
    "RESET with 7",
    "RESET without a code",
    "RESET that overtakes the end (tRPC-Go)",
    "a frame of unknown kind",
    "an INIT that is garbage",
    "a unary answer with this id",
    "a unary answer with this id that is garbage",
    "opened?",
    "write",
    "read",
    "finish",
    "reset",
    "drop the reader",
    "drop",
    "open timeout",
    SILENCE,
    "deadline",
    "connection lost",
];

pub(super) const SERVER_EVENTS: &[&str] = &[
    "INIT",
    "INIT for no method",
    "INIT without a meta",
    "INIT without flow control",
    "DATA",
    "DATA, half a window",
    "FEEDBACK",
    "FEEDBACK of 0",
    "CLOSE",
    "CLOSE with 7",
    "CLOSE of type 2",
    "RESET with 7",
    "RESET without a code",
    "a frame of unknown kind",
    "an INIT that is garbage",
    "a unary request with this id",
    "a unary request with this id that is garbage",
    "write",
    "read",
    "need no more input",
    "end well",
    "end with an error",
    "reset",
    "drop the reader",
    "drop",
    "drain",
    "shut down",
    SILENCE,
    "deadline",
    "connection lost",
];

pub(super) const SILENCE: &str = "no message for too long";

/// The frames that the peer sends; `None`: the event is not the peer's.
pub(super) fn frame(event: &str) -> Option<Vec<u8>> {
    let close_with = |meta: CloseMeta| bytes(|out| wire::close(out, ID, &meta));
    Some(match event {
        "INIT" => init(),
        "INIT, accepted" => init_answer(0),
        "INIT, refused with 12" => init_answer(12),
        "INIT without a meta" => bare_init(),
        "INIT for no method" => init_for(UNARY, 65_535),
        "INIT without flow control" => init_for(STREAM, 0),
        "DATA" => data(),
        "DATA, half a window" => data_of(32_768),
        "FEEDBACK" => feedback(),
        "FEEDBACK of 0" => bytes(|out| wire::feedback(out, ID, 0)),
        "CLOSE" => close(0, 0),
        "CLOSE with 7" => close_with(CloseMeta { func_ret: 7, ..Default::default() }),
        "CLOSE of type 2" => close(2, 0),
        "RESET with 7" => close(1, 7),
        "RESET without a code" => close(1, 0),
        "RESET that overtakes the end (tRPC-Go)" => close_with(CloseMeta {
            close_type: 1,
            ret: 1,
            msg: "uninitialized meta".into(),
            ..Default::default()
        }),
        "a frame of unknown kind" => unknown_kind(),
        "an INIT that is garbage" => garbage(),
        "a unary request with this id" => {
            let meta =
                RequestProtocol { request_id: 100, func: UNARY.into(), ..Default::default() };
            bytes(|out| {
                wire::unary(out, unary_head(), &meta, wire::ANY, 0, |_: &mut Vec<u8>| {}, &[])
                    .unwrap();
            })
        }
        "a unary answer with this id" => {
            let meta = ResponseProtocol { request_id: 100, ..Default::default() };
            bytes(|out| {
                wire::unary(out, unary_head(), &meta, wire::ANY, 0, |_: &mut Vec<u8>| {}, &[])
                    .unwrap();
            })
        }
        "a unary request with this id that is garbage"
        | "a unary answer with this id that is garbage" => {
            let mut frame = garbage();
            (frame[2], frame[9]) = (0, 4);
            frame
        }
        _ => return None,
    })
}

fn unary_head() -> UnaryHead {
    UnaryHead { id: 100, version: 1, reserved: 0 }
}
