//! Blocks of seven other encoders, from the stories of http2jp's hpack-test-case.

use serde::Deserialize;

use crate::golden::{unhex, vectors};

use super::super::{HpackEncoder, Indexing};
use super::{Pair, WIDE, decode, decoder};

#[derive(Deserialize)]
struct Story {
    encoder: String,
    story: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    wire: String,
    headers: Vec<Pair>,
    #[serde(default)]
    table_size: Option<usize>,
}

#[test]
fn the_stories_of_other_encoders_are_understood() {
    let stories = vectors::<Story>("hpack_stories.json");
    assert!(stories.len() > 12);
    for story in stories {
        let mut reading = decoder(WIDE);
        for (number, case) in story.cases.iter().enumerate() {
            if let Some(size) = case.table_size {
                reading.set_max_table_size(size);
            }
            let (found, list) = decode(&mut reading, &unhex(&case.wire)).unwrap_or_else(|error| {
                panic!("{} {}, block {number}: {error}", story.encoder, story.story)
            });
            assert_eq!(found, case.headers, "{} {}", story.encoder, story.story);
            let sum: usize = found.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
            assert_eq!((list.size, list.fields, list.is_over), (sum, found.len(), false));
        }
    }
}

#[test]
fn the_stories_are_told_again_by_this_encoder() {
    for story in vectors::<Story>("hpack_stories.json") {
        for indexing in [Indexing::Repeated, Indexing::Once, Indexing::Never] {
            let (mut writing, mut reading) = (HpackEncoder::new(), decoder(WIDE));
            for case in &story.cases {
                if let Some(size) = case.table_size {
                    writing.set_max_table_size(size);
                    reading.set_max_table_size(size);
                }
                let mut bytes = Vec::new();
                let mut block = writing.block(&mut bytes);
                for (name, value) in &case.headers {
                    block.field(name.as_bytes(), value.as_bytes(), indexing);
                }
                assert_eq!(decode(&mut reading, &bytes).expect("its own bytes").0, case.headers);
                assert_eq!(super::rows(writing.table()), super::rows(reading.table()));
            }
        }
    }
}
