//! tonic, as its users write it: a server that streams from an iterator or maps the request, or one
//! whose tasks feed channels.

use std::marker::PhantomData;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use futures::{Stream, stream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use super::{Reader, Streams, Unary, Writer};
use crate::message::{Check, Echo, Source, payload};
use crate::process::announce;

use generated::echoes_client::EchoesClient;
use generated::echoes_server::{Echoes, EchoesServer};

#[expect(
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    reason = "tonic-build writes it"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/bench.Echoes.rs"));
}

/// How many messages a channel holds; what tonic's own streaming example takes.
const CAPACITY: usize = 128;

/// Counts the messages of an upload, alike in both forms of the server.
async fn count(mut messages: Streaming<Echo>) -> Result<Response<Echo>, Status> {
    let mut check: Option<Check> = None;
    while let Some(echo) = messages.message().await? {
        let check = check.get_or_insert_with(|| Check::new(payload(echo.payload.len())));
        check.accept(&echo).map_err(|wrong| Status::internal(wrong.to_string()))?;
    }
    Ok(Response::new(Echo { seq: check.map_or(0, |check| check.seen()), ..Echo::default() }))
}

/// Answers with streams that are ready when they are asked. They are those of `futures`: those of
/// `tokio-stream` pause after every 32 messages, which makes for small writes.
struct FromIterators;

#[tonic::async_trait]
impl Echoes for FromIterators {
    type DownloadStream = stream::Iter<Answers>;
    type TalkStream = Streaming<Echo>;

    async fn unary(&self, request: Request<Echo>) -> Result<Response<Echo>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn download(
        &self,
        request: Request<Echo>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        let source = Source::asked_for_by(request.into_inner());
        Ok(Response::new(stream::iter(Answers(source))))
    }

    async fn upload(&self, request: Request<Streaming<Echo>>) -> Result<Response<Echo>, Status> {
        count(request.into_inner()).await
    }

    async fn talk(
        &self,
        request: Request<Streaming<Echo>>,
    ) -> Result<Response<Self::TalkStream>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

/// Messages as a server's stream wants them.
struct Answers(Source);

impl Iterator for Answers {
    type Item = Result<Echo, Status>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(Ok)
    }
}

/// Answers with channels, which tasks fill.
struct FromChannels;

#[tonic::async_trait]
impl Echoes for FromChannels {
    type DownloadStream = ReceiverStream<Result<Echo, Status>>;
    type TalkStream = ReceiverStream<Result<Echo, Status>>;

    async fn unary(&self, request: Request<Echo>) -> Result<Response<Echo>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn download(
        &self,
        request: Request<Echo>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        tokio::spawn(async move {
            for echo in Source::asked_for_by(request.into_inner()) {
                if sender.send(Ok(echo)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn upload(&self, request: Request<Streaming<Echo>>) -> Result<Response<Echo>, Status> {
        count(request.into_inner()).await
    }

    async fn talk(
        &self,
        request: Request<Streaming<Echo>>,
    ) -> Result<Response<Self::TalkStream>, Status> {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        tokio::spawn(async move {
            let mut messages = request.into_inner();
            while let Some(message) = messages.message().await.transpose() {
                if sender.send(message).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// Serves from iterators until the process ends.
pub(crate) async fn serve_from_iterators() -> Result<()> {
    serve(FromIterators).await
}

/// Serves from channels until the process ends.
pub(crate) async fn serve_from_channels() -> Result<()> {
    serve(FromChannels).await
}

async fn serve(service: impl Echoes) -> Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let incoming = TcpIncoming::bind(address)?.with_nodelay(Some(true));
    announce(incoming.local_addr()?)?;
    // The default of 200 streams a connection is not enough for the workload of many idle streams.
    let mut server = Server::builder().max_concurrent_streams(u32::MAX);
    Ok(server.add_service(EchoesServer::new(service)).serve_with_incoming(incoming).await?)
}

/// Sends what an iterator gives.
#[derive(Debug)]
pub(crate) struct Iterators;

/// Sends what a task puts into a channel.
#[derive(Debug)]
pub(crate) struct Channels;

/// How a client makes the stream of its messages.
pub(crate) trait Form: Send + Sync + 'static {
    fn stream(source: Source) -> impl Stream<Item = Echo> + Send + 'static;
}

impl Form for Iterators {
    fn stream(source: Source) -> impl Stream<Item = Echo> + Send + 'static {
        stream::iter(source)
    }
}

impl Form for Channels {
    fn stream(source: Source) -> impl Stream<Item = Echo> + Send + 'static {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        tokio::spawn(async move {
            for echo in source {
                if sender.send(echo).await.is_err() {
                    return;
                }
            }
        });
        ReceiverStream::new(receiver)
    }
}

/// A client on one channel.
pub(crate) struct Client<F> {
    client: EchoesClient<Channel>,
    form: PhantomData<F>,
}

impl<F> Clone for Client<F> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), form: PhantomData }
    }
}

impl<F: Form> Unary for Client<F> {
    async fn connect(address: SocketAddr) -> Result<Self> {
        let channel =
            Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true).connect().await?;
        Ok(Self { client: EchoesClient::new(channel), form: PhantomData })
    }

    async fn call(&mut self, request: Echo) -> Result<Echo> {
        Ok(self.client.unary(request).await?.into_inner())
    }
}

impl<F: Form> Streams for Client<F> {
    type Reader = Streaming<Echo>;
    type Writer = mpsc::Sender<Echo>;

    async fn download(&mut self, request: Echo) -> Result<Self::Reader> {
        Ok(self.client.download(request).await?.into_inner())
    }

    async fn upload(&mut self, source: Source) -> Result<Echo> {
        Ok(self.client.upload(F::stream(source)).await?.into_inner())
    }

    async fn talk(&mut self, source: Source) -> Result<Self::Reader> {
        Ok(self.client.talk(F::stream(source)).await?.into_inner())
    }

    async fn open(&mut self) -> Result<(Self::Writer, Self::Reader)> {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        let answer = self.client.talk(ReceiverStream::new(receiver)).await?;
        Ok((sender, answer.into_inner()))
    }

    /// The message waits in the channel before the stream is opened, so that it goes along and
    /// saves a round trip.
    async fn exchange(&mut self, request: Echo) -> Result<Echo> {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        sender.send(request).await?;
        let mut reader = self.client.talk(ReceiverStream::new(receiver)).await?.into_inner();
        let answer = reader.message().await?.context("there was no message")?;
        drop(sender);
        ensure!(reader.message().await?.is_none(), "there was a second message");
        Ok(answer)
    }
}

impl Reader for Streaming<Echo> {
    async fn read(&mut self) -> Result<Option<Echo>> {
        self.message().await.context("reading")
    }
}

impl Writer for mpsc::Sender<Echo> {
    async fn write(&mut self, echo: Echo) -> Result<()> {
        self.send(echo).await.context("writing")
    }

    async fn finish(self) -> Result<()> {
        // Dropping the sender is what ends the stream.
        Ok(())
    }
}
