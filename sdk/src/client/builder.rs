//! Settings of a channel.

use std::time::Duration;

use bytes::Bytes;

use crate::error::{Code, Error, ErrorKind, Origin, Result};
use crate::settings::{self, size_settings};
use crate::stream::Compression;
use crate::transport::{self, Address, Cancel, Connection, Driver, Ends, Limits, PeerAddr};

use super::channel::Channel;

/// Settings of a channel, made by [`Channel::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it connects"]
pub struct ChannelBuilder {
    limits: Limits,
    connect_timeout: Duration,
    timeout: Option<Duration>,
    caller: Bytes,
    compression: Option<Compression>,
}

impl ChannelBuilder {
    pub(super) fn new() -> Self {
        Self {
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(10),
            timeout: Some(Duration::from_secs(10)),
            caller: Bytes::from_static(b"trpc.trill.client.service"),
            compression: None,
        }
    }

    /// How long connecting may take. Default: 10 seconds.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long a unary call may take that does not say so itself; `None` for no limit. Default: 10 seconds. Streams have no limit
    /// unless one is set on the call.
    pub fn timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.timeout = limit.into();
        self
    }

    /// How long a server may take to accept a stream. Default: 10 seconds.
    pub fn open_timeout(mut self, limit: Duration) -> Self {
        self.limits.open_timeout = limit;
        self
    }

    size_settings!();

    /// How messages of calls and streams are compressed that do not say so themselves; `None` for not at all. Default: not at all.
    ///
    /// Streams: a server of tRPC-Go compresses in both directions like the client; one of tRPC-Cpp does not understand compressed
    /// streams.
    pub fn compression(mut self, compression: impl Into<Option<Compression>>) -> Self {
        self.compression = compression.into();
        self
    }

    /// How streams are given up, when a handle is dropped or a deadline passes before their end. Default: [`Cancel::Reset`].
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.limits.cancel = cancel;
        self
    }

    /// The id of the first unary call; the following ones count up. Default: 1, as tRPC-Go does; tRPC-Cpp starts with 0. No peer needs a
    /// certain one: it helps to compare recorded bytes.
    pub fn first_request_id(mut self, id: u32) -> Self {
        self.limits.first_request_id = id;
        self
    }

    /// The name that calls give as their caller, by convention `trpc.app.server.service`.
    pub fn caller(mut self, name: impl Into<String>) -> Self {
        self.caller = Bytes::from(name.into());
        self
    }

    /// Connects to `host:port`, or to `unix:` and a path. Waits for the connection, at most
    /// [`connect_timeout`](Self::connect_timeout). Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The address or a setting makes no sense ([`ErrorKind::Config`]), or nobody answers there ([`ErrorKind::Connect`]).
    pub async fn connect(self, address: impl AsRef<str>) -> Result<Channel> {
        settings::check(&self.limits)?;
        let address = Address::parse(address.as_ref())?;
        let failed = |text: String| {
            Error::new(ErrorKind::Connect, Origin::Peer, Code::CLIENT_CONNECT_ERR, text)
                .with_peer(address.to_string())
        };
        let (io, peer) = match tokio::time::timeout(self.connect_timeout, transport::connect(&address)).await
        {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return Err(failed("cannot connect".to_owned()).with_source(error)),
            Err(_) => {
                return Err(failed(format!(
                    "no connection within {:?} (connect_timeout)",
                    self.connect_timeout
                )));
            }
        };
        Ok(self.channel(io, peer))
    }

    /// A channel over a connection in memory.
    #[cfg(feature = "testing")]
    pub(crate) fn over(self, ends: Ends) -> Result<Channel> {
        settings::check(&self.limits)?;
        Ok(self.channel(ends, PeerAddr::memory()))
    }

    pub(crate) fn channel(self, ends: Ends, peer: PeerAddr) -> Channel {
        let (link, driver) = Driver::client(Connection::client(self.limits), ends, peer);
        // The link owns the task: it ends when nobody holds the connection any more.
        tokio::spawn(driver);
        Channel::new(link, self.caller, self.timeout, self.compression)
    }
}
