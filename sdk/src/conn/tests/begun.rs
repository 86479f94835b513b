//! Frames that are begun: how long they may take, what they hold, and what becomes of those that
//! are not taken.

use std::time::Duration;

use crate::conn::{Cancel, Config, ConnError, Consumed, Ending, Front, Violation};
use crate::framing::{Side, StreamId, UnaryContent};
use crate::wires::trpc::{self as wire, Frame, HEADER_LEN};
use crate::wires::{Begun, CallTag, Input, Skip, trpc};

use super::budgets::pair;
use super::pair::{End, Pair, UNARY, epoch, head};

const MIB: usize = 1024 * 1024;
const SECOND: Duration = Duration::from_secs(1);

fn came(bytes: usize) -> Front {
    Front { came: bytes, skipped: false }
}

/// Looks as often as the connection wants, up to that moment.
fn look_until(end: &mut End, until: Duration) {
    while let Some(next) = end.conn.next_deadline().filter(|next| *next <= epoch() + until) {
        end.conn.handle_timeout(next);
    }
}

#[test]
fn a_frame_that_does_not_go_on_ends_its_connection_whichever_it_is_and_a_slow_one_does_not() {
    for side in [Side::Server, Side::Client] {
        let end = || match side {
            Side::Server => End::server(Config::default()),
            Side::Client => End::client(Config::default()),
        };
        let mut stuck = end();
        stuck.conn.handle_front(came(10 * MIB - 1), epoch());
        look_until(&mut stuck, 9 * SECOND);
        // A trickle is no progress.
        stuck.conn.handle_front(came(10 * MIB - 1 + 60_000), epoch() + 9 * SECOND);
        assert_eq!(stuck.conn.lost(), None);
        look_until(&mut stuck, 13 * SECOND);
        assert_eq!(stuck.conn.lost(), Some(&ConnError::Frame(10 * SECOND)));

        let mut slow = end();
        for step in 0..100_u32 {
            let at = epoch() + 9 * step * SECOND;
            slow.conn.handle_front(came(1 + 64 * 1024 * step as usize), at);
            look_until(&mut slow, 9 * (step + 1) * SECOND);
        }
        assert_eq!(slow.conn.lost(), None, "64 KiB in 9 s are enough");

        let mut busy = end();
        for step in 0..100_u32 {
            let at = epoch() + 9 * step * SECOND;
            let mut bytes = Vec::new();
            wire::feedback(&mut bytes, StreamId(100), 1);
            busy.receive(&bytes, at).unwrap();
            busy.conn.handle_front(came(1), at);
            look_until(&mut busy, 9 * (step + 1) * SECOND);
        }
        assert_eq!(busy.conn.lost(), None, "it is another frame each time");
        busy.conn.handle_front(came(0), epoch() + 900 * SECOND);
        look_until(&mut busy, 1_000 * SECOND);
        assert_eq!((busy.conn.lost(), busy.conn.next_deadline()), (None, None), "nothing is begun");
    }
}

#[test]
fn time_in_which_this_side_does_not_read_does_not_count_for_a_frame() {
    let mut pair = Pair::with(Config { window: 0, ..Config::default() }, Config::default());
    let (key, served) = pair.open();
    while pair.server.conn.wants_input() {
        pair.client.send(key, &[7; 10_000]).unwrap();
        pair.run();
    }
    pair.server.conn.handle_front(came(100), pair.now);
    look_until(&mut pair.server, 1_000 * SECOND);
    assert_eq!(pair.server.conn.lost(), None);
    pair.server.read_all(served.key);
    look_until(&mut pair.server, 1_020 * SECOND);
    assert_eq!(pair.server.conn.lost(), Some(&ConnError::Frame(10 * SECOND)));
}

#[test]
fn what_is_begun_counts_until_it_is_handed_over_and_a_message_without_room_ends_its_connection() {
    let (mut pair, pools) = pair(4 * MIB);
    let server = &mut pair.server.conn;
    let call = call_of(1, false);
    server.hold_input(3 * MIB, call).unwrap();
    let counted = (server.buffered().unread, server.buffered().reserved, pools.unread.reserved());
    assert_eq!(counted, (3 * MIB, 3 * MIB, 3 * MIB));
    server.hold_input(8 * MIB, call).unwrap();
    let over = server.hold_input(9 * MIB, call).unwrap_err();
    assert_eq!((over.used, over.setting), (0, "max_unread"));
    assert_eq!(server.buffered().unread, 8 * MIB, "it has what it had");
    server.count_input(0);
    assert_eq!((server.buffered().unread, pools.unread.reserved()), (0, 0));

    // A message may go above the limit, as one that is whole may.
    server.hold_input(5 * MIB, Begun::Message(StreamId(100))).unwrap();
    assert!(server.hold_input(20 * MIB, Begun::Message(StreamId(100))).is_err());
    server.handle_front(came(5 * MIB), epoch());
    look_until(&mut pair.server, 13 * SECOND);
    let lost = pair.server.conn.lost();
    let Some(ConnError::NoRoom { over, limit }) = lost else { panic!("{lost:?}") };
    assert_eq!((over.limit, *limit), (8 * MIB, 10 * SECOND));
}

/// Larger than the server of [`pair`] takes.
const LARGE: usize = 2 * MIB;

fn call_of(request_id: u32, one_way: bool) -> Begun {
    let tag = trpc::CallTag { request_id, ..trpc::CallTag::default() };
    Begun::Call { tag: CallTag::Trpc(tag), one_way }
}

fn skipped(of: Begun, why: Skip) -> Input {
    Input::Skipped { of, size: LARGE, why }
}

#[test]
fn a_message_that_is_too_large_ends_its_call_or_stream_alone_on_both_sides() {
    let (mut pair, _) = pair(4 * MIB);
    let (other, _) = pair.open();
    let (key, served) = pair.open();
    let data = Begun::Message(StreamId(101));
    pair.server.conn.handle_input(skipped(data, Skip::TooLarge), pair.now).unwrap();
    let too_large = Ending::TooLarge { size: LARGE, limit: MIB };
    assert_eq!(pair.server.conn.ended(served.key), Some(too_large.clone()));
    pair.run();
    let Some(Ending::Reset(outcome)) = pair.client.conn.ended(key) else {
        panic!("it was broken off")
    };
    let text = "a message takes 2097152 bytes on the wire, at most 1048576 are accepted (max_message_received)";
    assert_eq!((outcome.codes().0, &outcome.message[..]), (211, text.as_bytes()));

    let (key, served) = pair.open();
    let data = Begun::Message(StreamId(102));
    pair.client.conn.handle_input(skipped(data, Skip::TooLarge), pair.now).unwrap();
    assert_eq!(pair.client.conn.ended(key), Some(too_large.clone()));
    pair.run();
    let ending = pair.server.conn.ended(served.key);
    assert!(matches!(ending, Some(Ending::Reset(outcome)) if outcome.codes().0 == 311));

    // Peers disagree about the id in the fixed header.
    let call = call_of(7, false);
    for (why, code) in [(Skip::TooLarge, 1), (Skip::NoRoom, 22)] {
        pair.server.conn.handle_input(skipped(call, why), pair.now).unwrap();
        let [Frame::Response { meta, .. }] = &pair.server.output_frames()[..] else {
            panic!("one answer")
        };
        assert_eq!((meta.request_id, meta.ret), (7, code));
    }
    let one_way = call_of(8, true);
    pair.server.conn.handle_input(skipped(one_way, Skip::TooLarge), pair.now).unwrap();
    assert!(pair.server.output_frames().is_empty());

    let none = |_: &mut Vec<u8>| {};
    let call = pair
        .client
        .conn
        .call(head(UNARY), false, None, UnaryContent::new(0, none))
        .unwrap()
        .unwrap();
    let answer = call_of(1, false);
    pair.client.conn.handle_input(skipped(answer, Skip::TooLarge), pair.now).unwrap();
    assert_eq!(pair.client.conn.answer(call), Some(Err(too_large)));
    assert_eq!(
        (pair.client.conn.ended(other), pair.client.conn.lost(), pair.server.conn.lost()),
        (None, None, None)
    );
}

#[test]
fn what_is_skipped_has_the_time_of_one_frame_for_all_of_it() {
    let mut server = End::server(Config::default());
    let of = Begun::Message(StreamId(100));
    server.conn.handle_input(skipped(of, Skip::TooLarge), epoch()).unwrap();
    for second in 0..10 {
        server.conn.handle_front(Front { came: 1, skipped: true }, epoch() + second * SECOND);
        look_until(&mut server, second * SECOND);
    }
    assert_eq!(server.conn.lost(), None);
    look_until(&mut server, 13 * SECOND);
    let text = server.conn.lost().expect("it takes too long").to_string();
    assert!(
        text.contains("a frame of 2097152 bytes") && text.contains("10s (frame_timeout)"),
        "{text}"
    );
}

#[test]
fn nothing_is_timed_while_no_frame_is_begun() {
    let mut server = End::server(Config::default());
    server.conn.handle_front(came(0), epoch());
    assert_eq!(server.conn.next_deadline(), None);
    server.conn.handle_front(came(1), epoch());
    assert!(server.conn.next_deadline().is_some());
}

#[test]
fn a_frame_that_does_not_go_on_is_not_taken_for_the_one_that_was_skipped_before() {
    let mut server = End::server(Config::default());
    server
        .conn
        .handle_input(skipped(Begun::Message(StreamId(100)), Skip::TooLarge), epoch())
        .unwrap();
    server.conn.handle_front(came(1), epoch());
    look_until(&mut server, 13 * SECOND);
    assert_eq!(server.conn.lost(), Some(&ConnError::Frame(10 * SECOND)));
}

#[test]
fn meta_messages_that_are_too_large_end_their_stream_with_the_size_of_what_is_behind_the_header() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    pair.server
        .conn
        .handle_input(skipped(Begun::Control(StreamId(100)), Skip::TooLarge), pair.now)
        .unwrap();
    let size = LARGE - HEADER_LEN;
    let why = Violation::HeaderTooLarge { size, limit: 65_535 };
    assert_eq!(pair.server.conn.ended(served.key), Some(Ending::Violation(why)));
    pair.run();
    assert!(matches!(pair.client.conn.ended(key), Some(Ending::Reset(_))));
}

/// The credit for it goes back, or its sender stands still.
#[test]
fn a_message_that_is_skipped_and_that_nobody_would_read_is_credited_by_its_payload() {
    let payload = u32::try_from(LARGE - HEADER_LEN).unwrap();
    let credit = |end: &mut End| match &end.output_frames()[..] {
        [Frame::Feedback { increment, .. }] => *increment,
        frames => panic!("{frames:?}"),
    };
    let mut pair = Pair::new();
    let (_, served) = pair.open();
    pair.server.conn.discard(served.key, Consumed::default());
    pair.server
        .conn
        .handle_input(skipped(Begun::Message(StreamId(100)), Skip::TooLarge), pair.now)
        .unwrap();
    assert_eq!((credit(&mut pair.server), pair.server.conn.ended(served.key)), (payload, None));

    let client = Config { cancel: Cancel::HalfClose, ..Config::default() };
    let mut pair = Pair::with(client, Config::default());
    let (key, _) = pair.open();
    pair.client.conn.release(key);
    pair.run();
    pair.client
        .conn
        .handle_input(skipped(Begun::Message(StreamId(100)), Skip::TooLarge), pair.now)
        .unwrap();
    assert_eq!(credit(&mut pair.client), payload);
}
