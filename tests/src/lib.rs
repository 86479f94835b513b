//! The service that the tests call, and ways to serve it.

pub mod process;
pub mod raw;
pub mod sim;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, Semaphore};
use trill::prost::Message as _;
use trill::trpc::{Code, Codes};
use trill::{
    AsyncReader, AsyncReaderWriter, AsyncWriter, Channel, Context, Result, Server, Status,
};

/// The framework's number that tRPC has for a failure.
pub trait Ret {
    /// The number that the peer has said, or that a caller would be told.
    fn ret(&self) -> i32;
}

impl Ret for trill::Error {
    fn ret(&self) -> i32 {
        Codes::of(self).ret.0
    }
}

impl Ret for Status {
    fn ret(&self) -> i32 {
        trill::Error::from(self.clone()).ret()
    }
}

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

/// The handlers that make a `heavy` answer at a time.
static HEAVY: Semaphore = Semaphore::const_new(2);

/// One method of each kind. The messages tell a handler what to do; see [`Obedient`].
#[trill::service(package = "test.all", json, dyn)]
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

/// Does what it is told: `error 7 why` (application code), `fail 31 why` (framework code), `panic`,
/// `hang`, `sleep 50` (milliseconds), `stay` (reports `stays`, then hangs), `count 10` (writes ten
/// messages), `large 1000` (answers with so many bytes), `heavy 1000` (the same, off the threads of
/// tasks), `meta key value` (sends it back), `append key value value` (the same with several),
/// `initial key value` (sends it as initial metadata), `need key value` (an error if the metadata
/// of the call is not that), `attach` (sends the attachment back), `done` (returns), or anything
/// else, which is echoed.
///
/// Orders for back-pressure: `wait` (until a call says `resume`), `pace 5` (from now on sleeps so
/// many milliseconds after every 100 messages it reads), `fill 10 1000` (writes ten messages of
/// 1000 bytes), `written` (how many bytes of messages its streams have written so far), `told` (the
/// last one-way message, as it was obeyed), `running` (see [`running_handlers`]).
///
/// It tells what became of its handlers through a channel.
#[derive(Debug)]
pub struct Obedient {
    log: tokio::sync::mpsc::UnboundedSender<String>,
    resume: Notify,
    written: AtomicU64,
    told: Mutex<String>,
}

/// The reports of the handlers of an [`Obedient`].
pub type Log = tokio::sync::mpsc::UnboundedReceiver<String>;

/// Waits until so many handlers have come to the order `stay`, and to nothing else meanwhile.
///
/// # Panics
/// They do something else, or do not come to it within a minute.
pub async fn stay(log: &mut Log, handlers: usize) {
    for _ in 0..handlers {
        let report = tokio::time::timeout(Duration::from_secs(60), log.recv()).await;
        assert_eq!(report.expect("the handlers come to it").as_deref(), Some("stays"));
    }
}

impl Obedient {
    /// A service and its reports.
    #[must_use]
    pub fn new() -> (Self, Log) {
        let (log, reports) = tokio::sync::mpsc::unbounded_channel();
        let (resume, written, told) = (Notify::new(), AtomicU64::new(0), Mutex::default());
        (Self { log, resume, written, told }, reports)
    }

    fn report(&self, what: impl Into<String>) {
        // A test that does not listen does not mind.
        let _ = self.log.send(what.into());
    }

    /// Reports when it is dropped before its handler has ended.
    fn watch(&self, method: &'static str) -> Watch {
        *running().entry(method).or_default() += 1;
        Watch { method, log: self.log.clone(), ended: false }
    }

    /// Counts a message that a stream has written.
    fn count(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn told(&self) -> std::sync::MutexGuard<'_, String> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn obey(&self, cx: &Context, order: &str) -> Result<Text> {
        let mut words = order.splitn(3, ' ');
        let (verb, first, rest) =
            (words.next().unwrap_or(""), words.next(), words.next().unwrap_or(""));
        let number = || first.and_then(|word| word.parse().ok()).unwrap_or(0_i32);
        match verb {
            "error" => Err(Status::app(number(), rest).into()),
            "fail" => Err(Codes::new(Code(number()), 0).status(rest).into()),
            "code" => {
                let code = trill::Code::from_number(number()).expect("it is a code");
                Err(Status::new(code, rest).with_details(format!("more of {rest}")).into())
            }
            "panic" => panic!("as told"),
            "hang" => std::future::pending().await,
            "stay" => {
                self.report("stays");
                std::future::pending().await
            }
            "sleep" => {
                tokio::time::sleep(Duration::from_millis(number().unsigned_abs().into())).await;
                Ok(text("slept"))
            }
            "large" => Ok(text("x".repeat(number().unsigned_abs() as usize))),
            "heavy" => {
                let _turn = HEAVY.acquire().await.expect("nobody closes it");
                let size = number().unsigned_abs() as usize;
                let made = tokio::task::spawn_blocking(move || text("x".repeat(size))).await;
                Ok(made.expect("it does not panic"))
            }
            "meta" => {
                if let Some(key) = first {
                    cx.set_metadata(key, rest.to_owned())?;
                }
                let seen: Vec<_> = cx
                    .metadata()
                    .iter()
                    .map(|(key, value)| format!("{key}={}", value.escape_ascii()))
                    .collect();
                Ok(text(seen.join(",")))
            }
            "initial" => {
                cx.set_initial_metadata(first.unwrap_or(""), rest.to_owned())?;
                Ok(text("first"))
            }
            "append" => {
                for value in rest.split(' ') {
                    cx.append_metadata(first.unwrap_or(""), value.to_owned())?;
                }
                Ok(text("appended"))
            }
            "need" => match cx.metadata().get_str(first.unwrap_or("")) {
                Some(value) if value == rest => Ok(text("as needed")),
                other => Err(Status::app(4404, format!("it is {other:?}")).into()),
            },
            "wait" => {
                self.resume.notified().await;
                Ok(text("resumed"))
            }
            "resume" => {
                self.resume.notify_one();
                Ok(text(order))
            }
            "written" => Ok(text(self.written.load(Ordering::Relaxed).to_string())),
            "running" => Ok(text(running_handlers())),
            "told" => Ok(text(self.told().clone())),
            "attach" => {
                cx.set_attachment(cx.attachment().clone());
                Ok(text(format!("{} bytes", cx.attachment().len())))
            }
            "who" => Ok(text(format!(
                "{} calls {} from {}",
                cx.caller().unwrap_or("?"),
                cx.method(),
                cx.peer()
            ))),
            "left" => Ok(text(
                cx.remaining().map_or("for ever".to_owned(), |left| left.as_millis().to_string()),
            )),
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
        if let Some(count) = running().get_mut(self.method) {
            *count -= 1;
        }
        let _ = self.log.send(format!("{} {how}", self.method));
    }
}

fn running() -> std::sync::MutexGuard<'static, BTreeMap<&'static str, usize>> {
    static RUNNING: Mutex<BTreeMap<&'static str, usize>> = Mutex::new(BTreeMap::new());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The handlers in this process that have begun and not ended, in words: for a test that hangs.
#[must_use]
pub fn running_handlers() -> String {
    let running = running();
    let lines: Vec<_> = running.iter().filter(|(_, count)| **count > 0).collect();
    lines
        .iter()
        .map(|(method, count)| format!("{count} of {method}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Sleeps now and then, so that a stream is read slowly.
#[derive(Default)]
struct Pace {
    pause: Duration,
    messages: u64,
}

impl Pace {
    /// Obeys the order to be slow, and tells whether the message was one.
    fn is_set_by(&mut self, order: &str) -> bool {
        let Some(pause) = order.strip_prefix("pace ") else { return false };
        self.pause = Duration::from_millis(pause.parse().unwrap_or(0));
        true
    }

    async fn keep(&mut self) {
        self.messages += 1;
        if !self.pause.is_zero() && self.messages.is_multiple_of(100) {
            tokio::time::sleep(self.pause).await;
        }
    }
}

#[trill::service]
impl Everything for Obedient {
    async fn unary(&self, cx: Context, request: Text) -> Result<Text> {
        // A call that asks is not what it asks for.
        let name = if request.text == "running" { "question" } else { "unary" };
        let mut watch = self.watch(name);
        let answer = self.obey(&cx, &request.text).await;
        watch.end();
        answer
    }

    async fn notify(&self, cx: Context, request: Text) -> Result<()> {
        // The work on megabytes would be a handler's own.
        let is_order = request.text.len() < 1024 * 1024;
        let order =
            if is_order { &*request.text } else { request.text.get(..1_000).unwrap_or_default() };
        self.report(format!("notified {order}"));
        let obeyed = self.obey(&cx, order).await;
        let told = obeyed
            .as_ref()
            .map_or_else(|error| error.message().to_owned(), |answer| answer.text.clone());
        *self.told() = told;
        obeyed.map(drop)
    }

    async fn upload(&self, cx: Context, mut reader: AsyncReader<Text>) -> Result<Text> {
        let mut watch = self.watch("upload");
        let (mut count, mut bytes) = (0, 0);
        let mut pace = Pace::default();
        while let Some(message) = reader.read().await? {
            if message.text == "done" {
                break;
            }
            pace.keep().await;
            if pace.is_set_by(&message.text) {
                continue;
            }
            self.obey(&cx, &message.text).await?;
            count += 1;
            bytes += message.text.len();
        }
        watch.end();
        Ok(text(format!("{count} messages, {bytes} bytes")))
    }

    async fn download(
        &self,
        cx: Context,
        request: Text,
        mut writer: AsyncWriter<Text>,
    ) -> Result<()> {
        let mut watch = self.watch("download");
        for order in request.text.split(';') {
            if let Some(count) = order.strip_prefix("count ") {
                for number in 0..count.parse().unwrap_or(0_u64) {
                    writer.write(text(number.to_string())).await?;
                }
            } else if let Some((count, size)) =
                order.strip_prefix("fill ").and_then(|it| it.split_once(' '))
            {
                let message = text("x".repeat(size.parse().unwrap_or(0)));
                for _ in 0..count.parse().unwrap_or(0_u64) {
                    writer.write(message.clone()).await?;
                    self.count(message.encoded_len());
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
        let mut pace = Pace::default();
        while let Some(message) = rw.read().await? {
            if message.text == "done" {
                break;
            }
            pace.keep().await;
            if pace.is_set_by(&message.text) {
                continue;
            }
            let answer = self.obey(&cx, &message.text).await?;
            let size = answer.encoded_len();
            rw.write(answer).await?;
            self.count(size);
        }
        watch.end();
        Ok(())
    }
}

/// The time on tokio's clock, which tests can pause.
#[must_use]
pub fn now() -> tokio::time::Instant {
    #[expect(clippy::disallowed_methods, reason = "tests look at the clock that they pause")]
    tokio::time::Instant::now()
}

/// A client of a fresh [`Obedient`] in memory.
#[must_use]
pub fn in_memory() -> (EverythingClient, Log) {
    let (service, log) = Obedient::new();
    let channel =
        Server::builder().service(service).in_memory().expect("the settings are the defaults");
    (EverythingClient::new(channel), log)
}

/// A fresh [`Obedient`] at an address, until the test's runtime ends.
pub async fn listen(address: &str) -> (trill::server::ServerHandle, String, Log) {
    let (service, log) = Obedient::new();
    let bound =
        Server::builder().service(service).bind(address).await.expect("the address is free");
    let (handle, local) = (bound.handle(), bound.local_addr().to_string());
    tokio::spawn(bound.serve());
    (handle, local, log)
}

/// A listener that lets nobody in and says nothing, because its queue is full, as long as all of
/// this is held; and its address.
///
/// # Panics
/// There is no socket to be had.
pub async fn full_listener() -> (impl Sized, std::net::SocketAddr) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let full = socket.listen(1).expect("it listens");
    let address = full.local_addr().expect("it has an address");
    let mut queued = Vec::new();
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        queued.push(connected.expect("it is let into the queue"));
    }
    ((full, queued), address)
}

/// A client of a fresh [`Obedient`] behind a TCP socket.
pub async fn over_tcp() -> (EverythingClient, Log) {
    let (_, address, log) = listen("127.0.0.1:0").await;
    let channel = Channel::connect(&address).await.expect("the server listens");
    (EverythingClient::new(channel), log)
}
