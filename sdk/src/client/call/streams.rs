//! The three kinds of streams, as a client's calls.

mod opening;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use crate::clock::wait_until;
use crate::driver::Ending;
use crate::error::{Error, ErrorKind, Origin, Reason, Result};
use crate::service::CallOptions;
use crate::stream::{
    AsyncReader, AsyncReaderWriter, AsyncWriter, CallEnd, Message, Reply, StreamRef,
};

use super::target::{Target, debug_as_name, options};

use opening::Open;

/// A client stream: set options, then `.await` it for the writer and the future answer.
///
/// Opening waits for room in the connection's outbox, as a call does, and then for one round trip:
/// the server's acceptance, never a message of its handler. Both together take `open_timeout` at
/// most. Nothing is sent before it is polled, and options that are set after the first poll have no
/// promised effect. **On drop** the stream is broken off.
#[must_use = "a stream does nothing unless it is awaited"]
pub struct ClientStream<Req, Resp> {
    open: Open,
    messages: PhantomData<fn(Req) -> Resp>,
}

/// A server stream: set options, then `.await` it for the reader.
///
/// Opening waits for room in the connection's outbox, as a call does, then for one round trip: the
/// server's acceptance, never a message of its handler; and then for room for the request. All
/// together take `open_timeout` at most. A connection that is lost before the request is sent is an
/// error; if the server has ended the stream, the reader says how. Nothing is sent before it is
/// polled, and options that are set after the first poll have no promised effect. **On drop** the
/// stream is broken off.
#[must_use = "a stream does nothing unless it is awaited"]
pub struct ServerStream<Req, Resp> {
    open: Open,
    /// Until the stream is open.
    request: Option<Req>,
    sending: Option<Sending<Resp>>,
}

/// A server stream that is open, and whose request is being sent.
type Sending<Resp> = Pin<Box<dyn Future<Output = Result<AsyncReader<Resp>>> + Send>>;

/// A bidirectional stream: set options, then `.await` it for the reader and writer.
///
/// Opening waits for room in the connection's outbox, as a call does, and then for one round trip:
/// the server's acceptance, never a message of its handler. Both together take `open_timeout` at
/// most. Nothing is sent before it is polled, and options that are set after the first poll have no
/// promised effect. **On drop** the stream is broken off.
#[must_use = "a stream does nothing unless it is awaited"]
pub struct Bidi<Req, Resp> {
    open: Open,
    messages: PhantomData<fn(Req) -> Resp>,
}

impl<Req: Message, Resp: Message> ClientStream<Req, Resp> {
    pub(super) fn new(target: Target) -> Self {
        Self { open: Open::new(target), messages: PhantomData }
    }

    options!();

    fn options_mut(&mut self) -> &mut CallOptions {
        &mut self.open.options
    }
}

impl<Req: Message, Resp: Message> Future for ClientStream<Req, Resp> {
    type Output = Result<(AsyncWriter<Req>, Reply<Resp>)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stream = ready!(self.get_mut().open.poll(cx))?;
        let reply = Reply::new(AsyncReader::new(stream.clone()));
        stream.begin_writing();
        Poll::Ready(Ok((AsyncWriter::new(stream), reply)))
    }
}

impl<Req: Message, Resp: Message> ServerStream<Req, Resp> {
    pub(super) fn new(target: Target, request: Req) -> Self {
        Self { open: Open::new(target), request: Some(request), sending: None }
    }

    options!();

    fn options_mut(&mut self) -> &mut CallOptions {
        &mut self.open.options
    }
}

// Nothing in it is ever pinned.
impl<Req, Resp> Unpin for ServerStream<Req, Resp> {}

impl<Req: Message, Resp: Message> Future for ServerStream<Req, Resp> {
    type Output = Result<AsyncReader<Resp>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { open, request, sending } = self.get_mut();
        if sending.is_none() {
            let stream = ready!(open.poll(cx))?;
            let request = request.take().expect("a stream is opened once");
            *sending = Some(Box::pin(send_request(stream, request)));
        }
        sending.as_mut().expect("it has begun").as_mut().poll(cx)
    }
}

/// Sends the only message that a server stream's client has, within the time that the stream has to
/// be opened.
async fn send_request<Req: Message, Resp: Message>(
    stream: StreamRef,
    request: Req,
) -> Result<AsyncReader<Resp>> {
    let reader = AsyncReader::new(stream.clone());
    let mut writer = AsyncWriter::new(stream.clone());
    let sent = before_open_timeout(&stream, writer.write(request)).await;
    // A server may end early. The messages that it sent before are there to be read, and so is its
    // end.
    if !matches!(stream.ending(), Some(Ending::Closed(_) | Ending::Reset(_))) {
        sent.inspect_err(|error| stream.tell_end(CallEnd::Failed(error)))?;
    }
    let _ = writer.finish().await;
    Ok(reader)
}

/// Waits for what opens a stream, within the time that it has for that.
async fn before_open_timeout(
    stream: &StreamRef,
    sending: impl Future<Output = Result<()>>,
) -> Result<()> {
    let mut sending = pin!(sending);
    // Most often there is room, and no need of a timer.
    if let Poll::Ready(sent) = futures::poll!(sending.as_mut()) {
        return sent;
    }
    match stream.link().open_by(stream.key()) {
        Some(by) => match wait_until(by, sending).await {
            Ok(Some(sent)) => sent,
            Ok(None) => Err(request_not_sent(stream)),
            Err(lack) => Err(stream.subject().no_timer(lack)),
        },
        None => sending.await,
    }
}

#[cold]
fn request_not_sent(stream: &StreamRef) -> Error {
    let (config, unsent) = (stream.link().config(), stream.link().buffered().unsent);
    let text = format!(
        "the stream was broken off, because its request could not be sent within {:?} (open_timeout): the \
         peer reads so little that {unsent} bytes wait for it (max_unsent_per_connection)",
        config.open_timeout,
    );
    stream.subject().error(ErrorKind::Timeout, Origin::Caller, Reason::Deadline, text)
}

impl<Req: Message, Resp: Message> Bidi<Req, Resp> {
    pub(super) fn new(target: Target) -> Self {
        Self { open: Open::new(target), messages: PhantomData }
    }

    options!();

    fn options_mut(&mut self) -> &mut CallOptions {
        &mut self.open.options
    }
}

impl<Req: Message, Resp: Message> Future for Bidi<Req, Resp> {
    type Output = Result<AsyncReaderWriter<Resp, Req>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stream = ready!(self.get_mut().open.poll(cx))?;
        Poll::Ready(Ok(AsyncReaderWriter::new(stream)))
    }
}

debug_as_name! {
    ClientStream<Req, Resp>;
    ServerStream<Req, Resp>;
    Bidi<Req, Resp>;
}
