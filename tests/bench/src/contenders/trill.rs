//! Trill with its default settings.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Channel, Context, Server, Status};

use super::{Reader, Streams, Unary, Writer};
use crate::message::{Check, Echo, Source, payload};
use crate::process::announce;

/// One method of each kind.
#[trill::service(package = "bench")]
trait Echoes {
    async fn unary(&self, cx: Context, request: Echo) -> trill::Result<Echo>;
    async fn download(
        &self,
        cx: Context,
        request: Echo,
        writer: AsyncWriter<Echo>,
    ) -> trill::Result<()>;
    async fn upload(&self, cx: Context, reader: AsyncReader<Echo>) -> trill::Result<Echo>;
    async fn talk(&self, cx: Context, rw: AsyncReaderWriter<Echo, Echo>) -> trill::Result<()>;
}

pub(super) struct Service;

#[trill::service]
impl Echoes for Service {
    async fn unary(&self, _cx: Context, request: Echo) -> trill::Result<Echo> {
        Ok(request)
    }

    async fn download(
        &self,
        _cx: Context,
        request: Echo,
        mut writer: AsyncWriter<Echo>,
    ) -> trill::Result<()> {
        for echo in Source::asked_for_by(request) {
            writer.write(echo).await?;
        }
        Ok(())
    }

    async fn upload(&self, _cx: Context, mut reader: AsyncReader<Echo>) -> trill::Result<Echo> {
        let mut check: Option<Check> = None;
        while let Some(echo) = reader.read().await? {
            let check = check.get_or_insert_with(|| Check::new(payload(echo.payload.len())));
            check.accept(&echo).map_err(|wrong| Status::internal(wrong.to_string()))?;
        }
        Ok(Echo { seq: check.map_or(0, |check| check.seen()), ..Echo::default() })
    }

    async fn talk(&self, _cx: Context, mut rw: AsyncReaderWriter<Echo, Echo>) -> trill::Result<()> {
        while let Some(echo) = rw.read().await? {
            rw.write(echo).await?;
        }
        Ok(())
    }
}

/// Serves until the process ends.
pub(crate) async fn serve() -> Result<()> {
    let server = Server::builder().service(Service).bind("127.0.0.1:0").await?;
    announce(server.local_addr())?;
    Ok(server.serve().await?)
}

/// A client on one channel.
#[derive(Clone)]
pub(crate) struct Client(EchoesClient);

impl Client {
    pub(super) fn new(channel: Channel) -> Self {
        Self(EchoesClient::new(channel))
    }
}

impl Unary for Client {
    async fn connect(address: SocketAddr) -> Result<Self> {
        Ok(Self::new(Channel::connect(address.to_string()).await?))
    }

    async fn call(&mut self, request: Echo) -> Result<Echo> {
        Ok(self.0.unary(request).await?)
    }
}

impl Streams for Client {
    type Reader = AsyncReader<Echo>;
    type Writer = AsyncWriter<Echo>;

    async fn download(&mut self, request: Echo) -> Result<Self::Reader> {
        Ok(self.0.download(request).await?)
    }

    async fn upload(&mut self, source: Source) -> Result<Echo> {
        let (mut writer, reply) = self.0.upload().await?;
        for echo in source {
            writer.write(echo).await?;
        }
        writer.finish().await?;
        Ok(reply.await?)
    }

    async fn talk(&mut self, source: Source) -> Result<Self::Reader> {
        let (reader, mut writer) = self.0.talk().await?.split();
        // If a write fails, the writer is dropped, and the reader gets the stream's error.
        tokio::spawn(async move {
            for echo in source {
                writer.write(echo).await?;
            }
            writer.finish().await
        });
        Ok(reader)
    }

    async fn open(&mut self) -> Result<(Self::Writer, Self::Reader)> {
        let (reader, writer) = self.0.talk().await?.split();
        Ok((writer, reader))
    }
}

impl Reader for AsyncReader<Echo> {
    async fn read(&mut self) -> Result<Option<Echo>> {
        Self::read(self).await.context("reading")
    }
}

impl Writer for AsyncWriter<Echo> {
    async fn write(&mut self, echo: Echo) -> Result<()> {
        Self::write(self, echo).await.context("writing")
    }

    async fn finish(self) -> Result<()> {
        Self::finish(self).await.context("finishing")
    }
}
