//! Two small services with all kinds of calls.
//!
//! They are those of tRPC-Cpp's examples, names, messages and texts alike, so that its programs can
//! talk to these.

use trill::prost::Message;
use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Context, Result};

/// A question.
#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "::trill::prost")]
pub struct HelloRequest {
    /// The text.
    #[prost(string, tag = "1")]
    pub msg: String,
}

/// An answer.
#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "::trill::prost")]
pub struct HelloReply {
    /// The text.
    #[prost(string, tag = "1")]
    pub msg: String,
}

/// One question, one answer.
#[trill::service(package = "trpc.test.helloworld")]
pub trait Greeter {
    /// Greets whoever is named.
    async fn say_hello(&self, cx: Context, req: HelloRequest) -> Result<HelloReply>;
}

/// Questions and answers on streams.
#[trill::service(package = "trpc.test.helloworld")]
pub trait StreamGreeter {
    /// Counts what the caller says, and answers at the end.
    async fn client_stream_say_hello(
        &self,
        cx: Context,
        reader: AsyncReader<HelloRequest>,
    ) -> Result<HelloReply>;

    /// Answers ten times.
    async fn server_stream_say_hello(
        &self,
        cx: Context,
        req: HelloRequest,
        writer: AsyncWriter<HelloReply>,
    ) -> Result<()>;

    /// Answers each message as it comes.
    async fn bidi_stream_say_hello(
        &self,
        cx: Context,
        rw: AsyncReaderWriter<HelloRequest, HelloReply>,
    ) -> Result<()>;
}

/// Implements both services.
#[derive(Clone, Copy, Debug, Default)]
pub struct MyGreeter;

impl Greeter for MyGreeter {
    async fn say_hello(&self, _cx: Context, req: HelloRequest) -> Result<HelloReply> {
        Ok(reply(format!("Hello, {}", req.msg)))
    }
}

impl StreamGreeter for MyGreeter {
    async fn client_stream_say_hello(
        &self,
        _cx: Context,
        mut reader: AsyncReader<HelloRequest>,
    ) -> Result<HelloReply> {
        let mut heard = Heard::default();
        while let Some(req) = reader.read().await? {
            heard.add(&req);
        }
        Ok(heard.summary())
    }

    async fn server_stream_say_hello(
        &self,
        _cx: Context,
        req: HelloRequest,
        mut writer: AsyncWriter<HelloReply>,
    ) -> Result<()> {
        for i in 1..=10 {
            writer.write(reply(format!(" reply: {}#{i}", req.msg))).await?;
        }
        writer.finish().await
    }

    async fn bidi_stream_say_hello(
        &self,
        _cx: Context,
        mut rw: AsyncReaderWriter<HelloRequest, HelloReply>,
    ) -> Result<()> {
        let mut heard = Heard::default();
        while let Some(req) = rw.read().await? {
            heard.add(&req);
            rw.write(reply(format!(" reply:{}, received bytes:{}", heard.count, heard.bytes)))
                .await?;
        }
        rw.write(heard.summary()).await
    }
}

/// The number and length of the messages of a stream so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    /// How many messages came.
    pub count: u64,
    /// How long their texts are together.
    pub bytes: usize,
}

impl Heard {
    /// Takes one more into account.
    pub fn add(&mut self, req: &HelloRequest) {
        self.count += 1;
        self.bytes += req.msg.len();
    }

    /// The server's answer at the end of a stream.
    #[must_use]
    pub fn summary(&self) -> HelloReply {
        let Self { count, bytes } = self;
        reply(format!(
            "server got EOF, reply to client, server got request, count:{count}, received bytes:{bytes}"
        ))
    }
}

/// A question with this text.
pub fn request(msg: impl Into<String>) -> HelloRequest {
    HelloRequest { msg: msg.into() }
}

/// An answer with this text.
pub fn reply(msg: impl Into<String>) -> HelloReply {
    HelloReply { msg: msg.into() }
}
