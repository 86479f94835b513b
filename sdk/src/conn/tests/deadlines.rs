//! The calls and streams that the clock ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use crate::conn::table::Key;
use crate::conn::timers::{Timer, Timers};
use crate::conn::{CallKey, Config, Ending, Event, Head, Outcome, StreamKey};
use crate::framing::UnaryContent;
use crate::wires::trpc::Frame;

use super::pair::{End, Pair, STREAM, UNARY, epoch, head};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_server_that_does_not_answer_init_is_given_up_and_told() {
    let mut client = End::client(Config { open_timeout: SECOND, ..Config::default() });
    let key = client.conn.open(head(STREAM), None, epoch()).unwrap();
    client.output();
    assert_eq!(client.conn.opened(key), None);
    assert_eq!(client.conn.next_deadline(), Some(epoch() + SECOND));
    client.conn.handle_timeout(epoch() + SECOND / 2);
    assert_eq!(client.conn.opened(key), None);
    client.conn.handle_timeout(epoch() + SECOND);
    assert_eq!(client.conn.opened(key), Some(Err(Ending::OpenTimeout(SECOND))));
    assert!(
        matches!(&client.output_frames()[..], [Frame::Close { meta, .. }] if meta.close_type == 1 && meta.ret == 354)
    );
}

#[test]
fn a_streams_deadline_travels_as_metadata_that_the_handler_does_not_see() {
    let mut pair = Pair::new();
    let sent = Head { timeout: Some(3 * SECOND), ..head(STREAM) };
    let key = pair.client.conn.open(sent, None, pair.now).unwrap();
    pair.run();
    let served = pair.server.next_stream();
    assert_eq!(served.deadline, Some(pair.now + 3 * SECOND));
    assert!(served.head.metadata.is_empty());

    pair.wait(2 * SECOND);
    assert_eq!(pair.client.conn.ending(key), None);
    pair.wait(SECOND);
    assert_eq!(pair.client.conn.ending(key), Some(&Ending::Deadline));
    assert_eq!(pair.server.conn.ending(served.key), Some(&Ending::Deadline));
    assert_eq!(pair.client.conn.next_deadline(), None);
}

#[test]
fn a_limit_below_a_millisecond_is_told_as_one_millisecond_by_calls_and_streams() {
    let mut pair = Pair::new();
    let limit = Some(Duration::from_micros(500));
    pair.client.conn.open(Head { timeout: limit, ..head(STREAM) }, None, pair.now).unwrap();
    let none = |_: &mut Vec<u8>| {};
    pair.client
        .conn
        .call(Head { timeout: limit, ..head(UNARY) }, false, None, UnaryContent::new(0, none))
        .unwrap();
    pair.run();
    let end = Some(pair.now + Duration::from_millis(1));
    assert_eq!(pair.server.next_stream().deadline, end);
    assert_eq!(pair.server.next_call().deadline, end);
}

#[test]
fn a_stream_that_ends_in_time_leaves_no_timer() {
    let mut pair = Pair::new();
    let key = pair
        .client
        .conn
        .open(Head { timeout: Some(SECOND), ..head(STREAM) }, None, pair.now)
        .unwrap();
    pair.run();
    let served = pair.server.next_stream();
    pair.server.conn.close(served.key, Outcome::default());
    pair.run();
    assert_eq!(pair.client.conn.next_deadline(), None);
    assert_eq!(pair.server.conn.next_deadline(), None);
    pair.wait(2 * SECOND);
    assert!(matches!(pair.client.conn.ending(key), Some(Ending::Closed(_))));
}

#[test]
fn a_unary_call_ends_at_its_deadline_on_both_sides_and_a_late_answer_is_dropped() {
    let mut pair = Pair::new();
    let deadline = Some(pair.now + SECOND);
    let body = UnaryContent::new(2, |out: &mut Vec<u8>| out.extend_from_slice(b"hi"));
    let sent = Head { timeout: Some(SECOND), ..head(UNARY) };
    let key = pair.client.conn.call(sent, false, deadline, body).unwrap().unwrap();
    pair.run();
    let call = pair.server.next_call();
    assert_eq!(call.deadline, deadline);
    pair.wait(SECOND);
    assert_eq!(pair.client.conn.answer(key), Some(Err(Ending::Deadline)));
    assert_eq!(pair.server.conn.call_ending(call.key), Some(Ending::Deadline));
    pair.client.events.clear();

    pair.server
        .conn
        .reply(
            call.key,
            Outcome::of_codes(24, 0, "late"),
            0,
            UnaryContent::new(0, |_: &mut Vec<u8>| {}),
        )
        .unwrap();
    pair.server.conn.release_call(call.key);
    pair.run();
    assert!(pair.client.events.is_empty());
    assert!(pair.client.conn.is_idle() && pair.server.conn.is_idle());
}

#[test]
fn a_timeout_longer_than_time_itself_is_no_timeout() {
    let mut pair = Pair::new();
    let key = pair
        .client
        .conn
        .open(Head { timeout: Some(Duration::MAX), ..head(STREAM) }, None, pair.now)
        .unwrap();
    pair.run();
    assert_eq!(pair.client.conn.opened(key), Some(Ok(())));
    assert!(pair.client.events.iter().all(|event| !matches!(event, Event::Stream(_))));
    for _ in 0..1000 {
        pair.wait(Duration::from_secs(24 * 60 * 60));
    }
    assert_eq!(pair.client.conn.ending(key), None);
}

proptest! {
    /// Beside a set of all deadlines, which is slower and obvious: a timer that is not set is set,
    /// one that is set is cleared, and now and then those that are due are taken.
    #[test]
    fn timers_come_as_from_a_set_of_all_of_them(
        steps in proptest::collection::vec((0..3_u8, 0..8_u32, 0..30_u32, 0..4_u8), 0..300),
    ) {
        let (mut timers, mut all, mut set) = (Timers::default(), BTreeSet::new(), BTreeMap::new());
        let mut now = epoch();
        for (kind, key, offset, step) in steps {
            let timer = match kind {
                0 => Timer::Call(CallKey(Key::of(key))),
                1 => Timer::Open(StreamKey(Key::of(key))),
                _ => Timer::Stream(StreamKey(Key::of(key))),
            };
            if step == 0 {
                now += SECOND * offset / 8;
                let mut due = BTreeSet::new();
                while let Some(timer) = timers.pop(now) {
                    let at = set.remove(&timer).expect("what is due was set");
                    prop_assert!(due.last().is_none_or(|(last, _)| *last <= at), "an earlier one came later");
                    due.insert((at, timer));
                }
                let later = all.split_off(&(now + Duration::from_nanos(1), Timer::Open(StreamKey(Key::of(0)))));
                prop_assert_eq!(due, std::mem::replace(&mut all, later));
            } else if let Some(at) = set.remove(&timer) {
                timers.clear(Some(at), timer);
                all.remove(&(at, timer));
            } else {
                let at = now + SECOND * if step == 1 { offset } else { 20 };
                timers.set(at, timer);
                all.insert((at, timer));
                set.insert(timer, at);
            }
            prop_assert_eq!(timers.next(), all.first().map(|(at, _)| *at));
        }
    }
}
