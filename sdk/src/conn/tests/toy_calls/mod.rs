//! Unary calls on a wire where every call is a stream.

mod asked;
mod served;

use std::time::Duration;

use bytes::Bytes;

use crate::conn::{
    CallKey, Config, ConnError, Consumed, Ending, Event, Head, IncomingCall, Outcome, SendError,
    Sent, Violation,
};
use crate::error::{Code, Reason};
use crate::framing::{Answer, UnaryContent};
use crate::wires::toy::{self, Toy};

use super::pair::{STREAM, UNARY, epoch, head};
use super::toy::{End, Pair, message, strict};

/// A message behind its length.
fn framed(message: &[u8]) -> Vec<u8> {
    [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat()
}

fn call(end: &mut End, head: Head, body: &[u8]) -> Result<Option<CallKey>, SendError> {
    let deadline = head.timeout.map(|timeout| epoch() + timeout);
    let body = UnaryContent::new(body.len(), |out: &mut Vec<u8>| out.extend_from_slice(body));
    end.conn.call(head, false, deadline, body)
}

fn ask(end: &mut End, body: &[u8]) -> CallKey {
    call(end, head(UNARY), body).unwrap().unwrap()
}

/// The calls that were handed up.
fn arrived(end: &mut End) -> Vec<IncomingCall> {
    end.conn.take_events(&mut end.events);
    let mut calls = Vec::new();
    end.conn.take_calls(&mut calls);
    let told = end.events.iter().filter(|event| matches!(event, Event::Call)).count();
    end.events.retain(|event| !matches!(event, Event::Call));
    assert_eq!(told, calls.len());
    calls
}

fn next_call(end: &mut End) -> IncomingCall {
    let mut calls = arrived(end);
    assert_eq!(calls.len(), 1, "one call has come");
    calls.remove(0)
}

/// The outcomes of calls that were refused before they were handed up, with their methods.
fn refused(end: &mut End) -> Vec<(Bytes, Outcome)> {
    end.conn.take_events(&mut end.events);
    let mut refused = Vec::new();
    end.events.retain(|event| match event {
        Event::Refused(call) => {
            refused.push((call.method.clone(), call.outcome.clone()));
            false
        }
        _ => true,
    });
    refused
}

fn reply(end: &mut End, key: CallKey, outcome: Outcome, body: &[u8]) -> Result<(), SendError> {
    let body = UnaryContent::new(body.len(), |out: &mut Vec<u8>| out.extend_from_slice(body));
    end.conn.reply(key, outcome, 3, body)?;
    end.conn.release_call(key);
    Ok(())
}

fn answer(end: &mut End, key: CallKey) -> Option<Result<Answer, Ending>> {
    end.conn.answer(key)
}

fn body_of(end: &mut End, key: CallKey) -> Bytes {
    answer(end, key).expect("the answer has come").expect("it is an answer").body
}

/// The kinds of the frames that an end wants to write, which are taken.
fn kinds(bytes: &[u8]) -> Vec<u8> {
    let (mut kinds, mut rest) = (Vec::new(), bytes);
    while let [kind, header @ ..] = rest {
        kinds.push(*kind);
        let len = u32::from_be_bytes(header[8..12].try_into().unwrap());
        rest = &header[12 + len as usize..];
    }
    kinds
}

const OPEN: u8 = 1;
const REFUSE: u8 = 3;
const BYTES: u8 = 4;
const CREDIT: u8 = 5;
const HALF_CLOSE: u8 = 6;
const CLOSE: u8 = 7;
const RESET: u8 = 8;
const HEAD: u8 = 12;

impl Pair {
    /// Neither side has anything left of any call.
    #[track_caller]
    fn assert_done(&mut self) {
        self.run();
        for end in [&mut self.client, &mut self.server] {
            assert!(end.conn.is_idle(), "nothing goes on");
            assert_eq!((end.conn.call_streams(), end.conn.load()), (0, 0));
            let buffered = end.conn.buffered();
            assert_eq!((buffered.unread, buffered.reserved, buffered.unsent), (0, 0, 0));
            assert_eq!(end.conn.next_deadline(), None, "no timer is left");
        }
    }

    /// Carries what the client says, and gives the kinds of frames.
    fn carry_there(&mut self) -> Vec<u8> {
        let bytes = self.client.output();
        self.server.receive(&bytes).unwrap();
        kinds(&bytes)
    }

    fn carry_back(&mut self) -> Vec<u8> {
        let bytes = self.server.output();
        self.client.receive(&bytes).unwrap();
        kinds(&bytes)
    }
}
