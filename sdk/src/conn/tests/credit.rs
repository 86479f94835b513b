//! Windows, credit and room.

use crate::conn::{Config, Consumed, Event, Inbox, Outcome, SendError, Sent, Take};
use crate::wires::trpc::{Frame, HEADER_LEN};

use super::pair::{Pair, STREAM, head};

pub(super) fn credits(frames: &[Frame]) -> Vec<u32> {
    frames
        .iter()
        .filter_map(|frame| {
            if let Frame::Feedback { increment, .. } = frame { Some(*increment) } else { None }
        })
        .collect()
}

/// The example of the protocol's description: messages of 10,003 bytes, a window of 65,535.
#[test]
fn a_writer_overdraws_by_one_message_and_goes_on_with_credit() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    let message = vec![7; 10_003];
    for _ in 0..7 {
        assert_eq!(pair.server.send(served.key, &message), Ok(Sent::Queued));
    }
    assert_eq!(pair.server.send(served.key, &message), Ok(Sent::NoCredit));
    pair.run();

    let mut inbox = Inbox::default();
    assert_eq!(pair.client.conn.take(key, Consumed::default(), &mut inbox), Some(Take::Messages));
    pair.client.conn.give_credit(key, Consumed { messages: 1, bytes: 10_003 });
    pair.run();
    assert_eq!(
        credits(&pair.server.seen),
        [0; 0],
        "one message is less than a quarter of the window"
    );
    pair.client.conn.give_credit(key, Consumed { messages: 1, bytes: 10_003 });
    pair.run();
    assert_eq!(credits(&pair.server.seen), [20_006]);
    assert!(
        matches!(pair.server.events[..], [Event::Writable(writable)] if writable == served.key)
    );

    assert_eq!(pair.server.send(served.key, &message), Ok(Sent::Queued));
    assert_eq!(pair.server.send(served.key, &message), Ok(Sent::Queued));
    assert_eq!(pair.server.send(served.key, &message), Ok(Sent::NoCredit));
}

#[test]
fn a_message_larger_than_the_window_passes_whole() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    let large = vec![1; 1_000_000];
    assert_eq!(pair.client.send(key, &large), Ok(Sent::Queued));
    assert_eq!(pair.client.send(key, b"next"), Ok(Sent::NoCredit));
    pair.run();
    assert_eq!(pair.server.read_all(served.key).0, [&large[..]]);
    pair.run();
    assert_eq!(pair.client.send(key, b"next"), Ok(Sent::Queued));
}

/// The credits that its peer gets while half of a message has come, and after all of it was read.
/// The reader begins to wait before the message comes, or behind its first half.
fn credits_for(pair: &mut Pair, waits_before: bool, size: usize) -> (Vec<u32>, Vec<u32>) {
    let (key, served) = pair.open();
    let wait = |pair: &mut Pair| assert_eq!(pair.server.read_all(served.key), (vec![], None));
    assert_eq!(pair.client.send(key, &vec![1; size]), Ok(Sent::Queued));
    let message = pair.client.output();
    let (first, second) = message.split_at(size / 2);
    if waits_before {
        wait(pair);
    }
    pair.server.receive(first, pair.now).unwrap();
    if !waits_before {
        wait(pair);
    }
    pair.client.seen.clear();
    pair.run();
    let early = credits(&pair.client.seen);
    pair.server.receive(second, pair.now).unwrap();
    assert_eq!(pair.server.read_all(served.key).0.len(), 1);
    pair.run();
    (early, credits(&pair.client.seen))
}

#[test]
fn who_waits_for_a_message_as_large_as_the_window_gives_its_credit_before_all_of_it_is_there() {
    for waits_before in [true, false] {
        let mut pair = Pair::new();
        assert_eq!(
            credits_for(&mut pair, waits_before, 1_000_000),
            (vec![1_000_000], vec![1_000_000])
        );
        assert_eq!(credits_for(&mut pair, waits_before, 65_535), (vec![65_535], vec![65_535]));
        assert_eq!(credits_for(&mut pair, waits_before, 65_534), (vec![], vec![65_534]));
    }
    let off = Config { window: 0, ..Config::default() };
    assert_eq!(credits_for(&mut Pair::with(off.clone(), off), true, 1_000_000), (vec![], vec![]));
    // A seventeenth of that is less than the message.
    let short = Config { unread: 16_000_000, ..Config::default() };
    let mut pair = Pair::with(Config::default(), short);
    let (early, after) = credits_for(&mut pair, true, 1_000_000);
    assert_eq!(early, [0; 0], "room is short");
    assert_eq!(after, [1_000_000]);
}

#[test]
fn credit_given_ahead_is_reserved_until_its_message_is_consumed() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    assert_eq!(pair.server.read_all(served.key), (vec![], None));
    let before = pair.server.conn.buffered().reserved;
    assert_eq!(pair.client.send(key, &[1; 1_000_000]), Ok(Sent::Queued));
    let message = pair.client.output();
    let (first, second) = message.split_at(500_000);
    pair.server.receive(first, pair.now).unwrap();
    assert_eq!(pair.server.conn.buffered().reserved, before + 1_000_000);
    pair.server.receive(second, pair.now).unwrap();
    assert_eq!(pair.server.conn.unread(), 1_000_000);
    assert_eq!(pair.server.read_all(served.key).0.len(), 1);
    assert_eq!((pair.server.conn.buffered().reserved, pair.server.conn.unread()), (before, 0));
}

#[test]
fn no_credit_is_given_ahead_once_the_request_is_complete() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    assert_eq!(pair.server.read_all(served.key), (vec![], None));
    pair.server.conn.end_input(served.key);
    assert_eq!(pair.client.send(key, &[1; 1_000_000]), Ok(Sent::Queued));
    let message = pair.client.output();
    pair.server.receive(&message[..500_000], pair.now).unwrap();
    assert!(pair.server.output_frames().is_empty());
}

#[test]
fn a_full_outbox_makes_writers_wait_and_lets_them_in_by_turns() {
    let mut pair = Pair::with(Config::default(), Config { outbox: 30_000, ..Config::default() });
    let (_, first) = pair.open();
    let (_, second) = pair.open();
    let message = vec![0; 20_000];
    let write = |pair: &mut Pair, key, ticket: &mut _| {
        pair.server
            .conn
            .send(key, 20_000, ticket, |out: &mut Vec<u8>| out.extend_from_slice(&message))
            .unwrap()
    };
    let (mut first_ticket, mut second_ticket) = (None, None);
    assert_eq!(write(&mut pair, first.key, &mut first_ticket), Sent::Queued);
    assert_eq!(write(&mut pair, first.key, &mut first_ticket), Sent::Queued);
    assert_eq!(write(&mut pair, first.key, &mut first_ticket), Sent::NoRoom);
    assert_eq!(write(&mut pair, second.key, &mut second_ticket), Sent::NoRoom);
    pair.run();
    let rooms: Vec<_> = pair
        .server
        .events
        .drain(..)
        .filter_map(|event| if let Event::Room(ticket) = event { Some(ticket) } else { None })
        .collect();
    assert_eq!(rooms, [first_ticket.unwrap(), second_ticket.unwrap()]);
    assert_eq!(write(&mut pair, second.key, &mut second_ticket), Sent::Queued);
    assert_eq!(write(&mut pair, first.key, &mut first_ticket), Sent::Queued);
}

#[test]
fn a_dropped_reader_gives_its_credit_back_and_the_other_direction_goes_on() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    while pair.client.send(key, &[0; 10_000]).unwrap() == Sent::Queued {}
    pair.run();
    pair.server.conn.discard(served.key, Consumed::default());
    pair.run();
    assert_eq!(credits(&pair.client.seen), [70_000]);
    for _ in 0..20 {
        assert_eq!(pair.client.send(key, &[0; 10_000]), Ok(Sent::Queued));
        pair.run();
    }
    pair.server.send(served.key, b"other way").unwrap();
    pair.run();
    assert_eq!(pair.client.read_all(key).0, ["other way"]);
}

/// A blocked tRPC-Cpp writer is woken by credit and by RESET, not by a normal CLOSE.
#[test]
fn a_server_gives_owed_credit_back_before_it_closes() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    while pair.client.send(key, &[0; 10_000]).unwrap() == Sent::Queued {}
    pair.run();
    pair.server.conn.close(served.key, Outcome::default());
    let frames = pair.server.output_frames();
    assert!(
        matches!(frames[..], [Frame::Feedback { increment: 70_000, .. }, Frame::Close { .. }]),
        "credit first, then the end: {frames:?}"
    );
}

/// tRPC-Cpp's clients do not half-close a server stream: their one request is complete all the
/// same.
#[test]
fn no_credit_is_given_back_once_the_request_is_complete() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    pair.client.send(key, &[0; 40_000]).unwrap();
    pair.run();
    assert_eq!(pair.server.read_all(served.key).0.len(), 1);
    pair.run();
    assert_eq!(credits(&pair.client.seen), [40_000]);
    pair.server.conn.end_input(served.key);
    pair.client.send(key, &[0; 60_000]).unwrap();
    pair.run();
    pair.server.conn.close(served.key, Outcome::default());
    assert!(matches!(pair.server.output_frames()[..], [Frame::Close { .. }]));
}

#[test]
fn no_credit_is_sent_to_a_client_that_has_half_closed() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    pair.client.send(key, &[0; 60_000]).unwrap();
    pair.client.conn.half_close(key);
    pair.run();
    assert_eq!(pair.server.read_all(served.key).0.len(), 1);
    pair.run();
    assert_eq!(credits(&pair.client.seen), [0; 0]);
}

#[test]
fn a_message_that_lies_about_its_size_leaves_nothing_behind() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    let lie = pair
        .client
        .conn
        .send(key, 10, &mut None, |out: &mut Vec<u8>| out.extend_from_slice(b"short"));
    assert!(lie.is_err());
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        pair.client
            .conn
            .send(key, 10, &mut None, |_: &mut Vec<u8>| panic!("while it is being written"))
    }));
    assert!(panic.is_err());
    pair.client.send(key, b"whole").unwrap();
    pair.run();
    assert_eq!(pair.server.read_all(served.key).0, ["whole"]);
}

#[test]
fn a_writer_that_is_lent_its_credit_gives_back_what_it_did_not_use() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    let (prefix, credit) = pair.server.conn.grant_credit(served.key);
    assert_eq!(credit, 65_535);
    assert_eq!(pair.server.send(served.key, b"x"), Ok(Sent::NoCredit), "all of it is granted");
    let mut frames = Vec::new();
    for _ in 0..2 {
        prefix
            .write(&mut frames, 10_000, |out: &mut Vec<u8>| {
                out.resize(out.len() + 10_000, 7);
            })
            .unwrap();
    }
    pair.server.conn.collect(served.key, &frames, credit - 20_000);
    for _ in 0..4 {
        assert_eq!(
            pair.server.send(served.key, &[0; 11_384]),
            Ok(Sent::Queued),
            "45,535 bytes are left"
        );
    }
    assert_eq!(pair.server.send(served.key, b""), Ok(Sent::NoCredit));
    pair.run();
    let (messages, _) = pair.client.read_all(key);
    assert_eq!(messages.iter().map(bytes::Bytes::len).sum::<usize>(), 20_000 + 4 * 11_384);
}

#[test]
fn credit_that_comes_while_all_is_lent_is_added_to_what_is_given_back() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    assert_eq!(pair.server.send(served.key, &[0; 60_000]), Ok(Sent::Queued));
    let (_, credit) = pair.server.conn.grant_credit(served.key);
    assert_eq!(credit, 5_535);
    pair.run();
    assert_eq!(pair.client.read_all(key).0.len(), 1);
    pair.run();
    // The send buffer has overdrawn by one message.
    pair.server.conn.collect(served.key, &[], -1_000);
    let (_, credit) = pair.server.conn.grant_credit(served.key);
    assert_eq!(credit, 59_000);
}

#[test]
fn a_stream_gives_itself_for_an_operation_when_nothing_is_granted() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    let conn = &mut pair.server.conn;
    let (_, credit) = conn.collected(served.key).expect("nothing is granted").grant_credit();
    assert!(conn.is_granted(served.key) && conn.collected(served.key).is_none());
    conn.collect(served.key, &[], credit);
    assert!(!conn.is_granted(served.key) && conn.collected(served.key).is_some());
    // The end of the stream leaves that to whoever has the send buffer.
    let _ = conn.grant_credit(served.key);
    pair.client.conn.reset(key, Outcome::of_codes(161, 0, "given up"));
    pair.run();
    let conn = &mut pair.server.conn;
    assert!(conn.is_granted(served.key) && conn.collected(served.key).is_none());
    let revoked = |event: &Event| matches!(event, Event::CreditRevoked(its) if *its == served.key);
    assert!(pair.server.events.iter().any(revoked));
}

#[test]
fn what_is_in_the_send_buffer_of_a_stream_that_is_over_is_dropped() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    let (prefix, credit) = pair.server.conn.grant_credit(served.key);
    let mut frames = Vec::new();
    prefix.write(&mut frames, 1, |out: &mut Vec<u8>| out.push(7)).unwrap();
    pair.client.conn.reset(key, Outcome::of_codes(161, 0, "given up"));
    pair.run();
    pair.server.conn.collect(served.key, &frames, credit);
    assert!(pair.server.output().is_empty());
}

#[test]
fn without_flow_control_there_is_no_end_of_what_is_lent() {
    let mut pair = Pair::with(Config { window: 0, ..Config::default() }, Config::default());
    let (_, served) = pair.open();
    let (_, credit) = pair.server.conn.grant_credit(served.key);
    pair.server.conn.collect(served.key, &[], credit - 1_000_000);
    assert_eq!(pair.server.send(served.key, b"on"), Ok(Sent::Queued));
}

#[test]
fn a_message_may_take_what_a_frame_may_and_not_a_byte_more() {
    let mut pair = Pair::with(Config { max_sent: 1_000, ..Config::default() }, Config::default());
    let (key, _) = pair.open();
    let most = 1_000 - HEADER_LEN;
    assert_eq!(pair.client.send(key, &vec![7; most]), Ok(Sent::Queued));
    for size in [most + 1, most + 2] {
        let error = SendError::TooLarge { size: size + HEADER_LEN, limit: 1_000 };
        assert_eq!(pair.client.send(key, &vec![7; size]), Err(error));
    }
}

#[test]
fn a_client_with_too_much_unread_reads_on_for_credit_and_for_the_answer_to_init() {
    let flooded = || {
        let mut pair = Pair::with(Config { unread: 5_000, ..Config::default() }, Config::default());
        let (_, served) = pair.open();
        let (key, _) = pair.open();
        pair.server.send(served.key, &[7; 10_000]).unwrap();
        pair.run();
        assert!(!pair.client.conn.wants_input());
        (pair, key)
    };
    let (mut pair, key) = flooded();
    while pair.client.send(key, &[7; 30_000]) == Ok(Sent::Queued) {}
    assert!(pair.client.conn.wants_input(), "a writer has no credit");

    let (mut pair, _) = flooded();
    pair.client.conn.open(head(STREAM), None, pair.now).unwrap();
    assert!(pair.client.conn.wants_input(), "a stream is being opened");
}
