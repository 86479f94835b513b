//! Calls with one request and at most one answer.

mod steps;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::driver::Answer;
use crate::error::Result;
use crate::service::CallOptions;
use crate::stream::{JsonMessage, Message, Response};

use super::target::{Target, debug_as_name, options};

use steps::CallFuture;

/// A unary call: set options, then `.await` it, or hand it to whatever takes a future.
///
/// Gives the answer's message; [`response`](Self::response) gives its metadata and attachment as
/// well. Nothing is sent before it is polled, and options that are set after the first poll have no
/// promised effect. **On drop** an answer that comes is thrown away. The handler is not told,
/// because the protocol has no word for that: it goes on until its deadline, which travels with the
/// request, or until the connection ends.
#[must_use = "a call does nothing unless it is awaited"]
pub struct Unary<Req, Resp> {
    call: CallFuture<Req, Resp>,
}

/// A one-way call: set options, then `.await` it, or hand it to whatever takes a future.
///
/// Ready once the request is queued for the socket; [`Channel::flush`](crate::Channel::flush) waits
/// until it is written there, which a program that ends needs. No answer tells whether it arrived,
/// or whether the handler succeeded. Options that are set after the first poll have no promised
/// effect.
#[must_use = "a call does nothing unless it is awaited"]
pub struct OneWay<Req> {
    call: CallFuture<Req, ()>,
}

impl<Req: Message, Resp: Message> Unary<Req, Resp> {
    pub(super) fn new(target: Target, request: Req) -> Self {
        Self { call: CallFuture::new(target, request, false) }
    }

    options!();

    /// Sends bytes beside the request, uncompressed and unencoded.
    pub fn attachment(mut self, attachment: impl Into<Bytes>) -> Self {
        self.call.call.attachment = attachment.into();
        self
    }

    /// Sends the request as JSON, and wants the answer so: for servers that know nothing else. A
    /// method of Trill takes it if it is marked with `json`. Needs the feature `json`.
    pub fn json(mut self) -> Self
    where
        Req: JsonMessage,
        Resp: JsonMessage,
    {
        self.call.call.to_json = Some(Req::to_json);
        self.call.call.from_json = Some(Resp::from_json);
        self
    }

    /// The call as a future of the whole answer: message, metadata and attachment.
    pub fn response(self) -> ResponseFuture<Req, Resp> {
        ResponseFuture { call: self.call }
    }

    fn options_mut(&mut self) -> &mut CallOptions {
        &mut self.call.call.options
    }
}

impl<Req: Message> OneWay<Req> {
    pub(super) fn new(target: Target, request: Req) -> Self {
        Self { call: CallFuture::new(target, request, true) }
    }

    options!();

    /// Sends bytes beside the request, uncompressed and unencoded.
    pub fn attachment(mut self, attachment: impl Into<Bytes>) -> Self {
        self.call.call.attachment = attachment.into();
        self
    }

    /// Sends the request as JSON. A method of Trill takes it if it is marked with `json`. Needs the
    /// feature `json`.
    pub fn json(mut self) -> Self
    where
        Req: JsonMessage,
    {
        self.call.call.to_json = Some(Req::to_json);
        self
    }

    fn options_mut(&mut self) -> &mut CallOptions {
        &mut self.call.call.options
    }
}

/// The future of a unary call: the whole answer.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<Req, Resp> {
    call: CallFuture<Req, Resp>,
}

impl<Req: Message, Resp: Message> Future for Unary<Req, Resp> {
    type Output = Result<Resp>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.call.poll_response(cx));
        self.call.finish(&response);
        Poll::Ready(response.map(|(message, _)| message))
    }
}

impl<Req: Message, Resp: Message> Future for ResponseFuture<Req, Resp> {
    type Output = Result<Response<Resp>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.call.poll_response(cx));
        self.call.finish(&response);
        Poll::Ready(response.map(|(message, answer)| {
            let Answer { outcome, attachment, .. } = answer;
            Response::new(message, outcome.initial, outcome.metadata, attachment)
        }))
    }
}

impl<Req: Message> Future for OneWay<Req> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let sent = ready!(self.call.poll_sent(cx));
        self.call.finish(&sent);
        Poll::Ready(sent)
    }
}

debug_as_name! {
    Unary<Req, Resp>;
    OneWay<Req>;
    ResponseFuture<Req, Resp>;
}
