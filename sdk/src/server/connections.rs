//! The connections of a server: start them, know them, end them.

use std::sync::Arc;

use slab::Slab;
use tokio::sync::Notify;

use crate::service::{Host, Router, Signal};
use crate::sync::Mutex;
use crate::transport::{ConnError, Connection, Driver, Ends, Limits, Link, PeerAddr};

pub(super) struct Connections {
    limits: Limits,
    router: Arc<Router>,
    host: Arc<Host>,
    open: Mutex<Slab<Link>>,
    /// A connection's task wakes those who wait for the last one's end.
    ended: Notify,
}

impl Connections {
    pub(super) fn new(limits: Limits, router: Router, host: Arc<Host>) -> Self {
        Self { limits, router: Arc::new(router), host, open: Mutex::default(), ended: Notify::new() }
    }

    /// Serves one connection in a task, which ends with the connection.
    pub(super) fn start(self: &Arc<Self>, ends: Ends, peer: PeerAddr) -> Link {
        let conn = Connection::server(self.limits.clone(), self.router.admission());
        let (link, driver) = Driver::server(conn, ends, peer, Arc::clone(&self.router) as _);
        let place = self.open.lock().insert(link.clone());
        // Looked at behind the insertion: whoever sets a signal goes through the inserted ones after that.
        if self.host.drain.is_set() {
            link.drain();
        }
        if self.host.close.is_set() {
            link.close(&ConnError::Shutdown);
        }
        let connections = Arc::clone(self);
        tokio::spawn(async move {
            driver.await;
            let link = connections.open.lock().remove(place);
            drop(link);
            connections.ended.notify_waiters();
        });
        link
    }

    pub(super) fn drain(&self) -> &Signal {
        &self.host.drain
    }

    /// Refuses new work on all connections, and tells the handlers.
    pub(super) fn begin_drain(&self) {
        self.host.drain.set();
        for link in self.links() {
            link.drain();
        }
    }

    /// Whether no call and no stream is going on anywhere.
    pub(super) fn are_idle(&self) -> bool {
        self.links().iter().all(Link::is_idle)
    }

    /// Ends all connections, and waits until their tasks have ended.
    pub(super) async fn close(&self) {
        self.host.close.set();
        for link in self.links() {
            link.close(&ConnError::Shutdown);
        }
        loop {
            let ended = self.ended.notified();
            if self.open.lock().is_empty() {
                return;
            }
            ended.await;
        }
    }

    fn links(&self) -> Vec<Link> {
        self.open.lock().iter().map(|(_, link)| link.clone()).collect()
    }
}
