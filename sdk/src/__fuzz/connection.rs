//! A whole connection against a peer that sends anything, with an application that does anything it
//! may.

mod peer;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::conn::{
    CallKey, Config, ConnError, Connection, Consumed, Event, Fit, Inbox, Outcome, SendTicket, Sent,
    StreamKey, Take, frame_size,
};
use crate::framing::{Messages, Prefix, Side, UnaryContent};

use super::choices::Choices;
use super::end::{FuzzedEnd, STREAM, UNARY, config, head};
use super::epoch;
use peer::frame;

/// Runs a connection against a peer and an application that do what `input` says.
///
/// It must not panic, tell of streams and calls that the application does not hold, write what its
/// peer may not read there, send without credit, or let anything grow without bound. Once the
/// application has let go of everything, nothing is left.
///
/// # Panics
/// When one of these promises does not hold.
pub fn connection(input: &[u8]) {
    let mut choices = Choices::new(input);
    let flags = choices.byte();
    let side = if flags & 0x80 == 0 { Side::Server } else { Side::Client };
    let mut run = FuzzedConnection::new(side, config(flags));
    while let Some(operation) = choices.next() {
        run.step(operation, &mut choices);
        run.look();
    }
    run.finish();
}

/// The input of [`connection`] in which the peer of a server or a client sends `bytes`. The client
/// has opened a stream and made a call.
#[must_use]
pub fn connection_seed(client: bool, bytes: &[u8]) -> Vec<u8> {
    let mut seed = vec![if client { 0x80 } else { 0 }];
    if client {
        seed.extend_from_slice(&[OPEN, 0, 0, CALL, 0, 0, 0]);
    }
    for piece in bytes.chunks(usize::from(u16::MAX)) {
        let len = u16::try_from(piece.len()).expect("a chunk is no longer");
        seed.push(BYTES);
        seed.extend_from_slice(&len.to_be_bytes());
        seed.extend_from_slice(piece);
        // Each stream or call that it opened is read and ended.
        seed.extend_from_slice(&[ON_STREAM, 0, TAKE, ON_CALL, 0, 0, ON_STREAM, 0, CLOSE_IT]);
    }
    seed
}

const BYTES: u8 = 0;
const OPEN: u8 = 4;
const CALL: u8 = 5;
const ON_STREAM: u8 = 6;
const ON_CALL: u8 = 9;
const TAKE: u8 = 3;
const CLOSE_IT: u8 = 6;

struct FuzzedConnection {
    end: FuzzedEnd,
    side: Side,
    now: Instant,
    streams: BTreeMap<StreamKey, HeldStream>,
    /// Calls that the application holds; `true`: calls of its own.
    calls: BTreeMap<CallKey, bool>,
}

/// A stream as the application holds it.
#[derive(Default)]
struct HeldStream {
    ticket: Option<SendTicket>,
    granted: Option<(Prefix, i64, Vec<u8>)>,
    consumed: Consumed,
}

impl FuzzedConnection {
    fn new(side: Side, config: Config) -> Self {
        let (streams, calls) = (BTreeMap::new(), BTreeMap::new());
        Self { end: FuzzedEnd::new(side, config), side, now: epoch(), streams, calls }
    }

    fn step(&mut self, operation: u8, choices: &mut Choices<'_>) {
        match operation % 13 {
            BYTES => {
                let len = choices.number();
                self.receive(choices.bytes(len));
            }
            1..=3 => {
                let frame = frame(self.side, choices);
                self.receive(&frame);
            }
            OPEN => {
                let timeout = self.timeout(choices);
                let method = if choices.below(8) == 7 { UNARY } else { STREAM };
                let now = self.now;
                if self.side == Side::Client
                    && let Ok(key) =
                        self.end.with(|conn| conn.open(head(method, timeout), None, now))
                {
                    self.streams.insert(key, HeldStream::default());
                }
            }
            CALL => self.call(choices),
            ON_STREAM..=8 => self.on_stream(choices),
            ON_CALL => self.on_call(choices),
            10 => {
                let count = choices.number();
                self.end.write(count);
            }
            11 => {
                let time = choices.one_of(&[0, 1, 10, 1_000, 10_000, 100_000]);
                self.now += Duration::from_millis(time);
                let now = self.now;
                self.end.with(|conn| conn.handle_timeout(now));
                assert!(
                    self.end.conn.next_deadline().is_none_or(|next| next > now),
                    "a deadline was missed"
                );
            }
            _ => match choices.byte() {
                255 => self.end.lose(&ConnError::PeerClosed),
                254 => self.end.with(Connection::drain),
                253 if self.side == Side::Server => {
                    self.end.with(Connection::shut_down);
                }
                _ => {}
            },
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        if self.end.conn.wants_input() {
            self.end.receive(bytes, self.now);
        }
    }

    fn timeout(&self, choices: &mut Choices<'_>) -> Option<Duration> {
        choices.one_of(&[None, Some(5), Some(50_000), Some(u64::MAX)]).map(Duration::from_millis)
    }

    fn call(&mut self, choices: &mut Choices<'_>) {
        let (timeout, one_way, len) = (self.timeout(choices), choices.flag(), choices.below(256));
        if self.side == Side::Server {
            return;
        }
        let deadline = timeout.and_then(|timeout| self.now.checked_add(timeout));
        let made = self.end.with(|conn| {
            let mut ticket = None;
            if conn.claim_room(len, &mut ticket) != Ok(true) {
                conn.give_back(&mut ticket);
                return Ok(None);
            }
            let body = UnaryContent::new(len, |out: &mut Vec<u8>| out.resize(out.len() + len, 7));
            conn.call(head(UNARY, timeout), one_way, deadline, body)
        });
        if let Ok(Some(key)) = made {
            assert!(self.calls.insert(key, true).is_none(), "the key of another call");
        }
    }

    fn on_stream(&mut self, choices: &mut Choices<'_>) {
        let (which, what) = (choices.byte(), choices.below(13));
        let Some(key) = nth(&self.streams, which) else { return };
        let held = self.streams.get_mut(&key).expect("it is held");
        match what as u8 {
            0 => {
                let len = choices.number() % 3_000;
                if held.granted.is_some() {
                    held.collect(&mut self.end, key);
                }
                let write = |out: &mut Vec<u8>| out.resize(out.len() + len, 7);
                let sent =
                    self.end.on_stream(key, |stream| stream.send(len, &mut held.ticket, write));
                assert_eq!(
                    held.ticket.is_some(),
                    sent == Ok(Sent::NoRoom),
                    "a ticket is for those who wait"
                );
            }
            1 => {
                // A send buffer is granted right behind a message that was queued, as to a writer
                // who has more.
                if held.granted.is_none()
                    && self.end.on_stream(key, |stream| {
                        stream.send(0, &mut held.ticket, |_: &mut Vec<u8>| {})
                    }) == Ok(Sent::Queued)
                {
                    let (prefix, credit) = self.end.grant(key);
                    held.granted = Some((prefix, credit, Vec::new()));
                }
                held.write_lent(choices.below(200));
            }
            2 => held.collect(&mut self.end, key),
            TAKE | 4 => {
                let (mut inbox, consumed) = (Inbox::default(), std::mem::take(&mut held.consumed));
                let taken = self.end.with(|conn| conn.take(key, consumed, &mut inbox));
                assert_eq!(taken == Some(Take::Messages), !inbox.is_empty());
                while let Some(message) = inbox.front().and_then(Messages::next) {
                    held.consumed.add(message.len());
                }
            }
            5 => {
                held.collect(&mut self.end, key);
                self.end.on_stream(key, |stream| {
                    stream.half_close();
                });
            }
            CLOSE_IT | 7 | 8 | 9 => self.end_stream(choices, key, what as u8),
            10 => {
                self.end.with(|conn| conn.opened(key));
            }
            11 => {
                self.end.with(|conn| conn.ended(key));
            }
            12 => self.release(key),
            _ => self.end.with(|conn| conn.give_back(&mut held.ticket)),
        }
    }

    /// Ends a stream, or what it takes.
    fn end_stream(&mut self, choices: &mut Choices<'_>, key: StreamKey, what: u8) {
        let held = self.streams.get_mut(&key).expect("it is held");
        match what {
            CLOSE_IT if self.side == Side::Server => {
                held.collect(&mut self.end, key);
                let outcome = outcome(choices);
                let fit = self.end.on_stream(key, |stream| stream.close(outcome));
                assert_eq!(self.end.conn.ending(key).is_some(), !matches!(fit, Fit::Not(_)));
            }
            CLOSE_IT | 7 => {
                held.collect(&mut self.end, key);
                let outcome = outcome(choices);
                // A handle resets what is not over (`stream/`).
                if self.end.conn.ending(key).is_none() {
                    self.end.on_stream(key, |stream| stream.reset(outcome));
                }
                assert!(self.end.conn.ending(key).is_some());
            }
            8 => {
                held.collect(&mut self.end, key);
                let consumed = std::mem::take(&mut held.consumed);
                self.end.on_stream(key, |stream| stream.discard(consumed));
            }
            9 if self.side == Side::Server => {
                held.collect(&mut self.end, key);
                self.end.on_stream(key, |stream| {
                    stream.end_input();
                });
            }
            _ => self.end.with(|conn| conn.give_back(&mut held.ticket)),
        }
    }

    fn release(&mut self, key: StreamKey) {
        let mut held = self.streams.remove(&key).expect("it is held");
        self.end.with(|conn| conn.give_back(&mut held.ticket));
        held.collect(&mut self.end, key);
        self.end.on_stream(key, |stream| {
            stream.release();
        });
        // Each waiter has let go as well.
        self.end.events.retain(|event| {
            use Event::{Changed, CreditRevoked, Readable, Writable};
            !matches!(event, Readable(its) | Writable(its) | Changed(its) | CreditRevoked(its) if *its == key)
        });
    }

    fn on_call(&mut self, choices: &mut Choices<'_>) {
        let (which, what) = (choices.byte(), choices.below(4));
        let Some(key) = nth(&self.calls, which) else { return };
        let over = match (self.calls[&key], what) {
            (true, 0..=2) => self.end.with(|conn| conn.answer(key)).is_some(),
            (false, 0) => {
                let (outcome, len) = (outcome(choices), choices.below(256));
                let body =
                    UnaryContent::new(len, |out: &mut Vec<u8>| out.resize(out.len() + len, 7));
                self.end.with(|conn| {
                    let mut ticket = None;
                    let room = conn.claim_room(len, &mut ticket) == Ok(true);
                    conn.give_back(&mut ticket);
                    let replied =
                        room && conn.reply(key, outcome, 0, body.with(b"attached")).is_ok();
                    if replied {
                        conn.release_call(key);
                    }
                    replied
                })
            }
            (false, 1) => {
                let outcome = outcome(choices);
                self.end.with(|conn| {
                    conn.refuse(key, outcome, &[7; 1_990]);
                    conn.release_call(key);
                });
                true
            }
            (false, 2) => {
                self.end.with(|conn| conn.call_ending(key));
                false
            }
            _ => {
                self.end.with(|conn| conn.release_call(key));
                self.end
                    .events
                    .retain(|event| !matches!(event, Event::CallChanged(its) if *its == key));
                true
            }
        };
        if over {
            self.calls.remove(&key);
        }
    }

    /// Looks at what the connection told: only of what the application holds.
    fn look(&mut self) {
        for event in std::mem::take(&mut self.end.events) {
            match event {
                Event::Readable(key) | Event::Writable(key) | Event::Changed(key) => {
                    assert!(
                        self.streams.contains_key(&key),
                        "{event:?} of a stream that nobody holds"
                    );
                }
                Event::CreditRevoked(key) => {
                    let held = self.streams.get_mut(&key).expect("the stream is held");
                    held.collect(&mut self.end, key);
                }
                Event::Idle => {}
                Event::Refused(_) => assert_eq!(self.side, Side::Server),
                Event::CallChanged(key) => {
                    assert!(self.calls.contains_key(&key), "{event:?} of a call that nobody holds");
                }
                Event::Room(ticket) => {
                    let holder = self.streams.values().find(|held| held.ticket == Some(ticket));
                    assert!(holder.is_some(), "room for nobody");
                }
                Event::Stream(stream) => {
                    assert_eq!(self.side, Side::Server);
                    assert!(
                        self.streams.insert(stream.key, HeldStream::default()).is_none(),
                        "the key of another"
                    );
                }
                Event::Call => {
                    assert_eq!(self.side, Side::Server);
                    let key = self.end.next_call().key;
                    assert!(self.calls.insert(key, false).is_none(), "the key of another call");
                }
            }
        }
        let incoming = self.calls.values().filter(|ours| !**ours).count();
        assert!(incoming <= self.end.conn.config().max_calls);
        assert_eq!(self.end.conn.held_streams(), self.streams.len());
    }

    /// Lets go of everything: nothing is left.
    fn finish(mut self) {
        while let Some(key) = nth(&self.streams, 0) {
            self.release(key);
            self.look();
        }
        while let Some(key) = nth(&self.calls, 0) {
            self.end.with(|conn| conn.release_call(key));
            self.calls.remove(&key);
        }
        self.end.write(usize::MAX);
        assert!(
            self.end.conn.is_idle() && self.end.conn.is_released() && self.end.conn.wants_input()
        );
        assert_eq!(self.end.conn.unread(), 0);
        assert!(self.end.conn.next_deadline().is_none() || self.end.is_watched());
    }
}

impl HeldStream {
    /// Writes a message into what was granted, if the credit allows.
    fn write_lent(&mut self, len: usize) {
        if let Some((prefix, credit, frames)) = &mut self.granted
            && *credit > 0
            && frames.len() + frame_size(len) <= 2_000
        {
            prefix
                .write(frames, len, |out: &mut Vec<u8>| out.resize(out.len() + len, 7))
                .expect("the size is right");
            *credit -= i64::try_from(len).expect("small");
        }
    }

    fn collect(&mut self, end: &mut FuzzedEnd, key: StreamKey) {
        if let Some((_, credit, frames)) = self.granted.take() {
            end.with(|conn| conn.collect(key, &frames, credit));
        }
    }
}

fn nth<K: Copy, V>(map: &BTreeMap<K, V>, which: u8) -> Option<K> {
    map.keys().nth(usize::from(which) % map.len().max(1)).copied()
}

fn outcome(choices: &mut Choices<'_>) -> Outcome {
    let (ret, func_ret) = choices.one_of(&[(0, 0), (0, 4_001), (31, 0), (-1, i32::MIN)]);
    let message = if choices.flag() { vec![b'x'; 3_000] } else { b"why".to_vec() };
    Outcome::of_codes(ret, func_ret, message)
}
