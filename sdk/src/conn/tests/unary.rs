//! Unary calls.

use std::time::Duration;

use bytes::Bytes;

use crate::conn::{CallKey, Config, ConnError, Connection, Ending, Fit, Head, Outcome, SendError};
use crate::error::{Code, Failure};
use crate::framing::{Side, UnaryContent};
use crate::wires::Fault;
use crate::wires::trpc::{Frame, UnaryHead};

use super::pair::{End, Pair, UNARY, head};

fn call(
    conn: &mut Connection,
    head: Head,
    body: &'static [u8],
    attachment: &[u8],
) -> Result<Option<CallKey>, SendError> {
    conn.call(
        head,
        false,
        None,
        UnaryContent::new(body.len(), |out: &mut Vec<u8>| out.extend_from_slice(body))
            .with(attachment),
    )
}

fn reply(
    conn: &mut Connection,
    key: CallKey,
    outcome: Outcome,
    body: &'static [u8],
    attachment: &[u8],
) {
    conn.reply(
        key,
        outcome,
        0,
        UnaryContent::new(body.len(), |out: &mut Vec<u8>| out.extend_from_slice(body))
            .with(attachment),
    )
    .unwrap();
    conn.release_call(key);
}

#[test]
fn request_and_answer_carry_body_metadata_attachment_and_both_codes() {
    let mut pair = Pair::new();
    let mut sent = head(UNARY);
    sent.metadata.put("there", "1");
    sent.timeout = Some(Duration::from_millis(1_500));
    let key = call(&mut pair.client.conn, sent, b"request", b"beside").unwrap().unwrap();
    pair.run();
    let got = pair.server.next_call();
    assert_eq!(
        (&got.body[..], &got.attachment[..], got.one_way),
        (&b"request"[..], &b"beside"[..], false)
    );
    assert_eq!(got.head.metadata.get_str("there"), Some("1"));
    assert_eq!(got.head.timeout, Some(Duration::from_millis(1_500)));

    let mut outcome = Outcome::of_codes(7, 8, "text");
    outcome.metadata.put("back", "2");
    reply(&mut pair.server.conn, got.key, outcome.clone(), b"answer", b"too");
    pair.run();
    let answer = pair.client.conn.answer(key).expect("it is there").expect("it is an answer");
    assert_eq!(answer.outcome, outcome);
    assert_eq!((&answer.body[..], &answer.attachment[..]), (&b"answer"[..], &b"too"[..]));
    assert!(pair.client.conn.is_idle() && pair.server.conn.is_idle());
}

/// Servers of tRPC-Go and tRPC-Cpp route by the names.
#[test]
fn a_request_says_who_calls_and_which_service_and_method() {
    let mut client = End::client(Config::default());
    let sent = Head {
        caller: "trpc.a.b.c".into(),
        callee: "test.Pair".into(),
        message_type: 1,
        content_type: 2,
        content_encoding: 3,
        ..head(UNARY)
    };
    call(&mut client.conn, sent, b"", &[]).unwrap();
    let [Frame::Request { meta, .. }] = &client.output_frames()[..] else {
        panic!("one request is sent")
    };
    let names = [&meta.caller[..], &meta.callee[..], &meta.func[..]];
    assert_eq!(names, [&b"trpc.a.b.c"[..], b"test.Pair", UNARY.as_bytes()]);
    assert_eq!((meta.message_type, meta.content_type, meta.content_encoding), (1, 2, 3));
}

#[test]
fn answers_may_come_in_any_order() {
    let mut pair = Pair::new();
    let keys: Vec<_> = (0..3)
        .map(|_| call(&mut pair.client.conn, head(UNARY), b"", &[]).unwrap().unwrap())
        .collect();
    pair.run();
    let calls: Vec<_> = (0..3).map(|_| pair.server.next_call()).collect();
    for (call, body) in calls.iter().zip([&b"a"[..], b"b", b"c"]).rev() {
        reply(&mut pair.server.conn, call.key, Outcome::default(), body, &[]);
    }
    pair.run();
    let bodies: Vec<_> =
        keys.iter().map(|key| pair.client.conn.answer(*key).unwrap().unwrap().body).collect();
    assert_eq!(bodies, ["a", "b", "c"]);
}

#[test]
fn a_one_way_call_has_no_key_and_no_answer_even_when_it_is_refused() {
    let mut pair = Pair::new();
    for method in [UNARY, "/no.Such/Method"] {
        let sent = pair.client.conn.call(
            head(method),
            true,
            None,
            UnaryContent::new(0, |_: &mut Vec<u8>| {}),
        );
        assert_eq!(sent, Ok(None));
    }
    pair.run();
    let got = pair.server.next_call();
    assert!(got.one_way);
    reply(&mut pair.server.conn, got.key, Outcome::of_codes(1, 0, "failed"), b"", &[]);
    pair.run();
    assert_eq!(pair.client.seen, []);
    assert!(pair.server.conn.is_idle());
}

#[test]
fn an_unknown_method_is_answered_with_the_refusal() {
    let mut pair = Pair::new();
    let key = call(&mut pair.client.conn, head("/no.Such/Method"), b"", &[]).unwrap().unwrap();
    pair.run();
    let answer = pair.client.conn.answer(key).unwrap().unwrap();
    assert_eq!(
        (answer.outcome.codes().0, &answer.outcome.message[..]),
        (12, &b"no such method"[..])
    );
    assert!(pair.server.conn.is_idle());
}

#[test]
fn an_answer_repeats_the_fixed_header_of_its_request() {
    let mut server = End::server(Config::default());
    let mut bytes = Vec::new();
    let strange = UnaryHead { id: 0xdead_beef, version: 9, reserved: 255 };
    let meta = trill_proto::RequestProtocol {
        request_id: 0,
        func: Bytes::from_static(UNARY.as_bytes()),
        message_type: 5,
        ..Default::default()
    };
    crate::wires::trpc::unary(&mut bytes, strange, &meta, ANY, 0, |_: &mut Vec<u8>| {}, &[])
        .unwrap();
    server.receive(&bytes, super::pair::epoch()).unwrap();
    let got = server.next_call();
    reply(&mut server.conn, got.key, Outcome::default(), b"", &[]);
    let frames = server.output_frames();
    let [Frame::Response { head, meta, .. }] = &frames[..] else {
        panic!("one answer: {frames:?}")
    };
    assert_eq!(*head, strange);
    assert_eq!((meta.request_id, meta.message_type), (0, 5));
}

#[test]
fn too_large_a_message_is_refused_before_anything_of_it_is_written() {
    let mut client = End::client(Config { max_sent: 1_024, ..Config::default() });
    let error = client
        .conn
        .call(head(UNARY), false, None, UnaryContent::new(2_000, |_: &mut Vec<u8>| unreachable!()))
        .unwrap_err();
    assert!(matches!(error, SendError::TooLarge { limit: 1_024, size } if size > 2_000));
    let mut large = head(UNARY);
    large.metadata.put("key", vec![0; 70_000]);
    let error = call(&mut client.conn, large, b"", &[]).unwrap_err();
    assert!(matches!(error, SendError::HeaderTooLarge { limit: 65_535, .. }));
    assert!(client.output().is_empty());
    assert!(client.conn.is_idle());
}

#[test]
fn more_calls_than_the_limit_are_refused() {
    let mut pair = Pair::with(Config::default(), Config { max_calls: 1, ..Config::default() });
    let first = call(&mut pair.client.conn, head(UNARY), b"", &[]).unwrap().unwrap();
    let second = call(&mut pair.client.conn, head(UNARY), b"", &[]).unwrap().unwrap();
    pair.run();
    assert_eq!(pair.client.conn.answer(first), None);
    let refusal = pair.client.conn.answer(second).unwrap().unwrap().outcome;
    assert_eq!(refusal.codes().0, 22);
    assert!(refusal.message.ends_with(b"at most 1 (max_calls_per_connection)"));
}

#[test]
fn a_lost_connection_ends_calls_on_both_sides() {
    let mut pair = Pair::new();
    let key = call(&mut pair.client.conn, head(UNARY), b"", &[]).unwrap().unwrap();
    pair.run();
    let got = pair.server.next_call();
    for end in [&mut pair.client, &mut pair.server] {
        end.conn.handle_lost(&ConnError::Io(std::io::ErrorKind::ConnectionReset));
    }
    let lost = Ending::Lost(ConnError::Io(std::io::ErrorKind::ConnectionReset));
    assert_eq!(pair.client.conn.answer(key), Some(Err(lost.clone())));
    assert_eq!(pair.server.conn.call_ending(got.key), Some(lost));
}

#[test]
fn a_peer_that_sends_requests_and_reads_no_answers_is_cut_off() {
    let mut server = End::server(Config { max_sent: 10_000, outbox: 10_000, ..Config::default() });
    let mut bytes = Vec::new();
    let meta = trill_proto::RequestProtocol {
        func: Bytes::from_static(b"/no.Such/Method"),
        ..Default::default()
    };
    crate::wires::trpc::unary(
        &mut bytes,
        UnaryHead::default(),
        &meta,
        ANY,
        0,
        |_: &mut Vec<u8>| {},
        &[],
    )
    .unwrap();
    let ended = (0..1_000_000).find_map(|_| server.receive(&bytes, super::pair::epoch()).err());
    assert!(matches!(ended, Some(ConnError::PeerNotReading { .. })));
}

#[test]
fn an_answer_that_cannot_be_read_fails_its_call_if_it_can_be_found_and_else_the_connection() {
    for (id, found) in [(1, true), (0, false)] {
        let mut client = End::client(Config::default());
        let key = call(&mut client.conn, head(UNARY), b"", &[]).unwrap().unwrap();
        let mut garbage = vec![0x09, 0x30, 0, 0, 0, 0, 0, 18, 0, 2, 0, 0, 0, id, 1, 0, 0xff, 0xff];
        let handled = client.receive(&std::mem::take(&mut garbage), super::pair::epoch());
        if found {
            assert_eq!(handled, Ok(()));
            assert!(matches!(
                client.conn.answer(key),
                Some(Err(Ending::BadAnswer(Fault::Unreadable(_))))
            ));
        } else {
            assert!(matches!(handled, Err(ConnError::BadAnswer(Fault::Unreadable(_)))));
        }
        assert_eq!(client.conn.side(), Side::Client);
    }
}

const ANY: crate::framing::Largest =
    crate::framing::Largest { frame: usize::MAX, header: usize::MAX };

#[test]
fn an_error_keeps_as_much_of_its_text_as_fits() {
    let config = Config { max_header: 1024, ..Config::default() };
    let mut pair = Pair::with(Config::default(), config);
    let mut answer = |message: Vec<u8>, metadata: usize| {
        let body = UnaryContent::new(0, |_: &mut Vec<u8>| {});
        let key = pair.client.conn.call(head(UNARY), false, None, body).unwrap().unwrap();
        pair.run();
        let call = pair.server.next_call();
        let mut outcome = Outcome::of_codes(0, 7, message);
        outcome.metadata.put("key", vec![b'v'; metadata]);
        let fit = pair.server.conn.refuse(call.key, outcome, b"attachment");
        pair.server.conn.release_call(call.key);
        pair.run();
        (fit, pair.client.conn.answer(key).unwrap().unwrap())
    };
    let (fit, whole) = answer(vec![b'x'; 400], 400);
    assert_eq!(
        (fit, whole.outcome.message.len(), whole.outcome.metadata.len()),
        (Fit::Whole, 400, 1)
    );
    let (fit, alone) = answer(vec![b'x'; 1_000], 400);
    let is_too_large =
        matches!(fit, Fit::WithoutMetadata(SendError::HeaderTooLarge { limit: 1_024, .. }));
    assert!(is_too_large, "{fit:?}");
    assert_eq!((alone.outcome.message.len(), alone.outcome.metadata.len()), (1_000, 0));
    let (fit, cut) = answer(vec![b'x'; 2_000], 0);
    assert_eq!((fit, cut.outcome.codes().1), (Fit::Cut, 7));
    assert!(
        cut.outcome.message.len() > 850
            && cut.outcome.message.ends_with(b"... (cut: max_metadata)")
    );
}

#[test]
fn a_code_stays_when_its_answer_is_cut_and_details_go_with_the_metadata() {
    let config = Config { max_header: 1024, ..Config::default() };
    let mut pair = Pair::with(Config::default(), config);
    for (text, details, fit) in [
        (400, 400, "whole"),
        (800, 400, "without metadata"),
        (2_000, 400, "cut"),
        (2_000, 0, "cut"),
    ] {
        let body = UnaryContent::new(0, |_: &mut Vec<u8>| {});
        let key = pair.client.conn.call(head(UNARY), false, None, body).unwrap().unwrap();
        pair.run();
        let call = pair.server.next_call();
        let failure = Failure {
            details: vec![b'd'; details].into(),
            ..Failure::of_application(Code::NotFound, i32::MIN)
        };
        let said =
            pair.server.conn.refuse(call.key, Outcome::failed(failure, vec![b'x'; text]), b"");
        pair.server.conn.release_call(call.key);
        pair.run();
        let said = match said {
            Fit::Whole => "whole",
            Fit::WithoutMetadata(_) => "without metadata",
            Fit::Cut => "cut",
            Fit::Not(_) | Fit::Over => panic!("it was sent"),
        };
        assert_eq!(said, fit);
        let got = pair.client.conn.answer(key).unwrap().unwrap().outcome.failure.unwrap();
        assert_eq!((got.code, got.app), (Code::NotFound, i32::MIN));
        assert_eq!(got.details.len(), if fit == "whole" { details } else { 0 });
    }
}

#[test]
fn a_call_that_is_over_makes_room_for_the_next() {
    let mut pair = Pair::with(Config::default(), Config { max_calls: 1, ..Config::default() });
    assert!(!pair.client.conn.was_used());
    for _ in 0..3 {
        let key = call(&mut pair.client.conn, head(UNARY), b"", &[]).unwrap().unwrap();
        assert!(pair.client.conn.was_used());
        assert_eq!((pair.client.conn.load(), pair.client.conn.is_alone()), (1, true));
        let refused = call(&mut pair.client.conn, head(UNARY), b"", &[]).unwrap().unwrap();
        assert_eq!((pair.client.conn.load(), pair.client.conn.is_alone()), (2, false));
        pair.run();
        assert_eq!(pair.client.conn.answer(refused).unwrap().unwrap().outcome.codes().0, 22);
        let got = pair.server.next_call();
        reply(&mut pair.server.conn, got.key, Outcome::default(), b"", &[]);
        pair.run();
        assert!(pair.client.conn.answer(key).unwrap().unwrap().outcome.is_ok());
        assert_eq!((pair.client.conn.load(), pair.server.conn.load()), (0, 0));
    }
}

#[test]
fn an_answer_counts_with_body_attachment_and_text_until_it_is_taken() {
    let mut pair = Pair::new();
    let key = call(&mut pair.client.conn, head(UNARY), b"", &[]).unwrap().unwrap();
    pair.run();
    let got = pair.server.next_call();
    reply(
        &mut pair.server.conn,
        got.key,
        Outcome::of_codes(7, 0, "0123456789"),
        &[0; 100],
        &[0; 1_000],
    );
    pair.run();
    assert_eq!(pair.client.conn.buffered().unread, 1_110);
    pair.client.conn.answer(key).unwrap().unwrap();
    assert_eq!(pair.client.conn.buffered().unread, 0);
}

#[test]
fn a_client_with_too_much_unread_reads_on_for_the_answer_that_it_waits_for() {
    let mut pair = Pair::with(Config { unread: 5_000, ..Config::default() }, Config::default());
    let (key, served) = pair.open();
    pair.server.send(served.key, &[7; 10_000]).unwrap();
    pair.run();
    assert!(!pair.client.conn.wants_input());
    let waits = call(&mut pair.client.conn, head(UNARY), b"", &[]).unwrap().unwrap();
    assert!(pair.client.conn.wants_input());
    pair.run();
    let got = pair.server.next_call();
    reply(&mut pair.server.conn, got.key, Outcome::default(), b"", &[]);
    pair.run();
    assert!(!pair.client.conn.wants_input(), "it has come");
    pair.client.conn.answer(waits).unwrap().unwrap();
    pair.client.read_all(key);
    assert!(pair.client.conn.wants_input());
}
