//! The fuzz targets on what is known: the protocol's vectors, recorded conversations, what fuzzing
//! has found, and random inputs.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;

use crate::golden::{unhex, vectors};

use super::{
    connection, connection_seed, decoder, decoder_seed, frames, frames_seed, heads, heads_seeds,
    hpack, hpack_seed, operations,
};

#[derive(Deserialize)]
struct Vector {
    hex: String,
}

#[derive(Deserialize)]
struct Chunk {
    conversation: String,
    direction: String,
    hex: String,
}

/// The bytes of peers: valid and malformed frames, and both directions of whole conversations.
fn peers() -> Vec<Vec<u8>> {
    let frames = ["trpc_valid.json", "trpc_invalid.json"].into_iter().flat_map(vectors::<Vector>);
    let mut all: Vec<_> = frames.map(|vector| unhex(&vector.hex)).collect();
    let mut conversations = BTreeMap::<_, Vec<u8>>::new();
    for chunk in vectors::<Chunk>("trpc_cpp_captures.json") {
        conversations
            .entry((chunk.conversation, chunk.direction))
            .or_default()
            .extend(unhex(&chunk.hex));
    }
    all.extend(conversations.into_values());
    all
}

#[derive(Deserialize)]
struct Story {
    cases: Vec<Block>,
}

#[derive(Deserialize)]
struct Block {
    wire: String,
}

/// HPACK beside the crate httlib-hpack.
fn hpack_beside_another(input: &[u8]) {
    let mut oracle = httlib_hpack::Decoder::with_dynamic_size(4096);
    hpack(input, &mut |block| {
        let (mut block, mut fields) = (block.to_vec(), Vec::new());
        oracle.decode(&mut block, &mut fields).ok()?;
        Some(fields.into_iter().map(|(name, value, _)| (name, value)).collect())
    });
}

/// Inputs that fuzzing has found, one in hexadecimal digits on each line of
/// `tests/fuzz/found/<target>.txt`.
fn found(target: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/found").join(target);
    let text = std::fs::read_to_string(path.with_extension("txt")).expect("the file is there");
    text.lines().filter(|line| !line.starts_with('#')).map(unhex).collect()
}

#[test]
fn the_decoder_on_what_peers_send() {
    for bytes in peers() {
        decoder(&decoder_seed(false, &bytes));
        decoder(&decoder_seed(true, &bytes));
    }
}

#[test]
fn a_connection_on_what_peers_send() {
    for bytes in peers() {
        connection(&connection_seed(false, &bytes));
        connection(&connection_seed(true, &bytes));
    }
}

#[test]
fn frames_of_http2_on_what_peers_send() {
    let files = ["http2_valid.json", "http2_invalid.json"].into_iter();
    let all: Vec<_> = files.flat_map(vectors::<Vector>).map(|vector| unhex(&vector.hex)).collect();
    let joined = all.concat();
    for bytes in all.iter().chain([&joined]) {
        frames(&frames_seed(false, bytes));
        frames(&frames_seed(true, bytes));
    }
}

#[test]
fn blocks_of_hpack_on_what_peers_send() {
    for story in vectors::<Story>("hpack_stories.json") {
        let blocks: Vec<_> = story.cases.iter().map(|case| unhex(&case.wire)).collect();
        hpack_beside_another(&hpack_seed(&blocks));
    }
}

#[test]
fn heads_of_grpc_on_calls_that_were_changed_or_cut_anywhere() {
    for seed in heads_seeds() {
        heads(&seed);
        for at in 0..seed.len() {
            heads(&seed[..at]);
            for change in [1, 0x20, 0x80, 0xff] {
                let mut changed = seed.clone();
                changed[at] ^= change;
                heads(&changed);
            }
        }
    }
}

#[test]
fn every_target_on_what_fuzzing_has_found() {
    found("decoder").iter().for_each(|input| decoder(input));
    found("connection").iter().for_each(|input| connection(input));
    found("frames").iter().for_each(|input| frames(input));
    found("heads").iter().for_each(|input| heads(input));
    found("hpack").iter().for_each(|input| hpack_beside_another(input));
    found("operations").iter().for_each(|input| operations(input));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_decoder_on_anything(input in prop::collection::vec(any::<u8>(), 0..200)) {
        decoder(&input);
    }

    #[test]
    fn frames_of_http2_in_anything(input in prop::collection::vec(any::<u8>(), 0..200)) {
        frames(&input);
    }

    #[test]
    fn heads_of_grpc_in_anything(input in prop::collection::vec(any::<u8>(), 0..200)) {
        heads(&input);
    }

    #[test]
    fn blocks_of_hpack_in_anything(input in prop::collection::vec(any::<u8>(), 0..200)) {
        hpack_beside_another(&input);
    }

    #[test]
    fn a_connection_with_any_peer_and_any_application(input in prop::collection::vec(any::<u8>(), 0..600)) {
        connection(&input);
    }

    #[test]
    fn two_connections_in_any_order_of_operations(input in prop::collection::vec(any::<u8>(), 0..600)) {
        operations(&input);
    }
}
