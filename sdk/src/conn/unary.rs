//! Unary calls, both ways: one frame there, one frame back.

use std::time::Instant;

use crate::error::{At, Reason};
use crate::framing::{Answer, Body, COPIED, Head, Outcome, UnaryContent};
use crate::wires::{CallTag, Fault};
use bytes::Bytes;

use super::Connection;
use super::admission::Load;
use super::budget::Overrun;
use super::calls::{Call, PeerCall};
use super::closing::DROPPED;
use super::config::CALL_STATE;
use super::error::ConnError;
use super::event::{CallKey, Ending, Event, IncomingCall, Shape};
use super::fit::Fit;
use super::refusals::Cause;
use super::send_queue::SendTicket;
use super::streaming::SendError;
use super::timers::Timer;

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
        content: UnaryContent<'_, impl Body>,
    ) -> Result<Option<CallKey>, SendError> {
        let sent = self.try_call(head, one_way, deadline, content);
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
        content: UnaryContent<'_, impl Body>,
    ) -> Result<Option<CallKey>, SendError> {
        if let Some(why) = &self.lost {
            return Err(SendError::Ended(Ending::Lost(why.clone())));
        }
        if self.peer_drains {
            return Err(SendError::PeerDrains);
        }
        // One wire alone knows its rules where they are asked, at no cost.
        let on_stream = self.wire.rules().calls_are_streams;
        let limit = self.config.largest();
        let id = if on_stream {
            let id = self.next_stream()?;
            self.call_on_stream(id, &head, content)?;
            id.0
        } else {
            let id = self.calls.next_id().ok_or(SendError::PeerDrains)?;
            self.wire.call(&mut self.output, id, head, one_way, limit, content)?;
            id
        };
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
        content: UnaryContent<'_, impl Body>,
    ) -> Result<(), SendError> {
        let Call::Incoming(call) = self.calls.get_mut(key) else {
            unreachable!("the key is of a call of the peer's")
        };
        // PROTOCOL 9
        if call.one_way || call.answered || self.lost.is_some() {
            return Ok(());
        }
        let (tag, limit) = (call.tag, self.config.largest());
        if self.wire.rules().calls_are_streams {
            return self.reply_on_stream(key, tag, outcome, content_encoding, content);
        }
        self.wire.answer(&mut self.output, tag, outcome, content_encoding, limit, content)?;
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
        let Err(why) = self.reply(key, outcome, 0, UnaryContent::new(0, none).with(attachment))
        else {
            return Fit::Whole;
        };
        let cut = self.cut(&bare);
        if self.reply(key, bare, 0, UnaryContent::new(0, none)).is_ok() {
            return Fit::WithoutMetadata(why);
        }
        self.reply(key, cut, 0, UnaryContent::new(0, none))
            .expect("two codes and a text that was cut fit into any frame");
        Fit::Cut
    }

    /// The application lets go of a call. A caller who still waits is told that there will be no
    /// answer.
    pub(crate) fn release_call(&mut self, key: CallKey) {
        if self.wire.rules().calls_are_streams {
            self.cancel_call(key);
        }
        // PROTOCOL 12
        if matches!(self.calls.get_mut(key), Call::Incoming(call) if !call.answered) {
            self.refuse(key, Outcome::failed(Reason::Internal, DROPPED), &[]);
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
        if self.wire.rules().calls_are_streams && self.end_call_of_stream(key, &ending) {
            return;
        }
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

    pub(super) fn answered(&mut self, id: u64, result: Result<Answer, Ending>) {
        let size = result.as_ref().map_or(0, Answer::size);
        if let Some((key, deadline)) = self.calls.answer(id, result) {
            self.unread.keep(0, size);
            self.timers.clear(deadline, Timer::Call(key));
            self.events.push(Event::CallChanged(key));
        }
    }

    pub(super) fn handle_answer(&mut self, id: u64, answer: Answer) {
        self.hear_drain(&answer.outcome);
        self.answered(id, Ok(answer));
    }

    pub(super) fn handle_call(
        &mut self,
        tag: CallTag,
        one_way: bool,
        mut head: Head,
        body: Bytes,
        attachment: Bytes,
        now: Instant,
    ) {
        let mut incoming = PeerCall { one_way, ..PeerCall::new(tag) };
        incoming.size = CALL_STATE + body.len() + attachment.len() + head.kept();
        let load = Load { busy: self.calls.incoming(), bytes: incoming.size };
        let admitted = match self.admit(&head, Shape::Unary, load) {
            Ok(admitted) => admitted,
            Err(outcome) => {
                self.refuse_call(incoming, head.method, outcome);
                return;
            }
        };
        // PROTOCOL 10
        let deadline = head.timeout.and_then(|timeout| now.checked_add(timeout));
        incoming.deadline = deadline;
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

    pub(super) fn refuse_call(&mut self, incoming: PeerCall, method: Bytes, outcome: Outcome) {
        let key = self.calls.insert_incoming(PeerCall { size: 0, ..incoming });
        self.refuse(key, outcome.clone(), &[]);
        self.tell_refused(method, outcome);
        // It has no permit, no deadline and no bytes to give back.
        self.calls.remove(key);
        self.tell_if_idle();
    }

    /// A call that cannot be read, but for its tag.
    pub(super) fn handle_bad_call(&mut self, tag: CallTag, why: &Fault) {
        self.count_refusal(Cause::Unreadable);
        let outcome = Outcome::failed(Reason::Decode.at(At::ServerCall), why.to_string());
        self.refuse_call(PeerCall::new(tag), Bytes::new(), outcome);
    }

    /// An answer that cannot be read. If it does not say which call it is for, that one must not
    /// wait for its deadline.
    pub(super) fn handle_bad_answer(&mut self, id: u64, why: Fault) -> Result<(), ConnError> {
        if !self.calls.is_waiting(id) {
            return Err(ConnError::BadAnswer(why));
        }
        self.answered(id, Err(Ending::BadAnswer(why)));
        Ok(())
    }
}

/// A copy, without a call for the attachment that most calls do not have.
#[inline]
fn copied(bytes: &[u8]) -> Bytes {
    if bytes.is_empty() { Bytes::new() } else { Bytes::copy_from_slice(bytes) }
}
