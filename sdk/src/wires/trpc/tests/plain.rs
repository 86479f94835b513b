//! The headers that are read and written here are those that prost reads and writes.

use bytes::Bytes;
use proptest::prelude::*;
use trill_proto::prost::Message;
use trill_proto::{RequestProtocol, ResponseProtocol};

use crate::wires::trpc::plain::{self, Plain};

use super::round_trip::{request_meta, response_meta};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_request_is_written_as_prost_writes_it(meta in request_meta()) {
        written_alike(&meta)?;
    }

    #[test]
    fn an_answer_is_written_as_prost_writes_it(meta in response_meta()) {
        written_alike(&meta)?;
    }

    #[test]
    fn what_is_read_of_a_request_is_what_prost_reads(header in header(request_meta().prop_map(|meta| meta.encode_to_vec()))) {
        if let Some(meta) = plain::request(&header, header.len()) {
            prop_assert_eq!(Ok(meta), RequestProtocol::decode(header));
        }
    }

    #[test]
    fn what_is_read_of_an_answer_is_what_prost_reads(header in header(response_meta().prop_map(|meta| meta.encode_to_vec()))) {
        if let Some(meta) = plain::response(&header, header.len()) {
            prop_assert_eq!(Ok(meta), ResponseProtocol::decode(header));
        }
    }
}

#[test]
fn a_common_header_is_plain() {
    let meta = RequestProtocol {
        request_id: u32::MAX,
        timeout: 128,
        caller: Bytes::from_static(b"caller"),
        func: Bytes::from(vec![b'x'; 300]),
        ..RequestProtocol::default()
    };
    assert_eq!(read(&meta, plain::request), Some(meta.clone()));
    assert_eq!(meta.plain_len(), Some(meta.encoded_len()));
    let meta = ResponseProtocol { request_id: 7, ret: 101, ..ResponseProtocol::default() };
    assert_eq!(read(&meta, plain::response), Some(meta.clone()));
    assert_eq!(meta.plain_len(), Some(meta.encoded_len()));
}

#[test]
fn every_field_but_metadata_is_plain() {
    let meta = RequestProtocol {
        version: 1,
        call_type: 2,
        request_id: 3,
        timeout: 4,
        caller: Bytes::from_static(b"caller"),
        callee: Bytes::from_static(b"callee"),
        func: Bytes::from_static(b"func"),
        message_type: 5,
        trans_info: vec![],
        content_type: 6,
        content_encoding: 7,
        attachment_size: 8,
    };
    assert_eq!(read(&meta, plain::request), Some(meta));
    let meta = ResponseProtocol {
        version: 1,
        call_type: 2,
        request_id: 3,
        ret: 4,
        func_ret: 5,
        error_msg: Bytes::from_static(b"text"),
        message_type: 6,
        trans_info: vec![],
        content_type: 7,
        content_encoding: 8,
        attachment_size: 9,
    };
    assert_eq!(read(&meta, plain::response), Some(meta));
}

#[test]
fn a_number_of_more_than_32_bits_is_left_to_prost() {
    let request_id = |number: &[u8]| {
        let header = Bytes::from([&[0x18], number].concat());
        plain::request(&header, header.len()).map(|meta| meta.request_id)
    };
    assert_eq!(request_id(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Some(u32::MAX));
    assert_eq!(request_id(&[0x80, 0x80, 0x80, 0x80, 0x10]), None);
    assert_eq!(request_id(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]), None);
}

/// Reads a header that is followed by other bytes.
fn read<M: Message>(meta: &M, read: fn(&Bytes, usize) -> Option<M>) -> Option<M> {
    let mut frame = meta.encode_to_vec();
    let len = frame.len();
    frame.extend_from_slice(&[0x08, 1]);
    read(&frame.into(), len)
}

fn written_alike(meta: &(impl Message + Plain)) -> Result<(), TestCaseError> {
    if let Some(len) = meta.plain_len() {
        let mut out = Vec::new();
        meta.write_plain(&mut out);
        prop_assert_eq!(len, out.len());
        prop_assert_eq!(out, meta.encode_to_vec());
    }
    Ok(())
}

/// Good headers, half of them with some bytes replaced.
fn header(good: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Bytes> {
    let wrong = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (good, wrong).prop_map(|(mut header, wrong)| {
        for (place, byte) in wrong {
            if !header.is_empty() {
                let place = place.index(header.len());
                header[place] = byte;
            }
        }
        header.into()
    })
}
