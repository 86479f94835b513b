//! How streams begin.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::conn::{Config, Ending, Event, Head, Outcome, SendError};
use crate::framing::StreamId;
use crate::wires::trpc::{Frame, HEADER_LEN};

use super::pair::{End, Pair, STREAM, UNARY, epoch, head};

#[test]
fn a_client_cannot_send_before_its_init_is_answered() {
    let mut client = End::client(Config::default());
    let key = client.conn.open(head(STREAM), None, epoch()).unwrap();
    assert_eq!(client.conn.opened(key), None);
    assert_eq!(client.send(key, b"early"), Err(SendError::HalfClosed));
    assert!(matches!(client.output_frames()[..], [Frame::Init { id: StreamId(100), .. }]));
}

#[test]
fn a_client_does_not_send_an_init_above_its_own_limit_for_headers() {
    let config = Config { max_header: 100, ..Config::default() };
    let mut client = End::client(config.clone());
    let mut named = |caller: usize| {
        let caller = vec![b'x'; caller].into();
        let opened = client.conn.open(Head { caller, ..head(STREAM) }, None, epoch());
        (opened, client.output().len())
    };
    // The header is as much longer as the name is, while no length takes two bytes.
    let (opened, empty) = named(1);
    assert!(opened.is_ok());
    let longest = 1 + HEADER_LEN + config.max_header - empty;
    let (opened, sent) = named(longest);
    assert_eq!((opened.is_ok(), sent), (true, HEADER_LEN + config.max_header));
    let (opened, sent) = named(longest + 1);
    assert_eq!((opened, sent), (Err(SendError::HeaderTooLarge { size: 101, limit: 100 }), 0));
}

#[test]
fn an_init_takes_what_a_frame_may_and_not_a_byte_more() {
    let named = |max_sent, caller: usize| {
        let mut client = End::client(Config { max_sent, ..Config::default() });
        let caller = vec![b'x'; caller].into();
        (client.conn.open(Head { caller, ..head(STREAM) }, None, epoch()), client.output().len())
    };
    let (_, size) = named(1_000, 50);
    assert!(named(size, 50).0.is_ok());
    let error = SendError::TooLarge { size: size + 1, limit: size };
    assert_eq!(named(size, 51), (Err(error), 0));
}

#[test]
fn the_opener_is_told_when_the_stream_is_open() {
    let mut pair = Pair::new();
    let key = pair.client.conn.open(head(STREAM), None, pair.now).unwrap();
    assert_eq!(pair.client.conn.opened(key), None);
    pair.run();
    assert!(matches!(pair.client.events[..], [Event::Changed(changed)] if changed == key));
    assert_eq!(pair.client.conn.opened(key), Some(Ok(())));
}

#[test]
fn a_stream_that_ends_before_its_opener_looks_was_open_all_the_same() {
    let mut pair = Pair::new();
    let key = pair.client.conn.open(head(STREAM), None, pair.now).unwrap();
    let request = pair.client.output();
    pair.server.receive(&request, pair.now).unwrap();
    let served = pair.server.next_stream();
    pair.server.send(served.key, b"short").unwrap();
    pair.server.conn.close(served.key, Outcome::default());
    pair.run();
    assert_eq!(pair.client.conn.opened(key), Some(Ok(())));
    assert_eq!(pair.client.read_all(key).0, ["short"]);
}

#[test]
fn init_and_its_answer_say_how_messages_are_written() {
    let mut pair = Pair::new();
    let sent = Head { content_type: 2, content_encoding: 3, ..head(STREAM) };
    pair.client.conn.open(sent, None, pair.now).unwrap();
    pair.run();
    let [Frame::Init { meta, .. }] = &pair.server.seen[..] else { panic!("INIT has come") };
    assert_eq!((meta.content_type, meta.content_encoding), (2, 3));
    let got = pair.server.next_stream().head;
    assert_eq!((got.content_type, got.content_encoding), (2, 3));
    let [Frame::Init { meta, .. }] = &pair.client.seen[..] else { panic!("it is answered") };
    assert_eq!(meta.content_type, 2);
}

#[test]
fn init_carries_head_and_metadata_and_is_answered_with_response_meta_and_window() {
    let mut pair = Pair::new();
    let mut sent = head(STREAM);
    sent.caller = "trpc.a.b.c".into();
    sent.callee = "test.Pair".into();
    sent.metadata.put("key", "value");
    pair.client.conn.open(sent.clone(), None, pair.now).unwrap();
    pair.run();
    let got = pair.server.next_stream();
    // The names that were looked up are not kept as long as the stream.
    assert_eq!(got.head, Head { method: Bytes::new(), callee: Bytes::new(), ..sent });
    let asked = pair.server.seen.iter().find_map(|frame| match frame {
        Frame::Init { meta, .. } => meta.request_meta.clone(),
        _ => None,
    });
    let asked = asked.expect("INIT has come");
    assert_eq!((&asked.func[..], &asked.callee[..]), (STREAM.as_bytes(), &b"test.Pair"[..]));
    let [Frame::Init { meta, .. }] = &pair.client.seen[..] else { panic!("one INIT comes back") };
    assert!(meta.response_meta.is_some() && meta.request_meta.is_none());
    assert_eq!(meta.init_window_size, 65_535);
}

#[test]
fn a_stream_nobody_serves_is_refused_with_the_servers_code_and_nothing_follows() {
    for method in [UNARY, "/no.Such/Method"] {
        let mut pair = Pair::new();
        let key = pair.client.conn.open(head(method), None, pair.now).unwrap();
        pair.run();
        let refusal = Arc::new(Outcome::of_codes(12, 0, "no such method"));
        assert_eq!(pair.client.conn.opened(key), Some(Err(Ending::Refused(refusal))));
        assert_eq!(pair.client.seen.len(), 1);
        assert_eq!((pair.client.conn.live_streams(), pair.server.conn.live_streams()), (0, 0));
        pair.client.conn.release(key);
        assert!(pair.client.output().is_empty(), "a refused stream needs no RESET");
    }
}

#[test]
fn more_streams_than_the_limit_are_refused_until_one_is_over() {
    let mut pair = Pair::with(Config::default(), Config { max_streams: 1, ..Config::default() });
    let (first, served) = pair.open();
    let second = pair.client.conn.open(head(STREAM), None, pair.now).unwrap();
    pair.run();
    let Some(Err(Ending::Refused(refusal))) = pair.client.conn.opened(second) else {
        panic!("refused")
    };
    assert_eq!(refusal.codes().0, 22);
    assert!(refusal.message.ends_with(b"at most 1 (max_streams_per_connection)"));

    pair.server.conn.close(served.key, Outcome::default());
    pair.server.conn.release(served.key);
    pair.run();
    pair.client.conn.release(first);
    pair.open();
}

#[test]
fn a_draining_server_refuses_new_streams_and_keeps_the_old() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    pair.server.conn.drain();
    let late = pair.client.conn.open(head(STREAM), None, pair.now).unwrap();
    pair.run();
    assert!(
        matches!(pair.client.conn.opened(late), Some(Err(Ending::Refused(why))) if why.codes().0 == 22)
    );
    pair.client.send(key, b"still here").unwrap();
    pair.run();
    assert_eq!(pair.server.read_all(served.key).0, ["still here"]);
}

#[test]
fn ids_start_at_100_and_pass_over_those_in_use() {
    let mut pair = Pair::new();
    for _ in 0..3 {
        pair.open();
    }
    let ids: Vec<_> = pair
        .server
        .seen
        .iter()
        .filter_map(|frame| if let Frame::Init { id, .. } = frame { Some(id.0) } else { None })
        .collect();
    assert_eq!(ids, [100, 101, 102]);
}

#[test]
fn metadata_that_does_not_fit_into_a_frame_is_refused_before_anything_is_written() {
    let mut client = End::client(Config { max_sent: 2_000, ..Config::default() });
    let mut large = head(STREAM);
    large.metadata.put("key", vec![0; 3_000]);
    assert!(matches!(
        client.conn.open(large, None, epoch()),
        Err(SendError::TooLarge { limit: 2_000, .. })
    ));
    assert!(client.output().is_empty());
}

#[test]
fn a_call_carries_a_thousand_entries_of_metadata_and_no_more() {
    let mut client = End::client(Config::default());
    let mut sent = head(STREAM);
    for n in 0..1_000 {
        sent.metadata.put(format!("key-{n}"), "");
    }
    assert!(client.conn.open(sent.clone(), None, epoch()).is_ok());
    sent.metadata.put("one-more", "");
    let error = SendError::TooManyEntries { count: 1_001, limit: 1_000 };
    assert_eq!(client.conn.open(sent, None, epoch()), Err(error));
}

#[test]
fn a_client_was_used_once_it_has_opened_a_stream() {
    let mut pair = Pair::new();
    assert!(!pair.client.conn.was_used());
    let (key, served) = pair.open();
    assert!(pair.client.conn.was_used());
    pair.server.conn.close(served.key, Outcome::default());
    pair.run();
    pair.client.conn.release(key);
    assert!(pair.client.conn.was_used(), "also when it is over");
    assert!(!pair.server.conn.was_used(), "it has opened none");
}

#[test]
fn a_stream_that_has_waited_for_room_must_be_open_within_what_is_left_of_its_time() {
    let mut pair = Pair::new();
    let key = pair.client.conn.open(head(STREAM), None, pair.now).unwrap();
    pair.client.output();
    assert_eq!(pair.client.conn.open_by(key), Some(pair.now + Config::default().open_timeout));
    let by = pair.now + Duration::from_secs(3);
    pair.client.conn.set_open_by(key, by);
    assert_eq!(pair.client.conn.open_by(key), Some(by));
    pair.wait(Duration::from_secs(2));
    assert_eq!(pair.client.conn.opened(key), None);
    pair.wait(Duration::from_secs(1));
    let timeout = Config::default().open_timeout;
    assert_eq!(pair.client.conn.opened(key), Some(Err(Ending::OpenTimeout(timeout))));
    // The first limit tells nobody any more.
    pair.wait(timeout);
}
