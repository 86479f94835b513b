//! Unary calls on a wire where every call is a stream: a head, one message and an end, each way.
//!
//! The opening does not tell a call from a stream, so the server's admission does. Those above see
//! a call as on any other wire: a request is handed up when its end has come, and an answer is one
//! operation. Until then a small state stands here in the place of a stream's. This side reads the
//! message as it comes, so its credit goes back at once, and its bytes count for the call. The part
//! of a message that the windows hold back waits as the rests of streams do (`conn/parts.rs`).
//!
//! ```text
//!  client                                    server
//!
//!  call ──> Asked                            opening ──> Arriving
//!             │ bytes: into the answer                     │ bytes: into the request
//!             │ end: the answer is there                   │ end: the request is handed up
//!             │ reset, fault: the call fails               │ reset, fault, deadline: gone
//!             │ dropped, deadline: a reset goes            v
//!             v                                          Served
//!           gone                                           │ answer: head, message and end go
//!                                                          │ reset: the handler is dropped
//!                                                          v
//!                                                         gone
//! ```

mod asked;
mod incomplete;
mod served;

use hashbrown::HashMap;

use crate::error::{At, Failure, Reason};
use crate::framing::{Body, Outcome, StreamId, UnaryContent};
use crate::wires::{Credit, End};

use super::Connection;
use super::budget::Overrun;
use super::credit::SendWindow;
use super::error::{Violation, too_large};
use super::event::{CallKey, Ending};
use super::refusals::Cause;
use super::streaming::{SendError, frame_size};

use asked::Asked;
use incomplete::Incomplete;
use served::Arriving;

/// The streams of unary calls by their ids.
#[derive(Debug)]
pub(super) struct CallStreams(HashMap<u64, CallStream>);

#[derive(Debug)]
enum CallStream {
    /// A request of the peer's is on its way.
    Arriving(Box<Arriving>),
    /// The request has come whole, and is not answered.
    Served { call: CallKey, send: SendWindow },
    /// A call of this side's waits for its answer.
    Asked(Box<Asked>),
}

/// A fault of the peer's that ends one unary call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CallFault {
    Violation(Violation),
    TooLarge { size: usize, limit: usize },
    NoRoom(Overrun),
}

impl CallStreams {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn get_mut(&mut self, id: StreamId) -> Option<&mut CallStream> {
        self.0.get_mut(&id.0)
    }

    /// Credit for the answer, which may come long before that. A request has a window of its own
    /// while it is sent.
    pub(super) fn add_credit(&mut self, id: StreamId, increment: u32) {
        match self.get_mut(id) {
            Some(CallStream::Arriving(arriving)) => arriving.send.add(increment),
            Some(CallStream::Served { send, .. }) => send.add(increment),
            Some(CallStream::Asked(_)) | None => {}
        }
    }
}

impl CallFault {
    /// The words in which the peer hears of it.
    fn outcome(self, at: At) -> Outcome {
        match self {
            Self::Violation(violation) => {
                let reason = match violation {
                    Violation::DataAfterClose | Violation::SecondInit | Violation::Overdrawn => {
                        Reason::BadState
                    }
                    _ => Reason::Decode,
                };
                let failure = reason.at(at);
                let code = violation.code().unwrap_or(failure.code);
                Outcome::failed(Failure { code, ..failure }, violation.to_string())
            }
            Self::TooLarge { size, limit } => {
                let what = if at == At::ServerCall { "the request" } else { "the answer" };
                Outcome::failed(Reason::TooLarge.at(at), too_large(what, size, limit))
            }
            Self::NoRoom(over) => {
                let text = format!("the server is overloaded: {over}");
                Outcome::failed(Reason::Overloaded.at(at), text)
            }
        }
    }

    fn ending(self) -> Ending {
        match self {
            Self::Violation(violation) => Ending::Violation(violation),
            Self::TooLarge { size, limit } => Ending::TooLarge { size, limit },
            Self::NoRoom(over) => Ending::Overrun(over),
        }
    }

    fn cause(self) -> Cause {
        match self {
            Self::Violation(_) | Self::TooLarge { .. } => Cause::Unreadable,
            Self::NoRoom(_) => Cause::NoRoom,
        }
    }
}

impl Connection {
    fn call_stream(&mut self, id: StreamId) -> Option<&mut CallStream> {
        self.shared.as_mut()?.calls.get_mut(id)
    }

    fn take_call_stream(&mut self, id: StreamId) -> Option<CallStream> {
        self.shared.as_mut()?.calls.0.remove(&id.0)
    }

    /// Tells whether the stream is a unary call.
    pub(super) fn is_call_stream(&mut self, id: StreamId) -> bool {
        self.call_stream(id).is_some()
    }

    /// The streams of unary calls that are not over.
    #[cfg(test)]
    pub(crate) fn call_streams(&self) -> usize {
        self.shared.as_ref().map_or(0, |shared| shared.calls.len())
    }

    /// The message of a call or an answer with what stands in front of it.
    fn framed(
        &self,
        id: StreamId,
        content: UnaryContent<'_, impl Body>,
    ) -> Result<Vec<u8>, SendError> {
        if !content.attachment.is_empty() {
            return Err(SendError::NoAttachments { wire: self.wire.name() });
        }
        let (size, limit) = (frame_size(content.len), self.config.max_sent);
        if size > limit {
            return Err(SendError::TooLarge { size, limit });
        }
        let mut bytes = Vec::new();
        self.wire.prefix(id).write(&mut bytes, content.len, content.body)?;
        Ok(bytes)
    }

    /// Takes bytes of the message of a unary call. `false`: there is no such call.
    #[inline(never)]
    pub(super) fn take_call_bytes(&mut self, id: StreamId, bytes: &[u8]) -> bool {
        let Some(shared) = &mut self.shared else { return false };
        let Some(stream) = shared.calls.get_mut(id) else { return false };
        let (framing, limit, unread) = (self.rules.framing, self.config.max_received, &self.unread);
        let taken = match stream {
            CallStream::Arriving(arriving) => {
                let room = |more| unread.can_hold(more).map_err(CallFault::NoRoom);
                arriving.message.take(bytes, framing, limit, room)
            }
            // The client has asked for it.
            CallStream::Asked(asked) => asked.message.take(bytes, framing, limit, |_| Ok(())),
            CallStream::Served { .. } => Err(CallFault::Violation(Violation::DataAfterClose)),
        };
        self.give_shared_credit(bytes.len());
        match taken {
            Ok(taken) => {
                if let Some(increment) = taken.increment {
                    self.wire.credit(&mut self.output, id, Credit { increment, total: 0 });
                }
                self.count_call_bytes(id, taken.memory);
            }
            Err(fault) => self.fail_call_stream(id, fault),
        }
        true
    }

    /// A message has `more` memory now.
    fn count_call_bytes(&mut self, id: StreamId, more: usize) {
        if more == 0 {
            return;
        }
        if let Some(CallStream::Arriving(arriving)) = self.call_stream(id) {
            let call = arriving.call;
            self.calls.add_size(call, more);
        }
        self.unread.keep(0, more);
    }

    /// The peer has done with a unary call what it must not.
    pub(super) fn fail_call_stream(&mut self, id: StreamId, fault: CallFault) {
        match self.call_stream(id) {
            Some(CallStream::Arriving(_)) => {
                self.count_refusal(fault.cause());
                self.refuse_arriving(id, fault.outcome(At::ServerCall));
            }
            Some(CallStream::Served { call, .. }) => {
                let call = *call;
                self.refuse(call, fault.outcome(At::ServerCall), &[]);
                self.end_call(call, fault.ending());
            }
            Some(CallStream::Asked(_)) => {
                self.give_up_call(id, Some(fault.outcome(At::ClientCall)));
                self.answered(id.0, Err(fault.ending()));
            }
            None => {}
        }
    }

    /// The peer has ended its direction of a stream that is none of those above, or all of it.
    #[inline(never)]
    pub(super) fn end_call_stream(&mut self, id: StreamId, how: End, outcome: Outcome) {
        match (self.call_stream(id), how) {
            (Some(CallStream::Asked(_)), _) => self.finish_call(id, how, outcome),
            (Some(CallStream::Arriving(_)), End::Close) => self.hand_up(id),
            (Some(CallStream::Arriving(arriving)), _) => {
                let call = arriving.call;
                // The peer hears nothing more of it.
                self.calls.set_answered(call);
                self.refuse_arriving(id, outcome);
            }
            (Some(CallStream::Served { .. }), End::Close) | (None, _) => {}
            (Some(CallStream::Served { call, .. }), _) => {
                let call = *call;
                self.take_call_stream(id);
                self.calls.set_answered(call);
                self.end_call(call, Ending::Reset(outcome.into()));
            }
        }
    }

    /// A unary call ends for this side. `true`: nobody above has heard of it, so that is all.
    #[inline(never)]
    pub(super) fn end_call_of_stream(&mut self, key: CallKey, ending: &Ending) -> bool {
        let id = self.calls.stream_of(key);
        match (self.call_stream(id), ending) {
            (Some(CallStream::Asked(_)), Ending::Deadline) => {
                let text = "the time of the call has passed";
                let outcome = Outcome::failed(Reason::Deadline.at(At::ClientCall), text);
                self.give_up_call(id, Some(outcome));
                false
            }
            // The peer does not know the call, or is gone.
            (Some(CallStream::Asked(_)), _) => {
                self.give_up_call(id, None);
                false
            }
            (Some(CallStream::Arriving(_)), Ending::Lost(why)) => {
                let outcome = Outcome::failed(Reason::Network.at(At::ServerCall), why.to_string());
                self.refuse_arriving(id, outcome);
                true
            }
            (Some(CallStream::Arriving(_)), _) => {
                let text = "the time the caller allows has passed";
                let outcome = Outcome::failed(Reason::Deadline.at(At::ServerCall), text);
                self.refuse_arriving(id, outcome);
                true
            }
            (Some(CallStream::Served { .. }) | None, _) => false,
        }
    }
}
