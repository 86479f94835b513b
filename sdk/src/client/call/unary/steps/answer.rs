//! The last steps of a call: its answer is taken, unpacked and decoded.

use std::fmt;
use std::future::Future;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::client::call::guard::hear;
use crate::driver::Answer;
use crate::error::{Error, ErrorKind, Origin, Reason, Result};
use crate::stream::{
    Compression, DecodeError, Decoding, JSON, JsonError, Message, STEPPED, UnpackError,
    answer_error, decode, decode_json, ending_error, unpack_counted,
};

use super::{CallFuture, Step};

/// The answer's message that is being decoded elsewhere.
pub(super) enum Elsewhere<Resp> {
    Message(Decoding<Resp>),
    Json(Decoding<Resp, JsonError>),
}

/// Why an answer is not the message that the call expects.
enum Undecoded {
    Message(DecodeError),
    Json(JsonError),
}

impl<Resp> Elsewhere<Resp> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Resp, Undecoded>> {
        match self {
            Self::Message(decoding) => decoding.as_mut().poll(cx).map_err(Undecoded::Message),
            Self::Json(decoding) => decoding.as_mut().poll(cx).map_err(Undecoded::Json),
        }
    }
}

impl<Req: Message, Resp: Message> CallFuture<Req, Resp> {
    /// The answer and its message.
    #[inline]
    pub(in super::super) fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Resp, Answer)>> {
        if matches!(self.step, Step::Decoding(..)) {
            return self.poll_decoding(cx);
        }
        let mut answer = match ready!(self.poll_answer(cx)) {
            Ok(answer) => answer,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let body = std::mem::take(&mut answer.body);
        if body.len() >= STEPPED {
            return self.poll_decoded(answer, body, cx);
        }
        Poll::Ready(self.decode(body, answer.content_type).map(|message| (message, answer)))
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer>> {
        let held = match &mut self.step {
            Step::Sent(Some(held)) => held,
            Step::Sent(None) => unreachable!("a one-way call has no answer"),
            Step::Unpacking(..) => return self.poll_unpacked(cx),
            Step::Decoding(..) => unreachable!("the answer has come"),
            Step::Start
            | Step::Connecting(..)
            | Step::Request(_)
            | Step::Failed(_)
            | Step::Over => {
                ready!(self.poll_sent(cx))?;
                // The answer will wake the task.
                let Some(late) = &mut self.late else { return Poll::Pending };
                ready!(late.as_mut().poll(cx));
                return self.poll_answer(cx);
            }
        };
        let mut answer = held.poll_answer(cx);
        if answer.is_pending()
            && let Some(late) = &mut self.late
        {
            ready!(late.as_mut().poll(cx));
            held.link().pass_time();
            answer = held.poll_answer(cx);
        }
        let answer = ready!(answer);
        let (channel, link) = (&self.call.target.channel, held.link());
        match answer {
            Ok(answer) if answer.outcome.is_ok() => {
                hear(channel, link, None);
                if answer.content_encoding == 0 {
                    return Poll::Ready(Ok(answer));
                }
                self.begin_to_unpack(answer)?;
                self.poll_unpacked(cx)
            }
            Ok(answer) => {
                hear(channel, link, Some(&answer.outcome));
                Poll::Ready(Err(answer_error(&answer.outcome, &self.subject())))
            }
            Err(ending) => Poll::Ready(Err(ending_error(&ending, &self.subject()))),
        }
    }

    /// Waits until the call's time has passed, while its answer is unpacked or decoded, and gives
    /// the error of that. The connection is done with it then.
    #[cold]
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        Poll::Ready(match ready!(self.poll_limit(cx)) {
            Ok(()) => self.deadline_error(),
            Err(lack) => self.subject().no_timer(lack),
        })
    }

    #[cold]
    fn begin_to_unpack(&mut self, mut answer: Answer) -> Result<()> {
        let found = Compression::of_body(answer.content_encoding, &answer.body);
        if let Some(compression) = found.map_err(|why| self.not_unpacked(why))? {
            let Step::Sent(Some(held)) = std::mem::replace(&mut self.step, Step::Start) else {
                unreachable!("the answer came to a call that was sent")
            };
            let unpacking =
                unpack_counted(held.link(), compression, std::mem::take(&mut answer.body));
            self.step = Step::Unpacking(held, Some(answer), unpacking);
        }
        Ok(())
    }

    fn poll_unpacked(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer>> {
        let Step::Unpacking(_, answer, unpacking) = &mut self.step else {
            unreachable!("the answer is being unpacked")
        };
        let Poll::Ready(body) = unpacking.as_mut().poll(cx) else {
            return self.poll_overdue(cx).map(Err);
        };
        let mut answer = answer.take().expect("an answer is given once");
        answer.body = body.map_err(|why| self.unpack_error(&why))?;
        Poll::Ready(Ok(answer))
    }

    #[cold]
    fn unpack_error(&self, why: &UnpackError) -> Error {
        if !matches!(why, UnpackError::NoRoom { .. }) {
            return self.not_unpacked(why);
        }
        let text = format!("the answer cannot be unpacked: {why}");
        self.subject().error(ErrorKind::Limit, Origin::Peer, Reason::Overloaded, text)
    }

    #[cold]
    fn not_unpacked(&self, why: impl fmt::Display) -> Error {
        let text = format!("the answer cannot be unpacked: {why}");
        self.subject().error(ErrorKind::Decode, Origin::Peer, Reason::Decode, text)
    }

    /// Decodes an answer that is not small, elsewhere if that is much work.
    #[inline(never)]
    fn poll_decoded(
        &mut self,
        answer: Answer,
        body: Bytes,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Resp, Answer)>> {
        let (Step::Sent(Some(held)) | Step::Unpacking(held, ..)) = &self.step else {
            unreachable!("the answer came to a call that was sent")
        };
        let peer = held.link().peer_key();
        let decoded = match (answer.content_type, self.call.from_json) {
            (0, _) => decode(peer, body)
                .map(|message| message.map_err(Undecoded::Message))
                .map_err(Elsewhere::Message),
            (JSON, Some(from_json)) => decode_json(peer, from_json, body)
                .map(|message| message.map_err(Undecoded::Json))
                .map_err(Elsewhere::Json),
            (other, _) => return Poll::Ready(Err(self.not_asked_for(other))),
        };
        let decoding = match decoded {
            Ok(message) => {
                return Poll::Ready(self.decoded(message).map(|message| (message, answer)));
            }
            Err(decoding) => decoding,
        };
        self.step = match std::mem::replace(&mut self.step, Step::Over) {
            Step::Sent(Some(held)) | Step::Unpacking(held, ..) => {
                Step::Decoding(held, Some(answer), decoding)
            }
            _ => unreachable!("it was sent"),
        };
        self.poll_decoding(cx)
    }

    #[cold]
    fn poll_decoding(&mut self, cx: &mut Context<'_>) -> Poll<Result<(Resp, Answer)>> {
        let Step::Decoding(_, answer, decoding) = &mut self.step else {
            unreachable!("the answer is being decoded")
        };
        let Poll::Ready(message) = decoding.poll(cx) else {
            return self.poll_overdue(cx).map(Err);
        };
        let answer = answer.take().expect("an answer is given once");
        Poll::Ready(self.decoded(message).map(|message| (message, answer)))
    }

    /// Decodes a small answer, which whatever has brought it pays for.
    fn decode(&self, body: Bytes, content_type: u32) -> Result<Resp> {
        match (content_type, self.call.from_json) {
            (0, _) => self.decoded(Resp::read_from(body).map_err(Undecoded::Message)),
            (JSON, Some(from_json)) => self.decoded(from_json(&body).map_err(Undecoded::Json)),
            // PROTOCOL 36
            (other, _) => Err(self.not_asked_for(other)),
        }
    }

    #[inline]
    fn decoded(&self, message: Result<Resp, Undecoded>) -> Result<Resp> {
        message.map_err(|why| self.not_the_message(why))
    }

    #[cold]
    fn not_the_message(&self, why: Undecoded) -> Error {
        let name = std::any::type_name::<Resp>();
        match why {
            Undecoded::Message(error) => {
                self.undecodable(format!("the answer is not a {name}")).with_source(error)
            }
            Undecoded::Json(error) => self
                .undecodable(format!("the answer is not the JSON of a {name}"))
                .with_source(error),
        }
    }

    #[cold]
    fn not_asked_for(&self, content_type: u32) -> Error {
        let text =
            format!("the answer has content_type {content_type}, which the call did not ask for");
        self.undecodable(text)
    }

    #[cold]
    fn undecodable(&self, text: String) -> Error {
        self.subject().error(ErrorKind::Decode, Origin::Peer, Reason::Decode, text)
    }
}
