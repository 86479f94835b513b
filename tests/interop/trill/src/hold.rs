//! A Trill client that holds something open, and says what becomes of it. `go/hold.go` is the same
//! for tRPC-Go.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::task::JoinHandle;
use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Channel, Reply, Result};
use trill_tests::{EverythingClient, Text, text};

use crate::cell::Outcome;
use crate::cells::pressure::{wait_for, write_all};

/// Holds something open and says "open". When the input is closed, it ends that in order, and says
/// "left". When the server is gone first, it says "ended:" and how, calls until somebody answers
/// again, and says "back".
///
/// `worker` is the address of the server that works on it, which may be behind the one that is
/// called.
pub(crate) async fn hold(address: &str, kind: &str, worker: &str) {
    match held(address, kind, worker).await {
        Ok(Some(error)) => println!("ended: {:?} {}", error.kind(), error.message()),
        Ok(None) => return println!("left"),
        Err(error) => return println!("failed: {error}"),
    }
    while answered(address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("back");
}

/// Gives the error that it ends with, or nothing if this side ends it.
async fn held(address: &str, kind: &str, worker: &str) -> Result<Option<trill::Error>> {
    let client = EverythingClient::new(Channel::connect(address).await?);
    // tRPC-Go serves the calls of one connection one after the other, so these need another.
    let worker = EverythingClient::new(Channel::connect(worker).await?);
    let mut held = Held::open(&client, kind).await?;
    // The server is asked until it says that it works on it.
    let what = format!("1 of {}", if kind == "blocked" { "upload" } else { kind });
    while !worker.unary(text("running")).await?.text.contains(&what) {}
    println!("open");
    let mut input = tokio::io::stdin();
    let mut nothing = Vec::new();
    tokio::select! {
        came = held.next() => Ok(came.err()),
        _ = input.read_to_end(&mut nothing) => held.end(&worker).await.map(|()| None),
    }
}

/// Checks that somebody serves there.
async fn answered(address: &str) -> Result<()> {
    let client = EverythingClient::new(Channel::connect(address).await?);
    client.unary(text("hello")).timeout(Duration::from_secs(1)).await.map(drop)
}

/// A call or stream that is open.
enum Held {
    Unary(JoinHandle<Result<Text>>),
    Upload(AsyncWriter<Text>, Reply<Text>),
    /// Its writer waits for credit.
    Blocked(JoinHandle<Outcome>, Reply<Text>),
    Download(AsyncReader<Text>),
    Talk(AsyncReaderWriter<Text, Text>),
}

impl Held {
    /// Opens something, and lets one message pass if it is a stream.
    async fn open(client: &EverythingClient, kind: &str) -> Result<Self> {
        Ok(match kind {
            "unary" => {
                let client = client.clone();
                Self::Unary(tokio::spawn(async move { client.unary(text("wait")).await }))
            }
            "upload" => {
                let (mut writer, reply) = client.upload().await?;
                writer.write(text("one")).await?;
                Self::Upload(writer, reply)
            }
            "blocked" => {
                let (mut writer, reply) = client.upload().await?;
                writer.write(text("wait")).await?;
                let (write, progress) = write_all(writer);
                wait_for(&progress).await;
                Self::Blocked(tokio::spawn(write), reply)
            }
            "download" => {
                let mut reader = client.download(text("count 1;wait")).await?;
                reader.read().await?;
                Self::Download(reader)
            }
            _ => {
                let mut rw = client.talk().await?;
                rw.write(text("hello")).await?;
                rw.read().await?;
                Self::Talk(rw)
            }
        })
    }

    /// Waits for what the server sends next: nothing, while it is left alone.
    async fn next(&mut self) -> Result<()> {
        match self {
            Self::Unary(call) => call.await.expect("the call does not panic").map(drop),
            Self::Blocked(write, reply) => {
                let written = write.await.expect("the write does not panic");
                let answered = reply.await.map(drop);
                assert_eq!(written.is_ok(), answered.is_ok(), "the write and the answer end alike");
                answered
            }
            Self::Upload(_, reply) => reply.await.map(drop),
            Self::Download(reader) => reader.read().await.map(drop),
            Self::Talk(rw) => rw.read().await.map(drop),
        }
    }

    /// Ends it as a client should.
    async fn end(mut self, worker: &EverythingClient) -> Result<()> {
        if let Self::Upload(writer, reply) = self {
            writer.finish().await?;
            return reply.await.map(drop);
        }
        match &mut self {
            Self::Talk(rw) => rw.finish_writing().await?,
            _ => drop(worker.unary(text("resume")).await?),
        }
        self.next().await
    }
}
