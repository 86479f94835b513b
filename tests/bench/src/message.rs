//! The message that everybody sends, where it comes from, and what is checked when it arrives.

use anyhow::{Result, ensure};
use bytes::Bytes;

/// The payload of most workloads.
pub(crate) const SMALL: usize = 32;
/// The payload of many floods at once.
pub(crate) const MIDDLE: usize = 64 << 10;
/// The payload of large messages.
pub(crate) const LARGE: usize = 1 << 20;

/// The message that goes both ways in every call.
#[derive(Clone, PartialEq, Eq, trill::prost::Message, serde::Serialize, serde::Deserialize)]
#[prost(prost_path = "::trill::prost")]
pub(crate) struct Echo {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) payload: Bytes,
    /// The position in the stream. In a request for many messages: how many.
    #[prost(uint64, tag = "2")]
    pub(crate) seq: u64,
}

/// Bytes that do not repeat soon, so that a slice taken from a wrong place is seen.
pub(crate) fn payload(size: usize) -> Bytes {
    let mut state = 0x9E37_79B9_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// The messages of one direction of a stream, numbered from zero.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    next: u64,
    count: u64,
    payload: Bytes,
}

impl Source {
    pub(crate) fn new(count: u64, payload: Bytes) -> Self {
        Self { next: 0, count, payload }
    }

    /// The messages that a request asks for.
    pub(crate) fn asked_for_by(request: Echo) -> Self {
        Self::new(request.seq, request.payload)
    }
}

impl Iterator for Source {
    type Item = Echo;

    fn next(&mut self) -> Option<Echo> {
        if self.next == self.count {
            return None;
        }
        let echo = Echo { payload: self.payload.clone(), seq: self.next };
        self.next += 1;
        Some(echo)
    }
}

/// Sees that the messages of a [`Source`] arrive all, in order and unharmed.
#[derive(Debug)]
pub(crate) struct Check {
    next: u64,
    payload: Bytes,
}

impl Check {
    pub(crate) fn new(payload: Bytes) -> Self {
        Self { next: 0, payload }
    }

    pub(crate) fn accept(&mut self, echo: &Echo) -> Result<()> {
        ensure!(echo.seq == self.next, "message {} came in place of {}", echo.seq, self.next);
        ensure!(
            echo.payload == self.payload,
            "the payload of message {} is not what was sent",
            echo.seq
        );
        self.next += 1;
        Ok(())
    }

    pub(crate) fn seen(&self) -> u64 {
        self.next
    }

    pub(crate) fn finish(&self, count: u64) -> Result<()> {
        ensure!(self.next == count, "{} of {count} messages came", self.next);
        Ok(())
    }
}

/// Sees that one answer is that to its request.
pub(crate) fn check_answer(answer: &Echo, seq: u64, payload: &Bytes) -> Result<()> {
    ensure!(answer.seq == seq, "answer {} came to request {seq}", answer.seq);
    ensure!(answer.payload == payload, "the payload of answer {seq} is not that of its request");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_source_gives_passes_the_check() {
        let mut check = Check::new(payload(SMALL));
        for echo in Source::new(5, payload(SMALL)) {
            check.accept(&echo).expect("in order");
        }
        check.finish(5).expect("all of them");
        check.finish(6).expect_err("one is missing");
    }

    #[test]
    fn a_gap_and_a_changed_byte_are_seen() {
        let mut check = Check::new(payload(SMALL));
        check.accept(&Echo { payload: payload(SMALL), seq: 1 }).expect_err("message 0 is missing");
        let mut changed = payload(SMALL).to_vec();
        changed[31] ^= 1;
        check.accept(&Echo { payload: changed.into(), seq: 0 }).expect_err("a byte is wrong");
        check.accept(&Echo { payload: payload(SMALL - 1), seq: 0 }).expect_err("a byte is missing");
    }
}
