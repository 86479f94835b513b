//! One stream, and what must arrive on it.

use crate::conn::{Cancel, Consumed, Ending, Outcome, Sent, StreamKey, Take};
use crate::framing::{Messages, Side};

use super::super::end::FuzzedEnd;
use super::ending;
use super::half::Half;

pub(super) struct Talk {
    number: u32,
    client: Option<Half>,
    server: Option<Half>,
    opened: bool,
    refused: bool,
    up: Flow,
    down: Flow,
    half_closed: bool,
    /// The server's outcome.
    closed: Option<Outcome>,
    /// One side gave up, or the connection is gone: what was on the way may be lost, and nothing
    /// else.
    pub(super) broken: bool,
    /// Giving up looks like a half-close to the server.
    polite: bool,
}

/// One direction.
#[derive(Default)]
struct Flow {
    /// The sizes of the messages that were sent.
    sent: Vec<usize>,
    received: usize,
    /// The reader was told of the end.
    ended: bool,
}

impl Talk {
    pub(super) fn new(number: u32, key: StreamKey) -> Self {
        let mut client = Half::new(key);
        client.may_look = true;
        Self {
            number,
            client: Some(client),
            server: None,
            opened: false,
            refused: false,
            up: Flow::default(),
            down: Flow::default(),
            half_closed: false,
            closed: None,
            broken: false,
            polite: false,
        }
    }

    pub(super) fn accept(&mut self, key: StreamKey) {
        assert!(self.server.is_none() && !self.opened, "a stream came twice");
        self.server = Some(Half::new(key));
    }

    pub(super) fn half(&mut self, side: Side) -> Option<&mut Half> {
        match side {
            Side::Client => self.client.as_mut(),
            Side::Server => self.server.as_mut(),
        }
    }

    /// The half, and the directions in which it writes and reads.
    fn parts(&mut self, side: Side) -> Option<(&mut Half, &mut Flow, &mut Flow)> {
        match side {
            Side::Client => self.client.as_mut().map(|half| (half, &mut self.up, &mut self.down)),
            Side::Server => self.server.as_mut().map(|half| (half, &mut self.down, &mut self.up)),
        }
    }

    pub(super) fn collect(&mut self, side: Side, end: &mut FuzzedEnd) {
        if let Some(half) = self.half(side) {
            half.collect(end);
        }
    }

    /// Sends a message of `len` bytes, or goes on with the one that waits.
    pub(super) fn write(&mut self, side: Side, end: &mut FuzzedEnd, len: usize, grant: bool) {
        let number = self.number;
        let may = match side {
            Side::Client => self.opened && !self.half_closed,
            Side::Server => self.closed.is_none(),
        };
        let Some((half, flow, _)) = self.parts(side).filter(|_| may) else { return };
        let len = half.waiting_write.unwrap_or(len);
        match half.send(end, &message(number, side, flow.sent.len(), len), grant) {
            Ok(Sent::Queued) => {
                half.waiting_write = None;
                flow.sent.push(len);
            }
            Ok(Sent::NoCredit | Sent::Stuck | Sent::NoRoom) => half.waiting_write = Some(len),
            Err(why) => {
                half.waiting_write = None;
                assert!(ending(end, half.key).is_some(), "{why:?} on a stream that goes on");
            }
        }
    }

    /// Reads up to `count` messages. `true`: something came.
    pub(super) fn read(&mut self, side: Side, end: &mut FuzzedEnd, count: usize) -> bool {
        let number = self.number;
        let other = if side == Side::Client { Side::Server } else { Side::Client };
        let Some((half, _, flow)) = self.parts(side).filter(|(half, ..)| !half.deaf) else {
            return false;
        };
        (half.may_read, half.waiting_read) = (false, false);
        let (mut moved, mut left) = (false, count);
        while left > 0 {
            if half.inbox.is_empty() || half.inbox.front().is_none() {
                let (consumed, inbox) = (std::mem::take(&mut half.consumed), &mut half.inbox);
                match end.with(|conn| conn.take(half.key, consumed, inbox)) {
                    Some(Take::Messages | Take::Stuck) => {}
                    None => {
                        half.waiting_read = true;
                        break;
                    }
                    Some(taken) => {
                        moved |= !flow.ended;
                        flow.ended = true;
                        let key = half.key;
                        self.end_of(side, taken, ending(end, key));
                        break;
                    }
                }
            }
            let Some(payload) = half.inbox.front().and_then(Messages::next) else { continue };
            let payload = payload.into_bytes();
            let Some(len) = flow.sent.get(flow.received) else {
                panic!("a message that nobody sent")
            };
            assert_eq!(
                payload,
                message(number, other, flow.received, *len),
                "message {}",
                flow.received
            );
            flow.received += 1;
            half.consumed.add(payload.len());
            (moved, left) = (true, left - 1);
        }
        moved
    }

    /// The reader of `side` was told that nothing more comes.
    fn end_of(&self, side: Side, taken: Take, ending: Option<Ending>) {
        let flow = if side == Side::Client { &self.down } else { &self.up };
        let all = flow.received == flow.sent.len();
        match (side, taken, ending) {
            (_, Take::Messages | Take::Stuck, _) => unreachable!("that is no end"),
            (Side::Client, Take::EndOfInput, _) => panic!("a server has no half-close"),
            (Side::Server, Take::EndOfInput, _) => {
                assert!(self.half_closed || self.polite, "nobody said that this is the end");
                assert!(all || self.broken, "{} of {} messages", flow.received, flow.sent.len());
            }
            (_, Take::Ended, None) => panic!("over without an ending"),
            (Side::Client, Take::Ended, Some(Ending::Closed(outcome) | Ending::Reset(outcome))) => {
                assert!(self.broken || self.closed.as_ref() == Some(&*outcome), "{outcome:?}");
                assert!(all || self.broken, "{} of {} messages", flow.received, flow.sent.len());
            }
            (Side::Server, Take::Ended, Some(Ending::Local)) => {
                assert!(self.broken || self.closed.is_some());
            }
            (_, Take::Ended, Some(Ending::Refused(_))) => assert!(flow.sent.is_empty()),
            (_, Take::Ended, Some(ending)) => {
                assert!(self.broken, "{ending:?} of a stream that nobody broke off");
            }
        }
    }

    pub(super) fn half_close(&mut self, end: &mut FuzzedEnd) {
        let Some(half) = self.client.as_mut().filter(|_| self.opened && !self.half_closed) else {
            return;
        };
        half.stop_writing(end);
        end.on_stream(half.key, |stream| {
            stream.half_close();
        });
        self.half_closed = true;
    }

    pub(super) fn close(&mut self, end: &mut FuzzedEnd, (ret, func_ret): (i32, i32)) {
        let Some(half) = self.server.as_mut().filter(|_| self.closed.is_none()) else { return };
        half.stop_writing(end);
        let outcome = Outcome::of_codes(ret, func_ret, "said");
        if ending(end, half.key).is_none() {
            end.on_stream(half.key, |stream| stream.close(outcome.clone()));
            self.closed = Some(outcome);
        }
    }

    /// Resets the stream, or lets go of it.
    pub(super) fn give_up(&mut self, side: Side, end: &mut FuzzedEnd, reset: bool) {
        let Some(half) = self.half(side) else { return };
        half.stop_writing(end);
        let key = half.key;
        if ending(end, key).is_none() {
            self.broken = true;
            self.polite |= side == Side::Client && end.conn.config().cancel == Cancel::HalfClose;
        }
        if !reset {
            self.release(side, end);
        } else if ending(end, key).is_none() {
            end.on_stream(key, |stream| stream.reset(Outcome::of_codes(31, 0, "given up")));
        }
    }

    pub(super) fn release(&mut self, side: Side, end: &mut FuzzedEnd) {
        let half = match side {
            Side::Client => self.client.take(),
            Side::Server => self.server.take(),
        };
        let Some(mut half) = half else { return };
        half.stop_writing(end);
        end.on_stream(half.key, |stream| {
            stream.release();
        });
        // Each waiter has let go as well.
        end.events.retain(|event| {
            use crate::conn::Event::{Changed, Readable, CreditRevoked, Writable};
            !matches!(event, Readable(key) | Writable(key) | Changed(key) | CreditRevoked(key) if *key == half.key)
        });
    }

    /// The reader does not want the rest.
    pub(super) fn discard(&mut self, side: Side, end: &mut FuzzedEnd) {
        let Some(half) = self.half(side).filter(|half| !half.deaf) else { return };
        half.deaf = true;
        let unread = std::mem::take(&mut half.inbox).total();
        let consumed = Consumed {
            messages: half.consumed.messages + unread.messages,
            bytes: half.consumed.bytes + unread.bytes,
        };
        half.collect(end);
        end.on_stream(half.key, |stream| stream.discard(consumed));
    }

    /// A deadline breaks a stream off.
    pub(super) fn notice_deadlines(&mut self, client: &FuzzedEnd, server: &FuzzedEnd) {
        for (half, end) in [(&self.client, client), (&self.server, server)] {
            let why = half.as_ref().and_then(|half| ending(end, half.key));
            if matches!(why, Some(Ending::Deadline | Ending::OpenTimeout(_))) {
                self.broken = true;
                self.polite |= client.conn.config().cancel == Cancel::HalfClose;
            }
        }
    }

    /// Each task goes on that has something to do or was told to. `true`: one did.
    pub(super) fn go_on(&mut self, side: Side, end: &mut FuzzedEnd) -> bool {
        let Some(half) = self.half(side) else { return false };
        let mut moved = false;
        if std::mem::take(&mut half.may_look) {
            let key = half.key;
            let opened = end.with(|conn| conn.opened(key));
            moved = opened.is_some();
            half.waiting_look = opened.is_none();
            match opened {
                Some(Ok(())) => self.opened = true,
                Some(Err(Ending::Refused(why))) => {
                    assert_eq!(why.codes().0, 22, "only a refusal for load");
                    (self.refused, self.broken) = (true, true);
                }
                Some(Err(why)) => assert!(self.broken, "{why:?}"),
                None => {}
            }
        }
        let Some(half) = self.half(side) else { return moved };
        if half.may_write && half.waiting_write.is_some() {
            self.write(side, end, 0, false);
            moved = true;
        }
        let Some(half) = self.half(side) else { return moved };
        if !half.waiting_read || half.may_read {
            moved |= self.read(side, end, usize::MAX);
        }
        moved
    }

    /// Everybody read all there was, so nobody has a reason to wait for another.
    pub(super) fn nobody_waits(&self) {
        for half in self.client.iter().chain(&self.server) {
            assert_eq!(
                half.waiting_write, None,
                "stream {}: a writer was forgotten: {half:?}",
                self.number
            );
            assert!(!half.waiting_look, "stream {}: its opener was forgotten", self.number);
        }
    }

    /// The client has half-closed, and everything was carried and read.
    pub(super) fn input_has_ended(&self) {
        if let Some(half) = self.server.as_ref().filter(|half| !half.deaf) {
            assert!(
                self.up.ended,
                "stream {}: its reader waits for an end that was said: {half:?}",
                self.number
            );
        }
    }

    /// The server has closed, and everything was carried and read.
    pub(super) fn has_ended(&self, client: &FuzzedEnd) {
        let Some(half) = &self.client else { return };
        assert!(ending(client, half.key).is_some(), "stream {} never ends", self.number);
        assert!(
            half.deaf || self.down.ended,
            "stream {}: its reader was not told of the end",
            self.number
        );
        let delivered = self.broken || half.deaf || self.down.received == self.down.sent.len();
        assert!(delivered, "stream {}: a message is missing", self.number);
    }
}

/// The message with this number of a direction: no two are alike, unless they are very short.
fn message(talk: u32, from: Side, number: usize, len: usize) -> Vec<u8> {
    let seed = (talk as usize * 31 + number) * 2 + usize::from(from == Side::Client);
    (0..len).map(|at| (seed + at * (seed | 1)) as u8).collect()
}
