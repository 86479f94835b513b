//! The headers that are read and written here are those that prost reads and writes.

use bytes::Bytes;
use proptest::prelude::*;
use trill_proto::prost::Message;
use trill_proto::{RequestProtocol, ResponseProtocol, TransInfoEntry};

use crate::framing::{Answer, Head, Outcome};
use crate::wires::trpc::encode::UnaryHeader;
use crate::wires::trpc::{CallTag, head, plain};

use super::round_trip::{request_meta, response_meta};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_request_is_written_as_prost_writes_it(meta in request_meta(), one_way: bool) {
        let callee = meta.callee.clone();
        let head = Head { callee, metadata: Default::default(), ..head::read_request(meta.clone()) };
        let (id, size) = (meta.request_id, meta.attachment_size);
        let full = head::request(head.clone(), id, one_way, size);
        written_alike(&head::plain_request(&head, id, one_way, size), &full)?;
    }

    #[test]
    fn an_answer_is_written_as_prost_writes_it(meta in response_meta()) {
        let tag = CallTag {
            request_id: meta.request_id,
            message_type: meta.message_type,
            content_type: meta.content_type,
            ..CallTag::default()
        };
        let (encoding, size) = (meta.content_encoding, meta.attachment_size);
        let outcome = Outcome { message: meta.error_msg.clone(), ..Outcome::default() };
        let full = head::response(tag, outcome, encoding, size);
        written_alike(&head::plain_response(tag, &meta.error_msg, encoding, size), &full)?;
    }

    #[test]
    fn what_is_read_of_a_request_is_what_prost_reads(header in header(request_meta().prop_map(|meta| meta.encode_to_vec()))) {
        if let Some(plain) = plain::request(&header, header.len()) {
            prop_assert_eq!(plain, of_request(RequestProtocol::decode(header).unwrap()));
        }
    }

    #[test]
    fn what_is_read_of_an_answer_is_what_prost_reads(header in header(response_meta().prop_map(|meta| meta.encode_to_vec()))) {
        if let Some(plain) = plain::response(&header, header.len()) {
            prop_assert_eq!(plain, of_response(ResponseProtocol::decode(header).unwrap()));
        }
    }

    #[test]
    fn an_answer_that_is_well_is_read_alike_by_both(mut meta in response_meta()) {
        (meta.ret, meta.func_ret) = (0, 0);
        meta.trans_info.clear();
        let answer = head::read_response(meta.clone(), Bytes::new(), Bytes::new());
        let message = meta.error_msg.clone();
        let (content_type, content_encoding) = (meta.content_type, meta.content_encoding);
        let outcome = Outcome { message, ..Outcome::default() };
        let (body, attachment) = (Bytes::new(), Bytes::new());
        prop_assert_eq!(answer, Answer { outcome, body, attachment, content_type, content_encoding });
        prop_assert!(read(&meta, plain::response).is_some());
    }
}

/// The same, of a header that prost has read.
fn of_request(meta: RequestProtocol) -> plain::PlainRequest<Head> {
    plain::PlainRequest {
        request_id: meta.request_id,
        call_type: meta.call_type,
        timeout: meta.timeout,
        attachment_size: meta.attachment_size,
        head: Head { callee: Bytes::new(), ..head::read_request(meta) },
    }
}

fn of_response(meta: ResponseProtocol) -> plain::PlainResponse<Bytes> {
    plain::PlainResponse {
        request_id: meta.request_id,
        ret: meta.ret.try_into().expect("it is not negative"),
        func_ret: meta.func_ret.try_into().expect("it is not negative"),
        message: meta.error_msg,
        message_type: meta.message_type,
        content_type: meta.content_type,
        content_encoding: meta.content_encoding,
        attachment_size: meta.attachment_size,
    }
}

#[test]
fn every_field_but_metadata_is_plain() {
    let meta = RequestProtocol {
        version: 1,
        call_type: 2,
        request_id: u32::MAX,
        timeout: 128,
        caller: Bytes::from_static(b"caller"),
        callee: Bytes::from_static(b"callee"),
        func: Bytes::from(vec![b'x'; 300]),
        message_type: 5,
        trans_info: vec![],
        content_type: 6,
        content_encoding: 7,
        attachment_size: 8,
    };
    assert_eq!(read(&meta, plain::request), Some(of_request(meta)));
    let meta = ResponseProtocol {
        version: 1,
        call_type: 2,
        request_id: 3,
        ret: 101,
        func_ret: 5,
        error_msg: Bytes::from_static(b"text"),
        message_type: 6,
        trans_info: vec![],
        content_type: 7,
        content_encoding: 8,
        attachment_size: 9,
    };
    assert_eq!(read(&meta, plain::response), Some(of_response(meta)));
}

#[test]
fn a_request_without_a_method_or_with_metadata_is_left_to_prost() {
    let meta = RequestProtocol { request_id: 7, ..RequestProtocol::default() };
    assert_eq!(read(&meta, plain::request), None);
    assert_eq!(read(&RequestProtocol::default(), plain::request), None);
    let func = Bytes::from_static(b"func");
    let trans_info = vec![TransInfoEntry::new("key", "value")];
    assert!(
        read(&RequestProtocol { func: func.clone(), ..meta.clone() }, plain::request).is_some()
    );
    assert_eq!(read(&RequestProtocol { func, trans_info, ..meta }, plain::request), None);
}

#[test]
fn a_number_of_more_than_32_bits_is_left_to_prost() {
    let request_id = |number: &[u8]| {
        let header = Bytes::from([&[0x32 + 8, 1, b'm', 0x18], number].concat());
        plain::request(&header, header.len()).map(|meta| meta.request_id)
    };
    assert_eq!(request_id(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Some(u32::MAX));
    assert_eq!(request_id(&[0x80, 0x80, 0x80, 0x80, 0x10]), None);
    assert_eq!(request_id(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]), None);
}

/// Reads a header that is followed by other bytes.
fn read<M: Message, P>(meta: &M, read: fn(&Bytes, usize) -> Option<P>) -> Option<P> {
    let mut frame = meta.encode_to_vec();
    let len = frame.len();
    frame.extend_from_slice(&[0x08, 1]);
    read(&frame.into(), len)
}

fn written_alike(plain: &impl UnaryHeader, full: &impl UnaryHeader) -> Result<(), TestCaseError> {
    let [mut one, mut other] = [Vec::new(), Vec::new()];
    plain.write(&mut one);
    full.write(&mut other);
    prop_assert_eq!((plain.size(), plain.attachment_size()), (one.len(), full.attachment_size()));
    prop_assert_eq!(one, other);
    Ok(())
}

/// Good headers, half of them with some bytes replaced.
pub(super) fn header(good: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Bytes> {
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
