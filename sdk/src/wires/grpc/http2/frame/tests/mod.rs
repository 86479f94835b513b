//! Golden frames of another implementation, malformed ones with their verdicts, and round trips.

mod encoding;
mod invalid;
mod valid;

use serde_json::{Value, json};

use crate::framing::Side;

use super::{FrameDecoder, Http2Frame};

/// The largest payload that is allowed unless a case says otherwise.
const MAX: u32 = 16_384;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decoder(side: Side) -> FrameDecoder {
    FrameDecoder::new(side, MAX)
}

/// The only frame in `bytes`.
fn single(bytes: &[u8]) -> Http2Frame<'_> {
    let found = decoder(Side::Client).decode(bytes).expect("it breaks no rule of the connection");
    let (frame, len) = found.expect("it is whole");
    assert_eq!(len, bytes.len(), "{frame:?}");
    frame
}

/// A frame as the golden files have it.
fn described(frame: &Http2Frame<'_>) -> Value {
    match *frame {
        Http2Frame::Data { stream, data, flow_len, end_stream } => json!({
            "type": "DATA", "stream": stream, "data": hex(data), "flow_len": flow_len,
            "end_stream": end_stream,
        }),
        Http2Frame::Headers { stream, block, end_headers, end_stream, violation } => json!({
            "type": "HEADERS", "stream": stream, "block": hex(block), "end_headers": end_headers,
            "end_stream": end_stream, "violation": violation.map(|violation| violation.to_string()),
        }),
        Http2Frame::Priority { stream } => json!({ "type": "PRIORITY", "stream": stream }),
        Http2Frame::RstStream { stream, code } => {
            json!({ "type": "RST_STREAM", "stream": stream, "code": code.to_string() })
        }
        Http2Frame::Settings(settings) => {
            let settings: Vec<_> = settings.iter().map(|one| format!("{one:?}")).collect();
            json!({ "type": "SETTINGS", "settings": settings })
        }
        Http2Frame::SettingsAck => json!({ "type": "SETTINGS_ACK" }),
        Http2Frame::Ping { payload } => json!({ "type": "PING", "payload": hex(&payload) }),
        Http2Frame::PingAck { payload } => json!({ "type": "PING_ACK", "payload": hex(&payload) }),
        Http2Frame::GoAway { last_stream, code, text } => json!({
            "type": "GOAWAY", "last_stream": last_stream, "code": code.to_string(),
            "text": String::from_utf8_lossy(text),
        }),
        Http2Frame::WindowUpdate { stream, increment } => {
            json!({ "type": "WINDOW_UPDATE", "stream": stream, "increment": increment })
        }
        Http2Frame::Continuation { stream, block, end_headers } => json!({
            "type": "CONTINUATION", "stream": stream, "block": hex(block),
            "end_headers": end_headers,
        }),
        Http2Frame::Faulty { violation } => json!({ "faulty": violation.to_string() }),
        Http2Frame::Unknown { kind, stream } => {
            json!({ "type": "unknown", "kind": kind, "stream": stream })
        }
    }
}
