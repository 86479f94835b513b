//! The workload W4 of the comparison: one server stream, as fast as the handler's `write().await` loop goes.

use anyhow::{Result, ensure};
use bytes::Bytes;
use trill::{AsyncWriter, Channel, Context, Server, server::ServerBuilder};

/// The comparison's message.
#[derive(Clone, PartialEq, Eq, trill::prost::Message)]
#[prost(prost_path = "::trill::prost")]
struct Echo {
    #[prost(bytes = "bytes", tag = "1")]
    payload: Bytes,
    /// The position in the stream. In the request: how many messages.
    #[prost(uint64, tag = "2")]
    seq: u64,
}

#[trill::service(package = "bench")]
trait Echoes {
    async fn download(&self, cx: Context, request: Echo, writer: AsyncWriter<Echo>) -> trill::Result<()>;
}

struct MyEchoes;

#[trill::service]
impl Echoes for MyEchoes {
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
}

/// The server, not yet anywhere.
pub(crate) fn server() -> ServerBuilder {
    Server::builder().service(MyEchoes)
}

/// Asks for messages, and sees that they come all, in order and unharmed.
pub(crate) async fn download(channel: Channel, messages: u64) -> Result<()> {
    let payload = Bytes::from_static(PAYLOAD);
    let request = Echo { payload: payload.clone(), seq: messages };
    let mut reader = EchoesClient::new(channel).download(request).await?;
    let mut next = 0;
    while let Some(echo) = reader.read().await? {
        ensure!(echo.seq == next, "message {} came in place of {next}", echo.seq);
        ensure!(echo.payload == payload, "the payload of message {next} is not what was sent");
        next += 1;
    }
    ensure!(next == messages, "{next} of {messages} messages came");
    Ok(())
}

const PAYLOAD: &[u8; 32] = b"32 bytes that do not repeat soon";
