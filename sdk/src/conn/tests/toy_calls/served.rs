//! Calls that a server takes: they arrive, are served and answered.

use crate::conn::Pools;

use super::*;
use crate::framing::UnaryContent;

/// A call that the server takes, in the bytes of a peer.
struct Raw {
    pair: Pair,
}

impl Raw {
    /// A call has been opened, and nothing of its message has come.
    fn opened(config: &Config) -> Self {
        let mut pair = Pair::new(Toy::strict(1_000, 5_000), config);
        let open = toy::open(1, UNARY);
        pair.server.receive(&open).unwrap();
        assert!(arrived(&mut pair.server).is_empty());
        Self { pair }
    }

    fn part(&mut self, bytes: &[u8]) -> &mut Self {
        self.pair.server.receive(&toy::part(1, bytes)).unwrap();
        self
    }

    fn end(&mut self) -> &mut Self {
        self.pair.server.receive(&toy::half_close(1)).unwrap();
        self
    }

    fn reset(&mut self) -> &mut Self {
        self.pair.server.receive(&toy::reset(1)).unwrap();
        self
    }

    /// The call was refused with this text before anybody above heard of it, and nothing is left.
    #[track_caller]
    fn assert_refused(&mut self, text: &str, code: Code) {
        let server = &mut self.pair.server;
        assert!(arrived(server).is_empty());
        let (method, outcome) = refused(server).pop().expect("it is refused");
        assert_eq!(method, UNARY);
        let said = String::from_utf8_lossy(&outcome.message).into_owned();
        assert!(said.contains(text), "{said}");
        assert_eq!(outcome.failure.unwrap().code, code);
        let mut said = kinds(&server.output());
        said.retain(|kind| *kind != CREDIT);
        assert_eq!(said, [CLOSE], "it is the answer");
        self.assert_gone();
    }

    #[track_caller]
    fn assert_gone(&mut self) {
        let server = &mut self.pair.server;
        server.output();
        assert!(server.conn.is_idle() && server.conn.is_released());
        assert_eq!((server.conn.call_streams(), server.conn.buffered().unread), (0, 0));
        assert_eq!(server.conn.next_deadline(), None);
    }
}

#[test]
fn a_request_is_handed_up_when_its_end_has_come_wherever_it_is_cut() {
    let mut raw = Raw::opened(&Config::default());
    for byte in framed(b"a request") {
        raw.part(&[byte]);
        assert!(arrived(&mut raw.pair.server).is_empty());
    }
    raw.part(&[]).end();
    assert_eq!(next_call(&mut raw.pair.server).body, "a request");
}

#[test]
fn a_call_without_a_message_or_with_more_than_one_is_answered_with_unimplemented() {
    let many = "more than the one message";
    let mut none = Raw::opened(&Config::default());
    none.end().assert_refused("without its message", Code::Unimplemented);
    let mut two = Raw::opened(&Config::default());
    two.part(&[framed(b"one"), framed(b"two")].concat()).assert_refused(many, Code::Unimplemented);
    two.part(&framed(b"three")).end().assert_gone();
    let mut more = Raw::opened(&Config::default());
    more.part(&framed(b"one")).part(&[0]).assert_refused(many, Code::Unimplemented);
}

#[test]
fn a_request_that_is_cut_or_overdrawn_or_opened_twice_is_refused() {
    let mut cut = Raw::opened(&Config::default());
    cut.part(&framed(b"a request")[..7]).end();
    cut.assert_refused("the end in the middle of a message", Code::Internal);
    let mut overdrawn = Raw::opened(&Config::default());
    overdrawn.part(&framed(&[0; 2_000])[..1_001]);
    overdrawn.assert_refused("more than the window", Code::Unknown);
    let mut twice = Raw::opened(&Config::default());
    twice.pair.server.receive(&toy::open(1, UNARY)).unwrap();
    twice.assert_refused("a second INIT", Code::Unknown);
}

#[test]
fn a_request_that_is_too_large_is_refused_by_its_first_bytes() {
    let mut raw = Raw::opened(&Config { max_received: 800, ..Config::default() });
    raw.part(&framed(&[0; 900])[..5]);
    raw.assert_refused("the request takes 905 bytes", Code::ResourceExhausted);
    // In a frame that is skipped, the same.
    let mut raw = Raw::opened(&Config { max_received: 800, ..Config::default() });
    let of = crate::wires::Begun::Message(crate::framing::StreamId(1));
    let skipped = crate::wires::Input::Skipped { of, size: 999, why: crate::wires::Skip::TooLarge };
    raw.pair.server.conn.handle_input(skipped, epoch()).unwrap();
    raw.assert_refused("the request takes 999 bytes", Code::ResourceExhausted);
}

#[test]
fn a_request_counts_as_it_comes_and_is_refused_where_there_is_no_room_for_more() {
    let config = Config { unread: 4_000, ..Config::default() };
    let mut raw = Raw::opened(&config);
    let before = raw.pair.server.conn.buffered().unread;
    assert!(before >= 1_024, "the state of a call counts");
    let request = framed(&[1; 3_500]);
    raw.part(&request[..900]);
    assert_eq!(raw.pair.server.conn.buffered().unread, before + 900);
    raw.part(&request[900..1_000]);
    assert_eq!(raw.pair.server.conn.buffered().unread, before + 1_800, "the memory that it has");
    raw.part(&request[1_000..1_800]);
    raw.part(&request[1_800..1_900]);
    raw.assert_refused("the server is overloaded", Code::ResourceExhausted);
    raw.part(&request[1_900..]).end().assert_gone();
    // A request that fits counts until it is answered.
    let mut raw = Raw::opened(&config);
    raw.part(&framed(&[1; 900])).end();
    let got = next_call(&mut raw.pair.server);
    assert_eq!(raw.pair.server.conn.buffered().unread, before + 905);
    reply(&mut raw.pair.server, got.key, Outcome::default(), b"").unwrap();
    raw.assert_gone();
}

#[test]
fn calls_that_arrive_have_their_places_and_give_them_back() {
    let config = Config { max_calls: 1, ..Config::default() };
    let mut raw = Raw::opened(&config);
    raw.pair.server.receive(&toy::open(3, UNARY)).unwrap();
    let (_, outcome) = refused(&mut raw.pair.server).pop().unwrap();
    assert!(outcome.message.ends_with(b"at most 1 (max_calls_per_connection)"));
    assert_eq!(kinds(&raw.pair.server.output()), [REFUSE]);
    raw.reset();
    raw.pair.server.receive(&toy::open(5, UNARY)).unwrap();
    // Streams have places of their own.
    raw.pair.server.receive(&toy::open(7, STREAM)).unwrap();
    raw.pair.server.next_stream();
    let refused = refused(&mut raw.pair.server);
    assert_eq!(refused.len(), 1, "the one that was broken off: {refused:?}");
}

#[test]
fn a_client_that_breaks_its_call_off_frees_it_before_and_after_it_was_handed_up() {
    let mut raw = Raw::opened(&Config::default());
    raw.part(b"\0\0").reset();
    assert!(raw.pair.server.output().is_empty(), "nobody waits for an answer");
    raw.assert_gone();
    assert_eq!(refused(&mut raw.pair.server).len(), 1);
    let mut pair = strict(1_000, 10_000);
    let key = ask(&mut pair.client, b"request");
    pair.run();
    let got = next_call(&mut pair.server);
    pair.client.conn.release_call(key);
    assert_eq!(pair.carry_there(), [RESET]);
    assert!(
        pair.server
            .events
            .iter()
            .any(|event| matches!(event, Event::CallChanged(key) if *key == got.key))
    );
    let ending = pair.server.conn.call_ending(got.key);
    assert!(
        matches!(&ending, Some(Ending::Reset(why)) if why.reason() == Some(Reason::Cancelled)),
        "{ending:?}"
    );
    reply(&mut pair.server, got.key, Outcome::default(), b"too late").unwrap();
    assert!(pair.carry_back().is_empty(), "nobody waits for it");
    pair.assert_done();
}

#[test]
fn bytes_behind_the_end_of_a_request_end_its_call_and_another_end_does_not() {
    let mut raw = Raw::opened(&Config::default());
    raw.part(&framed(b"request")).end();
    let got = next_call(&mut raw.pair.server);
    raw.end();
    assert_eq!(raw.pair.server.conn.call_ending(got.key), None);
    raw.part(b"more");
    let why = raw.pair.server.conn.call_ending(got.key);
    assert_eq!(why, Some(Ending::Violation(Violation::DataAfterClose)));
    reply(&mut raw.pair.server, got.key, Outcome::default(), b"").unwrap();
    assert_eq!(kinds(&raw.pair.server.output()), [CLOSE], "it has one answer");
    raw.assert_gone();
}

#[test]
fn the_deadline_of_a_call_holds_while_it_comes_and_while_it_is_served() {
    let second = Duration::from_secs(1);
    let timed = || Head { timeout: Some(second), ..head(UNARY) };
    let mut pair = strict(1_000, 10_000);
    let served = call(&mut pair.client, timed(), b"request").unwrap().unwrap();
    let large = call(&mut pair.client, timed(), &message(5_000, 1)).unwrap().unwrap();
    pair.carry_there();
    let got = next_call(&mut pair.server);
    assert_eq!(got.deadline, None, "this wire does not carry it");
    pair.client.conn.handle_timeout(epoch() + second);
    assert_eq!(pair.carry_there(), [RESET, RESET]);
    for key in [served, large] {
        assert_eq!(answer(&mut pair.client, key), Some(Err(Ending::Deadline)));
    }
    assert!(matches!(pair.server.conn.call_ending(got.key), Some(Ending::Reset(_))));
    pair.server.conn.release_call(got.key);
    pair.assert_done();

    // The server's own, of a request that is not whole.
    let mut pair = strict(1_000, 10_000);
    let open = crate::wires::Input::Open {
        id: crate::framing::StreamId(1),
        opening: Some(crate::wires::Opening { head: timed(), window: 0, more: Vec::new() }),
    };
    pair.server.conn.handle_input(open, epoch()).unwrap();
    let mut raw = Raw { pair };
    raw.part(b"\0");
    raw.pair.server.conn.handle_timeout(epoch() + second);
    raw.assert_refused("the time the caller allows has passed", Code::DeadlineExceeded);
}

#[test]
fn a_handler_that_is_gone_and_an_answer_that_fails_are_ends_with_their_outcomes() {
    let mut pair = strict(1_000, 10_000);
    let (dropped, failed) = (ask(&mut pair.client, b"1"), ask(&mut pair.client, b"2"));
    pair.run();
    let calls = arrived(&mut pair.server);
    pair.server.conn.release_call(calls[0].key);
    assert_eq!(pair.carry_back(), [CLOSE]);
    let outcome = answer(&mut pair.client, dropped).unwrap().unwrap().outcome;
    assert!(outcome.message.ends_with(b"before it had an outcome"));
    reply(&mut pair.server, calls[1].key, Outcome::of_codes(0, 7, "no"), b"").unwrap();
    let kinds = pair.carry_back();
    assert_eq!(kinds, [CLOSE], "no head, no message");
    let got = answer(&mut pair.client, failed).unwrap().unwrap();
    assert_eq!(&got.outcome.message[..], b"no");
    pair.assert_done();
}

#[test]
fn a_server_that_ends_answers_what_has_not_come_whole_and_keeps_nothing_of_it() {
    let text = "was shut down";
    let mut raw = Raw::opened(&Config::default());
    raw.part(b"\0");
    raw.pair.server.conn.shut_down();
    raw.assert_refused(text, Code::Unavailable);
    let mut raw = Raw::opened(&Config::default());
    raw.part(b"\0");
    assert!(raw.pair.server.conn.handle_input_end(), "there is an answer to write");
    raw.assert_refused("the peer closed the connection", Code::Unavailable);
}

#[test]
fn a_server_that_drains_is_idle_when_its_last_answer_has_gone_through_the_window() {
    let mut pair = strict(1_000, 1_000);
    let key = ask(&mut pair.client, b"");
    pair.run();
    let got = next_call(&mut pair.server);
    pair.server.conn.drain();
    reply(&mut pair.server, got.key, Outcome::default(), &message(5_000, 1)).unwrap();
    pair.server.output();
    assert!(pair.server.conn.is_released() && !pair.server.conn.is_idle());
    let mut pair = strict(1_000, 1_000);
    let again = ask(&mut pair.client, b"");
    assert_eq!(key, again);
    pair.run();
    let got = next_call(&mut pair.server);
    pair.server.conn.drain();
    reply(&mut pair.server, got.key, Outcome::default(), &message(5_000, 1)).unwrap();
    pair.run();
    assert!(pair.server.conn.is_idle());
    assert!(pair.server.events.iter().any(|event| matches!(event, Event::Idle)));
    assert_eq!(body_of(&mut pair.client, again), message(5_000, 1));
}

#[test]
fn an_answer_that_does_not_fit_leaves_the_call_open_for_another_one() {
    let config = Config { max_header: 1_024, max_sent: 2_000, ..Config::default() };
    let mut pair = Pair::new(Toy::strict(1_000, 5_000), &config);
    let key = ask(&mut pair.client, b"");
    let large = call(&mut pair.client, head(UNARY), &[0; 2_000]);
    assert!(matches!(large, Err(SendError::TooLarge { limit: 2_000, .. })), "{large:?}");
    pair.run();
    let got = next_call(&mut pair.server);
    let mut outcome = Outcome::default();
    outcome.metadata.put("key", vec![b'v'; 2_000]);
    let replied = reply(&mut pair.server, got.key, outcome, b"answer");
    assert!(matches!(replied, Err(SendError::HeaderTooLarge { limit: 1_024, .. })), "{replied:?}");
    let replied = reply(&mut pair.server, got.key, Outcome::default(), &[0; 2_000]);
    assert!(matches!(replied, Err(SendError::TooLarge { limit: 2_000, .. })), "{replied:?}");
    let lies = UnaryContent::new(3, |_: &mut Vec<u8>| {});
    let replied = pair.server.conn.reply(got.key, Outcome::default(), 0, lies);
    assert!(matches!(replied, Err(SendError::WrongSize { announced: 3, written: 0 })));
    assert!(pair.server.output().is_empty());
    pair.server.conn.refuse(got.key, Outcome::of_codes(0, 7, vec![b'x'; 5_000]), &[]);
    pair.server.conn.release_call(got.key);
    pair.run();
    let said = answer(&mut pair.client, key).unwrap().unwrap().outcome.message;
    assert!(said.ends_with(b"... (cut: max_metadata)"));
    pair.assert_done();
}

#[test]
fn credit_that_comes_before_an_answer_is_used_by_it() {
    let mut raw = Raw::opened(&Config::default());
    raw.pair.server.receive(&toy::credit(1, 2_000)).unwrap();
    raw.part(&framed(b"request")).end();
    let got = next_call(&mut raw.pair.server);
    raw.pair.server.receive(&toy::credit(1, 1_000)).unwrap();
    reply(&mut raw.pair.server, got.key, Outcome::default(), &message(4_500, 1)).unwrap();
    let said = raw.pair.server.output();
    assert_eq!(kinds(&said), [HEAD, BYTES], "4,000 of 4,505 bytes");
    let unsent = raw.pair.server.conn.buffered().unsent;
    assert_eq!(unsent, 505);
    raw.pair.server.receive(&toy::credit(1, 505)).unwrap();
    assert_eq!(kinds(&raw.pair.server.output()), [BYTES, CLOSE]);
    raw.assert_gone();
}

#[test]
fn a_client_that_sends_nothing_more_gives_no_credit_for_an_answer() {
    let mut raw = Raw::opened(&Config::default());
    raw.part(&framed(b"request")).end();
    let got = next_call(&mut raw.pair.server);
    assert!(raw.pair.server.conn.handle_input_end(), "its answer is owed");
    reply(&mut raw.pair.server, got.key, Outcome::default(), &message(4_500, 1)).unwrap();
    assert!(raw.pair.server.conn.owes_answers());
    assert_eq!(kinds(&raw.pair.server.output()), [HEAD, BYTES], "as much as its window");
    assert!(!raw.pair.server.conn.owes_answers(), "the rest can never go");
}

/// Answers the calls of a client that gives no credit, which are opened with ids from there. Gives
/// how many answers of that size were taken.
fn answer_without_credit(server: &mut End, calls: u64, size: usize) -> usize {
    let mut taken = 0;
    for id in (1..2 * calls).step_by(2) {
        let call = [toy::open(id, UNARY), toy::part(id, &framed(b"")), toy::half_close(id)];
        server.receive(&call.concat()).unwrap();
        for got in arrived(server) {
            if server.conn.admit_answer(got.key, size).is_ok() {
                reply(server, got.key, Outcome::default(), &message(size, 1)).unwrap();
                taken += 1;
            } else {
                server.conn.refuse(got.key, Outcome::of_codes(22, 0, "no room"), &[]);
                server.conn.release_call(got.key);
            }
            server.output();
        }
    }
    taken
}

#[test]
fn answers_that_wait_for_credit_are_held_to_the_limits_of_calls_and_of_what_is_unsent() {
    let mut server =
        Pair::new(Toy::strict(1_000, 1_000), &Config { max_calls: 3, ..Config::default() }).server;
    assert_eq!(answer_without_credit(&mut server, 10, 2_000), 3, "the others have no place");
    assert_eq!(refused(&mut server).len(), 7);
    server.receive(&toy::reset(1)).unwrap();
    server.receive(&[toy::open(51, UNARY), toy::open(53, UNARY)].concat()).unwrap();
    assert_eq!(refused(&mut server).len(), 1, "there is one place again");

    let pools = Pools::new(1_000_000, 100_000, 1_000);
    let config = Config { peer: Some(pools.peer()), ..Config::default() };
    let mut server = Pair::new(Toy::strict(1_000, 1_000), &config).server;
    let taken = answer_without_credit(&mut server, 100, 10_000);
    assert!((5..=7).contains(&taken), "half of the server's room, and one beyond: {taken}");
    assert_eq!(server.conn.buffered().unsent, taken * 10_005 - 1_000, "a window has gone");
    assert_eq!(pools.refusals.counted().dropped_answers, 100 - taken as u64);
    assert!(server.conn.wants_input(), "credit must be heard");
}
