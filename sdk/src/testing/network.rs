//! Servers and connections inside this process.

use std::fmt;
use std::sync::Arc;

use fastrand::Rng;

use crate::client::{Channel, ChannelBuilder};
use crate::error::Result;
use crate::server::{ServerBuilder, ServerHandle, Unbound};
use crate::sync::Mutex;
use crate::transport::PeerAddr;

use super::link::Link;
use super::pipe::pipe;

/// A network inside this process, whose faults are chosen and, for a seed, the same in each run.
/// See the [module](super).
#[derive(Clone)]
pub struct Network(Arc<Mutex<Rng>>);

/// A server of a [`Network`].
///
/// Clones are of the same server. **On drop** of the last clone nothing more can be connected, and
/// connections go on until their clients close them.
#[derive(Clone)]
pub struct Host {
    network: Network,
    server: Arc<Unbound>,
}

impl Network {
    /// A network that draws what is left to chance from this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Rng::with_seed(seed))))
    }

    /// Makes a server that can be [connected](Host::connect) to, with all settings of the builder
    /// and without a port.
    ///
    /// # Errors
    /// A setting makes no sense, or two methods have one name
    /// ([`ErrorKind::Config`](crate::ErrorKind::Config)).
    pub fn serve(&self, server: ServerBuilder) -> Result<Host> {
        Ok(Host { network: self.clone(), server: Arc::new(server.unbound()?) })
    }
}

impl Host {
    /// Connects a channel, and gives the knobs of that one connection. Ready at once: there is
    /// nothing to wait for. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The server has been shut down ([`ErrorKind::Connect`](crate::ErrorKind::Connect)), or a
    /// setting makes no sense ([`ErrorKind::Config`](crate::ErrorKind::Config)).
    pub fn connect(&self, channel: ChannelBuilder) -> Result<(Channel, Link)> {
        let seed = self.network.0.lock().u64(..);
        let (near, far, pipe) = pipe(seed);
        let server = self.server.accept(far, &PeerAddr::memory())?;
        let (channel, client) = channel.over(near)?;
        Ok((channel, Link::new(pipe, client, server)))
    }

    /// A handle to shut the server down.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}
