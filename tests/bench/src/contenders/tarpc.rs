//! tarpc over TCP with bincode. It knows calls and no streams.

use std::net::SocketAddr;

use anyhow::Result;
use futures::StreamExt as _;
use tarpc::server::{BaseChannel, Channel as _};
use tarpc::{client, context, serde_transport};
use tokio::net::{TcpListener, TcpStream};
use tokio_serde::formats::Bincode;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::Unary;
use crate::message::Echo;
use crate::process::announce;

/// The one kind of call.
#[tarpc::service]
trait Echoes {
    async fn unary(request: Echo) -> Echo;
}

#[derive(Clone)]
struct Service;

impl Echoes for Service {
    async fn unary(self, _: context::Context, request: Echo) -> Echo {
        request
    }
}

/// Serves until the process ends.
pub(crate) async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?)?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let transport = serde_transport::new(framed(socket), Bincode::default());
        let channel = BaseChannel::with_defaults(transport);
        tokio::spawn(channel.execute(Service.serve()).for_each(async |answer| {
            tokio::spawn(answer);
        }));
    }
}

fn framed(socket: TcpStream) -> Framed<TcpStream, LengthDelimitedCodec> {
    Framed::new(socket, LengthDelimitedCodec::new())
}

/// A client on one connection.
#[derive(Clone)]
pub(crate) struct Client(EchoesClient);

impl Unary for Client {
    async fn connect(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let transport = serde_transport::new(framed(socket), Bincode::default());
        Ok(Self(EchoesClient::new(client::Config::default(), transport).spawn()))
    }

    async fn call(&mut self, request: Echo) -> Result<Echo> {
        Ok(self.0.unary(context::current(), request).await?)
    }
}
