//! Empty messages: they take no credit, so a reader that lags behind far holds back its connection,
//! and not for long.

use std::time::Duration;

use crate::conn::{Config, Consumed, Ending, Inbox, Sent, StreamKey, Take};
use crate::framing::StreamId;
use crate::wires::trpc as wire;

use super::pair::Pair;

const UNREAD: usize = 8 * 1024 * 1024;

/// Somewhat less than a fifth of the room that is left, in messages of 16 bytes.
const SPARE: usize = UNREAD / 7 / 16;

fn pair() -> Pair {
    let server = Config { unread: UNREAD, max_received: 100_000, ..Config::default() };
    Pair::with(Config { outbox: usize::MAX / 2, ..Config::default() }, server)
}

/// A number of empty messages, as they come while the server reads.
fn receive(pair: &mut Pair, id: u32, mut count: usize) -> usize {
    const AT_ONCE: usize = 1_000;
    let mut bytes = Vec::new();
    for _ in 0..AT_ONCE {
        wire::data(&mut bytes, StreamId(id.into()), 0, |_: &mut Vec<u8>| {}).unwrap();
    }
    while count > 0 && pair.server.conn.wants_input() {
        let now = count.min(AT_ONCE);
        pair.server.receive(&bytes[..now * bytes.len() / AT_ONCE], pair.now).unwrap();
        count -= now;
    }
    count
}

/// Time passes, as it does when tasks look at each deadline.
fn wait(pair: &mut Pair, millis: u64) {
    (0..millis / 10).for_each(|_| pair.wait(Duration::from_millis(10)));
}

fn is_broken_off(pair: &Pair, key: StreamKey) -> bool {
    matches!(pair.server.conn.ending(key), Some(Ending::Overrun(_)))
}

#[test]
fn a_reader_may_lag_behind_by_a_fair_share_of_the_room_in_empty_messages() {
    let mut pair = pair();
    let key = pair.open().1.key;
    assert_eq!(receive(&mut pair, 100, SPARE), 0);
    wait(&mut pair, 60_000);
    assert!(pair.server.conn.wants_input() && !is_broken_off(&pair, key));
    assert_eq!(pair.server.read_all(key).0.len(), SPARE);
    // Of many streams, none has so much.
    let keys: Vec<_> = (101..110).map(|id| (id, pair.open().1.key)).collect();
    for (id, _) in &keys {
        assert_eq!(receive(&mut pair, *id, SPARE / 4), 0);
    }
    assert!(pair.server.conn.buffered().unread < UNREAD / 2);
    assert!(receive(&mut pair, 100, SPARE) > 0);
}

#[test]
fn empty_messages_that_nobody_reads_cost_their_own_stream_after_a_second_also_when_it_is_alone() {
    for is_alone in [true, false] {
        let mut pair = pair();
        let (client, served) = pair.open();
        let other = (!is_alone).then(|| pair.open());
        assert!(receive(&mut pair, 100, 10 * SPARE) > 0);
        wait(&mut pair, 990);
        assert!(!pair.server.conn.wants_input() && !is_broken_off(&pair, served.key));
        wait(&mut pair, 10);
        assert!(pair.server.conn.wants_input(), "the others go on");
        let Some(Ending::Overrun(over)) = pair.server.conn.ending(served.key) else { panic!() };
        assert!(over.used > over.limit && over.used < pair.server.conn.buffered().unread);
        let Some(Ending::Reset(why)) = pair.client.conn.ending(client) else { panic!() };
        assert_eq!(why.codes().0, 22);
        let text = "(empty messages, which take no credit; max_unread_per_connection)";
        assert!(why.message.ends_with(text.as_bytes()), "{:?}", why.message);
        if let Some((client, other)) = other {
            assert_eq!(pair.client.send(client, b"1"), Ok(Sent::Queued));
            pair.run();
            assert_eq!(pair.server.read_all(other.key).0.len(), 1);
        }
    }
}

#[test]
fn ten_streams_of_which_nobody_reads_hold_up_others_for_two_seconds_together() {
    let mut pair = pair();
    let keys: Vec<_> = (100..110).map(|id| (id, pair.open().1.key)).collect();
    let mut stalled = 0;
    for (id, key) in keys {
        assert!(receive(&mut pair, id, 10 * SPARE) > 0);
        while !pair.server.conn.wants_input() {
            wait(&mut pair, 10);
            stalled += 10;
        }
        assert!(is_broken_off(&pair, key));
        pair.server.conn.release(key);
    }
    assert!((1_000..=2_100).contains(&stalled), "{stalled} ms");
    // Later, and after a reader that has caught up, they have their time again.
    wait(&mut pair, 10_010);
    let key = pair.open().1.key;
    assert!(receive(&mut pair, 110, 10 * SPARE) > 0);
    wait(&mut pair, 990);
    assert!(!is_broken_off(&pair, key));
}

#[test]
fn a_reader_that_goes_on_loses_nothing_however_many_empty_messages_come() {
    let mut pair = pair();
    let key = pair.open().1.key;
    let (mut left, mut came) = (0, 0);
    for _ in 0..100 {
        came += 10 * SPARE - receive(&mut pair, 100, 10 * SPARE);
        assert!(!pair.server.conn.wants_input(), "it is held back");
        wait(&mut pair, 900);
        let conn = &mut pair.server.conn;
        if left < SPARE / 50 {
            let (mut batch, consumed) = (Inbox::default(), Consumed { messages: left, bytes: 0 });
            assert_eq!(conn.take(key, consumed, &mut batch), Some(Take::Messages));
            left = batch.total().messages;
        }
        conn.give_credit(key, Consumed { messages: SPARE / 50, bytes: 0 });
        left -= SPARE / 50;
        assert!(conn.wants_input(), "some were taken");
    }
    assert!(came > 2 * SPARE && !is_broken_off(&pair, key));
}

#[test]
fn messages_with_bytes_take_credit_and_never_hold_back_their_connection() {
    let mut pair = pair();
    let (client, served) = pair.open();
    while pair.client.send(client, b"1") == Ok(Sent::Queued) {}
    pair.run();
    assert!(pair.server.conn.unread_of(served.key) == 65_535 && pair.server.conn.wants_input());
    assert_eq!(receive(&mut pair, 100, SPARE / 2), 0);
    wait(&mut pair, 60_000);
    assert!(!is_broken_off(&pair, served.key));
}
