//! The connections of a server: start them, and know them.

use std::io;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::clock::now;
use crate::cores::{CoreSet, Seat};
use crate::driver::{
    Buffered, Cause, Config, ConnError, Connection, Driver, Link, Peer, Pools, Refused,
};
use crate::settings;
use crate::signal::Signal;
use crate::sync::Mutex;
use crate::transport::{Ends, PeerAddr, Undriven};

use super::accept::Serve;
use super::call::{Router, ServerState};
use super::connection_set::{AcceptLimits, ConnectionId, ConnectionSet, Full};
use super::peers::{KeyOf, PeerKey};
use super::waiting::Accepted;

pub(super) struct Connections {
    config: Config,
    pools: Pools,
    keys: KeyOf,
    router: Arc<Router>,
    pub(super) server_state: Arc<ServerState>,
    accept_limits: AcceptLimits,
    /// Where accepted connections are served, if not where they are accepted.
    cores: Option<CoreSet>,
    pub(super) open: Mutex<ConnectionSet>,
    /// All connections are to end, also those that are just being accepted.
    pub(super) closing: Signal,
    /// A connection's task wakes those who wait for the last one's end.
    pub(super) ended: Notify,
}

impl Connections {
    pub(super) fn new(
        config: Config,
        accept_limits: AcceptLimits,
        pools: Pools,
        keys: KeyOf,
        router: Router,
        server_state: Arc<ServerState>,
        cores: Option<CoreSet>,
    ) -> Self {
        Self {
            config,
            open: Mutex::new(ConnectionSet::new(accept_limits, pools.clone())),
            pools,
            keys,
            router: Arc::new(router),
            server_state,
            accept_limits,
            cores,
            closing: Signal::default(),
            ended: Notify::new(),
        }
    }

    pub(super) fn accept_limits(&self) -> &AcceptLimits {
        &self.accept_limits
    }

    pub(super) fn key(&self, peer: &PeerAddr) -> Option<PeerKey> {
        self.keys.key(peer)
    }

    /// Serves one connection in a task, which ends with the connection and the last of its
    /// handlers: a one-way call may go on when its caller is gone, and a shutdown must know of it.
    /// A connection for which there is no room is closed.
    pub(super) fn start(self: &Arc<Self>, ends: Ends, peer: PeerAddr) -> Result<Link, Full> {
        let entered = self.enter(self.key(&peer), &peer)?;
        Ok(entered.serve(ends, peer))
    }

    /// Serves one that was accepted in the same way: here, or on a core.
    fn start_accepted(self: &Arc<Self>, accepted: Accepted) {
        let Accepted { connection, key } = accepted;
        let Ok(entered) = self.enter(key, connection.peer()) else { return };
        match &self.cores {
            Some(cores) => entered.move_to(cores, connection),
            None => entered.open(connection),
        }
    }

    fn enter(self: &Arc<Self>, key: Option<PeerKey>, peer: &PeerAddr) -> Result<Entered, Full> {
        let shared = self.open.lock().enter(key.as_ref());
        let shared = shared.inspect_err(|full| {
            self.pools.refusals.count(Cause::TooManyConnections);
            tracing::debug!(%peer, "a connection was closed as it came: {full}");
        })?;
        Ok(Entered { connections: Arc::clone(self), key, shared, id: None, seat: None })
    }

    /// The refusals so far, counted by cause.
    pub(super) fn refused(&self) -> Refused {
        self.pools.refusals.counted()
    }

    pub(super) fn are_draining(&self) -> bool {
        self.server_state.drain.has_begun()
    }

    pub(super) fn are_closing(&self) -> bool {
        self.closing.is_set()
    }

    /// Tells whether there is no core any more on which connections could be served.
    pub(super) fn are_cores_over(&self) -> bool {
        self.cores.as_ref().is_some_and(CoreSet::are_over)
    }

    /// Waits until then.
    pub(super) async fn cores_over(&self) {
        match &self.cores {
            Some(cores) => cores.over().await,
            None => std::future::pending().await,
        }
    }

    /// Waits until somebody shuts the server down.
    pub(super) async fn drain_begun(&self) {
        self.server_state.drain.begun().await;
    }

    /// The bytes that all connections hold together.
    pub(super) fn buffered(&self) -> Buffered {
        self.links().iter().map(Link::buffered).sum()
    }

    pub(super) fn links(&self) -> Vec<Link> {
        self.open.lock().links()
    }
}

/// A connection that counts, until this is dropped: with its task, or before it has one.
struct Entered {
    connections: Arc<Connections>,
    key: Option<PeerKey>,
    shared: Arc<Peer>,
    /// Its entry, once it is served.
    id: Option<ConnectionId>,
    /// Its place on a core, if it is not served where it was accepted.
    seat: Option<Seat>,
}

impl Entered {
    /// Serves the connection on a core.
    fn move_to(mut self, cores: &CoreSet, connection: Undriven) {
        // Without cores the server ends, and this connection with it.
        let Some(seat) = cores.seat() else { return };
        let detached = match connection.detach() {
            Ok(detached) => detached,
            Err(error) => return note_lost(&error),
        };
        let core = seat.index();
        self.seat = Some(seat);
        cores.spawn_on(core, async move {
            match detached.attach() {
                Ok(connection) => self.open(connection),
                Err(error) => note_lost(&error),
            }
        });
    }

    /// Serves the connection in a task of the runtime where this is called.
    fn open(self, connection: Undriven) {
        let options = settings::socket_options(&self.connections.config);
        match connection.open(options) {
            Ok((ends, peer)) => drop(self.serve(ends, peer)),
            // It is gone already, which says nothing of the listener.
            Err(error) => note_lost(&error),
        }
    }

    fn serve(mut self, ends: Ends, peer: PeerAddr) -> Link {
        let connections = &self.connections;
        let config = Config { peer: Some(Arc::clone(&self.shared)), ..connections.config.clone() };
        let conn = Connection::server(config, connections.router.admission());
        let router = Arc::clone(&connections.router) as _;
        let (link, driver) = Driver::server(conn, ends, peer, router);
        let (id, silent) = connections.open.lock().insert(link.clone(), self.key.clone(), now());
        let AcceptLimits { new: limit, new_grace: silence, .. } = connections.accept_limits;
        silent
            .iter()
            .for_each(|link| link.close_if_silent(&ConnError::TooManyNew { limit, silence }));
        // Checked after the insertion. A shutdown sets its signal first and then visits all
        // inserted links, so one of the two always sees the other.
        if connections.server_state.drain.has_begun() {
            link.drain();
        }
        if connections.closing.is_set() {
            link.shut_down();
        }
        self.id = Some(id);
        tokio::spawn(async move {
            driver.await;
            drop(self);
        });
        link
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        let link = self.id.map(|id| open.remove(id));
        open.leave(self.key.as_ref());
        drop(open);
        // Outside the lock: it may be the last hold on the connection.
        drop(link);
        self.connections.ended.notify_waiters();
    }
}

fn note_lost(error: &io::Error) {
    tracing::debug!(%error, "a connection was lost before it was served");
}

impl Serve for Arc<Connections> {
    fn key(&self, peer: &PeerAddr) -> Option<PeerKey> {
        Connections::key(self, peer)
    }

    fn start(&self, accepted: Accepted) {
        self.start_accepted(accepted);
    }

    fn refuse(&self, accepted: Accepted) {
        self.pools.refusals.count(Cause::TooManyConnections);
        let (peer, setting) = (accepted.connection.peer(), "max_accepts_per_second");
        tracing::debug!(%peer, setting, "a connection was closed: too many of its peer wait to be served");
    }
}
