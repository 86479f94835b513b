//! A server with an address.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::error::{Code, Error, ErrorKind, Origin, Result};
use crate::service::Signal;
use crate::transport::{Buffered, Listener, PeerAddr, now};

use super::connections::Connections;
use super::pace::Pace;

/// How long the address may take to be free. It is at once, where the serving future is polled.
const UNBIND_LIMIT: Duration = Duration::from_millis(500);

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
    /// Whether it accepts connections. Dropped behind the listener.
    serving: watch::Sender<bool>,
}

/// Shuts a server down from elsewhere, made by [`Bound::handle`]. Clones are for the same server.
#[derive(Clone)]
pub struct ServerHandle {
    connections: Arc<Connections>,
    /// The shutdown is complete: the serving future ends.
    stopped: Arc<Signal>,
    serving: watch::Receiver<bool>,
}

impl Bound {
    pub(super) fn new(listener: Listener, local: PeerAddr, connections: Arc<Connections>) -> Self {
        Self { listener, local, connections, stopped: Arc::default(), serving: watch::Sender::new(false) }
    }

    /// The address it listens at, with the port that was taken.
    #[must_use]
    pub fn local_addr(&self) -> &PeerAddr {
        &self.local
    }

    /// A handle to shut the server down.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle {
            connections: Arc::clone(&self.connections),
            stopped: Arc::clone(&self.stopped),
            serving: self.serving.subscribe(),
        }
    }

    /// Accepts connections and serves them, until the server is [shut down](ServerHandle::shutdown). Calls run in tasks of their own.
    ///
    /// **On drop** of the future the address is free again, and connections that were accepted go on.
    ///
    /// # Errors
    /// The listening socket failed.
    pub async fn serve(self) -> Result<()> {
        self.serving.send_replace(true);
        let dead_peer_timeout = self.connections.limits().dead_peer_timeout;
        let mut pace = Pace::new(self.connections.room().accepts_per_second);
        let accepting = async {
            loop {
                pace.wait().await;
                match self.listener.accept(dead_peer_timeout).await {
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
            () = self.connections.drain_begun() => {}
        }
        drop(self.listener);
        // Wakes those who shut the server down: the address is free.
        self.serving.send_replace(false);
        self.stopped.wait().await;
        Ok(())
    }
}

impl ServerHandle {
    /// For a server that has no address to give back.
    #[cfg(feature = "testing")]
    pub(super) fn unbound(connections: Arc<Connections>) -> Self {
        Self { connections, stopped: Arc::default(), serving: watch::Sender::new(false).subscribe() }
    }

    /// How many bytes of all connections wait in memory now. Ready at once; it looks at each connection, so ask some times a second at most.
    #[must_use]
    pub fn buffered(&self) -> Buffered {
        self.connections.buffered()
    }

    /// Shuts the server down. At once it refuses new connections, calls and streams (code 22, for callers to try elsewhere) and tells the
    /// handlers ([`Context::draining`]). When the last call has ended, or `grace` has passed, it closes all connections.
    ///
    /// Waits for the last call, at most `grace`, and then for at most 1 s until the answers are written and all tasks of the server have
    /// ended, so that no task, socket or port is left. A call that is not ready in time ends with code 21 at its caller, and its handler is
    /// dropped. Only a handler that keeps its thread and never awaits outlives that, because nothing can stop it.
    ///
    /// Can be called again and at the same time: the shortest grace counts, and each call waits for the end. **On drop** of the future the
    /// server goes on refusing new work, and what is going on goes on: call it again to wait or to close.
    ///
    /// [`Context::draining`]: crate::Context::draining
    pub async fn shutdown(&self, grace: Duration) {
        self.connections.begin_drain(now().checked_add(grace));
        // Idle or not: what is left now is closed.
        let _ = tokio::time::timeout(grace, self.connections.idle()).await;
        let mut serving = self.serving.clone();
        // Fails if nobody serves any more, which is as good. A serving future that nobody polls cannot be waited for.
        let unbound = async { serving.wait_for(|serving| !serving).await.is_ok() };
        let unbound = tokio::time::timeout(UNBIND_LIMIT, unbound);
        let ((), _) = tokio::join!(self.connections.close(), unbound);
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
