//! Conversations recorded between programs of tRPC-Cpp.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::framing::Side;

use super::*;

#[derive(Deserialize)]
struct Chunk {
    conversation: String,
    direction: String,
    hex: String,
}

/// The bytes and frames that one side of a conversation sent.
#[derive(Default)]
struct Sent {
    bytes: Vec<u8>,
    frames: Vec<Vec<u8>>,
}

fn conversations() -> BTreeMap<(String, String), Sent> {
    let mut all = BTreeMap::<_, Sent>::new();
    for chunk in vectors::<Chunk>("trpc_cpp_captures.json") {
        let bytes = unhex(&chunk.hex);
        let sent = all.entry((chunk.conversation, chunk.direction)).or_default();
        sent.bytes.extend_from_slice(&bytes);
        // The recorder cut at frames; the end of the connection is a chunk without bytes.
        sent.frames.extend((!bytes.is_empty()).then_some(bytes));
    }
    assert_eq!(all.len(), 48, "24 conversations of two directions");
    all
}

fn decoder(direction: &str) -> Decoder {
    let side = if direction == "c2s" { Side::Server } else { Side::Client };
    Decoder::new(side, MAX_FRAME)
}

#[test]
fn every_conversation_decodes_to_its_end() {
    for ((name, direction), sent) in conversations() {
        let (frames, error, left) = feed(decoder(&direction), &sent.bytes, []);
        assert_eq!((error, left.len()), (None, 0), "{name}, {direction}");
        assert!(frames.iter().all(is_good), "{name}, {direction}: {frames:?}");
        assert_eq!(frames.len(), sent.frames.len(), "{name}, {direction}");
    }
}

#[test]
fn every_conversation_decodes_alike_byte_by_byte() {
    for ((name, direction), sent) in conversations() {
        let whole = feed(decoder(&direction), &sent.bytes, []);
        let pieces = feed(decoder(&direction), &sent.bytes, 0..sent.bytes.len());
        assert_eq!(whole, pieces, "{name}, {direction}");
    }
}

#[test]
fn every_recorded_frame_encodes_to_the_same_bytes() {
    for ((name, direction), sent) in conversations() {
        let (frames, ..) = feed(decoder(&direction), &sent.bytes, []);
        for (frame, bytes) in frames.iter().zip(&sent.frames) {
            assert_eq!(hex(&encode(frame)), hex(bytes), "{name}, {direction}");
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(16))]

    #[test]
    fn every_conversation_decodes_alike_at_any_cuts(
        places in proptest::collection::vec(proptest::arbitrary::any::<proptest::sample::Index>(), 0..20),
    ) {
        for ((name, direction), sent) in conversations() {
            let whole = feed(decoder(&direction), &sent.bytes, []);
            let mut cuts: Vec<_> = places.iter().map(|place| place.index(sent.bytes.len() + 1)).collect();
            cuts.sort_unstable();
            proptest::prop_assert_eq!(whole, feed(decoder(&direction), &sent.bytes, cuts), "{}, {}", name, direction);
        }
    }
}
