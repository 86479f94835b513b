//! Bodies that are unpacked, requests that are kept, and calls count at their connection.
//! Statistics tell of them.

use crate::conn::config::CALL_STATE;
use crate::conn::{Charge, Config, Event, Outbox, Outcome, Sent};
use crate::framing::{StreamId, UnaryContent};
use crate::wires::Begun;

use super::pair::{End, Pair, UNARY, head};

const LIMIT: usize = 100_000;

fn server() -> End {
    End::server(Config { unread: LIMIT, ..Config::default() })
}

fn unread(end: &End) -> (usize, usize) {
    let buffered = end.conn.buffered();
    (buffered.unread, buffered.reserved)
}

#[test]
fn bodies_and_requests_count_at_their_connection_while_they_are_unpacked() {
    let mut server = server();
    let (mut body, mut request) = (Charge::default(), Charge::default());
    assert_eq!(server.conn.recharge(&mut body, 20_000), Ok(()));
    assert_eq!(unread(&server), (20_000, 20_000));
    assert_eq!(server.conn.recharge_request(&mut request, 30_000), Ok(()));
    assert_eq!(unread(&server), (50_000, 50_000));
    assert!(server.conn.recharge_request(&mut request, LIMIT).is_err());
    assert_eq!(server.conn.recharge(&mut body, 0), Ok(()));
    assert_eq!(server.conn.recharge_request(&mut request, 0), Ok(()));
    assert_eq!(unread(&server), (0, 0));
}

#[test]
fn a_request_that_is_kept_counts_until_its_stream_is_let_go_of() {
    let server = Config { unread: LIMIT, ..Config::default() };
    let mut pair = Pair::with(Config::default(), server);
    let (_, served) = pair.open();
    let before = unread(&pair.server);
    assert_eq!(pair.server.conn.recount_request(served.key, 0, 30_000), Ok(()));
    assert_eq!(unread(&pair.server), (before.0 + 30_000, before.1 + 30_000));
    assert!(pair.server.conn.recount_request(served.key, 30_000, LIMIT).is_err());
    assert_eq!(unread(&pair.server).0, before.0 + 30_000);
    assert_eq!(pair.server.conn.recount_request(served.key, 30_000, 10_000), Ok(()));
    assert_eq!(unread(&pair.server), (before.0 + 10_000, before.1 + 10_000));
    pair.server.conn.release(served.key);
    assert_eq!(unread(&pair.server), (0, 0));
}

/// Only messages of streams can go beyond what there is room for. One that is begun, and of which
/// no more comes for now, must not keep its connection from being read to its end.
#[test]
fn a_message_that_has_settled_counts_and_keeps_nobody_from_reading() {
    let mut server = server();
    assert_eq!(server.conn.hold_input(LIMIT + 1, Begun::Message(StreamId(100))), Ok(()));
    assert!(!server.conn.wants_input());
    server.conn.count_settled(LIMIT + 1);
    assert!(server.conn.wants_input());
    server.conn.count_settled(LIMIT + 2);
    assert_eq!(unread(&server).0, LIMIT + 2);
}

#[test]
fn a_call_counts_with_its_attachment_and_needs_no_room_for_what_it_has() {
    let mut pair = Pair::with(Config::default(), Config { unread: LIMIT, ..Config::default() });
    let write = |out: &mut Vec<u8>| out.extend_from_slice(&[7; 30_000]);
    pair.client
        .conn
        .call(head(UNARY), false, None, UnaryContent::new(30_000, write).with(&[7; 20_000]))
        .unwrap();
    pair.run();
    let key = pair.server.next_call().key;
    assert_eq!(unread(&pair.server).0, CALL_STATE + 50_000);
    assert_eq!(pair.server.conn.hold_input(LIMIT - 50_000, Begun::Message(StreamId(100))), Ok(()));
    assert_eq!(pair.server.conn.recount_call(key, 30_000, 30_000), Ok(()));
    assert!(pair.server.conn.recount_call(key, 30_000, 30_001).is_err());
}

#[cfg(feature = "testing")]
#[test]
fn statistics_tell_streams_calls_and_bytes() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    let (other, _) = pair.open();
    pair.client.send(key, &[7; 100]).unwrap();
    pair.client.send(other, &[7; 30]).unwrap();
    pair.client
        .conn
        .call(head(UNARY), false, None, UnaryContent::new(0, |_: &mut Vec<u8>| {}))
        .unwrap();
    pair.run();
    pair.server.send(served.key, &[7; 1_000]).unwrap();
    let stats = pair.server.conn.stats();
    assert_eq!((stats.streams, stats.calls, stats.unread, stats.unread_of_one), (2, 1, 130, 100));
    assert_eq!(stats.unwritten, pair.server.conn.output_len());
}

#[test]
fn a_writer_that_waits_for_room_is_told_of_the_end_of_its_stream() {
    for waits in [true, false] {
        let mut pair = Pair::with(Config::default(), Config { outbox: 1_000, ..Config::default() });
        let (key, served) = pair.open();
        let server = &mut pair.server;
        let (mut ticket, full) = (None, vec![7; 1_000]);
        let write = |out: &mut Vec<u8>| out.extend_from_slice(&full);
        while server.conn.send(served.key, full.len(), &mut ticket, write) == Ok(Sent::Queued) {}
        if waits {
            server.conn.wait_for_room(served.key);
        }
        // Nothing of it was written: no room is granted.
        pair.client.conn.reset(key, Outcome::of_codes(1, 0, ""));
        let told = pair.client.conn.take_output(Outbox::default()).to_vec();
        pair.server.receive(&told, pair.now).unwrap();
        let writable = |event: &Event| matches!(event, Event::Writable(key) if *key == served.key);
        assert_eq!(pair.server.events.iter().any(writable), waits);
    }
}
