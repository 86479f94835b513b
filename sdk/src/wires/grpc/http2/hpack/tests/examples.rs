//! RFC 7541, appendix C, byte by byte.

use crate::golden::unhex;

use super::super::{HpackEncoder, Indexing};
use super::{Kept, WIDE, decode, decoder, pairs, rows};

type Fields = &'static [(&'static str, &'static str)];

/// A block, its fields, the table behind it, and the table's size.
type Step = (&'static str, Fields, Fields, usize);

const AUTHORITY: (&str, &str) = (":authority", "www.example.com");
const NO_CACHE: (&str, &str) = ("cache-control", "no-cache");
const CUSTOM: (&str, &str) = ("custom-key", "custom-value");

const REQUESTS: [(Fields, Fields, usize); 3] = [
    (&[(":method", "GET"), (":scheme", "http"), (":path", "/"), AUTHORITY], &[AUTHORITY], 57),
    (
        &[(":method", "GET"), (":scheme", "http"), (":path", "/"), AUTHORITY, NO_CACHE],
        &[NO_CACHE, AUTHORITY],
        110,
    ),
    (
        &[(":method", "GET"), (":scheme", "https"), (":path", "/index.html"), AUTHORITY, CUSTOM],
        &[CUSTOM, NO_CACHE, AUTHORITY],
        164,
    ),
];

const PRIVATE: (&str, &str) = ("cache-control", "private");
const DATE_21: (&str, &str) = ("date", "Mon, 21 Oct 2013 20:13:21 GMT");
const DATE_22: (&str, &str) = ("date", "Mon, 21 Oct 2013 20:13:22 GMT");
const LOCATION: (&str, &str) = ("location", "https://www.example.com");
const GZIP: (&str, &str) = ("content-encoding", "gzip");
const COOKIE: (&str, &str) =
    ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1");

const ANSWERS: [(Fields, Fields, usize); 3] = [
    (
        &[(":status", "302"), PRIVATE, DATE_21, LOCATION],
        &[LOCATION, DATE_21, PRIVATE, (":status", "302")],
        222,
    ),
    (
        &[(":status", "307"), PRIVATE, DATE_21, LOCATION],
        &[(":status", "307"), LOCATION, DATE_21, PRIVATE],
        222,
    ),
    (
        &[(":status", "200"), PRIVATE, DATE_22, LOCATION, GZIP, COOKIE],
        &[COOKIE, GZIP, DATE_22],
        215,
    ),
];

const PLAIN_REQUESTS: [&str; 3] = [
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
];

const CODED_REQUESTS: [&str; 3] = [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
];

const PLAIN_ANSWERS: [&str; 3] = [
    "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e17\
     68747470733a2f2f7777772e6578616d706c652e636f6d",
    "4803333037c1c0bf",
    "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d41\
     53444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b207665727369\
     6f6e3d31",
];

const CODED_ANSWERS: [&str; 3] = [
    "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97\
     c8e9ae82ae43d3",
    "4883640effc1c0bf",
    "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd\
     5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
];

fn steps(blocks: [&'static str; 3], steps: [(Fields, Fields, usize); 3]) -> Vec<Step> {
    let joined = blocks.into_iter().zip(steps);
    joined.map(|(block, (fields, table, size))| (block, fields, table, size)).collect()
}

/// The examples with several blocks, and the size of their table.
fn conversations() -> [(&'static str, usize, Vec<Step>); 4] {
    [
        ("C.3", 4096, steps(PLAIN_REQUESTS, REQUESTS)),
        ("C.4", 4096, steps(CODED_REQUESTS, REQUESTS)),
        ("C.5", 256, steps(PLAIN_ANSWERS, ANSWERS)),
        ("C.6", 256, steps(CODED_ANSWERS, ANSWERS)),
    ]
}

#[test]
fn single_fields_are_read_as_in_the_examples() {
    for (hex, field, is_inserted, never_indexed) in [
        // C.2
        (
            "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
            ("custom-key", "custom-header"),
            true,
            false,
        ),
        ("040c2f73616d706c652f70617468", (":path", "/sample/path"), false, false),
        ("100870617373776f726406736563726574", ("password", "secret"), false, true),
        ("82", (":method", "GET"), false, false),
    ] {
        let (mut reading, mut kept) = (decoder(WIDE), Kept::default());
        reading.decode(&unhex(hex), &mut kept).expect("an example");
        assert_eq!(kept.pairs, pairs(&[field]));
        assert_eq!(kept.never_indexed, [never_indexed]);
        assert_eq!(reading.table().len(), usize::from(is_inserted));
    }
}

#[test]
fn conversations_are_read_as_in_the_examples() {
    for (name, table_size, steps) in conversations() {
        let mut reading = decoder(WIDE);
        if table_size < 4096 {
            reading.set_max_table_size(table_size);
            let update = [0x3f, 0xe1, 0x01];
            assert_eq!(decode(&mut reading, &update).expect("256").0, pairs(&[]));
        }
        for (block, fields, table, size) in steps {
            assert_eq!(decode(&mut reading, &unhex(block)).expect(name).0, pairs(fields), "{name}");
            assert_eq!(rows(reading.table()), pairs(table), "{name}");
            assert_eq!(reading.table().size(), size, "{name}");
        }
    }
}

#[test]
fn conversations_are_written_as_in_the_examples() {
    for (name, table_size, steps) in conversations() {
        let mut writing = HpackEncoder::new();
        writing.set_max_table_size(table_size);
        writing.block(&mut Vec::new());
        for (block, fields, table, size) in steps {
            let mut bytes = Vec::new();
            let mut written = writing.block(&mut bytes);
            for (name, value) in fields {
                written.field(name.as_bytes(), value.as_bytes(), Indexing::Repeated);
            }
            // The examples have Huffman's code for `307` as well, which is no shorter.
            if ["C.4", "C.6"].contains(&name) && !block.contains("640eff") {
                assert_eq!(bytes, unhex(block), "{name}");
            }
            assert_eq!(rows(writing.table()), pairs(table), "{name}");
            assert_eq!(writing.table().size(), size, "{name}");
        }
    }
}
