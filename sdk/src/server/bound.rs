//! A server with an address.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::driver::{Buffered, Refused};
use crate::error::{Error, ErrorKind, Origin, Reason, Result};
use crate::signal::Signal;
use crate::transport::PeerAddr;

use super::accept::{Accept, Serve, Source, accept_all};
use super::builder::check_runtime;
use super::connections::Connections;
use super::pace::Pace;
use super::waiting::{Accepted, WaitingConnections};

/// How long a listener that is being closed still accepts connections that had begun: the packets
/// of a handshake on this machine, or in a rack, are there by then.
const SETTLE: Duration = Duration::from_millis(10);

/// How long that takes at most, however many come.
const SETTLE_LIMIT: Duration = Duration::from_millis(100);

/// How long the address may take to be free, where the serving future is polled.
const UNBIND_LIMIT: Duration = Duration::from_millis(200);

/// A server that listens, made by [`ServerBuilder::bind`](super::ServerBuilder::bind) and its kin.
///
/// **On drop** the address is free again; connections that were accepted go on until their clients
/// close them.
#[must_use = "a server does nothing until it serves"]
pub struct Bound {
    source: Source,
    local: PeerAddr,
    connections: Arc<Connections>,
    stopped: Arc<Signal>,
    /// Dropped behind the listener.
    stage: watch::Sender<Stage>,
}

/// The stage of the serving future.
#[derive(Clone, Debug)]
enum Stage {
    /// The future has not been polled.
    Bound,
    Accepting,
    /// The address is free, because the server is shut down.
    Unbound,
    /// The listener is broken.
    Broken(Error),
}

/// Shuts a server down from elsewhere, made by [`Bound::handle`]. Clones are for the same server.
#[derive(Clone)]
pub struct ServerHandle {
    pub(super) connections: Arc<Connections>,
    /// The shutdown is complete: the serving future ends.
    pub(super) stopped: Arc<Signal>,
    /// Absent for a server that has no address.
    listening: Option<Listening>,
}

/// The part of the serving future that a handle knows.
#[derive(Clone)]
struct Listening {
    local: PeerAddr,
    stage: watch::Receiver<Stage>,
}

impl Bound {
    pub(super) fn new(source: Source, local: PeerAddr, connections: Arc<Connections>) -> Self {
        let stage = watch::Sender::new(Stage::Bound);
        Self { source, local, connections, stopped: Arc::default(), stage }
    }

    /// The address it listens at, with the port that was taken. It prints as `incoming` for a
    /// server to which connections are [brought](super::ServerBuilder::bind_incoming).
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
            listening: Some(Listening { local: self.local.clone(), stage: self.stage.subscribe() }),
        }
    }

    /// Accepts connections and serves them, until the server is
    /// [shut down](ServerHandle::shutdown). Calls run in tasks of their own.
    ///
    /// Errors of single connections, and a system that is short of file descriptors or memory, do
    /// not end it: accepting goes on, after a pause of 100 ms if the system is short. A program
    /// that has spawned the future hears of its end by [`ServerHandle::stopped`].
    ///
    /// If the connections come from a stream that ends
    /// ([`bind_incoming`](super::ServerBuilder::bind_incoming)), it is ready when the last of them
    /// has ended as well.
    ///
    /// **On drop** of the future the address is free again, and connections that were accepted go
    /// on.
    ///
    /// # Errors
    /// The listening socket is broken: connections that were accepted go on. Or the runtime has no
    /// timers or no sockets, or the [`Cores`](crate::Cores) were gone before
    /// ([`ErrorKind::Config`]), or they are gone while it serves ([`ErrorKind::Closed`]).
    pub async fn serve(self) -> Result<()> {
        check_runtime("serve", matches!(self.source, Source::Listener(_)))?;
        if self.connections.are_cores_over() {
            return Err(self.broken(cores_gone(ErrorKind::Config, "serve cannot serve")));
        }
        self.stage.send_replace(Stage::Accepting);
        let limits = self.connections.accept_limits();
        let pace = Pace::new(limits.accepts_per_second);
        let mut waiting = WaitingConnections::new(limits.waiting());
        let accepting = accept_all(&self.source, pace, &mut waiting, &self.connections);
        let ended = tokio::select! {
            biased;
            () = self.connections.drain_begun() => None,
            () = self.connections.cores_over() => {
                let text = format!("nobody accepts connections at {}", self.local);
                Some(Err(cores_gone(ErrorKind::Closed, &text)))
            }
            ended = accepting => Some(ended.map_err(|why| self.not_accepting(why))),
        };
        // They have been accepted, so they go on, or hear that their calls are refused.
        while let Some(accepted) = waiting.pop() {
            Serve::start(&self.connections, accepted);
        }
        match ended {
            Some(Err(error)) => return Err(self.broken(error)),
            Some(Ok(())) => {}
            None => self.accept_begun().await,
        }
        drop(self.source);
        // Wakes those who shut the server down: the address is free.
        self.stage.send_replace(Stage::Unbound);
        if ended.is_some() {
            self.connections.all_ended().await;
            // A shutdown that goes on meanwhile says itself when it is complete.
            if !self.connections.are_draining() {
                self.stopped.set();
            }
        }
        self.stopped.wait().await;
        Ok(())
    }

    /// Accepts the connections that have begun, and lets no more begin. Their calls are refused.
    async fn accept_begun(&self) {
        // PROTOCOL 41
        self.source.stop();
        let all = async {
            loop {
                let next = tokio::time::timeout(SETTLE, self.source.accept()).await;
                let Ok(Some(Ok(connection))) = next else { return };
                // No shutdown would wait for the connection's end.
                if self.connections.are_closing() {
                    return;
                }
                let key = self.connections.key(connection.peer());
                Serve::start(&self.connections, Accepted { connection, key });
            }
        };
        let _ = tokio::time::timeout(SETTLE_LIMIT, all).await;
    }

    fn not_accepting(&self, why: std::io::Error) -> Error {
        let text = format!("cannot accept connections at {}: {why}", self.local);
        Error::new(ErrorKind::Network, Origin::Library, Reason::Internal, text).with_source(why)
    }

    /// Says to everybody that nothing is accepted any more.
    fn broken(&self, error: Error) -> Error {
        tracing::error!(address = %self.local, %error, "the server accepts no connections any more");
        self.stage.send_replace(Stage::Broken(error.clone()));
        error
    }
}

fn cores_gone(kind: ErrorKind, what: &str) -> Error {
    let text = format!(
        "{what}: the `Cores` that per_core was given were shut down or dropped; keep them until the server is shut down"
    );
    Error::new(kind, Origin::Caller, Reason::Internal, text)
}

impl ServerHandle {
    /// For a server that has no address to give back.
    #[cfg(feature = "testing")]
    pub(super) fn unbound(connections: Arc<Connections>) -> Self {
        Self { connections, stopped: Arc::default(), listening: None }
    }

    /// How many bytes of all connections wait in memory now. Ready at once; it looks at each
    /// connection, so ask some times a second at most.
    #[must_use]
    pub fn buffered(&self) -> Buffered {
        self.connections.buffered()
    }

    /// Waits until the server accepts no connections any more, and says why. For programs that have
    /// spawned [`serve`](Bound::serve). `Ok`: somebody has shut it down, and the shutdown is
    /// complete; or the stream of connections and the last of these have ended.
    ///
    /// Any number of tasks may wait, also before the server serves. **Cancel safe**: it changes
    /// nothing.
    ///
    /// # Errors
    /// The listening socket is broken ([`ErrorKind::Network`]), or the serving future was dropped,
    /// or the [`Cores`](crate::Cores) of the server are gone ([`ErrorKind::Closed`]).
    pub async fn stopped(&self) -> Result<()> {
        let Some(Listening { local, mut stage }) = self.listening.clone() else {
            self.stopped.wait().await;
            return Ok(());
        };
        let listens = |stage: &Stage| matches!(stage, Stage::Bound | Stage::Accepting);
        let broken = match stage.wait_for(|stage| !listens(stage)).await.as_deref() {
            Ok(Stage::Broken(why)) => Some(why.clone()),
            Ok(_) => None,
            Err(_) => {
                let text = format!(
                    "nobody accepts connections at {local}: the serving future was dropped"
                );
                Some(Error::new(ErrorKind::Closed, Origin::Caller, Reason::Internal, text))
            }
        };
        // The program that shuts a server down need not let it serve to the end.
        match broken {
            Some(why) if !self.connections.are_draining() => Err(why),
            _ => {
                self.stopped.wait().await;
                Ok(())
            }
        }
    }

    /// The calls, streams and connections that were refused, closed or broken off since the server
    /// was made, counted by cause. Ready at once.
    #[must_use]
    pub fn refused(&self) -> Refused {
        self.connections.refused()
    }

    /// Waits until the address is free. A serving future that nobody polls cannot be waited for.
    pub(super) async fn address_free(&self) {
        let Some(Listening { mut stage, .. }) = self.listening.clone() else { return };
        let accepts = |stage: &Stage| matches!(stage, Stage::Accepting);
        // Fails if nobody serves any more, which is as good.
        let unbound = async { stage.wait_for(|stage| !accepts(stage)).await.is_ok() };
        let _ = tokio::time::timeout(UNBIND_LIMIT, unbound).await;
    }
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
