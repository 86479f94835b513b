use bytes::Bytes;
use proptest::prelude::*;

use super::super::{HpackEncoder, Indexing, RepeatedFields};
use super::{Kept, Pair, WIDE, decode, decoder, pairs, rows};

/// The head of a usual call, in its order.
const REQUEST: [(&str, &str); 7] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/helloworld.Greeter/SayHello"),
    (":authority", "localhost:50051"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
    ("user-agent", "grpc-rust-trill/0.1.0"),
];

fn repeated(fields: &[(&'static str, &'static str)]) -> RepeatedFields {
    let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
    RepeatedFields::new(fields.iter().map(|(name, value)| (bytes(name), bytes(value))))
}

fn written(encoder: &mut HpackEncoder, fields: &mut RepeatedFields) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.block(&mut out).repeated(fields);
    out
}

#[test]
fn a_head_that_repeats_is_a_byte_for_each_field_from_the_second_time_on() {
    let (mut writing, mut reading) = (HpackEncoder::new(), decoder(WIDE));
    let mut head = repeated(&REQUEST);
    let first = written(&mut writing, &mut head);
    assert_eq!(decode(&mut reading, &first).expect("a block").0, pairs(&REQUEST));
    for _ in 0..3 {
        let again = written(&mut writing, &mut head);
        assert_eq!(again, [0x83, 0x86, 0xc2, 0xc1, 0xc0, 0xbf, 0xbe]);
        assert_eq!(decode(&mut reading, &again).expect("a block").0, pairs(&REQUEST));
    }
    // The end of a good call, and its head, are one byte and two.
    let (mut answer, mut end) = (
        repeated(&[(":status", "200"), ("content-type", "application/grpc")]),
        repeated(&[("grpc-status", "0")]),
    );
    written(&mut writing, &mut answer);
    written(&mut writing, &mut end);
    assert_eq!(written(&mut writing, &mut answer), [0x88, 0xc0]);
    assert_eq!(written(&mut writing, &mut end), [0xbe]);
}

#[test]
fn a_repeated_head_is_made_anew_when_its_entries_have_moved_or_gone() {
    let (mut writing, mut reading) = (HpackEncoder::new(), decoder(WIDE));
    let (mut one, mut other) =
        (repeated(&REQUEST), repeated(&[("x", "a"), ("content-type", "application/grpc")]));
    let mut check =
        |writing: &mut HpackEncoder, fields: &mut RepeatedFields, expected: &[(&str, &str)]| {
            let bytes = written(writing, fields);
            assert_eq!(decode(&mut reading, &bytes).expect("a block").0, pairs(expected));
            assert_eq!(rows(writing.table()), rows(reading.table()));
            bytes.len()
        };
    check(&mut writing, &mut one, &REQUEST);
    check(&mut writing, &mut one, &REQUEST);
    check(&mut writing, &mut other, &[("x", "a"), ("content-type", "application/grpc")]);
    assert_eq!(check(&mut writing, &mut one, &REQUEST), 7);
    assert_eq!(
        check(&mut writing, &mut other, &[("x", "a"), ("content-type", "application/grpc")]),
        2
    );
    // The peer wants no table any more, and then one again.
    writing.set_max_table_size(0);
    assert!(check(&mut writing, &mut one, &REQUEST) > 100);
    assert!(check(&mut writing, &mut one, &REQUEST) > 100);
    writing.set_max_table_size(1_000_000);
    check(&mut writing, &mut one, &REQUEST);
    assert_eq!(check(&mut writing, &mut one, &REQUEST), 7);
}

#[test]
fn the_next_block_tells_the_least_size_of_the_table_and_the_last() {
    let mut writing = HpackEncoder::new();
    let mut front = |sizes: &[usize]| {
        for size in sizes {
            writing.set_max_table_size(*size);
        }
        let mut out = Vec::new();
        writing.block(&mut out);
        out
    };
    assert!(front(&[]).is_empty());
    assert!(front(&[4096]).is_empty());
    assert!(front(&[100_000]).is_empty());
    assert_eq!(front(&[10]), [0x2a]);
    assert!(front(&[]).is_empty());
    assert_eq!(front(&[20, 4, 30]), [0x24, 0x3e]);
    assert_eq!(front(&[usize::MAX]), [0x3f, 0xe1, 0x1f]);
    // There and back: entries are gone all the same.
    assert_eq!(front(&[0, 4096]), [0x20, 0x3f, 0xe1, 0x1f]);
}

#[test]
fn a_secret_is_marked_and_enters_no_table() {
    let (mut writing, mut reading) = (HpackEncoder::new(), decoder(WIDE));
    let secrets = [("authorization", "Bearer abc"), ("cookie", "a=b"), ("x-key-bin", "AAEC")];
    for _ in 0..2 {
        let mut out = Vec::new();
        let mut block = writing.block(&mut out);
        for (name, value) in secrets {
            block.field(name.as_bytes(), value.as_bytes(), Indexing::Never);
        }
        let mut kept = Kept::default();
        reading.decode(&out, &mut kept).expect("a block");
        assert_eq!(kept.pairs, pairs(&secrets));
        assert_eq!(kept.never_indexed, [true; 3]);
    }
    assert_eq!((writing.table().len(), reading.table().len()), (0, 0));
}

#[test]
fn fields_that_come_once_leave_repeated_heads_as_they_are() {
    let (mut writing, mut head) = (HpackEncoder::new(), repeated(&REQUEST));
    written(&mut writing, &mut head);
    let before = written(&mut writing, &mut head);
    let mut out = Vec::new();
    let mut block = writing.block(&mut out);
    block.repeated(&mut head);
    block.field(b"grpc-timeout", b"12345u", Indexing::Once);
    block.field(b":status", b"200", Indexing::Once);
    assert_eq!(out, [&before[..], b"\x00\x0cgrpc-timeout\x0612345u\x88"].concat());
    assert_eq!(written(&mut writing, &mut head), before);
}

#[test]
fn a_field_that_takes_half_of_the_table_does_not_enter_it() {
    let mut writing = HpackEncoder::new();
    let long = "v".repeat(3_000);
    let mut out = Vec::new();
    writing.block(&mut out).field(b"x", long.as_bytes(), Indexing::Repeated);
    assert_eq!(writing.table().len(), 0);
    assert_eq!(decode(&mut decoder(WIDE), &out).expect("a block").0, pairs(&[("x", &long)]));
}

fn fields() -> impl Strategy<Value = Vec<(u8, Pair)>> {
    let name = prop_oneof![Just("te".to_owned()), Just("cookie".to_owned()), "[a-z-]{1,8}"];
    let value = prop_oneof![Just("trailers".to_owned()), "[ -~]{0,60}"];
    prop::collection::vec((0..3_u8, (name, value)), 0..8)
}

proptest! {
    #[test]
    fn any_blocks_are_read_as_they_were_written(
        blocks in prop::collection::vec((prop::option::of(0..600_usize), fields()), 0..20),
    ) {
        let (mut writing, mut reading) = (HpackEncoder::new(), decoder(WIDE));
        let mut head = repeated(&REQUEST);
        for (size, fields) in blocks {
            if let Some(size) = size {
                writing.set_max_table_size(size);
                reading.set_max_table_size(size);
            }
            let mut out = Vec::new();
            let mut block = writing.block(&mut out);
            block.repeated(&mut head);
            for (indexing, (name, value)) in &fields {
                let indexing = [Indexing::Repeated, Indexing::Once, Indexing::Never]
                    [usize::from(*indexing)];
                block.field(name.as_bytes(), value.as_bytes(), indexing);
            }
            let mut expected = pairs(&REQUEST);
            expected.extend(fields.into_iter().map(|(_, field)| field));
            prop_assert_eq!(decode(&mut reading, &out).expect("a block").0, expected);
            prop_assert_eq!(rows(writing.table()), rows(reading.table()));
        }
    }
}
