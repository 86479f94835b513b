use crate::wires::grpc::field::FieldMeaning;
use crate::wires::grpc::http2::hpack::{HpackDecoder, HpackError, ListLimits};
use crate::wires::grpc::request::{LastPath, Refusal, RequestFault, RequestFields};

use super::{REQUEST, block};

#[test]
fn a_block_that_is_cut_anywhere_is_no_head() {
    let bytes = block(REQUEST);
    for cut in 0..bytes.len() {
        let mut last = LastPath::default();
        let mut received = RequestFields::new(&mut last);
        let narrow = ListLimits { size: 16_384, fields: 100 };
        let mut decoder = HpackDecoder::new(narrow, FieldMeaning::of);
        match decoder.decode(&bytes[..cut], &mut received) {
            Err(error) => assert_eq!(error, HpackError::Truncated, "cut at {cut}"),
            // Whole fields are there, and some are missing; the last one is the user agent.
            Ok(list) => {
                let found = received.finish(list.is_over);
                assert_eq!(found.is_ok(), list.fields == 6, "cut at {cut}: {found:?}");
            }
        }
    }
}

#[test]
fn fields_over_the_limit_keep_nothing_and_are_refused() {
    let limits = ListLimits { size: 1_000, fields: 10 };
    let more = (0..5).map(|_| ("x-junk-bin", "AAAA"));
    let mut last = LastPath::default();
    let mut received = RequestFields::new(&mut last);
    let mut decoder = HpackDecoder::new(limits, FieldMeaning::of);
    let list = decoder.decode(&block(REQUEST.into_iter().chain(more)), &mut received);
    let list = list.expect("the table is right");
    assert!(list.is_over && list.fields == 12);
    let fault = received.finish(list.is_over).expect_err("too many fields");
    assert_eq!(fault, RequestFault::Refused(Refusal::HeaderTooLarge));
}
