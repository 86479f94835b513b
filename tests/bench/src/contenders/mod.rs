//! Those who are compared. Each is written as its users would write it well, behind one small
//! interface.
//!
//! The interface is static: futures and handles keep their own types, so that a contender pays for
//! nothing but itself.

pub(crate) mod tarpc;
pub(crate) mod tcp;
pub(crate) mod tonic;
pub(crate) mod trill;
pub(crate) mod trill_per_core;
pub(crate) mod ttrpc;

use std::future::Future;
use std::net::SocketAddr;

use anyhow::{Result, ensure};
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::message::{Check, Echo, Source, check_answer};

/// One request, one answer. Clones share the connection.
pub(crate) trait Unary: Clone + Send + Sync + 'static {
    /// Opens a connection.
    fn connect(address: SocketAddr) -> impl Future<Output = Result<Self>> + Send;

    /// Where a task runs that calls at the same time as others.
    fn place(&self, _number: u64) -> Handle {
        Handle::current()
    }

    /// Sends a request, which comes back.
    fn call(&mut self, request: Echo) -> impl Future<Output = Result<Echo>> + Send;

    /// Makes `count` calls, `in_flight` of them at any time, and checks the answers.
    fn call_many(
        &self,
        in_flight: u64,
        count: u64,
        payload: Bytes,
    ) -> impl Future<Output = Result<()>> + Send {
        async move {
            let mut callers = JoinSet::new();
            for caller in 0..in_flight {
                let (mut client, payload) = (self.clone(), payload.clone());
                let calls = async move {
                    for seq in (caller..count).step_by(in_flight as usize) {
                        let answer = client.call(Echo { payload: payload.clone(), seq }).await?;
                        check_answer(&answer, seq, &payload)?;
                    }
                    anyhow::Ok(())
                };
                callers.spawn_on(calls, &self.place(caller));
            }
            while let Some(ended) = callers.join_next().await {
                ended??;
            }
            Ok(())
        }
    }
}

/// Streams of all kinds. The client's messages come from a [`Source`], which a contender may pull
/// or push.
pub(crate) trait Streams: Unary {
    /// The reader of the server's messages.
    type Reader: Reader;
    /// The writer of messages to the server, one at a time.
    type Writer: Writer;

    /// Asks for as many messages as the request says, each with its payload.
    fn download(&mut self, request: Echo) -> impl Future<Output = Result<Self::Reader>> + Send;

    /// Sends all, and gives the server's one answer: how many came.
    fn upload(&mut self, source: Source) -> impl Future<Output = Result<Echo>> + Send;

    /// Sends all while what comes back is read.
    fn talk(&mut self, source: Source) -> impl Future<Output = Result<Self::Reader>> + Send;

    /// Opens a stream on which messages are written by hand.
    fn open(&mut self) -> impl Future<Output = Result<(Self::Writer, Self::Reader)>> + Send;

    /// Opens a stream, writes one message, reads one, and ends the stream.
    fn exchange(&mut self, request: Echo) -> impl Future<Output = Result<Echo>> + Send {
        async move {
            let (mut writer, mut reader) = self.open().await?;
            writer.write(request).await?;
            let answer = reader.read().await?;
            writer.finish().await?;
            ensure!(reader.read().await?.is_none(), "there was a second message");
            answer.ok_or_else(|| anyhow::anyhow!("there was no message"))
        }
    }

    /// Sends `count` messages on each of so many streams on one connection, and checks what comes
    /// back.
    fn talk_many(
        &self,
        streams: usize,
        count: u64,
        payload: Bytes,
    ) -> impl Future<Output = Result<()>> + Send {
        async move {
            let mut talks = JoinSet::new();
            for _ in 0..streams {
                let (mut client, payload) = (self.clone(), payload.clone());
                talks.spawn(async move {
                    let reader = client.talk(Source::new(count, payload.clone())).await?;
                    read_all(reader, count, payload).await
                });
            }
            while let Some(ended) = talks.join_next().await {
                ended??;
            }
            Ok(())
        }
    }
}

/// The reading half of a stream.
pub(crate) trait Reader: Send + 'static {
    /// The next message, or `None` at the end.
    fn read(&mut self) -> impl Future<Output = Result<Option<Echo>>> + Send;
}

/// The writing half of a stream.
pub(crate) trait Writer: Send + 'static {
    /// Sends a message.
    fn write(&mut self, echo: Echo) -> impl Future<Output = Result<()>> + Send;

    /// Ends this direction.
    fn finish(self) -> impl Future<Output = Result<()>> + Send;
}

/// Reads to the end and checks every message.
pub(crate) async fn read_all(mut reader: impl Reader, count: u64, payload: Bytes) -> Result<()> {
    let mut check = Check::new(payload);
    while let Some(echo) = reader.read().await? {
        check.accept(&echo)?;
    }
    check.finish(count)
}
