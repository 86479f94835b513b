//! The service that the tests call, and ways to serve it.

use std::time::Duration;

use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Channel, Code, Context, Result, Server, Status};

/// A message with a text.
#[derive(Clone, PartialEq, Eq, trill::prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[prost(prost_path = "::trill::prost")]
pub struct Text {
    /// The text.
    #[prost(string, tag = "1")]
    // Its name in the `.proto` of tRPC-Go's own test data, which our Go programs use.
    #[serde(rename = "msg")]
    pub text: String,
}

/// Makes a [`Text`].
pub fn text(text: impl Into<String>) -> Text {
    Text { text: text.into() }
}

/// One method of each kind. What a handler does is said by the messages it gets; see [`Obedient`].
#[trill::service(package = "test.all", json)]
pub trait Everything {
    /// One request, one answer.
    async fn unary(&self, cx: Context, request: Text) -> Result<Text>;

    /// One request, no answer.
    #[rpc(oneway)]
    async fn notify(&self, cx: Context, request: Text) -> Result<()>;

    /// Many requests, one answer.
    async fn upload(&self, cx: Context, reader: AsyncReader<Text>) -> Result<Text>;

    /// One request, many answers.
    async fn download(&self, cx: Context, request: Text, writer: AsyncWriter<Text>) -> Result<()>;

    /// Many requests, many answers.
    async fn talk(&self, cx: Context, rw: AsyncReaderWriter<Text, Text>) -> Result<()>;
}

/// A service that nobody serves.
#[trill::service(package = "test.all")]
pub trait Absent {
    /// Never called.
    async fn unary(&self, cx: Context, request: Text) -> Result<Text>;

    /// Never called.
    async fn talk(&self, cx: Context, rw: AsyncReaderWriter<Text, Text>) -> Result<()>;
}

/// Nothing but a one-way method.
#[trill::service(package = "test.all")]
pub trait Hints {
    /// One request, no answer.
    #[rpc(oneway)]
    async fn hint(&self, cx: Context, request: Text) -> Result<()>;
}

/// Does what it is told: `error 7 why` (application code), `fail 31 why` (framework code), `panic`, `hang`, `sleep 50`
/// (milliseconds), `count 10` (writes ten messages), `large 1000` (answers with so many bytes), `meta key value` (sends it back),
/// `attach` (sends the attachment back), `done` (returns), or anything else, which is echoed.
///
/// It tells what became of its handlers through a channel.
#[derive(Debug)]
pub struct Obedient {
    log: tokio::sync::mpsc::UnboundedSender<String>,
}

/// What the handlers of an [`Obedient`] report.
pub type Log = tokio::sync::mpsc::UnboundedReceiver<String>;

impl Obedient {
    /// A service and its reports.
    #[must_use]
    pub fn new() -> (Self, Log) {
        let (log, reports) = tokio::sync::mpsc::unbounded_channel();
        (Self { log }, reports)
    }

    fn report(&self, what: impl Into<String>) {
        // A test that does not listen does not mind.
        let _ = self.log.send(what.into());
    }

    /// Reports when it is dropped before its handler has ended.
    fn watch(&self, method: &'static str) -> Watch {
        Watch { method, log: self.log.clone(), ended: false }
    }

    async fn obey(&self, cx: &Context, order: &str) -> Result<Text> {
        let mut words = order.splitn(3, ' ');
        let (verb, first, rest) = (words.next().unwrap_or(""), words.next(), words.next().unwrap_or(""));
        let number = || first.and_then(|word| word.parse().ok()).unwrap_or(0_i32);
        match verb {
            "error" => Err(Status::app(number(), rest).into()),
            "fail" => Err(Status::new(Code(number()), rest).into()),
            "panic" => panic!("as told"),
            "hang" => std::future::pending().await,
            "sleep" => {
                tokio::time::sleep(Duration::from_millis(number().unsigned_abs().into())).await;
                Ok(text("slept"))
            }
            "large" => Ok(text("x".repeat(number().unsigned_abs() as usize))),
            "meta" => {
                cx.set_metadata(first.unwrap_or(""), rest.to_owned());
                let seen: Vec<_> = cx
                    .metadata()
                    .iter()
                    .map(|(key, value)| format!("{key}={}", value.escape_ascii()))
                    .collect();
                Ok(text(seen.join(",")))
            }
            "attach" => {
                cx.set_attachment(cx.attachment().clone());
                Ok(text(format!("{} bytes", cx.attachment().len())))
            }
            "who" => {
                Ok(text(format!("{} calls {} from {}", cx.caller().unwrap_or("?"), cx.method(), cx.peer())))
            }
            "left" => {
                Ok(text(cx.remaining().map_or("for ever".to_owned(), |left| left.as_millis().to_string())))
            }
            _ => Ok(text(order)),
        }
    }
}

/// Tells when a handler is dropped before its end.
struct Watch {
    method: &'static str,
    log: tokio::sync::mpsc::UnboundedSender<String>,
    ended: bool,
}

impl Watch {
    fn end(&mut self) {
        self.ended = true;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let how = if self.ended { "ended" } else { "dropped" };
        let _ = self.log.send(format!("{} {how}", self.method));
    }
}

#[trill::service]
impl Everything for Obedient {
    async fn unary(&self, cx: Context, request: Text) -> Result<Text> {
        let mut watch = self.watch("unary");
        let answer = self.obey(&cx, &request.text).await;
        watch.end();
        answer
    }

    async fn notify(&self, cx: Context, request: Text) -> Result<()> {
        self.report(format!("notified {}", request.text));
        self.obey(&cx, &request.text).await.map(drop)
    }

    async fn upload(&self, cx: Context, mut reader: AsyncReader<Text>) -> Result<Text> {
        let mut watch = self.watch("upload");
        let (mut count, mut bytes) = (0, 0);
        while let Some(message) = reader.read().await? {
            if message.text == "done" {
                break;
            }
            self.obey(&cx, &message.text).await?;
            count += 1;
            bytes += message.text.len();
        }
        watch.end();
        Ok(text(format!("{count} messages, {bytes} bytes")))
    }

    async fn download(&self, cx: Context, request: Text, mut writer: AsyncWriter<Text>) -> Result<()> {
        let mut watch = self.watch("download");
        for order in request.text.split(';') {
            if let Some(count) = order.strip_prefix("count ") {
                for number in 0..count.parse().unwrap_or(0_u64) {
                    writer.write(text(number.to_string())).await?;
                }
            } else {
                let answer = self.obey(&cx, order).await?;
                writer.write(answer).await?;
            }
        }
        watch.end();
        Ok(())
    }

    async fn talk(&self, cx: Context, mut rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        let mut watch = self.watch("talk");
        while let Some(message) = rw.read().await? {
            if message.text == "done" {
                break;
            }
            let answer = self.obey(&cx, &message.text).await?;
            rw.write(answer).await?;
        }
        watch.end();
        Ok(())
    }
}

/// A client of a fresh [`Obedient`] in memory.
#[must_use]
pub fn in_memory() -> (EverythingClient, Log) {
    let (service, log) = Obedient::new();
    let channel = Server::builder().service(service).in_memory().expect("the settings are the defaults");
    (EverythingClient::new(channel), log)
}

/// A fresh [`Obedient`] at an address, until the test's runtime ends.
pub async fn listen(address: &str) -> (trill::server::ServerHandle, String, Log) {
    let (service, log) = Obedient::new();
    let bound = Server::builder().service(service).bind(address).await.expect("the address is free");
    let (handle, local) = (bound.handle(), bound.local_addr().to_string());
    tokio::spawn(bound.serve());
    (handle, local, log)
}

/// A client of a fresh [`Obedient`] behind a TCP socket.
pub async fn over_tcp() -> (EverythingClient, Log) {
    let (_, address, log) = listen("127.0.0.1:0").await;
    let channel = Channel::connect(&address).await.expect("the server listens");
    (EverythingClient::new(channel), log)
}
