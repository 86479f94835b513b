//! A wire for tests of the engine: it asks for what HTTP/2 and brpc will ask, in the fewest bytes.
//!
//! ```text
//!   1    8    4         len
//!   +----+----+-----+---------+
//!   |kind| id | len | payload |
//!   +----+----+-----+---------+
//! ```
//!
//! With strict windows a message stands behind a zero and four bytes of length, and is cut into
//! frames anywhere. With a window of the sender's choice each has a frame of its own.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::framing::{
    Framing, Head, IdRange, Largest, Messages, Outbox, Outcome, Prefix, Side, StreamId, WriteError,
};

use super::{AnswerHead, Begun, Credit, CreditRule, End, Found, Garbage, Input, Opening, Rules};

/// The first byte of a server's or client's greeting.
pub(crate) const GREETING: u8 = b'T';

const FRAMING: Framing = Framing { header: 5, size_at: 1, beside: 5 };
const WHOLE: Framing = Framing { header: 13, size_at: 9, beside: 13 };
const HEADER: usize = 13;

const OPEN: u8 = 1;
const ACCEPT: u8 = 2;
const REFUSE: u8 = 3;
const BYTES: u8 = 4;
const CREDIT: u8 = 5;
const HALF_CLOSE: u8 = 6;
const CLOSE: u8 = 7;
const RESET: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const AWAY: u8 = 11;
const HEAD: u8 = 12;

/// A connection that speaks it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Toy {
    rules: Rules,
}

/// A frame that the wire answers by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ToyControl {
    Ping(u64),
    Pong(u64),
}

/// The ids of a client, which are odd, and end.
const IDS: IdRange = IdRange { first: 1, last: u64::MAX, step: 2, comes_round: false };

impl Toy {
    /// As HTTP/2: windows that nothing may go beyond, openings that nobody answers, and calls that
    /// are streams.
    pub(crate) const fn strict(stream: u32, connection: u32) -> Self {
        let rules = Self::rules_of(CreditRule::Strict { stream, connection });
        Self { rules: Rules { is_answered: false, calls_are_streams: true, ..rules } }
    }

    /// As brpc: the sender's own window, and totals of what was consumed.
    pub(crate) const fn chosen(window: u32) -> Self {
        let rules = Self::rules_of(CreditRule::Chosen { window });
        Self { rules: Rules { framing: WHOLE, ..rules } }
    }

    const fn rules_of(credit: CreditRule) -> Rules {
        Rules {
            streams: IDS,
            calls: IDS,
            is_answered: true,
            calls_are_streams: false,
            credit,
            framing: FRAMING,
            credit_before_end: false,
        }
    }

    pub(super) const fn rules(self) -> Rules {
        self.rules
    }

    pub(super) fn decoder(self, side: Side, max_frame: usize) -> ToyDecoder {
        ToyDecoder { toy: self, side, max_frame }
    }

    pub(super) fn prefix(self, id: StreamId) -> Prefix {
        if self.rules.framing == FRAMING {
            return Prefix::new(&[0; 5], FRAMING);
        }
        let mut header = vec![BYTES];
        header.put_u64(id.0);
        header.put_u32(0);
        Prefix::new(&header, WHOLE)
    }

    pub(super) fn open(self, out: &mut Outbox, id: StreamId, more: &[StreamId], head: &Head) {
        let mut payload = vec![more.len() as u8];
        more.iter().for_each(|id| payload.put_u64(id.0));
        payload.extend_from_slice(&head.method);
        frame(out, OPEN, id.0, &payload);
    }

    pub(super) fn accept(self, out: &mut Outbox, id: StreamId) {
        if self.rules.is_answered {
            frame(out, ACCEPT, id.0, &[]);
        }
    }

    pub(super) fn refuse(self, out: &mut Outbox, id: StreamId, outcome: &Outcome) {
        frame(out, REFUSE, id.0, &end(outcome));
    }

    pub(super) fn part(self, out: &mut Outbox, id: StreamId, bytes: &[u8]) {
        frame(out, BYTES, id.0, bytes);
    }

    /// Stream 0 is the connection.
    pub(super) fn credit(self, out: &mut Outbox, id: StreamId, credit: Credit) {
        let number = match self.rules.credit {
            CreditRule::Chosen { .. } => credit.total,
            _ => credit.increment.into(),
        };
        frame(out, CREDIT, id.0, &number.to_be_bytes());
    }

    pub(super) fn half_close(self, out: &mut Outbox, id: StreamId) {
        frame(out, HALF_CLOSE, id.0, &[]);
    }

    pub(super) fn close(self, out: &mut Outbox, id: StreamId, outcome: &Outcome) {
        frame(out, CLOSE, id.0, &end(outcome));
    }

    pub(super) fn reset(self, out: &mut Outbox, id: StreamId, outcome: &Outcome) {
        frame(out, RESET, id.0, &end(outcome));
    }

    pub(super) fn beat(self, out: &mut Outbox) {
        frame(out, PING, 7, &[]);
    }

    /// Answers a ping.
    pub(super) fn handle(self, out: &mut Outbox, control: ToyControl) {
        if let ToyControl::Ping(id) = control {
            frame(out, PONG, id, &[]);
        }
    }

    pub(super) fn begin_answer(self, out: &mut Outbox, id: u64, encoding: u32) {
        frame(out, HEAD, id, &[encoding as u8]);
    }

    /// Its ends have no metadata, which must fit all the same.
    pub(super) fn check_end(self, outcome: &Outcome, limit: Largest) -> Result<(), WriteError> {
        match outcome.cost() {
            size if size > limit.header => {
                Err(WriteError::HeaderTooLarge { size, limit: limit.header })
            }
            _ => Ok(()),
        }
    }
}

/// The bytes of an end: its codes, and its text.
fn end(outcome: &Outcome) -> Vec<u8> {
    let (mut payload, (code, app)) = (Vec::new(), outcome.codes());
    payload.put_i32(code);
    payload.put_i32(app);
    payload.extend_from_slice(&outcome.message);
    payload
}

fn outcome(mut payload: Bytes) -> Outcome {
    let (code, app) = (payload.get_i32(), payload.get_i32());
    Outcome::of_codes(code, app, payload)
}

fn frame(out: &mut Outbox, kind: u8, id: u64, payload: &[u8]) {
    let out = out.copied();
    out.put_u8(kind);
    out.put_u64(id);
    out.put_u32(payload.len() as u32);
    out.extend_from_slice(payload);
}

/// A server says that it takes nothing behind these streams.
pub(crate) fn away(accepted: u64) -> Vec<u8> {
    let mut out = Outbox::default();
    frame(&mut out, AWAY, accepted, &[]);
    out.to_vec()
}

/// The opening of a stream.
pub(crate) fn open(id: u64, method: &str) -> Vec<u8> {
    let mut out = Outbox::default();
    frame(&mut out, OPEN, id, &[&[0], method.as_bytes()].concat());
    out.to_vec()
}

pub(crate) fn half_close(id: u64) -> Vec<u8> {
    let mut out = Outbox::default();
    frame(&mut out, HALF_CLOSE, id, &[]);
    out.to_vec()
}

/// The end of a stream with this code and text.
pub(crate) fn close(id: u64, code: i32, text: &'static str) -> Vec<u8> {
    let mut out = Outbox::default();
    frame(&mut out, CLOSE, id, &end(&Outcome::of_codes(code, 0, text)));
    out.to_vec()
}

pub(crate) fn reset(id: u64) -> Vec<u8> {
    let mut out = Outbox::default();
    frame(&mut out, RESET, id, &end(&Outcome::of_codes(161, 0, "")));
    out.to_vec()
}

/// Credit for a stream.
pub(crate) fn credit(id: u64, increment: u64) -> Vec<u8> {
    let mut out = Outbox::default();
    frame(&mut out, CREDIT, id, &increment.to_be_bytes());
    out.to_vec()
}

/// A frame of bytes of a stream's messages.
pub(crate) fn part(id: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = Outbox::default();
    frame(&mut out, BYTES, id, bytes);
    out.to_vec()
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ToyDecoder {
    toy: Toy,
    side: Side,
    max_frame: usize,
}

impl ToyDecoder {
    pub(super) fn decode_to(
        &mut self,
        frames: &mut Vec<Input>,
        buf: &mut BytesMut,
    ) -> Result<Found, Garbage> {
        if self.missing(buf) > 0 {
            return Ok(Found::Part);
        }
        let (kind, id, len) = header(buf).expect("it is there");
        if len > self.max_frame {
            return Ok(Found::TooLarge);
        }
        if kind == BYTES && self.toy.rules.framing == WHOLE {
            let messages = Messages::new(buf.split_to(HEADER + len).freeze(), 1, WHOLE);
            frames.push(Input::Messages { id: StreamId(id), messages });
            return Ok(Found::Frame);
        }
        buf.advance(HEADER);
        let payload = buf.split_to(len).freeze();
        frames.push(self.input(kind, id, payload)?);
        Ok(Found::Frame)
    }

    fn input(&self, kind: u8, id: u64, payload: Bytes) -> Result<Input, Garbage> {
        let stream = StreamId(id);
        Ok(match (kind, self.side) {
            (OPEN, _) => Input::Open { id: stream, opening: opening(payload) },
            (ACCEPT, _) => Input::Opened { id: stream, answer: Ok(0) },
            (REFUSE, _) => Input::Opened { id: stream, answer: Err(outcome(payload)) },
            (HEAD, _) => {
                let head =
                    AnswerHead { content_encoding: payload[0].into(), ..AnswerHead::default() };
                Input::AnswerHead { id: stream, head }
            }
            (BYTES, _) => Input::Bytes { id: stream, bytes: payload },
            (CREDIT, _) => {
                let number = u64::from_be_bytes(payload[..].try_into().expect("eight bytes"));
                let credit = Credit { increment: number as u32, total: number };
                Input::Credit { id: stream, credit }
            }
            (HALF_CLOSE, _) => {
                Input::End { id: stream, how: End::Close, outcome: Outcome::default() }
            }
            (CLOSE, _) => Input::End { id: stream, how: End::Close, outcome: outcome(payload) },
            (RESET, _) => Input::End { id: stream, how: End::Reset, outcome: outcome(payload) },
            (PING, _) => Input::Control(super::Control::Toy(ToyControl::Ping(id))),
            (PONG, _) => Input::Control(super::Control::Toy(ToyControl::Pong(id))),
            (AWAY, Side::Client) => Input::GoingAway { accepted: stream },
            (found, _) => return Err(Garbage::Toy { found }),
        })
    }

    pub(super) fn missing(&self, buf: &[u8]) -> usize {
        let size = header(buf).map_or(HEADER, |(_, _, len)| HEADER + len);
        size.saturating_sub(buf.len())
    }

    pub(super) fn begun(&self, buf: &[u8]) -> Option<(Begun, usize)> {
        let (kind, id, len) = header(buf)?;
        let of =
            if kind == BYTES { Begun::Message(StreamId(id)) } else { Begun::Control(StreamId(id)) };
        Some((of, HEADER + len))
    }
}

fn header(buf: &[u8]) -> Option<(u8, u64, usize)> {
    let mut header = buf.get(..HEADER)?;
    Some((header.get_u8(), header.get_u64(), header.get_u32() as usize))
}

fn opening(mut payload: Bytes) -> Option<Opening> {
    let count = payload.get_u8();
    let more = (0..count).map(|_| StreamId(payload.get_u64())).collect();
    Some(Opening { head: Head { method: payload, ..Head::default() }, window: 0, more })
}

/// The first byte of a client of a server that speaks several wires.
pub(crate) fn greeting() -> Vec<u8> {
    vec![GREETING]
}
