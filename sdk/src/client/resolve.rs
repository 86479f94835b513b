//! Where the servers of a channel are: naming.

use std::collections::BTreeSet;
use std::fmt;
use std::future::pending;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;

/// Tells a channel where its servers are, as often as it asks. For a registry, a file, or any other
/// source.
///
/// A channel asks when it needs its first connection, when a connection fails, every
/// [`resolve_every`](super::ChannelBuilder::resolve_every), and when [`changed`](Self::changed)
/// says so. It connects to new addresses. A connection to an address that is gone takes no new
/// calls, and closes after its last call.
///
/// [`#[trill::async_trait]`](macro@crate::async_trait) stands on each `impl`. The trait is
/// object-safe: `Arc<dyn Resolve>` and `Box<dyn Resolve>` are resolvers themselves, for one that is
/// chosen when the program runs.
///
/// ```
/// use std::io;
/// use trill::client::Resolve;
///
/// /// One address a line.
/// struct File(std::path::PathBuf);
///
/// #[trill::async_trait]
/// impl Resolve for File {
///     fn name(&self) -> String {
///         self.0.display().to_string()
///     }
///
///     async fn resolve(&self) -> io::Result<Vec<String>> {
///         Ok(std::fs::read_to_string(&self.0)?.lines().map(str::to_owned).collect())
///     }
/// }
///
/// let chosen: Box<dyn Resolve> = Box::new(File("servers".into()));
/// assert_eq!(chosen.name(), "servers");
/// ```
#[async_trait]
pub trait Resolve: Send + Sync + 'static {
    /// The name of the servers in errors before one of them is known, such as
    /// `orders.example:8000`.
    fn name(&self) -> String;

    /// The addresses now, as `host:port` or `unix:` and a path. One that is neither is left out,
    /// with a warning in the log, unless all are so.
    ///
    /// An error and an empty list change nothing for existing connections. If there are none, calls
    /// fail as if no server had answered. The channel waits for the addresses as long as for a
    /// connection ([`connect_timeout`](super::ChannelBuilder::connect_timeout)), and then drops the
    /// future.
    ///
    /// # Errors
    /// The reason why the addresses are not known. A panic counts as an error, too.
    async fn resolve(&self) -> io::Result<Vec<String>>;

    /// Waits until the addresses may have changed, for sources that report changes. The channel
    /// drops the future when it asks for another reason. When this is ready, it asks at once, but
    /// at most once a second. Default: never ready.
    async fn changed(&self) {
        pending::<()>().await;
    }
}

/// The addresses that DNS has for a `host:port`: one connection, or as many as
/// [`connections`](super::ChannelBuilder::connections) says, to each of them.
///
/// A channel to a `host:port` without this asks DNS as well, and connects to the first address that
/// answers. The next one is tried when one fails, or has not answered for 250 milliseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dns(String);

impl Dns {
    /// Looks `host:port` up.
    pub fn new(host_and_port: impl Into<String>) -> Self {
        Self(host_and_port.into())
    }
}

#[async_trait]
impl Resolve for Dns {
    fn name(&self) -> String {
        self.0.clone()
    }

    async fn resolve(&self) -> io::Result<Vec<String>> {
        let found: BTreeSet<_> = tokio::net::lookup_host(self.0.as_str()).await?.collect();
        Ok(found.into_iter().map(|address| address.to_string()).collect())
    }
}

#[async_trait]
impl<R: Resolve + ?Sized> Resolve for Arc<R> {
    fn name(&self) -> String {
        (**self).name()
    }

    async fn resolve(&self) -> io::Result<Vec<String>> {
        (**self).resolve().await
    }

    async fn changed(&self) {
        (**self).changed().await;
    }
}

#[async_trait]
impl<R: Resolve + ?Sized> Resolve for Box<R> {
    fn name(&self) -> String {
        (**self).name()
    }

    async fn resolve(&self) -> io::Result<Vec<String>> {
        (**self).resolve().await
    }

    async fn changed(&self) {
        (**self).changed().await;
    }
}

impl fmt::Debug for dyn Resolve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}
