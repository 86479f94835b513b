//! Streams without flow control, and connections that are not read for their sake.

use std::time::Duration;

use crate::conn::{Config, Consumed, Ending, Sent, StreamKey};
use crate::framing::StreamId;
use crate::wires::trpc as wire;

use super::credit::credits;
use super::pair::Pair;

#[test]
fn zero_from_either_side_switches_flow_control_off_in_both_directions() {
    let off = Config { window: 0, outbox: usize::MAX / 2, ..Config::default() };
    let on = Config { outbox: usize::MAX / 2, ..Config::default() };
    for (client, server) in [(off.clone(), on.clone()), (on, off)] {
        let mut pair = Pair::with(client, server);
        let (key, served) = pair.open();
        for _ in 0..50 {
            assert_eq!(pair.client.send(key, &[0; 10_000]), Ok(Sent::Queued));
            assert_eq!(pair.server.send(served.key, &[0; 10_000]), Ok(Sent::Queued));
        }
        pair.run();
        assert_eq!(pair.client.read_all(key).0.len(), 50);
        assert_eq!(pair.server.read_all(served.key).0.len(), 50);
        pair.run();
        assert_eq!(credits(&pair.client.seen), [0; 0]);
        assert_eq!(credits(&pair.server.seen), [0; 0]);
    }
}

/// A stream without flow control whose handler has 40 messages to read, more than one may hold: the
/// client's key and the server's.
fn full_inbox() -> (Pair, StreamKey, StreamKey) {
    let mut pair = Pair::with(
        Config { window: 0, outbox: usize::MAX / 2, ..Config::default() },
        Config::default(),
    );
    let (key, served) = pair.open();
    for _ in 0..40 {
        pair.client.send(key, &[0; 10_000]).unwrap();
    }
    pair.run();
    assert!(!pair.server.conn.wants_input());
    (pair, key, served.key)
}

#[test]
fn without_flow_control_a_full_inbox_stops_the_reading_and_an_emptied_one_resumes_it() {
    let (mut pair, _, served) = full_inbox();
    assert_eq!(pair.server.read_all(served).0.len(), 40);
    assert!(pair.server.conn.wants_input());
}

/// The 256 KiB that the documentation of `window` names, less what the last message that fits
/// lacks.
#[test]
fn without_flow_control_an_inbox_below_256_kib_does_not_stop_the_reading() {
    let config = Config { window: 0, outbox: usize::MAX / 2, ..Config::default() };
    let mut pair = Pair::with(config, Config::default());
    let (key, _) = pair.open();
    for _ in 0..25 {
        pair.client.send(key, &[0; 10_000]).unwrap();
    }
    pair.run();
    assert!(pair.server.conn.wants_input(), "250,000 bytes of 262,144");
    for _ in 0..2 {
        pair.client.send(key, &[0; 10_000]).unwrap();
    }
    pair.run();
    assert!(!pair.server.conn.wants_input(), "270,000 bytes of 262,144");
}

#[test]
fn a_client_whose_server_switches_flow_control_off_stops_reading_at_256_kib_as_well() {
    let server = Config { window: 0, outbox: usize::MAX / 2, ..Config::default() };
    let mut pair = Pair::with(Config::default(), server);
    let (_, served) = pair.open();
    for (messages, reads) in [(25, true), (2, false)] {
        for _ in 0..messages {
            pair.server.send(served.key, &[0; 10_000]).unwrap();
        }
        pair.run();
        assert_eq!(pair.client.conn.wants_input(), reads);
    }
}

#[test]
fn a_stream_without_credit_that_nobody_reads_is_broken_off_before_it_holds_up_others_for_ever() {
    let (mut pair, key, served) = full_inbox();
    // Alone it may wait for its reader as long as that takes.
    pair.wait(Duration::from_secs(60));
    assert!(!pair.server.conn.wants_input());
    assert_eq!(pair.server.conn.ending(served), None);

    let (_, other) = pair.open();
    pair.wait(Duration::from_secs(20));
    let ending = pair.server.conn.ending(served).cloned();
    assert!(
        matches!(ending, Some(Ending::Overrun(over)) if over.setting == "window is 0"),
        "{ending:?}"
    );
    assert_eq!(pair.server.conn.ending(other.key), None);
    assert!(pair.server.conn.wants_input(), "the others go on");
    assert!(
        matches!(pair.client.conn.ending(key), Some(Ending::Reset(why)) if why.codes().0 == 22)
    );
    assert_eq!(pair.server.read_all(served).0.len(), 40, "what came is still there");
}

/// A peer without flow control is held back by the stall alone, and by the headers that it makes
/// the reader keep.
#[test]
fn a_stream_without_a_window_stalls_beyond_its_cost_and_goes_on_at_half_of_it() {
    const STALL: usize = 256 * 1024;
    const COST: usize = 1024;
    let mut pair = Pair::with(Config { window: 0, ..Config::default() }, Config::default());
    let (key, served) = pair.open();
    // Each counts 64 bytes beside its own.
    for _ in 0..STALL / COST {
        pair.client.send(key, &[7; COST - 64]).unwrap();
    }
    pair.run();
    assert!(pair.server.conn.wants_input(), "exactly as much as it may hold");
    assert!(pair.server.conn.is_short(), "it is not the stall that would hold it back");
    pair.client.send(key, b"").unwrap();
    pair.run();
    assert!(!pair.server.conn.wants_input() && !pair.server.conn.is_short());

    let conn = &mut pair.server.conn;
    let half = STALL / COST / 2;
    conn.give_credit(served.key, Consumed { messages: half, bytes: half * (COST - 64) });
    assert!(!conn.wants_input(), "one is above the half");
    conn.give_credit(served.key, Consumed { messages: 1, bytes: 0 });
    assert!(conn.wants_input());
}

#[test]
fn a_stream_that_stalls_its_connection_for_too_long_is_broken_off_with_what_it_holds_and_its_limit()
{
    let stalled = |window, message: &'static [u8], times| {
        let client = Config { window, max_received: 100_000, ..Config::default() };
        let server = Config { max_received: 100_000, ..Config::default() };
        let mut pair = Pair::with(client, server);
        let (_, served) = pair.open();
        pair.open();
        for _ in 0..times {
            let mut data = Vec::new();
            wire::data(&mut data, StreamId(100), message.len(), |out: &mut Vec<u8>| {
                out.extend_from_slice(message);
            })
            .unwrap();
            pair.server.receive(&data, pair.now).unwrap();
        }
        let stalls = !pair.server.conn.wants_input();
        pair.wait(Duration::from_secs(10));
        match pair.server.conn.ended(served.key) {
            Some(Ending::Overrun(over)) => Some((over.used, over.limit, over.setting)),
            ending => {
                assert_eq!((ending, stalls), (None, false));
                None
            }
        }
    };
    const LARGE: &[u8] = &[7; 99_936];
    assert_eq!(stalled(0, LARGE, 2), None, "it does not stall");
    assert_eq!(stalled(0, LARGE, 3), Some((300_000, 256 * 1024, "window is 0")));
    assert_eq!(stalled(65_535, LARGE, 3), None);
    assert_eq!(stalled(65_535, LARGE, 4), Some((400_000, 331_070, "window")));
}
