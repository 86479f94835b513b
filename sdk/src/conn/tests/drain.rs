//! How a server ends.

use std::time::Duration;

use bytes::Bytes;

use crate::conn::config::MIN_OUTBOX;
use crate::conn::{
    CallKey, Config, ConnError, Connection, Ending, Event, Head, Outbox, Outcome, SendError, Take,
};
use crate::framing::{MAX_ENTRIES, UnaryContent};
use crate::metadata::Metadata;

use super::pair::{Pair, STREAM, UNARY, epoch, head};

fn call(conn: &mut Connection, head: Head, one_way: bool) -> Option<CallKey> {
    conn.call(head, one_way, None, UnaryContent::new(0, |_: &mut Vec<u8>| {})).unwrap()
}

fn told(events: &mut Vec<Event>) -> bool {
    let told = events.iter().any(|event| matches!(event, Event::Idle));
    events.retain(|event| !matches!(event, Event::Idle));
    told
}

#[test]
fn what_is_going_on_is_answered_with_21_behind_what_was_written_and_gets_no_second_answer() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    let asked = call(&mut pair.client.conn, head(UNARY), false).unwrap();
    pair.run();
    let got = pair.server.next_call();
    pair.server.send(served.key, b"first").unwrap();
    pair.server.conn.shut_down();
    pair.server.conn.close(served.key, crate::conn::Outcome::default());
    pair.server.conn.refuse(got.key, crate::conn::Outcome::of_codes(51, 0, "too late"), &[]);
    pair.run();
    assert_eq!(pair.client.read_all(key), (vec!["first".into()], Some(Take::Ended)));
    assert!(
        matches!(pair.client.conn.ending(key), Some(Ending::Reset(why)) if why.codes().0 == 21)
    );
    assert_eq!(pair.client.conn.answer(asked).unwrap().unwrap().outcome.codes().0, 21);
    assert_eq!(pair.client.seen.len(), 4, "INIT, DATA, CLOSE and one answer");
    let shut_down = Ending::Lost(ConnError::Shutdown);
    assert_eq!(pair.server.conn.ending(served.key), Some(&shut_down));
    assert_eq!(pair.server.conn.call_ending(got.key), Some(shut_down));
    // The handlers still hold the stream and the call.
    assert!(!pair.server.conn.is_released());
    pair.server.conn.release(served.key);
    pair.server.conn.release_call(got.key);
    assert!(pair.server.conn.is_released());
}

#[test]
fn the_last_end_and_the_last_byte_tell_a_connection_that_drains_and_no_other() {
    for drains in [true, false] {
        let mut pair = Pair::new();
        let (_, served) = pair.open();
        let asked = call(&mut pair.client.conn, head(UNARY), false).unwrap();
        pair.run();
        let got = pair.server.next_call();
        if drains {
            pair.server.conn.drain();
        }
        pair.server.conn.close(served.key, crate::conn::Outcome::default());
        pair.server.output();
        assert!(!told(&mut pair.server.events) && !pair.server.conn.is_idle(), "the call goes on");
        pair.server.conn.refuse(got.key, crate::conn::Outcome::default(), &[]);
        pair.server.conn.release_call(got.key);
        let bytes = pair.server.conn.take_output(Outbox::default());
        pair.server.conn.take_events(&mut pair.server.events);
        assert!(
            !told(&mut pair.server.events) && !pair.server.conn.is_idle(),
            "the answer is not written"
        );
        pair.server.conn.handle_written(bytes.len());
        pair.server.conn.take_events(&mut pair.server.events);
        assert_eq!((told(&mut pair.server.events), pair.server.conn.is_idle()), (drains, true));
        pair.client.conn.release_call(asked);
    }
}

#[test]
fn a_client_that_a_draining_server_has_refused_sends_it_no_more_calls() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    pair.server.conn.drain();
    let asked = call(&mut pair.client.conn, head(UNARY), false).unwrap();
    pair.run();
    let outcome = pair.client.conn.answer(asked).unwrap().unwrap().outcome;
    assert_eq!(
        (outcome.codes().0, outcome.metadata),
        (22, Metadata::new()),
        "the mark is not for the caller"
    );
    for one_way in [false, true] {
        let again = pair.client.conn.call(
            head(UNARY),
            one_way,
            None,
            UnaryContent::new(0, |_: &mut Vec<u8>| {}),
        );
        assert_eq!(again, Err(SendError::PeerDrains));
    }
    assert_eq!(pair.client.conn.open(head(STREAM), None, epoch()), Err(SendError::PeerDrains));
    assert!(pair.client.output().is_empty());
    // The open stream is left to go on.
    pair.client.send(key, b"more").unwrap();
    pair.client.conn.half_close(key);
    pair.run();
    assert_eq!(pair.server.read_all(served.key), (vec!["more".into()], Some(Take::EndOfInput)));
}

#[test]
fn an_answer_of_another_code_says_nothing_of_draining() {
    for ret in [0, 7] {
        let mut pair = Pair::new();
        let asked = call(&mut pair.client.conn, head(UNARY), false).unwrap();
        pair.run();
        let got = pair.server.next_call();
        let mut outcome = Outcome::of_codes(ret, 0, "");
        outcome.metadata.put("trill-draining", "1");
        pair.server.conn.refuse(got.key, outcome.clone(), &[]);
        pair.run();
        let answer = pair.client.conn.answer(asked).unwrap().unwrap();
        assert_eq!(answer.outcome, outcome, "the key is the application's");
        assert!(call(&mut pair.client.conn, head(UNARY), false).is_some());
    }
}

#[test]
fn a_client_whose_stream_a_draining_server_has_refused_sends_it_no_more_calls() {
    for drains in [true, false] {
        let server = Config { max_streams: 1, ..Config::default() };
        let mut pair = Pair::with(Config::default(), server);
        pair.open();
        if drains {
            pair.server.conn.drain();
        }
        let refused = pair.client.conn.open(head(STREAM), None, epoch()).unwrap();
        pair.run();
        let ending = pair.client.conn.ending(refused);
        assert!(matches!(ending, Some(Ending::Refused(why)) if why.codes().0 == 22));
        assert_eq!(pair.client.conn.peer_drains(), drains);
    }
}

#[test]
fn those_who_wait_for_room_hear_that_the_server_drains() {
    let mut pair =
        Pair::with(Config { outbox: MIN_OUTBOX, ..Config::default() }, Config::default());
    pair.server.conn.drain();
    call(&mut pair.client.conn, head(UNARY), false).unwrap();
    let request = pair.client.output();
    pair.server.receive(&request, epoch()).unwrap();
    let client = &mut pair.client.conn;
    let large = |out: &mut Vec<u8>| out.resize(out.len() + MIN_OUTBOX, 0);
    client.call(head(UNARY), true, None, UnaryContent::new(MIN_OUTBOX, large)).unwrap();
    let mut waits = None;
    assert_eq!(client.claim_room(MIN_OUTBOX, &mut waits), Ok(false));
    let answer = pair.server.output();
    pair.client.receive(&answer, epoch()).unwrap();
    let told = |event: &Event| matches!(event, Event::Room(ticket) if Some(*ticket) == waits);
    assert!(pair.client.events.iter().any(told));
}

#[test]
fn a_call_or_stream_that_fails_when_it_has_got_room_leaves_it_to_the_next() {
    for is_stream in [false, true] {
        let mut pair =
            Pair::with(Config { outbox: MIN_OUTBOX, ..Config::default() }, Config::default());
        let client = &mut pair.client.conn;
        let large = |out: &mut Vec<u8>| out.resize(out.len() + MIN_OUTBOX, 0);
        client.call(head(UNARY), true, None, UnaryContent::new(MIN_OUTBOX, large)).unwrap();
        let (mut first, mut second) = (None, None);
        assert_eq!(client.claim_room(MIN_OUTBOX, &mut first), Ok(false));
        assert_eq!(client.claim_room(MIN_OUTBOX, &mut second), Ok(false));
        pair.run();
        let client = &mut pair.client;
        assert_eq!(client.conn.claim_room(MIN_OUTBOX, &mut first), Ok(true));
        assert_eq!(client.conn.claim_room(MIN_OUTBOX, &mut second), Ok(false), "the first has it");
        let mut unfit = head(UNARY);
        let pairs = (0..=MAX_ENTRIES).map(|number| (number.to_string(), ""));
        unfit.metadata = Metadata::try_from_iter(pairs).unwrap();
        let failed = if is_stream {
            client.conn.open(unfit, None, epoch()).err()
        } else {
            client.conn.call(unfit, true, None, UnaryContent::new(MIN_OUTBOX, large)).err()
        };
        assert!(matches!(failed, Some(SendError::TooManyEntries { .. })));
        assert_eq!(client.conn.claim_room(MIN_OUTBOX, &mut second), Ok(true));
    }
}

#[test]
fn what_a_shutdown_breaks_off_tells_that_the_server_takes_no_more_calls() {
    for is_stream in [false, true] {
        let mut pair = Pair::new();
        let _held = if is_stream {
            pair.open();
            None
        } else {
            call(&mut pair.client.conn, head(UNARY), false)
        };
        pair.run();
        pair.server.conn.shut_down();
        pair.run();
        let again = pair.client.conn.call(
            head(UNARY),
            false,
            None,
            UnaryContent::new(0, |_: &mut Vec<u8>| {}),
        );
        assert_eq!(again, Err(SendError::PeerDrains), "a stream: {is_stream}");
    }
}

#[test]
fn a_caller_whose_handler_is_dropped_without_an_answer_is_told_so() {
    let mut pair = Pair::new();
    let asked = call(&mut pair.client.conn, head(UNARY), false).unwrap();
    pair.run();
    let got = pair.server.next_call();
    pair.server.conn.release_call(got.key);
    pair.run();
    let outcome = pair.client.conn.answer(asked).unwrap().unwrap().outcome;
    assert_eq!(
        (outcome.codes().0, outcome.message),
        (31, Bytes::from_static(b"the handler was dropped before it had an outcome"))
    );
}

#[test]
fn a_one_way_call_outlives_its_connection_until_its_deadline_or_the_shutdown() {
    for shut_down in [true, false] {
        let mut pair = Pair::new();
        let limited = Head { timeout: Some(Duration::from_secs(1)), ..head(UNARY) };
        call(&mut pair.client.conn, limited, true);
        pair.run();
        let got = pair.server.next_call();
        pair.server.conn.handle_lost(&ConnError::PeerClosed);
        assert_eq!(pair.server.conn.call_ending(got.key), None);
        if shut_down {
            pair.server.conn.shut_down();
            let ending = Ending::Lost(ConnError::Shutdown);
            assert_eq!(pair.server.conn.call_ending(got.key), Some(ending));
        } else {
            let at = pair.server.conn.next_deadline().expect("its deadline");
            pair.server.conn.handle_timeout(at);
            assert_eq!(pair.server.conn.call_ending(got.key), Some(Ending::Deadline));
        }
        assert_eq!(pair.server.conn.next_deadline(), None);
    }
}

#[test]
fn a_one_way_call_without_a_deadline_outlives_its_connection_for_the_servers_limit() {
    const LIMIT: Duration = Duration::from_secs(7);
    for is_called in [true, false] {
        let server = Config { abandoned_call_timeout: Some(LIMIT), ..Config::default() };
        let mut pair = Pair::with(Config::default(), server);
        if is_called {
            call(&mut pair.client.conn, head(UNARY), true);
            pair.run();
        }
        let lost = pair.now;
        pair.server.conn.handle_lost(&ConnError::PeerClosed);
        pair.server.conn.abandon(lost);
        assert_eq!(pair.server.conn.next_deadline(), is_called.then_some(lost + LIMIT));
        if is_called {
            let call = pair.server.next_call();
            pair.server.conn.handle_timeout(lost + LIMIT);
            assert_eq!(pair.server.conn.call_ending(call.key), Some(Ending::Abandoned(LIMIT)));
        }
    }
}

#[test]
fn a_client_that_sends_nothing_more_loses_its_streams_and_gets_its_answers() {
    let mut pair = Pair::new();
    let (_, served) = pair.open();
    let asked = call(&mut pair.client.conn, head(UNARY), false).unwrap();
    call(&mut pair.client.conn, head(UNARY), true);
    pair.run();
    let (got, one_way) = (pair.server.next_call(), pair.server.next_call());
    assert!(pair.server.conn.handle_input_end());
    assert_eq!(pair.server.conn.ending(served.key), Some(&Ending::Lost(ConnError::PeerClosed)));
    assert_eq!(pair.server.conn.call_ending(got.key), None);
    pair.server.conn.refuse(got.key, crate::conn::Outcome::default(), &[]);
    pair.server.conn.release_call(got.key);
    let bytes = pair.server.conn.take_output(Outbox::default());
    pair.server.conn.take_events(&mut pair.server.events);
    assert!(!told(&mut pair.server.events) && pair.server.conn.owes_answers(), "it is not written");
    pair.server.conn.handle_written(bytes.len());
    pair.server.conn.take_events(&mut pair.server.events);
    assert!(
        told(&mut pair.server.events) && !pair.server.conn.owes_answers(),
        "nobody waits for the other call"
    );
    pair.client.conn.release_call(asked);
    pair.server.conn.release_call(one_way.key);
}
