//! A frame in the words of the golden files.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use trill_proto::{RequestProtocol, ResponseProtocol, TransInfoEntry};

use super::*;
use crate::wires::trpc::header::Header;

/// Describes a frame that was read from `bytes[at..]`, with every field the golden files name.
pub(super) fn describe(frame: &Frame, bytes: &[u8], at: usize) -> Value {
    let fixed = bytes[at..].first_chunk().expect("the frame is there");
    let header = Header::from_bytes(fixed, MAX_FRAME).expect("the frame was read");
    assert_eq!(&header.to_bytes(), fixed, "the fixed header is written as it was read");
    let len = header.total_size as usize;
    let mut described = json!({
        "at": at,
        "len": len,
        "head": {
            "frame_type": header.frame_type as u8,
            "stream_frame_type": header.kind,
            "total_size": header.total_size,
            "header_size": header.header_size,
            "stream_id": header.id,
            "version": header.version,
            "reserved": header.reserved,
        },
    });
    extend(&mut described, contents(frame, &header, at));
    described
}

/// The fields of a frame beside its fixed header.
fn contents(frame: &Frame, header: &Header, at: usize) -> Value {
    let start = at + HEADER_LEN;
    let behind_meta = start + usize::from(header.header_size);
    match frame {
        Frame::Request { head, meta, body, attachment } => {
            assert_eq!(
                (head.id, head.version, head.reserved),
                (header.id, header.version, header.reserved)
            );
            json!({
                "kind": "unary_request",
                "meta": request_meta(meta),
                "body": bytes_at(body, behind_meta),
                "attachment": bytes_at(attachment, behind_meta + body.len()),
            })
        }
        Frame::Response { head, meta, body, attachment } => {
            assert_eq!(
                (head.id, head.version, head.reserved),
                (header.id, header.version, header.reserved)
            );
            json!({
                "kind": "unary_response",
                "meta": response_meta(meta),
                "body": bytes_at(body, behind_meta),
                "attachment": bytes_at(attachment, behind_meta + body.len()),
            })
        }
        Frame::Init { id, meta } => {
            assert_eq!(id.0, u64::from(header.id));
            json!({ "kind": "init", "meta": init_meta(meta) })
        }
        Frame::Data { id, messages } => {
            assert_eq!(id.0, u64::from(header.id));
            json!({ "kind": "data", "body": bytes_at(&messages.first(), start) })
        }
        Frame::Feedback { id, increment } => {
            assert_eq!(id.0, u64::from(header.id));
            json!({ "kind": "feedback", "meta": { "window_size_increment": increment } })
        }
        Frame::Close { id, meta } => {
            assert_eq!(id.0, u64::from(header.id));
            json!({ "kind": "close", "meta": close_meta(meta) })
        }
        Frame::BadUnary { why, .. } | Frame::BadStream { why, .. } => {
            json!({ "fault": why.to_string() })
        }
    }
}

fn request_meta(meta: &RequestProtocol) -> Value {
    let mut described = json!({
        "version": meta.version,
        "call_type": meta.call_type,
        "request_id": meta.request_id,
        "timeout": meta.timeout,
        "message_type": meta.message_type,
        "trans_info": trans_info(&meta.trans_info),
        "content_type": meta.content_type,
        "content_encoding": meta.content_encoding,
        "attachment_size": meta.attachment_size,
    });
    extend(&mut described, text("caller", &meta.caller));
    extend(&mut described, text("callee", &meta.callee));
    extend(&mut described, text("func", &meta.func));
    described
}

fn response_meta(meta: &ResponseProtocol) -> Value {
    let mut described = json!({
        "version": meta.version,
        "call_type": meta.call_type,
        "request_id": meta.request_id,
        "ret": meta.ret,
        "func_ret": meta.func_ret,
        "message_type": meta.message_type,
        "trans_info": trans_info(&meta.trans_info),
        "content_type": meta.content_type,
        "content_encoding": meta.content_encoding,
        "attachment_size": meta.attachment_size,
    });
    extend(&mut described, text("error_msg", &meta.error_msg));
    described
}

fn init_meta(meta: &InitMeta) -> Value {
    let request_meta = meta.request_meta.as_ref().map(|meta| {
        let mut described =
            json!({ "message_type": meta.message_type, "trans_info": trans_info(&meta.trans_info) });
        extend(&mut described, text("caller", &meta.caller));
        extend(&mut described, text("callee", &meta.callee));
        extend(&mut described, text("func", &meta.func));
        described
    });
    let response_meta = meta.response_meta.as_ref().map(|meta| {
        let mut described = json!({ "ret": meta.ret });
        extend(&mut described, text("error_msg", &meta.error_msg));
        described
    });
    json!({
        "request_meta": request_meta,
        "response_meta": response_meta,
        "init_window_size": meta.init_window_size,
        "content_type": meta.content_type,
        "content_encoding": meta.content_encoding,
    })
}

fn close_meta(meta: &CloseMeta) -> Value {
    let mut described = json!({
        "close_type": meta.close_type,
        "ret": meta.ret,
        "message_type": meta.message_type,
        "trans_info": trans_info(&meta.trans_info),
        "func_ret": meta.func_ret,
    });
    extend(&mut described, text("msg", &meta.msg));
    described
}

/// The golden files speak of a map: keys ascending, the last of equal keys.
fn trans_info(entries: &[TransInfoEntry]) -> Value {
    let map: BTreeMap<&str, &[u8]> =
        entries.iter().map(|entry| (entry.key(), entry.value())).collect();
    map.into_iter().map(|(key, value)| json!({ "key": key, "value_hex": hex(value) })).collect()
}

/// Bytes as text where they are, and always in hexadecimal.
fn text(name: &str, bytes: &Bytes) -> Value {
    let text = std::str::from_utf8(bytes).ok();
    json!({ name: text, format!("{name}_hex"): hex(bytes) })
}

/// The golden files print only short payloads.
fn bytes_at(bytes: &Bytes, at: usize) -> Value {
    if bytes.len() > 256 {
        json!({ "at": at, "len": bytes.len() })
    } else {
        json!({ "at": at, "len": bytes.len(), "hex": hex(bytes) })
    }
}

fn extend(object: &mut Value, fields: Value) {
    let (Value::Object(object), Value::Object(fields)) = (object, fields) else {
        panic!("objects only")
    };
    object.extend(fields);
}
