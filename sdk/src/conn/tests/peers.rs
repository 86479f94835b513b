//! A server or client of ours against frames that real peers send, or that none should.

use std::time::Duration;

use crate::conn::{Config, Consumed, Ending, Event, Inbox, StreamKey, Take, Violation};
use crate::wires::trpc::{self as wire, CloseMeta, Frame};

use super::frames::{ID, bytes, close, data, feedback, garbage, init, init_answer, unknown_kind};
use super::pair::{End, STREAM, epoch, head};

/// The effect of a peer's frame on a stream.
#[derive(Debug, PartialEq)]
enum Effect {
    /// RESET goes out with this code, and the stream is over.
    Reset(i32),
    /// Nothing goes out; the stream goes on.
    Nothing,
    /// Nothing goes out; the stream is over.
    Over,
}

fn effect(end: &mut End, key: Option<StreamKey>, frame: &[u8]) -> Effect {
    end.output();
    end.receive(frame, epoch()).expect("a frame for a stream never ends the connection");
    let resets: Vec<_> = end
        .output_frames()
        .into_iter()
        .map(|frame| match frame {
            Frame::Close { meta, .. } if meta.close_type == 1 => meta.ret,
            other => panic!("only RESET is an answer to a strange frame, not {other:?}"),
        })
        .collect();
    let over = key.is_none_or(|key| end.conn.ending(key).is_some());
    match (resets[..].first(), over) {
        (Some(ret), true) => Effect::Reset(*ret),
        (None, true) => Effect::Over,
        (None, false) => Effect::Nothing,
        (Some(_), false) => panic!("a stream that was reset is over"),
    }
}

#[test]
fn a_server_against_frames_in_every_state() {
    let open: &[Vec<u8>] = &[init()];
    let half_closed: &[Vec<u8>] = &[init(), close(0, 0)];
    for (state, before, frame, expected) in [
        ("open", open, init(), Effect::Reset(1000)),
        ("open", open, data(), Effect::Nothing),
        ("open", open, feedback(), Effect::Nothing),
        ("open", open, close(0, 0), Effect::Nothing),
        ("open", open, close(0, 7), Effect::Over),
        ("open", open, close(2, 0), Effect::Nothing),
        ("open", open, close(1, 7), Effect::Over),
        ("open", open, close(1, 0), Effect::Over),
        ("open", open, unknown_kind(), Effect::Reset(222)),
        ("half-closed", half_closed, init(), Effect::Reset(1000)),
        ("half-closed", half_closed, data(), Effect::Reset(1000)),
        ("half-closed", half_closed, feedback(), Effect::Nothing),
        ("half-closed", half_closed, close(0, 0), Effect::Nothing),
        ("half-closed", half_closed, close(1, 7), Effect::Over),
        ("half-closed", half_closed, unknown_kind(), Effect::Reset(222)),
    ] {
        let mut server = End::server(Config::default());
        for frame in before {
            server.receive(frame, epoch()).unwrap();
        }
        let key = server.next_stream().key;
        assert_eq!(effect(&mut server, Some(key), &frame), expected, "{state}: {frame:?}");
    }
}

#[test]
fn a_client_against_frames_in_every_state() {
    for (state, answered, half_close, frame, expected) in [
        ("opening", false, false, init_answer(0), Effect::Nothing),
        ("opening", false, false, init_answer(12), Effect::Over),
        ("opening", false, false, data(), Effect::Reset(1000)),
        ("opening", false, false, feedback(), Effect::Nothing),
        ("opening", false, false, close(0, 0), Effect::Reset(1000)),
        ("opening", false, false, close(1, 7), Effect::Over),
        ("opening", false, false, unknown_kind(), Effect::Reset(322)),
        ("open", true, false, init_answer(0), Effect::Reset(1000)),
        ("open", true, false, init_answer(12), Effect::Reset(1000)),
        ("open", true, false, data(), Effect::Nothing),
        ("open", true, false, feedback(), Effect::Nothing),
        ("open", true, false, close(0, 0), Effect::Over),
        ("open", true, false, close(0, 7), Effect::Over),
        ("open", true, false, close(1, 0), Effect::Over),
        ("half-closed", true, true, data(), Effect::Nothing),
        ("half-closed", true, true, feedback(), Effect::Nothing),
        ("half-closed", true, true, close(0, 0), Effect::Over),
        ("half-closed", true, true, close(1, 7), Effect::Over),
        ("half-closed", true, true, unknown_kind(), Effect::Reset(322)),
    ] {
        let mut client = End::client(Config::default());
        let key = client.conn.open(head(STREAM), None, epoch()).unwrap();
        if answered {
            client.receive(&init_answer(0), epoch()).unwrap();
        }
        if half_close {
            client.conn.half_close(key);
        }
        assert_eq!(effect(&mut client, Some(key), &frame), expected, "{state}: {frame:?}");
    }
}

#[test]
fn frames_for_streams_that_are_unknown_or_over_are_dropped_without_an_answer() {
    for frame in [data(), feedback(), close(0, 0), close(1, 0), close(1, 7)] {
        let mut server = End::server(Config::default());
        assert_eq!(effect(&mut server, None, &frame), Effect::Over);
        assert_eq!(server.conn.live_streams(), 0);

        let mut client = End::client(Config::default());
        let key = client.conn.open(head(STREAM), None, epoch()).unwrap();
        client.receive(&init_answer(0), epoch()).unwrap();
        client.receive(&close(0, 0), epoch()).unwrap();
        assert_eq!(effect(&mut client, Some(key), &frame), Effect::Over);
        assert!(matches!(client.conn.ending(key), Some(Ending::Closed(_))), "the first end stays");
    }
}

#[test]
fn an_id_may_come_again_once_its_stream_is_over() {
    let mut server = End::server(Config::default());
    for _ in 0..3 {
        server.receive(&init(), epoch()).unwrap();
        let key = server.next_stream().key;
        server.conn.close(key, Default::default());
        server.conn.release(key);
    }
    assert_eq!(server.conn.live_streams(), 0);
}

#[test]
fn a_client_that_does_not_wait_for_the_answer_is_served_all_the_same() {
    let mut server = End::server(Config::default());
    let mut burst = init();
    burst.extend_from_slice(&data());
    burst.extend_from_slice(&close(0, 0));
    server.receive(&burst, epoch()).unwrap();
    let key = server.next_stream().key;
    assert_eq!(server.read_all(key), (vec!["x".into()], Some(Take::EndOfInput)));
    assert!(matches!(server.output_frames()[..], [Frame::Init { .. }]));
}

#[test]
fn a_reset_without_a_code_is_an_error_with_code_1000() {
    let mut server = End::server(Config::default());
    server.receive(&init(), epoch()).unwrap();
    let key = server.next_stream().key;
    server.receive(&close(1, 0), epoch()).unwrap();
    assert!(
        matches!(server.conn.ending(key), Some(Ending::Reset(outcome)) if outcome.codes().0 == 1000)
    );
}

#[test]
fn an_init_that_cannot_be_read_is_answered_with_a_reset() {
    let mut server = End::server(Config::default());
    assert_eq!(effect(&mut server, None, &garbage()), Effect::Reset(222));
}

#[test]
fn a_violation_says_what_the_peer_did() {
    let mut client = End::client(Config::default());
    let key = client.conn.open(head(STREAM), None, epoch()).unwrap();
    client.receive(&data(), epoch()).unwrap();
    assert_eq!(client.conn.ending(key), Some(&Ending::Violation(Violation::DataBeforeInit)));
}

#[test]
fn the_reset_that_overtakes_the_end_in_a_server_of_trpc_go_is_passed_over() {
    let reset =
        CloseMeta { close_type: 1, ret: 1, msg: "uninitialized meta".into(), ..Default::default() };
    let mut client = End::client(Config::default());
    let key = client.conn.open(head(STREAM), None, epoch()).unwrap();
    client.output();
    client.receive(&init_answer(0), epoch()).unwrap();
    assert_eq!(
        effect(&mut client, Some(key), &bytes(|out| wire::close(out, ID, &reset))),
        Effect::Nothing
    );
    assert_eq!(effect(&mut client, Some(key), &data()), Effect::Nothing);
    assert_eq!(effect(&mut client, Some(key), &close(0, 0)), Effect::Over);
    assert!(matches!(client.conn.ending(key), Some(Ending::Closed(outcome)) if outcome.is_ok()));
    assert_eq!(client.conn.next_deadline(), None, "nothing more is expected");

    // When the end does not follow, it was no mistake.
    let mut client = End::client(Config::default());
    let key = client.conn.open(head(STREAM), None, epoch()).unwrap();
    client.output();
    client.receive(&init_answer(0), epoch()).unwrap();
    client.receive(&bytes(|out| wire::close(out, ID, &reset)), epoch()).unwrap();
    let waits = |client: &mut End| {
        client.conn.take(key, Consumed::default(), &mut Inbox::default()).is_none()
    };
    assert!(waits(&mut client));
    client.conn.handle_timeout(epoch() + Duration::from_millis(999));
    assert_eq!(client.conn.ending(key), None);
    client
        .receive(&bytes(|out| wire::close(out, ID, &reset)), epoch() + Duration::from_millis(999))
        .unwrap();
    client.conn.handle_timeout(epoch() + Duration::from_secs(1));
    client.output();
    assert!(
        client.events.iter().any(|event| matches!(event, Event::Readable(_))),
        "the reader hears of it"
    );
    assert!(
        matches!(client.conn.ending(key), Some(Ending::Reset(outcome)) if outcome.codes().0 == 1)
    );
    assert_eq!(client.conn.next_deadline(), None);

    // One that differs in a single part is an end, at once.
    for other in [
        CloseMeta { ret: 2, ..reset.clone() },
        CloseMeta { func_ret: 1, ..reset.clone() },
        CloseMeta { msg: "another text".into(), ..reset.clone() },
        CloseMeta { close_type: 0, ..reset.clone() },
    ] {
        let mut client = End::client(Config::default());
        let key = client.conn.open(head(STREAM), None, epoch()).unwrap();
        client.output();
        client.receive(&init_answer(0), epoch()).unwrap();
        let end = bytes(|out| wire::close(out, ID, &other));
        assert_eq!(effect(&mut client, Some(key), &end), Effect::Over, "{other:?}");
    }

    // Before the stream was accepted it is what it says.
    let mut client = End::client(Config::default());
    let key = client.conn.open(head(STREAM), None, epoch()).unwrap();
    client.output();
    assert_eq!(
        effect(&mut client, Some(key), &bytes(|out| wire::close(out, ID, &reset))),
        Effect::Over
    );
}
