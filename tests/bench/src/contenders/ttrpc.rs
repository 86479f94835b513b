//! ttrpc over TCP, with its own protobuf and payloads as shared bytes.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use futures::TryStreamExt as _;
use tokio::net::{TcpListener, TcpStream};
use ttrpc::r#async::{
    CSReceiver, CSSender, Client as Connection, ClientStreamReceiver, Server, ServerStream,
    ServerStreamReceiver, ServerStreamSender, TtrpcContext,
};
use ttrpc::asynchronous::transport::{Listener, Socket};
use ttrpc::context;

use super::{Reader, Streams, Unary, Writer};
use crate::message::{Check, Echo, Source, payload};
use crate::process::announce;

use generated::bench::EchoMessage;
use generated::bench_ttrpc::{Echoes, EchoesClient, create_echoes};

#[expect(
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    clippy::use_self,
    clippy::needless_pass_by_value,
    reason = "ttrpc-codegen writes it"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/ttrpc/modules.rs"));
}

impl From<Echo> for EchoMessage {
    fn from(Echo { payload, seq }: Echo) -> Self {
        Self { payload, seq, ..Self::default() }
    }
}

impl From<EchoMessage> for Echo {
    fn from(EchoMessage { payload, seq, .. }: EchoMessage) -> Self {
        Self { payload, seq }
    }
}

struct Service;

#[async_trait]
impl Echoes for Service {
    async fn unary(&self, _: &TtrpcContext, request: EchoMessage) -> ttrpc::Result<EchoMessage> {
        Ok(request)
    }

    async fn download(
        &self,
        _: &TtrpcContext,
        request: EchoMessage,
        sender: ServerStreamSender<EchoMessage>,
    ) -> ttrpc::Result<()> {
        for echo in Source::asked_for_by(request.into()) {
            sender.send(&echo.into()).await?;
        }
        Ok(())
    }

    async fn upload(
        &self,
        _: &TtrpcContext,
        mut receiver: ServerStreamReceiver<EchoMessage>,
    ) -> ttrpc::Result<EchoMessage> {
        let mut check: Option<Check> = None;
        while let Some(message) = receiver.recv().await? {
            let echo = Echo::from(message);
            let check = check.get_or_insert_with(|| Check::new(payload(echo.payload.len())));
            check.accept(&echo).map_err(|wrong| ttrpc::Error::Others(wrong.to_string()))?;
        }
        Ok(EchoMessage { seq: check.map_or(0, |check| check.seen()), ..EchoMessage::default() })
    }

    async fn talk(
        &self,
        _: &TtrpcContext,
        mut stream: ServerStream<EchoMessage, EchoMessage>,
    ) -> ttrpc::Result<()> {
        while let Some(message) = stream.recv().await? {
            stream.send(&message).await?;
        }
        Ok(())
    }
}

/// Serves until the process ends.
pub(crate) async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let sockets = futures::stream::try_unfold(listener, async |listener| {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        std::io::Result::Ok(Some((socket, listener)))
    });
    let mut server = Server::new()
        .register_service(create_echoes(Arc::new(Service)))
        .add_listener(Listener::new(sockets.into_stream()));
    server.start().await?;
    announce(address)?;
    std::future::pending().await
}

/// A client on one connection.
#[derive(Clone)]
pub(crate) struct Client(EchoesClient);

impl Unary for Client {
    async fn connect(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self(EchoesClient::new(Connection::new(Socket::new(socket)))))
    }

    async fn call(&mut self, request: Echo) -> Result<Echo> {
        Ok(self.0.unary(context::with_timeout(0), &request.into()).await?.into())
    }
}

impl Streams for Client {
    type Reader = Receiver;
    type Writer = CSSender<EchoMessage>;

    async fn download(&mut self, request: Echo) -> Result<Self::Reader> {
        Ok(Receiver::Download(self.0.download(context::with_timeout(0), &request.into()).await?))
    }

    async fn upload(&mut self, source: Source) -> Result<Echo> {
        let mut stream = self.0.upload(context::with_timeout(0)).await?;
        for echo in source {
            stream.send(&echo.into()).await?;
        }
        Ok(stream.close_and_recv().await?.into())
    }

    async fn talk(&mut self, source: Source) -> Result<Self::Reader> {
        let (sender, receiver) = self.0.talk(context::with_timeout(0)).await?.split();
        // If a message cannot be sent, the connection is over, and the reader gets its error.
        tokio::spawn(async move {
            for echo in source {
                sender.send(&echo.into()).await?;
            }
            sender.close_send().await
        });
        Ok(Receiver::Talk(receiver))
    }

    async fn open(&mut self) -> Result<(Self::Writer, Self::Reader)> {
        let (sender, receiver) = self.0.talk(context::with_timeout(0)).await?.split();
        Ok((sender, Receiver::Talk(receiver)))
    }
}

/// ttrpc has a type for each kind of stream.
pub(crate) enum Receiver {
    Download(ClientStreamReceiver<EchoMessage>),
    Talk(CSReceiver<EchoMessage>),
}

impl Reader for Receiver {
    async fn read(&mut self) -> Result<Option<Echo>> {
        match self {
            Self::Download(receiver) => Ok(receiver.recv().await?.map(Echo::from)),
            Self::Talk(receiver) => match receiver.recv().await {
                Ok(message) => Ok(Some(message.into())),
                Err(ttrpc::Error::Eof) => Ok(None),
                Err(error) => Err(error.into()),
            },
        }
    }
}

impl Writer for CSSender<EchoMessage> {
    async fn write(&mut self, echo: Echo) -> Result<()> {
        Ok(self.send(&echo.into()).await?)
    }

    async fn finish(self) -> Result<()> {
        Ok(self.close_send().await?)
    }
}
