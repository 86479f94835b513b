//! The shutdown of a server: no new work, time for what is going on, then the end of all
//! connections.

use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::clock::now;
use crate::driver::{ConnError, Link};

use super::bound::ServerHandle;
use super::connections::Connections;

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

impl ServerHandle {
    /// Shuts the server down. At once it refuses new connections, calls and streams
    /// ([`Code::Unavailable`](crate::Code::Unavailable), for callers to try elsewhere) and tells
    /// the handlers ([`Context::draining`]). When the last call has ended, or `grace` has passed,
    /// it closes all connections.
    ///
    /// Calls that cross the shutdown on their way here are refused as well, for 100 ms after the
    /// last answer if `grace` lasts as long. With a `grace` of zero, what is going on ends with
    /// [`Code::Unavailable`](crate::Code::Unavailable) at once, and what the server has received by
    /// then is refused.
    ///
    /// Waits for the last call, at most `grace`, and then for at most 1 s until the answers are
    /// written and all tasks of the server have ended, so that no task, socket or port is left. A
    /// call that is not ready in time ends with `Unavailable` at its caller, and its handler is
    /// dropped. Only a handler that keeps its thread and never awaits outlives that, because
    /// nothing can stop it.
    ///
    /// Can be called again and at the same time: the shortest grace counts, and each call waits for
    /// the end. **On drop** of the future the server goes on refusing new work, and what is going
    /// on goes on: call it again to wait or to close.
    ///
    /// [`Context::draining`]: crate::Context::draining
    pub async fn shutdown(&self, grace: Duration) {
        let ends_at = now().checked_add(grace);
        self.connections.begin_drain(ends_at);
        self.address_free().await;
        // Idle or not: what is left then is closed.
        let quiet = self.connections.quiet();
        match ends_at {
            Some(at) => drop(tokio::time::timeout_at(at.into(), quiet).await),
            None => quiet.await,
        }
        self.connections.close().await;
        self.stopped.set();
    }
}

impl Connections {
    /// Refuses new work on all connections, and tells the handlers that they have until `ends_at`.
    pub(super) fn begin_drain(&self, ends_at: Option<Instant>) {
        self.server_state.drain.begin(ends_at);
        for link in self.links() {
            link.drain();
        }
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
