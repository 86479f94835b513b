//! The engine on a wire that asks for what HTTP/2 and brpc will ask.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::conn::{
    Config, ConnError, Connection, Consumed, Ending, Event, Inbox, IncomingStream, Outcome,
    SendError, Sent, StreamKey, Take, Violation,
};
use crate::framing::{Largest, Messages, Outbox, Side, UnaryContent};
use crate::wires::toy::{self, Toy};
use crate::wires::{Decoder, Found, Input, Wire};

use super::pair::{STREAM, admission, epoch, head};

pub(super) struct End {
    pub(super) conn: Connection,
    decoder: Decoder,
    input: BytesMut,
    pub(super) events: Vec<Event>,
    /// The frames of bytes that came, by their sizes.
    pub(super) parts: Vec<usize>,
}

impl End {
    fn new(conn: Connection) -> Self {
        let decoder = conn.decoder();
        Self { conn, decoder, input: BytesMut::new(), events: Vec::new(), parts: Vec::new() }
    }

    pub(super) fn output(&mut self) -> Vec<u8> {
        let taken = self.conn.take_output(Outbox::default());
        self.conn.handle_written(taken.len());
        self.conn.take_events(&mut self.events);
        taken.to_vec()
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), ConnError> {
        self.input.extend_from_slice(bytes);
        let mut inputs = Vec::new();
        while self.decoder.decode_to(&mut inputs, &mut self.input) == Ok(Found::Frame) {}
        for input in inputs {
            if let Input::Bytes { bytes, .. } = &input {
                self.parts.push(bytes.len());
            }
            self.conn.handle_input(input, epoch())?;
        }
        self.conn.take_events(&mut self.events);
        Ok(())
    }

    pub(super) fn next_stream(&mut self) -> IncomingStream {
        let at = self.events.iter().position(|event| matches!(event, Event::Stream(_)));
        match self.events.remove(at.expect("a stream has come")) {
            Event::Stream(stream) => *stream,
            _ => unreachable!(),
        }
    }

    pub(super) fn send(&mut self, key: StreamKey, message: &[u8]) -> Result<Sent, SendError> {
        self.conn.send(key, message.len(), &mut None, |out: &mut Vec<u8>| {
            out.extend_from_slice(message);
        })
    }

    /// Takes what is there. `consumed` is of before.
    pub(super) fn take(
        &mut self,
        key: StreamKey,
        consumed: &mut Consumed,
    ) -> (Vec<Bytes>, Option<Take>) {
        let (mut inbox, mut messages) = (Inbox::default(), Vec::new());
        let taken = self.conn.take(key, std::mem::take(consumed), &mut inbox);
        while let Some(message) = inbox.front().and_then(Messages::next) {
            consumed.messages += 1;
            consumed.bytes += message.len();
            messages.push(message.into_bytes());
        }
        (messages, taken)
    }

    fn is_writable(&mut self, key: StreamKey) -> bool {
        self.conn.take_events(&mut self.events);
        self.events
            .iter()
            .any(|event| matches!(event, Event::Writable(writable) if *writable == key))
    }
}

pub(super) struct Pair {
    pub(super) client: End,
    pub(super) server: End,
}

impl Pair {
    pub(super) fn new(toy: Toy, config: &Config) -> Self {
        let wire = Wire::Toy(toy);
        Self {
            client: End::new(Connection::on(wire, config.clone(), None)),
            server: End::new(Connection::on(wire, config.clone(), Some(admission()))),
        }
    }

    pub(super) fn run(&mut self) {
        loop {
            let (there, back) = (self.client.output(), self.server.output());
            if there.is_empty() && back.is_empty() {
                return;
            }
            self.server.receive(&there).expect("the client keeps to the wire's rules");
            self.client.receive(&back).expect("the server keeps to the wire's rules");
        }
    }

    pub(super) fn open(&mut self) -> (StreamKey, StreamKey) {
        let key = self.client.conn.open(head(STREAM), None, epoch()).unwrap();
        self.run();
        (key, self.server.next_stream().key)
    }

    /// The server reads on the stream until nothing moves any more.
    fn read_all(&mut self, key: StreamKey) -> (Vec<Bytes>, Option<Take>) {
        let (mut all, mut consumed) = (Vec::new(), Consumed::default());
        loop {
            let (messages, taken) = self.server.take(key, &mut consumed);
            let moved = !messages.is_empty();
            all.extend(messages);
            if matches!(taken, Some(Take::EndOfInput | Take::Ended)) {
                return (all, taken);
            }
            let before = self.server.parts.len();
            self.run();
            if !moved && self.server.parts.len() == before {
                return (all, taken);
            }
        }
    }
}

pub(super) fn strict(stream: u32, connection: u32) -> Pair {
    Pair::new(Toy::strict(stream, connection), &Config::default())
}

pub(super) fn message(size: usize, seed: u8) -> Vec<u8> {
    (0..size).map(|at| (at as u8).wrapping_mul(7).wrapping_add(seed)).collect()
}

#[test]
fn a_stream_that_needs_no_answer_is_open_at_once_and_its_messages_follow_in_the_same_bytes() {
    let mut pair = strict(1_000, 10_000);
    let key = pair.client.conn.open(head(STREAM), None, epoch()).unwrap();
    assert_eq!(pair.client.conn.opened(key), Some(Ok(())));
    assert_eq!(pair.client.send(key, b"hello"), Ok(Sent::Queued));
    pair.client.conn.half_close(key);
    let bytes = pair.client.output();
    pair.server.receive(&bytes).unwrap();
    let served = pair.server.next_stream().key;
    let (messages, taken) = pair.server.take(served, &mut Consumed::default());
    assert_eq!((messages, taken), (vec![Bytes::from("hello")], Some(Take::Messages)));
    assert!(pair.server.output().is_empty(), "nobody waits for an answer");
}

#[test]
fn a_message_that_is_larger_than_the_windows_goes_in_parts_and_comes_whole() {
    let mut pair = strict(1_000, 1_500);
    let (key, served) = pair.open();
    let large = message(10_000, 1);
    assert_eq!(pair.client.send(key, &large), Ok(Sent::Queued));
    pair.client.conn.half_close(key);
    pair.run();
    assert_eq!(pair.server.parts, [1_000], "no more than the stream's window");
    assert_eq!(pair.read_all(served), (vec![large.into()], Some(Take::EndOfInput)));
    assert!(pair.server.parts.iter().all(|part| *part <= 1_000), "{:?}", pair.server.parts);
    assert_eq!(pair.server.parts.iter().sum::<usize>(), 10_005);
}

#[test]
fn a_stream_takes_no_message_while_the_rest_of_one_waits_and_says_when_it_does_again() {
    let mut pair = strict(1_000, 100_000);
    let (key, served) = pair.open();
    assert_eq!(pair.client.send(key, &message(2_500, 1)), Ok(Sent::Queued));
    assert_eq!(pair.client.send(key, b"next"), Ok(Sent::NoCredit));
    assert_eq!(pair.client.conn.buffered().unsent, pair.client.conn.output_len() + 1_505);
    pair.run();
    assert!(!pair.client.is_writable(key));
    let (messages, _) = pair.read_all(served);
    assert_eq!(messages, [message(2_500, 1)]);
    assert!(pair.client.is_writable(key));
    assert_eq!(pair.client.send(key, b"next"), Ok(Sent::Queued));
    pair.run();
    assert_eq!(pair.client.conn.buffered().unsent, 0);
}

#[test]
fn strict_windows_of_a_stream_and_of_its_connection_grow_together() {
    let max_window = 2_000_000;
    let config = Config { outbox: usize::MAX / 4, max_window, ..Config::default() };
    let mut pair = Pair::new(Toy::strict(65_535, 65_535), &config);
    let (key, served) = pair.open();
    let (mut now, mut carried) = (epoch(), 0);
    let mut consumed = Consumed::default();
    // The bytes of each round trip are as many as both windows let go.
    for _ in 0..40 {
        now += Duration::from_millis(10);
        while pair.client.send(key, &message(1_000, 1)) == Ok(Sent::Queued) {}
        let there = pair.client.output();
        carried = there.len();
        pair.server.conn.note_time(now);
        pair.server.receive(&there).expect("the client keeps to both windows");
        while pair.server.take(served, &mut consumed).1 == Some(Take::Messages) {}
        let back = pair.server.output();
        pair.client.receive(&back).unwrap();
    }
    assert_eq!(pair.server.conn.window(served), max_window);
    assert!(carried >= 1_500_000, "{carried}");
}

#[test]
fn nothing_is_lost_or_torn_whatever_the_sizes_of_windows_and_messages() {
    for (stream, connection) in [(16, 16), (100, 50), (1_000, 1_000_000), (70_000, 80_000)] {
        let mut pair = strict(stream, connection);
        let (key, served) = pair.open();
        let sizes = [0, 1, 4, 5, 11, 95, 96, 0, 999, 5_000, 1, 0, 70_001];
        let (mut sent, mut got) = (0, Vec::new());
        while sent < sizes.len() {
            if pair.client.send(key, &message(sizes[sent], sent as u8)) == Ok(Sent::Queued) {
                sent += 1;
            }
            pair.run();
            got.extend(pair.read_all(served).0);
        }
        pair.client.conn.half_close(key);
        pair.run();
        let (rest, taken) = pair.read_all(served);
        got.extend(rest);
        assert_eq!(taken, Some(Take::EndOfInput));
        let expected: Vec<_> =
            sizes.iter().zip(0..).map(|(size, seed)| message(*size, seed)).collect();
        assert_eq!(got, expected, "windows {stream} and {connection}");
    }
}

#[test]
fn the_window_of_the_connection_is_shared_and_given_back_also_for_streams_that_are_gone() {
    let mut pair = strict(1_000, 1_500);
    let ((one, served_one), (two, served_two)) = (pair.open(), pair.open());
    assert_eq!(pair.client.send(one, &message(995, 1)), Ok(Sent::Queued));
    assert_eq!(pair.client.send(two, &message(995, 2)), Ok(Sent::Queued));
    pair.run();
    assert_eq!(pair.server.parts, [1_000, 500], "the second gets what is left of the connection's");
    // The first is dropped unread: what it held is the connection's again.
    pair.server.conn.reset(served_one, Outcome::of_codes(31, 0, "no"));
    pair.server.conn.release(served_one);
    pair.run();
    assert_eq!(pair.read_all(served_two).0, [message(995, 2)]);
    // Bytes for a stream that is over count as consumed.
    for _ in 0..10 {
        assert_eq!(pair.client.send(two, &message(800, 3)), Ok(Sent::Queued));
        pair.server.receive(&toy::part(99, &[0; 600])).unwrap();
        pair.run();
        assert_eq!(pair.read_all(served_two).0, [message(800, 3)]);
    }
}

#[test]
fn a_peer_that_goes_beyond_a_window_is_told_and_loses_its_stream_or_its_connection() {
    let mut pair = strict(1_000, 5_000);
    let (_, served) = pair.open();
    pair.server.receive(&toy::part(1, &[0; 1_000])).unwrap();
    pair.server.receive(&toy::part(1, &[0])).unwrap();
    let why = pair.server.conn.ending(served);
    assert_eq!(why, Some(&Ending::Violation(Violation::Overdrawn)));
    let lost = pair.server.receive(&toy::part(1, &[0; 5_000]));
    assert_eq!(lost, Err(ConnError::Overdrawn { limit: 5_000 }));
}

#[test]
fn a_message_that_is_cut_by_the_end_is_no_message_and_no_end_in_order() {
    let mut pair = strict(1_000, 5_000);
    let (key, served) = pair.open();
    pair.server.receive(&toy::part(1, &[0, 0, 0, 0, 9, 1, 2])).unwrap();
    pair.client.conn.half_close(key);
    pair.run();
    let (messages, taken) = pair.server.take(served, &mut Consumed::default());
    assert_eq!((messages.len(), taken), (0, Some(Take::Ended)));
    let why = pair.server.conn.ending(served);
    assert_eq!(why, Some(&Ending::Violation(Violation::CutMessage)));
}

#[test]
fn a_message_that_is_larger_than_may_be_is_refused_by_its_first_bytes() {
    let config = Config { max_received: 2_000, ..Config::default() };
    let mut pair = Pair::new(Toy::strict(1_000, 5_000), &config);
    let (_, served) = pair.open();
    // One that fits stands before it.
    let bytes = [&[0, 0, 0, 0, 1, 7][..], &[0, 0, 0, 0x10, 0]].concat();
    pair.server.receive(&toy::part(1, &bytes)).unwrap();
    let why = pair.server.conn.ending(served);
    assert!(matches!(why, Some(Ending::TooLarge { limit: 2_000, .. })), "{why:?}");
    assert!(matches!(pair.client.receive(&pair.server.output()), Ok(())));
}

#[test]
fn a_handler_that_is_done_leaves_what_waits_for_credit_and_its_outcome_comes_behind_it() {
    let mut pair = strict(1_000, 100_000);
    let (key, served) = pair.open();
    assert_eq!(pair.server.send(served, &message(3_000, 5)), Ok(Sent::Queued));
    pair.server.conn.close(served, Outcome::default());
    pair.server.conn.release(served);
    pair.server.conn.drain();
    pair.run();
    assert!(!pair.server.conn.is_idle() && pair.server.conn.is_released());
    let (mut all, mut consumed) = (Vec::new(), Consumed::default());
    let taken = loop {
        let (messages, taken) = pair.client.take(key, &mut consumed);
        all.extend(messages);
        if taken == Some(Take::Ended) {
            break taken;
        }
        pair.run();
    };
    assert_eq!((all, taken), (vec![message(3_000, 5).into()], Some(Take::Ended)));
    assert!(matches!(pair.client.conn.ending(key), Some(Ending::Closed(_))));
    pair.run();
    assert!(pair.server.conn.is_idle() && pair.server.conn.buffered().unsent == 0);
}

#[test]
fn a_client_that_breaks_a_stream_off_frees_what_its_handler_has_left() {
    let mut pair = strict(1_000, 100_000);
    let (key, served) = pair.open();
    assert_eq!(pair.server.send(served, &message(3_000, 5)), Ok(Sent::Queued));
    pair.server.conn.close(served, Outcome::default());
    pair.run();
    assert!(pair.server.conn.buffered().unsent > 0);
    pair.client.conn.release(key);
    pair.run();
    assert!(pair.server.conn.is_idle() && pair.server.conn.buffered().unsent == 0);
}

#[test]
fn a_send_buffer_is_taken_in_parts_as_well() {
    let mut pair = strict(1_000, 100_000);
    let (key, served) = pair.open();
    let (prefix, credit) = pair.client.conn.grant_credit(key);
    assert!(credit > 1 << 40, "what goes beyond the window waits with the stream");
    let mut bytes = Vec::new();
    for seed in 0..5 {
        let message = message(700, seed);
        prefix.write(&mut bytes, 700, |out: &mut Vec<u8>| out.extend_from_slice(&message)).unwrap();
    }
    pair.client.conn.collect(key, &bytes, credit);
    assert_eq!(pair.client.send(key, b"more"), Ok(Sent::NoCredit));
    pair.run();
    assert_eq!(pair.server.parts, [1_000]);
    let expected: Vec<_> = (0..5).map(|seed| message(700, seed)).collect();
    assert_eq!(pair.read_all(served).0, expected);
}

#[test]
fn a_sender_that_chooses_its_window_goes_by_totals_that_may_come_twice() {
    let mut pair = Pair::new(Toy::chosen(1_000), &Config::default());
    let (key, _) = pair.open();
    let mut sent = 0;
    while pair.client.send(key, &message(400, 1)) == Ok(Sent::Queued) {
        sent += 1;
    }
    assert_eq!(sent, 3, "the last one may go beyond the window");
    pair.run();
    let credit = |total: u64| {
        let mut frame = vec![5];
        frame.extend(1_u64.to_be_bytes());
        frame.extend(8_u32.to_be_bytes());
        frame.extend(total.to_be_bytes());
        frame
    };
    for (total, opens) in [(100, false), (100, false), (50, false), (200, false), (201, true)] {
        pair.client.receive(&credit(total)).unwrap();
        assert_eq!(pair.client.is_writable(key), opens, "{total}");
    }
    let config = Config { window: 4_000, ..Config::default() };
    let mut pair = Pair::new(Toy::chosen(100_000), &config);
    let (key, served) = pair.open();
    for _ in 0..2 {
        assert_eq!(pair.client.send(key, &message(1_000, 1)), Ok(Sent::Queued));
    }
    pair.run();
    let mut consumed = Consumed::default();
    assert_eq!(pair.server.take(served, &mut consumed).0.len(), 2);
    pair.server.conn.give_credit(served, consumed);
    let output = pair.server.output();
    assert_eq!(output, credit(2_000), "all that was consumed since the stream began");
}

#[test]
fn one_opening_carries_several_streams_and_one_answer_opens_or_refuses_them_all() {
    let mut pair = Pair::new(Toy::chosen(1_000), &Config::default());
    let keys = pair.client.conn.open_several(3, head(STREAM), epoch()).unwrap();
    assert!(keys.iter().all(|key| pair.client.conn.opened(*key).is_none()));
    pair.run();
    assert!(keys.iter().all(|key| pair.client.conn.opened(*key) == Some(Ok(()))));
    let IncomingStream { key, more, .. } = pair.server.next_stream();
    for (number, (there, here)) in keys.iter().zip([&[key][..], &more].concat()).enumerate() {
        let text = number.to_string();
        assert_eq!(pair.client.send(*there, text.as_bytes()), Ok(Sent::Queued));
        pair.run();
        assert_eq!(pair.read_all(here).0, [text]);
    }
    let refused = pair.client.conn.open_several(2, head("/test.Pair/None"), epoch()).unwrap();
    pair.run();
    for key in refused {
        assert!(matches!(pair.client.conn.opened(key), Some(Err(Ending::Refused(_)))));
    }
    // A peer has no more places than it asks for.
    let config = Config { max_streams: 4, ..Config::default() };
    let mut pair = Pair::new(Toy::chosen(1_000), &config);
    let refused = pair.client.conn.open_several(5, head(STREAM), epoch()).unwrap();
    pair.run();
    assert!(matches!(pair.client.conn.opened(refused[4]), Some(Err(Ending::Refused(_)))));
}

#[test]
fn a_server_that_goes_away_has_begun_nothing_behind_what_it_names() {
    let mut pair = strict(1_000, 5_000);
    let ((kept, _), (refused, _)) = (pair.open(), pair.open());
    let call = head(super::pair::UNARY);
    let body = UnaryContent::new(0, |_: &mut Vec<u8>| {});
    let asked = pair.client.conn.call(call, false, None, body).unwrap().unwrap();
    pair.client.receive(&toy::away(1)).unwrap();
    assert_eq!(pair.client.conn.ending(kept), None);
    let why = pair.client.conn.ending(refused);
    assert!(
        matches!(why, Some(Ending::Refused(outcome)) if outcome.reason() == Some(crate::error::Reason::Draining)),
        "{why:?}"
    );
    assert!(pair.client.conn.peer_drains());
    assert_eq!(pair.client.conn.open(head(STREAM), None, epoch()), Err(SendError::PeerDrains));
    assert!(matches!(pair.client.conn.answer(asked), Some(Err(Ending::Refused(_)))));
}

#[test]
fn a_wire_answers_its_own_frames_and_shows_when_it_is_asked_that_it_is_alive() {
    let mut pair = strict(1_000, 5_000);
    let ping = [&[9][..], &7_u64.to_be_bytes(), &0_u32.to_be_bytes()].concat();
    pair.server.receive(&ping).unwrap();
    let pong = [&[10][..], &ping[1..]].concat();
    assert_eq!(pair.server.output(), pong);
    assert!(pair.client.receive(&pong).is_ok() && pair.client.output().is_empty());
}

#[test]
fn a_server_of_several_wires_knows_by_the_first_byte_which_one_its_client_speaks() {
    let limit = Largest { frame: 100_000, header: 10_000 };
    let undecided = |bytes: &[u8]| {
        let mut server = End::new(super::pair::End::server(Config::default()).conn);
        let toy = Toy::strict(1_000, 5_000);
        server.decoder = Decoder::Undecided { side: Side::Server, limit, toy };
        server.receive(&[]).unwrap();
        for byte in bytes {
            server.receive(&[*byte]).unwrap();
        }
        server
    };
    let mut client =
        End::new(Connection::on(Wire::Toy(Toy::strict(1_000, 5_000)), Config::default(), None));
    client.conn.open(head(STREAM), None, epoch()).unwrap();
    let mut server = undecided(&[toy::greeting(), client.output()].concat());
    server.next_stream();
    assert!(server.output().is_empty());

    let mut client = super::pair::End::client(Config::default());
    client.conn.open(head(STREAM), None, epoch()).unwrap();
    let mut server = undecided(&client.output());
    server.next_stream();
    assert_eq!(server.output()[..2], [0x09, 0x30], "its answer is on the client's wire");
}
