//! A frame that is begun and not whole: what it holds, how long it may take, and what becomes of
//! one that is not taken.

use std::time::Instant;

use bytes::Bytes;

use crate::error::{At, Reason};
use crate::framing::{MESSAGE_COST, Outcome, Side, StreamId};
use crate::wires::{Begun, Fault, Skip};

use super::Connection;
use super::budget::Overrun;
use super::call_streams::CallFault;
use super::calls::PeerCall;
use super::error::{ConnError, too_large};
use super::event::{Ending, StreamKey};
use super::refusals::Cause;
use super::timers::Timer;

/// By how much a frame must grow within its time: what one read takes at most.
const PROGRESS: usize = 64 * 1024;

/// How often a time limit is looked at until it is over.
const LOOKS: u32 = 4;

/// The state of the frame at the front of the input.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Front {
    /// Bytes of it that came; 0 if none is begun.
    pub(crate) came: usize,
    /// It is not taken: its bytes are dropped.
    pub(crate) skipped: bool,
}

/// Watches the frame at the front. No frame is timed by itself: a look now and then sees whether it
/// has grown.
#[derive(Debug, Default)]
pub(super) struct FrontWatch {
    /// Counts frames that came.
    frames: u32,
    front: Front,
    /// Bytes that the connection's account has for it.
    held: usize,
    /// They are of a stream's message.
    of_stream: bool,
    /// Bytes that the account has reserved for memory that is read into again.
    spares: usize,
    /// The size of the last frame that was not taken, if that was why.
    refused: Option<usize>,
    /// There is no room for more of it.
    short: Option<Overrun>,
    mark: Option<Mark>,
}

/// The frames and bytes that were there when the time of the frame began.
#[derive(Debug)]
struct Mark {
    frames: u32,
    came: usize,
    since: Instant,
}

impl FrontWatch {
    /// A whole frame has come.
    #[inline]
    pub(super) fn note(&mut self) {
        self.frames = self.frames.wrapping_add(1);
    }

    /// Tells whether the account has bytes for a stream's message.
    pub(super) fn holds_message(&self) -> bool {
        self.of_stream && self.held > 0
    }
}

impl Connection {
    /// So much is there of the next frame now. It must go on within the frame timeout.
    #[inline]
    pub(crate) fn handle_front(&mut self, front: Front, now: Instant) {
        self.note_time(now);
        self.watch.front = front;
        if front.came > 0 && self.watch.mark.is_none() {
            self.mark_front(now);
        }
    }

    fn mark_front(&mut self, now: Instant) {
        let FrontWatch { frames, front, .. } = self.watch;
        self.watch.mark = Some(Mark { frames, came: front.came, since: now });
        self.look_later(now);
    }

    fn look_later(&mut self, now: Instant) {
        match now.checked_add(self.config.frame_timeout / LOOKS) {
            Some(at) => self.timers.set(at, Timer::Frame),
            None => self.watch.mark = None,
        }
    }

    /// Ends the connection if the frame at the front has not grown for too long, unless it is this
    /// side that does not read.
    pub(super) fn look_at_front(&mut self, now: Instant) {
        let (front, limit) = (self.watch.front, self.config.frame_timeout);
        let Some(mark) = self.watch.mark.take().filter(|_| front.came > 0 && self.lost.is_none())
        else {
            return;
        };
        // PROTOCOL 3, 40
        let grows = !front.skipped && front.came >= mark.came + PROGRESS;
        if mark.frames != self.watch.frames || grows || !self.reads() {
            return self.mark_front(now);
        }
        if now.saturating_duration_since(mark.since) >= limit {
            let why = match (self.watch.short, self.watch.refused) {
                (Some(over), _) => ConnError::NoRoom { over, limit },
                (None, Some(size)) if front.skipped => ConnError::FrameTooLarge {
                    size,
                    limit: self.config.max_received,
                    timeout: limit,
                },
                _ => ConnError::Frame(limit),
            };
            return self.handle_lost(&why);
        }
        self.watch.mark = Some(mark);
        self.look_later(now);
    }

    /// Holds `bytes` of the frame at the front from now on, if there is room for them. One answer
    /// at a time is the client's own wish.
    pub(crate) fn hold_input(&mut self, bytes: usize, of: Begun) -> Result<(), Overrun> {
        // The frame's own bytes are no reason to give it no more.
        let before = self.watch.held;
        self.count_input(0);
        let room = match (self.side, of) {
            (Side::Client, Begun::Call { .. }) | (_, Begun::Control(_)) => Ok(()),
            (Side::Server, Begun::Call { .. }) => self.unread.can_hold(bytes),
            (_, Begun::Message(_)) => self.unread.is_sound(bytes, self.config.max_received),
        };
        self.watch.short = room.err();
        self.watch.of_stream = matches!(of, Begun::Message(_));
        self.count_input(if room.is_ok() { bytes } else { before });
        room
    }

    /// No more comes for now, and what is there of a frame that one read takes holds `bytes`. It
    /// needs not ask for room: it ends within the frame timeout, and until then its connection is
    /// read.
    pub(crate) fn count_settled(&mut self, bytes: usize) {
        self.watch.of_stream = false;
        self.count_input(bytes);
    }

    /// The frame at the front holds `bytes` now; 0 when it is handed over, or gone.
    #[inline]
    pub(crate) fn count_input(&mut self, bytes: usize) {
        if bytes != self.watch.held {
            let before = std::mem::replace(&mut self.watch.held, bytes);
            self.unread.keep(before, bytes);
        }
    }

    /// The driver keeps `bytes` of memory to read into again. Gives how much it may keep: what one
    /// more stream would be given.
    pub(crate) fn count_spares(&mut self, bytes: usize) -> usize {
        let before = std::mem::replace(&mut self.watch.spares, bytes);
        self.unread.reserve(before, bytes);
        self.unread.share(bytes)
    }

    /// A frame is not taken. That ends the call or the stream that it is about, and nothing else.
    pub(super) fn handle_skipped(&mut self, of: Begun, size: usize, why: Skip) {
        let limit = self.config.max_received;
        // PROTOCOL 3
        self.watch.refused = (why == Skip::TooLarge).then_some(size);
        match (of, self.side) {
            (Begun::Call { tag, one_way }, Side::Server) => {
                let incoming = PeerCall { one_way, ..PeerCall::new(tag) };
                let (cause, outcome) = match why {
                    Skip::TooLarge => {
                        let text = too_large("the request", size, limit);
                        (
                            Cause::Unreadable,
                            Outcome::failed(Reason::TooLarge.at(At::ServerCall), text),
                        )
                    }
                    Skip::NoRoom => (Cause::NoRoom, self.no_room()),
                };
                self.count_refusal(cause);
                self.refuse_call(incoming, Bytes::new(), outcome);
            }
            (Begun::Call { tag, .. }, Side::Client) => {
                self.answered(tag.id(), Err(Ending::TooLarge { size, limit }));
            }
            (Begun::Message(id), _) => self.skip_message(id, size, limit),
            (Begun::Control(id), _) => {
                let (size, limit) = (size - MESSAGE_COST, self.config.max_header);
                self.handle_bad(id, &Fault::HeaderTooLarge { size, limit });
            }
        }
    }

    fn no_room(&mut self) -> Outcome {
        let why = self.watch.short.take().map_or_else(String::new, |over| format!(": {over}"));
        Outcome::failed(
            Reason::Overloaded.at(At::ServerCall),
            format!("the server is overloaded{why}"),
        )
    }

    fn skip_message(&mut self, id: StreamId, size: usize, limit: usize) {
        if let Some(key) = self.find_receiver(id, size - MESSAGE_COST) {
            self.refuse_message(key, size, limit);
        } else {
            self.fail_call_stream(id, CallFault::TooLarge { size, limit });
        }
    }

    /// A message that is too large ends its stream.
    pub(super) fn refuse_message(&mut self, key: StreamKey, size: usize, limit: usize) {
        let failure = Reason::TooLarge.at(self.streams_at());
        self.send_reset(key, Outcome::failed(failure, too_large("a message", size, limit)));
        self.end_stream(key, Ending::TooLarge { size, limit });
    }
}
