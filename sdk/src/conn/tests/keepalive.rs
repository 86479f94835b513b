//! Quiet connections: closed when idle, kept warm when a stream is open, and never trusted before
//! the first frame.

use std::time::Duration;

use crate::conn::{Config, ConnError, Ending, Outcome};
use crate::framing::{StreamId, UnaryContent};
use crate::wires::trpc::{self as wire, Frame};

use super::pair::{End, Pair, STREAM, UNARY, epoch, head};

const SECOND: Duration = Duration::from_secs(1);

/// A pair whose connections know what time it is.
fn started(client: Config, server: Config) -> Pair {
    let mut pair = Pair::with(client, server);
    pair.client.conn.start(pair.now);
    pair.server.conn.start(pair.now);
    pair
}

fn idle(limit: Duration) -> Config {
    Config { idle_timeout: Some(limit), ..Config::default() }
}

fn feedbacks(end: &End) -> usize {
    end.seen.iter().filter(|frame| matches!(frame, Frame::Feedback { increment: 0, .. })).count()
}

#[test]
fn a_connection_without_calls_is_closed_when_it_was_idle_for_the_limit_and_a_quarter_more_at_most()
{
    let mut pair = started(Config::default(), idle(100 * SECOND));
    let (key, served) = pair.open();
    pair.wait(30 * SECOND);
    pair.server.conn.close(served.key, Outcome::default());
    pair.run();
    pair.client.conn.release(key);
    pair.server.conn.release(served.key);
    let ended = pair.now;
    while pair.server.conn.lost().is_none() {
        pair.wait(SECOND);
        assert!(pair.now < ended + 126 * SECOND, "it is never closed");
    }
    assert!(pair.now >= ended + 100 * SECOND, "closed after {:?}", pair.now - ended);
    assert_eq!(pair.server.conn.lost(), Some(&ConnError::Idle(100 * SECOND)));
    assert_eq!(pair.server.conn.next_deadline(), None);
}

#[test]
fn calls_of_a_client_that_sends_nothing_more_do_not_keep_its_connection_for_ever() {
    let mut pair = started(Config::default(), idle(100 * SECOND));
    let none = UnaryContent::new(0, |_: &mut Vec<u8>| {});
    pair.client.conn.call(head(UNARY), false, None, none).unwrap();
    pair.run();
    let call = pair.server.next_call();
    assert!(pair.server.conn.handle_input_end());
    for _ in 0..126 {
        pair.wait(SECOND);
    }
    assert_eq!(pair.server.conn.lost(), Some(&ConnError::Idle(100 * SECOND)));
    assert_eq!(
        pair.server.conn.call_ending(call.key),
        Some(Ending::Lost(ConnError::Idle(100 * SECOND)))
    );
}

#[test]
fn a_connection_with_an_open_stream_or_call_is_never_idle() {
    let mut pair = started(idle(SECOND), idle(SECOND));
    let (key, served) = pair.open();
    for _ in 0..120 {
        pair.wait(SECOND);
    }
    assert_eq!((pair.client.conn.lost(), pair.server.conn.lost()), (None, None));
    pair.server.conn.close(served.key, Outcome::default());
    pair.server.conn.release(served.key);
    pair.run();
    pair.client.conn.release(key);

    let body = UnaryContent::new(2, |out: &mut Vec<u8>| out.extend_from_slice(b"hi"));
    let call = pair.client.conn.call(head(UNARY), false, None, body).unwrap().unwrap();
    pair.run();
    let served = pair.server.next_call();
    for _ in 0..120 {
        pair.wait(SECOND);
    }
    assert_eq!((pair.client.conn.lost(), pair.server.conn.lost()), (None, None));
    pair.server
        .conn
        .reply(served.key, Outcome::default(), 0, UnaryContent::new(0, |_: &mut Vec<u8>| {}))
        .unwrap();
    pair.server.conn.release_call(served.key);
    pair.run();
    assert!(pair.client.conn.answer(call).is_some());
    pair.wait(SECOND / 4);
    for _ in 0..4 {
        pair.wait(SECOND / 4);
    }
    assert_eq!(pair.client.conn.lost(), Some(&ConnError::Idle(SECOND)));
}

#[test]
fn calls_that_come_now_and_then_keep_a_connection_open() {
    let mut pair = started(Config::default(), idle(4 * SECOND));
    for _ in 0..20 {
        pair.wait(3 * SECOND);
        let body = UnaryContent::new(0, |_: &mut Vec<u8>| {});
        pair.client.conn.call(head(UNARY), true, None, body).unwrap();
        pair.run();
        let served = pair.server.next_call();
        pair.server.conn.release_call(served.key);
    }
    assert_eq!(pair.server.conn.lost(), None);
}

#[test]
fn a_quiet_stream_beats_and_a_busy_one_does_not() {
    let beating = Config { heartbeat: Some(10 * SECOND), ..Config::default() };
    let mut pair = started(beating, Config::default());
    pair.wait(60 * SECOND);
    assert_eq!(feedbacks(&pair.server), 0, "without a stream there is nothing to beat on");
    let (key, served) = pair.open();
    let mut quiet = Duration::ZERO;
    let mut seen = pair.server.seen.len();
    for _ in 0..120 {
        pair.wait(SECOND);
        quiet += SECOND;
        if pair.server.seen.len() > seen {
            (seen, quiet) = (pair.server.seen.len(), Duration::ZERO);
        }
        assert!(quiet <= 10 * SECOND, "quiet for {quiet:?}");
    }
    let beats = feedbacks(&pair.server);
    assert!((12..=24).contains(&beats), "{beats} beats in 120 s");
    assert_eq!(feedbacks(&pair.client), 0, "the other side has not been asked to beat");

    let mut ticket = None;
    for _ in 0..60 {
        pair.server.conn.send(served.key, 1, &mut ticket, |out: &mut Vec<u8>| out.push(0)).unwrap();
        pair.run();
        pair.wait(SECOND);
    }
    assert_eq!(feedbacks(&pair.server), beats, "messages are signs of life");
    pair.server.conn.close(served.key, Outcome::default());
    pair.run();
    pair.client.conn.release(key);
    pair.wait(60 * SECOND);
    assert_eq!(feedbacks(&pair.server), beats, "the stream is over");
}

#[test]
fn a_stream_that_is_not_accepted_yet_is_not_beaten_on() {
    // A client of tRPC-Go takes whatever comes first for the answer to INIT, and its server would
    // not know the stream.
    let mut client = End::client(Config { heartbeat: Some(SECOND), ..Config::default() });
    client.conn.start(epoch());
    client.conn.open(head(STREAM), None, epoch()).unwrap();
    assert_eq!(client.output_frames().len(), 1);
    for second in 1..5 {
        client.conn.handle_timeout(epoch() + second * SECOND);
        assert!(client.output_frames().is_empty());
    }
}

#[test]
fn a_short_dead_peer_timeout_makes_a_client_ask_that_waits_for_a_call_and_never_a_server() {
    let probing = Config { dead_peer_timeout: SECOND, ..Config::default() };
    let mut pair = started(probing.clone(), probing);
    pair.wait(SECOND);
    pair.wait(SECOND);
    assert_eq!(feedbacks(&pair.server) + feedbacks(&pair.client), 0, "nobody waits");
    let body = UnaryContent::new(0, |_: &mut Vec<u8>| {});
    pair.client.conn.call(head(UNARY), false, None, body).unwrap().unwrap();
    pair.run();
    for _ in 0..10 {
        pair.wait(SECOND / 5);
    }
    let asked = |end: &End| {
        end.seen
            .iter()
            .any(|frame| matches!(frame, Frame::Feedback { id: StreamId(0), increment: 0 }))
    };
    assert!(asked(&pair.server));
    assert!(!asked(&pair.client), "a client of tRPC-Go would take it for its answer");
    assert_eq!((pair.client.conn.lost(), pair.server.conn.lost()), (None, None));
}

#[test]
fn a_client_asks_whose_stream_is_not_accepted_yet() {
    let mut client = End::client(Config { dead_peer_timeout: SECOND, ..Config::default() });
    client.conn.start(epoch());
    client.conn.open(head(STREAM), None, epoch()).unwrap();
    assert_eq!(client.output_frames().len(), 1);
    let mut asked = Vec::new();
    for fifth in 1..=10 {
        client.conn.handle_timeout(epoch() + fifth * SECOND / 5);
        asked.extend(client.output_frames());
    }
    let is_probe = |frame: &Frame| *frame == Frame::Feedback { id: StreamId(0), increment: 0 };
    assert!(!asked.is_empty() && asked.iter().all(is_probe), "{asked:?}");
}

#[test]
fn a_first_frame_that_trickles_in_ends_the_connection_and_a_silent_peer_does_not() {
    let config = Config { first_frame_timeout: SECOND, ..Config::default() };
    let mut silent = End::server(config.clone());
    silent.conn.start(epoch());
    silent.conn.handle_timeout(epoch() + 100 * SECOND);
    assert_eq!(silent.conn.lost(), None);

    let mut slow = End::server(config.clone());
    slow.conn.start(epoch());
    for tenth in 0..10 {
        slow.conn.handle_first_bytes(epoch() + tenth * SECOND / 10);
        slow.conn.handle_timeout(epoch() + tenth * SECOND / 10);
        assert_eq!(slow.conn.lost(), None);
    }
    slow.conn.handle_timeout(epoch() + SECOND);
    assert_eq!(slow.conn.lost(), Some(&ConnError::FirstFrame(SECOND)));

    let mut good = End::server(config);
    good.conn.start(epoch());
    good.conn.handle_first_bytes(epoch());
    good.conn.handle_first_frame();
    let mut bytes = Vec::new();
    wire::feedback(&mut bytes, StreamId(100), 1);
    good.receive(&bytes, epoch()).unwrap();
    good.conn.handle_timeout(epoch() + 100 * SECOND);
    assert_eq!(good.conn.lost(), None);
}

#[test]
fn a_stream_without_messages_is_broken_off_with_its_own_code_on_either_side() {
    let config = Config { stream_idle_timeout: Some(100 * SECOND), ..Config::default() };
    for (client, server, code) in
        [(config.clone(), Config::default(), 355), (Config::default(), config.clone(), 255)]
    {
        let mut pair = started(client, server);
        let (key, served) = pair.open();
        let mut ticket = None;
        // Each direction counts, on either side.
        for minute in 0..10 {
            for _ in 0..60 {
                pair.wait(SECOND);
            }
            let end = if minute % 2 == 0 { &mut pair.client } else { &mut pair.server };
            let key = if minute % 2 == 0 { key } else { served.key };
            end.conn.send(key, 1, &mut ticket, |out: &mut Vec<u8>| out.push(0)).unwrap();
            pair.run();
        }
        let last = pair.now;
        let ours = |pair: &Pair| match code {
            355 => pair.client.conn.ending(key).cloned(),
            _ => pair.server.conn.ending(served.key).cloned(),
        };
        while ours(&pair).is_none() {
            pair.wait(SECOND);
            assert!(pair.now <= last + 126 * SECOND, "it never ends");
        }
        assert!(pair.now >= last + 100 * SECOND);
        assert_eq!(ours(&pair), Some(Ending::Idle(100 * SECOND)));
        let theirs = match code {
            355 => pair.server.conn.ending(served.key),
            _ => pair.client.conn.ending(key),
        };
        assert!(
            matches!(theirs, Some(Ending::Reset(outcome)) if outcome.codes().0 == code),
            "{theirs:?}"
        );
        assert_eq!(
            (pair.client.conn.next_deadline(), pair.server.conn.next_deadline()),
            (None, None)
        );
    }
}

#[test]
fn messages_of_a_writer_with_lent_credit_keep_a_stream_alive_and_giving_it_back_does_not() {
    for writes in [true, false] {
        let config = Config { stream_idle_timeout: Some(100 * SECOND), ..Config::default() };
        let mut pair = started(Config::default(), config);
        let (_, served) = pair.open();
        for _ in 0..5 {
            pair.wait(60 * SECOND);
            let (prefix, credit) = pair.server.conn.grant_credit(served.key);
            let mut frames = Vec::new();
            if writes {
                prefix.write(&mut frames, 1, |out: &mut Vec<u8>| out.push(7)).unwrap();
            }
            pair.server.conn.collect(served.key, &frames, credit - i64::from(writes));
            pair.run();
        }
        let expected = if writes { None } else { Some(Ending::Idle(100 * SECOND)) };
        assert_eq!(pair.server.conn.ending(served.key).cloned(), expected);
    }
}

#[test]
fn beats_do_not_keep_a_stream_without_messages_alive_and_its_own_limit_counts_before_the_connections()
 {
    let config = Config {
        heartbeat: Some(SECOND),
        stream_idle_timeout: Some(1000 * SECOND),
        ..Config::default()
    };
    let mut pair = started(config, Config::default());
    let key = pair.client.conn.open(head(STREAM), Some(10 * SECOND), pair.now).unwrap();
    pair.run();
    for _ in 0..50 {
        pair.wait(SECOND / 4);
    }
    assert_eq!(pair.client.conn.ending(key), Some(&Ending::Idle(10 * SECOND)));
}

#[test]
fn a_connection_that_is_lost_asks_nobody_while_a_call_goes_on_without_it() {
    let probing = Config { dead_peer_timeout: SECOND, ..Config::default() };
    let mut pair = started(Config::default(), probing);
    let body = UnaryContent::new(0, |_: &mut Vec<u8>| {});
    pair.client.conn.call(head(UNARY), true, None, body).unwrap();
    pair.run();
    let served = pair.server.next_call();
    pair.server.conn.handle_lost(&ConnError::PeerClosed);
    for _ in 0..10 {
        pair.now += SECOND;
        pair.server.conn.handle_timeout(pair.now);
    }
    assert_eq!((pair.server.conn.output_len(), pair.server.conn.next_deadline()), (0, None));
    pair.server.conn.release_call(served.key);
    assert!(pair.server.conn.is_idle(), "a shutdown would wait for what nobody writes");
}
