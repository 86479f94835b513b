//! Settings of a server.

use std::fmt;
use std::sync::Arc;

use crate::client::Channel;
use crate::error::{Code, Error, ErrorKind, Origin, Result};
use crate::service::{Host, IntoService, Router, Service};
use crate::settings::{self, size_settings};
use crate::stream::Compression;
use crate::transport::{Address, AppErrors, Ends, Limits, Listener, PeerAddr, memory_pair};

use super::bound::Bound;
use super::connections::Connections;

/// The door to a server: [`Server::builder`].
#[derive(Debug)]
pub struct Server(());

impl Server {
    /// Settings and services of a new server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder { services: Vec::new(), limits: Limits::default(), compression: None }
    }
}

/// Settings and services of a server, made by [`Server::builder`].
#[must_use = "a builder does nothing until it is bound"]
pub struct ServerBuilder {
    services: Vec<Arc<dyn Service>>,
    limits: Limits,
    /// `None`: as the requests are.
    compression: Option<Option<Compression>>,
}

impl ServerBuilder {
    /// Adds a service: a generated `...Server`, or a type whose `impl` of a service trait carries `#[trill::service]`.
    pub fn service<Marker>(mut self, service: impl IntoService<Marker>) -> Self {
        self.services.push(service.into_service());
        self
    }

    size_settings!();

    /// How the answers of unary calls are compressed, or with `None` that they are not, whatever their requests are. Default: as the
    /// request is. [`Context::set_compression`](crate::Context::set_compression) decides for one answer.
    ///
    /// All peers of the protocol unpack an answer as its header says, whatever they asked with. The messages of a stream are compressed
    /// as its opener says, in both directions.
    pub fn compression(mut self, compression: impl Into<Option<Compression>>) -> Self {
        self.compression = Some(compression.into());
        self
    }

    /// How a stream ends whose handler fails with a code of the application. Default: [`AppErrors::Reset`].
    pub fn app_errors(mut self, app_errors: AppErrors) -> Self {
        self.limits.app_errors = app_errors;
        self
    }

    /// How many streams one connection may have open; further ones are refused with code 22. Default: 100,000.
    pub fn max_streams_per_connection(mut self, count: usize) -> Self {
        self.limits.max_streams = count;
        self
    }

    /// How many unary calls of one connection may be in work; further ones are refused with code 22. Default: 10,000.
    pub fn max_calls_per_connection(mut self, count: usize) -> Self {
        self.limits.max_calls = count;
        self
    }

    /// Listens at `host:port`, or at `unix:` and a path; port 0 takes a free one. Connections wait until the server
    /// [serves](Bound::serve). Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The address or a setting makes no sense, two methods have one name ([`ErrorKind::Config`]), or the address is taken
    /// ([`ErrorKind::Connect`]).
    pub async fn bind(self, address: impl AsRef<str>) -> Result<Bound> {
        let address = Address::parse(address.as_ref())?;
        let connections = self.connections()?;
        let failed = |error: std::io::Error| {
            let text = format!("cannot listen at {address}");
            Error::new(ErrorKind::Connect, Origin::Caller, Code::SERVER_SYSTEM_ERR, text).with_source(error)
        };
        let listener = Listener::bind(&address).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        Ok(Bound::new(listener, local, connections))
    }

    /// Serves inside this process, without a port, and gives a channel to it: for tests of handlers and clients. The server ends
    /// with the last clone of the channel. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// A setting makes no sense, or two methods have one name ([`ErrorKind::Config`]).
    pub fn in_memory(self) -> Result<Channel> {
        Ok(Channel::builder().channel(self.serve_in_memory()?, PeerAddr::memory()))
    }

    /// Serves one end of a connection in memory, and gives the other.
    pub(crate) fn serve_in_memory(self) -> Result<Ends> {
        let connections = self.connections()?;
        let (near, far) = memory_pair();
        connections.start(far, PeerAddr::memory());
        Ok(near)
    }

    /// A server to which connections are brought.
    #[cfg(feature = "testing")]
    pub(crate) fn unbound(self) -> Result<super::unbound::Unbound> {
        Ok(super::unbound::Unbound::new(self.connections()?))
    }

    fn connections(self) -> Result<Arc<Connections>> {
        settings::check(&self.limits)?;
        let host = Arc::new(Host { compression: self.compression, ..Host::default() });
        let router = Router::new(&self.services, Arc::clone(&host))?;
        Ok(Arc::new(Connections::new(self.limits, router, host)))
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.services.iter().map(|service| service.spec().name).collect();
        f.debug_struct("ServerBuilder").field("services", &names).field("limits", &self.limits).finish()
    }
}
