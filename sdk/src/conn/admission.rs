//! The admission of the peer's calls and streams.

use std::time::Instant;

use crate::error::{At, Reason};
use crate::framing::{Head, Outcome, StreamId};
use crate::wires::{CreditRule, Opening};
use bytes::Bytes;

use super::call_streams::CallFault;
use super::config::{MIN_WINDOW, STREAM_STATE, room_for};
use super::credit::SendWindow;
use super::error::Violation;
use super::event::{Admitted, Event, IncomingStream, RefusedCall, Shape, StreamKey};
use super::refusals::Cause;
use super::stream::{FrameKind, Moved, RareState, Recv, Send, Stream, StreamState};
use super::timers::Timer;
use super::{Connection, drain};

/// The longest name of a caller that a connection remembers.
const SHORT: usize = 256;

/// The load of a connection with one more call or stream of the peer's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Those of its shape that are going on.
    pub(super) busy: usize,
    /// The bytes that the new one keeps.
    pub(super) bytes: usize,
}

/// An opening of the peer's that was admitted.
struct AdmittedStream {
    head: Head,
    admitted: Admitted,
    peer_window: u32,
    /// The other streams that it opens.
    more: Vec<StreamId>,
}

impl Connection {
    /// A call or stream may go on for long, so what is kept of its head must not hold on to the
    /// buffer that it was read into. The decoder has seen to the metadata.
    #[inline]
    pub(super) fn let_go_of_input(&mut self, head: &mut Head) {
        // The method is found by now.
        (head.method, head.callee) = (Bytes::new(), Bytes::new());
        if head.caller.is_empty() {
            return;
        }
        // All that a connection carries gives the same name, most often.
        if head.caller != self.last_caller {
            head.caller = Bytes::copy_from_slice(&head.caller);
            // An idle connection counts nothing for it.
            self.last_caller =
                if head.caller.len() <= SHORT { head.caller.clone() } else { Bytes::new() };
        } else {
            head.caller = self.last_caller.clone();
        }
    }

    pub(super) fn handle_open(&mut self, id: StreamId, opening: Option<Opening>, now: Instant) {
        if let Some(key) = self.streams.find(id) {
            let (next, action) = self.streams.get(key).state.receive(false, FrameKind::Open);
            self.act(key, next, action, None);
            return;
        }
        // One wire alone knows its rules where they are asked, at no cost.
        let is_untold = self.wire.rules().calls_are_streams;
        if is_untold && self.is_call_stream(id) {
            return self.fail_call_stream(id, CallFault::Violation(Violation::SecondInit));
        }
        let AdmittedStream { mut head, admitted, peer_window, more } =
            match self.admit_stream(opening) {
                Ok(stream) => stream,
                Err(RefusedCall { method, outcome }) => {
                    self.wire.refuse(&mut self.output, id, outcome.clone());
                    self.tell_refused(method, outcome);
                    return;
                }
            };
        if is_untold && admitted.shape == Shape::Unary {
            return self.begin_call(id, head, admitted, peer_window, now);
        }
        let share = self.unread.share(0).saturating_sub(STREAM_STATE);
        // PROTOCOL 21
        let off = self.rules.credit == CreditRule::Announced && peer_window == 0;
        let window = if off { 0 } else { self.recv_window(share) };
        let send_window = if window == 0 {
            SendWindow::unlimited()
        } else {
            SendWindow::of(self.rules.credit, peer_window)
        };
        self.wire.accept(&mut self.output, id, window, head.content_type);
        let deadline = head.timeout.and_then(|timeout| now.checked_add(timeout));
        let kept = STREAM_STATE + head.kept();
        let key = self.insert_theirs(id, window, send_window, deadline, kept, now);
        let more = more
            .into_iter()
            .map(|id| self.insert_theirs(id, window, send_window, deadline, STREAM_STATE, now))
            .collect();
        self.let_go_of_input(&mut head);
        self.events.push(Event::Stream(Box::new(IncomingStream {
            key,
            more,
            admitted,
            head,
            deadline,
        })));
    }

    fn insert_theirs(
        &mut self,
        id: StreamId,
        window: u32,
        send_window: SendWindow,
        deadline: Option<Instant>,
        kept: usize,
        now: Instant,
    ) -> StreamKey {
        let key = self.streams.insert(Stream {
            id,
            // PROTOCOL 16
            state: StreamState::Open,
            send: Send::new(send_window),
            recv: Recv::new(window, self.stall_at(window)),
            ending: None,
            accepted: true,
            open_by: None,
            end_by: deadline,
            kept: 0,
            watched: false,
            moved: Moved::NOW,
            rare: RareState::of(self.config.stream_idle_timeout, self.rules.credit),
            generation: 0,
        });
        self.begin_counting(key);
        self.keep(key, kept);
        self.set_stream_idle_timer(key, now);
        self.set_stuck_timer(now);
        if let Some(at) = deadline {
            self.timers.set(at, Timer::Stream(key));
        }
        key
    }

    fn admit_stream(&mut self, opening: Option<Opening>) -> Result<AdmittedStream, RefusedCall> {
        let Some(Opening { head, window, more }) = opening else {
            self.count_refusal(Cause::Unreadable);
            let text = "INIT without request_meta: it names no method";
            let outcome = Outcome::failed(Reason::NoMethod, text);
            return Err(RefusedCall { method: Bytes::new(), outcome });
        };
        // Streams that are over but still held count: their memory is not free yet.
        let count = 1 + more.len();
        let room = (room_for(MIN_WINDOW) + STREAM_STATE) * count + head.kept();
        let load = Load { busy: self.streams.held() + more.len(), bytes: room };
        let admitted = if self.wire.rules().calls_are_streams {
            self.admit_untold(&head, load)
        } else {
            self.admit(&head, Shape::Stream, load)
        };
        let admitted =
            admitted.and_then(|admitted| self.permit_more(more.len()).map(|()| admitted));
        match admitted {
            Ok(admitted) => Ok(AdmittedStream { head, admitted, peer_window: window, more }),
            Err(outcome) => Err(RefusedCall { method: head.method, outcome }),
        }
    }

    /// Takes permits for the other streams of an opening, or gives back the one that it has.
    fn permit_more(&mut self, count: usize) -> Result<(), Outcome> {
        for taken in 0..count {
            if let Err(crowded) = self.permits.take() {
                (0..=taken).for_each(|_| self.permits.give_back());
                self.count_refusal(Cause::TooManyCalls);
                return Err(Outcome::failed(
                    Reason::Overloaded.at(At::ServerCall),
                    crowded.to_string(),
                ));
            }
        }
        Ok(())
    }

    /// Those above hear of each call and stream, also of those that were not admitted.
    #[cold]
    pub(super) fn tell_refused(&mut self, method: Bytes, outcome: Outcome) {
        self.events.push(Event::Refused(Box::new(RefusedCall { method, outcome })));
    }

    /// Decides whether a call of the peer's may start, finds its method, and takes a permit for it.
    pub(super) fn admit(
        &mut self,
        head: &Head,
        shape: Shape,
        load: Load,
    ) -> Result<Admitted, Outcome> {
        self.check_load(shape, load)?;
        let admitted = self.find_method(head, Some(shape))?;
        self.take_permit()?;
        Ok(admitted)
    }

    /// Checks that there may be one more of its shape, and room for what it keeps.
    #[inline(always)]
    pub(super) fn check_load(&self, shape: Shape, load: Load) -> Result<(), Outcome> {
        let Load { busy, bytes } = load;
        if self.draining {
            self.count_refusal(Cause::Draining);
            return Err(drain::refusal());
        }
        let refuse = |cause: Cause, text: String| {
            self.count_refusal(cause);
            Err(Outcome::failed(Reason::Overloaded.at(At::ServerCall), text))
        };
        let (limit, what) = match shape {
            Shape::Unary => (self.config.max_calls, "calls"),
            Shape::Stream => (self.config.max_streams, "streams"),
        };
        if busy >= limit {
            let text = format!(
                "too many {what} on this connection: {busy} are going on, at most {limit} (max_{what}_per_connection)"
            );
            return refuse(Cause::TooManyCalls, text);
        }
        let room = match shape {
            Shape::Unary => self.unread.can_hold(bytes),
            Shape::Stream => self.unread.can_reserve(bytes),
        };
        if let Err(over) = room {
            return refuse(Cause::NoRoom, format!("the server is overloaded: {over}"));
        }
        Ok(())
    }

    /// Finds the method, which must have the shape that the opening has told, if it has.
    #[inline(always)]
    pub(super) fn find_method(
        &self,
        head: &Head,
        told: Option<Shape>,
    ) -> Result<Admitted, Outcome> {
        let admission = self.admission.as_ref().expect("a server's connection has an admission");
        admission(head, told).inspect_err(|_| self.count_refusal(Cause::Unsupported))
    }

    #[inline(always)]
    pub(super) fn take_permit(&mut self) -> Result<(), Outcome> {
        if let Err(crowded) = self.permits.take() {
            self.count_refusal(Cause::TooManyCalls);
            return Err(Outcome::failed(
                Reason::Overloaded.at(At::ServerCall),
                crowded.to_string(),
            ));
        }
        Ok(())
    }
}
