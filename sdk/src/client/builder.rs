//! Settings of a channel.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::cores::{CoreSet, Cores};
use crate::driver::{Config, Connection, Driver, Link};
use crate::error::{Error, ErrorKind, Origin, Reason, Result};
use crate::settings::{self, Limits, shared_settings};
use crate::stream::Compression;
use crate::transport::{Ends, Io, PeerAddr};

use super::backoff::Backoff;
use super::balance::Balance;
use super::channel::{CallDefaults, Channel};
use super::connect::{Connect, Own, Sockets};
use super::keeper;
use super::pool::{ChannelConfig, ConnectionPool};
use super::resolve::Resolve;
use super::runtime::{Guard, Task};
use super::subchannels::Subchannels;

/// How many connections a channel has to one address at most. Each is a task and a socket at both
/// ends; more calls need no more connections.
const MAX_CONNECTIONS: usize = 1_024;

/// Settings of a channel, made by [`Channel::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until it connects"]
pub struct ChannelBuilder {
    config: Config,
    connect_timeout: Duration,
    timeout: Option<Duration>,
    caller: Bytes,
    compression: Option<Compression>,
    backoff: Backoff,
    wait_for_ready: bool,
    connections: usize,
    balance: Balance,
    resolve_every: Option<Duration>,
    connector: Arc<dyn Connect>,
    cores: Option<CoreSet>,
}

impl ChannelBuilder {
    pub(super) fn new() -> Self {
        Self {
            config: Config::default(),
            connect_timeout: Duration::from_secs(10),
            timeout: Some(Duration::from_secs(10)),
            caller: Bytes::from_static(b"trpc.trill.client.service"),
            compression: None,
            backoff: Backoff::default(),
            wait_for_ready: false,
            connections: 1,
            balance: Balance::default(),
            resolve_every: Some(Duration::from_secs(30)),
            connector: Arc::new(Sockets),
            cores: None,
        }
    }

    /// How long an attempt to connect may take, with all addresses of the name. Default: 10
    /// seconds.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Default timeout of unary calls that set none of their own; `None` for no limit. Default: 10
    /// seconds. Streams have no limit unless one is set on the call.
    pub fn timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.timeout = limit.into();
        self
    }

    /// How long a server may take to accept a stream, with the time for which the stream waits for
    /// room to send its head and the request of a server stream. Default: 10 seconds.
    pub fn open_timeout(mut self, limit: Duration) -> Self {
        self.config.open_timeout = limit;
        self
    }

    shared_settings!();

    /// How long the connection may be without a call or stream before it is closed, or `None` for
    /// ever. It lives for a quarter longer at most. Default: never. Servers close idle connections
    /// too: those of Trill after 5 minutes, those of tRPC-Go and tRPC-Cpp after 60 seconds.
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.config.idle_timeout = limit.into();
        self
    }

    /// Default compression of calls and streams that set none of their own; `None` for none.
    /// Default: none.
    ///
    /// Streams: a server of tRPC-Go compresses in both directions like the client; one of tRPC-Cpp
    /// does not understand compressed streams.
    pub fn compression(mut self, compression: impl Into<Option<Compression>>) -> Self {
        self.compression = compression.into();
        self
    }

    /// The name that calls give as their caller, by convention `trpc.app.server.service`.
    pub fn caller(mut self, name: impl Into<String>) -> Self {
        self.caller = Bytes::from(name.into());
        self
    }

    /// How long to wait between attempts to connect. Default: 50 to 100 ms at first, and twice as
    /// long each time, up to 10 seconds.
    pub fn reconnect(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets whether calls and streams wait until there is a connection, however many attempts fail.
    /// A call can have a setting of its own. They wait as long as their own timeout allows; a
    /// stream without one waits for [`open_timeout`](Self::open_timeout). Default: `false`: they
    /// wait while an attempt is being made, and fail when it fails.
    pub fn wait_for_ready(mut self, wait: bool) -> Self {
        self.wait_for_ready = wait;
        self
    }

    /// How many connections to make to each address, 1,024 at most. Default: 1, which is enough for
    /// most: any number of calls and streams share it.
    pub fn connections(mut self, count: usize) -> Self {
        self.connections = count;
        self
    }

    /// Which of several connections a call or stream takes. Default: [`Balance::RoundRobin`].
    pub fn balance(mut self, balance: Balance) -> Self {
        self.balance = balance;
        self
    }

    /// Makes [`connections`](Self::connections) to each address for each core, and drives them
    /// there. Default: connections are driven by the runtime of the call that they were made for.
    ///
    /// A call or stream of a task that runs on a core takes that core's connection, so that no
    /// other thread has to be woken. One from elsewhere takes any of them, and so do all while a
    /// connection is missing or some servers refuse. A channel in memory has one connection, and
    /// ignores this.
    ///
    /// When the [`Cores`] are shut down or dropped, the channel is closed: its calls end with
    /// [`ErrorKind::Closed`], and so do later ones.
    pub fn per_core(mut self, cores: &Cores) -> Self {
        self.cores = Some(cores.set());
        self
    }

    /// Connects by this function instead of by sockets: over TLS, through a proxy, or over whatever
    /// gives an [`Io`]. It gets the address as it was given to [`connect`](Self::connect) and its
    /// kin, or by the resolver; that may be any text now, such as `vsock:3:1024`.
    ///
    /// It is called for each connection that is made, also to replace one that was lost, and has
    /// [`connect_timeout`](Self::connect_timeout) for it: then its future is dropped. One that
    /// makes several attempts for a name has to make them itself. Calls name the address as their
    /// peer, unless the `Io` has a better one. An error or a panic fails the attempt, with its
    /// words.
    ///
    /// ```
    /// use tokio::net::TcpStream;
    /// use trill::{Channel, ErrorKind, Io};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let channel = Channel::builder().connector(|address| async move {
    ///     let stream = TcpStream::connect(address).await?;
    ///     // A handshake of TLS, or one of your own, has its place here.
    ///     Ok(Io::new(stream))
    /// });
    /// let error = channel.connect("127.0.0.1:1").await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Connect);
    /// assert_eq!(error.peer(), Some("127.0.0.1:1"));
    /// # }
    /// ```
    pub fn connector<C, I>(mut self, connect: impl Fn(String) -> C + Send + Sync + 'static) -> Self
    where
        C: Future<Output = std::io::Result<I>> + Send + 'static,
        I: Into<Io>,
    {
        self.connector = Arc::new(Own(connect));
        self
    }

    /// How often to ask a [resolver](Resolve) for addresses. With `None` it is asked only when a
    /// connection fails. Default: 30 seconds.
    pub fn resolve_every(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.resolve_every = interval.into();
        self
    }

    /// Connects to `host:port`, or to `unix:` and a path. Waits for the connection, at most
    /// [`connect_timeout`](Self::connect_timeout). Must be called within a tokio runtime.
    ///
    /// **Cancel safety**: dropping the future gives the connection up.
    ///
    /// # Errors
    /// The address or a setting is invalid ([`ErrorKind::Config`]), or no server answers there
    /// ([`ErrorKind::Connect`]).
    pub async fn connect(self, address: impl AsRef<str>) -> Result<Channel> {
        first(self.lazy(address)?).await
    }

    /// Like [`connect`](Self::connect), to several addresses with servers that do the same. Waits
    /// for the first connection; the others are made meanwhile.
    ///
    /// # Errors
    /// As those of `connect`: it fails when nobody answers at any of the addresses.
    pub async fn connect_all<A: AsRef<str>>(
        self,
        addresses: impl IntoIterator<Item = A>,
    ) -> Result<Channel> {
        first(self.lazy_all(addresses)?).await
    }

    /// Like [`connect_all`](Self::connect_all), to the addresses that a resolver knows, such as
    /// [`Dns`](super::Dns).
    ///
    /// # Errors
    /// As those of `connect_all`. It fails as well when the resolver knows no address.
    pub async fn connect_with(self, resolver: impl Resolve) -> Result<Channel> {
        first(self.lazy_with(resolver)?).await
    }

    /// A channel to `host:port`, or to `unix:` and a path, that connects with the first call. Waits
    /// for nothing; calls must be made within a tokio runtime.
    ///
    /// # Errors
    /// The address or a setting is invalid ([`ErrorKind::Config`]).
    pub fn lazy(self, address: impl AsRef<str>) -> Result<Channel> {
        self.lazy_all([address])
    }

    /// Like [`lazy`](Self::lazy), to several addresses with servers that do the same.
    ///
    /// # Errors
    /// An address or a setting is invalid, or there is no address ([`ErrorKind::Config`]).
    pub fn lazy_all<A: AsRef<str>>(
        self,
        addresses: impl IntoIterator<Item = A>,
    ) -> Result<Channel> {
        let mut list = Vec::new();
        for address in addresses {
            let address = self.connector.address(address.as_ref())?;
            if !list.contains(&address) {
                list.push(address);
            }
        }
        if list.is_empty() {
            return Err(wrong("there is no address to connect to".to_owned()));
        }
        self.check()?;
        let target = list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let subchannels = Subchannels::fixed(&list, self.each());
        Ok(self.build(&target, None, subchannels))
    }

    /// Like [`lazy_all`](Self::lazy_all), to the addresses that a resolver knows, which is asked
    /// with the first call.
    ///
    /// # Errors
    /// A setting is invalid ([`ErrorKind::Config`]).
    pub fn lazy_with(self, resolver: impl Resolve) -> Result<Channel> {
        self.check()?;
        let target = resolver.name();
        Ok(self.build(&target, Some(Arc::new(resolver)), Subchannels::named()))
    }

    /// A channel over a connection that is there already, and that is not replaced: the channel
    /// ends with it.
    pub(crate) fn channel(self, ends: Ends, peer: PeerAddr) -> Channel {
        self.hold(ends, peer, |_| ()).0
    }

    /// A channel over a connection in memory, and a look at that connection.
    #[cfg(feature = "testing")]
    pub(crate) fn over(self, ends: Ends) -> Result<(Channel, crate::driver::LinkWatch)> {
        self.check()?;
        Ok(self.hold(ends, PeerAddr::memory(), crate::driver::LinkWatch::new))
    }

    fn hold<T>(self, ends: Ends, peer: PeerAddr, look: impl FnOnce(&Link) -> T) -> (Channel, T) {
        let target = peer.as_str().to_owned();
        let (link, driver) = Driver::client(Connection::client(self.config.clone()), ends, peer);
        let seen = look(&link);
        let channel = self.build(&target, None, Subchannels::connected(link));
        let guard = Guard::new(&channel.pool(), Task::Given);
        tokio::spawn(keeper::hold(guard, driver));
        (channel, seen)
    }

    /// Connects in another way than by sockets.
    #[cfg(test)]
    pub(crate) fn connect_by(mut self, connector: Arc<dyn Connect>) -> Self {
        self.connector = connector;
        self
    }

    /// How many connections to make to each address.
    fn each(&self) -> usize {
        self.connections.saturating_mul(self.cores.as_ref().map_or(1, CoreSet::count))
    }

    fn check(&self) -> Result<()> {
        settings::check(&self.config)?;
        self.backoff.check()?;
        if self.connect_timeout.is_zero() {
            return Err(wrong(
                "connect_timeout is 0: it would pass before anybody could answer".to_owned(),
            ));
        }
        if self.connections == 0 {
            return Err(wrong(
                "connections is 0: there must be at least one to each address".to_owned(),
            ));
        }
        if self.each() > MAX_CONNECTIONS {
            let (count, each) =
                (self.connections, self.cores.as_ref().map_or("", |_| " for each core"));
            let text = format!(
                "connections is {count}{each}: there are at most {MAX_CONNECTIONS} to each address"
            );
            return Err(wrong(text));
        }
        if self.resolve_every.is_some_and(|interval| interval.is_zero()) {
            return Err(wrong("resolve_every is zero: it would ask without a pause".to_owned()));
        }
        Ok(())
    }

    fn build(
        self,
        target: &str,
        resolver: Option<Arc<dyn Resolve>>,
        subchannels: Subchannels,
    ) -> Channel {
        let each = self.each();
        let config = ChannelConfig {
            target: target.into(),
            connector: self.connector,
            connection: self.config,
            connect_timeout: self.connect_timeout,
            backoff: self.backoff,
            each,
            balance: self.balance,
            resolver,
            resolve_every: self.resolve_every,
            cores: self.cores,
        };
        let calls = CallDefaults {
            caller: self.caller,
            timeout: self.timeout,
            compression: self.compression,
            wait_for_ready: self.wait_for_ready,
        };
        Channel::new(ConnectionPool::new(config, subchannels), calls)
    }
}

/// Waits for the first connection. Without one there is no channel.
async fn first(channel: Channel) -> Result<Channel> {
    channel.wait(Some(false)).await?;
    Ok(channel)
}

fn wrong(text: String) -> Error {
    Error::new(ErrorKind::Config, Origin::Caller, Reason::Config, text)
}

impl fmt::Debug for ChannelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelBuilder")
            .field("limits", &self.config)
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("reconnect", &self.backoff)
            .field("wait_for_ready", &self.wait_for_ready)
            .field("connections", &self.connections)
            .field("balance", &self.balance)
            .field("resolve_every", &self.resolve_every)
            .finish_non_exhaustive()
    }
}
