//! How streams end.

use std::sync::Arc;

use crate::conn::{AppErrors, Config, ConnError, Ending, Event, Outcome, SendError, Take};
use crate::wires::trpc::Frame;

use super::pair::{End, Pair};

fn app(func_ret: i32, message: &'static str) -> Outcome {
    Outcome::of_codes(0, func_ret, message)
}

#[test]
fn messages_then_half_close_then_the_servers_status_with_metadata() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    pair.client.send(key, b"one").unwrap();
    pair.client.send(key, b"").unwrap();
    pair.client.conn.half_close(key);
    pair.run();
    let (messages, end) = pair.server.read_all(served.key);
    assert_eq!(messages, ["one", ""]);
    assert_eq!(end, Some(Take::EndOfInput));
    assert_eq!(pair.client.send(key, b"late"), Err(SendError::HalfClosed));

    pair.server.send(served.key, b"answer").unwrap();
    let mut outcome = Outcome::default();
    outcome.metadata.put("trailing", "yes");
    pair.server.conn.close(served.key, outcome.clone());
    pair.run();
    let (messages, end) = pair.client.read_all(key);
    assert_eq!(messages, ["answer"]);
    assert_eq!(end, Some(Take::Ended));
    assert_eq!(pair.client.conn.ending(key), Some(&Ending::Closed(Arc::new(outcome))));
    pair.client.conn.release(key);
    assert!(pair.client.output().is_empty(), "a client does not answer the end");
}

#[test]
fn an_error_of_the_handler_is_a_reset_with_its_codes_and_comes_after_the_messages() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    pair.server.send(served.key, b"first").unwrap();
    pair.server.conn.close(served.key, app(4001, "why"));
    pair.run();
    assert!(
        matches!(pair.client.seen.last(), Some(Frame::Close { meta, .. }) if meta.close_type == 1)
    );
    assert_eq!(pair.client.read_all(key), (vec!["first".into()], Some(Take::Ended)));
    assert_eq!(pair.client.conn.ending(key), Some(&Ending::Reset(Arc::new(app(4001, "why")))));
}

#[test]
fn an_applications_code_may_go_out_in_a_normal_close() {
    let server = Config { app_errors: AppErrors::Close, ..Config::default() };
    for (outcome, close_type) in [(app(4001, "why"), 0), (Outcome::of_codes(51, 0, "why"), 1)] {
        let mut pair = Pair::with(Config::default(), server.clone());
        let (key, served) = pair.open();
        pair.client.send(key, b"not read").unwrap();
        pair.run();
        pair.server.conn.close(served.key, outcome);
        pair.run();
        let Some(Frame::Close { meta, .. }) = pair.client.seen.last() else { panic!("the end") };
        assert_eq!(meta.close_type, close_type);
        assert_eq!(pair.client.read_all(key).1, Some(Take::Ended));
        assert!(matches!(
            pair.client.conn.ending(key),
            Some(Ending::Closed(outcome) | Ending::Reset(outcome)) if !outcome.is_ok()
        ));
    }
}

#[test]
fn a_reset_never_goes_out_without_a_code() {
    let mut pair = Pair::new();
    let (key, _) = pair.open();
    pair.client.conn.reset(key, Outcome::default());
    let frames = pair.client.output_frames();
    assert!(matches!(&frames[..], [Frame::Close { meta, .. }] if meta.ret == 999));
}

#[test]
fn an_end_that_does_not_fit_into_a_frame_keeps_its_codes_and_the_beginning_of_its_text() {
    let config = crate::conn::Config { max_sent: 1_024, ..Default::default() };
    let mut pair = Pair::with(Default::default(), config);
    let (key, served) = pair.open();
    let mut outcome = Outcome::of_codes(7, 8, "long ".repeat(1_000));
    outcome.metadata.put("key", vec![0; 5_000]);
    pair.server.conn.close(served.key, outcome);
    pair.run();
    let Some(Ending::Reset(got)) = pair.client.conn.ending(key) else { panic!("it was reset") };
    assert_eq!(got.codes(), (7, 8));
    assert!(got.message.starts_with(b"long long ") && got.metadata.is_empty());
}

#[test]
fn a_stream_that_is_let_go_of_before_its_end_is_reset_with_161_and_the_handler_learns_it() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    assert_eq!(pair.server.conn.ended(served.key), None);
    pair.client.send(key, b"last words").unwrap();
    pair.client.conn.release(key);
    pair.run();
    assert!(matches!(pair.server.events[..], [Event::Changed(changed)] if changed == served.key));
    assert!(
        matches!(pair.server.conn.ended(served.key), Some(Ending::Reset(outcome)) if outcome.codes().0 == 161)
    );
    assert_eq!(pair.server.read_all(served.key), (vec!["last words".into()], Some(Take::Ended)));
    pair.server.conn.close(served.key, app(1, "too late"));
    assert!(pair.server.output().is_empty(), "a RESET is never answered");
}

#[test]
fn waiting_readers_and_writers_are_told_of_the_end() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    while pair.client.send(key, &[0; 30_000]).is_ok_and(|sent| sent == crate::conn::Sent::Queued) {}
    assert_eq!(pair.client.read_all(key).1, None);
    pair.run();
    pair.server.conn.close(served.key, app(5, "enough"));
    pair.run();
    let told: Vec<_> = pair.client.events.drain(..).collect();
    assert!(matches!(told[..], [Event::Readable(_), Event::Writable(_)]), "{told:?}");
    assert_eq!(
        pair.client.send(key, b"x"),
        Err(SendError::Ended(Ending::Reset(Arc::new(app(5, "enough")))))
    );
}

#[test]
fn frames_that_cross_the_end_are_dropped_without_an_answer() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    pair.server.conn.close(served.key, Outcome::default());
    pair.server.conn.release(served.key);
    pair.client.send(key, b"crossing").unwrap();
    pair.client.conn.half_close(key);
    let crossing = pair.client.output();
    pair.run();
    pair.server.receive(&crossing, pair.now).unwrap();
    assert!(pair.server.output().is_empty());
}

#[test]
fn a_lost_connection_ends_everything_after_what_was_received() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    for message in [&b"1"[..], b"2", b"3", b"4", b"5"] {
        pair.client.send(key, message).unwrap();
    }
    pair.run();
    for end in [&mut pair.client, &mut pair.server] {
        end.conn.handle_lost(&ConnError::PeerClosed);
        end.conn.handle_lost(&ConnError::LocalClosed);
    }
    let (messages, end) = pair.server.read_all(served.key);
    assert_eq!(messages, ["1", "2", "3", "4", "5"]);
    assert_eq!(end, Some(Take::Ended));
    let lost = Ending::Lost(ConnError::PeerClosed);
    assert_eq!(pair.server.conn.ending(served.key), Some(&lost), "the first reason counts");
    assert_eq!(pair.client.send(key, b"x"), Err(SendError::Ended(lost)));
    assert!(pair.client.conn.open(super::pair::head(super::pair::STREAM), None, pair.now).is_err());
}

#[test]
fn the_end_is_the_same_however_often_it_is_asked_for() {
    let mut pair = Pair::new();
    let (key, served) = pair.open();
    pair.client.conn.half_close(key);
    pair.client.conn.half_close(key);
    pair.run();
    for _ in 0..3 {
        assert_eq!(pair.server.read_all(served.key), (vec![], Some(Take::EndOfInput)));
    }
    pair.server.conn.close(served.key, Outcome::default());
    pair.run();
    for _ in 0..3 {
        assert_eq!(pair.client.read_all(key), (vec![], Some(Take::Ended)));
    }
}

#[test]
fn nothing_is_left_after_streams_are_over() {
    let mut pair = Pair::new();
    for _ in 0..100 {
        let (key, served) = pair.open();
        pair.client.send(key, b"x").unwrap();
        pair.run();
        pair.server.conn.close(served.key, Outcome::default());
        pair.server.conn.release(served.key);
        pair.run();
        pair.client.conn.release(key);
    }
    for end in [&pair.client.conn, &pair.server.conn] {
        assert!(end.is_idle());
        assert_eq!(end.next_deadline(), None);
        assert_eq!(end.held_streams(), 0);
    }
}

#[test]
fn a_peer_that_sends_frames_that_cannot_be_read_and_reads_no_resets_is_cut_off() {
    let mut server = End::server(Config { max_sent: 10_000, outbox: 10_000, ..Config::default() });
    let garbage = super::frames::garbage();
    let ended = (0..1_000_000).find_map(|_| server.receive(&garbage, super::pair::epoch()).err());
    assert!(matches!(ended, Some(ConnError::PeerNotReading { .. })), "{ended:?}");
}
