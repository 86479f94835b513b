//! The server's side of a call: run the handler, end the call with its outcome.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Poll};

use bytes::Bytes;

use crate::driver::{
    Ending, IncomingCall, IncomingStream, Link, Outcome, SendError, UnaryContent, pay,
};
use crate::error::{At, ErrorKind, Origin, Reason, Result, panic_text};
use crate::metadata::Metadata;
use crate::service::{CallRef, MethodSpec, ServiceSpec};
use crate::stream::{
    AsyncReader, AsyncReaderWriter, AsyncWriter, Compression, EncodeOnce, FromJson, JsonMessage,
    LARGE_TO_COMPRESS, Message, OwnWriter, StreamRef, Subject, ToJson, elsewhere, outcome_of,
    send_error, wire_encoding,
};

use super::context::{Context, Extras};
use super::guard::{Ended, Finished, ServerGuard};
use super::request::{RequestAccount, RequestBody};
use super::run::{Started, StreamRun, log_fit, panicked, run, start_at_once};
use super::server_state::ServerState;

/// The bytes of an answer for which a unit of tokio's budget pays: half a megabyte is a turn's
/// work, a quarter of a millisecond.
const ENCODED: usize = 4 * 1024;

/// An answer from this size on is written elsewhere: that takes a millisecond.
const LARGE: usize = 1024 * 1024;

/// A call that has arrived, in the hands of the generated code, which names the types and the
/// handler.
///
/// A call that has to wait does so in a task of its own, so that no handler delays another. The
/// task ends when the handler does, or when nobody waits for the outcome any more. A one-way call,
/// for which nobody waits, runs to its end, its deadline or the server's shutdown, also when its
/// caller is gone.
#[derive(Debug)]
pub struct ServerCall {
    guard: ServerGuard,
    incoming: CallOrStream,
    /// A unary call begins here and now; what else begins, begins in a task.
    at_once: bool,
}

#[derive(Debug)]
enum CallOrStream {
    Call { call: CallRef, body: Bytes },
    Stream(StreamRef),
}

impl ServerCall {
    pub(super) fn unary_call(
        link: Link,
        call: IncomingCall,
        (service, method): (&'static ServiceSpec, &'static MethodSpec),
        server_state: Arc<ServerState>,
        at_once: bool,
    ) -> Self {
        let peer = link.peer().clone();
        // The router has refused what is not known.
        let compression =
            Compression::of_body(call.head.content_encoding, &call.body).ok().flatten();
        let IncomingCall { key, one_way, head, deadline, body, attachment, .. } = call;
        let cx = Context::new(
            (service, method),
            head,
            peer,
            deadline,
            attachment,
            compression,
            server_state,
        );
        let held = CallRef::new(link, key);
        let incoming = CallOrStream::Call { call: held, body };
        Self { guard: ServerGuard::begin(cx, one_way), incoming, at_once }
    }

    pub(super) fn stream(
        link: Link,
        stream: IncomingStream,
        (service, method): (&'static ServiceSpec, &'static MethodSpec),
        server_state: Arc<ServerState>,
    ) -> Self {
        let peer = link.peer().clone();
        // PROTOCOL 33
        let compression = Compression::from_wire(stream.head.content_encoding).ok().flatten();
        let IncomingStream { key, head, deadline, .. } = stream;
        let cx = Context::new(
            (service, method),
            head,
            peer,
            deadline,
            Bytes::new(),
            compression,
            server_state,
        );
        let held = StreamRef::of_server(link, key, method.path, compression);
        let guard = ServerGuard::begin(cx, false);
        Self { guard, incoming: CallOrStream::Stream(held), at_once: false }
    }

    /// Runs the handler of a unary method.
    pub fn unary<Req, Resp, F, Fut>(self, handler: F) -> Started
    where
        Req: Message,
        Resp: Message,
        F: FnOnce(Context, Req) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Resp>> + Send + 'static,
    {
        self.run_call(None, None, handler)
    }

    /// Runs the handler of a unary method that takes and gives JSON as well.
    pub fn unary_json<Req, Resp, F, Fut>(self, handler: F) -> Started
    where
        Req: JsonMessage,
        Resp: JsonMessage,
        F: FnOnce(Context, Req) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Resp>> + Send + 'static,
    {
        self.run_call(Some(Req::from_json), Some(Resp::to_json), handler)
    }

    /// Runs the handler of a one-way method.
    pub fn oneway<Req, F, Fut>(self, handler: F) -> Started
    where
        Req: Message,
        F: FnOnce(Context, Req) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.run_call(None, None, handler)
    }

    /// Runs the handler of a one-way method that takes JSON as well.
    pub fn oneway_json<Req, F, Fut>(self, handler: F) -> Started
    where
        Req: JsonMessage,
        F: FnOnce(Context, Req) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        // For a caller who calls it as a unary method: an answer without fields.
        self.run_call(Some(Req::from_json), Some(|()| Ok(Bytes::from_static(b"{}"))), handler)
    }

    /// Runs the handler of a client stream.
    pub fn client_stream<Req, Resp, F, Fut>(self, handler: F) -> Started
    where
        Req: Message,
        Resp: Message,
        F: FnOnce(Context, AsyncReader<Req>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Resp>> + Send + 'static,
    {
        self.run_stream(|cx, stream| async move {
            let answer = handler(cx.clone(), AsyncReader::new(stream.clone())).await?;
            let mut writer = AsyncWriter::new(stream);
            let mut write = writer.write(answer);
            encoding(&cx, |task| Pin::new(&mut write).poll(task)).await?
        })
    }

    /// Runs the handler of a server stream.
    pub fn server_stream<Req, Resp, F, Fut>(self, handler: F) -> Started
    where
        Req: Message,
        Resp: Message,
        F: FnOnce(Context, Req, AsyncWriter<Resp>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.run_stream(|cx, stream| async move {
            // PROTOCOL 30
            // One request, and no waiting for the client's half-close: tRPC-Cpp clients do not send
            // it.
            let mut reader = AsyncReader::<Req>::new(stream.clone());
            let Some(body) = reader.read_body().await? else {
                let text = "the client ended the stream without a request";
                return Err(stream.subject().error(
                    ErrorKind::Protocol,
                    Origin::Peer,
                    Reason::Decode,
                    text,
                ));
            };
            drop(reader);
            let (request, account) =
                (RequestBody::of_stream(body, &stream)?, RequestAccount::Stream(&stream));
            let request = match request.decode(None, account) {
                Ok(decoded) => decoded?,
                Err(request) => Box::pin(request.decode_elsewhere(None, account)).await?,
            };
            handler(cx, request, AsyncWriter::new(stream)).await
        })
    }

    /// Runs the handler of a bidirectional stream.
    pub fn bidi<Req, Resp, F, Fut>(self, handler: F) -> Started
    where
        Req: Message,
        Resp: Message,
        F: FnOnce(Context, AsyncReaderWriter<Req, Resp>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.run_stream(|cx, stream| handler(cx, AsyncReaderWriter::new(stream)))
    }

    /// Answers that the table and the dispatch of the service disagree. Generated code never gets
    /// here.
    pub fn unknown_method(self) -> Started {
        let Self { mut guard, incoming, .. } = self;
        let text = format!("{} has no handler at {}", guard.method(), guard.peer());
        let outcome = Outcome::failed(Reason::NoMethod, text);
        guard.end_refused(&outcome);
        match incoming {
            CallOrStream::Call { call, .. } => call.refuse(outcome, &[]),
            CallOrStream::Stream(stream) => stream.close(outcome),
        };
        Started::Done
    }

    /// The router lets JSON through where the generated code has named its codec.
    fn run_call<Req, Resp, F, Fut>(
        self,
        from_json: Option<FromJson<Req>>,
        to_json: Option<ToJson<Resp>>,
        handler: F,
    ) -> Started
    where
        Req: Message,
        Resp: Message,
        F: FnOnce(Context, Req) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Resp>> + Send + 'static,
    {
        let Self { guard, incoming, at_once } = self;
        let CallOrStream::Call { call, body } = incoming else {
            unreachable!("the router knows unary from stream")
        };
        let json = if guard.is_json() { (from_json, to_json) } else { (None, None) };
        let (from_json, to_json) = json;
        let call = move || async move {
            let mut guard = guard;
            let work = {
                let (cx, call) = (guard.cx().clone(), &call);
                async move {
                    let mut request = RequestBody::of_call(body);
                    if let Some(compression) = cx.compression() {
                        request = Box::pin(request.unpacked(compression, call)).await?;
                    }
                    let request = match request.decode(from_json, RequestAccount::Call(call)) {
                        Ok(decoded) => decoded?,
                        Err(request) => {
                            Box::pin(
                                request.decode_elsewhere(from_json, RequestAccount::Call(call)),
                            )
                            .await?
                        }
                    };
                    handler(cx, request).await
                }
            };
            let finished = run(work, |task| call.poll_ended(task)).await;
            let finished = if guard.is_one_way() {
                finished.without_answer()
            } else {
                reply(call, guard.cx(), to_json, finished).await
            };
            guard.end(&finished);
        };
        if at_once {
            return start_at_once(call);
        }
        tokio::spawn(call());
        Started::Done
    }

    fn run_stream<Fut>(
        self,
        start: impl FnOnce(Context, StreamRef) -> Fut + Send + 'static,
    ) -> Started
    where
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let Self { guard, incoming, .. } = self;
        let CallOrStream::Stream(stream) = incoming else {
            unreachable!("the router knows unary from stream")
        };
        let work = start(guard.cx().clone(), stream.clone());
        tokio::spawn(StreamRun::new(work, guard, stream));
        Started::Done
    }
}

/// Answers a unary call, and gives its end.
async fn reply<Resp: Message>(
    mut call: CallRef,
    cx: &Context,
    to_json: Option<ToJson<Resp>>,
    finished: Finished<Resp>,
) -> Ended {
    let extras = cx.take_extras();
    let message = match finished {
        Finished::Done(Ok(message)) => message,
        finished => return refuse(&call, cx, extras, finished.without_answer()),
    };
    let compression = extras.compression.unwrap_or(cx.compression());
    let mut message = EncodeOnce::Message(message);
    let mut size = match encode(cx, || message.size()) {
        Ok(size) => size,
        Err(panicked) => return fail(&call, cx, panicked.into()),
    };
    if size >= LARGE || to_json.is_some() || compression.is_some() {
        message = match Box::pin(encoded(message, size, to_json, compression, cx, &call)).await {
            Ok(encoded) => encoded,
            Err(failed) => return fail(&call, cx, failed),
        };
        size = message.size();
    }
    let content_encoding = wire_encoding(compression, size);
    // PROTOCOL 13
    let (initial, metadata) = (extras.initial, extras.metadata);
    let mut outcome = Outcome { initial, metadata, ..Outcome::default() };
    let replied = encoding(cx, |task| {
        let content = UnaryContent { len: size, body: &message, attachment: &extras.attachment };
        call.poll_reply(&mut outcome, content_encoding, content, task)
    });
    match replied.await {
        Ok(replied) => {
            pay(size / ENCODED);
            match replied {
                Ok(()) => Ok(()),
                // No caller is left to be answered.
                Err(SendError::Ended(ending)) => Err(Box::new(Finished::Cancelled(ending))),
                Err(error) => fail(&call, cx, not_sent(error, cx, &call)),
            }
        }
        Err(panicked) => fail(&call, cx, panicked.into()),
    }
}

/// Answers a unary call whose handler has no message for it.
#[cold]
fn refuse(call: &CallRef, cx: &Context, extras: Extras, ended: Ended) -> Ended {
    let finished = ended.expect_err("without a message it has not ended well");
    match &*finished {
        Finished::Done(Err(error)) => {
            let outcome = outcome_of(error, (cx.method(), cx.peer().as_str()), extras.metadata);
            let outcome = Outcome { initial: extras.initial, ..outcome };
            log_fit(cx, &call.refuse(outcome, &extras.attachment));
        }
        Finished::Panicked(_) => drop(call.refuse(panicked(cx.method()), &[])),
        // PROTOCOL 10
        Finished::Cancelled(Ending::Deadline) => {
            let text = "the time the caller allows has passed";
            let outcome = Outcome::failed(Reason::Deadline.at(At::ServerCall), text);
            call.refuse(outcome, &[]);
        }
        // The connection is gone, and with it the caller.
        Finished::Cancelled(_) => {}
        Finished::Done(Ok(())) | Finished::NotSent(_) => unreachable!("there is no message"),
    }
    Err(finished)
}

/// Answers a unary call whose message cannot be sent.
#[cold]
fn fail(call: &CallRef, cx: &Context, failed: Box<Finished<()>>) -> Ended {
    if let Finished::Done(Err(error)) | Finished::NotSent(error) = &*failed {
        call.refuse(outcome_of(error, (cx.method(), cx.peer().as_str()), Metadata::new()), &[]);
    }
    Err(failed)
}

#[cold]
fn not_sent(error: SendError, cx: &Context, call: &CallRef) -> Box<Finished<()>> {
    let subject = Subject {
        method: Cow::Borrowed(cx.method()),
        peer: call.link().peer_text(),
        client: false,
        stream: false,
        writing: OwnWriter::None,
        limit: None,
    };
    Box::new(Finished::NotSent(send_error(error, &subject)))
}

/// Writes a large answer, or one that is compressed or JSON. Long work is done where that keeps no
/// task from its turn, and the answer counts meanwhile.
async fn encoded<Resp: Message>(
    mut message: EncodeOnce<Resp>,
    size: usize,
    to_json: Option<ToJson<Resp>>,
    compression: Option<Compression>,
    cx: &Context,
    call: &CallRef,
) -> Result<EncodeOnce<Resp>, Box<Finished<()>>> {
    let limit = if compression.is_some() || to_json.is_some() { LARGE_TO_COMPRESS } else { LARGE };
    let encoded = if size < limit {
        encode(cx, || message.encode_as(to_json, compression).map(|()| message))?
    } else {
        call.hold_answer(size).map_err(|error| not_sent(error, cx, call))?;
        let work = move || message.encode_as(to_json, compression).map(|()| message.into_encoded());
        let mut round = pin!(elsewhere(call.link().peer_key(), work));
        encoding(cx, |task| round.as_mut().poll(task)).await?
    };
    encoded.map_err(|error| {
        let text = format!("the answer cannot be written as JSON: {error}");
        Box::new(Finished::NotSent(Reason::Encode.at(At::ServerCall).with_message(text).into()))
    })
}

/// Runs what encodes an answer. The message's code may panic, as a handler's may: the log says so,
/// and so does the error.
fn encode<R>(cx: &Context, part: impl FnOnce() -> R) -> Result<R> {
    catch_unwind(AssertUnwindSafe(part)).map_err(|panic| {
        let (method, peer) = (cx.method(), cx.peer());
        tracing::error!(method, %peer, panic = panic_text(&*panic), "an answer could not be encoded: it panicked");
        let text = format!("the answer of {method} could not be encoded: it panicked");
        Reason::Encode.at(At::ServerCall).with_message(text).into()
    })
}

/// The same for what waits.
async fn encoding<R>(
    cx: &Context,
    mut poll: impl FnMut(&mut task::Context<'_>) -> Poll<R>,
) -> Result<R> {
    poll_fn(|task| match encode(cx, || poll(task)) {
        Ok(polled) => polled.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}
