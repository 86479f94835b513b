//! A channel: the way to a server, or to several that do the same.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::driver::{Buffered, Link};
use crate::error::{Error, Result};
use crate::stream::Compression;

use super::builder::ChannelBuilder;
use super::pool::ConnectionPool;
use super::state::{State, StateWatch};

/// The way to a server, or to several servers that do the same work. It has one or more
/// connections, and any number of calls and streams share each of them.
///
/// A connection whose server says that it shuts down gets no more calls. Open calls and streams go
/// on there, and another connection is made at once.
///
/// A lost connection is replaced. Calls and streams that were sent on it fail, and are never sent
/// again by themselves. A call that was not sent yet waits for another connection, within its own
/// timeout. When an attempt to connect fails, the calls that wait for it fail with its error, which
/// [is retryable](Error::is_retryable), unless the channel or the call
/// [waits for it](ChannelBuilder::wait_for_ready).
///
/// ```
/// # use trill::{Channel, Result};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// // Nothing happens before the first call.
/// let channel = Channel::builder().wait_for_ready(true).lazy("127.0.0.1:8000")?;
/// assert_eq!(format!("{:?}", channel.state()), "Idle");
/// # Ok(())
/// # }
/// ```
///
/// A connection is driven by the tokio runtime of the call that it was made for. When that runtime
/// ends, calls on the connection end with [`ErrorKind::Closed`](crate::ErrorKind::Closed), and the
/// next call connects from its own runtime.
///
/// Clones share the connections. **On drop** of the last clone no new connection is made. Queued
/// bytes are still written, and each connection closes after its last call and stream.
#[derive(Clone)]
pub struct Channel(Arc<ChannelInner>);

struct ChannelInner {
    pool: Arc<ConnectionPool>,
    calls: CallDefaults,
}

/// The options that count for calls that do not say otherwise.
pub(super) struct CallDefaults {
    pub(super) caller: Bytes,
    pub(super) timeout: Option<Duration>,
    pub(super) compression: Option<Compression>,
    pub(super) wait_for_ready: bool,
}

impl Channel {
    /// Connects with default settings to `host:port`, or to `unix:` and a path. Waits for the
    /// connection, at most [`connect_timeout`](ChannelBuilder::connect_timeout). Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// The text is not an address ([`ErrorKind::Config`](crate::ErrorKind::Config)), or no server
    /// answers there ([`ErrorKind::Connect`](crate::ErrorKind::Connect)).
    pub async fn connect(address: impl AsRef<str>) -> Result<Self> {
        Self::builder().connect(address).await
    }

    /// Settings for a channel.
    pub fn builder() -> ChannelBuilder {
        ChannelBuilder::new()
    }

    pub(super) fn new(pool: Arc<ConnectionPool>, calls: CallDefaults) -> Self {
        Self(Arc::new(ChannelInner { pool, calls }))
    }

    pub(super) fn pool(&self) -> Arc<ConnectionPool> {
        Arc::clone(&self.0.pool)
    }

    /// The channel's target, as text: the address, the addresses with commas between, or the
    /// resolver's name.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.0.pool.config.target
    }

    /// The channel's state now.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.pool.state()
    }

    /// Gives the states of the channel as they change.
    #[must_use]
    pub fn watch(&self) -> StateWatch {
        self.0.pool.watch()
    }

    /// Connects if that has not happened yet, and waits until there is a connection, however many
    /// attempts fail.
    ///
    /// **Cancel safety**: dropping the future loses nothing. An attempt to connect goes on without
    /// it.
    ///
    /// # Errors
    /// The channel was closed, or the runtime has no timers or no sockets
    /// ([`ErrorKind::Config`](crate::ErrorKind::Config)).
    pub async fn ready(&self) -> Result<()> {
        self.0.pool.wait(true).await.map(drop)
    }

    /// How many connections can take new calls.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.pool.links().len()
    }

    /// How many streams are open on the connections.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.0.pool.all_links().iter().map(Link::live_streams).sum()
    }

    /// How many bytes of all connections wait in memory now. Bytes that streams of lost connections
    /// still hold do not count. Ready at once.
    #[must_use]
    pub fn buffered(&self) -> Buffered {
        self.0.pool.all_links().iter().map(Link::buffered).sum()
    }

    /// Closes the connections now, and makes no more. Open calls and streams end with an error, and
    /// so do later ones.
    pub fn close(&self) {
        self.0.pool.close();
    }

    /// A connection, if there is one at once; else [`wait`](Self::wait) for it.
    #[inline]
    pub(crate) fn pick(&self) -> Option<Link> {
        self.0.pool.pick()
    }

    /// Waits for a connection. `patient` is what the call says of failing attempts, if it does.
    pub(crate) async fn wait(&self, patient: Option<bool>) -> Result<Link> {
        self.0.pool.wait(patient.unwrap_or(self.0.calls.wait_for_ready)).await
    }

    /// The server of a connection has served a call or accepted a stream.
    #[inline]
    pub(crate) fn handle_served(&self, link: &Link) {
        self.0.pool.handle_served(link);
    }

    /// The server of a connection has refused a call or a stream: others are asked first.
    pub(crate) fn handle_refused(&self, link: &Link) {
        self.0.pool.handle_refused(link);
    }

    /// Why the last attempt to connect failed, if one did.
    pub(crate) fn last_failure(&self) -> Option<Error> {
        self.0.pool.last_failure()
    }

    pub(crate) fn caller(&self) -> Bytes {
        self.0.calls.caller.clone()
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.0.calls.timeout
    }

    /// How long a server may take to accept a stream.
    pub(crate) fn open_timeout(&self) -> Duration {
        self.0.pool.config.connection.open_timeout
    }

    pub(crate) fn compression(&self) -> Option<Compression> {
        self.0.calls.compression
    }

    pub(crate) fn peer_text(&self) -> Arc<str> {
        Arc::clone(&self.0.pool.config.target)
    }
}

impl Drop for ChannelInner {
    fn drop(&mut self) {
        self.pool.release();
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("peer", &self.peer())
            .field("state", &self.state())
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}
