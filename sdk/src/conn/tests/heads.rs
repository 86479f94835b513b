//! The memory that heads and ends of calls and streams keep.

use bytes::BytesMut;
use trill_proto::{RequestProtocol, TransInfoEntry};

use crate::conn::config::{CALL_STATE, MIN_WINDOW, STREAM_STATE, room_for};
use crate::conn::{Config, Ending, Head, IncomingCall, Outcome, SendError, Violation};
use crate::framing::{Side, StreamId, UnaryContent};
use crate::wires::Input;
use crate::wires::trpc::{
    CloseMeta, Decoder, Frame, HEADER_LEN, InitMeta, InitRequestMeta, UnaryHead, read_metadata,
};

use super::budgets::pair;
use super::pair::{Pair, STREAM, UNARY, head};

const MIB: usize = 1024 * 1024;

#[test]
fn the_size_of_a_head_counts_each_of_its_parts_once() {
    let head = Head {
        method: vec![b'm'; 1_000].into(),
        caller: vec![b'c'; 300].into(),
        callee: vec![b'd'; 70].into(),
        metadata: read_metadata(entries(20)),
        ..Head::default()
    };
    assert_eq!(head.size(), HEADER_LEN + 1_000 + 300 + 70 + head.metadata.cost());
}

/// `count` empty entries of metadata, with keys that differ.
fn entries(count: usize) -> Vec<TransInfoEntry> {
    (0..count).map(|at| TransInfoEntry::new(at.to_string(), "")).collect()
}

/// A request of a few bytes with such metadata, as a peer writes it that has no limit of its own.
fn request_with(entries: Vec<TransInfoEntry>) -> Vec<u8> {
    let head = UnaryHead { id: 7, version: 1, reserved: 0 };
    let meta = RequestProtocol {
        request_id: 7,
        func: UNARY.into(),
        caller: "a caller".into(),
        trans_info: entries,
        ..RequestProtocol::default()
    };
    let mut out = Vec::new();
    crate::wires::trpc::unary(
        &mut out,
        head,
        &meta,
        crate::wires::trpc::ANY,
        2,
        |out: &mut Vec<u8>| out.extend(b"hi"),
        &[],
    )
    .unwrap();
    out
}

#[test]
fn the_names_of_callers_count_for_calls_and_streams() {
    let (mut pair, _) = pair(4 * MIB);
    let caller = |number: u32| [&number.to_be_bytes()[..], &[b'c'; 50_000]].concat().into();
    for number in 1..=10 {
        let meta = RequestProtocol {
            request_id: number,
            func: UNARY.into(),
            caller: caller(number),
            ..RequestProtocol::default()
        };
        let (fixed, mut out) = (UnaryHead { id: number, version: 1, reserved: 0 }, Vec::new());
        crate::wires::trpc::unary(
            &mut out,
            fixed,
            &meta,
            crate::wires::trpc::ANY,
            0,
            |_: &mut Vec<u8>| {},
            &[],
        )
        .unwrap();
        pair.server.receive(&out, pair.now).unwrap();
        let request =
            InitRequestMeta { func: STREAM.into(), caller: caller(number), ..Default::default() };
        let meta = InitMeta {
            request_meta: Some(request),
            init_window_size: 65_535,
            ..Default::default()
        };
        let mut out = Vec::new();
        crate::wires::trpc::init(&mut out, StreamId(100 + u64::from(number)), &meta);
        pair.server.receive(&out, pair.now).unwrap();
    }
    let unread = pair.server.conn.buffered().unread;
    assert_eq!(unread, 10 * (CALL_STATE + STREAM_STATE + 2 * 50_004));
    assert!(pair.server.conn.last_caller.is_empty(), "nobody counts what is remembered");
    pair.server.receive(&request_with(Vec::new()), pair.now).unwrap();
    assert_eq!(pair.server.conn.last_caller, "a caller");
}

#[test]
fn metadata_counts_with_what_it_takes_in_memory_for_calls_streams_and_their_ends() {
    let (mut pair, pools) = pair(4 * MIB);
    pair.server.receive(&request_with(entries(1_000)), pair.now).unwrap();
    let call = pair.server.next_call();
    let counted = pair.server.conn.buffered();
    assert!((90_000..150_000).contains(&counted.unread), "{counted:?} for 7 KB on the wire");
    let kept = CALL_STATE + 2 + "a caller".len() + call.head.metadata.cost();
    assert_eq!((counted.reserved, counted.unread), (counted.unread, kept));
    pair.server.conn.release_call(call.key);
    assert_eq!(pair.server.conn.buffered().reserved, 0);

    let init = |id| {
        let request = InitRequestMeta {
            func: STREAM.into(),
            trans_info: entries(1_000),
            ..Default::default()
        };
        let meta = InitMeta {
            request_meta: Some(request),
            init_window_size: 65_535,
            ..Default::default()
        };
        let mut out = Vec::new();
        crate::wires::trpc::init(&mut out, id, &meta);
        out
    };
    pair.server.receive(&init(StreamId(100)), pair.now).unwrap();
    let stream = pair.server.next_stream();
    let counted = pair.server.conn.buffered();
    assert!(
        (90_000..150_000).contains(&counted.unread) && counted.reserved > 150_000,
        "{counted:?}"
    );
    let mut reset = Vec::new();
    let meta =
        CloseMeta { close_type: 1, ret: 1, msg: vec![b'x'; 50_000].into(), ..Default::default() };
    crate::wires::trpc::close(&mut reset, StreamId(100), &meta);
    pair.server.receive(&reset, pair.now).unwrap();
    assert_eq!(
        pair.server.conn.buffered().unread,
        counted.unread + 50_000,
        "how it ended is kept as well"
    );
    pair.server.conn.release(stream.key);
    assert_eq!((pair.server.conn.buffered().reserved, pools.unread.reserved()), (0, 0));

    // One connection has half of the server's room at most, however small all of this is on the
    // wire.
    let mut refused = 0;
    for id in 0..150 {
        pair.server.receive(&init(StreamId(200 + id)), pair.now).unwrap();
        pair.server.receive(&request_with(entries(1_000)), pair.now).unwrap();
    }
    for frame in pair.server.output_frames() {
        let ret = match frame {
            Frame::Init { meta, .. } => meta.response_meta.map_or(0, |meta| meta.ret),
            Frame::Response { meta, .. } => meta.ret,
            _ => 0,
        };
        refused += usize::from(ret == 22);
    }
    assert!(refused > 200, "{refused}");
    let unread = pair.server.conn.buffered().unread;
    assert!(unread <= 4 * MIB + 200_000, "{unread}");
}

#[test]
fn a_stream_needs_room_for_its_smallest_window_and_its_state() {
    let needed = room_for(MIN_WINDOW) + STREAM_STATE;
    for (unread, is_admitted) in [(needed, true), (needed - 1, false)] {
        let mut pair = Pair::with(Config::default(), Config { unread, ..Config::default() });
        let key = pair.client.conn.open(head(STREAM), None, pair.now).unwrap();
        pair.run();
        let opened = pair.client.conn.opened(key) == Some(Ok(()));
        let ended = pair.client.conn.ended(key);
        assert_eq!(opened, is_admitted, "{unread} of {needed}: {ended:?}");
        assert!(
            is_admitted || matches!(&ended, Some(Ending::Refused(why)) if why.codes().0 == 22),
            "{ended:?}"
        );
    }
}

#[test]
fn more_metadata_entries_than_one_header_carries_end_that_call_or_stream_and_are_not_sent() {
    let mut pair = Pair::new();
    pair.server.receive(&request_with(entries(1_001)), pair.now).unwrap();
    let [Frame::Response { meta, .. }] = &pair.server.output_frames()[..] else {
        panic!("one answer")
    };
    let said = String::from_utf8_lossy(&meta.error_msg).into_owned();
    assert_eq!((meta.ret, meta.request_id), (1, 7));
    assert!(said.contains("more than 1000 metadata entries"), "{said}");

    let (key, served) = pair.open();
    let mut close = Vec::new();
    let id = StreamId(100);
    crate::wires::trpc::close(
        &mut close,
        id,
        &CloseMeta { trans_info: entries(1_001), ..Default::default() },
    );
    pair.server.receive(&close, pair.now).unwrap();
    let too_many = Violation::TooManyEntries { limit: 1_000 };
    assert_eq!(pair.server.conn.ended(served.key), Some(Ending::Violation(too_many)));
    pair.run();
    let Some(Ending::Reset(outcome)) = pair.client.conn.ended(key) else {
        panic!("{:?}", pair.client.seen)
    };
    assert_eq!(outcome.codes().0, 222);

    let mut full = head(UNARY);
    full.metadata = read_metadata(entries(1_001));
    let too_many = SendError::TooManyEntries { count: 1_001, limit: 1_000 };
    let none = |_: &mut Vec<u8>| {};
    let called = pair.client.conn.call(full.clone(), false, None, UnaryContent::new(0, none));
    assert_eq!(called, Err(too_many.clone()));
    assert_eq!(pair.client.conn.open(full, None, pair.now), Err(too_many.clone()));
    pair.server.receive(&request_with(entries(1_000)), pair.now).unwrap();
    let call = pair.server.next_call().key;
    let outcome = Outcome { metadata: read_metadata(entries(1_001)), ..Outcome::default() };
    assert_eq!(pair.server.conn.reply(call, outcome, 0, UnaryContent::new(0, none)), Err(too_many));
}

#[test]
fn a_call_that_goes_on_does_not_keep_the_buffer_that_it_came_in() {
    for entries in [entries(0), entries(3)] {
        let mut pair = Pair::new();
        let mut request = request_with(entries);
        // A part of the two bytes is the attachment.
        let at = request.len() - 2;
        let size = u8::try_from(request.len() - HEADER_LEN - 2).unwrap() + 2;
        request.splice(at..at, [0x60, 1]);
        (request[7], request[9]) = (request[7] + 2, size);
        // The next request is in the same read.
        let mut read = BytesMut::from(&[&request[..], &request[..9]].concat()[..]);
        let frame = Decoder::new(Side::Server, MIB).decode(&mut read).unwrap().unwrap();
        let rest = read.freeze();
        pair.server.conn.handle_input(Input::of(frame, Side::Server), pair.now).unwrap();
        pair.server.conn.take_events(&mut pair.server.events);
        let IncomingCall { body, head, attachment, .. } = pair.server.next_call();
        assert_eq!(
            (&body[..], &attachment[..], &head.caller[..]),
            (&b"h"[..], &b"i"[..], &b"a caller"[..])
        );
        assert!(!rest.is_unique());
        // The handler has its message made of the body, and keeps everything else.
        drop(body);
        assert!(rest.is_unique(), "{head:?}");
    }
}
