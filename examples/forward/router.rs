//! A service that answers nothing itself: each call goes on to another server.
//!
//! It is transparent: metadata and the remaining time go up with `cx.child()`, trailing metadata
//! comes back down, an error from above is returned as it is and with its metadata, a message is
//! read only when the one before it has been written, and both directions of a stream run at once.
//! A client that goes away drops the handler, and with it the call above.

use trill::{
    AsyncReader, AsyncReaderWriter, AsyncWriter, Channel, Context, Error, Message, Result,
};
use trill_examples::greeter::{
    Greeter, GreeterClient, HelloReply, HelloRequest, StreamGreeter, StreamGreeterClient,
};

/// Forwards both greeter services.
#[derive(Clone)]
pub(crate) struct Router {
    greeter: GreeterClient,
    streams: StreamGreeterClient,
}

impl Router {
    pub(crate) fn new(upstream: Channel) -> Self {
        Self {
            greeter: GreeterClient::new(upstream.clone()),
            streams: StreamGreeterClient::new(upstream),
        }
    }
}

impl Greeter for Router {
    async fn say_hello(&self, cx: Context, req: HelloRequest) -> Result<HelloReply> {
        let call =
            self.greeter.say_hello(req).options(cx.child()).attachment(cx.attachment().clone());
        let answer = call.response().await.map_err(|error| passed_on(&cx, error))?;
        cx.extend_initial_metadata(answer.initial_metadata);
        cx.extend_metadata(answer.metadata);
        cx.set_attachment(answer.attachment);
        Ok(answer.message)
    }
}

impl StreamGreeter for Router {
    async fn client_stream_say_hello(
        &self,
        cx: Context,
        mut reader: AsyncReader<HelloRequest>,
    ) -> Result<HelloReply> {
        let (writer, reply) = self.streams.client_stream_say_hello().options(cx.child()).await?;
        let answer = reply.response();
        tokio::pin!(answer);
        let answer = tokio::select! {
            // An answer may come before the client is done; then there is no need to hear the rest.
            answer = &mut answer => answer,
            sent = pump_and_finish(&mut reader, writer) => outcome(sent, answer).await,
        };
        let answer = answer.map_err(|error| passed_on(&cx, error))?;
        cx.extend_initial_metadata(answer.initial_metadata);
        cx.extend_metadata(answer.metadata);
        Ok(answer.message)
    }

    async fn server_stream_say_hello(
        &self,
        cx: Context,
        req: HelloRequest,
        mut writer: AsyncWriter<HelloReply>,
    ) -> Result<()> {
        let mut reader = self.streams.server_stream_say_hello(req).options(cx.child()).await?;
        cx.extend_initial_metadata(reader.initial_metadata().await?);
        pump(&mut reader, &mut writer).await.map_err(|error| passed_on(&cx, error))?;
        send_trailer_back(&cx, &reader);
        Ok(())
    }

    async fn bidi_stream_say_hello(
        &self,
        cx: Context,
        rw: AsyncReaderWriter<HelloRequest, HelloReply>,
    ) -> Result<()> {
        let (mut requests, mut replies) = rw.split();
        let (mut from_above, to_above) =
            self.streams.bidi_stream_say_hello().options(cx.child()).await?.split();
        let up = pump_and_finish(&mut requests, to_above);
        {
            let down = pump(&mut from_above, &mut replies);
            tokio::pin!(down);
            // The stream ends when the server above ends it, whether or not the client has more to
            // say.
            let done = tokio::select! {
                done = &mut down => done,
                sent = up => outcome(sent, down).await,
            };
            done.map_err(|error| passed_on(&cx, error))?;
        }
        send_trailer_back(&cx, &from_above);
        Ok(())
    }
}

/// Moves messages until the reader's peer has said all. A full window on one side stops the reading
/// on the other.
async fn pump<T: Message>(from: &mut AsyncReader<T>, to: &mut AsyncWriter<T>) -> Result<()> {
    while let Some(message) = from.read().await? {
        to.write(message).await?;
    }
    Ok(())
}

/// Passes on the end, too.
async fn pump_and_finish<T: Message>(
    from: &mut AsyncReader<T>,
    mut to: AsyncWriter<T>,
) -> Result<()> {
    pump(from, &mut to).await?;
    to.finish().await
}

/// The answer of the server above counts. If it is a failure, the error on the way up is the
/// reason.
async fn outcome<T>(sent: Result<()>, answer: impl Future<Output = Result<T>>) -> Result<T> {
    match sent {
        Ok(()) => answer.await,
        Err(error) => answer.await.map_err(|_| error),
    }
}

fn send_trailer_back<T: Message>(cx: &Context, reader: &AsyncReader<T>) {
    if let Some(metadata) = reader.metadata() {
        cx.extend_metadata(metadata.clone());
    }
}

/// The error of the server above, whose metadata goes back with it.
fn passed_on(cx: &Context, error: Error) -> Error {
    cx.extend_metadata(error.metadata().clone());
    error
}
