//! The connections of a server: start them, know them, end them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

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

/// How long the connections are read after the last answer, so that calls which had begun by then
/// are refused and not cut off: a round trip to anywhere near.
const READ_ON: Duration = Duration::from_millis(100);

/// In how many steps.
const STEPS: u32 = 10;

/// How long a connection may take to write the answers to what was broken off, and its peer to read
/// them.
const FLUSH_LIMIT: Duration = Duration::from_millis(400);

/// How long the tasks of connections and handlers may take to end once their connections are
/// closed. Only a handler that keeps its thread, or hands its stream to a task that keeps it, takes
/// as long.
const LEAVE_LIMIT: Duration = Duration::from_millis(400);

pub(super) struct Connections {
    config: Config,
    pools: Pools,
    keys: KeyOf,
    router: Arc<Router>,
    server_state: Arc<ServerState>,
    accept_limits: AcceptLimits,
    open: Mutex<ConnectionSet>,
    /// All connections are to end, also those that are just being accepted.
    closing: Signal,
    /// A connection's task wakes those who wait for the last one's end.
    ended: Notify,
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

    /// Refuses new work on all connections, and tells the handlers that they have until `ends_at`.
    pub(super) fn begin_drain(&self, ends_at: Option<Instant>) {
        self.server_state.drain.begin(ends_at);
        for link in self.links() {
            link.drain();
        }
    }

    /// The bytes that all connections hold together.
    pub(super) fn buffered(&self) -> Buffered {
        self.links().iter().map(Link::buffered).sum()
    }

    /// Waits until the last call and stream has ended, and then for a moment in which what was on
    /// its way here is refused; or until somebody closes the connections all the same. They have to
    /// be draining.
    pub(super) async fn quiet(&self) {
        let quiet = async {
            self.idle().await;
            tokio::select! {
                // PROTOCOL 41
                () = read_on() => self.idle().await,
                () = self.all_ended() => {}
            }
        };
        tokio::select! {
            () = quiet => {}
            () = self.closing.wait() => {}
        }
    }

    /// Waits until no call and no stream is going on. There is nothing new on connections that
    /// drain, so each needs to be idle once.
    async fn idle(&self) {
        for link in self.links() {
            link.idle().await;
        }
    }

    /// Answers what is still going on, ends all connections, and waits until their tasks and the
    /// handlers' have ended: at most 0.8 s.
    pub(super) async fn close(&self) {
        self.closing.set();
        self.links().iter().for_each(Link::shut_down);
        // Peers that do not read in time are cut off.
        let _ = tokio::time::timeout(FLUSH_LIMIT, self.all_ended()).await;
        self.links().iter().for_each(|link| link.close(&ConnError::Shutdown));
        if tokio::time::timeout(LEAVE_LIMIT, self.all_ended()).await.is_err() {
            tracing::warn!(
                "the server is shut down, but a task still holds a call or a stream of it"
            );
        }
    }

    /// Waits until the tasks of all connections have ended, and with them the handlers'.
    pub(super) async fn all_ended(&self) {
        loop {
            // Made before the look, so that an end in between wakes it.
            let ended = self.ended.notified();
            if self.open.lock().is_empty() {
                return;
            }
            ended.await;
        }
    }

    fn links(&self) -> Vec<Link> {
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

/// Waits for [`READ_ON`] in steps. A step that comes late does not shorten the next one: time in
/// which a busy machine gave this process no turn is no time in which it has read.
async fn read_on() {
    let mut steps = tokio::time::interval(READ_ON / STEPS);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first is there at once.
    for _ in 0..=STEPS {
        steps.tick().await;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_stands_still_does_not_shorten_the_time_in_which_connections_are_read() {
        let mut reading = pin!(read_on());
        assert!(futures::poll!(&mut reading).is_pending());
        tokio::time::advance(10 * READ_ON).await;
        assert!(futures::poll!(&mut reading).is_pending(), "nothing was read meanwhile");
        reading.await;
    }
}
