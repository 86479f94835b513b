//! A task that waits while the other side may wait for it is told, once, and costs nothing else.

use std::time::Duration;

use crate::conn::{Consumed, Event, Inbox, Sent, StreamKey, Take};

use super::pair::{End, Pair};

const SECOND: Duration = Duration::from_secs(1);

fn read(end: &mut End, key: StreamKey) -> Option<Take> {
    end.conn.take(key, Consumed::default(), &mut Inbox::default())
}

/// After how many seconds the reader or the writer of the client is woken, if within a minute.
fn woken_after(pair: &mut Pair, wakes: impl Fn(&Event) -> bool) -> Option<u64> {
    (1..=60).find(|_| {
        pair.client.events.clear();
        pair.wait(SECOND);
        pair.client.events.iter().any(&wakes)
    })
}

#[test]
fn a_reader_that_may_be_waited_for_is_told_after_ten_seconds_and_once() {
    for start in 0..5 {
        let mut pair = Pair::new();
        let (key, _served) = pair.open();
        (0..start).for_each(|_| pair.wait(SECOND));
        assert_eq!(read(&mut pair.client, key), None);
        let told = woken_after(&mut pair, |event| matches!(event, Event::Readable(_)));
        assert!(told.is_some_and(|seconds| (10..=15).contains(&seconds)), "{told:?}");
        assert_eq!(read(&mut pair.client, key), Some(Take::Stuck));
        assert_eq!(read(&mut pair.client, key), None);
        assert_eq!(woken_after(&mut pair, |event| matches!(event, Event::Readable(_))), None);
    }
}

#[test]
fn a_message_in_either_direction_begins_the_time_anew() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    for turn in 0..10 {
        assert_eq!(read(&mut pair.client, key), None, "turn {turn}");
        (0..9).for_each(|_| pair.wait(SECOND));
        let (end, of) =
            if turn % 2 == 0 { (&mut pair.client, key) } else { (&mut pair.server, served.key) };
        assert_eq!(end.send(of, b"x"), Ok(Sent::Queued));
        pair.run();
        assert_eq!(pair.client.read_all(key).1, None, "turn {turn}");
        pair.server.read_all(served.key);
    }
}

#[test]
fn a_writer_without_credit_is_told_if_something_is_unread_here() {
    for unread in [false, true] {
        let mut pair = Pair::new();
        let (key, served) = pair.open();
        if unread {
            assert_eq!(pair.server.send(served.key, b"unread"), Ok(Sent::Queued));
            pair.run();
        }
        while pair.client.send(key, &[0; 10_000]) == Ok(Sent::Queued) {
            pair.run();
        }
        let told = woken_after(&mut pair, |event| matches!(event, Event::Writable(_)));
        assert_eq!(told.is_some(), unread);
        let expected = if unread { Sent::Stuck } else { Sent::NoCredit };
        assert_eq!(pair.client.send(key, b"x"), Ok(expected));
        assert_eq!(pair.client.send(key, b"x"), Ok(Sent::NoCredit));
    }
}

#[test]
fn who_has_finished_writing_and_who_serves_is_not_told_of_a_read() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    assert_eq!(read(&mut pair.server, served.key), None);
    (0..60).for_each(|_| pair.wait(SECOND));
    assert_eq!(read(&mut pair.server, served.key), None);
    pair.client.conn.half_close(key);
    assert_eq!(read(&mut pair.client, key), None);
    (0..60).for_each(|_| pair.wait(SECOND));
    assert_eq!(read(&mut pair.client, key), None);
}
