//! Giving a stream up with a normal CLOSE, for servers that do not understand RESET.

use crate::conn::cancelled::MOST;
use crate::conn::{Cancel, Config, Ending, Outcome, Sent, Take};
use crate::wires::trpc::Frame;

use super::pair::{End, Pair, STREAM, epoch, head};

fn polite() -> Pair {
    Pair::with(Config { cancel: Cancel::HalfClose, ..Config::default() }, Config::default())
}

#[test]
fn the_handler_sees_the_end_of_its_input_and_what_it_still_writes_is_taken_and_credited() {
    let mut pair = polite();
    let (key, served) = pair.open();
    pair.client.send(key, b"last").unwrap();
    // The server fills the window, and nobody reads.
    while pair.server.send(served.key, &[0; 30_000]).unwrap() == Sent::Queued {}
    pair.run();
    pair.client.conn.release(key);
    pair.run();
    assert_eq!(pair.server.read_all(served.key), (vec!["last".into()], Some(Take::EndOfInput)));
    for _ in 0..20 {
        assert_eq!(pair.server.send(served.key, &[0; 30_000]), Ok(Sent::Queued));
        pair.run();
    }
    assert!(
        pair.server
            .seen
            .iter()
            .all(|frame| !matches!(frame, Frame::Close { meta, .. } if meta.close_type == 1))
    );
    assert_eq!(pair.client.conn.cancelled_streams(), 1);
    assert_eq!(pair.client.conn.load(), 1, "the server has to do with it still");
    pair.server.conn.close(served.key, Outcome::default());
    pair.run();
    assert_eq!((pair.client.conn.cancelled_streams(), pair.client.conn.load()), (0, 0));
    assert!(pair.client.conn.is_idle());
}

#[test]
fn a_stream_that_has_half_closed_before_is_given_up_without_a_second_close() {
    let mut pair = polite();
    let (key, served) = pair.open();
    pair.client.conn.half_close(key);
    pair.run();
    pair.client.conn.release(key);
    pair.run();
    let closes =
        pair.server.seen.iter().filter(|frame| matches!(frame, Frame::Close { .. })).count();
    assert_eq!(closes, 1);
    pair.server.conn.close(served.key, Outcome::of_codes(7, 0, "an error"));
    pair.run();
    assert_eq!(pair.client.conn.cancelled_streams(), 0);
}

#[test]
fn a_stream_that_is_not_open_yet_is_reset_all_the_same() {
    let mut client = End::client(Config { cancel: Cancel::HalfClose, ..Config::default() });
    let key = client.conn.open(head(STREAM), None, epoch()).unwrap();
    client.output();
    client.conn.release(key);
    assert!(
        matches!(&client.output_frames()[..], [Frame::Close { meta, .. }] if meta.close_type == 1 && meta.ret == 161)
    );
    assert_eq!(client.conn.cancelled_streams(), 0);
}

#[test]
fn an_id_is_not_used_again_while_its_cancelled_stream_goes_on() {
    let mut pair = polite();
    let (key, _) = pair.open();
    pair.client.conn.release(key);
    pair.run();
    pair.open();
    let inits: Vec<_> = pair
        .server
        .seen
        .iter()
        .filter_map(|frame| if let Frame::Init { id, .. } = frame { Some(id.0) } else { None })
        .collect();
    assert_eq!(inits, [100, 101]);
}

#[test]
fn streams_that_a_server_never_ends_are_forgotten_when_there_are_too_many() {
    let mut pair = polite();
    let mut served = Vec::new();
    for _ in 0..MOST + 5 {
        let (key, stream) = pair.open();
        served.push(stream.key);
        pair.client.conn.release(key);
        pair.run();
    }
    assert_eq!(pair.client.conn.cancelled_streams(), MOST);
    let over = served.iter().filter(|key| pair.server.conn.ending(**key).is_some()).count();
    assert_eq!(over, 5, "the server is told of those that are forgotten");
    assert!(served[..5].iter().all(|key| matches!(
        pair.server.conn.ending(*key),
        Some(Ending::Reset(outcome)) if outcome.codes().0 == 161
    )));
    // Messages for one of the other streams are credited still.
    for _ in 0..20 {
        assert_eq!(pair.server.send(served[5], &[0; 30_000]), Ok(Sent::Queued));
        pair.run();
    }
}
