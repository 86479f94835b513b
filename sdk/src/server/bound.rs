//! A server with an address.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Code, Error, ErrorKind, Origin, Result};
use crate::service::Signal;
use crate::transport::{Listener, PeerAddr};

use super::connections::Connections;

/// How often a drain looks whether the last call has ended.
const DRAIN_POLL: Duration = Duration::from_millis(10);

/// How long accepting pauses when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server that listens, made by [`ServerBuilder::bind`](super::ServerBuilder::bind).
///
/// **On drop** the address is free again; connections that were accepted go on until their clients close them.
#[must_use = "a server does nothing until it serves"]
pub struct Bound {
    listener: Listener,
    local: PeerAddr,
    connections: Arc<Connections>,
    stopped: Arc<Signal>,
}

/// Shuts a server down from elsewhere, made by [`Bound::handle`]. Clones are for the same server.
#[derive(Clone)]
pub struct ServerHandle {
    connections: Arc<Connections>,
    /// The shutdown is complete: the serving future ends.
    stopped: Arc<Signal>,
}

impl Bound {
    pub(super) fn new(listener: Listener, local: PeerAddr, connections: Arc<Connections>) -> Self {
        Self { listener, local, connections, stopped: Arc::default() }
    }

    /// The address it listens at, with the port that was taken.
    #[must_use]
    pub fn local_addr(&self) -> &PeerAddr {
        &self.local
    }

    /// A handle to shut the server down.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle { connections: Arc::clone(&self.connections), stopped: Arc::clone(&self.stopped) }
    }

    /// Accepts connections and serves them, until the server is [shut down](ServerHandle::shutdown). Calls run in tasks of their own.
    ///
    /// **On drop** of the future the address is free again, and connections that were accepted go on.
    ///
    /// # Errors
    /// The listening socket failed.
    pub async fn serve(self) -> Result<()> {
        let accepting = async {
            loop {
                match self.listener.accept().await {
                    Ok((io, peer)) => drop(self.connections.start(io, peer)),
                    Err(error) if is_of_one_connection(&error) => {
                        tracing::debug!(%error, "a connection was lost before it was accepted");
                    }
                    Err(error) if is_shortage(&error) => {
                        tracing::error!(%error, "cannot accept connections for now");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                    Err(error) => {
                        let text = format!("cannot accept connections at {}", self.local);
                        return Error::new(
                            ErrorKind::Network,
                            Origin::Library,
                            Code::SERVER_SYSTEM_ERR,
                            text,
                        )
                        .with_source(error);
                    }
                }
            }
        };
        tokio::select! {
            error = accepting => return Err(error),
            () = self.connections.drain().wait() => {}
        }
        drop(self.listener);
        self.stopped.wait().await;
        Ok(())
    }
}

impl ServerHandle {
    #[cfg(feature = "testing")]
    pub(super) fn new(connections: Arc<Connections>, stopped: Arc<Signal>) -> Self {
        Self { connections, stopped }
    }

    /// Shuts the server down: refuses new connections, calls and streams, tells the handlers ([`Context::draining`]), waits until the
    /// last call has ended or `grace` has passed, and then closes all connections. Ready when that is done; calling it again is
    /// harmless. **On drop** of the future the server goes on refusing new work, and nothing is closed.
    ///
    /// [`Context::draining`]: crate::Context::draining
    pub async fn shutdown(&self, grace: Duration) {
        self.connections.begin_drain();
        let idle = async {
            while !self.connections.are_idle() {
                tokio::time::sleep(DRAIN_POLL).await;
            }
        };
        // Too late or not: what is left now is closed.
        let _ = tokio::time::timeout(grace, idle).await;
        self.connections.close().await;
        self.stopped.set();
    }
}

fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Kind;

    matches!(
        error.kind(),
        Kind::ConnectionAborted | Kind::ConnectionReset | Kind::ConnectionRefused | Kind::NotConnected
    )
}

/// No more file descriptors or memory: EMFILE and ENFILE have no kind of their own.
fn is_shortage(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24)) || error.kind() == std::io::ErrorKind::OutOfMemory
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("local", &self.local).finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").finish_non_exhaustive()
    }
}
