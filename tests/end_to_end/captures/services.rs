//! The services of the recorded servers, without those of the greeter's example.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use trill::prost::Message;
use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Context, Result, Status};
use trill_examples::greeter::{HelloReply, HelloRequest, StreamGreeter, reply};

/// The message of both services: a text (or bytes) and a number.
#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "::trill::prost")]
pub(super) struct Note {
    #[prost(string, tag = "1")]
    pub(super) text: String,
    #[prost(uint32, tag = "2")]
    pub(super) number: u32,
}

#[trill::service(package = "trpc.test.cap")]
pub(super) trait Cap {
    async fn say(&self, cx: Context, request: Note) -> Result<Note>;
    async fn up(&self, cx: Context, reader: AsyncReader<Note>) -> Result<Note>;
    async fn down(&self, cx: Context, request: Note, writer: AsyncWriter<Note>) -> Result<()>;
}

/// The same service for clients that do not want to hear what it says: there is one method, and
/// each call of it may be one-way.
#[trill::service(package = "trpc.test.cap", name = "Cap")]
pub(super) trait Deaf {
    #[rpc(oneway)]
    async fn say(&self, cx: Context, request: Note) -> Result<()>;
}

#[trill::service(package = "trpc.bench.echo")]
pub(super) trait Bench {
    async fn upload(&self, cx: Context, reader: AsyncReader<Note>) -> Result<Note>;
    async fn download(&self, cx: Context, request: Note, writer: AsyncWriter<Note>) -> Result<()>;
}

/// Does what the recorded servers did.
#[derive(Debug)]
pub(super) struct Recital {
    /// The permits for calls that say "slow".
    slow: Arc<Semaphore>,
    heard: mpsc::UnboundedSender<String>,
}

impl Recital {
    /// The service, what lets the slow ones go, and what it hears.
    pub(super) fn new() -> (Self, Arc<Semaphore>, mpsc::UnboundedReceiver<String>) {
        let (slow, (heard, reports)) = (Arc::new(Semaphore::new(0)), mpsc::unbounded_channel());
        (Self { slow: Arc::clone(&slow), heard }, slow, reports)
    }
}

#[trill::service]
impl Cap for Recital {
    async fn say(&self, cx: Context, request: Note) -> Result<Note> {
        // Most tests do not listen.
        let _ = self.heard.send(request.text.clone());
        if request.text == "slow" {
            self.slow.acquire().await.expect("nobody closes it").forget();
        }
        for (key, value) in cx.metadata().iter() {
            cx.set_metadata(format!("echo-{key}"), value.to_vec())?;
            cx.set_metadata("rsp-key", "rsp-value")?;
        }
        cx.set_attachment(cx.attachment().clone());
        Ok(Note { text: format!("re:{}", request.text), number: request.number })
    }

    async fn up(&self, _cx: Context, mut reader: AsyncReader<Note>) -> Result<Note> {
        let (mut number, mut bytes) = (0, 0);
        while let Some(note) = reader.read().await? {
            (number, bytes) = (number + 1, bytes + note.text.len());
        }
        Ok(Note { text: format!("got {bytes} bytes"), number })
    }

    async fn down(&self, cx: Context, request: Note, mut writer: AsyncWriter<Note>) -> Result<()> {
        for number in 0..request.number {
            writer.write(Note { text: request.text.clone(), number }).await?;
        }
        cx.set_metadata("stream-rsp-key", "v")?;
        Ok(())
    }
}

/// Counts what comes, and sends as much as it is asked for: the text starts with the size of a
/// message.
pub(super) struct MyBench;

#[trill::service]
impl Bench for MyBench {
    async fn upload(&self, _cx: Context, mut reader: AsyncReader<Note>) -> Result<Note> {
        let mut number = 0;
        while reader.read().await?.is_some() {
            number += 1;
        }
        Ok(Note { text: String::new(), number })
    }

    async fn download(
        &self,
        _cx: Context,
        request: Note,
        mut writer: AsyncWriter<Note>,
    ) -> Result<()> {
        let size = request.text.split(',').next().and_then(|size| size.parse().ok());
        let size = size.ok_or_else(|| Status::app(1, "the text does not start with a size"))?;
        for number in 0..request.number {
            writer.write(Note { text: "x".repeat(size), number }).await?;
        }
        Ok(())
    }
}

/// The greeter of their asynchronous server, which has texts of its own.
pub(super) struct MergeGreeter;

#[trill::service]
impl StreamGreeter for MergeGreeter {
    async fn client_stream_say_hello(
        &self,
        _cx: Context,
        mut reader: AsyncReader<HelloRequest>,
    ) -> Result<HelloReply> {
        let (mut count, mut bytes) = (0, 0);
        while let Some(request) = reader.read().await? {
            (count, bytes) = (count + 1, bytes + request.msg.len());
        }
        Ok(reply(format!("get {count} requests, {bytes} bytes")))
    }

    async fn server_stream_say_hello(
        &self,
        _cx: Context,
        request: HelloRequest,
        mut writer: AsyncWriter<HelloReply>,
    ) -> Result<()> {
        for number in 1..=10 {
            writer.write(reply(format!("{}#{number}", request.msg))).await?;
        }
        Ok(())
    }

    async fn bidi_stream_say_hello(
        &self,
        _cx: Context,
        _rw: AsyncReaderWriter<HelloRequest, HelloReply>,
    ) -> Result<()> {
        Err(Status::app(1, "nobody recorded it").into())
    }
}
