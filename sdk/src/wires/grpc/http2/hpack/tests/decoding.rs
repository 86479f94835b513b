//! Limits, and blocks that are wrong.

use proptest::prelude::*;

use super::super::super::frame::ErrorCode;
use super::super::{HpackError, ListLimits};
use super::{Kept, WIDE, decode, decoder, pairs, rows};

/// A field that is inserted: a name of one byte, and a value.
fn inserted(name: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x40, 1, name];
    super::super::string::encode_plain(&mut bytes, value);
    bytes
}

/// A change of the table's size.
fn table_size(size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    super::super::integer::encode(&mut bytes, 0x20, 5, size);
    bytes
}

fn error(block: &[u8]) -> HpackError {
    decode(&mut decoder(WIDE), block).expect_err("it is wrong")
}

#[test]
fn an_entry_is_asked_for_its_meaning_once() {
    let (mut reading, mut kept) = (decoder(WIDE), Kept::default());
    reading.decode(&inserted(b'a', b"value"), &mut kept).expect("a block");
    for _ in 0..10 {
        reading.decode(&[0xbe, 0x82, 0x86], &mut kept).expect("a block");
    }
    assert_eq!((kept.asked.get(), kept.pairs.len()), (1, 31));
}

#[test]
fn a_reference_beyond_the_tables_is_an_error() {
    assert_eq!(error(&[0x80]), HpackError::NoEntry { index: 0 });
    assert_eq!(error(&[0xbe]), HpackError::NoEntry { index: 62 });
    assert_eq!(error(&[0x7e, 1, b'v']), HpackError::NoEntry { index: 62 });
    assert_eq!(error(&[0x0f, 47, 1, b'v']), HpackError::NoEntry { index: 62 });
    assert_eq!(
        error(&[0xff, 0x80, 0xff, 0xff, 0xff, 0x0f]),
        HpackError::NoEntry { index: u32::MAX as usize }
    );
    assert_eq!(error(&[0xff; 20]), HpackError::IntegerOverflow);
    let (mut reading, block) = (decoder(WIDE), inserted(b'a', b""));
    assert!(decode(&mut reading, &block).is_ok());
    assert!(decode(&mut reading, &[0xbe]).is_ok());
    assert_eq!(decode(&mut reading, &[0xbf]), Err(HpackError::NoEntry { index: 63 }));
}

#[test]
fn the_table_changes_its_size_at_the_front_of_a_block_and_within_its_limit() {
    let over = [table_size(4097), vec![0x82]].concat();
    assert_eq!(error(&over), HpackError::TableTooLarge { size: 4097, limit: 4096 });
    let late = [vec![0x82], table_size(0)].concat();
    assert_eq!(error(&late), HpackError::LateTableSize);
    let many = [table_size(0), table_size(1), table_size(2)].concat();
    assert_eq!(error(&many), HpackError::ManyTableSizes);
    assert_eq!(error(&[0x3f, 0xff, 0xff, 0xff, 0xff, 0xff]), HpackError::IntegerOverflow);

    let mut reading = decoder(WIDE);
    decode(&mut reading, &inserted(b'a', b"b")).expect("a block");
    let both = [table_size(0), table_size(4096), vec![0x82]].concat();
    assert_eq!(decode(&mut reading, &both).expect("a block").0, pairs(&[(":method", "GET")]));
    assert_eq!((reading.table().len(), reading.table().max_size()), (0, 4096));
}

#[test]
fn a_smaller_table_has_to_be_acknowledged_by_the_next_block() {
    let mut reading = decoder(WIDE);
    reading.set_max_table_size(100);
    assert_eq!(decode(&mut reading, &[0x82]), Err(HpackError::NoTableSize { limit: 100 }));
    assert_eq!(
        decode(&mut reading, &table_size(101)),
        Err(HpackError::TableTooLarge { size: 101, limit: 100 })
    );
    assert!(decode(&mut reading, &table_size(100)).is_ok());
    assert!(decode(&mut reading, &[0x82]).is_ok());
    // A larger one need not be used.
    reading.set_max_table_size(8192);
    assert!(decode(&mut reading, &[0x82]).is_ok());
    assert!(decode(&mut reading, &table_size(8192)).is_ok());
}

#[test]
fn a_field_may_take_the_name_of_the_entry_that_it_evicts() {
    let mut reading = decoder(WIDE);
    reading.set_max_table_size(64);
    let first = [table_size(64), inserted(b'a', &[b'1'; 20])].concat();
    decode(&mut reading, &first).expect("a block");
    let second = [vec![0x7e, 25], vec![b'2'; 25]].concat();
    let twos = "2".repeat(25);
    assert_eq!(decode(&mut reading, &second).expect("a block").0, pairs(&[("a", &twos)]));
    assert_eq!(rows(reading.table()), pairs(&[("a", &twos)]));
}

#[test]
fn a_list_over_its_limit_is_cut_and_the_table_stays_right() {
    let limits = ListLimits { size: 100, fields: 1_000 };
    let mut reading = decoder(limits);
    let block = [inserted(b'a', b"1"), inserted(b'b', &[b'2'; 40]), inserted(b'c', b"3")].concat();
    let (found, list) = decode(&mut reading, &block).expect("the connection goes on");
    assert_eq!(found, pairs(&[("a", "1")]));
    assert_eq!((list.size, list.fields, list.is_over), (34 + 73 + 34, 3, true));
    let (found, list) = decode(&mut reading, &[0xbe, 0xc0]).expect("a block");
    assert_eq!((found, list.is_over), (pairs(&[("c", "3"), ("a", "1")]), false));

    let mut reading = decoder(ListLimits { size: 1_000, fields: 2 });
    let (found, list) = decode(&mut reading, &[0x82, 0x86, 0x84]).expect("a block");
    assert_eq!((found.len(), list.fields, list.is_over), (2, 3, true));
}

#[test]
fn a_bomb_of_references_ends_at_four_times_the_limit() {
    let mut reading = decoder(ListLimits { size: 8_000, fields: 1_000 });
    decode(&mut reading, &inserted(b'a', &[b'x'; 3_000])).expect("a block");
    let bomb = vec![0xbe; 100_000];
    let mut kept = Kept::default();
    let size = 3_033 * 11;
    assert_eq!(
        reading.decode(&bomb, &mut kept),
        Err(HpackError::ListTooLarge { size, limit: 8_000 })
    );
    assert_eq!(kept.pairs.len(), 2);
    assert_eq!(kept.asked.get(), 0);
}

#[test]
fn a_value_larger_than_the_table_goes_through_and_empties_it() {
    let mut reading = decoder(WIDE);
    decode(&mut reading, &inserted(b'a', b"1")).expect("a block");
    let large = "x".repeat(5_000);
    let (found, _) = decode(&mut reading, &inserted(b'b', large.as_bytes())).expect("a block");
    assert_eq!(found, pairs(&[("b", &large)]));
    assert_eq!(reading.table().len(), 0);
}

#[test]
fn a_block_that_is_cut_inside_a_field_is_an_error_at_every_place() {
    // Each entry is the end of a field.
    let parts: [&[u8]; 6] = [
        &[0x3f, 0xe1, 0x01],
        &[0x82],
        &[0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff],
        &[0x10, 0x02, b'p', b'w', 0x01, b's'],
        &[0x0f, 0x10, 0x01, b'x'],
        &[0xbe],
    ];
    let whole = parts.concat();
    let ends: Vec<usize> = parts
        .iter()
        .scan(0, |end, part| {
            *end += part.len();
            Some(*end)
        })
        .collect();
    for cut in 0..=whole.len() {
        let found = decode(&mut decoder(WIDE), &whole[..cut]);
        if cut == 0 || ends.contains(&cut) {
            assert!(found.is_ok(), "{cut}: {found:?}");
        } else {
            assert_eq!(found, Err(HpackError::Truncated), "{cut}");
        }
    }
}

#[test]
fn each_error_has_a_text_and_a_code() {
    for (error, text) in [
        (HpackError::Truncated, "a header block ends inside a field"),
        (
            HpackError::NoEntry { index: 70 },
            "a header block names entry 70 of the tables, which is not there",
        ),
        (
            HpackError::TableTooLarge { size: 5000, limit: 4096 },
            "a header table of 5000 bytes is over the limit of 4096",
        ),
        (
            HpackError::ListTooLarge { size: 50, limit: 10 },
            "a header list of 50 bytes and more is far over the limit of 10",
        ),
    ] {
        assert_eq!(error.to_string(), text);
        let is_calm = matches!(error, HpackError::ListTooLarge { .. });
        let code =
            if is_calm { ErrorCode::ENHANCE_YOUR_CALM } else { ErrorCode::COMPRESSION_ERROR };
        assert_eq!(error.code(), code);
    }
}

proptest! {
    #[test]
    fn no_bytes_hurt_a_decoder(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6)) {
        let mut reading = decoder(ListLimits { size: 300, fields: 5 });
        for block in blocks {
            let Ok((found, list)) = decode(&mut reading, &block) else { break };
            prop_assert!(found.len() <= list.fields);
            prop_assert!(reading.table().size() <= 4096);
        }
    }
}
