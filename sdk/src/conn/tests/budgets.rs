//! How much may wait in memory: of a connection, and of all connections of a server.

use bytes::Bytes;

use crate::conn::config::CALL_STATE;
use crate::conn::{
    CallKey, Config, ConnError, Consumed, Ending, Event, Outcome, Pools, Sent, StreamId, StreamKey,
    Take,
};
use crate::framing::{Messages, UnaryContent};
use crate::wires::Input;
use crate::wires::trpc::{FRAMING, Frame, data as write_data};

use super::pair::{End, Pair, STREAM, UNARY, head};

const MIB: usize = 1024 * 1024;

/// A pair whose server has so much room for what is unread on one connection, which is half of what
/// it has.
pub(super) fn pair(unread: usize) -> (Pair, Pools) {
    let pools = Pools::new(2 * unread, 64 * MIB, 1_000_000);
    let server = Config { peer: Some(pools.peer()), max_received: MIB, ..Config::default() };
    (Pair::with(Config { max_received: MIB, ..Config::default() }, server), pools)
}

/// Opens a stream and sends what its credit allows.
fn flood(pair: &mut Pair, message: &[u8]) -> (StreamKey, StreamKey) {
    let (key, served) = pair.open();
    fill(pair, key, message);
    (key, served.key)
}

pub(super) fn fill(pair: &mut Pair, key: StreamKey, message: &[u8]) {
    while pair.client.send(key, message) == Ok(Sent::Queued) {
        pair.run();
    }
}

pub(super) fn windows(end: &End) -> Vec<u32> {
    let window = |frame: &Frame| match frame {
        Frame::Init { meta, .. } => Some(meta.init_window_size),
        _ => None,
    };
    end.seen.iter().filter_map(window).collect()
}

#[test]
fn a_thousand_unread_streams_stay_inside_the_servers_budget() {
    let (mut pair, pools) = pair(16 * MIB);
    for _ in 0..1_000 {
        flood(&mut pair, &[7; 1_000]);
    }
    let windows = windows(&pair.client);
    assert!(
        windows[..20].iter().all(|window| *window == 65_535),
        "while there is room, windows are whole"
    );
    assert!(windows[999] < 10_000, "{}", windows[999]);
    let unread = pair.server.conn.buffered().unread;
    assert!((8 * MIB..=16 * MIB).contains(&unread), "{unread}");
    assert!(pair.server.conn.wants_input(), "nobody has sent more than it was told");
    assert!(pools.unread.reserved() <= 16 * MIB);
}

#[test]
fn a_stream_that_is_read_never_stands_still_however_short_room_is() {
    let (mut pair, _) = pair(2 * MIB);
    let streams: Vec<_> = (0..150).map(|_| flood(&mut pair, &[7; 100])).collect();
    let (key, served) = *streams.last().unwrap();
    let mut bytes = 0;
    for _ in 0..1_000 {
        pair.server.read_all(served).0.iter().for_each(|message| bytes += message.len());
        pair.run();
        fill(&mut pair, key, &[7; 100]);
    }
    assert!(bytes > 1_000 * 700, "{bytes}");
}

#[test]
fn a_window_shrinks_when_room_is_short_and_grows_when_others_have_gone() {
    let (mut pair, pools) = pair(4 * MIB);
    let (key, served) = flood(&mut pair, &[7; 1_000]);
    let others: Vec<_> = (0..300).map(|_| flood(&mut pair, &[7; 1_000])).collect();
    let unread = |pair: &mut Pair| {
        let (messages, _) = pair.server.read_all(served);
        pair.run();
        fill(pair, key, &[7; 1_000]);
        messages.len()
    };
    assert_eq!(unread(&mut pair), 66);
    assert!(unread(&mut pair) < 10, "the window has shrunk");
    for (other, served) in others {
        pair.client.conn.release(other);
        pair.server.conn.release(served);
    }
    pair.run();
    unread(&mut pair);
    assert_eq!(unread(&mut pair), 66, "it is whole again");
    pair.client.conn.release(key);
    pair.server.conn.release(served);
    assert_eq!((pair.server.conn.buffered().reserved, pools.unread.reserved()), (0, 0));
}

#[test]
fn without_room_new_streams_and_calls_are_refused_with_the_settings_name() {
    let (mut pair, _) = pair(MIB);
    let (_, served) = flood(&mut pair, &[7; 100]);
    let large = vec![0; MIB - 200];
    for _ in 0..2 {
        pair.client.conn.call_with(&large);
        pair.run();
    }
    let answer = pair.client.answer();
    assert_eq!(answer.codes().0, 22);
    let text = String::from_utf8_lossy(&answer.message).into_owned();
    assert!(text.contains("of 2097152 bytes") && text.contains("(max_unread)"), "{text}");

    for _ in 0..1_500 {
        pair.client.conn.open(head(STREAM), None, pair.now).unwrap();
        pair.run();
    }
    let refused = pair.client.seen.iter().rev().find_map(|frame| match frame {
        Frame::Init { meta, .. } => meta.response_meta.clone().filter(|meta| meta.ret != 0),
        _ => None,
    });
    let refused = refused.expect("there is not even room for the smallest window");
    assert_eq!(refused.ret, 22);
    assert!(String::from_utf8_lossy(&refused.error_msg).contains("(max_unread)"));
    assert!(pair.server.read_all(served).0.len() > 400, "those who are there go on");
}

#[test]
fn unary_calls_count_until_they_are_answered_and_answers_until_they_are_taken() {
    let (mut pair, pools) = pair(4 * MIB);
    let body = vec![0; 900_000];
    for _ in 0..6 {
        pair.client.conn.call_with(&body);
        pair.run();
    }
    let came = pair.server.events.iter().filter(|event| matches!(event, Event::Call)).count();
    let calls: Vec<_> = (0..came).map(|_| pair.server.next_call().key).collect();
    assert_eq!(calls.len(), 5, "one was refused");
    let counted = 5 * (CALL_STATE + body.len());
    assert_eq!(pair.server.conn.buffered().unread, counted);
    assert_eq!(pools.unread.reserved(), counted);
    for key in calls {
        let write = |out: &mut Vec<u8>| out.extend_from_slice(&body);
        pair.server
            .conn
            .reply(key, Outcome::default(), 0, UnaryContent::new(body.len(), write))
            .unwrap();
        pair.server.conn.release_call(key);
    }
    assert_eq!(pools.unread.reserved(), 0);
    pair.run();
    let unread = pair.client.conn.buffered().unread;
    assert!(
        (4_500_000..4_501_000).contains(&unread),
        "five answers, and what the sixth was told: {unread}"
    );
    let answered: Vec<CallKey> = pair
        .client
        .events
        .iter()
        .filter_map(|event| if let Event::CallChanged(key) = event { Some(*key) } else { None })
        .collect();
    for key in answered {
        pair.client.conn.answer(key).expect("it has come").expect("it is an answer");
    }
    assert_eq!(pair.client.conn.buffered().unread, 0);
}

#[test]
fn a_call_is_counted_anew_when_its_request_was_unpacked_if_there_is_room() {
    let (mut pair, pools) = pair(4 * MIB);
    for size in [1_000, 900_000] {
        pair.client.conn.call_with(&vec![0; size]);
    }
    pair.run();
    let (small, large) = (pair.server.next_call().key, pair.server.next_call().key);
    let server = &mut pair.server.conn;
    let over = server.recount_call(small, 1_000, 7 * MIB).unwrap_err();
    let states = 2 * CALL_STATE;
    let all = states + 901_000;
    assert_eq!((over.own, over.setting), (all, "max_unread"));
    assert_eq!((server.buffered().unread, pools.unread.held()), (all, all), "nothing changed");
    server.recount_call(large, 900_000, 0).unwrap();
    server.recount_call(small, 1_000, 4_000_000).unwrap();
    let counted = (server.buffered().unread, server.buffered().reserved);
    let left = states + 4_000_000;
    assert_eq!((counted, pools.unread.held()), ((left, left), left));
    server.release_call(small);
    server.release_call(large);
    assert_eq!((server.buffered().unread, pools.unread.reserved()), (0, 0));
}

#[test]
fn two_connections_that_nobody_reads_leave_room_for_the_others() {
    let (mut one, pools) = pair(16 * MIB);
    let server = || Config { peer: Some(pools.peer()), max_received: MIB, ..Config::default() };
    let mut two = Pair::with(Config::default(), server());
    let mut three = Pair::with(Config::default(), server());
    // One message may go beyond each window, and calls are not answered. All that the protocol
    // allows is sent.
    for _ in 0..20 {
        for pair in [&mut one, &mut two] {
            pair.client.conn.call_with(&vec![7; 900_000]);
            let key = pair.client.conn.open(head(STREAM), None, pair.now).unwrap();
            pair.run();
            fill(pair, key, &vec![7; 900_000]);
        }
    }
    assert!((20 * MIB..31 * MIB).contains(&pools.unread.held()), "{}", pools.unread.held());
    assert!(one.server.conn.wants_input(), "it hears what is refused");
    three.client.conn.call_with(&vec![7; 900_000]);
    let (key, _) = flood(&mut three, &[7; 1_000]);
    three.server.next_call();
    assert_eq!(
        (three.client.conn.ended(key), three.client.events.len()),
        (None, 0),
        "nothing is refused"
    );
    assert!(windows(&three.client)[0] > 10_000, "{:?}", windows(&three.client));
}

#[test]
fn more_than_the_windows_say_stops_the_reading_unless_somebody_waits_for_the_peer() {
    let (_, pools) = pair(64 * MIB);
    let server = Config {
        peer: Some(pools.peer()),
        max_received: MIB,
        unread: 2 * MIB,
        ..Config::default()
    };
    let mut pair = Pair::with(Config::default(), server);
    let (_, waiting) = pair.open();
    let (_, served) = flood(&mut pair, &vec![7; 900_000]);
    flood(&mut pair, &vec![7; 900_000]);
    flood(&mut pair, &vec![7; 300_000]);
    assert!(pools.unread.held() > 2 * MIB);
    assert!(!pair.server.conn.wants_input());
    assert!(pair.server.conn.is_short(), "other connections may leave room");

    assert_eq!(pair.server.read_all(waiting.key), (vec![], None));
    assert!(pair.server.conn.may_want_input());
    assert!(
        pair.server.conn.wants_input(),
        "what its reader waits for may be behind what others do not read"
    );
    pair.server.conn.release(waiting.key);
    assert!(!pair.server.conn.wants_input(), "nobody waits any more");
    pair.server.read_all(served);
    assert!(pair.server.conn.wants_input());
}

#[test]
fn streams_that_keep_to_their_windows_wait_before_one_of_them_is_broken_off() {
    let (mut pair, pools) = pair(16 * MIB);
    let streams: Vec<_> = (0..100).map(|_| pair.open()).collect();
    let mut unsent = streams.iter();
    while pair.server.conn.wants_input() {
        let (key, _) = unsent.next().expect("the connection is held back before all have sent");
        pair.client.send(*key, &vec![7; 300_000]).unwrap();
        pair.run();
    }
    assert!(pools.unread.held() < 20 * MIB, "{} of 32 MiB, by one connection", pools.unread.held());
    let broken_off =
        streams.iter().filter(|(_, served)| pair.server.conn.ended(served.key).is_some());
    assert_eq!(broken_off.count(), 0);
    for (_, served) in streams.iter().take(10) {
        pair.server.read_all(served.key);
    }
    assert!(pair.server.conn.wants_input());
}

#[test]
fn connections_hold_back_another_only_while_they_are_over_the_servers_budget() {
    let (mut two, pools) = pair(2 * MIB);
    let server = || Config { peer: Some(pools.peer()), max_received: MIB, ..Config::default() };
    let (_, slow) = flood(&mut two, &[7; 100]);
    let mut others: Vec<_> = (0..4).map(|_| Pair::with(Config::default(), server())).collect();
    let streams: Vec<_> = (0..8).map(|index| others[index / 2].open()).collect();
    for (index, (key, _)) in streams.iter().enumerate() {
        fill(&mut others[index / 2], *key, &vec![7; 600_000]);
    }
    assert!(!two.server.conn.wants_input());
    for index in [6, 7] {
        others[3].server.read_all(streams[index].1.key);
    }
    assert!(two.server.conn.wants_input());
    drop(others);
    two.server.conn.handle_lost(&ConnError::PeerClosed);
    assert!(pools.unread.reserved() > 0, "what was received can still be read");
    assert_eq!(two.server.read_all(slow).1, Some(Take::Ended));
    two.server.conn.release(slow);
    assert_eq!(pools.unread.reserved(), 0);
}

#[test]
fn a_stream_that_is_sent_more_far_above_the_limit_is_broken_off_and_no_other() {
    let (mut pair, pools) = pair(2 * MIB);
    let (careful, served) = pair.open();
    let served = served.key;
    let streams: Vec<_> = (0..2).map(|_| flood(&mut pair, &vec![7; 1_000_000])).collect();
    // A peer that does not look at its window.
    let (key, flooded) = streams[0];
    let id = pair.client.seen.len();
    assert!(id > 0);
    for _ in 0..4 {
        let mut bytes = Vec::new();
        let id = crate::framing::StreamId(101);
        crate::wires::trpc::data(&mut bytes, id, 500_000, |out: &mut Vec<u8>| {
            out.extend_from_slice(&[7; 500_000]);
        })
        .unwrap();
        pair.server.receive(&bytes, pair.now).unwrap();
    }
    let ending = pair.server.conn.ended(flooded);
    let Some(Ending::Overrun(over)) = ending else { panic!("{ending:?}") };
    assert_eq!((over.limit, over.setting), (4 * MIB, "max_unread"));
    pair.run();
    let ending = pair.client.conn.ended(key);
    let Some(Ending::Reset(outcome)) = ending else { panic!("{ending:?}") };
    assert_eq!(outcome.codes().0, 22);
    assert_eq!(pair.server.conn.ended(served), None);
    assert_eq!(pair.client.send(careful, b"first"), Ok(Sent::Queued));
    pair.run();
    assert_eq!(pair.server.read_all(served).0, ["first"], "who is read may be sent more");
    pair.server.conn.release(flooded);
    assert!(pools.unread.reserved() < 2 * MIB);
}

#[test]
fn a_first_message_on_each_of_many_streams_is_not_kept_far_above_the_limit_either() {
    let (mut pair, pools) = pair(4 * MIB);
    let streams: Vec<_> = (0..50).map(|_| pair.open()).collect();
    // A reader waits, so the connection is read.
    let (waiting, waits) = (streams[0].0, streams[0].1.key);
    assert_eq!(pair.server.read_all(waits), (vec![], None));
    for (key, _) in &streams[1..] {
        assert!(pair.server.conn.wants_input());
        pair.client.send(*key, &vec![7; 1_000_000]).unwrap();
        pair.run();
    }
    // A pair has a quarter and one message more for all of a server, which the connection has
    // twice.
    assert!(pools.unread.held() < 7 * MIB, "{}", pools.unread.held());
    assert_eq!(pair.client.send(waiting, &vec![7; 1_000_000]), Ok(Sent::Queued));
    pair.run();
    assert_eq!(pair.server.read_all(waits).0.len(), 1, "who waits for a message gets it");
}

#[test]
fn what_is_reserved_is_given_back_by_reset_cancel_deadline_and_loss() {
    let (mut pair, pools) = pair(64 * MIB);
    let mut keys = Vec::new();
    for _ in 0..5 {
        keys.push(flood(&mut pair, &[1; 1_000]));
    }
    // With the state of each stream.
    let each = 66 * 1_016 + 1_024;
    assert_eq!(pair.server.conn.buffered().unread, 5 * each);
    let before = pools.unread.reserved();
    pair.client.conn.reset(keys[0].0, Outcome::of_codes(1, 0, "enough"));
    pair.client.conn.release(keys[1].0);
    pair.server.conn.close(keys[2].1, Outcome::default());
    pair.server.conn.discard(keys[3].1, Consumed::default());
    pair.run();
    let unread = pair.server.conn.buffered().unread;
    // The texts of the two resets are kept with them.
    assert!(
        (4 * 66 * 1_016 + 5 * 1_024..4 * each + 1_124).contains(&unread),
        "only what is discarded is gone: {unread}"
    );
    for (_, served) in &keys[..4] {
        pair.server.conn.release(*served);
    }
    assert!(pools.unread.reserved() < before / 4);
    pair.server.conn.handle_lost(&ConnError::PeerClosed);
    pair.server.conn.release(keys[4].1);
    assert_eq!((pools.unread.reserved(), pair.server.conn.buffered().reserved), (0, 0));
    assert_eq!(pair.server.conn.buffered().unread, 0);
}

/// Tells whether a small message, which is alone in a read buffer, keeps the buffer while it is
/// unread.
fn keeps_its_read_buffer(window: u32, reader_waits: bool, at_server: bool) -> bool {
    let config = || Config { window, ..Config::default() };
    let mut pair = Pair::with(config(), config());
    let (key, served) = pair.open();
    let (end, key) =
        if at_server { (&mut pair.server, served.key) } else { (&mut pair.client, key) };
    if reader_waits {
        assert_eq!(end.read_all(key), (vec![], None));
    }
    let (id, mut buffer) = (StreamId(100), Vec::new());
    write_data(&mut buffer, id, 2, |out: &mut Vec<u8>| out.extend([7; 2])).unwrap();
    let size = buffer.len();
    buffer.resize(64 * 1024, 0);
    let buffer = Bytes::from(buffer);
    let mut messages = Messages::new(buffer.slice(..size), 1, FRAMING);
    messages.set_memory(buffer.len());
    end.conn.handle_input(Input::Messages { id, messages }, pair.now).unwrap();
    let keeps = !buffer.is_unique();
    assert_eq!(end.read_all(key).0, [[7; 2].as_slice()]);
    keeps
}

#[test]
fn a_small_unread_message_keeps_a_read_buffer_only_if_its_reader_waits_and_its_stream_counts_as_much()
 {
    for at_server in [true, false] {
        assert!(keeps_its_read_buffer(65_535, true, at_server), "it is read at once, most often");
        for (window, reader_waits) in [(65_535, false), (1_024, true), (0, true), (0, false)] {
            assert!(
                !keeps_its_read_buffer(window, reader_waits, at_server),
                "{window} {reader_waits}"
            );
        }
    }
}

impl crate::conn::Connection {
    /// Sends a unary call with this body.
    pub(super) fn call_with(&mut self, body: &[u8]) {
        let body = UnaryContent::new(body.len(), |out: &mut Vec<u8>| out.extend_from_slice(body));
        self.call(head(UNARY), false, None, body).unwrap();
    }
}

impl End {
    /// The outcome of the last call that was answered.
    pub(super) fn answer(&mut self) -> Outcome {
        let key = self.events.iter().rev().find_map(|event| match event {
            Event::CallChanged(key) => Some(*key),
            _ => None,
        });
        let key = key.expect("an answer has come");
        self.conn.answer(key).expect("it has come").expect("it is an answer").outcome
    }
}
