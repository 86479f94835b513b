//! Unary calls, both ways: one frame there, one frame back.

use std::time::{Duration, Instant};

use bytes::Bytes;
use trill_proto::{Code, RequestProtocol, ResponseProtocol};

use crate::framing::{Body, COPIED, Side};
use crate::wires::trpc::{self as wire, FrameFault, ONE_WAY, UnaryHead};

use super::Connection;
use super::budget::Overrun;
use super::calls::{Call, Incoming};
use super::closing::DROPPED;
use super::config::CALL_STATE;
use super::error::ConnError;
use super::event::{Answer, CallKey, Ending, Event, Head, IncomingCall, Outcome, Shape};
use super::fit::Fit;
use super::refusals::Cause;
use super::send_queue::SendTicket;
use super::streaming::{SendError, check_metadata};
use super::timers::Timer;

/// The version byte of a unary frame that carries the request id in its fixed header, as tRPC-Go
/// writes it.
const VERSION: u8 = 1;

impl Connection {
    /// Tells whether `bytes` more may be queued; else [`Event::Room`] tells when it is this
    /// ticket's turn.
    pub(crate) fn claim_room(
        &mut self,
        bytes: usize,
        ticket: &mut Option<SendTicket>,
    ) -> Result<bool, Ending> {
        if let Some(why) = &self.lost {
            let ending = Ending::Lost(why.clone());
            self.give_back(ticket);
            return Err(ending);
        }
        let queued = self.queued();
        Ok(self.send_queue.claim(queued, bytes, ticket))
    }

    /// Sends a request. A one-way call has no key: nothing will come for it. Else
    /// [`Event::CallChanged`] tells when the answer is there, or the deadline has passed.
    pub(crate) fn call(
        &mut self,
        head: Head,
        one_way: bool,
        deadline: Option<Instant>,
        body: (usize, impl Body),
        attachment: &[u8],
    ) -> Result<Option<CallKey>, SendError> {
        let sent = self.try_call(head, one_way, deadline, body, attachment);
        if sent.is_err() {
            // The room that it was given is the next one's.
            self.grant_room();
        }
        sent
    }

    fn try_call(
        &mut self,
        head: Head,
        one_way: bool,
        deadline: Option<Instant>,
        body: (usize, impl Body),
        attachment: &[u8],
    ) -> Result<Option<CallKey>, SendError> {
        if let Some(why) = &self.lost {
            return Err(SendError::Ended(Ending::Lost(why.clone())));
        }
        if self.peer_drains {
            return Err(SendError::PeerDrains);
        }
        check_metadata(&head.metadata)?;
        let id = self.calls.next_id();
        let meta = RequestProtocol {
            call_type: if one_way { ONE_WAY } else { 0 },
            request_id: id,
            timeout: head.timeout.map_or(0, milliseconds),
            caller: head.caller,
            callee: head.callee,
            func: head.method,
            message_type: head.message_type,
            trans_info: wire::entries(head.metadata),
            content_type: head.content_type,
            content_encoding: head.content_encoding,
            attachment_size: attachment_size(attachment)?,
            ..RequestProtocol::default()
        };
        // PROTOCOL 7
        let frame = UnaryHead { id, version: VERSION, reserved: 0 };
        let limit = self.config.largest();
        wire::request(&mut self.output, frame, &meta, limit, body.0, body.1, attachment)
            .map_err(SendError::of)?;
        if one_way {
            return Ok(None);
        }
        let key = self.calls.insert_outgoing(id, deadline);
        self.asking = true;
        if let Some(at) = deadline {
            self.timers.set(at, Timer::Call(key));
        }
        Ok(Some(key))
    }

    /// The answer to a call of ours, if it is there. With it the application lets go of the call.
    pub(crate) fn answer(&mut self, key: CallKey) -> Option<Result<Answer, Ending>> {
        let answer = self.calls.take_answer(key)?;
        if let Ok(answer) = &answer {
            self.unread.keep(answer.size(), 0);
        }
        Some(answer)
    }

    /// Why nobody waits for the answer of a peer's call any more, if so.
    pub(crate) fn call_ending(&mut self, key: CallKey) -> Option<Ending> {
        match self.calls.get_mut(key) {
            Call::Incoming(call) => call.ending.clone(),
            Call::Outgoing { .. } => unreachable!("the key is of a call of the peer's"),
        }
    }

    /// Answers a call of the peer's. A one-way call is not answered. An answer that cannot be sent
    /// as it is leaves the call open for another one.
    pub(crate) fn reply(
        &mut self,
        key: CallKey,
        outcome: Outcome,
        content_encoding: u32,
        body: (usize, impl Body),
        attachment: &[u8],
    ) -> Result<(), SendError> {
        let Call::Incoming(call) = self.calls.get_mut(key) else {
            unreachable!("the key is of a call of the peer's")
        };
        // PROTOCOL 9
        if call.one_way || call.answered || self.lost.is_some() {
            return Ok(());
        }
        check_metadata(&outcome.metadata)?;
        let meta = ResponseProtocol {
            request_id: call.request_id,
            // PROTOCOL 11
            ret: outcome.ret,
            func_ret: outcome.func_ret,
            error_msg: outcome.message,
            message_type: call.message_type,
            trans_info: wire::entries(outcome.metadata),
            // PROTOCOL 35
            content_type: call.content_type,
            content_encoding,
            attachment_size: attachment_size(attachment)?,
            ..ResponseProtocol::default()
        };
        // PROTOCOL 8
        let (head, limit) = (call.head, self.config.largest());
        wire::response(&mut self.output, head, &meta, limit, body.0, body.1, attachment)
            .map_err(SendError::of)?;
        call.answered = true;
        Ok(())
    }

    /// Answers a call of the peer's without a message. If metadata, text or attachment do not fit
    /// into a frame, the codes and as much of the text as fits go out: the caller gets an answer in
    /// any case.
    pub(crate) fn refuse(&mut self, key: CallKey, outcome: Outcome, attachment: &[u8]) -> Fit {
        let bare = outcome.without_metadata();
        let none = |_: &mut Vec<u8>| {};
        // PROTOCOL 37
        let Err(why) = self.reply(key, outcome, 0, (0, none), attachment) else {
            return Fit::Whole;
        };
        let cut = self.cut(&bare);
        if self.reply(key, bare, 0, (0, none), &[]).is_ok() {
            return Fit::WithoutMetadata(why);
        }
        self.reply(key, cut, 0, (0, none), &[])
            .expect("two codes and a text that was cut fit into any frame");
        Fit::Cut
    }

    /// The application lets go of a call. A caller who still waits is told that there will be no
    /// answer.
    pub(crate) fn release_call(&mut self, key: CallKey) {
        // PROTOCOL 12
        if matches!(self.calls.get_mut(key), Call::Incoming(call) if !call.answered) {
            self.refuse(key, Outcome::framework(Code::SERVER_SYSTEM_ERR.0, DROPPED), &[]);
        }
        // It is large, so it is looked at where it is.
        let call = self.calls.get(key);
        let size = call.size();
        let deadline = match call {
            Call::Outgoing { deadline, .. } => *deadline,
            Call::Incoming(call) => {
                let (waiting, deadline) = (call.waiting, call.deadline);
                self.let_go_of_answer(waiting);
                self.permits.give_back();
                deadline
            }
        };
        self.calls.remove(key);
        self.unread.keep(size, 0);
        self.timers.clear(deadline, Timer::Call(key));
        self.tell_if_idle();
    }

    /// The body of a peer's call held `before` bytes and holds `now`: it was unpacked, or is not
    /// needed any more. Without room for more, it keeps the count that it had.
    pub(crate) fn recount_call(
        &mut self,
        key: CallKey,
        before: usize,
        now: usize,
    ) -> Result<(), Overrun> {
        self.unread.can_keep(before, now)?;
        if let Call::Incoming(call) = self.calls.get_mut(key) {
            call.size = call.size - before + now;
            self.unread.keep(before, now);
        }
        Ok(())
    }

    /// A call of ours gets no answer, or a handler's caller is gone.
    pub(super) fn end_call(&mut self, key: CallKey, ending: Ending) {
        match self.calls.get_mut(key) {
            Call::Outgoing { id, deadline, .. } => {
                let id = *id;
                *deadline = deadline.filter(|_| ending != Ending::Deadline);
                self.answered(id, Err(ending));
            }
            // A one-way call has no waiter from the start: its caller may be gone, its work is
            // still wanted.
            Call::Incoming(call)
                if call.one_way
                    && matches!(&ending, Ending::Lost(why) if *why != ConnError::Shutdown) => {}
            Call::Incoming(call) => {
                let deadline = call.deadline.take();
                if ending != Ending::Deadline {
                    self.timers.clear(deadline, Timer::Call(key));
                }
                call.ending = Some(ending);
                self.events.push(Event::CallChanged(key));
            }
        }
    }

    /// The connection is over, and one-way calls go on without it: from now on they have so long.
    pub(crate) fn abandon(&mut self, now: Instant) {
        let limit = self.config.abandoned_call_timeout.filter(|_| !self.calls.is_empty());
        if let Some(at) = limit.and_then(|limit| now.checked_add(limit)) {
            self.timers.set(at, Timer::Abandoned);
        }
    }

    pub(super) fn end_abandoned(&mut self) {
        let Some(limit) = self.config.abandoned_call_timeout else { return };
        for key in self.calls.keys() {
            if self.call_ending(key).is_none() {
                self.count_refusal(Cause::Abandoned);
                self.end_call(key, Ending::Abandoned(limit));
            }
        }
    }

    pub(super) fn answered(&mut self, id: u32, result: Result<Answer, Ending>) {
        let size = result.as_ref().map_or(0, Answer::size);
        if let Some((key, deadline)) = self.calls.answer(id, result) {
            self.unread.keep(0, size);
            self.timers.clear(deadline, Timer::Call(key));
            self.events.push(Event::CallChanged(key));
        }
    }

    pub(super) fn handle_response(
        &mut self,
        meta: ResponseProtocol,
        body: Bytes,
        attachment: Bytes,
    ) {
        let mut outcome = Outcome {
            ret: meta.ret,
            func_ret: meta.func_ret,
            message: meta.error_msg,
            metadata: wire::read_metadata(meta.trans_info),
        };
        self.hear_drain(&mut outcome);
        // PROTOCOL 7
        // Peers disagree about the id in the fixed header; the one in the protobuf header is always
        // right.
        let (content_type, content_encoding) = (meta.content_type, meta.content_encoding);
        let answer = Answer { outcome, body, attachment, content_type, content_encoding };
        self.answered(meta.request_id, Ok(answer));
    }

    pub(super) fn handle_request(
        &mut self,
        frame: UnaryHead,
        meta: RequestProtocol,
        body: Bytes,
        attachment: Bytes,
        now: Instant,
    ) {
        let timeout = (meta.timeout > 0).then(|| Duration::from_millis(meta.timeout.into()));
        let mut incoming = Incoming {
            head: frame,
            request_id: meta.request_id,
            one_way: meta.call_type == ONE_WAY,
            message_type: meta.message_type,
            content_type: meta.content_type,
            deadline: None,
            ending: None,
            size: 0,
            waiting: 0,
            answered: false,
        };
        let mut head = Head {
            method: meta.func,
            caller: meta.caller,
            callee: meta.callee,
            metadata: wire::read_metadata(meta.trans_info),
            timeout,
            content_type: meta.content_type,
            content_encoding: meta.content_encoding,
            message_type: meta.message_type,
        };
        incoming.size = CALL_STATE + body.len() + attachment.len() + head.kept();
        let admitted = match self.admit(&head, Shape::Unary, (self.calls.incoming(), incoming.size))
        {
            Ok(admitted) => admitted,
            Err(outcome) => {
                self.refuse_call(incoming, outcome);
                return;
            }
        };
        // PROTOCOL 10
        let deadline = timeout.and_then(|timeout| now.checked_add(timeout));
        incoming.deadline = deadline;
        let one_way = incoming.one_way;
        self.let_go_of_input(&mut head);
        // Its handler may keep it for long.
        let attachment = if attachment.len() < COPIED { copied(&attachment) } else { attachment };
        self.unread.keep(0, incoming.size);
        let key = self.calls.insert_incoming(incoming);
        if let Some(at) = deadline {
            self.timers.set(at, Timer::Call(key));
        }
        self.events.push(Event::Call);
        self.arrived.push(IncomingCall {
            key,
            one_way,
            admitted,
            head,
            deadline,
            body,
            attachment,
        });
    }

    pub(super) fn refuse_call(&mut self, incoming: Incoming, outcome: Outcome) {
        let key = self.calls.insert_incoming(Incoming { size: 0, ..incoming });
        self.refuse(key, outcome, &[]);
        // It has no permit, no deadline and no bytes to give back.
        self.calls.remove(key);
        self.tell_if_idle();
    }

    /// A unary frame whose inside cannot be read. Only the fixed header tells which call it is
    /// about.
    pub(super) fn handle_bad_unary(
        &mut self,
        frame: UnaryHead,
        why: FrameFault,
    ) -> Result<(), ConnError> {
        match self.side {
            Side::Server => {
                // Clients that pair by the protobuf header write the id here as well, but for
                // tRPC-Cpp.
                let incoming = Incoming::unknown(frame, frame.id);
                self.count_refusal(Cause::Unreadable);
                self.refuse_call(
                    incoming,
                    Outcome::framework(Code::SERVER_DECODE_ERR.0, why.to_string()),
                );
                Ok(())
            }
            Side::Client if self.calls.is_waiting(frame.id) => {
                self.answered(frame.id, Err(Ending::BadAnswer(why)));
                Ok(())
            }
            // tRPC-Cpp writes 0 into the fixed header, so the call cannot be found: it must not
            // wait for its deadline.
            Side::Client => Err(ConnError::BadAnswer(why)),
        }
    }
}

/// A copy, without a call for the attachment that most calls do not have.
#[inline]
fn copied(bytes: &[u8]) -> Bytes {
    if bytes.is_empty() { Bytes::new() } else { Bytes::copy_from_slice(bytes) }
}

fn milliseconds(timeout: Duration) -> u32 {
    // PROTOCOL 10
    // 0 would mean no limit.
    u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).max(1)
}

fn attachment_size(attachment: &[u8]) -> Result<u32, SendError> {
    u32::try_from(attachment.len())
        .map_err(|_| SendError::TooLarge { size: attachment.len(), limit: u32::MAX as usize })
}
