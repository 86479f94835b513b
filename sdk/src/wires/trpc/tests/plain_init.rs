//! The INITs that are read and written without prost are those that prost reads and writes.

use bytes::Bytes;
use proptest::prelude::*;
use trill_proto::prost::Message;
use trill_proto::{InitMeta, InitRequestMeta, InitResponseMeta, TransInfoEntry};

use crate::framing::{Head, StreamId};
use crate::wires::trpc::encode::{self, HeaderFields};
use crate::wires::trpc::{head, plain};

use super::plain::header;
use super::round_trip::init_meta;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_is_read_of_an_init_is_what_prost_reads(message in header(usual().prop_map(|meta| meta.encode_to_vec()))) {
        if let Some(plain) = plain::open(&message) {
            let meta = InitMeta::decode(&message[..]).unwrap();
            prop_assert_eq!(Some(plain), of_meta(meta));
        }
    }

    #[test]
    fn what_is_read_of_an_answer_is_what_prost_reads(message in header(usual().prop_map(|meta| meta.encode_to_vec()))) {
        if let Some(window) = plain::accepted(&message) {
            let meta = InitMeta::decode(&message[..]).unwrap();
            prop_assert_eq!(Ok(window), head::read_opened(meta));
        }
    }

    #[test]
    fn an_init_is_written_as_prost_writes_it(meta in usual(), window: u32) {
        let Some(opening) = head::read_open(meta.clone()) else { return Ok(()) };
        let callee = meta.request_meta.map(|meta| meta.callee).unwrap_or_default();
        let head = Head { callee, metadata: Default::default(), timeout: None, ..opening.head };
        let plain = plain::PlainOpen { head: &head, window };
        prop_assert_eq!(written(&plain), written(&head::open(head.clone(), window)));
    }

    #[test]
    fn an_answer_is_written_as_prost_writes_it(window: u32, content_type: u32) {
        let response_meta = Some(InitResponseMeta::default());
        let full =
            InitMeta { response_meta, init_window_size: window, content_type, ..InitMeta::default() };
        prop_assert_eq!(written(&plain::PlainAccept { window, content_type }), written(&full));
    }
}

/// Half of the messages have nothing that only prost reads.
fn usual() -> impl Strategy<Value = InitMeta> {
    (init_meta(), any::<bool>()).prop_map(|(mut meta, plain)| {
        if plain && let Some(request) = &mut meta.request_meta {
            request.trans_info.clear();
            meta.response_meta = None;
        } else if plain {
            meta.response_meta = Some(InitResponseMeta::default());
        }
        meta
    })
}

fn of_meta(meta: InitMeta) -> Option<plain::PlainOpen<Head>> {
    head::read_open(meta).map(|opening| plain::PlainOpen {
        window: opening.window,
        head: Head { callee: Bytes::new(), ..opening.head },
    })
}

/// The frame with this message.
fn written(message: &impl HeaderFields) -> Vec<u8> {
    let mut out = Vec::new();
    encode::init(&mut out, StreamId(7), message);
    assert_eq!(out.len(), super::HEADER_LEN + message.size());
    out
}

fn request() -> InitRequestMeta {
    InitRequestMeta {
        caller: Bytes::from_static(b"caller"),
        callee: Bytes::from_static(b"callee"),
        func: Bytes::from(vec![b'x'; 300]),
        message_type: 4,
        trans_info: vec![],
    }
}

#[test]
fn every_field_but_metadata_is_plain() {
    let meta = InitMeta {
        request_meta: Some(request()),
        init_window_size: u32::MAX,
        content_type: 2,
        content_encoding: 3,
        ..InitMeta::default()
    };
    let read = plain::open(&meta.encode_to_vec().into());
    assert!(read.is_some());
    assert_eq!(read, of_meta(meta));
    let accepted = InitMeta {
        response_meta: Some(InitResponseMeta::default()),
        init_window_size: 65_535,
        content_type: 2,
        content_encoding: 3,
        ..InitMeta::default()
    };
    assert_eq!(plain::accepted(&accepted.encode_to_vec()), Some(65_535));
    assert_eq!(plain::accepted(&[]), Some(0), "no answer is success");
}

#[test]
fn the_rest_is_left_to_prost() {
    let trans_info = vec![TransInfoEntry::new("key", "value")];
    let with_metadata = InitRequestMeta { trans_info, ..request() };
    let refusal = InitResponseMeta { ret: 21, ..InitResponseMeta::default() };
    let metas = [
        InitMeta::default(),
        InitMeta { request_meta: Some(with_metadata), ..InitMeta::default() },
        InitMeta {
            request_meta: Some(request()),
            response_meta: Some(InitResponseMeta::default()),
            ..InitMeta::default()
        },
    ];
    for meta in metas {
        assert_eq!(plain::open(&meta.encode_to_vec().into()), None, "{meta:?}");
    }
    let twice = InitMeta { request_meta: Some(request()), ..InitMeta::default() }.encode_to_vec();
    assert_eq!(plain::open(&[&twice[..], &twice].concat().into()), None, "prost merges the two");
    let refused = InitMeta { response_meta: Some(refusal), ..InitMeta::default() };
    assert_eq!(plain::accepted(&refused.encode_to_vec()), None);
}
