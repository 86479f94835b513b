//! The connections of a server: start them, and know them.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::clock::now;
use crate::driver::{Buffered, Cause, Config, ConnError, Connection, Driver, Link, Pools, Refused};
use crate::signal::Signal;
use crate::sync::Mutex;
use crate::transport::{Ends, PeerAddr};

use super::accept::Serve;
use super::call::{Router, ServerState};
use super::connection_set::{AcceptLimits, ConnectionSet, Full};
use super::peers::{KeyOf, PeerKey};
use super::waiting::Accepted;

pub(super) struct Connections {
    config: Config,
    pools: Pools,
    keys: KeyOf,
    router: Arc<Router>,
    pub(super) server_state: Arc<ServerState>,
    accept_limits: AcceptLimits,
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
    ) -> Self {
        Self {
            config,
            open: Mutex::new(ConnectionSet::new(accept_limits, pools.clone())),
            pools,
            keys,
            router: Arc::new(router),
            server_state,
            accept_limits,
            closing: Signal::default(),
            ended: Notify::new(),
        }
    }

    pub(super) fn accept_limits(&self) -> &AcceptLimits {
        &self.accept_limits
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Serves a connection as [`start_as`](Self::start_as) does, and finds out whose it is.
    pub(super) fn start(self: &Arc<Self>, ends: Ends, peer: PeerAddr) -> Result<Link, Full> {
        let key = self.keys.key(&peer);
        self.start_as(Accepted { ends, peer, key })
    }

    /// Serves one connection in a task, which ends with the connection and the last of its
    /// handlers: a one-way call may go on when its caller is gone, and a shutdown must know of it.
    /// A connection for which there is no room is closed.
    pub(super) fn start_as(self: &Arc<Self>, accepted: Accepted) -> Result<Link, Full> {
        let Accepted { ends, peer, key } = accepted;
        let entered = self.open.lock().enter(key.as_ref());
        let shared = entered.inspect_err(|full| {
            self.pools.refusals.count(Cause::TooManyConnections);
            tracing::debug!(%peer, "a connection was closed as it came: {full}");
        })?;
        let config = Config { peer: Some(shared), ..self.config.clone() };
        let conn = Connection::server(config, self.router.admission());
        let (link, driver) = Driver::server(conn, ends, peer, Arc::clone(&self.router) as _);
        let (id, silent) = self.open.lock().insert(link.clone(), key, now());
        let AcceptLimits { new: limit, new_grace: silence, .. } = self.accept_limits;
        silent
            .iter()
            .for_each(|link| link.close_if_silent(&ConnError::TooManyNew { limit, silence }));
        // Checked after the insertion. A shutdown sets its signal first and then visits all
        // inserted links, so one of the two always sees the other.
        if self.server_state.drain.has_begun() {
            link.drain();
        }
        if self.closing.is_set() {
            link.shut_down();
        }
        let connections = Arc::clone(self);
        tokio::spawn(async move {
            driver.await;
            let link = connections.open.lock().remove(id);
            drop(link);
            connections.ended.notify_waiters();
        });
        Ok(link)
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

impl Serve for Arc<Connections> {
    fn key(&self, peer: &PeerAddr) -> Option<PeerKey> {
        self.keys.key(peer)
    }

    fn start(&self, accepted: Accepted) {
        drop(self.start_as(accepted));
    }

    fn refuse(&self, accepted: Accepted) {
        self.pools.refusals.count(Cause::TooManyConnections);
        let (peer, setting) = (&accepted.peer, "max_accepts_per_second");
        tracing::debug!(%peer, setting, "a connection was closed: too many of its peer wait to be served");
    }
}
