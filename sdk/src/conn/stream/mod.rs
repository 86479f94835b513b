//! One stream: its state, its two halves and how it ended.

mod idle;
mod recv;
mod send;
mod state;

use std::time::{Duration, Instant};

use crate::framing::StreamId;
use crate::wires::CreditRule;

use super::event::Ending;
use super::parts::Rest;
use super::table::Generation;
use super::window_growth::Growth;

pub(super) use idle::Idle;
pub(crate) use recv::Recv;
pub(crate) use send::Send;
pub(crate) use state::{Action, FrameKind, StreamState};

#[derive(Debug)]
pub(crate) struct Stream {
    pub(super) id: StreamId,
    pub(super) state: StreamState,
    pub(super) send: Send,
    pub(super) recv: Recv,
    pub(super) ending: Option<Ending>,
    /// The server has said yes. That stays true when the end comes before the opener has looked.
    pub(super) accepted: bool,
    /// When INIT must be answered, which stays when it was, and when the whole stream must be over.
    pub(super) open_by: Option<Instant>,
    pub(super) end_by: Option<Instant>,
    /// The bytes of its state at a server, its metadata, the request that its handler has, and the
    /// status that it ended with.
    pub(super) kept: usize,
    /// Somebody watches the stream as a whole: its opener, or the task of its handler.
    pub(super) watched: bool,
    pub(super) moved: Moved,
    /// Present if the stream needs any of it.
    pub(super) rare: Option<Box<RareState>>,
    /// The table's.
    pub(super) generation: u32,
}

impl Generation for Stream {
    #[inline]
    fn generation(&self) -> u32 {
        self.generation
    }

    #[inline]
    fn set_generation(&mut self, generation: u32) {
        self.generation = generation;
    }
}

/// The state that few streams have.
#[derive(Debug, Default)]
pub(crate) struct RareState {
    /// The stream may not be without messages for ever.
    pub(super) idle: Option<Idle>,
    /// The beginning of a message that is not there whole.
    pub(super) begun: Vec<u8>,
    /// Bytes that wait for credit.
    pub(super) rest: Option<Rest>,
    /// All credit that came, and that was given, where a wire speaks of that.
    pub(super) came: u64,
    pub(super) given: u64,
    /// Present once credit was given, if the window may grow.
    pub(super) growth: Option<Box<Growth>>,
}

impl RareState {
    /// The state of a stream with this idle timeout on a wire with this rule.
    pub(super) fn of(idle_timeout: Option<Duration>, rule: CreditRule) -> Option<Box<Self>> {
        let idle = idle_timeout.map(Idle::new);
        let needed = idle.is_some() || rule != CreditRule::Announced;
        needed.then(|| Box::new(Self { idle, ..Self::default() }))
    }
}

/// Tells each kind of look whether a message came or went since the last one.
#[derive(Debug)]
pub(crate) struct Moved(u8);

/// The kinds of look.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    Idle = 1,
    Stuck = 2,
}

impl Moved {
    pub(super) const NOW: Self = Self(Look::Idle as u8 | Look::Stuck as u8);

    pub(super) fn take(&mut self, look: Look) -> bool {
        let moved = self.0 & look as u8 != 0;
        self.0 &= !(look as u8);
        moved
    }
}

impl Stream {
    /// The bytes of a message that is not there whole.
    pub(super) fn begun(&self) -> usize {
        self.rare.as_ref().map_or(0, |rare| rare.begun.len())
    }

    /// The bytes that wait for credit, if any do.
    pub(super) fn rest(&mut self) -> Option<&mut Rest> {
        self.rare.as_mut()?.rest.as_mut()
    }

    pub(super) fn take_rest(&mut self) -> Option<Rest> {
        self.rare.as_mut()?.rest.take()
    }

    /// Tells whether a reader, a writer or the opener on this side waits for the peer.
    pub(super) fn is_hungry(&self) -> bool {
        self.recv.waiting || self.send.waiting || self.state == StreamState::Opening
    }
}
