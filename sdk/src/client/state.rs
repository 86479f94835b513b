//! The state of a channel, for those who want to know.

use std::time::Instant;

use tokio::sync::watch;

use crate::error::Error;

/// The state of a channel. With several connections it is the state of the best one: ready is
/// better than connecting, and connecting better than waiting.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum State {
    /// There is no connection, because no call needs one. The next call makes one.
    Idle,
    /// Connecting. Calls wait for the outcome.
    Connecting,
    /// There is a connection.
    Ready,
    /// No server answered. Calls fail, unless they
    /// [`wait_for_ready`](super::ChannelBuilder::wait_for_ready).
    TransientFailure {
        /// The last failure.
        why: Error,
        /// When the next attempt is made, by tokio's clock.
        retry_at: Instant,
    },
    /// The channel was closed, or all its clones were dropped. It makes no more connections.
    Closed,
}

impl State {
    /// Tells whether there is a connection.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready)
    }

    /// Tells whether the channel makes no more connections.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }

    /// Tells whether this says nothing new to those who know `other`.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::TransientFailure { retry_at: a, .. },
                Self::TransientFailure { retry_at: b, .. },
            ) => a == b,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

/// Gives the states of a channel as they change: [`Channel::watch`](super::Channel::watch).
///
/// It does not keep the channel alive. **On drop** nothing happens.
#[derive(Clone, Debug)]
pub struct StateWatch {
    states: watch::Receiver<State>,
    /// Nothing was told yet.
    fresh: bool,
}

impl StateWatch {
    pub(super) fn new(states: watch::Receiver<State>) -> Self {
        Self { states, fresh: true }
    }

    /// The state now.
    #[must_use]
    pub fn now(&self) -> State {
        self.states.borrow().clone()
    }

    /// Gives the current state at the first call, and then waits until it changes. States that pass
    /// between two calls are skipped. `None` after [`State::Closed`].
    ///
    /// **Cancel safety**: dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<State> {
        if std::mem::take(&mut self.fresh) {
            return Some(self.states.borrow_and_update().clone());
        }
        if matches!(self.states.has_changed(), Ok(false)) && self.states.borrow().is_closed() {
            return None;
        }
        self.states.changed().await.ok()?;
        Some(self.states.borrow_and_update().clone())
    }

    /// Waits until `wanted` is true of the channel's state, and gives that state. `None` if the
    /// channel was closed before. For example `watch.until(State::is_ready)`.
    ///
    /// **Cancel safety**: dropping the future loses nothing.
    pub async fn until(&mut self, mut wanted: impl FnMut(&State) -> bool) -> Option<State> {
        self.fresh = false;
        let mut seen = |state: &State| wanted(state) || state.is_closed();
        let state = self.states.wait_for(&mut seen).await.ok()?.clone();
        wanted(&state).then_some(state)
    }
}
