//! The protobuf headers of frames, made of what a call or stream says, and read as that.

use std::time::Duration;

use bytes::Bytes;
use trill_proto::{
    CloseMeta, InitMeta, InitRequestMeta, InitResponseMeta, RequestProtocol, ResponseProtocol,
};

use crate::framing::{Answer, Head, Outcome};
use crate::wires::input::Opening;

use super::codes::{read_failure, read_refusal, refusal_ret, write_failure};
use super::frame::CallTag;
use super::{metadata, plain};

/// INIT has no field for a deadline, so it travels as metadata. Peers that do not know the key pass
/// it over.
pub(crate) const TIMEOUT_KEY: &str = "trill-timeout-ms";

/// `call_type` of a call that is not answered.
pub(crate) const ONE_WAY: u32 = 1;

/// `close_type` of a CLOSE that breaks the stream off; everything else counts as a normal CLOSE
/// (both peers take it so).
pub(super) const RESET: i32 = 1;

/// The header of a request without metadata.
#[inline]
pub(super) fn plain_request(
    head: &Head,
    id: u32,
    one_way: bool,
    attachment_size: u32,
) -> plain::PlainRequest<&Head> {
    let timeout = head.timeout.map_or(0, milliseconds);
    plain::PlainRequest {
        head,
        request_id: id,
        call_type: call_type(one_way),
        timeout,
        attachment_size,
    }
}

/// The header of a request.
#[inline(never)]
pub(super) fn request(head: Head, id: u32, one_way: bool, attachment_size: u32) -> RequestProtocol {
    RequestProtocol {
        call_type: call_type(one_way),
        request_id: id,
        timeout: head.timeout.map_or(0, milliseconds),
        caller: head.caller,
        callee: head.callee,
        func: head.method,
        message_type: head.message_type,
        trans_info: metadata::entries(head.metadata),
        content_type: head.content_type,
        content_encoding: head.content_encoding,
        attachment_size,
        ..RequestProtocol::default()
    }
}

const fn call_type(one_way: bool) -> u32 {
    if one_way { ONE_WAY } else { 0 }
}

fn milliseconds(timeout: Duration) -> u32 {
    // PROTOCOL 10
    // 0 would mean no limit.
    u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).max(1)
}

#[inline(never)]
pub(super) fn read_request(meta: RequestProtocol) -> Head {
    let mut metadata = metadata::read(meta.trans_info);
    // It is the wire's own, and would be passed on to a stream.
    metadata.remove(TIMEOUT_KEY);
    Head {
        method: meta.func,
        caller: meta.caller,
        callee: meta.callee,
        metadata,
        timeout: plain::duration(meta.timeout),
        content_type: meta.content_type,
        content_encoding: meta.content_encoding,
        message_type: meta.message_type,
    }
}

/// The header of an answer without metadata to a call with this tag. All is well, or other numbers
/// would be in it.
#[inline]
pub(super) fn plain_response(
    tag: CallTag,
    message: &Bytes,
    content_encoding: u32,
    attachment_size: u32,
) -> plain::PlainResponse<&Bytes> {
    plain::PlainResponse {
        request_id: tag.request_id,
        // PROTOCOL 11
        ret: 0,
        func_ret: 0,
        message,
        message_type: tag.message_type,
        // PROTOCOL 35
        content_type: tag.content_type,
        content_encoding,
        attachment_size,
    }
}

/// The header of an answer to a call with this tag.
#[inline(never)]
pub(super) fn response(
    tag: CallTag,
    mut outcome: Outcome,
    content_encoding: u32,
    attachment_size: u32,
) -> ResponseProtocol {
    let codes = write_failure(outcome.failure.as_deref(), &mut outcome.metadata);
    ResponseProtocol {
        request_id: tag.request_id,
        // PROTOCOL 11
        ret: codes.ret.0,
        func_ret: codes.func_ret,
        message_type: tag.message_type,
        trans_info: metadata::entries(outcome.metadata),
        error_msg: outcome.message,
        // PROTOCOL 35
        content_type: tag.content_type,
        content_encoding,
        attachment_size,
        ..ResponseProtocol::default()
    }
}

#[inline(never)]
pub(super) fn read_response(meta: ResponseProtocol, body: Bytes, attachment: Bytes) -> Answer {
    let mut metadata = metadata::read(meta.trans_info);
    let failure = read_failure(meta.ret, meta.func_ret, &mut metadata);
    let outcome = Outcome { failure, message: meta.error_msg, metadata, ..Outcome::default() };
    let (content_type, content_encoding) = (meta.content_type, meta.content_encoding);
    Answer { outcome, body, attachment, content_type, content_encoding }
}

/// The INIT that opens a stream with metadata or a deadline.
pub(super) fn open(head: Head, window: u32) -> InitMeta {
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
            trans_info: metadata::entries(metadata),
        }),
        init_window_size: window,
        content_type: head.content_type,
        content_encoding: head.content_encoding,
        ..InitMeta::default()
    }
}

/// The head and the window in a client's INIT; `None` if it names no method.
#[inline]
pub(super) fn read_open(meta: InitMeta) -> Option<Opening> {
    let request = meta.request_meta?;
    let mut metadata = metadata::read(request.trans_info);
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
    Some(Opening { head, window: meta.init_window_size, more: Vec::new() })
}

/// The INIT that refuses a stream.
// PROTOCOL 15
pub(super) fn refuse(outcome: Outcome) -> InitMeta {
    InitMeta {
        response_meta: Some(InitResponseMeta {
            ret: outcome.failure.as_deref().map_or(0, refusal_ret),
            error_msg: outcome.message,
        }),
        ..InitMeta::default()
    }
}

/// A server's window, or why it refuses the stream. A missing `response_meta` is success (both
/// peers take it so).
#[inline]
pub(super) fn read_opened(meta: InitMeta) -> Result<u32, Outcome> {
    let InitResponseMeta { ret, error_msg } = meta.response_meta.unwrap_or_default();
    if ret == 0 {
        return Ok(meta.init_window_size);
    }
    // PROTOCOL 41
    Err(Outcome::failed(read_refusal(ret, &error_msg), error_msg))
}

/// CLOSE with an outcome.
pub(super) fn close(close_type: i32, mut outcome: Outcome) -> CloseMeta {
    let codes = write_failure(outcome.failure.as_deref(), &mut outcome.metadata);
    CloseMeta {
        close_type,
        ret: codes.ret.0,
        func_ret: codes.func_ret,
        trans_info: metadata::entries(outcome.metadata),
        msg: outcome.message,
        ..CloseMeta::default()
    }
}

#[inline]
pub(super) fn read_close(meta: CloseMeta) -> Outcome {
    let mut metadata = metadata::read(meta.trans_info);
    let failure = read_failure(meta.ret, meta.func_ret, &mut metadata);
    Outcome { failure, message: meta.msg, metadata, ..Outcome::default() }
}
