//! INIT: what a stream's two sides tell each other before the first message.

use std::time::Duration;

use bytes::Bytes;

use crate::wires::trpc::{self as wire, InitMeta, InitRequestMeta, InitResponseMeta};

use super::event::{Head, Outcome};

/// INIT has no field for a deadline, so it travels as metadata. Peers that do not know the key pass
/// it over.
pub(super) const TIMEOUT_KEY: &str = "trill-timeout-ms";

/// The INIT that opens a stream.
pub(super) fn request(head: Head, window: u32) -> InitMeta {
    let mut metadata = head.metadata;
    if let Some(timeout) = head.timeout {
        // PROTOCOL 18
        // 0 would be over before it begins.
        metadata.put(TIMEOUT_KEY, timeout.as_millis().max(1).to_string());
    }
    InitMeta {
        // PROTOCOL 14
        request_meta: Some(InitRequestMeta {
            caller: head.caller,
            callee: head.callee,
            func: head.method,
            message_type: head.message_type,
            trans_info: wire::entries(metadata),
        }),
        init_window_size: window,
        content_type: head.content_type,
        content_encoding: head.content_encoding,
        ..InitMeta::default()
    }
}

/// The INIT that accepts a stream. `response_meta` is always there, empty (both peers do it so).
// PROTOCOL 15
pub(super) fn accept(window: u32, content_type: u32) -> InitMeta {
    InitMeta {
        response_meta: Some(InitResponseMeta::default()),
        init_window_size: window,
        content_type,
        ..InitMeta::default()
    }
}

/// The INIT that refuses a stream.
// PROTOCOL 15
pub(super) fn refuse(outcome: Outcome) -> InitMeta {
    InitMeta {
        response_meta: Some(InitResponseMeta { ret: outcome.ret, error_msg: outcome.message }),
        ..InitMeta::default()
    }
}

/// The contents of a client's INIT: the head of the call and the client's window.
pub(super) fn read_request(meta: InitMeta) -> Option<(Head, u32)> {
    let request = meta.request_meta?;
    let mut metadata = wire::read_metadata(request.trans_info);
    let timeout = metadata
        .remove(TIMEOUT_KEY)
        .and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok())
        .map(Duration::from_millis);
    let head = Head {
        method: request.func,
        caller: request.caller,
        callee: request.callee,
        metadata,
        timeout,
        content_type: meta.content_type,
        content_encoding: meta.content_encoding,
        message_type: request.message_type,
    };
    Some((head, meta.init_window_size))
}

/// The contents of a server's INIT: its window, or why not. A missing `response_meta` is success
/// (both peers take it so).
pub(super) fn read_answer(meta: InitMeta) -> Result<u32, Outcome> {
    let InitResponseMeta { ret, error_msg } = meta.response_meta.unwrap_or_default();
    if ret == 0 { Ok(meta.init_window_size) } else { Err(Outcome::framework(ret, error_msg)) }
}

/// The refusal of a stream whose INIT names no method.
pub(super) fn no_request_meta() -> Outcome {
    Outcome::framework(
        trill_proto::Code::SERVER_NOFUNC_ERR.0,
        Bytes::from_static(b"INIT without request_meta: it names no method"),
    )
}
