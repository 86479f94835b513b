//! Two connections that talk, and a model of what must arrive.

mod half;
mod talk;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::conn::{CallKey, Config, ConnError, Ending, Event, Outcome, StreamKey};
use crate::framing::{Side, UnaryContent};

use super::choices::Choices;
use super::end::{FuzzedEnd, STREAM, UNARY, config, head};
use super::epoch;

use half::Half;
use talk::Talk;

/// Carries out the operations that `input` says on a client and a server, with bytes between them
/// that come in any pieces.
///
/// Every message arrives once, whole and in order. A reader's end is what the writer said, and
/// comes after its last message. A task that waits is told when it may go on: at the end nobody
/// waits for anything. Every call gets its own answer, once.
///
/// # Panics
/// When one of these promises does not hold.
pub fn operations(input: &[u8]) {
    let mut choices = Choices::new(input);
    let (client, server) = (choices.byte(), choices.byte());
    let mut world = World::new(client, server);
    while let Some(operation) = choices.next() {
        world.step(operation, &mut choices);
        world.tell();
    }
    world.finish();
}

/// The metadata that says which of the streams this is.
const NUMBER: &str = "number";

struct World {
    client: FuzzedEnd,
    server: FuzzedEnd,
    now: Instant,
    talks: Vec<Talk>,
    /// Calls that wait for their answers, and their numbers.
    calls: BTreeMap<CallKey, u32>,
    made: u32,
    /// Calls that came to the server and are not answered.
    serving: Vec<(CallKey, u32)>,
    /// The numbers of all calls that came to the server.
    came: Vec<u32>,
    lost: bool,
}

impl World {
    fn new(client: u8, server: u8) -> Self {
        // The first frame comes as slowly as the input says.
        let config = |flags| Config { first_frame_timeout: Duration::MAX, ..config(flags & !32) };
        Self {
            client: FuzzedEnd::new(Side::Client, config(client)),
            server: FuzzedEnd::new(Side::Server, config(server)),
            now: epoch(),
            talks: Vec::new(),
            calls: BTreeMap::new(),
            made: 0,
            serving: Vec::new(),
            came: Vec::new(),
            lost: false,
        }
    }

    fn step(&mut self, operation: u8, choices: &mut Choices<'_>) {
        match operation % 16 {
            0 => self.open(choices),
            1..=4 => {
                let len = choices.one_of(&[1, 0, 3, 17, 100, 700, 1_900]);
                let grant = choices.flag();
                self.on_half(choices, |talk, side, end| talk.write(side, end, len, grant));
            }
            5..=7 => {
                let count = 1 + choices.below(8);
                self.on_half(choices, |talk, side, end| {
                    talk.read(side, end, count);
                });
            }
            8 => self.on_half(choices, |talk, side, end| {
                if side == Side::Client {
                    talk.half_close(end);
                }
            }),
            9 => {
                let outcome = choices.one_of(&[(0, 0), (0, 0), (0, 7), (31, 0)]);
                self.on_half(choices, |talk, side, end| {
                    if side == Side::Server {
                        talk.close(end, outcome);
                    }
                });
            }
            10 => {
                let reset = choices.flag();
                self.on_half(choices, |talk, side, end| talk.give_up(side, end, reset));
            }
            11 => self.on_half(choices, Talk::discard),
            12 | 13 => {
                let (to_server, count) = (choices.flag(), choices.number());
                self.carry(if to_server { Side::Server } else { Side::Client }, count);
            }
            14 => self.on_call(choices),
            _ => match choices.byte() {
                255 => self.lose(),
                byte => self.wait(Duration::from_millis([0, 1, 20, 3_000][usize::from(byte % 4)])),
            },
        }
    }

    fn open(&mut self, choices: &mut Choices<'_>) {
        let timeout = choices.one_of(&[None, None, None, Some(Duration::from_secs(2))]);
        let number = u32::try_from(self.talks.len()).expect("the input is not that long");
        let mut head = head(STREAM, timeout);
        head.metadata.put(NUMBER, number.to_string());
        let now = self.now;
        match self.client.with(|conn| conn.open(head, None, now)) {
            Ok(key) => self.talks.push(Talk::new(number, key)),
            Err(_) => assert!(self.lost, "a stream cannot be opened"),
        }
    }

    fn on_half(
        &mut self,
        choices: &mut Choices<'_>,
        work: impl FnOnce(&mut Talk, Side, &mut FuzzedEnd),
    ) {
        let (which, server) = (choices.below(256), choices.flag());
        let count = self.talks.len().max(1);
        let Some(talk) = self.talks.get_mut(which % count) else { return };
        if server {
            work(talk, Side::Server, &mut self.server);
        } else {
            work(talk, Side::Client, &mut self.client);
        }
    }

    /// Brings up to `count` bytes that the other side wrote to `to`. Like a driver it takes the
    /// send buffers back first.
    fn carry(&mut self, to: Side, count: usize) -> bool {
        let (from, to, side) = match to {
            Side::Server => (&mut self.client, &mut self.server, Side::Client),
            Side::Client => (&mut self.server, &mut self.client, Side::Server),
        };
        if !to.conn.wants_input() {
            return false;
        }
        for talk in &mut self.talks {
            talk.collect(side, from);
        }
        let bytes = from.write(count);
        to.receive(&bytes, self.now);
        assert_eq!(
            to.is_over(),
            self.lost,
            "what a connection of ours writes is in order: {:?}",
            to.conn.lost()
        );
        !bytes.is_empty()
    }

    fn on_call(&mut self, choices: &mut Choices<'_>) {
        match choices.below(3) {
            0 => self.call(choices.flag()),
            1 => self.answer(choices.below(256)),
            _ => {
                let which = choices.below(256);
                let key = self.calls.keys().nth(which % self.calls.len().max(1)).copied();
                if let Some(key) = key {
                    self.take_answer(key);
                }
            }
        }
    }

    fn call(&mut self, one_way: bool) {
        let number = self.made;
        let made = self.client.with(|conn| {
            let mut ticket = None;
            if conn.claim_room(4, &mut ticket) != Ok(true) {
                conn.give_back(&mut ticket);
                return None;
            }
            let body = UnaryContent::new(4, |out: &mut Vec<u8>| {
                out.extend_from_slice(&number.to_be_bytes());
            });
            Some(conn.call(head(UNARY, None), one_way, None, body))
        });
        if let Some(Ok(key)) = made {
            self.made += 1;
            assert_eq!(key.is_none(), one_way);
            if let Some(key) = key {
                assert!(self.calls.insert(key, number).is_none(), "the key of another call");
            }
        }
    }

    fn answer(&mut self, which: usize) {
        if self.serving.is_empty() {
            return;
        }
        let (key, number) = self.serving.swap_remove(which % self.serving.len());
        self.server.with(|conn| {
            let body = UnaryContent::new(4, |out: &mut Vec<u8>| {
                out.extend_from_slice(&number.to_be_bytes());
            });
            conn.reply(key, Outcome::default(), 0, body).expect("it is small");
            conn.release_call(key);
        });
    }

    fn take_answer(&mut self, key: CallKey) {
        let Some(answer) = self.client.with(|conn| conn.answer(key)) else { return };
        let number = self.calls.remove(&key).expect("it was looked up");
        match answer {
            Ok(answer) if answer.outcome.is_ok() => {
                assert_eq!(answer.body, number.to_be_bytes()[..], "the answer to another call");
                assert!(self.came.contains(&number), "an answer to a call that never came");
            }
            Ok(answer) => {
                assert_eq!(answer.outcome.codes().0, 22, "only a refusal for load");
                assert!(!self.came.contains(&number), "a call that was worked on is not refused");
            }
            Err(why) => assert!(self.lost, "{why:?}"),
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        self.client.with(|conn| conn.handle_timeout(now));
        self.server.with(|conn| conn.handle_timeout(now));
        for talk in &mut self.talks {
            talk.notice_deadlines(&self.client, &self.server);
        }
    }

    fn lose(&mut self) {
        self.lost = true;
        self.client.lose(&ConnError::PeerClosed);
        self.server.lose(&ConnError::PeerClosed);
        for talk in &mut self.talks {
            talk.broken = true;
        }
    }

    /// Gives the news to those who wait.
    fn tell(&mut self) {
        for event in std::mem::take(&mut self.client.events) {
            match event {
                Event::CallChanged(_) | Event::Idle => {}
                Event::Call | Event::Stream(_) | Event::Refused(_) => {
                    panic!("{event:?} at a client")
                }
                event => self.tell_half(Side::Client, &event),
            }
        }
        for event in std::mem::take(&mut self.server.events) {
            match event {
                Event::Stream(stream) => {
                    let number = stream.head.metadata.get(NUMBER).expect("the client sent it");
                    let number: usize = std::str::from_utf8(number).unwrap().parse().unwrap();
                    self.talks[number].accept(stream.key);
                }
                Event::Call => {
                    let call = self.server.next_call();
                    let number = u32::from_be_bytes(call.body[..].try_into().expect("four bytes"));
                    assert!(
                        number < self.made && !self.came.contains(&number),
                        "a call came twice"
                    );
                    self.came.push(number);
                    if call.one_way {
                        self.server.with(|conn| conn.release_call(call.key));
                    } else {
                        self.serving.push((call.key, number));
                    }
                }
                Event::CallChanged(_) => assert!(self.lost, "nobody gives a call up"),
                Event::Idle | Event::Refused(_) => {}
                event => self.tell_half(Side::Server, &event),
            }
        }
    }

    fn tell_half(&mut self, side: Side, event: &Event) {
        let is_its = |half: &Half| match event {
            Event::Readable(key)
            | Event::Writable(key)
            | Event::Changed(key)
            | Event::CreditRevoked(key) => half.key == *key,
            Event::Room(ticket) => half.ticket == Some(*ticket),
            _ => false,
        };
        let end = if side == Side::Client { &mut self.client } else { &mut self.server };
        let half =
            self.talks.iter_mut().filter_map(|talk| talk.half(side)).find(|half| is_its(half));
        match (half, event) {
            (Some(half), Event::Readable(_)) => half.may_read = true,
            (Some(half), Event::Writable(_) | Event::Room(_)) => half.may_write = true,
            (Some(half), Event::Changed(_)) => half.may_look = true,
            (Some(half), Event::CreditRevoked(_)) => half.collect(end),
            (half, _) => panic!("{event:?} for {half:?}"),
        }
    }

    /// Lets everybody go on who was told to, until nothing moves any more.
    fn settle(&mut self) {
        loop {
            let mut moved =
                self.carry(Side::Server, usize::MAX) | self.carry(Side::Client, usize::MAX);
            self.tell();
            while !self.serving.is_empty() {
                self.answer(0);
                moved = true;
            }
            for talk in &mut self.talks {
                moved |= talk.go_on(Side::Client, &mut self.client);
                moved |= talk.go_on(Side::Server, &mut self.server);
            }
            self.tell();
            if !moved {
                break;
            }
        }
        for talk in &mut self.talks {
            talk.nobody_waits();
        }
    }

    /// Everything ends well, and nothing is left.
    fn finish(mut self) {
        self.tell();
        self.settle();
        for talk in &mut self.talks {
            talk.half_close(&mut self.client);
        }
        self.settle();
        for talk in &mut self.talks {
            talk.input_has_ended();
            talk.close(&mut self.server, (0, 0));
        }
        self.settle();
        for talk in &mut self.talks {
            talk.has_ended(&self.client);
            talk.release(Side::Client, &mut self.client);
            talk.release(Side::Server, &mut self.server);
        }
        for key in self.calls.keys().copied().collect::<Vec<_>>() {
            self.take_answer(key);
        }
        assert!(self.calls.is_empty(), "a call without an answer");
        for end in [&mut self.client, &mut self.server] {
            assert!(end.conn.is_idle() && end.conn.wants_input());
            assert!(end.conn.next_deadline().is_none() || end.is_watched());
            assert_eq!(end.conn.held_streams(), 0);
            assert_eq!(end.conn.cancelled_streams(), 0);
        }
    }
}

/// How a side knows that the stream is over; `None`: it is not.
fn ending(end: &FuzzedEnd, key: StreamKey) -> Option<Ending> {
    end.conn.ending(key).cloned()
}
