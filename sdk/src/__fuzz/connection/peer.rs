//! The frames of a peer that sends anything.

use crate::__fuzz::choices::Choices;
use crate::__fuzz::end::{STREAM, UNARY};
use crate::framing::{Side, StreamId};
use crate::wires::trpc::{
    self as wire, CloseMeta, InitMeta, InitRequestMeta, InitResponseMeta, UnaryHead,
};
use trill_proto::{RequestProtocol, ResponseProtocol, TransInfoEntry};

/// A frame that a peer of `side` may send, or nearly so.
pub(super) fn frame(side: Side, choices: &mut Choices<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let id = StreamId(100 + u64::from(choices.byte() % 8));
    match (choices.below(9), side) {
        (0, _) => {
            let window = choices.one_of(&[65_535, 0, 10, u32::MAX]);
            wire::init(&mut out, id, &init(side, window, choices));
        }
        (1 | 2, _) => {
            for _ in 0..=choices.below(4) {
                let len = choices.one_of(&[0, 1, 20, 5_000, 60_000]);
                wire::data(&mut out, id, len, |out: &mut Vec<u8>| out.resize(out.len() + len, 1))
                    .expect("the right size");
            }
        }
        (3, _) => wire::feedback(&mut out, id, choices.one_of(&[1, 0, 16, 65_535, u32::MAX])),
        (4 | 5, _) => {
            let (close_type, ret) =
                (choices.one_of(&[0, 1, 2, -1]), choices.one_of(&[0, 0, 1, 161]));
            let func_ret = choices.one_of(&[0, 0, 7, -7]);
            let msg = choices.one_of(&["", "uninitialized meta"]).into();
            wire::close(
                &mut out,
                id,
                &CloseMeta { close_type, ret, func_ret, msg, ..Default::default() },
            );
        }
        (6, _) => call(&mut out, side, choices),
        _ => garbage(&mut out, id, choices),
    }
    out
}

/// A request, or an answer.
fn call(out: &mut Vec<u8>, side: Side, choices: &mut Choices<'_>) {
    if side == Side::Server {
        let meta = RequestProtocol {
            version: 1,
            request_id: choices.byte().into(),
            call_type: choices.byte().into(),
            timeout: choices.one_of(&[0, 5, 50_000, u32::MAX]),
            func: choices.one_of(&[UNARY, STREAM]).into(),
            ..Default::default()
        };
        unary(out, choices, |out, head, body| {
            let write = |out: &mut Vec<u8>| out.extend_from_slice(body);
            wire::unary(out, head, &meta, wire::ANY, body.len(), write, &[])
        });
    } else {
        let meta = ResponseProtocol {
            request_id: choices.byte().into(),
            ret: choices.byte().into(),
            ..Default::default()
        };
        unary(out, choices, |out, head, body| {
            let write = |out: &mut Vec<u8>| out.extend_from_slice(body);
            wire::unary(out, head, &meta, wire::ANY, body.len(), write, &[])
        });
    }
}

/// A frame of the right size with anything inside.
fn garbage(out: &mut Vec<u8>, id: StreamId, choices: &mut Choices<'_>) {
    let payload = choices.byte().into();
    let payload = choices.bytes(payload);
    let size = u8::try_from(wire::HEADER_LEN + payload.len()).unwrap_or(u8::MAX);
    let header_size = choices.byte().min(size - 16);
    let (frame_type, kind) = (choices.below(2) as u8, choices.byte());
    out.extend([0x09, 0x30, frame_type, kind, 0, 0, 0, size]);
    out.extend([0, header_size, 0, 0, 0, id.0 as u8, 0, 0]);
    out.extend_from_slice(&payload[..usize::from(size) - wire::HEADER_LEN]);
}

fn unary(
    out: &mut Vec<u8>,
    choices: &mut Choices<'_>,
    write: impl FnOnce(&mut Vec<u8>, UnaryHead, &[u8]) -> Result<(), wire::WireError>,
) {
    let head = UnaryHead { id: choices.byte().into(), version: 1, reserved: 0 };
    let len = choices.byte().into();
    write(out, head, choices.bytes(len)).expect("it is small");
}

fn init(side: Side, window: u32, choices: &mut Choices<'_>) -> InitMeta {
    let mut meta = InitMeta { init_window_size: window, ..Default::default() };
    match (side, choices.below(8)) {
        (_, 7) => {}
        (Side::Server, which) => {
            let timeout = choices.one_of(&["", "5", "50000", "18446744073709551615", "x"]);
            let trans_info = (!timeout.is_empty())
                .then(|| TransInfoEntry::new("trill-timeout-ms", timeout))
                .into_iter()
                .collect();
            let func = if which == 6 { UNARY } else { STREAM }.into();
            meta.request_meta = Some(InitRequestMeta { func, trans_info, ..Default::default() });
        }
        (Side::Client, which) => {
            let ret = if which == 6 { 12 } else { 0 };
            meta.response_meta = Some(InitResponseMeta { ret, ..Default::default() });
        }
    }
    meta
}
