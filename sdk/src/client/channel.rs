//! A channel: the way to a server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::{Code, Error, ErrorKind, Origin, Result};
use crate::stream::Compression;
use crate::transport::{Buffered, ConnError, Link};

use super::builder::ChannelBuilder;

/// The way to a server: one connection, on which any number of calls and streams go on at the same time.
///
/// Clones share the connection. **On drop** of the last clone, and of the last call and stream, what is queued is still written and
/// the connection closes.
#[derive(Clone)]
pub struct Channel(Arc<Inner>);

struct Inner {
    link: Link,
    caller: Bytes,
    timeout: Option<Duration>,
    compression: Option<Compression>,
}

impl Channel {
    /// Connects with default settings to `host:port`, or to `unix:` and a path. Waits for the connection, at most
    /// [`connect_timeout`](ChannelBuilder::connect_timeout). Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The address is not one ([`ErrorKind::Config`]), or nobody answers there ([`ErrorKind::Connect`]).
    pub async fn connect(address: impl AsRef<str>) -> Result<Self> {
        Self::builder().connect(address).await
    }

    /// Settings for a channel.
    pub fn builder() -> ChannelBuilder {
        ChannelBuilder::new()
    }

    pub(crate) fn new(
        link: Link,
        caller: Bytes,
        timeout: Option<Duration>,
        compression: Option<Compression>,
    ) -> Self {
        Self(Arc::new(Inner { link, caller, timeout, compression }))
    }

    /// The server's address, as text.
    #[must_use]
    pub fn peer(&self) -> &str {
        self.0.link.peer().as_str()
    }

    /// How many streams are open on the connection.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.0.link.live_streams()
    }

    /// How many bytes of the connection wait in memory now. Ready at once.
    #[must_use]
    pub fn buffered(&self) -> Buffered {
        self.0.link.buffered()
    }

    /// Closes the connection now. Calls and streams on it end with an error.
    pub fn close(&self) {
        self.0.link.close(&ConnError::LocalClosed);
    }

    pub(crate) fn link(&self, method: &'static str) -> Result<Link> {
        match self.0.link.lost() {
            None => Ok(self.0.link.clone()),
            Some(why) => Err(Error::new(
                ErrorKind::Network,
                Origin::Peer,
                Code::CLIENT_NETWORK_ERR,
                format!("the call was not sent, because the connection is over: {why}"),
            )
            .with_method(method)
            .with_peer(self.0.link.peer_text())),
        }
    }

    pub(crate) fn caller(&self) -> Bytes {
        self.0.caller.clone()
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.0.timeout
    }

    pub(crate) fn compression(&self) -> Option<Compression> {
        self.0.compression
    }

    pub(crate) fn peer_text(&self) -> Arc<str> {
        self.0.link.peer_text()
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("peer", &self.peer()).finish_non_exhaustive()
    }
}
