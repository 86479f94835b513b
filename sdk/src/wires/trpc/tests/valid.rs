//! Frames that other implementations accept.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::framing::Side;

use super::describe::describe;
use super::*;

#[derive(Deserialize)]
struct Case {
    name: String,
    canonical: bool,
    hex: String,
    frames: Vec<Value>,
}

/// One frame of a case.
struct Golden {
    at: usize,
    len: usize,
    decoder: Decoder,
    fields: Value,
}

impl Case {
    fn frames(&self) -> Vec<Golden> {
        let number = |value: &Value| {
            usize::try_from(value.as_u64().expect("a number")).expect("of this machine")
        };
        self.frames
            .iter()
            .map(|frame| {
                let side =
                    if frame["kind"] == "unary_response" { Side::Client } else { Side::Server };
                let mut fields = frame.clone();
                fields.as_object_mut().expect("an object").remove("dir");
                let (at, len) = (number(&frame["at"]), number(&frame["len"]));
                Golden { at, len, decoder: Decoder::new(side, MAX_FRAME), fields }
            })
            .collect()
    }
}

impl Golden {
    /// Decodes this frame alone, off the front of a buffer.
    fn read(&self, buf: &mut BytesMut) -> Frame {
        let mut frame = buf.split_to(self.len);
        let decoded = self.decoder.decode(&mut frame).expect("it is valid").expect("it is whole");
        assert!(frame.is_empty());
        decoded
    }
}

#[test]
fn golden_frames_decode_to_every_field() {
    for case in vectors::<Case>("trpc_valid.json") {
        let bytes = unhex(&case.hex);
        let mut buf = BytesMut::from(&bytes[..]);
        for golden in case.frames() {
            let frame = golden.read(&mut buf);
            assert_eq!(describe(&frame, &bytes, golden.at), golden.fields, "{}", case.name);
        }
        assert!(buf.is_empty(), "{}", case.name);
    }
}

#[test]
fn canonical_frames_encode_to_the_same_bytes() {
    // Header fields that mean nothing in their kind of frame: read and forgotten, and written as 0.
    let forgotten = [
        ("unary_req_stream_frame_type_3", 3..4),
        ("init_req_version_1_reserved_7", 14..16),
        ("init_req_header_size_not_zero", 8..10),
    ];
    let cases = vectors::<Case>("trpc_valid.json");
    assert!(forgotten.iter().all(|(name, _)| cases.iter().any(|case| case.name == *name)));
    for case in cases.iter().filter(|case| case.canonical) {
        let mut bytes = unhex(&case.hex);
        let mut buf = BytesMut::from(&bytes[..]);
        let frames: Vec<_> = case.frames().iter().map(|golden| golden.read(&mut buf)).collect();
        if let Some((_, range)) = forgotten.iter().find(|(name, _)| *name == case.name) {
            bytes[range.clone()].fill(0);
        }
        let written: Vec<u8> = frames.iter().flat_map(encode).collect();
        assert!(written == bytes, "{}:\n{}\n{}", case.name, hex(&written), hex(&bytes));
    }
}

#[test]
fn frames_that_are_not_canonical_survive_encoding() {
    for case in vectors::<Case>("trpc_valid.json").iter().filter(|case| !case.canonical) {
        let mut buf = BytesMut::from(&unhex(&case.hex)[..]);
        for golden in case.frames() {
            let frame = golden.read(&mut buf);
            let again = golden.decoder.decode(&mut encode(&frame)).expect(&case.name);
            assert_eq!(again, Some(frame), "{}", case.name);
        }
    }
}

#[test]
fn every_prefix_of_a_frame_waits_for_the_rest() {
    for case in vectors::<Case>("trpc_valid.json") {
        let bytes = unhex(&case.hex);
        for golden in case.frames() {
            let mut buf = BytesMut::new();
            for (have, byte) in bytes[golden.at..golden.at + golden.len].iter().enumerate() {
                assert_eq!(
                    golden.decoder.decode(&mut buf),
                    Ok(None),
                    "{} cut at {have}",
                    case.name
                );
                assert_eq!(buf.len(), have, "{}: nothing is taken from half a frame", case.name);
                let whole = if have < HEADER_LEN { HEADER_LEN } else { golden.len };
                assert_eq!(
                    golden.decoder.missing(&buf),
                    whole - have,
                    "{} cut at {have}",
                    case.name
                );
                buf.extend_from_slice(&[*byte]);
            }
            assert_eq!(golden.decoder.missing(&buf), 0, "{}", case.name);
            assert!(golden.decoder.decode(&mut buf).expect(&case.name).is_some(), "{}", case.name);
        }
    }
}

#[test]
fn payloads_are_slices_of_the_buffer() {
    for case in vectors::<Case>("trpc_valid.json") {
        let mut buf = BytesMut::from(&unhex(&case.hex)[..]);
        let base = buf.as_ptr() as usize;
        let offset = |bytes: &Bytes| bytes.as_ptr() as usize - base;
        for golden in case.frames() {
            let frame = golden.read(&mut buf);
            let parts = match frame {
                Frame::Request { body, attachment, .. }
                | Frame::Response { body, attachment, .. } => {
                    vec![("body", body), ("attachment", attachment)]
                }
                Frame::Data { messages, .. } => vec![("body", messages.first())],
                _ => vec![],
            };
            for (name, part) in parts.iter().filter(|(_, part)| !part.is_empty()) {
                assert_eq!(golden.fields[name]["at"], offset(part), "{}: {name}", case.name);
            }
        }
    }
}
