//! Trill on cores: both sides with a connection for each of two threads.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use tokio::runtime::Handle;
use trill::{Channel, Cores, Server};

use super::trill::{Client, Service};
use super::{Streams, Unary};
use crate::message::{Echo, Source};
use crate::process::announce;

/// As many threads as the other forms have.
const CORES: usize = 2;

/// Serves until the process ends.
pub(crate) async fn serve() -> Result<()> {
    let cores = Cores::new(CORES)?;
    let server = Server::builder().service(Service).per_core(&cores).bind("127.0.0.1:0").await?;
    announce(server.local_addr())?;
    Ok(server.serve().await?)
}

/// A client whose callers are on the cores.
#[derive(Clone)]
pub(crate) struct PerCore {
    client: Client,
    places: Arc<[Handle]>,
    _cores: Arc<Cores>,
}

impl Unary for PerCore {
    async fn connect(address: SocketAddr) -> Result<Self> {
        let cores = Cores::new(CORES)?;
        let channel = Channel::builder().per_core(&cores).connect(address.to_string()).await?;
        while channel.connections() < CORES {
            tokio::task::yield_now().await;
        }
        let mut places = Vec::new();
        for _ in 0..cores.count() {
            places.push(cores.spawn(async { Handle::current() }).await?);
        }
        ensure!(places[0].id() != places[1].id(), "each task has its core");
        Ok(Self { client: Client::new(channel), places: places.into(), _cores: Arc::new(cores) })
    }

    fn place(&self, number: u64) -> Handle {
        self.places[number as usize % self.places.len()].clone()
    }

    async fn call(&mut self, request: Echo) -> Result<Echo> {
        self.client.call(request).await
    }
}

impl Streams for PerCore {
    type Reader = <Client as Streams>::Reader;
    type Writer = <Client as Streams>::Writer;

    async fn download(&mut self, request: Echo) -> Result<Self::Reader> {
        self.client.download(request).await
    }

    async fn upload(&mut self, source: Source) -> Result<Echo> {
        self.client.upload(source).await
    }

    async fn talk(&mut self, source: Source) -> Result<Self::Reader> {
        self.client.talk(source).await
    }

    async fn open(&mut self) -> Result<(Self::Writer, Self::Reader)> {
        self.client.open().await
    }
}
