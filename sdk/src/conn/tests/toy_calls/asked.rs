//! Calls that a client makes, and those of both sides.

use super::*;
use crate::framing::UnaryContent;

#[test]
fn a_unary_call_is_a_head_a_message_and_an_end_each_way_and_a_call_to_those_above() {
    let mut pair = strict(1_000, 10_000);
    let key = ask(&mut pair.client, b"request");
    assert_eq!(pair.carry_there(), [OPEN, BYTES, HALF_CLOSE]);
    let got = next_call(&mut pair.server);
    assert_eq!((&got.body[..], got.one_way, got.admitted.method), (&b"request"[..], false, 1));
    assert!(got.attachment.is_empty() && got.deadline.is_none());
    reply(&mut pair.server, got.key, Outcome::default(), b"answer").unwrap();
    assert_eq!(pair.carry_back(), [HEAD, BYTES, CLOSE]);
    let answer = answer(&mut pair.client, key).unwrap().unwrap();
    assert_eq!((&answer.body[..], answer.content_encoding), (&b"answer"[..], 3));
    assert!(answer.outcome.is_ok() && answer.attachment.is_empty());
    pair.assert_done();
}

#[test]
fn the_admission_tells_calls_from_streams_and_both_take_ids_from_the_same_row() {
    let mut pair = strict(1_000, 10_000);
    let stream = pair.client.conn.open(head(STREAM), None, epoch()).unwrap();
    let key = ask(&mut pair.client, b"call");
    assert_eq!(pair.client.send(stream, b"stream"), Ok(Sent::Queued));
    pair.run();
    let served = pair.server.next_stream();
    assert_eq!(served.admitted.method, 0);
    let (messages, _) = pair.server.take(served.key, &mut Consumed::default());
    assert_eq!(messages, [Bytes::from("stream")]);
    let got = next_call(&mut pair.server);
    assert_eq!(got.body, "call");
    reply(&mut pair.server, got.key, Outcome::default(), b"").unwrap();
    pair.run();
    assert_eq!(body_of(&mut pair.client, key), "");
    assert_eq!(pair.client.conn.ending(stream), None);
}

#[test]
fn a_method_that_nobody_has_is_answered_at_once_for_calls_and_streams_alike() {
    let mut pair = strict(1_000, 10_000);
    let key = call(&mut pair.client, head("/test.Pair/None"), &[7; 5_000]).unwrap().unwrap();
    let stream = pair.client.conn.open(head("/test.Pair/None"), None, epoch()).unwrap();
    pair.carry_there();
    assert_eq!(pair.carry_back(), [REFUSE, REFUSE]);
    let refusal = answer(&mut pair.client, key).unwrap().unwrap().outcome;
    assert_eq!((refusal.codes().0, &refusal.message[..]), (12, &b"no such method"[..]));
    assert!(matches!(pair.client.conn.ending(stream), Some(Ending::Refused(_))));
    assert_eq!(refused(&mut pair.server).len(), 2);
    pair.client.conn.release(stream);
    pair.assert_done();
}

#[test]
fn messages_larger_than_the_windows_go_in_parts_each_way_beside_others() {
    let mut pair = strict(1_000, 1_500);
    let sizes = [0, 1, 994, 995, 996, 5_000, 20_000];
    let keys: Vec<_> = sizes
        .iter()
        .zip(0..)
        .map(|(size, seed)| ask(&mut pair.client, &message(*size, seed)))
        .collect();
    pair.run();
    let calls = arrived(&mut pair.server);
    assert_eq!(calls.len(), sizes.len(), "nobody above reads, and all came whole");
    for got in calls {
        let body = got.body.clone();
        reply(&mut pair.server, got.key, Outcome::default(), &body).unwrap();
    }
    pair.run();
    for (key, (size, seed)) in keys.into_iter().zip(sizes.iter().zip(0..)) {
        assert_eq!(body_of(&mut pair.client, key), message(*size, seed), "{size}");
    }
    for end in [&pair.client, &pair.server] {
        assert!(end.parts.iter().all(|part| *part <= 1_000), "{:?}", end.parts);
    }
    pair.assert_done();
}

#[test]
fn what_waits_for_credit_counts_as_unsent_and_gets_its_turn_beside_a_stream_that_floods() {
    let mut pair = strict(1_000, 1_000);
    let (stream, served) = pair.open();
    assert_eq!(pair.client.send(stream, &message(900, 1)), Ok(Sent::Queued));
    let key = ask(&mut pair.client, &message(3_000, 2));
    assert!(pair.client.conn.buffered().unsent > 2_900);
    let (mut consumed, mut rounds) = (Consumed::default(), 0);
    let got = loop {
        pair.run();
        let calls = arrived(&mut pair.server);
        if let Some(got) = calls.into_iter().next() {
            break got;
        }
        rounds += 1;
        assert!(rounds < 50, "the stream goes first again and again");
        pair.server.take(served, &mut consumed);
        let _ = pair.client.send(stream, &message(900, 3));
    };
    assert_eq!(got.body, message(3_000, 2));
    reply(&mut pair.server, got.key, Outcome::default(), b"").unwrap();
    pair.run();
    body_of(&mut pair.client, key);
}

#[test]
fn a_call_that_is_answered_early_sends_no_more_of_its_request() {
    let mut pair = strict(1_000, 10_000);
    let key = ask(&mut pair.client, &message(50_000, 1));
    pair.client.output();
    assert!(pair.client.conn.buffered().unsent > 48_000);
    pair.client.receive(&toy::close(1, 22, "go away")).unwrap();
    let outcome = answer(&mut pair.client, key).unwrap().unwrap().outcome;
    assert_eq!((outcome.codes().0, &outcome.message[..]), (22, &b"go away"[..]));
    assert_eq!(kinds(&pair.client.output()), [RESET]);
    assert_eq!((pair.client.conn.buffered().unsent, pair.client.conn.is_idle()), (0, true));
    // Credit that comes late is for nobody.
    pair.client.receive(&toy::credit(1, 1_000)).unwrap();
    assert!(pair.client.output().is_empty());
}

#[test]
fn an_answer_that_is_none_fails_its_call_and_nothing_else() {
    let parts = |bytes: &[u8]| [toy::part(1, bytes), toy::close(1, 0, "")].concat();
    let violation = |of| Ending::Violation(of);
    for (said, ending) in [
        (parts(&[]), violation(Violation::NoMessage)),
        (parts(&framed(b"cut")[..6]), violation(Violation::CutMessage)),
        (parts(&[framed(b"1"), framed(b"2")].concat()), violation(Violation::SecondMessage)),
        (parts(&framed(&[0; 900])[..5]), Ending::TooLarge { size: 905, limit: 800 }),
    ] {
        let config = Config { max_received: 800, ..Config::default() };
        let mut pair = Pair::new(Toy::strict(1_000, 5_000), &config);
        let (key, other) = (ask(&mut pair.client, b""), ask(&mut pair.client, b""));
        pair.client.output();
        pair.client.receive(&said).unwrap();
        assert_eq!(answer(&mut pair.client, key), Some(Err(ending)));
        assert_eq!(answer(&mut pair.client, other), None);
        assert_eq!(pair.client.conn.buffered().unread, 0);
    }
    let mut client = strict(1_000, 5_000).client;
    let key = ask(&mut client, b"");
    let why = crate::wires::Fault::HeaderTooLarge { size: 9, limit: 8 };
    let id = crate::framing::StreamId(1);
    client.conn.handle_input(crate::wires::Input::BadStream { id, why }, epoch()).unwrap();
    let violation = Violation::HeaderTooLarge { size: 9, limit: 8 };
    assert_eq!(answer(&mut client, key), Some(Err(Ending::Violation(violation))));
}

#[test]
fn a_server_that_breaks_a_call_off_ends_it_with_its_words() {
    let mut pair = strict(1_000, 5_000);
    let key = ask(&mut pair.client, &message(2_000, 1));
    pair.client.output();
    pair.client.receive(&toy::reset(1)).unwrap();
    let ended = answer(&mut pair.client, key);
    assert!(matches!(&ended, Some(Err(Ending::Reset(why))) if why.codes().0 == 161), "{ended:?}");
    assert!(pair.client.conn.is_idle() && pair.client.output().is_empty());
}

#[test]
fn a_lost_connection_ends_the_calls_of_both_sides_wherever_they_are() {
    let mut pair = strict(1_000, 5_000);
    let whole = ask(&mut pair.client, b"whole");
    let large = ask(&mut pair.client, &message(8_000, 1));
    let there = pair.client.output();
    pair.server.receive(&there).unwrap();
    let got = next_call(&mut pair.server);
    let why = ConnError::Io(std::io::ErrorKind::ConnectionReset);
    for end in [&mut pair.client, &mut pair.server] {
        end.conn.handle_lost(&why);
        assert_eq!(end.conn.call_streams(), 0);
    }
    for key in [whole, large] {
        assert_eq!(answer(&mut pair.client, key), Some(Err(Ending::Lost(why.clone()))));
    }
    assert_eq!(pair.server.conn.call_ending(got.key), Some(Ending::Lost(why)));
    assert_eq!(refused(&mut pair.server).len(), 1, "the one that was not whole");
    pair.server.conn.release_call(got.key);
    pair.assert_done();
}

#[test]
fn a_server_that_goes_away_has_begun_no_call_behind_what_it_names() {
    let mut pair = strict(1_000, 5_000);
    let (kept, refused) = (ask(&mut pair.client, b""), ask(&mut pair.client, &message(3_000, 1)));
    let body = UnaryContent::new(0, |_: &mut Vec<u8>| {});
    assert_eq!(pair.client.conn.call(head(UNARY), true, None, body), Ok(None));
    pair.client.output();
    pair.client.receive(&toy::away(1)).unwrap();
    assert!(matches!(answer(&mut pair.client, refused), Some(Err(Ending::Refused(_)))));
    assert_eq!(answer(&mut pair.client, kept), None);
    assert_eq!(pair.client.conn.call_streams(), 1);
    assert!(pair.client.output().is_empty(), "the server knows nothing of them");
    assert_eq!(pair.client.conn.buffered().unsent, 0);
}

#[test]
fn a_one_way_call_has_no_key_and_is_forgotten_with_its_answer() {
    let mut pair = strict(1_000, 5_000);
    let body = UnaryContent::new(3_000, |out: &mut Vec<u8>| out.extend_from_slice(&[1; 3_000]));
    assert_eq!(pair.client.conn.call(head(UNARY), true, None, body), Ok(None));
    pair.run();
    let got = next_call(&mut pair.server);
    assert_eq!(pair.client.conn.call_streams(), 1);
    reply(&mut pair.server, got.key, Outcome::default(), b"unwanted").unwrap();
    pair.assert_done();
}

#[test]
fn an_attachment_is_refused_before_anything_is_written() {
    let mut pair = strict(1_000, 5_000);
    let none = SendError::NoAttachments { wire: "toy" };
    let body = UnaryContent::new(0, |_: &mut Vec<u8>| {});
    let sent = pair.client.conn.call(head(UNARY), false, None, body.with(b"beside"));
    assert_eq!(sent, Err(none.clone()));
    assert!(pair.client.output().is_empty() && pair.client.conn.is_idle());
    let key = ask(&mut pair.client, b"");
    pair.run();
    let got = next_call(&mut pair.server);
    let replied = pair.server.conn.reply(got.key, Outcome::default(), 0, body.with(b"beside"));
    assert_eq!(replied, Err(none));
    reply(&mut pair.server, got.key, Outcome::default(), b"alone").unwrap();
    pair.run();
    assert_eq!(body_of(&mut pair.client, key), "alone");
}

/// Carries no more than `limit` bytes, and takes them off it.
fn carry_part(from: &mut End, to: &mut End, limit: &mut usize) -> usize {
    let bytes = from.output();
    let carried = bytes.len().min(*limit);
    to.receive(&bytes[..carried]).expect("both keep to the wire's rules");
    *limit -= carried;
    carried
}

#[test]
fn nothing_is_left_of_calls_wherever_their_connection_is_lost() {
    for lost_at in (0..100_000).step_by(7) {
        let mut pair = strict(1_000, 1_500);
        let sizes = [10, 3_000, 0, 1_200];
        let keys = sizes.map(|size| ask(&mut pair.client, &message(size, 1)));
        let mut limit = lost_at;
        loop {
            let there = carry_part(&mut pair.client, &mut pair.server, &mut limit);
            for got in arrived(&mut pair.server) {
                reply(&mut pair.server, got.key, Outcome::default(), &got.body).unwrap();
            }
            if there + carry_part(&mut pair.server, &mut pair.client, &mut limit) == 0 {
                break;
            }
        }
        for end in [&mut pair.client, &mut pair.server] {
            end.conn.handle_lost(&ConnError::PeerClosed);
        }
        let answers = keys.map(|key| answer(&mut pair.client, key).expect("each call ends"));
        pair.assert_done();
        if answers.iter().all(Result::is_ok) {
            return;
        }
    }
    panic!("they are answered");
}
