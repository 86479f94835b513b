//! Workloads of the comparison: W2, unary calls of which 128 are in flight; W3, one stream on which
//! one message at a time goes to and fro; W4, one server stream as fast as the handler's
//! `write().await` loop goes, with messages of 32 bytes, 1 KiB and 64 KiB; W6, one stream that is
//! written and read at the same time, and echoed; and W10, streams that are opened, written, read
//! and finished, 64 at a time.

use anyhow::{Result, ensure};
use bytes::Bytes;
use clap::ValueEnum;
use tokio::task::JoinSet;
use trill::{
    AsyncReader, AsyncReaderWriter, AsyncWriter, Channel, Context, Limits, Server,
    client::ChannelBuilder, server::ServerBuilder,
};

/// The work of the two sides.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Work {
    W2,
    W3,
    W4,
    #[value(name = "w4-1k")]
    W4Of1K,
    #[value(name = "w4-64k")]
    W4Of64K,
    W6,
    W10,
}

impl Work {
    pub(crate) const ALL: [Self; 7] =
        [Self::W2, Self::W3, Self::W4, Self::W4Of1K, Self::W4Of64K, Self::W6, Self::W10];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::W2 => "w2",
            Self::W3 => "w3",
            Self::W4 => "w4",
            Self::W4Of1K => "w4-1k",
            Self::W4Of64K => "w4-64k",
            Self::W6 => "w6",
            Self::W10 => "w10",
        }
    }

    /// The lengths of the two runs. The short one is long enough for all buffers to have their
    /// size.
    pub(crate) fn lengths(self) -> (u64, u64) {
        match self {
            // A message to and fro costs ten times as much, and no buffer grows.
            Self::W3 => (2_000, 12_000),
            Self::W10 => (4_000, 16_000),
            Self::W2 => (10_000, 60_000),
            Self::W4 | Self::W6 => (20_000, 120_000),
            Self::W4Of1K => (5_000, 30_000),
            // Much slower under valgrind, and 16 to a MiB.
            Self::W4Of64K => (500, 3_000),
        }
    }

    /// The channel, not yet anywhere.
    pub(crate) fn channel(self) -> ChannelBuilder {
        let channel = Channel::builder();
        match self {
            // A window that grows does so by the clock, which is never twice the same.
            Self::W4Of1K | Self::W4Of64K => channel.limits(Limits::default().window(1 << 20)),
            _ => channel,
        }
    }

    /// The client's part. Sees that the messages come all, in order and unharmed.
    pub(crate) async fn run(self, channel: Channel, messages: u64) -> Result<()> {
        match self {
            Self::W2 => call(channel, messages).await,
            Self::W3 => ping_pong(channel, messages).await,
            Self::W4 => download(channel, messages, Bytes::from_static(PAYLOAD)).await,
            Self::W4Of1K => download(channel, messages, repeated(1 << 10)).await,
            Self::W4Of64K => download(channel, messages, repeated(64 << 10)).await,
            Self::W6 => talk(channel, messages).await,
            Self::W10 => churn(channel, messages).await,
        }
    }
}

/// The comparison's message.
#[derive(Clone, PartialEq, Eq, trill::prost::Message)]
#[prost(prost_path = "::trill::prost")]
struct Echo {
    #[prost(bytes = "bytes", tag = "1")]
    payload: Bytes,
    /// The position in the stream. In the request for a stream: how many messages.
    #[prost(uint64, tag = "2")]
    seq: u64,
}

#[trill::service(package = "bench")]
trait Echoes {
    async fn unary(&self, cx: Context, request: Echo) -> trill::Result<Echo>;
    async fn download(
        &self,
        cx: Context,
        request: Echo,
        writer: AsyncWriter<Echo>,
    ) -> trill::Result<()>;
    async fn talk(&self, cx: Context, rw: AsyncReaderWriter<Echo, Echo>) -> trill::Result<()>;
}

struct MyEchoes;

#[trill::service]
impl Echoes for MyEchoes {
    async fn unary(&self, _cx: Context, request: Echo) -> trill::Result<Echo> {
        Ok(request)
    }

    async fn download(
        &self,
        _cx: Context,
        request: Echo,
        mut writer: AsyncWriter<Echo>,
    ) -> trill::Result<()> {
        for seq in 0..request.seq {
            writer.write(Echo { payload: request.payload.clone(), seq }).await?;
        }
        Ok(())
    }

    async fn talk(&self, _cx: Context, mut rw: AsyncReaderWriter<Echo, Echo>) -> trill::Result<()> {
        while let Some(echo) = rw.read().await? {
            rw.write(echo).await?;
        }
        Ok(())
    }
}

/// The server, not yet anywhere.
pub(crate) fn server() -> ServerBuilder {
    Server::builder().service(MyEchoes)
}

async fn call(channel: Channel, calls: u64) -> Result<()> {
    let mut tasks = JoinSet::new();
    for first in 0..IN_FLIGHT {
        let client = EchoesClient::new(channel.clone());
        tasks.spawn(async move {
            let payload = Bytes::from_static(PAYLOAD);
            for seq in (first..calls).step_by(IN_FLIGHT as usize) {
                let answer = client.unary(Echo { payload: payload.clone(), seq }).await?;
                ensure!(answer.seq == seq, "answer {} came to call {seq}", answer.seq);
                ensure!(
                    answer.payload == payload,
                    "the payload of call {seq} is not what was sent"
                );
            }
            Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

async fn download(channel: Channel, messages: u64, payload: Bytes) -> Result<()> {
    let request = Echo { payload: payload.clone(), seq: messages };
    check(EchoesClient::new(channel).download(request).await?, messages, payload).await
}

fn repeated(size: usize) -> Bytes {
    PAYLOAD.iter().copied().cycle().take(size).collect()
}

async fn ping_pong(channel: Channel, messages: u64) -> Result<()> {
    let mut stream = EchoesClient::new(channel).talk().await?;
    for seq in 0..messages {
        let ping = Echo { payload: Bytes::from_static(PAYLOAD), seq };
        stream.write(ping.clone()).await?;
        ensure!(
            stream.read().await? == Some(ping),
            "message {seq} did not come back as it was sent"
        );
    }
    stream.finish_writing().await?;
    ensure!(stream.read().await?.is_none(), "there was a message too many");
    Ok(())
}

async fn talk(channel: Channel, messages: u64) -> Result<()> {
    let (reader, mut writer) = EchoesClient::new(channel).talk().await?.split();
    let writing = tokio::spawn(async move {
        let payload = Bytes::from_static(PAYLOAD);
        for seq in 0..messages {
            writer.write(Echo { payload: payload.clone(), seq }).await?;
        }
        writer.finish().await
    });
    check(reader, messages, Bytes::from_static(PAYLOAD)).await?;
    Ok(writing.await??)
}

async fn churn(channel: Channel, streams: u64) -> Result<()> {
    let mut tasks = JoinSet::new();
    for first in 0..AT_A_TIME {
        let client = EchoesClient::new(channel.clone());
        tasks.spawn(async move {
            for seq in (first..streams).step_by(AT_A_TIME as usize) {
                let ping = Echo { payload: Bytes::from_static(PAYLOAD), seq };
                let (mut reader, mut writer) = client.talk().await?.split();
                writer.write(ping.clone()).await?;
                ensure!(
                    reader.read().await? == Some(ping),
                    "stream {seq} gave back something else"
                );
                writer.finish().await?;
                ensure!(reader.read().await?.is_none(), "there was a message too many");
            }
            Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

async fn check(mut reader: AsyncReader<Echo>, messages: u64, payload: Bytes) -> Result<()> {
    let mut next = 0;
    while let Some(echo) = reader.read().await? {
        ensure!(echo.seq == next, "message {} came in place of {next}", echo.seq);
        ensure!(echo.payload == payload, "the payload of message {next} is not what was sent");
        next += 1;
    }
    ensure!(next == messages, "{next} of {messages} messages came");
    Ok(())
}

const IN_FLIGHT: u64 = 128;
const AT_A_TIME: u64 = 64;

const PAYLOAD: &[u8; 32] = b"32 bytes that do not repeat soon";
