//! Calls of the peer's: they arrive, are handed up, and are answered.

use std::time::Instant;

use bytes::Bytes;

use crate::framing::{Body, Head, Outcome, StreamId, UnaryContent};
use crate::wires::CallTag;

use super::super::Connection;
use super::super::admission::Load;
use super::super::calls::PeerCall;
use super::super::config::CALL_STATE;
use super::super::credit::SendWindow;
use super::super::event::{Admitted, CallKey, Event, IncomingCall, Shape};
use super::super::parts::Tail;
use super::super::streaming::SendError;
use super::super::timers::Timer;
use super::{CallFault, CallStream, Incomplete};

/// A request of which the end has not come.
#[derive(Debug)]
pub(super) struct Arriving {
    pub(super) call: CallKey,
    /// For the answer.
    pub(super) send: SendWindow,
    pub(super) message: Incomplete,
    admitted: Admitted,
    /// The name, for those who hear of a call that is refused.
    method: Bytes,
    head: Head,
}

impl Connection {
    /// Decides whether a call or stream of the peer's may start whose opening does not tell which
    /// of the two it is. `stream` is the load with one more stream.
    #[inline(never)]
    pub(in crate::conn) fn admit_untold(
        &mut self,
        head: &Head,
        stream: Load,
    ) -> Result<Admitted, Outcome> {
        // The method comes first, because the limits are those of its shape.
        let admitted = self.find_method(head, None)?;
        let load = match admitted.shape {
            Shape::Unary => Load { busy: self.calls.incoming(), bytes: CALL_STATE + head.kept() },
            Shape::Stream => stream,
        };
        // For the peer those go on whose answer or last messages have not gone.
        let load = Load { busy: load.busy + self.leftovers(), ..load };
        self.check_load(admitted.shape, load)?;
        self.take_permit()?;
        Ok(admitted)
    }

    /// The stream that the peer has opened is a unary call, which was admitted.
    #[inline(never)]
    pub(in crate::conn) fn begin_call(
        &mut self,
        id: StreamId,
        mut head: Head,
        admitted: Admitted,
        peer_window: u32,
        now: Instant,
    ) {
        let deadline = head.timeout.and_then(|timeout| now.checked_add(timeout));
        let size = CALL_STATE + head.kept();
        let tag = self.wire.tag(id, &head);
        self.unread.keep(0, size);
        let call = self.calls.insert_incoming(PeerCall { deadline, size, ..PeerCall::new(tag) });
        if let Some(at) = deadline {
            self.timers.set(at, Timer::Call(call));
        }
        // The buffer that it was read into may be large.
        let method = Bytes::copy_from_slice(&head.method);
        self.let_go_of_input(&mut head);
        let message = Incomplete::new(self.recv_window(0));
        let send = SendWindow::of(self.rules.credit, peer_window);
        let arriving = Arriving { call, send, message, admitted, method, head };
        if let Some(shared) = &mut self.shared {
            shared.calls.0.insert(id.0, CallStream::Arriving(Box::new(arriving)));
        }
    }

    /// The end of a request has come.
    pub(super) fn hand_up(&mut self, id: StreamId) {
        let framing = self.rules.framing;
        let Some(stream) = self.call_stream(id) else { return };
        let CallStream::Arriving(arriving) = stream else { return };
        if let Err(violation) = arriving.message.check(framing) {
            return self.fail_call_stream(id, CallFault::Violation(violation));
        }
        let served = CallStream::Served { call: arriving.call, send: arriving.send };
        let CallStream::Arriving(arriving) = std::mem::replace(stream, served) else { return };
        let Arriving { call, message, admitted, head, .. } = *arriving;
        self.events.push(Event::Call);
        self.arrived.push(IncomingCall {
            key: call,
            one_way: false,
            admitted,
            head,
            deadline: self.calls.deadline(call),
            body: message.into_body(framing),
            attachment: Bytes::new(),
        });
    }

    /// A call ends before its request has come whole. The peer hears why, if it is there.
    pub(super) fn refuse_arriving(&mut self, id: StreamId, outcome: Outcome) {
        let Some(CallStream::Arriving(arriving)) = self.call_stream(id) else { return };
        let (call, method) = (arriving.call, std::mem::take(&mut arriving.method));
        self.refuse(call, outcome.clone(), &[]);
        self.take_call_stream(id);
        self.release_call(call);
        self.tell_refused(method, outcome);
    }

    /// The same for all of them.
    pub(in crate::conn) fn refuse_all_arriving(&mut self, outcome: &Outcome) {
        let Some(shared) = &self.shared else { return };
        let streams = shared.calls.0.iter();
        let arriving = streams.filter(|(_, stream)| matches!(stream, CallStream::Arriving(_)));
        let mut ids: Vec<_> = arriving.map(|(id, _)| StreamId(*id)).collect();
        // Not in the order of the map, which differs from run to run.
        ids.sort_unstable();
        for id in ids {
            self.refuse_arriving(id, outcome.clone());
        }
    }

    /// Answers a call whose stream is not over: its head, the message and the end. A failure is the
    /// end alone. An answer that cannot be sent as it is leaves the call open for another one.
    #[inline(never)]
    pub(in crate::conn) fn reply_on_stream(
        &mut self,
        key: CallKey,
        tag: CallTag,
        outcome: Outcome,
        content_encoding: u32,
        content: UnaryContent<'_, impl Body>,
    ) -> Result<(), SendError> {
        let id = StreamId(tag.id());
        let message = self.framed(id, content)?;
        let message = if outcome.is_ok() { message } else { Vec::new() };
        self.write_reply(key, tag, outcome, content_encoding, message)
    }

    fn write_reply(
        &mut self,
        key: CallKey,
        tag: CallTag,
        mut outcome: Outcome,
        content_encoding: u32,
        message: Vec<u8>,
    ) -> Result<(), SendError> {
        let (id, limit) = (StreamId(tag.id()), self.config.largest());
        // The end may go long after the message.
        self.wire.check_end(&outcome, limit)?;
        if outcome.is_ok() {
            let initial = std::mem::take(&mut outcome.initial);
            self.wire.begin_answer(&mut self.output, tag, &initial, content_encoding, limit)?;
        }
        self.calls.set_answered(key);
        let send = match self.take_call_stream(id) {
            Some(CallStream::Arriving(arriving)) => arriving.send,
            Some(CallStream::Served { send, .. }) => send,
            Some(CallStream::Asked(_)) | None => SendWindow::of(self.rules.credit, 0),
        };
        self.leave(id, message, send, Tail::Call(outcome));
        Ok(())
    }
}
