//! Random calls, and what may come of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use trill_tests::Ret as _;

use tokio::sync::watch;
use tokio::task::JoinSet;
use trill::client::Backoff;
use trill::{Channel, Error, ErrorKind, Result, Status};
use trill_tests::{EverythingClient, text};

use crate::faults::Incidents;
use crate::verdict::{Verdict, count};

/// How many call at a time in each place.
const AT_A_TIME: usize = 12;

/// The limit that every call and stream sets for itself.
const OWN_LIMIT: Duration = Duration::from_secs(30);

/// When it hangs: its own limit has passed, and a busy machine has had its time.
const HANGS: Duration = Duration::from_secs(50);

/// The outcome of a call.
enum Outcome {
    Done,
    /// The caller dropped it, or let its time pass.
    GivenUp,
    /// A message is not what it should be.
    Wrong(String),
}

/// Calls one server, one call after the other.
pub(crate) struct Caller {
    client: EverythingClient,
    address: String,
    verdict: Arc<Verdict>,
    /// The incidents of the server, if they are known here.
    incidents: Option<Arc<Incidents>>,
}

/// Callers that share a channel.
pub(crate) struct Callers {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Callers {
    /// Waits until the calls that go on have ended.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("it does not panic");
        }
    }
}

impl Caller {
    pub(crate) fn several(
        address: &str,
        verdict: &Arc<Verdict>,
        incidents: Option<&Arc<Incidents>>,
    ) -> Callers {
        let (stop, stopping) = watch::channel(false);
        let client = EverythingClient::new(channel(address));
        let tasks = (0..AT_A_TIME).map(|_| {
            let caller = Self {
                client: client.clone(),
                address: address.to_owned(),
                verdict: Arc::clone(verdict),
                incidents: incidents.cloned(),
            };
            let stopping = stopping.clone();
            async move {
                while !*stopping.borrow() {
                    caller.judge_one().await;
                }
            }
        });
        Callers { tasks: tasks.collect(), stop }
    }

    async fn judge_one(&self) {
        let kind = fastrand::usize(..KINDS.len());
        let before = self.incidents.as_ref().map_or(0, |incidents| incidents.so_far());
        let outcome = tokio::time::timeout(HANGS, self.one(kind)).await;
        let failed =
            |why: String| self.verdict.fail(format!("{} to {}: {why}", KINDS[kind], self.address));
        count(&self.verdict.calls);
        match outcome {
            Ok(Ok(Outcome::Done)) => {}
            Ok(Ok(Outcome::GivenUp)) => count(&self.verdict.given_up),
            Ok(Ok(Outcome::Wrong(what))) => failed(what),
            Ok(Err(error)) => {
                count(&self.verdict.broken);
                let calm =
                    self.incidents.as_ref().is_some_and(|incidents| incidents.none_since(before));
                if calm || !is_of_a_fault(&error) {
                    failed(format!("{:?}: {error}", error.kind()));
                }
                // Where nobody listens, calls fail at once.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(_) => failed(format!("hangs for {HANGS:?}")),
        }
    }

    async fn one(&self, kind: usize) -> Result<Outcome> {
        match KINDS[kind] {
            "a call" => self.call().await,
            "a large call" => self.large_call().await,
            "a one-way call" => self.notify().await,
            "an upload" => self.upload().await,
            "a download" => self.download(false).await,
            "a slow download" => self.download(true).await,
            "a talk" => self.talk().await,
            "a call whose time passes" => self.pass_a_calls_time().await,
            "a stream whose time passes" => self.pass_a_streams_time().await,
            "a call that is dropped" => self.drop_a_call().await,
            "a stream that is dropped" => self.drop_a_stream().await,
            "a read that is dropped" => self.drop_reads().await,
            "a stream that fails here" => self.fail_here().await,
            "a stream that fails there" => self.fail_there().await,
            _ => self.connect().await,
        }
    }

    async fn call(&self) -> Result<Outcome> {
        let question = text(format!("question {}", fastrand::u64(..)));
        let answer = self.client.unary(question.clone()).timeout(OWN_LIMIT).await?;
        Ok(expect(&answer, &question))
    }

    async fn large_call(&self) -> Result<Outcome> {
        let size = fastrand::usize(1..300_000);
        let answer = self.client.unary(text(format!("large {size}"))).timeout(OWN_LIMIT).await?;
        Ok(expect(&answer.text.len(), &size))
    }

    async fn notify(&self) -> Result<Outcome> {
        self.client.notify(text("hint")).await?;
        Ok(Outcome::Done)
    }

    async fn upload(&self) -> Result<Outcome> {
        let (mut writer, reply) = self.client.upload().timeout(OWN_LIMIT).await?;
        let count = fastrand::usize(0..400);
        let message = text("x".repeat(fastrand::usize(0..2_000)));
        for _ in 0..count {
            writer.write(message.clone()).await?;
            self.counted();
        }
        writer.finish().await?;
        let all = text(format!("{count} messages, {} bytes", count * message.text.len()));
        Ok(expect(&reply.await?, &all))
    }

    async fn download(&self, slowly: bool) -> Result<Outcome> {
        let count = fastrand::u64(0..2_000);
        let mut reader =
            self.client.download(text(format!("count {count}"))).timeout(OWN_LIMIT).await?;
        let mut next = 0;
        while let Some(message) = reader.read().await? {
            if message.text != next.to_string() {
                return Ok(Outcome::Wrong(format!(
                    "message {next} of {count} is {:?}",
                    message.text
                )));
            }
            next += 1;
            self.counted();
            if slowly && next % 50 == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(expect(&next, &count))
    }

    async fn talk(&self) -> Result<Outcome> {
        let (mut reader, mut writer) = self.client.talk().timeout(OWN_LIMIT).await?.split();
        let (count, padding) = (fastrand::u64(0..300), "x".repeat(fastrand::usize(0..1_000)));
        let message = |number: u64| text(format!("{number} {padding}"));
        let write = async {
            for number in 0..count {
                writer.write(message(number)).await?;
            }
            writer.finish().await
        };
        let read = async {
            let mut next = 0;
            while let Some(answer) = reader.read().await? {
                if answer != message(next) {
                    let begin: String = answer.text.chars().take(20).collect();
                    return Ok(Outcome::Wrong(format!(
                        "message {next} of {count} begins with {begin:?}"
                    )));
                }
                next += 1;
                self.counted();
            }
            Ok(expect(&next, &count))
        };
        let (written, outcome) = tokio::join!(write, read);
        written?;
        outcome
    }

    async fn pass_a_calls_time(&self) -> Result<Outcome> {
        let limit = Duration::from_millis(fastrand::u64(1..60));
        let answer = self.client.unary(text("hang")).timeout(limit).await;
        timed_out(answer.map(|answer| answer.text))
    }

    async fn pass_a_streams_time(&self) -> Result<Outcome> {
        let limit = Duration::from_millis(fastrand::u64(1..60));
        let mut reader = match self.client.download(text("count 3;hang")).timeout(limit).await {
            Ok(reader) => reader,
            Err(error) => return timed_out(Err(error)),
        };
        loop {
            match reader.read().await {
                Ok(Some(_)) => self.counted(),
                Ok(None) => {
                    return Ok(Outcome::Wrong("half of a stream looks like all of it".into()));
                }
                Err(error) => return timed_out(Err(error)),
            }
        }
    }

    async fn drop_a_call(&self) -> Result<Outcome> {
        // Its handler goes on at the server until the deadline: the wire has no word for giving it
        // up.
        let call = self.client.unary(text("sleep 100")).timeout(OWN_LIMIT).into_future();
        let _ = tokio::time::timeout(some_time(), call).await;
        Ok(Outcome::GivenUp)
    }

    async fn drop_a_stream(&self) -> Result<Outcome> {
        let work = async {
            match fastrand::u8(..3) {
                0 => {
                    let (mut writer, _reply) = self.client.upload().timeout(OWN_LIMIT).await?;
                    writer.write(text("hang")).await?;
                    loop {
                        writer.write(text("x".repeat(1_000))).await?;
                    }
                }
                1 => {
                    let order = text("fill 1000 1000;hang");
                    let mut reader = self.client.download(order).timeout(OWN_LIMIT).await?;
                    reader.read().await?;
                }
                _ => {
                    let mut rw = self.client.talk().timeout(OWN_LIMIT).await?;
                    loop {
                        rw.write(text("again")).await?;
                        rw.read().await?;
                    }
                }
            }
            Result::<()>::Ok(())
        };
        tokio::time::timeout(some_time(), work).await.unwrap_or(Ok(()))?;
        Ok(Outcome::GivenUp)
    }

    /// Reads that are given up lose nothing.
    async fn drop_reads(&self) -> Result<Outcome> {
        let mut rw = self.client.talk().timeout(OWN_LIMIT).await?;
        for number in 0..20 {
            let message = text(number.to_string());
            rw.write(message.clone()).await?;
            let answer = loop {
                let a_moment = Duration::from_micros(fastrand::u64(0..2_000));
                if let Ok(answer) = tokio::time::timeout(a_moment, rw.read()).await {
                    break answer?;
                }
            };
            if answer.as_ref() != Some(&message) {
                return Ok(Outcome::Wrong(format!("message {number} is {answer:?}")));
            }
            self.counted();
        }
        rw.finish_writing().await?;
        let end = rw.read().await?;
        Ok(expect(&end, &None))
    }

    async fn fail_here(&self) -> Result<Outcome> {
        let mut rw = self.client.talk().timeout(OWN_LIMIT).await?;
        rw.write(text("one")).await?;
        rw.fail(Status::app(4_001, "the caller has changed its mind"));
        Ok(Outcome::GivenUp)
    }

    async fn fail_there(&self) -> Result<Outcome> {
        let mut reader =
            self.client.download(text("count 3;error 4002 as told")).timeout(OWN_LIMIT).await?;
        for number in 0..3 {
            let message = reader.read().await?;
            if message != Some(text(number.to_string())) {
                return Ok(Outcome::Wrong(format!("message {number} is {message:?}")));
            }
            self.counted();
        }
        match reader.read().await {
            Ok(message) => {
                Ok(Outcome::Wrong(format!("the handler has failed, but {message:?} came")))
            }
            Err(error) if error.app_code() == 4_002 => Ok(Outcome::Done),
            Err(error) => Err(error),
        }
    }

    /// A channel of its own, for one call.
    async fn connect(&self) -> Result<Outcome> {
        let client = EverythingClient::new(channel(&self.address));
        let answer = client.unary(text("hello")).timeout(OWN_LIMIT).await?;
        Ok(expect(&answer, &text("hello")))
    }

    fn counted(&self) {
        self.verdict.messages.fetch_add(1, Ordering::Relaxed);
    }
}

const KINDS: [&str; 15] = [
    "a call",
    "a large call",
    "a one-way call",
    "an upload",
    "a download",
    "a slow download",
    "a talk",
    "a call whose time passes",
    "a stream whose time passes",
    "a call that is dropped",
    "a stream that is dropped",
    "a read that is dropped",
    "a stream that fails here",
    "a stream that fails there",
    "a call on a new channel",
];

/// A channel that comes back soon after its server does.
fn channel(address: &str) -> Channel {
    let backoff = Backoff::default().max(Duration::from_millis(200));
    let builder = Channel::builder().reconnect(backoff).wait_for_ready(true);
    builder.lazy(address).expect("the address is a server's")
}

/// Tells whether the end of a server or of its process may look like this error.
fn is_of_a_fault(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Connect | ErrorKind::Network => true,
        // Refused because of the shutdown; broken off by it; a handler that was dropped by it; no
        // connection within the call's time.
        ErrorKind::Status => matches!(error.ret(), 21 | 22 | 31),
        ErrorKind::Timeout => true,
        _ => false,
    }
}

fn timed_out(result: Result<String>) -> Result<Outcome> {
    match result {
        Ok(answer) => Ok(Outcome::Wrong(format!("it never answers, but {answer:?} came"))),
        Err(error) if error.is_timeout() => Ok(Outcome::GivenUp),
        Err(error) => Err(error),
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(is: &T, should_be: &T) -> Outcome {
    if is == should_be {
        return Outcome::Done;
    }
    Outcome::Wrong(format!("{is:?} came instead of {should_be:?}"))
}

fn some_time() -> Duration {
    Duration::from_micros(fastrand::u64(0..20_000))
}
